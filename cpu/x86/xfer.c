/* Far jumps, calls and returns, and IRET, in every pair of modes.
 *
 * Follows the pseudo-code of JMP, CALL, RET and IRET in Intel SDM volume 2
 * and volume 3 chapter 5.8 (call gates, stack switching, parameter copy) and
 * 20.2 (entering and leaving virtual-8086 mode).
 *
 * The privilege level is SS's DPL (sys.h), so a transfer that changes it
 * loads SS; one that does not leaves SS alone. */
#include "cpu/x86/sys.h"

static bool gp(Fault *f, uint32_t sel)
{
    return x86_fault(f, EX_GP, sel & 0xfffc);
}

void x86_load_eflags(X86Cpu *c, uint64_t v, uint64_t mask)
{
    uint64_t own = mask & ~(uint64_t)(FL_CC | FL_DF | 2);

    if (mask & FL_CC) {
        x86_set_cc(c, v & FL_CC);
    }
    if (mask & FL_DF) {
        X86R(c, X86_DF) = v & FL_DF ? UINT64_MAX : 1;
    }
    c->eflags = (c->eflags & ~own) | (v & own) | 2;
    if (!(c->dr[7] & 0xff)) {
        c->eflags &= ~(uint64_t)FL_RF;   /* it only matters with breakpoints, which consume it */
    }
}

static uint64_t off_mask(unsigned osize)
{
    return osize == 2 ? 0xffff : osize == 4 ? 0xffffffff : UINT64_MAX;
}

/* Is off a good instruction pointer in the code segment d? */
static bool check_off(const X86Cpu *c, const X86Desc *d, uint64_t off, Fault *f)
{
    if (x86_lma(c) && (d->hi & DA_L)) {
        return x86_canonical(off) ? true : gp(f, 0);
    }
    return off <= desc_limit(d) ? true : gp(f, 0);
}

static Xfer go(X86Cpu *c, uint16_t sel, X86Desc *d, uint64_t off, unsigned cpl, Fault *f)
{
    if (!check_off(c, d, off, f) || !x86_desc_access(c, d, f)) {
        return XFER_FAULT;
    }
    x86_set_seg_desc(c, SEG_CS, (sel & 0xfffc) | cpl, d);
    X86R(c, X86_RIP) = off;
    return XFER_OK;
}

/* ---- JMP and CALL: the destination ---- */

/* Code segment reached without a gate. */
static bool check_direct(X86Cpu *c, uint16_t sel, const X86Desc *d, Fault *f)
{
    unsigned cpl = x86_cpl(c), dpl = desc_dpl(d->hi);

    if (d->hi & DA_CE ? dpl > cpl : (sel & 3u) > cpl || dpl != cpl) {
        return gp(f, sel);
    }
    if (!(d->hi & DA_P)) {
        return x86_fault(f, EX_NP, sel & 0xfffc);
    }
    return x86_lma(c) && (d->hi & (DA_L | DA_DB)) == (DA_L | DA_DB) ? gp(f, sel) : true;
}

typedef struct CallGate {
    uint16_t sel;
    uint64_t off;
    unsigned size, params;               /* size of pushes; number of parameters */
    X86Desc cs;
} CallGate;

/* d is the gate that sel named. */
static bool read_call_gate(X86Cpu *c, uint16_t sel, X86Desc *d, CallGate *g, Fault *f)
{
    unsigned dpl = desc_dpl(d->hi);

    if (dpl < x86_cpl(c) || dpl < (sel & 3u)) {
        return gp(f, sel);
    }
    if (!(d->hi & DA_P)) {
        return x86_fault(f, EX_NP, sel & 0xfffc);
    }
    *g = (CallGate){ .sel = d->lo >> 16, .off = d->lo & 0xffff, .size = desc_type(d->hi) == SYS_CALL32 ? 4 : 2,
                     .params = d->hi & 31 };
    if (g->size == 4) {
        g->off |= d->hi & 0xffff0000;
    }
    if (x86_lma(c)) {
        if (!x86_desc_read_high(c, sel, d, EX_GP, 0, f)) {
            return false;
        }
        g->off |= (uint64_t)d->hi64 << 32;
        g->size = 8;
        g->params = 0;
    }
    if (sel_null(g->sel)) {
        return gp(f, 0);
    }
    if (!x86_desc_read(c, g->sel, &g->cs, EX_GP, 0, f)) {
        return false;
    }
    if (!desc_is_code(g->cs.hi) || desc_dpl(g->cs.hi) > x86_cpl(c) ||
        (x86_lma(c) && (g->cs.hi & (DA_L | DA_DB)) != DA_L)) {
        return gp(f, g->sel);
    }
    return g->cs.hi & DA_P ? true : x86_fault(f, EX_NP, g->sel & 0xfffc);
}

