/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/thread.h"
#include "lmdb_faults.h"
#include "store/kv.h"
#include "store/kv_sum.h"

static const char *const dbs[] = {"a", "b"};
static const struct kv_conf small = {.dbs = dbs, .n_dbs = 2, .map_bytes = 256 << 10};

struct fill {
    uint32_t from, n;
    int n_runs;
};

static int put_many(void *ctx, struct kv_txn *t, struct err *err)
{
    struct fill *f = ctx;
    f->n_runs++;
    char value[1000];
    memset(value, 'v', sizeof value);
    for (uint32_t i = f->from; i < f->from + f->n; i++) {
        char key[4];
        st_le32(key, __builtin_bswap32(i));
        st_le32(value, i);
        int r = kv_put(t, 0, sv(key, 4), sv(value, sizeof value), err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* How many keys; each must have its value. */
static uint32_t count_all(struct kv *kv)
{
    struct kv_txn t;
    struct kv_cursor c;
    uint32_t n = 0;
    assert_int_equal(kv_read_begin(kv, &t, NULL), 0);
    assert_int_equal(kv_cursor_open(&t, 0, &c, NULL), 0);
    for (int r = kv_seek(&c, SV_EMPTY, NULL); r == KV_OK; r = kv_next(&c, NULL), n++)
        assert_int_equal(ld_le32(c.value.p), __builtin_bswap32(ld_le32(c.key.p)));
    kv_cursor_close(&c);
    kv_read_end(&t);
    return n;
}

static void test_a_full_map_grows_and_the_transaction_runs_again(void **state)
{
    struct kv *kv;
    struct err err = ERR_INIT;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, &err), 0);
    struct fill f = {0, 5000, 0};
    assert_int_equal(kv_write(kv, put_many, &f, &err), 0);
    assert_true(f.n_runs > 1);
    assert_true(kv_map_bytes(kv) > 5000 * 1000);
    assert_int_equal(count_all(kv), 5000);
    kv_close(kv);

    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, &err), 0);
    assert_int_equal(count_all(kv), 5000);
    kv_close(kv);
}

struct reading {
    struct kv *kv;
    _Atomic bool stop;
    _Atomic uint32_t n_reads;
};

static void read_until_stopped(void *ctx)
{
    struct reading *rd = ctx;
    uint32_t last = 0;
    while (!atomic_load(&rd->stop)) {
        uint32_t n = count_all(rd->kv);
        assert_true(n >= last && n % 100 == 0); /* whole transactions, never fewer */
        last = n;
        atomic_fetch_add(&rd->n_reads, 1);
    }
}

static void test_readers_go_on_while_the_map_grows(void **state)
{
    struct reading rd = {0};
    assert_int_equal(kv_open(&rd.kv, in_folder(*state, "env"), &small, NULL), 0);
    struct thread readers[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_start(&readers[i], "reader", read_until_stopped, &rd, NULL), 0);
    uint32_t n = 0;
    for (; n < 3000 || atomic_load(&rd.n_reads) < 5; n += 100) {
        struct fill f = {n, 100, 0};
        assert_int_equal(kv_write(rd.kv, put_many, &f, NULL), 0);
    }
    atomic_store(&rd.stop, true);
    for (int i = 0; i < 3; i++)
        thread_join(&readers[i]);
    assert_int_equal(count_all(rd.kv), n);
    kv_close(rd.kv);
}

static int fail_after_writing(void *ctx, struct kv_txn *t, struct err *err)
{
    int r = put_many(ctx, t, err);
    return r < 0 ? r : err_set(err, -EIO, "no");
}

static void test_a_failed_transaction_leaves_nothing(void **state)
{
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    struct fill f = {0, 10, 0};
    assert_int_equal(kv_write(kv, fail_after_writing, &f, NULL), -EIO);
    assert_int_equal(f.n_runs, 1);
    assert_int_equal(count_all(kv), 0);
    kv_close(kv);
}

static void test_one_environment_opens_once(void **state)
{
    struct kv *kv, *again;
    struct err err = ERR_INIT;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    assert_int_equal(kv_open(&again, in_folder(*state, "env"), &small, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "open already"));
    kv_close(kv);
    assert_int_equal(kv_open(&again, in_folder(*state, "env"), &small, NULL), 0);
    kv_close(again);
}

