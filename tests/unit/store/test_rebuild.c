/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <errno.h>

#include "base/clock.h"
#include "segment_gen.h"
#include "store/index/index.h"
#include "store/rebuild.h"
#include "store/view.h"

enum { MAX_NOTES = 64 };

struct fixture {
    struct folder *folder;
    struct object_store *local, *objects;
    struct arena arena;
    struct rebuild_report report;
    struct err err;
    unsigned n_notes[4];
    struct str_view damaged[MAX_NOTES];
    int note_result;
    /* What was rebuilt. */
    struct catalog *catalog;
    struct index *index;
    struct segment_info *live;
    size_t n_live;
};

static const struct uuid home = {{9, 9, 9}}, abroad = {{8, 8, 8}};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    void *folder;
    if (folder_setup(&folder) < 0)
        return -1;
    f->folder = folder;
    f->local = object_mem_new();
    f->objects = object_mem_new();
    *state = f;
    return 0;
}

static void close_rebuilt(struct fixture *f)
{
    catalog_close(f->catalog);
    index_close(f->index);
    f->catalog = NULL;
    f->index = NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *folder = f->folder;
    close_rebuilt(f);
    object_store_free(f->local);
    object_store_free(f->objects);
    arena_deinit(&f->arena);
    folder_teardown(&folder);
    free(f);
    return 0;
}

static int take_note(void *ctx, enum rebuild_event event, enum segment_place place,
                     struct str_view key, const struct err *why, struct err *err)
{
    struct fixture *f = ctx;
    if (event == REBUILD_DAMAGED) {
        assert_non_null(why);
        f->damaged[f->n_notes[event]] = arena_copy(&f->arena, key);
    }
    f->n_notes[event]++;
    return f->note_result < 0 ? err_set(err, f->note_result, "enough") : 0;
}

static int rebuild_as(struct fixture *f, const struct uuid *installation)
{
    close_rebuilt(f);
    file_remove_tree(in_folder(f->folder, "catalog"), NULL);
    file_remove_tree(in_folder(f->folder, "index"), NULL);
    memset(f->n_notes, 0, sizeof f->n_notes);
    struct rebuild_conf conf = {.stores = {f->local, f->objects},
                                .catalog_folder = in_folder(f->folder, "catalog"),
                                .index_folder = in_folder(f->folder, "index"),
                                .installation = installation,
                                .note = take_note,
                                .ctx = f};
    f->err = ERR_INIT;
    return rebuild_index(&conf, &f->report, &f->err);
}

/* Rebuilds and opens what came of it. */
static void rebuild(struct fixture *f)
{
    int r = rebuild_as(f, NULL);
    if (r < 0)
        print_error("%s\n", f->err.text);
    assert_int_equal(r, 0);
    assert_int_equal(catalog_open(&f->catalog, in_folder(f->folder, "catalog"), NULL), 0);
    assert_int_equal(index_open(&f->index, in_folder(f->folder, "index"), NULL, NULL), 0);
    assert_int_equal(catalog_load(f->catalog, &f->arena, &f->live, &f->n_live, NULL), 0);
    assert_int_equal(f->report.n_live, f->n_live);
}

static bool lives(const struct fixture *f, uint8_t name)
{
    for (size_t i = 0; i < f->n_live; i++)
        if (f->live[i].uuid.b[0] == name)
            return true;
    return false;
}

/* A spill of ours: LSNs first..last, tenants 0 and 1, one period. */
static struct segment_spec spill_spec(uint8_t name, uint64_t first, uint64_t last)
{
    return (struct segment_spec){.uuid = {{name, 1}},
                                 .installation = home,
                                 .generation = name,
                                 .created_ns = 1000 + name,
                                 .n_tenants = 2,
                                 .n_periods = 1,
                                 .n_streams = 3,
                                 .n_rows = 20,
                                 .coverage = {.first = first, .last = last}};
}

static struct segment_spec merge_spec(uint8_t name, uint64_t first, uint64_t last,
                                      const struct uuid *replaced, size_t n_replaced)
{
    struct segment_spec s = spill_spec(name, first, last);
    s.level = SEGMENT_OBJECT;
    s.replaced = replaced;
    s.n_replaced = n_replaced;
    return s;
}

