/* ATA disk and ATAPI CD-ROM behind the PIIX3 function: PIO, bus master DMA, errors, media. */
#include "tests/dev/harness.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "hw/ide/ide.h"
#include "hw/pci/pci.h"
#include "util/ldst.h"

enum { CMD = 0x1f0, CTL = 0x3f6, CD = 0x170, BM = 0xc000 };
enum { BSY = 0x80, DRDY = 0x40, DRQ = 0x08, ERR = 0x01 };
enum { SECTORS = 2048, CD_SECTORS = 100 };

typedef struct Fix {
    Machine *m;
    PciBus *pci;
    Device *ide, *cd;
    TestLine irq[2];
    char *disk_path, *cd_path;
    BlockDev *disk, *iso;
    uint8_t *ram;
} Fix;

static void no_irq(void *opaque, int line, int level) { (void)opaque, (void)line, (void)level; }
static int no_map(unsigned slot, unsigned pin) { return (int)(slot + pin) & 3; }

/* Each sector starts with its number. */
static char *image(unsigned sectors, unsigned size)
{
    char *path;
    g_autofree uint8_t *data = g_malloc0((gsize)sectors * size);
    for (unsigned i = 0; i < sectors; i++) {
        st_le32(data + i * size, i);
        memset(data + i * size + 4, (int)(i * 7 + 1), size - 4);
    }
    close(g_file_open_tmp("rhea-test-XXXXXX", &path, NULL));
    ck_assert(g_file_set_contents(path, (char *)data, (gssize)sectors * size, NULL));
    return path;
}

static void setup(Fix *f)
{
    memset(f, 0, sizeof *f);
    f->m = t_machine();
    f->ram = mem_host(t_ram(f->m, 1 << 20));
    f->m->pci = f->pci = pci_bus_new(f->m, f->m->mem_root, f->m->io_root, no_irq, no_map, NULL);
    f->ide = piix_ide_new(f->m, "1.1", t_irq(&f->irq[0], 14), t_irq(&f->irq[1], 15), NULL);
    f->disk_path = image(SECTORS, 512);
    f->cd_path = image(CD_SECTORS, 2048);
    f->disk = blk_open(&(BlockOpenOptions){ .path = f->disk_path }, NULL);
    f->iso = blk_open(&(BlockOpenOptions){ .path = f->cd_path, .readonly = true, .removable = true }, NULL);
    ck_assert_ptr_nonnull(ide_drive_new(f->ide, 0, f->disk, false, NULL));
    f->cd = ide_drive_new(f->ide, 2, f->iso, true, NULL);
    for (unsigned i = 0; i < f->m->devices->len; i++)
        dev_reset(g_ptr_array_index(f->m->devices, i));
    pci_config_write(f->pci, 9, 0x20, BM, 4);
    pci_config_write(f->pci, 9, 0x04, 5, 2);             /* I/O, bus master */
}

static void finish(Fix *f)
{
    t_machine_free(f->m);
    pci_bus_free(f->pci);
    blk_unref(f->disk);
    blk_unref(f->iso);
    g_unlink(f->disk_path);
    g_unlink(f->cd_path);
    g_free(f->disk_path);
    g_free(f->cd_path);
}

/* Lets requests finish; the alternate status. */
static unsigned wait_ready(Fix *f, unsigned base)
{
    unsigned ctl = base + 0x206, status;
    for (unsigned i = 0; (status = inb(f->m, ctl)) & BSY; i++) {
        ck_assert_msg(i < 1000, "busy for ever");
        blk_drain(base == CMD ? f->disk : f->iso);
    }
    return status;
}

static void command(Fix *f, unsigned cmd, unsigned lba, unsigned count)
{
    outb(f->m, CMD + 2, count);
    outb(f->m, CMD + 3, lba);
    outb(f->m, CMD + 4, lba >> 8);
    outb(f->m, CMD + 5, lba >> 16);
    outb(f->m, CMD + 6, 0xe0 | lba >> 24);
    outb(f->m, CMD + 7, cmd);
}

