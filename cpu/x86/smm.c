/* System management mode: SMI entry and RSM.
 *
 * Follows AMD APM volume 2 chapter 10 (the 64-bit save map, revision 20064h)
 * for models with long mode, and Intel SDM volume 3 chapter 31 (the 32-bit
 * map, revision 20000h) for the others, of which the hidden parts of segments
 * are at places of our own.  SMBASE may be moved.
 *
 * In SMM the vcpu sees smm_mem, in which the board shows SMRAM.  Left out:
 * I/O restart, auto-halt (HLT goes on after RSM), SMIs while in SMM wait. */
#include "cpu/x86/sys.h"
#include "util/bits.h"
#include "util/log.h"

enum { SMM_ENTRY = 0x8000, REV_64 = 0x20064, REV_32 = 0x20000, MAP_REV = 0xfefc, MAP64_SMBASE = 0xff00, MAP32_SMBASE = 0xfef8 };

/* One place of a map: offset from SMBASE, bytes, and where the value lives. */
typedef struct Slot { uint16_t off; uint8_t size; uint32_t field; } Slot;
#define F(m) offsetof(X86Cpu, m)
#define R(r) (offsetof(TcgEnv, regs[0]) + 8 * X86_##r)

static const Slot map64[] = {
    { 0xfe68, 8, F(gdt_base) }, { 0xfe88, 8, F(idt_base) }, { 0xfed0, 8, F(efer) },
    { 0xff48, 8, F(cr4) }, { 0xff50, 8, F(cr3) }, { 0xff58, 8, F(cr0) }, { 0xff60, 8, F(dr[7]) }, { 0xff68, 8, F(dr[6]) },
    { 0xff78, 8, R(RIP) }, { 0xff80, 8, R(R15) }, { 0xff88, 8, R(R14) }, { 0xff90, 8, R(R13) }, { 0xff98, 8, R(R12) },
    { 0xffa0, 8, R(R11) }, { 0xffa8, 8, R(R10) }, { 0xffb0, 8, R(R9) }, { 0xffb8, 8, R(R8) }, { 0xffc0, 8, R(RDI) },
    { 0xffc8, 8, R(RSI) }, { 0xffd0, 8, R(RBP) }, { 0xffd8, 8, R(RSP) }, { 0xffe0, 8, R(RBX) }, { 0xffe8, 8, R(RDX) },
    { 0xfff0, 8, R(RCX) }, { 0xfff8, 8, R(RAX) },
};
static const Slot map32[] = {
    { 0xff14, 4, F(cr4) }, { 0xff74, 4, F(gdt_base) }, { 0xff58, 4, F(idt_base) }, { 0xfffc, 4, F(cr0) }, { 0xfff8, 4, F(cr3) },
    { 0xfff0, 4, R(RIP) }, { 0xffec, 4, R(RDI) }, { 0xffe8, 4, R(RSI) }, { 0xffe4, 4, R(RBP) }, { 0xffe0, 4, R(RSP) },
    { 0xffdc, 4, R(RBX) }, { 0xffd8, 4, R(RDX) }, { 0xffd4, 4, R(RCX) }, { 0xffd0, 4, R(RAX) }, { 0xffcc, 4, F(dr[6]) },
    { 0xffc8, 4, F(dr[7]) },
};

/* Segments: selector, attributes (bits 8..23 of the descriptor, packed to 12), limit, base. */
typedef struct SegSlot { uint16_t sel, attr, limit, base; } SegSlot;
static const SegSlot segs64[X86_SEGS] = {
    [SEG_ES] = { 0xfe00, 0xfe02, 0xfe04, 0xfe08 }, [SEG_CS] = { 0xfe10, 0xfe12, 0xfe14, 0xfe18 },
    [SEG_SS] = { 0xfe20, 0xfe22, 0xfe24, 0xfe28 }, [SEG_DS] = { 0xfe30, 0xfe32, 0xfe34, 0xfe38 },
    [SEG_FS] = { 0xfe40, 0xfe42, 0xfe44, 0xfe48 }, [SEG_GS] = { 0xfe50, 0xfe52, 0xfe54, 0xfe58 },
    [SEG_LDT] = { 0xfe70, 0xfe72, 0xfe74, 0xfe78 }, [SEG_TR] = { 0xfe90, 0xfe92, 0xfe94, 0xfe98 },
};
static const SegSlot segs32[X86_SEGS] = {
    [SEG_ES] = { 0xffa8, 0xff84, 0xff88, 0xff8c }, [SEG_CS] = { 0xffac, 0xff90, 0xff94, 0xff98 },
    [SEG_SS] = { 0xffb0, 0xff9c, 0xffa0, 0xffa4 }, [SEG_DS] = { 0xffb4, 0xff2c, 0xff30, 0xff34 },
    [SEG_FS] = { 0xffb8, 0xff38, 0xff3c, 0xff40 }, [SEG_GS] = { 0xffbc, 0xff44, 0xff48, 0xff4c },
    [SEG_LDT] = { 0xffc0, 0xff7c, 0xff80, 0xff78 }, [SEG_TR] = { 0xffc4, 0xff5c, 0xff60, 0xff64 },
};

