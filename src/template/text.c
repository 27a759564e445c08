/* SPDX-License-Identifier: Apache-2.0 */
/* Text functions.  Bytes where Go counts bytes, runes where it counts runes. */
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "regex/cache.h"
#include "template/func.h"

/* ---- case: the C library's Unicode tables ---- */

static locale_t utf8_locale;
static pthread_once_t locale_once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t change_case(uint32_t c, bool upper)
{
    if (c < 0x80)
        return (uint32_t)(upper ? ascii_upper((int)c) : ascii_lower((int)c));
    pthread_once(&locale_once, make_locale);
    if (!utf8_locale)
        return c;
    return (uint32_t)(upper ? towupper_l((wint_t)c, utf8_locale)
                            : towlower_l((wint_t)c, utf8_locale));
}

static bool is_letter_or_digit(uint32_t c)
{
    if (c < 0x80)
        return ascii_is_word(c);
    pthread_once(&locale_once, make_locale);
    return !utf8_locale || !iswspace_l((wint_t)c, utf8_locale);
}

static int map_case(struct tcall *c, struct str_view s, bool upper, struct tvalue *ret)
{
    struct buf text = BUF_INIT;
    while (s.len)
        utf8_put(&text, change_case(utf8_next(&s), upper));
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
        uint32_t r = utf8_next(&s);
        utf8_put(&text, starts ? change_case(r, true) : r);
        starts = !is_letter_or_digit(r);
    }
    return tfunc_text_result(c, &text, ret);
}

/* ---- replacing, cutting, padding ---- */

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
            utf8_next(&s);
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
        utf8_next(&s);
        n++;
    }
    return n;
}

/* A cut goes by runes: what is none becomes U+FFFD. */
static void put_runes(struct buf *out, struct str_view s)
{
    while (s.len)
        utf8_put(out, utf8_next(&s));
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
            utf8_next(&rest);
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

/* ---- tests ---- */

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

/* ---- regular expressions ---- */

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
