/* Segments: reading descriptors, loading segment registers with the checks
 * that the mode asks for, limits, and the processor's own pushes and pops.
 *
 * Follows Intel SDM volume 3 chapters 3.4 (segments), 5.3-5.7 (limits,
 * types, privilege) and the pseudo-code of MOV Sreg, LLDT, LTR in volume 2.
 * Where Intel and AMD differ on null selectors in long mode (FS and GS base),
 * the base is cleared, and CPUID 80000021h.EAX[6] says so.
 *
 * Nothing here raises: see sys.h. */
#include "cpu/x86/sys.h"

void x86_set_seg(X86Cpu *c, unsigned s, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    c->seg[s] = (X86Seg){ .base = base, .limit = limit, .attr = attr, .sel = sel };
    if (s == SEG_FS) {
        X86R(c, X86_FS_BASE) = base;
    } else if (s == SEG_GS) {
        X86R(c, X86_GS_BASE) = base;
    }
}

void x86_set_seg_desc(X86Cpu *c, unsigned s, uint16_t sel, const X86Desc *d)
{
    x86_set_seg(c, s, sel, desc_base(d) | (uint64_t)d->hi64 << 32, desc_limit(d), d->hi & DA_MASK);
}

/* In real mode limit and attributes stay what they were ("unreal" mode); in virtual-8086 mode they are fixed. */
void x86_set_seg_real(X86Cpu *c, unsigned s, uint16_t sel)
{
    if (x86_vm(c)) {
        x86_set_seg(c, s, sel, (uint32_t)sel << 4, 0xffff, DA_P | DA_DPL | DA_S | DA_RW | DA_ACC);
    } else {
        uint32_t attr = c->seg[s].attr;

        /* a segment that a null selector had closed opens again */
        x86_set_seg(c, s, sel, (uint32_t)sel << 4, attr & DA_P ? c->seg[s].limit : 0xffff,
                    attr & DA_P ? attr & ~(uint32_t)DA_DPL : DA_P | DA_S | DA_RW | DA_ACC);
    }
}

/* A stack segment keeps its privilege level: CPL is read from there. */
void x86_set_seg_null(X86Cpu *c, unsigned s, uint16_t sel)
{
    x86_set_seg(c, s, sel, 0, 0, s == SEG_SS ? (uint32_t)(sel & 3) << DA_DPL_SHIFT : 0);
}

/* ---- descriptor tables ---- */

static bool table_of(const X86Cpu *c, uint16_t sel, uint64_t *base, uint32_t *limit)
{
    if (sel & 4) {
        *base = c->seg[SEG_LDT].base;
        *limit = c->seg[SEG_LDT].limit;
        return c->seg[SEG_LDT].attr & DA_P;
    }
    *base = c->gdt_base;
    *limit = c->gdt_limit;
    return true;
}

bool x86_desc_read(X86Cpu *c, uint16_t sel, X86Desc *d, unsigned vec, unsigned ext, Fault *f)
{
    uint64_t base, v;
    uint32_t limit;

    if (!table_of(c, sel, &base, &limit) || (sel | 7u) > limit) {
        return x86_fault(f, vec, (sel & 0xfffc) | ext);
    }
    d->addr = base + (sel & ~7u);
    if (!x86_sys_ld(c, d->addr, 8, &v, f)) {
        return false;
    }
    d->lo = (uint32_t)v;
    d->hi = v >> 32;
    d->hi64 = 0;
    return true;
}

bool x86_desc_read_high(X86Cpu *c, uint16_t sel, X86Desc *d, unsigned vec, unsigned ext, Fault *f)
{
    uint64_t base, v;
    uint32_t limit;

    if (!table_of(c, sel, &base, &limit) || (sel | 7u) + 8 > limit) {
        return x86_fault(f, vec, (sel & 0xfffc) | ext);
    }
    if (!x86_sys_ld(c, d->addr + 8, 8, &v, f)) {
        return false;
    }
    if (v >> 32 & 0x1f00) {
        return x86_fault(f, vec, (sel & 0xfffc) | ext);
    }
    d->hi64 = (uint32_t)v;
    return true;
}

bool x86_desc_access(X86Cpu *c, X86Desc *d, Fault *f)
{
    if (d->hi & DA_ACC) {
        return true;
    }
    d->hi |= DA_ACC;
    return x86_sys_st(c, d->addr + 5, 1, d->hi >> 8 & 0xff, f);
}

/* ---- loading ---- */

