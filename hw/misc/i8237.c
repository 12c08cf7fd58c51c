/* Two Intel 8237A DMA controllers with their page registers, as in the PC/AT:
 * channels 0-3 move bytes, 5-7 words; 4 is the cascade.
 * Source: 8237A datasheet (231466); PIIX3 datasheet 2.5.1 (page registers).
 *
 * Arrays are indexed by channel 0..7; [0] and [1] of the controllers' own
 * registers are the byte and the word controller.
 * Left out: memory-to-memory, the software request register's transfers,
 * timing and priority bits of the command register. */
#include "hw/misc/i8237.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { CHANNELS = 8, PER_CHIP = 4, PAGES = 16 };
enum { CMD_DISABLE = 4 };
enum { MODE_WRITE = 1, MODE_READ = 2, MODE_TYPE_SHIFT = 2, MODE_AUTOINIT = 0x10, MODE_DECREMENT = 0x20 };
enum { REG_COMMAND = 8, REG_REQUEST, REG_SINGLE_MASK, REG_MODE, REG_CLEAR_FF, REG_MASTER_CLEAR, REG_CLEAR_MASK, REG_ALL_MASK };

struct IsaDma {
    Device dev;
    struct { void (*ready)(void *opaque); void *opaque; } client[CHANNELS];
    uint16_t base_addr[CHANNELS], base_count[CHANNELS];
    uint16_t addr[CHANNELS], count[CHANNELS];
    uint8_t mode[CHANNELS];
    uint8_t page[PAGES];                 /* ports 80h-8Fh */
    uint8_t command[2], status[2], mask[2], request[2];
    bool high_byte[2];                   /* the byte pointer flip-flop */
};

/* where a channel's page register is among ports 80h-8Fh */
static const uint8_t page_of[CHANNELS] = { 7, 3, 1, 2, 15, 11, 9, 10 };

static bool can_move(const IsaDma *d, unsigned ch)
{
    unsigned c = ch / PER_CHIP;
    return !(d->command[c] & CMD_DISABLE) && !(d->mask[c] >> (ch & 3) & 1);
}

void isa_dma_connect(IsaDma *d, unsigned ch, void (*ready)(void *opaque), void *opaque)
{
    d->client[ch].ready = ready;
    d->client[ch].opaque = opaque;
}

static void tell_ready(IsaDma *d, unsigned chip)
{
    for (unsigned ch = chip * PER_CHIP; ch < (chip + 1) * PER_CHIP; ch++)
        if (d->client[ch].ready && can_move(d, ch))
            d->client[ch].ready(d->client[ch].opaque);
}

/* ---- transfers ---- */

/* Physical address of the next unit; word channels count in words, inside 128 KiB. */
static uint64_t physical(const IsaDma *d, unsigned ch)
{
    uint64_t page = d->page[page_of[ch]];
    return ch < PER_CHIP ? page << 16 | d->addr[ch] : (page & 0xfe) << 16 | (uint64_t)d->addr[ch] << 1;
}

static void terminal_count(IsaDma *d, unsigned ch)
{
    unsigned c = ch / PER_CHIP, n = ch & 3;
    d->status[c] |= (uint8_t)(1 << n);
    if (d->mode[ch] & MODE_AUTOINIT) {
        d->addr[ch] = d->base_addr[ch];
        d->count[ch] = d->base_count[ch];
    } else {
        d->mask[c] |= (uint8_t)(1 << n);
    }
}

static void move_unit(IsaDma *d, unsigned ch, unsigned type, void *buf, unsigned unit)
{
    Machine *m = d->dev.machine;
    if (type == MODE_WRITE)
        dma_write(m, physical(d, ch), buf, unit);
    else if (type == MODE_READ)
        dma_read(m, physical(d, ch), buf, unit);
    d->addr[ch] = (uint16_t)(d->mode[ch] & MODE_DECREMENT ? d->addr[ch] - 1 : d->addr[ch] + 1);
}

size_t isa_dma_transfer(IsaDma *d, unsigned ch, bool to_memory, void *buf, size_t len, bool *tc)
{
    unsigned type = d->mode[ch] >> MODE_TYPE_SHIFT & 3, unit = ch < PER_CHIP ? 1 : 2;
    size_t done = 0;
    *tc = false;
    if (!can_move(d, ch) || (type && (type == MODE_WRITE) != to_memory) || type == 3)
        return 0;
    while (done + unit <= len && !*tc) {
        move_unit(d, ch, type, (uint8_t *)buf + done, unit);
        done += unit;
        *tc = d->count[ch]-- == 0;
    }
    if (*tc)
        terminal_count(d, ch);
    return done;
}

/* ---- registers ---- */

static uint8_t read_half(IsaDma *d, unsigned chip, uint16_t v)
{
    d->high_byte[chip] = !d->high_byte[chip];
    return (uint8_t)(d->high_byte[chip] ? v : v >> 8);
}

