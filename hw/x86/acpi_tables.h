/* ACPI tables of the PC. */
#ifndef RHEA_HW_ACPI_TABLES_H
#define RHEA_HW_ACPI_TABLES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct AcpiConfig {
    unsigned cpus;
    bool hpet;
    uint16_t pm_base;
    uint64_t pci_hole, pci_hole_end;     /* PCI memory below 4 GiB */
} AcpiConfig;

/* For firmware: the tables, the root pointer and the commands that link them, as three fw_cfg files.  Of the same sizes for
 * the same cpus and hpet. */
typedef struct AcpiFiles { GByteArray *tables, *rsdp, *loader; } AcpiFiles;
AcpiFiles acpi_build_files(const AcpiConfig *c);
void acpi_files_clear(AcpiFiles *f);
/* For a boot without firmware: everything linked to lie at `base`; *rsdp is the address of the root pointer. */
GBytes *acpi_build_linked(const AcpiConfig *c, uint64_t base, uint64_t *rsdp);

#endif
