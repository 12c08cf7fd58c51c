/* The execution loop, and what the TLB's slow paths need of it. */
#ifndef RHEA_CPU_EXEC_H
#define RHEA_CPU_EXEC_H

#include "cpu/cpu.h"

/* Before a store to RAM that may hold code: if it would change the unit that is running, goes back to the start of the
 * current instruction to execute it alone (does not return then). */
void exec_before_write(Vcpu *c, uint64_t ram, unsigned len);
void exec_before_write_gva(Vcpu *c, uint64_t gva, unsigned len, unsigned mode);

/* Thread body of a vcpu. */
void *exec_thread(void *vcpu);
void exec_runtime(TcgRuntime *rt);

/* Safe points.  A vcpu inside the guest may hold pointers into TLBs, blocks and generated code; exclusive_begin (own
 * vcpu outside) waits until all others are outside and keeps them there. */
void exec_enter(Vcpu *c);
void exec_leave(Vcpu *c);
void exec_exclusive_begin(Vcpu *c);
void exec_exclusive_end(Vcpu *c);

/* xlat.c: translates the unit at k (its first byte at RAM address ram).  The vcpu is outside the guest.  The result is to
 * be looked up again (blk_find) after exec_enter.  second: RAM page of the next guest page if a block for k exists that
 * spans into another, else UINT64_MAX.  False: *f is to be raised. */
bool xlat_block(Vcpu *c, CodeKey k, uint64_t ram, uint64_t second, Fault *f);
/* One instruction, not cached, for execution by interp_run.  ram: UINT64_MAX if the code is not in RAM.  The unit belongs
 * to the vcpu until the next call. */
IrUnit *xlat_single(Vcpu *c, CodeKey k, uint64_t ram, Fault *f);

#endif
