/* The PC board's struct, shared by its files. */
#ifndef RHEA_HW_PC_H
#define RHEA_HW_PC_H

#include "hw/core/machine.h"
#include "hw/intc/apic.h"
#include "hw/pci/pci.h"
#include "hw/x86/boot.h"

#define PC_BELOW_4G_MAX 0xe0000000ull    /* RAM below 4 GiB ends here at most; the rest starts at 4 GiB */

typedef struct PcOpts { bool acpi, hpet, smm; } PcOpts;

typedef struct Pc {
    Machine *m;
    PcOpts opt;
    uint64_t below_4g, above_4g;
    MemRegion *ram, *low, *high;         /* backing, and where it shows */
    MemRegion *pci_mem, *hole;           /* PCI memory, and its place under RAM */
    MemRegion *bios, *isa_bios;
    MemRegion *ferr_clear;               /* port F0h */
    PciBus *pci;
    ApicBus *apics;
    Device *i440fx, *piix3, *pm, *pic, *ioapic, *rtc, *pit, *hpet, *fw_cfg, *dma, *kbc, *ide, *fdc;
    X86Boot *boot;                       /* direct kernel boot; NULL: firmware */
    unsigned a20;                        /* sources that say on, by A20Source */
} Pc;

/* pc_firmware.c */
bool pc_parse_opts(Pc *pc, GError **err);
bool pc_load_bios(Pc *pc, GError **err);
void pc_fill_cmos(Pc *pc);
bool pc_set_boot_order(Pc *pc, const char *order, GError **err);
bool pc_fill_fw_cfg(Pc *pc, GError **err);

#endif
