/* Random port and memory accesses, and damaged saved states, against the PC's peripherals all at once.  Nothing is
 * expected but that they survive: run it under the sanitizers.  RHEA_SEED chooses the seed, RHEA_LONG=1 goes on longer. */
#include "tests/dev/harness.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hw/char/serial.h"
#include "hw/core/snapshot.h"
#include "hw/floppy/fdc.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/pci/pci.h"
#include "util/bits.h"

enum { BM = 0xc000 };

typedef struct Fix {
    Machine *m;
    PciBus *pci;
    Device *cd, *fdc;
    TestLine lines[8];
    BlockDev *blk[3];
    char *path[3];
    uint64_t seed;
} Fix;

static uint32_t rnd(Fix *f)
{
    f->seed = f->seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(f->seed >> 33);
}

static void no_irq(void *opaque, int line, int level) { (void)opaque, (void)line, (void)level; }
static int no_map(unsigned slot, unsigned pin) { return (int)(slot + pin) & 3; }
static void no_reset(Machine *m, const char *reason) { (void)m, (void)reason; }

static BlockDev *disk(Fix *f, unsigned n, uint64_t size)
{
    close(g_file_open_tmp("rhea-test-XXXXXX", &f->path[n], NULL));
    ck_assert_int_eq(truncate(f->path[n], (off_t)size), 0);
    return f->blk[n] = blk_open(&(BlockOpenOptions){ .path = f->path[n], .readonly = n == 1 }, NULL);
}

static void setup(Fix *f)
{
    const char *seed = g_getenv("RHEA_SEED");
    memset(f, 0, sizeof *f);
    f->seed = seed ? g_ascii_strtoull(seed, NULL, 0) : 1;
    Machine *m = f->m = t_machine();
    m->on_reset = no_reset;
    m->input = input_new();
    m->consoles.all = g_ptr_array_new();
    t_ram(m, 1 << 20);
    m->pci = f->pci = pci_bus_new(m, m->mem_root, m->io_root, no_irq, no_map, NULL);
    m->isa_dma = (IsaDma *)t_realize(dev_new(m, dev_type_find("i8237")));
    isa_serial_new(m, 0, t_irq(&f->lines[0], 4), NULL, NULL);
    i8042_new(m, t_irq(&f->lines[1], 1), t_irq(&f->lines[2], 12), t_irq(&f->lines[3], 0), NULL);
    Device *ide = piix_ide_new(m, "1.1", t_irq(&f->lines[4], 14), t_irq(&f->lines[5], 15), NULL);
    ide_drive_new(ide, 0, disk(f, 0, 200 * 512), false, NULL);
    f->cd = ide_drive_new(ide, 2, disk(f, 1, 50 * 2048 + 100), true, NULL);
    f->fdc = fdc_new(m, t_irq(&f->lines[6], 6), m->isa_dma, (BlockDev *[2]){ disk(f, 2, 300000), NULL }, NULL);
    Device *vga = dev_new(m, dev_type_find("VGA"));
    ck_assert(dev_set(vga, "romfile", "", NULL) && dev_set(vga, "addr", "2", NULL));
    t_realize(vga);
    for (unsigned i = 0; i < m->devices->len; i++)
        dev_reset(g_ptr_array_index(m->devices, i));
}

static void finish(Fix *f)
{
    InputHub *hub = f->m->input;
    GPtrArray *consoles = f->m->consoles.all;
    t_machine_free(f->m);
    pci_bus_free(f->pci);
    input_free(hub);
    g_ptr_array_free(consoles, TRUE);
    for (unsigned i = 0; i < 3; i++) {
        blk_unref(f->blk[i]);
        g_unlink(f->path[i]);
        g_free(f->path[i]);
    }
}

static void map_pci(Fix *f)
{
    pci_config_write(f->pci, 9, 0x20, BM, 4);
    pci_config_write(f->pci, 9, 0x04, 5, 2);
    pci_config_write(f->pci, 16, 0x10, 0xe0000000, 4);
    pci_config_write(f->pci, 16, 0x18, 0xe1000000, 4);
    pci_config_write(f->pci, 16, 0x04, 3, 2);
}

static const struct { uint16_t base, len; } ports[] = {
    { 0x00, 16 }, { 0x60, 8 }, { 0x81, 8 }, { 0x170, 8 }, { 0x1ce, 3 }, { 0x1f0, 8 }, { 0x376, 1 }, { 0x3b0, 12 },
    { 0x3c0, 32 }, { 0x3f0, 8 }, { 0x3f8, 8 }, { BM, 16 }, { 0x1f0, 8 }, { 0x170, 8 }, { 0x3f0, 8 },
};

static void drain(Fix *f)
{
    for (unsigned i = 0; i < 3; i++)
        blk_drain(f->blk[i]);
}

static void access_port(Fix *f)
{
    unsigned n = rnd(f) % ARRAY_LEN(ports), size = 1u << rnd(f) % 3, port = ports[n].base + rnd(f) % ports[n].len;
    if (rnd(f) & 3)
        as_st(f->m->io, port, rnd(f), size);
    else
        as_ld(f->m->io, port, size);
}

static void access_memory(Fix *f)
{
    uint64_t at = rnd(f) & 1 ? 0xa0000 + rnd(f) % 0x20000 : 0xe1000000 + rnd(f) % 0x700;
    if (rnd(f) & 1)
        as_st(f->m->mem, at, rnd(f), 1u << rnd(f) % 4);
    else
        as_ld(f->m->mem, at, 1u << rnd(f) % 4);
}

