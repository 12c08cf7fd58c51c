/* The two-drive ATA channel: command block and control registers, selection,
 * interrupts, resets, the data register (ATA/ATAPI-6, T13 1410D, sections 7
 * to 9).  Commands are in ata.c and atapi.c.
 *
 *   command block  0 Data  1 Error/Features  2 Sector Count  3 LBA Low  4 LBA Mid  5 LBA High  6 Device  7 Status/Command
 *   control block  0 Alternate Status/Device Control
 *
 * Both drives see every register write and keep their own copies; the selected
 * one answers reads, and a drive that is alone answers for the other with
 * status 0.  A channel without drives reads as 0.
 *
 * A drive has one request with the block layer at most, and is BSY meanwhile:
 * no register write reaches it then, except a reset, which is remembered and
 * carried out when the request comes back (reset_waits).  So `data` is never
 * shared with the guest while a worker uses it.
 */
#include "hw/ide/ide_core.h"

#include "util/ldst.h"

enum { R_DATA, R_ERROR_FEATURES, R_SECTOR_COUNT, R_LBA_LOW, R_LBA_MID, R_LBA_HIGH, R_DEVICE, R_STATUS_COMMAND };
enum { CMD_DEVICE_RESET = 0x08, CMD_DIAGNOSTIC = 0x90 };

IdeDrive *ide_selected(IdeChannel *c) { return c->drive[c->select & 1]; }

/* ---- interrupt ---- */

void ide_update_irq(IdeChannel *c)
{
    IdeDrive *d = ide_selected(c);
    uint8_t level = d && d->intrq && !(c->control & CTL_NIEN);
    if (level && !c->level && c->dma)
        c->dma->irq(c->dma_opaque);
    c->level = level;
    irq_set(&c->irq, level);
}

void ide_irq(IdeDrive *d)
{
    d->intrq = 1;
    ide_update_irq(d->chan);
}

/* ---- ends of commands, DRQ blocks ---- */

static void xfer_end(IdeDrive *d)
{
    d->xfer = XFER_NONE;
    d->dma_wait = 0;
    d->left = 0;
    d->data_pos = d->data_len = d->drq_end = 0;
}

void ide_ok(IdeDrive *d)
{
    xfer_end(d);
    d->error = 0;
    d->status = ST_DRDY | ST_DSC;
    ide_irq(d);
}

void ide_fail(IdeDrive *d, uint8_t error)
{
    xfer_end(d);
    d->error = error;
    d->status = ST_DRDY | ST_DSC | ST_ERR;
    ide_irq(d);
}

void ide_drq(IdeDrive *d, uint32_t end, bool interrupt)
{
    d->drq_end = end;
    d->status = ST_DRDY | ST_DSC | ST_DRQ;
    if (interrupt)
        ide_irq(d);
}

void ide_data_in(IdeDrive *d, uint32_t len)
{
    d->xfer = XFER_IN_LAST;
    d->data_pos = 0;
    d->data_len = len;
    ide_drq(d, len, true);
}

/* ---- requests ---- */

static void reset_finish(IdeDrive *d);

static void ide_request_done(void *opaque, int ret)
{
    IdeDrive *d = opaque;
    IdeAfter after = d->after;
    d->inflight = false;
    d->after = AFTER_NONE;
    if (d->reset_waits) {
        reset_finish(d);
        return;
    }
    if (d->cdrom)
        atapi_after(d, after, ret);
    else
        ata_after(d, after, ret);
}

void ide_submit(IdeDrive *d, IdeAfter after, uint64_t off, uint32_t len)
{
    g_assert(!d->inflight && len <= IDE_DATA);
    d->inflight = true;
    d->after = after;
    d->status = ST_BSY | (d->status & ST_DSC);
    switch (after) {
    case AFTER_WRITE: blk_write_async(d->blk, off, d->data, len, ide_request_done, d); break;
    case AFTER_FLUSH: blk_flush_async(d->blk, ide_request_done, d); break;
    default: blk_read_async(d->blk, off, d->data, len, ide_request_done, d); break;
    }
}

