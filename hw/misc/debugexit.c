/* Debug exit: a value v written to the port ends the program with exit status
 * (v << 1) | 1.  For test guests. */
#include "hw/core/device.h"
#include "hw/core/machine.h"

typedef struct DebugExit {
    Device dev;
    uint32_t iobase, iosize;
} DebugExit;

static uint64_t exit_read(void *opaque, uint64_t at, unsigned size)
{
    (void)opaque, (void)at, (void)size;
    return 0;
}

static void exit_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)at, (void)size;
    DebugExit *s = opaque;
    machine_request_shutdown(s->dev.machine, (int)((v << 1 | 1) & 0xff), "isa-debug-exit");
}

static const MemOps exit_ops = { .read = exit_read, .write = exit_write, .max_size = 4, .unaligned = true };

static bool exit_realize(Device *d, GError **err)
{
    DebugExit *s = (DebugExit *)d;
    if (s->iosize < 1 || s->iosize > 8 || s->iobase > 0x10000 - s->iosize) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "isa-debug-exit: iobase %#x with iosize %u is not a range of 1 to 8 ports",
                    s->iobase, s->iosize);
        return false;
    }
    dev_ports(d, "debug-exit", (uint16_t)s->iobase, s->iosize, &exit_ops);
    return true;
}

const DeviceType isa_debug_exit_type = {
    .name = "isa-debug-exit", .doc = "port that ends the program: status (value << 1) | 1", .bus = BUS_ISA,
    .size = sizeof(DebugExit), .version = 1,
    .fields = (const Field[]){
        DEVICE_BASE(DebugExit), PROP_U32(DebugExit, iobase, 0x501), PROP_U32(DebugExit, iosize, 2), FIELD_END },
    .realize = exit_realize,
};
