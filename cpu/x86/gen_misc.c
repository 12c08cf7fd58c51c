/* Exchange-and-compare, fences, hints, random numbers, undefined opcodes.
 *
 * Source: Intel SDM volume 2. */
#include "cpu/x86/decode.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

void gen_xadd(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal b = x86_rd(x, in, 1), a, r;
    if (in->lock) {
        a = ir_rmw(u, w, x86_memop(x, size), IRA_ADD, x86_addr(x, in, size, true), b);
        r = ir_add(u, w, a, b);
        x86_wr(x, in, 1, a);
    } else {
        a = x86_rd_rmw(x, in, 0);
        r = ir_add(u, w, a, b);
        if (in->op[0].loc == LOC_MEM) {
            x86_wr(x, in, 0, r);
            x86_wr(x, in, 1, a);
        } else {
            x86_wr(x, in, 1, a);
            x86_wr(x, in, 0, r);
        }
    }
    x86_cc_set(x, cc_op(CCC_ADD, size), r, b, IR_NONE, a);
}

/* v put into the low part of the full register value */
static IrVal merged(Xlat *x, IrVal full, IrVal v, unsigned size, bool high)
{
    return size < 4 ? ir_deposit(x->u, 64, full, v, high ? 8 : 0, size * 8) : v;
}

/* Either the destination or the accumulator is written, and the other left alone (all 64 bits of it); memory always
 * is. */
static void cmpxchg_reg(Xlat *x, X86Insn *in, IrVal a, IrVal acc, IrVal b)
{
    IrUnit *u = x->u;
    const X86Opnd *o = &in->op[0];
    IrVal old = ir_get(u, o->reg), yes = merged(x, old, b, o->size, o->high);
    ir_put(u, o->reg, ir_sel(u, o->size * 8u, IRC_EQ, a, acc, yes, old));
}

void gen_cmpxchg(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, bits = size * 8;
    IrVal b = x86_rd(x, in, 1), acc = x86_get_gpr(x, X86_RAX, size, false), a;
    if (in->lock) {
        a = ir_cas(u, x86_w(size), x86_memop(x, size), x86_addr(x, in, size, true), acc, b);
    } else {
        a = x86_zext(x, x86_rd_rmw(x, in, 0), size);
        if (in->op[0].loc == LOC_MEM)
            x86_wr(x, in, 0, ir_sel(u, bits, IRC_EQ, a, acc, b, a));
        else
            cmpxchg_reg(x, in, a, acc, b);
    }
    IrVal full = ir_get(u, X86_RAX);
    ir_put(u, X86_RAX, ir_sel(u, bits, IRC_EQ, a, acc, full, merged(x, full, a, size, false)));
    x86_cc_set(x, cc_op(CCC_CMP, size), acc, a, IR_NONE, IR_NONE);
}

void gen_cmpxchg8b(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    IrVal expected = ir_deposit(u, 64, ir_get(u, X86_RAX), ir_get(u, X86_RDX), 32, 32);
    IrVal desired = ir_deposit(u, 64, ir_get(u, X86_RBX), ir_get(u, X86_RCX), 32, 32);
    IrVal seen = ir_cas(u, 64, x86_memop(x, 8), x86_addr(x, in, 8, true), expected, desired);
    IrVal zf = ir_setc(u, 64, IRC_EQ, seen, expected);
    IrVal lo = ir_zext(u, 64, 32, seen), hi = ir_shri(u, 64, seen, 32);
    ir_put(u, X86_RAX, ir_sel(u, 32, IRC_NE, zf, k(x, 0), ir_get(u, X86_RAX), lo));
    ir_put(u, X86_RDX, ir_sel(u, 32, IRC_NE, zf, k(x, 0), ir_get(u, X86_RDX), hi));
    x86_cc_merge(x, FL_ZF, ir_shli(u, 32, zf, 6));
}

void gen_cmpxchg16b(Xlat *x, X86Insn *in)
{
    IrVal addr = x86_addr(x, in, 16, true);
    x86_raise_if(x, 64, IRC_TSTNZ, addr, k(x, 15), EX_GP, true, 0);
    x86_call1(x, X86H_cmpxchg16b, addr);
}

/* ---- fences, hints ---- */

void gen_nop(Xlat *x, X86Insn *in) { (void)x, (void)in; }
/* x86 guests on an ordered host: loads and stores keep their order among themselves */
void gen_lfence(Xlat *x, X86Insn *in) { (void)x, (void)in; }
void gen_sfence(Xlat *x, X86Insn *in) { (void)x, (void)in; }
void gen_mfence(Xlat *x, X86Insn *in) { (void)in; ir_fence(x->u); }

/* No cache to flush; the address is checked as a load of a byte. */
void gen_clflush(Xlat *x, X86Insn *in)
{
    x86_rd_low(x, in, 0);
}

void gen_ud(Xlat *x, X86Insn *in)
{
    (void)in;
    x86_gen_ud(x);
}

/* ---- random numbers: always there, CF = 1 ---- */

void gen_rdrand(Xlat *x, X86Insn *in)
{
    IrVal v = x86_call0(x, X86H_random);
    x86_wr(x, in, 0, v);
    x86_cc_set_flags(x, k(x, FL_CF));
}

void gen_rdseed(Xlat *x, X86Insn *in) { gen_rdrand(x, in); }
