/* Pieces of repeated string instructions.
 *
 * A piece is as many elements as lie on the current pages of source and
 * destination (and below the segment limits and the address-size wrap), done
 * through host memory where both pages are plain RAM.  Otherwise, and for an
 * element that straddles pages, one element through the guest's own access
 * path.  Everything that may raise comes before the first change; registers
 * are those of whole elements.  The count is not 0 on entry.
 *
 * Source: Intel SDM volume 1 section 7.3.9. */
#include "cpu/x86/strops.h"

#include "cpu/x86/cc.h"
#include "util/bits.h"
#include "util/ldst.h"

typedef struct Piece {
    X86Cpu *c;
    unsigned size, mode, seg;            /* element's bytes; TLB mode */
    uint64_t mask;                       /* of the address size */
    bool down;
    uint64_t info, n;                    /* elements */
    uint64_t note;                       /* cpu_wrote */
} Piece;

static Piece piece_begin(TcgEnv *env, uint64_t info)
{
    X86Cpu *c = x86_env(env);
    unsigned abits = 8u << ((info >> STR_ASIZE) & 3);
    Piece p = { .c = c, .size = 1u << (info & STR_SIZE_MASK), .mode = (c->hflags & HF_MMU) >> HF_MMU_SHIFT,
                .seg = (info >> STR_SEG) & 7, .mask = ~(uint64_t)0 >> (64 - abits), .info = info };
    p.down = (int64_t)X86R(c, X86_DF) < 0;
    p.n = X86R(c, X86_RCX) & p.mask;
    return p;
}

static void at_most(Piece *p, uint64_t n)
{
    if (p->n > n)
        p->n = n;
}

/* Elements at `linear` that lie on its page; 0: the first straddles. */
static void clip_page(Piece *p, uint64_t linear)
{
    uint64_t in_page = linear & 4095;
    if (in_page + p->size > 4096)
        p->n = 0;
    else
        at_most(p, p->down ? in_page / p->size + 1 : (4096 - in_page) / p->size);
}

/* The address size wraps, a limit ends. The first element has been checked. */
static void clip_segment(Piece *p, unsigned seg, uint64_t off)
{
    const X86Seg *s = &p->c->seg[seg];
    uint64_t top = p->mask;
    bool expand_down = (s->attr >> 10 & 1) && !(s->attr >> 11 & 1);
    off &= p->mask;
    if (p->info & STR_LIMITS) {
        if (expand_down && (p->c->hflags & HF_PE)) {
            at_most(p, 1);
            return;
        }
        if (s->limit < top)
            top = s->limit;
    }
    if (p->down)
        at_most(p, off / p->size + 1);
    else if (top - off + 1)              /* 0: 2^64 */
        at_most(p, MAX((top - off + 1) / p->size, 1));
}

/* Host address of the lowest of the piece's n elements at linear, or NULL. */
static uint8_t *piece_host(Piece *p, uint64_t linear, Access access)
{
    uint64_t low = p->down ? linear - (p->n - 1) * p->size : linear;
    if (p->down)                         /* a fault is that of the first element */
        cpu_probe(&p->c->vcpu, linear, p->size, access, p->mode);
    if (access == ACCESS_WRITE)
        return cpu_host_write(&p->c->vcpu, low, (unsigned)(p->n * p->size), p->mode, &p->note);
    return cpu_host(&p->c->vcpu, low, (unsigned)(p->n * p->size), access, p->mode);
}

static void piece_wrote(const Piece *p)
{
    cpu_wrote(p->note, (unsigned)(p->n * p->size));
}

/* reg moves by n elements */
static void piece_move(Piece *p, unsigned reg, uint64_t n)
{
    uint64_t old = X86R(p->c, reg), by = n * p->size;
    uint64_t v = p->down ? old - by : old + by;
    if (p->mask == 0xffff)
        v = (old & ~p->mask) | (v & p->mask);
    X86R(p->c, reg) = p->mask == 0xffff ? v : v & p->mask;
}

static void piece_count(Piece *p, uint64_t n)
{
    uint64_t old = X86R(p->c, X86_RCX), v = old - n;
    X86R(p->c, X86_RCX) = p->mask == 0xffff ? (old & ~p->mask) | (v & p->mask) : v & p->mask;
}

/* ---- MOVS ---- */

/* One element after the other, as the order of the bytes may matter. */
static void copy_elements(uint8_t *d, const uint8_t *s, const Piece *p)
{
    for (uint64_t i = 0; i < p->n; i++) {
        uint64_t at = (p->down ? p->n - 1 - i : i) * p->size;
        st_le(d + at, ld_le(s + at, p->size), p->size);
    }
}

static void copy(uint8_t *d, const uint8_t *s, const Piece *p)
{
    uint64_t len = p->n * p->size;
    uintptr_t ahead = (uintptr_t)d - (uintptr_t)s;
    bool spreads = p->down ? -ahead < len && ahead : ahead < len && ahead;
    if (spreads)
        copy_elements(d, s, p);
    else
        memmove(d, s, len);
}

