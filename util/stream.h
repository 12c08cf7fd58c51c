/* Bounded byte streams for saved state: little-endian numbers, counted byte
 * strings, and a reader that can never leave its bytes.  A read past the end
 * gives zeros and marks the stream bad, so that a parser may read a whole
 * record first and ask once. */
#ifndef RHEA_UTIL_STREAM_H
#define RHEA_UTIL_STREAM_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OutStream OutStream;
OutStream *out_new(void);
void out_free(OutStream *s);
void out_u8(OutStream *s, uint8_t v);
void out_u16(OutStream *s, uint16_t v);
void out_u32(OutStream *s, uint32_t v);
void out_u64(OutStream *s, uint64_t v);
void out_bytes(OutStream *s, const void *p, size_t len);
void out_str(OutStream *s, const char *text);            /* u16 length, bytes; NULL is "" */
/* A length that is known later: out_begin leaves room for it, out_end fills in what came between. */
size_t out_begin(OutStream *s);
void out_end(OutStream *s, size_t mark);
const uint8_t *out_data(const OutStream *s, size_t *len);

typedef struct InStream {
    const uint8_t *p, *end;              /* borrowed bytes */
    bool bad;                            /* something was read past the end */
} InStream;
static inline InStream in_of(const void *p, size_t len)
{
    return (InStream) { .p = p, .end = (const uint8_t *)p + len };
}
static inline size_t in_left(const InStream *s) { return (size_t)(s->end - s->p); }
uint8_t in_u8(InStream *s);
uint16_t in_u16(InStream *s);
uint32_t in_u32(InStream *s);
uint64_t in_u64(InStream *s);
bool in_bytes(InStream *s, void *p, size_t len);         /* false: p is zeroed */
char *in_str(InStream *s);               /* owned; NULL if bad or if it holds a zero byte */
/* The piece that out_begin/out_end made, as a stream of its own; s goes on behind it. */
InStream in_piece(InStream *s);
bool in_skip(InStream *s, size_t len);

#endif
