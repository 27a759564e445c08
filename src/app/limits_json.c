/* SPDX-License-Identifier: Apache-2.0 */
#include "app/limits_json.h"

static void put_string(struct buf *out, struct str_view v)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_put_u8(out, c);
    }
    buf_put_u8(out, '"');
}

static void put_node(struct buf *out, const struct conf_node *node)
{
    if (!node || (node->kind == CONF_NODE_SCALAR && node->is_null)) {
        buf_put(out, SV("null"));
        return;
    }
    if (node->kind == CONF_NODE_SCALAR) {
        put_string(out, node->text);
        return;
    }
    bool is_map = node->kind == CONF_NODE_MAP;
    buf_put_u8(out, is_map ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        buf_put(out, i ? SV(",") : SV(""));
        if (is_map) {
            put_string(out, node->keys[i]);
            buf_put_u8(out, ':');
        }
        put_node(out, node->items[i]);
    }
    buf_put_u8(out, is_map ? '}' : ']');
}

static void put_value(struct buf *out, const struct conf_row *row, const struct limits *l)
{
    const char *field = (const char *)l + row->offset;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    switch (row->type) {
    case CONF_BOOL:
    case CONF_INT:
    case CONF_UINT:
    case CONF_FLOAT:
        conf_row_text(row, l, out);
        return;
    case CONF_YAML: {
        const struct conf_node *node;
        memcpy(&node, field, sizeof node);
        put_node(out, node);
        return;
    }
    case CONF_STRINGS: {
        struct conf_strings list;
        memcpy(&list, field, sizeof list);
        buf_put_u8(out, '[');
        for (size_t i = 0; i < list.n; i++) {
            buf_put(out, i ? SV(",") : SV(""));
            put_string(out, sv_of(list.v[i]));
        }
        buf_put_u8(out, ']');
        return;
    }
    case CONF_DURATION:
    case CONF_PROM_DURATION:
    case CONF_SIZE:
    case CONF_STRING:
        conf_row_text(row, l, &text);
        put_string(out, buf_view(&text));
        return;
    }
}

void limits_put_json(const struct limits *l, conf_keep_fn *keep, void *ctx, struct buf *out)
{
    bool first = true;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < limits_n_rows; i++) {
        const struct conf_row *row = &limits_rows[i];
        if (!keep(ctx, row))
            continue;
        buf_put(out, first ? SV("") : SV(","));
        first = false;
        put_string(out, sv_of(row->key));
        buf_put_u8(out, ':');
        if (row->flags & CONF_IGNORED)
            buf_put(out, SV("false")); /* clients ask whether the feature is on */
        else
            put_value(out, row, l);
    }
    buf_put_u8(out, '}');
}
