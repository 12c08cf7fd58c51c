/* "VGA": the standard VGA as a PCI device, 1234:1111.
 *
 *   BAR 0  video memory, linear (the LFB of the DISPI modes)
 *   BAR 2  4 KiB: 000 EDID, 400 VGA ports 3c0-3df, 500 DISPI registers (16 bits each), 600 size and byte order
 *
 * Ports 3b0-3bb, 3c0-3df, 1ce-1d0 and the window at a0000 are there whatever the BARs say.
 */
#include "hw/display/vga_core.h"

#include "hw/pci/pci.h"

enum { MMIO_LEN = 4096, MMIO_VGA = 0x400, MMIO_DISPI = 0x500, MMIO_EXT = 0x600 };
enum { EXT_LEN = 8, EXT_LITTLE_ENDIAN = 0x1e1e1e1e };

typedef struct VgaPci {
    PciDev pci;
    uint32_t vgamem_mb;                  /* a power of two */
    uint32_t xres, yres;                 /* what the EDID prefers */
    Vga vga;
    uint8_t edid[128];
    MemRegion *mmio;
} VgaPci;

/* ---- ports ---- */

static uint64_t ports_3b0_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return vga_port_read(opaque, 0x3b0 + (unsigned)addr);
}

static void ports_3b0_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    (void)size;
    vga_port_write(opaque, 0x3b0 + (unsigned)addr, val);
}

static uint64_t ports_3c0_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return vga_port_read(opaque, 0x3c0 + (unsigned)addr);
}

static void ports_3c0_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    (void)size;
    vga_port_write(opaque, 0x3c0 + (unsigned)addr, val);
}

static const MemOps ports_3b0_ops = { .read = ports_3b0_read, .write = ports_3b0_write, .max_size = 1 };
static const MemOps ports_3c0_ops = { .read = ports_3c0_read, .write = ports_3c0_write, .max_size = 1 };

/* 1ce index, 1cf and 1d0 data, 16 bits each */
static uint64_t dispi_port_read(void *opaque, uint64_t addr, unsigned size)
{
    Vga *s = opaque;
    (void)size;
    return addr == 0 ? s->dispi_index : dispi_read(s);
}

static void dispi_port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Vga *s = opaque;
    (void)size;
    if (addr == 0)
        s->dispi_index = val;
    else
        dispi_write(s, val);
}

static const MemOps dispi_ops = { .read = dispi_port_read, .write = dispi_port_write, .max_size = 2, .unaligned = true };

/* ---- BAR 2 ---- */

static uint16_t mmio_dispi(VgaPci *d, unsigned index, bool write, uint16_t val)
{
    Vga *s = &d->vga;
    uint16_t keep = s->dispi_index, ret = 0;
    s->dispi_index = index;
    if (write)
        dispi_write(s, val);
    else
        ret = dispi_read(s);
    s->dispi_index = keep;
    return ret;
}

static uint8_t mmio_read_byte(VgaPci *d, uint64_t addr)
{
    static const uint8_t ext[EXT_LEN] = { EXT_LEN, 0, 0, 0, 0x1e, 0x1e, 0x1e, 0x1e };
    if (addr < sizeof d->edid)
        return d->edid[addr];
    if (addr >= MMIO_VGA && addr < MMIO_VGA + 0x20)
        return vga_port_read(&d->vga, 0x3c0 + (unsigned)(addr - MMIO_VGA));
    if (addr >= MMIO_DISPI && addr < MMIO_DISPI + 2 * DISPI_COUNT)
        return mmio_dispi(d, (unsigned)(addr - MMIO_DISPI) / 2, false, 0) >> (8 * (addr & 1));
    if (addr >= MMIO_EXT && addr < MMIO_EXT + EXT_LEN)
        return ext[addr - MMIO_EXT];
    return 0;
}

static uint64_t mmio_read(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t val = 0;
    for (unsigned i = 0; i < size; i++)
        val |= (uint64_t)mmio_read_byte(opaque, addr + i) << (8 * i);
    return val;
}

static void mmio_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    VgaPci *d = opaque;
    for (unsigned i = 0; i < size; i++)
        if (addr + i >= MMIO_VGA && addr + i < MMIO_VGA + 0x20)
            vga_port_write(&d->vga, 0x3c0 + (unsigned)(addr + i - MMIO_VGA), val >> (8 * i));
    if (addr < MMIO_DISPI || addr >= MMIO_DISPI + 2 * DISPI_COUNT)
        return;
    if (size < 2)
        log_guest("vga: byte write to a 16-bit register at %#x", (unsigned)addr);
    for (unsigned i = 0; i + 1 < size; i += 2)
        mmio_dispi(d, (unsigned)(addr - MMIO_DISPI + i) / 2, true, val >> (8 * i));
}

static const MemOps mmio_ops = { .read = mmio_read, .write = mmio_write, .max_size = 4 };

/* ---- life ---- */

