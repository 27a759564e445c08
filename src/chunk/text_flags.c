/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/text_flags.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "chunk/chunk.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct seen {
    uint64_t n_newlines;
    bool high, backslash, escape;
};

static void look_at_bytes(struct seen *s, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        s->n_newlines += p[i] == '\n';
        s->high |= (uint8_t)p[i] >= 0x80;
        s->backslash |= p[i] == '\\';
        s->escape |= p[i] == 0x1b;
    }
}

#ifdef __SSE2__
/* Returns how many bytes it looked at. */
static size_t look_at_blocks(struct seen *s, const char *p, size_t len)
{
    const __m128i newline = _mm_set1_epi8('\n'), backslash = _mm_set1_epi8('\\');
    const __m128i escape = _mm_set1_epi8(0x1b), zero = _mm_setzero_si128();
    __m128i high = zero, backslashes = zero, escapes = zero, sum = zero;
    size_t at = 0;
    while (at + 16 <= len) {
        __m128i counts = zero; /* a byte lane holds up to 255 */
        for (int i = 0; i < 255 && at + 16 <= len; i++, at += 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
            high = _mm_or_si128(high, v);
            backslashes = _mm_or_si128(backslashes, _mm_cmpeq_epi8(v, backslash));
            escapes = _mm_or_si128(escapes, _mm_cmpeq_epi8(v, escape));
            counts = _mm_sub_epi8(counts, _mm_cmpeq_epi8(v, newline));
        }
        sum = _mm_add_epi64(sum, _mm_sad_epu8(counts, zero));
    }
    s->n_newlines += (uint64_t)_mm_cvtsi128_si64(sum) +
                     (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum));
    s->high |= _mm_movemask_epi8(high) != 0;
    s->backslash |= _mm_movemask_epi8(backslashes) != 0;
    s->escape |= _mm_movemask_epi8(escapes) != 0;
    return at;
}
#else
static size_t look_at_blocks(struct seen *s, const char *p, size_t len)
{
    return 0;
}
#endif

/* Length of a two- or three-byte character of the plain kind, where all continuation bytes are
 * allowed; 0 for anything else.  Four bytes are readable. */
static inline size_t plain_character(const char *p)
{
    uint32_t v = ld_le32(p);
    uint8_t lead = (uint8_t)v;
    if ((v & 0xc0e0) == 0x80c0)
        return lead >= 0xc2 ? 2 : 0;
    if ((v & 0xc0c0f0) == 0x8080e0)
        return lead != 0xe0 && lead != 0xed ? 3 : 0;
    return 0;
}

static bool is_utf8(struct str_view s)
{
    for (size_t at = 0; at < s.len;) {
        if (s.len - at >= 8) {
            if (!(ld_le64(s.p + at) & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
            size_t n = 0, from = at;
            while (s.len - at >= 4 && (n = plain_character(s.p + at)) > 0)
                at += n;
            if (at > from)
                continue;
        }
        uint32_t c;
        size_t n = utf8_decode(sv_from(s, at), &c);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

uint16_t text_flags(struct str_view blob, uint32_t rows)
{
    struct seen s = {0};
    size_t at = look_at_blocks(&s, blob.p, blob.len);
    look_at_bytes(&s, blob.p + at, blob.len - at);
    unsigned flags = 0;
    if (!s.high)
        flags |= CHUNK_ASCII | CHUNK_UTF8;
    else if (is_utf8(blob))
        flags |= CHUNK_UTF8;
    if (s.n_newlines != rows)
        flags |= CHUNK_NEWLINE;
    if (s.backslash)
        flags |= CHUNK_BACKSLASH;
    if (s.escape)
        flags |= CHUNK_ESCAPE;
    return (uint16_t)flags;
}
