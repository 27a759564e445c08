/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the two rarest bytes of the needle at their offsets for 32 places at once, and looks
 * closer only where both fit.  What is rare was counted in real logs. */
#include "regex/substr.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/bytes.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* How common a byte is in logs, on a scale of logarithms; equal shares of sixteen systems. */
static const uint8_t frequency[256] = {
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   190, 0,   0,   190, 0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   255, 53,  85,  76,  128, 1,
    4,   92,  161, 161, 118, 47,  176, 208, 214, 179, 238, 236, 225, 212, 210, 214, 207, 206, 207,
    204, 220, 122, 81,  182, 84,  9,   128, 171, 162, 176, 171, 170, 175, 116, 112, 181, 161, 141,
    166, 171, 186, 169, 155, 122, 182, 187, 156, 152, 131, 156, 88,  48,  129, 181, 57,  181, 0,
    180, 0,   225, 185, 216, 215, 239, 189, 191, 193, 222, 133, 191, 208, 201, 226, 230, 199, 114,
    229, 219, 229, 208, 177, 171, 170, 175, 121, 64,  51,  64,  124, 0,   60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,  60,
    60,  60,  60,  60,  60,  60,  60,  60,  60,
};

static unsigned rank_of(unsigned char c, enum substr_case how)
{
    if (how == SUBSTR_FOLD && ascii_is_letter(c)) {
        unsigned lower = frequency[c], upper = frequency[c & ~0x20u];
        return lower > upper ? lower : upper;
    }
    return frequency[c];
}

/* Folding ORs 0x20 into the text, which also maps bytes that are no letters; the needle's letters
 * are lower case, so only the closer look must tell '[' from '{'. */
static uint8_t fold_mask(const struct substr_needle *n, size_t at)
{
    return n->how == SUBSTR_FOLD && ascii_is_letter(n->p[at]) ? 0x20 : 0;
}

static void pick_rare(struct substr_needle *n)
{
    size_t best = 0, second = n->len > 1 ? 1 : 0;
    for (size_t i = 1; i < n->len; i++)
        if (rank_of((unsigned char)n->p[i], n->how) < rank_of((unsigned char)n->p[best], n->how))
            best = i;
    if (second == best)
        second = 0;
    for (size_t i = 0; i < n->len; i++) {
        bool other = n->p[i] != n->p[best] || n->p[second] == n->p[best];
        if (i != best && other &&
            (rank_of((unsigned char)n->p[i], n->how) <
                 rank_of((unsigned char)n->p[second], n->how) ||
             (n->p[second] == n->p[best] && n->p[i] != n->p[best])))
            second = i;
    }
    n->at1 = best < second ? best : second;
    n->at2 = best < second ? second : best;
    n->b1 = (uint8_t)n->p[n->at1];
    n->b2 = (uint8_t)n->p[n->at2];
    n->or1 = fold_mask(n, n->at1);
    n->or2 = fold_mask(n, n->at2);
}

void substr_init(struct substr_needle *n, struct str_view bytes, enum substr_case how)
{
    char *p = mem_alloc(bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.p[i];
        p[i] = how == SUBSTR_FOLD ? (char)ascii_lower(c) : c;
    }
    *n = (struct substr_needle){.p = p, .len = bytes.len, .how = how};
    if (n->len > 0)
        pick_rare(n);
}

void substr_deinit(struct substr_needle *n)
{
    free((void *)(uintptr_t)n->p);
    *n = (struct substr_needle){0};
}

static inline bool fits_at(const struct substr_needle *n, const char *p)
{
    if (n->how == SUBSTR_EXACT)
        return memcmp(p, n->p, n->len) == 0;
    for (size_t i = 0; i < n->len; i++) {
        if (ascii_lower(p[i]) != n->p[i])
            return false;
    }
    return true;
}

/* One search.  Candidates are starts in [p, last]. */
struct substr_search {
    const struct substr_needle *n;
    const char *last;
    size_t tries_left; /* candidates that may turn out not to fit */
    const char *stuck; /* the first one that was not tried, once there were too many */
};

static inline bool fits(struct substr_search *s, const char *p)
{
    if (fits_at(s->n, p))
        return true;
    if (s->tries_left-- == 0)
        s->stuck = p + 1;
    return false;
}

static const char *scan_portable(struct substr_search *s, const char *p)
{
    const struct substr_needle *n = s->n;
    if (n->or1 == 0) { /* memchr is fast everywhere */
        while (p <= s->last && !s->stuck) {
            const char *hit = memchr(p + n->at1, n->b1, (size_t)(s->last - p) + 1);
            if (!hit)
                return NULL;
            p = hit - n->at1;
            if (((uint8_t)p[n->at2] | n->or2) == n->b2 && fits(s, p))
                return p;
            p++;
        }
        return NULL;
    }
    for (; p <= s->last && !s->stuck; p++)
        if (((uint8_t)p[n->at1] | n->or1) == n->b1 && ((uint8_t)p[n->at2] | n->or2) == n->b2 &&
            fits(s, p))
            return p;
    return NULL;
}

#ifdef __x86_64__
struct pair32 {
    __m256i b1, b2, or1, or2;
};

