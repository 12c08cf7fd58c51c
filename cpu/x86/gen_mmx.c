/* MMX: the x87 registers' mantissas as vectors of 64 bits.  The ops are those
 * of the SSE forms on VEC values whose high half is 0; a few need the operands
 * arranged so that the low 64 bits of the 128-bit op are the MMX result.
 *
 * Every MMX instruction but EMMS makes the stack top 0 and all tags valid; a
 * write also sets the register's exponent to all ones.
 * Source: Intel SDM volume 1, section 9.  */
#include "cpu/x86/simd.h"

#define ST_MANT(r) ((unsigned)offsetof(X86Cpu, fpu.st[(r) & 7].mant))
#define ST_EXP(r) ((unsigned)offsetof(X86Cpu, fpu.st[(r) & 7].exp))

static IrVal zero(Xlat *x) { return ir_const(x->u, 0); }

/* Goes over to MMX state, after the instruction's last memory access.  Per unit: fpu[1] is set while the state is known
 * to be MMX's (gen_fpu.c clears it). */
static void enter(Xlat *x)
{
    if (!x86_unit(x)->fpu[1]) {
        x86_unit(x)->fpu[1] = 1;
        ir_ste(x->u, 8, offsetof(X86Cpu, fpu.top), zero(x));
        ir_ste(x->u, 64, offsetof(X86Cpu, fpu.empty), zero(x));
    }
}

static void mmx_put(Xlat *x, unsigned reg, IrVal bits)
{
    enter(x);
    ir_ste(x->u, 64, ST_MANT(reg), bits);
    ir_ste(x->u, 16, ST_EXP(reg), ir_const(x->u, 0xffff));
}

static void mmx_putv(Xlat *x, unsigned reg, IrVal v)
{
    mmx_put(x, reg, ir_v(x->u, IR_vextract, 64, v, IR_NONE));
}

static IrVal join(Xlat *x, IrVal lo, IrVal hi) { return ir_v(x->u, IR_vunpklo, VE_64, lo, hi); }
static IrVal high_half(Xlat *x, IrVal v) { return ir_v(x->u, IR_vunpkhi, VE_64, v, v); }

/* d = a op b with the low 64 bits right */
static IrVal mmx_op(Xlat *x, const X86Insn *in, IrOpcode op, unsigned k, IrVal a, IrVal b)
{
    IrVal ab;
    switch (op) {
    case IR_vpacks: case IR_vpackus:                     /* elements of both operands, narrowed */
    case IR_vhadd: case IR_vhadds: case IR_vhsub: case IR_vhsubs:        /* neighbours of both */
        ab = join(x, a, b);
        return ir_v(x->u, op, k, ab, ab);
    case IR_vunpkhi:                                     /* the low unpack's upper half */
        return high_half(x, ir_v(x->u, IR_vunpklo, k, a, b));
    case IR_vshufb:                                      /* bits 2..0 and 7 of each byte choose */
        b = ir_v(x->u, IR_vand, 0, b, ir_v(x->u, IR_vfromi, 64, ir_const(x->u, 0x8787878787878787), IR_NONE));
        return ir_v(x->u, op, k, a, b);
    case IR_valign:                                      /* a above b, shifted right */
        return ir_v(x->u, IR_vbshr, VEC_X(0, in->imm & 255), join(x, b, a), IR_NONE);
    default:
        return ir_v(x->u, op, k, a, b);
    }
}

void gen_vop_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal b = simd_rd(x, in, 1, 0), a = simd_rd(x, in, 0, 0);
    mmx_putv(x, in->op[0].reg, mmx_op(x, in, simd_irop(in), simd_kind(in), a, b));
}

void gen_vop1_mmx(Xlat *x, X86Insn *in)
{
    unsigned imm = in->op[2].loc == LOC_IMM ? in->imm & 255 : 0;
    fpu_gen_wait(x, in);
    mmx_putv(x, in->op[0].reg, ir_v(x->u, simd_irop(in), VEC_X(simd_kind(in), imm), simd_rd(x, in, 1, 0), IR_NONE));
}

/* ---- moves ---- */

static IrVal mmx_bits(Xlat *x, unsigned reg) { return ir_lde(x->u, 64, ST_MANT(reg)); }

