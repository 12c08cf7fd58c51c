/* PCI: configuration mechanism, BAR sizing and mapping, interrupt pins; 440FX shadow segments and SMRAM; PIIX3
 * routing; PIIX4 power management. */
#include "hw/pci/i440fx.h"
#include "hw/x86/piix3.h"
#include "hw/x86/piix4pm.h"
#include "tests/dev/harness.h"

extern const DeviceType i440fx_type, piix3_type, piix4pm_type;

/* a card with one memory and one I/O BAR */
typedef struct Card { PciDev pci; MemRegion *mem, *io; } Card;

static uint64_t card_read(void *opaque, uint64_t at, unsigned size) { (void)opaque, (void)size; return 0x40 + at; }
static void card_write(void *opaque, uint64_t at, uint64_t v, unsigned size) { (void)opaque, (void)at, (void)v, (void)size; }
static const MemOps card_ops = { .read = card_read, .write = card_write, .max_size = 1 };

static bool card_realize(PciDev *d, GError **err)
{
    (void)err;
    Card *c = (Card *)d;
    c->mem = mem_io_new("card-mem", 0x1000, &card_ops, c);
    c->io = mem_io_new("card-io", 0x20, &card_ops, c);
    pci_bar(d, 0, 0, c->mem);
    pci_bar(d, 1, 1, c->io);
    return true;
}
static void card_unrealize(Device *d)
{
    pci_dev_unrealize(d);
    mem_unref(((Card *)d)->mem);
    mem_unref(((Card *)d)->io);
}
static const PciClass card_class = { .vendor = 0x1234, .device = 0x5678, .class_code = 0xff0000, .pin = 1, .realize = card_realize };
static const DeviceType card_type = {
    .name = "card", .doc = "test card", .bus = BUS_PCI, .size = sizeof(Card), .version = 1,
    .fields = (const Field[]){ PCI_FIELDS(Card), HOST(Card, mem), HOST(Card, io), FIELD_END },
    .realize = pci_dev_realize, .unrealize = card_unrealize, .reset = pci_dev_reset, .loaded = pci_dev_loaded, .cls = &card_class };

typedef struct Fix {
    Machine *m;
    MemRegion *ram, *low, *pci_mem, *rom;
    Device *fx, *piix3, *pm, *card;
    TestLine irq[16];
    int exit_status, resets;
} Fix;

static void on_shutdown(Machine *m, int status, const char *why) { (void)why; ((Fix *)m->opaque)->exit_status = status; }
static void on_reset(Machine *m, const char *why) { (void)why; ((Fix *)m->opaque)->resets++; }

static Device *at(Fix *f, const DeviceType *t, const char *addr)
{
    Device *d = dev_new(f->m, t);
    ck_assert(dev_set(d, "addr", addr, NULL));
    return d;
}

static void setup(Fix *f)
{
    *f = (Fix){ .m = t_machine(), .exit_status = -1 };
    Machine *m = f->m;
    m->opaque = f;
    m->on_shutdown = on_shutdown;
    m->on_reset = on_reset;
    for (int i = 0; i < 16; i++)
        m->isa_irq[i] = t_irq(&f->irq[i], i);
    f->ram = mem_ram_new("ram", 0x200000, NULL);
    f->low = mem_alias_new("low", f->ram, 0, 0x200000);
    mem_add(m->mem_root, 0, f->low, -1);
    f->pci_mem = mem_container_new("pci", UINT64_MAX);
    mem_add(m->mem_root, 0, f->pci_mem, -2);
    f->rom = mem_rom_new("rom", 0x10000, NULL, NULL, NULL);
    memset(mem_host(f->rom), 0xab, 0x10000);
    mem_add(f->pci_mem, 0xf0000, f->rom, 1);
    f->piix3 = at(f, &piix3_type, "1.0");
    m->pci = pci_bus_new(m, f->pci_mem, m->io_root, piix3_set_pirq, piix3_map_irq, f->piix3);
    f->fx = at(f, &i440fx_type, "0.0");
    I440fxWiring w = { m->mem_root, f->ram, f->pci_mem, piix3_rcr_read, piix3_rcr_write, f->piix3 };
    i440fx_connect(f->fx, &w);
    t_realize(f->fx);
    t_realize(f->piix3);
    f->pm = at(f, &piix4pm_type, "1.3");
    pm_connect(f->pm, t_irq(&f->irq[9], 9), NULL, NULL);
    t_realize(f->pm);
    f->card = t_realize(dev_new(m, &card_type));
}

