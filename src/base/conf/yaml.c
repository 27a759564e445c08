/* SPDX-License-Identifier: Apache-2.0 */
/* YAML text -> struct conf_node, over libyaml's document.  libyaml shares aliased nodes; we expand
 * them, so the number of nodes made is bounded rather than the number read. */
#include "base/conf/conf.h"

#include <yaml.h>

enum {
    MAX_TEXT_BYTES = 8 << 20,
    MAX_NODES = 200000,
    MAX_DEPTH = 64,
};

struct loader {
    yaml_document_t *doc;
    struct arena *arena;
    size_t n_nodes;
    struct err *err;
};

static int load(struct loader *l, int id, unsigned depth, const struct conf_node **ret);

static struct str_view scalar_text(const yaml_node_t *node)
{
    return sv((const char *)node->data.scalar.value, node->data.scalar.length);
}

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

static bool is_null_text(struct str_view text)
{
    return text.len == 0 || sv_eq(text, SV("~")) || sv_eq(text, SV("null")) ||
           sv_eq(text, SV("Null")) || sv_eq(text, SV("NULL"));
}

static void load_scalar(struct loader *l, const yaml_node_t *from, struct conf_node *to)
{
    to->kind = CONF_NODE_SCALAR;
    to->text = arena_copy(l->arena, scalar_text(from));
    to->is_null = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null_text(to->text);
}

static int load_list(struct loader *l, const yaml_node_t *from, unsigned depth,
                     struct conf_node *to)
{
    size_t n = (size_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    const struct conf_node **items = ARENA_ARRAY(l->arena, const struct conf_node *, n + 1);
    for (size_t i = 0; i < n; i++) {
        int r = load(l, from->data.sequence.items.start[i], depth + 1, &items[i]);
        if (r < 0)
            return r;
    }
    to->kind = CONF_NODE_LIST;
    to->items = items;
    to->n = n;
    return 0;
}

/* A map while it grows. */
struct growing_map {
    struct str_view *keys;
    const struct conf_node **values;
    unsigned *lines;
    size_t n, cap;
};

static bool map_has(const struct growing_map *p, struct str_view key)
{
    for (size_t i = 0; i < p->n; i++)
        if (sv_eq(p->keys[i], key))
            return true;
    return false;
}

static void map_add(struct loader *l, struct growing_map *p, struct str_view key,
                    const struct conf_node *value, unsigned line)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        struct growing_map more = {
            .keys = ARENA_ARRAY(l->arena, struct str_view, cap),
            .values = ARENA_ARRAY(l->arena, const struct conf_node *, cap),
            .lines = ARENA_ARRAY(l->arena, unsigned, cap),
            .n = p->n,
            .cap = cap,
        };
        if (p->n) {
            memcpy(more.keys, p->keys, p->n * sizeof *p->keys);
            memcpy(more.values, p->values, p->n * sizeof *p->values);
            memcpy(more.lines, p->lines, p->n * sizeof *p->lines);
        }
        *p = more;
    }
    p->keys[p->n] = key;
    p->values[p->n] = value;
    p->lines[p->n++] = line;
}

/* "<<: *a" or "<<: [*a, *b]": keys that the map does not name itself, the first source wins. */
static int merge(struct loader *l, struct growing_map *p, const struct conf_node *from,
                 unsigned line)
{
    if (from->kind == CONF_NODE_LIST) {
        for (size_t i = 0; i < from->n; i++) {
            if (from->items[i]->kind != CONF_NODE_MAP)
                return err_set(l->err, ERR_INVALID, "line %u: << takes maps", line);
            int r = merge(l, p, from->items[i], line);
            if (r < 0)
                return r;
        }
        return 0;
    }
    if (from->kind != CONF_NODE_MAP)
        return err_set(l->err, ERR_INVALID, "line %u: << takes a map", line);
    l->n_nodes += from->n;
    if (l->n_nodes > MAX_NODES)
        return err_set(l->err, ERR_INVALID, "line %u: over %d YAML nodes", line, MAX_NODES);
    for (size_t i = 0; i < from->n; i++)
        if (!map_has(p, from->keys[i]))
            map_add(l, p, from->keys[i], from->items[i], from->key_lines[i]);
    return 0;
}

