/* What the PC tells its firmware: the ROM itself, CMOS bytes, fw_cfg items.
 * Source: SeaBIOS's documentation of "Runtime config" and its CMOS use
 * (src/hw/rtc.h); Ralf Brown's CMOS.LST for the classic bytes. */
#include <string.h>

#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/timer/mc146818rtc.h"
#include "hw/x86/pc.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { MiB = 1 << 20, BIOS_ALIGN = 64 << 10, BIOS_MAX = 16 << 20, ISA_BIOS_MAX = 128 << 10 };

/* ---- -M pc,name=value ---- */

static bool set_opt(Pc *pc, const char *name, const char *value, GError **err)
{
    static const char *const names[] = { "acpi", "hpet", "smm", NULL };
    bool *const opts[] = { &pc->opt.acpi, &pc->opt.hpet, &pc->opt.smm };
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], name))
            continue;
        bool on = !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true");
        if (!on && strcmp(value, "off") && strcmp(value, "no") && strcmp(value, "false") && strcmp(value, "auto")) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "-M pc,%s=%s: expected on or off", name, value);
            return false;
        }
        if (strcmp(value, "auto"))
            *opts[i] = on;
        return true;
    }
    return true;                         /* checked by the option parser: no meaning on this board */
}

bool pc_parse_opts(Pc *pc, GError **err)
{
    if (!pc->m->cfg->machine_opts)
        return true;
    g_auto(GStrv) parts = g_strsplit(pc->m->cfg->machine_opts, ",", -1);
    for (char **p = parts; *p; p++) {
        char *eq = strchr(*p, '=');
        if (eq)
            *eq = 0;
        if (**p && !set_opt(pc, *p, eq ? eq + 1 : "on", err))
            return false;
    }
    return true;
}

/* ---- ROM ---- */

static char *find_bios(Pc *pc, GError **err)
{
    const MachineConfig *cfg = pc->m->cfg;
    const char *name = cfg->bios ? cfg->bios : "bios-256k.bin";
    if (cfg->bios && g_file_test(name, G_FILE_TEST_IS_REGULAR))
        return g_strdup(name);
    char *path = machine_firmware(pc->m, name);
    if (path)
        return path;
    g_autoptr(GString) dirs = g_string_new(NULL);
    for (guint i = 0; cfg->fw_paths && i < cfg->fw_paths->len; i++)
        g_string_append_printf(dirs, "%s%s", i ? ", " : "", (char *)cfg->fw_paths->pdata[i]);
    g_set_error(err, RHEA_ERROR, cfg->bios ? ERR_USAGE : ERR_RUN, "firmware '%s' was not found (looked in %s): %s", name,
                dirs->len ? dirs->str : "no directory",
                cfg->bios ? "-bios takes a file, or a name along the firmware path (-L DIR)" :
                "install the package 'seabios', or use -L DIR or -bios FILE");
    return NULL;
}

bool pc_load_bios(Pc *pc, GError **err)
{
    g_autoptr(GError) missing = NULL;
    g_autofree char *path = find_bios(pc, &missing), *data = NULL;
    gsize len;
    if (!path && pc->m->cfg->kernel && !pc->m->cfg->bios)
        return true;                     /* direct boot runs none */
    if (!path) {
        g_propagate_error(err, g_steal_pointer(&missing));
        return false;
    }
    if (!g_file_get_contents(path, &data, &len, err))
        return false;
    if (!len || len % BIOS_ALIGN || len > BIOS_MAX) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: a firmware image is a multiple of 64 KiB, at most 16 MiB; this has %zu bytes",
                    path, len);
        return false;
    }
    pc->bios = mem_rom_new("pc.bios", len, NULL, NULL, err);
    if (!pc->bios)
        return false;
    memcpy(mem_host(pc->bios), data, len);
    mem_add(pc->pci_mem, BIT(32) - len, pc->bios, 1);
    uint64_t n = MIN(len, (uint64_t)ISA_BIOS_MAX);
    pc->isa_bios = mem_alias_new("isa-bios", pc->bios, len - n, n);
    mem_add(pc->pci_mem, 0x100000 - n, pc->isa_bios, 1);
    return true;
}

/* ---- CMOS ---- */

static void cmos16(Pc *pc, unsigned at, uint64_t v, uint64_t max)
{
    v = MIN(v, max);
    rtc_set_cmos(pc->rtc, at, (uint8_t)v);
    rtc_set_cmos(pc->rtc, at + 1, (uint8_t)(v >> 8));
}

static void cmos_memory(Pc *pc)
{
    uint64_t low = pc->below_4g;
    cmos16(pc, CMOS_BASE_KB, MIN(low >> 10, 640), 640);
    cmos16(pc, CMOS_EXT_KB, low > MiB ? (low - MiB) >> 10 : 0, 65535);
    cmos16(pc, CMOS_EXT_KB2, low > MiB ? (low - MiB) >> 10 : 0, 65535);
    cmos16(pc, CMOS_ABOVE_16M, low > 16 * MiB ? (low - 16 * MiB) >> 16 : 0, 65535);
    for (unsigned i = 0; i < 3; i++)
        rtc_set_cmos(pc->rtc, CMOS_ABOVE_4G + i, (uint8_t)(pc->above_4g >> (16 + 8 * i)));
}

