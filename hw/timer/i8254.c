/* Intel 8254 programmable interval timer at ports 40h-43h, and port 61h,
 * which gates counter 2 and shows its output.
 * Source: 8254 datasheet (231164), "Mode definitions"; PIIX3 datasheet 2.5.4
 * (NMISC, port 61h).
 *
 * A counter is not run but computed: `loaded` is the time at which the count
 * began, `before` the clocks that had passed when the gate last stopped it.
 * OUT of counter 0 drives IRQ0.  Only its rising edges are given at their
 * time; the line goes low just before, since nothing else looks at it.
 * Edges that a busy host misses are dropped, not made up for.
 * Left out: the speaker's sound. */
#include "hw/timer/i8254.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { PIT_HZ = 1193182, COUNTERS = 3, CONTROL = 3, READ_BACK = 3 };
enum { RW_LATCH, RW_LSB, RW_MSB, RW_BOTH };
enum { GATE2 = 1, SPEAKER = 2, REFRESH = 0x10, OUT2 = 0x20, REFRESH_NS = 15085 };

typedef struct Pit {
    Device dev;
    IrqLine out0;
    Timer timer;                         /* next rising edge of OUT 0 */
    uint64_t loaded[COUNTERS];           /* ns */
    uint64_t before[COUNTERS];           /* clocks */
    uint32_t initial[COUNTERS];          /* 1..65536 */
    uint16_t latch[COUNTERS];
    uint8_t status[COUNTERS];
    uint8_t mode[COUNTERS], rw[COUNTERS];
    uint8_t write_lsb[COUNTERS];
    bool bcd[COUNTERS], gate[COUNTERS];
    bool null_count[COUNTERS];           /* control word written, no count yet */
    bool triggered[COUNTERS];            /* modes 1, 5: the gate rose since the count was written */
    bool count_latched[COUNTERS], status_latched[COUNTERS];
    bool read_high[COUNTERS], write_high[COUNTERS];
    uint8_t nmisc;                       /* port 61h, bits 3..0 */
} Pit;

static uint64_t now_ns(const Pit *s) { return (uint64_t)clock_ns(s->dev.machine->clock); }
static bool is_periodic(const Pit *s, unsigned n) { return s->mode[n] == 2 || s->mode[n] == 3; }
static bool is_triggered_mode(const Pit *s, unsigned n) { return s->mode[n] == 1 || s->mode[n] == 5; }

/* ---- what a counter shows now ---- */

static bool is_running(const Pit *s, unsigned n)
{
    return is_triggered_mode(s, n) ? s->triggered[n] : s->gate[n];
}

/* Clocks since the count was loaded. */
static uint64_t elapsed(const Pit *s, unsigned n)
{
    return s->before[n] + (is_running(s, n) ? muldiv64(now_ns(s) - s->loaded[n], PIT_HZ, NS_PER_S) : 0);
}

static bool out(const Pit *s, unsigned n)
{
    uint64_t d = elapsed(s, n), c = s->initial[n];
    if (s->null_count[n])
        return s->mode[n] != 0;
    switch (s->mode[n]) {
    case 0: return d >= c;
    case 1: return !s->triggered[n] || d >= c;
    case 2: return !s->gate[n] || d % c != c - 1;
    case 3: return !s->gate[n] || d % c < (c + 1) / 2;
    default: return !is_running(s, n) || d != c;         /* 4, 5: low for one clock */
    }
}

static uint16_t to_bcd(unsigned v)
{
    v %= 10000;
    return (uint16_t)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 << 12);
}
static unsigned from_bcd(unsigned v)
{
    return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12 & 15) * 1000;
}

static uint16_t count(const Pit *s, unsigned n)
{
    uint64_t d = elapsed(s, n), c = s->initial[n], v;
    unsigned span = s->bcd[n] ? 10000 : 65536;
    if (s->mode[n] == 2)
        v = c - d % c;
    else if (s->mode[n] == 3)
        v = (c & ~(uint64_t)1) - 2 * (d % c % ((c + 1) / 2));
    else
        v = c + span - d % span;         /* wraps and goes on */
    v %= span;
    return s->bcd[n] ? to_bcd((unsigned)v) : (uint16_t)v;
}

