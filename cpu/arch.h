/* What a guest CPU family is to the core: one const CpuArch.  cpu/archs.def
 * lists them.  The core never names an arch; an arch never calls the
 * execution loop. */
#ifndef RHEA_CPU_ARCH_H
#define RHEA_CPU_ARCH_H

#include "tcg/ir.h"
#include "util/field.h"

typedef struct Vcpu Vcpu;
typedef struct Xlat Xlat;

typedef enum Access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC } Access;

/* Result of a page walk: one page (4 KiB) and how large a piece it belongs to. */
typedef struct Mapping {
    uint64_t gpa;                        /* of the 4 KiB page */
    uint64_t page_size;                  /* 4096, 2 MiB, ... : of the guest's own entry */
    bool read, write, exec;              /* allowed now in this mode (write: dirty bit already set, too) */
    bool global;                         /* survives an address-space switch */
    bool uncached;
} Mapping;

/* An exception on its way to the guest; meaning belongs to the arch. */
typedef struct Fault {
    uint32_t kind;                       /* x86: vector */
    uint32_t code;                       /* x86: error code */
    bool has_code;
    uint64_t addr;                       /* x86: CR2 */
} Fault;

/* What a translated unit depends on besides its bytes. */
typedef struct CodeKey {
    uint64_t pc;                         /* linear address of the first byte */
    uint64_t flags;                      /* mode bits */
} CodeKey;

typedef struct CpuModel CpuModel;        /* arch-private: name, doc, feature words */

typedef struct CpuArch {
    const char *name, *doc;
    size_t vcpu_size;                    /* sizeof(X86Cpu): <= ENV_SCRATCH */
    unsigned page_bits, va_bits;
    bool big_endian;
    const IrArch *ir;                    /* registers and helpers */
    const Field *fields;                 /* reset values and saved state */

    /* Called once per process before anything else of the arch. */
    void (*init)(void);
    /* model: "NAME,+feature,-feature,prop=value"; NULL: default. false: err names the closest matches. */
    bool (*set_model)(Vcpu *, const char *model, GError **err);
    void (*list_models)(GString *out);   /* -cpu help */
    void (*reset)(Vcpu *);

    CodeKey (*key)(const Vcpu *);
    unsigned (*exec_mode)(uint64_t flags);               /* TLB mode of instruction fetch for these mode flags */
    uint64_t (*pc_bias)(uint64_t flags);                 /* linear address minus the pc register (x86: CS base) */
    /* Emits IR for the instruction at x->pc; sets x->next; ends the unit (x->end) where it must. */
    void (*translate_insn)(Xlat *x);
    /* Walks the guest's tables for gva in TLB mode `mode`.  False: *f is the exception to raise.
     * With `set` accessed/dirty bits are set as the access demands; without, the walk has no effect (debugger). */
    bool (*walk)(Vcpu *, uint64_t gva, Access access, unsigned mode, bool set, Mapping *out, Fault *f);
    /* A misaligned access with IRM_ALIGN, or an access to a non-canonical address: fills the fault. */
    void (*unaligned)(Vcpu *, uint64_t gva, Access access, Fault *f);
    void (*divide_error)(Vcpu *, Fault *f);
    /* Delivers f: pushes state, loads the handler's.  Homes are complete and pc is the faulting instruction's.
     * May meet further faults (double, triple). */
    void (*raise)(Vcpu *, const Fault *f);
    /* At a safe point with something in vcpu->pending: takes at most one interrupt. True if state changed. */
    bool (*poll_irq)(Vcpu *);
    /* Has the halted vcpu a reason to wake?  (pending, enabled) */
    bool (*has_work)(const Vcpu *);

    uint64_t (*get_pc)(const Vcpu *);    /* linear */
    void (*set_pc)(Vcpu *, uint64_t pc);
    void (*print_regs)(Vcpu *, GString *out);            /* info registers, -d cpu */
    void (*print_tlb)(Vcpu *, bool ranges, GString *out);/* info tlb (false), info mem (true) */
    /* One guest instruction as text at gva; returns its length. */
    unsigned (*disas)(Vcpu *, uint64_t gva, GString *out);
} CpuArch;

#define ARCH(name) extern const CpuArch name##_arch;
#include "cpu/archs.def"
#undef ARCH
const CpuArch *arch_find(const char *name);

#endif
