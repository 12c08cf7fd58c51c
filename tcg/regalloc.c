/* Register allocation: see regalloc.h for the model.
 *
 * Invariants of the forward pass
 *   in_reg[b][h] == v  <=>  bit h of val[v].regs
 *   mem[r] == v        <=   val[v].home == r + 1   (one of v's homes is remembered)
 *   stale r             =>  cur[r] is a value with a place, unless nobody can observe it any more
 *   pinned r            =>  its host register holds the guest's value, or (between the definition of a hinted value and
 *                           its put, where nobody looks) the value about to be put
 */
#include "tcg/regalloc.h"

#include <string.h>

/* ---- pre-pass ---- */

typedef struct Scan {
    Ra *ra;
    uint64_t unseen[IR_MAX_REGS / 64];   /* of RaMap.homed: no observer since (in program order: before) the next put */
    uint16_t observer[IR_MAX_REGS];
    IrVal hint_val[IR_MAX_REGS];
    unsigned hint_epoch[IR_MAX_REGS], epoch;
} Scan;

static void scan_observe(Scan *s, unsigned i, unsigned word, uint64_t regs)
{
    uint64_t m = s->unseen[word] & regs;
    s->unseen[word] &= ~regs;
    for (; m; m &= m - 1) {
        s->observer[word * 64 + (unsigned)__builtin_ctzll(m)] = (uint16_t)i;
    }
}

static void scan_observe_all(Scan *s, unsigned i, const uint64_t *except)
{
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        scan_observe(s, i, w, except ? ~except[w] : ~(uint64_t)0);
    }
}

static void scan_use(Scan *s, IrVal v, unsigned last, unsigned flags)
{
    RaVal *rv = &s->ra->val[v];
    if (v && !s->ra->u->vals[v].is_const) {
        rv->nuse++;
        rv->not_addr |= flags;
        rv->last = (uint16_t)MAX(rv->last, last);
    }
}

enum { USE_OTHER = 1, USE_ADDR = 2 };    /* bits of not_addr */

/* The op whose comparison a br, setc or sel repeats: (setc ...) != 0. */
static unsigned scan_fused(const IrUnit *u, const IrOp *o)
{
    unsigned cond = o->op == IR_br ? o->x & 15 : o->x;
    if ((cond != IRC_EQ && cond != IRC_NE) || !u->vals[o->b].is_const || u->vals[o->b].imm || u->vals[o->a].is_const) {
        return 0;
    }
    const IrOp *def = &u->ops[u->vals[o->a].def];
    return def->op == IR_setc && def->d == o->a ? u->vals[o->a].def + 1u : 0;
}

static bool fits_disp(const IrUnit *u, IrVal v, unsigned w, bool minus)
{
    if (!v) {
        return true;
    }
    if (!u->vals[v].is_const) {
        return false;
    }
    int64_t d = minus ? -(int64_t)u->vals[v].imm : (int64_t)u->vals[v].imm;
    return w == 32 || d == (int32_t)d;
}

/* Can the op be computed as an x86-like address (base + index << scale + disp), and is that all it is for? */
static bool scan_lazy(const IrUnit *u, const IrOp *o, const RaVal *d)
{
    if (d->not_addr != USE_ADDR) {
        return false;
    }
    switch (o->op) {
    case IR_add:
        return fits_disp(u, o->b, o->w, false) || !u->vals[o->b].is_const;
    case IR_sub:
        return u->vals[o->b].is_const && fits_disp(u, o->b, o->w, true);
    case IR_lea:
        return fits_disp(u, o->c, o->w, false) && o->x <= 3;
    }
    return false;
}

static bool droppable(const IrOp *o)
{
    return ir_op_info[o->op].flags & IRF_PURE || o->op == IR_get || o->op == IR_getv;
}

static void scan_put(Scan *s, const IrOp *o, unsigned i)
{
    Ra *ra = s->ra;
    unsigned r = o->x, word = r / 64;
    uint64_t bit = (uint64_t)1 << (r % 64);
    bool pinned = ra->map->pin[r] != RA_NONE;
    if (ra->map->homed[word] & bit) {
        ra->info[i] = s->unseen[word] & bit ? 0 : s->observer[r];
        s->unseen[word] |= bit;
    }
    scan_use(s, o->a, i, pinned ? 0 : USE_OTHER);
    if (pinned) {
        s->hint_val[r] = o->a;
        s->hint_epoch[r] = s->epoch;
        ra->val[o->a].hint = (uint8_t)(r + 1);
        ra->val[o->a].made = (uint16_t)i;
    }
}

