/* Floppy controller 82078 (Intel data sheet 290468) with two drives.
 *
 *   3f0 SRA  3f1 SRB  3f2 DOR  3f3 TDR  3f4 MSR read / DSR write  3f5 FIFO  3f7 DIR read / CCR write
 *
 * A command goes through the data sheet's three phases.  Execution works on
 * one piece at a time (a sector; for FORMAT one 4-byte ID field):
 *
 *   read    image -> data[] -> host       write, format    host -> data[] -> image
 *
 * where "host" is DMA channel 2 or, after SPECIFY with ND, the FIFO register.
 * TC from the DMA controller ends the command normally; running past EOT
 * without TC ends it with EN, as the data sheet says.
 *
 * Seeks and transfers take no time.  Every read and write seeks to its
 * cylinder as if CONFIGURE's EIS bit were set.  The medium answers only at its
 * own data rate, which is how BIOSes tell formats apart.  Left out: SCAN
 * commands, deleted data marks, sector sizes other than 512.
 */
#include "hw/floppy/fdc.h"

#include <errno.h>

#include "hw/core/machine.h"
#include "util/bits.h"

enum { R_SRA, R_SRB, R_DOR, R_TDR, R_MSR_DSR, R_FIFO, R_IDE, R_DIR_CCR };
enum { DOR_NRESET = 0x04, DOR_DMAGATE = 0x08 };
enum { MSR_CMDBUSY = 0x10, MSR_NONDMA = 0x20, MSR_DIO = 0x40, MSR_RQM = 0x80 };
enum { DSR_RESET = 0x80, DIR_DSKCHG = 0x80 };
enum { ST0_SE = 0x20, ST0_NR = 0x08, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_READY_CHANGED = 0xc0 };
enum { ST1_MA = 0x01, ST1_NW = 0x02, ST1_ND = 0x04, ST1_DE = 0x20, ST1_EN = 0x80 };
enum { ST3_TWO_SIDES = 0x08, ST3_T0 = 0x10, ST3_READY = 0x20, ST3_WP = 0x40 };
enum { CMD_MT = 0x80, SECTOR = 512, DRIVES = 2, MAX_PARAMS = 9, MAX_RESULT = 10, DMA_CHANNEL = 2 };
enum { PHASE_COMMAND, PHASE_BUSY, PHASE_EXEC, PHASE_RESULT };
typedef enum FdcOp { OP_NONE, OP_READ, OP_WRITE, OP_FORMAT, OP_VERIFY } FdcOp;

typedef struct Fdc {
    Device dev;
    IrqLine irq;
    IsaDma *dma;
    BlockDev *blk[DRIVES];               /* references; NULL: empty */
    uint8_t format[DRIVES];              /* index into formats[] of the medium */
    uint8_t type[DRIVES];                /* CMOS type of the drive */
    bool inflight, stale;                /* a request is with the block layer; its command was reset meanwhile */
    uint8_t dor, tdr, dsr, ccr;
    uint8_t phase, irq_pending;
    uint8_t params[MAX_PARAMS], n_params, want_params;
    uint8_t result[MAX_RESULT], n_result, result_pos;
    uint8_t track[DRIVES], changed[DRIVES];
    uint8_t sense_left;                  /* after reset: drives whose SENSE INTERRUPT is due */
    uint8_t seek_st0, seek_done;         /* of the last seek */
    uint8_t specify[2], config[3], lock, perpendicular;
    /* the transfer */
    uint8_t op, tc, dma_wait;
    uint8_t drive, c, h, r, eot, fill, left;
    uint16_t data_pos, data_len;
    uint8_t data[SECTOR];
} Fdc;

