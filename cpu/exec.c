/* The execution loop of a vcpu thread.
 *
 *   service()   pending interrupts, halts, stop requests, work from other threads: only here, with complete state
 *   find()      (pc, mode) -> block, translating if need be
 *   host_enter / interp_run
 *
 * Generated code comes back for unlinked exits (rt_chain) and jump-cache misses (rt_lookup) without leaving the host
 * frame; everything else unwinds or returns to the loop.
 *
 * Safe points.  Vcpu.in_guest says that the thread may hold pointers into blocks, generated code or TLBs.  A thread
 * that wants them all out (exclusive) sets group->exclusive, kicks, and waits for every in_guest to fall. Whoever
 * leaves the guest, even for a moment, may find blocks freed when it is back: hence find() looks up again.
 */
#include "cpu/exec.h"

#include <string.h>
#include <sys/prctl.h>

#include "cpu/tlb.h"
#include "util/bits.h"
#include "util/lock.h"
#include "util/log.h"

static __thread Vcpu *current;

Vcpu *cpu_current(void)
{
    return current;
}

/* ---- safe points ---- */

void exec_enter(Vcpu *c)
{
    for (;;) {
        /* pairs with exclusive_begin: one of the two sees the other */
        __atomic_store_n(&c->in_guest, true, __ATOMIC_SEQ_CST);
        if (G_LIKELY(!__atomic_load_n(&c->group->exclusive, __ATOMIC_SEQ_CST)))
            return;
        exec_leave(c);
        g_mutex_lock(&c->group->mutex);
        while (c->group->exclusive)
            g_cond_wait(&c->group->cond, &c->group->mutex);
        g_mutex_unlock(&c->group->mutex);
    }
}

void exec_leave(Vcpu *c)
{
    __atomic_store_n(&c->in_guest, false, __ATOMIC_SEQ_CST);
}

void exec_exclusive_begin(Vcpu *c)
{
    CpuGroup *g = c->group;
    g_mutex_lock(&g->mutex);
    while (g->exclusive)
        g_cond_wait(&g->cond, &g->mutex);
    __atomic_store_n(&g->exclusive, true, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&g->mutex);
    for (unsigned i = 0; i < g->n; i++) {
        Vcpu *o = g->cpu[i];
        if (o == c)
            continue;
        __atomic_store_n(&o->env.exit_request, 1, __ATOMIC_SEQ_CST);
        for (unsigned spin = 0; __atomic_load_n(&o->in_guest, __ATOMIC_SEQ_CST); spin++)
            if (spin > 200)
                g_thread_yield();
    }
}

void exec_exclusive_end(Vcpu *c)
{
    CpuGroup *g = c->group;
    g_mutex_lock(&g->mutex);
    __atomic_store_n(&g->exclusive, false, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&g->cond);
    g_mutex_unlock(&g->mutex);
}

/* ---- leaving a unit from C ---- */

/* Guest vectors may still be live in host registers here. */
RHEA_GPR_ONLY static void abandon(Vcpu *c, bool sync)
{
    if (c->in_code == IN_CODE_SITE && sync)
        tcg_sync(c->tcg, &c->env);
    if (c->in_code != IN_CODE_NO)
        host_abandon(c->tcg, &c->env);
    c->in_code = IN_CODE_NO;
}

static void raise_and_unwind(Vcpu *c, const Fault *f) __attribute__((noreturn));
static void raise_and_unwind(Vcpu *c, const Fault *f)
{
    c->arch->raise(c, f);
    siglongjmp(c->unwind, 1);
}

RHEA_GPR_ONLY void cpu_raise(Vcpu *c, const Fault *f)
{
    abandon(c, true);
    raise_and_unwind(c, f);
}

RHEA_GPR_ONLY void cpu_loop_exit(Vcpu *c)
{
    abandon(c, false);
    siglongjmp(c->unwind, 1);
}

void cpu_sync(Vcpu *c)
{
    if (c->in_code == IN_CODE_SITE)
        tcg_sync(c->tcg, &c->env);
}

static bool overlaps(const Block *b, uint64_t ram, unsigned len)
{
    uint64_t first = MIN(b->size, (1u << TLB_PAGE_BITS) - (b->gpa & ((1 << TLB_PAGE_BITS) - 1)));
    if (ram < b->gpa + first && b->gpa < ram + len)
        return true;
    return b->gpa2 != UINT64_MAX && ram < b->gpa2 + (b->size - first) && b->gpa2 < ram + len;
}

