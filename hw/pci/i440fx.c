/* Intel 82441FX PMC: host bridge of the PC.
 * Source: Intel 440FX PCIset datasheet (290549), section 3 (registers) and 4.1 (address map).
 *
 * Modelled: configuration mechanism 1 (CONFADD, CONFDATA), the programmable
 * attribute map PAM0..6 with its 13 shadow segments, SMRAM.DOPEN and DLCK.
 * Left out on purpose: DRAM timing and row boundaries (the registers hold what
 * is written), ECC, and the separate view of a CPU in system management mode.
 *
 *   PAM register       segment           RE WE  shows
 *   59h 7:4            F0000-FFFFF        0  0  PCI (ROM)
 *   5Ah 3:0, 7:4 ...   C0000, C4000 ...   1  0  RAM, read-only
 *   5Fh 3:0, 7:4       E8000, EC000       0  1  reads PCI, writes RAM: a copy of the ROM with a write hook
 *                                         1  1  RAM
 */
#include "hw/pci/i440fx.h"

#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { PAM0 = 0x59, PAM_COUNT = 7, SEGMENTS = 13, SMRAM = 0x72 };
enum { PAM_RE = 1, PAM_WE = 2 };
enum { SMRAM_DOPEN = 0x40, SMRAM_DCLS = 0x20, SMRAM_DLCK = 0x10, SMRAM_GSMRAME = 0x08, SMRAM_BASE = 0x02 };
enum { CONFADD_ENABLE = 31, MiB = 1 << 20, SMRAM_ADDR = 0xa0000, SMRAM_SIZE = 0x20000 };
enum { SMRAM_PRIORITY = 2, SEG_PRIORITY = 1, WINDOW_PRIORITY = 0, NOBODY_PRIORITY = -1 };

typedef struct Segment {
    MemRegion *pci, *ro, *wo;            /* at most one is enabled; none: RAM shows through */
} Segment;

typedef struct I440fx {
    PciDev pci;
    I440fxWiring w;
    uint32_t confadd;
    Segment seg[SEGMENTS];
    MemRegion *smram;                    /* RAM over the VGA window while open */
    MemRegion *rom;                      /* backs the write-only state of all segments */
} I440fx;

void i440fx_connect(Device *d, const I440fxWiring *w) { ((I440fx *)d)->w = *w; }

/* ---- configuration mechanism 1 ---- */

static bool conf_target(const I440fx *s, unsigned at, unsigned *devfn, unsigned *off)
{
    *devfn = (s->confadd >> 8) & 0xff;
    *off = (s->confadd & 0xfc) | (at & 3);
    return s->confadd >> CONFADD_ENABLE && !((s->confadd >> 16) & 0xff);
}

static uint64_t conf_read(void *opaque, uint64_t at, unsigned size)
{
    I440fx *s = opaque;
    unsigned devfn, off;
    if (at == 1 && size == 1)
        return s->w.rcr_read ? s->w.rcr_read(s->w.opaque) : 0xff;
    if (at < 4)
        return bits_get(s->confadd, 8 * (unsigned)at, 8 * size);
    if (!conf_target(s, (unsigned)at, &devfn, &off))
        return BIT(8 * size) - 1;
    return pci_config_read(s->pci.bus, devfn, off, size);
}

static void conf_write(void *opaque, uint64_t at, uint64_t val, unsigned size)
{
    I440fx *s = opaque;
    unsigned devfn, off;
    if (at == 1 && size == 1 && s->w.rcr_write)
        s->w.rcr_write(s->w.opaque, (uint8_t)val);
    else if (at == 0 && size == 4)       /* CONFADD takes whole dwords only */
        s->confadd = (uint32_t)val & 0x80fffffc;
    else if (at >= 4 && conf_target(s, (unsigned)at, &devfn, &off))
        pci_config_write(s->pci.bus, devfn, off, (uint32_t)val, size);
}

static const MemOps conf_ops = { .read = conf_read, .write = conf_write, .max_size = 4 };

