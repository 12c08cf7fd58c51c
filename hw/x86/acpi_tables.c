/* ACPI tables of the PC: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, WAET, DSDT.
 * Source: ACPI specification 6.4, chapter 5; IA-PC HPET specification 1.0a,
 * 3.2.4; "Windows ACPI Emulated Devices Table" for WAET.
 *
 * Tables are built with pointers relative to the start of the blob, and a list
 * of fix-ups: pointers to move by the blob's address, checksums to compute
 * then.  The list becomes either commands for the firmware's linker (fw_cfg
 * file etc/table-loader) or is carried out here. */
#include "hw/x86/acpi_tables.h"

#include <string.h>

#include "hw/intc/apic.h"
#include "hw/intc/ioapic.h"
#include "hw/timer/hpet.h"
#include "hw/timer/mc146818rtc.h"
#include "hw/x86/acpi_dsdt.h"
#include "hw/x86/piix4pm.h"
#include "util/ldst.h"

enum { FACS_SIZE = 64, FADT_SIZE = 244, RSDP_SIZE = 36, RSDP_V1 = 20, MAX_TABLES = 8 };

typedef struct Fixup {
    bool in_rsdp;
    unsigned size;                       /* pointer: its bytes; 0: checksum over [start, start+len) */
    unsigned at, start, len;
} Fixup;

typedef struct Build {
    GByteArray *t, *rsdp;
    GArray *fixups;
    unsigned table[MAX_TABLES], n;       /* what RSDT and XSDT list */
    unsigned facs, dsdt, rsdt, xsdt;
} Build;

/* ---- pieces ---- */

static void put(GByteArray *a, uint64_t v, unsigned size)
{
    uint8_t b[8];
    st_le64(b, v);
    g_byte_array_append(a, b, size);
}

static void pointer(Build *b, bool in_rsdp, unsigned at, unsigned size)
{
    Fixup f = { .in_rsdp = in_rsdp, .at = at, .size = size };
    g_array_append_val(b->fixups, f);
}

static void checksum(Build *b, bool in_rsdp, unsigned at, unsigned start, unsigned len)
{
    Fixup f = { .in_rsdp = in_rsdp, .at = at, .start = start, .len = len };
    g_array_append_val(b->fixups, f);
}

static void pointer_here(Build *b, unsigned to, unsigned size)
{
    pointer(b, false, b->t->len, size);
    put(b->t, to, size);
}

static unsigned table_open(Build *b, const char *sig, unsigned revision)
{
    while (b->t->len % 16)
        put(b->t, 0, 1);
    unsigned at = b->t->len;
    g_byte_array_append(b->t, (const guint8 *)sig, 4);
    put(b->t, 0, 4);                     /* length */
    put(b->t, revision, 1);
    put(b->t, 0, 1);                     /* checksum */
    g_byte_array_append(b->t, (const guint8 *)"RHEA  RHEAPC  ", 14);
    put(b->t, 1, 4);
    g_byte_array_append(b->t, (const guint8 *)"RHEA", 4);
    put(b->t, 1, 4);
    return at;
}

static void table_close(Build *b, unsigned at)
{
    unsigned len = b->t->len - at;
    st_le32(b->t->data + at + 4, len);
    checksum(b, false, at + 9, at, len);
}

static void table_list(Build *b, unsigned at)
{
    g_assert(b->n < MAX_TABLES);
    b->table[b->n++] = at;
}

/* Generic address structure */
static void gas(Build *b, unsigned space, unsigned bits, uint64_t addr)
{
    put(b->t, space, 1);
    put(b->t, addr ? bits : 0, 1);
    put(b->t, 0, 2);
    put(b->t, addr, 8);
}

/* ---- tables ---- */

static void build_facs(Build *b)
{
    b->facs = b->t->len;
    g_byte_array_append(b->t, (const guint8 *)"FACS", 4);
    put(b->t, FACS_SIZE, 4);
    while (b->t->len < b->facs + FACS_SIZE)
        put(b->t, 0, 1);
}

static void build_dsdt(Build *b, const AcpiConfig *c)
{
    b->dsdt = table_open(b, "DSDT", 1);
    acpi_dsdt(b->t, c);
    table_close(b, b->dsdt);
}

static void fadt_blocks(Build *b, uint16_t pm)
{
    put(b->t, pm + PM1_EVT, 4);
    put(b->t, 0, 4);
    put(b->t, pm + PM1_CNT, 4);
    put(b->t, 0, 4);
    put(b->t, 0, 4);                     /* PM2 */
    put(b->t, pm + PM_TMR, 4);
    put(b->t, pm + GPE0, 4);
    put(b->t, 0, 4);
    static const uint8_t lengths[] = { 4 /* PM1_EVT */, 2 /* PM1_CNT */, 0, 4 /* PM_TMR */, 4 /* GPE0 */, 0, 0, 0 };
    g_byte_array_append(b->t, lengths, sizeof lengths);
}

