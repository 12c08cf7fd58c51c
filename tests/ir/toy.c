/* The toy machine of the IR tests: see toy.h. */
#include "toy.h"

#include <inttypes.h>
#include <string.h>

#include "tcg/fold.h"
#include "util/bits.h"
#include "util/ldst.h"

typedef struct Toy {
    TcgEnv env;
    char pad[TOY_FIELD - sizeof(TcgEnv)];
    uint64_t fields[TOY_NFIELDS];
    IrVec vecs[TOY_NVEC];
    ToyMachine *m;
    ToyState *s;
    sigjmp_buf unwind;
    uint64_t trace;
    uint32_t fault;
    uint64_t fault_arg;
} Toy;
_Static_assert(offsetof(Toy, fields) == TOY_FIELD, "tests name env+0x400");
_Static_assert(sizeof(Toy) <= ENV_SCRATCH, "room");

struct ToyMachine {
    TcgCtx *tcg;
    Toy *toy;
    uint8_t *mem;                        /* page-aligned, as in ToyState.mem */
};

/* ---- registers ---- */

#define R(n, heat) { "r" #n, offsetof(TcgEnv, regs[n]), IR_INT, heat }
#define F(n) { "f" #n, offsetof(TcgEnv, regs[17 + n]), IR_INT, 255 }
#define V(n, heat) { "x" #n, offsetof(Toy, vecs[n]), IR_VEC, heat }
static const IrReg regs[] = {
    R(0, 0), R(1, 1), R(2, 2), R(3, 3), R(4, 4), R(5, 5), R(6, 6), R(7, 7), R(8, 8), R(9, 11), R(10, 13), R(11, 15),
    R(12, 9), R(13, 10), R(14, 12), R(15, 14),
    { "pc", offsetof(TcgEnv, regs[16]), IR_INT, 255 },
    F(0), F(1), F(2), F(3),
    V(0, 0), V(1, 1), V(2, 2), V(3, 3), V(4, 255), V(5, 5),
};
_Static_assert(ARRAY_LEN(regs) == TOY_NREGS, "as the header says");

/* ---- leaving ---- */

static Toy *toy_of(TcgEnv *env)
{
    return (Toy *)env;
}

static void G_GNUC_NORETURN toy_fault(TcgEnv *env, ToyFault kind, uint64_t arg)
{
    Toy *t = toy_of(env);
    if (!t->m->tcg->interp) {
        tcg_sync(t->m->tcg, env);
        host_abandon(t->m->tcg, env);
    }
    t->fault = kind;
    t->fault_arg = arg;
    siglongjmp(t->unwind, 1);
}

/* ---- helpers ---- */

static void note(TcgEnv *env, uint64_t v)
{
    Toy *t = toy_of(env);
    t->trace = (t->trace ^ v) * 0x100000001b3u + 1;
}

RHEA_GPR_ONLY static uint64_t h_mix3(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c)
{
    (void)env;
    return a * 3 + (b ^ c << 7);
}

RHEA_GPR_ONLY static uint64_t h_pure0(TcgEnv *env)
{
    (void)env;
    return 0x123456789abcdef0;
}

static uint64_t h_sum(TcgEnv *env, uint64_t a)
{
    for (unsigned i = 0; i < TOY_V0; i++) {
        a = a * 5 + (i == TOY_PC ? 0 : env->regs[i]);
    }
    return a;
}

static uint64_t h_wr(TcgEnv *env, uint64_t a)
{
    env->regs[1] = a + 1;
    env->regs[11] = ~a;
    return a ^ 0x55;
}

static void h_rw(TcgEnv *env, uint64_t a, uint64_t b)
{
    env->regs[3] += a;
    env->regs[9] ^= b;
    env->regs[18] = env->regs[2] - env->regs[14];
    note(env, env->regs[5]);
}