static void put(struct fixture *f, const struct segment_spec *s)
{
    struct segment_info unused;
    spec_put(s->level == SEGMENT_LOCAL ? f->local : f->objects,
             s->level == SEGMENT_LOCAL ? PLACE_LOCAL : PLACE_OBJECT, s, &f->arena, &unused);
}

/* Turns over one byte of its file. */
static void damage(struct fixture *f, const struct segment_spec *s, size_t at)
{
    struct object_store *store = s->level == SEGMENT_LOCAL ? f->local : f->objects;
    struct str_view key = segment_key(&f->arena, s->uuid, s->first_period_ns);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    assert_int_equal(object_get(store, key, 1 << 24, &b, NULL), 0);
    b.p[at % b.len] = (char)(b.p[at % b.len] ^ 0x40);
    assert_int_equal(object_put(store, key, buf_view(&b), NULL), 0);
}

/* ---- contents ---- */

static uint64_t count_rows(struct fixture *f, const char *tenant)
{
    struct views *vs = views_new();
    struct live_segment **live = mem_alloc((f->n_live + 1) * sizeof *live);
    for (size_t i = 0; i < f->n_live; i++)
        live[i] = live_segment_new(&f->live[i], NULL, NULL);
    struct views_change change = {.add = live, .n_add = f->n_live};
    views_apply(vs, &change);
    struct view *v = view_pin(vs);
    struct index_query q = {
        .view = v, .tenant = sv_of(tenant), .min_ts_ns = INT64_MIN, .max_ts_ns = INT64_MAX};
    struct index_stats st;
    assert_int_equal(index_stats(f->index, &q, &st, NULL), 0);
    view_unpin(v);
    views_free(vs);
    for (size_t i = 0; i < f->n_live; i++)
        live_segment_unref(live[i]);
    free(live);
    return st.n_entries;
}

static void test_catalog_and_tables_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 10, 19);
    a.n_periods = 3;
    b.first_period_ns = -2 * NS_PER_DAY;
    put(f, &a);
    put(f, &b);
    rebuild(f);
    assert_int_equal(f->n_live, 2);
    assert_int_equal(f->report.n_replaced + f->report.n_damaged, 0);
    assert_int_equal(f->report.n_parts, 2 * 3 + 2);
    assert_int_equal(f->report.n_rows, 8 * 60);
    const struct segment_info *info = &f->live[0];
    assert_int_equal(info->uuid.b[0], 1);
    assert_int_equal(info->place, PLACE_LOCAL);
    assert_int_equal(info->generation, 1);
    assert_int_equal(info->created_ns, 1001);
    assert_int_equal(info->n_parts, 6);
    assert_int_equal(info->n_rows, 6 * 60);
    assert_int_equal(info->n_periods, 3);
    assert_int_equal(info->periods[2].start_ns, 2 * NS_PER_DAY);
    assert_int_equal(info->periods[2].length_ns, NS_PER_DAY);
    assert_int_equal(info->min_ts_ns, 0);
    assert_int_equal(info->max_ts_ns, 2 * NS_PER_DAY + 19 * NS_PER_S);
    assert_int_equal(info->n_coverage, 1);
    assert_true(uuid_eq(info->coverage[0].source, home));
    assert_int_equal(info->coverage[0].last, 9);
    CLEANUP(buf_deinit) struct buf file = BUF_INIT;
    assert_int_equal(object_get(f->local, info->key, 1 << 24, &file, NULL), 0);
    assert_int_equal(info->bytes, file.len);
    assert_int_equal(count_rows(f, "tenant-0"), 3 * 60 + 60);
    assert_int_equal(count_rows(f, "tenant-1"), 3 * 60 + 60);
    assert_int_equal(count_rows(f, "tenant-2"), 0);
    /* New segments come after all of them. */
    assert_int_equal(catalog_next_generation(f->catalog), 3);
}

