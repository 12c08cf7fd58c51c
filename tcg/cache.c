/* Finding, chaining and dropping blocks (contract: tcg.h).
 *
 *   hash table     (pc, flags, gpa) -> Block, read without a lock: chains are singly linked, a dropped block keeps its
 *                  hash_next so that a reader standing on it finds its way on
 *   code pages     two-level table by RAM page: the page's blocks, which 64-byte granules they cover, and which vcpus
 *                  may store to it without being seen
 *   jumps          each block lists the jumps linked to it (`in`), so that dropping it sends them back to their stubs
 *
 * A dropped block stays in memory (a vcpu may still run in it) until its code segment is evicted; under interp, until
 * blk_evict or the end.
 */
#include <string.h>

#include "tcg/tcg.h"
#include "util/bits.h"

enum {
    HASH_BITS = 18,
    PAGE = 1 << TLB_PAGE_BITS,
    GRANULE_BITS = 6,
    CALM = 256,                          /* 8-byte stores to a tracked page without code after which it is let go */
    L2_BITS = 14,                        /* pages a leaf */
    L1_SIZE = 1 << (28 - L2_BITS),
};

typedef struct CodePage {
    Block *first;                        /* list through page_next[slot] */
    uint64_t granules;
    uint32_t writers;                    /* vcpus with a writable TLB entry */
    uint32_t swept;                      /* BlockCache.round of the last sweep */
    uint8_t tracked, busy;
    uint16_t calm;                       /* 8-byte stores since the last block went; a hint, not exact */
} CodePage;

typedef struct BlockCache {
    Block *hash[1 << HASH_BITS];
    CodePage *leaf[L1_SIZE];
    uint32_t round;                      /* of dropping; see page_sweep */
    Block *graveyard;                    /* interp: dropped blocks, through seg_next */
} BlockCache;

void blk_cache_init(TcgCtx *ctx)
{
    ctx->cache = g_new0(BlockCache, 1);
}

static void block_free(Block *b)
{
    ir_unit_free(b->ir);
    g_free(b->jumps);
    g_free(b->records);
    g_free(b);
}

