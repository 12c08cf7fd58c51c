/* Common part of direct boot (boot.h): files, placement, memory map, entry. */
#include "hw/x86/boot.h"

#include <string.h>

#include "cpu/x86/state.h"
#include "util/bits.h"
#include "util/ldst.h"

typedef struct BootPiece {
    const char *what;
    uint64_t gpa, offset, length, size;
    GBytes *data;
} BootPiece;

static void piece_clear(void *p)
{
    g_bytes_unref(((BootPiece *)p)->data);
}

/* ---- files and placement ---- */

GBytes *boot_file(const char *path, GError **err)
{
    char *data;
    gsize len;
    GError *e = NULL;
    if (!g_file_get_contents(path, &data, &len, &e)) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s", e->message);
        g_error_free(e);
        return NULL;
    }
    return g_bytes_new_take(data, len);
}

static bool in_ram(const X86Boot *b, uint64_t gpa, uint64_t size)
{
    uint64_t top = b->info.below_4g;
    return gpa < top && size <= top - gpa;
}

bool boot_place(X86Boot *b, const char *what, uint64_t gpa, GBytes *data, uint64_t offset, uint64_t length, uint64_t size, GError **err)
{
    if (!in_ram(b, gpa, size)) {
        g_set_error(err, RHEA_ERROR, ERR_RUN,
                    "%s: %s wants memory at 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x, but RAM ends at 0x%" G_GINT64_MODIFIER
                    "x; use a larger -m", b->m->cfg->kernel, what, gpa, gpa + size - 1, b->info.below_4g);
        return false;
    }
    for (unsigned i = 0; i < b->pieces->len; i++) {
        const BootPiece *o = &g_array_index(b->pieces, BootPiece, i);
        if (gpa < o->gpa + o->size && o->gpa < gpa + size) {
            g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s at 0x%" G_GINT64_MODIFIER "x overlaps the %s; use a larger -m or another kernel",
                        b->m->cfg->kernel, what, gpa, o->what);
            return false;
        }
    }
    BootPiece p = { what, gpa, offset, length, size, g_bytes_ref(data) };
    g_array_append_val(b->pieces, p);
    return true;
}

bool boot_place_copy(X86Boot *b, const char *what, uint64_t gpa, const void *p, uint64_t len, GError **err)
{
    g_autoptr(GBytes) data = g_bytes_new(p, len);
    return boot_place(b, what, gpa, data, 0, len, len, err);
}

uint32_t boot_string(X86Boot *b, const void *p, size_t len)
{
    uint32_t at = BOOT_STRINGS + b->strings->len;
    if (len > BOOT_STRINGS_END - at)
        return 0;
    g_byte_array_append(b->strings, p, (guint)len);
    while (b->strings->len % 8)
        g_byte_array_append(b->strings, (const guint8 *)"", 1);
    return at;
}

uint64_t boot_high(X86Boot *b, uint64_t size, uint64_t limit)
{
    uint64_t top = MIN(limit, b->info.below_4g - BOOT_ACPI_ROOM);
    return size > top ? 0 : round_down(top - size, 4096);
}

/* ---- ELF ---- */

typedef struct Elf {
    const uint8_t *p;
    gsize len;
    bool is64;
    uint64_t phoff;
    unsigned phnum, phentsize;
} Elf;

static bool elf_open(GBytes *file, Elf *e)
{
    e->p = g_bytes_get_data(file, &e->len);
    if (e->len < 64 || memcmp(e->p, "\177ELF", 4) || e->p[5] != 1 /* little-endian */)
        return false;
    e->is64 = e->p[4] == 2;
    e->phoff = e->is64 ? ld_le64(e->p + 32) : ld_le32(e->p + 28);
    e->phentsize = ld_le16(e->p + (e->is64 ? 54 : 42));
    e->phnum = ld_le16(e->p + (e->is64 ? 56 : 44));
    return e->phentsize >= (e->is64 ? 56u : 32u) && e->phoff <= e->len && (uint64_t)e->phnum * e->phentsize <= e->len - e->phoff;
}

typedef struct Phdr { uint32_t type; uint64_t offset, paddr, filesz, memsz; } Phdr;

