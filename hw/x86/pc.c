/* Boards "pc" (440FX, PIIX3) and "none".
 *
 *   00000000  RAM (low)          000A0000 VGA window, 000C0000 shadow segments, ROM
 *   E0000000  PCI memory at most from here: RAM never reaches above
 *   FEC00000  I/O APIC           FED00000 HPET           FEE00000 local APICs
 *   FFFC0000  firmware ROM; its last 128 KiB also at 000E0000
 *  100000000  RAM (the rest)
 *
 *   slot 0     440FX             host bridge
 *   slot 1     PIIX3 .0 ISA, .1 IDE, .3 power management
 *   slot 2     VGA
 *
 * Interrupts: a line n of ISA goes to the 8259s and to the I/O APIC's pin n,
 * line 0 to pin 2.  PCI's four lines reach ISA lines through the PIIX3.  */
#include "hw/x86/pc.h"

#include <string.h>

#include "cpu/x86/sys.h"
#include "hw/char/serial.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/misc/debugcon.h"
#include "hw/misc/i8237.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/pci/i440fx.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818rtc.h"
#include "hw/x86/acpi_tables.h"
#include "hw/x86/piix3.h"
#include "hw/x86/piix4pm.h"
#include "util/bits.h"
#include "util/lock.h"

enum { RAM_PRIORITY = -1, HOLE_PRIORITY = -2, ISA_IRQS = 16, ISA_DMA_IRQ_PIT_PIN = 2, FERR_IRQ = 13, IDE_UNITS = 4, FLOPPIES = 2 };

#define DEVICE(name) extern const DeviceType name##_type;
#include "hw/devices.def"
#undef DEVICE

static Pc *pc_of(Machine *m) { return m->board; }

/* ---- wires ---- */

static void pc_gsi(void *opaque, int n, int level)
{
    Pc *pc = opaque;
    if (n < ISA_IRQS)
        pic_set_irq(pc->pic, n, level);
    ioapic_set_irq(pc->ioapic, n == 0 ? ISA_DMA_IRQ_PIT_PIN : n, level);
}

static void set_vcpu_a20(Vcpu *c, void *arg) { x86_set_a20(x86_of(c), arg != NULL); }

static void pc_set_a20(Machine *m, A20Source from, bool on)
{
    Pc *pc = pc_of(m);
    unsigned bit = 1u << from, old = pc->a20;
    pc->a20 = on ? old | bit : old & ~bit;
    if (!old == !pc->a20)
        return;
    void *arg = pc->a20 ? m : NULL;
    for (unsigned i = 0; i < m->cpus->n; i++) {
        Vcpu *c = m->cpus->cpu[i];
        if (c == cpu_current() || !m->cpus->running)
            set_vcpu_a20(c, arg);
        else
            cpu_run_on(c, set_vcpu_a20, arg, false);
    }
}

static void kbc_a20(void *opaque, int n, int level)
{
    (void)n;
    pc_set_a20(((Pc *)opaque)->m, A20_KBC, level);
}

/* FERR# latches IRQ13 until port F0h is written. */
static void pc_ferr(X86Cpu *c)
{
    machine_lock();
    irq_set(&((const Device *)c->apic_dev)->machine->isa_irq[FERR_IRQ], 1);
    machine_unlock();
}

static uint64_t ferr_read(void *opaque, uint64_t at, unsigned size)
{
    (void)opaque, (void)at, (void)size;
    return 0xff;
}
static void ferr_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)at, (void)v, (void)size;
    irq_set(&((Pc *)opaque)->m->isa_irq[FERR_IRQ], 0);
}
static const MemOps ferr_ops = { .read = ferr_read, .write = ferr_write, .max_size = 1 };

static void pc_smi(void *opaque)
{
    Pc *pc = opaque;
    Vcpu *c = cpu_current();
    cpu_interrupt(c ? c : pc->m->cpus->cpu[0], CPU_IRQ_SMI);
}

/* ---- parts ---- */

static Device *part(Pc *pc, const DeviceType *t) { return dev_new(pc->m, t); }

static Device *realize(Device *d, GError **err)
{
    if (dev_realize(d, err))
        return d;
    dev_free(d);
    return NULL;
}

static Device *pci_part(Pc *pc, const DeviceType *t, const char *addr)
{
    Device *d = part(pc, t);
    dev_set(d, "addr", addr, NULL);
    return d;
}

