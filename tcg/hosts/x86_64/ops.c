/* Integer ops, guest registers and comparisons on an x86-64 host.
 *
 * Most emitters have the same shape: fetch operands, define the result, move
 * the first operand there if it is elsewhere, apply the two-operand host
 * instruction.  d may be the register of an operand that dies here, so each
 * emitter says what it does when d is the second operand's. */
#include "tcg/hosts/x86_64/cg.h"
#include "util/bits.h"

static bool is_reg(Rm m) { return m.reg >= 0; }

Rm cg_rm(Cg *c, IrVal v)
{
    RaLoc l = ra_loc(&c->ra, v);
    if (l.kind == RA_ENV) {
        return rm_env(l.off);
    }
    return rm_reg(cg_use(c, v));
}

Rm cg_again(Cg *c, IrVal v, Rm m)
{
    if (is_reg(m)) {
        return m;
    }
    RaLoc l = ra_loc(&c->ra, v);
    return l.kind == RA_ENV ? rm_env(l.off) : rm_reg(l.reg);
}

/* Like cg_rm, but a register is not locked: use cg_late() after the temporaries are taken. */
static Rm rm_unlocked(Cg *c, IrVal v)
{
    RaLoc l = ra_loc(&c->ra, v);
    return l.kind == RA_REG ? rm_reg(l.reg) : l.kind == RA_ENV ? rm_env(l.off) : rm_reg(cg_use(c, v));
}

static Rm cg_late(Cg *c, IrVal v, Rm m, int d)
{
    if (is_reg(m) && (m.reg == d || cg_is_const(c, v) || !(c->ra.map->temps[BANK_INT] >> m.reg & 1))) {
        return m;
    }
    RaLoc l = ra_loc(&c->ra, v);
    return l.kind == RA_ENV ? rm_env(l.off) : rm_reg(l.reg);
}

static void move(Cg *c, unsigned w, int d, Rm s)
{
    if (!rm_is(s, d)) {
        x_mov(&c->e, w, d, s);
    }
}

void cg_alu_ri(Cg *c, int k, unsigned w, Rm d, int64_t imm)
{
    cg_flags_lost(c);
    x_alui(&c->e, k, w, d, imm);
}

void cg_alu(Cg *c, int k, unsigned w, int d, Rm s)
{
    cg_flags_lost(c);
    x_alu(&c->e, k, w, d, s);
}

static int64_t simm(const Cg *c, IrVal v, unsigned w)
{
    uint64_t i = cg_imm(c, v);
    return w == 64 ? (int64_t)i : w == 32 ? (int32_t)i : w == 16 ? (int16_t)i : (int8_t)i;
}

static bool imm_ok(const Cg *c, IrVal v, unsigned w)
{
    return cg_is_const(c, v) && simm(c, v, w) == (int32_t)simm(c, v, w);
}

static bool same(const Cg *c, IrVal a, IrVal b, unsigned w)
{
    return a == b || (cg_is_const(c, a) && cg_is_const(c, b) && simm(c, a, w) == simm(c, b, w));
}

/* ---- comparisons ---- */

static const uint8_t cc_of[IRC_COUNT] = {
    [IRC_EQ] = CC_E, [IRC_NE] = CC_NE, [IRC_LT] = CC_L, [IRC_GE] = CC_GE, [IRC_LE] = CC_LE, [IRC_GT] = CC_G,
    [IRC_LTU] = CC_B, [IRC_GEU] = CC_AE, [IRC_LEU] = CC_BE, [IRC_GTU] = CC_A, [IRC_TSTZ] = CC_E, [IRC_TSTNZ] = CC_NE,
};

/* (a cond b) == (b mirrored b) */
static const uint8_t mirrored[IRC_COUNT] = {
    [IRC_EQ] = IRC_EQ, [IRC_NE] = IRC_NE, [IRC_LT] = IRC_GT, [IRC_GE] = IRC_LE, [IRC_LE] = IRC_GE, [IRC_GT] = IRC_LT,
    [IRC_LTU] = IRC_GTU, [IRC_GEU] = IRC_LEU, [IRC_LEU] = IRC_GEU, [IRC_GTU] = IRC_LTU,
    [IRC_TSTZ] = IRC_TSTZ, [IRC_TSTNZ] = IRC_TSTNZ,
};

