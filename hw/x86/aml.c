/* ACPI machine language.
 * Source: ACPI specification 6.4, chapter 20 (AML encoding), 6.4 (resource
 * data types), 19.6 (ASL names, EISAID). */
#include "hw/x86/aml.h"

#include <string.h>

#include "util/ldst.h"

enum { BYTE_PREFIX = 0x0a, WORD_PREFIX = 0x0b, DWORD_PREFIX = 0x0c, QWORD_PREFIX = 0x0e, DUAL_NAME = 0x2e, MULTI_NAME = 0x2f };

static void byte(GByteArray *a, unsigned v)
{
    uint8_t b = (uint8_t)v;
    g_byte_array_append(a, &b, 1);
}

static void number(GByteArray *a, uint64_t v, unsigned size)
{
    uint8_t b[8];
    st_le64(b, v);
    g_byte_array_append(a, b, size);
}

void aml_op(Aml *a, unsigned op)
{
    if (op > 0xff)
        byte(a, op >> 8);
    byte(a, op & 0xff);
}

/* A path of 4-character segments, short ones filled up with '_'. */
void aml_name(Aml *a, const char *path)
{
    if (*path == '\\')
        byte(a, (uint8_t)*path++);
    if (!*path) {
        byte(a, 0);
        return;
    }
    g_auto(GStrv) segs = g_strsplit(path, ".", -1);
    guint n = g_strv_length(segs);
    if (n == 2)
        byte(a, DUAL_NAME);
    if (n > 2) {
        byte(a, MULTI_NAME);
        byte(a, n);
    }
    for (guint i = 0; i < n; i++) {
        char seg[5] = "____";
        g_assert(strlen(segs[i]) <= 4);
        memcpy(seg, segs[i], strlen(segs[i]));
        g_byte_array_append(a, (const guint8 *)seg, 4);
    }
}

void aml_int(Aml *a, uint64_t v)
{
    static const struct { unsigned prefix, size; } form[] = {
        { BYTE_PREFIX, 1 }, { WORD_PREFIX, 2 }, { DWORD_PREFIX, 4 }, { QWORD_PREFIX, 8 } };
    if (v <= 1) {
        byte(a, v ? AML_ONE : AML_ZERO);
        return;
    }
    unsigned i = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
    byte(a, form[i].prefix);
    number(a, v, form[i].size);
}

void aml_eisaid(Aml *a, const char *id)
{
    uint32_t v = (uint32_t)(id[0] - '@') << 26 | (uint32_t)(id[1] - '@') << 21 | (uint32_t)(id[2] - '@') << 16;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)g_ascii_xdigit_value(id[3 + i]) << (12 - 4 * i);
    byte(a, DWORD_PREFIX);
    number(a, GUINT32_SWAP_LE_BE(v), 4);
}

guint aml_open(Aml *a, unsigned op)
{
    aml_op(a, op);
    return a->len;
}

guint aml_open_named(Aml *a, unsigned op, const char *path)
{
    guint mark = aml_open(a, op);
    aml_name(a, path);
    return mark;
}

guint aml_open_method(Aml *a, const char *name, unsigned args, bool serialized)
{
    guint mark = aml_open_named(a, AML_METHOD, name);
    byte(a, args | (serialized ? 8 : 0));
    return mark;
}

/* Inserts the PkgLength, which counts itself: 6 bits in one byte, or 4 bits and up to three more bytes. */
void aml_close(Aml *a, guint mark)
{
    guint body = a->len - mark, extra = body + 1 < 0x40 ? 0 : body + 2 < 0x1000 ? 1 : body + 3 < 0x100000 ? 2 : 3;
    guint total = body + 1 + extra;
    uint8_t len[4] = { (uint8_t)(extra ? extra << 6 | (total & 0xf) : total), (uint8_t)(total >> 4), (uint8_t)(total >> 12),
                       (uint8_t)(total >> 20) };
    g_byte_array_set_size(a, a->len + 1 + extra);
    memmove(a->data + mark + 1 + extra, a->data + mark, body);
    memcpy(a->data + mark, len, 1 + extra);
}

