/* A vcpu: the state that every arch shares, its thread, and how devices and
 * the monitor talk to it.  exec.c runs it; tlb.c finds memory for it. */
#ifndef RHEA_CPU_CPU_H
#define RHEA_CPU_CPU_H

#include <setjmp.h>

#include "cpu/arch.h"
#include "cpu/memory.h"
#include "tcg/tcg.h"

/* Bits of Vcpu.pending, set by cpu_interrupt() from any thread. */
enum {
    CPU_IRQ_HARD = 1,                    /* level: the interrupt controller has something */
    CPU_IRQ_NMI = 2,
    CPU_IRQ_INIT = 4,
    CPU_IRQ_SIPI = 8,
    CPU_IRQ_SMI = 16,
    CPU_IRQ_RESET = 32,
    CPU_IRQ_ARCH0 = 64,                  /* arch use (x86: local APIC poll) */
    CPU_IRQ_STOP = 1 << 16,              /* leave to the thread loop: stop, work queue */
    CPU_IRQ_FLUSH = 1 << 17,             /* TLB work from another vcpu */
};

typedef struct CpuGroup CpuGroup;        /* all vcpus of a machine */
typedef struct TlbExtra TlbExtra;        /* tlb.c: second-level TLB, fill lists, ASIDs */

struct Vcpu {
    TcgEnv env;                          /* first */
    const CpuArch *arch;
    CpuGroup *group;
    TcgCtx *tcg;
    AddressSpace *mem, *io;
    unsigned index;                      /* 0.. */
    uint32_t pending;                    /* CPU_IRQ_*, atomic */
    bool halted;                         /* waits for an interrupt */
    bool powered_off;                    /* x86 application processor before SIPI */
    uint64_t asid;                       /* current address space (tlb_switch) */
    GThread *thread;
    GMutex mutex;                        /* with cond: halted vcpu waits for pending */
    GCond cond;
    TlbExtra *tlb;
    sigjmp_buf unwind;                   /* execution loop */
    uint8_t in_code;                     /* IN_CODE_*: what cpu_raise has to do first */
    bool in_guest;                       /* atomic: uses its TLB and generated code; false: stands at a safe point */
    bool one_shot;                       /* the next instruction alone, not cached (a store met its own unit) */
    IrUnit *single;                      /* xlat_single's unit */
    Block *cur;                          /* interp: the unit being executed */
    GSList *work;                        /* cpu_run_on, under group->mutex */
    bool quit, stopped;                  /* thread: told to end; stands still (group->mutex) */
    void *opaque;                        /* x86: the vcpu's local APIC device */
};

enum {
    IN_CODE_NO,
    IN_CODE_SITE,                        /* C was called by generated code: a fault record has the state */
    IN_CODE_COMPLETE,                    /* ... and the homes are complete (chain, lookup) */
};

static inline Vcpu *env_vcpu(TcgEnv *env) { return (Vcpu *)env; }

/* ---- for the arch and helpers (vcpu thread) ---- */

/* Raises f at the current instruction: syncs state from the fault record, delivers it (arch->raise) and unwinds to the
 * execution loop.  Only from code that was called by a unit. */
void cpu_raise(Vcpu *c, const Fault *f) __attribute__((noreturn));
/* State is complete and changed; go back to the execution loop without raising (e.g. after a task switch, HLT). */
void cpu_loop_exit(Vcpu *c) __attribute__((noreturn));
/* Makes the homes complete for the current instruction without leaving (rare helpers that look at everything). */
void cpu_sync(Vcpu *c);

/* Guest-virtual accesses for helpers: as the guest's own, may raise (cpu_raise) unless `f` is given: then a fault is
 * stored there and false is returned.  mode: TLB mode. */
uint64_t cpu_ld(Vcpu *c, uint64_t gva, unsigned size, unsigned mode);
void cpu_st(Vcpu *c, uint64_t gva, uint64_t val, unsigned size, unsigned mode);
bool cpu_try_ld(Vcpu *c, uint64_t gva, unsigned size, unsigned mode, uint64_t *val, Fault *f);
bool cpu_try_st(Vcpu *c, uint64_t gva, uint64_t val, unsigned size, unsigned mode, Fault *f);
/* Checks a whole range (any length) for access; raises on the first fault. */
void cpu_probe(Vcpu *c, uint64_t gva, uint64_t len, Access access, unsigned mode);
/* Host address of [gva, gva+len), which must not cross a page, if it is plain RAM that may be accessed so without being
 * noticed (fills the TLB; raises on a fault), else NULL. */
