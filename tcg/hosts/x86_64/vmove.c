/* Moving vectors about on an x86-64 host, the generic emitters for table rows
 * of vector instructions, and the moves the allocator asks for.
 *
 * With AVX all vector instructions take their VEX form: three operands, and
 * no alignment rule for memory operands. */
#include "tcg/hosts/x86_64/cg.h"

static void vmov_op(Cg *c, uint32_t op, int reg, Rm m)
{
    if (host_feat.avx) {
        x_vex(&c->e, op, reg, 0, m);
    } else {
        x_op(&c->e, op, reg, m);
    }
}

void cg_vmov(Cg *c, int d, int s)
{
    if (d != s) {
        vmov_op(c, 0x28 | OP_0F, d, rm_reg(s));          /* movaps */
    }
}

void cg_vload(Cg *c, unsigned bytes, int d, Rm m)
{
    /* movd, movq, movups */
    vmov_op(c, bytes == 4 ? 0x6e | OP_66 | OP_0F : bytes == 8 ? 0x7e | OP_F3 | OP_0F : 0x10 | OP_0F, d, m);
}

void cg_vstore(Cg *c, unsigned bytes, Rm m, int s)
{
    vmov_op(c, bytes == 4 ? 0x7e | OP_66 | OP_0F : bytes == 8 ? 0xd6 | OP_66 | OP_0F : 0x11 | OP_0F, s, m);
}

void cg_vop(Cg *c, uint32_t op, int d, int a, Rm b)
{
    if (host_feat.avx) {
        x_vex(&c->e, op, d, a, b);
        return;
    }
    cg_vmov(c, d, a);
    x_op(&c->e, op, d, b);
}

void cg_vop1(Cg *c, uint32_t op, int d, Rm s)
{
    vmov_op(c, op, d, s);
}

/* ---- what the allocator asks for ---- */

void host_ra_mov(Ra *ra, int bank, int dst, int src)
{
    Cg *c = (Cg *)ra;
    if (bank == BANK_VEC) {
        cg_vmov(c, dst, src);
    } else {
        x_mov_rr(&c->e, 64, dst, src);
    }
}

void host_ra_load(Ra *ra, int bank, int dst, uint32_t off)
{
    Cg *c = (Cg *)ra;
    if (bank == BANK_VEC) {
        cg_vload(c, 16, dst, rm_env(off));
    } else {
        x_mov(&c->e, 64, dst, rm_env(off));
    }
}

void host_ra_store(Ra *ra, int bank, uint32_t off, int src)
{
    Cg *c = (Cg *)ra;
    if (bank == BANK_VEC) {
        cg_vstore(c, 16, rm_env(off), src);
    } else {
        x_store(&c->e, 64, rm_env(off), src);
    }
}

void host_ra_movi(Ra *ra, int dst, uint64_t imm)
{
    x_movi(&((Cg *)ra)->e, dst, imm);
}

void host_ra_store_imm(Ra *ra, uint32_t off, uint64_t imm)
{
    Emit *e = &((Cg *)ra)->e;
    if (x_fits32(imm)) {
        x_store_imm(e, 64, rm_env(off), (uint32_t)imm);
    } else {                             /* two halves rather than a register */
        x_store_imm(e, 32, rm_env(off), (uint32_t)imm);
        x_store_imm(e, 32, rm_env(off + 4), (uint32_t)(imm >> 32));
    }
}

/* ---- generic rows ---- */

static uint32_t row_op(const IrOp *o)
{
    uint32_t op = host_ops[o->op]->op[o->x & 3];
    g_assert(op);
    return op;
}

/* b as an operand of a legacy instruction must be aligned if it is in memory, so there it is a register */
static Rm vec_rm(Cg *c, IrVal v)
{
    return host_feat.avx ? cg_rm(c, v) : rm_reg(cg_use(c, v));
}

void emit_v_vv(Cg *c, const IrOp *o)
{
    uint32_t op = row_op(o);
    int a = cg_use(c, o->a);
    Rm b = vec_rm(c, o->b);
    int d = cg_def(c, o->d, a);
    b = cg_again(c, o->b, b);
    if (!host_feat.avx && rm_is(b, d) && d != a) {
        if (ir_op_info[o->op].flags & IRF_COMM) {
            b = rm_reg(a);
            a = d;
        } else {
            int t = cg_tmp(c, BANK_VEC);
            cg_vmov(c, t, d);
            b = rm_reg(t);
        }
    }
    cg_vop(c, op, d, a, b);
}

