/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>

#include "base/clock.h"
#include "lmdb_faults.h"
#include "store/catalog.h"

static struct segment_info sample(uint64_t generation, uint64_t first_lsn, struct arena *a)
{
    struct period *p = ARENA_ARRAY(a, struct period, 2);
    p[0] = (struct period){0, NS_PER_DAY};
    p[1] = (struct period){NS_PER_DAY, NS_PER_DAY};
    struct lsn_range *c = ARENA_ARRAY(a, struct lsn_range, 1);
    c[0] = (struct lsn_range){uuid_new(), first_lsn, first_lsn + 9};
    struct segment_info s = {.uuid = uuid_new(),
                             .place = PLACE_LOCAL,
                             .bytes = 12345,
                             .generation = generation,
                             .created_ns = 77,
                             .min_ts_ns = -5,
                             .max_ts_ns = NS_PER_DAY + 5,
                             .n_rows = 100,
                             .line_bytes = 9999,
                             .n_parts = 2,
                             .periods = p,
                             .n_periods = 2,
                             .coverage = c,
                             .n_coverage = 1};
    s.key = segment_key(a, s.uuid, s.min_ts_ns);
    return s;
}

static void assert_same_info(const struct segment_info *a, const struct segment_info *b)
{
    CLEANUP(buf_deinit) struct buf x = BUF_INIT, y = BUF_INIT;
    segment_info_encode(&x, a);
    segment_info_encode(&y, b);
    assert_true(uuid_eq(a->uuid, b->uuid));
    assert_true(sv_eq(buf_view(&x), buf_view(&y)));
}

