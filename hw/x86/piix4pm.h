/* Power management of the PIIX4.  Under the machine lock. */
#ifndef RHEA_HW_PIIX4PM_H
#define RHEA_HW_PIIX4PM_H

#include "hw/pci/pci.h"

enum {                                   /* for the firmware tables */
    PM_BASE_DEFAULT = 0x600, PM1_EVT = 0x00, PM1_CNT = 0x04, PM_TMR = 0x08, GPE0 = 0x0c, SCI_IRQ = 9,
    SMI_CMD_PORT = 0xb2, ACPI_ENABLE_CMD = 0xf1, ACPI_DISABLE_CMD = 0xf0, PM_SLP_TYP_S5 = 0,
};

/* smi: called for a command on SMI_CMD_PORT while SMIs are in use; NULL: no SMM.  Before realize. */
void pm_connect(Device *d, IrqLine sci, void (*smi)(void *opaque), void *opaque);
void pm_power_button(Device *d);
/* Direct boot without firmware: PM ports at PM_BASE_DEFAULT, ACPI mode on. */
void pm_setup_default(Device *d);
uint16_t pm_base(const Device *d);       /* 0: not set up */

#endif
