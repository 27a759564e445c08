/* SPDX-License-Identifier: Apache-2.0 */
/* In this order: list, verify, decide, index rows, catalog.  Footers stay in memory meanwhile. */
#include "store/rebuild.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "chunk/segment.h"
#include "store/coverage.h"
#include "store/index/index.h"
#include "store/kv.h"
#include "store/lineage.h"
#include "store/object/object.h"

struct found {
    enum segment_place place;
    struct str_view key;
    struct segment *segment; /* NULL: damaged.  Its source is not to be read */
    bool dead;
};

struct rebuild {
    const struct rebuild_conf *conf;
    struct rebuild_report report;
    struct arena arena; /* keys, and what the catalog gets */
    struct found *v;
    size_t n, cap;
    enum segment_place listing;
};

static int note(struct rebuild *rb, enum rebuild_event event, const struct found *f,
                const struct err *why, struct err *err)
{
    if (!rb->conf->note)
        return 0;
    return rb->conf->note(rb->conf->ctx, event, f->place, f->key, why, err);
}

/* ---- list ---- */

static int take_key(void *ctx, const struct object_info *info, struct err *err)
{
    struct rebuild *rb = ctx;
    if (!sv_ends_with(info->key, SV(".seg")))
        return 0;
    rb->v = mem_grow(rb->v, &rb->cap, rb->n + 1, sizeof *rb->v);
    rb->v[rb->n++] = (struct found){.place = rb->listing, .key = arena_copy(&rb->arena, info->key)};
    return 0;
}

static int list_stores(struct rebuild *rb, struct err *err)
{
    rb->listing = PLACE_OBJECT;
    int r = object_list(rb->conf->stores.objects, SV(""), take_key, rb, err);
    rb->listing = PLACE_LOCAL;
    return r < 0 ? r : object_list(rb->conf->stores.local, SV(""), take_key, rb, err);
}

/* ---- verify ---- */

/* Keeps the footer, also where something else does not verify. */
static int verify_all(struct rebuild *rb, struct found *f, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &rb->conf->stores, f->place, f->key, err);
    if (r < 0)
        return r;
    r = segment_file_verify(&file, err);
    f->segment = TAKE(file.segment);
    segment_file_close(&file);
    return r;
}

/* Damaged is what the disk cannot read or what does not check; any other failure is no verdict. */
static int verify(struct rebuild *rb, struct found *f, struct err *err)
{
    struct err why = ERR_INIT;
    int r = verify_all(rb, f, &why);
    if (r >= 0)
        return note(rb, REBUILD_VERIFIED, f, NULL, err);
    segment_close(TAKE(f->segment));
    if (r != ERR_CORRUPT && r != -EIO)
        return err_set(err, r, "segment '%.*s': %s", SV_ARG(f->key), why.text);
    rb->report.n_damaged++;
    return note(rb, REBUILD_DAMAGED, f, &why, err);
}

/* Leaves the complete ones. */
static int verify_each(struct rebuild *rb, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < rb->n; i++) {
        int r = verify(rb, &rb->v[i], err);
        if (r < 0)
            return r;
        struct found f = rb->v[i];
        rb->v[i].segment = NULL;
        if (f.segment)
            rb->v[n++] = f;
    }
    rb->n = n;
    return 0;
}

/* ---- decide ---- */

