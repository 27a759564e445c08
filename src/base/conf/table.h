/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - what conf*.c share: rows with their full paths, and the walk over a YAML map. */
#pragma once
#include "base/conf/conf.h"

struct conf_entry {
    struct str_view path; /* "ingester.wal.dir" */
    const struct conf_row *row;
    void *base;
};

struct conf_walk {
    const struct conf_entry *entries;
    size_t n_entries;
    const char *const *ignored; /* NULL-ended, or NULL; a trailing * stands for any rest */
    const char *where;          /* before each message: a file name or a path */
    bool per_tenant;
    struct arena *arena;
    /* Told of each key that is accepted without effect; may be NULL. */
    void (*on_ignored)(void *ctx, const char *where, unsigned line, struct str_view path);
    void *ctx;
    struct err *err;
};
/* Applies a map to the entries; path is "" at the top. */
int conf_walk_map(struct conf_walk *w, const struct conf_node *map, struct str_view path);

const struct conf_entry *conf_entry_find(const struct conf_entry *entries, size_t n,
                                         struct str_view path);
/* The known path that is most like this one, or the empty view when nothing is near. */
struct str_view conf_nearest(const struct conf_entry *entries, size_t n, struct str_view path);
/* Entries of rows, their paths prefixed ("" or "server"); in the arena. */
size_t conf_entries_of(const struct conf_row *rows, size_t n, const char *prefix, void *base,
                       struct arena *arena, struct conf_entry *to);
void conf_entries_print(const struct conf_entry *entries, size_t n, unsigned indent,
                        conf_keep_fn *keep, void *ctx, struct buf *out);
void conf_put_yaml_string(struct buf *out, struct str_view v);
/* The row's default as conf_row_text() would show it. */
void conf_row_default_text(const struct conf_row *row, struct buf *out);
/* Behind conf_row_text(): what a field of that type holds. */
const struct conf_node *conf_row_node(const struct conf_row *row, const void *base);
struct conf_strings conf_row_strings(const struct conf_row *row, const void *base);
/* As conf_row_text(), but `<secret>` in place of a secret that is set. */
void conf_row_shown(const struct conf_row *row, const void *base, struct buf *out);
/* Each with put(), parted by `between`. */
void conf_put_strings(struct conf_strings list, const char *between,
                      void (*put)(struct buf *out, struct str_view text), struct buf *out);
const char *conf_type_name(enum conf_type type);
