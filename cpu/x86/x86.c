/* The x86 guest CPU as the core sees it: one const CpuArch.
 *
 * Reset and INIT follow table 9-1 of Intel SDM volume 3; register printing has
 * the layout that users of `info registers` know; instructions are
 * disassembled by capstone in the vcpu's current mode. */
#include <capstone/capstone.h>
#include <stdlib.h>

#include "cpu/x86/decode.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/sys.h"
#include "util/bits.h"
#include "util/log.h"

/* ---- registers and helpers for the IR ---- */

static const IrReg regs[X86_REGS] = {
#define REG(NAME, name, home, type, heat) [X86_##NAME] = { name, home, type, heat },
#include "cpu/x86/regs.def"
#undef REG
};

enum {
    PURE = IRH_PURE, READ = IRH_READ, WRITE = IRH_WRITE, FAULT = IRH_FAULT, VEC = IRH_VEC, GPR = IRH_GPR,
    NORETURN = IRH_NORETURN,
};
static const IrHelper helpers[X86_HELPERS] = {
#define HELPER(name, nargs, ret, flags) [X86H_##name] = { #name, (void *)x86_h_##name, nargs, ret, flags },
#include "cpu/x86/helpers.def"
#undef HELPER
};
static const IrArch x86_ir = { "x86", regs, X86_REGS, X86_RIP, helpers, X86_HELPERS };

/* ---- reset ---- */

static void reset_segments(X86Cpu *c)
{
    for (unsigned i = 0; i < SEG_LDT; i++) {
        x86_set_seg(c, i, 0, 0, 0xffff, DA_P | DA_S | DA_RW | DA_ACC);
    }
    x86_set_seg(c, SEG_CS, 0xf000, 0xffff0000, 0xffff, DA_P | DA_S | DA_CODE | DA_RW | DA_ACC);
    x86_set_seg(c, SEG_LDT, 0, 0, 0xffff, DA_P | SYS_LDT << DA_TYPE_SHIFT);
    x86_set_seg(c, SEG_TR, 0, 0, 0xffff, DA_P | SYS_TSS32_BUSY << DA_TYPE_SHIFT);
    c->gdt_base = c->idt_base = 0;
    c->gdt_limit = c->idt_limit = 0xffff;
}

static void reset_common(X86Cpu *c)
{
    for (unsigned i = X86_RAX; i <= X86_R15; i++) {
        X86R(c, i) = 0;
    }
    X86R(c, X86_RDX) = 0x600 | (c->family & 15) << 8 | (c->model_nr & 15) << 4 | c->stepping;
    X86R(c, X86_RIP) = 0xfff0;
    X86R(c, X86_DF) = 1;
    x86_set_cc(c, 0);
    c->eflags = 2;
    reset_segments(c);
    c->cr2 = c->cr3 = c->cr4 = c->cr8 = 0;
    memset(c->dr, 0, sizeof c->dr);
    c->dr[6] = 0xffff0ff0;
    c->dr[7] = 0x400;
    c->efer = 0;
    c->nmi_masked = false;
    c->delivering = -1;
    c->dr6_pending = 0;
    if (c->hflags & HF_SMM && c->mem_normal) {
        c->vcpu.mem = c->mem_normal;
    }
    c->hflags = 0;
    c->vcpu.halted = false;
    c->vcpu.powered_off = c->vcpu.index != 0;
}

static void reset_fpu(X86Cpu *c)
{
    memset(&c->fpu, 0, sizeof c->fpu);
    c->fpu.fcw = 0x40;
    memset(c->xmm, 0, sizeof c->xmm);
    memset(c->ymmh, 0, sizeof c->ymmh);
    c->mxcsr = 0x1f80;
    c->vcpu.env.fpcr = 0x1f80;
    c->xcr0 = 1;
}

static void reset_msrs(X86Cpu *c)
{
    c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = 0;
    c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
    c->tsc_aux = c->spec_ctrl = c->tsc_adjust = 0;
    c->tsc_offset = -x86_tsc_start();
    c->pat = 0x0007040600070406;
    c->misc_enable = 1;
    c->smbase = 0x30000;
    c->apic_base_cache = 0xfee00000 | 1 << 11 | (c->vcpu.index == 0 ? 1 << 8 : 0);
    c->mtrr_def = 0;
    memset(c->mtrr_fixed, 0, sizeof c->mtrr_fixed);
    memset(c->mtrr_var, 0, sizeof c->mtrr_var);
    memset(c->mc_banks, 0, sizeof c->mc_banks);
    c->mcg_status = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(c->mc_banks); i++) {
        c->mc_banks[i][0] = UINT64_MAX;  /* MCi_CTL */
    }
}

