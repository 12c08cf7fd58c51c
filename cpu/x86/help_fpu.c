/* x87 arithmetic by the host's own x87 on the guest's registers in X86Fpu.
 *
 * Each helper loads its operands onto the host's (empty) register stack, runs
 * the instruction under the guest's control word, reads the status word back
 * and leaves the host stack empty.  Nothing here touches vector registers
 * (RHEA_GPR_ONLY), so a call from generated code is a light one.
 *
 * Control word.  The host's stands at FCW_INIT outside these functions.  A
 * guest word that differs is loaded and put back, masks included: with an
 * exception unmasked the host instruction behaves as the guest's must (operands
 * unchanged, or the wrapped result), and FNCLEX, which does not wait, takes the
 * pending exception away before anything could trap on it.
 *
 * Status flags.  Sticky flags of the guest accumulate in the host's status word
 * too: while all exceptions are masked the host's flags are a subset of the
 * guest's, so FNCLEX is not needed after each operation.  `owner` is the X86Fpu
 * whose flags the host thread's status word holds; NULL after the guest's were
 * cleared.
 *
 * Condition codes: C1 as the host's instruction leaves it; C0 C2 C3 only change
 * by compares, FXAM, FPREM and the trigonometric ones.  What the manual calls
 * undefined is as on AMD processors: FCOMI and FCMOV leave C1, FFREE clears it.
 *
 * FIP, FCS, FDP, FDS, FOP are kept only while an exception is unmasked, as
 * AMD processors save them (gen_fpu.c stores them).
 *
 * Source: Intel SDM volume 1 chapter 8, volume 2. */
#include "cpu/x86/fpu.h"

#include "util/bits.h"

#define FAST RHEA_GPR_ONLY
#define ALWAYS static inline __attribute__((always_inline)) RHEA_GPR_ONLY
#define unlikely(c) __builtin_expect(!!(c), 0)

typedef struct { uint64_t mant; uint16_t exp; uint16_t pad[3]; } Slot;
_Static_assert(sizeof(Slot) == sizeof(((X86Fpu *)0)->st[0]), "a register is 16 bytes");

static __thread X86Fpu *owner;
static const uint16_t host_fcw = FCW_INIT;

FAST void fpu_disown(void) { owner = NULL; }

ALWAYS X86Fpu *fpu(TcgEnv *env) { return &x86_env(env)->fpu; }
ALWAYS unsigned phys(const X86Fpu *f, uint64_t i) { return (f->top + (unsigned)i) & 7; }
ALWAYS Slot *st(X86Fpu *f, uint64_t i) { return (Slot *)&f->st[phys(f, i)]; }
ALWAYS bool is_empty(const X86Fpu *f, uint64_t i) { return f->empty[phys(f, i)]; }

ALWAYS void pop(X86Fpu *f)
{
    f->empty[f->top] = 1;
    f->top = (f->top + 1) & 7;
}

ALWAYS void pops(X86Fpu *f, uint64_t n)
{
    for (; n; n--) {
        pop(f);
    }
}

static const Slot default_nan = { 0xc000000000000000, 0xffff, { 0 } };

/* ---- running host instructions ---- */

ALWAYS bool all_masked(const X86Fpu *f) { return (f->fcw & FSW_EXC) == FSW_EXC; }

ALWAYS void begin(X86Fpu *f)
{
    if (unlikely(owner != f)) {
        __asm__ volatile("fnclex");
        owner = f;
    }
    if (unlikely(f->fcw != FCW_INIT)) {
        if (!all_masked(f)) {
            __asm__ volatile("fnclex");
        }
        __asm__ volatile("fldcw %0" : : "m"(f->fcw));
    }
}

/* The status word after the instruction; a pending unmasked exception is taken off the host. */
ALWAYS uint16_t status(void)
{
    uint16_t sw;
    __asm__ volatile("fnstsw %0" : "=a"(sw));
    if (unlikely(sw & FSW_ES)) {
        __asm__ volatile("fnclex");
    }
    return sw;
}

/* After the host stack is empty again: flags and the condition codes in `cc` from sw.  True if the instruction was not carried out
 * (an unmasked exception found before the operation), so nothing is stored or popped. */
