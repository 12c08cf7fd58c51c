/* fw_cfg: selector and data port, file directory, DMA; the DMA controllers; debug ports. */
#include "hw/misc/i8237.h"
#include "hw/nvram/fw_cfg.h"
#include "tests/dev/harness.h"
#include "util/ldst.h"

extern const DeviceType fw_cfg_type, i8237_type, isa_debug_exit_type, isa_debugcon_type, port92_type;

typedef struct Fix { Machine *m; Device *d; MemRegion *ram; int exit_status, resets, ready; bool a20; } Fix;

static void setup(Fix *f, const DeviceType *t)
{
    *f = (Fix){ .m = t_machine() };
    f->ram = t_ram(f->m, 0x100000);
    f->d = t_realize(dev_new(f->m, t));
    f->m->opaque = f;
}
static void teardown(Fix *f)
{
    mem_del(f->ram);
    t_machine_free(f->m);
}

static void read_item(Fix *f, unsigned key, void *buf, unsigned len)
{
    outw(f->m, 0x510, key);
    for (unsigned i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)inb(f->m, 0x511);
}

START_TEST(items_and_files)
{
    Fix f;
    uint8_t b[4 + 2 * 64];
    setup(&f, &fw_cfg_type);
    read_item(&f, 0, b, 5);
    ck_assert_mem_eq(b, "QEMU\0", 5);
    read_item(&f, 1, b, 4);
    ck_assert_uint_eq(ld_le32(b), 3);
    read_item(&f, 0x1234, b, 4);
    ck_assert_uint_eq(ld_le32(b), 0);
    fw_cfg_add_file(f.d, "etc/one", "abc", 3);
    fw_cfg_add_file(f.d, "etc/two", "defgh", 5);
    fw_cfg_add_file(f.d, "etc/one", "ABCD", 4);
    read_item(&f, FW_CFG_FILE_DIR, b, sizeof b);
    ck_assert_uint_eq(ld_be32(b), 2);
    ck_assert_uint_eq(ld_be32(b + 4), 4);
    ck_assert_uint_eq(ld_be16(b + 8), 0x20);
    ck_assert_str_eq((char *)b + 12, "etc/one");
    ck_assert_str_eq((char *)b + 76, "etc/two");
    read_item(&f, 0x21, b, 6);
    ck_assert_mem_eq(b, "defgh\0", 6);
    t_check_snapshot(f.d);
    teardown(&f);
}
END_TEST

static uint32_t dma(Fix *f, uint32_t control, uint32_t len, uint64_t addr)
{
    uint8_t r[16];
    st_be32(r, control);
    st_be32(r + 4, len);
    st_be64(r + 8, addr);
    as_write(f->m->mem, 0x1000, r, sizeof r);
    outl(f->m, 0x514, 0);
    outl(f->m, 0x518, __builtin_bswap32(0x1000));
    as_read(f->m->mem, 0x1000, r, sizeof r);
    return ld_be32(r);
}

START_TEST(dma_interface)
{
    Fix f;
    char b[8];
    setup(&f, &fw_cfg_type);
    ck_assert_uint_eq(inl(f.m, 0x514), 0x554d4551);
    fw_cfg_add_file(f.d, "x", "0123456789", 10);
    ck_assert_uint_eq(dma(&f, 0x20 << 16 | 8 | 2, 4, 0x2000), 0);
    ck_assert_uint_eq(dma(&f, 4, 2, 0), 0);
    ck_assert_uint_eq(dma(&f, 2, 8, 0x2004), 0);
    as_read(f.m->mem, 0x2000, b, 4);
    ck_assert_mem_eq(b, "0123", 4);
    as_read(f.m->mem, 0x2004, b, 8);
    ck_assert_mem_eq(b, "6789\0\0\0\0", 8);
    ck_assert_uint_eq(dma(&f, 16, 4, 0x2000), 1);        /* nothing is writable */
    ck_assert_uint_eq(dma(&f, 8 | 2, 4, 0xfffffffffffffff0ull), 1);
    outl(f.m, 0x518, 0xffffffff);        /* a request nowhere: no harm */
    teardown(&f);
}
END_TEST

static void ready(void *opaque) { ((Fix *)opaque)->ready++; }

