/* Intel 82371SB (PIIX3), function 0: the PCI-to-ISA bridge.
 * Source: PIIX3 datasheet (290550), sections 2.2 (PCI registers), 2.5.9 (RCR).
 *
 * Modelled: PIRQRC[A:D] routing of the four PCI interrupts to ISA IRQs, and
 * the reset control register.  Functions 1 (IDE) and 3 (power management, as
 * in the PIIX4) are devices of their own; the edge/level register ELCR is with
 * the interrupt controllers.
 * Left out: ISA timing, chip selects, APIC base relocation (registers hold
 * what is written). */
#include "hw/x86/piix3.h"

#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"

enum { PIRQRCA = 0x60, PIRQS = 4, PIRQ_OFF = 0x80, PIRQ_IRQ = 0x0f };
enum { RCR_SRST = 2, RCR_RCPU = 4 };
/* IRQ0, 1, 2, 8 and 13 are reserved to the board's own parts. */
enum { ROUTABLE = 0xdef8 };

typedef struct Piix3 {
    PciDev pci;
    uint8_t pirq_level[PIRQS];
    uint8_t rcr;
} Piix3;

/* The ISA IRQ a PIRQ is routed to, -1: none. */
static int pirq_irq(const Piix3 *s, unsigned pirq)
{
    uint8_t r = s->pci.config[PIRQRCA + pirq];
    return r & PIRQ_OFF || !(ROUTABLE >> (r & PIRQ_IRQ) & 1) ? -1 : r & PIRQ_IRQ;
}

static void update_irq(Piix3 *s, int irq)
{
    int level = 0;
    if (irq < 0)
        return;
    for (unsigned i = 0; i < PIRQS; i++)
        level |= pirq_irq(s, i) == irq && s->pirq_level[i];
    irq_set(&s->pci.dev.machine->isa_irq[irq], level);
}

void piix3_set_pirq(void *opaque, int pirq, int level)
{
    Piix3 *s = opaque;
    s->pirq_level[pirq] = (uint8_t)level;
    update_irq(s, pirq_irq(s, (unsigned)pirq));
}

/* The board's swizzle: slot 1 pin A is PIRQA, each next slot starts one line further. */
int piix3_map_irq(unsigned slot, unsigned pin) { return (int)((slot + pin - 1) & 3); }

static void piix3_config_write(PciDev *d, unsigned off, uint32_t val, unsigned size)
{
    Piix3 *s = (Piix3 *)d;
    int before[PIRQS];
    for (unsigned i = 0; i < PIRQS; i++)
        before[i] = pirq_irq(s, i);
    pci_default_write(d, off, val, size);
    for (unsigned i = 0; i < PIRQS; i++)
        if (pirq_irq(s, i) != before[i]) {
            update_irq(s, before[i]);
            update_irq(s, pirq_irq(s, i));
        }
}

uint8_t piix3_rcr_read(void *opaque) { return ((Piix3 *)opaque)->rcr; }

void piix3_rcr_write(void *opaque, uint8_t val)
{
    Piix3 *s = opaque;
    bool edge = val & RCR_RCPU && !(s->rcr & RCR_RCPU);
    s->rcr = val & (RCR_SRST | RCR_RCPU);
    if (edge)
        machine_request_reset(s->pci.dev.machine, "reset control register");
}

void piix3_route_default(Device *dev)
{
    static const uint8_t irq[PIRQS] = { 10, 10, 11, 11 };
    PciDev *d = (PciDev *)dev;
    for (unsigned i = 0; i < PIRQS; i++)
        piix3_config_write(d, PIRQRCA + i, irq[i], 1);
    for (unsigned fn = 0; fn < 256; fn++) {
        PciDev *p = pci_bus_find(d->bus, fn);
        if (p && p->config[PCI_INT_PIN])
            p->config[PCI_INT_LINE] = irq[piix3_map_irq(fn >> 3, p->config[PCI_INT_PIN] - 1u)];
    }
}

static bool piix3_pci_realize(PciDev *d, GError **err)
{
    (void)err;
    d->config[PCI_COMMAND] = PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER;
    d->wmask[PCI_COMMAND] = 0;
    d->wmask[PCI_COMMAND + 1] = 0x01;
    d->config[PCI_STATUS + 1] = 0x02;    /* medium DEVSEL */
    memset(d->wmask + 0x40, 0xff, 0x80);
    d->config[0x4c] = 0x4d;              /* IORT */
    d->config[0x4e] = 0x03;              /* XBCS */
    d->config[0x69] = 0x02;              /* TOM */
    memset(d->config + PIRQRCA, PIRQ_OFF, PIRQS);
    memset(d->wmask + PIRQRCA, PIRQ_OFF | PIRQ_IRQ, PIRQS);
    return true;
}

static const PciClass piix3_class = {
    .vendor = 0x8086, .device = 0x7000, .class_code = 0x060100, .multifunction = true,
    .realize = piix3_pci_realize, .config_write = piix3_config_write,
};

const DeviceType piix3_type = {
    .name = "PIIX3", .doc = "82371SB ISA bridge", .bus = BUS_PCI, .size = sizeof(Piix3), .version = 1, .internal = true,
    .fields = (const Field[]){ PCI_FIELDS(Piix3), REG_U8(Piix3, pirq_level, 0), REG_U8(Piix3, rcr, 0), FIELD_END },
    .realize = pci_dev_realize, .unrealize = pci_dev_unrealize, .reset = pci_dev_reset, .loaded = pci_dev_loaded,
    .cls = &piix3_class,
};
