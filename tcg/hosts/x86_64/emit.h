/* x86-64 instruction bytes (Intel SDM volume 2, chapter 2: instruction format).
 *
 * An opcode is one number: OP_ flags say map, mandatory prefix and REX.W;
 * operand bytes follow from an Rm, which is a register or a memory operand.
 * Immediates are added by the caller (x_imm8, x_imm32), whose size x_op need
 * not know, as nothing is addressed relative to rip.
 */
#ifndef RHEA_X86_64_EMIT_H
#define RHEA_X86_64_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

enum {
    OP_0F = 0x100, OP_0F38 = 0x200, OP_0F3A = 0x300, OP_MAP = 0x300,
    OP_66 = 0x400, OP_F3 = 0x800, OP_F2 = 0xc00, OP_PP = 0xc00,
    OP_W = 0x1000,                       /* REX.W, VEX.W */
    OP_REG8 = 0x2000, OP_RM8 = 0x4000,   /* that operand is a byte register: spl..dil need a REX prefix */
    OP_L = 0x8000,                       /* VEX.L */
};

/* Condition codes (tttn) */
enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

/* ALU group 1 and shift group 2, by their /digit */
enum { X_ADD, X_OR, X_ADC, X_SBB, X_AND, X_SUB, X_XOR, X_CMP };
enum { X_ROL, X_ROR, X_RCL, X_RCR, X_SHL, X_SHR, X_SAR = 7 };

typedef struct Rm {
    int8_t reg;                          /* >= 0: a register; else memory: */
    int8_t base, index;                  /* -1: none */
    uint8_t scale;                       /* log2 */
    int32_t disp;
} Rm;

static inline Rm rm_reg(int r) { return (Rm){ (int8_t)r, -1, -1, 0, 0 }; }
static inline Rm rm_mem(int base, int index, unsigned scale, int32_t disp)
{
    return (Rm){ -1, (int8_t)base, (int8_t)index, (uint8_t)scale, disp };
}

/* Where bytes go: p writes through the writable view. */
typedef struct Emit {
    uint8_t *p, *start;
    const uint8_t *rx;                   /* executable address of start */
    unsigned count;                      /* instructions so far */
} Emit;

static inline const uint8_t *x_here(const Emit *e) { return e->rx + (e->p - e->start); }
static inline void x_byte(Emit *e, unsigned b) { *e->p++ = (uint8_t)b; }
static inline void x_imm16(Emit *e, unsigned v) { uint16_t x = (uint16_t)v; memcpy(e->p, &x, 2); e->p += 2; }
static inline void x_imm32(Emit *e, uint32_t v) { memcpy(e->p, &v, 4); e->p += 4; }
static inline void x_imm64(Emit *e, uint64_t v) { memcpy(e->p, &v, 8); e->p += 8; }

/* The x_put_ functions write at p and return what follows: stores of bytes may alias Emit, so that going through e->p
 * would reload it for each byte. */
static inline uint8_t *x_put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
    return p + 4;
}

/* ModRM, SIB and displacement. reg: low 3 bits of the register field. */
static inline uint8_t *x_put_modrm(uint8_t *p, int reg, Rm m)
{
    unsigned r = (reg & 7) << 3;
    if (m.reg >= 0) {
        *p++ = (uint8_t)(0xc0 | r | (m.reg & 7));
        return p;
    }
    if (m.base < 0) {                    /* [index * scale + disp32] or [disp32] */
        p[0] = (uint8_t)(0x04 | r);
        p[1] = (uint8_t)(m.scale << 6 | (m.index < 0 ? 4 : m.index & 7) << 3 | 5);
        return x_put32(p + 2, (uint32_t)m.disp);
    }
    bool sib = m.index >= 0 || (m.base & 7) == RSP;
    unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : m.disp == (int8_t)m.disp ? 1 : 2;
    *p++ = (uint8_t)(mod << 6 | r | (sib ? 4 : m.base & 7));
    if (sib) {
        *p++ = (uint8_t)(m.scale << 6 | (m.index < 0 ? 4 : m.index & 7) << 3 | (m.base & 7));
    }
    x_put32(p, (uint32_t)m.disp);        /* what is too much is overwritten */
    return p + (mod == 2 ? 4 : mod);
}

