/* Messages for people (report_*), guest misbehaviour (log_guest), and the
 * trace items of -d.  All functions: any thread. */
#ifndef RHEA_UTIL_LOG_H
#define RHEA_UTIL_LOG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* items of -d, in the order of `-d help` */
enum {
    LOG_IN = 1 << 0,                     /* in, in_asm: guest instructions of each new unit */
    LOG_IR = 1 << 1,                     /* ir, op: IR as built */
    LOG_OPT = 1 << 2,                    /* opt, op_opt: IR after the passes */
    LOG_HOST = 1 << 3,                   /* host, out_asm: generated code */
    LOG_EXEC = 1 << 4,                   /* exec: each unit entered from the loop */
    LOG_CPU = 1 << 5,                    /* cpu: registers with exec */
    LOG_INT = 1 << 6,                    /* int: interrupts and exceptions */
    LOG_RESET = 1 << 7,                  /* cpu_reset */
    LOG_UNIMP = 1 << 8,                  /* unimp */
    LOG_GUEST = 1 << 9,                  /* guest_errors */
    LOG_MMU = 1 << 10,                   /* mmu, page */
    LOG_STATS = 1 << 11,                 /* stats: engine counters at exit */
    LOG_TRACE = 1 << 12,                 /* trace: device accesses */
};
extern uint32_t log_mask;                /* read freely */
static inline bool log_on(uint32_t items) { return __builtin_expect((log_mask & items) != 0, 0); }

/* Writes to the log file (stderr unless -D). Callers test log_on() first. */
void log_printf(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* The guest did something a real machine leaves undefined or forbids; at most some lines a second are kept. */
void log_guest(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void log_unimp(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* "help" lists the items into *help and returns true with *mask = 0. */
bool log_parse(const char *items, uint32_t *mask, GString *help, GError **err);
bool log_open(const char *path, GError **err);

/* For people, on stderr: "rhea: text\n". report_error does not exit. */
void report_error(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void report_warn(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void report_info(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* Asked-for output (help, lists, names that scripts read): "text\n" on stdout. */
void print_line(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

/* One error domain serves all: code 2 usage (bad option or value), 1 run time. */
#define RHEA_ERROR rhea_error_quark()
GQuark rhea_error_quark(void);
enum { ERR_RUN = 1, ERR_USAGE = 2 };
/* ", did you mean 'x', 'y'?" from the closest of names (NULL-terminated), or "" ; caller frees. */
char *closest_names(const char *given, const char *const *names);

#endif
