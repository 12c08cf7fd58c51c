/* Arithmetic, logic, moves, multiplication, division and BCD.
 *
 * An instruction with LOCK on memory is one atomic operation; those that the
 * IR has no atomic for (ADC, SBB) compute the result from a plain load and
 * store it by compare-and-exchange; if another vcpu was faster the
 * instruction starts again.
 *
 * Sources: Intel SDM volume 2. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

static bool locked(const X86Insn *in) { return in->lock && in->op[0].loc == LOC_MEM; }

/* The same register twice: XOR r,r; SUB r,r. */
static bool same_reg(const X86Insn *in)
{
    const X86Opnd *a = &in->op[0], *b = &in->op[1];
    return a->loc == LOC_GPR && b->loc == LOC_GPR && a->reg == b->reg && a->high == b->high;
}

/* ---- ADD OR AND SUB XOR CMP TEST ---- */

static IrVal alu_op(Xlat *x, IrOpcode op, unsigned w, IrVal a, IrVal b)
{
    return ir_emit(x->u, op, w, 0, a, b, IR_NONE, IR_NONE);
}

static IrVal alu_locked(Xlat *x, X86Insn *in, IrOpcode op, IrVal b)
{
    static const IrAtomic atomic[] = { [IR_add] = IRA_ADD, [IR_and] = IRA_AND, [IR_or] = IRA_OR, [IR_xor] = IRA_XOR };
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal addr = x86_addr(x, in, size, true);
    if (op == IR_sub)
        return ir_rmw(x->u, w, x86_memop(x, size), IRA_ADD, addr, ir_neg(x->u, w, b));
    return ir_rmw(x->u, w, x86_memop(x, size), atomic[op], addr, b);
}

static void alu(Xlat *x, X86Insn *in, IrOpcode op, CcClass class)
{
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a, b = x86_rd_low(x, in, 1), r;
    if (locked(in)) {
        a = alu_locked(x, in, op, b);
        r = alu_op(x, op, w, a, b);
    } else {
        a = x86_rd_rmw(x, in, 0);
        r = alu_op(x, op, w, a, b);
        x86_wr(x, in, 0, r);
    }
    if (class == CCC_LOGIC)
        x86_cc_set(x, cc_op(class, size), r, IR_NONE, IR_NONE, IR_NONE);
    else
        x86_cc_set(x, cc_op(class, size), r, b, IR_NONE, a);
}

void gen_add(Xlat *x, X86Insn *in) { alu(x, in, IR_add, CCC_ADD); }
void gen_or(Xlat *x, X86Insn *in) { alu(x, in, IR_or, CCC_LOGIC); }
void gen_and(Xlat *x, X86Insn *in) { alu(x, in, IR_and, CCC_LOGIC); }
void gen_sub(Xlat *x, X86Insn *in) { alu(x, in, IR_sub, CCC_SUB); }

void gen_xor(Xlat *x, X86Insn *in)
{
    if (same_reg(in)) {
        x86_wr(x, in, 0, k(x, 0));
        x86_cc_set(x, cc_op(CCC_LOGIC, in->op[0].size), k(x, 0), IR_NONE, IR_NONE, IR_NONE);
    } else {
        alu(x, in, IR_xor, CCC_LOGIC);
    }
}

void gen_cmp(Xlat *x, X86Insn *in)
{
    IrVal a = x86_rd_low(x, in, 0), b = x86_rd_low(x, in, 1);
    x86_cc_set(x, cc_op(CCC_CMP, in->op[0].size), a, b, IR_NONE, IR_NONE);
}

void gen_test(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal a = x86_rd_low(x, in, 0), b = x86_rd_low(x, in, 1);
    x86_cc_set(x, cc_op(CCC_LOGIC, size), ir_and(x->u, x86_w(size), a, b), b, IR_NONE, a);
}

/* ---- ADC SBB ---- */

/* Stores new if memory still holds old; else the instruction is tried again. */
static void store_if_unchanged(Xlat *x, X86Insn *in, unsigned size, IrVal old, IrVal new)
{
    IrVal seen = ir_cas(x->u, x86_w(size), x86_memop(x, size), x86_addr(x, in, size, true), old, new);
    unsigned again = ir_exit_new(x->u, (IrExit){ .kind = IRX_LOOP, .pc = in->eip });
    ir_br(x->u, size * 8, IRC_NE, seen, old, again);
}

