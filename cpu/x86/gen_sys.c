/* System instructions: control transfers between segments and privilege
 * levels, flags, control registers, MSRs, ports.
 *
 * Prefix, mode, privilege (CPL0) and CPUID checks are the rows' business
 * (map_1b_sys.def, map_0f_sys.def); what is here reads operands, calls a
 * helper (help_sys.c) and ends the unit where modes or translations may have
 * changed.  What is frequent in kernels is inline: CLI, PUSHF, SWAPGS, FS and
 * GS base, LGDT and the like.
 *
 * Source: Intel SDM volume 2; AMD APM volume 3 for SYSCALL in legacy mode. */
#include "cpu/x86/decode.h"

#define OFF(m) ((unsigned)offsetof(X86Cpu, m))

static IrVal k(Xlat *x, uint64_t v) { return ir_const(x->u, v); }
static uint64_t hf(const Xlat *x) { return x->key.flags; }
static unsigned cpl(const Xlat *x) { return hf(x) & HF_CPL; }
static unsigned iopl(const Xlat *x) { return (hf(x) & HF_IOPL) >> HF_IOPL_SHIFT; }
static bool protected(const Xlat *x) { return (hf(x) & (HF_PE | HF_VM)) == HF_PE; }
static bool code64(const Xlat *x) { return hf(x) & HF_CS64; }

static bool ud_unless(Xlat *x, bool ok)
{
    if (!ok) {
        x86_gen_ud(x);
    }
    return !ok;
}

static bool gp_unless(Xlat *x, bool ok)
{
    if (!ok) {
        x86_gen_raise_code(x, EX_GP, 0);
    }
    return !ok;
}

/* The end after a helper that set RIP and perhaps IF: interrupts first. */
static void end_dyn(Xlat *x, X86Insn *in)
{
    if (!x86_step(x)) {
        ir_poll(x->u, ir_exit_new(x->u, (IrExit){ .kind = IRX_LOOP_DYN }));
    }
    x86_exit_lookup(x, in);
}

static void end_next(Xlat *x, X86Insn *in)
{
    x86_put_next(x, in);
    end_dyn(x, in);
}

/* ---- far transfers ---- */

static void far_direct(Xlat *x, X86Insn *in, X86Helper h)
{
    x86_call(x, h, k(x, in->imm2), k(x, in->imm), k(x, in->osize), k(x, in->next_eip));
    end_dyn(x, in);
}
void gen_jmp_far(Xlat *x, X86Insn *in) { far_direct(x, in, X86H_jmp_far); }
void gen_call_far(Xlat *x, X86Insn *in) { far_direct(x, in, X86H_call_far); }

/* The far pointer in memory: offset of the operand size, then the selector. */
static void far_pointer(Xlat *x, X86Insn *in, IrVal *off, IrVal *sel)
{
    IrVal a = x86_addr(x, in, in->osize + 2, false);

    *off = x86_ld(x, a, in->osize);
    *sel = x86_ld(x, ir_addi(x->u, code64(x) ? 64 : 32, a, in->osize), 2);
}

static void far_indirect(Xlat *x, X86Insn *in, X86Helper h)
{
    IrVal off, sel;

    far_pointer(x, in, &off, &sel);
    x86_call(x, h, sel, off, k(x, in->osize), k(x, in->next_eip));
    end_dyn(x, in);
}
void gen_jmp_far_ind(Xlat *x, X86Insn *in) { far_indirect(x, in, X86H_jmp_far); }
void gen_call_far_ind(Xlat *x, X86Insn *in) { far_indirect(x, in, X86H_call_far); }

void gen_ret_far(Xlat *x, X86Insn *in)
{
    uint64_t release = in->opcode == 0xca ? in->imm & 0xffff : 0;

    x86_call2(x, X86H_ret_far, k(x, in->osize), k(x, release));
    end_dyn(x, in);
}

void gen_iret(Xlat *x, X86Insn *in)
{
    x86_call2(x, X86H_iret, k(x, in->osize), k(x, in->next_eip));
    end_dyn(x, in);
}