/* Commands with sense in them, so that the deep paths are met too. */
static void ata(Fix *f)
{
    static const uint8_t cmds[] = { 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0xa0, 0xa1, 0xb0, 0xc4, 0xc5, 0xc6,
                                    0xc8, 0xca, 0xe7, 0xec, 0xef, 0x90, 0x91, 0x08 };
    unsigned base = rnd(f) & 1 ? 0x1f0 : 0x170;
    outb(f->m, base + 6, 0xe0 & ~(rnd(f) & 0x40));
    for (unsigned r = 1; r < 6; r++)
        outb(f->m, base + r, rnd(f) & (rnd(f) & 1 ? 0x0f : 0xff));
    outb(f->m, base + 7, cmds[rnd(f) % ARRAY_LEN(cmds)]);
    if (rnd(f) & 1)
        drain(f);
    for (unsigned i = rnd(f) % 600; i; i--)
        if (rnd(f) & 1)
            outw(f->m, base, rnd(f));
        else
            inw(f->m, base);
}

static void packet(Fix *f)
{
    static const uint8_t ops[] = { 0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x55, 0x5a, 0xa8,
                                   0xb9, 0xbd, 0xbe };
    outb(f->m, 0x176, 0xa0);
    outb(f->m, 0x171, rnd(f) & 1);
    outb(f->m, 0x174, rnd(f));
    outb(f->m, 0x175, rnd(f) & 15);
    outb(f->m, 0x177, 0xa0);
    outw(f->m, 0x170, ops[rnd(f) % ARRAY_LEN(ops)] | (rnd(f) & 0xff00));
    for (unsigned i = 0; i < 5; i++)
        outw(f->m, 0x170, rnd(f) & (rnd(f) & 1 ? 0x1f1f : rnd(f) & 1 ? 0xffff : 0));
}

static void bus_master(Fix *f)
{
    unsigned at = rnd(f) & 8;
    for (unsigned i = 0; i < 8; i++)
        as_st(f->m->mem, 0x2000 + 8 * i, rnd(f) | (uint64_t)rnd(f) << 32, 8);
    outl(f->m, BM + at + 4, rnd(f) & 7 ? 0x2000 : rnd(f));
    outb(f->m, BM + at, rnd(f) & 9);
}

static void floppy(Fix *f)
{
    static const uint8_t cmds[] = { 0x06, 0xe6, 0x45, 0x4d, 0x0f, 0x07, 0x08, 0x4a, 0x03, 0x04, 0x16, 0x0e, 0x13, 0x02, 0x14 };
    if (!(rnd(f) & 15)) {
        outb(f->m, 0x3f2, 0);
        outb(f->m, 0x3f2, 0x1c);
        outb(f->m, 0x3f7, rnd(f) & 3 ? 0 : rnd(f));
    }
    outb(f->m, 0x3f5, cmds[rnd(f) % ARRAY_LEN(cmds)]);
    for (unsigned i = 0; i < 8; i++)
        outb(f->m, 0x3f5, i == 4 ? 2 : rnd(f) & (rnd(f) & 3 ? 3 : 0xff));
    drain(f);
    for (unsigned i = rnd(f) % 600; i; i--)
        inb(f->m, 0x3f5);
}

static void user(Fix *f)
{
    switch (rnd(f) % 6) {
    case 0: input_key(f->m->input, rnd(f) % 300, rnd(f) & 1); break;
    case 1: input_move(f->m->input, (int)rnd(f), -(int)rnd(f), (int)rnd(f) % 9); break;
    case 2: ide_cd_change(f->cd, rnd(f) & 1 ? f->blk[1] : NULL, rnd(f) & 1, NULL); break;
    case 3: fdc_change(f->fdc, rnd(f) & 1, rnd(f) & 1 ? f->blk[2] : NULL, NULL); break;
    case 4: t_step(f->m, rnd(f)); break;
    default:
        con_update(g_ptr_array_index(f->m->consoles.all, 0), rnd(f) & 1);
        break;
    }
}

/* A saved state with a few bytes changed: refused or taken, never fatal. */
static void damaged_state(Fix *f)
{
    Device *d = g_ptr_array_index(f->m->devices, rnd(f) % f->m->devices->len);
    g_autoptr(GByteArray) a = g_byte_array_new();
    drain(f);
    snap_save(d, a);
    for (unsigned i = rnd(f) % 8; i; i--)
        a->data[rnd(f) % MIN(a->len, 1200)] = (uint8_t)rnd(f);
    const uint8_t *p = a->data;
    size_t len = a->len;
    snap_load(d, &p, &len, NULL);
    map_pci(f);
}

static void step(Fix *f)
{
    switch (rnd(f) % 64) {
    case 0: ata(f); break;
    case 1: packet(f); break;
    case 2: bus_master(f); break;
    case 3: floppy(f); break;
    case 4: user(f); break;
    case 5: drain(f); break;
    case 6:
        if (!(rnd(f) & 31))
            damaged_state(f);
        break;
    case 7: case 8: case 9: case 10: access_memory(f); break;
    default: access_port(f); break;
    }
}

START_TEST(random_accesses)
{
    Fix f;
    setup(&f);
    map_pci(&f);
    unsigned rounds = g_getenv("RHEA_LONG") ? 5000000 : 60000;
    for (unsigned i = 0; i < rounds; i++)
        step(&f);
    drain(&f);
    finish(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { random_accesses, NULL };
    return t_main("fuzz_pc", tests);
}