void exec_before_write(Vcpu *c, uint64_t ram, unsigned len)
{
    if (!blk_hit(c->tcg, ram, len))
        return;
    const Block *b = c->cur;
    if (c->in_code == IN_CODE_SITE)
        b = code_find(c->tcg->buf, env_scratch(&c->env)->site);
    if (!b || b->ninsns < 2 || !overlaps(b, ram, len))
        return;
    c->one_shot = true;
    abandon(c, true);
    siglongjmp(c->unwind, 1);
}

void exec_before_write_gva(Vcpu *c, uint64_t gva, unsigned len, unsigned mode)
{
    Fault f;
    TlbHit h;
    for (unsigned k = 0; k < 2; k++) {
        uint64_t a = k ? gva + len - 1 : gva;
        if (tlb_find(c, a, ACCESS_WRITE, mode, &h, &f) && !h.io && h.noisy)
            exec_before_write(c, h.ram - (k ? len - 1 : 0), len);
        if ((gva ^ (gva + len - 1)) >> TLB_PAGE_BITS == 0)
            break;
    }
}

/* ---- finding blocks ---- */

/* RAM address of the instruction at pc; fills the exec TLB.  false: code is not in RAM (*ram is then UINT64_MAX). */
static bool code_address(Vcpu *c, uint64_t pc, uint64_t flags, uint64_t *ram)
{
    unsigned mode = c->arch->exec_mode(flags);
    const TlbEntry *e = &env_tlb(&c->env, mode, TLB_EXEC)[tlb_index(pc)];
    if (e->tag != tlb_never(tlb_index(pc)) && e->tag >> 28 == (pc << 16) >> 28) {
        *ram = (e->tag & ((1u << 28) - 1)) << TLB_PAGE_BITS | (pc & ((1 << TLB_PAGE_BITS) - 1));
        return true;
    }
    TlbHit h;
    Fault f;
    if ((int64_t)(pc << 16) >> 16 != (int64_t)pc) {      /* the tag holds 48 bits: the arch refuses the rest */
        Mapping m;
        if (!c->arch->walk(c, pc, ACCESS_EXEC, mode, true, &m, &f))
            cpu_raise(c, &f);
    }
    if (!tlb_find(c, pc, ACCESS_EXEC, mode, &h, &f))
        cpu_raise(c, &f);
    *ram = h.io ? UINT64_MAX : h.ram;
    return !h.io;
}

/* The block for the vcpu's pc and mode; NULL if the code is not in RAM.  May raise. */
static Block *find(Vcpu *c, CodeKey k)
{
    uint64_t ram;
    TcgScratch *s = env_scratch(&c->env);
    s->n_lookup++;
    for (;;) {
        if (!code_address(c, k.pc, k.flags, &ram))
            return NULL;
        Block *b = blk_find(c->tcg, k.pc, k.flags, ram);
        uint64_t second = UINT64_MAX;
        if (G_UNLIKELY(b && b->gpa2 != UINT64_MAX)) {    /* its second page must be mapped, and to the same memory */
            uint64_t next = (k.pc | ((1 << TLB_PAGE_BITS) - 1)) + 1;
            if (c->arch->pc_bias(k.flags))
                next &= 0xffffffff;
            code_address(c, next, k.flags, &second);
            b = blk_find_second(c->tcg, b, second);
        }
        if (G_LIKELY(b))
            return b;
        Fault f;
        exec_leave(c);
        bool ok = xlat_block(c, k, ram, second, &f);
        exec_enter(c);
        if (!ok)
            cpu_raise(c, &f);
    }
}

/* A hint only, as in generated code: service() looks with order. */
static bool exit_requested(const TcgEnv *env)
{
    return __atomic_load_n(&env->exit_request, __ATOMIC_RELAXED);
}

static bool traced(void)
{
    return log_on(LOG_EXEC | LOG_CPU);
}

/* Generated code wants to go on at the vcpu's pc. NULL: through the loop. */
static const void *rt_lookup(TcgEnv *env)
{
    Vcpu *c = env_vcpu(env);
    uint8_t outer = c->in_code;
    if (exit_requested(env) || traced())
        return NULL;
    env_scratch(env)->n_jc_miss++;
    c->in_code = IN_CODE_COMPLETE;
    CodeKey k = c->arch->key(c);
    Block *b = find(c, k);
    c->in_code = outer;
    if (!b)
        return NULL;
    JumpCacheEntry *e = &env_jc(env)[jc_index(k.pc)];
    tlb_note_jump(c, k.pc);
    __atomic_store_n(&e->code, b->code, __ATOMIC_RELAXED);
    __atomic_store_n(&e->tag, k.pc ^ env->jc_salt, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&b->dead, __ATOMIC_SEQ_CST))     /* pairs with drop(): it or we see the other */
        __atomic_store_n(&e->tag, tlb_never(jc_index(k.pc)), __ATOMIC_RELAXED);
    return b->code;
}