static void scan_result(Scan *s, IrVal d)
{
    RaVal *v = &s->ra->val[d];
    if (d && v->hint && (s->hint_val[v->hint - 1] != d || s->hint_epoch[v->hint - 1] != s->epoch)) {
        v->hint = 0;
    }
}

static void scan_operands(Scan *s, const IrOp *o, unsigned i)
{
    Ra *ra = s->ra;
    unsigned flags = ir_op_info[o->op].flags;
    if (o->op == IR_br || o->op == IR_setc || o->op == IR_sel) {
        unsigned f = scan_fused(ra->u, o);
        const IrOp *cmp = f ? &ra->u->ops[f - 1] : o;
        ra->info[i] = (uint16_t)f;
        scan_use(s, cmp->a, i, USE_OTHER);
        scan_use(s, cmp->b, i, USE_OTHER);
    } else if (o->d && scan_lazy(ra->u, o, &ra->val[o->d])) {
        RaVal *d = &ra->val[o->d];
        d->lazy = 1;
        d->hint = 0;
        unsigned last = d->made ? d->made : d->last;
        scan_use(s, o->a, last, USE_OTHER);
        scan_use(s, o->b, last, USE_OTHER);
        return;
    } else {
        scan_use(s, o->a, i, flags & IRF_MEM ? USE_ADDR : USE_OTHER);
        scan_use(s, o->b, i, USE_OTHER);
    }
    scan_use(s, o->c, i, USE_OTHER);
    scan_use(s, o->f, i, USE_OTHER);
}

/* Who can see guest registers at this op? */
static void scan_observers(Scan *s, const IrOp *o, unsigned i)
{
    const IrUnit *u = s->ra->u;
    unsigned flags = ir_op_info[o->op].flags;
    if (o->op == IR_call) {
        s->epoch++;
        if (u->arch->helpers[o->x].flags & (IRH_READ | IRH_WRITE | IRH_FAULT | IRH_NORETURN)) {
            scan_observe_all(s, i, NULL);
        }
    } else if (flags & IRF_EXIT) {
        const IrExit *x = &u->exits[o->op == IR_br ? o->x >> 4 : o->x];
        s->epoch++;
        scan_observe_all(s, i, x->kind == IRX_RAISE ? NULL : x->dead);
        scan_use(s, x->kind == IRX_INDIRECT ? x->val : IR_NONE, i, USE_OTHER);
    } else if (flags & IRF_FAULT) {
        s->epoch++;
        scan_observe_all(s, i, NULL);
    } else if (o->op == IR_get || o->op == IR_getv) {
        scan_observe(s, i, o->x / 64, (uint64_t)1 << (o->x % 64));
        s->hint_val[o->x] = 0;
    }
}

void ra_begin(Ra *ra, const RaMap *map, const IrUnit *u)
{
    size_t regs = map->arch->nregs * sizeof(ra->cur[0]);
    memset(ra->in_reg, 0, sizeof(ra->in_reg));
    memset(ra->cur, 0, regs);
    memset(ra->mem, 0, regs);
    memset(ra->stale, 0, sizeof(ra->stale));             /* pend_end counts only where it is stale */
    memset(ra->nslots, 0, sizeof(ra->nslots));
    memset(ra->val, 0, u->nvals * sizeof(ra->val[0]));
    memset(ra->info, 0, u->nops * sizeof(ra->info[0]));
    ra->map = map;
    ra->u = u;
    ra_op(ra, 0);
    Scan s;                              /* its arrays count only where unseen or RaVal.hint say so */
    s.ra = ra;
    s.epoch = 0;
    memcpy(s.unseen, map->homed, sizeof(s.unseen));
    for (unsigned i = u->nops; i-- > 0;) {
        const IrOp *o = &u->ops[i];
        scan_result(&s, o->d);
        scan_result(&s, o->e);
        if (droppable(o) && !ra->val[o->d].nuse && !(o->e && ra->val[o->e].nuse)) {
            ra->info[i] = RA_DEAD;
            continue;
        }
        scan_observers(&s, o, i);
        if (o->op == IR_put || o->op == IR_putv) {
            scan_put(&s, o, i);
        } else {
            scan_operands(&s, o, i);
        }
    }
}

