/* PS/2 keyboard and mouse (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards (101- and 102-Key)" and "Mouse"; Microsoft's IntelliMouse
 * extensions for wheel and five buttons).
 *
 * Each is a queue of bytes towards the controller and a command interpreter
 * for bytes from it.  A key's codes, or a motion packet, go into the queue as
 * a whole or not at all.  Left out: typematic repeat (hosts repeat keys
 * themselves), per-key types of set 3 (all keys make and break).
 */
#include "hw/input/ps2.h"

#include "util/bits.h"

enum { ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa };

/* ---- queues ---- */

static unsigned room(const Ps2Queue *q) { return PS2_QUEUE - q->len; }

static void put(Ps2Queue *q, uint8_t byte)
{
    if (room(q))
        q->bytes[(q->head + q->len++) % PS2_QUEUE] = byte;
}

static bool take(Ps2Queue *q, uint8_t *byte)
{
    if (!q->len)
        return false;
    *byte = q->bytes[q->head];
    q->head = (q->head + 1) % PS2_QUEUE;
    q->len--;
    return true;
}

static void clear(Ps2Queue *q) { q->head = q->len = 0; }

static void ready(const Ps2Wire *w)
{
    if (w->ready)
        w->ready(w->opaque);
}

void ps2_queue_check(Ps2Queue *q)
{
    q->head %= PS2_QUEUE;
    q->len = MIN(q->len, PS2_QUEUE);
}

/* ---- keyboard: keys ---- */

static const struct { uint16_t set2; uint8_t set3; } codes[256] = {
#define K(n, two, three) [n] = { two, three },
#include "hw/input/ps2_keys.def"
#undef K
};

enum { KEY_PAUSE = 119, KEY_SYSRQ = 99, BREAK = 0xf0, EXTENDED = 0xe0 };

static void put_code(Ps2Kbd *k, uint16_t code, bool down)
{
    uint8_t low = code;
    if (code >> 8)
        put(&k->q, code >> 8);
    if (k->set == 1) {
        low = low == 0x83 ? 0x41 : i8042_set1[low & 0x7f];
        put(&k->q, low | (down ? 0 : 0x80));
        return;
    }
    if (!down)
        put(&k->q, BREAK);
    put(&k->q, low);
}

/* Pause has no break code of its own. */
static void put_pause(Ps2Kbd *k)
{
    static const uint8_t set2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
    static const uint8_t set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    const uint8_t *p = k->set == 1 ? set1 : set2;
    for (unsigned i = 0; i < (k->set == 1 ? sizeof set1 : sizeof set2); i++)
        put(&k->q, p[i]);
}

static void kbd_key(void *opaque, unsigned code, bool down)
{
    Ps2Kbd *k = opaque;
    if (!k->scanning || room(&k->q) < 8)
        return;
    if (k->set == 3) {
        uint8_t c = code == KEY_PAUSE ? 0x62 : code < 256 ? codes[code].set3 : 0;
        if (c)
            put_code(k, c, down);
    } else if (code == KEY_PAUSE) {
        if (down)
            put_pause(k);
    } else if (code < 256 && codes[code].set2) {
        if (code == KEY_SYSRQ && down)   /* the shift that once made it Print Screen */
            put_code(k, 0xe012, true);
        put_code(k, codes[code].set2, down);
        if (code == KEY_SYSRQ && !down)
            put_code(k, 0xe012, false);
    }
    ready(&k->wire);
}

const KeyboardOps ps2_keyboard_ops = { .key = kbd_key };

/* ---- keyboard: commands ---- */

static void kbd_defaults(Ps2Kbd *k)
{
    clear(&k->q);
    k->set = 2;
    k->rate = 0x2b;
    k->scanning = 1;
}

static void kbd_argument(Ps2Kbd *k, uint8_t byte)
{
    uint8_t command = k->command;
    k->command = 0;
    put(&k->q, ACK);
    switch (command) {
    case 0xed: k->leds = byte & 7; break;
    case 0xf3: k->rate = byte; break;
    case 0xf0:
        if (!byte)
            put(&k->q, k->set);
        else if (byte <= 3)
            k->set = byte;
        break;
    default: break;                      /* fb, fc, fd: key types */
    }
}

void ps2_kbd_write(Ps2Kbd *k, uint8_t byte)
{
    if (k->command && byte < 0xed) {
        kbd_argument(k, byte);
        ready(&k->wire);
        return;
    }
    k->command = 0;
    switch (byte) {
    case 0xed: case 0xf0: case 0xf3: case 0xfb: case 0xfc: case 0xfd:
        k->command = byte;
        put(&k->q, ACK);
        break;
    case 0xee: put(&k->q, 0xee); break;  /* ECHO */
    case 0xf2:                           /* READ ID */
        put(&k->q, ACK);
        put(&k->q, 0xab);
        put(&k->q, 0x83);
        break;
    case 0xf4:                           /* ENABLE */
        clear(&k->q);
        k->scanning = 1;
        put(&k->q, ACK);
        break;
    case 0xf5: case 0xf6:                /* DEFAULT DISABLE, SET DEFAULT */
        kbd_defaults(k);
        k->scanning = byte == 0xf6;
        put(&k->q, ACK);
        break;
    case 0xf7: case 0xf8: case 0xf9: case 0xfa: put(&k->q, ACK); break;
    case 0xfe: put(&k->q, k->last); break;
    case 0xff:                           /* RESET */
        kbd_defaults(k);
        k->leds = 0;
        put(&k->q, ACK);
        put(&k->q, BAT_OK);
        break;
    default: put(&k->q, RESEND); break;
    }
    ready(&k->wire);
}

