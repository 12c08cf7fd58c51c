/* Floppy controller: commands, DMA through the 8237, PIO, missing media. */
#include "tests/dev/harness.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "hw/floppy/fdc.h"
#include "util/ldst.h"

enum { DOR = 0x3f2, MSR = 0x3f4, FIFO = 0x3f5, CCR = 0x3f7, DIGITAL_IN = 0x3f7 };
enum { RQM = 0x80, DIO = 0x40, NONDMA = 0x20, BUSY = 0x10 };

typedef struct Fix {
    Machine *m;
    Device *fdc;
    TestLine irq;
    BlockDev *blk;
    char *path;
    uint8_t *ram;
} Fix;

static void setup(Fix *f, bool readonly, bool empty)
{
    memset(f, 0, sizeof *f);
    f->m = t_machine();
    f->ram = mem_host(t_ram(f->m, 1 << 20));
    f->m->isa_dma = (IsaDma *)t_realize(dev_new(f->m, dev_type_find("i8237")));
    g_autofree uint8_t *data = g_malloc0(1474560);
    for (unsigned i = 0; i < 2880; i++)
        st_le32(data + 512 * i, i + 1);
    close(g_file_open_tmp("rhea-test-XXXXXX", &f->path, NULL));
    ck_assert(g_file_set_contents(f->path, (char *)data, 1474560, NULL));
    f->blk = blk_open(&(BlockOpenOptions){ .path = f->path, .readonly = readonly, .removable = true }, NULL);
    BlockDev *blk[2] = { empty ? NULL : f->blk, NULL };
    f->fdc = fdc_new(f->m, t_irq(&f->irq, 6), f->m->isa_dma, blk, NULL);
    dev_reset(f->fdc);
    outb(f->m, CCR, 0);                  /* 500 kb/s */
    outb(f->m, DOR, 0x00);
    outb(f->m, DOR, 0x1c);
}

static void finish(Fix *f)
{
    t_machine_free(f->m);
    blk_unref(f->blk);
    g_unlink(f->path);
    g_free(f->path);
}

static unsigned wait_msr(Fix *f)
{
    for (unsigned i = 0; i < 200; i++) {
        unsigned msr = inb(f->m, MSR);
        if (msr & RQM)
            return msr;
        blk_drain(f->blk);
    }
    ck_abort_msg("the controller never became ready");
    return 0;
}

static void command(Fix *f, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ck_assert_uint_eq(wait_msr(f) & (RQM | DIO), RQM);
        outb(f->m, FIFO, bytes[i]);
    }
}
#define COMMAND(f, ...) command(f, (const uint8_t[]){ __VA_ARGS__ }, sizeof (const uint8_t[]){ __VA_ARGS__ })

static unsigned result(Fix *f, uint8_t *out)
{
    unsigned n = 0;
    while (wait_msr(f) & DIO)
        out[n++] = inb(f->m, FIFO);
    ck_assert_uint_eq(inb(f->m, MSR), RQM);
    return n;
}

static void sense_after_reset(Fix *f)
{
    uint8_t r[16];
    ck_assert_int_eq(f->irq.level, 1);
    for (unsigned i = 0; i < 4; i++) {
        COMMAND(f, 0x08);
        ck_assert_uint_eq(result(f, r), 2);
        ck_assert_uint_eq(r[0], 0xc0 + i);
    }
    ck_assert_int_eq(f->irq.level, 0);
    COMMAND(f, 0x08);
    ck_assert_uint_eq(result(f, r), 1);
    ck_assert_uint_eq(r[0], 0x80);
}

/* Channel 2: mode 44 (memory reads) or 46..: single, given bits. */
static void dma(Fix *f, unsigned mode, unsigned addr, unsigned len)
{
    outb(f->m, 0x0a, 0x06);
    outb(f->m, 0x0c, 0);
    outb(f->m, 0x0b, mode | 2);
    outb(f->m, 0x04, addr & 255);
    outb(f->m, 0x04, addr >> 8 & 255);
    outb(f->m, 0x81, addr >> 16);
    outb(f->m, 0x05, (len - 1) & 255);
    outb(f->m, 0x05, (len - 1) >> 8);
    outb(f->m, 0x0a, 0x02);
}

START_TEST(seek_and_change_line)
{
    Fix f;
    setup(&f, false, false);
    uint8_t r[16];
    sense_after_reset(&f);
    ck_assert_uint_eq(fdc_drive_type(f.fdc, 0), 4);
    ck_assert_uint_eq(fdc_drive_type(f.fdc, 1), 0);
    ck_assert_uint_eq(inb(f.m, DIGITAL_IN) & 0x80, 0x80);
    COMMAND(&f, 0x0f, 0, 10);
    ck_assert_int_eq(f.irq.level, 1);
    COMMAND(&f, 0x08);
    ck_assert_uint_eq(result(&f, r), 2);
    ck_assert_uint_eq(r[0], 0x20);
    ck_assert_uint_eq(r[1], 10);
    ck_assert_uint_eq(inb(f.m, DIGITAL_IN) & 0x80, 0);
    COMMAND(&f, 0x07, 0);
    COMMAND(&f, 0x08);
    result(&f, r);
    ck_assert_uint_eq(r[1], 0);
    COMMAND(&f, 0x04, 0);
    ck_assert_uint_eq(result(&f, r), 1);
    ck_assert_uint_eq(r[0], 0x38);
    COMMAND(&f, 0x10);
    result(&f, r);
    ck_assert_uint_eq(r[0], 0x90);
    COMMAND(&f, 0x1f);
    result(&f, r);
    ck_assert_uint_eq(r[0], 0x80);
    finish(&f);
}
END_TEST