ALWAYS bool end(X86Fpu *f, uint16_t sw, uint16_t cc)
{
    f->fsw = (uint16_t)((f->fsw & ~cc) | (sw & (FSW_EXC | cc)));
    if (unlikely(f->fcw != FCW_INIT)) {
        __asm__ volatile("fldcw %0" : : "m"(host_fcw));
        if (sw & FSW_ES) {
            f->fsw |= FSW_ES | FSW_B;
            owner = NULL;
            return (sw & ~f->fcw & (FSW_IE | FSW_DE | FSW_ZE)) != 0;
        }
    }
    return false;
}

/* Stack underflow (c1 0) or overflow (FSW_C1).  True if unmasked: nothing is stored. */
static FAST bool stack_fault(X86Fpu *f, uint16_t c1)
{
    f->fsw = (uint16_t)((f->fsw & ~FSW_C1) | FSW_IE | FSW_SF | c1);
    if (f->fcw & FSW_IE) {
        return false;
    }
    f->fsw |= FSW_ES | FSW_B;
    return true;
}

/* Makes room for a push: false if there is none and the fault is unmasked.  *nan: push the default NaN instead. */
ALWAYS bool push(X86Fpu *f, bool *nan)
{
    *nan = false;
    if (unlikely(!f->empty[(f->top - 1) & 7])) {
        if (stack_fault(f, FSW_C1)) {
            return false;
        }
        *nan = true;
    }
    f->top = (f->top - 1) & 7;
    f->empty[f->top] = 0;
    return true;
}

/* ---- arithmetic: two registers, register and memory ---- */

/* an operand is empty */
static FAST uint64_t arith_fault(X86Fpu *f, uint64_t i, uint64_t npop)
{
    if (!stack_fault(f, 0)) {
        *st(f, i) = default_nan;
        f->empty[phys(f, i)] = 0;
        pops(f, npop);
    }
    return 0;
}

