/* Local APIC, one per vcpu, as xAPIC (memory-mapped) or x2APIC (MSRs).
 * Source: Intel SDM volume 3, chapter 11 (APIC): 11.4 registers, 11.5 local
 * vector table and timer, 11.6 IPIs, 11.8 handling, 11.12 x2APIC.
 *
 *   I/O APIC ---+                     +--> IRR --> PPR --> vcpu (CPU_IRQ_HARD)
 *   MSI --------+--> apic_deliver --> +--> INIT, SIPI, NMI, SMI --> vcpu
 *   ICR --------+
 *   8259 -----> LINT0 of every APIC (ExtINT) --> vcpu, vector from the 8259
 *
 * Registers are reached through reg_read/reg_write by number (offset / 16),
 * which both the page at FEE00000h and MSRs 800h.. use.  The page is the same
 * physical address for all: the accessing vcpu says whose it is; a write that
 * comes from no vcpu, or outside the first 4 KiB, is an interrupt message.
 *
 * has_int says whether something can be delivered now; vcpus read it without
 * the machine lock (pairs with the store in update()).
 *
 * Left out: moving the page away from its default address, thermal and
 * performance LVT sources (the registers exist), EOI suppression, logical
 * arbitration.  The bus clock is 1 GHz, so a timer count at divisor 1 is a ns. */
#include "hw/intc/apic.h"

#include <string.h>

#include "cpu/x86/sys.h"
#include "hw/core/machine.h"
#include "hw/intc/i8259.h"
#include "util/bits.h"
#include "util/lock.h"

/* register numbers: offset in the page / 16 */
enum {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b, REG_RRD = 0x0c,
    REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28,
    REG_CMCI = 0x2f, REG_ICR_LO = 0x30, REG_ICR_HI = 0x31, REG_LVT = 0x32, REG_TIMER_ICR = 0x38, REG_TIMER_CCR = 0x39,
    REG_TIMER_DCR = 0x3e, REG_SELF_IPI = 0x3f, REGS = 0x40,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
enum { LVT_MODE_SHIFT = 8, LVT_DELIVS = 1 << 12, LVT_REMOTE = 1 << 14, LVT_LEVEL = 1 << 15, LVT_MASKED = 1 << 16,
       LVT_PERIODIC = 1 << 17, LVT_TSC_DEADLINE = 1 << 18, LVT_EXTINT = APIC_EXTINT << LVT_MODE_SHIFT };
enum { SVR_ENABLE = 0x100 };
enum { ESR_SEND_ILLEGAL = 1 << 5, ESR_RECV_ILLEGAL = 1 << 6, ESR_REG_ILLEGAL = 1 << 7 };
enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15 };
enum { BASE_BSP = 1 << 8, BASE_EXTD = 1 << 10, BASE_EN = 1 << 11 };
enum { VERSION = 0x14 | (LVTS - 1) << 16 };
enum { MSR_X2APIC = 0x800, MSR_TSC_DEADLINE = 0x6e0, MSI_WINDOW = 0x100000, PAGE = 0x1000 };
enum { VECTORS = 256, FIRST_VECTOR = 16 };

static const uint32_t lvt_writable[LVTS] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff, [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,
    [LVT_ERROR] = 0x100ff,
};

typedef struct Apic {
    Device dev;
    ApicBus *bus;
    Vcpu *vcpu;
    uint64_t base;                       /* IA32_APIC_BASE */
    uint32_t id, tpr, ldr, dfr, svr, esr, esr_pending;
    uint32_t isr[8], tmr[8], irr[8];
    uint64_t icr;
    uint32_t lvt[LVTS];
    uint32_t timer_icr, timer_dcr;
    uint64_t timer_start;                /* ns at which the count was loaded */
    uint64_t tsc_deadline;
    uint8_t sipi;
    uint8_t lint0;                       /* level of the 8259's INT */
    Timer timer;
    bool has_int;                        /* atomic */
} Apic;

