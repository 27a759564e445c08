/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes, queries and flushes at once: what was acknowledged before a read began is in it, once,
 * wherever it stands or moves. */
#include "kit.h"

#include <stdatomic.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000000000)

enum { PUSHERS = 3, READERS = 2, BATCHES = 60, LINES = 40, LINE_BYTES = 1200 };

struct work {
    struct kit *k;
    unsigned number;
    _Atomic bool *stop;
    _Atomic unsigned n_done;
    struct work *all;
};

/* On a busy machine a thread may have come to nothing yet. */
static bool others_worked(const struct work *w)
{
    for (unsigned i = PUSHERS; i < PUSHERS + READERS + 1; i++)
        if (atomic_load(&w->all[i].n_done) < 2)
            return false;
    return true;
}

static const char *make_text(struct kit *k, const char *fmt, unsigned a, unsigned b, unsigned fill)
{
    MUTEX_GUARD(&k->mu);
    char *text = arena_alloc(&k->arena, 40 + fill);
    int n = snprintf(text, 40, fmt, a, b);
    memset(text + n, 'x', fill);
    text[(unsigned)n + fill] = '\0';
    return text;
}

static void push_lines(void *ctx)
{
    struct work *w = ctx;
    struct kit_entry v[LINES];
    for (unsigned batch = 0; batch < BATCHES || !others_worked(w); batch++) {
        for (unsigned i = 0; i < LINES; i++) {
            unsigned stream = (batch + i / 10) % 7;
            v[i] =
                (struct kit_entry){.tenant = "t",
                                   .labels = make_text(w->k, "{\"app\":\"%u\",\"pusher\":\"%u\"}",
                                                       stream, w->number, 0),
                                   .line = make_text(w->k, "%u of batch %u ", i, batch, LINE_BYTES),
                                   .ts_ns = T0 + batch * 1000 + (i * 37) % 100};
        }
        struct kit_answer a = kit_push(w->k, v, LINES, batch % 3 ? KIT_BODY : KIT_CANONICAL);
        assert_int_equal(a.result, 0);
        w->n_done++;
    }
}

static size_t count_lines(const struct buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->p[i] == '\n';
    return n;
}

static void read_all(void *ctx)
{
    struct work *w = ctx;
    while (!atomic_load(w->stop)) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        struct kit_found f;
        size_t least = kit_n_acked(w->k);
        kit_read(w->k, "t", true, &text, &f);
        size_t n = count_lines(&text);
        assert_true(n >= least);
        assert_int_equal(n, f.n_head + f.n_local + f.n_object);
        w->n_done++;
        usleep(2000);
    }
}

static void flush_again_and_again(void *ctx)
{
    struct work *w = ctx;
    while (!atomic_load(w->stop)) {
        assert_int_equal(kit_flush(w->k, NULL), 0);
        w->n_done++;
        usleep(20000);
    }
}

static void test_readers_find_everything_once_while_it_moves(void **state)
{
    struct kit *k = *state;
    _Atomic bool stop = false;
    struct work w[PUSHERS + READERS + 1];
    struct thread t[PUSHERS + READERS + 1];
    for (unsigned i = 0; i < PUSHERS + READERS + 1; i++)
        w[i] = (struct work){k, i, &stop, 0, w};
    for (unsigned i = 0; i < PUSHERS + READERS + 1; i++)
        assert_int_equal(thread_start(&t[i], "test",
                                      i < PUSHERS             ? push_lines
                                      : i < PUSHERS + READERS ? read_all
                                                              : flush_again_and_again,
                                      &w[i], NULL),
                         0);
    for (unsigned i = 0; i < PUSHERS; i++)
        thread_join(&t[i]);
    atomic_store(&stop, true);
    for (unsigned i = PUSHERS; i < PUSHERS + READERS + 1; i++)
        thread_join(&t[i]);
    kit_check(k, "t");
    kit_close(k);
    kit_must_open(k);
    kit_check(k, "t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readers_find_everything_once_while_it_moves, kit_setup,
                                        kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
