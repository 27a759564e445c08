/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/conf/conf.h"
#include "base/values.h"

struct inner {
    bool on;
    int64_t n;
    uint64_t bytes;
    double share;
    int64_t wait_ns, keep_ns;
    const char *name;
    struct conf_strings names;
    const struct conf_node *block;
    const char *secret;
};

static const struct conf_row rows[] = {
    CONF_ROW(struct inner, on, "on", CONF_BOOL, "true", "A switch"),
    CONF_ROW(struct inner, n, "n", CONF_INT, "-5", "A number"),
    CONF_ROW(struct inner, bytes, "max_bytes", CONF_SIZE, "256KB", "A size"),
    CONF_ROW(struct inner, share, "deep.share", CONF_FLOAT, "0.1", "A share"),
    CONF_ROW(struct inner, wait_ns, "deep.wait", CONF_DURATION, "1m30s", "A wait"),
    CONF_ROW(struct inner, keep_ns, "keep_for", CONF_PROM_DURATION, "30d1h", "A time"),
    CONF_ROW(struct inner, name, "name", CONF_STRING, "fake", "A name"),
    CONF_ROW(struct inner, names, "names", CONF_STRINGS, "a,b", "Names"),
    CONF_ROW_FLAGS(struct inner, block, "block", CONF_YAML, "", "A block", CONF_GLOBAL_ONLY),
    CONF_ROW_FLAGS(struct inner, secret, "secret", CONF_STRING, "", "A secret", CONF_SECRET),
    {"old_key", CONF_YAML, 0, "", "Gone", CONF_IGNORED},
};

struct fixture {
    struct inner top, server;
    struct conf_section sections[2];
    struct conf *conf;
    struct err err;
};

static const char *const ignored[] = {"frontend_worker", "server.grpc_*", NULL};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->sections[0] = (struct conf_section){"", rows, N_ROWS(rows), &f->top};
    f->sections[1] = (struct conf_section){"server", rows, N_ROWS(rows), &f->server};
    f->conf = conf_new(f->sections, 2, ignored);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    conf_free(f->conf);
    free(f);
    return 0;
}

static int load(struct fixture *f, const char *yaml)
{
    return conf_load_yaml(f->conf, sv_of(yaml), "c.yaml", false, &f->err);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' does not contain '%s'", text, part);
}

static void test_rows_start_with_their_defaults(void **state)
{
    struct fixture *f = *state;
    assert_true(f->server.on);
    assert_int_equal(f->server.n, -5);
    assert_int_equal(f->server.bytes, 256 * 1024);
    assert_true(f->server.share == 0.1);
    assert_int_equal(f->server.wait_ns, 90 * INT64_C(1000000000));
    assert_int_equal(f->server.keep_ns, (30 * 24 + 1) * 3600 * INT64_C(1000000000));
    assert_string_equal(f->server.name, "fake");
    assert_int_equal(f->server.names.n, 2);
    assert_string_equal(f->server.names.v[1], "b");
    assert_null(f->server.block);
}

static void test_a_file_sets_what_it_names_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "n: 7\nserver:\n  n: 9\n  deep: {wait: 5s}\n  names: [x, 'y z']\n"
                             "  name: \"quo\\\"te\"\n  block:\n    - selector: '{a=\"b\"}'\n"),
                     0);
    assert_int_equal(f->top.n, 7);
    assert_int_equal(f->server.n, 9);
    assert_int_equal(f->server.wait_ns, 5 * INT64_C(1000000000));
    assert_true(f->server.share == 0.1);
    assert_string_equal(f->server.names.v[1], "y z");
    assert_string_equal(f->server.name, "quo\"te");
    assert_int_equal(f->server.block->kind, CONF_NODE_LIST);
    assert_true(
        sv_eq(conf_node_get(f->server.block->items[0], SV("selector"))->text, SV("{a=\"b\"}")));
}

static void test_an_unknown_key_names_line_key_and_the_nearest(void **state)
{
    struct fixture *f = *state;
    assert_true(load(f, "n: 1\nserver:\n  max_byte: 3\n") < 0);
    assert_has(f->err.text, "c.yaml");
    assert_has(f->err.text, "line 3");
    assert_has(f->err.text, "'server.max_byte'");
    assert_has(f->err.text, "'server.max_bytes'");
    assert_true(load(f, "servr:\n  n: 3\n") < 0);
    assert_has(f->err.text, "line 1");
    assert_has(f->err.text, "'server'");
    assert_true(load(f, "zzzzzzzzzzzzzzzz: 3\n") < 0);
    assert_null(strstr(f->err.text, "nearest"));
}

