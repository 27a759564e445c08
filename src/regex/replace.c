/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, replacing and counting on top of regex_captures. */
#include <stdlib.h>

#include "base/ascii.h"
#include "regex/regex.h"
#include "regex/unicode.h"

/* Length of the name at v; 0 where it does not begin with one.  Go lets letters and digits of any
 * script stand in a name. */
static size_t name_len(struct str_view v)
{
    size_t at = 0;
    while (at < v.len) {
        uint32_t rune;
        unsigned width = rune_decode(v.p + at, v.len - at, &rune);
        if (!unicode_is_word(rune))
            break;
        at += width;
    }
    return at;
}

/* $name or ${name} at the start of v: the name and how long it all is; false for a malformed $. */
static bool read_reference(struct str_view v, struct str_view *ret_name, size_t *ret_len)
{
    bool braces = v.len > 1 && v.p[1] == '{';
    struct str_view rest = sv_from(v, braces ? 2 : 1);
    size_t n = name_len(rest);
    if (n == 0 || (braces && (n == rest.len || rest.p[n] != '}')))
        return false;
    *ret_name = sv_sub(rest, 0, n);
    *ret_len = 1 + n + (braces ? 2 : 0);
    return true;
}

static bool is_number(struct str_view name, size_t *ret)
{
    uint64_t n;
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_digit(name.p[i]))
            return false;
    if (name.len > 1 && name.p[0] == '0')
        return false;
    if (name.len > 9 || !sv_to_u64(name, &n) || n >= 100000000)
        return false;
    *ret = (size_t)n;
    return true;
}

static void put_group(struct buf *out, struct str_view text, const size_t *spans, size_t g)
{
    if (spans[2 * g] != SIZE_MAX)
        buf_put(out, sv_sub(text, spans[2 * g], spans[2 * g + 1] - spans[2 * g]));
}

/* Of several groups with one name the first that took part. */
static void put_named(struct buf *out, const struct regex *re, struct str_view name,
                      struct str_view text, const size_t *spans)
{
    for (size_t g = 0; g < regex_n_groups(re); g++) {
        if (sv_eq(regex_group_name(re, g), name) && spans[2 * g] != SIZE_MAX) {
            put_group(out, text, spans, g);
            return;
        }
    }
}

void regex_expand(struct buf *out, const struct regex *re, struct str_view tmpl,
                  struct str_view text, const size_t *spans)
{
    while (tmpl.len > 0) {
        size_t dollar = sv_find_byte(tmpl, '$');
        buf_put(out, sv_sub(tmpl, 0, dollar));
        tmpl = sv_from(tmpl, dollar);
        if (tmpl.len == 0)
            break;
        struct str_view name;
        size_t len, number;
        if (tmpl.len > 1 && tmpl.p[1] == '$') {
            buf_put_u8(out, '$');
            len = 2;
        } else if (!read_reference(tmpl, &name, &len)) {
            buf_put_u8(out, '$');
            len = 1;
        } else if (is_number(name, &number)) {
            if (number < regex_n_groups(re))
                put_group(out, text, spans, number);
        } else {
            put_named(out, re, name, text, spans);
        }
        tmpl = sv_from(tmpl, len);
    }
}

struct matches {
    const struct regex *re;
    struct regex_scratch *scratch;
    struct str_view text;
    size_t *spans, n_spans;
    size_t from;
    size_t last_end; /* of the match before, SIZE_MAX: none */
};

/* The next match that Go would count: an empty one right behind another does not. */
static bool next_match(struct matches *m)
{
    while (m->from <= m->text.len &&
           regex_captures(m->re, m->scratch, m->text, m->from, m->spans, m->n_spans)) {
        size_t start = m->spans[0], end = m->spans[1];
        bool touching = start == end && start == m->last_end;
        m->last_end = end;
        m->from = end;
        if (start == end) {
            uint32_t rune;
            unsigned width = rune_decode(m->text.p + end, m->text.len - end, &rune);
            m->from += width ? width : 1;
        }
        if (!touching)
            return true;
    }
    return false;
}

bool regex_replace_all(struct buf *out, const struct regex *re, struct regex_scratch *scratch,
                       struct str_view text, struct str_view tmpl, enum regex_replace_mode mode,
                       size_t max_len)
{
    size_t n_spans = 2 * regex_n_groups(re), copied = 0;
    size_t *spans = mem_alloc(n_spans * sizeof *spans);
    struct matches m = {re, scratch, text, spans, n_spans, 0, SIZE_MAX};
    bool ok = true;
    while (ok && next_match(&m)) {
        buf_put(out, sv_sub(text, copied, spans[0] - copied));
        if (mode == REGEX_REPLACE_LITERAL)
            buf_put(out, tmpl);
        else
            regex_expand(out, re, tmpl, text, spans);
        copied = spans[1];
        ok = out->len <= max_len;
    }
    free(spans);
    if (!ok || text.len - copied > max_len || out->len > max_len - (text.len - copied))
        return false;
    buf_put(out, sv_from(text, copied));
    return true;
}

size_t regex_count(const struct regex *re, struct regex_scratch *scratch, struct str_view text)
{
    size_t spans[2], n = 0;
    struct matches m = {re, scratch, text, spans, 2, 0, SIZE_MAX};
    while (next_match(&m))
        n++;
    return n;
}

void regex_quote_meta(struct buf *out, struct str_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] && strchr("\\.+*?()|[]{}^$", text.p[i]))
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)text.p[i]);
    }
}
