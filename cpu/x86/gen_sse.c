/* Vector instructions, SSE to SSE4.2, AES, PCLMUL, SHA and the VEX forms of
 * the same: arithmetic and whatever else is one vector op of the IR.  Moves
 * and mixtures with general registers are in gen_sse_mov.c, forms that only
 * VEX has in gen_avx.c.
 *
 * Most rows name their IR op and element kind in `arg` and use gen_vop
 * (d = a op b) or gen_vop1 (d = op a).
 *
 * Unmasked SIMD exceptions (HF_SSE_EXC): before an op that may raise flags a
 * helper evaluates it on the same operands and raises #XM, or #UD without
 * CR4.OSXMMEXCPT, with nothing changed but MXCSR's flags.
 *
 * Source: Intel SDM volume 2; volume 1 chapter 11 for exceptions. */
#include "cpu/x86/simd.h"

#include "cpu/x86/decode.h"

/* ---- operands ---- */

IrVal simd_get(Xlat *x, unsigned reg, unsigned half)
{
    return half ? ir_ldev(x->u, simd_ymmh(reg)) : ir_get(x->u, X86_XMM0 + reg);
}

void simd_put(Xlat *x, unsigned reg, unsigned half, IrVal v)
{
    if (half) {
        *simd_zero_ymmh(x) &= ~BIT(reg);
        ir_stev(x->u, simd_ymmh(reg), v);
    } else {
        ir_put(x->u, X86_XMM0 + reg, v);
    }
}

void simd_done(Xlat *x, X86Insn *in, unsigned reg, unsigned nh)
{
    if (in->vex && nh == 1 && !(*simd_zero_ymmh(x) & BIT(reg))) {
        *simd_zero_ymmh(x) |= BIT(reg);
        ir_stev(x->u, simd_ymmh(reg), ir_v(x->u, IR_vzero, 0, IR_NONE, IR_NONE));
    }
}

void simd_wr(Xlat *x, X86Insn *in, unsigned n, unsigned nh, const IrVal *v)
{
    for (unsigned h = 0; h < nh; h++) {
        simd_put(x, in->op[n].reg, h, v[h]);
    }
    simd_done(x, in, in->op[n].reg, nh);
}

IrVal simd_ld(Xlat *x, X86Insn *in, unsigned total, unsigned off, unsigned size, bool align)
{
    IrVal addr = x86_addr(x, in, total, false);
    if (off) {
        addr = ir_addi(x->u, 64, addr, off);
        addr = in->mode == 64 ? addr : ir_zext(x->u, 64, 32, addr);
    }
    if (size < 4) {
        return ir_v(x->u, IR_vfromi, 32, x86_ld(x, addr, size), IR_NONE);
    }
    return ir_ldv(x->u, x86_memop(x, size) | (align ? IRM_ALIGN : 0), addr);
}

/* Legacy forms of 16 bytes want alignment; the SHA instructions do not fault for it on AMD processors. */
static bool aligned_form(const X86Insn *in, unsigned size)
{
    return size == 16 && !in->vex && simd_irop(in) != IR_vsha;
}

IrVal simd_rd(Xlat *x, X86Insn *in, unsigned n, unsigned h)
{
    const X86Opnd *o = &in->op[n];
    switch (o->loc) {
    case LOC_VEC:
        return simd_get(x, o->reg, h);
    case LOC_MMX:
        return ir_v(x->u, IR_vfromi, 64, ir_lde(x->u, 64, (unsigned)offsetof(X86Cpu, fpu.st[o->reg].mant)), IR_NONE);
    default:
        return simd_ld(x, in, o->size, h * 16, o->size < 16 ? o->size : 16, aligned_form(in, o->size));
    }
}

unsigned simd_imm(const X86Insn *in, IrOpcode op, unsigned kind, unsigned h)
{
    unsigned imm = in->imm & 255;
    switch (op) {
    case IR_vblendi: return kind == VE_16 ? imm : kind == VE_32 ? imm >> 4 * h & 15 : imm >> 2 * h & 3;
    case IR_vshuf2: return kind == VE_32 ? imm : imm >> 2 * h & 3;
    case IR_vmpsad: return imm >> 3 * h & 7;
    case IR_vfround: return imm & 15;
    case IR_vfcmp: return imm & (in->vex ? 31 : 7);
    case IR_vclmul: return imm & 0x11;
    default: return imm;
    }
}

static bool has_imm(const X86Insn *in)
{
    for (unsigned i = 0; i < 4; i++) {
        if (in->op[i].loc == LOC_IMM) {
            return true;
        }
    }
    return false;
}

/* ---- the op ---- */

