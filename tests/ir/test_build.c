/* The builders: what they fold to, what ir_dead leaves, forwarding of
 * registers, running out of room; and what translating costs.
 *
 *   test_build [--speed]
 */
#include <stdio.h>
#include <string.h>

#include "tcg/build.h"
#include "tcg/fold.h"
#include "toy.h"
#include "util/bits.h"

static unsigned n_passed, n_failed;

static void check(bool ok, const char *what)
{
    n_passed += ok;
    n_failed += !ok;
    if (!ok) {
        printf("failed: %s\n", what);
    }
}

/* ---- folding and dead code, as text ---- */

static const struct { const char *in, *out; } rows[] = {
    /* identities */
    { "a = get r0\n b = add.64 a, 0\n put r1, b", "a = get r0\n put r1, a" },
    { "a = get r0\n b = add.32 a, 0\n put r1, b", "a = get r0\n b = mov.32 a\n put r1, b" },
    { "a = get r0\n b = mov.32 a\n c = add.32 b, 0\n put r1, c", "a = get r0\n b = mov.32 a\n put r1, b" },
    { "a = get r0\n b = add.32 3, a\n put r1, b", "a = get r0\n b = add.32 a, 3\n put r1, b" },
    { "a = get r0\n b = sub.64 a, 8\n put r1, b", "a = get r0\n b = add.64 a, -8\n put r1, b" },
    { "a = get r0\n b = xor.64 a, a\n put r1, b", "put r1, 0" },
    { "a = get r0\n b = mul.32 a, 8\n put r1, b", "a = get r0\n b = shl.32 a, 3\n put r1, b" },
    { "a = get r0\n b = not.64 a\n c = not.64 b\n put r1, c", "a = get r0\n put r1, a" },
    { "a = get r0\n b = lea.64 a, 4, 8 shift=1\n put r1, b", "a = get r0\n b = add.64 a, 16\n put r1, b" },
    { "a = get r0\n b = lea.64 2, a, 0 shift=0\n put r1, b", "a = get r0\n b = add.64 a, 2\n put r1, b" },
    { "a = get r0\n b = get r2\n c = lea.64 a, b, 0 shift=2\n put r1, c",
      "a = get r0\n b = get r2\n c = lea.64 a, b shift=2\n put r1, c" },
    /* known widths */
    { "a = get r0\n b = ld.32 [a] size=1\n c = zext.64 b bits=8\n put r1, c",
      "a = get r0\n b = ld.32 [a] size=1\n put r1, b" },
    { "a = get r0\n b = add.32 a, 1\n c = zext.64 b bits=32\n put r1, c", "a = get r0\n b = add.32 a, 1\n put r1, b" },
    { "a = get r0\n b = zext.32 a bits=8\n c = and.64 b, 0xffff\n put r1, c",
      "a = get r0\n b = zext.32 a bits=8\n put r1, b" },
    { "a = get r0\n b = zext.32 a bits=8\n c = shr.64 b, 8\n put r1, c", "put r1, 0" },
    { "a = get r0\n b = zext.32 a bits=8\n c = sext.64 b bits=16\n put r1, c",
      "a = get r0\n b = zext.32 a bits=8\n put r1, b" },
    { "a = get r0\n b = and.64 a, 0xff\n put r1, b", "a = get r0\n b = zext.64 a bits=8\n put r1, b" },
    /* looking through */
    { "a = get r0\n b = get r2\n c = deposit.64 a, b pos=0 len=8\n d = zext.32 c bits=8\n put r1, d",
      "b = get r2\n d = zext.32 b bits=8\n put r1, d" },
    { "a = get r0\n b = zext.64 a bits=16\n c = get r2\n d = deposit.64 c, b pos=0 len=16\n put r1, d",
      "a = get r0\n c = get r2\n d = deposit.64 c, a pos=0 len=16\n put r1, d" },
    { "a = get r0\n b = shr.64 a, 8\n c = zext.64 b bits=8\n put r1, c",
      "a = get r0\n b = shr.64 a, 8\n c = zext.64 b bits=8\n put r1, c" },
    { "a = get r0\n b = shr.64 a, 8\n c = extract.64 b pos=0 len=8\n put r1, c",
      "a = get r0\n c = extract.64 a pos=8 len=8\n put r1, c" },
    { "a = get r0\n b = zext.64 a bits=32\n c = get r2\n d = add.32 b, c\n put r1, d",
      "a = get r0\n c = get r2\n d = add.32 a, c\n put r1, d" },
    { "a = get r0\n b = zext.64 a bits=8\n c = get r2\n st.32 [c], b size=1", "a = get r0\n c = get r2\n st.32 [c], a size=1" },
    { "a = get r0\n b = zext.64 a bits=16\n c = deposit.64 a, b pos=0 len=8\n put r1, c", "a = get r0\n put r1, a" },
    { "a = get r0\n y = get r1\n d = deposit.64 a, y pos=0 len=16\n z = deposit.64 y, a pos=0 len=16\n"
      "e = deposit.64 d, z pos=0 len=16\n put r2, e", "a = get r0\n put r2, a" },
    /* but not through what a register holds */
    { "a = get r0\n b = mov.32 a\n put r1, b\n c = get r2\n d = add.32 c, b\n put r2, d",
      "a = get r0\n b = mov.32 a\n put r1, b\n c = get r2\n d = add.32 c, b\n put r2, d" },
    /* conditions */
    { "a = get r0\n b = setc.32 ltu a, 5\n br.32 ne b, 0 -> direct 0x3000",
      "a = get r0\n br.32 ltu a, 5 -> direct 0x3000" },
    { "a = get r0\n b = setc.8 lt a, 5\n c = sel.64 eq b, 0, 7, a\n put r1, c",
      "a = get r0\n c = sel.8 ge a, 5, 7, a\n put r1, c" },
    { "a = get r0\n br.64 gtu 5, a -> direct 0x3000", "a = get r0\n br.64 ltu a, 5 -> direct 0x3000" },
    { "a = get r0\n b = zext.64 a bits=8\n br.64 lt b, 0 -> direct 0x3000", "" },
    { "a = get r0\n b = zext.64 a bits=8\n br.8 eq b, 3 -> direct 0x3000",
      "a = get r0\n br.8 eq a, 3 -> direct 0x3000" },
    { "a = get r0\n b = and.64 a, 4\n br.64 eq b, 0 -> direct 0x3000", "a = get r0\n br.64 tstz a, 4 -> direct 0x3000" },
    { "a = get r0\n b = get r2\n c = sel.64 eq a, b, 1, 0\n put r1, c",
      "a = get r0\n b = get r2\n c = setc.64 eq a, b\n put r1, c" },
    { "br.64 ltu 5, 4 -> direct 0x3000", "" },
    /* registers */
    { "a = get r0\n b = get r0\n c = add.64 a, b\n put r0, c\n d = get r0\n put r1, d",
      "a = get r0\n c = add.64 a, a\n put r0, c\n put r1, c" },
    { "a = get r0\n put r0, a", "" },
    { "put r0, 1\n put r0, 2", "put r0, 2" },
    { "a = get r2\n put r0, 1\n b = ld.32 [a] size=4\n put r0, b",
      "a = get r2\n put r0, 1\n b = ld.32 [a] size=4\n put r0, b" },
    { "put r0, 1\n call note(1, 2, 3, 4)\n put r0, 2", "call note(1, 2, 3, 4)\n put r0, 2" },
    { "put r0, 1\n a = call sum(1)\n put r0, a", "put r0, 1\n a = call sum(1)\n put r0, a" },
    { "a = get r1\n b = call wr(1)\n c = get r1\n d = add.64 a, c\n put r0, d",
      "a = get r1\n b = call wr(1)\n c = get r1\n d = add.64 a, c\n put r0, d" },
    { "a = call mix3(1, 2, 3)\n b = call pure0()\n put r0, b", "b = call pure0()\n put r0, b" },
    { "a = get r2\n put f0, a\n br.64 eq a, 0 -> direct 0x3000 dead=f0\n put f0, 2",
      "a = get r2\n br.64 eq a, 0 -> direct 0x3000 dead=f0\n put f0, 2" },
    { "a = get r2\n put f0, a\n br.64 eq a, 0 -> direct 0x3000\n put f0, 2",
      "a = get r2\n put f0, a\n br.64 eq a, 0 -> direct 0x3000\n put f0, 2" },
    { "a = getv x0\n putv x1, a\n b = getv x1\n putv x2, b", "a = getv x0\n putv x1, a\n putv x2, a" },
};

