/* Floppy controller (82078) on the ISA bus, with up to two drives. */
#ifndef RHEA_HW_FDC_H
#define RHEA_HW_FDC_H

#include "block/block.h"
#include "hw/core/device.h"
#include "hw/misc/i8237.h"

/* Makes, wires and realizes an "isa-fdc" at ports 3f0-3f7, DMA channel 2.  blk[n]: borrowed; NULL: an empty drive. */
Device *fdc_new(Machine *m, IrqLine irq6, IsaDma *dma, BlockDev *blk[2], GError **err);
/* Drive type as the CMOS byte 0x10 has it: 0 none, 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
unsigned fdc_drive_type(const Device *fdc, unsigned n);
/* NULL ejects. */
bool fdc_change(Device *fdc, unsigned n, BlockDev *blk, GError **err);

#endif
