/* Compares random user-mode sequences on the host and in Rhea; see diff.h.
 *
 *   DIFF_COUNT   sequences for each mode (default: a few thousand; RHEA_LONG: 100,000)
 *   DIFF_SEED    first seed
 *   DIFF_ONLY    one gen function's rows only
 *   DIFF_MAX     instructions in a sequence
 *   DIFF_ENGINE  interp or jit alone
 *   DIFF_LOG     log items as a number (util/log.h): 6 prints the IR
 * A failure prints the seed and the case; DIFF_SEED=n DIFF_COUNT=1 repeats it. */
#include "tests/diff/diff.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/x86/state.h"
#include "util/log.h"

enum { BATCH = 64 };

int main(void)
{
    uint64_t seed = diff_env("DIFF_SEED", 1), count = diff_env("DIFF_COUNT", getenv("RHEA_LONG") ? 100000 : 3000);
    unsigned max = (unsigned)diff_env("DIFF_MAX", 6), stop = (unsigned)diff_env("DIFF_FAILS", 20), failed = 0;
    const char *only = getenv("DIFF_ONLY"), *engine = getenv("DIFF_ENGINE");
    DiffCase *c = diff_cases(BATCH);
    log_mask = (uint32_t)diff_env("DIFF_LOG", 0);
    DiffGuest *interp = !engine || !strcmp(engine, "interp") ? diff_guest_new(true) : NULL;
    DiffGuest *jit = !engine || !strcmp(engine, "jit") ? diff_guest_new(false) : NULL;
    for (uint64_t i = 0; i < 2 * count && failed < stop; i += BATCH) {
        unsigned n = (unsigned)MIN(BATCH, 2 * count - i);
        for (unsigned k = 0; k < n; k++)
            diff_generate(&c[k], seed + (i + k) / 2, (i + k) % 2 ? 32 : 64, max, only);
        diff_native(c, n);
        for (unsigned k = 0; k < n && failed < stop; k++) {
            if (interp) {
                diff_guest_run(interp, &c[k]);
                failed += !diff_check(&c[k], "interp");
            }
            if (jit) {
                diff_guest_run(jit, &c[k]);
                failed += !diff_check(&c[k], "jit");
            }
        }
    }
    if (interp)
        diff_guest_free(interp);
    if (jit)
        diff_guest_free(jit);
    return failed != 0;
}
