/* SPDX-License-Identifier: Apache-2.0 */
/* publisher_gen.h - a publisher over a temporary folder and stores in memory, segments for it, and
 * what can be seen of them. */
#pragma once
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include "base/ledger.h"
#include "segment_gen.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/publish.h"
#include "store/view.h"

struct publishing {
    struct folder *folder;
    struct ledger ledger;
    struct publisher p;
    struct segment_writer *w;
    struct arena arena;
};

static inline int publishing_setup(void **state)
{
    struct publishing *f = mem_zalloc(1, sizeof *f);
    void *folder = NULL;
    assert_int_equal(folder_setup(&folder), 0);
    f->folder = folder;
    ledger_init(&f->ledger, UINT64_C(1) << 30);
    struct publisher_deps deps = {
        .stores = {object_mem_new(), object_mem_new()}, .views = views_new(), .ledger = &f->ledger};
    assert_int_equal(catalog_open(&deps.catalog, in_folder(f->folder, "catalog"), NULL), 0);
    assert_int_equal(index_open(&deps.index, in_folder(f->folder, "index"), NULL, NULL), 0);
    publisher_init(&f->p, &deps);
    f->w = segment_writer_new();
    *state = f;
    return 0;
}

/* Nothing in the views refers to the publisher afterwards. */
static inline void empty_views(struct publishing *f)
{
    struct view *v = view_pin(f->p.deps.views);
    struct uuid *all = ARENA_ARRAY(&f->arena, struct uuid, v->n_segments);
    for (size_t i = 0; i < v->n_segments; i++)
        all[i] = v->segments[i]->info.uuid;
    struct views_change nothing = {.set_heads = true, .remove = all, .n_remove = v->n_segments};
    view_unpin(v);
    views_apply(f->p.deps.views, &nothing);
}

static inline int publishing_teardown(void **state)
{
    struct publishing *f = *state;
    void *folder = f->folder;
    empty_views(f);
    views_free(f->p.deps.views);
    index_close(f->p.deps.index);
    catalog_close(f->p.deps.catalog);
    stores_free(&f->p.deps.stores);
    publisher_deinit(&f->p);
    assert_int_equal(ledger_used(&f->ledger), 0);
    segment_writer_free(f->w);
    arena_deinit(&f->arena);
    free(f);
    return folder_teardown(&folder);
}

/* One segment in its store, not live. */
static inline struct segment_draft write_segment(struct publishing *f, enum segment_place place,
                                                 uint64_t first_lsn)
{
    static const struct segment_spec spec = {
        .n_tenants = 1, .n_periods = 2, .n_streams = 3, .n_rows = 4};
    struct segment_draft d = publish_draft(
        &f->p, place, place == PLACE_LOCAL ? SEGMENT_LOCAL : SEGMENT_OBJECT, 0, &f->arena);
    assert_int_equal(segment_file_create(&d, &f->p.deps.stores, f->w, NULL), 0);
    for (unsigned p = 0; p < spec.n_periods; p++)
        spec_write_part(f->w, &spec, 0, p);
    struct segment_coverage c = {.first = first_lsn, .last = first_lsn + 9};
    struct uuid source = catalog_installation(f->p.deps.catalog).uuid;
    memcpy(c.source, source.b, UUID_BYTES);
    assert_int_equal(segment_writer_finish(f->w, &c, 1, NULL, 0, &d.bytes, NULL), 0);
    assert_int_equal(segment_file_commit(&d, NULL), 0);
    return d;
}

static inline struct segment_info prepared(struct publishing *f, enum segment_place place,
                                           uint64_t first_lsn)
{
    struct segment_info info;
    struct segment_draft d = write_segment(f, place, first_lsn);
    assert_int_equal(publish_prepare(&f->p, &d, &f->arena, &info, NULL), 0);
    return info;
}

/* The parts that a query of all times finds in this view. */
static inline size_t parts_seen(struct publishing *f)
{
    struct view *v = view_pin(f->p.deps.views);
    struct index_selection s;
    struct index_query q = {
        .view = v, .tenant = SV("tenant-0"), .min_ts_ns = INT64_MIN, .max_ts_ns = INT64_MAX};
    assert_int_equal(index_select(f->p.deps.index, &q, &f->arena, &s, NULL), 0);
    size_t n = s.n_parts;
    view_unpin(v);
    return n;
}

static inline size_t catalog_size(struct publishing *f)
{
    struct segment_info *v;
    size_t n;
    assert_int_equal(catalog_load(f->p.deps.catalog, &f->arena, &v, &n, NULL), 0);
    return n;
}

static inline bool is_stored(struct publishing *f, const struct segment_info *info)
{
    struct segment_file file;
    if (segment_file_open(&file, &f->p.deps.stores, info->place, info->key, NULL) < 0)
        return false;
    segment_file_close(&file);
    return true;
}
