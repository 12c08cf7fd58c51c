/* Disks as devices see them.  Drivers (block/drivers.def) sit below; for now
 * raw over file.  Blocking calls belong to worker threads; devices use the
 * asynchronous ones, whose callbacks run in the main loop under the machine
 * lock. */
#ifndef RHEA_BLOCK_H
#define RHEA_BLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct BlockDev BlockDev;

typedef struct BlockOpenOptions {
    const char *path;
    const char *format;                  /* NULL: probed (raw for now) */
    bool readonly;
    bool snapshot;                       /* writes go to a temporary file that is thrown away */
    bool removable;
    bool force_share;                    /* no locks: only to look at an image that is in use */
} BlockOpenOptions;

/* Opens and locks the image (shared for readers, exclusive for a writer; the error names the holder's pid and
 * command).  Errors: "PATH: why". */
BlockDev *blk_open(const BlockOpenOptions *o, GError **err);
BlockDev *blk_ref(BlockDev *b);
void blk_unref(BlockDev *b);             /* flushes and closes at 0 */
const char *blk_path(const BlockDev *b);
const char *blk_format(const BlockDev *b);
bool blk_readonly(const BlockDev *b);
uint64_t blk_size(const BlockDev *b);    /* bytes */

/* Blocking (tests, loaders, worker threads). len bytes at off; 0 or -errno. */
int blk_read(BlockDev *b, uint64_t off, void *buf, uint64_t len);
int blk_write(BlockDev *b, uint64_t off, const void *buf, uint64_t len);
int blk_flush(BlockDev *b);

/* Asynchronous: done(opaque, 0 or -errno) runs in the main loop. The buffer stays the caller's and alive until then. */
typedef struct BlockReq BlockReq;
typedef void BlockDone(void *opaque, int ret);
BlockReq *blk_read_async(BlockDev *b, uint64_t off, void *buf, uint64_t len, BlockDone *done, void *opaque);
BlockReq *blk_write_async(BlockDev *b, uint64_t off, const void *buf, uint64_t len, BlockDone *done, void *opaque);
BlockReq *blk_flush_async(BlockDev *b, BlockDone *done, void *opaque);
/* Waits until every request of b has completed and its callback has run (main loop thread). */
void blk_drain(BlockDev *b);

typedef struct BlockStats { uint64_t rd_ops, rd_bytes, wr_ops, wr_bytes, flushes; } BlockStats;
BlockStats blk_stats(const BlockDev *b);

#endif