static void soft_int(Xlat *x, X86Insn *in, unsigned vector, bool int_n)
{
    x86_call3(x, X86H_soft_int, k(x, vector), k(x, in->next_eip), k(x, int_n));
    end_dyn(x, in);
}
void gen_int(Xlat *x, X86Insn *in) { soft_int(x, in, in->imm & 0xff, true); }
void gen_int3(Xlat *x, X86Insn *in) { soft_int(x, in, EX_BP, false); }

void gen_into(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_into, k(x, in->next_eip));
    end_dyn(x, in);
}

void gen_int1(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_int1, k(x, in->next_eip));
    x86_exit_loop(x, in);
}

void gen_syscall(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_syscall, k(x, in->next_eip));
    end_dyn(x, in);
}

void gen_sysret(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_sysret, k(x, x86_rex_w(in) ? 8 : 4));
    end_dyn(x, in);
}

void gen_sysenter(Xlat *x, X86Insn *in)
{
    x86_call0(x, X86H_sysenter);
    end_dyn(x, in);
}

void gen_sysexit(Xlat *x, X86Insn *in)
{
    x86_call1(x, X86H_sysexit, k(x, x86_rex_w(in) ? 8 : 4));
    end_dyn(x, in);
}

void gen_rsm(Xlat *x, X86Insn *in)
{
    if (ud_unless(x, hf(x) & HF_SMM)) {
        return;
    }
    x86_call0(x, X86H_rsm);
    end_dyn(x, in);
}

/* ---- segment registers ---- */

/* Loads sel; afterwards the unit ends unless nothing that shapes code can have changed. */
static void load_seg(Xlat *x, unsigned s, IrVal sel)
{
    x86_call2(x, X86H_load_seg, k(x, s), sel);
}

static void end_load_seg(Xlat *x, X86Insn *in, unsigned s)
{
    if (s == SEG_SS || !code64(x)) {
        x86_put_next(x, in);
        x86_exit_lookup(x, in);
    }
}

static IrVal selector(Xlat *x, unsigned s)
{
    return ir_lde(x->u, 16, OFF(seg[0].sel) + s * (unsigned)sizeof(X86Seg));
}

void gen_mov_from_seg(Xlat *x, X86Insn *in)
{
    if (!ud_unless(x, in->op[1].reg < 6)) {
        x86_wr(x, in, 0, selector(x, in->op[1].reg));
    }
}

void gen_mov_to_seg(Xlat *x, X86Insn *in)
{
    unsigned s = in->op[0].reg;

    if (!ud_unless(x, s < 6 && s != SEG_CS)) {
        load_seg(x, s, x86_rd(x, in, 1));
        end_load_seg(x, in, s);
    }
}

/* 06 0e 16 1e: ES CS SS DS; 0f a0, 0f a8: FS GS (the POPs are the next opcodes) */
static unsigned opcode_seg(const X86Insn *in)
{
    return in->opcode >> 3 & 7;
}

void gen_push_seg(Xlat *x, X86Insn *in)
{
    x86_push(x, in, in->osize, selector(x, opcode_seg(in)));
}

void gen_pop_seg(Xlat *x, X86Insn *in)
{
    unsigned s = opcode_seg(in);

    load_seg(x, s, x86_pop(x, in, in->osize));
    x86_pop_done(x, in, in->osize);
    end_load_seg(x, in, s);
}

void gen_lseg(Xlat *x, X86Insn *in)
{
    unsigned s = in->opcode == 0xc4 ? SEG_ES : in->opcode == 0xc5 ? SEG_DS : in->opcode & 7;
    IrVal off, sel;

    far_pointer(x, in, &off, &sel);
    load_seg(x, s, sel);
    x86_wr(x, in, 0, off);
    end_load_seg(x, in, s);
}