/* Media by image size; rate as in CCR: 0 500k, 1 300k, 2 250k, 3 1M; drive: CMOS type. */
static const struct Format { uint32_t size; uint8_t tracks, heads, secs, rate, drive; } formats[] = {
    { 1474560, 80, 2, 18, 0, 4 },        /* 0: what is not in the table, and empty drives */
    { 2949120, 80, 2, 36, 3, 5 }, { 1720320, 80, 2, 21, 0, 4 }, { 1763328, 82, 2, 21, 0, 4 },
    { 1228800, 80, 2, 15, 0, 2 }, { 737280, 80, 2, 9, 2, 3 }, { 368640, 40, 2, 9, 2, 1 }, { 327680, 40, 2, 8, 2, 1 },
    { 184320, 40, 1, 9, 2, 1 }, { 163840, 40, 1, 8, 2, 1 },
};

static const struct Format *format_of(const Fdc *s, unsigned drive) { return &formats[s->format[drive]]; }

/* ---- interrupt, phases ---- */

static void set_irq(Fdc *s, bool on)
{
    s->irq_pending = on;
    irq_set(&s->irq, on && (s->dor & DOR_DMAGATE));
}

static void command_phase(Fdc *s)
{
    s->phase = PHASE_COMMAND;
    s->n_params = 0;
    s->op = OP_NONE;
}

static void result_phase(Fdc *s, const uint8_t *bytes, unsigned n, bool interrupt)
{
    memcpy(s->result, bytes, n);
    s->n_result = n;
    s->result_pos = 0;
    s->op = OP_NONE;
    s->dma_wait = 0;
    s->phase = PHASE_RESULT;
    if (interrupt)
        set_irq(s, true);
}

/* ST0-2 and the address after a transfer (or READ ID). */
static void finish(Fdc *s, uint8_t st0, uint8_t st1, uint8_t st2)
{
    st0 |= s->drive | (s->params[1] & 4);
    result_phase(s, (uint8_t[]){ st0, st1, st2, s->c, s->h, s->r, 2 }, 7, true);
}

/* ---- transfers ---- */

static void piece_start(Fdc *s);
static void piece_done(Fdc *s);

static bool to_host(const Fdc *s) { return s->op == OP_READ; }
static bool uses_dma(const Fdc *s) { return !(s->specify[1] & 1); }

/* Moves what it can between data[] and the host. */
static void host_move(Fdc *s)
{
    if (!uses_dma(s)) {
        s->phase = PHASE_EXEC;
        set_irq(s, true);
        return;
    }
    bool tc = false;
    s->phase = PHASE_BUSY;
    s->dma_wait = 0;
    if (s->dma)
        s->data_pos += isa_dma_transfer(s->dma, DMA_CHANNEL, to_host(s), s->data + s->data_pos, s->data_len - s->data_pos, &tc);
    s->tc = tc;
    s->dma_wait = !tc && s->data_pos < s->data_len;
    if (!s->dma_wait)
        piece_done(s);
}

static void dma_ready(void *opaque)
{
    Fdc *s = opaque;
    if (s->dma_wait)
        host_move(s);
}

static void io_done(void *opaque, int ret);

static uint64_t sector_offset(const Fdc *s, unsigned c, unsigned h, unsigned r)
{
    const struct Format *f = format_of(s, s->drive);
    return (((uint64_t)c * f->heads + h) * f->secs + (r - 1)) * SECTOR;
}

/* Sends data[] to the image, or fetches it; beyond a short image's end there are zeroes. */
static void submit(Fdc *s, unsigned c, unsigned h, unsigned r)
{
    uint64_t off = sector_offset(s, c, h, r), size = blk_size(s->blk[s->drive]);
    bool write = s->op == OP_WRITE || s->op == OP_FORMAT;
    s->phase = PHASE_BUSY;
    s->inflight = true;
    if (write) {
        blk_write_async(s->blk[s->drive], off, s->data, SECTOR, io_done, s);
        return;
    }
    uint32_t len = off < size ? (uint32_t)MIN(SECTOR, size - off) : 0;
    memset(s->data + len, 0, SECTOR - len);
    blk_read_async(s->blk[s->drive], len ? off : 0, s->data, len, io_done, s);
}