/* ---- shadow RAM and SMRAM ---- */

static void rom_write(void *opaque, uint64_t off, uint64_t val, unsigned size)
{
    I440fx *s = opaque;
    uint64_t at = I440FX_SHADOW_BASE + off;
    mem_note_write(mem_ram_addr(s->w.ram) + at, size);
    st_le((uint8_t *)mem_host(s->w.ram) + at, val, size);
}
static uint64_t rom_read(void *opaque, uint64_t off, unsigned size)
{
    I440fx *s = opaque;
    return ld_le((uint8_t *)mem_host(s->rom) + off, size);
}
static const MemOps rom_ops = { .read = rom_read, .write = rom_write };

static unsigned seg_addr(unsigned n) { return n == 0 ? 0xf0000 : 0xc0000 + (n - 1) * 0x4000; }
static unsigned seg_size(unsigned n) { return n == 0 ? 0x10000 : 0x4000; }
static unsigned seg_attr(const I440fx *s, unsigned n)
{
    unsigned nibble = n + 1;             /* PAM0's low nibble is reserved */
    return s->pci.config[PAM0 + nibble / 2] >> (nibble & 1 ? 4 : 0) & (PAM_RE | PAM_WE);
}

/* The ROM under a segment as PCI shows it now. */
static void copy_rom(I440fx *s, unsigned n)
{
    AddressSpace *as = as_new("pci", s->w.pci_mem);
    as_read(as, seg_addr(n), (uint8_t *)mem_host(s->rom) + seg_addr(n) - I440FX_SHADOW_BASE, seg_size(n));
    as_free(as);
}

static void update_segment(I440fx *s, unsigned n)
{
    unsigned attr = seg_attr(s, n);
    mem_set_enabled(s->seg[n].pci, attr == 0);
    mem_set_enabled(s->seg[n].ro, attr == PAM_RE);
    if (attr == PAM_WE)
        copy_rom(s, n);
    mem_set_enabled(s->seg[n].wo, attr == PAM_WE);
}

static void update_map(I440fx *s)
{
    mem_begin();
    for (unsigned n = 0; n < SEGMENTS; n++)
        update_segment(s, n);
    mem_set_enabled(s->smram, s->pci.config[SMRAM] & SMRAM_DOPEN);
    mem_end();
}

static void write_smram(I440fx *s, uint8_t val)
{
    uint8_t *r = &s->pci.config[SMRAM];
    if (*r & SMRAM_DLCK)                 /* locked until reset: only DCLS may change */
        *r = (uint8_t)((*r & ~SMRAM_DCLS) | (val & SMRAM_DCLS));
    else
        *r = (val & (SMRAM_DOPEN | SMRAM_DCLS | SMRAM_DLCK | SMRAM_GSMRAME)) | SMRAM_BASE;
    if (*r & SMRAM_DLCK)
        *r &= (uint8_t)~SMRAM_DOPEN;
}

static void i440fx_config_write(PciDev *d, unsigned off, uint32_t val, unsigned size)
{
    I440fx *s = (I440fx *)d;
    pci_default_write(d, off, val, size);
    if (off <= SMRAM && off + size > SMRAM)
        write_smram(s, (uint8_t)(val >> (8 * (SMRAM - off))));
    if (off < SMRAM + 1u && off + size > PAM0)
        update_map(s);
}

/* ---- life ---- */

static MemRegion *overlay(I440fx *s, const char *name, MemRegion *of, uint64_t from, unsigned at, unsigned size,
                          int priority)
{
    MemRegion *mr = mem_alias_new(name, of, from, size);
    mem_set_enabled(mr, false);
    mem_add(s->w.system, at, mr, priority);
    s->pci.dev.regions = g_slist_prepend(s->pci.dev.regions, mr);
    return mr;
}