/* Does a comparison follow that the flags of this sub or add can answer? */
static bool flags_wanted(const Cg *c, const IrOp *o)
{
    const IrUnit *u = c->u;
    for (unsigned i = c->ra.i + 1; i < u->nops && i < c->ra.i + 12; i++) {
        const IrOp *p = &u->ops[i];
        if (p->op == IR_br || p->op == IR_setc || p->op == IR_sel) {
            bool fused = c->ra.info[i] && !ra_dead_op(&c->ra, i);        /* dead: itself fused with what follows */
            const IrOp *q = fused ? &u->ops[c->ra.info[i] - 1] : p;
            return q->w == o->w && ((q->a == o->a && same(c, q->b, o->b, o->w)) || (o->d && q->a == o->d));
        }
        if (p->op != IR_put && p->op != IR_insn && p->op != IR_nop && p->op != IR_get && !ra_dead_op(&c->ra, i)) {
            return false;
        }
    }
    return false;
}

/* A test of the bits that vfcmpi makes, while the flags are still those of its comparison. */
static int fcmp_answer(const Cg *c, IrCond cond, IrVal a, IrVal b)
{
    if (a != c->fl.d || cond < IRC_TSTZ || !cg_is_const(c, b)) {
        return -1;
    }
    bool any = cond == IRC_TSTNZ;
    switch (cg_imm(c, b)) {
    case 0x01: return any ? CC_B : CC_AE;
    case 0x04: return any ? CC_P : CC_NP;
    case 0x40: return any ? CC_E : CC_NE;
    case 0x41: return any ? CC_BE : CC_A;
    default: return -1;
    }
}

/* The condition code if the flags already answer it, else -1. */
static int flags_answer(const Cg *c, unsigned w, IrCond cond, IrVal a, IrVal b)
{
    const FlagState *f = &c->fl;
    if (f->kind == FL_FCMP) {
        return fcmp_answer(c, cond, a, b);
    }
    if (f->kind == FL_NONE || f->w != w) {
        return -1;
    }
    if (f->kind == FL_CMP && cond < IRC_TSTZ && same(c, a, f->a, w) && same(c, b, f->b, w)) {
        return cc_of[cond];
    }
    if (f->kind == FL_ADD && a == f->d && (same(c, b, f->a, w) || same(c, b, f->b, w))) {
        return cond == IRC_LTU ? CC_B : cond == IRC_GEU ? CC_AE : -1;
    }
    bool zero = cond >= IRC_TSTZ ? a == b : cg_is_const(c, b) && simm(c, b, w) == 0;
    if (!f->d || a != f->d || !zero) {
        return -1;
    }
    switch (cond) {
    case IRC_EQ: case IRC_TSTZ:
        return CC_E;
    case IRC_NE: case IRC_TSTNZ:
        return CC_NE;
    case IRC_LT:
        return CC_S;
    case IRC_GE:
        return CC_NS;
    default:
        return f->kind == FL_LOGIC ? cc_of[cond] : -1;
    }
}

static void compare_test(Cg *c, unsigned w, IrVal a, IrVal b)
{
    Emit *e = &c->e;
    if (a == b) {
        int r = cg_use(c, a);
        x_test(e, w, r, rm_reg(r));
    } else if (cg_is_const(c, b) && (w < 64 || imm_ok(c, b, 64) || cg_imm(c, b) == (uint32_t)cg_imm(c, b))) {
        uint64_t i = cg_imm(c, b) & (~(uint64_t)0 >> (64 - w));
        unsigned tw = i <= 0xff ? 8 : i <= 0xffffffff && w == 64 ? 32 : w;
        x_testi(e, tw, cg_rm(c, a), (uint32_t)i);
    } else {
        Rm m = cg_rm(c, a);
        if (is_reg(m)) {
            x_test(e, w, m.reg, cg_rm(c, b));
        } else {
            int r = cg_use(c, b);
            x_test(e, w, r, cg_again(c, a, m));
        }
    }
}

static void compare_cmp(Cg *c, unsigned w, IrVal a, IrVal b)
{
    Emit *e = &c->e;
    Rm m = cg_rm(c, a);
    if (imm_ok(c, b, w)) {
        if (simm(c, b, w) == 0 && is_reg(m)) {
            x_test(e, w, m.reg, m);
        } else {
            x_alui(e, X_CMP, w, m, simm(c, b, w));
        }
    } else if (is_reg(m)) {
        x_alu(e, X_CMP, w, m.reg, cg_rm(c, b));
    } else {
        int r = cg_use(c, b);
        x_op(e, w == 8 ? 0x38 | OP_REG8 | OP_RM8 : 0x39 | x_w(w), r, cg_again(c, a, m));
    }
}

