/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/level.h"

#include "base/ascii.h"
#include "wire/json_scan.h"

/* ---- names of levels ---- */

#define LEVEL_SM(len, text)                                                                        \
    {                                                                                              \
        "\x01\x0e"                                                                                 \
        "detected_level" len text,                                                                 \
            sizeof("..detected_level." text) - 1                                                   \
    }

static const struct str_view metadata[LEVEL_N] = {
    [LEVEL_NONE] = LEVEL_SM("\x07", "unknown"),      [LEVEL_TRACE] = LEVEL_SM("\x05", "trace"),
    [LEVEL_DEBUG] = LEVEL_SM("\x05", "debug"),       [LEVEL_INFO] = LEVEL_SM("\x04", "info"),
    [LEVEL_WARN] = LEVEL_SM("\x04", "warn"),         [LEVEL_ERROR] = LEVEL_SM("\x05", "error"),
    [LEVEL_CRITICAL] = LEVEL_SM("\x08", "critical"), [LEVEL_FATAL] = LEVEL_SM("\x05", "fatal"),
    [LEVEL_UNKNOWN] = LEVEL_SM("\x07", "unknown"),
};

struct str_view level_metadata(enum level level)
{
    return metadata[level];
}

struct str_view level_text(enum level level)
{
    enum { BEFORE_BYTES = sizeof("..detected_level.") - 1 };
    return sv_from(metadata[level], BEFORE_BYTES);
}

enum level level_parse(struct str_view text)
{
    static const struct {
        const char *name;
        enum level level;
    } known[] = {
        {"trace", LEVEL_TRACE}, {"trc", LEVEL_TRACE},        {"debug", LEVEL_DEBUG},
        {"dbg", LEVEL_DEBUG},   {"info", LEVEL_INFO},        {"inf", LEVEL_INFO},
        {"warn", LEVEL_WARN},   {"wrn", LEVEL_WARN},         {"warning", LEVEL_WARN},
        {"error", LEVEL_ERROR}, {"err", LEVEL_ERROR},        {"critical", LEVEL_CRITICAL},
        {"fatal", LEVEL_FATAL}, {"information", LEVEL_INFO},
    };
    if (text.len < 3 || text.len > 11)
        return LEVEL_NONE;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if ((text.p[0] | 0x20) == known[i].name[0] && sv_eq_nocase(text, sv_of(known[i].name)))
            return known[i].level;
    return LEVEL_NONE;
}

enum level level_of_severity_number(struct str_view text)
{
    static const enum level by_four[] = {LEVEL_TRACE, LEVEL_DEBUG, LEVEL_INFO,
                                         LEVEL_WARN,  LEVEL_ERROR, LEVEL_FATAL};
    int64_t n;
    if (!sv_to_i64(text, &n))
        return LEVEL_INFO;
    return n >= 1 && n <= 24 ? by_four[(n - 1) / 4] : LEVEL_UNKNOWN;
}

/* ---- names of fields ---- */

struct level_names {
    const struct str_view *exact;
    size_t n;
    uint32_t first_bytes[8]; /* bitmap: any name begins with it, either case */
    uint32_t last_bytes[8];  /* the same for where names end */
    size_t max_bytes;
};

static void add_byte(uint32_t bitmap[8], unsigned char c)
{
    unsigned char other = ascii_is_letter(c) ? c ^ 0x20 : c;
    bitmap[c / 32] |= 1u << c % 32;
    bitmap[other / 32] |= 1u << other % 32;
}

static inline bool has_byte(const uint32_t bitmap[8], char byte)
{
    unsigned char c = (unsigned char)byte;
    return bitmap[c / 32] >> c % 32 & 1;
}

struct level_names *level_names_new(struct arena *a, const struct str_view *names, size_t n)
{
    struct level_names *set = ARENA_NEW(a, struct level_names);
    set->exact = names;
    set->n = n;
    for (size_t i = 0; i < n; i++) {
        if (names[i].len > set->max_bytes)
            set->max_bytes = names[i].len;
        if (names[i].len == 0)
            continue;
        add_byte(set->first_bytes, (unsigned char)names[i].p[0]);
        add_byte(set->last_bytes, (unsigned char)names[i].p[names[i].len - 1]);
    }
    return set;
}

static inline bool may_be_name(const struct level_names *set, struct str_view key)
{
    return key.len > 0 && key.len <= set->max_bytes && has_byte(set->first_bytes, key.p[0]);
}

static bool is_name(const struct level_names *set, struct str_view key)
{
    if (!may_be_name(set, key))
        return false;
    for (size_t i = 0; i < set->n; i++)
        if (sv_eq(set->exact[i], key))
            return true;
    return false;
}

