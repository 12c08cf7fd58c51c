/* From the VGA's memory and registers to the console's surface.
 *
 * One raster walk serves text and graphics, line by line as the CRTC counts:
 * row scan and memory address advance at the end of a (doubled) line, line
 * compare restarts them at zero, CR17 puts the row scan into A13 and A14 (CGA
 * and Hercules layouts), pel panning shifts.  The surface has the monitor's
 * dots: 320 pixels of mode 13h are 640 wide, 200 doubled lines are 400 high.
 *
 * The standard modes are drawn whole when anything they can see has changed
 * (page dirty bits, registers, blink phase); DISPI modes line by line.
 */
#include "hw/display/vga_core.h"

#include <pixman.h>

#include "util/ldst.h"

enum { PAGE = 4096, CURSOR_PERIOD_MS = 228, BLINK_PERIOD_MS = 456 };     /* 16 and 32 frames at 70 Hz */

typedef struct Raster {
    const Vga *s;
    uint32_t dac[256];                   /* DAC entries as pixels */
    uint32_t attr[16];                   /* the 16 attribute colours as pixels */
    unsigned width, height;              /* of the surface */
    unsigned cells;                      /* characters per line */
    unsigned dot;                        /* dots per character */
    bool text, cursor_on, blink_off;
    uint32_t *out;                       /* present line */
} Raster;

/* ---- colours ---- */

static uint32_t dac_pixel(const Vga *s, unsigned n)
{
    const uint8_t *p = s->palette + 3 * n;
    if (dispi_on(s) && (s->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC))
        return (uint32_t)p[0] << 16 | p[1] << 8 | p[2];
    uint32_t rgb = 0;
    for (unsigned i = 0; i < 3; i++)
        rgb = rgb << 8 | (p[i] & 0x3f) << 2 | (p[i] >> 4 & 3);
    return rgb;
}

static unsigned attr_to_dac(const Vga *s, unsigned a)
{
    unsigned c = s->ar[a] & 0x3f, select = s->ar[AR_COLOR_SELECT];
    if (s->ar[AR_MODE] & AR10_PAL_SIZE)
        c = (c & 0x0f) | (select & 3) << 4;
    return c | (select & 12) << 4;
}

static void colours(Raster *r)
{
    const Vga *s = r->s;
    for (unsigned i = 0; i < 256; i++)
        r->dac[i] = dac_pixel(s, i & s->dac_mask);
    for (unsigned i = 0; i < 16; i++)
        r->attr[i] = r->dac[attr_to_dac(s, i & s->ar[AR_PLANE_ENABLE] & 15)];
    if (!r->text)
        return;
    for (unsigned i = 0; i < 16; i++)    /* plane enable does not thin out text attributes */
        r->attr[i] = r->dac[attr_to_dac(s, i)];
}

/* ---- text ---- */

/* Offset in plane 2 of the font that an attribute selects (SR3: map B for bit 3 clear, map A for set). */
static uint32_t font_offset(const Vga *s, uint8_t attr)
{
    uint8_t v = s->sr[SR_CHAR_MAP];
    unsigned a = (v >> 2 & 3) | (v >> 5 & 1) << 2, b = (v & 3) | (v >> 4 & 1) << 2;
    unsigned n = attr & 8 ? a : b;
    return (n & 3) * 0x4000 + (n >> 2) * 0x2000;
}

static uint32_t plane_address(const Vga *s, uint32_t counter)
{
    return (s->cr[CR_MODE] & CR17_BYTE ? counter : counter << 1) & 0xffff;
}

static uint32_t cursor_counter(const Vga *s) { return s->cr[CR_CURSOR_HIGH] << 8 | s->cr[CR_CURSOR_LOW]; }

static bool cursor_at(const Raster *r, uint32_t counter, unsigned scan)
{
    const Vga *s = r->s;
    unsigned from = s->cr[CR_CURSOR_START] & 31, to = s->cr[CR_CURSOR_END] & 31;
    if (!r->cursor_on || (s->cr[CR_CURSOR_START] & 0x20) || (counter & 0xffff) != cursor_counter(s))
        return false;
    return scan >= from && scan <= to;
}

