/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "model/discard.h"
#include "model/limits.h"

struct fixture {
    struct arena arena;
    struct limits global;
    struct limits_table *table;
    struct limits_source source;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    limits_set_defaults(&f->global, &f->arena);
    f->table = limits_table_new(&f->global);
    f->source = limits_source_of_table(f->table);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    limits_table_free(f->table);
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

static int load(struct fixture *f, const char *yaml)
{
    f->err = ERR_INIT;
    return limits_table_load(f->table, sv_of(yaml), "overrides.yaml", &f->err);
}

static const struct limits *of(struct fixture *f, const char *tenant)
{
    return limits_of(&f->source, sv_of(tenant));
}

static void test_the_defaults_are_lokis(void **state)
{
    struct fixture *f = *state;
    const struct limits *l = &f->global;
    assert_true(l->ingestion_rate_mb == 4 && l->ingestion_burst_size_mb == 6);
    assert_int_equal(l->max_label_name_length, 1024);
    assert_int_equal(l->max_label_value_length, 2048);
    assert_int_equal(l->max_label_names_per_series, 15);
    assert_int_equal(l->reject_old_samples_max_age_ns, 7 * NS_PER_DAY);
    assert_int_equal(l->creation_grace_period_ns, 10 * NS_PER_MIN);
    assert_int_equal(l->max_line_size_bytes, 256 << 10);
    assert_int_equal(l->max_structured_metadata_size_bytes, 64 << 10);
    assert_int_equal(l->max_structured_metadata_entries_count, 128);
    assert_int_equal(l->max_global_streams_per_user, 5000);
    assert_int_equal(l->per_stream_rate_limit_bytes, 3 << 20);
    assert_int_equal(l->per_stream_rate_limit_burst_bytes, 15 << 20);
    assert_int_equal(l->max_query_length_ns, 721 * NS_PER_HOUR);
    assert_int_equal(l->max_query_series, 500);
    assert_int_equal(l->block_ingestion_status_code, 260);
    assert_int_equal(l->discover_service_name.n, 13);
    assert_string_equal(l->discover_service_name.v[0], "service");
    assert_int_equal(l->log_level_fields.n, 14);
    assert_true(l->reject_old_samples && l->discover_log_levels && l->allow_structured_metadata);
    assert_int_equal(l->block_ingestion_until_ns, 0);
}

static void test_an_override_starts_from_the_global_values(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "overrides:\n  a:\n    ingestion_rate_mb: 12\n    retention_period: "
                             "14d\n  b:\n    max_query_series: 2000\n  none: null\n"),
                     0);
    assert_true(of(f, "a")->ingestion_rate_mb == 12);
    assert_int_equal(of(f, "a")->retention_period_ns, 14 * NS_PER_DAY);
    assert_int_equal(of(f, "a")->max_query_series, 500);
    assert_int_equal(of(f, "b")->max_query_series, 2000);
    assert_int_equal(of(f, "none")->id, of(f, "other")->id);
    assert_int_not_equal(of(f, "a")->id, of(f, "b")->id);
    assert_true(of(f, "other")->ingestion_rate_mb == 4);
}

static void test_a_broken_file_keeps_what_was(void **state)
{
    static const char *const bad[] = {
        "overrides: [x]\n",
        "overrides:\n  a:\n    no_such_key: 1\n",
        "overrides:\n  a:\n    max_line_size: 3 bananas\n",
        "overrides:\n  a:\n    ingestion_rate_strategy: local\n", /* holds for the process */
        "overides:\n  a: {}\n",
        "- a\n",
        "overrides:\n  a: [\n",
        "overrides:\n  a: 5\n",
        "overrides:\n  a:\n    deletion_mode: maybe\n",
        "overrides:\n  a: {}\n  a: {}\n",
        "overrides:\n  a:\n    blocked_queries: [{pattern: '(', regex: true}]\n",
        "overrides:\n  a:\n    blocked_queries: [{pattern: x, regex: perhaps}]\n",
        "overrides:\n  a:\n    blocked_queries: [x]\n",
        "overrides:\n  a:\n    blocked_queries: {pattern: x}\n",
    };
    struct fixture *f = *state;
    assert_int_equal(load(f, "overrides:\n  a:\n    max_line_size: 1KB\n"), 0);
    const struct limits *before = of(f, "a");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(load(f, bad[i]) < 0);
        assert_true(f->err.text[0]);
        assert_ptr_equal(of(f, "a"), before);
    }
}