static void h_vrw(TcgEnv *env, uint64_t a)
{
    Toy *t = toy_of(env);
    t->vecs[1].u64[1] += a;
    t->vecs[4].u64[0] = t->vecs[0].u64[0] ^ env->regs[7];
    env->regs[2] += t->vecs[2].u32[3];
}

static void h_check(TcgEnv *env, uint64_t a)
{
    if ((a & 7) == 5) {
        toy_fault(env, TOY_HELPER, a);
    }
    note(env, a);
}

static uint64_t h_rwcheck(TcgEnv *env, uint64_t a)
{
    if ((a & 7) == 3) {
        toy_fault(env, TOY_HELPER, a);
    }
    env->regs[0] += 1;
    return env->regs[4] + a;
}

static void h_note(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
    note(env, a);
    note(env, b);
    note(env, c);
    note(env, f);
}

static void h_setpc(TcgEnv *env, uint64_t a)
{
    env->regs[TOY_PC] = a;
}

/* Compiled as usual: may use any host register. */
static uint64_t h_fpu(TcgEnv *env, uint64_t a)
{
    volatile double d = (double)(a & 0xffff);
    (void)env;
    return (uint64_t)(d * 1.5);
}

static void h_stop(TcgEnv *env, uint64_t a, uint64_t b)
{
    toy_fault(env, TOY_HELPER, a << 32 ^ b);
}

#define H(name, nargs, ret, flags) [TOYH_##name] = { #name, (void *)h_##name, nargs, ret, flags }
static const IrHelper helpers[] = {
    H(mix3, 3, true, IRH_PURE | IRH_GPR),
    H(pure0, 0, true, IRH_PURE | IRH_GPR),
    H(sum, 1, true, IRH_READ),
    H(wr, 1, true, IRH_WRITE),
    H(rw, 2, false, IRH_READ | IRH_WRITE),
    H(vrw, 1, false, IRH_READ | IRH_WRITE | IRH_VEC),
    H(check, 1, false, IRH_FAULT),
    H(rwcheck, 1, true, IRH_READ | IRH_WRITE | IRH_FAULT),
    H(note, 4, false, 0),
    H(setpc, 1, false, IRH_WRITE),
    H(fpu, 1, true, 0),
    H(stop, 2, false, IRH_FAULT | IRH_NORETURN),
};

const IrArch toy_arch = {
    .name = "toy", .regs = regs, .nregs = TOY_NREGS, .pc_reg = TOY_PC, .helpers = helpers, .nhelpers = TOYH_COUNT,
};

/* ---- memory ---- */

static uint8_t *at(TcgEnv *env, uint64_t addr, unsigned size, bool write)
{
    uint64_t off = addr - TOY_MEM, end = write ? TOY_MEM_SIZE : TOY_MEM_SIZE + TOY_ROM_SIZE;
    return off < end && size <= end - off ? toy_of(env)->m->mem + off : NULL;
}

/* The host address, or a fault at the first byte that cannot be accessed. */
static uint8_t *must(TcgEnv *env, uint64_t addr, unsigned memop, bool write)
{
    unsigned size = irm_size(memop);
    if ((memop & IRM_ALIGN) && (addr & (size - 1))) {
        toy_fault(env, TOY_ALIGN, addr);
    }
    uint8_t *p = at(env, addr, size, write);
    for (unsigned i = 0; !p && i < size; i++) {
        if (!at(env, addr + i, 1, write)) {
            toy_fault(env, write ? TOY_STORE : TOY_LOAD, addr + i);
        }
    }
    return p;
}

static uint64_t swapped(uint64_t v, unsigned memop)
{
    return memop & IRM_BSWAP ? __builtin_bswap64(v) >> (64 - 8 * irm_size(memop)) : v;
}

static uint64_t rt_ld(TcgEnv *env, uint64_t addr, unsigned memop)
{
    return swapped(ld_le(must(env, addr, memop, memop & IRM_RMW), irm_size(memop)), memop);
}

