/* SPDX-License-Identifier: Apache-2.0 */
/* Stored data that is damaged or gone is left out, whole, and named; everything else of the answer
 * is as before. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lake.h"
#include "logql/parse.h"
#include "query/engine.h"
#include "wire/stats.h"

enum { N_SEGMENTS = 3, N_LINES = 20, BAD = 1 };

/* Segments one after the other, each with N_LINES of tenant t, in {app="x"}, and of u.  Line k of
 * segment i has time 100 * i + k. */
static int setup(void **state)
{
    struct lake *l = mem_zalloc(1, sizeof *l);
    lake_open(l, 2);
    l->chunks.filter = CHUNK_FILTER_ALWAYS;
    for (int i = 0; i < N_SEGMENTS; i++) {
        for (int k = 0; k < N_LINES; k++) {
            char line[64];
            snprintf(line, sizeof line, "line %d of segment %d", k, i);
            lake_push(l, lake_stream(l, "t", "{app=\"x\"}"), 100 * i + k, sv_of(line), SV_EMPTY);
            lake_push(l, lake_stream(l, "u", "{app=\"x\"}"), 100 * i + k, sv_of(line), SV_EMPTY);
        }
        lake_spill(l, i == BAD ? PLACE_OBJECT : PLACE_LOCAL);
    }
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    lake_close(*state);
    free(*state);
    return 0;
}

/* ---- harm ---- */

static struct str_view key_of(struct lake *l, size_t i)
{
    return l->segments[i].info.key;
}

static struct object_store *store_of(struct lake *l, size_t i)
{
    return l->segments[i].info.place == PLACE_LOCAL ? l->local : l->objects;
}

static void flip(struct lake *l, size_t i, uint64_t at)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    assert_int_equal(object_get(store_of(l, i), key_of(l, i), 1 << 20, &bytes, NULL), 0);
    assert_true(at < bytes.len);
    bytes.p[at] ^= 0x10;
    assert_int_equal(object_put(store_of(l, i), key_of(l, i), buf_view(&bytes), NULL), 0);
    segments_forget(l->cache, l->segments[i].info.uuid);
}

/* Where the first byte of a section of the tenant's only chunk stands in the file. */
static uint64_t place_of_section(struct lake *l, size_t i, const char *tenant,
                                 enum chunk_section section)
{
    struct open_segment *o;
    const struct part *part;
    assert_int_equal(segments_get(l->cache, l->segments[i].live, &o, NULL), 0);
    const struct segment *s = open_segment_file(o);
    const struct segment_part *p = segment_find_part(s, sv_of(tenant), 0);
    assert_non_null(p);
    assert_int_equal(open_segment_part(o, (uint32_t)(p - s->parts), &part, NULL), 0);
    uint64_t at = p->offset + chunk_section_offset(&part->chunks[0], section);
    segments_put(l->cache, o);
    return at;
}

/* ---- questions ---- */

/* Lines of the answer, oldest first, as "<time> <line>\n"; < 0: it failed. */
static int ask_lines(struct lake *l, const char *tenant, const char *query, struct buf *out,
                     struct err *err)
{
    struct arena arena = ARENA_INIT;
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    struct query_stats stats = {0};
    struct query_env env = lake_env(l, tenant, &control, &stats);
    const struct logql_expr *e;
    struct log_result res;
    const struct log_options options = {.end_ns = 10000, .limit = 1000};
    assert_int_equal(logql_parse(&arena, sv_of(query), &e, NULL), 0);
    int r = engine_log(&env, 1, &e->log, &options, &res, err);
    for (size_t i = 0; r == 0 && i < res.n_rows; i++)
        buf_printf(out, "%lld %.*s\n", (long long)res.rows[i].ts_ns, SV_ARG(res.rows[i].line));
    log_result_deinit(&res);
    query_control_deinit(&control);
    arena_deinit(&arena);
    return r;
}

