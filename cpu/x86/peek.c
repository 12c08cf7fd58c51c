/* Looking ahead at the target of a branch: are the arithmetic flags dead there?
 *
 * They are if the next instructions, before any that could raise, touch memory
 * or leave the unit, set all of them without reading one.  Then the branch
 * need not store them.  Only a few common register instructions are known. */
#include "cpu/x86/decode.h"

#include "util/bits.h"

enum { MAX_INSNS = 4 };

typedef enum Effect { STOPS, KEEPS, SETS } Effect;

static const struct { X86Gen *gen; Effect effect; } effects[] = {
    { gen_add, SETS }, { gen_and, SETS }, { gen_cmp, SETS }, { gen_imul2, SETS }, { gen_imul3, SETS },
    { gen_neg, SETS }, { gen_or, SETS }, { gen_sub, SETS }, { gen_test, SETS }, { gen_xor, SETS },
    { gen_bswap, KEEPS }, { gen_cbw, KEEPS }, { gen_cwd, KEEPS }, { gen_lea, KEEPS }, { gen_mov, KEEPS },
    { gen_movsx, KEEPS }, { gen_movsxd, KEEPS }, { gen_movzx, KEEPS }, { gen_nop, KEEPS }, { gen_not, KEEPS },
};

static bool touches_memory(const X86Insn *in)
{
    if (in->row->gen == gen_lea || in->row->gen == gen_nop)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (in->op[i].loc == LOC_MEM)
            return true;
    return false;
}

static Effect effect_of(const X86Insn *in)
{
    for (unsigned i = 0; i < ARRAY_LEN(effects); i++)
        if (effects[i].gen == in->row->gen)
            return touches_memory(in) ? STOPS : effects[i].effect;
    return STOPS;
}

bool x86_flags_dead(Xlat *x, uint64_t linear)
{
    uint64_t pc = x->pc;
    Effect e = KEEPS;
    if (x86_step(x) || (x->key.flags & HF_CS_LIMIT))
        return false;
    for (unsigned i = 0; i < MAX_INSNS && e == KEEPS; i++) {
        X86Insn in;
        if (!xlat_look(x, linear, 15))
            break;
        x->pc = linear;
        e = x86_decode(x, &in) ? STOPS : effect_of(&in);
        linear = in.next;
    }
    x->pc = pc;
    return e == SETS;
}
