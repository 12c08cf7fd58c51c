/* The state of an x86 vcpu, and the mode flags that translated code depends on.
 *
 * General registers, RIP, lazy flags, DF, FS and GS base live in
 * vcpu.env.regs (regs.def). Everything else is here.
 * Source: Intel SDM volumes 1 and 3, AMD APM volume 2. */
#ifndef RHEA_X86_STATE_H
#define RHEA_X86_STATE_H

#include "cpu/cpu.h"

typedef enum X86Reg {
#define REG(NAME, ...) X86_##NAME,
#include "cpu/x86/regs.def"
#undef REG
    X86_REGS,
} X86Reg;

enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDT, SEG_TR, X86_SEGS };

/* attr holds bits 8..23 of the descriptor's second dword in place (type at 8, S 12, DPL 13, P 15, AVL 20, L 21, DB 22,
 * G 23); limit is in bytes, G applied.  For FS and GS the base is env.regs (x86_seg_base); .base is unused. */
typedef struct X86Seg {
    uint64_t base;
    uint32_t limit, attr;
    uint32_t sel;
} X86Seg;

/* Mode flags: CodeKey.flags bits 31..0; bits 63..32 are the CS base's low 32 bits (0 in 64-bit mode).
 * Everything that changes what code is generated for the same bytes. */
enum {
    HF_CPL      = 3 << 0,
    HF_PE       = 1 << 2,                /* protected mode (and not VM: VM has its own bit, PE is set with it) */
    HF_VM       = 1 << 3,                /* virtual-8086 */
    HF_LMA      = 1 << 4,                /* long mode active */
    HF_CS64     = 1 << 5,                /* 64-bit code segment */
    HF_CS32     = 1 << 6,                /* CS.D (0: 16-bit defaults); set in 64-bit code too */
    HF_SS32     = 1 << 7,                /* SS.B: ESP; set in 64-bit code too */
    HF_DS_FLAT  = 1 << 8,                /* base 0, limit 4 GiB, usable and writable expand-up: no checks needed */
    HF_ES_FLAT  = 1 << 9,
    HF_SS_FLAT  = 1 << 10,
    HF_CS_FLAT  = 1 << 11,               /* base 0, limit 4 GiB, readable */
    HF_TF       = 1 << 12,               /* single-step */
    HF_SHADOW   = 1 << 13,               /* interrupts inhibited for one instruction (STI, MOV SS) */
    HF_EM       = 1 << 14,               /* CR0.EM, TS, MP */
    HF_TS       = 1 << 15,
    HF_MP       = 1 << 16,
    HF_OSFXSR   = 1 << 17,               /* CR4.OSFXSR: SSE usable */
    HF_AVX      = 1 << 18,               /* CR4.OSXSAVE and XCR0 has SSE and AVX */
    HF_OSXSAVE  = 1 << 19,
    HF_IOPL     = 3 << 20,
    HF_MMU      = 3 << 22,               /* TLB mode of data accesses: MMU_* */
    HF_SMM      = 1 << 24,
    HF_DRBP     = 1 << 25,               /* an enabled DR7 breakpoint exists: instruction breakpoints are checked */
    HF_SSE_EXC  = 1 << 26,               /* MXCSR unmasks an exception: FP ops go through checking helpers */
    HF_UMIP     = 1 << 27,
    HF_FSGSBASE = 1 << 28,
    HF_TSD      = 1 << 29,               /* CR4.TSD */
    HF_CS_LIMIT = 1 << 30,               /* CS limit below 4 GiB: fetches are checked */
};
#define HF_X87_EXC (1u << 31)            /* FCW unmasks an exception, or one is pending: x87 ops check */
enum { HF_MMU_SHIFT = 22, HF_IOPL_SHIFT = 20 };

/* TLB modes. Instruction fetch uses MMU_USER at CPL 3, else MMU_KERNEL. */
enum { MMU_KERNEL = 0, MMU_USER = 1, MMU_KERNEL_SMAP = 2 /* CPL<3, CR4.SMAP, AC=0 */, MMU_PHYS = 3 /* spare */ };

