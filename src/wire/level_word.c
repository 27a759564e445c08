/* SPDX-License-Identifier: Apache-2.0 */
/* The first whole word of a line that names a level.  Words are runs of ASCII letters and digits.
 * Bits of "is alphanumeric" are made for 64 bytes at a time; a candidate is a start of a run whose
 * length is that of a level's word, so few words are ever compared. */
#include "base/bytes.h"
#include "wire/level.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WINDOW = 64 };

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
static inline uint64_t alnum_bits_16(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
    /* x - first <= last - first, unsigned, by min. */
    __m128i letter = _mm_sub_epi8(lower, _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(letter, digit));
}

static inline uint64_t alnum_bits(const char *p)
{
    return alnum_bits_16(p) | alnum_bits_16(p + 16) << 16 | alnum_bits_16(p + 32) << 32 |
           alnum_bits_16(p + 48) << 48;
}

/* Starts of runs that end 3, 4, 5, 7 or 8 bytes on; what ends past the window may be one. */
static inline uint64_t candidates(uint64_t alnum, bool inside)
{
    uint64_t starts = alnum & ~(alnum << 1 | inside), ends = ~alnum, lengths = 0;
    static const unsigned word_lens[] = {3, 4, 5, 7, 8};
    for (size_t i = 0; i < sizeof word_lens / sizeof word_lens[0]; i++)
        lengths |= ends >> word_lens[i] | ~(UINT64_MAX >> word_lens[i]);
    /* A run of 3 with a gap inside would pass as one of 5, so the second and third byte must
     * belong to it. */
    uint64_t three = (alnum >> 1 | UINT64_C(1) << 63) & (alnum >> 2 | UINT64_C(3) << 62);
    return starts & lengths & three;
}

enum level level_first_word(struct str_view line)
{
    char tail[WINDOW];
    bool inside = false;
    for (size_t at = 0; at < line.len; at += WINDOW) {
        const char *p = line.p + at;
        if (line.len - at < WINDOW) {
            memset(tail, 0, sizeof tail);
            memcpy(tail, p, line.len - at);
            p = tail;
        }
        uint64_t alnum = alnum_bits(p);
        for (uint64_t left = candidates(alnum, inside); left; left &= left - 1) {
            enum level level = level_at(line, at + (size_t)__builtin_ctzll(left));
            if (level != LEVEL_NONE)
                return level;
        }
        inside = alnum >> 63;
    }
    return LEVEL_NONE;
}
#else
enum level level_first_word(struct str_view line)
{
    return level_first_word_portable(line);
}
#endif
