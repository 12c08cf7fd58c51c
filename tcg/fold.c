/* Folding while a unit is built: constants, identities, and what follows from
 * knowing how many low bits of a value can be set (IrValue.w).
 *
 * The rule that every transformation here has to keep: an op of width W reads
 * the low W bits of its operands, whatever is above them, and its result has
 * zeros above W.  So `x + 0` at 32 bits is not x but x without its upper half:
 * same() returns x only if they are known to be 0 and makes a mov.32 otherwise.
 *
 * Chains of additions are deliberately not merged: `rsp-8-8` as `rsp-16`
 * would keep the old rsp alive beside the new one, and the allocator could no
 * longer update the register in place.
 *
 * Each op has one function `fold_NAME`, found by a table; it works on a Fold,
 * the operands seen through constants once.
 */
#include "tcg/fold.h"

#include "util/bits.h"

/* ---- values of ops ---- */

#define IR_ONES(n) ir_ones(n)
#define IR_ROL(a, b, w) ir_eval_rol(a, b, w)

static inline uint64_t ir_eval_rol(uint64_t a, uint64_t n, unsigned w)
{
    n &= w - 1;
    return n ? a << n | a >> (w - n) : a;
}

static uint64_t ir_eval_pdep(uint64_t a, uint64_t mask)
{
    uint64_t r = 0;
    for (; mask; mask &= mask - 1, a >>= 1) {
        r |= a & 1 ? mask & -mask : 0;
    }
    return r;
}

static uint64_t ir_eval_pext(uint64_t a, uint64_t mask)
{
    uint64_t r = 0;
    for (unsigned n = 0; mask; mask &= mask - 1, n++) {
        r |= (uint64_t)!!(a & (mask & -mask)) << n;
    }
    return r;
}

/* The Castagnoli polynomial, bit-reflected. */
static uint64_t ir_eval_crc32c(uint64_t crc, uint64_t data, unsigned bits)
{
    uint32_t r = (uint32_t)crc;
    for (unsigned i = 0; i < bits; i++) {
        r = r >> 1 ^ (((r ^ (uint32_t)(data >> i)) & 1) ? 0x82f63b78u : 0);
    }
    return r;
}

/* Rows without an expression have `-` there, which `+ 0` makes a number. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wparentheses"
uint64_t ir_eval(unsigned op, unsigned w, unsigned x, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
    const uint64_t mask = ir_ones(w);
    const unsigned sh = 64 - w;
    uint64_t r = 0;
    if (op != IR_sel) {
        c &= mask;
    }
    a &= mask;
    b &= mask;
#define W w
#define X x
#define S(v) ((int64_t)((v) << sh) >> sh)
    switch (op) {
#define OP(name, sig, widths, flags, ...) case IR_##name: r = (uint64_t)(__VA_ARGS__ + 0); break;
#include "tcg/ops.def"
#undef OP
    }
#undef W
#undef X
#undef S
    return op == IR_sel ? r : r & mask;
}
#pragma GCC diagnostic pop

uint64_t ir_eval_mul2(unsigned op, unsigned w, uint64_t a, uint64_t b, uint64_t *hi)
{
    if (op == IR_mul2u) {
        unsigned __int128 p = (unsigned __int128)(a & ir_ones(w)) * (b & ir_ones(w));
        *hi = (uint64_t)(p >> w) & ir_ones(w);
        return (uint64_t)p & ir_ones(w);
    }
    __int128 p = (__int128)bits_sext(a, w) * bits_sext(b, w);
    *hi = (uint64_t)(p >> w) & ir_ones(w);
    return (uint64_t)p & ir_ones(w);
}

/* ---- what is known ---- */

static inline unsigned width(const IrUnit *u, IrVal v, unsigned w)
{
    return MIN(u->vals[v].w, w);
}

