/* Makes random instructions out of the opcode maps.  See diff.h.
 *
 * A row gives opcode, prefixes and operands; everything it leaves open is
 * random: REX, operand and address size, registers, addressing form,
 * immediates.  Half of the registers point into the data pages, so most
 * memory operands are valid and some fault. */
#include "tests/diff/diff.h"

#include <string.h>

#include "cpu/x86/decode.h"
#include "cpu/x86/rows.h"

typedef struct Opnd { char letter, size; } Opnd;
static const Opnd opnds[OP_KINDS] = {
#define OPND(name, letter, size) [OP_##name] = { letter, size },
#include "cpu/x86/opnd.def"
#undef OPND
};

/* Rows of the system side are not for user-mode cases. */
#define I(op, match, gen, ...) #gen,
#define V(op, match, gen, ...) #gen,
static const char *const system_gens[] = {
#include "cpu/x86/map_1b_sys.def"
#include "cpu/x86/map_0f_sys.def"
    "invpcid",
    /* control flow that leaves the code page, and what cannot be repeated */
    "ret", "call_ind", "jmp_ind", "rdrand", "rdseed",
    NULL
};
#undef I
#undef V

/* Flags that an instruction leaves undefined and processors disagree on, or that are not modelled. */
enum { SZAP = FL_SF | FL_ZF | FL_AF | FL_PF };
static const struct { const char *gen; uint64_t flags; } undefined[] = {
    { "aaa", FL_OF | FL_SF | FL_ZF | FL_PF }, { "aas", FL_OF | FL_SF | FL_ZF | FL_PF },
    { "bextr", FL_AF | FL_SF },
    { "bsf", FL_CF | FL_OF | FL_SF | FL_AF | FL_PF },
    { "bsr", FL_CF | FL_OF | FL_SF | FL_AF | FL_PF },
    { "bt", FL_OF | FL_AF }, { "btc", FL_OF | FL_AF }, { "btr", FL_OF | FL_AF }, { "bts", FL_OF | FL_AF },
    { "div", FL_CC }, { "idiv", FL_CC },
    { "imul1", SZAP }, { "imul2", SZAP }, { "imul3", SZAP }, { "mul", SZAP },
    { "lzcnt", FL_OF | FL_SF | FL_AF | FL_PF }, { "tzcnt", FL_OF | FL_SF | FL_AF | FL_PF },
    { "shld", FL_AF }, { "shrd", FL_AF },
    { NULL, 0 }
};

/* What the generator builds an instruction in. */
typedef struct Build {
    Rng *r;
    DiffCase *c;
    const X86Row *row;
    X86Map map;
    uint8_t *p;
    bool p66, p67, mem;
    unsigned rex, osize, asize;
    int patch;                           /* bytes of a relative branch at the end; 0 none */
} Build;

static void put8(Build *b, unsigned v) { *b->p++ = (uint8_t)v; }

static void put(Build *b, uint64_t v, unsigned n)
{
    memcpy(b->p, &v, n);
    b->p += n;
}

