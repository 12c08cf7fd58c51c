/* The reference interpreter: executes a unit op by op on the registers' homes.
 *
 * It is the oracle of the host back ends and the port to a host that has none,
 * so it does the obvious thing: every put goes to the home at once, every
 * memory access is a call of the TcgRuntime, and the pc's home is set at each
 * `insn`.  Values of ops that ops.def gives an expression for come from
 * ir_eval, those of vops.def from vec_eval.
 *
 * A fault or a raising helper leaves by longjmp; the homes are complete then.
 */
#include "tcg/interp.h"

#include <string.h>

#include "tcg/fold.h"
#include "tcg/vec.h"
#include "util/bits.h"

typedef uint64_t Helper(TcgEnv *, uint64_t, uint64_t, uint64_t, uint64_t);

typedef struct Interp {
    TcgCtx *ctx;
    TcgEnv *env;
    const IrUnit *u;
    IrVec val[IR_MAX_VALS];
} Interp;

static inline uint64_t ival(const Interp *s, IrVal v)
{
    const IrValue *d = &s->u->vals[v];
    return d->is_const ? d->imm : s->val[v].u64[0];
}

static inline void *env_at(TcgEnv *env, uint32_t offset)
{
    return (char *)env + offset;
}

static inline void *home(const Interp *s, unsigned reg)
{
    return env_at(s->env, s->u->arch->regs[reg].offset);
}

/* ---- guest memory ---- */

static void do_ld(Interp *s, const IrOp *o)
{
    uint64_t v = s->ctx->rt->ld(s->env, ival(s, o->a), o->x);
    if (o->x & IRM_SIGN) {
        v = (uint64_t)bits_sext(v, irm_size(o->x) * 8) & ir_ones(o->w);
    }
    s->val[o->d].u64[0] = v;
}

static void do_ldv(Interp *s, const IrOp *o)
{
    IrVec v = { .u64 = { 0, 0 } };
    s->ctx->rt->ldv(s->env, ival(s, o->a), o->x, v.u64);
    s->val[o->d] = v;
}

/* ---- vcpu fields ---- */

static void do_lde(Interp *s, const IrOp *o)
{
    uint64_t v = 0;
    memcpy(&v, env_at(s->env, o->x), o->w / 8);
    if (G_BYTE_ORDER == G_BIG_ENDIAN) {
        v >>= 64 - o->w;
    }
    s->val[o->d].u64[0] = v;
}

static void do_ste(Interp *s, const IrOp *o)
{
    void *p = env_at(s->env, o->x);
    uint64_t v = ival(s, o->a);
    if (G_BYTE_ORDER == G_BIG_ENDIAN) {
        v <<= 64 - o->w;
    }
    memcpy(p, &v, o->w / 8);             /* a field need not be aligned */
}

/* ---- two results ---- */

static void do_mul2(Interp *s, const IrOp *o)
{
    uint64_t hi;
    uint64_t lo = ir_eval_mul2(o->op, o->w, ival(s, o->a), ival(s, o->b), &hi);
    s->val[o->d].u64[0] = lo;
    s->val[o->e].u64[0] = hi;
}

static void do_div2u(Interp *s, const IrOp *o)
{
    uint64_t m = ir_ones(o->w), c = ival(s, o->c) & m;
    unsigned __int128 n = (unsigned __int128)(ival(s, o->a) & m) << o->w | (ival(s, o->b) & m);
    if (!c || n / c > m) {
        s->ctx->rt->arith(s->env);
    }
    s->val[o->d].u64[0] = (uint64_t)(n / c);
    s->val[o->e].u64[0] = (uint64_t)(n % c);
}

static void do_div2s(Interp *s, const IrOp *o)
{
    uint64_t m = ir_ones(o->w);
    __int128 c = bits_sext(ival(s, o->c), o->w);
    __int128 n = (__int128)((unsigned __int128)(__int128)bits_sext(ival(s, o->a), o->w) << o->w | (ival(s, o->b) & m));
    __int128 min = -((__int128)1 << (o->w - 1));
    if (!c || (c == -1 && n == (__int128)((unsigned __int128)1 << 127))) {
        s->ctx->rt->arith(s->env);
    }
    __int128 q = n / c;
    if (q < min || q > -min - 1) {
        s->ctx->rt->arith(s->env);
    }
    s->val[o->d].u64[0] = (uint64_t)q & m;
    s->val[o->e].u64[0] = (uint64_t)(n % c) & m;
}

