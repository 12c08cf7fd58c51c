/* Local and I/O APIC: priorities, EOI and remote IRR, IPIs, destinations, timer, x2APIC rules, the 8259 behind LINT0. */
#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "tests/dev/harness.h"

extern const DeviceType apic_type, ioapic_type, i8259_type;

enum { CPUS = 3, X2 = 0x800, EOI = X2 + 0x0b, SVR = X2 + 0x0f, ICR = X2 + 0x30, TPR = X2 + 8, LVT_TIMER = X2 + 0x32,
       TIMER_ICR = X2 + 0x38, TIMER_CCR = X2 + 0x39, DCR = X2 + 0x3e };

typedef struct Fix { Machine *m; ApicBus *bus; Device *apic[CPUS], *ioapic, *pic; TcgEnv *env[CPUS]; } Fix;

static Vcpu *cpu(Fix *f, unsigned n) { return (Vcpu *)f->env[n]; }
static uint32_t pending(Fix *f, unsigned n) { return cpu(f, n)->pending; }
static int take(Fix *f, unsigned n) { return apic_ops.take(f->apic[n]); }
static bool wr(Fix *f, unsigned n, uint32_t msr, uint64_t v) { return apic_ops.msr_write(f->apic[n], msr, v); }
static uint64_t rd(Fix *f, unsigned n, uint32_t msr)
{
    uint64_t v = ~(uint64_t)0;
    ck_assert(apic_ops.msr_read(f->apic[n], msr, &v));
    return v;
}

static void setup(Fix *f, bool x2)
{
    *f = (Fix){ .m = t_machine() };
    f->bus = apic_bus_new(f->m);
    f->pic = dev_new(f->m, &i8259_type);
    pic_connect(f->pic, (IrqLine){ apic_pic_intr, f->bus, 0 });
    apic_bus_set_pic(f->bus, f->pic);
    for (unsigned i = 0; i < CPUS; i++) {
        f->env[i] = env_alloc();
        cpu(f, i)->index = i;
        f->apic[i] = dev_new(f->m, &apic_type);
        apic_connect(f->apic[i], f->bus, cpu(f, i));
        t_realize(f->apic[i]);
        if (x2) {
            ck_assert(apic_ops.set_base(f->apic[i], apic_ops.get_base(f->apic[i]) | 0x400));
            ck_assert(wr(f, i, SVR, 0x1ff));
        }
    }
    f->ioapic = dev_new(f->m, &ioapic_type);
    ioapic_connect(f->ioapic, f->bus);
    t_realize(f->ioapic);
    t_realize(f->pic);
}

static void teardown(Fix *f)
{
    ApicBus *bus = f->bus;
    while (f->m->devices->len)
        dev_free(f->m->devices->pdata[f->m->devices->len - 1]);
    apic_bus_free(bus);
    t_machine_free(f->m);
    for (unsigned i = 0; i < CPUS; i++)
        env_free(f->env[i]);
}

static void rte(Fix *f, unsigned pin, uint64_t v)
{
    as_st(f->m->mem, IOAPIC_BASE, 0x10 + 2 * pin + 1, 4);
    as_st(f->m->mem, IOAPIC_BASE + 0x10, v >> 32, 4);
    as_st(f->m->mem, IOAPIC_BASE, 0x10 + 2 * pin, 4);
    as_st(f->m->mem, IOAPIC_BASE + 0x10, v & 0xffffffff, 4);
}
static uint64_t rte_low(Fix *f, unsigned pin)
{
    as_st(f->m->mem, IOAPIC_BASE, 0x10 + 2 * pin, 4);
    return as_ld(f->m->mem, IOAPIC_BASE + 0x10, 4);
}

