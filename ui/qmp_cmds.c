/* The commands of qmp.def. */
#include "ui/qmp_cmds.h"

#include <string.h>

#include "ui/chr.h"
#include "util/log.h"
#include "util/loop.h"

enum { KEYS_MAX = 16, HOLD_MAX = 60000 };

#define X QmpContext *x G_GNUC_UNUSED
#define ARGS JsonObject *args G_GNUC_UNUSED
#define ERR GError **err G_GNUC_UNUSED

static JsonNode *object_node(JsonObject *o_take)
{
    JsonNode *n = json_node_init_object(json_node_alloc(), o_take);
    json_object_unref(o_take);
    return n;
}

static JsonNode *array_node(JsonArray *a_take)
{
    JsonNode *n = json_node_init_array(json_node_alloc(), a_take);
    json_array_unref(a_take);
    return n;
}

static const char *str(JsonObject *args, const char *name)
{
    return json_object_has_member(args, name) ? json_object_get_string_member(args, name) : NULL;
}

static int64_t num(JsonObject *args, const char *name, int64_t otherwise)
{
    return json_object_has_member(args, name) ? json_object_get_int_member(args, name) : otherwise;
}

/* ---- run control ---- */

JsonNode *qmp_stop(X, ARGS, ERR)
{
    run_stop(x->run);
    return NULL;
}

JsonNode *qmp_cont(X, ARGS, ERR)
{
    run_cont(x->run, err);
    return NULL;
}

/* These answer first and act from the main loop, so that the events follow the reply. */
static void later_reset(void *run) { run_reset(run); }
static void later_powerdown(void *run) { run_powerdown(run); }
static void later_quit(void *run) { run_quit(run, "host-qmp-quit"); }

JsonNode *qmp_system_reset(X, ARGS, ERR)
{
    loop_post(later_reset, x->run);
    return NULL;
}

JsonNode *qmp_system_powerdown(X, ARGS, ERR)
{
    loop_post(later_powerdown, x->run);
    return NULL;
}

JsonNode *qmp_quit(X, ARGS, ERR)
{
    loop_post(later_quit, x->run);
    return NULL;
}

JsonNode *qmp_inject_nmi(X, ARGS, ERR)
{
    for (unsigned i = 0; x->m->cpus && i < x->m->cpus->n; i++)
        cpu_interrupt(x->m->cpus->cpu[i], CPU_IRQ_NMI);
    return NULL;
}

/* ---- queries ---- */

JsonNode *qmp_query_status(X, ARGS, ERR)
{
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "status", run_state_name(x->m));
    json_object_set_boolean_member(o, "singlestep", x->m->cfg->tcg.one_insn);
    json_object_set_boolean_member(o, "running", run_is_running(x->m));
    return object_node(o);
}

JsonNode *qmp_query_version(X, ARGS, ERR)
{
    return object_node(qmp_version_object());
}

JsonNode *qmp_query_kvm(X, ARGS, ERR)
{
    JsonObject *o = json_object_new();
    json_object_set_boolean_member(o, "enabled", FALSE);
    json_object_set_boolean_member(o, "present", FALSE);
    return object_node(o);
}

JsonNode *qmp_query_name(X, ARGS, ERR)
{
    JsonObject *o = json_object_new();
    if (x->options->name)
        json_object_set_string_member(o, "name", x->options->name);
    return object_node(o);
}

JsonNode *qmp_query_uuid(X, ARGS, ERR)
{
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "UUID", x->options->uuid ? x->options->uuid : "00000000-0000-0000-0000-000000000000");
    return object_node(o);
}

JsonNode *qmp_query_target(X, ARGS, ERR)
{
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "arch", "x86_64");
    return object_node(o);
}

JsonNode *qmp_query_machines(X, ARGS, ERR)
{
    JsonArray *a = json_array_new();
    for (const MachineType *const *t = machine_types; *t; t++) {
        JsonObject *o = json_object_new();
        json_object_set_string_member(o, "name", (*t)->name);
        if ((*t)->alias)
            json_object_set_string_member(o, "alias", (*t)->alias);
        json_object_set_int_member(o, "cpu-max", (*t)->max_cpus);
        json_object_set_boolean_member(o, "hotpluggable-cpus", FALSE);
        json_object_set_boolean_member(o, "numa-mem-supported", FALSE);
        json_object_set_boolean_member(o, "deprecated", FALSE);
        json_array_add_object_element(a, o);
    }
    return array_node(a);
}

JsonNode *qmp_query_cpus_fast(X, ARGS, ERR)
{
    JsonArray *a = json_array_new();
    for (unsigned i = 0; x->m->cpus && i < x->m->cpus->n; i++) {
        JsonObject *o = json_object_new();
        json_object_set_int_member(o, "cpu-index", i);
        json_object_set_string_member(o, "target", "x86_64");
        json_array_add_object_element(a, o);
    }
    return array_node(a);
}

