/* Unaligned little- and big-endian loads and stores from byte arrays. */
#ifndef RHEA_UTIL_LDST_H
#define RHEA_UTIL_LDST_H

#include <stdint.h>
#include <string.h>

#define LDST(bits) \
    static inline uint##bits##_t ld_le##bits(const void *p) { uint##bits##_t v; memcpy(&v, p, sizeof v); return LE(bits, v); } \
    static inline uint##bits##_t ld_be##bits(const void *p) { uint##bits##_t v; memcpy(&v, p, sizeof v); return BE(bits, v); } \
    static inline void st_le##bits(void *p, uint##bits##_t v) { v = LE(bits, v); memcpy(p, &v, sizeof v); } \
    static inline void st_be##bits(void *p, uint##bits##_t v) { v = BE(bits, v); memcpy(p, &v, sizeof v); }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LE(bits, v) (v)
#define BE(bits, v) __builtin_bswap##bits(v)
#else
#define LE(bits, v) __builtin_bswap##bits(v)
#define BE(bits, v) (v)
#endif
LDST(16) LDST(32) LDST(64)
#undef LDST
#undef LE
#undef BE

/* size 1, 2, 4 or 8 */
static inline uint64_t ld_le(const void *p, unsigned size)
{
    switch (size) {
    case 1: return *(const uint8_t *)p;
    case 2: return ld_le16(p);
    case 4: return ld_le32(p);
    default: return ld_le64(p);
    }
}
static inline void st_le(void *p, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: *(uint8_t *)p = (uint8_t)v; break;
    case 2: st_le16(p, (uint16_t)v); break;
    case 4: st_le32(p, (uint32_t)v); break;
    default: st_le64(p, v); break;
    }
}

#endif
