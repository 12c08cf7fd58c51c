/* Key names (keys.def) and combinations of them: "ctrl-alt-delete". */
#include <string.h>

#include "ui/input.h"
#include "util/log.h"
#include "util/opts.h"

enum { KEY_MAX = 255 };

static const struct { const char *name; unsigned code; } keys[] = {
#define KEY(name, code) { name, code },
#include "ui/keys.def"
#undef KEY
};

static const struct { const char *alias, *name; } aliases[] = {
    { "ctrl_l", "ctrl" }, { "del", "delete" }, { "enter", "ret" }, { "escape", "esc" },
    { "pagedown", "pgdn" }, { "pageup", "pgup" }, { "return", "ret" }, { "space", "spc" }, { "altgr", "alt_r" },
};

const char *const *input_key_names(void)
{
    static const char *const names[] = {
#define KEY(name, code) name,
#include "ui/keys.def"
#undef KEY
        NULL
    };
    return names;
}

static bool key_code(const char *name, unsigned *code, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (!strcmp(aliases[i].alias, name))
            name = aliases[i].name;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!strcmp(keys[i].name, name)) {
            *code = keys[i].code;
            return true;
        }
    }
    uint64_t n;
    if (g_str_has_prefix(name, "0x") && opt_u64("key", name, &n, NULL) && n > 0 && n <= KEY_MAX) {
        *code = (unsigned)n;
        return true;
    }
    g_autofree char *near = closest_names(name, input_key_names());
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "no key '%s'%s (names like a, 1, ret, f1, ctrl, or a code 0x1 to 0xff)", name, near);
    return false;
}

int input_parse_keys(const char *text, unsigned *out, int max, GError **err)
{
    g_auto(GStrv) names = g_strsplit(text, "-", -1);
    int n = 0;
    if (!*text) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "no key given");
        return -1;
    }
    for (char **p = names; *p; p++) {
        if (n == max) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s': more than %d keys at once", text, max);
            return -1;
        }
        if (!key_code(*p, &out[n++], err))
            return -1;
    }
    return n;
}
