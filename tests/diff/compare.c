/* Compares the two sides of a case, and prints a case.  See diff.h. */
#include "tests/diff/diff.h"

#include <capstone/capstone.h>
#include <stdlib.h>

#include "cpu/x86/state.h"

static void append_diff(GString *s, const char *name, unsigned i, uint64_t in, uint64_t native, uint64_t guest)
{
    g_string_append_printf(s, "  %s%u: was %016" G_GINT64_MODIFIER "x  host %016" G_GINT64_MODIFIER "x  here %016"
                           G_GINT64_MODIFIER "x\n", name, i, in, native, guest);
}

static void compare_regs(const DiffCase *c, GString *s)
{
    const DiffRegs *n = &c->native.regs, *g = &c->guest.regs;
    unsigned nregs = c->mode == 64 ? 16 : 8;
    uint64_t mask = (FL_CC | FL_DF) & ~c->undefined;
    for (unsigned i = 0; i < nregs; i++)
        if (n->gpr[i] != g->gpr[i])
            append_diff(s, "gpr", i, c->regs.gpr[i], n->gpr[i], g->gpr[i]);
    if ((n->flags ^ g->flags) & mask)
        append_diff(s, "flags", 0, c->regs.flags & mask, n->flags & mask, g->flags & mask);
    if (n->rip != g->rip)
        append_diff(s, "rip", 0, DIFF_CODE, n->rip, g->rip);
    for (unsigned i = 0; i < nregs; i++)
        for (unsigned k = 0; k < 4; k++)
            if (c->vectors && !(c->gather && c->native.vector != EX_UD) && n->ymm[i][k] != g->ymm[i][k])
                append_diff(s, "ymm", i * 10 + k, c->regs.ymm[i][k], n->ymm[i][k], g->ymm[i][k]);
    /* which flags come with an unmasked exception is not modelled to the last bit (help_sse.c) */
    if (c->vectors && (n->mxcsr ^ g->mxcsr) & (c->native.vector == EX_XM ? ~0x3fu : ~0u))
        append_diff(s, "mxcsr", 0, c->regs.mxcsr, n->mxcsr, g->mxcsr);
}

/* The address sanitizer has memory of its own in the child, from just below 2 GiB on: what faults here may not there. */
static bool in_sanitizer(uint64_t addr)
{
#ifdef __SANITIZE_ADDRESS__
    return addr >= 0x7fff8000 - 64 && addr < 0x10007fff8000;
#else
    (void)addr;
    return false;
#endif
}

/* Known and accepted: an access across 4 GiB in a flat segment (#GP on AMD, wraps on others), and #SS for
 * non-canonical stack addresses, which are #GP here. */
static bool accepted(const DiffCase *c)
{
    const DiffResult *n = &c->native, *g = &c->guest;
    if (g->vector == EX_PF && in_sanitizer(g->cr2))
        return true;
    if (c->mode == 32)
        return (n->vector == EX_GP || n->vector == EX_SS) && g->vector == EX_PF && (uint32_t)g->cr2 > 0xffffff00;
    return n->vector == EX_SS && g->vector == EX_GP;
}

char *diff_compare(const DiffCase *c)
{
    GString *s = g_string_new(NULL);
    const DiffResult *n = &c->native, *g = &c->guest;
    if (accepted(c))
        return g_string_free(s, TRUE);
    if (!n->done)
        g_string_append(s, "  the child died\n");
    /* the host's kernel tells its own addresses as present */
    uint32_t kernel = n->vector == 14 && (int64_t)n->cr2 < 0;
    if (n->vector != g->vector || n->error != (g->error | kernel) || n->cr2 != g->cr2)
        g_string_append_printf(s, "  exception: host %u(%x) cr2=%" G_GINT64_MODIFIER "x, here %u(%x) cr2=%"
                               G_GINT64_MODIFIER "x\n", n->vector, n->error, n->cr2, g->vector, g->error, g->cr2);
    compare_regs(c, s);
    if (c->x87)
        diff_fp_compare(c, s);
    unsigned bad = 0;
    for (unsigned i = 0; i < DIFF_RW; i++)
        if (n->mem[i] != g->mem[i] && bad++ < 4)
            g_string_append_printf(s, "  memory %x: host %02x, here %02x\n", DIFF_DATA + i, n->mem[i], g->mem[i]);
    if (!s->len) {
        g_string_free(s, TRUE);
        return NULL;
    }
    return g_string_free(s, FALSE);
}

void diff_print(const DiffCase *c, GString *out)
{
    csh cs;
    g_string_append_printf(out, "seed %" G_GUINT64_FORMAT ", %u bits:\n", c->seed, c->mode);
    if (cs_open(CS_ARCH_X86, c->mode == 64 ? CS_MODE_64 : CS_MODE_32, &cs) != CS_ERR_OK)
        return;
    for (unsigned i = 0; i < c->ninsns; i++) {
        cs_insn *in;
        unsigned at = c->at[i], len = (unsigned)(c->at[i + 1] - at);
        g_string_append_printf(out, "  %x ", DIFF_CODE + at);
        for (unsigned k = 0; k < len; k++)
            g_string_append_printf(out, "%02x", c->code[at + k]);
        if (cs_disasm(cs, c->code + at, len, DIFF_CODE + at, 1, &in)) {
            g_string_append_printf(out, "  %s %s", in->mnemonic, in->op_str);
            cs_free(in, 1);
        }
        g_string_append_c(out, '\n');
    }
    cs_close(&cs);
    g_string_append(out, " ");
    for (unsigned i = 0; i < 16; i++)
        g_string_append_printf(out, " %" G_GINT64_MODIFIER "x", c->regs.gpr[i]);
    g_string_append_c(out, '\n');
}

bool diff_check(const DiffCase *c, const char *engine)
{
    char *why = diff_compare(c);
    if (!why)
        return true;
    GString *s = g_string_new(NULL);
    diff_print(c, s);
    g_printerr("%s: %s%s", engine, s->str, why);
    g_string_free(s, TRUE);
    g_free(why);
    return false;
}

uint64_t diff_env(const char *name, uint64_t def)
{
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 0) : def;
}
