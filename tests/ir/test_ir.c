/* Runs the textual IR tests of tests/ir (*.ir) on the interpreter and on the
 * host back end, as they are and after folding and dead-code removal.
 *
 *   test_ir [--engine interp|host|all] [FILE.ir...]
 *
 * A file holds tests of two forms.  `test NAME` is followed by a unit and its
 * runs:
 *
 *     test store
 *         v1 = get r0
 *         ...
 *     # in: r0=5 mem[0x10000]=0102 env[0]=7 x0=HIGH:LOW exit_request=1
 *     # out: r1=6 pc=0x2000 fault=store:0x20000
 *
 * Everything that `in` does not name is 0 (pc 0x1000, fpcr 0x1f80); `out`
 * names what is looked at, and without `fault=` there must be none.  The
 * other form is for one op on a, b, c, f:
 *
 *     op d, e = mul2u.64 a, b
 *     # 3 4 => 12 0
 *
 * Each run is done raw and folded, with no, each, and all operands constant.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tcg/fold.h"
#include "toy.h"

typedef struct Test {
    const char *file;
    char name[80];
    unsigned line;
    GString *text;
    bool is_op;
    IrUnit *unit;
    ToyState in;
} Test;

static ToyMachine *engines[2];           /* interp, host */
static const char *const engine_names[] = { "interp", "host" };
static unsigned n_passed, n_failed;

