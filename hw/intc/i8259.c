/* Two Intel 8259A programmable interrupt controllers, master and slave, with
 * the edge/level registers of the PIIX.
 * Source: 8259A datasheet (231468); PIIX3 datasheet 2.5.3 (ELCR).
 *
 * Registers are arrays of two: [0] the master (ports 20h, 21h, 4D0h), [1] the
 * slave (A0h, A1h, 4D1h) on the master's IR2.
 * An edge is latched in IRR until acknowledged, even if the line falls before;
 * the default IR7 appears when nothing is left at the acknowledge.
 * ICW1.LTIM and the 8080 call mode do nothing, as in the PIIX. */
#include "hw/intc/i8259.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { MASTER, SLAVE, CASCADE_IR = 2 };
enum { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1 = 0x10 };
enum { ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum { OCW3 = 0x08, OCW3_RIS = 0x01, OCW3_RR = 0x02, OCW3_P = 0x04, OCW3_SMM = 0x20, OCW3_ESMM = 0x40 };
enum { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

typedef struct Pic {
    Device dev;
    IrqLine intr;
    uint8_t irr[2], imr[2], isr[2], elcr[2];
    uint8_t lines[2];                    /* levels of the inputs */
    uint8_t icw1[2], icw2[2], icw3[2], icw4[2];
    uint8_t step[2];                     /* INIT_*: which ICW port 1 takes next */
    uint8_t lowest[2];                   /* the IR of lowest priority */
    bool read_isr[2], poll[2], special_mask[2], rotate_aeoi[2];
} Pic;

static const uint8_t elcr_mask[2] = { 0xf8, 0xde };

void pic_connect(Device *d, IrqLine intr) { ((Pic *)d)->intr = intr; }

/* ---- priorities ---- */

static unsigned rank(const Pic *s, int c, unsigned ir) { return (ir - s->lowest[c] - 1) & 7; }

/* The highest-ranking bit of a mask as an IR number, -1: none. */
static int highest(const Pic *s, int c, uint8_t mask)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned ir = (s->lowest[c] + i) & 7;
        if (mask >> ir & 1)
            return (int)ir;
    }
    return -1;
}

/* The request that chip c would present now, -1: none. */
static int request(const Pic *s, int c)
{
    int req = highest(s, c, s->irr[c] & (uint8_t)~s->imr[c]);
    uint8_t in_service = s->isr[c];
    if (s->special_mask[c])
        in_service &= (uint8_t)~s->imr[c];
    int cur = highest(s, c, in_service);
    if (req < 0 || cur < 0)
        return req;
    unsigned r = rank(s, c, (unsigned)req), limit = rank(s, c, (unsigned)cur);
    bool nested = c == MASTER && req == CASCADE_IR && s->icw4[c] & ICW4_SFNM;
    return r < limit || (nested && r == limit) ? req : -1;
}

static void update(Pic *s)
{
    uint8_t bit = BIT(CASCADE_IR);
    s->irr[MASTER] = (uint8_t)((s->irr[MASTER] & ~bit) | (request(s, SLAVE) >= 0 ? bit : 0));
    irq_set(&s->intr, request(s, MASTER) >= 0);
}

void pic_set_irq(void *pic, int irq, int level)
{
    Pic *s = pic;
    int c = irq >> 3;
    uint8_t bit = (uint8_t)(1 << (irq & 7)), old = s->lines[c];
    if (c == MASTER && (irq & 7) == CASCADE_IR)
        return;
    s->lines[c] = (uint8_t)(level ? old | bit : old & ~bit);
    if (s->elcr[c] & bit)
        s->irr[c] = (uint8_t)((s->irr[c] & ~bit) | (s->lines[c] & bit));
    else if (s->lines[c] & ~old)
        s->irr[c] |= bit;
    update(s);
}

bool pic_pending(const Device *d) { return request((const Pic *)d, MASTER) >= 0; }

/* ---- acknowledge and end of interrupt ---- */

static void acknowledge(Pic *s, int c, unsigned ir)
{
    uint8_t bit = (uint8_t)(1 << ir);
    if (!(s->elcr[c] & bit))
        s->irr[c] &= (uint8_t)~bit;
    if (!(s->icw4[c] & ICW4_AEOI))
        s->isr[c] |= bit;
    else if (s->rotate_aeoi[c])
        s->lowest[c] = (uint8_t)ir;
}

/* One chip's acknowledge: its IR, 7 without in-service bit if there is none any more. */
static unsigned take(Pic *s, int c)
{
    int ir = request(s, c);
    if (ir < 0)
        return 7;
    acknowledge(s, c, (unsigned)ir);
    return (unsigned)ir;
}

int pic_take(Device *d)
{
    Pic *s = (Pic *)d;
    bool cascaded = request(s, MASTER) == CASCADE_IR;
    unsigned ir = take(s, MASTER);
    int vector = s->icw2[MASTER] | (int)ir;
    if (cascaded)
        vector = s->icw2[SLAVE] | (int)take(s, SLAVE);
    update(s);
    return vector;
}

static void end_of_interrupt(Pic *s, int c, int ir, bool rotate)
{
    if (ir < 0)
        return;
    s->isr[c] &= (uint8_t)~(1 << ir);
    if (rotate)
        s->lowest[c] = (uint8_t)ir;
}

