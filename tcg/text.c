/* The IR as text: what `-d ir` prints and what tests/ir are written in.  The
 * grammar is in tcg/README.md; ir_parse reads all that ir_print writes.
 *
 * An op's x field has one of a few shapes (x_shape), each with a printer and a
 * parser of its own; everything else follows from the op's signature.  Parsing
 * appends ops as they stand: nothing is folded, so a test says exactly what is
 * executed.
 */
#include "tcg/ir.h"

#include <string.h>

#include "tcg/fold.h"
#include "util/bits.h"
#include "util/log.h"

typedef enum XShape {
    X_RAW,                               /* x=N, left out if 0 */
    X_BITS, X_FIELD, X_SHIFT, X_LANE, X_MEM,     /* attributes behind the operands */
    X_COND, X_REG, X_ENV,                                /* before the operands */
    X_INSN, X_CALL, X_BR, X_EXIT,                        /* the whole op has its own form */
} XShape;

static const uint8_t x_shape[IR_OPCODES] = {
    [IR_zext] = X_BITS, [IR_sext] = X_BITS, [IR_bswap] = X_BITS, [IR_crc32c] = X_BITS, [IR_vfromi] = X_BITS,
    [IR_extract] = X_FIELD, [IR_deposit] = X_FIELD, [IR_lea] = X_SHIFT, [IR_vextract] = X_LANE, [IR_vinsert] = X_LANE,
    [IR_ld] = X_MEM, [IR_st] = X_MEM, [IR_ldv] = X_MEM, [IR_stv] = X_MEM, [IR_probe] = X_MEM, [IR_rmw] = X_MEM,
    [IR_cas] = X_MEM,
    [IR_setc] = X_COND, [IR_sel] = X_COND,
    [IR_get] = X_REG, [IR_put] = X_REG, [IR_getv] = X_REG, [IR_putv] = X_REG,
    [IR_lde] = X_ENV, [IR_ste] = X_ENV, [IR_ldev] = X_ENV, [IR_stev] = X_ENV,
    [IR_insn] = X_INSN, [IR_call] = X_CALL, [IR_br] = X_BR, [IR_poll] = X_EXIT, [IR_exit] = X_EXIT,
};

static const char *const cond_names[] = {
    "eq", "ne", "lt", "ge", "le", "gt", "ltu", "geu", "leu", "gtu", "tstz", "tstnz",
};
_Static_assert(ARRAY_LEN(cond_names) == IRC_COUNT, "one name each");
static const char *const atomic_names[] = { "add", "and", "or", "xor", "xchg", "subrev" };
static const char *const exit_names[] = { "direct", "indirect", "lookup", "loop", "loop_dyn", "raise" };

/* flags that are a word of their own */
typedef struct Flag { const char *name; unsigned bit; } Flag;
static const Flag mem_flags[] = {
    { "signed", IRM_SIGN }, { "bswap", IRM_BSWAP }, { "align", IRM_ALIGN }, { "write", IRM_RMW },
};
static const Flag exit_flags[] = { { "backward", IRX_BACKWARD }, { "cross", IRX_CROSS }, { "ret", IRX_RET } };

/* ---- printing ---- */

static void print_imm(GString *out, uint64_t imm)
{
    if (imm < 10 || imm > -(uint64_t)4096) {
        g_string_append_printf(out, "%" G_GINT64_FORMAT, (int64_t)imm);
    } else {
        g_string_append_printf(out, "0x%" G_GINT64_MODIFIER "x", imm);
    }
}

static void print_val(const IrUnit *u, GString *out, IrVal v)
{
    if (u->vals[v].is_const) {
        print_imm(out, u->vals[v].imm);
    } else {
        g_string_append_printf(out, "v%u", v);
    }
}

static void print_flags(GString *out, unsigned x, const Flag *flags, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (x & flags[i].bit) {
            g_string_append_printf(out, " %s", flags[i].name);
        }
    }
}

static void print_mem(GString *out, const IrOp *o)
{
    g_string_append_printf(out, " size=%u", irm_size(o->x));
    if (o->op == IR_rmw) {
        g_string_append_printf(out, " op=%s", atomic_names[(o->x >> IRM_ATOMIC_SHIFT & 7u) % ARRAY_LEN(atomic_names)]);
    }
    if (irm_mode(o->x)) {
        g_string_append_printf(out, " mode=%u", irm_mode(o->x));
    }
    print_flags(out, o->x, mem_flags, ARRAY_LEN(mem_flags));
}

