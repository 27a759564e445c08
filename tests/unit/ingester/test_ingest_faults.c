/* SPDX-License-Identifier: Apache-2.0 */
/* One call to the file system after the other fails, during pushes, spills, flushes and recovery.
 * Whatever fails: nothing that was acknowledged is lost, nothing is made up, and when the disk is
 * well again so is the ingester. */
#include "kit.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file.h"

#define T0 INT64_C(1700000000000000000)

struct faults {
    _Atomic int countdown; /* calls until the first one that fails */
    _Atomic int left;      /* that will fail from then on */
    _Atomic int n_calls, n_failed;
    int errnum;
};

static struct file_fault on_call(void *ctx, enum file_op op, const char *path, int fd)
{
    struct faults *f = ctx;
    atomic_fetch_add(&f->n_calls, 1);
    if (atomic_fetch_sub(&f->countdown, 1) > 0 || atomic_fetch_sub(&f->left, 1) <= 0)
        return (struct file_fault){0};
    atomic_fetch_add(&f->n_failed, 1);
    return (struct file_fault){f->errnum, 3};
}

static unsigned counter;

/* Failure is fine: then it is not among the acknowledged. */
static int try_push(struct kit *k, enum kit_how how)
{
    struct kit_entry v[3];
    for (unsigned i = 0; i < 3; i++, counter++) {
        v[i] = (struct kit_entry){.tenant = "t",
                                  .labels = i == 1 ? "{\"app\":\"b\"}" : "{\"app\":\"a\"}",
                                  .line = arena_printf(&k->arena, "line %u", counter).p,
                                  .ts_ns = T0 + counter};
    }
    return kit_push(k, v, 3, how).result;
}

/* The disk is well: soon pushes are accepted and everything gets into objects. */
static void must_get_well(struct kit *k)
{
    int r = -1, flushed = -1;
    for (unsigned i = 0; i < 400 && (r < 0 || flushed < 0); i++) {
        if (r < 0)
            r = try_push(k, KIT_BODY);
        if (r == 0)
            flushed = kit_flush(k, NULL);
        if (r < 0 || flushed < 0)
            usleep(25000);
    }
    assert_int_equal(r, 0);
    assert_int_equal(flushed, 0);
}

static void reopen(struct kit *k)
{
    struct err err = ERR_INIT;
    kit_close(k);
    if (kit_open(k, &err) == 0)
        return;
    kit_close(k);
    file_fault_set(NULL, NULL);
    kit_must_open(k);
}

static void work(struct kit *k)
{
    try_push(k, KIT_BODY);
    try_push(k, KIT_CANONICAL);
    kit_flush(k, NULL);
    try_push(k, KIT_BODY);
    reopen(k);
    try_push(k, KIT_BODY);
    kit_flush(k, NULL);
    try_push(k, KIT_BODY);
}

/* False when the work was done before the fault came. */
static bool run(int countdown, int n_faults, int errnum)
{
    struct kit *k;
    void *state;
    struct faults f = {.countdown = countdown, .left = n_faults, .errnum = errnum};
    assert_int_equal(kit_setup(&state), 0);
    k = state;
    try_push(k, KIT_BODY);
    file_fault_set(on_call, &f);
    work(k);
    file_fault_set(NULL, NULL);
    kit_check_between(k, "t");
    kit_close(k); /* a clean end does not empty the log */
    kit_must_open(k);
    kit_check_between(k, "t");
    must_get_well(k);
    kit_check_between(k, "t");
    kit_crash(k);
    kit_check_between(k, "t");
    assert_int_equal(kit_teardown(&state), 0);
    return atomic_load(&f.n_failed) > 0;
}

static int stride(void)
{
    const char *text = getenv("HALOGI_FAULT_STRIDE");
    return text ? atoi(text) : 7;
}

static void test_each_call_failing_once(void **state)
{
    (void)state;
    int n = 0;
    for (; run(n, 1, n % 2 ? EIO : ENOSPC); n += stride())
        ;
    assert_true(n > 60); /* else nothing was tried */
}

static void test_the_disk_failing_for_a_while_from_each_call_on(void **state)
{
    (void)state;
    int n = 1;
    for (; run(n, 30, n % 2 ? ENOSPC : EIO); n += 3 * stride())
        ;
    assert_true(n > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_failing_once),
        cmocka_unit_test(test_the_disk_failing_for_a_while_from_each_call_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