static bool pc_memory(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    uint64_t size = round_up(m->cfg->ram_size, 4096);
    pc->below_4g = MIN(size, PC_BELOW_4G_MAX);
    pc->above_4g = size - pc->below_4g;
    pc->ram = mem_ram_new("pc.ram", size, err);
    if (!pc->ram)
        return false;
    pc->low = mem_alias_new("ram-below-4g", pc->ram, 0, pc->below_4g);
    mem_add(m->mem_root, 0, pc->low, RAM_PRIORITY);
    if (pc->above_4g) {
        pc->high = mem_alias_new("ram-above-4g", pc->ram, pc->below_4g, pc->above_4g);
        mem_add(m->mem_root, BIT(32), pc->high, RAM_PRIORITY);
    }
    pc->pci_mem = mem_container_new("pci", UINT64_MAX);
    mem_add(m->mem_root, 0, pc->pci_mem, HOLE_PRIORITY);
    return true;
}

/* A processor's shutdown (triple fault) pulls the chipset's reset. */
static void pc_cpu_shutdown(void *machine)
{
    machine_request_reset(machine, "processor shutdown");
}

static bool pc_cpus(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    m->cpus = cpus_new(arch_find("x86"), m->cfg->smp, m->cfg->cpu_model, m->mem, m->io, &m->cfg->tcg, err);
    if (!m->cpus)
        return false;
    m->cpus->on_reset = pc_cpu_shutdown;
    m->cpus->opaque = m;
    pc->apics = apic_bus_new(m);
    for (unsigned i = 0; i < m->cpus->n; i++) {
        X86Cpu *c = x86_of(m->cpus->cpu[i]);
        Device *d = part(pc, &apic_type);
        apic_connect(d, pc->apics, &c->vcpu);
        if (!realize(d, err))
            return false;
        c->apic = &apic_ops;
        c->apic_dev = d;
        c->ferr = pc_ferr;
    }
    return true;
}

static bool pc_interrupts(Pc *pc, GError **err)
{
    pc->pic = part(pc, &i8259_type);
    pic_connect(pc->pic, (IrqLine){ apic_pic_intr, pc->apics, 0 });
    apic_bus_set_pic(pc->apics, pc->pic);
    pc->ioapic = part(pc, &ioapic_type);
    ioapic_connect(pc->ioapic, pc->apics);
    for (int i = 0; i < ISA_IRQS; i++)
        pc->m->isa_irq[i] = (IrqLine){ pc_gsi, pc, i };
    pc->ferr_clear = mem_io_new("ferr-clear", 2, &ferr_ops, pc);
    mem_add(pc->m->io_root, 0xf0, pc->ferr_clear, 1);
    return (pc->pic = realize(pc->pic, err)) && (pc->ioapic = realize(pc->ioapic, err));
}

static bool pc_bridges(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    pc->piix3 = pci_part(pc, &piix3_type, "1.0");
    m->pci = pc->pci = pci_bus_new(m, pc->pci_mem, m->io_root, piix3_set_pirq, piix3_map_irq, pc->piix3);
    pc->i440fx = pci_part(pc, &i440fx_type, "0.0");
    I440fxWiring w = { m->mem_root, pc->ram, pc->pci_mem, piix3_rcr_read, piix3_rcr_write, pc->piix3 };
    i440fx_connect(pc->i440fx, &w);
    pc->pm = pci_part(pc, &piix4pm_type, "1.3");
    pm_connect(pc->pm, m->isa_irq[SCI_IRQ], pc->opt.smm ? pc_smi : NULL, pc);
    return (pc->i440fx = realize(pc->i440fx, err)) && (pc->piix3 = realize(pc->piix3, err)) &&
           (pc->pm = realize(pc->pm, err));
}

static bool pc_timers(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    IrqLine irq0 = m->isa_irq[0], irq8 = m->isa_irq[8];
    if (pc->opt.hpet) {
        pc->hpet = part(pc, &hpet_type);
        hpet_connect(pc->hpet, (IrqLine){ pc_gsi, pc, 0 });
        if (!(pc->hpet = realize(pc->hpet, err)))
            return false;
        irq0 = (IrqLine){ hpet_legacy_in, pc->hpet, 0 };
        irq8 = (IrqLine){ hpet_legacy_in, pc->hpet, 8 };
    }
    pc->pit = part(pc, &i8254_type);
    pit_connect(pc->pit, irq0);
    pc->rtc = part(pc, &mc146818rtc_type);
    rtc_connect(pc->rtc, irq8);
    return (pc->pit = realize(pc->pit, err)) && (pc->rtc = realize(pc->rtc, err));
}

static bool pc_debugcon(Pc *pc, GError **err)
{
    const MachineConfig *cfg = pc->m->cfg;
    if (!cfg->debugcon)
        return true;
    Device *d = part(pc, &isa_debugcon_type);
    debugcon_set_chardev(d, cfg->debugcon);
    return realize(d, err) != NULL;
}