#define ARITH(name) \
FAST uint64_t x86_h_f##name(TcgEnv *env, uint64_t i, uint64_t j, uint64_t npop, uint64_t u) \
{ \
    X86Fpu *f = fpu(env); \
    Slot *d = st(f, i), *s = st(f, j); \
    uint16_t sw; \
    (void)u; \
    if (unlikely(is_empty(f, i) | is_empty(f, j))) { \
        return arith_fault(f, i, npop); \
    } \
    begin(f); \
    __asm__ volatile("fldt %1; fldt %0; f" #name " %%st(1), %%st" : : "m"(*d), "m"(*s)); \
    sw = status(); \
    __asm__ volatile("fstpt %0; fstp %%st(0)" : "+m"(*d)); \
    if (!end(f, sw, FSW_C1)) { \
        pops(f, npop); \
    } \
    return 0; \
} \
FAST uint64_t x86_h_f##name##_m(TcgEnv *env, uint64_t bits, uint64_t kind, uint64_t u, uint64_t v) \
{ \
    X86Fpu *f = fpu(env); \
    Slot *d = st(f, 0); \
    uint16_t sw; \
    (void)u, (void)v; \
    if (unlikely(is_empty(f, 0))) { \
        return arith_fault(f, 0, 0); \
    } \
    begin(f); \
    switch (kind) { \
    case FK_F32: __asm__ volatile("fldt %0; f" #name "s %1" : : "m"(*d), "m"(bits)); break; \
    case FK_F64: __asm__ volatile("fldt %0; f" #name "l %1" : : "m"(*d), "m"(bits)); break; \
    case FK_I32: __asm__ volatile("fldt %0; fi" #name "l %1" : : "m"(*d), "m"(bits)); break; \
    default: __asm__ volatile("fldt %0; fi" #name "s %1" : : "m"(*d), "m"(bits)); break; \
    } \
    sw = status(); \
    __asm__ volatile("fstpt %0" : "+m"(*d)); \
    end(f, sw, FSW_C1); \
    return 0; \
}
ARITH(add) ARITH(mul) ARITH(sub) ARITH(subr) ARITH(div) ARITH(divr)
#undef ARITH

/* ---- compares ---- */

enum { CC_COMPARE = FSW_C0 | FSW_C2 | FSW_C3 };

static FAST uint64_t compare_fault(X86Fpu *f, uint64_t how, uint64_t npop)
{
    if (!(how & FC_EFLAGS)) {
        f->fsw |= CC_COMPARE;
    }
    if (!stack_fault(f, 0)) {
        pops(f, npop);
    }
    return FL_ZF | FL_PF | FL_CF;
}

/* C0, C2, C3 stand where CF, PF, ZF are, one byte up. */
ALWAYS uint64_t compared(X86Fpu *f, uint16_t sw, uint64_t how, uint64_t npop)
{
    if (!end(f, sw, how & FC_EFLAGS ? 0 : CC_COMPARE | FSW_C1)) {
        pops(f, npop);
    }
    return sw >> 8 & (FL_ZF | FL_PF | FL_CF);
}

FAST uint64_t x86_h_fcom(TcgEnv *env, uint64_t j, uint64_t how, uint64_t npop, uint64_t u)
{
    X86Fpu *f = fpu(env);
    uint16_t sw;
    (void)u;
    if (unlikely(is_empty(f, 0) | is_empty(f, j))) {
        return compare_fault(f, how, npop);
    }
    begin(f);
    if (how & FC_QUIET) {
        __asm__ volatile("fldt %1; fldt %0; fucom %%st(1)" : : "m"(*st(f, 0)), "m"(*st(f, j)));
    } else {
        __asm__ volatile("fldt %1; fldt %0; fcom %%st(1)" : : "m"(*st(f, 0)), "m"(*st(f, j)));
    }
    sw = status();
    __asm__ volatile("fstp %st(0); fstp %st(0)");
    return compared(f, sw, how, npop);
}

FAST uint64_t x86_h_fcom_m(TcgEnv *env, uint64_t bits, uint64_t kind, uint64_t npop, uint64_t u)
{
    X86Fpu *f = fpu(env);
    uint16_t sw;
    (void)u;
    if (unlikely(is_empty(f, 0))) {
        return compare_fault(f, 0, npop);
    }
    begin(f);
    switch (kind) {
    case FK_F32: __asm__ volatile("fldt %0; fcoms %1" : : "m"(*st(f, 0)), "m"(bits)); break;
    case FK_F64: __asm__ volatile("fldt %0; fcoml %1" : : "m"(*st(f, 0)), "m"(bits)); break;
    case FK_I32: __asm__ volatile("fldt %0; ficoml %1" : : "m"(*st(f, 0)), "m"(bits)); break;
    default: __asm__ volatile("fldt %0; ficoms %1" : : "m"(*st(f, 0)), "m"(bits)); break;
    }
    sw = status();
    __asm__ volatile("fstp %st(0)");
    return compared(f, sw, 0, npop);
}

FAST uint64_t x86_h_ftst(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    uint16_t sw;
    (void)a, (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, 0))) {
        return compare_fault(f, 0, 0);
    }
    begin(f);
    __asm__ volatile("fldt %0; ftst" : : "m"(*st(f, 0)));
    sw = status();
    __asm__ volatile("fstp %st(0)");
    return compared(f, sw, 0, 0);
}

/* FXAM looks at the tag too: an empty register has a class of its own (C3 C0), with the sign in C1. */
FAST uint64_t x86_h_fxam(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    const Slot *s = st(f, 0);
    unsigned exp = s->exp & 0x7fff, cc;
    (void)a, (void)b, (void)c, (void)u;
    if (is_empty(f, 0)) {
        cc = FSW_C3 | FSW_C0;
    } else if (exp == 0) {
        cc = s->mant ? FSW_C3 | FSW_C2 : FSW_C3;         /* denormal, zero */
    } else if (!(s->mant >> 63)) {
        cc = 0;                                          /* unsupported */
    } else if (exp == 0x7fff) {
        cc = s->mant << 1 ? FSW_C0 : FSW_C2 | FSW_C0;    /* NaN, infinity */
    } else {
        cc = FSW_C2;
    }
    f->fsw = (uint16_t)((f->fsw & ~FSW_CC) | cc | (s->exp & 0x8000 ? FSW_C1 : 0));
    return 0;
}

/* ---- loads ---- */

FAST uint64_t x86_h_fld_m(TcgEnv *env, uint64_t bits, uint64_t kind, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    Slot v;
    uint16_t sw;
    bool nan;
    (void)c, (void)u;
    if (unlikely(!f->empty[(f->top - 1) & 7])) {
        if (push(f, &nan)) {
            *st(f, 0) = default_nan;
        }
        return 0;
    }
    begin(f);
    switch (kind) {
    case FK_F32: __asm__ volatile("flds %0" : : "m"(bits)); break;
    case FK_F64: __asm__ volatile("fldl %0" : : "m"(bits)); break;
    case FK_I32: __asm__ volatile("fildl %0" : : "m"(bits)); break;
    case FK_I16: __asm__ volatile("filds %0" : : "m"(bits)); break;
    default: __asm__ volatile("fildll %0" : : "m"(bits)); break;
    }
    sw = status();
    /* an unmasked invalid operand: nothing was pushed, and the empty register stores as a NaN; a denormal is loaded */
    __asm__ volatile("fstpt %0" : "=m"(v));
    if (unlikely(sw & FSW_ES)) {
        __asm__ volatile("fnclex");
    }
    if (!end(f, sw, FSW_C1) || !(sw & ~f->fcw & FSW_IE)) {
        f->top = (f->top - 1) & 7;
        f->empty[f->top] = 0;
        st(f, 0)->mant = v.mant;
        st(f, 0)->exp = v.exp;
    }
    return 0;
}

ALWAYS void push_slot(X86Fpu *f, Slot v)
{
    bool nan;
    if (push(f, &nan)) {
        *st(f, 0) = nan ? default_nan : v;
        f->fsw &= nan ? 0xffff : (uint16_t)~FSW_C1;
    }
}

FAST uint64_t x86_h_fld_m80(TcgEnv *env, uint64_t mant, uint64_t exp, uint64_t c, uint64_t u)
{
    (void)c, (void)u;
    push_slot(fpu(env), (Slot){ mant, (uint16_t)exp, { 0 } });
    return 0;
}

FAST uint64_t x86_h_fld_st(TcgEnv *env, uint64_t i, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, i))) {
        if (!stack_fault(f, 0)) {
            f->top = (f->top - 1) & 7;
            f->empty[f->top] = 0;
            *st(f, 0) = default_nan;
        }
        return 0;
    }
    push_slot(f, *st(f, i));
    return 0;
}