/* ---- calls, conditions, exits ---- */

static void do_call(Interp *s, const IrOp *o)
{
    Helper *fn = (Helper *)s->u->arch->helpers[o->x].fn;
    uint64_t r = fn(s->env, ival(s, o->a), ival(s, o->b), ival(s, o->c), ival(s, o->f));
    if (o->d) {
        s->val[o->d].u64[0] = r;
    }
}

static bool do_cond(const Interp *s, const IrOp *o)
{
    unsigned sh = 64 - o->w;
    uint64_t a = ival(s, o->a) << sh, b = ival(s, o->b) << sh;
    return ir_cond_eval(o->x & 15u, a >> sh, b >> sh, (int64_t)a >> sh, (int64_t)b >> sh);
}

static unsigned leave(Interp *s, unsigned index, uint64_t *pc)
{
    const IrExit *x = &s->u->exits[index];
    uint64_t *pc_home = home(s, s->u->arch->pc_reg);
    switch (x->kind) {
    case IRX_DIRECT: case IRX_LOOP:
        *pc_home = x->pc;
        break;
    case IRX_INDIRECT:
        *pc_home = ival(s, x->val);
        break;
    case IRX_RAISE:
        ((Helper *)s->u->arch->helpers[x->helper].fn)(s->env, x->arg[0], x->arg[1], 0, 0);
        g_assert_not_reached();
    }
    *pc = *pc_home;
    return index;
}

/* ---- vectors ---- */

static uint64_t lane_get(const IrVec *v, unsigned x)
{
    unsigned bits = x & 255u, at = (x >> 8) * bits;
    return v->u64[at / 64] >> (at % 64) & ir_ones(bits);
}

static void lane_set(IrVec *v, unsigned x, uint64_t val)
{
    unsigned bits = x & 255u, at = (x >> 8) * bits;
    v->u64[at / 64] = bits_set(v->u64[at / 64], at % 64, bits, val);
}

/* Ops of vops.def; those that are not pure compute in floating point. */
static void do_vec(Interp *s, const IrOp *o)
{
    const IrOpInfo *info = &ir_op_info[o->op];
    const IrVal from[] = { o->a, o->b, o->c };
    IrVec arg[3] = { 0 }, d;
    uint64_t i = 0;
    const char *sig = strchr(info->sig, '=') + 1;
    for (unsigned n = 0; sig[n]; n++) {
        if (sig[n] == 'v') {
            arg[n] = s->val[from[n]];
        } else {
            i = ival(s, from[n]);
        }
    }
    bool fp = !(info->flags & IRF_PURE);
    InterpFp mode = { 0 };
    if (fp) {
        mode = interp_fp_begin(s->env);
    }
    uint64_t r = vec_eval(o->op, o->x, &d, &arg[0], &arg[1], &arg[2], i);
    if (fp) {
        interp_fp_end(s->env, mode);
    }
    if (info->sig[0] == 'i') {
        d.u128 = r;
    }
    s->val[o->d] = d;
}

/* ---- the loop ---- */

