/* One edited line with history, for the monitor on any chardev: it draws with
 * the few VT100 sequences every terminal knows. */
#ifndef RHEA_UI_READLINE_H
#define RHEA_UI_READLINE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Readline Readline;

typedef struct ReadlineOps {
    void (*write)(void *opaque, const char *text, size_t len);
    void (*line)(void *opaque, const char *line);        /* the user pressed Enter */
    /* Names that may follow `prefix` at the start of a line, NULL-terminated (borrowed). */
    const char *const *(*complete)(void *opaque);
} ReadlineOps;

Readline *rl_new(const char *prompt, const ReadlineOps *ops, void *opaque);
void rl_free(Readline *r);
void rl_show_prompt(Readline *r);
void rl_byte(Readline *r, uint8_t b);

#endif
