/* RDMSR and WRMSR: msr.def says what each register is, this file has the few
 * that do something.  Also the time-stamp counter.
 *
 * The counter is the host's plus an offset.  The offset of all vcpus starts
 * equal, so that counters of one machine agree; WRMSR to TSC or TSC_ADJUST
 * moves one.  It goes on while the machine is stopped.
 *
 * Sources: Intel SDM volume 3 chapters 11.11 (MTRR), 17.17 (TSC), volume 4;
 * AMD APM volume 2. */
#include "cpu/x86/sys.h"

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#include "util/bits.h"
#include "util/log.h"

typedef struct Msr Msr;
struct Msr {
    uint32_t first, count;
    const char *name;
    bool (*read)(X86Cpu *, const Msr *, uint32_t n, uint64_t *v);
    bool (*write)(X86Cpu *, const Msr *, uint32_t n, uint64_t v);
    uint32_t offset;
    uint64_t arg;
};

/* ---- time-stamp counter ---- */

static uint64_t tsc_hz, tsc_start;

static uint64_t host_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* CPUID 15h: crystal and ratio, where the host has it. */
static uint64_t host_tsc_hz(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    uint64_t t0, ns0, ns;

    if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c) {
        return (uint64_t)c * b / a;
    }
    t0 = __rdtsc();
    ns0 = host_ns();
    do {
        ns = host_ns() - ns0;
    } while (ns < 10000000);
    return (uint64_t)((unsigned __int128)(__rdtsc() - t0) * 1000000000 / ns);
}

uint64_t x86_tsc_hz(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        tsc_hz = host_tsc_hz();
        tsc_start = __rdtsc();
        g_once_init_leave(&once, 1);
    }
    return tsc_hz;
}

uint64_t x86_tsc_start(void)
{
    x86_tsc_hz();
    return tsc_start;
}

uint64_t x86_tsc(const X86Cpu *c)
{
    return __rdtsc() + c->tsc_offset;
}

RHEA_GPR_ONLY uint64_t x86_h_rdtsc(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t f)
{
    (void)a, (void)b, (void)c, (void)f;
    return __rdtsc() + x86_env(env)->tsc_offset;
}

/* ---- kinds of rows ---- */

#define RD(kind) static bool rd_##kind(X86Cpu *c, G_GNUC_UNUSED const Msr *m, G_GNUC_UNUSED uint32_t n, \
                                       G_GNUC_UNUSED uint64_t *v)
#define WR(kind) static bool wr_##kind(X86Cpu *c, G_GNUC_UNUSED const Msr *m, G_GNUC_UNUSED uint32_t n, \
                                       G_GNUC_UNUSED uint64_t v)

static uint64_t *field_of(X86Cpu *c, const Msr *m, uint32_t n)
{
    return (uint64_t *)((char *)c + m->offset) + (n - m->first);
}

RD(field) { *v = *field_of(c, m, n); return true; }
RD(value) { (void)c; *v = m->arg; return true; }
RD(none)  { (void)c; return false; }
RD(apic)  { return c->apic && c->apic->msr_read(c->apic_dev, n, v); }

WR(field) { return v & m->arg ? false : (*field_of(c, m, n) = v, true); }
WR(canon) { return x86_canonical(v) ? (*field_of(c, m, n) = v, true) : false; }
WR(drop)  { (void)c; return true; }
WR(none)  { (void)c; return false; }
WR(apic)  { return c->apic && c->apic->msr_write(c->apic_dev, n, v); }

/* ---- single registers ---- */

RD(TSC) { *v = x86_tsc(c); return true; }

WR(TSC)
{
    uint64_t delta = v - x86_tsc(c);

    c->tsc_offset += delta;
    c->tsc_adjust += delta;
    return true;
}

WR(TSC_ADJUST)
{
    c->tsc_offset += v - c->tsc_adjust;
    c->tsc_adjust = v;
    return true;
}

