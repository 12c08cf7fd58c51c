/* Translation: the engine of tcg/, which runs on every host. */
#include "accel/accel.h"
#include "config.h"
#include "util/log.h"

enum { BUF_MIN = 1 << 20, BUF_MAX_GB = 2 };

static bool tcg_probe(char **why G_GNUC_UNUSED)
{
    return true;
}

static bool take_engine(const Opts *o, TcgOptions *tcg, GError **err)
{
    static const char *const engines[] = { "jit", "interp", NULL };
    const char *e = opts_get(o, "engine");
    int i = e ? opt_choice("-accel tcg,engine", e, engines, err) : 0;
    tcg->interp = i == 1;
    return i >= 0;
}

static bool take_buffer(const Opts *o, TcgOptions *tcg, GError **err)
{
    uint64_t size = 0;
    if (!opts_size(o, "tb-size", 1 << 20, &size, err))
        return false;
    if (size && (size < BUF_MIN || size > (uint64_t)BUF_MAX_GB << 30)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-accel tcg,tb-size=%s: the code buffer takes 1 MiB to %d GiB", opts_get(o, "tb-size"),
                    BUF_MAX_GB);
        return false;
    }
    tcg->buf_size = size;
    return true;
}

static bool tcg_configure(const Opts *o, TcgOptions *tcg, GError **err)
{
    const char *thread = opts_get(o, "thread");
    static const char *const threads[] = { "multi", NULL };
    if (thread && opt_choice("-accel tcg,thread", thread, threads, err) < 0)
        return false;
    return take_engine(o, tcg, err) && take_buffer(o, tcg, err) && opts_bool(o, "one-insn", &tcg->one_insn, err) &&
           opts_bool(o, "one-insn-per-tb", &tcg->one_insn, err);
}

static char *tcg_describe(const TcgOptions *tcg)
{
    return g_strdup_printf("running by translation (tcg, %s%s)", tcg->interp ? "interpreter" : "code for " CONFIG_HOST,
                           tcg->one_insn ? ", one instruction at a time" : "");
}

static const char *const keys[] = { "accel", "engine", "one-insn", "one-insn-per-tb", "tb-size", "thread", NULL };
const AccelType accel_tcg = { .name = "tcg", .doc = "dynamic translation", .keys = keys, .probe = tcg_probe, .configure = tcg_configure,
                              .describe = tcg_describe };
