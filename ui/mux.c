/* Several front ends on one chardev (mux=on, mon:stdio).  Output of all goes
 * to the base; input goes to the one in focus, except commands after Ctrl-A. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ui/chr.h"

enum { ESCAPE = 1 /* Ctrl-A */, PORTS = 4, PENDING = 256 };

struct Mux {
    Chardev *base;
    Chardev *port[PORTS];
    unsigned n, focus;
    bool escaped;                        /* Ctrl-A was the last byte */
    bool stamps, line_start;             /* Ctrl-A t */
    int64_t t0;
    uint8_t pending[PENDING];            /* bytes the focused front end had no room for */
    size_t npending;
};

static void (*quit_fn)(void *opaque);
static void *quit_opaque;

void mux_on_quit(void (*fn)(void *opaque), void *opaque)
{
    quit_fn = fn;
    quit_opaque = opaque;
}

static void say(Mux *m, const char *text)
{
    chr_write(m->base, (const uint8_t *)text, strlen(text));
}

/* ---- Ctrl-A commands ---- */

static void cmd_help(Mux *m)
{
    say(m, "\r\n"
           "Ctrl-A h  this text\r\n"
           "Ctrl-A x  leave the emulator\r\n"
           "Ctrl-A c  go over to the next of serial port and monitor\r\n"
           "Ctrl-A b  send a break\r\n"
           "Ctrl-A t  time stamps on or off\r\n"
           "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
}

static void cmd_quit(Mux *m)
{
    say(m, "\r\nleaving: Ctrl-A x was typed\r\n");
    if (quit_fn)
        quit_fn(quit_opaque);
}

static void cmd_next(Mux *m)
{
    if (!m->n)
        return;
    m->focus = (m->focus + 1) % m->n;
    chr_event(m->port[m->focus], CHR_OPENED);
}

static void cmd_break(Mux *m)
{
    if (m->n)
        chr_event(m->port[m->focus], CHR_BREAK);
}

static void cmd_stamps(Mux *m)
{
    m->stamps = !m->stamps;
    m->t0 = g_get_monotonic_time();
    m->line_start = true;
}

static const struct { char key; void (*fn)(Mux *); } commands[] = {
    { 'b', cmd_break }, { 'c', cmd_next }, { 'h', cmd_help }, { '?', cmd_help }, { 't', cmd_stamps }, { 'x', cmd_quit },
};

/* ---- base -> focused port ---- */

static void drain(Mux *m)
{
    while (m->npending && m->n) {
        Chardev *p = m->port[m->focus];
        size_t n = MIN(chr_room(p), m->npending);
        if (!n)
            return;
        uint8_t bytes[PENDING];
        memcpy(bytes, m->pending, n);
        m->npending -= n;
        memmove(m->pending, m->pending + n, m->npending);
        chr_input(p, bytes, n);
    }
}

static void take_byte(Mux *m, uint8_t b)
{
    bool was = m->escaped;
    m->escaped = !was && b == ESCAPE;
    if (m->escaped)
        return;
    if (was && b != ESCAPE) {
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
            if (commands[i].key == (char)b)
                commands[i].fn(m);
        return;
    }
    if (m->npending < PENDING)
        m->pending[m->npending++] = b;
    drain(m);
}

static size_t base_can_read(void *opaque)
{
    const Mux *m = opaque;
    return PENDING - m->npending;
}

static void base_read(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        take_byte(opaque, buf[i]);
}

static void base_event(void *opaque, ChrEvent ev)
{
    Mux *m = opaque;
    if (ev == CHR_OPENED && m->n)
        chr_event(m->port[m->focus], ev);
    for (unsigned i = 0; i < m->n && ev == CHR_CLOSED; i++)
        chr_event(m->port[i], ev);
}

static const ChrFront base_front = { .can_read = base_can_read, .read = base_read, .event = base_event };

/* ---- ports -> base ---- */

static size_t write_stamped(Mux *m, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (m->line_start) {
            int64_t ms = (g_get_monotonic_time() - m->t0) / 1000;
            char stamp[32];
            g_snprintf(stamp, sizeof stamp, "[%5d.%03d] ", (int)(ms / 1000), (int)(ms % 1000));
            say(m, stamp);
        }
        m->line_start = buf[i] == '\n';
        chr_write(m->base, &buf[i], 1);
    }
    return len;
}

static size_t port_write(Chardev *c, const uint8_t *buf, size_t len)
{
    Mux *m = c->priv;
    if (!m)
        return len;                      /* the base has gone */
    return m->stamps ? write_stamped(m, buf, len) : chr_write(m->base, buf, len);
}

static void port_accept(Chardev *c)
{
    Mux *m = c->priv;
    if (!m)
        return;
    drain(m);
    chr_accept_input(m->base);
}

/* A front end in the background learns of the connection when it gets the focus. */
static void port_fronted(Chardev *c)
{
    Mux *m = c->priv;
    if (m && c->front && m->base->connected && m->port[m->focus] == c)
        chr_event(c, CHR_OPENED);
    port_accept(c);
}

static void port_close(Chardev *c)
{
    Mux *m = c->priv;
    for (unsigned i = 0; m && i < m->n; i++) {
        if (m->port[i] != c)
            continue;
        m->port[i] = m->port[--m->n];
        m->focus = 0;
    }
}

static const char *const no_keys[] = { NULL };
static const ChrDriver port_driver = { .name = "mux", .doc = "one of several front ends", .keys = no_keys, .close = port_close };

Chardev *mux_port(Mux *m, const char *id)
{
    g_assert(m->n < PORTS);
    Chardev *c = chr_alloc(&port_driver, id);
    c->priv = m;
    c->connected = true;
    c->write = port_write;
    c->accept = port_accept;
    c->fronted = port_fronted;
    c->taken = true;
    chr_set_desc(c, "mux of %s", m->base->id);
    m->port[m->n++] = c;
    return c;
}

Mux *mux_new(Chardev *base)
{
    Mux *m = g_new0(Mux, 1);
    m->base = base;
    base->mux = m;
    chr_set_front(base, &base_front, m);
    return m;
}

void mux_free(Mux *m)
{
    for (unsigned i = 0; i < m->n; i++)
        m->port[i]->priv = NULL;
    m->base->mux = NULL;
    g_free(m);
}
