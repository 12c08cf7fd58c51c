/* Options about the machine itself: board, CPU, memory, accelerator, boot,
 * time, devices. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "ui/options.h"
#include "util/log.h"

enum { MIB = 1 << 20 };

static bool is_help(const char *arg)
{
    return !strcmp(arg, "help") || !strcmp(arg, "?");
}

/* ---- board ---- */

static void list_machines(Options *o)
{
    GString *s = g_string_new("Boards:\n");
    for (const MachineType *const *t = machine_types; *t; t++)
        g_string_append_printf(s, "  %-14s %s%s%s%s\n", (*t)->name, (*t)->doc, (*t)->alias ? " (also: " : "", (*t)->alias ? (*t)->alias : "",
                               (*t)->alias ? ")" : "");
    show(o, s);
}

static bool machine_unknown(const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const MachineType *const *t = machine_types; *t; t++) {
        g_ptr_array_add(names, (void *)(*t)->name);
        if ((*t)->alias)
            g_ptr_array_add(names, (void *)(*t)->alias);
    }
    g_ptr_array_add(names, NULL);
    opt_choice("-M", name, (const char *const *)names->pdata, err);
    return false;
}

static void add_machine_opt(Options *o, const char *key, const char *value)
{
    const char *old = o->cfg.machine_opts;
    g_autofree char *text = g_strdup_printf("%s%s%s=%s", old ? old : "", old ? "," : "", key, value);
    o->cfg.machine_opts = opt_keep(o, text);
}

/* -M options of other emulators that change nothing a guest of this version can see. */
static const char *const quiet_machine_opts[] = { "usb", "graphics", "dump-guest-core", "mem-merge", "vmport", "kernel_irqchip",
                                                  "kernel-irqchip", "suppress-vmdesc", "firmware", NULL };
static const char *const machine_opt_names[] = { "accel", "acpi", "hpet", "smm", "i8042", "pit", "sata", NULL };

static bool take_machine_opts(Options *o, const Opts *opts, GError **err)
{
    for (guint i = 0; i < opts->pairs->len; i++) {
        const OptPair *p = &g_array_index(opts->pairs, OptPair, i);
        if (!strcmp(p->key, "type"))
            continue;
        if (!strcmp(p->key, "accel"))
            g_ptr_array_add(o->accels, g_strdup(p->value));
        else if (g_strv_contains(machine_opt_names, p->key))
            add_machine_opt(o, p->key, p->value);
        else if (!g_strv_contains(quiet_machine_opts, p->key)) {
            g_autofree char *near = closest_names(p->key, machine_opt_names);
            g_autofree char *all = g_strjoinv(", ", (char **)machine_opt_names);
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "-M: no option '%s'%s (accepted: %s)", p->key, near, all);
            return false;
        }
    }
    return true;
}

bool opt_fn_machine(Options *o, const char *arg, GError **err)
{
    if (is_help(arg)) {
        list_machines(o);
        return true;
    }
    bool names_type = strchr(arg, '=') == NULL || strcspn(arg, ",") < strcspn(arg, "=");
    g_autoptr(Opts) opts = opts_parse(arg, names_type ? "type" : NULL, err);
    if (!opts)
        return false;
    const char *type = opts_get(opts, "type");
    if (type && !(o->machine = machine_type_find(type)))
        return machine_unknown(type, err);
    return take_machine_opts(o, opts, err);
}

bool opt_fn_no_hpet(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    add_machine_opt(o, "hpet", "off");
    return true;
}

bool opt_fn_no_acpi(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    add_machine_opt(o, "acpi", "off");
    return true;
}

bool opt_fn_nodefaults(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    o->cfg.nodefaults = true;
    return true;
}

bool opt_fn_name(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "guest", "process", "debug-threads", NULL };
    g_autoptr(Opts) opts = opts_parse(arg, "guest", err);
    if (!opts || !opts_check(opts, "-name", names, err))
        return false;
    o->name = opt_keep(o, opts_get(opts, "guest"));
    return true;
}

bool opt_fn_uuid(Options *o, const char *arg, GError **err)
{
    if (!g_uuid_string_is_valid(arg)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-uuid %s: expected xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", arg);
        return false;
    }
    o->uuid = opt_keep(o, arg);
    return true;
}

/* ---- CPU, memory, accelerator ---- */

bool opt_fn_cpu(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    if (is_help(arg)) {
        const CpuArch *arch = arch_find(o->machine ? o->machine->arch : "x86");
        GString *s = g_string_new(NULL);
        arch->init();
        arch->list_models(s);
        show(o, s);
        return true;
    }
    o->cfg.cpu_model = opt_keep(o, arg);
    return true;
}

