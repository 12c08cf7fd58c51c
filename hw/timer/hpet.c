/* High precision event timer, three comparators.
 * Source: IA-PC HPET specification 1.0a, chapter 2.
 *
 * The main counter runs at 100 MHz and is computed from the machine's clock:
 * while enabled it is `counter` plus what has passed since `started`.
 * Timers 0 and 1 replace the 8254 and the RTC on IRQ0 and IRQ8 while LEG_RT is
 * set; otherwise timers may be routed to I/O APIC pins 16-23.
 * Left out: interrupts by memory write (FSB), and the further matches of a
 * single-shot comparator each time the counter wraps.  Periods that a busy host misses
 * are dropped. */
#include "hw/timer/hpet.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { TIMERS = 3, PERIOD_FS = 10000000, NS_PER_TICK = 10, REGION = 0x400 };
enum { GCAP_ID = 0x00, GEN_CONF = 0x10, GINTR_STA = 0x20, MAIN_CNT = 0xf0, TIMER0 = 0x100, TIMER_STEP = 0x20,
       TIM_CONF = 0x00, TIM_COMP = 0x08 };
enum { CONF_ENABLE = 1, CONF_LEG_RT = 2 };
enum { T_LEVEL = 1 << 1, T_INT_ENB = 1 << 2, T_PERIODIC = 1 << 3, T_PER_CAP = 1 << 4, T_SIZE_CAP = 1 << 5,
       T_VAL_SET = 1 << 6, T_32MODE = 1 << 8, T_ROUTE_SHIFT = 9, T_ROUTE = 0x1f << T_ROUTE_SHIFT };
enum { T_WRITABLE = T_LEVEL | T_INT_ENB | T_PERIODIC | T_VAL_SET | T_32MODE | T_ROUTE };
#define T_RESET ((uint64_t)0x00ff0000 << 32 | T_PER_CAP | T_SIZE_CAP)
#define NEVER UINT64_MAX

typedef struct Hpet {
    Device dev;
    IrqLine gsi;
    uint64_t conf, sta;
    uint64_t counter, started;           /* ticks; ns */
    uint64_t tconf[TIMERS], tcomp[TIMERS], tperiod[TIMERS];
    uint8_t legacy;                      /* inputs: bit 0 the 8254, bit 1 the RTC */
    Timer t0, t1, t2;
} Hpet;

static Timer *timer_of(Hpet *s, unsigned n) { return n == 0 ? &s->t0 : n == 1 ? &s->t1 : &s->t2; }
static uint64_t now_ns(const Hpet *s) { return (uint64_t)clock_ns(s->dev.machine->clock); }
static bool enabled(const Hpet *s) { return s->conf & CONF_ENABLE; }
static bool periodic(const Hpet *s, unsigned n) { return s->tconf[n] & T_PERIODIC; }

static uint64_t counter(const Hpet *s)
{
    return s->counter + (enabled(s) ? (now_ns(s) - s->started) / NS_PER_TICK : 0);
}

/* ---- interrupts ---- */

static int route(const Hpet *s, unsigned n)
{
    if (s->conf & CONF_LEG_RT && n < 2)
        return n ? 8 : 0;
    return (int)((s->tconf[n] & T_ROUTE) >> T_ROUTE_SHIFT);
}

static void drive(Hpet *s, int gsi, int level)
{
    if (s->gsi.fn)
        s->gsi.fn(s->gsi.opaque, gsi, level);
}

static void raise_irq(Hpet *s, unsigned n)
{
    bool on = s->tconf[n] & T_INT_ENB && enabled(s);
    if (s->tconf[n] & T_LEVEL) {
        s->sta |= BIT(n);
        if (on)
            drive(s, route(s, n), 1);
    } else if (on) {
        drive(s, route(s, n), 0);
        drive(s, route(s, n), 1);
        drive(s, route(s, n), 0);
    }
}

static void lower_irq(Hpet *s, unsigned n)
{
    if (s->sta & BIT(n) && s->tconf[n] & T_LEVEL)
        drive(s, route(s, n), 0);
    s->sta &= ~BIT(n);
}

