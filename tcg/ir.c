/* Building units: appending ops, constants, and the forwarding of guest
 * registers from put to get.
 *
 * Everything lives in arrays of fixed size that one allocation holds, so
 * translating allocates nothing.  Whatever does not fit sets u->overflow; the
 * builders then return the unit's last value slot, a constant 0, so that a
 * front end may go on blindly until it looks at the flag.
 *
 * Invariants: the operands of an op are defined before it; u->cur[r] is the
 * value that register r holds after the last op, or IR_NONE.
 */
#include "tcg/ir.h"

#include <string.h>

#include "tcg/fold.h"

#define WB (IRW_8 | IRW_16 | IRW_32 | IRW_64)
#define WI (IRW_32 | IRW_64)
#define WQ IRW_64
#define WL IRW_32
#define WV IRW_128
#define F_PURE IRF_PURE
#define F_COMM IRF_COMM
#define F_FAULT IRF_FAULT
#define F_EXIT IRF_EXIT
#define F_MEM IRF_MEM
#define F_END IRF_END

const IrOpInfo ir_op_info[IR_OPCODES] = {
    [IR_nop] = { "nop", "=", WB | WV, IRF_PURE },
#define OP(name, sig, widths, flags, ...) [IR_##name] = { #name, sig, widths, flags },
#include "tcg/ops.def"
#undef OP
};

enum { SPARE = IR_MAX_VALS - 1 };        /* what builders return when there is no room */

static IrUnit *unit_alloc(unsigned nops, unsigned nvals, unsigned nexits, unsigned ninsns)
{
    size_t head = (sizeof(IrUnit) + 15) & ~(size_t)15;
    size_t size = head + nops * sizeof(IrOp) + nvals * sizeof(IrValue) + nexits * sizeof(IrExit) +
                  ninsns * sizeof(IrInsn);
    char *p = g_malloc(size);
    IrUnit *u = (IrUnit *)p;
    u->ops = (IrOp *)(p + head);
    u->vals = (IrValue *)(u->ops + nops);
    u->exits = (IrExit *)(u->vals + nvals);
    u->insns = (IrInsn *)(u->exits + nexits);
    return u;
}

IrUnit *ir_unit_new(const IrArch *arch)
{
    g_assert(arch->nregs <= IR_MAX_REGS);
    IrUnit *u = unit_alloc(IR_MAX_OPS, IR_MAX_VALS, IR_MAX_EXITS, IR_MAX_INSNS);
    u->arch = arch;
    u->vals[IR_NONE] = (IrValue){ .type = IR_VOID };
    u->vals[SPARE] = (IrValue){ .type = IR_INT, .is_const = 1 };
    memset(u->recent, 0, sizeof(u->recent));
    ir_unit_reset(u);
    return u;
}

void ir_unit_reset(IrUnit *u)
{
    u->nops = u->nexits = u->ninsns = 0;
    u->nvals = 1;
    u->overflow = u->ended = u->pc_known = false;
    u->tlb_mode = 0;
    u->pc_bias = 0;
    memset(u->cur, 0, u->arch->nregs * sizeof(u->cur[0]));
}

void ir_unit_free(IrUnit *u)
{
    g_free(u);
}

IrUnit *ir_unit_copy(const IrUnit *u)
{
    IrUnit *n = unit_alloc(u->nops, u->nvals, u->nexits, u->ninsns);
    IrUnit arrays = *n;
    *n = *u;
    n->ops = memcpy(arrays.ops, u->ops, u->nops * sizeof(IrOp));
    n->vals = memcpy(arrays.vals, u->vals, u->nvals * sizeof(IrValue));
    n->exits = memcpy(arrays.exits, u->exits, u->nexits * sizeof(IrExit));
    n->insns = memcpy(arrays.insns, u->insns, u->ninsns * sizeof(IrInsn));
    n->ended = true;
    return n;
}

static IrVal spare(IrUnit *u)
{
    u->vals[SPARE].imm = 0;
    return SPARE;
}

