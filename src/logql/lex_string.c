/* SPDX-License-Identifier: Apache-2.0 */
#include "logql/lex_string.h"

#include "regex/unicode.h"

static const char ESCAPES[] = "abfnrtv\\\"";
static const char ESCAPED[] = "\a\b\f\n\r\t\v\\\"";

static int digit(char c, unsigned base)
{
    int v = c >= '0' && c <= '9'                     ? c - '0'
            : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                     : 99;
    return v < (int)base ? v : -1;
}

/* How many digits of which base follow the backslash and `skip` more bytes; 0 for none. */
static unsigned numeric_escape(char c, unsigned *ret_base, unsigned *ret_skip)
{
    *ret_base = 16;
    *ret_skip = 1;
    switch (c) {
    case 'x':
        return 2;
    case 'u':
        return 4;
    case 'U':
        return 8;
    default:
        *ret_base = 8;
        *ret_skip = 0;
        return c >= '0' && c <= '7' ? 3 : 0;
    }
}

/* Bytes of the escape that `text` starts with (after the backslash), and the number it names;
 * 0 when it is malformed. */
static size_t escape_scan(struct str_view text, uint32_t *ret_code)
{
    if (text.len == 0)
        return 0;
    unsigned base, skip;
    unsigned n = numeric_escape(text.p[0], &base, &skip);
    if (n == 0)
        return text.p[0] && strchr(ESCAPES, text.p[0]) ? 1 : 0;
    uint32_t code = 0;
    for (unsigned i = skip; i < skip + n; i++) {
        int d = i < text.len ? digit(text.p[i], base) : -1;
        if (d < 0)
            return 0;
        code = code * base + (uint32_t)d;
    }
    *ret_code = code;
    return skip + n;
}

const char *string_literal_scan(struct str_view text, size_t *ret_len)
{
    char quote = text.p[0];
    const char *fault = NULL;
    size_t i = 1;
    while (i < text.len && text.p[i] != quote) {
        if (quote == '"' && text.p[i] == '\n')
            break;
        if (quote == '"' && text.p[i] == '\\') {
            uint32_t code;
            size_t n = escape_scan(sv_from(text, i + 1), &code);
            if (n == 0 && i + 1 < text.len && text.p[i + 1] != '\n' && !fault)
                fault = "invalid char escape";
            i += n;
        }
        i++;
    }
    bool closed = i < text.len && text.p[i] == quote;
    *ret_len = closed ? i + 1 : i;
    return fault ? fault : closed ? NULL : "literal not terminated";
}

/* \x and octal name bytes, \u and \U characters. */
static bool put_escape(char **out, struct str_view text, size_t n, uint32_t code)
{
    if (n == 1) {
        *(*out)++ = ESCAPED[strchr(ESCAPES, text.p[0]) - ESCAPES];
        return true;
    }
    if (text.p[0] != 'u' && text.p[0] != 'U') {
        *(*out)++ = (char)code;
        return code <= 0xff;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return false;
    *out += rune_encode(code, *out);
    return true;
}

bool string_literal_value(struct arena *a, struct str_view literal, struct str_view *ret)
{
    struct str_view body = sv_sub(literal, 1, literal.len - 2);
    *ret = body;
    if (literal.p[0] == '`') {
        /* As in Go, a carriage return is no part of a raw string. */
        if (sv_find_byte(body, '\r') == body.len)
            return true;
    } else if (sv_find_byte(body, '\\') == body.len) {
        return true;
    }
    char *start = arena_alloc(a, body.len), *out = start;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.p[i];
        if (literal.p[0] == '`' ? c == '\r' : c == '\\') {
            if (c == '\r')
                continue;
            uint32_t code = 0;
            struct str_view escape = sv_from(body, i + 1);
            size_t n = escape_scan(escape, &code);
            if (!put_escape(&out, escape, n, code))
                return false;
            i += n;
        } else {
            *out++ = c;
        }
    }
    *ret = sv(start, (size_t)(out - start));
    return true;
}
