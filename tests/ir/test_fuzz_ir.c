/* Random IR units, run in every way there is; all have to end in the same
 * guest state: registers, memory, exit, faults, what helpers were given.
 *
 *   test_fuzz_ir [--engine interp|host|all] [--count N] [--seed S]
 *
 * The reference is the unit as it stands under the interpreter.  Against it:
 * the folded unit, with some registers known to be constants; that after
 * ir_dead; and both kinds on the host back end.  The unit's text has to parse
 * to itself.  A failure prints the seed (--count 1 --seed S runs it again) and
 * the unit without the steps that it fails without.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tcg/fold.h"
#include "tcg/vec.h"
#include "toy.h"
#include "util/bits.h"

enum { POOL = 24, MAX_STEPS = 70 };

typedef struct Gen {
    Rng r;
    IrUnit *u;
    IrVal ints[POOL], vecs[POOL];
    unsigned nints, nvecs;
} Gen;

static bool chance(Gen *g, unsigned percent)
{
    return rng_below(&g->r, 100) < percent;
}

static unsigned below(Gen *g, unsigned n)
{
    return rng_below(&g->r, n);
}

/* ---- operands ---- */

static void push(IrVal *pool, unsigned *n, IrVal v)
{
    if (v) {
        memmove(pool + 1, pool, (POOL - 1) * sizeof(*pool));
        pool[0] = v;
        *n = MIN(*n + 1, POOL);
    }
}

static IrVal append(Gen *g, IrOp o)
{
    IrVal d = ir_append(g->u, o);
    const IrOp *made = &g->u->ops[g->u->nops - 1];
    if (d && g->u->vals[d].type == IR_VEC) {
        push(g->vecs, &g->nvecs, d);
    } else {
        push(g->ints, &g->nints, d);
        push(g->ints, &g->nints, made->e);
    }
    return d;
}

static IrVal konst(Gen *g, uint64_t v)
{
    return ir_const(g->u, v);
}

static unsigned some_reg(Gen *g)
{
    unsigned r = chance(g, 50) ? below(g, 4) : below(g, TOY_V0 - 1);
    return r >= TOY_PC ? r + 1 : r;
}

static IrVal get(Gen *g)
{
    return append(g, (IrOp){ .op = IR_get, .w = 64, .x = (uint16_t)some_reg(g) });
}

/* The last few values are the likeliest, so that chains form. */
static IrVal int_operand(Gen *g)
{
    if (chance(g, 18)) {
        return konst(g, rng_edge(&g->r));
    }
    if (!g->nints || chance(g, 15)) {
        return get(g);
    }
    return g->ints[below(g, chance(g, 70) ? MIN(g->nints, 4) : g->nints)];
}

static IrVal vec_operand(Gen *g)
{
    if (!g->nvecs || chance(g, 25)) {
        return append(g, (IrOp){ .op = IR_getv, .w = 128, .x = (uint16_t)(TOY_V0 + below(g, TOY_NVEC)) });
    }
    return g->vecs[below(g, g->nvecs)];
}

static uint64_t some_addr(Gen *g)
{
    uint64_t page = TOY_MEM + below(g, 16) * 0x1000;
    return chance(g, 30) ? page + 0x1000 - below(g, 9) : page + below(g, 0x1000);
}

static IrVal addr_operand(Gen *g)
{
    switch (below(g, 8)) {
    case 0:
        return konst(g, some_addr(g));
    case 1:
        return konst(g, chance(g, 50) ? TOY_ROM + below(g, 0x1008) : rng_edge(&g->r));
    case 2: case 3: {
        IrVal v = append(g, (IrOp){ .op = IR_zext, .w = 64, .x = 16, .a = int_operand(g) });
        return append(g, (IrOp){ .op = IR_add, .w = 64, .a = v, .b = konst(g, TOY_MEM) });
    }
    default: {
        IrVal v = append(g, (IrOp){ .op = IR_get, .w = 64, .x = (uint16_t)(4 + below(g, 4)) });
        uint64_t off = chance(g, 80) ? below(g, 64) : 0 - (uint64_t)below(g, 5000);
        return append(g, (IrOp){ .op = IR_add, .w = 64, .a = v, .b = konst(g, off) });
    }
    }
}

/* ---- ops ---- */

static unsigned some_width(Gen *g, unsigned widths)
{
    unsigned w;
    do {
        w = 8u << below(g, 5);
    } while (!(widths & ir_width_bit(w)));
    return w;
}

