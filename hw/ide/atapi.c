/* ATAPI CD-ROM drive: the PACKET command of ATA/ATAPI-6 (section 8.23) and the
 * commands of MMC-3/SPC-2 inside it.
 *
 *   PACKET -> DRQ, 12 bytes in (C/D=1 I/O=0) -> BSY -> data in DRQ blocks of at most the byte count limit
 *   (C/D=0 I/O=1, one interrupt each), or by DMA -> status (C/D=1 I/O=1, interrupt)
 *
 * The medium is an image of 2048-byte sectors, one data track from LBA 0.
 * READ CD gives raw sectors (2352 bytes) with sync and header in place and EDC
 * and ECC fields zero.  Left out: audio, writing, READ DVD STRUCTURE.
 */
#include "hw/ide/ide_core.h"

#include "util/ldst.h"

enum { NO_SENSE, NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };
enum {
    ASC_READ_ERROR = 0x11, ASC_BAD_OPCODE = 0x20, ASC_LBA_RANGE = 0x21, ASC_BAD_FIELD = 0x24, ASC_MEDIUM_CHANGED = 0x28,
    ASC_SAVING_PARAMETERS = 0x39, ASC_NO_MEDIUM = 0x3a, ASC_REMOVAL_PREVENTED = 0x53,
};
enum { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIA, EVENT_MEDIA_REMOVAL };
enum { PROFILE_NONE = 0, PROFILE_CD = 0x08, PROFILE_DVD = 0x10, CD_MAX_SECTORS = 450000 /* 100 minutes */ };

/* ---- ends of commands ---- */

static void atapi_ok(IdeDrive *d)
{
    d->nsector[0] = IR_CD | IR_IO;
    d->sense_key = d->asc = d->ascq = 0;
    ide_ok(d);
}

static void atapi_fail(IdeDrive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    d->nsector[0] = IR_CD | IR_IO;
    d->sense_key = key;
    d->asc = asc;
    d->ascq = ascq;
    ide_fail(d, key << 4 | ER_ABRT);
}

static void bad_field(IdeDrive *d) { atapi_fail(d, ILLEGAL_REQUEST, ASC_BAD_FIELD, 0); }

static bool medium_present(const IdeDrive *d) { return d->blk && !d->tray_open; }

static void no_medium(IdeDrive *d) { atapi_fail(d, NOT_READY, ASC_NO_MEDIUM, d->tray_open ? 2 : 1); }

/* ---- data to and from the host ---- */

static void cd_load(IdeDrive *d);

/* Opens the next DRQ block of data[pos..len), or goes on when all of it is taken. */
static void pio_next(IdeDrive *d)
{
    uint32_t have = d->data_len - d->data_pos, limit = d->byte_limit;
    if (!have) {
        if (d->left)
            cd_load(d);
        else
            atapi_ok(d);
        return;
    }
    if (have > limit)
        have = limit >= d->cd_block && d->left ? round_down(limit, d->cd_block) : limit;
    d->lcyl[0] = have;
    d->hcyl[0] = have >> 8;
    d->nsector[0] = d->xfer == XFER_ATAPI_IN ? IR_IO : 0;
    ide_drq(d, d->data_pos + have, true);
}

void atapi_dma_run(IdeDrive *d)
{
    d->nsector[0] = d->xfer == XFER_ATAPI_DMA_IN ? IR_IO : 0;
    if (!ide_dma_move(d, d->xfer == XFER_ATAPI_DMA_IN))
        return;
    if (d->left)
        cd_load(d);
    else
        atapi_ok(d);                     /* mode parameters that came in are accepted and ignored */
}

static void data_run(IdeDrive *d)
{
    if (d->packet_dma)
        atapi_dma_run(d);
    else
        pio_next(d);
}

/* data[0..len) is the answer; the host takes `alloc` bytes of it at most. */
static void reply(IdeDrive *d, uint32_t len, uint32_t alloc)
{
    d->data_pos = 0;
    d->data_len = MIN(len, alloc);
    d->left = 0;
    if (!d->data_len) {
        atapi_ok(d);
        return;
    }
    d->xfer = d->packet_dma ? XFER_ATAPI_DMA_IN : XFER_ATAPI_IN;
    data_run(d);
}