/* Not if the mode is not that of j's block: it may have changed inside only by ways that do not end in a direct exit. */
static void link_exit(Vcpu *c, Jump *j, Block *b, uint64_t flags)
{
    g_mutex_lock(&c->tcg->lock);
    bool cross = j->flags & IRX_CROSS;
    if (j->from->flags == flags && (!cross || host_xentry(c->tcg, b)))
        blk_link(c->tcg, j, b, cross ? b->xcode : b->code);
    g_mutex_unlock(&c->tcg->lock);
}

static const void *rt_chain(TcgEnv *env, Jump *j)
{
    Vcpu *c = env_vcpu(env);
    uint8_t outer = c->in_code;
    uint64_t evictions = c->group->evictions;
    if (exit_requested(env) || traced())
        return NULL;
    env_scratch(env)->n_chain++;
    c->in_code = IN_CODE_COMPLETE;
    CodeKey k = c->arch->key(c);
    Block *b = find(c, k);
    c->in_code = outer;
    if (!b)
        return NULL;
    if (evictions == c->group->evictions)
        link_exit(c, j, b, k.flags);
    return b->code;
}

static void rt_arith(TcgEnv *env) __attribute__((noreturn));
static void rt_arith(TcgEnv *env)
{
    Vcpu *c = env_vcpu(env);
    Fault f = { 0 };
    c->arch->divide_error(c, &f);
    cpu_raise(c, &f);
}

void exec_runtime(TcgRuntime *rt)
{
    rt->chain = rt_chain;
    rt->lookup = rt_lookup;
    rt->arith = rt_arith;
}

/* ---- the loop ---- */

static void set_pc(Vcpu *c, uint64_t pc)
{
    *(uint64_t *)(void *)((char *)c + c->arch->ir->regs[c->arch->ir->pc_reg].offset) = pc;
}

static void run_unit(Vcpu *c, const IrUnit *u)
{
    uint64_t pc;
    unsigned x = interp_run(c->tcg, &c->env, u, &pc);
    c->cur = NULL;
    switch (u->exits[x].kind) {
    case IRX_DIRECT:
    case IRX_INDIRECT:
    case IRX_LOOP:
        set_pc(c, pc);
        break;
    default:
        break;
    }
}

static void run_single(Vcpu *c, CodeKey k)
{
    uint64_t ram;
    Fault f;
    code_address(c, k.pc, k.flags, &ram);
    IrUnit *u = xlat_single(c, k, ram, &f);
    if (!u)
        cpu_raise(c, &f);
    run_unit(c, u);
}

static void log_exec(Vcpu *c, CodeKey k)
{
    if (log_on(LOG_EXEC))
        log_printf("Trace %u: pc=0x%" G_GINT64_MODIFIER "x flags=0x%" G_GINT64_MODIFIER "x\n", c->index, k.pc, k.flags);
    if (log_on(LOG_CPU)) {
        GString *s = g_string_new(NULL);
        c->arch->print_regs(c, s);
        log_printf("%s", s->str);
        g_string_free(s, TRUE);
    }
}

static void step(Vcpu *c)
{
    CodeKey k = c->arch->key(c);
    if (G_UNLIKELY(traced()))
        log_exec(c, k);
    if (G_UNLIKELY(c->one_shot)) {
        c->one_shot = false;
        run_single(c, k);
        return;
    }
    Block *b = find(c, k);
    if (!b) {
        run_single(c, k);
    } else if (c->tcg->interp) {
        c->cur = b;
        run_unit(c, b->ir);
    } else {
        c->in_code = IN_CODE_SITE;
        host_enter(c->tcg, &c->env, b->code);
        c->in_code = IN_CODE_NO;
        env_scratch(&c->env)->n_loop_exits++;
    }
}

/* Work queued by cpu_run_on, and the stop request. False: stand still. */
typedef struct Work {
    void (*fn)(Vcpu *, void *);
    void *arg;
    bool done, wait;
} Work;

static void run_work(Vcpu *c)
{
    CpuGroup *g = c->group;
    g_mutex_lock(&g->mutex);
    while (c->work) {
        Work *w = c->work->data;
        c->work = g_slist_delete_link(c->work, c->work);
        g_mutex_unlock(&g->mutex);
        w->fn(c, w->arg);
        g_mutex_lock(&g->mutex);
        if (w->wait) {
            w->done = true;
            g_cond_broadcast(&g->cond);
        } else {
            g_free(w);
        }
    }
    g_mutex_unlock(&g->mutex);
}

