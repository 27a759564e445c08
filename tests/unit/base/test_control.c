/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/control.h"

static void test_charges_meet_the_budget_and_the_ledger_and_are_given_back(void **state)
{
    struct ledger ledger;
    struct err err = ERR_INIT;
    struct query_control c = {.deadline_mono_ns = INT64_MAX, .max_bytes = 1000, .ledger = &ledger};
    ledger_init(&ledger, 1500);
    assert_int_equal(query_charge(&c, 900, &err), 0);
    assert_int_equal(query_charge(&c, 200, &err), ERR_OVER_BUDGET);
    assert_non_null(strstr(err.text, "querier.max_query_memory"));
    assert_int_equal(ledger_used(&ledger), 900);
    assert_true(ledger_try_charge(&ledger, LEDGER_HEADS, 550));
    assert_int_equal(query_charge(&c, 100, &err), ERR_UNAVAILABLE);
    query_release(&c, 400);
    assert_int_equal(query_charge(&c, 100, &err), 0);
    query_control_deinit(&c);
    assert_int_equal(ledger_used(&ledger), 550);
}

static void
test_an_array_is_charged_before_it_grows_and_stays_as_it_was_when_it_may_not(void **state)
{
    struct err err = ERR_INIT;
    struct query_control c = {.deadline_mono_ns = INT64_MAX, .max_bytes = 1000};
    uint64_t *v = NULL;
    size_t cap = 0, n = 0;
    int r = 0;
    while ((r = query_grow(&c, &v, &cap, n + 1, sizeof *v, &err)) == 0) {
        v[n] = n;
        n++;
        assert_int_equal(atomic_load(&c.used_bytes), cap * sizeof *v);
    }
    assert_int_equal(r, ERR_OVER_BUDGET);
    assert_int_equal(n, cap);
    assert_int_equal(atomic_load(&c.used_bytes), cap * sizeof *v);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(v[i], i);
    assert_int_equal(query_grow(NULL, &v, &cap, 5000, sizeof *v, NULL), 0);
    assert_int_equal(cap, 5000);
    assert_int_equal(v[n - 1], n - 1);
    free(v);
}

static bool is_gone(void *ctx)
{
    return *(bool *)ctx;
}

static void test_a_query_ends_when_it_is_stopped_late_or_alone(void **state)
{
    bool gone = false;
    struct query_control c = {
        .deadline_mono_ns = INT64_MAX, .client_gone = is_gone, .client = &gone};
    assert_int_equal(query_check(&c, NULL), 0);
    gone = true;
    assert_int_equal(query_check(&c, NULL), ERR_CANCELLED);
    gone = false;
    c.deadline_mono_ns = clock_mono_ns() - 1;
    assert_int_equal(query_check(&c, NULL), ERR_TIMEOUT);
    c.deadline_mono_ns = INT64_MAX;
    atomic_store(&c.stopped, true);
    assert_int_equal(query_check(&c, NULL), ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charges_meet_the_budget_and_the_ledger_and_are_given_back),
        cmocka_unit_test(
            test_an_array_is_charged_before_it_grows_and_stays_as_it_was_when_it_may_not),
        cmocka_unit_test(test_a_query_ends_when_it_is_stopped_late_or_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
