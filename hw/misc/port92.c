/* System control port A (92h): fast A20 and fast reset.
 * Source: PIIX3 datasheet 2.5.5; IBM PS/2 technical reference. */
#include "hw/core/device.h"
#include "hw/core/machine.h"

enum { FAST_INIT = 1, FAST_A20 = 2 };

typedef struct Port92 {
    Device dev;
    uint8_t value;
} Port92;

static void update_a20(Device *d)
{
    Machine *m = d->machine;
    if (m->set_a20)
        m->set_a20(m, A20_PORT92, ((Port92 *)d)->value & FAST_A20);
}

static uint64_t port92_read(void *opaque, uint64_t at, unsigned size)
{
    (void)at, (void)size;
    return ((Port92 *)opaque)->value;
}

static void port92_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)at, (void)size;
    Port92 *s = opaque;
    bool reset = v & FAST_INIT && !(s->value & FAST_INIT);
    s->value = (uint8_t)v;
    update_a20(&s->dev);
    if (reset)
        machine_request_reset(s->dev.machine, "port 92h");
}

static const MemOps port92_ops = { .read = port92_read, .write = port92_write, .max_size = 1 };

static bool port92_realize(Device *d, GError **err)
{
    (void)err;
    dev_ports(d, "port92", 0x92, 1, &port92_ops);
    return true;
}

const DeviceType port92_type = {
    .name = "port92", .doc = "system control port: A20 gate, fast reset", .bus = BUS_SYSTEM, .size = sizeof(Port92),
    .version = 1, .internal = true,
    .fields = (const Field[]){ DEVICE_BASE(Port92), REG_U8(Port92, value, 0), FIELD_END },
    .realize = port92_realize, .reset = update_a20, .loaded = update_a20,
};
