/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/classparse.h"

#include "base/ascii.h"
#include "base/bytes.h"

static const char BAD_RANGE[] = "invalid character class range";

int parse_fail(struct parse_in *in, const char *what, struct str_view where)
{
    return err_set(in->err, ERR_INVALID, "error parsing regexp: %s: `%.*s`", what, SV_ARG(where));
}

int parse_rune(struct parse_in *in, uint32_t *ret)
{
    struct str_view rest = sv_from(in->pattern, in->at);
    unsigned width = rune_decode(rest.p, rest.len, ret);
    if (*ret == RUNE_BAD && width == 1)
        return parse_fail(in, "invalid UTF-8", rest);
    in->at += width;
    return 0;
}

int parse_check_utf8(struct parse_in *in, struct str_view text)
{
    struct parse_in part = {text, 0, in->err};
    uint32_t rune;
    int r = 0;
    while (part.at < text.len && r == 0)
        r = parse_rune(&part, &rune);
    return r;
}

/* After \x.  *ret_ok stays false for a malformed number; in->at then stands where Go's would. */
static int read_hex(struct parse_in *in, uint32_t *ret, bool *ret_ok)
{
    size_t len = in->pattern.len;
    uint32_t c;
    if (in->at == len)
        return 0;
    int r = parse_rune(in, &c);
    if (r < 0)
        return r;
    if (c != '{') {
        int hi = ascii_hex_value(c);
        c = 0;
        if (in->at < len && (r = parse_rune(in, &c)) < 0)
            return r;
        int lo = ascii_hex_value(c);
        *ret_ok = hi >= 0 && lo >= 0;
        *ret = *ret_ok ? (uint32_t)(hi * 16 + lo) : 0;
        return 0;
    }
    uint32_t value = 0;
    for (size_t n = 0; in->at < len; n++) {
        r = parse_rune(in, &c);
        if (r < 0)
            return r;
        if (c == '}') {
            *ret = value;
            *ret_ok = n > 0;
            return 0;
        }
        int digit = ascii_hex_value(c);
        if (digit < 0)
            return 0;
        value = value * 16 + (uint32_t)digit;
        if (value > RUNE_MAX)
            return 0;
    }
    return 0;
}

static bool is_octal(const struct parse_in *in)
{
    return in->at < in->pattern.len && ascii_is_octal(in->pattern.p[in->at]);
}

static bool read_octal(struct parse_in *in, uint32_t first, uint32_t *ret)
{
    if (first != '0' && !is_octal(in))
        return false; /* a back reference, which there is none of */
    uint32_t value = first - '0';
    for (int i = 1; i < 3 && is_octal(in); i++)
        value = value * 8 + (uint32_t)(in->pattern.p[in->at++] - '0');
    *ret = value;
    return true;
}

int parse_escape(struct parse_in *in, uint32_t *ret)
{
    size_t start = in->at++;
    if (in->at == in->pattern.len)
        return parse_fail(in, "trailing backslash at end of expression", SV_EMPTY);
    uint32_t c;
    bool ok = false;
    int r = parse_rune(in, &c);
    if (r < 0)
        return r;
    static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
    const char *hit = c < 0x80 && c > 0 ? strchr(letters, (int)c) : NULL;
    if (ascii_is_octal(c)) {
        ok = read_octal(in, c, ret);
    } else if (c == 'x') {
        r = read_hex(in, ret, &ok);
    } else if (hit) {
        *ret = (uint32_t)values[hit - letters];
        ok = true;
    } else if (c < 0x80 && !ascii_is_alnum(c)) {
        *ret = c;
        ok = true;
    }
    if (r == 0 && !ok)
        r = parse_fail(in, "invalid escape sequence", parse_text(in, start, in->at));
    return r;
}

/* \d and friends; a negated one leaves out what folding adds, as Go's does. */
static const struct rune_set *perl_class(struct parse_in *in, struct set_pool *pool, bool fold)
{
    char c = in->at + 1 < in->pattern.len ? in->pattern.p[in->at + 1] : '\0';
    bool negated = c == 'D' || c == 'S' || c == 'W';
    size_t n;
    const struct rune_range *r = class_of_escape(negated ? (char)(c | 0x20) : c, &n);
    if (!r)
        return NULL;
    in->at += 2;
    CLEANUP(set_builder_deinit) struct set_builder b = {0};
    for (size_t i = 0; i < n; i++)
        (fold ? set_builder_add_fold : set_builder_add)(&b, r[i].lo, r[i].hi);
    return set_pool_intern(pool, &b, negated);
}

