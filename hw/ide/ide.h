/* ATA channels and the drives on them. */
#ifndef RHEA_HW_IDE_H
#define RHEA_HW_IDE_H

#include "block/block.h"
#include "hw/core/device.h"

/* ---- for boards and the monitor ---- */

/* PCI 8086:7010: a "piix3-ide" at addr ("1.1"), realized.  irq14, irq15: the compatibility interrupts. */
Device *piix_ide_new(Machine *m, const char *addr, IrqLine irq14, IrqLine irq15, GError **err);
/* Puts an "ide-hd" or "ide-cd" on unit 0..3 (primary master, slave, secondary master, slave).  blk: borrowed; NULL is
 * an empty CD drive. */
Device *ide_drive_new(Device *controller, unsigned unit, BlockDev *blk, bool cdrom, GError **err);
/* The drive on a unit, or NULL. */
Device *ide_drive_peek(Device *controller, unsigned unit);
bool ide_drive_is_cd(const Device *drive);
/* What the BIOS's CMOS bytes want: logical geometry, and the translation to use (0 none, 1 LBA). */
void ide_drive_geometry(const Device *drive, unsigned *cyls, unsigned *heads, unsigned *secs, unsigned *translation);
/* Medium change of an "ide-cd": NULL ejects. False with err if the guest has locked the tray and !force. */
bool ide_cd_change(Device *drive, BlockDev *blk, bool force, GError **err);
BlockDev *ide_drive_blk_peek(const Device *drive);

#endif
