/* Decoding x86 instructions, and what the gen_* functions build on.
 *
 * Every opcode is one row (or a few, told apart by mandatory prefix, modrm or
 * mode) in the map its encoding selects:
 *
 *     map_1b.def     one byte                    + map_1b_sys.def   map_1b_fpu.def
 *     map_0f.def     0F xx                       + map_0f_sys.def   map_0f_sse.def
 *     map_0f38.def   0F 38 xx                    + map_0f38_sse.def
 *     map_0f3a.def   0F 3A xx                    + map_0f3a_sse.def
 *     map_vex.def    VEX 1, 2, 3 (op = map << 8 | opcode)  + map_vex_sse.def
 *
 * A row is
 *     I(op, match, gen, a, b, c, flags, feature)
 *     V(op, match, gen, a, b, c, d, flags, feature, arg)    the same with four operands and a number for gen
 * match    what must hold for the row to be taken; the first row of an opcode that matches is the instruction,
 *          none is #UD.  Tokens are or'ed:  ANY;  mandatory prefix NP P66 PF3 PF2 (NP|P66 = either; none named = any);
 *          modrm R(0)..R(7) = /0../7, MEM (mod != 3), REG (mod == 3), RM(0)..RM(7);  I64 (not in 64-bit mode),
 *          O64 (64-bit mode only);  W0 W1 (REX.W / VEX.W);  L0 L1 (VEX.L)
 * gen      gen_NAME(Xlat *, X86Insn *) emits the semantics
 * a b c d  operands in the manual's letters (opnd.def), _ for none
 * flags    0 or tokens or'ed:
 *          LOCK      F0 is allowed with a memory destination (else #UD)
 *          CPL0      #GP(0) above ring 0
 *          PROT      #UD in real and virtual-8086 mode
 *          D64 F64   operand size is 64 bits by default / always in 64-bit mode
 *          END       if gen did not end the unit: RIP = next, exit LOOKUP (mode may have changed)
 *          ENDLOOP   the same with an exit to the execution loop
 *          FPU MMX SSE AVX   state checks: x87 (CR0.EM|TS -> #NM), MMX (EM #UD, TS #NM), SSE (EM, !OSFXSR #UD,
 *                    TS #NM), AVX (PE, OSXSAVE+XCR0 #UD, TS #NM); done before gen
 *          NOVVVV    VEX.vvvv must be 1111b
 * feature  0 or F_NAME below: without the CPUID bit the row does not exist
 *
 * Sources: Intel SDM volume 2 (chapter 2, appendix A), AMD APM volume 3.
 */
#ifndef RHEA_X86_DECODE_H
#define RHEA_X86_DECODE_H

#include "cpu/x86/cc.h"
#include "cpu/x86/state.h"
#include "cpu/xlat.h"

typedef struct X86Insn X86Insn;
typedef void X86Gen(Xlat *x, X86Insn *in);

