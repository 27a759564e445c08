/* SPDX-License-Identifier: Apache-2.0 */
/* A damaged, missing or old table: its period refuses, all else answers, nothing that is added gets
 * lost, and it is made again from segments. */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <errno.h>

#include "base/thread.h"
#include "segment_gen.h"
#include "store/index/index.h"
#include "store/index/table.h"
#include "store/kv_sum.h"
#include "store/view.h"

enum { N_DAYS = 3, N_TENANTS = 2, N_STREAMS = 7, N_ROWS = 5, MAX_SEGMENTS = 12 };
#define DAY_NS (INT64_C(86400) * 1000000000)

struct memory {
    struct buf bytes;
    struct segment_source source;
    struct segment *segment;
    struct live_segment *live;
};

struct world {
    struct folder *folder;
    struct index_conf conf;
    struct index *index;
    struct arena arena;
    struct memory v[MAX_SEGMENTS];
    size_t n;
    struct views *views;
    struct view *view;
    /* As the source of a rebuild. */
    struct period period;
    struct view *source; /* pinned while it runs */
    size_t next;
    unsigned n_nexts;
    int (*on_next)(struct world *w, struct err *err); /* before each; may be NULL */
};

static bool has_period(const struct segment_info *info, const struct period *p)
{
    for (size_t i = 0; i < info->n_periods; i++)
        if (info->periods[i].start_ns == p->start_ns)
            return true;
    return false;
}

static int setup(void **state)
{
    struct world *w = mem_zalloc(1, sizeof *w);
    void *folder;
    if (folder_setup(&folder) < 0)
        return -1;
    w->folder = folder;
    w->views = views_new();
    w->view = view_pin(w->views);
    *state = w;
    return index_open(&w->index, in_folder(w->folder, "index"), &w->conf, NULL);
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *folder = w->folder;
    index_close(w->index);
    view_unpin(w->view);
    views_free(w->views);
    for (size_t i = 0; i < w->n; i++) {
        live_segment_unref(w->v[i].live);
        segment_close(w->v[i].segment);
        buf_deinit(&w->v[i].bytes);
    }
    arena_deinit(&w->arena);
    folder_teardown(&folder);
    free(w);
    return 0;
}

#define WORLD_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* --- segments --------------------------------------------------------------------------- */

static int pread_memory(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct buf *b = ctx;
    if (at > b->len || len > b->len - at)
        return err_set(err, ERR_CORRUPT, "the segment is cut off");
    memcpy(to, b->p + at, len);
    return 0;
}

static struct uuid uuid_of(size_t i)
{
    struct uuid u = {{0x50, (uint8_t)i}};
    return u;
}

/* A segment with both tenants in days first..first + n - 1; in neither index nor view. */
static struct memory *new_segment(struct world *w, unsigned first_day, unsigned n_days)
{
    struct memory *m = &w->v[w->n];
    struct segment_spec spec = {.uuid = uuid_of(w->n),
                                .installation = {{7}},
                                .generation = w->n + 1,
                                .n_tenants = N_TENANTS,
                                .n_periods = n_days,
                                .n_streams = N_STREAMS,
                                .n_rows = N_ROWS,
                                .first_period_ns = first_day * DAY_NS,
                                .coverage = {.first = w->n, .last = w->n}};
    spec_encode(&spec, &m->bytes);
    m->source = (struct segment_source){&m->bytes, m->bytes.len, pread_memory};
    assert_int_equal(segment_open(&m->segment, &m->source, NULL), 0);
    struct segment_info info;
    struct str_view key = arena_printf(&w->arena, "segment-%zu", w->n);
    segment_info_of(&w->arena, m->segment, PLACE_LOCAL, key, &info);
    m->live = live_segment_new(&info, NULL, NULL);
    w->n++;
    return m;
}

static void pin(struct world *w)
{
    view_unpin(w->view);
    w->view = view_pin(w->views);
}

static void show(struct world *w, struct memory *m)
{
    struct views_change change = {.add = &m->live, .n_add = 1};
    views_apply(w->views, &change);
    pin(w);
}