/* The host sends len bytes. */
static void accept(IdeDrive *d, uint32_t len)
{
    d->data_pos = 0;
    d->data_len = len;
    d->left = 0;
    if (!len) {
        atapi_ok(d);
        return;
    }
    d->xfer = d->packet_dma ? XFER_ATAPI_DMA_OUT : XFER_ATAPI_OUT;
    data_run(d);
}

/* ---- reading ---- */

static uint32_t cd_piece(const IdeDrive *d) { return MIN(d->left, IDE_DATA / d->cd_block); }

/* The last sector of an image may be incomplete. */
static void cd_load(IdeDrive *d)
{
    if (!d->blk) {                       /* taken out in the middle */
        no_medium(d);
        return;
    }
    uint64_t off = d->lba * CD_SECTOR, size = blk_size(d->blk);
    uint32_t len = cd_piece(d) * CD_SECTOR, have = off < size ? (uint32_t)MIN(len, size - off) : 0;
    memset(d->data + have, 0, len - have);
    ide_submit(d, AFTER_CD_READ, have ? off : 0, have);
}

static uint8_t bcd(unsigned n) { return n / 10 << 4 | n % 10; }

static void msf(uint8_t out[3], uint64_t lba)
{
    lba += 150;
    out[0] = lba / (75 * 60);
    out[1] = lba / 75 % 60;
    out[2] = lba % 75;
}

/* Spreads n sectors of 2048 bytes out to raw ones, from the end, in place. */
static void cd_make_raw(IdeDrive *d, uint32_t n)
{
    static const uint8_t sync[12] = { 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0 };
    for (uint32_t i = n; i-- > 0;) {
        uint8_t *raw = d->data + i * CD_RAW, at[3];
        memmove(raw + 16, d->data + i * CD_SECTOR, CD_SECTOR);
        memcpy(raw, sync, sizeof sync);
        msf(at, d->lba + i);
        for (unsigned k = 0; k < 3; k++)
            raw[12 + k] = bcd(at[k]);
        raw[15] = 1;                     /* mode 1 */
        memset(raw + 16 + CD_SECTOR, 0, CD_RAW - 16 - CD_SECTOR);
    }
}

static void cd_loaded(IdeDrive *d, int ret)
{
    if (ret < 0) {
        atapi_fail(d, MEDIUM_ERROR, ASC_READ_ERROR, 0);
        return;
    }
    uint32_t n = cd_piece(d);
    if (d->cd_block == CD_RAW)
        cd_make_raw(d, n);
    d->lba += n;
    d->left -= n;
    d->data_pos = 0;
    d->data_len = n * d->cd_block;
    data_run(d);
}

void atapi_after(IdeDrive *d, IdeAfter after, int ret)
{
    if (after == AFTER_CD_READ)
        cd_loaded(d, ret);
    else
        atapi_ok(d);
}

