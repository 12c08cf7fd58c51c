/* The ISA serial card: a 16550A at one of the PC's four customary places
 * (COM1..COM4), or where iobase= and irq= say. */
#include "hw/char/serial.h"

#include "hw/core/machine.h"
#include "util/bits.h"

typedef struct IsaSerial {
    Device dev;
    uint32_t index;                      /* UINT32_MAX: the next free one */
    uint32_t iobase, irq;                /* 0: by index */
    char *chardev;
    Serial s;
} IsaSerial;

static const struct { uint16_t iobase; uint8_t irq; } com[4] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };


extern const DeviceType isa_serial_type;

static uint32_t next_index(Machine *m)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < m->devices->len; i++) {
        const IsaSerial *o = g_ptr_array_index(m->devices, i);
        if (o->dev.type == &isa_serial_type && o->index >= n)
            n = o->index + 1;
    }
    return n;
}

static bool isa_serial_place(IsaSerial *d, GError **err)
{
    if (d->index == UINT32_MAX)
        d->index = next_index(d->dev.machine);
    if (d->index >= ARRAY_LEN(com) && (!d->iobase || !d->irq)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE,
                    "isa-serial: index=%u has no customary place (0..3 have); give iobase= and irq=", d->index);
        return false;
    }
    if (!d->iobase)
        d->iobase = com[d->index].iobase;
    if (!d->irq)
        d->irq = com[d->index].irq;
    if (d->iobase > 0xfff8 || d->irq > 15) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "isa-serial: iobase=0x%x irq=%u: ports end at 0xffff, interrupts at 15",
                    d->iobase, d->irq);
        return false;
    }
    return true;
}

static bool isa_serial_realize(Device *dev, GError **err)
{
    IsaSerial *d = (IsaSerial *)dev;
    if (!isa_serial_place(d, err))
        return false;
    if (!d->s.chr && d->chardev && !(d->s.chr = chr_find(d->chardev))) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "isa-serial: no chardev '%s' (make one with -chardev ...,id=%s)",
                    d->chardev, d->chardev);
        return false;
    }
    if (!d->s.irq.fn)
        d->s.irq = dev->machine->isa_irq[d->irq];
    serial_init(&d->s, dev->machine->clock);
    MemRegion *io = mem_io_new("serial", 8, &serial_ops, &d->s);
    mem_add(dev->machine->io_root, d->iobase, io, 1);
    dev->regions = g_slist_prepend(dev->regions, io);
    return true;
}

static void isa_serial_unrealize(Device *dev)
{
    serial_fini(&((IsaSerial *)dev)->s);
}

static void isa_serial_reset(Device *dev) { serial_reset(&((IsaSerial *)dev)->s); }
static void isa_serial_loaded(Device *dev) { serial_loaded(&((IsaSerial *)dev)->s); }

const DeviceType isa_serial_type = {
    .name = "isa-serial", .doc = "16550A serial port", .bus = BUS_ISA, .size = sizeof(IsaSerial), .version = 1,
    .fields = (const Field[]) {
        DEVICE_BASE(IsaSerial),
        PROP_U32(IsaSerial, index, UINT32_MAX), PROP_U32(IsaSerial, iobase, 0), PROP_U32(IsaSerial, irq, 0),
        PROP_STR(IsaSerial, chardev, NULL),
        SERIAL_ROWS(IsaSerial, s),
        FIELD_END },
    .realize = isa_serial_realize, .unrealize = isa_serial_unrealize, .reset = isa_serial_reset, .loaded = isa_serial_loaded,
};

Device *isa_serial_new(Machine *m, unsigned index, IrqLine irq, Chardev *chr, GError **err)
{
    IsaSerial *d = (IsaSerial *)dev_new(m, &isa_serial_type);
    d->index = index;
    d->s.irq = irq;
    d->s.chr = chr;
    if (dev_realize(&d->dev, err))
        return &d->dev;
    dev_free(&d->dev);
    return NULL;
}