static IrVal val_new(IrUnit *u, IrType type, unsigned w)
{
    if (G_UNLIKELY(u->nvals >= SPARE)) {
        u->overflow = true;
        return spare(u);
    }
    u->vals[u->nvals] = (IrValue){ .def = (uint16_t)u->nops, .type = type, .w = (uint8_t)w };
    return (IrVal)u->nvals++;
}

IrVal ir_const(IrUnit *u, uint64_t imm)
{
    IrVal *slot = &u->recent[(imm * 0x9e3779b97f4a7c15u) >> 58];
    _Static_assert(IR_RECENT == 1 << (64 - 58), "the hash has 6 bits");
    IrVal v = *slot;
    if (v && v < u->nvals && u->vals[v].is_const && u->vals[v].imm == imm) {
        return v;
    }
    if (G_UNLIKELY(u->nvals >= SPARE)) {
        u->overflow = true;
        u->vals[SPARE].imm = imm;
        return SPARE;
    }
    v = (IrVal)u->nvals++;
    u->vals[v] = (IrValue){ .imm = imm, .type = IR_INT, .is_const = 1, .w = (uint8_t)ir_bits_of(imm) };
    return *slot = v;
}

static bool no_room(IrUnit *u)
{
    if (u->ended) {
        return true;
    }
    if (G_UNLIKELY(u->nops >= IR_MAX_OPS)) {
        u->overflow = true;
    }
    return u->overflow;
}

IrVal ir_append_draft(IrUnit *u, const IrDraft *o)
{
    if (no_room(u)) {
        return spare(u);
    }
    const IrOpInfo *info = &ir_op_info[o->op];
    const char *sig = info->sig;
    IrVal d = IR_NONE, e = IR_NONE;
    if (sig[0] == 'v') {
        d = val_new(u, IR_VEC, 64);
    } else if (sig[0] == 'i' && !(o->op == IR_call && !u->arch->helpers[o->x].ret)) {
        d = val_new(u, IR_INT, MIN(ir_width_of(u, o), 64));
        e = sig[1] == '=' ? IR_NONE : val_new(u, IR_INT, o->w);
    }
    u->ops[u->nops++] = (IrOp){ .op = (uint8_t)o->op, .w = (uint8_t)o->w, .x = (uint16_t)o->x, .d = d, .e = e,
                                .a = (IrVal)o->a, .b = (IrVal)o->b, .c = (IrVal)o->c, .f = (IrVal)o->f };
    u->ended = info->flags & IRF_END;
    return d;
}

IrVal ir_append(IrUnit *u, IrOp o)
{
    return ir_append_draft(u, &(IrDraft){ .op = o.op, .w = o.w, .x = o.x, .a = o.a, .b = o.b, .c = o.c, .f = o.f });
}

IrVal ir_emit(IrUnit *u, IrOpcode op, unsigned w, unsigned x, IrVal a, IrVal b, IrVal c, IrVal f)
{
    IrDraft o = { .op = op, .w = w, .x = x, .a = a, .b = b, .c = c, .f = f };
    if (ir_op_info[op].flags & IRF_PURE) {
        IrVal v = ir_fold(u, &o);
        if (v) {
            return v;
        }
    } else if (op == IR_st) {
        o.b = ir_low_part(u, b, irm_size(x) * 8);
    } else if (op == IR_ste) {
        o.a = ir_low_part(u, a, w);
    }
    return ir_append_draft(u, &o);
}

IrVal ir_emit2(IrUnit *u, IrOpcode op, unsigned w, unsigned x, IrVal a, IrVal b, IrVal c, IrVal *e)
{
    IrDraft o = { .op = op, .w = w, .x = x, .a = a, .b = b, .c = c };
    if ((op == IR_mul2u || op == IR_mul2s) && ir_is_const(u, a) && ir_is_const(u, b)) {
        uint64_t hi, lo = ir_eval_mul2(op, w, ir_imm(u, a), ir_imm(u, b), &hi);
        *e = ir_const(u, hi);
        return ir_const(u, lo);
    }
    IrVal d = ir_append_draft(u, &o);
    *e = d == SPARE ? d : u->ops[u->nops - 1].e;
    return d;
}

