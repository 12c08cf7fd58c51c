/* What generated code knows of a vcpu.
 *
 * A vcpu is one allocation (env_alloc), laid out so that generated code
 * reaches all of it from one pinned host register:
 *
 *     0            TcgEnv         (first member of Vcpu; all of it in reach of 8-bit displacements)
 *     ...          Vcpu, then the arch's own state (X86Cpu ...): < ENV_SCRATCH
 *     ENV_SCRATCH  TcgScratch     spill slots and what thunks save
 *     ENV_TLB      software TLB   tlb[mode][read|write|exec][TLB_SIZE]
 *     ENV_JC       jump cache     JC_SIZE entries
 *
 * The host register points ENV_BIAS bytes into it.
 *
 * Threads: all fields belong to the vcpu's own thread, except exit_request,
 * which any thread may set (cpu_kick).
 */
#ifndef RHEA_TCG_ENV_H
#define RHEA_TCG_ENV_H

#include <stddef.h>
#include <stdint.h>

enum {
    ENV_BIAS = 128,
    TLB_PAGE_BITS = 12,
    TLB_BITS = 12,                       /* 4096 entries a table */
    TLB_SIZE = 1 << TLB_BITS,
    TLB_MODES = 4,                       /* an arch uses up to four privilege/addressing modes */
    ENV_REGS = 28,
    ENV_SPILLS = 128,
    ENV_VSPILLS = 64,
    JC_BITS = 14,
    JC_SIZE = 1 << JC_BITS,
    JC_SALT_SHIFT = 48,
};

/* One entry of the read and write tables: an access hits if
 * ((addr ^ tag) <= 4096 - size); the data is then at host + (addr ^ tag).
 * The tag of an entry that may hit is the address of the page, low bits zero
 * (an access to a constant address compares just that).
 * An entry that must not hit has tag tlb_never().  Exec table: an entry is valid
 * for code page tag>>28 (gva page number) at gpa page number tag & (2^28-1);
 * host is the address of the page in host memory. */
typedef struct TlbEntry {
    uint64_t tag;
    uint64_t host;
} TlbEntry;

enum { TLB_READ, TLB_WRITE, TLB_EXEC, TLB_KINDS };

/* A hit if tag == (pc ^ env.jc_salt).  The salt has a small number in its top
 * 16 bits that stands for (mode flags, address space, generation). */
typedef struct JumpCacheEntry {
    uint64_t tag;
    const void *code;
} JumpCacheEntry;

typedef struct TcgEnv {
    uint32_t exit_request;               /* not 0: leave generated code at the next poll */
    uint32_t fpcr;                       /* the guest's rounding, FTZ/DAZ and sticky flags in MXCSR form, all
                                            exceptions masked; live in the host's MXCSR while generated code runs */
    uint64_t jc_salt;
    uint64_t regs[ENV_REGS];             /* homes of the arch's integer registers, flag operands and pc: an arch's
                                            RegDesc offsets point here (see cpu/ARCH/regs.def) */
    uint64_t pc_bias;                    /* linear address of the code minus its pc, as IrUnit.pc_bias; kept with jc_salt */
} TcgEnv;

typedef struct TcgScratch {
    uint64_t slow_addr;                  /* arguments and results of out-of-line stubs */
    uint64_t slow_val[2];
    uint64_t slow_arg[4];
    uint64_t tmp_save[6];                /* host temporaries at the last call out of generated code */
    uint64_t host_sp;                    /* stack pointer of tcg_enter, to unwind to */
    uint64_t site;                       /* where generated code called the C code in progress: key of its fault record;
                                            0: homes are complete */
    uint32_t vec_live;                   /* the C code in progress runs with guest vectors in host registers */
    uint32_t host_mxcsr;                 /* what C code runs with */
    uint64_t spill[ENV_SPILLS];
    uint64_t spill_v[ENV_VSPILLS][2] __attribute__((aligned(16)));
    uint64_t vtmp_save[6][2] __attribute__((aligned(16)));
    uint64_t vec_arg[4][2] __attribute__((aligned(16)));  /* operands of a vector op done by C; [3] is its result */
    /* counters, printed by -d stats and `info jit` */
    uint64_t n_lookup, n_jc_miss, n_tlb_miss, n_tlb_refill, n_chain, n_loop_exits, n_helper;
} TcgScratch;

#define ENV_SCRATCH 0xe000u
#define ENV_TLB 0x10000u
#define ENV_TLB_TABLE(mode, kind) (ENV_TLB + ((mode) * TLB_KINDS + (kind)) * (TLB_SIZE * (uint32_t)sizeof(TlbEntry)))
#define ENV_JC ENV_TLB_TABLE(TLB_MODES, 0)
#define ENV_SIZE (ENV_JC + JC_SIZE * (uint32_t)sizeof(JumpCacheEntry))

static inline TcgScratch *env_scratch(TcgEnv *env)
{
    return (TcgScratch *)((char *)env + ENV_SCRATCH);
}

static inline TlbEntry *env_tlb(TcgEnv *env, unsigned mode, unsigned kind)
{
    return (TlbEntry *)((char *)env + ENV_TLB_TABLE(mode, kind));
}

static inline JumpCacheEntry *env_jc(TcgEnv *env)
{
    return (JumpCacheEntry *)((char *)env + ENV_JC);
}

static inline unsigned tlb_index(uint64_t addr)
{
    return (addr >> TLB_PAGE_BITS) & (TLB_SIZE - 1);
}

/* A tag that cannot hit in the slot of this index, whatever the address (the
 * same for the jump cache): zero, but in the slot where address 0 belongs. */
static inline uint64_t tlb_never(unsigned index)
{
    return index ? 0 : UINT64_MAX;
}

static inline unsigned jc_index(uint64_t pc)
{
    return pc & (JC_SIZE - 1);
}

/* The tag of an exec entry: 36 bits of page number (48-bit gva), 28 of gpa. */
static inline uint64_t tlb_exec_tag(uint64_t gva, uint64_t gpa)
{
    return (gva >> TLB_PAGE_BITS) << 28 | ((gpa >> TLB_PAGE_BITS) & ((1u << 28) - 1));
}

_Static_assert(sizeof(TlbEntry) == 16, "generated code scales by 16");
_Static_assert(sizeof(JumpCacheEntry) == 16, "generated code scales by 16");
_Static_assert(sizeof(TcgEnv) <= 2 * ENV_BIAS, "in reach of 8-bit displacements");
_Static_assert(sizeof(TcgScratch) <= ENV_TLB - ENV_SCRATCH, "fits");

#endif
