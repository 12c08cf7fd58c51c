/* Values of the vector ops: bits, integers, and moving of elements, in plain
 * C, element by element.  Slow and obvious: the oracle of the host back ends.
 * Floating point and cryptography are in interp_vfp.c.
 *
 * The rows and their meaning are in vops.def. */
#include "tcg/vec.h"

#include <string.h>

#include "tcg/interp_vec.h"
#include "tcg/ir.h"
#include "util/bits.h"

/* ---- elements ---- */

static uint64_t elem(const VecLanes *v, unsigned e, unsigned i)
{
    switch (e) {
    case VE_8: return v->b[i];
    case VE_16: return v->h[i];
    case VE_32: return v->s[i];
    default: return v->d[i];
    }
}

static int64_t selem(const VecLanes *v, unsigned e, unsigned i)
{
    return bits_sext(elem(v, e, i), 8u << e);
}

static void set_elem(VecLanes *v, unsigned e, unsigned i, uint64_t x)
{
    switch (e) {
    case VE_8: v->b[i] = (uint8_t)x; break;
    case VE_16: v->h[i] = (uint16_t)x; break;
    case VE_32: v->s[i] = (uint32_t)x; break;
    default: v->d[i] = x; break;
    }
}

static unsigned lanes(unsigned e) { return 16u >> e; }

static int64_t sat_s(int64_t v, unsigned w)
{
    int64_t max = ((int64_t)1 << (w - 1)) - 1;
    return v > max ? max : v < -max - 1 ? -max - 1 : v;
}

static int64_t sat_u(int64_t v, unsigned w)
{
    int64_t max = ((int64_t)1 << w) - 1;
    return v > max ? max : v < 0 ? 0 : v;
}

static uint64_t shift(unsigned op, unsigned w, uint64_t a, uint64_t n)
{
    int64_t s = bits_sext(a, w);
    switch (op) {
    case IR_vshl: case IR_vshli: case IR_vshlv: return n < w ? a << n : 0;
    case IR_vshr: case IR_vshri: case IR_vshrv: return n < w ? a >> n : 0;
    default: return (uint64_t)(s >> (n < w ? n : w - 1));
    }
}

/* One element of the ops that treat all elements alike; false if op is not one of those. */
static bool lane(unsigned op, unsigned w, uint64_t a, uint64_t b, uint64_t *d)
{
    int64_t s = bits_sext(a, w), t = bits_sext(b, w);
    switch (op) {
    case IR_vand: *d = a & b; break;
    case IR_vor: *d = a | b; break;
    case IR_vxor: *d = a ^ b; break;
    case IR_vandn: *d = ~a & b; break;
    case IR_vadd: *d = a + b; break;
    case IR_vsub: *d = a - b; break;
    case IR_vadds: *d = (uint64_t)sat_s(s + t, w); break;
    case IR_vaddus: *d = (uint64_t)sat_u((int64_t)(a + b), w); break;
    case IR_vsubs: *d = (uint64_t)sat_s(s - t, w); break;
    case IR_vsubus: *d = (uint64_t)sat_u((int64_t)(a - b), w); break;
    case IR_vmullo: *d = a * b; break;
    case IR_vmulhs: *d = (uint64_t)(s * t >> w); break;
    case IR_vmulhu: *d = a * b >> w; break;
    case IR_vmulhrs: *d = (uint64_t)(((s * t >> 14) + 1) >> 1); break;
    case IR_vavg: *d = (a + b + 1) >> 1; break;
    case IR_vmins: *d = s < t ? a : b; break;
    case IR_vminu: *d = a < b ? a : b; break;
    case IR_vmaxs: *d = s > t ? a : b; break;
    case IR_vmaxu: *d = a > b ? a : b; break;
    case IR_vcmpeq: *d = a == b ? UINT64_MAX : 0; break;
    case IR_vcmpgt: *d = s > t ? UINT64_MAX : 0; break;
    case IR_vabs: *d = s < 0 ? 0 - a : a; break;
    case IR_vsign: *d = t < 0 ? 0 - a : t == 0 ? 0 : a; break;
    case IR_vshlv: case IR_vshrv: case IR_vsarv: *d = shift(op, w, a, b); break;
    default: return false;
    }
    return true;
}

/* ---- sums and products across elements ---- */

static void mul2(VecLanes *d, const VecLanes *a, const VecLanes *b, bool is_signed)
{
    for (unsigned i = 0; i < 2; i++) {
        d->d[i] = is_signed ? (uint64_t)(selem(a, VE_32, 2 * i) * selem(b, VE_32, 2 * i))
                            : elem(a, VE_32, 2 * i) * elem(b, VE_32, 2 * i);
    }
}

static void madd(VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    for (unsigned i = 0; i < 4; i++) {
        d->s[i] = (uint32_t)(selem(a, VE_16, 2 * i) * selem(b, VE_16, 2 * i)
                             + selem(a, VE_16, 2 * i + 1) * selem(b, VE_16, 2 * i + 1));
    }
}

