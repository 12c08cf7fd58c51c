/* Paging: from a linear to a guest physical address.
 *
 * Follows Intel SDM volume 3 chapter 4: no paging, 32-bit paging (with 4 MiB
 * pages and PSE-36), PAE, and 4-level paging, with NX, WP, SMEP, SMAP,
 * global pages, accessed and dirty bits.
 *
 *     mode     levels: shift of the index, bits of it     entry   large pages
 *     32-bit   22 10, 12 10                               4       22 (CR4.PSE)
 *     PAE      30 2, 21 9, 12 9                           8       21
 *     4-level  39 9, 30 9, 21 9, 12 9                     8       30, 21
 *
 * PAE's four top entries are read from memory like all others, not kept in
 * registers (SDM 4.4.1 lets software not rely on either); MOV to CR3 checks
 * them.  Accessed and dirty bits are set by compare-exchange in guest RAM; if
 * the entry changed meanwhile the walk starts again.
 *
 * The walk does not know the segment that an access went through: addresses
 * that are not canonical give #GP(0), also where hardware says #SS(0).
 *
 * Left out: protection keys, 5-level paging, PAT and MTRR types (all memory is
 * coherent here), the physical-address bits of SME. */
#include "cpu/x86/sys.h"
#include "util/bits.h"

enum {
    PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 32, PTE_D = 64, PTE_PS = 128, PTE_G = 256,
    PTE_PSE36_SHIFT = 13,
};
#define PTE_NX ((uint64_t)1 << 63)
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

typedef struct PageMode {
    uint8_t levels, entry;               /* entry: bytes */
    uint8_t shift[4], bits[4];
    uint8_t large[4];                    /* PS may be set at this level */
    uint64_t cr3_mask;
} PageMode;

static const PageMode mode_32 = { 2, 4, { 22, 12 }, { 10, 10 }, { 1, 0 }, 0xfffff000 };
static const PageMode mode_pae = { 3, 8, { 30, 21, 12 }, { 2, 9, 9 }, { 0, 1, 0 }, 0xffffffe0 };
static const PageMode mode_4 = { 4, 8, { 39, 30, 21, 12 }, { 9, 9, 9, 9 }, { 0, 1, 1, 0 }, 0x000ffffffffff000 };

static const PageMode *page_mode(const X86Cpu *c)
{
    return c->efer & EFER_LMA ? &mode_4 : c->cr4 & CR4_PAE ? &mode_pae : &mode_32;
}

static uint64_t a20(const X86Cpu *c, uint64_t pa)
{
    return c->a20 ? pa : pa & ~((uint64_t)1 << 20);
}

static void flush_all(Vcpu *v, void *arg)
{
    (void)arg;
    tlb_flush(v);
}

void x86_set_a20(X86Cpu *c, bool on)
{
    if (c->a20 != on) {
        c->a20 = on;
        if (cpu_current() == &c->vcpu || !c->vcpu.thread) {
            tlb_flush(&c->vcpu);
        } else {
            cpu_run_on(&c->vcpu, flush_all, NULL, false);
        }
    }
}

/* ---- entries ---- */

typedef struct Pte {
    uint64_t pa, val;
    MemSection sec;
} Pte;

static void pte_read(X86Cpu *c, Pte *e, uint64_t pa, unsigned size)
{
    e->pa = a20(c, pa);
    e->sec = as_lookup(c->vcpu.mem, e->pa);
    if (!e->sec.ram) {
        e->val = as_ld(c->vcpu.mem, e->pa, size);
    } else if (size == 8) {
        e->val = __atomic_load_n((uint64_t *)e->sec.host, __ATOMIC_RELAXED);
    } else {
        e->val = __atomic_load_n((uint32_t *)e->sec.host, __ATOMIC_RELAXED);
    }
}

