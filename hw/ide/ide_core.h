/* Inside of hw/ide: the drive, the channel, and what their files share. */
#ifndef RHEA_HW_IDE_CORE_H
#define RHEA_HW_IDE_CORE_H

#include "hw/core/machine.h"
#include "hw/ide/ide.h"
#include "util/bits.h"

typedef struct IdeDrive IdeDrive;
typedef struct IdeChannel IdeChannel;

enum {
    ST_ERR = 0x01, ST_DRQ = 0x08, ST_DSC = 0x10, ST_DF = 0x20, ST_DRDY = 0x40, ST_BSY = 0x80,
    ER_ABRT = 0x04, ER_IDNF = 0x10, ER_UNC = 0x40,
    DEV_DEV = 0x10, DEV_LBA = 0x40, DEV_FIXED = 0xa0,
    CTL_NIEN = 0x02, CTL_SRST = 0x04, CTL_HOB = 0x80,
    IR_CD = 0x01, IR_IO = 0x02,          /* interrupt reason of packet commands, in the sector count register */
};

enum { IDE_DATA = 65536, IDE_SECTOR = 512, IDE_MAX_MULT = 16, CD_SECTOR = 2048, CD_RAW = 2352 };

/* What the data register, or DMA, is doing; says what follows when `data` is used up. */
typedef enum IdeXfer {
    XFER_NONE,
    XFER_IN_LAST,                        /* data goes to the host, then the command ends */
    XFER_READ, XFER_WRITE,               /* sectors by PIO */
    XFER_DMA_READ, XFER_DMA_WRITE,       /* sectors by DMA */
    XFER_PACKET,                         /* twelve bytes of command packet come in */
    XFER_ATAPI_IN, XFER_ATAPI_OUT, XFER_ATAPI_DMA_IN, XFER_ATAPI_DMA_OUT,
} IdeXfer;

struct IdeDrive {
    Device dev;
    /* properties and wiring */
    char *drive, *bus, *serial, *model, *ver;
    uint32_t unit;
    bool cdrom;                          /* by type */
    BlockDev *blk;                       /* a reference; NULL: no medium */
    IdeChannel *chan;
    bool inflight;                       /* a request of this drive is with the block layer */
    bool reset_waits;                    /* a reset came meanwhile: it ends when the request does */
    uint8_t after;                       /* IdeAfter: what the request in flight is for */
    uint64_t sectors;                    /* of the medium: 512-byte (disk) or 2048-byte (CD) */
    /* command block registers; [1] is the previous content (the high-order byte of 48-bit commands) */
    uint8_t feature[2], nsector[2], sector[2], lcyl[2], hcyl[2];
    uint8_t select, status, error;
    uint8_t intrq;
    /* the command in progress */
    uint8_t command;
    uint8_t lba48;
    uint8_t xfer;                        /* IdeXfer */
    uint8_t dma_wait;                    /* it is DMA's turn to move data[pos..len) */
    uint64_t lba;                        /* next sector to transfer */
    uint32_t left;                       /* sectors not yet read into, or written from, data */
    uint32_t data_pos, data_len;         /* in data: next byte to move, end of what is valid */
    uint32_t drq_end;                    /* end of the present DRQ block */
    /* settings */
    uint8_t mult;                        /* sectors per DRQ block of READ/WRITE MULTIPLE, 0: off */
    uint8_t wcache, smart, standby;
    uint8_t mwdma, udma;                 /* selected mode + 1, 0: none */
    uint16_t heads, secs, cyls;          /* current logical geometry */
    /* ATAPI */
    uint8_t cdb[12];
    uint8_t packet_dma;
    uint8_t sense_key, asc, ascq;
    uint8_t locked, tray_open, media_event, unit_attention;
    uint16_t byte_limit;
    uint16_t cd_block;                   /* bytes per sector of the read in progress: 2048 or 2352 */
    uint8_t data[IDE_DATA + 8];          /* and room for a wide access at the end of an odd block */
};

/* What a channel's bus master can do for it; all may be asked only between command and completion. */
typedef struct IdeDmaOps {
    bool (*active)(void *opaque);        /* is it started? */
    /* Moves len bytes between buf and memory along the table; fewer if the table ends or is bad. */
    uint32_t (*move)(void *opaque, void *buf, uint32_t len, bool to_memory);
    void (*irq)(void *opaque);           /* INTRQ rose */
} IdeDmaOps;

struct IdeChannel {
    IdeDrive *drive[2];
    IrqLine irq;
    const IdeDmaOps *dma;
    void *dma_opaque;
    uint8_t select;                      /* 0 or 1 */
    uint8_t control;                     /* device control register */
    uint8_t level;                       /* of irq */
};
#define IDE_CHANNEL_ROWS(T, m) \
    LINK(T, m.drive), LINK(T, m.irq), LINK(T, m.dma), LINK(T, m.dma_opaque), \
    REG_U8(T, m.select, 0), REG_U8(T, m.control, 0), HOST(T, m.level)

/* ---- channel (ide.c) ---- */
extern const MemOps ide_command_ops, ide_control_ops;    /* opaque: IdeChannel */
void ide_channel_reset(IdeChannel *c);   /* hardware reset */
void ide_channel_loaded(IdeChannel *c);
/* The bus master was started: a drive that waits for it goes on. */
void ide_dma_start(IdeChannel *c);
IdeDrive *ide_selected(IdeChannel *c);

/* ---- for the command files ---- */
void ide_irq(IdeDrive *d);
void ide_update_irq(IdeChannel *c);
void ide_signature(IdeDrive *d);
/* Ends the command: status without BSY and DRQ, interrupt. */
void ide_ok(IdeDrive *d);
void ide_fail(IdeDrive *d, uint8_t error);
/* data[0..len) is ready for the host to read through the data register; then ide_ok. */
void ide_data_in(IdeDrive *d, uint32_t len);
/* Opens a DRQ block of data up to `end`. */
void ide_drq(IdeDrive *d, uint32_t end, bool interrupt);

/* Block requests: the drive is BSY until `after` runs (unless a reset came). */
typedef enum IdeAfter { AFTER_NONE, AFTER_READ, AFTER_WRITE, AFTER_FLUSH, AFTER_VERIFY, AFTER_CD_READ } IdeAfter;
void ide_submit(IdeDrive *d, IdeAfter after, uint64_t off, uint32_t len);
/* Hands data[pos..len) to the bus master if it is active; false: not (or not all) moved, the drive waits. */
bool ide_dma_move(IdeDrive *d, bool to_memory);

/* ata.c */
void ata_command(IdeDrive *d);           /* d->command */
void ata_continue(IdeDrive *d);          /* the present DRQ block, or DMA piece, is used up */
void ata_after(IdeDrive *d, IdeAfter after, int ret);
void ata_dma_run(IdeDrive *d);
void ata_identify(IdeDrive *d);          /* identify.c: fills data */
void atapi_identify(IdeDrive *d);
bool ata_set_features(IdeDrive *d);      /* ata.c, for both kinds */
/* atapi.c */
void atapi_command(IdeDrive *d);
void atapi_continue(IdeDrive *d);
void atapi_after(IdeDrive *d, IdeAfter after, int ret);
void atapi_dma_run(IdeDrive *d);
void atapi_reset(IdeDrive *d);
void atapi_media_changed(IdeDrive *d);

/* piix_ide.c: a channel (0, 1) of a controller; NULL if `controller` is not one. */
IdeChannel *piix_ide_channel(Device *controller, unsigned n);
extern const DeviceType ide_hd_type, ide_cd_type, piix3_ide_type;

#endif