/* CPUID features that rows name: word and bit, plus 1 so that 0 is "always" */
#define X86_FEAT(word, bit) (((word) << 5 | (bit)) + 1)
enum {
    F_FPU = X86_FEAT(CW_1_EDX, 0), F_TSC = X86_FEAT(CW_1_EDX, 4), F_MSR = X86_FEAT(CW_1_EDX, 5),
    F_CX8 = X86_FEAT(CW_1_EDX, 8), F_SEP = X86_FEAT(CW_1_EDX, 11), F_CMOV = X86_FEAT(CW_1_EDX, 15),
    F_CLFSH = X86_FEAT(CW_1_EDX, 19), F_MMX = X86_FEAT(CW_1_EDX, 23), F_FXSR = X86_FEAT(CW_1_EDX, 24),
    F_SSE = X86_FEAT(CW_1_EDX, 25), F_SSE2 = X86_FEAT(CW_1_EDX, 26),
    F_SSE3 = X86_FEAT(CW_1_ECX, 0), F_PCLMUL = X86_FEAT(CW_1_ECX, 1), F_MONITOR = X86_FEAT(CW_1_ECX, 3),
    F_VMX = X86_FEAT(CW_1_ECX, 5), F_SSSE3 = X86_FEAT(CW_1_ECX, 9), F_FMA = X86_FEAT(CW_1_ECX, 12),
    F_CX16 = X86_FEAT(CW_1_ECX, 13), F_SSE41 = X86_FEAT(CW_1_ECX, 19), F_SSE42 = X86_FEAT(CW_1_ECX, 20),
    F_MOVBE = X86_FEAT(CW_1_ECX, 22), F_POPCNT = X86_FEAT(CW_1_ECX, 23), F_AES = X86_FEAT(CW_1_ECX, 25),
    F_XSAVE = X86_FEAT(CW_1_ECX, 26), F_AVX = X86_FEAT(CW_1_ECX, 28), F_F16C = X86_FEAT(CW_1_ECX, 29),
    F_RDRAND = X86_FEAT(CW_1_ECX, 30),
    F_FSGSBASE = X86_FEAT(CW_7_EBX, 0), F_BMI1 = X86_FEAT(CW_7_EBX, 3), F_AVX2 = X86_FEAT(CW_7_EBX, 5),
    F_BMI2 = X86_FEAT(CW_7_EBX, 8), F_INVPCID = X86_FEAT(CW_7_EBX, 10), F_RDSEED = X86_FEAT(CW_7_EBX, 18),
    F_ADX = X86_FEAT(CW_7_EBX, 19), F_SMAP = X86_FEAT(CW_7_EBX, 20), F_CLFLUSHOPT = X86_FEAT(CW_7_EBX, 23),
    F_CLWB = X86_FEAT(CW_7_EBX, 24), F_SHA = X86_FEAT(CW_7_EBX, 29),
    F_GFNI = X86_FEAT(CW_7_ECX, 8), F_VAES = X86_FEAT(CW_7_ECX, 9), F_VPCLMUL = X86_FEAT(CW_7_ECX, 10),
    F_RDPID = X86_FEAT(CW_7_ECX, 22),
    F_SYSCALL = X86_FEAT(CW_80000001_EDX, 11), F_RDTSCP = X86_FEAT(CW_80000001_EDX, 27),
    F_LM = X86_FEAT(CW_80000001_EDX, 29),
    F_LAHF64 = X86_FEAT(CW_80000001_ECX, 0), F_SVM = X86_FEAT(CW_80000001_ECX, 2),
    F_LZCNT = X86_FEAT(CW_80000001_ECX, 5), F_SSE4A = X86_FEAT(CW_80000001_ECX, 6),
    F_PREFETCHW = X86_FEAT(CW_80000001_ECX, 8),
    F_XSAVEOPT = X86_FEAT(CW_D_1_EAX, 0), F_XSAVEC = X86_FEAT(CW_D_1_EAX, 1), F_XGETBV1 = X86_FEAT(CW_D_1_EAX, 2),
    F_XSAVES = X86_FEAT(CW_D_1_EAX, 3),
};

/* Operand kinds by the manual's letters: OPND(name, letter, size) in opnd.def */
typedef enum X86OpndKind {
    OP__,
#define OPND(name, ...) OP_##name,
#include "cpu/x86/opnd.def"
#undef OPND
    OP_KINDS,
} X86OpndKind;

/* A row as compiled; for decode.c, tests and statistics. */
typedef struct X86Row {
    uint16_t op;                         /* opcode; VEX: map << 8 | opcode */
    uint16_t feat;
    uint32_t match, flags;
    uint8_t opnd[4];                     /* X86OpndKind */
    uint16_t arg;
    X86Gen *gen;
    const char *name;
} X86Row;

typedef enum X86Map { MAP_1B, MAP_0F, MAP_0F38, MAP_0F3A, MAP_VEX, X86_MAPS } X86Map;

/* Where an operand is. */
typedef enum X86Loc {
    LOC_NONE,
    LOC_GPR,                             /* general register `reg`; size 1: `high` means AH CH DH BH of register reg */
    LOC_MEM,                             /* the instruction's memory operand (in->mem) */
    LOC_IMM,                             /* `imm`, sign-extended to 64 bits where the instruction does so */
    LOC_VEC,                             /* XMM/YMM `reg` */
    LOC_MMX,                             /* MMX register `reg` (0..7) */
    LOC_SEG, LOC_CR, LOC_DR,             /* number in `reg` */
} X86Loc;

typedef struct X86Opnd {
    uint8_t kind;                        /* X86OpndKind */
    uint8_t loc;                         /* X86Loc */
    uint8_t reg;
    uint8_t size;                        /* bytes; 0: the instruction says */
    bool high;
    uint64_t imm;
} X86Opnd;