static bool listed(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

static bool usable(const X86Row *r, unsigned mode, const char *only)
{
    if ((r->match & O64) && mode != 64)
        return false;
    if ((r->match & I64) && mode == 64)
        return false;
    if (only)
        return !strcmp(r->name, only);
    return !listed(r->name, system_gens);
}

static bool exists(unsigned mode, const char *only)
{
    const X86Row *row;
    for (unsigned m = 0; m < X86_MAPS; m++)
        for (unsigned i = 0; (row = x86_row((X86Map)m, i)); i++)
            if (usable(row, mode, only))
                return true;
    return false;
}

static const X86Row *pick_row(Rng *r, unsigned mode, const char *only, X86Map *map)
{
    static unsigned count[X86_MAPS];
    for (unsigned m = 0; m < X86_MAPS; m++)
        if (!count[m])
            while (x86_row((X86Map)m, count[m]))
                count[m]++;
    for (unsigned tries = 0; tries < 100000; tries++) {
        /* integer maps more often than their share */
        *map = rng_percent(r, 30) ? MAP_1B : (X86Map)rng_below(r, X86_MAPS);
        if (!count[*map])
            continue;
        const X86Row *row = x86_row(*map, rng_below(r, count[*map]));
        if (usable(row, mode, only))
            return row;
    }
    g_error("no row for %s", only ? only : "any");
}

static bool has_letter(const X86Row *r, const char *letters)
{
    for (unsigned i = 0; i < 4; i++)
        if (r->opnd[i] && strchr(letters, opnds[r->opnd[i]].letter))
            return true;
    return false;
}

static bool has_size(const X86Row *r, char size)
{
    for (unsigned i = 0; i < 4; i++)
        if (r->opnd[i] && opnds[r->opnd[i]].size == size)
            return true;
    return false;
}

static bool has_modrm(const X86Row *r)
{
    return (r->match & M_MODRM) || has_letter(r, "EGMRsCDFVWUPQN");
}

/* ---- modrm ---- */

static unsigned reg_field(Build *b)
{
    /* FNSTENV and FNSAVE show FIP, which is not kept (gen_fpu.c): only while it is 0 */
    if (!strcmp(b->row->name, "x87") && b->mem && b->c->ninsns && (b->row->op == 0xd9 || b->row->op == 0xdd)) {
        return rng_below(b->r, 4);
    }
    return b->row->match & M_R ? (b->row->match >> M_R_SHIFT) & 7 : rng_below(b->r, 8);
}

static void put_disp(Build *b, unsigned n, bool absolute)
{
    if (absolute)
        put(b, DIFF_DATA + rng_below(b->r, DIFF_DATA_SIZE - 32), n);
    else if (rng_percent(b->r, 10))
        put(b, rng_next(b->r), n);
    else
        put(b, (uint64_t)(int64_t)((int)rng_below(b->r, 200) - 100), n);
}

static void put_mem16(Build *b, unsigned reg)
{
    unsigned mod = rng_below(b->r, 3), rm = rng_below(b->r, 8);
    put8(b, mod << 6 | reg << 3 | rm);
    if (mod == 1)
        put_disp(b, 1, false);
    else if (mod == 2 || rm == 6)
        put_disp(b, 2, false);
}

static void put_mem32(Build *b, unsigned reg)
{
    static const uint8_t bases[] = { 3, 3, 5, 6, 7, 6, 7, 4, 0, 1, 2 };
    unsigned mod = rng_below(b->r, 3), base = bases[rng_below(b->r, sizeof bases)];
    bool sib = base == 4 || rng_percent(b->r, 30);
    if (mod == 0 && base == 5 && !rng_percent(b->r, 20))
        mod = 1;
    put8(b, mod << 6 | reg << 3 | (sib ? 4 : base));
    if (sib) {
        /* RCX holds a small number; R9 as well */
        unsigned index = rng_percent(b->r, 60) ? 1 : rng_percent(b->r, 70) ? 4 : rng_below(b->r, 8);
        if (!rng_percent(b->r, 50) || index != 4)
            b->rex &= ~2u;
        put8(b, rng_below(b->r, 4) << 6 | index << 3 | base);
    }
    if (mod == 1)
        put_disp(b, 1, false);
    else if (mod == 2)
        put_disp(b, 4, false);
    else if (base == 5) {
        if (!sib && b->c->mode == 64)    /* RIP-relative */
            put(b, (uint64_t)(DIFF_DATA - DIFF_CODE + rng_below(b->r, DIFF_RW)), 4);
        else
            put_disp(b, 4, true);
    }
}

static void put_modrm(Build *b)
{
    unsigned match = b->row->match, reg = reg_field(b);
    if (b->mem) {
        if (b->asize == 2)
            put_mem16(b, reg);
        else
            put_mem32(b, reg);
    } else {
        unsigned rm = match & M_RM ? (match >> M_RM_SHIFT) & 7 : rng_below(b->r, 8);
        put8(b, 0xc0 | reg << 3 | rm);
    }
}

/* ---- immediates ---- */

static unsigned size_of(const Build *b, char size)
{
    switch (size) {
    case 'v': return b->osize;
    case 'z': return MIN(b->osize, 4);
    default: return (unsigned)size;
    }
}

static void put_imm(Build *b, const Opnd *o)
{
    unsigned n = size_of(b, o->size);
    uint64_t v = rng_percent(b->r, 50) ? rng_next(b->r) : rng_below(b->r, 66);
    switch (o->letter) {
    case 'I': put(b, v, n); break;
    case 'S': case 'L': put(b, v, 1); break;
    case 'z': put(b, v, MIN(n, 4)); break;
    case 'O': put(b, DIFF_DATA + rng_below(b->r, DIFF_RW - 8), b->asize); break;
    case 'J':
        b->patch = (int)n;
        put(b, 0, n);
        break;
    default: break;
    }
}

/* ---- prefixes and opcode ---- */

static void choose(Build *b)
{
    unsigned m = b->row->match, mode = b->c->mode;
    b->mem = has_modrm(b->row) && (m & MEM || (!(m & REG) && !has_letter(b->row, "RUN") && rng_percent(b->r, 45)));
    if (has_letter(b->row, "M"))
        b->mem = true;
    bool free66 = !(m & M_PREFIX) || (m & (NP | P66)) == (NP | P66);
    b->p66 = (m & M_PREFIX) == P66 || (free66 && has_size(b->row, 'v') && rng_percent(b->r, 30));
    b->p67 = rng_percent(b->r, b->mem ? 4 : 1) && mode == 64;
    b->rex = 0;
    if (mode == 64 && rng_percent(b->r, 60))
        b->rex = 0x40 | rng_below(b->r, 16);
    if (m & W1)
        b->rex |= 0x48;
    if (m & W0)
        b->rex &= ~8u;
    if (mode != 64)
        b->rex = b->rex & 8;
    if (!strncmp(b->row->name, "sh", 2) && strlen(b->row->name) == 4 && b->map == MAP_0F)
        b->p66 = false;                  /* SHLD, SHRD of 16 bits by more than that: undefined */
    b->asize = mode == 64 ? (b->p67 ? 4 : 8) : b->p67 ? 2 : 4;
    bool d64 = mode == 64 && b->row->flags & (D64 | F64);
    b->osize = b->rex & 8 && mode == 64 ? 8 : b->p66 ? 2 : d64 ? 8 : 4;
    if (mode == 64 && (b->row->flags & F64))
        b->osize = 8;
}

static void put_legacy(Build *b, uint8_t **rex)
{
    unsigned m = b->row->match;
    static const uint8_t map_bytes[4][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a } };
    if (b->p67)
        put8(b, 0x67);
    if ((b->row->flags & LOCK) && b->mem && rng_percent(b->r, 20))
        put8(b, 0xf0);
    if (b->mem && b->c->mode == 64 && rng_percent(b->r, 5))
        put8(b, 0x65);                   /* a 32-bit process has no GS */
    if (b->p66)
        put8(b, 0x66);
    if ((m & M_PREFIX) == PF3)
        put8(b, 0xf3);
    else if ((m & M_PREFIX) == PF2)
        put8(b, 0xf2);
    else if (has_letter(b->row, "XY") && rng_percent(b->r, 50))
        put8(b, rng_percent(b->r, 50) ? 0xf3 : 0xf2);
    if (b->c->mode == 64 && b->rex) {
        *rex = b->p;
        put8(b, b->rex);
    }
    for (unsigned i = 0; i < 2 && map_bytes[b->map][i]; i++)
        put8(b, map_bytes[b->map][i]);
    put8(b, b->row->op & 255);
}

