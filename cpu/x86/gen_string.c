/* String instructions: MOVS STOS LODS CMPS SCAS INS OUTS, with and without
 * REP.
 *
 * One element is ordinary IR.  A repeated instruction is a unit that does a
 * piece of the work and jumps to itself until the count is 0: for MOVS, STOS,
 * CMPS and SCAS the piece is all elements up to the next page boundary
 * (help_string.c), else one element.  The registers are always those of a
 * whole number of elements, so a fault or an interrupt between pieces sees
 * what it would on a processor.
 *
 * Source: Intel SDM volume 2, volume 1 section 7.3.9. */
#include "cpu/x86/decode.h"
#include "cpu/x86/strops.h"

#include "util/bits.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

static unsigned src_seg(const X86Insn *in) { return in->seg >= 0 ? (unsigned)in->seg : SEG_DS; }

/* Linear address of [reg] */
static IrVal string_addr(Xlat *x, X86Insn *in, unsigned reg, unsigned size, bool write)
{
    unsigned seg = reg == X86_RDI ? SEG_ES : src_seg(in);
    return x86_linear(x, seg, x86_get_gpr(x, reg, in->asize, false), size, write);
}

/* reg += size or -size */
static void string_step(Xlat *x, X86Insn *in, unsigned reg, unsigned size)
{
    IrUnit *u = x->u;
    IrVal by = ir_get(u, X86_DF);
    if (size > 1)
        by = ir_shli(u, 64, by, (uint64_t)__builtin_ctz(size));
    x86_put_gpr(x, reg, in->asize, false, ir_add(u, x86_w(in->asize), ir_get(u, reg), by));
}

/* ---- REP ---- */

static X86Cond count_is_zero(Xlat *x, X86Insn *in)
{
    return (X86Cond){ .w = in->asize * 8u, .c = IRC_EQ, .a = ir_get(x->u, X86_RCX), .b = k(x, 0) };
}

static void leave_if(Xlat *x, X86Insn *in, X86Cond c)
{
    ir_br(x->u, c.w, c.c, c.a, c.b, x86_exit_to(x, in, in->next_eip, 0));
}

/* Under single-step every iteration is an instruction of its own: the next RIP is selected. */
static void step_again(Xlat *x, X86Insn *in, X86Cond done)
{
    IrVal to = ir_sel(x->u, done.w, done.c, done.a, done.b, k(x, in->next_eip), k(x, in->eip));
    x86_exit_indirect(x, in, to, 0);
}

static X86Cond either(Xlat *x, X86Cond a, X86Cond b)
{
    IrUnit *u = x->u;
    IrVal v = ir_or(u, 32, ir_setc(u, a.w, a.c, a.a, a.b), ir_setc(u, b.w, b.c, b.a, b.b));
    return (X86Cond){ .w = 32, .c = IRC_NE, .a = v, .b = k(x, 0) };
}

/* Count 0 on entry: nothing happens.  Under single-step a unit cannot leave by a direct side exit, so that case is
 * translated as its own exit through LOOP. */
static void rep_enter(Xlat *x, X86Insn *in)
{
    X86Cond zero = count_is_zero(x, in);
    if (x86_step(x)) {
        IrUnit *u = x->u;
        unsigned e = ir_exit_new(u, (IrExit){ .kind = IRX_LOOP, .pc = in->next_eip });
        ir_br(u, zero.w, zero.c, zero.a, zero.b, e);
    } else {
        leave_if(x, in, zero);
    }
}

static void count_down(Xlat *x, X86Insn *in)
{
    IrVal n = ir_addi(x->u, x86_w(in->asize), ir_get(x->u, X86_RCX), ~(uint64_t)0);
    x86_put_gpr(x, X86_RCX, in->asize, false, n);
}

/* After an element or a piece: leave if the count is 0 (or, with cc, ZF says so), else once more. */
static void rep_again(Xlat *x, X86Insn *in, bool cc)
{
    X86Cond done = count_is_zero(x, in);
    if (cc) {
        /* REPE (F3) stops when not equal, REPNE (F2) when equal */
        X86Cond stop = x86_cc_cond(x, in->rep == 0xf3 ? 5 : 4);
        done = either(x, done, stop);
    }
    if (x86_step(x)) {
        step_again(x, in, done);
        return;
    }
    leave_if(x, in, done);
    x86_exit_direct(x, in, in->eip, 0);
}

/* one(): an element.  cc: it sets flags that REPE, REPNE test. */
static void string_insn(Xlat *x, X86Insn *in, void (*one)(Xlat *, X86Insn *), bool cc)
{
    if (!in->rep) {
        one(x, in);
        return;
    }
    rep_enter(x, in);
    one(x, in);
    count_down(x, in);
    rep_again(x, in, cc);
}

/* ---- pieces ---- */

static bool plain_segment(const Xlat *x, unsigned seg)
{
    static const uint32_t flat[4] = { HF_ES_FLAT, HF_CS_FLAT, HF_SS_FLAT, HF_DS_FLAT };
    if (x->key.flags & HF_CS64)
        return true;
    return seg < 4 && (x->key.flags & flat[seg]);
}

