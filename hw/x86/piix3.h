/* The 82371SB's ISA bridge as its board wires it. */
#ifndef RHEA_HW_PIIX3_H
#define RHEA_HW_PIIX3_H

#include "hw/pci/pci.h"

/* For pci_bus_new: opaque is the bridge; lines are PIRQA..D. */
void piix3_set_pirq(void *opaque, int pirq, int level);
int piix3_map_irq(unsigned slot, unsigned pin);
/* RCR at port CF9, inside the host bridge's CONFADD dword; opaque is the bridge. */
uint8_t piix3_rcr_read(void *opaque);
void piix3_rcr_write(void *opaque, uint8_t val);
/* Direct boot without firmware: routes PIRQA..D as firmware would and writes each function's interrupt line. */
void piix3_route_default(Device *d);

#endif
