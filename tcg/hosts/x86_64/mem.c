/* Guest memory on an x86-64 host.
 *
 * The inline check (env.h has the scheme), for a load of 4 bytes:
 *
 *              lea   T0, [address]
 *     retry:   rorx  T1d, T0d, 8              (or mov, shr)
 *              and   T1d, (TLB_SIZE - 1) << 4
 *              xor   T0, [rbp + T1 + table]          offset in the page, if it is the right page
 *              cmp   T0, 4096 - 4
 *              ja    slow
 *              mov   T1, [rbp + T1 + table + 8]
 *              mov   d, [T1 + T0]
 *     done:
 *
 * and out of line
 *
 *     slow:    mov   [slow_val], value               stores
 *              call  thunk                           (thunk.c) one for each T0, T1 and table: makes the address again
 *              jmp   retry                           it comes back here if the TLB has the entry now,
 *              test  eax, memop | kind << 16         (never run: what the thunk reads)
 *              mov   d, [slow_val]                   and here if it made the access in C
 *              jmp   done
 *
 * The fault record belongs to the return address of the call.
 *
 * If the address is a constant the entry and the offset in the page are known:
 *
 *     retry:   cmp   qword [rbp + entry], page       (or a register, if it needs 64 bits)
 *              jne   slow
 *              mov   T1, [rbp + entry + 8]
 *              mov   d, [T1 + offset]
 */
#include "tcg/hosts/x86_64/cg.h"

/* ---- addresses ---- */

typedef struct Part {                    /* base or index of an address */
    IrVal v;
    RaLoc loc;
    bool none;
} Part;

typedef struct Addr {
    Part a, b;
    unsigned scale, w;
    int32_t disp;
} Addr;

static Part part(Cg *c, IrVal v)
{
    if (!v) {
        return (Part){ .none = true };
    }
    RaLoc l = ra_loc(&c->ra, v);
    if (l.kind == RA_LAZY) {             /* not as an operand of another one: see scan_lazy */
        cg_use(c, v);
        l = ra_loc(&c->ra, v);
    }
    return (Part){ .v = v, .loc = l };
}

/* What the lazy value v stands for. */
static Addr addr_of_lazy(Cg *c, IrVal v)
{
    const IrOp *o = &c->u->ops[c->u->vals[v].def];
    Addr r = { .w = o->w };
    r.a = part(c, o->a);
    if (o->op == IR_lea) {
        r.b = part(c, o->b);
        r.scale = o->x;
        r.disp = o->c ? (int32_t)cg_imm(c, o->c) : 0;
    } else if (cg_is_const(c, o->b)) {
        r.b.none = true;
        r.disp = o->op == IR_sub ? (int32_t)(0 - cg_imm(c, o->b)) : (int32_t)cg_imm(c, o->b);
    } else {
        r.b = part(c, o->b);
    }
    return r;
}

/* After other registers were allocated: memory operands may have moved. */
static void part_again(Cg *c, Part *p)
{
    if (!p->none && p->loc.kind == RA_ENV) {
        p->loc = ra_loc(&c->ra, p->v);
    }
}

static bool in_reg(const Part *p) { return !p->none && p->loc.kind == RA_REG; }

static void part_load(Cg *c, int r, const Part *p)
{
    if (p->loc.kind == RA_CONST) {
        x_movi(&c->e, r, p->loc.imm);
    } else {
        x_mov(&c->e, 64, r, rm_env(p->loc.off));
    }
}

/* dst = address; t: a second register that may be overwritten.  Changes no flags.  A register operand may be dst or t
 * itself: it is read before either is written. */
static void addr_compute(Cg *c, Addr *x, int dst, int t)
{
    int a = in_reg(&x->a) ? x->a.loc.reg : -1, b = in_reg(&x->b) ? x->b.loc.reg : -1;
    if (a < 0) {
        a = b == dst ? t : dst;
        part_load(c, a, &x->a);
    }
    if (!x->b.none && b < 0) {
        b = a == dst ? t : dst;
        part_load(c, b, &x->b);
    }
    if (x->b.none && x->disp == 0) {
        if (a != dst || x->w == 32) {
            x_mov_rr(&c->e, x->w, dst, a);
        }
    } else {
        x_lea(&c->e, x->w, dst, rm_mem(a, x->b.none ? -1 : b, x->scale, x->disp));
    }
}