static inline void x_op(Emit *e, uint32_t op, int reg, Rm m)
{
    uint8_t *p = e->p;
    e->count++;
    if (op & OP_PP) {
        *p++ = (uint8_t)(0xf2f36600u >> ((op & OP_PP) >> 7));
    }
    unsigned rex = (op & OP_W ? 8 : 0) | (reg & 8) >> 1;
    rex |= m.reg >= 0 ? (m.reg & 8) >> 3 : (m.index >= 0 ? (m.index & 8) >> 2 : 0) | (m.base >= 0 ? (m.base & 8) >> 3 : 0);
    bool need = (op & OP_REG8 && reg >= 4) || (op & OP_RM8 && m.reg >= 4);
    if (rex || need) {
        *p++ = (uint8_t)(0x40 | rex);
    }
    if (op & OP_MAP) {
        *p++ = 0x0f;
        if ((op & OP_MAP) != OP_0F) {
            *p++ = (op & OP_MAP) == OP_0F38 ? 0x38 : 0x3a;
        }
    }
    *p++ = (uint8_t)op;
    e->p = x_put_modrm(p, reg, m);
}

/* VEX-encoded; v: the extra source register, 0 if the instruction has none (it is stored inverted as 1111b). */
static inline void x_vex(Emit *e, uint32_t op, int reg, int v, Rm m)
{
    uint8_t *p = e->p;
    e->count++;
    unsigned r = reg & 8 ? 0 : 0x80;
    unsigned b_reg = m.reg >= 0 ? m.reg : m.base >= 0 ? m.base : 0;
    unsigned x = m.reg < 0 && m.index >= 0 && m.index & 8 ? 0 : 0x40, b = b_reg & 8 ? 0 : 0x20;
    unsigned tail = (~(unsigned)v & 15) << 3 | (op & OP_L ? 4 : 0) | (op & OP_PP) >> 10;
    unsigned map = (op & OP_MAP) >> 8;
    if (map == 1 && x && b && !(op & OP_W)) {
        *p++ = 0xc5;
        *p++ = (uint8_t)(r | tail);
    } else {
        *p++ = 0xc4;
        *p++ = (uint8_t)(r | x | b | map);
        *p++ = (uint8_t)((op & OP_W ? 0x80 : 0) | tail);
    }
    *p++ = (uint8_t)op;
    e->p = x_put_modrm(p, reg, m);
}

static inline uint32_t x_w(unsigned w) { return w == 64 ? OP_W : w == 16 ? OP_66 : 0; }

/* ---- moves: change no flags ---- */
static inline void x_mov(Emit *e, unsigned w, int d, Rm s) { x_op(e, 0x8b | x_w(w), d, s); }
static inline void x_mov_rr(Emit *e, unsigned w, int d, int s) { x_op(e, 0x8b | x_w(w), d, rm_reg(s)); }
static inline void x_lea(Emit *e, unsigned w, int d, Rm m) { x_op(e, 0x8d | x_w(w), d, m); }

/* w 8..64: the low w bits of register s to memory */
static inline void x_store(Emit *e, unsigned w, Rm m, int s)
{
    x_op(e, w == 8 ? 0x88 | OP_REG8 : 0x89 | x_w(w), s, m);
}
/* memory or register, zero-extended from w */
static inline void x_movzx(Emit *e, unsigned w, int d, Rm s)
{
    uint32_t op = w == 8 ? 0xb6 | OP_0F | OP_RM8 : w == 16 ? 0xb7 | OP_0F : w == 32 ? 0x8b : 0x8b | OP_W;
    x_op(e, op, d, s);
}
/* sign-extended from w to `to` (32, 64) */
static inline void x_movsx(Emit *e, unsigned w, unsigned to, int d, Rm s)
{
    uint32_t op = w == 8 ? 0xbe | OP_0F | OP_RM8 : w == 16 ? 0xbf | OP_0F : to == 32 ? 0x8b : 0x63;
    x_op(e, op | (to == 64 ? OP_W : 0), d, s);
}
static inline bool x_fits32(uint64_t v) { return (int64_t)v == (int32_t)v; }
static inline bool x_fits8(uint64_t v) { return (int64_t)v == (int8_t)v; }

static inline void x_movi(Emit *e, int d, uint64_t imm)
{
    if (imm == (uint32_t)imm) {
        uint8_t *p = e->p;
        e->count++;
        if (d & 8) {
            *p++ = 0x41;
        }
        *p = (uint8_t)(0xb8 | (d & 7));
        e->p = x_put32(p + 1, (uint32_t)imm);
    } else if (x_fits32(imm)) {
        x_op(e, 0xc7 | OP_W, 0, rm_reg(d));
        x_imm32(e, (uint32_t)imm);
    } else {
        e->count++;
        x_byte(e, d & 8 ? 0x49 : 0x48);
        x_byte(e, 0xb8 | (d & 7));
        x_imm64(e, imm);
    }
}
/* imm (sign-extended from 32 if w is 64) to memory */
static inline void x_store_imm(Emit *e, unsigned w, Rm m, uint32_t imm)
{
    x_op(e, w == 8 ? 0xc6 : 0xc7 | x_w(w), 0, m);
    if (w == 8) {
        x_byte(e, imm);
    } else if (w == 16) {
        x_imm16(e, imm);
    } else {
        x_imm32(e, imm);
    }
}