/* more: another half follows, whose flags count as well */
static void check_exceptions(Xlat *x, IrOpcode op, const SimdHalf *s, bool first, bool more)
{
    const char *t = strchr(ir_op_info[op].sig, '=') + 1;
    IrVal v[3] = { s->a, s->b, s->c }, i = ir_const(x->u, 0);
    for (unsigned n = 0; t[n]; n++) {
        if (t[n] == 'v') {
            ir_stev(x->u, simd_vtmp(n), v[n]);
        } else {
            i = v[n];
        }
    }
    x86_call3(x, X86H_sse_check, ir_const(x->u, op | s->x << 16), i, ir_const(x->u, first | more << 1));
}

void simd_ops(Xlat *x, IrOpcode op, unsigned nh, SimdHalf *v)
{
    if (x->key.flags & HF_SSE_EXC && !(ir_op_info[op].flags & IRF_PURE)) {
        for (unsigned h = 0; h < nh; h++) {
            check_exceptions(x, op, &v[h], h == 0, h + 1 < nh);
        }
    }
    for (unsigned h = 0; h < nh; h++) {
        v[h].d = ir_emit(x->u, op, 128, v[h].x, v[h].a, v[h].b, v[h].c, IR_NONE);
    }
}

IrVal simd_op(Xlat *x, IrOpcode op, unsigned xx, IrVal a, IrVal b, IrVal c)
{
    SimdHalf s = { xx, a, b, c, IR_NONE };
    simd_ops(x, op, 1, &s);
    return s.d;
}

/* the same into operand 0 */
static void ops_wr(Xlat *x, X86Insn *in, IrOpcode op, unsigned nh, SimdHalf *s)
{
    simd_ops(x, op, nh, s);
    simd_wr(x, in, 0, nh, (IrVal[2]) { s[0].d, s[nh - 1].d });
}

static unsigned op_x(const X86Insn *in, unsigned h)
{
    IrOpcode op = simd_irop(in);
    unsigned k = simd_kind(in);
    return VEC_X(k, has_imm(in) ? simd_imm(in, op, k, h) : 0);
}

/* d = a op b; legacy: a is the destination */
void gen_vop(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0), first = in->vex ? 1 : 0;
    IrOpcode op = simd_irop(in);
    IrVal c = op == IR_vsha ? ir_get(x->u, X86_XMM0) : IR_NONE;
    SimdHalf s[2];
    if (op == IR_vxor && in->op[first + 1].loc == LOC_VEC && in->op[first].reg == in->op[first + 1].reg) {
        IrVal zero = ir_v(x->u, IR_vzero, 0, IR_NONE, IR_NONE);          /* the usual way to clear a register */
        simd_wr(x, in, 0, nh, (IrVal[2]) { zero, zero });
        return;
    }
    for (unsigned h = 0; h < nh; h++) {
        IrVal b = simd_rd(x, in, first + 1, h);
        s[h] = (SimdHalf) { op_x(in, h), simd_rd(x, in, first, h), b, c, IR_NONE };
    }
    ops_wr(x, in, op, nh, s);
}

/* d = op a */
void gen_vop1(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    SimdHalf s[2];
    for (unsigned h = 0; h < nh; h++) {
        s[h] = (SimdHalf) { op_x(in, h), simd_rd(x, in, 1, h), IR_NONE, IR_NONE, IR_NONE };
    }
    ops_wr(x, in, simd_irop(in), nh, s);
}

/* d = op b, of the IR ops that take a too but ignore it */
void gen_vopb(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    SimdHalf s[2];
    for (unsigned h = 0; h < nh; h++) {
        IrVal b = simd_rd(x, in, 1, h);
        s[h] = (SimdHalf) { op_x(in, h), b, b, IR_NONE, IR_NONE };
    }
    ops_wr(x, in, simd_irop(in), nh, s);
}

/* MOVSHDUP, MOVSLDUP: a fixed shuffle, arg is its immediate */
void gen_vop1x(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    IrVal v[2];
    for (unsigned h = 0; h < nh; h++) {
        v[h] = ir_v(x->u, IR_vshuf32, VEC_X(0, in->row->arg), simd_rd(x, in, 1, h), IR_NONE);
    }
    simd_wr(x, in, 0, nh, v);
}

/* shifts by the low 64 bits of the last operand, 128 bits of memory in all forms */
void gen_vshift(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0), first = in->vex ? 1 : 0;
    IrVal b = simd_rd(x, in, first + 1, 0), v[2];
    for (unsigned h = 0; h < nh; h++) {
        v[h] = ir_v(x->u, simd_irop(in), simd_kind(in), simd_rd(x, in, first, h), b);
    }
    simd_wr(x, in, 0, nh, v);
}

/* CMPccxx: legacy has 8 predicates, VEX 32 */
void gen_fcmp(Xlat *x, X86Insn *in) { gen_vop(x, in); }

/* PBLENDVB, BLENDVPx: mask in XMM0, or in a fourth register */
void gen_blendv(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0), first = in->vex ? 1 : 0;
    IrVal v[2];
    for (unsigned h = 0; h < nh; h++) {
        IrVal b = simd_rd(x, in, first + 1, h), a = simd_rd(x, in, first, h);
        IrVal m = in->vex ? simd_rd(x, in, 3, h) : ir_get(x->u, X86_XMM0);
        v[h] = ir_emit(x->u, IR_vblend, 128, in->row->arg, a, b, m, IR_NONE);
    }
    simd_wr(x, in, 0, nh, v);
}

