/* 16550A: registers, FIFOs, interrupt sources and their order. */
#include "tests/dev/harness.h"

#include "hw/char/serial.h"
#include "ui/chr.h"

enum { COM1 = 0x3f8, IER = COM1 + 1, IIR = COM1 + 2, FCR = COM1 + 2, LCR = COM1 + 3, MCR = COM1 + 4, LSR = COM1 + 5,
       MSR = COM1 + 6, SCR = COM1 + 7 };

typedef struct Fix {
    Machine *m;
    TestLine line;
    Chardev *chr;
    GString *sent;
} Fix;

static size_t fake_write(Chardev *c, const uint8_t *buf, size_t len)
{
    g_string_append_len(c->priv, (const char *)buf, (gssize)len);
    return len;
}

static const ChrDriver fake = { .name = "fake" };

static void setup(Fix *f)
{
    memset(f, 0, sizeof *f);
    f->m = t_machine();
    f->chr = chr_alloc(&fake, "t");
    f->chr->write = fake_write;
    f->chr->priv = f->sent = g_string_new(NULL);
    Device *d = isa_serial_new(f->m, 0, t_irq(&f->line, 4), f->chr, NULL);
    ck_assert_ptr_nonnull(d);
    dev_reset(d);
}

static void receive(Fix *f, const char *text)
{
    ck_assert_uint_ge(chr_room(f->chr), strlen(text));
    chr_input(f->chr, (const uint8_t *)text, strlen(text));
}

START_TEST(reset_values)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(inb(f.m, IER), 0);
    ck_assert_uint_eq(inb(f.m, IIR), 0x01);
    ck_assert_uint_eq(inb(f.m, LCR), 0);
    ck_assert_uint_eq(inb(f.m, MCR), 0);
    ck_assert_uint_eq(inb(f.m, LSR), 0x60);
    ck_assert_uint_eq(inb(f.m, MSR) & 0xf0, 0xb0);
    outb(f.m, SCR, 0x5a);
    ck_assert_uint_eq(inb(f.m, SCR), 0x5a);
    outb(f.m, LCR, 0x83);
    outw(f.m, COM1, 0x1234);             /* DLL, DLM by one word access */
    ck_assert_uint_eq(inb(f.m, COM1), 0x34);
    ck_assert_uint_eq(inb(f.m, COM1 + 1), 0x12);
    outb(f.m, LCR, 0x03);
    ck_assert_uint_eq(inb(f.m, IER), 0);
    t_machine_free(f.m);
}
END_TEST

START_TEST(transmit)
{
    Fix f;
    setup(&f);
    outb(f.m, COM1, 'A');
    ck_assert_str_eq(f.sent->str, "A");
    ck_assert_int_eq(f.line.level, 0);
    outb(f.m, IER, 0x02);                /* enabling reports an empty transmitter */
    ck_assert_int_eq(f.line.level, 1);
    ck_assert_uint_eq(inb(f.m, IIR), 0x02);
    ck_assert_int_eq(f.line.level, 0);   /* reading IIR took it back */
    ck_assert_uint_eq(inb(f.m, IIR), 0x01);
    outb(f.m, COM1, 'B');
    ck_assert_int_eq(f.line.level, 1);
    int rises = f.line.rises;
    outb(f.m, COM1, 'C');                /* a new edge for each byte */
    ck_assert_int_eq(f.line.rises, rises + 1);
    ck_assert_str_eq(f.sent->str, "ABC");
    t_machine_free(f.m);
}
END_TEST

START_TEST(receive_without_fifo)
{
    Fix f;
    setup(&f);
    outb(f.m, IER, 0x01);
    receive(&f, "x");
    ck_assert_uint_eq(chr_room(f.chr), 0);
    ck_assert_int_eq(f.line.level, 1);
    ck_assert_uint_eq(inb(f.m, IIR), 0x04);
    ck_assert_uint_eq(inb(f.m, LSR), 0x61);
    ck_assert_uint_eq(inb(f.m, COM1), 'x');
    ck_assert_int_eq(f.line.level, 0);
    ck_assert_uint_eq(inb(f.m, LSR), 0x60);
    ck_assert_uint_eq(chr_room(f.chr), 1);
    t_machine_free(f.m);
}
END_TEST