/* ---- who is needed ---- */

static int bank_of(const Ra *ra, IrVal v)
{
    return ra->u->vals[v].type == IR_VEC ? BANK_VEC : BANK_INT;
}

/* Is some put of v, whose home is stale, observable at op `from` or later? */
static bool pending(const Ra *ra, IrVal v, unsigned from)
{
    if (!ra->val[v].npend) {
        return false;
    }
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w]; m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (ra->cur[r] == v && ra->pend_end[r] >= from) {
                return true;
            }
        }
    }
    return false;
}

static bool needed(const Ra *ra, IrVal v, unsigned from)
{
    return v && !ra->u->vals[v].is_const && (ra->val[v].last >= from || pending(ra, v, from));
}

bool ra_dies(const Ra *ra, IrVal v)
{
    return !needed(ra, v, ra->i + 1);
}

bool ra_waits(const Ra *ra, IrVal v)
{
    return pending(ra, v, ra->i);
}

bool ra_reusable(const Ra *ra, int bank, int h)
{
    IrVal v = ra->in_reg[bank][h];
    return ra->map->temps[bank] >> h & 1 && (!v || ra_dies(ra, v));
}

/* ---- places ---- */

static void unmap(Ra *ra, int bank, int h)
{
    IrVal v = ra->in_reg[bank][h];
    ra->val[v].regs &= (uint16_t)~(1u << h);
    ra->in_reg[bank][h] = IR_NONE;
}

void ra_bind(Ra *ra, IrVal d, int h)
{
    int bank = bank_of(ra, d);
    unmap(ra, bank, h);
    ra->in_reg[bank][h] = d;
    ra->val[d].regs |= (uint16_t)(1u << h);
    ra->locked[bank] |= (uint16_t)(1u << h);
}

static bool placed_besides(const Ra *ra, IrVal v, int h)
{
    const RaVal *rv = &ra->val[v];
    return (h < 0 ? rv->regs : rv->regs & ~(1u << h)) || rv->slot || rv->home || ra->u->vals[v].is_const;
}

RaLoc ra_loc(const Ra *ra, IrVal v)
{
    const RaVal *rv = &ra->val[v];
    if (ra->u->vals[v].is_const) {
        return (RaLoc){ .kind = RA_CONST, .imm = ra->u->vals[v].imm };
    }
    if (rv->regs) {
        return (RaLoc){ .kind = RA_REG, .reg = __builtin_ctz(rv->regs) };
    }
    if (rv->lazy) {
        return (RaLoc){ .kind = RA_LAZY };
    }
    if (rv->home) {
        return (RaLoc){ .kind = RA_ENV, .off = ra->map->arch->regs[rv->home - 1].offset };
    }
    int bank = bank_of(ra, v);
    g_assert(rv->slot);
    return (RaLoc){ .kind = RA_ENV, .off = ra->map->slot_off[bank] + (rv->slot - 1u) * ra->map->slot_size[bank] };
}

static void drop_pending(Ra *ra, unsigned r)
{
    if (ra_is_stale(ra, r)) {
        ra->val[ra->cur[r]].npend--;
        ra->stale[r / 64] &= ~((uint64_t)1 << (r % 64));
    }
}

/* Forgets the content of h, which nothing needs: puts of it that nobody can see any more are dropped. */
static void ra_forget(Ra *ra, int bank, int h)
{
    IrVal v = ra->in_reg[bank][h];
    unmap(ra, bank, h);
    if (!v || !ra->val[v].npend || placed_besides(ra, v, -1)) {
        return;
    }
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w]; m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (ra->cur[r] == v) {
                drop_pending(ra, r);
                ra->cur[r] = IR_NONE;
            }
        }
    }
}

/* A temporary that holds nothing needed, or -1. */
static int idle_tmp(const Ra *ra, int bank, int besides)
{
    for (uint16_t m = ra->map->temps[bank] & (uint16_t)~ra->locked[bank]; m; m &= (uint16_t)(m - 1)) {
        int t = __builtin_ctz(m);
        if (t != besides && !needed(ra, ra->in_reg[bank][t], ra->i)) {
            return t;
        }
    }
    return -1;
}

