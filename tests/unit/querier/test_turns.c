/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "querier/turns.h"

/* Jobs note their name; the one called "wait" holds its thread until the gate opens. */
struct log {
    struct mutex mu;
    struct cond moved;
    struct buf names;
    bool waits, open;
};
struct job {
    struct turn turn;
    struct log *log;
    const char *name;
};

static void run_job(struct turn *t)
{
    struct job *j = (struct job *)t;
    MUTEX_GUARD(&j->log->mu);
    if (strcmp(j->name, "wait") == 0) {
        j->log->waits = true;
        cond_broadcast(&j->log->moved);
        while (!j->log->open)
            cond_wait(&j->log->moved, &j->log->mu);
        return;
    }
    buf_printf(&j->log->names, "%s ", j->name);
}

static int setup(void **state)
{
    struct log *l = mem_zalloc(1, sizeof *l);
    mutex_init(&l->mu);
    cond_init(&l->moved);
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct log *l = *state;
    buf_deinit(&l->names);
    cond_deinit(&l->moved);
    mutex_deinit(&l->mu);
    free(l);
    return 0;
}

static struct turns *one_busy_thread(struct log *l, struct job *blocker, uint64_t max_waiting)
{
    struct turns *ts;
    assert_int_equal(turns_open(&ts, "turn", 1, max_waiting, NULL), 0);
    *blocker = (struct job){{.run = run_job}, l, "wait"};
    assert_true(turns_push(ts, SV("blocker"), &blocker->turn));
    MUTEX_GUARD(&l->mu);
    while (!l->waits)
        cond_wait(&l->moved, &l->mu);
    return ts;
}

static void open_gate(struct log *l)
{
    MUTEX_GUARD(&l->mu);
    l->open = true;
    cond_broadcast(&l->moved);
}

static void test_tenants_take_turns_and_each_keeps_its_order(void **state)
{
    struct log *l = *state;
    struct job blocker,
        jobs[] = {
            {{.run = run_job}, l, "a1"}, {{.run = run_job}, l, "a2"}, {{.run = run_job}, l, "a3"},
            {{.run = run_job}, l, "b1"}, {{.run = run_job}, l, "c1"}, {{.run = run_job}, l, "b2"},
        };
    struct turns *ts = one_busy_thread(l, &blocker, 10);
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        assert_true(turns_push(ts, sv(jobs[i].name, 1), &jobs[i].turn));
    assert_int_equal(turns_waiting(ts), 6);
    open_gate(l);
    turns_close(ts);
    assert_string_equal(l->names.p, "a1 b1 c1 a2 b2 a3 ");
}

static void test_a_tenant_with_too_many_waiting_jobs_is_refused_and_others_are_not(void **state)
{
    struct log *l = *state;
    struct job blocker, jobs[] = {
                            {{.run = run_job}, l, "a1"},
                            {{.run = run_job}, l, "a2"},
                            {{.run = run_job}, l, "a3"},
                            {{.run = run_job}, l, "b1"},
                        };
    struct turns *ts = one_busy_thread(l, &blocker, 2);
    assert_true(turns_push(ts, SV("a"), &jobs[0].turn));
    assert_true(turns_push(ts, SV("a"), &jobs[1].turn));
    assert_false(turns_push(ts, SV("a"), &jobs[2].turn));
    assert_true(turns_push(ts, SV("b"), &jobs[3].turn));
    open_gate(l);
    turns_close(ts);
    assert_string_equal(l->names.p, "a1 b1 a2 ");
}

static void test_close_runs_all_that_was_pushed(void **state)
{
    struct log *l = *state;
    enum { N = 1000 };
    static struct job jobs[N];
    struct turns *ts;
    assert_int_equal(turns_open(&ts, "turn", 3, N, NULL), 0);
    for (size_t i = 0; i < N; i++) {
        char tenant[2] = {(char)('a' + i % 26), 0};
        jobs[i] = (struct job){{.run = run_job}, l, "x"};
        assert_true(turns_push(ts, sv_of(tenant), &jobs[i].turn));
    }
    turns_close(ts);
    assert_int_equal(l->names.len, 2 * N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tenants_take_turns_and_each_keeps_its_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_tenant_with_too_many_waiting_jobs_is_refused_and_others_are_not, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_close_runs_all_that_was_pushed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