static void put_vex(Build *b, uint8_t **rex)
{
    unsigned m = b->row->match, pp = m & P66 ? 1 : m & PF3 ? 2 : m & PF2 ? 3 : 0;
    unsigned l = m & L1 ? 1 : m & L0 ? 0 : rng_below(b->r, 2);
    unsigned v = b->row->flags & NOVVVV ? 0 : rng_below(b->r, b->c->mode == 64 ? 16 : 8);
    put8(b, 0xc4);
    *rex = b->p;
    put8(b, (~b->rex & 7) << 5 | b->row->op >> 8);
    put8(b, (b->rex & 8) << 4 | (~v & 15) << 3 | l << 2 | pp);
    put8(b, b->row->op & 255);
}

/* One instruction at b->p. */
static void make(Build *b)
{
    uint8_t *rex = NULL;
    choose(b);
    if (b->map == MAP_VEX)
        put_vex(b, &rex);
    else
        put_legacy(b, &rex);
    if (has_modrm(b->row))
        put_modrm(b);
    /* the addressing form may have cleared REX.X */
    if (rex && b->map == MAP_VEX)
        *rex = (uint8_t)((~b->rex & 7) << 5 | (*rex & 31));
    else if (rex)
        *rex = (uint8_t)b->rex;
    for (unsigned i = 0; i < 4; i++)
        if (b->row->opnd[i])
            put_imm(b, &opnds[b->row->opnd[i]]);
}

