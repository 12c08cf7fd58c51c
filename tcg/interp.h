/* The interpreter's own values, and how it computes in the guest's
 * floating-point mode. */
#ifndef RHEA_TCG_INTERP_H
#define RHEA_TCG_INTERP_H

#include "tcg/tcg.h"

/* A value: VEC by lanes (lane 0 is the least significant), INT in u64[0]. */
typedef union IrVec {
    uint8_t u8[16];
    int8_t i8[16];
    uint16_t u16[8];
    int16_t i16[8];
    uint32_t u32[4];
    int32_t i32[4];
    uint64_t u64[2];
    int64_t i64[2];
    float f32[4];
    double f64[2];
    unsigned __int128 u128;
} IrVec;
_Static_assert(sizeof(IrVec) == 16, "128 bits");

/* Around the floating-point arithmetic of one op: the host computes with the
 * guest's env->fpcr (rounding, FTZ, DAZ), and the exceptions that were raised
 * are added to its sticky bits.  Operands have to be read from memory after
 * begin, results written to memory before end, for the compiler knows nothing
 * of the mode. */
typedef struct InterpFp { uint32_t saved; } InterpFp;
InterpFp interp_fp_begin(const TcgEnv *env);
void interp_fp_end(TcgEnv *env, InterpFp fp);

#endif
