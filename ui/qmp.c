/* QMP: framing, negotiation, argument checks, errors, events.
 *
 * Input is hostile: the bytes of one object are found by counting braces
 * outside strings (bounded), then json-glib parses them, then the command's
 * row in qmp.def says which arguments it takes. */
#include "ui/qmp.h"

#include <string.h>

#include "config.h"
#include "ui/chr.h"
#include "ui/qmp_cmds.h"
#include "util/clock.h"
#include "util/log.h"

enum { OBJECT_MAX = 1 << 20 };

struct Qmp {
    Chardev *chr;
    QmpContext ctx;
    bool pretty, negotiated;
    GString *in;                         /* bytes of the object being received */
    int depth;                           /* open braces and brackets */
    bool in_string, escaped, too_long;
};
typedef struct Qmp Qmp;

static GSList *monitors;

static const QmpCommand commands[] = {
#define QMP(name, fn, args) { name, args, qmp_##fn },
#include "ui/qmp.def"
#undef QMP
};

/* ---- output ---- */

static void send(Qmp *q, JsonNode *node_take)
{
    g_autoptr(JsonGenerator) gen = json_generator_new();
    json_generator_set_root(gen, node_take);
    json_generator_set_pretty(gen, q->pretty);
    gsize len;
    g_autofree char *text = json_generator_to_data(gen, &len);
    chr_write(q->chr, (const uint8_t *)text, len);
    chr_write(q->chr, (const uint8_t *)"\r\n", 2);
    json_node_unref(node_take);
}

static void send_object(Qmp *q, JsonObject *o_take)
{
    send(q, json_node_init_object(json_node_alloc(), o_take));
    json_object_unref(o_take);
}

static void add_id(JsonObject *o, JsonNode *id)
{
    if (id)
        json_object_set_member(o, "id", json_node_copy(id));
}

static void send_error(Qmp *q, JsonNode *id, const char *class, const char *desc)
{
    JsonObject *e = json_object_new(), *o = json_object_new();
    json_object_set_string_member(e, "class", class);
    json_object_set_string_member(e, "desc", desc);
    json_object_set_object_member(o, "error", e);
    add_id(o, id);
    send_object(q, o);
}

static void send_result(Qmp *q, JsonNode *id, JsonNode *result_take)
{
    JsonObject *o = json_object_new();
    if (result_take)
        json_object_set_member(o, "return", result_take);
    else
        json_object_set_object_member(o, "return", json_object_new());
    add_id(o, id);
    send_object(q, o);
}

JsonObject *qmp_version_object(void)
{
    JsonObject *v = json_object_new(), *n = json_object_new();
    int part[3] = { 0 };
    g_auto(GStrv) parts = g_strsplit(CONFIG_VERSION, ".", 3);
    for (int i = 0; i < 3 && parts[i]; i++)
        part[i] = atoi(parts[i]);
    json_object_set_int_member(n, "major", part[0]);
    json_object_set_int_member(n, "minor", part[1]);
    json_object_set_int_member(n, "micro", part[2]);
    json_object_set_object_member(v, "qemu", n);
    json_object_set_string_member(v, "package", "rhea " CONFIG_VERSION);
    return v;
}

static void greet(Qmp *q)
{
    JsonObject *o = json_object_new(), *g = json_object_new();
    json_object_set_object_member(g, "version", qmp_version_object());
    json_object_set_array_member(g, "capabilities", json_array_new());
    json_object_set_object_member(o, "QMP", g);
    send_object(q, o);
}

static void on_event(void *opaque, const char *event, JsonObject *data)
{
    Qmp *q = opaque;
    if (!q->negotiated)
        return;
    JsonObject *o = json_object_new(), *t = json_object_new();
    int64_t now = clock_wall_ns();
    json_object_set_int_member(t, "seconds", now / NS_PER_S);
    json_object_set_int_member(t, "microseconds", now % NS_PER_S / 1000);
    json_object_set_object_member(o, "timestamp", t);
    json_object_set_string_member(o, "event", event);
    if (data)
        json_object_set_object_member(o, "data", json_object_ref(data));
    send_object(q, o);
}