unsigned ir_width_of(const IrUnit *u, const IrDraft *o)
{
    unsigned w = o->w;
    unsigned a = width(u, o->a, w), b = width(u, o->b, w);
    switch (o->op) {
    case IR_mov:     return a;
    case IR_and:     return MIN(a, b);
    case IR_or:
    case IR_xor:     return MAX(a, b);
    case IR_andc:    return a;
    case IR_add:     return MIN(MAX(a, b) + 1, w);
    case IR_mul:     return MIN(a + b, w);
    case IR_shl:     return ir_is_const(u, o->b) ? MIN(a + (ir_imm(u, o->b) & (w - 1)), w) : w;
    case IR_shr:
        if (ir_is_const(u, o->b)) {
            unsigned n = ir_imm(u, o->b) & (w - 1);
            return a > n ? a - n : 0;
        }
        return a;
    case IR_zext:    return MIN(a, o->x);
    case IR_bswap:   return MIN(o->x, w);
    case IR_extract: {
        unsigned pos = o->x >> 8;
        return MIN(a > pos ? a - pos : 0, o->x & 255u);
    }
    case IR_deposit: return MIN(MAX(a, (o->x >> 8) + MIN(b, o->x & 255u)), w);
    case IR_clz:
    case IR_ctz:
    case IR_popcnt:  return 7;
    case IR_pdep:
    case IR_pext:    return b;
    case IR_crc32c:  return 32;
    case IR_setc:    return 1;
    case IR_sel:     return MAX(u->vals[o->c].w, u->vals[o->f].w);
    case IR_ld:      return o->x & IRM_SIGN ? w : irm_size(o->x) * 8;
    case IR_rmw:
    case IR_cas:     return irm_size(o->x) * 8;
    case IR_vextract: return o->x & 255u;
    }
    return w;
}

static inline const IrOp *def_of(const IrUnit *u, IrVal v)
{
    static const IrOp none = { .op = IR_nop };
    return u->vals[v].is_const || !v ? &none : &u->ops[u->vals[v].def];
}

/* A value that a guest register holds has to be made anyway, and is likely to stay in a host register longer than what
 * it was made of. */
static inline bool held(const IrUnit *u, IrVal v)
{
    unsigned reg = u->vals[v].held;
    return reg && u->cur[reg - 1] == v;
}

IrVal ir_low_part(const IrUnit *u, IrVal v, unsigned bits)
{
    while (!held(u, v)) {
        const IrOp *d = def_of(u, v);
        switch (d->op) {
        case IR_mov:
            if (d->w < bits) {
                return v;
            }
            v = d->a;
            break;
        case IR_zext:
        case IR_sext:
            if (d->x < bits) {
                return v;
            }
            v = d->a;
            break;
        case IR_and:
            if (d->w < bits || !ir_is_const(u, d->b) || (~ir_imm(u, d->b) & ir_ones(bits))) {
                return v;
            }
            v = d->a;
            break;
        case IR_deposit:
            if (d->x >> 8 || (d->x & 255u) < bits) {
                return v;
            }
            v = d->b;
            break;
        default:
            return v;
        }
    }
    return v;
}

/* ---- folding ---- */

typedef struct Fold {
    IrUnit *u;
    IrDraft *o;
    unsigned w;
    uint64_t mask;
    bool ka, kb;                         /* a, b are constants ... */
    uint64_t ia, ib;                     /* ... with these values at width w */
    IrVal a0, b0, as, bs;                /* a and b as given, and with what cuts them above w taken off */
} Fold;

static inline IrVal emit1(Fold *f, unsigned op, unsigned x, IrVal a)
{
    return ir_emit(f->u, op, f->w, x, a, 0, 0, 0);
}
static inline IrVal emit2(Fold *f, unsigned op, IrVal a, IrVal b)
{
    return ir_emit(f->u, op, f->w, 0, a, b, 0, 0);
}
static inline IrVal emit2i(Fold *f, unsigned op, IrVal a, uint64_t b)
{
    return emit2(f, op, a, ir_const(f->u, b));
}