/* MOVQ, MOVNTQ between MMX registers and memory */
void gen_mov_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal v = in->op[1].loc == LOC_MEM ? x86_rd(x, in, 1) : mmx_bits(x, in->op[1].reg);
    if (in->op[0].loc == LOC_MEM) {
        x86_wr(x, in, 0, v);
        enter(x);
    } else {
        mmx_put(x, in->op[0].reg, v);
    }
}

void gen_movd_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    mmx_put(x, in->op[0].reg, x86_rd(x, in, 1));
}

void gen_movd_mmx_st(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal v = mmx_bits(x, in->op[1].reg);
    x86_wr(x, in, 0, in->op[0].size == 4 ? ir_zext(x->u, 64, 32, v) : v);
    enter(x);
}

void gen_pinsr_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal i = x86_rd(x, in, 1);
    mmx_put(x, in->op[0].reg, ir_deposit(x->u, 64, mmx_bits(x, in->op[0].reg), i, (in->imm & 3) * 16, 16));
}

void gen_pextr_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    enter(x);
    x86_put_gpr(x, in->op[0].reg, 4, false, ir_extract(x->u, 64, mmx_bits(x, in->op[1].reg), (in->imm & 3) * 16, 16));
}

void gen_movmsk_mmx(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal m = ir_v(x->u, IR_vmovmsk, VE_8, simd_rd(x, in, 1, 0), IR_NONE);
    enter(x);
    x86_put_gpr(x, in->op[0].reg, 4, false, ir_andi(x->u, 32, m, 0xff));
}

/* MASKMOVQ: to DS:rDI */
void gen_maskmovq(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    enter(x);
    ir_stev(x->u, simd_vtmp(0), simd_rd(x, in, 0, 0));
    ir_stev(x->u, simd_vtmp(1), simd_rd(x, in, 1, 0));
    IrVal addr = x86_linear(x, in->seg >= 0 ? (unsigned)in->seg : SEG_DS, x86_get_gpr(x, 7, in->asize, false), 8, true);
    x86_call2(x, X86H_maskmov, addr, ir_const(x->u, 8));
}

void gen_movq2dq(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    IrVal v = simd_rd(x, in, 1, 0);
    enter(x);
    simd_wr(x, in, 0, 1, &v);
}

void gen_movdq2q(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    mmx_putv(x, in->op[0].reg, simd_rd(x, in, 1, 0));
}

/* ---- conversions ---- */

/* CVTPI2PS keeps the destination's high half.  From memory neither is an MMX access (CVTPI2PS as on AMD processors). */
void gen_cvt_from_mmx(Xlat *x, X86Insn *in)
{
    if (in->row->arg == VCVT_DQ_PS || in->op[1].loc == LOC_MMX) {
        fpu_gen_wait(x, in);
    }
    IrVal b = simd_rd(x, in, 1, 0), v;
    if (in->op[1].loc == LOC_MMX) {
        enter(x);
    }
    v = simd_op(x, IR_vfcvt, in->row->arg, b, b, IR_NONE);
    if (in->row->arg == VCVT_DQ_PS) {
        v = ir_v(x->u, IR_vblendi, VEC_X(VE_64, 1), simd_rd(x, in, 0, 0), v);
    }
    simd_wr(x, in, 0, 1, &v);
}

/* CVT(T)PS2PI, CVT(T)PD2PI: of a PS source only the low half is converted */
void gen_cvt_to_mmx(Xlat *x, X86Insn *in)
{
    IrVal b = simd_rd(x, in, 1, 0);
    fpu_gen_wait(x, in);
    enter(x);                            /* an exception of the conversion comes after */
    if (in->row->arg == VCVT_PS_DQ || in->row->arg == VCVT_PS_DQ_T) {
        b = ir_v(x->u, IR_vblendi, VEC_X(VE_64, 1), ir_v(x->u, IR_vzero, 0, IR_NONE, IR_NONE), b);
    }
    mmx_putv(x, in->op[0].reg, simd_op(x, IR_vfcvt, in->row->arg, b, b, IR_NONE));
}

void gen_emms(Xlat *x, X86Insn *in)
{
    fpu_gen_wait(x, in);
    x86_unit(x)->fpu[1] = 0;
    ir_ste(x->u, 8, offsetof(X86Cpu, fpu.top), zero(x));
    ir_ste(x->u, 64, offsetof(X86Cpu, fpu.empty), ir_const(x->u, 0x0101010101010101));
}
