/* Control registers, EFER, and the mode flags that follow from them.
 *
 * Follows Intel SDM volume 3 chapters 2.5 (control registers), 4.10.4 (what
 * invalidates translations) and 9.8.5 (entering long mode), and MOV to CR in
 * volume 2 for the checks.
 *
 * Address spaces.  With CR4.PCIDE the TLB's address-space number is the PCID;
 * without it is the table's address and every load of CR3 drops what is not
 * global.  PCIDs get a bit of their own so that the two never meet. */
#include "cpu/x86/sys.h"
#include "util/log.h"

#define CR3_NOFLUSH ((uint64_t)1 << 63)

/* ---- mode flags ---- */

/* Base 0, limit 4 GiB, present, writable and not expand-down (data), readable (code). */
static bool is_flat(const X86Cpu *c, unsigned s)
{
    const X86Seg *g = &c->seg[s];

    return g->base == 0 && g->limit == 0xffffffff && (g->attr & (DA_P | DA_RW)) == (DA_P | DA_RW) &&
        (s == SEG_CS || !(g->attr & (DA_CODE | DA_CE)));
}

static uint64_t control_flags(const X86Cpu *c)
{
    uint64_t hf = 0;

    hf |= c->cr0 & CR0_PE ? HF_PE : 0;
    hf |= c->cr0 & CR0_EM ? HF_EM : 0;
    hf |= c->cr0 & CR0_TS ? HF_TS : 0;
    hf |= c->cr0 & CR0_MP ? HF_MP : 0;
    hf |= c->cr4 & CR4_OSFXSR ? HF_OSFXSR : 0;
    hf |= c->cr4 & CR4_TSD ? HF_TSD : 0;
    hf |= c->cr4 & CR4_UMIP ? HF_UMIP : 0;
    hf |= c->cr4 & CR4_FSGSBASE ? HF_FSGSBASE : 0;
    if (c->cr4 & CR4_OSXSAVE) {
        hf |= HF_OSXSAVE | ((c->xcr0 & 6) == 6 ? HF_AVX : 0);
    }
    hf |= c->efer & EFER_LMA ? HF_LMA : 0;
    hf |= c->dr[7] & 0xff ? HF_DRBP : 0;
    hf |= (c->mxcsr & 0x1f80) != 0x1f80 ? HF_SSE_EXC : 0;
    hf |= (c->fpu.fcw & 0x3f) != 0x3f || (c->fpu.fsw & 0x80) ? HF_X87_EXC : 0;
    return hf;
}

static uint64_t segment_flags(const X86Cpu *c)
{
    uint32_t cs = c->seg[SEG_CS].attr;
    uint64_t hf;

    if ((c->efer & EFER_LMA) && (cs & DA_L)) {
        return HF_CS64 | HF_CS32 | HF_SS32 | HF_DS_FLAT | HF_ES_FLAT | HF_SS_FLAT | HF_CS_FLAT;
    }
    hf = (uint64_t)(uint32_t)c->seg[SEG_CS].base << 32;
    hf |= cs & DA_DB ? HF_CS32 : 0;
    hf |= c->seg[SEG_SS].attr & DA_DB ? HF_SS32 : 0;
    hf |= is_flat(c, SEG_DS) ? HF_DS_FLAT : 0;
    hf |= is_flat(c, SEG_ES) ? HF_ES_FLAT : 0;
    hf |= is_flat(c, SEG_SS) ? HF_SS_FLAT : 0;
    hf |= is_flat(c, SEG_CS) ? HF_CS_FLAT : 0;
    hf |= c->seg[SEG_CS].limit != 0xffffffff ? HF_CS_LIMIT : 0;
    return hf;
}

void x86_update_mode(X86Cpu *c)
{
    unsigned cpl = c->seg[SEG_SS].attr >> DA_DPL_SHIFT & 3;
    uint64_t hf = (c->hflags & (HF_SMM | HF_SHADOW)) | control_flags(c) | segment_flags(c) | cpl;

    hf |= (c->eflags & FL_IOPL) << (HF_IOPL_SHIFT - 12);
    hf |= c->eflags & FL_VM ? HF_VM : 0;
    hf |= c->eflags & FL_TF ? HF_TF : 0;
    hf |= (uint64_t)x86_cpl_mode(c, cpl) << HF_MMU_SHIFT;
    if (hf != c->hflags) {
        c->hflags = hf;
        cpu_mode_changed(&c->vcpu);
    }
}

/* ---- paging ---- */

void x86_switch_space(X86Cpu *c, bool flush)
{
    if (c->cr4 & CR4_PCIDE) {
        tlb_switch(&c->vcpu, x86_pcid_asid(c->cr3 & 0xfff), flush);
    } else {
        tlb_switch(&c->vcpu, c->cr3 & ~(uint64_t)0xfff, true);
    }
}

static bool gp0(Fault *f)
{
    return x86_fault(f, EX_GP, 0);
}

enum {
    CR0_KEPT = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD,
};
#define CR0_BITS ((uint64_t)(uint32_t)CR0_KEPT | CR0_PG)

static void set_lma(X86Cpu *c, bool on)
{
    c->efer = on ? c->efer | EFER_LMA : c->efer & ~(uint64_t)EFER_LMA;
}