/* The TSS selector behind a task gate, or sel itself if it names a TSS. */
static bool task_target(X86Cpu *c, uint16_t sel, const X86Desc *d, uint16_t *tss, Fault *f)
{
    unsigned dpl = desc_dpl(d->hi);

    if (dpl < x86_cpl(c) || dpl < (sel & 3u)) {
        return gp(f, sel);
    }
    *tss = sel;
    if (desc_type(d->hi) == SYS_TASK) {
        if (!(d->hi & DA_P)) {
            return x86_fault(f, EX_NP, sel & 0xfffc);
        }
        *tss = d->lo >> 16;
    }
    return true;
}

typedef enum Dest { DEST_BAD, DEST_CODE, DEST_GATE, DEST_TASK } Dest;

static Dest classify(X86Cpu *c, uint16_t sel, X86Desc *d, Fault *f)
{
    if (sel_null(sel)) {
        gp(f, 0);
        return DEST_BAD;
    }
    if (!x86_desc_read(c, sel, d, EX_GP, 0, f)) {
        return DEST_BAD;
    }
    if (d->hi & DA_S) {
        if (desc_is_code(d->hi)) {
            return DEST_CODE;
        }
    } else {
        unsigned t = desc_type(d->hi);

        if (t == SYS_CALL32 || (t == SYS_CALL16 && !x86_lma(c))) {
            return DEST_GATE;
        }
        if (!x86_lma(c) && (t == SYS_TASK || t == SYS_TSS16 || t == SYS_TSS32)) {
            return DEST_TASK;
        }
    }
    gp(f, sel);
    return DEST_BAD;
}

/* ---- JMP ---- */

static Xfer jmp_gate(X86Cpu *c, uint16_t sel, X86Desc *d, Fault *f)
{
    CallGate g;

    if (!read_call_gate(c, sel, d, &g, f)) {
        return XFER_FAULT;
    }
    if (!(g.cs.hi & DA_CE) && desc_dpl(g.cs.hi) != x86_cpl(c)) {
        return xfer_of(gp(f, g.sel));
    }
    return go(c, g.sel, &g.cs, g.off, x86_cpl(c), f);
}

static Xfer jmp_real(X86Cpu *c, uint16_t sel, uint64_t off, Fault *f)
{
    if (off > c->seg[SEG_CS].limit) {
        return xfer_of(gp(f, 0));
    }
    x86_set_seg_real(c, SEG_CS, sel);
    X86R(c, X86_RIP) = off;
    return XFER_OK;
}

Xfer x86_jmp_far(X86Cpu *c, uint16_t sel, uint64_t off, unsigned osize, uint64_t next_eip, Fault *f)
{
    uint16_t tss;
    X86Desc d;

    off &= off_mask(osize);
    if (!x86_protected(c)) {
        return jmp_real(c, sel, off, f);
    }
    switch (classify(c, sel, &d, f)) {
    case DEST_CODE:
        return check_direct(c, sel, &d, f) ? go(c, sel, &d, off, x86_cpl(c), f) : XFER_FAULT;
    case DEST_GATE:
        return jmp_gate(c, sel, &d, f);
    case DEST_TASK:
        return task_target(c, sel, &d, &tss, f) ? x86_task_switch(c, tss, TASK_JMP, next_eip, false, 0, 0, f) : XFER_FAULT;
    default:
        return XFER_FAULT;
    }
}

/* ---- CALL ---- */

