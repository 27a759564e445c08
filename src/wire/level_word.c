/* SPDX-License-Identifier: Apache-2.0 */
/* The first whole word of a line that names a level.  Words are runs of ASCII letters and digits.
 * For 64 bytes at a time bits tell where words start and which of these starts have the first two
 * letters of a level's, so few words are ever compared. */
#include "base/bytes.h"
#include "wire/level.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WINDOW = 64 };

/* ascii_is_alnum() in byte arithmetic, which this file is two percent faster with. */
static inline bool is_alnum(unsigned char c)
{
    unsigned char lower = c | 0x20;
    return (unsigned char)(c - '0') < 10 || (unsigned char)(lower - 'a') < 26;
}

/* Letters of a word, folded to lower case, as one little-endian number. */
#define WORD(a, b, c, d, e, f, g, h)                                                               \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |              \
     (uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)

static enum level word_level(uint64_t letters, unsigned len)
{
    static const struct {
        uint64_t letters;
        unsigned len;
        enum level level;
    } words[] = {
        {WORD('i', 'n', 'f', 'o', 0, 0, 0, 0), 4, LEVEL_INFO},
        {WORD('e', 'r', 'r', 'o', 'r', 0, 0, 0), 5, LEVEL_ERROR},
        {WORD('w', 'a', 'r', 'n', 0, 0, 0, 0), 4, LEVEL_WARN},
        {WORD('d', 'e', 'b', 'u', 'g', 0, 0, 0), 5, LEVEL_DEBUG},
        {WORD('t', 'r', 'a', 'c', 'e', 0, 0, 0), 5, LEVEL_TRACE},
        {WORD('f', 'a', 't', 'a', 'l', 0, 0, 0), 5, LEVEL_FATAL},
        {WORD('e', 'r', 'r', 0, 0, 0, 0, 0), 3, LEVEL_ERROR},
        {WORD('w', 'a', 'r', 'n', 'i', 'n', 'g', 0), 7, LEVEL_WARN},
        {WORD('c', 'r', 'i', 't', 'i', 'c', 'a', 'l'), 8, LEVEL_CRITICAL},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].letters == letters)
            return words[i].len == len ? words[i].level : LEVEL_NONE;
    return LEVEL_NONE;
}

/* The first three letters by the first one: each letter begins at most one word, and its longer
 * forms.  No other byte becomes a letter with its case bit set. */
static inline bool may_be_level(const char *p)
{
    static const uint32_t prefixes[32] = {
        ['c' & 31] = 'c' | 'r' << 8 | 'i' << 16, ['d' & 31] = 'd' | 'e' << 8 | 'b' << 16,
        ['e' & 31] = 'e' | 'r' << 8 | 'r' << 16, ['f' & 31] = 'f' | 'a' << 8 | 't' << 16,
        ['i' & 31] = 'i' | 'n' << 8 | 'f' << 16, ['t' & 31] = 't' | 'r' << 8 | 'a' << 16,
        ['w' & 31] = 'w' | 'a' << 8 | 'r' << 16,
    };
    uint32_t three = (uint32_t)ld_le16(p) | (uint32_t)(unsigned char)p[2] << 16;
    return (three | 0x202020) == prefixes[p[0] & 31];
}

/* A word begins at line[at]. */
static enum level level_at(struct str_view line, size_t at)
{
    if (line.len - at < 3 || !may_be_level(line.p + at))
        return LEVEL_NONE;
    uint64_t raw = 0;
    size_t left = line.len - at;
    memcpy(&raw, line.p + at, left < 8 ? left : 8);
    unsigned len = 0;
    while (len < 8 && len < left && is_alnum((unsigned char)line.p[at + len]))
        len++;
    if (len == 8 && left > 8 && is_alnum((unsigned char)line.p[at + 8]))
        return LEVEL_NONE;
    uint64_t keep = len == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * len) - 1;
    return word_level((raw | UINT64_C(0x2020202020202020)) & keep, len);
}

enum level level_first_word_portable(struct str_view line)
{
    bool inside = false;
    for (size_t at = 0; at < line.len; at++) {
        bool alnum = is_alnum((unsigned char)line.p[at]);
        if (alnum && !inside) {
            enum level level = level_at(line, at);
            if (level != LEVEL_NONE)
                return level;
        }
        inside = alnum;
    }
    return LEVEL_NONE;
}

#ifdef __SSE2__
/* One bit a byte of a window. */
struct window_bits {
    uint64_t alnum;
    uint64_t first;  /* may begin a level's word: c to f, i, t, w */
    uint64_t second; /* may follow that: a, e, n, r */
};

static inline __m128i among(__m128i v, char first, char last)
{
    __m128i from =
        _mm_sub_epi8(v, _mm_set1_epi8(first)); /* unsigned from <= last - first, by min */
    return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8((char)(last - first))), from);
}

static inline uint64_t bits_of(__m128i v, unsigned at)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(v) << at;
}

static inline void add_16_bytes(struct window_bits *w, const char *p, unsigned at)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
    __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
    __m128i i = _mm_cmpeq_epi8(lower, _mm_set1_epi8('i'));
    __m128i t = _mm_cmpeq_epi8(lower, _mm_set1_epi8('t'));
    __m128i w_ = _mm_cmpeq_epi8(lower, _mm_set1_epi8('w'));
    __m128i a = _mm_cmpeq_epi8(lower, _mm_set1_epi8('a'));
    __m128i e = _mm_cmpeq_epi8(lower, _mm_set1_epi8('e'));
    __m128i n = _mm_cmpeq_epi8(lower, _mm_set1_epi8('n'));
    __m128i r = _mm_cmpeq_epi8(lower, _mm_set1_epi8('r'));
    w->alnum |= bits_of(_mm_or_si128(among(lower, 'a', 'z'), among(v, '0', '9')), at);
    w->first |=
        bits_of(_mm_or_si128(_mm_or_si128(among(lower, 'c', 'f'), i), _mm_or_si128(t, w_)), at);
    w->second |= bits_of(_mm_or_si128(_mm_or_si128(a, e), _mm_or_si128(n, r)), at);
}

enum level level_first_word(struct str_view line)
{
    char tail[WINDOW];
    uint64_t inside = 0; /* 1: the byte before the window belongs to a word */
    for (size_t at = 0; at < line.len; at += WINDOW) {
        const char *p = line.p + at;
        if (line.len - at < WINDOW) {
            memset(tail, 0, sizeof tail);
            memcpy(tail, p, line.len - at);
            p = tail;
        }
        struct window_bits w = {0, 0, 0};
        for (unsigned i = 0; i < WINDOW; i += 16)
            add_16_bytes(&w, p, i);
        uint64_t starts = w.alnum & ~(w.alnum << 1 | inside);
        uint64_t left = starts & w.first & (w.second >> 1 | UINT64_C(1) << 63);
        for (; left; left &= left - 1) {
            enum level level = level_at(line, at + (size_t)__builtin_ctzll(left));
            if (level != LEVEL_NONE)
                return level;
        }
        inside = w.alnum >> 63;
    }
    return LEVEL_NONE;
}
#else
enum level level_first_word(struct str_view line)
{
    return level_first_word_portable(line);
}
#endif
