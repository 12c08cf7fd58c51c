/* Task switches: JMP, CALL, IRET and task gates, 16- and 32-bit TSS.
 *
 * Follows Intel SDM volume 3 chapter 7 (7.3: the steps and which of their
 * exceptions belong to which task).
 *
 *     1  checks of the new TSS descriptor and reading all of the new TSS   -> fault in the old task
 *     2  the old task's state goes to its TSS; busy bits, link, NT         -> fault in the old task
 *     3  commit: TR, CR3, registers, selectors
 *     4  LDT and segment descriptors are loaded and checked                -> fault in the new task
 *     5  an error code is pushed on the new stack; T flag: debug trap */
#include "cpu/x86/sys.h"

/* Where things are in a TSS; regs in the order EAX ECX EDX EBX ESP EBP ESI EDI, segs ES CS SS DS FS GS. */
typedef struct TssLayout {
    uint8_t eip, eflags, regs, segs, nsegs, segs_step, ldt, size;
    uint8_t min_limit;
} TssLayout;
static const TssLayout tss16 = { 0x0e, 0x10, 0x12, 0x22, 4, 2, 0x2a, 2, 0x2b };
static const TssLayout tss32 = { 0x20, 0x24, 0x28, 0x48, 6, 4, 0x60, 4, 0x67 };
enum { TSS_CR3 = 0x1c, TSS_TRAP = 0x64, DR6_BT = 1 << 15 };

typedef struct TssImage {
    const TssLayout *l;
    uint64_t base;
    X86Desc desc;
    uint64_t cr3, eip, eflags, regs[8], segs[6], ldt, trap;
} TssImage;

static const TssLayout *layout_of(uint32_t attr)
{
    return desc_type(attr) & 8 ? &tss32 : &tss16;
}

/* ---- step 1 ---- */

static bool read_desc(X86Cpu *c, uint16_t sel, TaskVia via, TssImage *t, unsigned ext, Fault *f)
{
    unsigned vec = via == TASK_IRET ? EX_TS : EX_GP, type, busy = via == TASK_IRET ? 2 : 0;
    uint32_t code = (sel & 0xfffc) | ext;

    if (sel_null(sel) || (sel & 4)) {
        return x86_fault(f, vec, code);
    }
    if (!x86_desc_read(c, sel, &t->desc, vec, ext, f)) {
        return false;
    }
    type = desc_type(t->desc.hi);
    if ((t->desc.hi & DA_S) || (type != (SYS_TSS16 | busy) && type != (SYS_TSS32 | busy))) {
        return x86_fault(f, vec, code);
    }
    if (!(t->desc.hi & DA_P)) {
        return x86_fault(f, EX_NP, code);
    }
    t->l = layout_of(t->desc.hi);
    t->base = desc_base(&t->desc);
    return desc_limit(&t->desc) >= t->l->min_limit ? true : x86_fault(f, EX_TS, code);
}

static bool read_tss(X86Cpu *c, TssImage *t, Fault *f)
{
    const TssLayout *l = t->l;
    uint64_t b = t->base;

    for (unsigned i = 0; i < 8; i++) {
        if (!x86_sys_ld(c, b + l->regs + i * l->size, l->size, &t->regs[i], f)) {
            return false;
        }
    }
    for (unsigned i = 0; i < l->nsegs; i++) {
        if (!x86_sys_ld(c, b + l->segs + i * l->segs_step, 2, &t->segs[i], f)) {
            return false;
        }
    }
    return x86_sys_ld(c, b + l->eip, l->size, &t->eip, f) && x86_sys_ld(c, b + l->eflags, l->size, &t->eflags, f) &&
        x86_sys_ld(c, b + l->ldt, 2, &t->ldt, f) &&
        (l->size == 2 || (x86_sys_ld(c, b + TSS_CR3, 4, &t->cr3, f) && x86_sys_ld(c, b + TSS_TRAP, 2, &t->trap, f)));
}

/* ---- step 2 ---- */

static bool save_old(X86Cpu *c, TaskVia via, uint64_t next_eip, Fault *f)
{
    const X86Seg *tr = &c->seg[SEG_TR];
    const TssLayout *l = layout_of(tr->attr);
    uint64_t b = tr->base, fl = x86_get_eflags(c);

    if (via == TASK_IRET) {
        fl &= ~(uint64_t)FL_NT;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!x86_sys_st(c, b + l->regs + i * l->size, l->size, X86R(c, i), f)) {
            return false;
        }
    }
    for (unsigned i = 0; i < l->nsegs; i++) {
        if (!x86_sys_st(c, b + l->segs + i * l->segs_step, 2, c->seg[i].sel, f)) {
            return false;
        }
    }
    return x86_sys_st(c, b + l->eip, l->size, next_eip, f) && x86_sys_st(c, b + l->eflags, l->size, fl, f);
}

static bool set_busy(X86Cpu *c, uint16_t sel, bool busy, Fault *f)
{
    uint64_t at = c->gdt_base + (sel & ~7u) + 5, v;

    return x86_sys_ld(c, at, 1, &v, f) && x86_sys_st(c, at, 1, busy ? v | 2 : v & ~(uint64_t)2, f);
}

static bool update_links(X86Cpu *c, uint16_t sel, TaskVia via, const TssImage *t, Fault *f)
{
    if (via == TASK_JMP || via == TASK_IRET) {
        if (!set_busy(c, c->seg[SEG_TR].sel, false, f)) {
            return false;
        }
    } else if (!x86_sys_st(c, t->base, 2, c->seg[SEG_TR].sel, f)) {
        return false;
    }
    return via == TASK_IRET || set_busy(c, sel, true, f);
}

