/* SPDX-License-Identifier: Apache-2.0 */
#include "logql/lex_string.h"

#include "base/go_quote.h"

const char *string_literal_scan(struct str_view text, size_t *ret_len)
{
    char quote = text.p[0];
    const char *fault = NULL;
    size_t i = 1;
    while (i < text.len && text.p[i] != quote) {
        if (quote == '"' && text.p[i] == '\n')
            break;
        if (quote == '"' && text.p[i] == '\\') {
            char meant[GO_ESCAPE_BYTES];
            size_t n_meant, n = go_unescape(sv_from(text, i + 1), '"', meant, &n_meant);
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
            size_t n_meant = 0, n = go_unescape(sv_from(body, i + 1), '"', out, &n_meant);
            if (n_meant == 0)
                return false;
            out += n_meant;
            i += n;
        } else {
            *out++ = c;
        }
    }
    *ret = sv(start, (size_t)(out - start));
    return true;
}
