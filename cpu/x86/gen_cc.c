/* Emitting the lazy flags, and conditions from them.  See cc.h.
 *
 * The CC rows are always complete; what is remembered here beside them only
 * makes the code better.  Values of IR ops hold garbage above the width. */
#include "cpu/x86/decode.h"

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }

void x86_cc_forget(Xlat *x)
{
    x86_unit(x)->cc = (X86CcState){ .known = false };
}

void x86_cc_set(Xlat *x, unsigned op, IrVal dst, IrVal src, IrVal src2, IrVal a)
{
    IrUnit *u = x->u;
    CcClass class = cc_class(op);
    ir_put(u, X86_CC_OP, k(x, op));
    if (dst)
        ir_put(u, X86_CC_DST, dst);
    if (src && class != CCC_LOGIC)
        ir_put(u, X86_CC_SRC, src);
    if (src2)
        ir_put(u, X86_CC_SRC2, src2);
    x86_unit(x)->cc = (X86CcState){ .known = true, .op = (uint8_t)op, .dst = dst, .src = src, .src2 = src2, .a = a };
}

void x86_cc_set_flags(Xlat *x, IrVal v)
{
    x86_cc_set(x, CC_EFLAGS, IR_NONE, v, IR_NONE, IR_NONE);
}

void x86_cc_set_cf(Xlat *x, IrVal cf)
{
    X86CcState *s = &x86_unit(x)->cc;
    CcClass class = cc_class(s->op);
    /* explicit flags: the rows may hold an older form of them (x86_cc_all) */
    if (!s->known || cc_uses_src2(class) || class == CCC_EFLAGS) {
        x86_cc_merge(x, FL_CF, cf);
        return;
    }
    s->op |= CC_CFX;
    s->src2 = cf;
    ir_put(x->u, X86_CC_OP, k(x, s->op));
    ir_put(x->u, X86_CC_SRC2, cf);
}

void x86_cc_set_cf_keep_zf(Xlat *x, IrVal cf)
{
    X86CcState *s = &x86_unit(x)->cc;
    CcClass class = cc_class(s->op);
    if (s->known && !(s->op & CC_CFX) && cc_uses_src2(class) && s->dst)
        x86_cc_set(x, cc_op(CCC_LOGIC, cc_bits(s->op) / 8), s->dst, IR_NONE, IR_NONE, IR_NONE);
    x86_cc_set_cf(x, cf);
}

void x86_cc_merge(Xlat *x, uint64_t mask, IrVal v)
{
    IrVal old = ir_andi(x->u, 32, x86_cc_all(x), FL_CC & ~mask);
    x86_cc_set_flags(x, ir_or(x->u, 32, old, ir_andi(x->u, 32, v, mask)));
}

static IrVal or0(Xlat *x, IrVal v) { return v ? v : k(x, 0); }

IrVal x86_cc_all(Xlat *x)
{
    X86CcState *s = &x86_unit(x)->cc;
    IrUnit *u = x->u;
    if (s->known && s->op == CC_EFLAGS)
        return s->src;
    IrVal v;
    if (s->known)
        v = ir_call(u, X86H_cc_all, k(x, s->op), or0(x, s->dst), or0(x, s->src), or0(x, s->src2));
    else
        v = ir_call(u, X86H_cc_all, ir_get(u, X86_CC_OP), ir_get(u, X86_CC_DST), ir_get(u, X86_CC_SRC),
                    ir_get(u, X86_CC_SRC2));
    *s = (X86CcState){ .known = true, .op = CC_EFLAGS, .src = v };
    return v;
}

/* ---- conditions: the state of one producer ---- */

typedef struct Prod {
    CcClass class;
    unsigned bits, w;                    /* of the operands; w: of IR ops on them */
    IrVal r, a, b, c;                    /* result, operands, carry in (IR_NONE: not known) */
} Prod;

static X86Cond cond(unsigned w, IrCond c, IrVal a, IrVal b)
{
    return (X86Cond){ .w = w, .c = c, .a = a, .b = b };
}

static X86Cond cond_const(Xlat *x, bool v)
{
    return cond(32, v ? IRC_EQ : IRC_NE, k(x, 0), k(x, 0));
}

/* v != 0 as 0, 1 */
static IrVal cond_val(Xlat *x, X86Cond c)
{
    return ir_setc(x->u, c.w, c.c, c.a, c.b);
}

/* The value whose sign bit is OF. */
static IrVal overflow_word(Xlat *x, const Prod *p)
{
    IrUnit *u = x->u;
    bool add = p->class == CCC_ADD || p->class == CCC_ADC;
    IrVal ar = ir_xor(u, p->w, p->a, p->r);
    return ir_and(u, p->w, ar, ir_xor(u, p->w, add ? p->b : p->a, add ? p->r : p->b));
}

