/* The tokens of the opcode maps' match and flags columns; their meaning is in
 * decode.h.  For decode.c and tests: the names are short on purpose. */
#ifndef RHEA_X86_ROWS_H
#define RHEA_X86_ROWS_H

/* match column */
enum {
    ANY = 0, NP = 1 << 0, P66 = 1 << 1, PF3 = 1 << 2, PF2 = 1 << 3, MEM = 1 << 4, REG = 1 << 5, I64 = 1 << 6,
    O64 = 1 << 7, W0 = 1 << 8, W1 = 1 << 9, L0 = 1 << 10, L1 = 1 << 11,
    M_R = 1 << 12, M_RM = 1 << 13, M_R_SHIFT = 16, M_RM_SHIFT = 20,
    M_PREFIX = NP | P66 | PF3 | PF2, M_MODRM = MEM | REG | M_R | M_RM,
};
#define R(n) (M_R | (n) << M_R_SHIFT)
#define RM(n) (M_RM | (n) << M_RM_SHIFT)

/* flags column */
enum {
    LOCK = 1 << 0, CPL0 = 1 << 1, PROT = 1 << 2, D64 = 1 << 3, F64 = 1 << 4, END = 1 << 5, ENDLOOP = 1 << 6,
    FPU = 1 << 7, MMX = 1 << 8, SSE = 1 << 9, AVX = 1 << 10, NOVVVV = 1 << 11,
};

#endif
