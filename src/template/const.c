/* SPDX-License-Identifier: Apache-2.0 */
/* Literals of a template: numbers, characters and strings to values, with Go's escapes, base
 * prefixes and underscores.  The lexer found where they end; whether they are well-formed shows
 * here. */
#include "template/const.h"

#include "base/ascii.h"
#include "base/go_quote.h"
#include "base/utf8.h"
#include "base/values.h"
#include "template/func.h"

static bool unquote(struct arena *a, struct str_view body, char quote, struct str_view *ret)
{
    char *out = arena_alloc(a, body.len + 1);
    size_t n = 0;
    while (body.len) {
        if (body.p[0] != '\\') {
            out[n++] = body.p[0];
            body = sv_from(body, 1);
            continue;
        }
        size_t n_meant = 0, taken = go_unescape(sv_from(body, 1), quote, out + n, &n_meant);
        if (n_meant == 0)
            return false;
        body = sv_from(body, 1 + taken);
        n += n_meant;
    }
    *ret = sv(out, n);
    return true;
}

/* One underscore between digits, or between the base and a digit. */
static bool underscores_fit(struct str_view digits, bool prefixed)
{
    char before = prefixed ? '0' : '_';
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.p[i];
        if (c == '_' && before == '_')
            return false;
        before = c;
    }
    return before != '_';
}

bool tv_integer_of(struct str_view text, int64_t *ret)
{
    bool negative = text.len && text.p[0] == '-';
    struct str_view s =
        text.len && (text.p[0] == '-' || text.p[0] == '+') ? sv_from(text, 1) : text;
    unsigned base = 10;
    if (s.len > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = sv_from(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    uint64_t v = 0;
    if (s.len == 0 || !underscores_fit(s, base != 10))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '_')
            continue;
        int d = ascii_digit_value(s.p[i], base);
        if (d < 0 || v > (UINT64_MAX - (unsigned)d) / base)
            return false;
        v = v * base + (unsigned)d;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

int tconst_number(const struct ttoken *t, struct tvalue *ret, struct err *err)
{
    int64_t i;
    double f;
    if (tv_integer_of(t->text, &i)) {
        *ret = tv_int(i);
    } else if (number_parse(t->text, &f, NULL) == 0) {
        bool whole = true;
        for (size_t k = 0; k < t->text.len && whole; k++)
            whole = !strchr(".eEpP", t->text.p[k]);
        if (whole)
            return terr(err, t->line, "integer overflow: \"%.*s\"", SV_ARG(t->text));
        *ret = tv_float(f); /* 1e3 also goes where an int is wanted */
    } else {
        return terr(err, t->line, "illegal number syntax: \"%.*s\"", SV_ARG(t->text));
    }
    ret->literal = true;
    return 0;
}

int tconst_char(struct arena *a, const struct ttoken *t, struct tvalue *ret, struct err *err)
{
    struct str_view text;
    uint32_t c = 0;
    bool ok = unquote(a, sv_sub(t->text, 1, t->text.len - 2), '\'', &text) && text.len;
    size_t n = ok ? utf8_decode(text, &c) : 0;
    if (ok && n == 0) { /* one byte, written as an escape */
        c = (unsigned char)text.p[0];
        n = 1;
    }
    if (!ok)
        return terr(err, t->line, "invalid syntax");
    if (n != text.len)
        return terr(err, t->line, "malformed character constant: %.*s", SV_ARG(t->text));
    *ret = tv_int(c);
    ret->literal = true;
    return 0;
}

int tconst_string(struct arena *a, const struct ttoken *t, struct tvalue *ret, struct err *err)
{
    struct str_view body = sv_sub(t->text, 1, t->text.len - 2), text = body;
    if (t->kind == TT_STRING && !unquote(a, body, '"', &text))
        return terr(err, t->line, "invalid syntax");
    *ret = tv_string(text);
    return 0;
}
