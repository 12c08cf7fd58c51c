/* The main loop: GLib's default context, with the machine lock held around
 * everything it dispatches and released while it sleeps, and with the timers
 * of clocks run to the nanosecond (GLib's own timeouts know milliseconds). */
#ifndef RHEA_UTIL_LOOP_H
#define RHEA_UTIL_LOOP_H

#include "util/clock.h"

/* Once, by the main thread, which then takes the machine lock and iterates the default context. */
void loop_init(void);
/* Runs the timers of c from now on / no more. Machine lock held. */
void loop_add_clock(Clock *c);
void loop_del_clock(Clock *c);
/* Any thread: fn(opaque) runs in the main loop soon, in order of posting. */
void loop_post(void (*fn)(void *opaque), void *opaque);
/* One round of the default context. May be called from callbacks (waits for block requests). */
void loop_iterate(bool may_block);

#endif
