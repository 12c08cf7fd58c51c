/* Options about what a person or a script sees: screen, serial ports,
 * monitors; and about the course of the run. */
#include <string.h>

#include "ui/chr.h"
#include "ui/options.h"
#include "util/log.h"

enum { SERIAL_PORTS = 4 };

static bool not_here(const char *what, const char *given, const char *accepted, GError **err)
{
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s %s: not available in this version (accepted: %s)", what, given, accepted);
    return false;
}

/* ---- screen ---- */

bool opt_fn_nographic(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    o->nographic = true;
    return true;
}

bool opt_fn_display(Options *o, const char *arg, GError **err)
{
    static const char *const later[] = { "sdl", "gtk", "vnc", "curses", "cocoa", "dbus", "spice-app", "egl-headless", NULL };
    static const char *const names[] = { "none", NULL };
    g_autofree char *kind = g_strndup(arg, strcspn(arg, ",="));
    if (!strcmp(kind, "help")) {
        show(o, g_string_new("Displays:\n  none   no window; see the screen with screendump in a monitor\n"));
        return true;
    }
    if (g_strv_contains(later, kind))
        return not_here("-display", arg, "none; the screen can be seen with screendump in a monitor", err);
    o->display = DISPLAY_NONE;
    return opt_choice("-display", kind, names, err) >= 0;
}

bool opt_fn_vnc(Options *o G_GNUC_UNUSED, const char *arg, GError **err)
{
    return !strcmp(arg, "none") || not_here("-vnc", arg, "none", err);
}

bool opt_fn_vga(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "std", "none", NULL };
    static const char *const later[] = { "cirrus", "vmware", "qxl", "virtio", "xenfb", "tcx", "cg3", NULL };
    if (!strcmp(arg, "help")) {
        show(o, g_string_new("Display adapters:\n  std    VGA with Bochs VBE\n  none   no adapter\n"));
        return true;
    }
    if (g_strv_contains(later, arg))
        return not_here("-vga", arg, "std, none", err);
    o->cfg.vga = opt_keep(o, arg);
    return opt_choice("-vga", arg, names, err) >= 0;
}

/* Layouts matter to displays that see symbols instead of keys (VNC). */
bool opt_fn_keyboard(Options *o G_GNUC_UNUSED, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    return true;
}

/* ---- serial ports ---- */

bool opt_fn_serial(Options *o, const char *arg, GError **err)
{
    if (o->serials->len == SERIAL_PORTS) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-serial %s: there are %d serial ports", arg, SERIAL_PORTS);
        return false;
    }
    o->monitor_given |= g_str_has_prefix(arg, "mon:");
    g_ptr_array_add(o->serials, g_strdup(arg));
    return true;
}

bool opt_fn_parallel(Options *o, const char *arg, GError **err)
{
    o->parallel_given = true;
    return !strcmp(arg, "none") || !strcmp(arg, "null") || not_here("-parallel", arg, "none", err);
}

bool opt_fn_debugcon(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    o->monitor_given |= g_str_has_prefix(arg, "mon:");
    o->debugcon = opt_keep(o, arg);
    return true;
}

bool opt_fn_chardev(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    if (!strcmp(arg, "help")) {
        GString *s = g_string_new(NULL);
        chr_help(s);
        show(o, s);
        return true;
    }
    g_ptr_array_add(o->chardevs, g_strdup(arg));
    return true;
}

/* ---- monitors ---- */

static void add_monitor(Options *o, const char *chardev, bool qmp, bool pretty)
{
    MonitorSpec *m = g_new(MonitorSpec, 1);
    *m = (MonitorSpec) { g_strdup(chardev), qmp, pretty };
    g_ptr_array_add(o->monitors, m);
}

bool opt_fn_monitor(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    o->monitor_given = true;
    if (strcmp(arg, "none"))
        add_monitor(o, arg, false, false);
    return true;
}

bool opt_fn_qmp(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    add_monitor(o, arg, true, false);
    return true;
}

bool opt_fn_qmp_pretty(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    add_monitor(o, arg, true, true);
    return true;
}

