/* Images in files and on block devices of the host.
 *
 * Locks.  An open image holds open-file-description locks (fcntl F_OFD_SETLK)
 * on single bytes of the file, by the convention that disk emulators share:
 *
 *   byte 100 + p   I use permission p     (read lock: any number of users)
 *   byte 200 + p   I do not let others use permission p
 *   p: 0 consistent read, 1 write, 2 write unchanged data, 3 resize
 *
 * After taking its own locks an opener asks for each p it uses whether anybody
 * holds 200 + p, and for each p it forbids whether anybody holds 100 + p.  A
 * writer uses 0, 1, 3, and everybody forbids 1 and 3: readers share, a writer
 * is alone.  The locks do not survive the process, so nothing goes stale.
 *
 * OFD locks carry no pid; the holder's name for the error text is found by
 * walking /proc/PID/fd for the same inode with a lock in its fdinfo.
 */
#define _GNU_SOURCE                      /* F_OFD_* */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/driver.h"
#include "util/bits.h"
#include "util/log.h"

enum { PERM_READ, PERM_WRITE, PERM_WRITE_UNCHANGED, PERM_RESIZE, PERMS };
enum { LOCK_USED = 100, LOCK_FORBIDDEN = 200 };

typedef struct File { int fd; } File;

static int file_fd(const BlockNode *n) { return ((const File *)n->state)->fd; }

/* ---- who holds it ---- */

static bool fd_has_lock(const char *pid, const char *fd)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fdinfo/%s", pid, fd);
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "lock:");
}

static bool pid_holds(const char *pid, const struct stat *want)
{
    g_autofree char *dir_path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);
    const char *fd;
    while (dir && (fd = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(dir_path, fd, NULL);
        struct stat st;
        if (!stat(path, &st) && st.st_ino == want->st_ino && st.st_dev == want->st_dev && fd_has_lock(pid, fd))
            return true;
    }
    return false;
}

static char *pid_command(const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/cmdline", pid);
    char *text = NULL;
    gsize len = 0;
    if (!g_file_get_contents(path, &text, &len, NULL))
        return g_strdup("?");
    for (gsize i = 0; i + 1 < len; i++)
        if (!text[i])
            text[i] = ' ';
    if (len > 200)
        strcpy(text + 197, "...");
    return text;
}

char *file_lock_holders(const char *path)
{
    GString *out = g_string_new(NULL);
    struct stat want;
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *pid;
    if (stat(path, &want) || !proc)
        return g_string_free(out, FALSE);
    while ((pid = g_dir_read_name(proc))) {
        if (!g_ascii_isdigit(*pid) || !pid_holds(pid, &want))
            continue;
        g_autofree char *cmd = pid_command(pid);
        bool self = g_ascii_strtoll(pid, NULL, 10) == getpid();
        g_string_append_printf(out, "%sprocess %s (%s)", out->len ? ", " : "", pid, self ? "this one: given twice?" : cmd);
    }
    return g_string_free(out, FALSE);
}

/* ---- locks ---- */

