/* Walks of field tables that concern the struct alone: reset, property
 * defaults, lookup.  Setting properties from text and saving live with the
 * devices (hw/core). */
#include "util/field.h"

#include <glib.h>
#include <string.h>

static void *member(const Field *f, void *obj)
{
    return (uint8_t *)obj + f->offset;
}

static void fill(const Field *f, void *obj)
{
    void *p = member(f, obj);
    for (uint32_t i = 0; i < f->count; i++) {
        switch (f->type) {
        case FIELD_U8: ((uint8_t *)p)[i] = (uint8_t)f->init; break;
        case FIELD_U16: ((uint16_t *)p)[i] = (uint16_t)f->init; break;
        case FIELD_U32: ((uint32_t *)p)[i] = (uint32_t)f->init; break;
        case FIELD_U64: ((uint64_t *)p)[i] = f->init; break;
        case FIELD_BOOL: ((bool *)p)[i] = f->init != 0; break;
        case FIELD_BYTES: memset(p, (int)f->init, f->size); return;
        case FIELD_STRING: *(char **)p = g_strdup(f->def_str); return;
        case FIELD_OTHER: return;
        }
    }
}

void fields_reset(const Field *f, void *obj)
{
    for (; f->role != FIELD_ROLE_END; f++)
        if (f->role == FIELD_ROLE_REG)
            fill(f, obj);
}

void fields_init_props(const Field *f, void *obj)
{
    for (; f->role != FIELD_ROLE_END; f++)
        if (f->role == FIELD_ROLE_PROP)
            fill(f, obj);
}

void fields_free_props(const Field *f, void *obj)
{
    for (; f->role != FIELD_ROLE_END; f++)
        if (f->role == FIELD_ROLE_PROP && f->type == FIELD_STRING)
            g_clear_pointer((char **)member(f, obj), g_free);
}

const Field *field_find(const Field *f, const char *name)
{
    for (; f->role != FIELD_ROLE_END; f++)
        if (f->name && !strcmp(f->name, name))
            return f;
    return NULL;
}