RD(APIC_BASE)
{
    *v = c->apic ? c->apic->get_base(c->apic_dev) : c->apic_base_cache;
    return true;
}

WR(APIC_BASE)
{
    if (c->apic && !c->apic->set_base(c->apic_dev, v)) {
        return false;
    }
    c->apic_base_cache = v;
    return true;
}

/* Intel keeps the revision in the upper half, AMD in the lower. */
RD(BIOS_SIGN_ID)
{
    *v = c->vendor[0] == 'G' ? (uint64_t)1 << 32 : 0x01000065;
    return true;
}

/* Bits that say "not affected": RDCL_NO IBRS_ALL SKIP_L1DFL SSB_NO MDS_NO PSCHANGE_MC_NO TAA_NO SBDR_SSDP_NO FBSDP_NO
 * PSDP_NO BHI_NO PBRSB_NO GDS_NO RFDS_NO.  IBRS_ALL: guests need no retpolines. */
RD(ARCH_CAPABILITIES)
{
    if (!x86_has_feat(c, CW_7_EDX, 29)) {
        return false;
    }
    *v = BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15) | BIT(20) | BIT(24) |
        BIT(26) | BIT(27);
    return true;
}

/* Each byte is a memory type: UC WC WT WP WB, for PAT also UC-. */
static bool types_ok(uint64_t v, bool pat)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned t = v >> (8 * i) & 0xff;

        if (!(t <= 1 || (t >= 4 && t <= 6) || (pat && t == 7))) {
            return false;
        }
    }
    return true;
}

WR(PAT) { return types_ok(v, true) ? (c->pat = v, true) : false; }

static bool wr_fixed(X86Cpu *c, const Msr *m, uint32_t n, uint64_t v)
{
    return types_ok(v, false) ? (*field_of(c, m, n) = v, true) : false;
}
#define wr_MTRR_FIX64K wr_fixed
#define wr_MTRR_FIX16K wr_fixed
#define wr_MTRR_FIX4K wr_fixed

WR(EFER)
{
    Fault f;

    return x86_set_efer(c, v, &f);
}

WR(FMASK)
{
    c->fmask = (uint32_t)v;
    return true;
}

/* ---- the table ---- */

#define F(m) offsetof(X86Cpu, m)
#define R(r) (offsetof(TcgEnv, regs[0]) + 8 * (r))
/* kinds are shared, `own` is the row's own */
#define PICK_field(p, name) p##field
#define PICK_value(p, name) p##value
#define PICK_none(p, name)  p##none
#define PICK_apic(p, name)  p##apic
#define PICK_canon(p, name) p##canon
#define PICK_drop(p, name)  p##drop
#define PICK_own(p, name)   p##name
static const Msr msrs[] = {
#define MSR(first, count, name, rd, wr, off, arg) \
    { first, count, #name, PICK_##rd(rd_, name), PICK_##wr(wr_, name), off, (uint64_t)(arg) },
#include "cpu/x86/msr.def"
#undef MSR
};

static const Msr *find(uint32_t n)
{
    unsigned lo = 0, hi = G_N_ELEMENTS(msrs);

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (n < msrs[mid].first) {
            hi = mid;
        } else if (n - msrs[mid].first >= msrs[mid].count) {
            lo = mid + 1;
        } else {
            return &msrs[mid];
        }
    }
    return NULL;
}

bool x86_rdmsr(X86Cpu *c, uint32_t n, uint64_t *v)
{
    const Msr *m = find(n);

    if (m && m->read(c, m, n, v)) {
        return true;
    }
    log_guest("RDMSR %#x (%s): #GP", n, m ? m->name : "unknown");
    return false;
}

bool x86_wrmsr(X86Cpu *c, uint32_t n, uint64_t v)
{
    const Msr *m = find(n);

    if (m && m->write(c, m, n, v)) {
        return true;
    }
    log_guest("WRMSR %#x (%s) value %#" G_GINT64_MODIFIER "x: #GP", n, m ? m->name : "unknown", v);
    return false;
}