static Phdr elf_phdr(const Elf *e, unsigned i)
{
    const uint8_t *h = e->p + e->phoff + (uint64_t)i * e->phentsize;
    if (e->is64)
        return (Phdr){ ld_le32(h), ld_le64(h + 8), ld_le64(h + 24), ld_le64(h + 32), ld_le64(h + 40) };
    return (Phdr){ ld_le32(h), ld_le32(h + 4), ld_le32(h + 12), ld_le32(h + 16), ld_le32(h + 20) };
}

bool boot_elf_load(X86Boot *b, GBytes *file, uint64_t *entry, GError **err)
{
    Elf e;
    bool any = false;
    if (!elf_open(file, &e)) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: damaged ELF file", b->m->cfg->kernel);
        return false;
    }
    *entry = e.is64 ? ld_le64(e.p + 24) : ld_le32(e.p + 24);
    for (unsigned i = 0; i < e.phnum; i++) {
        Phdr h = elf_phdr(&e, i);
        if (h.type != 1 || !h.memsz)
            continue;
        if (h.offset > e.len || h.filesz > e.len - h.offset || h.filesz > h.memsz) {
            g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: segment %u of the ELF file lies outside the file (is it truncated?)",
                        b->m->cfg->kernel, i);
            return false;
        }
        if (!boot_place(b, "kernel", h.paddr, file, h.offset, h.filesz, h.memsz, err))
            return false;
        any = true;
    }
    if (!any)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the ELF file has nothing to load (an object file?)", b->m->cfg->kernel);
    return any;
}

const uint8_t *boot_elf_note(GBytes *file, const char *name, uint32_t type, uint32_t *len)
{
    Elf e;
    if (!elf_open(file, &e))
        return NULL;
    for (unsigned i = 0; i < e.phnum; i++) {
        Phdr h = elf_phdr(&e, i);
        if (h.type != 4 || h.offset > e.len || h.filesz > e.len - h.offset)
            continue;
        const uint8_t *n = e.p + h.offset;
        for (uint64_t at = 0; h.filesz - at >= 12;) {
            uint64_t namesz = ld_le32(n + at), descsz = ld_le32(n + at + 4);
            uint64_t desc = at + 12 + round_up(namesz, 4), next = desc + round_up(descsz, 4);
            if (desc + descsz > h.filesz)
                break;
            if (ld_le32(n + at + 8) == type && namesz == strlen(name) + 1 && !memcmp(n + at + 12, name, namesz)) {
                *len = (uint32_t)descsz;
                return n + desc;
            }
            if (next > h.filesz)
                break;
            at = next;
        }
    }
    return NULL;
}

BootResult boot_elf(X86Boot *b, GBytes *kernel, GError **err)
{
    Elf e;
    uint64_t entry;
    if (!elf_open(kernel, &e))
        return BOOT_NOT_MINE;
    unsigned machine = ld_le16(e.p + 18);
    if (e.is64 || machine != 3) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s; accepted are a bzImage, Multiboot, an ELF file with a PVH note, or a 32-bit x86 ELF file",
                    b->m->cfg->kernel, machine == 62 ? "64-bit ELF file without a PVH note (CONFIG_PVH)" : "ELF file for another processor");
        return BOOT_FAILED;
    }
    if (!boot_elf_load(b, kernel, &entry, err))
        return BOOT_FAILED;
    b->eip = (uint32_t)entry;
    return BOOT_OK;
}

/* ---- load ---- */

static void add_e820(X86Boot *b, uint64_t addr, uint64_t end, uint32_t type)
{
    if (end > addr)
        b->e820[b->ne820++] = (E820Entry){ addr, end - addr, type };
}

static void build_e820(X86Boot *b)
{
    uint64_t acpi = b->info.below_4g - BOOT_ACPI_ROOM;
    add_e820(b, 0, BOOT_EBDA, E820_RAM);
    add_e820(b, BOOT_EBDA, 0xa0000, E820_RESERVED);
    add_e820(b, 0xf0000, 0x100000, E820_RESERVED);
    add_e820(b, 0x100000, acpi, E820_RAM);
    add_e820(b, acpi, b->info.below_4g, E820_ACPI);
    add_e820(b, 0xfffc0000, 0x100000000, E820_RESERVED);
    add_e820(b, 0x100000000, 0x100000000 + b->info.above_4g, E820_RAM);
}