static bool is_name_nocase(const struct level_names *set, struct str_view key)
{
    if (!may_be_name(set, key))
        return false;
    for (size_t i = 0; i < set->n; i++)
        if (sv_eq_nocase(set->exact[i], key))
            return true;
    return false;
}

/* ---- JSON lines ---- */

/* Depth first, in the order of the text.  1 found, 0 not in this object, < 0 not JSON. */
static int json_field(const struct level_names *names, struct json_scan *in, unsigned depth,
                      struct str_view *ret)
{
    bool more = true, escaped;
    in->p++; /* the brace */
    if (json_take(in, '}'))
        return 0;
    while (more) {
        struct str_view key, value;
        if (json_peek(in) != '"' || !json_string(in, &key, &escaped) || !json_take(in, ':'))
            return -1;
        char c = json_peek(in);
        if (c == '"') {
            if (!json_string(in, &value, &escaped))
                return -1;
            if (is_name(names, key)) {
                *ret = value;
                return 1;
            }
        } else if (c == '{' && depth > 1) {
            int r = json_field(names, in, depth - 1, ret);
            if (r != 0)
                return r;
        } else if (!json_skip_value(in, NULL)) {
            return -1;
        }
        if (!json_next(in, '}', &more))
            return -1;
    }
    return 0;
}

static bool is_json_object(struct str_view line)
{
    line = sv_trim(line);
    return line.len >= 2 && line.p[0] == '{' && line.p[line.len - 1] == '}';
}

/* ---- logfmt lines ---- */

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

/* The quoted value at p: its end after the quote, or NULL when it does not end. */
static const char *skip_quoted(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : NULL;
}

/* Last bytes equal but for case: cheap and mostly false. */
static inline bool may_end(char c, struct str_view name)
{
    return name.len > 0 && ((c ^ name.p[name.len - 1]) & ~0x20) == 0;
}

/* Whether a name stands before any '=': if not, there is nothing to find. */
static bool has_logfmt_name(const struct level_names *names, struct str_view line)
{
    const char *at = line.p, *end = line.p + line.len;
    while (at < end && (at = memchr(at, '=', (size_t)(end - at)))) {
        size_t before = (size_t)(at - line.p);
        if (before > 0 && has_byte(names->last_bytes, at[-1]))
            for (size_t i = 0; i < names->n; i++)
                if (names->exact[i].len <= before && may_end(at[-1], names->exact[i]) &&
                    sv_eq_nocase(sv(at - names->exact[i].len, names->exact[i].len),
                                 names->exact[i]))
                    return true;
        at++;
    }
    return false;
}

static bool logfmt_field(const struct level_names *names, struct str_view line,
                         struct str_view *ret)
{
    const char *p = line.p, *end = line.p + line.len;
    while (p < end) {
        while (p < end && is_blank(*p))
            p++;
        const char *key = p;
        while (p < end && *p != '=' && *p != '"' && !is_blank(*p))
            p++;
        if (p == end)
            return false;
        if (is_blank(*p))
            continue; /* a word without a value */
        if (*p == '"' || p == key)
            return false; /* no logfmt from here on */
        struct str_view name = sv(key, (size_t)(p - key));
        const char *value = ++p;
        bool quoted = p < end && *p == '"';
        if (quoted) {
            p = skip_quoted(p, end);
            if (!p)
                return false;
        } else {
            while (p < end && !is_blank(*p)) {
                if (*p == '=' || *p == '"')
                    return false;
                p++;
            }
        }
        if (is_name_nocase(names, name)) {
            *ret = quoted ? sv(value + 1, (size_t)(p - value - 2)) : sv(value, (size_t)(p - value));
            return true;
        }
    }
    return false;
}

/* ---- the line ---- */

bool level_line_field(const struct level_names *names, unsigned json_depth, struct str_view line,
                      struct str_view *ret)
{
    if (names->n == 0)
        return false;
    if (is_json_object(line)) {
        struct json_scan in = json_scan_of(sv_trim(line));
        if (json_depth == 0 || json_depth > JSON_MAX_DEPTH)
            json_depth = JSON_MAX_DEPTH;
        return json_field(names, &in, json_depth, ret) == 1;
    }
    return has_logfmt_name(names, line) && logfmt_field(names, line, ret);
}

enum level level_of_line(const struct level_names *names, unsigned json_depth, struct str_view line)
{
    struct str_view value;
    enum level level = LEVEL_NONE;
    if (level_line_field(names, json_depth, line, &value))
        level = level_parse(value);
    if (level == LEVEL_NONE)
        level = level_first_word(line);
    return level == LEVEL_NONE ? LEVEL_UNKNOWN : level;
}
