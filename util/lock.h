/* The machine lock: guards device state, the region tree and the main loop's
 * callbacks.  Recursive for its owner. */
#ifndef RHEA_UTIL_LOCK_H
#define RHEA_UTIL_LOCK_H

#include <stdbool.h>

void machine_lock(void);
void machine_unlock(void);
bool machine_locked(void);               /* by this thread */
/* For waits: gives the lock up however often this thread holds it; the count goes to machine_lock_again. */
unsigned machine_unlock_all(void);
void machine_lock_again(unsigned count);

#endif