/* Rows, then the view: as a spill does. */
static struct memory *add(struct world *w, unsigned first_day, unsigned n_days)
{
    struct memory *m = new_segment(w, first_day, n_days);
    struct err err = ERR_INIT;
    int r = index_add_segment_file(w->index, m->segment, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    show(w, m);
    return m;
}

static struct period day(unsigned d)
{
    return (struct period){d * DAY_NS, DAY_NS};
}

static bool is_alive(void *ctx, struct uuid uuid)
{
    const struct world *w = ctx;
    return view_find_segment(w->view, uuid) != SIZE_MAX;
}

/* --- asking ----------------------------------------------------------------------------- */

static struct index_query query_of(const struct world *w, unsigned first_day, unsigned n_days)
{
    return (struct index_query){.view = w->view,
                                .tenant = SV("tenant-1"),
                                .min_ts_ns = first_day * DAY_NS,
                                .max_ts_ns = (first_day + n_days) * DAY_NS - 1};
}

static size_t expected_parts(const struct view *view, unsigned d)
{
    struct period p = day(d);
    size_t n = 0;
    for (size_t i = 0; i < view->n_segments; i++)
        n += has_period(&view->segments[i]->info, &p);
    return n;
}

/* The index's outcome; what it answers must be whole. */
static int ask_day(struct world *w, unsigned d, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_query q = query_of(w, d, 1);
    struct index_selection sel;
    int r = index_select(w->index, &q, &a, &sel, err);
    if (r < 0)
        return r;
    assert_int_equal(sel.n_parts, expected_parts(w->view, d));
    assert_int_equal(sel.n_series, sel.n_parts ? N_STREAMS : 0);
    for (size_t i = 0; i < sel.n_parts; i++)
        assert_int_equal(sel.parts[i].n_runs, N_STREAMS);
    struct index_names names;
    assert_int_equal(index_label_names(w->index, &q, &a, &names, err), 0);
    assert_int_equal(names.n, sel.n_parts ? 2 : 0);
    return 0;
}

static void assert_good(struct world *w, unsigned d)
{
    struct err err = ERR_INIT;
    int r = ask_day(w, d, &err);
    if (r < 0)
        print_error("day %u: %s\n", d, err.text);
    assert_int_equal(r, 0);
}

static void assert_all_good(struct world *w)
{
    for (unsigned d = 0; d < N_DAYS; d++)
        assert_good(w, d);
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    assert_false(index_next_bad(w->index, &bad));
}

/* Every kind of question over the day is refused, with this in the text; other days answer. */
static void assert_refused(struct world *w, unsigned d, const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_query q = query_of(w, 0, N_DAYS);
    struct index_selection sel;
    struct index_series *series;
    struct index_names names;
    struct index_stats stats;
    size_t n;
    struct err err = ERR_INIT;
    assert_int_equal(ask_day(w, d, &err), ERR_UNAVAILABLE);
    if (!strstr(err.text, text))
        print_error("'%s' is not in '%s'\n", text, err.text);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(index_select(w->index, &q, &a, &sel, NULL), ERR_UNAVAILABLE);
    assert_int_equal(index_series(w->index, &q, &a, &series, &n, NULL), ERR_UNAVAILABLE);
    assert_int_equal(index_label_names(w->index, &q, &a, &names, NULL), ERR_UNAVAILABLE);
    assert_int_equal(index_label_values(w->index, &q, SV("app"), &a, &names, NULL),
                     ERR_UNAVAILABLE);
    assert_int_equal(index_stats(w->index, &q, &stats, NULL), ERR_UNAVAILABLE);
    for (unsigned other = 0; other < N_DAYS; other++)
        if (other != d)
            assert_good(w, other);
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    assert_true(index_next_bad(w->index, &bad));
    assert_int_equal(bad.period.start_ns, day(d).start_ns);
    assert_false(index_next_bad(w->index, &bad));
}

/* --- rebuilding ------------------------------------------------------------------------- */

static int next_segment(void *ctx, struct index_source_segment *ret, struct err *err)
{
    struct world *w = ctx;
    int r = w->on_next ? w->on_next(w, err) : 0;
    w->n_nexts++;
    if (r < 0)
        return r;
    while (w->next < w->n) {
        struct memory *m = &w->v[w->next++];
        if (view_find_segment(w->source, m->live->info.uuid) == SIZE_MAX ||
            !has_period(&m->live->info, &w->period))
            continue;
        *ret = (struct index_source_segment){m->live->info.uuid, m->segment};
        return 0;
    }
    return 1;
}

static int rebuild_from(struct world *w, unsigned d, index_source_fn *next, struct err *err)
{
    w->period = day(d);
    w->source = view_pin(w->views);
    w->next = w->n_nexts = 0;
    struct index_source source = {next, w, expected_parts(w->source, d)};
    int r = index_rebuild_period(w->index, w->period, &source, err);
    view_unpin(w->source);
    return r;
}

static int rebuild(struct world *w, unsigned d, struct err *err)
{
    return rebuild_from(w, d, next_segment, err);
}

static void assert_rebuilt(struct world *w, unsigned d)
{
    struct err err = ERR_INIT;
    int r = rebuild(w, d, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    assert_all_good(w);
}

/* --- the folder ------------------------------------------------------------------------- */

static const char *table_file(struct world *w, unsigned d, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "index/%lld-%lld%s", (long long)day(d).start_ns, (long long)DAY_NS,
             name);
    return in_folder(w->folder, path);
}

static void open_again(struct world *w)
{
    if (w->index)
        index_close(w->index);
    assert_int_equal(index_open(&w->index, in_folder(w->folder, "index"), &w->conf, NULL), 0);
    for (size_t i = 0; i < w->view->n_segments; i++)
        index_expect(w->index, w->view->segments[i]->info.periods,
                     w->view->segments[i]->info.n_periods);
}

static void copy_file(const char *from, const char *to)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    char target[200];
    snprintf(target, sizeof target, "%s", to);
    assert_int_equal(file_read_whole(from, 1 << 26, &b, NULL), 0);
    assert_int_equal(file_write_atomic(target, buf_view(&b), NULL), 0);
}

