/* MXCSR, checks for unmasked SIMD exceptions, masked stores, string compares,
 * FXSAVE and XSAVE areas, and which vector features this host can carry.
 * Source: Intel SDM volume 1 chapters 10, 11, 13; volume 2. */
#include "cpu/x86/fpu.h"

#include <cpuid.h>
#include <string.h>
#include <xmmintrin.h>

#include "tcg/vec.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { MX_FLAGS = 0x3f, MX_PRE = 7 /* IE DE ZE: found before the result is computed */, MX_MODES = 0xe040, MX_FZ = 0x8000,
       MX_UM = 0x800, MX_UE = 16 };

static unsigned mmu(const X86Cpu *c) { return (c->hflags & HF_MMU) >> HF_MMU_SHIFT; }

/* ---- MXCSR ---- */

uint32_t x86_get_mxcsr(const X86Cpu *c)
{
    return (c->mxcsr & ~(uint32_t)MX_FLAGS) | (c->vcpu.env.fpcr & MX_FLAGS);
}

void x86_set_mxcsr(X86Cpu *c, uint32_t val)
{
    uint32_t old = c->mxcsr;
    c->mxcsr = val;
    c->vcpu.env.fpcr = (val & (MX_MODES | MX_FLAGS)) | MXCSR_INIT;
    if ((old ^ val) & MXCSR_INIT) {
        x86_update_mode(c);
    }
}

uint64_t x86_h_ldmxcsr(TcgEnv *env, uint64_t val, uint64_t b, uint64_t cc, uint64_t f)
{
    (void)b, (void)cc, (void)f;
    if (val & ~(uint64_t)MXCSR_MASK) {
        x86_raise_code(x86_env(env), EX_GP, 0);
    }
    x86_set_mxcsr(x86_env(env), (uint32_t)val);
    return 0;
}

uint64_t x86_h_stmxcsr(TcgEnv *env, uint64_t a, uint64_t b, uint64_t cc, uint64_t f)
{
    (void)a, (void)b, (void)cc, (void)f;
    return x86_get_mxcsr(x86_env(env));
}

/* Has the result d an element that is not 0 and below the normal range?  Unmasked, underflow is that alone; masked it
 * also takes an inexact result, so the flag does not tell. */
static bool tiny(unsigned op, unsigned x, const void *d)
{
    unsigned k = vec_kind(x), width = k == VF_PD || k == VF_SD ? 8 : 4, n = k >= VF_SS ? 1 : 16 / width;
    static const struct { unsigned bits; uint64_t exp, mant; } format[] = {
        [2] = { 16, 0x7c00, 0x3ff }, [4] = { 32, 0x7f800000, 0x7fffff },
        [8] = { 64, 0x7ff0000000000000, 0xfffffffffffff },
    };
    switch (op) {
    case IR_vfadd: case IR_vfsub: case IR_vfmul: case IR_vfdiv: case IR_vfma: case IR_vfaddsub: case IR_vfhadd:
    case IR_vfhsub: case IR_vfdp:
        break;
    case IR_vfcvt:
        if (k != VCVT_PD_PS && k != VCVT_SD_SS && k != VCVT_PS_PH) {
            return false;
        }
        width = k == VCVT_PS_PH ? 2 : 4;
        n = k == VCVT_PS_PH ? 4 : k == VCVT_PD_PS ? 2 : 1;
        break;
    default:
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t v = ld_le((const char *)d + i * width, width);
        if (!(v & format[width].exp) && v & format[width].mant) {
            return true;
        }
    }
    return false;
}

/* HF_SSE_EXC: would this op raise?  half: bit 0 first, bit 1 another follows; their flags gather in vtmp[3].  Flags found
 * before the computation hide those that come after it. */
