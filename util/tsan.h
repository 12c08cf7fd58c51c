/* Shows the thread sanitizer what GLib's locks do: GLib makes them of futexes in a library that is not instrumented.
 * TSAN=1 includes this file before all others; without that sanitizer it is empty. */
#ifndef RHEA_UTIL_TSAN_H
#define RHEA_UTIL_TSAN_H

#ifdef __SANITIZE_THREAD__
#define _GNU_SOURCE

#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* For waits, around the call: outside, pre and post come in pairs at once. */
static inline void tsan_locked(GMutex *m)
{
    __tsan_mutex_pre_lock(m, 0);
    __tsan_mutex_post_lock(m, 0, 0);
}

static inline void tsan_unlocked(GMutex *m)
{
    __tsan_mutex_pre_unlock(m, 0);
    __tsan_mutex_post_unlock(m, 0);
}

static inline void tsan_mutex_lock(GMutex *m)
{
    __tsan_mutex_pre_lock(m, 0);
    g_mutex_lock(m);
    __tsan_mutex_post_lock(m, 0, 0);
}

static inline void tsan_mutex_unlock(GMutex *m)
{
    __tsan_mutex_pre_unlock(m, 0);
    g_mutex_unlock(m);
    __tsan_mutex_post_unlock(m, 0);
}

static inline void tsan_mutex_clear(GMutex *m)
{
    __tsan_mutex_destroy(m, 0);
    g_mutex_clear(m);
}

static inline void tsan_cond_wait(GCond *c, GMutex *m)
{
    tsan_unlocked(m);
    g_cond_wait(c, m);
    tsan_locked(m);
}

static inline gboolean tsan_cond_wait_until(GCond *c, GMutex *m, gint64 end)
{
    tsan_unlocked(m);
    gboolean in_time = g_cond_wait_until(c, m, end);
    tsan_locked(m);
    return in_time;
}

/* What is handed to the main loop or a pool was written before; who gets it says TSAN_HANDED_OVER. */
static inline guint tsan_idle_add_full(gint priority, GSourceFunc fn, gpointer data, GDestroyNotify notify)
{
    __tsan_release(data);
    return g_idle_add_full(priority, fn, data, notify);
}

static inline gboolean tsan_thread_pool_push(GThreadPool *pool, gpointer data, GError **err)
{
    __tsan_release(data);
    return g_thread_pool_push(pool, data, err);
}

#define TSAN_HANDED_OVER(data) __tsan_acquire(data)
#define g_mutex_lock tsan_mutex_lock
#define g_mutex_unlock tsan_mutex_unlock
#define g_mutex_clear tsan_mutex_clear
#define g_cond_wait tsan_cond_wait
#define g_cond_wait_until tsan_cond_wait_until
#define g_idle_add_full tsan_idle_add_full
#define g_thread_pool_push tsan_thread_pool_push
#else
#define TSAN_HANDED_OVER(data) ((void)(data))
#endif

#endif
