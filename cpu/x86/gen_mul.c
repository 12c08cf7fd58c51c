/* Multiplication, division, and decimal adjustment.
 *
 * 8- and 16-bit division goes through 32-bit operations, whose quotient is
 * then checked to fit; the operations themselves raise #DE for a zero divisor.
 * MUL and IMUL leave SF ZF PF of the low half, AF clear (undefined).
 *
 * Source: Intel SDM volume 2. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

/* ---- MUL IMUL ---- */

/* 8- and 16-bit operands: the product fits 32 bits. */
static void mul_small(Xlat *x, unsigned size, IrVal b, bool sign)
{
    IrUnit *u = x->u;
    unsigned bits = size * 8;
    IrVal a = ir_get(u, X86_RAX);
    a = sign ? ir_sext(u, 32, bits, a) : ir_zext(u, 32, bits, a);
    b = sign ? ir_sext(u, 32, bits, b) : ir_zext(u, 32, bits, b);
    IrVal r = ir_mul(u, 32, a, b);
    IrVal over = sign ? ir_xor(u, 32, r, ir_sext(u, 32, bits, r)) : ir_shri(u, 32, r, bits);
    x86_put_gpr(x, X86_RAX, 2, false, r);
    if (size == 2)
        x86_put_gpr(x, X86_RDX, 2, false, ir_shri(u, 32, r, 16));
    x86_cc_set(x, cc_op(CCC_MUL, size), r, over, IR_NONE, IR_NONE);
}

static void mul_wide(Xlat *x, unsigned size, IrVal b, bool sign)
{
    IrUnit *u = x->u;
    unsigned w = x86_w(size);
    IrVal hi, lo = ir_emit2(u, sign ? IR_mul2s : IR_mul2u, w, 0, ir_get(u, X86_RAX), b, IR_NONE, &hi);
    IrVal over = sign ? ir_xor(u, w, hi, ir_sari(u, w, lo, w - 1)) : hi;
    x86_put_gpr(x, X86_RAX, size, false, lo);
    x86_put_gpr(x, X86_RDX, size, false, hi);
    x86_cc_set(x, cc_op(CCC_MUL, size), lo, over, IR_NONE, IR_NONE);
}

static void mul(Xlat *x, X86Insn *in, bool sign)
{
    unsigned size = in->op[0].size;
    IrVal b = x86_rd_low(x, in, 0);
    if (size < 4)
        mul_small(x, size, b, sign);
    else
        mul_wide(x, size, b, sign);
}

void gen_mul(Xlat *x, X86Insn *in) { mul(x, in, false); }
void gen_imul1(Xlat *x, X86Insn *in) { mul(x, in, true); }

/* The truncating forms.  The full product is needed for the flags only: the host back end drops it if nobody looks. */
static void imul(Xlat *x, X86Insn *in, IrVal a, IrVal b)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal r, over;
    if (size == 2) {
        r = ir_mul(u, 32, ir_sext(u, 32, 16, a), ir_sext(u, 32, 16, b));
        over = ir_xor(u, 32, r, ir_sext(u, 32, 16, r));
    } else if (size == 4) {
        r = ir_mul(u, 32, a, b);
        IrVal full = ir_mul(u, 64, ir_sext(u, 64, 32, a), ir_sext(u, 64, 32, b));
        over = ir_xor(u, 64, full, ir_sext(u, 64, 32, r));
    } else {
        r = ir_mul(u, 64, a, b);
        IrVal hi;
        ir_emit2(u, IR_mul2s, 64, 0, a, b, IR_NONE, &hi);
        over = ir_xor(u, 64, hi, ir_sari(u, 64, r, 63));
    }
    (void)w;
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_MUL, size), r, over, IR_NONE, IR_NONE);
}

void gen_imul2(Xlat *x, X86Insn *in)
{
    IrVal b = x86_rd_low(x, in, 1);
    imul(x, in, x86_rd_low(x, in, 0), b);
}

void gen_imul3(Xlat *x, X86Insn *in)
{
    IrVal a = x86_rd_low(x, in, 1);
    imul(x, in, a, x86_rd_low(x, in, 2));
}

/* MULX: first operand high half, second low half; no flags */
void gen_mulx(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned w = x86_w(in->op[0].size);
    IrVal b = x86_rd_low(x, in, 2), hi;
    IrVal lo = ir_emit2(u, IR_mul2u, w, 0, ir_get(u, X86_RDX), b, IR_NONE, &hi);
    x86_wr(x, in, 1, lo);
    x86_wr(x, in, 0, hi);
}

/* ---- DIV IDIV ---- */