/* As after a kill: whatever stands in the folder, without the seals. */
static void kill_and_open(struct world *w)
{
    index_close(TAKE(w->index));
    for (unsigned d = 0; d < N_DAYS; d++)
        file_unlink(table_file(w, d, "/sum"), NULL);
    open_again(w);
}

/* Every place of these bytes: the first bit of the one `at` behind their start.  In place, so that
 * a map sees it. */
static void flip_bytes(struct world *w, unsigned d, struct str_view bytes, size_t at)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    char path[200];
    snprintf(path, sizeof path, "%s", table_file(w, d, "/data.mdb"));
    assert_int_equal(file_read_whole(path, 1 << 26, &b, NULL), 0);
    int fd = file_open(path, FILE_WRITE, NULL);
    assert_true(fd >= 0);
    size_t n = 0;
    for (char *p = b.p; (p = memmem(p, b.len - (size_t)(p - b.p), bytes.p, bytes.len)); p++) {
        char changed = (char)(p[at] ^ 1);
        assert_int_equal(file_pwrite_all(fd, sv(&changed, 1), (uint64_t)(p + at - b.p), NULL), 0);
        n++;
    }
    file_close(fd);
    assert_true(n > 0);
}

/* In the labels of a series, and whatever else has them. */
static void damage(struct world *w, unsigned d)
{
    flip_bytes(w, d, SV("a0003"), 0);
}

static void three_days(struct world *w)
{
    add(w, 0, 1);
    add(w, 1, 2);
    add(w, 0, 3);
    assert_all_good(w);
}

/* --- what is found ---------------------------------------------------------------------- */

static void test_a_table_that_is_missing_is_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    assert_int_equal(file_remove_tree(table_file(w, 1, ""), NULL), 0);
    open_again(w);
    assert_refused(w, 1,
                   "the index of 1970-01-02 is damaged and waits to be rebuilt: there is none");
    assert_rebuilt(w, 1);
    open_again(w);
    assert_all_good(w);
}

static void test_a_data_file_that_is_missing_is_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    assert_int_equal(file_unlink(table_file(w, 1, "/data.mdb"), NULL), 0);
    open_again(w);
    assert_refused(w, 1, "no data.mdb");
    assert_rebuilt(w, 1);
}

