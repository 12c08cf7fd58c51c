/* Messages.  Lines for people go to stderr with the program's name; trace and
 * guest lines go to the log file (stderr unless -D).  One mutex keeps lines
 * whole.  A guest that misbehaves in a loop gets LINES_PER_S lines a second,
 * and one line that says how many were left out. */
#include "util/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINES_PER_S = 100 };

uint32_t log_mask;
static FILE *log_file;                   /* NULL: stderr */
static GMutex log_lock;
static int64_t rate_start;               /* monotonic µs of the current second */
static unsigned rate_lines, rate_dropped;

static const struct { const char *name; uint32_t bit; const char *doc; } items[] = {
    { "in_asm", LOG_IN, "guest instructions of each new block (also: in)" },
    { "in", LOG_IN, NULL },
    { "op", LOG_IR, "intermediate code as built (also: ir)" },
    { "ir", LOG_IR, NULL },
    { "op_opt", LOG_OPT, "intermediate code after the passes (also: opt)" },
    { "opt", LOG_OPT, NULL },
    { "out_asm", LOG_HOST, "generated host code (also: host)" },
    { "host", LOG_HOST, NULL },
    { "exec", LOG_EXEC, "each block entered from the execution loop" },
    { "cpu", LOG_CPU, "registers with exec" },
    { "int", LOG_INT, "interrupts and exceptions" },
    { "cpu_reset", LOG_RESET, "registers before a CPU reset" },
    { "unimp", LOG_UNIMP, "guest uses what is not modelled" },
    { "guest_errors", LOG_GUEST, "guest does what real hardware forbids" },
    { "mmu", LOG_MMU, "page walks and TLB maintenance (also: page)" },
    { "page", LOG_MMU, NULL },
    { "stats", LOG_STATS, "counters of the engine at exit" },
    { "trace", LOG_TRACE, "accesses to devices" },
    { "nochain", 0, NULL },              /* accepted, without effect */
};

GQuark rhea_error_quark(void)
{
    return g_quark_from_static_string("rhea");
}

static void write_line(FILE *f, const char *prefix, const char *fmt, va_list ap)
{
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    g_mutex_lock(&log_lock);
    fputs(prefix, f);
    fputs(text, f);
    if (*prefix && !g_str_has_suffix(text, "\n"))
        fputc('\n', f);
    fflush(f);
    g_mutex_unlock(&log_lock);
}

static FILE *log_out(void)
{
    return log_file ? log_file : stderr;
}

void log_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_line(log_out(), "", fmt, ap);
    va_end(ap);
}

/* May one more line go out now?  *dropped: how many were swallowed before it. */
static bool rate_take(unsigned *dropped)
{
    g_mutex_lock(&log_lock);
    int64_t now = g_get_monotonic_time();
    *dropped = 0;
    if (now - rate_start >= G_USEC_PER_SEC) {
        *dropped = rate_dropped;
        rate_start = now;
        rate_lines = rate_dropped = 0;
    }
    bool ok = rate_lines < LINES_PER_S;
    if (ok)
        rate_lines++;
    else
        rate_dropped++;
    g_mutex_unlock(&log_lock);
    return ok;
}

static void limited(const char *prefix, const char *fmt, va_list ap)
{
    unsigned dropped;
    if (!rate_take(&dropped))
        return;
    if (dropped)
        log_printf("guest: %u more lines like these left out\n", dropped);
    write_line(log_out(), prefix, fmt, ap);
}

void log_guest(const char *fmt, ...)
{
    if (!log_on(LOG_GUEST))
        return;
    va_list ap;
    va_start(ap, fmt);
    limited("guest: ", fmt, ap);
    va_end(ap);
}

void log_unimp(const char *fmt, ...)
{
    if (!log_on(LOG_UNIMP))
        return;
    va_list ap;
    va_start(ap, fmt);
    limited("unimp: ", fmt, ap);
    va_end(ap);
}

