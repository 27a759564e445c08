/* SPDX-License-Identifier: Apache-2.0 */
/* A damaged table is found to be so, or answers every question as before. */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/index/table_verify.h"
#include "store/kv_file.h"
#include "table_gen.h"

static const struct period period = {0, GEN_PERIOD_NS};

static struct index *open_index(struct folder *folder, const char *name)
{
    struct index *ix = NULL;
    struct err err = ERR_INIT;
    if (index_open(&ix, in_folder(folder, name), NULL, &err) < 0)
        print_error("%s\n", err.text);
    assert_non_null(ix);
    return ix;
}

/* The table's file as it was after each segment, and the sum of its answers. */
struct made {
    struct table_gen g;
    struct buf after[GEN_SEGMENTS];
    uint32_t sum;
};

static const struct buf *last_of(const struct made *m)
{
    return &m->after[GEN_SEGMENTS - 1];
}

static void make_table(struct folder *folder, struct made *m)
{
    *m = (struct made){.sum = 0};
    gen_init(&m->g);
    struct index *ix = open_index(folder, "index");
    for (unsigned s = 0; s < GEN_SEGMENTS; s++) {
        assert_int_equal(gen_add(&m->g, ix, s, NULL), 0);
        assert_int_equal(file_read_whole(in_folder(folder, "index/0-1000/data.mdb"), 1 << 24,
                                         &m->after[s], NULL),
                         0);
    }
    assert_int_equal(gen_answers(&m->g, ix, m->g.view, &m->sum), 0);
    index_close(ix);
}

static void made_deinit(struct made *m)
{
    gen_deinit(&m->g);
    for (unsigned s = 0; s < GEN_SEGMENTS; s++)
        buf_deinit(&m->after[s]);
}

static int verify_bytes(const struct buf *bytes, const struct period *p, struct err *err)
{
    struct kv_file *f = NULL;
    int r = kv_file_open_bytes(&f, buf_view(bytes), err);
    if (r == 0)
        r = table_verify_file(f, p, err);
    kv_file_close(f);
    return r;
}

static void test_a_table_of_every_kind_of_record_is_sound(void **state)
{
    CLEANUP(made_deinit) struct made m;
    struct err err = ERR_INIT;
    make_table(*state, &m);
    for (unsigned s = 0; s < GEN_SEGMENTS; s++) {
        int r = verify_bytes(&m.after[s], &period, &err);
        if (r < 0)
            print_error("%s\n", err.text);
        assert_int_equal(r, 0);
    }
    assert_int_equal(verify_bytes(last_of(&m), NULL, NULL), 0);
    assert_int_equal(table_verify(in_folder(*state, "index/0-1000"), &period, NULL), 0);
    /* In the folder of another one. */
    const struct period other = {1000, 1000}, longer = {0, 2000};
    assert_int_equal(verify_bytes(last_of(&m), &other, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "another period"));
    assert_int_equal(verify_bytes(last_of(&m), &longer, NULL), ERR_CORRUPT);
}

/* --- harm ------------------------------------------------------------------------------- */

enum { PAGE = 4096 };
enum kind { FLIP, ZERO, OLD, COPY };
struct harm {
    enum kind kind;
    size_t at;   /* a bit; or a page */
    size_t from; /* OLD: after which segment; COPY: which page */
};

static void do_harm(const struct made *m, const struct harm *h, struct buf *out)
{
    buf_clear(out);
    buf_put(out, buf_view(last_of(m)));
    char *page = out->p + h->at * PAGE;
    if (h->kind == FLIP)
        out->p[h->at / 8] = (char)(out->p[h->at / 8] ^ 1 << h->at % 8);
    else if (h->kind == ZERO)
        memset(page, 0, PAGE);
    else if (h->kind == OLD)
        memcpy(page, m->after[h->from].p + h->at * PAGE, PAGE);
    else
        memcpy(page, last_of(m)->p + h->from * PAGE, PAGE);
}