/* The address of the sector after this one (data sheet, table "Sector ID at result phase"); false: past EOT. */
static bool advance(Fdc *s)
{
    if (s->r != s->eot) {
        s->r++;
        return true;
    }
    s->r = 1;
    if (!(s->params[0] & CMD_MT)) {
        s->c++;
        return false;
    }
    s->h ^= 1;
    if (s->h)
        return true;
    s->c++;
    return false;
}

static void sector_end(Fdc *s)
{
    bool more = advance(s);
    if (s->tc || (!more && s->op == OP_VERIFY))
        finish(s, 0, 0, 0);
    else if (!more)
        finish(s, ST0_ABNORMAL, ST1_EN, 0);
    else
        piece_start(s);
}

static void format_end(Fdc *s)
{
    if (s->tc || !--s->left)
        finish(s, 0, 0, 0);
    else
        piece_start(s);
}

static void io_done(void *opaque, int ret)
{
    Fdc *s = opaque;
    s->inflight = false;
    if (s->stale) {
        s->stale = false;
        return;
    }
    if (ret < 0)
        finish(s, ST0_ABNORMAL, ret == -EROFS ? ST1_NW : ST1_DE, ST1_DE);
    else if (s->op == OP_READ)
        host_move(s);
    else if (s->op == OP_FORMAT)
        format_end(s);
    else
        sector_end(s);
}

/* The host has filled, or taken, data[]. */
static void piece_done(Fdc *s)
{
    switch (s->op) {
    case OP_READ: sector_end(s); break;
    case OP_WRITE:
        memset(s->data + s->data_pos, 0, SECTOR - s->data_pos);
        submit(s, s->c, s->h, s->r);
        break;
    case OP_FORMAT: {
        const struct Format *f = format_of(s, s->drive);
        uint8_t c = s->data[0], h = s->data[1], r = s->data[2];
        if (s->data_pos < 4 || c >= f->tracks || h >= f->heads || !r || r > f->secs) {
            finish(s, ST0_ABNORMAL, ST1_ND, 0);
            return;
        }
        memset(s->data, s->fill, SECTOR);
        submit(s, c, h, r);
        break;
    }
    }
}

/* ST1 why the sector cannot be had; 0: it is there. */
static uint8_t sector_check(const Fdc *s)
{
    const struct Format *f = format_of(s, s->drive);
    if (s->c >= f->tracks || s->h >= f->heads || !s->r || s->r > f->secs)
        return ST1_ND;
    return 0;
}

static void piece_start(Fdc *s)
{
    uint8_t st1 = s->op == OP_FORMAT ? 0 : sector_check(s);
    if (st1) {
        finish(s, ST0_ABNORMAL, st1, 0);
        return;
    }
    s->data_pos = 0;
    s->data_len = s->op == OP_FORMAT ? 4 : SECTOR;
    if (s->op != OP_FORMAT)
        s->track[s->drive] = s->c;
    if (s->op == OP_READ || s->op == OP_VERIFY)
        submit(s, s->c, s->h, s->r);
    else
        host_move(s);
}

/* A medium is there and answers at this data rate? Else the result is given here. */
static bool medium_check(Fdc *s, bool write)
{
    const struct Format *f = format_of(s, s->drive);
    uint8_t rate = s->ccr & 3;
    if (s->drive >= DRIVES || !s->blk[s->drive]) {
        finish(s, ST0_ABNORMAL | ST0_NR, ST1_MA | ST1_ND, 0);
        return false;
    }
    if (rate != f->rate && !(f->rate == 2 && rate == 1)) {
        finish(s, ST0_ABNORMAL, ST1_MA, 0);
        return false;
    }
    if (write && blk_readonly(s->blk[s->drive])) {
        finish(s, ST0_ABNORMAL, ST1_NW, 0);
        return false;
    }
    return true;
}