static void teardown(Fix *f)
{
    while (f->m->devices->len)
        dev_free(f->m->devices->pdata[f->m->devices->len - 1]);
    pci_bus_free(f->m->pci);
    mem_del(f->low);
    mem_del(f->pci_mem);
    mem_unref(f->low);
    mem_unref(f->pci_mem);
    mem_unref(f->ram);
    mem_unref(f->rom);
    t_machine_free(f->m);
}

static void select_reg(Fix *f, unsigned devfn, unsigned off) { outl(f->m, 0xcf8, 0x80000000u | devfn << 8 | (off & 0xfc)); }
static unsigned cfg(Fix *f, unsigned devfn, unsigned off, unsigned size)
{
    select_reg(f, devfn, off);
    return (unsigned)as_ld(f->m->io, 0xcfc + (off & 3), size);
}
static void cfg_set(Fix *f, unsigned devfn, unsigned off, unsigned v, unsigned size)
{
    select_reg(f, devfn, off);
    as_st(f->m->io, 0xcfc + (off & 3), v, size);
}

START_TEST(config_access)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(cfg(&f, 0, 0, 4), 0x12378086);
    ck_assert_uint_eq(cfg(&f, 8, 2, 2), 0x7000);
    ck_assert_uint_eq(cfg(&f, 8, 0x0e, 1), 0x80);
    ck_assert_uint_eq(cfg(&f, 0x18, 0, 4), 0xffffffff);  /* nobody */
    ck_assert_uint_eq(cfg(&f, 0, 0x2c, 4), 0x11001af4);
    cfg_set(&f, 0, 0, 0, 4);             /* read-only */
    ck_assert_uint_eq(cfg(&f, 0, 0, 4), 0x12378086);
    outl(f.m, 0xcf8, 0);
    ck_assert_uint_eq(inl(f.m, 0xcfc), 0xffffffff);
    t_check_snapshot(f.fx);
    t_check_snapshot(f.piix3);
    t_check_snapshot(f.pm);
    teardown(&f);
}
END_TEST

START_TEST(bars)
{
    Fix f;
    setup(&f);
    unsigned fn = ((PciDev *)f.card)->devfn;
    cfg_set(&f, fn, 0x10, 0xffffffff, 4);
    ck_assert_uint_eq(cfg(&f, fn, 0x10, 4), 0xfffff000);
    cfg_set(&f, fn, 0x14, 0xffffffff, 4);
    ck_assert_uint_eq(cfg(&f, fn, 0x14, 4), 0xffffffe1);
    cfg_set(&f, fn, 0x10, 0xe0000000, 4);
    cfg_set(&f, fn, 0x14, 0xc100, 4);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xe0000004, 1), 0xff);
    cfg_set(&f, fn, 4, 3, 2);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xe0000004, 1), 0x44);
    ck_assert_uint_eq(inb(f.m, 0xc103), 0x43);
    t_check_snapshot(f.card);
    ck_assert_uint_eq(inb(f.m, 0xc103), 0x43);
    cfg_set(&f, fn, 0x14, 0xd000, 4);
    ck_assert_uint_eq(inb(f.m, 0xc103), 0xff);
    ck_assert_uint_eq(inb(f.m, 0xd001), 0x41);
    dev_reset(f.card);
    ck_assert_uint_eq(inb(f.m, 0xd001), 0xff);
    teardown(&f);
}
END_TEST

START_TEST(interrupt_routing)
{
    Fix f;
    setup(&f);
    PciDev *d = (PciDev *)f.card;
    unsigned pirq = (unsigned)piix3_map_irq(d->devfn >> 3, 0);
    pci_set_irq(d, 1);
    ck_assert_int_eq(f.irq[10].level, 0);
    ck_assert_uint_eq(cfg(&f, d->devfn, 6, 2) & 8, 8);
    cfg_set(&f, 8, 0x60 + pirq, 10, 1);
    ck_assert_int_eq(f.irq[10].level, 1);
    cfg_set(&f, 8, 0x60 + pirq, 11, 1);
    ck_assert_int_eq(f.irq[10].level, 0);
    ck_assert_int_eq(f.irq[11].level, 1);
    cfg_set(&f, d->devfn, 4, 0x400, 2);  /* INTx off */
    ck_assert_int_eq(f.irq[11].level, 0);
    cfg_set(&f, d->devfn, 4, 0, 2);
    ck_assert_int_eq(f.irq[11].level, 1);
    pci_set_irq(d, 0);
    ck_assert_int_eq(f.irq[11].level, 0);
    teardown(&f);
}
END_TEST