static Xfer call_real(X86Cpu *c, uint16_t sel, uint64_t off, unsigned osize, uint64_t next_eip, Fault *f)
{
    X86Stack s;

    if (off > c->seg[SEG_CS].limit) {
        return xfer_of(gp(f, 0));
    }
    x86_stack_cur(&s, c, f);
    if (!x86_spush(&s, osize, c->seg[SEG_CS].sel) || !x86_spush(&s, osize, next_eip)) {
        return XFER_FAULT;
    }
    x86_stack_commit(&s);
    return jmp_real(c, sel, off, f);
}

/* Pushes CS:EIP and goes, on the current stack. */
static Xfer call_same(X86Cpu *c, uint16_t sel, X86Desc *d, uint64_t off, unsigned size, uint64_t next_eip, Fault *f)
{
    X86Stack s;
    Xfer r;

    x86_stack_cur(&s, c, f);
    if (!x86_spush(&s, size, c->seg[SEG_CS].sel) || !x86_spush(&s, size, next_eip)) {
        return XFER_FAULT;
    }
    r = go(c, sel, d, off, x86_cpl(c), f);
    if (r == XFER_OK) {
        x86_stack_commit(&s);
    }
    return r;
}

static bool copy_params(X86Cpu *c, const CallGate *g, X86Stack *to, Fault *f)
{
    uint64_t v[31];
    X86Stack from;

    x86_stack_cur(&from, c, f);
    for (unsigned i = 0; i < g->params; i++) {
        if (!x86_spop(&from, g->size, &v[i])) {
            return false;
        }
    }
    for (unsigned i = g->params; i-- > 0;) {
        if (!x86_spush(to, g->size, v[i])) {
            return false;
        }
    }
    return true;
}

static Xfer call_inner(X86Cpu *c, CallGate *g, uint64_t next_eip, Fault *f)
{
    unsigned cpl = desc_dpl(g->cs.hi);
    uint16_t ss;
    uint64_t sp;
    X86Desc ssd = { 0 };
    X86Stack s;
    Xfer r;

    if (!x86_tss_stack(c, cpl, &ss, &sp, 0, f)) {
        return XFER_FAULT;
    }
    if (x86_lma(c)) {
        s = (X86Stack){ .c = c, .sp = sp, .mask = UINT64_MAX, .flat64 = true, .mode = x86_cpl_mode(c, cpl), .f = f };
    } else {
        if (!x86_check_ss(c, ss, cpl, &ssd, EX_TS, 0, f) || !x86_desc_access(c, &ssd, f)) {
            return XFER_FAULT;
        }
        x86_stack_desc(&s, c, &ssd, sp, cpl, ss & 0xfffc, f);
    }
    if (!x86_spush(&s, g->size, c->seg[SEG_SS].sel) || !x86_spush(&s, g->size, X86R(c, X86_RSP)) ||
        !copy_params(c, g, &s, f) || !x86_spush(&s, g->size, c->seg[SEG_CS].sel) || !x86_spush(&s, g->size, next_eip)) {
        return XFER_FAULT;
    }
    r = go(c, g->sel, &g->cs, g->off, cpl, f);
    if (r == XFER_OK) {
        if (x86_lma(c)) {
            x86_set_seg_null(c, SEG_SS, cpl);
        } else {
            x86_set_seg_desc(c, SEG_SS, ss, &ssd);
        }
        x86_stack_commit(&s);
    }
    return r;
}

static Xfer call_gate(X86Cpu *c, uint16_t sel, X86Desc *d, uint64_t next_eip, Fault *f)
{
    CallGate g;

    if (!read_call_gate(c, sel, d, &g, f)) {
        return XFER_FAULT;
    }
    if (!(g.cs.hi & DA_CE) && desc_dpl(g.cs.hi) < x86_cpl(c)) {
        return call_inner(c, &g, next_eip, f);
    }
    return call_same(c, g.sel, &g.cs, g.off, g.size, next_eip, f);
}