void host_ra_lazy(Ra *ra, int dst, IrVal v)
{
    Cg *c = (Cg *)ra;
    Addr x = addr_of_lazy(c, v);
    bool need_second = !x.b.none && (!in_reg(&x.a) || !in_reg(&x.b));
    if (!need_second) {
        addr_compute(c, &x, dst, dst);
        return;
    }
    int t = R11;                         /* lent: neither dst nor an operand */
    while (t == dst || (in_reg(&x.a) && x.a.loc.reg == t) || (in_reg(&x.b) && x.b.loc.reg == t)) {
        t++;
    }
    x_store(&c->e, 64, RM_SCRATCH(tmp_save[5]), t);
    addr_compute(c, &x, dst, t);
    x_mov(&c->e, 64, t, RM_SCRATCH(tmp_save[5]));
}

/* ---- the check ---- */

/* Can T0 be this part's own register?  A part of a computed address must not be in the fault record. */
static bool takable(const Cg *c, const Part *p, bool computed)
{
    return in_reg(p) && !(c->ra.locked[BANK_INT] >> p->loc.reg & 1) && ra_reusable(&c->ra, BANK_INT, p->loc.reg) &&
           !(computed && ra_waits(&c->ra, p->v));
}

/* An access in two steps.  mem_begin takes T0 and T1 and makes the fault record; registers that the access needs must be
 * locked before.  Then the emitter takes the register of the result and whatever else.  mem_check emits the address and
 * the check; from there to `done` nothing may be allocated, because the slow path jumps over it. */
typedef struct Access {
    Addr x;
    Stub *s;
} Access;

static void stub_init(Stub *s, const IrOp *o, int tlb_kind, int thunk)
{
    s->thunk = (uint8_t)thunk;
    s->w = o->w;
    s->memop = o->x;
    s->tlb_kind = (uint16_t)tlb_kind;
    s->table = ENV_TLB_TABLE(irm_mode(o->x), (unsigned)tlb_kind) - ENV_BIAS;
    s->d = -1;
}

/* A constant address whose access can hit at all. */
static bool is_fixed(const Cg *c, const IrOp *o)
{
    if (!cg_is_const(c, o->a) || o->op == IR_rmw || o->op == IR_cas) {
        return false;
    }
    uint64_t offset = cg_imm(c, o->a) & ((1 << TLB_PAGE_BITS) - 1);
    unsigned size = irm_size(o->x);
    return offset + size <= 1 << TLB_PAGE_BITS && !(o->x & IRM_ALIGN && offset & (size - 1));
}

static Access mem_begin(Cg *c, const IrOp *o, int tlb_kind, int thunk)
{
    Access m = { .x = { .w = 64, .b.none = true } };
    cg_flags_lost(c);
    if (is_fixed(c, o)) {
        m.s = cg_stub(c, STUB_MEM);
        m.s->fixed = true;
        m.s->addr = cg_imm(c, o->a);
        m.s->t0 = m.s->t1 = (uint8_t)cg_tmp(c, BANK_INT);
        m.s->record = cg_record(c, NULL, NULL);
        stub_init(m.s, o, tlb_kind, thunk);
        return m;
    }
    bool computed = ra_loc(&c->ra, o->a).kind == RA_LAZY;
    if (computed) {
        m.x = addr_of_lazy(c, o->a);
    } else {
        m.x.a = part(c, o->a);
    }
    int t0 = takable(c, &m.x.a, computed) ? m.x.a.loc.reg : takable(c, &m.x.b, computed) ? m.x.b.loc.reg : -1;
    unsigned record = 0;
    if (t0 >= 0) {                       /* the address is dead after this op, but a home may wait for it: record first */
        c->ra.locked[BANK_INT] |= (uint16_t)(1u << t0);
        int t1 = cg_tmp(c, BANK_INT);
        record = cg_record(c, NULL, NULL);
        ra_take(&c->ra, BANK_INT, t0);
        m.s = cg_stub(c, STUB_MEM);
        m.s->t1 = (uint8_t)t1;
    } else {
        t0 = cg_tmp(c, BANK_INT);
        m.s = cg_stub(c, STUB_MEM);
        m.s->t1 = (uint8_t)cg_tmp(c, BANK_INT);
        record = cg_record(c, NULL, NULL);
    }
    m.s->t0 = (uint8_t)t0;
    m.s->record = record;
    stub_init(m.s, o, tlb_kind, thunk);
    return m;
}