static void command_ext(Fix *f, unsigned cmd, uint64_t lba, unsigned count)
{
    outb(f->m, CMD + 2, count >> 8);
    outb(f->m, CMD + 3, (unsigned)(lba >> 24) & 255);
    outb(f->m, CMD + 4, (unsigned)(lba >> 32) & 255);
    outb(f->m, CMD + 5, (unsigned)(lba >> 40) & 255);
    command(f, cmd, (unsigned)lba & 0xffffff, count & 255);
}

static void read_block(Fix *f, unsigned base, uint8_t *to, unsigned len)
{
    wait_ready(f, base);
    ck_assert_uint_eq(inb(f->m, base + 7) & (DRQ | ERR), DRQ);
    for (unsigned i = 0; i < len; i += 2)
        st_le16(to + i, (uint16_t)inw(f->m, base));
}

START_TEST(identify)
{
    Fix f;
    setup(&f);
    uint8_t id[512];
    command(&f, 0xec, 0, 0);
    ck_assert_int_eq(f.irq[0].level, 1);
    read_block(&f, CMD, id, 512);
    ck_assert_uint_eq(inb(f.m, CMD + 7), DRDY | 0x10);
    ck_assert_int_eq(f.irq[0].level, 0);
    ck_assert_uint_eq(ld_le16(id), 0x40);
    ck_assert_uint_eq(ld_le32(id + 120), SECTORS);
    ck_assert_uint_eq(ld_le64(id + 200), SECTORS);
    ck_assert_int_eq(memcmp(id + 54, "HRAEH RADDSI K", 14), 0);
    finish(&f);
}
END_TEST

START_TEST(pio_read)
{
    Fix f;
    setup(&f);
    uint8_t data[512];
    command(&f, 0x20, 5, 3);
    for (unsigned i = 0; i < 3; i++) {
        read_block(&f, CMD, data, 512);
        ck_assert_uint_eq(ld_le32(data), 5 + i);
        ck_assert_uint_eq(data[511], (uint8_t)((5 + i) * 7 + 1));
    }
    ck_assert_uint_eq(wait_ready(&f, CMD), DRDY | 0x10);
    ck_assert_int_eq(f.irq[0].rises, 3);
    outb(f.m, CMD + 6, 0xa0);            /* the same by CHS: cylinder 0 head 0 sector 6 */
    outb(f.m, CMD + 2, 1);
    outb(f.m, CMD + 3, 6);
    outb(f.m, CMD + 4, 0);
    outb(f.m, CMD + 5, 0);
    outb(f.m, CMD + 7, 0x20);
    read_block(&f, CMD, data, 512);
    ck_assert_uint_eq(ld_le32(data), 5);
    finish(&f);
}
END_TEST

START_TEST(multiple_and_snapshot)
{
    Fix f;
    setup(&f);
    uint8_t data[2048];
    command(&f, 0xc6, 0, 4);
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, 0);
    t_check_snapshot(ide_drive_peek(f.ide, 0));
    int rises = f.irq[0].rises;
    command(&f, 0xc4, 100, 6);
    read_block(&f, CMD, data, 1000);
    t_check_snapshot(ide_drive_peek(f.ide, 0));          /* in the middle of a block */
    read_block(&f, CMD, data + 1000, 1048);
    ck_assert_uint_eq(ld_le32(data + 3 * 512), 103);
    read_block(&f, CMD, data, 1024);
    ck_assert_uint_eq(ld_le32(data + 512), 105);
    ck_assert_int_eq(f.irq[0].rises - rises, 2);
    command(&f, 0xc6, 0, 3);             /* not a power of two */
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, ERR);
    ck_assert_uint_eq(inb(f.m, CMD + 1), 0x04);
    finish(&f);
}
END_TEST

