/* Vector ops (vops.def) on an x86-64 host: one instruction each wherever there
 * is one, in the VEX form if the host has AVX.
 *
 * A row lists the opcode for each element kind: prefix and map by OP_ flags,
 * and by N_ what the host must have.  0, or a host without it, means the C
 * function vec_call, which evaluates the op from TcgScratch.vec_arg.
 *
 * Vector operands in memory are homes or spill slots, which are aligned, so
 * the legacy forms may take them too.
 *
 * Source: Intel SDM volume 2. */
#include "tcg/hosts/x86_64/cg.h"

#include <xmmintrin.h>

#include "tcg/vec.h"

enum { N_SHIFT = 16, N_SSSE3 = 1 << N_SHIFT, N_SSE41 = 2 << N_SHIFT, N_SSE42 = 3 << N_SHIFT, N_AVX = 4 << N_SHIFT,
       N_AVX2 = 5 << N_SHIFT, N_FMA = 6 << N_SHIFT, N_F16C = 7 << N_SHIFT, N_AES = 8 << N_SHIFT, N_PCLMUL = 9 << N_SHIFT,
       N_SHA = 10 << N_SHIFT, N_MASK = 15 << N_SHIFT };

static bool have(uint32_t op)
{
    switch (op & N_MASK) {
    case N_SSSE3: return host_feat.ssse3;
    case N_SSE41: return host_feat.sse41;
    case N_SSE42: return host_feat.sse42;
    case N_AVX: return host_feat.avx;
    case N_AVX2: return host_feat.avx2;
    case N_FMA: return host_feat.fma;
    case N_F16C: return host_feat.f16c;
    case N_AES: return host_feat.aes;
    case N_PCLMUL: return host_feat.pclmul;
    case N_SHA: return host_feat.sha;
    default: return op != 0;
    }
}

/* ---- by C ---- */

/* op | x << 16, INT operand; vectors in vec_arg.  Runs under the host's MXCSR; env->fpcr is the guest's. */
static uint64_t vec_call(TcgEnv *env, uint64_t op_x, uint64_t i, uint64_t u, uint64_t v)
{
    TcgScratch *s = env_scratch(env);
    uint32_t host = _mm_getcsr();
    uint64_t r;
    (void)u, (void)v;
    _mm_setcsr(env->fpcr);
    r = vec_eval(op_x & 0xffff, (uint16_t)(op_x >> 16), s->vec_arg[3], s->vec_arg[0], s->vec_arg[1], s->vec_arg[2], i);
    env->fpcr |= _mm_getcsr() & 0x3f;
    _mm_setcsr(host);
    return r;
}

static void emit_by_c(Cg *c, const IrOp *o)
{
    const char *t = strchr(ir_op_info[o->op].sig, '=') + 1;
    const IrVal v[3] = { o->a, o->b, o->c };
    for (unsigned i = 0; t[i]; i++) {
        int r = cg_use(c, v[i]);
        if (t[i] == 'v') {
            cg_vstore(c, 16, RM_SCRATCH(vec_arg[i]), r);
        } else {
            x_store(&c->e, 64, RM_SCRATCH(slow_arg[1]), r);
        }
    }
    x_store_imm(&c->e, 64, RM_SCRATCH(slow_arg[0]), o->op | (uint32_t)o->x << 16);
    cg_call_c_raw(c, (void *)vec_call, false);
    if (ir_op_info[o->op].sig[0] == 'v') {
        cg_vload(c, 16, cg_def(c, o->d, -1), RM_SCRATCH(vec_arg[3]));
    } else {
        x_mov(&c->e, 64, cg_def(c, o->d, -1), RM_SCRATCH(slow_val[0]));
    }
}

/* ---- d = a op b and relatives ---- */

enum { NO_IMM = -1 };

static void imm_byte(Cg *c, int imm)
{
    if (imm != NO_IMM) {
        x_byte(&c->e, (unsigned)imm);
    }
}

/* Legacy forms destroy their first operand: if the result is bound for b's register b goes to a scratch first. */
static void binary(Cg *c, const IrOp *o, uint32_t op, int imm)
{
    int a = cg_use(c, o->a), t = -1, d;
    Rm b = cg_rm(c, o->b);
    if (!host_feat.avx && b.reg >= 0 && b.reg != a && ra_hint(&c->ra, o->d) == b.reg) {
        t = cg_tmp(c, BANK_VEC);
        cg_vmov(c, t, b.reg);
    }
    d = cg_def(c, o->d, a);
    b = t >= 0 ? rm_reg(t) : cg_again(c, o->b, b);
    cg_vop(c, op, d, a, b);
    imm_byte(c, imm);
}

