/* The x87's control side: status, tags, environment and state images, and
 * waiting for a pending exception.
 * Source: Intel SDM volume 1 section 8.1, volume 2. */
#include <string.h>

#include "cpu/x86/fpu.h"
#include "util/bits.h"
#include "util/log.h"

static unsigned mmu(const X86Cpu *c) { return (c->hflags & HF_MMU) >> HF_MMU_SHIFT; }
static X86Fpu *fpu(TcgEnv *env) { return &x86_env(env)->fpu; }

/* ---- registers as software sees them ---- */

uint16_t fpu_get_fsw(const X86Fpu *f)
{
    return (uint16_t)((f->fsw & ~FSW_TOP) | f->top << 11);
}

/* ES and B say whether an unmasked flag is set */
static RHEA_GPR_ONLY void update_es(X86Fpu *f)
{
    bool es = f->fsw & ~f->fcw & FSW_EXC;
    f->fsw = (uint16_t)((f->fsw & ~(FSW_ES | FSW_B)) | (es ? FSW_ES | FSW_B : 0));
}

void fpu_set_fsw(X86Fpu *f, uint16_t fsw)
{
    f->top = fsw >> 11 & 7;
    f->fsw = fsw & (uint16_t)~FSW_TOP;
    update_es(f);
    fpu_disown();
}

uint8_t fpu_get_ftw8(const X86Fpu *f)
{
    uint8_t r = 0;
    for (unsigned i = 0; i < 8; i++) {
        r |= (uint8_t)(!f->empty[i] << i);
    }
    return r;
}

void fpu_set_ftw8(X86Fpu *f, uint8_t ftw)
{
    for (unsigned i = 0; i < 8; i++) {
        f->empty[i] = !(ftw >> i & 1);
    }
}

uint16_t fpu_get_ftw16(const X86Fpu *f)
{
    enum { VALID, ZERO, SPECIAL, EMPTY };
    uint16_t r = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned exp = f->st[i].exp & 0x7fff, tag;
        tag = f->empty[i] ? EMPTY
            : exp == 0 && f->st[i].mant == 0 ? ZERO
            : exp == 0 || exp == 0x7fff || !(f->st[i].mant >> 63) ? SPECIAL : VALID;
        r |= (uint16_t)(tag << 2 * i);
    }
    return r;
}

static void set_ftw16(X86Fpu *f, uint16_t ftw)
{
    for (unsigned i = 0; i < 8; i++) {
        f->empty[i] = (ftw >> 2 * i & 3) == 3;
    }
}

void fpu_init(X86Fpu *f)
{
    f->fcw = FCW_INIT;
    f->fsw = 0;
    f->top = 0;
    memset(f->empty, 1, sizeof f->empty);
    f->fop = f->fcs = f->fds = 0;
    f->fip = f->fdp = 0;
    fpu_disown();
}

/* ---- control instructions ---- */

static RHEA_GPR_ONLY bool checks(const X86Fpu *f)
{
    return (f->fcw & FSW_EXC) != FSW_EXC || f->fsw & FSW_ES;
}

/* Returns 1 if HF_X87_EXC differs from what the new word asks for. */
RHEA_GPR_ONLY uint64_t x86_h_fldcw(TcgEnv *env, uint64_t val, uint64_t b, uint64_t c, uint64_t u)
{
    X86Fpu *f = &x86_env(env)->fpu;
    (void)b, (void)c, (void)u;
    f->fcw = (uint16_t)((val & 0x1f3f) | 0x40);
    update_es(f);
    return checks(f) != !!(x86_env(env)->hflags & HF_X87_EXC);
}

RHEA_GPR_ONLY uint64_t x86_h_fnclex(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    (void)a, (void)b, (void)c, (void)u;
    x86_env(env)->fpu.fsw &= (uint16_t)~(FSW_EXC | FSW_SF | FSW_ES | FSW_B);
    fpu_disown();
    return 0;
}

uint64_t x86_h_fninit(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    (void)a, (void)b, (void)c, (void)u;
    fpu_init(fpu(env));
    x86_update_mode(x86_env(env));
    return 0;
}

uint64_t x86_h_mode_update(TcgEnv *env, uint64_t a, uint64_t b, uint64_t c, uint64_t u)
{
    (void)a, (void)b, (void)c, (void)u;
    x86_update_mode(x86_env(env));
    return 0;
}

/* A waiting instruction meets a pending exception.  With CR0.NE clear a PC routes FERR# to IRQ 13 and the instruction
 * waits until that is served. */
uint64_t x86_h_fwait(TcgEnv *env, uint64_t a, uint64_t b, uint64_t cc, uint64_t u)
{
    X86Cpu *c = x86_env(env);
    (void)a, (void)b, (void)cc, (void)u;
    if (c->fpu.fsw & FSW_ES) {
        if (!(c->cr0 & CR0_NE) && c->ferr) {
            c->ferr(c);
            return 0;
        }
        x86_raise(c, EX_MF);
    }
    return 0;
}

/* ---- environment: FNSTENV, FLDENV, FNSAVE, FRSTOR ---- */