static void test_an_empty_store_gives_an_empty_catalog(void **state)
{
    struct fixture *f = *state;
    rebuild(f);
    assert_int_equal(f->n_live, 0);
    assert_int_equal(catalog_covered_lsn(f->catalog), 0);
}

static void test_other_objects_are_passed_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(object_put(f->objects, SV("manifest/1"), SV("no segment"), NULL), 0);
    rebuild(f);
    assert_int_equal(f->report.n_damaged, 0);
}

/* ---- who lives ---- */

static void test_sources_of_a_merge_are_dead(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 10, 19);
    struct uuid both[2] = {a.uuid, b.uuid};
    struct segment_spec m = merge_spec(3, 0, 19, both, 2);
    put(f, &a);
    put(f, &b);
    put(f, &m);
    rebuild(f);
    assert_int_equal(f->n_live, 1);
    assert_true(lives(f, 3));
    assert_int_equal(f->live[0].place, PLACE_OBJECT);
    assert_int_equal(f->report.n_replaced, 2);
    assert_int_equal(f->n_notes[REBUILD_REPLACED], 2);
    assert_int_equal(f->n_notes[REBUILD_VERIFIED], 3);
    assert_int_equal(f->n_notes[REBUILD_INDEXED], 1);
    assert_int_equal(count_rows(f, "tenant-0"), 60);
}

static void test_sources_of_a_damaged_merge_live(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 10, 19);
    struct uuid both[2] = {a.uuid, b.uuid};
    struct segment_spec m = merge_spec(3, 0, 19, both, 2);
    put(f, &a);
    put(f, &b);
    put(f, &m);
    damage(f, &m, 200);
    rebuild(f);
    assert_int_equal(f->n_live, 2);
    assert_false(lives(f, 3));
    assert_int_equal(f->report.n_damaged, 1);
    assert_true(sv_eq(f->damaged[0], segment_key(&f->arena, m.uuid, 0)));
    assert_int_equal(catalog_covered_lsn(f->catalog), 20);
}

/* Two objects of one merge: tenant 0 in the first, both in the second, which names the sources. */
static void test_sources_live_where_only_one_of_two_merged_objects_is_whole(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9);
    a.n_tenants = 3;
    struct segment_spec first = merge_spec(2, 0, 9, NULL, 0);
    struct segment_spec last = merge_spec(3, 0, 9, &a.uuid, 1);
    first.n_tenants = 3;
    last.n_tenants = 1;
    put(f, &a);
    put(f, &first);
    put(f, &last);
    rebuild(f);
    assert_false(lives(f, 1));
    assert_true(lives(f, 2) && lives(f, 3));
    damage(f, &first, 300);
    rebuild(f);
    assert_true(lives(f, 1));
    assert_true(lives(f, 3));
    assert_int_equal(count_rows(f, "tenant-2"), 60);
}

static void test_an_object_is_not_dead_for_another_that_covers_the_same_batches(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = merge_spec(2, 0, 9, NULL, 0), b = merge_spec(3, 0, 9, NULL, 0);
    a.n_tenants = 2; /* b lacks tenant 1 */
    b.n_tenants = 1;
    put(f, &a);
    put(f, &b);
    rebuild(f);
    assert_true(lives(f, 2) && lives(f, 3));
}

static void test_a_part_that_a_merge_left_out_on_purpose_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), m = merge_spec(2, 0, 9, &a.uuid, 1);
    m.n_tenants = 1; /* tenant 1 was deleted */
    put(f, &a);
    put(f, &m);
    rebuild(f);
    assert_false(lives(f, 1));
    assert_int_equal(count_rows(f, "tenant-1"), 0);
}

static void test_the_first_try_of_a_spill_is_dead_for_the_second(void **state)
{
    struct fixture *f = *state;
    struct segment_spec once = spill_spec(1, 0, 9), again = spill_spec(2, 0, 9);
    put(f, &again);
    put(f, &once);
    rebuild(f);
    assert_int_equal(f->n_live, 1);
    assert_true(lives(f, 2));
}

static void test_a_spill_that_others_cover_in_part_lives(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 20), b = spill_spec(2, 0, 10),
                        c = spill_spec(3, 11, 15);
    put(f, &a);
    put(f, &b);
    put(f, &c);
    rebuild(f);
    assert_int_equal(f->n_live, 3);
}