int cg_compare(Cg *c, unsigned w, IrCond cond, IrVal a, IrVal b)
{
    if (cg_is_const(c, a) && !cg_is_const(c, b)) {
        IrVal t = a;
        a = b;
        b = t;
        cond = mirrored[cond];
    }
    int cc = flags_answer(c, w, cond, a, b);
    if (cc >= 0) {
        return cc;
    }
    if (cond >= IRC_TSTZ) {
        compare_test(c, w, a, b);
        c->fl = (FlagState){ .kind = a == b ? FL_LOGIC : FL_NONE, .w = (uint8_t)w, .d = a };
    } else {
        compare_cmp(c, w, a, b);
        c->fl = (FlagState){ .kind = FL_CMP, .w = (uint8_t)w, .a = a, .b = b };
    }
    return cc_of[cond];
}

int cg_condition(Cg *c, const IrOp *o, IrCond cond)
{
    unsigned fused = c->ra.info[c->ra.i];
    if (!fused) {
        return cg_compare(c, o->w, cond, o->a, o->b);
    }
    const IrOp *s = &c->u->ops[fused - 1];
    IrCond inner = s->x;
    return cg_compare(c, s->w, cond == IRC_NE ? inner : ir_cond_invert(inner), s->a, s->b);
}

static void emit_setc(Cg *c, const IrOp *o)
{
    int cc = cg_condition(c, o, o->x);
    c->ra.locked[BANK_INT] = 0;
    int d = cg_def(c, o->d, -1);
    x_op(&c->e, 0x90 | (unsigned)cc | OP_0F | OP_RM8, 0, rm_reg(d));
    x_movzx(&c->e, 8, d, rm_reg(d));
}

static void emit_sel(Cg *c, const IrOp *o)
{
    int cc = cg_condition(c, o, o->x);
    IrVal yes = o->c, no = o->f;
    c->ra.locked[BANK_INT] = 0;
    if (cg_is_const(c, yes) && !cg_is_const(c, no)) {
        yes = o->f;
        no = o->c;
        cc ^= 1;
    }
    Rm y = cg_rm(c, yes), n = cg_is_const(c, no) ? rm_mem(RBP, -1, 0, 0) : cg_rm(c, no);
    int d = cg_def(c, o->d, y.reg);
    y = cg_again(c, yes, y);
    if (cg_is_const(c, no)) {
        int t = d;
        if (rm_is(y, d)) {
            t = cg_tmp(c, BANK_INT);
            cc ^= 1;
        }
        x_movi(&c->e, t, cg_imm(c, no));
        x_op(&c->e, 0x40 | (unsigned)cc | OP_0F | OP_W, d, t == d ? y : rm_reg(t));
        return;
    }
    n = cg_again(c, no, n);
    if (rm_is(y, d)) {
        x_op(&c->e, 0x40 | (unsigned)(cc ^ 1) | OP_0F | OP_W, d, n);
    } else {
        move(c, 64, d, n);
        x_op(&c->e, 0x40 | (unsigned)cc | OP_0F | OP_W, d, y);
    }
}

/* ---- two-operand arithmetic ---- */

static bool wants_second(const Cg *c, IrVal a, IrVal b, IrVal d)
{
    int h = ra_hint(&c->ra, d);
    RaLoc la = ra_loc(&c->ra, a), lb = ra_loc(&c->ra, b);
    if (la.kind == RA_REG && la.reg == h) {
        return false;
    }
    if (lb.kind == RA_REG && lb.reg == h) {
        return true;
    }
    return h < 0 && lb.kind == RA_REG && ra_reusable(&c->ra, BANK_INT, lb.reg) &&
           !(la.kind == RA_REG && ra_reusable(&c->ra, BANK_INT, la.reg));
}

static void alu_imm(Cg *c, const IrOp *o, int k, IrVal a, int64_t imm)
{
    unsigned w = o->w;
    Rm m = cg_rm(c, a);
    int d = cg_def(c, o->d, m.reg);
    m = cg_again(c, a, m);
    int64_t add = k == X_ADD ? imm : -imm;
    if ((k == X_ADD || k == X_SUB) && is_reg(m) && m.reg != d && add == (int32_t)add && !flags_wanted(c, o)) {
        x_lea(&c->e, w, d, rm_mem(m.reg, -1, 0, (int32_t)add));
        return;
    }
    if (k == X_AND && (imm == 0xff || imm == 0xffff) && !flags_wanted(c, o)) {
        x_movzx(&c->e, imm == 0xff ? 8 : 16, d, m);
        return;
    }
    move(c, w, d, m);
    cg_alu_ri(c, k, w, rm_reg(d), imm);
}