static void report(const Test *t, unsigned line, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void report(const Test *t, unsigned line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    printf("%s:%u: %s: %s\n", t->file, line, t->name, what);
    n_failed++;
}

/* ---- states ---- */

static const char *const fault_names[] = { "none", "load", "store", "align", "arith", "helper" };

static bool set_mem(ToyState *s, uint64_t addr, const char *hex, bool check)
{
    for (uint64_t i = addr - TOY_MEM; g_ascii_isxdigit(hex[0]) && g_ascii_isxdigit(hex[1]); hex += 2, i++) {
        uint8_t v = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        if (i >= sizeof(s->mem) || (check && s->mem[i] != v)) {
            return false;
        }
        s->mem[i] = v;
    }
    return !*hex;
}

static bool set_fault(ToyState *s, const char *val, bool check)
{
    char *arg = strchr(val, ':');
    uint64_t n = arg ? g_ascii_strtoull(arg + 1, NULL, 0) : 0;
    size_t len = arg ? (size_t)(arg - val) : strlen(val);
    for (unsigned i = 0; i < G_N_ELEMENTS(fault_names); i++) {
        if (strlen(fault_names[i]) == len && !strncmp(fault_names[i], val, len)) {
            return check && s->fault == i && s->fault_arg == n;
        }
    }
    return false;
}

static uint64_t *place(ToyState *s, const char *key)
{
    unsigned n;
    if (sscanf(key, "env[%u]", &n) == 1 && n < TOY_NFIELDS) {
        return &s->fields[n];
    }
    for (unsigned r = 0; r < TOY_V0; r++) {
        if (!strcmp(toy_arch.regs[r].name, key)) {
            return &s->regs[r];
        }
    }
    return NULL;
}

/* Sets or checks one KEY=VALUE; false: unknown, or different. */
static bool apply(ToyState *s, const char *item, bool check)
{
    g_auto(GStrv) kv = g_strsplit(item, "=", 2);
    if (!kv[0] || !kv[1]) {
        return false;
    }
    if (g_str_has_prefix(kv[0], "mem[")) {
        return set_mem(s, g_ascii_strtoull(kv[0] + 4, NULL, 0), kv[1], check);
    }
    if (!strcmp(kv[0], "fault")) {
        return set_fault(s, kv[1], check);
    }
    char *end;
    uint64_t v = g_ascii_strtoull(kv[1], &end, 0);
    if (kv[0][0] == 'x' && g_ascii_isdigit(kv[0][1])) {
        IrVec *x = &s->vecs[(kv[0][1] - '0') % TOY_NVEC];
        IrVec want = { .u64 = { *end == ':' ? g_ascii_strtoull(end + 1, NULL, 0) : v, *end == ':' ? v : 0 } };
        bool same = x->u128 == want.u128;
        *x = want;
        return same || !check;
    }
    if (!strcmp(kv[0], "exit_request")) {
        s->exit_request = v != 0;
        return true;
    }
    uint64_t *p = place(s, kv[0]);
    bool same = p && *p == v;
    if (p) {
        *p = v;
    }
    return !*end && p && (same || !check);
}

/* ---- running ---- */

/* All items of `out` hold in s; a wrong one is reported. */
static bool holds(const Test *t, unsigned line, const ToyState *s, const char *out, const char *how)
{
    ToyState copy = *s;
    bool ok = true, fault = false;
    g_auto(GStrv) items = g_strsplit_set(out, " \t", -1);
    for (unsigned i = 0; items[i]; i++) {
        fault |= g_str_has_prefix(items[i], "fault=");
        if (*items[i] && !apply(&copy, items[i], true)) {
            ok = false;
            report(t, line, "%s: %s does not hold", how, items[i]);
        }
    }
    if (!fault && s->fault) {
        report(t, line, "%s: fault=%s:0x%" PRIx64, how, fault_names[s->fault], s->fault_arg);
        ok = false;
    }
    for (unsigned r = 0; !ok && r < TOY_V0; r++) {
        printf("  %s=0x%" PRIx64 "%s", toy_arch.regs[r].name, s->regs[r], r % 6 == 5 ? "\n" : "");
    }
    printf("%s", ok ? "" : "\n");
    return ok;
}

static bool run_unit(const Test *t, unsigned line, const IrUnit *u, const char *out, const char *how)
{
    g_autoptr(GString) why = g_string_new("");
    if (!ir_verify(u, why)) {
        g_autoptr(GString) text = g_string_new("");
        ir_print(u, text);
        report(t, line, "%s: %s\n%s", how, why->str, text->str);
        return false;
    }
    for (unsigned e = 0; e < 2; e++) {
        ToyState s = t->in;
        g_autofree char *name = g_strdup_printf("%s, %s", engine_names[e], how);
        if (!engines[e]) {
            continue;
        }
        if (!toy_run(engines[e], u, &s)) {
            report(t, line, "%s: not compiled", name);
            return false;
        }
        if (!holds(t, line, &s, out, name)) {
            g_autoptr(GString) text = g_string_new("");
            ir_print(u, text);
            printf("%s", text->str);
            return false;
        }
    }
    return true;
}

static void run(Test *t, unsigned line, const char *out)
{
    static const uint32_t known[] = { 0, 1, 2, 4, 8, 15, 0xffff };
    bool ok = run_unit(t, line, t->unit, out, "raw");
    for (unsigned i = 0; ok && i < G_N_ELEMENTS(known); i++) {
        IrUnit *n = toy_rebuild(t->unit, &t->in, known[i]);
        g_autofree char *how = g_strdup_printf("folded with constants 0x%x", known[i]);
        ok = run_unit(t, line, n, out, how);
        ir_dead(n);
        g_autofree char *how2 = g_strdup_printf("%s and ir_dead", how);
        ok = ok && run_unit(t, line, n, out, how2);
        IrUnit *copy = ir_unit_copy(n);
        ok = ok && run_unit(t, line, copy, out, "copied");
        ir_unit_free(copy);
        ir_unit_free(n);
    }
    n_passed += ok;
}

/* `# 1 2 => 3 4` of an op test: r0.. => r4, r5 */
static void run_op(Test *t, unsigned line, const char *values)
{
    GString *out = g_string_new("");
    g_auto(GStrv) items = g_strsplit_set(values, " \t", -1);
    unsigned n = 0;
    bool right = false;
    memset(t->in.regs, 0, sizeof(t->in.regs));
    for (unsigned i = 0; items[i]; i++) {
        if (!strcmp(items[i], "=>")) {
            right = true;
            n = 4;
        } else if (right && g_str_has_prefix(items[i], "fault=")) {
            g_string_append_printf(out, "%s ", items[i]);
        } else if (right && *items[i]) {
            g_string_append_printf(out, "r%u=%s ", n++, items[i]);
        } else if (*items[i]) {
            t->in.regs[n++ & 3] = g_ascii_strtoull(items[i], NULL, 0);
        }
    }
    t->in.regs[TOY_PC] = 0x1000;
    run(t, line, out->str);
    g_string_free(out, TRUE);
}

/* ---- reading ---- */

static void begin(Test *t, const char *name, unsigned line)
{
    ir_unit_free(t->unit);
    t->unit = NULL;
    g_strlcpy(t->name, name, sizeof(t->name));
    t->line = line;
    g_string_truncate(t->text, 0);
    memset(&t->in, 0, sizeof(t->in));
    t->in.regs[TOY_PC] = 0x1000;
    t->in.fpcr = 0x1f80;
}

static void begin_op(Test *t, const char *op, unsigned line)
{
    begin(t, op, line);
    bool two = strchr(op, ',') && strchr(op, ',') < strchr(op, '=');
    g_string_printf(t->text, "insn 0x1000\n a = get r0\n b = get r1\n c = get r2\n f = get r3\n %s\n put r4, d\n"
                    "%sexit direct 0x2000\n", op, two ? " put r5, e\n" : "");
}

/* The unit's text is complete when its first run comes. */
static bool complete(Test *t)
{
    GError *err = NULL;
    if (!t->unit && t->text->len) {
        t->unit = ir_parse(&toy_arch, t->text->str, &err);
        g_string_truncate(t->text, 0);
        if (!t->unit) {
            report(t, t->line, "%s", err->message);
            g_error_free(err);
        }
    }
    return t->unit;
}

static void set_in(Test *t, unsigned line, const char *in)
{
    g_auto(GStrv) items = g_strsplit_set(in, " \t", -1);
    memset(&t->in, 0, sizeof(t->in));
    t->in.regs[TOY_PC] = 0x1000;
    t->in.fpcr = 0x1f80;
    for (unsigned i = 0; items[i]; i++) {
        if (*items[i] && !apply(&t->in, items[i], false)) {
            report(t, line, "cannot set %s", items[i]);
        }
    }
}

static void read_line(Test *t, unsigned line, char *s)
{
    if (g_str_has_prefix(s, "##")) {
        return;
    }
    if (g_str_has_prefix(s, "test ")) {
        begin(t, s + 5, line);
        t->is_op = false;
    } else if (g_str_has_prefix(s, "op ")) {
        begin_op(t, s + 3, line);
        t->is_op = true;
    } else if (*s != '#') {
        g_string_append_printf(t->text, "%s\n", *s && t->is_op ? "" : s);
    } else if (!complete(t)) {
        return;
    } else if (g_str_has_prefix(s, "# in:")) {
        set_in(t, line, s + 5);
    } else if (g_str_has_prefix(s, "# out:")) {
        run(t, line, s + 6);
    } else if (t->is_op && strstr(s, "=>")) {
        run_op(t, line, s + 1);
    } else {
        report(t, line, "neither in: nor out: nor =>");
    }
}

static void run_file(const char *path)
{
    g_autofree char *text = NULL;
    GError *err = NULL;
    Test t = { .file = path, .text = g_string_new("") };
    if (!g_file_get_contents(path, &text, NULL, &err)) {
        report(&t, 0, "%s", err->message);
        g_error_free(err);
    } else {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
            read_line(&t, i + 1, lines[i]);
        }
    }
    ir_unit_free(t.unit);
    g_string_free(t.text, TRUE);
}