static unsigned field_x(Gen *g, unsigned w)
{
    static const uint16_t usual[] = { 8, 8 << 8 | 8, 16, 32 };
    unsigned x = usual[below(g, ARRAY_LEN(usual))];
    if (chance(g, 50) && (x >> 8) + (x & 255) <= w) {
        return x;
    }
    unsigned pos = below(g, w);
    return pos << 8 | (1 + below(g, w - pos));
}

static unsigned some_x(Gen *g, unsigned op, unsigned w)
{
    switch (op) {
    case IR_sext:                     if (chance(g, 20)) return 1 + below(g, w - 1);    /* fall through */
    case IR_zext:                     return 8u << below(g, 3);
    case IR_bswap:                    return chance(g, 40) ? 16 : w;
    case IR_crc32c:                   return 8u << below(g, w == 64 ? 4 : 3);
    case IR_extract: case IR_deposit: return field_x(g, w);
    case IR_lea:                      return below(g, 4);
    case IR_setc: case IR_sel:        return below(g, IRC_COUNT);
    }
    return 0;
}

/* Something to compare a with: often a value at the edge of what a can be. */
static IrVal compared_to(Gen *g, IrVal a)
{
    if (chance(g, 40)) {
        return konst(g, chance(g, 50) ? below(g, 2) : ir_ones(g->u->vals[a].w) + below(g, 3) - 1);
    }
    return chance(g, 10) ? a : int_operand(g);
}

/* A value that shares bits with a. */
static IrVal relative_of(Gen *g, IrVal a)
{
    static const uint8_t ops[] = { IR_mov, IR_zext, IR_sext, IR_deposit, IR_extract, IR_and, IR_neg, IR_not };
    IrOp o = { .op = ops[below(g, ARRAY_LEN(ops))], .w = chance(g, 50) ? 32 : 64, .a = a };
    o.x = (uint16_t)some_x(g, o.op, o.w);
    if (o.op == IR_deposit) {
        o.a = int_operand(g);
        o.b = a;
    } else if (o.op == IR_and) {
        o.b = konst(g, ir_ones(8u << below(g, 4)));
    }
    return append(g, o);
}

static void step_int(Gen *g)
{
    static const uint8_t foldable[] = { IR_zext, IR_sext, IR_extract, IR_deposit, IR_and, IR_or, IR_add, IR_shl, IR_shr,
                                        IR_setc, IR_sel, IR_mov, IR_neg, IR_not };
    unsigned op = IR_mov + below(g, IR_sel - IR_mov + 1);
    bool chain = chance(g, 50);
    if (chain) {
        op = foldable[below(g, ARRAY_LEN(foldable))];
    }
    if (op == IR_div2u || op == IR_div2s) {
        return;
    }
    IrOp o = { .op = (uint8_t)op, .w = (uint8_t)some_width(g, ir_op_info[op].widths) };
    o.x = (uint16_t)some_x(g, op, o.w);
    o.a = chain && g->nints && chance(g, 80) ? g->ints[below(g, MIN(g->nints, 2))] : int_operand(g);
    const char *args = strchr(ir_op_info[op].sig, '=') + 1;
    size_t n = strlen(args);
    if (n > 1) {
        o.b = chance(g, 8) ? o.a : chance(g, 20) ? konst(g, below(g, 70)) : chance(g, 12) ? relative_of(g, o.a)
                                                                                          : int_operand(g);
    }
    if (op == IR_setc || op == IR_sel) {
        o.b = compared_to(g, o.a);
    }
    if (op == IR_lea) {
        o.c = chance(g, 30) ? IR_NONE : konst(g, chance(g, 30) ? rng_edge(&g->r) : below(g, 256));
    } else if (n > 2) {
        o.c = int_operand(g);
        o.f = n > 3 ? int_operand(g) : IR_NONE;
    }
    append(g, o);
}

/* Dividends that mostly do not overflow. */
static void step_div(Gen *g)
{
    IrOp o = { .op = chance(g, 50) ? IR_div2u : IR_div2s, .w = chance(g, 50) ? 32 : 64 };
    o.b = int_operand(g);
    o.a = o.op == IR_div2u ? konst(g, below(g, 2))
                           : append(g, (IrOp){ .op = IR_sar, .w = o.w, .a = o.b, .b = konst(g, o.w - 1u) });
    if (chance(g, 5)) {
        o.a = int_operand(g);
    }
    o.c = append(g, (IrOp){ .op = IR_or, .w = 64, .a = int_operand(g), .b = konst(g, chance(g, 95) ? 2 : 0) });
    append(g, o);
}