START_TEST(pio_write)
{
    Fix f;
    setup(&f);
    uint8_t back[1024];
    command(&f, 0x34, 0, 0);             /* as EXT below; this one is rejected for its range: 65536 sectors */
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, ERR);
    command_ext(&f, 0x34, 9, 2);
    for (unsigned s = 0; s < 2; s++) {
        ck_assert_uint_eq(wait_ready(&f, CMD) & DRQ, DRQ);
        for (unsigned i = 0; i < 128; i++)
            outl(f.m, CMD, 0xabcd0000 + s * 128 + i);    /* 32-bit accesses */
    }
    ck_assert_uint_eq(wait_ready(&f, CMD), DRDY | 0x10);
    command(&f, 0xe7, 0, 0);
    ck_assert_uint_eq(wait_ready(&f, CMD), DRDY | 0x10);
    ck_assert_int_eq(blk_read(f.disk, 9 * 512, back, 1024), 0);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_uint_eq(ld_le32(back + 4 * i), 0xabcd0000 + i);
    finish(&f);
}
END_TEST

START_TEST(errors)
{
    Fix f;
    setup(&f);
    command(&f, 0x20, SECTORS, 1);
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, ERR);
    ck_assert_uint_eq(inb(f.m, CMD + 1), 0x10);
    command_ext(&f, 0x24, (uint64_t)1 << 47, 1);
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, ERR);
    command(&f, 0x20, SECTORS - 1, 2);   /* runs over the end */
    ck_assert_uint_eq(wait_ready(&f, CMD) & ERR, ERR);
    command(&f, 0x87, 0, 1);
    ck_assert_uint_eq(inb(f.m, CMD + 1), 0x04);
    outb(f.m, CMD + 6, 0xb0);            /* drive 1 is not there */
    ck_assert_uint_eq(inb(f.m, CMD + 7), 0);
    outb(f.m, CMD + 6, 0xa0);
    command(&f, 0x20, 1, 1);             /* a reset while the request is under way */
    outb(f.m, CTL, 4);
    outb(f.m, CTL, 0);
    ck_assert_uint_eq(wait_ready(&f, CMD), DRDY | 0x10);
    ck_assert_uint_eq(inb(f.m, CMD + 1), 0x01);
    ck_assert_uint_eq(inb(f.m, CMD + 2), 1);
    ck_assert_uint_eq(inb(f.m, CMD + 3), 1);
    finish(&f);
}
END_TEST

/* A table at 0x1000 with these pieces; the last is marked. */
static void prd(Fix *f, unsigned n, const uint32_t (*piece)[2])
{
    for (unsigned i = 0; i < n; i++) {
        st_le32(f->ram + 0x1000 + 8 * i, piece[i][0]);
        st_le32(f->ram + 0x1004 + 8 * i, (piece[i][1] & 0xffff) | (i == n - 1 ? 0x80000000 : 0));
    }
    outl(f->m, BM + 4, 0x1000);
    outb(f->m, BM + 2, 0x06);
}

