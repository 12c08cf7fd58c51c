/* Floating-point state of a case: values worth trying, and how the x87 part of
 * the FXSAVE image goes into a vcpu and back.  See diff.h. */
#include "tests/diff/diff.h"

#include <string.h>

#include "cpu/x86/fpu.h"

static const uint32_t f32_values[] = {
    0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0xffa12345, 1,
    0x807fffff, 0x00800000, 0x80800001, 0x7f7fffff, 0xff7fffff, 0x3f000000, 0x4b000001, 0x4effffff, 0x4f000000,
    0xcf000000, 0x5effffff, 0x5f000000, 0x3dcccccd, 0x40490fdb, 0x4b7fffff, 0x3effffff, 0x40200000,
};
static const uint64_t f64_values[] = {
    0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff4123456789abc, 1, 0x800fffffffffffff,
    0x0010000000000000, 0x8010000000000001, 0x7fefffffffffffff, 0xffefffffffffffff, 0x3fe0000000000000,
    0x4330000000000001, 0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000100000,
    0x43dfffffffffffff, 0x43e0000000000000, 0xc3e0000000000000, 0x3fb999999999999a, 0x400921fb54442d18,
    0x380fffffffffffff, 0x36a0000000000000, 0x47efffffffffffff, 0x4004000000000000,
};

static uint32_t f32(Rng *r)
{
    switch (rng_below(r, 3)) {
    case 0: return f32_values[rng_below(r, G_N_ELEMENTS(f32_values))];
    case 1: return (uint32_t)(rng_next(r) >> 32 & 0x807fffff) | (0x70 + rng_below(r, 0x28)) << 23;
    default: return (uint32_t)(rng_next(r) >> 32);
    }
}

static uint64_t f64(Rng *r)
{
    switch (rng_below(r, 3)) {
    case 0: return f64_values[rng_below(r, G_N_ELEMENTS(f64_values))];
    case 1: return (rng_next(r) & 0x800fffffffffffff) | (uint64_t)(0x3e0 + rng_below(r, 0x60)) << 52;
    default: return rng_next(r);
    }
}

uint64_t diff_fp_value(Rng *r)
{
    return rng_percent(r, 50) ? f64(r) : (uint64_t)f32(r) << 32 | f32(r);
}

/* an 80-bit register image */
static void f80(Rng *r, uint8_t *p)
{
    static const uint64_t mant[] = { 0, 0x8000000000000000, 0xc000000000000000, 0xffffffffffffffff, 1,
                                     0xa000000000000001, 0x7fffffffffffffff, 0x8000000000000001 };
    static const uint16_t exps[] = { 0, 0x3fff, 0x7fff, 1, 0x7ffe, 0x3ffe, 0x4000, 0x401e, 0x403e, 0x3fc0, 0x4043 };
    uint64_t m = rng_percent(r, 40) ? mant[rng_below(r, G_N_ELEMENTS(mant))] : rng_next(r) | (uint64_t)1 << 63;
    unsigned e = rng_percent(r, 40) ? exps[rng_below(r, G_N_ELEMENTS(exps))]
               : rng_percent(r, 70) ? 0x3fe0 + rng_below(r, 0x80) : rng_below(r, 0x8000);
    uint16_t se = (uint16_t)(e | (rng_next(r) >> 40 & 0x8000));
    memcpy(p, &m, 8);
    memcpy(p + 8, &se, 2);
    memset(p + 10, 0, 6);
}