static unsigned memop(Gen *g, unsigned max_size)
{
    unsigned x = chance(g, 6) ? IRM_ALIGN : 0;
    return x | below(g, (unsigned)__builtin_ctz(max_size) + 1) | below(g, 4) << IRM_MODE_SHIFT;
}

static void step_mem(Gen *g)
{
    IrOp o = { .w = chance(g, 50) ? 32 : 64, .a = addr_operand(g) };
    o.x = (uint16_t)memop(g, o.w / 8);
    unsigned swap = irm_size(o.x) > 1 && chance(g, 15) ? IRM_BSWAP : 0;
    switch (below(g, 8)) {
    case 0: case 1: case 2:
        o.op = IR_ld;
        o.x |= swap | (chance(g, 30) ? IRM_SIGN : 0) | (chance(g, 8) ? IRM_RMW : 0);
        break;
    case 3: case 4:
        o.op = IR_st;
        o.x |= swap;
        o.b = int_operand(g);
        break;
    case 5:
        o.op = IR_probe;
        break;
    case 6:
        o.op = IR_rmw;
        o.x = (uint16_t)((o.x & ~IRM_ALIGN) | below(g, IRA_SUB_REV + 1) << IRM_ATOMIC_SHIFT);
        o.b = int_operand(g);
        break;
    default:
        o.op = IR_cas;
        o.x &= ~IRM_ALIGN;
        o.b = int_operand(g);
        o.c = int_operand(g);
    }
    append(g, o);
}

static void step_put(Gen *g)
{
    append(g, (IrOp){ .op = IR_put, .w = 64, .x = (uint16_t)some_reg(g), .a = int_operand(g) });
}

static void step_field(Gen *g)
{
    IrOp o = { .op = chance(g, 50) ? IR_lde : IR_ste, .w = (uint8_t)(8u << below(g, 4)),
               .x = (uint16_t)(TOY_FIELD + 8 * below(g, TOY_NFIELDS)) };
    o.a = o.op == IR_ste ? int_operand(g) : IR_NONE;
    append(g, o);
}

static void step_call(Gen *g)
{
    static const uint8_t usual[] = { TOYH_mix3, TOYH_pure0, TOYH_sum, TOYH_wr, TOYH_rw, TOYH_vrw, TOYH_check, TOYH_rwcheck,
                                     TOYH_note, TOYH_fpu };
    IrOp o = { .op = IR_call, .w = 64, .x = usual[below(g, ARRAY_LEN(usual))] };
    IrVal *const to[] = { &o.a, &o.b, &o.c, &o.f };
    for (unsigned i = 0; i < toy_arch.helpers[o.x].nargs; i++) {
        *to[i] = int_operand(g);
    }
    if ((o.x == TOYH_check || o.x == TOYH_rwcheck) && chance(g, 50)) {
        o.a = konst(g, o.x == TOYH_check ? 5 : 3);
    }
    append(g, o);
}

/* Every exit has a pc of its own, by which it is known again. */
static unsigned some_exit(Gen *g)
{
    IrExit x = { .kind = IRX_DIRECT, .pc = 0x3000 + 16 * g->u->nexits };
    if (chance(g, 20)) {
        x.kind = IRX_LOOP;
    } else if (chance(g, 20)) {
        x.kind = IRX_INDIRECT;
        x.val = int_operand(g);
        return ir_exit_new(g->u, x);
    } else if (chance(g, 10)) {
        x.kind = IRX_RAISE;
        x.helper = TOYH_stop;
        x.arg[0] = below(g, 4);
        x.arg[1] = rng_edge(&g->r);
        return ir_exit_new(g->u, x);
    }
    x.flags = (uint8_t)below(g, 4);
    for (unsigned i = 0; chance(g, 50) && i < 6; i++) {
        x.dead[0] |= BIT(chance(g, 80) ? some_reg(g) : TOY_V0 + below(g, TOY_NVEC));
    }
    return ir_exit_new(g->u, x);
}