void *cpu_host(Vcpu *c, uint64_t gva, unsigned len, Access access, unsigned mode);
/* The same for a write, and memory whose stores have to be noticed (code, dirty log) is given too: *note is then what
 * cpu_wrote wants after the write, else UINT64_MAX.  May go back to the start of the instruction (exec_before_write). */
void *cpu_host_write(Vcpu *c, uint64_t gva, unsigned len, unsigned mode, uint64_t *note);
void cpu_wrote(uint64_t note, unsigned len);
/* A 16-byte atomic compare and exchange (CMPXCHG16B, CASP): true if it stored. */
bool cpu_cas128(Vcpu *c, uint64_t gva, unsigned mode, uint64_t expected[2], const uint64_t desired[2]);

/* Debugger view: no side effects, false if not mapped. */
bool cpu_debug_read(Vcpu *c, uint64_t gva, void *buf, unsigned len);
bool cpu_debug_write(Vcpu *c, uint64_t gva, const void *buf, unsigned len);

/* TLB maintenance for the own vcpu. */
void tlb_flush(Vcpu *c);                                 /* everything, global entries too */
void tlb_flush_page(Vcpu *c, uint64_t gva);              /* one gva, all modes, the current address space and globals */
/* Goes over to address space `asid` (x86: CR3 base and PCID; any number the arch likes).  flush: entries of the new
 * asid are dropped; else those that are still there are used again.  Global entries stay. */
void tlb_switch(Vcpu *c, uint64_t asid, bool flush);
void tlb_flush_asid(Vcpu *c, uint64_t asid);             /* all non-global entries of it */
void tlb_flush_page_asid(Vcpu *c, uint64_t gva, uint64_t asid);
/* The mode flags (CodeKey.flags) changed: new jump-cache salt. The arch calls it whenever key().flags may differ. */
void cpu_mode_changed(Vcpu *c);

/* ---- for devices, monitor and machine: any thread ---- */

void cpu_interrupt(Vcpu *c, uint32_t bits);              /* sets bits, kicks */
void cpu_interrupt_clear(Vcpu *c, uint32_t bits);
void cpu_kick(Vcpu *c);                                  /* makes it reach its execution loop soon */

/* ---- machine ---- */

struct CpuGroup {
    const CpuArch *arch;
    TcgCtx *tcg;
    unsigned n;
    Vcpu **cpu;
    AddressSpace *mem, *io;
    bool running;                        /* vcpus may execute */
    GMutex mutex;                        /* running, stopped, work, exclusive */
    GCond cond;
    bool exclusive;                      /* a vcpu wants all others out of the guest */
    uint64_t evictions;                  /* how often blocks were freed */
    bool one_insn;                       /* -accel tcg,one-insn=on: units of one instruction */
    void (*on_reset)(void *opaque), (*on_panic)(void *opaque);
    void *opaque;
};

typedef struct TcgOptions { bool interp, one_insn; size_t buf_size; } TcgOptions;

CpuGroup *cpus_new(const CpuArch *arch, unsigned n, const char *model, AddressSpace *mem, AddressSpace *io,
                   const TcgOptions *opt, GError **err);
void cpus_free(CpuGroup *g);
void cpus_start(CpuGroup *g);                            /* creates the threads (stopped) */
void cpus_resume(CpuGroup *g);
void cpus_pause(CpuGroup *g);                            /* returns when every vcpu stands still; machine lock held */
void cpus_reset(CpuGroup *g);                            /* paused only */
/* Runs fn(vcpu, arg) on the vcpu's thread at its next safe point. wait: returns after it ran. */
void cpu_run_on(Vcpu *c, void (*fn)(Vcpu *, void *), void *arg, bool wait);
/* The vcpu of the calling thread, or NULL. */
Vcpu *cpu_current(void);
void cpu_print_jit(CpuGroup *g, GString *out);           /* info jit, -d stats */

#endif