static int lock_byte(int fd, int cmd, short type, off_t byte, struct flock *out)
{
    *out = (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return fcntl(fd, cmd, out) ? -errno : 0;
}

/* 0: ours; 1: somebody is in the way; -errno: this file system has no such locks. */
static int locks_take(int fd, bool readonly)
{
    unsigned used = readonly ? BIT(PERM_READ) : BIT(PERM_READ) | BIT(PERM_WRITE) | BIT(PERM_RESIZE);
    unsigned forbidden = BIT(PERM_WRITE) | BIT(PERM_RESIZE);
    struct flock fl;
    for (unsigned p = 0; p < PERMS; p++) {
        int ret = used & BIT(p) ? lock_byte(fd, F_OFD_SETLK, F_RDLCK, LOCK_USED + p, &fl) : 0;
        if (!ret && (forbidden & BIT(p)))
            ret = lock_byte(fd, F_OFD_SETLK, F_RDLCK, LOCK_FORBIDDEN + p, &fl);
        if (ret)
            return ret == -EAGAIN || ret == -EACCES ? 1 : ret;
    }
    for (unsigned p = 0; p < PERMS; p++) {
        if ((used & BIT(p)) && !lock_byte(fd, F_OFD_GETLK, F_WRLCK, LOCK_FORBIDDEN + p, &fl) && fl.l_type != F_UNLCK)
            return 1;
        if ((forbidden & BIT(p)) && !lock_byte(fd, F_OFD_GETLK, F_WRLCK, LOCK_USED + p, &fl) && fl.l_type != F_UNLCK)
            return 1;
    }
    return 0;
}

static bool file_lock(BlockNode *n, int fd, GError **err)
{
    if (n->force_share)
        return true;
    int ret = locks_take(fd, n->readonly);
    if (ret < 0) {
        report_warn("%s: this file system cannot lock (%s): take care that nothing else uses the image", n->path,
                    g_strerror(-ret));
        return true;
    }
    if (!ret)
        return true;
    g_autofree char *who = file_lock_holders(n->path);
    g_set_error(err, RHEA_ERROR, ERR_RUN,
                "%s: in use by %s; %s", n->path, *who ? who : "another process (not visible from here)",
                n->readonly ? "somebody is writing to it: stop that first"
                            : "stop that first, or give snapshot=on or readonly=on if it only reads");
    return false;
}

/* ---- open ---- */

static const char *open_hint(int e, bool readonly)
{
    if ((e == EACCES || e == EROFS || e == EPERM) && !readonly)
        return " (readonly=on opens it for reading only)";
    if (e == ENOENT)
        return " (make a disk with 'rhea-img create FILE SIZE')";
    return "";
}

static bool kind_check(const BlockNode *n, const struct stat *st, GError **err)
{
    const char *what = S_ISDIR(st->st_mode) ? "a directory" : S_ISCHR(st->st_mode) ? "a character device"
                     : S_ISFIFO(st->st_mode) ? "a pipe" : S_ISSOCK(st->st_mode) ? "a socket" : NULL;
    if (!what)
        return true;
    g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: this is %s, not a disk image", n->path, what);
    return false;
}

static bool size_get(BlockNode *n, int fd, const struct stat *st, GError **err)
{
    n->size = (uint64_t)st->st_size;
    if (!S_ISBLK(st->st_mode) || !ioctl(fd, BLKGETSIZE64, &n->size))
        return true;
    g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: cannot get the device's size: %s", n->path, g_strerror(errno));
    return false;
}

static bool file_open(BlockNode *n, GError **err)
{
    struct stat st;
    if (!stat(n->path, &st) && !kind_check(n, &st, err))
        return false;                    /* before open: a pipe would block, a directory has a vaguer error */
    int fd = open(n->path, (n->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s%s", n->path, g_strerror(errno), open_hint(errno, n->readonly));
        return false;
    }
    if (fstat(fd, &st) || !kind_check(n, &st, err) || !size_get(n, fd, &st, err) || !file_lock(n, fd, err)) {
        if (err && !*err)
            g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", n->path, g_strerror(errno));
        close(fd);
        return false;
    }
    File *f = g_new0(File, 1);
    f->fd = fd;
    n->state = f;
    return true;
}

static void file_close(BlockNode *n)
{
    close(file_fd(n));
    g_free(n->state);
}

/* ---- input and output ---- */

/* A file that became shorter behind our back reads as zeroes past its end. */
static int file_read(BlockNode *n, uint64_t off, void *buf, uint64_t len)
{
    uint8_t *p = buf;
    while (len) {
        ssize_t r = pread(file_fd(n), p, len, (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (!r) {
            memset(p, 0, len);
            return 0;
        }
        p += r, off += (uint64_t)r, len -= (uint64_t)r;
    }
    return 0;
}

static int file_write(BlockNode *n, uint64_t off, const void *buf, uint64_t len)
{
    const uint8_t *p = buf;
    while (len) {
        ssize_t r = pwrite(file_fd(n), p, len, (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r ? -errno : -ENOSPC;
        p += r, off += (uint64_t)r, len -= (uint64_t)r;
    }
    return 0;
}

static int file_flush(BlockNode *n)
{
    return fdatasync(file_fd(n)) ? -errno : 0;
}

/* ---- creation ---- */

static int write_zeroes(int fd, uint64_t size)
{
    static const uint8_t zeroes[1 << 20];
    for (uint64_t off = 0; off < size;) {
        ssize_t r = pwrite(fd, zeroes, MIN(sizeof zeroes, size - off), (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r ? -errno : -ENOSPC;
        off += (uint64_t)r;
    }
    return 0;
}

static int set_size(int fd, uint64_t size, FilePrealloc prealloc)
{
    if (ftruncate(fd, 0) || ftruncate(fd, (off_t)size))
        return -errno;
    if (prealloc == PREALLOC_FALLOC && size)
        return -posix_fallocate(fd, 0, (off_t)size);
    return prealloc == PREALLOC_FULL ? write_zeroes(fd, size) : 0;
}

bool file_create(const char *path, uint64_t size, FilePrealloc prealloc, GError **err)
{
    BlockNode n = { .path = (char *)path };
    struct stat st;
    bool existed = !stat(path, &st);
    if (existed && !kind_check(&n, &st, err))
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", path, g_strerror(errno));
        return false;
    }
    bool ok = file_lock(&n, fd, err);
    int ret = ok ? set_size(fd, size, prealloc) : 0;
    if (ret < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: cannot make it %" G_GUINT64_FORMAT " bytes long: %s", path, size,
                    g_strerror(-ret));
        if (!existed)
            unlink(path);
    }
    close(fd);
    return ok && !ret;
}

uint64_t file_allocated(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

const BlockDriver file_driver = {
    .name = "file", .doc = "a file or block device of the host", .kind = BLOCK_PROTOCOL,
    .open = file_open, .close = file_close, .read = file_read, .write = file_write, .flush = file_flush,
};
