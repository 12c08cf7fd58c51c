/* VGA: read and write modes, the text screen, what is drawn, DISPI modes. */
#include "tests/dev/harness.h"

#include "hw/display/vga.h"
#include "hw/pci/pci.h"

typedef struct Fix {
    Machine *m;
    PciBus *pci;
    Device *d;
    Console *con;
} Fix;

static void no_irq(void *opaque, int line, int level) { (void)opaque, (void)line, (void)level; }
static int no_map(unsigned slot, unsigned pin) { return (int)(slot + pin) & 3; }

static void sr(Fix *f, unsigned n, unsigned v) { outw(f->m, 0x3c4, n | v << 8); }
static void gr(Fix *f, unsigned n, unsigned v) { outw(f->m, 0x3ce, n | v << 8); }
static void cr(Fix *f, unsigned n, unsigned v) { outw(f->m, 0x3d4, n | v << 8); }

static void ar(Fix *f, unsigned n, unsigned v)
{
    inb(f->m, 0x3da);
    outb(f->m, 0x3c0, n);
    outb(f->m, 0x3c0, v);
}

static void dac(Fix *f, unsigned n, unsigned r, unsigned g, unsigned b)
{
    outb(f->m, 0x3c8, n);
    outb(f->m, 0x3c9, r);
    outb(f->m, 0x3c9, g);
    outb(f->m, 0x3c9, b);
}

static void setup(Fix *f)
{
    memset(f, 0, sizeof *f);
    f->m = t_machine();
    f->m->consoles.all = g_ptr_array_new();
    f->m->pci = f->pci = pci_bus_new(f->m, f->m->mem_root, f->m->io_root, no_irq, no_map, NULL);
    f->d = dev_new(f->m, dev_type_find("VGA"));
    ck_assert(dev_set(f->d, "romfile", "", NULL));
    t_realize(f->d);
    f->con = g_ptr_array_index(f->m->consoles.all, 0);
    outb(f->m, 0x3c2, 0x67);             /* colour ports, memory on */
}

static void finish(Fix *f)
{
    GPtrArray *consoles = f->m->consoles.all;
    t_machine_free(f->m);
    pci_bus_free(f->pci);
    g_ptr_array_free(consoles, TRUE);
}

static unsigned peek(Fix *f, uint64_t a) { return (unsigned)as_ld(f->m->mem, a, 1); }
static void poke(Fix *f, uint64_t a, unsigned v) { as_st(f->m->mem, a, v, 1); }

static uint32_t pixel(Fix *f, unsigned x, unsigned y)
{
    pixman_image_t *s = con_surface(f->con);
    return pixman_image_get_data(s)[y * (unsigned)pixman_image_get_stride(s) / 4 + x] & 0xffffff;
}

/* What planar graphics at a0000 needs. */
static void planar(Fix *f)
{
    sr(f, 2, 0x0f);
    sr(f, 4, 0x06);
    gr(f, 5, 0x00);
    gr(f, 6, 0x05);
    gr(f, 8, 0xff);
}

/* 80x25, 9x16 cells, a font where each glyph is its own code on every line. */
static void text_mode(Fix *f)
{
    static const uint8_t crtc[0x19] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
                                        0x9c, 0x0e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
    planar(f);
    sr(f, 2, 0x04);
    for (unsigned i = 0; i < 256 * 32; i++)
        poke(f, 0xa0000 + i, i / 32);
    cr(f, 0x11, 0);
    for (unsigned i = 0; i < sizeof crtc; i++)
        cr(f, i, crtc[i]);
    sr(f, 1, 0x00);
    sr(f, 2, 0x03);
    sr(f, 3, 0x00);
    sr(f, 4, 0x02);
    gr(f, 5, 0x10);
    gr(f, 6, 0x0e);
    for (unsigned i = 0; i < 16; i++) {
        ar(f, i, i);
        dac(f, i, i, 2 * i, 3 * i);
    }
    outb(f->m, 0x3c6, 0xff);
    ar(f, 0x10, 0x0c);
    ar(f, 0x12, 0x0f);
    ar(f, 0x13, 0x08);
    inb(f->m, 0x3da);
    outb(f->m, 0x3c0, 0x20);
}

