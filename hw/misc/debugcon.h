/* Debug ports. */
#ifndef RHEA_HW_DEBUGCON_H
#define RHEA_HW_DEBUGCON_H

#include "hw/core/device.h"
#include "ui/chardev.h"

void debugcon_set_chardev(Device *d, Chardev *chr);      /* before realize */

#endif
