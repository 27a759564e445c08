/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded policy: u8 version, u8 flags, varint max_line_bytes, varint json depth, str suffix, then
 * the lists (varint count, strings): service names, level fields, generic fields (name, list). */
#include "wire/level.h"
#include "wire/push.h"

enum { POLICY_VERSION = 1, MAX_NAMES = 1024, MAX_NAME_BYTES = 64 << 10 };
enum { F_LEVELS = 1, F_METADATA = 2, F_INCREMENT = 4, F_TRUNCATE = 8 };

static void names_of_strings(const struct conf_strings *s, struct arena *a, struct push_names *ret)
{
    struct str_view *v = ARENA_ARRAY(a, struct str_view, s->n);
    size_t n = 0;
    for (size_t i = 0; i < s->n && n < MAX_NAMES; i++)
        if (s->v[i][0])
            v[n++] = sv_of(s->v[i]);
    *ret = (struct push_names){v, n};
}

static void generic_fields_of(const struct conf_node *map, struct arena *a, struct push_policy *ret)
{
    if (!map || map->kind != CONF_NODE_MAP)
        return;
    struct push_generic_field *v = ARENA_ARRAY(a, struct push_generic_field, map->n);
    for (size_t i = 0; i < map->n && i < MAX_NAMES; i++) {
        const struct conf_node *list = map->items[i];
        if (list->kind != CONF_NODE_LIST || map->keys[i].len == 0)
            continue;
        struct str_view *names = ARENA_ARRAY(a, struct str_view, list->n);
        for (size_t k = 0; k < list->n && k < MAX_NAMES; k++)
            names[k] = list->items[k]->text;
        size_t n = list->n < MAX_NAMES ? list->n : MAX_NAMES;
        v[ret->n_generic_fields++] =
            (struct push_generic_field){map->keys[i], {names, n}, level_names_new(a, names, n)};
    }
    ret->generic_fields = v;
}

void push_policy_of_limits(const struct limits *l, struct arena *a, struct push_policy *ret)
{
    *ret = (struct push_policy){
        .discover_log_levels = l->discover_log_levels,
        .allow_structured_metadata = l->allow_structured_metadata,
        .increment_duplicate_timestamp = l->increment_duplicate_timestamp,
        .truncate_lines = l->max_line_size_truncate,
        .max_line_bytes = l->max_line_size_bytes,
        .truncate_suffix = sv_of(l->max_line_size_truncate_identifier),
    };
    if (l->log_level_from_json_max_depth > 0)
        ret->log_level_json_depth = l->log_level_from_json_max_depth < UINT32_MAX
                                        ? (uint32_t)l->log_level_from_json_max_depth
                                        : 0;
    names_of_strings(&l->discover_service_name, a, &ret->discover_service_name);
    names_of_strings(&l->log_level_fields, a, &ret->log_level_fields);
    generic_fields_of(l->discover_generic_fields, a, ret);
    ret->level_names = level_names_new(a, ret->log_level_fields.v, ret->log_level_fields.n);
}

static void put_names(struct buf *out, const struct push_names *names)
{
    buf_put_varint(out, names->n);
    for (size_t i = 0; i < names->n; i++)
        buf_put_str(out, names->v[i]);
}

void push_policy_encode(struct buf *out, const struct push_policy *p)
{
    unsigned flags =
        (p->discover_log_levels ? F_LEVELS : 0) | (p->allow_structured_metadata ? F_METADATA : 0) |
        (p->increment_duplicate_timestamp ? F_INCREMENT : 0) | (p->truncate_lines ? F_TRUNCATE : 0);
    buf_put_u8(out, POLICY_VERSION);
    buf_put_u8(out, (uint8_t)flags);
    buf_put_varint(out, p->max_line_bytes);
    buf_put_varint(out, p->log_level_json_depth);
    buf_put_str(out, p->truncate_suffix);
    put_names(out, &p->discover_service_name);
    put_names(out, &p->log_level_fields);
    buf_put_varint(out, p->n_generic_fields);
    for (size_t i = 0; i < p->n_generic_fields; i++) {
        buf_put_str(out, p->generic_fields[i].name);
        put_names(out, &p->generic_fields[i].fields);
    }
}

/* A count of things that take at least one byte each. */
static size_t rd_count(struct reader *in)
{
    uint64_t n = rd_varint(in);
    if (n > MAX_NAMES || n > reader_left(in))
        in->bad = true;
    return in->bad ? 0 : (size_t)n;
}

static void rd_names(struct reader *in, struct arena *a, struct push_names *ret)
{
    size_t n = rd_count(in);
    struct str_view *v = ARENA_ARRAY(a, struct str_view, n);
    for (size_t i = 0; i < n; i++)
        v[i] = rd_str(in, MAX_NAME_BYTES);
    *ret = (struct push_names){v, n};
}

int push_policy_decode(struct str_view encoded, struct arena *a, struct push_policy *ret,
                       struct err *err)
{
    struct reader in = reader_of(encoded);
    struct push_policy p = {0};
    unsigned version = rd_u8(&in), flags = rd_u8(&in);
    if (in.bad || version != POLICY_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "push policy of version %u", version);
    p.discover_log_levels = flags & F_LEVELS;
    p.allow_structured_metadata = flags & F_METADATA;
    p.increment_duplicate_timestamp = flags & F_INCREMENT;
    p.truncate_lines = flags & F_TRUNCATE;
    p.max_line_bytes = rd_varint(&in);
    p.log_level_json_depth = (uint32_t)rd_varint(&in);
    p.truncate_suffix = rd_str(&in, MAX_NAME_BYTES);
    rd_names(&in, a, &p.discover_service_name);
    rd_names(&in, a, &p.log_level_fields);
    p.n_generic_fields = rd_count(&in);
    struct push_generic_field *fields =
        ARENA_ARRAY(a, struct push_generic_field, p.n_generic_fields);
    for (size_t i = 0; i < p.n_generic_fields; i++) {
        fields[i].name = rd_str(&in, MAX_NAME_BYTES);
        rd_names(&in, a, &fields[i].fields);
        fields[i].line_names = level_names_new(a, fields[i].fields.v, fields[i].fields.n);
    }
    p.generic_fields = fields;
    if (in.bad || !reader_done(&in))
        return err_set(err, ERR_CORRUPT, "push policy is cut short or too long");
    p.level_names = level_names_new(a, p.log_level_fields.v, p.log_level_fields.n);
    *ret = p;
    return 0;
}