/* The low w bits of v. */
static IrVal same(Fold *f, IrVal v)
{
    if (f->u->vals[v].is_const) {
        return ir_const(f->u, f->u->vals[v].imm & f->mask);
    }
    if (v == f->as && f->u->vals[f->a0].w <= f->w) {
        return f->a0;
    }
    if (v == f->bs && f->u->vals[f->b0].w <= f->w) {
        return f->b0;
    }
    if (f->u->vals[v].w <= f->w) {
        return v;
    }
    *f->o = (IrDraft){ .op = IR_mov, .w = f->w, .a = v };
    return IR_NONE;
}

static void set_a(Fold *f, IrVal v)
{
    f->o->a = v;
    f->ka = ir_is_const(f->u, v);
    f->ia = ir_imm(f->u, v) & f->mask;
}

static void set_b(Fold *f, IrVal v)
{
    f->o->b = v;
    f->kb = ir_is_const(f->u, v);
    f->ib = ir_imm(f->u, v) & f->mask;
}

static IrVal fold_mov(Fold *f)
{
    return same(f, f->o->a);
}

static IrVal fold_add(Fold *f)
{
    return f->kb && !f->ib ? same(f, f->o->a) : IR_NONE;
}

static IrVal fold_sub(Fold *f)
{
    if (f->o->a == f->o->b) {
        return ir_const(f->u, 0);
    }
    if (f->kb) {
        return emit2i(f, IR_add, f->o->a, (uint64_t)bits_sext(0 - f->ib, f->w));
    }
    return f->ka && !f->ia ? emit1(f, IR_neg, 0, f->o->b) : IR_NONE;
}

static IrVal fold_zext(Fold *f)
{
    IrDraft *o = f->o;
    if (f->u->vals[f->a0].w <= o->x || o->x >= f->w) {
        return same(f, o->a);
    }
    o->a = ir_low_part(f->u, o->a, o->x);
    if (f->u->vals[o->a].w <= o->x) {
        return same(f, o->a);
    }
    const IrOp *d = def_of(f->u, o->a);
    if (d->op == IR_extract && (d->x & 255u) >= o->x) {
        return ir_emit(f->u, IR_extract, d->w, (d->x & 0xff00u) | o->x, d->a, 0, 0, 0);
    }
    return IR_NONE;
}

static IrVal fold_and(Fold *f)
{
    IrDraft *o = f->o;
    if (o->a == o->b) {
        return same(f, o->a);
    }
    if (!f->kb) {
        return IR_NONE;
    }
    uint64_t may = ir_ones(width(f->u, o->a, f->w));
    if (!(f->ib & may)) {
        return ir_const(f->u, 0);
    }
    if ((f->ib & may) == may) {
        return same(f, o->a);
    }
    if (f->ib == 0xff || f->ib == 0xffff || f->ib == 0xffffffff) {
        return emit1(f, IR_zext, ir_bits_of(f->ib), o->a);
    }
    const IrOp *d = def_of(f->u, o->a);
    if (d->op == IR_and && ir_is_const(f->u, d->b)) {
        uint64_t m = f->ib & ir_imm(f->u, d->b) & ir_ones(d->w);
        return emit2i(f, IR_and, d->a, m);
    }
    set_a(f, ir_low_part(f->u, o->a, ir_bits_of(f->ib)));
    return IR_NONE;
}

static IrVal fold_or(Fold *f)
{
    if (f->o->a == f->o->b || (f->kb && !f->ib)) {
        return same(f, f->o->a);
    }
    return f->kb && f->ib == f->mask ? ir_const(f->u, f->mask) : IR_NONE;
}

static IrVal fold_xor(Fold *f)
{
    if (f->o->a == f->o->b) {
        return ir_const(f->u, 0);
    }
    if (f->kb && !f->ib) {
        return same(f, f->o->a);
    }
    return f->kb && f->ib == f->mask ? emit1(f, IR_not, 0, f->o->a) : IR_NONE;
}

