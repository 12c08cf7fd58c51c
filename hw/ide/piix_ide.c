/* The IDE function of the PIIX3 (Intel 82371SB data sheet, sections 2.3 and
 * 2.7): two channels at the compatibility ports, and the bus master of
 * SFF-8038i behind BAR 4.
 *
 *   BAR4 + 0  BMICX  command: bit 0 start, bit 3 direction (1: device to memory)
 *        + 2  BMISX  status: bit 0 active, 1 error, 2 interrupt, 5/6 drive can DMA
 *        + 4  BMIDTPX  address of the descriptor table          (+ 8: secondary channel)
 *   descriptor: u32 address (even), u16 bytes (even, 0 means 64 KiB), u16 bit 15: last
 *
 * The table is the guest's and may be anything: each step consumes at least two
 * bytes of a bounded transfer, so no table runs for ever, and an address that
 * leads nowhere sets the error bit.
 *
 * The timing registers IDETIM are stored and not obeyed; the channels decode
 * even if the guest clears IDETIM's decode bits.
 */
#include "hw/ide/ide_core.h"

#include "hw/pci/pci.h"
#include "util/ldst.h"

enum { BMICX = 0, BMISX = 2, BMIDTPX = 4, BM_LEN = 16 };
enum { BMICX_SSBM = 0x01, BMICX_RWCON = 0x08 };
enum { BMISX_BMIDEA = 0x01, BMISX_ERR = 0x02, BMISX_INTS = 0x04, BMISX_CAP = 0x60 };
enum { IDETIM = 0x40 };

typedef struct PiixIde PiixIde;
typedef struct BusMaster {
    PiixIde *ide;
    uint8_t cmd, status;
    uint8_t last;                        /* the present descriptor is the table's last */
    uint32_t table;                      /* BMIDTPX */
    uint32_t next;                       /* offset of the next descriptor in its 64 KiB */
    uint32_t addr, left;                 /* of the present descriptor */
} BusMaster;

struct PiixIde {
    PciDev pci;
    IdeChannel ch[2];
    BusMaster bm[2];
    MemRegion *bar4;
};

/* ---- bus master ---- */

static bool bm_active(void *opaque)
{
    const BusMaster *b = opaque;
    return (b->status & BMISX_BMIDEA) && pci_bus_master(&b->ide->pci);
}

/* Loads the next descriptor; false: there is none. */
static bool bm_next(BusMaster *b)
{
    uint8_t prd[8];
    if (b->last)
        return false;
    if (!dma_read(b->ide->pci.dev.machine, (b->table & 0xffff0000) | ((b->table + b->next) & 0xfffc), prd, sizeof prd)) {
        b->status |= BMISX_ERR;
        return false;
    }
    b->next += 8;
    b->addr = ld_le32(prd) & ~1u;
    b->left = ld_le16(prd + 4) & 0xfffe;
    b->left = b->left ? b->left : 0x10000;
    b->last = prd[7] >> 7;
    return true;
}

/* The end of the table, or of its usefulness. */
static void bm_stop(BusMaster *b) { b->status &= ~BMISX_BMIDEA; }

static uint32_t bm_move(void *opaque, void *buf, uint32_t len, bool to_memory)
{
    BusMaster *b = opaque;
    Machine *m = b->ide->pci.dev.machine;
    uint8_t *p = buf;
    uint32_t moved = 0;
    if (to_memory != !!(b->cmd & BMICX_RWCON)) {
        log_guest("piix-ide: the bus master's direction is not the command's");
        b->status |= BMISX_ERR;
        bm_stop(b);
        return 0;
    }
    while (moved < len) {
        if (!b->left && !bm_next(b)) {
            bm_stop(b);
            return moved;
        }
        uint32_t n = MIN(len - moved, b->left);
        if (!(to_memory ? dma_write(m, b->addr, p + moved, n) : dma_read(m, b->addr, p + moved, n)))
            b->status |= BMISX_ERR;
        b->addr += n, b->left -= n, moved += n;
    }
    if (!b->left && b->last)
        bm_stop(b);
    return moved;
}

static void bm_irq(void *opaque) { ((BusMaster *)opaque)->status |= BMISX_INTS; }

static const IdeDmaOps bm_ops = { bm_active, bm_move, bm_irq };

static void bm_command(BusMaster *b, uint8_t val)
{
    uint8_t old = b->cmd;
    b->cmd = val & (BMICX_SSBM | BMICX_RWCON);
    if (!(val & BMICX_SSBM)) {
        bm_stop(b);                      /* what was not moved yet is lost */
        return;
    }
    if (old & BMICX_SSBM)
        return;
    b->next = b->left = b->last = 0;
    b->status |= BMISX_BMIDEA;
    ide_dma_start(&b->ide->ch[b - b->ide->bm]);
}

static uint64_t bm_read(void *opaque, uint64_t addr, unsigned size)
{
    const PiixIde *s = opaque;
    const BusMaster *b = &s->bm[addr >> 3 & 1];
    unsigned reg = addr & 7;
    if (reg >= BMIDTPX)
        return bits_get(b->table, 8 * (reg - BMIDTPX), 32 - 8 * (reg - BMIDTPX));
    uint32_t all = b->cmd | (uint32_t)b->status << 16;
    (void)size;
    return all >> (8 * reg);
}

