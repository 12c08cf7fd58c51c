/* Between ir.c and the folder (fold.c), and the value of every op that ops.def
 * gives an expression for. */
#ifndef RHEA_TCG_FOLD_H
#define RHEA_TCG_FOLD_H

#include "tcg/ir.h"

/* All ones in the low n bits, 0 <= n <= 64. */
static inline uint64_t ir_ones(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* The bit of IrOpInfo.widths for a width; 0: there is no such width. */
static inline unsigned ir_width_bit(uint64_t w)
{
    return w == 8 ? IRW_8 : w == 16 ? IRW_16 : w == 32 ? IRW_32 : w == 64 ? IRW_64 : w == 128 ? IRW_128 : 0;
}

/* How many low bits hold all that is not 0 in v: 0..64. */
static inline unsigned ir_bits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Does cond hold?  a, b: zero-extended from the width; sa, sb: sign-extended. */
static inline bool ir_cond_eval(unsigned cond, uint64_t a, uint64_t b, int64_t sa, int64_t sb)
{
    bool r;
    switch (cond & ~1u) {
    case IRC_EQ:   r = a == b; break;
    case IRC_LT:   r = sa < sb; break;
    case IRC_LE:   r = sa <= sb; break;
    case IRC_LTU:  r = a < b; break;
    case IRC_LEU:  r = a <= b; break;
    default:       r = (a & b) == 0; break;
    }
    return r ^ (cond & 1);
}

/* The value of a pure op on INT operands (any upper bits), zero-extended from
 * w; 0 for ops that ops.def gives no expression. */
uint64_t ir_eval(unsigned op, unsigned w, unsigned x, uint64_t a, uint64_t b, uint64_t c, uint64_t f);
/* mul2u, mul2s: low half returned, high half in *hi. */
uint64_t ir_eval_mul2(unsigned op, unsigned w, uint64_t a, uint64_t b, uint64_t *hi);

/* An op on its way into the unit.  Its fields are wide on purpose: an IrOp is written field by field and would be
 * copied by larger loads just after, which processors cannot forward (a quarter of the time of building, once). */
typedef struct IrDraft { uint32_t op, w, x, a, b, c, f; } IrDraft;

/* ir.c: appends o as it is, giving it the results its signature asks for; returns d. */
IrVal ir_append(IrUnit *u, IrOp o);
IrVal ir_append_draft(IrUnit *u, const IrDraft *o);

/* Simplifies the op that is about to be appended.  Returns the value that
 * stands for it if no op is needed, else IR_NONE, with *o perhaps changed.
 * May append other ops first. */
IrVal ir_fold(IrUnit *u, IrDraft *o);
/* br: 1 always taken, 0 never, -1 depends; *o perhaps changed. */
int ir_fold_br(IrUnit *u, IrDraft *o);
/* A value with the same low `bits` as v that takes fewer ops to make: for readers that look at no more. */
IrVal ir_low_part(const IrUnit *u, IrVal v, unsigned bits);
/* What is known of the width of o's result d: see IrValue.w. */
unsigned ir_width_of(const IrUnit *u, const IrDraft *o);

#endif