static void rt_st(TcgEnv *env, uint64_t addr, uint64_t val, unsigned memop)
{
    st_le(must(env, addr, memop, true), swapped(val, memop), irm_size(memop));
}

static void rt_ldv(TcgEnv *env, uint64_t addr, unsigned memop, uint64_t val[2])
{
    uint8_t buf[16] = { 0 };
    memcpy(buf, must(env, addr, memop, memop & IRM_RMW), irm_size(memop));
    val[0] = ld_le64(buf);
    val[1] = ld_le64(buf + 8);
}

static void rt_stv(TcgEnv *env, uint64_t addr, unsigned memop, const uint64_t val[2])
{
    uint8_t buf[16];
    st_le64(buf, val[0]);
    st_le64(buf + 8, val[1]);
    memcpy(must(env, addr, memop, true), buf, irm_size(memop));
}

static void rt_probe(TcgEnv *env, uint64_t addr, unsigned memop)
{
    must(env, addr, memop, true);
}

static uint64_t rt_rmw(TcgEnv *env, uint64_t addr, uint64_t val, unsigned memop)
{
    uint8_t *p = must(env, addr, memop, true);
    uint64_t old = ld_le(p, irm_size(memop)), v = 0;
    switch ((IrAtomic)(memop >> IRM_ATOMIC_SHIFT & 7)) {
    case IRA_ADD: v = old + val; break;
    case IRA_AND: v = old & val; break;
    case IRA_OR: v = old | val; break;
    case IRA_XOR: v = old ^ val; break;
    case IRA_XCHG: v = val; break;
    case IRA_SUB_REV: v = val - old; break;
    }
    st_le(p, v, irm_size(memop));
    return old;
}

static uint64_t rt_cas(TcgEnv *env, uint64_t addr, uint64_t expected, uint64_t desired, unsigned memop)
{
    uint8_t *p = must(env, addr, memop, true);
    uint64_t old = ld_le(p, irm_size(memop));
    if (old == (expected & ir_ones(8 * irm_size(memop)))) {
        st_le(p, desired, irm_size(memop));
    }
    return old;
}

static void G_GNUC_NORETURN rt_arith(TcgEnv *env)
{
    toy_fault(env, TOY_ARITH, 0);
}

/* Every other page is filled at its first miss, the rest stays slow. */
RHEA_GPR_ONLY static bool rt_refill(TcgEnv *env, uint64_t addr, unsigned memop, unsigned kind)
{
    uint64_t page = addr & ~(uint64_t)0xfff, off = page - TOY_MEM;
    uint64_t end = kind == TLB_WRITE ? TOY_MEM_SIZE : TOY_MEM_SIZE + TOY_ROM_SIZE;
    bool one_page = (addr & 0xfff) + irm_size(memop) <= 0x1000;
    if (off >= end || (page & 0x1000) || !one_page || ((memop & IRM_ALIGN) && (addr & (irm_size(memop) - 1)))) {
        return false;
    }
    TlbEntry *e = &env_tlb(env, irm_mode(memop), kind)[tlb_index(addr)];
    e->tag = page;
    e->host = (uint64_t)(uintptr_t)(toy_of(env)->m->mem + off);
    return true;
}

static const void *rt_chain(TcgEnv *env, Jump *j)
{
    (void)env;
    (void)j;
    return NULL;
}

static const void *rt_lookup(TcgEnv *env)
{
    (void)env;
    return NULL;
}

static const TcgRuntime runtime = {
    .ld = rt_ld, .st = rt_st, .ldv = rt_ldv, .stv = rt_stv, .probe = rt_probe, .rmw = rt_rmw, .cas = rt_cas,
    .arith = rt_arith, .refill = rt_refill, .chain = rt_chain, .lookup = rt_lookup,
};

/* ---- running ---- */