FAST uint64_t x86_h_fld_const(TcgEnv *env, uint64_t n, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    Slot v = { 0, 0, { 0 } };
    (void)b, (void)c, (void)u;
    begin(f);                            /* the constants round as FCW says */
    switch (n) {
    case 0: __asm__ volatile("fld1; fstpt %0" : "+m"(v)); break;
    case 1: __asm__ volatile("fldl2t; fstpt %0" : "+m"(v)); break;
    case 2: __asm__ volatile("fldl2e; fstpt %0" : "+m"(v)); break;
    case 3: __asm__ volatile("fldpi; fstpt %0" : "+m"(v)); break;
    case 4: __asm__ volatile("fldlg2; fstpt %0" : "+m"(v)); break;
    case 5: __asm__ volatile("fldln2; fstpt %0" : "+m"(v)); break;
    default: __asm__ volatile("fldz; fstpt %0" : "+m"(v)); break;
    }
    end(f, 0, FSW_C1);
    push_slot(f, v);
    return 0;
}

FAST uint64_t x86_h_fbld(TcgEnv *env, uint64_t lo, uint64_t hi, uint64_t c, uint64_t u)
{
    Slot v = { lo, (uint16_t)hi, { 0 } };
    (void)c, (void)u;
    __asm__ volatile("fbld %0; fstpt %0" : "+m"(v));     /* exact: no flags */
    push_slot(fpu(env), v);
    return 0;
}

/* ---- stores: the value only; the pop is a call of its own after memory was written ---- */

/* The store may fault, so the new FSW waits in vtmp[2][1]; vtmp[2][0] tells gen_fpu.c that an unmasked exception forbids
 * the store and the pop (it looks only while HF_X87_EXC). */
ALWAYS void stored(TcgEnv *env, X86Fpu *f, uint16_t old_fsw, bool blocked)
{
    x86_env(env)->vtmp[2][0] = blocked;
    x86_env(env)->vtmp[2][1] = f->fsw;
    f->fsw = old_fsw;
}

