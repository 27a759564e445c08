/* SPDX-License-Identifier: Apache-2.0 */
/* What LMDB writes is found sound, whatever was put and deleted; and what is found sound after a
 * bit was flipped LMDB reads, and writes to, as before. */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "store/kv.h"
#include "store/kv_file.h"

static const char *const dbs[] = {"a", "b", "empty"};
static const struct kv_conf conf = {.dbs = dbs, .n_dbs = 3, .map_bytes = 64 << 20};

/* --- random changes --------------------------------------------------------------------- */

struct step {
    uint64_t *seed;
    unsigned n_keys, n_changes, max_value;
    bool mostly_delete;
};

/* Short keys and long ones, values from nothing to many pages. */
static int change_some(void *ctx, struct kv_txn *t, struct err *err)
{
    struct step *s = ctx;
    static char value[200000];
    for (unsigned i = 0; i < s->n_changes; i++) {
        uint64_t r = next_random(s->seed);
        char key[KV_MAX_KEY_BYTES];
        unsigned id = (unsigned)(r % s->n_keys);
        int len = snprintf(key, sizeof key, "%0*u", id % 7 == 0 ? 300 + (int)id % 200 : 6, id);
        unsigned db = id % 2;
        size_t value_len = r >> 20 & 7 ? (r >> 24) % 300 : (r >> 24) % s->max_value;
        memset(value, (int)(r >> 50), value_len);
        bool del = (r >> 60) % 4 >= (s->mostly_delete ? 1u : 3u);
        int rc = del ? kv_del(t, db, sv(key, (size_t)len), err)
                     : kv_put(t, db, sv(key, (size_t)len), sv(value, value_len), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int sum_up(void *ctx, unsigned db, struct str_view key, struct str_view value,
                  struct err *err)
{
    uint32_t *crc = ctx;
    *crc = crc32c_extend(*crc, sv((const char *)&db, sizeof db));
    *crc = crc32c_extend(crc32c_extend(*crc, key), value);
    return 0;
}

/* The checksum of all entries, as kv_file finds them. */
static int check_file(const char *path, uint32_t *ret_crc, struct err *err)
{
    struct kv_file *f = NULL;
    *ret_crc = 0;
    int r = kv_file_open(&f, path, err);
    if (r == 0)
        r = kv_file_check(f, dbs, 3, sum_up, ret_crc, err);
    kv_file_close(f);
    return r;
}

/* The same as LMDB finds them. */
static int read_by_lmdb(struct kv *kv, uint32_t *ret_crc)
{
    struct kv_txn t;
    *ret_crc = 0;
    int r = kv_read_begin(kv, &t, NULL);
    if (r < 0)
        return r;
    for (unsigned db = 0; db < 3 && r >= 0; db++) {
        struct kv_cursor c;
        r = kv_cursor_open(&t, db, &c, NULL);
        for (r = r == 0 ? kv_seek(&c, SV_EMPTY, NULL) : r; r == KV_OK; r = kv_next(&c, NULL)) {
            struct str_view again;
            sum_up(ret_crc, db, c.key, c.value, NULL);
            if (kv_get(&t, db, c.key, &again, NULL) != KV_OK || !sv_eq(again, c.value))
                r = ERR_CORRUPT; /* a look-up does not find what a walk does */
            if (r < 0)
                break;
        }
        kv_cursor_close(&c);
    }
    kv_read_end(&t);
    return r < 0 ? r : 0;
}

static void test_what_lmdb_writes_is_sound_and_reads_alike(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t random = seed * 7919;
        struct kv *kv;
        assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &conf, NULL), 0);
        for (unsigned i = 0; i < 100; i++) {
            struct step s = {.seed = &random,
                             .n_keys = seed % 2 ? 3000 : 200,
                             .n_changes = 1 + (unsigned)(next_random(&random) % 400),
                             .max_value = seed % 3 ? 20000 : 200000,
                             .mostly_delete = i / 20 % 2};
            struct err err = ERR_INIT;
            assert_int_equal(kv_write(kv, change_some, &s, &err), 0);
            uint32_t found, expected;
            int r = check_file(in_folder(*state, "env/data.mdb"), &found, &err);
            if (r < 0)
                print_error("seed %llu step %u: %s\n", (unsigned long long)seed, i, err.text);
            assert_int_equal(r, 0);
            assert_int_equal(read_by_lmdb(kv, &expected), 0);
            assert_int_equal(found, expected);
            if (i % 10 == 0) {
                kv_close(kv);
                assert_int_equal(kv_open(&kv, in_folder(*state, "env"), &conf, NULL), 0);
            }
        }
        kv_close(kv);
        file_remove_tree(in_folder(*state, "env"), NULL);
    }
}

/* --- one bit ---------------------------------------------------------------------------- */