void cpu_run_on(Vcpu *c, void (*fn)(Vcpu *, void *), void *arg, bool wait)
{
    CpuGroup *g = c->group;
    if (c == current || !c->thread) {
        fn(c, arg);
        return;
    }
    Work *w = g_new0(Work, 1);
    *w = (Work){ fn, arg, false, wait };
    g_mutex_lock(&g->mutex);
    c->work = g_slist_append(c->work, w);
    g_mutex_unlock(&g->mutex);
    cpu_interrupt(c, CPU_IRQ_STOP);
    if (!wait)
        return;
    bool locked = machine_locked();
    if (locked)
        machine_unlock();
    g_mutex_lock(&g->mutex);
    while (!w->done)
        g_cond_wait(&g->cond, &g->mutex);
    g_mutex_unlock(&g->mutex);
    if (locked)
        machine_lock();
    g_free(w);
}

static bool idle(const Vcpu *c)
{
    return (c->halted || c->powered_off) && !c->arch->has_work(c);
}

static void wait_for_work(Vcpu *c)
{
    g_mutex_lock(&c->mutex);
    while (!__atomic_load_n(&c->env.exit_request, __ATOMIC_SEQ_CST))
        g_cond_wait(&c->cond, &c->mutex);
    g_mutex_unlock(&c->mutex);
}

static bool may_run(const CpuGroup *g)
{
    return __atomic_load_n(&g->running, __ATOMIC_SEQ_CST);
}

/* Outside the guest.  False: the vcpu is to stand still. */
static bool service(Vcpu *c)
{
    for (;;) {
        /* then pending: a bit set after this load sets exit_request again */
        __atomic_store_n(&c->env.exit_request, 0, __ATOMIC_SEQ_CST);
        uint32_t p = __atomic_load_n(&c->pending, __ATOMIC_SEQ_CST);
        if (p & CPU_IRQ_STOP) {
            cpu_interrupt_clear(c, CPU_IRQ_STOP);
            run_work(c);
        }
        if (!may_run(c->group) || __atomic_load_n(&c->quit, __ATOMIC_SEQ_CST))
            return false;
        if (p & CPU_IRQ_FLUSH) {
            cpu_interrupt_clear(c, CPU_IRQ_FLUSH);
            exec_enter(c);
            tlb_flush(c);
            exec_leave(c);
        }
        if (p & ~(uint32_t)(CPU_IRQ_STOP | CPU_IRQ_FLUSH)) {
            exec_enter(c);
            machine_lock();
            if ((c->halted || c->powered_off) && c->arch->has_work(c))
                c->halted = false;
            c->arch->poll_irq(c);
            machine_unlock();
            exec_leave(c);
        }
        if (!idle(c)) {
            c->halted = false;
            return true;
        }
        wait_for_work(c);
    }
}

/* Until the vcpu is to stand still. */
static void run(Vcpu *c)
{
    if (sigsetjmp(c->unwind, 0)) {
        while (machine_locked())
            machine_unlock();
        c->in_code = IN_CODE_NO;
        c->cur = NULL;
    }
    for (;;) {
        exec_leave(c);
        if ((__atomic_load_n(&c->env.exit_request, __ATOMIC_SEQ_CST) || c->halted || c->powered_off) && !service(c))
            return;
        exec_enter(c);
        do
            step(c);
        while (!exit_requested(&c->env) && !c->halted);
    }
}

void *exec_thread(void *vcpu)
{
    Vcpu *c = vcpu;
    CpuGroup *g = c->group;
    char name[16];
    current = c;
    g_snprintf(name, sizeof name, "vcpu-%u", c->index);
    prctl(PR_SET_NAME, name);
    for (;;) {
        g_mutex_lock(&g->mutex);
        c->stopped = true;
        g_cond_broadcast(&g->cond);
        while (!may_run(g) && !c->quit && !c->work)
            g_cond_wait(&g->cond, &g->mutex);
        bool quit = c->quit, go = may_run(g);            /* not to run when only work woke it: `stopped` says so */
        c->stopped = !go;
        g_mutex_unlock(&g->mutex);
        if (quit)
            return NULL;
        run_work(c);
        if (go) {
            __atomic_store_n(&c->env.exit_request, 1, __ATOMIC_SEQ_CST);
            run(c);
        }
    }
}
