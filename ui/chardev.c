/* The common part of chardevs: names, what users type, buffering, and moving
 * bytes between file descriptors and front ends. */
#include "ui/chr.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

enum {
    OUT_MAX = 1 << 20,                   /* buffered output; beyond it the oldest half is dropped */
    CHUNK = 512,                         /* bytes per write: a terminal or pipe that polls writable takes them */
    EXIT_MS = 1000,                      /* how long a slow reader may hold up the exit */
};

static const ChrDriver *const drivers[] = {
#define CHARDEV(name) &chr_##name,
#include "ui/chardevs.def"
#undef CHARDEV
};

static GPtrArray *all;                   /* Chardev *, owned, in order of creation */
static GQueue monitors = G_QUEUE_INIT;   /* Chardev *: ports that wait for a monitor */

/* ---- output ---- */

static void watch_output(Chardev *c);

static void drop_source(GSource **s)
{
    if (*s) {
        g_source_destroy(*s);
        g_clear_pointer(s, g_source_unref);
    }
}

static bool writable(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    return poll(&p, 1, ms) > 0;
}

/* Writes as much as goes without blocking (ms 0) or within ms. */
void chr_flush(Chardev *c, int ms)
{
    size_t done = 0;
    while (done < c->out->len && c->out_fd >= 0 && writable(c->out_fd, ms)) {
        ssize_t n = write(c->out_fd, c->out->data + done, MIN(c->out->len - done, (size_t)CHUNK));
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR && errno != EAGAIN)
            done = c->out->len;          /* nobody will read it */
        else if (n < 0 && errno == EAGAIN)
            break;
    }
    g_byte_array_remove_range(c->out, 0, (guint)done);
}

static gboolean flush_now(gpointer data)
{
    Chardev *c = data;
    drop_source(&c->flush);
    chr_flush(c, 0);
    watch_output(c);
    return G_SOURCE_REMOVE;
}

static gboolean output_ready(gint fd G_GNUC_UNUSED, GIOCondition cond G_GNUC_UNUSED, gpointer data)
{
    Chardev *c = data;
    chr_flush(c, 0);
    watch_output(c);
    return G_SOURCE_CONTINUE;
}

static void watch_output(Chardev *c)
{
    if (!c->out->len || c->out_fd < 0) {
        drop_source(&c->out_watch);
    } else if (!c->out_watch) {
        c->out_watch = g_unix_fd_source_new(c->out_fd, G_IO_OUT);
        g_source_set_callback(c->out_watch, G_SOURCE_FUNC(output_ready), c, NULL);
        g_source_attach(c->out_watch, NULL);
    }
}

static void plan_flush(Chardev *c)
{
    if (c->flush || c->out_watch)
        return;
    c->flush = g_idle_source_new();
    g_source_set_priority(c->flush, G_PRIORITY_DEFAULT);
    g_source_set_callback(c->flush, flush_now, c, NULL);
    g_source_attach(c->flush, NULL);
}

static void append_telnet(GByteArray *out, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_byte_array_append(out, &buf[i], 1);
        if (buf[i] == 0xff)
            g_byte_array_append(out, &buf[i], 1);
    }
}

static void write_log(Chardev *c, const uint8_t *buf, size_t len)
{
    while (c->log_fd >= 0 && len) {
        ssize_t n = write(c->log_fd, buf, len);
        if (n <= 0)
            return;
        buf += n;
        len -= (size_t)n;
    }
}

size_t chr_write(Chardev *c, const uint8_t *buf, size_t len)
{
    write_log(c, buf, len);
    if (c->write)
        return c->write(c, buf, len);
    if (c->out_fd < 0 || !len)
        return len;
    if (c->telnet)
        append_telnet(c->out, buf, len);
    else
        g_byte_array_append(c->out, buf, (guint)len);
    if (c->out->len > OUT_MAX) {
        chr_flush(c, 0);
        if (c->out->len > OUT_MAX)
            g_byte_array_remove_range(c->out, 0, c->out->len - OUT_MAX / 2);
    }
    plan_flush(c);
    return len;
}

/* ---- input ---- */

size_t chr_room(Chardev *c)
{
    return c->front && c->front->can_read ? c->front->can_read(c->front_opaque) : 0;
}

void chr_input(Chardev *c, const uint8_t *buf, size_t len)
{
    if (len && c->front && c->front->read)
        c->front->read(c->front_opaque, buf, len);
}

void chr_event(Chardev *c, ChrEvent ev)
{
    if (c->front && c->front->event)
        c->front->event(c->front_opaque, ev);
}

static void input_lost(Chardev *c)
{
    drop_source(&c->in_watch);
    if (c->lost)
        c->lost(c);
    else
        c->in_fd = -1;
}

static gboolean input_ready(gint fd G_GNUC_UNUSED, GIOCondition cond G_GNUC_UNUSED, gpointer data)
{
    Chardev *c = data;
    uint8_t buf[4096];
    size_t room = chr_room(c);
    if (room) {
        ssize_t n = read(c->in_fd, buf, MIN(room, sizeof buf));
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            input_lost(c);
            return G_SOURCE_REMOVE;
        }
        if (n > 0)
            chr_input(c, buf, c->filter ? c->filter(c, buf, (size_t)n) : (size_t)n);
    }
    chr_accept_input(c);
    return G_SOURCE_CONTINUE;
}

