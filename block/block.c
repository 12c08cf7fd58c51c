/* Disks as devices see them: a chain of nodes, and requests that run on a
 * pool of worker threads.
 *
 * A request's life: blk_*_async() checks the range, counts it as in flight
 * and pushes it to the pool; a worker runs the node's blocking call and puts
 * it on the queue of finished requests; the main loop's source (or blk_drain)
 * takes it off and runs `done` under the machine lock.  Nothing but the two
 * queues is shared between threads, and a request holds a reference on its
 * BlockDev, so closing never overtakes it.
 */
#include "block/block.h"

#include <errno.h>
#include <string.h>

#include "block/driver.h"
#include "util/bits.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/tsan.h"

enum { POOL_THREADS = 8, PROBE_LEN = 64 * 1024 };

struct BlockDev {
    gint refs;
    BlockNode *top;
    char *path, *format;
    gint in_flight;                      /* requests whose callback has not run */
    GMutex lock;                         /* guards stats */
    BlockStats stats;
};

typedef enum ReqKind { REQ_READ, REQ_WRITE, REQ_FLUSH } ReqKind;

struct BlockReq {
    BlockDev *blk;
    ReqKind kind;
    uint64_t off, len;
    void *buf;
    int ret;
    BlockDone *done;
    void *opaque;
};

/* ---- drivers and nodes ---- */

#define BLOCK_DRIVER(n) extern const BlockDriver n##_driver;
#include "block/drivers.def"
#undef BLOCK_DRIVER

const BlockDriver *const block_drivers[] = {
#define BLOCK_DRIVER(n) &n##_driver,
#include "block/drivers.def"
#undef BLOCK_DRIVER
    NULL,
};

const BlockDriver *block_driver_find(const char *name)
{
    for (unsigned i = 0; block_drivers[i]; i++)
        if (!strcmp(block_drivers[i]->name, name))
            return block_drivers[i];
    return NULL;
}

BlockNode *block_node_open(const BlockDriver *drv, const BlockOpenOptions *o, BlockNode *file_take, bool readonly,
                           GError **err)
{
    BlockNode *n = g_new0(BlockNode, 1);
    n->drv = drv;
    n->path = g_strdup(o->path);
    n->file = file_take;
    n->readonly = readonly;
    n->removable = o->removable;
    n->force_share = o->force_share;
    if (drv->open(n, err))
        return n;
    n->drv = NULL;
    block_node_close(n);
    return NULL;
}

void block_node_close(BlockNode *n)
{
    if (!n)
        return;
    if (n->drv)
        n->drv->close(n);
    block_node_close(n->file);
    g_free(n->path);
    g_free(n);
}

/* ---- formats that are recognised so that they are not taken for raw bytes ---- */

static const struct { const char *name; unsigned off; const char *magic; unsigned len; } foreign[] = {
    { "qcow2", 0, "QFI\xfb\0\0\0", 7 },
    { "vmdk", 0, "KDMV", 4 },
    { "vmdk", 0, "# Disk DescriptorFile", 21 },
    { "vhdx", 0, "vhdxfile", 8 },
    { "vpc", 0, "conectix", 8 },
    { "vdi", 64, "\x7f\x10\xda\xbe", 4 },
    { "qed", 0, "QED\0", 4 },
    { "luks", 0, "LUKS\xba\xbe", 6 },
};

static bool foreign_check(const char *path, const uint8_t *head, size_t len, GError **err)
{
    for (unsigned i = 0; i < ARRAY_LEN(foreign); i++) {
        if (foreign[i].off + foreign[i].len > len || memcmp(head + foreign[i].off, foreign[i].magic, foreign[i].len))
            continue;
        if (block_driver_find(foreign[i].name))
            continue;
        g_set_error(err, RHEA_ERROR, ERR_RUN,
                    "%s: this is a %s image, which cannot be opened yet; convert it to raw, or give format=raw to use its "
                    "bytes as they are", path, foreign[i].name);
        return false;
    }
    return true;
}

static const BlockDriver *format_probe(const char *path, BlockNode *file, GError **err)
{
    g_autofree uint8_t *head = g_malloc0(PROBE_LEN);
    size_t len = MIN(file->size, PROBE_LEN);
    int ret = file->drv->read(file, 0, head, len);
    if (ret < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: cannot read: %s", path, g_strerror(-ret));
        return NULL;
    }
    const BlockDriver *best = NULL;
    int score = 0;
    for (unsigned i = 0; block_drivers[i]; i++) {
        int s = block_drivers[i]->probe ? block_drivers[i]->probe(head, len) : 0;
        if (s > score) {
            score = s;
            best = block_drivers[i];
        }
    }
    return foreign_check(path, head, len, err) ? best : NULL;
}