/* ---- registers ---- */

static uint64_t interesting(Rng *r)
{
    static const uint64_t v[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x0123456789abcdef };
    uint64_t x = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0: return v[rng_below(r, G_N_ELEMENTS(v))];
    case 1: return (uint64_t)(int64_t)(int8_t)x;
    case 2: return x >> rng_below(r, 64);
    default: return x;
    }
}

static uint64_t data_pointer(Rng *r)
{
    unsigned at = rng_percent(r, 90) ? 512 + rng_below(r, DIFF_RW - 1024) : rng_below(r, DIFF_DATA_SIZE);
    return DIFF_DATA + (rng_percent(r, 60) ? at & ~15u : at);
}

static void make_regs(Rng *r, DiffCase *c)
{
    static const uint8_t pointers[] = { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 };
    DiffRegs *g = &c->regs;
    for (unsigned i = 0; i < 16; i++)
        g->gpr[i] = interesting(r);
    for (unsigned i = 0; i < sizeof pointers; i++)
        g->gpr[pointers[i]] = data_pointer(r);
    g->gpr[1] = rng_below(r, 70);
    g->gpr[9] = rng_below(r, 64);
    if (c->mode == 32)
        for (unsigned i = 0; i < 16; i++)
            g->gpr[i] = i < 8 ? (uint32_t)g->gpr[i] : 0;
    g->flags = 0x202 | (rng_next(r) & (FL_CC | (rng_percent(r, 20) ? FL_DF : 0)));
    g->gs_base = rng_below(r, 64);
    g->mxcsr = 0x1f80;
    for (unsigned i = 0; i < 16; i++)
        for (unsigned k = 0; k < 4; k++)
            g->ymm[i][k] = c->mode == 32 && i >= 8 ? 0 : interesting(r);
    diff_fp_regs(r, c);
}

static void note_row(DiffCase *c, const X86Row *row)
{
    c->undefined = 0;
    c->gather |= !strcmp(row->name, "vgather");
    for (unsigned i = 0; undefined[i].gen; i++)
        if (!strcmp(undefined[i].gen, row->name))
            c->undefined |= undefined[i].flags;
    if (row->flags & (SSE | AVX) || has_letter(row, "VWUHL"))
        c->vectors = true;
    if (row->flags & (FPU | MMX) || has_letter(row, "PQN"))
        c->x87 = true;
}

