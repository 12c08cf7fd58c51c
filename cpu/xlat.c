/* Builds one unit: fetches guest code, lets the arch emit IR for instruction
 * after instruction, closes the unit, runs the passes, hands it to the cache.
 *
 * A unit ends where the arch says, at the instruction limit, and before an
 * instruction that touches the next guest page, unless that is its first:
 * then it is a unit of its own which covers two pages.
 *
 * Tracking (tcg/cache.c): a page is made known as a code page before its
 * bytes are read. That may need all other vcpus to stand still, so it happens
 * outside the translation lock; meeting an untracked second page inside backs
 * out and starts again.
 */
#include "cpu/xlat.h"

#include <string.h>
#include <time.h>

#include "cpu/exec.h"
#include "cpu/tlb.h"
#include "util/bits.h"
#include "util/ldst.h"
#include "util/log.h"

enum { PAGE = 1 << TLB_PAGE_BITS, MAX_INSNS = 64 };
#define PAGE_MASK (~(uint64_t)(PAGE - 1))

enum { STOP_BEFORE = 1, STOP_FAULT, STOP_TRACK };        /* siglongjmp values of Xlat.fault */

/* Everything of the builder's state that an abandoned instruction must give back. */
typedef struct Mark {
    unsigned nops, nvals, nexits, ninsns;
    IrVal cur[IR_MAX_REGS];
} Mark;

/* Per translation; lives on the stack of the driver. */
typedef struct Driver {
    Xlat x;
    Fault fault;
    uint64_t want_track;                 /* STOP_TRACK: RAM page */
    uint64_t pc_val;                     /* x.pc as a value of the pc register */
    bool cached;                         /* pages must be tracked */
    uint64_t arch_data[XLAT_ARCH_SIZE / 8];
} Driver;

static void mark_take(const IrUnit *u, Mark *m)
{
    m->nops = u->nops;
    m->nvals = u->nvals;
    m->nexits = u->nexits;
    m->ninsns = u->ninsns;
    memcpy(m->cur, u->cur, u->arch->nregs * sizeof u->cur[0]);
}

static void mark_restore(IrUnit *u, const Mark *m)
{
    u->nops = m->nops;
    u->nvals = m->nvals;
    u->nexits = m->nexits;
    u->ninsns = m->ninsns;
    u->overflow = false;
    u->ended = false;
    memcpy(u->cur, m->cur, u->arch->nregs * sizeof u->cur[0]);
}

/* Opens the second page. */
static void second_page(Driver *d, uint64_t gva)
{
    Xlat *x = &d->x;
    TlbHit h;
    if (x->ninsns)
        siglongjmp(x->fault, STOP_BEFORE);
    if (!tlb_find(x->cpu, gva, ACCESS_EXEC, x->u->tlb_mode, &h, &d->fault))
        siglongjmp(x->fault, STOP_FAULT);
    x->page_gva[1] = gva & PAGE_MASK;
    x->page_ram[1] = h.io ? UINT64_MAX : h.ram & PAGE_MASK;
    x->page_host[1] = h.io ? NULL : h.host - (gva & (PAGE - 1));
    if (!h.io && d->cached && !blk_tracked(x->cpu->tcg, x->page_ram[1])) {
        d->want_track = x->page_ram[1];
        siglongjmp(x->fault, STOP_TRACK);
    }
    if (!h.io && d->cached)
        blk_busy(x->cpu->tcg, x->page_ram[1], true);
}

static uint8_t fetch8(Driver *d, uint64_t gva)
{
    Xlat *x = &d->x;
    unsigned k = (gva & PAGE_MASK) == x->page_gva[0] ? 0 : 1;
    if (k && x->page_gva[1] != (gva & PAGE_MASK))
        second_page(d, gva);
    if (x->page_host[k])
        return x->page_host[k][gva & (PAGE - 1)];
    Mapping m;
    if (!x->cpu->arch->walk(x->cpu, gva, ACCESS_EXEC, x->u->tlb_mode, true, &m, &d->fault))
        siglongjmp(x->fault, STOP_FAULT);
    return (uint8_t)as_ld(x->cpu->mem, (m.gpa & PAGE_MASK) | (gva & (PAGE - 1)), 1);
}