static void test_a_dotted_key_does_not_reach_into_a_block(void **state)
{
    struct fixture *f = *state;
    assert_true(load(f, "server.n: 3\n") < 0);
    assert_has(f->err.text, "server.n");
}

static void test_a_duplicate_key_is_an_error_with_its_line(void **state)
{
    struct fixture *f = *state;
    assert_true(load(f, "server:\n  n: 1\n  on: true\n  n: 2\n") < 0);
    assert_has(f->err.text, "line 4");
    assert_has(f->err.text, "'n'");
}

static void test_a_wrong_value_names_line_key_and_value(void **state)
{
    static const char *const wrong[][2] = {
        {"n: 5m", "'5m' is not a whole number"},
        {"n: ~x", "whole number"},
        {"on: maybe", "true or false"},
        {"max_bytes: 3 bananas", "3 bananas"},
        {"deep: {wait: 1d}", "deep.wait"},
        {"deep: 3", "block of keys"},
        {"names: {a: b}", "wants a list"},
        {"n: [1]", "wants a int"},
        {"deep: {share: 0x10}", "not a number"},
        {"deep: {share: nan}", "not a number"},
        {"keep_for: 1h1d", "1h1d"},
        {"keep_for: -5", "-5"},
        {"names: [[a]]", "item 1"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        f->err = ERR_INIT;
        assert_true(load(f, wrong[i][0]) < 0);
        assert_has(f->err.text, "line 1");
        assert_has(f->err.text, wrong[i][1]);
    }
}

static void test_keys_without_meaning_warn_once_each(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "frontend_worker:\n  a: {b: c}\nserver:\n  grpc_listen_port: 1\n"
                             "  old_key: {x: 1}\n"),
                     0);
    assert_int_equal(conf_n_warnings(f->conf), 3);
    assert_has(conf_warning(f->conf, 0), "line 1: key 'frontend_worker'");
    assert_has(conf_warning(f->conf, 1), "line 4: key 'server.grpc_listen_port'");
    assert_has(conf_warning(f->conf, 2), "server.old_key");
}

static void test_null_keeps_the_value_and_anchors_work(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "n:\ndeep: &d {share: 0.5}\nserver:\n  deep:\n    <<: *d\n"
                             "    wait: 1s\n  name: ~\n"),
                     0);
    assert_int_equal(f->top.n, -5);
    assert_true(f->server.share == 0.5);
    assert_int_equal(f->server.wait_ns, INT64_C(1000000000));
    assert_string_equal(f->server.name, "fake");
}

static void test_alias_bombs_and_deep_nesting_are_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf bomb = BUF_INIT;
    buf_put(&bomb, SV("block:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"));
    for (int i = 1; i < 12; i++)
        buf_printf(&bomb, "  a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    buf_put_u8(&bomb, 0);
    assert_true(load(f, bomb.p) < 0);
    assert_has(f->err.text, "YAML nodes");
    buf_clear(&bomb);
    buf_put(&bomb, SV("block: "));
    for (int i = 0; i < 500; i++)
        buf_put_u8(&bomb, '[');
    for (int i = 0; i < 500; i++)
        buf_put_u8(&bomb, ']');
    buf_put_u8(&bomb, 0);
    assert_true(load(f, bomb.p) < 0);
}

static void test_text_that_is_not_yaml_is_refused_with_a_line(void **state)
{
    static const char *const wrong[] = {"server: [\n", "a: b: c\n",         "\tx: 1\n",
                                        "a: 'x\n",     "n: 1\n---\nn: 2\n", "- n\n",
                                        "n",           "? [a]\n: 1\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        f->err = ERR_INIT;
        assert_true(load(f, wrong[i]) < 0);
        assert_has(f->err.text, "line ");
    }
    assert_int_equal(load(f, ""), 0);
    assert_int_equal(load(f, "# only a comment\n"), 0);
}