START_TEST(read_by_dma)
{
    Fix f;
    setup(&f, false, false);
    uint8_t r[16];
    sense_after_reset(&f);
    COMMAND(&f, 0x03, 0xaf, 0x02);
    dma(&f, 0x44, 0x12000, 4 * 512);
    COMMAND(&f, 0xe6, 0, 2, 0, 17, 2, 18, 0x1b, 0xff);   /* multi-track: sectors 17, 18 of head 0, 1, 2 of head 1 */
    ck_assert_uint_eq(result(&f, r), 7);
    ck_assert_uint_eq(r[0] & 0xc0, 0);
    ck_assert_uint_eq(r[3], 2);
    ck_assert_uint_eq(r[4], 1);
    ck_assert_uint_eq(r[5], 3);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(ld_le32(f.ram + 0x12000 + 512 * i), 2 * 36 + 16 + i + 1);
    dma(&f, 0x44, 0x12000, 8192);        /* the track ends before TC */
    COMMAND(&f, 0x46, 0, 2, 0, 17, 2, 18, 0x1b, 0xff);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0x40);
    ck_assert_uint_eq(r[1], 0x80);
    /* the command waits for a channel that is programmed later */
    outb(f.m, 0x0a, 0x06);
    COMMAND(&f, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    blk_drain(f.blk);
    ck_assert_uint_eq(inb(f.m, MSR), BUSY);
    t_check_snapshot(f.fdc);
    dma(&f, 0x44, 0x13000, 512);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0);
    ck_assert_uint_eq(ld_le32(f.ram + 0x13000), 1);
    finish(&f);
}
END_TEST

START_TEST(write_and_format)
{
    Fix f;
    setup(&f, false, false);
    uint8_t r[16], back[512];
    sense_after_reset(&f);
    COMMAND(&f, 0x03, 0xaf, 0x02);
    memset(f.ram + 0x20000, 0xa5, 512);
    dma(&f, 0x48, 0x20000, 512);
    COMMAND(&f, 0x45, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0);
    blk_read(f.blk, 512, back, 512);
    ck_assert_uint_eq(back[511], 0xa5);
    for (unsigned i = 0; i < 18; i++)
        memcpy(f.ram + 0x21000 + 4 * i, (uint8_t[]){ 0, 0, i + 1, 2 }, 4);
    dma(&f, 0x48, 0x21000, 72);
    COMMAND(&f, 0x4d, 0, 2, 18, 0x50, 0xf6);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0);
    blk_read(f.blk, 17 * 512, back, 512);
    ck_assert_uint_eq(back[100], 0xf6);
    blk_read(f.blk, 18 * 512, back, 512);
    ck_assert_uint_eq(ld_le32(back), 19);
    finish(&f);
}
END_TEST

START_TEST(pio_read)
{
    Fix f;
    setup(&f, false, false);
    uint8_t r[16], data[512];
    sense_after_reset(&f);
    COMMAND(&f, 0x03, 0xaf, 0x03);       /* ND */
    COMMAND(&f, 0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        ck_assert_uint_eq(wait_msr(&f), RQM | DIO | NONDMA | BUSY);
        ck_assert_int_eq(f.irq.level, 1);
        data[i] = inb(f.m, FIFO);
    }
    ck_assert_uint_eq(ld_le32(data), 18);
    result(&f, r);
    ck_assert_uint_eq(r[1], 0x80);       /* no TC without DMA */
    finish(&f);
}
END_TEST

START_TEST(bad_media)
{
    Fix f;
    setup(&f, true, false);
    uint8_t r[16];
    sense_after_reset(&f);
    COMMAND(&f, 0x03, 0xaf, 0x02);
    COMMAND(&f, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    result(&f, r);
    ck_assert_uint_eq(r[1], 0x02);       /* write protected */
    COMMAND(&f, 0x46, 0, 200, 0, 1, 2, 18, 0x1b, 0xff);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0x40);
    COMMAND(&f, 0x46, 0, 0, 0, 0, 2, 18, 0x1b, 0xff);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0x40);
    COMMAND(&f, 0x46, 3, 0, 0, 1, 2, 18, 0x1b, 0xff);    /* no such drive */
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0x40);
    outb(f.m, CCR, 2);
    COMMAND(&f, 0x4a, 0);                /* READ ID at the wrong rate */
    result(&f, r);
    ck_assert_uint_eq(r[1], 0x01);
    outb(f.m, CCR, 0);
    COMMAND(&f, 0x4a, 0);
    result(&f, r);
    ck_assert_uint_eq(r[0], 0);
    ck_assert(fdc_change(f.fdc, 0, NULL, NULL));
    COMMAND(&f, 0x4a, 0);
    result(&f, r);
    ck_assert_uint_eq(r[0] & 0xc0, 0x40);
    ck_assert_uint_eq(inb(f.m, DIGITAL_IN) & 0x80, 0x80);
    finish(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { seek_and_change_line, read_by_dma, write_and_format, pio_read, bad_media, NULL };
    return t_main("fdc", tests);
}