static void step_br(Gen *g)
{
    IrOp o = { .op = IR_br, .w = (uint8_t)(8u << below(g, 4)), .a = int_operand(g) };
    o.b = compared_to(g, o.a);
    if (chance(g, 15)) {
        o.op = IR_poll;
        o.w = 32;
        o.a = o.b = IR_NONE;
        o.x = (uint16_t)some_exit(g);
    } else {
        unsigned cond = chance(g, 50) ? IRC_EQ : below(g, IRC_COUNT);
        o.x = (uint16_t)(some_exit(g) << 4 | cond);
    }
    append(g, o);
}

static unsigned lane_x(Gen *g)
{
    unsigned log = below(g, 4);
    return below(g, 16u >> log) << 8 | 8u << log;
}

/* The rows of vops.def: allowed kinds (a bit each) and the largest imm. */
#define E0 1
#define E1 2
#define E2 4
#define E3 8
static const struct { uint8_t op; uint16_t kinds; uint8_t max_imm; } vops[] = {
    { IR_vand, E0, 0 }, { IR_vor, E0, 0 }, { IR_vxor, E0, 0 }, { IR_vandn, E0, 0 },
    { IR_vadd, 15, 0 }, { IR_vsub, 15, 0 }, { IR_vadds, E0 | E1, 0 }, { IR_vaddus, E0 | E1, 0 }, { IR_vsubs, E0 | E1, 0 },
    { IR_vsubus, E0 | E1, 0 }, { IR_vmullo, E1 | E2, 0 }, { IR_vmulhs, E1, 0 }, { IR_vmulhu, E1, 0 },
    { IR_vmulhrs, E1, 0 }, { IR_vmul2u, E0, 0 }, { IR_vmul2s, E0, 0 }, { IR_vmadd, E0, 0 }, { IR_vmaddus, E0, 0 },
    { IR_vsad, E0, 0 }, { IR_vmpsad, E0, 7 }, { IR_vavg, E0 | E1, 0 }, { IR_vmins, 7, 0 }, { IR_vminu, 7, 0 },
    { IR_vmaxs, 7, 0 }, { IR_vmaxu, 7, 0 }, { IR_vcmpeq, 15, 0 }, { IR_vcmpgt, 15, 0 }, { IR_vabs, 7, 0 },
    { IR_vsign, 7, 0 }, { IR_vhadd, E1 | E2, 0 }, { IR_vhadds, E1, 0 }, { IR_vhsub, E1 | E2, 0 }, { IR_vhsubs, E1, 0 },
    { IR_vminpos, E0, 0 },
    { IR_vshl, 14, 0 }, { IR_vshr, 14, 0 }, { IR_vsar, E1 | E2, 0 }, { IR_vshli, 14, 70 }, { IR_vshri, 14, 70 },
    { IR_vsari, E1 | E2, 70 }, { IR_vshlv, E2 | E3, 0 }, { IR_vshrv, E2 | E3, 0 }, { IR_vsarv, E2, 0 },
    { IR_vbshl, E0, 17 }, { IR_vbshr, E0, 17 },
    { IR_vshufb, E0, 0 }, { IR_vshuf32, E0, 255 }, { IR_vshuflo, E0, 255 }, { IR_vshufhi, E0, 255 },
    { IR_vshuf2, E2 | E3, 255 }, { IR_vpermil, E2 | E3, 0 }, { IR_vunpklo, 15, 0 }, { IR_vunpkhi, 15, 0 },
    { IR_vpacks, E1 | E2, 0 }, { IR_vpackus, E1 | E2, 0 }, { IR_valign, E0, 33 }, { IR_vblendi, 14, 255 },
    { IR_vblend, E0 | E2 | E3, 0 }, { IR_vinsertf, E0, 255 }, { IR_vdup, 15, 0 }, { IR_vwidens, 63, 0 },
    { IR_vwidenu, 63, 0 }, { IR_vmovmsk, E0 | E2 | E3, 0 }, { IR_vtest, E0 | E2 | E3, 0 },
    { IR_vfadd, 15, 0 }, { IR_vfsub, 15, 0 }, { IR_vfmul, 15, 0 }, { IR_vfdiv, 15, 0 }, { IR_vfmin, 15, 0 },
    { IR_vfmax, 15, 0 }, { IR_vfsqrt, 15, 0 }, { IR_vfrcp, E0 | E2, 0 }, { IR_vfrsqrt, E0 | E2, 0 }, { IR_vfround, 15, 15 },
    { IR_vfcmp, 15, 31 }, { IR_vfaddsub, E0 | E1, 0 }, { IR_vfhadd, E0 | E1, 0 }, { IR_vfhsub, E0 | E1, 0 },
    { IR_vfdp, E0 | E1, 255 }, { IR_vfcmpi, E2 | E3, 1 }, { IR_vfma, 15, 0x25 }, { IR_vfcvt, (1 << VCVT_PH_PS) - 1, 0 },
    { IR_vfromint, 0xcc, 0 }, { IR_vtoint, 0xcccc, 0 },
    { IR_vaes, 63, 255 }, { IR_vclmul, E0, 0x11 }, { IR_vsha, 0x7f, 3 },
};

