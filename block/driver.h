/* What a block driver is.  An open image is a chain of nodes: a format or
 * filter node on top, a protocol node at the bottom (README.md).
 *
 * Threads: open and close in the main thread; read, write and flush on any,
 * several at once, blocking.  A driver locks what it shares. */
#ifndef RHEA_BLOCK_DRIVER_H
#define RHEA_BLOCK_DRIVER_H

#include "block/block.h"

typedef struct BlockNode BlockNode;

typedef struct BlockDriver {
    const char *name;                    /* as in format=NAME */
    const char *doc;
    enum { BLOCK_PROTOCOL, BLOCK_FORMAT, BLOCK_FILTER } kind;
    /* Formats: how sure (0 no .. 100) from the first len bytes of the file. */
    int (*probe)(const uint8_t *buf, size_t len);
    /* n->path, n->readonly and n->file (all but protocols) are set; sets n->size and n->state. Errors: "PATH: why". */
    bool (*open)(BlockNode *n, GError **err);
    void (*close)(BlockNode *n);
    /* Ranges lie inside n->size. 0 or -errno. */
    int (*read)(BlockNode *n, uint64_t off, void *buf, uint64_t len);
    int (*write)(BlockNode *n, uint64_t off, const void *buf, uint64_t len);
    int (*flush)(BlockNode *n);
} BlockDriver;

struct BlockNode {
    const BlockDriver *drv;
    BlockNode *file;                     /* the node below, owned; NULL for protocols */
    char *path;
    bool readonly;
    bool removable;                      /* a CD or floppy medium */
    bool force_share;                    /* takes no locks */
    uint64_t size;                       /* bytes */
    void *state;                         /* the driver's own */
};

enum { BLOCK_SECTOR = 512 };

extern const BlockDriver *const block_drivers[];         /* NULL-terminated, in drivers.def order */
const BlockDriver *block_driver_find(const char *name);

/* Path and flags come from o (copied), but readonly overrides.  Takes file.  NULL (file closed too) on error. */
BlockNode *block_node_open(const BlockDriver *drv, const BlockOpenOptions *o, BlockNode *file_take, bool readonly,
                           GError **err);
void block_node_close(BlockNode *n);

/* Who has `path` open with a lock (pids and command lines), for error texts; caller frees. "" if nobody is found. */
char *file_lock_holders(const char *path);
/* How the room of a new image is got: only its length, reserved on the host, or written with zeroes. */
typedef enum FilePrealloc { PREALLOC_OFF, PREALLOC_FALLOC, PREALLOC_FULL } FilePrealloc;
/* Makes (or empties and resizes) a file of that size; refuses one that is in use. */
bool file_create(const char *path, uint64_t size, FilePrealloc prealloc, GError **err);
/* Bytes the file really occupies on the host's disk. */
uint64_t file_allocated(const char *path);

#endif
