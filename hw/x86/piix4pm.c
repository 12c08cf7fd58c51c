/* Power management function of the Intel 82371AB (PIIX4), function 3 of the
 * south bridge, together with the APM ports.
 * Source: PIIX4 datasheet (290562), chapter 7; ACPI 1.0b chapter 4.7 for the
 * fixed hardware.
 *
 *   PMBA + 00h PMSTS  02h PMEN  04h PMCNTRL  08h PMTMR  0Ch GPSTS  0Eh GPEN
 *   ports B2h APMC, B3h APMS
 *
 * ACPI mode goes on and off by APMC commands F1h and F0h, as a firmware's SMI
 * handler would do it; with SMIs in use the handler does it indeed.
 * PMTMR is computed; its timer runs only while PMEN.TMR_EN is set.
 * Left out: device monitors, clock control, suspend other than soft-off; the
 * SMBus host is there and finds no device (every transaction ends in DEV_ERR). */
#include "hw/x86/piix4pm.h"

#include "hw/core/machine.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80, SMBBA = 0x90, SMBHSTCFG = 0xd2 };
enum { DEVACTB_APMC_EN = 1 << 25, PMIOSE = 1, SMBHST_EN = 1, PM_SIZE = 0x40, SMB_SIZE = 0x10 };
enum { TMR = 1 << 0, GBL = 1 << 5, PWRBTN = 1 << 8, RTC = 1 << 10, WAK = 1 << 15, STS_BITS = TMR | GBL | PWRBTN | RTC | WAK,
       EN_BITS = TMR | GBL | PWRBTN | RTC };
enum { SCI_EN = 1, SLP_EN = 1 << 13, SLP_TYP_SHIFT = 10 };
enum { PM_HZ = 3579545, TMR_MASK = 0xffffff, TMR_HALF = 0x800000 };
enum { SMB_STS = 0, SMB_CNT = 2, SMB_CNT_START = 0x40, SMB_DEV_ERR = 4, SMB_STS_BITS = 0x1f };

typedef struct Pm {
    PciDev pci;
    IrqLine sci;
    void (*smi)(void *opaque);
    void *opaque;
    MemRegion *pm_io, *smb_io;
    Timer timer;                         /* next change of PMTMR's bit 23 */
    uint64_t halves;                     /* changes of bit 23 accounted for */
    uint16_t sts, en, cnt, gpsts, gpen;
    uint8_t regs[PM_SIZE];               /* the rest: holds what is written */
    uint8_t smb[SMB_SIZE];
    uint8_t apmc, apms;
} Pm;

static Pm *pm_of(Device *d) { return (Pm *)d; }

void pm_connect(Device *d, IrqLine sci, void (*smi)(void *opaque), void *opaque)
{
    Pm *s = pm_of(d);
    s->sci = sci;
    s->smi = smi;
    s->opaque = opaque;
}

/* ---- timer and SCI ---- */

static uint64_t ticks(const Pm *s) { return muldiv64((uint64_t)clock_ns(s->pci.dev.machine->clock), PM_HZ, NS_PER_S); }

static void catch_up(Pm *s)
{
    uint64_t halves = ticks(s) / TMR_HALF;
    if (halves != s->halves)
        s->sts |= TMR;
    s->halves = halves;
}

static void update_sci(Pm *s)
{
    bool on = (s->sts & s->en & EN_BITS) || (s->gpsts & s->gpen);
    irq_set(&s->sci, on && s->cnt & SCI_EN);
    timer_cancel(&s->timer);
    if (s->en & TMR && !(s->sts & TMR)) {
        unsigned __int128 at = (unsigned __int128)(s->halves + 1) * TMR_HALF * NS_PER_S;
        timer_set(&s->timer, (int64_t)((at + PM_HZ - 1) / PM_HZ));
    }
}

static void timer_fired(void *opaque)
{
    catch_up(opaque);
    update_sci(opaque);
}

void pm_power_button(Device *d)
{
    Pm *s = pm_of(d);
    s->sts |= PWRBTN;
    update_sci(s);
}

static void sleep_now(Pm *s)
{
    unsigned type = s->cnt >> SLP_TYP_SHIFT & 7;
    s->cnt &= (uint16_t)~SLP_EN;
    if (type == PM_SLP_TYP_S5)
        machine_request_shutdown(s->pci.dev.machine, 0, "guest power-off");
    else
        log_unimp("piix4-pm: sleep type %u\n", type);
}

