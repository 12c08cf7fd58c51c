/* The inside of chardevs: what a back end (ui/chardevs.def) gives, what the
 * common part (chardev.c) does for it, and what main and the monitor use.
 *
 * Most back ends only open file descriptors; the common part moves the bytes.
 * Output is collected in a buffer and written by the main loop, so that a
 * guest's byte-wise output costs no system call each and never blocks. */
#ifndef RHEA_UI_CHR_H
#define RHEA_UI_CHR_H

#include "ui/chardev.h"
#include "util/opts.h"

typedef struct ChrDriver {
    const char *name, *doc;
    const char *const *keys;             /* options it takes besides id, mux, logfile; NULL-terminated */
    bool (*open)(Chardev *c, const Opts *o, GError **err);
    void (*close)(Chardev *c);
} ChrDriver;

struct Chardev {
    const ChrDriver *drv;
    char *id, *desc;
    void *priv;                          /* the driver's */
    const ChrFront *front;
    void *front_opaque;
    bool taken;                          /* somebody holds it (one front end each) */
    bool connected;
    int in_fd, out_fd;                   /* -1: none */
    int log_fd;                          /* logfile=, -1: none */
    GByteArray *out;                     /* not yet written */
    GSource *in_watch, *out_watch, *flush;
    bool telnet;                         /* IAC bytes are doubled on output */
    struct Mux *mux;                     /* mux=on: who shares this one */
    /* driver's hooks, may be NULL */
    void (*lost)(Chardev *c);            /* end of file or error on in_fd */
    size_t (*filter)(Chardev *c, uint8_t *buf, size_t len);              /* on input, in place: new length */
    size_t (*write)(Chardev *c, const uint8_t *buf, size_t len);         /* instead of out_fd */
    void (*accept)(Chardev *c);          /* instead of watching in_fd */
    void (*fronted)(Chardev *c);         /* the front end came or went */
    bool (*ready)(Chardev *c, GError **err);             /* the machine was built: what open() put off (creating files) */
};

#define CHARDEV(name) extern const ChrDriver chr_##name;
#include "ui/chardevs.def"
#undef CHARDEV

/* ---- for drivers ---- */

/* The other side is there: in and out may be equal or -1. */
void chr_connected(Chardev *c, int in_fd, int out_fd);
void chr_disconnected(Chardev *c);       /* closes the descriptors unless they are 0 and 1 */
void chr_event(Chardev *c, ChrEvent ev);
/* Bytes from the host to the front end; the caller has asked chr_room(). */
void chr_input(Chardev *c, const uint8_t *buf, size_t len);
size_t chr_room(Chardev *c);
void chr_set_desc(Chardev *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* A Chardev without a driver row (ports of a multiplexer). */
Chardev *chr_alloc(const ChrDriver *drv, const char *id);

/* ---- multiplexer (mux.c): several front ends on one chardev, Ctrl-A commands ---- */

typedef struct Mux Mux;
Mux *mux_new(Chardev *base);
void mux_free(Mux *m);
Chardev *mux_port(Mux *m, const char *id);
/* What Ctrl-A x does; filled by main. */
void mux_on_quit(void (*fn)(void *opaque), void *opaque);

/* ---- for main and the monitor ---- */

/* "-chardev": "socket,id=ID,path=PATH,server=on" */
Chardev *chr_new_opts(const char *text, GError **err);
/* Ports on which "mon:" asked for a monitor; each call takes one, NULL at the end. */
Chardev *chr_take_monitor(void);
void chr_help(GString *out);
void chr_print(GString *out);            /* info chardev */
void chr_foreach(void (*fn)(Chardev *c, void *opaque), void *opaque);
void chr_free_all(void);
/* The machine was built and will run: back ends do what they put off until nothing else can fail. */
bool chr_ready_all(GError **err);
/* Writes out what is buffered, waiting at most ms. */
void chr_flush(Chardev *c, int ms);

#endif
