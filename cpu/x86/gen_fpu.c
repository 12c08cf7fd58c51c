/* x87 instructions (D8..DF, FWAIT), and FXSAVE, XSAVE and their relatives.
 *
 * Every operation is a call of a light helper (help_fpu.c) that works on
 * X86Fpu; only what needs guest memory, EFLAGS or AX is emitted here.  Memory
 * is read before the helper runs and written before the stack is popped, so a
 * fault leaves the x87 unchanged.
 *
 * HF_X87_EXC (an exception is unmasked or pending): waiting instructions first
 * call fwait; FIP, FDP and FOP are kept; stores look whether an unmasked
 * exception forbade them.  With all exceptions masked FIP and its like are not
 * kept: FNSTENV and FNSAVE show what was loaded, or the last ones noted.
 *
 * Source: Intel SDM volume 1 chapter 8, volume 2 appendix A (escape opcodes). */
#include "cpu/x86/fpu.h"
#include "cpu/x86/simd.h"

static IrVal num(Xlat *x, uint64_t n) { return ir_const(x->u, n); }
static bool checked(const Xlat *x) { return x->key.flags & HF_X87_EXC; }

/* ---- exceptions and pointers ---- */

void fpu_gen_wait(Xlat *x, X86Insn *in)
{
    (void)in;
    if (checked(x)) {
        x86_call0(x, X86H_fwait);
    }
}

void gen_fwait(Xlat *x, X86Insn *in)
{
    if ((x->key.flags & (HF_TS | HF_MP)) == (HF_TS | HF_MP)) {
        x86_gen_raise(x, EX_NM);
        return;
    }
    fpu_gen_wait(x, in);
}

static IrVal selector(Xlat *x, unsigned seg)
{
    return ir_lde(x->u, 32, (unsigned)offsetof(X86Cpu, seg[seg].sel));
}

/* after the instruction's last fault */
static void note_pointers(Xlat *x, X86Insn *in)
{
    if (!checked(x)) {
        return;
    }
    ir_ste(x->u, 64, offsetof(X86Cpu, fpu.fip), num(x, in->eip));
    ir_ste(x->u, 16, offsetof(X86Cpu, fpu.fcs), selector(x, SEG_CS));
    ir_ste(x->u, 16, offsetof(X86Cpu, fpu.fop), num(x, (in->opcode & 7) << 8 | in->modrm));
    if (x86_mem(in)) {
        ir_ste(x->u, 64, offsetof(X86Cpu, fpu.fdp), x86_ea(x, in));
        ir_ste(x->u, 16, offsetof(X86Cpu, fpu.fds), selector(x, in->mseg));
    }
}

/* the FSW that a store's helper found */
static void commit_fsw(Xlat *x)
{
    ir_ste(x->u, 16, offsetof(X86Cpu, fpu.fsw), ir_lde(x->u, 16, simd_vtmp(2) + 8));
}

/* a store: goes on to the next instruction if the helper says that nothing may be stored */
static void stop_if_blocked(Xlat *x, X86Insn *in, IrVal addr, unsigned size)
{
    if (checked(x)) {
        ir_probe(x->u, 64, x86_memop(x, size), addr);
        note_pointers(x, in);
        commit_fsw(x);
        IrExit e = { .kind = IRX_DIRECT, .pc = in->next_eip };
        IrVal blocked = ir_lde(x->u, 64, simd_vtmp(2));
        ir_br(x->u, 64, IRC_NE, blocked, num(x, 0), ir_exit_new(x->u, e));
    }
}

/* the mode flag HF_X87_EXC may have changed: end the unit */
static void next_by_lookup(Xlat *x, X86Insn *in)
{
    x86_put_next(x, in);
    x86_exit_lookup(x, in);
}

/* ---- memory operands ---- */

static IrVal load(Xlat *x, X86Insn *in, unsigned size) { return x86_ld(x, x86_addr(x, in, size, false), size); }

static unsigned kind_size(unsigned kind)
{
    static const uint8_t size[] = { [FK_F32] = 4, [FK_F64] = 8, [FK_I32] = 4, [FK_I16] = 2, [FK_I64] = 8 };
    return size[kind];
}

/* add mul com comp sub subr div divr: modrm bits 5..3 of D8 and its relatives */
static const uint16_t arith_m[8] = { X86H_fadd_m, X86H_fmul_m, X86H_fcom_m, X86H_fcom_m, X86H_fsub_m, X86H_fsubr_m,
                                     X86H_fdiv_m, X86H_fdivr_m };