/* What a crash leaves of a creation: a half folder beside, an empty one in place. */
static void test_leftovers_of_a_creation_do_no_harm(void **state)
{
    assert_int_equal(file_mkdirs(in_folder(*state, "env.new"), NULL), 0);
    assert_int_equal(file_write_atomic(in_folder(*state, "env.new/data.mdb"), SV("half"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "env"), NULL), 0);
    struct kv *kv;
    struct err err = ERR_INIT;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, &err), 0);
    assert_false(file_exists(in_folder(*state, "env.new")));
    kv_close(kv);
}

static void test_garbage_is_an_error(void **state)
{
    char garbage[8192];
    memset(garbage, 0x5a, sizeof garbage);
    assert_int_equal(file_mkdirs(in_folder(*state, "env"), NULL), 0);
    assert_int_equal(
        file_write_atomic(in_folder(*state, "env/data.mdb"), sv(garbage, sizeof garbage), NULL), 0);
    struct kv *kv;
    struct err err = ERR_INIT;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, &err), ERR_CORRUPT);
}

/* Whatever stands in the file of locks: the first who opens an environment makes it anew. */
static void test_a_damaged_lock_file_does_no_harm(void **state)
{
    CLEANUP(buf_deinit) struct buf locks = BUF_INIT;
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    struct fill f = {0, 10, 0};
    assert_int_equal(kv_write(kv, put_many, &f, NULL), 0);
    kv_close(kv);
    for (size_t bytes = 0; bytes < 200000; bytes = bytes * 3 + 1) {
        buf_clear(&locks);
        buf_fill(&locks, (char)0xa5, bytes);
        assert_int_equal(
            file_write_atomic(in_folder(*state, "env/lock.mdb"), buf_view(&locks), NULL), 0);
        assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
        assert_int_equal(count_all(kv), 10);
        assert_int_equal(kv_write(kv, put_many, &f, NULL), 0);
        kv_close(kv);
    }
}

static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    int *left = ctx;
    return (struct file_fault){.errnum = (*left)-- == 0 ? EIO : 0};
}

static void test_a_fault_at_any_call_of_the_creation_can_be_retried(void **state)
{
    for (int nth = 0;; nth++) {
        char name[32];
        snprintf(name, sizeof name, "env%d", nth);
        int left = nth;
        file_fault_set(fail_nth, &left);
        struct kv *kv = NULL;
        int r = kv_open(&kv, in_folder(*state, name), &small, NULL);
        file_fault_set(NULL, NULL);
        if (r == 0) {
            kv_close(kv);
            if (left >= 0)
                break; /* no call was left to fail */
            continue;
        }
        assert_int_equal(kv_open(&kv, in_folder(*state, name), &small, NULL), 0);
        kv_close(kv);
    }
}

/* A commit that fails anywhere is done or not, and the next one goes on. */
static void commit_with_faults(struct folder *folder, int errnum, bool then_all)
{
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(folder, "env"), &small, NULL), 0);
    uint32_t n = 0;
    int n_failed = 0, n_tries = 0;
    for (int nth = 0;; nth++, n_tries++) {
        struct fill f = {n, 20, 0};
        lmdb_faults_arm(nth, errnum, then_all);
        int r = kv_write(kv, put_many, &f, NULL);
        int hit = lmdb_faults_disarm();
        if (hit == 0) {
            assert_int_equal(r, 0);
            break;
        }
        n_failed += r < 0;
        uint32_t now = count_all(kv);
        assert_true(now == n || now == n + 20);
        assert_true(r < 0 || now == n + 20);
        struct fill again = {now, 20, 0};
        assert_int_equal(kv_write(kv, put_many, &again, NULL), 0);
        n = now + 20;
        assert_int_equal(count_all(kv), n);
        kv_close(kv); /* what the disk has */
        assert_int_equal(kv_open(&kv, in_folder(folder, "env"), &small, NULL), 0);
        assert_int_equal(count_all(kv), n);
    }
    assert_true(n_failed >= 3); /* pages, sync, the page that ends it */
    assert_true(n_failed == n_tries);
    kv_close(kv);
}

static void test_a_commit_that_fails_once_is_done_or_not(void **state)
{
    commit_with_faults(*state, EIO, false);
}

static void test_a_commit_on_a_broken_disk_is_done_or_not(void **state)
{
    commit_with_faults(*state, EIO, true);
}

static void test_a_commit_on_a_full_disk_is_done_or_not(void **state)
{
    commit_with_faults(*state, ENOSPC, true);
}