/* rbp-relative place of the TLB entry of a constant address */
static int32_t fixed_entry(const Stub *s)
{
    return (int32_t)(s->table + tlb_index(s->addr) * (uint32_t)sizeof(TlbEntry));
}

static Stub *fixed_check(Cg *c, Stub *s)
{
    Emit *e = &c->e;
    uint64_t page = s->addr & ~(uint64_t)((1 << TLB_PAGE_BITS) - 1);
    Rm tag = rm_mem(RBP, -1, 0, fixed_entry(s));
    s->retry = x_here(e);
    if (x_fits32(page)) {
        x_alui(e, X_CMP, 64, tag, (int64_t)page);
    } else {
        x_movi(e, s->t1, page);
        x_alu(e, X_CMP, 64, s->t1, tag);
    }
    s->from[0] = x_jcc(e, CC_NE);
    return s;
}

static Stub *mem_check(Cg *c, Access *m)
{
    Emit *e = &c->e;
    Stub *s = m->s;
    unsigned size = irm_size(s->memop);
    int t0 = s->t0, t1 = s->t1;
    if (s->fixed) {
        return fixed_check(c, s);
    }
    part_again(c, &m->x.a);
    part_again(c, &m->x.b);
    addr_compute(c, &m->x, t0, t1);
    s->retry = x_here(e);
    if (s->memop & IRM_ALIGN && size > 1) {
        x_testi(e, 8, rm_reg(t0), size - 1);
        s->from[1] = x_jcc(e, CC_NE);
    }
    if (host_feat.bmi2) {
        x_vex(e, 0xf0 | OP_F2 | OP_0F3A, t1, 0, rm_reg(t0));
        x_byte(e, TLB_PAGE_BITS - 4);
    } else {
        x_mov_rr(e, 32, t1, t0);
        x_shifti(e, X_SHR, 32, t1, TLB_PAGE_BITS - 4);
    }
    x_alui(e, X_AND, 32, rm_reg(t1), (TLB_SIZE - 1) << 4);
    x_alu(e, X_XOR, 64, t0, rm_mem(RBP, t1, 0, (int32_t)s->table));
    x_alui(e, X_CMP, 64, rm_reg(t0), (1 << TLB_PAGE_BITS) - (int)size);
    s->from[0] = x_jcc(e, CC_A);
    return s;
}

static void load_host(Cg *c, const Stub *s)
{
    x_mov(&c->e, 64, s->t1, s->fixed ? rm_mem(RBP, -1, 0, fixed_entry(s) + 8) :
                                       rm_mem(RBP, s->t1, 0, (int32_t)s->table + 8));
}

static Rm at_host(const Stub *s)
{
    return s->fixed ? rm_mem(s->t1, -1, 0, (int32_t)(s->addr & ((1 << TLB_PAGE_BITS) - 1))) :
                      rm_mem(s->t1, s->t0, 0, 0);
}

/* ---- loads and stores ---- */

/* d = value of `bytes` bytes at m, extended as x says */
static void load_extend(Emit *e, unsigned x, unsigned w, int d, Rm m)
{
    unsigned bits = irm_size(x) * 8;
    if (x & IRM_SIGN && bits < w) {
        x_movsx(e, bits, w, d, m);
    } else {
        x_movzx(e, bits, d, m);
    }
}

static void load_swapped(Emit *e, unsigned x, unsigned w, int d, Rm m)
{
    unsigned bits = irm_size(x) * 8;
    x_movzx(e, bits, d, m);
    if (bits == 16) {
        x_shifti(e, X_ROL, 16, d, 8);
    } else if (bits >= 32) {
        e->count++;
        x_byte(e, 0x40 | (bits == 64 ? 8 : 0) | (d & 8) >> 3);
        x_byte(e, 0x0f);
        x_byte(e, 0xc8 | (d & 7));
    }
    if (x & IRM_SIGN && bits < w) {
        x_movsx(e, bits, w, d, rm_reg(d));
    }
}