static void set_operand(Gen *g, IrOp *o, unsigned i, char type)
{
    IrVal *const to[] = { &o->a, &o->b, &o->c, &o->f };
    *to[i] = type == 'v' ? vec_operand(g) : int_operand(g);
}

static bool imm_exists(unsigned op, unsigned kind, unsigned imm)
{
    if (op == IR_vfma) {                 /* alternating signs only where there are several elements */
        return (imm & 15) <= VFMA_NSUB && (kind < VF_SS || (imm & 15) >= VFMA_ADD);
    }
    return op != IR_vclmul || !(imm & ~0x11u);
}

static void step_vop(Gen *g)
{
    unsigned row = below(g, ARRAY_LEN(vops)), kind, imm;
    do {
        kind = below(g, 16);
    } while (!(vops[row].kinds >> kind & 1));
    do {
        imm = below(g, vops[row].max_imm + 1u);
    } while (!imm_exists(vops[row].op, kind, imm));
    IrOp o = { .op = vops[row].op, .w = 128, .x = (uint16_t)VEC_X(kind, imm) };
    const char *args = strchr(ir_op_info[o.op].sig, '=') + 1;
    for (unsigned i = 0; args[i]; i++) {
        set_operand(g, &o, i, args[i]);
    }
    append(g, o);
}

static void step_vmove(Gen *g)
{
    IrOp o = { .w = 128 };
    switch (below(g, 8)) {
    case 0:
        o.op = IR_vzero;
        break;
    case 1:
        o.op = IR_vmov;
        o.a = vec_operand(g);
        break;
    case 2:
        o.op = IR_vfromi;
        o.x = chance(g, 50) ? 32 : 64;
        o.a = int_operand(g);
        break;
    case 3:
        o.op = IR_vextract;
        o.x = (uint16_t)lane_x(g);
        o.a = vec_operand(g);
        break;
    case 4:
        o.op = IR_vinsert;
        o.x = (uint16_t)lane_x(g);
        o.a = vec_operand(g);
        o.b = int_operand(g);
        break;
    case 5:
        o.op = chance(g, 50) ? IR_ldev : IR_stev;
        o.x = (uint16_t)(TOY_FIELD + 16 * below(g, TOY_NFIELDS / 2));
        o.a = o.op == IR_stev ? vec_operand(g) : IR_NONE;
        break;
    default:
        o.op = chance(g, 50) ? IR_ldv : IR_stv;
        o.a = addr_operand(g);
        o.x = (uint16_t)((2 + below(g, 3)) | below(g, 4) << IRM_MODE_SHIFT | (chance(g, 10) ? IRM_ALIGN : 0));
        o.b = o.op == IR_stv ? vec_operand(g) : IR_NONE;
    }
    append(g, o);
}

static void step_vec(Gen *g)
{
    if (chance(g, 50)) {
        step_vop(g);
    } else {
        step_vmove(g);
    }
    if (chance(g, 40)) {
        append(g, (IrOp){ .op = IR_putv, .w = 128, .x = (uint16_t)(TOY_V0 + below(g, TOY_NVEC)), .a = vec_operand(g) });
    }
}

/* weights: of most units, and of those that are mostly vectors */
static const struct { void (*step)(Gen *); unsigned weight[2]; } steps[] = {
    { step_int, { 50, 10 } }, { step_put, { 17, 8 } }, { step_mem, { 9, 4 } }, { step_vec, { 7, 68 } },
    { step_br, { 6, 4 } }, { step_field, { 3, 2 } }, { step_call, { 6, 4 } }, { step_div, { 2, 0 } },
};