static void write_half(IsaDma *d, unsigned chip, uint16_t *base, uint16_t *cur, uint8_t v)
{
    *base = (uint16_t)(d->high_byte[chip] ? (*base & 0xff) | v << 8 : (*base & 0xff00) | v);
    *cur = *base;
    d->high_byte[chip] = !d->high_byte[chip];
}

static uint8_t chip_read(IsaDma *d, unsigned chip, unsigned reg)
{
    unsigned ch = chip * PER_CHIP + reg / 2;
    if (reg < REG_COMMAND)
        return read_half(d, chip, reg & 1 ? d->count[ch] : d->addr[ch]);
    if (reg == REG_COMMAND) {
        uint8_t v = (uint8_t)(d->status[chip] | d->request[chip] << 4);
        d->status[chip] = 0;
        return v;
    }
    return reg == REG_ALL_MASK ? d->mask[chip] | 0xf0 : 0;
}

static void master_clear(IsaDma *d, unsigned chip)
{
    d->command[chip] = d->status[chip] = d->request[chip] = 0;
    d->mask[chip] = 0xf;
    d->high_byte[chip] = false;
}

static void write_control(IsaDma *d, unsigned chip, unsigned reg, uint8_t v)
{
    uint8_t bit = (uint8_t)(1 << (v & 3));
    switch (reg) {
    case REG_COMMAND: d->command[chip] = v; break;
    case REG_REQUEST: d->request[chip] = v & 4 ? d->request[chip] | bit : d->request[chip] & (uint8_t)~bit; break;
    case REG_SINGLE_MASK: d->mask[chip] = v & 4 ? d->mask[chip] | bit : d->mask[chip] & (uint8_t)~bit; break;
    case REG_MODE: d->mode[chip * PER_CHIP + (v & 3)] = v; break;
    case REG_CLEAR_FF: d->high_byte[chip] = false; break;
    case REG_MASTER_CLEAR: master_clear(d, chip); break;
    case REG_CLEAR_MASK: d->mask[chip] = 0; break;
    case REG_ALL_MASK: d->mask[chip] = v & 0xf; break;
    }
    tell_ready(d, chip);
}

static void chip_write(IsaDma *d, unsigned chip, unsigned reg, uint8_t v)
{
    unsigned ch = chip * PER_CHIP + reg / 2;
    if (reg >= REG_COMMAND)
        write_control(d, chip, reg, v);
    else if (reg & 1)
        write_half(d, chip, &d->base_count[ch], &d->count[ch], v);
    else
        write_half(d, chip, &d->base_addr[ch], &d->addr[ch], v);
}

static uint64_t bytes_read(void *d, uint64_t at, unsigned size) { (void)size; return chip_read(d, 0, (unsigned)at); }
static uint64_t words_read(void *d, uint64_t at, unsigned size) { (void)size; return chip_read(d, 1, (unsigned)at / 2); }
static void bytes_write(void *d, uint64_t at, uint64_t v, unsigned size) { (void)size; chip_write(d, 0, (unsigned)at, (uint8_t)v); }
static void words_write(void *d, uint64_t at, uint64_t v, unsigned size) { (void)size; chip_write(d, 1, (unsigned)at / 2, (uint8_t)v); }

static uint64_t page_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    return ((IsaDma *)opaque)->page[at];
}

static void page_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    ((IsaDma *)opaque)->page[at] = (uint8_t)v;
}

static const MemOps bytes_ops = { .read = bytes_read, .write = bytes_write, .max_size = 1 };
static const MemOps words_ops = { .read = words_read, .write = words_write, .max_size = 1 };
static const MemOps page_ops = { .read = page_read, .write = page_write, .max_size = 1 };

static bool dma_realize(Device *d, GError **err)
{
    (void)err;
    dev_ports(d, "dma-bytes", 0x00, 0x10, &bytes_ops);
    dev_ports(d, "dma-words", 0xc0, 0x20, &words_ops);
    dev_ports(d, "dma-pages", 0x80, PAGES, &page_ops);
    return true;
}

const DeviceType i8237_type = {
    .name = "i8237", .doc = "8237A DMA controllers", .bus = BUS_SYSTEM, .size = sizeof(IsaDma), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(IsaDma), LINK(IsaDma, client), REG_U16(IsaDma, base_addr, 0), REG_U16(IsaDma, base_count, 0),
        REG_U16(IsaDma, addr, 0), REG_U16(IsaDma, count, 0), REG_U8(IsaDma, mode, 0), REG_U8(IsaDma, page, 0),
        REG_U8(IsaDma, command, 0), REG_U8(IsaDma, status, 0), REG_U8(IsaDma, mask, 0xf), REG_U8(IsaDma, request, 0),
        REG_BOOL(IsaDma, high_byte, 0), FIELD_END },
    .realize = dma_realize,
};