static void unary(Cg *c, const IrOp *o, uint32_t op, IrVal v, int imm)
{
    Rm s = cg_rm(c, v);
    int d = cg_def(c, o->d, s.reg >= 0 ? s.reg : -1);
    cg_vop1(c, op, d, cg_again(c, v, s));
    imm_byte(c, imm);
}

static uint32_t row_op(const IrOp *o) { return host_ops[o->op]->op[o->x & 3]; }
static int op_imm(const IrOp *o) { return (int)vec_imm(o->x); }

static void emit_ab(Cg *c, const IrOp *o)
{
    have(row_op(o)) ? binary(c, o, row_op(o), NO_IMM) : emit_by_c(c, o);
}
static void emit_ab_imm(Cg *c, const IrOp *o)
{
    have(row_op(o)) ? binary(c, o, row_op(o), op_imm(o)) : emit_by_c(c, o);
}
/* INSERTPS from memory takes the element there, not the one that imm names: b has to be in a register */
static void emit_insertf(Cg *c, const IrOp *o)
{
    if (have(row_op(o))) {
        cg_use(c, o->b);
    }
    emit_ab_imm(c, o);
}
static void emit_a(Cg *c, const IrOp *o)
{
    have(row_op(o)) ? unary(c, o, row_op(o), o->a, NO_IMM) : emit_by_c(c, o);
}
static void emit_a_imm(Cg *c, const IrOp *o)
{
    have(row_op(o)) ? unary(c, o, row_op(o), o->a, op_imm(o)) : emit_by_c(c, o);
}

/* the legacy forms have the first eight predicates only */
static void emit_vfcmp(Cg *c, const IrOp *o)
{
    host_feat.avx || op_imm(o) < 8 ? emit_ab_imm(c, o) : emit_by_c(c, o);
}

/* FP ops of b alone: packed forms have one source, scalar ones keep the rest of a */
static void emit_b(Cg *c, const IrOp *o)
{
    if (!have(row_op(o))) {
        emit_by_c(c, o);
    } else if (vec_kind(o->x) >= VF_SS) {
        binary(c, o, row_op(o), o->op == IR_vfround ? op_imm(o) : NO_IMM);
    } else {
        unary(c, o, row_op(o), o->b, o->op == IR_vfround ? op_imm(o) : NO_IMM);
    }
}

/* shifts by an immediate: opcode | digit << 24; VEX names the result in vvvv */
#define DIGIT(n) ((uint32_t)(n) << 24)
static void emit_shift_imm(Cg *c, const IrOp *o)
{
    uint32_t op = row_op(o);
    if (!have(op)) {
        emit_by_c(c, o);
        return;
    }
    int a = cg_use(c, o->a), d = cg_def(c, o->d, a), digit = (int)(op >> 24);
    if (host_feat.avx) {
        x_vex(&c->e, op, digit, d, rm_reg(a));
    } else {
        cg_vmov(c, d, a);
        x_op(&c->e, op, digit, rm_reg(d));
    }
    imm_byte(c, op_imm(o));
}

/* ---- results in INT registers ---- */

/* A vector instruction whose reg field is an INT register or that only sets flags. */
static void v_plain(Cg *c, uint32_t op, int reg, Rm m)
{
    if (host_feat.avx) {
        x_vex(&c->e, op, reg, 0, m);
    } else {
        x_op(&c->e, op, reg, m);
    }
}

static void emit_movmsk(Cg *c, const IrOp *o)
{
    int a = cg_use(c, o->a), d = cg_def(c, o->d, -1);
    v_plain(c, row_op(o), d, rm_reg(a));
}

static void cmov(Cg *c, int cc, int d, int s) { x_op(&c->e, OP_0F | 0x40 | (unsigned)cc, d, rm_reg(s)); }

/* CF and ZF to bits 0 and 6 */
static void emit_vtest(Cg *c, const IrOp *o)
{
    if (!have(row_op(o))) {
        emit_by_c(c, o);
        return;
    }
    int a = cg_use(c, o->a);
    Rm b = cg_rm(c, o->b);
    int t = cg_tmp(c, BANK_INT), d = cg_def(c, o->d, -1);
    v_plain(c, row_op(o), a, cg_again(c, o->b, b));
    x_movi(&c->e, d, 0);
    x_movi(&c->e, t, 1);
    cmov(c, CC_B, d, t);
    x_lea(&c->e, 32, t, rm_mem(d, -1, 0, 0x40));
    cmov(c, CC_E, d, t);
    cg_flags_lost(c);
}