static void alu_reg(Cg *c, const IrOp *o, int k, IrVal a, IrVal b)
{
    unsigned w = o->w;
    Rm ma = cg_rm(c, a), mb = cg_rm(c, b);
    int d = cg_def(c, o->d, ma.reg);
    ma = cg_again(c, a, ma);
    mb = cg_again(c, b, mb);
    if (k == X_ADD && is_reg(ma) && is_reg(mb) && ma.reg != d && mb.reg != d && !flags_wanted(c, o)) {
        x_lea(&c->e, w, d, rm_mem(ma.reg, mb.reg, 0, 0));
        return;
    }
    if (rm_is(mb, d) && !rm_is(ma, d)) { /* only where swapping was not possible */
        if (k == X_SUB && !flags_wanted(c, o)) {
            cg_flags_lost(c);
            x_grp3(&c->e, 3, w, rm_reg(d));
            cg_alu(c, X_ADD, w, d, ma);
            return;
        }
        if (k != X_SUB) {
            cg_alu(c, k, w, d, ma);
            return;
        }
        int t = cg_tmp(c, BANK_INT);
        x_mov_rr(&c->e, 64, t, d);
        mb = rm_reg(t);
    }
    move(c, w, d, ma);
    cg_alu(c, k, w, d, mb);
}

static void alu(Cg *c, const IrOp *o, int k)
{
    IrVal a = o->a, b = o->b;
    if (k != X_SUB && (cg_is_const(c, a) || (!cg_is_const(c, b) && wants_second(c, a, b, o->d)))) {
        a = o->b;
        b = o->a;
    }
    if (k == X_AND && o->w == 64 && cg_is_const(c, b) && cg_imm(c, b) == (uint32_t)cg_imm(c, b)) {
        IrOp n = *o;                     /* the upper half becomes 0 either way */
        n.w = 32;
        alu_imm(c, &n, k, a, (int32_t)cg_imm(c, b));
        return;
    }
    if (imm_ok(c, b, o->w)) {
        alu_imm(c, o, k, a, simm(c, b, o->w));
    } else {
        alu_reg(c, o, k, a, b);
    }
}

/* Forms that set no flags (lea, movzx) are not chosen if a comparison wants them, so then the flags are the op's. */
static void alu_with_flags(Cg *c, const IrOp *o, int k, int kind)
{
    bool wanted = flags_wanted(c, o);
    alu(c, o, k);
    if (wanted) {
        c->fl = (FlagState){ .kind = (uint8_t)kind, .w = o->w, .a = o->a, .b = o->b, .d = o->d };
    }
}

static void emit_add(Cg *c, const IrOp *o) { alu_with_flags(c, o, X_ADD, FL_ADD); }
static void emit_sub(Cg *c, const IrOp *o) { alu_with_flags(c, o, X_SUB, FL_CMP); }

static void emit_and(Cg *c, const IrOp *o)
{
    /* the narrowed form sets the sign flag from bit 31: only ZF would be right, so it claims nothing */
    bool narrowed = o->w == 64 && ((cg_is_const(c, o->b) && cg_imm(c, o->b) == (uint32_t)cg_imm(c, o->b)) ||
                                   (cg_is_const(c, o->a) && cg_imm(c, o->a) == (uint32_t)cg_imm(c, o->a)));
    if (narrowed) {
        alu(c, o, X_AND);
        cg_flags_lost(c);
    } else {
        alu_with_flags(c, o, X_AND, FL_LOGIC);
    }
}

static void emit_or(Cg *c, const IrOp *o) { alu_with_flags(c, o, X_OR, FL_LOGIC); }

static void emit_xor(Cg *c, const IrOp *o) { alu_with_flags(c, o, X_XOR, FL_LOGIC); }

static void emit_andc(Cg *c, const IrOp *o)
{
    if (host_feat.bmi1) {
        int b = cg_use(c, o->b);
        Rm a = cg_rm(c, o->a);
        int d = cg_def(c, o->d, b);
        cg_flags_lost(c);
        x_vex(&c->e, 0xf2 | OP_0F38 | x_w(o->w), d, b, cg_again(c, o->a, a));
        return;
    }
    Rm b = cg_rm(c, o->b), a = rm_unlocked(c, o->a);
    int t = cg_tmp(c, BANK_INT);
    x_mov(&c->e, o->w, t, cg_again(c, o->b, b));
    x_grp3(&c->e, 2, o->w, rm_reg(t));
    a = cg_late(c, o->a, a, -1);
    cg_alu(c, X_AND, o->w, t, a);
    ra_bind(&c->ra, o->d, t);
}

static void unary(Cg *c, const IrOp *o, int k)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    move(c, o->w, d, cg_again(c, o->a, a));
    if (k == 3) {
        cg_flags_lost(c);
    }
    x_grp3(&c->e, k, o->w, rm_reg(d));
}

