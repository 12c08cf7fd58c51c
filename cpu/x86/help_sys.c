/* Helpers of the system instructions: what generated code calls when an
 * instruction needs descriptors, control registers, ports or MSRs.
 *
 * Each is uint64_t x86_h_NAME(env, a, b, c, f); its row in helpers_sys.def
 * says which arguments it has.  Those that leave to another place set the RIP
 * row; the unit then ends with a lookup in the new mode.  Checks are in the
 * order of the SDM's pseudo-code (volume 2). */
#include "cpu/x86/sys.h"
#include "util/bits.h"

/* The signature, with the vcpu as `c` and unused arguments silenced. */
#define H(name) \
    static uint64_t name##_(X86Cpu *c, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4); \
    uint64_t x86_h_##name(TcgEnv *env, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4) \
    { return name##_(x86_env(env), a1, a2, a3, a4); } \
    static uint64_t name##_(X86Cpu *c, G_GNUC_UNUSED uint64_t a1, G_GNUC_UNUSED uint64_t a2, \
                            G_GNUC_UNUSED uint64_t a3, G_GNUC_UNUSED uint64_t a4)

static void check(X86Cpu *c, bool ok, const Fault *f)
{
    if (!ok) {
        x86_raise_fault(c, f);
    }
}

static void G_GNUC_NORETURN gp0(X86Cpu *c)
{
    x86_raise_code(c, EX_GP, 0);
}

/* ---- segments ---- */

/* offset, segment | size << 8 | write << 16 -> linear */
H(seg_check)
{
    uint64_t lin;
    Fault f;

    check(c, x86_seg_linear(c, a2 & 7, a1, a2 >> 8 & 0xff, a2 >> 16 & 1, &lin, &f), &f);
    return lin;
}

/* segment, selector */
H(load_seg)
{
    Fault f;

    check(c, x86_load_seg(c, a1, (uint16_t)a2, &f), &f);
    if (a1 == SEG_SS) {
        c->hflags |= HF_SHADOW;
        cpu_mode_changed(&c->vcpu);
    }
    x86_update_mode(c);
    return 0;
}

H(lldt)
{
    Fault f;

    check(c, x86_load_ldt(c, (uint16_t)a1, EX_GP, &f), &f);
    return 0;
}

H(ltr)
{
    Fault f;

    check(c, x86_load_tr(c, (uint16_t)a1, &f), &f);
    return 0;
}

#define VALID ((uint64_t)1 << 63)

/* The descriptor that LAR, LSL, VERR, VERW look at; false: not to be seen. */
static bool visible(X86Cpu *c, uint16_t sel, X86Desc *d)
{
    Fault f;

    if (sel_null(sel)) {
        return false;
    }
    if (!x86_desc_read(c, sel, d, EX_GP, 0, &f)) {
        if (f.kind == EX_PF) {
            x86_raise_fault(c, &f);
        }
        return false;
    }
    if (desc_is_code(d->hi) && (d->hi & DA_CE)) {
        return true;
    }
    return desc_dpl(d->hi) >= x86_cpl(c) && desc_dpl(d->hi) >= (sel & 3u);
}

/* types of system descriptors, one bit each */
enum {
    LAR_32 = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_CALL16 | 1 << SYS_TASK | 1 << SYS_TSS32 |
        1 << SYS_TSS32_BUSY | 1 << SYS_CALL32,
    LAR_64 = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY | 1 << SYS_CALL32,
    LSL_32 = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
    LSL_64 = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
};

/* selector -> access rights | VALID */
H(lar)
{
    X86Desc d;

    if (!visible(c, (uint16_t)a1, &d) ||
        (!(d.hi & DA_S) && !((x86_lma(c) ? LAR_64 : LAR_32) >> desc_type(d.hi) & 1))) {
        return 0;
    }
    return (d.hi & DA_MASK) | VALID;
}

H(lsl)
{
    X86Desc d;

    if (!visible(c, (uint16_t)a1, &d) ||
        (!(d.hi & DA_S) && !((x86_lma(c) ? LSL_64 : LSL_32) >> desc_type(d.hi) & 1))) {
        return 0;
    }
    return desc_limit(&d) | VALID;
}

