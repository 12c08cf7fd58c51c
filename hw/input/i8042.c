/* The keyboard controller 8042 of the PC/AT and PS/2 (IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboard/Auxiliary Device Controller").
 *
 *   60 read: output buffer   60 write: to the keyboard, or the argument of a command
 *   64 read: status          64 write: command
 *
 * The output buffer holds one byte; it is refilled, in this order, from the
 * controller's own answers, the keyboard and the mouse, as soon as the guest
 * has read it.  IRQ 1 and 12 follow the buffer: high while a byte of that
 * origin is in it (and the command byte allows it).
 */
#include "hw/input/i8042.h"

#include "hw/core/machine.h"
#include "hw/input/ps2.h"
#include "util/bits.h"

enum { STAT_OBF = 0x01, STAT_SYS = 0x04, STAT_CMD = 0x08, STAT_UNLOCKED = 0x10, STAT_AUX = 0x20 };
enum { MODE_KBD_INT = 0x01, MODE_AUX_INT = 0x02, MODE_SYS = 0x04, MODE_DIS_KBD = 0x10, MODE_DIS_AUX = 0x20, MODE_KCC = 0x40 };
enum { OUT_RESET = 0x01, OUT_A20 = 0x02, OUT_KBD_OBF = 0x10, OUT_AUX_OBF = 0x20 };
enum { ANSWERS = 4, INPUT_PORT = 0xa0 /* keyboard unlocked, colour display */ };

typedef struct I8042 {
    Device dev;
    IrqLine kbd_irq, aux_irq, a20;
    uint8_t status, mode, outport;
    uint8_t command;                     /* waits for its argument at port 60; 0: none */
    uint8_t obf;                         /* the output buffer */
    uint8_t breaking;                    /* translation: f0 came, the next code is a break */
    uint8_t n_answers, answers[ANSWERS], from_aux[ANSWERS];
    uint8_t ram[32];
    Ps2Kbd kbd;
    Ps2Mouse mouse;
} I8042;

