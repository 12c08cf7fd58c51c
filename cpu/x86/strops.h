/* What a repeated string instruction tells its helper (third argument). */
#ifndef RHEA_X86_STROPS_H
#define RHEA_X86_STROPS_H

enum {
    STR_SIZE_MASK = 3,                   /* log2 of the element's bytes */
    STR_ASIZE = 2,                       /* 2 bits: log2 of the address size in bytes */
    STR_SEG = 4,                         /* 3 bits: segment of the source */
    STR_LIMITS = 1 << 8,                 /* a segment is not flat: mind limits and wrapping */
    STR_REPE = 1 << 9,                   /* CMPS, SCAS: F3, else F2 */
};

#endif
