/* Devices: one const DeviceType each (hw/devices.def lists them), one struct
 * whose every byte has a role in the type's field table.
 *
 * Life: dev_new (properties get defaults) -> board or -device sets properties
 * and wiring -> dev_realize (checks properties, creates regions and timers) ->
 * reset / save / load any number of times -> dev_free (unrealize).
 *
 * Threads: everything runs under the machine lock.
 */
#ifndef RHEA_HW_DEVICE_H
#define RHEA_HW_DEVICE_H

#include <glib.h>

#include "cpu/memory.h"
#include "hw/core/irq.h"
#include "util/clock.h"
#include "util/field.h"
#include "util/log.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct Machine Machine;

typedef enum BusKind { BUS_NONE, BUS_SYSTEM, BUS_ISA, BUS_PCI, BUS_IDE, BUS_FLOPPY, BUS_KINDS } BusKind;

/* First member of every device struct. */
struct Device {
    const DeviceType *type;
    Machine *machine;
    char *id;                            /* -device id=; NULL */
    Device *parent;                      /* device that provides its bus, NULL: the board */
    bool realized;
    GSList *regions;                     /* what dev_ports() and dev_mmio() mapped */
};
#define DEVICE_BASE(T) HOST(T, dev)      /* row for the `Device dev` member */

struct DeviceType {
    const char *name;                    /* QEMU users' name: "isa-serial", "VGA", "piix3-ide" */
    const char *doc;                     /* one line for -device help */
    BusKind bus;
    size_t size;
    uint8_t version;                     /* of the saved state */
    bool internal;                       /* made by boards only, not by -device */
    const Field *fields;
    bool (*realize)(Device *, GError **);
    void (*unrealize)(Device *);
    void (*reset)(Device *);             /* after fields_reset */
    void (*loaded)(Device *);            /* after a load: recompute what is derived */
    const void *cls;                     /* more of the type for its bus: PciClass ... */
};

Device *dev_new(Machine *m, const DeviceType *t);
/* name: a property of the type; value in users' text ("0x3f8", "on", "4M"). */
bool dev_set(Device *d, const char *name, const char *value, GError **err);
bool dev_realize(Device *d, GError **err);              /* then the machine owns it */
void dev_free(Device *d);                                /* unmaps its regions, frees everything of it */
void dev_reset(Device *d);
const DeviceType *dev_type_find(const char *name);       /* exact, NULL if none */
/* Maps callbacks at a port range / an address range of the machine, above whatever else is there; opaque is d.  The
 * region (borrowed) goes away with the device. */
MemRegion *dev_ports(Device *d, const char *name, uint16_t base, uint32_t len, const MemOps *ops);
MemRegion *dev_mmio(Device *d, const char *name, uint64_t base, uint64_t size, const MemOps *ops);
/* For listings: NULL-terminated, in devices.def order. */
extern const DeviceType *const dev_types[];
/* Are all of these "type.property=value" texts (-global) right? */
bool dev_globals_check(const GPtrArray *globals, GError **err);
/* One -device: makes, sets and realizes it. */
struct DeviceConfig;
bool dev_add_config(Machine *m, const struct DeviceConfig *c, GError **err);
void dev_print_help(const DeviceType *t, GString *out);  /* -device X,help */

#endif