void aml_name_int(Aml *a, const char *name, uint64_t v)
{
    aml_op(a, AML_NAME);
    aml_name(a, name);
    aml_int(a, v);
}

void aml_name_eisaid(Aml *a, const char *name, const char *id)
{
    aml_op(a, AML_NAME);
    aml_name(a, name);
    aml_eisaid(a, id);
}

void aml_field(Aml *a, const char *name, unsigned bits)
{
    g_assert(bits < 0x40);
    aml_name(a, name);
    byte(a, bits);
}

/* ---- resource templates ---- */

AmlRes aml_res_open(void) { return (AmlRes){ .bytes = g_byte_array_new() }; }

void aml_res_close(Aml *a, AmlRes *r)
{
    byte(r->bytes, 0x79);                /* end tag, no checksum */
    byte(r->bytes, 0);
    guint mark = aml_open(a, AML_BUFFER);
    aml_int(a, r->bytes->len);
    g_byte_array_append(a, r->bytes->data, r->bytes->len);
    aml_close(a, mark);
    g_byte_array_unref(r->bytes);
    r->bytes = NULL;
}

void aml_res_io(AmlRes *r, uint16_t base, uint8_t len)
{
    byte(r->bytes, 0x47);
    byte(r->bytes, 1);                   /* decodes 16 bits */
    number(r->bytes, base, 2);
    number(r->bytes, base, 2);
    byte(r->bytes, 1);
    byte(r->bytes, len);
}

void aml_res_irq(AmlRes *r, unsigned irq)
{
    byte(r->bytes, 0x22);
    number(r->bytes, 1u << irq, 2);
}

void aml_res_dma(AmlRes *r, unsigned channel)
{
    byte(r->bytes, 0x2a);
    byte(r->bytes, 1u << channel);
    byte(r->bytes, 0);
}

void aml_res_interrupts(AmlRes *r, const uint32_t *gsi, unsigned n)
{
    enum { CONSUMER = 1, LEVEL_HIGH_SHARED = 8 };
    byte(r->bytes, 0x89);
    number(r->bytes, 2 + 4 * n, 2);
    byte(r->bytes, CONSUMER | LEVEL_HIGH_SHARED);
    byte(r->bytes, n);
    for (unsigned i = 0; i < n; i++)
        number(r->bytes, gsi[i], 4);
}

void aml_res_mem32(AmlRes *r, uint32_t base, uint32_t len)
{
    byte(r->bytes, 0x86);
    number(r->bytes, 9, 2);
    byte(r->bytes, 1);                   /* writable */
    number(r->bytes, base, 4);
    number(r->bytes, len, 4);
}

enum { RES_MEMORY, RES_IO, RES_BUS, RES_FIXED = 0x0c /* min and max fixed, producer */ };

/* An address space descriptor of `size`-byte fields: tag, kind, kind's flags. */
static void window(AmlRes *r, unsigned tag, unsigned size, unsigned kind, unsigned flags, uint64_t min, uint64_t max)
{
    byte(r->bytes, tag);
    number(r->bytes, 3 + 5 * size, 2);
    byte(r->bytes, kind);
    byte(r->bytes, RES_FIXED);
    byte(r->bytes, flags);
    number(r->bytes, 0, size);           /* granularity */
    number(r->bytes, min, size);
    number(r->bytes, max, size);
    number(r->bytes, 0, size);           /* translation */
    number(r->bytes, max - min + 1, size);
}

void aml_res_bus(AmlRes *r, uint16_t min, uint16_t max) { window(r, 0x88, 2, RES_BUS, 0, min, max); }
void aml_res_io_window(AmlRes *r, uint16_t min, uint16_t max) { window(r, 0x88, 2, RES_IO, 3, min, max); }
void aml_res_mem_window(AmlRes *r, uint32_t min, uint32_t max, bool cacheable)
{
    window(r, 0x87, 4, RES_MEMORY, cacheable ? 3 : 1, min, max);
}