bool x86_check_ss(X86Cpu *c, uint16_t sel, unsigned cpl, X86Desc *d, unsigned vec, unsigned ext, Fault *f)
{
    uint32_t code = (sel & 0xfffc) | ext;

    if (sel_null(sel)) {
        return x86_fault(f, vec, ext);
    }
    if (!x86_desc_read(c, sel, d, vec, ext, f)) {
        return false;
    }
    if ((sel & 3) != cpl || !desc_is_wdata(d->hi) || desc_dpl(d->hi) != cpl) {
        return x86_fault(f, vec, code);
    }
    return d->hi & DA_P ? true : x86_fault(f, EX_SS, code);
}

static bool load_ss(X86Cpu *c, uint16_t sel, Fault *f)
{
    unsigned cpl = x86_cpl(c);
    X86Desc d;

    if (sel_null(sel) && x86_cs64(c) && cpl < 3 && (sel & 3) == cpl) {
        x86_set_seg_null(c, SEG_SS, sel);
        return true;
    }
    if (!x86_check_ss(c, sel, cpl, &d, EX_GP, 0, f) || !x86_desc_access(c, &d, f)) {
        return false;
    }
    x86_set_seg_desc(c, SEG_SS, sel, &d);
    return true;
}

static bool load_data(X86Cpu *c, unsigned s, uint16_t sel, Fault *f)
{
    unsigned rpl = sel & 3, cpl = x86_cpl(c);
    bool nonconforming;
    X86Desc d;

    if (sel_null(sel)) {
        x86_set_seg_null(c, s, sel);
        return true;
    }
    if (!x86_desc_read(c, sel, &d, EX_GP, 0, f)) {
        return false;
    }
    nonconforming = !(desc_is_code(d.hi) && (d.hi & DA_CE));
    if (!(d.hi & DA_S) || (desc_is_code(d.hi) && !(d.hi & DA_RW)) ||
        (nonconforming && (rpl > desc_dpl(d.hi) || cpl > desc_dpl(d.hi)))) {
        return x86_fault(f, EX_GP, sel & 0xfffc);
    }
    if (!(d.hi & DA_P)) {
        return x86_fault(f, EX_NP, sel & 0xfffc);
    }
    if (!x86_desc_access(c, &d, f)) {
        return false;
    }
    x86_set_seg_desc(c, s, sel, &d);
    return true;
}

bool x86_load_seg(X86Cpu *c, unsigned s, uint16_t sel, Fault *f)
{
    if (!x86_protected(c)) {
        x86_set_seg_real(c, s, sel);
        return true;
    }
    return s == SEG_SS ? load_ss(c, sel, f) : load_data(c, s, sel, f);
}

/* vec: #GP (LLDT) or #TS (task switch). */
bool x86_load_ldt(X86Cpu *c, uint16_t sel, unsigned vec, Fault *f)
{
    X86Desc d;

    if (sel_null(sel)) {
        x86_set_seg_null(c, SEG_LDT, sel);
        return true;
    }
    if (sel & 4) {
        return x86_fault(f, vec, sel & 0xfffc);
    }
    if (!x86_desc_read(c, sel, &d, vec, 0, f)) {
        return false;
    }
    if ((d.hi & DA_S) || desc_type(d.hi) != SYS_LDT) {
        return x86_fault(f, vec, sel & 0xfffc);
    }
    if (!(d.hi & DA_P)) {
        return x86_fault(f, vec == EX_TS ? EX_TS : EX_NP, sel & 0xfffc);
    }
    if (x86_lma(c) && !x86_desc_read_high(c, sel, &d, vec, 0, f)) {
        return false;
    }
    if (x86_lma(c) && !x86_canonical(desc_base(&d) | (uint64_t)d.hi64 << 32)) {
        return x86_fault(f, vec, sel & 0xfffc);
    }
    x86_set_seg_desc(c, SEG_LDT, sel, &d);
    return true;
}

bool x86_load_tr(X86Cpu *c, uint16_t sel, Fault *f)
{
    uint32_t code = sel & 0xfffc;
    unsigned type;
    X86Desc d;

    if (sel_null(sel) || (sel & 4)) {
        return x86_fault(f, EX_GP, code);
    }
    if (!x86_desc_read(c, sel, &d, EX_GP, 0, f)) {
        return false;
    }
    type = desc_type(d.hi);
    if ((d.hi & DA_S) || !(type == SYS_TSS32 || (type == SYS_TSS16 && !x86_lma(c)))) {
        return x86_fault(f, EX_GP, code);
    }
    if (!(d.hi & DA_P)) {
        return x86_fault(f, EX_NP, code);
    }
    if (x86_lma(c) && !x86_desc_read_high(c, sel, &d, EX_GP, 0, f)) {
        return false;
    }
    if (x86_lma(c) && !x86_canonical(desc_base(&d) | (uint64_t)d.hi64 << 32)) {
        return x86_fault(f, EX_GP, code);
    }
    d.hi |= 2 << DA_TYPE_SHIFT;          /* busy */
    if (!x86_sys_st(c, d.addr + 5, 1, d.hi >> 8 & 0xff, f)) {
        return false;
    }
    x86_set_seg_desc(c, SEG_TR, sel, &d);
    return true;
}