static void print_dead(const IrUnit *u, GString *out, const IrExit *x)
{
    const char *sep = " dead=";
    for (unsigned r = 0; r < u->arch->nregs; r++) {
        if (x->dead[r / 64] >> (r % 64) & 1) {
            g_string_append_printf(out, "%s%s", sep, u->arch->regs[r].name);
            sep = ",";
        }
    }
}

static void print_exit(const IrUnit *u, GString *out, unsigned index)
{
    const IrExit *x = &u->exits[index];
    g_string_append(out, exit_names[x->kind]);
    if (x->kind == IRX_DIRECT || x->kind == IRX_LOOP) {
        g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x", x->pc);
    } else if (x->kind == IRX_INDIRECT) {
        g_string_append_c(out, ' ');
        print_val(u, out, x->val);
    } else if (x->kind == IRX_RAISE) {
        g_string_append_printf(out, " %s(", u->arch->helpers[x->helper].name);
        print_imm(out, x->arg[0]);
        g_string_append(out, ", ");
        print_imm(out, x->arg[1]);
        g_string_append_c(out, ')');
    }
    print_flags(out, x->flags, exit_flags, ARRAY_LEN(exit_flags));
    if (x->flags & IRX_CALL) {
        g_string_append_printf(out, " call=0x%" G_GINT64_MODIFIER "x", x->arg[0]);
    }
    print_dead(u, out, x);
}

/* Operands a.., the first in brackets if it is an address. */
static const char *print_args(const IrUnit *u, GString *out, const IrOp *o, const char *sep)
{
    const IrVal v[] = { o->a, o->b, o->c, o->f };
    const char *args = strchr(ir_op_info[o->op].sig, '=') + 1;
    bool addr = x_shape[o->op] == X_MEM;
    for (unsigned i = 0; args[i] && v[i]; i++) {
        g_string_append(out, sep);
        g_string_append(out, addr && !i ? "[" : "");
        print_val(u, out, v[i]);
        g_string_append(out, addr && !i ? "]" : "");
        sep = ", ";
    }
    return sep;
}

/* All but the results and the name. */
static void print_body(const IrUnit *u, GString *out, const IrOp *o)
{
    const IrArch *arch = u->arch;
    switch (x_shape[o->op]) {
    case X_COND:
        g_string_append_printf(out, " %s", cond_names[o->x]);
        print_args(u, out, o, " ");
        return;
    case X_REG:
        g_string_append_printf(out, " %s", arch->regs[o->x].name);
        print_args(u, out, o, ", ");
        return;
    case X_ENV:
        g_string_append_printf(out, " env+0x%x", o->x);
        print_args(u, out, o, ", ");
        return;
    case X_INSN:
        g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x", u->insns[o->x].pc);
        return;
    case X_CALL:
        g_string_append_printf(out, " %s(", arch->helpers[o->x].name);
        print_args(u, out, o, "");
        g_string_append_c(out, ')');
        return;
    case X_BR:
        g_string_append_printf(out, " %s", cond_names[o->x & 15]);
        print_args(u, out, o, " ");
        g_string_append(out, " -> ");
        print_exit(u, out, o->x >> 4);
        return;
    case X_EXIT:
        g_string_append(out, o->op == IR_poll ? " -> " : " ");
        print_exit(u, out, o->x);
        return;
    }
    print_args(u, out, o, " ");
    switch (x_shape[o->op]) {
    case X_BITS:  g_string_append_printf(out, " bits=%u", o->x); break;
    case X_FIELD: g_string_append_printf(out, " pos=%u len=%u", o->x >> 8, o->x & 255u); break;
    case X_LANE:  g_string_append_printf(out, " lane=%u bits=%u", o->x >> 8, o->x & 255u); break;
    case X_SHIFT: g_string_append_printf(out, " shift=%u", o->x); break;
    case X_MEM:   print_mem(out, o); break;
    case X_RAW:
        if (o->x) {
            g_string_append_printf(out, " x=0x%x", o->x);
        }
        break;
    }
}

