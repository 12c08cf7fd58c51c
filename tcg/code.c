/* The code buffer: where generated code lives.
 *
 * One memfd is mapped twice, once readable and executable, once readable and
 * writable, so that no page is ever both (W^X).  Addresses handed out are
 * those of the executable view; code_rw() gives the writable twin.
 *
 *     | permanent | segment 0 | segment 1 | ... | segment 15 |
 *
 * The permanent part holds prologue and thunks.  Segments are filled one
 * after the other and emptied as a whole (code_next_segment), the oldest
 * first, so that eviction throws away a sixteenth and never everything.
 *
 * Inside a segment blocks lie in address order: an index of start offsets is
 * searched by halves to find the block of a host address.  The index has its
 * full size from the start (untouched pages cost nothing), so that readers
 * need no lock: a writer stores the entry, then publishes the count.
 *
 * Threads: code_begin, code_commit, code_next_segment under TcgCtx.lock;
 * code_find, code_contains and code_rw from any thread.
 */
#define _GNU_SOURCE
#include "tcg/tcg.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bits.h"
#include "util/log.h"

enum {
    CODE_ALIGN = 16,
    CODE_PERMANENT = 256 << 10,
    CODE_MIN_BLOCK = 32,                 /* no block is smaller: bounds the index */
    CODE_MIN_SEGMENT = 2 << 20,
    CODE_CHUNK = 1 << 20,
    CODE_AHEAD = 64 << 10,               /* pages of the writable view are had in such runs: fewer faults */
};
#define CODE_DEFAULT_SIZE ((size_t)256 << 20)

typedef struct CodeSegment {
    size_t start, used;                  /* offsets in the buffer */
    size_t ready;                        /* bytes whose pages the writable view was given ahead */
    unsigned nblocks;                    /* published with release */
    uint32_t *offset;                    /* start of each block, from the segment's */
    Block **block;
} CodeSegment;

struct CodeBuf {
    int fd;
    uint8_t *rx, *rw;
    size_t size, seg_size, permanent_used;
    unsigned cur;                        /* segment being filled */
    size_t begun;                        /* offset given out by code_begin */
    CodeSegment seg[CODE_SEGMENTS];
};

static bool code_map(CodeBuf *b, GError **err)
{
    b->fd = memfd_create("rhea-code", MFD_CLOEXEC);
    if (b->fd < 0 || ftruncate(b->fd, (off_t)b->size) < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "code buffer of %zu MiB: %s", b->size >> 20, strerror(errno));
        return false;
    }
    b->rw = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, b->fd, 0);
    b->rx = mmap(NULL, b->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_NORESERVE, b->fd, 0);
    if (b->rw == MAP_FAILED || b->rx == MAP_FAILED) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "cannot map a code buffer of %zu MiB: %s", b->size >> 20,
                    strerror(errno));
        return false;
    }
    return true;
}

/* Reserved at its full size, touched as it fills. */
static void *index_new(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static size_t index_entries(const CodeBuf *b)
{
    return b->seg_size / CODE_MIN_BLOCK;
}

CodeBuf *code_buf_new(size_t size, GError **err)
{
    CodeBuf *b = g_new0(CodeBuf, 1);
    b->fd = -1;
    b->rx = b->rw = MAP_FAILED;
    size = size ? size : CODE_DEFAULT_SIZE;
    b->seg_size = MAX(round_down(size / CODE_SEGMENTS, 4096), (size_t)CODE_MIN_SEGMENT);
    b->size = CODE_PERMANENT + CODE_SEGMENTS * b->seg_size;
    if (b->size >= (size_t)1 << 31) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "a code buffer of %zu MiB is too large: direct jumps reach 2047 MiB",
                    size >> 20);
        code_buf_free(b);
        return NULL;
    }
    if (!code_map(b, err)) {
        code_buf_free(b);
        return NULL;
    }
    for (unsigned i = 0; i < CODE_SEGMENTS; i++) {
        CodeSegment *s = &b->seg[i];
        s->start = CODE_PERMANENT + i * b->seg_size;
        s->offset = index_new(index_entries(b) * sizeof(*s->offset));
        s->block = index_new(index_entries(b) * sizeof(*s->block));
        if (!s->offset || !s->block) {
            g_set_error(err, RHEA_ERROR, ERR_RUN, "no memory for the index of the code buffer");
            code_buf_free(b);
            return NULL;
        }
    }
    return b;
}

