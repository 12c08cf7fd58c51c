/* Code generation for one unit on an x86-64 host: what the files of this
 * folder share.
 *
 *   emit.h    bytes
 *   cg.h      this: context, operands, results
 *   ops.c     integer ops, guest registers, comparisons
 *   mem.c     guest memory: the inline TLB check and its cold stubs
 *   wide.c    mul2, div2 and other ops with fixed registers or feature bits; calls
 *   exits.c   side exits, chaining, the jump cache
 *   vmove.c   vector moves;  vec.c: vector ops
 *   thunk.c   code made once: prologue, epilogue, slow paths, calls of C
 *   record.c  fault records
 *   host.c    driver, patching, signals;  disas.c: -d host
 *
 * Host registers
 *   rbp             env + ENV_BIAS
 *   rax rcx rdx rbx r14 r15 rsi rdi r8 r9 r10   guest INT registers of heat 0..10
 *   r11 r12 r13     temporaries
 *   xmm0..xmm11     guest VEC registers of heat 0..11;  xmm12..15 temporaries (three operands and a result)
 *   rsp             16-byte aligned in a block, so that a thunk (entered by call) sees it 8 off
 *
 * How to write an op.  Every op has a row `const HostOp host_op_NAME` (the table in host.c names them all, so that a
 * forgotten one does not link) with an emitter:
 *
 *     static void emit_vfoo(Cg *c, const IrOp *o)
 *     {
 *         int a = cg_use(c, o->a);          operand in a register (INT or VEC), locked until the op ends
 *         Rm b = cg_rm(c, o->b);            operand in a register, or in memory if it is there
 *         int t = cg_tmp(c, BANK_VEC);      scratch register until the op ends: take it before cg_def
 *         int d = cg_def(c, o->d, a);       result: its hinted register, a's if a dies here, or another
 *         b = cg_again(c, o->b, b);         after cg_def/cg_tmp: a memory operand may have moved
 *         if (d != a) ...move...            d may be the register of any operand that dies here: read before writing
 *     }
 *
 * There are three INT and four VEC temporaries: an op may lock at most as many
 * values that are not in pinned registers (results included).
 * Whatever changes the host's flags must call cg_flags_lost().
 */
#ifndef RHEA_X86_64_CG_H
#define RHEA_X86_64_CG_H

#include "tcg/hosts/x86_64/emit.h"
#include "tcg/regalloc.h"
#include "tcg/tcg.h"

typedef struct HostFeat {
    bool avx, avx2, fma, bmi1, bmi2, lzcnt, popcnt, movbe, ssse3, sse41, sse42, aes, pclmul, sha, f16c;
} HostFeat;
/* What this process may use; tests replace it to get the same code on any machine.  Set by host_init if `known` is false. */
extern HostFeat host_feat;
extern bool host_feat_known;

enum { T_LD, T_ST, T_LDV, T_STV, T_PROBE, T_RMW, T_CAS, T_COUNT };     /* slow paths of memory ops */

enum { CG_TEMPS = 3 };                   /* INT temporaries: r11 r12 r13 */

typedef struct HostState {
    TcgCtx *ctx;
    struct HostState *next;
    RaMap map;
    const uint8_t *enter, *epilogue, *chain, *lookup, *probe, *heavy, *light, *light_write, *arith;
    const uint8_t *slow[T_COUNT][CG_TEMPS][CG_TEMPS][TLB_MODES * TLB_KINDS];     /* see make_slow */
    const uint8_t **helper;              /* one entry for each helper of the arch */
    struct Cg *cg;
} HostState;

/* Which comparison the host's flags hold now. */
typedef struct FlagState {
    uint8_t kind;                        /* FL_* */
    uint8_t w;
    IrVal a, b, d;                       /* FL_CMP, FL_ADD: operands; d: result of the op that set them */
} FlagState;
enum { FL_NONE, FL_CMP, FL_ADD, FL_LOGIC, FL_FCMP /* d = vfcmpi: CF PF ZF as (U)COMISx left them */ };

/* Out-of-line code, emitted behind the unit. */
typedef enum StubKind { STUB_MEM, STUB_EXIT, STUB_LINK } StubKind;
typedef struct Stub {
    StubKind kind;
    uint8_t *from[2];                    /* displacements of the jumps that lead here */
    /* STUB_MEM */
    uint8_t thunk, t0, t1, w;
    uint16_t memop, tlb_kind;
    uint32_t table;
    int d;                               /* register of the result, -1: none */
    bool fixed;                          /* the address is a constant: */
    uint64_t addr;
    bool vec;
    RaLoc val[2];                        /* ST, STV, RMW: value; CAS: expected, desired */
    const uint8_t *retry, *done;
    unsigned record;                     /* offset of the fault record */
    /* STUB_EXIT */
    unsigned exit;
    unsigned first_write, nwrites;       /* in Cg.writes */
    RaLoc target;                        /* INDIRECT */
    /* STUB_LINK */
    Jump *jump;
} Stub;

typedef struct HomeWrite { uint32_t off; RaLoc loc; } HomeWrite;

enum { CG_MAX_STUBS = 2 * IR_MAX_OPS };  /* an op has at most an EXIT and a LINK */