/* EFLAGS */
enum {
    FL_CF = 1, FL_PF = 4, FL_AF = 0x10, FL_ZF = 0x40, FL_SF = 0x80, FL_TF = 0x100, FL_IF = 0x200, FL_DF = 0x400,
    FL_OF = 0x800, FL_IOPL = 0x3000, FL_NT = 0x4000, FL_RF = 0x10000, FL_VM = 0x20000, FL_AC = 0x40000,
    FL_VIF = 0x80000, FL_VIP = 0x100000, FL_ID = 0x200000,
    FL_CC = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF,
};

/* exception vectors */
enum {
    EX_DE, EX_DB, EX_NMI, EX_BP, EX_OF, EX_BR, EX_UD, EX_NM, EX_DF, EX_TS = 10, EX_NP, EX_SS, EX_GP, EX_PF,
    EX_MF = 16, EX_AC, EX_MC, EX_XM,
};

enum {
    CR0_PE = 1, CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR0_ET = 16, CR0_NE = 32, CR0_WP = 1 << 16, CR0_AM = 1 << 18,
    CR0_NW = 1 << 29, CR0_CD = 1 << 30,
};
#define CR0_PG (1u << 31)
enum {
    CR4_VME = 1, CR4_PVI = 2, CR4_TSD = 4, CR4_DE = 8, CR4_PSE = 16, CR4_PAE = 32, CR4_MCE = 64, CR4_PGE = 128,
    CR4_PCE = 256, CR4_OSFXSR = 512, CR4_OSXMMEXCPT = 1024, CR4_UMIP = 2048, CR4_FSGSBASE = 1 << 16,
    CR4_PCIDE = 1 << 17, CR4_OSXSAVE = 1 << 18, CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21,
};
enum { EFER_SCE = 1, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };

/* CPUID words, as the guest sees them (models.def names the bits) */
typedef enum CpuidWord {
    CW_1_EDX, CW_1_ECX, CW_7_EBX, CW_7_ECX, CW_7_EDX, CW_80000001_EDX, CW_80000001_ECX, CW_D_1_EAX, CW_80000007_EDX,
    CW_80000008_EBX, CW_6_EAX, CW_COUNT
} CpuidWord;

/* What the processor core asks of its local APIC (hw/intc/apic.c fills it).  From the vcpu's thread; they take the machine lock
 * themselves, all but `pending` and the plain reads. */
typedef struct X86ApicOps {
    int (*take)(void *apic);             /* highest deliverable vector, acknowledged; -1: spurious, none */
    bool (*pending)(void *apic);
    uint64_t (*get_base)(void *apic);
    bool (*set_base)(void *apic, uint64_t val);          /* false: #GP */
    uint8_t (*get_tpr)(void *apic);      /* CR8: bits 7..4 of TPR */
    void (*set_tpr)(void *apic, uint8_t cr8);
    bool (*msr_read)(void *apic, uint32_t msr, uint64_t *val);   /* x2APIC 0x800..0x83f, TSC deadline; false: #GP */
    bool (*msr_write)(void *apic, uint32_t msr, uint64_t val);
    void (*init)(void *apic);            /* INIT was taken */
    uint8_t (*sipi_vector)(void *apic);
} X86ApicOps;

typedef struct X86Fpu {
    uint16_t fcw, fsw;                   /* fsw without TOP (bits 13..11) */
    uint8_t top;                         /* 0..7 */
    uint8_t empty[8];                    /* by physical register: 1 empty */
    uint16_t fop;
    uint16_t fcs, fds;
    uint64_t fip, fdp;
    struct { uint64_t mant; uint16_t exp; uint16_t pad[3]; } st[8];      /* physical registers; MMX n is st[n].mant */
} X86Fpu;

