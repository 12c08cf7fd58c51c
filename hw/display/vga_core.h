/* Inside of hw/display: the VGA's state and what its files share. */
#ifndef RHEA_HW_VGA_CORE_H
#define RHEA_HW_VGA_CORE_H

#include "hw/core/machine.h"
#include "hw/display/vga.h"
#include "util/bits.h"

enum { VGA_PLANAR_SIZE = 256 * 1024, VGA_WINDOW = 128 * 1024, VGA_PORTS = 0x30 };

/* registers by index, names as the IBM VGA reference has them */
enum { SR_RESET, SR_CLOCKING, SR_MAP_MASK, SR_CHAR_MAP, SR_MEMORY_MODE, SR_COUNT = 8 };
enum { GR_SET_RESET, GR_ENABLE_SET_RESET, GR_COLOR_COMPARE, GR_ROTATE, GR_READ_MAP, GR_MODE, GR_MISC, GR_COLOR_DONT_CARE,
       GR_BIT_MASK, GR_COUNT = 16 };
enum { CR_H_TOTAL, CR_H_DISPLAY_END, CR_H_BLANK_START, CR_H_BLANK_END, CR_H_RETRACE_START, CR_H_RETRACE_END, CR_V_TOTAL,
       CR_OVERFLOW, CR_PRESET_ROW, CR_MAX_SCAN, CR_CURSOR_START, CR_CURSOR_END, CR_START_HIGH, CR_START_LOW,
       CR_CURSOR_HIGH, CR_CURSOR_LOW, CR_V_RETRACE_START, CR_V_RETRACE_END, CR_V_DISPLAY_END, CR_OFFSET, CR_UNDERLINE,
       CR_V_BLANK_START, CR_V_BLANK_END, CR_MODE, CR_LINE_COMPARE, CR_COUNT = 32 };
enum { AR_MODE = 0x10, AR_OVERSCAN, AR_PLANE_ENABLE, AR_PAN, AR_COLOR_SELECT, AR_COUNT = 21 };

enum { MISC_IOS = 0x01, MISC_RAM = 0x02, MISC_PAGE = 0x20 };
enum { SR1_8DOT = 0x01, SR1_DOT_HALF = 0x08, SR1_SCREEN_OFF = 0x20 };
enum { SR4_EXTENDED = 0x02, SR4_SEQUENTIAL = 0x04, SR4_CHAIN4 = 0x08 };
enum { GR5_READ_MODE = 0x08, GR5_ODD_EVEN = 0x10, GR5_SHIFT = 0x60 };
enum { GR6_GRAPHICS = 0x01, GR6_MAP = 0x0c };
enum { AR10_GRAPHICS = 0x01, AR10_MONO = 0x02, AR10_LINE_GRAPHICS = 0x04, AR10_BLINK = 0x08, AR10_PAN_COMPAT = 0x20,
       AR10_PAL_SIZE = 0x80, ARX_PAS = 0x20 };
enum { CR17_A13 = 0x01, CR17_A14 = 0x02, CR17_BYTE = 0x40 };

/* Bochs VBE "DISPI" registers */
enum { DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT,
       DISPI_X_OFFSET, DISPI_Y_OFFSET, DISPI_VIDEO_MEMORY_64K, DISPI_COUNT = 16 };
enum { DISPI_ENABLED = 0x01, DISPI_GETCAPS = 0x02, DISPI_8BIT_DAC = 0x20, DISPI_LFB = 0x40, DISPI_NOCLEAR = 0x80 };
enum { DISPI_ID5 = 0xb0c5, DISPI_MAX_X = 8192, DISPI_MAX_Y = 8192 };

typedef struct Vga {
    uint8_t misc, feature;               /* 3c2/3cc, 3xa/3ca */
    uint8_t sr_index, gr_index, cr_index, ar_index;
    uint8_t ar_data;                     /* the attribute flip-flop: next write to 3c0 is data */
    uint8_t sr[SR_COUNT], gr[GR_COUNT], cr[CR_COUNT], ar[AR_COUNT];
    uint8_t dac_mask, dac_write, dac_read, dac_sub, dac_state;
    uint8_t dac_latch[3];
    uint8_t palette[768];
    uint8_t latch[4];                    /* of the four planes */
    uint16_t dispi_index;
    uint16_t dispi[DISPI_COUNT];
    /* wiring and what is derived */
    MemRegion *window, *window_io, *window_ram, *vram;
    uint8_t *mem;                        /* of vram; plane p of address a is mem[4 * a + p] */
    uint32_t mem_size;
    Clock *clock;
    Console *con;
    /* drawing: what the surface shows */
    bool regs_changed;
    uint8_t drawn_phase;                 /* cursor and attribute blink */
    unsigned drawn_w, drawn_h;
} Vga;
#define VGA_ROWS(T, m) \
    REG_U8(T, m.misc, 0), REG_U8(T, m.feature, 0), REG_U8(T, m.sr_index, 0), REG_U8(T, m.gr_index, 0), \
    REG_U8(T, m.cr_index, 0), REG_U8(T, m.ar_index, 0), REG_U8(T, m.ar_data, 0), REG_U8(T, m.sr, 0), REG_U8(T, m.gr, 0), \
    REG_U8(T, m.cr, 0), REG_U8(T, m.ar, 0), REG_U8(T, m.dac_mask, 0xff), REG_U8(T, m.dac_write, 0), \
    REG_U8(T, m.dac_read, 0), REG_U8(T, m.dac_sub, 0), REG_U8(T, m.dac_state, 0), REG_U8(T, m.dac_latch, 0), \
    REG_U8(T, m.palette, 0), REG_U8(T, m.latch, 0), REG_U16(T, m.dispi_index, 0), REG_U16(T, m.dispi, 0), \
    LINK(T, m.window), LINK(T, m.window_io), LINK(T, m.window_ram), LINK(T, m.vram), HOST(T, m.mem), HOST(T, m.mem_size), \
    LINK(T, m.clock), HOST(T, m.con), HOST(T, m.regs_changed), HOST(T, m.drawn_phase), HOST(T, m.drawn_w), HOST(T, m.drawn_h)

/* vga.c: byte ports 3b0..3df */
uint8_t vga_port_read(Vga *s, unsigned port);
void vga_port_write(Vga *s, unsigned port, uint8_t val);
/* Timing in lines and ns, from the CRTC's registers. */
unsigned vga_lines_shown(const Vga *s);
bool vga_line_compare(const Vga *s, unsigned line);

/* vga_mem.c: the window at a0000 */
extern const MemOps vga_window_ops;      /* opaque: Vga */
void vga_window_update(Vga *s);          /* after a change of any register that says what the window shows */

/* vga_dispi.c */
uint16_t dispi_read(Vga *s);
void dispi_write(Vga *s, uint16_t val);
static inline bool dispi_on(const Vga *s) { return s->dispi[DISPI_ENABLE] & DISPI_ENABLED; }
uint32_t dispi_line_bytes(const Vga *s); /* of the virtual screen */
void dispi_loaded(Vga *s);

/* vga_draw.c */
extern const ConsoleOps vga_console_ops; /* opaque: Vga */

/* edid.c: a monitor's description whose preferred mode is w by h */
void edid_make(uint8_t out[128], unsigned w, unsigned h);

#endif