static const BlockDriver *format_by_name(const char *name, GError **err)
{
    const BlockDriver *drv = block_driver_find(name);
    if (drv && drv->kind == BLOCK_FORMAT)
        return drv;
    const char *names[32];
    unsigned n = 0;
    g_autoptr(GString) list = g_string_new(NULL);
    for (unsigned i = 0; block_drivers[i] && n < ARRAY_LEN(names) - 1; i++) {
        if (block_drivers[i]->kind != BLOCK_FORMAT)
            continue;
        g_string_append_printf(list, "%s%s", n ? ", " : "", block_drivers[i]->name);
        names[n++] = block_drivers[i]->name;
    }
    names[n] = NULL;
    g_autofree char *closest = closest_names(name, names);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "format '%s' is not known%s (known: %s)", name, closest, list->str);
    return NULL;
}

/* ---- opening ---- */

static BlockNode *chain_open(const BlockOpenOptions *o, GError **err)
{
    const BlockDriver *fmt = NULL;
    if (o->format && !(fmt = format_by_name(o->format, err)))
        return NULL;
    bool file_ro = o->readonly || o->snapshot;
    BlockNode *n = block_node_open(block_driver_find("file"), o, NULL, file_ro, err);
    if (!n)
        return NULL;
    if (!fmt && !(fmt = format_probe(o->path, n, err))) {
        block_node_close(n);
        return NULL;
    }
    n = block_node_open(fmt, o, n, file_ro, err);
    if (n && o->snapshot && !o->readonly)
        n = block_node_open(block_driver_find("snapshot"), o, n, false, err);
    return n;
}

BlockDev *blk_open(const BlockOpenOptions *o, GError **err)
{
    BlockNode *top = chain_open(o, err);
    if (!top)
        return NULL;
    BlockDev *b = g_new0(BlockDev, 1);
    b->refs = 1;
    b->top = top;
    b->path = g_strdup(o->path);
    const BlockNode *fmt = top;
    while (fmt->drv->kind == BLOCK_FILTER)
        fmt = fmt->file;
    b->format = g_strdup(fmt->drv->name);
    g_mutex_init(&b->lock);
    return b;
}

BlockDev *blk_ref(BlockDev *b)
{
    g_atomic_int_inc(&b->refs);
    return b;
}

void blk_unref(BlockDev *b)
{
    if (!b || !g_atomic_int_dec_and_test(&b->refs))
        return;
    if (!b->top->readonly) {
        int ret = b->top->drv->flush(b->top);
        if (ret < 0)
            report_warn("%s: flushing at close failed: %s", b->path, g_strerror(-ret));
    }
    block_node_close(b->top);
    g_mutex_clear(&b->lock);
    g_free(b->path);
    g_free(b->format);
    g_free(b);
}

const char *blk_path(const BlockDev *b) { return b->path; }
const char *blk_format(const BlockDev *b) { return b->format; }
bool blk_readonly(const BlockDev *b) { return b->top->readonly; }
uint64_t blk_size(const BlockDev *b) { return b->top->size; }

/* ---- blocking calls ---- */

static void blk_count(BlockDev *b, ReqKind kind, uint64_t len)
{
    g_mutex_lock(&b->lock);
    switch (kind) {
    case REQ_READ: b->stats.rd_ops++; b->stats.rd_bytes += len; break;
    case REQ_WRITE: b->stats.wr_ops++; b->stats.wr_bytes += len; break;
    case REQ_FLUSH: b->stats.flushes++; break;
    }
    g_mutex_unlock(&b->lock);
}

BlockStats blk_stats(const BlockDev *b)
{
    GMutex *lock = (GMutex *)&b->lock;
    g_mutex_lock(lock);
    BlockStats s = b->stats;
    g_mutex_unlock(lock);
    return s;
}

static int blk_do(BlockDev *b, ReqKind kind, uint64_t off, void *buf, uint64_t len)
{
    BlockNode *n = b->top;
    if (kind == REQ_FLUSH) {
        blk_count(b, kind, 0);
        return n->readonly ? 0 : n->drv->flush(n);
    }
    if (off > n->size || len > n->size - off)
        return -EINVAL;
    if (kind == REQ_WRITE && n->readonly)
        return -EROFS;
    blk_count(b, kind, len);
    if (!len)
        return 0;
    return kind == REQ_READ ? n->drv->read(n, off, buf, len) : n->drv->write(n, off, buf, len);
}