typedef struct Map {
    const Slot *slots;
    unsigned n;
    const SegSlot *segs;
    uint16_t flags, gdt_limit, idt_limit, smbase;
    uint32_t rev;
    unsigned wide;                       /* bytes of flags and bases */
} Map;
static const Map long_map = { map64, G_N_ELEMENTS(map64), segs64, 0xff70, 0xfe64, 0xfe84, MAP64_SMBASE, REV_64, 8 };
static const Map short_map = { map32, G_N_ELEMENTS(map32), segs32, 0xfff4, 0xff70, 0xff54, MAP32_SMBASE, REV_32, 4 };

static const Map *map_of(const X86Cpu *c)
{
    return x86_has_feat(c, CW_80000001_EDX, 29) ? &long_map : &short_map;
}

static uint64_t rd(X86Cpu *c, unsigned off, unsigned size) { return as_ld(c->vcpu.mem, c->smbase + off, size); }
static void wr(X86Cpu *c, unsigned off, unsigned size, uint64_t v) { as_st(c->vcpu.mem, c->smbase + off, v, size); }
static uint64_t *field(X86Cpu *c, const Slot *s) { return (uint64_t *)((char *)c + s->field); }
static unsigned pack(uint32_t attr) { return (attr >> 8 & 0xff) | (attr >> 12 & 0xf00); }
static uint32_t unpack(unsigned a) { return (a & 0xff) << 8 | (a & 0xf00) << 12; }

static void see(X86Cpu *c, bool smm)
{
    if (smm) {
        c->mem_normal = c->vcpu.mem;
    }
    if (c->smm_mem) {
        c->vcpu.mem = smm ? c->smm_mem : c->mem_normal;
    }
    c->hflags = smm ? c->hflags | HF_SMM : c->hflags & ~(uint64_t)HF_SMM;
    tlb_flush(&c->vcpu);
}

static void save(X86Cpu *c)
{
    const Map *m = map_of(c);

    for (unsigned i = 0; i < m->n; i++) {
        wr(c, m->slots[i].off, m->slots[i].size, *field(c, &m->slots[i]));
    }
    for (unsigned i = 0; i < X86_SEGS; i++) {
        wr(c, m->segs[i].sel, 2, c->seg[i].sel);
        wr(c, m->segs[i].attr, 2, pack(c->seg[i].attr));
        wr(c, m->segs[i].limit, 4, c->seg[i].limit);
        wr(c, m->segs[i].base, m->wide, x86_seg_base(c, i));
    }
    wr(c, m->flags, m->wide, x86_get_eflags(c));
    wr(c, m->gdt_limit, 4, c->gdt_limit);
    wr(c, m->idt_limit, 4, c->idt_limit);
    wr(c, m->smbase, 4, c->smbase);
    wr(c, MAP_REV, 4, m->rev);
}

void x86_smi_enter(X86Cpu *c)
{
    if (log_on(LOG_INT)) {
        log_printf("cpu %u: SMI\n", c->vcpu.index);
    }
    see(c, true);
    save(c);
    c->nmi_masked = true;
    c->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    c->cr4 = 0;
    c->efer = 0;
    c->dr[7] = 0x400;
    c->eflags = 2;
    x86_set_cc(c, 0);
    X86R(c, X86_DF) = 1;
    X86R(c, X86_RIP) = SMM_ENTRY;
    for (unsigned i = 0; i < SEG_LDT; i++) {
        x86_set_seg(c, i, 0, 0, 0xffffffff, DA_P | DA_S | DA_RW | DA_ACC | DA_G);
    }
    x86_set_seg(c, SEG_CS, (uint16_t)(c->smbase >> 4), c->smbase, 0xffffffff, DA_P | DA_S | DA_RW | DA_ACC | DA_G);
    c->hflags &= ~(uint64_t)HF_SHADOW;
    x86_switch_space(c, true);
    x86_update_mode(c);
}

bool x86_rsm(X86Cpu *c)
{
    const Map *m = map_of(c);
    uint64_t fl = rd(c, m->flags, m->wide);

    for (unsigned i = 0; i < m->n; i++) {
        *field(c, &m->slots[i]) = rd(c, m->slots[i].off, m->slots[i].size);
    }
    for (unsigned i = 0; i < X86_SEGS; i++) {
        x86_set_seg(c, i, (uint16_t)rd(c, m->segs[i].sel, 2), rd(c, m->segs[i].base, m->wide),
                    (uint32_t)rd(c, m->segs[i].limit, 4), unpack((unsigned)rd(c, m->segs[i].attr, 2)));
    }
    x86_load_eflags(c, fl, ~(uint64_t)2);
    c->gdt_limit = (uint32_t)rd(c, m->gdt_limit, 4);
    c->idt_limit = (uint32_t)rd(c, m->idt_limit, 4);
    c->smbase = (uint32_t)rd(c, m->smbase, 4);
    c->nmi_masked = false;
    see(c, false);
    x86_switch_space(c, true);
    x86_update_mode(c);
    x86_check_irq(c);
    return !((c->cr0 & CR0_PG) && !(c->cr0 & CR0_PE)) && !((c->efer & EFER_LMA) && !(c->cr4 & CR4_PAE));
}
