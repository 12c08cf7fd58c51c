/* The intermediate representation: linear SSA for one unit of guest code.
 *
 * A unit is an array of IrOp that ends in an `exit`. There is no control flow
 * inside: `br` leaves the unit through a side exit when its condition holds.
 *
 * Values.  IrVal numbers a value of the unit; 0 is "none".  A value is a
 * constant or the result of one op, and of type INT or VEC:
 *   INT  a 64-bit container.  An op of width W (32 or 64; some also 8 and 16)
 *        reads the low W bits of its operands and ZERO-EXTENDS its result to
 *        64 bits.  So a 32-bit result is already its own zero extension, and
 *        a 64-bit value may be handed to a 32-bit op without a truncation.
 *   VEC  128 bits (lanes little end first).
 *
 * Guest registers.  `get` and `put` name a row of the arch's RegDesc table.
 * The builder forwards puts to gets, so within a unit a `get` op is emitted
 * at most once between two events that may change the register.
 *
 * Precise state.  `insn` marks the start of a guest instruction.  An op with
 * IRF_FAULT may leave the unit by an exception; the guest state is then the
 * one at the last `insn` (plus puts made since, so a front end puts
 * registers only after the instruction's last faulting op).  Nothing has to
 * be stored for that: the host back end writes a fault record for each site.
 *
 * Example, x86 `add eax, [rbx+8]; jmp L`:
 *      insn  #0, pc=0x1000
 *      v1 = get.64 rbx
 *      v2 = add.64 v1, 8
 *      v3 = ld.32 [v2], size=4 mode=0
 *      v4 = get.64 rax
 *      v5 = add.32 v4, v3
 *      put.64 rax, v5
 *      put.64 cc_op, CC_ADDL ; put cc_dst, v5 ; put cc_src, v3
 *      exit  0     (direct pc=0x2000)
 */
#ifndef RHEA_TCG_IR_H
#define RHEA_TCG_IR_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t IrVal;
#define IR_NONE ((IrVal)0)

typedef enum IrType { IR_VOID, IR_INT, IR_VEC } IrType;

/* Conditions of br, setc, sel.  Widths 8, 16, 32, 64. */
typedef enum IrCond {
    IRC_EQ, IRC_NE, IRC_LT, IRC_GE, IRC_LE, IRC_GT, IRC_LTU, IRC_GEU, IRC_LEU, IRC_GTU,
    IRC_TSTZ, IRC_TSTNZ,                 /* (a & b) == 0, != 0 */
    IRC_COUNT,
} IrCond;
static inline IrCond ir_cond_invert(IrCond c) { return (IrCond)(c ^ 1); }

typedef enum IrOpcode {
    IR_nop,
#define OP(name, ...) IR_##name,
#include "tcg/ops.def"
#undef OP
    IR_OPCODES,
} IrOpcode;

/* op flags (ops.def) */
enum {
    IRF_PURE = 1,                        /* no effect: may be folded, dropped, reused */
    IRF_COMM = 2,                        /* a and b may be swapped */
    IRF_FAULT = 4,                       /* may raise: gets a fault record */
    IRF_EXIT = 8,                        /* may leave the unit by an exit */
    IRF_MEM = 16,                        /* guest memory */
    IRF_END = 32,                        /* last op of a unit */
};

typedef struct IrOpInfo {
    const char *name;
    char sig[8];                         /* "i=ii": result types '=' operand types (i INT, v VEC), see ops.def */
    uint8_t widths;                      /* IRW_ bits */
    uint16_t flags;
} IrOpInfo;
extern const IrOpInfo ir_op_info[IR_OPCODES];
enum { IRW_8 = 1, IRW_16 = 2, IRW_32 = 4, IRW_64 = 8, IRW_128 = 16 };

typedef struct IrOp {
    uint8_t op, w;                       /* IrOpcode; width in bits: 8 16 32 64 128 */
    uint16_t x;                          /* immediate of the op: see ops.def for each */
    IrVal d, e;                          /* results */
    IrVal a, b, c, f;                    /* operands */
} IrOp;
_Static_assert(sizeof(IrOp) == 16, "kept small");