bool opt_fn_mon(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "chardev", "mode", "pretty", NULL }, *const modes[] = { "readline", "control", NULL };
    bool named = strcspn(arg, "=") < strcspn(arg, ",");
    g_autoptr(Opts) opts = opts_parse(arg, named ? NULL : "chardev", err);
    bool pretty = false;
    if (!opts || !opts_check(opts, "-mon", names, err) || !opts_bool(opts, "pretty", &pretty, err))
        return false;
    const char *id = opts_get(opts, "chardev"), *mode = opts_get(opts, "mode");
    int i = mode ? opt_choice("-mon: mode", mode, modes, err) : 0;
    if (i < 0)
        return false;
    if (!id) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-mon %s: 'chardev=ID' is missing", arg);
        return false;
    }
    g_autofree char *spec = g_strconcat("chardev:", id, NULL);
    add_monitor(o, spec, i == 1, pretty);
    o->monitor_given = true;
    return true;
}

/* ---- network: none for now ---- */

bool opt_fn_nic(Options *o G_GNUC_UNUSED, const char *arg, GError **err)
{
    return !strcmp(arg, "none") || not_here("network:", arg, "none", err);
}

bool opt_fn_netdev(Options *o, const char *arg, GError **err)
{
    if (strcmp(arg, "help"))
        return not_here("-netdev", arg, "none: guests have no network", err);
    show(o, g_string_new("Network back ends: none in this version\n"));
    return true;
}

/* ---- course of the run ---- */

#define FLAG(fn, member) \
    bool opt_fn_##fn(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED) \
    { \
        o->member = true; \
        return true; \
    }
#define TEXT(fn, member) \
    bool opt_fn_##fn(Options *o, const char *arg, GError **err G_GNUC_UNUSED) \
    { \
        o->member = opt_keep(o, arg); \
        return true; \
    }
FLAG(stopped, stopped)
FLAG(no_reboot, no_reboot)
FLAG(no_shutdown, no_shutdown)
FLAG(daemonize, daemonize)
TEXT(pidfile, pidfile)
TEXT(log_file, log_file)

bool opt_fn_log_items(Options *o, const char *arg, GError **err)
{
    GString *help = g_string_new(NULL);
    uint32_t mask;
    bool ok = log_parse(arg, &mask, help, err);
    if (ok && help->len) {
        show(o, help);
        return true;
    }
    g_string_free(help, TRUE);
    if (ok)
        o->log_items = opt_keep(o, arg);
    return ok;
}

/* ---- opening ---- */

/* What -nographic and the lack of options stand for. */
static void add_defaults(Options *o)
{
    bool serial_given = o->serials->len > 0 || o->cfg.nodefaults, mon_given = o->monitor_given || o->cfg.nodefaults;
    if (!o->nographic) {
        if (!serial_given)
            g_ptr_array_add(o->serials, g_strdup("null"));
        return;
    }
    if (!serial_given)
        g_ptr_array_add(o->serials, g_strdup(mon_given ? "stdio" : "mon:stdio"));
    else if (!mon_given)
        add_monitor(o, "stdio", false, false);
}

static bool open_serials(Options *o, GError **err)
{
    for (guint i = 0; i < o->serials->len; i++) {
        g_autofree char *id = g_strdup_printf("serial%u", i);
        GError *e = NULL;
        o->cfg.serial[i] = chr_new(id, o->serials->pdata[i], &e);
        if (e) {
            g_propagate_prefixed_error(err, e, "-serial %s: ", (char *)o->serials->pdata[i]);
            return false;
        }
    }
    return true;
}

static bool open_debugcon(Options *o, GError **err)
{
    GError *e = NULL;
    if (o->debugcon)
        o->cfg.debugcon = chr_new("debugcon", o->debugcon, &e);
    if (e)
        g_propagate_prefixed_error(err, e, "-debugcon %s: ", o->debugcon);
    return !e;
}

bool resolve_chardevs(Options *o, GError **err)
{
    add_defaults(o);
    for (guint i = 0; i < o->chardevs->len; i++) {
        if (!chr_new_opts(o->chardevs->pdata[i], err)) {
            g_prefix_error(err, "-chardev %s: ", (char *)o->chardevs->pdata[i]);
            return false;
        }
    }
    return open_serials(o, err) && open_debugcon(o, err);
}
