/* Region tree, flat views, RAM blocks and bulk access (contract: memory.h).
 *
 * A flat view is an array of disjoint ranges sorted by address. It is built
 * by rendering the tree from the root: children in order of priority, highest
 * first, each filling only what is still free in its parent's window.
 *
 * Publication.  AddressSpace.view is replaced atomically. Readers bracket
 * their look at a view with reader_enter/leave on a slot of their thread; a
 * writer that has replaced a view waits until no slot still shows a reader
 * from before, then frees it. Readers never block and never call out inside
 * the bracket, so the wait is short.
 *
 * Left out on purpose: IOMMUs, coalesced MMIO.
 */
#include "cpu/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bits.h"
#include "util/ldst.h"
#include "util/lock.h"
#include "util/log.h"

enum { PAGE_BITS = 12, PAGE_SIZE = 1 << PAGE_BITS };

typedef enum RegionKind { REGION_CONTAINER, REGION_IO, REGION_RAM, REGION_ROM, REGION_ALIAS } RegionKind;

/* Backing of one RAM or ROM region, in the global numbering of RAM addresses. */
typedef struct RamBlock {
    uint64_t base, size;                 /* RAM address of the first byte */
    uint8_t *host;
    uint8_t *dirty;                      /* MEM_DIRTY_* a page, allocated when logging first goes on */
    uint32_t logging;                    /* clients that log */
} RamBlock;

struct MemRegion {
    RegionKind kind;
    int refs;
    char *name;
    uint64_t size;
    const MemOps *ops;
    void *opaque;
    RamBlock *ram;
    MemRegion *target;                   /* alias */
    uint64_t target_offset;
    MemRegion *parent;
    uint64_t offset;                     /* in parent */
    int priority;
    bool enabled, readonly;
    GPtrArray *children;                 /* by falling priority; later additions first among equals */
};

typedef struct FlatRange {
    uint64_t start, last;                /* inclusive */
    MemRegion *mr;
    uint64_t offset;                     /* in mr of `start` */
    bool readonly;
} FlatRange;

typedef struct FlatView {
    unsigned n;
    FlatRange r[];
} FlatView;

typedef struct Listener { void (*fn)(void *); void *opaque; } Listener;

struct AddressSpace {
    char *name;
    MemRegion *root;
    FlatView *view;
    GArray *listeners;
};

const MemCodeOps *mem_code_ops;

static GPtrArray *spaces;                /* every AddressSpace; machine lock */
static unsigned nesting;                 /* mem_begin depth */
static bool changed;

/* ---- RAM blocks ---- */

static GMutex blocks_mutex;
typedef struct BlockList {
    struct BlockList *old;               /* the list before this one: readers may still be in it */
    unsigned n;
    RamBlock *b[];                       /* sorted by base */
} BlockList;
static BlockList *blocks;                /* replaced as a whole; old lists, few and small, live as long as any block */
static uint64_t next_base;

static RamBlock *block_of(uint64_t ram_addr)
{
    const BlockList *l = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE);     /* pairs with blocks_publish */
    unsigned lo = 0, hi = l ? l->n : 0;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (l->b[mid]->base <= ram_addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo || ram_addr - l->b[lo - 1]->base >= l->b[lo - 1]->size)
        return NULL;
    return l->b[lo - 1];
}

/* The list with one block more, or one less. */
static void blocks_publish(RamBlock *add, const RamBlock *del)
{
    unsigned n = blocks ? blocks->n : 0, k = 0;
    BlockList *l = g_malloc(sizeof *l + (n + 1) * sizeof l->b[0]);
    for (unsigned i = 0; i < n; i++)
        if (blocks->b[i] != del)
            l->b[k++] = blocks->b[i];
    if (add)
        l->b[k++] = add;
    l->n = k;
    l->old = blocks;
    __atomic_store_n(&blocks, k ? l : NULL, __ATOMIC_RELEASE);
    while (!k && l) {                    /* no memory is left that a reader could ask for */
        BlockList *old = l->old;
        g_free(l);
        l = old;
    }
}

