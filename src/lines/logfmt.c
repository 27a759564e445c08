/* SPDX-License-Identifier: Apache-2.0 */
/* Loki reads logfmt byte by byte; here words are looked at sixteen or more bytes at a time
 * (byte_scan.h), and what is rare (escapes, bytes over 0x7f) is only noted on the way and looked at
 * once the word is complete.  A broken pair ends at the next blank, and the line goes on behind it
 * unless the stage is strict. */
#include "lines/logfmt.h"

#include "lines/byte_scan.h"
#include "lines/json_text.h"
#include "lines/label_key.h"
#include "regex/unicode.h"

struct scanner {
    struct str_view line;
    size_t at;
    struct str_view key, value; /* of the pair read last; the value still escaped when quoted */
    bool quoted, plain;         /* plain: the value is ASCII without escapes */
    bool key_high;              /* the key is not ASCII */
    const char *fault;          /* NULL while the pair is well */
    char fault_byte;            /* of "unexpected" */
    size_t fault_at;            /* offset */
};

static bool is_separator(char c)
{
    return (unsigned char)c <= ' ';
}

static void fail(struct scanner *s, const char *fault, char byte)
{
    s->fault = fault;
    s->fault_byte = byte;
    s->fault_at = s->at;
    while (s->at < s->line.len && !is_separator(s->line.p[s->at]))
        s->at++;
}

static bool is_valid_utf8(struct str_view text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t rune;
        unsigned width = rune_decode(text.p + i, text.len - i, &rune);
        if (rune == RUNE_BAD && width == 1)
            return false;
        i += width;
    }
    return true;
}

/* The quote is at the cursor. */
static void scan_quoted(struct scanner *s)
{
    unsigned seen;
    size_t from = s->at + 1, end = scan_string_end(s->line, from, &seen);
    if (end == SIZE_MAX) {
        s->at = s->line.len;
        fail(s, "unterminated quoted value", 0);
        return;
    }
    s->quoted = true;
    s->plain = seen == 0;
    s->value = sv_sub(s->line, from, end - from);
    s->at = end + 1;
}

static void scan_bare_value(struct scanner *s)
{
    size_t from = s->at;
    bool high;
    s->at = scan_logfmt_word(s->line, from, &high);
    if (s->at < s->line.len && !is_separator(s->line.p[s->at])) {
        fail(s, "unexpected", s->line.p[s->at]);
        return;
    }
    s->plain = !high;
    s->value = sv_sub(s->line, from, s->at - from);
}

/* The next pair, or a fault in its place; false at the end of the line. */
static bool scan_pair(struct scanner *s)
{
    while (s->at < s->line.len && is_separator(s->line.p[s->at]))
        s->at++;
    if (s->at == s->line.len)
        return false;
    s->fault = NULL;
    s->quoted = false;
    s->plain = true;
    s->value = SV_EMPTY;
    size_t from = s->at;
    s->at = scan_logfmt_word(s->line, from, &s->key_high);
    s->key = sv_sub(s->line, from, s->at - from);
    char c = s->at < s->line.len ? s->line.p[s->at] : ' ';
    if (c == '"' || (c == '=' && s->key.len == 0))
        fail(s, "unexpected", c);
    else if (s->key_high && !is_valid_utf8(s->key))
        fail(s, "invalid key", 0);
    else if (c == '=') {
        s->at++;
        if (s->at < s->line.len && s->line.p[s->at] == '"')
            scan_quoted(s);
        else
            scan_bare_value(s);
    }
    return true;
}

static struct str_view name_of_key(const struct scanner *s, struct arena *scratch)
{
    size_t from = (size_t)(s->key.p - s->line.p);
    if (scan_is_name(s->line, from, from + s->key.len))
        return s->key;
    return label_key_sanitise(scratch, s->key);
}

static int strict_fault(const struct scanner *s, struct arena *scratch,
                        struct str_view *ret_details)
{
    *ret_details = s->fault_byte
                       ? arena_printf(scratch, "logfmt syntax error at pos %zu : unexpected '%c'",
                                      s->fault_at + 1, s->fault_byte)
                       : arena_printf(scratch, "logfmt syntax error at pos %zu : %s",
                                      s->fault_at + 1, s->fault);
    return LINE_E_FAULT;
}

/* \' stands for itself, besides the escapes of JSON. */
static bool unescape(struct arena *a, struct str_view text, struct str_view *ret)
{
    if (sv_find(text, SV("\\'")) == SIZE_MAX)
        return json_unescape(a, text, ret);
    char *out = arena_alloc(a, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool pair = text.p[i] == '\\' && i + 1 < text.len;
        if (pair && text.p[i + 1] == '\'') {
            out[n++] = text.p[++i];
            continue;
        }
        out[n++] = text.p[i];
        if (pair)
            out[n++] = text.p[++i];
    }
    return json_unescape(a, sv(out, n), ret);
}

/* The value as a label would hold it; false, with the fault set, for an escape that is none. */
static bool finish_value(struct scanner *s, struct arena *scratch)
{
    size_t quote_at = s->at;
    if (s->plain)
        return true;
    if (s->quoted && !unescape(scratch, s->value, &s->value)) {
        fail(s, "invalid quoted value", 0);
        s->fault_at = quote_at - 1;
        return false;
    }
    s->value = label_value_clean(scratch, s->value);
    return true;
}

int logfmt_parse(struct str_view line, struct logfmt_flags flags, struct arena *scratch,
                 emit_fn *emit, void *ctx, struct str_view *ret_details)
{
    struct scanner s = {.line = line};
    while (scan_pair(&s)) {
        if (!s.fault)
            finish_value(&s, scratch);
        if (s.fault) {
            if (flags.strict)
                return strict_fault(&s, scratch, ret_details);
            continue;
        }
        if (s.value.len == 0 && !flags.keep_empty)
            continue;
        struct str_view key = name_of_key(&s, scratch);
        if (!emit(ctx, key, s.value))
            break;
    }
    return LINE_OK;
}

int logfmt_extract(struct str_view line, bool strict, const struct logfmt_wanted *wanted, size_t n,
                   struct arena *scratch, struct str_view *values, struct str_view *ret_details)
{
    struct scanner s = {.line = line};
    memset(values, 0, n * sizeof *values);
    while (scan_pair(&s)) {
        if (!s.fault)
            finish_value(&s, scratch);
        if (s.fault) {
            if (strict)
                return strict_fault(&s, scratch, ret_details);
            continue;
        }
        struct str_view key = name_of_key(&s, scratch);
        for (size_t i = 0; i < n; i++)
            if (sv_eq(key, wanted[i].key) || sv_eq(key, wanted[i].dst))
                values[i] = s.value;
    }
    return LINE_OK;
}