START_TEST(priorities)
{
    Fix f;
    setup(&f, true);
    wr(&f, 0, ICR, 0x40000 | 0x31);      /* self */
    wr(&f, 0, ICR, 0x40000 | 0x52);
    wr(&f, 0, ICR, 0x40000 | 0x55);
    ck_assert_uint_eq(pending(&f, 0), CPU_IRQ_HARD);
    ck_assert_int_eq(take(&f, 0), 0x55);
    ck_assert_uint_eq(pending(&f, 0), 0);                /* 52h is of the same class */
    ck_assert_int_eq(take(&f, 0), -1);
    t_check_snapshot(f.apic[0]);
    wr(&f, 0, EOI, 0);
    ck_assert_int_eq(take(&f, 0), 0x52);
    wr(&f, 0, EOI, 0);
    apic_ops.set_tpr(f.apic[0], 3);
    ck_assert_uint_eq(pending(&f, 0), 0);
    ck_assert_uint_eq(rd(&f, 0, TPR), 0x30);
    apic_ops.set_tpr(f.apic[0], 2);
    ck_assert_int_eq(take(&f, 0), 0x31);
    teardown(&f);
}
END_TEST

START_TEST(level_and_remote_irr)
{
    Fix f;
    setup(&f, true);
    rte(&f, 10, 0x8000 | 0x41);
    ioapic_set_irq(f.ioapic, 10, 1);
    ck_assert_uint_eq(rte_low(&f, 10) & 0x4000, 0x4000);
    ck_assert_int_eq(take(&f, 0), 0x41);
    t_check_snapshot(f.ioapic);
    wr(&f, 0, EOI, 0);                   /* still high: sent again */
    ck_assert_int_eq(take(&f, 0), 0x41);
    ioapic_set_irq(f.ioapic, 10, 0);
    wr(&f, 0, EOI, 0);
    ck_assert_int_eq(take(&f, 0), -1);
    ck_assert_uint_eq(rte_low(&f, 10) & 0x4000, 0);
    teardown(&f);
}
END_TEST

START_TEST(edge_pins)
{
    Fix f;
    setup(&f, true);
    ioapic_set_irq(f.ioapic, 4, 1);      /* masked: lost */
    ioapic_set_irq(f.ioapic, 4, 0);
    rte(&f, 4, 1ull << 56 | 0x61);       /* to APIC 1 */
    ck_assert_uint_eq(pending(&f, 1), 0);
    ioapic_set_irq(f.ioapic, 4, 1);
    ck_assert_uint_eq(pending(&f, 0), 0);
    ck_assert_int_eq(take(&f, 1), 0x61);
    teardown(&f);
}
END_TEST

START_TEST(ipis)
{
    Fix f;
    setup(&f, true);
    wr(&f, 0, ICR, 0xc0000 | 0x4500);    /* INIT to others */
    ck_assert_uint_eq(pending(&f, 0), 0);
    ck_assert_uint_eq(pending(&f, 1), CPU_IRQ_INIT);
    ck_assert_uint_eq(pending(&f, 2), CPU_IRQ_INIT);
    wr(&f, 0, ICR, 2ull << 32 | 0x4600 | 0x9f);          /* SIPI to 2 */
    ck_assert_uint_eq(pending(&f, 2), CPU_IRQ_INIT | CPU_IRQ_SIPI);
    ck_assert_uint_eq(apic_ops.sipi_vector(f.apic[2]), 0x9f);
    wr(&f, 0, ICR, 1ull << 32 | 0x4400);
    ck_assert_uint_eq(pending(&f, 1), CPU_IRQ_INIT | CPU_IRQ_NMI);
    wr(&f, 2, ICR, 0x3ull << 32 | 0x4800 | 0x77);        /* logical: 0 and 1 of cluster 0 */
    ck_assert_int_eq(take(&f, 0), 0x77);
    ck_assert_int_eq(take(&f, 1), 0x77);
    ck_assert_int_eq(take(&f, 2), -1);
    wr(&f, 0, ICR, 1ull << 32 | 0x08);   /* illegal vector */
    ck_assert_int_eq(take(&f, 1), -1);
    wr(&f, 0, X2 + 0x28, 0);
    ck_assert_uint_eq(rd(&f, 0, X2 + 0x28), 0x20);
    teardown(&f);
}
END_TEST

