/* Inline builders: ir_add(u, w, a, b) and so on, one for each op that a front
 * end emits directly.  Integer rows of ops.def by shape. */
#ifndef RHEA_TCG_BUILD_H
#define RHEA_TCG_BUILD_H

#include "tcg/ir.h"
#include "tcg/vec.h"

#define IR_D_A(name) static inline IrVal ir_##name(IrUnit *u, unsigned w, IrVal a) \
    { return ir_emit(u, IR_##name, w, 0, a, IR_NONE, IR_NONE, IR_NONE); }
#define IR_D_AB(name) static inline IrVal ir_##name(IrUnit *u, unsigned w, IrVal a, IrVal b) \
    { return ir_emit(u, IR_##name, w, 0, a, b, IR_NONE, IR_NONE); } \
    static inline IrVal ir_##name##i(IrUnit *u, unsigned w, IrVal a, uint64_t b) \
    { return ir_emit(u, IR_##name, w, 0, a, ir_const(u, b), IR_NONE, IR_NONE); }
#define IR_D_AX(name) static inline IrVal ir_##name(IrUnit *u, unsigned w, unsigned x, IrVal a) \
    { return ir_emit(u, IR_##name, w, x, a, IR_NONE, IR_NONE, IR_NONE); }

IR_D_A(mov) IR_D_A(neg) IR_D_A(not) IR_D_A(clz) IR_D_A(ctz) IR_D_A(popcnt)
IR_D_AB(add) IR_D_AB(sub) IR_D_AB(and) IR_D_AB(or) IR_D_AB(xor) IR_D_AB(andc) IR_D_AB(mul)
IR_D_AB(shl) IR_D_AB(shr) IR_D_AB(sar) IR_D_AB(rol) IR_D_AB(ror) IR_D_AB(pdep) IR_D_AB(pext)
IR_D_AX(zext) IR_D_AX(sext) IR_D_AX(bswap)
#undef IR_D_A
#undef IR_D_AB
#undef IR_D_AX

static inline IrVal ir_lea(IrUnit *u, unsigned w, IrVal a, IrVal b, unsigned shift, int64_t disp)
{
    return ir_emit(u, IR_lea, w, shift, a, b, ir_const(u, (uint64_t)disp), IR_NONE);
}
static inline IrVal ir_extract(IrUnit *u, unsigned w, IrVal a, unsigned pos, unsigned len)
{
    return ir_emit(u, IR_extract, w, pos << 8 | len, a, IR_NONE, IR_NONE, IR_NONE);
}
static inline IrVal ir_deposit(IrUnit *u, unsigned w, IrVal a, IrVal b, unsigned pos, unsigned len)
{
    return ir_emit(u, IR_deposit, w, pos << 8 | len, a, b, IR_NONE, IR_NONE);
}
static inline IrVal ir_setc(IrUnit *u, unsigned w, IrCond c, IrVal a, IrVal b)
{
    return ir_emit(u, IR_setc, w, c, a, b, IR_NONE, IR_NONE);
}
static inline IrVal ir_sel(IrUnit *u, unsigned w, IrCond cond, IrVal a, IrVal b, IrVal c, IrVal f)
{
    return ir_emit(u, IR_sel, w, cond, a, b, c, f);
}
static inline IrVal ir_crc32c(IrUnit *u, unsigned w, unsigned bits, IrVal a, IrVal b)
{
    return ir_emit(u, IR_crc32c, w, bits, a, b, IR_NONE, IR_NONE);
}
static inline IrVal ir_ld(IrUnit *u, unsigned w, unsigned memop, IrVal addr)
{
    return ir_emit(u, IR_ld, w, memop, addr, IR_NONE, IR_NONE, IR_NONE);
}
static inline void ir_st(IrUnit *u, unsigned w, unsigned memop, IrVal addr, IrVal v)
{
    ir_emit(u, IR_st, w, memop, addr, v, IR_NONE, IR_NONE);
}
static inline IrVal ir_ldv(IrUnit *u, unsigned memop, IrVal addr)
{
    return ir_emit(u, IR_ldv, 128, memop, addr, IR_NONE, IR_NONE, IR_NONE);
}
static inline void ir_stv(IrUnit *u, unsigned memop, IrVal addr, IrVal v)
{
    ir_emit(u, IR_stv, 128, memop, addr, v, IR_NONE, IR_NONE);
}
static inline void ir_probe(IrUnit *u, unsigned w, unsigned memop, IrVal addr)
{
    ir_emit(u, IR_probe, w, memop, addr, IR_NONE, IR_NONE, IR_NONE);
}
static inline IrVal ir_rmw(IrUnit *u, unsigned w, unsigned memop, IrAtomic op, IrVal addr, IrVal b)
{
    return ir_emit(u, IR_rmw, w, memop | op << IRM_ATOMIC_SHIFT, addr, b, IR_NONE, IR_NONE);
}
static inline IrVal ir_cas(IrUnit *u, unsigned w, unsigned memop, IrVal addr, IrVal expected, IrVal desired)
{
    return ir_emit(u, IR_cas, w, memop, addr, expected, desired, IR_NONE);
}
static inline IrVal ir_lde(IrUnit *u, unsigned w, unsigned offset)
{
    return ir_emit(u, IR_lde, w, offset, IR_NONE, IR_NONE, IR_NONE, IR_NONE);
}
static inline void ir_ste(IrUnit *u, unsigned w, unsigned offset, IrVal v)
{
    ir_emit(u, IR_ste, w, offset, v, IR_NONE, IR_NONE, IR_NONE);
}
static inline IrVal ir_ldev(IrUnit *u, unsigned offset)
{
    return ir_emit(u, IR_ldev, 128, offset, IR_NONE, IR_NONE, IR_NONE, IR_NONE);
}
static inline void ir_stev(IrUnit *u, unsigned offset, IrVal v)
{
    ir_emit(u, IR_stev, 128, offset, v, IR_NONE, IR_NONE, IR_NONE);
}
static inline void ir_fence(IrUnit *u)
{
    ir_emit(u, IR_fence, 32, 1, IR_NONE, IR_NONE, IR_NONE, IR_NONE);
}
/* any vector op of vops.def: ir_v(u, IR_vadd, x, a, b) */
static inline IrVal ir_v(IrUnit *u, IrOpcode op, unsigned x, IrVal a, IrVal b)
{
    return ir_emit(u, op, 128, x, a, b, IR_NONE, IR_NONE);
}

#endif