static void test_a_sealed_table_that_was_damaged_is_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    enum kv_sum sum;
    assert_int_equal(kv_sum_check(table_file(w, 2, ""), &sum, NULL), 0);
    assert_int_equal(sum, KV_SUM_GOOD);
    damage(w, 2);
    open_again(w);
    assert_refused(w, 2, "not the file that was sealed");
    assert_rebuilt(w, 2);
}

static void test_an_unsealed_table_is_verified(void **state)
{
    struct world *w = *state;
    three_days(w);
    kill_and_open(w);
    assert_all_good(w);
    index_close(TAKE(w->index));
    file_unlink(table_file(w, 0, "/sum"), NULL);
    damage(w, 0);
    open_again(w);
    assert_refused(w, 0, "1970-01-01");
    assert_rebuilt(w, 0);
}

static void test_a_table_of_an_hour_ago_is_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    for (int sealed = 0; sealed < 2; sealed++) {
        copy_file(table_file(w, 1, "/data.mdb"), in_folder(w->folder, "old-data"));
        copy_file(table_file(w, 1, "/sum"), in_folder(w->folder, "old-sum"));
        open_again(w);
        add(w, 1, 1);
        assert_all_good(w);
        index_close(TAKE(w->index));
        copy_file(in_folder(w->folder, "old-data"), table_file(w, 1, "/data.mdb"));
        if (sealed)
            copy_file(in_folder(w->folder, "old-sum"), table_file(w, 1, "/sum"));
        else
            file_unlink(table_file(w, 1, "/sum"), NULL);
        open_again(w);
        assert_refused(w, 1, "it does not have segment 'segment-");
        assert_rebuilt(w, 1);
        index_close(TAKE(w->index));
    }
    open_again(w);
    assert_all_good(w);
}

static void test_tables_that_were_swapped_are_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    char aside[200];
    snprintf(aside, sizeof aside, "%s", in_folder(w->folder, "aside"));
    assert_int_equal(file_rename(table_file(w, 1, ""), aside, NULL), 0);
    assert_int_equal(file_rename(table_file(w, 2, ""), table_file(w, 1, ""), NULL), 0);
    assert_int_equal(file_rename(aside, table_file(w, 2, ""), NULL), 0);
    open_again(w);
    assert_good(w, 0);
    assert_int_equal(ask_day(w, 1, NULL), ERR_UNAVAILABLE);
    assert_int_equal(ask_day(w, 2, NULL), ERR_UNAVAILABLE);
    struct err err = ERR_INIT;
    assert_int_equal(rebuild(w, 1, &err), 0);
    assert_rebuilt(w, 2);
}

static void test_a_table_with_too_few_parts_of_a_segment_is_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    struct memory *m = new_segment(w, 2, 1);
    struct index_part part = {.tenant = SV("tenant-1"),
                              .part_no = 1,
                              .period_start_ns = day(2).start_ns,
                              .period_length_ns = DAY_NS};
    assert_int_equal(index_add_segment(w->index, m->live->info.uuid, &part, 1, NULL), 0);
    show(w, m);
    kill_and_open(w);
    assert_refused(w, 2, "all parts of segment 'segment-3'");
    assert_rebuilt(w, 2);
}

static int put_format(void *ctx, struct kv_txn *t, struct err *err)
{
    const uint32_t *format = ctx;
    char v[4];
    st_le32(v, *format);
    return kv_put(t, TABLE_META, SV("format"), sv(v, sizeof v), err);
}

static void test_tables_of_other_formats_are_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    for (uint32_t format = 1; format <= 4; format++) {
        if (format == TABLE_FORMAT)
            continue;
        index_close(TAKE(w->index));
        assert_int_equal(file_remove_tree(table_file(w, 1, ""), NULL), 0);
        struct kv *kv;
        struct kv_conf conf = {
            .dbs = table_db_names, .n_dbs = TABLE_N_DBS, .init = put_format, .ctx = &format};
        assert_int_equal(kv_open(&kv, table_file(w, 1, ""), &conf, NULL), 0);
        kv_close(kv);
        open_again(w);
        assert_refused(w, 1, "format version");
        assert_rebuilt(w, 1);
    }
}