/* ---- DMA ---- */

bool ide_dma_move(IdeDrive *d, bool to_memory)
{
    IdeChannel *c = d->chan;
    d->status = ST_DRDY | ST_DSC | ST_DRQ;
    d->dma_wait = 1;
    if (!c->dma || ide_selected(c) != d || !c->dma->active(c->dma_opaque))
        return false;
    d->data_pos += c->dma->move(c->dma_opaque, d->data + d->data_pos, d->data_len - d->data_pos, to_memory);
    if (d->data_pos < d->data_len)
        return false;                    /* the table was too short: the drive waits for ever, as a real one */
    d->dma_wait = 0;
    return true;
}

void ide_dma_start(IdeChannel *c)
{
    IdeDrive *d = ide_selected(c);
    if (!d || !d->dma_wait || d->inflight)
        return;
    if (d->cdrom)
        atapi_dma_run(d);
    else
        ata_dma_run(d);
}

/* ---- resets ---- */

void ide_signature(IdeDrive *d)
{
    d->nsector[0] = d->sector[0] = 1;
    d->lcyl[0] = d->cdrom ? 0x14 : 0;
    d->hcyl[0] = d->cdrom ? 0xeb : 0;
    d->select &= DEV_DEV;
}

/* The registers and settings after SRST, hardware reset or DEVICE RESET, once nothing is in flight. */
static void reset_finish(IdeDrive *d)
{
    d->reset_waits = false;
    xfer_end(d);
    ide_signature(d);
    d->error = 1;                        /* diagnostic code: passed */
    d->status = d->cdrom ? 0 : ST_DRDY | ST_DSC;
    d->intrq = 0;
    d->mult = IDE_MAX_MULT;
    d->lba48 = 0;
    if (d->cdrom)
        atapi_reset(d);
    ide_update_irq(d->chan);
}

static void drive_reset(IdeDrive *d)
{
    d->intrq = 0;
    if (d->inflight) {
        d->reset_waits = true;
        d->status = ST_BSY;
    } else {
        reset_finish(d);
    }
}

void ide_channel_reset(IdeChannel *c)
{
    c->select = 0;
    c->control = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!c->drive[i])
            continue;
        if (c->drive[i]->blk)
            blk_drain(c->drive[i]->blk);
        drive_reset(c->drive[i]);
    }
    c->level = 0;
    irq_set(&c->irq, 0);
}

void ide_channel_loaded(IdeChannel *c)
{
    IdeDrive *d = ide_selected(c);
    c->select &= 1;
    c->level = d && d->intrq && !(c->control & CTL_NIEN);
    irq_set(&c->irq, c->level);
}

/* EXECUTE DEVICE DIAGNOSTIC goes to both drives whichever is selected; drive 0 reports. */
static void diagnostic(IdeChannel *c)
{
    for (unsigned i = 0; i < 2; i++)
        if (c->drive[i])
            drive_reset(c->drive[i]);
    c->select = 0;
    if (c->drive[0] && !c->drive[0]->reset_waits)
        ide_irq(c->drive[0]);
}

static void control_write(IdeChannel *c, uint8_t val)
{
    uint8_t old = c->control;
    c->control = val & (CTL_NIEN | CTL_SRST | CTL_HOB);
    for (unsigned i = 0; i < 2; i++) {
        IdeDrive *d = c->drive[i];
        if (!d || !((old ^ val) & CTL_SRST))
            continue;
        if (val & CTL_SRST) {
            d->status = ST_BSY | ST_DSC;
            d->intrq = 0;
        } else {
            drive_reset(d);
        }
    }
    if (val & CTL_SRST)
        c->select = 0;
    ide_update_irq(c);
}

/* ---- command block ---- */

