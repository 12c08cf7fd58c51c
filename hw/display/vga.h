/* Standard VGA with the Bochs VBE extensions (PCI 1234:1111). */
#ifndef RHEA_HW_VGA_H
#define RHEA_HW_VGA_H

#include "hw/core/device.h"

/* The DeviceType is "VGA" (c_name vga_pci).  Realizing it adds the legacy window to machine->mem_root at 0xa0000
 * (128 KiB, priority 1: above RAM; a board puts SMRAM above it) and ports 3b0-3df, 1ce-1d0 to machine->io_root.
 * The option ROM comes through PciClass.romfile. */

#endif
