/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of merging over live segments: what lives afterwards, also where something fails. */
#include "merge/round.h"

#include "publisher_gen.h"
/* publisher_gen.h brings cmocka and what it wants before. */
#include "lmdb_faults.h"
#include <dirent.h>
#include <stdio.h>

#include "merge/merge.h"
#include "store/index/table.h"
#include "store/object/object.h"

enum { MOST = 8 };

struct scene {
    struct publishing *f;
    struct merger *merger;
    _Atomic bool stop;
    struct segment_info sources[MOST];
    struct live_segment *live[MOST];
    size_t n;
};

static int setup(void **state)
{
    struct scene *s = mem_zalloc(1, sizeof *s);
    void *f = NULL;
    assert_int_equal(publishing_setup(&f), 0);
    s->f = f;
    struct merger_conf conf = {.publisher = &s->f->p,
                               .place = PLACE_OBJECT,
                               .level = SEGMENT_OBJECT,
                               .object_bytes = 1 << 20,
                               .stop = &s->stop};
    s->merger = merger_new(&conf);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    void *f = s->f;
    merger_free(s->merger);
    free(s);
    return publishing_teardown(&f);
}

/* n live local segments, neighbours in the log. */
static void make_sources(struct scene *s, size_t n)
{
    struct leftovers failed = LEFTOVERS_INIT;
    for (s->n = 0; s->n < n; s->n++) {
        s->sources[s->n] = prepared(s->f, PLACE_LOCAL, 10 + 10 * s->n);
        struct publication what = {.add = &s->sources[s->n], .n_add = 1};
        assert_int_equal(publish_commit(&s->f->p, &failed, &what, NULL), 0);
    }
}

/* One byte of its first chunk. */
static void damage(struct scene *s, size_t i)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    struct object_store *local = s->f->p.deps.stores.local;
    assert_int_equal(object_get(local, s->sources[i].key, 1 << 20, &bytes, NULL), 0);
    bytes.p[90] ^= 1;
    assert_int_equal(object_put(local, s->sources[i].key, buf_view(&bytes), NULL), 0);
}

/* A round over the local segments of the view that are not known to be damaged. */
static int round_of_all(struct scene *s, struct merge_result *ret, size_t *ret_n)
{
    struct view *v = view_pin(s->f->p.deps.views);
    size_t n = 0;
    for (size_t i = 0; i < v->n_segments; i++)
        if (v->segments[i]->info.place == PLACE_LOCAL &&
            !merger_is_damaged(s->merger, v->segments[i]->info.uuid))
            s->live[n++] = live_segment_ref(v->segments[i]);
    view_unpin(v);
    *ret_n = n;
    int r = n ? merger_round(s->merger, s->live, n, ret, NULL) : 0;
    for (size_t i = 0; i < n; i++)
        live_segment_unref(s->live[i]);
    return r;
}

static size_t n_in_view(struct scene *s, enum segment_place place)
{
    struct view *v = view_pin(s->f->p.deps.views);
    size_t n = 0;
    for (size_t i = 0; i < v->n_segments; i++)
        n += v->segments[i]->info.place == place;
    view_unpin(v);
    return n;
}

static void test_sources_are_replaced_by_one_object_that_covers_them(void **state)
{
    struct scene *s = *state;
    struct merge_result done;
    size_t n;
    make_sources(s, 3);
    assert_int_equal(round_of_all(s, &done, &n), 0);
    assert_int_equal(done.n_sources, 3);
    assert_int_equal(done.n_made, 1);
    assert_true(done.bytes > 0);
    assert_true(done.copied_chunks + done.decoded_chunks > 0);
    assert_int_equal(n_in_view(s, PLACE_LOCAL), 0);
    assert_int_equal(n_in_view(s, PLACE_OBJECT), 1);
    assert_int_equal(catalog_size(s->f), 1);
    assert_int_equal(publish_remove_dead(&s->f->p, NULL), 0);
    for (size_t i = 0; i < s->n; i++)
        assert_false(is_stored(s->f, &s->sources[i]));
    struct view *v = view_pin(s->f->p.deps.views);
    const struct segment_info *info = &v->segments[0]->info;
    assert_int_equal(info->level, SEGMENT_OBJECT);
    assert_int_equal(info->n_coverage, 1); /* 10..39: neighbours are joined */
    assert_int_equal(info->coverage[0].first, 10);
    assert_int_equal(info->coverage[0].last, 39);
    view_unpin(v);
}

static void test_a_commit_that_fails_leaves_the_sources_and_the_next_round_heals(void **state)
{
    struct scene *s = *state;
    struct merge_result done;
    size_t n;
    make_sources(s, 2);
    /* Let each write of the databases fail in turn, the commit's last. */
    unsigned n_failed = 0;
    for (int nth = 0;; nth++) {
        lmdb_faults_arm(nth, EIO, true);
        int r = round_of_all(s, &done, &n);
        bool failed = lmdb_faults_disarm() > 0;
        assert_int_equal(publish_remove_dead(&s->f->p, NULL), 0);
        assert_int_equal(n, 2);
        if (!failed) {
            assert_int_equal(r, 0);
            break;
        }
        assert_true(r < 0);
        n_failed++;
        assert_int_equal(n_in_view(s, PLACE_LOCAL), 2);
        assert_int_equal(n_in_view(s, PLACE_OBJECT), 0);
        for (size_t i = 0; i < s->n; i++)
            assert_true(is_stored(s->f, &s->sources[i]));
    }
    assert_true(n_failed > 2);
    assert_int_equal(n_in_view(s, PLACE_LOCAL), 0);
    assert_int_equal(n_in_view(s, PLACE_OBJECT), 1);
    assert_int_equal(catalog_size(s->f), 1);
    assert_int_equal(parts_seen(s->f), 2);
}