Xfer x86_call_far(X86Cpu *c, uint16_t sel, uint64_t off, unsigned osize, uint64_t next_eip, Fault *f)
{
    uint16_t tss;
    X86Desc d;

    off &= off_mask(osize);
    if (!x86_protected(c)) {
        return call_real(c, sel, off, osize, next_eip, f);
    }
    switch (classify(c, sel, &d, f)) {
    case DEST_CODE:
        return check_direct(c, sel, &d, f) ? call_same(c, sel, &d, off, osize, next_eip, f) : XFER_FAULT;
    case DEST_GATE:
        return call_gate(c, sel, &d, next_eip, f);
    case DEST_TASK:
        return task_target(c, sel, &d, &tss, f) ? x86_task_switch(c, tss, TASK_CALL, next_eip, false, 0, 0, f) : XFER_FAULT;
    default:
        return XFER_FAULT;
    }
}

/* ---- returns ---- */

bool x86_tss_stack(X86Cpu *c, unsigned cpl, uint16_t *ss, uint64_t *sp, unsigned ext, Fault *f)
{
    const X86Seg *tr = &c->seg[SEG_TR];
    bool wide = desc_type(tr->attr) & 8;
    unsigned size = x86_lma(c) ? 8 : wide ? 4 : 2, off = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
    uint64_t v = 0;

    if (off + size + (x86_lma(c) ? 0 : 2) - 1 > tr->limit) {
        return x86_fault(f, EX_TS, (tr->sel & 0xfffc) | ext);
    }
    if (!x86_sys_ld(c, tr->base + off, size, sp, f) ||
        (!x86_lma(c) && !x86_sys_ld(c, tr->base + off + size, 2, &v, f))) {
        return false;
    }
    *ss = (uint16_t)v;
    return true;
}

/* CS of a return to its RPL. */
static bool check_return_cs(X86Cpu *c, uint16_t sel, X86Desc *d, Fault *f)
{
    unsigned rpl = sel & 3, dpl;

    if (sel_null(sel)) {
        return gp(f, 0);
    }
    if (!x86_desc_read(c, sel, d, EX_GP, 0, f)) {
        return false;
    }
    dpl = desc_dpl(d->hi);
    if (!desc_is_code(d->hi) || rpl < x86_cpl(c) || (d->hi & DA_CE ? dpl > rpl : dpl != rpl) ||
        (x86_lma(c) && (d->hi & (DA_L | DA_DB)) == (DA_L | DA_DB))) {
        return gp(f, sel);
    }
    return d->hi & DA_P ? true : x86_fault(f, EX_NP, sel & 0xfffc);
}

/* SS of a return to privilege level cpl; a null selector is fine in 64-bit code above ring 3 (*null). */
static bool check_return_ss(X86Cpu *c, uint16_t sel, unsigned cpl, const X86Desc *cs, X86Desc *d, bool *null, Fault *f)
{
    *null = sel_null(sel) && x86_lma(c) && (cs->hi & DA_L) && cpl < 3;
    if (*null) {
        return (sel & 3u) == cpl ? true : gp(f, 0);
    }
    return x86_check_ss(c, sel, cpl, d, EX_GP, 0, f) && x86_desc_access(c, d, f);
}

/* Data segments that the outer level may not use are closed; in long mode the bases of FS and GS stay. */
static void close_segments(X86Cpu *c, unsigned cpl)
{
    static const uint8_t segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    for (unsigned i = 0; i < sizeof segs; i++) {
        X86Seg *s = &c->seg[segs[i]];
        bool conforming = (s->attr & (DA_CODE | DA_CE)) == (DA_CODE | DA_CE);

        if ((s->attr & DA_P) && desc_dpl(s->attr) < cpl && !conforming) {
            s->sel = 0;
            s->attr = 0;
        }
    }
}

/* Where a return goes: CS:EIP, and SS:ESP if it leaves the privilege level (or the frame always has them). */
typedef struct Frame {
    uint64_t eip, cs, flags, esp, ss;
} Frame;