void hpet_legacy_in(void *hpet, int n, int level)
{
    Hpet *s = hpet;
    unsigned bit = n ? 2 : 1;
    s->legacy = (uint8_t)(level ? s->legacy | bit : s->legacy & ~bit);
    if (!(s->conf & CONF_LEG_RT))
        drive(s, n, level);
}

/* ---- comparators ---- */

/* Ticks from now until timer n matches. */
static uint64_t left(const Hpet *s, unsigned n)
{
    uint64_t diff = s->tcomp[n] - counter(s);
    if (s->tconf[n] & T_32MODE)
        return (uint32_t)diff;
    return (int64_t)diff < 0 ? NEVER : diff;
}

static void arm(Hpet *s, unsigned n)
{
    Timer *t = timer_of(s, n);
    timer_cancel(t);
    uint64_t ticks = enabled(s) ? left(s, n) : NEVER;
    if (ticks > (uint64_t)INT64_MAX / NS_PER_TICK / 2)
        return;
    uint64_t phase = (now_ns(s) - s->started) % NS_PER_TICK;
    timer_set(t, (int64_t)(now_ns(s) - phase + ticks * NS_PER_TICK));
}

/* The next match of a periodic timer after now. */
static void advance(Hpet *s, unsigned n)
{
    uint64_t mask = s->tconf[n] & T_32MODE ? UINT32_MAX : UINT64_MAX, period = s->tperiod[n] & mask;
    if (!period)
        return;
    uint64_t late = (counter(s) - s->tcomp[n]) & mask;
    s->tcomp[n] = (s->tcomp[n] + (late / period + 1) * period) & mask;
}

static void matched(Hpet *s, unsigned n)
{
    bool again = periodic(s, n) && s->tperiod[n];
    if (again)
        advance(s, n);
    raise_irq(s, n);
    if (again)
        arm(s, n);
}

static void matched0(void *s) { matched(s, 0); }
static void matched1(void *s) { matched(s, 1); }
static void matched2(void *s) { matched(s, 2); }

/* ---- registers: 64 bits wide, reached as 32-bit halves ---- */

static uint64_t *timer_reg(Hpet *s, uint64_t at)
{
    unsigned n = (unsigned)(at - TIMER0) / TIMER_STEP;
    if (n >= TIMERS)
        return NULL;
    switch (at & (TIMER_STEP - 8)) {
    case TIM_CONF: return &s->tconf[n];
    case TIM_COMP: return &s->tcomp[n];
    }
    return NULL;
}

static uint64_t read64(Hpet *s, uint64_t at)
{
    switch (at) {
    case GCAP_ID: return (uint64_t)PERIOD_FS << 32 | HPET_ID;
    case GEN_CONF: return s->conf;
    case GINTR_STA: return s->sta;
    case MAIN_CNT: return counter(s);
    }
    const uint64_t *r = at >= TIMER0 ? timer_reg(s, at) : NULL;
    return r ? *r : 0;
}

static void write_conf(Hpet *s, uint64_t v)
{
    bool was = enabled(s), was_legacy = s->conf & CONF_LEG_RT;
    s->counter = counter(s);
    s->started = now_ns(s);
    s->conf = v & (CONF_ENABLE | CONF_LEG_RT);
    for (unsigned n = 0; n < TIMERS && was != enabled(s); n++) {
        arm(s, n);
        if (was)
            lower_irq(s, n);
    }
    if (was_legacy != !!(s->conf & CONF_LEG_RT)) {
        bool own = s->conf & CONF_LEG_RT;
        drive(s, 0, own ? 0 : s->legacy & 1);
        drive(s, 8, own ? 0 : s->legacy >> 1);
    }
}

static void write_tconf(Hpet *s, unsigned n, uint64_t v)
{
    lower_irq(s, n);
    s->tconf[n] = (v & T_WRITABLE) | T_RESET;
    if (s->tconf[n] & T_32MODE) {
        s->tcomp[n] = (uint32_t)s->tcomp[n];
        s->tperiod[n] = (uint32_t)s->tperiod[n];
    }
    arm(s, n);
}