__attribute__((target("avx2"))) static inline __m256i
eq32(const struct substr_needle *n, const struct pair32 *v, const char *p, bool fold)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(p + n->at1));
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(p + n->at2));
    if (fold) {
        x = _mm256_or_si256(x, v->or1);
        y = _mm256_or_si256(y, v->or2);
    }
    return _mm256_and_si256(_mm256_cmpeq_epi8(x, v->b1), _mm256_cmpeq_epi8(y, v->b2));
}

__attribute__((target("avx2"))) static inline const char *first_fit(struct substr_search *s,
                                                                    const char *p, uint32_t mask)
{
    for (; mask && !s->stuck; mask &= mask - 1) {
        const char *at = p + __builtin_ctz(mask);
        if (fits(s, at))
            return at;
    }
    return NULL;
}

/* Looks at starts p .. p + 31 of every step; the last step overlaps the one before it. */
__attribute__((target("avx2"))) static inline __attribute__((always_inline)) const char *
scan_avx2(struct substr_search *s, const char *p, bool fold)
{
    const struct substr_needle *n = s->n;
    struct pair32 v = {_mm256_set1_epi8((char)n->b1), _mm256_set1_epi8((char)n->b2),
                       _mm256_set1_epi8((char)n->or1), _mm256_set1_epi8((char)n->or2)};
    const char *last = s->last, *hit;
    for (; last - p >= 127; p += 128) {
        __m256i a = eq32(n, &v, p, fold), b = eq32(n, &v, p + 32, fold);
        __m256i c = eq32(n, &v, p + 64, fold), d = eq32(n, &v, p + 96, fold);
        __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        if (_mm256_testz_si256(any, any))
            continue;
        if ((hit = first_fit(s, p, (uint32_t)_mm256_movemask_epi8(a))) ||
            (hit = first_fit(s, p + 32, (uint32_t)_mm256_movemask_epi8(b))) ||
            (hit = first_fit(s, p + 64, (uint32_t)_mm256_movemask_epi8(c))) ||
            (hit = first_fit(s, p + 96, (uint32_t)_mm256_movemask_epi8(d))))
            return hit;
        if (s->stuck)
            return NULL;
    }
    for (; p <= last && !s->stuck; p += 32) {
        if (last - p < 31)
            p = last - 31;
        hit = first_fit(s, p, (uint32_t)_mm256_movemask_epi8(eq32(n, &v, p, fold)));
        if (hit)
            return hit;
    }
    return NULL;
}

__attribute__((target("avx2"))) static const char *find_avx2(struct substr_search *s, const char *p)
{
    return s->n->or1 | s->n->or2 ? scan_avx2(s, p, true) : scan_avx2(s, p, false);
}

static bool has_avx2(void)
{
    static int known; /* 0 not asked, 1 no, 2 yes: every thread would write the same */
    int k = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (k == 0) {
        k = __builtin_cpu_supports("avx2") ? 2 : 1;
        __atomic_store_n(&known, k, __ATOMIC_RELAXED);
    }
    return k == 2;
}
#endif

/* memmem, which is linear whatever the needle, over lower-cased pieces. */
static const char *find_folded_steadily(const struct substr_needle *n, const char *p,
                                        const char *end)
{
    enum { PIECE = 64 << 10 };
    size_t cap = n->len > PIECE / 2 ? 2 * n->len : PIECE;
    char *lower = mem_alloc(cap);
    const char *hit = NULL;
    while (!hit && (size_t)(end - p) >= n->len) {
        size_t len = (size_t)(end - p) < cap ? (size_t)(end - p) : cap;
        for (size_t i = 0; i < len; i++)
            lower[i] = (char)ascii_lower(p[i]);
        const char *found = memmem(lower, len, n->p, n->len);
        if (found)
            hit = p + (found - lower);
        p += len - n->len + 1;
    }
    free(lower);
    return hit;
}

static size_t find_by(const struct substr_needle *n, struct str_view text, size_t from,
                      bool portable)
{
    enum { LONG = 64, TRIES_MIN = 1024 };
    if (from > text.len || n->len > text.len - from)
        return SIZE_MAX;
    if (n->len == 0)
        return from;
    const char *p = text.p + from, *end = text.p + text.len, *hit;
    struct substr_search s = {.n = n, .last = end - n->len, .tries_left = SIZE_MAX};
    if (n->len > LONG) /* comparing at each place would cost length times length */
        s.tries_left = TRIES_MIN + (size_t)(end - p) / n->len * LONG;
#ifdef __x86_64__
    if (!portable && s.last - p >= 31 && has_avx2())
        hit = find_avx2(&s, p);
    else
#endif
        hit = scan_portable(&s, p);
    if (s.stuck && !hit && s.stuck <= s.last)
        hit = n->how == SUBSTR_EXACT ? memmem(s.stuck, (size_t)(end - s.stuck), n->p, n->len)
                                     : find_folded_steadily(n, s.stuck, end);
    return hit ? (size_t)(hit - text.p) : SIZE_MAX;
}

size_t substr_find(const struct substr_needle *n, struct str_view haystack, size_t from)
{
    return find_by(n, haystack, from, false);
}

size_t substr_find_portable(const struct substr_needle *n, struct str_view haystack, size_t from)
{
    return find_by(n, haystack, from, true);
}