/* FE_ format bits: seven 16- or 32-bit words.  Real-mode formats hold linear addresses and the opcode. */
static void env_words(const X86Fpu *f, unsigned fmt, uint32_t w[7])
{
    uint32_t ip = (uint32_t)f->fip, dp = (uint32_t)f->fdp;
    w[0] = f->fcw;
    w[1] = fpu_get_fsw(f);
    w[2] = fpu_get_ftw16(f);
    if (fmt & FE_PROT) {
        w[3] = ip;
        w[4] = f->fcs | (fmt & FE_32 ? (uint32_t)f->fop << 16 : 0);
        w[5] = dp;
        w[6] = f->fds;
    } else {
        ip += (uint32_t)f->fcs << 4;
        dp += (uint32_t)f->fds << 4;
        w[3] = ip & 0xffff;
        w[4] = (ip >> 16 << 12) | f->fop;
        w[5] = dp & 0xffff;
        w[6] = dp >> 16 << 12;
    }
    if (fmt & FE_32) {                   /* the unused halves read as ones */
        w[0] |= 0xffff0000, w[1] |= 0xffff0000, w[2] |= 0xffff0000, w[6] |= fmt & FE_PROT ? 0xffff0000 : 0;
    }
}

static void set_env_words(X86Fpu *f, unsigned fmt, const uint32_t w[7])
{
    f->fcw = (uint16_t)((w[0] & 0x1f3f) | 0x40);
    fpu_set_fsw(f, (uint16_t)w[1]);
    set_ftw16(f, (uint16_t)w[2]);
    if (fmt & FE_PROT) {
        f->fip = w[3], f->fcs = (uint16_t)w[4], f->fdp = w[5], f->fds = (uint16_t)w[6];
        f->fop = fmt & FE_32 ? w[4] >> 16 & 0x7ff : 0;
    } else {
        f->fip = (w[3] & 0xffff) | (w[4] & 0xffff) >> 12 << 16;
        f->fdp = (w[5] & 0xffff) | (w[6] & 0xffff) >> 12 << 16;
        f->fcs = f->fds = 0;
        f->fop = w[4] & 0x7ff;
    }
}

/* Size of a word of the environment. */
static unsigned word(unsigned fmt) { return fmt & FE_32 ? 4 : 2; }

static void store_env(X86Cpu *c, uint64_t addr, unsigned fmt)
{
    uint32_t w[7];
    env_words(&c->fpu, fmt, w);
    for (unsigned i = 0; i < 7; i++) {
        cpu_st(&c->vcpu, addr + i * word(fmt), w[i], word(fmt), mmu(c));
    }
}

static void load_env(X86Cpu *c, uint64_t addr, unsigned fmt, uint32_t w[7])
{
    for (unsigned i = 0; i < 7; i++) {
        w[i] = (uint32_t)cpu_ld(&c->vcpu, addr + i * word(fmt), word(fmt), mmu(c));
    }
}

/* FNSTENV masks all exceptions after the store. */
uint64_t x86_h_fnstenv(TcgEnv *env, uint64_t addr, uint64_t fmt, uint64_t cc, uint64_t u)
{
    X86Cpu *c = x86_env(env);
    (void)cc, (void)u;
    cpu_probe(&c->vcpu, addr, 7 * word((unsigned)fmt), ACCESS_WRITE, mmu(c));
    store_env(c, addr, (unsigned)fmt);
    c->fpu.fcw |= FSW_EXC;
    update_es(&c->fpu);
    x86_update_mode(c);
    return 0;
}

uint64_t x86_h_fldenv(TcgEnv *env, uint64_t addr, uint64_t fmt, uint64_t cc, uint64_t u)
{
    X86Cpu *c = x86_env(env);
    uint32_t w[7];
    (void)cc, (void)u;
    load_env(c, addr, (unsigned)fmt, w);
    set_env_words(&c->fpu, (unsigned)fmt, w);
    x86_update_mode(c);
    return 0;
}

uint64_t x86_h_fnsave(TcgEnv *env, uint64_t addr, uint64_t fmt, uint64_t cc, uint64_t u)
{
    X86Cpu *c = x86_env(env);
    uint64_t at = addr + 7 * word((unsigned)fmt);
    (void)cc, (void)u;
    cpu_probe(&c->vcpu, addr, 7 * word((unsigned)fmt) + 80, ACCESS_WRITE, mmu(c));
    store_env(c, addr, (unsigned)fmt);
    for (unsigned i = 0; i < 8; i++, at += 10) {
        unsigned r = (c->fpu.top + i) & 7;
        cpu_st(&c->vcpu, at, c->fpu.st[r].mant, 8, mmu(c));
        cpu_st(&c->vcpu, at + 8, c->fpu.st[r].exp, 2, mmu(c));
    }
    fpu_init(&c->fpu);
    x86_update_mode(c);
    return 0;
}

uint64_t x86_h_frstor(TcgEnv *env, uint64_t addr, uint64_t fmt, uint64_t cc, uint64_t u)
{
    X86Cpu *c = x86_env(env);
    uint64_t at = addr + 7 * word((unsigned)fmt), mant[8];
    uint16_t exp[8];
    uint32_t w[7];
    (void)cc, (void)u;
    load_env(c, addr, (unsigned)fmt, w);
    for (unsigned i = 0; i < 8; i++, at += 10) {
        mant[i] = cpu_ld(&c->vcpu, at, 8, mmu(c));
        exp[i] = (uint16_t)cpu_ld(&c->vcpu, at + 8, 2, mmu(c));
    }
    set_env_words(&c->fpu, (unsigned)fmt, w);
    for (unsigned i = 0; i < 8; i++) {
        unsigned r = (c->fpu.top + i) & 7;
        c->fpu.st[r].mant = mant[i];
        c->fpu.st[r].exp = exp[i];
    }
    x86_update_mode(c);
    return 0;
}
