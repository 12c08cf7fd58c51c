/* One step of delivery: what trap.c asks of intr.c. */
#ifndef RHEA_X86_INTR_H
#define RHEA_X86_INTR_H

#include "cpu/x86/sys.h"

typedef struct X86Event {
    EventKind kind;
    Fault f;                             /* vector, error code */
    uint64_t eip;                        /* to be pushed */
} X86Event;

/* Enters the handler of e, or fills f with the fault met on the way. Mode flags are not updated. */
Xfer x86_enter(X86Cpu *c, const X86Event *e, Fault *f);
/* INT n in virtual-8086 mode with CR4.VME: *taken if the redirection map sends it to the 8086 program itself. */
Xfer x86_v86_redirect(X86Cpu *c, unsigned vector, uint64_t next_eip, bool *taken, Fault *f);

#endif