/* selector -> 1 readable, 2 writable */
H(verr)
{
    uint64_t r = 0;
    X86Desc d;

    if (visible(c, (uint16_t)a1, &d) && (d.hi & DA_S)) {
        r |= !desc_is_code(d.hi) || (d.hi & DA_RW) ? 1 : 0;
        r |= desc_is_wdata(d.hi) ? 2 : 0;
    }
    return r;
}

/* ---- far transfers ---- */

/* selector, offset, operand size, next RIP */
H(jmp_far)
{
    Fault f;

    x86_finish(c, x86_jmp_far(c, (uint16_t)a1, a2, (unsigned)a3, a4, &f), &f);
    return 0;
}

H(call_far)
{
    Fault f;

    x86_finish(c, x86_call_far(c, (uint16_t)a1, a2, (unsigned)a3, a4, &f), &f);
    return 0;
}

/* operand size, bytes to release */
H(ret_far)
{
    Fault f;

    x86_finish(c, x86_ret_far(c, (unsigned)a1, (unsigned)a2, &f), &f);
    return 0;
}

/* operand size, next RIP */
H(iret)
{
    Fault f;

    x86_finish(c, x86_iret(c, (unsigned)a1, a2, &f), &f);
    return 0;
}

/* vector, next RIP, 1: INT n (not INT3, INTO) */
H(soft_int)
{
    Fault f;

    x86_finish(c, x86_soft_int(c, (unsigned)a1, a2, a3, &f), &f);
    return 0;
}

/* next RIP */
H(into)
{
    if (x86_cc(c) & FL_OF) {
        return x86_h_soft_int(&c->vcpu.env, EX_OF, a1, 0, 0);
    }
    X86R(c, X86_RIP) = a1;
    return 0;
}

H(int1)
{
    X86R(c, X86_RIP) = a1;
    x86_debug_trap(c, 0);
}

/* ---- fast system calls ---- */

enum {
    ATTR_CODE64 = DA_P | DA_S | DA_CODE | DA_RW | DA_ACC | DA_L | DA_G,
    ATTR_CODE32 = DA_P | DA_S | DA_CODE | DA_RW | DA_ACC | DA_DB | DA_G,
    ATTR_DATA32 = DA_P | DA_S | DA_RW | DA_ACC | DA_DB | DA_G,
};

static void flat_segments(X86Cpu *c, uint16_t cs, uint16_t ss, bool code64, unsigned cpl)
{
    uint32_t dpl = cpl << DA_DPL_SHIFT;

    x86_set_seg(c, SEG_CS, cs, 0, 0xffffffff, (code64 ? ATTR_CODE64 : ATTR_CODE32) | dpl);
    x86_set_seg(c, SEG_SS, ss, 0, 0xffffffff, ATTR_DATA32 | dpl);
    x86_update_mode(c);
}

/* next RIP */
H(syscall)
{
    uint16_t sel = c->star >> 32 & 0xfffc;
    bool lma = x86_lma(c);

    if (!(c->efer & EFER_SCE) || !x86_pe(c)) {
        x86_raise(c, EX_UD);
    }
    X86R(c, X86_RCX) = lma ? a1 : (uint32_t)a1;
    if (lma) {
        uint64_t fl = x86_get_eflags(c);

        X86R(c, X86_R11) = fl & ~(uint64_t)FL_RF;
        X86R(c, X86_RIP) = x86_cs64(c) ? c->lstar : c->cstar;
        x86_load_eflags(c, fl & ~c->fmask & ~(uint64_t)FL_RF, UINT64_MAX);
    } else {
        X86R(c, X86_RIP) = (uint32_t)c->star;
        c->eflags &= ~(uint64_t)(FL_IF | FL_VM | FL_RF);
    }
    flat_segments(c, sel, sel + 8, lma, 0);
    return 0;
}