/* Memory to memory, evicting nothing: a busy register is lent for it. */
static void copy_mem(Ra *ra, int bank, uint32_t to, uint32_t from)
{
    int t = idle_tmp(ra, bank, -1);
    if (t >= 0) {
        ra_forget(ra, bank, t);
        host_ra_load(ra, bank, t, from);
        host_ra_store(ra, bank, to, t);
        return;
    }
    t = __builtin_ctz(ra->map->temps[bank]);
    host_ra_store(ra, bank, ra->map->lend_off[bank], t);
    host_ra_load(ra, bank, t, from);
    host_ra_store(ra, bank, to, t);
    host_ra_load(ra, bank, t, ra->map->lend_off[bank]);
}

static unsigned slot_new(Ra *ra, int bank, IrVal v)
{
    unsigned n = ra->nslots[bank], s = 0;
    while (s < n && needed(ra, ra->slot_val[bank][s], ra->i)) {
        s++;
    }
    if (s < n) {
        ra->val[ra->slot_val[bank][s]].slot = 0;
    } else {
        g_assert(s < ra->map->nslots[bank]);
        ra->nslots[bank]++;
    }
    ra->slot_val[bank][s] = v;
    ra->val[v].slot = (uint8_t)(s + 1);
    return ra->map->slot_off[bank] + s * ra->map->slot_size[bank];
}

static void spill(Ra *ra, int bank, int h)
{
    host_ra_store(ra, bank, slot_new(ra, bank, ra->in_reg[bank][h]), h);
}

/* Home r is going to be overwritten: a value that is nowhere else moves to a spill slot or an idle temporary. */
static void save_home(Ra *ra, unsigned r, IrVal by)
{
    IrVal v = ra->mem[r];
    ra->mem[r] = IR_NONE;
    if (!v || ra->val[v].home != r + 1) {
        return;
    }
    ra->val[v].home = 0;
    if (v == by || !needed(ra, v, ra->i) || placed_besides(ra, v, -1)) {
        return;
    }
    uint32_t off = ra->map->arch->regs[r].offset;
    int bank = bank_of(ra, v), t = idle_tmp(ra, bank, -1);
    if (t < 0) {
        copy_mem(ra, bank, slot_new(ra, bank, v), off);
        return;
    }
    uint16_t locked = ra->locked[bank];
    ra_forget(ra, bank, t);
    host_ra_load(ra, bank, t, off);
    ra_bind(ra, v, t);
    ra->locked[bank] = locked;
}

static void home_holds(Ra *ra, unsigned r, IrVal v)
{
    ra->mem[r] = v;
    if (!ra->u->vals[v].is_const) {
        ra->val[v].home = (uint8_t)(r + 1);
    }
}

void ra_flush(Ra *ra, unsigned r)
{
    uint32_t off = ra->map->arch->regs[r].offset;
    IrVal v = ra->cur[r];
    save_home(ra, r, v);
    RaLoc l = ra_loc(ra, v);
    switch (l.kind) {
    case RA_CONST:
        host_ra_store_imm(ra, off, l.imm);
        break;
    case RA_REG:
        host_ra_store(ra, BANK_INT, off, l.reg);
        break;
    case RA_ENV:
        copy_mem(ra, BANK_INT, off, l.off);
        break;
    case RA_LAZY:
        g_assert_not_reached();
    }
    drop_pending(ra, r);
    home_holds(ra, r, v);
}

void ra_flush_all(Ra *ra, const uint64_t *except)
{
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w] & (except ? ~except[w] : ~(uint64_t)0); m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (ra->pend_end[r] >= ra->i) {
                ra_flush(ra, r);
            }
        }
    }
}

