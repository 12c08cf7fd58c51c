/* The software TLB as exec.c and xlat.c use it; what helpers use is in cpu.h. */
#ifndef RHEA_CPU_TLB_H
#define RHEA_CPU_TLB_H

#include "cpu/cpu.h"

/* Where a gva's page leads. */
typedef struct TlbHit {
    uint8_t *host;                       /* RAM, ROM: the byte */
    uint64_t gpa, ram;                   /* physical and RAM address of the byte */
    bool io;                             /* no host: go through as_ld/as_st (I/O, nothing, ROM write) */
    bool noisy;                          /* a write must be followed by mem_note_write */
} TlbHit;

/* Translates and fills. False: *f is the exception. */
bool tlb_find(Vcpu *c, uint64_t gva, Access access, unsigned mode, TlbHit *h, Fault *f);

TlbExtra *tlb_extra_new(void);
void tlb_extra_free(TlbExtra *t);
/* TcgRuntime.refill. */
bool tlb_refill(TcgEnv *env, uint64_t addr, unsigned memop, unsigned kind);
/* Fills rt's memory functions (access.c). */
void tlb_runtime(TcgRuntime *rt);
/* Own vcpu: drops write entries that lead to the RAM page. */
void tlb_unwrite(Vcpu *c, uint64_t ram_page);
/* Own vcpu: drops all write entries (dirty logging). */
void tlb_unwrite_all(Vcpu *c);
/* The salt for the current mode and address space, pc's page noted as present in the jump cache. */
void tlb_note_jump(Vcpu *c, uint64_t pc);

#endif