/* operand size */
H(sysret)
{
    uint16_t sel = c->star >> 48;
    bool to64 = a1 == 8, lma = x86_lma(c);

    if (!(c->efer & EFER_SCE)) {
        x86_raise(c, EX_UD);
    }
    if (!x86_protected(c) || x86_cpl(c) != 0 || (to64 && !x86_canonical(X86R(c, X86_RCX)))) {
        gp0(c);
    }
    X86R(c, X86_RIP) = to64 ? X86R(c, X86_RCX) : (uint32_t)X86R(c, X86_RCX);
    if (lma) {
        x86_load_eflags(c, X86R(c, X86_R11) & 0x3c7fd7, 0x3c7fd7 | FL_RF | FL_VM);
    } else {
        c->eflags |= FL_IF;
    }
    flat_segments(c, (sel + (to64 ? 16 : 0)) | 3, (sel + 8) | 3, to64, 3);
    if (c->eflags & FL_IF) {
        x86_check_irq(c);
    }
    return 0;
}

H(sysenter)
{
    uint16_t sel = c->sysenter_cs & 0xfffc;
    bool lma = x86_lma(c);

    if (!x86_pe(c) || !sel) {
        gp0(c);
    }
    c->eflags &= ~(uint64_t)(FL_VM | FL_IF | FL_RF);
    X86R(c, X86_RSP) = lma ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
    X86R(c, X86_RIP) = lma ? c->sysenter_eip : (uint32_t)c->sysenter_eip;
    flat_segments(c, sel, sel + 8, lma, 0);
    return 0;
}

/* operand size */
H(sysexit)
{
    uint16_t sel = c->sysenter_cs & 0xfffc;
    bool to64 = a1 == 8;
    uint64_t ip = X86R(c, X86_RDX), sp = X86R(c, X86_RCX);

    if (!x86_protected(c) || !sel || x86_cpl(c) != 0 || (to64 && (!x86_canonical(ip) || !x86_canonical(sp)))) {
        gp0(c);
    }
    X86R(c, X86_RSP) = to64 ? sp : (uint32_t)sp;
    X86R(c, X86_RIP) = to64 ? ip : (uint32_t)ip;
    flat_segments(c, (sel + (to64 ? 32 : 16)) | 3, (sel + (to64 ? 40 : 24)) | 3, to64, 3);
    return 0;
}

/* ---- flags ---- */

/* CLI and STI where IOPL alone does not decide: virtual-8086 mode and protected-mode virtual interrupts.
 * a1: 1 STI.  SDM: table of CLI/STI with VME and PVI. */
H(virtual_if)
{
    bool virt = x86_vm(c) ? c->cr4 & CR4_VME : x86_cpl(c) == 3 && (c->cr4 & CR4_PVI);

    if (!virt || (a1 && (c->eflags & FL_VIP))) {
        gp0(c);
    }
    c->eflags = a1 ? c->eflags | FL_VIF : c->eflags & ~(uint64_t)FL_VIF;
    return 0;
}

/* The next instruction runs before any interrupt. */
H(sti)
{
    if (!(c->eflags & FL_IF)) {
        c->eflags |= FL_IF;
        c->hflags |= HF_SHADOW;
        cpu_mode_changed(&c->vcpu);
    }
    return 0;
}

/* The same where the next instruction follows in the unit, which polls after it. */
RHEA_GPR_ONLY uint64_t x86_h_sti_inside(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c3, uint64_t f)
{
    X86Cpu *c = x86_env(env);

    (void)a, (void)b, (void)c3, (void)f;
    c->eflags |= FL_IF;
    x86_check_irq(c);
    return 0;
}

