/* Code quality, counted: the host instructions on the hot path of the units
 * in golden.ir.  The host's features are fixed, and nothing is run, so the
 * counts are the same on any machine.  A count that falls is good news: write
 * it down in golden.ir.  */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tcg/hosts/x86_64/cg.h"
#include "tests/ir/toy.h"

static const TcgRuntime no_runtime;

/* Instructions up to the first unconditional jump, which is counted: behind it is the cold part. */
static unsigned hot_count(const Block *b, GString *out)
{
    unsigned n = 0;
    host_disas(b->code, b->code_size, out);
    for (const char *p = out->str; *p; n++) {
        bool jump = strncmp(p + 16, "jmp ", 4) == 0;
        p = strchr(p, '\n') + 1;
        if (jump) {
            g_string_truncate(out, (gsize)(p - out->str));
            return n + 1;
        }
    }
    return n;
}

static bool check(TcgCtx *ctx, const char *name, unsigned want, const char *text)
{
    GError *err = NULL;
    IrUnit *u = ir_parse(&toy_arch, text, &err);
    if (!u) {
        printf("%s: %s\n", name, err->message);
        g_error_free(err);
        return false;
    }
    Block *b = g_new0(Block, 1);
    b->gpa2 = UINT64_MAX;
    g_autoptr(GString) code = g_string_new("");
    unsigned n = host_compile(ctx, u, b) ? hot_count(b, code) : 0;
    if (n != want) {
        printf("%s: %u host instructions, not %u:\n%s%s\n", name, n, want, text, code->str);
    }
    ir_unit_free(u);
    return n == want;
}

int main(void)
{
    g_autofree char *text = NULL;
    GError *err = NULL;
    host_feat_known = true;
    host_feat = (HostFeat){ .avx = true, .avx2 = true, .bmi1 = true, .bmi2 = true, .lzcnt = true, .popcnt = true,
                            .movbe = true, .ssse3 = true, .sse41 = true, .sse42 = true };
    TcgCtx *ctx = tcg_new(&toy_arch, &no_runtime, false, 0, &err);
    if (!ctx || !g_file_get_contents(CONFIG_SOURCE "/tests/golden/golden.ir", &text, NULL, &err)) {
        fprintf(stderr, "test_golden: %s\n", err->message);
        return 1;
    }
    unsigned passed = 0, failed = 0;
    g_auto(GStrv) parts = g_strsplit(text, "\ngolden ", -1);
    for (unsigned i = 1; parts[i]; i++) {
        char *body = strchr(parts[i], '\n');
        *body++ = 0;
        char *count = strrchr(parts[i], ' ');
        *count++ = 0;
        *(check(ctx, parts[i], (unsigned)strtoul(count, NULL, 10), body) ? &passed : &failed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    tcg_free(ctx);
    return failed || !passed;
}
