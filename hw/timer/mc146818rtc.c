/* MC146818A real-time clock with 128 bytes of battery-backed CMOS memory.
 * Source: Motorola MC146818A data sheet (ADI1021), "Registers", "Interrupts".
 *
 * Time is `offset` away from the clock that -rtc chose: the host's wall clock
 * or the machine's own.  Nothing ticks: date and time are computed when read,
 * update and periodic flags when register C is read, and timers run only while
 * an interrupt that needs them is enabled.  Periods that a busy host misses
 * are dropped.
 * Battery-backed things keep their value over a reset (`battery`, `kept`).
 * Left out: daylight saving (DSE), the square wave, the divider's test modes. */
#include "hw/timer/mc146818rtc.h"

#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"

enum {
    SECONDS = 0, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, DAY_OF_WEEK, DAY, MONTH, YEAR,
    REG_A, REG_B, REG_C, REG_D,
};
enum { A_UIP = 0x80, A_DV = 0x70, A_DV_RUN = 0x20, A_RS = 0x0f };
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_DM = 0x04, B_24 = 0x02 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VRT = 0x80, PM = 0x80, ANY = 0xc0, NMI_OFF = 0x80 };
enum { HZ = 32768, UIP_NS = 244000, DAY_S = 86400 };

typedef struct Rtc {
    Device dev;
    IrqLine irq8;
    uint8_t cmos[CMOS_SIZE];             /* registers and memory; time registers are valid while B_SET */
    uint8_t index;
    int64_t offset;                      /* ns from the source clock to this one */
    int64_t updated;                     /* second whose update was last accounted for */
    uint64_t period;                     /* number of the last periodic edge accounted for */
    Timer update_timer, periodic_timer;
    uint8_t battery[CMOS_SIZE];
    int64_t kept;                        /* offset, over a reset */
} Rtc;

void rtc_connect(Device *d, IrqLine irq8) { ((Rtc *)d)->irq8 = irq8; }

/* ---- time ---- */

static int64_t source_ns(const Rtc *s)
{
    Machine *m = s->dev.machine;
    return m->cfg && !m->cfg->rtc_clock_vm ? clock_wall_ns() : clock_ns(m->clock);
}
static int64_t rtc_ns(const Rtc *s) { return source_ns(s) + s->offset; }
#define OFFSET_MAX (INT64_MAX / 2)       /* what a loaded state may say */
static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static int64_t seconds(const Rtc *s) { return floor_div(rtc_ns(s), NS_PER_S); }

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back; m 1..12, d 1..31. */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}
static void date_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
    days += 719468;
    int64_t era = floor_div(days, 146097), doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

static uint8_t encode(const Rtc *s, unsigned v) { return (uint8_t)(s->cmos[REG_B] & B_DM ? v : v / 10 << 4 | v % 10); }
static unsigned decode(const Rtc *s, uint8_t v) { return s->cmos[REG_B] & B_DM ? v : (v >> 4) * 10u + (v & 15); }

static uint8_t encode_hour(const Rtc *s, unsigned h)
{
    if (s->cmos[REG_B] & B_24)
        return encode(s, h);
    return (uint8_t)(encode(s, h % 12 ? h % 12 : 12) | (h >= 12 ? PM : 0));
}
static unsigned decode_hour(const Rtc *s, uint8_t v)
{
    if (s->cmos[REG_B] & B_24)
        return decode(s, v);
    return decode(s, v & (uint8_t)~PM) % 12 + (v & PM ? 12 : 0);
}

/* Time registers from a second count, and back. */
static void put_time(const Rtc *s, int64_t t, uint8_t *r)
{
    int64_t days = floor_div(t, DAY_S), y;
    unsigned sec = (unsigned)(t - days * DAY_S), m, d;
    date_of(days, &y, &m, &d);
    r[SECONDS] = encode(s, sec % 60);
    r[MINUTES] = encode(s, sec / 60 % 60);
    r[HOURS] = encode_hour(s, sec / 3600);
    r[DAY_OF_WEEK] = encode(s, (unsigned)(floor_div(days + 4, 7) * -7 + days + 4) + 1);
    r[DAY] = encode(s, d);
    r[MONTH] = encode(s, m);
    r[YEAR] = encode(s, (unsigned)(y % 100));
    r[CMOS_CENTURY] = r[CMOS_CENTURY_PS2] = (uint8_t)(y / 1000 << 4 | y / 100 % 10);
}

/* Nanoseconds since 1970 in 64 bits end in 2262: years are taken modulo the calendar's cycle of 400. */
enum { YEAR_MIN = 1860 };
static int64_t get_time(const Rtc *s, const uint8_t *r)
{
    int64_t y = (r[CMOS_CENTURY] >> 4) * 1000 + (r[CMOS_CENTURY] & 15) * 100 + decode(s, r[YEAR]);
    unsigned m = CLAMP(decode(s, r[MONTH]), 1, 12), d = CLAMP(decode(s, r[DAY]), 1, 31);
    y -= floor_div(y - YEAR_MIN, 400) * 400;
    return days_of(y, m, d) * DAY_S + decode_hour(s, r[HOURS]) * 3600 + decode(s, r[MINUTES]) * 60 + decode(s, r[SECONDS]);
}