struct ApicBus {
    Machine *machine;
    GPtrArray *apics;                    /* Apic *, by vcpu index */
    MemRegion *page;
    void (*eoi)(void *opaque, uint8_t vector);
    void *eoi_opaque;
    Device *pic;
};

static bool enabled(const Apic *s) { return s->base & BASE_EN; }
static bool is_x2(const Apic *s) { return (s->base & (BASE_EN | BASE_EXTD)) == (BASE_EN | BASE_EXTD); }
static uint32_t xapic_id(const Apic *s) { return s->id & 0xff; }

/* ---- 256-bit vectors ---- */

static void vec_set(uint32_t *v, unsigned n) { v[n / 32] |= (uint32_t)1 << (n & 31); }
static void vec_clear(uint32_t *v, unsigned n) { v[n / 32] &= ~((uint32_t)1 << (n & 31)); }
static bool vec_test(const uint32_t *v, unsigned n) { return v[n / 32] >> (n & 31) & 1; }
static int vec_highest(const uint32_t *v)
{
    for (int i = 7; i >= 0; i--)
        if (v[i])
            return i * 32 + 31 - __builtin_clz(v[i]);
    return -1;
}

/* ---- what the processor sees ---- */

static uint32_t ppr(const Apic *s)
{
    int v = vec_highest(s->isr);
    uint32_t in_service = v < 0 ? 0 : (uint32_t)v & 0xf0;
    return (s->tpr & 0xf0) >= in_service ? s->tpr : in_service;
}

static int deliverable(const Apic *s)
{
    int v = vec_highest(s->irr);
    return enabled(s) && s->svr & SVR_ENABLE && v >= 0 && ((uint32_t)v & 0xf0) > (ppr(s) & 0xf0) ? v : -1;
}

/* Does the 8259 reach this processor?  A disabled APIC leaves the pin to the processor's own INTR. */
static bool extint(const Apic *s)
{
    return s->lint0 && (!enabled(s) || (s->lvt[LVT_LINT0] & (LVT_MASKED | 0x700)) == LVT_EXTINT);
}

static void update(Apic *s)
{
    bool now = deliverable(s) >= 0 || extint(s);
    if (now == s->has_int)
        return;
    __atomic_store_n(&s->has_int, now, __ATOMIC_SEQ_CST);
    if (now)
        cpu_interrupt(s->vcpu, CPU_IRQ_HARD);
    else
        cpu_interrupt_clear(s->vcpu, CPU_IRQ_HARD);
}

static int op_take(void *apic)
{
    Apic *s = apic;
    int v = deliverable(s);
    if (v >= 0) {
        vec_clear(s->irr, (unsigned)v);
        vec_set(s->isr, (unsigned)v);
    } else if (extint(s) && s->bus->pic) {
        v = pic_take(s->bus->pic);
    }
    update(s);
    return v;
}

static bool op_pending(void *apic) { return __atomic_load_n(&((Apic *)apic)->has_int, __ATOMIC_SEQ_CST); }

static void local_vector(Apic *s, unsigned n);

static void error(Apic *s, uint32_t bit)
{
    s->esr_pending |= bit;
    local_vector(s, LVT_ERROR);
}

static void accept(Apic *s, unsigned vector, bool level)
{
    if (vector < FIRST_VECTOR) {
        if (!(s->esr_pending & ESR_RECV_ILLEGAL))
            error(s, ESR_RECV_ILLEGAL);
        return;
    }
    vec_set(s->irr, vector);
    if (level)
        vec_set(s->tmr, vector);
    else
        vec_clear(s->tmr, vector);
    update(s);
}

static void end_of_interrupt(Apic *s)
{
    int v = vec_highest(s->isr);
    if (v < 0)
        return;
    vec_clear(s->isr, (unsigned)v);
    if (vec_test(s->tmr, (unsigned)v) && s->bus->eoi)
        s->bus->eoi(s->bus->eoi_opaque, (uint8_t)v);
    update(s);
}

/* ---- messages ---- */

