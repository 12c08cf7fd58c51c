/* The PC's interval timer.  Under the machine lock. */
#ifndef RHEA_HW_I8254_H
#define RHEA_HW_I8254_H

#include "hw/core/device.h"

void pit_connect(Device *d, IrqLine out0);               /* OUT of counter 0; before realize */

#endif
