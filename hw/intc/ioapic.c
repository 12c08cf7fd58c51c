/* Intel 82093AA I/O APIC.
 * Source: 82093AA datasheet (290566); version 20h adds the EOI register.
 *
 * A level-triggered entry that was accepted sets its Remote IRR and sends
 * nothing more until the EOI of its vector arrives; if the line is still high
 * then, it is sent again.  Polarity is not looked at: levels here are logical. */
#include "hw/intc/ioapic.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
enum { IOAPICID = 0x00, IOAPICVER = 0x01, IOAPICARB = 0x02, IOREDTBL = 0x10 };
enum { VERSION = 0x20, REGION_SIZE = 0x1000 };
/* redirection table entry */
enum { RTE_VECTOR = 0xff, RTE_DELMOD = 8, RTE_DESTMOD = 11, RTE_DEST = 56 };
#define RTE_DELIVS   BIT(12)
#define RTE_REMOTE   BIT(14)
#define RTE_LEVEL    BIT(15)
#define RTE_MASK     BIT(16)
#define RTE_READONLY (RTE_DELIVS | RTE_REMOTE)

typedef struct Ioapic {
    Device dev;
    ApicBus *bus;
    uint64_t redtbl[IOAPIC_PINS];
    uint32_t irr;                        /* edges not yet sent; for level pins the line itself */
    uint32_t lines;
    uint32_t id;
    uint8_t ioregsel;
} Ioapic;

static void eoi(void *opaque, uint8_t vector);

void ioapic_connect(Device *d, ApicBus *bus)
{
    ((Ioapic *)d)->bus = bus;
    apic_bus_set_eoi(bus, eoi, d);
}

/* Sends pin n if it asks and may. */
static void service(Ioapic *s, unsigned n)
{
    uint64_t e = s->redtbl[n];
    if (!(s->irr >> n & 1) || e & RTE_MASK || (e & RTE_LEVEL && e & RTE_REMOTE))
        return;
    bool level = e & RTE_LEVEL;
    ApicMsg m = { .dest = (uint8_t)(e >> RTE_DEST), .logical = e >> RTE_DESTMOD & 1, .mode = e >> RTE_DELMOD & 7,
                  .vector = e & RTE_VECTOR, .level = level };
    if (!level)
        s->irr &= ~(uint32_t)BIT(n);
    else
        s->redtbl[n] |= RTE_REMOTE;
    apic_deliver(s->bus, &m);
}

void ioapic_set_irq(void *ioapic, int pin, int level)
{
    Ioapic *s = ioapic;
    if (pin < 0 || pin >= IOAPIC_PINS)
        return;
    uint32_t bit = (uint32_t)BIT(pin), old = s->lines;
    s->lines = level ? old | bit : old & ~bit;
    if (s->redtbl[pin] & RTE_LEVEL)
        s->irr = (s->irr & ~bit) | (s->lines & bit);
    else if (s->lines & ~old && !(s->redtbl[pin] & RTE_MASK))
        s->irr |= bit;                   /* an edge on a masked pin is lost */
    service(s, (unsigned)pin);
}

static void eoi(void *opaque, uint8_t vector)
{
    Ioapic *s = opaque;
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        if ((s->redtbl[n] & RTE_VECTOR) == vector && s->redtbl[n] & RTE_REMOTE) {
            s->redtbl[n] &= ~RTE_REMOTE;
            service(s, n);
        }
}

static void write_entry(Ioapic *s, unsigned reg, uint32_t v)
{
    unsigned n = reg / 2;
    uint64_t *e = &s->redtbl[n], old = *e;
    uint64_t val = reg & 1 ? (old & 0xffffffff) | (uint64_t)v << 32 : (old & ~(uint64_t)0xffffffff) | v;
    *e = (val & ~RTE_READONLY & 0xff0000000001ffffull) | (old & RTE_READONLY);
    if (!(*e & RTE_LEVEL))
        *e &= ~RTE_REMOTE;               /* how drivers clear a stuck Remote IRR */
    if (*e & RTE_LEVEL)
        s->irr = (s->irr & ~(uint32_t)BIT(n)) | (s->lines & (uint32_t)BIT(n));
    service(s, n);
}

static uint32_t reg_read(const Ioapic *s)
{
    unsigned r = s->ioregsel;
    if (r == IOAPICID || r == IOAPICARB)
        return s->id;
    if (r == IOAPICVER)
        return (IOAPIC_PINS - 1) << 16 | VERSION;
    if (r >= IOREDTBL && r < IOREDTBL + 2 * IOAPIC_PINS)
        return (uint32_t)(s->redtbl[(r - IOREDTBL) / 2] >> (r & 1 ? 32 : 0));
    return 0;
}

static void reg_write(Ioapic *s, uint32_t v)
{
    unsigned r = s->ioregsel;
    if (r == IOAPICID)
        s->id = v & 0x0f000000;
    else if (r >= IOREDTBL && r < IOREDTBL + 2 * IOAPIC_PINS)
        write_entry(s, r - IOREDTBL, v);
}

static uint64_t ioapic_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    Ioapic *s = opaque;
    return at == IOREGSEL ? s->ioregsel : at == IOWIN ? reg_read(s) : 0;
}

static void ioapic_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Ioapic *s = opaque;
    if (at == IOREGSEL)
        s->ioregsel = (uint8_t)v;
    else if (at == IOWIN)
        reg_write(s, (uint32_t)v);
    else if (at == IOEOI)
        eoi(s, (uint8_t)v);
}

void ioapic_print(const Device *d, GString *out)
{
    const Ioapic *s = (const Ioapic *)d;
    g_string_append_printf(out, "ioapic: id %u, select %02x, irr %06x, lines %06x\n", s->id >> 24, s->ioregsel, s->irr, s->lines);
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        g_string_append_printf(out, "  pin %2u %016" G_GINT64_MODIFIER "x vector %02x dest %02x%s%s%s%s\n", n, s->redtbl[n],
                               (unsigned)(s->redtbl[n] & RTE_VECTOR), (unsigned)(s->redtbl[n] >> RTE_DEST),
                               s->redtbl[n] & BIT(RTE_DESTMOD) ? " logical" : "", s->redtbl[n] & RTE_LEVEL ? " level" : " edge",
                               s->redtbl[n] & RTE_MASK ? " masked" : "", s->redtbl[n] & RTE_REMOTE ? " remote-irr" : "");
}

static const MemOps ioapic_ops = { .read = ioapic_read, .write = ioapic_write, .min_size = 4, .max_size = 4 };

static bool ioapic_realize(Device *d, GError **err)
{
    (void)err;
    dev_mmio(d, "ioapic", IOAPIC_BASE, REGION_SIZE, &ioapic_ops);
    return true;
}

const DeviceType ioapic_type = {
    .name = "ioapic", .doc = "82093AA I/O interrupt controller", .bus = BUS_SYSTEM, .size = sizeof(Ioapic), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Ioapic), LINK(Ioapic, bus), REG_U64(Ioapic, redtbl, RTE_MASK), REG_U32(Ioapic, irr, 0),
        REG_U32(Ioapic, lines, 0), REG_U32(Ioapic, id, 0), REG_U8(Ioapic, ioregsel, 0), FIELD_END },
    .realize = ioapic_realize,
};