static void emit_neg(Cg *c, const IrOp *o) { unary(c, o, 3); }
static void emit_not(Cg *c, const IrOp *o) { unary(c, o, 2); }

static void emit_mov(Cg *c, const IrOp *o)
{
    if (cg_is_const(c, o->a)) {
        int d = cg_def(c, o->d, -1);
        x_movi(&c->e, d, o->w == 32 ? (uint32_t)cg_imm(c, o->a) : cg_imm(c, o->a));
        return;
    }
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    if (!rm_is(a, d) || o->w == 32) {
        x_mov(&c->e, o->w, d, a);
    }
}

static void emit_mul(Cg *c, const IrOp *o)
{
    IrVal a = o->a, b = o->b;
    if (cg_is_const(c, a) || (!cg_is_const(c, b) && wants_second(c, a, b, o->d))) {
        a = o->b;
        b = o->a;
    }
    Rm ma = cg_rm(c, a);
    cg_flags_lost(c);
    if (imm_ok(c, b, o->w)) {
        int64_t i = simm(c, b, o->w);
        int d = cg_def(c, o->d, ma.reg);
        ma = cg_again(c, a, ma);
        x_op(&c->e, (i == (int8_t)i ? 0x6b : 0x69) | x_w(o->w), d, ma);
        if (i == (int8_t)i) {
            x_byte(&c->e, (uint8_t)i);
        } else {
            x_imm32(&c->e, (uint32_t)i);
        }
        return;
    }
    Rm mb = cg_rm(c, b);
    int d = cg_def(c, o->d, ma.reg);
    ma = cg_again(c, a, ma);
    mb = cg_again(c, b, mb);
    if (rm_is(mb, d) && !rm_is(ma, d)) {
        Rm t = ma;
        ma = mb;
        mb = t;
    }
    move(c, o->w, d, ma);
    x_op(&c->e, 0xaf | OP_0F | x_w(o->w), d, mb);
}

/* ---- shifts ---- */

static void shift_const(Cg *c, const IrOp *o, int k, unsigned n)
{
    Emit *e = &c->e;
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    if (n == 0) {
        if (!rm_is(a, d) || o->w == 32) {
            x_mov(e, o->w, d, a);
        }
        return;
    }
    if (is_reg(a) && a.reg != d && k == X_SHL && n <= 3) {
        x_lea(e, o->w, d, n == 1 ? rm_mem(a.reg, a.reg, 0, 0) : rm_mem(-1, a.reg, n, 0));
        return;
    }
    if ((k == X_ROL || k == X_ROR) && host_feat.bmi2 && !rm_is(a, d)) {
        x_vex(e, 0xf0 | OP_F2 | OP_0F3A | x_w(o->w), d, 0, a);
        x_byte(e, k == X_ROR ? n : o->w - n);
        return;
    }
    move(c, o->w, d, a);
    cg_flags_lost(c);
    x_shifti(e, k, o->w, d, n);
}

/* The count has to be in cl; rcx holds a guest register, which is put back. */
static void shift_cl(Cg *c, const IrOp *o, int k)
{
    Emit *e = &c->e;
    bool imm = cg_is_const(c, o->a), in_place;
    Rm b = cg_rm(c, o->b), a = imm ? rm_reg(-1) : rm_unlocked(c, o->a);
    in_place = rm_is(b, RCX);
    int d = cg_def(c, o->d, a.reg);
    int t = d == RCX || rm_is(b, d) ? cg_tmp(c, BANK_INT) : d, s = in_place ? -1 : cg_tmp(c, BANK_INT);
    b = cg_again(c, o->b, b);
    a = imm ? a : cg_late(c, o->a, a, d);
    cg_flags_lost(c);
    if (!in_place) {
        x_mov_rr(e, 64, s, RCX);
        if (rm_is(a, RCX)) {
            a = rm_reg(s);
        }
        x_mov(e, 32, RCX, b);
    }
    if (imm) {
        x_movi(e, t, cg_imm(c, o->a));
    } else {
        move(c, o->w, t, a);
    }
    x_shift_cl(e, k, o->w, t);
    if (!in_place && d != RCX) {
        x_mov_rr(e, 64, RCX, s);
    }
    if (t != d) {
        x_mov_rr(e, 64, d, t);
    }
}