ToyMachine *toy_new(bool host, GError **err)
{
    TcgCtx *tcg = tcg_new(&toy_arch, &runtime, !host, 0, err);
    if (!tcg) {
        return NULL;
    }
    ToyMachine *m = g_new0(ToyMachine, 1);
    m->tcg = tcg;
    m->toy = (Toy *)env_alloc();
    m->toy->m = m;
    m->mem = g_aligned_alloc0(1, sizeof(((ToyState *)0)->mem), 4096);
    return m;
}

static void blocks_free(Block *b)
{
    while (b) {
        Block *next = b->seg_next;
        g_free(b->records);
        g_free(b->jumps);
        g_free(b);
        b = next;
    }
}

void toy_free(ToyMachine *m)
{
    for (unsigned i = 0; !m->tcg->interp && i < CODE_SEGMENTS; i++) {
        blocks_free(code_next_segment(m->tcg->buf));
    }
    env_free(&m->toy->env);
    tcg_free(m->tcg);
    g_aligned_free(m->mem);
    g_free(m);
}

static void load_state(ToyMachine *m, const ToyState *s)
{
    Toy *t = m->toy;
    memcpy(t->env.regs, s->regs, sizeof(s->regs));
    memcpy(t->vecs, s->vecs, sizeof(s->vecs));
    memcpy(t->fields, s->fields, sizeof(s->fields));
    memcpy(m->mem, s->mem, sizeof(s->mem));
    t->env.fpcr = s->fpcr;
    t->env.exit_request = s->exit_request;
    t->trace = s->trace;
    t->fault = TOY_NO_FAULT;
    t->fault_arg = 0;
}

static void save_state(const ToyMachine *m, ToyState *s)
{
    const Toy *t = m->toy;
    memcpy(s->regs, t->env.regs, sizeof(s->regs));
    memcpy(s->vecs, t->vecs, sizeof(s->vecs));
    memcpy(s->fields, t->fields, sizeof(s->fields));
    memcpy(s->mem, m->mem, sizeof(s->mem));
    s->fpcr = t->env.fpcr;
    s->trace = t->trace;
    s->fault = t->fault;
    s->fault_arg = t->fault_arg;
}

static void run_interp(ToyMachine *m, const IrUnit *u)
{
    uint64_t pc;
    if (!sigsetjmp(m->toy->unwind, 0)) {
        interp_run(m->tcg, &m->toy->env, u, &pc);
    }
}

static void run_code(ToyMachine *m, const uint8_t *code)
{
    if (!sigsetjmp(m->toy->unwind, 0)) {
        host_enter(m->tcg, &m->toy->env, code);
    }
}

/* Blocks stay until their segment of the code buffer is used again: faults are looked up in them. */
static bool run_host(ToyMachine *m, const IrUnit *u)
{
    Block *b = g_new0(Block, 1);
    b->gpa2 = UINT64_MAX;
    bool ok = host_compile(m->tcg, u, b);
    if (!ok) {                           /* the segment is full */
        blocks_free(code_next_segment(m->tcg->buf));
        ok = host_compile(m->tcg, u, b);
    }
    if (ok) {
        run_code(m, b->code);
    } else {
        g_free(b);
    }
    return ok;
}

bool toy_run(ToyMachine *m, const IrUnit *u, ToyState *s)
{
    bool ok = true;
    load_state(m, s);
    if (m->tcg->interp) {
        run_interp(m, u);
    } else {
        ok = run_host(m, u);
    }
    save_state(m, s);
    return ok;
}

/* ---- building again ---- */

typedef struct Rebuild {
    const IrUnit *u;
    IrUnit *n;
    IrVal map[IR_MAX_VALS];
} Rebuild;

static IrVal mapped(Rebuild *s, IrVal v)
{
    return !v ? IR_NONE : s->u->vals[v].is_const ? ir_const(s->n, s->u->vals[v].imm) : s->map[v];
}