static void test_environment_variables_are_expanded_when_asked(void **state)
{
    struct fixture *f = *state;
    setenv("CONF_TEST_NAME", "from env", 1);
    unsetenv("CONF_TEST_NONE");
    struct str_view yaml = SV(
        "name: ${CONF_TEST_NAME}\nn: ${CONF_TEST_NONE:-12}\nserver: {name: '${CONF_TEST_NONE}'}");
    assert_int_equal(conf_load_yaml(f->conf, yaml, "c.yaml", true, &f->err), 0);
    assert_string_equal(f->top.name, "from env");
    assert_int_equal(f->top.n, 12);
    assert_string_equal(f->server.name, "");
    assert_int_equal(conf_load_yaml(f->conf, SV("name: ${CONF_TEST_NAME}"), "c.yaml", false, NULL),
                     0);
    assert_string_equal(f->top.name, "${CONF_TEST_NAME}");
}

static void test_flags_set_values_in_every_form(void **state)
{
    struct fixture *f = *state;
    int used = 0;
    assert_int_equal(conf_load_flag(f->conf, "-server.n=3", NULL, &used, NULL), 0);
    assert_int_equal(used, 1);
    assert_int_equal(conf_load_flag(f->conf, "--server.max-bytes", "1MB", &used, NULL), 0);
    assert_int_equal(used, 2);
    assert_int_equal(conf_load_flag(f->conf, "-on=false", NULL, &used, NULL), 0);
    assert_int_equal(conf_load_flag(f->conf, "-server.on", "false", &used, NULL), 0);
    assert_int_equal(used, 1);
    assert_int_equal(f->server.n, 3);
    assert_int_equal(f->server.bytes, 1 << 20);
    assert_false(f->top.on);
    assert_true(f->server.on);
    assert_int_equal(conf_load_flag(f->conf, "-server.nn=3", NULL, &used, &f->err), ERR_NOT_FOUND);
    assert_has(f->err.text, "server.n");
    assert_true(conf_load_flag(f->conf, "-server.n", NULL, &used, &f->err) < 0);
    assert_has(f->err.text, "needs a value");
    assert_true(conf_load_flag(f->conf, "-server.n=abc", NULL, &used, &f->err) < 0);
    assert_has(f->err.text, "abc");
    assert_true(conf_load_flag(f->conf, "word", NULL, &used, &f->err) < 0);
    assert_true(conf_load_flag(f->conf, "--", NULL, &used, &f->err) < 0);
}

static void test_the_environment_sets_values(void **state)
{
    struct fixture *f = *state;
    static const char *const env[] = {"PATH=/bin", "HALOGI_SERVER_MAX_BYTES=2KB",
                                      "HALOGI_DEEP_WAIT=2s", "HALOGI_NOTHING=1", NULL};
    assert_int_equal(conf_load_env(f->conf, env, &f->err), 0);
    assert_int_equal(f->server.bytes, 2048);
    assert_int_equal(f->top.wait_ns, 2 * INT64_C(1000000000));
    assert_int_equal(conf_n_warnings(f->conf), 1);
    assert_has(conf_warning(f->conf, 0), "HALOGI_NOTHING");
    static const char *const wrong[] = {"HALOGI_N=x", NULL};
    assert_true(conf_load_env(f->conf, wrong, &f->err) < 0);
    assert_has(f->err.text, "HALOGI_N");
}

static void test_what_is_printed_loads_back_to_the_same(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f,
                          "name: 'on'\nsecret: s3\nn: 44\nserver:\n  name: \"a: b # c\\n\\x01\"\n"
                          "  names: []\n  deep: {share: 1e-7, wait: 1.5s}\n  keep_for: 1y2w\n"
                          "  block: {a: [1, {b: null, 'c d': ''}], e: {}, f: []}\n"),
                     0);
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT, diff = BUF_INIT;
    conf_print_yaml(f->conf, CONF_PRINT_ALL, &first);
    buf_put_u8(&first, 0);
    assert_null(strstr(first.p, "s3"));
    assert_has(first.p, "secret: <secret>");
    assert_int_equal(load(f, first.p), 0);
    conf_print_yaml(f->conf, CONF_PRINT_ALL, &second);
    buf_put_u8(&second, 0);
    assert_string_equal(first.p, second.p);
    conf_print_yaml(f->conf, CONF_PRINT_DIFF, &diff);
    buf_put_u8(&diff, 0);
    assert_has(diff.p, "n: 44");
    assert_null(strstr(diff.p, "max_bytes"));
}

static bool keep_some(void *ctx, const struct conf_row *row)
{
    return strcmp(row->key, ctx) != 0;
}

