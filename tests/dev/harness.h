/* One device without a CPU: a machine with empty spaces, a clock that tests
 * step, and lines that remember what happened to them. */
#ifndef RHEA_TESTS_DEV_HARNESS_H
#define RHEA_TESTS_DEV_HARNESS_H

#include <check.h>

#include "hw/core/machine.h"

typedef struct TestLine { int level, rises, last_n; } TestLine;

Machine *t_machine(void);                /* cfg NULL, clock at 0, spaces empty */
void t_machine_free(Machine *m);         /* and its devices */
MemRegion *t_ram(Machine *m, uint64_t size);             /* at 0; the tree owns it */
void t_step(Machine *m, int64_t ns);

void t_line(void *line, int n, int level);
static inline IrqLine t_irq(TestLine *l, int n) { return (IrqLine){ t_line, l, n }; }

Device *t_realize(Device *d);            /* must work; then resets it */
/* save -> load -> save is identical, and so is a load into a fresh state */
void t_check_snapshot(Device *d);

static inline unsigned inb(Machine *m, unsigned port) { return (unsigned)as_ld(m->io, port, 1); }
static inline unsigned inw(Machine *m, unsigned port) { return (unsigned)as_ld(m->io, port, 2); }
static inline unsigned inl(Machine *m, unsigned port) { return (unsigned)as_ld(m->io, port, 4); }
static inline void outb(Machine *m, unsigned port, unsigned v) { as_st(m->io, port, v, 1); }
static inline void outw(Machine *m, unsigned port, unsigned v) { as_st(m->io, port, v, 2); }
static inline void outl(Machine *m, unsigned port, unsigned v) { as_st(m->io, port, v, 4); }

int t_main(const char *name, const TTest *const *tests);         /* NULL-terminated; the exit status */

#endif