START_TEST(write_mode_0)
{
    Fix f;
    setup(&f);
    planar(&f);
    poke(&f, 0xa0010, 0x5a);
    for (unsigned p = 0; p < 4; p++) {
        gr(&f, 4, p);
        ck_assert_uint_eq(peek(&f, 0xa0010), 0x5a);
    }
    sr(&f, 2, 0x02);                     /* only plane 1, rotated, XOR with the latch through a bit mask */
    gr(&f, 3, 0x19);
    gr(&f, 8, 0xf0);
    gr(&f, 4, 1);
    peek(&f, 0xa0010);
    poke(&f, 0xa0010, 0x03);             /* rotates to 81 */
    ck_assert_uint_eq(peek(&f, 0xa0010), 0xda);
    gr(&f, 4, 0);
    ck_assert_uint_eq(peek(&f, 0xa0010), 0x5a);
    sr(&f, 2, 0x0f);
    gr(&f, 3, 0);
    gr(&f, 8, 0xff);
    gr(&f, 0, 0x05);
    gr(&f, 1, 0x0f);                     /* set/reset in all planes: 0 and 2 set */
    poke(&f, 0xa0011, 0);
    static const uint8_t want[4] = { 0xff, 0, 0xff, 0 };
    for (unsigned p = 0; p < 4; p++) {
        gr(&f, 4, p);
        ck_assert_uint_eq(peek(&f, 0xa0011), want[p]);
    }
    finish(&f);
}
END_TEST

START_TEST(write_modes_1_2_3_and_compare)
{
    Fix f;
    setup(&f);
    planar(&f);
    gr(&f, 5, 2);
    gr(&f, 8, 0x0f);
    peek(&f, 0xa0000);
    poke(&f, 0xa0000, 0x9);              /* mode 2: colour 9 in the low four pixels */
    gr(&f, 5, 0);
    gr(&f, 4, 3);
    ck_assert_uint_eq(peek(&f, 0xa0000), 0x0f);
    gr(&f, 4, 1);
    ck_assert_uint_eq(peek(&f, 0xa0000), 0x00);
    gr(&f, 5, 1);
    poke(&f, 0xa0020, 0x77);             /* mode 1: the latches, whatever is written */
    gr(&f, 5, 0);
    gr(&f, 4, 3);
    ck_assert_uint_eq(peek(&f, 0xa0020), 0x0f);
    gr(&f, 5, 3);
    gr(&f, 8, 0xff);
    gr(&f, 0, 0x02);
    peek(&f, 0xa0000);
    poke(&f, 0xa0000, 0xc0);             /* mode 3: colour 2 where data is 1 */
    gr(&f, 5, 0x08);                     /* read mode 1: which pixels are colour 2, 9 */
    gr(&f, 7, 0x0f);
    gr(&f, 2, 0x02);
    ck_assert_uint_eq(peek(&f, 0xa0000), 0xc0);
    gr(&f, 2, 0x09);
    ck_assert_uint_eq(peek(&f, 0xa0000), 0x0f);
    gr(&f, 7, 0x08);                     /* care for plane 3 only */
    gr(&f, 2, 0x00);
    ck_assert_uint_eq(peek(&f, 0xa0000), 0xf0);
    finish(&f);
}
END_TEST

