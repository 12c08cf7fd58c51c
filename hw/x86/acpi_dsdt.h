/* The PC's differentiated system description. */
#ifndef RHEA_HW_ACPI_DSDT_H
#define RHEA_HW_ACPI_DSDT_H

#include "hw/x86/acpi_tables.h"
#include "hw/x86/aml.h"

void acpi_dsdt(Aml *a, const AcpiConfig *c);             /* the definition block after the table header */

#endif