static void test_rows_are_printed_as_json(void **state)
{
    struct fixture *f = *state;
    static char unwanted[] = "deep.share";
    assert_int_equal(load(f, "name: \"a\\\"b\\n\"\nsecret: s3\nblock: {a: [1, null, ''], b: {}}\n"),
                     0);
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    conf_rows_print_json(rows, N_ROWS(rows), &f->top, keep_some, unwanted, &out);
    buf_put_u8(&out, 0);
    assert_string_equal(out.p,
                        "{\"on\":true,\"n\":-5,\"max_bytes\":\"256KB\",\"deep.wait\":\"1m30s\","
                        "\"keep_for\":\"30d1h\",\"name\":\"a\\\"b\\u000a\",\"names\":[\"a\","
                        "\"b\"],\"block\":{\"a\":[\"1\",null,\"\"],\"b\":{}},\"secret\":"
                        "\"<secret>\",\"old_key\":false}");
}

static void test_defaults_are_printed_whatever_is_loaded(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf before = BUF_INIT, after = BUF_INIT, all = BUF_INIT;
    conf_print_yaml(f->conf, CONF_PRINT_DEFAULTS, &before);
    conf_print_yaml(f->conf, CONF_PRINT_ALL, &all);
    assert_int_equal(load(f, "n: 1\nserver: {n: 2, name: x}\n"), 0);
    conf_print_yaml(f->conf, CONF_PRINT_DEFAULTS, &after);
    assert_true(sv_eq(buf_view(&before), buf_view(&after)));
    assert_true(sv_eq(buf_view(&before), buf_view(&all)));
}

static void test_the_reference_page_has_every_key(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf docs = BUF_INIT;
    conf_print_docs(f->conf, &docs);
    buf_put_u8(&docs, 0);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        if (rows[i].flags & CONF_IGNORED)
            continue;
        CLEANUP(buf_deinit) struct buf line = BUF_INIT;
        buf_printf(&line, "| `%s` | ", rows[i].key);
        buf_put_u8(&line, 0);
        assert_has(docs.p, line.p);
    }
    assert_null(strstr(docs.p, "old_key"));
}

static void test_overrides_refuse_what_holds_for_the_process(void **state)
{
    struct fixture *f = *state;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const struct conf_node *map;
    assert_int_equal(conf_yaml_parse(SV("n: 3\nblock: {}\n"), &a, &map, NULL), 0);
    assert_true(
        conf_rows_apply(rows, N_ROWS(rows), &f->top, map, "overrides.t", true, &a, &f->err) < 0);
    assert_has(f->err.text, "overrides.t: line 2: block");
    assert_int_equal(
        conf_rows_apply(rows, N_ROWS(rows), &f->top, map, "overrides.t", false, &a, &f->err), 0);
    assert_int_equal(f->top.n, 3);
}

static void check_duration(const char *text, int64_t want_ns, bool prom)
{
    int64_t ns = -1;
    int r = prom ? conf_parse_prom_duration(sv_of(text), &ns, NULL)
                 : conf_parse_duration(sv_of(text), &ns, NULL);
    if (want_ns == INT64_MIN) {
        if (r == 0)
            fail_msg("'%s' was taken as %lld", text, (long long)ns);
        return;
    }
    if (r != 0 || ns != want_ns)
        fail_msg("'%s' gave %d, %lld", text, r, (long long)ns);
}

static void test_durations_follow_go_and_prometheus(void **state)
{
    const int64_t s = 1000000000, bad = INT64_MIN;
    const struct {
        const char *text;
        int64_t go, prom;
    } cases[] = {
        {"1h30m", 5400 * s, 5400 * s},
        {"0", 0, 0},
        {"0s", 0, 0},
        {"1.5h", 5400 * s, 5400 * s},
        {"250ms", s / 4, s / 4},
        {"1d", bad, 86400 * s},
        {"1w2d", bad, 9 * 86400 * s},
        {"1y", bad, 365 * 86400 * s},
        {"1d1w", bad, bad},
        {"-1.5s", -3 * s / 2, -3 * s / 2},
        {"1m1h", 3660 * s, 3660 * s},
        {"5us", 5000, 5000},
        {"5µs", 5000, 5000},
        {"7ns", 7, 7},
        {"", bad, bad},
        {"5", bad, bad},
        {"h", bad, bad},
        {".s", bad, bad},
        {"1.2.3s", bad, bad},
        {"1 s", bad, bad},
        {"99999999999h", bad, bad},
        {"-", bad, bad},
        {"1x", bad, bad},
        {".5s", s / 2, s / 2},
        {"2562047h", s * 3600 * 2562047, s * 3600 * 2562047},
        {"300y", bad, bad},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_duration(cases[i].text, cases[i].go, false);
        check_duration(cases[i].text, cases[i].prom, true);
    }
}