void diff_generate(DiffCase *c, uint64_t seed, unsigned mode, unsigned max, const char *only)
{
    Rng r = { seed * 0x9e3779b97f4a7c15ull | 1 };
    for (unsigned i = 0; i < 4; i++)
        rng_next(&r);
    memset(c, 0, sizeof *c);
    c->seed = seed;
    if (only && !exists(mode, only))
        mode = 96 - mode;
    c->mode = mode;
    make_regs(&r, c);
    unsigned n = 1 + rng_below(&r, max);
    uint8_t *patch = NULL;
    int patch_size = 0;
    Build b = { .r = &r, .c = c, .p = c->code };
    for (unsigned i = 0; i < n && b.p - c->code < DIFF_CODE_MAX - 40; i++) {
        uint8_t *start = b.p;
        b.patch = 0;
        b.row = pick_row(&r, mode, only, &b.map);
        c->at[i] = (uint8_t)(start - c->code);
        make(&b);
        note_row(c, b.row);
        c->ninsns = i + 1;
        if (c->undefined && rng_percent(&r, 70)) {
            put(&b, 0xc838, 2);          /* cmp al, cl: no later instruction may read what is undefined */
            c->undefined = 0;
        } else if (c->undefined) {
            n = i;
        }
        if (patch) {                     /* a branch skips exactly this instruction */
            uint64_t d = (uint64_t)(b.p - start);
            memcpy(patch, &d, (unsigned)patch_size);
        }
        patch = b.patch && b.osize != 2 ? b.p - b.patch : NULL;
        patch_size = b.patch;
    }
    c->at[c->ninsns] = (uint8_t)(b.p - c->code);
    put(&b, 0x0b0f, 2);
    put(&b, 0x0b0f, 2);
    c->len = (unsigned)(b.p - c->code);
}

/* ---- random bytes ---- */

static void put_any(Build *b, unsigned n)
{
    while (n--)
        put8(b, (unsigned)rng_next(b->r) & 255);
}

/* Prefixes in any number and order, any opcode, a modrm that may point to the data.  What follows is UD2s, which may
 * become displacement and immediate; where the opcode has no modrm, that byte must be harmless as an opcode. */
static void put_raw(Build *b)
{
    static const uint8_t prefixes[] = { 0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x48, 0x41, 0x4f, 0x40 };
    static const uint8_t modrm[] = { 0x03, 0x06, 0x07, 0x43, 0x45, 0x46, 0x83, 0x86, 0xc0, 0xc1, 0xc3, 0xc7 };
    while (rng_percent(b->r, 40))
        put8(b, prefixes[rng_below(b->r, sizeof prefixes)]);
    unsigned map = rng_below(b->r, 6);
    if (map == 4)
        put8(b, 0xc4), put8(b, rng_below(b->r, 8) << 5 | (1 + rng_below(b->r, 3))), put_any(b, 1);
    else if (map == 5)
        put8(b, 0xc5), put_any(b, 1);
    else if (map)
        put8(b, 0x0f);
    if (map == 2 || map == 3)
        put8(b, map == 2 ? 0x38 : 0x3a);
    put_any(b, 1);
    unsigned last = modrm[rng_below(b->r, sizeof modrm)] | rng_below(b->r, 8) << 3;
    put8(b, memchr("\xcb\xcc\xcd\xce\xcf\xf1", (int)last, 6) ? 0xc0 : last);
}

void diff_generate_raw(DiffCase *c, uint64_t seed, unsigned mode)
{
    Rng r = { seed * 0x9e3779b97f4a7c15ull | 1 };
    for (unsigned i = 0; i < 4; i++)
        rng_next(&r);
    memset(c, 0, sizeof *c);
    c->seed = seed;
    c->mode = mode;
    make_regs(&r, c);
    Build b = { .r = &r, .c = c, .p = c->code };
    put_raw(&b);
    c->ninsns = 1;
    c->at[1] = (uint8_t)(b.p - c->code);
    for (unsigned i = 0; i < 10; i++)
        put(&b, 0x0b0f, 2);
    c->len = (unsigned)(b.p - c->code);
}
