/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

static void add_one(void *ctx)
{
    atomic_fetch_add((_Atomic int *)ctx, 1);
}

static void test_a_pool_runs_everything_before_it_closes(void **state)
{
    struct pool *p;
    _Atomic int n = 0;
    assert_int_equal(pool_open(&p, "test", 3, NULL), 0);
    for (int i = 0; i < 5000; i++)
        pool_submit(p, (enum pool_class)(i % POOL_N_CLASSES), add_one, &n);
    pool_close(p);
    assert_int_equal(n, 5000);
}

struct gate {
    struct mutex mu;
    struct cond opened;
    bool open;
    _Atomic int waiting, max_waiting, done;
};

static void gate_init(struct gate *g)
{
    *g = (struct gate){0};
    mutex_init(&g->mu);
    cond_init(&g->opened);
}

static void gate_open(struct gate *g)
{
    MUTEX_GUARD(&g->mu);
    g->open = true;
    cond_broadcast(&g->opened);
}

static void wait_at_gate(void *ctx)
{
    struct gate *g = ctx;
    int now = atomic_fetch_add(&g->waiting, 1) + 1;
    if (now > atomic_load(&g->max_waiting))
        atomic_store(&g->max_waiting, now);
    mutex_lock(&g->mu);
    while (!g->open)
        cond_wait(&g->opened, &g->mu);
    mutex_unlock(&g->mu);
    atomic_fetch_sub(&g->waiting, 1);
    atomic_fetch_add(&g->done, 1);
}

static void wait_for(_Atomic int *n, int want)
{
    for (int i = 0; i < 5000 && atomic_load(n) != want; i++)
        usleep(1000);
    assert_int_equal(atomic_load(n), want);
}

static void test_queries_never_take_the_last_worker_from_a_push(void **state)
{
    struct pool *p;
    struct gate g;
    _Atomic int pushes = 0;
    gate_init(&g);
    assert_int_equal(pool_open(&p, "test", 3, NULL), 0);
    for (int i = 0; i < 10; i++)
        pool_submit(p, POOL_QUERY, wait_at_gate, &g);
    wait_for(&g.waiting, 2);
    pool_submit(p, POOL_INGEST, add_one, &pushes);
    wait_for(&pushes, 1);
    assert_int_equal(atomic_load(&g.waiting), 2);
    assert_int_equal(pool_queued(p, POOL_QUERY), 8);
    gate_open(&g);
    pool_close(p);
    assert_int_equal(g.done, 10);
    assert_true(g.max_waiting <= 2);
}

struct order {
    struct gate *gate;
    char text[256];
    _Atomic int n;
};
static struct order order;

static void note_push(void *ctx)
{
    order.text[atomic_fetch_add(&order.n, 1)] = 'p';
}

static void note_background(void *ctx)
{
    order.text[atomic_fetch_add(&order.n, 1)] = 'b';
}

static void test_pushes_go_first_and_nothing_starves(void **state)
{
    struct pool *p;
    struct gate g;
    gate_init(&g);
    memset(&order, 0, sizeof order);
    assert_int_equal(pool_open(&p, "test", 1, NULL), 0);
    pool_submit(p, POOL_INGEST, wait_at_gate, &g);
    wait_for(&g.waiting, 1);
    pool_submit(p, POOL_BACKGROUND, note_background, NULL);
    for (int i = 0; i < 100; i++)
        pool_submit(p, POOL_INGEST, note_push, NULL);
    gate_open(&g);
    pool_close(p);
    assert_int_equal(order.n, 101);
    const char *background = strchr(order.text, 'b');
    assert_non_null(background);
    assert_true(background - order.text >= 1 && background - order.text <= 16);
}

struct stage {
    struct queue *q;
    _Atomic uint64_t *sum;
    uint64_t first, n;
};

static void produce(void *ctx)
{
    struct stage *s = ctx;
    for (uint64_t i = 0; i < s->n; i++)
        assert_true(queue_push(s->q, (void *)(s->first + i)));
}