IrVal ir_get(IrUnit *u, unsigned reg)
{
    if (u->cur[reg]) {
        return u->cur[reg];
    }
    if (reg == u->arch->pc_reg && u->pc_known) {
        return u->cur[reg] = ir_const(u, u->insns[u->ninsns - 1].pc);
    }
    bool vec = u->arch->regs[reg].type == IR_VEC;
    IrDraft o = { .op = vec ? IR_getv : IR_get, .w = vec ? 128 : 64, .x = reg };
    return u->cur[reg] = ir_append_draft(u, &o);
}

void ir_put(IrUnit *u, unsigned reg, IrVal v)
{
    if (u->cur[reg] == v) {
        return;
    }
    bool vec = u->arch->regs[reg].type == IR_VEC;
    ir_append_draft(u, &(IrDraft){ .op = vec ? IR_putv : IR_put, .w = vec ? 128 : 64, .x = reg, .a = v });
    u->cur[reg] = v;
    u->vals[v].held = (uint8_t)(reg + 1);
}

void ir_insn(IrUnit *u, uint64_t pc)
{
    if (no_room(u)) {
        return;
    }
    if (u->ninsns >= IR_MAX_INSNS) {
        u->overflow = true;
        return;
    }
    IrInsn *prev = u->ninsns ? &u->insns[u->ninsns - 1] : NULL;
    if (prev && !prev->len && pc - prev->pc < 256) {
        prev->len = (uint8_t)(pc - prev->pc);
    }
    u->insns[u->ninsns] = (IrInsn){ .pc = pc, .op = (uint16_t)u->nops };
    ir_append_draft(u, &(IrDraft){ .op = IR_insn, .w = 32, .x = u->ninsns++ });
    u->cur[u->arch->pc_reg] = IR_NONE;
    u->pc_known = true;
}

unsigned ir_exit_new(IrUnit *u, IrExit x)
{
    if (u->nexits >= IR_MAX_EXITS) {
        u->overflow = true;
        return 0;
    }
    x.insn = (uint16_t)(u->ninsns ? u->ninsns - 1 : 0);
    u->exits[u->nexits] = x;
    return u->nexits++;
}

void ir_br(IrUnit *u, unsigned w, IrCond c, IrVal a, IrVal b, unsigned exit)
{
    IrDraft o = { .op = IR_br, .w = w, .x = exit << 4 | c, .a = a, .b = b };
    int taken = ir_fold_br(u, &o);
    if (taken < 0) {
        ir_append_draft(u, &o);
    } else if (taken) {
        ir_exit(u, exit);
    }
}

void ir_exit(IrUnit *u, unsigned exit)
{
    ir_append_draft(u, &(IrDraft){ .op = IR_exit, .w = 32, .x = exit });
}

void ir_poll(IrUnit *u, unsigned exit)
{
    ir_append_draft(u, &(IrDraft){ .op = IR_poll, .w = 32, .x = exit });
}

/* A helper that writes registers may write any of its types. */
static void forget_regs(IrUnit *u, bool vec_too)
{
    for (unsigned r = 0; r < u->arch->nregs; r++) {
        if (vec_too || u->arch->regs[r].type == IR_INT) {
            u->cur[r] = IR_NONE;
        }
    }
    u->pc_known = false;
}

IrVal ir_call(IrUnit *u, unsigned helper, IrVal a, IrVal b, IrVal c, IrVal f)
{
    const IrHelper *h = &u->arch->helpers[helper];
    IrDraft o = { .op = IR_call, .w = 64, .x = helper, .a = a, .b = b, .c = c, .f = f };
    IrVal v = ir_append_draft(u, &o);
    if (h->flags & IRH_WRITE) {
        forget_regs(u, h->flags & IRH_VEC);
    }
    return h->ret ? v : IR_NONE;
}