static FAST uint64_t store_fault(TcgEnv *env, uint64_t indefinite)
{
    X86Fpu *f = fpu(env);
    uint16_t old = f->fsw;
    bool blocked = stack_fault(f, 0);
    stored(env, f, old, blocked);
    return indefinite;
}

/* unmasked overflow and underflow keep a result from memory, as the exceptions found earlier do */
ALWAYS void end_store(TcgEnv *env, X86Fpu *f, uint16_t sw)
{
    uint16_t old = f->fsw;
    bool blocked = end(f, sw, FSW_C1);
    stored(env, f, old, blocked || (sw & FSW_ES && sw & ~f->fcw & (FSW_OE | FSW_UE)));
}

FAST uint64_t x86_h_fst_m(TcgEnv *env, uint64_t kind, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    uint64_t r = 0;
    uint16_t sw;
    (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, 0))) {
        return store_fault(env, kind == FK_F32 ? 0xffc00000 : 0xfff8000000000000);
    }
    begin(f);
    if (kind == FK_F32) {
        __asm__ volatile("fldt %1; fsts %0" : "+m"(r) : "m"(*st(f, 0)));
    } else {
        __asm__ volatile("fldt %1; fstl %0" : "+m"(r) : "m"(*st(f, 0)));
    }
    sw = status();
    __asm__ volatile("fstp %st(0)");
    end_store(env, f, sw);
    return r;
}

FAST uint64_t x86_h_fist(TcgEnv *env, uint64_t size, uint64_t truncate, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    uint64_t r = 0;
    uint16_t sw;
    (void)c, (void)u;
    if (unlikely(is_empty(f, 0))) {
        return store_fault(env, ~(uint64_t)0 << (size * 8 - 1));
    }
    begin(f);
    __asm__ volatile("fldt %0" : : "m"(*st(f, 0)));
    switch (size << 1 | truncate) {
    case 4: __asm__ volatile("fistps %0" : "+m"(r)); break;
    case 5: __asm__ volatile("fisttps %0" : "+m"(r)); break;
    case 8: __asm__ volatile("fistpl %0" : "+m"(r)); break;
    case 9: __asm__ volatile("fisttpl %0" : "+m"(r)); break;
    case 16: __asm__ volatile("fistpll %0" : "+m"(r)); break;
    default: __asm__ volatile("fisttpll %0" : "+m"(r)); break;
    }
    sw = status();
    if (unlikely(sw & FSW_ES && sw & ~f->fcw & FSW_IE)) {
        __asm__ volatile("fstp %st(0)");                 /* was not popped */
    }
    end_store(env, f, sw);
    return r;
}

FAST uint64_t x86_h_fbst(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    Slot v = { 0, 0, { 0 } };
    uint16_t sw;
    (void)a, (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, 0))) {
        v = default_nan;                 /* the packed indefinite has the same bytes */
        store_fault(env, 0);
    } else {
        begin(f);
        __asm__ volatile("fldt %1; fbstp %0" : "+m"(v) : "m"(*st(f, 0)));
        sw = status();
        if (unlikely(sw & FSW_ES && sw & ~f->fcw & FSW_IE)) {
            __asm__ volatile("fstp %st(0)");
        }
        end_store(env, f, sw);
    }
    x86_env(env)->vtmp[3][0] = v.exp;
    return v.mant;
}

FAST uint64_t x86_h_fst_m80(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    Slot v = *st(f, 0);
    (void)a, (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, 0))) {
        v = default_nan;
        store_fault(env, 0);
    } else {
        uint16_t old = f->fsw;
        f->fsw &= (uint16_t)~FSW_C1;
        stored(env, f, old, false);
    }
    x86_env(env)->vtmp[3][0] = v.exp;
    return v.mant;
}

/* ends a store: FSW and the pop */
FAST uint64_t x86_h_fpop(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    (void)a, (void)b, (void)c, (void)u;
    f->fsw = (uint16_t)x86_env(env)->vtmp[2][1];
    pop(f);
    return 0;
}

/* ---- register to register ---- */

