/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "lmdb_faults.h"
#include "store/catalog.h"
#include "store/catalog_verify.h"
#include "store/kv.h"
#include "store/kv_file.h"
#include "store/kv_sum.h"

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
        assert_true(segment_info_decode(&a, s.uuid, buf_view(&b), &back, NULL) < 0);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_true(segment_info_decode(&a, s.uuid, sv(b.p, len), &back, NULL) < 0);
    assert_int_equal(segment_info_decode(&a, s.uuid, buf_view(&b), &back, NULL), 0);
    assert_same_info(&s, &back);
    assert_int_equal(segment_info_decode(&a, uuid_new(), buf_view(&b), &back, NULL), ERR_CORRUPT);
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

/* --- the file --------------------------------------------------------------------------- */

/* Two segments, after some commits; sealed. */
static void make_catalog(struct folder *folder, struct arena *a, struct segment_info add[2])
{
    struct catalog *c;
    assert_int_equal(catalog_open(&c, in_folder(folder, "catalog"), NULL), 0);
    for (unsigned i = 0; i < 6; i++) {
        struct segment_info before = add[i % 2];
        add[i % 2] = sample(catalog_next_generation(c), i * 10, a);
        struct catalog_change change = {.add = &add[i % 2],
                                        .n_add = 1,
                                        .remove = &before.uuid,
                                        .n_remove = i > 1,
                                        .covered_lsn = 60 + i};
        assert_int_equal(catalog_commit(c, &change, NULL), 0);
    }
    catalog_close(c);
}

static uint32_t sum_of_answers(struct catalog *c)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct segment_info *v;
    size_t n;
    assert_int_equal(catalog_load(c, &a, &v, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        buf_put_bytes(&b, v[i].uuid.b, UUID_BYTES);
        segment_info_encode(&b, &v[i]);
    }
    buf_put_le64(&b, catalog_covered_lsn(c));
    buf_put_le64(&b, catalog_next_generation(c));
    struct installation inst = catalog_installation(c);
    buf_put_bytes(&b, inst.uuid.b, UUID_BYTES);
    buf_put_le64(&b, (uint64_t)inst.created_ns);
    return crc32c(buf_view(&b));
}

/* Unsealed: what the checksum of the file would find is not looked at. */
static void test_a_flipped_bit_of_the_file_is_found_or_changes_nothing(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct segment_info add[2] = {0};
    struct catalog *c;
    make_catalog(*state, &a, add);
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    uint32_t expected = sum_of_answers(c);
    catalog_close(c);
    char data[160];
    snprintf(data, sizeof data, "%s", in_folder(*state, "catalog/data.mdb"));
    assert_int_equal(file_read_whole(data, 1 << 24, &whole, NULL), 0);
    size_t n_found = 0, n_tries = 0;
    for (size_t bit = 0; bit < whole.len * 8; bit += 61, n_tries++) {
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        struct kv_file *f = NULL;
        int r = kv_file_open_bytes(&f, buf_view(&whole), NULL);
        if (r == 0)
            r = catalog_verify_file(f, NULL);
        kv_file_close(f);
        n_found += r < 0;
        if (r == 0) {
            assert_int_equal(file_write_atomic(data, buf_view(&whole), NULL), 0);
            file_unlink(in_folder(*state, "catalog/sum"), NULL);
            assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
            assert_int_equal(sum_of_answers(c), expected);
            catalog_close(c);
        }
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(n_found > 100 && n_found < n_tries);
}

static void test_a_catalog_is_sealed_when_it_is_closed_and_checked_when_it_is_opened(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct segment_info add[2] = {0};
    struct catalog *c;
    enum kv_sum sum;
    make_catalog(*state, &a, add);
    assert_int_equal(kv_sum_check(in_folder(*state, "catalog"), &sum, NULL), 0);
    assert_int_equal(sum, KV_SUM_GOOD);
    assert_int_equal(catalog_verify(in_folder(*state, "catalog"), NULL), 0);
    char data[160];
    snprintf(data, sizeof data, "%s", in_folder(*state, "catalog/data.mdb"));
    assert_int_equal(file_read_whole(data, 1 << 24, &whole, NULL), 0);
    char *at = memmem(whole.p, whole.len, add[0].key.p, add[0].key.len);
    assert_non_null(at);
    for (int sealed = 1; sealed >= 0; sealed--) {
        struct err err = ERR_INIT;
        *at ^= 1;
        assert_int_equal(file_write_atomic(data, buf_view(&whole), NULL), 0);
        *at ^= 1;
        if (!sealed)
            assert_int_equal(file_unlink(in_folder(*state, "catalog/sum"), NULL), 0);
        assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), &err), ERR_CORRUPT);
        assert_non_null(strstr(err.text, sealed ? "sealed" : "wrong checksum"));
    }
    assert_int_equal(file_write_atomic(data, buf_view(&whole), NULL), 0);
    assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
    assert_int_equal(catalog_commit(c, &(struct catalog_change){.covered_lsn = 500}, NULL), 0);
    assert_int_equal(kv_sum_check(in_folder(*state, "catalog"), &sum, NULL), 0);
    assert_int_equal(sum, KV_SUM_NONE);
    catalog_close(c);
    assert_int_equal(kv_sum_check(in_folder(*state, "catalog"), &sum, NULL), 0);
    assert_int_equal(sum, KV_SUM_GOOD);
}