static void shift(Cg *c, const IrOp *o, int k)
{
    if (cg_is_const(c, o->b)) {
        shift_const(c, o, k, cg_imm(c, o->b) & (o->w - 1u));
        return;
    }
    if (!host_feat.bmi2 || k == X_ROL || k == X_ROR) {
        shift_cl(c, o, k);
        return;
    }
    uint32_t op = 0xf7 | OP_0F38 | (k == X_SHL ? OP_66 : k == X_SAR ? OP_F3 : OP_F2) | x_w(o->w);
    int n = cg_use(c, o->b);
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg >= 0 ? a.reg : n);
    x_vex(&c->e, op, d, n, cg_again(c, o->a, a));
}

static void emit_shl(Cg *c, const IrOp *o) { shift(c, o, X_SHL); }
static void emit_shr(Cg *c, const IrOp *o) { shift(c, o, X_SHR); }
static void emit_sar(Cg *c, const IrOp *o) { shift(c, o, X_SAR); }
static void emit_rol(Cg *c, const IrOp *o) { shift(c, o, X_ROL); }
static void emit_ror(Cg *c, const IrOp *o) { shift(c, o, X_ROR); }

/* ---- address arithmetic ---- */

static void emit_lea(Cg *c, const IrOp *o)
{
    int64_t disp = o->c ? simm(c, o->c, o->w) : 0;
    if (o->x > 3 || disp != (int32_t)disp) {
        /* rare: (b << x) + a + c step by step */
        int t = cg_tmp(c, BANK_INT);
        Rm b = cg_rm(c, o->b);
        x_mov(&c->e, 64, t, b);
        cg_flags_lost(c);
        if (o->x & (o->w - 1u)) {
            x_shifti(&c->e, X_SHL, o->w, t, o->x & (o->w - 1u));
        }
        c->ra.locked[BANK_INT] = (uint16_t)(1u << t);
        cg_alu(c, X_ADD, o->w, t, cg_rm(c, o->a));
        if (o->c) {
            c->ra.locked[BANK_INT] = (uint16_t)(1u << t);
            cg_alu(c, X_ADD, o->w, t, rm_reg(cg_use(c, o->c)));
        }
        ra_bind(&c->ra, o->d, t);
        return;
    }
    int a = cg_use(c, o->a);
    if (o->b) {
        int b = cg_use(c, o->b);
        int d = cg_def(c, o->d, a);
        x_lea(&c->e, o->w, d, rm_mem(a, b, o->x, (int32_t)disp));
    } else {
        int d = cg_def(c, o->d, a);
        x_lea(&c->e, o->w, d, rm_mem(a, -1, 0, (int32_t)disp));
    }
}

/* ---- parts of a register ---- */

static void emit_zext(Cg *c, const IrOp *o)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    x_movzx(&c->e, o->x, d, cg_again(c, o->a, a));
}

static void emit_sext(Cg *c, const IrOp *o)
{
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    if (o->x == 8 || o->x == 16 || o->x == 32) {
        x_movsx(&c->e, o->x, o->w, d, cg_again(c, o->a, a));
        return;
    }
    x_mov(&c->e, 64, d, cg_again(c, o->a, a));
    cg_flags_lost(c);
    x_shifti(&c->e, X_SHL, 64, d, 64 - o->x);
    x_shifti(&c->e, X_SAR, 64, d, 64 - o->x);
    if (o->w == 32)
        x_movzx(&c->e, 32, d, rm_reg(d));
}

static void keep_low(Cg *c, int d, unsigned len)
{
    if (len == 8 || len == 16 || len == 32) {
        x_movzx(&c->e, len, d, rm_reg(d));
    } else if (len < 32) {
        cg_alu_ri(c, X_AND, 32, rm_reg(d), (int32_t)((1u << len) - 1));
    } else if (len < 64) {
        cg_flags_lost(c);
        x_shifti(&c->e, X_SHL, 64, d, 64 - len);
        x_shifti(&c->e, X_SHR, 64, d, 64 - len);
    }
}

static void emit_extract(Cg *c, const IrOp *o)
{
    Emit *e = &c->e;
    unsigned pos = o->x >> 8, len = o->x & 255, w = o->w;
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    bool simple = len == 8 || len == 16 || len == 32;
    if (pos == 0 && simple) {
        x_movzx(e, len, d, a);
    } else if (!is_reg(a) && pos % 8 == 0 && simple) {
        a.disp += (int)pos / 8;
        x_movzx(e, len, d, a);
    } else if (pos == 8 && len == 8 && a.reg <= RBX && d < 8) {
        x_op(e, 0xb6 | OP_0F, d, rm_reg(a.reg + 4));     /* movzx d, ah */
    } else if (pos == 0) {
        move(c, w, d, a);
        keep_low(c, d, len);
    } else if (pos + len >= w) {
        move(c, w, d, a);
        cg_flags_lost(c);
        x_shifti(e, X_SHR, w, d, pos);
    } else if (host_feat.bmi2 && !rm_is(a, d)) {
        x_vex(e, 0xf0 | OP_F2 | OP_0F3A | x_w(w), d, 0, a);
        x_byte(e, pos);
        keep_low(c, d, len);
    } else {
        move(c, w, d, a);
        cg_flags_lost(c);
        x_shifti(e, X_SHR, w, d, pos);
        keep_low(c, d, len);
    }
}