/* The upper half of a 16-byte base is taken with 64-bit code only; with 16-bit operands bits 31..24 are 0. */
static void load_table(Xlat *x, X86Insn *in, unsigned base_off, unsigned limit_off)
{
    unsigned n = code64(x) ? 8 : 4;
    IrVal a = x86_addr(x, in, 2 + n, false), limit = x86_ld(x, a, 2);
    IrVal base = x86_ld(x, ir_addi(x->u, n == 8 ? 64 : 32, a, 2), n);

    if (n == 8) {
        x86_raise_if(x, 64, IRC_NE, ir_sari(x->u, 64, ir_shli(x->u, 64, base, 16), 16), base, EX_GP, true, 0);
    } else if (in->osize == 2) {
        base = ir_andi(x->u, 32, base, 0xffffff);
    }
    ir_ste(x->u, 64, base_off, base);
    ir_ste(x->u, 32, limit_off, limit);
}
void gen_lgdt(Xlat *x, X86Insn *in) { load_table(x, in, OFF(gdt_base), OFF(gdt_limit)); }
void gen_lidt(Xlat *x, X86Insn *in) { load_table(x, in, OFF(idt_base), OFF(idt_limit)); }

/* SGDT SIDT SLDT STR SMSW: #GP(0) outside ring 0 with CR4.UMIP. True: raised. */
static bool umip(Xlat *x)
{
    return gp_unless(x, !(hf(x) & HF_UMIP) || cpl(x) == 0);
}

static void store_table(Xlat *x, X86Insn *in, unsigned base_off, unsigned limit_off)
{
    unsigned n = code64(x) ? 8 : 4;
    IrVal a;

    if (umip(x)) {
        return;
    }
    a = x86_addr(x, in, 2 + n, true);
    x86_st(x, a, 2, ir_lde(x->u, 32, limit_off));
    x86_st(x, ir_addi(x->u, n == 8 ? 64 : 32, a, 2), n, ir_lde(x->u, 64, base_off));
}
void gen_sgdt(Xlat *x, X86Insn *in) { store_table(x, in, OFF(gdt_base), OFF(gdt_limit)); }
void gen_sidt(Xlat *x, X86Insn *in) { store_table(x, in, OFF(idt_base), OFF(idt_limit)); }

void gen_sldt(Xlat *x, X86Insn *in)
{
    if (!umip(x)) {
        x86_wr(x, in, 0, selector(x, SEG_LDT));
    }
}

void gen_str(Xlat *x, X86Insn *in)
{
    if (!umip(x)) {
        x86_wr(x, in, 0, selector(x, SEG_TR));
    }
}

void gen_lldt(Xlat *x, X86Insn *in) { x86_call1(x, X86H_lldt, x86_rd(x, in, 0)); }
void gen_ltr(Xlat *x, X86Insn *in) { x86_call1(x, X86H_ltr, x86_rd(x, in, 0)); }

/* ---- LAR LSL VERR VERW ARPL ---- */

static void set_zf(Xlat *x, IrVal bit)
{
    x86_cc_merge(x, FL_ZF, ir_shli(x->u, 64, bit, 6));
}

/* Bit 63 of the helper's result: ZF, and only then the register changes. */
static void lar_lsl(Xlat *x, X86Insn *in, X86Helper h)
{
    IrUnit *u = x->u;
    IrVal r = x86_call1(x, h, x86_rd(x, in, 1)), ok = ir_shri(u, 64, r, 63);
    IrVal old = ir_get(u, in->op[0].reg), new;

    new = in->osize == 2 ? ir_deposit(u, 64, old, r, 0, 16) : ir_zext(u, 64, 32, r);
    ir_put(u, in->op[0].reg, ir_sel(u, 64, IRC_NE, ok, k(x, 0), new, old));
    set_zf(x, ok);
}
void gen_lar(Xlat *x, X86Insn *in) { lar_lsl(x, in, X86H_lar); }
void gen_lsl(Xlat *x, X86Insn *in) { lar_lsl(x, in, X86H_lsl); }

void gen_verr(Xlat *x, X86Insn *in)
{
    set_zf(x, ir_andi(x->u, 64, x86_call1(x, X86H_verr, x86_rd(x, in, 0)), 1));
}

void gen_verw(Xlat *x, X86Insn *in)
{
    set_zf(x, ir_shri(x->u, 64, x86_call1(x, X86H_verr, x86_rd(x, in, 0)), 1));
}