/* ---- arguments ---- */

static bool type_fits(JsonNode *n, char type)
{
    switch (type) {
    case 's': return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING;
    case 'i': return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_INT64;
    case 'b': return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_BOOLEAN;
    default: return JSON_NODE_HOLDS_ARRAY(n);
    }
}

/* One "name:type" of the row against the arguments. */
static bool check_one(const char *spec, JsonObject *args, GError **err)
{
    const char *colon = strchr(spec, ':');
    bool optional = colon[1] == '?';
    char type = colon[optional ? 2 : 1];
    g_autofree char *name = g_strndup(spec, (gsize)(colon - spec));
    JsonNode *n = json_object_get_member(args, name);
    if (!n && !optional)
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "Parameter '%s' is missing", name);
    else if (n && !type_fits(n, type))
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "Invalid parameter type for '%s', expected: %s", name,
                    type == 's' ? "string" : type == 'i' ? "integer" : type == 'b' ? "boolean" : "array");
    else
        return true;
    return false;
}

static bool known_arg(char **specs, const char *name)
{
    size_t len = strlen(name);
    for (char **s = specs; *s; s++)
        if (!strncmp(*s, name, len) && (*s)[len] == ':')
            return true;
    return false;
}

static bool check_args(const QmpCommand *c, JsonObject *args, GError **err)
{
    g_auto(GStrv) specs = g_strsplit(c->args, " ", -1);
    if (!*c->args)
        g_clear_pointer(&specs[0], g_free);
    g_autoptr(GList) names = json_object_get_members(args);
    for (GList *l = names; l; l = l->next) {
        if (known_arg(specs, l->data))
            continue;
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "Parameter '%s' is unexpected", (char *)l->data);
        return false;
    }
    for (char **s = specs; *s; s++)
        if (!check_one(*s, args, err))
            return false;
    return true;
}

/* ---- commands ---- */

static const QmpCommand *find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

JsonNode *qmp_query_commands(QmpContext *x G_GNUC_UNUSED, JsonObject *args G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    JsonArray *a = json_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        JsonObject *o = json_object_new();
        json_object_set_string_member(o, "name", commands[i].name);
        json_array_add_object_element(a, o);
    }
    return json_node_init_array(json_node_alloc(), a);
}

JsonNode *qmp_capabilities(QmpContext *x, JsonObject *args G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    x->ready = true;
    return NULL;
}

static void not_found(Qmp *q, JsonNode *id, const char *name)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = { 0 };
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    g_autofree char *near = closest_names(name, names);
    g_autofree char *desc = g_strdup_printf("The command %s has not been found%s", name, near);
    send_error(q, id, "CommandNotFound", desc);
}

static void execute(Qmp *q, const char *name, JsonObject *args, JsonNode *id)
{
    const QmpCommand *c = find(name);
    g_autoptr(GError) err = NULL;
    if (!q->negotiated && strcmp(name, "qmp_capabilities")) {
        send_error(q, id, "CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
        return;
    }
    if (q->negotiated && !strcmp(name, "qmp_capabilities")) {
        send_error(q, id, "CommandNotFound", "Capabilities negotiation is already complete, command ignored");
        return;
    }
    if (!c) {
        not_found(q, id, name);
        return;
    }
    JsonNode *result = check_args(c, args, &err) ? c->fn(&q->ctx, args, &err) : NULL;
    if (err)
        send_error(q, id, "GenericError", err->message);
    else
        send_result(q, id, result);
    q->negotiated = q->ctx.ready;
}

static const char *string_member(JsonObject *o, const char *name)
{
    JsonNode *n = json_object_get_member(o, name);
    return n && type_fits(n, 's') ? json_node_get_string(n) : NULL;
}

/* What else but execute, arguments, id? */
static const char *strange_member(JsonObject *o)
{
    static const char *const known[] = { "execute", "exec-oob", "arguments", "id", "control", NULL };
    g_autoptr(GList) names = json_object_get_members(o);
    for (GList *l = names; l; l = l->next)
        if (!g_strv_contains(known, l->data))
            return json_object_has_member(o, l->data) ? g_intern_string(l->data) : NULL;
    return NULL;
}

static void take_object(Qmp *q)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) err = NULL;
    if (!json_parser_load_from_data(parser, q->in->str, (gssize)q->in->len, &err) || !json_parser_get_root(parser)) {
        send_error(q, NULL, "GenericError", "JSON parse error, invalid syntax");
        return;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (!JSON_NODE_HOLDS_OBJECT(root)) {
        send_error(q, NULL, "GenericError", "QMP input must be a JSON object");
        return;
    }
    JsonObject *o = json_node_get_object(root);
    JsonNode *id = json_object_get_member(o, "id"), *args = json_object_get_member(o, "arguments");
    const char *name = string_member(o, "execute"), *strange = strange_member(o);
    g_autofree char *desc = NULL;
    if (strange)
        desc = g_strdup_printf("QMP input member '%s' is unexpected", strange);
    else if (!name)
        desc = g_strdup(json_object_has_member(o, "execute") ? "QMP input member 'execute' must be a string"
                                                             : "QMP input lacks member 'execute'");
    else if (args && !JSON_NODE_HOLDS_OBJECT(args))
        desc = g_strdup("QMP input member 'arguments' must be an object");
    if (desc) {
        send_error(q, id, "GenericError", desc);
        return;
    }
    JsonObject *none = json_object_new();
    execute(q, name, args ? json_node_get_object(args) : none, id);
    json_object_unref(none);
}

