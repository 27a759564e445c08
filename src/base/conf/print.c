/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as YAML: nodes, rows, scalars. */
#include "base/ascii.h"
#include "base/conf/table.h"

static void indent_by(struct buf *out, unsigned indent)
{
    buf_fill(out, ' ', indent);
}

/* Plain only what no YAML reader takes for something else. */
static bool is_plain(struct str_view v)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};
    enum { N_WORDS = sizeof words / sizeof words[0] };
    if (v.len == 0 || !(ascii_is_letter(v.p[0]) || v.p[0] == '_' || v.p[0] == '/'))
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (!ascii_is_alnum(v.p[i]) && !memchr("_./-", v.p[i], 4))
            return false;
    return sv_which_nocase(v, words, N_WORDS) == N_WORDS;
}

/* Characters that YAML reads as line breaks or not at all, and their length in UTF-8: NULL when c
 * is not one.  Those below 0x80 are the caller's. */
static const char *odd_escape(struct str_view rest, size_t *ret_len)
{
    static const struct {
        const char *utf8, *escape;
    } odd[] = {{"\u2028", "\\u2028"},
               {"\u2029", "\\u2029"},
               {"\xef\xbb\xbf", "\\uFEFF"},
               {"\xef\xbf\xbe", "\\uFFFE"},
               {"\xef\xbf\xbf", "\\uFFFF"}};
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        *ret_len = strlen(odd[i].utf8);
        if (sv_starts_with(rest, sv(odd[i].utf8, *ret_len)))
            return odd[i].escape;
    }
    return NULL;
}

void conf_put_yaml_string(struct buf *out, struct str_view v)
{
    if (is_plain(v)) {
        buf_put(out, v);
        return;
    }
    buf_put_u8(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        size_t len = 0;
        const char *escape = c < 0x80 ? NULL : odd_escape(sv_from(v, i), &len);
        if (escape) {
            buf_put(out, sv_of(escape));
            i += len - 1;
        } else if (c == 0xc2 && i + 1 < v.len && (unsigned char)v.p[i + 1] <= 0xa0) {
            buf_printf(out, "\\u00%02x", (unsigned char)v.p[++i]); /* C1 controls, NBSP */
        } else if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", c);
        } else if (c == '\n') {
            buf_put(out, SV("\\n"));
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_put_u8(out, c);
        }
    }
    buf_put_u8(out, '"');
}

static void put_scalar_node(struct buf *out, const struct conf_node *node)
{
    if (node->is_null)
        buf_put(out, SV("null"));
    else
        conf_put_yaml_string(out, node->text);
}

/* After "key:" or "-": a scalar goes on the line, anything else below it. */
static void put_node_below(const struct conf_node *node, unsigned indent, struct buf *out)
{
    if (node->kind == CONF_NODE_SCALAR) {
        buf_put_u8(out, ' ');
        put_scalar_node(out, node);
        buf_put_u8(out, '\n');
    } else if (node->n == 0) {
        buf_put(out, node->kind == CONF_NODE_MAP ? SV(" {}\n") : SV(" []\n"));
    } else {
        buf_put_u8(out, '\n');
        conf_node_print(node, indent, out);
    }
}

void conf_node_print(const struct conf_node *node, unsigned indent, struct buf *out)
{
    if (node->kind == CONF_NODE_SCALAR) {
        indent_by(out, indent);
        put_scalar_node(out, node);
        buf_put_u8(out, '\n');
    }
    for (size_t i = 0; i < node->n; i++) {
        indent_by(out, indent);
        if (node->kind == CONF_NODE_MAP) {
            conf_put_yaml_string(out, node->keys[i]);
            buf_put_u8(out, ':');
        } else {
            buf_put_u8(out, '-');
        }
        put_node_below(node->items[i], indent + 2, out);
    }
}

/* The value after "key:", with its newline. */
static void put_value(const struct conf_row *row, const void *base, unsigned indent,
                      struct buf *out)
{
    if (row->type == CONF_YAML) {
        const struct conf_node *node = conf_row_node(row, base);
        if (node)
            put_node_below(node, indent + 2, out);
        else
            buf_put(out, SV(" null\n"));
        return;
    }
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    conf_row_shown(row, base, &text);
    bool hidden = row->flags & CONF_SECRET && text.len > 0;
    buf_put_u8(out, ' ');
    if (row->type == CONF_STRING && !hidden) {
        conf_put_yaml_string(out, buf_view(&text));
    } else if (row->type == CONF_STRINGS && !hidden) {
        buf_put_u8(out, '[');
        conf_put_strings(conf_row_strings(row, base), ", ", conf_put_yaml_string, out);
        buf_put_u8(out, ']');
    } else {
        buf_put(out, buf_view(&text));
    }
    buf_put_u8(out, '\n');
}

/* The component of path that starts at `at`. */
static struct str_view component(struct str_view path, size_t at)
{
    struct str_view rest = sv_from(path, at);
    return sv_sub(rest, 0, sv_find_byte(rest, '.'));
}

/* How many bytes of path are whole leading components (with their dot) shared with the last. */
static size_t shared_blocks(struct str_view path, struct str_view last)
{
    size_t shared = 0;
    for (size_t i = 0; i < path.len && i < last.len && path.p[i] == last.p[i]; i++)
        if (path.p[i] == '.')
            shared = i + 1;
    return shared;
}

void conf_entries_print(const struct conf_entry *entries, size_t n, unsigned indent,
                        conf_keep_fn *keep, void *ctx, struct buf *out)
{
    struct str_view last = SV_EMPTY;
    for (size_t i = 0; i < n; i++) {
        const struct conf_entry *e = &entries[i];
        if ((e->row->flags & CONF_IGNORED) || (keep && !keep(ctx, e->row)))
            continue;
        size_t shared = shared_blocks(e->path, last);
        unsigned level = 0;
        for (size_t at = 0; at < e->path.len;) {
            struct str_view name = component(e->path, at);
            bool leaf = at + name.len == e->path.len;
            if (at >= shared) {
                indent_by(out, indent + 2 * level);
                buf_put(out, name);
                buf_put(out, leaf ? SV(":") : SV(":\n"));
            }
            level++;
            at += name.len + 1;
        }
        put_value(e->row, e->base, indent + 2 * (level - 1), out);
        last = e->path;
    }
}
