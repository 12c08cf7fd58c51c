/* The arithmetic flags in C: from lazy operands to bits, and the flags
 * register as a whole.  See cc.h for the classes.
 *
 * Flags the manuals leave undefined follow AMD's Zen family, which tests/diff
 * compares with (shifts set AF; OF of longer shifts), or where that would need
 * the old flags, Intel's processors (multiplication, LZCNT, TZCNT).
 *
 * Source: Intel SDM volume 1 section 3.4.3, volume 2 instruction pages. */
#include "cpu/x86/cc.h"

#include "util/bits.h"

static inline RHEA_GPR_ONLY uint64_t cc_truncate(uint64_t v, unsigned bits)
{
    return v & (~(uint64_t)0 >> (64 - bits));
}

/* PF: even number of ones in the low byte */
static inline RHEA_GPR_ONLY uint64_t cc_parity(uint64_t v)
{
    v ^= v >> 4;
    return (0x9669 >> (v & 15)) & 1 ? FL_PF : 0;
}

/* ZF SF PF of a result (truncated) */
static inline RHEA_GPR_ONLY uint64_t cc_zsp(uint64_t r, unsigned bits)
{
    return (r == 0 ? FL_ZF : 0) | (r >> (bits - 1) & 1 ? FL_SF : 0) | cc_parity(r);
}

static inline RHEA_GPR_ONLY uint64_t cc_bit(bool set, uint64_t flag)
{
    return set ? flag : 0;
}

/* r = a + b + c */
static inline RHEA_GPR_ONLY uint64_t cc_add(uint64_t r, uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t carry = (a & b) | ((a | b) & ~r);
    return cc_zsp(r, bits) | cc_bit(carry >> (bits - 1) & 1, FL_CF) | ((r ^ a ^ b) & FL_AF) |
           cc_bit(((r ^ a) & (r ^ b)) >> (bits - 1) & 1, FL_OF);
}

/* r = a - b - c */
static inline RHEA_GPR_ONLY uint64_t cc_sub(uint64_t r, uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t borrow = (~a & b) | ((~a | b) & r);
    return cc_zsp(r, bits) | cc_bit(borrow >> (bits - 1) & 1, FL_CF) | ((r ^ a ^ b) & FL_AF) |
           cc_bit(((a ^ b) & (a ^ r)) >> (bits - 1) & 1, FL_OF);
}

/* n: the count, at least 1; a: the operand, truncated.  OF is that of the last single step. */
static RHEA_GPR_ONLY uint64_t cc_shift(CcClass class, uint64_t r, uint64_t a, unsigned n, unsigned bits)
{
    uint64_t top = r >> (bits - 1) & 1, cf, of;
    switch (class) {
    case CCC_SHL:
        cf = a << (n - 1) >> (bits - 1) & 1;
        of = top ^ cf;
        break;
    case CCC_SHR:
        cf = a >> (n - 1) & 1;
        of = top ^ (r >> (bits - 2) & 1);
        break;
    default:
        cf = (uint64_t)((int64_t)(a << (64 - bits)) >> (64 - bits)) >> (n - 1) & 1;
        of = 0;
    }
    return cc_zsp(r, bits) | FL_AF | cf | cc_bit(of, FL_OF);
}