bool ps2_kbd_take(Ps2Kbd *k, uint8_t *byte)
{
    if (!take(&k->q, byte))
        return false;
    k->last = *byte;
    return true;
}

/* ---- mouse: packets ---- */

static bool moved(const Ps2Mouse *m) { return m->dx || m->dy || (m->id && m->dz) || m->buttons != m->sent_buttons; }

static int32_t part(int32_t *acc, int32_t min, int32_t max)
{
    int32_t v = CLAMP(*acc, min, max);
    *acc -= v;
    return v;
}

static void put_packet(Ps2Mouse *m)
{
    int32_t x = part(&m->dx, -256, 255), y = part(&m->dy, -256, 255), z = m->id == 4 ? part(&m->dz, -8, 7) : part(&m->dz, -128, 127);
    put(&m->q, 0x08 | (m->buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
    put(&m->q, x);
    put(&m->q, y);
    if (m->id == 3)
        put(&m->q, z);
    else if (m->id == 4)
        put(&m->q, (z & 15) | (m->buttons & 0x18) << 1);
    m->sent_buttons = m->buttons;
}

/* At most one packet waits: what comes meanwhile adds up. */
static bool mouse_report(Ps2Mouse *m)
{
    if (!m->reporting || m->remote || m->wrap || m->q.len || !moved(m))
        return false;
    put_packet(m);
    return true;
}

static void mouse_move(void *opaque, int dx, int dy, int dz)
{
    Ps2Mouse *m = opaque;
    if (!m->reporting && !m->remote)
        return;
    m->dx = CLAMP(m->dx + (int64_t)dx, -4096, 4096);
    m->dy = CLAMP(m->dy - (int64_t)dy, -4096, 4096);
    m->dz = CLAMP(m->dz + (int64_t)dz, -256, 256);
    if (mouse_report(m))
        ready(&m->wire);
}

static void mouse_buttons(void *opaque, unsigned mask)
{
    Ps2Mouse *m = opaque;
    m->buttons = mask & 0x1f;
    if (mouse_report(m))
        ready(&m->wire);
}

const PointerOps ps2_pointer_ops = { .move = mouse_move, .buttons = mouse_buttons };

bool ps2_mouse_take(Ps2Mouse *m, uint8_t *byte)
{
    if (!take(&m->q, byte))
        return false;
    m->last = *byte;
    mouse_report(m);                     /* what came meanwhile; the controller asks again by itself */
    return true;
}

/* ---- mouse: commands ---- */

static void mouse_defaults(Ps2Mouse *m)
{
    clear(&m->q);
    m->reporting = m->remote = m->wrap = m->scaling2 = 0;
    m->resolution = 2;
    m->rate = 100;
    m->dx = m->dy = m->dz = 0;
}

/* Sample rates 200, 100, 80 turn the wheel on; 200, 200, 80 the five buttons too. */
static void set_rate(Ps2Mouse *m, uint8_t rate)
{
    if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 100)
        m->id = 3;
    else if (rate == 80 && m->knock[0] == 200 && m->knock[1] == 200)
        m->id = 4;
    m->knock[0] = m->knock[1];
    m->knock[1] = rate;
    m->rate = rate;
}

static void put_status(Ps2Mouse *m)
{
    uint8_t b = m->buttons;
    put(&m->q, m->remote << 6 | m->reporting << 5 | m->scaling2 << 4 | (b & 1) << 2 | (b >> 2 & 1) << 1 | (b >> 1 & 1));
    put(&m->q, m->resolution);
    put(&m->q, m->rate);
}

static void mouse_command(Ps2Mouse *m, uint8_t byte)
{
    put(&m->q, ACK);
    switch (byte) {
    case 0xe6: m->scaling2 = 0; break;
    case 0xe7: m->scaling2 = 1; break;
    case 0xe8: case 0xf3: m->command = byte; break;
    case 0xe9: put_status(m); break;
    case 0xea: m->remote = 0; break;     /* SET STREAM MODE */
    case 0xeb: put_packet(m); break;     /* READ DATA */
    case 0xec: m->wrap = 0; break;
    case 0xee: m->wrap = 1; break;
    case 0xf0: m->remote = 1; break;
    case 0xf2: put(&m->q, m->id); break; /* READ DEVICE TYPE */
    case 0xf4: m->reporting = 1; break;
    case 0xf5: m->reporting = 0; break;
    case 0xf6:
        mouse_defaults(m);
        put(&m->q, ACK);
        break;
    case 0xff:                           /* RESET */
        mouse_defaults(m);
        m->id = 0;
        put(&m->q, ACK);
        put(&m->q, BAT_OK);
        put(&m->q, m->id);
        break;
    default:
        clear(&m->q);
        put(&m->q, RESEND);
        break;
    }
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t byte)
{
    uint8_t command = m->command;
    if (m->wrap && byte != 0xff && byte != 0xec) {
        put(&m->q, byte);
    } else if (command && byte < 0xe6) {
        m->command = 0;
        put(&m->q, ACK);
        if (command == 0xe8)
            m->resolution = byte & 3;
        else
            set_rate(m, byte);
    } else if (byte == 0xfe) {
        put(&m->q, m->last);
    } else {
        m->command = 0;
        clear(&m->q);                    /* an answer goes before motion that was waiting */
        mouse_command(m, byte);
    }
    ready(&m->wire);
}
