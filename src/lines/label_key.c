/* SPDX-License-Identifier: Apache-2.0 */
#include "lines/label_key.h"

#include "base/ascii.h"
#include "regex/unicode.h"

size_t label_key_put(char *out, struct str_view key, bool first)
{
    size_t n = 0;
    if (first && key.len && ascii_is_digit(key.p[0]))
        out[n++] = '_';
    for (size_t i = 0; i < key.len;) {
        if (ascii_is_word(key.p[i])) {
            out[n++] = key.p[i++];
            continue;
        }
        uint32_t rune;
        i += rune_decode(key.p + i, key.len - i, &rune);
        out[n++] = '_';
    }
    return n;
}

struct str_view label_key_sanitise(struct arena *a, struct str_view key)
{
    key = sv_trim(key);
    size_t i = 0;
    while (i < key.len && ascii_is_word(key.p[i]))
        i++;
    if (i == key.len && (key.len == 0 || !ascii_is_digit(key.p[0])))
        return key;
    char *out = arena_alloc(a, key.len + 1);
    return sv(out, label_key_put(out, key, true));
}

/* Bytes before the first one that is not ASCII. */
static size_t ascii_bytes(struct str_view text)
{
    size_t i = 0;
    for (; text.len - i >= 8; i += 8) {
        uint64_t eight;
        memcpy(&eight, text.p + i, 8);
        if (eight & 0x8080808080808080ULL)
            break;
    }
    while (i < text.len && !((unsigned char)text.p[i] & 0x80))
        i++;
    return i;
}

/* Offset of the first invalid byte or U+FFFD, or the length. */
static size_t first_bad(struct str_view text)
{
    size_t i = ascii_bytes(text);
    while (i < text.len) {
        uint32_t rune;
        unsigned width = rune_decode(text.p + i, text.len - i, &rune);
        if (rune == RUNE_BAD)
            return i;
        i += width;
    }
    return i;
}

struct str_view label_value_clean(struct arena *a, struct str_view text)
{
    size_t at = first_bad(text);
    if (at == text.len)
        return text;
    char *out = arena_alloc(a, text.len);
    size_t n = at;
    memcpy(out, text.p, at);
    while (at < text.len) {
        uint32_t rune;
        unsigned width = rune_decode(text.p + at, text.len - at, &rune);
        bool bad = rune == RUNE_BAD;
        memcpy(out + n, bad ? " " : text.p + at, bad ? 1 : width);
        n += bad ? 1 : width;
        at += width;
    }
    return sv(out, n);
}