uint64_t xlat_fetch(Xlat *x, uint64_t gva, unsigned n)
{
    if (G_LIKELY((gva & PAGE_MASK) == x->page_gva[0] && (gva & (PAGE - 1)) + n <= PAGE && x->page_host[0]))
        return ld_le(x->page_host[0] + (gva & (PAGE - 1)), n);
    Driver *d = container_of(x, Driver, x);
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)fetch8(d, gva + i) << (i * 8);
    return v;
}

/* Leaves the unit by a direct exit to the linear address pc, which is val in the pc register. */
static void close_unit(Xlat *x, uint64_t pc, uint64_t val)
{
    IrExit e = { .kind = IRX_DIRECT, .pc = val };
    if (!xlat_same_page(x, pc))
        e.flags |= IRX_CROSS;
    ir_exit(x->u, ir_exit_new(x->u, e));
}

static void log_in(const Xlat *x)
{
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "IN: pc=0x%" G_GINT64_MODIFIER "x flags=0x%" G_GINT64_MODIFIER "x\n", x->key.pc, x->key.flags);
    for (uint64_t pc = x->key.pc; pc < x->next;) {
        g_string_append_printf(s, "0x%08" G_GINT64_MODIFIER "x:  ", pc);
        unsigned n = x->cpu->arch->disas(x->cpu, pc, s);
        g_string_append_c(s, '\n');
        pc += n ? n : 1;
    }
    log_printf("%s", s->str);
    g_string_free(s, TRUE);
}

static void log_ir(const char *what, const IrUnit *u)
{
    GString *s = g_string_new(NULL);
    ir_print(u, s);
    log_printf("%s:\n%s", what, s->str);
    g_string_free(s, TRUE);
}

/* Fills x.u. 0, STOP_FAULT or STOP_TRACK. */
static int build(Driver *d, Vcpu *c, CodeKey k, unsigned max_insns, IrUnit *u)
{
    Xlat *x = &d->x;
    Mark mark;
    ir_unit_reset(u);
    u->tlb_mode = c->arch->exec_mode(k.flags);
    u->pc_bias = c->arch->pc_bias(k.flags);
    x->u = u;
    x->cpu = c;
    x->key = k;
    x->pc = x->next = k.pc;
    x->max_insns = max_insns;
    x->arch = d->arch_data;
    mark_take(u, &mark);
    int stop = sigsetjmp(x->fault, 0);
    if (stop == STOP_FAULT || stop == STOP_TRACK)
        return stop;
    if (stop == STOP_BEFORE) {
        mark_restore(u, &mark);
        x->next = x->pc;
        close_unit(x, x->pc, d->pc_val);
    } else {
        while (!x->end) {
            x->pc = x->next;
            d->pc_val = x->next_val;
            mark_take(u, &mark);
            c->arch->translate_insn(x);
            if (u->overflow) {
                g_assert(x->ninsns);     /* one instruction always fits */
                mark_restore(u, &mark);
                x->next = x->pc;
                close_unit(x, x->pc, d->pc_val);
                break;
            }
            x->ninsns++;
            if (x->end || u->ended)
                break;
            if (x->stop_after || x->ninsns >= x->max_insns || !xlat_same_page(x, x->next) ||
                u->nops > IR_MAX_OPS / 2 || u->nexits > IR_MAX_EXITS / 2) {
                close_unit(x, x->next, x->next_val);
                break;
            }
        }
    }
    if (log_on(LOG_IN))
        log_in(x);
    if (log_on(LOG_IR))
        log_ir("IR", u);
    ir_dead(u);
    if (log_on(LOG_OPT))
        log_ir("OPT", u);
    return 0;
}