static void cmos_floppies(Pc *pc)
{
    enum { HAS_FLOPPY = 1, HAS_FPU = 2, HAS_MOUSE = 4, SECOND_FLOPPY = 0x40 };
    unsigned a = fdc_drive_type(pc->fdc, 0), b = fdc_drive_type(pc->fdc, 1);
    rtc_set_cmos(pc->rtc, CMOS_FLOPPY, (uint8_t)(a << 4 | b));
    rtc_set_cmos(pc->rtc, CMOS_EQUIPMENT, (uint8_t)(HAS_FPU | HAS_MOUSE | (a || b ? HAS_FLOPPY : 0) | (a && b ? SECOND_FLOPPY : 0)));
}

/* Type 47 ("user") and its parameters, for disks 0 and 1. */
static void cmos_disk_type(Pc *pc, unsigned n, unsigned cyls, unsigned heads, unsigned secs)
{
    enum { TYPE_BYTE = 0x19, USER_TYPE = 47, PARAMETERS = 0x1b, STEP = 9 };
    unsigned at = PARAMETERS + n * STEP;
    rtc_set_cmos(pc->rtc, CMOS_DISK, rtc_get_cmos(pc->rtc, CMOS_DISK) | (n ? 0x0f : 0xf0));
    rtc_set_cmos(pc->rtc, TYPE_BYTE + n, USER_TYPE);
    cmos16(pc, at, cyls, 65535);
    rtc_set_cmos(pc->rtc, at + 2, (uint8_t)heads);
    cmos16(pc, at + 3, 65535, 65535);    /* no write precompensation */
    rtc_set_cmos(pc->rtc, at + 5, heads > 8 ? 0xc8 : 0xc0);
    cmos16(pc, at + 6, cyls, 65535);
    rtc_set_cmos(pc->rtc, at + 8, (uint8_t)secs);
}

static void cmos_disks(Pc *pc)
{
    unsigned translations = 0;
    for (unsigned i = 0; i < 4; i++) {
        Device *d = ide_drive_peek(pc->ide, i);
        unsigned cyls, heads, secs, translation;
        if (!d || ide_drive_is_cd(d))
            continue;
        ide_drive_geometry(d, &cyls, &heads, &secs, &translation);
        translations |= translation << (2 * i);
        if (i < 2)
            cmos_disk_type(pc, i, cyls, heads, secs);
    }
    rtc_set_cmos(pc->rtc, CMOS_DISK_TRANSLATION, (uint8_t)translations);
}

void pc_fill_cmos(Pc *pc)
{
    cmos_memory(pc);
    cmos_floppies(pc);
    cmos_disks(pc);
    rtc_set_cmos(pc->rtc, CMOS_SMP, (uint8_t)(pc->m->cfg->smp - 1));
}

/* Three nibbles, first choice lowest: 1 floppy, 2 disk, 3 CD-ROM, 4 network. */
bool pc_set_boot_order(Pc *pc, const char *order, GError **err)
{
    static const char letters[] = "acdn";
    const char *text = order && *order ? order : "cad";
    unsigned v = 0, n = 0;
    for (const char *p = text; *p; p++) {
        const char *at = strchr(letters, *p);
        if (!at || strchr(p + 1, *p)) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, at ? "-boot order=%s: '%c' is there twice" :
                        "-boot order=%s: no device '%c' (a floppy, c disk, d CD-ROM, n network)", text, *p);
            return false;
        }
        v |= n < 3 ? (unsigned)(at - letters + 1) << (4 * n) : 0;
        n++;
    }
    rtc_set_cmos(pc->rtc, CMOS_BOOT_ORDER, (uint8_t)v);
    rtc_set_cmos(pc->rtc, CMOS_BOOT_FLAGS, (uint8_t)(v >> 8 << 4));
    return true;
}

/* ---- fw_cfg ---- */

static void add_e820(Pc *pc)
{
    E820Entry e[2] = { { 0, pc->below_4g, E820_RAM }, { BIT(32), pc->above_4g, E820_RAM } };
    fw_cfg_add_file(pc->fw_cfg, "etc/e820", e, pc->above_4g ? sizeof e : sizeof e[0]);
}

bool pc_fill_fw_cfg(Pc *pc, GError **err)
{
    const MachineConfig *cfg = pc->m->cfg;
    Device *f = pc->fw_cfg;
    static const uint8_t uuid[16];
    (void)err;
    fw_cfg_add(f, FW_CFG_UUID, uuid, sizeof uuid);
    fw_cfg_add_num(f, FW_CFG_RAM_SIZE, cfg->ram_size, 8);
    fw_cfg_add_num(f, FW_CFG_NB_CPUS, cfg->smp, 2);
    fw_cfg_add_num(f, FW_CFG_MAX_CPUS, cfg->smp, 2);
    fw_cfg_add_num(f, FW_CFG_NOGRAPHIC, !g_strcmp0(cfg->vga, "none"), 2);
    fw_cfg_add_num(f, FW_CFG_BOOT_MENU, cfg->boot_menu, 2);
    fw_cfg_add_num(f, FW_CFG_IRQ0_OVERRIDE, 1, 1);
    add_e820(pc);
    return true;
}
