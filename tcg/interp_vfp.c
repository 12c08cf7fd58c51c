/* Values of the floating-point and cryptography rows of vops.def on an x86-64
 * host: the host's own instruction on operands in memory, one at a time, under
 * the MXCSR that the caller has loaded.
 *
 * Inline assembly rather than C arithmetic: a compiler may swap the operands
 * of a + b, which changes the NaN that comes out, or move the operation across
 * a change of MXCSR.  Immediate forms that would need a case for each value are
 * built from scalar pieces with the same result and flags.
 *
 * A row whose instruction the host lacks (AES, SHA, FMA, F16C ...) is not
 * reached: the guest CPU does not offer it then (x86_host_mask). */
#include "tcg/interp_vec.h"

#include <emmintrin.h>

#include "tcg/ir.h"
#include "tcg/vec.h"
#include "util/bits.h"

static __m128i in(const VecLanes *v) { return _mm_load_si128((const __m128i *)v); }
static void out(VecLanes *v, __m128i x) { _mm_store_si128((__m128i *)v, x); }

/* One instruction, r = r op y or r = op y. */
#define ASM2(insn) __asm__ volatile(insn " %1, %0" : "+x"(r) : "x"(y))
#define BY_KIND(name) \
    switch (k) { \
    case VF_PS: ASM2(name "ps"); break; \
    case VF_PD: ASM2(name "pd"); break; \
    case VF_SS: ASM2(name "ss"); break; \
    default: ASM2(name "sd"); break; \
    } \
    break
#define PACKED(name) if (k == VF_PS) ASM2(name "ps"); else ASM2(name "pd"); break
#define SINGLE(name) if (k == VF_PS) ASM2(name "ps"); else ASM2(name "ss"); break

static void arith(unsigned op, unsigned k, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    __m128i r = in(a), y = in(b);
    switch (op) {
    case IR_vfadd: BY_KIND("add");
    case IR_vfsub: BY_KIND("sub");
    case IR_vfmul: BY_KIND("mul");
    case IR_vfdiv: BY_KIND("div");
    case IR_vfmin: BY_KIND("min");
    case IR_vfmax: BY_KIND("max");
    case IR_vfsqrt: BY_KIND("sqrt");
    case IR_vfaddsub: PACKED("addsub");
    case IR_vfhadd: PACKED("hadd");
    case IR_vfhsub: PACKED("hsub");
    case IR_vfrcp: SINGLE("rcp");
    case IR_vfrsqrt: SINGLE("rsqrt");
    default: g_assert_not_reached();
    }
    out(d, r);
}

static bool is_double(unsigned k) { return k == VF_PD || k == VF_SD; }
static bool is_scalar(unsigned k) { return k >= VF_SS; }
/* How many elements an FP op works on. */
static unsigned nlanes(unsigned k) { return is_scalar(k) ? 1 : is_double(k) ? 2 : 4; }

static __m128i lane_in(const VecLanes *v, unsigned k, unsigned i)
{
    return _mm_cvtsi64_si128((long long)(is_double(k) ? v->d[i] : v->s[i]));
}

static void lane_out(VecLanes *v, unsigned k, unsigned i, __m128i x)
{
    uint64_t u = (uint64_t)_mm_cvtsi128_si64(x);
    if (is_double(k)) {
        v->d[i] = u;
    } else {
        v->s[i] = (uint32_t)u;
    }
}

/* ---- round ---- */

