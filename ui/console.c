/* Consoles: the surface a display device draws into, and the screen as a
 * PNG (libpng) or PPM file.  A screendump is written beside its final name
 * and renamed, so that a reader never sees half a picture. */
#include "ui/console.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

enum { START_WIDTH = 640, START_HEIGHT = 480 };

struct Console {
    ConsoleList *list;
    char *name;
    const ConsoleOps *ops;
    void *opaque;
    pixman_image_t *surface;
    void (*damage)(void *, int, int, int, int);
    void (*resize)(void *);
    void *listener;
};

Console *con_new(ConsoleList *list, const char *name, const ConsoleOps *ops, void *opaque)
{
    Console *c = g_new0(Console, 1);
    c->list = list;
    c->name = g_strdup(name);
    c->ops = ops;
    c->opaque = opaque;
    if (!list->all)
        list->all = g_ptr_array_new();
    g_ptr_array_add(list->all, c);
    con_resize(c, START_WIDTH, START_HEIGHT);
    return c;
}

void con_free(Console *c)
{
    if (!c)
        return;
    if (c->list->all)
        g_ptr_array_remove(c->list->all, c);
    pixman_image_unref(c->surface);
    g_free(c->name);
    g_free(c);
}

void con_resize(Console *c, unsigned width, unsigned height)
{
    if (c->surface)
        pixman_image_unref(c->surface);
    c->surface = pixman_image_create_bits(PIXMAN_x8r8g8b8, (int)MAX(width, 1), (int)MAX(height, 1), NULL, 0);
    g_assert(c->surface);
    if (c->resize)
        c->resize(c->listener);
}

pixman_image_t *con_surface(Console *c)
{
    return c->surface;
}

void con_damage(Console *c, int x, int y, int w, int h)
{
    if (c->damage)
        c->damage(c->listener, x, y, w, h);
}

void con_update(Console *c, bool full)
{
    if (c->ops->update)
        c->ops->update(c->opaque, full);
}

bool con_text(Console *c, GString *out)
{
    return c->ops->text && c->ops->text(c->opaque, out);
}

void con_set_listener(Console *c, void (*damage)(void *, int, int, int, int), void (*resize)(void *), void *opaque)
{
    c->damage = damage;
    c->resize = resize;
    c->listener = opaque;
}

/* ---- screendump ---- */

/* One line of the surface as R, G, B bytes. */
static void rgb_line(pixman_image_t *s, int y, uint8_t *rgb)
{
    const uint32_t *p = pixman_image_get_data(s) + (size_t)y * (size_t)pixman_image_get_stride(s) / 4;
    for (int x = 0; x < pixman_image_get_width(s); x++) {
        *rgb++ = (uint8_t)(p[x] >> 16);
        *rgb++ = (uint8_t)(p[x] >> 8);
        *rgb++ = (uint8_t)p[x];
    }
}

static bool write_ppm(pixman_image_t *s, FILE *f)
{
    int w = pixman_image_get_width(s), h = pixman_image_get_height(s);
    g_autofree uint8_t *line = g_malloc((size_t)w * 3);
    fprintf(f, "P6\n%d %d\n255\n", w, h);
    for (int y = 0; y < h; y++) {
        rgb_line(s, y, line);
        fwrite(line, 3, (size_t)w, f);
    }
    return !ferror(f);
}

static bool write_png(pixman_image_t *s, FILE *f)
{
    int w = pixman_image_get_width(s), h = pixman_image_get_height(s);
    g_autofree uint8_t *line = g_malloc((size_t)w * 3);
    png_struct *png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_info *info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < h; y++) {
        rgb_line(s, y, line);
        png_write_row(png, line);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return !ferror(f);
}

static bool wants_png(const char *path, const char *format, bool *png, GError **err)
{
    if (format && strcmp(format, "png") && strcmp(format, "ppm")) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "screendump: no format '%s' (accepted: png, ppm)", format);
        return false;
    }
    *png = format ? !strcmp(format, "png") : g_str_has_suffix(path, ".png");
    return true;
}

bool con_screendump(Console *c, const char *path, const char *format, GError **err)
{
    bool png;
    if (!wants_png(path, format, &png, err))
        return false;
    con_update(c, true);
    g_autofree char *tmp = g_strconcat(path, ".part", NULL);
    bool regular = !g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_REGULAR);
    FILE *f = fopen(regular ? tmp : path, "wb");         /* a device or pipe is written as it is */
    bool ok = f && (png ? write_png : write_ppm)(c->surface, f);
    int e = errno;
    if (f && fclose(f) != 0)
        ok = false, e = errno;
    if (ok && regular && g_rename(tmp, path) != 0)
        ok = false, e = errno;
    if (!ok) {
        if (f && regular)
            g_unlink(tmp);
        g_set_error(err, RHEA_ERROR, ERR_RUN, "screendump %s: %s", path, g_strerror(e));
    }
    return ok;
}
