/* Devices: life, properties, regions, and the list of all types. */
#include "hw/core/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"
#include "util/ldst.h"

#define DEVICE(name) extern const DeviceType name##_type;
#include "hw/devices.def"
#undef DEVICE

const DeviceType *const dev_types[] = {
#define DEVICE(name) &name##_type,
#include "hw/devices.def"
#undef DEVICE
    NULL
};

enum { PORT_PRIORITY = 1, MMIO_PRIORITY = 1 };

const DeviceType *dev_type_find(const char *name)
{
    for (const DeviceType *const *t = dev_types; *t; t++)
        if (!strcmp((*t)->name, name))
            return *t;
    return NULL;
}

/* ---- properties ---- */

static bool is_prop(const Field *f) { return f->role == FIELD_ROLE_PROP; }

/* '-' and '_' are the same in a property's name. */
static bool prop_name_eq(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
            return false;
    return *a == *b;
}

static const Field *prop_find(const DeviceType *t, const char *name)
{
    for (const Field *f = t->fields; f->role != FIELD_ROLE_END; f++)
        if (is_prop(f) && prop_name_eq(f->name, name))
            return f;
    return NULL;
}

static void set_unknown_prop(const DeviceType *t, const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const Field *f = t->fields; f->role != FIELD_ROLE_END; f++)
        if (is_prop(f))
            g_ptr_array_add(names, (void *)f->name);
    bool any = names->len > 0;
    g_ptr_array_add(names, NULL);
    g_autofree char *close = closest_names(name, (const char *const *)names->pdata);
    if (!any) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: no property '%s': the device has no properties", t->name, name);
        return;
    }
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s: no property '%s'%s (properties: %s)", t->name, name, close, all);
}

static bool parse_bool(const char *v, bool *out)
{
    static const char *const yes[] = { "on", "yes", "true", "y", "1" }, *const no[] = { "off", "no", "false", "n", "0" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (!g_ascii_strcasecmp(v, yes[i]))
            return *out = true;
        if (!g_ascii_strcasecmp(v, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* A number in C notation with an optional suffix k, M, G, T. */
static bool parse_number(const char *v, uint64_t max, uint64_t *out)
{
    static const char suffix[] = "kmgt";
    char *end;
    errno = 0;
    uint64_t n = g_ascii_strtoull(v, &end, 0);
    if (end == v || errno || *v == '-')
        return false;
    if (*end) {
        const char *s = strchr(suffix, g_ascii_tolower(*end));
        if (!s || end[1])
            return false;
        unsigned shift = 10 * (unsigned)(s - suffix + 1);
        if (n > (UINT64_MAX >> shift))
            return false;
        n <<= shift;
    }
    *out = n;
    return n <= max;
}

static bool set_number(const DeviceType *t, void *obj, const Field *f, const char *value, GError **err)
{
    unsigned size = f->size / f->count;
    uint64_t max = size >= 8 ? UINT64_MAX : BIT(8 * size) - 1, n;
    if (!parse_number(value, max, &n)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s.%s: '%s' is not a number from 0 to %#" PRIx64
                    " (C notation; k, M, G, T multiply by 1024 ...)", t->name, f->name, value, max);
        return false;
    }
    st_le((char *)obj + f->offset, n, size);
    return true;
}

static bool prop_set(const DeviceType *t, void *obj, const char *name, const char *value, GError **err)
{
    const Field *f = prop_find(t, name);
    if (!f) {
        set_unknown_prop(t, name, err);
        return false;
    }
    void *p = (char *)obj + f->offset;
    if (f->type == FIELD_STRING) {
        g_free(*(char **)p);
        *(char **)p = g_strdup(value);
        return true;
    }
    if (f->type == FIELD_BOOL) {
        if (parse_bool(value, p))
            return true;
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s.%s: '%s' is neither 'on' nor 'off'", t->name, f->name, value);
        return false;
    }
    return set_number(t, obj, f, value, err);
}

bool dev_set(Device *d, const char *name, const char *value, GError **err)
{
    g_assert(!d->realized);
    if (!strcmp(name, "id")) {
        g_free(d->id);
        d->id = g_strdup(value);
        return true;
    }
    return prop_set(d->type, d, name, value, err);
}

/* ---- -global type.prop=value ---- */

/* Splits "type.prop=value"; the pieces are owned by the caller. */
static bool split_global(const char *text, char **type, char **prop, const char **value)
{
    const char *eq = strchr(text, '='), *dot = eq ? memchr(text, '.', (size_t)(eq - text)) : NULL;
    if (!dot || dot == text || dot + 1 == eq)
        return false;
    *type = g_strndup(text, (size_t)(dot - text));
    *prop = g_strndup(dot + 1, (size_t)(eq - dot - 1));
    *value = eq + 1;
    return true;
}

static void set_unknown_type(const char *name, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const DeviceType *const *t = dev_types; *t; t++)
        g_ptr_array_add(names, (void *)(*t)->name);
    g_ptr_array_add(names, NULL);
    g_autofree char *close = closest_names(name, (const char *const *)names->pdata);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "no device type '%s'%s; -device help lists them", name, close);
}

static bool check_global(const char *text, GError **err)
{
    g_autofree char *type = NULL, *prop = NULL;
    const char *value;
    if (!split_global(text, &type, &prop, &value)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s': expected TYPE.PROPERTY=VALUE", text);
        return false;
    }
    const DeviceType *t = dev_type_find(type);
    if (!t) {
        set_unknown_type(type, err);
        g_prefix_error(err, "-global: ");
        return false;
    }
    g_autofree void *scratch = g_malloc0(t->size);
    fields_init_props(t->fields, scratch);
    bool ok = prop_set(t, scratch, prop, value, err);
    fields_free_props(t->fields, scratch);
    if (!ok)
        g_prefix_error(err, "-global: ");
    return ok;
}

bool dev_globals_check(const GPtrArray *globals, GError **err)
{
    for (guint i = 0; globals && i < globals->len; i++)
        if (!check_global(globals->pdata[i], err))
            return false;
    return true;
}

static void apply_globals(Device *d)
{
    const GPtrArray *g = d->machine && d->machine->cfg ? d->machine->cfg->globals : NULL;
    for (guint i = 0; g && i < g->len; i++) {
        g_autofree char *type = NULL, *prop = NULL;
        const char *value;
        if (split_global(g->pdata[i], &type, &prop, &value) && !strcmp(type, d->type->name))
            prop_set(d->type, d, prop, value, NULL);     /* checked before */
    }
}

/* ---- life ---- */

Device *dev_new(Machine *m, const DeviceType *t)
{
    Device *d = g_malloc0(t->size);
    d->type = t;
    d->machine = m;
    fields_init_props(t->fields, d);
    apply_globals(d);
    return d;
}

bool dev_realize(Device *d, GError **err)
{
    g_assert(!d->realized);
    if (d->type->realize && !d->type->realize(d, err))
        return false;
    d->realized = true;
    g_ptr_array_add(d->machine->devices, d);
    return true;
}

static MemRegion *map_region(Device *d, MemRegion *parent, uint64_t at, MemRegion *mr, int priority)
{
    mem_add(parent, at, mr, priority);
    d->regions = g_slist_prepend(d->regions, mr);
    return mr;
}

MemRegion *dev_ports(Device *d, const char *name, uint16_t base, uint32_t len, const MemOps *ops)
{
    return map_region(d, d->machine->io_root, base, mem_io_new(name, len, ops, d), PORT_PRIORITY);
}

MemRegion *dev_mmio(Device *d, const char *name, uint64_t base, uint64_t size, const MemOps *ops)
{
    return map_region(d, d->machine->mem_root, base, mem_io_new(name, size, ops, d), MMIO_PRIORITY);
}

static void stop_timers(Device *d)
{
    for (const Field *f = d->type->fields; f->role != FIELD_ROLE_END; f++) {
        Timer *t = (Timer *)((char *)d + f->offset);
        if (f->role == FIELD_ROLE_TIMER && t->clock)
            timer_cancel(t);
    }
}

void dev_free(Device *d)
{
    if (!d)
        return;
    if (d->realized && d->machine->devices)
        g_ptr_array_remove(d->machine->devices, d);
    if (d->type->unrealize)
        d->type->unrealize(d);
    stop_timers(d);
    for (GSList *l = d->regions; l; l = l->next) {
        mem_del(l->data);
        mem_unref(l->data);
    }
    g_slist_free(d->regions);
    fields_free_props(d->type->fields, d);
    g_free(d->id);
    g_free(d);
}

void dev_reset(Device *d)
{
    fields_reset(d->type->fields, d);
    stop_timers(d);
    if (d->type->reset)
        d->type->reset(d);
}

/* ---- -device ---- */

static bool has_bus(Machine *m, const DeviceType *t, GError **err)
{
    const char *missing = NULL;
    if (t->bus == BUS_ISA && !m->isa_irq[0].fn)
        missing = "ISA";
    else if (t->bus == BUS_PCI && !m->pci)
        missing = "PCI";
    if (missing)
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "machine '%s' has no %s bus", m->type->name, missing);
    return !missing;
}

