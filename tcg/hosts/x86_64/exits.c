/* Leaving a unit: side exits, chaining, the jump cache.
 *
 * A direct exit is one jump with a 4-byte aligned displacement, which
 * host_patch() changes while other vcpus run; redundant prefixes do the
 * alignment.  A conditional one with nothing to write back is the jcc itself.
 * Everything else goes through a stub behind the unit:
 *
 *     EXIT    writes stale homes, then leaves as its kind says
 *     LINK    where an unlinked direct jump leads: rt->chain by a thunk, which sets the pc from the Jump
 */
#include "tcg/hosts/x86_64/cg.h"

static uint32_t pc_home(const Cg *c)
{
    return c->u->arch->regs[c->u->arch->pc_reg].offset;
}

/* Registers that need not be written at the exit. */
static void exit_except(const Cg *c, const IrExit *x, uint64_t out[IR_MAX_REGS / 64])
{
    memcpy(out, x->dead, sizeof(x->dead));
    if (x->kind == IRX_RAISE) {          /* its fault record covers everything */
        memset(out, 0xff, sizeof(x->dead));
    } else if (x->kind != IRX_LOOKUP && x->kind != IRX_LOOP_DYN) {
        out[c->u->arch->pc_reg / 64] |= (uint64_t)1 << (c->u->arch->pc_reg % 64);
    }
}

/* ---- cold writes ---- */

static void snapshot(Cg *c, Stub *s, const uint64_t *except)
{
    const Ra *ra = &c->ra;
    s->first_write = c->nwrites;
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w] & ~except[w]; m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (ra->pend_end[r] >= ra->i) {
                if (c->nwrites == c->writes_cap) {
                    c->writes_cap = MAX(2 * c->writes_cap, 256u);
                    c->writes = g_renew(HomeWrite, c->writes, c->writes_cap);
                }
                c->writes[c->nwrites++] = (HomeWrite){ c->u->arch->regs[r].offset, ra_loc(ra, ra->cur[r]) };
            }
        }
    }
    s->nwrites = c->nwrites - s->first_write;
}

/* Memory sources are read before any home is written: one home may be the place of another's value. */
static void emit_writes(Cg *c, const Stub *s)
{
    Emit *e = &c->e;
    const HomeWrite *w = &c->writes[s->first_write];
    for (unsigned i = 0; i < s->nwrites; i++) {
        if (w[i].loc.kind == RA_ENV) {
            x_op(e, 0xff, 6, rm_env(w[i].loc.off));      /* push */
        }
    }
    for (unsigned i = 0; i < s->nwrites; i++) {
        if (w[i].loc.kind == RA_REG) {
            x_store(e, 64, rm_env(w[i].off), w[i].loc.reg);
        } else if (w[i].loc.kind == RA_CONST) {
            host_ra_store_imm(&c->ra, w[i].off, w[i].loc.imm);
        }
    }
    for (unsigned i = s->nwrites; i-- > 0;) {
        if (w[i].loc.kind == RA_ENV) {
            x_op(e, 0x8f, 0, rm_env(w[i].off));          /* pop */
        }
    }
}

/* ---- the ways out ---- */

/* cc < 0: unconditional */
static void patchable_jump(Cg *c, const IrExit *x, int cc)
{
    Emit *e = &c->e;
    Jump *j = &c->b->jumps[c->njumps++];
    unsigned len = cc < 0 ? 1 : 2;
    while (((uintptr_t)e->p + len) & 3) {
        x_byte(e, 0x2e);                 /* a segment override that means nothing in 64-bit mode */
    }
    Stub *s = cg_stub(c, STUB_LINK);
    s->from[0] = cc < 0 ? x_jmp(e) : x_jcc(e, cc);
    s->jump = j;
    *j = (Jump){ .from = c->b, .site = (uint8_t *)x_here(e) - 4, .pc = x->pc, .flags = x->flags };
}

void cg_link_stub(Cg *c, const Stub *s)
{
    x_patch(&c->e, s->from[0]);
    s->jump->stub = x_here(&c->e);
    x_movi(&c->e, R11, (uint64_t)(uintptr_t)s->jump);
    x_jmp_to(&c->e, c->hs->chain);
}

/* 10 to 12 instructions if the jump cache has the target. */
static void leave_indirect(Cg *c, RaLoc target)
{
    Emit *e = &c->e;
    int v = R11, t0 = R12, t1 = R13;
    switch (target.kind) {
    case RA_REG:
        v = target.reg;
        break;
    case RA_ENV:
        x_mov(e, 64, v, rm_env(target.off));
        break;
    default:
        x_movi(e, v, target.imm);
    }
    x_store(e, 64, rm_env(pc_home(c)), v);
    x_alui(e, X_CMP, 32, rm_env(offsetof(TcgEnv, exit_request)), 0);
    x_jcc_to(e, CC_NE, c->hs->epilogue);
    if (c->u->pc_bias) {
        x_lea(e, 32, t0, rm_mem(v, -1, 0, (int32_t)c->u->pc_bias));
    } else if (v == R11 || v == R12 || v == R13) {       /* temporaries are free now */
        t0 = v;
        t1 = v == R13 ? R12 : R13;
    } else {
        x_mov_rr(e, 64, t0, v);
    }
    x_mov_rr(e, 32, t1, t0);
    x_alui(e, X_AND, 32, rm_reg(t1), JC_SIZE - 1);
    x_shifti(e, X_SHL, 32, t1, 4);
    x_alu(e, X_XOR, 64, t0, rm_env(offsetof(TcgEnv, jc_salt)));
    x_alu(e, X_CMP, 64, t0, rm_mem(RBP, t1, 0, (int32_t)ENV_JC - ENV_BIAS));
    x_jcc_to(e, CC_NE, c->hs->lookup);
    x_op(e, 0xff, 4, rm_mem(RBP, t1, 0, (int32_t)ENV_JC - ENV_BIAS + 8));
}