/* d holds a (at width w): replaces bits pos..pos+len-1 by those of b */
static void deposit_generic(Cg *c, unsigned w, int d, Rm b, unsigned pos, unsigned len)
{
    Emit *e = &c->e;
    int t = is_reg(b) && b.reg == d ? -1 : cg_tmp(c, BANK_INT);
    g_assert(t >= 0);
    x_mov(e, w, t, b);
    cg_flags_lost(c);
    if (len < w) {
        x_shifti(e, X_SHL, w, t, w - len);
        if (w - len - pos) {
            x_shifti(e, X_SHR, w, t, w - len - pos);
        }
    }
    if (w == 32) {
        cg_alu_ri(c, X_AND, 32, rm_reg(d), (int32_t)~(((1u << len) - 1) << pos));
    } else {
        if (pos) {
            x_shifti(e, X_ROR, 64, d, pos);
        }
        x_shifti(e, X_SHR, 64, d, len);
        x_shifti(e, X_SHL, 64, d, len);
        if (pos) {
            x_shifti(e, X_ROL, 64, d, pos);
        }
    }
    cg_alu(c, X_OR, w, d, rm_reg(t));
}

static void emit_deposit(Cg *c, const IrOp *o)
{
    Emit *e = &c->e;
    unsigned pos = o->x >> 8, len = o->x & 255, w = o->w;
    bool imm = cg_is_const(c, o->b) && pos == 0 && (len == 8 || len == 16);
    Rm b = imm ? rm_reg(-1) : cg_rm(c, o->b), a = rm_unlocked(c, o->a);
    if (len >= w) {                      /* everything is replaced */
        c->ra.locked[BANK_INT] = 0;
        b = cg_rm(c, o->b);
        int d = cg_def(c, o->d, b.reg);
        x_mov(e, w, d, cg_again(c, o->b, b));
        return;
    }
    int d = cg_def(c, o->d, a.reg);
    if (!imm && rm_is(b, d) && !rm_is(a, d)) {
        int t = cg_tmp(c, BANK_INT);
        x_mov_rr(e, 64, t, d);
        b = rm_reg(t);
    } else if (!imm && rm_is(b, d)) {    /* deposit(v, v): the source must outlive the change */
        int t = cg_tmp(c, BANK_INT);
        x_mov_rr(e, 64, t, b.reg);
        b = rm_reg(t);
    }
    b = imm ? b : cg_again(c, o->b, b);
    a = cg_late(c, o->a, a, d);
    if (!rm_is(a, d) || (w == 32 && c->u->vals[o->a].w > 32)) {
        x_mov(e, w, d, a);
    }
    if (imm) {
        x_op(e, len == 8 ? 0xc6 | OP_RM8 : 0xc7 | OP_66, 0, rm_reg(d));
        if (len == 8) {
            x_byte(e, (uint8_t)cg_imm(c, o->b));
        } else {
            x_imm16(e, (uint16_t)cg_imm(c, o->b));
        }
    } else if (pos == 0 && len == 8) {
        x_op(e, 0x8a | OP_REG8 | OP_RM8, d, b);
    } else if (pos == 0 && len == 16) {
        x_op(e, 0x8b | OP_66, d, b);
    } else if (pos == 8 && len == 8 && d <= RBX && (!is_reg(b) || b.reg <= RBX)) {
        x_op(e, 0x8a, d + 4, b);         /* mov dh, b */
    } else if (pos == 8 && len == 8) {
        cg_flags_lost(c);
        x_shifti(e, X_ROR, w, d, 8);
        x_op(e, 0x8a | OP_REG8 | OP_RM8, d, b);
        x_shifti(e, X_ROL, w, d, 8);
    } else {
        deposit_generic(c, w, d, b, pos, len);
    }
}

static void emit_bswap(Cg *c, const IrOp *o)
{
    Emit *e = &c->e;
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    if (o->x == 16) {
        x_movzx(e, 16, d, a);
        cg_flags_lost(c);
        x_shifti(e, X_ROL, 16, d, 8);
        return;
    }
    move(c, o->w, d, a);
    e->count++;
    if (o->w == 64 || d & 8) {
        x_byte(e, 0x40 | (o->w == 64 ? 8 : 0) | (d & 8) >> 3);
    }
    x_byte(e, 0x0f);
    x_byte(e, 0xc8 | (d & 7));
}

