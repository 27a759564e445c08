/* SPDX-License-Identifier: Apache-2.0 */
/* The two generations and who waits for what, without the threads that work on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/ledger.h"
#include "chunk/head.h"
#include "ingester/heads.h"
#include "ingester/phase.h"
#include "ingester/streams/streams.h"
#include "model/labels.h"
#include "store/view.h"
#include "wal/wal.h"

enum { MAX_BYTES = 2 << 20 };

struct fixture {
    struct heads h;
    struct ledger ledger;
    struct views *views;
    char folder[64], witness[80];
    struct arena arena;
    _Atomic bool stop;
    int64_t next_ts_ns;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/halogi-heads-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->witness, sizeof f->witness, "%s/witness", f->folder);
    ledger_init(&f->ledger, UINT64_C(256) << 20);
    f->views = views_new();
    heads_init(&f->h, MAX_BYTES, 5, &f->ledger, f->views);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    wal_close(f->h.wal);
    struct views_change nothing = {.set_heads = true};
    views_apply(f->views, &nothing);
    heads_deinit(&f->h);
    views_free(f->views);
    assert_int_equal(ledger_used(&f->ledger), 0);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

/* The replay is over. */
static void take_log(struct fixture *f)
{
    const struct wal_options options = {
        .folder = f->folder, .witness = f->witness, .installation = {{7}}, .file_bytes = 256 << 10};
    const struct wal_replayed replayed = {.next_epoch = 1};
    struct wal *wal = NULL;
    assert_int_equal(wal_open(&wal, &options, &replayed, NULL), 0);
    heads_take_log(&f->h, wal);
}

static struct push_batch batch_of(struct fixture *f, const char *app, size_t line_bytes)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct label l = {SV("app"), sv_of(app)};
    labels_encode(&b, (struct labels){&l, 1});
    struct push_stream *s = ARENA_ARRAY(&f->arena, struct push_stream, 1);
    s->labels = arena_copy(&f->arena, buf_view(&b));
    s->hash = labels_hash_encoded(s->labels);
    s->entries = ARENA_ARRAY(&f->arena, struct push_entry, 1);
    s->n_entries = 1;
    char *line = arena_alloc(&f->arena, line_bytes);
    memset(line, 'x', line_bytes);
    s->entries[0].e = (struct entry){++f->next_ts_ns, sv(line, line_bytes), SV_EMPTY};
    return (struct push_batch){.tenant = SV("t"), .streams = s, .n_streams = 1};
}

static struct head_mark append(struct fixture *f, const char *app, size_t line_bytes)
{
    struct push_batch b = batch_of(f, app, line_bytes);
    MUTEX_GUARD(&f->h.mu);
    heads_append_locked(&f->h, &b, clock_mono_ns());
    return heads_mark_locked(&f->h);
}

static bool make_room(struct fixture *f)
{
    MUTEX_GUARD(&f->h.mu);
    return heads_make_room_locked(&f->h);
}

static bool take_frozen(struct fixture *f, struct frozen_head *ret)
{
    return heads_wait_frozen(&f->h, true, &f->stop, 0, ret);
}

/* As the spiller does it, without a segment. */
static void drop_frozen(struct fixture *f, const struct frozen_head *frozen)
{
    struct views_change change = {.set_heads = true, .heads = {frozen->next}, .n_heads = 1};
    views_apply(f->views, &change);
    heads_drop_frozen(&f->h);
}

static void test_entries_are_seen_from_their_mark_on(void **state)
{
    struct fixture *f = *state;
    take_log(f);
    struct head_mark a = append(f, "a", 10), b = append(f, "b", 10);
    struct view *v = view_pin(f->views);
    assert_int_equal(v->n_heads, 1);
    assert_true(v->visible[0] < a.end);
    heads_show(a);
    assert_true(v->visible[0] < a.end); /* a view does not change */
    view_unpin(v);
    v = view_pin(f->views);
    assert_true(v->visible[0] == a.end && a.end < b.end);
    view_unpin(v);
}

static void test_what_a_replay_brought_is_shown_with_the_log(void **state)
{
    struct fixture *f = *state;
    struct head_mark m = append(f, "a", 10);
    assert_null(heads_log(&f->h));
    take_log(f);
    assert_non_null(heads_log(&f->h));
    struct view *v = view_pin(f->views);
    assert_true(v->visible[0] == m.end);
    view_unpin(v);
}

