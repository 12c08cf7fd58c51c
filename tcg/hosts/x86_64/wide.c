/* Ops with fixed host registers (MUL, DIV: rdx:rax), the ones that a feature
 * bit may take away (PDEP, PEXT, CRC32), and calls of C. */
#include "tcg/hosts/x86_64/cg.h"
#include "util/bits.h"

/* ---- mul2, div2 ----
 *
 * rax and rdx hold guest registers.  A copy of each goes to a temporary first, unless it is going to get this op's
 * result anyway (hint) and need not be changed before the instruction. */

typedef struct Fixed {
    int reg;                             /* RAX or RDX */
    IrVal in, out;                       /* value it must hold before; result it holds after (IR_NONE: none) */
    bool hinted;                         /* `out` stays there */
    bool loaded;                         /* `in` is not there yet */
    int copy;                            /* temporary with the old content, or -1 */
} Fixed;

static bool reg_has(const Cg *c, int reg, IrVal v)
{
    return v && !cg_is_const(c, v) && c->ra.val[v].regs >> reg & 1;
}

static Rm late(Cg *c, IrVal v)
{
    RaLoc l = ra_loc(&c->ra, v);
    return l.kind == RA_ENV ? rm_env(l.off) : rm_reg(l.reg);
}

static void fixed_load(Cg *c, int reg, IrVal v)
{
    if (cg_is_const(c, v)) {
        x_movi(&c->e, reg, cg_imm(c, v));
    } else {
        x_mov(&c->e, 64, reg, late(c, v));
    }
}

static void fixed_setup(Cg *c, Fixed *f, bool fault, Rm src)
{
    f->hinted = f->out && ra_hint(&c->ra, f->out) == f->reg;
    f->loaded = f->in && !reg_has(c, f->reg, f->in);
    f->copy = !f->hinted || (f->loaded && (fault || rm_is(src, f->reg))) ? cg_tmp(c, BANK_INT) : -1;
}

/* The inputs into rax and rdx; either may sit in the other's place. */
static void fixed_inputs(Cg *c, const Fixed *a, const Fixed *d)
{
    bool a_in_d = a->loaded && reg_has(c, RDX, a->in) && d->loaded;
    bool d_in_a = d->loaded && reg_has(c, RAX, d->in) && a->loaded;
    if (a_in_d && d_in_a) {
        x_op(&c->e, 0x87 | OP_W, RAX, rm_reg(RDX));
    } else if (a_in_d) {                 /* rax first, while rdx has it */
        x_mov_rr(&c->e, 64, RAX, RDX);
        fixed_load(c, RDX, d->in);
    } else {
        if (d->loaded) {
            if (reg_has(c, RAX, d->in)) {
                x_mov_rr(&c->e, 64, RDX, RAX);
            } else {
                fixed_load(c, RDX, d->in);
            }
        }
        if (a->loaded) {
            if (reg_has(c, RDX, a->in) && !d->loaded) {
                x_mov_rr(&c->e, 64, RAX, RDX);
            } else {
                fixed_load(c, RAX, a->in);
            }
        }
    }
}

static void fixed_result(Cg *c, const Fixed *f)
{
    if (f->hinted) {
        ra_bind(&c->ra, f->out, f->reg);
    } else if (f->out && c->ra.val[f->out].nuse) {
        x_op(&c->e, 0x87 | OP_W, f->copy, rm_reg(f->reg));
        ra_bind(&c->ra, f->out, f->copy);
    } else {
        x_mov_rr(&c->e, 64, f->reg, f->copy);
    }
}

