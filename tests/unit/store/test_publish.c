/* SPDX-License-Identifier: Apache-2.0 */
/* What lives, what is seen and what goes, after each step that comes off and each that does not. */
#include "store/publish.h"

#include "publisher_gen.h"
/* publisher_gen.h brings cmocka and what it wants before. */
#include "chunk/head.h"
#include "lmdb_faults.h"
#include "store/object/object.h"

static void test_a_segment_is_seen_from_its_commit_on_and_not_before(void **state)
{
    struct publishing *f = *state;
    struct leftovers failed = LEFTOVERS_INIT;
    struct segment_info info = prepared(f, PLACE_LOCAL, 10);
    assert_int_equal(parts_seen(f), 0);
    assert_int_equal(catalog_size(f), 0);
    struct publication what = {.add = &info, .n_add = 1, .covered_lsn = 20};
    assert_int_equal(publish_commit(&f->p, &failed, &what, NULL), 0);
    assert_int_equal(parts_seen(f), 2);
    assert_int_equal(catalog_size(f), 1);
    assert_int_equal(catalog_covered_lsn(f->p.deps.catalog), 20);
}

static void test_what_is_replaced_goes_with_the_last_view_that_holds_it(void **state)
{
    struct publishing *f = *state;
    struct leftovers failed = LEFTOVERS_INIT;
    struct segment_info a = prepared(f, PLACE_LOCAL, 10), b = prepared(f, PLACE_OBJECT, 10);
    struct publication first = {.add = &a, .n_add = 1};
    assert_int_equal(publish_commit(&f->p, &failed, &first, NULL), 0);
    struct view *old = view_pin(f->p.deps.views);
    struct publication second = {.add = &b, .n_add = 1, .replaced = &a.uuid, .n_replaced = 1};
    assert_int_equal(publish_commit(&f->p, &failed, &second, NULL), 0);
    assert_int_equal(parts_seen(f), 2);
    assert_int_equal(publish_remove_dead(&f->p, NULL), 0);
    assert_true(is_stored(f, &a)); /* the old view reads it */
    view_unpin(old);
    assert_true(is_stored(f, &a)); /* whoever unpins does not wait for a disk */
    assert_int_equal(publish_remove_dead(&f->p, NULL), 0);
    assert_false(is_stored(f, &a));
    assert_true(is_stored(f, &b));
    assert_int_equal(catalog_size(f), 1);
    assert_int_equal(parts_seen(f), 2);
}

/* Heads of the view stay where a publication says nothing of them. */
static void test_heads_change_in_the_same_step_or_stay(void **state)
{
    struct publishing *f = *state;
    struct leftovers failed = LEFTOVERS_INIT;
    struct generation *g[2] = {generation_new(head_new(), 1, NULL, NULL),
                               generation_new(head_new(), 2, NULL, NULL)};
    struct views_change heads = {.set_heads = true, .heads = {g[0], g[1]}, .n_heads = 2};
    views_apply(f->p.deps.views, &heads);
    struct segment_info info[2] = {prepared(f, PLACE_LOCAL, 10), prepared(f, PLACE_LOCAL, 20)};
    for (size_t i = 0; i < 2; i++) {
        struct publication what = {
            .add = &info[i], .n_add = 1, .heads = i == 0 ? NULL : &g[1], .n_heads = i == 0 ? 0 : 1};
        assert_int_equal(publish_commit(&f->p, &failed, &what, NULL), 0);
        struct view *v = view_pin(f->p.deps.views);
        assert_int_equal(v->n_segments, i + 1);
        assert_int_equal(v->n_heads, 2 - i);
        view_unpin(v);
    }
    empty_views(f);
    for (size_t i = 0; i < 2; i++) {
        head_free(g[i]->head);
        generation_unref(g[i]);
    }
}

static void test_a_commit_that_fails_changes_nothing_and_is_taken_back_by_the_next(void **state)
{
    struct publishing *f = *state;
    struct leftovers failed = LEFTOVERS_INIT;
    struct segment_info source = prepared(f, PLACE_LOCAL, 10);
    struct publication first = {.add = &source, .n_add = 1, .covered_lsn = 20};
    assert_int_equal(publish_commit(&f->p, &failed, &first, NULL), 0);
    struct segment_info lost = prepared(f, PLACE_OBJECT, 10);
    struct publication second = {
        .add = &lost, .n_add = 1, .replaced = &source.uuid, .n_replaced = 1, .covered_lsn = 99};
    lmdb_faults_arm(0, EIO, true);
    struct err err = ERR_INIT;
    assert_true(publish_commit(&f->p, &failed, &second, &err) < 0);
    assert_true(lmdb_faults_disarm() > 0);
    assert_int_equal(failed.n, 1);
    assert_int_equal(parts_seen(f), 2); /* of the source */
    struct view *v = view_pin(f->p.deps.views);
    assert_int_equal(v->n_segments, 1);
    assert_true(uuid_eq(v->segments[0]->info.uuid, source.uuid));
    assert_false(atomic_load(&v->segments[0]->doomed));
    view_unpin(v);
    assert_int_equal(publish_remove_dead(&f->p, NULL), 0);
    assert_true(is_stored(f, &source));
    assert_true(is_stored(f, &lost)); /* who knows what the catalog says on the disk */

    struct segment_info again = prepared(f, PLACE_OBJECT, 10);
    second.add = &again;
    assert_int_equal(publish_commit(&f->p, &failed, &second, NULL), 0);
    assert_int_equal(failed.n, 0);
    assert_int_equal(publish_remove_dead(&f->p, NULL), 0);
    assert_false(is_stored(f, &source));
    assert_false(is_stored(f, &lost));
    assert_true(is_stored(f, &again));
    assert_int_equal(catalog_size(f), 1);
    assert_int_equal(parts_seen(f), 2);
    leftovers_deinit(&failed);
}

static void test_rows_that_cannot_be_written_take_the_segment_with_them(void **state)
{
    struct publishing *f = *state;
    struct segment_info info, kept = prepared(f, PLACE_LOCAL, 10);
    struct segment_draft d = write_segment(f, PLACE_LOCAL, 20);
    struct err err = ERR_INIT;
    lmdb_faults_arm(0, ENOSPC, false);
    assert_true(publish_prepare(&f->p, &d, &f->arena, &info, &err) < 0);
    assert_int_equal(lmdb_faults_disarm(), 1);
    struct segment_file file;
    assert_int_equal(segment_file_open(&file, &f->p.deps.stores, d.place, d.key, NULL),
                     ERR_NOT_FOUND);
    assert_true(is_stored(f, &kept));
    assert_null(strstr(err.text, "not removed"));
    /* The rows of one period were written, and the disk is gone for good: that they stay is told.
     */
    bool told = false;
    for (int nth = 1; !told; nth++) {
        d = write_segment(f, PLACE_LOCAL, 30);
        lmdb_faults_arm(nth, EIO, true);
        int r = publish_prepare(&f->p, &d, &f->arena, &info, &err);
        assert_true(lmdb_faults_disarm() > 0 && r < 0);
        told = strstr(err.text, "; dead segments were not removed: ") != NULL;
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, publishing_setup, publishing_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_segment_is_seen_from_its_commit_on_and_not_before),
        T(test_what_is_replaced_goes_with_the_last_view_that_holds_it),
        T(test_heads_change_in_the_same_step_or_stay),
        T(test_a_commit_that_fails_changes_nothing_and_is_taken_back_by_the_next),
        T(test_rows_that_cannot_be_written_take_the_segment_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