static IrVal fold_andc(Fold *f)
{
    if (f->o->a == f->o->b || (f->ka && !f->ia)) {
        return ir_const(f->u, 0);
    }
    return f->kb ? emit2i(f, IR_and, f->o->a, ~f->ib & f->mask) : IR_NONE;
}

/* -(-x), ~~x */
static IrVal fold_twice(Fold *f)
{
    const IrOp *d = def_of(f->u, f->o->a);
    return d->op == f->o->op && d->w >= f->w ? same(f, d->a) : IR_NONE;
}

static IrVal fold_mul(Fold *f)
{
    if (!f->kb) {
        return IR_NONE;
    }
    if (!f->ib) {
        return ir_const(f->u, 0);
    }
    if (!(f->ib & (f->ib - 1))) {
        return emit2i(f, IR_shl, f->o->a, (unsigned)__builtin_ctzll(f->ib));
    }
    return IR_NONE;
}

static IrVal fold_shift(Fold *f)
{
    IrDraft *o = f->o;
    if (f->ka && !f->ia) {
        return ir_const(f->u, 0);
    }
    if (!f->kb) {
        return IR_NONE;
    }
    unsigned n = f->ib & (f->w - 1), wa = width(f->u, o->a, f->w);
    if (!n) {
        return same(f, o->a);
    }
    if (o->op == IR_sar && wa < f->w) {
        o->op = IR_shr;
    }
    if (o->op == IR_shr && n >= wa) {
        return ir_const(f->u, 0);
    }
    if (f->ib != n) {
        set_b(f, ir_const(f->u, n));
    }
    return IR_NONE;
}

static bool fits_disp(Fold *f, uint64_t v)
{
    return f->w == 32 || (int64_t)v == (int32_t)v;
}

/* Afterwards: a and b are there and not constant; c is none or a signed 32-bit constant other than 0. */
static IrVal fold_lea(Fold *f)
{
    IrDraft *o = f->o;
    IrUnit *u = f->u;
    uint64_t disp = o->c ? ir_imm(u, o->c) : 0;
    disp = (uint64_t)bits_sext(disp, f->w);
    if (o->b && f->kb) {
        disp = (uint64_t)bits_sext(disp + (f->ib << o->x), f->w);
        o->b = IR_NONE;
    }
    if (o->a && f->ka) {
        disp = (uint64_t)bits_sext(disp + f->ia, f->w);
        o->a = IR_NONE;
    }
    if (!o->b) {
        return o->a ? emit2i(f, IR_add, o->a, disp) : ir_const(u, disp & f->mask);
    }
    if (!o->a) {
        return emit2i(f, IR_add, emit2i(f, IR_shl, o->b, o->x), disp);
    }
    if (!disp && !o->x) {
        return emit2(f, IR_add, o->a, o->b);
    }
    if (!fits_disp(f, disp)) {
        IrVal sum = ir_emit(u, IR_lea, f->w, o->x, o->a, o->b, 0, 0);
        return emit2i(f, IR_add, sum, disp);
    }
    o->c = disp ? ir_const(u, disp) : IR_NONE;
    return IR_NONE;
}

static IrVal fold_sext(Fold *f)
{
    IrDraft *o = f->o;
    if (o->x >= f->w || f->u->vals[f->a0].w < o->x) {
        return same(f, o->a);
    }
    set_a(f, ir_low_part(f->u, o->a, o->x));
    if (f->ka) {
        return ir_const(f->u, ir_eval(IR_sext, f->w, o->x, f->ia, 0, 0, 0));
    }
    if (f->u->vals[o->a].w < o->x) {
        return same(f, o->a);
    }
    const IrOp *d = def_of(f->u, o->a);
    if (d->op == IR_sext && d->x < o->x) {
        o->x = d->x;
        o->a = d->a;
    }
    return IR_NONE;
}

