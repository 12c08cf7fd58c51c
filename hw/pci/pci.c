/* One PCI bus: config space of its functions, BARs, interrupt pins.
 * Source: PCI Local Bus Specification 3.0, chapter 6; option ROMs 6.3.
 *
 * Nothing derived is saved: BAR mappings follow config space, and the level
 * of each interrupt line is the OR over the functions routed to it.
 * Not modelled: type 1 headers (bridges), parity, SERR, latency. */
#include "hw/pci/pci.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { SUBVENDOR_DEFAULT = 0x1af4, SUBDEVICE_DEFAULT = 0x1100 };  /* firmware and guests know a virtual PC by these */
enum { BAR_PRIORITY = 0, ROM_PRIORITY = 1, SLOTS = 32, ROM_ENABLE = 1, ROM_MIN = 2048, ROM_MAX = 16 << 20 };

struct PciBus {
    Machine *machine;
    MemRegion *mem, *io;
    void (*set_irq)(void *opaque, int line, int level);
    int (*map_irq)(unsigned slot, unsigned pin);
    void *opaque;
    PciDev *fn[256];
    GPtrArray *devs;                     /* PciDev * */
};

static const PciClass *class_of(const PciDev *d) { return d->dev.type->cls; }

PciBus *pci_bus_new(Machine *m, MemRegion *mem, MemRegion *io, void (*set_irq)(void *opaque, int line, int level),
                    int (*map_irq)(unsigned slot, unsigned pin), void *opaque)
{
    PciBus *b = g_new0(PciBus, 1);
    *b = (PciBus){ .machine = m, .mem = mem_ref(mem), .io = mem_ref(io), .set_irq = set_irq, .map_irq = map_irq,
                   .opaque = opaque, .devs = g_ptr_array_new() };
    return b;
}

void pci_bus_free(PciBus *b)
{
    if (!b)
        return;
    mem_unref(b->mem);
    mem_unref(b->io);
    g_ptr_array_free(b->devs, TRUE);
    g_free(b);
}

PciDev *pci_bus_find(PciBus *b, unsigned devfn) { return b->fn[devfn & 0xff]; }

/* ---- interrupts ---- */

static int line_of(const PciDev *d)
{
    uint8_t pin = d->config[PCI_INT_PIN];
    return pin ? d->bus->map_irq(d->devfn >> 3, pin - 1u) : -1;
}

static bool asserts(const PciDev *d)
{
    return d->irq_level && !(ld_le16(d->config + PCI_COMMAND) & PCI_CMD_INTX_OFF);
}

static void update_line(PciBus *b, int line)
{
    bool level = false;
    for (guint i = 0; i < b->devs->len; i++) {
        const PciDev *d = b->devs->pdata[i];
        level |= asserts(d) && line_of(d) == line;
    }
    b->set_irq(b->opaque, line, level);
}

void pci_set_irq(PciDev *d, int level)
{
    if (d->irq_level == (uint32_t)!!level)
        return;
    d->irq_level = !!level;
    uint16_t status = ld_le16(d->config + PCI_STATUS) & ~PCI_STATUS_INTX;
    st_le16(d->config + PCI_STATUS, (uint16_t)(status | (level ? PCI_STATUS_INTX : 0)));
    if (line_of(d) >= 0)
        update_line(d->bus, line_of(d));
}

bool pci_bus_master(const PciDev *d) { return d->config[PCI_COMMAND] & PCI_CMD_MASTER; }

/* ---- BARs ---- */

static bool is_io(const PciBar *b) { return b->type & 1; }
static bool is_64(const PciBar *b) { return (b->type & 7) == 4; }