static void transfer(Fdc *s, FdcOp op)
{
    const uint8_t *p = s->params;
    s->drive = p[1] & 3;
    s->c = p[2], s->h = p[3], s->r = p[4], s->eot = p[6];
    s->tc = 0;
    if (s->drive >= DRIVES) {
        finish(s, ST0_ABNORMAL | ST0_NR, ST1_MA | ST1_ND, 0);
        return;
    }
    if (!medium_check(s, op == OP_WRITE))
        return;
    if (p[5] != 2) {                     /* N: only 512-byte sectors exist */
        finish(s, ST0_ABNORMAL, ST1_ND, 0);
        return;
    }
    s->op = op;
    piece_start(s);
}

/* ---- commands ---- */

static void cmd_read(Fdc *s) { transfer(s, OP_READ); }
static void cmd_write(Fdc *s) { transfer(s, OP_WRITE); }
static void cmd_verify(Fdc *s) { transfer(s, OP_VERIFY); }

static void cmd_read_track(Fdc *s)
{
    s->params[0] &= ~CMD_MT;
    s->params[4] = 1;
    transfer(s, OP_READ);
}

static void cmd_format(Fdc *s)
{
    const uint8_t *p = s->params;
    s->drive = p[1] & 3;
    s->c = s->drive < DRIVES ? s->track[s->drive] : 0;
    s->h = p[1] >> 2 & 1;
    s->r = 1;
    s->left = p[3];
    s->fill = p[5];
    s->tc = 0;
    if (s->drive >= DRIVES || !s->blk[s->drive]) {
        finish(s, ST0_ABNORMAL | ST0_NR, ST1_MA | ST1_ND, 0);
        return;
    }
    if (!medium_check(s, true))
        return;
    if (p[2] != 2 || !s->left) {
        finish(s, ST0_ABNORMAL, ST1_ND, 0);
        return;
    }
    s->op = OP_FORMAT;
    piece_start(s);
}

static void cmd_read_id(Fdc *s)
{
    s->drive = s->params[1] & 3;
    s->c = s->drive < DRIVES ? s->track[s->drive] : 0;
    s->h = s->params[1] >> 2 & 1;
    s->r = 1;
    if (s->drive >= DRIVES) {
        finish(s, ST0_ABNORMAL | ST0_NR, ST1_MA | ST1_ND, 0);
        return;
    }
    if (!medium_check(s, false))
        return;
    uint8_t st1 = sector_check(s);
    finish(s, st1 ? ST0_ABNORMAL : 0, st1 ? ST1_MA : 0, 0);
}

static void seek_to(Fdc *s, unsigned drive, uint8_t track)
{
    s->seek_st0 = ST0_SE | drive | (s->params[1] & 4);
    if (drive < DRIVES) {
        s->track[drive] = MIN(track, 83);
        if (s->blk[drive])
            s->changed[drive] = 0;       /* a step clears the change line */
    } else if (!track) {
        s->seek_st0 |= ST0_ABNORMAL | 0x10;              /* EC: track 0 never came */
    }
    s->seek_done = 1;
    command_phase(s);
    set_irq(s, true);
}

static void cmd_recalibrate(Fdc *s) { seek_to(s, s->params[1] & 3, 0); }
static void cmd_seek(Fdc *s) { seek_to(s, s->params[1] & 3, s->params[2]); }

static void cmd_sense_interrupt(Fdc *s)
{
    uint8_t drive = s->seek_st0 & 3, pcn = drive < DRIVES ? s->track[drive] : 0;
    set_irq(s, false);
    if (s->sense_left) {                 /* polling after reset: each drive reports once */
        uint8_t n = 4 - s->sense_left--;
        result_phase(s, (uint8_t[]){ ST0_READY_CHANGED | n, n < DRIVES ? s->track[n] : 0 }, 2, false);
    } else if (s->seek_done) {
        s->seek_done = 0;
        result_phase(s, (uint8_t[]){ s->seek_st0, pcn }, 2, false);
    } else {
        result_phase(s, (uint8_t[]){ ST0_INVALID }, 1, false);
    }
}

