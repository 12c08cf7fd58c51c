/* What every gen function builds on: addresses and segment checks, operands,
 * stack, exceptions, ends of a unit.  Contracts are in decode.h.
 *
 * Segmentation.  Where the mode flags say that a segment is flat nothing is
 * emitted.  In real and virtual-8086 mode segments are expand-up and usable,
 * so limit and base are applied inline; else a helper looks at the descriptor.
 *
 * Sources: Intel SDM volume 1 section 3.7, volume 3 sections 5.3, 20.1. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

static bool code64(const Xlat *x) { return x->key.flags & HF_CS64; }

/* ---- values ---- */

IrVal x86_zext(Xlat *x, IrVal v, unsigned size)
{
    if (size == 8 || x->u->vals[v].w <= size * 8)
        return v;
    return ir_zext(x->u, 64, size * 8, v);
}

IrVal x86_sext(Xlat *x, IrVal v, unsigned size)
{
    return size == 8 ? v : ir_sext(x->u, 64, size * 8, v);
}

static IrVal get_low(Xlat *x, unsigned reg, bool high)
{
    IrVal v = ir_get(x->u, reg);
    return high ? ir_extract(x->u, 32, v, 8, 8) : v;
}

IrVal x86_get_gpr(Xlat *x, unsigned reg, unsigned size, bool high)
{
    return x86_zext(x, get_low(x, reg, high), size);
}

void x86_put_gpr(Xlat *x, unsigned reg, unsigned size, bool high, IrVal v)
{
    if (size < 4)
        v = ir_deposit(x->u, 64, ir_get(x->u, reg), v, high ? 8 : 0, size * 8);
    else
        v = x86_zext(x, v, size);
    ir_put(x->u, reg, v);
}

/* ---- memory ---- */

unsigned x86_memop(const Xlat *x, unsigned size)
{
    return (unsigned)__builtin_ctz(size) | x86_mmu(x) << IRM_MODE_SHIFT;
}

IrVal x86_ld(Xlat *x, IrVal linear, unsigned size)
{
    return ir_ld(x->u, x86_w(size), x86_memop(x, size), linear);
}

IrVal x86_ld_rmw(Xlat *x, IrVal linear, unsigned size)
{
    return ir_ld(x->u, x86_w(size), x86_memop(x, size) | IRM_RMW, linear);
}

void x86_st(Xlat *x, IrVal linear, unsigned size, IrVal v)
{
    ir_st(x->u, x86_w(size), x86_memop(x, size), linear, v);
}

/* base + (index << scale) + disp at the address size */
static IrVal ea_sum(Xlat *x, const X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned w = in->asize == 8 ? 64 : 32;
    IrVal b = in->base >= 0 ? ir_get(u, (unsigned)in->base) : IR_NONE;
    if (in->index >= 0) {
        IrVal i = ir_get(u, (unsigned)in->index);
        if (b)
            return ir_lea(u, w, b, i, in->scale, in->disp);
        if (in->scale)
            i = ir_shli(u, w, i, in->scale);
        return ir_addi(u, w, i, (uint64_t)in->disp);
    }
    if (b)
        return ir_addi(u, w, b, (uint64_t)in->disp);
    uint64_t d = (uint64_t)in->disp;
    return k(x, in->asize == 8 ? d : in->asize == 4 ? (uint32_t)d : (uint16_t)d);
}

IrVal x86_ea(Xlat *x, X86Insn *in)
{
    if (!in->ea)
        in->ea = x86_zext(x, ea_sum(x, in), in->asize);
    return in->ea;
}

static bool seg_flat(const Xlat *x, unsigned seg, bool write)
{
    static const uint32_t flag[6] = { HF_ES_FLAT, HF_CS_FLAT, HF_SS_FLAT, HF_DS_FLAT, 0, 0 };
    if (code64(x))
        return seg < SEG_FS;
    return (x->key.flags & flag[seg]) && !(seg == SEG_CS && write);
}

static IrVal seg_base(Xlat *x, unsigned seg)
{
    if (seg >= SEG_FS)
        return ir_get(x->u, seg == SEG_FS ? X86_FS_BASE : X86_GS_BASE);
    return ir_lde(x->u, 64, offsetof(X86Cpu, seg[0].base) + seg * sizeof(X86Seg));
}

/* Real and virtual-8086 mode: the last byte must not be above the limit. */
static void limit_check(Xlat *x, unsigned seg, IrVal off, unsigned size)
{
    IrVal limit = ir_lde(x->u, 32, offsetof(X86Cpu, seg[0].limit) + seg * (unsigned)sizeof(X86Seg));
    IrVal last = ir_addi(x->u, 64, off, size ? size - 1 : 0);
    x86_raise_if(x, 64, IRC_GTU, last, limit, seg == SEG_SS ? EX_SS : EX_GP, true, 0);
}