uint64_t x86_h_sse_check(TcgEnv *env, uint64_t op_x, uint64_t i, uint64_t half, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint64_t d[2];
    uint32_t host = _mm_getcsr(), masked = c->mxcsr >> 7, modes = c->mxcsr & MX_MODES, flags, raised;
    (void)f;
    modes &= c->mxcsr & MX_UM ? ~0u : ~(uint32_t)MX_FZ;
    _mm_setcsr(modes | MXCSR_INIT);
    vec_eval(op_x & 0xffff, (unsigned)(op_x >> 16), d, c->vtmp[0], c->vtmp[1], c->vtmp[2], i);
    flags = _mm_getcsr() & MX_FLAGS;
    _mm_setcsr(host);
    if (!(c->mxcsr & MX_UM) && tiny(op_x & 0xffff, (unsigned)(op_x >> 16), d)) {
        flags |= MX_UE;
    }
    flags |= half & 1 ? 0 : (uint32_t)c->vtmp[3][0];
    c->vtmp[3][0] = flags;
    raised = flags & ~masked;
    if (raised && !(half & 2)) {
        env->fpcr |= raised & MX_PRE ? flags & MX_PRE : flags;
        x86_raise(c, c->cr4 & CR4_OSXMMEXCPT ? EX_XM : EX_UD);
    }
    return 0;
}

/* ---- MASKMOVDQU, MASKMOVQ: bytes that are not stored fault too, as on AMD processors ---- */

uint64_t x86_h_maskmov(TcgEnv *env, uint64_t addr, uint64_t n, uint64_t cc, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    const uint8_t *data = (const uint8_t *)c->vtmp[0], *mask = (const uint8_t *)c->vtmp[1];
    (void)cc, (void)f;
    cpu_probe(&c->vcpu, addr, n, ACCESS_WRITE, mmu(c));
    for (unsigned i = 0; i < n; i++) {
        if (mask[i] & 0x80) {
            cpu_st(&c->vcpu, addr + i, data[i], 1, mmu(c));
        }
    }
    return 0;
}

/* ---- PCMPxSTRx ---- */

typedef struct Str { int32_t e[16]; unsigned len; } Str;

/* imm bit 0: words, bit 1: signed */
static void str_load(Str *s, const void *v, unsigned imm, bool implicit, int64_t len)
{
    unsigned max = imm & 1 ? 8 : 16;
    for (unsigned i = 0; i < max; i++) {
        uint32_t u = imm & 1 ? ld_le16((const char *)v + 2 * i) : ((const uint8_t *)v)[i];
        s->e[i] = imm & 2 ? (int32_t)bits_sext(u, imm & 1 ? 16 : 8) : (int32_t)u;
    }
    s->len = 0;
    if (implicit) {
        while (s->len < max && s->e[s->len]) s->len++;
    } else {
        uint64_t abs = len < 0 ? 0 - (uint64_t)len : (uint64_t)len;
        s->len = abs < max ? (unsigned)abs : max;
    }
}

/* Is element j of b in the set a / in the ranges a / equal to a's / the start of a? (imm bits 3..2) */
static bool str_match(const Str *a, const Str *b, unsigned max, unsigned how, unsigned j)
{
    switch (how) {
    case 0:
        for (unsigned i = 0; i < a->len; i++) {
            if (j < b->len && a->e[i] == b->e[j]) return true;
        }
        return false;
    case 1:
        for (unsigned i = 0; i + 1 < a->len; i += 2) {
            if (j < b->len && a->e[i] <= b->e[j] && b->e[j] <= a->e[i + 1]) return true;
        }
        return false;
    case 2:
        return j < a->len && j < b->len ? a->e[j] == b->e[j] : j >= a->len && j >= b->len;
    default:
        for (unsigned i = 0; i < a->len && i + j < max; i++) {
            if (i + j >= b->len || a->e[i] != b->e[i + j]) return false;
        }
        return true;
    }
}