static CodePage *page_of(TcgCtx *ctx, uint64_t gpa, bool make)
{
    uint64_t n = gpa >> TLB_PAGE_BITS;
    CodePage **slot = &ctx->cache->leaf[n >> L2_BITS & (L1_SIZE - 1)];
    CodePage *leaf = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (!leaf) {
        if (!make)
            return NULL;
        CodePage *fresh = g_new0(CodePage, 1 << L2_BITS);
        if (__atomic_compare_exchange_n(slot, &leaf, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            leaf = fresh;
        else
            g_free(fresh);
    }
    return &leaf[n & ((1 << L2_BITS) - 1)];
}

static unsigned hash_of(uint64_t pc, uint64_t flags, uint64_t gpa)
{
    uint64_t h = (pc ^ flags * 0x9e3779b97f4a7c15ull) + gpa * 0xff51afd7ed558ccdull;
    h *= 0x9e3779b97f4a7c15ull;
    return (unsigned)(h >> (64 - HASH_BITS));
}

Block *blk_find(TcgCtx *ctx, uint64_t pc, uint64_t flags, uint64_t gpa)
{
    Block *b = __atomic_load_n(&ctx->cache->hash[hash_of(pc, flags, gpa)], __ATOMIC_ACQUIRE);
    for (; b; b = __atomic_load_n(&b->hash_next, __ATOMIC_ACQUIRE))
        if (b->pc == pc && b->gpa == gpa && b->flags == flags && !__atomic_load_n(&b->dead, __ATOMIC_ACQUIRE))
            return b;
    return NULL;
}

Block *blk_find_second(TcgCtx *ctx, Block *b, uint64_t gpa2)
{
    (void)ctx;
    for (Block *o = b; o; o = __atomic_load_n(&o->hash_next, __ATOMIC_ACQUIRE))
        if (o->pc == b->pc && o->gpa == b->gpa && o->flags == b->flags && o->gpa2 == gpa2 &&
            !__atomic_load_n(&o->dead, __ATOMIC_ACQUIRE))
            return o;
    return NULL;
}

/* ---- pages ---- */

/* Which slot of b's page lists belongs to this page. */
static unsigned slot_of(const Block *b, uint64_t page)
{
    return (b->gpa & ~(uint64_t)(PAGE - 1)) == page ? 0 : 1;
}

/* Crosses from a guest page to another that is the same RAM page: listed once, covers it all. */
static bool folded(const Block *b)
{
    return b->gpa2 == (b->gpa & ~(uint64_t)(PAGE - 1));
}

static bool has_second(const Block *b)
{
    return b->gpa2 != UINT64_MAX && !folded(b);
}

/* b's bytes inside the page of slot: [*from, *to), offsets in the page */
static void extent(const Block *b, unsigned slot, uint32_t *from, uint32_t *to)
{
    uint32_t off = b->gpa & (PAGE - 1), first = MIN(b->size, PAGE - off);
    if (folded(b)) {
        *from = 0;
        *to = PAGE;
        return;
    }
    *from = slot ? 0 : off;
    *to = slot ? b->size - first : off + first;
}

static uint64_t granule_mask(uint32_t from, uint32_t to)
{
    if (from >= to)
        return 0;
    unsigned lo = from >> GRANULE_BITS, hi = (to - 1) >> GRANULE_BITS;
    return (UINT64_MAX << lo) & (UINT64_MAX >> (63 - hi));
}

static void page_insert(TcgCtx *ctx, Block *b, unsigned slot, uint64_t page)
{
    CodePage *p = page_of(ctx, page, true);
    uint32_t from, to;
    extent(b, slot, &from, &to);
    b->page_next[slot] = p->first;
    p->first = b;
    __atomic_or_fetch(&p->granules, granule_mask(from, to), __ATOMIC_SEQ_CST);
}

/* Takes the dead blocks out of the page's list and works out the granules anew: once for any number of them. */
static void page_sweep(TcgCtx *ctx, uint64_t page)
{
    CodePage *p = page_of(ctx, page, true);
    Block **at = &p->first;
    uint64_t g = 0;
    while (*at) {
        Block *b = *at;
        unsigned slot = slot_of(b, page);
        if (b->dead) {
            *at = b->page_next[slot];
            continue;
        }
        uint32_t from, to;
        extent(b, slot, &from, &to);
        g |= granule_mask(from, to);
        at = &b->page_next[slot];
    }
    __atomic_store_n(&p->granules, g, __ATOMIC_SEQ_CST);
    __atomic_store_n(&p->calm, 0, __ATOMIC_RELAXED);
    p->swept = ctx->cache->round;
}

/* The pages of a dead block, unless that has been done in this round. */
static void sweep_pages_of(TcgCtx *ctx, const Block *b)
{
    uint64_t pages[2] = { b->gpa & ~(uint64_t)(PAGE - 1), b->gpa2 };
    for (unsigned i = 0; i < (has_second(b) ? 2 : 1); i++)
        if (page_of(ctx, pages[i], true)->swept != ctx->cache->round)
            page_sweep(ctx, pages[i]);
}

bool blk_track(TcgCtx *ctx, uint64_t gpa_page)
{
    CodePage *p = page_of(ctx, gpa_page, true);
    return !__atomic_exchange_n(&p->tracked, 1, __ATOMIC_SEQ_CST);
}

void blk_busy(TcgCtx *ctx, uint64_t gpa_page, bool busy)
{
    CodePage *p = page_of(ctx, gpa_page, true);
    __atomic_store_n(&p->busy, busy, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);             /* pairs with the one in blk_hit */
}

bool blk_tracked(TcgCtx *ctx, uint64_t gpa_page)
{
    CodePage *p = page_of(ctx, gpa_page, false);
    return p && __atomic_load_n(&p->tracked, __ATOMIC_SEQ_CST);
}

void blk_writer_add(TcgCtx *ctx, uint64_t gpa_page, unsigned vcpu)
{
    CodePage *p = page_of(ctx, gpa_page, true);
    uint32_t bit = 1u << MIN(vcpu, 31);
    if (!(__atomic_load_n(&p->writers, __ATOMIC_RELAXED) & bit))
        __atomic_or_fetch(&p->writers, bit, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);             /* then the caller looks at blk_tracked */
}

uint32_t blk_writers_take(TcgCtx *ctx, uint64_t gpa_page)
{
    CodePage *p = page_of(ctx, gpa_page, true);
    return __atomic_exchange_n(&p->writers, 0, __ATOMIC_SEQ_CST);
}

bool blk_hit(TcgCtx *ctx, uint64_t gpa, uint32_t len)
{
    CodePage *p = page_of(ctx, gpa, false);
    if (!p)
        return false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t off = gpa & (PAGE - 1);
    return __atomic_load_n(&p->busy, __ATOMIC_SEQ_CST) ||
           (__atomic_load_n(&p->granules, __ATOMIC_SEQ_CST) & granule_mask(off, MIN(off + len, PAGE)));
}

/* ---- dropping ---- */

static void unlink_out(Jump *j)
{
    if (!j->to)
        return;
    *j->at_in = j->next_in;
    if (j->next_in)
        j->next_in->at_in = j->at_in;
    j->to = NULL;
}

static void purge_jump_caches(TcgCtx *ctx, const Block *b)
{
    for (unsigned i = 0; i < ctx->nenvs; i++) {
        JumpCacheEntry *e = &env_jc(ctx->envs[i])[jc_index(b->pc)];
        if (__atomic_load_n(&e->code, __ATOMIC_SEQ_CST) == b->code)          /* pairs with rt_lookup in cpu/exec.c */
            __atomic_store_n(&e->tag, tlb_never(jc_index(b->pc)), __ATOMIC_SEQ_CST);
    }
}

/* Leaves b in the lists of its pages: the caller sweeps them (before anything else looks at them). */
static void drop(TcgCtx *ctx, Block *b)
{
    if (b->dead)
        return;
    __atomic_store_n(&b->dead, true, __ATOMIC_SEQ_CST);
    Block **at = &ctx->cache->hash[hash_of(b->pc, b->flags, b->gpa)];
    while (*at != b)
        at = &(*at)->hash_next;
    __atomic_store_n(at, b->hash_next, __ATOMIC_RELEASE);
    while (b->in) {
        Jump *j = b->in;
        unlink_out(j);
        host_patch(ctx, j, NULL);
    }
    for (unsigned i = 0; i < b->njumps; i++)
        unlink_out(&b->jumps[i]);
    if (ctx->interp) {
        b->seg_next = ctx->cache->graveyard;
        ctx->cache->graveyard = b;
    } else {
        purge_jump_caches(ctx, b);
    }
}

unsigned blk_drop_range(TcgCtx *ctx, uint64_t gpa, uint32_t len)
{
    uint64_t page = gpa & ~(uint64_t)(PAGE - 1);
    CodePage *p = page_of(ctx, gpa, false);
    uint32_t lo = gpa & (PAGE - 1), hi = MIN(lo + len, PAGE);
    unsigned n = 0;
    ctx->cache->round++;
    for (Block *b = p ? p->first : NULL; b; b = b->page_next[slot_of(b, page)]) {
        uint32_t from, to;
        extent(b, slot_of(b, page), &from, &to);
        if (from < hi && lo < to) {
            drop(ctx, b);
            n++;
        }
    }
    for (Block *b = n ? p->first : NULL, *next; b; b = next) {
        next = b->page_next[slot_of(b, page)];           /* the sweep leaves a dead block's own links alone */
        if (b->dead)
            sweep_pages_of(ctx, b);
    }
    ctx->stats.dropped_smc += n;
    return n;
}

/* Code that is rewritten again and again loses its last block each time: the page stays tracked until it has seen only
 * data for a while, because tracking it anew costs far more than a noticed store. */
static void calm_down(TcgCtx *ctx, CodePage *p, uint32_t len)
{
    uint32_t calm = __atomic_load_n(&p->calm, __ATOMIC_RELAXED) + (len + 7) / 8;
    if (__atomic_load_n(&p->first, __ATOMIC_RELAXED) || !__atomic_load_n(&p->tracked, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&p->calm, (uint16_t)calm, __ATOMIC_RELAXED);
    if (calm < CALM)
        return;
    g_mutex_lock(&ctx->lock);
    if (!p->first && !p->busy)
        __atomic_store_n(&p->tracked, 0, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&ctx->lock);
}

void blk_wrote(TcgCtx *ctx, uint64_t gpa, uint32_t len)
{
    CodePage *p = page_of(ctx, gpa, false);
    if (!p)
        return;
    if (blk_hit(ctx, gpa, len)) {
        g_mutex_lock(&ctx->lock);
        blk_drop_range(ctx, gpa, len);
        g_mutex_unlock(&ctx->lock);
    }
    calm_down(ctx, p, len);
}

static void free_dropped(Block *list)
{
    while (list) {
        Block *next = list->seg_next;
        block_free(list);
        list = next;
    }
}

void blk_evict(TcgCtx *ctx)
{
    if (ctx->interp) {
        free_dropped(ctx->cache->graveyard);
        ctx->cache->graveyard = NULL;
        return;
    }
    Block *list = code_next_segment(ctx->buf);
    for (Block *b = list; b; b = b->seg_next)
        if (!b->dead) {
            drop(ctx, b);
            ctx->stats.dropped_evict++;
        }
    ctx->cache->round++;
    for (Block *b = list; b; b = b->seg_next)
        sweep_pages_of(ctx, b);
    free_dropped(list);
}

void blk_drop_all(TcgCtx *ctx)
{
    ctx->cache->round++;
    for (unsigned i = 0; i < 1u << HASH_BITS; i++)
        while (ctx->cache->hash[i]) {
            Block *b = ctx->cache->hash[i];
            drop(ctx, b);
            page_sweep(ctx, b->gpa & ~(uint64_t)(PAGE - 1));
            if (has_second(b))
                page_sweep(ctx, b->gpa2);
        }
    if (ctx->interp)
        blk_evict(ctx);
    else
        for (unsigned i = 0; i < CODE_SEGMENTS; i++)
            free_dropped(code_next_segment(ctx->buf));
}

void blk_cache_done(TcgCtx *ctx)
{
    if (!ctx->cache)
        return;
    /* nothing runs any more: no jump has to be unlinked, no page list kept */
    if (ctx->interp) {
        free_dropped(ctx->cache->graveyard);
        for (unsigned i = 0; i < 1u << HASH_BITS; i++)
            for (Block *b = ctx->cache->hash[i], *next; b; b = next) {
                next = b->hash_next;
                block_free(b);
            }
    } else {
        for (unsigned i = 0; i < CODE_SEGMENTS; i++)
            free_dropped(code_next_segment(ctx->buf));
    }
    for (unsigned i = 0; i < L1_SIZE; i++)
        g_free(ctx->cache->leaf[i]);
    g_free(ctx->cache);
    ctx->cache = NULL;
}

/* ---- adding and linking ---- */

Block *blk_add(TcgCtx *ctx, const IrUnit *u, uint64_t pc, uint64_t flags, uint64_t gpa, uint64_t gpa2, uint32_t size)
{
    Block *b = g_new0(Block, 1);
    b->pc = pc;
    b->flags = flags;
    b->gpa = gpa;
    b->gpa2 = gpa2;
    b->size = size;
    b->ninsns = (uint16_t)u->ninsns;
    b->tlb_mode = (uint8_t)u->tlb_mode;
    b->pc_bias = u->pc_bias;
    if (ctx->interp) {
        b->ir = ir_unit_copy(u);
    } else if (!host_compile(ctx, u, b)) {
        block_free(b);
        return NULL;
    }
    ctx->stats.blocks++;
    ctx->stats.guest_insns += u->ninsns;
    ctx->stats.guest_bytes += size;
    ctx->stats.ir_ops += u->nops;
    page_insert(ctx, b, 0, gpa & ~(uint64_t)(PAGE - 1));
    if (has_second(b))
        page_insert(ctx, b, 1, gpa2);
    Block **head = &ctx->cache->hash[hash_of(pc, flags, gpa)];
    b->hash_next = *head;
    __atomic_store_n(head, b, __ATOMIC_RELEASE);
    return b;
}

void blk_link(TcgCtx *ctx, Jump *j, Block *to, const uint8_t *entry)
{
    if (j->to || j->from->dead || to->dead)
        return;
    j->to = to;
    j->next_in = to->in;
    j->at_in = &to->in;
    if (to->in)
        to->in->at_in = &j->next_in;
    to->in = j;
    host_patch(ctx, j, entry);
}
