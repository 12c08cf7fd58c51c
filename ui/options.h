/* The command line.  options.def lists every option; opt_*.c hold what they
 * mean.  Parsing collects into Options and touches nothing; options_resolve
 * then opens disks and character devices. */
#ifndef RHEA_UI_OPTIONS_H
#define RHEA_UI_OPTIONS_H

#include "accel/accel.h"
#include "hw/core/machine.h"
#include "util/opts.h"

typedef struct DriveSpec {               /* one -drive, -hda, ... before it is opened */
    char *file, *format, *id;
    int iface, index;                    /* DriveConfig's; -1 */
    bool cdrom, readonly, snapshot;
    bool rw_asked;                       /* readonly=off was said: failing to open for writing is an error */
    const char *option;                  /* "-hda", for messages */
} DriveSpec;

typedef struct MonitorSpec { char *chardev; bool qmp, pretty; } MonitorSpec;     /* chardev: spec for chr_new */

typedef struct Options {
    MachineConfig cfg;
    const MachineType *machine;
    GPtrArray *accels;                   /* char * */
    GPtrArray *drive_specs;              /* DriveSpec * */
    GPtrArray *chardevs;                 /* char *: -chardev */
    GPtrArray *serials;                  /* char * */
    char *debugcon, *boot_once, *name, *uuid, *pidfile, *log_items, *log_file;
    GPtrArray *monitors;                 /* MonitorSpec * */
    bool monitor_given;                  /* -monitor, mon:...: no default monitor */
    bool nographic, no_reboot, no_shutdown, stopped, snapshot, daemonize, parallel_given;
    enum { DISPLAY_DEFAULT, DISPLAY_NONE } display;
    bool help_shown;                     /* an option printed what it was asked for: leave with 0 */
    GPtrArray *owned;                    /* strings that cfg borrows */
} Options;

typedef bool OptionFn(Options *o, const char *arg, GError **err);

void options_init(Options *o);
void options_free(Options *o);
/* argv[0] picks the default board. False with err (ERR_USAGE); true with help_shown: nothing to run. */
bool options_parse(Options *o, int argc, char **argv, GError **err);
/* Opens everything the machine will use. */
bool options_resolve(Options *o, GError **err);

/* ---- opt_*.c ---- */
#define OPT(name, alias, arg, fn, help) OptionFn opt_fn_##fn;
#define SECTION(title)
#define LATER(name, has_arg, what)
#include "ui/options.def"
#undef OPT
#undef SECTION
#undef LATER

bool resolve_drives(Options *o, GError **err);
bool resolve_chardevs(Options *o, GError **err);
char *opt_keep(Options *o, const char *text);            /* a copy that lives as long as o */
void show(Options *o, GString *text);                    /* prints and frees; sets help_shown */

#endif