void gen_arpl(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    IrVal d = x86_rd_rmw(x, in, 0), s = x86_rd(x, in, 1);
    IrVal dr = ir_andi(u, 32, d, 3), sr = ir_andi(u, 32, s, 3);
    IrVal less = ir_setc(u, 32, IRC_LTU, dr, sr);

    x86_wr(x, in, 0, ir_sel(u, 32, IRC_NE, less, k(x, 0), ir_or(u, 32, ir_andi(u, 32, d, 0xfffc), sr), d));
    set_zf(x, less);
}

/* ---- flags ---- */

/* CLI and STI: 0 allowed, 1 by VME or PVI perhaps. */
static bool if_needs_virtual(const Xlat *x)
{
    return hf(x) & HF_VM ? iopl(x) < 3 : protected(x) && cpl(x) > iopl(x);
}

void gen_cli(Xlat *x, X86Insn *in)
{
    (void)in;
    if (if_needs_virtual(x)) {
        x86_call1(x, X86H_virtual_if, k(x, 0));
        return;
    }
    ir_ste(x->u, 64, OFF(eflags), ir_andi(x->u, 64, ir_lde(x->u, 64, OFF(eflags)), ~(uint64_t)FL_IF));
}

/* Is the next instruction sure to be in this unit?  Then nothing can come between it and this one. */
static bool next_in_unit(Xlat *x, const X86Insn *in)
{
    return !x86_step(x) && x->ninsns + 2 <= x->max_insns && x->u->nops + 64 < IR_MAX_OPS / 2 &&
        x->u->nexits + 8 < IR_MAX_EXITS / 2 && xlat_look(x, in->next, 15);
}

void gen_sti(Xlat *x, X86Insn *in)
{
    if (if_needs_virtual(x)) {
        x86_call1(x, X86H_virtual_if, k(x, 1));
        return;
    }
    if (next_in_unit(x, in)) {
        x86_call0(x, X86H_sti_inside);
        x86_unit(x)->sti = 2;            /* decode.c polls after the next instruction */
        return;
    }
    x86_call0(x, X86H_sti);
    x86_put_next(x, in);
    x86_exit_lookup(x, in);
}

void gen_pushf(Xlat *x, X86Insn *in)
{
    IrUnit *u = x->u;
    IrVal fl;

    if ((hf(x) & HF_VM) && iopl(x) < 3) {
        if (gp_unless(x, in->osize == 2)) {
            return;
        }
        fl = x86_call0(x, X86H_pushf_v86);
    } else {
        fl = ir_or(u, 64, ir_lde(u, 64, OFF(eflags)), x86_cc_all(x));
        fl = ir_or(u, 64, fl, ir_andi(u, 64, ir_get(u, X86_DF), FL_DF));        /* -1 has the bit, 1 has not */
        fl = ir_andi(u, 64, fl, ~(uint64_t)(FL_RF | FL_VM));
    }
    x86_push(x, in, in->osize, fl);
}

void gen_popf(Xlat *x, X86Insn *in)
{
    IrVal v = x86_pop(x, in, in->osize);

    x86_call2(x, X86H_popf, v, k(x, in->osize));
    x86_pop_done(x, in, in->osize);
    end_next(x, in);
}

static void set_ac(Xlat *x, unsigned on)
{
    if (!ud_unless(x, protected(x) && cpl(x) == 0)) {
        x86_call1(x, X86H_set_ac, k(x, on));
    }
}
void gen_clac(Xlat *x, X86Insn *in) { (void)in; set_ac(x, 0); }
void gen_stac(Xlat *x, X86Insn *in) { (void)in; set_ac(x, 1); }

/* ---- control and debug registers ---- */

void gen_mov_from_cr(Xlat *x, X86Insn *in)
{
    static const uint16_t off[] = { OFF(cr0), 0, OFF(cr2), OFF(cr3), OFF(cr4) };
    unsigned n = in->op[1].reg;

    if (n == 8 && code64(x)) {
        x86_wr(x, in, 0, x86_call0(x, X86H_get_cr8));
    } else if (!ud_unless(x, n < 5 && n != 1)) {
        x86_wr(x, in, 0, ir_lde(x->u, 64, off[n]));
    }
}

