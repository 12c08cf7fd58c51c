/* PCI: config space, BARs, interrupt pins (PCI Local Bus 3.0).
 * A device type sets .cls to a PciClass; its struct begins with PciDev. */
#ifndef RHEA_HW_PCI_H
#define RHEA_HW_PCI_H

#include "hw/core/device.h"

typedef struct PciBus PciBus;

enum { PCI_BARS = 6 };

typedef struct PciBar {
    MemRegion *mr;                       /* given by the device with pci_bar() */
    uint64_t size;
    uint8_t type;                        /* bit 0: I/O; bits 2..1: 0 32-bit, 2 64-bit; bit 3 prefetchable */
    uint64_t addr;                       /* where it is mapped now; UINT64_MAX: not */
} PciBar;

typedef struct PciDev {
    Device dev;                          /* first */
    PciBus *bus;
    uint8_t devfn;
    uint8_t config[256];                 /* saved */
    uint8_t wmask[256];                  /* bits the guest may write */
    uint8_t w1cmask[256];                /* bits cleared by writing 1 */
    PciBar bar[PCI_BARS], rom;
    int irq_level;
    char *addr;                          /* property "addr": "1.1" slot.function; NULL: next free */
} PciDev;
/* field rows of the base for a device struct T whose first member is `PciDev pci` */
#define PCI_BASE(T) HOST(T, pci)

typedef struct PciClass {
    uint16_t vendor, device, subvendor, subdevice;
    uint32_t class_code;                 /* 24 bits: base, sub, prog-if */
    uint8_t revision;
    bool multifunction;
    uint8_t pin;                         /* interrupt pin: 0 none, 1 A ... */
    uint32_t (*config_read)(PciDev *, unsigned off, unsigned size);              /* NULL: from config[] */
    void (*config_write)(PciDev *, unsigned off, uint32_t val, unsigned size);   /* NULL: pci_default_write */
    bool (*realize)(PciDev *, GError **);
    const char *romfile;                 /* option ROM, found along the firmware path; NULL */
} PciClass;

/* Use as .realize and .reset of the DeviceType. */
bool pci_dev_realize(Device *d, GError **err);
void pci_dev_reset(Device *d);
/* Registers BAR n; the region's size must be a power of two.  type: as PciBar.type. */
void pci_bar(PciDev *d, unsigned n, uint8_t type, MemRegion *mr);
void pci_default_write(PciDev *d, unsigned off, uint32_t val, unsigned size);
void pci_set_irq(PciDev *d, int level);  /* its pin, level-triggered */
bool pci_bus_master(const PciDev *d);    /* COMMAND.2 */

/* Root bus: CF8/CFC accesses by the host bridge; irq: called with (slot, pin 0..3) resolved to a line by map. */
PciBus *pci_bus_new(Machine *m, MemRegion *mem, MemRegion *io, void (*set_irq)(void *opaque, int line, int level),
                    int (*map_irq)(unsigned slot, unsigned pin), void *opaque);
void pci_bus_free(PciBus *b);
uint32_t pci_config_read(PciBus *b, unsigned devfn, unsigned off, unsigned size);
void pci_config_write(PciBus *b, unsigned devfn, unsigned off, uint32_t val, unsigned size);
PciDev *pci_bus_find(PciBus *b, unsigned devfn);
void pci_bus_print(PciBus *b, GString *out);             /* info pci */

#endif