/* The value whose sign bit is CF, for ADC and SBB. */
static IrVal carry_word(Xlat *x, const Prod *p)
{
    IrUnit *u = x->u;
    unsigned w = p->w;
    IrVal a = p->class == CCC_ADC ? p->a : ir_not(u, w, p->a);
    IrVal r = p->class == CCC_ADC ? ir_not(u, w, p->r) : p->r;
    return ir_or(u, w, ir_and(u, w, a, p->b), ir_and(u, w, ir_or(u, w, a, p->b), r));
}

/* Completes r and a where the class leaves them out. */
static Prod producer(Xlat *x, const X86CcState *s)
{
    IrUnit *u = x->u;
    Prod p = { .class = cc_class(s->op), .bits = cc_bits(s->op), .r = s->dst, .a = s->a, .b = s->src, .c = s->src2 };
    p.w = p.bits == 64 ? 64 : 32;
    if (p.class == CCC_CMP) {
        p.class = CCC_SUB;
        p.a = s->dst;
        p.r = IR_NONE;
    } else if (!p.a && (p.class == CCC_ADD || p.class == CCC_ADC)) {
        p.a = ir_sub(u, p.w, p.r, p.b);
        if (p.c)
            p.a = ir_sub(u, p.w, p.a, p.c);
    } else if (!p.a && (p.class == CCC_SUB || p.class == CCC_SBB)) {
        p.a = ir_add(u, p.w, p.r, p.b);
        if (p.c)
            p.a = ir_add(u, p.w, p.a, p.c);
    }
    return p;
}

static IrVal result(Xlat *x, Prod *p)
{
    if (!p->r)
        p->r = ir_sub(x->u, p->w, p->a, p->b);
    return p->r;
}

/* The last bit shifted out; inline if the count is constant and that bit is one of the operand. */
static bool cond_shifted_out(Xlat *x, Prod *p, X86Cond *c)
{
    if (!ir_is_const(x->u, p->c) || ir_imm(x->u, p->c) > p->bits)
        return false;
    unsigned n = (unsigned)ir_imm(x->u, p->c);
    *c = cond(p->bits, IRC_TSTNZ, p->b, k(x, (uint64_t)1 << (p->class == CCC_SHL ? p->bits - n : n - 1)));
    return true;
}

/* CF.  False: not known inline. */
static bool cond_cf(Xlat *x, Prod *p, X86Cond *c)
{
    switch (p->class) {
    case CCC_ADD: *c = cond(p->bits, IRC_LTU, p->r, p->b); return true;
    case CCC_SUB: *c = cond(p->bits, IRC_LTU, p->a, p->b); return true;
    case CCC_ADC:
    case CCC_SBB: *c = cond(p->bits, IRC_LT, carry_word(x, p), k(x, 0)); return true;
    case CCC_LOGIC:
    case CCC_SCAN: *c = cond_const(x, false); return true;
    case CCC_INC:
    case CCC_DEC: *c = cond(32, IRC_NE, p->b, k(x, 0)); return true;
    case CCC_SHL:
    case CCC_SHR:
    case CCC_SAR: return cond_shifted_out(x, p, c);
    case CCC_MUL:
    case CCC_BZHI: *c = cond(64, IRC_NE, p->b, k(x, 0)); return true;
    case CCC_BLSI: *c = cond(p->bits, IRC_NE, p->b, k(x, 0)); return true;
    case CCC_BLSR:
    case CCC_ZCNT: *c = cond(p->bits, IRC_EQ, p->b, k(x, 0)); return true;
    default: return false;
    }
}

static bool cond_of(Xlat *x, Prod *p, X86Cond *c)
{
    uint64_t min = (uint64_t)1 << (p->bits - 1);
    switch (p->class) {
    case CCC_SUB: result(x, p); /* fall through */
    case CCC_ADD:
    case CCC_ADC:
    case CCC_SBB: *c = cond(p->bits, IRC_LT, overflow_word(x, p), k(x, 0)); return true;
    case CCC_INC: *c = cond(p->bits, IRC_EQ, p->r, k(x, min)); return true;
    case CCC_DEC: *c = cond(p->bits, IRC_EQ, p->r, k(x, min - 1)); return true;
    case CCC_MUL: *c = cond(64, IRC_NE, p->b, k(x, 0)); return true;
    case CCC_LOGIC:
    case CCC_BLSR:
    case CCC_BLSI:
    case CCC_BZHI:
    case CCC_ZCNT:
    case CCC_SCAN:
    case CCC_SAR: *c = cond_const(x, false); return true;
    default: return false;
    }
}

static bool cond_zf(Xlat *x, Prod *p, X86Cond *c)
{
    if (p->class == CCC_SUB)
        *c = cond(p->bits, IRC_EQ, p->a, p->b);
    else if (p->class == CCC_LOGIC && p->a && p->b)
        *c = cond(p->bits, IRC_TSTZ, p->a, p->b);
    else if (p->class == CCC_SCAN)
        *c = cond(p->bits, IRC_EQ, p->b, k(x, 0));
    else
        *c = cond(p->bits, IRC_EQ, p->r, k(x, 0));
    return true;
}

