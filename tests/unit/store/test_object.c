/* SPDX-License-Identifier: Apache-2.0 */
/* Both kinds of store by the same tests, then what is the file system's own. */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <errno.h>

#include "base/thread.h"
#include "store/object/object.h"

struct fixture {
    struct folder *folder;
    struct object_store *s;
};

static int setup_with(void **state, bool fs)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    void *folder;
    if (folder_setup(&folder) < 0)
        return -1;
    f->folder = folder;
    if (fs)
        assert_int_equal(object_fs_open(&f->s, in_folder(f->folder, "objects"), NULL), 0);
    else
        f->s = object_mem_new();
    *state = f;
    return 0;
}

static int setup_fs(void **state)
{
    return setup_with(state, true);
}

static int setup_mem(void **state)
{
    return setup_with(state, false);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *folder = f->folder;
    file_fault_set(NULL, NULL);
    object_store_free(f->s);
    folder_teardown(&folder);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *key, const char *text)
{
    struct err err = ERR_INIT;
    int r = object_put(f->s, sv_of(key), sv_of(text), &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
}

static void assert_holds(struct fixture *f, const char *key, const char *text)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    assert_int_equal(object_get(f->s, sv_of(key), 1000, &b, NULL), 0);
    assert_true(sv_eq(buf_view(&b), sv_of(text)));
}

static void assert_absent(struct fixture *f, const char *key)
{
    struct object_reader *r;
    struct err err = ERR_INIT;
    assert_int_equal(object_open(f->s, sv_of(key), &r, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, key));
}

/* Keys with sizes, one a line. */
static int note_listed(void *ctx, const struct object_info *info, struct err *err)
{
    assert_true(info->mtime_ns > 0);
    buf_printf(ctx, "%.*s %llu\n", SV_ARG(info->key), (unsigned long long)info->bytes);
    return 0;
}

static void assert_lists(struct fixture *f, const char *prefix, const char *expected)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    assert_int_equal(object_list(f->s, sv_of(prefix), note_listed, &b, NULL), 0);
    buf_put_u8(&b, 0);
    assert_string_equal(b.p, expected);
}

/* ---- both ---- */

static void test_an_object_appears_with_its_commit_and_not_before(void **state)
{
    struct fixture *f = *state;
    struct object_writer *w;
    assert_int_equal(object_create(f->s, SV("2026/a.seg"), &w, NULL), 0);
    assert_int_equal(object_write(w, SV("one "), NULL), 0);
    assert_absent(f, "2026/a.seg");
    assert_int_equal(object_write(w, SV(""), NULL), 0);
    assert_int_equal(object_write(w, SV("two"), NULL), 0);
    assert_int_equal(w->bytes, 7);
    assert_lists(f, "", "");
    assert_int_equal(object_commit(w, NULL), 0);
    assert_holds(f, "2026/a.seg", "one two");
    assert_lists(f, "", "2026/a.seg 7\n");
}

static void test_an_aborted_object_never_was(void **state)
{
    struct fixture *f = *state;
    struct object_writer *w;
    assert_int_equal(object_create(f->s, SV("a"), &w, NULL), 0);
    assert_int_equal(object_write(w, SV("x"), NULL), 0);
    object_abort(w);
    object_abort(NULL);
    assert_absent(f, "a");
    assert_lists(f, "", "");
}

static void
test_a_commit_replaces_the_whole_object_and_an_open_reader_keeps_the_old_one(void **state)
{
    struct fixture *f = *state;
    put(f, "k", "the old one");
    struct object_reader *old;
    assert_int_equal(object_open(f->s, SV("k"), &old, NULL), 0);
    put(f, "k", "new");
    assert_holds(f, "k", "new");
    assert_int_equal(object_bytes(old), 11);
    char text[11];
    assert_int_equal(object_pread(old, text, 11, 0, NULL), 0);
    assert_memory_equal(text, "the old one", 11);
    assert_int_equal(object_delete(f->s, SV("k"), NULL), 0);
    assert_int_equal(object_pread(old, text, 3, 4, NULL), 0);
    assert_memory_equal(text, "old", 3);
    object_close(old);
    object_close(NULL);
    assert_absent(f, "k");
    assert_int_equal(object_delete(f->s, SV("k"), NULL), 0); /* absent is fine */
}

