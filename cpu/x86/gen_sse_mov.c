/* Vector moves: loads, stores, parts of registers, and the ways to and from
 * general registers; MXCSR; string compares.  SSE and VEX forms.
 * Source: Intel SDM volume 2. */
#include "cpu/x86/simd.h"

/* ---- whole registers ---- */

/* One half, or a shorter piece, to memory. */
static void store(Xlat *x, IrVal addr, unsigned size, bool align, IrVal v)
{
    ir_stv(x->u, x86_memop(x, size) | (align ? IRM_ALIGN : 0), addr, v);
}

/* arg 1: memory must be aligned.  32 bytes of memory are two stores. */
static void store_operand(Xlat *x, X86Insn *in, unsigned reg)
{
    unsigned size = in->op[0].size;
    bool align = in->row->arg & 1 && size >= 16;
    IrVal addr = x86_addr(x, in, size, true);
    if (size < 32) {
        store(x, addr, size, align, simd_get(x, reg, 0));
        return;
    }
    if (align) {                         /* 32-byte alignment; the halves then share a page */
        x86_raise_if(x, 64, IRC_TSTNZ, addr, ir_const(x->u, 31), EX_GP, true, 0);
    }
    IrVal hi = ir_addi(x->u, 64, addr, 16);
    hi = in->mode == 64 ? hi : ir_zext(x->u, 64, 32, hi);
    if (align) {
        store(x, addr, 16, false, simd_get(x, reg, 0));
        store(x, hi, 16, false, simd_get(x, reg, 1));
    } else {                             /* the upper half is stored first: its fault leaves nothing stored */
        ir_probe(x->u, 64, x86_memop(x, 16), addr);
        store(x, hi, 16, false, simd_get(x, reg, 1));
        store(x, addr, 16, false, simd_get(x, reg, 0));
    }
}

/* MOVUPS, MOVAPS, MOVDQx, MOVNTx, LDDQU; with short memory MOVSS, MOVSD, MOVLPx: loads clear the rest */
void gen_vmov(Xlat *x, X86Insn *in)
{
    if (in->op[0].loc == LOC_MEM) {
        store_operand(x, in, in->op[1].reg);
        return;
    }
    unsigned nh = simd_halves(in, 0) == 2 && simd_halves(in, 1) == 2 ? 2 : 1, size = in->op[1].size;
    bool mem = in->op[1].loc == LOC_MEM, align = in->row->arg & 1;
    IrVal v[2];
    if (mem && align && size == 32) {
        x86_raise_if(x, 64, IRC_TSTNZ, x86_addr(x, in, size, false), ir_const(x->u, 31), EX_GP, true, 0);
    }
    for (unsigned h = 0; h < nh; h++) {
        v[h] = mem ? simd_ld(x, in, size, h * 16, size < 16 ? size : 16, align && size == 16)
                   : simd_get(x, in->op[1].reg, h);
    }
    simd_wr(x, in, 0, nh, v);
}

/* MOVSS, MOVSD between registers: arg is the element kind */
void gen_mov_ss(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0;
    IrVal b = simd_rd(x, in, first + 1, 0);
    IrVal v = ir_v(x->u, IR_vblendi, VEC_X(in->row->arg, 1), simd_rd(x, in, first, 0), b);
    simd_wr(x, in, 0, 1, &v);
}

/* MOVQ: low 64 bits, rest cleared; to memory just those */
void gen_movq(Xlat *x, X86Insn *in)
{
    IrVal v;
    if (in->op[0].loc == LOC_MEM) {
        store(x, x86_addr(x, in, 8, true), 8, false, simd_rd(x, in, 1, 0));
        return;
    }
    v = simd_rd(x, in, 1, 0);
    if (in->op[1].loc != LOC_MEM) {
        v = ir_v(x->u, IR_vblendi, VEC_X(VE_64, 1), ir_v(x->u, IR_vzero, 0, IR_NONE, IR_NONE), v);
    }
    simd_wr(x, in, 0, 1, &v);
}

/* ---- halves of 64 bits ---- */

void gen_movhlps(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0;
    IrVal b = simd_rd(x, in, first + 1, 0);
    IrVal v = ir_v(x->u, IR_vunpkhi, VE_64, b, simd_rd(x, in, first, 0));
    simd_wr(x, in, 0, 1, &v);
}

void gen_movlp_ld(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0;
    IrVal b = simd_rd(x, in, first + 1, 0);
    IrVal v = ir_v(x->u, IR_vblendi, VEC_X(VE_64, 1), simd_rd(x, in, first, 0), b);
    simd_wr(x, in, 0, 1, &v);
}

void gen_movhp_ld(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0;
    IrVal b = simd_rd(x, in, first + 1, 0);
    IrVal v = ir_v(x->u, IR_vunpklo, VE_64, simd_rd(x, in, first, 0), b);
    simd_wr(x, in, 0, 1, &v);
}

void gen_movhp_st(Xlat *x, X86Insn *in)
{
    IrVal v = simd_rd(x, in, 1, 0);
    store(x, x86_addr(x, in, 8, true), 8, false, ir_v(x->u, IR_vunpkhi, VE_64, v, v));
}

/* the low 64 bits of each half twice; 128-bit memory form reads 8 bytes */
void gen_movddup(Xlat *x, X86Insn *in)
{
    unsigned nh = simd_halves(in, 0);
    IrVal v[2];
    for (unsigned h = 0; h < nh; h++) {
        IrVal s = in->op[1].loc == LOC_MEM && nh == 1 ? simd_ld(x, in, 8, 0, 8, false) : simd_rd(x, in, 1, h);
        v[h] = ir_v(x->u, IR_vunpklo, VE_64, s, s);
    }
    simd_wr(x, in, 0, nh, v);
}