static IrVal linear(Xlat *x, unsigned seg, IrVal off, unsigned size, bool write)
{
    IrUnit *u = x->u;
    if (seg_flat(x, seg, write))
        return off;
    if (code64(x))
        return ir_add(u, 64, off, seg_base(x, seg));
    if ((x->key.flags & HF_PE) && !(x->key.flags & HF_VM))
        return x86_call2(x, X86H_seg_check, off, k(x, seg | (size ? size : 1) << 8 | (unsigned)write << 16));
    limit_check(x, seg, off, size);
    return ir_add(u, 32, off, seg_base(x, seg));
}

IrVal x86_linear(Xlat *x, unsigned seg, IrVal off, unsigned size, bool write)
{
    IrVal a = linear(x, seg, off, size, write);
    if (x->key.flags & HF_DRBP)
        x86_call2(x, X86H_data_bp, a, k(x, size | (unsigned)write << 8));
    return a;
}

IrVal x86_addr(Xlat *x, X86Insn *in, unsigned size, bool write)
{
    if (!in->addr)
        in->addr = x86_linear(x, in->mseg, x86_ea(x, in), size, write);
    return in->addr;
}

/* ---- operands ---- */

static IrVal rd(Xlat *x, X86Insn *in, unsigned n, bool rmw)
{
    const X86Opnd *o = &in->op[n];
    switch (o->loc) {
    case LOC_GPR:
        return get_low(x, o->reg, o->high);
    case LOC_MEM: {
        IrVal a = x86_addr(x, in, o->size, rmw);
        return rmw ? x86_ld_rmw(x, a, o->size) : x86_ld(x, a, o->size);
    }
    default:
        return k(x, o->size == 8 ? o->imm : o->imm & (BIT(o->size * 8) - 1));
    }
}

IrVal x86_rd_low(Xlat *x, X86Insn *in, unsigned n) { return rd(x, in, n, false); }
IrVal x86_rd(Xlat *x, X86Insn *in, unsigned n) { return x86_zext(x, rd(x, in, n, false), in->op[n].size); }
IrVal x86_rd_rmw(Xlat *x, X86Insn *in, unsigned n) { return rd(x, in, n, true); }

void x86_wr(Xlat *x, X86Insn *in, unsigned n, IrVal v)
{
    const X86Opnd *o = &in->op[n];
    if (o->loc == LOC_MEM)
        x86_st(x, x86_addr(x, in, o->size, true), o->size, v);
    else
        x86_put_gpr(x, o->reg, o->size, o->high, v);
}

/* ---- stack ---- */

static unsigned stack_size(const Xlat *x)
{
    return code64(x) ? 8 : x->key.flags & HF_SS32 ? 4 : 2;
}

static IrVal stack_offset(Xlat *x, int64_t delta)
{
    unsigned n = stack_size(x);
    IrVal sp = ir_get(x->u, X86_RSP);
    return x86_zext(x, delta ? ir_addi(x->u, x86_w(n), sp, (uint64_t)delta) : sp, n);
}

IrVal x86_stack_addr(Xlat *x, X86Insn *in, int64_t delta, unsigned size, bool write)
{
    (void)in;
    return x86_linear(x, SEG_SS, stack_offset(x, delta), size, write);
}

static void stack_move(Xlat *x, int64_t delta)
{
    x86_put_gpr(x, X86_RSP, stack_size(x), false, stack_offset(x, delta));
}

void x86_push(Xlat *x, X86Insn *in, unsigned size, IrVal v)
{
    x86_st(x, x86_stack_addr(x, in, -(int64_t)size, size, true), size, v);
    stack_move(x, -(int64_t)size);
}

IrVal x86_pop(Xlat *x, X86Insn *in, unsigned size)
{
    return x86_ld(x, x86_stack_addr(x, in, 0, size, false), size);
}

void x86_pop_done(Xlat *x, X86Insn *in, int64_t bytes)
{
    (void)in;
    stack_move(x, bytes);
}

/* ---- exceptions ---- */

static unsigned raise_exit(Xlat *x, unsigned vector, bool has_code, uint32_t code)
{
    return ir_exit_new(x->u, (IrExit){ .kind = IRX_RAISE, .helper = X86H_raise,
                                       .arg = { vector, has_code ? code : ~(uint64_t)0 } });
}

void x86_gen_raise(Xlat *x, unsigned vector)
{
    ir_exit(x->u, raise_exit(x, vector, false, 0));
    x->end = true;
}

