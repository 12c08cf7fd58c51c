/* AVX masked loads and stores, AVX2 gathers: an element whose mask has the
 * top bit clear is not accessed.  All elements are read, and all pages of a
 * store probed, before anything changes.
 * Source: Intel SDM volume 2 (VMASKMOV, VPMASKMOV, VPGATHERxx, VGATHERxxx). */
#include <string.h>

#include "cpu/x86/state.h"
#include "tcg/vec.h"
#include "util/bits.h"
#include "util/ldst.h"

static unsigned mmu(const X86Cpu *c) { return (c->hflags & HF_MMU) >> HF_MMU_SHIFT; }

/* Linear addresses are 32 bits outside 64-bit code. */
static uint64_t wrap(const X86Cpu *c, uint64_t a) { return c->hflags & HF_CS64 ? a : (uint32_t)a; }

static bool selected(const uint8_t *mask, unsigned i, unsigned size) { return mask[i * size + size - 1] & 0x80; }

uint64_t x86_h_vmaskload(TcgEnv *env, uint64_t addr, uint64_t ctl, uint64_t u, uint64_t v)
{
    X86Cpu *c = x86_env(env);
    unsigned size = 1u << (ctl >> 4), n = (ctl & 15) * 16 / size;
    const uint8_t *mask = (const uint8_t *)c->vtmp[0];
    uint8_t out[32] = { 0 };
    (void)u, (void)v;
    for (unsigned i = 0; i < n; i++) {
        if (selected(mask, i, size)) {
            st_le(out + i * size, cpu_ld(&c->vcpu, wrap(c, addr + i * size), size, mmu(c)), size);
        }
    }
    memcpy(c->vtmp[2], out, n * size);
    return 0;
}

uint64_t x86_h_vmaskstore(TcgEnv *env, uint64_t addr, uint64_t ctl, uint64_t u, uint64_t v)
{
    X86Cpu *c = x86_env(env);
    unsigned size = 1u << (ctl >> 4), n = (ctl & 15) * 16 / size;
    const uint8_t *mask = (const uint8_t *)c->vtmp[0], *data = (const uint8_t *)c->vtmp[2];
    (void)u, (void)v;
    for (unsigned i = 0; i < n; i++) {
        if (selected(mask, i, size)) {
            cpu_probe(&c->vcpu, wrap(c, addr + i * size), size, ACCESS_WRITE, mmu(c));
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (selected(mask, i, size)) {
            cpu_st(&c->vcpu, wrap(c, addr + i * size), ld_le(data + i * size, size), size, mmu(c));
        }
    }
    return 0;
}

static void get_ymm(const X86Cpu *c, unsigned r, uint8_t out[32])
{
    memcpy(out, c->xmm[r], 16);
    memcpy(out + 16, c->ymmh[r], 16);
}

static void put_ymm(X86Cpu *c, unsigned r, const uint8_t in[32])
{
    memcpy(c->xmm[r], in, 16);
    memcpy(c->ymmh[r], in + 16, 16);
}

/* ctl: count, data kind << 4, index kind << 6, scale << 8, registers: destination << 10, index << 14, mask << 18;
 * how: segment | address bytes << 4.  What lies above the elements is cleared, as is the mask. */
uint64_t x86_h_vgather(TcgEnv *env, uint64_t base, uint64_t ctl, uint64_t how, uint64_t v)
{
    X86Cpu *c = x86_env(env);
    unsigned n = ctl & 15, size = 1u << (ctl >> 4 & 3), isize = 1u << (ctl >> 6 & 3), scale = ctl >> 8 & 3;
    unsigned rd = ctl >> 10 & 15, ri = ctl >> 14 & 15, rm = ctl >> 18 & 15;
    uint64_t seg = x86_seg_base(c, how & 15);
    uint8_t d[32], idx[32], mask[32], zero[32] = { 0 };
    (void)v;
    get_ymm(c, rd, d);
    get_ymm(c, ri, idx);
    get_ymm(c, rm, mask);
    for (unsigned i = 0; i < n; i++) {
        if (selected(mask, i, size)) {
            uint64_t a = base + ((uint64_t)bits_sext(ld_le(idx + i * isize, isize), isize * 8) << scale);
            a = how >> 4 == 8 ? a : (uint32_t)a;
            st_le(d + i * size, cpu_ld(&c->vcpu, wrap(c, a + seg), size, mmu(c)), size);
        }
    }
    memset(d + n * size, 0, 32 - n * size);
    put_ymm(c, rd, d);
    put_ymm(c, rm, zero);
    return 0;
}