/* ---- general registers ---- */

/* MOVD, MOVQ xmm, r/m */
void gen_movd(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[1].size;
    IrVal v = in->op[1].loc == LOC_MEM ? simd_ld(x, in, size, 0, size, false)
                                       : ir_v(x->u, IR_vfromi, size * 8, x86_rd(x, in, 1), IR_NONE);
    simd_wr(x, in, 0, 1, &v);
}

/* MOVD, MOVQ r/m, xmm */
void gen_movd_st(Xlat *x, X86Insn *in)
{
    unsigned size = in->op[0].size;
    IrVal v = simd_rd(x, in, 1, 0);
    if (in->op[0].loc == LOC_MEM) {
        store(x, x86_addr(x, in, size, true), size, false, v);
    } else {
        x86_wr(x, in, 0, ir_v(x->u, IR_vextract, size * 8, v, IR_NONE));
    }
}

/* PINSRB W D Q: arg is the element's width */
void gen_pinsr(Xlat *x, X86Insn *in)
{
    unsigned bits = in->row->arg, first = in->vex ? 1 : 0, lane = in->imm & (128 / bits - 1);
    IrVal i = x86_rd(x, in, first + 1);
    IrVal v = ir_v(x->u, IR_vinsert, VEC_X(bits, lane), simd_rd(x, in, first, 0), i);
    simd_wr(x, in, 0, 1, &v);
}

/* PEXTRB W D Q, EXTRACTPS: zero-extended into a register */
void gen_pextr(Xlat *x, X86Insn *in)
{
    unsigned bits = in->row->arg, lane = in->imm & (128 / bits - 1);
    IrVal i = ir_v(x->u, IR_vextract, VEC_X(bits, lane), simd_rd(x, in, 1, 0), IR_NONE);
    if (in->op[0].loc == LOC_MEM) {
        x86_st(x, x86_addr(x, in, bits / 8, true), bits / 8, i);
    } else {
        x86_put_gpr(x, in->op[0].reg, bits == 64 ? 8 : 4, false, i);
    }
}

/* INSERTPS: a memory operand is one element, whatever imm 7..6 says */
void gen_insertps(Xlat *x, X86Insn *in)
{
    unsigned first = in->vex ? 1 : 0, mem = in->op[first + 1].loc == LOC_MEM;
    IrVal b = simd_rd(x, in, first + 1, 0);
    IrVal v = ir_v(x->u, IR_vinsertf, VEC_X(0, in->imm & (mem ? 0x3f : 0xff)), simd_rd(x, in, first, 0), b);
    simd_wr(x, in, 0, 1, &v);
}

/* MASKMOVDQU: bytes whose mask bit 7 is set, to DS:rDI */
void gen_maskmovdqu(Xlat *x, X86Insn *in)
{
    ir_stev(x->u, simd_vtmp(0), simd_rd(x, in, 0, 0));
    ir_stev(x->u, simd_vtmp(1), simd_rd(x, in, 1, 0));
    IrVal di = x86_get_gpr(x, 7, in->asize, false);
    IrVal addr = x86_linear(x, in->seg >= 0 ? (unsigned)in->seg : SEG_DS, di, 16, true);
    x86_call2(x, X86H_maskmov, addr, ir_const(x->u, 16));
}

/* ---- MXCSR ---- */

/* Unmasking exceptions changes the mode flags, so the unit may have to end. */
void gen_ldmxcsr(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_ldmxcsr, x86_rd(x, in, 0));
    x86_put_next(x, in);
    x86_exit_lookup(x, in);
}

void gen_stmxcsr(Xlat *x, X86Insn *in)
{
    x86_wr(x, in, 0, x86_call0(x, X86H_stmxcsr));
}

/* ---- string compares ---- */

/* arg = opcode - 0x60: bit 0 index to ECX (else mask to XMM0), bit 1 implicit lengths (else EAX, EDX).
 * The helper returns flags | index << 16 and leaves the mask in vtmp[0]. */
void gen_pcmpstr(Xlat *x, X86Insn *in)
{
    unsigned form = in->row->arg, size = x86_rex_w(in) ? 8 : 4;
    IrVal la = x86_get_gpr(x, 0, size, false), lb = x86_get_gpr(x, 2, size, false);
    IrVal b = in->op[1].loc == LOC_MEM ? simd_ld(x, in, 16, 0, 16, false) : simd_rd(x, in, 1, 0);
    if (size == 4) {
        la = ir_sext(x->u, 64, 32, la);
        lb = ir_sext(x->u, 64, 32, lb);
    }
    ir_stev(x->u, simd_vtmp(0), simd_rd(x, in, 0, 0));
    ir_stev(x->u, simd_vtmp(1), b);
    IrVal r = x86_call3(x, X86H_pcmpstr, ir_const(x->u, (in->imm & 255) | form << 8), la, lb);
    if (form & 1) {
        x86_put_gpr(x, 1, 4, false, ir_shri(x->u, 32, r, 16));
    } else {
        simd_put(x, 0, 0, ir_ldev(x->u, simd_vtmp(0)));
        simd_done(x, in, 0, 1);
    }
    x86_cc_set_flags(x, ir_andi(x->u, 32, r, FL_CC));
}