/* One message at one APIC it is addressed to. */
static void receive(Apic *s, const ApicMsg *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (enabled(s) && s->svr & SVR_ENABLE)
            accept(s, m->vector, m->level);
        break;
    case APIC_SMI: cpu_interrupt(s->vcpu, CPU_IRQ_SMI); break;
    case APIC_NMI: cpu_interrupt(s->vcpu, CPU_IRQ_NMI); break;
    case APIC_INIT: cpu_interrupt(s->vcpu, CPU_IRQ_INIT); break;
    case APIC_SIPI:
        s->sipi = m->vector;
        cpu_interrupt(s->vcpu, CPU_IRQ_SIPI);
        break;
    case APIC_EXTINT:
        if (s->bus->pic && pic_pending(s->bus->pic))
            accept(s, (unsigned)pic_take(s->bus->pic), false);
        break;
    }
}

static bool match_logical(const Apic *s, const ApicMsg *m)
{
    if (is_x2(s)) {
        uint32_t dest = m->x2apic ? m->dest : m->dest & 0xff;
        return dest >> 16 == s->ldr >> 16 && dest & s->ldr & 0xffff;
    }
    uint32_t dest = m->dest & 0xff, ldr = s->ldr >> 24;
    if (s->dfr >> 28 == 0xf)             /* flat */
        return dest & ldr;
    return (dest >> 4 == ldr >> 4 || dest >> 4 == 0xf) && dest & ldr & 0xf;
}

static bool matches(const Apic *s, const ApicMsg *m)
{
    uint32_t all = m->x2apic ? UINT32_MAX : 0xff;
    if (m->dest == all)
        return true;
    if (m->logical)
        return match_logical(s, m);
    return is_x2(s) || m->x2apic ? m->dest == s->id : m->dest == xapic_id(s);
}

static bool can_accept(const Apic *s) { return enabled(s) && s->svr & SVR_ENABLE; }

static void deliver_lowest(ApicBus *b, const ApicMsg *m)
{
    Apic *best = NULL;
    for (guint i = 0; i < b->apics->len; i++) {
        Apic *s = b->apics->pdata[i];
        if (s && matches(s, m) && can_accept(s) && (!best || ppr(s) >> 4 < ppr(best) >> 4))
            best = s;
    }
    if (best)
        receive(best, m);
}

void apic_deliver(ApicBus *b, const ApicMsg *m)
{
    if (m->mode == APIC_LOWEST) {
        deliver_lowest(b, m);
        return;
    }
    for (guint i = 0; i < b->apics->len; i++) {
        Apic *s = b->apics->pdata[i];
        if (s && matches(s, m))
            receive(s, m);
    }
}

void apic_msi(ApicBus *b, uint64_t addr, uint32_t data)
{
    ApicMsg m = { .dest = (uint8_t)(addr >> 12), .logical = addr >> 2 & 1, .vector = (uint8_t)data, .mode = data >> 8 & 7,
                  .level = data >> 15 & 1 };
    apic_deliver(b, &m);
}

static void write_icr(Apic *s, uint64_t icr)
{
    enum { DEST, SELF, ALL, OTHERS };
    s->icr = icr & ~(uint64_t)LVT_DELIVS;
    ApicMsg m = { .dest = is_x2(s) ? (uint32_t)(icr >> 32) : (uint32_t)(icr >> 56), .x2apic = is_x2(s),
                  .logical = icr & ICR_LOGICAL, .mode = icr >> 8 & 7, .vector = (uint8_t)icr, .level = false };
    unsigned shorthand = icr >> 18 & 3;
    if (m.mode == APIC_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
        return;                          /* INIT level de-assert: arbitration IDs only, which are not modelled */
    if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < FIRST_VECTOR) {
        error(s, ESR_SEND_ILLEGAL);
        return;
    }
    if (shorthand == DEST) {
        apic_deliver(s->bus, &m);
        return;
    }
    for (guint i = 0; i < s->bus->apics->len; i++) {
        Apic *to = s->bus->apics->pdata[i];
        if (to && (shorthand == ALL || (to == s) == (shorthand == SELF)))
            receive(to, &m);
    }
}

