#include "util/opts.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util/log.h"

/* One piece up to an unescaped comma; ",," becomes ",". Moves *p behind it. */
static char *take_piece(const char **p)
{
    GString *s = g_string_new(NULL);
    for (; **p; (*p)++) {
        if (**p == ',') {
            if ((*p)[1] != ',') {
                (*p)++;
                break;
            }
            (*p)++;
        }
        g_string_append_c(s, **p);
    }
    return g_string_free(s, FALSE);
}

/* "flag" -> flag=on, "noflag" -> flag=off */
static OptPair flag_pair(const char *piece)
{
    if (g_str_has_prefix(piece, "no") && piece[2])
        return (OptPair) { g_strdup(piece + 2), g_strdup("off") };
    return (OptPair) { g_strdup(piece), g_strdup("on") };
}

static OptPair split_pair(const char *piece, const char *implied)
{
    const char *eq = strchr(piece, '=');
    if (eq && !(implied && strcspn(piece, ":/") < (size_t)(eq - piece)))
        return (OptPair) { g_strndup(piece, (gsize)(eq - piece)), g_strdup(eq + 1) };
    return implied ? (OptPair) { g_strdup(implied), g_strdup(piece) } : flag_pair(piece);
}

static void clear_pair(gpointer data)
{
    OptPair *p = data;
    g_free(p->key);
    g_free(p->value);
}

Opts *opts_parse(const char *text, const char *implied, GError **err)
{
    Opts *o = g_new(Opts, 1);
    o->pairs = g_array_new(FALSE, FALSE, sizeof(OptPair));
    g_array_set_clear_func(o->pairs, clear_pair);
    for (const char *p = text; *p; implied = NULL) {
        g_autofree char *piece = take_piece(&p);
        OptPair pair = split_pair(piece, implied);
        g_array_append_val(o->pairs, pair);
        if (!*pair.key) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s': an option name is missing before '%s' (write key=value, and ',,' "
                        "for a comma inside a value)", text, piece);
            opts_free(o);
            return NULL;
        }
    }
    return o;
}

void opts_free(Opts *o)
{
    if (!o)
        return;
    g_array_unref(o->pairs);
    g_free(o);
}

const char *opts_get(const Opts *o, const char *key)
{
    for (guint i = o->pairs->len; i-- > 0;) {
        const OptPair *p = &g_array_index(o->pairs, OptPair, i);
        if (!strcmp(p->key, key))
            return p->value;
    }
    return NULL;
}

bool opts_check(const Opts *o, const char *what, const char *const *names, GError **err)
{
    for (guint i = 0; i < o->pairs->len; i++) {
        const char *key = g_array_index(o->pairs, OptPair, i).key;
        if (g_strv_contains(names, key))
            continue;
        g_autofree char *near = closest_names(key, names);
        g_autofree char *all = g_strjoinv(", ", (char **)names);
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: no option '%s'%s (accepted: %s)", what, key, near, all);
        return false;
    }
    return true;
}

bool opts_bool(const Opts *o, const char *key, bool *out, GError **err)
{
    const char *v = opts_get(o, key);
    return !v || opt_bool(key, v, out, err);
}

bool opts_u64(const Opts *o, const char *key, uint64_t *out, GError **err)
{
    const char *v = opts_get(o, key);
    return !v || opt_u64(key, v, out, err);
}

bool opts_size(const Opts *o, const char *key, uint64_t unit, uint64_t *out, GError **err)
{
    const char *v = opts_get(o, key);
    return !v || opt_size(key, v, unit, out, err);
}

bool opt_bool(const char *name, const char *value, bool *out, GError **err)
{
    static const char *const yes[] = { "on", "yes", "true", "y", "1", NULL };
    static const char *const no[] = { "off", "no", "false", "n", "0", NULL };
    g_autofree char *v = g_ascii_strdown(value, -1);
    if (g_strv_contains(yes, v))
        *out = true;
    else if (g_strv_contains(no, v))
        *out = false;
    else {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: '%s' is neither 'on' nor 'off'", name, value);
        return false;
    }
    return true;
}

bool opt_u64(const char *name, const char *value, uint64_t *out, GError **err)
{
    bool hex = g_str_has_prefix(value, "0x") || g_str_has_prefix(value, "0X");
    char *end;
    errno = 0;
    uint64_t v = g_ascii_strtoull(hex ? value + 2 : value, &end, hex ? 16 : 10);
    if (errno || *end || !g_ascii_isxdigit(hex ? value[2] : value[0])) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: '%s' is not a number (123 or 0x7b)", name, value);
        return false;
    }
    *out = v;
    return true;
}

static uint64_t suffix_unit(char c)
{
    static const char letters[] = "bkmgtp";
    const char *p = c ? strchr(letters, g_ascii_tolower(c)) : NULL;
    return p ? (uint64_t)1 << (10 * (p - letters)) : 0;
}

bool opt_size(const char *name, const char *value, uint64_t unit, uint64_t *out, GError **err)
{
    if (g_str_has_prefix(value, "0x") || g_str_has_prefix(value, "0X")) {
        uint64_t v;
        if (opt_u64(name, value, &v, NULL) && v <= UINT64_MAX / unit)
            return *out = v * unit, true;
        goto bad;
    }
    char *end;
    double v = g_ascii_strtod(value, &end);
    uint64_t u = *end ? suffix_unit(*end) : unit;
    const char *rest = *end ? end + 1 : end;
    if (*rest && strcmp(rest, "B") && strcmp(rest, "iB"))
        u = 0;
    if (!g_ascii_isdigit(value[0]) || !u || !(v * (double)u < 0x1p63))
        goto bad;
    /* whole numbers exactly, fractions to the byte */
    errno = 0;
    uint64_t whole = g_ascii_strtoull(value, NULL, 10);
    *out = v == floor(v) ? whole * u : (uint64_t)(v * (double)u);
    return true;
bad:
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: '%s' is not a size (a number with k, M, G or T: 512M, 1.5G)", name, value);
    return false;
}

int opt_choice(const char *name, const char *value, const char *const *names, GError **err)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], value))
            return i;
    g_autofree char *near = closest_names(value, names);
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: '%s' is not known%s (accepted: %s)", name, value, near, all);
    return -1;
}