/* ---- the PM block ---- */

static uint16_t read16(Pm *s, unsigned at)
{
    switch (at) {
    case PM1_EVT: catch_up(s); return s->sts;
    case PM1_EVT + 2: return s->en;
    case PM1_CNT: return s->cnt;
    case PM_TMR: return (uint16_t)ticks(s);
    case PM_TMR + 2: return (uint16_t)((ticks(s) & TMR_MASK) >> 16);
    case GPE0: return s->gpsts;
    case GPE0 + 2: return s->gpen;
    }
    return ld_le16(s->regs + at);
}

static void write16(Pm *s, unsigned at, uint16_t v)
{
    switch (at) {
    case PM1_EVT: catch_up(s); s->sts &= (uint16_t)~(v & STS_BITS); break;
    case PM1_EVT + 2: catch_up(s); s->en = v & EN_BITS; break;
    case PM1_CNT:
        s->cnt = v & 0x3c07;
        if (v & SLP_EN)
            sleep_now(s);
        break;
    case PM_TMR: case PM_TMR + 2: break;
    case GPE0: s->gpsts &= (uint16_t)~v; break;
    case GPE0 + 2: s->gpen = v; break;
    default: st_le16(s->regs + at, v); return;
    }
    update_sci(s);
}

static bool is_w1c(unsigned reg) { return reg == PM1_EVT || reg == GPE0; }

static uint64_t pm_read(void *opaque, uint64_t at, unsigned size)
{
    if (at == PM_TMR && size == 4)
        return ticks(opaque) & TMR_MASK;
    if (size == 1)
        return read16(opaque, (unsigned)at & ~1u) >> (at & 1 ? 8 : 0) & 0xff;
    uint64_t v = read16(opaque, (unsigned)at);
    return size == 4 ? v | (uint64_t)read16(opaque, (unsigned)at + 2) << 16 : v;
}

static void pm_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    unsigned reg = (unsigned)at & ~1u, shift = at & 1 ? 8 : 0;
    if (size == 1) {
        uint16_t old = is_w1c(reg) ? 0 : read16(opaque, reg);
        v = (old & ~(0xffu << shift)) | v << shift;
    }
    write16(opaque, reg, (uint16_t)v);
    if (size == 4)
        write16(opaque, reg + 2, (uint16_t)(v >> 16));
}

static const MemOps pm_ops = { .read = pm_read, .write = pm_write, .max_size = 4 };

/* ---- SMBus host ---- */

static uint64_t smb_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    return ((Pm *)opaque)->smb[at];
}

static void smb_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Pm *s = opaque;
    if (at == SMB_STS) {
        s->smb[SMB_STS] &= (uint8_t)~(v & SMB_STS_BITS);
        return;
    }
    s->smb[at] = (uint8_t)v;
    if (at == SMB_CNT && v & SMB_CNT_START) {
        s->smb[SMB_CNT] &= (uint8_t)~SMB_CNT_START;
        s->smb[SMB_STS] |= SMB_DEV_ERR;
    }
}

static const MemOps smb_ops = { .read = smb_read, .write = smb_write, .max_size = 1 };

/* ---- APM ports ---- */

static uint64_t apm_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    const Pm *s = opaque;
    return at ? s->apms : s->apmc;
}

static void apm_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Pm *s = opaque;
    if (at) {
        s->apms = (uint8_t)v;
        return;
    }
    s->apmc = (uint8_t)v;
    if (v == ACPI_ENABLE_CMD)
        s->cnt |= SCI_EN;
    else if (v == ACPI_DISABLE_CMD)
        s->cnt &= (uint16_t)~SCI_EN;
    update_sci(s);
    if (s->smi && ld_le32(s->pci.config + DEVACTB) & DEVACTB_APMC_EN)
        s->smi(s->opaque);
}

static const MemOps apm_ops = { .read = apm_read, .write = apm_write, .max_size = 1 };

/* ---- config space ---- */

uint16_t pm_base(const Device *d)
{
    const uint8_t *c = ((const PciDev *)d)->config;
    return c[PMREGMISC] & PMIOSE ? ld_le32(c + PMBA) & 0xffc0 : 0;
}