static const uint16_t arith_r[8] = { X86H_fadd, X86H_fmul, X86H_fcom, X86H_fcom, X86H_fsub, X86H_fsubr, X86H_fdiv,
                                     X86H_fdivr };

static void mem_arith(Xlat *x, X86Insn *in, unsigned kind, unsigned n)
{
    IrVal v = load(x, in, kind_size(kind));
    note_pointers(x, in);
    if (n == 2 || n == 3) {
        x86_call3(x, X86H_fcom_m, v, num(x, kind), num(x, n == 3));
    } else {
        x86_call2(x, arith_m[n], v, num(x, kind));
    }
}

static void mem_load(Xlat *x, X86Insn *in, unsigned kind)
{
    IrVal v = load(x, in, kind_size(kind));
    note_pointers(x, in);
    x86_call2(x, X86H_fld_m, v, num(x, kind));
}

static void finish_store(Xlat *x, X86Insn *in, IrVal addr, unsigned size, IrVal v, bool pop)
{
    stop_if_blocked(x, in, addr, size);
    x86_st(x, addr, size, v);
    if (pop) {
        x86_call0(x, X86H_fpop);
    } else {
        commit_fsw(x);
    }
}

static void mem_store(Xlat *x, X86Insn *in, unsigned kind, bool pop)
{
    IrVal addr = x86_addr(x, in, kind_size(kind), true);
    finish_store(x, in, addr, kind_size(kind), x86_call1(x, X86H_fst_m, num(x, kind)), pop);
}

static void mem_store_int(Xlat *x, X86Insn *in, unsigned size, bool truncate, bool pop)
{
    IrVal addr = x86_addr(x, in, size, true);
    finish_store(x, in, addr, size, x86_call2(x, X86H_fist, num(x, size), num(x, truncate)), pop);
}

static IrVal plus(Xlat *x, X86Insn *in, IrVal addr, unsigned n)
{
    addr = ir_addi(x->u, 64, addr, n);
    return in->mode == 64 ? addr : ir_zext(x->u, 64, 32, addr);
}

/* ten bytes: FLD m80, FBLD */
static void mem_load80(Xlat *x, X86Insn *in, X86Helper h)
{
    IrVal addr = x86_addr(x, in, 10, false);
    IrVal lo = x86_ld(x, addr, 8), hi = x86_ld(x, plus(x, in, addr, 8), 2);
    note_pointers(x, in);
    x86_call2(x, h, lo, hi);
}

/* FSTP m80, FBSTP: the helper leaves the high part in vtmp[3] */
static void mem_store80(Xlat *x, X86Insn *in, X86Helper h)
{
    IrVal addr = x86_addr(x, in, 10, true), high = plus(x, in, addr, 8);
    IrVal lo = x86_call0(x, h), hi = ir_lde(x->u, 64, simd_vtmp(3));
    stop_if_blocked(x, in, addr, 8);
    ir_probe(x->u, 64, x86_memop(x, 8), addr);
    x86_st(x, high, 2, hi);
    x86_st(x, addr, 8, lo);
    x86_call0(x, X86H_fpop);
}

/* FLDENV, FNSTENV, FRSTOR, FNSAVE */
static void mem_state(Xlat *x, X86Insn *in, X86Helper h, unsigned regs, bool write)
{
    bool real = !(x->key.flags & HF_PE) || x->key.flags & HF_VM;
    unsigned fmt = (in->osize != 2 ? FE_32 : 0) | (real ? 0 : FE_PROT);
    IrVal addr = x86_addr(x, in, (fmt & FE_32 ? 28 : 14) + regs, write);
    x86_call2(x, h, addr, num(x, fmt));
    next_by_lookup(x, in);
}

/* rounding changes often, masks hardly ever: then the unit goes on by a chained exit */
static void mem_fldcw(Xlat *x, X86Insn *in)
{
    IrVal changed = x86_call1(x, X86H_fldcw, load(x, in, 2));
    if (!(x->key.flags & (HF_TF | HF_SHADOW | HF_DRBP))) {
        IrExit e = { .kind = IRX_DIRECT, .pc = in->next_eip };
        ir_br(x->u, 64, IRC_EQ, changed, num(x, 0), ir_exit_new(x->u, e));
    }
    x86_call0(x, X86H_mode_update);
    next_by_lookup(x, in);
}

static IrVal status_word(Xlat *x)
{
    IrVal top = ir_lde(x->u, 8, offsetof(X86Cpu, fpu.top)), sw = ir_lde(x->u, 16, offsetof(X86Cpu, fpu.fsw));
    return ir_or(x->u, 32, sw, ir_shli(x->u, 32, top, 11));
}

