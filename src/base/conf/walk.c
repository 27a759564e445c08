/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML map against a table of known paths: set, descend, ignore, or refuse with a hint. */
#include "base/conf/table.h"

#include <ctype.h>

enum { COMPARED_BYTES = 96, SHOWN_KEY_BYTES = 200 };

const struct conf_entry *conf_entry_find(const struct conf_entry *entries, size_t n,
                                         struct str_view path)
{
    for (size_t i = 0; i < n; i++)
        if (sv_eq(entries[i].path, path))
            return &entries[i];
    return NULL;
}

/* Whether `path` names a block that contains `below`. */
static bool is_block_of(struct str_view path, struct str_view below)
{
    return below.len > path.len && below.p[path.len] == '.' && sv_starts_with(below, path);
}

static bool is_known_block(const struct conf_walk *w, struct str_view path)
{
    for (size_t i = 0; i < w->n_entries; i++)
        if (is_block_of(path, w->entries[i].path))
            return true;
    for (size_t i = 0; w->ignored && w->ignored[i]; i++)
        if (is_block_of(path, sv_of(w->ignored[i])))
            return true;
    return false;
}

/* known covers itself, all below it, and with a trailing * any rest. */
static bool covers(struct str_view known, struct str_view path)
{
    bool wild = known.len > 0 && known.p[known.len - 1] == '*';
    known.len -= wild;
    return sv_eq(known, path) || is_block_of(known, path) || (wild && sv_starts_with(path, known));
}

static bool is_ignored(const struct conf_walk *w, struct str_view path)
{
    for (size_t i = 0; i < w->n_entries; i++)
        if ((w->entries[i].row->flags & CONF_IGNORED) && covers(w->entries[i].path, path))
            return true;
    for (size_t i = 0; w->ignored && w->ignored[i]; i++)
        if (covers(sv_of(w->ignored[i]), path))
            return true;
    return false;
}

/* Edits (insert, delete, replace) from a to b; both cut to COMPARED_BYTES. */
static unsigned distance(struct str_view a, struct str_view b)
{
    unsigned row[COMPARED_BYTES + 1];
    a = sv_sub(a, 0, COMPARED_BYTES);
    b = sv_sub(b, 0, COMPARED_BYTES);
    for (size_t k = 0; k <= b.len; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= b.len; k++) {
            unsigned up = row[k];
            char x = a.p[i - 1] == '-' ? '_' : a.p[i - 1];
            unsigned best = diagonal + (x != b.p[k - 1]);
            best = up + 1 < best ? up + 1 : best;
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            row[k] = best;
            diagonal = up;
        }
    }
    return row[b.len];
}

static struct str_view last_part(struct str_view path)
{
    size_t at = path.len;
    while (at > 0 && path.p[at - 1] != '.')
        at--;
    return sv_from(path, at);
}

struct str_view conf_nearest(const struct conf_entry *entries, size_t n, struct str_view path)
{
    struct str_view best = SV_EMPTY, last = last_part(path);
    unsigned best_distance = (unsigned)(path.len / 2) + 2;
    for (size_t i = 0; i < n; i++) {
        struct str_view known = entries[i].path;
        unsigned d = distance(path, known);
        unsigned by_last = distance(last, last_part(known)) + 1; /* the right key elsewhere */
        d = by_last < d && by_last <= last.len / 3 + 1 ? by_last : d;
        if (d < best_distance) {
            best_distance = d;
            best = known;
        }
        struct str_view block = sv_sub(known, 0, sv_find_byte(known, '.'));
        if (block.len < known.len && (d = distance(path, block)) < best_distance) {
            best_distance = d;
            best = block;
        }
    }
    return best;
}

static int unknown_key(struct conf_walk *w, unsigned line, struct str_view path)
{
    struct str_view near = conf_nearest(w->entries, w->n_entries, path);
    struct str_view shown = sv_sub(path, 0, SHOWN_KEY_BYTES);
    if (near.len == 0)
        return err_set(w->err, ERR_INVALID, "%s: line %u: unknown key '%.*s'", w->where, line,
                       SV_ARG(shown));
    return err_set(w->err, ERR_INVALID,
                   "%s: line %u: unknown key '%.*s'; the nearest known key is '%.*s'", w->where,
                   line, SV_ARG(shown), SV_ARG(near));
}