/* In periodic mode a write sets the period, and the comparator too if VAL_SET asked for it. */
static void write_tcomp(Hpet *s, unsigned n, uint64_t v)
{
    if (s->tconf[n] & T_32MODE)
        v = (uint32_t)v;
    if (!periodic(s, n) || s->tconf[n] & T_VAL_SET)
        s->tcomp[n] = v;
    if (periodic(s, n))
        s->tperiod[n] = v;
    s->tconf[n] &= ~(uint64_t)T_VAL_SET;
    arm(s, n);
}

static void write64(Hpet *s, uint64_t at, uint64_t v)
{
    switch (at) {
    case GEN_CONF: write_conf(s, v); return;
    case GINTR_STA:
        for (unsigned n = 0; n < TIMERS; n++)
            if (v & BIT(n))
                lower_irq(s, n);
        return;
    case MAIN_CNT:
        s->counter = v;
        s->started = now_ns(s);
        for (unsigned n = 0; n < TIMERS; n++)
            arm(s, n);
        return;
    }
    if (at < TIMER0 || !timer_reg(s, at))
        return;
    unsigned n = (unsigned)(at - TIMER0) / TIMER_STEP;
    if ((at & (TIMER_STEP - 8)) == TIM_CONF)
        write_tconf(s, n, v);
    else
        write_tcomp(s, n, v);
}

static uint64_t hpet_read(void *opaque, uint64_t at, unsigned size)
{
    uint64_t v = read64(opaque, at & ~(uint64_t)7);
    return size == 8 ? v : at & 4 ? v >> 32 : (uint32_t)v;
}

/* What a 32-bit write leaves in the other half of a register. */
static uint64_t other_half(Hpet *s, uint64_t reg)
{
    if (reg == GINTR_STA)
        return 0;
    unsigned n = (unsigned)(reg - TIMER0) / TIMER_STEP;
    bool period = reg >= TIMER0 && n < TIMERS && (reg & (TIMER_STEP - 8)) == TIM_COMP && periodic(s, n);
    return period ? s->tperiod[n] : read64(s, reg);
}

static void hpet_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    uint64_t reg = at & ~(uint64_t)7;
    if (size != 8) {
        uint64_t old = other_half(opaque, reg);
        v = at & 4 ? (uint32_t)old | v << 32 : (old & ~(uint64_t)UINT32_MAX) | (uint32_t)v;
    }
    write64(opaque, reg, v);
}

static const MemOps hpet_ops = { .read = hpet_read, .write = hpet_write, .min_size = 4, .max_size = 8 };

/* ---- life ---- */

void hpet_connect(Device *d, IrqLine gsi) { ((Hpet *)d)->gsi = gsi; }

static bool hpet_realize(Device *d, GError **err)
{
    (void)err;
    Hpet *s = (Hpet *)d;
    timer_init(&s->t0, d->machine->clock, matched0, s);
    timer_init(&s->t1, d->machine->clock, matched1, s);
    timer_init(&s->t2, d->machine->clock, matched2, s);
    dev_mmio(d, "hpet", HPET_BASE, REGION, &hpet_ops);
    return true;
}

const DeviceType hpet_type = {
    .name = "hpet", .doc = "high precision event timer", .bus = BUS_SYSTEM, .size = sizeof(Hpet), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Hpet), LINK(Hpet, gsi), REG_U64(Hpet, conf, 0), REG_U64(Hpet, sta, 0), REG_U64(Hpet, counter, 0),
        REG_U64(Hpet, started, 0), REG_U64(Hpet, tconf, T_RESET), REG_U64(Hpet, tcomp, UINT64_MAX),
        REG_U64(Hpet, tperiod, 0), REG_U8(Hpet, legacy, 0), TIMER(Hpet, t0), TIMER(Hpet, t1), TIMER(Hpet, t2),
        FIELD_END },
    .realize = hpet_realize,
};