/* x of guest memory ops */
enum {
    IRM_SIZE_MASK = 7,                   /* log2 of the bytes: 0..4 */
    IRM_SIGN = 8,                        /* ld: sign-extend to w (then zero-extend to 64) */
    IRM_BSWAP = 16,
    IRM_MODE_SHIFT = 5,                  /* TLB mode, 2 bits */
    IRM_MODE_MASK = 3 << 5,
    IRM_ALIGN = 1 << 7,                  /* misaligned: TcgRuntime.unaligned (SSE aligned forms) */
    IRM_RMW = 1 << 8,                    /* ld: check for write permission too, as a write */
    IRM_ATOMIC_SHIFT = 9,                /* rmw: IrAtomic, 3 bits */
};
static inline unsigned irm_size(unsigned x) { return 1u << (x & IRM_SIZE_MASK); }
static inline unsigned irm_mode(unsigned x) { return (x & IRM_MODE_MASK) >> IRM_MODE_SHIFT; }
typedef enum IrAtomic { IRA_ADD, IRA_AND, IRA_OR, IRA_XOR, IRA_XCHG, IRA_SUB_REV /* b - old: NEG, b=0 */ } IrAtomic;

/* A guest register, from the arch's regs.def. */
typedef struct IrReg {
    const char *name;
    uint32_t offset;                     /* home, from the start of TcgEnv */
    uint8_t type;                        /* IrType; INT homes are 64 bits, VEC 128 */
    uint8_t heat;                        /* rank inside its type: 0 is the hottest; 255 never pinned */
} IrReg;
enum { IR_MAX_REGS = 128 };

/* A C function that generated code may call: uint64_t fn(env, a, b, c, f). */
typedef struct IrHelper {
    const char *name;
    void *fn;
    uint8_t nargs;                       /* INT arguments after env: 0..4 */
    bool ret;                            /* has an INT result */
    uint8_t flags;
} IrHelper;
enum {
    IRH_PURE = 1,                        /* depends on its arguments only */
    IRH_READ = 2,                        /* reads guest registers from their homes */
    IRH_WRITE = 4,                       /* writes guest registers */
    IRH_FAULT = 8,                       /* may raise; the state is the last insn's */
    IRH_VEC = 16,                        /* READ/WRITE mean VEC registers as well as INT */
    IRH_GPR = 32,                        /* compiled with RHEA_GPR_ONLY, as is all it calls: host vector and FP
                                            registers survive */
    IRH_NORETURN = 64,
};

typedef enum IrExitKind {
    IRX_DIRECT,                          /* to constant pc, same mode: chained */
    IRX_INDIRECT,                        /* to the pc in value `val`, same mode: jump cache */
    IRX_LOOKUP,                          /* pc and mode are in the vcpu (a helper set them): jump cache */
    IRX_LOOP,                            /* to the execution loop, at constant pc (poll, hlt, ...) */
    IRX_LOOP_DYN,                        /* to the execution loop, pc is in the vcpu already */
    IRX_RAISE,                           /* call helper(env, arg[0], arg[1]), which raises; state: last insn */
} IrExitKind;

enum { IRX_BACKWARD = 1, IRX_CROSS = 2 /* pc is on another guest page than the unit */, IRX_CALL = 4, IRX_RET = 8 };

typedef struct IrExit {
    uint8_t kind, flags;
    uint16_t helper;                     /* RAISE */
    IrVal val;                           /* INDIRECT: pc */
    uint16_t insn;                       /* index of the guest instruction it belongs to (set by the builder) */
    uint64_t pc;                         /* DIRECT, LOOP */
    uint64_t arg[2];                     /* RAISE; CALL: arg[0] is the return pc */
    uint64_t dead[IR_MAX_REGS / 64];     /* guest registers whose value does not matter there */
} IrExit;

typedef struct IrInsn { uint64_t pc; uint16_t op; uint8_t len; } IrInsn;   /* op: index of its `insn` op */

enum { IR_MAX_OPS = 2048, IR_MAX_VALS = 3072, IR_MAX_EXITS = 96, IR_MAX_INSNS = 128, IR_RECENT = 64 };