struct harms {
    struct harm *v;
    size_t n, cap, n_tried;
};

/* Keeps what is not found. */
static void try_harm(const struct made *m, struct harms *hs, struct harm h, struct buf *scratch)
{
    do_harm(m, &h, scratch);
    hs->n_tried++;
    if (verify_bytes(scratch, &period, NULL) < 0)
        return;
    hs->v = mem_grow(hs->v, &hs->cap, hs->n + 1, sizeof *hs->v);
    hs->v[hs->n++] = h;
}

/* In a process of its own: LMDB may crash.  Ends at the first answer that is another. */
static void ask_all(struct folder *folder, struct made *m, const struct harms *hs,
                    volatile size_t *at)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    for (; *at < hs->n; ++*at) {
        do_harm(m, &hs->v[*at], &bytes);
        int fd = file_open(in_folder(folder, "harmed/0-1000/data.mdb"), FILE_TRUNCATE, NULL);
        if (fd < 0 || file_write_all(fd, buf_view(&bytes), NULL) < 0)
            _exit(1);
        file_close(fd);
        struct index *ix = open_index(folder, "harmed");
        uint32_t sum;
        int r = gen_answers(&m->g, ix, m->g.view, &sum);
        if (r == 0 && sum != m->sum)
            _exit(2);
        if (r == 0 && gen_add(&m->g, ix, 0, NULL) < 0) /* nor does it trip a writer */
            _exit(3);
        index_close(ix);
        file_unlink(in_folder(folder, "harmed/0-1000/sum"), NULL);
    }
    _exit(0);
}

/* What was not found does no harm. */
static void ask_in_a_child(struct folder *folder, struct made *m, struct harms *hs)
{
    assert_true(hs->n < hs->n_tried);
    assert_int_equal(file_mkdirs(in_folder(folder, "harmed/0-1000"), NULL), 0);
    volatile size_t *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        ask_all(folder, m, hs, at);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_error("kind %d at %zu, %zu: status %x\n", (int)hs->v[*at].kind, hs->v[*at].at,
                    hs->v[*at].from, (unsigned)status);
    assert_int_equal(status, 0);
    munmap((void *)(uintptr_t)at, sizeof *at);
    free(hs->v);
}

static void test_a_flipped_bit_is_found_or_changes_no_answer(void **state)
{
    enum { STEP = 331 };
    CLEANUP(made_deinit) struct made m;
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    struct harms hs = {0};
    make_table(*state, &m);
    for (size_t bit = 0; bit < last_of(&m)->len * 8; bit += STEP)
        try_harm(&m, &hs, (struct harm){FLIP, bit, 0}, &scratch);
    ask_in_a_child(*state, &m, &hs);
}

/* A write that never came to the disk, one that went to another place, and a sector that is gone.
 */
static void test_a_page_that_is_not_the_last_one_written_is_found_or_changes_no_answer(void **state)
{
    CLEANUP(made_deinit) struct made m;
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    struct harms hs = {0};
    make_table(*state, &m);
    size_t n_pages = last_of(&m)->len / PAGE;
    for (size_t page = 0; page < n_pages; page++) {
        try_harm(&m, &hs, (struct harm){ZERO, page, 0}, &scratch);
        for (size_t s = 0; s + 1 < GEN_SEGMENTS; s++)
            if (m.after[s].len >= (page + 1) * PAGE)
                try_harm(&m, &hs, (struct harm){OLD, page, s}, &scratch);
        for (size_t from = 0; from < n_pages; from++)
            try_harm(&m, &hs, (struct harm){COPY, page, from}, &scratch);
    }
    ask_in_a_child(*state, &m, &hs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_a_table_of_every_kind_of_record_is_sound),
        FOLDER_TEST(test_a_flipped_bit_is_found_or_changes_no_answer),
        FOLDER_TEST(test_a_page_that_is_not_the_last_one_written_is_found_or_changes_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