static void step(Gen *g, bool vectors)
{
    unsigned n = below(g, 100);
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        if (n < steps[i].weight[vectors]) {
            steps[i].step(g);
            return;
        }
        n -= steps[i].weight[vectors];
    }
}

static void last_exit(Gen *g)
{
    unsigned n = below(g, 10);
    if (n < 2) {                         /* the pc was set before */
        if (n) {
            append(g, (IrOp){ .op = IR_call, .w = 64, .x = TOYH_setpc, .a = konst(g, 0x8000) });
        } else {
            append(g, (IrOp){ .op = IR_put, .w = 64, .x = TOY_PC, .a = int_operand(g) });
        }
        unsigned x = ir_exit_new(g->u, (IrExit){ .kind = chance(g, 50) ? IRX_LOOKUP : IRX_LOOP_DYN });
        ir_exit(g->u, x);
    } else {
        ir_exit(g->u, some_exit(g));
    }
}

/* Which steps of a unit to leave out, when a failure is made smaller. */
typedef struct Skip { bool step[MAX_STEPS]; } Skip;

/* The unit of a seed.  Each step draws from numbers of its own, so that the others stay what they are without it. */
static IrUnit *generate(uint64_t seed, const Skip *skip)
{
    Gen g = { .r = { seed }, .u = ir_unit_new(&toy_arch) };
    unsigned all = 1 + below(&g, chance(&g, 80) ? 25 : MAX_STEPS - 1);
    bool vectors = chance(&g, 20);
    ir_insn(g.u, 0x1000);
    for (unsigned i = 0; i < all && g.u->nexits < 60; i++) {
        g.r.s = (seed + 1) * 0x100000001b3 + i * 0x123456789;
        if (!skip->step[i]) {
            step(&g, vectors);
            if (chance(&g, 30)) {
                ir_insn(g.u, 0x1000 + 4 * g.u->ninsns);
            }
        }
    }
    g.r.s = ~seed;
    last_exit(&g);
    return g.u;
}

/* ---- running ---- */

static ToyMachine *interp, *host;
static bool use_interp = true, verbose;

/* Written by the process that runs the units, read by the one that started it. */
typedef struct Shared {
    unsigned done;                       /* units that passed since the start */
    unsigned taken[8];                   /* how the reference runs ended: by fault kind */
} Shared;
static Shared *shared;

static void show(const IrUnit *u, const char *how, const char *what)
{
    g_autoptr(GString) text = g_string_new("");
    if (verbose) {
        ir_print(u, text);
        printf("%s: %s\n%s", how, what, text->str);
    }
}

/* Runs u from `in` and compares with `want`. */
static bool same(ToyMachine *m, const IrUnit *u, const IrUnit *raw, const ToyState *in, const ToyState *want,
                 const char *how)
{
    g_autoptr(GString) why = g_string_new("");
    ToyState s = *in;
    if (!ir_verify(u, why)) {
        show(u, how, why->str);
        return false;
    }
    if (!m) {
        return true;
    }
    if (!toy_run(m, u, &s)) {
        show(u, how, "not compiled");
        return false;
    }
    g_autofree char *diff = toy_diff(raw, want, &s);
    if (diff) {
        show(u, how, diff);
    }
    return !diff;
}

static bool text_is_stable(const IrUnit *u)
{
    g_autoptr(GString) one = g_string_new(""), two = g_string_new("");
    GError *err = NULL;
    ir_print(u, one);
    IrUnit *n = ir_parse(&toy_arch, one->str, &err);
    if (!n) {
        show(u, "text", err->message);
        g_error_free(err);
        return false;
    }
    /* values are numbered anew, so compare from the second time on */
    ir_print(n, two);
    IrUnit *n2 = ir_parse(&toy_arch, two->str, NULL);
    bool ok = n2 && n->nops == u->nops;
    if (ok) {
        g_string_truncate(one, 0);
        ir_print(n2, one);
        ok = g_string_equal(one, two);
    }
    if (!ok) {
        show(u, "text", "does not parse to itself");
    }
    ir_unit_free(n);
    ir_unit_free(n2);
    return ok;
}

