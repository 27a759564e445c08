/* SPDX-License-Identifier: Apache-2.0 */
/* Rows over a struct: set from text or a YAML node, show, walk a map. */
#include "base/conf/table.h"

#include <assert.h>
#include <math.h>

#include "base/num.h"
#include "base/values.h"

static void *field_of(const struct conf_row *row, void *base)
{
    return (char *)base + row->offset;
}

static const char *arena_cstr(struct arena *arena, struct str_view v)
{
    return arena_copy(arena, v).p;
}

static int set_string(const struct conf_row *row, void *base, struct str_view text,
                      struct arena *arena, struct err *err)
{
    if (sv_find_byte(text, '\0') < text.len)
        return err_set(err, ERR_INVALID, "the value contains a NUL byte");
    const char *s = arena_cstr(arena, text);
    memcpy(field_of(row, base), &s, sizeof s);
    return 0;
}

static int set_strings(const struct conf_row *row, void *base, struct str_view text,
                       struct arena *arena, struct err *err)
{
    if (sv_find_byte(text, '\0') < text.len)
        return err_set(err, ERR_INVALID, "the value contains a NUL byte");
    size_t n = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.p[i] == ',';
    const char **v = ARENA_ARRAY(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t comma = sv_find_byte(text, ',');
        v[i] = arena_cstr(arena, sv_trim(sv_sub(text, 0, comma)));
        text = sv_from(text, comma + 1);
    }
    struct conf_strings list = {v, n};
    memcpy(field_of(row, base), &list, sizeof list);
    return 0;
}

static int set_yaml(const struct conf_row *row, void *base, struct str_view text,
                    struct arena *arena, struct err *err)
{
    const struct conf_node *node = NULL;
    if (text.len) {
        int r = conf_yaml_parse(text, arena, &node, err);
        if (r < 0)
            return r;
    }
    memcpy(field_of(row, base), &node, sizeof node);
    return 0;
}

int conf_row_set(const struct conf_row *row, void *base, struct str_view text, struct arena *arena,
                 struct err *err)
{
    void *field = field_of(row, base);
    if (row->flags & CONF_IGNORED)
        return 0;
    switch (row->type) {
    case CONF_BOOL:
        return conf_parse_bool(text, field, err);
    case CONF_INT:
        return conf_parse_int(text, field, err);
    case CONF_UINT:
        return conf_parse_uint(text, field, err);
    case CONF_FLOAT:
        return conf_parse_float(text, field, err);
    case CONF_DURATION:
        return conf_parse_duration(text, field, err);
    case CONF_PROM_DURATION:
        return conf_parse_prom_duration(text, field, err);
    case CONF_SIZE:
        return conf_parse_size(text, field, err);
    case CONF_STRING:
        return set_string(row, base, text, arena, err);
    case CONF_STRINGS:
        return set_strings(row, base, text, arena, err);
    case CONF_YAML:
        return set_yaml(row, base, text, arena, err);
    }
    return err_set(err, ERR_INVALID, "unknown type");
}

/* The shortest form that reads back as the same value. */
static void put_float(struct buf *out, double v)
{
    if (v == floor(v) && fabs(v) < 1e15) {
        buf_printf(out, "%.0f", v);
        return;
    }
    char digits[NUM_SHORTEST_DIGITS];
    int exponent, n = num_shortest(fabs(v), digits, &exponent);
    buf_printf(out, "%.*g", n > 6 ? n : 6, v);
}

void conf_put_strings(struct conf_strings list, const char *between,
                      void (*put)(struct buf *out, struct str_view text), struct buf *out)
{
    for (size_t i = 0; i < list.n; i++) {
        buf_put(out, i ? sv_of(between) : SV(""));
        put(out, sv_of(list.v[i]));
    }
}

const struct conf_node *conf_row_node(const struct conf_row *row, const void *base)
{
    const struct conf_node *node;
    memcpy(&node, (const char *)base + row->offset, sizeof node);
    return node;
}

struct conf_strings conf_row_strings(const struct conf_row *row, const void *base)
{
    struct conf_strings list;
    memcpy(&list, (const char *)base + row->offset, sizeof list);
    return list;
}