static void text_cell(const Raster *r, uint32_t counter, unsigned scan, uint32_t *out)
{
    const Vga *s = r->s;
    const uint8_t *cell = s->mem + 4 * plane_address(s, counter);
    uint8_t ch = cell[0], attr = cell[1], fg = attr & 15, bg = attr >> 4;
    uint8_t bits = s->mem[4 * (font_offset(s, attr) + ch * 32 + scan) + 2];
    if (s->ar[AR_MODE] & AR10_BLINK) {
        bg &= 7;
        if ((attr & 0x80) && r->blink_off)
            bits = 0;
    }
    if ((s->ar[AR_MODE] & AR10_MONO) && (attr & 7) == 1 && scan == (s->cr[CR_UNDERLINE] & 31u))
        bits = 0xff;
    bool ninth = (s->ar[AR_MODE] & AR10_LINE_GRAPHICS) && (ch & 0xe0) == 0xc0 && (bits & 1);
    if (cursor_at(r, counter, scan))
        bits = 0xff, ninth = true;
    for (unsigned x = 0; x < 8; x++)
        out[x] = r->attr[bits & (0x80 >> x) ? fg : bg];
    if (r->dot == 9)
        out[8] = r->attr[ninth ? fg : bg];
}

static unsigned text_pan(const Raster *r)
{
    unsigned pan = r->s->ar[AR_PAN] & 15;
    return r->dot == 9 ? (pan >= 8 ? 0 : pan + 1) : pan & 7;
}

static void text_line(const Raster *r, uint32_t counter, unsigned scan, unsigned pan)
{
    uint32_t cell[9];
    unsigned half = r->s->sr[SR_CLOCKING] & SR1_DOT_HALF ? 2 : 1, x = 0;
    for (unsigned i = 0; x < r->width; i++) {
        text_cell(r, counter + i, scan, cell);
        for (unsigned d = i ? 0 : pan; d < r->dot; d++)
            for (unsigned k = 0; k < half && x < r->width; k++)
                r->out[x++] = cell[d];
    }
}

/* ---- graphics ---- */

static uint32_t graphics_address(const Vga *s, uint32_t counter, unsigned scan)
{
    uint32_t a = s->cr[CR_MODE] & CR17_BYTE ? counter : counter << 1 | (counter >> (s->cr[CR_MODE] & 0x20 ? 15 : 13) & 1);
    if (!(s->cr[CR_MODE] & CR17_A13))
        a = (a & ~0x2000u) | (scan & 1) << 13;
    if (!(s->cr[CR_MODE] & CR17_A14))
        a = (a & ~0x4000u) | (scan >> 1 & 1) << 14;
    return a & 0xffff;
}

/* The eight attribute values of the four bytes at one address: planar, or two bits per pixel from plane pairs (CGA). */
static void pixels_16(const Vga *s, const uint8_t *p, uint8_t out[8])
{
    if (s->gr[GR_MODE] & 0x20) {
        for (unsigned x = 0; x < 8; x++) {
            unsigned shift = 6 - 2 * (x & 3), lo = x < 4 ? 0 : 1;
            out[x] = (p[lo] >> shift & 3) | (p[lo + 2] >> shift & 3) << 2;
        }
        return;
    }
    for (unsigned x = 0; x < 8; x++) {
        unsigned b = 7 - x;
        out[x] = (p[0] >> b & 1) | (p[1] >> b & 1) << 1 | (p[2] >> b & 1) << 2 | (p[3] >> b & 1) << 3;
    }
}

static void graphics_line_16(const Raster *r, uint32_t counter, unsigned scan, unsigned pan)
{
    const Vga *s = r->s;
    uint8_t px[8];
    unsigned half = s->sr[SR_CLOCKING] & SR1_DOT_HALF ? 2 : 1, x = 0;
    for (unsigned i = 0; x < r->width; i++) {
        pixels_16(s, s->mem + 4 * graphics_address(s, counter + i, scan), px);
        for (unsigned d = i ? 0 : pan & 7; d < 8; d++)
            for (unsigned k = 0; k < half && x < r->width; k++)
                r->out[x++] = r->attr[px[d]];
    }
}