/* ctl = imm | form << 8; form bit 0: index wanted, bit 1: implicit lengths.  Returns flags | index << 16. */
uint64_t x86_h_pcmpstr(TcgEnv *env, uint64_t ctl, uint64_t la, uint64_t lb, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    unsigned imm = ctl & 255, form = (unsigned)(ctl >> 8), max = imm & 1 ? 8 : 16;
    Str a, b;
    uint32_t r = 0, valid;
    uint64_t flags, index;
    (void)f;
    str_load(&a, c->vtmp[0], imm, form & 2, (int64_t)la);
    str_load(&b, c->vtmp[1], imm, form & 2, (int64_t)lb);
    for (unsigned j = 0; j < max; j++) {
        r |= (uint32_t)str_match(&a, &b, max, imm >> 2 & 3, j) << j;
    }
    valid = imm & 32 ? (1u << b.len) - 1 : (1u << max) - 1;
    r ^= imm & 16 ? valid : 0;
    flags = (r ? FL_CF : 0) | (b.len < max ? FL_ZF : 0) | (a.len < max ? FL_SF : 0) | (r & 1 ? FL_OF : 0);
    index = !r ? max : imm & 64 ? 31 - (unsigned)__builtin_clz(r) : (unsigned)__builtin_ctz(r);
    if (imm & 64) {                      /* the mask form's other shape: a byte or word for each bit */
        for (unsigned i = 0; i < 16; i++) {
            ((uint8_t *)c->vtmp[0])[i] = r >> (imm & 1 ? i / 2 : i) & 1 ? 0xff : 0;
        }
    } else {
        c->vtmp[0][0] = r;
        c->vtmp[0][1] = 0;
    }
    return flags | index << 16;
}

/* ---- FXSAVE and XSAVE areas (SDM volume 1, 10.5 and 13.4) ---- */

enum { AREA_LEGACY = 512, AREA_HEADER = 64, AREA_AVX = 576, AREA_SIZE = 832 };
enum { FX_W = 1, FX_64 = 2 };            /* mode bits: REX.W, 64-bit code (XMM8..15 exist) */
enum { XSAVE_PLAIN, XSAVE_OPT, XSAVE_C };

static void copy_guest(X86Cpu *c, uint64_t addr, void *buf, unsigned len, bool write)
{
    uint8_t *p = buf;
    while (len) {
        unsigned n = 4096 - (addr & 4095);
        n = n < len ? n : len;
        void *h = cpu_host(&c->vcpu, addr, n, write ? ACCESS_WRITE : ACCESS_READ, mmu(c));
        if (h) {
            memcpy(write ? h : p, write ? p : h, n);
        } else {
            for (unsigned i = 0; i < n; i += 4) {        /* areas are 16-byte aligned */
                if (write) {
                    cpu_st(&c->vcpu, addr + i, ld_le32(p + i), 4, mmu(c));
                } else {
                    st_le32(p + i, (uint32_t)cpu_ld(&c->vcpu, addr + i, 4, mmu(c)));
                }
            }
        }
        addr += n, p += n, len -= n;
    }
}

/* As on AMD processors the pointers are saved only with an exception pending, else 0. */
static void put_x87(const X86Cpu *c, uint8_t *a, unsigned mode)
{
    static const X86Fpu none;
    const X86Fpu *f = &c->fpu, *p = f->fsw & FSW_ES ? f : &none;
    st_le16(a, f->fcw);
    st_le16(a + 2, fpu_get_fsw(f));
    a[4] = fpu_get_ftw8(f);
    a[5] = 0;
    st_le16(a + 6, p->fop);
    if (mode & FX_W) {
        st_le64(a + 8, p->fip);
        st_le64(a + 16, p->fdp);
    } else {
        st_le32(a + 8, (uint32_t)p->fip);
        st_le32(a + 12, p->fcs);
        st_le32(a + 16, (uint32_t)p->fdp);
        st_le32(a + 20, p->fds);
    }
    for (unsigned i = 0; i < 8; i++) {
        memset(a + 32 + 16 * i, 0, 16);
        st_le64(a + 32 + 16 * i, f->st[(f->top + i) & 7].mant);
        st_le16(a + 40 + 16 * i, f->st[(f->top + i) & 7].exp);
    }
}

static void get_x87(X86Cpu *c, const uint8_t *a, unsigned mode)
{
    X86Fpu *f = &c->fpu;
    f->fcw = (ld_le16(a) & 0x1f3f) | 0x40;
    fpu_set_fsw(f, ld_le16(a + 2));
    fpu_set_ftw8(f, a[4]);
    f->fop = ld_le16(a + 6) & 0x7ff;
    f->fip = mode & FX_W ? ld_le64(a + 8) : ld_le32(a + 8);
    f->fdp = mode & FX_W ? ld_le64(a + 16) : ld_le32(a + 16);
    f->fcs = mode & FX_W ? 0 : ld_le16(a + 12);
    f->fds = mode & FX_W ? 0 : ld_le16(a + 20);
    for (unsigned i = 0; i < 8; i++) {
        f->st[(f->top + i) & 7].mant = ld_le64(a + 32 + 16 * i);
        f->st[(f->top + i) & 7].exp = ld_le16(a + 40 + 16 * i);
    }
    fpu_disown();
}

