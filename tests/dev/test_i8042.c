/* Keyboard controller, keyboard and mouse, through ports 60 and 64. */
#include "tests/dev/harness.h"

#include "hw/input/i8042.h"

enum { STAT_OBF = 0x01, STAT_AUX = 0x20 };

typedef struct Fix {
    Machine *m;
    TestLine kbd, aux, a20;
    int resets;
} Fix;

static void on_reset(Machine *m, const char *reason)
{
    (void)reason;
    ((Fix *)m->opaque)->resets++;
}

static void setup(Fix *f)
{
    memset(f, 0, sizeof *f);
    f->m = t_machine();
    f->m->input = input_new();
    f->m->on_reset = on_reset;
    f->m->opaque = f;
    dev_reset(i8042_new(f->m, t_irq(&f->kbd, 1), t_irq(&f->aux, 12), t_irq(&f->a20, 0), NULL));
}

static void finish(Fix *f)
{
    InputHub *h = f->m->input;
    t_machine_free(f->m);
    input_free(h);
}

static unsigned byte(Fix *f)
{
    ck_assert_msg(inb(f->m, 0x64) & STAT_OBF, "nothing in the output buffer");
    return inb(f->m, 0x60);
}

static void empty(Fix *f) { ck_assert_uint_eq(inb(f->m, 0x64) & STAT_OBF, 0); }

static void mode(Fix *f, unsigned val)
{
    outb(f->m, 0x64, 0x60);
    outb(f->m, 0x60, val);
}

static void aux(Fix *f, unsigned val)
{
    outb(f->m, 0x64, 0xd4);
    outb(f->m, 0x60, val);
}

START_TEST(self_tests)
{
    Fix f;
    setup(&f);
    outb(f.m, 0x64, 0xaa);
    ck_assert_uint_eq(byte(&f), 0x55);
    outb(f.m, 0x64, 0xab);
    ck_assert_uint_eq(byte(&f), 0x00);
    outb(f.m, 0x64, 0xa9);
    ck_assert_uint_eq(byte(&f), 0x00);
    mode(&f, 0x47);
    outb(f.m, 0x64, 0x20);
    ck_assert_uint_eq(byte(&f), 0x47);
    ck_assert_uint_eq(inb(f.m, 0x64) & 4, 4);
    empty(&f);
    finish(&f);
}
END_TEST

START_TEST(keys_in_each_set)
{
    Fix f;
    setup(&f);
    mode(&f, 0x41);                      /* translation, interrupt */
    input_key(f.m->input, 30, true);     /* A */
    ck_assert_int_eq(f.kbd.level, 1);
    ck_assert_uint_eq(byte(&f), 0x1e);
    ck_assert_int_eq(f.kbd.level, 0);
    input_key(f.m->input, 30, false);
    ck_assert_uint_eq(byte(&f), 0x9e);
    input_key(f.m->input, 103, true);    /* up */
    ck_assert_uint_eq(byte(&f), 0xe0);
    ck_assert_uint_eq(byte(&f), 0x48);
    input_key(f.m->input, 65, true);     /* F7: the one with code 83 */
    ck_assert_uint_eq(byte(&f), 0x41);
    mode(&f, 0x01);                      /* set 2 as it comes */
    input_key(f.m->input, 103, false);
    ck_assert_uint_eq(byte(&f), 0xe0);
    ck_assert_uint_eq(byte(&f), 0xf0);
    ck_assert_uint_eq(byte(&f), 0x75);
    outb(f.m, 0x60, 0xf0);
    ck_assert_uint_eq(byte(&f), 0xfa);
    outb(f.m, 0x60, 1);
    ck_assert_uint_eq(byte(&f), 0xfa);
    input_key(f.m->input, 30, false);
    ck_assert_uint_eq(byte(&f), 0x9e);
    empty(&f);
    finish(&f);
}
END_TEST

START_TEST(keyboard_commands)
{
    Fix f;
    setup(&f);
    mode(&f, 0x01);
    outb(f.m, 0x60, 0xff);
    ck_assert_uint_eq(byte(&f), 0xfa);
    ck_assert_uint_eq(byte(&f), 0xaa);
    outb(f.m, 0x60, 0xf2);
    ck_assert_uint_eq(byte(&f), 0xfa);
    ck_assert_uint_eq(byte(&f), 0xab);
    ck_assert_uint_eq(byte(&f), 0x83);
    outb(f.m, 0x60, 0xed);
    ck_assert_uint_eq(byte(&f), 0xfa);
    outb(f.m, 0x60, 0x07);
    ck_assert_uint_eq(byte(&f), 0xfa);
    outb(f.m, 0x60, 0xf5);               /* no scanning */
    ck_assert_uint_eq(byte(&f), 0xfa);
    input_key(f.m->input, 30, true);
    empty(&f);
    outb(f.m, 0x60, 0x12);
    ck_assert_uint_eq(byte(&f), 0xfe);
    mode(&f, 0x11);                      /* keyboard clock off: keys wait */
    outb(f.m, 0x64, 0xd2);
    outb(f.m, 0x60, 0x77);
    ck_assert_uint_eq(byte(&f), 0x77);
    finish(&f);
}
END_TEST

START_TEST(mouse)
{
    Fix f;
    setup(&f);
    mode(&f, 0x02);
    static const uint8_t knock[] = { 0xf3, 200, 0xf3, 100, 0xf3, 80 };
    for (unsigned i = 0; i < sizeof knock; i++) {
        aux(&f, knock[i]);
        ck_assert_uint_eq(inb(f.m, 0x64) & (STAT_OBF | STAT_AUX), STAT_OBF | STAT_AUX);
        ck_assert_int_eq(f.aux.level, 1);
        ck_assert_uint_eq(byte(&f), 0xfa);
    }
    aux(&f, 0xf2);
    ck_assert_uint_eq(byte(&f), 0xfa);
    ck_assert_uint_eq(byte(&f), 3);
    input_move(f.m->input, 5, 5, 0);     /* not reporting yet */
    empty(&f);
    aux(&f, 0xf4);
    ck_assert_uint_eq(byte(&f), 0xfa);
    input_move(f.m->input, 0, 0, 0);
    while (inb(f.m, 0x64) & STAT_OBF)
        inb(f.m, 0x60);
    input_move(f.m->input, 10, 3, -1);
    input_buttons(f.m->input, 1);
    ck_assert_uint_eq(byte(&f), 0x28);   /* y up is positive */
    ck_assert_uint_eq(byte(&f), 10);
    ck_assert_uint_eq(byte(&f), 0xfd);
    ck_assert_uint_eq(byte(&f), 0xff);
    ck_assert_uint_eq(byte(&f), 0x09);   /* then the button */
    t_check_snapshot(g_ptr_array_index(f.m->devices, 0));
    finish(&f);
}
END_TEST

START_TEST(output_port)
{
    Fix f;
    setup(&f);
    ck_assert_int_eq(f.a20.level, 1);
    outb(f.m, 0x64, 0xd1);
    outb(f.m, 0x60, 0x01);
    ck_assert_int_eq(f.a20.level, 0);
    outb(f.m, 0x64, 0xd0);
    ck_assert_uint_eq(byte(&f) & 3, 1);
    outb(f.m, 0x64, 0xdf);
    ck_assert_int_eq(f.a20.level, 1);
    outb(f.m, 0x64, 0xfe);
    ck_assert_int_eq(f.resets, 1);
    finish(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { self_tests, keys_in_each_set, keyboard_commands, mouse, output_port, NULL };
    return t_main("i8042", tests);
}
