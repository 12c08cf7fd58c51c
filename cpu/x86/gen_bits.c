/* Shifts, rotates, bit tests, bit scans, BMI1, BMI2.
 *
 * Shift counts are masked to 5 bits (6 for 64-bit operands).  A count of 0
 * changes no flag: with a count in CL the unit is left for the next
 * instruction then, so that the rest of it has the shift's own lazy flags.  Where the manual leaves OF or CF undefined
 * (counts above 1, above the width) the value is the one AMD's Zen gives.
 *
 * Source: Intel SDM volume 2. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

/* ---- counts ---- */

typedef struct Count {
    bool fixed;
    unsigned n;                          /* fixed: the masked count */
    IrVal v;                             /* as given: IR shifts mask it by themselves */
    uint64_t mask;
    bool counted;                        /* known not to be 0 */
} Count;

static Count count_of(Xlat *x, X86Insn *in, unsigned op, unsigned size)
{
    Count c = { .mask = size == 8 ? 63 : 31 };
    if (in->op[op].loc == LOC_IMM) {
        c.fixed = true;
        c.n = in->op[op].imm & c.mask;
        c.v = k(x, c.n);
    } else {
        c.v = ir_get(x->u, X86_RCX);
    }
    return c;
}

static IrVal count_minus_1(Xlat *x, const Count *c)
{
    return c->fixed ? k(x, c->n - 1) : ir_addi(x->u, 32, c->v, ~(uint64_t)0);
}

/* count != 0 ? a : b */
static IrVal if_counted(Xlat *x, const Count *c, IrVal a, IrVal b)
{
    if (c->fixed || c->counted)
        return c->counted || c->n ? a : b;
    return ir_sel(x->u, 32, IRC_TSTNZ, c->v, k(x, c->mask), a, b);
}

/* A count in CL that is 0: on to the next instruction, with nothing changed but the upper half of a 32-bit register.  What
 * follows in the unit has a count above 0.  Not where one instruction is the unit: there the flags are selected. */
static void leave_if_zero(Xlat *x, X86Insn *in, Count *c, IrVal a)
{
    const X86Opnd *d = &in->op[0];
    if (c->fixed || x86_step(x))
        return;
    if (d->loc == LOC_GPR && d->size == 4)
        ir_put(x->u, d->reg, ir_zext(x->u, 64, 32, a));
    ir_br(x->u, 32, IRC_TSTZ, c->v, k(x, c->mask), x86_exit_to(x, in, in->next_eip, 0));
    c->counted = true;
}

/* The flags of class `op`, unless the count is 0. */
static void shift_flags(Xlat *x, const Count *c, unsigned op, IrVal dst, IrVal src)
{
    IrUnit *u = x->u;
    if (c->fixed) {
        if (c->n)
            x86_cc_set(x, op, dst, src, k(x, c->n), IR_NONE);
        return;
    }
    IrVal n = ir_andi(u, 32, c->v, c->mask);
    if (c->counted) {
        x86_cc_set(x, op, dst, src, n, IR_NONE);
        return;
    }
    ir_put(u, X86_CC_SRC2, if_counted(x, c, n, ir_get(u, X86_CC_SRC2)));
    ir_put(u, X86_CC_OP, if_counted(x, c, k(x, op), ir_get(u, X86_CC_OP)));
    ir_put(u, X86_CC_DST, if_counted(x, c, dst, ir_get(u, X86_CC_DST)));
    ir_put(u, X86_CC_SRC, if_counted(x, c, src, ir_get(u, X86_CC_SRC)));
    x86_cc_forget(x);
}

/* New CF and OF (0, 1), unless the count is 0. */
static void rotate_flags(Xlat *x, const Count *c, IrVal cf, IrVal of)
{
    IrUnit *u = x->u;
    if (c->fixed && !c->n)
        return;
    IrVal old = x86_cc_all(x);
    IrVal fl = ir_or(u, 32, ir_andi(u, 32, cf, 1), ir_shli(u, 32, ir_andi(u, 32, of, 1), 11));
    fl = ir_or(u, 32, fl, ir_andi(u, 32, old, FL_CC & ~(FL_CF | FL_OF)));
    x86_cc_set_flags(x, if_counted(x, c, fl, old));
}

/* ---- SHL SHR SAR ---- */

static void shift(Xlat *x, X86Insn *in, IrOpcode op, CcClass class)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    Count c = count_of(x, in, 1, size);
    IrVal a = x86_rd_rmw(x, in, 0);
    leave_if_zero(x, in, &c, a);
    if (size < 4 && op == IR_sar)
        a = ir_sext(u, 32, size * 8, a);
    else if (size < 4 && op == IR_shr)
        a = ir_zext(u, 32, size * 8, a);
    IrVal r = ir_emit(u, op, w, 0, a, c.v, IR_NONE, IR_NONE);
    x86_wr(x, in, 0, r);
    shift_flags(x, &c, cc_op(class, size), r, a);
}