static unsigned nxmm(unsigned mode) { return mode & FX_64 ? 16 : 8; }

static void put_mxcsr(const X86Cpu *c, uint8_t *a)
{
    st_le32(a + 24, x86_get_mxcsr(c));
    st_le32(a + 28, MXCSR_MASK);
}

static void check_mxcsr(X86Cpu *c, const uint8_t *a)
{
    if (ld_le32(a + 24) & ~(uint32_t)MXCSR_MASK) {
        x86_raise_code(c, EX_GP, 0);
    }
}

static void check_aligned(X86Cpu *c, uint64_t addr, unsigned to)
{
    if (addr & (to - 1)) {
        x86_raise_code(c, EX_GP, 0);
    }
}

uint64_t x86_h_fxsave(TcgEnv *env, uint64_t addr, uint64_t mode, uint64_t cc, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint8_t a[AREA_LEGACY];
    unsigned n = 160 + 16 * nxmm((unsigned)mode);
    (void)cc, (void)f;
    check_aligned(c, addr, 16);
    cpu_probe(&c->vcpu, addr, AREA_LEGACY, ACCESS_WRITE, mmu(c));
    put_x87(c, a, (unsigned)mode);
    put_mxcsr(c, a);
    memcpy(a + 160, c->xmm, 16 * nxmm((unsigned)mode));
    copy_guest(c, addr, a, n, true);
    return 0;
}

uint64_t x86_h_fxrstor(TcgEnv *env, uint64_t addr, uint64_t mode, uint64_t cc, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint8_t a[AREA_LEGACY];
    (void)cc, (void)f;
    check_aligned(c, addr, 16);
    copy_guest(c, addr, a, AREA_LEGACY, false);
    check_mxcsr(c, a);
    get_x87(c, a, (unsigned)mode);
    x86_set_mxcsr(c, ld_le32(a + 24));
    memcpy(c->xmm, a + 160, 16 * nxmm((unsigned)mode));
    x86_update_mode(c);
    return 0;
}

static bool all_zero(const void *p, unsigned n)
{
    const uint64_t *q = p;
    uint64_t any = 0;
    for (unsigned i = 0; i < n / 8; i++) {
        any |= q[i];
    }
    return any == 0;
}

/* Which components differ from their initial state. */
static uint64_t in_use(const X86Cpu *c, unsigned mode)
{
    const X86Fpu *f = &c->fpu;
    uint64_t r = 0;
    bool x87_init = f->fcw == FCW_INIT && fpu_get_fsw(f) == 0 && fpu_get_ftw8(f) == 0 && !f->fip && !f->fdp && !f->fop
                    && all_zero(f->st, sizeof f->st);
    r |= x87_init ? 0 : XS_X87;
    r |= all_zero(c->xmm, 16 * nxmm(mode)) ? 0 : XS_SSE;
    r |= all_zero(c->ymmh, 16 * nxmm(mode)) ? 0 : XS_AVX;
    return r;
}

/* mode: FX_ bits | XSAVE_ form << 2.  All components lie where the standard format has them in the compacted one too. */
uint64_t x86_h_xsave(TcgEnv *env, uint64_t addr, uint64_t mode, uint64_t mask, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    unsigned form = (unsigned)mode >> 2, fx = mode & 3;
    uint64_t rfbm = mask & c->xcr0, used = in_use(c, fx) | (form == XSAVE_C && x86_get_mxcsr(c) != MXCSR_INIT ? XS_SSE : 0);
    uint64_t save = form == XSAVE_PLAIN ? rfbm : rfbm & used;
    unsigned len = rfbm & XS_AVX ? AREA_SIZE : AREA_AVX;
    uint8_t a[AREA_SIZE];
    (void)f;
    check_aligned(c, addr, 64);
    cpu_probe(&c->vcpu, addr, len, ACCESS_WRITE, mmu(c));
    copy_guest(c, addr, a, len, false);  /* what is not saved stays */
    if (save & XS_X87) put_x87(c, a, fx);
    if (form == XSAVE_C ? save & XS_SSE : rfbm & (XS_SSE | XS_AVX)) put_mxcsr(c, a);
    if (save & XS_SSE) memcpy(a + 160, c->xmm, 16 * nxmm(fx));
    if (save & XS_AVX) memcpy(a + AREA_AVX, c->ymmh, 16 * nxmm(fx));
    if (form == XSAVE_C) {
        st_le64(a + AREA_LEGACY, rfbm & used);
        st_le64(a + AREA_LEGACY + 8, rfbm | BIT(63));
    } else {
        st_le64(a + AREA_LEGACY, (ld_le64(a + AREA_LEGACY) & ~rfbm) | (rfbm & used));
    }
    copy_guest(c, addr, a, len, true);
    return 0;
}