static void test_a_full_head_is_frozen_and_two_full_ones_are_no_room(void **state)
{
    struct fixture *f = *state;
    struct frozen_head frozen, again;
    take_log(f);
    assert_true(make_room(f));
    assert_false(take_frozen(f, &frozen));
    append(f, "a", MAX_BYTES);
    assert_true(make_room(f));
    append(f, "a", MAX_BYTES);
    assert_false(make_room(f));
    struct view *v = view_pin(f->views);
    assert_int_equal(v->n_heads, 2);
    assert_int_equal(v->heads[0]->number, 1);
    assert_int_equal(v->heads[1]->number, 2);
    view_unpin(v);
    assert_true(take_frozen(f, &frozen));
    assert_int_equal(frozen.span.g->number, 1);
    assert_int_equal(frozen.next->number, 2);
    assert_int_equal(frozen.span.first_lsn, 5);
    assert_false(heads_wait_frozen(&f->h, false, &f->stop, 0, &again)); /* not before its time */
    assert_true(take_frozen(f, &again)); /* it is there until it is dropped */
    assert_int_equal(again.span.g->number, 1);
    drop_frozen(f, &frozen);
    assert_true(make_room(f));
    assert_true(take_frozen(f, &again));
    assert_int_equal(again.span.g->number, 2);
    assert_int_equal(again.span.first_lsn, frozen.span.end_lsn);
    drop_frozen(f, &again);
    assert_false(take_frozen(f, &frozen));
}

static void test_an_old_a_large_or_a_wanted_head_is_frozen_an_empty_one_never(void **state)
{
    struct fixture *f = *state;
    struct frozen_head frozen;
    take_log(f);
    assert_int_equal(heads_freeze_all(&f->h), 0);
    heads_freeze_older(&f->h, 0);
    heads_relieve(&f->h);
    assert_false(take_frozen(f, &frozen));
    append(f, "a", 10);
    heads_freeze_older(&f->h, 3600 * NS_PER_S);
    assert_false(take_frozen(f, &frozen));
    heads_freeze_older(&f->h, 0);
    assert_true(take_frozen(f, &frozen));
    drop_frozen(f, &frozen);
    append(f, "a", 10);
    heads_relieve(&f->h); /* it would give back nearly nothing */
    assert_false(take_frozen(f, &frozen));
    append(f, "a", 5 << 20);
    heads_relieve(&f->h);
    assert_true(take_frozen(f, &frozen));
    assert_int_equal(heads_freeze_all(&f->h), 2); /* is being written already */
    append(f, "a", 10);
    assert_int_equal(heads_freeze_all(&f->h), 3);
    drop_frozen(f, &frozen);
    assert_true(take_frozen(f, &frozen));
    assert_int_equal(frozen.span.g->number, 3);
}

struct waiter {
    struct fixture *f;
    struct thread thread;
    struct err err;
    int result;
};

static void wait_spilled(void *ctx)
{
    struct waiter *w = ctx;
    w->result = heads_wait_spilled(&w->f->h, 1, &w->f->stop, &w->err);
}

static void test_who_waits_for_a_spill_is_told_of_its_end_and_of_its_failure(void **state)
{
    struct fixture *f = *state;
    enum { DROPPED, FAILED, STOPPED, N_WAYS };
    for (int way = N_WAYS - 1; way >= DROPPED; way--) {
        struct waiter w = {.f = f};
        struct frozen_head frozen;
        if (way == N_WAYS - 1) {
            take_log(f);
            append(f, "a", 10);
            assert_int_equal(heads_freeze_all(&f->h), 1);
        }
        assert_true(take_frozen(f, &frozen));
        assert_int_equal(thread_start(&w.thread, "waiter", wait_spilled, &w, NULL), 0);
        usleep(2000);
        if (way == DROPPED) {
            drop_frozen(f, &frozen);
        } else if (way == FAILED) {
            struct err why = {.code = ERR_DISK_FULL, .text = "no room on the disk"};
            heads_spill_failed(&f->h, &why);
        } else {
            atomic_store(&f->stop, true);
            heads_wake(&f->h);
        }
        thread_join(&w.thread);
        atomic_store(&f->stop, false);
        if (way == FAILED)
            assert_non_null(strstr(w.err.text, "no room on the disk"));
        /* The last failure answers at once until a try succeeds. */
        if (way == DROPPED)
            assert_true(w.result == 0 || strstr(w.err.text, "no room"));
        else
            assert_int_equal(w.result, ERR_UNAVAILABLE);
    }
    assert_int_equal(heads_wait_spilled(&f->h, 1, &f->stop, NULL), 0);
}