static void test_the_same_batches_of_another_installation_cover_nothing(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 0, 9);
    b.installation = abroad;
    put(f, &a);
    put(f, &b);
    rebuild(f);
    assert_int_equal(f->n_live, 2);
}

static void test_segments_that_replace_each_other_do_not_both_die(void **state)
{
    struct fixture *f = *state;
    struct uuid one = {{1, 1}}, two = {{2, 1}}, all[2] = {one, two};
    struct segment_spec a = merge_spec(1, 0, 9, all, 2), b = merge_spec(2, 20, 29, all, 2);
    put(f, &a);
    put(f, &b);
    rebuild(f);
    assert_int_equal(f->n_live, 1);
    assert_true(lives(f, 2));
}

static void test_of_two_copies_of_a_segment_the_object_lives(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9);
    struct segment_info info;
    put(f, &a);
    spec_put(f->objects, PLACE_OBJECT, &a, &f->arena, &info);
    rebuild(f);
    assert_int_equal(f->n_live, 1);
    assert_int_equal(f->live[0].place, PLACE_OBJECT);
    assert_int_equal(f->report.n_replaced, 1);
}

/* Of many segments with the same answer as a plain rule: dead when one later has it all. */
static void test_random_segments_die_by_the_rule(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 77;
    for (unsigned round = 0; round < 12; round++) {
        object_store_free(f->local);
        f->local = object_mem_new();
        struct segment_spec v[14];
        unsigned n = 14;
        for (unsigned i = 0; i < n; i++) {
            uint64_t first = next_random(&seed) % 10;
            v[i] = spill_spec((uint8_t)(i + 1), first, first + next_random(&seed) % 10);
            v[i].n_tenants = 1 + (unsigned)(next_random(&seed) % 2);
            v[i].n_streams = 1;
            v[i].n_rows = 2;
            if (next_random(&seed) % 4 == 0)
                v[i].coverage.source = abroad;
            put(f, &v[i]);
        }
        rebuild(f);
        for (unsigned i = 0; i < n; i++) {
            unsigned held = 0; /* parts of i in later ones */
            for (unsigned t = 0; t < v[i].n_tenants; t++) {
                bool hit = false;
                for (unsigned k = i + 1; k < n; k++)
                    hit |= v[k].n_tenants > t &&
                           uuid_eq(v[k].coverage.source, v[i].coverage.source) &&
                           v[k].coverage.first <= v[i].coverage.first &&
                           v[k].coverage.last >= v[i].coverage.last;
                held += hit;
            }
            assert_int_equal(lives(f, (uint8_t)(i + 1)), held < v[i].n_tenants);
        }
    }
}

/* ---- damage ---- */

static void test_a_turned_byte_anywhere_is_found(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9);
    a.n_streams = 2;
    put(f, &a);
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct str_view key = segment_key(&f->arena, a.uuid, 0);
    assert_int_equal(object_get(f->local, key, 1 << 24, &whole, NULL), 0);
    unsigned n_missed = 0;
    f->note_result = ERR_CANCELLED; /* a verdict is enough */
    for (size_t at = 0; at < whole.len; at++) {
        damage(f, &a, at);
        int r = rebuild_as(f, NULL);
        bool is_version = at - 8 < 2 || at - (whole.len - 16) < 2; /* of header, of trailer */
        assert_int_equal(r, r != ERR_CANCELLED && is_version ? ERR_UNSUPPORTED : ERR_CANCELLED);
        if (f->n_notes[REBUILD_VERIFIED] == 1) {
            assert_int_equal(whole.p[at], 0); /* padding */
            n_missed++;
        }
        damage(f, &a, at);
    }
    assert_true(n_missed < 40); /* parts and footer begin at multiples of 8 */
}