static void reset_done(X86Cpu *c)
{
    tlb_flush(&c->vcpu);
    x86_switch_space(c, true);
    x86_update_mode(c);
    cpu_mode_changed(&c->vcpu);
}

static void x86_reset(Vcpu *v)
{
    X86Cpu *c = x86_of(v);

    reset_common(c);
    reset_fpu(c);
    reset_msrs(c);
    c->cr0 = CR0_CD | CR0_NW | CR0_ET;
    c->a20 = 1;
    reset_done(c);
}

void x86_init(X86Cpu *c)
{
    uint64_t keep = c->cr0 & (CR0_CD | CR0_NW);

    reset_common(c);
    c->cr0 = keep | CR0_ET;
    reset_done(c);
}

/* Rows of saved state.  Derived or rebuilt: hflags, delivering, feature words and strings (the model's). */
#define SEG_ROWS(s) REG_U64(X86Cpu, seg[s].base, 0), REG_U32(X86Cpu, seg[s].limit, 0xffff), \
    REG_U32(X86Cpu, seg[s].attr, 0), REG_U32(X86Cpu, seg[s].sel, 0)
static const Field fields[] = {
    REG_U64(X86Cpu, vcpu.env.regs, 0), REG_U32(X86Cpu, vcpu.env.fpcr, 0x1f80), REG_BOOL(X86Cpu, vcpu.halted, 0),
    REG_BOOL(X86Cpu, vcpu.powered_off, 0), REG_U64(X86Cpu, eflags, 2), REG_U64(X86Cpu, hflags, 0),
    SEG_ROWS(0), SEG_ROWS(1), SEG_ROWS(2), SEG_ROWS(3), SEG_ROWS(4), SEG_ROWS(5), SEG_ROWS(6), SEG_ROWS(7),
    REG_U64(X86Cpu, gdt_base, 0), REG_U64(X86Cpu, idt_base, 0), REG_U32(X86Cpu, gdt_limit, 0xffff),
    REG_U32(X86Cpu, idt_limit, 0xffff), REG_U64(X86Cpu, cr0, 0x60000010), REG_U64(X86Cpu, cr2, 0), REG_U64(X86Cpu, cr3, 0),
    REG_U64(X86Cpu, cr4, 0), REG_U64(X86Cpu, cr8, 0), REG_U64(X86Cpu, xcr0, 1), REG_U64(X86Cpu, dr, 0),
    REG_U64(X86Cpu, efer, 0), REG_U64(X86Cpu, star, 0), REG_U64(X86Cpu, lstar, 0), REG_U64(X86Cpu, cstar, 0),
    REG_U64(X86Cpu, fmask, 0), REG_U64(X86Cpu, kernel_gs_base, 0), REG_U64(X86Cpu, sysenter_cs, 0),
    REG_U64(X86Cpu, sysenter_esp, 0), REG_U64(X86Cpu, sysenter_eip, 0), REG_U64(X86Cpu, tsc_offset, 0),
    REG_U64(X86Cpu, tsc_aux, 0), REG_U64(X86Cpu, pat, 0x0007040600070406), REG_U64(X86Cpu, apic_base_cache, 0),
    REG_U64(X86Cpu, misc_enable, 1), REG_U64(X86Cpu, smbase, 0x30000), REG_U64(X86Cpu, spec_ctrl, 0),
    REG_U64(X86Cpu, tsc_adjust, 0), REG_U64(X86Cpu, mtrr_def, 0), REG_U64(X86Cpu, mtrr_fixed, 0),
    REG_U64(X86Cpu, mtrr_var, 0), REG_U64(X86Cpu, mcg_status, 0), REG_U64(X86Cpu, mc_banks, 0),
    REG_BOOL(X86Cpu, nmi_masked, 0), REG_U8(X86Cpu, a20, 1), REG_BYTES(X86Cpu, fpu), REG_U32(X86Cpu, mxcsr, 0x1f80),
    REG_U64(X86Cpu, xmm, 0), REG_U64(X86Cpu, ymmh, 0), REG_U64(X86Cpu, dr6_pending, 0),
    HOST(X86Cpu, vtmp), HOST(X86Cpu, feat), HOST(X86Cpu, model), HOST(X86Cpu, delivering),
    LINK(X86Cpu, apic), LINK(X86Cpu, apic_dev), LINK(X86Cpu, smm_mem), LINK(X86Cpu, mem_normal),
    FIELD_END,
};

/* ---- key and program counter ---- */

