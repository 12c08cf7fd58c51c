/* The system side's own declarations: descriptors, stacks, privilege
 * transfers, and how their faults travel.
 *
 * Faults.  Everything that may fault part way returns bool and fills a Fault
 * instead of raising: exception delivery has to turn a second fault into a
 * double fault, and an instruction must not have changed anything.  Functions
 * compute first, touch memory next and commit registers last.  The exception
 * is a task switch: past its commit point faults belong to the new task, and
 * Xfer tells (XFER_FAULT_NEW).  x86_finish() turns either into an exception.
 *
 * Selector error codes: selector & 0xfffc, bit 0 EXT, bit 1 IDT.
 * Source: Intel SDM volume 3, chapters 3, 5-8, 20; volume 2 pseudo-code. */
#ifndef RHEA_X86_SYS_H
#define RHEA_X86_SYS_H

#include "cpu/x86/state.h"

/* ---- descriptors ---- */

/* X86Seg.attr: the second dword's bits 8..23 in place (limit bits 16..19 cleared) */
enum {
    DA_MASK = 0x00f0ff00,
    DA_ACC = 1 << 8, DA_RW = 1 << 9 /* data: writable, code: readable */, DA_CE = 1 << 10 /* conforming, expand-down */,
    DA_CODE = 1 << 11, DA_S = 1 << 12, DA_DPL_SHIFT = 13, DA_DPL = 3 << 13, DA_P = 1 << 15,
    DA_AVL = 1 << 20, DA_L = 1 << 21, DA_DB = 1 << 22, DA_G = 1 << 23,
    DA_TYPE_SHIFT = 8, DA_TYPE = 15 << 8,
};
/* types of system descriptors (S = 0) */
enum {
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK = 5, SYS_INT16 = 6, SYS_TRAP16 = 7,
    SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15,
};

typedef struct X86Desc {
    uint64_t addr;                       /* linear address of the descriptor */
    uint32_t lo, hi;                     /* its dwords */
    uint32_t hi64;                       /* bits 63..32 of the base (16-byte system descriptors) */
} X86Desc;

static inline uint32_t desc_base(const X86Desc *d) { return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000); }
static inline uint32_t desc_limit(const X86Desc *d)
{
    uint32_t l = (d->lo & 0xffff) | (d->hi & 0xf0000);
    return d->hi & DA_G ? l << 12 | 0xfff : l;
}
static inline unsigned desc_dpl(uint32_t hi) { return hi >> DA_DPL_SHIFT & 3; }
static inline unsigned desc_type(uint32_t hi) { return hi >> DA_TYPE_SHIFT & 15; }
static inline bool desc_is_code(uint32_t hi) { return (hi & (DA_S | DA_CODE)) == (DA_S | DA_CODE); }
static inline bool desc_is_data(uint32_t hi) { return (hi & (DA_S | DA_CODE)) == DA_S; }
static inline bool desc_is_wdata(uint32_t hi) { return (hi & (DA_S | DA_CODE | DA_RW)) == (DA_S | DA_RW); }
static inline bool sel_null(uint32_t sel) { return (sel & 0xfffc) == 0; }

/* Fills f; always false, to be returned. */
static inline bool x86_fault(Fault *f, unsigned vector, uint32_t code)
{
    *f = (Fault){ .kind = vector, .code = code, .has_code = true };
    return false;
}

/* Modes. */
static inline bool x86_pe(const X86Cpu *c) { return c->cr0 & CR0_PE; }
static inline bool x86_vm(const X86Cpu *c) { return c->eflags & FL_VM; }
static inline bool x86_protected(const X86Cpu *c) { return x86_pe(c) && !x86_vm(c); }
static inline bool x86_lma(const X86Cpu *c) { return c->efer & EFER_LMA; }
static inline bool x86_cs64(const X86Cpu *c) { return c->hflags & HF_CS64; }
static inline unsigned x86_iopl(const X86Cpu *c) { return c->eflags >> 12 & 3; }
static inline bool x86_canonical(uint64_t a) { return (uint64_t)((int64_t)(a << 16) >> 16) == a; }
static inline bool x86_has_feat(const X86Cpu *c, CpuidWord w, unsigned bit) { return c->feat[w] >> bit & 1; }

/* TLB mode of the processor's own accesses (descriptor tables, TSS): supervisor, SMAP without regard to AC. */
static inline unsigned x86_sys_mode(const X86Cpu *c) { return c->cr4 & CR4_SMAP ? MMU_KERNEL_SMAP : MMU_KERNEL; }
/* TLB mode of data accesses at privilege level cpl. */
static inline unsigned x86_cpl_mode(const X86Cpu *c, unsigned cpl)
{
    return cpl == 3 ? MMU_USER : (c->cr4 & CR4_SMAP) && !(c->eflags & FL_AC) ? MMU_KERNEL_SMAP : MMU_KERNEL;
}
static inline unsigned x86_data_mode(const X86Cpu *c) { return (c->hflags & HF_MMU) >> HF_MMU_SHIFT; }
/* Linear addresses are 32 bits wide outside long mode. */
static inline uint64_t x86_wrap(const X86Cpu *c, uint64_t a) { return x86_lma(c) ? a : (uint32_t)a; }
/* The processor's own reads and writes. */
static inline bool x86_sys_ld(X86Cpu *c, uint64_t a, unsigned size, uint64_t *v, Fault *f)
{
    return cpu_try_ld(&c->vcpu, x86_wrap(c, a), size, x86_sys_mode(c), v, f);
}
static inline bool x86_sys_st(X86Cpu *c, uint64_t a, unsigned size, uint64_t v, Fault *f)
{
    return cpu_try_st(&c->vcpu, x86_wrap(c, a), v, size, x86_sys_mode(c), f);
}

