/* Removing what nobody looks at: one pass from the end of a unit to its start.
 *
 * Going backwards, `live` holds the registers whose value at this point may
 * still be looked at, and `used[v]` how often v is an operand of ops that
 * stay.  An op without another effect goes if its results are unused; a put
 * goes if its register is not live.
 *
 *  op                  live before it
 *  exit, br, poll      everything but exit.dead (and the pc, where the exit sets it anyway)
 *  put r               without r
 *  get r               with r
 *  may fault           everything: the fault's state is complete
 *  call                what IRH_READ (and IRH_VEC) says; IRH_FAULT: everything.  Registers that it writes may be
 *                      written in part, so they stay as they are
 *  insn                without the pc, which is this instruction's from here on
 *
 * A pure `and` whose only reader compares it with 0 becomes the reader's own
 * test (tstz, tstnz) here, where its uses are known.
 *
 * The array is then closed up, so later passes see no holes.
 */
#include <string.h>

#include "tcg/fold.h"
#include "util/bits.h"

enum { REG_WORDS = IR_MAX_REGS / 64 };
typedef struct RegSet { uint64_t w[REG_WORDS]; } RegSet;

typedef struct Dead {
    IrUnit *u;
    RegSet live;
    RegSet ints, vecs;                   /* all of a type */
    uint8_t used[IR_MAX_VALS];           /* 0, 1, 2: more */
    uint16_t reader[IR_MAX_VALS];        /* if used once: by this op */
} Dead;

static inline void use(Dead *s, IrVal v, unsigned by)
{
    if (v) {
        s->reader[v] = (uint16_t)by;
        s->used[v] += s->used[v] < 2;
    }
}

static void live_more(Dead *s, RegSet more)
{
    for (unsigned i = 0; i < REG_WORDS; i++) {
        s->live.w[i] |= more.w[i];
    }
}

static void all_live(Dead *s, bool vecs)
{
    live_more(s, s->ints);
    if (vecs) {
        live_more(s, s->vecs);
    }
}

static void live_at_exit(Dead *s, unsigned exit, unsigned by)
{
    const IrExit *x = &s->u->exits[exit];
    unsigned pc = s->u->arch->pc_reg;
    if (x->kind == IRX_RAISE) {
        all_live(s, true);
        return;
    }
    bool sets_pc = x->kind == IRX_DIRECT || x->kind == IRX_INDIRECT || x->kind == IRX_LOOP;
    RegSet more;
    for (unsigned i = 0; i < REG_WORDS; i++) {
        more.w[i] = (s->ints.w[i] | s->vecs.w[i]) & ~x->dead[i];
    }
    more.w[pc / 64] &= ~((uint64_t)sets_pc << (pc % 64));
    live_more(s, more);
    if (x->kind == IRX_INDIRECT) {
        use(s, x->val, by);
    }
}

static void live_at_call(Dead *s, const IrHelper *h)
{
    if (h->flags & IRH_FAULT) {
        all_live(s, true);
    } else if (h->flags & IRH_READ) {
        all_live(s, h->flags & IRH_VEC);
    }
}

/* Has the op no effect but its results? */
static bool removable(const IrUnit *u, const IrOp *o)
{
    if (ir_op_info[o->op].flags & IRF_PURE) {
        return true;
    }
    switch (o->op) {
    case IR_get: case IR_getv: case IR_lde: case IR_ldev:
        return true;
    case IR_call: {
        unsigned fl = u->arch->helpers[o->x].flags;
        return (fl & IRH_PURE) && !(fl & (IRH_FAULT | IRH_WRITE | IRH_NORETURN));
    }
    default:
        return false;
    }
}

/* and a, b; br eq that, 0  ->  br tstz a, b */
static bool joins_test(Dead *s, const IrOp *o)
{
    IrUnit *u = s->u;
    if (o->op != IR_and || s->used[o->d] != 1) {
        return false;
    }
    IrOp *r = &u->ops[s->reader[o->d]];
    bool cond = r->op == IR_br || r->op == IR_setc || r->op == IR_sel;
    if (!cond || r->a != o->d || r->b == o->d || (r->x & 15u) > IRC_NE || !ir_is_const(u, r->b) ||
        (ir_imm(u, r->b) & ir_ones(r->w))) {
        return false;
    }
    r->w = MIN(r->w, o->w);              /* the and has nothing above its width */
    r->x = (uint16_t)((r->x & ~15u) | ((r->x & 15u) == IRC_EQ ? IRC_TSTZ : IRC_TSTNZ));
    r->a = o->a;
    r->b = o->b;
    use(s, o->a, s->reader[o->d]);
    use(s, o->b, s->reader[o->d]);
    return true;
}

/* Goes over op i; false: it is not needed. */
static bool keep(Dead *s, unsigned i)
{
    IrUnit *u = s->u;
    IrOp *o = &u->ops[i];
    if (o->op == IR_nop || (removable(u, o) && !s->used[o->d] && !(o->e && s->used[o->e]))) {
        return false;
    }
    if (joins_test(s, o)) {
        return false;
    }
    switch (o->op) {
    case IR_put: case IR_putv:
        if (!(s->live.w[o->x / 64] >> (o->x % 64) & 1)) {
            return false;
        }
        s->live.w[o->x / 64] &= ~BIT(o->x % 64);
        break;
    case IR_get: case IR_getv:
        s->live.w[o->x / 64] |= BIT(o->x % 64);
        break;
    case IR_insn:
        s->live.w[u->arch->pc_reg / 64] &= ~BIT(u->arch->pc_reg % 64);
        break;
    case IR_call:
        live_at_call(s, &u->arch->helpers[o->x]);
        break;
    case IR_br:
        live_at_exit(s, o->x >> 4, i);
        break;
    case IR_poll: case IR_exit:
        live_at_exit(s, o->x, i);
        break;
    default:
        if (ir_op_info[o->op].flags & IRF_FAULT) {
            all_live(s, true);
        }
    }
    use(s, o->a, i);
    use(s, o->b, i);
    use(s, o->c, i);
    use(s, o->f, i);
    return true;
}

static void close_up(IrUnit *u)
{
    unsigned n = 0;
    while (n < u->nops && u->ops[n].op != IR_nop) {
        n++;
    }
    for (unsigned i = n; i < u->nops; i++) {
        const IrOp *o = &u->ops[i];
        if (o->op == IR_nop) {
            continue;
        }
        u->vals[o->d].def = u->vals[o->e].def = (uint16_t)n;
        if (o->op == IR_insn) {
            u->insns[o->x].op = (uint16_t)n;
        }
        u->ops[n++] = *o;
    }
    u->nops = n;
}

void ir_dead(IrUnit *u)
{
    Dead s;
    s.u = u;
    s.live = s.ints = s.vecs = (RegSet){ { 0 } };
    for (unsigned r = 0; r < u->arch->nregs; r++) {
        RegSet *set = u->arch->regs[r].type == IR_VEC ? &s.vecs : &s.ints;
        set->w[r / 64] |= BIT(r % 64);
    }
    memset(s.used, 0, u->nvals);
    for (unsigned i = u->nops; i-- > 0;) {
        if (!keep(&s, i)) {
            u->ops[i].op = IR_nop;
        }
    }
    close_up(u);
}