void conf_row_text(const struct conf_row *row, const void *base, struct buf *out)
{
    const void *field = (const char *)base + row->offset;
    if (row->flags & CONF_IGNORED)
        return;
    switch (row->type) {
    case CONF_BOOL:
        buf_put(out, *(const bool *)field ? SV("true") : SV("false"));
        return;
    case CONF_INT:
        buf_printf(out, "%lld", (long long)*(const int64_t *)field);
        return;
    case CONF_UINT:
        buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
        return;
    case CONF_FLOAT:
        put_float(out, *(const double *)field);
        return;
    case CONF_DURATION:
        buf_put_duration_go(out, *(const int64_t *)field);
        return;
    case CONF_PROM_DURATION:
        conf_put_prom_duration(out, *(const int64_t *)field);
        return;
    case CONF_SIZE:
        conf_put_size(out, *(const uint64_t *)field);
        return;
    case CONF_STRING:
        buf_put(out, sv_of(*(const char *const *)field));
        return;
    case CONF_STRINGS:
        conf_put_strings(conf_row_strings(row, base), ",", buf_put, out);
        return;
    case CONF_YAML: {
        const struct conf_node *node = conf_row_node(row, base);
        if (node)
            conf_node_print(node, 0, out);
        return;
    }
    }
}

void conf_row_shown(const struct conf_row *row, const void *base, struct buf *out)
{
    size_t before = out->len;
    conf_row_text(row, base, out);
    if ((row->flags & CONF_SECRET) && out->len > before) {
        out->len = before;
        buf_put(out, SV("<secret>"));
    }
}

void conf_row_default_text(const struct conf_row *row, struct buf *out)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    union {
        int64_t i;
        double f;
        const char *s;
        struct conf_strings list;
    } field = {0};
    struct conf_row alone = *row;
    alone.offset = 0;
    struct err err = ERR_INIT;
    int r = conf_row_set(&alone, &field, sv_of(row->def), &arena, &err);
    assert(r == 0);
    (void)r;
    conf_row_text(&alone, &field, out);
}

const char *conf_type_name(enum conf_type type)
{
    static const char *const names[] = {
        [CONF_BOOL] = "bool",         [CONF_INT] = "int",
        [CONF_UINT] = "int",          [CONF_FLOAT] = "float",
        [CONF_DURATION] = "duration", [CONF_PROM_DURATION] = "duration (d, w, y too)",
        [CONF_SIZE] = "size",         [CONF_STRING] = "string",
        [CONF_STRINGS] = "list",      [CONF_YAML] = "block",
    };
    return names[type];
}

size_t conf_entries_of(const struct conf_row *rows, size_t n, const char *prefix, void *base,
                       struct arena *arena, struct conf_entry *to)
{
    for (size_t i = 0; i < n; i++) {
        struct str_view path =
            *prefix ? arena_printf(arena, "%s.%s", prefix, rows[i].key) : sv_of(rows[i].key);
        to[i] = (struct conf_entry){path, &rows[i], base};
    }
    return n;
}

void conf_rows_set_defaults(const struct conf_row *rows, size_t n, void *base, struct arena *arena)
{
    for (size_t i = 0; i < n; i++) {
        struct err err = ERR_INIT;
        int r = conf_row_set(&rows[i], base, sv_of(rows[i].def), arena, &err);
        assert(r == 0); /* a default that does not parse is our mistake */
        (void)r;
    }
}

int conf_rows_apply(const struct conf_row *rows, size_t n, void *base, const struct conf_node *map,
                    const char *where, bool per_tenant, struct arena *arena, struct err *err)
{
    struct conf_entry *entries = ARENA_ARRAY(arena, struct conf_entry, n + 1);
    struct conf_walk w = {
        .entries = entries,
        .n_entries = conf_entries_of(rows, n, "", base, arena, entries),
        .where = where,
        .per_tenant = per_tenant,
        .arena = arena,
        .err = err,
    };
    return conf_walk_map(&w, map, SV_EMPTY);
}

void conf_rows_print(const struct conf_row *rows, size_t n, const void *base, unsigned indent,
                     conf_keep_fn *keep, void *ctx, struct buf *out)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct conf_entry *entries = ARENA_ARRAY(&arena, struct conf_entry, n + 1);
    void *unchanged;
    memcpy(&unchanged, &base, sizeof base); /* printing does not write */
    conf_entries_of(rows, n, "", unchanged, &arena, entries);
    conf_entries_print(entries, n, indent, keep, ctx, out);
}

const struct conf_row *conf_rows_find(const struct conf_row *rows, size_t n, struct str_view key)
{
    for (size_t i = 0; i < n; i++)
        if (sv_eq(key, sv_of(rows[i].key)))
            return &rows[i];
    return NULL;
}
