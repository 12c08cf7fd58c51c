/* The software TLB: filling, flushing, address spaces.  access.c has the slow
 * paths of guest memory accesses.
 *
 * Three levels:
 *   L1   the tables that generated code probes (tcg/env.h): per mode, 4096
 *        entries each for read, write, execute; current address space only.
 *        A list of the filled non-global slots makes dropping them cheap.
 *   L2   one direct-mapped table a vcpu, tagged with a generation number. An
 *        address space (asid) that is left and entered again has the same
 *        generation, so its entries live on; a flush is a new generation.
 *        Refilling L1 from L2 (rt->refill) needs no C code with vectors.
 *   walk the arch's page-table walk.
 *
 * Large pages fill 4 KiB entries. A bitmap by 2 MiB region tells whether one
 * was ever filled from a large page, so that flushing one address drops the
 * whole large page, and only then.
 *
 * Jump cache.  Entries are valid while env.jc_salt keeps its value: the salt
 * is a number for (mode flags, generation of the code's address space,
 * epoch). The pages that have entries are noted in a bitmap; flushing such a
 * page starts a new epoch.
 *
 * Stores to pages that hold code or are logged never get a write entry (the
 * page is "noisy"); tcg/cache.c describes the protocol.
 */
#include "cpu/tlb.h"

#include <string.h>

#include "cpu/exec.h"
#include "util/bits.h"

enum {
    PAGE = 1 << TLB_PAGE_BITS,
    L2_SIZE = 8192,
    FILL_MAX = 1024,                     /* filled L1 slots remembered */
    ASIDS = 16,
    BIG_BITS = 12,                       /* bitmap of 2 MiB regions, hashed */
    JUMP_BITS = 12,                      /* bitmap of pages in the jump cache, hashed */
    SALTS = 1024,
};
#define PAGE_MASK (~(uint64_t)(PAGE - 1))

/* L2_NOISY: writable for the guest, but stores must be noticed (code, dirty log) */
enum { L2_READ = 1, L2_WRITE = 2, L2_EXEC = 4, L2_NOISY = 8 };

typedef struct L2Entry {
    uint64_t key;                        /* gva page | mode | 4; 0: empty */
    uint64_t gen;
    uint64_t host;                       /* page */
    uint64_t gpa, ram;                   /* page */
    uint32_t perm;
} L2Entry;

typedef struct Salt { uint64_t flags, gen, epoch; uint16_t id; } Salt;

struct TlbExtra {
    L2Entry l2[L2_SIZE];
    uint64_t gen, global_gen, next_gen;  /* of the current address space; of global entries */
    struct { uint64_t asid, gen, used; } asid[ASIDS];
    uint64_t clock;
    unsigned nfill;
    bool fill_overflow;
    uint16_t fill[FILL_MAX];             /* mode << 12 | index of filled non-global slots */
    uint8_t modes_used;
    uint64_t big[(1 << BIG_BITS) / 64];
    bool giant;                          /* a page above 2 MiB was filled */
    /* jump cache */
    uint64_t jump[(1 << JUMP_BITS) / 64];
    uint64_t epoch;
    bool kernel_nonglobal;               /* supervisor code was fetched through a non-global mapping */
    unsigned next_salt;
    Salt salt[SALTS];
};

TlbExtra *tlb_extra_new(void)
{
    TlbExtra *t = g_new0(TlbExtra, 1);
    t->global_gen = 1;
    t->gen = 2;
    t->next_gen = 3;
    t->next_salt = 1;
    return t;
}

void tlb_extra_free(TlbExtra *t)
{
    g_free(t);
}

/* ---- jump-cache salt ---- */

static void jump_cache_wipe(Vcpu *c)
{
    JumpCacheEntry *jc = env_jc(&c->env);
    for (unsigned i = 0; i < JC_SIZE; i++)
        jc[i].tag = tlb_never(i);
}