static void test_damage_that_is_met_in_use_ends_the_answers(void **state)
{
    struct world *w = *state;
    three_days(w);
    damage(w, 1); /* while it is open */
    assert_refused(w, 1, "1970-01-02");
    add(w, 1, 1);
    assert_refused(w, 1, "1970-01-02");
    assert_rebuilt(w, 1);
}

/* What it adds is not lost, and the damage is none of its business. */
static void test_damage_that_a_writer_meets_does_not_stop_it(void **state)
{
    struct world *w = *state;
    three_days(w);
    damage(w, 1);
    add(w, 1, 1);
    assert_refused(w, 1, "1970-01-02");
    assert_rebuilt(w, 1);
}

static void test_damage_does_not_stop_who_removes(void **state)
{
    struct world *w = *state;
    three_days(w);
    struct memory *gone = &w->v[1];
    struct segment_info *info = &gone->live->info;
    char row[UUID_BYTES + 4] = {0}; /* key, and the start of its value */
    memcpy(row, info->uuid.b, UUID_BYTES);
    flip_bytes(w, 1, sv(row, sizeof row), UUID_BYTES);
    struct views_change change = {.remove = &info->uuid, .n_remove = 1};
    views_apply(w->views, &change);
    pin(w);
    assert_int_equal(
        index_remove_segments(w->index, &info->uuid, 1, info->periods, info->n_periods, NULL), 0);
    assert_refused(w, 1, "wrong checksum");
    assert_int_equal(index_remove_segments(w->index, &info->uuid, 1, NULL, 0, NULL), 0);
    uint64_t n;
    assert_int_equal(index_sweep(w->index, is_alive, w, &n, NULL), 0);
    assert_rebuilt(w, 1);
    assert_int_equal(index_sweep(w->index, is_alive, w, &n, NULL), 0);
    assert_int_equal(n, 0);
}

/* --- who checks ------------------------------------------------------------------------- */

struct checker {
    _Atomic int n_calls;
    int verdict;
};

static int note_check(void *ctx, const char *folder, struct err *err)
{
    struct checker *c = ctx;
    atomic_fetch_add(&c->n_calls, 1);
    return c->verdict < 0 ? err_set(err, c->verdict, "the child says no") : 0;
}

static void test_the_check_that_was_named_is_asked_about_unsealed_tables(void **state)
{
    struct world *w = *state;
    struct checker c = {0};
    three_days(w);
    w->conf = (struct index_conf){.check = note_check, .check_ctx = &c};
    open_again(w);
    assert_all_good(w);
    assert_int_equal(c.n_calls, 0); /* sealed */
    kill_and_open(w);
    assert_all_good(w);
    assert_all_good(w);
    assert_int_equal(c.n_calls, N_DAYS);
    c.verdict = ERR_CORRUPT;
    index_close(TAKE(w->index));
    file_unlink(table_file(w, 1, "/sum"), NULL);
    open_again(w);
    assert_refused(w, 1, "the child says no");
    assert_rebuilt(w, 1);
    /* It cannot look: the table is looked at here. */
    c.verdict = -ENOENT;
    kill_and_open(w);
    assert_all_good(w);
    index_close(TAKE(w->index));
    file_unlink(table_file(w, 1, "/sum"), NULL);
    damage(w, 1);
    open_again(w);
    assert_refused(w, 1, "1970-01-02");
    assert_rebuilt(w, 1);
}

static void test_tables_that_nobody_asks_for_can_be_looked_at(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    damage(w, 2);
    open_again(w);
    int n = 0;
    while (index_check_next(w->index, w->view, NULL) == 0)
        n++;
    assert_true(n <= N_DAYS);
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    assert_true(index_next_bad(w->index, &bad));
    assert_int_equal(bad.period.start_ns, day(2).start_ns);
    assert_non_null(strstr(bad.why, "sealed"));
    assert_rebuilt(w, 2);
}

/* --- while it is rebuilt ---------------------------------------------------------------- */

static int ask_in_between(struct world *w, struct err *err)
{
    char text[80];
    snprintf(text, sizeof text, "the index of 1970-01-02 is being rebuilt: %u of 2 segments",
             w->n_nexts);
    assert_refused(w, 1, text);
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    assert_true(index_next_bad(w->index, &bad));
    assert_true(bad.rebuilding);
    struct index_source source = {next_segment, w, 0};
    assert_int_equal(index_rebuild_period(w->index, bad.period, &source, NULL), ERR_CANCELLED);
    return 0;
}