typedef struct Cg {
    Ra ra;                               /* first: host_ra_* find the Cg from it */
    Emit e;
    HostState *hs;
    const IrUnit *u;
    Block *b;
    FlagState fl;
    unsigned insn;                       /* row of IrUnit.insns: the guest instruction of the current op */
    unsigned nstubs, nwrites, writes_cap, nrec, rec_cap, njumps;
    uint8_t *rec;                        /* fault records so far */
    HomeWrite *writes;
    Stub stubs[CG_MAX_STUBS];
} Cg;

typedef struct HostOp HostOp;
struct HostOp {
    void (*emit)(Cg *, const IrOp *);
    uint32_t op[4];                      /* for table-driven emitters */
};
extern const HostOp host_op_nop;
#define OP(name, ...) extern const HostOp host_op_##name;
#include "tcg/ops.def"
#undef OP
extern const HostOp *const host_ops[IR_OPCODES];

/* ---- operands ---- */

static inline Rm rm_env(uint32_t off) { return rm_mem(RBP, -1, 0, (int32_t)off - ENV_BIAS); }
#define RM_SCRATCH(field) rm_env(ENV_SCRATCH + (uint32_t)offsetof(TcgScratch, field))

static inline bool cg_is_const(const Cg *c, IrVal v) { return c->u->vals[v].is_const; }
static inline uint64_t cg_imm(const Cg *c, IrVal v) { return c->u->vals[v].imm; }
static inline void cg_flags_lost(Cg *c) { c->fl.kind = FL_NONE; }

static inline int cg_use(Cg *c, IrVal v) { return ra_use(&c->ra, v); }
static inline int cg_tmp(Cg *c, int bank) { return ra_tmp(&c->ra, bank); }
static inline int cg_def(Cg *c, IrVal d, int prefer) { return ra_def(&c->ra, d, prefer); }
/* Register (locked) or memory operand; a constant is loaded into a register. */
Rm cg_rm(Cg *c, IrVal v);
Rm cg_again(Cg *c, IrVal v, Rm m);
/* Was m given for a value in register r? */
static inline bool rm_is(Rm m, int r) { return m.reg == r; }

/* ---- pieces ---- */

void cg_alu_ri(Cg *c, int k, unsigned w, Rm d, int64_t imm);
void cg_alu(Cg *c, int k, unsigned w, int d, Rm s);
/* Emits the comparison of a conditional op (or reuses the flags); returns the host's condition code. */
int cg_compare(Cg *c, unsigned w, IrCond cond, IrVal a, IrVal b);
/* The comparison that op o (br, setc, sel) tests, seen through a fused setc. */
int cg_condition(Cg *c, const IrOp *o, IrCond cond);

/* C function uint64_t fn(TcgEnv *, a, b, c, f) with operands (IR_NONE: absent) and result d (or IR_NONE).  gpr: compiled
 * RHEA_GPR_ONLY, else all state is saved around it.  It must neither raise nor use guest registers. */
void cg_call_c(Cg *c, void *fn, bool gpr, IrVal d, IrVal a, IrVal b, IrVal cc, IrVal f);
/* The bare call, arguments already in TcgScratch.slow_arg[0..3]; the result is in TcgScratch.slow_val[0]. */
void cg_call_c_raw(Cg *c, void *fn, bool gpr);

/* ---- records, stubs ---- */

/* The caller fills it, but for from[] (NULL), d (none), fixed and vec (false). */
Stub *cg_stub(Cg *c, StubKind kind);
/* A fault record of the present state; its place is filled in later.  guest/tmp: further guest registers that are in
 * temporaries now (RA_NONE: none). */
unsigned cg_record(Cg *c, const uint8_t guest[2], const int tmp[2]);
void cg_record_at(Cg *c, unsigned record, const uint8_t *rx);
void cg_mem_stub(Cg *c, const Stub *s);
void cg_exit_stub(Cg *c, const Stub *s);
void cg_link_stub(Cg *c, const Stub *s);

/* ---- the permanent part (thunk.c) ---- */
void host_make_thunks(HostState *hs, Emit *e);

/* ---- fault records (record.c) ---- */
/* Moves the records of the unit to b->records. */
void cg_records_done(Cg *c);

/* ---- vector moves: VEX forms where the host has AVX ---- */
void cg_vmov(Cg *c, int d, int s);
void cg_vload(Cg *c, unsigned bytes, int d, Rm m);       /* 4, 8, 16; the rest becomes 0 */
void cg_vstore(Cg *c, unsigned bytes, Rm m, int s);
/* One vector instruction "d = a OP b" (op: OP_ flags and opcode): VEX three-operand, or legacy with a move first.
 * Legacy: d must not be b's register unless it is a's too. */
void cg_vop(Cg *c, uint32_t op, int d, int a, Rm b);
/* The same for instructions with one source. */
void cg_vop1(Cg *c, uint32_t op, int d, Rm s);

/* ---- generic emitters for HostOp rows: opcode op[x & 3], 0 = not available ---- */
void emit_v_vv(Cg *c, const IrOp *o);    /* d = a OP b */
void emit_v_v(Cg *c, const IrOp *o);     /* d = OP a */

#endif
