/* x87, MMX, SSE control state: what the helper files and the system side
 * (CPUID, reset, debugger) share. */
#ifndef RHEA_X86_FPU_H
#define RHEA_X86_FPU_H

#include "cpu/x86/state.h"

/* FSW */
enum {
    FSW_IE = 1, FSW_DE = 2, FSW_ZE = 4, FSW_OE = 8, FSW_UE = 16, FSW_PE = 32, FSW_SF = 64, FSW_ES = 128,
    FSW_C0 = 0x100, FSW_C1 = 0x200, FSW_C2 = 0x400, FSW_TOP = 7 << 11, FSW_C3 = 0x4000, FSW_B = 0x8000,
    FSW_EXC = 63, FSW_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};
enum { FCW_INIT = 0x37f, MXCSR_INIT = 0x1f80, MXCSR_MASK = 0xffff };

/* XCR0, XSTATE_BV */
enum { XS_X87 = 1, XS_SSE = 2, XS_AVX = 4, XS_ALL = 7 };

/* Arguments of the x87 helpers. */
enum { FK_F32, FK_F64, FK_I32, FK_I16, FK_I64 };         /* memory operands */
enum { FC_QUIET = 1 /* FUCOM */, FC_EFLAGS = 2 /* FCOMI: condition codes stay */ };
enum { FE_32 = 1 /* operand size */, FE_PROT = 2 /* protected-mode format */ };

/* The registers as software sees them. */
uint16_t fpu_get_fsw(const X86Fpu *f);                   /* with TOP */
void fpu_set_fsw(X86Fpu *f, uint16_t fsw);               /* with TOP; ES and B follow from the flags and FCW */
uint8_t fpu_get_ftw8(const X86Fpu *f);                   /* abridged: by physical register, 1 valid */
uint16_t fpu_get_ftw16(const X86Fpu *f);                 /* two bits each: valid, zero, special, empty */
void fpu_set_ftw8(X86Fpu *f, uint8_t ftw);
void fpu_init(X86Fpu *f);                                /* FNINIT */
/* Forgets that the host's x87 status belongs to this guest: after the guest's flags were cleared or loaded. */
void fpu_disown(void);

uint32_t x86_get_mxcsr(const X86Cpu *c);
void x86_set_mxcsr(X86Cpu *c, uint32_t val);             /* updates env.fpcr and the mode */

/* Bits of CPUID word w that can be offered on this host; features that need nothing of it are 1. */
uint32_t x86_host_mask(CpuidWord w);

#endif