/* ---- counter 0's edges ---- */

/* Clocks after loading at which OUT rises next, 0: never. */
static uint64_t next_rise(const Pit *s, unsigned n)
{
    uint64_t d = elapsed(s, n), c = s->initial[n];
    if (s->null_count[n] || !is_running(s, n))
        return 0;
    if (is_periodic(s, n))
        return (d / c + 1) * c;
    uint64_t at = s->mode[n] >= 4 ? c + 1 : c;
    return d < at ? at : 0;
}

static void arm(Pit *s)
{
    uint64_t at = next_rise(s, 0);
    if (!at) {
        timer_cancel(&s->timer);
        return;
    }
    uint64_t ns = (uint64_t)(((unsigned __int128)(at - s->before[0]) * NS_PER_S + PIT_HZ - 1) / PIT_HZ);
    timer_set(&s->timer, (int64_t)(s->loaded[0] + ns));
}

static void rose(void *opaque)
{
    Pit *s = opaque;
    irq_set(&s->out0, 0);
    irq_set(&s->out0, 1);
    arm(s);
}

static void update_out0(Pit *s)
{
    irq_set(&s->out0, out(s, 0));
    arm(s);
}

/* ---- programming ---- */

static void load(Pit *s, unsigned n, uint16_t v)
{
    unsigned c = s->bcd[n] ? from_bcd(v) : v;
    s->initial[n] = c ? c : s->bcd[n] ? 10000 : 65536;
    if (!is_triggered_mode(s, n)) {      /* those wait for the gate */
        s->loaded[n] = now_ns(s);
        s->before[n] = 0;
    }
    s->null_count[n] = false;
    if (n == 0)
        update_out0(s);
}

static void latch_count(Pit *s, unsigned n)
{
    if (s->count_latched[n])
        return;
    s->latch[n] = count(s, n);
    s->count_latched[n] = true;
}

static void latch_status(Pit *s, unsigned n)
{
    if (s->status_latched[n])
        return;
    s->status[n] = (uint8_t)(out(s, n) << 7 | s->null_count[n] << 6 | s->rw[n] << 4 | s->mode[n] << 1 | s->bcd[n]);
    s->status_latched[n] = true;
}

static void read_back(Pit *s, uint8_t v)
{
    for (unsigned n = 0; n < COUNTERS; n++) {
        if (!(v >> (n + 1) & 1))
            continue;
        if (!(v & 0x20))
            latch_count(s, n);
        if (!(v & 0x10))
            latch_status(s, n);
    }
}

static void write_control(Pit *s, uint8_t v)
{
    unsigned n = v >> 6, rw = v >> 4 & 3, mode = v >> 1 & 7;
    if (n == READ_BACK) {
        read_back(s, v);
        return;
    }
    if (rw == RW_LATCH) {
        latch_count(s, n);
        return;
    }
    s->rw[n] = (uint8_t)rw;
    s->mode[n] = (uint8_t)(mode > 5 ? mode - 4 : mode);
    s->bcd[n] = v & 1;
    s->null_count[n] = true;
    s->triggered[n] = s->count_latched[n] = s->status_latched[n] = s->read_high[n] = s->write_high[n] = false;
    if (n == 0)
        update_out0(s);
}

static void write_count(Pit *s, unsigned n, uint8_t v)
{
    switch (s->rw[n]) {
    case RW_LSB: load(s, n, v); break;
    case RW_MSB: load(s, n, (uint16_t)(v << 8)); break;
    case RW_BOTH:
        if (s->write_high[n])
            load(s, n, (uint16_t)(v << 8 | s->write_lsb[n]));
        else
            s->write_lsb[n] = v;
        s->write_high[n] = !s->write_high[n];
        break;
    }
}