static int unicode_class(struct parse_in *in, struct set_pool *pool, bool fold,
                         const struct rune_set **ret)
{
    size_t start = in->at;
    bool negated = in->pattern.p[start + 1] == 'P';
    uint32_t c = 0;
    in->at += 2;
    struct str_view rest = sv_from(in->pattern, in->at);
    if (rest.len == 0)
        return parse_fail(in, BAD_RANGE, sv_from(in->pattern, start));
    int r = parse_rune(in, &c);
    if (r < 0)
        return r;
    struct str_view name = parse_text(in, start + 2, in->at);
    if (c == '{') {
        size_t end = sv_find_byte(rest, '}');
        r = parse_check_utf8(in, sv_sub(rest, 0, end));
        if (r < 0)
            return r;
        if (end == rest.len)
            return parse_fail(in, BAD_RANGE, sv_from(in->pattern, start));
        in->at = start + 2 + end + 1;
        name = sv_sub(rest, 1, end - 1);
    }
    if (sv_starts_with(name, SV("^"))) {
        negated = !negated;
        name = sv_from(name, 1);
    }
    CLEANUP(set_builder_deinit) struct set_builder b = {0};
    const struct unicode_table *table = unicode_find(name);
    if (table) {
        const struct rune_set *set = set_pool_table(pool, table, fold);
        if (!negated) {
            *ret = set;
            return 0;
        }
        set_builder_add_ranges(&b, set->r, set->n);
    } else if (sv_eq(name, SV("Any"))) {
        set_builder_add(&b, 0, RUNE_MAX);
    } else {
        return parse_fail(in, BAD_RANGE, parse_text(in, start, in->at));
    }
    *ret = set_pool_intern(pool, &b, negated);
    return 0;
}

int parse_class_escape(struct parse_in *in, struct set_pool *pool, bool fold,
                       const struct rune_set **ret)
{
    if (!parse_peek(in, '\\') || in->at + 1 >= in->pattern.len)
        return 0;
    char c = in->pattern.p[in->at + 1];
    if (c == 'p' || c == 'P')
        return unicode_class(in, pool, fold, ret);
    *ret = perl_class(in, pool, fold);
    return 0;
}

/* [:alpha:] inside a class; *ret stays NULL where there is none. */
static int posix_class(struct parse_in *in, struct set_pool *pool, bool fold,
                       const struct rune_set **ret)
{
    struct str_view rest = sv_from(in->pattern, in->at);
    if (rest.len <= 2 || !sv_starts_with(rest, SV("[:")))
        return 0;
    size_t end = sv_find(sv_from(rest, 2), SV(":]"));
    if (end == SIZE_MAX)
        return 0;
    struct str_view name = sv_sub(rest, 2, end);
    bool negated = sv_starts_with(name, SV("^"));
    size_t n;
    const struct rune_range *r = class_of_posix(sv_from(name, negated), &n);
    if (!r)
        return parse_fail(in, BAD_RANGE, sv_sub(rest, 0, end + 4));
    in->at += end + 4;
    CLEANUP(set_builder_deinit) struct set_builder b = {0};
    for (size_t i = 0; i < n; i++)
        (fold ? set_builder_add_fold : set_builder_add)(&b, r[i].lo, r[i].hi);
    *ret = set_pool_intern(pool, &b, negated);
    return 0;
}

static int class_char(struct parse_in *in, size_t class_at, uint32_t *ret)
{
    if (in->at >= in->pattern.len)
        return parse_fail(in, "missing closing ]", sv_from(in->pattern, class_at));
    return parse_peek(in, '\\') ? parse_escape(in, ret) : parse_rune(in, ret);
}

/* a or a-z */
static int class_range(struct parse_in *in, size_t class_at, struct set_pool *pool, bool fold,
                       struct set_builder *b)
{
    size_t start = in->at;
    uint32_t lo, hi;
    int r = class_char(in, class_at, &lo);
    if (r < 0)
        return r;
    hi = lo;
    struct str_view rest = sv_from(in->pattern, in->at);
    if (rest.len >= 2 && rest.p[0] == '-' && rest.p[1] != ']') {
        in->at++;
        r = class_char(in, class_at, &hi);
        if (r < 0)
            return r;
        if (hi < lo)
            return parse_fail(in, BAD_RANGE, parse_text(in, start, in->at));
    }
    if (fold && hi - lo > 0xff)
        pool->work += n_unicode_folds;
    (fold ? set_builder_add_fold : set_builder_add)(b, lo, hi);
    return 0;
}

int parse_class(struct parse_in *in, struct set_pool *pool, bool fold, const struct rune_set **ret)
{
    size_t start = in->at++;
    bool negated = parse_peek(in, '^');
    in->at += negated;
    CLEANUP(set_builder_deinit) struct set_builder b = {0};
    for (bool first = true; first || !parse_peek(in, ']'); first = false) {
        const struct rune_set *part = NULL;
        int r = posix_class(in, pool, fold, &part);
        if (r == 0 && !part)
            r = parse_class_escape(in, pool, fold, &part);
        if (r == 0 && part)
            set_builder_add_ranges(&b, part->r, part->n);
        else if (r == 0)
            r = class_range(in, start, pool, fold, &b);
        pool->work += part ? part->n : 1;
        if (r == 0 && pool->work > PARSE_MAX_SET_WORK)
            r = parse_fail(in, "expression too large", in->pattern);
        if (r < 0)
            return r;
    }
    in->at++;
    *ret = set_pool_intern(pool, &b, negated);
    return 0;
}
