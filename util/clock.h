/* Time as the machine sees it.  Device code never asks the host: it reads a
 * Clock and arms Timers, so tests can step time by hand.
 *
 * Threads: clock_ns from any; timers under the machine lock; callbacks run in
 * the main loop with the machine lock held. */
#ifndef RHEA_UTIL_CLOCK_H
#define RHEA_UTIL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Clock Clock;
typedef struct Timer {
    Clock *clock;
    int64_t deadline;                    /* ns of the clock; -1: off */
    void (*fn)(void *opaque);
    void *opaque;
    struct Timer *next;                  /* sorted list of the clock */
} Timer;

#define NS_PER_S 1000000000LL

/* The machine's virtual clock: ns since start, stops while the machine is stopped.  New: stopped at 0. */
Clock *clock_new(void);
/* A clock that only clock_step moves (tests). */
Clock *clock_new_manual(void);
void clock_free(Clock *c);
int64_t clock_ns(Clock *c);              /* any thread */
void clock_pause(Clock *c);
void clock_resume(Clock *c);
/* Manual clocks: moves on by ns, firing timers at their exact times. */
void clock_step(Clock *c, int64_t ns);
/* Seconds since 1970 of the host's wall clock (RTC base; -rtc), ns resolution. */
int64_t clock_wall_ns(void);

void timer_init(Timer *t, Clock *c, void (*fn)(void *), void *opaque);
void timer_set(Timer *t, int64_t deadline_ns);          /* absolute; re-arms */
void timer_cancel(Timer *t);
static inline bool timer_armed(const Timer *t) { return t->deadline >= 0; }

/* Main loop's side: ns until the next timer (-1: none), and running what is due. */
int64_t clock_next(Clock *c);
void clock_run(Clock *c);
/* Called (any thread, machine lock held) when an earlier deadline was armed: the main loop must look again. */
void clock_set_notify(Clock *c, void (*fn)(void *opaque), void *opaque);

/* (a * b) / c without overflow */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