/* The end of RET and IRET: CS, and SS if `outer` or `full`. s is past the frame. */
static bool return_to(X86Cpu *c, const Frame *fr, X86Desc *cs, X86Stack *s, bool with_ss, unsigned release, Fault *f)
{
    unsigned cpl = fr->cs & 3;
    bool outer = cpl > x86_cpl(c), null = false;
    X86Desc ss = { 0 };

    if (with_ss && !check_return_ss(c, (uint16_t)fr->ss, cpl, cs, &ss, &null, f)) {
        return false;
    }
    if (go(c, (uint16_t)fr->cs, cs, fr->eip, cpl, f) != XFER_OK) {
        return false;
    }
    if (!with_ss) {
        s->sp = (s->sp + release) & s->mask;
        x86_stack_commit(s);
        return true;
    }
    if (null) {
        x86_set_seg_null(c, SEG_SS, (uint16_t)fr->ss);
    } else {
        x86_set_seg_desc(c, SEG_SS, (uint16_t)fr->ss, &ss);
    }
    s->mask = x86_lma(c) && (cs->hi & DA_L) ? UINT64_MAX : ss.hi & DA_DB ? 0xffffffff : 0xffff;
    s->sp = fr->esp + release;
    x86_stack_commit(s);
    if (outer) {
        close_segments(c, cpl);
    }
    return true;
}

static Xfer ret_real(X86Cpu *c, unsigned osize, unsigned release, Fault *f)
{
    uint64_t eip, cs;
    X86Stack s;
    Xfer r;

    x86_stack_cur(&s, c, f);
    if (!x86_spop(&s, osize, &eip) || !x86_spop(&s, osize, &cs)) {
        return XFER_FAULT;
    }
    r = jmp_real(c, (uint16_t)cs, eip, f);
    if (r == XFER_OK) {
        s.sp = (s.sp + release) & s.mask;
        x86_stack_commit(&s);
    }
    return r;
}

Xfer x86_ret_far(X86Cpu *c, unsigned osize, unsigned release, Fault *f)
{
    Frame fr = { 0 };
    bool outer;
    X86Stack s;
    X86Desc cs;

    if (!x86_protected(c)) {
        return ret_real(c, osize, release, f);
    }
    x86_stack_cur(&s, c, f);
    if (!x86_spop(&s, osize, &fr.eip) || !x86_spop(&s, osize, &fr.cs) || !check_return_cs(c, (uint16_t)fr.cs, &cs, f)) {
        return XFER_FAULT;
    }
    outer = (fr.cs & 3) > x86_cpl(c);
    if (outer) {
        s.sp = (s.sp + release) & s.mask;
        if (!x86_spop(&s, osize, &fr.esp) || !x86_spop(&s, osize, &fr.ss)) {
            return XFER_FAULT;
        }
    }
    return xfer_of(return_to(c, &fr, &cs, &s, outer, release, f));
}

/* ---- IRET ---- */

enum { FL_IRET = FL_CC | FL_TF | FL_DF | FL_NT, FL_IRET32 = FL_RF | FL_AC | FL_ID };

static uint64_t iret_mask(const X86Cpu *c, unsigned osize, unsigned cpl)
{
    uint64_t m = FL_IRET | (osize > 2 ? FL_IRET32 : 0);

    m |= cpl <= x86_iopl(c) ? FL_IF : 0;
    if (cpl == 0) {
        m |= FL_IOPL | (osize > 2 ? FL_VIF | FL_VIP : 0);
    }
    return m;
}

static Xfer iret_real(X86Cpu *c, unsigned osize, Fault *f)
{
    uint64_t eip, cs, fl, mask = FL_IRET | FL_IF | FL_IOPL | (osize > 2 ? FL_IRET32 : 0);
    X86Stack s;
    Xfer r;

    x86_stack_cur(&s, c, f);
    if (!x86_spop(&s, osize, &eip) || !x86_spop(&s, osize, &cs) || !x86_spop(&s, osize, &fl)) {
        return XFER_FAULT;
    }
    r = jmp_real(c, (uint16_t)cs, eip, f);
    if (r == XFER_OK) {
        x86_stack_commit(&s);
        x86_load_eflags(c, fl, mask);
    }
    return r;
}