/* What the helper has to know (string.h). */
static uint64_t piece_info(const Xlat *x, const X86Insn *in, unsigned size)
{
    unsigned seg = src_seg(in);
    bool limits = !plain_segment(x, seg) || !plain_segment(x, SEG_ES);
    return (uint64_t)__builtin_ctz(size) | (uint64_t)__builtin_ctz(in->asize) << STR_ASIZE | (uint64_t)seg << STR_SEG |
           (limits ? STR_LIMITS : 0) | (in->rep == 0xf3 ? STR_REPE : 0);
}

/* src, dst: the helper's linear addresses of the first element (IR_NONE: the instruction has none) */
static void string_pieces(Xlat *x, X86Insn *in, X86Helper h, bool src, bool dst, bool writes, bool cc)
{
    unsigned size = in->op[0].size;
    rep_enter(x, in);
    IrVal s = src ? string_addr(x, in, X86_RSI, size, false) : k(x, 0);
    IrVal d = dst ? string_addr(x, in, X86_RDI, size, writes) : k(x, 0);
    IrVal info = k(x, piece_info(x, in, size));
    x86_call3(x, h, s, d, info);
    rep_again(x, in, cc);
}

static bool in_pieces(const Xlat *x, const X86Insn *in) { return in->rep && !x86_step(x); }

/* ---- the instructions ---- */

static void movs(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal v = x86_ld(x, string_addr(x, in, X86_RSI, size, false), size);
    x86_st(x, string_addr(x, in, X86_RDI, size, true), size, v);
    string_step(x, in, X86_RSI, size);
    string_step(x, in, X86_RDI, size);
}

void gen_strmovs(Xlat *x, X86Insn *in)
{
    if (in_pieces(x, in))
        string_pieces(x, in, X86H_rep_movs, true, true, true, false);
    else
        string_insn(x, in, movs, false);
}

static void stos(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    x86_st(x, string_addr(x, in, X86_RDI, size, true), size, ir_get(x->u, X86_RAX));
    string_step(x, in, X86_RDI, size);
}

void gen_stos(Xlat *x, X86Insn *in)
{
    if (in_pieces(x, in))
        string_pieces(x, in, X86H_rep_stos, false, true, true, false);
    else
        string_insn(x, in, stos, false);
}

static void lods(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal v = x86_ld(x, string_addr(x, in, X86_RSI, size, false), size);
    string_step(x, in, X86_RSI, size);
    x86_put_gpr(x, X86_RAX, size, false, v);
}

void gen_lods(Xlat *x, X86Insn *in) { string_insn(x, in, lods, false); }

static void cmps(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal a = x86_ld(x, string_addr(x, in, X86_RSI, size, false), size);
    IrVal b = x86_ld(x, string_addr(x, in, X86_RDI, size, false), size);
    string_step(x, in, X86_RSI, size);
    string_step(x, in, X86_RDI, size);
    x86_cc_set(x, cc_op(CCC_CMP, size), a, b, IR_NONE, IR_NONE);
}

void gen_cmps(Xlat *x, X86Insn *in)
{
    if (in_pieces(x, in))
        string_pieces(x, in, X86H_rep_cmps, true, true, false, true);
    else
        string_insn(x, in, cmps, true);
}

static void scas(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal b = x86_ld(x, string_addr(x, in, X86_RDI, size, false), size);
    string_step(x, in, X86_RDI, size);
    x86_cc_set(x, cc_op(CCC_CMP, size), ir_get(x->u, X86_RAX), b, IR_NONE, IR_NONE);
}

void gen_scas(Xlat *x, X86Insn *in)
{
    if (in_pieces(x, in))
        string_pieces(x, in, X86H_rep_scas, false, true, false, true);
    else
        string_insn(x, in, scas, true);
}

/* ---- ports ---- */

static IrVal port(Xlat *x) { return x86_get_gpr(x, X86_RDX, 2, false); }

static void check_port(Xlat *x, unsigned size)
{
    x86_call2(x, X86H_io_check, port(x), k(x, size));
}

/* The store is probed before the port is read: a fault must not lose what the device gave. */
static void ins(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal a = string_addr(x, in, X86_RDI, size, true);
    ir_probe(x->u, x86_w(size), x86_memop(x, size), a);
    x86_st(x, a, size, x86_call2(x, X86H_io_in, port(x), k(x, size)));
    string_step(x, in, X86_RDI, size);
}

static void outs(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[1].size;
    IrVal v = x86_ld(x, string_addr(x, in, X86_RSI, size, false), size);
    x86_call3(x, X86H_io_out, port(x), k(x, size), v);
    string_step(x, in, X86_RSI, size);
}

/* The permission is checked even with a count of 0. */
void gen_ins(Xlat *x, X86Insn *in)
{
    check_port(x, in->op[0].size);
    string_insn(x, in, ins, false);
}

void gen_outs(Xlat *x, X86Insn *in)
{
    check_port(x, in->op[1].size);
    string_insn(x, in, outs, false);
}
