/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/wait_once.h"

static void test_the_wait_doubles_up_to_its_most_and_begins_anew(void **state)
{
    (void)state;
    struct backoff b = BACKOFF_INIT(10, 70);
    assert_true(backoff_is_over(&b, 0));
    static const int64_t waits[] = {10, 20, 40, 70, 70};
    int64_t now = 1000;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        backoff_failed(&b, now);
        assert_false(backoff_is_over(&b, now + waits[i] - 1));
        assert_true(backoff_is_over(&b, now + waits[i]));
        now += waits[i];
    }
    backoff_worked(&b);
    assert_true(backoff_is_over(&b, 0));
    backoff_failed(&b, now);
    assert_true(backoff_is_over(&b, now + 10));
}

static void test_a_most_near_the_end_of_time_is_kept(void **state)
{
    (void)state;
    struct backoff b = BACKOFF_INIT(1, INT64_MAX / 2);
    for (unsigned i = 0; i < 80; i++)
        backoff_failed(&b, 0);
    assert_true(b.wait_ns == INT64_MAX / 2);
}

static void test_a_callback_that_came_before_is_waited_for_too(void **state)
{
    (void)state;
    struct wait_once w;
    struct err err = ERR_INIT;
    wait_once_init(&w);
    wait_once_done(&w, 3, NULL);
    assert_int_equal(wait_once_end(&w, &err), 3);
}

static void fail_later(void *ctx)
{
    struct err err = ERR_INIT;
    usleep(20000);
    err_set(&err, ERR_UNAVAILABLE, "not today");
    wait_once_done(ctx, err.code, &err);
}

static void test_what_another_thread_says_is_passed_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct thread t = {0};
        struct wait_once w;
        struct err err = ERR_INIT;
        wait_once_init(&w);
        assert_int_equal(thread_start(&t, "later", fail_later, &w, NULL), 0);
        assert_int_equal(wait_once_end(&w, &err), ERR_UNAVAILABLE);
        memset(&w, 0xff, sizeof w); /* nobody looks at it any more */
        assert_string_equal(err.text, "not today");
        thread_join(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_wait_doubles_up_to_its_most_and_begins_anew),
        cmocka_unit_test(test_a_most_near_the_end_of_time_is_kept),
        cmocka_unit_test(test_a_callback_that_came_before_is_waited_for_too),
        cmocka_unit_test(test_what_another_thread_says_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
