/* Guest memory accesses that did not hit inline: what generated code and
 * helpers call.  Each translates (tlb.c), then works on host memory, or on the
 * region through memory.c; stores to noticed pages tell the block cache.
 *
 * An access across two guest pages translates both before it changes
 * anything.  Atomics across pages or on I/O are made one at a time. */
#include <string.h>

#include "cpu/exec.h"
#include "cpu/tlb.h"
#include "util/bits.h"
#include "util/ldst.h"
#include "util/lock.h"

enum { PAGE = 1 << TLB_PAGE_BITS };
#define PAGE_MASK (~(uint64_t)(PAGE - 1))

static bool translate(Vcpu *c, uint64_t gva, Access a, unsigned mode, TlbHit *h, Fault *f)
{
    TlbEntry *e = &env_tlb(&c->env, mode, a == ACCESS_WRITE ? TLB_WRITE : TLB_READ)[tlb_index(gva)];
    if (e->tag == (gva & PAGE_MASK)) {
        h->host = (uint8_t *)(uintptr_t)e->host + (gva & (PAGE - 1));
        h->io = h->noisy = false;
        return true;
    }
    return tlb_find(c, gva, a, mode, h, f);
}

static bool crosses(uint64_t gva, unsigned size)
{
    return (gva & (PAGE - 1)) + size > PAGE;
}

/* Guest addresses are aligned as the guest likes; one host access each, hence single-copy atomic where aligned. */
typedef volatile uint16_t __attribute__((aligned(1))) Guest16;
typedef volatile uint32_t __attribute__((aligned(1))) Guest32;
typedef volatile uint64_t __attribute__((aligned(1))) Guest64;

static uint64_t hit_ld(Vcpu *c, const TlbHit *h, unsigned size)
{
    if (h->io)
        return as_ld(c->mem, h->gpa, size);
    switch (size) {
    case 1: return *(volatile uint8_t *)h->host;
    case 2: return *(Guest16 *)(void *)h->host;
    case 4: return *(Guest32 *)(void *)h->host;
    default: return *(Guest64 *)(void *)h->host;
    }
}

static void hit_st(Vcpu *c, const TlbHit *h, uint64_t val, unsigned size)
{
    if (h->io) {
        as_st(c->mem, h->gpa, val, size);
        return;
    }
    if (h->noisy)
        exec_before_write(c, h->ram, size);
    switch (size) {
    case 1: *(volatile uint8_t *)h->host = (uint8_t)val; break;
    case 2: *(Guest16 *)(void *)h->host = (uint16_t)val; break;
    case 4: *(Guest32 *)(void *)h->host = (uint32_t)val; break;
    default: *(Guest64 *)(void *)h->host = val;
    }
    if (h->noisy)
        mem_note_write(h->ram, size);
}

bool cpu_try_ld(Vcpu *c, uint64_t gva, unsigned size, unsigned mode, uint64_t *val, Fault *f)
{
    TlbHit h;
    if (G_LIKELY(!crosses(gva, size))) {
        if (!translate(c, gva, ACCESS_READ, mode, &h, f))
            return false;
        *val = hit_ld(c, &h, size);
        return true;
    }
    uint64_t v = 0;
    TlbHit part[2];
    unsigned first = PAGE - (unsigned)(gva & (PAGE - 1));
    if (!translate(c, gva, ACCESS_READ, mode, &part[0], f) || !translate(c, gva + first, ACCESS_READ, mode, &part[1], f))
        return false;
    for (unsigned i = 0; i < size; i++) {
        TlbHit b = i < first ? part[0] : part[1];
        unsigned d = i < first ? i : i - first;
        b.host = b.host ? b.host + d : NULL;
        b.gpa += d;
        b.ram += d;
        v |= hit_ld(c, &b, 1) << (i * 8);
    }
    *val = v;
    return true;
}