static RamBlock *block_new(const char *name, uint64_t size, GError **err)
{
    size = round_up(size, PAGE_SIZE);
    void *p = size <= (1ull << 40)
        ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : MAP_FAILED;
    if (p == MAP_FAILED) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the host cannot give %" G_GUINT64_FORMAT " MiB of memory; use a smaller size",
                    name, size >> 20);
        return NULL;
    }
    RamBlock *b = g_new0(RamBlock, 1);
    b->host = p;
    b->size = size;
    g_mutex_lock(&blocks_mutex);
    b->base = next_base;
    next_base = round_up(next_base + size, 2 << 20);
    blocks_publish(b, NULL);
    g_mutex_unlock(&blocks_mutex);
    return b;
}

static void block_free(RamBlock *b)
{
    g_mutex_lock(&blocks_mutex);
    blocks_publish(NULL, b);
    g_mutex_unlock(&blocks_mutex);
    munmap(b->host, b->size);
    g_free(b->dirty);
    g_free(b);
}

/* ---- regions ---- */

static MemRegion *region_new(RegionKind kind, const char *name, uint64_t size)
{
    MemRegion *mr = g_new0(MemRegion, 1);
    mr->kind = kind;
    mr->refs = 1;
    mr->name = g_strdup(name);
    mr->size = size;
    mr->enabled = true;
    return mr;
}

MemRegion *mem_container_new(const char *name, uint64_t size)
{
    return region_new(REGION_CONTAINER, name, size);
}

MemRegion *mem_io_new(const char *name, uint64_t size, const MemOps *ops, void *opaque)
{
    MemRegion *mr = region_new(REGION_IO, name, size);
    mr->ops = ops;
    mr->opaque = opaque;
    return mr;
}

static MemRegion *backed_new(RegionKind kind, const char *name, uint64_t size, GError **err)
{
    RamBlock *b = block_new(name, size, err);
    if (!b)
        return NULL;
    MemRegion *mr = region_new(kind, name, b->size);
    mr->ram = b;
    return mr;
}

MemRegion *mem_ram_new(const char *name, uint64_t size, GError **err)
{
    return backed_new(REGION_RAM, name, size, err);
}

MemRegion *mem_rom_new(const char *name, uint64_t size, const MemOps *ops, void *opaque, GError **err)
{
    MemRegion *mr = backed_new(REGION_ROM, name, size, err);
    if (mr) {
        mr->ops = ops;
        mr->opaque = opaque;
        mr->readonly = true;
    }
    return mr;
}

MemRegion *mem_alias_new(const char *name, MemRegion *target, uint64_t offset, uint64_t size)
{
    MemRegion *mr = region_new(REGION_ALIAS, name, size);
    mr->target = mem_ref(target);
    mr->target_offset = offset;
    return mr;
}

MemRegion *mem_ref(MemRegion *mr)
{
    mr->refs++;
    return mr;
}

void mem_unref(MemRegion *mr)
{
    if (!mr || --mr->refs)
        return;
    if (mr->children) {
        for (unsigned i = 0; i < mr->children->len; i++) {
            MemRegion *c = mr->children->pdata[i];
            c->parent = NULL;
            mem_unref(c);
        }
        g_ptr_array_free(mr->children, TRUE);
    }
    if (mr->target)
        mem_unref(mr->target);
    if (mr->ram)
        block_free(mr->ram);
    g_free(mr->name);
    g_free(mr);
}

const char *mem_name(const MemRegion *mr) { return mr->name; }
uint64_t mem_size(const MemRegion *mr) { return mr->size; }
void *mem_host(const MemRegion *mr) { return mr->ram ? mr->ram->host : NULL; }
uint64_t mem_ram_addr(const MemRegion *mr) { return mr->ram ? mr->ram->base : UINT64_MAX; }

void *mem_ram_host(uint64_t ram_addr)
{
    RamBlock *b = block_of(ram_addr);
    return b ? b->host + (ram_addr - b->base) : NULL;
}

/* ---- rendering ---- */