static void command_write(IdeChannel *c, uint8_t cmd)
{
    IdeDrive *d = ide_selected(c);
    if (cmd == CMD_DIAGNOSTIC) {
        diagnostic(c);
        return;
    }
    if (!d)
        return;
    if (cmd == CMD_DEVICE_RESET && d->cdrom) {
        drive_reset(d);
        return;
    }
    if (d->status & ST_BSY) {
        log_guest("ide: command %02x while the drive is busy", cmd);
        return;
    }
    d->intrq = 0;
    ide_update_irq(c);
    xfer_end(d);
    d->command = cmd;
    d->error = 0;
    d->status = ST_DRDY | ST_DSC;
    if (d->cdrom)
        atapi_command(d);
    else
        ata_command(d);
}

static void shift_in(uint8_t reg[2], uint8_t val)
{
    reg[1] = reg[0];
    reg[0] = val;
}

static void register_write(IdeChannel *c, unsigned reg, uint8_t val)
{
    c->control &= ~CTL_HOB;
    if (reg == R_STATUS_COMMAND) {
        command_write(c, val);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        IdeDrive *d = c->drive[i];
        if (!d || (d->status & ST_BSY))
            continue;
        switch (reg) {
        case R_ERROR_FEATURES: shift_in(d->feature, val); break;
        case R_SECTOR_COUNT: shift_in(d->nsector, val); break;
        case R_LBA_LOW: shift_in(d->sector, val); break;
        case R_LBA_MID: shift_in(d->lcyl, val); break;
        case R_LBA_HIGH: shift_in(d->hcyl, val); break;
        case R_DEVICE: d->select = val; break;
        }
    }
    if (reg == R_DEVICE) {
        c->select = !!(val & DEV_DEV);
        ide_update_irq(c);
    }
}

static uint8_t status_get(IdeChannel *c)
{
    IdeDrive *d = ide_selected(c);
    return d ? d->status : 0;
}

static uint8_t register_read(IdeChannel *c, unsigned reg)
{
    IdeDrive *d = ide_selected(c);
    bool hob = c->control & CTL_HOB;
    if (reg == R_STATUS_COMMAND) {
        uint8_t val = status_get(c);
        if (d) {
            d->intrq = 0;
            ide_update_irq(c);
        }
        return val;
    }
    if (!d)                              /* the other drive answers, with its registers but the Device one */
        d = c->drive[!c->select];
    if (!d)
        return 0;
    switch (reg) {
    case R_ERROR_FEATURES: return hob ? d->feature[1] : d->error;
    case R_SECTOR_COUNT: return d->nsector[hob];
    case R_LBA_LOW: return d->sector[hob];
    case R_LBA_MID: return d->lcyl[hob];
    case R_LBA_HIGH: return d->hcyl[hob];
    default: return (d->select & ~DEV_DEV) | DEV_FIXED | (c->select ? DEV_DEV : 0);
    }
}

/* ---- data register ---- */

static bool host_writes(const IdeDrive *d)
{
    return d->xfer == XFER_WRITE || d->xfer == XFER_PACKET || d->xfer == XFER_ATAPI_OUT;
}

static bool host_reads(const IdeDrive *d)
{
    return d->xfer == XFER_IN_LAST || d->xfer == XFER_READ || d->xfer == XFER_ATAPI_IN;
}

static void data_step(IdeDrive *d, unsigned size)
{
    d->data_pos += size;
    if (d->data_pos < d->drq_end)
        return;
    d->data_pos = d->drq_end;
    d->status &= ~ST_DRQ;
    if (d->xfer == XFER_IN_LAST) {
        xfer_end(d);
        d->status = ST_DRDY | ST_DSC;
    } else if (d->cdrom) {
        atapi_continue(d);
    } else {
        ata_continue(d);
    }
}

static uint64_t data_read(IdeChannel *c, unsigned size)
{
    IdeDrive *d = ide_selected(c);
    if (!d || !(d->status & ST_DRQ) || !host_reads(d) || d->data_pos >= d->drq_end)
        return 0;
    uint64_t val = ld_le(d->data + d->data_pos, size);
    data_step(d, size);
    return val;
}