static bool is_time(unsigned at) { return (at <= YEAR && !(at & 1)) || at == DAY || at == YEAR || at == CMOS_CENTURY; }
static bool is_ticking(const Rtc *s)
{
    return !(s->cmos[REG_B] & B_SET) && (s->cmos[REG_A] & A_DV) <= A_DV_RUN;
}

/* The registers become the time; sub-second part kept unless the divider was reset. */
static void set_time(Rtc *s, bool from_divider_reset)
{
    int64_t t = get_time(s, s->cmos) * NS_PER_S, src = source_ns(s);
    int64_t fraction = from_divider_reset ? NS_PER_S / 2 : rtc_ns(s) - seconds(s) * NS_PER_S;
    s->offset = s->kept = t + fraction - src;
    s->updated = seconds(s);
}

/* ---- interrupts ---- */

static void update_irq(Rtc *s)
{
    uint8_t *c = &s->cmos[REG_C];
    bool on = *c & s->cmos[REG_B] & (C_PF | C_AF | C_UF);
    *c = (uint8_t)((*c & ~C_IRQF) | (on ? C_IRQF : 0));
    irq_set(&s->irq8, on);
}

static bool alarm_at(const Rtc *s, int64_t t)
{
    unsigned sec = (unsigned)(t - floor_div(t, DAY_S) * DAY_S);
    const uint8_t *r = s->cmos;
    return (r[SECONDS_ALARM] >= ANY || decode(s, r[SECONDS_ALARM]) == sec % 60) &&
           (r[MINUTES_ALARM] >= ANY || decode(s, r[MINUTES_ALARM]) == sec / 60 % 60) &&
           (r[HOURS_ALARM] >= ANY || decode_hour(s, r[HOURS_ALARM]) == sec / 3600);
}

/* Accounts for the updates since the last time. */
static void catch_up(Rtc *s)
{
    int64_t now = seconds(s);
    if (!is_ticking(s) || now == s->updated)
        return;
    s->cmos[REG_C] |= C_UF;
    int64_t from = now - s->updated > DAY_S || now < s->updated ? now - 1 : s->updated;
    for (int64_t t = from + 1; t <= now && !(s->cmos[REG_C] & C_AF); t++)
        if (alarm_at(s, t))
            s->cmos[REG_C] |= C_AF;
    s->updated = now;
}

/* Clocks of a period, 0: off. Rates 1 and 2 are those of 8 and 9 with this time base. */
static uint64_t period_clocks(const Rtc *s)
{
    unsigned rs = s->cmos[REG_A] & A_RS;
    return rs ? BIT((rs <= 2 ? rs + 7 : rs) - 1) : 0;
}
static uint64_t clocks(const Rtc *s) { return muldiv64((uint64_t)clock_ns(s->dev.machine->clock), HZ, NS_PER_S); }

static void catch_up_periods(Rtc *s)
{
    uint64_t p = period_clocks(s);
    if (!p || clocks(s) / p == s->period)
        return;
    s->period = clocks(s) / p;
    s->cmos[REG_C] |= C_PF;
}

static void arm_update(Rtc *s)
{
    timer_cancel(&s->update_timer);
    if (!(s->cmos[REG_B] & (B_UIE | B_AIE)) || !is_ticking(s))
        return;
    int64_t left = (seconds(s) + 1) * NS_PER_S - rtc_ns(s);
    timer_set(&s->update_timer, clock_ns(s->dev.machine->clock) + left);
}

static void arm_periodic(Rtc *s)
{
    uint64_t p = period_clocks(s);
    timer_cancel(&s->periodic_timer);
    if (!p || !(s->cmos[REG_B] & B_PIE))
        return;
    uint64_t next = (clocks(s) / p + 1) * p;
    timer_set(&s->periodic_timer, (int64_t)(((unsigned __int128)next * NS_PER_S + HZ - 1) / HZ));
}

static void update_fired(void *opaque)
{
    Rtc *s = opaque;
    catch_up(s);
    update_irq(s);
    arm_update(s);
}

static void periodic_fired(void *opaque)
{
    Rtc *s = opaque;
    catch_up_periods(s);
    update_irq(s);
    arm_periodic(s);
}

/* ---- registers ---- */

static uint8_t read_a(const Rtc *s)
{
    bool uip = is_ticking(s) && (seconds(s) + 1) * NS_PER_S - rtc_ns(s) <= UIP_NS;
    return s->cmos[REG_A] | (uip ? A_UIP : 0);
}

static uint8_t read_c(Rtc *s)
{
    catch_up(s);
    catch_up_periods(s);
    update_irq(s);
    uint8_t v = s->cmos[REG_C];
    s->cmos[REG_C] = 0;
    irq_set(&s->irq8, 0);
    return v;
}