/* ---- step 3 ---- */

static void commit(X86Cpu *c, uint16_t sel, TaskVia via, TssImage *t)
{
    bool nested = via == TASK_CALL || via == TASK_GATE, vm;

    t->desc.hi |= 2 << DA_TYPE_SHIFT;
    x86_set_seg_desc(c, SEG_TR, sel, &t->desc);
    c->cr0 |= CR0_TS;
    c->dr[7] &= ~(uint64_t)0x155;        /* local breakpoints */
    if (t->l->size == 4 && (c->cr0 & CR0_PG)) {
        c->cr3 = t->cr3;
        x86_switch_space(c, true);
    }
    for (unsigned i = 0; i < 8; i++) {
        X86R(c, i) = t->l->size == 2 ? t->regs[i] | 0xffff0000 : t->regs[i];
    }
    X86R(c, X86_RIP) = t->eip;
    x86_load_eflags(c, t->eflags | (nested ? FL_NT : 0),
                    FL_CC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | (t->l->size == 4 ? FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP | FL_ID : FL_VM));
    vm = x86_vm(c);
    for (unsigned i = 0; i < 6; i++) {
        uint16_t s = i < t->l->nsegs ? (uint16_t)t->segs[i] : 0;

        if (vm) {
            x86_set_seg_real(c, i, s);
        } else {
            x86_set_seg_null(c, i, s);
        }
    }
    if (!vm) {
        c->seg[SEG_SS].attr = (uint32_t)(t->segs[SEG_CS] & 3) << DA_DPL_SHIFT;
    }
    x86_set_seg_null(c, SEG_LDT, (uint16_t)t->ldt);
    x86_update_mode(c);
}

/* ---- step 4 ---- */

static bool ts(Fault *f, uint16_t sel)
{
    return x86_fault(f, EX_TS, sel & 0xfffc);
}

static bool load_cs(X86Cpu *c, uint16_t sel, Fault *f)
{
    unsigned rpl = sel & 3;
    X86Desc d;

    if (sel_null(sel)) {
        return ts(f, sel);
    }
    if (!x86_desc_read(c, sel, &d, EX_TS, 0, f)) {
        return false;
    }
    if (!desc_is_code(d.hi) || (d.hi & DA_CE ? desc_dpl(d.hi) > rpl : desc_dpl(d.hi) != rpl)) {
        return ts(f, sel);
    }
    if (!(d.hi & DA_P)) {
        return x86_fault(f, EX_NP, sel & 0xfffc);
    }
    if (!x86_desc_access(c, &d, f)) {
        return false;
    }
    x86_set_seg_desc(c, SEG_CS, sel, &d);
    return true;
}

static bool load_ss(X86Cpu *c, uint16_t sel, unsigned cpl, Fault *f)
{
    X86Desc d;

    if (!x86_check_ss(c, sel, cpl, &d, EX_TS, 0, f) || !x86_desc_access(c, &d, f)) {
        return false;
    }
    x86_set_seg_desc(c, SEG_SS, sel, &d);
    return true;
}

/* The checks are those of MOV Sreg, but #GP becomes #TS. */
static bool load_data(X86Cpu *c, unsigned s, uint16_t sel, Fault *f)
{
    if (x86_load_seg(c, s, sel, f)) {
        return true;
    }
    if (f->kind == EX_GP) {
        f->kind = EX_TS;
    }
    return false;
}

static bool load_segments(X86Cpu *c, const TssImage *t, Fault *f)
{
    static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    if (!x86_load_ldt(c, (uint16_t)t->ldt, EX_TS, f)) {
        return false;
    }
    if (x86_vm(c)) {
        return true;
    }
    if (!load_cs(c, (uint16_t)t->segs[SEG_CS], f) || !load_ss(c, (uint16_t)t->segs[SEG_SS], t->segs[SEG_CS] & 3, f)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof data; i++) {
        if (data[i] < t->l->nsegs && !load_data(c, data[i], (uint16_t)t->segs[data[i]], f)) {
            return false;
        }
    }
    return true;
}

/* ---- all steps ---- */

static bool push_code(X86Cpu *c, unsigned size, uint32_t code, Fault *f)
{
    X86Stack s;

    x86_stack_cur(&s, c, f);
    if (!x86_spush(&s, size, code)) {
        return false;
    }
    x86_stack_commit(&s);
    return true;
}

Xfer x86_task_switch(X86Cpu *c, uint16_t sel, TaskVia via, uint64_t next_eip, bool has_code, uint32_t code, unsigned ext,
                     Fault *f)
{
    TssImage t = { 0 };

    if (!read_desc(c, sel, via, &t, ext, f) || !read_tss(c, &t, f) || !save_old(c, via, next_eip, f) ||
        !update_links(c, sel, via, &t, f)) {
        return XFER_FAULT;
    }
    commit(c, sel, via, &t);
    if (!load_segments(c, &t, f)) {
        return XFER_FAULT_NEW;
    }
    x86_update_mode(c);
    if (has_code && !push_code(c, t.l->size, code, f)) {
        return XFER_FAULT_NEW;
    }
    if (X86R(c, X86_RIP) > c->seg[SEG_CS].limit) {
        x86_fault(f, EX_GP, 0);
        return XFER_FAULT_NEW;
    }
    if (t.trap & 1) {
        c->dr[6] |= DR6_BT;
        *f = (Fault){ .kind = EX_DB };
        return XFER_FAULT_NEW;
    }
    return XFER_OK;
}
