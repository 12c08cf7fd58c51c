/* PCI: config space, BARs, interrupt pins (PCI Local Bus 3.0).
 * A device type sets .cls to a PciClass; its struct begins with PciDev. */
#ifndef RHEA_HW_PCI_H
#define RHEA_HW_PCI_H

#include "hw/core/device.h"

typedef struct PciBus PciBus;

enum {                                   /* config space, type 0 header */
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08,
    PCI_CLASS_PROG = 0x09, PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10, PCI_SUBVENDOR_ID = 0x2c, PCI_SUBDEVICE_ID = 0x2e,
    PCI_ROM_BAR = 0x30, PCI_CAP_PTR = 0x34, PCI_INT_LINE = 0x3c, PCI_INT_PIN = 0x3d,
    PCI_CMD_IO = 1, PCI_CMD_MEM = 2, PCI_CMD_MASTER = 4, PCI_CMD_INTX_OFF = 0x400, PCI_STATUS_INTX = 8,
};

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
    uint8_t reset_config[256];           /* config[] as realize left it */
    PciBar bar[PCI_BARS], rom;
    uint32_t irq_level;                  /* what the device asks of its pin; saved */
    char *addr;                          /* property "addr": "1.1" slot.function; NULL: next free slot */
    char *romfile;                       /* property; NULL: the class's; "": none */
} PciDev;
/* field rows of the base for a device struct T whose first member is `PciDev pci` */
#define PCI_FIELDS(T) \
    HOST(T, pci.dev), LINK(T, pci.bus), HOST(T, pci.devfn), \
    { .name = "config", .role = FIELD_ROLE_REG, .type = FIELD_BYTES, .offset = offsetof(T, pci.config), .size = 256, .count = 256 }, \
    HOST(T, pci.wmask), HOST(T, pci.w1cmask), HOST(T, pci.reset_config), HOST(T, pci.bar), HOST(T, pci.rom), \
    { .name = "irq_level", .role = FIELD_ROLE_REG, .type = FIELD_U32, .offset = offsetof(T, pci.irq_level), .size = 4, .count = 1 }, \
    PCI_PROP_STR(T, addr, "slot.function on the bus, hexadecimal; default: next free slot"), \
    PCI_PROP_STR(T, romfile, "option ROM image; empty for none")
#define PCI_PROP_STR(T, m, text) \
    { .name = #m, .role = FIELD_ROLE_PROP, .type = FIELD_STRING, .offset = offsetof(T, pci.m), .size = sizeof(char *), .count = 1, \
      .doc = (text) }

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

/* Use as .realize, .unrealize, .reset and .loaded of the DeviceType, or call from the device's own. */
bool pci_dev_realize(Device *d, GError **err);
void pci_dev_unrealize(Device *d);
void pci_dev_reset(Device *d);
void pci_dev_loaded(Device *d);          /* maps BARs where the loaded config space says */
/* In PciClass.realize.  The region (borrowed) must outlive the device's unrealize.  Registers BAR n; the region's size must be a power of two.  type: as PciBar.type. */
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
