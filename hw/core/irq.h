/* One wire: who is told, and which input it is.  Level-triggered inputs see
 * every change; a driver sets 1 or 0.  Under the machine lock. */
#ifndef RHEA_HW_IRQ_H
#define RHEA_HW_IRQ_H

#include <stddef.h>

typedef struct IrqLine {
    void (*fn)(void *opaque, int n, int level);          /* NULL: not connected */
    void *opaque;
    int n;
} IrqLine;

static inline void irq_set(const IrqLine *l, int level)
{
    if (l->fn)
        l->fn(l->opaque, l->n, level);
}
static inline void irq_pulse(const IrqLine *l)
{
    irq_set(l, 1);
    irq_set(l, 0);
}

#endif
