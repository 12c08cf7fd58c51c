/* FXSAVE, XSAVE and their relatives, MXCSR: save, change, restore, natively
 * and in Rhea.  See diff.h.  The area lies in the data pages and is compared
 * with them; sometimes it crosses a page. */
#include "tests/diff/diff.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, AREA = 832 };

static void add(DiffCase *c, const void *code, unsigned n)
{
    memcpy(c->code + c->len, code, n);
    c->len += n;
}

static void insn(DiffCase *c, const void *code, unsigned n)
{
    c->at[c->ninsns++] = (uint8_t)c->len;
    add(c, code, n);
}

/* 0F AE or 0F C7 /digit [rbx] */
static void state_insn(DiffCase *c, bool w, unsigned opcode, unsigned digit)
{
    uint8_t b[4] = { 0x48, 0x0f, (uint8_t)opcode, (uint8_t)(digit << 3 | 3) };
    insn(c, w ? b : b + 1, w ? 4 : 3);
}

/* the 64 bytes of XSAVE's header = 0 (mov dword [rbx + n], 0) */
static void clear_header(DiffCase *c)
{
    for (int32_t n = 512; n < 576; n += 16) {
        uint8_t store[9] = { 0xc5, 0xf8, 0x11, 0xab };   /* vmovups [rbx + n], xmm5, which is 0 */
        memcpy(store + 4, &n, 4);
        insn(c, store, 8);
    }
}

/* VZEROUPPER and VZEROALL are last: what XSAVE then takes for the initial state is the processor's own affair. */
static void change(Rng *r, DiffCase *c, bool xsave)
{
    static const struct { const char *code; unsigned n; } some[] = {
        { "\xd9\xe8", 2 },               /* fld1 */
        { "\xdb\xe3", 2 },               /* fninit */
        { "\xc5\xec\x58\xd9", 4 },       /* vaddps ymm3, ymm2, ymm1 */
        { "\x0f\x58\xca", 3 },           /* addps xmm1, xmm2 */
        { "\x0f\xef\xd2", 3 },           /* pxor mm2, mm2 */
        { "\x0f\x77", 2 },               /* emms */
        { "\xd9\xfa", 2 },               /* fsqrt */
        { "\x0f\xae\x5f\x40", 4 },       /* stmxcsr [rdi + 64] */
        { "\xc5\xf8\x77", 3 },           /* vzeroupper */
        { "\xc5\xfc\x77", 3 },           /* vzeroall */
    };
    for (unsigned n = rng_below(r, 4); n; n--) {
        unsigned i = rng_below(r, G_N_ELEMENTS(some) - (xsave ? 2 : 0));
        insn(c, some[i].code, some[i].n);
    }
}

static void make(DiffCase *c, uint64_t seed)
{
    enum { FX, XSAVE, XSAVEOPT, XSAVEC, KINDS };
    Rng r = { seed * 0x9e3779b97f4a7c15ull | 1 };
    unsigned kind = rng_below(&r, KINDS), mode = kind == FX && rng_percent(&r, 40) ? 32 : 64;
    bool w = mode == 64 && rng_percent(&r, 50), align = rng_percent(&r, 90);
    diff_generate(c, seed, mode, 1, "nop");
    c->len = c->ninsns = 0;
    memset(c->code, 0, sizeof c->code);
    c->undefined = 0;
    c->vectors = c->x87 = true;
    uint64_t off = 1024 + 64 * rng_below(&r, (DIFF_RW - 1024 - AREA) / 64);
    c->regs.gpr[3] = DIFF_DATA + off + (align ? 0 : 8 * rng_below(&r, 8));
    c->regs.gpr[7] = DIFF_DATA + 16 * rng_below(&r, 16);
    c->regs.gpr[0] = rng_percent(&r, 50) ? 7 : rng_below(&r, 8);
    c->regs.gpr[2] = 0;
    memset(c->regs.ymm[5], 0, 16);
    if (kind != FX)
        clear_header(c);
    change(&r, c, kind != FX);
    switch (kind) {
    case FX: state_insn(c, w, 0xae, 0); break;
    case XSAVE: state_insn(c, w, 0xae, 4); break;
    case XSAVEOPT: state_insn(c, w, 0xae, 6); break;
    default: state_insn(c, w, 0xc7, 4); break;
    }
    change(&r, c, kind != FX);
    if (kind != FX && rng_percent(&r, 30)) {
        uint8_t mov[5] = { 0xb8, (uint8_t)rng_below(&r, 8) };            /* mov eax, mask */
        insn(c, mov, 5);
    }
    if (rng_percent(&r, 80))
        state_insn(c, w, 0xae, kind == FX ? 1 : 5);
    c->at[c->ninsns] = (uint8_t)c->len;
    add(c, "\x0f\x0b\x0f\x0b", 4);
}

static bool check(DiffCase *c, const char *engine)
{
    uint64_t mask = c->regs.gpr[3] - DIFF_DATA + 30;     /* MXCSR_MASK bit 17 (MM) is AMD's, and not offered */
    c->native.mem[mask] = c->guest.mem[mask];
    return diff_check(c, engine);
}

int main(void)
{
    uint64_t seed = diff_env("DIFF_SEED", 1), count = diff_env("DIFF_COUNT", getenv("RHEA_LONG") ? 50000 : 3000);
    unsigned failed = 0, stop = (unsigned)diff_env("DIFF_FAILS", 20), a, b, cx, d;
    DiffCase *c = diff_cases(BATCH);
    if (!__get_cpuid_count(13, 1, &a, &b, &cx, &d) || (a & 3) != 3 || !__builtin_cpu_supports("avx"))
        return 77;
    DiffGuest *interp = diff_guest_new(true), *jit = diff_guest_new(false);
    for (uint64_t i = 0; i < count && failed < stop; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++)
            make(&c[k], seed + i + k);
        diff_native(c, BATCH);
        for (unsigned k = 0; k < BATCH && failed < stop; k++) {
            diff_guest_run(interp, &c[k]);
            failed += !check(&c[k], "interp");
            diff_guest_run(jit, &c[k]);
            failed += !check(&c[k], "jit");
        }
    }
    diff_guest_free(interp);
    diff_guest_free(jit);
    return failed != 0;
}