static void print_op(const IrUnit *u, GString *out, const IrOp *o)
{
    const IrOpInfo *info = &ir_op_info[o->op];
    if (o->op != IR_insn) {
        g_string_append(out, "    ");
    }
    if (o->d) {
        print_val(u, out, o->d);
        if (o->e) {
            g_string_append(out, ", ");
            print_val(u, out, o->e);
        }
        g_string_append(out, " = ");
    }
    g_string_append(out, info->name);
    if (info->widths & (info->widths - 1)) {
        g_string_append_printf(out, ".%u", o->w);
    }
    print_body(u, out, o);
    g_string_append_c(out, '\n');
}

void ir_print(const IrUnit *u, GString *out)
{
    for (unsigned i = 0; i < u->nops; i++) {
        print_op(u, out, &u->ops[i]);
    }
}

/* ---- parsing ---- */

typedef struct Parser {
    IrUnit *u;
    GHashTable *names;                   /* value names to IrVal */
    const char *p;                       /* in the current line */
    unsigned line;
    GError *err;                         /* the first error; all parsing functions go on blindly */
} Parser;

static void G_GNUC_PRINTF(2, 3) fail(Parser *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (!s->err) {
        g_set_error(&s->err, RHEA_ERROR, ERR_RUN, "IR line %u: %s, at '%.30s'", s->line, what, s->p);
    }
}

static void skip(Parser *s)
{
    s->p += strspn(s->p, " \t\r");
}

static bool at_end(Parser *s)
{
    skip(s);
    return !*s->p || *s->p == '#';
}

static bool accept(Parser *s, const char *what)
{
    skip(s);
    size_t n = strlen(what);
    if (strncmp(s->p, what, n)) {
        return false;
    }
    s->p += n;
    return true;
}

static void expect(Parser *s, const char *what)
{
    if (!accept(s, what)) {
        fail(s, "'%s' expected", what);
    }
}

typedef struct Word { char s[40]; } Word;

/* A name: letters, digits, underscores; empty if there is none. */
static Word word(Parser *s)
{
    Word w = { "" };
    skip(s);
    unsigned n = 0;
    while (g_ascii_isalnum(*s->p) || *s->p == '_') {
        if (n < sizeof(w.s) - 1) {
            w.s[n++] = *s->p;
        }
        s->p++;
    }
    return w;
}

static uint64_t number(Parser *s)
{
    skip(s);
    char *end;
    uint64_t v = g_ascii_strtoull(s->p, &end, 0);
    if (end == s->p) {
        fail(s, "number expected");
    }
    s->p = end;
    return v;
}

static uint64_t number_upto(Parser *s, uint64_t max)
{
    uint64_t v = number(s);
    if (v > max) {
        fail(s, "number too large");
        return 0;
    }
    return v;
}

static unsigned name_in(Parser *s, const char *const *names, unsigned n, const char *what)
{
    Word w = word(s);
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(names[i], w.s)) {
            return i;
        }
    }
    fail(s, "unknown %s '%s'", what, w.s);
    return 0;
}

static unsigned parse_reg(Parser *s)
{
    const IrArch *arch = s->u->arch;
    Word w = word(s);
    for (unsigned r = 0; r < arch->nregs; r++) {
        if (!strcmp(arch->regs[r].name, w.s)) {
            return r;
        }
    }
    fail(s, "unknown register '%s'", w.s);
    return 0;
}

static unsigned parse_helper(Parser *s)
{
    const IrArch *arch = s->u->arch;
    Word w = word(s);
    for (unsigned h = 0; h < arch->nhelpers; h++) {
        if (!strcmp(arch->helpers[h].name, w.s)) {
            return h;
        }
    }
    fail(s, "unknown helper '%s'", w.s);
    return 0;
}

static IrVal parse_val(Parser *s)
{
    skip(s);
    if (g_ascii_isdigit(*s->p) || *s->p == '-') {
        return ir_const(s->u, number(s));
    }
    Word w = word(s);
    IrVal v = (IrVal)GPOINTER_TO_UINT(g_hash_table_lookup(s->names, w.s));
    if (!v) {
        fail(s, "'%s' is no value", w.s);
    }
    return v;
}

static bool parse_flag(Parser *s, const Flag *flags, unsigned n, unsigned *x)
{
    const char *start = s->p;
    Word w = word(s);
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(flags[i].name, w.s)) {
            *x |= flags[i].bit;
            return true;
        }
    }
    s->p = start;
    return false;
}

static unsigned parse_size(Parser *s)
{
    uint64_t n = number_upto(s, 16);
    if (!n || (n & (n - 1))) {
        fail(s, "size is 1, 2, 4, 8 or 16");
        return 0;
    }
    return (unsigned)__builtin_ctzll(n);
}