unsigned interp_run(TcgCtx *ctx, TcgEnv *env, const IrUnit *u, uint64_t *pc)
{
    Interp state, *s = &state;           /* val[] is filled as ops define values */
    const TcgRuntime *rt = ctx->rt;
    s->ctx = ctx;
    s->env = env;
    s->u = u;
    s->val[IR_NONE].u128 = 0;
    for (const IrOp *o = u->ops;; o++) {
        switch (o->op) {
        case IR_nop:
            break;
        case IR_insn:
            *(uint64_t *)home(s, u->arch->pc_reg) = u->insns[o->x].pc;
            break;
        case IR_get:
            s->val[o->d].u64[0] = *(uint64_t *)home(s, o->x);
            break;
        case IR_put:
            *(uint64_t *)home(s, o->x) = ival(s, o->a);
            break;
        case IR_getv:
            memcpy(&s->val[o->d], home(s, o->x), 16);
            break;
        case IR_putv:
            memcpy(home(s, o->x), &s->val[o->a], 16);
            break;
        case IR_lde:
            do_lde(s, o);
            break;
        case IR_ste:
            do_ste(s, o);
            break;
        case IR_ldev:
            memcpy(&s->val[o->d], env_at(env, o->x), 16);
            break;
        case IR_stev:
            memcpy(env_at(env, o->x), &s->val[o->a], 16);
            break;
        case IR_ld:
            do_ld(s, o);
            break;
        case IR_st:
            rt->st(env, ival(s, o->a), ival(s, o->b) & ir_ones(irm_size(o->x) * 8), o->x);
            break;
        case IR_ldv:
            do_ldv(s, o);
            break;
        case IR_stv:
            rt->stv(env, ival(s, o->a), o->x, s->val[o->b].u64);
            break;
        case IR_probe:
            rt->probe(env, ival(s, o->a), o->x);
            break;
        case IR_rmw:
            s->val[o->d].u64[0] = rt->rmw(env, ival(s, o->a), ival(s, o->b), o->x);
            break;
        case IR_cas:
            s->val[o->d].u64[0] = rt->cas(env, ival(s, o->a), ival(s, o->b), ival(s, o->c), o->x);
            break;
        case IR_fence:
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            break;
        case IR_mul2u: case IR_mul2s:
            do_mul2(s, o);
            break;
        case IR_div2u:
            do_div2u(s, o);
            break;
        case IR_div2s:
            do_div2s(s, o);
            break;
        case IR_call:
            do_call(s, o);
            break;
        case IR_br:
            if (do_cond(s, o)) {
                return leave(s, o->x >> 4, pc);
            }
            break;
        case IR_poll:
            if (__atomic_load_n(&env->exit_request, __ATOMIC_RELAXED)) {
                return leave(s, o->x, pc);
            }
            break;
        case IR_exit:
            return leave(s, o->x, pc);
        case IR_vzero:
            s->val[o->d].u128 = 0;
            break;
        case IR_vmov:
            s->val[o->d] = s->val[o->a];
            break;
        case IR_vfromi:
            s->val[o->d].u128 = ival(s, o->a) & ir_ones(o->x);
            break;
        case IR_vextract:
            s->val[o->d].u128 = lane_get(&s->val[o->a], o->x);
            break;
        case IR_vinsert: {
            IrVec v = s->val[o->a];
            lane_set(&v, o->x, ival(s, o->b));
            s->val[o->d] = v;
            break;
        }
        default:
            if (o->op > IR_vinsert) {
                do_vec(s, o);
            } else {
                s->val[o->d].u64[0] = ir_eval(o->op, o->w, o->x, ival(s, o->a), ival(s, o->b), ival(s, o->c),
                                              ival(s, o->f));
            }
        }
    }
}

/* ---- floating-point mode ---- */

#ifdef __SSE__
#include <xmmintrin.h>

InterpFp interp_fp_begin(const TcgEnv *env)
{
    InterpFp fp = { _mm_getcsr() };
    _mm_setcsr(env->fpcr);
    return fp;
}

void interp_fp_end(TcgEnv *env, InterpFp fp)
{
    env->fpcr = _mm_getcsr();
    _mm_setcsr(fp.saved);
}
#else
#include <fenv.h>

/* FTZ and DAZ have no portable form: denormals are computed with. */
static const int mx_rounding[4] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
static const struct { int fe; uint32_t mx; } mx_sticky[] = {
    { FE_INVALID, 1 }, { FE_DIVBYZERO, 4 }, { FE_OVERFLOW, 8 }, { FE_UNDERFLOW, 16 }, { FE_INEXACT, 32 },
};

InterpFp interp_fp_begin(const TcgEnv *env)
{
    InterpFp fp = { (uint32_t)fegetround() };
    fesetround(mx_rounding[env->fpcr >> 13 & 3]);
    feclearexcept(FE_ALL_EXCEPT);
    return fp;
}

void interp_fp_end(TcgEnv *env, InterpFp fp)
{
    for (unsigned i = 0; i < ARRAY_LEN(mx_sticky); i++) {
        env->fpcr |= fetestexcept(mx_sticky[i].fe) ? mx_sticky[i].mx : 0;
    }
    fesetround((int)fp.saved);
}
#endif
