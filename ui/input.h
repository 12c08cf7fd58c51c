/* Input events from displays and the monitor to keyboard and mouse devices.
 * Under the machine lock. */
#ifndef RHEA_UI_INPUT_H
#define RHEA_UI_INPUT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Key numbers: Linux input event codes (KEY_A = 30 ...). */
typedef struct InputHub InputHub;

typedef struct KeyboardOps { void (*key)(void *opaque, unsigned code, bool down); } KeyboardOps;
typedef struct PointerOps {
    void (*move)(void *opaque, int dx, int dy, int dz);
    void (*buttons)(void *opaque, unsigned mask);        /* bit 0 left, 1 right, 2 middle */
} PointerOps;

InputHub *input_new(void);
void input_free(InputHub *h);
void input_add_keyboard(InputHub *h, const KeyboardOps *ops, void *opaque);
void input_add_pointer(InputHub *h, const PointerOps *ops, void *opaque);
void input_remove(InputHub *h, void *opaque);
void input_key(InputHub *h, unsigned code, bool down);
void input_move(InputHub *h, int dx, int dy, int dz);
void input_buttons(InputHub *h, unsigned mask);
/* "ctrl-alt-delete", "a", "0x1e" (keymap.c): codes into keys[max]; count, or -1 with err naming the closest keys. */
int input_parse_keys(const char *text, unsigned *keys, int max, GError **err);
const char *const *input_key_names(void);

#endif