void x86_gen_raise_code(Xlat *x, unsigned vector, uint32_t code)
{
    ir_exit(x->u, raise_exit(x, vector, true, code));
    x->end = true;
}

void x86_raise_if(Xlat *x, unsigned w, IrCond c, IrVal a, IrVal b, unsigned vector, bool has_code, uint32_t code)
{
    ir_br(x->u, w, c, a, b, raise_exit(x, vector, has_code, code));
}

IrVal x86_call(Xlat *x, X86Helper h, IrVal a, IrVal b, IrVal c, IrVal f)
{
    IrVal v = ir_call(x->u, h, a, b, c, f);
    if (x->u->arch->helpers[h].flags & IRH_WRITE)
        x86_cc_forget(x);
    return v;
}

/* ---- ends of a unit ---- */

void x86_put_next(Xlat *x, X86Insn *in)
{
    ir_put(x->u, X86_RIP, k(x, in->next_eip));
}

static void end(Xlat *x, IrExit e)
{
    ir_exit(x->u, ir_exit_new(x->u, e));
    x->end = true;
}

/* RIP is put: what single-stepping and the interrupt shadow do after an instruction. */
static void end_step(Xlat *x)
{
    x86_call1(x, X86H_end_step, k(x, x->key.flags & 0xffffffff));
    if (x->key.flags & (HF_TF | HF_DRBP)) {
        end(x, (IrExit){ .kind = IRX_LOOP_DYN });
        return;
    }
    ir_poll(x->u, ir_exit_new(x->u, (IrExit){ .kind = IRX_LOOP_DYN }));
    end(x, (IrExit){ .kind = IRX_LOOKUP });
}

static uint64_t linear_of(const Xlat *x, uint64_t eip)
{
    return code64(x) ? eip : (uint32_t)(eip + (x->key.flags >> 32));
}

unsigned x86_exit_to(Xlat *x, X86Insn *in, uint64_t eip, unsigned flags)
{
    uint64_t lin = linear_of(x, eip);
    IrExit e = { .kind = IRX_DIRECT, .pc = eip, .arg = { in->next_eip } };
    if (!xlat_same_page(x, lin))
        flags |= IRX_CROSS;
    else if (x86_flags_dead(x, lin))
        e.dead[X86_CC_OP / 64] |= BIT(X86_CC_OP) | BIT(X86_CC_DST) | BIT(X86_CC_SRC) | BIT(X86_CC_SRC2);
    if (lin <= in->pc)
        flags |= IRX_BACKWARD;
    e.flags = (uint8_t)flags;
    return ir_exit_new(x->u, e);
}

void x86_poll(Xlat *x, uint64_t eip)
{
    ir_poll(x->u, ir_exit_new(x->u, (IrExit){ .kind = IRX_LOOP, .pc = eip }));
}

void x86_exit_direct(Xlat *x, X86Insn *in, uint64_t eip, unsigned flags)
{
    if (x86_step(x)) {
        ir_put(x->u, X86_RIP, k(x, eip));
        end_step(x);
        return;
    }
    if (linear_of(x, eip) <= in->pc || x86_unit(x)->sti)
        x86_poll(x, eip);
    ir_exit(x->u, x86_exit_to(x, in, eip, flags));
    x->end = true;
}

void x86_exit_indirect(Xlat *x, X86Insn *in, IrVal eip, unsigned flags)
{
    ir_put(x->u, X86_RIP, eip);
    if (x86_step(x)) {
        end_step(x);
        return;
    }
    ir_poll(x->u, ir_exit_new(x->u, (IrExit){ .kind = IRX_LOOP_DYN }));
    end(x, (IrExit){ .kind = IRX_INDIRECT, .flags = (uint8_t)flags, .val = eip, .arg = { in->next_eip } });
}

void x86_exit_lookup(Xlat *x, X86Insn *in)
{
    (void)in;
    if (x86_step(x))
        end_step(x);
    else
        end(x, (IrExit){ .kind = IRX_LOOKUP });
}

void x86_exit_loop(Xlat *x, X86Insn *in)
{
    (void)in;
    if (x86_step(x))
        end_step(x);
    else
        end(x, (IrExit){ .kind = IRX_LOOP_DYN });
}

void x86_check_branch(Xlat *x, IrVal eip)
{
    if (!code64(x) && (x->key.flags & HF_CS_LIMIT)) {
        IrVal limit = ir_lde(x->u, 32, offsetof(X86Cpu, seg[SEG_CS].limit));
        x86_raise_if(x, 32, IRC_GTU, eip, limit, EX_GP, true, 0);
    }
}
