/* The program: from the command line to a machine that runs, and its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ui/chr.h"
#include "ui/monitor.h"
#include "ui/options.h"
#include "ui/qmp.h"
#include "ui/run.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/loop.h"

static int fail(GError *err)
{
    int status = err->code == ERR_USAGE ? 2 : 1;
    report_error("%s", err->message);
    g_error_free(err);
    return status;
}

/* ---- signals, leaving ---- */

static gboolean on_signal(gpointer run)
{
    run_quit(run, "host-signal");
    return G_SOURCE_CONTINUE;
}

static void on_ctrl_a_x(void *run)
{
    run_quit(run, "host-ui");
}

static void watch_signals(Run *run)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        g_unix_signal_add(signals[i], on_signal, run);
    mux_on_quit(on_ctrl_a_x, run);
}

/* ---- background ---- */

/* -daemonize: the parent waits until the child says that the machine is ready.  Before any thread exists. */
static int daemonize(void)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid != 0) {
        char byte;
        close(fd[1]);
        _exit(pid > 0 && read(fd[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(fd[0]);
    setsid();
    return fd[1];
}

static void daemon_ready(int fd)
{
    if (fd < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    if (null > STDERR_FILENO)
        close(null);
    if (write(fd, "", 1) != 1)
        report_warn("-daemonize: the starting process has gone");
    close(fd);
}

static bool write_pidfile(const char *path, GError **err)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (!ok)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "-pidfile %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- start ---- */

static bool start_log(const Options *o, GError **err)
{
    g_autoptr(GString) help = g_string_new(NULL);
    if (o->log_file && !log_open(o->log_file, err))
        return false;
    return !o->log_items || log_parse(o->log_items, &log_mask, help, err);
}

static bool start_monitors(Run *run, const Options *o, GError **err)
{
    for (guint i = 0; i < o->monitors->len; i++) {
        const MonitorSpec *s = o->monitors->pdata[i];
        g_autofree char *id = g_strdup_printf("compat_monitor%u", i);
        GError *e = NULL;
        Chardev *c = chr_new(id, s->chardev, &e);
        if (e) {
            g_propagate_prefixed_error(err, e, "%s %s: ", s->qmp ? "-qmp" : "-monitor", s->chardev);
            return false;
        }
        if (c && s->qmp)
            qmp_new(c, run, o, s->pretty);
        else if (c)
            monitor_new(c, run, o);
    }
    for (Chardev *c = chr_take_monitor(); c; c = chr_take_monitor())
        monitor_new(c, run, o);
    return true;
}

/* How to see a screen that no window shows. */
static void speak(const Options *o, const AccelChoice *accel)
{
    report_info("%s", accel->line);
    if (!o->nographic && o->display == DISPLAY_DEFAULT)
        report_info("no window in this version: the screen is in the monitor (-monitor stdio, then screendump FILE.png or screentext); "
                    "-nographic puts the serial port here");
}

static int run_machine_to_end(const Options *o, const AccelChoice *accel, Machine *m, int ready_fd)
{
    GError *err = NULL;
    int status;
    Run *run = run_new(m, o->boot_once);
    m->no_reboot = o->no_reboot;
    m->no_shutdown = o->no_shutdown;
    loop_add_clock(m->clock);
    watch_signals(run);
    if (!start_monitors(run, o, &err) || (o->pidfile && !write_pidfile(o->pidfile, &err)) || !chr_ready_all(&err))
        return fail(err);
    speak(o, accel);
    daemon_ready(ready_fd);
    if (!o->stopped)
        run_cont(run, NULL);
    while (!run_over(run, &status))
        loop_iterate(true);
    machine_stop(m, RUN_SHUTDOWN);
    if (log_on(LOG_STATS) && m->cpus) {
        g_autoptr(GString) s = g_string_new(NULL);
        cpu_print_jit(m->cpus, s);
        log_printf("%s", s->str);
    }
    loop_del_clock(m->clock);
    monitors_free_all();
    qmp_free_all();
    run_free(run);
    if (o->pidfile)
        unlink(o->pidfile);
    return status;
}

static bool start(Options *o, AccelChoice *accel, GError **err)
{
    return start_log(o, err) && accel_choose(o->accels, &o->cfg.tcg, accel, err) && options_resolve(o, err);
}

static int run_options(Options *o, AccelChoice *accel)
{
    GError *err = NULL;
    int ready_fd = o->daemonize ? daemonize() : -1;
    loop_init();
    machine_lock();
    Machine *m = start(o, accel, &err) ? machine_new(o->machine, &o->cfg, &err) : NULL;
    if (!m) {
        chr_free_all();                  /* gives the terminal back before the message */
        return fail(err);
    }
    int status = run_machine_to_end(o, accel, m, ready_fd);
    machine_unlock();
    machine_free(m);
    machine_lock();
    chr_free_all();
    return status;
}

int main(int argc, char **argv)
{
    Options o;
    AccelChoice accel = { 0 };
    GError *err = NULL;
    int status = 0;
    options_init(&o);
    if (!options_parse(&o, argc, argv, &err))
        status = fail(err);
    else if (!o.help_shown)
        status = run_options(&o, &accel);
    options_free(&o);
    g_free(accel.line);
    return status;
}