/* An interrupt of the local vector table. */
static void local_vector(Apic *s, unsigned n)
{
    uint32_t lvt = s->lvt[n];
    if (lvt & LVT_MASKED)
        return;
    ApicMsg m = { .mode = lvt >> LVT_MODE_SHIFT & 7, .vector = (uint8_t)lvt };
    if (m.mode == APIC_NMI || m.mode == APIC_SMI || m.mode == APIC_INIT)
        receive(s, &m);
    else if (m.mode == APIC_FIXED && enabled(s))
        accept(s, m.vector, false);
}

void apic_pic_intr(void *bus, int n, int level)
{
    (void)n;
    ApicBus *b = bus;
    for (guint i = 0; i < b->apics->len; i++) {
        Apic *s = b->apics->pdata[i];
        if (!s)
            continue;
        bool rise = level && !s->lint0;
        s->lint0 = (uint8_t)level;
        if (rise && (s->lvt[LVT_LINT0] & 0x700) != LVT_EXTINT)
            local_vector(s, LVT_LINT0);
        update(s);
    }
}

void apic_nmi(void *bus, int n, int level)
{
    (void)n;
    ApicBus *b = bus;
    for (guint i = 0; level && i < b->apics->len; i++)
        if (b->apics->pdata[i])
            local_vector(b->apics->pdata[i], LVT_LINT1);
}

/* ---- timer ---- */

static unsigned divide_shift(const Apic *s) { return (((s->timer_dcr & 3) | (s->timer_dcr >> 1 & 4)) + 1) & 7; }
static uint64_t period_ns(const Apic *s) { return (uint64_t)s->timer_icr << divide_shift(s); }
static uint64_t now_ns(const Apic *s) { return (uint64_t)clock_ns(s->dev.machine->clock); }

static uint32_t timer_ccr(const Apic *s)
{
    if (!s->timer_icr || s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE)
        return 0;
    uint64_t gone = (now_ns(s) - s->timer_start) >> divide_shift(s);
    if (s->lvt[LVT_TIMER] & LVT_PERIODIC)
        return s->timer_icr - (uint32_t)(gone % s->timer_icr);
    return gone >= s->timer_icr ? 0 : s->timer_icr - (uint32_t)gone;
}

static void arm_count(Apic *s)
{
    uint64_t now = now_ns(s), period = period_ns(s);
    timer_cancel(&s->timer);
    if (!period)
        return;
    uint64_t next = s->timer_start + period;
    if (next <= now && s->lvt[LVT_TIMER] & LVT_PERIODIC)
        next = s->timer_start + ((now - s->timer_start) / period + 1) * period;
    else if (next < now)
        return;                          /* a one-shot that is over */
    timer_set(&s->timer, (int64_t)next);
}

static void arm_deadline(Apic *s)
{
    timer_cancel(&s->timer);
    if (!s->tsc_deadline)
        return;
    const X86Cpu *c = x86_of(s->vcpu);
    uint64_t tsc = x86_tsc(c), left = s->tsc_deadline > tsc ? s->tsc_deadline - tsc : 0;
    uint64_t ns = muldiv64(left, NS_PER_S, x86_tsc_hz()), far = (uint64_t)NS_PER_S * 3600;
    timer_set(&s->timer, (int64_t)(now_ns(s) + MIN(ns, far)));
}

static void arm_timer(Apic *s)
{
    if (s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE)
        arm_deadline(s);
    else
        arm_count(s);
}

static void timer_fired(void *opaque)
{
    Apic *s = opaque;
    if (s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE) {
        if (s->tsc_deadline > x86_tsc(x86_of(s->vcpu))) {
            arm_deadline(s);
            return;
        }
        s->tsc_deadline = 0;
    } else if (s->lvt[LVT_TIMER] & LVT_PERIODIC) {
        arm_count(s);                    /* if late, what was missed is skipped and the phase kept */
    }
    local_vector(s, LVT_TIMER);
}

/* ---- registers ---- */