/* Reads all that can be read. */
static int read_all(struct kv *kv, uint32_t *ret_n)
{
    struct kv_txn t;
    struct kv_cursor c;
    *ret_n = 0;
    int r = kv_read_begin(kv, &t, NULL);
    if (r < 0)
        return r;
    r = kv_cursor_open(&t, 0, &c, NULL);
    if (r == 0)
        r = kv_seek(&c, SV_EMPTY, NULL);
    for (; r == KV_OK; r = kv_next(&c, NULL))
        *ret_n += c.value.len == 1000;
    kv_cursor_close(&c);
    kv_read_end(&t);
    return r < 0 ? r : 0;
}

static void test_a_file_that_was_cut_off_is_an_error_and_no_signal(void **state)
{
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    struct fill f = {0, 300, 0};
    assert_int_equal(kv_write(kv, put_many, &f, NULL), 0);
    kv_close(kv);
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    char data[160];
    snprintf(data, sizeof data, "%s", in_folder(*state, "env/data.mdb"));
    assert_int_equal(file_read_whole(data, 1 << 24, &whole, NULL), 0);
    unsigned n_noticed = 0, n_tries = 0;
    for (size_t len = 0; len < whole.len; len += 1500, n_tries++) {
        assert_int_equal(file_write_atomic(data, sv(whole.p, len), NULL), 0);
        int r = kv_open(&kv, in_folder(*state, "env"), &small, NULL);
        uint32_t n = 0;
        if (r == 0) {
            r = read_all(kv, &n);
            kv_close(kv);
        }
        n_noticed += r < 0;
        assert_true(r < 0 || n == 300); /* pages that nothing uses may be missing */
    }
    assert_true(n_noticed > n_tries / 2);
}

/* --- seals ------------------------------------------------------------------------------ */

struct checking {
    int n_calls, verdict;
};

static int note_check(void *ctx, const char *folder, struct err *err)
{
    struct checking *c = ctx;
    c->n_calls++;
    return c->verdict < 0 ? err_set(err, c->verdict, "so says the check") : 0;
}

static int open_checked(struct folder *folder, struct checking *c, struct kv **ret)
{
    struct kv_conf conf = small;
    conf.check = note_check;
    conf.check_ctx = c;
    c->n_calls = 0;
    return kv_open(ret, in_folder(folder, "env"), &conf, NULL);
}

static enum kv_sum sum_of(struct folder *folder)
{
    enum kv_sum sum;
    int r = kv_sum_check(in_folder(folder, "env"), &sum, NULL);
    assert_true(sum == KV_SUM_BAD ? r == ERR_CORRUPT : r == 0);
    return sum;
}

static void add_keys(struct kv *kv, uint32_t from, uint32_t n)
{
    struct fill f = {from, n, 0};
    assert_int_equal(kv_write(kv, put_many, &f, NULL), 0);
}

/* An environment with 300 keys, sealed or not, and its bytes. */
static void make_env(struct folder *folder, bool sealed, struct buf *ret)
{
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(folder, "env"), &small, NULL), 0);
    add_keys(kv, 0, 300);
    assert_false(kv_is_sealed(kv));
    if (sealed)
        assert_int_equal(kv_seal(kv, NULL, NULL, NULL), 0);
    assert_int_equal(kv_is_sealed(kv), sealed);
    kv_close(kv);
    assert_int_equal(file_read_whole(in_folder(folder, "env/data.mdb"), 1 << 24, ret, NULL), 0);
}

static void test_an_unsealed_environment_is_checked_before_it_is_opened(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct kv *kv;
    struct checking c = {0};
    make_env(*state, false, &whole);
    assert_int_equal(sum_of(*state), KV_SUM_NONE);
    assert_int_equal(open_checked(*state, &c, &kv), 0);
    assert_int_equal(c.n_calls, 1);
    kv_close(kv);
    c.verdict = ERR_CORRUPT;
    assert_int_equal(open_checked(*state, &c, &kv), ERR_CORRUPT);
    assert_int_equal(c.n_calls, 1);
}

static void test_a_sealed_environment_needs_no_check(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct kv *kv;
    struct checking c = {.verdict = ERR_CORRUPT};
    make_env(*state, true, &whole);
    assert_int_equal(sum_of(*state), KV_SUM_GOOD);
    assert_int_equal(open_checked(*state, &c, &kv), 0);
    assert_int_equal(c.n_calls, 0);
    assert_int_equal(count_all(kv), 300); /* to read it changes nothing */
    kv_close(kv);
    assert_int_equal(sum_of(*state), KV_SUM_GOOD);
    /* A sum that nobody can read says nothing. */
    assert_int_equal(file_write_atomic(in_folder(*state, "env/sum"), SV("HALOGSUM"), NULL), 0);
    assert_int_equal(sum_of(*state), KV_SUM_NONE);
    assert_int_equal(open_checked(*state, &c, &kv), ERR_CORRUPT);
    assert_int_equal(c.n_calls, 1);
}