static void carry_op(Xlat *x, X86Insn *in, IrOpcode op, CcClass class)
{
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal b = x86_rd_low(x, in, 1), cf = x86_cc_cf(x), a = x86_rd_rmw(x, in, 0);
    IrVal r = alu_op(x, op, w, alu_op(x, op, w, a, b), cf);
    if (locked(in))
        store_if_unchanged(x, in, size, a, r);
    else
        x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(class, size), r, b, cf, a);
}

void gen_adc(Xlat *x, X86Insn *in) { carry_op(x, in, IR_add, CCC_ADC); }
void gen_sbb(Xlat *x, X86Insn *in) { carry_op(x, in, IR_sub, CCC_SBB); }

/* ADCX, ADOX: only CF, only OF in and out */
static void adx(Xlat *x, X86Insn *in, uint64_t flag)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size), pos = flag == FL_CF ? 0 : 11;
    IrVal b = x86_rd_low(x, in, 1), a = x86_rd_low(x, in, 0);
    IrVal c = flag == FL_CF ? x86_cc_cf(x) : ir_extract(u, 32, x86_cc_all(x), pos, 1);
    IrVal ab = ir_add(u, w, a, b), r = ir_add(u, w, ab, c);
    IrVal out = ir_or(u, 32, ir_setc(u, w, IRC_LTU, ab, b), ir_setc(u, w, IRC_LTU, r, c));
    x86_wr(x, in, 0, r);
    x86_cc_merge(x, flag, ir_shli(u, 32, out, pos));
}

void gen_adcx(Xlat *x, X86Insn *in) { adx(x, in, FL_CF); }
void gen_adox(Xlat *x, X86Insn *in) { adx(x, in, FL_OF); }

/* ---- INC DEC NEG NOT ---- */

static void inc_dec(Xlat *x, X86Insn *in, uint64_t by, CcClass class)
{
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal cf = x86_cc_cf(x), a, r;
    if (locked(in)) {
        a = alu_locked(x, in, IR_add, k(x, by));
        r = ir_addi(x->u, w, a, by);
    } else {
        a = x86_rd_rmw(x, in, 0);
        r = ir_addi(x->u, w, a, by);
        x86_wr(x, in, 0, r);
    }
    x86_cc_set(x, cc_op(class, size), r, cf, IR_NONE, a);
}

void gen_inc(Xlat *x, X86Insn *in) { inc_dec(x, in, 1, CCC_INC); }
void gen_dec(Xlat *x, X86Insn *in) { inc_dec(x, in, ~(uint64_t)0, CCC_DEC); }

void gen_neg(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a, r;
    if (locked(in)) {
        a = ir_rmw(x->u, w, x86_memop(x, size), IRA_SUB_REV, x86_addr(x, in, size, true), k(x, 0));
        r = ir_neg(x->u, w, a);
    } else {
        a = x86_rd_rmw(x, in, 0);
        r = ir_neg(x->u, w, a);
        x86_wr(x, in, 0, r);
    }
    x86_cc_set(x, cc_op(CCC_SUB, size), r, a, IR_NONE, k(x, 0));
}

void gen_not(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    if (locked(in))
        alu_locked(x, in, IR_xor, k(x, ~(uint64_t)0));
    else
        x86_wr(x, in, 0, ir_not(x->u, x86_w(size), x86_rd_rmw(x, in, 0)));
}

/* ---- moves ---- */

void gen_mov(Xlat *x, X86Insn *in) { x86_wr(x, in, 0, x86_rd_low(x, in, 1)); }
void gen_movnti(Xlat *x, X86Insn *in) { gen_mov(x, in); }
void gen_movzx(Xlat *x, X86Insn *in) { x86_wr(x, in, 0, x86_rd(x, in, 1)); }

/* The memory operand comes sign-extended from the load. */
void gen_movsx(Xlat *x, X86Insn *in)
{
    const X86Opnd *s = &in->op[1];
    unsigned size = in->op[0].size < s->size ? in->op[0].size : s->size, w = x86_w(in->op[0].size);
    IrVal v;
    if (s->loc == LOC_MEM)
        v = ir_ld(x->u, w, x86_memop(x, size) | (size * 8 < w ? IRM_SIGN : 0), x86_addr(x, in, s->size, false));
    else
        v = ir_sext(x->u, w, size * 8, x86_rd_low(x, in, 1));
    x86_wr(x, in, 0, v);
}

/* without REX.W a plain move of 32 or 16 bits */
void gen_movsxd(Xlat *x, X86Insn *in)
{
    if (in->op[0].size == 2)
        in->op[1].size = 2;
    if (in->op[0].size == 8)
        gen_movsx(x, in);
    else
        gen_mov(x, in);
}