/* 256 colours: each pixel is two dots.  Addresses count dwords in chain-4 and in "mode X" alike (vga_mem.c). */
static void graphics_line_256(const Raster *r, uint32_t counter, unsigned scan, unsigned pan)
{
    const Vga *s = r->s;
    unsigned x = 0;
    for (unsigned i = 0; x < r->width; i++) {
        uint32_t a = counter + i;
        if (!(s->cr[CR_MODE] & CR17_A13))
            a = (a & ~0x2000u) | (scan & 1) << 13;
        const uint8_t *p = s->mem + 4 * (a & 0xffff);
        for (unsigned d = i ? 0 : (pan >> 1) & 3; d < 4; d++) {
            uint32_t c = r->dac[p[d]];
            for (unsigned k = 0; k < 2 && x < r->width; k++)
                r->out[x++] = c;
        }
    }
}

/* ---- the walk ---- */

typedef struct Walk {
    uint32_t row;                        /* address of the row's first character */
    unsigned scan, repeat;               /* in the row; of the doubled line */
    unsigned pan;
} Walk;

static Walk walk_start(const Raster *r)
{
    const Vga *s = r->s;
    unsigned byte_pan = s->cr[CR_PRESET_ROW] >> 5 & 3;
    return (Walk){ .row = (s->cr[CR_START_HIGH] << 8 | s->cr[CR_START_LOW]) + byte_pan, .scan = s->cr[CR_PRESET_ROW] & 31,
                   .pan = r->text ? text_pan(r) : s->ar[AR_PAN] & 7 };
}

static void walk_step(const Raster *r, Walk *w, unsigned line)
{
    const Vga *s = r->s;
    if (vga_line_compare(s, line)) {     /* the lower part of a split screen starts at address 0 */
        w->row = 0;
        w->scan = w->repeat = 0;
        if (s->ar[AR_MODE] & AR10_PAN_COMPAT)
            w->pan = 0;
        return;
    }
    if ((s->cr[CR_MAX_SCAN] & 0x80) && !w->repeat) {
        w->repeat = 1;
        return;
    }
    w->repeat = 0;
    if (w->scan == (s->cr[CR_MAX_SCAN] & 31u)) {
        w->scan = 0;
        w->row += s->cr[CR_OFFSET] * 2;
    } else {
        w->scan = (w->scan + 1) & 31;
    }
}

static void draw_standard(Raster *r, pixman_image_t *image)
{
    uint32_t *base = pixman_image_get_data(image);
    unsigned stride = (unsigned)pixman_image_get_stride(image) / 4;
    unsigned mode = (r->s->gr[GR_MODE] & GR5_SHIFT) >> 5;
    Walk w = walk_start(r);
    for (unsigned y = 0; y < r->height; y++) {
        r->out = base + y * stride;
        if (r->text)
            text_line(r, w.row, w.scan, w.pan);
        else if (mode >= 2)
            graphics_line_256(r, w.row, w.scan, w.pan);
        else
            graphics_line_16(r, w.row, w.scan, w.pan);
        walk_step(r, &w, y);
    }
}

/* ---- what to draw ---- */

static bool blanked(const Vga *s) { return !(s->ar_index & ARX_PAS) || (s->sr[SR_CLOCKING] & SR1_SCREEN_OFF); }

static void raster_init(Raster *r, const Vga *s)
{
    int64_t ms = clock_ns(s->clock) / 1000000;
    memset(r, 0, sizeof *r);
    r->s = s;
    r->text = !(s->gr[GR_MISC] & GR6_GRAPHICS);
    r->cells = s->cr[CR_H_DISPLAY_END] + 1;
    r->dot = r->text && !(s->sr[SR_CLOCKING] & SR1_8DOT) ? 9 : 8;
    r->width = r->cells * r->dot * (s->sr[SR_CLOCKING] & SR1_DOT_HALF ? 2 : 1);
    r->height = vga_lines_shown(s);
    r->cursor_on = ms % (2 * CURSOR_PERIOD_MS) < CURSOR_PERIOD_MS;
    r->blink_off = ms % (2 * BLINK_PERIOD_MS) >= BLINK_PERIOD_MS;
    colours(r);
}

