/* Near branches, calls and returns.
 *
 * A branch to a lower or the same address tests for an exit request first
 * (x86_poll), so that every loop can be left; the state then is the one before
 * the branch.  A forward conditional branch that is not taken does not end
 * the unit.
 *
 * An indirect branch to a non-canonical address raises #GP at its target, not
 * at the branch as the manual has it: nothing has to be tested on each return.
 *
 * Sources: Intel SDM volume 1 chapter 6, volume 2. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

enum { MAX_SIDE_EXITS = 4 };

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

static bool backward(const X86Insn *in) { return in->imm <= in->eip; }

/* CS limit for direct branches. */
static void check_target(Xlat *x, X86Insn *in)
{
    if (x->key.flags & HF_CS_LIMIT)
        x86_check_branch(x, k(x, in->imm));
}

/* To in->imm if c holds; else the next instruction, in this unit if more is true. */
static void branch(Xlat *x, X86Insn *in, X86Cond c, bool more)
{
    X86Unit *un = x86_unit(x);
    if (x86_step(x)) {
        IrVal to = ir_sel(x->u, c.w, c.c, c.a, c.b, k(x, in->imm), k(x, in->next_eip));
        x86_exit_indirect(x, in, to, 0);
        return;
    }
    ir_br(x->u, c.w, c.c, c.a, c.b, x86_exit_to(x, in, in->imm, 0));
    if (more && !backward(in) && un->side_exits < MAX_SIDE_EXITS)
        un->side_exits++;
    else
        x86_exit_direct(x, in, in->next_eip, 0);
}

void gen_jcc(Xlat *x, X86Insn *in)
{
    if (backward(in) && !x86_step(x))
        x86_poll(x, in->eip);
    X86Cond c = x86_cc_cond(x, in->opcode & 15);
    if (x->key.flags & HF_CS_LIMIT) {
        /* only a taken branch is checked */
        IrVal to = ir_sel(x->u, c.w, c.c, c.a, c.b, k(x, in->imm), k(x, 0));
        x86_check_branch(x, to);
    }
    branch(x, in, c, true);
}

void gen_jmp(Xlat *x, X86Insn *in)
{
    check_target(x, in);
    x86_exit_direct(x, in, in->imm, 0);
}

void gen_call(Xlat *x, X86Insn *in)
{
    check_target(x, in);
    x86_push(x, in, in->osize, k(x, in->next_eip));
    x86_exit_direct(x, in, in->imm, IRX_CALL);
}

void gen_jmp_ind(Xlat *x, X86Insn *in)
{
    IrVal to = x86_rd(x, in, 0);
    x86_check_branch(x, to);
    x86_exit_indirect(x, in, to, 0);
}

void gen_call_ind(Xlat *x, X86Insn *in)
{
    IrVal to = x86_rd(x, in, 0);
    x86_check_branch(x, to);
    x86_push(x, in, in->osize, k(x, in->next_eip));
    x86_exit_indirect(x, in, to, IRX_CALL);
}

void gen_ret(Xlat *x, X86Insn *in)
{
    IrVal to = x86_pop(x, in, in->osize);
    x86_check_branch(x, to);
    x86_pop_done(x, in, (int64_t)(in->osize + in->imm));
    x86_exit_indirect(x, in, to, IRX_RET);
}

/* ---- LOOP, JCXZ: the count is as wide as addresses ---- */

/* cc: IRC_COUNT for LOOP; else the condition tttn must hold too */
static void loop(Xlat *x, X86Insn *in, int tttn)
{
    IrUnit *u = x->u;
    unsigned bits = in->asize * 8u;
    if (backward(in) && !x86_step(x))
        x86_poll(x, in->eip);
    check_target(x, in);
    IrVal n = ir_addi(u, x86_w(in->asize), ir_get(u, X86_RCX), ~(uint64_t)0);
    X86Cond c = { .w = bits, .c = IRC_NE, .a = n, .b = k(x, 0) };
    if (tttn >= 0) {
        X86Cond z = x86_cc_cond(x, (unsigned)tttn);
        c.a = ir_and(u, 32, ir_setc(u, bits, IRC_NE, n, k(x, 0)), ir_setc(u, z.w, z.c, z.a, z.b));
        c.w = 32;
    }
    x86_put_gpr(x, X86_RCX, in->asize, false, n);
    branch(x, in, c, false);
}

void gen_loop(Xlat *x, X86Insn *in) { loop(x, in, -1); }
void gen_loope(Xlat *x, X86Insn *in) { loop(x, in, 4); }
void gen_loopne(Xlat *x, X86Insn *in) { loop(x, in, 5); }

void gen_jcxz(Xlat *x, X86Insn *in)
{
    if (backward(in) && !x86_step(x))
        x86_poll(x, in->eip);
    check_target(x, in);
    X86Cond c = { .w = in->asize * 8u, .c = IRC_EQ, .a = ir_get(x->u, X86_RCX), .b = k(x, 0) };
    branch(x, in, c, true);
}