static void fixed_op(Cg *c, const IrOp *o, int group, bool div)
{
    IrVal other = div ? o->c : o->b;
    Fixed a = { .reg = RAX, .in = div ? o->b : o->a, .out = o->d };
    Fixed d = { .reg = RDX, .in = div ? o->a : IR_NONE, .out = o->e };
    cg_flags_lost(c);
    Rm src = cg_rm(c, other);
    fixed_setup(c, &a, div, src);
    fixed_setup(c, &d, div, src);
    src = cg_again(c, other, src);
    for (int i = 0; i < 2; i++) {
        const Fixed *f = i ? &d : &a;
        if (f->copy >= 0) {
            x_mov_rr(&c->e, 64, f->copy, f->reg);
        }
        if (f->loaded && rm_is(src, f->reg)) {
            src = rm_reg(f->copy);
        }
    }
    unsigned record = 0;
    if (div) {
        const uint8_t *guest = c->ra.map->guest[BANK_INT];
        bool ca = a.copy >= 0 && a.loaded, cd = d.copy >= 0 && d.loaded;
        record = cg_record(c, (uint8_t[2]){ ca ? guest[RAX] : RA_NONE, cd ? guest[RDX] : RA_NONE },
                           (int[2]){ a.copy, d.copy });
    }
    if (a.hinted) {
        ra_keep(&c->ra, BANK_INT, RAX);
    }
    if (d.hinted) {
        ra_keep(&c->ra, BANK_INT, RDX);
    }
    src = cg_again(c, other, src);
    fixed_inputs(c, &a, &d);
    if (div) {
        cg_record_at(c, record, x_here(&c->e) + 1);
    }
    x_grp3(&c->e, group, o->w, src);
    fixed_result(c, &a);
    fixed_result(c, &d);
}

static void emit_mul2u(Cg *c, const IrOp *o) { fixed_op(c, o, 4, false); }
static void emit_mul2s(Cg *c, const IrOp *o) { fixed_op(c, o, 5, false); }
static void emit_div2u(Cg *c, const IrOp *o) { fixed_op(c, o, 6, true); }
static void emit_div2s(Cg *c, const IrOp *o) { fixed_op(c, o, 7, true); }

/* ---- pdep, pext, crc32c ---- */

static RHEA_GPR_ONLY uint64_t c_pdep(TcgEnv *env, uint64_t a, uint64_t mask, uint64_t c, uint64_t f)
{
    (void)env, (void)c, (void)f;
    uint64_t r = 0;
    for (; mask; mask &= mask - 1, a >>= 1) {
        if (a & 1) {
            r |= mask & -mask;
        }
    }
    return r;
}

static RHEA_GPR_ONLY uint64_t c_pext(TcgEnv *env, uint64_t a, uint64_t mask, uint64_t c, uint64_t f)
{
    (void)env, (void)c, (void)f;
    uint64_t r = 0;
    for (unsigned i = 0; mask; mask &= mask - 1, i++) {
        if (a & mask & -mask) {
            r |= (uint64_t)1 << i;
        }
    }
    return r;
}

static RHEA_GPR_ONLY uint64_t c_pdep32(TcgEnv *env, uint64_t a, uint64_t mask, uint64_t c, uint64_t f)
{
    return c_pdep(env, a, (uint32_t)mask, c, f);
}

static RHEA_GPR_ONLY uint64_t c_pext32(TcgEnv *env, uint64_t a, uint64_t mask, uint64_t c, uint64_t f)
{
    return c_pext(env, a, (uint32_t)mask, c, f);
}

static void bmi2_op(Cg *c, const IrOp *o, uint32_t pp, void *fn)
{
    if (!host_feat.bmi2) {
        cg_call_c(c, fn, true, o->d, o->a, o->b, IR_NONE, IR_NONE);
        return;
    }
    int a = cg_use(c, o->a);
    Rm b = cg_rm(c, o->b);
    int d = cg_def(c, o->d, a);
    x_vex(&c->e, 0xf5 | OP_0F38 | pp | x_w(o->w), d, a, cg_again(c, o->b, b));
}

static void emit_pdep(Cg *c, const IrOp *o) { bmi2_op(c, o, OP_F2, o->w == 32 ? c_pdep32 : c_pdep); }
static void emit_pext(Cg *c, const IrOp *o) { bmi2_op(c, o, OP_F3, o->w == 32 ? c_pext32 : c_pext); }

#define CRC_FN(bits) \
    static RHEA_GPR_ONLY uint64_t c_crc##bits(TcgEnv *env, uint64_t sum, uint64_t data, uint64_t c, uint64_t f) \
    { \
        (void)env, (void)c, (void)f; \
        uint32_t s = (uint32_t)sum; \
        for (unsigned i = 0; i < bits; i++, data >>= 1) { \
            s = (s >> 1) ^ (((s ^ (uint32_t)data) & 1) ? 0x82f63b78u : 0); \
        } \
        return s; \
    }