static bool check(uint64_t seed, const Skip *skip)
{
    Rng r = { seed ^ 0x5555 };
    ToyState in;
    toy_random_state(&r, &in);
    in.exit_request = rng_below(&r, 5) == 0;
    in.fpcr |= rng_below(&r, 4) << 13 | (rng_below(&r, 4) ? 0 : 0x8040);
    IrUnit *raw = generate(seed, skip);
    ToyState want = in;
    bool ok = same(NULL, raw, raw, &in, &want, "raw") && text_is_stable(raw);
    if (ok) {
        toy_run(interp, raw, &want);
        shared->taken[want.fault % 8]++;
        ok = same(host, raw, raw, &in, &want, "host, raw");
    }
    for (unsigned i = 0; ok && i < 2; i++) {
        IrUnit *n = toy_rebuild(raw, &in, i ? (uint32_t)rng_next(&r) : 0);
        ok = same(use_interp ? interp : NULL, n, raw, &in, &want, "interp, folded");
        ir_dead(n);
        ok = ok && same(use_interp ? interp : NULL, n, raw, &in, &want, "interp, folded and ir_dead") &&
             same(host, n, raw, &in, &want, "host, folded and ir_dead");
        ir_unit_free(n);
    }
    if (!ok) {
        show(raw, "the unit", "");
    }
    ir_unit_free(raw);
    return ok;
}

/* check(), with a crash as a failure. */
static bool check_apart(uint64_t seed, const Skip *skip)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        int quiet = verbose ? -1 : open("/dev/null", O_WRONLY);
        dup2(quiet, 2);
        dup2(quiet, 1);
        bool ok = check(seed, skip);
        fflush(stdout);
        _exit(!ok);
    }
    waitpid(pid, &status, 0);
    if (verbose && WIFSIGNALED(status)) {
        printf("crashed with signal %d\n", WTERMSIG(status));
        IrUnit *u = generate(seed, skip);
        show(u, "the unit", "");
        ir_unit_free(u);
    }
    return !status;
}

/* Leaves out every step without which it still fails, and shows the rest. */
static void failed(uint64_t seed)
{
    Skip skip = { { false } };
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = MAX_STEPS; i-- > 0;) {
            bool was = skip.step[i];
            skip.step[i] = true;
            if (!was && check_apart(seed, &skip)) {
                skip.step[i] = false;
            }
        }
    }
    printf("\nFAILED: --count 1 --seed %" G_GUINT64_FORMAT ", made smaller:\n", seed);
    verbose = true;
    check_apart(seed, &skip);
    verbose = false;
}

/* Units from number `first` on until one fails or crashes. */
static void run_some(uint64_t seed, unsigned first, unsigned count)
{
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        for (unsigned i = first; i < count && check(seed + i, &(Skip){ { false } }); i++) {
            shared->done = i + 1;
        }
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* Returns how many failed; five are enough. */
static unsigned run_all(uint64_t seed, unsigned count)
{
    unsigned bad = 0;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    while (shared->done < count && bad < 5) {
        run_some(seed, shared->done, count);
        if (shared->done < count) {
            failed(seed + shared->done);
            shared->done++;
            bad++;
        }
    }
    return bad;
}

int main(int argc, char **argv)
{
    g_autofree char *engine = NULL;
    int64_t seed = 1;
    int count = getenv("RHEA_LONG") ? 200000 : 4000;
    GOptionEntry options[] = {
        { "engine", 0, 0, G_OPTION_ARG_STRING, &engine, "interp, host or all (default)", "E" },
        { "count", 0, 0, G_OPTION_ARG_INT, &count, "how many units", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "seed of the first", "S" }, { 0 },
    };
    GError *err = NULL;
    GOptionContext *oc = g_option_context_new(NULL);
    g_option_context_add_main_entries(oc, options, NULL);
    bool ok = g_option_context_parse(oc, &argc, &argv, &err);
    g_option_context_free(oc);
    if (ok) {
        interp = toy_new(false, &err);
        use_interp = !engine || strcmp(engine, "host");
        host = interp && (!engine || strcmp(engine, "interp")) ? toy_new(true, &err) : NULL;
    }
    if (err) {
        fprintf(stderr, "test_fuzz_ir: %s\n", err->message);
        return 2;
    }
    unsigned bad = run_all((uint64_t)seed, (unsigned)count);
    printf("%u passed, %u failed (left by an exit %u, faults: load %u store %u align %u arith %u helper %u)\n",
           shared->done - bad, bad, shared->taken[0], shared->taken[1], shared->taken[2], shared->taken[3], shared->taken[4],
           shared->taken[5]);
    toy_free(interp);
    if (host) {
        toy_free(host);
    }
    return bad != 0;
}