/* One attribute of an op; x keeps what the others gave. */
static void parse_attr(Parser *s, XShape shape, unsigned *x)
{
    if (shape == X_MEM && parse_flag(s, mem_flags, ARRAY_LEN(mem_flags), x)) {
        return;
    }
    if ((shape == X_BITS || shape == X_LANE) && accept(s, "bits=")) {
        *x |= (unsigned)number_upto(s, 64);
    } else if (shape == X_LANE && accept(s, "lane=")) {
        *x |= (unsigned)number_upto(s, 15) << 8;
    } else if (shape == X_FIELD && accept(s, "pos=")) {
        *x |= (unsigned)number_upto(s, 63) << 8;
    } else if (shape == X_FIELD && accept(s, "len=")) {
        *x |= (unsigned)number_upto(s, 64);
    } else if (shape == X_SHIFT && accept(s, "shift=")) {
        *x |= (unsigned)number_upto(s, 3);
    } else if (shape == X_MEM && accept(s, "size=")) {
        *x |= parse_size(s);
    } else if (shape == X_MEM && accept(s, "mode=")) {
        *x |= (unsigned)number_upto(s, 3) << IRM_MODE_SHIFT;
    } else if (shape == X_MEM && accept(s, "op=")) {
        *x |= name_in(s, atomic_names, ARRAY_LEN(atomic_names), "atomic op") << IRM_ATOMIC_SHIFT;
    } else if (shape == X_RAW && accept(s, "x=")) {
        *x |= (unsigned)number_upto(s, 0xffff);
    } else {
        fail(s, "unknown attribute");
    }
}

static void parse_exit_attr(Parser *s, IrExit *x)
{
    unsigned flags = x->flags;
    if (parse_flag(s, exit_flags, ARRAY_LEN(exit_flags), &flags)) {
        x->flags = (uint8_t)flags;
    } else if (accept(s, "call=")) {
        x->flags |= IRX_CALL;
        x->arg[0] = number(s);
    } else if (accept(s, "dead=")) {
        do {
            unsigned r = parse_reg(s);
            x->dead[r / 64] |= BIT(r % 64);
        } while (accept(s, ","));
    } else {
        fail(s, "unknown attribute of an exit");
    }
}

static unsigned parse_exit(Parser *s)
{
    IrExit x = { .kind = (uint8_t)name_in(s, exit_names, ARRAY_LEN(exit_names), "exit") };
    if (x.kind == IRX_DIRECT || x.kind == IRX_LOOP) {
        x.pc = number(s);
    } else if (x.kind == IRX_INDIRECT) {
        x.val = parse_val(s);
    } else if (x.kind == IRX_RAISE) {
        x.helper = (uint16_t)parse_helper(s);
        expect(s, "(");
        x.arg[0] = number(s);
        expect(s, ",");
        x.arg[1] = number(s);
        expect(s, ")");
    }
    while (!s->err && !at_end(s)) {
        parse_exit_attr(s, &x);
    }
    return ir_exit_new(s->u, x);
}

static void set_arg(IrOp *o, unsigned i, IrVal v)
{
    IrVal *const to[] = { &o->a, &o->b, &o->c, &o->f };
    *to[i] = v;
}

/* Operands up to the attributes; first: a comma has to come before the first one. */
static void parse_args(Parser *s, IrOp *o, bool comma)
{
    const char *args = strchr(ir_op_info[o->op].sig, '=') + 1;
    bool addr = x_shape[o->op] == X_MEM;
    for (unsigned i = 0; args[i] && !s->err; i++) {
        if (comma || i) {
            if (o->op == IR_lea && !accept(s, ",")) {
                return;                  /* c may be absent */
            }
            if (o->op != IR_lea) {
                expect(s, ",");
            }
        }
        if (addr && !i) {
            expect(s, "[");
        }
        set_arg(o, i, parse_val(s));
        if (addr && !i) {
            expect(s, "]");
        }
    }
}

static void parse_call(Parser *s, IrOp *o)
{
    o->x = (uint16_t)parse_helper(s);
    expect(s, "(");
    for (unsigned i = 0; i < 4 && !s->err && !accept(s, ")"); i++) {
        if (i) {
            expect(s, ",");
        }
        set_arg(o, i, parse_val(s));
        if (i == 3) {
            expect(s, ")");
        }
    }
}