static void write_lvt(Apic *s, unsigned n, uint32_t v)
{
    uint32_t old = s->lvt[n];
    s->lvt[n] = v & lvt_writable[n];
    if (!(s->svr & SVR_ENABLE))
        s->lvt[n] |= LVT_MASKED;
    if (n == LVT_TIMER && (old ^ v) & LVT_TSC_DEADLINE) {
        s->tsc_deadline = s->timer_icr = 0;
        timer_cancel(&s->timer);
    } else if (n == LVT_TIMER && (old ^ v) & LVT_PERIODIC) {
        arm_timer(s);
    }
    if (n == LVT_LINT0 && s->lint0 && (s->lvt[n] & 0x700) != LVT_EXTINT)
        local_vector(s, n);
    update(s);
}

static void write_svr(Apic *s, uint32_t v)
{
    s->svr = v & 0x1ff;
    for (unsigned i = 0; i < LVTS && !(v & SVR_ENABLE); i++)
        s->lvt[i] |= LVT_MASKED;
    update(s);
}

static void write_timer_icr(Apic *s, uint32_t v)
{
    if (s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE)
        return;
    s->timer_icr = v;
    s->timer_start = now_ns(s);
    arm_timer(s);
}

static void write_dcr(Apic *s, uint32_t v)
{
    uint32_t left = timer_ccr(s);
    s->timer_dcr = v & 0xb;
    if (!(s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE)) {
        s->timer_start = now_ns(s) - ((uint64_t)(s->timer_icr - left) << divide_shift(s));
        arm_timer(s);
    }
}

static void write_esr(Apic *s)
{
    s->esr = s->esr_pending;             /* the write latches what was found since the last one */
    s->esr_pending = 0;
}

static uint32_t reg_read(Apic *s, unsigned r)
{
    if (r >= REG_ISR && r < REG_ESR)
        return (r < REG_TMR ? s->isr : r < REG_IRR ? s->tmr : s->irr)[r & 7];
    if (r >= REG_LVT && r < REG_LVT + LVTS)
        return s->lvt[r - REG_LVT];
    switch (r) {
    case REG_ID: return is_x2(s) ? s->id : s->id << 24;
    case REG_VERSION: return VERSION;
    case REG_TPR: return s->tpr;
    case REG_PPR: return ppr(s);
    case REG_LDR: return s->ldr;
    case REG_DFR: return s->dfr;
    case REG_SVR: return s->svr;
    case REG_ESR: return s->esr;
    case REG_ICR_LO: return (uint32_t)s->icr;
    case REG_ICR_HI: return (uint32_t)(s->icr >> 32);
    case REG_TIMER_ICR: return s->timer_icr;
    case REG_TIMER_CCR: return timer_ccr(s);
    case REG_TIMER_DCR: return s->timer_dcr;
    case REG_APR: case REG_RRD: case REG_EOI: case REG_CMCI: return 0;
    }
    s->esr_pending |= ESR_REG_ILLEGAL;
    return 0;
}

static void reg_write(Apic *s, unsigned r, uint32_t v)
{
    if (r >= REG_LVT && r < REG_LVT + LVTS) {
        write_lvt(s, r - REG_LVT, v);
        return;
    }
    switch (r) {
    case REG_ID: s->id = v >> 24; break;
    case REG_TPR: s->tpr = v & 0xff; update(s); break;
    case REG_EOI: end_of_interrupt(s); break;
    case REG_LDR: s->ldr = v & 0xff000000; break;
    case REG_DFR: s->dfr = v | 0x0fffffff; break;
    case REG_SVR: write_svr(s, v); break;
    case REG_ESR: write_esr(s); break;
    case REG_ICR_LO: write_icr(s, (s->icr & ~(uint64_t)UINT32_MAX) | v); break;
    case REG_ICR_HI: s->icr = (uint32_t)s->icr | (uint64_t)v << 32; break;
    case REG_TIMER_ICR: write_timer_icr(s, v); break;
    case REG_TIMER_DCR: write_dcr(s, v); break;
    default: s->esr_pending |= ESR_REG_ILLEGAL; break;
    }
}

/* ---- the page ---- */