static uint64_t cs_base(uint64_t hf)
{
    return hf & HF_CS64 ? 0 : hf >> 32;
}

static uint64_t x86_get_pc(const Vcpu *v)
{
    const X86Cpu *c = (const X86Cpu *)v;
    uint64_t ip = X86R(c, X86_RIP);

    return c->hflags & HF_CS64 ? ip : (uint32_t)(ip + cs_base(c->hflags));
}

static void x86_set_pc(Vcpu *v, uint64_t pc)
{
    X86Cpu *c = x86_of(v);

    X86R(c, X86_RIP) = c->hflags & HF_CS64 ? pc : (uint32_t)(pc - cs_base(c->hflags));
}

static uint64_t x86_pc_bias(uint64_t flags)
{
    return cs_base(flags);
}

static CodeKey x86_key(const Vcpu *v)
{
    return (CodeKey){ .pc = x86_get_pc(v), .flags = ((const X86Cpu *)v)->hflags };
}

static unsigned x86_exec_mode(uint64_t flags)
{
    return (flags & HF_CPL) == 3 ? MMU_USER : MMU_KERNEL;
}

static void x86_divide_error(Vcpu *v, Fault *f)
{
    (void)v;
    *f = (Fault){ .kind = EX_DE };
}

/* ---- printing ---- */

#define X64 "%016" G_GINT64_MODIFIER "x"

static void print_gprs(const X86Cpu *c, GString *out)
{
    static const char *const names[] = { "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP", "R8 ", "R9 ", "R10", "R11",
                                         "R12", "R13", "R14", "R15" };
    static const uint8_t order[] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 };
    bool lm = c->hflags & HF_LMA;

    for (unsigned i = 0; i < (lm ? 16u : 8u); i++) {
        const char *end = (i & 3) == 3 ? "\n" : " ";

        if (lm) {
            g_string_append_printf(out, "%s=" X64 "%s", names[i], X86R(c, order[i]), end);
        } else {
            g_string_append_printf(out, "E%s=%08x%s", names[i] + 1, (uint32_t)X86R(c, order[i]), end);
        }
    }
}

static void print_flags(const X86Cpu *c, GString *out)
{
    static const struct { uint64_t bit; char ch; } fl[] = { { FL_DF, 'D' }, { FL_OF, 'O' }, { FL_SF, 'S' }, { FL_ZF, 'Z' },
                                                            { FL_AF, 'A' }, { FL_PF, 'P' }, { FL_CF, 'C' } };
    uint64_t v = x86_get_eflags(c);

    g_string_append_printf(out, c->hflags & HF_LMA ? "RIP=" X64 " RFL=%08x [" : "EIP=%08" G_GINT64_MODIFIER "x EFL=%08x [",
                           X86R(c, X86_RIP), (uint32_t)v);
    for (unsigned i = 0; i < G_N_ELEMENTS(fl); i++) {
        g_string_append_c(out, v & fl[i].bit ? fl[i].ch : '-');
    }
    g_string_append_printf(out, "] CPL=%u II=%u A20=%u SMM=%u HLT=%u\n", x86_cpl(c), !!(c->hflags & HF_SHADOW), c->a20,
                           !!(c->hflags & HF_SMM), c->vcpu.halted);
}

static const char *seg_kind(uint32_t attr)
{
    static const char *const sys[] = { "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16",
                                       "TrapGate16", "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved",
                                       "IntGate32", "TrapGate32" };

    if (!(attr & DA_P)) {
        return "";
    }
    if (attr & DA_S) {
        return !(attr & DA_CODE) ? attr & DA_DB ? "DS" : "DS16" : attr & DA_L ? "CS64" : attr & DA_DB ? "CS32" : "CS16";
    }
    return sys[desc_type(attr)];
}

static void print_segs(const X86Cpu *c, GString *out)
{
    static const char *const names[] = { "ES ", "CS ", "SS ", "DS ", "FS ", "GS ", "LDT", "TR " };
    bool lm = c->hflags & HF_LMA;

    for (unsigned i = 0; i < X86_SEGS; i++) {
        const X86Seg *s = &c->seg[i];

        g_string_append_printf(out, lm ? "%s=%04x " X64 " %08x %08x DPL=%u %s" : "%s=%04x %08" G_GINT64_MODIFIER "x %08x %08x DPL=%u %s",
                               names[i], s->sel, x86_seg_base(c, i), s->limit, s->attr, desc_dpl(s->attr), seg_kind(s->attr));
        if (s->attr & DA_S) {
            g_string_append_printf(out, " [%c%c%c]", s->attr & DA_CE ? s->attr & DA_CODE ? 'C' : 'E' : '-',
                                   s->attr & DA_RW ? s->attr & DA_CODE ? 'R' : 'W' : '-', s->attr & DA_ACC ? 'A' : '-');
        }
        g_string_append_c(out, '\n');
    }
    g_string_append_printf(out, lm ? "GDT=     " X64 " %08x\nIDT=     " X64 " %08x\n" :
                           "GDT=     %08" G_GINT64_MODIFIER "x %08x\nIDT=     %08" G_GINT64_MODIFIER "x %08x\n",
                           c->gdt_base, c->gdt_limit, c->idt_base, c->idt_limit);
}

