/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_scan.h"

#include "base/ascii.h"
#include "base/utf8.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first '"' or '\\' at or after p, or end. */
static const char *find_quote(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int hit =
            _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        if (hit)
            return p + __builtin_ctz((unsigned)hit);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

bool json_string(struct json_scan *in, struct str_view *ret, bool *ret_escaped)
{
    if (!json_take(in, '"'))
        return false;
    const char *start = in->p, *p = start;
    *ret_escaped = false;
    for (;;) {
        p = find_quote(p, in->end);
        if (p == in->end) {
            in->p = p;
            return false;
        }
        if (*p == '"')
            break;
        *ret_escaped = true;
        if (in->end - p < 2) {
            in->p = in->end;
            return false;
        }
        p += 2;
    }
    *ret = sv(start, (size_t)(p - start));
    in->p = p + 1;
    return true;
}

/* The escape at p (after the backslash): writes what it means to *out; NULL when malformed. */
static const char *unescape_one(const char *p, const char *end, char **out)
{
    uint32_t c;
    switch (*p) {
    case '"':
    case '\\':
    case '/':
        *(*out)++ = *p;
        return p + 1;
    case 'b':
        *(*out)++ = '\b';
        return p + 1;
    case 'f':
        *(*out)++ = '\f';
        return p + 1;
    case 'n':
        *(*out)++ = '\n';
        return p + 1;
    case 'r':
        *(*out)++ = '\r';
        return p + 1;
    case 't':
        *(*out)++ = '\t';
        return p + 1;
    case 'u':
        break;
    default:
        return NULL;
    }
    p++;
    size_t n = utf8_json_escape(sv(p, (size_t)(end - p)), &c);
    if (n == 0)
        return NULL;
    *out += utf8_encode(c, *out); /* a lone surrogate becomes U+FFFD */
    return p + n;
}

bool json_text(struct json_scan *in, struct arena *a, struct str_view *ret)
{
    bool escaped;
    struct str_view raw;
    if (!json_string(in, &raw, &escaped))
        return false;
    if (!escaped) {
        *ret = raw;
        return true;
    }
    /* No escape means more bytes than it takes. */
    char *text = arena_alloc(a, raw.len), *out = text;
    const char *p = raw.p, *end = raw.p + raw.len;
    while (p < end) {
        const char *run = p;
        p = memchr(p, '\\', (size_t)(end - p));
        if (!p)
            p = end;
        memcpy(out, run, (size_t)(p - run));
        out += p - run;
        if (p == end)
            break;
        p = unescape_one(p + 1, end, &out);
        if (!p)
            return false;
    }
    *ret = sv(text, (size_t)(out - text));
    return true;
}

static bool is_digit(const char *p, const char *end)
{
    return p < end && ascii_is_digit(*p);
}

static bool skip_number(struct json_scan *in)
{
    const char *p = in->p, *end = in->end;
    if (p < end && *p == '-')
        p++;
    in->p = p;
    if (!is_digit(p, end))
        return false;
    bool zero = *p == '0';
    while (is_digit(p, end) && !(zero && p > in->p))
        p++;
    if (p < end && *p == '.') {
        if (!is_digit(p + 1, end))
            return false;
        for (p++; is_digit(p, end); p++)
            ;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(p, end))
            return false;
        while (is_digit(p, end))
            p++;
    }
    in->p = p;
    return !is_digit(p, end); /* 01 is no number */
}

static bool skip_literal(struct json_scan *in, struct str_view word)
{
    if (!sv_starts_with(sv(in->p, (size_t)(in->end - in->p)), word))
        return false;
    in->p += word.len;
    return true;
}

static bool skip(struct json_scan *in, unsigned depth);

static bool skip_container(struct json_scan *in, char open, unsigned depth)
{
    char close = open == '{' ? '}' : ']';
    bool more = true, escaped;
    struct str_view name;
    in->p++;
    if (depth == 0)
        return false;
    if (json_take(in, close))
        return true;
    while (more) {
        if (open == '{' && (!json_string(in, &name, &escaped) || !json_take(in, ':')))
            return false;
        if (!skip(in, depth - 1) || !json_next(in, close, &more))
            return false;
    }
    return true;
}

static bool skip(struct json_scan *in, unsigned depth)
{
    bool escaped;
    struct str_view text;
    char c = json_peek(in);
    switch (c) {
    case '"':
        return json_string(in, &text, &escaped);
    case '{':
    case '[':
        return skip_container(in, c, depth);
    case 't':
        return skip_literal(in, SV("true"));
    case 'f':
        return skip_literal(in, SV("false"));
    case 'n':
        return skip_literal(in, SV("null"));
    default:
        return skip_number(in);
    }
}

bool json_skip_value(struct json_scan *in, struct str_view *ret)
{
    json_skip_blanks(in);
    const char *start = in->p;
    if (!skip(in, JSON_MAX_DEPTH))
        return false;
    if (ret)
        *ret = sv(start, (size_t)(in->p - start));
    return true;
}
