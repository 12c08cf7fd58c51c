/* Exceptions: raising them, double and triple faults, debug exceptions, and
 * what the vcpu takes between instructions (INIT, SMI, NMI, interrupts).
 *
 * Follows Intel SDM volume 3 chapters 6.3-6.15 (table 6-5: double faults),
 * 17 (debug registers), 8.4 (INIT and start-up), volume 2's INT n.
 *
 * An exception travels so: a helper or a memory access finds it -> cpu_raise
 * completes the registers -> x86_raise_arch -> x86_deliver -> x86_enter (in
 * intr.c), which may meet a further fault, which x86_deliver combines with
 * the first.  Three are too many: the machine resets. */
#include "cpu/x86/intr.h"
#include "cpu/x86/sys.h"
#include "util/bits.h"
#include "util/log.h"

/* ---- combining ---- */

static bool contributory(unsigned vec)
{
    return vec == EX_DE || (vec >= EX_TS && vec <= EX_GP);
}

/* SDM table 6-5. False: shutdown. */
static bool combine(const X86Event *first, Fault *second)
{
    unsigned a = first->f.kind, b = second->kind;
    bool bad = contributory(b) || b == EX_PF;

    if (first->kind != EVENT_FAULT && first->kind != EVENT_TRAP) {
        return true;
    }
    if (a == EX_DF && bad) {
        return false;
    }
    if ((contributory(a) && contributory(b)) || (a == EX_PF && bad)) {
        *second = (Fault){ .kind = EX_DF, .has_code = true };
    }
    return true;
}

static const char *const names[] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF",
    "#AC", "#MC", "#XM",
};

static const char *name_of(const Fault *f, EventKind kind)
{
    return f->kind < G_N_ELEMENTS(names) && kind != EVENT_HARD && kind != EVENT_SOFT ? names[f->kind] : "interrupt";
}

static void log_event(X86Cpu *c, const X86Event *e)
{
    log_printf("cpu %u: v=%02x e=%04x i=%d cpl=%u IP=%04x:%016" G_GINT64_MODIFIER "x pc=%016" G_GINT64_MODIFIER
               "x SP=%04x:%016" G_GINT64_MODIFIER "x CR2=%016" G_GINT64_MODIFIER "x %s\n", c->vcpu.index, e->f.kind,
               e->f.has_code ? e->f.code : 0, e->kind == EVENT_SOFT, x86_cpl(c), c->seg[SEG_CS].sel, e->eip,
               c->vcpu.arch->get_pc(&c->vcpu), c->seg[SEG_SS].sel, X86R(c, X86_RSP), c->cr2, name_of(&e->f, e->kind));
}

void x86_shutdown(X86Cpu *c, const char *why)
{
    CpuGroup *g = c->vcpu.group;

    log_guest("cpu %u: %s at CS:RIP %04x:%" G_GINT64_MODIFIER "x; the machine is reset", c->vcpu.index, why,
              c->seg[SEG_CS].sel, X86R(c, X86_RIP));
    if (log_on(LOG_RESET | LOG_INT)) {
        GString *s = g_string_new(NULL);

        c->vcpu.arch->print_regs(&c->vcpu, s);
        log_printf("%s\n%s", why, s->str);
        g_string_free(s, TRUE);
    }
    c->vcpu.halted = true;
    if (g && g->on_reset) {
        g->on_reset(g->opaque);
    }
}

/* The first two faults by name, for the message of the third. */
static void triple_fault(X86Cpu *c, const Fault *orig, const X86Event *e, const Fault *last)
{
    g_autofree char *why = g_strdup_printf(
        "triple fault: %s (code %x) while delivering %s (code %x), which followed vector %u (%s, code %x, CR2 %" G_GINT64_MODIFIER
        "x)", name_of(last, EVENT_FAULT), last->code, name_of(&e->f, e->kind), e->f.code, orig->kind,
        name_of(orig, EVENT_FAULT), orig->code, c->cr2);

    x86_shutdown(c, why);
}

void x86_deliver(X86Cpu *c, EventKind kind, const Fault *f)
{
    X86Event e = { .kind = kind, .f = *f };

    c->hflags &= ~(uint64_t)HF_SHADOW;
    c->dr6_pending = 0;
    for (;;) {
        Fault next;
        Xfer r;

        if (e.kind == EVENT_FAULT && e.f.kind == EX_PF) {
            c->cr2 = e.f.addr;
        }
        if (!x86_pe(c)) {
            e.f.has_code = false;        /* real mode pushes none */
        }
        if (e.f.kind == EX_DB && e.kind != EVENT_SOFT) {
            c->dr[7] &= ~(uint64_t)(1 << 13);           /* GD */
        }
        e.eip = X86R(c, X86_RIP);
        if (log_on(LOG_INT)) {
            log_event(c, &e);
        }
        c->delivering = (int)e.f.kind;
        r = x86_enter(c, &e, &next);
        x86_update_mode(c);
        c->delivering = -1;
        if (r == XFER_OK) {
            return;
        }
        if (next.kind == EX_PF) {
            c->cr2 = next.addr;
        }
        if (!combine(&e, &next)) {
            triple_fault(c, f, &e, &next);
            return;
        }
        e = (X86Event){ .kind = EVENT_FAULT, .f = next };
    }
}