static void print_control(const X86Cpu *c, GString *out)
{
    bool lm = c->hflags & HF_LMA;

    g_string_append_printf(out, lm ? "CR0=%08x CR2=" X64 " CR3=" X64 " CR4=%08x\n" :
                           "CR0=%08x CR2=%08" G_GINT64_MODIFIER "x CR3=%08" G_GINT64_MODIFIER "x CR4=%08x\n",
                           (uint32_t)c->cr0, c->cr2, c->cr3, (uint32_t)c->cr4);
    for (unsigned i = 0; i < 4; i++) {
        g_string_append_printf(out, "DR%u=" X64 "%s", i, c->dr[i], i == 3 ? "\n" : " ");
    }
    g_string_append_printf(out, "DR6=" X64 " DR7=" X64 "\nEFER=" X64 "\n", c->dr[6], c->dr[7], c->efer);
}

static void print_fpu(const X86Cpu *c, GString *out)
{
    unsigned nxmm = c->hflags & HF_CS64 ? 16 : 8;

    g_string_append_printf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", c->fpu.fcw,
                           fpu_get_fsw(&c->fpu), c->fpu.top, fpu_get_ftw8(&c->fpu), x86_get_mxcsr(c));
    for (unsigned i = 0; i < 8; i++) {
        g_string_append_printf(out, "FPR%u=" X64 " %04x%s", i, c->fpu.st[i].mant, c->fpu.st[i].exp, i & 1 ? "\n" : " ");
    }
    for (unsigned i = 0; i < nxmm; i++) {
        g_string_append_printf(out, "XMM%02u=" X64 X64 "%s", i, c->xmm[i][1], c->xmm[i][0], i & 1 ? "\n" : " ");
    }
}

static void x86_print_regs(Vcpu *v, GString *out)
{
    const X86Cpu *c = x86_of(v);

    print_gprs(c, out);
    print_flags(c, out);
    print_segs(c, out);
    print_control(c, out);
    print_fpu(c, out);
}

/* ---- disassembly ---- */

static unsigned x86_disas(Vcpu *v, uint64_t gva, GString *out)
{
    const X86Cpu *c = x86_of(v);
    uint8_t buf[15];
    unsigned n = 0, len = 1;
    cs_insn *insn;
    csh cs;

    while (n < sizeof buf && cpu_debug_read(v, gva + n, buf + n, 1)) {
        n++;
    }
    if (n == 0 || cs_open(CS_ARCH_X86, c->hflags & HF_CS64 ? CS_MODE_64 : c->hflags & HF_CS32 ? CS_MODE_32 : CS_MODE_16, &cs)) {
        g_string_append(out, n ? "(no disassembler)" : "(not mapped)");
        return 1;
    }
    if (cs_disasm(cs, buf, n, gva, 1, &insn) == 1) {
        g_string_append_printf(out, "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
        len = insn->size;
        cs_free(insn, 1);
    } else {
        g_string_append_printf(out, ".byte 0x%02x", buf[0]);
    }
    cs_close(&cs);
    return len;
}

static void x86_once(void)
{
    x86_tsc_hz();
}

const CpuArch x86_arch = {
    .name = "x86", .doc = "16, 32 and 64-bit x86",
    .vcpu_size = sizeof(X86Cpu), .page_bits = 12, .va_bits = 48,
    .ir = &x86_ir, .fields = fields,
    .init = x86_once, .set_model = x86_set_model, .list_models = x86_list_models, .reset = x86_reset,
    .key = x86_key, .exec_mode = x86_exec_mode, .pc_bias = x86_pc_bias, .translate_insn = x86_translate_insn,
    .walk = x86_walk, .unaligned = x86_unaligned, .divide_error = x86_divide_error,
    .raise = x86_raise_arch, .poll_irq = x86_poll_irq, .has_work = x86_has_work,
    .get_pc = x86_get_pc, .set_pc = x86_set_pc, .print_regs = x86_print_regs, .print_tlb = x86_print_tlb, .disas = x86_disas,
};
