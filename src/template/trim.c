/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that cut ends off a text. */
#include <stdlib.h>

#include "base/utf8.h"
#include "template/func.h"

/* Runes to be cut off: ASCII as bits, the others sorted. */
struct cutset {
    uint64_t ascii[2];
    uint32_t *others;
    size_t n_others;
};

static int by_rune(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct cutset cutset_of(struct arena *a, struct str_view set)
{
    struct cutset c = {{0, 0}, NULL, 0};
    for (struct str_view rest = set; rest.len;) {
        uint32_t r = utf8_next(&rest);
        if (r < 128) {
            c.ascii[r / 64] |= UINT64_C(1) << r % 64;
            continue;
        }
        if (!c.others)
            c.others = ARENA_ARRAY(a, uint32_t, set.len);
        c.others[c.n_others++] = r;
    }
    if (c.n_others)
        qsort(c.others, c.n_others, sizeof *c.others, by_rune);
    return c;
}

static bool in_set(uint32_t r, const struct cutset *c)
{
    if (r < 128)
        return c->ascii[r / 64] >> r % 64 & 1;
    return c->n_others && bsearch(&r, c->others, c->n_others, sizeof r, by_rune);
}

static bool is_space_rune(uint32_t c, const struct cutset *unused)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

enum trim_side { TRIM_LEFT = 1, TRIM_RIGHT = 2, TRIM_BOTH = 3 };

static struct str_view trim(struct str_view s, enum trim_side sides,
                            bool (*drop)(uint32_t c, const struct cutset *set),
                            const struct cutset *set)
{
    while ((sides & TRIM_LEFT) && s.len) {
        struct str_view after = s;
        if (!drop(utf8_next(&after), set))
            break;
        s = after;
    }
    while ((sides & TRIM_RIGHT) && s.len) {
        size_t at = s.len - 1;
        while (at && s.len - at < UTF8_MAX_BYTES && (s.p[at] & 0xc0) == 0x80)
            at--;
        struct str_view last = sv_from(s, at);
        uint32_t c = utf8_next(&last);
        if (last.len) { /* not one whole rune: an invalid last byte */
            c = UTF8_REPLACEMENT;
            at = s.len - 1;
        }
        if (!drop(c, set))
            break;
        s.len = at;
    }
    return s;
}

static int fn_trim_space(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_string(trim(args[0].s, TRIM_BOTH, is_space_rune, NULL));
    return 0;
}

static int fn_trim_all(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct cutset set = cutset_of(c->arena, args[0].s);
    *ret = tv_string(trim(args[1].s, TRIM_BOTH, in_set, &set));
    return 0;
}

static int fn_trim(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct cutset set = cutset_of(c->arena, args[1].s);
    *ret = tv_string(trim(args[0].s, TRIM_BOTH, in_set, &set));
    return 0;
}

static int fn_trim_left(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct cutset set = cutset_of(c->arena, args[1].s);
    *ret = tv_string(trim(args[0].s, TRIM_LEFT, in_set, &set));
    return 0;
}

static int fn_trim_right(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct cutset set = cutset_of(c->arena, args[1].s);
    *ret = tv_string(trim(args[0].s, TRIM_RIGHT, in_set, &set));
    return 0;
}

static struct tvalue without_prefix(struct str_view s, struct str_view prefix)
{
    return tv_string(sv_starts_with(s, prefix) ? sv_from(s, prefix.len) : s);
}

static struct tvalue without_suffix(struct str_view s, struct str_view suffix)
{
    return tv_string(sv_ends_with(s, suffix) ? sv_sub(s, 0, s.len - suffix.len) : s);
}

static int fn_trim_prefix(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = without_prefix(args[1].s, args[0].s);
    return 0;
}

static int fn_trim_suffix(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = without_suffix(args[1].s, args[0].s);
    return 0;
}

static int fn_legacy_trim_prefix(struct tcall *c, const struct tvalue *args, size_t n,
                                 struct tvalue *ret)
{
    *ret = without_prefix(args[0].s, args[1].s);
    return 0;
}

static int fn_legacy_trim_suffix(struct tcall *c, const struct tvalue *args, size_t n,
                                 struct tvalue *ret)
{
    *ret = without_suffix(args[0].s, args[1].s);
    return 0;
}

const struct tfunc TFUNC_TRIM[] = {
    {"trim", "s", false, fn_trim_space},
    {"TrimSpace", "s", false, fn_trim_space},
    {"trimAll", "ss", false, fn_trim_all},
    {"Trim", "ss", false, fn_trim},
    {"TrimLeft", "ss", false, fn_trim_left},
    {"TrimRight", "ss", false, fn_trim_right},
    {"trimPrefix", "ss", false, fn_trim_prefix},
    {"trimSuffix", "ss", false, fn_trim_suffix},
    {"TrimPrefix", "ss", false, fn_legacy_trim_prefix},
    {"TrimSuffix", "ss", false, fn_legacy_trim_suffix},
    {0},
};