static void map_ports(VgaPci *d, uint16_t at, uint64_t size, const char *name, const MemOps *ops)
{
    Device *dev = &d->pci.dev;
    MemRegion *mr = mem_io_new(name, size, ops, &d->vga);
    mem_add(dev->machine->io_root, at, mr, 1);
    dev->regions = g_slist_prepend(dev->regions, mr);
}

static void map_window(VgaPci *d)
{
    Vga *s = &d->vga;
    Device *dev = &d->pci.dev;
    s->window = mem_container_new("vga-window", VGA_WINDOW);
    s->window_io = mem_io_new("vga-planes", VGA_WINDOW, &vga_window_ops, s);
    s->window_ram = mem_alias_new("vga-linear", s->vram, 0, 0x10000);
    mem_set_enabled(s->window_ram, false);
    mem_add(s->window, 0, s->window_io, 0);
    mem_add(s->window, 0, s->window_ram, 1);
    mem_add(dev->machine->mem_root, 0xa0000, s->window, 1);
    dev->regions = g_slist_prepend(dev->regions, mem_ref(s->window));
}

static bool check_props(const VgaPci *d, GError **err)
{
    if (d->vgamem_mb >= 1 && d->vgamem_mb <= 256 && !(d->vgamem_mb & (d->vgamem_mb - 1)) && d->xres >= 640 &&
        d->xres <= 4088 && d->yres >= 400 && d->yres <= 4088)
        return true;
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "VGA: vgamem_mb=%u must be a power of two up to 256, xres=%u 640..4088, yres=%u "
                "400..4088", d->vgamem_mb, d->xres, d->yres);
    return false;
}

static bool vga_pci_setup(PciDev *pci, GError **err)
{
    VgaPci *d = (VgaPci *)pci;
    Vga *s = &d->vga;
    if (!check_props(d, err))
        return false;
    s->mem_size = d->vgamem_mb << 20;
    s->vram = mem_ram_new("vga.vram", s->mem_size, err);
    if (!s->vram)
        return false;
    s->mem = mem_host(s->vram);
    s->clock = pci->dev.machine->clock;
    mem_log(s->vram, MEM_DIRTY_VGA, true);
    edid_make(d->edid, d->xres, d->yres);
    map_window(d);
    map_ports(d, 0x3b0, 12, "vga-mono", &ports_3b0_ops);
    map_ports(d, 0x3c0, 32, "vga", &ports_3c0_ops);
    map_ports(d, 0x1ce, 3, "vga-dispi", &dispi_ops);
    d->mmio = mem_io_new("vga-mmio", MMIO_LEN, &mmio_ops, d);
    pci_bar(pci, 0, 8, s->vram);
    pci_bar(pci, 2, 0, d->mmio);
    s->con = con_new(&pci->dev.machine->consoles, "VGA", &vga_console_ops, s);
    return true;
}

static void vga_pci_unrealize(Device *dev)
{
    VgaPci *d = (VgaPci *)dev;
    Vga *s = &d->vga;
    MemRegion *own[] = { s->window_ram, s->window_io, s->window, d->mmio, s->vram };
    if (s->con)
        con_free(s->con);
    pci_dev_unrealize(dev);
    for (unsigned i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i] && i < 2)
            mem_del(own[i]);
        if (own[i])
            mem_unref(own[i]);
    }
}

static void vga_pci_reset(Device *dev)
{
    VgaPci *d = (VgaPci *)dev;
    Vga *s = &d->vga;
    pci_dev_reset(dev);
    s->dispi[DISPI_ID] = DISPI_ID5;
    s->dispi[DISPI_XRES] = 640;
    s->dispi[DISPI_YRES] = 480;
    s->dispi[DISPI_BPP] = 8;
    s->regs_changed = true;
    vga_window_update(s);
}

static void vga_pci_loaded(Device *dev)
{
    VgaPci *d = (VgaPci *)dev;
    Vga *s = &d->vga;
    pci_dev_loaded(dev);
    s->dac_sub %= 3;
    dispi_loaded(s);
    s->regs_changed = true;
    vga_window_update(s);
}

static const PciClass vga_pci_class = {
    .vendor = 0x1234, .device = 0x1111, .subvendor = 0x1af4, .subdevice = 0x1100, .class_code = 0x030000, .revision = 2,
    .realize = vga_pci_setup, .romfile = "vgabios-stdvga.bin",
};

const DeviceType vga_pci_type = {
    .name = "VGA", .doc = "standard VGA with Bochs VBE", .bus = BUS_PCI, .size = sizeof(VgaPci), .version = 1,
    .fields = (const Field[]) {
        PCI_FIELDS(VgaPci),
        PROP_U32(VgaPci, vgamem_mb, 16), PROP_U32(VgaPci, xres, 1280), PROP_U32(VgaPci, yres, 800),
        VGA_ROWS(VgaPci, vga),
        HOST(VgaPci, edid), LINK(VgaPci, mmio), FIELD_END },
    .realize = pci_dev_realize, .unrealize = vga_pci_unrealize, .reset = vga_pci_reset, .loaded = vga_pci_loaded,
    .cls = &vga_pci_class,
};
