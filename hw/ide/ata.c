/* Commands of an ATA disk (ATA/ATAPI-6, T13 1410D, section 8).
 *
 * Transfers of sectors work through `data` in pieces: `left` sectors are still
 * to come from (or go to) the image at `lba`; a piece is one DRQ block for PIO
 * (1 sector, or `mult` for the MULTIPLE commands) and up to 64 KiB for DMA.
 *
 *   read   submit piece -> DRQ, host or DMA takes it -> next piece ... -> end
 *   write  DRQ, host or DMA fills piece -> submit -> next piece ... -> end
 *
 * An error of the image on the host's side is the guest's UNC (read) or ABRT
 * (write).  Left out: security, host protected area (READ NATIVE MAX only),
 * streaming, tagged queuing, trim.
 */
#include "hw/ide/ide_core.h"

#include "util/ldst.h"

enum { DMA_SECTORS = IDE_DATA / IDE_SECTOR };

/* ---- addresses ---- */

static uint64_t lba_get(const IdeDrive *d)
{
    if (d->lba48)
        return (uint64_t)d->hcyl[1] << 40 | (uint64_t)d->lcyl[1] << 32 | (uint64_t)d->sector[1] << 24 |
               (uint64_t)d->hcyl[0] << 16 | d->lcyl[0] << 8 | d->sector[0];
    if (d->select & DEV_LBA)
        return (uint64_t)(d->select & 15) << 24 | d->hcyl[0] << 16 | d->lcyl[0] << 8 | d->sector[0];
    uint64_t cyl = d->hcyl[0] << 8 | d->lcyl[0];
    if (!d->sector[0] || d->sector[0] > d->secs || (d->select & 15u) >= d->heads)
        return UINT64_MAX;
    return (cyl * d->heads + (d->select & 15)) * d->secs + d->sector[0] - 1;
}

static void lba_set(IdeDrive *d, uint64_t lba)
{
    if (!d->lba48 && !(d->select & DEV_LBA)) {
        uint64_t cyl = lba / ((uint64_t)d->heads * d->secs);
        d->select = (d->select & 0xf0) | (lba / d->secs % d->heads);
        d->sector[0] = lba % d->secs + 1;
        d->lcyl[0] = cyl;
        d->hcyl[0] = cyl >> 8;
        return;
    }
    d->sector[0] = lba;
    d->lcyl[0] = lba >> 8;
    d->hcyl[0] = lba >> 16;
    if (d->lba48) {
        d->sector[1] = lba >> 24;
        d->lcyl[1] = lba >> 32;
        d->hcyl[1] = lba >> 40;
    } else {
        d->select = (d->select & 0xf0) | (lba >> 24 & 15);
    }
}

static uint32_t count_get(const IdeDrive *d)
{
    if (!d->lba48)
        return d->nsector[0] ? d->nsector[0] : 256;
    uint32_t n = d->nsector[1] << 8 | d->nsector[0];
    return n ? n : 65536;
}

/* Address and count from the registers into lba and left; false: IDNF was reported. */
static bool range_get(IdeDrive *d)
{
    d->lba = lba_get(d);
    d->left = count_get(d);
    if (d->lba < d->sectors && d->left <= d->sectors - d->lba)
        return true;
    ide_fail(d, ER_IDNF);
    return false;
}

/* ---- sectors in pieces ---- */

static uint32_t piece_sectors(const IdeDrive *d)
{
    bool dma = d->xfer == XFER_DMA_READ || d->xfer == XFER_DMA_WRITE;
    bool multiple = d->command == 0xc4 || d->command == 0xc5 || d->command == 0x29 || d->command == 0x39 || d->command == 0xce;
    uint32_t max = dma ? DMA_SECTORS : multiple ? d->mult : 1;
    return MIN(d->left, max);
}

static void read_piece(IdeDrive *d)
{
    uint32_t n = piece_sectors(d);
    d->data_pos = 0;
    d->data_len = n * IDE_SECTOR;
    ide_submit(d, AFTER_READ, d->lba * IDE_SECTOR, d->data_len);
}

/* Room for the next piece that the host writes. */
static void write_piece(IdeDrive *d, bool interrupt)
{
    d->data_pos = 0;
    d->data_len = piece_sectors(d) * IDE_SECTOR;
    if (d->xfer == XFER_DMA_WRITE)
        ata_dma_run(d);
    else
        ide_drq(d, d->data_len, interrupt);
}

static void write_submit(IdeDrive *d)
{
    ide_submit(d, AFTER_WRITE, d->lba * IDE_SECTOR, d->data_len);
}

