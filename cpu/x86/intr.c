/* Interrupts and exceptions: through the vector table to the handler.
 *
 * Follows the INT n pseudo-code of Intel SDM volume 2 and volume 3 chapters
 * 6 (exceptions), 20.1 (real mode), 20.2-20.3 (virtual-8086 mode, CR4.VME's
 * redirection bitmap) and 6.14 (64-bit mode, IST).
 *
 *     real     IVT: IP, CS                          pushes FLAGS CS IP
 *     v86      as protected, from CPL 3; all data segments are pushed and closed
 *     prot     gates of 8 bytes: task, interrupt, trap; 16 or 32 bits
 *     long     gates of 16 bytes; always SS RSP RFLAGS CS RIP
 *
 * Nothing changes before the last access that may fault. */
#include "cpu/x86/sys.h"
#include "cpu/x86/intr.h"

enum { ERR_EXT = 1, ERR_IDT = 2 };

/* EFLAGS as pushed. */
static uint64_t pushed_flags(const X86Cpu *c, const X86Event *e)
{
    uint64_t fl = x86_get_eflags(c);

    if (e->kind == EVENT_FAULT && e->f.kind != EX_DB) {
        fl |= FL_RF;
    }
    return fl;
}

static uint32_t ext_of(const X86Event *e)
{
    return e->kind == EVENT_SOFT ? 0 : ERR_EXT;
}

static bool idt_fault(const X86Event *e, Fault *f, unsigned vec)
{
    return x86_fault(f, vec, e->f.kind << 3 | ERR_IDT | ext_of(e));
}

/* ---- real mode ---- */

static Xfer enter_real(X86Cpu *c, const X86Event *e, Fault *f)
{
    uint32_t off = e->f.kind * 4;
    uint64_t entry;
    X86Stack s;

    if (off + 3 > c->idt_limit) {
        return xfer_of(idt_fault(e, f, EX_GP));
    }
    x86_stack_cur(&s, c, f);
    if (!x86_sys_ld(c, c->idt_base + off, 4, &entry, f) || !x86_spush(&s, 2, x86_get_eflags(c)) ||
        !x86_spush(&s, 2, c->seg[SEG_CS].sel) || !x86_spush(&s, 2, e->eip)) {
        return XFER_FAULT;
    }
    x86_stack_commit(&s);
    x86_set_seg_real(c, SEG_CS, entry >> 16);
    X86R(c, X86_RIP) = entry & 0xffff;
    c->eflags &= ~(uint64_t)(FL_IF | FL_TF | FL_RF | FL_AC);
    return XFER_OK;
}

/* ---- virtual-8086 mode: INT n that stays inside (CR4.VME, bit of the redirection map clear) ---- */

Xfer x86_v86_redirect(X86Cpu *c, unsigned vector, uint64_t next_eip, bool *taken, Fault *f)
{
    const X86Seg *tr = &c->seg[SEG_TR];
    uint64_t map, byte, entry, fl;
    X86Stack s;

    *taken = false;
    if (!(tr->attr & DA_P) || desc_type(tr->attr) < SYS_TSS32 || tr->limit < 0x67) {
        return xfer_of(x86_fault(f, EX_GP, 0));
    }
    if (!x86_sys_ld(c, tr->base + 0x66, 2, &map, f)) {
        return XFER_FAULT;
    }
    map = map - 32 + vector / 8;         /* the 32 bytes below the I/O map */
    if (map > tr->limit) {
        return xfer_of(x86_fault(f, EX_GP, 0));
    }
    if (!x86_sys_ld(c, tr->base + map, 1, &byte, f)) {
        return XFER_FAULT;
    }
    if (byte >> (vector & 7) & 1) {
        return XFER_OK;
    }
    *taken = true;
    fl = x86_get_eflags(c);
    if (x86_iopl(c) < 3) {
        fl = (fl & ~(uint64_t)FL_IF) | FL_IOPL | (fl & FL_VIF ? FL_IF : 0);
    }
    x86_stack_cur(&s, c, f);
    if (!cpu_try_ld(&c->vcpu, vector * 4, 4, MMU_USER, &entry, f) || !x86_spush(&s, 2, fl) ||
        !x86_spush(&s, 2, c->seg[SEG_CS].sel) || !x86_spush(&s, 2, next_eip)) {
        return XFER_FAULT;
    }
    x86_stack_commit(&s);
    x86_set_seg_real(c, SEG_CS, entry >> 16);
    X86R(c, X86_RIP) = entry & 0xffff;
    c->eflags &= ~(uint64_t)(FL_TF | FL_RF | (x86_iopl(c) < 3 ? FL_VIF : FL_IF));
    return XFER_OK;
}