/* Translation of set 2 to set 1, as the controller's ROM has it. */
const uint8_t i8042_set1[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

/* ---- output buffer ---- */

static void update_irqs(I8042 *s)
{
    bool full = s->status & STAT_OBF, aux = s->status & STAT_AUX;
    s->outport &= ~(OUT_KBD_OBF | OUT_AUX_OBF);
    if (full)
        s->outport |= aux ? OUT_AUX_OBF : OUT_KBD_OBF;
    irq_set(&s->kbd_irq, full && !aux && (s->mode & MODE_KBD_INT));
    irq_set(&s->aux_irq, full && aux && (s->mode & MODE_AUX_INT));
}

/* A byte from the keyboard, translated if the mode says so; false: swallowed. */
static bool translate(I8042 *s, uint8_t *byte)
{
    if (!(s->mode & MODE_KCC))
        return true;
    if (*byte == 0xf0) {
        s->breaking = 0x80;
        return false;
    }
    if (*byte < 0x80)
        *byte = i8042_set1[*byte];
    else if (*byte == 0x83)
        *byte = 0x41;
    else if (*byte == 0x84)
        *byte = 0x54;
    *byte |= s->breaking;
    s->breaking = 0;
    return true;
}

/* The next byte to show, and whether it counts as the mouse's. */
static bool next_byte(I8042 *s, uint8_t *byte, bool *aux)
{
    if (s->n_answers) {
        *byte = s->answers[0];
        *aux = s->from_aux[0];
        s->n_answers--;
        memmove(s->answers, s->answers + 1, s->n_answers);
        memmove(s->from_aux, s->from_aux + 1, s->n_answers);
        return true;
    }
    *aux = false;
    while (!(s->mode & MODE_DIS_KBD) && ps2_kbd_take(&s->kbd, byte))
        if (translate(s, byte))
            return true;
    *aux = true;
    return !(s->mode & MODE_DIS_AUX) && ps2_mouse_take(&s->mouse, byte);
}

static void refill(void *opaque)
{
    I8042 *s = opaque;
    uint8_t byte;
    bool aux;
    if ((s->status & STAT_OBF) || !next_byte(s, &byte, &aux))
        return;
    s->obf = byte;
    s->status = (s->status & ~STAT_AUX) | STAT_OBF | (aux ? STAT_AUX : 0);
    update_irqs(s);
}

static void answer(I8042 *s, uint8_t byte, bool aux)
{
    if (s->n_answers < ANSWERS) {
        s->answers[s->n_answers] = byte;
        s->from_aux[s->n_answers++] = aux;
    }
    refill(s);
}

/* ---- commands ---- */

static void outport_write(I8042 *s, uint8_t val)
{
    s->outport = (s->outport & (OUT_KBD_OBF | OUT_AUX_OBF)) | (val & 0xcf);
    irq_set(&s->a20, !!(val & OUT_A20));
    if (!(val & OUT_RESET))
        machine_request_reset(s->dev.machine, "keyboard controller");
}

static void set_mode(I8042 *s, uint8_t val)
{
    s->mode = val;
    s->status = (s->status & ~STAT_SYS) | (val & MODE_SYS);
    update_irqs(s);
    refill(s);
}

static void command(I8042 *s, uint8_t val)
{
    s->command = 0;
    switch (val) {
    case 0x20: answer(s, s->mode, false); break;
    case 0x21 ... 0x3f: answer(s, s->ram[val & 31], false); break;
    case 0x60 ... 0x7f: s->command = val; break;
    case 0xa4: answer(s, 0xf1, false); break;             /* no password */
    case 0xa7: set_mode(s, s->mode | MODE_DIS_AUX); break;
    case 0xa8: set_mode(s, s->mode & ~MODE_DIS_AUX); break;
    case 0xa9: answer(s, 0x00, false); break;             /* interface tests: no fault */
    case 0xaa:
        s->status |= STAT_SYS;
        answer(s, 0x55, false);
        break;
    case 0xab: answer(s, 0x00, false); break;
    case 0xad: set_mode(s, s->mode | MODE_DIS_KBD); break;
    case 0xae: set_mode(s, s->mode & ~MODE_DIS_KBD); break;
    case 0xc0: answer(s, INPUT_PORT, false); break;
    case 0xd0: answer(s, s->outport, false); break;
    case 0xd1: case 0xd2: case 0xd3: case 0xd4: s->command = val; break;
    case 0xdd: outport_write(s, s->outport & ~OUT_A20); break;
    case 0xdf: outport_write(s, s->outport | OUT_A20); break;
    case 0xf0 ... 0xff:                                   /* pulse the low output bits that are 0 */
        if (!(val & 1))
            machine_request_reset(s->dev.machine, "keyboard controller");
        break;
    default: log_guest("i8042: command %02x is not known", val); break;
    }
}

static void data_write(I8042 *s, uint8_t val)
{
    uint8_t cmd = s->command;
    s->command = 0;
    switch (cmd) {
    case 0:
        set_mode(s, s->mode & ~MODE_DIS_KBD);             /* talking to it starts its clock again */
        ps2_kbd_write(&s->kbd, val);
        break;
    case 0x60: set_mode(s, val); break;
    case 0x61 ... 0x7f: s->ram[cmd & 31] = val; break;
    case 0xd1: outport_write(s, val); break;
    case 0xd2: answer(s, val, false); break;
    case 0xd3: answer(s, val, true); break;
    case 0xd4:
        set_mode(s, s->mode & ~MODE_DIS_AUX);
        ps2_mouse_write(&s->mouse, val);
        break;
    }
}

/* ---- ports ---- */

static uint64_t data_read(I8042 *s)
{
    uint8_t val = s->obf;
    if (s->status & STAT_OBF) {
        s->status &= ~(STAT_OBF | STAT_AUX);
        update_irqs(s);
        refill(s);
    }
    return val;
}

static uint64_t port60_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr, (void)size;
    return data_read(opaque);
}