/* npop 2: FSTPNCE, one pop and no fault for an empty register, which is not copied */
FAST uint64_t x86_h_fst_st(TcgEnv *env, uint64_t i, uint64_t npop, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    (void)c, (void)u;
    if (unlikely(npop == 2 && is_empty(f, 0))) {
        f->fsw &= (uint16_t)~FSW_C1;
        pop(f);
        return 0;
    }
    npop = npop != 0;
    if (unlikely(is_empty(f, 0))) {
        return arith_fault(f, i, npop);
    }
    f->fsw &= (uint16_t)~FSW_C1;
    *st(f, i) = *st(f, 0);
    f->empty[phys(f, i)] = 0;
    pops(f, npop);
    return 0;
}

FAST uint64_t x86_h_fxch(TcgEnv *env, uint64_t i, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    Slot *p = st(f, 0), *q = st(f, i), t;
    (void)b, (void)c, (void)u;
    if (unlikely(is_empty(f, 0) | is_empty(f, i))) {
        if (stack_fault(f, 0)) {
            return 0;
        }
        if (is_empty(f, 0)) *p = default_nan;
        if (is_empty(f, i)) *q = default_nan;
        f->empty[phys(f, 0)] = f->empty[phys(f, i)] = 0;
    } else {
        f->fsw &= (uint16_t)~FSW_C1;
    }
    t = *p, *p = *q, *q = t;
    return 0;
}

/* the copy if the condition holds; an empty operand is a fault either way */
FAST uint64_t x86_h_fcmov(TcgEnv *env, uint64_t i, uint64_t cond, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    (void)c, (void)u;
    if (unlikely(is_empty(f, 0) | is_empty(f, i))) {
        return arith_fault(f, 0, 0);
    }
    if (cond) {
        *st(f, 0) = *st(f, i);
    }
    return 0;
}

FAST uint64_t x86_h_ffree(TcgEnv *env, uint64_t i, uint64_t npop, uint64_t c, uint64_t u)
{
    X86Fpu *f = fpu(env);
    (void)c, (void)u;
    f->empty[phys(f, i)] = 1;
    f->fsw &= (uint16_t)~FSW_C1;
    pops(f, npop);
    return 0;
}

static FAST uint64_t set_sign(X86Fpu *f, uint16_t and, uint16_t xor)
{
    if (unlikely(is_empty(f, 0))) {
        return arith_fault(f, 0, 0);
    }
    st(f, 0)->exp = (st(f, 0)->exp & and) ^ xor;
    f->fsw &= (uint16_t)~FSW_C1;
    return 0;
}

FAST uint64_t x86_h_fchs(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    (void)a, (void)b, (void)c, (void)u;
    return set_sign(fpu(env), 0xffff, 0x8000);
}

FAST uint64_t x86_h_fabs(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    (void)a, (void)b, (void)c, (void)u;
    return set_sign(fpu(env), 0x7fff, 0);
}

/* ---- functions ---- */

