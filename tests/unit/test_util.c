/* util/: clocks, options, streams, fields, closest names. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/field.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/opts.h"
#include "util/stream.h"

/* ---- clock ---- */

typedef struct Ring { Timer t; int fired; int64_t at; int64_t period; } Ring;

static void fire(void *opaque)
{
    Ring *r = opaque;
    r->fired++;
    r->at = clock_ns(r->t.clock);
    if (r->period)
        timer_set(&r->t, r->at + r->period);
}

START_TEST(manual_clock_fires_in_order)
{
    Clock *c = clock_new_manual();
    Ring a = { .period = 10 }, b = { 0 }, off = { 0 };
    timer_init(&a.t, c, fire, &a);
    timer_init(&b.t, c, fire, &b);
    timer_init(&off.t, c, fire, &off);
    timer_set(&a.t, 10);
    timer_set(&b.t, 25);
    timer_set(&off.t, 5);
    timer_cancel(&off.t);
    ck_assert(!timer_armed(&off.t));
    clock_step(c, 9);
    ck_assert_int_eq(a.fired, 0);
    clock_step(c, 21);
    ck_assert_int_eq(clock_ns(c), 30);
    ck_assert_int_eq(a.fired, 3);
    ck_assert_int_eq(b.at, 25);
    ck_assert_int_eq(off.fired, 0);
    timer_set(&b.t, 31);                 /* re-arming moves */
    timer_set(&b.t, 100);
    clock_step(c, 5);
    ck_assert_int_eq(b.fired, 1);
    clock_free(c);
}
END_TEST

START_TEST(clock_stops_and_goes_on)
{
    Clock *c = clock_new();
    ck_assert_int_eq(clock_ns(c), 0);
    clock_resume(c);
    int64_t t0 = clock_ns(c);
    while (clock_ns(c) < t0 + 1000)
        ;
    clock_pause(c);
    int64_t t1 = clock_ns(c);
    ck_assert_int_ge(t1, t0 + 1000);
    ck_assert_int_eq(clock_ns(c), t1);
    ck_assert_int_eq(clock_next(c), -1);
    clock_resume(c);
    ck_assert_int_ge(clock_ns(c), t1);
    ck_assert_int_lt(clock_ns(c), t1 + NS_PER_S);
    Ring r = { 0 };
    timer_init(&r.t, c, fire, &r);
    timer_set(&r.t, 0);                  /* in the past: due at once */
    ck_assert_int_eq(clock_next(c), 0);
    clock_run(c);
    ck_assert_int_eq(r.fired, 1);
    clock_free(c);
}
END_TEST

START_TEST(lock_is_recursive)
{
    ck_assert(!machine_locked());
    machine_lock();
    machine_lock();
    machine_unlock();
    ck_assert(machine_locked());
    unsigned n = machine_unlock_all();
    ck_assert(!machine_locked());
    machine_lock_again(n);
    machine_unlock();
    ck_assert(!machine_locked());
}
END_TEST

/* ---- options ---- */

START_TEST(options_split)
{
    GError *err = NULL;
    g_autoptr(Opts) o = opts_parse("a,,b.img,format=raw,snapshot,nowait,x=1,x=2", "file", &err);
    ck_assert_ptr_nonnull(o);
    ck_assert_str_eq(opts_get(o, "file"), "a,b.img");
    ck_assert_str_eq(opts_get(o, "format"), "raw");
    ck_assert_str_eq(opts_get(o, "snapshot"), "on");
    ck_assert_str_eq(opts_get(o, "wait"), "off");
    ck_assert_str_eq(opts_get(o, "x"), "2");
    ck_assert_ptr_null(opts_get(o, "nothing"));
    static const char *const names[] = { "file", "format", "snapshot", "wait", NULL };
    ck_assert(!opts_check(o, "-drive", names, &err));
    ck_assert_int_eq(err->code, ERR_USAGE);
    g_clear_error(&err);
    g_autoptr(Opts) bad = opts_parse("=x", NULL, &err);
    ck_assert_ptr_null(bad);
    g_clear_error(&err);
}
END_TEST

static const struct { const char *text; uint64_t unit, value; bool ok; } sizes[] = {
    { "512", 1 << 20, 512u << 20, true }, { "512M", 1 << 20, 512u << 20, true }, { "2G", 1, 2ull << 30, true },
    { "1.5k", 1, 1536, true }, { "0x10", 1, 16, true }, { "4096b", 1 << 20, 4096, true }, { "1T", 1, 1ull << 40, true },
    { "1GiB", 1, 1 << 30, true }, { "18014398509481983", 1, 18014398509481983ull, true },
    { "", 1, 0, false }, { "x", 1, 0, false }, { "1Q", 1, 0, false }, { "-1", 1, 0, false }, { "1e30", 1, 0, false }, { "9P1", 1, 0, false },
    { "100000P", 1, 0, false },
};

START_TEST(option_sizes)
{
    GError *err = NULL;
    uint64_t v = 0;
    bool ok = opt_size("m", sizes[_i].text, sizes[_i].unit, &v, &err);
    ck_assert_msg(ok == sizes[_i].ok, "'%s'", sizes[_i].text);
    if (ok)
        ck_assert_uint_eq(v, sizes[_i].value);
    else
        ck_assert_ptr_nonnull(err);
    g_clear_error(&err);
}
END_TEST

