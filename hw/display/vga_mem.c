/* The VGA's memory window at a0000: address decoding, the four planes with
 * their latches, read modes 0-1 and write modes 0-3 (IBM PS/2 reference,
 * "Graphics Controller" and "Memory Maps").
 *
 * Memory is interleaved: byte a of plane p is mem[4 * a + p], so that a latch
 * load is one 32-bit load, and chain-4 address n (plane n & 3) is mem[n]: in
 * chain-4 and in the DISPI modes the window is a plain view of memory, and RAM
 * is mapped there directly (window_ram).
 *
 *   chain-4    a -> plane a & 3, address a >> 2     (IBM's uses address a & ~3: seen only by mixing modes)
 *   odd/even   a -> plane a & 1 (and 2 + (a & 1)), address a & ~1
 *   planar     a -> address a of all planes
 */
#include "hw/display/vga_core.h"

#include "util/ldst.h"

/* What GR6 maps: base and length inside the 128 KiB window. */
static const struct { uint32_t base, len; } maps[4] = {
    { 0x00000, 0x20000 }, { 0x00000, 0x10000 }, { 0x10000, 0x08000 }, { 0x18000, 0x08000 },
};

static bool direct(const Vga *s)
{
    unsigned map = (s->gr[GR_MISC] & GR6_MAP) >> 2;
    return (s->misc & MISC_RAM) && (s->sr[SR_MEMORY_MODE] & SR4_CHAIN4) && s->sr[SR_MAP_MASK] == 15 && map <= 1;
}

static uint32_t bank(const Vga *s)
{
    return dispi_on(s) ? (uint32_t)s->dispi[DISPI_BANK] << 16 : 0;
}

void vga_window_update(Vga *s)
{
    if (!s->window_ram)
        return;
    mem_begin();
    mem_set_enabled(s->window_ram, direct(s));
    mem_set_alias_offset(s->window_ram, bank(s) % s->mem_size);
    mem_end();
}

/* Where a byte of the window leads: offset in the mapped range, or -1. */
static int64_t decode(const Vga *s, uint64_t addr)
{
    unsigned map = (s->gr[GR_MISC] & GR6_MAP) >> 2;
    if (!(s->misc & MISC_RAM) || addr < maps[map].base || addr - maps[map].base >= maps[map].len)
        return -1;
    return (int64_t)(addr - maps[map].base);
}

static void changed(Vga *s, uint32_t off, unsigned len)
{
    mem_note_write(mem_ram_addr(s->vram) + off, len);
}

/* ---- reads ---- */

/* Read mode 1: a bit is 1 where the pixel matches GR2 in all planes that GR7 cares for. */
static uint8_t color_compare(const Vga *s)
{
    uint8_t val = 0xff;
    for (unsigned p = 0; p < 4; p++)
        if (s->gr[GR_COLOR_DONT_CARE] >> p & 1)
            val &= s->gr[GR_COLOR_COMPARE] >> p & 1 ? s->latch[p] : ~s->latch[p];
    return val;
}

static uint8_t planar_read(Vga *s, uint32_t addr)
{
    unsigned plane = s->gr[GR_READ_MAP] & 3;
    if (s->gr[GR_MODE] & GR5_ODD_EVEN) {
        plane = (plane & 2) | (addr & 1);
        addr &= ~1u;
    }
    memcpy(s->latch, s->mem + 4 * (addr & 0xffff), 4);
    return s->gr[GR_MODE] & GR5_READ_MODE ? color_compare(s) : s->latch[plane];
}

static uint8_t window_read_byte(Vga *s, uint64_t addr)
{
    int64_t a = decode(s, addr);
    if (a < 0)
        return 0xff;
    if (s->sr[SR_MEMORY_MODE] & SR4_CHAIN4)
        return s->mem[(bank(s) + (uint32_t)a) % s->mem_size];
    return planar_read(s, (uint32_t)a);
}

/* ---- writes ---- */

static uint8_t rotate(const Vga *s, uint8_t val)
{
    unsigned n = s->gr[GR_ROTATE] & 7;
    return val >> n | val << (8 - n);
}

static uint8_t logic(const Vga *s, uint8_t val, uint8_t latch)
{
    switch (s->gr[GR_ROTATE] >> 3 & 3) {
    case 1: return val & latch;
    case 2: return val | latch;
    case 3: return val ^ latch;
    default: return val;
    }
}

/* What plane p gets for `val` in the present write mode. */
static uint8_t pipeline(const Vga *s, unsigned p, uint8_t val)
{
    uint8_t latch = s->latch[p], mask = s->gr[GR_BIT_MASK];
    uint8_t set_reset = s->gr[GR_SET_RESET] >> p & 1 ? 0xff : 0;
    switch (s->gr[GR_MODE] & 3) {
    case 0:
        val = s->gr[GR_ENABLE_SET_RESET] >> p & 1 ? set_reset : rotate(s, val);
        break;
    case 1:
        return latch;
    case 2:
        val = val >> p & 1 ? 0xff : 0;
        break;
    default:
        mask &= rotate(s, val);
        val = set_reset;
        break;
    }
    return (logic(s, val, latch) & mask) | (latch & ~mask);
}

static void planar_write(Vga *s, uint32_t addr, uint8_t val)
{
    uint8_t planes = s->sr[SR_MAP_MASK];
    if (!(s->sr[SR_MEMORY_MODE] & SR4_SEQUENTIAL)) {
        planes &= addr & 1 ? 0xa : 0x5;
        addr &= ~1u;
    }
    uint32_t off = 4 * (addr & 0xffff);
    changed(s, off, 4);
    for (unsigned p = 0; p < 4; p++)
        if (planes >> p & 1)
            s->mem[off + p] = pipeline(s, p, val);
}

static void window_write_byte(Vga *s, uint64_t addr, uint8_t val)
{
    int64_t a = decode(s, addr);
    if (a < 0)
        return;
    if (!(s->sr[SR_MEMORY_MODE] & SR4_CHAIN4)) {
        planar_write(s, (uint32_t)a, val);
        return;
    }
    uint32_t off = (bank(s) + (uint32_t)a) % s->mem_size;
    if (!(s->sr[SR_MAP_MASK] >> (a & 3) & 1))
        return;
    changed(s, off, 1);
    s->mem[off] = val;
}

/* ---- callbacks ---- */

static uint64_t window_read(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t val = 0;
    for (unsigned i = 0; i < size; i++)
        val |= (uint64_t)window_read_byte(opaque, addr + i) << (8 * i);
    return val;
}

static void window_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        window_write_byte(opaque, addr + i, val >> (8 * i));
}

const MemOps vga_window_ops = { .read = window_read, .write = window_write, .unaligned = true };