START_TEST(shadow_ram)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0xab);
    as_st(f.m->mem, 0xf1234, 0x11, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0xab);
    cfg_set(&f, 0, 0x59, 0x20, 1);       /* read PCI, write RAM */
    as_st(f.m->mem, 0xf1234, 0x22, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0xab);
    cfg_set(&f, 0, 0x59, 0x10, 1);       /* RAM, read-only */
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0x22);
    as_st(f.m->mem, 0xf1234, 0x33, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0x22);
    cfg_set(&f, 0, 0x59, 0x30, 1);
    as_st(f.m->mem, 0xf1234, 0x44, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0x44);
    cfg_set(&f, 0, 0x5a, 0x33, 1);
    as_st(f.m->mem, 0xc7fff, 0x55, 1);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xc7fff, 1), 0x55);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xc8000, 1), 0xff);
    dev_reset(f.fx);
    ck_assert_uint_eq(as_ld(f.m->mem, 0xf1234, 1), 0xab);
    teardown(&f);
}
END_TEST

START_TEST(smram_lock)
{
    Fix f;
    setup(&f);
    ck_assert_uint_eq(cfg(&f, 0, 0x72, 1), 0x02);
    cfg_set(&f, 0, 0x72, 0x4a, 1);
    ck_assert_uint_eq(cfg(&f, 0, 0x72, 1), 0x4a);
    cfg_set(&f, 0, 0x72, 0x1a, 1);
    cfg_set(&f, 0, 0x72, 0x4a, 1);
    ck_assert_uint_eq(cfg(&f, 0, 0x72, 1), 0x1a);
    teardown(&f);
}
END_TEST

START_TEST(reset_control)
{
    Fix f;
    setup(&f);
    outb(f.m, 0xcf9, 2);
    ck_assert_int_eq(f.resets, 0);
    outb(f.m, 0xcf9, 6);
    ck_assert_int_eq(f.resets, 1);
    ck_assert_uint_eq(inb(f.m, 0xcf9), 6);
    select_reg(&f, 0, 0);                /* a dword still reaches CONFADD */
    ck_assert_uint_eq(inl(f.m, 0xcfc), 0x12378086);
    teardown(&f);
}
END_TEST

START_TEST(power_management)
{
    Fix f;
    setup(&f);
    enum { PMB = 0x600 };
    ck_assert_uint_eq(inw(f.m, PMB), 0xffff);
    cfg_set(&f, 0x0b, 0x40, PMB | 1, 4);
    cfg_set(&f, 0x0b, 0x80, 1, 1);
    ck_assert_uint_eq(cfg(&f, 0x0b, 0x40, 4), PMB | 1);
    outb(f.m, SMI_CMD_PORT, ACPI_ENABLE_CMD);
    ck_assert_uint_eq(inw(f.m, PMB + PM1_CNT), 1);
    t_step(f.m, NS_PER_S);
    ck_assert_uint_eq(inl(f.m, PMB + PM_TMR), 3579545);
    outw(f.m, PMB + 2, 0x101);           /* power button, timer */
    pm_power_button(f.pm);
    ck_assert_int_eq(f.irq[9].level, 1);
    t_check_snapshot(f.pm);
    ck_assert_uint_eq(inw(f.m, PMB), 0x100);
    outw(f.m, PMB, 0x100);
    ck_assert_int_eq(f.irq[9].level, 0);
    t_step(f.m, 2 * NS_PER_S);           /* bit 23 changes after 2.34 s */
    ck_assert_int_eq(f.irq[9].level, 1);
    outw(f.m, PMB, 1);
    ck_assert_int_eq(f.irq[9].level, 0);
    outw(f.m, PMB + PM1_CNT, 0x2001);
    ck_assert_int_eq(f.exit_status, 0);
    teardown(&f);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { config_access, bars, interrupt_routing, shadow_ram, smram_lock, reset_control,
                                   power_management, NULL };
    return t_main("pci", tests);
}
