/* Every tests/x86/NAME.S under interpreter, JIT and one-instruction units.
 *
 *   test_guests [NAME...] [-e interp|jit|jit1|interp1] [-d ITEMS]
 */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "tests/x86/runner.h"
#include "util/bits.h"
#include "util/log.h"

static const struct { const char *name; TcgOptions tcg; } engines[] = {
    { "interp", { .interp = true } },
    { "jit", { 0 } },
    { "jit1", { .one_insn = true } },
    { "interp1", { .interp = true, .one_insn = true } },
};

int main(int argc, char **argv)
{
    const char *engine = NULL, *build = getenv("RHEA_BUILD");
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    int passed = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-e") && i + 1 < argc)
            engine = argv[++i];
        else if (!strcmp(argv[i], "-d") && i + 1 < argc)
            log_parse(argv[++i], &log_mask, NULL, NULL);
        else
            g_ptr_array_add(names, g_strdup(argv[i]));
    }
    char *dir = g_build_filename(build ? build : "build", "tests", "x86", NULL);
    if (!names->len) {
        GDir *d = g_dir_open(dir, 0, NULL);
        const char *n;
        while (d && (n = g_dir_read_name(d)))
            if (g_str_has_suffix(n, ".bin"))
                g_ptr_array_add(names, g_strndup(n, strlen(n) - 4));
        g_dir_close(d);
    }
    for (unsigned i = 0; i < names->len; i++)
        for (unsigned e = 0; e < ARRAY_LEN(engines); e++) {
            if (engine && strcmp(engine, engines[e].name))
                continue;
            char *file = g_strdup_printf("%s/%s.bin", dir, (char *)names->pdata[i]);
            GuestRun r = { .path = file, .model = "max", .tcg = engines[e].tcg };
            guest_run(&r);
            if (r.status) {
                printf("FAILED %s under %s: status %d, printed \"%s\"; again: %s %s -e %s\n", (char *)names->pdata[i],
                       engines[e].name, r.status, r.out->str, argv[0], (char *)names->pdata[i], engines[e].name);
                failed++;
            } else {
                passed++;
            }
            if (engine)
                printf("%s", r.out->str);
            g_string_free(r.out, TRUE);
            g_free(file);
        }
    printf("%d passed, %d failed\n", passed, failed);
    g_ptr_array_free(names, TRUE);
    g_free(dir);
    return failed != 0;
}
