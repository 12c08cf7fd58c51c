/* Field tables: one row says what a piece of a struct is (property, register
 * with reset value, saved state, wiring), and options, reset, save, load,
 * printing and tests all walk the same table. */
#ifndef RHEA_UTIL_FIELD_H
#define RHEA_UTIL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum FieldRole {
    FIELD_ROLE_END,
    FIELD_ROLE_PROP,                     /* user property: reset never touches it, not saved */
    FIELD_ROLE_REG,                      /* guest-visible state: reset to `init`, saved */
    FIELD_ROLE_LINK,                     /* wiring to other objects: neither */
    FIELD_ROLE_TIMER,                    /* a Timer: stopped at reset, deadline saved */
    FIELD_ROLE_HOST,                     /* host-side or derived: neither reset nor saved */
} FieldRole;

typedef enum FieldType {
    FIELD_U8, FIELD_U16, FIELD_U32, FIELD_U64, FIELD_BOOL,   /* `count` of them */
    FIELD_BYTES,                         /* opaque bytes, saved as they are */
    FIELD_STRING,                        /* char *, PROP only */
    FIELD_OTHER,                         /* LINK, HOST, TIMER */
} FieldType;

typedef struct Field {
    const char *name;                    /* properties: option name; registers: the datasheet's name */
    FieldRole role;
    FieldType type;
    uint32_t offset, size;               /* of the whole member */
    uint32_t count;                      /* array length, 1 for scalars */
    uint64_t init;                       /* reset value or property default */
    uint8_t since;                       /* saved since version; 0: always */
    const char *doc;
    const char *def_str;                 /* STRING property default */
} Field;

#define FIELD_SIZEOF(T, m) sizeof(((T *)0)->m)
#define FIELD_ROW(T, m, r, t, elem, i, v) \
    { .name = #m, .role = FIELD_ROLE_##r, .type = FIELD_##t, .offset = offsetof(T, m), .size = FIELD_SIZEOF(T, m), \
      .count = FIELD_SIZEOF(T, m) / (elem), .init = (i), .since = (v) }

/* user properties (name is the member's) */
#define PROP_U8(T, m, d)   FIELD_ROW(T, m, PROP, U8, 1, d, 0)
#define PROP_U16(T, m, d)  FIELD_ROW(T, m, PROP, U16, 2, d, 0)
#define PROP_U32(T, m, d)  FIELD_ROW(T, m, PROP, U32, 4, d, 0)
#define PROP_U64(T, m, d)  FIELD_ROW(T, m, PROP, U64, 8, d, 0)
#define PROP_BOOL(T, m, d) FIELD_ROW(T, m, PROP, BOOL, 1, d, 0)
#define PROP_STR(T, m, d)  { .name = #m, .role = FIELD_ROLE_PROP, .type = FIELD_STRING, .offset = offsetof(T, m), \
                             .size = sizeof(char *), .count = 1, .def_str = (d) }
/* registers and other guest-visible state, scalars and arrays; i: reset value of each element; _V: saved since v */
#define REG_U8(T, m, i)      FIELD_ROW(T, m, REG, U8, 1, i, 0)
#define REG_U16(T, m, i)     FIELD_ROW(T, m, REG, U16, 2, i, 0)
#define REG_U32(T, m, i)     FIELD_ROW(T, m, REG, U32, 4, i, 0)
#define REG_U64(T, m, i)     FIELD_ROW(T, m, REG, U64, 8, i, 0)
#define REG_BOOL(T, m, i)    FIELD_ROW(T, m, REG, BOOL, 1, i, 0)
#define REG_BYTES(T, m)      FIELD_ROW(T, m, REG, BYTES, 1, 0, 0)
#define REG_U8_V(T, m, i, v)  FIELD_ROW(T, m, REG, U8, 1, i, v)
#define REG_U32_V(T, m, i, v) FIELD_ROW(T, m, REG, U32, 4, i, v)
#define REG_U64_V(T, m, i, v) FIELD_ROW(T, m, REG, U64, 8, i, v)
/* the rest: every byte has a role */
#define LINK(T, m)   FIELD_ROW(T, m, LINK, OTHER, FIELD_SIZEOF(T, m), 0, 0)
#define HOST(T, m)   FIELD_ROW(T, m, HOST, OTHER, FIELD_SIZEOF(T, m), 0, 0)
#define TIMER(T, m)  FIELD_ROW(T, m, TIMER, OTHER, FIELD_SIZEOF(T, m), 0, 0)
#define FIELD_END    { .name = NULL, .role = FIELD_ROLE_END }

/* Sets all REG rows of obj to their reset values. */
void fields_reset(const Field *f, void *obj);
/* Gives all PROP rows their defaults (strings are duplicated) / frees what they own. */
void fields_init_props(const Field *f, void *obj);
void fields_free_props(const Field *f, void *obj);
const Field *field_find(const Field *f, const char *name);

#endif
