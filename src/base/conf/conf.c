/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf/conf.h"

#include <assert.h>

#include "base/ascii.h"
#include "base/conf/table.h"

struct conf {
    const struct conf_section *sections; /* fixed at init */
    size_t n_sections;
    const char *const *ignored;
    struct conf_entry *entries; /* fixed at init, in the arena */
    size_t n_entries;
    struct arena arena; /* paths, values, nodes, warnings */
    const char **warnings;
    size_t n_warnings, cap_warnings;
};
enum { MAX_WARNINGS = 200 };

struct conf *conf_new(const struct conf_section *sections, size_t n_sections,
                      const char *const *ignored)
{
    struct conf *c = mem_zalloc(1, sizeof *c);
    c->sections = sections;
    c->n_sections = n_sections;
    c->ignored = ignored;
    size_t n = 0;
    for (size_t i = 0; i < n_sections; i++)
        n += sections[i].n_rows;
    c->entries = ARENA_ARRAY(&c->arena, struct conf_entry, n + 1);
    for (size_t i = 0; i < n_sections; i++) {
        const struct conf_section *s = &sections[i];
        c->n_entries += conf_entries_of(s->rows, s->n_rows, s->path, s->base, &c->arena,
                                        c->entries + c->n_entries);
        conf_rows_set_defaults(s->rows, s->n_rows, s->base, &c->arena);
    }
    return c;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    free(c->warnings);
    arena_deinit(&c->arena);
    free(c);
}

static void warn(struct conf *c, struct str_view text)
{
    if (c->n_warnings == MAX_WARNINGS)
        return;
    c->warnings = mem_grow(c->warnings, &c->cap_warnings, c->n_warnings + 1, sizeof *c->warnings);
    c->warnings[c->n_warnings++] = text.p;
}

static void on_ignored(void *ctx, const char *where, unsigned line, struct str_view path)
{
    struct conf *c = ctx;
    warn(c, arena_printf(&c->arena, "%s: line %u: key '%.*s' has no meaning here and is ignored",
                         where, line, SV_ARG(path)));
}

size_t conf_n_warnings(const struct conf *c)
{
    return c->n_warnings;
}

const char *conf_warning(const struct conf *c, size_t i)
{
    return c->warnings[i];
}

/* ${VAR} and ${VAR:-default}; anything else stays. */
static void expand_env_vars(struct str_view text, struct buf *out)
{
    while (text.len > 0) {
        size_t at = sv_find(text, SV("${"));
        if (at == SIZE_MAX) {
            buf_put(out, text);
            return;
        }
        struct str_view inner = sv_from(text, at + 2);
        size_t end = sv_find_byte(inner, '}');
        if (end == inner.len) {
            buf_put(out, text);
            return;
        }
        buf_put(out, sv_sub(text, 0, at));
        inner.len = end;
        size_t colon = sv_find(inner, SV(":-"));
        struct str_view def = colon == SIZE_MAX ? SV_EMPTY : sv_from(inner, colon + 2);
        CLEANUP(buf_deinit) struct buf name = BUF_INIT;
        buf_put(&name, colon == SIZE_MAX ? inner : sv_sub(inner, 0, colon));
        buf_put_u8(&name, 0);
        const char *value = getenv(name.p);
        buf_put(out, value && *value ? sv_of(value) : def);
        text = sv_from(text, at + 2 + end + 1);
    }
}

int conf_load_yaml(struct conf *c, struct str_view text, const char *name, bool expand_env,
                   struct err *err)
{
    CLEANUP(buf_deinit) struct buf expanded = BUF_INIT;
    if (expand_env) {
        expand_env_vars(text, &expanded);
        text = buf_view(&expanded);
    }
    const struct conf_node *root;
    int r = conf_yaml_parse(text, &c->arena, &root, err);
    if (r < 0)
        return err_context(err, r, "%s", name);
    struct conf_walk w = {
        .entries = c->entries,
        .n_entries = c->n_entries,
        .ignored = c->ignored,
        .where = name,
        .arena = &c->arena,
        .on_ignored = on_ignored,
        .ctx = c,
        .err = err,
    };
    return conf_walk_map(&w, root, SV_EMPTY);
}

static bool same_env_name(struct str_view name, struct str_view path)
{
    if (name.len != path.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char want = path.p[i] == '.' ? '_' : (char)ascii_upper(path.p[i]);
        if (name.p[i] != want)
            return false;
    }
    return true;
}

int conf_load_env(struct conf *c, const char *const *environ_, struct err *err)
{
    for (; environ_ && *environ_; environ_++) {
        struct str_view var = sv_of(*environ_), prefix = SV("HALOGI_");
        if (!sv_starts_with(var, prefix))
            continue;
        size_t equals = sv_find_byte(var, '=');
        struct str_view name = sv_sub(var, prefix.len, equals - prefix.len);
        const struct conf_entry *e = NULL;
        for (size_t i = 0; i < c->n_entries && !e; i++)
            if (same_env_name(name, c->entries[i].path))
                e = &c->entries[i];
        if (!e) {
            warn(c, arena_printf(&c->arena, "environment: %.*s names no setting",
                                 SV_ARG(sv_sub(var, 0, equals))));
            continue;
        }
        int r = conf_row_set(e->row, e->base, sv_from(var, equals + 1), &c->arena, err);
        if (r < 0)
            return err_context(err, r, "environment: %.*s", SV_ARG(sv_sub(var, 0, equals)));
    }
    return 0;
}