static Apic *of_current(ApicBus *b)
{
    Vcpu *c = cpu_current();
    return c && c->index < b->apics->len ? b->apics->pdata[c->index] : NULL;
}

static uint64_t page_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    Apic *s = of_current(opaque);
    if (!s || at >= PAGE || !enabled(s) || is_x2(s))
        return UINT32_MAX;
    return at & 0xf ? 0 : reg_read(s, (unsigned)at >> 4);
}

static void page_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Apic *s = of_current(opaque);
    if (!s || at >= PAGE)
        apic_msi(opaque, APIC_DEFAULT_BASE + at, (uint32_t)v);
    else if (enabled(s) && !is_x2(s) && !(at & 0xf))
        reg_write(s, (unsigned)at >> 4, (uint32_t)v);
}

static const MemOps page_ops = { .read = page_read, .write = page_write, .min_size = 4, .max_size = 4 };

/* ---- MSRs ---- */

static uint64_t op_get_base(void *apic) { return ((Apic *)apic)->base; }

static void apic_clear(Apic *s);

static bool op_set_base(void *apic, uint64_t val)
{
    Apic *s = apic;
    bool en = val & BASE_EN, ext = val & BASE_EXTD;
    if (val & 0xff || val & BIT(9) || val >> 52 || (ext && !en) || (is_x2(s) && en && !ext) || (!enabled(s) && ext))
        return false;
    if ((val & ~(uint64_t)0xfff) != APIC_DEFAULT_BASE)
        log_unimp("apic: base moved to %#" G_GINT64_MODIFIER "x\n", val & ~(uint64_t)0xfff);
    bool was_x2 = is_x2(s), was_on = enabled(s);
    s->base = (val & ~(uint64_t)BASE_BSP) | (s->base & BASE_BSP);
    if (was_on && !en)
        apic_clear(s);
    if (is_x2(s) && !was_x2) {
        s->id = s->vcpu->index;
        s->ldr = (s->id >> 4) << 16 | (uint32_t)1 << (s->id & 0xf);
    }
    update(s);
    return true;
}

static uint8_t op_get_tpr(void *apic) { return (uint8_t)(((Apic *)apic)->tpr >> 4); }

static void op_set_tpr(void *apic, uint8_t cr8)
{
    Apic *s = apic;
    s->tpr = (uint32_t)(cr8 & 0xf) << 4;
    update(s);
}

static bool tsc_deadline_write(Apic *s, uint64_t val)
{
    if (s->lvt[LVT_TIMER] & LVT_TSC_DEADLINE) {
        s->tsc_deadline = val;
        arm_deadline(s);
    }
    return true;
}

/* Registers that exist in x2APIC mode and may be read / written there. */
static bool x2_readable(unsigned r)
{
    return r == REG_ID || r == REG_VERSION || r == REG_TPR || r == REG_PPR || r == REG_LDR || r == REG_SVR ||
           (r >= REG_ISR && r <= REG_ESR) || r == REG_ICR_LO || (r >= REG_LVT && r <= REG_TIMER_CCR) || r == REG_TIMER_DCR;
}
static bool x2_writable(unsigned r)
{
    return r == REG_TPR || r == REG_EOI || r == REG_SVR || r == REG_ESR || (r >= REG_LVT && r <= REG_TIMER_ICR) ||
           r == REG_TIMER_DCR;
}

static bool op_msr_read(void *apic, uint32_t msr, uint64_t *val)
{
    Apic *s = apic;
    unsigned r = msr - MSR_X2APIC;
    if (msr == MSR_TSC_DEADLINE) {
        *val = s->tsc_deadline;
        return true;
    }
    if (!is_x2(s) || r >= REGS || !x2_readable(r))
        return false;
    *val = r == REG_ICR_LO ? s->icr : reg_read(s, r);
    return true;
}