static int set_list(const struct conf_entry *e, const struct conf_node *value, struct arena *arena,
                    struct err *err)
{
    const char **v = ARENA_ARRAY(arena, const char *, value->n + 1);
    for (size_t i = 0; i < value->n; i++) {
        const struct conf_node *item = value->items[i];
        if (item->kind != CONF_NODE_SCALAR || sv_find_byte(item->text, '\0') < item->text.len)
            return err_set(err, ERR_INVALID, "item %zu of the list is not a text", i + 1);
        v[i] = arena_copy(arena, item->text).p;
    }
    struct conf_strings list = {v, value->n};
    memcpy((char *)e->base + e->row->offset, &list, sizeof list);
    return 0;
}

static int set_entry(struct conf_walk *w, const struct conf_entry *e, const struct conf_node *value)
{
    const struct conf_row *row = e->row;
    if (w->per_tenant && (row->flags & CONF_GLOBAL_ONLY))
        return err_set(w->err, ERR_INVALID, "holds for the whole process, not for one tenant");
    if (row->type == CONF_YAML) {
        const struct conf_node *node = value->is_null ? NULL : value;
        memcpy((char *)e->base + row->offset, &node, sizeof node);
        return 0;
    }
    if (value->is_null)
        return 0; /* "key:" keeps the value, as Go's reader does */
    if (value->kind == CONF_NODE_SCALAR)
        return conf_row_set(row, e->base, value->text, w->arena, w->err);
    if (value->kind == CONF_NODE_LIST && row->type == CONF_STRINGS)
        return set_list(e, value, w->arena, w->err);
    return err_set(w->err, ERR_INVALID, "wants a %s, not a %s", conf_type_name(row->type),
                   value->kind == CONF_NODE_MAP ? "block" : "list");
}

static int walk_pair(struct conf_walk *w, const struct conf_node *value, unsigned line,
                     struct str_view path)
{
    const struct conf_entry *e = conf_entry_find(w->entries, w->n_entries, path);
    if (e && !(e->row->flags & CONF_IGNORED)) {
        int r = set_entry(w, e, value);
        return r < 0 ? err_context(w->err, r, "%s: line %u: %.*s", w->where, line, SV_ARG(path))
                     : 0;
    }
    bool is_block = is_known_block(w, path);
    if (!is_block && is_ignored(w, path)) {
        if (w->on_ignored)
            w->on_ignored(w->ctx, w->where, line, path);
        return 0;
    }
    if (!is_block)
        return unknown_key(w, line, path);
    if (value->kind == CONF_NODE_SCALAR && value->is_null)
        return 0;
    if (value->kind != CONF_NODE_MAP)
        return err_set(w->err, ERR_INVALID, "%s: line %u: %.*s wants a block of keys", w->where,
                       line, SV_ARG(path));
    return conf_walk_map(w, value, path);
}

int conf_walk_map(struct conf_walk *w, const struct conf_node *map, struct str_view path)
{
    if (map->kind != CONF_NODE_MAP)
        return err_set(w->err, ERR_INVALID, "%s: line %u: not a block of keys", w->where,
                       map->line);
    for (size_t i = 0; i < map->n; i++) {
        struct str_view key = map->keys[i], full = key;
        bool odd =
            key.len == 0 || sv_find_byte(key, '.') < key.len || sv_find_byte(key, '\0') < key.len;
        if (path.len)
            full = arena_printf(w->arena, "%.*s.%.*s", SV_ARG(path), SV_ARG(key));
        /* A dot inside a key must not reach into a block. */
        int r = odd ? unknown_key(w, map->key_lines[i], full)
                    : walk_pair(w, map->items[i], map->key_lines[i], full);
        if (r < 0)
            return r;
    }
    return 0;
}
