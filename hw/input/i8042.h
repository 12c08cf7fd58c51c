/* Keyboard controller with a PS/2 keyboard and mouse behind it. */
#ifndef RHEA_HW_I8042_H
#define RHEA_HW_I8042_H

#include "hw/core/device.h"

/* Makes, wires and realizes.  kbd: IRQ 1, aux: IRQ 12; a20 is told 1 (open) or 0 (masked) when the guest writes the
 * output port, and 1 at reset.  The reset line asks the machine itself. */
Device *i8042_new(Machine *m, IrqLine kbd, IrqLine aux, IrqLine a20, GError **err);

#endif