/* Makes stores to the page visible to blk_wrote on every vcpu. */
static void track(Vcpu *c, uint64_t ram_page)
{
    if (!blk_track(c->tcg, ram_page))
        return;
    uint32_t writers = blk_writers_take(c->tcg, ram_page);
    CpuGroup *g = c->group;
    bool others = false;
    for (unsigned i = 0; i < g->n; i++)
        others |= i != c->index && (writers >> MIN(i, 31) & 1);
    if (others) {
        exec_exclusive_begin(c);
        for (unsigned i = 0; i < g->n; i++)
            if (writers >> MIN(i, 31) & 1)
                tlb_unwrite(g->cpu[i], ram_page);
        exec_exclusive_end(c);
    } else if (writers) {
        tlb_unwrite(c, ram_page);
    }
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void first_page(Xlat *x, CodeKey k, uint64_t ram)
{
    x->page_gva[0] = k.pc & PAGE_MASK;
    x->page_gva[1] = UINT64_MAX;
    x->page_ram[0] = ram & PAGE_MASK;
    x->page_host[0] = ram == UINT64_MAX ? NULL : mem_ram_host(ram & PAGE_MASK);
}

bool xlat_block(Vcpu *c, CodeKey k, uint64_t ram, uint64_t second, Fault *f)
{
    TcgCtx *t = c->tcg;
    uint64_t page = ram & PAGE_MASK;
    for (;;) {
        Driver d;
        memset(&d.x, 0, offsetof(Xlat, fault));
        memset(d.arch_data, 0, sizeof d.arch_data);
        d.cached = true;
        track(c, page);
        if (second != UINT64_MAX)
            track(c, second);
        g_mutex_lock(&t->lock);
        if (!blk_tracked(t, page)) {     /* its last block went meanwhile */
            g_mutex_unlock(&t->lock);
            continue;
        }
        Block *old = blk_find(t, k.pc, k.flags, ram);
        if (old && (second == UINT64_MAX || blk_find_second(t, old, second))) {
            g_mutex_unlock(&t->lock);
            return true;
        }
        int64_t begin = now_ns();
        if (!t->unit)
            t->unit = ir_unit_new(t->arch);
        first_page(&d.x, k, ram);
        blk_busy(t, page, true);
        int stop = build(&d, c, k, c->group->one_insn ? 1 : MAX_INSNS, t->unit);
        Block *b = NULL;
        bool spans = d.x.page_gva[1] != UINT64_MAX && d.x.page_host[1];
        if (!stop)
            b = blk_add(t, t->unit, k.pc, k.flags, ram, spans ? d.x.page_ram[1] : UINT64_MAX, (uint32_t)(d.x.next - k.pc));
        if (b && log_on(LOG_HOST) && b->code) {
            GString *s = g_string_new(NULL);
            host_disas(b->code, b->code_size, s);
            log_printf("HOST:\n%s", s->str);
            g_string_free(s, TRUE);
        }
        blk_busy(t, page, false);
        if (spans)
            blk_busy(t, d.x.page_ram[1], false);
        t->stats.xlat_ns += (uint64_t)(now_ns() - begin);
        g_mutex_unlock(&t->lock);
        if (b)
            return true;
        if (stop == STOP_FAULT) {
            *f = d.fault;
            return false;
        }
        if (stop == STOP_TRACK) {
            second = d.want_track;
        } else {                         /* no room */
            exec_exclusive_begin(c);
            g_mutex_lock(&t->lock);
            blk_evict(t);
            c->group->evictions++;
            g_mutex_unlock(&t->lock);
            exec_exclusive_end(c);
        }
    }
}

IrUnit *xlat_single(Vcpu *c, CodeKey k, uint64_t ram, Fault *f)
{
    Driver d;
    memset(&d.x, 0, offsetof(Xlat, fault));
    memset(d.arch_data, 0, sizeof d.arch_data);
    d.cached = false;
    if (!c->single)
        c->single = ir_unit_new(c->tcg->arch);
    first_page(&d.x, k, ram);
    if (build(&d, c, k, 1, c->single)) {
        *f = d.fault;
        return NULL;
    }
    return c->single;
}
