/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs that are older than the segments, and what is made of the difference. */
#include "store/adopt.h"

#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include "base/ledger.h"
#include "base/log.h"
#include "segment_gen.h"
#include "store/catalog.h"
#include "store/coverage.h"
#include "store/index/index.h"
#include "store/object/object.h"
#include "store/publish.h"
#include "store/view.h"

struct fixture {
    struct folder *folder;
    struct ledger ledger;
    struct publisher p;
    struct arena arena;
    struct uuid self;
    struct adoption got;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    void *folder = NULL;
    assert_int_equal(folder_setup(&folder), 0);
    f->folder = folder;
    ledger_init(&f->ledger, UINT64_C(1) << 30);
    struct publisher_deps deps = {
        .stores = {object_mem_new(), object_mem_new()}, .views = views_new(), .ledger = &f->ledger};
    assert_int_equal(catalog_open(&deps.catalog, in_folder(f->folder, "catalog"), NULL), 0);
    assert_int_equal(index_open(&deps.index, in_folder(f->folder, "index"), NULL, NULL), 0);
    publisher_init(&f->p, &deps);
    f->self = catalog_installation(deps.catalog).uuid;
    log_set_level(LOG_LEVEL_ERROR + 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *folder = f->folder;
    adoption_deinit(&f->got);
    views_free(f->p.deps.views);
    index_close(f->p.deps.index);
    catalog_close(f->p.deps.catalog);
    stores_free(&f->p.deps.stores);
    publisher_deinit(&f->p);
    arena_deinit(&f->arena);
    free(f);
    return folder_teardown(&folder);
}

static struct object_store *store_of(struct fixture *f, enum segment_place place)
{
    return stores_of(&f->p.deps.stores, place);
}

static struct uuid uuid_no(uint8_t n)
{
    return (struct uuid){{n, 1}};
}

/* Segment `n` of this installation with LSNs 100 n to 100 n + 99; of `level` 1 it replaces those of
 * the list and covers what they cover. */
static struct segment_spec spec_of(struct fixture *f, uint8_t n)
{
    return (struct segment_spec){.uuid = uuid_no(n),
                                 .installation = f->self,
                                 .generation = n,
                                 .created_ns = n,
                                 .n_tenants = 2,
                                 .n_periods = 2,
                                 .n_streams = 2,
                                 .n_rows = 3,
                                 .coverage = {.first = n * 100u, .last = n * 100u + 99}};
}

static struct segment_spec merged_of(struct fixture *f, uint8_t n, const struct uuid *of,
                                     size_t n_of, uint64_t first, uint64_t last)
{
    struct segment_spec s = spec_of(f, n);
    s.level = 1;
    s.replaced = of;
    s.n_replaced = n_of;
    s.coverage = (struct lsn_range){.first = first, .last = last};
    return s;
}

static struct str_view put_at(struct fixture *f, const struct segment_spec *s,
                              enum segment_place place, const char *folder)
{
    struct str_view key = arena_printf(&f->arena, "%s/%02x.seg", folder, (unsigned)s->uuid.b[0]);
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    spec_encode(s, &bytes);
    assert_int_equal(object_put(store_of(f, place), key, buf_view(&bytes), NULL), 0);
    return key;
}

static struct str_view put(struct fixture *f, const struct segment_spec *s)
{
    return put_at(f, s, s->level ? PLACE_OBJECT : PLACE_LOCAL, "day");
}

/* As a commit would have named it. */
static void name(struct fixture *f, const struct segment_spec *s, struct str_view key)
{
    struct segment_file file;
    struct segment_info info;
    enum segment_place place = s->level ? PLACE_OBJECT : PLACE_LOCAL;
    assert_int_equal(segment_file_open(&file, &f->p.deps.stores, place, key, NULL), 0);
    assert_int_equal(index_add_segment_file(f->p.deps.index, file.segment, NULL), 0);
    segment_info_of(&f->arena, file.segment, place, key, &info);
    segment_file_close(&file);
    struct catalog_change change = {.add = &info, .n_add = 1};
    assert_int_equal(catalog_commit(f->p.deps.catalog, &change, NULL), 0);
}

static size_t load(struct fixture *f, struct segment_info **ret)
{
    size_t n;
    assert_int_equal(catalog_load(f->p.deps.catalog, &f->arena, ret, &n, NULL), 0);
    return n;
}

static void run(struct fixture *f)
{
    struct segment_info *named;
    struct err err = ERR_INIT;
    size_t n = load(f, &named);
    adoption_deinit(&f->got);
    if (adopt(&f->p, named, n, &f->got, &err) < 0)
        fail_msg("%s", err.text);
}

/* The catalog names these, by number, and nothing else. */
static void expect_live(struct fixture *f, const char *numbers)
{
    struct segment_info *v;
    size_t n = load(f, &v);
    char got[64] = "";
    for (int i = 0; i < 10; i++)
        for (size_t k = 0; k < n; k++)
            if (v[k].uuid.b[0] == i)
                sprintf(got + strlen(got), "%d", i);
    assert_string_equal(got, numbers);
}

static bool exists(struct fixture *f, enum segment_place place, struct str_view key)
{
    struct object_reader *r;
    int code = object_open(store_of(f, place), key, &r, NULL);
    if (code == 0)
        object_close(r);
    return code == 0;
}

static void test_a_spill_that_was_not_committed_is_adopted(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1), two = spec_of(f, 2);
    name(f, &one, put(f, &one));
    put(f, &two);
    run(f);
    expect_live(f, "12");
    assert_int_equal(f->got.n_adopted, 1);
    run(f); /* and then all is well */
    assert_int_equal(f->got.n_adopted + f->got.n_replaced, 0);
}