static unsigned exit_again(Rebuild *s, unsigned index)
{
    IrExit x = s->u->exits[index];
    x.val = mapped(s, x.val);
    return ir_exit_new(s->n, x);
}

static void op_again(Rebuild *s, const IrOp *o)
{
    IrUnit *n = s->n;
    IrVal a = mapped(s, o->a), b = mapped(s, o->b), c = mapped(s, o->c), f = mapped(s, o->f);
    switch (o->op) {
    case IR_nop:
        break;
    case IR_insn:
        ir_insn(n, s->u->insns[o->x].pc);
        break;
    case IR_get: case IR_getv:
        s->map[o->d] = ir_get(n, o->x);
        break;
    case IR_put: case IR_putv:
        ir_put(n, o->x, a);
        break;
    case IR_call:
        s->map[o->d] = ir_call(n, o->x, a, b, c, f);
        break;
    case IR_br:
        ir_br(n, o->w, o->x & 15, a, b, exit_again(s, o->x >> 4));
        break;
    case IR_poll:
        ir_poll(n, exit_again(s, o->x));
        break;
    case IR_exit:
        ir_exit(n, exit_again(s, o->x));
        break;
    default:
        if (o->e) {
            s->map[o->d] = ir_emit2(n, o->op, o->w, o->x, a, b, c, &s->map[o->e]);
        } else {
            s->map[o->d] = ir_emit(n, o->op, o->w, o->x, a, b, c, f);
        }
    }
}

IrUnit *toy_rebuild(const IrUnit *u, const ToyState *st, uint32_t known)
{
    Rebuild s = { .u = u, .n = ir_unit_new(u->arch) };
    for (unsigned r = 0; r < TOY_V0; r++) {
        if (r != TOY_PC && (known & BIT(r))) {
            s.n->cur[r] = ir_const(s.n, st->regs[r]);
        }
    }
    for (unsigned i = 0; i < u->nops && !s.n->ended; i++) {
        op_again(&s, &u->ops[i]);
    }
    return s.n;
}

/* ---- comparing ---- */

/* The registers that do not matter after a leave to pc: of the exit that goes there, if there is one such. */
static uint64_t dead_regs(const IrUnit *u, const ToyState *s)
{
    uint64_t dead = 0;
    if (s->fault) {
        return 0;
    }
    for (unsigned i = 0; i < u->nexits; i++) {
        const IrExit *x = &u->exits[i];
        if (x->kind != IRX_DIRECT && x->kind != IRX_LOOP ? true : x->pc == s->regs[TOY_PC]) {
            dead |= x->dead[0];
        }
    }
    return dead;
}

char *toy_diff(const IrUnit *u, const ToyState *a, const ToyState *b)
{
    uint64_t dead = dead_regs(u, a);
    if (a->fault != b->fault || a->fault_arg != b->fault_arg) {
        return g_strdup_printf("fault %u:0x%" PRIx64 ", not %u:0x%" PRIx64, b->fault, b->fault_arg, a->fault,
                               a->fault_arg);
    }
    if (a->regs[TOY_PC] != b->regs[TOY_PC]) {
        return g_strdup_printf("pc 0x%" PRIx64 ", not 0x%" PRIx64, b->regs[TOY_PC], a->regs[TOY_PC]);
    }
    for (unsigned r = 0; r < TOY_V0; r++) {
        if (a->regs[r] != b->regs[r] && !(dead >> r & 1)) {
            return g_strdup_printf("%s 0x%" PRIx64 ", not 0x%" PRIx64, regs[r].name, b->regs[r], a->regs[r]);
        }
    }
    for (unsigned r = 0; r < TOY_NVEC; r++) {
        const IrVec *x = &a->vecs[r], *y = &b->vecs[r];
        if (x->u128 != y->u128 && !(dead >> (TOY_V0 + r) & 1)) {
            return g_strdup_printf("x%u %016" PRIx64 "%016" PRIx64 ", not %016" PRIx64 "%016" PRIx64, r, y->u64[1],
                                   y->u64[0], x->u64[1], x->u64[0]);
        }
    }
    for (unsigned i = 0; i < TOY_NFIELDS; i++) {
        if (a->fields[i] != b->fields[i]) {
            return g_strdup_printf("env+0x%x 0x%" PRIx64 ", not 0x%" PRIx64, TOY_FIELD + 8 * i, b->fields[i],
                                   a->fields[i]);
        }
    }
    for (unsigned i = 0; i < sizeof(a->mem); i++) {
        if (a->mem[i] != b->mem[i]) {
            return g_strdup_printf("byte at 0x%x 0x%02x, not 0x%02x", TOY_MEM + i, b->mem[i], a->mem[i]);
        }
    }
    if (a->fpcr != b->fpcr) {
        return g_strdup_printf("fpcr 0x%x, not 0x%x", b->fpcr, a->fpcr);
    }
    return a->trace != b->trace ? g_strdup("helpers were given other arguments") : NULL;
}