/* D9, DB, DD, DF with memory */
static void gen_mem(Xlat *x, X86Insn *in, unsigned op, unsigned n)
{
    switch ((op & 7) << 3 | n) {
    case 1 << 3 | 0: mem_load(x, in, FK_F32); break;
    case 1 << 3 | 2: mem_store(x, in, FK_F32, false); break;
    case 1 << 3 | 3: mem_store(x, in, FK_F32, true); break;
    case 1 << 3 | 4: mem_state(x, in, X86H_fldenv, 0, false); break;
    case 1 << 3 | 5: mem_fldcw(x, in); break;
    case 1 << 3 | 6: mem_state(x, in, X86H_fnstenv, 0, true); break;
    case 1 << 3 | 7: x86_st(x, x86_addr(x, in, 2, true), 2, ir_lde(x->u, 16, offsetof(X86Cpu, fpu.fcw))); break;
    case 3 << 3 | 0: mem_load(x, in, FK_I32); break;
    case 3 << 3 | 1: mem_store_int(x, in, 4, true, true); break;
    case 3 << 3 | 2: mem_store_int(x, in, 4, false, false); break;
    case 3 << 3 | 3: mem_store_int(x, in, 4, false, true); break;
    case 3 << 3 | 5: mem_load80(x, in, X86H_fld_m80); break;
    case 3 << 3 | 7: mem_store80(x, in, X86H_fst_m80); break;
    case 5 << 3 | 0: mem_load(x, in, FK_F64); break;
    case 5 << 3 | 1: mem_store_int(x, in, 8, true, true); break;
    case 5 << 3 | 2: mem_store(x, in, FK_F64, false); break;
    case 5 << 3 | 3: mem_store(x, in, FK_F64, true); break;
    case 5 << 3 | 4: mem_state(x, in, X86H_frstor, 80, false); break;
    case 5 << 3 | 6: mem_state(x, in, X86H_fnsave, 80, true); break;
    case 5 << 3 | 7: x86_st(x, x86_addr(x, in, 2, true), 2, status_word(x)); break;
    case 7 << 3 | 0: mem_load(x, in, FK_I16); break;
    case 7 << 3 | 1: mem_store_int(x, in, 2, true, true); break;
    case 7 << 3 | 2: mem_store_int(x, in, 2, false, false); break;
    case 7 << 3 | 3: mem_store_int(x, in, 2, false, true); break;
    case 7 << 3 | 4: mem_load80(x, in, X86H_fbld); break;
    case 7 << 3 | 5: mem_load(x, in, FK_I64); break;
    case 7 << 3 | 6: mem_store80(x, in, X86H_fbst); break;
    case 7 << 3 | 7: mem_store_int(x, in, 8, false, true); break;
    }
}

/* ---- register forms ---- */

static void compare(Xlat *x, unsigned i, unsigned how, unsigned npop)
{
    IrVal fl = x86_call3(x, X86H_fcom, num(x, i), num(x, how), num(x, npop));
    if (how & FC_EFLAGS) {
        x86_cc_set_flags(x, fl);
    }
}

/* D8: ST0 = ST0 op STi.  DC, DE (pops): STi = STi op ST0, with sub/subr and div/divr exchanged in the encoding. */
static void reg_arith(Xlat *x, unsigned op, unsigned n, unsigned i)
{
    if (n == 2 || n == 3) {
        compare(x, i, 0, n == 3 || op == 6);
    } else if (op == 0) {
        x86_call3(x, arith_r[n], num(x, 0), num(x, i), num(x, 0));
    } else {
        x86_call3(x, arith_r[n >= 4 ? n ^ 1 : n], num(x, i), num(x, 0), num(x, op == 6));
    }
}

static void fcmov(Xlat *x, unsigned n, unsigned i, bool negate)
{
    static const uint8_t tttn[4] = { 2, 4, 6, 10 };      /* B E BE U (parity) */
    X86Cond c = x86_cc_cond(x, tttn[n] | negate);
    x86_call2(x, X86H_fcmov, num(x, i), ir_setc(x->u, c.w, c.c, c.a, c.b));
}

static void inc_top(Xlat *x, unsigned by)
{
    IrVal t = ir_lde(x->u, 8, offsetof(X86Cpu, fpu.top)), fsw = ir_lde(x->u, 16, offsetof(X86Cpu, fpu.fsw));
    ir_ste(x->u, 8, offsetof(X86Cpu, fpu.top), ir_andi(x->u, 32, ir_addi(x->u, 32, t, by), 7));
    ir_ste(x->u, 16, offsetof(X86Cpu, fpu.fsw), ir_andi(x->u, 32, fsw, 0xffff & ~FSW_C1));
}