static void range_insert(GArray *out, FlatRange r)
{
    unsigned i = 0;
    while (i < out->len && g_array_index(out, FlatRange, i).start < r.start)
        i++;
    g_array_insert_val(out, i, r);
}

/* Adds what is free of [start, last], which shows mr from `offset` on. */
static void range_fill(GArray *out, MemRegion *mr, uint64_t start, uint64_t last, uint64_t offset, bool readonly)
{
    for (unsigned i = 0; i < out->len; i++) {
        FlatRange o = g_array_index(out, FlatRange, i);
        if (o.last < start)
            continue;
        if (o.start > last)
            break;
        if (o.start > start) {
            range_insert(out, (FlatRange){ start, o.start - 1, mr, offset, readonly });
            i++;
        }
        if (o.last >= last)
            return;
        offset += o.last + 1 - start;
        start = o.last + 1;
    }
    range_insert(out, (FlatRange){ start, last, mr, offset, readonly });
}

/* Shows bytes [from, to] of mr (inclusive) at gpa. */
static void render(GArray *out, MemRegion *mr, uint64_t gpa, uint64_t from, uint64_t to, bool readonly, unsigned depth)
{
    if (!mr->enabled || !mr->size || depth > 32)
        return;
    if (from > mr->size - 1)
        return;
    if (to > mr->size - 1)
        to = mr->size - 1;
    readonly |= mr->readonly;
    if (mr->children) {
        for (unsigned i = 0; i < mr->children->len; i++) {
            MemRegion *c = mr->children->pdata[i];
            if (!c->size || c->offset > to)
                continue;
            uint64_t clast = c->size - 1 > UINT64_MAX - c->offset ? UINT64_MAX : c->offset + c->size - 1;
            if (clast < from)
                continue;
            uint64_t lo = MAX(c->offset, from), hi = MIN(clast, to);
            render(out, c, gpa + (lo - from), lo - c->offset, hi - c->offset, readonly, depth + 1);
        }
    }
    switch (mr->kind) {
    case REGION_CONTAINER:
        break;
    case REGION_ALIAS:
        render(out, mr->target, gpa, mr->target_offset + from, mr->target_offset + to, readonly, depth + 1);
        break;
    default:
        range_fill(out, mr, gpa, gpa + (to - from), from, readonly);
    }
}

static FlatView *view_build(MemRegion *root)
{
    GArray *a = g_array_new(FALSE, FALSE, sizeof(FlatRange));
    render(a, root, 0, 0, UINT64_MAX, false, 0);
    /* neighbours that continue each other become one */
    unsigned n = 0;
    FlatRange *r = (FlatRange *)(void *)a->data;
    for (unsigned i = 0; i < a->len; i++) {
        FlatRange *p = n ? &r[n - 1] : NULL;
        if (p && p->mr == r[i].mr && p->readonly == r[i].readonly && p->last + 1 == r[i].start &&
            p->offset + (r[i].start - p->start) == r[i].offset)
            p->last = r[i].last;
        else
            r[n++] = r[i];
    }
    FlatView *v = g_malloc0(sizeof *v + n * sizeof *r);
    v->n = n;
    if (n)
        memcpy(v->r, r, n * sizeof *r);
    g_array_free(a, TRUE);
    return v;
}

/* ---- readers ---- */

typedef struct Reader {
    uint32_t inside;
    struct Reader *next;
} Reader;
static Reader *readers;                  /* pushed once a thread, never freed */
static __thread Reader *reader_self;