static void cmd_sense_drive(Fdc *s)
{
    uint8_t drive = s->params[1] & 3, st3 = (s->params[1] & 7) | ST3_READY | ST3_TWO_SIDES;
    if (drive < DRIVES && !s->track[drive])
        st3 |= ST3_T0;
    if (drive < DRIVES && s->blk[drive] && blk_readonly(s->blk[drive]))
        st3 |= ST3_WP;
    result_phase(s, &st3, 1, false);
}

static void cmd_specify(Fdc *s)
{
    memcpy(s->specify, s->params + 1, 2);
    command_phase(s);
}

static void cmd_configure(Fdc *s)
{
    memcpy(s->config, s->params + 1, 3);
    command_phase(s);
}

static void cmd_perpendicular(Fdc *s)
{
    s->perpendicular = s->params[1] & 0x80 ? s->params[1] & 0x3f : (s->perpendicular & 0x3c) | (s->params[1] & 3);
    command_phase(s);
}

static void cmd_lock(Fdc *s)
{
    s->lock = s->params[0] >> 7;
    result_phase(s, (uint8_t[]){ s->lock << 4 }, 1, false);
}

static void cmd_version(Fdc *s) { result_phase(s, (uint8_t[]){ 0x90 }, 1, false); }
static void cmd_part_id(Fdc *s) { result_phase(s, (uint8_t[]){ 0x41 }, 1, false); }

static void cmd_dumpreg(Fdc *s)
{
    uint8_t r[10] = { s->track[0], s->track[1], 0, 0, s->specify[0], s->specify[1], s->eot,
                      s->lock << 7 | s->perpendicular, s->config[1], s->config[2] };
    result_phase(s, r, sizeof r, false);
}

static void cmd_invalid(Fdc *s) { result_phase(s, (uint8_t[]){ ST0_INVALID }, 1, false); }

/* opcode, the bits of it that must match, bytes of the command phase */
static const struct Command { uint8_t opcode, mask, bytes; void (*run)(Fdc *s); } commands[] = {
    { 0x02, 0x9f, 9, cmd_read_track },
    { 0x03, 0xff, 3, cmd_specify },
    { 0x04, 0xff, 2, cmd_sense_drive },
    { 0x05, 0x3f, 9, cmd_write }, { 0x09, 0x3f, 9, cmd_write },          /* WRITE, WRITE DELETED DATA */
    { 0x06, 0x1f, 9, cmd_read }, { 0x0c, 0x1f, 9, cmd_read },            /* READ, READ DELETED DATA */
    { 0x07, 0xff, 2, cmd_recalibrate },
    { 0x08, 0xff, 1, cmd_sense_interrupt },
    { 0x0a, 0xbf, 2, cmd_read_id },
    { 0x0d, 0xbf, 6, cmd_format },
    { 0x0e, 0xff, 1, cmd_dumpreg },
    { 0x0f, 0xff, 3, cmd_seek },
    { 0x10, 0xff, 1, cmd_version },
    { 0x12, 0xff, 2, cmd_perpendicular },
    { 0x13, 0xff, 4, cmd_configure },
    { 0x14, 0x7f, 1, cmd_lock },
    { 0x16, 0x1f, 9, cmd_verify },
    { 0x18, 0xff, 1, cmd_part_id },
};

static const struct Command *command_find(uint8_t opcode)
{
    static const struct Command invalid = { 0, 0, 1, cmd_invalid };
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        if ((opcode & commands[i].mask) == commands[i].opcode)
            return &commands[i];
    log_guest("fdc: command %02x is not known", opcode);
    return &invalid;
}

/* ---- FIFO ---- */