/* The value at time 10000 of a query of one series; -1: none. */
static double ask_value(struct lake *l, const char *tenant, const char *query)
{
    struct arena arena = ARENA_INIT;
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    struct query_stats stats = {0};
    struct query_env env = lake_env(l, tenant, &control, &stats);
    const struct logql_expr *e;
    const struct eval_grid grid = eval_grid_of(10000, 10000, 0);
    const struct eval_options options = {.is_instant = true};
    struct eval *eval;
    const struct eval_result *res;
    struct err err = ERR_INIT;
    assert_int_equal(logql_parse(&arena, sv_of(query), &e, NULL), 0);
    if (engine_metric(&env, 1, e, &grid, &options, &eval, &res, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    double v = -1;
    if (res->n_series) {
        assert_int_equal(res->n_series, 1);
        v = res->series[0].points[0].value;
    }
    eval_free(eval);
    query_control_deinit(&control);
    arena_deinit(&arena);
    return v;
}

/* What tenant t has but for segment BAD. */
static void check_without_bad(struct lake *l)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    CLEANUP(buf_deinit) struct buf want = BUF_INIT;
    struct err err = ERR_INIT;
    for (int i = 0; i < N_SEGMENTS; i++)
        for (int k = 0; k < N_LINES && i != BAD; k++)
            buf_printf(&want, "%d line %d of segment %d\n", 100 * i + k, k, i);
    if (ask_lines(l, "t", "{app=\"x\"} |= \"line\"", &got, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(sv_eq(buf_view(&got), buf_view(&want)));
    assert_int_equal(damage_list_count(&l->damage.list), 1);
}

static void check_whole(struct lake *l, const char *tenant)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    uint64_t before = damage_list_count(&l->damage.list);
    size_t n = 0;
    assert_int_equal(ask_lines(l, tenant, "{app=\"x\"} |= \"line\"", &got, NULL), 0);
    for (size_t i = 0; i < got.len; i++)
        n += got.p[i] == '\n';
    assert_int_equal(n, N_SEGMENTS * N_LINES);
    assert_int_equal(damage_list_count(&l->damage.list), before);
}

static void take_text(void *ctx, struct str_view text)
{
    struct buf *to = ctx;
    buf_put(to, text);
    buf_put_u8(to, '\n');
}

static void check_named(struct lake *l, const char *what, const char *why)
{
    CLEANUP(buf_deinit) struct buf answer = BUF_INIT;
    CLEANUP(buf_deinit) struct buf known = BUF_INIT;
    assert_int_equal(damage_list_each(&l->damage.list, take_text, &answer), 0);
    assert_int_equal(segments_each_damage(l->cache, take_text, &known), 0);
    assert_true(sv_eq(buf_view(&answer), buf_view(&known)));
    assert_true(sv_starts_with(buf_view(&answer), sv_of(what)));
    buf_put_u8(&answer, '\0');
    assert_non_null(strstr(answer.p, why));
    buf_put_u8(&known, '\0');
    CLEANUP(buf_deinit) struct buf key = BUF_INIT;
    buf_put(&key, key_of(l, BAD));
    buf_put_u8(&key, '\0');
    assert_non_null(strstr(known.p, key.p));
}

/* ---- tests ---- */

static void test_a_damaged_chunk_is_left_out_and_named(void **state)
{
    struct lake *l = *state;
    flip(l, BAD, place_of_section(l, BAD, "t", CHUNK_LIN));
    check_without_bad(l);
    check_without_bad(l); /* and each once */
    check_named(l, "chunk 0 of part ", "checksum of its lines is wrong");
    check_whole(l, "u");
}

static void test_a_missing_object_is_left_out_and_never_not_found(void **state)
{
    struct lake *l = *state;
    assert_int_equal(object_delete(store_of(l, BAD), key_of(l, BAD), NULL), 0);
    segments_forget(l->cache, l->segments[BAD].info.uuid);
    check_without_bad(l);
    check_named(l, "segment '", "");
    assert_float_equal(ask_value(l, "t", "sum(count_over_time({app=\"x\"}[1m]))"),
                       (N_SEGMENTS - 1) * N_LINES, 0);
}

static void test_a_damaged_footer_is_left_out(void **state)
{
    struct lake *l = *state;
    flip(l, BAD, l->segments[BAD].info.bytes - 2);
    check_without_bad(l);
    check_named(l, "segment '", "");
}

static void test_a_damaged_directory_costs_its_tenant_alone(void **state)
{
    struct lake *l = *state;
    struct open_segment *o;
    assert_int_equal(segments_get(l->cache, l->segments[BAD].live, &o, NULL), 0);
    const struct segment_part *p = segment_find_part(open_segment_file(o), SV("t"), 0);
    uint64_t at = p->offset + p->bytes - 3;
    segments_put(l->cache, o);
    flip(l, BAD, at);
    check_without_bad(l);
    check_named(l, "part ", "");
    check_whole(l, "u");
}

/* Columns are read when somebody asks, so a leaf may have counted rows of a chunk before another
 * finds that it is damaged: then it counts for neither. */
static void test_a_chunk_counts_whole_or_not_at_all(void **state)
{
    static const char *const queries[] = {
        "sum(count_over_time({app=\"x\"} |= \"line\"[1m]))",
        "sum(count_over_time({app=\"x\"}[1m])) + 0 * sum(count_over_time({app=\"x\"} |= "
        "\"line\"[1m]))",
        "sum(count_over_time({app=\"x\"} | pattern \"line <n> of <_>\" [1m]))",
        "sum(count_over_time({app=\"x\"}[1m])) + 0 * sum(bytes_over_time({app=\"x\"} |= "
        "\"line\"[1m]))",
    };
    struct lake *l = *state;
    flip(l, BAD, place_of_section(l, BAD, "t", CHUNK_LIN));
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        assert_float_equal(ask_value(l, "t", queries[i]), (N_SEGMENTS - 1) * N_LINES, 0);
    assert_int_equal(damage_list_count(&l->damage.list), 1);
    assert_float_equal(ask_value(l, "u", queries[0]), N_SEGMENTS * N_LINES, 0);
}

/* Copies in two segments: the lines of one are damaged, which a count finds only when it gathers a
 * zone in doubt once more, with lines. */
static void test_a_zone_completes_without_the_damaged_strand(void **state)
{
    struct lake *l = *state;
    uint32_t s = lake_stream(l, "t", "{app=\"z\"}");
    for (int copy = 0; copy < 2; copy++) {
        for (int k = 0; k < N_LINES; k++)
            lake_push(l, s, 5000 + k, SV("the same"), SV_EMPTY);
        for (int k = 0; k < 5; k++)
            lake_push(l, s, 4000 + 1000 * copy + 100 + k, SV("not the same"), SV_EMPTY);
        lake_spill(l, PLACE_LOCAL);
    }
    const char *query = "sum(count_over_time({app=\"z\"}[1m]))";
    assert_float_equal(ask_value(l, "t", query), N_LINES + 10, 0);
    flip(l, N_SEGMENTS, place_of_section(l, N_SEGMENTS, "t", CHUNK_LIN));
    assert_float_equal(ask_value(l, "t", query), N_LINES + 5, 0);
    assert_int_equal(damage_list_count(&l->damage.list), 1);
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    size_t n = 0;
    assert_int_equal(ask_lines(l, "t", "{app=\"z\"}", &got, NULL), 0);
    for (size_t i = 0; i < got.len; i++)
        n += got.p[i] == '\n';
    assert_int_equal(n, N_LINES + 5);
}

static void test_a_damaged_filter_only_skips_nothing(void **state)
{
    struct lake *l = *state;
    struct open_segment *o;
    const struct part *part;
    const char *query = "sum(count_over_time({app=\"f\"} |= \"number\"[1m]))";
    for (int k = 0; k < 2000; k++) {
        char line[64];
        snprintf(line, sizeof line, "%x is a number", k * 2654435761u);
        lake_push(l, lake_stream(l, "t", "{app=\"f\"}"), 5000 + k, sv_of(line), SV_EMPTY);
    }
    lake_spill(l, PLACE_LOCAL);
    assert_int_equal(segments_get(l->cache, l->segments[N_SEGMENTS].live, &o, NULL), 0);
    const struct segment *s = open_segment_file(o);
    const struct segment_part *p = segment_find_part(s, SV("t"), 0);
    assert_int_equal(open_segment_part(o, (uint32_t)(p - s->parts), &part, NULL), 0);
    uint64_t at = p->offset + part->chunks[0].filter_offset;
    bool has_filter = part->chunks[0].filter_bits > 0;
    segments_put(l->cache, o);
    assert_true(has_filter);
    flip(l, N_SEGMENTS, at);
    assert_float_equal(ask_value(l, "t", query), 2000, 0);
    assert_int_equal(damage_list_count(&l->damage.list), 0);
    CLEANUP(buf_deinit) struct buf known = BUF_INIT;
    segments_each_damage(l->cache, take_text, &known);
    assert_true(sv_starts_with(buf_view(&known), SV("filter of chunk 0")));
}

static void test_strict_queries_fail_and_say_what_is_damaged(void **state)
{
    struct lake *l = *state;
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct err err = ERR_INIT;
    l->damage.is_fatal = true;
    flip(l, BAD, place_of_section(l, BAD, "t", CHUNK_LIN));
    assert_int_equal(ask_lines(l, "t", "{app=\"x\"}", &got, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "chunk 0 of part "));
    assert_int_equal(object_delete(store_of(l, 0), key_of(l, 0), NULL), 0);
    segments_forget(l->cache, l->segments[0].info.uuid);
    assert_int_equal(ask_lines(l, "t", "{app=\"x\"}", &got, &err), ERR_CORRUPT);
}

static void test_a_list_is_bounded_and_forgets_what_is_gone(void **state)
{
    struct damage_list list;
    CLEANUP(buf_deinit) struct buf texts = BUF_INIT;
    struct damage_place at = {uuid_new(), SV("k"), 0, 0};
    damage_list_init(&list);
    for (uint32_t i = 0; i < DAMAGE_MAX + 5; i++) {
        at.chunk = i;
        assert_true(damage_list_add(&list, &at, SV("text")));
    }
    at.chunk = 7;
    assert_false(damage_list_add(&list, &at, SV("text")));
    assert_int_equal(damage_list_count(&list), DAMAGE_MAX + 5);
    assert_int_equal(damage_list_each(&list, take_text, &texts), 5);
    damage_list_forget(&list, at.segment);
    assert_true(damage_list_add(&list, &at, SV("text")));
    at.part_no = at.chunk = DAMAGE_ALL;
    assert_true(damage_list_add(&list, &at, SV("text")));
    at.part_no = at.chunk = 3; /* all of it is known */
    assert_false(damage_list_add(&list, &at, SV("text")));
    damage_list_deinit(&list);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_damaged_chunk_is_left_out_and_named),
        T(test_a_missing_object_is_left_out_and_never_not_found),
        T(test_a_damaged_footer_is_left_out),
        T(test_a_damaged_directory_costs_its_tenant_alone),
        T(test_a_chunk_counts_whole_or_not_at_all),
        T(test_a_zone_completes_without_the_damaged_strand),
        T(test_a_damaged_filter_only_skips_nothing),
        T(test_strict_queries_fail_and_say_what_is_damaged),
        cmocka_unit_test(test_a_list_is_bounded_and_forgets_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