/* In virtual-8086 mode with IOPL < 3 and 16-bit operands CR4.VME makes IF of the image VIF; else #GP. */
H(pushf_v86)
{
    uint64_t fl = x86_get_eflags(c);

    if (!(c->cr4 & CR4_VME)) {
        gp0(c);
    }
    return (fl & ~(uint64_t)FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
}

/* value, operand size */
H(popf)
{
    uint64_t mask = FL_CC | FL_TF | FL_DF | FL_NT, v = a1;
    unsigned cpl = x86_cpl(c);

    if (a2 > 2) {
        mask |= FL_AC | FL_ID;
    }
    if (x86_vm(c) && x86_iopl(c) < 3) {
        if (!(c->cr4 & CR4_VME) || a2 != 2 || ((v & FL_IF) && (c->eflags & FL_VIP)) || (v & FL_TF)) {
            gp0(c);
        }
        v = (v & ~(uint64_t)FL_VIF) | (v & FL_IF ? FL_VIF : 0);
        mask |= FL_VIF;
    } else {
        mask |= cpl <= x86_iopl(c) ? FL_IF : 0;
        mask |= cpl == 0 ? FL_IOPL : 0;
    }
    if (a2 > 2) {
        c->eflags &= ~(uint64_t)FL_RF;
    }
    x86_load_eflags(c, v, mask);
    x86_update_mode(c);
    if (c->eflags & FL_IF) {
        x86_check_irq(c);
    }
    return 0;
}

/* CLAC, STAC */
H(set_ac)
{
    c->eflags = a1 ? c->eflags | FL_AC : c->eflags & ~(uint64_t)FL_AC;
    x86_update_mode(c);
    return 0;
}

/* ---- control and debug registers ---- */

/* number, value */
H(mov_to_cr)
{
    Fault f;
    bool ok = true;

    switch (a1) {
    case 0: ok = x86_set_cr0(c, a2, &f); break;
    case 3: ok = x86_set_cr3(c, a2, &f); break;
    case 4: ok = x86_set_cr4(c, a2, &f); break;
    case 8:
        if (a2 > 15) {
            gp0(c);
        }
        c->cr8 = a2;
        if (c->apic) {
            c->apic->set_tpr(c->apic_dev, (uint8_t)a2);
        }
        return 0;
    }
    check(c, ok, &f);
    x86_update_mode(c);
    return 0;
}

H(get_cr8)
{
    return c->apic ? c->apic->get_tpr(c->apic_dev) : c->cr8;
}

H(lmsw)
{
    Fault f;

    check(c, x86_set_cr0(c, (c->cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | (a1 & 15), &f), &f);
    x86_update_mode(c);
    return 0;
}

H(clts)
{
    c->cr0 &= ~(uint64_t)CR0_TS;
    x86_update_mode(c);
    return 0;
}

enum { DR7_GD = 1 << 13, DR6_BD = 1 << 13, DR6_FIXED = 0xffff0ff0, DR6_WRITABLE = 0xe00f, DR7_FIXED = 0x400 };

/* DR4 and DR5 are DR6 and DR7, unless CR4.DE. */
static unsigned dr_number(X86Cpu *c, unsigned n)
{
    if (n == 4 || n == 5) {
        if (c->cr4 & CR4_DE) {
            x86_raise(c, EX_UD);
        }
        n += 2;
    }
    if (c->dr[7] & DR7_GD) {
        c->dr[6] |= DR6_BD;
        x86_raise(c, EX_DB);
    }
    return n;
}

H(get_dr)
{
    unsigned n = dr_number(c, (unsigned)a1);

    return n == 6 ? c->dr[6] | DR6_FIXED : n == 7 ? c->dr[7] | DR7_FIXED : c->dr[n];
}

H(mov_to_dr)
{
    unsigned n = dr_number(c, (unsigned)a1);

    if (n >= 6 && a2 >> 32) {
        gp0(c);
    }
    c->dr[n] = n == 6 ? (a2 & DR6_WRITABLE) | DR6_FIXED : n == 7 ? (a2 & ~(uint64_t)0xd800) | DR7_FIXED : a2;
    x86_update_mode(c);
    return 0;
}

/* XCR number in ECX */
H(xgetbv)
{
    uint32_t n = (uint32_t)X86R(c, X86_RCX);

    if (n > 1 || (n == 1 && !x86_has_feat(c, CW_D_1_EAX, 2))) {
        gp0(c);
    }
    X86R(c, X86_RAX) = (uint32_t)c->xcr0;
    X86R(c, X86_RDX) = c->xcr0 >> 32;
    return 0;
}

H(xsetbv)
{
    uint64_t v = (uint32_t)X86R(c, X86_RAX) | X86R(c, X86_RDX) << 32;
    uint64_t ok = x86_has_feat(c, CW_1_ECX, 28) ? 7 : 3;

    if ((uint32_t)X86R(c, X86_RCX) != 0 || (v & ~ok) || !(v & 1) || (v & 6) == 4) {
        gp0(c);
    }
    c->xcr0 = v;
    x86_update_mode(c);
    return 0;
}

/* ---- translations ---- */

H(invlpg)
{
    tlb_flush_page(&c->vcpu, x86_wrap(c, a1));
    return 0;
}

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL };

/* type, descriptor low, high */
H(invpcid)
{
    uint64_t pcid = a2 & 0xfff;

    if (a1 > INVPCID_ALL || a2 >> 12 || (pcid && !(c->cr4 & CR4_PCIDE) && a1 <= INVPCID_CONTEXT) ||
        (a1 == INVPCID_ADDRESS && x86_lma(c) && !x86_canonical(a3))) {
        gp0(c);
    }
    if (!(c->cr4 & CR4_PCIDE) || a1 >= INVPCID_ALL_GLOBAL) {
        tlb_flush(&c->vcpu);
    } else if (a1 == INVPCID_ADDRESS) {
        tlb_flush_page_asid(&c->vcpu, a3, x86_pcid_asid(pcid));
    } else {
        tlb_flush_asid(&c->vcpu, x86_pcid_asid(pcid));
    }
    return 0;
}

/* ---- MSRs, CPUID, time ---- */

H(rdmsr)
{
    uint64_t v;

    if (!x86_rdmsr(c, (uint32_t)X86R(c, X86_RCX), &v)) {
        gp0(c);
    }
    X86R(c, X86_RAX) = (uint32_t)v;
    X86R(c, X86_RDX) = v >> 32;
    return 0;
}

H(wrmsr)
{
    if (!x86_wrmsr(c, (uint32_t)X86R(c, X86_RCX), (uint32_t)X86R(c, X86_RAX) | X86R(c, X86_RDX) << 32)) {
        gp0(c);
    }
    return 0;
}

H(cpuid)
{
    uint32_t r[4];

    x86_cpuid(c, (uint32_t)X86R(c, X86_RAX), (uint32_t)X86R(c, X86_RCX), r);
    X86R(c, X86_RAX) = r[0];
    X86R(c, X86_RBX) = r[1];
    X86R(c, X86_RCX) = r[2];
    X86R(c, X86_RDX) = r[3];
    return 0;
}

/* No performance counters: those that the family has read as 0. */
H(rdpmc)
{
    if ((x86_cpl(c) != 0 && x86_pe(c) && !(c->cr4 & CR4_PCE)) || (uint32_t)X86R(c, X86_RCX) > 3) {
        gp0(c);
    }
    X86R(c, X86_RAX) = 0;
    X86R(c, X86_RDX) = 0;
    return 0;
}

/* ---- waiting ---- */

/* RIP is the next instruction's. */
H(hlt)
{
    c->vcpu.halted = true;
    return 0;
}

H(rsm)
{
    if (!x86_rsm(c)) {
        x86_shutdown(c, "RSM found a bad state save map");
        cpu_loop_exit(&c->vcpu);
    }
    return 0;
}

/* ---- ports ---- */

/* SDM volume 1, 18.5.2: the I/O permission bitmap of the TSS. port, size */
H(io_check)
{
    const X86Seg *tr = &c->seg[SEG_TR];
    uint64_t map, bits;
    Fault f;

    if (!x86_pe(c) || (!x86_vm(c) && x86_cpl(c) <= x86_iopl(c))) {
        return 0;
    }
    if (!(tr->attr & DA_P) || desc_type(tr->attr) < SYS_TSS32 || tr->limit < 0x67) {
        gp0(c);
    }
    check(c, x86_sys_ld(c, tr->base + 0x66, 2, &map, &f), &f);
    map += a1 / 8;
    if (map + 1 > tr->limit) {
        gp0(c);
    }
    check(c, x86_sys_ld(c, tr->base + map, 2, &bits, &f), &f);
    if (bits >> (a1 & 7) & ((1u << a2) - 1)) {
        gp0(c);
    }
    return 0;
}

/* port, size */
H(io_in)
{
    x86_io_bp(c, a1 & 0xffff, (unsigned)a2);
    return as_ld(c->vcpu.io, a1 & 0xffff, (unsigned)a2);
}

/* port, size, value */
H(io_out)
{
    x86_io_bp(c, a1 & 0xffff, (unsigned)a2);
    as_st(c->vcpu.io, a1 & 0xffff, a3, (unsigned)a2);
    return 0;
}