static bool cond_sf(Xlat *x, Prod *p, X86Cond *c)
{
    if (p->class == CCC_ZCNT || p->class == CCC_SCAN)
        *c = cond_const(x, false);
    else
        *c = cond(p->bits, IRC_LT, result(x, p), k(x, 0));
    return true;
}

static bool cond_pf(Xlat *x, Prod *p, X86Cond *c)
{
    IrUnit *u = x->u;
    if (p->class == CCC_ZCNT) {
        *c = cond_const(x, false);
        return true;
    }
    IrVal low = ir_zext(u, 32, 8, result(x, p));
    *c = cond(32, IRC_TSTZ, ir_popcnt(u, 32, low), k(x, 1));
    return true;
}

/* CF | ZF */
static bool cond_be(Xlat *x, Prod *p, X86Cond *c)
{
    X86Cond cf, zf;
    if (p->class == CCC_SUB) {
        *c = cond(p->bits, IRC_LEU, p->a, p->b);
        return true;
    }
    if (p->class == CCC_LOGIC)
        return cond_zf(x, p, c);
    if (!cond_cf(x, p, &cf) || !cond_zf(x, p, &zf))
        return false;
    *c = cond(32, IRC_NE, ir_or(x->u, 32, cond_val(x, cf), cond_val(x, zf)), k(x, 0));
    return true;
}

/* SF != OF; or_zf: or ZF */
static bool cond_signed(Xlat *x, Prod *p, bool or_zf, X86Cond *c)
{
    IrCond rel = or_zf ? IRC_LE : IRC_LT;
    if (p->class == CCC_SUB)
        *c = cond(p->bits, rel, p->a, p->b);
    else if (p->class == CCC_DEC && p->a)
        *c = cond(p->bits, rel, p->a, k(x, 1));
    else if (p->class == CCC_INC && p->a)
        *c = cond(p->bits, rel, p->a, k(x, ~(uint64_t)0));
    else if (p->class == CCC_LOGIC || p->class == CCC_SAR)
        *c = cond(p->bits, rel, p->r, k(x, 0));
    else {
        X86Cond sf, of, zf;
        if (!cond_sf(x, p, &sf) || !cond_of(x, p, &of))
            return false;
        IrVal v = ir_xor(x->u, 32, cond_val(x, sf), cond_val(x, of));
        if (or_zf && cond_zf(x, p, &zf))
            v = ir_or(x->u, 32, v, cond_val(x, zf));
        *c = cond(32, IRC_NE, v, k(x, 0));
    }
    return true;
}

/* From explicit flags. */
static X86Cond cond_explicit(Xlat *x, unsigned n, IrVal fl)
{
    static const uint16_t mask[6] = { FL_OF, FL_CF, FL_ZF, FL_CF | FL_ZF, FL_SF, FL_PF };
    IrUnit *u = x->u;
    if (n < 6)
        return cond(32, IRC_TSTNZ, fl, k(x, mask[n]));
    IrVal t = ir_xor(u, 32, ir_shri(u, 32, fl, 4), fl);  /* OF ^ SF at SF */
    if (n == 6)
        return cond(32, IRC_TSTNZ, t, k(x, FL_SF));
    t = ir_or(u, 32, ir_andi(u, 32, t, FL_SF), ir_andi(u, 32, fl, FL_ZF));
    return cond(32, IRC_NE, t, k(x, 0));
}

static bool cond_inline(Xlat *x, unsigned n, Prod *p, X86Cond *c)
{
    switch (n) {
    case 0: return cond_of(x, p, c);
    case 1: return cond_cf(x, p, c);
    case 2: return cond_zf(x, p, c);
    case 3: return cond_be(x, p, c);
    case 4: return cond_sf(x, p, c);
    case 5: return cond_pf(x, p, c);
    default: return cond_signed(x, p, n == 7, c);
    }
}

X86Cond x86_cc_cond(Xlat *x, unsigned tttn)
{
    const X86CcState *s = &x86_unit(x)->cc;
    unsigned n = tttn >> 1;
    X86Cond c;
    bool done = false;
    if (s->known && (s->op & CC_CFX) && n == 1) {
        c = cond(32, IRC_NE, s->src2, k(x, 0));
        done = true;
    } else if (s->known && cc_class(s->op) != CCC_EFLAGS && !((s->op & CC_CFX) && n == 3)) {
        Prod p = producer(x, s);
        done = cond_inline(x, n, &p, &c);
    }
    if (!done)
        c = cond_explicit(x, n, x86_cc_all(x));
    if (tttn & 1)
        c.c = ir_cond_invert(c.c);
    return c;
}

IrVal x86_cc_cf(Xlat *x)
{
    const X86CcState *s = &x86_unit(x)->cc;
    if (s->known && (s->op & CC_CFX))
        return s->src2;
    if (s->known && (cc_class(s->op) == CCC_INC || cc_class(s->op) == CCC_DEC))
        return s->src;
    return cond_val(x, x86_cc_cond(x, 2));
}