/* ---- seg.c ---- */

/* Sets the hidden part without any check (and FS/GS base); the caller calls x86_update_mode. */
void x86_set_seg(X86Cpu *c, unsigned s, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr);
void x86_set_seg_desc(X86Cpu *c, unsigned s, uint16_t sel, const X86Desc *d);
/* As loading a selector in real or virtual-8086 mode does. */
void x86_set_seg_real(X86Cpu *c, unsigned s, uint16_t sel);
void x86_set_seg_null(X86Cpu *c, unsigned s, uint16_t sel);
/* The 8 bytes of the descriptor; outside the table: vec(sel|ext). */
bool x86_desc_read(X86Cpu *c, uint16_t sel, X86Desc *d, unsigned vec, unsigned ext, Fault *f);
/* Reads the upper half of a 16-byte system descriptor into d->hi64; checks the table's limit and that bits 12..8 are 0. */
bool x86_desc_read_high(X86Cpu *c, uint16_t sel, X86Desc *d, unsigned vec, unsigned ext, Fault *f);
/* Sets the accessed bit in memory and in *d. */
bool x86_desc_access(X86Cpu *c, X86Desc *d, Fault *f);
/* MOV, POP, LDS ... into ES SS DS FS GS, in any mode. Commits; does not call x86_update_mode. */
bool x86_load_seg(X86Cpu *c, unsigned s, uint16_t sel, Fault *f);
bool x86_load_ldt(X86Cpu *c, uint16_t sel, unsigned vec, Fault *f);
bool x86_load_tr(X86Cpu *c, uint16_t sel, Fault *f);
/* The checks of SS for privilege level cpl, for a transfer of control; exceptions vec (#GP or #TS), #SS. */
bool x86_check_ss(X86Cpu *c, uint16_t sel, unsigned cpl, X86Desc *d, unsigned vec, unsigned ext, Fault *f);
/* Offset -> linear address with the checks of segment s; #GP(0) or #SS(0). */
bool x86_seg_linear(X86Cpu *c, unsigned s, uint64_t off, unsigned size, bool write, uint64_t *lin, Fault *f);

/* ---- stacks ---- */

typedef struct X86Stack {
    X86Cpu *c;
    uint64_t base, sp, mask;             /* mask: of SP: 16, 32, 64 bits */
    uint32_t limit, attr;
    uint32_t code;                       /* of #SS for accesses outside */
    unsigned mode;                       /* TLB mode */
    bool flat64;                         /* 64-bit: no limit, canonical check */
    Fault *f;
} X86Stack;
void x86_stack_cur(X86Stack *s, X86Cpu *c, Fault *f);
/* A stack described by SS descriptor d at privilege cpl; code: error code of its #SS. */
void x86_stack_desc(X86Stack *s, X86Cpu *c, const X86Desc *d, uint64_t sp, unsigned cpl, uint32_t code, Fault *f);
bool x86_spush(X86Stack *s, unsigned size, uint64_t v);
bool x86_spop(X86Stack *s, unsigned size, uint64_t *v);
void x86_stack_commit(const X86Stack *s);                /* RSP row */

/* ---- xfer.c, task.c: far transfers ---- */

typedef enum Xfer {
    XFER_OK, XFER_FAULT,                 /* nothing has changed: raise at the instruction */
    XFER_FAULT_NEW,                      /* the fault belongs to the state as it is now */
} Xfer;
static inline Xfer xfer_of(bool ok) { return ok ? XFER_OK : XFER_FAULT; }

Xfer x86_jmp_far(X86Cpu *c, uint16_t sel, uint64_t off, unsigned osize, uint64_t next_eip, Fault *f);
Xfer x86_call_far(X86Cpu *c, uint16_t sel, uint64_t off, unsigned osize, uint64_t next_eip, Fault *f);
Xfer x86_ret_far(X86Cpu *c, unsigned osize, unsigned release, Fault *f);
Xfer x86_iret(X86Cpu *c, unsigned osize, uint64_t next_eip, Fault *f);
/* The RSP (and SS selector) for privilege cpl in the TSS. vec #TS. */
bool x86_tss_stack(X86Cpu *c, unsigned cpl, uint16_t *ss, uint64_t *sp, unsigned ext, Fault *f);

