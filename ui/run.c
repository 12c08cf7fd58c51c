/* Run states and their changes.  A guest's wish (power-off, reset) may come
 * from a vcpu thread in the middle of an access: it is noted and acted upon in
 * the main loop, where vcpus can be paused. */
#include "ui/run.h"

#include "util/log.h"
#include "util/loop.h"

typedef struct Listener { RunListener *fn; void *opaque; } Listener;

struct Run {
    Machine *m;
    char *boot_after_reset;
    GSList *listeners;
    bool over;
    int status;
    struct { bool off, reset; int status; } guest;       /* what the guest asked for, under guest_lock */
    GMutex guest_lock;
};

static const char *const state_names[] = {
    [RUN_PRELAUNCH] = "prelaunch", [RUN_RUNNING] = "running", [RUN_PAUSED] = "paused", [RUN_SHUTDOWN] = "shutdown",
    [RUN_PANICKED] = "guest-panicked", [RUN_IO_ERROR] = "io-error",
};

const char *run_state_name(const Machine *m)
{
    return state_names[m->state];
}

bool run_is_running(const Machine *m)
{
    return m->state == RUN_RUNNING;
}

/* ---- events ---- */

void run_listen(Run *r, RunListener *fn, void *opaque)
{
    Listener *l = g_new(Listener, 1);
    *l = (Listener) { fn, opaque };
    r->listeners = g_slist_append(r->listeners, l);
}

void run_unlisten(Run *r, void *opaque)
{
    for (GSList *l = r->listeners; l; l = l->next) {
        if (((Listener *)l->data)->opaque != opaque)
            continue;
        g_free(l->data);
        r->listeners = g_slist_delete_link(r->listeners, l);
        return;
    }
}

void run_event(Run *r, const char *event, JsonObject *data)
{
    for (GSList *l = r->listeners; l; l = l->next)
        ((Listener *)l->data)->fn(((Listener *)l->data)->opaque, event, data);
    if (data)
        json_object_unref(data);
}

static void event_with_cause(Run *r, const char *event, bool guest, const char *reason)
{
    JsonObject *o = json_object_new();
    json_object_set_boolean_member(o, "guest", guest);
    json_object_set_string_member(o, "reason", reason);
    run_event(r, event, o);
}

/* ---- changes ---- */

static void stop_as(Run *r, RunState why)
{
    bool ran = run_is_running(r->m);
    machine_stop(r->m, why);
    if (ran)
        run_event(r, "STOP", NULL);
}

void run_stop(Run *r)
{
    if (run_is_running(r->m))
        stop_as(r, RUN_PAUSED);
}

bool run_cont(Run *r, GError **err)
{
    if (run_is_running(r->m))
        return true;
    if (r->m->state == RUN_SHUTDOWN || r->m->state == RUN_PANICKED) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "the machine is off: reset it first (system_reset)");
        return false;
    }
    machine_start(r->m);
    run_event(r, "RESUME", NULL);
    return true;
}

static void reset_as(Run *r, bool guest, const char *reason)
{
    RunState was = r->m->state;
    if (was == RUN_RUNNING)
        machine_stop(r->m, RUN_PAUSED);
    if (r->boot_after_reset && r->m->set_boot)
        r->m->set_boot(r->m, r->boot_after_reset);
    g_clear_pointer(&r->boot_after_reset, g_free);
    machine_reset(r->m);
    event_with_cause(r, "RESET", guest, reason);
    if (was == RUN_RUNNING)
        machine_start(r->m);
    else if (was != RUN_PRELAUNCH)
        r->m->state = RUN_PAUSED;
}

static void shut_down(Run *r, bool guest, const char *reason, int status)
{
    event_with_cause(r, "SHUTDOWN", guest, reason);
    if (r->m->no_shutdown && guest) {
        stop_as(r, RUN_SHUTDOWN);
        return;
    }
    r->status = status;
    r->over = true;
}

void run_reset(Run *r)
{
    if (r->m->no_reboot)
        shut_down(r, false, "host-qmp-system-reset", 0);
    else
        reset_as(r, false, "host-qmp-system-reset");
}

void run_powerdown(Run *r)
{
    run_event(r, "POWERDOWN", NULL);
    if (r->m->powerdown)
        r->m->powerdown(r->m);
}

void run_quit(Run *r, const char *reason)
{
    if (r->over)
        return;
    event_with_cause(r, "SHUTDOWN", false, reason);
    r->over = true;
    g_main_context_wakeup(NULL);
}

bool run_over(const Run *r, int *status)
{
    *status = r->status;
    return r->over;
}

/* ---- what the guest asks for ---- */

static void act(void *opaque)
{
    Run *r = opaque;
    g_mutex_lock(&r->guest_lock);
    bool off = r->guest.off, reset = r->guest.reset;
    int status = r->guest.status;
    r->guest.off = r->guest.reset = false;
    g_mutex_unlock(&r->guest_lock);
    if (r->over)
        return;
    if (off)
        shut_down(r, true, "guest-shutdown", status);
    else if (reset && r->m->no_reboot)
        shut_down(r, true, "guest-reset", 0);
    else if (reset)
        reset_as(r, true, "guest-reset");
}

static void ask(Machine *m, bool off, int status, const char *reason)
{
    Run *r = m->opaque;
    if (log_on(LOG_RESET))
        log_printf("%s: %s\n", off ? "power off" : "reset", reason ? reason : "?");
    g_mutex_lock(&r->guest_lock);
    bool posted = r->guest.off || r->guest.reset;
    *(off ? &r->guest.off : &r->guest.reset) = true;
    if (off)
        r->guest.status = status;
    g_mutex_unlock(&r->guest_lock);
    if (!posted)
        loop_post(act, r);
}

static void guest_shutdown(Machine *m, int status, const char *reason)
{
    ask(m, true, status, reason);
}

static void guest_reset(Machine *m, const char *reason)
{
    ask(m, false, 0, reason);
}

Run *run_new(Machine *m, const char *boot_after_reset)
{
    Run *r = g_new0(Run, 1);
    r->m = m;
    r->boot_after_reset = g_strdup(boot_after_reset);
    g_mutex_init(&r->guest_lock);
    m->opaque = r;
    m->on_shutdown = guest_shutdown;
    m->on_reset = guest_reset;
    return r;
}

void run_free(Run *r)
{
    r->m->on_shutdown = NULL;
    r->m->on_reset = NULL;
    g_slist_free_full(r->listeners, g_free);
    g_free(r->boot_after_reset);
    g_mutex_clear(&r->guest_lock);
    g_free(r);
}

Machine *run_machine(Run *r)
{
    return r->m;
}