static void test_a_stop_ends_a_round_and_nothing_of_it_stays(void **state)
{
    struct scene *s = *state;
    struct merge_result done;
    size_t n;
    make_sources(s, 2);
    atomic_store(&s->stop, true);
    assert_int_equal(round_of_all(s, &done, &n), ERR_CANCELLED);
    assert_int_equal(n_in_view(s, PLACE_LOCAL), 2);
    atomic_store(&s->stop, false);
    assert_int_equal(round_of_all(s, &done, &n), 0);
    assert_int_equal(n_in_view(s, PLACE_LOCAL), 0);
}

/* Wherever among the others it stands. */
static void test_a_damaged_source_is_found_and_the_others_go_on(void **state)
{
    for (size_t bad = 0; bad < 4; bad++) {
        struct merge_result done;
        unsigned n_rounds = 0;
        size_t n = 1;
        if (bad > 0)
            assert_int_equal(setup(state), 0);
        struct scene *s = *state;
        make_sources(s, 4);
        damage(s, bad);
        for (; n > 0 && n_rounds < 20; n_rounds++) {
            int r = round_of_all(s, &done, &n);
            assert_true(r == 0 || r == ERR_CORRUPT);
            if (r == ERR_CORRUPT && done.damaged)
                assert_true(merger_is_damaged(s->merger, s->sources[bad].uuid));
        }
        assert_in_range(n_rounds, 1, 7);
        assert_int_equal(merger_n_damaged(s->merger), 1);
        assert_false(merger_is_searching(s->merger));
        assert_int_equal(n_in_view(s, PLACE_LOCAL), 1);
        assert_true(is_stored(s->f, &s->sources[bad]));
        assert_int_equal(parts_seen(s->f), 2 * catalog_size(s->f));
        if (bad < 3)
            assert_int_equal(teardown(state), 0);
    }
}

static void test_a_damaged_source_that_is_alone_is_known_at_once(void **state)
{
    struct scene *s = *state;
    struct merge_result done;
    size_t n;
    make_sources(s, 1);
    damage(s, 0);
    assert_int_equal(round_of_all(s, &done, &n), ERR_CORRUPT);
    assert_non_null(done.damaged);
    assert_int_equal(round_of_all(s, &done, &n), 0);
    assert_int_equal(n, 0);
    assert_false(merger_is_searching(s->merger));
}

static int spoil(void *ctx, struct kv_txn *t, struct err *err)
{
    return kv_put(t, TABLE_TENANTS, SV("tenant-0"), SV("?"), err);
}

/* Into each table of the index. */
static void write_tables(struct scene *s, kv_write_fn *fn)
{
    static const char *const dbs[] = {"meta",  "tenants",  "series", "sids",
                                      "names", "postings", "parts",  "segments"};
    struct kv_conf conf = {.dbs = dbs, .n_dbs = TABLE_N_DBS};
    const char *folder = in_folder(s->f->folder, "index");
    struct dirent *e;
    index_close(s->f->p.deps.index);
    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d))) {
        char path[512];
        struct kv *kv;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_int_equal(kv_open(&kv, path, &conf, NULL), 0);
        assert_int_equal(kv_write(kv, fn, NULL, NULL), 0);
        kv_close(kv);
    }
    closedir(d);
    assert_int_equal(index_open(&s->f->p.deps.index, folder, NULL, NULL), 0);
}

/* The sources are sound: nothing is searched, and the next round has all of them. */
static void test_a_damaged_index_is_no_damaged_source(void **state)
{
    struct scene *s = *state;
    struct merge_result done;
    size_t n;
    make_sources(s, 3);
    write_tables(s, spoil); /* the index writes to a fresh table beside it, until it is whole */
    assert_int_equal(round_of_all(s, &done, &n), 0);
    assert_null(done.damaged);
    assert_int_equal(merger_n_damaged(s->merger), 0);
    assert_false(merger_is_searching(s->merger));
    assert_int_equal(n_in_view(s, PLACE_LOCAL), 0);
    assert_int_equal(n_in_view(s, PLACE_OBJECT), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_sources_are_replaced_by_one_object_that_covers_them),
        T(test_a_commit_that_fails_leaves_the_sources_and_the_next_round_heals),
        T(test_a_stop_ends_a_round_and_nothing_of_it_stays),
        T(test_a_damaged_source_is_found_and_the_others_go_on),
        T(test_a_damaged_index_is_no_damaged_source),
        T(test_a_damaged_source_that_is_alone_is_known_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