static void cd_read(IdeDrive *d, uint64_t lba, uint32_t count, unsigned block)
{
    if (lba > d->sectors || count > d->sectors - lba) {
        atapi_fail(d, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
        return;
    }
    if (!count) {
        atapi_ok(d);
        return;
    }
    d->lba = lba;
    d->left = count;
    d->cd_block = block;
    d->xfer = d->packet_dma ? XFER_ATAPI_DMA_IN : XFER_ATAPI_IN;
    cd_load(d);
}

static void do_read_10(IdeDrive *d) { cd_read(d, ld_be32(d->cdb + 2), ld_be16(d->cdb + 7), CD_SECTOR); }
static void do_read_12(IdeDrive *d) { cd_read(d, ld_be32(d->cdb + 2), ld_be32(d->cdb + 6), CD_SECTOR); }

/* CDB byte 9 of READ CD says which parts of a sector are wanted. */
static void read_cd_parts(IdeDrive *d, uint64_t lba, uint32_t count)
{
    switch (d->cdb[9] & 0xf8) {
    case 0x00: atapi_ok(d); break;
    case 0x10: cd_read(d, lba, count, CD_SECTOR); break;
    case 0xf8: cd_read(d, lba, count, CD_RAW); break;
    default: bad_field(d); break;
    }
}

static void do_read_cd(IdeDrive *d)
{
    read_cd_parts(d, ld_be32(d->cdb + 2), (uint32_t)d->cdb[6] << 16 | ld_be16(d->cdb + 7));
}

static int64_t msf_lba(const uint8_t *p) { return (p[0] * 60 + p[1]) * 75 + p[2] - 150; }

static void do_read_cd_msf(IdeDrive *d)
{
    int64_t from = msf_lba(d->cdb + 3), to = msf_lba(d->cdb + 6);
    if (from < 0 || to < from)
        bad_field(d);
    else
        read_cd_parts(d, (uint64_t)from, (uint32_t)(to - from));
}

static void do_seek(IdeDrive *d)
{
    if (ld_be32(d->cdb + 2) < d->sectors)
        atapi_ok(d);
    else
        atapi_fail(d, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
}

static void do_read_capacity(IdeDrive *d)
{
    st_be32(d->data, (uint32_t)MIN(d->sectors - 1, UINT32_MAX));
    st_be32(d->data + 4, CD_SECTOR);
    reply(d, 8, 8);
}

/* ---- table of contents ---- */

static void toc_address(uint8_t *p, bool want_msf, uint64_t lba)
{
    st_be32(p, (uint32_t)lba);
    if (want_msf) {
        p[0] = 0;
        msf(p + 1, lba);
    }
}

static uint32_t toc_tracks(IdeDrive *d, bool want_msf, uint8_t start)
{
    uint8_t *p = d->data + 4;
    d->data[2] = d->data[3] = 1;         /* first and last track */
    if (start <= 1) {
        memcpy(p, (uint8_t[]){ 0, 0x14, 1, 0 }, 4);
        toc_address(p + 4, want_msf, 0);
        p += 8;
    }
    memcpy(p, (uint8_t[]){ 0, 0x16, 0xaa, 0 }, 4);
    toc_address(p + 4, want_msf, d->sectors);
    return (uint32_t)(p + 8 - d->data);
}

static uint32_t toc_sessions(IdeDrive *d, bool want_msf)
{
    d->data[2] = d->data[3] = 1;
    memcpy(d->data + 4, (uint8_t[]){ 0, 0x14, 1, 0 }, 4);
    toc_address(d->data + 8, want_msf, 0);
    return 12;
}

/* Full TOC: points A0, A1, A2 and the track, each session, ADR/control, 0, point, 4 bytes, PMIN PSEC PFRAME. */
static uint32_t toc_full(IdeDrive *d)
{
    static const uint8_t point[4] = { 0xa0, 0xa1, 0xa2, 1 };
    d->data[2] = d->data[3] = 1;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *p = d->data + 4 + 11 * i;
        memset(p, 0, 11);
        p[0] = 1;
        p[1] = 0x14;
        p[3] = point[i];
        if (i < 2)
            p[8] = 1;
        else
            msf(p + 8, i == 2 ? d->sectors : 0);
    }
    return 4 + 4 * 11;
}

static void do_read_toc(IdeDrive *d)
{
    uint8_t format = d->cdb[2] & 15 ? d->cdb[2] & 15 : d->cdb[9] >> 6, start = d->cdb[6];
    bool want_msf = d->cdb[1] & 2;
    uint32_t len;
    if (format > 2 || (format == 0 && start > 1 && start != 0xaa)) {
        bad_field(d);
        return;
    }
    len = format == 0 ? toc_tracks(d, want_msf, start) : format == 1 ? toc_sessions(d, want_msf) : toc_full(d);
    st_be16(d->data, len - 2);
    reply(d, len, ld_be16(d->cdb + 7));
}

static void do_read_disc_info(IdeDrive *d)
{
    memset(d->data, 0, 34);
    st_be16(d->data, 32);
    d->data[2] = 0x0e;                   /* complete session, finalised disc */
    d->data[3] = d->data[4] = d->data[5] = d->data[6] = 1;
    d->data[7] = 0x20;                   /* unrestricted use */
    reply(d, 34, ld_be16(d->cdb + 7));
}

/* ---- what the drive is ---- */

static void fill(char *to, unsigned len, const char *text)
{
    memset(to, ' ', len);
    memcpy(to, text, MIN(len, strlen(text)));
}

static void do_inquiry(IdeDrive *d)
{
    uint8_t *p = d->data;
    if (d->cdb[1] & 3 || d->cdb[2]) {
        bad_field(d);
        return;
    }
    memset(p, 0, 36);
    p[0] = 0x05;                         /* CD-ROM */
    p[1] = 0x80;                         /* removable */
    p[3] = 0x21;                         /* ATAPI, response format 1 */
    p[4] = 31;
    fill((char *)p + 8, 8, "RHEA");
    fill((char *)p + 16, 16, "DVD-ROM");
    fill((char *)p + 32, 4, d->ver);
    reply(d, 36, d->cdb[4]);
}

static void do_request_sense(IdeDrive *d)
{
    if (!d->sense_key && d->unit_attention) {
        d->sense_key = UNIT_ATTENTION;
        d->asc = ASC_MEDIUM_CHANGED;
        d->ascq = 0;
        d->unit_attention = 0;
    }
    memset(d->data, 0, 18);
    d->data[0] = 0xf0;
    d->data[2] = d->sense_key;
    d->data[7] = 10;
    d->data[12] = d->asc;
    d->data[13] = d->ascq;
    reply(d, 18, d->cdb[4]);
}

static void do_test_unit_ready(IdeDrive *d) { atapi_ok(d); }

/* mode pages with their default values: code, length, bytes */
static const uint8_t page_error[] = { 0x01, 6, 0, 5, 0, 0, 0, 0 };
static const uint8_t page_audio[] = { 0x0e, 14, 4, 0, 0, 0, 0, 0, 1, 255, 2, 255, 0, 0, 0, 0 };
static const uint8_t page_capabilities[] = {
    0x2a, 18, 0x3b, 0x00,                /* reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R; writes none */
    0x70, 0x03,                          /* mode 2 form 1 and 2, multi-session; CD-DA, accurate stream */
    0x29, 0x00,                          /* tray, eject, lock */
    0x0b, 0x00, 0x01, 0x00,              /* kB/s at 16x; volume levels */
    0x02, 0x00, 0x0b, 0x00,              /* buffer kB; present speed */
    0, 0, 0, 0 };
static const struct { const uint8_t *bytes; uint8_t len; } mode_pages[] = {
    { page_error, sizeof page_error }, { page_audio, sizeof page_audio },
    { page_capabilities, sizeof page_capabilities },
};

/* Appends the pages asked for at `at`; the new length, or 0 if there is no such page. */
static uint32_t mode_append(IdeDrive *d, uint32_t at, uint8_t code, unsigned control)
{
    uint32_t start = at;
    for (unsigned i = 0; i < ARRAY_LEN(mode_pages); i++) {
        const uint8_t *page = mode_pages[i].bytes;
        uint8_t len = mode_pages[i].len;
        if (code != 0x3f && code != page[0])
            continue;
        memcpy(d->data + at, page, len);
        if (control == 1)                /* changeable values: none */
            memset(d->data + at + 2, 0, len - 2);
        else if (page[0] == 0x2a && d->locked)
            d->data[at + 6] |= 2;
        at += len;
    }
    return at == start ? 0 : at;
}

static uint8_t medium_type(const IdeDrive *d) { return d->tray_open ? 0x71 : d->blk ? 0x01 : 0x70; }

static void mode_sense(IdeDrive *d, uint32_t header, uint32_t alloc)
{
    unsigned control = d->cdb[2] >> 6;
    if (control == 3) {
        atapi_fail(d, ILLEGAL_REQUEST, ASC_SAVING_PARAMETERS, 0);
        return;
    }
    memset(d->data, 0, header);
    uint32_t len = mode_append(d, header, d->cdb[2] & 0x3f, control);
    if (!len) {
        bad_field(d);
        return;
    }
    if (header == 8) {
        st_be16(d->data, len - 2);
        d->data[2] = medium_type(d);
    } else {
        d->data[0] = len - 1;
        d->data[1] = medium_type(d);
    }
    reply(d, len, alloc);
}

static void do_mode_sense_6(IdeDrive *d) { mode_sense(d, 4, d->cdb[4]); }
static void do_mode_sense_10(IdeDrive *d) { mode_sense(d, 8, ld_be16(d->cdb + 7)); }
static void do_mode_select_6(IdeDrive *d) { accept(d, d->cdb[4]); }
static void do_mode_select_10(IdeDrive *d) { accept(d, ld_be16(d->cdb + 7)); }

static uint16_t profile(const IdeDrive *d)
{
    return !medium_present(d) ? PROFILE_NONE : d->sectors > CD_MAX_SECTORS ? PROFILE_DVD : PROFILE_CD;
}

/* Features: code, version << 2 | persistent << 1 | current, bytes (MMC-3 section 5.3). */
static uint32_t features(IdeDrive *d, uint16_t from, unsigned rt)
{
    uint16_t now = profile(d);
    const struct { uint16_t code; uint8_t flags, len, bytes[8]; } table[] = {
        { 0x0000, 0x03, 8, { 0, PROFILE_DVD, now == PROFILE_DVD, 0, 0, PROFILE_CD, now == PROFILE_CD, 0 } },
        { 0x0001, 0x07, 8, { 0, 0, 0, 2 } },                     /* core: ATAPI */
        { 0x0003, 0x03, 4, { 0x29 } },                           /* removable: tray, eject, lock */
        { 0x0010, now ? 1 : 0, 8, { 0, 0, 8, 0, 0, 16, 0, 0 } }, /* random readable, 2048-byte blocks */
        { 0x001e, now == PROFILE_CD, 4, { 0 } },                 /* CD read */
        { 0x001f, now == PROFILE_DVD, 4, { 0 } },                /* DVD read */
        { 0x0100, 0x03, 0, { 0 } },                              /* power management */
    };
    uint32_t at = 8;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        bool wanted = rt == 2 ? table[i].code == from : table[i].code >= from && (rt == 0 || (table[i].flags & 1));
        if (!wanted)
            continue;
        st_be16(d->data + at, table[i].code);
        d->data[at + 2] = table[i].flags;
        d->data[at + 3] = table[i].len;
        memcpy(d->data + at + 4, table[i].bytes, table[i].len);
        at += 4 + table[i].len;
    }
    return at;
}

