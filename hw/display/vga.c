/* VGA registers (IBM Personal System/2 Hardware Interface Technical Reference,
 * "Video Subsystem"): sequencer, CRT controller, graphics and attribute
 * controllers, DAC, and the status ports that follow the raster.
 *
 *   3c0 attribute index/data   3c1 attribute data read   3c2 misc output / input status 0   3c4/5 sequencer
 *   3c6 DAC mask  3c7 DAC read index / state  3c8 DAC write index  3c9 DAC data  3ca feature  3cc misc output
 *   3ce/f graphics controller  3d4/5 CRTC  3da input status 1 / feature   (3b4/5, 3ba if misc output bit 0 is 0)
 *
 * The raster's position is computed from the clock when it is asked for; frame
 * time follows the CRTC's line count (70 Hz for up to 449 lines, else 60 Hz).
 * Left out: the vertical retrace interrupt, light pen, EGA's overscan border.
 */
#include "hw/display/vga_core.h"

/* bits that exist */
static const uint8_t sr_mask[SR_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t gr_mask[GR_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t ar_mask[AR_COUNT] = { 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                           0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f };

/* ---- raster ---- */

static unsigned overflow_bits(const Vga *s, uint8_t low, unsigned bit8, unsigned bit9)
{
    uint8_t o = s->cr[CR_OVERFLOW];
    return low | (o >> bit8 & 1u) << 8 | (o >> bit9 & 1u) << 9;
}

unsigned vga_lines_shown(const Vga *s) { return overflow_bits(s, s->cr[CR_V_DISPLAY_END], 1, 6) + 1; }

bool vga_line_compare(const Vga *s, unsigned line)
{
    unsigned at = s->cr[CR_LINE_COMPARE] | (s->cr[CR_OVERFLOW] >> 4 & 1u) << 8 | (s->cr[CR_MAX_SCAN] >> 6 & 1u) << 9;
    return line == at;
}

enum { ST01_DISABLED = 0x01, ST01_VRETRACE = 0x08 };

static uint8_t input_status_1(Vga *s)
{
    unsigned total = overflow_bits(s, s->cr[CR_V_TOTAL], 0, 5) + 2, shown = vga_lines_shown(s);
    unsigned retrace = overflow_bits(s, s->cr[CR_V_RETRACE_START], 2, 7);
    if (total < 100) {                   /* not programmed yet: the numbers of text mode */
        total = 449, shown = 400, retrace = 412;
    }
    int64_t frame = NS_PER_S / (total > 460 ? 60 : 70), line_ns = frame / total;
    int64_t at = clock_ns(s->clock) % frame;
    unsigned line = (unsigned)(at / line_ns);
    bool hblank = at % line_ns > line_ns * 4 / 5;
    uint8_t val = line >= shown || hblank ? ST01_DISABLED : 0;
    if (line >= retrace && line < retrace + 2 + (s->cr[CR_V_RETRACE_END] & 1))
        val |= ST01_VRETRACE;
    return val;
}

/* ---- attribute controller ---- */

static void ar_write(Vga *s, uint8_t val)
{
    unsigned n = s->ar_index & 0x1f;
    s->ar_data ^= 1;
    if (s->ar_data) {
        s->ar_index = val & 0x3f;
    } else if (n < AR_COUNT && (n >= AR_MODE || !(s->ar_index & ARX_PAS))) {
        s->ar[n] = val & ar_mask[n];     /* palette registers are locked while the screen has them (PAS) */
    }
    s->regs_changed = true;
}

static uint8_t ar_read(const Vga *s)
{
    unsigned n = s->ar_index & 0x1f;
    return n < AR_COUNT ? s->ar[n] : 0;
}

/* ---- DAC ---- */

static void dac_write(Vga *s, uint8_t val)
{
    s->dac_latch[s->dac_sub++] = val;
    if (s->dac_sub < 3)
        return;
    memcpy(s->palette + 3 * s->dac_write, s->dac_latch, 3);
    s->dac_sub = 0;
    s->dac_write++;
    s->regs_changed = true;
}

static uint8_t dac_read(Vga *s)
{
    uint8_t val = s->palette[3 * s->dac_read + s->dac_sub];
    if (++s->dac_sub == 3) {
        s->dac_sub = 0;
        s->dac_read++;
    }
    return val;
}

static void dac_index(Vga *s, uint8_t *index, uint8_t val, uint8_t state)
{
    *index = val;
    s->dac_sub = 0;
    s->dac_state = state;                /* 3: reading, 0: writing */
}

/* ---- indexed registers ---- */

static void sr_write(Vga *s, uint8_t val)
{
    unsigned n = s->sr_index & 7;
    s->sr[n] = val & sr_mask[n];
    s->regs_changed = true;
    vga_window_update(s);
}

static void gr_write(Vga *s, uint8_t val)
{
    unsigned n = s->gr_index & 15;
    s->gr[n] = val & gr_mask[n];
    s->regs_changed = true;
    if (n == GR_MISC || n == GR_MODE)
        vga_window_update(s);
}

static void cr_write(Vga *s, uint8_t val)
{
    unsigned n = s->cr_index & (CR_COUNT - 1);
    bool locked = (s->cr[CR_V_RETRACE_END] & 0x80) && n <= CR_OVERFLOW;
    if (locked && n == CR_OVERFLOW)      /* the line compare bit stays writable */
        val = (s->cr[n] & ~0x10) | (val & 0x10);
    else if (locked)
        return;
    s->regs_changed = true;
    s->cr[n] = val;
}

static uint8_t cr_read(const Vga *s)
{
    unsigned n = s->cr_index;
    return n <= CR_LINE_COMPARE ? s->cr[n] : 0;
}

/* ---- ports ---- */

/* 3b4-3bb and 3d4-3db are the same registers; only one of the two answers. */
static bool crtc_port(const Vga *s, unsigned port)
{
    bool color = s->misc & MISC_IOS;
    return port < 0x3c0 ? !color : port < 0x3d0 || color;
}

uint8_t vga_port_read(Vga *s, unsigned port)
{
    if (!crtc_port(s, port))
        return 0xff;
    switch (port) {
    case 0x3c0: return s->ar_data ? ar_read(s) : s->ar_index;
    case 0x3c1: return ar_read(s);
    case 0x3c2: return 0x10;             /* switch sense: a monitor is there */
    case 0x3c4: return s->sr_index;
    case 0x3c5: return s->sr[s->sr_index & 7];
    case 0x3c6: return s->dac_mask;
    case 0x3c7: return s->dac_state;
    case 0x3c8: return s->dac_write;
    case 0x3c9: return dac_read(s);
    case 0x3ca: return s->feature;
    case 0x3cc: return s->misc;
    case 0x3ce: return s->gr_index;
    case 0x3cf: return s->gr[s->gr_index & 15];
    case 0x3b4: case 0x3d4: return s->cr_index;
    case 0x3b5: case 0x3d5: return cr_read(s);
    case 0x3ba: case 0x3da:
        s->ar_data = 0;
        return input_status_1(s);
    default: return 0xff;
    }
}

void vga_port_write(Vga *s, unsigned port, uint8_t val)
{
    if (!crtc_port(s, port))
        return;
    switch (port) {
    case 0x3c0: ar_write(s, val); break;
    case 0x3c2:
        s->misc = val & ~0x10;
        vga_window_update(s);
        break;
    case 0x3c4: s->sr_index = val & 7; break;
    case 0x3c5: sr_write(s, val); break;
    case 0x3c6:
        s->dac_mask = val;
        s->regs_changed = true;
        break;
    case 0x3c7: dac_index(s, &s->dac_read, val, 3); break;
    case 0x3c8: dac_index(s, &s->dac_write, val, 0); break;
    case 0x3c9: dac_write(s, val); break;
    case 0x3ce: s->gr_index = val & 15; break;
    case 0x3cf: gr_write(s, val); break;
    case 0x3b4: case 0x3d4: s->cr_index = val; break;
    case 0x3b5: case 0x3d5: cr_write(s, val); break;
    case 0x3ba: case 0x3da: s->feature = val & 0x10; break;
    }
}