/* SDM 9.8.5: what must hold when paging goes on with EFER.LME set. */
static bool may_enter_long(const X86Cpu *c)
{
    uint32_t tr = c->seg[SEG_TR].attr;

    return (c->cr4 & CR4_PAE) && !(c->seg[SEG_CS].attr & DA_L) && !((tr & DA_P) && desc_type(tr) == SYS_TSS16_BUSY);
}

bool x86_set_cr0(X86Cpu *c, uint64_t v, Fault *f)
{
    uint64_t old = c->cr0;

    if (v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD))) {
        return gp0(f);
    }
    v = (v & CR0_BITS) | CR0_ET;
    if ((v & ~old & CR0_PG) && (c->efer & EFER_LME)) {
        if (!may_enter_long(c)) {
            return gp0(f);
        }
        set_lma(c, true);
    } else if ((v & ~old & CR0_PG) && (c->cr4 & CR4_PAE) && !x86_pdptes_ok(c, c->cr3)) {
        return gp0(f);
    }
    if (old & ~v & CR0_PG) {
        if (x86_cs64(c) || (c->cr4 & CR4_PCIDE)) {
            return gp0(f);
        }
        set_lma(c, false);
    }
    c->cr0 = v;
    if ((old ^ v) & (CR0_PG | CR0_WP | CR0_PE)) {
        tlb_flush(&c->vcpu);
        x86_switch_space(c, true);
    }
    return true;
}

bool x86_set_cr3(X86Cpu *c, uint64_t v, Fault *f)
{
    bool keep = (c->cr4 & CR4_PCIDE) && (v & CR3_NOFLUSH);

    if (c->cr4 & CR4_PCIDE) {
        v &= ~CR3_NOFLUSH;
    }
    if (!x86_lma(c)) {
        v = (uint32_t)v;
        if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !x86_pdptes_ok(c, v)) {
            return gp0(f);
        }
    } else if (v & ~X86_PHYS_MASK) {
        return gp0(f);
    }
    c->cr3 = v;
    x86_switch_space(c, !keep);
    return true;
}

/* Bits of CR4 that this vcpu's features allow. */
static uint64_t cr4_bits(const X86Cpu *c)
{
    static const struct { uint32_t bit; uint8_t word, feat; } rows[] = {
        { CR4_VME | CR4_PVI, CW_1_EDX, 1 }, { CR4_TSD, CW_1_EDX, 4 }, { CR4_DE, CW_1_EDX, 2 }, { CR4_PSE, CW_1_EDX, 3 },
        { CR4_PAE, CW_1_EDX, 6 }, { CR4_MCE, CW_1_EDX, 7 }, { CR4_PGE, CW_1_EDX, 13 }, { CR4_OSFXSR, CW_1_EDX, 24 },
        { CR4_OSXMMEXCPT, CW_1_EDX, 25 }, { CR4_UMIP, CW_7_ECX, 2 }, { CR4_FSGSBASE, CW_7_EBX, 0 },
        { CR4_PCIDE, CW_1_ECX, 17 }, { CR4_OSXSAVE, CW_1_ECX, 26 }, { CR4_SMEP, CW_7_EBX, 7 }, { CR4_SMAP, CW_7_EBX, 20 },
    };
    uint64_t bits = CR4_PCE;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bits |= x86_has_feat(c, rows[i].word, rows[i].feat) ? rows[i].bit : 0;
    }
    return bits;
}

bool x86_set_cr4(X86Cpu *c, uint64_t v, Fault *f)
{
    uint64_t old = c->cr4, changed = old ^ v;

    if (v & ~cr4_bits(c)) {
        log_guest("CR4: bits %" G_GINT64_MODIFIER "x are not supported by this CPU model", v & ~cr4_bits(c));
        return gp0(f);
    }
    if (x86_lma(c) && !(v & CR4_PAE)) {
        return gp0(f);
    }
    if ((v & ~old & CR4_PCIDE) && (!x86_lma(c) || (c->cr3 & 0xfff))) {
        return gp0(f);
    }
    if ((changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)) && (c->cr0 & CR0_PG) && !x86_lma(c) && (v & CR4_PAE) &&
        !x86_pdptes_ok(c, c->cr3)) {
        return gp0(f);
    }
    c->cr4 = v;
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_PCIDE)) {
        tlb_flush(&c->vcpu);
        x86_switch_space(c, true);
    }
    return true;
}

bool x86_set_efer(X86Cpu *c, uint64_t v, Fault *f)
{
    uint64_t ok = 0, old = c->efer;

    ok |= x86_has_feat(c, CW_80000001_EDX, 11) ? EFER_SCE : 0;
    ok |= x86_has_feat(c, CW_80000001_EDX, 29) ? EFER_LME | EFER_LMA : 0;
    ok |= x86_has_feat(c, CW_80000001_EDX, 20) ? EFER_NXE : 0;
    ok |= x86_has_feat(c, CW_80000001_EDX, 25) ? 1 << 14 : 0;           /* FFXSR */
    ok |= 1 << 21;                                                       /* automatic IBRS: nothing to do */
    if ((v & ~ok) || ((c->cr0 & CR0_PG) && ((old ^ v) & EFER_LME))) {
        return gp0(f);
    }
    c->efer = (v & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
    if ((old ^ c->efer) & EFER_NXE) {
        tlb_flush(&c->vcpu);
    }
    return true;
}