/* Sorts a copy of the keys, so that a large map costs no n squared. */
static int by_key(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static int check_duplicates(struct loader *l, const struct growing_map *p)
{
    struct str_view *sorted = ARENA_ARRAY(l->arena, struct str_view, p->n + 1);
    if (p->n)
        memcpy(sorted, p->keys, p->n * sizeof *sorted);
    qsort(sorted, p->n, sizeof *sorted, by_key);
    for (size_t i = 1; i < p->n; i++) {
        if (!sv_eq(sorted[i - 1], sorted[i]))
            continue;
        unsigned line = 0;
        for (size_t k = 0; k < p->n; k++)
            if (sv_eq(p->keys[k], sorted[i]))
                line = p->lines[k];
        return err_set(l->err, ERR_INVALID, "line %u: key '%.*s' appears twice", line,
                       SV_ARG(sv_sub(sorted[i], 0, 200)));
    }
    return 0;
}

static int load_map(struct loader *l, const yaml_node_t *from, unsigned depth, struct conf_node *to)
{
    struct growing_map p = {0};
    const struct conf_node *merge_from[8];
    size_t n_merges = 0;
    for (yaml_node_pair_t *pair = from->data.mapping.pairs.start;
         pair < from->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(l->doc, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return err_set(l->err, ERR_INVALID, "line %u: a key must be a name", line_of(key));
        const struct conf_node *value;
        int r = load(l, pair->value, depth + 1, &value);
        if (r < 0)
            return r;
        bool is_merge =
            sv_eq(scalar_text(key), SV("<<")) && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (!is_merge)
            map_add(l, &p, arena_copy(l->arena, scalar_text(key)), value, line_of(key));
        else if (n_merges < sizeof merge_from / sizeof merge_from[0])
            merge_from[n_merges++] = value;
        else
            return err_set(l->err, ERR_INVALID, "line %u: too many << keys", line_of(key));
    }
    int r = check_duplicates(l, &p);
    for (size_t i = 0; r == 0 && i < n_merges; i++)
        r = merge(l, &p, merge_from[i], line_of(from));
    *to = (struct conf_node){.kind = CONF_NODE_MAP,
                             .line = to->line,
                             .n = p.n,
                             .items = p.values,
                             .keys = p.keys,
                             .key_lines = p.lines};
    return r;
}

static int load(struct loader *l, int id, unsigned depth, const struct conf_node **ret)
{
    yaml_node_t *from = yaml_document_get_node(l->doc, id);
    if (depth > MAX_DEPTH)
        return err_set(l->err, ERR_INVALID, "line %u: nested deeper than %d", line_of(from),
                       MAX_DEPTH);
    if (++l->n_nodes > MAX_NODES)
        return err_set(l->err, ERR_INVALID, "line %u: over %d YAML nodes", line_of(from),
                       MAX_NODES);
    struct conf_node *to = ARENA_NEW(l->arena, struct conf_node);
    to->line = line_of(from);
    *ret = to;
    switch (from->type) {
    case YAML_SEQUENCE_NODE:
        return load_list(l, from, depth, to);
    case YAML_MAPPING_NODE:
        return load_map(l, from, depth, to);
    default:
        load_scalar(l, from, to);
        return 0;
    }
}

static int load_document(struct loader *l, const struct conf_node **ret)
{
    yaml_node_t *root = yaml_document_get_root_node(l->doc);
    if (!root) {
        struct conf_node *empty = ARENA_NEW(l->arena, struct conf_node);
        empty->kind = CONF_NODE_MAP;
        empty->line = 1;
        *ret = empty;
        return 0;
    }
    int r = load(l, (int)(root - l->doc->nodes.start) + 1, 0, ret);
    if (r == 0 && (*ret)->kind == CONF_NODE_SCALAR && (*ret)->is_null) {
        struct conf_node *empty = ARENA_NEW(l->arena, struct conf_node);
        *empty = (struct conf_node){.kind = CONF_NODE_MAP, .line = (*ret)->line};
        *ret = empty;
    }
    return r;
}

int conf_yaml_parse(struct str_view text, struct arena *arena, const struct conf_node **ret,
                    struct err *err)
{
    if (text.len > MAX_TEXT_BYTES)
        return err_set(err, ERR_INVALID, "the file has %zu bytes, limit %d", text.len,
                       MAX_TEXT_BYTES);
    yaml_parser_t parser;
    yaml_document_t doc, second;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, ERR_INVALID, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.len);
    int r = 0;
    if (!yaml_parser_load(&parser, &doc)) {
        /* Reader errors (bad UTF-8) carry an offset only, scanner errors a mark. */
        unsigned line = (unsigned)parser.problem_mark.line + 1;
        r = err_set(err, ERR_INVALID, "line %u: %s", line,
                    parser.problem ? parser.problem : "not YAML");
        yaml_parser_delete(&parser);
        return r;
    }
    struct loader l = {.doc = &doc, .arena = arena, .err = err};
    r = load_document(&l, ret);
    if (r == 0 && yaml_document_get_root_node(&doc) && yaml_parser_load(&parser, &second)) {
        yaml_node_t *root = yaml_document_get_root_node(&second);
        if (root)
            r = err_set(err, ERR_INVALID, "line %u: a second YAML document", line_of(root));
        yaml_document_delete(&second);
    } else if (r == 0 && parser.error != YAML_NO_ERROR) {
        r = err_set(err, ERR_INVALID, "line %u: %s", (unsigned)parser.problem_mark.line + 1,
                    parser.problem ? parser.problem : "not YAML");
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return r;
}

const struct conf_node *conf_node_get(const struct conf_node *map, struct str_view key)
{
    for (size_t i = 0; map && map->kind == CONF_NODE_MAP && i < map->n; i++)
        if (sv_eq(map->keys[i], key))
            return map->items[i];
    return NULL;
}