/* body as a unit, printed: equal units give equal text. */
static char *unit_text(const char *body, bool fold)
{
    g_autofree char *text = g_strdup_printf("insn 0x1000\n%s\n exit direct 0x2000\n", body);
    GError *err = NULL;
    GString *out = g_string_new("");
    IrUnit *u = ir_parse(&toy_arch, text, &err);
    if (!u) {
        g_string_printf(out, "%s", err->message);
        g_error_free(err);
        return g_string_free(out, FALSE);
    }
    if (fold) {
        ToyState s = { 0 };
        IrUnit *n = toy_rebuild(u, &s, 0);
        ir_unit_free(u);
        ir_dead(n);
        g_autoptr(GString) why = g_string_new("");
        check(ir_verify(n, why), why->str);
        ir_print(n, out);
        ir_unit_free(n);
        u = ir_parse(&toy_arch, out->str, NULL);
        g_string_truncate(out, 0);
    }
    if (u) {
        ir_print(u, out);
    }
    ir_unit_free(u);
    return g_string_free(out, FALSE);
}

static void test_rows(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *got = unit_text(rows[i].in, true), *want = unit_text(rows[i].out, false);
        bool same = !strcmp(got, want);
        check(same, rows[i].in);
        if (!same) {
            printf("gives\n%snot\n%s", got, want);
        }
    }
}