/* extract of a deposit: from what was put in, or from what is around it */
static bool extract_through_deposit(IrDraft *o, const IrOp *d)
{
    unsigned pos = o->x >> 8, len = o->x & 255u;
    unsigned dpos = d->x >> 8, dlen = d->x & 255u;
    if (pos >= dpos && pos + len <= dpos + dlen) {
        o->a = d->b;
        o->x = (pos - dpos) << 8 | len;
        return true;
    }
    if ((pos + len <= dpos || pos >= dpos + dlen) && pos + len <= d->w) {
        o->a = d->a;
        return true;
    }
    return false;
}

static void set_width(Fold *f, unsigned w)
{
    f->o->w = w;
    f->w = w;
    f->mask = ir_ones(w);
}

static bool extract_through(Fold *f)
{
    IrDraft *o = f->o;
    unsigned pos = o->x >> 8, len = o->x & 255u;
    IrVal low = ir_low_part(f->u, o->a, pos + len);
    if (low != o->a) {
        o->a = low;
        return true;
    }
    const IrOp *d = def_of(f->u, o->a);
    if (d->op == IR_deposit) {
        return extract_through_deposit(o, d);
    }
    if (d->op == IR_extract && pos + len <= (d->x & 255u)) {
        o->x = o->x + (d->x & 0xff00u);
        set_width(f, d->w);
        o->a = d->a;
        return true;
    }
    if (d->op == IR_shr && ir_is_const(f->u, d->b)) {
        unsigned n = (ir_imm(f->u, d->b) & (d->w - 1u)) + pos;
        if (n + len <= d->w) {
            o->x = n << 8 | len;
            set_width(f, d->w);
            o->a = d->a;
            return true;
        }
    }
    return false;
}

static IrVal fold_extract(Fold *f)
{
    IrDraft *o = f->o;
    while (extract_through(f)) {
    }
    unsigned pos = o->x >> 8, len = o->x & 255u;
    set_a(f, o->a);
    if (f->ka) {
        return ir_const(f->u, ir_eval(IR_extract, f->w, o->x, f->ia, 0, 0, 0));
    }
    if (!pos) {
        return len >= f->w ? same(f, o->a) : len == 8 || len == 16 || len == 32 ? emit1(f, IR_zext, len, o->a)
                                           : emit2i(f, IR_and, o->a, ir_ones(len));
    }
    return pos + len >= width(f->u, o->a, f->w) ? emit2i(f, IR_shr, o->a, pos) : IR_NONE;
}

static IrVal fold_deposit(Fold *f)
{
    IrDraft *o = f->o;
    IrUnit *u = f->u;
    unsigned pos = o->x >> 8, len = o->x & 255u;
    set_b(f, ir_low_part(u, o->b, len));
    f->bs = o->b;
    if (!pos && len >= f->w) {
        return same(f, o->b);
    }
    const IrOp *d = def_of(u, o->a);
    if (d->op == IR_deposit && d->x == o->x && d->w >= f->w) {
        set_a(f, d->a);
    }
    if (f->ka && f->kb) {
        return ir_const(u, ir_eval(IR_deposit, f->w, o->x, f->ia, f->ib, 0, 0));
    }
    if (!pos && ir_low_part(u, o->a, len) == o->b) {
        f->bs = IR_NONE;                 /* o->b stands for the low part of b0 alone */
        return same(f, o->a);
    }
    uint64_t hole = ir_ones(len) << pos;
    if (f->kb && (f->ib & ir_ones(len)) == ir_ones(len)) {
        return emit2i(f, IR_or, o->a, hole & f->mask);
    }
    if (f->kb && !(f->ib & ir_ones(len))) {
        return emit2i(f, IR_and, o->a, ~hole & f->mask);
    }
    if (!pos && width(u, o->a, f->w) <= len) {
        return emit2i(f, IR_and, o->b, ir_ones(len));
    }
    return IR_NONE;
}

/* ---- conditions ---- */