static void consume(void *ctx)
{
    struct stage *s = ctx;
    void *items[7];
    for (size_t n; (n = queue_pop_many(s->q, items, 7, -1)) > 0;)
        for (size_t i = 0; i < n; i++)
            atomic_fetch_add(s->sum, (uint64_t)(uintptr_t)items[i]);
}

static void test_a_queue_hands_over_everything_once(void **state)
{
    struct queue q;
    _Atomic uint64_t sum = 0;
    queue_init(&q, 16);
    struct thread producers[3] = {0}, consumers[3] = {0};
    struct stage stages[3];
    struct stage reader = {&q, &sum, 0, 0};
    for (int i = 0; i < 3; i++) {
        stages[i] = (struct stage){&q, &sum, 1 + (uint64_t)i * 2000, 2000};
        assert_int_equal(thread_start(&producers[i], "producer", produce, &stages[i], NULL), 0);
        assert_int_equal(thread_start(&consumers[i], "consumer", consume, &reader, NULL), 0);
    }
    for (int i = 0; i < 3; i++)
        thread_join(&producers[i]);
    queue_close(&q);
    for (int i = 0; i < 3; i++)
        thread_join(&consumers[i]);
    assert_int_equal(sum, 6000ULL * 6001 / 2);
    assert_false(queue_push(&q, &q));
    assert_null(queue_pop(&q, -1));
    queue_deinit(&q);
}

static void test_a_full_queue_refuses_and_an_empty_one_times_out(void **state)
{
    struct queue q;
    int items[3];
    queue_init(&q, 2);
    assert_true(queue_try_push(&q, &items[0]));
    assert_true(queue_try_push(&q, &items[1]));
    assert_false(queue_try_push(&q, &items[2]));
    assert_int_equal(queue_len(&q), 2);
    assert_ptr_equal(queue_pop(&q, 0), &items[0]);
    assert_true(queue_try_push(&q, &items[2]));
    assert_ptr_equal(queue_pop(&q, 0), &items[1]);
    assert_ptr_equal(queue_pop(&q, 0), &items[2]);
    int64_t before = clock_mono_ns();
    assert_null(queue_pop(&q, 20 * NS_PER_MS));
    assert_true(clock_mono_ns() - before >= 19 * NS_PER_MS);
    queue_deinit(&q);
}

struct counted {
    struct rwlock lock;
    struct mutex mu;
    uint64_t a, b;
    struct wait_group group;
};

static void write_both(void *ctx)
{
    struct counted *c = ctx;
    for (int i = 0; i < 1000; i++) {
        rwlock_wrlock(&c->lock);
        c->a++;
        c->b++;
        rwlock_unlock(&c->lock);
    }
    wait_group_done(&c->group);
}

static void read_both(void *ctx)
{
    struct counted *c = ctx;
    for (int i = 0; i < 1000; i++) {
        rwlock_rdlock(&c->lock);
        assert_true(c->a == c->b);
        rwlock_unlock(&c->lock);
    }
    wait_group_done(&c->group);
}

static void test_a_wait_group_waits_for_all_and_a_rwlock_keeps_writers_apart(void **state)
{
    struct counted c = {0};
    struct pool *p;
    rwlock_init(&c.lock);
    wait_group_init(&c.group);
    assert_int_equal(pool_open(&p, "test", 4, NULL), 0);
    wait_group_add(&c.group, 4);
    pool_submit(p, POOL_INGEST, write_both, &c);
    pool_submit(p, POOL_INGEST, read_both, &c);
    pool_submit(p, POOL_INGEST, write_both, &c);
    pool_submit(p, POOL_INGEST, read_both, &c);
    wait_group_wait(&c.group);
    assert_int_equal(c.a, 2000);
    pool_close(p);
    wait_group_deinit(&c.group);
    rwlock_deinit(&c.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pool_runs_everything_before_it_closes),
        cmocka_unit_test(test_queries_never_take_the_last_worker_from_a_push),
        cmocka_unit_test(test_pushes_go_first_and_nothing_starves),
        cmocka_unit_test(test_a_queue_hands_over_everything_once),
        cmocka_unit_test(test_a_full_queue_refuses_and_an_empty_one_times_out),
        cmocka_unit_test(test_a_wait_group_waits_for_all_and_a_rwlock_keeps_writers_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