/* CF, PF, ZF of (U)COMISx to bits 0, 2, 6: unordered sets all three, else at most one is set */
static void emit_vfcmpi(Cg *c, const IrOp *o)
{
    int a = cg_use(c, o->a);
    Rm b = cg_rm(c, o->b);
    int t = cg_tmp(c, BANK_INT), d = cg_def(c, o->d, -1);
    uint32_t op = OP_0F | (vec_imm(o->x) ? 0x2f : 0x2e) | (vec_kind(o->x) == VF_SD ? OP_66 : 0);
    v_plain(c, op, a, cg_again(c, o->b, b));
    x_movi(&c->e, d, 0);
    x_movi(&c->e, t, 1);
    cmov(c, CC_B, d, t);
    x_movi(&c->e, t, 0x40);
    cmov(c, CC_E, d, t);
    x_movi(&c->e, t, 0x45);
    cmov(c, CC_P, d, t);
    c->fl = (FlagState) { .kind = FL_FCMP, .d = o->d };   /* moves changed no flags */
}

static uint32_t int_op(const IrOp *o, uint32_t code)
{
    return OP_0F | code | ((vec_kind(o->x) & 3) == VF_SD ? OP_F2 : OP_F3) | (vec_kind(o->x) & VCVT_I64 ? OP_W : 0);
}

static void emit_vtoint(Cg *c, const IrOp *o)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, -1);
    v_plain(c, int_op(o, vec_kind(o->x) & VCVT_TRUNC ? 0x2c : 0x2d), d, cg_again(c, o->a, a));
}

static void emit_vfromint(Cg *c, const IrOp *o)
{
    int a = cg_use(c, o->a);
    Rm b = cg_rm(c, o->b);
    int d = cg_def(c, o->d, a);
    cg_vop(c, int_op(o, 0x2a), d, a, cg_again(c, o->b, b));
}

/* ---- conversions ---- */

static const uint32_t cvt_op[VCVT_COUNT] = {
    [VCVT_PS_PD] = OP_0F | 0x5a, [VCVT_PD_PS] = OP_66 | OP_0F | 0x5a, [VCVT_SS_SD] = OP_F3 | OP_0F | 0x5a,
    [VCVT_SD_SS] = OP_F2 | OP_0F | 0x5a, [VCVT_DQ_PS] = OP_0F | 0x5b, [VCVT_DQ_PD] = OP_F3 | OP_0F | 0xe6,
    [VCVT_PS_DQ] = OP_66 | OP_0F | 0x5b, [VCVT_PS_DQ_T] = OP_F3 | OP_0F | 0x5b, [VCVT_PD_DQ] = OP_F2 | OP_0F | 0xe6,
    [VCVT_PD_DQ_T] = OP_66 | OP_0F | 0xe6, [VCVT_PH_PS] = OP_66 | OP_0F38 | 0x13 | N_F16C,
    [VCVT_PS_PH] = OP_66 | OP_0F3A | 0x1d | N_F16C,
};

static void emit_vfcvt(Cg *c, const IrOp *o)
{
    unsigned k = vec_kind(o->x);
    if (!have(cvt_op[k])) {
        emit_by_c(c, o);
    } else if (k == VCVT_SS_SD || k == VCVT_SD_SS) {
        binary(c, o, cvt_op[k], NO_IMM);
    } else if (k == VCVT_PS_PH) {                        /* a store form: the source is in the reg field */
        int b = cg_use(c, o->b), d = cg_def(c, o->d, -1);
        x_vex(&c->e, cvt_op[k], b, 0, rm_reg(d));
        imm_byte(c, op_imm(o));
    } else {
        unary(c, o, cvt_op[k], o->b, NO_IMM);
    }
}

static void emit_widen(Cg *c, const IrOp *o)
{
    uint32_t op = host_ops[o->op]->op[0] + vec_kind(o->x);
    have(op) ? unary(c, o, op, o->a, NO_IMM) : emit_by_c(c, o);
}

/* ---- three operands ---- */