/* ---- counting bits ---- */

static void count_zeros(Cg *c, const IrOp *o, bool have, uint32_t op, bool leading)
{
    Emit *e = &c->e;
    Rm a = cg_rm(c, o->a);
    int t = have ? -1 : cg_tmp(c, BANK_INT);
    int d = cg_def(c, o->d, have ? a.reg : -1);
    a = cg_again(c, o->a, a);
    cg_flags_lost(c);
    if (have) {
        x_op(e, op | OP_0F | OP_F3 | x_w(o->w), d, a);
        return;
    }
    x_op(e, op | OP_0F | x_w(o->w), t, a);               /* bsf, bsr: ZF if there is no bit */
    x_movi(e, d, leading ? 2u * o->w - 1 : o->w);
    x_op(e, 0x45 | OP_0F | OP_W, d, rm_reg(t));          /* cmovnz */
    if (leading) {
        x_alui(e, X_XOR, 32, rm_reg(d), (int64_t)o->w - 1);
    }
}

static void emit_clz(Cg *c, const IrOp *o) { count_zeros(c, o, host_feat.lzcnt, 0xbd, true); }
static void emit_ctz(Cg *c, const IrOp *o) { count_zeros(c, o, host_feat.bmi1, 0xbc, false); }

static RHEA_GPR_ONLY uint64_t c_popcnt64(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
    (void)env, (void)b, (void)c, (void)f;
    unsigned n = 0;
    for (; a; a &= a - 1) {
        n++;
    }
    return n;
}

static RHEA_GPR_ONLY uint64_t c_popcnt32(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
    return c_popcnt64(env, (uint32_t)a, b, c, f);
}

static void emit_popcnt(Cg *c, const IrOp *o)
{
    if (!host_feat.popcnt) {
        cg_call_c(c, o->w == 32 ? c_popcnt32 : c_popcnt64, true, o->d, o->a, IR_NONE, IR_NONE, IR_NONE);
        return;
    }
    Rm a = cg_rm(c, o->a);
    int d = cg_def(c, o->d, a.reg);
    cg_flags_lost(c);
    x_op(&c->e, 0xb8 | OP_0F | OP_F3 | x_w(o->w), d, cg_again(c, o->a, a));
}

/* ---- guest registers and vcpu fields ---- */

static void emit_nothing(Cg *c, const IrOp *o)
{
    (void)c, (void)o;
}

static void emit_insn(Cg *c, const IrOp *o) { c->insn = o->x; }
static void emit_get(Cg *c, const IrOp *o) { ra_get(&c->ra, o->d, o->x); }
static void emit_put(Cg *c, const IrOp *o) { ra_put(&c->ra, o->x, o->a); }

static void emit_lde(Cg *c, const IrOp *o)
{
    x_movzx(&c->e, o->w, cg_def(c, o->d, -1), rm_env(o->x));
}

static void emit_ste(Cg *c, const IrOp *o)
{
    if (imm_ok(c, o->a, o->w)) {
        x_store_imm(&c->e, o->w, rm_env(o->x), (uint32_t)simm(c, o->a, o->w));
    } else {
        x_store(&c->e, o->w, rm_env(o->x), cg_use(c, o->a));
    }
}

static void emit_fence(Cg *c, const IrOp *o)
{
    if (o->x) {                          /* store->load order: a locked no-op is faster than mfence */
        cg_flags_lost(c);
        x_byte(&c->e, 0xf0);
        x_alui(&c->e, X_OR, 32, rm_mem(RSP, -1, 0, 0), 0);
    }
}

/* ---- rows ---- */

#define ROW(name) const HostOp host_op_##name = { .emit = emit_##name }
ROW(mov); ROW(add); ROW(sub); ROW(and); ROW(or); ROW(xor); ROW(andc); ROW(neg); ROW(not); ROW(mul);
ROW(shl); ROW(shr); ROW(sar); ROW(rol); ROW(ror); ROW(lea);
ROW(zext); ROW(sext); ROW(extract); ROW(deposit); ROW(bswap); ROW(clz); ROW(ctz); ROW(popcnt);
ROW(setc); ROW(sel); ROW(get); ROW(put); ROW(lde); ROW(ste); ROW(fence); ROW(insn);
const HostOp host_op_getv = { .emit = emit_get }, host_op_putv = { .emit = emit_put };
const HostOp host_op_nop = { .emit = emit_nothing };
