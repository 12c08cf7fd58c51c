/* The choice of the accelerator. */
#include "accel/accel.h"

#include <string.h>

#include "util/log.h"

#define ACCEL(name) extern const AccelType accel_##name;
#include "accel/accels.def"
#undef ACCEL

const AccelType *const accel_types[] = {
#define ACCEL(name) &accel_##name,
#include "accel/accels.def"
#undef ACCEL
    NULL
};

/* Without a wish: this order. */
static const char default_order[] = "kvm:tcg";

static const AccelType *find(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(accel_types)];
    for (size_t i = 0; i < G_N_ELEMENTS(accel_types); i++)
        names[i] = accel_types[i] ? accel_types[i]->name : NULL;
    int i = opt_choice("-accel", name, names, err);
    return i < 0 ? NULL : accel_types[i];
}

typedef struct Try {
    bool asked;                          /* the user named it */
    TcgOptions *tcg;
    GString *why_not;                    /* "KVM: reason" of those that did not work */
} Try;

/* Tries one name with its options. */
static const AccelType *try_one(const char *name, const Opts *o, Try *t, GError **err)
{
    const AccelType *a = find(name, err);
    g_autofree char *why = NULL, *what = g_strdup_printf("-accel %s", name);
    if (!a)
        return NULL;
    if (a->probe(&why)) {
        if (o && !opts_check(o, what, a->keys, err))
            return NULL;
        return !o || a->configure(o, t->tcg, err) ? a : NULL;
    }
    g_string_append_printf(t->why_not, "%sno %s: %s", t->why_not->len ? "; " : "", a->name, why);
    return NULL;
}

/* "kvm:tcg" */
static const AccelType *try_list(const char *list, const Opts *o, Try *t, GError **err)
{
    g_auto(GStrv) names = g_strsplit(list, ":", -1);
    for (char **n = names; *n; n++) {
        GError *e = NULL;
        const AccelType *a = try_one(*n, names[1] ? NULL : o, t, &e);
        if (a)
            return a;
        if (e) {
            g_propagate_error(err, e);
            return NULL;
        }
    }
    return NULL;
}

static const AccelType *try_wishes(const GPtrArray *wanted, Try *t, GError **err)
{
    for (guint i = 0; i < wanted->len; i++) {
        GError *e = NULL;
        g_autoptr(Opts) o = opts_parse(wanted->pdata[i], "accel", &e);
        const char *list = o ? opts_get(o, "accel") : NULL;
        const AccelType *a = list ? try_list(list, o, t, &e) : NULL;
        if (a || e) {
            if (e)
                g_propagate_error(err, e);
            return a;
        }
    }
    return NULL;
}

bool accel_choose(const GPtrArray *wanted, TcgOptions *tcg, AccelChoice *out, GError **err)
{
    g_autoptr(GString) why = g_string_new(NULL);
    Try t = { .asked = wanted->len > 0, .tcg = tcg, .why_not = why };
    GError *e = NULL;
    out->type = t.asked ? try_wishes(wanted, &t, &e) : try_list(default_order, NULL, &t, &e);
    if (e) {
        g_propagate_error(err, e);
        return false;
    }
    if (!out->type) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s (-accel tcg runs everywhere; -accel kvm:tcg takes it when KVM is missing)", why->str);
        return false;
    }
    g_autofree char *what = out->type->describe(tcg);
    out->line = why->len ? g_strdup_printf("%s (%s)", what, why->str) : g_steal_pointer(&what);
    return true;
}

void accel_help(GString *out)
{
    g_string_append(out, "Accelerators:\n");
    for (const AccelType *const *a = accel_types; *a; a++) {
        g_autofree char *keys = g_strjoinv(", ", (char **)(*a)->keys + 1), *why = NULL;       /* [0] is the name itself */
        bool ok = (*a)->probe(&why);
        g_string_append_printf(out, "  %-5s %s%s%s%s%s\n", (*a)->name, (*a)->doc, *keys ? "; options: " : "", keys, ok ? "" : "; not here: ",
                               ok ? "" : why);
    }
}