typedef struct X86Cpu {
    Vcpu vcpu;                           /* first */

    uint64_t eflags;                     /* all but CC flags (lazy, env.regs) and DF; bit 1 set */
    uint64_t hflags;                     /* cached CodeKey.flags: x86_update_mode() */
    X86Seg seg[X86_SEGS];
    uint64_t gdt_base, idt_base;
    uint32_t gdt_limit, idt_limit;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t dr[8];
    uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_offset, tsc_aux, pat, apic_base_cache, misc_enable, smbase, spec_ctrl, tsc_adjust;
    uint64_t mtrr_def, mtrr_fixed[11], mtrr_var[8][2], mcg_status, mc_banks[10][4];
    bool nmi_masked;
    uint8_t a20;                         /* 1: address line 20 passes */

    X86Fpu fpu;
    void (*ferr)(struct X86Cpu *);       /* FERR#: an x87 exception with CR0.NE clear (board: IRQ 13); NULL: #MF */
    uint32_t mxcsr;                      /* as the guest wrote it; sticky flags are merged from env.fpcr when read */
    uint64_t xmm[16][2] __attribute__((aligned(16)));    /* homes (regs.def) */
    uint64_t ymmh[16][2] __attribute__((aligned(16)));   /* upper halves of YMM: ldev/stev */
    uint64_t vtmp[4][2] __attribute__((aligned(16)));    /* helper operands */

    uint32_t feat[CW_COUNT];             /* what CPUID says */
    const CpuModel *model;
    char *model_id;
    uint32_t cpuid_level, cpuid_xlevel, family, model_nr, stepping;
    char vendor[13], brand[49];
    uint64_t tsc_hz;

    const X86ApicOps *apic;
    void *apic_dev;
    /* fault being delivered, for double-fault rules */
    int delivering;                      /* vector, or -1 */
    uint64_t dr6_pending;                /* data breakpoints met by the instruction in progress */
    AddressSpace *mem_normal, *smm_mem;  /* what vcpu.mem is outside and inside SMM (NULL: the same) */
    uint32_t lapic_id;                   /* initial APIC ID: CPUID, topology */
} X86Cpu;
_Static_assert(sizeof(X86Cpu) <= ENV_SCRATCH, "below the scratch area");

static inline X86Cpu *x86_of(Vcpu *c) { return (X86Cpu *)c; }
static inline X86Cpu *x86_env(TcgEnv *e) { return (X86Cpu *)e; }
#define X86R(cpu, r) ((cpu)->vcpu.env.regs[(r)])         /* r: X86_RAX .. X86_GS_BASE (rows 0..23 match regs[]) */

static inline uint64_t x86_seg_base(const X86Cpu *c, unsigned s)
{
    return s == SEG_FS ? c->vcpu.env.regs[22] : s == SEG_GS ? c->vcpu.env.regs[23] : c->seg[s].base;
}

/* ---- shared between the arch's files ---- */

/* cc.c: the arithmetic flags from the lazy operands; homes complete. */
uint64_t x86_cc(const X86Cpu *c);                        /* FL_CC bits */
void x86_set_cc(X86Cpu *c, uint64_t flags);              /* makes them explicit */
uint64_t x86_get_eflags(const X86Cpu *c);                /* the whole register */
/* mask: which bits may change. Updates mode flags. */
void x86_set_eflags(X86Cpu *c, uint64_t val, uint64_t mask);

/* trap.c */
void x86_raise(X86Cpu *c, unsigned vector) __attribute__((noreturn));            /* no error code */
void x86_raise_code(X86Cpu *c, unsigned vector, uint32_t code) __attribute__((noreturn));
/* Recomputes hflags from the registers and tells the core (cpu_mode_changed). */
void x86_update_mode(X86Cpu *c);
/* msr.c: the time-stamp counter now, and its cycles a second (any thread). */
uint64_t x86_tsc(const X86Cpu *c);
uint64_t x86_tsc_hz(void);
/* The board's A20 gate: machine lock, any thread. */
void x86_set_a20(X86Cpu *c, bool on);
static inline unsigned x86_cpl(const X86Cpu *c) { return c->hflags & HF_CPL; }

/* Helpers of the arch: one row each in helpers.def, HELPER(name, nargs, ret, flags); the function is
 * uint64_t x86_h_NAME(TcgEnv *, uint64_t a, uint64_t b, uint64_t c, uint64_t f). */
typedef enum X86Helper {
#define HELPER(name, ...) X86H_##name,
#include "cpu/x86/helpers.def"
#undef HELPER
    X86_HELPERS
} X86Helper;
#define HELPER(name, ...) uint64_t x86_h_##name(TcgEnv *, uint64_t, uint64_t, uint64_t, uint64_t);
#include "cpu/x86/helpers.def"
#undef HELPER

#endif
