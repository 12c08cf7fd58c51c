/* Vcpus and their group: making, starting, pausing, interrupting, statistics.
 * The loop itself is exec.c. */
#include "cpu/cpu.h"

#include <string.h>

#include "cpu/exec.h"
#include "cpu/tlb.h"
#include "util/bits.h"
#include "util/lock.h"
#include "util/log.h"

static TcgRuntime runtime;

static const CpuArch *const archs[] = {
#define ARCH(name) &name##_arch,
#include "cpu/archs.def"
#undef ARCH
};

const CpuArch *arch_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(archs); i++)
        if (!strcmp(archs[i]->name, name))
            return archs[i];
    return NULL;
}

/* ---- interrupts ---- */

void cpu_kick(Vcpu *c)
{
    __atomic_store_n(&c->env.exit_request, 1, __ATOMIC_SEQ_CST);
    if (c == cpu_current())
        return;
    g_mutex_lock(&c->mutex);
    g_cond_broadcast(&c->cond);
    g_mutex_unlock(&c->mutex);
}

void cpu_interrupt(Vcpu *c, uint32_t bits)
{
    __atomic_or_fetch(&c->pending, bits, __ATOMIC_SEQ_CST);
    cpu_kick(c);
}

void cpu_interrupt_clear(Vcpu *c, uint32_t bits)
{
    __atomic_and_fetch(&c->pending, ~bits, __ATOMIC_SEQ_CST);
}

/* ---- code and memory: all groups, since RAM addresses are global ---- */

static GMutex groups_mutex;
static GSList *groups;

static bool code_has(uint64_t page)
{
    for (GSList *l = groups; l; l = l->next)
        if (blk_tracked(((CpuGroup *)l->data)->tcg, page))
            return true;
    return false;
}

static void code_wrote(uint64_t ram, unsigned len)
{
    for (GSList *l = groups; l; l = l->next)
        blk_wrote(((CpuGroup *)l->data)->tcg, ram, len);
}

static void code_protect(void)
{
    for (GSList *l = groups; l; l = l->next) {
        CpuGroup *g = l->data;
        for (unsigned i = 0; i < g->n; i++) {
            if (g->cpu[i] == cpu_current())
                tlb_unwrite_all(g->cpu[i]);
            else
                cpu_interrupt(g->cpu[i], CPU_IRQ_FLUSH);
        }
    }
}

static const MemCodeOps code_ops = { code_has, code_wrote, code_protect };

/* The flat view of memory changed: every translation from gpa to host may be stale. */
static void memory_changed(void *opaque)
{
    CpuGroup *g = opaque;
    for (unsigned i = 0; i < g->n; i++) {
        if (g->cpu[i] == cpu_current())
            tlb_flush(g->cpu[i]);
        else
            cpu_interrupt(g->cpu[i], CPU_IRQ_FLUSH);
    }
}

/* ---- groups ---- */

static bool vcpu_new(CpuGroup *g, unsigned i, const char *model, GError **err)
{
    Vcpu *c = (Vcpu *)env_alloc();
    c->arch = g->arch;
    c->group = g;
    c->tcg = g->tcg;
    c->mem = g->mem;
    c->io = g->io;
    c->index = i;
    g_mutex_init(&c->mutex);
    g_cond_init(&c->cond);
    c->tlb = tlb_extra_new();
    g->cpu[g->n++] = c;
    g->tcg->envs[i] = &c->env;
    g->tcg->nenvs = g->n;
    return g->arch->set_model(c, model, err);
}

CpuGroup *cpus_new(const CpuArch *arch, unsigned n, const char *model, AddressSpace *mem, AddressSpace *io,
                   const TcgOptions *opt, GError **err)
{
    static gsize once;
    if (g_once_init_enter(&once)) {
        tlb_runtime(&runtime);
        exec_runtime(&runtime);
        g_once_init_leave(&once, 1);
    }
    if (arch->init)
        arch->init();
    CpuGroup *g = g_new0(CpuGroup, 1);
    g->arch = arch;
    g->mem = mem;
    g->io = io;
    g->one_insn = opt->one_insn;
    g_mutex_init(&g->mutex);
    g_cond_init(&g->cond);
    g->tcg = tcg_new(arch->ir, &runtime, opt->interp, opt->buf_size, err);
    if (!g->tcg) {
        g_free(g);
        return NULL;
    }
    g->cpu = g_new0(Vcpu *, n);
    g->tcg->envs = g_new0(TcgEnv *, n);
    for (unsigned i = 0; i < n; i++)
        if (!vcpu_new(g, i, model, err)) {
            cpus_free(g);
            return NULL;
        }
    g_mutex_lock(&groups_mutex);
    groups = g_slist_append(groups, g);
    mem_code_ops = &code_ops;
    g_mutex_unlock(&groups_mutex);
    as_on_change(mem, memory_changed, g);
    cpus_reset(g);
    return g;
}