/* Wherever it is, and however the file became another. */
static void test_a_sealed_file_that_was_changed_is_not_opened(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct kv *kv;
    struct checking c = {0};
    make_env(*state, true, &whole);
    char data[160];
    snprintf(data, sizeof data, "%s", in_folder(*state, "env/data.mdb"));
    for (size_t bit = 0; bit < whole.len * 8; bit += 40009) {
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(file_write_atomic(data, buf_view(&whole), NULL), 0);
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(sum_of(*state), KV_SUM_BAD);
        assert_int_equal(open_checked(*state, &c, &kv), ERR_CORRUPT);
        assert_int_equal(c.n_calls, 0);
    }
    for (size_t len = 0; len < whole.len; len += 30011) {
        assert_int_equal(file_write_atomic(data, sv(whole.p, len), NULL), 0);
        assert_int_equal(sum_of(*state), KV_SUM_BAD);
    }
    assert_int_equal(file_write_atomic(data, buf_view(&whole), NULL), 0);
    assert_int_equal(sum_of(*state), KV_SUM_GOOD);
    assert_int_equal(file_unlink(data, NULL), 0);
    enum kv_sum sum;
    assert_int_equal(kv_sum_check(in_folder(*state, "env"), &sum, NULL), -ENOENT);
}

static void test_every_flipped_bit_of_a_sum_makes_it_none(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT, sum = BUF_INIT;
    make_env(*state, true, &whole);
    char path[160];
    snprintf(path, sizeof path, "%s", in_folder(*state, "env/sum"));
    assert_int_equal(file_read_whole(path, 1000, &sum, NULL), 0);
    for (size_t bit = 0; bit < sum.len * 8; bit++) {
        sum.p[bit / 8] = (char)(sum.p[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(file_write_atomic(path, buf_view(&sum), NULL), 0);
        assert_int_equal(sum_of(*state), KV_SUM_NONE);
        sum.p[bit / 8] = (char)(sum.p[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_a_file_that_was_seen_is_not_read_again(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    make_env(*state, false, &whole);
    struct checking c = {0};
    struct kv_seen seen;
    struct kv *kv;
    struct kv_conf conf = small;
    conf.check = note_check;
    conf.check_ctx = &c;
    conf.seen = &seen;
    seen = (struct kv_seen){0};
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &conf, NULL), 0);
    assert_int_equal(c.n_calls, 1);
    add_keys(kv, 300, 1);
    kv_look(kv, &seen);
    kv_close(kv);
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &conf, NULL), 0);
    assert_int_equal(c.n_calls, 1);
    kv_close(kv);
    /* Another file of the same bytes. */
    assert_int_equal(file_write_atomic(in_folder(*state, "env/data.mdb"), buf_view(&whole), NULL),
                     0);
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &conf, NULL), 0);
    assert_int_equal(c.n_calls, 2);
    kv_close(kv);
}

/* Before LMDB writes a byte, the disk must know that the sum is gone. */
static void test_nothing_is_written_where_a_seal_cannot_be_broken(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT, now = BUF_INIT;
    struct kv *kv;
    make_env(*state, true, &whole);
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    for (int nth = 0;; nth++) {
        struct fill f = {300, 5, 0};
        int left = nth;
        file_fault_set(fail_nth, &left);
        int r = kv_write(kv, put_many, &f, NULL);
        file_fault_set(NULL, NULL);
        buf_clear(&now);
        assert_int_equal(file_read_whole(in_folder(*state, "env/data.mdb"), 1 << 24, &now, NULL),
                         0);
        if (r == 0) {
            assert_true(nth >= 2 && left >= 0); /* unlink, sync of the folder */
            break;
        }
        assert_int_equal(r, -EIO);
        assert_true(sv_eq(buf_view(&whole), buf_view(&now)));
    }
    assert_false(kv_is_sealed(kv));
    assert_false(file_exists(in_folder(*state, "env/sum")));
    assert_int_equal(kv_seal(kv, NULL, NULL, NULL), 0);
    assert_int_equal(sum_of(*state), KV_SUM_GOOD);
    add_keys(kv, 305, 5);
    assert_int_equal(sum_of(*state), KV_SUM_NONE);
    kv_close(kv);
}