START_TEST(dma)
{
    Fix f;
    setup(&f);
    const uint32_t pieces[][2] = { { 0x10000, 512 }, { 0x20000, 1024 }, { 0x30000, 0 } };
    prd(&f, 3, pieces);
    outb(f.m, BM, 0x08);
    command(&f, 0xc8, 10, 131);          /* 512 + 1024 + 64 KiB */
    wait_ready(&f, CMD);
    outb(f.m, BM, 0x09);
    while (inb(f.m, BM + 2) & 1 && !f.irq[0].level)
        wait_ready(&f, CMD);
    wait_ready(&f, CMD);
    ck_assert_uint_eq(inb(f.m, BM + 2) & 7, 4);          /* interrupt, not active: the table fitted exactly */
    ck_assert_uint_eq(inb(f.m, CMD + 7), DRDY | 0x10);
    outb(f.m, BM, 0);
    ck_assert_uint_eq(ld_le32(f.ram + 0x10000), 10);
    ck_assert_uint_eq(ld_le32(f.ram + 0x20000), 11);
    ck_assert_uint_eq(ld_le32(f.ram + 0x20200), 12);
    ck_assert_uint_eq(ld_le32(f.ram + 0x30000 + 127 * 512), 140);
    /* and back, from memory to other sectors, started before the command */
    const uint32_t whole[][2] = { { 0x20000, 1024 }, { 0x30000, 2048 } };
    prd(&f, 2, whole);
    outb(f.m, BM, 0x01);
    command(&f, 0xca, 500, 4);
    wait_ready(&f, CMD);
    ck_assert_uint_eq(inb(f.m, BM + 2) & 7, 5);          /* the table was longer: still active */
    outb(f.m, BM, 0);
    uint8_t back[2048];
    blk_read(f.disk, 500 * 512, back, 2048);
    ck_assert_uint_eq(ld_le32(back), 11);
    ck_assert_uint_eq(ld_le32(back + 512), 12);
    ck_assert_uint_eq(ld_le32(back + 1536), 14);
    finish(&f);
}
END_TEST

START_TEST(dma_hostile_tables)
{
    Fix f;
    setup(&f);
    const uint32_t tiny[][2] = { { 0x10000, 2 } };       /* too short */
    prd(&f, 1, tiny);
    outb(f.m, BM, 0x09);
    command(&f, 0xc8, 0, 8);
    wait_ready(&f, CMD);
    ck_assert_uint_eq(inb(f.m, BM + 2) & 5, 0);          /* stopped, no interrupt */
    outb(f.m, BM, 0);
    const uint32_t away[][2] = { { 0xf0000000, 4096 } };  /* nowhere */
    prd(&f, 1, away);
    outb(f.m, BM, 0x09);
    command(&f, 0xc8, 0, 8);
    wait_ready(&f, CMD);
    ck_assert_uint_eq(inb(f.m, BM + 2) & 2, 2);
    outb(f.m, BM, 0);
    t_check_snapshot(f.ide);             /* resets the drives: a machine loads them after their controller */
    pci_config_write(f.pci, 9, 0x04, 5, 2);
    outl(f.m, BM + 4, 0xfffffffc);       /* the table itself is nowhere */
    outb(f.m, BM, 0x09);
    command(&f, 0xc8, 0, 8);
    wait_ready(&f, CMD);
    ck_assert_uint_eq(inb(f.m, BM + 2) & 2, 2);
    outb(f.m, CTL, 4);
    outb(f.m, CTL, 0);
    ck_assert_uint_eq(wait_ready(&f, CMD), DRDY | 0x10);
    finish(&f);
}
END_TEST

/* ---- CD-ROM ---- */

static void packet(Fix *f, unsigned features, unsigned limit, const uint8_t *cdb)
{
    outb(f->m, CD + 6, 0xa0);
    outb(f->m, CD + 1, features);
    outb(f->m, CD + 4, limit & 255);
    outb(f->m, CD + 5, limit >> 8);
    outb(f->m, CD + 7, 0xa0);
    ck_assert_uint_eq(wait_ready(f, CD) & DRQ, DRQ);
    ck_assert_uint_eq(inb(f->m, CD + 2) & 3, 1);
    for (unsigned i = 0; i < 12; i += 2)
        outw(f->m, CD, ld_le16(cdb + i));
}

/* Takes all data of a packet command; its length. */
static unsigned packet_in(Fix *f, uint8_t *to)
{
    unsigned total = 0;
    while (wait_ready(f, CD) & DRQ) {
        unsigned n = inb(f->m, CD + 4) | inb(f->m, CD + 5) << 8;
        ck_assert_uint_eq(inb(f->m, CD + 2) & 3, 2);
        for (unsigned i = 0; i < n; i += 2)
            st_le16(to + total + i, (uint16_t)inw(f->m, CD));
        total += n;
    }
    ck_assert_uint_eq(inb(f->m, CD + 2) & 3, 3);
    return total;
}