/* ---- raising ---- */

void x86_raise_fault(X86Cpu *c, const Fault *f)
{
    cpu_raise(&c->vcpu, f);
}

RHEA_GPR_ONLY void x86_raise(X86Cpu *c, unsigned vector)
{
    cpu_raise(&c->vcpu, &(Fault){ .kind = vector });
}

RHEA_GPR_ONLY void x86_raise_code(X86Cpu *c, unsigned vector, uint32_t code)
{
    cpu_raise(&c->vcpu, &(Fault){ .kind = vector, .code = code, .has_code = true });
}

void x86_raise_arch(Vcpu *v, const Fault *f)
{
    x86_deliver(x86_of(v), EVENT_FAULT, f);
}

void x86_finish(X86Cpu *c, Xfer r, const Fault *f)
{
    if (r == XFER_FAULT) {
        cpu_raise(&c->vcpu, f);
    }
    x86_update_mode(c);
    if (r == XFER_FAULT_NEW) {
        x86_deliver(c, EVENT_FAULT, f);
        cpu_loop_exit(&c->vcpu);
    }
    if (c->eflags & FL_IF) {
        x86_check_irq(c);
    }
}

Xfer x86_soft_int(X86Cpu *c, unsigned vector, uint64_t next_eip, bool int_n, Fault *f)
{
    X86Event e = { .kind = EVENT_SOFT, .f = { .kind = vector }, .eip = next_eip };

    if (x86_vm(c) && int_n) {
        if (c->cr4 & CR4_VME) {
            bool taken;
            Xfer r = x86_v86_redirect(c, vector, next_eip, &taken, f);

            if (r != XFER_OK || taken) {
                return r;
            }
        }
        if (x86_iopl(c) < 3) {
            return xfer_of(x86_fault(f, EX_GP, 0));
        }
    }
    if (log_on(LOG_INT)) {
        log_event(c, &e);
    }
    return x86_enter(c, &e, f);
}

/* ---- debug exceptions ---- */

enum { DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15 };
enum { BP_EXEC, BP_WRITE, BP_IO, BP_RW };

void x86_debug_trap(X86Cpu *c, uint64_t dr6)
{
    c->dr[6] |= dr6;
    x86_deliver(c, EVENT_TRAP, &(Fault){ .kind = EX_DB });
    cpu_loop_exit(&c->vcpu);
}

/* DR6 bits of the enabled breakpoints whose type is in `types` (bits by BP_*) that overlap [addr, addr+size). */
static uint64_t bp_match(const X86Cpu *c, unsigned types, uint64_t addr, unsigned size)
{
    static const uint8_t lens[] = { 1, 2, 8, 4 };
    uint64_t hit = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned type = c->dr[7] >> (16 + 4 * i) & 3, len = lens[c->dr[7] >> (18 + 4 * i) & 3];
        uint64_t at = c->dr[i] & ~(uint64_t)(len - 1);

        if ((c->dr[7] >> (2 * i) & 3) && (types >> type & 1) && addr < at + len && at < addr + size) {
            hit |= 1u << i;
        }
    }
    return hit;
}

uint64_t x86_h_insn_bp(TcgEnv *env, uint64_t pc, uint64_t b, uint64_t c3, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint64_t hit;

    (void)b, (void)c3, (void)f;
    if (c->eflags & FL_RF) {
        c->eflags &= ~(uint64_t)FL_RF;
        return 0;
    }
    hit = bp_match(c, 1 << BP_EXEC, pc, 1);
    if (hit) {
        c->dr[6] |= hit;
        x86_raise(c, EX_DB);
    }
    return 0;
}

/* a: linear address, b: size | write << 8.  Remembered until the instruction's end. */
uint64_t x86_h_data_bp(TcgEnv *env, uint64_t addr, uint64_t what, uint64_t c3, uint64_t f)
{
    X86Cpu *c = x86_env(env);

    (void)c3, (void)f;
    c->dr6_pending |= bp_match(c, what >> 8 & 1 ? 1 << BP_WRITE | 1 << BP_RW : 1 << BP_RW, addr, what & 0xff);
    return 0;
}