static void emit_ld(Cg *c, const IrOp *o)
{
    Access m = mem_begin(c, o, o->x & IRM_RMW ? TLB_WRITE : TLB_READ, T_LD);
    int d = cg_def(c, o->d, m.s->t1);
    Stub *s = mem_check(c, &m);
    load_host(c, s);
    if (o->x & IRM_BSWAP) {
        load_swapped(&c->e, o->x, o->w, d, at_host(s));
    } else {
        load_extend(&c->e, o->x, o->w, d, at_host(s));
    }
    s->d = d;
    s->done = x_here(&c->e);
}

static RaLoc reg_loc(int r) { return (RaLoc){ .kind = RA_REG, .reg = r }; }

static void bswap_reg(Emit *e, unsigned bits, int r)
{
    if (bits == 16) {
        x_shifti(e, X_ROL, 16, r, 8);
    } else if (bits >= 32) {
        e->count++;
        x_byte(e, 0x40 | (bits == 64 ? 8 : 0) | (r & 8) >> 3);
        x_byte(e, 0x0f);
        x_byte(e, 0xc8 | (r & 7));
    }
}

static void emit_st(Cg *c, const IrOp *o)
{
    unsigned bits = irm_size(o->x) * 8;
    uint64_t imm = cg_is_const(c, o->b) ? cg_imm(c, o->b) : 0;
    bool swap = o->x & IRM_BSWAP && bits > 8;
    bool is_imm = cg_is_const(c, o->b) && !swap && (bits <= 32 || x_fits32(imm));
    int v = is_imm ? -1 : cg_use(c, o->b);
    Access m = mem_begin(c, o, TLB_WRITE, T_ST);
    Stub *s = mem_check(c, &m);
    s->val[0] = is_imm ? (RaLoc){ .kind = RA_CONST, .imm = imm } : reg_loc(v);
    load_host(c, s);
    if (is_imm) {
        x_store_imm(&c->e, bits, at_host(s), (uint32_t)imm);
    } else if (swap && host_feat.movbe) {
        x_op(&c->e, 0xf1 | OP_0F38 | x_w(bits), v, at_host(s));
    } else if (swap) {                   /* swapped in place and back: no register is free */
        bswap_reg(&c->e, bits, v);
        x_store(&c->e, bits, at_host(s), v);
        bswap_reg(&c->e, bits, v);
    } else {
        x_store(&c->e, bits, at_host(s), v);
    }
    s->done = x_here(&c->e);
}

static void emit_probe(Cg *c, const IrOp *o)
{
    Access m = mem_begin(c, o, TLB_WRITE, T_PROBE);
    Stub *s = mem_check(c, &m);
    s->done = x_here(&c->e);
}

static void emit_ldv(Cg *c, const IrOp *o)
{
    Access m = mem_begin(c, o, o->x & IRM_RMW ? TLB_WRITE : TLB_READ, T_LDV);
    int d = cg_def(c, o->d, -1);
    Stub *s = mem_check(c, &m);
    load_host(c, s);
    cg_vload(c, irm_size(o->x), d, at_host(s));
    s->d = d;
    s->vec = true;
    s->done = x_here(&c->e);
}

static void emit_stv(Cg *c, const IrOp *o)
{
    int v = cg_use(c, o->b);
    Access m = mem_begin(c, o, TLB_WRITE, T_STV);
    Stub *s = mem_check(c, &m);
    s->vec = true;
    s->val[0] = reg_loc(v);
    load_host(c, s);
    cg_vstore(c, irm_size(o->x), at_host(s), v);
    s->done = x_here(&c->e);
}

/* ---- atomics: the host's own locked instructions, at any alignment inside a page ---- */

static void lock(Cg *c) { x_byte(&c->e, 0xf0); }

/* T1 = host address of the data; T0 is free then. */
static void host_address(Cg *c, const Stub *s)
{
    x_alu(&c->e, X_ADD, 64, s->t0, rm_mem(RBP, s->t1, 0, (int32_t)s->table + 8));
}

static uint32_t sized(unsigned bits, uint32_t op8, uint32_t op)
{
    return bits == 8 ? op8 | OP_REG8 | OP_RM8 : op | x_w(bits);
}

/* The old value is in register r, whose upper bits are not: result of width `bits`. */
static void old_value(Cg *c, unsigned bits, int d, int r)
{
    if (bits < 64 || d != r) {
        x_movzx(&c->e, bits, d, rm_reg(r));
    }
}