/* ---- random values ---- */

uint64_t rng_next(Rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t rng_edge(Rng *r)
{
    static const uint64_t edge[] = {
        0, 1, 2, 3, 5, 7, 8, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
        0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000,
        0xffffffff7fffffff, 0xaaaaaaaa55555555, 0x0123456789abcdef,
    };
    uint64_t v = edge[rng_below(r, ARRAY_LEN(edge))];
    switch (rng_below(r, 6)) {
    case 0: return rng_next(r);
    case 1: return -v;
    case 2: return v - 1;
    case 3: return (rng_next(r) << 32) | (uint32_t)v;
    default: return v;
    }
}

/* Half of a vector: floats at their edges, bytes at theirs, or anything. */
static uint64_t rng_lanes(Rng *r)
{
    static const uint32_t f32[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc01234, 0x7f800001, 0x00000001,
        0x807fffff, 0x00800000, 0x7f7fffff, 0x3f000000, 0x40490fdb, 0x4f000000, 0xcf000000, 0x5f000000, 0x42c80000,
    };
    static const uint64_t f64[] = {
        0, 0x8000000000000000, 0x3ff0000000000000, 0xbfe0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
        0x7ff8000000000000, 0xfff8000000001234, 0x7ff0000000000001, 1, 0x800fffffffffffff, 0x0010000000000000,
        0x7fefffffffffffff, 0x400921fb54442d18, 0x41e0000000000000, 0xc3e0000000000000, 0x43e0000000000000,
        0x47efffffffffffff, 0x3690000000000000,
    };
    switch (rng_below(r, 4)) {
    case 0: return f64[rng_below(r, ARRAY_LEN(f64))];
    case 1: return (uint64_t)f32[rng_below(r, ARRAY_LEN(f32))] << 32 | f32[rng_below(r, ARRAY_LEN(f32))];
    case 2: return rng_next(r);
    default: return rng_edge(r);
    }
}

void toy_random_state(Rng *r, ToyState *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < TOY_V0; i++) {
        s->regs[i] = rng_edge(r);
    }
    for (unsigned i = 4; i < 8; i++) {
        s->regs[i] = TOY_MEM + rng_below(r, TOY_MEM_SIZE);
    }
    for (unsigned i = 0; i < TOY_NVEC; i++) {
        s->vecs[i].u64[0] = rng_lanes(r);
        s->vecs[i].u64[1] = rng_lanes(r);
    }
    for (unsigned i = 0; i < TOY_NFIELDS; i++) {
        s->fields[i] = rng_edge(r);
    }
    for (unsigned i = 0; i + 8 <= sizeof(s->mem); i += 8) {
        st_le64(s->mem + i, rng_next(r));
    }
    s->regs[TOY_PC] = 0x1000;
    s->fpcr = 0x1f80;
}
