/* Back ends that are one open(): file (output only), pipe (a pair of FIFOs),
 * serial (a terminal device of the host), null, vc. */
#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "ui/chr.h"
#include "util/log.h"

static int open_fd(const char *path, int flags, GError **err)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0)
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", path, g_strerror(errno));
    return fd;
}

static const char *need(const Opts *o, const char *key, GError **err)
{
    const char *v = opts_get(o, key);
    if (!v || !*v) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "character device: '%s=' is missing", key);
        return NULL;
    }
    return v;
}

/* ---- file: checked at once, created or emptied only when the machine stands ---- */

typedef struct FileChr { char *path; bool append; } FileChr;

static bool may_write(const char *path, GError **err)
{
    g_autofree char *dir = g_path_get_dirname(path);
    bool there = g_file_test(path, G_FILE_TEST_EXISTS), is_dir = g_file_test(path, G_FILE_TEST_IS_DIR);
    if (!is_dir && access(there ? path : dir, W_OK) == 0)
        return true;
    g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", path, g_strerror(is_dir ? EISDIR : errno));
    return false;
}

static bool file_ready(Chardev *c, GError **err)
{
    const FileChr *f = c->priv;
    int fd = open_fd(f->path, O_WRONLY | O_CREAT | (f->append ? O_APPEND : O_TRUNC), err);
    if (fd >= 0)
        chr_connected(c, -1, fd);
    return fd >= 0;
}

static bool file_open(Chardev *c, const Opts *o, GError **err)
{
    const char *path = need(o, "path", err);
    FileChr f = { 0 };
    if (!path || !opts_bool(o, "append", &f.append, err) || !may_write(path, err))
        return false;
    f.path = g_strdup(path);
    c->priv = g_memdup2(&f, sizeof f);
    c->ready = file_ready;
    chr_set_desc(c, "file:%s", path);
    return true;
}

static void file_close(Chardev *c)
{
    FileChr *f = c->priv;
    if (f)
        g_free(f->path);
    g_free(f);
}

static const char *const file_keys[] = { "path", "append", NULL };
const ChrDriver chr_file = { .name = "file", .doc = "output to a file", .keys = file_keys, .open = file_open,
                            .close = file_close };

/* ---- pipe: PATH.in and PATH.out, or PATH for both ---- */

static void pipe_lost(Chardev *c)
{
    c->in_fd = -1;
}

static bool pipe_open(Chardev *c, const Opts *o, GError **err)
{
    const char *path = need(o, "path", err);
    if (!path)
        return false;
    g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
    bool pair = g_file_test(in, G_FILE_TEST_EXISTS);
    /* read and write: opening waits for nobody, and the reader going away is no end of file */
    int ifd = open_fd(pair ? in : path, O_RDWR | O_NONBLOCK, err);
    int ofd = ifd < 0 ? -1 : pair ? open_fd(out, O_RDWR | O_NONBLOCK, err) : ifd;
    if (ofd < 0) {
        if (ifd >= 0)
            close(ifd);
        return false;
    }
    chr_set_desc(c, "pipe:%s", path);
    c->lost = pipe_lost;
    chr_connected(c, ifd, ofd);
    return true;
}

static const char *const pipe_keys[] = { "path", NULL };
const ChrDriver chr_pipe = { .name = "pipe", .doc = "named pipes PATH.in and PATH.out", .keys = pipe_keys, .open = pipe_open };

/* ---- serial: a terminal device of the host ---- */

static bool serial_open(Chardev *c, const Opts *o, GError **err)
{
    const char *path = opts_get(o, "path") ? opts_get(o, "path") : need(o, "device", err);
    int fd = path ? open_fd(path, O_RDWR | O_NONBLOCK | O_NOCTTY, err) : -1;
    if (fd < 0)
        return false;
    struct termios t;
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    chr_set_desc(c, "serial:%s", path);
    chr_connected(c, fd, fd);
    return true;
}

static const char *const serial_keys[] = { "path", "device", NULL };
const ChrDriver chr_serial = { .name = "serial", .doc = "a terminal device of the host", .keys = serial_keys, .open = serial_open };

/* ---- nothing ---- */

static bool null_open(Chardev *c, const Opts *o G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    chr_connected(c, -1, -1);
    return true;
}

static const char *const null_keys[] = { NULL };
const ChrDriver chr_null = { .name = "null", .doc = "nowhere", .keys = null_keys, .open = null_open };

/* A tab of the window: there is no window, so its text goes nowhere. */
static const char *const vc_keys[] = { "size", "width", "height", "cols", "rows", NULL };
const ChrDriver chr_vc = { .name = "vc", .doc = "a tab of the window (no window: nowhere)", .keys = vc_keys, .open = null_open };