static bool item_bit(const char *name, uint32_t *bit)
{
    for (size_t i = 0; i < G_N_ELEMENTS(items); i++) {
        if (!strcmp(items[i].name, name)) {
            *bit = items[i].bit;
            return true;
        }
    }
    return false;
}

static char *item_near(const char *name)
{
    const char *names[G_N_ELEMENTS(items) + 1] = { 0 };
    for (size_t i = 0; i < G_N_ELEMENTS(items); i++)
        names[i] = items[i].name;
    return closest_names(name, names);
}

bool log_parse(const char *text, uint32_t *mask, GString *help, GError **err)
{
    g_auto(GStrv) names = g_strsplit(text, ",", -1);
    *mask = 0;
    for (char **n = names; *n; n++) {
        uint32_t bit;
        if (!strcmp(*n, "help") || !strcmp(*n, "?")) {
            g_string_append(help, "Items of -d (comma-separated):\n");
            for (size_t i = 0; i < G_N_ELEMENTS(items); i++)
                if (items[i].doc)
                    g_string_append_printf(help, "%-14s %s\n", items[i].name, items[i].doc);
            *mask = 0;
            return true;
        }
        if (!item_bit(*n, &bit)) {
            g_autofree char *near = item_near(*n);
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "-d %s: no item '%s'%s ('-d help' lists them)", text, *n, near);
            return false;
        }
        *mask |= bit;
    }
    return true;
}

bool log_open(const char *path, GError **err)
{
    FILE *f = NULL;
    if (path && !(f = fopen(path, "w"))) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "log file %s: %s", path, g_strerror(errno));
        return false;
    }
    g_mutex_lock(&log_lock);
    FILE *old = log_file;
    log_file = f;
    g_mutex_unlock(&log_lock);
    if (old)
        fclose(old);
    return true;
}

#define REPORT(name, prefix) \
    void name(const char *fmt, ...) \
    { \
        va_list ap; \
        va_start(ap, fmt); \
        write_line(stderr, prefix, fmt, ap); \
        va_end(ap); \
    }
REPORT(report_error, "rhea: ")
REPORT(report_warn, "rhea: warning: ")
REPORT(report_info, "rhea: ")

void print_line(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_mutex_lock(&log_lock);
    fputs(text, stdout);
    if (!g_str_has_suffix(text, "\n"))
        fputc('\n', stdout);
    fflush(stdout);
    g_mutex_unlock(&log_lock);
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, case ignored. */
static unsigned distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t la = strlen(a), lb = strlen(b);
    if (la >= MAX || lb >= MAX)
        return MAX;
    unsigned d[3][MAX + 1];
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            char ca = g_ascii_tolower(a[i - 1]), cb = g_ascii_tolower(b[j - 1]);
            row[j] = MIN(MIN(row[j - 1], up[j]) + 1, up[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == g_ascii_tolower(b[j - 2]) && cb == g_ascii_tolower(a[i - 2]))
                row[j] = MIN(row[j], up2[j - 2] + 1);
        }
    }
    return d[la % 3][lb];
}

/* Closeness of a candidate: the edits; a name that begins or contains what was given counts as near. */
static unsigned score(const char *given, const char *name)
{
    unsigned d = distance(given, name);
    size_t len = strlen(given);
    if (len >= 2 && !g_ascii_strncasecmp(given, name, len))
        return MIN(d, 1);
    if (len >= 3 && strstr(name, given))
        return MIN(d, 2);
    return d;
}

char *closest_names(const char *given, const char *const *names)
{
    enum { SHOWN = 3 };
    unsigned limit = (unsigned)MAX(1, MIN(3, (strlen(given) + 1) / 3));
    GString *s = g_string_new(NULL);
    int shown = 0;
    for (unsigned want = 0; want <= limit && shown < SHOWN; want++) {
        for (const char *const *n = names; *n && shown < SHOWN; n++) {
            if (score(given, *n) != want)
                continue;
            g_string_append_printf(s, "%s'%s'", shown++ ? ", " : ", did you mean ", *n);
        }
    }
    if (shown)
        g_string_append_c(s, '?');
    return g_string_free(s, FALSE);
}