static void test_durations_and_sizes_print_as_loki_prints_them(void **state)
{
    const int64_t s = 1000000000;
    const struct {
        int64_t ns;
        const char *go, *prom;
    } d[] = {{0, "0s", "0s"},
             {5400 * s, "1h30m0s", "1h30m"},
             {s / 4, "250ms", "250ms"},
             {3 * s / 2, "1.5s", "1s500ms"},
             {(30 * 24 + 1) * 3600 * s, "721h0m0s", "30d1h"},
             {7 * 86400 * s, "168h0m0s", "1w"},
             {60 * s, "1m0s", "1m"},
             {1500, "1.5µs", "1.5µs"}};
    for (size_t i = 0; i < sizeof d / sizeof d[0]; i++) {
        CLEANUP(buf_deinit) struct buf go = BUF_INIT, prom = BUF_INIT;
        buf_put_duration_go(&go, d[i].ns);
        conf_put_prom_duration(&prom, d[i].ns);
        assert_true(sv_eq(buf_view(&go), sv_of(d[i].go)));
        assert_true(sv_eq(buf_view(&prom), sv_of(d[i].prom)));
    }
    const struct {
        const char *text;
        uint64_t bytes;
        const char *shown;
    } z[] = {{"256KB", 262144, "256KB"},
             {"1.5mb", 1572864, "1536KB"},
             {"4GB", 4ULL << 30, "4GB"},
             {"100", 100, "100B"},
             {"0", 0, "0B"},
             {"10 MiB", 10 << 20, "10MB"},
             {"3k", 3072, "3KB"},
             {"12.", 12, "12B"},
             {".5kb", 512, "512B"},
             {"0.0001KB", 0, "0B"},
             {"1.1PiB", 1238489897526886, "1238489897526886B"},
             {"9007199254740993", 9007199254740993, "9007199254740993B"},
             {"1TB", 1ULL << 40, "1TB"}};
    for (size_t i = 0; i < sizeof z / sizeof z[0]; i++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT;
        uint64_t bytes = 0;
        assert_int_equal(conf_parse_size(sv_of(z[i].text), &bytes, NULL), 0);
        assert_int_equal(bytes, z[i].bytes);
        conf_put_size(&out, bytes);
        assert_true(sv_eq(buf_view(&out), sv_of(z[i].shown)));
    }
    static const char *const wrong[] = {
        "",   "KB",  "-1KB", "1XB", "1KBB", "9999999PB", "1.2.3KB", ".",
        "..", "1..", ".KB",  "1Ki", "1EB",  "1e3",       "0x10",    "9223372036854775808"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_true(conf_parse_size(sv_of(wrong[i]), &(uint64_t){0}, NULL) < 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_rows_start_with_their_defaults),
        T(test_a_file_sets_what_it_names_and_nothing_else),
        T(test_an_unknown_key_names_line_key_and_the_nearest),
        T(test_a_dotted_key_does_not_reach_into_a_block),
        T(test_a_duplicate_key_is_an_error_with_its_line),
        T(test_a_wrong_value_names_line_key_and_value),
        T(test_keys_without_meaning_warn_once_each),
        T(test_null_keeps_the_value_and_anchors_work),
        T(test_alias_bombs_and_deep_nesting_are_refused),
        T(test_text_that_is_not_yaml_is_refused_with_a_line),
        T(test_environment_variables_are_expanded_when_asked),
        T(test_flags_set_values_in_every_form),
        T(test_the_environment_sets_values),
        T(test_what_is_printed_loads_back_to_the_same),
        T(test_rows_are_printed_as_json),
        T(test_defaults_are_printed_whatever_is_loaded),
        T(test_the_reference_page_has_every_key),
        T(test_overrides_refuse_what_holds_for_the_process),
        T(test_durations_follow_go_and_prometheus),
        T(test_durations_and_sizes_print_as_loki_prints_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
