/* Instructions that only VEX has: AVX, AVX2, FMA, F16C.  Those with an SSE
 * form are in gen_sse.c and gen_sse_mov.c.
 *
 * Nothing here crosses the two halves of a YMM register except by name: a
 * permutation across halves is put together from 128-bit ops.  Masked memory
 * and gathers are helpers, which read all elements before anything changes.
 *
 * Source: Intel SDM volume 2. */
#include "cpu/x86/simd.h"

static IrVal vzero(Xlat *x) { return ir_v(x->u, IR_vzero, 0, IR_NONE, IR_NONE); }

/* VZEROUPPER; arg 1: VZEROALL */
void gen_vzeroupper(Xlat *x, X86Insn *in)
{
    for (unsigned r = 0; r < (in->mode == 64 ? 16u : 8u); r++) {
        if (in->row->arg) {
            simd_put(x, r, 0, vzero(x));
        }
        simd_done(x, in, r, 1);
    }
}

/* ---- permutations ---- */

void gen_vpermilpd(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    IrVal v[2];
    for (unsigned h = 0; h < nh; h++) {
        IrVal a = simd_rd(x, in, 1, h);
        v[h] = ir_v(x->u, IR_vshuf2, VEC_X(VE_64, in->imm >> 2 * h & 3), a, a);
    }
    simd_wr(x, in, 0, nh, v);
}

/* VPERMQ, VPERMPD: each quadword from anywhere */
void gen_vpermq(Xlat *x, X86Insn *in)
{
    IrVal s[2] = { simd_rd(x, in, 1, 0), simd_rd(x, in, 1, 1) }, v[2];
    for (unsigned h = 0; h < 2; h++) {
        unsigned lo = in->imm >> 4 * h & 3, hi = in->imm >> (4 * h + 2) & 3;
        v[h] = ir_v(x->u, IR_vshuf2, VEC_X(VE_64, (lo & 1) | (hi & 1) << 1), s[lo >> 1], s[hi >> 1]);
    }
    simd_wr(x, in, 0, 2, v);
}

/* VPERMD, VPERMPS: index in the second operand; its bit 2 chooses the half */
void gen_vpermd(Xlat *x, X86Insn *in)
{
    IrVal s[2] = { simd_rd(x, in, 2, 0), simd_rd(x, in, 2, 1) }, v[2];
    for (unsigned h = 0; h < 2; h++) {
        IrVal i = simd_rd(x, in, 1, h);
        IrVal lo = ir_v(x->u, IR_vpermil, VE_32, s[0], i), hi = ir_v(x->u, IR_vpermil, VE_32, s[1], i);
        IrVal which = ir_v(x->u, IR_vshli, VEC_X(VE_32, 29), i, IR_NONE);
        v[h] = ir_emit(x->u, IR_vblend, 128, VE_32, lo, hi, which, IR_NONE);
    }
    simd_wr(x, in, 0, 2, v);
}

/* VPERM2F128, VPERM2I128: each half is one of four, or zero */
void gen_vperm2(Xlat *x, X86Insn *in)
{
    IrVal s[4] = { simd_rd(x, in, 1, 0), simd_rd(x, in, 1, 1), simd_rd(x, in, 2, 0), simd_rd(x, in, 2, 1) }, v[2];
    for (unsigned h = 0; h < 2; h++) {
        unsigned c = in->imm >> 4 * h;
        v[h] = c & 8 ? vzero(x) : s[c & 3];
    }
    simd_wr(x, in, 0, 2, v);
}

void gen_vinsert128(Xlat *x, X86Insn *in)
{
    IrVal b = simd_rd(x, in, 2, 0), v[2];
    for (unsigned h = 0; h < 2; h++) {
        v[h] = (in->imm & 1) == h ? b : simd_rd(x, in, 1, h);
    }
    simd_wr(x, in, 0, 2, v);
}

void gen_vextract128(Xlat *x, X86Insn *in)
{
    IrVal v = simd_rd(x, in, 1, in->imm & 1);
    if (in->op[0].loc == LOC_MEM) {
        ir_stv(x->u, x86_memop(x, 16), x86_addr(x, in, 16, true), v);
    } else {
        simd_wr(x, in, 0, 1, &v);
    }
}

/* arg: element kind, 4: all 128 bits */
void gen_vbroadcast(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0), size = in->op[1].size, e = in->row->arg;
    IrVal s = in->op[1].loc == LOC_MEM ? simd_ld(x, in, size, 0, size, false) : simd_get(x, in->op[1].reg, 0);
    IrVal d = e == 4 ? s : ir_v(x->u, IR_vdup, e, s, IR_NONE), v[2] = { d, d };
    simd_wr(x, in, 0, nh, v);
}

/* ---- arithmetic ---- */

