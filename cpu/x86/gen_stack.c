/* PUSH, POP and their relatives, BOUND.
 *
 * SP is put after the last access that can fault.
 *
 * Source: Intel SDM volume 2; volume 1 chapter 6. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

void gen_push(Xlat *x, X86Insn *in)
{
    x86_push(x, in, in->osize, x86_rd_low(x, in, 0));
}

/* A memory destination is addressed with the stack pointer already moved. */
void gen_pop(Xlat *x, X86Insn *in)
{
    unsigned size = in->osize;
    IrVal v = x86_pop(x, in, size);
    if (in->op[0].loc == LOC_MEM) {
        if (in->base == X86_RSP)
            in->disp += size;
        x86_wr(x, in, 0, v);
        x86_pop_done(x, in, size);
    } else {
        x86_pop_done(x, in, size);
        x86_wr(x, in, 0, v);
    }
}

/* What lies above a fault has been stored, as on processors; the instruction stores it again. */
void gen_pusha(Xlat *x, X86Insn *in)
{
    unsigned size = in->osize;
    for (unsigned i = 0; i < 8; i++)
        x86_st(x, x86_stack_addr(x, in, -(int64_t)(size * (i + 1)), size, true), size, ir_get(x->u, i));
    x86_pop_done(x, in, -(int64_t)size * 8);
}

void gen_popa(Xlat *x, X86Insn *in)
{
    unsigned size = in->osize;
    IrVal v[8];
    for (unsigned i = 0; i < 8; i++)
        v[i] = x86_ld(x, x86_stack_addr(x, in, size * i, size, false), size);
    x86_pop_done(x, in, size * 8);
    for (unsigned i = 0; i < 8; i++)
        if (7 - i != X86_RSP)
            x86_put_gpr(x, 7 - i, size, false, v[i]);
}

static unsigned stack_bytes(const Xlat *x)
{
    return x->key.flags & HF_CS64 ? 8 : x->key.flags & HF_SS32 ? 4 : 2;
}

/* Stores go below SP: the old BP, level - 1 copied frame pointers, the new frame pointer. */
void gen_enter(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->osize, level = in->imm2 & 31, sp_size = stack_bytes(x), sp_w = x86_w(sp_size);
    int64_t final = -(int64_t)(size * (level + 1) + in->imm);
    IrVal bp = ir_get(u, X86_RBP), frame = ir_addi(u, sp_w, ir_get(u, X86_RSP), -(uint64_t)size);

    x86_st(x, x86_stack_addr(x, in, -(int64_t)size, size, true), size, bp);
    for (unsigned i = 1; i < level; i++) {
        IrVal off = x86_zext(x, ir_addi(u, sp_w, bp, -(uint64_t)(size * i)), sp_size);
        IrVal v = x86_ld(x, x86_linear(x, SEG_SS, off, size, false), size);
        x86_st(x, x86_stack_addr(x, in, -(int64_t)(size * (i + 1)), size, true), size, v);
    }
    if (level)
        x86_st(x, x86_stack_addr(x, in, -(int64_t)(size * (level + 1)), size, true), size, frame);
    ir_probe(u, 32, x86_memop(x, size), x86_stack_addr(x, in, final, size, true));
    x86_pop_done(x, in, final);
    x86_put_gpr(x, X86_RBP, size < sp_size ? size : sp_size, false, frame);
}

void gen_leave(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->osize, sp_size = stack_bytes(x);
    IrVal off = x86_get_gpr(x, X86_RBP, sp_size, false);
    IrVal v = x86_ld(x, x86_linear(x, SEG_SS, off, size, false), size);
    x86_put_gpr(x, X86_RSP, sp_size, false, ir_addi(u, x86_w(sp_size), off, size));
    x86_put_gpr(x, X86_RBP, size, false, v);
}

void gen_bound(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size;
    IrVal addr = x86_addr(x, in, 2 * size, false), i = x86_rd_low(x, in, 0);
    IrVal low = x86_ld(x, addr, size), high = x86_ld(x, ir_addi(u, 32, addr, size), size);
    x86_raise_if(x, size * 8, IRC_LT, i, low, EX_BR, false, 0);
    x86_raise_if(x, size * 8, IRC_GT, i, high, EX_BR, false, 0);
}
