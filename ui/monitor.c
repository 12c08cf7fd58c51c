/* Monitors on chardevs, finding commands, and what commands share. */
#include "ui/monitor.h"

#include <string.h>

#include "config.h"
#include "ui/chr.h"
#include "ui/readline.h"
#include "util/log.h"

#define PROMPT "(rhea) "

typedef struct Monitor {
    Chardev *chr;
    Readline *rl;
    Mon mon;
    bool greeted;
} Monitor;

static GSList *monitors;

static const MonCommand commands[] = {
#define HMP(name, alias, args, fn, doc) { name, alias, args, doc, hmp_##fn },
#include "ui/hmp.def"
#undef HMP
};

static const MonCommand infos[] = {
#define INFO(name, args, fn, doc) { name, NULL, args, doc, hmp_info_##fn },
#include "ui/hmp.def"
#undef INFO
};

/* ---- shared by commands ---- */

void mon_print(Mon *mon, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_string_append_vprintf(mon->out, fmt, ap);
    va_end(ap);
}

void mon_error(Mon *mon, GError *err)
{
    mon_print(mon, "Error: %s\n", err->message);
    g_error_free(err);
}

Vcpu *mon_cpu(Mon *mon)
{
    CpuGroup *g = mon->m->cpus;
    return g && g->n ? g->cpu[MIN(mon->cpu, g->n - 1)] : NULL;
}

void mon_with_cpus_still(Mon *mon, void (*fn)(Mon *, void *), void *arg)
{
    bool ran = run_is_running(mon->m) && mon->m->cpus;
    if (ran)
        cpus_pause(mon->m->cpus);
    fn(mon, arg);
    if (ran)
        cpus_resume(mon->m->cpus);
}

/* ---- finding and running ---- */

static const MonCommand *find(const MonCommand *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(table[i].name, name) || !g_strcmp0(table[i].alias, name))
            return &table[i];
    return NULL;
}

static void unknown(Mon *mon, const char *kind, const MonCommand *table, size_t n, const char *name)
{
    g_autofree const char **names = g_new0(const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = table[i].name;
    g_autofree char *near = closest_names(name, names);
    mon_print(mon, "unknown command: '%s%s'%s\n", kind, name, near);
}

static void list(Mon *mon, const char *prefix, const MonCommand *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const MonCommand *c = &table[i];
        g_autofree char *left = g_strdup_printf("%s%s%s%s %s", prefix, c->name, c->alias ? "|" : "", c->alias ? c->alias : "", c->args);
        mon_print(mon, "%-32s %s\n", left, c->doc);
    }
}

void hmp_help(Mon *mon, int argc, char **argv)
{
    if (argc < 2) {
        list(mon, "", commands, G_N_ELEMENTS(commands));
        return;
    }
    if (!strcmp(argv[1], "info")) {
        list(mon, "info ", infos, G_N_ELEMENTS(infos));
        return;
    }
    const MonCommand *c = find(commands, G_N_ELEMENTS(commands), argv[1]);
    if (c)
        list(mon, "", c, 1);
    else
        unknown(mon, "", commands, G_N_ELEMENTS(commands), argv[1]);
}

void hmp_info(Mon *mon, int argc, char **argv)
{
    const MonCommand *c = argc > 1 ? find(infos, G_N_ELEMENTS(infos), argv[1]) : NULL;
    if (c)
        c->fn(mon, argc - 1, argv + 1);
    else if (argc > 1)
        unknown(mon, "info ", infos, G_N_ELEMENTS(infos), argv[1]);
    else
        list(mon, "info ", infos, G_N_ELEMENTS(infos));
}

/* "x/4i $rip" is "x /4i $rip". */
static char *split_format(const char *line)
{
    size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    return line[name] == '/' && name ? g_strdup_printf("%.*s %s", (int)name, line, line + name) : g_strdup(line);
}

static void run_line(Mon *mon, const char *text)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text)), *line = split_format(stripped);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) err = NULL;
    int argc;
    if (!*line)
        return;
    if (!g_shell_parse_argv(line, &argc, &argv, &err)) {
        mon_print(mon, "Error: %s\n", err->message);
        return;
    }
    const MonCommand *c = find(commands, G_N_ELEMENTS(commands), argv[0]);
    if (c)
        c->fn(mon, argc, argv);
    else
        unknown(mon, "", commands, G_N_ELEMENTS(commands), argv[0]);
}

char *monitor_command(Run *run, const Options *o, const char *line, int cpu)
{
    Mon mon = { .run = run, .m = run_machine(run), .options = o, .cpu = cpu < 0 ? 0 : (unsigned)cpu, .out = g_string_new(NULL) };
    run_line(&mon, line);
    return g_string_free(mon.out, FALSE);
}

/* ---- on a chardev ---- */

static void write_crlf(void *opaque, const char *text, size_t len)
{
    Monitor *mo = opaque;
    g_autoptr(GString) s = g_string_sized_new(len + 64);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            g_string_append_c(s, '\r');
        g_string_append_c(s, text[i]);
    }
    chr_write(mo->chr, (const uint8_t *)s->str, s->len);
}

static void line_done(void *opaque, const char *line)
{
    Monitor *mo = opaque;
    mo->mon.out = g_string_new(NULL);
    run_line(&mo->mon, line);
    write_crlf(mo, mo->mon.out->str, mo->mon.out->len);
    g_string_free(mo->mon.out, TRUE);
    rl_show_prompt(mo->rl);
}

static const char *const *command_names(void *opaque G_GNUC_UNUSED)
{
    static const char *const names[] = {
#define HMP(name, alias, args, fn, doc) name,
#include "ui/hmp.def"
#undef HMP
        NULL
    };
    return names;
}

static const ReadlineOps rl_ops = { .write = write_crlf, .line = line_done, .complete = command_names };

static size_t can_read(void *opaque G_GNUC_UNUSED)
{
    return 4096;
}

static void read_bytes(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mo = opaque;
    for (size_t i = 0; i < len; i++)
        rl_byte(mo->rl, buf[i]);
}

static void event(void *opaque, ChrEvent ev)
{
    Monitor *mo = opaque;
    if (ev == CHR_CLOSED)
        mo->greeted = false;
    if (ev != CHR_OPENED)
        return;
    static const char hello[] = "rhea " CONFIG_VERSION " monitor - type 'help' for more information\n";
    if (!mo->greeted)
        write_crlf(mo, hello, strlen(hello));
    else
        write_crlf(mo, "\n", 1);
    mo->greeted = true;
    rl_show_prompt(mo->rl);
}

static const ChrFront front = { .can_read = can_read, .read = read_bytes, .event = event };

void monitor_new(Chardev *c, Run *run, const Options *o)
{
    Monitor *mo = g_new0(Monitor, 1);
    mo->chr = c;
    mo->mon = (Mon) { .run = run, .m = run_machine(run), .options = o };
    mo->rl = rl_new(PROMPT, &rl_ops, mo);
    monitors = g_slist_prepend(monitors, mo);
    chr_set_front(c, &front, mo);
}

static void monitor_free(gpointer p)
{
    Monitor *mo = p;
    chr_set_front(mo->chr, NULL, NULL);
    rl_free(mo->rl);
    g_free(mo);
}

void monitors_free_all(void)
{
    g_slist_free_full(monitors, monitor_free);
    monitors = NULL;
}