bool opt_fn_smp(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "cpus", "sockets", "dies", "cores", "threads", "maxcpus", NULL };
    g_autoptr(Opts) opts = opts_parse(arg, strncmp(arg, "cpus=", 5) ? "cpus" : NULL, err);
    uint64_t n = 0, product = 1, max = 0;
    if (!opts || !opts_check(opts, "-smp", names, err) || !opts_u64(opts, "cpus", &n, err) || !opts_u64(opts, "maxcpus", &max, err))
        return false;
    for (int i = 1; i <= 4; i++) {
        uint64_t v = 1;
        if (!opts_u64(opts, names[i], &v, err))
            return false;
        product *= v && v < 1024 ? v : 1024;
    }
    if (!opts_get(opts, "cpus"))
        n = max ? max : product;
    if (n == 0 || n > 1024 || (max && max < n)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-smp %s: %s", arg, n && n <= 1024 ? "maxcpus is less than cpus"
                                                                                  : "the number of CPUs must be from 1 to 1024");
        return false;
    }
    o->cfg.smp = (unsigned)n;
    return true;
}

/* Memory is touched lazily, so more than the host has is allowed, but not by orders of magnitude. */
static bool host_could_give(uint64_t size, GError **err)
{
    enum { TIMES = 8 };
    struct sysinfo si;
    if (sysinfo(&si) != 0)
        return true;
    uint64_t have = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
    if (size / TIMES <= have)
        return true;
    g_set_error(err, RHEA_ERROR, ERR_RUN, "-m: this host cannot give %" PRIu64 " MiB; it has %" PRIu64 " MiB of memory and swap", size / MIB,
                have / MIB);
    return false;
}

bool opt_fn_memory(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "size", "slots", "maxmem", NULL };
    g_autoptr(Opts) opts = opts_parse(arg, strncmp(arg, "size=", 5) ? "size" : NULL, err);
    uint64_t size = 0;
    if (!opts || !opts_check(opts, "-m", names, err) || !opts_size(opts, "size", MIB, &size, err)) {
        g_prefix_error(err, "-m %s: ", arg);
        return false;
    }
    if (size < MIB) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-m %s: a machine needs at least 1M of memory", arg);
        return false;
    }
    o->cfg.ram_size = (size + 4095) & ~(uint64_t)4095;
    return host_could_give(size, err);
}

bool opt_fn_accel(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    if (is_help(arg)) {
        GString *s = g_string_new(NULL);
        accel_help(s);
        show(o, s);
        return true;
    }
    g_ptr_array_add(o->accels, g_strdup(arg));
    return true;
}

bool opt_fn_enable_kvm(Options *o, const char *arg G_GNUC_UNUSED, GError **err)
{
    return opt_fn_accel(o, "kvm", err);
}

/* ---- firmware, kernel, boot order ---- */

static bool readable(const char *option, const char *path, GError **err)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s %s: is a folder, a file is wanted", option, path);
    else if (access(path, R_OK) != 0)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s %s: %s", option, path, g_strerror(errno));
    else
        return true;
    return false;
}

bool opt_fn_bios(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    o->cfg.bios = opt_keep(o, arg);
    return true;
}

bool opt_fn_firmware_dir(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    g_ptr_array_add(o->cfg.fw_paths, g_strdup(arg));
    return true;
}

bool opt_fn_kernel(Options *o, const char *arg, GError **err)
{
    o->cfg.kernel = opt_keep(o, arg);
    return readable("-kernel", arg, err);
}

bool opt_fn_initrd(Options *o, const char *arg, GError **err)
{
    o->cfg.initrd = opt_keep(o, arg);
    return strchr(arg, ',') || readable("-initrd", arg, err);    /* a comma: a list of multiboot modules */
}

bool opt_fn_append(Options *o, const char *arg, GError **err G_GNUC_UNUSED)
{
    o->cfg.append = opt_keep(o, arg);
    return true;
}

static bool order_ok(const char *order, GError **err)
{
    for (const char *p = order; *p; p++) {
        if (!strchr("abcdn", *p) || strchr(p + 1, *p)) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "-boot: '%s': '%c' is %s (a, b: floppy, c: disk, d: CD-ROM, n: network)", order, *p,
                        strchr("abcdn", *p) ? "there twice" : "no boot device");
            return false;
        }
    }
    return true;
}

bool opt_fn_boot(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "order", "once", "menu", "strict", "splash", "splash-time", "reboot-timeout", NULL };
    g_autoptr(Opts) opts = opts_parse(arg, strchr(arg, '=') && strcspn(arg, "=") < strcspn(arg, ",") ? NULL : "order", err);
    if (!opts || !opts_check(opts, "-boot", names, err) || !opts_bool(opts, "menu", &o->cfg.boot_menu, err) ||
        !opts_bool(opts, "strict", &o->cfg.boot_strict, err))
        return false;
    const char *order = opts_get(opts, "order"), *once = opts_get(opts, "once");
    if ((order && !order_ok(order, err)) || (once && !order_ok(once, err)))
        return false;
    if (order)
        o->cfg.boot_order = opt_keep(o, order);
    if (once) {
        o->boot_once = opt_keep(o, o->cfg.boot_order ? o->cfg.boot_order : "cad");
        o->cfg.boot_order = opt_keep(o, once);
    }
    return true;
}

