/* SPDX-License-Identifier: Apache-2.0 */
/* application/x-www-form-urlencoded, in a URL or a body.  A broken escape stays as it is. */
#include "base/ascii.h"
#include "http/request.h"

struct str_view params_decode(struct arena *arena, struct str_view text, bool plus_is_space)
{
    if (sv_find_byte(text, '%') == text.len &&
        (!plus_is_space || sv_find_byte(text, '+') == text.len))
        return text.len ? text : SV_EMPTY;
    char *to = arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '%' && text.len - i > 2) {
            int hi = ascii_hex_value(text.p[i + 1]), lo = ascii_hex_value(text.p[i + 2]);
            if (hi >= 0 && lo >= 0) {
                c = (char)(hi << 4 | lo);
                i += 2;
            }
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[n++] = c;
    }
    to[n] = '\0';
    return sv(to, n);
}

bool params_add(struct params *p, struct arena *arena, struct str_view form)
{
    while (form.len > 0) {
        size_t amp = sv_find_byte(form, '&');
        struct str_view piece = sv_sub(form, 0, amp);
        form = sv_from(form, amp + 1);
        if (piece.len == 0)
            continue;
        if (p->n == MAX_PARAMS)
            return false;
        size_t equals = sv_find_byte(piece, '=');
        p->v = arena_grow(arena, p->v, &p->cap, p->n + 1, sizeof *p->v);
        p->v[p->n++] = (struct http_param){
            .name = params_decode(arena, sv_sub(piece, 0, equals), true),
            .value = params_decode(arena, sv_from(piece, equals + 1), true),
        };
    }
    return true;
}

struct str_view http_param_get(const struct http_request *req, struct str_view name)
{
    for (size_t i = 0; i < req->n_params; i++)
        if (sv_eq(req->params[i].name, name))
            return req->params[i].value;
    return (struct str_view){NULL, 0};
}
