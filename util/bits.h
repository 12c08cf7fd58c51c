/* Bits, masks, and the attributes that the whole tree uses. */
#ifndef RHEA_UTIL_BITS_H
#define RHEA_UTIL_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For C that runs while guest vectors and FP state are live in host registers (tcg.h, IRH_GPR). */
#ifdef __SANITIZE_THREAD__               /* what it calls at each access uses vector registers */
#define RHEA_GPR_ONLY __attribute__((target("general-regs-only"), no_sanitize("thread")))
#else
#define RHEA_GPR_ONLY __attribute__((target("general-regs-only")))
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) ((uint64_t)1 << (n))
#define container_of(p, T, m) ((T *)((char *)(p) - offsetof(T, m)))

static inline uint64_t bits_get(uint64_t v, unsigned pos, unsigned len)
{
    return (v >> pos) & (~(uint64_t)0 >> (64 - len));
}
static inline uint64_t bits_set(uint64_t v, unsigned pos, unsigned len, uint64_t f)
{
    uint64_t m = (~(uint64_t)0 >> (64 - len)) << pos;
    return (v & ~m) | ((f << pos) & m);
}
static inline int64_t bits_sext(uint64_t v, unsigned len)
{
    return (int64_t)(v << (64 - len)) >> (64 - len);
}
static inline uint64_t round_up(uint64_t v, uint64_t to) { return (v + to - 1) / to * to; }
static inline uint64_t round_down(uint64_t v, uint64_t to) { return v / to * to; }

#endif