static void fadt_gas_blocks(Build *b, uint16_t pm)
{
    enum { IO = 1 };
    gas(b, IO, 32, pm + PM1_EVT);
    gas(b, IO, 0, 0);
    gas(b, IO, 16, pm + PM1_CNT);
    gas(b, IO, 0, 0);
    gas(b, IO, 0, 0);
    gas(b, IO, 32, pm + PM_TMR);
    gas(b, IO, 32, pm + GPE0);
    gas(b, IO, 0, 0);
}

static void build_fadt(Build *b, const AcpiConfig *c)
{
    enum { LEGACY_DEVICES = 1, KBC_8042 = 2 };
    enum { WBINVD = 1, PROC_C1 = 4, SLP_BUTTON = 0x20, FIX_RTC = 0x40, RESET_REG_SUP = 0x400 };
    unsigned at = table_open(b, "FACP", 3);
    pointer_here(b, b->facs, 4);
    pointer_here(b, b->dsdt, 4);
    put(b->t, 1, 1);                     /* multiple APIC */
    put(b->t, 0, 1);
    put(b->t, SCI_IRQ, 2);
    put(b->t, SMI_CMD_PORT, 4);
    put(b->t, ACPI_ENABLE_CMD, 1);
    put(b->t, ACPI_DISABLE_CMD, 1);
    put(b->t, 0, 2);
    fadt_blocks(b, c->pm_base);
    put(b->t, 0xfff, 2);                 /* no C2, C3 */
    put(b->t, 0xfff, 2);
    put(b->t, 0, 6);                     /* flush size and stride, duty */
    put(b->t, 0, 2);                     /* day and month alarm */
    put(b->t, CMOS_CENTURY, 1);
    put(b->t, LEGACY_DEVICES | KBC_8042, 2);
    put(b->t, 0, 1);
    put(b->t, WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | RESET_REG_SUP, 4);
    gas(b, 1, 8, 0xcf9);
    put(b->t, 0x06, 1);                  /* reset value */
    put(b->t, 0, 3);
    put(b->t, 0, 8);                     /* X_FIRMWARE_CTRL: the 32-bit one counts */
    pointer_here(b, b->dsdt, 8);
    fadt_gas_blocks(b, c->pm_base);
    g_assert(b->t->len - at == FADT_SIZE);
    table_close(b, at);
    table_list(b, at);
}

static void irq_override(Build *b, unsigned irq, unsigned gsi, unsigned flags)
{
    put(b->t, 2, 1);
    put(b->t, 10, 1);
    put(b->t, 0, 1);
    put(b->t, irq, 1);
    put(b->t, gsi, 4);
    put(b->t, flags, 2);
}

static void build_madt(Build *b, const AcpiConfig *c)
{
    enum { PCAT_COMPAT = 1, ENABLED = 1, LEVEL_HIGH = 0xd };
    static const uint8_t level[] = { 5, SCI_IRQ, 10, 11 };
    unsigned at = table_open(b, "APIC", 1);
    put(b->t, APIC_DEFAULT_BASE, 4);
    put(b->t, PCAT_COMPAT, 4);
    for (unsigned i = 0; i < c->cpus; i++) {
        put(b->t, 0, 1);
        put(b->t, 8, 1);
        put(b->t, i, 1);                 /* processor id */
        put(b->t, i, 1);                 /* APIC id */
        put(b->t, ENABLED, 4);
    }
    put(b->t, 1, 1);                     /* I/O APIC */
    put(b->t, 12, 1);
    put(b->t, 0, 2);
    put(b->t, IOAPIC_BASE, 4);
    put(b->t, 0, 4);
    irq_override(b, 0, 2, 0);
    for (unsigned i = 0; i < sizeof level; i++)
        irq_override(b, level[i], level[i], LEVEL_HIGH);
    put(b->t, 4, 1);                     /* NMI: LINT1 of all */
    put(b->t, 6, 1);
    put(b->t, 0xff, 1);
    put(b->t, 0, 2);
    put(b->t, 1, 1);
    table_close(b, at);
    table_list(b, at);
}

static void build_hpet(Build *b)
{
    unsigned at = table_open(b, "HPET", 1);
    put(b->t, HPET_ID, 4);
    gas(b, 0, 0, HPET_BASE);
    put(b->t, 0, 1);
    put(b->t, 128, 2);                   /* minimum tick */
    put(b->t, 0, 1);
    table_close(b, at);
    table_list(b, at);
}

/* Tells Windows that the PM timer needs to be read once only. */
static void build_waet(Build *b)
{
    unsigned at = table_open(b, "WAET", 1);
    put(b->t, 2, 4);
    table_close(b, at);
    table_list(b, at);
}

static unsigned build_root(Build *b, const char *sig, unsigned size)
{
    unsigned at = table_open(b, sig, 1);
    for (unsigned i = 0; i < b->n; i++)
        pointer_here(b, b->table[i], size);
    table_close(b, at);
    return at;
}

