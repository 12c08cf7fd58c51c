/* DSDT of the PC: the PCI root with its interrupt links, and the ISA devices
 * that cannot be found otherwise.
 * Source: ACPI specification 6.4, chapters 6 (device configuration: _PRT, link
 * devices), 7.4.2.6 (_S5); PIIX3 datasheet 2.2.5 (PIRQRC). */
#include "hw/x86/acpi_dsdt.h"

#include "hw/timer/hpet.h"
#include "hw/x86/piix4pm.h"

enum { SLOTS = 32, PINS = 4, PCI_CONFIG_SPACE = 2, BYTE_ACC = 1, PIRQ_OFF = 0x80 };

static const char *const links[PINS] = { "LNKA", "LNKB", "LNKC", "LNKD" };
static const char *const pirq[PINS] = { "\\_SB.PCI0.ISA.PRQ0", "\\_SB.PCI0.ISA.PRQ1", "\\_SB.PCI0.ISA.PRQ2",
                                        "\\_SB.PCI0.ISA.PRQ3" };

static void soft_off(Aml *a)
{
    aml_op(a, AML_NAME);
    aml_name(a, "\\_S5");
    guint p = aml_open(a, AML_PACKAGE);
    aml_op(a, 4);                        /* number of elements */
    for (int i = 0; i < 4; i++)
        aml_int(a, PM_SLP_TYP_S5);
    aml_close(a, p);
}

/* ---- PCI root ---- */

static void root_resources(Aml *a, const AcpiConfig *c)
{
    AmlRes r = aml_res_open();
    aml_res_bus(&r, 0, 0xff);
    aml_res_io(&r, 0xcf8, 8);
    aml_res_io_window(&r, 0, 0xcf7);
    aml_res_io_window(&r, 0xd00, 0xffff);
    aml_res_mem_window(&r, 0xa0000, 0xbffff, true);
    aml_res_mem_window(&r, (uint32_t)c->pci_hole, (uint32_t)(c->pci_hole_end - 1), false);
    aml_op(a, AML_NAME);
    aml_name(a, "_CRS");
    aml_res_close(a, &r);
}

/* Slot and pin to link, as the board swizzles (piix3_map_irq). */
static void routing_table(Aml *a)
{
    aml_op(a, AML_NAME);
    aml_name(a, "_PRT");
    guint all = aml_open(a, AML_PACKAGE);
    aml_op(a, (SLOTS - 1) * PINS);
    for (unsigned slot = 1; slot < SLOTS; slot++)
        for (unsigned pin = 0; pin < PINS; pin++) {
            guint one = aml_open(a, AML_PACKAGE);
            aml_op(a, 4);
            aml_int(a, slot << 16 | 0xffff);
            aml_int(a, pin);
            aml_name(a, links[(slot + pin - 1) % PINS]);
            aml_int(a, 0);
            aml_close(a, one);
        }
    aml_close(a, all);
}

/* ---- interrupt links ---- */

static void link_status(Aml *a, unsigned n)
{
    guint m = aml_open_method(a, "_STA", 0, false);
    guint i = aml_open(a, AML_IF);
    aml_op(a, AML_AND);
    aml_name(a, pirq[n]);
    aml_int(a, PIRQ_OFF);
    aml_op(a, 0);                        /* no target */
    aml_op(a, AML_RETURN);
    aml_int(a, 0x09);                    /* present, disabled */
    aml_close(a, i);
    aml_op(a, AML_RETURN);
    aml_int(a, 0x0b);
    aml_close(a, m);
}

static void link_disable(Aml *a, unsigned n)
{
    guint m = aml_open_method(a, "_DIS", 0, false);
    aml_op(a, AML_OR);
    aml_name(a, pirq[n]);
    aml_int(a, PIRQ_OFF);
    aml_name(a, pirq[n]);
    aml_close(a, m);
}