static RHEA_GPR_ONLY uint64_t cc_plain(CcClass class, uint64_t r, uint64_t src, uint64_t src2, unsigned bits)
{
    uint64_t min = (uint64_t)1 << (bits - 1);
    switch (class) {
    case CCC_EFLAGS: return src & FL_CC;
    case CCC_ADD: return cc_add(r, cc_truncate(r - src, bits), src, bits);
    case CCC_ADC: return cc_add(r, cc_truncate(r - src - src2, bits), src, bits);
    case CCC_SUB: return cc_sub(r, cc_truncate(r + src, bits), src, bits);
    case CCC_CMP: return cc_sub(cc_truncate(r - src, bits), r, src, bits);
    case CCC_SBB: return cc_sub(r, cc_truncate(r + src + src2, bits), src, bits);
    case CCC_LOGIC: return cc_zsp(r, bits);
    case CCC_INC: return cc_zsp(r, bits) | (src & 1) | cc_bit((r & 15) == 0, FL_AF) | cc_bit(r == min, FL_OF);
    case CCC_DEC: return cc_zsp(r, bits) | (src & 1) | cc_bit((r & 15) == 15, FL_AF) | cc_bit(r == min - 1, FL_OF);
    case CCC_MUL: return cc_zsp(r, bits) | cc_bit(src, FL_CF | FL_OF);
    case CCC_BLSR: return cc_zsp(r, bits) | cc_bit(src == 0, FL_CF);
    case CCC_BLSI: return cc_zsp(r, bits) | cc_bit(src != 0, FL_CF);
    case CCC_BZHI: return cc_zsp(r, bits) | cc_bit(src != 0, FL_CF);
    case CCC_ZCNT: return cc_bit(r == 0, FL_ZF) | cc_bit(src == 0, FL_CF);
    case CCC_SCAN: return cc_bit(src == 0, FL_ZF) | cc_parity(r);
    default: return cc_shift(class, r, src, src2 & 63, bits);
    }
}

RHEA_GPR_ONLY uint64_t cc_compute(unsigned op, uint64_t dst, uint64_t src, uint64_t src2)
{
    CcClass class = cc_class(op);
    unsigned bits = class == CCC_EFLAGS ? 64 : cc_bits(op);
    /* INC, DEC, MUL: src is a truth value, not an operand */
    bool wide = class == CCC_MUL || class == CCC_BZHI;
    uint64_t fl = cc_plain(class, cc_truncate(dst, bits), wide ? src : cc_truncate(src, bits), src2, bits);
    return op & CC_CFX ? (fl & ~(uint64_t)FL_CF) | (src2 & 1) : fl;
}

bool cc_condition(unsigned tttn, uint64_t fl)
{
    bool r;
    switch (tttn >> 1) {
    case 0: r = fl & FL_OF; break;
    case 1: r = fl & FL_CF; break;
    case 2: r = fl & FL_ZF; break;
    case 3: r = fl & (FL_CF | FL_ZF); break;
    case 4: r = fl & FL_SF; break;
    case 5: r = fl & FL_PF; break;
    case 6: r = !(fl & FL_SF) != !(fl & FL_OF); break;
    default: r = (fl & FL_ZF) || !(fl & FL_SF) != !(fl & FL_OF); break;
    }
    return r != (tttn & 1);
}

/* ---- the flags register ---- */

uint64_t x86_cc(const X86Cpu *c)
{
    return cc_compute((unsigned)X86R(c, X86_CC_OP), X86R(c, X86_CC_DST), X86R(c, X86_CC_SRC), X86R(c, X86_CC_SRC2));
}

void x86_set_cc(X86Cpu *c, uint64_t flags)
{
    X86R(c, X86_CC_OP) = CC_EFLAGS;
    X86R(c, X86_CC_SRC) = flags & FL_CC;
}

uint64_t x86_get_eflags(const X86Cpu *c)
{
    uint64_t df = (int64_t)X86R(c, X86_DF) < 0 ? FL_DF : 0;
    return (c->eflags & ~(uint64_t)(FL_CC | FL_DF)) | 2 | df | x86_cc(c);
}

void x86_set_eflags(X86Cpu *c, uint64_t val, uint64_t mask)
{
    uint64_t now = x86_get_eflags(c), fl = (now & ~mask) | (val & mask);
    x86_set_cc(c, fl);
    X86R(c, X86_DF) = fl & FL_DF ? ~(uint64_t)0 : 1;
    c->eflags = (fl & ~(uint64_t)(FL_CC | FL_DF)) | 2;
    x86_update_mode(c);
}