/* Input is watched only while the front end has room. */
void chr_accept_input(Chardev *c)
{
    if (c->accept) {
        c->accept(c);
    } else if (c->in_fd < 0 || !chr_room(c)) {
        drop_source(&c->in_watch);
    } else if (!c->in_watch) {
        c->in_watch = g_unix_fd_source_new(c->in_fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
        g_source_set_callback(c->in_watch, G_SOURCE_FUNC(input_ready), c, NULL);
        g_source_attach(c->in_watch, NULL);
    }
}

/* ---- connections ---- */

void chr_connected(Chardev *c, int in_fd, int out_fd)
{
    c->in_fd = in_fd;
    c->out_fd = out_fd;
    c->connected = true;
    chr_event(c, CHR_OPENED);
    chr_accept_input(c);
}

static void close_fds(Chardev *c)
{
    if (c->in_fd > STDERR_FILENO)
        close(c->in_fd);
    if (c->out_fd > STDERR_FILENO && c->out_fd != c->in_fd)
        close(c->out_fd);
    c->in_fd = c->out_fd = -1;
}

void chr_disconnected(Chardev *c)
{
    drop_source(&c->in_watch);
    drop_source(&c->out_watch);
    drop_source(&c->flush);
    close_fds(c);
    g_byte_array_set_size(c->out, 0);
    if (c->connected) {
        c->connected = false;
        chr_event(c, CHR_CLOSED);
    }
}

void chr_set_front(Chardev *c, const ChrFront *front, void *opaque)
{
    c->front = front;
    c->front_opaque = opaque;
    c->taken = front != NULL;
    if (c->fronted) {
        c->fronted(c);
        return;
    }
    if (front && c->connected)
        chr_event(c, CHR_OPENED);
    chr_accept_input(c);
}

/* ---- life ---- */

Chardev *chr_alloc(const ChrDriver *drv, const char *id)
{
    Chardev *c = g_new0(Chardev, 1);
    c->drv = drv;
    c->id = g_strdup(id);
    c->desc = g_strdup(drv->name);
    c->in_fd = c->out_fd = c->log_fd = -1;
    c->out = g_byte_array_new();
    if (!all)
        all = g_ptr_array_new();
    g_ptr_array_add(all, c);
    return c;
}

void chr_free(Chardev *c)
{
    if (!c)
        return;
    g_queue_remove(&monitors, c);
    if (c->mux)
        mux_free(c->mux);
    chr_flush(c, EXIT_MS);
    c->front = NULL;
    if (c->drv->close)
        c->drv->close(c);
    chr_disconnected(c);
    if (c->log_fd >= 0)
        close(c->log_fd);
    g_ptr_array_remove(all, c);
    g_byte_array_unref(c->out);
    g_free(c->id);
    g_free(c->desc);
    g_free(c);
}

void chr_free_all(void)
{
    while (all && all->len)              /* ports of a multiplexer come after their base and go first */
        chr_free(all->pdata[all->len - 1]);
}

bool chr_ready_all(GError **err)
{
    for (guint i = 0; all && i < all->len; i++) {
        Chardev *c = all->pdata[i];
        if (c->ready && !c->ready(c, err))
            return false;
        c->ready = NULL;
    }
    return true;
}

Chardev *chr_find(const char *id)
{
    for (guint i = 0; all && i < all->len; i++)
        if (!g_strcmp0(((Chardev *)all->pdata[i])->id, id))
            return all->pdata[i];
    return NULL;
}

const char *chr_desc(const Chardev *c)
{
    return c->desc;
}

void chr_set_desc(Chardev *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_free(c->desc);
    c->desc = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

void chr_foreach(void (*fn)(Chardev *c, void *opaque), void *opaque)
{
    for (guint i = 0; all && i < all->len; i++)
        fn(all->pdata[i], opaque);
}

void chr_print(GString *out)
{
    for (guint i = 0; all && i < all->len; i++) {
        const Chardev *c = all->pdata[i];
        g_string_append_printf(out, "%s: filename=%s%s\n", c->id, c->desc, c->connected ? "" : " (nobody there)");
    }
}

void chr_help(GString *out)
{
    g_string_append(out, "Character back ends:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        g_autofree char *keys = g_strjoinv(",", (char **)drivers[i]->keys);
        g_string_append_printf(out, "  %-8s %s%s%s%s\n", drivers[i]->name, drivers[i]->doc, *keys ? " (" : "", keys, *keys ? ")" : "");
    }
}

/* ---- what users type ---- */

static const char *const common_keys[] = { "id", "mux", "logfile", "logappend", "signal" };

static bool check_keys(const ChrDriver *drv, const Opts *o, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(common_keys); i++)
        g_ptr_array_add(names, (void *)common_keys[i]);
    for (const char *const *k = drv->keys; *k; k++)
        g_ptr_array_add(names, (void *)*k);
    g_ptr_array_add(names, (void *)"backend");
    g_ptr_array_add(names, NULL);
    g_autofree char *what = g_strdup_printf("character device '%s'", drv->name);
    return opts_check(o, what, (const char *const *)names->pdata, err);
}

static const ChrDriver *driver_find(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(drivers) + 1] = { 0 };
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
        names[i] = drivers[i]->name;
    int i = opt_choice("character device", name, names, err);
    return i < 0 ? NULL : drivers[i];
}