/* VEX: the mask register in an immediate's high half */
static void emit_vblend(Cg *c, const IrOp *o)
{
    if (!have(row_op(o))) {
        emit_by_c(c, o);
        return;
    }
    int a = cg_use(c, o->a), m = cg_use(c, o->c);
    Rm b = cg_rm(c, o->b);
    int d = cg_def(c, o->d, a);
    cg_vop(c, row_op(o), d, a, cg_again(c, o->b, b));
    imm_byte(c, m << 4);
}

/* the first operand is the result: a scratch if the result is bound for b's or c's register */
static void emit_vfma(Cg *c, const IrOp *o)
{
    static const uint8_t code[] = { 6, 7, 8, 10, 12, 14 };               /* by VFMA_ */
    unsigned k = vec_kind(o->x), imm = vec_imm(o->x);
    uint32_t op = OP_66 | OP_0F38 | (0x90 + (imm >> 4) * 16 + code[imm & 15]) | N_FMA;
    if (!have(op)) {
        emit_by_c(c, o);
        return;
    }
    op += k >= VF_SS;
    op |= k == VF_PD || k == VF_SD ? OP_W : 0;
    int a = cg_use(c, o->a), b = cg_use(c, o->b), d;
    Rm s = cg_rm(c, o->c);
    int hint = ra_hint(&c->ra, o->d);
    bool clash = hint >= 0 && hint != a && (hint == b || hint == s.reg);
    d = clash ? cg_tmp(c, BANK_VEC) : cg_def(c, o->d, a);
    s = cg_again(c, o->c, s);
    if (d != a) {
        cg_vmov(c, d, a);
    }
    x_vex(&c->e, op, d, b, s);
    if (clash) {
        ra_bind(&c->ra, o->d, d);
    }
}

/* ---- cryptography ---- */

static void emit_vaes(Cg *c, const IrOp *o)
{
    unsigned k = vec_kind(o->x);
    if (!host_feat.aes) {
        emit_by_c(c, o);
    } else if (k == VAES_KEYGEN) {
        unary(c, o, OP_66 | OP_0F3A | 0xdf, o->b, op_imm(o));
    } else if (k == VAES_IMC) {
        unary(c, o, OP_66 | OP_0F38 | 0xdb, o->b, NO_IMM);
    } else {
        binary(c, o, OP_66 | OP_0F38 | (0xdc + k), NO_IMM);
    }
}

/* only legacy encodings; SHA256RNDS2 finds its third operand in xmm0 */
static void emit_vsha(Cg *c, const IrOp *o)
{
    static const uint32_t ops[] = { OP_0F38 | 0xc8, OP_0F38 | 0xc9, OP_0F38 | 0xca, OP_0F38 | 0xcb, OP_0F38 | 0xcc,
                                    OP_0F38 | 0xcd, OP_0F3A | 0xcc };
    unsigned k = vec_kind(o->x);
    RaLoc m = ra_loc(&c->ra, o->c);
    if (!host_feat.sha || (k == VSHA_256RNDS2 && (m.kind != RA_REG || m.reg != 0))) {
        emit_by_c(c, o);
        return;
    }
    int a = cg_use(c, o->a), b = cg_use(c, o->b), t = cg_tmp(c, BANK_VEC);
    cg_vmov(c, t, a);
    x_op(&c->e, ops[k], t, rm_reg(b));
    imm_byte(c, k == VSHA_1RNDS4 ? op_imm(o) : NO_IMM);
    ra_bind(&c->ra, o->d, t);
}

/* ---- rows ---- */

#define N0(x) (OP_0F | (x))
#define P(x) (OP_66 | OP_0F | (x))
#define F3(x) (OP_F3 | OP_0F | (x))
#define F2(x) (OP_F2 | OP_0F | (x))
#define P38(x, need) (OP_66 | OP_0F38 | (x) | (need))
#define P3A(x, need) (OP_66 | OP_0F3A | (x) | (need))
#define ALL(op) { op, op, op, op }                       /* the kind does not matter */
#define FP(x) { N0(x), P(x), F3(x), F2(x) }
#define ROW(name, emitter, ...) const HostOp host_op_##name = { emitter, __VA_ARGS__ };

