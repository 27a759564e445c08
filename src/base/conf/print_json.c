/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as one JSON object: what /loki/api/v1/drilldown-limits answers with.  Numbers and truth
 * values stand bare; durations and sizes are texts, as the configuration writes them. */
#include "base/conf/table.h"

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

static void put_value(struct buf *out, const struct conf_row *row, const void *base)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    conf_row_shown(row, base, &text);
    if (row->flags & CONF_IGNORED) {
        buf_put(out, SV("false")); /* clients ask whether the feature is on */
        return;
    }
    if (row->flags & CONF_SECRET) {
        put_string(out, buf_view(&text));
        return;
    }
    switch (row->type) {
    case CONF_BOOL:
    case CONF_INT:
    case CONF_UINT:
    case CONF_FLOAT:
        buf_put(out, buf_view(&text));
        return;
    case CONF_YAML:
        put_node(out, conf_row_node(row, base));
        return;
    case CONF_STRINGS:
        buf_put_u8(out, '[');
        conf_put_strings(conf_row_strings(row, base), ",", put_string, out);
        buf_put_u8(out, ']');
        return;
    case CONF_DURATION:
    case CONF_PROM_DURATION:
    case CONF_SIZE:
    case CONF_STRING:
        put_string(out, buf_view(&text));
        return;
    }
}

void conf_rows_print_json(const struct conf_row *rows, size_t n, const void *base,
                          conf_keep_fn *keep, void *ctx, struct buf *out)
{
    bool first = true;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (keep && !keep(ctx, &rows[i]))
            continue;
        buf_put(out, first ? SV("") : SV(","));
        first = false;
        put_string(out, sv_of(rows[i].key));
        buf_put_u8(out, ':');
        put_value(out, &rows[i], base);
    }
    buf_put_u8(out, '}');
}