static void test_a_seal_that_fails_leaves_none_or_a_right_one(void **state)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct kv *kv;
    struct checking no = {.verdict = ERR_CORRUPT};
    make_env(*state, false, &whole);
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    assert_int_equal(kv_seal(kv, note_check, &no, NULL), ERR_CORRUPT);
    assert_int_equal(sum_of(*state), KV_SUM_NONE);
    for (int nth = 0;; nth++) {
        int left = nth;
        file_fault_set(fail_nth, &left);
        int r = kv_seal(kv, NULL, NULL, NULL);
        file_fault_set(NULL, NULL);
        assert_int_equal(kv_is_sealed(kv), r == 0);
        assert_true(sum_of(*state) != KV_SUM_BAD);
        add_keys(kv, 400 + (uint32_t)nth, 1);
        assert_int_equal(sum_of(*state), KV_SUM_NONE);
        if (r == 0) {
            assert_true(nth > 4);
            break;
        }
    }
    kv_close(kv);
}

/* --- values ----------------------------------------------------------------------------- */

static int put_large(void *ctx, struct kv_txn *t, struct err *err)
{
    char *value = mem_zalloc(100000, 1);
    int r = kv_put(t, 0, SV("large"), sv(value, 100000), err);
    free(value);
    return r;
}

static void test_a_value_that_reaches_out_of_the_file_is_an_error(void **state)
{
    static const char node[] = "\xa0\x86\x01\x00\x01\x00\x05\x00large"; /* 100,000 bytes */
    struct kv *kv;
    assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
    assert_int_equal(kv_write(kv, put_large, NULL, NULL), 0);
    kv_close(kv);
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    assert_int_equal(file_read_whole(in_folder(*state, "env/data.mdb"), 1 << 24, &whole, NULL), 0);
    char *at = memmem(whole.p, whole.len, node, sizeof node - 1);
    assert_non_null(at);
    for (int bit = 0; bit < 15; bit++) {
        st_le16(at + 2, (uint16_t)(1 ^ 1 << bit));
        assert_int_equal(
            file_write_atomic(in_folder(*state, "env/data.mdb"), buf_view(&whole), NULL), 0);
        assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &small, NULL), 0);
        struct kv_txn t;
        struct kv_cursor c;
        struct str_view v;
        assert_int_equal(kv_read_begin(kv, &t, NULL), 0);
        int expected = bit > 0 ? ERR_CORRUPT : KV_OK; /* a shorter one is in the file */
        assert_int_equal(kv_get(&t, 0, SV("large"), &v, NULL), expected);
        assert_int_equal(kv_cursor_open(&t, 0, &c, NULL), 0);
        assert_int_equal(kv_seek(&c, SV("l"), NULL), expected);
        kv_cursor_close(&c);
        kv_read_end(&t);
        kv_close(kv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_a_full_map_grows_and_the_transaction_runs_again),
        FOLDER_TEST(test_readers_go_on_while_the_map_grows),
        FOLDER_TEST(test_a_failed_transaction_leaves_nothing),
        FOLDER_TEST(test_one_environment_opens_once),
        FOLDER_TEST(test_leftovers_of_a_creation_do_no_harm),
        FOLDER_TEST(test_garbage_is_an_error),
        FOLDER_TEST(test_a_damaged_lock_file_does_no_harm),
        FOLDER_TEST(test_a_fault_at_any_call_of_the_creation_can_be_retried),
        FOLDER_TEST(test_a_commit_that_fails_once_is_done_or_not),
        FOLDER_TEST(test_a_commit_on_a_broken_disk_is_done_or_not),
        FOLDER_TEST(test_a_commit_on_a_full_disk_is_done_or_not),
        FOLDER_TEST(test_a_file_that_was_cut_off_is_an_error_and_no_signal),
        FOLDER_TEST(test_an_unsealed_environment_is_checked_before_it_is_opened),
        FOLDER_TEST(test_a_sealed_environment_needs_no_check),
        FOLDER_TEST(test_a_sealed_file_that_was_changed_is_not_opened),
        FOLDER_TEST(test_every_flipped_bit_of_a_sum_makes_it_none),
        FOLDER_TEST(test_a_file_that_was_seen_is_not_read_again),
        FOLDER_TEST(test_nothing_is_written_where_a_seal_cannot_be_broken),
        FOLDER_TEST(test_a_seal_that_fails_leaves_none_or_a_right_one),
        FOLDER_TEST(test_a_value_that_reaches_out_of_the_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