/* CreateDWordField (buffer, 5, IRQV): the number inside an extended interrupt descriptor. */
static void irq_number_field(Aml *a)
{
    aml_int(a, 5);
    aml_name(a, "IRQV");
}

static void link_current(Aml *a, unsigned n)
{
    uint32_t zero = 0;
    guint m = aml_open_method(a, "_CRS", 0, true);
    AmlRes r = aml_res_open();
    aml_res_interrupts(&r, &zero, 1);
    aml_op(a, AML_NAME);
    aml_name(a, "BUF0");
    aml_res_close(a, &r);
    aml_op(a, AML_CREATE_DWORD_FIELD);
    aml_name(a, "BUF0");
    irq_number_field(a);
    guint i = aml_open(a, AML_IF);
    aml_op(a, AML_LLESS);
    aml_name(a, pirq[n]);
    aml_int(a, PIRQ_OFF);
    aml_op(a, AML_STORE);
    aml_name(a, pirq[n]);
    aml_name(a, "IRQV");
    aml_close(a, i);
    aml_op(a, AML_RETURN);
    aml_name(a, "BUF0");
    aml_close(a, m);
}

static void link_set(Aml *a, unsigned n)
{
    guint m = aml_open_method(a, "_SRS", 1, true);
    aml_op(a, AML_CREATE_DWORD_FIELD);
    aml_op(a, AML_ARG0);
    irq_number_field(a);
    aml_op(a, AML_STORE);
    aml_name(a, "IRQV");
    aml_name(a, pirq[n]);
    aml_close(a, m);
}

static void link_device(Aml *a, unsigned n)
{
    static const uint32_t possible[] = { 5, 10, 11 };
    guint d = aml_open_named(a, AML_DEVICE, links[n]);
    aml_name_eisaid(a, "_HID", "PNP0C0F");
    aml_name_int(a, "_UID", n);
    AmlRes r = aml_res_open();
    aml_res_interrupts(&r, possible, G_N_ELEMENTS(possible));
    aml_op(a, AML_NAME);
    aml_name(a, "_PRS");
    aml_res_close(a, &r);
    link_status(a, n);
    link_disable(a, n);
    link_current(a, n);
    link_set(a, n);
    aml_close(a, d);
}

/* ---- ISA ---- */

typedef struct IsaDevice {
    const char *name, *hid;
    struct { uint16_t base; uint8_t len; } io[3];
    int8_t irq, dma;                     /* -1: none */
    int8_t uid;
} IsaDevice;

static const IsaDevice isa_devices[] = {
    /* name    id         ports                                    irq dma uid */
    { "PIC",  "PNP0000", { { 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 } }, 2, -1, -1 },
    { "TIMR", "PNP0100", { { 0x40, 4 } },                            0, -1, -1 },
    { "DMAC", "PNP0200", { { 0x00, 16 }, { 0x81, 15 }, { 0xc0, 32 } }, -1, 4, -1 },
    { "KBD",  "PNP0303", { { 0x60, 1 }, { 0x64, 1 } },               1, -1, -1 },
    { "MOU",  "PNP0F13", { { 0 } },                                 12, -1, -1 },
    { "COM1", "PNP0501", { { 0x3f8, 8 } },                           4, -1, 1 },
    { "COM2", "PNP0501", { { 0x2f8, 8 } },                           3, -1, 2 },
    { "FDC0", "PNP0700", { { 0x3f2, 4 }, { 0x3f7, 1 } },             6,  2, -1 },
    { "SPKR", "PNP0800", { { 0x61, 1 } },                           -1, -1, -1 },
    { "RTC",  "PNP0B00", { { 0x70, 2 } },                            8, -1, -1 },
    { "COPR", "PNP0C04", { { 0xf0, 16 } },                          13, -1, -1 },
};

