/* The I/O APIC.  Under the machine lock. */
#ifndef RHEA_HW_IOAPIC_H
#define RHEA_HW_IOAPIC_H

#include "hw/intc/apic.h"

enum { IOAPIC_PINS = 24, IOAPIC_BASE = 0xfec00000 };

void ioapic_connect(Device *d, ApicBus *bus);            /* before realize */
void ioapic_set_irq(void *ioapic, int pin, int level);
void ioapic_print(const Device *d, GString *out);        /* info pic */

#endif
