/* Stream sockets, unix and TCP, as server or client (GIO).
 *
 * A server serves one client at a time: it accepts the next when that one has
 * gone.  wait=on (the default of servers) holds the start of the machine until
 * the first client is there.  A client with reconnect=N tries again every N
 * seconds.  telnet=on speaks enough of RFC 854, 857 and 858 to get characters
 * as they are typed. */
#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/chr.h"
#include "util/log.h"

typedef struct Sock {
    Chardev *chr;
    GSocketListener *listener;           /* server */
    GSocketConnectable *peer;            /* client */
    GSocketConnection *conn;
    GCancellable *cancel;
    char *path;                          /* unix server: removed at the end */
    uint64_t reconnect;                  /* seconds; 0: no */
    guint retry;                         /* timeout source */
    unsigned iac;                        /* telnet: where in a command the last byte was, T_* */
    bool telnet;
} Sock;

static void accept_next(Sock *s);
static gboolean try_connect(gpointer data);

/* ---- telnet ---- */

enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240, BRK = 243, T_ECHO = 1, T_SGA = 3, T_BINARY = 0 };
enum { T_DATA, T_CMD, T_OPTION, T_SUB, T_SUB_IAC };      /* Sock.iac */

static void telnet_hello(Chardev *c)
{
    static const uint8_t hello[] = { IAC, WILL, T_ECHO, IAC, WILL, T_SGA, IAC, WILL, T_BINARY, IAC, DO, T_BINARY };
    g_byte_array_append(c->out, hello, sizeof hello);
}

static unsigned telnet_command(Chardev *c, uint8_t b)
{
    if (b == BRK)
        chr_event(c, CHR_BREAK);
    return b >= WILL && b <= DONT ? T_OPTION : b == SB ? T_SUB : T_DATA;
}

/* Takes commands out of the bytes of a client. */
static size_t telnet_filter(Chardev *c, uint8_t *buf, size_t len)
{
    Sock *s = c->priv;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t b = buf[i];
        switch (s->iac) {
        case T_DATA:
            if (b == IAC)
                s->iac = T_CMD;
            else if (b)                  /* CR NUL is CR */
                buf[n++] = b;
            break;
        case T_CMD:
            s->iac = b == IAC ? T_DATA : telnet_command(c, b);
            if (b == IAC)
                buf[n++] = IAC;
            break;
        case T_OPTION: s->iac = T_DATA; break;
        case T_SUB: s->iac = b == IAC ? T_SUB_IAC : T_SUB; break;
        case T_SUB_IAC: s->iac = b == SE ? T_DATA : T_SUB; break;
        }
    }
    return n;
}

/* ---- connections ---- */

static void take_connection(Sock *s, GSocketConnection *conn)
{
    GSocket *sock = g_socket_connection_get_socket(conn);
    s->conn = conn;
    s->iac = T_DATA;
    g_socket_set_blocking(sock, FALSE);
    if (g_socket_get_family(sock) != G_SOCKET_FAMILY_UNIX)
        g_socket_set_option(sock, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
    int fd = dup(g_socket_get_fd(sock));
    if (s->telnet)
        telnet_hello(s->chr);
    chr_connected(s->chr, fd, fd);
    chr_flush(s->chr, 0);
}

static void lost(Chardev *c)
{
    Sock *s = c->priv;
    chr_disconnected(c);
    g_clear_object(&s->conn);
    if (s->listener)
        accept_next(s);
    else if (s->reconnect)
        s->retry = g_timeout_add_seconds((guint)s->reconnect, try_connect, s);
}

static void accepted(GObject *source, GAsyncResult *res, gpointer data)
{
    g_autoptr(GError) err = NULL;
    GSocketConnection *conn = g_socket_listener_accept_finish(G_SOCKET_LISTENER(source), res, NULL, &err);
    if (conn)
        take_connection(data, conn);
    else if (!g_error_matches(err, G_IO_ERROR, G_IO_ERROR_CANCELLED) && !g_error_matches(err, G_IO_ERROR, G_IO_ERROR_CLOSED))
        report_warn("%s: %s", chr_desc(((Sock *)data)->chr), err->message);
}

static void accept_next(Sock *s)
{
    g_socket_listener_accept_async(s->listener, s->cancel, accepted, s);
}

static void connected(GObject *source, GAsyncResult *res, gpointer data)
{
    g_autoptr(GError) err = NULL;
    GSocketConnection *conn = g_socket_client_connect_finish(G_SOCKET_CLIENT(source), res, &err);
    if (g_error_matches(err, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    Sock *s = data;
    if (conn)
        take_connection(s, conn);
    else
        s->retry = g_timeout_add_seconds((guint)s->reconnect, try_connect, s);
}

static gboolean try_connect(gpointer data)
{
    Sock *s = data;
    g_autoptr(GSocketClient) client = g_socket_client_new();
    s->retry = 0;
    g_socket_client_connect_async(client, s->peer, s->cancel, connected, s);
    return G_SOURCE_REMOVE;
}

static bool start_client(Sock *s, GError **err)
{
    if (s->reconnect) {
        try_connect(s);
        return true;
    }
    g_autoptr(GSocketClient) client = g_socket_client_new();
    GSocketConnection *conn = g_socket_client_connect(client, s->peer, NULL, err);
    if (!conn) {
        g_prefix_error(err, "%s: ", chr_desc(s->chr));
        return false;
    }
    take_connection(s, conn);
    return true;
}

static bool start_server(Sock *s, const char *path, GSocketAddress *addr, bool wait, GError **err)
{
    g_autoptr(GSocketAddress) got = NULL;
    s->listener = g_socket_listener_new();
    g_socket_listener_set_backlog(s->listener, 1);
    if (!g_socket_listener_add_address(s->listener, addr, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, &got, err)) {
        g_prefix_error(err, "%s: ", chr_desc(s->chr));
        return false;
    }
    s->path = g_strdup(path);
    if (G_IS_INET_SOCKET_ADDRESS(got)) {
        GInetSocketAddress *in = G_INET_SOCKET_ADDRESS(got);
        g_autofree char *host = g_inet_address_to_string(g_inet_socket_address_get_address(in));
        chr_set_desc(s->chr, "%s:%s:%u,server=on", s->telnet ? "telnet" : "tcp", host, g_inet_socket_address_get_port(in));
    }
    if (!wait) {
        accept_next(s);
        return true;
    }
    report_info("waiting for a connection on: %s", chr_desc(s->chr));
    GSocketConnection *conn = g_socket_listener_accept(s->listener, NULL, NULL, err);
    if (conn)
        take_connection(s, conn);
    return conn != NULL;
}

/* ---- addresses ---- */

typedef struct Where { char *path, *host; uint16_t port; } Where;

static bool parse_port(const char *text, uint16_t *port, GError **err)
{
    uint64_t n;
    if (!opt_u64("port", text, &n, err))
        return false;
    if (n > UINT16_MAX) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "port: %s is more than 65535", text);
        return false;
    }
    *port = (uint16_t)n;
    return true;
}

static bool parse_host_port(const char *text, Where *w, GError **err)
{
    const char *colon = strrchr(text, ':');
    if (!colon) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "'%s': a port is missing (HOST:PORT)", text);
        return false;
    }
    bool v6 = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    w->host = g_strndup(text + v6, (gsize)(colon - text) - 2 * v6);
    return parse_port(colon + 1, &w->port, err);
}