static IrCond cond_swap(IrCond c)
{
    static const uint8_t swapped[IRC_COUNT] = {
        [IRC_EQ] = IRC_EQ, [IRC_NE] = IRC_NE, [IRC_LT] = IRC_GT, [IRC_GE] = IRC_LE, [IRC_LE] = IRC_GE,
        [IRC_GT] = IRC_LT, [IRC_LTU] = IRC_GTU, [IRC_GEU] = IRC_LEU, [IRC_LEU] = IRC_GEU, [IRC_GTU] = IRC_LTU,
        [IRC_TSTZ] = IRC_TSTZ, [IRC_TSTNZ] = IRC_TSTNZ,
    };
    return swapped[c];
}

/* A comparison that fold_cond is at work on. */
typedef struct Cond { IrCond c; unsigned w; IrVal a, b; } Cond;

/* a cond a */
static int cond_same(Cond *k, IrUnit *u)
{
    switch (k->c) {
    case IRC_EQ: case IRC_GE: case IRC_LE: case IRC_GEU: case IRC_LEU:
        return 1;
    case IRC_TSTZ: case IRC_TSTNZ:
        k->c = k->c == IRC_TSTZ ? IRC_EQ : IRC_NE;
        k->b = ir_const(u, 0);
        return -1;
    default:
        return 0;
    }
}

/* a cond K, where a's upper bits may be known to be 0 */
static int cond_const(Cond *k, IrUnit *u)
{
    unsigned wa = width(u, k->a, k->w);
    uint64_t max = ir_ones(wa), i = ir_imm(u, k->b) & ir_ones(k->w);
    bool inv = k->c & 1;
    if (wa < k->w && k->c >= IRC_LT && k->c <= IRC_GT) {    /* a >= 0 */
        if (bits_sext(i, k->w) < 0) {
            return k->c == IRC_GE || k->c == IRC_GT;
        }
        k->c += IRC_LTU - IRC_LT;
        inv = k->c & 1;
    }
    switch (k->c & ~1u) {
    case IRC_EQ:
        return i > max ? inv : -1;
    case IRC_LTU:
        return !i ? inv : i > max ? !inv : -1;
    case IRC_LEU:
        if (!i) {
            k->c = inv ? IRC_NE : IRC_EQ;
        }
        return i >= max ? !inv : -1;
    case IRC_TSTZ:
        if (!(i & max)) {
            return !inv;
        }
        if ((i & max) == max) {
            k->c = inv ? IRC_NE : IRC_EQ;
            k->b = ir_const(u, 0);
        }
        return -1;
    }
    return -1;
}

/* setc != 0: the comparison that setc made */
static bool cond_of_setc(Cond *k, const IrUnit *u)
{
    const IrOp *d = def_of(u, k->a);
    if (d->op != IR_setc || k->c > IRC_NE || (ir_imm(u, k->b) & ir_ones(k->w))) {
        return false;
    }
    *k = (Cond){ k->c == IRC_NE ? (IrCond)d->x : ir_cond_invert((IrCond)d->x), d->w, d->a, d->b };
    return true;
}

/* 1 true, 0 false, -1 depends, with the comparison simplified */
static int fold_cond(IrUnit *u, Cond *k)
{
    for (;;) {
        k->a = ir_low_part(u, k->a, k->w);
        k->b = ir_low_part(u, k->b, k->w);
        if (ir_is_const(u, k->a)) {
            uint64_t a = ir_imm(u, k->a), b = ir_imm(u, k->b);
            if (ir_is_const(u, k->b)) {
                return ir_eval(IR_setc, k->w, k->c, a, b, 0, 0) != 0;
            }
            *k = (Cond){ cond_swap(k->c), k->w, k->b, k->a };
        }
        int known = k->a == k->b ? cond_same(k, u) : -1;
        if (known < 0 && ir_is_const(u, k->b)) {
            known = cond_const(k, u);
        }
        if (known >= 0 || !ir_is_const(u, k->b) || !cond_of_setc(k, u)) {
            return known;
        }
    }
}

int ir_fold_br(IrUnit *u, IrDraft *o)
{
    Cond k = { o->x & 15u, o->w, o->a, o->b };
    int known = fold_cond(u, &k);
    o->x = (o->x & ~15u) | k.c;
    o->w = k.w;
    o->a = k.a;
    o->b = k.b;
    return known;
}