static void do_get_configuration(IdeDrive *d)
{
    unsigned rt = d->cdb[1] & 3;
    if (rt == 3) {
        bad_field(d);
        return;
    }
    memset(d->data, 0, 8);
    uint32_t len = features(d, ld_be16(d->cdb + 2), rt);
    st_be32(d->data, len - 4);
    st_be16(d->data + 6, profile(d));
    reply(d, len, ld_be16(d->cdb + 7));
}

/* ---- tray and medium ---- */

static void do_start_stop(IdeDrive *d)
{
    bool load_eject = d->cdb[4] & 2, start = d->cdb[4] & 1;
    if (!load_eject) {
        atapi_ok(d);
        return;
    }
    if (!start && d->locked) {
        atapi_fail(d, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 2);
        return;
    }
    if (d->tray_open != !start) {
        d->tray_open = !start;
        d->media_event = start ? EVENT_NEW_MEDIA : EVENT_MEDIA_REMOVAL;
        d->unit_attention = start && d->blk;
    }
    atapi_ok(d);
}

static void do_prevent_allow(IdeDrive *d)
{
    d->locked = d->cdb[4] & 1;
    atapi_ok(d);
}

static void do_mechanism_status(IdeDrive *d)
{
    memset(d->data, 0, 8);
    d->data[1] = d->tray_open ? 0x10 : 0;
    d->data[5] = 1;                      /* slots */
    reply(d, 8, ld_be16(d->cdb + 8));
}

