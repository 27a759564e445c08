/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: YAML that parses prints to YAML that parses to the same print; a scalar that a value
 * parser takes is written to a text that gives the same value. */
#include <assert.h>

#include "base/conf/conf.h"
#include "base/values.h"

enum { MAX_KEY_BYTES = 200, MAX_PRINT_BYTES = 4 << 20 };

/* YAML has a bound of 1024 characters for a key on one line, which is how we print them. */
static bool has_long_key(const struct conf_node *node)
{
    for (size_t i = 0; i < node->n; i++) {
        if (node->kind == CONF_NODE_MAP && node->keys[i].len > MAX_KEY_BYTES)
            return true;
        if (has_long_key(node->items[i]))
            return true;
    }
    return false;
}

static void check_yaml(struct str_view text)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    const struct conf_node *node;
    struct err err = ERR_INIT;
    if (conf_yaml_parse(text, &arena, &node, &err) < 0) {
        assert(err.text[0]);
        return;
    }
    if (has_long_key(node))
        return;
    conf_node_print(node, 0, &first);
    if (first.len > MAX_PRINT_BYTES)
        return;
    const struct conf_node *again;
    int r = conf_yaml_parse(buf_view(&first), &arena, &again, &err);
    assert(r == 0);
    conf_node_print(again, 0, &second);
    assert(sv_eq(buf_view(&first), buf_view(&second)));
}

static void check_duration(struct str_view text)
{
    int64_t ns, back;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    if (conf_parse_duration(text, &ns, NULL) == 0) {
        buf_put_duration_go(&out, ns);
        assert(conf_parse_duration(buf_view(&out), &back, NULL) == 0 && back == ns);
    }
    buf_clear(&out);
    if (conf_parse_prom_duration(text, &ns, NULL) == 0) {
        conf_put_prom_duration(&out, ns);
        assert(conf_parse_prom_duration(buf_view(&out), &back, NULL) == 0 && back == ns);
    }
}

static void check_size(struct str_view text)
{
    uint64_t bytes, back;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    if (conf_parse_size(text, &bytes, NULL) < 0)
        return;
    conf_put_size(&out, bytes);
    assert(conf_parse_size(buf_view(&out), &back, NULL) == 0 && back == bytes);
}

struct all {
    bool b;
    int64_t i, go_ns, prom_ns;
    uint64_t u, z;
    double f;
    const char *s;
    struct conf_strings l;
    const struct conf_node *y;
};

static const struct conf_row rows[] = {
    CONF_ROW(struct all, b, "b", CONF_BOOL, "false", "b"),
    CONF_ROW(struct all, i, "i", CONF_INT, "0", "i"),
    CONF_ROW(struct all, u, "block.u", CONF_UINT, "0", "u"),
    CONF_ROW(struct all, z, "block.z", CONF_SIZE, "0B", "z"),
    CONF_ROW(struct all, f, "f", CONF_FLOAT, "0", "f"),
    CONF_ROW(struct all, go_ns, "go", CONF_DURATION, "0s", "go"),
    CONF_ROW(struct all, prom_ns, "prom", CONF_PROM_DURATION, "0s", "prom"),
    CONF_ROW(struct all, s, "s", CONF_STRING, "", "s"),
    CONF_ROW(struct all, l, "l", CONF_STRINGS, "", "l"),
    CONF_ROW(struct all, y, "y", CONF_YAML, "", "y"),
};

/* A configuration that loads prints to one that loads to the same print. */
static void check_config(struct str_view text)
{
    struct all all;
    const struct conf_section section = {"", rows, N_ROWS(rows), &all};
    static const char *const ignored[] = {"old", "block.x*", NULL};
    struct conf *c = conf_new(&section, 1, ignored);
    struct err err = ERR_INIT;
    if (conf_load_yaml(c, text, "fuzz", false, &err) == 0 && !(all.y && has_long_key(all.y))) {
        CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
        conf_print_yaml(c, CONF_PRINT_ALL, &first);
        if (first.len < MAX_PRINT_BYTES) {
            int r = conf_load_yaml(c, buf_view(&first), "again", false, &err);
            assert(r == 0);
            conf_print_yaml(c, CONF_PRINT_ALL, &second);
            assert(sv_eq(buf_view(&first), buf_view(&second)));
        }
    }
    conf_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view text = sv((const char *)data, len);
    check_yaml(text);
    check_config(text);
    check_duration(text);
    check_size(text);
    return 0;
}