static void test_two_writers_of_one_key_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct object_writer *a, *b;
    assert_int_equal(object_create(f->s, SV("k"), &a, NULL), 0);
    assert_int_equal(object_create(f->s, SV("k"), &b, NULL), 0);
    assert_int_equal(object_write(a, SV("aaaa"), NULL), 0);
    assert_int_equal(object_write(b, SV("bb"), NULL), 0);
    assert_int_equal(object_commit(b, NULL), 0);
    assert_holds(f, "k", "bb");
    assert_int_equal(object_commit(a, NULL), 0);
    assert_holds(f, "k", "aaaa");
}

static void test_reads_past_the_end_are_corrupt_and_read_nothing(void **state)
{
    struct fixture *f = *state;
    put(f, "k", "12345");
    struct object_reader *r;
    assert_int_equal(object_open(f->s, SV("k"), &r, NULL), 0);
    char to[8] = "untouch";
    static const struct {
        size_t len;
        uint64_t at;
    } bad[] = {{6, 0}, {1, 5}, {5, 1}, {1, UINT64_MAX}, {SIZE_MAX, 1}, {2, 4}, {0, 6}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(object_pread(r, to, bad[i].len, bad[i].at, NULL), ERR_CORRUPT);
    assert_string_equal(to, "untouch");
    assert_int_equal(object_pread(r, to, 0, 5, NULL), 0);
    assert_int_equal(object_pread(r, to, 1, 4, NULL), 0);
    assert_int_equal(to[0], '5');
    object_close(r);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, SV("before"));
    assert_int_equal(object_get(f->s, SV("k"), 4, &b, NULL), ERR_TOO_LARGE);
    assert_int_equal(b.len, 6);
}

static void test_an_empty_object_is_an_object(void **state)
{
    struct fixture *f = *state;
    put(f, "empty", "");
    assert_holds(f, "empty", "");
    assert_lists(f, "", "empty 0\n");
}