/* PMOVSX, PMOVZX: the source of half 1 lies above that of half 0 */
void gen_widen(Xlat *x, X86Insn *in)
{
    static const uint8_t per_half[] = { 8, 4, 2, 8, 4, 8 };              /* source bytes by VW_ */
    unsigned nh = simd_halves(in, 0), bytes = per_half[simd_kind(in)];
    IrVal src = IR_NONE, v[2];
    if (in->op[1].loc == LOC_MEM) {
        src = simd_ld(x, in, in->op[1].size, 0, in->op[1].size, false);
    } else {
        src = simd_get(x, in->op[1].reg, 0);
    }
    for (unsigned h = 0; h < nh; h++) {
        IrVal s = h ? ir_v(x->u, IR_vbshr, VEC_X(0, bytes), src, IR_NONE) : src;
        v[h] = ir_v(x->u, simd_irop(in), simd_kind(in), s, IR_NONE);
    }
    simd_wr(x, in, 0, nh, v);
}

/* ---- conversions ---- */

static bool cvt_widens(unsigned kind) { return kind == VCVT_PS_PD || kind == VCVT_DQ_PD || kind == VCVT_PH_PS; }
static bool cvt_narrows(unsigned kind)
{
    return kind == VCVT_PD_PS || kind == VCVT_PD_DQ || kind == VCVT_PD_DQ_T;
}

/* arg is VCVT_*; a 256-bit form that changes the element size goes from one half to two or back */
void gen_cvt(Xlat *x, X86Insn *in)
{
    unsigned kind = in->row->arg, nh = simd_halves(in, 0);
    IrVal lo = simd_rd(x, in, 1, 0), hi = IR_NONE, v[2];
    if (nh == 2) {
        hi = cvt_widens(kind) ? ir_v(x->u, IR_vunpkhi, VE_64, lo, lo) : simd_rd(x, in, 1, 1);
    }
    SimdHalf s[2] = { { kind, lo, lo, IR_NONE, IR_NONE }, { kind, hi, hi, IR_NONE, IR_NONE } };
    simd_ops(x, IR_vfcvt, nh, s);
    v[0] = s[0].d;
    v[1] = s[1].d;
    if (nh == 2 && cvt_narrows(kind)) {
        v[0] = ir_v(x->u, IR_vunpklo, VE_64, v[0], v[1]);
        nh = 1;
    }
    simd_wr(x, in, 0, nh, v);
}

/* CVTSI2SS, CVTSI2SD */
void gen_fromint(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0, kind = in->row->arg | (in->op[first + 1].size == 8 ? VCVT_I64 : 0);
    IrVal i = x86_rd(x, in, first + 1);
    IrVal v = simd_op(x, IR_vfromint, kind, simd_rd(x, in, first, 0), i, IR_NONE);
    simd_wr(x, in, 0, 1, &v);
}

/* CVTSS2SI, CVTTSD2SI ... */
void gen_toint(Xlat *x, X86Insn *in)
{
    unsigned kind = in->row->arg | (in->op[0].size == 8 ? VCVT_I64 : 0);
    x86_wr(x, in, 0, simd_op(x, IR_vtoint, kind, simd_rd(x, in, 1, 0), IR_NONE, IR_NONE));
}

/* ---- results that are flags or masks ---- */

void gen_comis(Xlat *x, X86Insn *in)
{
    IrVal b = simd_rd(x, in, 1, 0);
    x86_cc_set_flags(x, simd_op(x, IR_vfcmpi, in->row->arg, simd_rd(x, in, 0, 0), b, IR_NONE));
}

/* PTEST, VTESTPS, VTESTPD: CF and ZF; both halves must agree on each */
void gen_ptest(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    IrVal r = IR_NONE;
    for (unsigned h = 0; h < nh; h++) {
        IrVal b = simd_rd(x, in, 1, h);
        IrVal v = ir_v(x->u, IR_vtest, in->row->arg, simd_rd(x, in, 0, h), b);
        r = h ? ir_and(x->u, 32, r, v) : v;
    }
    x86_cc_set_flags(x, r);
}

/* MOVMSKPS, MOVMSKPD, PMOVMSKB: arg is the element kind */
void gen_movmsk(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 1), e = in->row->arg;
    IrVal r = ir_v(x->u, IR_vmovmsk, e, simd_rd(x, in, 1, 0), IR_NONE);
    if (nh == 2) {
        IrVal hi = ir_v(x->u, IR_vmovmsk, e, simd_rd(x, in, 1, 1), IR_NONE);
        r = ir_or(x->u, 32, r, ir_shli(x->u, 32, hi, 16u >> e));
    }
    x86_put_gpr(x, in->op[0].reg, 4, false, r);
}