#define R(n) case n: \
        if (dbl) { ASM2("roundsd $" #n ","); } else { ASM2("roundss $" #n ","); } \
        break;
static __m128i round1(bool dbl, unsigned imm, __m128i y)
{
    __m128i r = y;
    switch (imm & 15) {
    R(0) R(1) R(2) R(3) R(4) R(5) R(6) R(7) R(8) R(9) R(10) R(11) R(12) R(13) R(14) R(15)
    }
    return r;
}
#undef R

static void round_all(unsigned k, unsigned imm, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    *d = *a;
    for (unsigned i = 0; i < nlanes(k); i++) {
        lane_out(d, k, i, round1(is_double(k), imm, lane_in(b, k, i)));
    }
}

/* ---- compare ---- */

/* Bits 0, 2, 6 as EFLAGS after COMISx (signalling) or UCOMISx. */
static unsigned compare(bool dbl, bool signalling, __m128i x, __m128i y)
{
    bool c, p, z;
#define CMP(insn) __asm__ volatile(insn " %4, %3" : "=@ccc"(c), "=@ccp"(p), "=@ccz"(z) : "x"(x), "x"(y))
    if (dbl) {
        if (signalling) CMP("comisd"); else CMP("ucomisd");
    } else {
        if (signalling) CMP("comiss"); else CMP("ucomiss");
    }
#undef CMP
    return c | p << 2 | z << 6;
}

enum { LT = 1, EQ = 2, GT = 4, UN = 8, SIG = 16 };
/* What each predicate accepts, and whether it signals on quiet NaNs (inverted for 16..31). */
static const uint8_t predicate[16] = {
    EQ, LT | SIG, LT | EQ | SIG, UN, LT | GT | UN, EQ | GT | UN | SIG, GT | UN | SIG, LT | EQ | GT,
    EQ | UN, LT | UN | SIG, LT | EQ | UN | SIG, 0, LT | GT, EQ | GT | SIG, GT | SIG, LT | EQ | GT | UN,
};

static void compare_all(unsigned k, unsigned imm, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    unsigned p = predicate[imm & 15] ^ (imm & 16);
    *d = *a;
    for (unsigned i = 0; i < nlanes(k); i++) {
        unsigned fl = compare(is_double(k), p & SIG, lane_in(a, k, i), lane_in(b, k, i));
        unsigned is = fl & 4 ? UN : fl & 1 ? LT : fl & 64 ? EQ : GT;
        lane_out(d, k, i, _mm_set1_epi32(p & is ? -1 : 0));
    }
}

/* ---- dot product ---- */

#define D(n) case n: __asm__ volatile("dpps $" #n "*16+15, %1, %0" : "+x"(r) : "x"(y)); break;
#define E(n) case n: __asm__ volatile("dppd $" #n "*16+3, %1, %0" : "+x"(r) : "x"(y)); break;
static void dot(unsigned k, unsigned imm, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    __m128i r = in(a), y = in(b);
    if (k == VF_PS) {
        switch (imm >> 4) {
        D(0) D(1) D(2) D(3) D(4) D(5) D(6) D(7) D(8) D(9) D(10) D(11) D(12) D(13) D(14) D(15)
        }
    } else {
        switch (imm >> 4 & 3) {
        E(0) E(1) E(2) E(3)
        }
    }
    out(d, r);
    for (unsigned i = 0; i < nlanes(k); i++) {
        if (!(imm >> i & 1)) lane_out(d, k, i, _mm_setzero_si128());
    }
}
#undef D
#undef E

/* ---- fused multiply-add ---- */

/* x * y + z, packed; operands by role, so one order of the instruction serves all. */
static __m128i fma_packed(bool dbl, unsigned sign, __m128i x, __m128i y, __m128i z)
{
    __m128i r = y;
#define FMA(s, name) case s: \
        if (dbl) __asm__ volatile("vf" name "213pd %2, %1, %0" : "+x"(r) : "x"(x), "x"(z)); \
        else __asm__ volatile("vf" name "213ps %2, %1, %0" : "+x"(r) : "x"(x), "x"(z)); \
        break;
    switch (sign) {
    FMA(VFMA_ADDSUB, "maddsub") FMA(VFMA_SUBADD, "msubadd") FMA(VFMA_ADD, "madd") FMA(VFMA_SUB, "msub")
    FMA(VFMA_NADD, "nmadd") FMA(VFMA_NSUB, "nmsub")
    }
#undef FMA
    return r;
}

static void fma_all(unsigned k, unsigned imm, VecLanes *d, const VecLanes *a, const VecLanes *b, const VecLanes *c)
{
    static const uint8_t role[3][3] = { { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 } };     /* x y z by order */
    const VecLanes *v[3] = { a, b, c };
    __m128i m[3];
    for (unsigned i = 0; i < 3; i++) {
        const VecLanes *s = v[role[imm >> 4 & 3][i]];
        m[i] = is_scalar(k) ? lane_in(s, k, 0) : in(s);
    }
    __m128i r = fma_packed(is_double(k), imm & 15, m[0], m[1], m[2]);
    if (is_scalar(k)) {
        *d = *a;
        lane_out(d, k, 0, r);
    } else {
        out(d, r);
    }
}

/* ---- conversions ---- */

#define H(n) case n: __asm__ volatile("vcvtps2ph $" #n ", %1, %0" : "=x"(r) : "x"(y)); break;
static __m128i to_half(unsigned imm, __m128i y)
{
    __m128i r = y;
    switch (imm & 7) {
    H(0) H(1) H(2) H(3) H(4) H(5) H(6) H(7)
    }
    return r;
}
#undef H

static void convert(unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    __m128i r = in(a), y = in(b);
    switch (vec_kind(x)) {
    case VCVT_PS_PD: ASM2("cvtps2pd"); break;
    case VCVT_PD_PS: ASM2("cvtpd2ps"); break;
    case VCVT_SS_SD: ASM2("cvtss2sd"); break;
    case VCVT_SD_SS: ASM2("cvtsd2ss"); break;
    case VCVT_DQ_PS: ASM2("cvtdq2ps"); break;
    case VCVT_DQ_PD: ASM2("cvtdq2pd"); break;
    case VCVT_PS_DQ: ASM2("cvtps2dq"); break;
    case VCVT_PS_DQ_T: ASM2("cvttps2dq"); break;
    case VCVT_PD_DQ: ASM2("cvtpd2dq"); break;
    case VCVT_PD_DQ_T: ASM2("cvttpd2dq"); break;
    case VCVT_PH_PS: ASM2("vcvtph2ps"); break;
    case VCVT_PS_PH: r = to_half(vec_imm(x), y); break;
    }
    out(d, r);
}

static void from_int(unsigned kind, VecLanes *d, const VecLanes *a, uint64_t i)
{
    __m128i r = in(a);
    uint32_t i32 = (uint32_t)i;
    switch (kind) {
    case VF_SS: __asm__ volatile("cvtsi2ssl %1, %0" : "+x"(r) : "r"(i32)); break;
    case VF_SD: __asm__ volatile("cvtsi2sdl %1, %0" : "+x"(r) : "r"(i32)); break;
    case VF_SS | VCVT_I64: __asm__ volatile("cvtsi2ssq %1, %0" : "+x"(r) : "r"(i)); break;
    default: __asm__ volatile("cvtsi2sdq %1, %0" : "+x"(r) : "r"(i)); break;
    }
    out(d, r);
}

static uint64_t to_int(unsigned kind, const VecLanes *a)
{
    __m128i y = in(a);
    uint32_t r32 = 0;
    uint64_t r = 0;
    bool wide = kind & VCVT_I64, dbl = (kind & 3) == VF_SD;
#define TO(insn) if (wide) __asm__ volatile(insn "q %1, %0" : "=r"(r) : "x"(y)); \
                 else __asm__ volatile(insn "l %1, %0" : "=r"(r32) : "x"(y))
    if (kind & VCVT_TRUNC) {
        if (dbl) { TO("cvttsd2si"); } else { TO("cvttss2si"); }
    } else {
        if (dbl) { TO("cvtsd2si"); } else { TO("cvtss2si"); }
    }
#undef TO
    return wide ? r : r32;
}

/* ---- cryptography ---- */

static void aes(unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    __m128i r = in(a), y = in(b);
    switch (vec_kind(x)) {
    case VAES_ENC: ASM2("aesenc"); break;
    case VAES_ENCLAST: ASM2("aesenclast"); break;
    case VAES_DEC: ASM2("aesdec"); break;
    case VAES_DECLAST: ASM2("aesdeclast"); break;
    case VAES_IMC: ASM2("aesimc"); break;
    case VAES_KEYGEN: ASM2("aeskeygenassist $0,"); break;
    }
    out(d, r);
    if (vec_kind(x) == VAES_KEYGEN) {    /* the round constant is xored to elements 1 and 3 at the end */
        d->s[1] ^= vec_imm(x);
        d->s[3] ^= vec_imm(x);
    }
}

static void clmul(unsigned imm, VecLanes *d, const VecLanes *a, const VecLanes *b)
{
    __m128i r = _mm_cvtsi64_si128((long long)a->d[imm & 1]), y = _mm_cvtsi64_si128((long long)b->d[imm >> 4 & 1]);
    ASM2("pclmulqdq $0,");
    out(d, r);
}

static void sha(unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b, const VecLanes *c)
{
    __m128i r = in(a), y = in(b);
    register __m128i k __asm__("xmm0") = in(c);
    switch (vec_kind(x)) {
    case VSHA_1NEXTE: ASM2("sha1nexte"); break;
    case VSHA_1MSG1: ASM2("sha1msg1"); break;
    case VSHA_1MSG2: ASM2("sha1msg2"); break;
    case VSHA_256MSG1: ASM2("sha256msg1"); break;
    case VSHA_256MSG2: ASM2("sha256msg2"); break;
    case VSHA_256RNDS2: __asm__ volatile("sha256rnds2 %2, %1, %0" : "+x"(r) : "x"(y), "x"(k)); break;
    case VSHA_1RNDS4:
        switch (vec_imm(x) & 3) {
        case 0: ASM2("sha1rnds4 $0,"); break;
        case 1: ASM2("sha1rnds4 $1,"); break;
        case 2: ASM2("sha1rnds4 $2,"); break;
        default: ASM2("sha1rnds4 $3,"); break;
        }
        break;
    }
    out(d, r);
}

uint64_t vec_eval_fp(unsigned op, unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b, const VecLanes *c,
                     uint64_t i)
{
    unsigned k = vec_kind(x), imm = vec_imm(x);
    switch (op) {
    case IR_vfround: round_all(k, imm, d, a, b); break;
    case IR_vfcmp: compare_all(k, imm, d, a, b); break;
    case IR_vfdp: dot(k, imm, d, a, b); break;
    case IR_vfcmpi: return compare(is_double(k), imm, in(a), in(b));
    case IR_vfma: fma_all(k, imm, d, a, b, c); break;
    case IR_vfcvt: convert(x, d, a, b); break;
    case IR_vfromint: from_int(k, d, a, i); break;
    case IR_vtoint: return to_int(k, a);
    case IR_vaes: aes(x, d, a, b); break;
    case IR_vclmul: clmul(imm, d, a, b); break;
    case IR_vsha: sha(x, d, a, b, c); break;
    default: arith(op, k, d, a, b); break;
    }
    return 0;
}