void gen_shl(Xlat *x, X86Insn *in) { shift(x, in, IR_shl, CCC_SHL); }
void gen_shr(Xlat *x, X86Insn *in) { shift(x, in, IR_shr, CCC_SHR); }
void gen_sar(Xlat *x, X86Insn *in) { shift(x, in, IR_sar, CCC_SAR); }

/* ---- ROL ROR RCL RCR ---- */

/* 8- and 16-bit values are repeated through 32 bits, so that a 32-bit rotate rotates them. */
static IrVal repeat(Xlat *x, IrVal a, unsigned size)
{
    IrUnit *u = x->u;
    if (size == 1)
        return ir_mul(u, 32, ir_zext(u, 32, 8, a), k(x, 0x01010101));
    return size == 2 ? ir_deposit(u, 32, a, a, 16, 16) : a;
}

static IrVal bit(Xlat *x, IrVal v, unsigned pos)
{
    return ir_extract(x->u, 64, v, pos, 1);
}

static void rotate(Xlat *x, X86Insn *in, IrOpcode op)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, bits = size * 8;
    Count c = count_of(x, in, 1, size);
    IrVal a = x86_rd_rmw(x, in, 0);
    IrVal r = ir_emit(u, op, x86_w(size), 0, repeat(x, a, size), c.v, IR_NONE, IR_NONE);
    x86_wr(x, in, 0, r);
    IrVal top = bit(x, r, bits - 1);
    IrVal cf = op == IR_rol ? bit(x, r, 0) : top;
    rotate_flags(x, &c, cf, ir_xor(u, 32, top, op == IR_rol ? cf : bit(x, r, bits - 2)));
}

void gen_rol(Xlat *x, X86Insn *in) { rotate(x, in, IR_rol); }
void gen_ror(Xlat *x, X86Insn *in) { rotate(x, in, IR_ror); }

/* count modulo 9 or 17 for 8 and 16 bits with carry */
static Count carry_count(Xlat *x, Count c, unsigned bits)
{
    IrUnit *u = x->u;
    if (c.fixed) {
        c.n %= bits + 1;
        c.v = k(x, c.n);
        return c;
    }
    c.v = ir_andi(u, 32, c.v, c.mask);
    if (bits == 8)                       /* n - 9 * (n * 57 >> 9) */
        c.v = ir_sub(u, 32, c.v, ir_mul(u, 32, ir_shri(u, 32, ir_mul(u, 32, c.v, k(x, 57)), 9), k(x, 9)));
    else if (bits == 16)
        c.v = ir_sel(u, 32, IRC_GEU, c.v, k(x, 17), ir_addi(u, 32, c.v, (uint64_t)-17), c.v);
    return c;
}

/* With carry in: r = a << n | cf << (n-1) | a >> (bits+1-n), 64-bit arithmetic; RCR the mirror image. */
static void rotate_carry(Xlat *x, X86Insn *in, bool left)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, bits = size * 8;
    Count given = count_of(x, in, 1, size), c = carry_count(x, given, bits);
    IrVal cf = x86_cc_cf(x), a = x86_zext(x, x86_rd_rmw(x, in, 0), size);
    IrVal n1 = count_minus_1(x, &c), inv = ir_sub(u, 32, k(x, bits), c.v), r, out;
    if (left) {
        r = ir_or(u, 64, ir_shl(u, 64, a, c.v), ir_shl(u, 64, cf, n1));
        r = ir_or(u, 64, r, ir_shr(u, 64, ir_shri(u, 64, a, 1), inv));
        out = ir_shr(u, 64, a, inv);
    } else {
        r = ir_or(u, 64, ir_shr(u, 64, a, c.v), ir_shl(u, 64, cf, inv));
        r = ir_or(u, 64, r, ir_shl(u, 64, ir_shli(u, 64, a, 1), inv));
        out = ir_shr(u, 64, a, n1);
    }
    r = x86_zext(x, if_counted(x, &c, r, a), size);
    x86_wr(x, in, 0, r);
    out = ir_andi(u, 32, if_counted(x, &c, out, cf), 1);
    IrVal top = bit(x, r, bits - 1);
    rotate_flags(x, &given, out, ir_xor(u, 32, top, left ? out : bit(x, r, bits - 2)));
}

void gen_rcl(Xlat *x, X86Insn *in) { rotate_carry(x, in, true); }
void gen_rcr(Xlat *x, X86Insn *in) { rotate_carry(x, in, false); }

/* ---- SHLD SHRD ---- */