START_TEST(fifo_trigger_and_timeout)
{
    Fix f;
    setup(&f);
    outb(f.m, LCR, 0x83);
    outw(f.m, COM1, 1);                  /* 115200: a frame of 8N1 is 86.8 us */
    outb(f.m, LCR, 0x03);
    outb(f.m, FCR, 0x81);                /* trigger at 8 */
    outb(f.m, IER, 0x01);
    receive(&f, "1234567");
    ck_assert_int_eq(f.line.level, 0);
    ck_assert_uint_eq(inb(f.m, IIR), 0xc1);
    t_step(f.m, 300000);
    ck_assert_int_eq(f.line.level, 0);
    t_step(f.m, 60000);                  /* four frames */
    ck_assert_uint_eq(inb(f.m, IIR), 0xcc);
    ck_assert_uint_eq(inb(f.m, COM1), '1');
    ck_assert_uint_eq(inb(f.m, IIR), 0xc1);
    receive(&f, "89");
    ck_assert_uint_eq(inb(f.m, IIR), 0xc4);
    ck_assert_uint_eq(inb(f.m, COM1), '2');
    ck_assert_uint_eq(inb(f.m, IIR), 0xc1);              /* below the trigger */
    receive(&f, "0123456ab");
    ck_assert_uint_eq(chr_room(f.chr), 0);
    outb(f.m, FCR, 0x83);                /* clear the receive FIFO */
    ck_assert_uint_eq(chr_room(f.chr), 16);
    ck_assert_uint_eq(inb(f.m, LSR), 0x60);
    t_machine_free(f.m);
}
END_TEST

START_TEST(loopback_and_overrun)
{
    Fix f;
    setup(&f);
    outb(f.m, MCR, 0x1a);                /* loop, RTS, OUT2 */
    ck_assert_uint_eq(inb(f.m, MSR) & 0xf0, 0x90);       /* CTS, DCD */
    ck_assert_uint_eq(inb(f.m, MSR) & 0x0f, 0);          /* deltas were read */
    outb(f.m, IER, 0x04);
    outb(f.m, COM1, 'p');
    ck_assert_uint_eq(f.sent->len, 0);
    ck_assert_uint_eq(inb(f.m, LSR), 0x61);
    outb(f.m, COM1, 'q');
    ck_assert_uint_eq(inb(f.m, IIR), 0x06);              /* line status first */
    ck_assert_uint_eq(inb(f.m, LSR), 0x63);              /* overrun */
    ck_assert_uint_eq(inb(f.m, LSR), 0x61);
    ck_assert_uint_eq(inb(f.m, COM1), 'q');
    outb(f.m, IER, 0x08);
    outb(f.m, MCR, 0x18);                /* RTS falls: CTS changes */
    ck_assert_uint_eq(inb(f.m, IIR), 0x00);
    ck_assert_uint_eq(inb(f.m, MSR), 0x81);
    ck_assert_uint_eq(inb(f.m, IIR), 0x01);
    t_machine_free(f.m);
}
END_TEST

START_TEST(break_and_snapshot)
{
    Fix f;
    setup(&f);
    outb(f.m, FCR, 0x01);
    outb(f.m, IER, 0x05);
    receive(&f, "a");
    chr_event(f.chr, CHR_BREAK);
    ck_assert_uint_eq(inb(f.m, LSR), 0xe1);              /* FIFOE: below the top */
    t_check_snapshot(g_ptr_array_index(f.m->devices, 0));
    ck_assert_uint_eq(inb(f.m, COM1), 'a');
    ck_assert_uint_eq(inb(f.m, IIR), 0xc6);
    ck_assert_uint_eq(inb(f.m, LSR), 0xf1);
    ck_assert_uint_eq(inb(f.m, LSR), 0x61);
    ck_assert_uint_eq(inb(f.m, COM1), 0);
    ck_assert_uint_eq(inb(f.m, LSR), 0x60);
    t_machine_free(f.m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { reset_values, transmit, receive_without_fifo, fifo_trigger_and_timeout, loopback_and_overrun,
                                   break_and_snapshot, NULL };
    return t_main("serial", tests);
}