static uint8_t read_count(Pit *s, unsigned n)
{
    if (s->status_latched[n]) {
        s->status_latched[n] = false;
        return s->status[n];
    }
    uint16_t v = s->count_latched[n] ? s->latch[n] : count(s, n);
    bool high = s->rw[n] == RW_MSB || (s->rw[n] == RW_BOTH && s->read_high[n]);
    if (s->rw[n] == RW_BOTH)
        s->read_high[n] = !s->read_high[n];
    if (s->rw[n] != RW_BOTH || high)
        s->count_latched[n] = false;
    return (uint8_t)(high ? v >> 8 : v);
}

static void set_gate(Pit *s, unsigned n, bool gate)
{
    if (gate == s->gate[n])
        return;
    uint64_t d = elapsed(s, n), now = now_ns(s);
    s->gate[n] = gate;
    if (is_triggered_mode(s, n)) {
        if (gate && !s->null_count[n]) {
            s->triggered[n] = true;
            s->loaded[n] = now;
            s->before[n] = 0;
        }
        return;
    }
    s->before[n] = is_periodic(s, n) ? 0 : d;            /* rates start anew, single shots go on */
    s->loaded[n] = now;
}

/* ---- ports ---- */

static uint64_t pit_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    return at == CONTROL ? 0xff : read_count(opaque, (unsigned)at);
}

static void pit_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    if (at == CONTROL)
        write_control(opaque, (uint8_t)v);
    else
        write_count(opaque, (unsigned)at, (uint8_t)v);
}

static uint64_t nmisc_read(void *opaque, uint64_t at, unsigned size)
{
    (void)at, (void)size;
    Pit *s = opaque;
    unsigned refresh = now_ns(s) / REFRESH_NS & 1 ? REFRESH : 0;
    return s->nmisc | refresh | (out(s, 2) ? OUT2 : 0);
}

static void nmisc_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)at, (void)size;
    Pit *s = opaque;
    s->nmisc = v & 0xf;
    set_gate(s, 2, v & GATE2);
}

static const MemOps pit_ops = { .read = pit_read, .write = pit_write, .max_size = 1 };
static const MemOps nmisc_ops = { .read = nmisc_read, .write = nmisc_write, .max_size = 1 };

static bool pit_realize(Device *d, GError **err)
{
    (void)err;
    Pit *s = (Pit *)d;
    timer_init(&s->timer, d->machine->clock, rose, s);
    dev_ports(d, "pit", 0x40, 4, &pit_ops);
    dev_ports(d, "nmisc", 0x61, 1, &nmisc_ops);
    return true;
}

static void pit_reset(Device *d)
{
    Pit *s = (Pit *)d;
    for (unsigned n = 0; n < COUNTERS; n++) {
        s->gate[n] = n != 2;
        s->loaded[n] = now_ns(s);
    }
    update_out0(s);
}

void pit_connect(Device *d, IrqLine out0) { ((Pit *)d)->out0 = out0; }

const DeviceType i8254_type = {
    .name = "isa-pit", .doc = "8254 interval timer and port 61h", .bus = BUS_SYSTEM, .size = sizeof(Pit), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Pit), LINK(Pit, out0), TIMER(Pit, timer), REG_U64(Pit, loaded, 0), REG_U64(Pit, before, 0),
        REG_U32(Pit, initial, 65536), REG_U16(Pit, latch, 0), REG_U8(Pit, status, 0), REG_U8(Pit, mode, 3),
        REG_U8(Pit, rw, RW_BOTH), REG_U8(Pit, write_lsb, 0), REG_BOOL(Pit, bcd, 0), REG_BOOL(Pit, gate, 0),
        REG_BOOL(Pit, null_count, 1), REG_BOOL(Pit, triggered, 0), REG_BOOL(Pit, count_latched, 0),
        REG_BOOL(Pit, status_latched, 0), REG_BOOL(Pit, read_high, 0), REG_BOOL(Pit, write_high, 0),
        REG_U8(Pit, nmisc, 0), FIELD_END },
    .realize = pit_realize, .reset = pit_reset,
};
