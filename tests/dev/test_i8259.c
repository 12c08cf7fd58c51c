/* 8259A pair: initialisation, priorities, EOI modes, cascade, poll, ELCR. */
#include "hw/intc/i8259.h"
#include "tests/dev/harness.h"

extern const DeviceType i8259_type;

typedef struct Fix { Machine *m; Device *pic; TestLine intr; } Fix;

static void init_chip(Machine *m, unsigned port, unsigned base, unsigned icw3, unsigned icw4)
{
    outb(m, port, 0x11);
    outb(m, port + 1, base);
    outb(m, port + 1, icw3);
    outb(m, port + 1, icw4);
}

static void setup(Fix *f, unsigned icw4)
{
    *f = (Fix){ .m = t_machine() };
    f->pic = dev_new(f->m, &i8259_type);
    pic_connect(f->pic, t_irq(&f->intr, 0));
    t_realize(f->pic);
    init_chip(f->m, 0x20, 0x08, 4, icw4);
    init_chip(f->m, 0xa0, 0x70, 2, icw4 & ~0x10u);
}

static void pulse(Fix *f, int irq)
{
    pic_set_irq(f->pic, irq, 1);
    pic_set_irq(f->pic, irq, 0);
}

START_TEST(priority_and_eoi)
{
    Fix f;
    setup(&f, 1);
    pulse(&f, 3);
    pulse(&f, 1);
    ck_assert_int_eq(f.intr.level, 1);
    ck_assert_int_eq(pic_take(f.pic), 0x09);
    ck_assert_int_eq(f.intr.level, 0);   /* 3 waits for 1 */
    pulse(&f, 0);
    ck_assert_int_eq(pic_take(f.pic), 0x08);
    outb(f.m, 0x20, 0x0b);
    ck_assert_uint_eq(inb(f.m, 0x20), 0x03);
    outb(f.m, 0x20, 0x0a);
    ck_assert_uint_eq(inb(f.m, 0x20), 0x08);
    outb(f.m, 0x20, 0x20);               /* ends 0, the highest */
    ck_assert_int_eq(f.intr.level, 0);
    outb(f.m, 0x20, 0x61);               /* specific: 1 */
    ck_assert_int_eq(f.intr.level, 1);
    t_check_snapshot(f.pic);
    ck_assert_int_eq(pic_take(f.pic), 0x0b);
    t_machine_free(f.m);
}
END_TEST

START_TEST(mask_and_spurious)
{
    Fix f;
    setup(&f, 1);
    outb(f.m, 0x21, 0x08);
    pulse(&f, 3);
    ck_assert_int_eq(f.intr.level, 0);
    ck_assert_uint_eq(inb(f.m, 0x21), 0x08);
    outb(f.m, 0x21, 0);
    ck_assert_int_eq(f.intr.level, 1);
    outb(f.m, 0x21, 0x08);
    ck_assert_int_eq(pic_take(f.pic), 0x0f);             /* default IR7 */
    outb(f.m, 0x20, 0x0b);
    ck_assert_uint_eq(inb(f.m, 0x20), 0);
    t_machine_free(f.m);
}
END_TEST

START_TEST(cascade)
{
    Fix f;
    setup(&f, 1);
    pulse(&f, 14);
    ck_assert_int_eq(pic_take(f.pic), 0x76);
    pulse(&f, 8);                        /* higher in the slave, but IR2 is in service */
    ck_assert_int_eq(f.intr.level, 0);
    outb(f.m, 0xa0, 0x20);
    outb(f.m, 0x20, 0x20);
    ck_assert_int_eq(pic_take(f.pic), 0x70);
    t_machine_free(f.m);
}
END_TEST

START_TEST(special_fully_nested)
{
    Fix f;
    setup(&f, 0x11);
    pulse(&f, 14);
    ck_assert_int_eq(pic_take(f.pic), 0x76);
    pulse(&f, 8);
    ck_assert_int_eq(f.intr.level, 1);
    ck_assert_int_eq(pic_take(f.pic), 0x70);
    pulse(&f, 3);                        /* below IR2 */
    ck_assert_int_eq(f.intr.level, 0);
    t_machine_free(f.m);
}
END_TEST

START_TEST(auto_eoi_and_rotation)
{
    Fix f;
    setup(&f, 3);
    outb(f.m, 0x20, 0x80);               /* rotate in AEOI mode */
    pic_set_irq(f.pic, 0, 1);
    ck_assert_int_eq(pic_take(f.pic), 0x08);
    outb(f.m, 0x20, 0x0b);
    ck_assert_uint_eq(inb(f.m, 0x20), 0);
    pic_set_irq(f.pic, 0, 0);
    pulse(&f, 0);
    pulse(&f, 5);
    ck_assert_int_eq(pic_take(f.pic), 0x0d);             /* 0 is lowest now */
    outb(f.m, 0x20, 0xc7);               /* set priority: 7 lowest */
    pulse(&f, 6);
    ck_assert_int_eq(pic_take(f.pic), 0x08);
    t_machine_free(f.m);
}
END_TEST

START_TEST(special_mask)
{
    Fix f;
    setup(&f, 1);
    pulse(&f, 3);
    ck_assert_int_eq(pic_take(f.pic), 0x0b);
    pulse(&f, 5);
    ck_assert_int_eq(f.intr.level, 0);
    outb(f.m, 0x21, 0x08);
    outb(f.m, 0x20, 0x68);               /* special mask mode */
    ck_assert_int_eq(f.intr.level, 1);
    ck_assert_int_eq(pic_take(f.pic), 0x0d);
    t_machine_free(f.m);
}
END_TEST

START_TEST(poll)
{
    Fix f;
    setup(&f, 1);
    outb(f.m, 0x20, 0x0c);
    ck_assert_uint_eq(inb(f.m, 0x20), 0);
    pulse(&f, 4);
    outb(f.m, 0x20, 0x0c);
    ck_assert_uint_eq(inb(f.m, 0x20), 0x84);
    outb(f.m, 0x20, 0x0b);
    ck_assert_uint_eq(inb(f.m, 0x20), 0x10);
    t_machine_free(f.m);
}
END_TEST

START_TEST(level_triggered)
{
    Fix f;
    setup(&f, 1);
    outb(f.m, 0x4d0, 0xff);
    outb(f.m, 0x4d1, 0xff);
    ck_assert_uint_eq(inb(f.m, 0x4d0), 0xf8);
    ck_assert_uint_eq(inb(f.m, 0x4d1), 0xde);
    pic_set_irq(f.pic, 11, 1);
    ck_assert_int_eq(pic_take(f.pic), 0x73);
    outb(f.m, 0xa0, 0x20);
    outb(f.m, 0x20, 0x20);
    ck_assert_int_eq(f.intr.level, 1);   /* still asserted */
    pic_set_irq(f.pic, 11, 0);
    ck_assert_int_eq(f.intr.level, 0);
    t_check_snapshot(f.pic);
    t_machine_free(f.m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { priority_and_eoi, mask_and_spurious, cascade, special_fully_nested, auto_eoi_and_rotation,
                                   special_mask, poll, level_triggered, NULL };
    return t_main("i8259", tests);
}