static void test_queries_are_told_how_far_it_is(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    w->on_next = ask_in_between;
    assert_rebuilt(w, 1);
}

static int add_in_between(struct world *w, struct err *err)
{
    add(w, w->n_nexts % 2, 2);
    return 0;
}

/* Before it begins, before each segment, and after the last one. */
static void test_what_is_added_meanwhile_is_there_afterwards(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    add(w, 1, 1); /* bad already, and nobody rebuilds it yet */
    assert_refused(w, 1, "waits to be rebuilt");
    w->on_next = add_in_between;
    assert_rebuilt(w, 1);
    assert_int_equal(w->n, 3 + 1 + 4);
    w->on_next = NULL;
    open_again(w);
    assert_all_good(w);
}

/* Only its rows were added before the table turned bad; the view names it after the rebuild. */
static void test_a_segment_that_fell_between_is_noticed(void **state)
{
    struct world *w = *state;
    three_days(w);
    struct memory *late = new_segment(w, 1, 1);
    assert_int_equal(index_add_segment_file(w->index, late->segment, NULL), 0);
    damage(w, 1);
    assert_refused(w, 1, "1970-01-02");
    struct err err = ERR_INIT;
    assert_int_equal(rebuild(w, 1, &err), 0);
    show(w, late);
    assert_refused(w, 1, "it does not have segment 'segment-3'");
    assert_rebuilt(w, 1);
}

static int fail_at_second(struct world *w, struct err *err)
{
    return w->n_nexts > 0 ? err_set(err, -EMFILE, "no more files") : 0;
}

static void test_a_rebuild_that_failed_goes_on(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    three_days(w);
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    w->on_next = fail_at_second;
    assert_int_equal(rebuild(w, 1, &err), -EMFILE);
    assert_non_null(strstr(err.text, "1970-01-02"));
    w->on_next = NULL;
    assert_refused(w, 1, "waits to be rebuilt");
    add(w, 1, 1);
    assert_rebuilt(w, 1);
}

static int drop_in_between(struct world *w, struct err *err)
{
    if (w->n_nexts > 0)
        assert_int_equal(index_drop_period(w->index, day(1), NULL), 0);
    return 0;
}

static void test_a_period_that_is_dropped_is_not_rebuilt(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    w->on_next = drop_in_between;
    assert_int_equal(rebuild(w, 1, NULL), ERR_CANCELLED);
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    assert_false(index_next_bad(w->index, &bad));
    assert_false(file_exists(table_file(w, 1, "")));
    assert_false(file_exists(table_file(w, 1, ".rebuild")));
    assert_int_equal(rebuild(w, 1, NULL), ERR_CANCELLED);
}

static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    int *left = ctx;
    return (struct file_fault){.errnum = (*left)-- == 0 ? EIO : 0};
}

/* At any call it fails, it can be tried again; and so can the next start. */
static void test_a_fault_anywhere_in_a_rebuild_loses_nothing(void **state)
{
    struct world *w = *state;
    three_days(w);
    for (int nth = 0;; nth++) {
        index_close(TAKE(w->index));
        damage(w, 1);
        open_again(w);
        assert_int_equal(ask_day(w, 1, NULL), ERR_UNAVAILABLE);
        int left = nth;
        file_fault_set(fail_nth, &left);
        int r = rebuild(w, 1, NULL);
        file_fault_set(NULL, NULL);
        if (nth % 2)
            open_again(w);
        if (ask_day(w, 1, NULL) < 0) {
            assert_true(r < 0);
            assert_rebuilt(w, 1);
        }
        assert_all_good(w);
        if (left >= 0) {
            assert_int_equal(r, 0);
            assert_true(nth > 20);
            break;
        }
    }
}

/* --- segments that cannot be read ------------------------------------------------------- */

struct unread {
    struct live_segment *v[8];
    size_t n;
};

static void note_unread(void *ctx, struct live_segment *segment)
{
    struct unread *u = ctx;
    u->v[u->n++] = segment;
}