void gen_mov_to_cr(Xlat *x, X86Insn *in)
{
    unsigned n = in->op[0].reg;

    if (n == 2) {
        ir_ste(x->u, 64, OFF(cr2), x86_rd(x, in, 1));
        return;
    }
    if (ud_unless(x, n == 0 || n == 3 || n == 4 || (n == 8 && code64(x)))) {
        return;
    }
    x86_call2(x, X86H_mov_to_cr, k(x, n), x86_rd(x, in, 1));
    end_next(x, in);
}

void gen_mov_from_dr(Xlat *x, X86Insn *in)
{
    if (!ud_unless(x, in->op[1].reg < 8)) {
        x86_wr(x, in, 0, x86_call1(x, X86H_get_dr, k(x, in->op[1].reg)));
    }
}

void gen_mov_to_dr(Xlat *x, X86Insn *in)
{
    if (!ud_unless(x, in->op[0].reg < 8)) {
        x86_call2(x, X86H_mov_to_dr, k(x, in->op[0].reg), x86_rd(x, in, 1));
        end_next(x, in);
    }
}

void gen_smsw(Xlat *x, X86Insn *in)
{
    if (!umip(x)) {
        x86_wr(x, in, 0, ir_lde(x->u, 64, OFF(cr0)));
    }
}

void gen_lmsw(Xlat *x, X86Insn *in) { x86_call1(x, X86H_lmsw, x86_rd(x, in, 0)); }
void gen_clts(Xlat *x, X86Insn *in) { (void)in; x86_call0(x, X86H_clts); }

void gen_xgetbv(Xlat *x, X86Insn *in)
{
    (void)in;
    if (!ud_unless(x, hf(x) & HF_OSXSAVE)) {
        x86_call0(x, X86H_xgetbv);
    }
}

void gen_xsetbv(Xlat *x, X86Insn *in)
{
    (void)in;
    if (!ud_unless(x, hf(x) & HF_OSXSAVE)) {
        x86_call0(x, X86H_xsetbv);
    }
}

/* ---- translations and caches ---- */

void gen_invlpg(Xlat *x, X86Insn *in)
{
    IrVal off = x86_ea(x, in), base = k(x, 0);

    /* no segment check: a bad address invalidates nothing */
    if (in->mseg >= SEG_FS) {
        base = ir_get(x->u, in->mseg == SEG_FS ? X86_FS_BASE : X86_GS_BASE);
    } else if (!code64(x)) {
        base = ir_lde(x->u, 64, OFF(seg[0].base) + in->mseg * (unsigned)sizeof(X86Seg));
    }
    x86_call1(x, X86H_invlpg, ir_add(x->u, 64, off, base));
}

void gen_invpcid(Xlat *x, X86Insn *in)
{
    unsigned w = code64(x) ? 64 : 32;
    IrVal a = x86_addr(x, in, 16, false), lo = x86_ld(x, a, 8), high = x86_ld(x, ir_addi(x->u, w, a, 8), 8);

    x86_call3(x, X86H_invpcid, x86_get_gpr(x, in->op[0].reg, w / 8, false), lo, high);
}

/* Caches are coherent here. */
void gen_wbinvd(Xlat *x, X86Insn *in) { (void)x, (void)in; }

/* ---- MSRs, CPUID, time ---- */

void gen_rdmsr(Xlat *x, X86Insn *in) { (void)in; x86_call0(x, X86H_rdmsr); }
void gen_cpuid(Xlat *x, X86Insn *in) { (void)in; x86_call0(x, X86H_cpuid); }
void gen_rdpmc(Xlat *x, X86Insn *in) { (void)in; x86_call0(x, X86H_rdpmc); }

void gen_wrmsr(Xlat *x, X86Insn *in)
{
    x86_call0(x, X86H_wrmsr);
    end_next(x, in);
}

/* EDX:EAX = time-stamp counter; true: raised instead. */
static bool read_tsc(Xlat *x)
{
    IrVal t;

    if (gp_unless(x, !(hf(x) & HF_TSD) || cpl(x) == 0)) {
        return true;
    }
    t = x86_call0(x, X86H_rdtsc);
    ir_put(x->u, X86_RAX, ir_zext(x->u, 64, 32, t));
    ir_put(x->u, X86_RDX, ir_shri(x->u, 64, t, 32));
    return false;
}