/*  name      emitter         opcode for kind 0, 1, 2, 3 */
ROW(vand,     emit_ab,        { N0(0x54), P(0x54), P(0xdb), P(0xdb) })
ROW(vor,      emit_ab,        { N0(0x56), P(0x56), P(0xeb), P(0xeb) })
ROW(vxor,     emit_ab,        { N0(0x57), P(0x57), P(0xef), P(0xef) })
ROW(vandn,    emit_ab,        { N0(0x55), P(0x55), P(0xdf), P(0xdf) })
ROW(vadd,     emit_ab,        { P(0xfc), P(0xfd), P(0xfe), P(0xd4) })
ROW(vsub,     emit_ab,        { P(0xf8), P(0xf9), P(0xfa), P(0xfb) })
ROW(vadds,    emit_ab,        { P(0xec), P(0xed) })
ROW(vaddus,   emit_ab,        { P(0xdc), P(0xdd) })
ROW(vsubs,    emit_ab,        { P(0xe8), P(0xe9) })
ROW(vsubus,   emit_ab,        { P(0xd8), P(0xd9) })
ROW(vmullo,   emit_ab,        { 0, P(0xd5), P38(0x40, N_SSE41) })
ROW(vmulhs,   emit_ab,        { 0, P(0xe5) })
ROW(vmulhu,   emit_ab,        { 0, P(0xe4) })
ROW(vmulhrs,  emit_ab,        { 0, P38(0x0b, N_SSSE3) })
ROW(vmul2u,   emit_ab,        ALL(P(0xf4)))
ROW(vmul2s,   emit_ab,        ALL(P38(0x28, N_SSE41)))
ROW(vmadd,    emit_ab,        ALL(P(0xf5)))
ROW(vmaddus,  emit_ab,        ALL(P38(0x04, N_SSSE3)))
ROW(vsad,     emit_ab,        ALL(P(0xf6)))
ROW(vmpsad,   emit_ab_imm,    ALL(P3A(0x42, N_SSE41)))
ROW(vavg,     emit_ab,        { P(0xe0), P(0xe3) })
ROW(vmins,    emit_ab,        { P38(0x38, N_SSE41), P(0xea), P38(0x39, N_SSE41) })
ROW(vminu,    emit_ab,        { P(0xda), P38(0x3a, N_SSE41), P38(0x3b, N_SSE41) })
ROW(vmaxs,    emit_ab,        { P38(0x3c, N_SSE41), P(0xee), P38(0x3d, N_SSE41) })
ROW(vmaxu,    emit_ab,        { P(0xde), P38(0x3e, N_SSE41), P38(0x3f, N_SSE41) })
ROW(vcmpeq,   emit_ab,        { P(0x74), P(0x75), P(0x76), P38(0x29, N_SSE41) })
ROW(vcmpgt,   emit_ab,        { P(0x64), P(0x65), P(0x66), P38(0x37, N_SSE42) })
ROW(vabs,     emit_a,         { P38(0x1c, N_SSSE3), P38(0x1d, N_SSSE3), P38(0x1e, N_SSSE3) })
ROW(vsign,    emit_ab,        { P38(0x08, N_SSSE3), P38(0x09, N_SSSE3), P38(0x0a, N_SSSE3) })
ROW(vhadd,    emit_ab,        { 0, P38(0x01, N_SSSE3), P38(0x02, N_SSSE3) })
ROW(vhadds,   emit_ab,        ALL(P38(0x03, N_SSSE3)))
ROW(vhsub,    emit_ab,        { 0, P38(0x05, N_SSSE3), P38(0x06, N_SSSE3) })
ROW(vhsubs,   emit_ab,        ALL(P38(0x07, N_SSSE3)))
ROW(vminpos,  emit_a,         ALL(P38(0x41, N_SSE41)))
ROW(vshl,     emit_ab,        { 0, P(0xf1), P(0xf2), P(0xf3) })
ROW(vshr,     emit_ab,        { 0, P(0xd1), P(0xd2), P(0xd3) })
ROW(vsar,     emit_ab,        { 0, P(0xe1), P(0xe2) })
ROW(vshli,    emit_shift_imm, { 0, P(0x71) | DIGIT(6), P(0x72) | DIGIT(6), P(0x73) | DIGIT(6) })
ROW(vshri,    emit_shift_imm, { 0, P(0x71) | DIGIT(2), P(0x72) | DIGIT(2), P(0x73) | DIGIT(2) })
ROW(vsari,    emit_shift_imm, { 0, P(0x71) | DIGIT(4), P(0x72) | DIGIT(4) })
ROW(vshlv,    emit_ab,        { 0, 0, P38(0x47, N_AVX2), P38(0x47, N_AVX2) | OP_W })
ROW(vshrv,    emit_ab,        { 0, 0, P38(0x45, N_AVX2), P38(0x45, N_AVX2) | OP_W })
ROW(vsarv,    emit_ab,        { 0, 0, P38(0x46, N_AVX2) })
ROW(vbshl,    emit_shift_imm, ALL(P(0x73) | DIGIT(7)))
ROW(vbshr,    emit_shift_imm, ALL(P(0x73) | DIGIT(3)))
ROW(vshufb,   emit_ab,        ALL(P38(0x00, N_SSSE3)))
ROW(vshuf32,  emit_a_imm,     ALL(P(0x70)))
ROW(vshuflo,  emit_a_imm,     ALL(F2(0x70)))
ROW(vshufhi,  emit_a_imm,     ALL(F3(0x70)))
ROW(vshuf2,   emit_ab_imm,    { 0, 0, N0(0xc6), P(0xc6) })
ROW(vpermil,  emit_ab,        { 0, 0, P38(0x0c, N_AVX), P38(0x0d, N_AVX) })
ROW(vunpklo,  emit_ab,        { P(0x60), P(0x61), P(0x62), P(0x6c) })
ROW(vunpkhi,  emit_ab,        { P(0x68), P(0x69), P(0x6a), P(0x6d) })
ROW(vpacks,   emit_ab,        { 0, P(0x63), P(0x6b) })
ROW(vpackus,  emit_ab,        { 0, P(0x67), P38(0x2b, N_SSE41) })
ROW(valign,   emit_ab_imm,    ALL(P3A(0x0f, N_SSSE3)))
ROW(vblendi,  emit_ab_imm,    { 0, P3A(0x0e, N_SSE41), P3A(0x0c, N_SSE41), P3A(0x0d, N_SSE41) })
ROW(vblend,   emit_vblend,    { P3A(0x4c, N_AVX), 0, P3A(0x4a, N_AVX), P3A(0x4b, N_AVX) })
ROW(vinsertf, emit_insertf,   ALL(P3A(0x21, N_SSE41)))
ROW(vdup,     emit_a,         { P38(0x78, N_AVX2), P38(0x79, N_AVX2), P38(0x58, N_AVX2), P38(0x59, N_AVX2) })
ROW(vwidens,  emit_widen,     { P38(0x20, N_SSE41) })
ROW(vwidenu,  emit_widen,     { P38(0x30, N_SSE41) })
ROW(vmovmsk,  emit_movmsk,    { P(0xd7), 0, N0(0x50), P(0x50) })
ROW(vtest,    emit_vtest,     { P38(0x17, N_SSE41), 0, P38(0x0e, N_AVX), P38(0x0f, N_AVX) })
ROW(vfadd,    emit_ab,        FP(0x58))
ROW(vfsub,    emit_ab,        FP(0x5c))
ROW(vfmul,    emit_ab,        FP(0x59))
ROW(vfdiv,    emit_ab,        FP(0x5e))
ROW(vfmin,    emit_ab,        FP(0x5d))
ROW(vfmax,    emit_ab,        FP(0x5f))
ROW(vfsqrt,   emit_b,         FP(0x51))
ROW(vfrcp,    emit_b,         { N0(0x53), 0, F3(0x53) })
ROW(vfrsqrt,  emit_b,         { N0(0x52), 0, F3(0x52) })
ROW(vfround,  emit_b,         { P3A(0x08, N_SSE41), P3A(0x09, N_SSE41), P3A(0x0a, N_SSE41), P3A(0x0b, N_SSE41) })
ROW(vfcmp,    emit_vfcmp,     FP(0xc2))
ROW(vfaddsub, emit_ab,        { F2(0xd0), P(0xd0) })
ROW(vfhadd,   emit_ab,        { F2(0x7c), P(0x7c) })
ROW(vfhsub,   emit_ab,        { F2(0x7d), P(0x7d) })
ROW(vfdp,     emit_ab_imm,    { P3A(0x40, N_SSE41), P3A(0x41, N_SSE41) })
ROW(vfcmpi,   emit_vfcmpi,    { 0 })
ROW(vfma,     emit_vfma,      { 0 })
ROW(vfcvt,    emit_vfcvt,     { 0 })
ROW(vfromint, emit_vfromint,  { 0 })
ROW(vtoint,   emit_vtoint,    { 0 })
ROW(vaes,     emit_vaes,      { 0 })
ROW(vclmul,   emit_ab_imm,    ALL(P3A(0x44, N_PCLMUL)))
ROW(vsha,     emit_vsha,      { 0 })