void code_buf_free(CodeBuf *b)
{
    if (!b) {
        return;
    }
    for (unsigned i = 0; i < CODE_SEGMENTS; i++) {
        if (b->seg[i].offset) {
            munmap(b->seg[i].offset, index_entries(b) * sizeof(*b->seg[i].offset));
        }
        if (b->seg[i].block) {
            munmap(b->seg[i].block, index_entries(b) * sizeof(*b->seg[i].block));
        }
    }
    if (b->rx != MAP_FAILED) {
        munmap(b->rx, b->size);
    }
    if (b->rw != MAP_FAILED) {
        munmap(b->rw, b->size);
    }
    if (b->fd >= 0) {
        close(b->fd);
    }
    g_free(b);
}

/* Until the first block is committed, begin and commit fill the permanent part. */
static bool code_permanent(const CodeBuf *b)
{
    return b->cur == 0 && b->seg[0].nblocks == 0 && b->seg[0].used == 0;
}

/* The next pages that code will be written to, in one go. */
static void get_ready(CodeBuf *b, CodeSegment *s)
{
    if (s->used < s->ready) {
        return;
    }
    size_t from = round_down(s->used, 4096), len = MIN((size_t)CODE_AHEAD, b->seg_size - from);
    s->ready = from + len;
#ifdef MADV_POPULATE_WRITE
    madvise(b->rw + s->start + from, len, MADV_POPULATE_WRITE);          /* a hint, too */
#endif
}

const uint8_t *code_begin(CodeBuf *b, size_t max)
{
    CodeSegment *s = &b->seg[b->cur];
    if (s->used + max > b->seg_size || s->nblocks == index_entries(b)) {
        return NULL;
    }
    get_ready(b, s);
    b->begun = s->start + s->used;
    return b->rx + b->begun;
}

const uint8_t *code_begin_permanent(CodeBuf *b, size_t max)
{
    g_assert(code_permanent(b) && b->permanent_used + max <= CODE_PERMANENT);
    b->begun = b->permanent_used;
    return b->rx + b->begun;
}

uint8_t *code_rw(const CodeBuf *b, const void *rx)
{
    return b->rw + ((const uint8_t *)rx - b->rx);
}

/* Each full chunk makes the writable view forget its pages, else code would count twice as resident; a later patch brings
 * its page back. */
static void forget_written(CodeBuf *b, size_t from, size_t to)
{
    to = round_down(to, CODE_CHUNK);
    if (from < to)                       /* a hint: that it fails matters to nobody */
        madvise(b->rw, to, MADV_DONTNEED);
}

void code_commit(CodeBuf *b, size_t used, Block *blk)
{
    size_t end = round_up(b->begun + used, CODE_ALIGN);
    if (!blk) {
        b->permanent_used = end;
        return;
    }
    CodeSegment *s = &b->seg[b->cur];
    s->offset[s->nblocks] = (uint32_t)(b->begun - s->start);
    s->block[s->nblocks] = blk;
    s->used = MAX(end - s->start, s->used + CODE_MIN_BLOCK);
    forget_written(b, b->begun, s->start + s->used);
    __atomic_store_n(&s->nblocks, s->nblocks + 1, __ATOMIC_RELEASE);   /* pairs with code_find */
}

bool code_contains(const CodeBuf *b, uintptr_t host_pc)
{
    return host_pc - (uintptr_t)b->rx < b->size;
}

Block *code_find(const CodeBuf *b, uintptr_t host_pc)
{
    size_t off = host_pc - (uintptr_t)b->rx;
    if (off >= b->size || off < CODE_PERMANENT) {
        return NULL;
    }
    const CodeSegment *s = &b->seg[(off - CODE_PERMANENT) / b->seg_size];
    unsigned n = __atomic_load_n(&s->nblocks, __ATOMIC_ACQUIRE), lo = 0;
    off -= s->start;
    while (n) {                          /* the last block that starts at or before off is in [lo, lo + n) */
        unsigned half = n / 2;
        if (s->offset[lo + half] <= off) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo ? s->block[lo - 1] : NULL;
}

Block *code_next_segment(CodeBuf *b)
{
    b->cur = (b->cur + 1) % CODE_SEGMENTS;
    CodeSegment *s = &b->seg[b->cur];
    Block *list = NULL;
    for (unsigned i = s->nblocks; i-- > 0;) {
        s->block[i]->seg_next = list;
        list = s->block[i];
    }
    __atomic_store_n(&s->nblocks, 0, __ATOMIC_RELEASE);
    s->used = s->ready = 0;
    return list;
}

size_t code_used(const CodeBuf *b)
{
    size_t n = b->permanent_used;
    for (unsigned i = 0; i < CODE_SEGMENTS; i++) {
        n += b->seg[i].used;
    }
    return n;
}