static void expect_sense(Fix *f, unsigned key, unsigned asc)
{
    uint8_t data[256];
    ck_assert_uint_eq(wait_ready(f, CD) & ERR, ERR);
    ck_assert_uint_eq(inb(f->m, CD + 1) >> 4, key);
    packet(f, 0, 18, (uint8_t[12]){ 0x03, 0, 0, 0, 18 });
    ck_assert_uint_eq(packet_in(f, data), 18);
    ck_assert_uint_eq(data[2], key);
    ck_assert_uint_eq(data[12], asc);
}

START_TEST(cd_signature_and_inquiry)
{
    Fix f;
    setup(&f);
    uint8_t data[512];
    outb(f.m, CD + 6, 0xa0);
    ck_assert_uint_eq(inb(f.m, CD + 4), 0x14);
    ck_assert_uint_eq(inb(f.m, CD + 5), 0xeb);
    outb(f.m, CD + 7, 0xec);
    ck_assert_uint_eq(wait_ready(&f, CD) & ERR, ERR);
    outb(f.m, CD + 7, 0xa1);
    read_block(&f, CD, data, 512);
    ck_assert_uint_eq(ld_le16(data), 0x8580);
    packet(&f, 0, 36, (uint8_t[12]){ 0x12, 0, 0, 0, 36 });
    ck_assert_uint_eq(packet_in(&f, data), 36);
    ck_assert_uint_eq(data[0], 5);
    ck_assert_int_eq(memcmp(data + 8, "RHEA    DVD-ROM ", 16), 0);
    packet(&f, 0, 8, (uint8_t[12]){ 0x25 });
    ck_assert_uint_eq(packet_in(&f, data), 8);
    ck_assert_uint_eq(ld_be32(data), CD_SECTORS - 1);
    ck_assert_uint_eq(ld_be32(data + 4), 2048);
    packet(&f, 0, 100, (uint8_t[12]){ 0x43, 2, 0, 0, 0, 0, 0, 0, 100 });
    ck_assert_uint_eq(packet_in(&f, data), 20);
    ck_assert_uint_eq(data[9], 0);       /* track 1 at 00:02:00 */
    ck_assert_uint_eq(data[10], 2);
    packet(&f, 0, 100, (uint8_t[12]){ 0x99 });
    expect_sense(&f, 5, 0x20);
    finish(&f);
}
END_TEST

START_TEST(cd_read)
{
    Fix f;
    setup(&f);
    g_autofree uint8_t *data = g_malloc(200000);
    packet(&f, 0, 2048, (uint8_t[12]){ 0x28, 0, 0, 0, 0, 7, 0, 0, 40 });
    ck_assert_uint_eq(packet_in(&f, data), 40 * 2048);   /* more than the buffer holds */
    for (unsigned i = 0; i < 40; i++)
        ck_assert_uint_eq(ld_le32(data + 2048 * i), 7 + i);
    packet(&f, 0, 1000, (uint8_t[12]){ 0x28, 0, 0, 0, 0, 3, 0, 0, 2 });  /* blocks smaller than a sector */
    ck_assert_uint_eq(packet_in(&f, data), 4096);
    ck_assert_uint_eq(ld_le32(data + 2048), 4);
    packet(&f, 0, 0xffff, (uint8_t[12]){ 0xbe, 0, 0, 0, 0, 60, 0, 0, 30, 0xf8 });
    ck_assert_uint_eq(packet_in(&f, data), 30 * 2352);
    ck_assert_uint_eq(data[2352 * 29], 0);
    ck_assert_uint_eq(data[2352 * 29 + 1], 255);
    ck_assert_uint_eq(data[2352 * 29 + 14], 0x14);       /* frame (60 + 29 + 150) % 75, in BCD */
    ck_assert_uint_eq(ld_le32(data + 2352 * 29 + 16), 89);
    packet(&f, 0, 2048, (uint8_t[12]){ 0x28, 0, 0, 0, 0, CD_SECTORS - 1, 0, 0, 2 });
    expect_sense(&f, 5, 0x21);
    packet(&f, 0, 2048, (uint8_t[12]){ 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff });
    expect_sense(&f, 5, 0x21);
    finish(&f);
}
END_TEST