/* D9 E0..FF */
static void reg_d9(Xlat *x, unsigned modrm)
{
    static const uint16_t f[32] = {
        [0x00] = X86H_fchs, [0x01] = X86H_fabs, [0x04] = X86H_ftst, [0x05] = X86H_fxam,
        [0x10] = X86H_f2xm1, X86H_fyl2x, X86H_fptan, X86H_fpatan, X86H_fxtract, X86H_fprem1,
        [0x18] = X86H_fprem, X86H_fyl2xp1, X86H_fsqrt, X86H_fsincos, X86H_frndint, X86H_fscale, X86H_fsin, X86H_fcos,
    };
    unsigned n = modrm & 31;
    if (n == 0x16 || n == 0x17) {                        /* FDECSTP, FINCSTP */
        inc_top(x, n == 0x16 ? 7 : 1);
    } else if (n >= 8 && n <= 14) {
        x86_call1(x, X86H_fld_const, num(x, n - 8));
    } else {
        x86_call0(x, f[n]);
    }
}

/* DB E0..E7 */
static void reg_db_control(Xlat *x, X86Insn *in, unsigned i)
{
    switch (i) {
    case 0: case 1: case 4: break;                       /* FNENI, FNDISI, FNSETPM: nothing since the 387 */
    case 2:
        x86_call0(x, X86H_fnclex);
        if (checked(x)) {
            x86_call0(x, X86H_mode_update);
            next_by_lookup(x, in);
        }
        break;
    case 3:
        x86_call0(x, X86H_fninit);
        next_by_lookup(x, in);
        break;
    }
}

static void gen_reg(Xlat *x, X86Insn *in, unsigned op, unsigned n, unsigned i)
{
    switch (op << 3 | n) {
    case 1 << 3 | 0: x86_call1(x, X86H_fld_st, num(x, i)); break;
    case 1 << 3 | 1: case 5 << 3 | 1: case 7 << 3 | 1: x86_call1(x, X86H_fxch, num(x, i)); break;
    case 1 << 3 | 2: break;              /* FNOP */
    case 7 << 3 | 2: case 7 << 3 | 3: case 5 << 3 | 3: x86_call2(x, X86H_fst_st, num(x, i), num(x, 1)); break;
    case 1 << 3 | 3: x86_call2(x, X86H_fst_st, num(x, i), num(x, 2)); break;                 /* FSTPNCE */
    case 5 << 3 | 2: x86_call2(x, X86H_fst_st, num(x, i), num(x, 0)); break;
    case 2 << 3 | 0: case 2 << 3 | 1: case 2 << 3 | 2: case 2 << 3 | 3: fcmov(x, n, i, false); break;
    case 3 << 3 | 0: case 3 << 3 | 1: case 3 << 3 | 2: case 3 << 3 | 3: fcmov(x, n, i, true); break;
    case 2 << 3 | 5: compare(x, 1, FC_QUIET, 2); break;             /* FUCOMPP */
    case 6 << 3 | 3: compare(x, 1, 0, 2); break;                    /* FCOMPP */
    case 3 << 3 | 4: reg_db_control(x, in, i); break;
    case 3 << 3 | 5: compare(x, i, FC_EFLAGS | FC_QUIET, 0); break;
    case 3 << 3 | 6: compare(x, i, FC_EFLAGS, 0); break;
    case 7 << 3 | 5: compare(x, i, FC_EFLAGS | FC_QUIET, 1); break;
    case 7 << 3 | 6: compare(x, i, FC_EFLAGS, 1); break;
    case 5 << 3 | 0: case 7 << 3 | 0: x86_call2(x, X86H_ffree, num(x, i), num(x, op == 7)); break;
    case 5 << 3 | 4: compare(x, i, FC_QUIET, 0); break;
    case 5 << 3 | 5: compare(x, i, FC_QUIET, 1); break;
    case 7 << 3 | 4: x86_put_gpr(x, 0, 2, false, status_word(x)); break;
    case 1 << 3 | 4: case 1 << 3 | 5: case 1 << 3 | 6: case 1 << 3 | 7: reg_d9(x, in->modrm); break;
    default: reg_arith(x, op, n, i); break;              /* D8, DC, DE */
    }
}

/* FNINIT, FNCLEX, FNSTSW, FNSTCW, FNSTENV, FNSAVE and the 287's no-ops do not wait. */
static bool waits(const X86Insn *in, unsigned op, unsigned n)
{
    if (x86_mem(in)) {
        return !(op == 1 && n >= 6) && !(op == 5 && n >= 6);
    }
    return !(op == 3 && n == 4) && !(op == 7 && n == 4);
}

