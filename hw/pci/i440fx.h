/* The 82441FX host bridge as its board wires it. */
#ifndef RHEA_HW_I440FX_H
#define RHEA_HW_I440FX_H

#include "hw/pci/pci.h"

typedef struct I440fxWiring {            /* all borrowed */
    MemRegion *system;                   /* where the shadow segments and the SMRAM window go */
    MemRegion *ram;                      /* RAM as seen from address 0 */
    MemRegion *pci_mem;                  /* PCI memory: what is behind a segment that is not RAM */
    /* RCR of the south bridge lies in the same dword as CONFADD */
    uint8_t (*rcr_read)(void *opaque);
    void (*rcr_write)(void *opaque, uint8_t val);
    void *opaque;
} I440fxWiring;

/* Before realize. */
void i440fx_connect(Device *d, const I440fxWiring *w);
/* The shadow segments. */
enum { I440FX_SHADOW_BASE = 0xc0000, I440FX_SHADOW_SIZE = 0x40000 };

#endif
