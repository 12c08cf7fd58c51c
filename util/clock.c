/* Virtual time and timers.
 *
 * A clock is the host's monotonic clock minus an offset; while it is paused
 * its value is frozen.  `frozen` and `offset` are read without a lock: a
 * writer stores `offset` before it clears `frozen` (release; the reader's
 * acquire pairs with it), so every mix a reader can see is a moment that was.
 *
 * Timers are a list sorted by deadline; machines have a few dozen, of which
 * the ones that change often are near the head.  The main loop learns the
 * next deadline from clock_next() and is woken only for an earlier one. */
#include "util/clock.h"

#include <glib.h>
#include <time.h>

enum { RUN_MAX = 4096 };                 /* callbacks in one clock_run: a timer that re-arms in the past starves nobody */

struct Clock {
    bool manual;
    int64_t offset;                      /* atomic */
    int64_t frozen;                      /* atomic; -1: running */
    int64_t told;                        /* deadline that the main loop sleeps to */
    Timer *head;
    void (*notify)(void *opaque);
    void *notify_opaque;
};

static int64_t host_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_wall_ns(void)
{
    return host_ns(CLOCK_REALTIME);
}

Clock *clock_new(void)
{
    Clock *c = g_new0(Clock, 1);
    c->told = INT64_MAX;
    return c;
}

Clock *clock_new_manual(void)
{
    Clock *c = clock_new();
    c->manual = true;
    return c;
}

void clock_free(Clock *c)
{
    g_free(c);
}

int64_t clock_ns(Clock *c)
{
    int64_t frozen = __atomic_load_n(&c->frozen, __ATOMIC_ACQUIRE);
    if (frozen >= 0)
        return frozen;
    return host_ns(CLOCK_MONOTONIC) - __atomic_load_n(&c->offset, __ATOMIC_RELAXED);
}

static void wake_loop(Clock *c)
{
    if (c->notify)
        c->notify(c->notify_opaque);
}

void clock_pause(Clock *c)
{
    if (!c->manual)
        __atomic_store_n(&c->frozen, clock_ns(c), __ATOMIC_RELEASE);
}

void clock_resume(Clock *c)
{
    if (c->manual || c->frozen < 0)
        return;
    __atomic_store_n(&c->offset, host_ns(CLOCK_MONOTONIC) - c->frozen, __ATOMIC_RELAXED);
    __atomic_store_n(&c->frozen, -1, __ATOMIC_RELEASE);
    wake_loop(c);
}

void clock_set_notify(Clock *c, void (*fn)(void *opaque), void *opaque)
{
    c->notify = fn;
    c->notify_opaque = opaque;
}

void timer_init(Timer *t, Clock *c, void (*fn)(void *), void *opaque)
{
    *t = (Timer) { .clock = c, .deadline = -1, .fn = fn, .opaque = opaque };
}

void timer_cancel(Timer *t)
{
    if (!timer_armed(t))
        return;
    Timer **p = &t->clock->head;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    t->next = NULL;
    t->deadline = -1;
}

void timer_set(Timer *t, int64_t deadline_ns)
{
    Clock *c = t->clock;
    timer_cancel(t);
    t->deadline = deadline_ns < 0 ? 0 : deadline_ns;
    Timer **p = &c->head;
    while (*p && (*p)->deadline <= t->deadline)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
    if (t->deadline < c->told) {
        c->told = t->deadline;
        wake_loop(c);
    }
}

int64_t clock_next(Clock *c)
{
    bool stopped = c->manual || c->frozen >= 0;
    c->told = stopped ? INT64_MIN : c->head ? c->head->deadline : INT64_MAX;
    if (stopped || !c->head)
        return -1;
    int64_t left = c->head->deadline - clock_ns(c);
    return left > 0 ? left : 0;
}

static void fire_head(Clock *c)
{
    Timer *t = c->head;
    c->head = t->next;
    t->next = NULL;
    t->deadline = -1;
    t->fn(t->opaque);
}

void clock_run(Clock *c)
{
    int64_t now = clock_ns(c);
    for (int n = 0; n < RUN_MAX && c->head && c->head->deadline <= now && (c->manual || c->frozen < 0); n++)
        fire_head(c);
}

void clock_step(Clock *c, int64_t ns)
{
    g_assert(c->manual);
    int64_t end = c->frozen + ns;
    while (c->head && c->head->deadline <= end) {
        if (c->head->deadline > c->frozen)
            __atomic_store_n(&c->frozen, c->head->deadline, __ATOMIC_RELEASE);
        fire_head(c);
    }
    __atomic_store_n(&c->frozen, end, __ATOMIC_RELEASE);
}