/* One decoded instruction. */
struct X86Insn {
    const X86Row *row;
    uint64_t pc, next;                   /* linear */
    uint64_t eip, next_eip;              /* the same as RIP values */
    uint8_t len, map, opcode;            /* map: X86Map */
    uint8_t mode;                        /* 16, 32, 64: code segment */
    uint8_t osize, asize;                /* operand, address size in bytes: 2 4 8 */
    uint8_t rep;                         /* last of F2, F3; 0 none */
    bool p66, p67, lock;
    int8_t seg;                          /* segment override, -1 none */
    uint8_t rex;                         /* 0x40.. or 0; VEX sets the R X B W bits too (bit 6 clear) */
    uint8_t vex, vex_l, vex_v;           /* VEX: length of the prefix (0: none), L, vvvv (not inverted) */
    uint8_t modrm, mod, reg, rm;         /* reg, rm with REX.R, REX.B (rm: as a register) */
    /* memory operand: base + (index << scale) + disp; -1: none; RIP-relative: base -1, disp complete */
    int8_t base, index;
    uint8_t scale, sib, mseg;            /* mseg: segment in effect */
    bool rip_rel;
    int64_t disp;
    uint64_t imm, imm2;                  /* immediate as the operand letter extends it; imm2: ENTER, far pointer selector */
    X86Opnd op[4];
    IrVal ea, addr;                      /* made on demand */
};
static inline bool x86_rex_w(const X86Insn *in) { return in->rex & 8; }
static inline bool x86_mem(const X86Insn *in) { return in->mod != 3; }   /* instructions with modrm */

/* Per-unit data, in x->arch. Zeroed at the start of a unit. */
typedef struct X86Unit {
    bool started;
    X86CcState cc;                       /* what is known of the flags (cc.h) */
    uint8_t sti;                         /* instructions left until interrupts are polled: the shadow of an STI in the unit */
    uint32_t side_exits;
    uint64_t fpu[2];                     /* gen_fpu.c's knowledge (stack top ...) */
} X86Unit;
_Static_assert(sizeof(X86Unit) <= XLAT_ARCH_SIZE, "fits");
static inline X86Unit *x86_unit(Xlat *x) { return x->arch; }
static inline unsigned x86_mmu(const Xlat *x) { return (x->key.flags & HF_MMU) >> HF_MMU_SHIFT; }
static inline X86Cpu *x86_cpu(const Xlat *x) { return (X86Cpu *)x->cpu; }
static inline bool x86_has(const Xlat *x, unsigned feature)
{
    return x86_cpu(x)->feat[(feature - 1) >> 5] >> ((feature - 1) & 31) & 1;
}

/* X86Arch.translate_insn */
void x86_translate_insn(Xlat *x);
/* Decodes at x->pc into *in without emitting anything. 0: good; else the vector to raise (#UD, #GP(0), #NM). */
unsigned x86_decode(Xlat *x, X86Insn *in);
/* Will the flags be set anew at this linear address before anything could look at them?  (peek.c) */
bool x86_flags_dead(Xlat *x, uint64_t linear);
/* All rows, for tests and the monitor: n-th row of a map, NULL past the end. */
const X86Row *x86_row(X86Map map, unsigned n);

/* ---- for gen functions (gen_util.c) ---- */

/* Memory op bits: log2 size, TLB mode. */
unsigned x86_memop(const Xlat *x, unsigned size);
/* Effective address of the memory operand (offset in its segment, truncated to the address size). */
IrVal x86_ea(Xlat *x, X86Insn *in);
/* Linear address of `size` bytes of the memory operand, after the segment's checks.  Computed once. */
IrVal x86_addr(Xlat *x, X86Insn *in, unsigned size, bool write);
/* Linear address of off (already truncated to the address size) in segment seg, after its checks. */
IrVal x86_linear(Xlat *x, unsigned seg, IrVal off, unsigned size, bool write);
/* Guest memory, 1..8 bytes at a linear address; ld zero-extends. */
IrVal x86_ld(Xlat *x, IrVal linear, unsigned size);
IrVal x86_ld_rmw(Xlat *x, IrVal linear, unsigned size);
void x86_st(Xlat *x, IrVal linear, unsigned size, IrVal v);

/* v & ones(size * 8), if not known to be so already */
IrVal x86_zext(Xlat *x, IrVal v, unsigned size);
IrVal x86_sext(Xlat *x, IrVal v, unsigned size);           /* to 64 bits */
/* General registers; size 1 2 4 8.  get zero-extends; put keeps the upper part for 1 and 2, clears it for 4. */
IrVal x86_get_gpr(Xlat *x, unsigned reg, unsigned size, bool high);
void x86_put_gpr(Xlat *x, unsigned reg, unsigned size, bool high, IrVal v);