START_TEST(chain_4_is_memory)
{
    Fix f;
    setup(&f);
    planar(&f);
    sr(&f, 4, 0x0e);
    for (unsigned i = 0; i < 8; i++)
        poke(&f, 0xa0100 + i, 0x10 + i);
    ck_assert(as_lookup(f.m->mem, 0xa0100).ram);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xa0100, 8), 0x1716151413121110);
    sr(&f, 4, 0x06);
    gr(&f, 4, 2);
    ck_assert_uint_eq(peek(&f, 0xa0041), 0x16);
    ck_assert(!as_lookup(f.m->mem, 0xa0100).ram);
    outb(f.m, 0x3c2, 0x65);              /* memory off */
    ck_assert_uint_eq(peek(&f, 0xa0041), 0xff);
    finish(&f);
}
END_TEST

START_TEST(text_screen)
{
    Fix f;
    setup(&f);
    text_mode(&f);
    const char *words = "Hello, VGA";
    for (unsigned i = 0; words[i]; i++)
        as_st(f.m->mem, 0xb8000 + 160 + 2 * i, (uint8_t)words[i] | 0x1e00, 2);
    as_st(f.m->mem, 0xb8000, 0x07db, 2);
    ck_assert_uint_eq(peek(&f, 0xb8000 + 160), 'H');
    ck_assert_uint_eq(peek(&f, 0xb8000 + 161), 0x1e);
    g_autoptr(GString) out = g_string_new(NULL);
    ck_assert(con_text(f.con, out));
    ck_assert_msg(g_str_has_prefix(out->str, "\xe2\x96\x88\nHello, VGA\n\n"), "%s", out->str);
    con_update(f.con, true);
    ck_assert_int_eq(pixman_image_get_width(con_surface(f.con)), 720);
    ck_assert_int_eq(pixman_image_get_height(con_surface(f.con)), 400);
    uint32_t fg = pixel(&f, 1, 16), bg = pixel(&f, 0, 16);               /* 'H' is 48: 01001000 */
    ck_assert_uint_ne(fg, bg);
    ck_assert_uint_eq(pixel(&f, 4, 31), fg);
    ck_assert_uint_eq(pixel(&f, 2, 31), bg);
    ck_assert_uint_eq(pixel(&f, 8, 16), bg);             /* ninth dot */
    ck_assert_uint_eq(pixel(&f, 8, 0), pixel(&f, 0, 0)); /* of a block graphic: as the eighth (db is 11011011) */
    ck_assert_uint_eq(fg >> 16, 14 * 4);
    ck_assert_uint_eq(bg >> 16, 1 * 4);
    t_check_snapshot(f.d);
    finish(&f);
}
END_TEST

START_TEST(cursor_blinks_and_dirty)
{
    Fix f;
    setup(&f);
    text_mode(&f);
    for (unsigned i = 0; i < 2000; i++)
        as_st(f.m->mem, 0xb8000 + 2 * i, 0x0700, 2);
    cr(&f, 14, 0);
    cr(&f, 15, 5);
    con_update(f.con, false);
    ck_assert_uint_ne(pixel(&f, 5 * 9, 13), 0);
    ck_assert_uint_eq(pixel(&f, 5 * 9, 12), 0);
    t_step(f.m, 230000000);
    con_update(f.con, false);
    ck_assert_uint_eq(pixel(&f, 5 * 9, 13), 0);
    poke(&f, 0xb8000, 0xff);             /* a change is seen without `full` */
    con_update(f.con, false);
    ck_assert_uint_ne(pixel(&f, 3, 3), 0);
    finish(&f);
}
END_TEST

START_TEST(retrace_follows_the_clock)
{
    Fix f;
    setup(&f);
    text_mode(&f);
    unsigned seen = 0;
    for (unsigned i = 0; i < 1000; i++) {
        unsigned v = inb(f.m, 0x3da);
        seen |= v & 8 ? 1 : 2;
        seen |= v & 1 ? 4 : 8;
        ck_assert((v & 9) != 8);         /* no retrace in the picture */
        t_step(f.m, 17000);
    }
    ck_assert_uint_eq(seen, 15);
    finish(&f);
}
END_TEST

static void dispi(Fix *f, unsigned n, unsigned v)
{
    outw(f->m, 0x1ce, n);
    outw(f->m, 0x1cf, v);
}

