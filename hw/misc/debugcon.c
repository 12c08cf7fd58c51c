/* Debug console: a byte written to the port goes to a character device, a read
 * returns `readback` (the convention of Bochs's port E9h and of SeaBIOS's
 * port 402h). */
#include "hw/misc/debugcon.h"

#include "hw/core/machine.h"

typedef struct Debugcon {
    Device dev;
    Chardev *chr;
    char *chardev;
    uint32_t iobase, readback;
} Debugcon;

void debugcon_set_chardev(Device *d, Chardev *chr) { ((Debugcon *)d)->chr = chr; }

static uint64_t debugcon_read(void *opaque, uint64_t at, unsigned size)
{
    (void)at, (void)size;
    return (uint8_t)((Debugcon *)opaque)->readback;
}

static void debugcon_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)at, (void)size;
    Debugcon *s = opaque;
    uint8_t b = (uint8_t)v;
    if (s->chr)
        chr_write(s->chr, &b, 1);
}

static const MemOps debugcon_ops = { .read = debugcon_read, .write = debugcon_write, .max_size = 1 };

static bool debugcon_realize(Device *d, GError **err)
{
    Debugcon *s = (Debugcon *)d;
    if (s->chardev && !(s->chr = chr_find(s->chardev))) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "isa-debugcon.chardev: there is no -chardev with id '%s'", s->chardev);
        return false;
    }
    if (s->iobase > 0xffff) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "isa-debugcon.iobase: %#x is not a port (0 to 0xffff)", s->iobase);
        return false;
    }
    dev_ports(d, "debugcon", (uint16_t)s->iobase, 1, &debugcon_ops);
    return true;
}

const DeviceType isa_debugcon_type = {
    .name = "isa-debugcon", .doc = "debug console port", .bus = BUS_ISA, .size = sizeof(Debugcon), .version = 1,
    .fields = (const Field[]){
        DEVICE_BASE(Debugcon), LINK(Debugcon, chr), PROP_STR(Debugcon, chardev, NULL), PROP_U32(Debugcon, iobase, 0xe9),
        PROP_U32(Debugcon, readback, 0xe9), FIELD_END },
    .realize = debugcon_realize,
};