/* Operand n of the instruction (LOC_GPR, LOC_MEM, LOC_IMM): its value, zero-extended from its size (immediates are
 * masked to it). rd_rmw: a memory operand that wr will write back. */
IrVal x86_rd(Xlat *x, X86Insn *in, unsigned n);
/* The same with garbage above the operand's size: enough for most ops. */
IrVal x86_rd_low(Xlat *x, X86Insn *in, unsigned n);
IrVal x86_rd_rmw(Xlat *x, X86Insn *in, unsigned n);
void x86_wr(Xlat *x, X86Insn *in, unsigned n, IrVal v);

/* Stack.  push stores v and moves SP (put last); pop only loads the top: x86_pop_done moves SP by n bytes after all
 * faults are past.  x86_stack_addr: linear address of SP + delta, wrapped to the stack's size. */
void x86_push(Xlat *x, X86Insn *in, unsigned size, IrVal v);
IrVal x86_pop(Xlat *x, X86Insn *in, unsigned size);
void x86_pop_done(Xlat *x, X86Insn *in, int64_t bytes);
IrVal x86_stack_addr(Xlat *x, X86Insn *in, int64_t delta, unsigned size, bool write);

/* Exceptions at this instruction; the unit ends. */
void x86_gen_raise(Xlat *x, unsigned vector);                           /* without error code */
void x86_gen_raise_code(Xlat *x, unsigned vector, uint32_t code);
static inline void x86_gen_ud(Xlat *x) { x86_gen_raise(x, EX_UD); }
/* The same as a side exit when the condition holds. */
void x86_raise_if(Xlat *x, unsigned w, IrCond c, IrVal a, IrVal b, unsigned vector, bool has_code, uint32_t code);

/* A helper call; forgets what is known of the flags if the helper may write registers.  Absent arguments IR_NONE. */
IrVal x86_call(Xlat *x, X86Helper h, IrVal a, IrVal b, IrVal c, IrVal f);
static inline IrVal x86_call0(Xlat *x, X86Helper h) { return x86_call(x, h, IR_NONE, IR_NONE, IR_NONE, IR_NONE); }
static inline IrVal x86_call1(Xlat *x, X86Helper h, IrVal a) { return x86_call(x, h, a, IR_NONE, IR_NONE, IR_NONE); }
static inline IrVal x86_call2(Xlat *x, X86Helper h, IrVal a, IrVal b) { return x86_call(x, h, a, b, IR_NONE, IR_NONE); }
static inline IrVal x86_call3(Xlat *x, X86Helper h, IrVal a, IrVal b, IrVal c) { return x86_call(x, h, a, b, c, IR_NONE); }

/* Ends of a unit: all take care of single-step (end_step) and set x->end.
 * eip: a RIP value.  flags: IRX_CALL (arg: return eip), IRX_RET. */
void x86_exit_direct(Xlat *x, X86Insn *in, uint64_t eip, unsigned flags);
void x86_exit_indirect(Xlat *x, X86Insn *in, IrVal eip, unsigned flags);
/* A direct exit for a side branch (its index), and the request test for one that goes back. */
unsigned x86_exit_to(Xlat *x, X86Insn *in, uint64_t eip, unsigned flags);
void x86_poll(Xlat *x, uint64_t eip);
/* RIP is in its row already (put, or a helper set it) and the mode may have changed. */
void x86_exit_lookup(Xlat *x, X86Insn *in);
void x86_exit_loop(Xlat *x, X86Insn *in);
/* RIP row = the instruction after this one. */
void x86_put_next(Xlat *x, X86Insn *in);
/* Width of IR ops for an operand size: 32, or 64 for 8 bytes. */
static inline unsigned x86_w(unsigned size) { return size == 8 ? 64 : 32; }
/* one instruction per unit, end_step after it */
static inline bool x86_step(const Xlat *x) { return x->key.flags & (HF_TF | HF_DRBP | HF_SHADOW); }
/* #GP(0) unless eip is inside CS (HF_CS_LIMIT); call before anything is put.  (Non-canonical: at the target's fetch.) */
void x86_check_branch(Xlat *x, IrVal eip);

/* ---- all gen functions ---- */
#define I(op, match, gen, ...) X86Gen gen_##gen;
#define V(op, match, gen, ...) X86Gen gen_##gen;
#include "cpu/x86/maps.def"
#undef I
#undef V

#endif