void x86_io_bp(X86Cpu *c, unsigned port, unsigned size)
{
    if ((c->hflags & HF_DRBP) && (c->cr4 & CR4_DE)) {
        c->dr6_pending |= bp_match(c, 1 << BP_IO, port, size);
    }
}

/* flags: the unit's mode flags. RIP is the next instruction's. */
uint64_t x86_h_end_step(TcgEnv *env, uint64_t flags, uint64_t b, uint64_t c3, uint64_t f)
{
    X86Cpu *c = x86_env(env);
    uint64_t dr6 = c->dr6_pending;

    (void)b, (void)c3, (void)f;
    if (flags & HF_SHADOW) {
        x86_end_shadow(c);
        x86_check_irq(c);
    } else if (c->hflags & HF_SHADOW) {
        return 0;                        /* MOV SS puts the trap off */
    }
    c->dr6_pending = 0;
    if (flags & HF_TF) {
        dr6 |= DR6_BS;
    }
    if (dr6) {
        x86_debug_trap(c, dr6);
    }
    return 0;
}

/* ---- between instructions ---- */

static void take_init(X86Cpu *c)
{
    x86_init(c);
    if (c->apic && c->apic->init) {
        c->apic->init(c->apic_dev);
    }
    c->vcpu.halted = false;
    c->vcpu.powered_off = c->vcpu.index != 0;
}

static void take_sipi(X86Cpu *c)
{
    unsigned vector;

    if (!c->vcpu.powered_off || !c->apic) {
        return;                          /* only a processor that waits takes it */
    }
    vector = c->apic->sipi_vector(c->apic_dev);
    x86_set_seg(c, SEG_CS, vector << 8, vector << 12, 0xffff, c->seg[SEG_CS].attr);
    X86R(c, X86_RIP) = 0;
    x86_update_mode(c);
    c->vcpu.powered_off = false;
    c->vcpu.halted = false;
}

static void deliver_irq(X86Cpu *c, unsigned vector)
{
    c->vcpu.halted = false;
    x86_deliver(c, EVENT_HARD, &(Fault){ .kind = vector });
}

/* Takes one of p. */
static bool take(X86Cpu *c, uint32_t p)
{
    Vcpu *v = &c->vcpu;
    int vector;

    if (p & (CPU_IRQ_RESET | CPU_IRQ_INIT)) {
        cpu_interrupt_clear(v, CPU_IRQ_RESET | CPU_IRQ_INIT);
        if (p & CPU_IRQ_RESET) {
            v->arch->reset(v);
        } else {
            take_init(c);
        }
        return true;
    }
    if (p & CPU_IRQ_SIPI) {
        cpu_interrupt_clear(v, CPU_IRQ_SIPI);
        take_sipi(c);
        return true;
    }
    if (v->powered_off || (c->hflags & HF_SHADOW)) {
        return false;
    }
    if ((p & CPU_IRQ_SMI) && !(c->hflags & HF_SMM)) {
        cpu_interrupt_clear(v, CPU_IRQ_SMI);
        x86_smi_enter(c);
        v->halted = false;
        return true;
    }
    if ((p & CPU_IRQ_NMI) && !c->nmi_masked) {
        cpu_interrupt_clear(v, CPU_IRQ_NMI);
        c->nmi_masked = true;
        deliver_irq(c, EX_NMI);
        return true;
    }
    if ((p & CPU_IRQ_HARD) && (c->eflags & FL_IF) && c->apic) {
        vector = c->apic->take(c->apic_dev);
        if (vector >= 0) {
            deliver_irq(c, (unsigned)vector);
            return true;
        }
    }
    return false;
}

bool x86_poll_irq(Vcpu *v)
{
    X86Cpu *c = x86_of(v);

    if (!take(c, __atomic_load_n(&v->pending, __ATOMIC_ACQUIRE))) {
        return false;
    }
    x86_check_irq(c);                    /* there may be more */
    return true;
}

bool x86_has_work(const Vcpu *v)
{
    const X86Cpu *c = (const X86Cpu *)v;
    uint32_t p = __atomic_load_n(&v->pending, __ATOMIC_ACQUIRE);

    if (p & (CPU_IRQ_RESET | CPU_IRQ_INIT)) {
        return true;
    }
    if (v->powered_off) {
        return p & CPU_IRQ_SIPI;
    }
    return ((p & CPU_IRQ_SMI) && !(c->hflags & HF_SMM)) || ((p & CPU_IRQ_NMI) && !c->nmi_masked) ||
        ((p & CPU_IRQ_HARD) && (c->eflags & FL_IF));
}