/* ---- builders ---- */

static void test_build(void)
{
    IrUnit *u = ir_unit_new(&toy_arch);
    IrVal k = ir_const(u, 77);
    check(ir_const(u, 77) == k && ir_const(u, 78) != k, "a constant is found again");
    ir_insn(u, 0x1234);
    check(ir_is_const(u, ir_get(u, TOY_PC)) && ir_imm(u, ir_get(u, TOY_PC)) == 0x1234, "pc after insn");
    ir_insn(u, 0x1237);
    check(ir_imm(u, ir_get(u, TOY_PC)) == 0x1237 && u->insns[0].len == 3, "pc and length");
    ir_call(u, TOYH_wr, k, 0, 0, 0);
    check(!ir_is_const(u, ir_get(u, TOY_PC)), "pc after a helper that writes");
    IrVal v = ir_get(u, TOY_V0);
    check(u->vals[v].type == IR_VEC && ir_get(u, TOY_V0) == v, "vector register");
    ir_call(u, TOYH_rw, k, k, 0, 0);
    check(ir_get(u, TOY_V0) == v, "kept by a helper of integers");
    ir_call(u, TOYH_vrw, k, 0, 0, 0);
    check(ir_get(u, TOY_V0) != v, "forgotten at a helper of vectors");
    check(ir_call(u, TOYH_rw, k, k, 0, 0) == IR_NONE, "no result");
    unsigned x = ir_exit_new(u, (IrExit){ .kind = IRX_DIRECT, .pc = 0x2000 });
    check(u->exits[x].insn == 1, "the exit knows its instruction");
    unsigned before = u->nops;
    ir_br(u, 64, IRC_EQ, k, ir_const(u, 1), x);
    check(u->nops == before && !u->ended, "never taken");
    ir_br(u, 64, IRC_EQ, k, k, x);
    check(u->nops == before + 1 && u->ended && u->ops[before].op == IR_exit, "always taken");
    IrVal after = ir_add(u, 64, ir_get(u, 0), k);
    ir_st(u, 64, 3, after, k);
    check(u->nops == before + 1 && after, "ignored after the end");
    g_autoptr(GString) why = g_string_new("");
    check(ir_verify(u, why), why->str);
    ir_unit_free(u);
    ir_unit_free(NULL);
}