static void data_write(IdeChannel *c, uint64_t val, unsigned size)
{
    IdeDrive *d = ide_selected(c);
    if (!d || !(d->status & ST_DRQ) || !host_writes(d) || d->data_pos >= d->drq_end)
        return;
    st_le(d->data + d->data_pos, val, size);
    data_step(d, size);
}

/* ---- ports ---- */

static uint64_t command_port_read(void *opaque, uint64_t addr, unsigned size)
{
    IdeChannel *c = opaque;
    if (addr == R_DATA)
        return data_read(c, size);
    uint64_t val = 0;
    for (unsigned i = 0; i < size; i++)
        val |= (uint64_t)(addr + i < 8 ? register_read(c, addr + i) : 0xff) << (8 * i);
    return val;
}

static void command_port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    IdeChannel *c = opaque;
    if (addr == R_DATA) {
        data_write(c, val, size);
        return;
    }
    for (unsigned i = 0; i < size && addr + i < 8; i++)
        register_write(c, addr + i, val >> (8 * i));
}

const MemOps ide_command_ops = { .read = command_port_read, .write = command_port_write, .max_size = 4, .unaligned = true };

static uint64_t control_port_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr, (void)size;
    return status_get(opaque);
}

static void control_port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    (void)addr, (void)size;
    control_write(opaque, val);
}

const MemOps ide_control_ops = { .read = control_port_read, .write = control_port_write, .max_size = 1 };

/* ---- drives as devices ---- */

static bool drive_by_id(IdeDrive *d, GError **err)
{
    const Machine *m = d->dev.machine;
    for (unsigned i = 0; m->cfg && m->cfg->drives && i < m->cfg->drives->len; i++) {
        DriveConfig *c = g_ptr_array_index(m->cfg->drives, i);
        if (!c->id || strcmp(c->id, d->drive))
            continue;
        c->used = true;
        d->blk = c->blk ? blk_ref(c->blk) : NULL;
        return true;
    }
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: no drive '%s' (make one with -drive file=...,if=none,id=%s)",
                d->dev.type->name, d->drive, d->drive);
    return false;
}

/* bus "ide.N" is channel N of the machine's controller. */
static bool channel_find(IdeDrive *d, GError **err)
{
    const Machine *m = d->dev.machine;
    unsigned n = 0;
    if (d->bus && (strncmp(d->bus, "ide.", 4) || (d->bus[4] != '0' && d->bus[4] != '1') || d->bus[5])) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: no bus '%s' (ide.0 and ide.1 are there)", d->dev.type->name, d->bus);
        return false;
    }
    n = d->bus ? d->bus[4] - '0' : 0;
    for (unsigned i = 0; !d->chan && i < m->devices->len; i++) {
        d->dev.parent = g_ptr_array_index(m->devices, i);
        d->chan = piix_ide_channel(d->dev.parent, n);
    }
    if (!d->chan)
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: this machine has no IDE controller", d->dev.type->name);
    return d->chan;
}

static bool unit_take(IdeDrive *d, GError **err)
{
    if (d->unit == UINT32_MAX)
        d->unit = d->chan->drive[0] ? 1 : 0;
    if (d->unit > 1 || d->chan->drive[d->unit]) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: unit %u is %s (a bus has units 0 and 1)", d->dev.type->name, d->unit,
                    d->unit > 1 ? "not there" : "taken already");
        return false;
    }
    d->chan->drive[d->unit] = d;
    return true;
}

static uint64_t medium_sectors(const IdeDrive *d)
{
    unsigned size = d->cdrom ? CD_SECTOR : IDE_SECTOR;
    return (blk_size(d->blk) + size - 1) / size;
}

static void text_default(char **text, const char *fallback, unsigned n)
{
    if (!*text)
        *text = g_strdup_printf(fallback, n);
}