/* Operations whose old value the host gives (or nobody wants). */
static void rmw_simple(Cg *c, const IrOp *o, IrAtomic op, int v)
{
    static const uint8_t alu[] = { [IRA_ADD] = X_ADD, [IRA_AND] = X_AND, [IRA_OR] = X_OR, [IRA_XOR] = X_XOR };
    unsigned bits = irm_size(o->x) * 8;
    Emit *e = &c->e;
    Access acc = mem_begin(c, o, TLB_WRITE, T_RMW);
    Stub *s = mem_check(c, &acc);
    bool want = c->ra.val[o->d].nuse > 0;
    s->val[0] = reg_loc(v);
    host_address(c, s);
    Rm m = rm_mem(s->t0, -1, 0, 0);
    if (!want && op != IRA_XCHG) {
        lock(c);
        x_op(e, bits == 8 ? (uint32_t)alu[op] << 3 | OP_REG8 : ((uint32_t)alu[op] << 3 | 1) | x_w(bits), v, m);
        s->done = x_here(e);
        return;
    }
    x_mov_rr(e, 64, s->t1, v);
    if (op == IRA_ADD) {
        lock(c);
        x_op(e, sized(bits, 0xc0, 0xc1) | OP_0F, s->t1, m);
    } else {
        x_op(e, sized(bits, 0x86, 0x87), s->t1, m);
    }
    old_value(c, bits, s->t1, s->t1);
    if (want) {
        ra_bind(&c->ra, o->d, s->t1);
        s->d = s->t1;
    }
    s->done = x_here(e);
}

/* A loop of cmpxchg: rax, which is a guest register's, is kept in T1 meanwhile. */
static void rmw_loop(Cg *c, const IrOp *o, IrAtomic op)
{
    static const uint8_t alu[] = { [IRA_AND] = X_AND, [IRA_OR] = X_OR, [IRA_XOR] = X_XOR, [IRA_SUB_REV] = X_SUB };
    unsigned bits = irm_size(o->x) * 8, w = bits == 64 ? 64 : 32;
    Emit *e = &c->e;
    /* the operand waits in memory: address, rax's copy and the new value need the three temporaries */
    x_store(e, 64, RM_SCRATCH(slow_val[0]), cg_use(c, o->b));
    c->ra.locked[BANK_INT] = 0;
    Access acc = mem_begin(c, o, TLB_WRITE, T_RMW);
    int n = cg_tmp(c, BANK_INT);
    Stub *s = mem_check(c, &acc);
    s->val[0] = (RaLoc){ .kind = RA_ENV, .off = ENV_SCRATCH + offsetof(TcgScratch, slow_val) };
    host_address(c, s);
    Rm m = rm_mem(s->t0, -1, 0, 0);
    x_mov_rr(e, 64, s->t1, RAX);
    x_movzx(e, bits, RAX, m);
    const uint8_t *again = x_here(e);
    if (op == IRA_SUB_REV) {
        x_mov(e, 64, n, RM_SCRATCH(slow_val[0]));
        x_alu(e, X_SUB, w, n, rm_reg(RAX));
    } else {
        x_mov_rr(e, 64, n, RAX);
        x_alu(e, alu[op], w, n, RM_SCRATCH(slow_val[0]));
    }
    lock(c);
    x_op(e, sized(bits, 0xb0, 0xb1) | OP_0F, n, m);
    x_jcc_to(e, CC_NE, again);
    x_movzx(e, bits, n, rm_reg(RAX));
    x_mov_rr(e, 64, RAX, s->t1);
    ra_bind(&c->ra, o->d, n);
    s->d = n;
    s->done = x_here(e);
}

static void emit_rmw(Cg *c, const IrOp *o)
{
    IrAtomic op = o->x >> IRM_ATOMIC_SHIFT & 7;
    bool loop = op == IRA_SUB_REV || (c->ra.val[o->d].nuse && op != IRA_ADD && op != IRA_XCHG);
    if (loop) {
        rmw_loop(c, o, op);
    } else {
        rmw_simple(c, o, op, cg_use(c, o->b));
    }
}