static bool place_acpi(X86Boot *b, GError **err)
{
    uint64_t base = b->info.below_4g - BOOT_ACPI_ROOM;
    if (!b->info.acpi)
        return true;
    g_autoptr(GBytes) tables = b->info.acpi(b->m, base, &b->rsdp);
    gsize len = g_bytes_get_size(tables);
    g_assert(len <= BOOT_ACPI_ROOM);
    return boot_place(b, "ACPI tables", base, tables, 0, len, len, err);
}

static bool load(X86Boot *b, GError **err)
{
    static BootLoader *const loaders[] = { boot_linux, boot_multiboot, boot_pvh, boot_elf };
    const MachineConfig *cfg = b->m->cfg;
    g_autoptr(GBytes) kernel = boot_file(cfg->kernel, err);
    if (!kernel)
        return false;
    if (b->info.below_4g < (4 << 20)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-kernel needs at least 4 MiB of memory; use a larger -m");
        return false;
    }
    build_e820(b);
    if (!place_acpi(b, err))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(loaders); i++) {
        BootResult r = loaders[i](b, kernel, err);
        if (r == BOOT_FAILED)
            return false;
        if (r == BOOT_OK)
            return !b->strings->len || boot_place_copy(b, "command line", BOOT_STRINGS, b->strings->data, b->strings->len, err);
    }
    g_set_error(err, RHEA_ERROR, ERR_RUN,
                "%s: not a kernel that can be started (%" G_GSIZE_FORMAT " bytes); accepted are a Linux bzImage, Multiboot, PVH and 32-bit ELF",
                cfg->kernel, g_bytes_get_size(kernel));
    return false;
}

X86Boot *x86_boot_load(Machine *m, const X86BootInfo *info, GError **err)
{
    X86Boot *b = g_new0(X86Boot, 1);
    b->m = m;
    b->info = *info;
    b->pieces = g_array_new(FALSE, FALSE, sizeof(BootPiece));
    g_array_set_clear_func(b->pieces, piece_clear);
    b->strings = g_byte_array_new();
    if (load(b, err))
        return b;
    x86_boot_free(b);
    return NULL;
}

void x86_boot_free(X86Boot *b)
{
    if (!b)
        return;
    g_array_free(b->pieces, TRUE);
    g_byte_array_free(b->strings, TRUE);
    g_free(b);
}

/* ---- start ---- */

static void flat_segment(X86Seg *s, uint16_t sel, uint32_t high)
{
    *s = (X86Seg){ .base = 0, .limit = 0xffffffff, .attr = high & 0x00f0ff00, .sel = sel };
}

void x86_boot_reset(X86Boot *b)
{
    static const uint64_t gdt[] = { 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    static const uint8_t zero[4096];
    as_write(b->m->mem, BOOT_GDT, gdt, sizeof gdt);
    for (unsigned i = 0; i < b->pieces->len; i++) {
        const BootPiece *p = &g_array_index(b->pieces, BootPiece, i);
        as_write(b->m->mem, p->gpa, (const char *)g_bytes_get_data(p->data, NULL) + p->offset, p->length);
        for (uint64_t at = p->length, n; at < p->size; at += n)
            as_write(b->m->mem, p->gpa + at, zero, n = MIN(p->size - at, sizeof zero));
    }
    X86Cpu *c = x86_of(b->m->cpus->cpu[0]);
    flat_segment(&c->seg[SEG_CS], 0x10, 0x00cf9b00);
    static const uint8_t data[] = { SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS };
    for (unsigned i = 0; i < sizeof data; i++)
        flat_segment(&c->seg[data[i]], 0x18, 0x00cf9300);
    c->gdt_base = BOOT_GDT;
    c->gdt_limit = sizeof gdt - 1;
    c->idt_limit = 0;
    c->cr0 = CR0_PE | CR0_ET;
    X86R(c, X86_RIP) = b->eip;
    X86R(c, X86_RAX) = b->eax;
    X86R(c, X86_RBX) = b->ebx;
    X86R(c, X86_RSI) = b->esi;
    X86R(c, X86_RSP) = BOOT_INFO;
    /* as firmware leaves them: RAM write-back, the PCI hole uncached */
    c->mtrr_def = 0xc06;
    for (unsigned i = 0; i < ARRAY_LEN(c->mtrr_fixed); i++)
        c->mtrr_fixed[i] = 0x0606060606060606;
    c->mtrr_var[0][0] = 0xe0000000;
    c->mtrr_var[0][1] = 0xffe0000800;
    x86_update_mode(c);
    tlb_flush(&c->vcpu);
}
