/* The decoder against the host processor: single instructions of random bytes
 * in user mode.  What exists, what is #UD, prefixes in odd orders, LOCK, all
 * lengths.  Left out: instructions that leave the code page, ask the kernel
 * for something, depend on the machine, or that Rhea does not offer.
 *
 *   DIFF_COUNT DIFF_SEED DIFF_FAILS   as in test_diff.c */
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/state.h"
#include "tests/diff/diff.h"

enum { BATCH = 64 };

/* Mnemonics (prefixes of them) that must not run, or whose result is the machine's own. */
static const char *const banned[] = {
    "syscall", "sysenter", "sysexit", "sysret", "int", "iret", "call", "lcall", "jmp", "ljmp", "ret", "lds", "les", "lfs", "lgs",
    "lss", "wrfsbase", "wrgsbase", "rdfsbase", "rdgsbase", "rdtsc", "rdpmc", "cpuid", "rdrand", "rdseed", "rdpid", "rdpru",
    "sidt", "sgdt", "sldt", "str", "smsw", "lar", "lsl", "verr", "verw", "xbegin", "xend", "xabort", "xtest", "xsave",
    "xrstor", "fxsave", "fxrstor", "fsave", "fnsave", "frstor", "fstenv", "fnstenv", "fldenv", "wrpkru", "rdpkru", "vmcall",
    "vmmcall", "vmfunc", "vmrun", "clzero", "monitor", "mwait", "popf", "getsec", "skinit", "encl", "vzero", "loop", "j", "f",
    "emms", "xgetbv", "incssp", "rdssp", "saveprev", "rstorssp", "wruss", "wrss", "setssb", "clrssb", "invlpgb", "tlbsync",
    "umonitor", "umwait", "tpause", "serialize", "mov.seg", "bnd", "ud",
    /* not offered */
    "sha", "gf2p8", "extrq", "insertq", "movnts", "clwb", "prefetch", "vaes", "vpclmul", "movdir", "enqcmd", "pconfig", NULL
};

static bool is_prefix(const DiffCase *c, uint8_t b)
{
    if (c->mode == 64 && (b & 0xf0) == 0x40)
        return true;
    return memchr("\x66\x67\xf2\xf3\xf0\x2e\x36\x3e\x26", b, 9);
}

/* What capstone may not know, with whatever prefixes: INT1, INT3, INT n, INTO (traps that Rhea delivers by itself), FS and
 * GS, segment loads, branches; GFNI, VAES, VPCLMULQDQ, mask registers are not offered; too many prefixes are #GP or #UD,
 * whichever is seen first. */
static bool is_special(const DiffCase *c)
{
    const uint8_t *p = c->code;
    unsigned i = 0;
    while (is_prefix(c, p[i]))
        i++;
    if (memchr("\xf1\xcc\xcd\xce\x64\x65\x07\x17\x1f\x8e\xe0\xe1\xe2\xe3\xe8\xe9\xea\xeb\x9a\xff\xc2\xc3\xca\xcb\xcf",
               p[i], 25) || i > 4 || (p[i] & 0xf0) == 0x70)
        return true;
    if (c->mode == 32 && (p[i] & 0xe0) == 0x40)
        return true;                     /* the next byte is an opcode */
    if (p[i] == 0x0f && (p[i + 1] == 0x01 || (p[i + 1] & 0xf8) == 0x20 || (p[i + 1] & 0xfe) == 0x78))
        return true;                     /* system; SSE4A */
    if (p[i] == 0x0f && (p[i + 1] == 0x38 || p[i + 1] == 0x3a))
        return p[i + 2] == 0xce || p[i + 2] == 0xcf;
    if (p[i] == 0x0f)
        return (p[i + 1] & 0xf0) == 0x80 || (p[i + 1] & 0xf8) == 0xc8;
    bool mask = (p[i] == 0xc4 && (p[i + 1] & 31) == 1) || p[i] == 0xc5;
    unsigned op = p[i] == 0xc5 ? p[i + 2] : p[i + 3];
    if (mask && ((op & 0xf0) == 0x40 || (op & 0xf0) == 0x90))
        return true;
    return p[i] == 0xc4 && (op == 0xce || op == 0xcf || op == 0x44 || (op >= 0xdc && op <= 0xdf) || (op & 0xf8) == 0x30);
}

static bool is_banned(csh cs, const DiffCase *c)
{
    cs_insn *in;
    bool bad = false;
    if (is_special(c))
        return true;
    if (!cs_disasm(cs, c->code, 15, DIFF_CODE, 1, &in))
        return false;
    for (unsigned i = 0; banned[i]; i++)
        bad |= g_str_has_prefix(in->mnemonic, banned[i]);
    /* segment registers */
    static const char *const seg[] = { "ds", "es", "ss", "fs", "gs", "cs" };
    if (g_str_has_prefix(in->mnemonic, "mov") || g_str_has_prefix(in->mnemonic, "pop") || g_str_has_prefix(in->mnemonic, "push"))
        for (unsigned i = 0; i < G_N_ELEMENTS(seg); i++) {
            const char *p = strstr(in->op_str, seg[i]);
            bad |= p && p[2] != ':';
        }
    cs_free(in, 1);
    return bad;
}

static void make(csh cs, DiffCase *c, uint64_t seed, unsigned mode)
{
    do
        diff_generate_raw(c, seed, mode);
    while (is_banned(cs, c) && (seed += 1ull << 40));
}

/* Is the instruction #UD on both sides or on none, and as long?  Registers and memory are for test_diff; what comes behind
 * it, if its last byte became an opcode, may do anything. */
static bool same(const DiffCase *c)
{
    const DiffResult *n = &c->native, *g = &c->guest;
    bool bad_n = n->vector == EX_UD && n->regs.rip == DIFF_CODE, bad_g = g->vector == EX_UD && g->regs.rip == DIFF_CODE;
    if (bad_n || bad_g || n->vector != EX_UD || g->vector != EX_UD)
        return bad_n == bad_g;
    return n->regs.rip == g->regs.rip;
}

int main(void)
{
    uint64_t seed = diff_env("DIFF_SEED", 1), count = diff_env("DIFF_COUNT", getenv("RHEA_LONG") ? 200000 : 5000);
    unsigned failed = 0, stop = (unsigned)diff_env("DIFF_FAILS", 20);
    DiffCase *c = diff_cases(BATCH);
    DiffGuest *g = diff_guest_new(true);
    csh cs[2];
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs[0]) || cs_open(CS_ARCH_X86, CS_MODE_32, &cs[1]))
        return 77;
    for (uint64_t i = 0; i < count && failed < stop; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++)
            make(cs[k & 1], &c[k], seed + i + k, k & 1 ? 32 : 64);
        diff_native(c, BATCH);
        for (unsigned k = 0; k < BATCH; k++) {
            diff_guest_run(g, &c[k]);
            if (!c[k].native.done || same(&c[k]))
                continue;
            GString *s = g_string_new(NULL);
            diff_print(&c[k], s);
            g_printerr("%shost: exception %u at +%x, here %u at +%x\n", s->str, c[k].native.vector,
                       (unsigned)(c[k].native.regs.rip - DIFF_CODE), c[k].guest.vector,
                       (unsigned)(c[k].guest.regs.rip - DIFF_CODE));
            g_string_free(s, TRUE);
            failed++;
        }
    }
    diff_guest_free(g);
    cs_close(&cs[0]);
    cs_close(&cs[1]);
    return failed != 0;
}