void pci_bar(PciDev *d, unsigned n, uint8_t type, MemRegion *mr)
{
    PciBar *b = &d->bar[n];
    uint64_t size = mem_size(mr), mask = ~(size - 1);
    g_assert(n < PCI_BARS && size && !(size & (size - 1)));
    *b = (PciBar){ .mr = mr, .size = size, .type = type, .addr = UINT64_MAX };
    uint8_t *reg = d->config + PCI_BAR0 + 4 * n, *wm = d->wmask + PCI_BAR0 + 4 * n;
    st_le32(reg, type);
    st_le32(wm, (uint32_t)mask);
    if (is_64(b)) {
        st_le32(reg + 4, 0);
        st_le32(wm + 4, (uint32_t)(mask >> 32));
    }
}

/* Where config space says the BAR is; UINT64_MAX: nowhere.  All ones is the sizing probe, not an address. */
static uint64_t bar_addr(const PciDev *d, const PciBar *b, unsigned off)
{
    uint16_t cmd = ld_le16(d->config + PCI_COMMAND);
    if (!(cmd & (is_io(b) ? PCI_CMD_IO : PCI_CMD_MEM)))
        return UINT64_MAX;
    uint64_t a = ld_le32(d->config + off), top = is_io(b) ? 0xffff : UINT32_MAX;
    if (is_64(b)) {
        a |= (uint64_t)ld_le32(d->config + off + 4) << 32;
        top = BIT(52) - 1;
    }
    a &= ~(b->size - 1);
    if (!a || a + b->size - 1 >= top)
        return UINT64_MAX;
    return a;
}

static void bar_move(PciDev *d, PciBar *b, uint64_t addr, int priority)
{
    if (addr == b->addr)
        return;
    if (b->addr != UINT64_MAX)
        mem_del(b->mr);
    if (addr != UINT64_MAX)
        mem_add(is_io(b) ? d->bus->io : d->bus->mem, addr, b->mr, priority);
    b->addr = addr;
}

static void update_bars(PciDev *d)
{
    mem_begin();
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (d->bar[i].mr)
            bar_move(d, &d->bar[i], bar_addr(d, &d->bar[i], PCI_BAR0 + 4 * i), BAR_PRIORITY);
    if (d->rom.mr) {
        bool on = d->config[PCI_ROM_BAR] & ROM_ENABLE;
        bar_move(d, &d->rom, on ? bar_addr(d, &d->rom, PCI_ROM_BAR) : UINT64_MAX, ROM_PRIORITY);
    }
    mem_end();
}

static void unmap_bars(PciDev *d)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (d->bar[i].mr)
            bar_move(d, &d->bar[i], UINT64_MAX, 0);
    if (d->rom.mr)
        bar_move(d, &d->rom, UINT64_MAX, 0);
}

/* ---- config space ---- */

static bool touches(unsigned off, unsigned size, unsigned first, unsigned len)
{
    return off < first + len && first < off + size;
}

void pci_default_write(PciDev *d, unsigned off, uint32_t val, unsigned size)
{
    for (unsigned i = 0; i < size && off + i < sizeof d->config; i++) {
        uint8_t v = (uint8_t)(val >> (8 * i)), *r = &d->config[off + i], w = d->wmask[off + i];
        *r = (uint8_t)((*r & ~w) | (v & w));
        *r &= (uint8_t)~(v & d->w1cmask[off + i]);
    }
    if (touches(off, size, PCI_COMMAND, 2) || touches(off, size, PCI_BAR0, 24) || touches(off, size, PCI_ROM_BAR, 4))
        update_bars(d);
    if (touches(off, size, PCI_COMMAND, 2) && line_of(d) >= 0)
        update_line(d->bus, line_of(d));
}

uint32_t pci_config_read(PciBus *b, unsigned devfn, unsigned off, unsigned size)
{
    PciDev *d = pci_bus_find(b, devfn);
    if (!d || off + size > sizeof d->config)
        return (uint32_t)(BIT(8 * size) - 1);
    if (class_of(d)->config_read)
        return class_of(d)->config_read(d, off, size);
    return (uint32_t)ld_le(d->config + off, size);
}