START_TEST(cd_dma)
{
    Fix f;
    setup(&f);
    const uint32_t pieces[][2] = { { 0x10000, 0 }, { 0x20000, 0 } };
    prd(&f, 2, pieces);
    outl(f.m, BM + 12, 0x1000);
    outb(f.m, BM + 10, 0x06);
    packet(&f, 1, 0, (uint8_t[12]){ 0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 64 });
    wait_ready(&f, CD);
    outb(f.m, BM + 8, 0x09);
    for (unsigned i = 0; i < 10 && !(inb(f.m, BM + 10) & 4); i++)
        blk_drain(f.iso);
    ck_assert_uint_eq(inb(f.m, BM + 10) & 7, 4);
    ck_assert_uint_eq(wait_ready(&f, CD), DRDY | 0x10);
    for (unsigned i = 0; i < 64; i++)
        ck_assert_uint_eq(ld_le32(f.ram + 0x10000 + 2048 * i), 1 + i);
    finish(&f);
}
END_TEST

START_TEST(cd_medium)
{
    Fix f;
    setup(&f);
    uint8_t data[64];
    packet(&f, 0, 0, (uint8_t[12]){ 0x1e, 0, 0, 0, 1 });                 /* lock */
    wait_ready(&f, CD);
    ck_assert(!ide_cd_change(f.cd, NULL, false, NULL));
    packet(&f, 0, 0, (uint8_t[12]){ 0x1b, 0, 0, 0, 2 });                 /* eject */
    expect_sense(&f, 5, 0x53);
    ck_assert(ide_cd_change(f.cd, NULL, true, NULL));
    packet(&f, 0, 0, (uint8_t[12]){ 0x00 });
    expect_sense(&f, 6, 0x28);
    packet(&f, 0, 0, (uint8_t[12]){ 0x00 });
    expect_sense(&f, 2, 0x3a);
    ck_assert(ide_cd_change(f.cd, f.iso, false, NULL));
    packet(&f, 0, 64, (uint8_t[12]){ 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 });
    ck_assert_uint_eq(packet_in(&f, data), 8);
    ck_assert_uint_eq(data[4], 2);       /* new media */
    ck_assert_uint_eq(data[5], 2);
    packet(&f, 0, 0, (uint8_t[12]){ 0x00 });
    expect_sense(&f, 6, 0x28);
    packet(&f, 0, 0, (uint8_t[12]){ 0x00 });
    ck_assert_uint_eq(wait_ready(&f, CD) & ERR, 0);
    packet(&f, 0, 0, (uint8_t[12]){ 0x1b, 0, 0, 0, 2 });                 /* the guest ejects, and takes it in again */
    wait_ready(&f, CD);
    packet(&f, 0, 2048, (uint8_t[12]){ 0x28, 0, 0, 0, 0, 0, 0, 0, 1 });
    expect_sense(&f, 2, 0x3a);
    packet(&f, 0, 0, (uint8_t[12]){ 0x1b, 0, 0, 0, 3 });
    ck_assert_uint_eq(wait_ready(&f, CD) & ERR, 0);
    finish(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { identify, pio_read, multiple_and_snapshot, pio_write, errors, dma, dma_hostile_tables,
                                   cd_signature_and_inquiry, cd_read, cd_dma, cd_medium, NULL };
    return t_main("ide", tests);
}