bool cpu_try_st(Vcpu *c, uint64_t gva, uint64_t val, unsigned size, unsigned mode, Fault *f)
{
    TlbHit h;
    if (G_LIKELY(!crosses(gva, size))) {
        if (!translate(c, gva, ACCESS_WRITE, mode, &h, f))
            return false;
        hit_st(c, &h, val, size);
        return true;
    }
    TlbHit part[2];
    unsigned first = PAGE - (unsigned)(gva & (PAGE - 1));
    if (!translate(c, gva, ACCESS_WRITE, mode, &part[0], f) || !translate(c, gva + first, ACCESS_WRITE, mode, &part[1], f))
        return false;
    for (unsigned k = 0; k < 2; k++)     /* before any byte changes */
        if (part[k].noisy && !part[k].io)
            exec_before_write(c, part[k].ram, k ? size - first : first);
    for (unsigned i = 0; i < size; i++) {
        TlbHit b = i < first ? part[0] : part[1];
        unsigned d = i < first ? i : i - first;
        b.host = b.host ? b.host + d : NULL;
        b.gpa += d;
        b.ram += d;
        if (b.io)
            as_st(c->mem, b.gpa, (val >> (i * 8)) & 0xff, 1);
        else
            *b.host = (uint8_t)(val >> (i * 8));
    }
    for (unsigned k = 0; k < 2; k++)
        if (part[k].noisy && !part[k].io)
            mem_note_write(part[k].ram, k ? size - first : first);
    return true;
}

uint64_t cpu_ld(Vcpu *c, uint64_t gva, unsigned size, unsigned mode)
{
    uint64_t v;
    Fault f;
    if (!cpu_try_ld(c, gva, size, mode, &v, &f))
        cpu_raise(c, &f);
    return v;
}

void cpu_st(Vcpu *c, uint64_t gva, uint64_t val, unsigned size, unsigned mode)
{
    Fault f;
    if (!cpu_try_st(c, gva, val, size, mode, &f))
        cpu_raise(c, &f);
}

void cpu_probe(Vcpu *c, uint64_t gva, uint64_t len, Access access, unsigned mode)
{
    TlbHit h;
    Fault f;
    for (uint64_t a = gva; len;) {
        uint64_t n = MIN(len, PAGE - (a & (PAGE - 1)));
        if (!translate(c, a, access, mode, &h, &f))
            cpu_raise(c, &f);
        a += n;
        len -= n;
    }
}

void *cpu_host(Vcpu *c, uint64_t gva, unsigned len, Access access, unsigned mode)
{
    TlbHit h;
    Fault f;
    if (crosses(gva, len ? len : 1))
        return NULL;
    if (!translate(c, gva, access, mode, &h, &f))
        cpu_raise(c, &f);
    return h.io || h.noisy ? NULL : h.host;
}

void *cpu_host_write(Vcpu *c, uint64_t gva, unsigned len, unsigned mode, uint64_t *note)
{
    TlbHit h;
    Fault f;
    *note = UINT64_MAX;
    if (crosses(gva, len ? len : 1))
        return NULL;
    if (!translate(c, gva, ACCESS_WRITE, mode, &h, &f))
        cpu_raise(c, &f);
    if (h.io)
        return NULL;
    if (h.noisy) {
        exec_before_write(c, h.ram, len);
        *note = h.ram;
    }
    return h.host;
}

void cpu_wrote(uint64_t note, unsigned len)
{
    if (note != UINT64_MAX)
        mem_note_write(note, len);
}