static void add_chardev(Chardev *c, void *opaque)
{
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "label", c->id);
    json_object_set_string_member(o, "filename", c->desc);
    json_object_set_boolean_member(o, "frontend-open", c->front != NULL);
    json_array_add_object_element(opaque, o);
}

JsonNode *qmp_query_chardev(X, ARGS, ERR)
{
    JsonArray *a = json_array_new();
    chr_foreach(add_chardev, a);
    return array_node(a);
}

static JsonObject *inserted(const BlockDev *b)
{
    JsonObject *o = json_object_new(), *image = json_object_new();
    json_object_set_string_member(o, "file", blk_path(b));
    json_object_set_string_member(o, "drv", blk_format(b));
    json_object_set_boolean_member(o, "ro", blk_readonly(b));
    json_object_set_string_member(image, "filename", blk_path(b));
    json_object_set_string_member(image, "format", blk_format(b));
    json_object_set_int_member(image, "virtual-size", (gint64)blk_size(b));
    json_object_set_object_member(o, "image", image);
    return o;
}

JsonNode *qmp_query_block(X, ARGS, ERR)
{
    JsonArray *a = json_array_new();
    const GPtrArray *all = x->m->cfg->drives;
    for (guint i = 0; all && i < all->len; i++) {
        const DriveConfig *d = all->pdata[i];
        JsonObject *o = json_object_new();
        bool removable = d->cdrom || d->iface == DRIVE_FLOPPY;
        json_object_set_string_member(o, "device", d->id);
        json_object_set_string_member(o, "type", "unknown");
        json_object_set_boolean_member(o, "removable", removable);
        json_object_set_boolean_member(o, "locked", FALSE);
        if (removable)
            json_object_set_boolean_member(o, "tray_open", FALSE);
        if (d->blk)
            json_object_set_object_member(o, "inserted", inserted(d->blk));
        json_array_add_object_element(a, o);
    }
    return array_node(a);
}

/* ---- screen, keys, memory ---- */

JsonNode *qmp_screendump(X, ARGS, ERR)
{
    GPtrArray *all = x->m->consoles.all;
    if (!all || !all->len)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "There is no console to take a screendump from");
    else
        con_screendump(all->pdata[0], str(args, "filename"), str(args, "format") ? str(args, "format") : NULL, err);
    return NULL;
}

/* {"type":"qcode","data":"a"} or {"type":"number","data":30} */
static bool one_key(JsonNode *n, unsigned *code, GError **err)
{
    JsonObject *o = JSON_NODE_HOLDS_OBJECT(n) ? json_node_get_object(n) : NULL;
    JsonNode *data = o ? json_object_get_member(o, "data") : NULL;
    if (data && JSON_NODE_HOLDS_VALUE(data) && json_node_get_value_type(data) == G_TYPE_STRING)
        return input_parse_keys(json_node_get_string(data), code, 1, err) == 1;
    if (data && JSON_NODE_HOLDS_VALUE(data) && json_node_get_value_type(data) == G_TYPE_INT64) {
        gint64 v = json_node_get_int(data);
        if (v > 0 && v < 256) {
            *code = (unsigned)v;
            return true;
        }
    }
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "keys: expected {\"type\":\"qcode\",\"data\":NAME} or {\"type\":\"number\",\"data\":1..255}");
    return false;
}

JsonNode *qmp_send_key(X, ARGS, ERR)
{
    JsonArray *a = json_object_get_array_member(args, "keys");
    unsigned keys[KEYS_MAX], n = json_array_get_length(a);
    if (n > KEYS_MAX) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "keys: more than %d at once", KEYS_MAX);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++)
        if (!one_key(json_array_get_element(a, i), &keys[i], err))
            return NULL;
    mon_send_keys(x->m, keys, (int)n, (unsigned)CLAMP(num(args, "hold-time", 0), 0, HOLD_MAX));
    return NULL;
}

static JsonNode *save(QmpContext *x, Vcpu *cpu, JsonObject *args, GError **err)
{
    bool ran = run_is_running(x->m) && x->m->cpus;
    if (ran)
        cpus_pause(x->m->cpus);
    mon_save_memory(cpu, x->m, (uint64_t)num(args, "val", 0), (uint64_t)num(args, "size", 0), str(args, "filename"), err);
    if (ran)
        cpus_resume(x->m->cpus);
    return NULL;
}

JsonNode *qmp_pmemsave(X, ARGS, ERR)
{
    return save(x, NULL, args, err);
}

JsonNode *qmp_memsave(X, ARGS, ERR)
{
    int64_t cpu = num(args, "cpu-index", 0);
    if (!x->m->cpus || cpu < 0 || cpu >= x->m->cpus->n) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "Parameter 'cpu-index' expects a CPU number");
        return NULL;
    }
    return save(x, x->m->cpus->cpu[cpu], args, err);
}

JsonNode *qmp_human_monitor_command(X, ARGS, ERR)
{
    g_autofree char *text = monitor_command(x->run, x->options, str(args, "command-line"), (int)num(args, "cpu-index", -1));
    return json_node_init_string(json_node_alloc(), text);
}