/* Flags may be written with '-' where paths have '_'. */
static bool same_flag_name(struct str_view name, struct str_view path)
{
    if (name.len != path.len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] != path.p[i] && !(name.p[i] == '-' && path.p[i] == '_'))
            return false;
    return true;
}

int conf_load_flag(struct conf *c, const char *arg, const char *next_or_null, int *ret_used,
                   struct err *err)
{
    struct str_view text = sv_of(arg);
    size_t dashes = sv_starts_with(text, SV("--")) ? 2 : sv_starts_with(text, SV("-")) ? 1 : 0;
    if (dashes == 0 || text.len == dashes)
        return err_set(err, ERR_INVALID, "'%.200s' is not a flag", arg);
    text = sv_from(text, dashes);
    size_t equals = sv_find_byte(text, '=');
    struct str_view name = sv_sub(text, 0, equals);
    const struct conf_entry *e = NULL;
    for (size_t i = 0; i < c->n_entries && !e; i++)
        if (same_flag_name(name, c->entries[i].path))
            e = &c->entries[i];
    if (!e) {
        struct str_view near = conf_nearest(c->entries, c->n_entries, name);
        return err_set(err, ERR_NOT_FOUND, "unknown flag -%.*s; the nearest known flag is -%.*s",
                       SV_ARG(sv_sub(name, 0, 200)), SV_ARG(near));
    }
    struct str_view value = sv_from(text, equals + 1);
    *ret_used = 1;
    if (equals == text.len && e->row->type == CONF_BOOL) {
        value = SV("true");
    } else if (equals == text.len) {
        if (!next_or_null)
            return err_set(err, ERR_INVALID, "flag -%.*s needs a value", SV_ARG(name));
        value = sv_of(next_or_null);
        *ret_used = 2;
    }
    int r = conf_row_set(e->row, e->base, value, &c->arena, err);
    return r < 0 ? err_context(err, r, "flag -%.*s", SV_ARG(name)) : 0;
}

/* What conf_print_yaml() asks per row: the base is found again by the row's address. */
struct diff {
    const struct conf *c;
};

static bool differs(void *ctx, const struct conf_row *row)
{
    const struct conf *c = ((struct diff *)ctx)->c;
    for (size_t i = 0; i < c->n_entries; i++) {
        if (c->entries[i].row != row)
            continue;
        CLEANUP(buf_deinit) struct buf now = BUF_INIT, def = BUF_INIT;
        conf_row_text(row, c->entries[i].base, &now);
        conf_row_default_text(row, &def);
        return !sv_eq(buf_view(&now), buf_view(&def));
    }
    return false;
}

static void print_defaults(const struct conf *c, struct buf *out)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct conf_entry *entries = ARENA_ARRAY(&arena, struct conf_entry, c->n_entries + 1);
    struct conf_row *rows = ARENA_ARRAY(&arena, struct conf_row, c->n_entries + 1);
    struct conf_strings *fields = ARENA_ARRAY(&arena, struct conf_strings, c->n_entries + 1);
    for (size_t i = 0; i < c->n_entries; i++) {
        rows[i] = *c->entries[i].row;
        rows[i].offset = i * sizeof *fields; /* the largest field type */
        entries[i] = (struct conf_entry){c->entries[i].path, &rows[i], fields};
    }
    conf_rows_set_defaults(rows, c->n_entries, fields, &arena);
    conf_entries_print(entries, c->n_entries, 0, NULL, NULL, out);
}

void conf_print_yaml(const struct conf *c, enum conf_print mode, struct buf *out)
{
    struct diff diff = {c};
    switch (mode) {
    case CONF_PRINT_ALL:
        conf_entries_print(c->entries, c->n_entries, 0, NULL, NULL, out);
        return;
    case CONF_PRINT_DIFF:
        conf_entries_print(c->entries, c->n_entries, 0, differs, &diff, out);
        return;
    case CONF_PRINT_DEFAULTS:
        print_defaults(c, out);
        return;
    }
}

static void doc_row(const struct conf_row *row, struct buf *out)
{
    CLEANUP(buf_deinit) struct buf def = BUF_INIT;
    if (row->flags & CONF_IGNORED)
        return;
    conf_row_default_text(row, &def);
    buf_printf(out, "| `%s` | %s | ", row->key, conf_type_name(row->type));
    if (def.len)
        buf_printf(out, "`%.*s`", SV_ARG(sv_trim(buf_view(&def))));
    buf_printf(out, " | %s |\n", row->help);
}

void conf_print_docs(const struct conf *c, struct buf *out)
{
    buf_put(out, SV("# Configuration\n\n"
                    "Generated from the settings tables by `halogi -print-config-docs`.\n\n"
                    "Each key is a key of the YAML file (`-config.file`), a flag with the path of "
                    "its block (`-server.http_listen_port=3100`, one or two dashes, `-` and `_` "
                    "alike) and an environment variable (`HALOGI_SERVER_HTTP_LISTEN_PORT`). Flags "
                    "win over the environment, the environment over the file.\n\n"
                    "Durations: `1h30m`, `15s`, `250ms`; where the type says so also `1y2w3d`. "
                    "Sizes: `256KB`, `1.5MB`, powers of 1024; a bare number is bytes.\n"));
    for (size_t i = 0; i < c->n_sections; i++) {
        const struct conf_section *s = &c->sections[i];
        if (i == 0 || strcmp(s->path, s[-1].path) != 0)
            buf_printf(out, "\n## %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
                       *s->path ? s->path : "Top level");
        for (size_t k = 0; k < s->n_rows; k++)
            doc_row(&s->rows[k], out);
    }
}