static void test_a_cut_file_is_damaged_and_stays(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9);
    put(f, &a);
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct str_view key = segment_key(&f->arena, a.uuid, 0);
    assert_int_equal(object_get(f->local, key, 1 << 24, &whole, NULL), 0);
    for (size_t len = 0; len < whole.len; len = len * 2 + 1) {
        assert_int_equal(object_put(f->local, key, sv(whole.p, len), NULL), 0);
        rebuild(f);
        assert_int_equal(f->report.n_damaged, 1);
        assert_int_equal(f->n_live, 0);
        CLEANUP(buf_deinit) struct buf still = BUF_INIT;
        assert_int_equal(object_get(f->local, key, 1 << 24, &still, NULL), 0);
        assert_int_equal(still.len, len);
    }
}

/* ---- LSNs and installations ---- */

static void test_the_covered_lsn_is_the_end_of_our_own_coverage(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 99), b = spill_spec(2, 100, 4711);
    struct segment_spec foreign = merge_spec(3, 0, 9000, NULL, 0);
    foreign.installation = abroad;
    put(f, &a);
    put(f, &b);
    put(f, &foreign);
    rebuild(f);
    assert_int_equal(f->n_live, 3);
    assert_int_equal(catalog_covered_lsn(f->catalog), 4712);
    assert_true(uuid_eq(catalog_installation(f->catalog).uuid, home));
    assert_int_equal(catalog_installation(f->catalog).created_ns, 1001);
    assert_int_equal(f->report.covered_lsn, 4712);
}

static void test_dead_segments_count_for_the_covered_lsn_and_damaged_ones_do_not(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 99), b = spill_spec(2, 100, 199),
                        c = spill_spec(3, 200, 299);
    struct segment_spec m = merge_spec(4, 0, 199, NULL, 0);
    put(f, &a);
    put(f, &b);
    put(f, &c);
    put(f, &m);
    damage(f, &c, 100);
    rebuild(f);
    assert_int_equal(f->n_live, 1);
    assert_int_equal(catalog_covered_lsn(f->catalog), 200);
}

static void test_the_log_is_covered_up_to_the_first_gap(void **state)
{
    struct fixture *f = *state;
    struct segment_spec v[4];
    for (unsigned i = 0; i < 4; i++) {
        v[i] = spill_spec((uint8_t)(i + 1), i * 100, i * 100 + 99);
        put(f, &v[i]);
    }
    damage(f, &v[1], 100);
    assert_int_equal(rebuild_as(f, NULL), 0);
    assert_int_equal(f->report.covered_lsn, 100);
    assert_int_equal(f->report.newest_lsn, 400);
    damage(f, &v[1], 100); /* whole again */
    assert_int_equal(rebuild_as(f, NULL), 0);
    assert_int_equal(f->report.covered_lsn, 400);
    assert_int_equal(f->report.newest_lsn, 400);
}

static void test_a_given_installation_is_taken(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 99), b = spill_spec(2, 100, 199);
    b.installation = abroad;
    put(f, &a);
    put(f, &b);
    assert_int_equal(rebuild_as(f, &home), 0);
    assert_true(uuid_eq(f->report.installation.uuid, home));
    assert_int_equal(f->report.covered_lsn, 100);
    assert_int_equal(rebuild_as(f, NULL), 0);
    assert_true(uuid_eq(f->report.installation.uuid, abroad)); /* of the newest */
    assert_int_equal(f->report.covered_lsn, 0); /* who had its first batches is not here */
    assert_int_equal(f->report.newest_lsn, 200);
}

/* ---- failures ---- */

static void test_folders_that_hold_something_are_refused(void **state)
{
    struct fixture *f = *state;
    struct rebuild_conf conf = {.stores = {f->local, f->objects},
                                .catalog_folder = in_folder(f->folder, "catalog"),
                                .index_folder = in_folder(f->folder, "index")};
    struct rebuild_report report;
    struct err err = ERR_INIT;
    assert_int_equal(file_mkdirs(in_folder(f->folder, "index/0-86400000000000"), NULL), 0);
    assert_int_equal(rebuild_index(&conf, &report, &err), -EEXIST);
    assert_non_null(strstr(err.text, "/index' is not empty"));
    assert_false(file_exists(in_folder(f->folder, "catalog")));
    file_remove_tree(in_folder(f->folder, "index"), NULL);
    struct catalog *c;
    assert_int_equal(catalog_open(&c, in_folder(f->folder, "catalog"), NULL), 0);
    catalog_close(c);
    assert_int_equal(rebuild_index(&conf, &report, &err), -EEXIST);
}

