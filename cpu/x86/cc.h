/* The arithmetic flags (CF PF AF ZF SF OF), computed lazily.
 *
 * Rows CC_OP, CC_DST, CC_SRC, CC_SRC2 (regs.def) always say what the flags
 * are: CC_OP names the class of the last instruction that set all of them and
 * its width, the others its operands.  Nothing is computed until an
 * instruction reads a flag.  Values may have garbage above the width.
 *
 *   class    dst              src                        src2
 *   EFLAGS   -                the flag bits themselves   -
 *   ADD      result           second operand             -
 *   ADC      result           second operand             carry in (0, 1)
 *   SUB      result           second operand             -
 *   CMP      first operand    second operand             -        (nothing computed)
 *   SBB      result           second operand             borrow in
 *   LOGIC    result           -                          -
 *   INC DEC  result           CF (0, 1: unchanged)       -
 *   SHL SHR SAR  result       operand                    count, not 0
 *   MUL      low half         not 0: CF and OF           -
 *   BLSR     result           operand                    -        CF = operand == 0 (BLSR, BLSMSK)
 *   BLSI     result           operand                    -        CF = operand != 0
 *   BZHI     result           not 0: CF                  -
 *   ZCNT     result           operand                    -        CF = operand == 0 (TZCNT, LZCNT)
 *   SCAN     result           operand                    -        ZF = operand == 0 (BSF, BSR)
 *
 * With CC_CFX added to CC_OP the carry flag alone is src2 (0, 1) instead (BT,
 * STC, ...); never with classes that use src2.
 *
 * Within a unit X86CcState remembers the operands as IR values, so a consumer
 * becomes one compare. */
#ifndef RHEA_X86_CC_H
#define RHEA_X86_CC_H

#include "cpu/x86/state.h"
#include "cpu/xlat.h"

typedef enum CcClass {
    CCC_EFLAGS, CCC_ADD, CCC_ADC, CCC_SUB, CCC_CMP, CCC_SBB, CCC_LOGIC, CCC_INC, CCC_DEC, CCC_SHL, CCC_SHR, CCC_SAR,
    CCC_MUL, CCC_BLSR, CCC_BLSI, CCC_BZHI, CCC_ZCNT, CCC_SCAN,
    CC_CLASSES,
} CcClass;

/* CC_OP: class << 2 | log2 of the size in bytes; 0 is EFLAGS */
enum { CC_EFLAGS = 0, CC_CFX = 0x80 };
static inline unsigned cc_op(CcClass c, unsigned size) { return (unsigned)c << 2 | (unsigned)__builtin_ctz(size); }
/* classes whose src2 is taken: ADC SBB SHL SHR SAR */
static inline bool cc_uses_src2(CcClass c) { return c == CCC_ADC || c == CCC_SBB || (c >= CCC_SHL && c <= CCC_SAR); }
static inline CcClass cc_class(unsigned op) { return (CcClass)((op & 0x7f) >> 2); }
static inline unsigned cc_bits(unsigned op) { return 8u << (op & 3); }

typedef struct X86CcState {
    bool known;                          /* else only the rows know */
    uint8_t op;
    IrVal dst, src, src2;                /* as in the rows */
    IrVal a;                             /* ADD, SUB: first operand, if at hand */
} X86CcState;

/* A condition to branch or select on. */
typedef struct X86Cond {
    unsigned w;
    IrCond c;
    IrVal a, b;
} X86Cond;

/* the flags of explicit operands; C code and helpers */
uint64_t cc_compute(unsigned op, uint64_t dst, uint64_t src, uint64_t src2);     /* FL_CC bits */
bool cc_condition(unsigned tttn, uint64_t flags);                                /* opcode bits 3..0 of Jcc */

/* ---- emitting (gen_cc.c) ---- */
/* An instruction sets all flags.  Absent values IR_NONE; a: first operand of ADD, SUB (helps conditions). */
void x86_cc_set(Xlat *x, unsigned op, IrVal dst, IrVal src, IrVal src2, IrVal a);
/* All flags explicitly: v holds FL_CC bits at their places, others 0. */
void x86_cc_set_flags(Xlat *x, IrVal v);
/* Changes CF alone, to cf (0, 1). */
void x86_cc_set_cf(Xlat *x, IrVal cf);
/* BT and its kin: the manual leaves OF, SF, AF, PF undefined, ZF stays. */
void x86_cc_set_cf_keep_zf(Xlat *x, IrVal cf);
/* Changes only the flags in mask (FL_ bits) to those in v. */
void x86_cc_merge(Xlat *x, uint64_t mask, IrVal v);
/* All six flags, at their places. */
IrVal x86_cc_all(Xlat *x);
/* CF as 0 or 1. */
IrVal x86_cc_cf(Xlat *x);
/* Condition tttn (Jcc opcode bits 3..0) as an IR comparison. */
X86Cond x86_cc_cond(Xlat *x, unsigned tttn);
/* A helper may have changed the rows. */
void x86_cc_forget(Xlat *x);

#endif
