/* The empty machine: no CPU, no memory, no device.  Programs start it to ask
 * the emulator what it can do (-M none -S -nodefaults -qmp ...); tests of the
 * monitors use it. */
#include "hw/core/machine.h"

static bool none_build(Machine *m G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    return true;
}

const MachineType none_machine = {
    .name = "none", .doc = "empty machine", .arch = "x86", .max_cpus = 1, .default_ram = 0, .build = none_build,
};