static int decide(struct rebuild *rb, struct err *err)
{
    struct lineage_segment *v = ARENA_ARRAY(&rb->arena, struct lineage_segment, rb->n);
    for (size_t i = 0; i < rb->n; i++)
        v[i] = (struct lineage_segment){rb->v[i].segment, rb->v[i].place, &rb->v[i], 0, 0, 0};
    lineage_find(v, rb->n);
    for (size_t i = 0; i < rb->n; i++) {
        struct found *f = v[i].owner;
        bool listed = v[i].is_listed && rb->report.n_damaged == 0;
        f->dead = listed || v[i].is_in_later || v[i].is_copy;
        if (!f->dead)
            continue;
        rb->report.n_replaced++;
        int r = note(rb, REBUILD_REPLACED, f, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The newest local segment's, or else the newest object's. */
static struct uuid choose_installation(const struct rebuild *rb)
{
    const struct found *best = NULL;
    if (rb->conf->installation)
        return *rb->conf->installation;
    for (size_t i = 0; i < rb->n; i++) {
        const struct found *f = &rb->v[i];
        if (!best || (best->place == PLACE_OBJECT && f->place == PLACE_LOCAL) ||
            (best->place == f->place &&
             f->segment->header.created_ns >= best->segment->header.created_ns))
            best = f;
    }
    return best ? uuid_of_bytes(best->segment->header.installation) : uuid_new();
}

/* As far as nothing is missing. */
static void find_covered(struct rebuild *rb, const struct segment_info *infos, size_t n)
{
    struct lsn_set covered = LSN_SET_INIT;
    coverage_of(infos, n, rb->report.installation.uuid, &covered);
    rb->report.covered_lsn = lsn_set_reach(&covered, 0);
    rb->report.newest_lsn = covered.n ? covered.v[covered.n - 1].end : 0;
    lsn_set_deinit(&covered);
}

static void describe_installation(struct rebuild *rb)
{
    struct rebuild_report *rp = &rb->report;
    rp->installation = (struct installation){choose_installation(rb), clock_wall_ns()};
    for (size_t i = 0; i < rb->n; i++) {
        const struct segment_header *h = &rb->v[i].segment->header;
        if (memcmp(h->installation, rp->installation.uuid.b, UUID_BYTES) == 0 &&
            h->created_ns < rp->installation.created_ns)
            rp->installation.created_ns = h->created_ns;
    }
}

/* ---- write ---- */

static int index_one(struct rebuild *rb, struct index *ix, const struct found *f,
                     struct segment_info *ret, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &rb->conf->stores, f->place, f->key, err);
    if (r >= 0) {
        r = index_add_segment_file(ix, file.segment, err);
        segment_info_of(&rb->arena, file.segment, f->place, f->key, ret);
        segment_file_close(&file);
    }
    if (r < 0)
        return err_context(err, r, "segment '%.*s'", SV_ARG(f->key));
    rb->report.n_live++;
    rb->report.n_rows += ret->n_rows;
    rb->report.n_parts += ret->n_parts;
    return note(rb, REBUILD_INDEXED, f, NULL, err);
}

static int write_index(struct rebuild *rb, struct segment_info *infos, size_t *ret_n,
                       struct err *err)
{
    struct index *ix;
    int r = index_open(&ix, rb->conf->index_folder, NULL, err);
    if (r < 0)
        return r;
    for (size_t i = 0; r >= 0 && i < rb->n; i++)
        if (!rb->v[i].dead)
            r = index_one(rb, ix, &rb->v[i], &infos[(*ret_n)++], err);
    index_close(ix);
    return r;
}

static int write_catalog(struct rebuild *rb, const struct segment_info *infos, size_t n,
                         struct err *err)
{
    struct catalog *c;
    int r = catalog_create(&c, rb->conf->catalog_folder, &rb->report.installation, err);
    if (r < 0)
        return r;
    struct catalog_change change = {
        .add = infos, .n_add = n, .covered_lsn = rb->report.covered_lsn};
    r = catalog_commit(c, &change, err);
    catalog_close(c);
    return r;
}

static int refuse_entry(void *ctx, const char *name, bool is_dir, struct err *err)
{
    return err_set(err, -EEXIST, "'%s' is not empty", (const char *)ctx);
}

static int check_folders(const struct rebuild_conf *conf, struct err *err)
{
    union { /* the callback takes any pointer; this one is only read */
        const char *given;
        void *ctx;
    } folders[] = {{conf->catalog_folder}, {conf->index_folder}};
    for (size_t i = 0; i < 2; i++) {
        if (!file_exists(folders[i].given))
            continue;
        int r = file_list_dir(folders[i].given, refuse_entry, folders[i].ctx, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(struct rebuild *rb, struct err *err)
{
    int r = check_folders(rb->conf, err);
    if (r >= 0)
        r = list_stores(rb, err);
    if (r >= 0)
        r = verify_each(rb, err);
    if (r >= 0)
        r = decide(rb, err);
    if (r < 0)
        return r;
    describe_installation(rb);
    struct segment_info *infos = ARENA_ARRAY(&rb->arena, struct segment_info, rb->n);
    size_t n = 0;
    r = write_index(rb, infos, &n, err);
    if (r < 0)
        return r;
    find_covered(rb, infos, n);
    return write_catalog(rb, infos, n, err);
}

int rebuild_index(const struct rebuild_conf *conf, struct rebuild_report *ret, struct err *err)
{
    struct rebuild rb = {.conf = conf};
    int r = run(&rb, err);
    for (size_t i = 0; i < rb.n; i++)
        segment_close(rb.v[i].segment);
    free(rb.v);
    arena_deinit(&rb.arena);
    if (r < 0)
        return err_context(err, r, "rebuild of the index");
    *ret = rb.report;
    return 0;
}