int blk_read(BlockDev *b, uint64_t off, void *buf, uint64_t len) { return blk_do(b, REQ_READ, off, buf, len); }
int blk_write(BlockDev *b, uint64_t off, const void *buf, uint64_t len)
{
    return blk_do(b, REQ_WRITE, off, (void *)buf, len);
}
int blk_flush(BlockDev *b) { return blk_do(b, REQ_FLUSH, 0, NULL, 0); }

/* ---- finished requests ---- */

static struct {
    GMutex lock;
    GCond cond;                          /* something was added to `finished` */
    GQueue finished;                     /* BlockReq * */
    GThreadPool *pool;
    GSource *source;                     /* in the default main context */
} io;

static void req_complete(BlockReq *r)
{
    BlockDev *b = r->blk;
    r->done(r->opaque, r->ret);
    g_atomic_int_add(&b->in_flight, -1);
    g_free(r);
    blk_unref(b);
}

static BlockReq *finished_pop(BlockDev *only)
{
    g_mutex_lock(&io.lock);
    BlockReq *found = NULL;
    for (GList *l = io.finished.head; l; l = l->next) {
        BlockReq *r = l->data;
        if (only && r->blk != only)
            continue;
        found = r;
        g_queue_delete_link(&io.finished, l);
        break;
    }
    g_mutex_unlock(&io.lock);
    return found;
}

static gboolean finished_dispatch(GSource *src, GSourceFunc fn, gpointer data)
{
    (void)fn, (void)data;
    g_source_set_ready_time(src, -1);
    machine_lock();
    BlockReq *r;
    while ((r = finished_pop(NULL)))
        req_complete(r);
    machine_unlock();
    return G_SOURCE_CONTINUE;
}

static void worker(gpointer data, gpointer unused)
{
    BlockReq *r = data;
    (void)unused;
    TSAN_HANDED_OVER(r);
    r->ret = blk_do(r->blk, r->kind, r->off, r->buf, r->len);
    g_mutex_lock(&io.lock);
    g_queue_push_tail(&io.finished, r);
    g_cond_broadcast(&io.cond);
    g_mutex_unlock(&io.lock);
    g_source_set_ready_time(io.source, 0);
}

static void io_start(void)
{
    static GSourceFuncs funcs = { .dispatch = finished_dispatch };
    static gsize once;
    if (!g_once_init_enter(&once))
        return;
    g_mutex_init(&io.lock);
    g_cond_init(&io.cond);
    g_queue_init(&io.finished);
    io.source = g_source_new(&funcs, sizeof(GSource));
    g_source_set_priority(io.source, G_PRIORITY_DEFAULT);
    g_source_set_name(io.source, "block");
    g_source_attach(io.source, NULL);
    io.pool = g_thread_pool_new(worker, NULL, POOL_THREADS, FALSE, NULL);
    g_once_init_leave(&once, 1);
}

static BlockReq *req_submit(BlockDev *b, ReqKind kind, uint64_t off, void *buf, uint64_t len, BlockDone *done, void *opaque)
{
    io_start();
    BlockReq *r = g_new(BlockReq, 1);
    *r = (BlockReq){ blk_ref(b), kind, off, len, buf, 0, done, opaque };
    g_atomic_int_inc(&b->in_flight);
    g_thread_pool_push(io.pool, r, NULL);
    return r;
}

BlockReq *blk_read_async(BlockDev *b, uint64_t off, void *buf, uint64_t len, BlockDone *done, void *opaque)
{
    return req_submit(b, REQ_READ, off, buf, len, done, opaque);
}

BlockReq *blk_write_async(BlockDev *b, uint64_t off, const void *buf, uint64_t len, BlockDone *done, void *opaque)
{
    return req_submit(b, REQ_WRITE, off, (void *)buf, len, done, opaque);
}

BlockReq *blk_flush_async(BlockDev *b, BlockDone *done, void *opaque)
{
    return req_submit(b, REQ_FLUSH, 0, NULL, 0, done, opaque);
}

void blk_drain(BlockDev *b)
{
    blk_ref(b);
    machine_lock();
    while (g_atomic_int_get(&b->in_flight)) {
        BlockReq *r = finished_pop(b);
        if (r) {
            req_complete(r);
            continue;
        }
        g_mutex_lock(&io.lock);
        if (!io.finished.length)
            g_cond_wait_until(&io.cond, &io.lock, g_get_monotonic_time() + G_TIME_SPAN_SECOND / 10);
        g_mutex_unlock(&io.lock);
    }
    machine_unlock();
    blk_unref(b);
}
