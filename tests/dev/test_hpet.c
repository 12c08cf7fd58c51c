/* HPET: counter, single shot and periodic comparators, level mode, legacy replacement. */
#include "hw/timer/hpet.h"
#include "tests/dev/harness.h"

extern const DeviceType hpet_type;

typedef struct Fix { Machine *m; Device *hpet; int level[32], rises[32]; } Fix;

static void gsi(void *opaque, int n, int level)
{
    Fix *f = opaque;
    f->rises[n] += level && !f->level[n];
    f->level[n] = level;
}

static uint64_t rd(Fix *f, unsigned at) { return as_ld(f->m->mem, HPET_BASE + at, 8); }
static void wr(Fix *f, unsigned at, uint64_t v) { as_st(f->m->mem, HPET_BASE + at, v, 8); }

static void setup(Fix *f)
{
    *f = (Fix){ .m = t_machine() };
    f->hpet = dev_new(f->m, &hpet_type);
    hpet_connect(f->hpet, (IrqLine){ gsi, f, 0 });
    t_realize(f->hpet);
}

START_TEST(counter_runs)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(rd(&f, 0) >> 32, 10000000);
    t_step(f.m, 1000);
    ck_assert_uint_eq(rd(&f, 0xf0), 0);
    wr(&f, 0x10, 1);
    t_step(f.m, 1000);
    ck_assert_uint_eq(rd(&f, 0xf0), 100);
    wr(&f, 0x10, 0);
    t_step(f.m, 1000);
    ck_assert_uint_eq(rd(&f, 0xf0), 100);
    as_st(f.m->mem, HPET_BASE + 0xf4, 7, 4);
    ck_assert_uint_eq(rd(&f, 0xf0), (7ull << 32) + 100);
    ck_assert_uint_eq(as_ld(f.m->mem, HPET_BASE + 0xf4, 4), 7);
    t_machine_free(f.m);
}
END_TEST

START_TEST(single_shot)
{
    Fix f;
    setup(&f);
    wr(&f, 0x140, 20 << 9 | 4);          /* timer 2 to pin 20 */
    wr(&f, 0x148, 1000);
    wr(&f, 0x10, 1);
    t_step(f.m, 9999);
    ck_assert_int_eq(f.rises[20], 0);
    t_step(f.m, 1);
    ck_assert_int_eq(f.rises[20], 1);
    t_step(f.m, 1000000);
    ck_assert_int_eq(f.rises[20], 1);
    t_machine_free(f.m);
}
END_TEST

START_TEST(periodic_legacy)
{
    Fix f;
    setup(&f);
    wr(&f, 0x10, 3);
    wr(&f, 0x100, 4 | 8 | 0x40 | 0x100);
    as_st(f.m->mem, HPET_BASE + 0x108, 500, 4);          /* first match, then the period */
    as_st(f.m->mem, HPET_BASE + 0x108, 1000, 4);
    hpet_legacy_in(f.hpet, 0, 1);
    ck_assert_int_eq(f.level[0], 0);     /* the 8254 is cut off */
    t_step(f.m, 5000);
    ck_assert_int_eq(f.rises[0], 1);
    t_check_snapshot(f.hpet);
    t_step(f.m, 95000);
    ck_assert_int_eq(f.rises[0], 10);
    wr(&f, 0x10, 1);
    ck_assert_int_eq(f.level[0], 1);     /* and back */
    t_machine_free(f.m);
}
END_TEST

START_TEST(level_mode)
{
    Fix f;
    setup(&f);
    wr(&f, 0x120, 17 << 9 | 4 | 2);
    wr(&f, 0x128, 100);
    wr(&f, 0x10, 1);
    t_step(f.m, 1000);
    ck_assert_int_eq(f.level[17], 1);
    ck_assert_uint_eq(rd(&f, 0x20), 2);
    wr(&f, 0x20, 2);
    ck_assert_int_eq(f.level[17], 0);
    ck_assert_uint_eq(rd(&f, 0x20), 0);
    t_machine_free(f.m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { counter_runs, single_shot, periodic_legacy, level_mode, NULL };
    return t_main("hpet", tests);
}
