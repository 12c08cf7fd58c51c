/* snapshot=on: what the guest writes goes to a nameless temporary file and
 * is thrown away at the end.
 *
 * The temporary file has the disk's size and is sparse; a bitmap in memory
 * (one bit per 512-byte sector, allocated lazily by the host) says which
 * sectors live there.  Writes that are not whole sectors complete them from
 * below first.  One reader-writer lock keeps bitmap and data in step. */
#define _GNU_SOURCE                      /* O_TMPFILE */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/driver.h"
#include "util/bits.h"
#include "util/log.h"

typedef struct Snapshot {
    int fd;
    GRWLock lock;
    uint64_t *dirty;                     /* bit n: sector n is in the temporary file */
} Snapshot;

static bool sector_dirty(const Snapshot *s, uint64_t sector) { return s->dirty[sector / 64] >> (sector % 64) & 1; }

static int temp_open(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    g_autofree char *name = g_build_filename(dir, "rhea-XXXXXX", NULL);
    fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static bool snapshot_open(BlockNode *n, GError **err)
{
    const char *dir = g_getenv("TMPDIR") ? g_getenv("TMPDIR") : "/var/tmp";
    uint64_t sectors = n->file->size / BLOCK_SECTOR + 1;
    uint64_t *dirty = g_try_malloc0_n(sectors / 64 + 1, sizeof(uint64_t));
    int fd = dirty ? temp_open(dir) : -1;
    if (fd < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: cannot make a temporary file for snapshot=on in %s: %s (TMPDIR chooses "
                    "another directory)", n->path, dir, g_strerror(dirty ? errno : ENOMEM));
        g_free(dirty);
        return false;
    }
    Snapshot *s = g_new0(Snapshot, 1);
    s->fd = fd;
    s->dirty = dirty;
    g_rw_lock_init(&s->lock);
    n->state = s;
    n->size = n->file->size;
    return true;
}

static void snapshot_close(BlockNode *n)
{
    Snapshot *s = n->state;
    close(s->fd);
    g_rw_lock_clear(&s->lock);
    g_free(s->dirty);
    g_free(s);
}

static int temp_read(const Snapshot *s, uint64_t off, uint8_t *buf, uint64_t len)
{
    while (len) {
        ssize_t r = pread(s->fd, buf, len, (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r ? -errno : -EIO;
        buf += r, off += (uint64_t)r, len -= (uint64_t)r;
    }
    return 0;
}

static int temp_write(const Snapshot *s, uint64_t off, const uint8_t *buf, uint64_t len)
{
    while (len) {
        ssize_t r = pwrite(s->fd, buf, len, (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r ? -errno : -ENOSPC;
        buf += r, off += (uint64_t)r, len -= (uint64_t)r;
    }
    return 0;
}

/* Reads run by run: sectors in a row that live in the same place. */
static int read_locked(BlockNode *n, uint64_t off, uint8_t *buf, uint64_t len)
{
    const Snapshot *s = n->state;
    while (len) {
        uint64_t sector = off / BLOCK_SECTOR, end = sector + 1;
        bool dirty = sector_dirty(s, sector);
        while (end * BLOCK_SECTOR < off + len && sector_dirty(s, end) == dirty)
            end++;
        uint64_t run = MIN(len, end * BLOCK_SECTOR - off);
        int ret = dirty ? temp_read(s, off, buf, run) : n->file->drv->read(n->file, off, buf, run);
        if (ret < 0)
            return ret;
        off += run, buf += run, len -= run;
    }
    return 0;
}

/* One partial sector: complete it from what is there, and write it whole. */
static int write_part_locked(BlockNode *n, uint64_t off, const uint8_t *buf, uint64_t len)
{
    uint8_t sector[BLOCK_SECTOR];
    uint64_t base = round_down(off, BLOCK_SECTOR);
    int ret = read_locked(n, base, sector, sizeof sector);
    if (ret < 0)
        return ret;
    memcpy(sector + (off - base), buf, len);
    return temp_write(n->state, base, sector, sizeof sector);
}

static int write_locked(BlockNode *n, uint64_t off, const uint8_t *buf, uint64_t len)
{
    Snapshot *s = n->state;
    while (len) {
        uint64_t in = off % BLOCK_SECTOR, run = in || len < BLOCK_SECTOR ? MIN(len, BLOCK_SECTOR - in)
                                                                       : round_down(len, BLOCK_SECTOR);
        bool part = in || run < BLOCK_SECTOR;
        int ret = part ? write_part_locked(n, off, buf, run) : temp_write(s, off, buf, run);
        if (ret < 0)
            return ret;
        for (uint64_t i = off / BLOCK_SECTOR; i * BLOCK_SECTOR < off + run; i++)
            s->dirty[i / 64] |= BIT(i % 64);
        off += run, buf += run, len -= run;
    }
    return 0;
}

static int snapshot_read(BlockNode *n, uint64_t off, void *buf, uint64_t len)
{
    Snapshot *s = n->state;
    g_rw_lock_reader_lock(&s->lock);
    int ret = read_locked(n, off, buf, len);
    g_rw_lock_reader_unlock(&s->lock);
    return ret;
}

static int snapshot_write(BlockNode *n, uint64_t off, const void *buf, uint64_t len)
{
    Snapshot *s = n->state;
    g_rw_lock_writer_lock(&s->lock);
    int ret = write_locked(n, off, buf, len);
    g_rw_lock_writer_unlock(&s->lock);
    return ret;
}

static int snapshot_flush(BlockNode *n)
{
    (void)n;
    return 0;                            /* nothing of it survives anyway */
}

const BlockDriver snapshot_driver = {
    .name = "snapshot", .doc = "writes go to a temporary file", .kind = BLOCK_FILTER,
    .open = snapshot_open, .close = snapshot_close, .read = snapshot_read, .write = snapshot_write, .flush = snapshot_flush,
};