bool cpu_cas128(Vcpu *c, uint64_t gva, unsigned mode, uint64_t expected[2], const uint64_t desired[2])
{
    TlbHit h;
    Fault f;
    if (!translate(c, gva, ACCESS_WRITE, mode, &h, &f))
        cpu_raise(c, &f);
    if (h.io) {
        machine_lock();
        uint64_t old[2] = { as_ld(c->mem, h.gpa, 8), as_ld(c->mem, h.gpa + 8, 8) };
        bool same = old[0] == expected[0] && old[1] == expected[1];
        for (unsigned i = 0; i < 2; i++)
            as_st(c->mem, h.gpa + i * 8, same ? desired[i] : old[i], 8);
        machine_unlock();
        memcpy(expected, old, sizeof old);
        return same;
    }
    if (h.noisy)
        exec_before_write(c, h.ram, 16);
    bool ok;
#if defined(__x86_64__)
    __asm__ volatile("lock cmpxchg16b %1\n\tsetz %0"
                     : "=q"(ok), "+m"(*(unsigned __int128 *)(void *)h.host), "+a"(expected[0]), "+d"(expected[1])
                     : "b"(desired[0]), "c"(desired[1]) : "cc", "memory");
#else
    unsigned __int128 e = (unsigned __int128)expected[1] << 64 | expected[0];
    ok = __atomic_compare_exchange_n((unsigned __int128 *)(void *)h.host, &e, (unsigned __int128)desired[1] << 64 | desired[0],
                                     false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    expected[0] = (uint64_t)e;
    expected[1] = (uint64_t)(e >> 64);
#endif
    if (h.noisy)
        mem_note_write(h.ram, 16);
    return ok;
}

static bool debug_copy(Vcpu *c, uint64_t gva, uint8_t *buf, unsigned len, bool write)
{
    while (len) {
        Mapping m;
        Fault f;
        unsigned n = MIN(len, PAGE - (unsigned)(gva & (PAGE - 1)));
        if (!c->arch->walk(c, gva, ACCESS_READ, c->arch->exec_mode(0), false, &m, &f))
            return false;
        uint64_t gpa = (m.gpa & PAGE_MASK) | (gva & (PAGE - 1));
        if (!(write ? as_write(c->mem, gpa, buf, n) : as_read(c->mem, gpa, buf, n)))
            return false;
        gva += n;
        buf += n;
        len -= n;
    }
    return true;
}

bool cpu_debug_read(Vcpu *c, uint64_t gva, void *buf, unsigned len)
{
    return debug_copy(c, gva, buf, len, false);
}

bool cpu_debug_write(Vcpu *c, uint64_t gva, const void *buf, unsigned len)
{
    return debug_copy(c, gva, (uint8_t *)(uintptr_t)buf, len, true);
}

/* ---- what generated code calls ---- */

static void check_align(Vcpu *c, uint64_t addr, unsigned memop, Access a)
{
    if ((memop & IRM_ALIGN) && (addr & (irm_size(memop) - 1))) {
        Fault f = { 0 };
        c->arch->unaligned(c, addr, a, &f);
        cpu_raise(c, &f);
    }
}

static uint64_t rt_ld(TcgEnv *env, uint64_t addr, unsigned memop)
{
    Vcpu *c = env_vcpu(env);
    unsigned size = irm_size(memop), mode = irm_mode(memop);
    check_align(c, addr, memop, memop & IRM_RMW ? ACCESS_WRITE : ACCESS_READ);
    if (memop & IRM_RMW)
        cpu_probe(c, addr, size, ACCESS_WRITE, mode);
    uint64_t v = cpu_ld(c, addr, size, mode);
    if (memop & IRM_BSWAP)
        v = size == 2 ? __builtin_bswap16((uint16_t)v) : size == 4 ? __builtin_bswap32((uint32_t)v) : size == 8 ? __builtin_bswap64(v) : v;
    return v;
}

static void rt_st(TcgEnv *env, uint64_t addr, uint64_t v, unsigned memop)
{
    Vcpu *c = env_vcpu(env);
    unsigned size = irm_size(memop);
    check_align(c, addr, memop, ACCESS_WRITE);
    if (memop & IRM_BSWAP)
        v = size == 2 ? __builtin_bswap16((uint16_t)v) : size == 4 ? __builtin_bswap32((uint32_t)v) : size == 8 ? __builtin_bswap64(v) : v;
    cpu_st(c, addr, v, size, irm_mode(memop));
}

static void rt_ldv(TcgEnv *env, uint64_t addr, unsigned memop, uint64_t val[2])
{
    Vcpu *c = env_vcpu(env);
    unsigned size = irm_size(memop), mode = irm_mode(memop);
    check_align(c, addr, memop, ACCESS_READ);
    val[1] = 0;
    if (size == 16) {
        cpu_probe(c, addr, 16, ACCESS_READ, mode);
        val[0] = cpu_ld(c, addr, 8, mode);
        val[1] = cpu_ld(c, addr + 8, 8, mode);
    } else {
        val[0] = cpu_ld(c, addr, size, mode);
    }
}

static void rt_stv(TcgEnv *env, uint64_t addr, unsigned memop, const uint64_t val[2])
{
    Vcpu *c = env_vcpu(env);
    unsigned size = irm_size(memop), mode = irm_mode(memop);
    check_align(c, addr, memop, ACCESS_WRITE);
    if (size == 16) {
        cpu_probe(c, addr, 16, ACCESS_WRITE, mode);
        exec_before_write_gva(c, addr, 16, mode);
        cpu_st(c, addr, val[0], 8, mode);
        cpu_st(c, addr + 8, val[1], 8, mode);
    } else {
        cpu_st(c, addr, val[0], size, mode);
    }
}

static void rt_probe(TcgEnv *env, uint64_t addr, unsigned memop)
{
    cpu_probe(env_vcpu(env), addr, irm_size(memop), ACCESS_WRITE, irm_mode(memop));
}

static uint64_t alu(unsigned op, uint64_t old, uint64_t b)
{
    switch (op) {
    case IRA_ADD: return old + b;
    case IRA_AND: return old & b;
    case IRA_OR: return old | b;
    case IRA_XOR: return old ^ b;
    case IRA_XCHG: return b;
    default: return b - old;
    }
}

/* Atomic update of `size` bytes at host memory that may be misaligned: LOCK CMPXCHG copes with that on the host. */
static bool host_cas(uint8_t *p, uint64_t *old, uint64_t val, unsigned size)
{
    switch (size) {
#define CAS(T) { \
        T e = (T)*old; \
        bool ok = __atomic_compare_exchange_n((T *)(void *)p, &e, (T)val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        *old = e; \
        return ok; }
    case 1: CAS(uint8_t)
    case 2: CAS(uint16_t)
    case 4: CAS(uint32_t)
    default: CAS(uint64_t)
#undef CAS
    }
}

static GMutex split_lock;                /* atomics across two pages or on I/O: one at a time */

/* Runs an atomic update; cas: only if old == expected. Returns old. */
static uint64_t atomic(Vcpu *c, uint64_t addr, unsigned memop, bool cas, uint64_t expected, uint64_t val)
{
    unsigned size = irm_size(memop), mode = irm_mode(memop), op = memop >> IRM_ATOMIC_SHIFT & 7;
    uint64_t mask = size == 8 ? UINT64_MAX : (1ull << (size * 8)) - 1, old;
    TlbHit h;
    Fault f;
    check_align(c, addr, memop, ACCESS_WRITE);
    if (!crosses(addr, size)) {
        if (!translate(c, addr, ACCESS_WRITE, mode, &h, &f))
            cpu_raise(c, &f);
        if (!h.io) {
            if (h.noisy)
                exec_before_write(c, h.ram, size);
            if (cas) {
                old = expected & mask;
                host_cas(h.host, &old, val, size);
            } else {
                old = ld_le(h.host, size);
                while (!host_cas(h.host, &old, alu(op, old, val), size))
                    ;
            }
            if (h.noisy)
                mem_note_write(h.ram, size);
            return old;
        }
    }
    cpu_probe(c, addr, size, ACCESS_WRITE, mode);
    exec_before_write_gva(c, addr, size, mode);
    machine_lock();
    g_mutex_lock(&split_lock);
    uint64_t v;
    bool ok = cpu_try_ld(c, addr, size, mode, &v, &f);
    old = v & mask;
    if (ok)
        ok = cpu_try_st(c, addr, cas ? (old == (expected & mask) ? val : old) : alu(op, old, val), size, mode, &f);
    g_mutex_unlock(&split_lock);
    machine_unlock();
    if (!ok)
        cpu_raise(c, &f);
    return old;
}

static uint64_t rt_rmw(TcgEnv *env, uint64_t addr, uint64_t val, unsigned memop)
{
    return atomic(env_vcpu(env), addr, memop, false, 0, val);
}

static uint64_t rt_cas(TcgEnv *env, uint64_t addr, uint64_t expected, uint64_t desired, unsigned memop)
{
    return atomic(env_vcpu(env), addr, memop, true, expected, desired);
}

void tlb_runtime(TcgRuntime *rt)
{
    rt->ld = rt_ld;
    rt->st = rt_st;
    rt->ldv = rt_ldv;
    rt->stv = rt_stv;
    rt->probe = rt_probe;
    rt->rmw = rt_rmw;
    rt->cas = rt_cas;
    rt->refill = tlb_refill;
}
