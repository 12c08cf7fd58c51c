/* What the vector gen files share.
 *
 * A vector operand is one or two halves of 128 bits: half 0 is the XMM
 * register row, half 1 is X86Cpu.ymmh.  The legacy SSE forms leave half 1
 * alone, VEX.128 forms clear it. */
#ifndef RHEA_X86_SIMD_H
#define RHEA_X86_SIMD_H

#include "cpu/x86/decode.h"
#include "util/bits.h"

/* Halves that the instruction works on: 2 if its operand n is 32 bytes. */
static inline unsigned simd_halves(const X86Insn *in, unsigned n) { return in->op[n].size == 32 ? 2 : 1; }
/* Offset of a register's upper half. */
static inline unsigned simd_ymmh(unsigned reg) { return (unsigned)(offsetof(X86Cpu, ymmh) + reg * 16); }
/* Per unit: upper halves that are known to be 0, one bit each. */
static inline uint64_t *simd_zero_ymmh(Xlat *x) { return &x86_unit(x)->fpu[0]; }
static inline unsigned simd_vtmp(unsigned n) { return (unsigned)(offsetof(X86Cpu, vtmp) + n * 16); }

IrVal simd_get(Xlat *x, unsigned reg, unsigned half);
/* A half of the destination register; the last half written must be the highest. */
void simd_put(Xlat *x, unsigned reg, unsigned half, IrVal v);
/* After the last simd_put of nh halves: clears what a VEX form clears. */
void simd_done(Xlat *x, X86Insn *in, unsigned reg, unsigned nh);
/* The same for operand n, a LOC_VEC. */
void simd_wr(Xlat *x, X86Insn *in, unsigned n, unsigned nh, const IrVal *v);
/* Half h of operand n (LOC_VEC, LOC_MEM, LOC_MMX).  Memory shorter than 16 bytes comes in the low end of zeros;
 * legacy forms with 16 bytes of memory demand alignment. */
IrVal simd_rd(Xlat *x, X86Insn *in, unsigned n, unsigned h);
/* Memory operand, bytes [off, off + size) of `total`; size 1 2 4 8 16. */
IrVal simd_ld(Xlat *x, X86Insn *in, unsigned total, unsigned off, unsigned size, bool align);
/* Emits an op of vops.def, preceded by the check for unmasked exceptions if the mode asks for it. */
IrVal simd_op(Xlat *x, IrOpcode op, unsigned xx, IrVal a, IrVal b, IrVal c);
/* The same for nh halves, which raise together. */
typedef struct SimdHalf { unsigned x; IrVal a, b, c, d; } SimdHalf;
void simd_ops(Xlat *x, IrOpcode op, unsigned nh, SimdHalf *v);
/* The immediate of half h: some forms spread 8 bits over both halves. */
unsigned simd_imm(const X86Insn *in, IrOpcode op, unsigned kind, unsigned h);
/* IR op and kind from a row's arg, A(op, kind). */
static inline IrOpcode simd_irop(const X86Insn *in) { return (IrOpcode)(in->row->arg >> 8); }
static inline unsigned simd_kind(const X86Insn *in) { return in->row->arg & 255; }

/* gen_fpu.c: meets a pending x87 exception. */
void fpu_gen_wait(Xlat *x, X86Insn *in);

#endif