void pci_config_write(PciBus *b, unsigned devfn, unsigned off, uint32_t val, unsigned size)
{
    PciDev *d = pci_bus_find(b, devfn);
    if (!d || off + size > sizeof d->config)
        return;
    if (class_of(d)->config_write)
        class_of(d)->config_write(d, off, val, size);
    else
        pci_default_write(d, off, val, size);
}

/* ---- devices ---- */

static bool slot_free(const PciBus *b, unsigned slot)
{
    for (unsigned f = 0; f < 8; f++)
        if (b->fn[slot * 8 + f])
            return false;
    return true;
}

static bool pick_devfn(PciDev *d, GError **err)
{
    const char *name = d->dev.type->name;
    if (!d->addr) {
        for (unsigned s = 1; s < SLOTS; s++)
            if (slot_free(d->bus, s)) {
                d->devfn = (uint8_t)(s * 8);
                return true;
            }
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: all slots of the PCI bus are taken", name);
        return false;
    }
    char *end;
    unsigned long slot = strtoul(d->addr, &end, 16), fn = 0;
    bool ok = end != d->addr;
    if (ok && *end == '.') {
        const char *p = end + 1;
        fn = strtoul(p, &end, 16);
        ok = end != p;
    }
    if (!ok || *end || slot >= SLOTS || fn > 7) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s.addr: '%s' is not SLOT or SLOT.FUNCTION (hexadecimal, 0..1f and 0..7)",
                    name, d->addr);
        return false;
    }
    d->devfn = (uint8_t)(slot * 8 + fn);
    if (!d->bus->fn[d->devfn])
        return true;
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s.addr: %s is taken by '%s'", name, d->addr,
                d->bus->fn[d->devfn]->dev.type->name);
    return false;
}

static void init_config(PciDev *d)
{
    const PciClass *c = class_of(d);
    uint8_t *r = d->config;
    st_le16(r + PCI_VENDOR_ID, c->vendor);
    st_le16(r + PCI_DEVICE_ID, c->device);
    r[PCI_REVISION] = c->revision;
    r[PCI_CLASS_PROG] = (uint8_t)c->class_code;
    st_le16(r + PCI_CLASS_PROG + 1, (uint16_t)(c->class_code >> 8));
    r[PCI_HEADER_TYPE] = c->multifunction ? 0x80 : 0;
    st_le16(r + PCI_SUBVENDOR_ID, c->subvendor ? c->subvendor : SUBVENDOR_DEFAULT);
    st_le16(r + PCI_SUBDEVICE_ID, c->subdevice ? c->subdevice : SUBDEVICE_DEFAULT);
    r[PCI_INT_PIN] = c->pin;
    st_le16(d->wmask + PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER | 0x140 | PCI_CMD_INTX_OFF);
    st_le16(d->w1cmask + PCI_STATUS, 0xf900);
    d->wmask[0x0c] = 0xff;               /* cache line size, latency timer */
    d->wmask[0x0d] = 0xff;
    if (c->pin)
        d->wmask[PCI_INT_LINE] = 0xff;
}

static bool load_rom(PciDev *d, GError **err)
{
    const char *name = d->romfile ? d->romfile : class_of(d)->romfile;
    if (!name || !*name)
        return true;
    g_autofree char *path = machine_firmware(d->dev.machine, name);
    if (!path) {
        if (!d->romfile)
            return true;                 /* the device works without; firmware just finds no ROM */
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s.romfile: '%s' was not found along the firmware path (-L DIR adds to it)",
                    d->dev.type->name, name);
        return false;
    }
    g_autofree char *data = NULL;
    gsize len;
    if (!g_file_get_contents(path, &data, &len, err))
        return false;
    if (len > ROM_MAX) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: an option ROM has at most 16 MiB", path);
        return false;
    }
    uint64_t size = ROM_MIN;
    while (size < len)
        size *= 2;
    MemRegion *mr = mem_rom_new("option-rom", size, NULL, NULL, err);
    if (!mr)
        return false;
    memset(mem_host(mr), 0xff, size);
    memcpy(mem_host(mr), data, len);
    d->rom = (PciBar){ .mr = mr, .size = size, .addr = UINT64_MAX };
    st_le32(d->wmask + PCI_ROM_BAR, (uint32_t)~(size - 1) | ROM_ENABLE);
    return true;
}