/* The header is well-formed, or #GP. */
static void check_header(X86Cpu *c, const uint8_t *h, bool compact)
{
    uint64_t bv = ld_le64(h), comp = ld_le64(h + 8);
    bool ok;
    if (compact) {
        ok = !((comp & ~BIT(63)) & ~c->xcr0) && !(bv & ~comp) && all_zero(h + 16, 48);
    } else {
        ok = !(bv & ~c->xcr0) && all_zero(h + 8, 16);
    }
    if (!ok) {
        x86_raise_code(c, EX_GP, 0);
    }
}

uint64_t x86_h_xrstor(TcgEnv *env, uint64_t addr, uint64_t mode, uint64_t mask, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    unsigned fx = mode & 3;
    uint64_t rfbm = mask & c->xcr0, bv;
    uint8_t a[AREA_SIZE] __attribute__((aligned(16)));
    bool compact;
    (void)f;
    check_aligned(c, addr, 64);
    copy_guest(c, addr, a, rfbm & XS_AVX ? AREA_SIZE : AREA_AVX, false);
    compact = ld_le64(a + AREA_LEGACY + 8) >> 63;
    check_header(c, a + AREA_LEGACY, compact);
    bv = ld_le64(a + AREA_LEGACY);
    if (compact ? rfbm & bv & XS_SSE : rfbm & (XS_SSE | XS_AVX)) {
        check_mxcsr(c, a);
        x86_set_mxcsr(c, ld_le32(a + 24));
    } else if (compact && rfbm & XS_SSE) {
        x86_set_mxcsr(c, MXCSR_INIT);
    }
    if (rfbm & XS_X87) {
        if (bv & XS_X87) {
            get_x87(c, a, fx);
        } else {
            memset(c->fpu.st, 0, sizeof c->fpu.st);
            fpu_init(&c->fpu);
        }
    }
    if (rfbm & XS_SSE) {
        bv & XS_SSE ? memcpy(c->xmm, a + 160, 16 * nxmm(fx)) : memset(c->xmm, 0, 16 * nxmm(fx));
    }
    if (rfbm & XS_AVX) {
        bv & XS_AVX ? memcpy(c->ymmh, a + AREA_AVX, 16 * nxmm(fx)) : memset(c->ymmh, 0, 16 * nxmm(fx));
    }
    x86_update_mode(c);
    return 0;
}

/* ---- what the host can carry ---- */

uint32_t x86_host_mask(CpuidWord w)
{
    static const uint32_t ecx1 = 1 | 1 << 1 | 1 << 9 | 1 << 12 | 1 << 19 | 1 << 20 | 1 << 25 | 1 << 28 | 1 << 29;
    static const uint32_t ecx1_avx = 1 << 12 | 1 << 28 | 1 << 29, ebx7_avx = 1 << 5;    /* FMA AVX F16C; AVX2 */
    unsigned a, b = 0, c = 0, d;
    bool avx = __builtin_cpu_supports("avx");
    switch (w) {
    case CW_1_ECX:                       /* SSE3 PCLMUL SSSE3 FMA SSE4.1 SSE4.2 AES AVX F16C */
        __get_cpuid(1, &a, &b, &c, &d);
        return ~ecx1 | (c & ~(avx ? 0 : ecx1_avx));
    case CW_7_EBX:                       /* AVX2 SHA */
        __get_cpuid_count(7, 0, &a, &b, &c, &d);
        return ~(ebx7_avx | 1 << 29) | (b & ~(avx ? 0 : ebx7_avx));
    default:
        return ~0u;
    }
}