static void write_ocw2(Pic *s, int c, uint8_t v)
{
    enum { CLEAR_ROTATE_AEOI, EOI, NOP, SPECIFIC_EOI, SET_ROTATE_AEOI, ROTATE_EOI, SET_PRIORITY, ROTATE_SPECIFIC_EOI };
    uint8_t isr = s->special_mask[c] ? s->isr[c] & (uint8_t)~s->imr[c] : s->isr[c];
    int level = v & 7;
    switch (v >> 5) {
    case CLEAR_ROTATE_AEOI: s->rotate_aeoi[c] = false; break;
    case SET_ROTATE_AEOI: s->rotate_aeoi[c] = true; break;
    case EOI: end_of_interrupt(s, c, highest(s, c, isr), false); break;
    case ROTATE_EOI: end_of_interrupt(s, c, highest(s, c, isr), true); break;
    case SPECIFIC_EOI: end_of_interrupt(s, c, level, false); break;
    case ROTATE_SPECIFIC_EOI: end_of_interrupt(s, c, level, true); break;
    case SET_PRIORITY: s->lowest[c] = (uint8_t)level; break;
    case NOP: break;
    }
}

static void write_ocw3(Pic *s, int c, uint8_t v)
{
    if (v & OCW3_P)
        s->poll[c] = true;
    if (v & OCW3_RR)
        s->read_isr[c] = v & OCW3_RIS;
    if (v & OCW3_ESMM)
        s->special_mask[c] = v & OCW3_SMM;
}

/* ---- initialisation ---- */

static void write_icw1(Pic *s, int c, uint8_t v)
{
    s->icw1[c] = v;
    s->step[c] = INIT_ICW2;
    s->irr[c] = s->lines[c] & s->elcr[c];                /* edge latches are cleared */
    s->imr[c] = s->isr[c] = 0;
    s->lowest[c] = 7;
    s->special_mask[c] = s->read_isr[c] = s->poll[c] = s->rotate_aeoi[c] = false;
    if (!(v & ICW1_IC4))
        s->icw4[c] = 0;
}

static void write_icw(Pic *s, int c, uint8_t v)
{
    bool icw4 = s->icw1[c] & ICW1_IC4;
    switch (s->step[c]) {
    case INIT_ICW2:
        s->icw2[c] = v & 0xf8;
        s->step[c] = s->icw1[c] & ICW1_SNGL ? (icw4 ? INIT_ICW4 : INIT_DONE) : INIT_ICW3;
        break;
    case INIT_ICW3:
        s->icw3[c] = v;
        s->step[c] = icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        s->icw4[c] = v;
        s->step[c] = INIT_DONE;
        break;
    }
}

/* ---- ports ---- */

static uint8_t poll(Pic *s, int c)
{
    bool any = request(s, c) >= 0;
    uint8_t v = (uint8_t)take(s, c);
    s->poll[c] = false;
    update(s);
    return any ? 0x80 | v : 0;
}

static uint64_t chip_read(Pic *s, int c, uint64_t at)
{
    if (s->poll[c])
        return poll(s, c);
    if (at)
        return s->imr[c];
    return s->read_isr[c] ? s->isr[c] : s->irr[c];
}

static void chip_write(Pic *s, int c, uint64_t at, uint8_t v)
{
    if (at && s->step[c] != INIT_DONE)
        write_icw(s, c, v);
    else if (at)
        s->imr[c] = v;                   /* OCW1 */
    else if (v & ICW1)
        write_icw1(s, c, v);
    else if (v & OCW3)
        write_ocw3(s, c, v);
    else
        write_ocw2(s, c, v);
    update(s);
}

static uint64_t master_read(void *s, uint64_t at, unsigned size) { (void)size; return chip_read(s, MASTER, at); }
static uint64_t slave_read(void *s, uint64_t at, unsigned size) { (void)size; return chip_read(s, SLAVE, at); }
static void master_write(void *s, uint64_t at, uint64_t v, unsigned size) { (void)size; chip_write(s, MASTER, at, (uint8_t)v); }
static void slave_write(void *s, uint64_t at, uint64_t v, unsigned size) { (void)size; chip_write(s, SLAVE, at, (uint8_t)v); }

static uint64_t elcr_read(void *opaque, uint64_t at, unsigned size)
{
    (void)size;
    return ((Pic *)opaque)->elcr[at];
}

static void elcr_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    (void)size;
    Pic *s = opaque;
    s->elcr[at] = (uint8_t)v & elcr_mask[at];
}

static const MemOps master_ops = { .read = master_read, .write = master_write, .max_size = 1 };
static const MemOps slave_ops = { .read = slave_read, .write = slave_write, .max_size = 1 };
static const MemOps elcr_ops = { .read = elcr_read, .write = elcr_write, .max_size = 1 };

static bool pic_realize(Device *d, GError **err)
{
    (void)err;
    dev_ports(d, "pic-master", 0x20, 2, &master_ops);
    dev_ports(d, "pic-slave", 0xa0, 2, &slave_ops);
    dev_ports(d, "elcr", 0x4d0, 2, &elcr_ops);
    return true;
}

static void pic_update(Device *d) { update((Pic *)d); }

const DeviceType i8259_type = {
    .name = "isa-i8259", .doc = "8259A interrupt controllers", .bus = BUS_SYSTEM, .size = sizeof(Pic), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(Pic), LINK(Pic, intr),
        REG_U8(Pic, irr, 0), REG_U8(Pic, imr, 0), REG_U8(Pic, isr, 0), REG_U8(Pic, elcr, 0), REG_U8(Pic, lines, 0),
        REG_U8(Pic, icw1, 0), REG_U8(Pic, icw2, 0), REG_U8(Pic, icw3, 0), REG_U8(Pic, icw4, 0), REG_U8(Pic, step, 0),
        REG_U8(Pic, lowest, 7), REG_BOOL(Pic, read_isr, 0), REG_BOOL(Pic, poll, 0), REG_BOOL(Pic, special_mask, 0),
        REG_BOOL(Pic, rotate_aeoi, 0), FIELD_END },
    .realize = pic_realize, .reset = pic_update, .loaded = pic_update,
};