static void bm_write_byte(BusMaster *b, unsigned reg, uint8_t val)
{
    switch (reg) {
    case BMICX: bm_command(b, val); break;
    case BMISX: b->status = (b->status & BMISX_BMIDEA) | (val & BMISX_CAP) | (b->status & ~val & (BMISX_ERR | BMISX_INTS)); break;
    case 4: case 5: case 6: case 7:
        b->table = (uint32_t)bits_set(b->table, 8 * (reg - BMIDTPX), 8, val) & ~3u;
        break;
    }
}

static void bm_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    PiixIde *s = opaque;
    for (unsigned i = 0; i < size; i++)
        bm_write_byte(&s->bm[(addr + i) >> 3 & 1], (addr + i) & 7, val >> (8 * i));
}

static const MemOps bm_mem_ops = { .read = bm_read, .write = bm_write, .max_size = 4 };

/* ---- the function ---- */

static const struct { uint16_t command, control; const char *name; } ports[2] = {
    { 0x1f0, 0x3f6, "ide0" }, { 0x170, 0x376, "ide1" },
};

static void add_ports(Device *dev, uint16_t at, uint64_t size, const char *name, const MemOps *ops, IdeChannel *c)
{
    MemRegion *mr = mem_io_new(name, size, ops, c);
    mem_add(dev->machine->io_root, at, mr, 1);
    dev->regions = g_slist_prepend(dev->regions, mr);
}

static bool piix_ide_setup(PciDev *pci, GError **err)
{
    PiixIde *s = (PiixIde *)pci;
    (void)err;
    for (unsigned i = 0; i < 2; i++) {
        s->bm[i].ide = s;
        s->ch[i].dma = &bm_ops;
        s->ch[i].dma_opaque = &s->bm[i];
        add_ports(&pci->dev, ports[i].command, 8, ports[i].name, &ide_command_ops, &s->ch[i]);
        add_ports(&pci->dev, ports[i].control, 1, ports[i].name, &ide_control_ops, &s->ch[i]);
    }
    st_le32(pci->wmask + IDETIM, 0xf3fff3ff);
    st_le32(pci->config + IDETIM, 0x80008000);
    s->bar4 = mem_io_new("piix-bmdma", BM_LEN, &bm_mem_ops, s);
    pci_bar(pci, 4, 1, s->bar4);
    return true;
}

static void piix_ide_unrealize(Device *dev)
{
    PiixIde *s = (PiixIde *)dev;
    pci_dev_unrealize(dev);
    if (s->bar4)
        mem_unref(s->bar4);
}

static void piix_ide_reset(Device *dev)
{
    PiixIde *s = (PiixIde *)dev;
    pci_dev_reset(dev);
    st_le32(s->pci.config + IDETIM, 0x80008000);
    for (unsigned i = 0; i < 2; i++)
        ide_channel_reset(&s->ch[i]);
}

static void piix_ide_loaded(Device *dev)
{
    PiixIde *s = (PiixIde *)dev;
    pci_dev_loaded(dev);
    for (unsigned i = 0; i < 2; i++)
        ide_channel_loaded(&s->ch[i]);
}

static const PciClass piix_ide_class = {
    .vendor = 0x8086, .device = 0x7010, .class_code = 0x010180, .multifunction = true, .realize = piix_ide_setup,
};

#define BM_ROWS(n) \
    LINK(PiixIde, bm[n].ide), REG_U8(PiixIde, bm[n].cmd, 0), REG_U8(PiixIde, bm[n].status, 0), \
    REG_U8(PiixIde, bm[n].last, 0), REG_U32(PiixIde, bm[n].table, 0), REG_U32(PiixIde, bm[n].next, 0), \
    REG_U32(PiixIde, bm[n].addr, 0), REG_U32(PiixIde, bm[n].left, 0)

const DeviceType piix3_ide_type = {
    .name = "piix3-ide", .doc = "PIIX3 IDE controller (PCI)", .bus = BUS_PCI, .size = sizeof(PiixIde), .version = 1,
    .internal = true,
    .fields = (const Field[]) {
        PCI_FIELDS(PiixIde),
        IDE_CHANNEL_ROWS(PiixIde, ch[0]), IDE_CHANNEL_ROWS(PiixIde, ch[1]),
        BM_ROWS(0), BM_ROWS(1),
        HOST(PiixIde, bar4), FIELD_END },
    .realize = pci_dev_realize, .unrealize = piix_ide_unrealize, .reset = piix_ide_reset, .loaded = piix_ide_loaded, .cls = &piix_ide_class,
};

IdeChannel *piix_ide_channel(Device *controller, unsigned n)
{
    return controller && controller->type == &piix3_ide_type && n < 2 ? &((PiixIde *)controller)->ch[n] : NULL;
}

Device *piix_ide_new(Machine *m, const char *addr, IrqLine irq14, IrqLine irq15, GError **err)
{
    PiixIde *s = (PiixIde *)dev_new(m, &piix3_ide_type);
    s->ch[0].irq = irq14;
    s->ch[1].irq = irq15;
    if (dev_set(&s->pci.dev, "addr", addr, err) && dev_realize(&s->pci.dev, err))
        return &s->pci.dev;
    dev_free(&s->pci.dev);
    return NULL;
}