static void resize(Vga *s, unsigned w, unsigned h, bool *full)
{
    pixman_image_t *old = con_surface(s->con);
    if (w == s->drawn_w && h == s->drawn_h && old)
        return;
    con_resize(s->con, w, h);
    s->drawn_w = w;
    s->drawn_h = h;
    *full = true;
}

static void draw_blank(Vga *s, bool full)
{
    if (!s->drawn_w)
        resize(s, 640, 480, &full);
    if (!full && !s->regs_changed)
        return;
    pixman_image_t *image = con_surface(s->con);
    memset(pixman_image_get_data(image), 0, (size_t)pixman_image_get_stride(image) * s->drawn_h);
    con_damage(s->con, 0, 0, (int)s->drawn_w, (int)s->drawn_h);
}

static void update_standard(Vga *s, bool full)
{
    Raster r;
    raster_init(&r, s);
    resize(s, r.width, r.height, &full);
    uint8_t phase = r.text ? r.cursor_on | r.blink_off << 1 : 0;
    bool dirty = mem_test_clear_dirty(s->vram, 0, VGA_PLANAR_SIZE, MEM_DIRTY_VGA);
    if (!dirty && !full && !s->regs_changed && phase == s->drawn_phase)
        return;
    s->drawn_phase = phase;
    draw_standard(&r, con_surface(s->con));
    con_damage(s->con, 0, 0, (int)r.width, (int)r.height);
}

/* ---- DISPI modes ---- */

typedef void LineFn(const Raster *r, const uint8_t *from, unsigned w);

static void line_8(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++)
        r->out[x] = r->dac[p[x]];
}

static uint32_t widen(uint32_t v, unsigned bits) { return v << (8 - bits) | v >> (2 * bits - 8); }

static void line_15(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++) {
        uint32_t v = ld_le16(p + 2 * x);
        r->out[x] = widen(v >> 10 & 31, 5) << 16 | widen(v >> 5 & 31, 5) << 8 | widen(v & 31, 5);
    }
}

static void line_16(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++) {
        uint32_t v = ld_le16(p + 2 * x);
        r->out[x] = widen(v >> 11, 5) << 16 | widen(v >> 5 & 63, 6) << 8 | widen(v & 31, 5);
    }
}

static void line_24(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++)
        r->out[x] = p[3 * x] | p[3 * x + 1] << 8 | (uint32_t)p[3 * x + 2] << 16;
}

static void line_32(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++)
        r->out[x] = ld_le32(p + 4 * x) & 0xffffff;
}

static void line_4(const Raster *r, const uint8_t *p, unsigned w)
{
    for (unsigned x = 0; x < w; x++) {
        const uint8_t *q = p + 4 * (x / 8);
        unsigned b = 7 - x % 8;
        r->out[x] = r->attr[(q[0] >> b & 1) | (q[1] >> b & 1) << 1 | (q[2] >> b & 1) << 2 | (q[3] >> b & 1) << 3];
    }
}

static LineFn *line_fn(unsigned bpp)
{
    switch (bpp) {
    case 4: return line_4;
    case 15: return line_15;
    case 16: return line_16;
    case 24: return line_24;
    case 32: return line_32;
    default: return line_8;
    }
}

/* Which pages of memory were written: asked once per page, since lines share pages. */
static uint8_t *dirty_pages(const Vga *s, uint64_t from, uint64_t to, bool *any)
{
    uint64_t first = from / PAGE, n = (to + PAGE - 1) / PAGE - first;
    uint8_t *map = g_malloc0(n);
    *any = false;
    for (uint64_t i = 0; i < n; i++)
        *any |= map[i] = mem_test_clear_dirty(s->vram, (first + i) * PAGE, PAGE, MEM_DIRTY_VGA);
    return map;
}

