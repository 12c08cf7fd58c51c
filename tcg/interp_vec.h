/* Between interp_vec.c and interp_vfp.c. */
#ifndef RHEA_TCG_INTERP_VEC_H
#define RHEA_TCG_INTERP_VEC_H

#include <stdint.h>

typedef union VecLanes {
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
    float f[4];
    double g[2];
    __attribute__((aligned(16))) uint8_t align[16];
} VecLanes;

/* vec_eval for the floating-point and cryptography rows. d is zero at entry. */
uint64_t vec_eval_fp(unsigned op, unsigned x, VecLanes *d, const VecLanes *a, const VecLanes *b, const VecLanes *c,
                     uint64_t i);

#endif