static void port60_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8042 *s = opaque;
    (void)addr, (void)size;
    s->status &= ~STAT_CMD;
    data_write(s, val);
}

static uint64_t port64_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr, (void)size;
    return ((const I8042 *)opaque)->status | STAT_UNLOCKED;
}

static void port64_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    I8042 *s = opaque;
    (void)addr, (void)size;
    s->status |= STAT_CMD;
    command(s, val);
}

static const MemOps port60_ops = { .read = port60_read, .write = port60_write, .max_size = 1 };
static const MemOps port64_ops = { .read = port64_read, .write = port64_write, .max_size = 1 };

/* ---- life ---- */

static bool i8042_realize(Device *dev, GError **err)
{
    I8042 *s = (I8042 *)dev;
    Machine *m = dev->machine;
    (void)err;
    s->kbd.wire = s->mouse.wire = (Ps2Wire){ refill, s };
    dev_ports(dev, "i8042-data", 0x60, 1, &port60_ops);
    dev_ports(dev, "i8042-command", 0x64, 1, &port64_ops);
    if (m->input) {
        input_add_keyboard(m->input, &ps2_keyboard_ops, &s->kbd);
        input_add_pointer(m->input, &ps2_pointer_ops, &s->mouse);
    }
    return true;
}

static void i8042_unrealize(Device *dev)
{
    I8042 *s = (I8042 *)dev;
    if (!dev->machine->input)
        return;
    input_remove(dev->machine->input, &s->kbd);
    input_remove(dev->machine->input, &s->mouse);
}

static void i8042_reset(Device *dev)
{
    I8042 *s = (I8042 *)dev;
    update_irqs(s);
    irq_set(&s->a20, 1);
}

static void i8042_loaded(Device *dev)
{
    I8042 *s = (I8042 *)dev;
    s->n_answers = MIN(s->n_answers, ANSWERS);
    ps2_queue_check(&s->kbd.q);
    ps2_queue_check(&s->mouse.q);
    update_irqs(s);
    irq_set(&s->a20, !!(s->outport & OUT_A20));
}

const DeviceType i8042_type = {
    .name = "i8042", .doc = "keyboard controller with PS/2 keyboard and mouse", .bus = BUS_ISA, .size = sizeof(I8042),
    .version = 1, .internal = true,
    .fields = (const Field[]) {
        DEVICE_BASE(I8042), LINK(I8042, kbd_irq), LINK(I8042, aux_irq), LINK(I8042, a20),
        REG_U8(I8042, status, 0), REG_U8(I8042, mode, MODE_KBD_INT | MODE_AUX_INT),
        REG_U8(I8042, outport, OUT_RESET | OUT_A20), REG_U8(I8042, command, 0), REG_U8(I8042, obf, 0),
        REG_U8(I8042, breaking, 0), REG_U8(I8042, n_answers, 0), REG_U8(I8042, answers, 0), REG_U8(I8042, from_aux, 0),
        REG_U8(I8042, ram, 0), PS2_KBD_ROWS(I8042, kbd), PS2_MOUSE_ROWS(I8042, mouse), FIELD_END },
    .realize = i8042_realize, .unrealize = i8042_unrealize, .reset = i8042_reset, .loaded = i8042_loaded,
};

Device *i8042_new(Machine *m, IrqLine kbd, IrqLine aux, IrqLine a20, GError **err)
{
    I8042 *s = (I8042 *)dev_new(m, &i8042_type);
    s->kbd_irq = kbd;
    s->aux_irq = aux;
    s->a20 = a20;
    if (dev_realize(&s->dev, err))
        return &s->dev;
    dev_free(&s->dev);
    return NULL;
}
