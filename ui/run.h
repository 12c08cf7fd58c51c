/* Run control: what a person, a script or the guest may do to a machine as a
 * whole (stop, go on, reset, power off, leave), and telling those who listen.
 * Main thread, machine lock held, except where a comment says otherwise. */
#ifndef RHEA_UI_RUN_H
#define RHEA_UI_RUN_H

#include <json-glib/json-glib.h>

#include "hw/core/machine.h"

typedef struct Run Run;
/* data: the event's members (may be empty). */
typedef void RunListener(void *opaque, const char *event, JsonObject *data);

Run *run_new(Machine *m, const char *boot_after_reset);  /* takes over m's on_shutdown and on_reset; -boot once= */
void run_free(Run *r);
Machine *run_machine(Run *r);
const char *run_state_name(const Machine *m);            /* QMP's names: "running", "paused", "prelaunch", ... */
bool run_is_running(const Machine *m);

void run_stop(Run *r);
bool run_cont(Run *r, GError **err);
void run_reset(Run *r);
void run_powerdown(Run *r);
/* reason: QMP's ShutdownCause: "host-qmp-quit", "host-signal", "host-ui" */
void run_quit(Run *r, const char *reason);
/* The loop ended: true and the exit status. */
bool run_over(const Run *r, int *status);

void run_listen(Run *r, RunListener *fn, void *opaque);
void run_unlisten(Run *r, void *opaque);
void run_event(Run *r, const char *event, JsonObject *data_take);

#endif
