/* Kinds of the vector ops (vops.def), and their evaluator: one C function
 * that is the interpreter's, the host back end's fall-back and the tests'
 * oracle. */
#ifndef RHEA_TCG_VEC_H
#define RHEA_TCG_VEC_H

#include <stdint.h>

#define VEC_X(kind, imm) ((unsigned)(kind) | (unsigned)(imm) << 8)
static inline unsigned vec_kind(unsigned x) { return x & 255; }
static inline unsigned vec_imm(unsigned x) { return x >> 8; }

enum { VE_8, VE_16, VE_32, VE_64 };                      /* E */
enum { VF_PS, VF_PD, VF_SS, VF_SD };                     /* F */
enum { VW_BW, VW_BD, VW_BQ, VW_WD, VW_WQ, VW_DQ };       /* vwidens, vwidenu */
enum {                                                   /* vfcvt */
    VCVT_PS_PD, VCVT_PD_PS, VCVT_SS_SD, VCVT_SD_SS,      /* between f32 and f64 */
    VCVT_DQ_PS, VCVT_DQ_PD,                              /* from int32 */
    VCVT_PS_DQ, VCVT_PS_DQ_T, VCVT_PD_DQ, VCVT_PD_DQ_T,  /* to int32, rounding and truncating */
    VCVT_PH_PS, VCVT_PS_PH,                              /* f16; PS_PH: imm as vfround's */
    VCVT_COUNT
};
enum { VCVT_I64 = 4, VCVT_TRUNC = 8 };                   /* vfromint, vtoint */
enum { VAES_ENC, VAES_ENCLAST, VAES_DEC, VAES_DECLAST, VAES_IMC, VAES_KEYGEN };
enum { VSHA_1NEXTE, VSHA_1MSG1, VSHA_1MSG2, VSHA_256RNDS2, VSHA_256MSG1, VSHA_256MSG2, VSHA_1RNDS4 };

/* vfma's imm: the order of the operands and the signs: */
enum { VFMA_ADDSUB, VFMA_SUBADD, VFMA_ADD, VFMA_SUB, VFMA_NADD, VFMA_NSUB };   /* NADD: -(x*y) + z */
#define VFMA_X(order, sign) ((unsigned)(order) << 4 | (sign))

/* vfcmp's predicates 0..7; 8..15 swap what unordered gives for EQ, LT.. (see vec.c); 16 more: the other NaN signalling */
enum { VFC_EQ, VFC_LT, VFC_LE, VFC_UNORD, VFC_NEQ, VFC_NLT, VFC_NLE, VFC_ORD };

/* Computes one op of vops.def (and vzero, vmov, vfromi, vextract, vinsert)
 * under the host's current MXCSR.  d, a, b, c: 16 bytes each, any alignment,
 * d may be one of the others; i: the INT operand.  An INT result is returned. */
uint64_t vec_eval(unsigned op, unsigned x, void *d, const void *a, const void *b, const void *c, uint64_t i);

#endif
