/* What `info` shows. */
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "hw/pci/pci.h"
#include "ui/chr.h"
#include "ui/monitor.h"

#define UNUSED_ARGS int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED

void hmp_info_status(Mon *mon, UNUSED_ARGS)
{
    const char *name = run_state_name(mon->m);
    if (run_is_running(mon->m))
        mon_print(mon, "VM status: running\n");
    else
        mon_print(mon, "VM status: paused%s%s%s\n", strcmp(name, "paused") ? " (" : "", strcmp(name, "paused") ? name : "",
                  strcmp(name, "paused") ? ")" : "");
}

void hmp_info_version(Mon *mon, UNUSED_ARGS)
{
    mon_print(mon, "rhea %s\n", CONFIG_VERSION);
}

void hmp_info_name(Mon *mon, UNUSED_ARGS)
{
    if (mon->options->name)
        mon_print(mon, "%s\n", mon->options->name);
}

void hmp_info_uuid(Mon *mon, UNUSED_ARGS)
{
    mon_print(mon, "%s\n", mon->options->uuid ? mon->options->uuid : "00000000-0000-0000-0000-000000000000");
}

void hmp_info_kvm(Mon *mon, UNUSED_ARGS)
{
    mon_print(mon, "kvm support: not compiled\n");
}

void hmp_info_chardev(Mon *mon, UNUSED_ARGS)
{
    chr_print(mon->out);
}

/* ---- CPUs ---- */

static void print_cpus(Mon *mon, void *arg G_GNUC_UNUSED)
{
    CpuGroup *g = mon->m->cpus;
    for (unsigned i = 0; i < g->n; i++) {
        Vcpu *c = g->cpu[i];
        mon_print(mon, "%c CPU #%u: pc=%#" PRIx64 "%s\n", i == mon->cpu ? '*' : ' ', i, g->arch->get_pc(c),
                  c->powered_off ? " (waits to be started)" : c->halted ? " (halted)" : "");
    }
}

static void print_registers(Mon *mon, void *arg)
{
    bool all = arg != NULL;
    CpuGroup *g = mon->m->cpus;
    for (unsigned i = 0; i < g->n; i++) {
        if (!all && g->cpu[i] != mon_cpu(mon))
            continue;
        mon_print(mon, "%sCPU#%u\n", all && i ? "\n" : "", i);
        g->arch->print_regs(g->cpu[i], mon->out);
    }
}

static void print_tlb(Mon *mon, void *arg)
{
    mon->m->cpus->arch->print_tlb(mon_cpu(mon), arg != NULL, mon->out);
}

/* Machines without vcpus exist in tests. */
static void with_cpus(Mon *mon, void (*fn)(Mon *, void *), void *arg)
{
    if (mon_cpu(mon))
        mon_with_cpus_still(mon, fn, arg);
    else
        mon_print(mon, "no CPU\n");
}

void hmp_info_cpus(Mon *mon, UNUSED_ARGS)
{
    with_cpus(mon, print_cpus, NULL);
}

void hmp_info_registers(Mon *mon, int argc, char **argv)
{
    with_cpus(mon, print_registers, argc > 1 && !strcmp(argv[1], "-a") ? mon : NULL);
}

void hmp_info_tlb(Mon *mon, UNUSED_ARGS)
{
    with_cpus(mon, print_tlb, NULL);
}

void hmp_info_mem(Mon *mon, UNUSED_ARGS)
{
    with_cpus(mon, print_tlb, mon);
}

void hmp_info_jit(Mon *mon, UNUSED_ARGS)
{
    if (mon->m->cpus)
        cpu_print_jit(mon->m->cpus, mon->out);
}

/* ---- board ---- */

void hmp_info_mtree(Mon *mon, int argc, char **argv)
{
    bool flat = argc > 1 && !strcmp(argv[1], "-f");
    as_print(mon->m->mem, flat, mon->out);
    as_print(mon->m->io, flat, mon->out);
}

void hmp_info_pci(Mon *mon, UNUSED_ARGS)
{
    if (mon->m->pci)
        pci_bus_print(mon->m->pci, mon->out);
    else
        mon_print(mon, "no PCI bus\n");
}

void hmp_info_qtree(Mon *mon, UNUSED_ARGS)
{
    static const char *const buses[BUS_KINDS] = { "none", "system", "isa", "pci", "ide", "floppy" };
    for (guint i = 0; i < mon->m->devices->len; i++) {
        const Device *d = mon->m->devices->pdata[i];
        mon_print(mon, "dev: %s, bus %s, id \"%s\"\n", d->type->name, buses[d->type->bus], d->id ? d->id : "");
    }
}

void hmp_info_block(Mon *mon, UNUSED_ARGS)
{
    const GPtrArray *all = mon->m->cfg->drives;
    for (guint i = 0; all && i < all->len; i++) {
        const DriveConfig *d = all->pdata[i];
        if (!d->blk) {
            mon_print(mon, "%s: [not inserted]\n    Removable device: not locked, tray closed\n\n", d->id);
            continue;
        }
        BlockStats st = blk_stats(d->blk);
        mon_print(mon, "%s: %s (%s%s)\n    %" PRIu64 " bytes; read %" PRIu64 " in %" PRIu64 ", written %" PRIu64 " in %" PRIu64 ", flushes %"
                  PRIu64 "\n%s\n", d->id, blk_path(d->blk), blk_format(d->blk), blk_readonly(d->blk) ? ", read-only" : "", blk_size(d->blk),
                  st.rd_bytes, st.rd_ops, st.wr_bytes, st.wr_ops, st.flushes,
                  d->cdrom || d->iface == DRIVE_FLOPPY ? "    Removable device: not locked, tray closed\n" : "");
    }
}