/* ---- gates ---- */

typedef struct Gate {
    unsigned type, size;                 /* size of a push: 2, 4, 8 */
    uint16_t sel;
    uint64_t off;
    unsigned ist;
    X86Desc cs;
    unsigned cpl;                        /* of the handler */
} Gate;

static bool read_gate(X86Cpu *c, const X86Event *e, Gate *g, Fault *f)
{
    bool lm = x86_lma(c);
    uint32_t len = lm ? 16 : 8, off = e->f.kind * len;
    uint64_t lo, high = 0;

    if (off + len - 1 > c->idt_limit) {
        return idt_fault(e, f, EX_GP);
    }
    if (!x86_sys_ld(c, c->idt_base + off, 8, &lo, f) || (lm && !x86_sys_ld(c, c->idt_base + off + 8, 8, &high, f))) {
        return false;
    }
    g->type = lo >> 40 & 0x1f;
    g->sel = lo >> 16;
    g->off = (lo & 0xffff) | (lo >> 48 & 0xffff) << 16;
    switch (g->type) {
    case SYS_INT16: case SYS_TRAP16: g->size = 2; g->off &= 0xffff; break;
    case SYS_INT32: case SYS_TRAP32: g->size = lm ? 8 : 4; break;
    case SYS_TASK: g->size = 4; break;
    default: return idt_fault(e, f, EX_GP);
    }
    if (lm) {
        if (g->size != 8) {
            return idt_fault(e, f, EX_GP);
        }
        g->ist = lo >> 32 & 7;
        g->off |= high << 32;
    }
    if (e->kind == EVENT_SOFT && (lo >> 45 & 3) < x86_cpl(c)) {
        return idt_fault(e, f, EX_GP);
    }
    return lo >> 47 & 1 ? true : idt_fault(e, f, EX_NP);
}

/* The handler's code segment and privilege level. */
static bool gate_code(X86Cpu *c, const X86Event *e, Gate *g, Fault *f)
{
    uint32_t ext = ext_of(e), code = (g->sel & 0xfffc) | ext;
    unsigned cpl = x86_cpl(c);

    if (sel_null(g->sel)) {
        return x86_fault(f, EX_GP, ext);
    }
    if (!x86_desc_read(c, g->sel, &g->cs, EX_GP, ext, f)) {
        return false;
    }
    if (!desc_is_code(g->cs.hi) || desc_dpl(g->cs.hi) > cpl) {
        return x86_fault(f, EX_GP, code);
    }
    if (x86_lma(c) && (g->cs.hi & (DA_L | DA_DB)) != DA_L) {
        return x86_fault(f, EX_GP, code);
    }
    if (!(g->cs.hi & DA_P)) {
        return x86_fault(f, EX_NP, code);
    }
    g->cpl = g->cs.hi & DA_CE ? cpl : desc_dpl(g->cs.hi);
    if (x86_vm(c) && g->cpl != 0) {
        return x86_fault(f, EX_GP, code);
    }
    return true;
}

static bool push_frame(X86Cpu *c, const X86Event *e, const Gate *g, X86Stack *s, bool inner)
{
    static const uint8_t v86_segs[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };

    if (x86_vm(c)) {
        for (unsigned i = 0; i < sizeof v86_segs; i++) {
            if (!x86_spush(s, g->size, c->seg[v86_segs[i]].sel)) {
                return false;
            }
        }
    }
    if (inner && (!x86_spush(s, g->size, c->seg[SEG_SS].sel) || !x86_spush(s, g->size, X86R(c, X86_RSP)))) {
        return false;
    }
    return x86_spush(s, g->size, pushed_flags(c, e)) && x86_spush(s, g->size, c->seg[SEG_CS].sel) &&
        x86_spush(s, g->size, e->eip) && (!e->f.has_code || x86_spush(s, g->size, e->f.code));
}