/* ---- time ---- */

static bool take_rtc_base(Options *o, const char *base, GError **err)
{
    if (!strcmp(base, "utc") || !strcmp(base, "localtime")) {
        o->cfg.rtc_localtime = base[0] == 'l';
        return true;
    }
    g_autofree char *iso = strchr(base, 'T') ? g_strdup(base) : g_strconcat(base, "T00:00:00", NULL);
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(iso, utc);
    if (!t) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-rtc: base '%s' is none of utc, localtime, 2026-01-31, 2026-01-31T12:30:00", base);
        return false;
    }
    o->cfg.rtc_base = g_date_time_to_unix(t);
    return true;
}

bool opt_fn_rtc(Options *o, const char *arg, GError **err)
{
    static const char *const names[] = { "base", "clock", "driftfix", NULL }, *const clocks[] = { "host", "rt", "vm", NULL };
    g_autoptr(Opts) opts = opts_parse(arg, NULL, err);
    if (!opts || !opts_check(opts, "-rtc", names, err))
        return false;
    const char *base = opts_get(opts, "base"), *clock = opts_get(opts, "clock");
    int c = clock ? opt_choice("-rtc: clock", clock, clocks, err) : 0;
    o->cfg.rtc_clock_vm = c == 2;
    return c >= 0 && (!base || take_rtc_base(o, base, err));
}

bool opt_fn_localtime(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    o->cfg.rtc_localtime = true;
    return true;
}

/* ---- devices ---- */

static void list_devices(Options *o)
{
    static const char *const buses[BUS_KINDS] = { [BUS_NONE] = "no bus", [BUS_SYSTEM] = "system", [BUS_ISA] = "ISA", [BUS_PCI] = "PCI",
                                                  [BUS_IDE] = "IDE", [BUS_FLOPPY] = "floppy" };
    GString *s = g_string_new("Devices for -device (-device TYPE,help lists properties):\n");
    for (const DeviceType *const *t = dev_types; *t; t++)
        if (!(*t)->internal)
            g_string_append_printf(s, "  %-18s %-7s %s\n", (*t)->name, buses[(*t)->bus] ? buses[(*t)->bus] : "", (*t)->doc);
    show(o, s);
}

static const DeviceType *device_find(const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const DeviceType *const *t = dev_types; *t; t++) {
        if (!strcmp((*t)->name, name))
            return *t;
        if (!(*t)->internal)
            g_ptr_array_add(names, (void *)(*t)->name);
    }
    g_ptr_array_add(names, NULL);
    g_autofree char *near = closest_names(name, (const char *const *)names->pdata);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "-device: no device '%s'%s ('-device help' lists them)", name, near);
    return NULL;
}

bool opt_fn_device(Options *o, const char *arg, GError **err)
{
    if (is_help(arg)) {
        list_devices(o);
        return true;
    }
    g_autoptr(Opts) opts = opts_parse(arg, strncmp(arg, "driver=", 7) ? "driver" : NULL, err);
    const char *name = opts ? opts_get(opts, "driver") : NULL;
    const DeviceType *t = name ? device_find(name, err) : NULL;
    if (!t)
        return false;
    if (opts_get(opts, "help") || opts_get(opts, "?")) {
        GString *s = g_string_new(NULL);
        dev_print_help(t, s);
        show(o, s);
        return true;
    }
    DeviceConfig *d = g_new0(DeviceConfig, 1);
    d->type = g_strdup(name);
    d->props = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < opts->pairs->len; i++) {
        const OptPair *p = &g_array_index(opts->pairs, OptPair, i);
        if (!strcmp(p->key, "driver"))
            continue;
        g_ptr_array_add(d->props, g_strdup(p->key));
        g_ptr_array_add(d->props, g_strdup(p->value));
    }
    g_ptr_array_add(o->cfg.devices, d);
    return true;
}

/* "type.prop=value", or driver=type,property=prop,value=value */
bool opt_fn_global(Options *o, const char *arg, GError **err)
{
    g_autofree char *text = g_strdup(arg);
    if (g_str_has_prefix(arg, "driver=")) {
        static const char *const names[] = { "driver", "property", "value", NULL };
        g_autoptr(Opts) opts = opts_parse(arg, NULL, err);
        if (!opts || !opts_check(opts, "-global", names, err))
            return false;
        const char *p = opts_get(opts, "property"), *v = opts_get(opts, "value");
        g_free(text);
        text = g_strdup_printf("%s.%s=%s", opts_get(opts, "driver"), p ? p : "", v ? v : "");
    }
    static const char port[] = "isa-debugcon.iobase=";
    uint64_t n;
    if (g_str_has_prefix(text, port) && opt_u64("iobase", text + strlen(port), &n, NULL) && n <= UINT16_MAX)
        o->cfg.debugcon_port = (uint16_t)n;
    g_ptr_array_add(o->cfg.globals, g_steal_pointer(&text));
    return true;
}