typedef enum TaskVia { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE } TaskVia;
/* TASK_GATE: an interrupt's; has_code: push code on the new stack. Sets RIP of the old task to next_eip. */
Xfer x86_task_switch(X86Cpu *c, uint16_t sel, TaskVia via, uint64_t next_eip, bool has_code, uint32_t code, unsigned ext,
                     Fault *f);

/* EFLAGS as a transfer loads it: mask of writable bits; mode flags are not updated. */
void x86_load_eflags(X86Cpu *c, uint64_t v, uint64_t mask);

/* ---- trap.c ---- */

typedef enum EventKind {
    EVENT_FAULT,                         /* exception at RIP: EXT is set in error codes, RF is pushed set */
    EVENT_TRAP,                          /* exception after an instruction: RIP is the next one's */
    EVENT_SOFT,                          /* INT n, INT3, INTO: gate DPL and IOPL are checked */
    EVENT_HARD,                          /* interrupt or NMI */
} EventKind;
/* Delivers at RIP (the value to push), with double and triple faults. */
void x86_deliver(X86Cpu *c, EventKind kind, const Fault *f);
/* A software interrupt; false: f (state unchanged). */
Xfer x86_soft_int(X86Cpu *c, unsigned vector, uint64_t next_eip, bool int_n, Fault *f);
/* After a transfer made by a helper: raises what went wrong, or returns; then RIP and modes are set. */
void x86_finish(X86Cpu *c, Xfer r, const Fault *f);
/* Raises f, which was found by a helper before it changed anything. */
void x86_raise_fault(X86Cpu *c, const Fault *f) __attribute__((noreturn));
/* #DB with these DR6 bits, after the instruction: RIP is set already. */
void x86_debug_trap(X86Cpu *c, uint64_t dr6) __attribute__((noreturn));
/* Port access: notes I/O breakpoints. */
void x86_io_bp(X86Cpu *c, unsigned port, unsigned size);
void x86_raise_arch(Vcpu *v, const Fault *f);
bool x86_poll_irq(Vcpu *v);
bool x86_has_work(const Vcpu *v);
/* Ends the interrupt shadow (no effect without one). */
static inline void x86_end_shadow(X86Cpu *c)
{
    if (c->hflags & HF_SHADOW) {
        c->hflags &= ~(uint64_t)HF_SHADOW;
        cpu_mode_changed(&c->vcpu);
    }
}
/* IF may have gone on: look for interrupts at the next poll. */
static inline void x86_check_irq(X86Cpu *c)
{
    if (__atomic_load_n(&c->vcpu.pending, __ATOMIC_RELAXED)) {          /* set after this: cpu_interrupt kicks by itself */
        __atomic_store_n(&c->vcpu.env.exit_request, 1, __ATOMIC_RELAXED);
    }
}

/* ---- mmu.c ---- */

bool x86_walk(Vcpu *v, uint64_t gva, Access access, unsigned mode, bool set, Mapping *out, Fault *f);
void x86_unaligned(Vcpu *v, uint64_t gva, Access access, Fault *f);
void x86_print_tlb(Vcpu *v, bool ranges, GString *out);
/* MOV CR3 in PAE mode: are the page-directory-pointer entries free of reserved bits? */
bool x86_pdptes_ok(X86Cpu *c, uint64_t cr3);
enum { X86_PHYS_BITS = 40 };             /* MAXPHYADDR */
#define X86_PHYS_MASK (((uint64_t)1 << X86_PHYS_BITS) - 1)

/* ---- x86.c ---- */

/* INIT: as a reset, but FPU, MSRs, caches and the TSC stay. */
void x86_init(X86Cpu *c);

/* ---- ctrl.c: control registers; all values are checked, f is filled ---- */

bool x86_set_cr0(X86Cpu *c, uint64_t v, Fault *f);
bool x86_set_cr3(X86Cpu *c, uint64_t v, Fault *f);
bool x86_set_cr4(X86Cpu *c, uint64_t v, Fault *f);
bool x86_set_efer(X86Cpu *c, uint64_t v, Fault *f);
#define X86_ASID_PCID ((uint64_t)1 << 62)
static inline uint64_t x86_pcid_asid(uint64_t pcid) { return X86_ASID_PCID | pcid; }
/* CR3 of a task switch, RSM: goes over to the address space in c->cr3. */
void x86_switch_space(X86Cpu *c, bool flush);

/* ---- msr.c, cpuid.c, smm.c ---- */

bool x86_rdmsr(X86Cpu *c, uint32_t n, uint64_t *v);      /* false: #GP(0) */
bool x86_wrmsr(X86Cpu *c, uint32_t n, uint64_t v);
void x86_cpuid(X86Cpu *c, uint32_t leaf, uint32_t sub, uint32_t r[4]);       /* EAX EBX ECX EDX */
bool x86_set_model(Vcpu *v, const char *model, GError **err);
void x86_list_models(GString *out);
uint64_t x86_tsc_start(void);                            /* the host's counter when the program began */
void x86_smi_enter(X86Cpu *c);
bool x86_rsm(X86Cpu *c);                                 /* false: shutdown */
void x86_shutdown(X86Cpu *c, const char *why);           /* resets the machine */

#endif