static int next_of_which_one_is_gone(void *ctx, struct index_source_segment *ret, struct err *err)
{
    int r = next_segment(ctx, ret, err);
    if (r == 0 && ret->uuid.b[1] == 1)
        ret->segment = NULL;
    return r;
}

static void test_queries_are_told_of_segments_that_cannot_be_read(void **state)
{
    struct world *w = *state;
    three_days(w);
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    assert_int_equal(rebuild_from(w, 1, next_of_which_one_is_gone, NULL), 0);
    for (int again = 0; again < 2; again++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct index_query q = query_of(w, 1, 1);
        struct index_selection sel;
        struct err err = ERR_INIT;
        assert_int_equal(index_select(w->index, &q, &a, &sel, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.text, "segment 'segment-1'"));
        struct unread u = {.n = 0};
        q.unread = note_unread;
        q.unread_ctx = &u;
        assert_int_equal(index_select(w->index, &q, &a, &sel, &err), 0);
        assert_int_equal(sel.n_parts, 1);
        assert_int_equal(u.n, 1);
        assert_ptr_equal(u.v[0], w->v[1].live);
        struct index_bad bad = {.period = {INT64_MIN, 0}};
        assert_false(index_next_bad(w->index, &bad)); /* it is no fault of the table */
        assert_good(w, 0);
        open_again(w);
    }
    /* It was read after all. */
    assert_int_equal(index_add_segment_file(w->index, w->v[1].segment, NULL), 0);
    open_again(w);
    assert_all_good(w);
}

/* The directory of one part is damaged: the other tenant has nothing of it. */
static void test_the_good_parts_of_a_damaged_segment_are_kept(void **state)
{
    struct world *w = *state;
    struct memory *m = add(w, 1, 1);
    const struct segment_part *part = &m->segment->parts[0];
    m->bytes.p[part->offset + part->bytes - 20] ^= 1;
    index_close(TAKE(w->index));
    file_remove_tree(table_file(w, 1, ""), NULL);
    open_again(w);
    assert_int_equal(rebuild(w, 1, NULL), 0);
    struct unread u = {.n = 0};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_query q = query_of(w, 1, 1);
    q.unread = note_unread;
    q.unread_ctx = &u;
    struct index_selection sel;
    assert_int_equal(index_select(w->index, &q, &a, &sel, NULL), 0);
    assert_int_equal(sel.n_parts, 1);
    assert_int_equal(u.n, 1);
    q.tenant = SV("tenant-0");
    assert_int_equal(index_select(w->index, &q, &a, &sel, NULL), 0);
    assert_int_equal(sel.n_parts, 0);
    assert_int_equal(u.n, 2);
}

/* --- seals ------------------------------------------------------------------------------ */

static enum kv_sum sum_of(struct world *w, unsigned d)
{
    enum kv_sum sum;
    kv_sum_check(table_file(w, d, ""), &sum, NULL);
    return sum;
}

static void test_a_table_that_nobody_writes_to_is_sealed(void **state)
{
    struct world *w = *state;
    w->conf.seal_after_ns = 1;
    w->conf.max_open = 1;
    open_again(w);
    three_days(w); /* a later segment's visit seals one */
    unsigned n_sealed = 0;
    for (unsigned d = 0; d < N_DAYS; d++)
        n_sealed += sum_of(w, d) == KV_SUM_GOOD;
    assert_true(n_sealed > 0);
    for (unsigned d = 0; d < N_DAYS; d++)
        index_seal_idle(w->index);
    for (unsigned d = 0; d < N_DAYS; d++)
        assert_int_equal(sum_of(w, d), KV_SUM_GOOD);
    assert_all_good(w);
    w->conf.seal_after_ns = 1000 * DAY_NS;
    open_again(w);
    add(w, 1, 1);
    index_seal_idle(w->index);
    assert_int_equal(sum_of(w, 0), KV_SUM_GOOD);
    assert_int_equal(sum_of(w, 1), KV_SUM_NONE);
    index_close(TAKE(w->index));
    assert_int_equal(sum_of(w, 1), KV_SUM_GOOD);
    open_again(w);
}