START_TEST(option_values)
{
    bool b;
    uint64_t v;
    ck_assert(opt_bool("x", "on", &b, NULL) && b);
    ck_assert(opt_bool("x", "No", &b, NULL) && !b);
    ck_assert(!opt_bool("x", "maybe", &b, NULL));
    ck_assert(opt_u64("x", "0xffffffffffffffff", &v, NULL) && v == UINT64_MAX);
    ck_assert(!opt_u64("x", "18446744073709551616", &v, NULL));
    ck_assert(!opt_u64("x", "0x", &v, NULL));
    ck_assert(!opt_u64("x", "12 ", &v, NULL));
}
END_TEST

START_TEST(names_that_are_near)
{
    static const char *const names[] = { "system_reset", "stop", "screendump", "sendkey", NULL };
    g_autofree char *a = closest_names("sytem_reset", names), *b = closest_names("screen", names), *c = closest_names("zzzzzz", names);
    ck_assert_ptr_nonnull(strstr(a, "'system_reset'"));
    ck_assert_ptr_nonnull(strstr(b, "'screendump'"));
    ck_assert_str_eq(c, "");
}
END_TEST

START_TEST(log_items)
{
    g_autoptr(GString) help = g_string_new(NULL);
    GError *err = NULL;
    uint32_t mask;
    ck_assert(log_parse("in_asm,int", &mask, help, &err));
    ck_assert_uint_eq(mask, LOG_IN | LOG_INT);
    ck_assert(!log_parse("in_asn", &mask, help, &err));
    ck_assert_ptr_nonnull(strstr(err->message, "in_asm"));
    g_clear_error(&err);
}
END_TEST

/* ---- streams, fields ---- */

START_TEST(streams)
{
    OutStream *o = out_new();
    out_u8(o, 1);
    out_u16(o, 0x0203);
    size_t mark = out_begin(o);
    out_u32(o, 0x04050607);
    out_str(o, "text");
    out_end(o, mark);
    out_u64(o, 8);
    size_t len;
    const uint8_t *p = out_data(o, &len);
    InStream in = in_of(p, len);
    ck_assert_uint_eq(in_u8(&in), 1);
    ck_assert_uint_eq(in_u16(&in), 0x0203);
    InStream piece = in_piece(&in);
    ck_assert_uint_eq(in_u32(&piece), 0x04050607);
    g_autofree char *text = in_str(&piece);
    ck_assert_str_eq(text, "text");
    ck_assert_uint_eq(in_left(&piece), 0);
    ck_assert_uint_eq(in_u32(&piece), 0);
    ck_assert(piece.bad);
    ck_assert_uint_eq(in_u64(&in), 8);
    ck_assert(!in.bad);
    for (size_t n = 0; n < len; n++) {   /* cut anywhere: bad, never outside */
        InStream cut = in_of(p, n);
        in_u8(&cut);
        in_u16(&cut);
        InStream inner = in_piece(&cut);
        in_u32(&inner);
        g_free(in_str(&inner));
        in_u64(&cut);
        ck_assert(cut.bad);
    }
    out_free(o);
}
END_TEST

typedef struct Thing { uint8_t a; uint16_t b[3]; uint32_t c; bool d; uint8_t mem[4]; char *name; uint64_t prop; } Thing;
static const Field thing_fields[] = {
    REG_U8(Thing, a, 7), REG_U16(Thing, b, 0x1234), HOST(Thing, c), REG_BOOL(Thing, d, 1), REG_BYTES(Thing, mem),
    PROP_STR(Thing, name, "default"), PROP_U64(Thing, prop, 42), FIELD_END,
};

START_TEST(fields)
{
    Thing t;
    memset(&t, 0xee, sizeof t);
    fields_init_props(thing_fields, &t);
    fields_reset(thing_fields, &t);
    ck_assert_uint_eq(t.a, 7);
    ck_assert_uint_eq(t.b[2], 0x1234);
    ck_assert_uint_eq(t.c, 0xeeeeeeee);
    ck_assert(t.d);
    ck_assert_uint_eq(t.mem[3], 0);
    ck_assert_str_eq(t.name, "default");
    ck_assert_uint_eq(t.prop, 42);
    ck_assert_ptr_eq(field_find(thing_fields, "d"), &thing_fields[3]);
    ck_assert_ptr_null(field_find(thing_fields, "e"));
    fields_free_props(thing_fields, &t);
    ck_assert_ptr_null(t.name);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("util");
    TCase *t = tcase_create("util");
    tcase_add_test(t, manual_clock_fires_in_order);
    tcase_add_test(t, clock_stops_and_goes_on);
    tcase_add_test(t, lock_is_recursive);
    tcase_add_test(t, options_split);
    tcase_add_loop_test(t, option_sizes, 0, (int)G_N_ELEMENTS(sizes));
    tcase_add_test(t, option_values);
    tcase_add_test(t, names_that_are_near);
    tcase_add_test(t, log_items);
    tcase_add_test(t, streams);
    tcase_add_test(t, fields);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