static void leave_raise(Cg *c, const IrExit *x, unsigned record)
{
    for (unsigned i = 0; i < 2; i++) {
        host_ra_store_imm(&c->ra, ENV_SCRATCH + (uint32_t)(offsetof(TcgScratch, slow_arg) + 8 * i), x->arg[i]);
    }
    x_call_to(&c->e, c->hs->helper[x->helper]);
    cg_record_at(c, record, x_here(&c->e));
    x_jmp_to(&c->e, c->hs->epilogue);    /* it does not come back */
}

static void leave(Cg *c, const IrExit *x, RaLoc target, unsigned record)
{
    switch ((IrExitKind)x->kind) {
    case IRX_DIRECT:
        patchable_jump(c, x, -1);
        break;
    case IRX_INDIRECT:
        leave_indirect(c, target);
        break;
    case IRX_LOOKUP:
        x_jmp_to(&c->e, c->hs->probe);
        break;
    case IRX_LOOP:
        host_ra_store_imm(&c->ra, pc_home(c), x->pc);
        x_jmp_to(&c->e, c->hs->epilogue);
        break;
    case IRX_LOOP_DYN:
        x_jmp_to(&c->e, c->hs->epilogue);
        break;
    case IRX_RAISE:
        leave_raise(c, x, record);
        break;
    }
}

void cg_exit_stub(Cg *c, const Stub *s)
{
    x_patch(&c->e, s->from[0]);
    emit_writes(c, s);
    leave(c, &c->u->exits[s->exit], s->target, s->record);
}

/* ---- ops ---- */

/* The exit that directly follows op i, or NULL. */
static const IrExit *next_exit(const Cg *c)
{
    for (unsigned i = c->ra.i + 1; i < c->u->nops; i++) {
        const IrOp *o = &c->u->ops[i];
        if (o->op == IR_exit) {
            return &c->u->exits[o->x];
        }
        if (o->op != IR_nop && o->op != IR_insn && !ra_dead_op(&c->ra, i)) {
            break;
        }
    }
    return NULL;
}

/* Homes that both this exit and the one right behind it want are written once, before the compare. */
static void write_common(Cg *c, const uint64_t *except)
{
    const IrExit *next = next_exit(c);
    if (next) {
        uint64_t both[IR_MAX_REGS / 64];
        exit_except(c, next, both);
        for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
            both[w] |= except[w];
        }
        ra_flush_all(&c->ra, both);
    }
}

static void side_exit(Cg *c, unsigned exit, const uint64_t *except, int cc)
{
    const IrExit *x = &c->u->exits[exit];
    Stub *s = cg_stub(c, STUB_EXIT);
    snapshot(c, s, except);
    if (x->kind == IRX_DIRECT && !s->nwrites) {
        c->nstubs--;
        patchable_jump(c, x, cc);
        return;
    }
    s->exit = exit;
    if (x->kind == IRX_INDIRECT) {
        s->target = ra_loc(&c->ra, x->val);
    } else if (x->kind == IRX_RAISE) {
        s->record = cg_record(c, NULL, NULL);
    }
    s->from[0] = x_jcc(&c->e, cc);
}

static void emit_br(Cg *c, const IrOp *o)
{
    unsigned exit = o->x >> 4;
    uint64_t except[IR_MAX_REGS / 64];
    exit_except(c, &c->u->exits[exit], except);
    write_common(c, except);
    int cc = cg_condition(c, o, o->x & 15);
    side_exit(c, exit, except, cc);
}

/* Does the exit right behind a poll that leaves with the pc in its home test exit_request itself? */
static bool next_polls(const Cg *c, const IrExit *x)
{
    const IrExit *next = next_exit(c);
    return next && x->kind == IRX_LOOP_DYN &&
           (next->kind == IRX_LOOKUP || (next->kind == IRX_INDIRECT && c->ra.cur[c->u->arch->pc_reg] == next->val));
}

static void emit_poll(Cg *c, const IrOp *o)
{
    if (next_polls(c, &c->u->exits[o->x])) {
        return;
    }
    uint64_t except[IR_MAX_REGS / 64];
    exit_except(c, &c->u->exits[o->x], except);
    write_common(c, except);
    cg_flags_lost(c);
    x_alui(&c->e, X_CMP, 32, rm_env(offsetof(TcgEnv, exit_request)), 0);
    side_exit(c, o->x, except, CC_NE);
}

static void emit_exit(Cg *c, const IrOp *o)
{
    const IrExit *x = &c->u->exits[o->x];
    uint64_t except[IR_MAX_REGS / 64];
    RaLoc target = { .kind = RA_CONST };
    unsigned record = 0;
    exit_except(c, x, except);
    ra_flush_all(&c->ra, except);
    if (x->kind == IRX_INDIRECT) {
        target = ra_loc(&c->ra, x->val);
    } else if (x->kind == IRX_RAISE) {
        record = cg_record(c, NULL, NULL);
    }
    leave(c, x, target, record);
}

#define ROW(name) const HostOp host_op_##name = { .emit = emit_##name }
ROW(br); ROW(poll); ROW(exit);