static void run_folder(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    while (dir && (name = g_dir_read_name(dir))) {
        if (g_str_has_suffix(name, ".ir")) {
            g_ptr_array_add(files, g_build_filename(folder, name, NULL));
        }
    }
    for (unsigned i = 0; i < files->len; i++) {
        run_file(files->pdata[i]);
    }
    g_ptr_array_free(files, TRUE);
    g_dir_close(dir);
}

int main(int argc, char **argv)
{
    g_autofree char *engine = NULL;
    GOptionEntry options[] = {
        { "engine", 0, 0, G_OPTION_ARG_STRING, &engine, "interp, host or all (default)", "E" }, { 0 },
    };
    GError *err = NULL;
    GOptionContext *oc = g_option_context_new("[FILE.ir...]");
    g_option_context_add_main_entries(oc, options, NULL);
    if (!g_option_context_parse(oc, &argc, &argv, &err)) {
        fprintf(stderr, "test_ir: %s\n", err->message);
        return 2;
    }
    for (unsigned e = 0; e < 2; e++) {
        if (engine && strcmp(engine, "all") && strcmp(engine, engine_names[e])) {
            continue;
        }
        engines[e] = toy_new(e == 1, &err);
        if (!engines[e]) {
            fprintf(stderr, "test_ir: %s\n", err->message);
            return 1;
        }
    }
    for (int i = 1; i < argc; i++) {
        run_file(argv[i]);
    }
    if (argc < 2) {
        run_folder(CONFIG_SOURCE "/tests/ir");
    }
    printf("%u passed, %u failed\n", n_passed, n_failed);
    for (unsigned e = 0; e < 2; e++) {
        if (engines[e]) {
            toy_free(engines[e]);
        }
    }
    g_option_context_free(oc);
    return n_failed || !n_passed;
}
