/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "distributor/rate.h"

static void test_a_bucket_starts_full_and_fills_by_its_rate(void **state)
{
    struct rate_limiter *r = rate_limiter_new();
    struct str_view t = SV("t");
    assert_true(rate_limiter_take(r, t, 10, 100, 100, 0));
    assert_false(rate_limiter_take(r, t, 10, 100, 1, 0));
    assert_true(rate_limiter_take(r, t, 10, 100, 5, NS_PER_S / 2));
    assert_false(rate_limiter_take(r, t, 10, 100, 1, NS_PER_S / 2));
    assert_true(rate_limiter_take(r, t, 10, 100, 100, 100 * NS_PER_S)); /* never over the burst */
    assert_false(rate_limiter_take(r, t, 10, 100, 1, 100 * NS_PER_S));
    rate_limiter_free(r);
}

static void test_more_than_the_burst_never_passes_and_nothing_always(void **state)
{
    struct rate_limiter *r = rate_limiter_new();
    assert_false(rate_limiter_take(r, SV("t"), 1000, 10, 11, 0));
    assert_true(rate_limiter_take(r, SV("t"), 1000, 10, 10, 0));
    assert_true(rate_limiter_take(r, SV("t"), 1000, 10, 0, 0));
    assert_true(rate_limiter_take(r, SV("zero"), 0, 0, 0, 0));
    assert_false(rate_limiter_take(r, SV("zero"), 0, 0, 1, NS_PER_HOUR));
    rate_limiter_free(r);
}

static void test_changed_limits_hold_at_once(void **state)
{
    struct rate_limiter *r = rate_limiter_new();
    assert_true(rate_limiter_take(r, SV("t"), 10, 100, 50, 0));
    assert_false(rate_limiter_take(r, SV("t"), 10, 20, 21, 0)); /* cut to the smaller burst */
    assert_true(rate_limiter_take(r, SV("t"), 10, 20, 20, 0));
    assert_true(rate_limiter_take(r, SV("t"), 1000, 2000, 1000, NS_PER_S));
    rate_limiter_free(r);
}

static void test_tenants_have_buckets_of_their_own_that_are_forgotten_when_full(void **state)
{
    struct rate_limiter *r = rate_limiter_new();
    assert_true(rate_limiter_take(r, SV("busy"), 1e-9, 10, 10, 0));
    for (int i = 0; i < 50000; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        assert_true(rate_limiter_take(r, sv_of(name), 10, 10, 10, i * NS_PER_S));
    }
    assert_false(rate_limiter_take(r, SV("busy"), 1e-9, 10, 10, 50000 * NS_PER_S));
    rate_limiter_free(r);
}

struct job {
    struct rate_limiter *r;
    _Atomic int *taken;
};

static void take_many(void *ctx)
{
    struct job *j = ctx;
    for (int i = 0; i < 5000; i++)
        if (rate_limiter_take(j->r, SV("t"), 0, 1000, 1, 0))
            atomic_fetch_add(j->taken, 1);
}

static void test_threads_never_take_more_than_there_is(void **state)
{
    _Atomic int taken = 0;
    struct job job = {rate_limiter_new(), &taken};
    struct thread threads[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_start(&threads[i], "taker", take_many, &job, NULL), 0);
    for (int i = 0; i < 3; i++)
        thread_join(&threads[i]);
    assert_int_equal(taken, 1000);
    rate_limiter_free(job.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_starts_full_and_fills_by_its_rate),
        cmocka_unit_test(test_more_than_the_burst_never_passes_and_nothing_always),
        cmocka_unit_test(test_changed_limits_hold_at_once),
        cmocka_unit_test(test_tenants_have_buckets_of_their_own_that_are_forgotten_when_full),
        cmocka_unit_test(test_threads_never_take_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