START_TEST(xapic_destinations)
{
    Fix f;
    setup(&f, false);
    /* without a vcpu, the page takes interrupt messages: physical 1, then broadcast */
    for (unsigned i = 0; i < CPUS; i++)
        ck_assert(!wr(&f, i, SVR, 0x1ff));               /* no MSRs in xAPIC mode */
    apic_ops.init(f.apic[1]);
    as_st(f.m->mem, 0xfee01000, 0x0400, 4);
    ck_assert_uint_eq(pending(&f, 0), 0);
    ck_assert_uint_eq(pending(&f, 1), CPU_IRQ_NMI);
    apic_msi(f.bus, 0xfeeff000, 0x0400);
    ck_assert_uint_eq(pending(&f, 0), CPU_IRQ_NMI);
    ck_assert_uint_eq(pending(&f, 2), CPU_IRQ_NMI);
    teardown(&f);
}
END_TEST

START_TEST(timer)
{
    Fix f;
    setup(&f, true);
    wr(&f, 0, DCR, 0xb);                 /* by 1 */
    wr(&f, 0, LVT_TIMER, 0x80);
    wr(&f, 0, TIMER_ICR, 1000);
    t_step(f.m, 400);
    ck_assert_uint_eq(rd(&f, 0, TIMER_CCR), 600);
    t_step(f.m, 600);
    ck_assert_int_eq(take(&f, 0), 0x80);
    ck_assert_uint_eq(rd(&f, 0, TIMER_CCR), 0);
    wr(&f, 0, EOI, 0);
    wr(&f, 0, LVT_TIMER, 0x20080);
    wr(&f, 0, DCR, 0);                   /* by 2 */
    wr(&f, 0, TIMER_ICR, 500);
    for (int i = 0; i < 5; i++) {
        t_step(f.m, 1000);
        ck_assert_int_eq(take(&f, 0), 0x80);
        wr(&f, 0, EOI, 0);
    }
    t_step(f.m, 100);
    ck_assert_uint_eq(rd(&f, 0, TIMER_CCR), 450);
    wr(&f, 0, LVT_TIMER, 0x30080);       /* masked */
    t_step(f.m, 5000);
    ck_assert_int_eq(take(&f, 0), -1);
    t_check_snapshot(f.apic[0]);
    teardown(&f);
}
END_TEST

START_TEST(base_msr)
{
    Fix f;
    setup(&f, false);
    uint64_t base = apic_ops.get_base(f.apic[0]);
    ck_assert_uint_eq(base, 0xfee00900);
    ck_assert_uint_eq(apic_ops.get_base(f.apic[1]), 0xfee00800);
    ck_assert(!apic_ops.set_base(f.apic[0], (base & ~0x800ull) | 0x400));        /* EXTD without EN */
    ck_assert(!apic_ops.set_base(f.apic[0], base | 1));
    ck_assert(apic_ops.set_base(f.apic[0], base | 0x400));
    ck_assert(!apic_ops.set_base(f.apic[0], base));      /* back to xAPIC only through disabled */
    ck_assert(apic_ops.set_base(f.apic[0], base & ~0x800ull));
    ck_assert(!apic_ops.set_base(f.apic[0], base | 0x400));
    ck_assert(apic_ops.set_base(f.apic[0], base));
    uint64_t v;
    ck_assert(!apic_ops.msr_read(f.apic[0], X2 + 2, &v));
    teardown(&f);
}
END_TEST

START_TEST(pic_through_lint0)
{
    Fix f;
    setup(&f, false);
    outb(f.m, 0x20, 0x11);
    outb(f.m, 0x21, 0x20);
    outb(f.m, 0x21, 4);
    outb(f.m, 0x21, 1);
    pic_set_irq(f.pic, 1, 1);
    ck_assert_uint_eq(pending(&f, 0), CPU_IRQ_HARD);     /* CPU 0 only */
    ck_assert_uint_eq(pending(&f, 1), 0);
    ck_assert(apic_ops.pending(f.apic[0]));
    ck_assert_int_eq(take(&f, 0), 0x21);
    ck_assert(!apic_ops.pending(f.apic[0]));
    t_check_snapshot(f.apic[0]);
    teardown(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { priorities, level_and_remote_irr, edge_pins, ipis, xapic_destinations, timer, base_msr,
                                   pic_through_lint0, NULL };
    return t_main("apic", tests);
}