static bool op_msr_write(void *apic, uint32_t msr, uint64_t val)
{
    Apic *s = apic;
    unsigned r = msr - MSR_X2APIC;
    if (msr == MSR_TSC_DEADLINE)
        return tsc_deadline_write(s, val);
    if (!is_x2(s) || r >= REGS)
        return false;
    if (r == REG_ICR_LO) {
        write_icr(s, val);
        return true;
    }
    if (r == REG_SELF_IPI && val <= 0xff) {
        accept(s, (uint8_t)val, false);
        return true;
    }
    if (!x2_writable(r) || val >> 32 || ((r == REG_EOI || r == REG_ESR) && val))
        return false;
    reg_write(s, r, (uint32_t)val);
    return true;
}

static uint8_t op_sipi_vector(void *apic) { return ((Apic *)apic)->sipi; }

/* The processor's side: from its thread, with or without the machine lock. */
static int locked_take(void *apic)
{
    machine_lock();
    int v = op_take(apic);
    machine_unlock();
    return v;
}
static bool locked_set_base(void *apic, uint64_t val)
{
    machine_lock();
    bool ok = op_set_base(apic, val);
    machine_unlock();
    return ok;
}
static void locked_set_tpr(void *apic, uint8_t cr8)
{
    machine_lock();
    op_set_tpr(apic, cr8);
    machine_unlock();
}
static bool locked_msr_read(void *apic, uint32_t msr, uint64_t *val)
{
    machine_lock();
    bool ok = op_msr_read(apic, msr, val);
    machine_unlock();
    return ok;
}
static bool locked_msr_write(void *apic, uint32_t msr, uint64_t val)
{
    machine_lock();
    bool ok = op_msr_write(apic, msr, val);
    machine_unlock();
    return ok;
}
static void locked_init(void *apic)
{
    machine_lock();
    apic_clear(apic);
    machine_unlock();
}

const X86ApicOps apic_ops = {
    .take = locked_take, .pending = op_pending, .get_base = op_get_base, .set_base = locked_set_base,
    .get_tpr = op_get_tpr, .set_tpr = locked_set_tpr, .msr_read = locked_msr_read, .msr_write = locked_msr_write,
    .init = locked_init, .sipi_vector = op_sipi_vector,
};

/* ---- life ---- */

/* The state after INIT or when the APIC is disabled: all but the ID and IA32_APIC_BASE. */
static void apic_clear(Apic *s)
{
    s->tpr = s->esr = s->esr_pending = 0;
    s->ldr = is_x2(s) ? (s->id >> 4) << 16 | (uint32_t)1 << (s->id & 0xf) : 0;
    s->dfr = UINT32_MAX;
    s->svr = 0xff;
    s->icr = 0;
    s->timer_icr = s->timer_dcr = 0;
    s->tsc_deadline = 0;
    memset(s->isr, 0, sizeof s->isr);
    memset(s->tmr, 0, sizeof s->tmr);
    memset(s->irr, 0, sizeof s->irr);
    for (unsigned i = 0; i < LVTS; i++)
        s->lvt[i] = LVT_MASKED;
    timer_cancel(&s->timer);
    update(s);
}

static void apic_reset(Device *d)
{
    Apic *s = (Apic *)d;
    bool bsp = s->vcpu->index == 0;
    s->id = s->vcpu->index;
    s->base = APIC_DEFAULT_BASE | BASE_EN | (bsp ? BASE_BSP : 0);
    s->lint0 = s->bus->pic && pic_pending(s->bus->pic);
    apic_clear(s);
    if (bsp)
        s->lvt[LVT_LINT0] = LVT_EXTINT;  /* virtual wire mode, which firmware would set up */
    update(s);
}

static void apic_loaded(Device *d)
{
    Apic *s = (Apic *)d;
    s->has_int = false;
    cpu_interrupt_clear(s->vcpu, CPU_IRQ_HARD);
    update(s);
}

void apic_connect(Device *d, ApicBus *b, Vcpu *c)
{
    Apic *s = (Apic *)d;
    s->bus = b;
    s->vcpu = c;
    c->opaque = s;
}

static bool apic_realize(Device *d, GError **err)
{
    (void)err;
    Apic *s = (Apic *)d;
    timer_init(&s->timer, d->machine->clock, timer_fired, s);
    if (s->bus->apics->len <= s->vcpu->index)
        g_ptr_array_set_size(s->bus->apics, (gint)s->vcpu->index + 1);
    s->bus->apics->pdata[s->vcpu->index] = s;
    return true;
}