static void test_lists_are_in_key_order_with_and_without_a_prefix(void **state)
{
    struct fixture *f = *state;
    /* '-' and '.' sort before '/', '0' after it. */
    static const char *const keys[] = {"b/2",  "a0", "a/1",   "a-b",   "b/1/x",
                                       "b/10", "c",  "b.seg", "b/1.x", "a/b/c/d"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        put(f, keys[i], "x");
    assert_lists(f, "",
                 "a-b 1\na/1 1\na/b/c/d 1\na0 1\nb.seg 1\nb/1.x 1\nb/1/x 1\nb/10 1\nb/2 1\nc 1\n");
    assert_lists(f, "b/1", "b/1.x 1\nb/1/x 1\nb/10 1\n");
    assert_lists(f, "b/", "b/1.x 1\nb/1/x 1\nb/10 1\nb/2 1\n");
    assert_lists(f, "a", "a-b 1\na/1 1\na/b/c/d 1\na0 1\n");
    assert_lists(f, "b/1/x", "b/1/x 1\n");
    assert_lists(f, "b/1/xy", "");
    assert_lists(f, "zzz", "");
}

struct stopping {
    struct fixture *f;
    unsigned n;
};
static int delete_and_stop(void *ctx, const struct object_info *info, struct err *err)
{
    struct stopping *st = ctx;
    assert_int_equal(object_delete(st->f->s, info->key, NULL), 0); /* the store may be used */
    return ++st->n == 2 ? 7 : 0;
}

static void test_a_nonzero_result_ends_the_listing_and_is_returned(void **state)
{
    struct fixture *f = *state;
    for (char k[2] = "a"; k[0] < 'f'; k[0]++)
        put(f, k, "x");
    struct stopping st = {.f = f};
    assert_int_equal(object_list(f->s, SV(""), delete_and_stop, &st, NULL), 7);
    assert_int_equal(st.n, 2);
    assert_lists(f, "", "c 1\nd 1\ne 1\n");
}

static void test_keys_that_could_leave_the_store_are_refused(void **state)
{
    struct fixture *f = *state;
    char longest[OBJECT_KEY_MAX_BYTES + 2];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = i % 100 == 99 ? '/' : 'k';
    struct str_view bad[] = {
        SV(""),
        SV("/"),
        SV("/a"),
        SV("a/"),
        SV("a//b"),
        SV("."),
        SV(".."),
        SV("a/../b"),
        SV("../../etc"),
        SV("a/./b"),
        SV("a b"),
        SV("a\\b"),
        SV("a\nb"),
        SV("a\0b"),
        SV("\xc3\xa9"),
        SV("a.tmp"),
        SV("b.tmp/a"),
        SV("a:b"),
        sv(longest, OBJECT_KEY_MAX_BYTES + 1),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct object_writer *w;
        struct object_reader *r;
        assert_false(object_key_valid(bad[i]));
        assert_int_equal(object_create(f->s, bad[i], &w, NULL), ERR_INVALID);
        assert_int_equal(object_open(f->s, bad[i], &r, NULL), ERR_INVALID);
        assert_int_equal(object_delete(f->s, bad[i], NULL), ERR_INVALID);
    }
    struct str_view good[] = {SV("a"),   SV("..."),          SV(".a"),
                              SV("tmp"), SV("A-Z_0.9/x..y"), sv(longest, OBJECT_KEY_MAX_BYTES)};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(object_key_valid(good[i]));
        assert_int_equal(object_put(f->s, good[i], SV("x"), NULL), 0);
    }
}

struct churn {
    struct fixture *f;
    unsigned number;
    struct thread thread;
};

/* Whatever is read is one of the texts as a whole. */
static void write_and_read(void *ctx)
{
    struct churn *c = ctx;
    uint64_t seed = c->number + 1;
    for (unsigned i = 0; i < 150; i++) {
        char key[16], text[200];
        snprintf(key, sizeof key, "d%u/k%u", (unsigned)(next_random(&seed) % 2),
                 (unsigned)(next_random(&seed) % 3));
        size_t n = 1 + next_random(&seed) % sizeof text;
        memset(text, 'a' + (int)(n % 26), n);
        switch (next_random(&seed) % 3) {
        case 0:
            if (object_put(c->f->s, sv_of(key), sv(text, n), NULL) < 0)
                abort();
            break;
        case 1:
            if (object_delete(c->f->s, sv_of(key), NULL) < 0)
                abort();
            break;
        default: {
            CLEANUP(buf_deinit) struct buf b = BUF_INIT;
            int r = object_get(c->f->s, sv_of(key), 1000, &b, NULL);
            if (r < 0 && r != ERR_NOT_FOUND)
                abort();
            for (size_t k = 0; r == 0 && k < b.len; k++)
                if (b.p[k] != (char)('a' + (int)(b.len % 26)))
                    abort();
        }
        }
    }
}

