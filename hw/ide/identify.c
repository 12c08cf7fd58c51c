/* IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA/ATAPI-6, tables 27 and 30). */
#include "hw/ide/ide_core.h"

#include "util/ldst.h"

static void word(IdeDrive *d, unsigned n, uint16_t val) { st_le16(d->data + 2 * n, val); }

static void words32(IdeDrive *d, unsigned n, uint32_t val) { st_le32(d->data + 2 * n, val); }

/* ATA strings: space-padded, the two bytes of each word swapped. */
static void string(IdeDrive *d, unsigned n, unsigned bytes, const char *text)
{
    size_t len = strlen(text);
    for (unsigned i = 0; i < bytes; i++)
        d->data[2 * n + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
}

static void names(IdeDrive *d)
{
    string(d, 10, 20, d->serial);
    string(d, 23, 8, d->ver);
    string(d, 27, 40, d->model);
}

/* What both kinds say of transfer modes: PIO 4, MWDMA 2, UDMA 5, and what is selected. */
static void modes(IdeDrive *d)
{
    word(d, 53, 7);                      /* 54-58, 64-70 and 88 are valid */
    word(d, 63, 0x07 | (d->mwdma ? 1u << (d->mwdma + 7) : 0));
    word(d, 64, 3);
    for (unsigned i = 65; i <= 68; i++)
        word(d, i, 120);                 /* cycle times, ns */
    word(d, 80, 0x7e);                   /* ATA-1 .. ATA/ATAPI-6 */
    word(d, 88, 0x3f | (d->udma ? 1u << (d->udma + 7) : 0));
    word(d, 93, 0x6001 | (d->unit ? 0x0b00 : 0x000e));       /* 80-conductor cable, diagnostics passed */
}

void ata_identify(IdeDrive *d)
{
    unsigned cyls, heads, secs, trans;
    ide_drive_geometry(&d->dev, &cyls, &heads, &secs, &trans);
    uint64_t chs = (uint64_t)d->cyls * d->heads * d->secs;
    memset(d->data, 0, IDE_SECTOR);
    word(d, 0, 0x0040);                  /* fixed drive */
    word(d, 1, cyls);
    word(d, 3, heads);
    word(d, 6, secs);
    names(d);
    word(d, 20, 3);                      /* buffer: dual-ported with cache */
    word(d, 21, 512);
    word(d, 22, 4);
    word(d, 47, 0x8000 | IDE_MAX_MULT);
    word(d, 48, 1);                      /* 32-bit data port works */
    word(d, 49, 0x0f00);                 /* IORDY, may be disabled, LBA, DMA */
    word(d, 50, 0x4000);
    word(d, 51, 0x0200);
    word(d, 52, 0x0200);
    modes(d);
    word(d, 54, d->cyls);
    word(d, 55, d->heads);
    word(d, 56, d->secs);
    words32(d, 57, (uint32_t)MIN(chs, d->sectors));
    word(d, 59, d->mult ? 0x100 | d->mult : 0);
    words32(d, 60, (uint32_t)MIN(d->sectors, 0x0fffffff));
    word(d, 82, 0x4021);                 /* supported: NOP, write cache, SMART */
    word(d, 83, 0x7400);                 /* FLUSH CACHE EXT, FLUSH CACHE, 48-bit */
    word(d, 84, 0x4000 | 0x40);          /* WRITE DMA/MULTIPLE FUA EXT */
    word(d, 85, 0x4000 | (d->wcache ? 0x20 : 0) | (d->smart ? 1 : 0));
    word(d, 86, 0x3400);
    word(d, 87, 0x4000 | 0x40);
    st_le64(d->data + 200, d->sectors);
}

void atapi_identify(IdeDrive *d)
{
    memset(d->data, 0, IDE_SECTOR);
    word(d, 0, 0x8580);                  /* ATAPI, CD-ROM, removable, 12-byte packets, DRQ within 50 us */
    names(d);
    word(d, 48, 1);
    word(d, 49, 0x0f00);
    modes(d);
    word(d, 71, 30);                     /* ns from PACKET to bus release, SERVICE to BSY clear */
    word(d, 72, 30);
    word(d, 82, 0x4010);                 /* supported: NOP, PACKET */
    word(d, 83, 0x4000);
    word(d, 84, 0x4000);
    word(d, 85, 0x4010);
    word(d, 86, 0);
    word(d, 87, 0x4000);
}