static bool line_dirty(const uint8_t *map, uint64_t from, uint64_t start, uint32_t len)
{
    uint64_t first = from / PAGE;
    for (uint64_t p = start / PAGE; p <= (start + len - 1) / PAGE; p++)
        if (map[p - first])
            return true;
    return false;
}

static void update_dispi(Vga *s, bool full)
{
    const uint16_t *d = s->dispi;
    unsigned w = d[DISPI_XRES], h = d[DISPI_YRES], bpp = d[DISPI_BPP];
    uint32_t pitch = dispi_line_bytes(s), len = bpp == 4 ? w / 2 : w * ((bpp + 7) / 8);
    uint64_t start = (uint64_t)d[DISPI_Y_OFFSET] * pitch + (bpp == 4 ? d[DISPI_X_OFFSET] / 8 * 4u : d[DISPI_X_OFFSET] * ((bpp + 7) / 8));
    Raster r;
    raster_init(&r, s);
    resize(s, w, h, &full);
    uint64_t end = MIN(start + (uint64_t)pitch * (h - 1) + len, s->mem_size);
    bool any;
    g_autofree uint8_t *map = dirty_pages(s, start, end, &any);
    full |= s->regs_changed;
    if (!any && !full)
        return;
    uint32_t *base = pixman_image_get_data(con_surface(s->con));
    unsigned stride = (unsigned)pixman_image_get_stride(con_surface(s->con)) / 4, top = h, bottom = 0;
    for (unsigned y = 0; y < h; y++) {
        uint64_t at = start + (uint64_t)y * pitch;
        if (at + len > s->mem_size || (!full && !line_dirty(map, start, at, len)))
            continue;
        r.out = base + y * stride;
        line_fn(bpp)(&r, s->mem + at, w);
        top = MIN(top, y);
        bottom = y + 1;
    }
    if (bottom > top)
        con_damage(s->con, 0, (int)top, (int)w, (int)(bottom - top));
}

static void vga_update(void *opaque, bool full)
{
    Vga *s = opaque;
    if (blanked(s))
        draw_blank(s, full);
    else if (dispi_on(s))
        update_dispi(s, full);
    else
        update_standard(s, full);
    s->regs_changed = false;
}

/* ---- the screen as text ---- */

/* Code page 437 as Unicode, for 00-1f and 7f-ff. */
static const uint16_t cp437_low[32] = {
    0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a, 0x266b,
    0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8, 0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194,
    0x25b2, 0x25bc };
static const uint16_t cp437_high[129] = {
    0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec,
    0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3,
    0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd,
    0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551,
    0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554,
    0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a,
    0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
    0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7,
    0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x0020 };

static gunichar cp437(uint8_t ch)
{
    return ch < 0x20 ? cp437_low[ch] : ch >= 0x7f ? cp437_high[ch - 0x7f] : ch;
}

static void text_row(const Vga *s, uint32_t counter, unsigned cells, GString *out)
{
    gsize keep = out->len;
    for (unsigned i = 0; i < cells; i++) {
        uint8_t ch = s->mem[4 * plane_address(s, counter + i)];
        g_string_append_unichar(out, cp437(ch));
        if (ch && ch != ' ' && ch != 0xff)
            keep = out->len;
    }
    g_string_truncate(out, keep);
    g_string_append_c(out, '\n');
}

static bool vga_text(void *opaque, GString *out)
{
    Vga *s = opaque;
    if (dispi_on(s) || (s->gr[GR_MISC] & GR6_GRAPHICS) || blanked(s))
        return false;
    unsigned scans = ((s->cr[CR_MAX_SCAN] & 31) + 1) * (s->cr[CR_MAX_SCAN] & 0x80 ? 2 : 1);
    unsigned rows = MAX(vga_lines_shown(s) / scans, 1);
    uint32_t counter = s->cr[CR_START_HIGH] << 8 | s->cr[CR_START_LOW];
    for (unsigned y = 0; y < rows; y++)
        text_row(s, counter + y * s->cr[CR_OFFSET] * 2, s->cr[CR_H_DISPLAY_END] + 1, out);
    return true;
}

const ConsoleOps vga_console_ops = { .update = vga_update, .text = vga_text };