void diff_fp_regs(Rng *r, DiffCase *c)
{
    static const uint16_t precision[] = { 0x000, 0x200, 0x300, 0x300 };
    DiffRegs *g = &c->regs;
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned k = 0; k < 4; k++) {
            bool none = c->mode == 32 && i >= 8;
            uint64_t v = diff_fp_value(r);
            g->ymm[i][k] = none ? 0 : rng_percent(r, 60) ? v : g->ymm[i][k];
        }
    }
    g->mxcsr = 0x1f80;
    if (rng_percent(r, 50)) {
        g->mxcsr |= (uint32_t)rng_next(r) & 0xe07f;
    }
    if (rng_percent(r, 10)) {
        g->mxcsr &= ~((uint32_t)rng_next(r) & 0x1f80);
    }
    uint16_t fcw = 0x37f, fsw, top = (uint16_t)rng_below(r, 8);
    if (rng_percent(r, 50)) {
        fcw = (uint16_t)(0x7f | precision[rng_below(r, 4)] | rng_below(r, 4) << 10);
    }
    if (rng_percent(r, 15)) {
        fcw &= (uint16_t)~(rng_next(r) & 0x3f);
    }
    fsw = (uint16_t)(top << 11 | (rng_percent(r, 30) ? rng_next(r) & fcw & 0x3f : 0) | (rng_next(r) & 0x4700));
    memset(g->x87, 0, sizeof g->x87);
    memcpy(g->x87, &fcw, 2);
    memcpy(g->x87 + 2, &fsw, 2);
    g->x87[4] = rng_percent(r, 50) ? 0xff : (uint8_t)(rng_next(r) | rng_next(r));
    memcpy(g->x87 + 28, "\xff\xff", 2);
    for (unsigned i = 0; i < 8; i++) {
        f80(r, g->x87 + 32 + 16 * i);
    }
}

void diff_fp_load(X86Cpu *cpu, const DiffCase *c)
{
    X86Fpu *f = &cpu->fpu;
    const uint8_t *x = c->regs.x87;
    memcpy(&f->fcw, x, 2);
    f->fip = f->fdp = f->fcs = f->fds = f->fop = 0;
    fpu_set_fsw(f, (uint16_t)(x[2] | x[3] << 8));
    fpu_set_ftw8(f, x[4]);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&f->st[(f->top + i) & 7].mant, x + 32 + 16 * i, 8);
        memcpy(&f->st[(f->top + i) & 7].exp, x + 40 + 16 * i, 2);
    }
    x86_update_mode(cpu);
}

void diff_fp_store(const X86Cpu *cpu, DiffRegs *d)
{
    const X86Fpu *f = &cpu->fpu;
    uint16_t fsw = fpu_get_fsw(f);
    memset(d->x87, 0, sizeof d->x87);
    memcpy(d->x87, &f->fcw, 2);
    memcpy(d->x87 + 2, &fsw, 2);
    d->x87[4] = fpu_get_ftw8(f);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(d->x87 + 32 + 16 * i, &f->st[(f->top + i) & 7].mant, 8);
        memcpy(d->x87 + 40 + 16 * i, &f->st[(f->top + i) & 7].exp, 2);
    }
}

/* What empty registers hold is not compared. */
void diff_fp_compare(const DiffCase *c, GString *s)
{
    const uint8_t *n = c->native.regs.x87, *g = c->guest.regs.x87;
    unsigned top = n[3] >> 3 & 7;
    if (memcmp(n, g, 5)) {
        g_string_append_printf(s, "  x87: was fcw %02x%02x fsw %02x%02x tags %02x  host %02x%02x %02x%02x %02x"
                               "  here %02x%02x %02x%02x %02x\n", c->regs.x87[1], c->regs.x87[0], c->regs.x87[3],
                               c->regs.x87[2], c->regs.x87[4], n[1], n[0], n[3], n[2], n[4], g[1], g[0], g[3], g[2], g[4]);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *a = n + 32 + 16 * i, *b = g + 32 + 16 * i;
        if (n[4] >> ((top + i) & 7) & 1 && memcmp(a, b, 10)) {
            g_string_append_printf(s, "  st%u: host", i);
            for (int k = 9; k >= 0; k--) g_string_append_printf(s, "%s%02x", k == 7 ? ":" : k == 9 ? " " : "", a[k]);
            g_string_append(s, "  here");
            for (int k = 9; k >= 0; k--) g_string_append_printf(s, "%s%02x", k == 7 ? ":" : k == 9 ? " " : "", b[k]);
            g_string_append_c(s, '\n');
        }
    }
}