/* The catalog of an hour ago: sources that are gone, their object and what came later are there. */
static void test_an_old_catalog_is_healed_from_segments(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1), two = spec_of(f, 2), four = spec_of(f, 4);
    const struct uuid sources[] = {uuid_no(1), uuid_no(2)};
    struct segment_spec three = merged_of(f, 3, sources, 2, 100, 299);
    struct str_view key_one = put(f, &one), key_two = put(f, &two);
    name(f, &one, key_one);
    name(f, &two, key_two);
    put(f, &three);
    put(f, &four);
    assert_int_equal(object_delete(store_of(f, PLACE_LOCAL), key_one, NULL), 0);
    run(f);
    expect_live(f, "34");
    assert_int_equal(f->got.n_missing, 0);
    run(f); /* the source that was still there goes */
    assert_false(exists(f, PLACE_LOCAL, key_two));
    expect_live(f, "34");
    struct segment_info *v;
    size_t n = load(f, &v);
    struct lsn_set covered = LSN_SET_INIT;
    coverage_of(v, n, f->self, &covered);
    assert_int_equal(lsn_set_reach(&covered, 100), 300);
    assert_int_equal(covered.n, 2); /* 300 to 399 were of nobody */
    lsn_set_deinit(&covered);
}

static void test_a_source_that_outlived_its_merge_goes(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    const struct uuid sources[] = {uuid_no(1)};
    struct segment_spec two = merged_of(f, 2, sources, 1, 100, 199);
    struct str_view key = put(f, &one);
    name(f, &two, put(f, &two));
    run(f);
    assert_int_equal(f->got.n_replaced, 1);
    assert_false(exists(f, PLACE_LOCAL, key));
    expect_live(f, "2");
}

/* A merge into several objects: the last one names the sources, the first one is lost. */
static void test_a_source_stays_while_a_part_of_it_is_nowhere_else(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    const struct uuid sources[] = {uuid_no(1)};
    struct segment_spec two = merged_of(f, 2, sources, 1, 100, 199);
    two.n_tenants = 1;
    struct str_view key = put(f, &one);
    name(f, &one, key);
    put(f, &two);
    run(f);
    expect_live(f, "12");
    assert_true(exists(f, PLACE_LOCAL, key));
}

static void test_coverage_alone_lets_nothing_go(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    struct segment_spec two = merged_of(f, 2, NULL, 0, 0, 1000);
    struct str_view key = put(f, &one);
    name(f, &two, put(f, &two));
    run(f);
    expect_live(f, "12");
    assert_true(exists(f, PLACE_LOCAL, key));
}

static void test_what_does_not_check_is_set_aside(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(object_put(store_of(f, PLACE_LOCAL), SV("day/x.seg"), SV("no"), NULL), 0);
    assert_int_equal(object_put(store_of(f, PLACE_LOCAL), SV("day/x.txt"), SV("no"), NULL), 0);
    run(f);
    assert_int_equal(f->got.n_set_aside, 1);
    assert_false(exists(f, PLACE_LOCAL, SV("day/x.seg")));
    assert_true(exists(f, PLACE_LOCAL, SV("day/x.seg.damaged")));
    assert_true(exists(f, PLACE_LOCAL, SV("day/x.txt")));
    run(f);
    assert_int_equal(f->got.n_set_aside, 0);
}

