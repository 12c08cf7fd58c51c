/* The poll function of the default GMainContext is replaced by one that gives
 * the machine lock up while it sleeps and wakes at the next timer of each
 * clock (ppoll: nanoseconds).  A GSource per clock then runs what is due. */
#define _GNU_SOURCE
#include "util/loop.h"

#include <glib.h>
#include <poll.h>
#include <sys/prctl.h>

#include "util/lock.h"
#include "util/tsan.h"

typedef struct ClockSource {
    GSource source;                      /* first */
    Clock *clock;
} ClockSource;

static GSList *sources;                  /* ClockSource *; under the machine lock */

G_STATIC_ASSERT(sizeof(GPollFD) == sizeof(struct pollfd));
G_STATIC_ASSERT(offsetof(GPollFD, revents) == offsetof(struct pollfd, revents));

/* The earlier of two waits in ns; -1 is for ever. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

static int poll_unlocked(GPollFD *fds, guint n, int timeout_ms)
{
    int64_t ns = timeout_ms < 0 ? -1 : timeout_ms * 1000000LL;
    for (GSList *l = sources; l; l = l->next)
        ns = earlier(ns, clock_next(((ClockSource *)l->data)->clock));
    struct timespec ts = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
    unsigned held = machine_unlock_all();
    int r = ppoll((struct pollfd *)fds, n, ns < 0 ? NULL : &ts, NULL);
    machine_lock_again(held);
    return r;
}

static gboolean clock_prepare(GSource *s, int *timeout)
{
    *timeout = -1;
    return clock_next(((ClockSource *)s)->clock) == 0;
}

static gboolean clock_check(GSource *s)
{
    return clock_next(((ClockSource *)s)->clock) == 0;
}

static gboolean clock_dispatch(GSource *s, GSourceFunc fn G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
    clock_run(((ClockSource *)s)->clock);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs clock_funcs = { .prepare = clock_prepare, .check = clock_check, .dispatch = clock_dispatch };

static void wake(void *opaque G_GNUC_UNUSED)
{
    g_main_context_wakeup(NULL);
}

void loop_init(void)
{
    prctl(PR_SET_TIMERSLACK, 1);
    g_main_context_set_poll_func(NULL, poll_unlocked);
}

void loop_add_clock(Clock *c)
{
    ClockSource *s = (ClockSource *)g_source_new(&clock_funcs, sizeof(ClockSource));
    s->clock = c;
    g_source_set_priority(&s->source, G_PRIORITY_HIGH);
    g_source_set_can_recurse(&s->source, TRUE);
    g_source_attach(&s->source, NULL);
    sources = g_slist_prepend(sources, s);
    clock_set_notify(c, wake, NULL);
}

void loop_del_clock(Clock *c)
{
    for (GSList *l = sources; l; l = l->next) {
        ClockSource *s = l->data;
        if (s->clock != c)
            continue;
        clock_set_notify(c, NULL, NULL);
        sources = g_slist_delete_link(sources, l);
        g_source_destroy(&s->source);
        g_source_unref(&s->source);
        return;
    }
}

typedef struct Post {
    void (*fn)(void *opaque);
    void *opaque;
} Post;

static gboolean run_post(gpointer data)
{
    Post *p = data;
    TSAN_HANDED_OVER(p);
    p->fn(p->opaque);
    return G_SOURCE_REMOVE;
}

void loop_post(void (*fn)(void *opaque), void *opaque)
{
    Post *p = g_new(Post, 1);
    *p = (Post) { fn, opaque };
    g_idle_add_full(G_PRIORITY_DEFAULT, run_post, p, g_free);
}

void loop_iterate(bool may_block)
{
    g_main_context_iteration(NULL, may_block);
}
