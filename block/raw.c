/* Raw images: the bytes of the disk, one after another.
 *
 * A file whose length is not a multiple of 512 is shown rounded up; what is
 * missing reads as zeroes.  Media that say themselves how long they are (ISO
 * 9660, ECMA-119 section 8.4: volume space size) are checked against the file,
 * because a download cut short otherwise fails much later in the guest. */
#include <string.h>

#include "block/driver.h"
#include "util/bits.h"
#include "util/ldst.h"
#include "util/log.h"

enum {
    PVD_OFFSET = 16 * 2048,
    PVD_SPACE_SIZE = 80,                 /* u32, logical blocks */
    PVD_BLOCK_SIZE = 128,                /* u16, bytes */
    ISO_SLACK = 150 * 2048,              /* padding that writers announce but copies often lack */
};

static int raw_probe(const uint8_t *buf, size_t len)
{
    (void)buf, (void)len;
    return 1;                            /* anything may be raw, and nothing says so */
}

static bool iso_check(BlockNode *n, GError **err)
{
    uint8_t pvd[2048];
    if (n->file->size < PVD_OFFSET + sizeof pvd || n->file->drv->read(n->file, PVD_OFFSET, pvd, sizeof pvd) < 0)
        return true;
    if (memcmp(pvd, "\1CD001\1", 7))
        return true;
    uint64_t want = (uint64_t)ld_le32(pvd + PVD_SPACE_SIZE) * ld_le16(pvd + PVD_BLOCK_SIZE);
    if (want <= n->file->size + ISO_SLACK)
        return true;
    g_set_error(err, RHEA_ERROR, ERR_RUN,
                "%s: truncated ISO image: it says it has %" G_GUINT64_FORMAT " bytes, the file has %" G_GUINT64_FORMAT
                "; get it again", n->path, want, n->file->size);
    return false;
}

static bool raw_open(BlockNode *n, GError **err)
{
    if (!n->file->size) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the image is empty (0 bytes); make one with 'rhea-img create %s 10G'",
                    n->path, n->path);
        return false;
    }
    if (n->removable && !iso_check(n, err))
        return false;
    n->size = round_up(n->file->size, BLOCK_SECTOR);
    return true;
}

static void raw_close(BlockNode *n) { (void)n; }

static int raw_read(BlockNode *n, uint64_t off, void *buf, uint64_t len)
{
    uint64_t have = off < n->file->size ? MIN(len, n->file->size - off) : 0;
    memset((uint8_t *)buf + have, 0, len - have);
    return have ? n->file->drv->read(n->file, off, buf, have) : 0;
}

static int raw_write(BlockNode *n, uint64_t off, const void *buf, uint64_t len)
{
    return n->file->drv->write(n->file, off, buf, len);
}

static int raw_flush(BlockNode *n) { return n->file->drv->flush(n->file); }

const BlockDriver raw_driver = {
    .name = "raw", .doc = "the disk's bytes as they are", .kind = BLOCK_FORMAT,
    .probe = raw_probe, .open = raw_open, .close = raw_close, .read = raw_read, .write = raw_write, .flush = raw_flush,
};