/* ---- framing ---- */

static void restart(Qmp *q)
{
    g_string_truncate(q->in, 0);
    q->depth = 0;
    q->in_string = q->escaped = q->too_long = false;
}

/* Is the object complete with this byte? */
static bool count_byte(Qmp *q, char b)
{
    if (q->in_string) {
        if (q->escaped)
            q->escaped = false;
        else if (b == '\\')
            q->escaped = true;
        else if (b == '"')
            q->in_string = false;
        return false;
    }
    if (b == '"')
        q->in_string = true;
    else if (b == '{' || b == '[')
        q->depth++;
    else if (b == '}' || b == ']')
        return --q->depth <= 0;
    return false;
}

static void take_byte(Qmp *q, char b)
{
    if (!q->in->len && g_ascii_isspace(b))
        return;
    bool bare = !q->depth && !q->in_string && b != '{' && b != '[';      /* no object begins so: up to the end of the line */
    bool done;
    if (bare && b != '"') {
        if (b == '\n' || b == '\r')
            done = true;
        else
            done = false;
    } else {
        done = count_byte(q, b);
    }
    if (q->in->len < OBJECT_MAX)
        g_string_append_c(q->in, b);
    else
        q->too_long = true;
    if (!done)
        return;
    if (q->too_long)
        send_error(q, NULL, "GenericError", "JSON token size limit exceeded");
    else
        take_object(q);
    restart(q);
}

static size_t can_read(void *opaque G_GNUC_UNUSED)
{
    return 4096;
}

static void read_bytes(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        take_byte(opaque, (char)buf[i]);
}

static void event(void *opaque, ChrEvent ev)
{
    Qmp *q = opaque;
    restart(q);
    q->negotiated = q->ctx.ready = false;
    if (ev == CHR_OPENED)
        greet(q);
}

static const ChrFront front = { .can_read = can_read, .read = read_bytes, .event = event };

void qmp_new(Chardev *c, Run *run, const Options *o, bool pretty)
{
    Qmp *q = g_new0(Qmp, 1);
    q->chr = c;
    q->ctx = (QmpContext) { .run = run, .m = run_machine(run), .options = o };
    q->pretty = pretty;
    q->in = g_string_new(NULL);
    monitors = g_slist_prepend(monitors, q);
    run_listen(run, on_event, q);
    chr_set_front(c, &front, q);
}

static void qmp_free(gpointer p)
{
    Qmp *q = p;
    run_unlisten(q->ctx.run, q);
    chr_set_front(q->chr, NULL, NULL);
    g_string_free(q->in, TRUE);
    g_free(q);
}

void qmp_free_all(void)
{
    g_slist_free_full(monitors, qmp_free);
    monitors = NULL;
}