static bool ide_drive_realize(Device *dev, GError **err)
{
    IdeDrive *d = (IdeDrive *)dev;
    d->cdrom = dev->type == &ide_cd_type;
    if (d->drive && !d->blk && !drive_by_id(d, err))
        return false;
    if (!d->cdrom && !d->blk) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "ide-hd: a disk needs an image (drive=ID)");
        return false;
    }
    if (!d->cdrom && blk_readonly(d->blk)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: an IDE disk cannot be read-only (snapshot=on keeps the image unchanged)",
                    blk_path(d->blk));
        return false;
    }
    if ((!d->chan && !channel_find(d, err)) || !unit_take(d, err))
        return false;
    d->sectors = d->blk ? medium_sectors(d) : 0;
    unsigned n = d->unit + 1 + (d->chan == piix_ide_channel(dev->parent, 1) ? 2 : 0);
    text_default(&d->serial, "RH%05u", n);
    text_default(&d->model, d->cdrom ? "RHEA DVD-ROM" : "RHEA HARDDISK", 0);
    text_default(&d->ver, "1.0", 0);
    return true;
}

static void ide_drive_unrealize(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;
    if (d->blk) {
        blk_drain(d->blk);
        blk_unref(d->blk);
        d->blk = NULL;
    }
    if (d->chan && d->unit < 2 && d->chan->drive[d->unit] == d)
        d->chan->drive[d->unit] = NULL;
}

static void ide_drive_reset(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;
    if (d->blk)
        blk_drain(d->blk);
    unsigned c, h, s, t;
    ide_drive_geometry(dev, &c, &h, &s, &t);
    d->cyls = c, d->heads = h, d->secs = s;
    d->tray_open = 0;
    reset_finish(d);
}

/* State that came from outside: nothing may index past `data`. */
static void ide_drive_loaded(Device *dev)
{
    IdeDrive *d = (IdeDrive *)dev;
    d->data_len = MIN(d->data_len, IDE_DATA);
    d->drq_end = MIN(d->drq_end, d->data_len);
    d->data_pos = MIN(d->data_pos, d->data_len);
    d->heads = d->heads ? d->heads : 16;
    d->secs = d->secs ? d->secs : 63;
    d->mult = MIN(d->mult, IDE_MAX_MULT);
    d->mwdma = MIN(d->mwdma, 3);
    d->udma = MIN(d->udma, 6);
    if (d->cd_block != CD_SECTOR && d->cd_block != CD_RAW)
        d->cd_block = CD_SECTOR;
    ide_channel_loaded(d->chan);
}

static const Field ide_drive_fields[] = {
    DEVICE_BASE(IdeDrive),
    PROP_STR(IdeDrive, drive, NULL), PROP_STR(IdeDrive, bus, NULL), PROP_STR(IdeDrive, serial, NULL),
    PROP_STR(IdeDrive, model, NULL), PROP_STR(IdeDrive, ver, NULL), PROP_U32(IdeDrive, unit, UINT32_MAX),
    HOST(IdeDrive, cdrom), LINK(IdeDrive, blk), LINK(IdeDrive, chan),
    HOST(IdeDrive, inflight), HOST(IdeDrive, reset_waits), HOST(IdeDrive, after), HOST(IdeDrive, sectors),
    REG_U8(IdeDrive, feature, 0), REG_U8(IdeDrive, nsector, 0), REG_U8(IdeDrive, sector, 0), REG_U8(IdeDrive, lcyl, 0),
    REG_U8(IdeDrive, hcyl, 0), REG_U8(IdeDrive, select, 0), REG_U8(IdeDrive, status, ST_DRDY | ST_DSC),
    REG_U8(IdeDrive, error, 1), REG_U8(IdeDrive, intrq, 0), REG_U8(IdeDrive, command, 0), REG_U8(IdeDrive, lba48, 0),
    REG_U8(IdeDrive, xfer, 0), REG_U8(IdeDrive, dma_wait, 0), REG_U64(IdeDrive, lba, 0), REG_U32(IdeDrive, left, 0),
    REG_U32(IdeDrive, data_pos, 0), REG_U32(IdeDrive, data_len, 0), REG_U32(IdeDrive, drq_end, 0),
    REG_U8(IdeDrive, mult, IDE_MAX_MULT), REG_U8(IdeDrive, wcache, 1), REG_U8(IdeDrive, smart, 1),
    REG_U8(IdeDrive, standby, 0), REG_U8(IdeDrive, mwdma, 0), REG_U8(IdeDrive, udma, 0),
    REG_U16(IdeDrive, heads, 16), REG_U16(IdeDrive, secs, 63), REG_U16(IdeDrive, cyls, 0),
    REG_U8(IdeDrive, cdb, 0), REG_U8(IdeDrive, packet_dma, 0), REG_U8(IdeDrive, sense_key, 0), REG_U8(IdeDrive, asc, 0),
    REG_U8(IdeDrive, ascq, 0), REG_U8(IdeDrive, locked, 0), REG_U8(IdeDrive, tray_open, 0),
    REG_U8(IdeDrive, media_event, 0), REG_U8(IdeDrive, unit_attention, 0), REG_U16(IdeDrive, byte_limit, 0),
    REG_U16(IdeDrive, cd_block, CD_SECTOR),
    REG_BYTES(IdeDrive, data), FIELD_END };