static void exec_step(Fdc *s)
{
    set_irq(s, false);
    if (s->data_pos < s->data_len)
        set_irq(s, true);
    else
        piece_done(s);
}

static void fifo_write(Fdc *s, uint8_t val)
{
    if (s->phase == PHASE_EXEC && !to_host(s)) {
        s->data[s->data_pos++] = val;
        exec_step(s);
        return;
    }
    if (s->phase != PHASE_COMMAND || s->inflight || !(s->dor & DOR_NRESET))
        return;
    if (!s->n_params)
        s->want_params = command_find(val)->bytes;
    s->params[s->n_params++] = val;
    if (s->n_params < s->want_params)
        return;
    s->phase = PHASE_BUSY;
    command_find(s->params[0])->run(s);
}

static uint8_t fifo_read(Fdc *s)
{
    if (s->phase == PHASE_EXEC && to_host(s)) {
        uint8_t val = s->data[s->data_pos++];
        exec_step(s);
        return val;
    }
    if (s->phase != PHASE_RESULT)
        return 0;
    set_irq(s, false);
    uint8_t val = s->result[s->result_pos++];
    if (s->result_pos >= s->n_result)
        command_phase(s);
    return val;
}

/* ---- the other registers ---- */

static uint8_t msr_read(const Fdc *s)
{
    uint8_t val = 0;
    if (!(s->dor & DOR_NRESET) || s->inflight || s->phase == PHASE_BUSY)
        return s->phase == PHASE_BUSY ? MSR_CMDBUSY : 0;
    val |= MSR_RQM;
    if (s->phase == PHASE_RESULT || (s->phase == PHASE_EXEC && to_host(s)))
        val |= MSR_DIO;
    if (s->phase == PHASE_EXEC)
        val |= MSR_NONDMA;
    if (s->phase != PHASE_COMMAND || s->n_params)
        val |= MSR_CMDBUSY;
    return val;
}

static void soft_reset(Fdc *s)
{
    s->stale = s->inflight;
    s->dma_wait = 0;
    s->tc = 0;
    s->seek_done = 0;
    if (!s->lock)
        s->config[1] = s->config[2] = 0;
    command_phase(s);
    set_irq(s, false);
}

static void reset_end(Fdc *s)
{
    s->sense_left = 4;
    set_irq(s, true);
}

static void dor_write(Fdc *s, uint8_t val)
{
    uint8_t old = s->dor;
    s->dor = val;
    if ((old & DOR_NRESET) && !(val & DOR_NRESET))
        soft_reset(s);
    else if (!(old & DOR_NRESET) && (val & DOR_NRESET))
        reset_end(s);
    else
        set_irq(s, s->irq_pending);
}

static void dsr_write(Fdc *s, uint8_t val)
{
    s->dsr = val & 0x7f;
    s->ccr = val & 3;
    if (!(val & DSR_RESET) || !(s->dor & DOR_NRESET))
        return;
    soft_reset(s);
    reset_end(s);
}

static uint8_t dir_read(const Fdc *s)
{
    unsigned drive = s->dor & 3;
    bool motor = s->dor >> (4 + drive) & 1;
    return drive < DRIVES && motor && (s->changed[drive] || !s->blk[drive]) ? DIR_DSKCHG : 0;
}

/* PS/2-style status register A: interrupt, track 0, write protect; B: drive select and motors. */
static uint8_t sra_read(const Fdc *s)
{
    unsigned drive = s->dor & 1;
    bool wp = s->blk[drive] && blk_readonly(s->blk[drive]);
    return s->irq_pending << 7 | (s->track[drive] ? 0x10 : 0) | (wp ? 0 : 0x02);
}

