/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/ledger.h"
#include "base/metrics.h"
#include "base/thread.h"

static const double bounds[] = {0.1, 1, 10};
COUNTER(plain, "test_plain_total", "A \\ counter\nof lines");
COUNTER_BY(by_tenant, "test_by_tenant_total", "By tenant", "tenant", "reason");
COUNTER_SCALED(seconds, "test_seconds_total", "Seconds", 1e-9);
GAUGE(level, "test_level", "A level");
HISTOGRAM(sizes, "test_sizes", "Sizes", bounds);
HISTOGRAM_BY(sizes_by, "test_sizes_by", "Sizes by route", bounds, "route");

static int64_t read_seven(void)
{
    return 7;
}
GAUGE_READ(seven, "test_seven", "Seven", read_seven);

static char *written(void)
{
    struct buf out = BUF_INIT;
    metrics_write(&out);
    buf_put_u8(&out, 0);
    return out.p;
}

static void assert_line(const char *line)
{
    char *text = written();
    CLEANUP(buf_deinit) struct buf want = BUF_INIT;
    buf_printf(&want, "\n%s\n", line);
    buf_put_u8(&want, 0);
    if (!strstr(text, want.p))
        fail_msg("no line '%s' in %s", line, text);
    free(text);
}

static void test_metrics_show_before_their_first_use(void **state)
{
    assert_line("test_plain_total 0");
    assert_line("# TYPE test_sizes histogram");
    assert_line("test_sizes_count 0");
    assert_line("test_seven 7");
    assert_line("# HELP test_plain_total A \\\\ counter\\nof lines");
}

static void test_values_and_labels_are_counted(void **state)
{
    metric_add(&plain, 2);
    metric_add(&plain, 3);
    metric_set(&level, -4);
    metric_add(&seconds, 1500000000);
    METRIC_ADD(&by_tenant, 5, SV("a\"b\\\n"), SV(""));
    METRIC_ADD(&by_tenant, 1, SV("a"), SV("b"));
    METRIC_ADD(&by_tenant, 1, SV("a"), SV("b"));
    metric_observe(&sizes, 0.1);
    metric_observe(&sizes, 5);
    metric_observe(&sizes, 50);
    METRIC_OBSERVE(&sizes_by, 0.5, SV("push"));
    assert_line("test_plain_total 5");
    assert_line("test_level -4");
    assert_line("test_seconds_total 1.5");
    assert_line("test_by_tenant_total{tenant=\"a\\\"b\\\\\\n\",reason=\"\"} 5");
    assert_line("test_by_tenant_total{tenant=\"a\",reason=\"b\"} 2");
    assert_line("test_sizes_bucket{le=\"0.1\"} 1");
    assert_line("test_sizes_bucket{le=\"1\"} 1");
    assert_line("test_sizes_bucket{le=\"10\"} 2");
    assert_line("test_sizes_bucket{le=\"+Inf\"} 3");
    assert_line("test_sizes_sum 55.1");
    assert_line("test_sizes_count 3");
    assert_line("test_sizes_by_bucket{route=\"push\",le=\"1\"} 1");
}

COUNTER_BY(crowd, "test_crowd_total", "Many label sets", "tenant");

static void test_label_sets_over_the_bound_are_counted_together(void **state)
{
    for (int i = 0; i < METRIC_MAX_CELLS + 50; i++) {
        char tenant[16];
        snprintf(tenant, sizeof tenant, "t%d", i);
        METRIC_ADD(&crowd, 1, sv_of(tenant));
    }
    assert_line("test_crowd_total{tenant=\"other\"} 50");
    METRIC_ADD(&crowd, 1, SV("t3"));
    assert_line("test_crowd_total{tenant=\"t3\"} 2");
}

COUNTER_BY(raced, "test_raced_total", "From many threads", "n");
HISTOGRAM(raced_sizes, "test_raced_sizes", "From many threads", bounds);

static void count_much(void *ctx)
{
    for (int i = 0; i < 2000; i++) {
        char n[4];
        snprintf(n, sizeof n, "%d", i % 10);
        METRIC_ADD(&raced, 1, sv_of(n));
        metric_observe(&raced_sizes, 2);
    }
}

static void test_many_threads_lose_no_count(void **state)
{
    struct thread t[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&t[i], "count", count_much, NULL, NULL), 0);
    free(written());
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    assert_line("test_raced_total{n=\"3\"} 800");
    assert_line("test_raced_sizes_sum 16000");
}

static void test_the_ledger_keeps_its_ceiling_and_caps(void **state)
{
    struct ledger l;
    ledger_init(&l, 1000);
    ledger_set_cap(&l, LEDGER_BODIES, 400);
    assert_true(ledger_try_charge(&l, LEDGER_BODIES, 400));
    assert_false(ledger_try_charge(&l, LEDGER_BODIES, 1));
    assert_true(ledger_try_charge(&l, LEDGER_QUERIES, 600));
    assert_false(ledger_try_charge(&l, LEDGER_CACHES, 1));
    assert_false(ledger_try_charge(&l, LEDGER_CACHES, UINT64_MAX));
    assert_int_equal(ledger_used(&l), 1000);
    ledger_charge(&l, LEDGER_HEADS, 50);
    assert_int_equal(ledger_used(&l), 1050);
    ledger_release(&l, LEDGER_QUERIES, 600);
    ledger_move(&l, LEDGER_BODIES, LEDGER_HEADS, 100);
    assert_int_equal(ledger_used_by(&l, LEDGER_BODIES), 300);
    assert_int_equal(ledger_used_by(&l, LEDGER_HEADS), 150);
    assert_int_equal(ledger_used(&l), 450);
    assert_true(ledger_default_ceiling() >= UINT64_C(256) << 20);
}

static void charge_and_release(void *ctx)
{
    struct ledger *l = ctx;
    for (int i = 0; i < 5000; i++) {
        if (!ledger_try_charge(l, LEDGER_QUERIES, 3))
            continue;
        assert_true(ledger_used(l) <= 10);
        ledger_release(l, LEDGER_QUERIES, 3);
    }
}

static void test_the_ceiling_holds_between_threads(void **state)
{
    struct ledger l;
    struct thread t[4] = {0};
    ledger_init(&l, 10);
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&t[i], "charge", charge_and_release, &l, NULL), 0);
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    assert_int_equal(ledger_used(&l), 0);
}

static void test_the_published_ledger_shows(void **state)
{
    struct ledger l;
    ledger_init(&l, 1000);
    ledger_charge(&l, LEDGER_HEADS, 77);
    ledger_publish(&l);
    assert_line("halogi_ledger_heads_bytes 77");
    ledger_publish(NULL);
    assert_line("halogi_ledger_heads_bytes 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_show_before_their_first_use),
        cmocka_unit_test(test_values_and_labels_are_counted),
        cmocka_unit_test(test_label_sets_over_the_bound_are_counted_together),
        cmocka_unit_test(test_many_threads_lose_no_count),
        cmocka_unit_test(test_the_ledger_keeps_its_ceiling_and_caps),
        cmocka_unit_test(test_the_ceiling_holds_between_threads),
        cmocka_unit_test(test_the_published_ledger_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