/* Sets bits; false if somebody else changed the entry meanwhile.  In ROM or I/O memory nothing is set. */
static bool pte_set(Pte *e, unsigned size, uint64_t bits)
{
    uint64_t old = e->val, new = old | bits;
    bool done;

    if (old == new || !e->sec.ram || e->sec.readonly) {
        return true;
    }
    if (!mem_page_quiet(e->sec.ram_addr & ~(uint64_t)0xfff)) {
        mem_note_write(e->sec.ram_addr, size);
    }
    if (size == 8) {
        done = __atomic_compare_exchange_n((uint64_t *)e->sec.host, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    } else {
        uint32_t old4 = (uint32_t)old;

        done = __atomic_compare_exchange_n((uint32_t *)e->sec.host, &old4, (uint32_t)new, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
    e->val = new;
    return done;
}

/* Bits that must be 0 in an entry of this level. */
static uint64_t pte_reserved(const X86Cpu *c, const PageMode *m, unsigned level, uint64_t pte)
{
    bool large = m->large[level] && (pte & PTE_PS);
    uint64_t r;

    if (m->entry == 4) {
        return large && (c->cr4 & CR4_PSE) ? 1 << 21 : 0;
    }
    r = 0x000fffffffffffff & ~X86_PHYS_MASK;
    if (!(c->efer & EFER_NXE)) {
        r |= PTE_NX;
    }
    if (m == &mode_pae) {
        r |= level == 0 ? 0xfff00000000001e6 : 0x7ff0000000000000;
    } else if (!m->large[level] && level + 1u < m->levels) {
        r |= PTE_PS;
    }
    if (large) {
        r |= ((uint64_t)1 << m->shift[level]) - (1 << 13);              /* bit 12 is PAT */
    }
    return r;
}

typedef struct Walk {
    uint64_t pa, page_size;
    bool w, u, nx, global, dirty;
    uint32_t pf;                         /* error code bits when the walk failed */
} Walk;

enum { WALK_OK, WALK_FAULT, WALK_AGAIN };

static bool is_leaf(const X86Cpu *c, const PageMode *m, unsigned level, uint64_t pte)
{
    return level + 1u == m->levels ||
        (m->large[level] && (pte & PTE_PS) && (m->entry == 8 || (c->cr4 & CR4_PSE)));
}

static uint64_t leaf_address(const PageMode *m, unsigned level, uint64_t pte, uint64_t gva)
{
    uint64_t in = ((uint64_t)1 << m->shift[level]) - 1, base;

    if (m->entry == 4 && level == 0) {
        base = (pte & 0xffc00000) | ((pte >> PTE_PSE36_SHIFT & 0xff) << 32);
    } else {
        base = pte & X86_PHYS_MASK & ~in;
    }
    return base | (gva & in);
}

/* May the access go through w's page in TLB mode `mode`?  SDM 4.6 */
static bool allowed(const X86Cpu *c, const Walk *w, Access access, unsigned mode)
{
    bool user = mode == MMU_USER;

    if (user && !w->u) {
        return false;
    }
    switch (access) {
    case ACCESS_EXEC:
        return !w->nx && (user || !w->u || !(c->cr4 & CR4_SMEP));
    case ACCESS_READ:
        return user || !w->u || mode != MMU_KERNEL_SMAP;
    default:
        return (user || !w->u || mode != MMU_KERNEL_SMAP) && (w->w || (!user && !(c->cr0 & CR0_WP)));
    }
}

static int walk_tables(X86Cpu *c, uint64_t gva, Access access, unsigned mode, bool set, Walk *w)
{
    const PageMode *m = page_mode(c);
    uint64_t table = c->cr3 & m->cr3_mask;
    Pte e[4];

    *w = (Walk){ .w = true, .u = true };
    for (unsigned l = 0; l < m->levels; l++) {
        uint64_t index = bits_get(gva, m->shift[l], m->bits[l]), pte;

        pte_read(c, &e[l], table + index * m->entry, m->entry);
        pte = e[l].val;
        if (!(pte & PTE_P)) {
            return WALK_FAULT;
        }
        if (pte & pte_reserved(c, m, l, pte)) {
            w->pf = PF_P | PF_RSVD;
            return WALK_FAULT;
        }
        if (m != &mode_pae || l > 0) {
            w->w &= !!(pte & PTE_W);
            w->u &= !!(pte & PTE_U);
        }
        w->nx |= m->entry == 8 && (pte & PTE_NX);
        if (!is_leaf(c, m, l, pte)) {
            table = m->entry == 4 ? pte & 0xfffff000 : pte & X86_PHYS_MASK & ~(uint64_t)0xfff;
            continue;
        }
        w->pa = a20(c, leaf_address(m, l, pte, gva));
        w->page_size = (uint64_t)1 << m->shift[l];
        w->global = (pte & PTE_G) && (c->cr4 & CR4_PGE);
        w->dirty = pte & PTE_D;
        if (!allowed(c, w, access, mode)) {
            w->pf = PF_P;
            return WALK_FAULT;
        }
        if (set) {
            for (unsigned i = m == &mode_pae; i < l; i++) {
                if (!pte_set(&e[i], m->entry, PTE_A)) {
                    return WALK_AGAIN;
                }
            }
            if (!pte_set(&e[l], m->entry, access == ACCESS_WRITE ? PTE_A | PTE_D : PTE_A)) {
                return WALK_AGAIN;
            }
            w->dirty |= access == ACCESS_WRITE;
        }
        return WALK_OK;
    }
    return WALK_FAULT;                   /* not reached: the last level is a leaf */
}

static uint32_t pf_code(const X86Cpu *c, uint32_t pf, Access access, unsigned mode)
{
    bool id = access == ACCESS_EXEC && (((c->efer & EFER_NXE) && (c->cr4 & CR4_PAE)) || (c->cr4 & CR4_SMEP));

    return pf | (access == ACCESS_WRITE ? PF_W : 0) | (mode == MMU_USER ? PF_U : 0) | (id ? PF_I : 0);
}

bool x86_walk(Vcpu *v, uint64_t gva, Access access, unsigned mode, bool set, Mapping *out, Fault *f)
{
    X86Cpu *c = x86_of(v);
    Walk w;
    int r;

    if (!(c->cr0 & CR0_PG)) {
        *out = (Mapping){ .gpa = a20(c, (uint32_t)gva & ~0xfffu), .page_size = 4096, .read = true, .write = true, .exec = true };
        return true;
    }
    if (x86_lma(c) && !x86_canonical(gva)) {
        return x86_fault(f, EX_GP, 0);
    }
    do {
        r = walk_tables(c, gva, access, mode, set, &w);
    } while (r == WALK_AGAIN);
    if (r == WALK_FAULT) {
        *f = (Fault){ .kind = EX_PF, .has_code = true, .code = pf_code(c, w.pf, access, mode), .addr = gva };
        return false;
    }
    *out = (Mapping){
        .gpa = w.pa & ~(uint64_t)0xfff, .page_size = w.page_size, .global = w.global,
        .read = allowed(c, &w, ACCESS_READ, mode),
        .write = w.dirty && allowed(c, &w, ACCESS_WRITE, mode),
        .exec = allowed(c, &w, ACCESS_EXEC, mode),
    };
    return true;
}

void x86_unaligned(Vcpu *v, uint64_t gva, Access access, Fault *f)
{
    (void)v, (void)gva, (void)access;
    x86_fault(f, EX_GP, 0);
}

bool x86_pdptes_ok(X86Cpu *c, uint64_t cr3)
{
    for (unsigned i = 0; i < 4; i++) {
        Pte e;

        pte_read(c, &e, (cr3 & mode_pae.cr3_mask) + 8 * i, 8);
        if ((e.val & PTE_P) && (e.val & pte_reserved(c, &mode_pae, 0, e.val))) {
            return false;
        }
    }
    return true;
}

/* ---- info tlb, info mem ---- */

typedef struct Listing {
    X86Cpu *c;
    const PageMode *m;
    GString *out;
    bool ranges;
    uint64_t start, end;                 /* range being collected; end 0: none */
    unsigned prot;
    bool full;
} Listing;

enum { LIST_MAX = 20000 };               /* lines: a monitor is no place for more */

static void list_flush(Listing *l)
{
    if (l->end) {
        g_string_append_printf(l->out, "%016" G_GINT64_MODIFIER "x-%016" G_GINT64_MODIFIER "x %016" G_GINT64_MODIFIER "x %c%c%c\n",
                               l->start, l->end, l->end - l->start, l->prot & PTE_U ? 'u' : '-', 'r',
                               l->prot & PTE_W ? 'w' : '-');
        l->end = 0;
    }
}

static void list_page(Listing *l, uint64_t gva, uint64_t size, uint64_t pte, uint64_t pa, unsigned prot)
{
    if (!l->ranges) {
        g_string_append_printf(l->out, "%016" G_GINT64_MODIFIER "x: %016" G_GINT64_MODIFIER "x %c%c%c%c%c%c%c%c%c\n",
                               gva, pa, pte & PTE_NX ? 'X' : '-', pte & PTE_G ? 'G' : '-', size > 4096 ? 'P' : '-',
                               pte & PTE_D ? 'D' : '-', pte & PTE_A ? 'A' : '-', pte & 16 ? 'C' : '-', pte & 8 ? 'T' : '-',
                               pte & PTE_U ? 'U' : '-', pte & PTE_W ? 'W' : '-');
        l->full = l->out->len > LIST_MAX * 48;
        return;
    }
    if (l->end != gva || l->prot != prot) {
        list_flush(l);
        l->start = gva;
        l->prot = prot;
    }
    l->end = gva + size;
}

static void list_table(Listing *l, unsigned level, uint64_t table, uint64_t gva, unsigned prot)
{
    const PageMode *m = l->m;

    for (uint64_t i = 0; i < (uint64_t)1 << m->bits[level] && !l->full; i++) {
        uint64_t va = gva | i << m->shift[level];
        unsigned p = prot;
        Pte e;

        if (level == 0 && m == &mode_4 && (i & 256)) {
            va |= 0xffff000000000000;
        }
        pte_read(l->c, &e, table + i * m->entry, m->entry);
        if (!(e.val & PTE_P)) {
            continue;
        }
        if (m != &mode_pae || level > 0) {
            p &= e.val;
        }
        if (is_leaf(l->c, m, level, e.val)) {
            list_page(l, va, (uint64_t)1 << m->shift[level], e.val, leaf_address(m, level, e.val, 0), p);
        } else {
            list_table(l, level + 1, m->entry == 4 ? e.val & 0xfffff000 : e.val & X86_PHYS_MASK & ~(uint64_t)0xfff, va, p);
        }
    }
}

void x86_print_tlb(Vcpu *v, bool ranges, GString *out)
{
    X86Cpu *c = x86_of(v);
    Listing l = { .c = c, .m = page_mode(c), .out = out, .ranges = ranges };

    if (!(c->cr0 & CR0_PG)) {
        g_string_append(out, "PG disabled\n");
        return;
    }
    list_table(&l, 0, c->cr3 & l.m->cr3_mask, 0, PTE_U | PTE_W);
    list_flush(&l);
    if (l.full) {
        g_string_append(out, "(more not shown)\n");
    }
}
