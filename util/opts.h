/* Option strings: "value,key=value,flag" with ",," for a comma, and the values
 * in them: booleans, numbers, sizes.  Every error names what was given and
 * what would be accepted. */
#ifndef RHEA_UTIL_OPTS_H
#define RHEA_UTIL_OPTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct OptPair { char *key, *value; } OptPair;
typedef struct Opts { GArray *pairs; } Opts;             /* OptPair, in the order given */

/* implied: key of a first piece without '=' (NULL: none). Further pieces without '=' are booleans: "snapshot" is
 * snapshot=on, "nowait" is wait=off.  Never fails on text alone except for an empty key. */
Opts *opts_parse(const char *text, const char *implied, GError **err);
void opts_free(Opts *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Opts, opts_free)
/* The last value given for key, or NULL. */
const char *opts_get(const Opts *o, const char *key);
/* All keys must be among names (NULL-terminated); what: "-drive". */
bool opts_check(const Opts *o, const char *what, const char *const *names, GError **err);
/* Missing keys leave *out alone and are fine. */
bool opts_bool(const Opts *o, const char *key, bool *out, GError **err);
bool opts_u64(const Opts *o, const char *key, uint64_t *out, GError **err);
bool opts_size(const Opts *o, const char *key, uint64_t unit, uint64_t *out, GError **err);

/* What users type for one value; name goes into the error. */
bool opt_bool(const char *name, const char *value, bool *out, GError **err);       /* on off yes no true false 1 0 */
bool opt_u64(const char *name, const char *value, uint64_t *out, GError **err);    /* decimal, 0x, 0 octal is not */
/* 4096, 4k, 1.5G ... (b k M G T P, any case); unit: meaning of a bare number in bytes (1, or 1 MiB for -m). */
bool opt_size(const char *name, const char *value, uint64_t unit, uint64_t *out, GError **err);
/* Index of value in names (NULL-terminated), or -1 with an error that lists them. */
int opt_choice(const char *name, const char *value, const char *const *names, GError **err);

#endif
