/* Decoding x86 instructions: prefixes, opcode, modrm, operands, and the checks
 * that do not depend on the instruction's meaning.
 *
 * A row of the maps is found through an index by opcode; its match column is
 * tested against mandatory prefix, modrm and mode.  Prefixes are taken in any
 * order; of a group the last one counts.  A REX prefix counts only directly
 * before the opcode.  An instruction longer than 15 bytes is #GP(0).
 *
 * In 64-bit mode CS, DS, ES, SS overrides are ignored, and near branches
 * ignore the operand-size prefix (as Intel's processors do).
 *
 * Sources: Intel SDM volume 2 chapter 2 and appendix A; AMD APM volume 3
 * chapter 1. */
#include "cpu/x86/decode.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu/x86/rows.h"
#include "util/bits.h"
#include "util/ldst.h"

#define I(op, match, gen, a, b, c, flags, feat) \
    { op, feat, match, flags, { OP_##a, OP_##b, OP_##c, OP__ }, 0, gen_##gen, #gen },
#define V(op, match, gen, a, b, c, d, flags, feat, arg) \
    { op, feat, match, flags, { OP_##a, OP_##b, OP_##c, OP_##d }, arg, gen_##gen, #gen },
static const X86Row rows_1b[] = {
#include "cpu/x86/map_1b.def"
};
static const X86Row rows_0f[] = {
#include "cpu/x86/map_0f.def"
};
static const X86Row rows_0f38[] = {
#include "cpu/x86/map_0f38.def"
};
static const X86Row rows_0f3a[] = {
#include "cpu/x86/map_0f3a.def"
    { 0 },
};
static const X86Row rows_vex[] = {
#include "cpu/x86/map_vex.def"
};
#undef I
#undef V

static const struct { const X86Row *rows; unsigned n; } maps[X86_MAPS] = {
    [MAP_1B] = { rows_1b, ARRAY_LEN(rows_1b) },
    [MAP_0F] = { rows_0f, ARRAY_LEN(rows_0f) },
    [MAP_0F38] = { rows_0f38, ARRAY_LEN(rows_0f38) },
    [MAP_0F3A] = { rows_0f3a, ARRAY_LEN(rows_0f3a) - 1 },
    [MAP_VEX] = { rows_vex, ARRAY_LEN(rows_vex) },
};

typedef struct OpndInfo { char letter, size; } OpndInfo;
static const OpndInfo opnd_info[OP_KINDS] = {
#define OPND(name, letter, size) [OP_##name] = { letter, size },
#include "cpu/x86/opnd.def"
#undef OPND
};

const X86Row *x86_row(X86Map map, unsigned n)
{
    return n < maps[map].n ? &maps[map].rows[n] : NULL;
}

/* ---- index: the rows of an opcode, and whether a modrm byte follows it ---- */

enum { INDEX_SLOTS = 4 * 256 + 3 * 256 };                /* one byte, 0F, 0F38, 0F3A, VEX 1..3 */
typedef struct Slot { uint16_t first, n; bool modrm, regs_only; } Slot;   /* regs_only: mod is ignored (MOV CR, DR) */
/* A row's match column, ready to be tested: none of `bad` in the instruction's state (see row_state), and the bits of
 * modrm under the mask as given. */
typedef struct Test { uint16_t bad; uint8_t mask, modrm; uint16_t feat; } Test;
static Slot slots[INDEX_SLOTS];
static const X86Row *slot_rows[2048];
static Test slot_tests[2048];
static uint8_t slot_seen[2048];          /* the row was translated in this process */

static unsigned slot_of(unsigned map, unsigned op)
{
    return map == MAP_VEX ? 4 * 256 + ((op >> 8) - 1) * 256 + (op & 255) : map * 256 + (op & 255);
}

static bool row_has(const X86Row *r, const char *letters)
{
    for (unsigned i = 0; i < 4; i++)
        if (r->opnd[i] && strchr(letters, opnd_info[r->opnd[i]].letter))
            return true;
    return false;
}

static bool row_has_modrm(const X86Row *r)
{
    return (r->match & M_MODRM) || row_has(r, "EGMRsCDFVWUPQN");
}

static Test row_test(const X86Row *r)
{
    unsigned m = r->match, have = m & (MEM | REG | I64 | O64 | W0 | W1 | L0 | L1);
    Test t = { .bad = (uint16_t)have, .feat = r->feat };
    if (m & M_PREFIX)
        t.bad |= ~m & M_PREFIX;
    if (m & M_R) {
        t.mask |= 0x38;
        t.modrm |= (m >> M_R_SHIFT & 7) << 3;
    }
    if (m & M_RM) {
        t.mask |= 7;
        t.modrm |= m >> M_RM_SHIFT & 7;
    }
    return t;
}

static void index_build(void)
{
    unsigned n = 0;
    for (unsigned pass = 0; pass < INDEX_SLOTS; pass++) {
        unsigned map = pass < 4 * 256 ? pass / 256 : MAP_VEX;
        slots[pass].first = (uint16_t)n;
        for (unsigned i = 0; i < maps[map].n; i++) {
            const X86Row *r = &maps[map].rows[i];
            if (slot_of(map, r->op) != pass)
                continue;
            g_assert(n < ARRAY_LEN(slot_rows));
            slot_tests[n] = row_test(r);
            slot_rows[n++] = r;
            slots[pass].n++;
            slots[pass].modrm |= row_has_modrm(r);
            slots[pass].regs_only |= row_has(r, "CD");
        }
    }
}

/* For the report of rows that no test reaches (tests/x86/long_rows.py). */
static void append_seen(void)
{
    static const char *const map_names[X86_MAPS] = { "1b", "0f", "0f38", "0f3a", "vex" };
    FILE *f = fopen(getenv("RHEA_ROWS"), "a");
    if (!f)
        return;
    for (unsigned s = 0; s < INDEX_SLOTS; s++)
        for (unsigned i = slots[s].first; i < slots[s].first + slots[s].n; i++)
            fprintf(f, "%d %s %x %s #%u\n", slot_seen[i], map_names[s < 4 * 256 ? s / 256 : MAP_VEX], slot_rows[i]->op,
                    slot_rows[i]->name, i - slots[s].first);
    fclose(f);
}

static void index_once(void)
{
    static gsize done;
    if (g_once_init_enter(&done)) {
        index_build();
        if (getenv("RHEA_ROWS"))
            atexit(append_seen);
        g_once_init_leave(&done, 1);
    }
}

/* ---- fetching ---- */

typedef struct Fetch {
    Xlat *x;
    uint64_t pc, mask;                   /* mask: linear addresses are 32 bits outside 64-bit mode */
    unsigned pos;
    bool too_long;
    const uint8_t *ahead;                /* the instruction and what follows it, or NULL: fetched piece by piece */
} Fetch;
enum { INSN_MAX = 15, AHEAD = INSN_MAX + 8 };            /* so that 8 bytes can be read at any place */

static uint64_t fetch(Fetch *f, unsigned n)
{
    uint64_t v = 0;
    if (f->pos + n > INSN_MAX) {
        f->too_long = true;
        return 0;
    }
    if (f->ahead)
        v = n == 8 ? ld_le64(f->ahead + f->pos) : ld_le64(f->ahead + f->pos) & (BIT(n * 8) - 1);
    else
        v = xlat_fetch(f->x, (f->pc + f->pos) & f->mask, n);
    f->pos += n;
    return v;
}

static int64_t fetch_s(Fetch *f, unsigned n)
{
    return bits_sext(fetch(f, n), n * 8);
}

/* ---- prefixes and opcode ---- */

/* Segment overrides 26 2e 36 3e 64 65 */
static int prefix_seg(unsigned b)
{
    switch (b) {
    case 0x26: return SEG_ES;
    case 0x2e: return SEG_CS;
    case 0x36: return SEG_SS;
    case 0x3e: return SEG_DS;
    case 0x64: return SEG_FS;
    case 0x65: return SEG_GS;
    default: return -1;
    }
}

/* Takes prefixes; returns the first byte of the opcode. */
static unsigned decode_prefixes(Fetch *f, X86Insn *in)
{
    while (!f->too_long) {
        unsigned b = (unsigned)fetch(f, 1);
        int seg = prefix_seg(b);
        if (seg >= 0) {
            if (in->mode != 64 || seg >= SEG_FS)
                in->seg = (int8_t)seg;
        } else if (b == 0x66) {
            in->p66 = true;
        } else if (b == 0x67) {
            in->p67 = true;
        } else if (b == 0xf0) {
            in->lock = true;
        } else if (b == 0xf2 || b == 0xf3) {
            in->rep = (uint8_t)b;
        } else if (in->mode == 64 && (b & 0xf0) == 0x40) {
            in->rex = (uint8_t)b;
            continue;
        } else {
            return b;
        }
        in->rex = 0;
    }
    return 0;
}

/* C4/C5 are VEX in 64-bit mode, else if the next byte looks like a register form. Returns false if LES, LDS. */
static bool is_vex(Fetch *f, const X86Insn *in)
{
    if (in->mode == 64)
        return true;
    unsigned pos = f->pos;
    unsigned b = (unsigned)fetch(f, 1);
    f->pos = pos;
    return b >= 0xc0;
}

/* After C4 or C5.  Sets map and opcode; returns the VEX map number. */
static unsigned decode_vex(Fetch *f, X86Insn *in, unsigned b0)
{
    static const uint8_t rep[4] = { 0, 0, 0xf3, 0xf2 };
    unsigned b1 = (unsigned)fetch(f, 1), b2 = b1, map = 1;
    unsigned rex = (~b1 >> 5) & 4;
    in->vex = 2;
    if (b0 == 0xc4) {
        b2 = (unsigned)fetch(f, 1);
        map = b1 & 31;
        rex = ((~b1 >> 5) & 7) | ((b2 >> 4) & 8);
        in->vex = 3;
    }
    in->rex = (uint8_t)(in->mode == 64 ? rex : rex & 8);
    in->vex_v = (~b2 >> 3) & 15;
    in->vex_l = (b2 >> 2) & 1;
    in->p66 = (b2 & 3) == 1;
    in->rep = rep[b2 & 3];
    in->map = MAP_VEX;
    in->opcode = (uint8_t)fetch(f, 1);
    return map;
}

/* ---- modrm ---- */

static void decode_mem16(Fetch *f, X86Insn *in)
{
    static const int8_t base[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP, X86_RSI, X86_RDI, X86_RBP, X86_RBX };
    static const int8_t index[8] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI, -1, -1, -1, -1 };
    unsigned rm = in->modrm & 7;
    in->base = base[rm];
    in->index = index[rm];
    in->disp = 0;
    if (in->mod == 0 && rm == 6) {
        in->base = -1;
        in->disp = (int64_t)fetch(f, 2);
    } else if (in->mod) {
        in->disp = fetch_s(f, in->mod == 1 ? 1 : 2);
    }
}

static void decode_mem32(Fetch *f, X86Insn *in)
{
    unsigned rm = in->modrm & 7, base = rm;
    unsigned rex_b = (in->rex & 1) << 3, rex_x = (in->rex & 2) << 2;
    in->index = -1;
    if (rm == 4) {
        unsigned sib = (unsigned)fetch(f, 1), index = ((sib >> 3) & 7) | rex_x;
        base = sib & 7;
        in->sib = (uint8_t)sib;
        in->scale = sib >> 6;
        in->index = index == 4 ? -1 : (int8_t)index;
    }
    in->base = (int8_t)(base | rex_b);
    if (in->mod == 0 && base == 5) {
        in->base = -1;
        in->disp = fetch_s(f, 4);
        in->rip_rel = in->mode == 64 && rm == 5;
    } else if (in->mod) {
        in->disp = fetch_s(f, in->mod == 1 ? 1 : 4);
    }
}

static void decode_modrm(Fetch *f, X86Insn *in, bool regs_only)
{
    in->modrm = (uint8_t)fetch(f, 1);
    in->mod = regs_only ? 3 : in->modrm >> 6;
    in->reg = ((in->modrm >> 3) & 7) | (in->rex & 4) << 1;
    in->rm = (in->modrm & 7) | (in->rex & 1) << 3;
    if (in->mod == 3)
        return;
    if (in->asize == 2)
        decode_mem16(f, in);
    else
        decode_mem32(f, in);
    bool stack = in->base == X86_RSP || in->base == X86_RBP;
    in->mseg = in->seg >= 0 ? (uint8_t)in->seg : stack ? SEG_SS : SEG_DS;
}

/* ---- finding the row ---- */

/* What the instruction has of M_PREFIX, and what it has not of the other tokens. */
static unsigned row_state(const X86Insn *in)
{
    unsigned prefix = in->rep == 0xf3 ? PF3 : in->rep == 0xf2 ? PF2 : in->p66 ? P66 : NP;
    return prefix | (in->mode == 64 ? I64 : O64) | (in->rex & 8 ? W0 : W1) | (in->vex_l ? L0 : L1) |
           (in->mod == 3 ? MEM : REG);
}

static const X86Row *find_row(const Xlat *x, const X86Insn *in, const Slot *s)
{
    unsigned state = row_state(in);
    for (unsigned i = s->first, end = i + s->n; i < end; i++) {
        const Test *t = &slot_tests[i];
        if (!(t->bad & state) && !((t->modrm ^ in->modrm) & t->mask) && (!t->feat || x86_has(x, t->feat))) {
            slot_seen[i] = 1;
            return slot_rows[i];
        }
    }
    return NULL;
}

/* ---- operands ---- */

static unsigned opnd_size(const X86Insn *in, char size)
{
    bool mem = in->mod != 3;
    unsigned y = x86_rex_w(in) && in->mode == 64 ? 8 : 4, xs = in->vex_l ? 32 : 16;
    switch (size) {
    case 'v': return in->osize;
    case 'z': return in->osize == 8 ? 4 : in->osize;
    case 'y': return y;
    case 'r': return in->mode == 64 ? 8 : 4;
    case 'm': return mem ? 2 : in->osize;
    case 'p': return mem ? 1 : y;
    case 'q': return mem ? 2 : y;
    case 'x': return xs;
    case 'h': return xs / 2;
    case 'f': return xs / 4;
    case 'e': return xs / 8;
    default: return (unsigned)size;
    }
}

static void opnd_gpr(const X86Insn *in, X86Opnd *o, unsigned reg)
{
    o->loc = LOC_GPR;
    o->reg = (uint8_t)reg;
    if (o->size == 1 && !in->rex && !in->vex && reg >= 4 && reg < 8) {
        o->high = true;
        o->reg -= 4;
    }
}

static void opnd_imm(X86Insn *in, X86Opnd *o, uint64_t v, bool second)
{
    o->loc = LOC_IMM;
    o->imm = v;
    *(second ? &in->imm2 : &in->imm) = v;
}

/* rm as register of the kind `loc`, or memory */
static void opnd_rm(const X86Insn *in, X86Opnd *o, X86Loc loc)
{
    if (in->mod != 3)
        o->loc = LOC_MEM;
    else if (loc == LOC_GPR)
        opnd_gpr(in, o, in->rm);
    else
        o->loc = loc, o->reg = loc == LOC_MMX ? in->modrm & 7 : in->rm;
}

static void opnd_moffs(Fetch *f, X86Insn *in, X86Opnd *o)
{
    o->loc = LOC_MEM;
    in->base = in->index = -1;
    in->mod = 0;
    in->disp = (int64_t)fetch(f, in->asize);
    in->mseg = in->seg >= 0 ? (uint8_t)in->seg : SEG_DS;
}

/* VEX.vvvv as a register: bit 3 is ignored outside 64-bit mode */
static unsigned char vvvv(const X86Insn *in)
{
    return in->mode == 64 ? in->vex_v : in->vex_v & 7;
}

/* False: the form does not exist (#UD). nimm counts immediates. */
static bool decode_opnd(Fetch *f, X86Insn *in, X86Opnd *o, unsigned kind, unsigned *nimm)
{
    const OpndInfo *k = &opnd_info[kind];
    o->kind = (uint8_t)kind;
    o->size = (uint8_t)opnd_size(in, k->size);
    switch (k->letter) {
    case 'E': opnd_rm(in, o, LOC_GPR); break;
    case 'W': opnd_rm(in, o, LOC_VEC); break;
    case 'Q': opnd_rm(in, o, LOC_MMX); break;
    case 'F': o->loc = in->mod != 3 ? LOC_MEM : LOC_NONE; break;
    case 'M': o->loc = LOC_MEM; return in->mod != 3;
    case 'G': opnd_gpr(in, o, in->reg); break;
    case 'R': opnd_gpr(in, o, in->rm); break;
    case 'Z': opnd_gpr(in, o, (in->opcode & 7) | (in->rex & 1) << 3); break;
    case 'B': opnd_gpr(in, o, vvvv(in)); break;
    case 'a': o->loc = LOC_GPR, o->reg = X86_RAX; break;
    case 'c': o->loc = LOC_GPR, o->reg = X86_RCX; break;
    case 'd': o->loc = LOC_GPR, o->reg = X86_RDX; break;
    case '1': o->loc = LOC_IMM, o->imm = 1; break;
    case 'V': o->loc = LOC_VEC, o->reg = in->reg; break;
    case 'U': o->loc = LOC_VEC, o->reg = in->rm; return in->mod == 3;
    case 'H': o->loc = LOC_VEC, o->reg = vvvv(in); break;
    case 'L': opnd_imm(in, o, fetch(f, 1), (*nimm)++);
              o->loc = LOC_VEC, o->reg = (uint8_t)(o->imm >> 4) & (in->mode == 64 ? 15 : 7); break;
    case 'P': o->loc = LOC_MMX, o->reg = in->reg & 7; break;
    case 'N': o->loc = LOC_MMX, o->reg = in->rm & 7; return in->mod == 3;
    case 's': o->loc = LOC_SEG, o->reg = (in->modrm >> 3) & 7; return o->reg < 6;
    case 'C': o->loc = LOC_CR, o->reg = in->reg; return 0x11d >> in->reg & 1;        /* CR0 2 3 4 8 */
    case 'D': o->loc = LOC_DR, o->reg = in->reg; return in->reg < 8;
    case 'I': opnd_imm(in, o, fetch(f, o->size), (*nimm)++); break;
    case 'S': opnd_imm(in, o, (uint64_t)fetch_s(f, 1), (*nimm)++); break;
    case 'z': opnd_imm(in, o, (uint64_t)fetch_s(f, o->size == 8 ? 4 : o->size), (*nimm)++); break;
    case 'J': opnd_imm(in, o, (uint64_t)fetch_s(f, o->size), 0); break;
    case 'O': opnd_moffs(f, in, o); break;
    case 'A': opnd_imm(in, o, fetch(f, o->size), 0); in->imm2 = fetch(f, 2); break;
    default: break;                      /* X, Y: the gen function */
    }
    return true;
}

/* Branch targets and RIP-relative operands, once the length is known. */
static void decode_relative(X86Insn *in)
{
    uint64_t mask = in->mode == 64 ? ~(uint64_t)0 : in->osize == 2 ? 0xffff : 0xffffffff;
    if (in->rip_rel)
        in->disp += (int64_t)in->next_eip;
    if (opnd_info[in->op[0].kind].letter == 'J')
        in->imm = in->op[0].imm = (in->next_eip + in->op[0].imm) & mask;
}

static unsigned operand_size(const X86Insn *in, unsigned flags)
{
    if (in->mode == 64) {
        if (flags & F64)
            return 8;
        if (in->rex & 8)
            return 8;
        return in->p66 ? 2 : flags & D64 ? 8 : 4;
    }
    return (in->mode == 16) != in->p66 ? 2 : 4;
}

/* Bytes up to and with the opcode; false: #UD. */
static bool decode_opcode(Fetch *f, X86Insn *in, unsigned *slot)
{
    unsigned b = decode_prefixes(f, in);
    in->map = MAP_1B;
    in->opcode = (uint8_t)b;
    if ((b == 0xc4 || b == 0xc5) && is_vex(f, in)) {
        bool bad = in->lock || in->p66 || in->rep || in->rex;
        unsigned map = decode_vex(f, in, b);
        if (bad || map < 1 || map > 3)
            return false;
        *slot = slot_of(MAP_VEX, map << 8 | in->opcode);
        return true;
    }
    if (b == 0x0f) {
        in->map = MAP_0F;
        in->opcode = (uint8_t)fetch(f, 1);
        if (in->opcode == 0x38 || in->opcode == 0x3a) {
            in->map = in->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
            in->opcode = (uint8_t)fetch(f, 1);
        }
    }
    *slot = slot_of(in->map, in->opcode);
    return true;
}

/* After the length is known: what raises before the instruction does anything. */
static unsigned check_row(const Xlat *x, const X86Insn *in)
{
    uint64_t hf = x->key.flags;
    unsigned fl = in->row->flags;
    bool prot = (hf & HF_PE) && !(hf & HF_VM);
    if (!(fl & ~(unsigned)(LOCK | D64 | F64 | END | ENDLOOP)) && !in->lock && !in->vex)
        return 0;
    if (in->lock && !((fl & LOCK) && in->op[0].loc == LOC_MEM))
        return EX_UD;
    if (((fl & PROT) || in->vex) && !prot)
        return EX_UD;
    if ((fl & NOVVVV) && in->vex_v)
        return EX_UD;
    if ((fl & (MMX | SSE)) && (hf & HF_EM))
        return EX_UD;
    if ((fl & SSE) && !(hf & HF_OSFXSR))
        return EX_UD;
    if ((fl & AVX) && !(hf & HF_AVX))
        return EX_UD;
    if ((fl & FPU) && (hf & (HF_EM | HF_TS)))
        return EX_NM;
    if ((fl & (MMX | SSE | AVX)) && (hf & HF_TS))
        return EX_NM;
    if ((fl & CPL0) && (hf & HF_CPL))
        return EX_GP;
    return 0;
}

static unsigned decode_row(Fetch *f, X86Insn *in, unsigned slot)
{
    const Slot *s = &slots[slot];
    in->mod = 3;
    if (s->modrm)
        decode_modrm(f, in, s->regs_only);
    in->row = find_row(f->x, in, s);
    if (!in->row)
        return EX_UD;
    in->osize = (uint8_t)operand_size(in, in->row->flags);
    unsigned nimm = 0;
    bool good = true;
    for (unsigned i = 0; i < 4; i++)
        if (in->row->opnd[i])
            good &= decode_opnd(f, in, &in->op[i], in->row->opnd[i], &nimm);
    return good ? 0 : EX_UD;
}

unsigned x86_decode(Xlat *x, X86Insn *in)
{
    uint64_t hf = x->key.flags;
    bool code64 = hf & HF_CS64;
    uint64_t mask = code64 ? ~(uint64_t)0 : 0xffffffff;
    Fetch f = { .x = x, .pc = x->pc, .mask = mask, .ahead = xlat_look(x, x->pc, AHEAD) };
    unsigned slot = 0;

    index_once();
    memset(in, 0, offsetof(X86Insn, op));                /* in two parts: short enough to be done inline */
    memset(in->op, 0, sizeof in->op);
    in->ea = in->addr = IR_NONE;
    in->pc = x->pc;
    in->seg = in->base = in->index = -1;
    in->mode = code64 ? 64 : hf & HF_CS32 ? 32 : 16;
    in->eip = code64 ? x->pc : (x->pc - (hf >> 32)) & mask;

    bool good = decode_opcode(&f, in, &slot);
    in->asize = in->mode == 64 ? (in->p67 ? 4 : 8) : (in->mode == 16) != in->p67 ? 2 : 4;
    unsigned vec = good ? decode_row(&f, in, slot) : EX_UD;
    in->len = (uint8_t)f.pos;
    in->next = (x->pc + f.pos) & mask;
    in->next_eip = (in->eip + f.pos) & mask;
    if (f.too_long)
        return EX_GP;
    if (vec)
        return vec;
    decode_relative(in);
    return check_row(x, in);
}

/* ---- translating ---- */

/* CS limit: the instruction's last byte must be inside. */
static void emit_limit_check(Xlat *x, const X86Insn *in)
{
    IrUnit *u = x->u;
    IrVal limit = ir_lde(u, 32, offsetof(X86Cpu, seg[SEG_CS].limit));
    x86_raise_if(x, 32, IRC_LTU, limit, ir_const(u, (in->eip + in->len - 1) & 0xffffffff), EX_GP, true, 0);
}

static void emit_end(Xlat *x, X86Insn *in)
{
    unsigned fl = in->row->flags;
    if (!(fl & (END | ENDLOOP)) && !x86_step(x))
        return;
    x86_put_next(x, in);
    if (fl & ENDLOOP)
        x86_exit_loop(x, in);
    else
        x86_exit_lookup(x, in);
}

void x86_translate_insn(Xlat *x)
{
    X86Insn in;
    unsigned vec = x86_decode(x, &in);

    x->next = in.next;
    x->next_val = in.next_eip;
    ir_insn(x->u, in.eip);
    if (x->key.flags & HF_DRBP)
        x86_call1(x, X86H_insn_bp, ir_const(x->u, in.pc));
    if (x->key.flags & HF_CS_LIMIT)
        emit_limit_check(x, &in);
    if (vec == EX_GP) {
        x86_gen_raise_code(x, EX_GP, 0);
    } else if (vec) {
        x86_gen_raise(x, vec);
    } else {
        in.row->gen(x, &in);
        if (!x->end)
            emit_end(x, &in);
        if (x86_unit(x)->sti && --x86_unit(x)->sti == 0 && !x->end)
            x86_poll(x, in.next_eip);
    }
}