/* PCI addresses that nobody claims read as ones, also where RAM lies behind. */
static uint64_t nobody_read(void *opaque, uint64_t at, unsigned size)
{
    (void)opaque, (void)at;
    return size == 8 ? UINT64_MAX : BIT(8 * size) - 1;
}
static void nobody_write(void *opaque, uint64_t at, uint64_t v, unsigned size) { (void)opaque, (void)at, (void)v, (void)size; }
static const MemOps nobody_ops = { .read = nobody_read, .write = nobody_write };

static void overlay_background(I440fx *s)
{
    MemRegion *mr = mem_io_new("pci-nobody", MiB - SMRAM_ADDR, &nobody_ops, s);
    mem_add(s->w.pci_mem, SMRAM_ADDR, mr, NOBODY_PRIORITY);
    s->pci.dev.regions = g_slist_prepend(s->pci.dev.regions, mr);
}

static bool i440fx_pci_realize(PciDev *d, GError **err)
{
    I440fx *s = (I440fx *)d;
    s->rom = mem_rom_new("shadow-rom", I440FX_SHADOW_SIZE, &rom_ops, s, err);
    if (!s->rom)
        return false;
    for (unsigned n = 0; n < SEGMENTS; n++) {
        unsigned at = seg_addr(n), size = seg_size(n);
        s->seg[n].pci = overlay(s, "pam-pci", s->w.pci_mem, at, at, size, SEG_PRIORITY);
        s->seg[n].ro = overlay(s, "pam-rom", s->w.ram, at, at, size, SEG_PRIORITY);
        mem_set_readonly(s->seg[n].ro, true);
        s->seg[n].wo = overlay(s, "pam-write-only", s->rom, at - I440FX_SHADOW_BASE, at, size,
                                SEG_PRIORITY);
    }
    overlay_background(s);
    mem_set_enabled(overlay(s, "vga-window", s->w.pci_mem, SMRAM_ADDR, SMRAM_ADDR, SMRAM_SIZE, WINDOW_PRIORITY), true);
    s->smram = overlay(s, "smram-open", s->w.ram, SMRAM_ADDR, SMRAM_ADDR, SMRAM_SIZE, SMRAM_PRIORITY);
    memset(d->wmask + 0x50, 0xff, 0x50);
    d->wmask[PAM0] = 0x30;
    memset(d->wmask + PAM0 + 1, 0x33, PAM_COUNT - 1);
    d->wmask[SMRAM] = 0;
    d->config[SMRAM] = SMRAM_BASE;
    st_le16(d->config + PCI_COMMAND, PCI_CMD_MEM | PCI_CMD_MASTER);
    st_le16(d->config + PCI_STATUS, 0x0280);
    st_le16(d->wmask + PCI_COMMAND, 0x0140);
    dev_ports(&d->dev, "pci-config", 0xcf8, 8, &conf_ops);
    return true;
}

static void i440fx_reset(Device *d)
{
    pci_dev_reset(d);
    update_map((I440fx *)d);
}

static void i440fx_loaded(Device *d)
{
    pci_dev_loaded(d);
    update_map((I440fx *)d);
}

static void i440fx_unrealize(Device *d)
{
    I440fx *s = (I440fx *)d;
    pci_dev_unrealize(d);
    if (s->rom)
        mem_unref(s->rom);
}

static const PciClass i440fx_class = {
    .vendor = 0x8086, .device = 0x1237, .revision = 2, .class_code = 0x060000,
    .realize = i440fx_pci_realize, .config_write = i440fx_config_write,
};

const DeviceType i440fx_type = {
    .name = "i440FX", .doc = "82441FX host bridge", .bus = BUS_PCI, .size = sizeof(I440fx), .version = 1, .internal = true,
    .fields = (const Field[]){
        PCI_FIELDS(I440fx), LINK(I440fx, w), REG_U32(I440fx, confadd, 0),
        HOST(I440fx, seg), HOST(I440fx, smram), HOST(I440fx, rom), FIELD_END },
    .realize = pci_dev_realize, .unrealize = i440fx_unrealize, .reset = i440fx_reset, .loaded = i440fx_loaded,
    .cls = &i440fx_class,
};