static bool pc_isa(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    pc->dma = realize(part(pc, &i8237_type), err);
    m->isa_dma = (IsaDma *)pc->dma;
    if (!pc->dma || !realize(part(pc, &port92_type), err))
        return false;
    pc->kbc = i8042_new(m, m->isa_irq[1], m->isa_irq[12], (IrqLine){ kbc_a20, pc, 0 }, err);
    if (!pc->kbc)
        return false;
    static const uint8_t com_irq[] = { 4, 3, 4, 3 };
    for (unsigned i = 0; i < G_N_ELEMENTS(m->cfg->serial); i++)
        if (m->cfg->serial[i] && !isa_serial_new(m, i, m->isa_irq[com_irq[i]], m->cfg->serial[i], err))
            return false;
    pc->fw_cfg = realize(part(pc, &fw_cfg_type), err);
    return pc->fw_cfg && pc_debugcon(pc, err);
}

static bool pc_vga(Pc *pc, GError **err)
{
    const char *vga = pc->m->cfg->vga;
    if (!g_strcmp0(vga, "none"))
        return true;
    if (vga && strcmp(vga, "std")) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-vga %s: this machine has 'std' and 'none'", vga);
        return false;
    }
    return realize(pci_part(pc, &vga_pci_type, "2.0"), err) != NULL;
}

/* ---- drives ---- */

/* The unit a drive asks for, or the next free one of its kind; -1 with err. */
static int pick_unit(DriveConfig *const *units, int n, const DriveConfig *d, const char *bus, GError **err)
{
    if (d->index >= n || (d->index >= 0 && units[d->index])) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, d->index >= n ? "drive '%s': index %d: the %s has units 0 to %d" :
                    "drive '%s': unit %d of the %s is taken by another drive (index= picks one of 0 to %d)",
                    d->id ? d->id : "?", d->index, bus, n - 1);
        return -1;
    }
    if (d->index >= 0)
        return d->index;
    for (int i = 0; i < n; i++)
        if (!units[i])
            return i;
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "drive '%s': all %d units of the %s are taken", d->id ? d->id : "?", n, bus);
    return -1;
}

/* Drives with a fixed unit first, then the others where there is room. */
static bool collect(Machine *m, int iface, DriveConfig **units, int n, const char *bus, GError **err)
{
    const GPtrArray *all = m->cfg->drives;
    for (int floating = 0; floating < 2; floating++)
        for (guint i = 0; all && i < all->len; i++) {
            DriveConfig *d = all->pdata[i];
            if ((int)d->iface != iface || (d->index < 0) != floating)
                continue;
            int unit = pick_unit(units, n, d, bus, err);
            if (unit < 0)
                return false;
            units[unit] = d;
            d->used = true;
        }
    return true;
}

static bool pc_ide(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    DriveConfig *units[IDE_UNITS] = { NULL };
    pc->ide = piix_ide_new(m, "1.1", m->isa_irq[14], m->isa_irq[15], err);
    if (!pc->ide || !collect(m, DRIVE_IDE, units, IDE_UNITS, "IDE controller", err))
        return false;
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        const DriveConfig *d = units[i];
        bool spare_cd = !d && i == 2 && !m->cfg->nodefaults;
        if ((d || spare_cd) && !ide_drive_new(pc->ide, i, d ? d->blk : NULL, d ? d->cdrom : true, err))
            return false;
    }
    return true;
}

static bool pc_floppy(Pc *pc, GError **err)
{
    Machine *m = pc->m;
    DriveConfig *units[FLOPPIES] = { NULL };
    if (!collect(m, DRIVE_FLOPPY, units, FLOPPIES, "floppy controller", err))
        return false;
    BlockDev *blk[FLOPPIES] = { units[0] ? units[0]->blk : NULL, units[1] ? units[1]->blk : NULL };
    pc->fdc = fdc_new(m, m->isa_irq[6], m->isa_dma, blk, err);
    return pc->fdc != NULL;
}

/* ---- hooks ---- */

static void pc_powerdown(Machine *m) { pm_power_button(pc_of(m)->pm); }

static void pc_set_boot(Machine *m, const char *order)
{
    g_autoptr(GError) err = NULL;
    if (!pc_set_boot_order(pc_of(m), order, &err))
        report_error("%s", err->message);
}

static AcpiConfig acpi_config(const Pc *pc)
{
    return (AcpiConfig){ .cpus = pc->m->cpus->n, .hpet = pc->opt.hpet, .pm_base = pm_base(pc->pm),
                         .pci_hole = pc->below_4g, .pci_hole_end = IOAPIC_BASE };
}