#define IDE_DRIVE_TYPE \
    .bus = BUS_IDE, .size = sizeof(IdeDrive), .version = 1, .fields = ide_drive_fields, .realize = ide_drive_realize, \
    .unrealize = ide_drive_unrealize, .reset = ide_drive_reset, .loaded = ide_drive_loaded

const DeviceType ide_hd_type = { .name = "ide-hd", .doc = "IDE disk", IDE_DRIVE_TYPE };
const DeviceType ide_cd_type = { .name = "ide-cd", .doc = "ATAPI CD-ROM drive", IDE_DRIVE_TYPE };

Device *ide_drive_new(Device *controller, unsigned unit, BlockDev *blk, bool cdrom, GError **err)
{
    IdeDrive *d = (IdeDrive *)dev_new(controller->machine, cdrom ? &ide_cd_type : &ide_hd_type);
    d->dev.parent = controller;
    d->chan = piix_ide_channel(controller, unit / 2);
    d->unit = unit % 2;
    d->blk = blk ? blk_ref(blk) : NULL;
    if (dev_realize(&d->dev, err))
        return &d->dev;
    dev_free(&d->dev);
    return NULL;
}

Device *ide_drive_peek(Device *controller, unsigned unit)
{
    IdeChannel *c = piix_ide_channel(controller, unit / 2);
    return c && c->drive[unit % 2] ? &c->drive[unit % 2]->dev : NULL;
}

bool ide_drive_is_cd(const Device *drive) { return ((const IdeDrive *)drive)->cdrom; }
BlockDev *ide_drive_blk_peek(const Device *drive) { return ((const IdeDrive *)drive)->blk; }

/* 16 heads of 63 sectors, 16383 cylinders at most (ATA-6 annex on translation); small disks keep the plain numbers. */
void ide_drive_geometry(const Device *drive, unsigned *cyls, unsigned *heads, unsigned *secs, unsigned *translation)
{
    const IdeDrive *d = (const IdeDrive *)drive;
    uint64_t c = d->cdrom ? 0 : d->sectors / (16 * 63);
    *cyls = (unsigned)CLAMP(c, 1, 16383);
    *heads = 16;
    *secs = 63;
    *translation = *cyls > 1024;
}

bool ide_cd_change(Device *drive, BlockDev *blk, bool force, GError **err)
{
    IdeDrive *d = (IdeDrive *)drive;
    if (d->locked && !force) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "the guest has locked the tray (force overrides it)");
        return false;
    }
    if (d->blk) {
        blk_drain(d->blk);
        blk_unref(d->blk);
    }
    d->blk = blk ? blk_ref(blk) : NULL;
    d->sectors = blk ? medium_sectors(d) : 0;
    atapi_media_changed(d);
    return true;
}