/* In a process of its own, which may crash.  0: LMDB reads the same, and goes on writing. */
static int try_lmdb(const char *folder, uint32_t expected)
{
    struct kv *kv;
    uint32_t crc;
    if (kv_open(&kv, folder, &conf, NULL) < 0)
        return 1;
    if (read_by_lmdb(kv, &crc) < 0 || crc != expected)
        return 2;
    uint64_t seed = 5;
    for (int i = 0; i < 3; i++) {
        struct step s = {&seed, 300, 200, 9000, i % 2};
        if (kv_write(kv, change_some, &s, NULL) < 0)
            return 3;
    }
    int r = read_by_lmdb(kv, &crc);
    kv_close(kv);
    char data[200];
    uint32_t found;
    snprintf(data, sizeof data, "%s/data.mdb", folder);
    return r < 0 || check_file(data, &found, NULL) < 0 || found != crc ? 4 : 0;
}

static void flip(struct buf *whole, size_t bit)
{
    whole->p[bit / 8] = (char)(whole->p[bit / 8] ^ 1 << bit % 8);
}

static void write_file(const char *path, const struct buf *bytes)
{
    int fd = file_open(path, FILE_TRUNCATE, NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, buf_view(bytes), NULL), 0);
    file_close(fd);
}

/* Bits whose flip changed nothing that kv_file sees. */
struct bits {
    size_t *v;
    size_t n, cap;
};

/* All of them, one after the other; how far it came is seen by the parent. */
static void try_bits(struct folder *folder, struct buf *whole, const struct bits *bits,
                     uint32_t expected, volatile size_t *at)
{
    char path[160];
    snprintf(path, sizeof path, "%s", in_folder(folder, "flipped"));
    for (; *at < bits->n; ++*at) {
        flip(whole, bits->v[*at]);
        write_file(in_folder(folder, "flipped/data.mdb"), whole);
        flip(whole, bits->v[*at]);
        int outcome = try_lmdb(path, expected);
        if (outcome != 0)
            _exit(outcome);
    }
    _exit(0);
}

static void try_in_a_child(struct folder *folder, struct buf *whole, const struct bits *bits,
                           uint32_t expected)
{
    assert_int_equal(file_mkdirs(in_folder(folder, "flipped"), NULL), 0);
    volatile size_t *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr)) /* LMDB's assertions */
            try_bits(folder, whole, bits, expected, at);
        _exit(9);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_error("bit %zu of byte %zu: status %x\n", bits->v[*at] % 8, bits->v[*at] / 8,
                    (unsigned)status);
    assert_int_equal(status, 0);
    munmap((void *)(uintptr_t)at, sizeof *at);
}

/* Does kv_file see that a bit is another? */
static bool is_found(struct buf *whole, size_t bit, uint32_t expected)
{
    flip(whole, bit);
    struct kv_file *f = NULL;
    uint32_t crc = 0;
    int r = kv_file_open_bytes(&f, buf_view(whole), NULL);
    if (r == 0)
        r = kv_file_check(f, dbs, 3, sum_up, &crc, NULL);
    kv_file_close(f);
    flip(whole, bit);
    return r < 0 || crc != expected; /* keys and values are the caller's to check */
}

static void make_small(struct folder *folder, struct buf *ret, uint32_t *ret_crc)
{
    struct kv *kv;
    uint64_t seed = 77;
    assert_int_equal(kv_open(&kv, in_folder(folder, "env"), &conf, NULL), 0);
    for (int i = 0; i < 6; i++) {
        struct step s = {&seed, 120, 60, 9000, i == 4};
        assert_int_equal(kv_write(kv, change_some, &s, NULL), 0);
    }
    kv_close(kv);
    assert_int_equal(check_file(in_folder(folder, "env/data.mdb"), ret_crc, NULL), 0);
    assert_int_equal(file_read_whole(in_folder(folder, "env/data.mdb"), 1 << 24, ret, NULL), 0);
}

static void flip_bits(struct folder *folder, size_t step, bool heads_only)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct bits bits = {0};
    uint32_t expected;
    make_small(folder, &whole, &expected);
    size_t n_tries = 0;
    for (size_t bit = 0; bit < whole.len * 8; bit += step) {
        size_t in_page = bit / 8 % 4096, page = bit / 8 / 4096;
        if (heads_only && in_page >= (page < 2 ? 160u : 24u))
            continue;
        n_tries++;
        if (is_found(&whole, bit, expected))
            continue;
        bits.v = mem_grow(bits.v, &bits.cap, bits.n + 1, sizeof *bits.v);
        bits.v[bits.n++] = bit;
    }
    assert_true(bits.n > 0 && bits.n < n_tries);
    try_in_a_child(folder, &whole, &bits, expected);
    free(bits.v);
}

static void test_a_flipped_bit_is_found_or_does_no_harm(void **state)
{
    flip_bits(*state, 2003, false);
}

/* What says where things are. */
static void test_a_flipped_bit_of_a_head_is_found_or_does_no_harm(void **state)
{
    flip_bits(*state, 11, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_what_lmdb_writes_is_sound_and_reads_alike),
        FOLDER_TEST(test_a_flipped_bit_is_found_or_does_no_harm),
        FOLDER_TEST(test_a_flipped_bit_of_a_head_is_found_or_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
