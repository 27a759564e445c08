/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - settings: one table row gives YAML key, flag, environment name, default, /config, docs.
 *     static const struct conf_row rows[] = {
 *         CONF_ROW(struct wal_conf, dir, "dir", CONF_STRING, "wal", "Folder of the WAL"), ...
 *     struct conf_section sections[] = {{"ingester.wal", rows, N_ROWS(rows), &app->wal_conf}, ...
 * Flag: -ingester.wal.dir=x (one or two dashes, '-' and '_' alike, "-flag value" for non-bools).
 * Environment: HALOGI_INGESTER_WAL_DIR.  Order: defaults, file, environment, flags.
 * Errors name file, line, key, value, and the nearest known key.
 * Threads: none here; a loaded struct is read-only afterwards. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum conf_type {                     /* the field at the row's offset */
                 CONF_BOOL,          /* bool */
                 CONF_INT,           /* int64_t */
                 CONF_UINT,          /* uint64_t */
                 CONF_FLOAT,         /* double */
                 CONF_DURATION,      /* int64_t ns; text as Go writes it: 1h2m3s4ms, no d, w, y */
                 CONF_PROM_DURATION, /* int64_t ns; 1y2w3d4h5m6s7ms, also accepts Go's form */
                 CONF_SIZE, /* uint64_t bytes; 256KB, 1.5MB, powers of 1024; bare number = bytes */
                 CONF_STRING,  /* const char *, never NULL, owned by the arena of the load */
                 CONF_STRINGS, /* struct conf_strings; flag and default text: comma-separated */
                 CONF_YAML, /* const struct conf_node *, NULL when absent: the owner interprets it
                             */
};

enum conf_flag {
    CONF_SECRET = 1,      /* shown as <secret> */
    CONF_GLOBAL_ONLY = 2, /* refused in per-tenant overrides */
    CONF_IGNORED = 4,     /* accepted with a warning, no field; key may end in * */
};

struct conf_strings {
    const char *const *v;
    size_t n;
};

struct conf_row {
    const char *key; /* may be dotted: "shard_streams.enabled" is a key inside a block */
    enum conf_type type;
    size_t offset;
    const char *def; /* text, parsed as a value would be */
    const char *help;
    unsigned flags;
};
#define CONF_ROW(strct, field, key, type, def, help)                                               \
    {                                                                                              \
        key, type, offsetof(strct, field), def, help, 0                                            \
    }
#define CONF_ROW_FLAGS(strct, field, key, type, def, help, flags)                                  \
    {                                                                                              \
        key, type, offsetof(strct, field), def, help, flags                                        \
    }
#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A YAML value.  Maps keep their order; merge keys (<<) are already resolved, aliases expanded
 * within a bound. */
enum conf_kind { CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };
struct conf_node {
    enum conf_kind kind;
    bool is_null;                         /* plain empty, ~ or null */
    unsigned line;                        /* 1-based */
    struct str_view text;                 /* scalar */
    size_t n;                             /* items or pairs */
    const struct conf_node *const *items; /* list items, or map values */
    const struct str_view *keys;          /* map only */
    const unsigned *key_lines;            /* map only */
};
/* Parses one document into arena; bounded in size, depth and nodes; duplicate keys are errors.
 * An empty document yields an empty map. */
int conf_yaml_parse(struct str_view text, struct arena *arena, const struct conf_node **ret,
                    struct err *err);
/* The value of a key of a map, or NULL. */
const struct conf_node *conf_node_get(const struct conf_node *map, struct str_view key);
/* Prints as block YAML at that indent, each line ended. */
void conf_node_print(const struct conf_node *node, unsigned indent, struct buf *out);

/* Rows over one struct: what limits and overrides use. */
void conf_rows_set_defaults(const struct conf_row *rows, size_t n, void *base, struct arena *arena);
/* Applies a map node; keys it does not name stay as they are.  where ("overrides.team-a") goes
 * into messages.  per_tenant: CONF_GLOBAL_ONLY rows are refused. */
int conf_rows_apply(const struct conf_row *rows, size_t n, void *base, const struct conf_node *map,
                    const char *where, bool per_tenant, struct arena *arena, struct err *err);
/* As YAML.  keep(ctx, row) chooses; NULL keeps all. */
typedef bool conf_keep_fn(void *ctx, const struct conf_row *row);
void conf_rows_print(const struct conf_row *rows, size_t n, const void *base, unsigned indent,
                     conf_keep_fn *keep, void *ctx, struct buf *out);
/* The same as a JSON object; ignored rows are false. */
void conf_rows_print_json(const struct conf_row *rows, size_t n, const void *base,
                          conf_keep_fn *keep, void *ctx, struct buf *out);
const struct conf_row *conf_rows_find(const struct conf_row *rows, size_t n, struct str_view key);
/* Sets one field from text. */
int conf_row_set(const struct conf_row *row, void *base, struct str_view text, struct arena *arena,
                 struct err *err);
/* The value as configuration text ("256KB", "1h0m0s"), without quotes. */
void conf_row_text(const struct conf_row *row, const void *base, struct buf *out);

/* Values. */
int conf_parse_bool(struct str_view text, bool *ret, struct err *err);
int conf_parse_int(struct str_view text, int64_t *ret, struct err *err);
int conf_parse_uint(struct str_view text, uint64_t *ret, struct err *err);
int conf_parse_float(struct str_view text, double *ret, struct err *err);
int conf_parse_duration(struct str_view text, int64_t *ret_ns, struct err *err);
int conf_parse_prom_duration(struct str_view text, int64_t *ret_ns, struct err *err);
int conf_parse_size(struct str_view text, uint64_t *ret_bytes, struct err *err);
/* 30d1h, 250ms, 0s; as Go (base/values.h) where that cannot be said in whole milliseconds. */
void conf_put_prom_duration(struct buf *out, int64_t ns);
void conf_put_size(struct buf *out, uint64_t bytes); /* 256KB, 1536KB, 100B */

/* The whole configuration. */
struct conf_section {
    const char *path; /* "server", "ingester.wal"; "" = top level */
    const struct conf_row *rows;
    size_t n_rows;
    void *base;
};
struct conf;
/* Sets all defaults.  sections must outlive it; ignored: NULL-ended dotted keys of Loki's that we
 * accept with a warning ("frontend_worker" covers all below it). */
struct conf *conf_new(const struct conf_section *sections, size_t n_sections,
                      const char *const *ignored);
void conf_free(struct conf *c); /* strings of the bases go with it */
/* name goes into messages.  expand_env: ${VAR} and ${VAR:-default} first. */
int conf_load_yaml(struct conf *c, struct str_view text, const char *name, bool expand_env,
                   struct err *err);
int conf_load_env(struct conf *c, const char *const *environ_, struct err *err);
/* One flag; ret_used 1 or 2 arguments.  Unknown: ERR_NOT_FOUND with the nearest. */
int conf_load_flag(struct conf *c, const char *arg, const char *next_or_null, int *ret_used,
                   struct err *err);
/* Keys accepted without effect, in the order met: one warning each is the caller's. */
size_t conf_n_warnings(const struct conf *c);
const char *conf_warning(const struct conf *c, size_t i);
enum conf_print { CONF_PRINT_ALL, CONF_PRINT_DEFAULTS, CONF_PRINT_DIFF };
void conf_print_yaml(const struct conf *c, enum conf_print mode, struct buf *out);
/* docs/configuration.md. */
void conf_print_docs(const struct conf *c, struct buf *out);