/* Encodings that are #UD, even with an exception pending: for each opcode one bit for each n, and those where only
 * some i are defined. */
static bool undefined(const X86Insn *in, unsigned op, unsigned n, unsigned i)
{
    static const uint8_t mem[8] = { [1] = 0x02, [3] = 0x50, [5] = 0x20 };
    static const uint8_t reg[8] = { [2] = 0xd0, [3] = 0x80, [5] = 0xc0, [7] = 0x80 };
    if (x86_mem(in)) {
        return mem[op] >> n & 1;
    }
    switch (op << 3 | n) {
    case 1 << 3 | 2: return i != 0;
    case 1 << 3 | 4: return i == 2 || i == 3 || i >= 6;
    case 1 << 3 | 5: return i == 7;
    case 2 << 3 | 5: case 6 << 3 | 3: return i != 1;
    case 3 << 3 | 4: return i >= 5;
    case 7 << 3 | 4: return i != 0;
    default: return reg[op] >> n & 1;
    }
}

void gen_x87(Xlat *x, X86Insn *in)
{
    static const uint8_t kinds[8] = { [0] = FK_F32, [2] = FK_I32, [4] = FK_F64, [6] = FK_I16 };
    unsigned op = in->opcode & 7, n = in->modrm >> 3 & 7;
    if (undefined(in, op, n, in->modrm & 7)) {
        x86_gen_ud(x);
        return;
    }
    x86_unit(x)->fpu[1] = 0;             /* no longer MMX state */
    if (waits(in, op, n)) {
        fpu_gen_wait(x, in);
    }
    if (!x86_mem(in)) {
        if (op != 3 || n != 4) {
            note_pointers(x, in);
        }
        gen_reg(x, in, op, n, in->modrm & 7);
    } else if (op & 1) {
        gen_mem(x, in, op, n);
    } else {
        mem_arith(x, in, kinds[op], n);
    }
}

/* ---- FXSAVE, XSAVE ---- */

static IrVal mode_bits(Xlat *x, const X86Insn *in, unsigned form)
{
    return num(x, (unsigned)x86_rex_w(in) | (unsigned)(in->mode == 64) << 1 | form << 2);
}

static IrVal edx_eax(Xlat *x)
{
    return ir_deposit(x->u, 64, x86_get_gpr(x, 0, 4, false), x86_get_gpr(x, 2, 4, false), 32, 32);
}

/* CR4.OSXSAVE clear is #UD, CR0.TS is #NM */
static bool xsave_allowed(Xlat *x)
{
    if (!(x->key.flags & HF_OSXSAVE)) {
        x86_gen_ud(x);
        return false;
    }
    if (x->key.flags & HF_TS) {
        x86_gen_raise(x, EX_NM);
        return false;
    }
    return true;
}

void gen_fxsave(Xlat *x, X86Insn *in)
{
    x86_call2(x, X86H_fxsave, x86_addr(x, in, 512, true), mode_bits(x, in, 0));
}

void gen_fxrstor(Xlat *x, X86Insn *in)
{
    x86_call2(x, X86H_fxrstor, x86_addr(x, in, 512, false), mode_bits(x, in, 0));
    next_by_lookup(x, in);
}

static void xsave(Xlat *x, X86Insn *in, unsigned form)
{
    if (xsave_allowed(x)) {
        x86_call3(x, X86H_xsave, x86_addr(x, in, 576, true), mode_bits(x, in, form), edx_eax(x));
    }
}

static void xrstor(Xlat *x, X86Insn *in)
{
    if (xsave_allowed(x)) {
        x86_call3(x, X86H_xrstor, x86_addr(x, in, 576, false), mode_bits(x, in, 0), edx_eax(x));
        next_by_lookup(x, in);
    }
}

/* forms of help_sse.c: 0 all that is asked for, 1 only what is in use, 2 the same in compacted format.  IA32_XSS is 0:
 * the supervisor forms save no more than these. */
void gen_xsave(Xlat *x, X86Insn *in) { xsave(x, in, 0); }
void gen_xsaveopt(Xlat *x, X86Insn *in) { xsave(x, in, 1); }
void gen_xsavec(Xlat *x, X86Insn *in) { xsave(x, in, 2); }
void gen_xsaves(Xlat *x, X86Insn *in) { xsave(x, in, 2); }
void gen_xrstor(Xlat *x, X86Insn *in) { xrstor(x, in); }
void gen_xrstors(Xlat *x, X86Insn *in) { xrstor(x, in); }
