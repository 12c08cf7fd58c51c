/* What a display device shows: a text or pixel surface that headless, SDL,
 * VNC and screendump read.  Under the machine lock. */
#ifndef RHEA_UI_CONSOLE_H
#define RHEA_UI_CONSOLE_H

#include <glib.h>
#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Console Console;

typedef struct ConsoleOps {
    /* Draws what changed since the last call into the surface (all of it if `full`). */
    void (*update)(void *opaque, bool full);
    /* The text on the screen if it is in a text mode: one line per row, trailing blanks cut; false: graphics. */
    bool (*text)(void *opaque, GString *out);
} ConsoleOps;

typedef struct ConsoleList { GPtrArray *all; } ConsoleList;      /* Console * */

Console *con_new(ConsoleList *list, const char *name, const ConsoleOps *ops, void *opaque);
void con_free(Console *c);
/* Device side: size changes replace the surface (PIXMAN_x8r8g8b8); pixels are cleared. */
void con_resize(Console *c, unsigned width, unsigned height);
pixman_image_t *con_surface(Console *c); /* borrowed, valid until the next con_resize */
/* Device side: a rectangle was drawn. Displays that listen are told. */
void con_damage(Console *c, int x, int y, int w, int h);
/* Display side. */
void con_update(Console *c, bool full);
bool con_text(Console *c, GString *out);
void con_set_listener(Console *c, void (*damage)(void *, int, int, int, int), void (*resize)(void *), void *opaque);
/* Writes the screen to a file: ".png" or ".ppm" by `format` ("png", "ppm"; NULL: by the file name, else ppm). */
bool con_screendump(Console *c, const char *path, const char *format, GError **err);

#endif