static uint8_t read_reg(Rtc *s, unsigned at)
{
    if (at == REG_A)
        return read_a(s);
    if (at == REG_C)
        return read_c(s);
    if (at == REG_D)
        return D_VRT;
    if ((is_time(at) || at == CMOS_CENTURY_PS2) && is_ticking(s))
        put_time(s, seconds(s), s->cmos);
    return s->cmos[at];
}

static void write_a(Rtc *s, uint8_t v)
{
    bool was = is_ticking(s);
    if (was)
        put_time(s, seconds(s), s->cmos);
    s->cmos[REG_A] = v & (uint8_t)~A_UIP;
    if (!was && is_ticking(s))
        set_time(s, true);
    s->period = period_clocks(s) ? clocks(s) / period_clocks(s) : 0;
}

static void write_b(Rtc *s, uint8_t v)
{
    bool was = is_ticking(s);
    catch_up(s);
    if (was)
        put_time(s, seconds(s), s->cmos);
    int64_t t = get_time(s, s->cmos);
    s->cmos[REG_B] = v & B_SET ? v & (uint8_t)~B_UIE : v;
    put_time(s, t, s->cmos);             /* the format may have changed */
    if (!was && is_ticking(s))
        set_time(s, false);
    update_irq(s);
}

static void write_reg(Rtc *s, unsigned at, uint8_t v)
{
    if (at == REG_C || at == REG_D)
        return;
    if (at == REG_A) {
        write_a(s, v);
    } else if (at == REG_B) {
        write_b(s, v);
    } else if (is_time(at) && is_ticking(s)) {
        put_time(s, seconds(s), s->cmos);
        s->cmos[at] = v;
        set_time(s, false);
    } else {
        s->cmos[at] = v;
    }
    s->battery[at] = s->cmos[at];
    arm_update(s);
    arm_periodic(s);
}

static uint64_t rtc_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    Rtc *s = opaque;
    return at ? read_reg(s, s->index) : 0xff;
}

static void rtc_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Rtc *s = opaque;
    if (at)
        write_reg(s, s->index, (uint8_t)v);
    else
        s->index = (uint8_t)v & (uint8_t)~NMI_OFF;
}

static const MemOps rtc_ops = { .read = rtc_read, .write = rtc_write, .max_size = 1 };

void rtc_set_cmos(Device *d, unsigned at, uint8_t v)
{
    Rtc *s = (Rtc *)d;
    s->cmos[at] = s->battery[at] = v;
}

uint8_t rtc_get_cmos(const Device *d, unsigned at) { return ((const Rtc *)d)->cmos[at]; }

/* ---- life ---- */

/* What -rtc base= asks for, as ns since 1970 now. */
static int64_t start_ns(const MachineConfig *cfg)
{
    if (!cfg)
        return 0;
    if (cfg->rtc_base != INT64_MIN)
        return cfg->rtc_base * NS_PER_S;
    int64_t now = clock_wall_ns();
    if (cfg->rtc_localtime) {
        g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(now / NS_PER_S);
        now += g_date_time_get_utc_offset(t) * 1000;
    }
    return now;
}

static bool rtc_realize(Device *d, GError **err)
{
    (void)err;
    Rtc *s = (Rtc *)d;
    timer_init(&s->update_timer, d->machine->clock, update_fired, s);
    timer_init(&s->periodic_timer, d->machine->clock, periodic_fired, s);
    s->kept = start_ns(d->machine->cfg) - source_ns(s);
    s->battery[REG_A] = 0x26;            /* 32768 Hz, 1024 Hz periodic */
    s->battery[REG_B] = B_24;
    s->battery[CMOS_CENTURY] = 0x20;
    dev_ports(d, "rtc", 0x70, 2, &rtc_ops);
    return true;
}

static void rtc_reset(Device *d)
{
    Rtc *s = (Rtc *)d;
    memcpy(s->cmos, s->battery, sizeof s->cmos);
    s->offset = s->kept;
    s->cmos[REG_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
    s->cmos[REG_C] = 0;
    s->updated = seconds(s);
    update_irq(s);
}

static void rtc_loaded(Device *d)
{
    Rtc *s = (Rtc *)d;
    memcpy(s->battery, s->cmos, sizeof s->battery);
    s->kept = s->offset = CLAMP(s->offset, -OFFSET_MAX, OFFSET_MAX);
    s->index &= CMOS_SIZE - 1;
}

const DeviceType mc146818rtc_type = {
    .name = "mc146818rtc", .doc = "MC146818 real-time clock and CMOS memory", .bus = BUS_SYSTEM, .size = sizeof(Rtc),
    .version = 1, .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Rtc), LINK(Rtc, irq8), REG_BYTES(Rtc, cmos), REG_U8(Rtc, index, 0), REG_U64(Rtc, offset, 0),
        REG_U64(Rtc, updated, 0), REG_U64(Rtc, period, 0), TIMER(Rtc, update_timer), TIMER(Rtc, periodic_timer),
        HOST(Rtc, battery), HOST(Rtc, kept), FIELD_END },
    .realize = rtc_realize, .reset = rtc_reset, .loaded = rtc_loaded,
};
