/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of JSON paths and logfmt keys in extraction expressions.  Loki has a generated parser
 * for it, whose names of tokens stand in the errors that users see: hence DOT, LSB and RSB. */
#include "lines/extract_expr.h"

#include <stdint.h>

#include "base/ascii.h"

enum path_token { P_END, P_DOT, P_LSB, P_RSB, P_STRING, P_FIELD, P_INDEX };

static const char *const TOKEN_NAMES[] = {"$end", "DOT", "LSB", "RSB", "STRING", "FIELD", "INDEX"};

struct path_lexer {
    struct str_view text;
    size_t at;
    struct str_view value; /* of STRING, FIELD, INDEX */
};

static size_t run(struct str_view s, bool (*holds)(int))
{
    size_t n = 0;
    while (n < s.len && holds(s.p[n]))
        n++;
    return n;
}

/* A character of no token ends the text, as it does for Loki. */
static enum path_token next_token(struct path_lexer *lx)
{
    while (lx->at < lx->text.len && memchr(" \t\r\n", lx->text.p[lx->at], 4))
        lx->at++;
    struct str_view rest = sv_from(lx->text, lx->at);
    if (rest.len == 0)
        return P_END;
    char c = rest.p[0];
    if (c == '.' || c == '[' || c == ']') {
        lx->at++;
        return c == '.' ? P_DOT : c == '[' ? P_LSB : P_RSB;
    }
    if (c == '"') {
        size_t end = 1;
        while (end < rest.len && rest.p[end] != '"' && rest.p[end] != ']')
            end++;
        if (end == rest.len || rest.p[end] != '"')
            return P_END;
        lx->value = sv_sub(rest, 1, end - 1);
        lx->at += end + 1;
        return P_STRING;
    }
    if (!ascii_is_word(c))
        return P_END;
    size_t n = run(rest, ascii_is_digit(c) ? ascii_is_digit : ascii_is_word);
    lx->value = sv_sub(rest, 0, n);
    lx->at += n;
    return ascii_is_digit(c) ? P_INDEX : P_FIELD;
}

static int unexpected(struct str_view text, enum path_token t, const char *expecting,
                      struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "cannot parse expression [%.*s]: syntax error: unexpected %s%s",
                   SV_ARG(sv_sub(text, 0, 300)), TOKEN_NAMES[t], expecting);
}

/* What stands between the brackets, and the closing one. */
static int parse_subscript(struct path_lexer *lx, struct json_step *step, struct err *err)
{
    enum path_token t = next_token(lx);
    if (t != P_STRING && t != P_INDEX)
        return unexpected(lx->text, t, ", expecting STRING or INDEX", err);
    if (t == P_STRING) {
        step->key = lx->value;
    } else {
        uint64_t index;
        if (!sv_to_u64(lx->value, &index))
            index = SIZE_MAX; /* no array is that long */
        *step = (struct json_step){{NULL, 0}, index};
    }
    t = next_token(lx);
    return t == P_RSB ? 0 : unexpected(lx->text, t, ", expecting RSB", err);
}

/* Fills v, which may be NULL to count only. */
static int parse_steps(struct str_view text, struct json_step *v, size_t *ret_n, struct err *err)
{
    struct path_lexer lx = {.text = text};
    size_t n = 0;
    for (enum path_token t = next_token(&lx); t != P_END || n == 0; t = next_token(&lx), n++) {
        struct json_step step = {{NULL, 0}, 0};
        bool dot = n > 0 && t == P_DOT;
        if (dot)
            t = next_token(&lx);
        if (t == P_FIELD && (dot || n == 0)) {
            step.key = lx.value;
        } else if (t == P_LSB && !dot) {
            int r = parse_subscript(&lx, &step, err);
            if (r < 0)
                return r;
        } else {
            return unexpected(
                text, t, dot ? ", expecting FIELD" : (n ? "" : ", expecting LSB or FIELD"), err);
        }
        if (n == JSON_PATH_MAX)
            return err_set(err, ERR_INVALID, "cannot parse expression: more than %d steps",
                           JSON_PATH_MAX);
        if (v)
            v[n] = step;
    }
    /* Something that is no token stands after a complete path. */
    if (lx.at != text.len)
        return unexpected(text, P_END, "", err);
    *ret_n = n;
    return 0;
}

int json_path_parse(struct arena *a, struct str_view text, struct json_path *ret, struct err *err)
{
    size_t n;
    int r = parse_steps(text, NULL, &n, err);
    if (r < 0)
        return r;
    struct json_step *v = ARENA_ARRAY(a, struct json_step, n);
    parse_steps(text, v, &n, NULL);
    *ret = (struct json_path){v, n};
    return 0;
}

int logfmt_key_parse(struct str_view text, struct str_view *ret, struct err *err)
{
    if (text.len >= 3 && text.p[0] == '"' && text.p[text.len - 1] == '"' &&
        sv_find_byte(sv_sub(text, 1, text.len - 2), '"') == text.len - 2) {
        *ret = sv_sub(text, 1, text.len - 2);
        return 0;
    }
    if (text.len > 0 && !ascii_is_digit(text.p[0]) && run(text, ascii_is_word) == text.len) {
        *ret = text;
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "cannot parse expression [%.*s]: a key is one identifier or a quoted string",
                   SV_ARG(sv_sub(text, 0, 300)));
}