static void gate_commit(X86Cpu *c, const Gate *g, const X86Stack *s)
{
    x86_stack_commit(s);
    x86_set_seg_desc(c, SEG_CS, (g->sel & 0xfffc) | g->cpl, &g->cs);
    X86R(c, X86_RIP) = g->off;
    c->eflags &= ~(uint64_t)(FL_TF | FL_VM | FL_RF | FL_NT | (g->type & 1 ? 0 : FL_IF));
}

/* ---- protected mode ---- */

static Xfer enter_protected(X86Cpu *c, const X86Event *e, Fault *f)
{
    uint32_t ext = ext_of(e);
    bool inner, vm = x86_vm(c);
    uint16_t ss = 0;
    uint64_t sp;
    X86Desc ssd;
    X86Stack s;
    Gate g = { 0 };

    if (!read_gate(c, e, &g, f)) {
        return XFER_FAULT;
    }
    if (g.type == SYS_TASK) {
        if (e->kind == EVENT_FAULT && e->f.kind != EX_DB) {
            c->eflags |= FL_RF;          /* in the old task's TSS */
        }
        return x86_task_switch(c, g.sel, TASK_GATE, e->eip, e->f.has_code, e->f.code, ext, f);
    }
    if (!gate_code(c, e, &g, f)) {
        return XFER_FAULT;
    }
    inner = g.cpl < x86_cpl(c);
    if (!inner) {
        x86_stack_cur(&s, c, f);
        s.code = ext;
    } else {
        if (!x86_tss_stack(c, g.cpl, &ss, &sp, ext, f) || !x86_check_ss(c, ss, g.cpl, &ssd, EX_TS, ext, f)) {
            return XFER_FAULT;
        }
        x86_stack_desc(&s, c, &ssd, sp, g.cpl, (ss & 0xfffc) | ext, f);
        if (!x86_desc_access(c, &ssd, f)) {
            return XFER_FAULT;
        }
    }
    if (!push_frame(c, e, &g, &s, inner) || !x86_desc_access(c, &g.cs, f)) {
        return XFER_FAULT;
    }
    if (vm) {
        for (unsigned i = 0; i < SEG_LDT; i++) {
            if (i != SEG_CS && i != SEG_SS) {
                x86_set_seg_null(c, i, 0);
            }
        }
    }
    if (inner) {
        x86_set_seg_desc(c, SEG_SS, ss, &ssd);
    }
    gate_commit(c, &g, &s);
    return XFER_OK;
}

/* ---- long mode ---- */

static bool long_stack(X86Cpu *c, const X86Event *e, const Gate *g, bool inner, uint64_t *sp, Fault *f)
{
    const X86Seg *tr = &c->seg[SEG_TR];
    uint32_t off;

    *sp = X86R(c, X86_RSP);
    if (g->ist || inner) {
        off = g->ist ? 28 + 8 * g->ist : 4 + 8 * g->cpl;
        if (off + 7 > tr->limit) {
            return x86_fault(f, EX_TS, (tr->sel & 0xfffc) | ext_of(e));
        }
        if (!x86_sys_ld(c, tr->base + off, 8, sp, f)) {
            return false;
        }
    }
    *sp &= ~(uint64_t)15;
    return true;
}

static Xfer enter_long(X86Cpu *c, const X86Event *e, Fault *f)
{
    Gate g = { 0 };
    X86Stack s;
    bool inner;

    if (!read_gate(c, e, &g, f) || !gate_code(c, e, &g, f)) {
        return XFER_FAULT;
    }
    inner = g.cpl < x86_cpl(c);
    s = (X86Stack){ .c = c, .mask = UINT64_MAX, .flat64 = true, .mode = x86_cpl_mode(c, g.cpl), .code = ext_of(e), .f = f };
    if (!long_stack(c, e, &g, inner, &s.sp, f)) {
        return XFER_FAULT;
    }
    if (!x86_canonical(g.off)) {
        return xfer_of(x86_fault(f, EX_GP, ext_of(e)));
    }
    if (!push_frame(c, e, &g, &s, true) || !x86_desc_access(c, &g.cs, f)) {
        return XFER_FAULT;
    }
    if (inner) {
        x86_set_seg_null(c, SEG_SS, g.cpl);
    }
    gate_commit(c, &g, &s);
    return XFER_OK;
}

Xfer x86_enter(X86Cpu *c, const X86Event *e, Fault *f)
{
    return !x86_pe(c) ? enter_real(c, e, f) : x86_lma(c) ? enter_long(c, e, f) : enter_protected(c, e, f);
}