static void salt_update(Vcpu *c, uint64_t flags)
{
    TlbExtra *t = c->tlb;
    bool user = c->arch->exec_mode(flags) != 0;
    uint64_t gen = user || t->kernel_nonglobal ? t->gen : t->global_gen;
    uint64_t h = (flags ^ flags >> 29 ^ gen * 0x9e3779b9u ^ t->epoch * 0x85ebca6bu) * 0x9e3779b97f4a7c15ull;
    Salt *s = &t->salt[h >> 54];
    if (G_UNLIKELY(s->flags != flags || s->gen != gen || s->epoch != t->epoch || !s->id)) {
        if (t->next_salt > 0xffff) {
            jump_cache_wipe(c);
            memset(t->salt, 0, sizeof t->salt);
            t->next_salt = 1;
        }
        *s = (Salt){ flags, gen, t->epoch, (uint16_t)t->next_salt++ };
    }
    c->env.jc_salt = (uint64_t)s->id << JC_SALT_SHIFT;
    c->env.pc_bias = c->arch->pc_bias(flags);
}

void cpu_mode_changed(Vcpu *c)
{
    if (c->tlb)
        salt_update(c, c->arch->key(c).flags);
}

static unsigned jump_bit(uint64_t pc)
{
    uint64_t n = pc >> TLB_PAGE_BITS;
    return (n ^ n >> JUMP_BITS) & ((1 << JUMP_BITS) - 1);
}

void tlb_note_jump(Vcpu *c, uint64_t pc)
{
    unsigned b = jump_bit(pc);
    c->tlb->jump[b / 64] |= BIT(b % 64);
}

static void jumps_forget_all(Vcpu *c)
{
    c->tlb->epoch++;
    memset(c->tlb->jump, 0, sizeof c->tlb->jump);
    cpu_mode_changed(c);
}

static void jumps_forget_page(Vcpu *c, uint64_t gva)
{
    unsigned b = jump_bit(gva);
    if (c->tlb->jump[b / 64] & BIT(b % 64))
        jumps_forget_all(c);
}

/* ---- L1 ---- */

static void l1_wipe_mode(Vcpu *c, unsigned mode)
{
    for (unsigned k = 0; k < TLB_KINDS; k++) {
        TlbEntry *e = env_tlb(&c->env, mode, k);
        memset(e, 0, TLB_SIZE * sizeof *e);
        e[0].tag = tlb_never(0);
    }
}

static void l1_wipe(Vcpu *c)
{
    for (unsigned m = 0; m < TLB_MODES; m++)
        if (c->tlb->modes_used & (1 << m))
            l1_wipe_mode(c, m);
    c->tlb->modes_used = 0;
    c->tlb->nfill = 0;
    c->tlb->fill_overflow = false;
}

static void l1_drop_slot(Vcpu *c, unsigned mode, unsigned index)
{
    for (unsigned k = 0; k < TLB_KINDS; k++)
        env_tlb(&c->env, mode, k)[index].tag = tlb_never(index);
}

static void l1_drop_nonglobal(Vcpu *c)
{
    TlbExtra *t = c->tlb;
    if (t->fill_overflow) {
        l1_wipe(c);
        return;
    }
    for (unsigned i = 0; i < t->nfill; i++)
        l1_drop_slot(c, t->fill[i] >> TLB_BITS, t->fill[i] & (TLB_SIZE - 1));
    t->nfill = 0;
}

/* GPR-only: tlb_refill calls it. */
RHEA_GPR_ONLY static void l1_note_fill(TlbExtra *t, unsigned mode, unsigned index)
{
    if (t->nfill < FILL_MAX)
        t->fill[t->nfill++] = (uint16_t)(mode << TLB_BITS | index);
    else
        t->fill_overflow = true;
}

/* One kind of a slot: the entry if the page may be used so, else nothing of this page. */
RHEA_GPR_ONLY static void l1_set(TlbEntry *e, unsigned i, bool allowed, uint64_t host, uint64_t tag, bool same_page)
{
    if (allowed) {
        e->tag = tlb_never(i);
        e->host = host;
        e->tag = tag;
    } else if (same_page) {
        e->tag = tlb_never(i);
    }
}

