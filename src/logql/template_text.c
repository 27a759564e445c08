/* SPDX-License-Identifier: Apache-2.0 */
/* Text functions.  Bytes where Go counts bytes, runes where it counts runes. */
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <wctype.h>

#include "base/utf8.h"
#include "logql/template_func.h"
#include "regex/cache.h"

/* --- case: the C library's Unicode tables --- */

static locale_t utf8_locale;
static pthread_once_t locale_once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t change_case(uint32_t c, bool upper)
{
    if (c < 0x80)
        return upper ? (c >= 'a' && c <= 'z' ? c - 32 : c) : (c >= 'A' && c <= 'Z' ? c + 32 : c);
    pthread_once(&locale_once, make_locale);
    if (!utf8_locale)
        return c;
    return (uint32_t)(upper ? towupper_l((wint_t)c, utf8_locale)
                            : towlower_l((wint_t)c, utf8_locale));
}

static bool is_letter_or_digit(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    pthread_once(&locale_once, make_locale);
    return !utf8_locale || !iswspace_l((wint_t)c, utf8_locale);
}

/* Next rune; an invalid byte is U+FFFD of one byte. */
static uint32_t next_rune(struct str_view *s)
{
    uint32_t c = UTF8_REPLACEMENT;
    size_t n = utf8_decode(*s, &c);
    if (n == 0)
        c = UTF8_REPLACEMENT;
    *s = sv_from(*s, n ? n : 1);
    return c;
}

static int map_case(struct tcall *c, struct str_view s, bool upper, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    while (s.len)
        utf8_put(&text, change_case(next_rune(&s), upper));
    return tfunc_text_result(c, &text, ret);
}

static int fn_lower(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return map_case(c, args[0].s, false, ret);
}

static int fn_upper(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return map_case(c, args[0].s, true, ret);
}

static int fn_title(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    struct str_view s = args[0].s;
    for (bool starts = true; s.len;) {
        uint32_t r = next_rune(&s);
        utf8_put(&text, starts ? change_case(r, true) : r);
        starts = !is_letter_or_digit(r);
    }
    return tfunc_text_result(c, &text, ret);
}

/* --- trimming --- */

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
        uint32_t r = next_rune(&rest);
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
        if (!drop(next_rune(&after), set))
            break;
        s = after;
    }
    while ((sides & TRIM_RIGHT) && s.len) {
        size_t at = s.len - 1;
        while (at && s.len - at < UTF8_MAX_BYTES && (s.p[at] & 0xc0) == 0x80)
            at--;
        struct str_view last = sv_from(s, at);
        uint32_t c = next_rune(&last);
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

/* --- replacing, cutting, padding --- */

/* most < 0: all.  An empty `old` stands before every rune and at the end. */
static int replace(struct tcall *c, struct str_view s, struct str_view old, struct str_view new,
                   int64_t most, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    for (int64_t done = 0; most < 0 || done < most; done++) {
        size_t at = sv_find(s, old);
        if (at == SIZE_MAX)
            break;
        if (text.len + new.len > c->max_bytes) {
            buf_deinit(&text);
            return err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes",
                           c->max_bytes);
        }
        buf_put(&text, sv_sub(s, 0, at));
        buf_put(&text, new);
        s = sv_from(s, at + old.len);
        if (old.len == 0) {
            if (s.len == 0)
                break;
            struct str_view before = s;
            next_rune(&s);
            buf_put(&text, sv_sub(before, 0, before.len - s.len));
        }
    }
    buf_put(&text, s);
    return tfunc_text_result(c, &text, ret);
}

static int fn_replace(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return replace(c, args[2].s, args[0].s, args[1].s, -1, ret);
}

static int fn_legacy_replace(struct tcall *c, const struct tvalue *args, size_t n,
                             struct tvalue *ret)
{
    return replace(c, args[0].s, args[1].s, args[2].s, args[3].i, ret);
}

static int fn_trunc(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct str_view s = args[1].s;
    int64_t k = args[0].i;
    if (k >= 0)
        s = sv_sub(s, 0, (size_t)k);
    else if ((uint64_t) - (k + 1) + 1 < s.len)
        s = sv_from(s, s.len - (size_t)-k);
    *ret = tv_string(s);
    return 0;
}

static int fn_substr(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct str_view s = args[2].s;
    int64_t from = args[0].i, to = args[1].i, len = (int64_t)s.len;
    if (from < 0)
        from = 0;
    else if (to < 0 || to > len)
        to = len;
    if (to < 0 || to > len || from > to)
        return err_set(c->err, ERR_INVALID, "runtime error: slice bounds out of range [%lld:%lld]",
                       (long long)from, (long long)to);
    *ret = tv_string(sv_sub(s, (size_t)from, (size_t)(to - from)));
    return 0;
}

static int fn_repeat(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    uint64_t bytes;
    if (args[0].i < 0)
        return err_set(c->err, ERR_INVALID, "strings: negative Repeat count");
    if (__builtin_mul_overflow((uint64_t)args[0].i, (uint64_t)args[1].s.len, &bytes) ||
        bytes > c->max_bytes)
        return err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes", c->max_bytes);
    char *p = arena_alloc(c->arena, bytes + 1);
    for (uint64_t at = 0; args[1].s.len && at < bytes; at += args[1].s.len)
        memcpy(p + at, args[1].s.p, args[1].s.len);
    *ret = tv_string(sv(p, bytes));
    return 0;
}