/* v is about to lose register h: gives it another place if it is needed from op `from` on. */
static void save(Ra *ra, int bank, int h, unsigned from)
{
    IrVal v = ra->in_reg[bank][h];
    if (!v || placed_besides(ra, v, h)) {
        return;
    }
    /* a home that waits for it is the best place */
    for (unsigned w = 0; ra->val[v].npend && w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w]; m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (ra->cur[r] != v) {
                continue;
            }
            if (ra->pend_end[r] >= from) {
                if (!ra->val[v].home) {
                    ra_flush(ra, r);
                }
            } else {
                drop_pending(ra, r);
                ra->cur[r] = IR_NONE;
            }
        }
    }
    if (!needed(ra, v, from) || placed_besides(ra, v, h)) {
        return;
    }
    int t = idle_tmp(ra, bank, h);
    if (t < 0) {
        spill(ra, bank, h);
        return;
    }
    uint16_t locked = ra->locked[bank];
    ra_forget(ra, bank, t);
    host_ra_mov(ra, bank, t, h);
    ra_bind(ra, v, t);
    ra->locked[bank] = locked;
}

void ra_lose(Ra *ra, int bank, int h)
{
    save(ra, bank, h, ra->i + 1);
    unmap(ra, bank, h);
}

void ra_keep(Ra *ra, int bank, int h)
{
    save(ra, bank, h, ra->i + 1);
}

void ra_take(Ra *ra, int bank, int h)
{
    save(ra, bank, h, ra->i + 1);
    unmap(ra, bank, h);
    ra->locked[bank] |= (uint16_t)(1u << h);
}

/* How much it hurts to take temporary h: 0 nothing, 1 another copy exists, then by how soon it is needed. */
static unsigned price(const Ra *ra, int bank, int h)
{
    IrVal v = ra->in_reg[bank][h];
    if (!needed(ra, v, ra->i)) {
        return 0;
    }
    return placed_besides(ra, v, h) ? 1 : 2u + 0xffffu - ra->val[v].last;
}

int ra_tmp_in(Ra *ra, int bank, uint16_t mask)
{
    int best = -1;
    unsigned best_price = ~0u;
    for (uint16_t m = mask & (uint16_t)~ra->locked[bank]; m; m &= (uint16_t)(m - 1)) {
        int h = __builtin_ctz(m);
        unsigned p = price(ra, bank, h);
        if (p < best_price) {
            best = h;
            best_price = p;
        }
    }
    g_assert(best >= 0);
    ra->locked[bank] |= (uint16_t)(1u << best);
    save(ra, bank, best, ra->i);
    unmap(ra, bank, best);
    return best;
}

int ra_tmp(Ra *ra, int bank)
{
    return ra_tmp_in(ra, bank, ra->map->temps[bank]);
}

int ra_use(Ra *ra, IrVal v)
{
    int bank = bank_of(ra, v);
    if (ra->val[v].regs) {
        int h = __builtin_ctz(ra->val[v].regs);
        ra->locked[bank] |= (uint16_t)(1u << h);
        return h;
    }
    int h = ra_tmp(ra, bank);
    RaLoc l = ra_loc(ra, v);             /* making room may have moved it */
    switch (l.kind) {
    case RA_CONST:
        host_ra_movi(ra, h, l.imm);
        break;
    case RA_LAZY:
        host_ra_lazy(ra, h, v);
        ra->val[v].lazy = 0;
        break;
    case RA_ENV:
        host_ra_load(ra, bank, h, l.off);
        break;
    case RA_REG:
        host_ra_mov(ra, bank, h, l.reg);
        break;
    }
    ra_bind(ra, v, h);
    return h;
}

/* ---- results ---- */

int ra_hint(const Ra *ra, IrVal d)
{
    return ra->val[d].hint ? ra->map->pin[ra->val[d].hint - 1] : -1;
}

int ra_def(Ra *ra, IrVal d, int prefer)
{
    int bank = bank_of(ra, d), h = ra_hint(ra, d);
    if (h < 0 && prefer >= 0 && ra_reusable(ra, bank, prefer)) {
        h = prefer;
    }
    if (h >= 0) {
        ra_lose(ra, bank, h);
    } else {
        h = ra_tmp(ra, bank);
    }
    ra_bind(ra, d, h);
    return h;
}

/* ---- guest registers ---- */

