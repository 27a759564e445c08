/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "chunk/head.h"
#include "chunk/head_pages.h"

enum { PAGE = HEAD_PAGE_BYTES };

static void fill(struct head *h, int pages)
{
    static char line[100000];
    while (head_mem_bytes(h) < (uint64_t)pages * PAGE) {
        struct entry e = {1, sv(line, sizeof line), SV_EMPTY};
        head_append(h, 0, &e);
    }
}

static void test_a_generation_leaves_its_pages_to_the_next(void **state)
{
    (void)state;
    struct ledger l;
    ledger_init(&l, 100 << 20);
    struct head_pages *p = head_pages_new(&l, 50 << 20);
    struct head *h = head_new_in(p);
    fill(h, 5);
    assert_int_equal(head_pages_idle_bytes(p), 0);
    head_free(h);
    uint64_t idle = head_pages_idle_bytes(p);
    assert_true(idle >= 4 * PAGE && idle <= 5 * PAGE);
    assert_int_equal(ledger_used_by(&l, LEDGER_CACHES), idle);
    h = head_new_in(p);
    fill(h, 3);
    assert_true(head_pages_idle_bytes(p) <= idle - 2 * PAGE);
    assert_int_equal(ledger_used_by(&l, LEDGER_CACHES), head_pages_idle_bytes(p));
    head_pages_unref(p); /* the head holds a reference of its own */
    head_free(h);
    assert_int_equal(ledger_used(&l), 0);
}

static void test_trimming_gives_back_what_was_not_needed_since(void **state)
{
    (void)state;
    struct head_pages *p = head_pages_new(NULL, 50 << 20);
    char *page[6];
    for (int i = 0; i < 6; i++)
        page[i] = head_pages_take(p);
    for (int i = 0; i < 6; i++)
        head_pages_give(p, page[i]);
    head_pages_trim(p); /* they came just now */
    assert_int_equal(head_pages_idle_bytes(p), 6 * PAGE);
    page[0] = head_pages_take(p);
    page[1] = head_pages_take(p);
    head_pages_give(p, page[0]);
    head_pages_trim(p); /* two of six were needed at once */
    assert_int_equal(head_pages_idle_bytes(p), 1 * PAGE);
    head_pages_trim(p);
    assert_int_equal(head_pages_idle_bytes(p), 0);
    head_pages_give(p, page[1]);
    assert_int_equal(head_pages_idle_bytes(p), 1 * PAGE);
    head_pages_unref(p);
}

static void test_no_more_is_kept_than_allowed(void **state)
{
    (void)state;
    struct ledger l;
    ledger_init(&l, 2 * PAGE);
    struct head_pages *few = head_pages_new(NULL, 3 * PAGE), *poor = head_pages_new(&l, 9 * PAGE);
    for (int k = 0; k < 2; k++) {
        struct head_pages *p = k ? poor : few;
        char *page[5];
        for (int i = 0; i < 5; i++)
            page[i] = head_pages_take(p);
        for (int i = 0; i < 5; i++)
            head_pages_give(p, page[i]);
        assert_int_equal(head_pages_idle_bytes(p), (k ? 2 : 3) * PAGE);
        head_pages_unref(p);
    }
    assert_int_equal(ledger_used(&l), 0);
}

static void take_and_give(void *ctx)
{
    struct head_pages *p = ctx;
    for (int round = 0; round < 300; round++) {
        char *page[4];
        for (int i = 0; i < 4; i++) {
            page[i] = head_pages_take(p);
            page[i][round] = (char)i; /* nobody else has it */
        }
        for (int i = 0; i < 4; i++) {
            assert_int_equal(page[i][round], i);
            head_pages_give(p, page[i]);
        }
        if (round % 50 == 0)
            head_pages_trim(p);
    }
}

static void test_threads_share_them(void **state)
{
    (void)state;
    struct ledger l;
    ledger_init(&l, 100 << 20);
    struct head_pages *p = head_pages_new(&l, 10 * PAGE);
    struct thread t[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_start(&t[i], "pages", take_and_give, p, NULL), 0);
    for (int i = 0; i < 3; i++)
        thread_join(&t[i]);
    assert_int_equal(ledger_used_by(&l, LEDGER_CACHES), head_pages_idle_bytes(p));
    head_pages_unref(p);
    assert_int_equal(ledger_used(&l), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_generation_leaves_its_pages_to_the_next),
        cmocka_unit_test(test_trimming_gives_back_what_was_not_needed_since),
        cmocka_unit_test(test_no_more_is_kept_than_allowed),
        cmocka_unit_test(test_threads_share_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
