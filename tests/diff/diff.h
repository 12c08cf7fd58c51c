/* Random instruction sequences, natively and in Rhea.
 *
 * A case is some bytes of user-mode code and the registers to start with.  It
 * ends with an exception: the UD2 behind the last instruction, or whatever
 * happens before.  native.c runs a batch of cases in a child process, guest.c
 * runs them on a vcpu (interpreter and generated code); the results, which
 * are registers, flags, memory and the exception, must be equal.
 *
 * Both sides have the same memory map:
 *     DIFF_CODE   a page of code
 *     DIFF_DATA   three pages; the last is read-only; nothing before and behind
 *
 * Instructions come from the opcode maps themselves (gen.c), so a new row is
 * tested from its first day; gen.c has a table of what is special about some. */
#ifndef RHEA_TESTS_DIFF_H
#define RHEA_TESTS_DIFF_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    DIFF_CODE = 0x1000000, DIFF_DATA = 0x2000000, DIFF_TRAMP = 0x6ffe7000,
    DIFF_PAGE = 4096, DIFF_RW = 2 * DIFF_PAGE, DIFF_DATA_SIZE = 3 * DIFF_PAGE,
    DIFF_CODE_MAX = 192, DIFF_INSNS = 16,
};

typedef struct DiffRegs {
    uint64_t gpr[16], rip, flags;
    uint64_t gs_base;
    uint32_t mxcsr;
    uint64_t ymm[16][4] __attribute__((aligned(16)));
    uint8_t x87[160] __attribute__((aligned(16)));       /* FXSAVE image, first 160 bytes (MXCSR ignored) */
} DiffRegs;

typedef struct DiffResult {
    DiffRegs regs;
    uint32_t vector, error;              /* x86 exception; error 0 if the vector has none */
    uint64_t cr2;                        /* #PF */
    uint8_t mem[DIFF_RW];
    bool done;                           /* false: the child died */
} DiffResult;

typedef struct DiffCase {
    uint64_t seed;
    unsigned mode;                       /* 32 or 64 */
    unsigned len, ninsns;
    uint8_t code[DIFF_CODE_MAX];
    uint8_t at[DIFF_INSNS + 1];          /* offset of each instruction, then of the UD2 */
    uint64_t undefined;                  /* FL_ bits that some instruction leaves undefined */
    bool vectors, x87;                   /* compare those registers */
    bool gather;                         /* has a gather: how much of it is done at a fault is open */
    DiffRegs regs;
    DiffResult native, guest;
} DiffCase;

/* xorshift64* */
typedef struct Rng { uint64_t s; } Rng;
static inline uint64_t rng_next(Rng *r)
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return r->s * 0x2545f4914f6cdd1dull;
}
static inline unsigned rng_below(Rng *r, unsigned n) { return (unsigned)((rng_next(r) >> 33) % n); }
static inline bool rng_percent(Rng *r, unsigned p) { return rng_below(r, 100) < p; }

/* Initial contents of the data pages of a case. */
void diff_fill(uint64_t seed, uint8_t *data, unsigned len);

/* gen.c: makes a case of up to max instructions; only: a gen function's name, or NULL. */
void diff_generate(DiffCase *c, uint64_t seed, unsigned mode, unsigned max, const char *only);

/* fpstate.c: floating-point values; the x87 and vector registers, MXCSR and FCW to start with; the x87 part of a vcpu. */
uint64_t diff_fp_value(Rng *r);
void diff_fp_regs(Rng *r, DiffCase *c);
struct X86Cpu;
void diff_fp_load(struct X86Cpu *cpu, const DiffCase *c);
void diff_fp_store(const struct X86Cpu *cpu, DiffRegs *d);
void diff_fp_compare(const DiffCase *c, GString *s);

/* One instruction of random bytes; for the decoder. */
void diff_generate_raw(DiffCase *c, uint64_t seed, unsigned mode);

/* native.c: n cases in memory that a child shares. */
DiffCase *diff_cases(unsigned n);
/* Runs the cases in a child; fills native. */
void diff_native(DiffCase *c, unsigned n);

/* guest.c */
typedef struct DiffGuest DiffGuest;
DiffGuest *diff_guest_new(bool interp);
void diff_guest_free(DiffGuest *g);
void diff_guest_run(DiffGuest *g, DiffCase *c);

/* Compares native and guest; what differs, or NULL.  Caller frees. */
char *diff_compare(const DiffCase *c);
/* The case as text: code disassembled, registers. */
void diff_print(const DiffCase *c, GString *out);
/* Compares; a difference is printed to stderr, and false. */
bool diff_check(const DiffCase *c, const char *engine);
/* A number from the environment. */
uint64_t diff_env(const char *name, uint64_t def);

#endif
