/* The machine lock: guards device state, the region tree and the main loop's
 * callbacks.  Recursive for its owner. */
#ifndef RHEA_UTIL_LOCK_H
#define RHEA_UTIL_LOCK_H

#include <stdbool.h>

void machine_lock(void);
void machine_unlock(void);
bool machine_locked(void);               /* by this thread */

#endif