/* A seal over damage would make it lasting. */
static void test_a_damaged_table_is_not_sealed(void **state)
{
    struct world *w = *state;
    three_days(w);
    damage(w, 1);
    index_seal_all(w->index);
    assert_int_equal(sum_of(w, 0), KV_SUM_GOOD);
    assert_int_equal(sum_of(w, 1), KV_SUM_NONE);
    assert_refused(w, 1, "1970-01-02");
    assert_rebuilt(w, 1);
}

/* --- threads ---------------------------------------------------------------------------- */

struct asking {
    struct world *w;
    _Atomic bool stop;
    _Atomic unsigned n_good, n_refused;
};

/* Whole, or refused: of day 1; day 0 always answers. */
static void ask_until_stopped(void *ctx)
{
    struct asking *asking = ctx;
    struct world *w = asking->w;
    while (!atomic_load(&asking->stop)) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct view *view = view_pin(w->views);
        for (unsigned d = 0; d < 2; d++) {
            struct index_query q = query_of(w, d, 1);
            struct index_selection sel;
            q.view = view;
            int r = index_select(w->index, &q, &a, &sel, NULL);
            if (r != 0 && (d == 0 || r != ERR_UNAVAILABLE))
                abort();
            if (r == 0 && sel.n_parts != expected_parts(view, d))
                abort();
            atomic_fetch_add(r == 0 ? &asking->n_good : &asking->n_refused, 1);
        }
        view_unpin(view);
    }
}

/* Segments of its own; the world's are the main thread's. */
static void test_all_at_once(void **state)
{
    struct world *w = *state;
    w->conf.max_open = 2;
    w->conf.seal_after_ns = 1;
    open_again(w);
    three_days(w);
    struct asking asking = {.w = w};
    struct thread t[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(thread_start(&t[i], "asker", ask_until_stopped, &asking, NULL), 0);
    for (unsigned round = 0; round < 12 || atomic_load(&asking.n_refused) < 5; round++) {
        assert_int_equal(rebuild(w, 1, NULL), 0); /* as if it were bad */
        if (w->n < MAX_SEGMENTS)
            add(w, round % 2, 1);
        index_seal_idle(w->index);
    }
    atomic_store(&asking.stop, true);
    for (unsigned i = 0; i < 2; i++)
        thread_join(&t[i]);
    assert_true(atomic_load(&asking.n_good) > 0);
    assert_all_good(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_table_that_is_missing_is_rebuilt),
        WORLD_TEST(test_a_data_file_that_is_missing_is_rebuilt),
        WORLD_TEST(test_a_sealed_table_that_was_damaged_is_rebuilt),
        WORLD_TEST(test_an_unsealed_table_is_verified),
        WORLD_TEST(test_a_table_of_an_hour_ago_is_rebuilt),
        WORLD_TEST(test_tables_that_were_swapped_are_rebuilt),
        WORLD_TEST(test_a_table_with_too_few_parts_of_a_segment_is_rebuilt),
        WORLD_TEST(test_tables_of_other_formats_are_rebuilt),
        WORLD_TEST(test_damage_that_is_met_in_use_ends_the_answers),
        WORLD_TEST(test_damage_that_a_writer_meets_does_not_stop_it),
        WORLD_TEST(test_damage_does_not_stop_who_removes),
        WORLD_TEST(test_the_check_that_was_named_is_asked_about_unsealed_tables),
        WORLD_TEST(test_tables_that_nobody_asks_for_can_be_looked_at),
        WORLD_TEST(test_queries_are_told_how_far_it_is),
        WORLD_TEST(test_what_is_added_meanwhile_is_there_afterwards),
        WORLD_TEST(test_a_segment_that_fell_between_is_noticed),
        WORLD_TEST(test_a_rebuild_that_failed_goes_on),
        WORLD_TEST(test_a_period_that_is_dropped_is_not_rebuilt),
        WORLD_TEST(test_a_fault_anywhere_in_a_rebuild_loses_nothing),
        WORLD_TEST(test_queries_are_told_of_segments_that_cannot_be_read),
        WORLD_TEST(test_the_good_parts_of_a_damaged_segment_are_kept),
        WORLD_TEST(test_a_table_that_nobody_writes_to_is_sealed),
        WORLD_TEST(test_a_damaged_table_is_not_sealed),
        WORLD_TEST(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