static void build_rsdp(Build *b)
{
    enum { CHECKSUM = 8, RSDT = 16, XSDT = 24, EXT_CHECKSUM = 32 };
    GByteArray *r = b->rsdp;
    g_byte_array_append(r, (const guint8 *)"RSD PTR ", 8);
    put(r, 0, 1);
    g_byte_array_append(r, (const guint8 *)"RHEA  ", 6);
    put(r, 2, 1);
    put(r, b->rsdt, 4);
    put(r, RSDP_SIZE, 4);
    put(r, b->xsdt, 8);
    put(r, 0, 4);
    pointer(b, true, RSDT, 4);
    pointer(b, true, XSDT, 8);
    checksum(b, true, CHECKSUM, 0, RSDP_V1);
    checksum(b, true, EXT_CHECKSUM, 0, RSDP_SIZE);
}

static Build build(const AcpiConfig *c)
{
    Build b = { .t = g_byte_array_new(), .rsdp = g_byte_array_new(), .fixups = g_array_new(FALSE, FALSE, sizeof(Fixup)) };
    build_facs(&b);
    build_dsdt(&b, c);
    build_fadt(&b, c);
    build_madt(&b, c);
    if (c->hpet)
        build_hpet(&b);
    build_waet(&b);
    b.rsdt = build_root(&b, "RSDT", 4);
    b.xsdt = build_root(&b, "XSDT", 8);
    build_rsdp(&b);
    return b;
}

/* ---- for the firmware's linker ---- */

enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER, LOADER_ADD_CHECKSUM, LOADER_FILE = 56, LOADER_ENTRY = 128 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };

static const char tables_file[] = "etc/acpi/tables", rsdp_file[] = "etc/acpi/rsdp";

static void file_name(GByteArray *a, const char *name)
{
    char text[LOADER_FILE] = { 0 };
    g_strlcpy(text, name, sizeof text);
    g_byte_array_append(a, (const guint8 *)text, sizeof text);
}

static void entry_end(GByteArray *a)
{
    while (a->len % LOADER_ENTRY)
        put(a, 0, 1);
}

static void loader_allocate(GByteArray *a, const char *file, unsigned align, unsigned zone)
{
    put(a, LOADER_ALLOCATE, 4);
    file_name(a, file);
    put(a, align, 4);
    put(a, zone, 1);
    entry_end(a);
}

static void loader_fixup(GByteArray *a, const Fixup *f)
{
    const char *file = f->in_rsdp ? rsdp_file : tables_file;
    put(a, f->size ? LOADER_ADD_POINTER : LOADER_ADD_CHECKSUM, 4);
    file_name(a, file);
    if (f->size) {
        file_name(a, tables_file);
        put(a, f->at, 4);
        put(a, f->size, 1);
    } else {
        put(a, f->at, 4);
        put(a, f->start, 4);
        put(a, f->len, 4);
    }
    entry_end(a);
}

AcpiFiles acpi_build_files(const AcpiConfig *c)
{
    Build b = build(c);
    AcpiFiles f = { .tables = b.t, .rsdp = b.rsdp, .loader = g_byte_array_new() };
    loader_allocate(f.loader, tables_file, FACS_SIZE, ZONE_HIGH);
    loader_allocate(f.loader, rsdp_file, 16, ZONE_FSEG);
    for (guint i = 0; i < b.fixups->len; i++)
        loader_fixup(f.loader, &g_array_index(b.fixups, Fixup, i));
    g_array_unref(b.fixups);
    return f;
}

void acpi_files_clear(AcpiFiles *f)
{
    g_byte_array_unref(f->tables);
    g_byte_array_unref(f->rsdp);
    g_byte_array_unref(f->loader);
}

/* ---- linked here ---- */

static void apply(GByteArray *file, const Fixup *f, uint64_t base)
{
    uint8_t *p = file->data + f->at;
    if (f->size) {
        st_le(p, ld_le(p, f->size) + base, f->size);
        return;
    }
    uint8_t sum = 0;
    for (unsigned i = 0; i < f->len; i++)
        sum += file->data[f->start + i];
    *p -= sum;
}

GBytes *acpi_build_linked(const AcpiConfig *c, uint64_t base, uint64_t *rsdp)
{
    enum { RSDP_ROOM = 64 };             /* keeps the FACS aligned */
    Build b = build(c);
    for (guint i = 0; i < b.fixups->len; i++) {
        const Fixup *f = &g_array_index(b.fixups, Fixup, i);
        apply(f->in_rsdp ? b.rsdp : b.t, f, base + RSDP_ROOM);
    }
    g_byte_array_set_size(b.rsdp, RSDP_SIZE);
    while (b.rsdp->len < RSDP_ROOM)
        put(b.rsdp, 0, 1);
    g_byte_array_append(b.rsdp, b.t->data, b.t->len);
    g_byte_array_unref(b.t);
    g_array_unref(b.fixups);
    *rsdp = base;
    return g_byte_array_free_to_bytes(b.rsdp);
}