static void test_overflow(void)
{
    IrUnit *u = ir_unit_new(&toy_arch);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            IrVal v = ir_add(u, 64, ir_get(u, i % 16), ir_const(u, i * 3 + 1));
            ir_put(u, i % 16, v);
            ir_br(u, 64, IRC_EQ, v, ir_const(u, 5), ir_exit_new(u, (IrExit){ .kind = IRX_DIRECT }));
            ir_insn(u, i);
        }
        check(u->overflow && u->nops <= IR_MAX_OPS && u->nvals <= IR_MAX_VALS, "overflow is noticed");
        check(!ir_verify(u, NULL), "and the unit is of no use");
        ir_unit_reset(u);
        check(!u->overflow && !u->nops, "reset");
    }
    for (unsigned i = 0; i < 5000; i++) {
        ir_const(u, i);
    }
    check(u->overflow, "constants overflow");
    check(ir_imm(u, ir_const(u, 99)) == 99, "and still tell their value");
    ir_unit_free(u);
}

static void test_errors(void)
{
    static const char *const bad[] = {
        "a = add.64 b, 1", "a = add 1, 2", "a = add.16 1, 2", "a = frob.64 1", "a = get r77", "put r1", "a = get r1 r2",
        "a = get r1\n a = get r2", "a = ld.32 [1] size=3", "call nohelper()", "br.64 eq 1, 2 -> nowhere", "a = put r1, 1",
        "a, b = add.64 1, 2", "a = zext.64 1 bits=99", "ste.32 env+0x99999, 1", "exit direct", "exit direct 1 2",
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        g_autofree char *text = g_strdup_printf("%s\nexit direct 0\n", bad[i]);
        GError *err = NULL;
        IrUnit *u = ir_parse(&toy_arch, text, &err);
        check(!u && err, bad[i]);
        g_clear_error(&err);
        ir_unit_free(u);
    }
    static const char *const wrong[] = {
        "call check()", "call check(1, 2)", "putv x0, 1", "a = getv r0", "a = getv x0\n put r0, a", "a = zext.32 1 bits=64",
        "a = extract.32 1 pos=30 len=8", "a = vfromi 1 bits=16", "a = vextract 1 lane=0 bits=8", "a = bswap.64 1 bits=32",
    };
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        g_autofree char *text = g_strdup_printf("%s\nexit direct 0\n", wrong[i]);
        IrUnit *u = ir_parse(&toy_arch, text, NULL);
        check(u && !ir_verify(u, NULL), wrong[i]);
        ir_unit_free(u);
    }
}

/* ---- cost ---- */

/* Like a typical x86 block: loads, arithmetic with lazy flags, a compare and a branch. */
static void typical(IrUnit *u)
{
    ir_unit_reset(u);
    for (unsigned i = 0; i < 10; i++) {
        ir_insn(u, 0x1000 + 4 * i);
        IrVal addr = ir_lea(u, 64, ir_get(u, i), ir_get(u, i + 1), 3, 16 + i);
        IrVal v = ir_ld(u, 32, 2, addr);
        IrVal sum = ir_add(u, 32, ir_get(u, i + 2), v);
        ir_put(u, i + 2, sum);
        ir_put(u, TOY_F0, ir_const(u, 100 + (i & 3)));
        ir_put(u, TOY_F0 + 1, sum);
        ir_put(u, TOY_F0 + 2, v);
    }
    unsigned x = ir_exit_new(u, (IrExit){ .kind = IRX_DIRECT, .pc = 0x2000 });
    ir_br(u, 32, IRC_EQ, ir_get(u, TOY_F0 + 1), ir_const(u, 0), x);
    ir_exit(u, x);
}

static void speed(void)
{
    enum { ROUNDS = 100000 };
    IrUnit *u = ir_unit_new(&toy_arch);
    int64_t t0 = g_get_monotonic_time();
    for (unsigned i = 0; i < ROUNDS; i++) {
        typical(u);
    }
    int64_t t1 = g_get_monotonic_time();
    for (unsigned i = 0; i < ROUNDS; i++) {
        typical(u);
        ir_dead(u);
    }
    int64_t t2 = g_get_monotonic_time();
    printf("building: %.1f ns an instruction, ir_dead: %.1f ns\n", (double)(t1 - t0) * 1e3 / ROUNDS / 10,
           (double)(t2 - t1 - (t1 - t0)) * 1e3 / ROUNDS / 10);
    ir_unit_free(u);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--speed")) {
        speed();
        return 0;
    }
    test_rows();
    test_build();
    test_overflow();
    test_errors();
    printf("%u passed, %u failed\n", n_passed, n_failed);
    return n_failed != 0;
}
