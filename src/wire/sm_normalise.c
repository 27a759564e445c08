/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sm_normalise.h"

#include "base/ascii.h"
#include "base/utf8.h"

/* Most names come as they should be: nothing to copy. */
static bool is_normal(struct str_view name)
{
    if (name.len == 0 || ascii_is_digit(name.p[0]))
        return false;
    bool any = false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (!ascii_is_alnum(c) && (c != '_' || (i > 0 && name.p[i - 1] == '_')))
            return false;
        any |= c != '_';
    }
    return any;
}

static bool is_reserved(struct str_view name)
{
    return name.len > 4 && sv_starts_with(name, SV("__")) && sv_ends_with(name, SV("__"));
}

/* Appends `name` with each run of other characters as one '_'. */
static char *put_collapsed(char *out, const char *first, struct str_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (ascii_is_alnum(c))
            *out++ = (char)c;
        else if (out == first || out[-1] != '_')
            *out++ = '_';
    }
    return out;
}

int sm_normalise_name(struct arena *a, struct str_view name, struct str_view *ret, struct err *err)
{
    if (is_normal(name)) {
        *ret = name;
        return 0;
    }
    if (name.len == 0)
        return err_set(err, ERR_INVALID, "label name is empty");
    char *text = arena_alloc(a, name.len + 4), *out = text;
    if (is_reserved(name)) {
        out = (char *)memcpy(out, "__", 2) + 2;
        char *inner = out;
        out = put_collapsed(out, inner, sv_sub(name, 2, name.len - 4));
        out = (char *)memcpy(out, "__", 2) + 2;
    } else {
        if (ascii_is_digit(name.p[0]))
            out = (char *)memcpy(out, "key_", 4) + 4;
        out = put_collapsed(out, text, name);
    }
    *ret = sv(text, (size_t)(out - text));
    for (size_t i = 0; i < ret->len; i++)
        if (ret->p[i] != '_')
            return 0;
    struct str_view shown = sv_sub(name, 0, 256);
    return err_set(err, ERR_INVALID,
                   "normalization for label name \"%.*s\" resulted in invalid name \"%.*s\"",
                   SV_ARG(shown), SV_ARG(sv_sub(*ret, 0, 256)));
}

struct str_view sm_normalise_value(struct arena *a, struct str_view value)
{
    size_t at = 0;
    uint32_t c;
    while (at < value.len && (unsigned char)value.p[at] < 0x80)
        at++;
    if (at == value.len)
        return value;
    char *text = NULL, *out = NULL;
    while (at < value.len) {
        size_t n = utf8_decode(sv_from(value, at), &c);
        if (n == 0 || c == UTF8_REPLACEMENT) {
            if (!text) {
                text = arena_alloc(a, value.len);
                out = (char *)memcpy(text, value.p, at) + at;
            }
            *out++ = ' ';
            at += n ? n : 1;
            continue;
        }
        if (out) {
            memcpy(out, value.p + at, n);
            out += n;
        }
        at += n;
    }
    return text ? sv(text, (size_t)(out - text)) : value;
}

static void drop_repeats_and_empties(struct label *v, size_t *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        bool last_of_name = i + 1 == *n || !sv_eq(v[i].name, v[i + 1].name);
        if (last_of_name && v[i].value.len > 0)
            v[kept++] = v[i];
    }
    *n = kept;
}

int sm_normalise(struct arena *a, struct label *v, size_t *n, struct err *err)
{
    for (size_t i = 0; i < *n; i++) {
        int r = sm_normalise_name(a, v[i].name, &v[i].name, err);
        if (r < 0)
            return r;
        v[i].value = sm_normalise_value(a, v[i].value);
    }
    labels_sort(v, *n, NULL);
    drop_repeats_and_empties(v, n);
    return 0;
}
