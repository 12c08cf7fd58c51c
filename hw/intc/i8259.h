/* The PC's pair of 8259A interrupt controllers.  Under the machine lock. */
#ifndef RHEA_HW_I8259_H
#define RHEA_HW_I8259_H

#include "hw/core/device.h"

void pic_connect(Device *d, IrqLine intr);               /* INT output of the master; before realize */
void pic_set_irq(void *pic, int irq, int level);         /* IRQ 0..15 (2 is the cascade) */
bool pic_pending(const Device *d);                       /* INT is high */
int pic_take(Device *d);                                 /* interrupt acknowledge: the vector */

#endif