/* v from wherever it is into h; says where it was. */
static RaKind bring(Ra *ra, int bank, int h, IrVal v)
{
    RaLoc l = ra_loc(ra, v);
    switch (l.kind) {
    case RA_CONST:
        host_ra_movi(ra, h, l.imm);
        break;
    case RA_REG:
        host_ra_mov(ra, bank, h, l.reg);
        break;
    case RA_ENV:
        host_ra_load(ra, bank, h, l.off);
        break;
    case RA_LAZY:
        host_ra_lazy(ra, h, v);
        break;
    }
    return l.kind;
}

static void copy_known(Ra *ra, IrVal d, IrVal from)
{
    int bank = bank_of(ra, d), h = ra_tmp(ra, bank);
    bring(ra, bank, h, from);
    ra_bind(ra, d, h);
}

void ra_get(Ra *ra, IrVal d, unsigned r)
{
    int bank = bank_of(ra, d), h = ra->map->pin[r];
    if (ra->cur[r]) {
        copy_known(ra, d, ra->cur[r]);
        return;
    }
    if (h != RA_NONE) {
        uint16_t locked = ra->locked[bank];
        ra_bind(ra, d, h);
        ra->locked[bank] = locked;
    } else {
        home_holds(ra, r, d);
    }
    ra->cur[r] = d;
}

static void put_pinned(Ra *ra, unsigned r, IrVal v, int bank, int h)
{
    if (ra->in_reg[bank][h] != v) {
        save(ra, bank, h, ra->i + 1);
        if (bring(ra, bank, h, v) == RA_LAZY)
            ra->val[v].lazy = 0;
        ra_bind(ra, v, h);
    }
    ra->cur[r] = v;
}

static void put_home(Ra *ra, unsigned r, IrVal v)
{
    drop_pending(ra, r);
    ra->cur[r] = IR_NONE;
    if (!ra->info[ra->i]) {
        return;                          /* nobody looks */
    }
    ra->cur[r] = v;
    if (ra->mem[r] != v) {
        ra->stale[r / 64] |= (uint64_t)1 << (r % 64);
        ra->pend_end[r] = ra->info[ra->i];
        ra->val[v].npend++;
    }
}

static void put_home_vec(Ra *ra, unsigned r, IrVal v)
{
    int h = ra_use(ra, v);
    save_home(ra, r, v);
    host_ra_store(ra, BANK_VEC, ra->map->arch->regs[r].offset, h);
    home_holds(ra, r, v);
    ra->cur[r] = v;
}

void ra_put(Ra *ra, unsigned r, IrVal v)
{
    int bank = bank_of(ra, v), h = ra->map->pin[r];
    if (h != RA_NONE) {
        put_pinned(ra, r, v, bank, h);
    } else if (bank == BANK_VEC) {
        put_home_vec(ra, r, v);
    } else {
        put_home(ra, r, v);
    }
}

/* ---- calls that write guest registers: temporaries and spill slots survive, nothing else does ---- */

void ra_before_write(Ra *ra)
{
    ra_flush_all(ra, NULL);
    for (int bank = 0; bank < RA_BANKS; bank++) {
        for (int h = 0; h < RA_REGS; h++) {
            IrVal v = ra->in_reg[bank][h];
            const RaVal *rv = &ra->val[v];
            if (v && needed(ra, v, ra->i + 1) && !(rv->regs & ra->map->temps[bank]) && !rv->slot) {
                spill(ra, bank, h);
            }
        }
    }
    for (unsigned r = 0; r < ra->map->arch->nregs; r++) {
        IrVal v = ra->mem[r];
        const RaVal *rv = &ra->val[v];
        int bank = bank_of(ra, v);
        if (v && rv->home == r + 1 && needed(ra, v, ra->i + 1) && !rv->slot && !(rv->regs & ra->map->temps[bank])) {
            copy_mem(ra, bank, slot_new(ra, bank, v), ra->map->arch->regs[r].offset);
        }
    }
}

void ra_after_write(Ra *ra)
{
    for (int bank = 0; bank < RA_BANKS; bank++) {
        for (int h = 0; h < RA_REGS; h++) {
            if (!(ra->map->temps[bank] >> h & 1)) {
                unmap(ra, bank, h);
            }
        }
    }
    for (unsigned r = 0; r < ra->map->arch->nregs; r++) {
        drop_pending(ra, r);
        ra->val[ra->mem[r]].home = 0;
        ra->mem[r] = ra->cur[r] = IR_NONE;
    }
}