static void program_dma(Fix *f, unsigned mode, unsigned page, unsigned addr, unsigned count)
{
    outb(f->m, 0x0c, 0);
    outb(f->m, 0x0b, mode | 2);
    outb(f->m, 4, addr & 0xff);
    outb(f->m, 4, addr >> 8);
    outb(f->m, 5, count & 0xff);
    outb(f->m, 5, count >> 8);
    outb(f->m, 0x81, page);
    outb(f->m, 0x0a, 2);
}

START_TEST(isa_dma)
{
    Fix f;
    char b[8];
    bool tc;
    setup(&f, &i8237_type);
    IsaDma *d = (IsaDma *)f.d;
    isa_dma_connect(d, 2, ready, &f);
    ck_assert_uint_eq(isa_dma_transfer(d, 2, true, "abcd", 4, &tc), 0);  /* masked at reset */
    program_dma(&f, 0x44, 0x03, 0x4000, 5);
    ck_assert_int_gt(f.ready, 0);
    ck_assert_uint_eq(isa_dma_transfer(d, 2, false, b, 4, &tc), 0);      /* wrong way */
    ck_assert_uint_eq(isa_dma_transfer(d, 2, true, "abcd", 4, &tc), 4);
    ck_assert(!tc);
    t_check_snapshot(f.d);
    ck_assert_uint_eq(isa_dma_transfer(d, 2, true, "efgh", 4, &tc), 2);
    ck_assert(tc);
    as_read(f.m->mem, 0x34000, b, 8);
    ck_assert_mem_eq(b, "abcdef\0\0", 8);
    ck_assert_uint_eq(inb(f.m, 8) & 4, 4);
    ck_assert_uint_eq(inb(f.m, 8) & 4, 0);
    ck_assert_uint_eq(isa_dma_transfer(d, 2, true, "abcd", 4, &tc), 0);  /* masked itself */
    program_dma(&f, 0x58, 0x03, 0x4000, 1);              /* read, autoinit */
    ck_assert_uint_eq(isa_dma_transfer(d, 2, false, b, 4, &tc), 2);
    ck_assert_uint_eq(isa_dma_transfer(d, 2, false, b + 2, 4, &tc), 2);
    ck_assert_mem_eq(b, "abab", 4);
    teardown(&f);
}
END_TEST

static void on_shutdown(Machine *m, int status, const char *why) { (void)why; ((Fix *)m->opaque)->exit_status = status; }
static void on_reset(Machine *m, const char *why) { (void)why; ((Fix *)m->opaque)->resets++; }
static void set_a20(Machine *m, A20Source from, bool on) { (void)from; ((Fix *)m->opaque)->a20 = on; }

START_TEST(debug_exit)
{
    Fix f;
    setup(&f, &isa_debug_exit_type);
    f.m->on_shutdown = on_shutdown;
    outb(f.m, 0x501, 0x10);
    ck_assert_int_eq(f.exit_status, 0x21);
    t_check_snapshot(f.d);
    teardown(&f);
}
END_TEST

START_TEST(port92)
{
    Fix f;
    setup(&f, &port92_type);
    f.m->on_reset = on_reset;
    f.m->set_a20 = set_a20;
    outb(f.m, 0x92, 2);
    ck_assert(f.a20);
    outb(f.m, 0x92, 0);
    ck_assert(!f.a20);
    outb(f.m, 0x92, 1);
    outb(f.m, 0x92, 1);
    ck_assert_int_eq(f.resets, 1);
    t_check_snapshot(f.d);
    teardown(&f);
}
END_TEST

START_TEST(properties)
{
    Machine *m = t_machine();
    g_autoptr(GError) err = NULL;
    Device *d = dev_new(m, &isa_debugcon_type);
    ck_assert(!dev_set(d, "iobas", "0x402", &err));
    ck_assert_ptr_nonnull(strstr(err->message, "'iobase'"));
    ck_assert_int_eq(err->code, ERR_USAGE);
    g_clear_error(&err);
    ck_assert(!dev_set(d, "iobase", "4oo", &err));
    ck_assert_ptr_nonnull(strstr(err->message, "not a number"));
    g_clear_error(&err);
    ck_assert(dev_set(d, "iobase", "1k", NULL));
    ck_assert(dev_set(d, "readback", "0x55", NULL));
    t_realize(d);
    ck_assert_uint_eq(inb(m, 0x400), 0x55);
    dev_free(d);
    ck_assert_uint_eq(inb(m, 0x400), 0xff);
    t_machine_free(m);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { items_and_files, dma_interface, isa_dma, debug_exit, port92, properties, NULL };
    return t_main("fw_cfg", tests);
}
