/* Character devices: a byte pipe between a front end (UART, monitor, debug
 * port) and the host (stdio, file, pty, socket).  Back ends are rows of
 * ui/chardevs.def.  Main loop thread, machine lock held; chr_write from any
 * holder of the machine lock. */
#ifndef RHEA_UI_CHARDEV_H
#define RHEA_UI_CHARDEV_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Chardev Chardev;

typedef enum ChrEvent { CHR_OPENED, CHR_CLOSED, CHR_BREAK } ChrEvent;

/* What the front end gives. */
typedef struct ChrFront {
    size_t (*can_read)(void *opaque);    /* bytes it can take now */
    void (*read)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, ChrEvent ev);
} ChrFront;

/* spec: what users type after -serial / -monitor / -qmp: "stdio", "mon:stdio", "file:PATH", "pty", "null", "none",
 * "unix:PATH,server=on,wait=off", "tcp:HOST:PORT,server,nowait", "pipe:PATH", "chardev:ID", "vc".
 * NULL without err for "none". */
Chardev *chr_new(const char *id, const char *spec, GError **err);
void chr_free(Chardev *c);
Chardev *chr_find(const char *id);
/* Connects the (single) front end; front NULL disconnects. */
void chr_set_front(Chardev *c, const ChrFront *front, void *opaque);
/* Buffers what the host cannot take yet (bounded; then drops oldest for guests' output); never blocks. Returns len. */
size_t chr_write(Chardev *c, const uint8_t *buf, size_t len);
/* The front end can read again (can_read() was 0 before). */
void chr_accept_input(Chardev *c);
const char *chr_desc(const Chardev *c);                  /* for info chardev: "pty:/dev/pts/3" */

#endif