static void do_get_event_status(IdeDrive *d)
{
    enum { CLASS_MEDIA = 4 };
    if (!(d->cdb[1] & 1)) {              /* only polling */
        bad_field(d);
        return;
    }
    memset(d->data, 0, 8);
    d->data[3] = 1 << CLASS_MEDIA;
    if (!(d->cdb[4] & (1 << CLASS_MEDIA))) {
        st_be16(d->data, 2);
        d->data[2] = 0x80;               /* no class of those asked for */
        reply(d, 4, ld_be16(d->cdb + 7));
        return;
    }
    st_be16(d->data, 6);
    d->data[2] = CLASS_MEDIA;
    d->data[4] = d->media_event;
    d->data[5] = (d->tray_open ? 1 : 0) | (medium_present(d) ? 2 : 0);
    d->media_event = EVENT_NONE;
    reply(d, 8, ld_be16(d->cdb + 7));
}

void atapi_media_changed(IdeDrive *d)
{
    d->tray_open = 0;
    d->locked = 0;
    d->media_event = d->blk ? EVENT_NEW_MEDIA : EVENT_MEDIA_REMOVAL;
    d->unit_attention = 1;
}

void atapi_reset(IdeDrive *d)
{
    d->locked = 0;
    d->packet_dma = 0;
    d->sense_key = d->asc = d->ascq = 0;
}