static GBytes *linked_acpi(Machine *m, uint64_t base, uint64_t *rsdp)
{
    AcpiConfig c = acpi_config(pc_of(m));
    c.pm_base = PM_BASE_DEFAULT;
    return acpi_build_linked(&c, base, rsdp);
}

static void refresh_acpi(void *opaque)
{
    Pc *pc = opaque;
    AcpiConfig c = acpi_config(pc);
    if (!c.pm_base)
        c.pm_base = PM_BASE_DEFAULT;
    AcpiFiles f = acpi_build_files(&c);
    fw_cfg_add_file(pc->fw_cfg, "etc/acpi/tables", f.tables->data, f.tables->len);
    fw_cfg_add_file(pc->fw_cfg, "etc/acpi/rsdp", f.rsdp->data, f.rsdp->len);
    fw_cfg_add_file(pc->fw_cfg, "etc/table-loader", f.loader->data, f.loader->len);
    acpi_files_clear(&f);
}

/* What firmware has done when an operating system starts, as far as it is not in memory. */
static void setup_without_firmware(Pc *pc)
{
    for (unsigned fn = 0; fn < 256; fn++) {
        PciDev *d = pci_bus_find(pc->pci, fn);
        if (d)
            pci_config_write(pc->pci, fn, PCI_COMMAND, d->config[PCI_COMMAND] | PCI_CMD_IO | PCI_CMD_MEM, 1);
    }
    piix3_route_default(pc->piix3);
    pm_setup_default(pc->pm);
}

static void pc_reset(Machine *m)
{
    Pc *pc = pc_of(m);
    for (unsigned i = 0; i < m->cpus->n; i++)
        x86_set_a20(x86_of(m->cpus->cpu[i]), pc->a20 != 0);
    if (!pc->boot)
        return;
    setup_without_firmware(pc);
    x86_boot_reset(pc->boot);
}

static bool pc_done(Machine *m, GError **err)
{
    Pc *pc = pc_of(m);
    pc_fill_cmos(pc);
    if (!pc_set_boot_order(pc, m->cfg->boot_order, err) || !pc_fill_fw_cfg(pc, err))
        return false;
    if (pc->opt.acpi) {
        refresh_acpi(pc);
        fw_cfg_set_refresh(pc->fw_cfg, "etc/acpi/tables", refresh_acpi, pc);
    }
    if (!m->cfg->kernel)
        return true;
    X86BootInfo info = { .below_4g = pc->below_4g, .above_4g = pc->above_4g, .acpi = pc->opt.acpi ? linked_acpi : NULL };
    pc->boot = x86_boot_load(m, &info, err);
    return pc->boot != NULL;
}

static void drop(MemRegion *mr)
{
    if (!mr)
        return;
    mem_del(mr);
    mem_unref(mr);
}

static void pc_free(Machine *m)
{
    Pc *pc = pc_of(m);
    x86_boot_free(pc->boot);
    pci_bus_free(pc->pci);
    apic_bus_free(pc->apics);
    drop(pc->isa_bios);
    drop(pc->bios);
    drop(pc->ferr_clear);
    drop(pc->low);
    drop(pc->high);
    drop(pc->pci_mem);
    if (pc->ram)
        mem_unref(pc->ram);
    g_free(pc);
}

static bool pc_build(Machine *m, GError **err)
{
    Pc *pc = g_new0(Pc, 1);
    *pc = (Pc){ .m = m, .opt = { .acpi = true, .hpet = true } };
    m->board = pc;
    m->powerdown = pc_powerdown;
    m->board_reset = pc_reset;
    m->board_free = pc_free;
    m->set_boot = pc_set_boot;
    m->set_a20 = pc_set_a20;
    m->done = pc_done;
    return pc_parse_opts(pc, err) && pc_memory(pc, err) && pc_load_bios(pc, err) && pc_cpus(pc, err) &&
           pc_interrupts(pc, err) && pc_bridges(pc, err) && pc_timers(pc, err) && pc_isa(pc, err) && pc_vga(pc, err) &&
           pc_ide(pc, err) && pc_floppy(pc, err);
}

const MachineType pc_machine = {
    .name = "pc", .alias = "pc-i440fx", .doc = "PC with 440FX and PIIX3 (default)", .arch = "x86", .max_cpus = 64,
    .default_ram = 128 << 20, .build = pc_build,
};

static bool none_build(Machine *m, GError **err)
{
    (void)m, (void)err;
    return true;
}

const MachineType none_machine = {
    .name = "none", .doc = "empty machine, no CPU, no memory", .arch = "x86", .max_cpus = 1, .build = none_build,
};