static unsigned dispi_get(Fix *f, unsigned n)
{
    outw(f->m, 0x1ce, n);
    return inw(f->m, 0x1cf);
}

START_TEST(dispi_mode)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(dispi_get(&f, 0), 0xb0c5);
    ck_assert_uint_eq(dispi_get(&f, 10), 256);
    dispi(&f, 4, 0);
    dispi(&f, 1, 800);
    dispi(&f, 2, 600);
    dispi(&f, 3, 32);
    dispi(&f, 4, 0x41);
    inb(f.m, 0x3da);
    outb(f.m, 0x3c0, 0x20);
    ck_assert_uint_eq(dispi_get(&f, 6), 800);
    pci_config_write(f.pci, ((PciDev *)f.d)->devfn, 0x10, 0xe0000000, 4);
    pci_config_write(f.pci, ((PciDev *)f.d)->devfn, 0x18, 0xe1000000, 4);
    pci_config_write(f.pci, ((PciDev *)f.d)->devfn, 0x04, 3, 2);
    as_st(f.m->mem, 0xe0000000 + (100 * 800 + 50) * 4, 0x00123456, 4);
    con_update(f.con, false);
    ck_assert_int_eq(pixman_image_get_width(con_surface(f.con)), 800);
    ck_assert_uint_eq(pixel(&f, 50, 100), 0x123456);
    as_st(f.m->mem, 0xe0000000 + (300 * 800 + 7) * 4, 0x00abcdef, 4);    /* only that page is dirty */
    con_update(f.con, false);
    ck_assert_uint_eq(pixel(&f, 7, 300), 0xabcdef);
    dispi(&f, 5, 2);                     /* bank 2 of the window */
    as_st(f.m->mem, 0xa0000, 0xaa, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xe0020000, 1), 0xaa);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xe1000502, 2), 800);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xe1000000, 8), 0x00ffffffffffff00);
    uint8_t sum = 0;
    for (unsigned i = 0; i < 128; i++)
        sum += (uint8_t)peek(&f, 0xe1000000 + i);
    ck_assert_uint_eq(sum, 0);
    dispi(&f, 9, 100);                   /* panning */
    con_update(f.con, false);
    ck_assert_uint_eq(pixel(&f, 50, 0), 0x123456);
    dispi(&f, 1, 0xffff);                /* nonsense is clamped to memory */
    dispi(&f, 2, 0xffff);
    con_update(f.con, false);
    ck_assert_uint_le(dispi_get(&f, 6) * 4u * dispi_get(&f, 2), 16u << 20);
    finish(&f);
}
END_TEST

/* Any register content whatever must draw without harm. */
START_TEST(random_registers)
{
    Fix f;
    setup(&f);
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 200; i++) {
            seed = seed * 1664525 + 1013904223;
            outb(f.m, 0x3c0 + (seed >> 8 & 31), seed >> 16 & 255);
            if ((seed >> 28) < 4)
                outw(f.m, 0x1ce + (seed >> 27 & 1), seed >> 8 & (seed >> 26 & 1 ? 0xf : 0xffff));
            as_st(f.m->mem, 0xa0000 + (seed >> 4 & 0x1ffff), seed >> 9, 4);
            as_ld(f.m->mem, 0xa0000 + (seed >> 6 & 0x1ffff), 2);
        }
        outb(f.m, 0x3c2, 0x63);
        inb(f.m, 0x3da);
        outb(f.m, 0x3c0, 0x20);
        sr(&f, 1, seed >> 20 & 0x0d);
        con_update(f.con, round & 1);
        g_autoptr(GString) out = g_string_new(NULL);
        con_text(f.con, out);
    }
    finish(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { write_mode_0, write_modes_1_2_3_and_compare, chain_4_is_memory, text_screen,
                                   cursor_blinks_and_dirty, retrace_follows_the_clock, dispi_mode, random_registers, NULL };
    return t_main("vga", tests);
}