static void test_a_commit_survives_reopening(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct catalog *c;
    struct err err = ERR_INIT;
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), &err), 0);
    struct installation inst = catalog_installation(c);
    assert_int_equal(catalog_covered_lsn(c), 0);
    struct segment_info add[2] = {sample(catalog_next_generation(c), 50, &a),
                                  sample(catalog_next_generation(c), 10, &a)};
    struct catalog_change change = {.add = add, .n_add = 2, .covered_lsn = 60};
    assert_int_equal(catalog_commit(c, &change, &err), 0);
    catalog_close(c);

    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), &err), 0);
    assert_true(uuid_eq(catalog_installation(c).uuid, inst.uuid));
    assert_int_equal(catalog_installation(c).created_ns, inst.created_ns);
    assert_int_equal(catalog_covered_lsn(c), 60);
    assert_true(catalog_next_generation(c) > 2);
    struct segment_info *v;
    size_t n;
    assert_int_equal(catalog_load(c, &a, &v, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_same_info(&v[0], &add[1]); /* coverage order */
    assert_same_info(&v[1], &add[0]);

    change = (struct catalog_change){.remove = &add[0].uuid, .n_remove = 1, .covered_lsn = 5};
    assert_int_equal(catalog_commit(c, &change, &err), 0);
    assert_int_equal(catalog_commit(c, &change, &err), 0); /* a repetition changes nothing */
    assert_int_equal(catalog_covered_lsn(c), 60);          /* never falls */
    assert_int_equal(catalog_load(c, &a, &v, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_same_info(&v[0], &add[1]);
    catalog_close(c);
}

static void test_create_keeps_the_installation_and_refuses_an_old_catalog(void **state)
{
    struct installation inst = {uuid_new(), 4711};
    struct catalog *c;
    assert_int_equal(catalog_create(&c, in_folder(*state, "catalog"), &inst, NULL), 0);
    assert_true(uuid_eq(catalog_installation(c).uuid, inst.uuid));
    assert_int_equal(catalog_installation(c).created_ns, 4711);
    catalog_close(c);
    assert_int_equal(catalog_create(&c, in_folder(*state, "catalog"), &inst, NULL), -EEXIST);
}

static void test_every_flipped_bit_of_a_record_is_noticed(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct segment_info s = sample(3, 4, &a), back;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    segment_info_encode(&b, &s);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        assert_true(segment_info_decode(&a, buf_view(&b), &back, NULL) < 0);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_true(segment_info_decode(&a, sv(b.p, len), &back, NULL) < 0);
    assert_int_equal(segment_info_decode(&a, buf_view(&b), &back, NULL), 0);
    back.uuid = s.uuid;
    assert_same_info(&s, &back);
}

static void test_keys_name_the_day_also_before_1970(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct uuid u = {{0}};
    assert_true(
        sv_eq(segment_key(&a, u, -1), SV("1969-12-31/00000000-0000-0000-0000-000000000000.seg")));
    assert_true(sv_starts_with(segment_key(&a, u, NS_PER_DAY * 365), SV("1971-01-01/")));
}

/* The names that live, and the covered LSN. */
static void read_back(struct catalog *c, uint64_t *ret_covered, size_t *ret_n, bool *ret_old,
                      bool *ret_new, const struct uuid *old, const struct uuid *new)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct segment_info *v;
    assert_int_equal(catalog_load(c, &a, &v, ret_n, NULL), 0);
    *ret_covered = catalog_covered_lsn(c);
    *ret_old = *ret_new = false;
    for (size_t i = 0; i < *ret_n; i++) {
        *ret_old |= uuid_eq(v[i].uuid, *old);
        *ret_new |= uuid_eq(v[i].uuid, *new);
    }
}

/* One segment takes the place of another, and a call of that commit fails. */
static void commit_with_faults(struct folder *folder, int errnum, bool then_all)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct catalog *c;
    assert_int_equal(catalog_open(&c, in_folder(folder, "catalog"), NULL), 0);
    struct segment_info old = sample(catalog_next_generation(c), 0, &a);
    struct catalog_change first = {.add = &old, .n_add = 1, .covered_lsn = 1};
    assert_int_equal(catalog_commit(c, &first, NULL), 0);
    unsigned n_failed = 0;
    for (int nth = 0;; nth++) {
        uint64_t before = catalog_covered_lsn(c), covered;
        struct segment_info new = sample(catalog_next_generation(c), before, &a);
        struct catalog_change change = {.add = &new,
                                        .n_add = 1,
                                        .remove = &old.uuid,
                                        .n_remove = 1,
                                        .covered_lsn = before + 10};
        lmdb_faults_arm(nth, errnum, then_all);
        int r = catalog_commit(c, &change, NULL);
        int hit = lmdb_faults_disarm();
        n_failed += r < 0;
        assert_true(r == 0 || hit > 0);
        size_t n;
        bool has_old, has_new;
        for (int reopened = 0; reopened < 2; reopened++) {
            read_back(c, &covered, &n, &has_old, &has_new, &old.uuid, &new.uuid);
            assert_int_equal(n, 1);
            assert_true(has_old != has_new);
            assert_true(r < 0 || has_new);
            if (r == 0 || reopened) /* in memory it rises when the commit is sure */
                assert_int_equal(covered, has_new ? before + 10 : before);
            catalog_close(c);
            assert_int_equal(catalog_open(&c, in_folder(folder, "catalog"), NULL), 0);
        }
        /* The same again is what the ingester does. */
        assert_int_equal(catalog_commit(c, &change, NULL), 0);
        read_back(c, &covered, &n, &has_old, &has_new, &old.uuid, &new.uuid);
        assert_true(n == 1 && has_new && covered == before + 10);
        old = new;
        if (hit == 0)
            break;
    }
    assert_true(n_failed >= 3);
    catalog_close(c);
}

static void test_a_commit_that_fails_once_is_done_or_not(void **state)
{
    commit_with_faults(*state, EIO, false);
}

static void test_a_commit_on_a_full_disk_is_done_or_not(void **state)
{
    commit_with_faults(*state, ENOSPC, true);
}

static void test_a_smaller_covered_lsn_changes_nothing(void **state)
{
    struct catalog *c;
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    assert_int_equal(catalog_commit(c, &(struct catalog_change){.covered_lsn = 50}, NULL), 0);
    assert_int_equal(catalog_commit(c, &(struct catalog_change){.covered_lsn = 20}, NULL), 0);
    assert_int_equal(catalog_covered_lsn(c), 50);
    catalog_close(c);
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    assert_int_equal(catalog_covered_lsn(c), 50);
    catalog_close(c);
}

static void test_generations_rise_over_every_segment_ever_committed(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct catalog *c;
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    struct segment_info s = sample(41, 0, &a);
    assert_int_equal(catalog_commit(c, &(struct catalog_change){.add = &s, .n_add = 1}, NULL), 0);
    assert_int_equal(catalog_next_generation(c), 42);
    struct catalog_change gone = {.remove = &s.uuid, .n_remove = 1};
    assert_int_equal(catalog_commit(c, &gone, NULL), 0);
    catalog_close(c);
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    assert_int_equal(catalog_next_generation(c), 42);
    assert_int_equal(catalog_next_generation(c), 43);
    catalog_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_a_commit_survives_reopening),
        FOLDER_TEST(test_create_keeps_the_installation_and_refuses_an_old_catalog),
        FOLDER_TEST(test_every_flipped_bit_of_a_record_is_noticed),
        FOLDER_TEST(test_keys_name_the_day_also_before_1970),
        FOLDER_TEST(test_a_commit_that_fails_once_is_done_or_not),
        FOLDER_TEST(test_a_commit_on_a_full_disk_is_done_or_not),
        FOLDER_TEST(test_a_smaller_covered_lsn_changes_nothing),
        FOLDER_TEST(test_generations_rise_over_every_segment_ever_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
