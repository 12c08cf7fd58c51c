/* The input hub: keyboards and pointers that devices registered.  The one
 * that was added last gets the events, as a newly plugged one would. */
#include "ui/input.h"

typedef struct Sink {
    const KeyboardOps *keyboard;
    const PointerOps *pointer;
    void *opaque;
} Sink;

struct InputHub { GSList *sinks; };      /* Sink *, newest first */

InputHub *input_new(void)
{
    return g_new0(InputHub, 1);
}

void input_free(InputHub *h)
{
    if (!h)
        return;
    g_slist_free_full(h->sinks, g_free);
    g_free(h);
}

static void add(InputHub *h, Sink s)
{
    h->sinks = g_slist_prepend(h->sinks, g_memdup2(&s, sizeof s));
}

void input_add_keyboard(InputHub *h, const KeyboardOps *ops, void *opaque)
{
    add(h, (Sink) { .keyboard = ops, .opaque = opaque });
}

void input_add_pointer(InputHub *h, const PointerOps *ops, void *opaque)
{
    add(h, (Sink) { .pointer = ops, .opaque = opaque });
}

void input_remove(InputHub *h, void *opaque)
{
    for (GSList *l = h->sinks, *next; l; l = next) {
        next = l->next;
        if (((Sink *)l->data)->opaque != opaque)
            continue;
        g_free(l->data);
        h->sinks = g_slist_delete_link(h->sinks, l);
    }
}

void input_key(InputHub *h, unsigned code, bool down)
{
    for (GSList *l = h->sinks; l; l = l->next) {
        Sink *s = l->data;
        if (s->keyboard) {
            s->keyboard->key(s->opaque, code, down);
            return;
        }
    }
}

static Sink *pointer(InputHub *h)
{
    for (GSList *l = h->sinks; l; l = l->next)
        if (((Sink *)l->data)->pointer)
            return l->data;
    return NULL;
}

void input_move(InputHub *h, int dx, int dy, int dz)
{
    Sink *s = pointer(h);
    if (s && s->pointer->move)
        s->pointer->move(s->opaque, dx, dy, dz);
}

void input_buttons(InputHub *h, unsigned mask)
{
    Sink *s = pointer(h);
    if (s && s->pointer->buttons)
        s->pointer->buttons(s->opaque, mask);
}