/* ST0 = f(ST0) */
#define UNARY(name, cc) \
FAST uint64_t x86_h_##name(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u) \
{ \
    X86Fpu *f = fpu(env); \
    uint16_t sw; \
    (void)a, (void)b, (void)c, (void)u; \
    if (unlikely(is_empty(f, 0))) { \
        f->fsw &= (uint16_t)~(cc); \
        return arith_fault(f, 0, 0); \
    } \
    begin(f); \
    __asm__ volatile("fldt %0; " #name : : "m"(*st(f, 0))); \
    sw = status(); \
    __asm__ volatile("fstpt %0" : "+m"(*st(f, 0))); \
    end(f, sw, (cc) | FSW_C1); \
    return 0; \
}
UNARY(fsqrt, 0) UNARY(frndint, 0) UNARY(f2xm1, 0) UNARY(fsin, FSW_C2) UNARY(fcos, FSW_C2)
#undef UNARY

ALWAYS bool is_nan(const Slot *s) { return (s->exp & 0x7fff) == 0x7fff && s->mant << 1; }

/* ST0 = f(ST0, ST1).  rem: without a remainder (NaN, invalid) C2 is cleared and C0, C3 stay as they were. */
#define BINARY(name, cc, rem) \
FAST uint64_t x86_h_##name(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u) \
{ \
    X86Fpu *f = fpu(env); \
    uint16_t sw; \
    (void)a, (void)b, (void)c, (void)u; \
    if (unlikely(is_empty(f, 0) | is_empty(f, 1))) { \
        f->fsw &= (uint16_t)((rem) ? ~FSW_C2 : ~0); \
        return arith_fault(f, 0, 0); \
    } \
    begin(f); \
    __asm__ volatile("fldt %1; fldt %0; " #name : : "m"(*st(f, 0)), "m"(*st(f, 1))); \
    sw = status(); \
    __asm__ volatile("fstpt %0; fstp %%st(0)" : "+m"(*st(f, 0))); \
    if ((rem) && (is_nan(st(f, 0)) || (sw & FSW_ES && sw & FSW_IE))) { \
        sw = (uint16_t)((sw & ~FSW_CC) | (f->fsw & (FSW_C0 | FSW_C3))); \
    } \
    end(f, sw, (cc) | FSW_C1); \
    return 0; \
}
BINARY(fscale, 0, false) BINARY(fprem, FSW_C0 | FSW_C2 | FSW_C3, true) BINARY(fprem1, FSW_C0 | FSW_C2 | FSW_C3, true)
#undef BINARY

/* ST1 = f(ST0, ST1), then pop.  If an unmasked exception forbade it the host still has both. */
#define BINARY_POP(name) \
FAST uint64_t x86_h_##name(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u) \
{ \
    X86Fpu *f = fpu(env); \
    Slot r; \
    uint16_t sw; \
    (void)a, (void)b, (void)c, (void)u; \
    if (unlikely(is_empty(f, 0) | is_empty(f, 1))) { \
        return arith_fault(f, 1, 1); \
    } \
    begin(f); \
    __asm__ volatile("fldt %1; fldt %0; " #name : : "m"(*st(f, 0)), "m"(*st(f, 1))); \
    sw = status(); \
    __asm__ volatile("fstpt %0" : "=m"(r)); \
    if (unlikely(sw & FSW_ES && sw & ~f->fcw & (FSW_IE | FSW_DE | FSW_ZE))) { \
        __asm__ volatile("fstp %st(0)"); \
    } \
    if (!end(f, sw, FSW_C1)) { \
        st(f, 1)->mant = r.mant; \
        st(f, 1)->exp = r.exp; \
        pop(f); \
    } \
    return 0; \
}
BINARY_POP(fpatan) BINARY_POP(fyl2x) BINARY_POP(fyl2xp1)
#undef BINARY_POP

/* Two results: the second is pushed.  Out of range (C2): the operand stays and nothing is pushed. */
static FAST uint64_t push_fault(X86Fpu *f, uint16_t c1)
{
    if (!stack_fault(f, c1)) {
        *st(f, 0) = default_nan;
        f->empty[f->top] = 0;
        f->top = (f->top - 1) & 7;
        f->empty[f->top] = 0;
        *st(f, 0) = default_nan;
    }
    return 0;
}

#define TWO_RESULTS(name, cc) \
FAST uint64_t x86_h_##name(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u) \
{ \
    X86Fpu *f = fpu(env); \
    Slot r; \
    uint16_t sw; \
    bool one; \
    (void)a, (void)b, (void)c, (void)u; \
    if (unlikely(is_empty(f, 0) || !is_empty(f, 7))) { \
        f->fsw &= (uint16_t)~(cc); \
    } \
    if (unlikely(is_empty(f, 0))) { \
        return push_fault(f, 0); \
    } \
    if (unlikely(!is_empty(f, 7))) { \
        return push_fault(f, FSW_C1); \
    } \
    begin(f); \
    __asm__ volatile("fldt %0; " #name : : "m"(*st(f, 0))); \
    sw = status(); \
    one = ((cc) & sw & FSW_C2) || (sw & FSW_ES && sw & ~f->fcw & (FSW_IE | FSW_DE | FSW_ZE)); \
    if (!one) { \
        __asm__ volatile("fstpt %0" : "=m"(r)); \
    } \
    __asm__ volatile("fstpt %0" : "+m"(*st(f, 0))); \
    end(f, sw, (cc) | FSW_C1); \
    if (!one) { \
        f->top = (f->top - 1) & 7; \
        f->empty[f->top] = 0; \
        st(f, 0)->mant = r.mant; \
        st(f, 0)->exp = r.exp; \
    } \
    return 0; \
}
TWO_RESULTS(fptan, FSW_C2) TWO_RESULTS(fsincos, FSW_C2) TWO_RESULTS(fxtract, 0)
#undef TWO_RESULTS
