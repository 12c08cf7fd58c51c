/* EDID 1.4 block of an imaginary monitor (VESA E-EDID Standard, release A2). */
#include "hw/display/vga_core.h"

#include "util/ldst.h"

/* Detailed timing (section 3.10.2): CVT-like blanking around w by h at 60 Hz. */
static void detailed_timing(uint8_t *p, unsigned w, unsigned h)
{
    unsigned hblank = w / 4 & ~7u, vblank = h / 20 + 3, hfront = hblank / 4, hsync = hblank / 4, vfront = 3, vsync = 4;
    uint64_t clock = (uint64_t)(w + hblank) * (h + vblank) * 60 / 10000;
    st_le16(p, (uint16_t)MIN(clock, 65535));
    p[2] = w, p[3] = hblank, p[4] = (w >> 8) << 4 | hblank >> 8;
    p[5] = h, p[6] = vblank, p[7] = (h >> 8) << 4 | vblank >> 8;
    p[8] = hfront, p[9] = hsync, p[10] = (vfront & 15) << 4 | (vsync & 15);
    p[11] = (hfront >> 8) << 6 | (hsync >> 8) << 4;
    unsigned mm_w = w * 254 / 960, mm_h = h * 254 / 960;         /* 96 dots per inch */
    p[12] = mm_w, p[13] = mm_h, p[14] = (mm_w >> 8) << 4 | (mm_h >> 8 & 15);
    p[17] = 0x18;                        /* digital separate sync */
}

static void descriptor(uint8_t *p, uint8_t tag, const char *text)
{
    p[3] = tag;
    memset(p + 5, ' ', 13);
    memcpy(p + 5, text, strlen(text));
    p[5 + strlen(text)] = '\n';
}

void edid_make(uint8_t out[128], unsigned w, unsigned h)
{
    static const uint8_t magic[8] = { 0, 255, 255, 255, 255, 255, 255, 0 };
    static const uint8_t chroma[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };    /* sRGB */
    static const struct { uint16_t w; uint8_t aspect; } standard[8] = {  /* at 60 Hz; aspect 0 16:10, 1 4:3, 2 5:4, 3 16:9 */
        { 1024, 1 }, { 1280, 0 }, { 1280, 2 }, { 1440, 0 }, { 1600, 1 }, { 1680, 0 }, { 1920, 3 }, { 1920, 0 } };
    memset(out, 0, 128);
    memcpy(out, magic, sizeof magic);
    st_be16(out + 8, ('R' - 64) << 10 | ('H' - 64) << 5 | ('E' - 64));
    st_le16(out + 10, 1);
    out[16] = 1, out[17] = 36;           /* week, year - 1990 */
    out[18] = 1, out[19] = 4;            /* EDID 1.4 */
    out[20] = 0xa5;                      /* digital, 8 bits per colour, DisplayPort */
    out[21] = (uint8_t)MIN(w * 254 / 9600, 255), out[22] = (uint8_t)MIN(h * 254 / 9600, 255);
    out[23] = 120;                       /* gamma 2.2 */
    out[24] = 0x06;                      /* sRGB, preferred timing is native */
    memcpy(out + 25, chroma, sizeof chroma);
    out[35] = 0x21, out[36] = 0x08;      /* 640x480, 800x600, 1024x768 at 60 Hz */
    for (unsigned i = 0; i < 8; i++) {
        out[38 + 2 * i] = standard[i].w / 8 - 31;
        out[39 + 2 * i] = standard[i].aspect << 6;
    }
    detailed_timing(out + 54, w, h);
    descriptor(out + 72, 0xfc, "RHEA Monitor");
    out[75] = 0xfc;
    out[90 + 3] = 0xfd;                  /* range limits: 50-125 Hz, 30-160 kHz, 2550 MHz */
    memcpy(out + 90 + 5, (uint8_t[]){ 50, 125, 30, 160, 255, 1, '\n', ' ', ' ', ' ', ' ', ' ', ' ' }, 13);
    out[108 + 3] = 0x10;                 /* unused descriptor */
    for (unsigned i = 0; i < 127; i++)
        out[127] -= out[i];
}