CRC_FN(8)
CRC_FN(16)
CRC_FN(32)
CRC_FN(64)

static void emit_crc32c(Cg *c, const IrOp *o)
{
    if (!host_feat.sse42) {
        cg_call_c(c, o->x == 8 ? c_crc8 : o->x == 16 ? c_crc16 : o->x == 32 ? c_crc32 : c_crc64, true, o->d, o->a, o->b,
                  IR_NONE, IR_NONE);
        return;
    }
    Rm a = cg_rm(c, o->a), b = cg_rm(c, o->b);
    int d = cg_def(c, o->d, a.reg);
    a = cg_again(c, o->a, a);
    b = cg_again(c, o->b, b);
    if (rm_is(b, d) && !rm_is(a, d)) {
        int t = cg_tmp(c, BANK_INT);
        x_mov_rr(&c->e, 64, t, d);
        b = rm_reg(t);
    }
    if (!rm_is(a, d)) {
        x_mov(&c->e, 32, d, a);
    }
    if (o->x == 16) {                    /* the operand-size prefix goes before the mandatory one */
        x_byte(&c->e, 0x66);
    }
    x_op(&c->e, (o->x == 8 ? 0xf0 | OP_RM8 : 0xf1) | OP_0F38 | OP_F2 | (o->x == 64 ? OP_W : 0), d, b);
}

/* ---- calls ---- */

/* Arguments to TcgScratch.slow_arg[]; the allocator's state does not change. */
static void store_arg(Cg *c, unsigned n, IrVal v)
{
    uint32_t off = ENV_SCRATCH + (uint32_t)(offsetof(TcgScratch, slow_arg) + n * 8);
    if (cg_is_const(c, v)) {
        host_ra_store_imm(&c->ra, off, cg_imm(c, v));
    } else {
        host_ra_store(&c->ra, BANK_INT, off, cg_use(c, v));
        c->ra.locked[BANK_INT] = 0;
    }
}

static void store_args(Cg *c, const IrVal v[4])
{
    for (unsigned n = 0; n < 4; n++) {
        if (v[n]) {
            store_arg(c, n, v[n]);
        }
    }
}

static void call_result(Cg *c, IrVal d)
{
    if (d && c->ra.val[d].nuse) {
        x_mov(&c->e, 64, cg_def(c, d, -1), RM_SCRATCH(slow_val[0]));
    }
}

void cg_call_c_raw(Cg *c, void *fn, bool gpr)
{
    Emit *e = &c->e;
    cg_flags_lost(c);
    x_store(e, 64, RM_SCRATCH(tmp_save[0]), R11);
    x_movi(e, R11, (uint64_t)(uintptr_t)fn);
    x_call_to(e, gpr ? c->hs->light : c->hs->heavy);
}

void cg_call_c(Cg *c, void *fn, bool gpr, IrVal d, IrVal a, IrVal b, IrVal cc, IrVal f)
{
    store_args(c, (IrVal[4]){ a, b, cc, f });
    cg_call_c_raw(c, fn, gpr);
    call_result(c, d);
}

static void emit_call(Cg *c, const IrOp *o)
{
    const IrHelper *h = &c->u->arch->helpers[o->x];
    unsigned record = 0;
    cg_flags_lost(c);
    store_args(c, (IrVal[4]){ o->a, o->b, o->c, o->f });
    if (h->flags & IRH_WRITE) {
        ra_before_write(&c->ra);
    } else if (h->flags & IRH_READ) {
        ra_flush_all(&c->ra, NULL);
    }
    if (!(h->flags & IRH_PURE)) {
        record = cg_record(c, NULL, NULL);
    }
    x_call_to(&c->e, c->hs->helper[o->x]);
    if (!(h->flags & IRH_PURE)) {
        cg_record_at(c, record, x_here(&c->e));
    }
    if (h->flags & IRH_WRITE) {
        ra_after_write(&c->ra);
    }
    call_result(c, o->d);
}

#define ROW(name) const HostOp host_op_##name = { .emit = emit_##name }
ROW(mul2u); ROW(mul2s); ROW(div2u); ROW(div2s); ROW(pdep); ROW(pext); ROW(crc32c); ROW(call);
