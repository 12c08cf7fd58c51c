/* Finding options, their arguments, and -help. */
#include "ui/options.h"

#include <string.h>

#include "config.h"
#include "util/log.h"

typedef struct OptionRow {
    const char *name, *alias, *arg, *help;
    OptionFn *fn;
    const char *section;                 /* a heading row */
    const char *later;                   /* why it is refused */
    bool later_arg;
} OptionRow;

static const OptionRow rows[] = {
#define OPT(n, al, ar, f, h) { .name = n, .alias = al, .arg = ar, .fn = opt_fn_##f, .help = h },
#define SECTION(title) { .section = title },
#define LATER(n, has_arg, what) { .name = n, .later = what, .later_arg = has_arg },
#include "ui/options.def"
#undef OPT
#undef SECTION
#undef LATER
};

char *opt_keep(Options *o, const char *text)
{
    char *copy = g_strdup(text);
    g_ptr_array_add(o->owned, copy);
    return copy;
}

void show(Options *o, GString *text)
{
    print_line("%s", text->str);
    g_string_free(text, TRUE);
    o->help_shown = true;
}

/* ---- help ---- */

static void print_row(const OptionRow *r, GString *s)
{
    g_autofree char *left = g_strdup_printf("-%s%s%s%s%s", r->name, r->alias ? ", -" : "", r->alias ? r->alias : "", r->arg ? " " : "",
                                            r->arg ? r->arg : "");
    enum { COLUMN = 26 };
    bool wide = strlen(left) >= COLUMN - 3;
    g_string_append_printf(s, "  %-*s", wide ? 0 : COLUMN - 2, left);
    if (wide)
        g_string_append_printf(s, "\n%*s", COLUMN, "");
    for (const char *p = r->help; *p; p++) {
        g_string_append_c(s, *p);
        if (*p == '\n')
            g_string_append_printf(s, "%*s", COLUMN, "");
    }
    g_string_append_c(s, '\n');
}

bool opt_fn_help(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    GString *s = g_string_new("Usage: rhea-system-x86_64 [OPTION]... [DISK IMAGE]\n");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].section)
            g_string_append_printf(s, "\n%s\n", rows[i].section);
        else if (rows[i].help)
            print_row(&rows[i], s);
    }
    g_string_append(s, "\nInstall from a CD and run:  rhea-system-x86_64 -hda disk.img -cdrom os.iso -m 512 -boot d\n");
    show(o, s);
    return true;
}

bool opt_fn_version(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    show(o, g_string_new("rhea " CONFIG_VERSION));
    return true;
}

bool opt_fn_ignore(Options *o G_GNUC_UNUSED, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    return true;
}

bool opt_fn_ignore_arg(Options *o G_GNUC_UNUSED, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    return true;
}

/* ---- parsing ---- */

static const OptionRow *row_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].name && (!strcmp(rows[i].name, name) || !g_strcmp0(rows[i].alias, name)))
            return &rows[i];
    return NULL;
}

static void unknown(const char *given, GError **err)
{
    const char *names[2 * G_N_ELEMENTS(rows) + 1] = { 0 };
    size_t n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].name && !rows[i].later)
            names[n++] = rows[i].name;
        if (rows[i].alias)
            names[n++] = rows[i].alias;
    }
    g_autofree char *near = closest_names(given, names);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "-%s: no such option%s (-help lists them)", given, near);
}

static const char *default_machine(const char *argv0 G_GNUC_UNUSED)
{
    return "pc";                         /* of every x86 link, and of rhea itself */
}

static bool take_option(Options *o, const char *name, const char *arg, bool *used_arg, GError **err)
{
    const OptionRow *r = row_find(name);
    if (!r) {
        unknown(name, err);
        return false;
    }
    if (r->later) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-%s: %s", name, r->later);
        return false;
    }
    if (r->arg && !arg) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-%s: an argument is missing: -%s %s", name, name, r->arg);
        return false;
    }
    *used_arg = r->arg != NULL;
    return r->fn(o, arg, err);
}

bool options_parse(Options *o, int argc, char **argv, GError **err)
{
    g_autofree char *base = g_path_get_basename(argv[0]);
    const char *machine = default_machine(base);
    for (int i = 1; i < argc && !o->help_shown; i++) {
        const char *a = argv[i];
        bool used_arg = false;
        if (a[0] != '-' || !a[1]) {
            if (!opt_fn_hda(o, a, err))
                return false;
            continue;
        }
        if (!take_option(o, a + 1 + (a[1] == '-'), i + 1 < argc ? argv[i + 1] : NULL, &used_arg, err))
            return false;
        i += used_arg;
    }
    return o->help_shown || o->machine || opt_fn_machine(o, machine, err);
}

/* ---- life ---- */

static void free_drive_spec(gpointer p)
{
    DriveSpec *d = p;
    g_free(d->file);
    g_free(d->format);
    g_free(d->id);
    g_free(d);
}

static void free_drive(gpointer p)
{
    DriveConfig *d = p;
    if (d->blk)
        blk_unref(d->blk);
    g_free(d->id);
    g_free(d);
}

static void free_device(gpointer p)
{
    DeviceConfig *d = p;
    g_free(d->type);
    g_ptr_array_unref(d->props);
    g_free(d);
}

static void free_monitor(gpointer p)
{
    MonitorSpec *m = p;
    g_free(m->chardev);
    g_free(m);
}

void options_init(Options *o)
{
    *o = (Options) { 0 };
    o->owned = g_ptr_array_new_with_free_func(g_free);
    o->accels = g_ptr_array_new_with_free_func(g_free);
    o->drive_specs = g_ptr_array_new_with_free_func(free_drive_spec);
    o->chardevs = g_ptr_array_new_with_free_func(g_free);
    o->serials = g_ptr_array_new_with_free_func(g_free);
    o->monitors = g_ptr_array_new_with_free_func(free_monitor);
    o->cfg.drives = g_ptr_array_new_with_free_func(free_drive);
    o->cfg.devices = g_ptr_array_new_with_free_func(free_device);
    o->cfg.globals = g_ptr_array_new_with_free_func(g_free);
    o->cfg.fw_paths = g_ptr_array_new_with_free_func(g_free);
    o->cfg.smp = 1;
    o->cfg.rtc_base = INT64_MIN;
    o->cfg.debugcon_port = 0xe9;
}

void options_free(Options *o)
{
    GPtrArray *arrays[] = { o->owned, o->accels, o->drive_specs, o->chardevs, o->serials, o->monitors, o->cfg.drives, o->cfg.devices,
                            o->cfg.globals, o->cfg.fw_paths };
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_ptr_array_unref(arrays[i]);
}

static void add_firmware_dirs(Options *o)
{
    static const char *const dirs[] = { CONFIG_PREFIX "/share/rhea", CONFIG_SOURCE "/pc-bios", "/usr/share/seabios", "/usr/share/qemu",
                                        "/usr/share/vgabios", "/usr/lib/ipxe/qemu" };
    for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++)
        g_ptr_array_add(o->cfg.fw_paths, g_strdup(dirs[i]));
}

bool options_resolve(Options *o, GError **err)
{
    add_firmware_dirs(o);
    if (!o->cfg.ram_size)
        o->cfg.ram_size = o->machine->default_ram;
    return resolve_drives(o, err) && resolve_chardevs(o, err);
}
