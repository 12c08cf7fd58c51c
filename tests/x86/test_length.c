/* Instruction lengths over random bytes agree with capstone in 16-, 32- and
 * 64-bit mode.  Where only one of the two takes the bytes for an instruction
 * nothing is compared: capstone knows extensions that Rhea has not, and
 * accepts some forms that processors refuse. */
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/decode.h"

enum { PC = 0x100000 };

static X86Cpu cpu;
static uint8_t page[4096];

static unsigned length(unsigned mode, X86Insn *in)
{
    static uint64_t arch[XLAT_ARCH_SIZE / 8];
    Xlat x = { .cpu = &cpu.vcpu, .pc = PC, .page_host = { page }, .page_gva = { PC }, .arch = arch };
    x.key.pc = PC;
    x.key.flags = HF_PE | HF_OSFXSR | HF_OSXSAVE | HF_AVX;
    if (mode == 64)
        x.key.flags |= HF_LMA | HF_CS64 | HF_CS32 | HF_SS32;
    else if (mode == 32)
        x.key.flags |= HF_CS32 | HF_SS32;
    return x86_decode(&x, in) ? 0 : in->len;
}

/* Known differences: capstone's fault. */
static bool excused(unsigned mode, const X86Insn *in)
{
    /* near branches, RET and PUSH with several of 66, 67, F2, F3, REX.W: capstone takes another immediate size (and
       for 66 alone in 64-bit mode the one AMD's processors take) */
    if (in->map == MAP_1B && strchr("\x68\xc2\xe8\xe9", in->opcode))
        return in->p66 || in->p67 || in->rex & 8;
    if (mode == 64 && in->p66 && in->map == MAP_0F && (in->opcode & 0xf0) == 0x80)
        return true;
    /* UD0, UD1: with modrm as on Intel's, which makes no difference */
    return !strcmp(in->row->name, "ud");
}

static void random_bytes(GRand *r, unsigned n)
{
    static const uint8_t likely[] = { 0x0f, 0x66, 0xf2, 0xf3, 0x67, 0x48, 0xc4, 0xc5, 0x4c, 0x0f };
    for (unsigned i = 0; i < n; i++)
        page[i] = (uint8_t)g_rand_int(r);
    unsigned at = 0;
    while (at < 3 && g_rand_int_range(r, 0, 2))
        page[at++] = likely[g_rand_int_range(r, 0, sizeof likely)];
}

int main(void)
{
    static const struct { unsigned bits; cs_mode cs; } modes[] = {
        { 16, CS_MODE_16 }, { 32, CS_MODE_32 }, { 64, CS_MODE_64 },
    };
    unsigned count = getenv("RHEA_LONG") ? 3000000 : 200000, bad = 0, both = 0;
    const char *seed = getenv("LENGTH_SEED");
    GRand *r = g_rand_new_with_seed(seed ? (guint32)atoi(seed) : 1);
    memset(cpu.feat, 0xff, sizeof cpu.feat);
    for (unsigned m = 0; m < G_N_ELEMENTS(modes); m++) {
        csh cs;
        if (cs_open(CS_ARCH_X86, modes[m].cs, &cs) != CS_ERR_OK)
            return 77;
        cs_insn *ci = cs_malloc(cs);
        for (unsigned i = 0; i < count; i++) {
            X86Insn in;
            random_bytes(r, 16);
            const uint8_t *code = page;
            size_t size = 15;
            uint64_t addr = PC;
            unsigned ours = length(modes[m].bits, &in);
            unsigned theirs = cs_disasm_iter(cs, &code, &size, &addr, ci) ? ci->size : 0;
            if (!ours || !theirs)
                continue;
            both++;
            if (ours == theirs || excused(modes[m].bits, &in) || bad++ > 40)
                continue;
            g_printerr("%u bits:", modes[m].bits);
            for (unsigned k = 0; k < 15; k++)
                g_printerr(" %02x", page[k]);
            g_printerr("\n  %u bytes as %s, capstone %u: %s %s\n", ours, in.row->name, theirs, ci->mnemonic, ci->op_str);
        }
        cs_free(ci, 1);
        cs_close(&cs);
    }
    g_rand_free(r);
    g_print("%u instructions compared, %u differ\n", both, bad);
    return bad != 0;
}