/* ---- arithmetic ---- */
static inline void x_alu(Emit *e, int k, unsigned w, int d, Rm s)
{
    x_op(e, (uint32_t)k << 3 | (w == 8 ? 2 | OP_REG8 | OP_RM8 : 3 | x_w(w)), d, s);
}
static inline void x_alui(Emit *e, int k, unsigned w, Rm d, int64_t imm)
{
    if (w == 8) {
        x_op(e, 0x80 | OP_RM8, k, d);
        x_byte(e, (uint8_t)imm);
    } else if (imm == (int8_t)imm) {
        x_op(e, 0x83 | x_w(w), k, d);
        x_byte(e, (uint8_t)imm);
    } else {
        x_op(e, 0x81 | x_w(w), k, d);
        if (w == 16) {
            x_imm16(e, (uint16_t)imm);
        } else {
            x_imm32(e, (uint32_t)imm);
        }
    }
}
static inline void x_test(Emit *e, unsigned w, int a, Rm b)
{
    x_op(e, w == 8 ? 0x84 | OP_REG8 | OP_RM8 : 0x85 | x_w(w), a, b);
}
static inline void x_testi(Emit *e, unsigned w, Rm a, uint32_t imm)
{
    x_op(e, w == 8 ? 0xf6 | OP_RM8 : 0xf7 | x_w(w), 0, a);
    if (w == 8) {
        x_byte(e, imm);
    } else if (w == 16) {
        x_imm16(e, imm);
    } else {
        x_imm32(e, imm);
    }
}
static inline void x_test_eax(Emit *e, uint32_t imm)
{
    uint8_t *p = e->p;
    e->count++;
    *p = 0xa9;
    e->p = x_put32(p + 1, imm);
}
/* group 3 of f7: 2 not, 3 neg, 4 mul, 5 imul, 6 div, 7 idiv */
static inline void x_grp3(Emit *e, int k, unsigned w, Rm m) { x_op(e, 0xf7 | x_w(w), k, m); }
static inline void x_shifti(Emit *e, int k, unsigned w, int d, unsigned n)
{
    if (n == 1) {
        x_op(e, 0xd1 | x_w(w), k, rm_reg(d));
    } else {
        x_op(e, 0xc1 | x_w(w), k, rm_reg(d));
        x_byte(e, n);
    }
}
static inline void x_shift_cl(Emit *e, int k, unsigned w, int d) { x_op(e, 0xd3 | x_w(w), k, rm_reg(d)); }

/* ---- control ---- */
static inline void x_jmp_to(Emit *e, const uint8_t *to)
{
    uint8_t *p = e->p;
    e->count++;
    *p = 0xe9;
    e->p = x_put32(p + 1, (uint32_t)(to - (e->rx + (p + 5 - e->start))));
}
static inline void x_call_to(Emit *e, const uint8_t *to)
{
    uint8_t *p = e->p;
    e->count++;
    *p = 0xe8;
    e->p = x_put32(p + 1, (uint32_t)(to - (e->rx + (p + 5 - e->start))));
}
static inline void x_jcc_to(Emit *e, int cc, const uint8_t *to)
{
    uint8_t *p = e->p;
    e->count++;
    p[0] = 0x0f;
    p[1] = (uint8_t)(0x80 | cc);
    e->p = x_put32(p + 2, (uint32_t)(to - (e->rx + (p + 6 - e->start))));
}
/* Forward jumps: return where the displacement is, to be given to x_patch at the label. */
static inline uint8_t *x_jcc(Emit *e, int cc)
{
    uint8_t *p = e->p;
    e->count++;
    p[0] = 0x0f;
    p[1] = (uint8_t)(0x80 | cc);
    e->p = x_put32(p + 2, 0);
    return p + 2;
}
static inline uint8_t *x_jmp(Emit *e)
{
    e->count++;
    x_byte(e, 0xe9);
    x_imm32(e, 0);
    return e->p - 4;
}
static inline uint8_t *x_jcc8(Emit *e, int cc)
{
    e->count++;
    x_byte(e, 0x70 | cc);
    x_byte(e, 0);
    return e->p - 1;
}
static inline void x_patch(Emit *e, uint8_t *disp)
{
    uint32_t d = (uint32_t)(e->p - (disp + 4));
    memcpy(disp, &d, 4);
}
static inline void x_patch8(Emit *e, uint8_t *disp) { *disp = (uint8_t)(e->p - (disp + 1)); }

#endif