static void isa_device(Aml *a, const IsaDevice *v)
{
    guint d = aml_open_named(a, AML_DEVICE, v->name);
    aml_name_eisaid(a, "_HID", v->hid);
    if (v->uid >= 0)
        aml_name_int(a, "_UID", (uint64_t)v->uid);
    AmlRes r = aml_res_open();
    for (unsigned i = 0; i < G_N_ELEMENTS(v->io) && v->io[i].len; i++)
        aml_res_io(&r, v->io[i].base, v->io[i].len);
    if (v->irq >= 0)
        aml_res_irq(&r, (unsigned)v->irq);
    if (v->dma >= 0)
        aml_res_dma(&r, (unsigned)v->dma);
    aml_op(a, AML_NAME);
    aml_name(a, "_CRS");
    aml_res_close(a, &r);
    aml_close(a, d);
}

/* Ports of the chipset that belong to no other device. */
static void motherboard(Aml *a, const AcpiConfig *c)
{
    guint d = aml_open_named(a, AML_DEVICE, "MBRD");
    aml_name_eisaid(a, "_HID", "PNP0C02");
    AmlRes r = aml_res_open();
    aml_res_io(&r, 0x92, 1);
    aml_res_io(&r, SMI_CMD_PORT, 2);
    aml_res_io(&r, c->pm_base, 0x40);
    aml_op(a, AML_NAME);
    aml_name(a, "_CRS");
    aml_res_close(a, &r);
    aml_close(a, d);
}

static void isa_bridge(Aml *a, const AcpiConfig *c)
{
    static const char *const field[PINS] = { "PRQ0", "PRQ1", "PRQ2", "PRQ3" };
    guint d = aml_open_named(a, AML_DEVICE, "ISA");
    aml_name_int(a, "_ADR", 1 << 16);
    aml_op(a, AML_OP_REGION);
    aml_name(a, "PIRQ");
    aml_op(a, PCI_CONFIG_SPACE);
    aml_int(a, 0x60);
    aml_int(a, PINS);
    guint f = aml_open_named(a, AML_FIELD, "PIRQ");
    aml_op(a, BYTE_ACC);
    for (unsigned i = 0; i < PINS; i++)
        aml_field(a, field[i], 8);
    aml_close(a, f);
    for (unsigned i = 0; i < G_N_ELEMENTS(isa_devices); i++)
        isa_device(a, &isa_devices[i]);
    motherboard(a, c);
    aml_close(a, d);
}

/* ---- the rest of \_SB ---- */

static void hpet_device(Aml *a)
{
    guint d = aml_open_named(a, AML_DEVICE, "HPET");
    aml_name_eisaid(a, "_HID", "PNP0103");
    AmlRes r = aml_res_open();
    aml_res_mem32(&r, HPET_BASE, 0x400);
    aml_op(a, AML_NAME);
    aml_name(a, "_CRS");
    aml_res_close(a, &r);
    aml_close(a, d);
}

static void processor(Aml *a, unsigned n)
{
    char name[8];
    g_snprintf(name, sizeof name, "C%03X", n);
    guint p = aml_open_named(a, AML_PROCESSOR, name);
    aml_op(a, n);                        /* id, as in the MADT */
    for (int i = 0; i < 5; i++)
        aml_op(a, 0);                    /* no processor block */
    aml_close(a, p);
}

void acpi_dsdt(Aml *a, const AcpiConfig *c)
{
    soft_off(a);
    guint sb = aml_open_named(a, AML_SCOPE, "\\_SB");
    guint root = aml_open_named(a, AML_DEVICE, "PCI0");
    aml_name_eisaid(a, "_HID", "PNP0A03");
    aml_name_int(a, "_ADR", 0);
    aml_name_int(a, "_UID", 0);
    root_resources(a, c);
    routing_table(a);
    isa_bridge(a, c);
    aml_close(a, root);
    for (unsigned i = 0; i < PINS; i++)
        link_device(a, i);
    if (c->hpet)
        hpet_device(a);
    for (unsigned i = 0; i < c->cpus; i++)
        processor(a, i);
    aml_close(a, sb);
}