static void test_errors_name_tenant_key_and_line(void **state)
{
    struct fixture *f = *state;
    load(f, "overrides:\n  team-a:\n    max_line_sise: 1KB\n");
    assert_non_null(strstr(f->err.text, "overrides.yaml"));
    assert_non_null(strstr(f->err.text, "line 3"));
    assert_non_null(strstr(f->err.text, "max_line_sise"));
    assert_non_null(strstr(f->err.text, "max_line_size"));
}

static void test_a_reload_keeps_the_object_of_who_did_not_change(void **state)
{
    struct fixture *f = *state;
    load(f, "overrides:\n  a:\n    max_line_size: 1KB\n  b:\n    max_line_size: 2KB\n");
    const struct limits *a = of(f, "a"), *b = of(f, "b");
    assert_int_equal(
        load(f, "# moved\noverrides:\n  b:\n    max_line_size: 3KB\n  a: {max_line_size: 1024}\n"),
        0);
    assert_ptr_equal(of(f, "a"), a);
    assert_ptr_not_equal(of(f, "b"), b);
    assert_int_equal(b->max_line_size_bytes, 2 << 10); /* who holds it still reads it */
    assert_int_equal(of(f, "b")->max_line_size_bytes, 3 << 10);
    assert_int_equal(load(f, "overrides: {}\n"), 0);
    assert_int_equal(of(f, "a")->max_line_size_bytes, 256 << 10);
}

static void test_configs_are_accepted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "configs:\n  a:\n    log_push_request: true\n"), 0);
    assert_int_equal(load(f, "overrides:\n"), 0);
}

static void test_values_are_checked_beyond_their_type(void **state)
{
    struct fixture *f = *state;
    struct limits l = f->global;
    l.ingestion_rate_strategy = "none";
    assert_int_equal(limits_finish(&l, &f->err), ERR_INVALID);
    l = f->global;
    l.ingestion_rate_mb = -1;
    assert_int_equal(limits_finish(&l, &f->err), ERR_INVALID);
    l = f->global;
    l.block_ingestion_status_code = 42;
    assert_int_equal(limits_finish(&l, &f->err), ERR_INVALID);
    l = f->global;
    l.block_ingestion_until = "tomorrow";
    assert_int_equal(limits_finish(&l, &f->err), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "tomorrow"));
    l = f->global;
    l.block_ingestion_until = "2030-01-01T00:00:00Z";
    assert_int_equal(limits_finish(&l, &f->err), 0);
    assert_int_equal(l.block_ingestion_until_ns, 1893456000 * NS_PER_S);
}

struct reader_job {
    struct fixture *f;
    _Atomic bool stop;
};

static void read_all_the_time(void *ctx)
{
    struct reader_job *j = ctx;
    while (!atomic_load(&j->stop)) {
        uint64_t bytes = of(j->f, "a")->max_line_size_bytes;
        assert_true(bytes == 1024 || bytes == 2048 || bytes == 256 << 10);
    }
}

static void test_readers_never_wait_for_a_reload(void **state)
{
    struct fixture *f = *state;
    struct reader_job job = {f, false};
    struct thread t = {0};
    assert_int_equal(thread_start(&t, "reader", read_all_the_time, &job, NULL), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(load(f, i % 2 ? "overrides:\n  a:\n    max_line_size: 1KB\n"
                                       : "overrides:\n  a:\n    max_line_size: 2KB\n"),
                         0);
    atomic_store(&job.stop, true);
    thread_join(&t);
}

static void test_the_hours_of_retention_label_metrics(void **state)
{
    struct fixture *f = *state;
    char text[24];
    assert_true(sv_eq(retention_hours_text(&f->global, text), SV("0")));
    f->global.retention_period_ns = 14 * NS_PER_DAY;
    assert_true(sv_eq(retention_hours_text(&f->global, text), SV("336")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_defaults_are_lokis),
        TEST(test_an_override_starts_from_the_global_values),
        TEST(test_a_broken_file_keeps_what_was),
        TEST(test_errors_name_tenant_key_and_line),
        TEST(test_a_reload_keeps_the_object_of_who_did_not_change),
        TEST(test_configs_are_accepted),
        TEST(test_values_are_checked_beyond_their_type),
        TEST(test_readers_never_wait_for_a_reload),
        TEST(test_the_hours_of_retention_label_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