void cpus_free(CpuGroup *g)
{
    if (!g)
        return;
    g_mutex_lock(&g->mutex);
    __atomic_store_n(&g->running, false, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < g->n; i++)
        __atomic_store_n(&g->cpu[i]->quit, true, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&g->cond);
    g_mutex_unlock(&g->mutex);
    bool locked = machine_locked();
    if (locked)
        machine_unlock();
    for (unsigned i = 0; i < g->n; i++) {
        cpu_kick(g->cpu[i]);
        if (g->cpu[i]->thread)
            g_thread_join(g->cpu[i]->thread);
    }
    if (locked)
        machine_lock();
    g_mutex_lock(&groups_mutex);
    groups = g_slist_remove(groups, g);
    g_mutex_unlock(&groups_mutex);
    GFreeFunc gone = g_free;
    gone(g->tcg->envs);
    g->tcg->envs = NULL;
    g->tcg->nenvs = 0;
    tcg_free(g->tcg);
    for (unsigned i = 0; i < g->n; i++) {
        Vcpu *c = g->cpu[i];
        tlb_extra_free(c->tlb);
        if (c->single)
            ir_unit_free(c->single);
        g_mutex_clear(&c->mutex);
        g_cond_clear(&c->cond);
        env_free(&c->env);
    }
    g_mutex_clear(&g->mutex);
    g_cond_clear(&g->cond);
    g_free(g->cpu);
    g_free(g);
}

void cpus_start(CpuGroup *g)
{
    for (unsigned i = 0; i < g->n; i++) {
        char name[16];
        g_snprintf(name, sizeof name, "vcpu-%u", i);
        g->cpu[i]->thread = g_thread_new(name, exec_thread, g->cpu[i]);
    }
}

void cpus_resume(CpuGroup *g)
{
    g_mutex_lock(&g->mutex);
    __atomic_store_n(&g->running, true, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&g->cond);
    g_mutex_unlock(&g->mutex);
}

void cpus_pause(CpuGroup *g)
{
    __atomic_store_n(&g->running, false, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < g->n; i++)
        cpu_kick(g->cpu[i]);
    bool locked = machine_locked();
    if (locked)
        machine_unlock();
    g_mutex_lock(&g->mutex);
    for (unsigned i = 0; i < g->n; i++)
        while (g->cpu[i]->thread && !g->cpu[i]->stopped)
            g_cond_wait(&g->cond, &g->mutex);
    g_mutex_unlock(&g->mutex);
    if (locked)
        machine_lock();
}

void cpus_reset(CpuGroup *g)
{
    for (unsigned i = 0; i < g->n; i++) {
        Vcpu *c = g->cpu[i];
        c->halted = false;
        c->powered_off = i != 0;
        __atomic_store_n(&c->pending, 0, __ATOMIC_SEQ_CST);
        c->one_shot = false;
        g->arch->reset(c);
        tlb_flush(c);
    }
}

/* ---- statistics ---- */

void cpu_print_jit(CpuGroup *g, GString *out)
{
    const TcgStats *s = &g->tcg->stats;
    TcgScratch sum = { 0 };
    for (unsigned i = 0; i < g->n; i++) {
        const TcgScratch *v = env_scratch(&g->cpu[i]->env);
        sum.n_lookup += v->n_lookup;
        sum.n_jc_miss += v->n_jc_miss;
        sum.n_tlb_miss += v->n_tlb_miss;
        sum.n_tlb_refill += v->n_tlb_refill;
        sum.n_chain += v->n_chain;
        sum.n_loop_exits += v->n_loop_exits;
        sum.n_helper += v->n_helper;
    }
    double insns = s->guest_insns ? (double)s->guest_insns : 1, blocks = s->blocks ? (double)s->blocks : 1;
#define N G_GUINT64_FORMAT
    g_string_append_printf(out, "engine              %s\n", g->tcg->interp ? "interp" : "jit");
    g_string_append_printf(out, "blocks translated   %" N "\n", s->blocks);
    g_string_append_printf(out, "guest instructions  %" N " (%.1f a block, %.1f bytes each)\n", s->guest_insns,
                           (double)s->guest_insns / blocks, (double)s->guest_bytes / insns);
    g_string_append_printf(out, "IR ops              %" N " (%.1f an instruction)\n", s->ir_ops, (double)s->ir_ops / insns);
    g_string_append_printf(out, "host instructions   %" N " (%.1f an instruction, %.1f bytes)\n", s->host_insns,
                           (double)s->host_insns / insns, (double)s->host_bytes / insns);
    g_string_append_printf(out, "translation time    %.1f ms (%.0f ns an instruction)\n", (double)s->xlat_ns / 1e6,
                           (double)s->xlat_ns / insns);
    if (g->tcg->buf)
        g_string_append_printf(out, "code buffer in use  %" N " KiB\n", (guint64)code_used(g->tcg->buf) >> 10);
    g_string_append_printf(out, "blocks dropped      %" N " by stores, %" N " by eviction\n", s->dropped_smc, s->dropped_evict);
    g_string_append_printf(out, "block lookups in C  %" N " (%" N " jump-cache misses, %" N " exits linked)\n", sum.n_lookup,
                           sum.n_jc_miss, sum.n_chain);
    g_string_append_printf(out, "TLB misses          %" N " (%" N " refilled from the second level)\n", sum.n_tlb_miss,
                           sum.n_tlb_refill);
    g_string_append_printf(out, "returns to the loop %" N "\n", sum.n_loop_exits);
#undef N
}