static int indent(struct tcall *c, int64_t blanks, struct str_view s, bool newline,
                  struct tvalue *ret)
{
    if (blanks < 0)
        return err_set(c->err, ERR_INVALID, "strings: negative Repeat count");
    if ((uint64_t)blanks > c->max_bytes)
        return err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes", c->max_bytes);
    struct buf text = BUF_INIT;
    if (newline)
        buf_put_u8(&text, '\n');
    for (bool more = true; more && text.len <= c->max_bytes;) {
        size_t end = sv_find_byte(s, '\n');
        more = end < s.len;
        buf_fill(&text, ' ', (size_t)blanks);
        buf_put(&text, sv_sub(s, 0, end + more));
        s = sv_from(s, end + 1);
    }
    return tfunc_text_result(c, &text, ret);
}

static int fn_indent(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return indent(c, args[0].i, args[1].s, false, ret);
}

static int fn_nindent(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return indent(c, args[0].i, args[1].s, true, ret);
}

static size_t count_runes(struct str_view s)
{
    size_t n = 0;
    while (s.len) {
        next_rune(&s);
        n++;
    }
    return n;
}

/* A cut goes by runes: what is none becomes U+FFFD. */
static void put_runes(struct buf *out, struct str_view s)
{
    while (s.len) {
        uint32_t c = UTF8_REPLACEMENT;
        size_t n = utf8_decode(s, &c);
        utf8_put(out, c);
        s = sv_from(s, n ? n : 1);
    }
}

/* To `width` runes: padded with blanks, or cut; keep_head says which end stays. */
static int align(struct tcall *c, int64_t width, struct str_view s, bool keep_head,
                 struct tvalue *ret)
{
    size_t n = count_runes(s);
    if (width < 0 || (uint64_t)width == n) {
        *ret = tv_string(s);
        return 0;
    }
    if ((uint64_t)width > c->max_bytes)
        return err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes", c->max_bytes);
    struct buf text = BUF_INIT;
    if ((uint64_t)width < n) {
        struct str_view rest = s;
        for (size_t i = 0; i < (keep_head ? (size_t)width : n - (size_t)width); i++)
            next_rune(&rest);
        put_runes(&text, keep_head ? sv_sub(s, 0, s.len - rest.len) : rest);
        return tfunc_text_result(c, &text, ret);
    }
    size_t missing = (size_t)width - n;
    if (keep_head)
        buf_put(&text, s);
    buf_fill(&text, ' ', missing);
    if (!keep_head)
        buf_put(&text, s);
    return tfunc_text_result(c, &text, ret);
}

static int fn_align_left(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return align(c, args[0].i, args[1].s, true, ret);
}

static int fn_align_right(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    return align(c, args[0].i, args[1].s, false, ret);
}

/* --- tests --- */

static int fn_contains(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_bool(sv_find(args[1].s, args[0].s) != SIZE_MAX);
    return 0;
}

static int fn_has_prefix(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_bool(sv_starts_with(args[1].s, args[0].s));
    return 0;
}

static int fn_has_suffix(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    *ret = tv_bool(sv_ends_with(args[1].s, args[0].s));
    return 0;
}

/* --- regular expressions --- */

static int fn_count(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret)
{
    struct regex *re;
    int r = regex_cached(&re, args[0].s, REGEX_SEARCH, c->err);
    if (r < 0)
        return r;
    *ret = tv_int((int64_t)regex_count(re, c->scratch, args[1].s));
    regex_unref(re);
    return 0;
}

static int regex_replace(struct tcall *c, const struct tvalue *args, enum regex_replace_mode mode,
                         struct tvalue *ret)
{
    struct regex *re;
    int r = regex_cached(&re, args[0].s, REGEX_SEARCH, c->err);
    if (r < 0)
        return r;
    struct buf text = BUF_INIT;
    bool fits = regex_replace_all(&text, re, c->scratch, args[1].s, args[2].s, mode, c->max_bytes);
    regex_unref(re);
    if (!fits) {
        buf_deinit(&text);
        return err_set(c->err, ERR_OVER_BUDGET, "the text would exceed %zu bytes", c->max_bytes);
    }
    return tfunc_text_result(c, &text, ret);
}

static int fn_regex_replace_all(struct tcall *c, const struct tvalue *args, size_t n,
                                struct tvalue *ret)
{
    return regex_replace(c, args, REGEX_REPLACE_EXPAND, ret);
}

static int fn_regex_replace_literal(struct tcall *c, const struct tvalue *args, size_t n,
                                    struct tvalue *ret)
{
    return regex_replace(c, args, REGEX_REPLACE_LITERAL, ret);
}

const struct tfunc TFUNC_TEXT[] = {
    {"lower", "s", false, fn_lower},
    {"ToLower", "s", false, fn_lower},
    {"upper", "s", false, fn_upper},
    {"ToUpper", "s", false, fn_upper},
    {"title", "s", false, fn_title},
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
    {"replace", "sss", false, fn_replace},
    {"Replace", "sssi", false, fn_legacy_replace},
    {"trunc", "is", false, fn_trunc},
    {"substr", "iis", false, fn_substr},
    {"repeat", "is", false, fn_repeat},
    {"indent", "is", false, fn_indent},
    {"nindent", "is", false, fn_nindent},
    {"alignLeft", "is", false, fn_align_left},
    {"alignRight", "is", false, fn_align_right},
    {"contains", "ss", false, fn_contains},
    {"hasPrefix", "ss", false, fn_has_prefix},
    {"hasSuffix", "ss", false, fn_has_suffix},
    {"count", "ss", false, fn_count},
    {"regexReplaceAll", "sss", false, fn_regex_replace_all},
    {"regexReplaceAllLiteral", "sss", false, fn_regex_replace_literal},
    {0},
};