static bool parse_where(const Opts *o, Where *w, GError **err)
{
    const char *path = opts_get(o, "path"), *address = opts_get(o, "address"), *host = opts_get(o, "host"), *port = opts_get(o, "port");
    if (path)
        w->path = g_strdup(path);
    else if (address)
        return parse_host_port(address, w, err);
    else if (port) {
        w->host = g_strdup(host ? host : "");
        return parse_port(port, &w->port, err);
    } else {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "socket: give 'path=' or 'host=' and 'port='");
        return false;
    }
    return true;
}

/* Where a server listens. */
static GSocketAddress *server_address(const Where *w, GError **err)
{
    if (w->path) {
        struct stat st;
        if (stat(w->path, &st) == 0 && S_ISSOCK(st.st_mode))
            g_unlink(w->path);           /* left by somebody before us */
        return g_unix_socket_address_new(w->path);
    }
    if (!*w->host) {
        g_autoptr(GInetAddress) any = g_inet_address_new_any(G_SOCKET_FAMILY_IPV4);
        return g_inet_socket_address_new(any, w->port);
    }
    g_autoptr(GResolver) r = g_resolver_get_default();
    GList *found = g_resolver_lookup_by_name(r, w->host, NULL, err);
    if (!found)
        return NULL;
    GSocketAddress *a = g_inet_socket_address_new(found->data, w->port);
    g_resolver_free_addresses(found);
    return a;
}

static void describe(Sock *s, const Where *w, bool server)
{
    const char *tail = server ? ",server=on" : "";
    if (w->path)
        chr_set_desc(s->chr, "unix:%s%s", w->path, tail);
    else
        chr_set_desc(s->chr, "%s:%s:%u%s", s->telnet ? "telnet" : "tcp", w->host, w->port, tail);
}

static bool start(Sock *s, const Where *w, bool server, bool wait, GError **err)
{
    describe(s, w, server);
    if (server) {
        g_autoptr(GSocketAddress) addr = server_address(w, err);
        return addr && start_server(s, w->path, addr, wait, err);
    }
    s->peer = w->path ? G_SOCKET_CONNECTABLE(g_unix_socket_address_new(w->path))
                      : g_network_address_new(*w->host ? w->host : "localhost", w->port);
    return start_client(s, err);
}

static bool socket_open(Chardev *c, const Opts *o, GError **err)
{
    bool server = false, wait = true, delay = true;
    Sock *s = g_new0(Sock, 1);
    Where w = { 0 };
    c->priv = s;
    s->chr = c;
    s->cancel = g_cancellable_new();
    c->lost = lost;
    bool ok = opts_bool(o, "server", &server, err) && opts_bool(o, "wait", &wait, err) && opts_bool(o, "delay", &delay, err) &&
              opts_bool(o, "telnet", &s->telnet, err) && opts_u64(o, "reconnect", &s->reconnect, err) && parse_where(o, &w, err);
    if (s->telnet) {
        c->telnet = true;
        c->filter = telnet_filter;
    }
    ok = ok && start(s, &w, server, wait, err);
    g_free(w.path);
    g_free(w.host);
    return ok;
}

static void socket_close(Chardev *c)
{
    Sock *s = c->priv;
    if (!s)
        return;
    g_cancellable_cancel(s->cancel);
    if (s->listener) {
        g_socket_listener_close(s->listener);
        if (s->path)
            g_unlink(s->path);
    }
    if (s->retry)
        g_source_remove(s->retry);
    g_clear_object(&s->listener);
    g_clear_object(&s->peer);
    g_clear_object(&s->conn);
    g_clear_object(&s->cancel);
    g_free(s->path);
    c->priv = NULL;
    g_free(s);
}

static const char *const keys[] = { "path", "host", "port", "address", "server", "wait", "telnet", "reconnect", "delay", "nodelay", "ipv4",
                                    "ipv6", NULL };
const ChrDriver chr_socket = { .name = "socket", .doc = "unix or TCP socket", .keys = keys, .open = socket_open, .close = socket_close };