/* A value: where it is defined. */
typedef struct IrValue {
    uint64_t imm;                        /* constant: its value */
    uint16_t def;                        /* index of the op that makes it (not for constants) */
    uint8_t type;                        /* IrType */
    uint8_t is_const;
    uint8_t w;                           /* INT: upper bits from w on are known to be 0 (0..64) */
    uint8_t held;                        /* builder: 1 + the register it was last put into */
} IrValue;

/* What a unit needs to know of its arch: set once, shared by all units. */
typedef struct IrArch {
    const char *name;
    const IrReg *regs;
    unsigned nregs;
    unsigned pc_reg;                     /* the row that is the program counter */
    const IrHelper *helpers;
    unsigned nhelpers;
} IrArch;

typedef struct IrUnit {
    const IrArch *arch;
    unsigned nops, nvals, nexits, ninsns;
    unsigned tlb_mode;                   /* of instruction fetch (exec table) */
    uint64_t pc_bias;                    /* linear address = pc + pc_bias (x86: CS base); wraps at 32 bits unless 0 */
    bool overflow;                       /* out of room: the front end stops, the driver retries with fewer insns */
    bool ended;                          /* an `exit` was emitted: further ops are ignored */
    bool pc_known;                       /* builder: the pc register is still that of the last insn */
    IrVal cur[IR_MAX_REGS];              /* builder: the value each register holds now, if known */
    IrVal recent[IR_RECENT];             /* builder: constants by hash, to be found again (checked on use) */
    IrOp *ops;                           /* the arrays lie behind the struct, in the same allocation */
    IrValue *vals;
    IrExit *exits;
    IrInsn *insns;
} IrUnit;

/* ---- building (build.h has an inline builder for every op) ---- */

IrUnit *ir_unit_new(const IrArch *arch);
void ir_unit_reset(IrUnit *u);
void ir_unit_free(IrUnit *u);
/* A compact copy that keeps only what the interpreter needs (ops, constants, exits, insns). */
IrUnit *ir_unit_copy(const IrUnit *u);

IrVal ir_const(IrUnit *u, uint64_t imm);
static inline bool ir_is_const(const IrUnit *u, IrVal v) { return u->vals[v].is_const; }
static inline uint64_t ir_imm(const IrUnit *u, IrVal v) { return u->vals[v].imm; }

/* Appends an op after folding it: pure ops of constants become constants,
 * identities (x+0, x&-1, ...) become their operand, `get` of a known register
 * becomes its value.  Returns d.  Sets u->overflow instead of failing. */
IrVal ir_emit(IrUnit *u, IrOpcode op, unsigned w, unsigned x, IrVal a, IrVal b, IrVal c, IrVal f);
/* The same with a second result *e. */
IrVal ir_emit2(IrUnit *u, IrOpcode op, unsigned w, unsigned x, IrVal a, IrVal b, IrVal c, IrVal *e);

IrVal ir_get(IrUnit *u, unsigned reg);
void ir_put(IrUnit *u, unsigned reg, IrVal v);
void ir_insn(IrUnit *u, uint64_t pc);                    /* start of a guest instruction */
unsigned ir_exit_new(IrUnit *u, IrExit x);               /* returns the exit's index */
void ir_br(IrUnit *u, unsigned w, IrCond c, IrVal a, IrVal b, unsigned exit);
void ir_exit(IrUnit *u, unsigned exit);
void ir_poll(IrUnit *u, unsigned exit);                  /* leave by `exit` if env.exit_request */
IrVal ir_call(IrUnit *u, unsigned helper, IrVal a, IrVal b, IrVal c, IrVal f);   /* IR_NONE for absent arguments */

/* ---- passes; each returns with the unit still valid ---- */
void ir_dead(IrUnit *u);                 /* drops unused pure ops and puts that nothing observes */
bool ir_verify(const IrUnit *u, GString *why);

/* ---- text: the language of -d ir and of tests/ir ---- */
void ir_print(const IrUnit *u, GString *out);
IrUnit *ir_parse(const IrArch *arch, const char *text, GError **err);

#endif
