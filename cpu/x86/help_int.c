/* Helpers of the integer instructions: what the IR has no ops for.
 *
 * Source: Intel SDM volume 2 (DAA, DAS, AAA, AAS pseudo-code; CMPXCHG16B). */
#include "cpu/x86/cc.h"

#include <sys/random.h>

#include "util/bits.h"

#define UNUSED3 (void)b, (void)c3, (void)f

uint64_t x86_h_raise(TcgEnv *env, uint64_t vector, uint64_t code, uint64_t c3, uint64_t f)
{
    (void)c3, (void)f;
    if (code == ~(uint64_t)0)
        x86_raise(x86_env(env), (unsigned)vector);
    x86_raise_code(x86_env(env), (unsigned)vector, (uint32_t)code);
}

RHEA_GPR_ONLY uint64_t x86_h_cc_all(TcgEnv *env, uint64_t op, uint64_t dst, uint64_t src, uint64_t src2)
{
    (void)env;
    return cc_compute((unsigned)op, dst, src, src2);
}

/* ---- decimal: AX and flags in, AX | flags << 16 out ---- */

/* al + by with all its flags; then CF and AF as given */
static RHEA_GPR_ONLY uint64_t bcd_flags(unsigned al, unsigned by, bool cf, bool af)
{
    uint64_t fl = cc_compute(cc_op(CCC_ADD, 1), al + by, by, 0) & ~(uint64_t)(FL_CF | FL_AF);
    return (fl | (cf ? FL_CF : 0) | (af ? FL_AF : 0)) << 16;
}

/* DAA, DAS; sign 1 or -1 */
static RHEA_GPR_ONLY uint64_t decimal(uint64_t ax, uint64_t fl, int sign)
{
    unsigned al = ax & 0xff, by = 0;
    bool cf = fl & FL_CF, af = (al & 15) > 9 || (fl & FL_AF), out = false;
    if (af) {
        by = (unsigned)(6 * sign);
        out = cf || ((al + by) & 0x100);
    }
    if (al > 0x99 || cf) {
        by += (unsigned)(0x60 * sign);
        out = true;
    }
    return (ax & 0xff00) | ((al + by) & 0xff) | bcd_flags(al, by & 0xff, out, af);
}

/* AAA, AAS: AX changes as a whole */
static RHEA_GPR_ONLY uint64_t ascii(uint64_t ax, uint64_t fl, int sign)
{
    bool adjust = (ax & 15) > 9 || (fl & FL_AF);
    uint64_t r = adjust ? ax + (uint64_t)(sign * 0x106) : ax;
    return (r & 0xff0f) | bcd_flags(ax & 0xff, adjust ? (unsigned)(6 * sign) & 0xff : 0, adjust, adjust);
}

RHEA_GPR_ONLY uint64_t x86_h_daa(TcgEnv *env, uint64_t ax, uint64_t fl, uint64_t c3, uint64_t f)
{
    (void)env, (void)c3, (void)f;
    return decimal(ax, fl, 1);
}

RHEA_GPR_ONLY uint64_t x86_h_das(TcgEnv *env, uint64_t ax, uint64_t fl, uint64_t c3, uint64_t f)
{
    (void)env, (void)c3, (void)f;
    return decimal(ax, fl, -1);
}

RHEA_GPR_ONLY uint64_t x86_h_aaa(TcgEnv *env, uint64_t ax, uint64_t fl, uint64_t c3, uint64_t f)
{
    (void)env, (void)c3, (void)f;
    return ascii(ax, fl, 1);
}

RHEA_GPR_ONLY uint64_t x86_h_aas(TcgEnv *env, uint64_t ax, uint64_t fl, uint64_t c3, uint64_t f)
{
    (void)env, (void)c3, (void)f;
    return ascii(ax, fl, -1);
}

/* ---- the rest ---- */

uint64_t x86_h_cmpxchg16b(TcgEnv *env, uint64_t addr, uint64_t b, uint64_t c3, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint64_t expected[2] = { X86R(c, X86_RAX), X86R(c, X86_RDX) };
    const uint64_t desired[2] = { X86R(c, X86_RBX), X86R(c, X86_RCX) };
    UNUSED3;
    bool stored = cpu_cas128(&c->vcpu, addr, (c->hflags & HF_MMU) >> HF_MMU_SHIFT, expected, desired);
    uint64_t fl = x86_cc(c) & ~(uint64_t)FL_ZF;
    if (!stored) {
        X86R(c, X86_RAX) = expected[0];
        X86R(c, X86_RDX) = expected[1];
    }
    x86_set_cc(c, fl | (stored ? FL_ZF : 0));
    return 0;
}

uint64_t x86_h_random(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c3, uint64_t f)
{
    uint64_t v = 0;
    (void)env, (void)a;
    UNUSED3;
    while (getrandom(&v, sizeof v, 0) != sizeof v)
        ;
    return v;
}
