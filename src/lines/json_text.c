/* SPDX-License-Identifier: Apache-2.0 */
#include "lines/json_text.h"

#include "base/utf8.h"
#include "lines/byte_scan.h"
#include "lines/label_key.h"

#define FAULT(text)                                                                                \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
const struct str_view JSON_FAULT_OBJECT =
    FAULT("Value looks like object, but can't find closing '}' symbol");
const struct str_view JSON_FAULT_ARRAY = FAULT("Value is array, but can't find closing ']' symbol");
const struct str_view JSON_FAULT_STRING =
    FAULT("Value is string, but can't find closing '\"' symbol");
const struct str_view JSON_FAULT_VALUE =
    FAULT("Value looks like Number/Boolean/None, but can't find its end: ',' or '}' symbol");
const struct str_view JSON_FAULT_UNKNOWN = FAULT("Unknown value type");
const struct str_view JSON_FAULT_ESCAPE =
    FAULT("Encountered an invalid escape sequence in a string");
const struct str_view JSON_FAULT_JSON = FAULT("Malformed JSON error");

static bool fail(struct json_cursor *c, struct str_view fault)
{
    c->fault = fault;
    return false;
}

/* Offset behind the bracket that closes the one at `from`, or SIZE_MAX.  Strings are skipped, the
 * other kind of bracket is not looked at. */
static size_t container_end(struct str_view text, size_t from, char open, char close)
{
    size_t depth = 0;
    unsigned seen;
    for (size_t at = from; at < text.len; at++) {
        at = scan_to_quote_or(text, at, open, close);
        if (at == text.len)
            break;
        char ch = text.p[at];
        if (ch == '"') {
            at = scan_string_end(text, at + 1, &seen);
            if (at == SIZE_MAX)
                break;
        } else if (ch == open) {
            depth++;
        } else if (--depth == 0) {
            return at + 1;
        }
    }
    return SIZE_MAX;
}

bool json_take_name(struct json_cursor *c, struct str_view *ret, bool *ret_plain)
{
    unsigned seen;
    size_t from = c->at + 1, end = scan_string_end(c->text, from, &seen);
    if (end == SIZE_MAX)
        return fail(c, JSON_FAULT_STRING);
    *ret = (struct str_view){c->text.p + from, end - from};
    *ret_plain = seen == 0;
    c->at = end + 1;
    if (json_peek(c) != ':')
        return fail(c, JSON_FAULT_JSON);
    c->at++;
    return true;
}

static bool ends_scalar(char ch)
{
    return ch == ',' || ch == '}' || ch == ']' || json_is_blank(ch);
}

/* Whether the scalar is this word. */
static inline bool is_word(struct str_view rest, const char *word, size_t n)
{
    return rest.len > n && memcmp(rest.p, word, n) == 0 && ends_scalar(rest.p[n]);
}

static bool take_scalar(struct json_cursor *c, struct json_value *ret)
{
    struct str_view rest = sv_from(c->text, c->at);
    size_t n = 0;
    if (is_word(rest, "true", 4) || is_word(rest, "null", 4))
        n = 4;
    else if (is_word(rest, "false", 5))
        n = 5;
    else
        while (n < rest.len && !ends_scalar(rest.p[n]))
            n++;
    struct str_view word = sv_sub(rest, 0, n);
    if (n == 0)
        return fail(c, JSON_FAULT_VALUE);
    char first = word.p[0];
    if (first == '-' || ascii_is_digit(first))
        ret->kind = JSON_NUMBER;
    else if (sv_eq(word, SV("true")) || sv_eq(word, SV("false")))
        ret->kind = JSON_BOOL;
    else if (sv_eq(word, SV("null")))
        ret->kind = JSON_NULL;
    else
        return fail(c, JSON_FAULT_UNKNOWN);
    ret->text = word;
    c->at += n;
    return true;
}

static bool take_string(struct json_cursor *c, struct json_value *ret)
{
    unsigned seen;
    size_t from = c->at + 1, end = scan_string_end(c->text, from, &seen);
    if (end == SIZE_MAX)
        return fail(c, JSON_FAULT_STRING);
    ret->kind = JSON_STRING;
    ret->plain = seen == 0;
    ret->text = (struct str_view){c->text.p + from, end - from};
    c->at = end + 1;
    return true;
}

bool json_take_value(struct json_cursor *c, struct json_value *ret)
{
    char first = json_peek(c);
    size_t from = c->at;
    if (c->at == c->text.len)
        return fail(c, JSON_FAULT_JSON);
    if (first == '"')
        return take_string(c, ret);
    if (first != '{' && first != '[')
        return take_scalar(c, ret);
    bool object = first == '{';
    size_t end = container_end(c->text, from, first, object ? '}' : ']');
    if (end == SIZE_MAX)
        return fail(c, object ? JSON_FAULT_OBJECT : JSON_FAULT_ARRAY);
    ret->kind = object ? JSON_OBJECT : JSON_ARRAY;
    ret->text = sv_sub(c->text, from, end - from);
    c->at = end;
    return true;
}

bool json_object_ends(struct str_view text, size_t from)
{
    return container_end(text, from, '{', '}') != SIZE_MAX;
}

bool json_more(struct json_cursor *c, char closing)
{
    struct str_view broken = closing == '}' ? JSON_FAULT_OBJECT : JSON_FAULT_ARRAY;
    char next = json_peek(c);
    if (c->at == c->text.len)
        return fail(c, JSON_FAULT_ARRAY);
    if (next != closing && next != ',')
        return fail(c, broken);
    c->at++;
    if (next == closing)
        return false;
    json_peek(c);
    return c->at < c->text.len ? true : fail(c, JSON_FAULT_ARRAY);
}

/* A lone half of a pair is malformed too.  `text` starts at the u; 0: malformed. */
static size_t take_unicode(struct str_view text, uint32_t *ret)
{
    size_t n = utf8_json_escape(sv_from(text, 1), ret);
    return n == 0 || (*ret >= 0xd800 && *ret < 0xe000) ? 0 : n + 1;
}

bool json_unescape(struct arena *a, struct str_view text, struct str_view *ret)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANING[] = "\"\\/\b\f\n\r\t";
    size_t at = sv_find_byte(text, '\\');
    *ret = text;
    if (at == text.len)
        return true;
    char *start = arena_alloc(a, text.len), *out = start + at;
    memcpy(start, text.p, at);
    while (at < text.len) {
        if (text.p[at] != '\\') {
            *out++ = text.p[at++];
            continue;
        }
        struct str_view escape = sv_from(text, at + 1);
        const char *hit = escape.len && escape.p[0] ? strchr(NAMES, escape.p[0]) : NULL;
        if (hit) {
            *out++ = MEANING[hit - NAMES];
            at += 2;
            continue;
        }
        uint32_t rune;
        size_t n = escape.len && escape.p[0] == 'u' ? take_unicode(escape, &rune) : 0;
        if (n == 0)
            return false;
        out += utf8_encode(rune, out);
        at += 1 + n;
    }
    *ret = sv(start, (size_t)(out - start));
    return true;
}

struct str_view json_string_value(struct arena *a, struct str_view text)
{
    struct str_view value;
    return json_unescape(a, text, &value) ? label_value_clean(a, value) : SV_EMPTY;
}