bool pci_dev_realize(Device *dev, GError **err)
{
    PciDev *d = (PciDev *)dev;
    if (!d->bus)
        d->bus = dev->machine->pci;
    if (!d->bus) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: machine '%s' has no PCI bus", dev->type->name, dev->machine->type->name);
        return false;
    }
    if (!pick_devfn(d, err))
        return false;
    init_config(d);
    if (!load_rom(d, err) || (class_of(d)->realize && !class_of(d)->realize(d, err)))
        return false;
    memcpy(d->reset_config, d->config, sizeof d->config);
    d->bus->fn[d->devfn] = d;
    g_ptr_array_add(d->bus->devs, d);
    return true;
}

void pci_dev_unrealize(Device *dev)
{
    PciDev *d = (PciDev *)dev;
    unmap_bars(d);
    if (d->rom.mr)
        mem_unref(d->rom.mr);
    if (!d->bus || d->bus->fn[d->devfn] != d)
        return;
    d->bus->fn[d->devfn] = NULL;
    g_ptr_array_remove(d->bus->devs, d);
}

void pci_dev_reset(Device *dev)
{
    PciDev *d = (PciDev *)dev;
    memcpy(d->config, d->reset_config, sizeof d->config);
    d->irq_level = 0;
    update_bars(d);
    if (line_of(d) >= 0)
        update_line(d->bus, line_of(d));
}

void pci_dev_loaded(Device *dev)
{
    PciDev *d = (PciDev *)dev;
    update_bars(d);
    if (line_of(d) >= 0)
        update_line(d->bus, line_of(d));
}

/* ---- info pci ---- */

static void print_bar(const PciBar *b, unsigned n, const char *what, GString *out)
{
    if (!b->mr)
        return;
    g_string_append_printf(out, "      %s%u: %s ", what, n, is_io(b) ? "I/O" : is_64(b) ? "64-bit memory" : "32-bit memory");
    if (b->addr == UINT64_MAX)
        g_string_append(out, "not mapped");
    else
        g_string_append_printf(out, "at 0x%08" G_GINT64_MODIFIER "x [0x%08" G_GINT64_MODIFIER "x]", b->addr,
                               b->addr + b->size - 1);
    g_string_append_printf(out, " size 0x%" G_GINT64_MODIFIER "x%s\n", b->size, b->type & 8 && !is_io(b) ? " prefetchable" : "");
}

static int by_devfn(const void *a, const void *b)
{
    return (*(const PciDev *const *)a)->devfn - (*(const PciDev *const *)b)->devfn;
}

void pci_bus_print(PciBus *b, GString *out)
{
    qsort(b->devs->pdata, b->devs->len, sizeof(void *), by_devfn);
    for (guint i = 0; i < b->devs->len; i++) {
        const PciDev *d = b->devs->pdata[i];
        g_string_append_printf(out, "  Bus  0, device %3u, function %u:\n", d->devfn >> 3, d->devfn & 7u);
        g_string_append_printf(out, "    %s: class %06x, PCI device %04x:%04x, subsystem %04x:%04x\n", d->dev.type->name,
                               ld_le32(d->config + PCI_REVISION) >> 8, ld_le16(d->config), ld_le16(d->config + PCI_DEVICE_ID),
                               ld_le16(d->config + PCI_SUBVENDOR_ID), ld_le16(d->config + PCI_SUBDEVICE_ID));
        if (d->config[PCI_INT_PIN])
            g_string_append_printf(out, "      IRQ %u, pin %c\n", d->config[PCI_INT_LINE], 'A' + d->config[PCI_INT_PIN] - 1);
        for (unsigned n = 0; n < PCI_BARS; n++)
            print_bar(&d->bar[n], n, "BAR", out);
        print_bar(&d->rom, 6, "BAR", out);
    }
}
