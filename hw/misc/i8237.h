/* The PC's DMA controllers as a device on the ISA bus sees them: a device
 * raises DREQ by calling isa_dma_transfer() when it has bytes or wants some.
 * Under the machine lock. */
#ifndef RHEA_HW_I8237_H
#define RHEA_HW_I8237_H

#include "hw/core/device.h"

typedef struct IsaDma IsaDma;            /* Machine.isa_dma */

/* Moves up to len bytes between buf and memory at the channel's current address and count.
 * to_memory: the device gives bytes (the channel must be in write mode; verify mode counts without storing); else it takes
 * them (read mode).  Returns the bytes moved: fewer than len when the terminal count is reached (*tc set; the channel then
 * masks itself, or starts anew with autoinit), 0 while the channel is masked, the controller disabled or the direction wrong.
 * 16-bit channels (5..7) move an even number. */
size_t isa_dma_transfer(IsaDma *d, unsigned channel, bool to_memory, void *buf, size_t len, bool *tc);
/* ready(opaque) runs when the channel may have become able to move bytes (unmasked, enabled, programmed). */
void isa_dma_connect(IsaDma *d, unsigned channel, void (*ready)(void *opaque), void *opaque);

#endif