static uint64_t fdc_read(void *opaque, uint64_t addr, unsigned size)
{
    Fdc *s = opaque;
    (void)size;
    switch (addr) {
    case R_SRA: return sra_read(s);
    case R_SRB: return 0xc0 | (s->dor & 1) << 5 | (s->dor >> 4 & 3);
    case R_DOR: return s->dor;
    case R_TDR: return s->tdr;
    case R_MSR_DSR: return msr_read(s);
    case R_FIFO: return fifo_read(s);
    case R_DIR_CCR: return dir_read(s);
    default: return 0xff;
    }
}

static void fdc_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Fdc *s = opaque;
    (void)size;
    switch (addr) {
    case R_DOR: dor_write(s, val); break;
    case R_TDR: s->tdr = val & 3; break;
    case R_MSR_DSR: dsr_write(s, val); break;
    case R_FIFO: fifo_write(s, val); break;
    case R_DIR_CCR: s->ccr = val & 3; break;
    }
}

static uint64_t fdc_dir_read(void *opaque, uint64_t addr, unsigned size) { return fdc_read(opaque, addr + R_DIR_CCR, size); }
static void fdc_ccr_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    fdc_write(opaque, addr + R_DIR_CCR, val, size);
}

static const MemOps fdc_ops = { .read = fdc_read, .write = fdc_write, .max_size = 1 };
static const MemOps fdc_dir_ops = { .read = fdc_dir_read, .write = fdc_ccr_write, .max_size = 1 };

/* ---- life ---- */

static bool medium_set(Fdc *s, unsigned n, BlockDev *blk, GError **err)
{
    uint64_t size = blk ? blk_size(blk) : 0;
    unsigned format = 0;
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i].size == size)
            format = i;
    if (blk && size > formats[format].size) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %" G_GUINT64_FORMAT " bytes are too many for a floppy disk (1440, 2880, "
                    "1200, 720 or 360 KiB)", blk_path(blk), size);
        return false;
    }
    s->format[n] = format;
    s->blk[n] = blk ? blk_ref(blk) : NULL;
    s->changed[n] = 1;
    return true;
}

static bool fdc_realize(Device *dev, GError **err)
{
    Fdc *s = (Fdc *)dev;
    (void)err;
    dev_ports(dev, "fdc", 0x3f0, 6, &fdc_ops);
    dev_ports(dev, "fdc-dir", 0x3f7, 1, &fdc_dir_ops);
    if (s->dma)
        isa_dma_connect(s->dma, DMA_CHANNEL, dma_ready, s);
    return true;
}

static void fdc_unrealize(Device *dev)
{
    Fdc *s = (Fdc *)dev;
    for (unsigned i = 0; i < DRIVES; i++) {
        if (!s->blk[i])
            continue;
        blk_drain(s->blk[i]);
        blk_unref(s->blk[i]);
        s->blk[i] = NULL;
    }
}

static void fdc_reset(Device *dev)
{
    Fdc *s = (Fdc *)dev;
    s->stale = s->inflight;
    for (unsigned i = 0; i < DRIVES; i++)
        if (s->blk[i])
            blk_drain(s->blk[i]);
    set_irq(s, false);
}

static void fdc_loaded(Device *dev)
{
    Fdc *s = (Fdc *)dev;
    s->n_params = MIN(s->n_params, s->phase == PHASE_COMMAND ? MAX_PARAMS - 1 : MAX_PARAMS);
    s->want_params = MIN(s->want_params, MAX_PARAMS);
    s->n_result = MIN(s->n_result, MAX_RESULT);
    s->result_pos = MIN(s->result_pos, MAX_RESULT - 1);
    s->data_len = MIN(s->data_len, SECTOR);
    s->drive %= DRIVES;
    bool moving = s->data_pos < s->data_len && s->op >= OP_READ && s->op <= OP_FORMAT && s->blk[s->drive];
    bool dma_ok = moving && s->phase == PHASE_BUSY && s->dma_wait && uses_dma(s);
    if (!dma_ok)
        s->dma_wait = 0;
    if (s->phase > PHASE_RESULT || (s->phase == PHASE_EXEC && !moving) || (s->phase == PHASE_BUSY && !dma_ok))
        command_phase(s);                /* no request outlives a save: only the host can be waited for */
    set_irq(s, s->irq_pending);
}