static void parse_body(Parser *s, IrOp *o)
{
    XShape shape = x_shape[o->op];
    unsigned x = 0;
    switch (shape) {
    case X_COND:
        o->x = (uint16_t)name_in(s, cond_names, IRC_COUNT, "condition");
        parse_args(s, o, false);
        return;
    case X_REG:
        o->x = (uint16_t)parse_reg(s);
        parse_args(s, o, true);
        return;
    case X_ENV:
        expect(s, "env+");
        o->x = (uint16_t)number_upto(s, 0xffff);
        parse_args(s, o, true);
        return;
    case X_CALL:
        parse_call(s, o);
        return;
    case X_BR:
        x = name_in(s, cond_names, IRC_COUNT, "condition");
        parse_args(s, o, false);
        expect(s, "->");
        o->x = (uint16_t)(parse_exit(s) << 4 | x);
        return;
    case X_EXIT:
        if (o->op == IR_poll) {
            expect(s, "->");
        }
        o->x = (uint16_t)parse_exit(s);
        return;
    default:
        parse_args(s, o, false);
        while (!s->err && !at_end(s)) {
            parse_attr(s, shape, &x);
        }
        o->x = (uint16_t)x;
    }
}

/* NAME[.WIDTH] */
static void parse_name(Parser *s, IrOp *o)
{
    Word w = word(s);
    unsigned op = 0;
    while (op < IR_OPCODES && strcmp(ir_op_info[op].name, w.s)) {
        op++;
    }
    if (op == IR_OPCODES) {
        fail(s, "unknown op '%s'", w.s);
        op = IR_nop;
    }
    unsigned widths = ir_op_info[op].widths;
    uint64_t width = 8;
    while (!(widths & ir_width_bit(width))) {
        width *= 2;
    }
    if (accept(s, ".")) {
        width = number(s);
    } else if ((widths & (widths - 1)) && op != IR_nop) {
        fail(s, "'%s' needs a width", w.s);
    }
    if (!(widths & ir_width_bit(width))) {
        fail(s, "'%s' has no such width", w.s);
    }
    o->op = (uint8_t)op;
    o->w = (uint8_t)width;
}

static void define(Parser *s, const char *name, IrVal v)
{
    if (!v) {
        fail(s, "there is no result for '%s'", name);
    } else if (!g_hash_table_insert(s->names, g_strdup(name), GUINT_TO_POINTER((unsigned)v))) {
        fail(s, "'%s' is defined twice", name);
    }
}

static void parse_op(Parser *s, const char *d, const char *e)
{
    IrOp o = { 0 };
    parse_name(s, &o);
    if (s->err) {
        return;
    }
    if (s->u->ended) {
        fail(s, "the unit has ended");
    } else if (o.op == IR_insn) {
        ir_insn(s->u, number(s));
    } else {
        parse_body(s, &o);
        if (!s->err) {
            ir_append(s->u, o);
        }
    }
    if (!s->err && !at_end(s)) {
        fail(s, "end of line expected");
    }
    if (s->u->overflow) {
        fail(s, "the unit is too large");
    }
    if (s->err || !*d) {
        return;
    }
    const IrOp *made = &s->u->ops[s->u->nops - 1];
    define(s, d, made->d);
    if (*e) {
        define(s, e, made->e);
    }
}

static void parse_line(Parser *s)
{
    if (at_end(s)) {
        return;
    }
    const char *start = s->p;
    Word d = word(s), e = { "" };
    if (accept(s, ",")) {
        e = word(s);
    }
    if (!accept(s, "=")) {
        s->p = start;
        d.s[0] = e.s[0] = 0;
    } else if (g_ascii_isdigit(d.s[0]) || g_ascii_isdigit(e.s[0])) {
        fail(s, "a value's name begins with a letter");
    }
    parse_op(s, d.s, e.s);
}

IrUnit *ir_parse(const IrArch *arch, const char *text, GError **err)
{
    Parser s = { .u = ir_unit_new(arch), .names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i] && !s.err; i++) {
        s.line = i + 1;
        s.p = lines[i];
        parse_line(&s);
    }
    if (!s.err && !s.u->ended) {
        s.p = "";
        fail(&s, "the unit has no exit at its end");
    }
    g_hash_table_unref(s.names);
    if (!s.err) {
        return s.u;
    }
    ir_unit_free(s.u);
    g_propagate_error(err, s.err);
    return NULL;
}