static void piece_done(IdeDrive *d)
{
    uint32_t n = d->data_len / IDE_SECTOR;
    d->lba += n;
    d->left -= MIN(n, d->left);
}

/* All sectors are through; with the write cache off they must also be on the medium. */
static void sectors_end(IdeDrive *d, bool write)
{
    lba_set(d, d->lba - 1);
    if (write && (!d->wcache || d->command == 0x3d || d->command == 0xce))
        ide_submit(d, AFTER_FLUSH, 0, 0);
    else
        ide_ok(d);
}

static void io_error(IdeDrive *d, IdeAfter after)
{
    lba_set(d, d->lba);
    ide_fail(d, after == AFTER_WRITE || after == AFTER_FLUSH ? ER_ABRT : ER_UNC);
}

void ata_after(IdeDrive *d, IdeAfter after, int ret)
{
    if (ret < 0) {
        io_error(d, after);
        return;
    }
    switch (after) {
    case AFTER_READ:
        if (d->xfer == XFER_DMA_READ)
            ata_dma_run(d);
        else
            ide_drq(d, d->data_len, true);
        break;
    case AFTER_WRITE:
        piece_done(d);
        if (d->left)
            write_piece(d, true);
        else
            sectors_end(d, true);
        break;
    case AFTER_VERIFY:
        piece_done(d);
        if (d->left) {
            d->data_len = MIN(d->left, DMA_SECTORS) * IDE_SECTOR;
            ide_submit(d, AFTER_VERIFY, d->lba * IDE_SECTOR, d->data_len);
        } else {
            sectors_end(d, false);
        }
        break;
    default:
        ide_ok(d);
        break;
    }
}

void ata_continue(IdeDrive *d)
{
    if (d->xfer == XFER_WRITE) {
        write_submit(d);
        return;
    }
    if (d->xfer != XFER_READ)
        return;
    piece_done(d);
    if (d->left) {
        read_piece(d);
        return;
    }
    lba_set(d, d->lba - 1);              /* the last block's interrupt has been given: none at the end */
    d->xfer = XFER_NONE;
    d->status = ST_DRDY | ST_DSC;
}

void ata_dma_run(IdeDrive *d)
{
    if (!ide_dma_move(d, d->xfer == XFER_DMA_READ))
        return;
    if (d->xfer == XFER_DMA_WRITE) {
        write_submit(d);
        return;
    }
    piece_done(d);
    if (d->left)
        read_piece(d);
    else
        sectors_end(d, false);
}

/* ---- handlers ---- */

static void start_read(IdeDrive *d, IdeXfer xfer)
{
    if (!range_get(d))
        return;
    d->xfer = xfer;
    read_piece(d);
}

static void start_write(IdeDrive *d, IdeXfer xfer)
{
    if (!range_get(d))
        return;
    d->xfer = xfer;
    write_piece(d, false);
}

static void cmd_read(IdeDrive *d) { start_read(d, XFER_READ); }
static void cmd_write(IdeDrive *d) { start_write(d, XFER_WRITE); }
static void cmd_read_dma(IdeDrive *d) { start_read(d, XFER_DMA_READ); }
static void cmd_write_dma(IdeDrive *d) { start_write(d, XFER_DMA_WRITE); }

static void cmd_read_multiple(IdeDrive *d)
{
    if (d->mult)
        start_read(d, XFER_READ);
    else
        ide_fail(d, ER_ABRT);
}

static void cmd_write_multiple(IdeDrive *d)
{
    if (d->mult)
        start_write(d, XFER_WRITE);
    else
        ide_fail(d, ER_ABRT);
}

static void cmd_verify(IdeDrive *d)
{
    if (!range_get(d))
        return;
    d->data_len = MIN(d->left, DMA_SECTORS) * IDE_SECTOR;
    ide_submit(d, AFTER_VERIFY, d->lba * IDE_SECTOR, d->data_len);
}

static void cmd_ok(IdeDrive *d) { ide_ok(d); }
static void cmd_flush(IdeDrive *d) { ide_submit(d, AFTER_FLUSH, 0, 0); }

static void cmd_seek(IdeDrive *d)
{
    if (lba_get(d) < d->sectors)
        ide_ok(d);
    else
        ide_fail(d, ER_IDNF);
}

static void cmd_identify(IdeDrive *d)
{
    ata_identify(d);
    ide_data_in(d, IDE_SECTOR);
}

static void cmd_set_multiple(IdeDrive *d)
{
    uint8_t n = d->nsector[0];
    if (n > IDE_MAX_MULT || (n & (n - 1))) {
        ide_fail(d, ER_ABRT);
        return;
    }
    d->mult = n;
    ide_ok(d);
}