/* 16 bits: counts above 16 bring the first operand in again: a:b:a as one 48-bit value. */
static IrVal double16(Xlat *x, IrVal a, IrVal b)
{
    IrUnit *u = x->u;
    a = ir_zext(u, 64, 16, a);
    return ir_deposit(u, 64, ir_deposit(u, 64, a, b, 16, 16), a, 32, 16);
}

static void shift_double(Xlat *x, X86Insn *in, bool left)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrOpcode op = left ? IR_shl : IR_shr;
    Count c = count_of(x, in, 2, size);
    IrVal b = x86_rd_low(x, in, 1), a = x86_rd_rmw(x, in, 0), r;
    leave_if_zero(x, in, &c, a);
    if (size == 2) {
        r = ir_emit(u, op, 64, 0, double16(x, a, b), ir_andi(u, 32, c.v, 31), IR_NONE, IR_NONE);
        if (left)
            r = ir_shri(u, 64, r, 32);
    } else {
        IrVal inv = c.fixed ? k(x, (w - c.n) & (w - 1)) : ir_neg(u, 32, c.v);
        r = ir_or(u, w, ir_emit(u, op, w, 0, a, c.v, IR_NONE, IR_NONE),
                  ir_emit(u, left ? IR_shr : IR_shl, w, 0, b, inv, IR_NONE, IR_NONE));
        r = if_counted(x, &c, r, size == 4 ? x86_zext(x, a, 4) : a);
    }
    x86_wr(x, in, 0, r);
    shift_flags(x, &c, cc_op(left ? CCC_SHL : CCC_SHR, size), r, a);
}

void gen_shld(Xlat *x, X86Insn *in) { shift_double(x, in, true); }
void gen_shrd(Xlat *x, X86Insn *in) { shift_double(x, in, false); }

/* ---- BT BTS BTR BTC ---- */

/* Bit number inside the operand; a register number with memory also moves the address (bit strings). */
static IrVal bit_index(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, log = (unsigned)__builtin_ctz(size);
    IrVal n = x86_rd_low(x, in, 1);
    if (in->op[0].loc == LOC_MEM && in->op[1].loc == LOC_GPR) {
        IrVal off = ir_sari(u, 64, x86_sext(x, n, size), log + 3);
        IrVal ea = ir_lea(u, 64, x86_ea(x, in), off, log, 0);
        in->ea = x86_zext(x, ea, in->asize);
    }
    return ir_andi(u, 32, n, size * 8 - 1);
}

static IrVal bit_apply(Xlat *x, IrOpcode op, unsigned w, IrVal v, IrVal mask)
{
    return ir_emit(x->u, op, w, 0, v, mask, IR_NONE, IR_NONE);
}

static void bit_test(Xlat *x, X86Insn *in, IrOpcode op, IrAtomic atomic)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal n = bit_index(x, in), v;
    if (op == IR_nop) {
        v = x86_rd_low(x, in, 0);
    } else {
        IrVal mask = ir_shl(u, w, k(x, 1), n);
        if (in->lock) {
            IrVal arg = op == IR_andc ? ir_not(u, w, mask) : mask;
            v = ir_rmw(u, w, x86_memop(x, size), atomic, x86_addr(x, in, size, true), arg);
        } else {
            v = x86_rd_rmw(x, in, 0);
            x86_wr(x, in, 0, bit_apply(x, op, w, v, mask));
        }
    }
    x86_cc_set_cf_keep_zf(x, ir_andi(u, 32, ir_shr(u, w, v, n), 1));
}

void gen_bt(Xlat *x, X86Insn *in) { bit_test(x, in, IR_nop, IRA_OR); }
void gen_bts(Xlat *x, X86Insn *in) { bit_test(x, in, IR_or, IRA_OR); }
void gen_btr(Xlat *x, X86Insn *in) { bit_test(x, in, IR_andc, IRA_AND); }
void gen_btc(Xlat *x, X86Insn *in) { bit_test(x, in, IR_xor, IRA_XOR); }

/* ---- scans and counts ---- */

/* BSF, BSR: a source of 0 leaves the destination. */
static void bit_scan(Xlat *x, X86Insn *in, bool reverse)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd(x, in, 1), r;
    if (reverse)
        r = ir_xori(u, w, ir_clz(u, w, a), w - 1);
    else
        r = ir_ctz(u, w, a);
    const X86Opnd *d = &in->op[0];
    x86_cc_set(x, cc_op(CCC_SCAN, size), r, a, IR_NONE, IR_NONE);
    if (size == 2)
        r = ir_deposit(u, 64, ir_get(u, d->reg), r, 0, 16);
    ir_put(u, d->reg, ir_sel(u, w, IRC_NE, a, k(x, 0), r, ir_get(u, d->reg)));
}