bool dev_add_config(Machine *m, const DeviceConfig *c, GError **err)
{
    const DeviceType *t = dev_type_find(c->type);
    if (!t) {
        set_unknown_type(c->type, err);
        g_prefix_error(err, "-device: ");
        return false;
    }
    if (t->internal) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-device %s: this part belongs to the board and cannot be added", t->name);
        return false;
    }
    Device *d = NULL;
    if (has_bus(m, t, err)) {
        d = dev_new(m, t);
        for (guint i = 0; c->props && i + 1 < c->props->len; i += 2)
            if (!dev_set(d, c->props->pdata[i], c->props->pdata[i + 1], err))
                goto fail;
        if (d->id && machine_device(m, d->id)) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "id '%s' is already taken by another device", d->id);
            goto fail;
        }
        if (dev_realize(d, err))
            return true;
    }
fail:
    dev_free(d);
    g_prefix_error(err, "-device %s: ", t->name);
    return false;
}

/* ---- help ---- */

static void print_default(const Field *f, GString *out)
{
    if (f->type == FIELD_STRING)
        g_string_append_printf(out, "string%s%s", f->def_str ? ", default " : "", f->def_str ? f->def_str : "");
    else if (f->type == FIELD_BOOL)
        g_string_append_printf(out, "on/off, default %s", f->init ? "on" : "off");
    else
        g_string_append_printf(out, "%u-bit number, default %#" PRIx64, 8 * f->size / f->count, f->init);
}

void dev_print_help(const DeviceType *t, GString *out)
{
    g_string_append_printf(out, "%s: %s\n", t->name, t->doc);
    bool any = false;
    for (const Field *f = t->fields; f->role != FIELD_ROLE_END; f++) {
        if (!is_prop(f))
            continue;
        any = true;
        g_string_append_printf(out, "  %-16s ", f->name);
        print_default(f, out);
        if (f->doc)
            g_string_append_printf(out, ": %s", f->doc);
        g_string_append_c(out, '\n');
    }
    if (!any)
        g_string_append(out, "  (no properties)\n");
}