static void test_copies_and_foreign_segments_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1), two = spec_of(f, 2), three = spec_of(f, 3);
    const struct uuid sources[] = {uuid_no(1)};
    two = merged_of(f, 2, sources, 1, 100, 199);
    two.installation = three.installation = (struct uuid){{77}};
    name(f, &one, put(f, &one));
    struct str_view copy = put_at(f, &one, PLACE_LOCAL, "day.copy");
    struct str_view foreign = put(f, &three);
    put(f, &two); /* says that it replaces ours */
    run(f);
    expect_live(f, "1");
    assert_int_equal(f->got.n_copies, 1);
    assert_int_equal(f->got.n_foreign, 2);
    assert_true(exists(f, PLACE_LOCAL, copy) && exists(f, PLACE_LOCAL, foreign));
}

static void test_a_missing_segment_stays_named_and_is_told(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1), two = spec_of(f, 2);
    struct str_view key = put(f, &one);
    name(f, &one, key);
    name(f, &two, put(f, &two));
    assert_int_equal(object_delete(store_of(f, PLACE_LOCAL), key, NULL), 0);
    run(f);
    assert_int_equal(f->got.n_missing, 1);
    assert_true(sv_eq(f->got.strays.missing[0].key, key));
    expect_live(f, "12");
}

/* Two files changed places: each is known by its own header. */
static void test_a_segment_is_what_its_header_says(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    const struct uuid sources[] = {uuid_no(1)};
    struct segment_spec two = merged_of(f, 2, sources, 1, 100, 199);
    two.n_tenants = 1; /* a part of the source is nowhere else */
    struct str_view key_one = put(f, &one), key_two = put(f, &two);
    name(f, &one, key_one);
    struct buf a = BUF_INIT, b = BUF_INIT;
    assert_int_equal(object_get(store_of(f, PLACE_LOCAL), key_one, 1 << 20, &a, NULL), 0);
    assert_int_equal(object_get(store_of(f, PLACE_OBJECT), key_two, 1 << 20, &b, NULL), 0);
    assert_int_equal(object_put(store_of(f, PLACE_LOCAL), key_one, buf_view(&b), NULL), 0);
    assert_int_equal(object_put(store_of(f, PLACE_OBJECT), key_two, buf_view(&a), NULL), 0);
    run(f);
    expect_live(f, "12");
    assert_int_equal(f->got.n_missing, 0);
    struct segment_info *v;
    size_t n = load(f, &v);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(v[i].place, v[i].uuid.b[0] == 1 ? PLACE_OBJECT : PLACE_LOCAL);
    buf_deinit(&a);
    buf_deinit(&b);
}

static void test_a_damaged_source_of_a_sound_object_leaves_the_catalog(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    const struct uuid sources[] = {uuid_no(1)};
    struct segment_spec two = merged_of(f, 2, sources, 1, 100, 199);
    struct str_view key = put(f, &one);
    name(f, &one, key);
    put(f, &two);
    assert_int_equal(object_put(store_of(f, PLACE_LOCAL), key, SV("nothing"), NULL), 0);
    run(f);
    expect_live(f, "2");
}

/* The object of a merge that did not end is damaged somewhere: its sources stay, it is set aside.
 */
static void test_a_damaged_object_lets_nothing_go(void **state)
{
    struct fixture *f = *state;
    struct segment_spec one = spec_of(f, 1);
    const struct uuid sources[] = {uuid_no(1)};
    struct segment_spec two = merged_of(f, 2, sources, 1, 100, 199);
    struct buf b = BUF_INIT;
    struct str_view key = put(f, &one), key_two = put(f, &two);
    name(f, &one, key);
    assert_int_equal(object_get(store_of(f, PLACE_OBJECT), key_two, 1 << 20, &b, NULL), 0);
    for (size_t at = 100; at < b.len - 200; at += b.len / 7) {
        b.p[at] ^= 1;
        assert_int_equal(object_put(store_of(f, PLACE_OBJECT), key_two, buf_view(&b), NULL), 0);
        run(f);
        expect_live(f, "1");
        assert_true(exists(f, PLACE_LOCAL, key));
        b.p[at] ^= 1;
    }
    assert_int_equal(object_put(store_of(f, PLACE_OBJECT), key_two, buf_view(&b), NULL), 0);
    run(f);
    expect_live(f, "2");
    buf_deinit(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_spill_that_was_not_committed_is_adopted),
        T(test_an_old_catalog_is_healed_from_segments),
        T(test_a_source_that_outlived_its_merge_goes),
        T(test_a_source_stays_while_a_part_of_it_is_nowhere_else),
        T(test_coverage_alone_lets_nothing_go),
        T(test_what_does_not_check_is_set_aside),
        T(test_copies_and_foreign_segments_are_left_alone),
        T(test_a_segment_is_what_its_header_says),
        T(test_a_damaged_source_of_a_sound_object_leaves_the_catalog),
        T(test_a_damaged_object_lets_nothing_go),
        T(test_a_missing_segment_stays_named_and_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
