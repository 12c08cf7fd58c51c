/* MC146818: time registers and formats, update cycle, alarm, periodic interrupt, CMOS over a reset. */
#include "hw/timer/mc146818rtc.h"
#include "tests/dev/harness.h"

extern const DeviceType mc146818rtc_type;

typedef struct Fix { Machine *m; Device *rtc; TestLine irq; MachineConfig cfg; } Fix;

static unsigned get(Fix *f, unsigned at)
{
    outb(f->m, 0x70, at);
    return inb(f->m, 0x71);
}
static void set(Fix *f, unsigned at, unsigned v)
{
    outb(f->m, 0x70, at);
    outb(f->m, 0x71, v);
}

static void setup(Fix *f, int64_t base)
{
    *f = (Fix){ .m = t_machine() };
    f->cfg = (MachineConfig){ .rtc_base = base, .rtc_clock_vm = true };
    f->m->cfg = &f->cfg;
    f->rtc = dev_new(f->m, &mc146818rtc_type);
    rtc_connect(f->rtc, t_irq(&f->irq, 8));
    t_realize(f->rtc);
}

static void check_date(Fix *f, unsigned c, unsigned y, unsigned mo, unsigned d, unsigned h, unsigned mi, unsigned s)
{
    ck_assert_uint_eq(get(f, 0x32), c);
    ck_assert_uint_eq(get(f, 9), y);
    ck_assert_uint_eq(get(f, 8), mo);
    ck_assert_uint_eq(get(f, 7), d);
    ck_assert_uint_eq(get(f, 4), h);
    ck_assert_uint_eq(get(f, 2), mi);
    ck_assert_uint_eq(get(f, 0), s);
}

START_TEST(calendar)
{
    Fix f;
    setup(&f, 951782399);                /* Mon 2000-02-28 23:59:59 */
    check_date(&f, 0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59);
    ck_assert_uint_eq(get(&f, 6), 2);
    t_step(f.m, NS_PER_S);
    check_date(&f, 0x20, 0x00, 0x02, 0x29, 0, 0, 0);
    t_step(f.m, 86400 * NS_PER_S);
    check_date(&f, 0x20, 0x00, 0x03, 0x01, 0, 0, 0);
    ck_assert_uint_eq(get(&f, 6), 4);
    t_check_snapshot(f.rtc);
    t_machine_free(f.m);
}
END_TEST

START_TEST(formats_and_setting)
{
    Fix f;
    setup(&f, 0);
    set(&f, 0x0b, 0x84);                 /* SET, binary, 12 hours */
    set(&f, 4, 0x80 | 11);               /* 11 pm */
    set(&f, 2, 30);
    set(&f, 0, 15);
    set(&f, 7, 31);
    set(&f, 8, 12);
    set(&f, 9, 99);
    set(&f, 0x32, 0x19);
    t_step(f.m, 5 * NS_PER_S);           /* stopped */
    ck_assert_uint_eq(get(&f, 0), 15);
    set(&f, 0x0b, 0x02);                 /* run, BCD, 24 hours */
    t_step(f.m, NS_PER_S * 1800);
    check_date(&f, 0x20, 0x00, 0x01, 0x01, 0, 0, 0x15);
    t_machine_free(f.m);
}
END_TEST

START_TEST(update_cycle)
{
    Fix f;
    setup(&f, 0);
    get(&f, 0x0c);
    t_step(f.m, NS_PER_S / 2);
    ck_assert_uint_eq(get(&f, 0x0a) & 0x80, 0);
    t_step(f.m, NS_PER_S / 2 - 200000);
    ck_assert_uint_eq(get(&f, 0x0a) & 0x80, 0x80);
    ck_assert_uint_eq(get(&f, 0x0c) & 0x10, 0);
    t_step(f.m, 200000);
    ck_assert_uint_eq(get(&f, 0x0c) & 0x10, 0x10);
    ck_assert_uint_eq(get(&f, 0x0c) & 0x10, 0);
    set(&f, 0x0b, 0x12);                 /* UIE */
    t_step(f.m, 3 * NS_PER_S / 2);
    ck_assert_int_eq(f.irq.level, 1);
    ck_assert_uint_eq(get(&f, 0x0c) & 0x90, 0x90);
    ck_assert_int_eq(f.irq.level, 0);
    t_machine_free(f.m);
}
END_TEST

START_TEST(alarm_interrupt)
{
    Fix f;
    setup(&f, 0);
    set(&f, 1, 0x05);
    set(&f, 3, 0xff);
    set(&f, 5, 0xff);
    set(&f, 0x0b, 0x22);                 /* AIE */
    t_step(f.m, 5 * NS_PER_S - 1);
    ck_assert_int_eq(f.irq.level, 0);
    t_step(f.m, 1);
    ck_assert_int_eq(f.irq.level, 1);
    ck_assert_uint_eq(get(&f, 0x0c) & 0xa0, 0xa0);
    t_step(f.m, 59 * NS_PER_S);
    ck_assert_int_eq(f.irq.level, 0);
    t_step(f.m, NS_PER_S);
    ck_assert_int_eq(f.irq.level, 1);
    t_machine_free(f.m);
}
END_TEST

START_TEST(periodic_interrupt)
{
    Fix f;
    setup(&f, 0);
    set(&f, 0x0a, 0x2f);                 /* 2 Hz */
    set(&f, 0x0b, 0x42);
    for (int i = 0; i < 4; i++) {
        t_step(f.m, NS_PER_S / 2);
        ck_assert_int_eq(f.irq.level, 1);
        ck_assert_uint_eq(get(&f, 0x0c) & 0xc0, 0xc0);
    }
    t_check_snapshot(f.rtc);
    t_machine_free(f.m);
}
END_TEST

START_TEST(battery)
{
    Fix f;
    setup(&f, 0);
    set(&f, 0x0f, 0x5a);
    set(&f, 0x0b, 0x72);
    t_step(f.m, 10 * NS_PER_S);
    dev_reset(f.rtc);
    ck_assert_uint_eq(get(&f, 0x0f), 0x5a);
    ck_assert_uint_eq(get(&f, 0x0b), 0x02);
    ck_assert_uint_eq(get(&f, 0), 0x10);
    ck_assert_uint_eq(get(&f, 0x0d), 0x80);
    t_machine_free(f.m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { calendar, formats_and_setting, update_cycle, alarm_interrupt, periodic_interrupt, battery, NULL };
    return t_main("rtc", tests);
}