/* opcode 96..9F, A6..AF, B6..BF: order in bits 5..4, sign in bits 3..1 */
void gen_vfma(Xlat *x, X86Insn *in)
{
    static const uint8_t sign[16] = { [6] = VFMA_ADDSUB, [7] = VFMA_SUBADD, [8] = VFMA_ADD, VFMA_ADD, VFMA_SUB, VFMA_SUB,
                                      VFMA_NADD, VFMA_NADD, VFMA_NSUB, VFMA_NSUB };
    unsigned nh = simd_halves(in, 0);
    unsigned imm = VFMA_X((in->opcode >> 4) - 9u, sign[in->opcode & 15]);
    SimdHalf s[2];
    for (unsigned h = 0; h < nh; h++) {
        IrVal c = simd_rd(x, in, 2, h), b = simd_rd(x, in, 1, h);
        s[h] = (SimdHalf) { VEC_X(in->row->arg, imm), simd_rd(x, in, 0, h), b, c, IR_NONE };
    }
    simd_ops(x, IR_vfma, nh, s);
    simd_wr(x, in, 0, nh, (IrVal[2]) { s[0].d, s[nh - 1].d });
}

/* VCVTPS2PH: half the size of the source, to memory or a register */
void gen_vcvtps2ph(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 1);
    SimdHalf s[2];
    if (in->op[0].loc == LOC_MEM) {      /* a fault comes before the flags */
        ir_probe(x->u, 64, x86_memop(x, nh * 8), x86_addr(x, in, nh * 8, true));
    }
    for (unsigned h = 0; h < nh; h++) {
        IrVal a = simd_rd(x, in, 1, h);
        s[h] = (SimdHalf) { VEC_X(VCVT_PS_PH, in->imm & 7), a, a, IR_NONE, IR_NONE };
    }
    simd_ops(x, IR_vfcvt, nh, s);
    IrVal v = nh == 2 ? ir_v(x->u, IR_vunpklo, VE_64, s[0].d, s[1].d) : s[0].d;
    if (in->op[0].loc == LOC_MEM) {
        ir_stv(x->u, x86_memop(x, nh * 8), x86_addr(x, in, nh * 8, true), v);
    } else {
        simd_wr(x, in, 0, 1, &v);
    }
}

/* ---- masked memory: mask in vtmp[0..1], data in vtmp[2..3] ---- */

static void put_vtmp(Xlat *x, X86Insn *in, unsigned n, unsigned first, unsigned nh)
{
    for (unsigned h = 0; h < nh; h++) {
        ir_stev(x->u, simd_vtmp(first + h), simd_rd(x, in, n, h));
    }
}

/* Masked-out elements are not accessed, so the segment is checked, but no fault comes of the whole operand. */
void gen_vmaskload(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    IrVal addr = x86_addr(x, in, in->op[2].size, false), v[2];
    put_vtmp(x, in, 1, 0, nh);
    x86_call2(x, X86H_vmaskload, addr, ir_const(x->u, nh | in->row->arg << 4));
    for (unsigned h = 0; h < nh; h++) {
        v[h] = ir_ldev(x->u, simd_vtmp(2 + h));
    }
    simd_wr(x, in, 0, nh, v);
}

void gen_vmaskstore(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 1);
    IrVal addr = x86_addr(x, in, in->op[0].size, true);
    put_vtmp(x, in, 1, 0, nh);
    put_vtmp(x, in, 2, 2, nh);
    x86_call2(x, X86H_vmaskstore, addr, ir_const(x->u, nh | in->row->arg << 4));
}

/* ---- gathers ---- */

/* The index register is the SIB's index, where 4 is a register like any other.  All three registers must differ.
 * Mask in vtmp[0..1], index in vtmp[2..3]; the destination's old value is merged from its homes by the helper. */
void gen_vgather(Xlat *x, X86Insn *in)
{
    unsigned data = in->row->arg >> 4, index = in->row->arg & 15;
    unsigned xi = in->index < 0 ? 4 : (unsigned)in->index, d = in->op[0].reg, m = in->op[2].reg;
    if ((in->rm & 7) != 4 || d == m || d == xi || m == xi) {
        x86_gen_ud(x);
        return;
    }
    /* elements: as many as fit with the wider of the two kinds */
    unsigned bytes = in->vex_l ? 32 : 16, n = bytes >> (data > index ? data : index);
    IrVal base = in->base >= 0 ? x86_get_gpr(x, (unsigned)in->base, in->asize, false) : ir_const(x->u, 0);
    base = ir_addi(x->u, 64, base, (uint64_t)in->disp);
    unsigned ctl = n | data << 4 | index << 6 | (unsigned)in->scale << 8 | d << 10 | xi << 14 | m << 18;
    unsigned how = in->mseg | (unsigned)in->asize << 4;
    x86_call3(x, X86H_vgather, base, ir_const(x->u, ctl), ir_const(x->u, how));
    *simd_zero_ymmh(x) &= ~(BIT(d) | BIT(m));
    if (!in->vex_l || n << data < 32) {
        *simd_zero_ymmh(x) |= BIT(d);    /* the helper cleared it */
    }
    *simd_zero_ymmh(x) |= BIT(m);
}