/* From virtual-8086 mode, SDM 20.2.5 and CR4.VME. */
static Xfer iret_v86(X86Cpu *c, unsigned osize, Fault *f)
{
    uint64_t eip, cs, fl, mask = FL_IRET | (osize > 2 ? FL_IRET32 : 0);
    bool vme = x86_iopl(c) < 3;
    X86Stack s;
    Xfer r;

    if (vme && (!(c->cr4 & CR4_VME) || osize != 2)) {
        return xfer_of(gp(f, 0));
    }
    x86_stack_cur(&s, c, f);
    if (!x86_spop(&s, osize, &eip) || !x86_spop(&s, osize, &cs) || !x86_spop(&s, osize, &fl)) {
        return XFER_FAULT;
    }
    if (vme) {
        if (((fl & FL_IF) && (c->eflags & FL_VIP)) || (fl & FL_TF)) {
            return xfer_of(gp(f, 0));
        }
        fl = (fl & ~(uint64_t)FL_VIF) | (fl & FL_IF ? FL_VIF : 0);
        mask |= FL_VIF;
    } else {
        mask |= FL_IF;
    }
    r = jmp_real(c, (uint16_t)cs, eip, f);
    if (r == XFER_OK) {
        x86_stack_commit(&s);
        x86_load_eflags(c, fl, mask);
    }
    return r;
}

/* Into virtual-8086 mode; s has ESP, SS, ES, DS, FS, GS yet to pop. */
static Xfer iret_to_v86(X86Cpu *c, const Frame *fr, X86Stack *s)
{
    static const uint8_t order[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    uint64_t esp, ss, sel[4];

    if (!x86_spop(s, 4, &esp) || !x86_spop(s, 4, &ss)) {
        return XFER_FAULT;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!x86_spop(s, 4, &sel[i])) {
            return XFER_FAULT;
        }
    }
    x86_load_eflags(c, fr->flags, FL_IRET | FL_IRET32 | FL_IF | FL_IOPL | FL_VM | FL_VIF | FL_VIP);
    for (unsigned i = 0; i < 4; i++) {
        x86_set_seg_real(c, order[i], (uint16_t)sel[i]);
    }
    x86_set_seg_real(c, SEG_CS, (uint16_t)fr->cs);
    x86_set_seg_real(c, SEG_SS, (uint16_t)ss);
    X86R(c, X86_RSP) = (uint32_t)esp;
    X86R(c, X86_RIP) = (uint16_t)fr->eip;
    return XFER_OK;
}

static Xfer iret_task(X86Cpu *c, uint64_t next_eip, Fault *f)
{
    uint64_t link;

    if (x86_lma(c)) {
        return xfer_of(gp(f, 0));
    }
    if (!x86_sys_ld(c, c->seg[SEG_TR].base, 2, &link, f)) {
        return XFER_FAULT;
    }
    return x86_task_switch(c, (uint16_t)link, TASK_IRET, next_eip, false, 0, 0, f);
}

static Xfer iret_protected(X86Cpu *c, unsigned osize, Fault *f)
{
    bool full = x86_cs64(c), with_ss;
    unsigned cpl = x86_cpl(c);
    uint64_t mask;
    Frame fr = { 0 };
    X86Stack s;
    X86Desc cs;

    x86_stack_cur(&s, c, f);
    if (!x86_spop(&s, osize, &fr.eip) || !x86_spop(&s, osize, &fr.cs) || !x86_spop(&s, osize, &fr.flags)) {
        return XFER_FAULT;
    }
    if ((fr.flags & FL_VM) && osize == 4 && cpl == 0 && !x86_lma(c)) {
        return iret_to_v86(c, &fr, &s);
    }
    if (!check_return_cs(c, (uint16_t)fr.cs, &cs, f)) {
        return XFER_FAULT;
    }
    with_ss = full || (fr.cs & 3) > cpl;
    if (with_ss && (!x86_spop(&s, osize, &fr.esp) || !x86_spop(&s, osize, &fr.ss))) {
        return XFER_FAULT;
    }
    mask = iret_mask(c, osize, cpl);
    if (!return_to(c, &fr, &cs, &s, with_ss, 0, f)) {
        return XFER_FAULT;
    }
    x86_load_eflags(c, fr.flags, mask);
    return XFER_OK;
}

Xfer x86_iret(X86Cpu *c, unsigned osize, uint64_t next_eip, Fault *f)
{
    Xfer r = !x86_pe(c) ? iret_real(c, osize, f) : x86_vm(c) ? iret_v86(c, osize, f) :
        c->eflags & FL_NT ? iret_task(c, next_eip, f) : iret_protected(c, osize, f);

    if (r != XFER_FAULT) {
        c->nmi_masked = false;
    }
    return r;
}
