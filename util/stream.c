#include "util/stream.h"

#include <string.h>

#include "util/ldst.h"

struct OutStream { GByteArray *bytes; };

OutStream *out_new(void)
{
    OutStream *s = g_new(OutStream, 1);
    s->bytes = g_byte_array_new();
    return s;
}

void out_free(OutStream *s)
{
    if (!s)
        return;
    g_byte_array_unref(s->bytes);
    g_free(s);
}

void out_bytes(OutStream *s, const void *p, size_t len)
{
    if (len)
        g_byte_array_append(s->bytes, p, (guint)len);
}

static void out_le(OutStream *s, uint64_t v, unsigned size)
{
    uint8_t b[8];
    st_le(b, v, size);
    out_bytes(s, b, size);
}

void out_u8(OutStream *s, uint8_t v) { out_le(s, v, 1); }
void out_u16(OutStream *s, uint16_t v) { out_le(s, v, 2); }
void out_u32(OutStream *s, uint32_t v) { out_le(s, v, 4); }
void out_u64(OutStream *s, uint64_t v) { out_le(s, v, 8); }

void out_str(OutStream *s, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    g_assert(len <= UINT16_MAX);
    out_u16(s, (uint16_t)len);
    out_bytes(s, text, len);
}

size_t out_begin(OutStream *s)
{
    out_u32(s, 0);
    return s->bytes->len;
}

void out_end(OutStream *s, size_t mark)
{
    st_le32(s->bytes->data + mark - 4, (uint32_t)(s->bytes->len - mark));
}

const uint8_t *out_data(const OutStream *s, size_t *len)
{
    *len = s->bytes->len;
    return s->bytes->data;
}

bool in_bytes(InStream *s, void *p, size_t len)
{
    if (s->bad || len > in_left(s)) {
        s->bad = true;
        memset(p, 0, len);
        return false;
    }
    memcpy(p, s->p, len);
    s->p += len;
    return true;
}

static uint64_t in_le(InStream *s, unsigned size)
{
    uint8_t b[8];
    in_bytes(s, b, size);
    return ld_le(b, size);
}

uint8_t in_u8(InStream *s) { return (uint8_t)in_le(s, 1); }
uint16_t in_u16(InStream *s) { return (uint16_t)in_le(s, 2); }
uint32_t in_u32(InStream *s) { return (uint32_t)in_le(s, 4); }
uint64_t in_u64(InStream *s) { return in_le(s, 8); }

bool in_skip(InStream *s, size_t len)
{
    if (s->bad || len > in_left(s)) {
        s->bad = true;
        return false;
    }
    s->p += len;
    return true;
}

char *in_str(InStream *s)
{
    size_t len = in_u16(s);
    const uint8_t *p = s->p;
    if (!in_skip(s, len))
        return NULL;
    if (memchr(p, 0, len)) {
        s->bad = true;
        return NULL;
    }
    return g_strndup((const char *)p, len);
}

InStream in_piece(InStream *s)
{
    size_t len = in_u32(s);
    const uint8_t *p = s->p;
    InStream piece = { .p = p, .end = p, .bad = true };
    if (in_skip(s, len)) {
        piece.end = p + len;
        piece.bad = false;
    }
    return piece;
}