static void maddus(VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    for (unsigned i = 0; i < 8; i++) {
        int64_t lo = a->b[2 * i] * selem(b, VE_8, 2 * i), hi = a->b[2 * i + 1] * selem(b, VE_8, 2 * i + 1);
        d->h[i] = (uint16_t)sat_s(lo + hi, 16);
    }
}

static unsigned absdiff(unsigned a, unsigned b) { return a > b ? a - b : b - a; }

static void sad(VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    for (unsigned i = 0; i < 2; i++) {
        d->d[i] = 0;
        for (unsigned j = 8 * i; j < 8 * i + 8; j++) {
            d->d[i] += absdiff(a->b[j], b->b[j]);
        }
    }
}

static void mpsad(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned imm)
{
    const uint8_t *p = &a->b[imm & 4], *q = &b->b[(imm & 3) * 4];
    for (unsigned i = 0; i < 8; i++) {
        d->h[i] = 0;
        for (unsigned j = 0; j < 4; j++) {
            d->h[i] += absdiff(p[i + j], q[j]);
        }
    }
}

static void hadd(unsigned op, VecLanes *d, unsigned e, const VecLanes *a, const VecLanes *b)
{
    unsigned n = lanes(e);
    for (unsigned i = 0; i < n; i++) {
        const VecLanes *v = i < n / 2 ? a : b;
        unsigned j = 2 * (i % (n / 2));
        int64_t l = selem(v, e, j), h = selem(v, e, j + 1);
        int64_t r = op == IR_vhadd || op == IR_vhadds ? l + h : l - h;
        set_elem(d, e, i, (uint64_t)(op == IR_vhadds || op == IR_vhsubs ? sat_s(r, 16) : r));
    }
}

static void minpos(VecLanes *d, const VecLanes *a)
{
    unsigned best = 0;
    for (unsigned i = 1; i < 8; i++) {
        best = a->h[i] < a->h[best] ? i : best;
    }
    d->d[0] = a->h[best] | (uint64_t)best << 16;
    d->d[1] = 0;
}

/* ---- moving elements ---- */

static void byte_shift(VecLanes *d, const VecLanes *hi, const VecLanes *lo, unsigned n)
{
    uint8_t t[64] = { 0 };
    memcpy(t, lo, 16);
    memcpy(t + 16, hi, 16);
    memcpy(d, t + (n < 32 ? n : 32), 16);
}

static void shufb(VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    for (unsigned i = 0; i < 16; i++) {
        d->b[i] = b->b[i] & 0x80 ? 0 : a->b[b->b[i] & 15];
    }
}

static void shuf4(VecLanes *d, const VecLanes *a, unsigned e, unsigned first, unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) {
        set_elem(d, e, first + i, elem(a, e, first + (imm >> 2 * i & 3)));
    }
}

static void shuf2(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned e, unsigned imm)
{
    unsigned n = lanes(e), bits = e == VE_32 ? 2 : 1;
    for (unsigned i = 0; i < n; i++) {
        set_elem(d, e, i, elem(i < n / 2 ? a : b, e, imm >> (bits * i) & (n - 1)));
    }
}

static void permil(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned e)
{
    for (unsigned i = 0; i < lanes(e); i++) {
        set_elem(d, e, i, elem(a, e, e == VE_32 ? b->s[i] & 3 : b->d[i] >> 1 & 1));
    }
}

static void unpack(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned e, unsigned first)
{
    for (unsigned i = 0; i < lanes(e); i++) {
        set_elem(d, e, i, elem(i & 1 ? b : a, e, first + i / 2));
    }
}

static void pack(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned e, bool is_signed)
{
    unsigned n = lanes(e), w = 4u << e;
    for (unsigned i = 0; i < 2 * n; i++) {
        int64_t v = selem(i < n ? a : b, e, i % n);
        set_elem(d, e - 1, i, (uint64_t)(is_signed ? sat_s(v, w) : sat_u(v, w)));
    }
}

static void widen(VecLanes *d, const VecLanes *a, unsigned kind, bool is_signed)
{
    static const uint8_t from[] = { VE_8, VE_8, VE_8, VE_16, VE_16, VE_32 };
    static const uint8_t to[] = { VE_16, VE_32, VE_64, VE_32, VE_64, VE_64 };
    for (unsigned i = 0; i < lanes(to[kind]); i++) {
        set_elem(d, to[kind], i, is_signed ? (uint64_t)selem(a, from[kind], i) : elem(a, from[kind], i));
    }
}

static void insertf(VecLanes *d, const VecLanes *a, const VecLanes *b, unsigned imm)
{
    *d = *a;
    d->s[imm >> 4 & 3] = b->s[imm >> 6];
    for (unsigned i = 0; i < 4; i++) {
        d->s[i] = imm >> i & 1 ? 0 : d->s[i];
    }
}

static uint64_t movmsk(const VecLanes *a, unsigned e)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < lanes(e); i++) {
        r |= (uint64_t)(selem(a, e, i) < 0) << i;
    }
    return r;
}