/* Puts an L2 entry's rights for gva into L1. */
RHEA_GPR_ONLY static void l1_install(Vcpu *c, uint64_t gva, unsigned mode, const L2Entry *e)
{
    TlbExtra *t = c->tlb;
    unsigned i = (gva >> TLB_PAGE_BITS) & (TLB_SIZE - 1);
    uint64_t page = gva & PAGE_MASK;
    TlbEntry *r = (TlbEntry *)((char *)c + ENV_TLB_TABLE(mode, TLB_READ)) + i;
    TlbEntry *w = r + TLB_SIZE, *x = w + TLB_SIZE;
    l1_set(r, i, e->perm & L2_READ, e->host, page, r->tag == page);
    l1_set(w, i, e->perm & L2_WRITE, e->host, page, w->tag == page);
    l1_set(x, i, e->perm & L2_EXEC, e->host, tlb_exec_tag(gva, e->ram), x->tag >> 28 == (page << 16) >> 28);
    t->modes_used |= (uint8_t)(1 << mode);
    if (e->gen != t->global_gen)
        l1_note_fill(t, mode, i);
}

/* ---- L2 ---- */

RHEA_GPR_ONLY static inline L2Entry *l2_slot(TlbExtra *t, uint64_t gva, unsigned mode)
{
    uint64_t n = gva >> TLB_PAGE_BITS;
    return &t->l2[(n ^ n >> 13 ^ (uint64_t)mode << 11 ^ t->gen * 0x5d1) & (L2_SIZE - 1)];
}

/* Global entries must be found from every address space: they sit at a slot that does not depend on gen. */
RHEA_GPR_ONLY static inline L2Entry *l2_slot_global(TlbExtra *t, uint64_t gva, unsigned mode)
{
    uint64_t n = gva >> TLB_PAGE_BITS;
    return &t->l2[(n ^ n >> 13 ^ (uint64_t)mode << 11) & (L2_SIZE - 1)];
}

RHEA_GPR_ONLY static L2Entry *l2_find(TlbExtra *t, uint64_t gva, unsigned mode)
{
    uint64_t key = (gva & PAGE_MASK) | mode | 4;
    L2Entry *e = l2_slot(t, gva, mode);
    if (e->key == key && e->gen == t->gen)
        return e;
    e = l2_slot_global(t, gva, mode);
    return e->key == key && e->gen == t->global_gen ? e : NULL;
}

RHEA_GPR_ONLY bool tlb_refill(TcgEnv *env, uint64_t addr, unsigned memop, unsigned kind)
{
    Vcpu *c = (Vcpu *)env;
    unsigned mode = (memop & IRM_MODE_MASK) >> IRM_MODE_SHIFT;
    unsigned size = 1u << (memop & IRM_SIZE_MASK);
    TcgScratch *s = (TcgScratch *)((char *)env + ENV_SCRATCH);
    s->n_tlb_miss++;
    if ((addr & (PAGE - 1)) + size > PAGE || ((memop & IRM_ALIGN) && (addr & (size - 1))))
        return false;
    L2Entry *e = l2_find(c->tlb, addr, mode);
    if (!e || !(e->perm & (kind == TLB_WRITE ? L2_WRITE : L2_READ)))
        return false;
    l1_install(c, addr, mode, e);
    s->n_tlb_refill++;
    return true;
}

/* ---- filling ---- */

static unsigned big_bit(uint64_t gva)
{
    uint64_t n = gva >> 21;
    return (n ^ n >> BIG_BITS) & ((1 << BIG_BITS) - 1);
}

static void install(Vcpu *c, uint64_t gva, unsigned mode, const Mapping *m, const MemSection *s, bool exec_fill, bool quiet)
{
    TlbExtra *t = c->tlb;
    L2Entry *e = m->global ? l2_slot_global(t, gva, mode) : l2_slot(t, gva, mode);
    uint64_t key = (gva & PAGE_MASK) | mode | 4, gen = m->global ? t->global_gen : t->gen;
    uint32_t perm = m->read ? L2_READ : 0;
    if (m->write && !s->readonly)
        perm |= quiet ? L2_WRITE : L2_NOISY;
    if (exec_fill && m->exec)
        perm |= L2_EXEC;
    else if (e->key == key && e->gen == gen && e->ram == (s->ram_addr & PAGE_MASK) && m->exec)
        perm |= e->perm & L2_EXEC;
    *e = (L2Entry){ key, gen, (uint64_t)(uintptr_t)s->host & PAGE_MASK, m->gpa & PAGE_MASK, s->ram_addr & PAGE_MASK, perm };
    if (m->page_size > PAGE) {
        unsigned b = big_bit(gva);
        t->big[b / 64] |= BIT(b % 64);
        if (m->page_size > 4 << 20)
            t->giant = true;
        if (m->page_size > 2 << 20) {    /* 4 MiB: both halves */
            b = big_bit(gva ^ (2 << 20));
            t->big[b / 64] |= BIT(b % 64);
        }
    }
    l1_install(c, gva, mode, e);
    if (exec_fill && !m->global && c->arch->exec_mode(0) == mode && !t->kernel_nonglobal) {
        t->kernel_nonglobal = true;
        jumps_forget_all(c);
    }
}

