/* Saves and loads devices by their field tables. */
#include "hw/core/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "util/bits.h"
#include "util/ldst.h"

enum { MAX_ALIGN = 16 };

static bool is_saved(const Field *f, unsigned version)
{
    return (f->role == FIELD_ROLE_REG || f->role == FIELD_ROLE_TIMER) && f->since <= version;
}

static size_t saved_size(const Field *f) { return f->role == FIELD_ROLE_TIMER ? sizeof(int64_t) : f->size; }

static size_t body_size(const Field *f, unsigned version)
{
    size_t n = 0;
    for (; f->role != FIELD_ROLE_END; f++)
        n += is_saved(f, version) ? saved_size(f) : 0;
    return n;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie in memory");

static void put_field(GByteArray *out, const Field *f, const void *obj)
{
    const char *p = (const char *)obj + f->offset;
    guint at = out->len;
    g_byte_array_set_size(out, at + (guint)saved_size(f));
    if (f->role == FIELD_ROLE_TIMER)
        st_le64(out->data + at, (uint64_t)((const Timer *)p)->deadline);
    else
        memcpy(out->data + at, p, f->size);
}

void snap_save(const Device *d, GByteArray *out)
{
    const DeviceType *t = d->type;
    uint8_t head[256 + 6], *p = head;
    size_t n = strlen(t->name);
    *p++ = (uint8_t)n;
    memcpy(p, t->name, n);
    p += n;
    *p++ = t->version;
    st_le32(p, (uint32_t)body_size(t->fields, t->version));
    g_byte_array_append(out, head, (guint)(p + 4 - head));
    for (const Field *f = t->fields; f->role != FIELD_ROLE_END; f++)
        if (is_saved(f, t->version))
            put_field(out, f, d);
}

/* A loaded bool must be 0 or 1: another byte in a C bool is undefined behaviour. */
static bool bools_ok(const Field *f, const uint8_t *p)
{
    for (unsigned i = 0; f->type == FIELD_BOOL && i < f->count; i++)
        if (p[i] > 1)
            return false;
    return true;
}

static bool get_field(const Field *f, void *obj, const uint8_t *p)
{
    char *to = (char *)obj + f->offset;
    if (f->role == FIELD_ROLE_TIMER) {
        int64_t at = (int64_t)ld_le64(p);
        if (at >= 0)
            timer_set((Timer *)to, at);
        else
            timer_cancel((Timer *)to);
        return at >= -1;
    }
    if (!bools_ok(f, p))
        return false;
    memcpy(to, p, f->size);
    return true;
}

static bool bad(GError **err, const Device *d, const char *what)
{
    g_set_error(err, RHEA_ERROR, ERR_RUN, "saved state of '%s': %s", d->type->name, what);
    return false;
}

/* Checks the head of a record: its body is *p, of *body bytes, and *version. */
static bool get_head(const Device *d, const uint8_t **p, size_t *len, unsigned *version, GError **err)
{
    const char *name = d->type->name;
    size_t n = strlen(name), head = 1 + n + 1 + 4;
    if (*len < head)
        return bad(err, d, "truncated");
    if ((*p)[0] != n || memcmp(*p + 1, name, n))
        return bad(err, d, "the record belongs to another device");
    *version = (*p)[1 + n];
    if (*version > d->type->version)
        return bad(err, d, "written by a newer version of this program");
    size_t body = ld_le32(*p + 2 + n);
    if (body != body_size(d->type->fields, *version) || body > *len - head)
        return bad(err, d, "wrong length");
    *p += head;
    *len -= head;
    return true;
}

bool snap_load(Device *d, const uint8_t **buf, size_t *len, GError **err)
{
    unsigned version;
    dev_reset(d);
    if (!get_head(d, buf, len, &version, err))
        return false;
    for (const Field *f = d->type->fields; f->role != FIELD_ROLE_END; f++) {
        if (!is_saved(f, version))
            continue;
        if (!get_field(f, d, *buf)) {
            dev_reset(d);
            g_set_error(err, RHEA_ERROR, ERR_RUN, "saved state of '%s': bad value of '%s'", d->type->name, f->name);
            return false;
        }
        *buf += saved_size(f);
        *len -= saved_size(f);
    }
    if (d->type->loaded)
        d->type->loaded(d);
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const Field *x = *(const Field *const *)a, *y = *(const Field *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Is [end, next) what a compiler puts in to align the next member? */
static bool is_padding(size_t end, size_t next)
{
    for (size_t a = 1; a <= MAX_ALIGN; a *= 2)
        if (round_up(end, a) == next)
            return true;
    return false;
}

bool snap_check_fields(const DeviceType *t, char **why)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    for (const Field *f = t->fields; f->role != FIELD_ROLE_END; f++)
        g_ptr_array_add(rows, (void *)f);
    qsort(rows->pdata, rows->len, sizeof(void *), by_offset);
    size_t end = 0;
    const char *prev = "start";
    for (guint i = 0; i < rows->len; i++) {
        const Field *f = rows->pdata[i];
        if (f->offset < end || !is_padding(end, f->offset)) {
            *why = g_strdup_printf("%s: between '%s' (to %zu) and '%s' (from %u)", t->name, prev, end, f->name, f->offset);
            return false;
        }
        end = f->offset + f->size;
        prev = f->name;
    }
    if (is_padding(end, t->size))
        return true;
    *why = g_strdup_printf("%s: after '%s' (to %zu of %zu)", t->name, prev, end, t->size);
    return false;
}