/* ---- the packet commands, by opcode ---- */

enum { MEDIUM = 1, ANY_TIME = 2 };       /* needs a medium; works while a unit attention is pending */
static const struct Packet { uint8_t opcode, flags; void (*run)(IdeDrive *d); } packets[] = {
    { 0x00, MEDIUM, do_test_unit_ready },
    { 0x03, ANY_TIME, do_request_sense },
    { 0x12, ANY_TIME, do_inquiry },
    { 0x15, 0, do_mode_select_6 },
    { 0x1a, 0, do_mode_sense_6 },
    { 0x1b, ANY_TIME, do_start_stop },
    { 0x1e, ANY_TIME, do_prevent_allow },
    { 0x25, MEDIUM, do_read_capacity },
    { 0x28, MEDIUM, do_read_10 },
    { 0x2b, MEDIUM, do_seek },
    { 0x35, 0, do_test_unit_ready },     /* SYNCHRONIZE CACHE: nothing to do */
    { 0x43, MEDIUM, do_read_toc },
    { 0x46, ANY_TIME, do_get_configuration },
    { 0x4a, ANY_TIME, do_get_event_status },
    { 0x51, MEDIUM, do_read_disc_info },
    { 0x55, 0, do_mode_select_10 },
    { 0x5a, 0, do_mode_sense_10 },
    { 0xa8, MEDIUM, do_read_12 },
    { 0xb9, MEDIUM, do_read_cd_msf },
    { 0xbb, 0, do_test_unit_ready },     /* SET CD SPEED: any will do */
    { 0xbd, 0, do_mechanism_status },
    { 0xbe, MEDIUM, do_read_cd },
};

static const struct Packet *packet_find(uint8_t opcode)
{
    for (unsigned i = 0; i < ARRAY_LEN(packets); i++)
        if (packets[i].opcode == opcode)
            return &packets[i];
    return NULL;
}

static void packet_run(IdeDrive *d)
{
    const struct Packet *p = packet_find(d->cdb[0]);
    if (!p) {
        atapi_fail(d, ILLEGAL_REQUEST, ASC_BAD_OPCODE, 0);
        return;
    }
    if (d->unit_attention && !(p->flags & ANY_TIME)) {
        d->unit_attention = 0;
        atapi_fail(d, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
        return;
    }
    if ((p->flags & MEDIUM) && !medium_present(d)) {
        no_medium(d);
        return;
    }
    p->run(d);
}

/* ---- the ATA side ---- */

static void packet_start(IdeDrive *d)
{
    d->packet_dma = d->feature[0] & 1;
    d->byte_limit = d->hcyl[0] << 8 | d->lcyl[0];
    if (!d->byte_limit || d->byte_limit == 0xffff)
        d->byte_limit = 0xfffe;
    if (d->byte_limit > 1)
        d->byte_limit &= ~1;
    d->nsector[0] = IR_CD;
    d->xfer = XFER_PACKET;
    d->data_pos = 0;
    d->data_len = sizeof d->cdb;
    ide_drq(d, sizeof d->cdb, false);
}

void atapi_continue(IdeDrive *d)
{
    if (d->xfer != XFER_PACKET) {
        pio_next(d);
        return;
    }
    memcpy(d->cdb, d->data, sizeof d->cdb);
    d->xfer = XFER_NONE;
    d->status = ST_BSY;
    packet_run(d);
}

void atapi_command(IdeDrive *d)
{
    switch (d->command) {
    case 0xa0: packet_start(d); break;
    case 0xa1:
        atapi_identify(d);
        ide_data_in(d, IDE_SECTOR);
        break;
    case 0xef:
        if (ata_set_features(d))
            ide_ok(d);
        else
            ide_fail(d, ER_ABRT);
        break;
    case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe6: case 0xe7: ide_ok(d); break;
    case 0xe5:
        d->nsector[0] = 0xff;
        ide_ok(d);
        break;
    case 0x20: case 0xec:                /* READ SECTORS, IDENTIFY DEVICE: the signature tells what this is */
        ide_signature(d);
        ide_fail(d, ER_ABRT);
        break;
    default: ide_fail(d, ER_ABRT); break;
    }
}