void gen_movbe(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal v = ir_bswap(x->u, x86_w(size), size * 8, x86_rd_low(x, in, 1));
    x86_wr(x, in, 0, v);
}

void gen_bswap(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    /* of a 16-bit register: undefined, processors store 0 */
    IrVal v = size == 2 ? k(x, 0) : ir_bswap(x->u, x86_w(size), size * 8, x86_rd_low(x, in, 0));
    x86_wr(x, in, 0, v);
}

void gen_lea(Xlat *x, X86Insn *in) { x86_wr(x, in, 0, x86_ea(x, in)); }

/* With memory always atomic. */
void gen_xchg(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal b = x86_rd(x, in, 1), a;
    if (in->op[0].loc == LOC_MEM) {
        a = ir_rmw(x->u, x86_w(size), x86_memop(x, size), IRA_XCHG, x86_addr(x, in, size, true), b);
    } else {
        a = x86_rd(x, in, 0);
        x86_wr(x, in, 0, b);
    }
    x86_wr(x, in, 1, a);
}

/* 90 is NOP (F3 90 PAUSE) unless REX.B makes it XCHG r8, rAX. */
void gen_xchg_ax(Xlat *x, X86Insn *in)
{
    if (in->opcode == 0x90 && !(in->rex & 1))
        return;
    gen_xchg(x, in);
}

void gen_cmov(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal b = x86_rd(x, in, 1);
    X86Cond c = x86_cc_cond(x, in->opcode & 15);
    IrVal a = x86_rd(x, in, 0);
    x86_wr(x, in, 0, x86_zext(x, ir_sel(x->u, c.w, c.c, c.a, c.b, b, a), size));
}

void gen_setcc(Xlat *x, X86Insn *in)
{
    X86Cond c = x86_cc_cond(x, in->opcode & 15);
    x86_wr(x, in, 0, ir_setc(x->u, c.w, c.c, c.a, c.b));
}

/* CBW CWDE CDQE */
void gen_cbw(Xlat *x, X86Insn *in)
{
    unsigned size = in->osize;
    x86_put_gpr(x, X86_RAX, size, false, ir_sext(x->u, x86_w(size), size * 4, ir_get(x->u, X86_RAX)));
}

/* CWD CDQ CQO */
void gen_cwd(Xlat *x, X86Insn *in)
{
    unsigned size = in->osize;
    IrVal a = ir_get(x->u, X86_RAX);
    if (size == 2)
        a = ir_sext(x->u, 32, 16, a);
    x86_put_gpr(x, X86_RDX, size, false, ir_sari(x->u, x86_w(size), a, x86_w(size) - 1));
}

void gen_xlat(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned seg = in->seg >= 0 ? (unsigned)in->seg : SEG_DS;
    IrVal al = ir_zext(u, 32, 8, ir_get(u, X86_RAX));
    IrVal off = x86_zext(x, ir_add(u, x86_w(in->asize), ir_get(u, X86_RBX), al), in->asize);
    IrVal v = x86_ld(x, x86_linear(x, seg, off, 1, false), 1);
    x86_put_gpr(x, X86_RAX, 1, false, v);
}

/* ---- flags ---- */

void gen_clc(Xlat *x, X86Insn *in) { (void)in; x86_cc_set_cf(x, k(x, 0)); }
void gen_stc(Xlat *x, X86Insn *in) { (void)in; x86_cc_set_cf(x, k(x, 1)); }
void gen_cmc(Xlat *x, X86Insn *in) { (void)in; x86_cc_set_cf(x, ir_xori(x->u, 32, x86_cc_cf(x), 1)); }
void gen_cld(Xlat *x, X86Insn *in) { (void)in; ir_put(x->u, X86_DF, k(x, 1)); }
void gen_std(Xlat *x, X86Insn *in) { (void)in; ir_put(x->u, X86_DF, k(x, ~(uint64_t)0)); }

enum { FL_AH = FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF };

void gen_sahf(Xlat *x, X86Insn *in)
{
    (void)in;
    x86_cc_merge(x, FL_AH, x86_get_gpr(x, X86_RAX, 1, true));
}

void gen_lahf(Xlat *x, X86Insn *in)
{
    (void)in;
    IrVal v = ir_andi(x->u, 32, x86_cc_all(x), FL_AH);
    x86_put_gpr(x, X86_RAX, 1, true, ir_ori(x->u, 32, v, 2));
}

void gen_salc(Xlat *x, X86Insn *in)
{
    (void)in;
    x86_put_gpr(x, X86_RAX, 1, false, ir_neg(x->u, 32, x86_cc_cf(x)));
}
