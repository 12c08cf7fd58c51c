/* PS/2 keyboard and mouse: what is behind the keyboard controller's two ports. */
#ifndef RHEA_HW_PS2_H
#define RHEA_HW_PS2_H

#include "hw/core/device.h"
#include "ui/input.h"

enum { PS2_QUEUE = 64 };

/* Bytes on their way to the controller. */
typedef struct Ps2Queue { uint8_t head, len, bytes[PS2_QUEUE]; } Ps2Queue;

typedef struct Ps2Wire { void (*ready)(void *opaque); void *opaque; } Ps2Wire;   /* the queue is no longer empty */

typedef struct Ps2Kbd {
    Ps2Wire wire;
    Ps2Queue q;
    uint8_t last;                        /* byte sent last: RESEND */
    uint8_t command;                     /* waiting for its argument; 0: none */
    uint8_t scanning, set, leds, rate;
} Ps2Kbd;
#define PS2_KBD_ROWS(T, m) \
    LINK(T, m.wire), PS2_QUEUE_ROWS(T, m.q), REG_U8(T, m.last, 0), REG_U8(T, m.command, 0), REG_U8(T, m.scanning, 1), \
    REG_U8(T, m.set, 2), REG_U8(T, m.leds, 0), REG_U8(T, m.rate, 0x2b)
#define PS2_QUEUE_ROWS(T, m) REG_U8(T, m.head, 0), REG_U8(T, m.len, 0), REG_U8(T, m.bytes, 0)

typedef struct Ps2Mouse {
    Ps2Wire wire;
    Ps2Queue q;
    uint8_t last, command;
    uint8_t reporting, remote, wrap, scaling2, resolution, rate;
    uint8_t id;                          /* 0 plain, 3 with wheel, 4 with five buttons */
    uint8_t knock[2];                    /* the two sample rates set before the present one */
    uint8_t buttons, sent_buttons;
    int32_t dx, dy, dz;                  /* not yet reported; y grows upwards */
} Ps2Mouse;
#define PS2_MOUSE_ROWS(T, m) \
    LINK(T, m.wire), PS2_QUEUE_ROWS(T, m.q), REG_U8(T, m.last, 0), REG_U8(T, m.command, 0), REG_U8(T, m.reporting, 0), \
    REG_U8(T, m.remote, 0), REG_U8(T, m.wrap, 0), REG_U8(T, m.scaling2, 0), REG_U8(T, m.resolution, 2), \
    REG_U8(T, m.rate, 100), REG_U8(T, m.id, 0), REG_U8(T, m.knock, 0), REG_U8(T, m.buttons, 0), \
    REG_U8(T, m.sent_buttons, 0), REG_U32(T, m.dx, 0), REG_U32(T, m.dy, 0), REG_U32(T, m.dz, 0)

/* Next byte for the controller; false: none. */
bool ps2_kbd_take(Ps2Kbd *k, uint8_t *byte);
bool ps2_mouse_take(Ps2Mouse *m, uint8_t *byte);
/* A byte from the host. */
void ps2_kbd_write(Ps2Kbd *k, uint8_t byte);
void ps2_mouse_write(Ps2Mouse *m, uint8_t byte);
/* State that was loaded: nothing may index past the queue. */
void ps2_queue_check(Ps2Queue *q);

/* Translation of set 2 to set 1 (i8042.c); a keyboard told to use set 1 itself needs it too. */
extern const uint8_t i8042_set1[128];
extern const KeyboardOps ps2_keyboard_ops;               /* opaque: Ps2Kbd */
extern const PointerOps ps2_pointer_ops;                 /* opaque: Ps2Mouse */

#endif