/* --- the format before ------------------------------------------------------------------ */

struct old_catalog {
    struct segment_info *v;
    size_t n;
};

static int put_old(void *ctx, struct kv_txn *t, struct err *err)
{
    const struct old_catalog *o = ctx;
    char number[8], inst[INSTALLATION_BYTES] = "an installation's uuid..";
    for (size_t i = 0; i < o->n; i++) {
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        segment_info_encode(&b, &o->v[i]);
        b.p[0] = 1;
        st_le32(b.p + b.len - 4, crc32c(sv(b.p, b.len - 4)));
        int r = kv_put(t, CATALOG_SEGMENTS, sv((const char *)o->v[i].uuid.b, UUID_BYTES),
                       buf_view(&b), err);
        if (r < 0)
            return r;
    }
    st_le64(number, 1);
    int r = kv_put(t, CATALOG_META, SV("format"), sv(number, 8), err);
    if (r == 0)
        r = kv_put(t, CATALOG_META, SV("installation"), sv(inst, sizeof inst), err);
    st_le64(number, 77);
    if (r == 0)
        r = kv_put(t, CATALOG_META, SV("covered"), sv(number, 8), err);
    return r == 0 ? kv_put(t, CATALOG_META, SV("generation"), sv(number, 8), err) : r;
}

static void test_a_catalog_of_the_first_format_is_taken_over(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct segment_info add[2] = {sample(1, 10, &a), sample(2, 20, &a)}, *v;
    struct old_catalog old = {add, 2};
    struct kv_conf conf = {
        .dbs = catalog_db_names, .n_dbs = CATALOG_N_DBS, .init = put_old, .ctx = &old};
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(*state, "catalog"), &conf, NULL), 0);
    kv_close(kv);
    assert_int_equal(catalog_verify(in_folder(*state, "catalog"), NULL), 0);
    for (int again = 0; again < 2; again++) {
        struct catalog *c;
        size_t n;
        assert_int_equal(catalog_open(&c, in_folder(*state, "catalog"), NULL), 0);
        assert_int_equal(catalog_covered_lsn(c), 77);
        assert_int_equal(catalog_next_generation(c), 78);
        assert_memory_equal(catalog_installation(c).uuid.b, "an installation'", UUID_BYTES);
        assert_int_equal(catalog_load(c, &a, &v, &n, NULL), 0);
        assert_int_equal(n, 2);
        assert_same_info(&v[0], &add[0]);
        assert_same_info(&v[1], &add[1]);
        catalog_close(c);
        assert_int_equal(catalog_verify(in_folder(*state, "catalog"), NULL), 0);
    }
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
        FOLDER_TEST(test_a_flipped_bit_of_the_file_is_found_or_changes_nothing),
        FOLDER_TEST(test_a_catalog_is_sealed_when_it_is_closed_and_checked_when_it_is_opened),
        FOLDER_TEST(test_a_catalog_of_the_first_format_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