static void apic_unrealize(Device *d)
{
    Apic *s = (Apic *)d;
    if (s->bus && s->vcpu->index < s->bus->apics->len)
        s->bus->apics->pdata[s->vcpu->index] = NULL;
}

ApicBus *apic_bus_new(Machine *m)
{
    ApicBus *b = g_new0(ApicBus, 1);
    b->machine = m;
    b->apics = g_ptr_array_new();
    b->page = mem_io_new("apic", MSI_WINDOW, &page_ops, b);
    mem_add(m->mem_root, APIC_DEFAULT_BASE, b->page, 10);
    return b;
}

void apic_bus_free(ApicBus *b)
{
    if (!b)
        return;
    mem_del(b->page);
    mem_unref(b->page);
    g_ptr_array_free(b->apics, TRUE);
    g_free(b);
}

void apic_bus_set_eoi(ApicBus *b, void (*fn)(void *opaque, uint8_t vector), void *opaque)
{
    b->eoi = fn;
    b->eoi_opaque = opaque;
}

void apic_bus_set_pic(ApicBus *b, Device *pic) { b->pic = pic; }

void apic_print(const Device *d, GString *out)
{
    Apic *s = (Apic *)d;
    static const char *const lvt_name[LVTS] = { "TIMER", "THERMAL", "PERF", "LINT0", "LINT1", "ERROR" };
    g_string_append_printf(out, "cpu %u: id %u base %#" G_GINT64_MODIFIER "x svr %#x tpr %#x ppr %#x ldr %#x dfr %#x icr %#"
                           G_GINT64_MODIFIER "x esr %#x\n", s->vcpu->index, s->id, s->base, s->svr, s->tpr, ppr(s), s->ldr,
                           s->dfr, s->icr, s->esr);
    for (unsigned i = 0; i < LVTS; i++)
        g_string_append_printf(out, "  %-7s %08x%s\n", lvt_name[i], s->lvt[i], s->lvt[i] & LVT_MASKED ? " masked" : "");
    g_string_append_printf(out, "  timer count %u of %u, divide %#x\n", timer_ccr(s), s->timer_icr, s->timer_dcr);
    for (unsigned v = 0; v < VECTORS; v++)
        if (vec_test(s->irr, v) || vec_test(s->isr, v))
            g_string_append_printf(out, "  vector %02x%s%s%s\n", v, vec_test(s->irr, v) ? " irr" : "",
                                   vec_test(s->isr, v) ? " isr" : "", vec_test(s->tmr, v) ? " level" : "");
}

const DeviceType apic_type = {
    .name = "apic", .doc = "local interrupt controller of a CPU", .bus = BUS_SYSTEM, .size = sizeof(Apic), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Apic), LINK(Apic, bus), LINK(Apic, vcpu),
        REG_U64(Apic, base, 0), REG_U32(Apic, id, 0), REG_U32(Apic, tpr, 0), REG_U32(Apic, ldr, 0), REG_U32(Apic, dfr, 0),
        REG_U32(Apic, svr, 0), REG_U32(Apic, esr, 0), REG_U32(Apic, esr_pending, 0), REG_U32(Apic, isr, 0),
        REG_U32(Apic, tmr, 0), REG_U32(Apic, irr, 0), REG_U64(Apic, icr, 0), REG_U32(Apic, lvt, LVT_MASKED),
        REG_U32(Apic, timer_icr, 0), REG_U32(Apic, timer_dcr, 0), REG_U64(Apic, timer_start, 0),
        REG_U64(Apic, tsc_deadline, 0), REG_U8(Apic, sipi, 0), REG_U8(Apic, lint0, 0), TIMER(Apic, timer),
        HOST(Apic, has_int), FIELD_END },
    .realize = apic_realize, .unrealize = apic_unrealize, .reset = apic_reset, .loaded = apic_loaded,
};