static void update_regions(Pm *s)
{
    const uint8_t *c = s->pci.config;
    uint16_t pm = pm_base(&s->pci.dev), smb = c[SMBHSTCFG] & SMBHST_EN ? ld_le32(c + SMBBA) & 0xfff0 : 0;
    mem_begin();
    mem_set_offset(s->pm_io, pm);
    mem_set_enabled(s->pm_io, pm != 0);
    mem_set_offset(s->smb_io, smb);
    mem_set_enabled(s->smb_io, smb != 0);
    mem_end();
}

static void pm_config_write(PciDev *d, unsigned off, uint32_t val, unsigned size)
{
    pci_default_write(d, off, val, size);
    if (off + size > PMBA)
        update_regions((Pm *)d);
}

void pm_setup_default(Device *d)
{
    PciDev *p = (PciDev *)d;
    pm_config_write(p, PMBA, PM_BASE_DEFAULT, 4);
    pm_config_write(p, PMREGMISC, PMIOSE, 1);
    pm_config_write(p, PCI_INT_LINE, SCI_IRQ, 1);
    pm_of(d)->cnt |= SCI_EN;
}

static bool pm_pci_realize(PciDev *d, GError **err)
{
    (void)err;
    Pm *s = (Pm *)d;
    timer_init(&s->timer, d->dev.machine->clock, timer_fired, s);
    d->config[PCI_STATUS] = 0x80;
    d->config[PCI_STATUS + 1] = 0x02;
    st_le32(d->config + PMBA, 1);
    st_le32(d->wmask + PMBA, 0xffc0);
    st_le32(d->config + SMBBA, 1);
    st_le32(d->wmask + SMBBA, 0xfff0);
    for (unsigned i = 0x44; i < 0x90; i++)
        d->wmask[i] = 0xff;
    for (unsigned i = 0xd2; i < 0xd7; i++)
        d->wmask[i] = 0xff;
    if (!s->smi)                         /* firmware then takes SMM for set up and leaves it alone */
        st_le32(d->config + DEVACTB, DEVACTB_APMC_EN);
    s->pm_io = dev_ports(&d->dev, "pm", 0, PM_SIZE, &pm_ops);
    s->smb_io = dev_ports(&d->dev, "smbus", 0, SMB_SIZE, &smb_ops);
    mem_set_enabled(s->pm_io, false);
    mem_set_enabled(s->smb_io, false);
    dev_ports(&d->dev, "apm", SMI_CMD_PORT, 2, &apm_ops);
    return true;
}

static void pm_reset(Device *d)
{
    Pm *s = pm_of(d);
    pci_dev_reset(d);
    s->halves = ticks(s) / TMR_HALF;
    update_regions(s);
    update_sci(s);
}

static void pm_loaded(Device *d)
{
    pci_dev_loaded(d);
    update_regions(pm_of(d));
}

static const PciClass pm_class = {
    .vendor = 0x8086, .device = 0x7113, .revision = 3, .class_code = 0x068000, .pin = 1,
    .realize = pm_pci_realize, .config_write = pm_config_write,
};

const DeviceType piix4pm_type = {
    .name = "PIIX4_PM", .doc = "PIIX4 power management", .bus = BUS_PCI, .size = sizeof(Pm), .version = 1, .internal = true,
    .fields = (const Field[]){
        PCI_FIELDS(Pm), LINK(Pm, sci), LINK(Pm, smi), LINK(Pm, opaque), HOST(Pm, pm_io), HOST(Pm, smb_io), TIMER(Pm, timer),
        REG_U64(Pm, halves, 0), REG_U16(Pm, sts, 0), REG_U16(Pm, en, 0), REG_U16(Pm, cnt, 0), REG_U16(Pm, gpsts, 0),
        REG_U16(Pm, gpen, 0), REG_U8(Pm, regs, 0), REG_U8(Pm, smb, 0), REG_U8(Pm, apmc, 0), REG_U8(Pm, apms, 0), FIELD_END },
    .realize = pci_dev_realize, .unrealize = pci_dev_unrealize, .reset = pm_reset, .loaded = pm_loaded, .cls = &pm_class,
};