const DeviceType isa_fdc_type = {
    .name = "isa-fdc", .doc = "82078 floppy controller", .bus = BUS_ISA, .size = sizeof(Fdc), .version = 1, .internal = true,
    .fields = (const Field[]) {
        DEVICE_BASE(Fdc), LINK(Fdc, irq), LINK(Fdc, dma), LINK(Fdc, blk), HOST(Fdc, format), HOST(Fdc, type),
        HOST(Fdc, inflight), HOST(Fdc, stale),
        REG_U8(Fdc, dor, DOR_NRESET | DOR_DMAGATE), REG_U8(Fdc, tdr, 0), REG_U8(Fdc, dsr, 2), REG_U8(Fdc, ccr, 2),
        REG_U8(Fdc, phase, PHASE_COMMAND), REG_U8(Fdc, irq_pending, 0), REG_U8(Fdc, params, 0), REG_U8(Fdc, n_params, 0),
        REG_U8(Fdc, want_params, 0), REG_U8(Fdc, result, 0), REG_U8(Fdc, n_result, 0), REG_U8(Fdc, result_pos, 0),
        REG_U8(Fdc, track, 0), REG_U8(Fdc, changed, 1), REG_U8(Fdc, sense_left, 0), REG_U8(Fdc, seek_st0, 0),
        REG_U8(Fdc, seek_done, 0), REG_U8(Fdc, specify, 0), REG_U8(Fdc, config, 0), REG_U8(Fdc, lock, 0),
        REG_U8(Fdc, perpendicular, 0), REG_U8(Fdc, op, OP_NONE), REG_U8(Fdc, tc, 0), REG_U8(Fdc, dma_wait, 0),
        REG_U8(Fdc, drive, 0), REG_U8(Fdc, c, 0), REG_U8(Fdc, h, 0), REG_U8(Fdc, r, 0), REG_U8(Fdc, eot, 0),
        REG_U8(Fdc, fill, 0), REG_U8(Fdc, left, 0), REG_U16(Fdc, data_pos, 0), REG_U16(Fdc, data_len, 0),
        REG_U8(Fdc, data, 0), FIELD_END },
    .realize = fdc_realize, .unrealize = fdc_unrealize, .reset = fdc_reset, .loaded = fdc_loaded,
};

Device *fdc_new(Machine *m, IrqLine irq6, IsaDma *dma, BlockDev *blk[2], GError **err)
{
    Fdc *s = (Fdc *)dev_new(m, &isa_fdc_type);
    s->irq = irq6;
    s->dma = dma;
    bool ok = true;
    for (unsigned i = 0; i < DRIVES && ok; i++) {
        ok = medium_set(s, i, blk[i], err);
        s->type[i] = i && !blk[i] ? 0 : formats[s->format[i]].drive;     /* there is always a drive A */
    }
    if (ok && dev_realize(&s->dev, err))
        return &s->dev;
    dev_free(&s->dev);
    return NULL;
}

unsigned fdc_drive_type(const Device *fdc, unsigned n)
{
    return n < DRIVES ? ((const Fdc *)fdc)->type[n] : 0;
}

bool fdc_change(Device *fdc, unsigned n, BlockDev *blk, GError **err)
{
    Fdc *s = (Fdc *)fdc;
    if (n >= DRIVES || !s->type[n]) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "there is no floppy drive %u", n);
        return false;
    }
    BlockDev *old = s->blk[n];
    if (old)
        blk_drain(old);
    if (!medium_set(s, n, blk, err))
        return false;
    if (s->op && s->drive == n)          /* a command was waiting for the host: its medium is gone */
        finish(s, ST0_ABNORMAL | ST0_NR, ST1_MA, 0);
    blk_unref(old);
    return true;
}