static void cmd_init_params(IdeDrive *d)
{
    if (!d->nsector[0]) {
        ide_fail(d, ER_ABRT);
        return;
    }
    d->heads = (d->select & 15) + 1;
    d->secs = d->nsector[0];
    d->cyls = MIN(d->sectors / (d->heads * d->secs), 65535);
    ide_ok(d);
}

static void cmd_native_max(IdeDrive *d)
{
    uint64_t max = d->sectors - 1;
    d->select |= DEV_LBA;
    lba_set(d, d->lba48 ? max : MIN(max, 0x0fffffff));
    ide_ok(d);
}

static void cmd_check_power(IdeDrive *d)
{
    d->nsector[0] = d->standby ? 0x00 : 0xff;
    ide_ok(d);
}

static void cmd_standby(IdeDrive *d)
{
    d->standby = 1;
    ide_ok(d);
}

static void cmd_idle(IdeDrive *d)
{
    d->standby = 0;
    ide_ok(d);
}

/* Transfer mode: the sector count register says 00001:PIO 00100:MWDMA 01000:UDMA with the mode below (table 44). */
static bool set_transfer_mode(IdeDrive *d)
{
    unsigned mode = d->nsector[0] & 7;
    switch (d->nsector[0] >> 3) {
    case 0: case 1:
        return true;
    case 4:
        if (mode > 2)
            return false;
        d->mwdma = mode + 1;
        d->udma = 0;
        return true;
    case 8:
        if (mode > 5)
            return false;
        d->udma = mode + 1;
        d->mwdma = 0;
        return true;
    default:
        return false;
    }
}

bool ata_set_features(IdeDrive *d)
{
    switch (d->feature[0]) {
    case 0x03: return set_transfer_mode(d);
    case 0x02: d->wcache = 1; return true;
    case 0x82: d->wcache = 0; return true;
    case 0x05: case 0x85:                /* advanced power management */
    case 0x42: case 0xc2:                /* acoustics */
    case 0x55: case 0xaa:                /* read look-ahead */
    case 0x66: case 0xcc:                /* defaults at software reset */
    case 0x5d: case 0x5e: case 0xdd: case 0xde:   /* release and service interrupts */
        return true;
    default: return false;
    }
}

static void cmd_set_features(IdeDrive *d)
{
    if (!ata_set_features(d))
        ide_fail(d, ER_ABRT);
    else if (d->feature[0] == 0x82)
        ide_submit(d, AFTER_FLUSH, 0, 0);
    else
        ide_ok(d);
}

/* ---- SMART (section 8.55): enabled, healthy, with an attribute table of power-on hours and temperature ---- */

static void smart_checksum(IdeDrive *d)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < IDE_SECTOR - 1; i++)
        sum += d->data[i];
    d->data[IDE_SECTOR - 1] = -sum;
}

/*  id  flags  value  raw  threshold */
static const struct { uint8_t id; uint16_t flags; uint8_t value, raw, threshold; } smart_attrs[] = {
    { 0x01, 0x0003, 100, 0, 6 },         /* read error rate */
    { 0x03, 0x0003, 100, 0, 0 },         /* spin-up time */
    { 0x05, 0x0003, 100, 0, 36 },        /* reallocated sectors */
    { 0x09, 0x0003, 100, 1, 0 },         /* power-on hours */
    { 0xc2, 0x0002, 69, 31, 50 },        /* temperature */
};

static void smart_data(IdeDrive *d, bool thresholds)
{
    memset(d->data, 0, IDE_SECTOR);
    d->data[0] = 1;
    for (unsigned i = 0; i < ARRAY_LEN(smart_attrs); i++) {
        uint8_t *p = d->data + 2 + 12 * i;
        p[0] = smart_attrs[i].id;
        if (thresholds) {
            p[1] = smart_attrs[i].threshold;
            continue;
        }
        st_le16(p + 1, smart_attrs[i].flags);
        p[3] = p[4] = smart_attrs[i].value;
        p[5] = smart_attrs[i].raw;
    }
    if (!thresholds)
        st_le16(d->data + 368, 3);       /* SMART capability: saves attributes */
    smart_checksum(d);
    ide_data_in(d, IDE_SECTOR);
}

