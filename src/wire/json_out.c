/* SPDX-License-Identifier: Apache-2.0 */
/* Text into JSON strings.  Plain bytes go 16 at a time; the others through one table look-up. */
#include "base/utf8.h"
#include "wire/answer.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { PIECE_BYTES = 4096, ESCAPE_MAX_BYTES = 6, SLACK_BYTES = 32 };

/* 0: as it is.  'u': \u00xx.  Else: the letter after the backslash. */
static const char escapes[128] = {
    ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['<'] = 'u', ['>'] = 'u',
    ['&'] = 'u', [0] = 'u',     [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',   [5] = 'u',
    [6] = 'u',   [7] = 'u',     ['\b'] = 'u', ['\v'] = 'u', ['\f'] = 'u', [14] = 'u',  [15] = 'u',
    [16] = 'u',  [17] = 'u',    [18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',  [22] = 'u',
    [23] = 'u',  [24] = 'u',    [25] = 'u',   [26] = 'u',   [27] = 'u',   [28] = 'u',  [29] = 'u',
    [30] = 'u',  [31] = 'u',
};

/* Copies plain bytes to out, which has room for 16 more than that; returns how many. */
static inline size_t copy_plain(char *out, const char *p, size_t len)
{
    size_t at = 0;
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20), quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\'), less = _mm_set1_epi8('<');
    const __m128i more = _mm_set1_epi8('>'), amp = _mm_set1_epi8('&');
    for (; len - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        _mm_storeu_si128((__m128i *)(void *)(out + at), v);
        /* Signed: below blank are control characters and everything from 0x80. */
        __m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, space), _mm_cmpeq_epi8(v, quote));
        hit =
            _mm_or_si128(hit, _mm_or_si128(_mm_cmpeq_epi8(v, backslash), _mm_cmpeq_epi8(v, less)));
        hit = _mm_or_si128(hit, _mm_or_si128(_mm_cmpeq_epi8(v, more), _mm_cmpeq_epi8(v, amp)));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        if (bits)
            return at + (size_t)__builtin_ctz(bits);
    }
#endif
    for (; at < len; at++) {
        unsigned char c = (unsigned char)p[at];
        if (c >= 0x80 || escapes[c])
            break;
        out[at] = (char)c;
    }
    return at;
}

static char *put_u_escape(char *out, uint32_t c)
{
    static const char hex[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[c >> (12 - 4 * i) & 15];
    return out + ESCAPE_MAX_BYTES;
}

/* One character that is not plain; *at moves behind it. */
static char *put_special(char *out, struct str_view text, size_t *at)
{
    unsigned char c = (unsigned char)text.p[*at];
    uint32_t rune;
    if (c < 0x80) {
        ++*at;
        if (escapes[c] == 'u')
            return put_u_escape(out, c);
        out[0] = '\\';
        out[1] = escapes[c];
        return out + 2;
    }
    size_t n = utf8_decode(sv_from(text, *at), &rune);
    if (n == 0 || rune == 0x2028 || rune == 0x2029) {
        *at += n ? n : 1;
        return put_u_escape(out, n ? rune : UTF8_REPLACEMENT);
    }
    memcpy(out, text.p + *at, n);
    *at += n;
    return out + n;
}

void json_put_escaped(struct buf *out, struct str_view text)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = text.len - at < PIECE_BYTES ? text.len : at + PIECE_BYTES;
        buf_reserve(out, (end - at) * ESCAPE_MAX_BYTES + SLACK_BYTES);
        char *to = out->p + out->len;
        while (at < end) {
            size_t n = copy_plain(to, text.p + at, end - at);
            to += n;
            at += n;
            if (at < end)
                to = put_special(to, text, &at);
        }
        out->len = (size_t)(to - out->p);
    }
}

void json_put_string(struct buf *out, struct str_view text)
{
    buf_put_u8(out, '"');
    json_put_escaped(out, text);
    buf_put_u8(out, '"');
}

void json_put_labels(struct buf *out, struct labels l)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_put_string(out, l.v[i].name);
        buf_put_u8(out, ':');
        json_put_string(out, l.v[i].value);
    }
    buf_put_u8(out, '}');
}

void json_put_labels_encoded(struct buf *out, struct str_view encoded)
{
    struct reader in = reader_of(encoded);
    uint64_t n = encoded.len ? rd_varint(&in) : 0;
    buf_put_u8(out, '{');
    for (uint64_t i = 0; i < n && !in.bad; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_put_string(out, rd_str(&in, LABELS_MAX_BYTES));
        buf_put_u8(out, ':');
        json_put_string(out, rd_str(&in, LABELS_MAX_BYTES));
    }
    buf_put_u8(out, '}');
}