static bool open_log(Chardev *c, const Opts *o, GError **err)
{
    const char *path = opts_get(o, "logfile");
    bool append = false;
    if (!path)
        return true;
    if (!opts_bool(o, "logappend", &append, err))
        return false;
    c->log_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (c->log_fd < 0)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "logfile %s: %s", path, g_strerror(errno));
    return c->log_fd >= 0;
}

static Chardev *open_opts(const char *id, const ChrDriver *drv, const Opts *o, bool mux, GError **err)
{
    if (!check_keys(drv, o, err) || !opts_bool(o, "mux", &mux, err))
        return NULL;
    Chardev *c = chr_alloc(drv, id);
    if (mux)
        c->mux = mux_new(c);
    if (open_log(c, o, err) && (!drv->open || drv->open(c, o, err)))
        return c;
    c->out_fd = -1;
    chr_free(c);
    return NULL;
}

Chardev *chr_new_opts(const char *text, GError **err)
{
    g_autoptr(Opts) o = opts_parse(text, "backend", err);
    if (!o)
        return NULL;
    const char *backend = opts_get(o, "backend"), *id = opts_get(o, "id");
    const ChrDriver *drv = driver_find(backend ? backend : "", err);
    if (!drv)
        return NULL;
    if (!id) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s': an id is missing: add ',id=NAME'", text);
        return NULL;
    }
    if (chr_find(id)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "id '%s' is already taken by another character device", id);
        return NULL;
    }
    return open_opts(id, drv, o, false, err);
}

/* Short forms: prefix, what the rest of the first piece means, options it stands for. */
static const struct { const char *prefix, *driver, *key, *more; } forms[] = {
    { "stdio", "stdio", NULL, NULL },
    { "null", "null", NULL, NULL },
    { "pty", "pty", NULL, NULL },
    { "vc", "vc", NULL, NULL },
    { "vc:", "vc", "size", NULL },
    { "file:", "file", "path", NULL },
    { "pipe:", "pipe", "path", NULL },
    { "unix:", "socket", "path", NULL },
    { "tcp:", "socket", "address", NULL },
    { "telnet:", "socket", "address", ",telnet=on" },
    { "/dev/", "serial", "device", NULL },
};

/* The short form as options with ",," kept; NULL: no such form. */
static char *expand(const char *spec, const char **driver)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        size_t len = strlen(forms[i].prefix);
        bool whole = !forms[i].key;
        if (strncmp(spec, forms[i].prefix, len) || (whole && spec[len] && spec[len] != ','))
            continue;
        *driver = forms[i].driver;
        const char *rest = spec + (spec[0] == '/' ? 0 : len);
        const char *more = forms[i].more ? forms[i].more : "";
        if (whole)
            return g_strconcat("backend=", spec, more, NULL);
        return g_strconcat(forms[i].key, "=", rest, more, NULL);
    }
    return NULL;
}

static Chardev *share(const char *id, const char *of, GError **err)
{
    Chardev *c = chr_find(of);
    if (!c) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "no character device with id '%s' (define it with -chardev ...,id=%s)", of, of);
        return NULL;
    }
    if (c->mux)
        return mux_port(c->mux, id);
    if (c->taken) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "character device '%s' is already in use (mux=on lets several share it)", of);
        return NULL;
    }
    c->taken = true;
    return c;
}

Chardev *chr_new(const char *id, const char *spec, GError **err)
{
    if (!strcmp(spec, "none"))
        return NULL;
    if (g_str_has_prefix(spec, "chardev:"))
        return share(id, spec + strlen("chardev:"), err);
    bool mon = g_str_has_prefix(spec, "mon:");
    const char *driver = NULL;
    g_autofree char *text = expand(mon ? spec + strlen("mon:") : spec, &driver);
    if (!text) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s' is no character device (accepted: stdio, mon:stdio, file:PATH, pty, null, "
                    "none, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT, pipe:PATH, chardev:ID, vc)", spec);
        return NULL;
    }
    g_autoptr(Opts) o = opts_parse(text, NULL, err);
    if (!o)
        return NULL;
    g_autofree char *base_id = mon ? g_strconcat(id, "-base", NULL) : g_strdup(id);
    Chardev *c = open_opts(base_id, driver_find(driver, NULL), o, mon, err);
    if (!c || !mon)
        return c;
    Chardev *port = mux_port(c->mux, id);
    g_autofree char *mon_id = g_strconcat(id, "-monitor", NULL);
    g_queue_push_tail(&monitors, mux_port(c->mux, mon_id));
    return port;
}

Chardev *chr_take_monitor(void)
{
    return g_queue_pop_head(&monitors);
}