static uint64_t test(const VecLanes *a, const VecLanes *b, unsigned kind)
{
    uint64_t m = kind == VE_32 ? 0x8000000080000000u : kind == VE_64 ? BIT(63) : UINT64_MAX;
    uint64_t zf = ((a->d[0] & b->d[0]) | (a->d[1] & b->d[1])) & m;
    uint64_t cf = ((~a->d[0] & b->d[0]) | (~a->d[1] & b->d[1])) & m;
    return (zf == 0 ? BIT(6) : 0) | (cf == 0 ? 1 : 0);
}

/* Ops with a shape of their own. */
static uint64_t special(unsigned op, unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b, const VecLanes *c,
                        uint64_t i)
{
    unsigned e = vec_kind(x), imm = vec_imm(x), n;
    switch (op) {
    case IR_vzero: break;
    case IR_vmov: *d = *a; break;
    case IR_vfromi: d->d[0] = x == 32 ? (uint32_t)i : i; break;
    case IR_vextract: return elem(a, (unsigned)__builtin_ctz(e) - 3, imm);
    case IR_vinsert: *d = *a; set_elem(d, (unsigned)__builtin_ctz(e) - 3, imm, i); break;
    case IR_vmul2u: mul2(d, a, b, false); break;
    case IR_vmul2s: mul2(d, a, b, true); break;
    case IR_vmadd: madd(d, a, b); break;
    case IR_vmaddus: maddus(d, a, b); break;
    case IR_vsad: sad(d, a, b); break;
    case IR_vmpsad: mpsad(d, a, b, imm); break;
    case IR_vhadd: case IR_vhadds: case IR_vhsub: case IR_vhsubs: hadd(op, d, e, a, b); break;
    case IR_vminpos: minpos(d, a); break;
    case IR_vshl: case IR_vshr: case IR_vsar:
        for (n = 0; n < lanes(e); n++) set_elem(d, e, n, shift(op, 8u << e, elem(a, e, n), b->d[0]));
        break;
    case IR_vshli: case IR_vshri: case IR_vsari:
        for (n = 0; n < lanes(e); n++) set_elem(d, e, n, shift(op, 8u << e, elem(a, e, n), imm));
        break;
    case IR_vbshl: byte_shift(d, a, d, imm < 16 ? 16 - imm : 0); break;
    case IR_vbshr: byte_shift(d, d, a, imm < 16 ? imm : 16); break;
    case IR_vshufb: shufb(d, a, b); break;
    case IR_vshuf32: shuf4(d, a, VE_32, 0, imm); break;
    case IR_vshuflo: *d = *a; shuf4(d, a, VE_16, 0, imm); break;
    case IR_vshufhi: *d = *a; shuf4(d, a, VE_16, 4, imm); break;
    case IR_vshuf2: shuf2(d, a, b, e, imm); break;
    case IR_vpermil: permil(d, a, b, e); break;
    case IR_vunpklo: unpack(d, a, b, e, 0); break;
    case IR_vunpkhi: unpack(d, a, b, e, lanes(e) / 2); break;
    case IR_vpacks: pack(d, a, b, e, true); break;
    case IR_vpackus: pack(d, a, b, e, false); break;
    case IR_valign: byte_shift(d, a, b, imm); break;
    case IR_vblendi:
        for (n = 0; n < lanes(e); n++) set_elem(d, e, n, elem(imm >> n & 1 ? b : a, e, n));
        break;
    case IR_vblend:
        for (n = 0; n < lanes(e); n++) set_elem(d, e, n, elem(selem(c, e, n) < 0 ? b : a, e, n));
        break;
    case IR_vinsertf: insertf(d, a, b, imm); break;
    case IR_vdup:
        for (n = 0; n < lanes(e); n++) set_elem(d, e, n, elem(a, e, 0));
        break;
    case IR_vwidens: widen(d, a, e, true); break;
    case IR_vwidenu: widen(d, a, e, false); break;
    case IR_vmovmsk: return movmsk(a, e);
    case IR_vtest: return test(a, b, e);
    default: return vec_eval_fp(op, x, d, a, b, c, i);
    }
    return 0;
}

uint64_t vec_eval(unsigned op, unsigned x, void *dp, const void *ap, const void *bp, const void *cp, uint64_t i)
{
    VecLanes d = { .d = { 0, 0 } }, a = d, b = d, c = d;
    unsigned e = vec_kind(x) & 3, n;
    uint64_t r = 0, v = 0;
    if (ap) memcpy(&a, ap, 16);
    if (bp) memcpy(&b, bp, 16);
    if (cp) memcpy(&c, cp, 16);
    if (lane(op, 8u << e, 0, 0, &v)) {
        for (n = 0; n < lanes(e); n++) {
            lane(op, 8u << e, elem(&a, e, n), elem(&b, e, n), &v);
            set_elem(&d, e, n, v);
        }
    } else {
        r = special(op, x, &d, &a, &b, &c, i);
    }
    if (dp) memcpy(dp, &d, 16);
    return r;
}