static void test_a_replay_freezes_at_its_record_and_waits_for_the_spill(void **state)
{
    struct fixture *f = *state;
    struct frozen_head frozen;
    append(f, "a", MAX_BYTES);
    heads_freeze_older(&f->h, 0);
    assert_false(take_frozen(f, &frozen)); /* nothing is due as long as there is no log */
    assert_int_equal(heads_wait_room(&f->h, 77, &f->stop, NULL), 0);
    assert_true(take_frozen(f, &frozen));
    assert_int_equal(frozen.span.end_lsn, 77);
    append(f, "a", MAX_BYTES);
    atomic_store(&f->stop, true); /* both are full: it would wait */
    assert_int_equal(heads_wait_room(&f->h, 99, &f->stop, NULL), ERR_CANCELLED);
    atomic_store(&f->stop, false);
    drop_frozen(f, &frozen);
    assert_int_equal(heads_wait_room(&f->h, 99, &f->stop, NULL), 0);
    assert_true(take_frozen(f, &frozen));
    assert_int_equal(frozen.span.first_lsn, 77);
    assert_int_equal(frozen.span.end_lsn, 99);
}

static void test_idle_streams_go_once_their_entries_are_in_segments(void **state)
{
    struct fixture *f = *state;
    struct frozen_head frozen;
    uint64_t n;
    take_log(f);
    append(f, "old", 10);
    int64_t later_ns = clock_mono_ns() + NS_PER_S;
    assert_true(heads_evict_idle(&f->h, later_ns, &n));
    assert_int_equal(n, 0); /* its entry is in the active head */
    heads_freeze_all(&f->h);
    assert_true(take_frozen(f, &frozen));
    assert_false(heads_evict_idle(&f->h, later_ns, &n)); /* the spiller reads its labels */
    append(f, "new", 10);
    drop_frozen(f, &frozen);
    assert_int_equal(heads_n_streams(&f->h), 2);
    assert_true(heads_evict_idle(&f->h, 0, &n));
    assert_int_equal(n, 0); /* nobody is idle for that long */
    assert_true(heads_evict_idle(&f->h, later_ns, &n));
    assert_int_equal(n, 1);
    assert_int_equal(heads_n_streams(&f->h), 1);
}

static void test_each_phase_says_what_it_refuses_and_why(void **state)
{
    (void)state;
    struct err err = ERR_INIT, why = {.code = ERR_CORRUPT, .text = "the catalog is not well"};
    for (int failed = 0; failed < 2; failed++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        struct phase p;
        phase_init(&p);
        atomic_store(&p.replayed_bytes, 3 << 20);
        assert_false(phase_describe(&p, &text));
        assert_true(sv_eq(buf_view(&text), SV("replaying the WAL: 3 MiB done")));
        assert_int_equal(phase_check_push(&p, &err), ERR_UNAVAILABLE);
        assert_int_equal(phase_check_query(&p, &err), ERR_UNAVAILABLE);
        assert_int_equal(phase_wait(&p, 0, NULL), 1);
        assert_int_equal(phase_recovered(&p, failed ? ERR_CORRUPT : 0, &why),
                         failed ? PHASE_FAILED : PHASE_READY);
        assert_int_equal(phase_wait(&p, -1, &err), failed ? ERR_CORRUPT : 0);
        assert_int_equal(phase_describe(&p, NULL), !failed);
        assert_int_equal(phase_is_ready(&p), !failed);
        assert_int_equal(phase_check_push(&p, &err), failed ? ERR_UNAVAILABLE : 0);
        assert_int_equal(phase_check_query(&p, &err), failed ? ERR_UNAVAILABLE : 0);
        if (failed)
            assert_string_equal(err.text, why.text);
        assert_int_equal(phase_stop(&p), !failed);
        assert_true(atomic_load(&p.stopping));
        assert_int_equal(phase_check_push(&p, &err), ERR_UNAVAILABLE);
        assert_int_equal(phase_check_query(&p, &err), 0);
        assert_int_equal(phase_recovered(&p, 0, NULL), PHASE_STOPPING); /* too late */
        phase_deinit(&p);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_entries_are_seen_from_their_mark_on),
        T(test_what_a_replay_brought_is_shown_with_the_log),
        T(test_a_full_head_is_frozen_and_two_full_ones_are_no_room),
        T(test_an_old_a_large_or_a_wanted_head_is_frozen_an_empty_one_never),
        T(test_who_waits_for_a_spill_is_told_of_its_end_and_of_its_failure),
        T(test_a_replay_freezes_at_its_record_and_waits_for_the_spill),
        T(test_idle_streams_go_once_their_entries_are_in_segments),
        cmocka_unit_test(test_each_phase_says_what_it_refuses_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