uint64_t x86_h_rep_movs(TcgEnv *env, uint64_t src, uint64_t dst, uint64_t info, uint64_t f)
{
    Piece p = piece_begin(env, info);
    Vcpu *v = &p.c->vcpu;
    (void)f;
    clip_page(&p, src);
    clip_page(&p, dst);
    clip_segment(&p, p.seg, X86R(p.c, X86_RSI));
    clip_segment(&p, SEG_ES, X86R(p.c, X86_RDI));
    uint8_t *s = p.n ? piece_host(&p, src, ACCESS_READ) : NULL;
    uint8_t *d = s ? piece_host(&p, dst, ACCESS_WRITE) : NULL;
    if (d) {
        copy(d, s, &p);
        piece_wrote(&p);
    } else {
        p.n = 1;
        cpu_st(v, dst, cpu_ld(v, src, p.size, p.mode), p.size, p.mode);
    }
    piece_move(&p, X86_RSI, p.n);
    piece_move(&p, X86_RDI, p.n);
    piece_count(&p, p.n);
    return 0;
}

/* ---- STOS ---- */

static void fill(uint8_t *d, uint64_t v, const Piece *p)
{
    if (p->size == 1 || v == 0) {
        memset(d, (int)(v & 0xff), p->n * p->size);
        return;
    }
    for (uint64_t i = 0; i < p->n; i++)
        st_le(d + i * p->size, v, p->size);
}

uint64_t x86_h_rep_stos(TcgEnv *env, uint64_t src, uint64_t dst, uint64_t info, uint64_t f)
{
    Piece p = piece_begin(env, info);
    uint64_t v = X86R(p.c, X86_RAX);
    (void)src, (void)f;
    if (p.size < 8)
        v &= BIT(p.size * 8) - 1;
    clip_page(&p, dst);
    clip_segment(&p, SEG_ES, X86R(p.c, X86_RDI));
    uint8_t *d = p.n ? piece_host(&p, dst, ACCESS_WRITE) : NULL;
    if (d) {
        fill(d, v, &p);
        piece_wrote(&p);
    } else {
        p.n = 1;
        cpu_st(&p.c->vcpu, dst, v, p.size, p.mode);
    }
    piece_move(&p, X86_RDI, p.n);
    piece_count(&p, p.n);
    return 0;
}

/* ---- CMPS, SCAS ---- */

/* Compares until the condition ends it: how many elements were done, and the last pair. a: NULL means the constant *last_a. */
static uint64_t compare(const Piece *p, const uint8_t *a, const uint8_t *b, uint64_t *last_a, uint64_t *last_b)
{
    bool repe = p->info & STR_REPE;
    for (uint64_t i = 0; i < p->n; i++) {
        uint64_t at = (p->down ? p->n - 1 - i : i) * p->size;
        if (a)
            *last_a = ld_le(a + at, p->size);
        *last_b = ld_le(b + at, p->size);
        if ((*last_a == *last_b) != repe)
            return i + 1;
    }
    return p->n;
}

static void set_compare_flags(Piece *p, uint64_t a, uint64_t b)
{
    X86R(p->c, X86_CC_OP) = cc_op(CCC_CMP, p->size);
    X86R(p->c, X86_CC_DST) = a;
    X86R(p->c, X86_CC_SRC) = b;
}

uint64_t x86_h_rep_cmps(TcgEnv *env, uint64_t src, uint64_t dst, uint64_t info, uint64_t f)
{
    Piece p = piece_begin(env, info);
    Vcpu *v = &p.c->vcpu;
    uint64_t a = 0, b = 0, n = 1;
    (void)f;
    clip_page(&p, src);
    clip_page(&p, dst);
    clip_segment(&p, p.seg, X86R(p.c, X86_RSI));
    clip_segment(&p, SEG_ES, X86R(p.c, X86_RDI));
    /* where both fault, the repeated form reports the destination (as AMD's processors do) */
    const uint8_t *d = p.n ? piece_host(&p, dst, ACCESS_READ) : NULL;
    const uint8_t *s = d ? piece_host(&p, src, ACCESS_READ) : NULL;
    if (s) {
        n = compare(&p, s, d, &a, &b);
    } else {
        b = cpu_ld(v, dst, p.size, p.mode);
        a = cpu_ld(v, src, p.size, p.mode);
    }
    piece_move(&p, X86_RSI, n);
    piece_move(&p, X86_RDI, n);
    piece_count(&p, n);
    set_compare_flags(&p, a, b);
    return 0;
}

uint64_t x86_h_rep_scas(TcgEnv *env, uint64_t src, uint64_t dst, uint64_t info, uint64_t f)
{
    Piece p = piece_begin(env, info);
    uint64_t a = X86R(p.c, X86_RAX), b = 0, n = 1;
    (void)src, (void)f;
    if (p.size < 8)
        a &= BIT(p.size * 8) - 1;
    clip_page(&p, dst);
    clip_segment(&p, SEG_ES, X86R(p.c, X86_RDI));
    const uint8_t *d = p.n ? piece_host(&p, dst, ACCESS_READ) : NULL;
    if (d)
        n = compare(&p, NULL, d, &a, &b);
    else
        b = cpu_ld(&p.c->vcpu, dst, p.size, p.mode);
    piece_move(&p, X86_RDI, n);
    piece_count(&p, n);
    set_compare_flags(&p, a, b);
    return 0;
}
