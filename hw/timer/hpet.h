/* The high precision event timer.  Under the machine lock. */
#ifndef RHEA_HW_HPET_H
#define RHEA_HW_HPET_H

#include "hw/core/device.h"

enum { HPET_BASE = 0xfed00000, HPET_ID = 0x8086a201 };

/* gsi: its fn is called with the global interrupt number to drive (0 and 8: the legacy lines); before realize. */
void hpet_connect(Device *d, IrqLine gsi);
/* IrqLine inputs: the 8254's OUT 0 (n = 0) and the RTC's interrupt (n = 8); passed on unless legacy replacement is on. */
void hpet_legacy_in(void *hpet, int n, int level);

#endif
