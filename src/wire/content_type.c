/* SPDX-License-Identifier: Apache-2.0 */
/* Which decoder a body wants, from its headers.  The media type is read as RFC 2045 has it. */
#include "wire/push.h"

static bool is_token_char(char c)
{
    return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct str_view trim_left(struct str_view s)
{
    while (s.len > 0 && strchr(" \t\r\n\v\f", s.p[0]) && s.p[0])
        s = sv_from(s, 1);
    return s;
}

static struct str_view take_token(struct str_view *s)
{
    size_t n = 0;
    while (n < s->len && is_token_char(s->p[n]))
        n++;
    struct str_view token = sv_sub(*s, 0, n);
    *s = sv_from(*s, n);
    return token;
}

/* A token or a quoted text. */
static bool take_value(struct str_view *s)
{
    if (s->len == 0 || s->p[0] != '"')
        return take_token(s).len > 0;
    for (size_t i = 1; i < s->len; i++) {
        if (s->p[i] == '\r' || s->p[i] == '\n')
            return false;
        if (s->p[i] == '\\')
            i++;
        else if (s->p[i] == '"') {
            *s = sv_from(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* "; name=value" once. */
static bool take_parameter(struct str_view *s, struct str_view *ret_name)
{
    *s = trim_left(*s);
    if (s->len == 0 || s->p[0] != ';')
        return false;
    *s = trim_left(sv_from(*s, 1));
    *ret_name = take_token(s);
    *s = trim_left(*s);
    if (ret_name->len == 0 || s->len == 0 || s->p[0] != '=')
        return false;
    *s = trim_left(sv_from(*s, 1));
    return take_value(s);
}

static int check_parameters(struct str_view rest, struct err *err)
{
    enum { MANY = 16 };
    struct str_view names[MANY];
    size_t n = 0;
    for (;;) {
        rest = trim_left(rest);
        if (rest.len == 0 || sv_eq(sv_trim(rest), SV(";")))
            return 0;
        struct str_view name;
        if (n == MANY || !take_parameter(&rest, &name))
            return err_set(err, ERR_INVALID, "mime: invalid media parameter");
        for (size_t i = 0; i < n; i++)
            if (sv_eq_nocase(names[i], name))
                return err_set(err, ERR_INVALID, "mime: duplicate parameter name");
        names[n++] = name;
    }
}

static int parse_media_type(struct str_view text, bool *ret_json, struct err *err)
{
    struct str_view base = sv_sub(text, 0, sv_find_byte(text, ';'));
    struct str_view rest = trim_left(base);
    if (sv_trim(base).len == 0)
        return err_set(err, ERR_INVALID, "mime: no media type");
    struct str_view type = take_token(&rest);
    if (rest.len > 0 && rest.p[0] == '/' && type.len > 0) {
        rest = sv_from(rest, 1);
        if (take_token(&rest).len == 0)
            return err_set(err, ERR_INVALID, "mime: expected token after slash");
    } else if (type.len == 0 || sv_trim(rest).len > 0) {
        return err_set(err, ERR_INVALID, "mime: expected slash after first token");
    }
    if (sv_trim(rest).len > 0)
        return err_set(err, ERR_INVALID, "mime: unexpected content after media subtype");
    *ret_json = sv_eq_nocase(sv_trim(base), SV("application/json"));
    return check_parameters(sv_from(text, base.len), err);
}

int push_content_type(struct str_view content_type, struct str_view content_encoding, bool legacy,
                      uint8_t *ret_format, uint8_t *ret_coding, struct err *err)
{
    bool json = false;
    if (!content_type.p)
        content_type = SV_EMPTY;
    int r = parse_media_type(content_type, &json, err);
    if (r < 0)
        return r;
    if (content_encoding.len == 0 || sv_eq(content_encoding, SV("snappy")))
        *ret_coding = PUSH_CODING_NONE;
    else if (sv_eq(content_encoding, SV("gzip")))
        *ret_coding = PUSH_CODING_GZIP;
    else if (sv_eq(content_encoding, SV("deflate")))
        *ret_coding = PUSH_CODING_DEFLATE;
    else
        return err_set(err, ERR_INVALID, "Content-Encoding \"%.*s\" not supported",
                       SV_ARG(sv_sub(content_encoding, 0, 100)));
    *ret_format = !json ? PUSH_PROTOBUF : legacy ? PUSH_JSON_V0 : PUSH_JSON_V1;
    return 0;
}
