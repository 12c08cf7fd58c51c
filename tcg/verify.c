/* Is a unit well-formed?  Checked after building and after every pass under
 * `-d opt` and in the tests: operands are defined before their use and have
 * the type the signature asks for, widths and immediates are those the op has,
 * exits and instructions exist, and the only `exit` is the last op.
 *
 * The checks of x are one function per shape, in a table like the rows of
 * ops.def.
 */
#include <string.h>

#include "tcg/fold.h"

typedef struct Verify {
    const IrUnit *u;
    const IrOp *o;
    unsigned i;                          /* index of o */
    bool defined[IR_MAX_VALS];
    GString *why;
} Verify;

static bool G_GNUC_PRINTF(2, 3) bad(Verify *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (s->why) {
        g_string_append_printf(s->why, "op %u (%s): %s", s->i,
                               s->o->op < IR_OPCODES ? ir_op_info[s->o->op].name : "?", what);
    }
    return false;
}

static bool operand(Verify *s, IrVal v, char type, const char *name)
{
    const IrUnit *u = s->u;
    if (!v || v >= u->nvals) {
        return bad(s, "operand %s is no value", name);
    }
    if (!u->vals[v].is_const && !s->defined[v]) {
        return bad(s, "operand %s (v%u) is used before it is defined", name, v);
    }
    if (u->vals[v].type != (type == 'v' ? IR_VEC : IR_INT)) {
        return bad(s, "operand %s (v%u) has the wrong type", name, v);
    }
    return true;
}

static bool result(Verify *s, IrVal v, char type, const char *name)
{
    const IrUnit *u = s->u;
    if (!v || v >= u->nvals || u->vals[v].is_const) {
        return bad(s, "result %s is no value", name);
    }
    if (s->defined[v]) {
        return bad(s, "v%u is defined twice", v);
    }
    if (u->vals[v].def != s->i) {
        return bad(s, "v%u does not know its definition", v);
    }
    if (u->vals[v].type != (type == 'v' ? IR_VEC : IR_INT)) {
        return bad(s, "result %s has the wrong type", name);
    }
    s->defined[v] = true;
    return true;
}

/* ---- x ---- */

static bool x_exit(Verify *s, unsigned index)
{
    const IrUnit *u = s->u;
    if (index >= u->nexits) {
        return bad(s, "there is no exit %u", index);
    }
    const IrExit *x = &u->exits[index];
    if (x->kind > IRX_RAISE) {
        return bad(s, "exit %u has no such kind", index);
    }
    if (x->kind == IRX_RAISE && x->helper >= u->arch->nhelpers) {
        return bad(s, "exit %u has no such helper", index);
    }
    return x->kind != IRX_INDIRECT || operand(s, x->val, 'i', "of the exit");
}

static bool x_field(Verify *s)
{
    unsigned pos = s->o->x >> 8, len = s->o->x & 255u;
    return (len && pos + len <= s->o->w) || bad(s, "field is not inside the width");
}

static bool x_lane(Verify *s)
{
    unsigned lane = s->o->x >> 8, bits = s->o->x & 255u;
    bool size = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    return (size && (lane + 1) * bits <= 128) || bad(s, "no such lane");
}

static bool x_bits(Verify *s)
{
    unsigned x = s->o->x;
    switch (s->o->op) {
    case IR_vfromi:
        return x == 32 || x == 64 || bad(s, "bits is 32 or 64");
    case IR_bswap:
        return x == 16 || x == s->o->w || bad(s, "bits is 16 or the width");
    case IR_sext:
        return (x && x <= s->o->w && x < 64) || bad(s, "bits is not inside the width");
    default: {
        bool size = x == 8 || x == 16 || x == 32 || (x == 64 && s->o->op == IR_crc32c);
        return (size && x <= s->o->w) || bad(s, "no such bits");
    }
    }
}

static bool x_reg(Verify *s)
{
    const IrArch *arch = s->u->arch;
    bool vec = s->o->op == IR_getv || s->o->op == IR_putv;
    if (s->o->x >= arch->nregs) {
        return bad(s, "there is no register %u", s->o->x);
    }
    return arch->regs[s->o->x].type == (vec ? IR_VEC : IR_INT) || bad(s, "%s has another type", arch->regs[s->o->x].name);
}

static bool x_mem(Verify *s)
{
    const IrOp *o = s->o;
    unsigned size = irm_size(o->x);
    bool vec = o->op == IR_ldv || o->op == IR_stv;
    if (vec ? size < 4 || size > 16 : size > 16 || (o->op != IR_probe && size * 8 > o->w)) {
        return bad(s, "no such size");
    }
    if (o->op == IR_rmw && (o->x >> IRM_ATOMIC_SHIFT & 7) > IRA_SUB_REV) {
        return bad(s, "no such atomic op");
    }
    return true;
}