void gen_rdtsc(Xlat *x, X86Insn *in) { (void)in; read_tsc(x); }

void gen_rdtscp(Xlat *x, X86Insn *in)
{
    (void)in;
    if (!read_tsc(x)) {
        ir_put(x->u, X86_RCX, ir_lde(x->u, 32, OFF(tsc_aux)));
    }
}

void gen_rdpid(Xlat *x, X86Insn *in)
{
    x86_wr(x, in, 0, ir_lde(x->u, 32, OFF(tsc_aux)));
}

/* ---- FS and GS base ---- */

void gen_swapgs(Xlat *x, X86Insn *in)
{
    IrVal gs;

    (void)in;
    if (gp_unless(x, cpl(x) == 0)) {
        return;
    }
    gs = ir_get(x->u, X86_GS_BASE);
    ir_put(x->u, X86_GS_BASE, ir_lde(x->u, 64, OFF(kernel_gs_base)));
    ir_ste(x->u, 64, OFF(kernel_gs_base), gs);
}

static void rd_base(Xlat *x, X86Insn *in, unsigned reg)
{
    if (!ud_unless(x, hf(x) & HF_FSGSBASE)) {
        x86_wr(x, in, 0, ir_get(x->u, reg));
    }
}
void gen_rdfsbase(Xlat *x, X86Insn *in) { rd_base(x, in, X86_FS_BASE); }
void gen_rdgsbase(Xlat *x, X86Insn *in) { rd_base(x, in, X86_GS_BASE); }

static void wr_base(Xlat *x, X86Insn *in, unsigned reg)
{
    IrVal v;

    if (ud_unless(x, hf(x) & HF_FSGSBASE)) {
        return;
    }
    v = x86_rd(x, in, 0);
    x86_raise_if(x, 64, IRC_NE, ir_sari(x->u, 64, ir_shli(x->u, 64, v, 16), 16), v, EX_GP, true, 0);
    ir_put(x->u, reg, v);
}
void gen_wrfsbase(Xlat *x, X86Insn *in) { wr_base(x, in, X86_FS_BASE); }
void gen_wrgsbase(Xlat *x, X86Insn *in) { wr_base(x, in, X86_GS_BASE); }

/* ---- waiting ---- */

void gen_hlt(Xlat *x, X86Insn *in)
{
    x86_put_next(x, in);
    x86_call0(x, X86H_hlt);
    x86_exit_loop(x, in);
}

/* The monitored address is only checked; MWAIT wakes at once, which the architecture allows. */
void gen_monitor(Xlat *x, X86Insn *in)
{
    IrVal a = x86_linear(x, in->seg >= 0 ? (unsigned)in->seg : SEG_DS, x86_get_gpr(x, X86_RAX, in->asize, false), 1, false);

    x86_ld(x, a, 1);
}

void gen_mwait(Xlat *x, X86Insn *in)
{
    x86_put_next(x, in);
    x86_exit_loop(x, in);
}

/* ---- ports ---- */

static IrVal port_of(Xlat *x, X86Insn *in, unsigned n)
{
    return in->op[n].loc == LOC_IMM ? k(x, in->op[n].imm & 0xff) : x86_get_gpr(x, X86_RDX, 2, false);
}

/* Ring and IOPL alone may decide; else the TSS bitmap. */
static void io_check(Xlat *x, IrVal port, unsigned size)
{
    if ((hf(x) & HF_VM) || (protected(x) && cpl(x) > iopl(x))) {
        x86_call2(x, X86H_io_check, port, k(x, size));
    }
}

void gen_in(Xlat *x, X86Insn *in)
{
    IrVal port = port_of(x, in, 1);
    unsigned size = in->op[0].size;

    io_check(x, port, size);
    x86_wr(x, in, 0, x86_call2(x, X86H_io_in, port, k(x, size)));
    end_next(x, in);
}

void gen_out(Xlat *x, X86Insn *in)
{
    IrVal port = port_of(x, in, 0);
    unsigned size = in->op[1].size;

    io_check(x, port, size);
    x86_call3(x, X86H_io_out, port, k(x, size), x86_rd(x, in, 1));
    end_next(x, in);
}