/* rax has to hold the expected value and gets the old one. */
static void emit_cas(Cg *c, const IrOp *o)
{
    unsigned bits = irm_size(o->x) * 8;
    Emit *e = &c->e;
    int v = cg_use(c, o->c);
    RaLoc want = ra_loc(&c->ra, o->b);
    if (want.kind == RA_REG && want.reg != RAX && c->ra.map->temps[BANK_INT] >> want.reg & 1) {
        /* a fourth temporary: it waits in memory */
        x_store(e, 64, RM_SCRATCH(slow_val[0]), want.reg);
        want = (RaLoc){ .kind = RA_ENV, .off = ENV_SCRATCH + offsetof(TcgScratch, slow_val) };
    } else if (want.kind == RA_ENV || want.kind == RA_LAZY) {
        int t = cg_use(c, o->b);
        x_store(e, 64, RM_SCRATCH(slow_val[0]), t);
        c->ra.locked[BANK_INT] = (uint16_t)(1u << v);
        want = (RaLoc){ .kind = RA_ENV, .off = ENV_SCRATCH + offsetof(TcgScratch, slow_val) };
    }
    Access acc = mem_begin(c, o, TLB_WRITE, T_CAS);
    Stub *s = mem_check(c, &acc);
    s->val[0] = want;
    s->val[1] = reg_loc(v);
    host_address(c, s);
    x_mov_rr(e, 64, s->t1, RAX);
    if (want.kind == RA_CONST) {
        x_movi(e, RAX, want.imm);
    } else if (want.kind == RA_ENV) {
        x_mov(e, 64, RAX, rm_env(want.off));
    } else if (want.reg != RAX) {
        x_mov_rr(e, 64, RAX, want.reg);
    }
    lock(c);
    x_op(e, sized(bits, 0xb0, 0xb1) | OP_0F, v == RAX ? s->t1 : v, rm_mem(s->t0, -1, 0, 0));
    x_movzx(e, bits, s->t0, rm_reg(RAX));
    x_mov_rr(e, 64, RAX, s->t1);
    ra_bind(&c->ra, o->d, s->t0);
    s->d = s->t0;
    s->done = x_here(e);
}

/* ---- cold part ---- */

static void stub_value(Cg *c, unsigned n, RaLoc l)
{
    uint32_t off = ENV_SCRATCH + (uint32_t)(offsetof(TcgScratch, slow_val) + 8 * n);
    if (l.kind == RA_CONST) {
        host_ra_store_imm(&c->ra, off, l.imm);
    } else if (l.kind == RA_REG) {
        x_store(&c->e, 64, rm_env(off), l.reg);
    }                                    /* RA_ENV: it is there already */
}

void cg_mem_stub(Cg *c, const Stub *s)
{
    Emit *e = &c->e;
    x_patch(e, s->from[0]);
    unsigned t0 = s->t0 - R11, t1 = s->t1 - R11;
    unsigned table = (s->table + ENV_BIAS - ENV_TLB) / (TLB_SIZE * (unsigned)sizeof(TlbEntry));
    if (s->fixed) {
        x_movi(e, s->t0, s->addr);
    } else if (s->from[1]) {
        x_alu(e, X_XOR, 64, s->t0, rm_mem(RBP, s->t1, 0, (int32_t)s->table));
        x_patch(e, s->from[1]);
        t1 = t0;
    }
    if (s->thunk == T_STV) {
        cg_vstore(c, 16, RM_SCRATCH(slow_val[0]), s->val[0].reg);
    } else if (s->thunk == T_ST || s->thunk == T_RMW || s->thunk == T_CAS) {
        stub_value(c, 0, s->val[0]);
        if (s->thunk == T_CAS) {
            stub_value(c, 1, s->val[1]);
        }
    }
    x_call_to(e, c->hs->slow[s->thunk][t0][t1][t1 == t0 ? 0 : table]);
    cg_record_at(c, s->record, x_here(e));
    x_jmp_to(e, s->retry);
    x_test_eax(e, s->memop | (uint32_t)s->tlb_kind << 16);
    if (s->d >= 0 && s->vec) {
        cg_vload(c, irm_size(s->memop), s->d, RM_SCRATCH(slow_val[0]));
    } else if (s->d >= 0 && s->thunk == T_LD) {
        load_extend(e, s->memop, s->w, s->d, RM_SCRATCH(slow_val[0]));
    } else if (s->d >= 0) {
        x_mov(e, 64, s->d, RM_SCRATCH(slow_val[0]));
    }
    x_jmp_to(e, s->done);
}

#define ROW(name) const HostOp host_op_##name = { .emit = emit_##name }
ROW(ld); ROW(st); ROW(ldv); ROW(stv); ROW(probe); ROW(rmw); ROW(cas);