static void cmd_smart(IdeDrive *d)
{
    if (d->lcyl[0] != 0x4f || d->hcyl[0] != 0xc2 || (!d->smart && d->feature[0] != 0xd8)) {
        ide_fail(d, ER_ABRT);
        return;
    }
    switch (d->feature[0]) {
    case 0xd0: smart_data(d, false); break;
    case 0xd1: smart_data(d, true); break;
    case 0xd2: case 0xd3: case 0xd4: ide_ok(d); break;    /* autosave, save, execute off-line */
    case 0xd8: d->smart = 1; ide_ok(d); break;
    case 0xd9: d->smart = 0; ide_ok(d); break;
    case 0xda: ide_ok(d); break;         /* 4f c2 stay: no threshold exceeded */
    default: ide_fail(d, ER_ABRT); break;
    }
}

/* IDENTIFY PACKET, PACKET, DEVICE RESET: not ours, and the signature says whose we are. */
static void cmd_not_packet(IdeDrive *d)
{
    ide_signature(d);
    ide_fail(d, ER_ABRT);
}

/* ---- the commands, by opcode; EXT: 48-bit registers ---- */

enum { EXT = 1 };
static const struct AtaCommand { uint8_t first, last, flags; void (*run)(IdeDrive *d); } ata_commands[] = {
    { 0x10, 0x1f, 0, cmd_ok },           /* RECALIBRATE */
    { 0x20, 0x21, 0, cmd_read },         /* READ SECTOR(S) */
    { 0x24, 0x24, EXT, cmd_read },
    { 0x25, 0x25, EXT, cmd_read_dma },
    { 0x27, 0x27, EXT, cmd_native_max }, /* READ NATIVE MAX ADDRESS EXT */
    { 0x29, 0x29, EXT, cmd_read_multiple },
    { 0x30, 0x31, 0, cmd_write },        /* WRITE SECTOR(S) */
    { 0x34, 0x34, EXT, cmd_write },
    { 0x35, 0x35, EXT, cmd_write_dma },
    { 0x39, 0x39, EXT, cmd_write_multiple },
    { 0x3c, 0x3c, 0, cmd_write },        /* WRITE VERIFY */
    { 0x3d, 0x3d, EXT, cmd_write_dma },  /* WRITE DMA FUA EXT */
    { 0x40, 0x41, 0, cmd_verify },       /* READ VERIFY SECTOR(S) */
    { 0x42, 0x42, EXT, cmd_verify },
    { 0x70, 0x7f, 0, cmd_seek },         /* SEEK */
    { 0x91, 0x91, 0, cmd_init_params },  /* INITIALIZE DEVICE PARAMETERS */
    { 0x94, 0x94, 0, cmd_standby }, { 0x95, 0x95, 0, cmd_idle }, { 0x96, 0x96, 0, cmd_standby },
    { 0x97, 0x97, 0, cmd_idle }, { 0x98, 0x98, 0, cmd_check_power }, { 0x99, 0x99, 0, cmd_standby },
    { 0xa0, 0xa1, 0, cmd_not_packet },
    { 0xb0, 0xb0, 0, cmd_smart },
    { 0xc4, 0xc4, 0, cmd_read_multiple },
    { 0xc5, 0xc5, 0, cmd_write_multiple },
    { 0xc6, 0xc6, 0, cmd_set_multiple },
    { 0xc8, 0xc9, 0, cmd_read_dma },
    { 0xca, 0xcb, 0, cmd_write_dma },
    { 0xce, 0xce, EXT, cmd_write_multiple },   /* WRITE MULTIPLE FUA EXT */
    { 0xe0, 0xe0, 0, cmd_standby }, { 0xe1, 0xe1, 0, cmd_idle }, { 0xe2, 0xe2, 0, cmd_standby },
    { 0xe3, 0xe3, 0, cmd_idle }, { 0xe5, 0xe5, 0, cmd_check_power }, { 0xe6, 0xe6, 0, cmd_standby },
    { 0xe7, 0xe7, 0, cmd_flush },        /* FLUSH CACHE */
    { 0xea, 0xea, EXT, cmd_flush },
    { 0xec, 0xec, 0, cmd_identify },     /* IDENTIFY DEVICE */
    { 0xef, 0xef, 0, cmd_set_features },
    { 0xf8, 0xf8, 0, cmd_native_max },
};

void ata_command(IdeDrive *d)
{
    for (unsigned i = 0; i < ARRAY_LEN(ata_commands); i++) {
        const struct AtaCommand *c = &ata_commands[i];
        if (d->command < c->first || d->command > c->last)
            continue;
        d->lba48 = c->flags & EXT;
        if (d->command < 0x94 || (d->command > 0x99 && (d->command < 0xe0 || d->command > 0xe6)))
            d->standby = 0;
        c->run(d);
        return;
    }
    ide_fail(d, ER_ABRT);                /* NOP ends here too, as it should */
}
