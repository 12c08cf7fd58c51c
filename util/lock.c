/* The machine lock: one mutex, and per thread a count of how often it holds it. */
#include "util/lock.h"

#include <glib.h>

static GMutex mutex;
static __thread unsigned depth;

void machine_lock(void)
{
    if (depth++ == 0)
        g_mutex_lock(&mutex);
}

void machine_unlock(void)
{
    g_assert(depth > 0);
    if (--depth == 0)
        g_mutex_unlock(&mutex);
}

bool machine_locked(void)
{
    return depth > 0;
}

unsigned machine_unlock_all(void)
{
    unsigned d = depth;
    if (d) {
        depth = 0;
        g_mutex_unlock(&mutex);
    }
    return d;
}

void machine_lock_again(unsigned d)
{
    if (d) {
        g_mutex_lock(&mutex);
        depth = d;
    }
}
