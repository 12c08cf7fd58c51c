/* A small made-up machine for the tests of the IR: 16 + 5 INT and 6 VEC
 * registers, flat memory behind the software TLB, and helpers of every kind.
 *
 *   0x10000..0x1ffff  read and write
 *   0x20000..0x20fff  read only
 *   everything else   faults
 *
 * A unit runs from a ToyState to a ToyState: all that a guest can see.
 */
#ifndef TESTS_IR_TOY_H
#define TESTS_IR_TOY_H

#include <setjmp.h>

#include "tcg/interp.h"
#include "tcg/tcg.h"

enum {
    TOY_R0, TOY_PC = 16, TOY_F0, TOY_V0 = 21, TOY_NVEC = 6, TOY_NREGS = TOY_V0 + TOY_NVEC,
    TOY_MEM = 0x10000, TOY_MEM_SIZE = 0x10000, TOY_ROM = 0x20000, TOY_ROM_SIZE = 0x1000,
    TOY_FIELD = 0x400, TOY_NFIELDS = 16,
};

typedef enum ToyFault { TOY_NO_FAULT, TOY_LOAD, TOY_STORE, TOY_ALIGN, TOY_ARITH, TOY_HELPER } ToyFault;

typedef struct ToyState {
    uint64_t regs[TOY_V0];               /* INT rows, the pc among them */
    IrVec vecs[TOY_NVEC];
    uint64_t fields[TOY_NFIELDS];        /* env+0x400.. */
    uint32_t fpcr;
    uint32_t fault;                      /* ToyFault */
    uint64_t fault_arg;                  /* address; argument of the helper */
    uint64_t trace;                      /* hash of what helpers were given */
    bool exit_request;
    uint8_t mem[TOY_MEM_SIZE + TOY_ROM_SIZE];
} ToyState;

extern const IrArch toy_arch;
enum { TOYH_mix3, TOYH_pure0, TOYH_sum, TOYH_wr, TOYH_rw, TOYH_vrw, TOYH_check, TOYH_rwcheck, TOYH_note, TOYH_setpc,
       TOYH_fpu, TOYH_stop, TOYH_COUNT };

typedef struct ToyMachine ToyMachine;
/* host: the units are compiled for the host instead of interpreted. */
ToyMachine *toy_new(bool host, GError **err);
void toy_free(ToyMachine *m);
/* Runs u from *s, which becomes the state after it. False: the host back end refused the unit. */
bool toy_run(ToyMachine *m, const IrUnit *u, ToyState *s);

/* u built again through the folding builders; the registers of `known` (a bit each) start as constants from s. */
IrUnit *toy_rebuild(const IrUnit *u, const ToyState *s, uint32_t known);

/* The first difference of two states after leaving u as `a` did, as text; NULL: none.  Registers that are dead at that
 * exit may differ. */
char *toy_diff(const IrUnit *u, const ToyState *a, const ToyState *b);

/* A state with interesting values: registers r0..r3 edge values, r4..r7 addresses, the rest random. */
typedef struct Rng { uint64_t s; } Rng;
uint64_t rng_next(Rng *r);
static inline unsigned rng_below(Rng *r, unsigned n) { return (unsigned)((rng_next(r) >> 32) * n >> 32); }
uint64_t rng_edge(Rng *r);
void toy_random_state(Rng *r, ToyState *s);

#endif