static void test_a_segment_of_a_newer_version_ends_the_rebuild(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 99);
    put(f, &a);
    damage(f, &a, 8); /* the major version, which is looked at before the checksum */
    assert_int_equal(rebuild_as(f, NULL), ERR_UNSUPPORTED);
    assert_false(file_exists(in_folder(f->folder, "catalog")));
}

static void test_a_note_that_fails_ends_the_rebuild(void **state)
{
    struct fixture *f = *state;
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 10, 19);
    put(f, &a);
    put(f, &b);
    f->note_result = ERR_CANCELLED;
    assert_int_equal(rebuild_as(f, NULL), ERR_CANCELLED);
    assert_false(file_exists(in_folder(f->folder, "catalog")));
}

/* Each call that the file layer sees fails once, one after the other. */
struct failing {
    unsigned at, n;
};
static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    struct failing *x = ctx;
    return (struct file_fault){.errnum = x->n++ == x->at ? ENOSPC : 0};
}

static void test_no_failed_call_leaves_a_catalog_that_names_less(void **state)
{
    struct fixture *f = *state;
    object_store_free(f->local);
    assert_int_equal(object_fs_open(&f->local, in_folder(f->folder, "segments"), NULL), 0);
    struct segment_spec a = spill_spec(1, 0, 9), b = spill_spec(2, 10, 19);
    put(f, &a);
    put(f, &b);
    unsigned n_failed = 0;
    for (struct failing x = {0};; x = (struct failing){.at = x.at + 1}) {
        file_remove_tree(in_folder(f->folder, "catalog"), NULL);
        file_remove_tree(in_folder(f->folder, "index"), NULL);
        struct rebuild_conf conf = {.stores = {f->local, f->objects},
                                    .catalog_folder = in_folder(f->folder, "catalog"),
                                    .index_folder = in_folder(f->folder, "index")};
        file_fault_set(fail_nth, &x);
        int r = rebuild_index(&conf, &f->report, NULL);
        file_fault_set(NULL, NULL);
        if (r == 0) {
            assert_int_equal(f->report.n_live, 2);
            if (x.n <= x.at)
                break; /* none failed */
            continue;
        }
        n_failed++;
    }
    assert_true(n_failed > 10);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_catalog_and_tables_come_back_as_they_were),
        T(test_an_empty_store_gives_an_empty_catalog),
        T(test_other_objects_are_passed_over),
        T(test_sources_of_a_merge_are_dead),
        T(test_sources_of_a_damaged_merge_live),
        T(test_sources_live_where_only_one_of_two_merged_objects_is_whole),
        T(test_an_object_is_not_dead_for_another_that_covers_the_same_batches),
        T(test_a_part_that_a_merge_left_out_on_purpose_does_not_come_back),
        T(test_the_first_try_of_a_spill_is_dead_for_the_second),
        T(test_a_spill_that_others_cover_in_part_lives),
        T(test_the_same_batches_of_another_installation_cover_nothing),
        T(test_segments_that_replace_each_other_do_not_both_die),
        T(test_of_two_copies_of_a_segment_the_object_lives),
        T(test_random_segments_die_by_the_rule),
        T(test_a_turned_byte_anywhere_is_found),
        T(test_a_cut_file_is_damaged_and_stays),
        T(test_the_covered_lsn_is_the_end_of_our_own_coverage),
        T(test_dead_segments_count_for_the_covered_lsn_and_damaged_ones_do_not),
        T(test_the_log_is_covered_up_to_the_first_gap),
        T(test_a_given_installation_is_taken),
        T(test_folders_that_hold_something_are_refused),
        T(test_a_segment_of_a_newer_version_ends_the_rebuild),
        T(test_a_note_that_fails_ends_the_rebuild),
        T(test_no_failed_call_leaves_a_catalog_that_names_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