bool tlb_find(Vcpu *c, uint64_t gva, Access access, unsigned mode, TlbHit *h, Fault *f)
{
    static const uint8_t need[] = { [ACCESS_READ] = L2_READ, [ACCESS_WRITE] = L2_WRITE, [ACCESS_EXEC] = L2_EXEC };
    uint64_t off = gva & (PAGE - 1);
    L2Entry *e = l2_find(c->tlb, gva, mode);
    h->io = h->noisy = false;
    if (e && (e->perm & need[access])) {
        l1_install(c, gva, mode, e);
        h->host = (uint8_t *)(uintptr_t)e->host + off;
        h->gpa = e->gpa + off;
        h->ram = e->ram + off;
        return true;
    }
    if (e && access == ACCESS_WRITE && (e->perm & L2_NOISY)) {
        blk_writer_add(c->tcg, e->ram, c->index);
        h->noisy = !mem_page_quiet(e->ram);
        if (!h->noisy) {
            e->perm ^= L2_NOISY | L2_WRITE;
            l1_install(c, gva, mode, e);
        }
        h->host = (uint8_t *)(uintptr_t)e->host + off;
        h->gpa = e->gpa + off;
        h->ram = e->ram + off;
        return true;
    }
    Mapping m;
    if (!c->arch->walk(c, gva, access, mode, true, &m, f))
        return false;
    MemSection s = as_lookup(c->mem, m.gpa & PAGE_MASK);
    h->gpa = (m.gpa & PAGE_MASK) + off;
    if (!s.ram || s.left < PAGE || (access == ACCESS_WRITE && s.readonly)) {
        MemSection b = as_lookup(c->mem, h->gpa);        /* a section smaller than the page may still be memory */
        h->io = !b.ram || (access == ACCESS_WRITE && b.readonly) || b.left < 8;
        h->host = b.host;
        h->ram = b.ram_addr;
        h->noisy = true;
        if (s.ram && s.left >= PAGE && access != ACCESS_WRITE)
            install(c, gva, mode, &m, &s, access == ACCESS_EXEC, false);
        return true;
    }
    bool quiet = false;
    if (m.write && !s.readonly) {
        blk_writer_add(c->tcg, s.ram_addr, c->index);
        quiet = mem_page_quiet(s.ram_addr);
    }
    install(c, gva, mode, &m, &s, access == ACCESS_EXEC, quiet);
    h->host = s.host + off;
    h->ram = s.ram_addr + off;
    h->noisy = access == ACCESS_WRITE && !quiet;
    return true;
}

/* ---- flushing ---- */

void tlb_flush(Vcpu *c)
{
    TlbExtra *t = c->tlb;
    if (!t)
        return;
    l1_wipe(c);
    t->gen = t->next_gen++;
    t->global_gen = t->next_gen++;
    memset(t->asid, 0, sizeof t->asid);
    t->asid[0].asid = c->asid;
    t->asid[0].gen = t->gen;
    memset(t->big, 0, sizeof t->big);
    t->giant = false;
    t->kernel_nonglobal = false;
    jumps_forget_all(c);
}

static void asid_remember(TlbExtra *t, uint64_t asid, uint64_t gen)
{
    unsigned victim = 0;
    for (unsigned i = 0; i < ASIDS; i++) {
        if (t->asid[i].gen && t->asid[i].asid == asid) {
            victim = i;
            break;
        }
        if (t->asid[i].used < t->asid[victim].used)
            victim = i;
    }
    t->asid[victim].asid = asid;
    t->asid[victim].gen = gen;
    t->asid[victim].used = ++t->clock;
}

