/* What runs the guest's instructions: accelerators (accels.def), the choice
 * among those the user accepts, and saying aloud which it is. */
#ifndef RHEA_ACCEL_H
#define RHEA_ACCEL_H

#include <glib.h>
#include <stdbool.h>

#include "cpu/cpu.h"
#include "util/opts.h"

typedef struct AccelType {
    const char *name, *doc;
    const char *const *keys;             /* "accel", then the options after its name; NULL-terminated */
    /* Can it run here?  If not, *why says what is missing and how to get it (owned). */
    bool (*probe)(char **why);
    /* Checks and takes the options. */
    bool (*configure)(const Opts *o, TcgOptions *tcg, GError **err);
    /* The engine in a few words, for the line at start (owned). */
    char *(*describe)(const TcgOptions *tcg);
} AccelType;

extern const AccelType *const accel_types[];             /* NULL-terminated */

typedef struct AccelChoice {
    const AccelType *type;
    char *line;                          /* to be said at start: which engine, and why not another */
} AccelChoice;

/* wanted: what -accel (several times, in order of preference) and accel= said: "kvm:tcg", "tcg,engine=interp"; empty: the
 * best that works here.  Only names the user gave are tried. */
bool accel_choose(const GPtrArray *wanted, TcgOptions *tcg, AccelChoice *out, GError **err);
void accel_help(GString *out);

#endif
