/* 8254: counting modes, latches, read-back, gate through port 61h. */
#include "hw/timer/i8254.h"
#include "tests/dev/harness.h"

extern const DeviceType i8254_type;

typedef struct Fix { Machine *m; Device *pit; TestLine out0; } Fix;

static int64_t ticks(uint64_t n) { return (int64_t)((n * NS_PER_S + 1193181) / 1193182); }

static void setup(Fix *f)
{
    *f = (Fix){ .m = t_machine() };
    f->pit = dev_new(f->m, &i8254_type);
    pit_connect(f->pit, t_irq(&f->out0, 0));
    t_realize(f->pit);
    f->out0.rises = 0;
}

static void program(Fix *f, unsigned n, unsigned mode, unsigned count)
{
    outb(f->m, 0x43, n << 6 | 0x30 | mode << 1);
    outb(f->m, 0x40 + n, count & 0xff);
    outb(f->m, 0x40 + n, count >> 8);
}

static unsigned latched(Fix *f, unsigned n)
{
    outb(f->m, 0x43, n << 6);
    unsigned lo = inb(f->m, 0x40 + n);
    return lo | inb(f->m, 0x40 + n) << 8;
}

START_TEST(rate_generator)
{
    Fix f;
    setup(&f);
    program(&f, 0, 2, 1000);
    t_step(f.m, ticks(10500));
    ck_assert_int_eq(f.out0.rises, 10);
    ck_assert_uint_eq(latched(&f, 0), 500);
    t_check_snapshot(f.pit);
    t_step(f.m, ticks(500));
    ck_assert_int_eq(f.out0.rises, 11);
    t_machine_free(f.m);
}
END_TEST

START_TEST(square_wave)
{
    Fix f;
    setup(&f);
    program(&f, 0, 3, 0);
    t_step(f.m, ticks(65536 * 3 + 100));
    ck_assert_int_eq(f.out0.rises, 3);
    ck_assert_uint_eq(latched(&f, 0), (65536 - 200) & 0xffff);
    t_machine_free(f.m);
}
END_TEST

START_TEST(one_shot)
{
    Fix f;
    setup(&f);
    program(&f, 0, 0, 100);
    ck_assert_int_eq(f.out0.level, 0);
    t_step(f.m, ticks(99));
    ck_assert_int_eq(f.out0.level, 0);
    t_step(f.m, ticks(1));
    ck_assert_int_eq(f.out0.level, 1);
    t_step(f.m, ticks(1000000));
    ck_assert_int_eq(f.out0.rises, 1);
    t_machine_free(f.m);
}
END_TEST

START_TEST(read_back)
{
    Fix f;
    setup(&f);
    outb(f.m, 0x43, 0x34);
    outb(f.m, 0x43, 0xe2);               /* status of counter 0 */
    ck_assert_uint_eq(inb(f.m, 0x40), 0xf4);             /* OUT, null count, both bytes, mode 2 */
    program(&f, 0, 2, 50);
    t_step(f.m, ticks(10));
    outb(f.m, 0x43, 0xc2);               /* status and count */
    ck_assert_uint_eq(inb(f.m, 0x40), 0xb4);
    ck_assert_uint_eq(inb(f.m, 0x40), 40);
    ck_assert_uint_eq(inb(f.m, 0x40), 0);
    t_machine_free(f.m);
}
END_TEST

START_TEST(bcd)
{
    Fix f;
    setup(&f);
    outb(f.m, 0x43, 0x35);
    outb(f.m, 0x40, 0x00);
    outb(f.m, 0x40, 0x10);               /* 1000 */
    t_step(f.m, ticks(1));
    ck_assert_uint_eq(latched(&f, 0), 0x0999);
    t_machine_free(f.m);
}
END_TEST

START_TEST(gate_and_speaker_port)
{
    Fix f;
    setup(&f);
    outb(f.m, 0x61, 0);
    program(&f, 2, 0, 1000);
    t_step(f.m, ticks(2000));
    ck_assert_uint_eq(inb(f.m, 0x61) & 0x20, 0);         /* gated off */
    outb(f.m, 0x61, 1);
    t_step(f.m, ticks(999));
    ck_assert_uint_eq(inb(f.m, 0x61) & 0x20, 0);
    t_step(f.m, ticks(2));
    ck_assert_uint_eq(inb(f.m, 0x61) & 0x21, 0x21);
    unsigned r = inb(f.m, 0x61) & 0x10;
    t_step(f.m, 15085);
    ck_assert_uint_ne(inb(f.m, 0x61) & 0x10, r);
    t_machine_free(f.m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { rate_generator, square_wave, one_shot, read_back, bcd, gate_and_speaker_port, NULL };
    return t_main("i8254", tests);
}