/* value / divisor, both 32 bits wide already; the quotient must fit `bits`. */
static IrVal div_small(Xlat *x, IrVal value, IrVal divisor, unsigned bits, bool sign, IrVal *rem)
{
    IrUnit *u = x->u;
    IrVal hi = sign ? ir_sari(u, 32, value, 31) : k(x, 0);
    IrVal q = ir_emit2(u, sign ? IR_div2s : IR_div2u, 32, 0, hi, value, divisor, rem);
    IrVal fit = sign ? ir_sext(u, 32, bits, q) : ir_zext(u, 32, bits, q);
    x86_raise_if(x, 32, IRC_NE, fit, q, EX_DE, false, 0);
    return q;
}

static IrVal extend(Xlat *x, IrVal v, unsigned bits, bool sign)
{
    return sign ? ir_sext(x->u, 32, bits, v) : ir_zext(x->u, 32, bits, v);
}

static void div8(Xlat *x, IrVal d, bool sign)
{
    IrUnit *u = x->u;
    IrVal rem, q = div_small(x, extend(x, ir_get(u, X86_RAX), 16, sign), extend(x, d, 8, sign), 8, sign, &rem);
    x86_put_gpr(x, X86_RAX, 2, false, ir_deposit(u, 32, ir_zext(u, 32, 8, q), rem, 8, 8));
}

static void div16(Xlat *x, IrVal d, bool sign)
{
    IrUnit *u = x->u;
    IrVal v = ir_deposit(u, 32, ir_get(u, X86_RAX), ir_get(u, X86_RDX), 16, 16), rem;
    IrVal q = div_small(x, v, extend(x, d, 16, sign), 16, sign, &rem);
    x86_put_gpr(x, X86_RAX, 2, false, q);
    x86_put_gpr(x, X86_RDX, 2, false, rem);
}

static void div_wide(Xlat *x, unsigned size, IrVal d, bool sign)
{
    IrUnit *u = x->u;
    IrVal rem, q = ir_emit2(u, sign ? IR_div2s : IR_div2u, x86_w(size), 0, ir_get(u, X86_RDX), ir_get(u, X86_RAX), d,
                            &rem);
    x86_put_gpr(x, X86_RAX, size, false, q);
    x86_put_gpr(x, X86_RDX, size, false, rem);
}

/* The flags are undefined: left as they are. */
static void div_(Xlat *x, X86Insn *in, bool sign)
{
    unsigned size = in->op[0].size;
    IrVal d = x86_rd_low(x, in, 0);
    if (size == 1)
        div8(x, d, sign);
    else if (size == 2)
        div16(x, d, sign);
    else
        div_wide(x, size, d, sign);
}

void gen_div(Xlat *x, X86Insn *in) { div_(x, in, false); }
void gen_idiv(Xlat *x, X86Insn *in) { div_(x, in, true); }

/* ---- decimal ---- */

/* A helper makes the new AX and flags from the old: result AX | flags << 16. */
static void bcd(Xlat *x, X86Helper h)
{
    IrUnit *u = x->u;
    IrVal v = ir_call(u, h, ir_get(u, X86_RAX), x86_cc_all(x), IR_NONE, IR_NONE);
    x86_put_gpr(x, X86_RAX, 2, false, v);
    x86_cc_set_flags(x, ir_shri(u, 32, v, 16));
}

void gen_daa(Xlat *x, X86Insn *in) { (void)in; bcd(x, X86H_daa); }
void gen_das(Xlat *x, X86Insn *in) { (void)in; bcd(x, X86H_das); }
void gen_aaa(Xlat *x, X86Insn *in) { (void)in; bcd(x, X86H_aaa); }
void gen_aas(Xlat *x, X86Insn *in) { (void)in; bcd(x, X86H_aas); }

void gen_aam(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    if (in->imm == 0) {
        x86_gen_raise(x, EX_DE);
        return;
    }
    IrVal al = ir_zext(u, 32, 8, ir_get(u, X86_RAX)), rem;
    IrVal q = ir_emit2(u, IR_div2u, 32, 0, k(x, 0), al, k(x, in->imm), &rem);
    x86_put_gpr(x, X86_RAX, 2, false, ir_deposit(u, 32, rem, q, 8, 8));
    x86_cc_set(x, cc_op(CCC_LOGIC, 1), rem, IR_NONE, IR_NONE, IR_NONE);
}

void gen_aad(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    IrVal a = ir_get(u, X86_RAX), ah = ir_extract(u, 32, a, 8, 8);
    IrVal b = ir_zext(u, 32, 8, ir_mul(u, 32, ah, k(x, in->imm)));
    IrVal al = ir_zext(u, 32, 8, a), r = ir_zext(u, 32, 8, ir_add(u, 32, al, b));
    x86_put_gpr(x, X86_RAX, 2, false, r);
    x86_cc_set(x, cc_op(CCC_ADD, 1), r, b, IR_NONE, al);
}