static bool x_call(Verify *s)
{
    const IrOp *o = s->o;
    const IrVal v[] = { o->a, o->b, o->c, o->f };
    if (o->x >= s->u->arch->nhelpers) {
        return bad(s, "there is no helper %u", o->x);
    }
    const IrHelper *h = &s->u->arch->helpers[o->x];
    for (unsigned i = 0; i < 4; i++) {
        if (i >= h->nargs && v[i]) {
            return bad(s, "%s takes %u arguments", h->name, h->nargs);
        }
        if (i < h->nargs && !operand(s, v[i], 'i', "of the call")) {
            return false;
        }
    }
    if (!h->ret) {
        return !o->d || bad(s, "%s has no result", h->name);
    }
    return result(s, o->d, 'i', "d");
}

static bool x_lea(Verify *s)
{
    const IrOp *o = s->o;
    if (o->x > 3) {
        return bad(s, "shift is 0 to 3");
    }
    if (o->c && (o->c >= s->u->nvals || !ir_is_const(s->u, o->c))) {
        return bad(s, "c is not a constant");
    }
    return operand(s, o->a, 'i', "a") && operand(s, o->b, 'i', "b");
}

static bool x_of(Verify *s)
{
    const IrOp *o = s->o;
    switch (o->op) {
    case IR_zext: case IR_sext: case IR_bswap: case IR_crc32c: case IR_vfromi:
        return x_bits(s);
    case IR_extract: case IR_deposit:
        return x_field(s);
    case IR_vextract: case IR_vinsert:
        return x_lane(s);
    case IR_setc: case IR_sel:
        return o->x < IRC_COUNT || bad(s, "no such condition");
    case IR_br:
        return ((o->x & 15) < IRC_COUNT || bad(s, "no such condition")) && x_exit(s, o->x >> 4);
    case IR_poll: case IR_exit:
        return x_exit(s, o->x);
    case IR_get: case IR_put: case IR_getv: case IR_putv:
        return x_reg(s);
    case IR_ld: case IR_st: case IR_ldv: case IR_stv: case IR_probe: case IR_rmw: case IR_cas:
        return x_mem(s);
    case IR_insn:
        return (o->x < s->u->ninsns && s->u->insns[o->x].op == s->i) || bad(s, "no such instruction");
    }
    return true;
}

/* ---- ops ---- */

static bool operands(Verify *s)
{
    static const char *const names[] = { "a", "b", "c", "f" };
    const IrOp *o = s->o;
    const IrVal v[] = { o->a, o->b, o->c, o->f };
    const char *args = strchr(ir_op_info[o->op].sig, '=') + 1;
    unsigned n = (unsigned)strlen(args);
    for (unsigned i = 0; i < 4; i++) {
        if (i < n ? !operand(s, v[i], args[i], names[i]) : v[i] != IR_NONE) {
            return i < n ? false : bad(s, "operand %s is too much", names[i]);
        }
    }
    return true;
}

static bool results(Verify *s)
{
    const char *sig = ir_op_info[s->o->op].sig;
    if (sig[0] == '=') {
        return (!s->o->d && !s->o->e) || bad(s, "has results");
    }
    if (!result(s, s->o->d, sig[0], "d")) {
        return false;
    }
    return sig[1] == '=' ? !s->o->e || bad(s, "has a second result") : result(s, s->o->e, sig[1], "e");
}

static bool op_ok(Verify *s)
{
    const IrOp *o = s->o;
    if (o->op >= IR_OPCODES) {
        return bad(s, "no such op");
    }
    if (o->op == IR_nop) {
        return true;
    }
    if (!(ir_op_info[o->op].widths & ir_width_bit(o->w))) {
        return bad(s, "has no width %u", o->w);
    }
    bool last = s->i == s->u->nops - 1;
    if (!!(ir_op_info[o->op].flags & IRF_END) != last) {
        return bad(s, last ? "the unit does not end in an exit" : "is not the last op");
    }
    if (!x_of(s)) {
        return false;
    }
    if (o->op == IR_call) {
        return x_call(s);
    }
    return (o->op == IR_lea ? x_lea(s) : operands(s)) && results(s);
}

bool ir_verify(const IrUnit *u, GString *why)
{
    Verify s;
    s.u = u;
    s.i = 0;
    s.why = why;
    memset(s.defined, 0, u->nvals);
    IrOp none = { 0 };
    s.o = &none;
    if (!u->nops || u->overflow) {
        return bad(&s, u->overflow ? "the unit overflowed" : "the unit is empty");
    }
    for (s.i = 0; s.i < u->nops; s.i++) {
        s.o = &u->ops[s.i];
        if (!op_ok(&s)) {
            return false;
        }
    }
    return true;
}
