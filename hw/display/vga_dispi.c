/* The Bochs VBE "DISPI" interface: linear modes of 8 to 32 bits per pixel, set
 * by a handful of 16-bit registers (Bochs project, "VBE Extension" text in
 * iodev/vga; the register file and its semantics are what guests' drivers and
 * VGA BIOSes rely on).
 *
 * A mode is checked when it is enabled, against the memory there is; values
 * that do not fit are clamped, and reading them back tells.
 */
#include "hw/display/vga_core.h"

static unsigned bytes_of(unsigned bpp) { return bpp == 4 ? 0 : (bpp + 7) / 8; }

uint32_t dispi_line_bytes(const Vga *s)
{
    unsigned w = s->dispi[DISPI_VIRT_WIDTH], bpp = s->dispi[DISPI_BPP];
    return bpp == 4 ? w / 8 * 4 : w * bytes_of(bpp);
}

static bool bpp_ok(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Makes geometry and offsets consistent with each other and with memory; called whenever one of them changes. */
static void dispi_fit(Vga *s)
{
    uint16_t *r = s->dispi;
    if (!bpp_ok(r[DISPI_BPP]))
        r[DISPI_BPP] = 8;
    r[DISPI_XRES] = CLAMP(r[DISPI_XRES] & ~7, 8, DISPI_MAX_X);
    r[DISPI_YRES] = CLAMP(r[DISPI_YRES], 1, DISPI_MAX_Y);
    r[DISPI_VIRT_WIDTH] = CLAMP(r[DISPI_VIRT_WIDTH] & ~7, r[DISPI_XRES], 32760);
    while ((uint64_t)dispi_line_bytes(s) * r[DISPI_YRES] > s->mem_size) {
        if (r[DISPI_VIRT_WIDTH] > r[DISPI_XRES]) {
            r[DISPI_VIRT_WIDTH] = r[DISPI_XRES];
        } else {
            r[DISPI_YRES] = MAX(s->mem_size / dispi_line_bytes(s), 1);
            break;
        }
    }
    uint32_t lines = s->mem_size / dispi_line_bytes(s);
    r[DISPI_VIRT_HEIGHT] = MIN(lines, 65535);
    r[DISPI_X_OFFSET] = MIN(r[DISPI_X_OFFSET], r[DISPI_VIRT_WIDTH] - r[DISPI_XRES]);
    r[DISPI_Y_OFFSET] = MIN(r[DISPI_Y_OFFSET], r[DISPI_VIRT_HEIGHT] - r[DISPI_YRES]);
    s->regs_changed = true;
}

/* The legacy registers as the mode needs them: graphics, 64 KiB window at a0000, chain-4, all planes. */
static void legacy_regs(Vga *s)
{
    s->gr[GR_MISC] = (s->gr[GR_MISC] & ~GR6_MAP) | 0x04 | GR6_GRAPHICS;
    s->sr[SR_MAP_MASK] = 0x0f;
    if (s->dispi[DISPI_BPP] == 4) {
        s->sr[SR_MEMORY_MODE] = SR4_EXTENDED | SR4_SEQUENTIAL;
        s->gr[GR_MODE] &= ~GR5_SHIFT;
    } else {
        s->sr[SR_MEMORY_MODE] = SR4_EXTENDED | SR4_SEQUENTIAL | SR4_CHAIN4;
        s->gr[GR_MODE] = (s->gr[GR_MODE] & ~GR5_SHIFT) | 0x40;
    }
    s->cr[CR_MODE] |= CR17_A13 | CR17_A14;
    s->misc |= MISC_RAM;
}

static void dispi_enable(Vga *s, uint16_t val)
{
    uint16_t *r = s->dispi;
    bool on = val & DISPI_ENABLED, was = dispi_on(s);
    if (on && !was) {
        r[DISPI_VIRT_WIDTH] = r[DISPI_XRES];
        r[DISPI_X_OFFSET] = r[DISPI_Y_OFFSET] = 0;
        dispi_fit(s);
        legacy_regs(s);
        if (!(val & DISPI_NOCLEAR)) {
            uint32_t len = (uint32_t)MIN((uint64_t)dispi_line_bytes(s) * r[DISPI_YRES], s->mem_size);
            for (uint32_t off = 0; off < len; off += 4096)
                mem_note_write(mem_ram_addr(s->vram) + off, MIN(4096, len - off));
            memset(s->mem, 0, len);
        }
    }
    if (!on)
        r[DISPI_BANK] = 0;
    r[DISPI_ENABLE] = val & (DISPI_ENABLED | DISPI_GETCAPS | DISPI_8BIT_DAC | DISPI_LFB | DISPI_NOCLEAR);
    s->regs_changed = true;
    vga_window_update(s);
}

uint16_t dispi_read(Vga *s)
{
    bool caps = s->dispi[DISPI_ENABLE] & DISPI_GETCAPS;
    switch (s->dispi_index) {
    case DISPI_XRES: return caps ? DISPI_MAX_X : s->dispi[DISPI_XRES];
    case DISPI_YRES: return caps ? DISPI_MAX_Y : s->dispi[DISPI_YRES];
    case DISPI_BPP: return caps ? 32 : s->dispi[DISPI_BPP];
    case DISPI_VIDEO_MEMORY_64K: return s->mem_size >> 16;
    default: return s->dispi_index < DISPI_COUNT ? s->dispi[s->dispi_index] : 0;
    }
}

void dispi_write(Vga *s, uint16_t val)
{
    unsigned n = s->dispi_index;
    switch (n) {
    case DISPI_ID:
        if (val >= 0xb0c0 && val <= DISPI_ID5)
            s->dispi[n] = val;
        break;
    case DISPI_XRES: case DISPI_YRES: case DISPI_BPP:
        s->dispi[n] = val;
        if (dispi_on(s))
            dispi_fit(s);
        break;
    case DISPI_ENABLE: dispi_enable(s, val); break;
    case DISPI_BANK:
        if ((uint32_t)val << 16 < s->mem_size) {
            s->dispi[n] = val;
            vga_window_update(s);
        }
        break;
    case DISPI_VIRT_WIDTH: case DISPI_X_OFFSET: case DISPI_Y_OFFSET:
        s->dispi[n] = val;
        if (dispi_on(s))
            dispi_fit(s);
        break;
    }
}

void dispi_loaded(Vga *s)
{
    if (dispi_on(s))
        dispi_fit(s);
    if ((uint32_t)s->dispi[DISPI_BANK] << 16 >= s->mem_size)
        s->dispi[DISPI_BANK] = 0;
}