static uint64_t asid_gen(TlbExtra *t, uint64_t asid)
{
    for (unsigned i = 0; i < ASIDS; i++)
        if (t->asid[i].gen && t->asid[i].asid == asid) {
            t->asid[i].used = ++t->clock;
            return t->asid[i].gen;
        }
    return 0;
}

void tlb_switch(Vcpu *c, uint64_t asid, bool flush)
{
    TlbExtra *t = c->tlb;
    if (!t) {
        c->asid = asid;
        return;
    }
    uint64_t gen = flush ? 0 : asid_gen(t, asid);
    if (!gen) {
        gen = t->next_gen++;
        asid_remember(t, asid, gen);
    }
    c->asid = asid;
    if (gen != t->gen) {
        l1_drop_nonglobal(c);
        t->gen = gen;
        cpu_mode_changed(c);
    }
}

void tlb_flush_asid(Vcpu *c, uint64_t asid)
{
    TlbExtra *t = c->tlb;
    if (asid == c->asid) {
        tlb_switch(c, asid, true);
        return;
    }
    for (unsigned i = 0; i < ASIDS; i++)
        if (t->asid[i].asid == asid)
            t->asid[i].gen = 0;
}

static void flush_small(Vcpu *c, uint64_t gva)
{
    TlbExtra *t = c->tlb;
    unsigned i = tlb_index(gva);
    uint64_t page = gva & PAGE_MASK;
    for (unsigned m = 0; m < TLB_MODES; m++) {
        TlbEntry *r = &env_tlb(&c->env, m, TLB_READ)[i];
        TlbEntry *w = r + TLB_SIZE, *x = w + TLB_SIZE;
        l1_set(r, i, false, 0, 0, r->tag == page);
        l1_set(w, i, false, 0, 0, w->tag == page);
        l1_set(x, i, false, 0, 0, x->tag >> 28 == (page << 16) >> 28);
        L2Entry *e = l2_slot(t, gva, m);
        if (e->key == (page | m | 4) && e->gen == t->gen)
            e->key = 0;
        e = l2_slot_global(t, gva, m);
        if (e->key == (page | m | 4))
            e->key = 0;
    }
    jumps_forget_page(c, gva);
}

void tlb_flush_page(Vcpu *c, uint64_t gva)
{
    TlbExtra *t = c->tlb;
    unsigned b = big_bit(gva);
    if (t->giant) {
        tlb_flush(c);
    } else if (t->big[b / 64] & BIT(b % 64)) {
        uint64_t base = gva & ~(uint64_t)((4 << 20) - 1);
        for (unsigned i = 0; i < 1024; i++)
            flush_small(c, base + (uint64_t)i * PAGE);
    } else {
        flush_small(c, gva);
    }
}

void tlb_flush_page_asid(Vcpu *c, uint64_t gva, uint64_t asid)
{
    if (asid == c->asid)
        tlb_flush_page(c, gva);
    else
        tlb_flush_asid(c, asid);
}

static void l2_unwrite(L2Entry *e)
{
    if (e->perm & L2_WRITE)
        e->perm ^= L2_NOISY | L2_WRITE;
}

void tlb_unwrite(Vcpu *c, uint64_t ram_page)
{
    TlbExtra *t = c->tlb;
    uint64_t host = (uint64_t)(uintptr_t)mem_ram_host(ram_page);
    for (unsigned m = 0; m < TLB_MODES; m++) {
        if (!(t->modes_used & (1 << m)))
            continue;
        TlbEntry *w = env_tlb(&c->env, m, TLB_WRITE);
        for (unsigned i = 0; i < TLB_SIZE; i++)
            if (w[i].host == host)
                w[i].tag = tlb_never(i);
    }
    for (unsigned i = 0; i < L2_SIZE; i++)
        if (t->l2[i].ram == ram_page)
            l2_unwrite(&t->l2[i]);
}

void tlb_unwrite_all(Vcpu *c)
{
    for (unsigned m = 0; m < TLB_MODES; m++) {
        TlbEntry *w = env_tlb(&c->env, m, TLB_WRITE);
        for (unsigned i = 0; i < TLB_SIZE; i++)
            w[i].tag = tlb_never(i);
    }
    for (unsigned i = 0; i < L2_SIZE; i++)
        l2_unwrite(&c->tlb->l2[i]);
}