void emit_v_v(Cg *c, const IrOp *o)
{
    uint32_t op = row_op(o);
    Rm a = vec_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    cg_vop1(c, op, d, cg_again(c, o->a, a));
}

/* ---- between the banks ---- */

static void emit_vzero(Cg *c, const IrOp *o)
{
    int d = cg_def(c, o->d, -1);
    if (host_feat.avx) {
        x_vex(&c->e, 0x57 | OP_0F, d, d, rm_reg(d));     /* xorps */
    } else {
        x_op(&c->e, 0x57 | OP_0F, d, rm_reg(d));
    }
}

static void emit_vmov(Cg *c, const IrOp *o)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    if (a.reg >= 0) {
        cg_vmov(c, d, a.reg);
    } else {
        cg_vload(c, 16, d, a);
    }
}

static void emit_vfromi(Cg *c, const IrOp *o)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, -1);
    vmov_op(c, 0x6e | OP_66 | OP_0F | (o->x == 64 ? OP_W : 0), d, cg_again(c, o->a, a));
}

/* pextr, pinsr: element sizes 8, 16, 32, 64 */
static uint32_t pextr(unsigned bits)
{
    return OP_66 | (bits == 8 ? 0x14 | OP_0F3A : bits == 16 ? 0x15 | OP_0F3A : bits == 32 ? 0x16 | OP_0F3A : 0x16 | OP_0F3A | OP_W);
}

static uint32_t pinsr(unsigned bits)
{
    return OP_66 | (bits == 8 ? 0x20 | OP_0F3A : bits == 16 ? 0xc4 | OP_0F : bits == 32 ? 0x22 | OP_0F3A : 0x22 | OP_0F3A | OP_W);
}

static void emit_vextract(Cg *c, const IrOp *o)
{
    unsigned lane = o->x >> 8, bits = o->x & 255;
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, -1);
    a = cg_again(c, o->a, a);
    if (a.reg < 0) {
        a.disp += (int)(lane * bits / 8);
        x_movzx(&c->e, bits, d, a);
    } else if (lane == 0 && bits >= 32) {
        vmov_op(c, 0x7e | OP_66 | OP_0F | (bits == 64 ? OP_W : 0), a.reg, rm_reg(d));
    } else if (host_feat.sse41) {
        vmov_op(c, pextr(bits), a.reg, rm_reg(d));
        x_byte(&c->e, lane);
    } else {
        cg_vstore(c, 16, RM_SCRATCH(slow_arg[0]), a.reg);
        x_movzx(&c->e, bits, d, rm_env(ENV_SCRATCH + (uint32_t)offsetof(TcgScratch, slow_arg) + lane * bits / 8));
    }
}

static void emit_vinsert(Cg *c, const IrOp *o)
{
    unsigned lane = o->x >> 8, bits = o->x & 255;
    int a = cg_use(c, o->a), b = cg_use(c, o->b);
    int d = cg_def(c, o->d, a);
    if (host_feat.sse41 || bits == 16) {
        if (host_feat.avx) {
            x_vex(&c->e, pinsr(bits), d, a, rm_reg(b));
        } else {
            cg_vmov(c, d, a);
            x_op(&c->e, pinsr(bits), d, rm_reg(b));
        }
        x_byte(&c->e, lane);
    } else {
        cg_vstore(c, 16, RM_SCRATCH(slow_arg[0]), a);
        x_store(&c->e, bits, rm_env(ENV_SCRATCH + (uint32_t)offsetof(TcgScratch, slow_arg) + lane * bits / 8), b);
        cg_vload(c, 16, d, RM_SCRATCH(slow_arg[0]));
    }
}

static void emit_ldev(Cg *c, const IrOp *o)
{
    cg_vload(c, 16, cg_def(c, o->d, -1), rm_env(o->x));
}

static void emit_stev(Cg *c, const IrOp *o)
{
    cg_vstore(c, 16, rm_env(o->x), cg_use(c, o->a));
}

#define ROW(name) const HostOp host_op_##name = { .emit = emit_##name }
ROW(vzero); ROW(vmov); ROW(vfromi); ROW(vextract); ROW(vinsert); ROW(ldev); ROW(stev);
