/* SPDX-License-Identifier: Apache-2.0 */
/* fromJson: one JSON text to values.  Depth is bounded; the work is linear in the text but for the
 * sorting of an object's keys. */
#include <stdio.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "template/value.h"

enum { MAX_DEPTH = 64 };

struct json {
    struct arena *arena;
    struct str_view s;
    unsigned depth;
};

static bool parse_value(struct json *j, struct tvalue *ret);

static void skip_blanks(struct json *j)
{
    while (j->s.len && strchr(" \t\r\n", j->s.p[0]) && j->s.p[0])
        j->s = sv_from(j->s, 1);
}

static bool take(struct json *j, char c)
{
    skip_blanks(j);
    if (!j->s.len || j->s.p[0] != c)
        return false;
    j->s = sv_from(j->s, 1);
    return true;
}

static bool take_word(struct json *j, struct str_view word)
{
    if (!sv_starts_with(j->s, word))
        return false;
    j->s = sv_from(j->s, word.len);
    return true;
}

/* Up to the quote that ends it, or to the end. */
static size_t raw_string_len(struct str_view s)
{
    size_t n = 0;
    while (n < s.len && s.p[n] != '"')
        n += s.p[n] == '\\' ? 2 : 1;
    return n < s.len ? n : s.len;
}

static bool parse_string(struct json *j, struct str_view *ret)
{
    if (!take(j, '"'))
        return false;
    /* An escape is never shorter than its text. */
    char *out = arena_alloc(j->arena, raw_string_len(j->s) + 4);
    size_t n = 0;
    while (j->s.len && j->s.p[0] != '"') {
        unsigned char c = (unsigned char)j->s.p[0];
        if (c < 0x20)
            return false;
        j->s = sv_from(j->s, 1);
        if (c != '\\') {
            out[n++] = (char)c;
            continue;
        }
        static const char NAMES[] = "\"\\/bfnrt", VALUES[] = "\"\\/\b\f\n\r\t";
        if (!j->s.len || !j->s.p[0])
            return false;
        const char *hit = strchr(NAMES, j->s.p[0]);
        bool unicode = j->s.p[0] == 'u';
        j->s = sv_from(j->s, 1);
        uint32_t rune;
        size_t taken = unicode ? utf8_json_escape(j->s, &rune) : 0;
        if (hit)
            out[n++] = VALUES[hit - NAMES];
        else if (taken > 0)
            n += utf8_encode(rune, out + n);
        else
            return false;
        j->s = sv_from(j->s, taken);
    }
    *ret = sv(out, n);
    return take(j, '"');
}

static bool parse_number(struct json *j, struct tvalue *ret)
{
    size_t n = 0;
    while (n < j->s.len && j->s.p[n] && strchr("+-0123456789.eE", j->s.p[n]))
        n++;
    char copy[400], *end;
    size_t first = n && j->s.p[0] == '-';
    bool leading_zero = n > first + 1 && j->s.p[first] == '0' && ascii_is_digit(j->s.p[first + 1]);
    if (n <= first || n >= sizeof copy || leading_zero || !ascii_is_digit(j->s.p[first]))
        return false;
    memcpy(copy, j->s.p, n);
    copy[n] = '\0';
    *ret = tv_float(strtod(copy, &end));
    j->s = sv_from(j->s, n);
    return *end == '\0' && end[-1] != '.';
}

static bool parse_list(struct json *j, struct tvalue *ret)
{
    struct tvalue *items = NULL;
    size_t n = 0, cap = 0;
    bool ok = true, more = !take(j, ']');
    while (ok && more) {
        items = mem_grow(items, &cap, n + 1, sizeof *items);
        ok = parse_value(j, &items[n++]);
        if (ok && !take(j, ',')) {
            ok = take(j, ']');
            more = false;
        }
    }
    struct tvalue *kept = arena_alloc(j->arena, n * sizeof *kept);
    if (n)
        memcpy(kept, items, n * sizeof *kept);
    free(items);
    *ret = (struct tvalue){.kind = TK_LIST, .list = {kept, n}};
    return ok;
}

struct ordered {
    struct tpair pair;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int c = sv_cmp(x->pair.key, y->pair.key);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Sorted by key; of repeated keys the last one stays. */
static struct tvalue map_of(struct arena *a, struct ordered *v, size_t n)
{
    qsort(v, n, sizeof *v, by_key);
    struct tpair *pairs = arena_alloc(a, n * sizeof *pairs);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || !sv_eq(v[i].pair.key, v[i + 1].pair.key))
            pairs[kept++] = v[i].pair;
    return (struct tvalue){.kind = TK_MAP, .map = {pairs, kept}};
}

static bool parse_object(struct json *j, struct tvalue *ret)
{
    struct ordered *items = NULL;
    size_t n = 0, cap = 0;
    bool ok = true, more = !take(j, '}');
    while (ok && more) {
        items = mem_grow(items, &cap, n + 1, sizeof *items);
        struct ordered *item = &items[n];
        item->at = n++;
        ok = parse_string(j, &item->pair.key) && take(j, ':') && parse_value(j, &item->pair.value);
        if (ok && !take(j, ',')) {
            ok = take(j, '}');
            more = false;
        }
    }
    if (ok)
        *ret = n ? map_of(j->arena, items, n) : (struct tvalue){.kind = TK_MAP};
    free(items);
    return ok;
}

static bool parse_value(struct json *j, struct tvalue *ret)
{
    skip_blanks(j);
    if (!j->s.len || j->depth >= MAX_DEPTH)
        return false;
    bool ok;
    j->depth++;
    switch (j->s.p[0]) {
    case '{':
        j->s = sv_from(j->s, 1);
        ok = parse_object(j, ret);
        break;
    case '[':
        j->s = sv_from(j->s, 1);
        ok = parse_list(j, ret);
        break;
    case '"': {
        struct str_view s = SV_EMPTY;
        ok = parse_string(j, &s);
        *ret = tv_string(s);
        break;
    }
    case 't':
        *ret = tv_bool(true);
        ok = take_word(j, SV("true"));
        break;
    case 'f':
        *ret = tv_bool(false);
        ok = take_word(j, SV("false"));
        break;
    case 'n':
        *ret = TV_NIL;
        ok = take_word(j, SV("null"));
        break;
    default:
        ok = parse_number(j, ret);
    }
    j->depth--;
    return ok;
}

bool tv_from_json(struct arena *a, struct str_view text, struct tvalue *ret)
{
    struct json j = {.arena = a, .s = text};
    if (!parse_value(&j, ret))
        return false;
    skip_blanks(&j);
    return j.s.len == 0;
}