/* ---- limits ---- */

static bool in_limit(uint32_t attr, uint32_t limit, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;

    if ((attr & (DA_S | DA_CODE | DA_CE)) == (DA_S | DA_CE)) {           /* expand-down */
        return off > limit && last <= (attr & DA_DB ? 0xffffffffu : 0xffffu);
    }
    return last <= limit;
}

bool x86_seg_linear(X86Cpu *c, unsigned s, uint64_t off, unsigned size, bool write, uint64_t *lin, Fault *f)
{
    unsigned vec = s == SEG_SS ? EX_SS : EX_GP;
    uint32_t attr = c->seg[s].attr;

    if (x86_cs64(c)) {
        *lin = off + (s == SEG_FS || s == SEG_GS ? x86_seg_base(c, s) : 0);
        return x86_canonical(*lin) && x86_canonical(*lin + size - 1) ? true : x86_fault(f, vec, 0);
    }
    if (x86_protected(c)) {
        bool code = attr & DA_CODE, rw = attr & DA_RW;

        if (!(attr & DA_P) || (write ? code || !rw : code && !rw)) {
            return x86_fault(f, attr & DA_P ? EX_GP : vec, 0);
        }
    }
    if (!in_limit(attr, c->seg[s].limit, off, size)) {
        return x86_fault(f, vec, 0);
    }
    *lin = (uint32_t)(x86_seg_base(c, s) + off);
    return true;
}

/* ---- stacks ---- */

void x86_stack_cur(X86Stack *s, X86Cpu *c, Fault *f)
{
    *s = (X86Stack){
        .c = c, .base = c->seg[SEG_SS].base, .sp = X86R(c, X86_RSP), .limit = c->seg[SEG_SS].limit,
        .attr = c->seg[SEG_SS].attr, .mode = x86_data_mode(c), .f = f,
        .mask = x86_cs64(c) ? UINT64_MAX : c->seg[SEG_SS].attr & DA_DB ? 0xffffffffu : 0xffffu,
    };
    if (x86_cs64(c)) {
        s->base = 0;
        s->flat64 = true;
    }
}

void x86_stack_desc(X86Stack *s, X86Cpu *c, const X86Desc *d, uint64_t sp, unsigned cpl, uint32_t code, Fault *f)
{
    *s = (X86Stack){
        .c = c, .base = desc_base(d), .sp = sp, .limit = desc_limit(d), .attr = d->hi & DA_MASK, .code = code,
        .mode = x86_cpl_mode(c, cpl), .f = f, .mask = d->hi & DA_DB ? 0xffffffffu : 0xffffu,
    };
}

static bool stack_addr(X86Stack *s, uint64_t sp, unsigned size, uint64_t *lin)
{
    if (s->flat64) {
        *lin = sp;
        return x86_canonical(sp) && x86_canonical(sp + size - 1) ? true : x86_fault(s->f, EX_SS, s->code);
    }
    if (!in_limit(s->attr, s->limit, sp, size)) {
        return x86_fault(s->f, EX_SS, s->code);
    }
    *lin = (uint32_t)(s->base + sp);
    return true;
}

bool x86_spush(X86Stack *s, unsigned size, uint64_t v)
{
    uint64_t sp = (s->sp - size) & s->mask, lin;

    if (!stack_addr(s, sp, size, &lin) || !cpu_try_st(&s->c->vcpu, lin, v, size, s->mode, s->f)) {
        return false;
    }
    s->sp = sp;
    return true;
}

bool x86_spop(X86Stack *s, unsigned size, uint64_t *v)
{
    uint64_t sp = s->sp & s->mask, lin;

    if (!stack_addr(s, sp, size, &lin) || !cpu_try_ld(&s->c->vcpu, lin, size, s->mode, v, s->f)) {
        return false;
    }
    s->sp = (sp + size) & s->mask;
    return true;
}

void x86_stack_commit(const X86Stack *s)
{
    uint64_t *rsp = &X86R(s->c, X86_RSP);

    *rsp = s->mask == 0xffff ? (*rsp & ~0xffffull) | (s->sp & 0xffff) : s->sp & s->mask;
}