static IrVal fold_setc(Fold *f)
{
    Cond k = { f->o->x, f->w, f->o->a, f->o->b };
    int known = fold_cond(f->u, &k);
    if (known >= 0) {
        return ir_const(f->u, (unsigned)known);
    }
    if (k.c == IRC_NE && f->u->vals[k.a].w <= 1 && ir_is_const(f->u, k.b) && !ir_imm(f->u, k.b)) {
        return k.a;                      /* a bit is what it is */
    }
    *f->o = (IrDraft){ .op = IR_setc, .w = k.w, .x = k.c, .a = k.a, .b = k.b };
    return IR_NONE;
}

static IrVal fold_sel(Fold *f)
{
    IrDraft *o = f->o;
    Cond k = { o->x, f->w, o->a, o->b };
    int known = o->c == o->f ? 1 : fold_cond(f->u, &k);
    if (known >= 0) {
        return known ? o->c : o->f;
    }
    if (ir_is_const(f->u, o->c) && ir_is_const(f->u, o->f) && ir_imm(f->u, o->c) + ir_imm(f->u, o->f) == 1 &&
        ir_imm(f->u, o->c) <= 1) {
        IrCond c = ir_imm(f->u, o->c) ? k.c : ir_cond_invert(k.c);
        return ir_emit(f->u, IR_setc, k.w, c, k.a, k.b, 0, 0);
    }
    *o = (IrDraft){ .op = IR_sel, .w = k.w, .x = k.c, .a = k.a, .b = k.b, .c = o->c, .f = o->f };
    return IR_NONE;
}

static IrVal (*const folders[IR_OPCODES])(Fold *) = {
    [IR_mov] = fold_mov, [IR_add] = fold_add, [IR_sub] = fold_sub, [IR_and] = fold_and, [IR_or] = fold_or,
    [IR_xor] = fold_xor, [IR_andc] = fold_andc, [IR_neg] = fold_twice, [IR_not] = fold_twice, [IR_mul] = fold_mul,
    [IR_shl] = fold_shift, [IR_shr] = fold_shift, [IR_sar] = fold_shift, [IR_rol] = fold_shift, [IR_ror] = fold_shift,
    [IR_lea] = fold_lea, [IR_zext] = fold_zext, [IR_sext] = fold_sext, [IR_extract] = fold_extract,
    [IR_deposit] = fold_deposit, [IR_setc] = fold_setc, [IR_sel] = fold_sel,
};

/* Ops whose operands are cut to w by the op itself: nothing above needs to be cut before. */
static inline void shorten(Fold *f)
{
    f->a0 = f->o->a;
    f->b0 = f->o->b;
    if (f->w == 32) {
        f->o->a = ir_low_part(f->u, f->o->a, 32);
        f->o->b = ir_low_part(f->u, f->o->b, 32);
    }
    f->as = f->o->a;
    f->bs = f->o->b;
}

IrVal ir_fold(IrUnit *u, IrDraft *o)
{
    const IrOpInfo *info = &ir_op_info[o->op];
    if (o->op >= IR_vzero || info->sig[1] != '=') {
        return IR_NONE;                  /* vectors and two results are not folded */
    }
    Fold f = { .u = u, .o = o, .w = o->w, .mask = ir_ones(o->w) };
    shorten(&f);
    set_a(&f, o->a);
    set_b(&f, o->b);
    if ((f.ka || !o->a) && (f.kb || !o->b) && o->op != IR_setc && o->op != IR_sel && o->op != IR_lea) {
        return ir_const(u, ir_eval(o->op, f.w, o->x, f.ia, f.ib, 0, 0));
    }
    if (f.ka && (info->flags & IRF_COMM)) {
        IrVal t = o->a;
        set_a(&f, o->b);
        set_b(&f, t);
    }
    return folders[o->op] ? folders[o->op](&f) : IR_NONE;
}