void gen_bsf(Xlat *x, X86Insn *in) { bit_scan(x, in, false); }
void gen_bsr(Xlat *x, X86Insn *in) { bit_scan(x, in, true); }

void gen_tzcnt(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd(x, in, 1), v = size == 2 ? ir_ori(u, 32, a, 0x10000) : a, r = ir_ctz(u, w, v);
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_ZCNT, size), r, a, IR_NONE, IR_NONE);
}

void gen_lzcnt(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd(x, in, 1), r = ir_clz(u, w, a);
    if (size == 2)
        r = ir_addi(u, 32, r, (uint64_t)-16);
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_ZCNT, size), r, a, IR_NONE, IR_NONE);
}

/* ZF alone can be set: the counting class with a source that is not 0 */
void gen_popcnt(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal r = ir_popcnt(x->u, x86_w(size), x86_rd(x, in, 1));
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_ZCNT, size), r, k(x, 1), IR_NONE, IR_NONE);
}

void gen_crc32(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[1].size;
    IrVal b = x86_rd(x, in, 1), a = x86_zext(x, x86_rd_low(x, in, 0), 4);
    x86_wr(x, in, 0, ir_crc32c(x->u, x86_w(size), size * 8, a, b));
}

/* ---- BMI ---- */

void gen_andn(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal r = ir_andc(x->u, x86_w(size), x86_rd_low(x, in, 2), x86_rd_low(x, in, 1));
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_LOGIC, size), r, IR_NONE, IR_NONE, IR_NONE);
}

/* op(a, a - 1); BLSI: a & -a */
static void lowest_bit(Xlat *x, X86Insn *in, IrOpcode op, CcClass class)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd_low(x, in, 1);
    IrVal b = class == CCC_BLSI ? ir_neg(u, w, a) : ir_addi(u, w, a, ~(uint64_t)0);
    IrVal r = ir_emit(u, op, w, 0, a, b, IR_NONE, IR_NONE);
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(class, size), r, a, IR_NONE, IR_NONE);
}

void gen_blsr(Xlat *x, X86Insn *in) { lowest_bit(x, in, IR_and, CCC_BLSR); }
void gen_blsmsk(Xlat *x, X86Insn *in) { lowest_bit(x, in, IR_xor, CCC_BLSR); }
void gen_blsi(Xlat *x, X86Insn *in) { lowest_bit(x, in, IR_and, CCC_BLSI); }

/* v & ones(n), all of v if n >= w */
static IrVal keep_low(Xlat *x, unsigned w, IrVal v, IrVal n)
{
    IrUnit *u = x->u;
    IrVal cut = ir_andc(u, w, v, ir_shl(u, w, k(x, ~(uint64_t)0), n));
    return ir_sel(u, 32, IRC_LTU, n, k(x, w), cut, v);
}

void gen_bzhi(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd(x, in, 1), n = ir_zext(u, 32, 8, x86_rd_low(x, in, 2));
    IrVal r = keep_low(x, w, a, n);
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_BZHI, size), r, ir_setc(u, 32, IRC_GTU, n, k(x, w - 1)), IR_NONE, IR_NONE);
}

void gen_bextr(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    unsigned size = in->op[0].size, w = x86_w(size);
    IrVal a = x86_rd(x, in, 1), ctl = x86_rd_low(x, in, 2);
    IrVal start = ir_zext(u, 32, 8, ctl), len = ir_extract(u, 32, ctl, 8, 8);
    IrVal v = ir_sel(u, 32, IRC_LTU, start, k(x, w), ir_shr(u, w, a, start), k(x, 0));
    IrVal r = keep_low(x, w, v, len);
    x86_wr(x, in, 0, r);
    x86_cc_set(x, cc_op(CCC_LOGIC, size), r, IR_NONE, IR_NONE, IR_NONE);
}

static void no_flags(Xlat *x, X86Insn *in, IrOpcode op)
{
    IrVal a = x86_rd_low(x, in, 1), b = x86_rd_low(x, in, 2);
    x86_wr(x, in, 0, ir_emit(x->u, op, x86_w(in->op[0].size), 0, a, b, IR_NONE, IR_NONE));
}

void gen_pdep(Xlat *x, X86Insn *in) { no_flags(x, in, IR_pdep); }
void gen_pext(Xlat *x, X86Insn *in) { no_flags(x, in, IR_pext); }
void gen_shlx(Xlat *x, X86Insn *in) { no_flags(x, in, IR_shl); }
void gen_shrx(Xlat *x, X86Insn *in) { no_flags(x, in, IR_shr); }
void gen_sarx(Xlat *x, X86Insn *in) { no_flags(x, in, IR_sar); }
void gen_rorx(Xlat *x, X86Insn *in) { no_flags(x, in, IR_ror); }
