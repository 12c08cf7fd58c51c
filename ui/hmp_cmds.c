/* Commands of the monitor that change something. */
#include <inttypes.h>
#include <string.h>

#include "ui/monitor.h"
#include "util/log.h"
#include "util/opts.h"

enum { KEYS_MAX = 16, HOLD_MS = 100 };

static bool need_args(Mon *mon, int argc, char **argv, int n)
{
    if (argc > n)
        return true;
    mon_print(mon, "%s: %s (help %s)\n", argv[0], n == 1 ? "an argument is missing" : "arguments are missing", argv[0]);
    return false;
}

static bool number(Mon *mon, const char *text, int64_t *out)
{
    uint64_t v;
    bool ok = mon_expr(mon, text, &v);
    *out = (int64_t)v;
    return ok;
}

#define UNUSED_ARGS int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED

/* ---- run control ---- */

void hmp_stop(Mon *mon, UNUSED_ARGS)
{
    run_stop(mon->run);
}

void hmp_cont(Mon *mon, UNUSED_ARGS)
{
    GError *err = NULL;
    if (!run_cont(mon->run, &err))
        mon_error(mon, err);
}

void hmp_system_reset(Mon *mon, UNUSED_ARGS)
{
    run_reset(mon->run);
}

void hmp_system_powerdown(Mon *mon, UNUSED_ARGS)
{
    run_powerdown(mon->run);
}

void hmp_quit(Mon *mon, UNUSED_ARGS)
{
    run_quit(mon->run, "host-qmp-quit");
}

void hmp_nmi(Mon *mon, UNUSED_ARGS)
{
    if (mon_cpu(mon))
        cpu_interrupt(mon_cpu(mon), CPU_IRQ_NMI);
}

void hmp_cpu(Mon *mon, int argc, char **argv)
{
    int64_t n;
    if (!need_args(mon, argc, argv, 1) || !number(mon, argv[1], &n))
        return;
    if (!mon->m->cpus || n < 0 || n >= mon->m->cpus->n)
        mon_print(mon, "Error: there is no CPU %" PRId64 "\n", n);
    else
        mon->cpu = (unsigned)n;
}

void hmp_boot_set(Mon *mon, int argc, char **argv)
{
    if (!need_args(mon, argc, argv, 1))
        return;
    if (mon->m->set_boot)
        mon->m->set_boot(mon->m, argv[1]);
    else
        mon_print(mon, "Error: this machine has no boot order\n");
}

/* ---- logs ---- */

void hmp_log(Mon *mon, int argc, char **argv)
{
    g_autoptr(GString) help = g_string_new(NULL);
    GError *err = NULL;
    uint32_t mask = 0;
    if (!need_args(mon, argc, argv, 1))
        return;
    if (strcmp(argv[1], "none") && !log_parse(argv[1], &mask, help, &err))
        mon_error(mon, err);
    else if (help->len)
        mon_print(mon, "%s", help->str);
    else
        log_mask = mask;
}

void hmp_logfile(Mon *mon, int argc, char **argv)
{
    GError *err = NULL;
    if (need_args(mon, argc, argv, 1) && !log_open(argv[1], &err))
        mon_error(mon, err);
}

/* ---- screen, keyboard, mouse ---- */

void hmp_screendump(Mon *mon, int argc, char **argv)
{
    const char *path = NULL, *format = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-f") && i + 1 < argc)
            format = argv[++i];
        else
            path = argv[i];
    }
    GError *err = NULL;
    GPtrArray *all = mon->m->consoles.all;
    if (!path)
        mon_print(mon, "screendump: a file name is missing\n");
    else if (!all || !all->len)
        mon_print(mon, "Error: this machine has no screen\n");
    else if (!con_screendump(all->pdata[0], path, format, &err))
        mon_error(mon, err);
}

void hmp_screentext(Mon *mon, UNUSED_ARGS)
{
    GPtrArray *all = mon->m->consoles.all;
    if (!all || !all->len)
        mon_print(mon, "Error: this machine has no screen\n");
    else if (!con_text(all->pdata[0], mon->out))
        mon_print(mon, "Error: the screen shows graphics; use screendump\n");
}

typedef struct Held { Machine *m; int n; unsigned keys[KEYS_MAX]; } Held;

static gboolean release(gpointer data)
{
    Held *h = data;
    while (h->n)
        input_key(h->m->input, h->keys[--h->n], false);
    return G_SOURCE_REMOVE;
}

void mon_send_keys(Machine *m, const unsigned *keys, int n, unsigned hold_ms)
{
    Held *h = g_new0(Held, 1);
    h->m = m;
    h->n = MIN(n, KEYS_MAX);
    for (int i = 0; i < h->n; i++) {
        h->keys[i] = keys[i];
        input_key(m->input, keys[i], true);
    }
    g_timeout_add_full(G_PRIORITY_DEFAULT, hold_ms ? hold_ms : HOLD_MS, release, h, g_free);
}

void hmp_sendkey(Mon *mon, int argc, char **argv)
{
    unsigned keys[KEYS_MAX];
    int64_t hold = HOLD_MS;
    GError *err = NULL;
    if (!need_args(mon, argc, argv, 1) || (argc > 2 && !number(mon, argv[2], &hold)))
        return;
    int n = input_parse_keys(argv[1], keys, KEYS_MAX, &err);
    if (n < 0)
        mon_error(mon, err);
    else
        mon_send_keys(mon->m, keys, n, (unsigned)CLAMP(hold, 1, 60000));
}

void hmp_mouse_move(Mon *mon, int argc, char **argv)
{
    int64_t d[3] = { 0 };
    if (!need_args(mon, argc, argv, 2))
        return;
    for (int i = 0; i < 3 && i + 1 < argc; i++)
        if (!number(mon, argv[i + 1], &d[i]))
            return;
    input_move(mon->m->input, (int)d[0], (int)d[1], (int)d[2]);
}

/* The monitor counts 2 as right; PointerOps bit 1 is right, too. */
void hmp_mouse_button(Mon *mon, int argc, char **argv)
{
    int64_t mask;
    if (need_args(mon, argc, argv, 1) && number(mon, argv[1], &mask))
        input_buttons(mon->m->input, (unsigned)mask & 7);
}