static void test_threads_write_read_and_delete_the_same_objects(void **state)
{
    struct churn c[4];
    for (unsigned i = 0; i < 4; i++) {
        c[i] = (struct churn){.f = *state, .number = i};
        assert_int_equal(thread_start(&c[i].thread, "churn", write_and_read, &c[i], NULL), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        thread_join(&c[i].thread);
}

/* ---- the file system ---- */

struct failing {
    int left, errnum;
    size_t short_bytes;
    enum file_op only; /* with any == false */
    bool any;
    unsigned n_failed;
};

static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    struct failing *x = ctx;
    if ((!x->any && op != x->only) || x->left-- != 0)
        return (struct file_fault){0};
    x->n_failed++;
    return (struct file_fault){x->errnum, x->short_bytes};
}

static int count_file(void *ctx, const char *name, bool is_dir, struct err *err)
{
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned n_files(struct fixture *f, const char *folder)
{
    unsigned n = 0;
    file_list_dir(in_folder(f->folder, folder), count_file, &n, NULL);
    return n;
}

/* Of each call of a put in turn: old or new, never between, and nothing left over. */
static void put_with_faults(struct fixture *f, int errnum, size_t short_bytes)
{
    struct failing x = {.any = true, .errnum = errnum, .short_bytes = short_bytes};
    unsigned n_failed = 0;
    for (int nth = 0;; nth++) {
        put(f, "d/k", "old");
        x.left = nth;
        x.n_failed = 0;
        file_fault_set(fail_nth, &x);
        struct err err = ERR_INIT;
        int r = object_put(f->s, SV("d/k"), SV("the new one"), &err);
        file_fault_set(NULL, NULL);
        if (x.n_failed == 0) {
            assert_int_equal(r, 0);
            break;
        }
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        assert_int_equal(object_get(f->s, SV("d/k"), 1000, &b, NULL), 0);
        bool is_new = sv_eq(buf_view(&b), SV("the new one"));
        assert_true(is_new || sv_eq(buf_view(&b), SV("old")));
        if (r < 0) {
            n_failed++;
            assert_int_equal(r, -errnum);
            assert_true(strlen(err.text) > 0);
        } else {
            assert_true(is_new);
        }
        assert_int_equal(n_files(f, "objects/d"), 1);
    }
    assert_true(n_failed >= 5); /* open, write, sync, rename, sync of the folder */
    assert_holds(f, "d/k", "the new one");
}

static void test_a_failed_call_of_a_put_leaves_old_or_new(void **state)
{
    put_with_faults(*state, EIO, 0);
}

static void test_a_full_disk_leaves_old_or_new(void **state)
{
    put_with_faults(*state, ENOSPC, 4);
}

static void test_a_failed_sync_is_no_commit(void **state)
{
    struct fixture *f = *state;
    struct failing x = {.only = FILE_OP_SYNC, .errnum = EIO};
    file_fault_set(fail_nth, &x);
    assert_int_equal(object_put(f->s, SV("k"), SV("x"), NULL), -EIO);
    file_fault_set(NULL, NULL);
    assert_absent(f, "k");
}

struct order {
    char text[64];
    size_t n;
};
static struct file_fault note_op(void *ctx, enum file_op op, const char *path, int fd)
{
    struct order *o = ctx;
    char c = op == FILE_OP_WRITE      ? 'w'
             : op == FILE_OP_SYNC     ? 's'
             : op == FILE_OP_SYNC_DIR ? 'd'
             : op == FILE_OP_RENAME   ? 'r'
             : op == FILE_OP_MKDIR    ? 'm'
                                      : 0;
    if (c && o->n + 1 < sizeof o->text)
        o->text[o->n++] = c;
    return (struct file_fault){0};
}

static void test_a_commit_syncs_the_file_before_and_the_folder_after_the_rename(void **state)
{
    struct fixture *f = *state;
    put(f, "d/first", "x"); /* the folder is there */
    struct order o = {{0}, 0};
    struct object_writer *w;
    assert_int_equal(object_create(f->s, SV("d/k"), &w, NULL), 0);
    file_fault_set(note_op, &o);
    assert_int_equal(object_write(w, SV("x"), NULL), 0);
    assert_int_equal(object_commit(w, NULL), 0);
    file_fault_set(NULL, NULL);
    assert_string_equal(o.text, "wsrd");
}

static void test_temporary_files_of_a_crash_are_removed_at_open_and_others_stay(void **state)
{
    struct fixture *f = *state;
    put(f, "d/k", "x");
    const char *objects = in_folder(f->folder, "objects");
    char root[160];
    snprintf(root, sizeof root, "%s", objects);
    assert_int_equal(file_write_atomic(in_folder(f->folder, "objects/d/k.3"), SV("half"), NULL), 0);
    assert_int_equal(file_rename(in_folder(f->folder, "objects/d/k.3"),
                                 in_folder(f->folder, "objects/d/k.3.tmp"), NULL),
                     0);
    assert_int_equal(file_write_atomic(in_folder(f->folder, "objects/not a key"), SV("mine"), NULL),
                     0);
    assert_lists(f, "", "d/k 1\n"); /* neither is an object */
    object_store_free(f->s);
    f->s = NULL;
    assert_int_equal(object_fs_open(&f->s, root, NULL), 0);
    assert_false(file_exists(in_folder(f->folder, "objects/d/k.3.tmp")));
    assert_true(file_exists(in_folder(f->folder, "objects/not a key")));
    assert_holds(f, "d/k", "x");
}

static void test_a_reader_of_a_file_that_shrinks_gets_an_error(void **state)
{
    struct fixture *f = *state;
    put(f, "k", "0123456789");
    struct object_reader *r;
    assert_int_equal(object_open(f->s, SV("k"), &r, NULL), 0);
    int fd = file_open(in_folder(f->folder, "objects/k"), FILE_WRITE, NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_truncate(fd, 4, NULL), 0);
    file_close(fd);
    char to[10];
    assert_int_equal(object_pread(r, to, 10, 0, NULL), ERR_CORRUPT);
    assert_int_equal(object_pread(r, to, 4, 0, NULL), 0);
    object_close(r);
}

static void test_a_failed_listing_is_an_error_and_no_short_list(void **state)
{
    struct fixture *f = *state;
    put(f, "a/1", "x");
    put(f, "b/2", "x");
    for (int nth = 0; nth < 3; nth++) {
        struct failing x = {.only = FILE_OP_LIST, .errnum = EIO, .left = nth};
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        file_fault_set(fail_nth, &x);
        int r = object_list(f->s, SV(""), note_listed, &b, NULL);
        file_fault_set(NULL, NULL);
        assert_int_equal(r, -EIO);
    }
}

#define BOTH(fn)                                                                                   \
    {"fs: " #fn, fn, setup_fs, teardown, NULL},                                                    \
    {                                                                                              \
        "mem: " #fn, fn, setup_mem, teardown, NULL                                                 \
    }
#define FS(fn) cmocka_unit_test_setup_teardown(fn, setup_fs, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_an_object_appears_with_its_commit_and_not_before),
        BOTH(test_an_aborted_object_never_was),
        BOTH(test_a_commit_replaces_the_whole_object_and_an_open_reader_keeps_the_old_one),
        BOTH(test_two_writers_of_one_key_do_not_mix),
        BOTH(test_reads_past_the_end_are_corrupt_and_read_nothing),
        BOTH(test_an_empty_object_is_an_object),
        BOTH(test_lists_are_in_key_order_with_and_without_a_prefix),
        BOTH(test_a_nonzero_result_ends_the_listing_and_is_returned),
        BOTH(test_keys_that_could_leave_the_store_are_refused),
        BOTH(test_threads_write_read_and_delete_the_same_objects),
        FS(test_a_failed_call_of_a_put_leaves_old_or_new),
        FS(test_a_full_disk_leaves_old_or_new),
        FS(test_a_failed_sync_is_no_commit),
        FS(test_a_commit_syncs_the_file_before_and_the_folder_after_the_rename),
        FS(test_temporary_files_of_a_crash_are_removed_at_open_and_others_stay),
        FS(test_a_reader_of_a_file_that_shrinks_gets_an_error),
        FS(test_a_failed_listing_is_an_error_and_no_short_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