static Reader *reader_enter(void)
{
    Reader *s = reader_self;
    if (G_UNLIKELY(!s)) {
        s = reader_self = g_new0(Reader, 1);
        s->next = __atomic_load_n(&readers, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&readers, &s->next, s, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            ;
    }
    /* pairs with the exchange in view_replace: a reader that the writer does not see inside sees the new view */
    __atomic_store_n(&s->inside, 1, __ATOMIC_SEQ_CST);
    return s;
}

static void reader_leave(Reader *s)
{
    __atomic_store_n(&s->inside, 0, __ATOMIC_RELEASE);
}

static void view_replace(AddressSpace *as, FlatView *v)
{
    FlatView *old = __atomic_exchange_n(&as->view, v, __ATOMIC_SEQ_CST);
    for (Reader *r = __atomic_load_n(&readers, __ATOMIC_SEQ_CST); r; r = r->next)
        while (__atomic_load_n(&r->inside, __ATOMIC_SEQ_CST))
            g_thread_yield();
    g_free(old);
}

static void spaces_update(void)
{
    if (nesting) {
        changed = true;
        return;
    }
    changed = false;
    for (unsigned i = 0; spaces && i < spaces->len; i++) {
        AddressSpace *as = spaces->pdata[i];
        FlatView *v = view_build(as->root);
        if (as->view->n == v->n && !memcmp(as->view->r, v->r, v->n * sizeof v->r[0])) {
            g_free(v);
            continue;
        }
        view_replace(as, v);
        for (unsigned k = 0; k < as->listeners->len; k++) {
            Listener *l = &g_array_index(as->listeners, Listener, k);
            l->fn(l->opaque);
        }
    }
}

void mem_begin(void)
{
    nesting++;
}

void mem_end(void)
{
    if (!--nesting && changed)
        spaces_update();
}

void mem_add(MemRegion *parent, uint64_t offset, MemRegion *child, int priority)
{
    g_assert(!child->parent);
    if (!parent->children)
        parent->children = g_ptr_array_new();
    child->parent = parent;
    child->offset = offset;
    child->priority = priority;
    mem_ref(child);
    unsigned i = 0;
    while (i < parent->children->len && ((MemRegion *)parent->children->pdata[i])->priority > priority)
        i++;
    g_ptr_array_insert(parent->children, (int)i, child);
    spaces_update();
}

void mem_del(MemRegion *child)
{
    if (!child->parent)
        return;
    g_ptr_array_remove(child->parent->children, child);
    child->parent = NULL;
    spaces_update();
    mem_unref(child);
}

void mem_set_enabled(MemRegion *mr, bool enabled)
{
    if (mr->enabled != enabled) {
        mr->enabled = enabled;
        spaces_update();
    }
}

void mem_set_offset(MemRegion *mr, uint64_t offset)
{
    if (mr->offset != offset) {
        mr->offset = offset;
        spaces_update();
    }
}

void mem_set_alias_offset(MemRegion *mr, uint64_t offset)
{
    if (mr->target_offset != offset) {
        mr->target_offset = offset;
        spaces_update();
    }
}

void mem_set_size(MemRegion *mr, uint64_t size)
{
    if (mr->size != size) {
        mr->size = size;
        spaces_update();
    }
}

void mem_set_readonly(MemRegion *mr, bool readonly)
{
    if (mr->readonly != readonly) {
        mr->readonly = readonly;
        spaces_update();
    }
}

/* ---- address spaces ---- */

AddressSpace *as_new(const char *name, MemRegion *root)
{
    AddressSpace *as = g_new0(AddressSpace, 1);
    as->name = g_strdup(name);
    as->root = mem_ref(root);
    as->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    as->view = view_build(root);
    if (!spaces)
        spaces = g_ptr_array_new();
    g_ptr_array_add(spaces, as);
    return as;
}

void as_free(AddressSpace *as)
{
    if (!as)
        return;
    g_ptr_array_remove(spaces, as);
    g_free(as->view);
    g_array_free(as->listeners, TRUE);
    mem_unref(as->root);
    g_free(as->name);
    g_free(as);
}

void as_on_change(AddressSpace *as, void (*fn)(void *opaque), void *opaque)
{
    Listener l = { fn, opaque };
    g_array_append_val(as->listeners, l);
}

static const FlatRange *view_find(const FlatView *v, uint64_t addr, uint64_t *gap)
{
    unsigned lo = 0, hi = v->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (v->r[mid].start <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo && addr <= v->r[lo - 1].last)
        return &v->r[lo - 1];
    *gap = lo < v->n ? v->r[lo].start - addr : MAX(UINT64_MAX - addr, 1);        /* never 0: callers walk by it */
    return NULL;
}

MemSection as_lookup(AddressSpace *as, uint64_t addr)
{
    MemSection s = { 0 };
    Reader *self = reader_enter();
    const FlatView *v = __atomic_load_n(&as->view, __ATOMIC_SEQ_CST);
    const FlatRange *r = view_find(v, addr, &s.left);
    if (r) {
        s.mr = r->mr;
        s.offset = r->offset + (addr - r->start);
        s.left = r->last - addr + 1;
        if (!s.left)
            s.left = UINT64_MAX;
        s.readonly = r->readonly;
        if (r->mr->ram) {
            s.ram = true;
            s.host = r->mr->ram->host + s.offset;
            s.ram_addr = r->mr->ram->base + s.offset;
        }
    }
    reader_leave(self);
    return s;
}

/* ---- I/O dispatch ---- */

static uint64_t ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

static uint64_t call_read(MemRegion *mr, uint64_t off, unsigned size)
{
    return mr->ops->read ? mr->ops->read(mr->opaque, off, size) & ones(size) : ones(size);
}

/* The access cut (or widened) to what the callbacks take. */
static uint64_t io_read(MemRegion *mr, uint64_t off, unsigned size)
{
    unsigned min = mr->ops->min_size ? mr->ops->min_size : 1, max = mr->ops->max_size ? mr->ops->max_size : 8;
    unsigned step = size > max ? max : size;
    if (!mr->ops->unaligned)
        while (step > min && (off & (step - 1)))
            step >>= 1;
    if (step < min) {
        uint64_t base = round_down(off, min), v = call_read(mr, base, min);
        unsigned shift = (unsigned)(off - base) * 8;
        v >>= shift;
        if (off - base + size > min)     /* crosses into the next register */
            v |= call_read(mr, base + min, min) << (min * 8 - shift);
        return v & ones(size);
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i += step)
        v |= call_read(mr, off + i, step) << (i * 8);
    return v;
}

static void io_write(MemRegion *mr, uint64_t off, uint64_t val, unsigned size)
{
    unsigned min = mr->ops->min_size ? mr->ops->min_size : 1, max = mr->ops->max_size ? mr->ops->max_size : 8;
    unsigned step = size > max ? max : size;
    if (!mr->ops->write)
        return;
    if (!mr->ops->unaligned)
        while (step > min && (off & (step - 1)))
            step >>= 1;
    if (step < min) {
        for (unsigned i = 0; i < size; i++) {
            uint64_t base = round_down(off + i, min);
            unsigned shift = (unsigned)(off + i - base) * 8;
            uint64_t v = call_read(mr, base, min);
            v = (v & ~(0xffull << shift)) | ((val >> (i * 8)) & 0xff) << shift;
            mr->ops->write(mr->opaque, base, v, min);
        }
        return;
    }
    for (unsigned i = 0; i < size; i += step)
        mr->ops->write(mr->opaque, off + i, (val >> (i * 8)) & ones(step), step);
}

static uint64_t section_ld(const MemSection *s, uint64_t addr, unsigned size)
{
    if (s->ram)
        return ld_le(s->host, size);
    if (!s->mr) {
        if (log_on(LOG_UNIMP))
            log_unimp("read of %u bytes at 0x%" G_GINT64_MODIFIER "x: nothing there", size, addr);
        return ones(size);
    }
    if (s->mr->ops->unlocked)
        return io_read(s->mr, s->offset, size);
    machine_lock();
    uint64_t v = io_read(s->mr, s->offset, size);
    machine_unlock();
    return v;
}

static void ram_write(const MemSection *s, const void *p, unsigned len)
{
    for (unsigned i = 0; i < len;) {     /* page by page */
        unsigned n = MIN(len - i, (unsigned)(PAGE_SIZE - ((s->ram_addr + i) & (PAGE_SIZE - 1))));
        if (!mem_page_quiet(s->ram_addr + i))
            mem_note_write(s->ram_addr + i, n);
        memcpy(s->host + i, (const char *)p + i, n);
        i += n;
    }
}

static void section_st(const MemSection *s, uint64_t addr, uint64_t val, unsigned size)
{
    if (s->ram && !s->readonly) {
        uint8_t b[8];
        st_le(b, val, size);
        if (size > 1 && !((s->ram_addr & (size - 1)))) {         /* single-copy atomic */
            if (!mem_page_quiet(s->ram_addr))
                mem_note_write(s->ram_addr, size);
            switch (size) {
            case 2: __atomic_store_n((uint16_t *)(void *)s->host, (uint16_t)val, __ATOMIC_RELAXED); return;
            case 4: __atomic_store_n((uint32_t *)(void *)s->host, (uint32_t)val, __ATOMIC_RELAXED); return;
            default: __atomic_store_n((uint64_t *)(void *)s->host, val, __ATOMIC_RELAXED); return;
            }
        }
        ram_write(s, b, size);
        return;
    }
    if (!s->mr || !s->mr->ops) {
        if (!s->mr && log_on(LOG_UNIMP))
            log_unimp("write of %u bytes at 0x%" G_GINT64_MODIFIER "x: nothing there", size, addr);
        return;
    }
    if (s->mr->ops->unlocked) {
        io_write(s->mr, s->offset, val, size);
        return;
    }
    machine_lock();
    io_write(s->mr, s->offset, val, size);
    machine_unlock();
}

uint64_t as_ld(AddressSpace *as, uint64_t addr, unsigned size)
{
    MemSection s = as_lookup(as, addr);
    if (G_LIKELY(s.left >= size))
        return section_ld(&s, addr, size);
    uint64_t v = 0;                      /* across sections: byte by byte */
    for (unsigned i = 0; i < size; i++) {
        MemSection b = as_lookup(as, addr + i);
        v |= section_ld(&b, addr + i, 1) << (i * 8);
    }
    return v;
}

void as_st(AddressSpace *as, uint64_t addr, uint64_t val, unsigned size)
{
    MemSection s = as_lookup(as, addr);
    if (G_LIKELY(s.left >= size)) {
        section_st(&s, addr, val, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        MemSection b = as_lookup(as, addr + i);
        section_st(&b, addr + i, (val >> (i * 8)) & 0xff, 1);
    }
}

/* Largest register access for a bulk transfer into I/O. */
static unsigned io_step(uint64_t addr, uint64_t len)
{
    unsigned step = 8;
    while (step > 1 && ((addr & (step - 1)) || step > len))
        step >>= 1;
    return step;
}

bool as_read(AddressSpace *as, uint64_t addr, void *buf, uint64_t len)
{
    uint8_t *p = buf;
    bool ok = true;
    while (len) {
        MemSection s = as_lookup(as, addr);
        uint64_t n = MIN(len, s.left);
        if (s.ram) {
            memcpy(p, s.host, n);
        } else if (s.mr) {
            n = io_step(s.offset, n);
            st_le(p, section_ld(&s, addr, (unsigned)n), (unsigned)n);
        } else {
            memset(p, 0xff, n);
            ok = false;
        }
        addr += n;
        p += n;
        len -= n;
    }
    return ok;
}

bool as_write(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len)
{
    const uint8_t *p = buf;
    bool ok = true;
    while (len) {
        MemSection s = as_lookup(as, addr);
        uint64_t n = MIN(len, s.left);
        if (s.ram && !s.readonly) {
            n = MIN(n, 1u << 30);
            ram_write(&s, p, (unsigned)n);
        } else if (s.mr && !s.ram) {
            n = io_step(s.offset, n);
            section_st(&s, addr, ld_le(p, (unsigned)n), (unsigned)n);
        } else {
            ok = ok && s.mr;
        }
        addr += n;
        p += n;
        len -= n;
    }
    return ok;
}

/* ---- dirty pages ---- */

void mem_log(MemRegion *mr, unsigned client, bool on)
{
    RamBlock *b = mr->ram;
    if (!b)
        return;
    if (on && !b->dirty) {
        b->dirty = g_malloc(b->size >> PAGE_BITS);
        memset(b->dirty, 0xff, b->size >> PAGE_BITS);
    }
    uint32_t now = on ? b->logging | client : b->logging & ~client;
    __atomic_store_n(&b->logging, now, __ATOMIC_RELEASE);
    if (on && mem_code_ops)
        mem_code_ops->protect();
}

bool mem_test_clear_dirty(MemRegion *mr, uint64_t offset, uint64_t len, unsigned client)
{
    RamBlock *b = mr->ram;
    bool any = false;
    if (!b || !(b->logging & client) || !len)
        return true;
    uint64_t last = MIN(offset + len - 1, b->size - 1) >> PAGE_BITS;
    for (uint64_t i = offset >> PAGE_BITS; i <= last; i++)
        if (__atomic_load_n(&b->dirty[i], __ATOMIC_RELAXED) & client) {
            __atomic_and_fetch(&b->dirty[i], (uint8_t)~client, __ATOMIC_ACQ_REL);
            any = true;
        }
    if (any && mem_code_ops)
        mem_code_ops->protect();
    return any;
}

bool mem_page_quiet(uint64_t ram_addr)
{
    RamBlock *b = block_of(ram_addr);
    if (!b)
        return true;
    uint32_t log = __atomic_load_n(&b->logging, __ATOMIC_ACQUIRE);
    if (log && (__atomic_load_n(&b->dirty[(ram_addr - b->base) >> PAGE_BITS], __ATOMIC_RELAXED) & log) != log)
        return false;
    return !mem_code_ops || !mem_code_ops->has_code(ram_addr & ~(uint64_t)(PAGE_SIZE - 1));
}

void mem_note_write(uint64_t ram_addr, unsigned len)
{
    RamBlock *b = block_of(ram_addr);
    if (!b)
        return;
    if (b->logging)
        __atomic_or_fetch(&b->dirty[(ram_addr - b->base) >> PAGE_BITS], 0xff, __ATOMIC_ACQ_REL);
    if (mem_code_ops)
        mem_code_ops->wrote(ram_addr, len);
}

/* ---- info mtree ---- */

static const char *kind_name(const MemRegion *mr)
{
    static const char *const names[] = { "container", "i/o", "ram", "rom", "alias" };
    return names[mr->kind];
}

static void tree_print(const MemRegion *mr, uint64_t base, unsigned depth, GString *out)
{
    g_string_append_printf(out, "%*s%016" G_GINT64_MODIFIER "x-%016" G_GINT64_MODIFIER "x (prio %d, %s%s): %s", (int)depth * 2 + 2,
                           "", base, base + (mr->size ? mr->size - 1 : 0), mr->priority, kind_name(mr),
                           mr->readonly ? ", read-only" : "", mr->name);
    if (mr->target)
        g_string_append_printf(out, " -> %s +%" G_GINT64_MODIFIER "x", mr->target->name, mr->target_offset);
    g_string_append(out, mr->enabled ? "\n" : " [disabled]\n");
    for (unsigned i = 0; mr->children && i < mr->children->len; i++) {
        const MemRegion *c = mr->children->pdata[i];
        tree_print(c, base + c->offset, depth + 1, out);
    }
}

void as_print(AddressSpace *as, bool flat, GString *out)
{
    g_string_append_printf(out, "address-space: %s\n", as->name);
    if (!flat) {
        tree_print(as->root, 0, 0, out);
        return;
    }
    const FlatView *v = as->view;        /* under the machine lock: nobody replaces it */
    for (unsigned i = 0; i < v->n; i++)
        g_string_append_printf(out, "  %016" G_GINT64_MODIFIER "x-%016" G_GINT64_MODIFIER "x (%s%s): %s +%" G_GINT64_MODIFIER "x\n",
                               v->r[i].start, v->r[i].last, kind_name(v->r[i].mr),
                               v->r[i].readonly && v->r[i].mr->kind == REGION_RAM ? ", read-only" : "",
                               mem_name(v->r[i].mr), v->r[i].offset);
}
