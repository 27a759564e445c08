/* SPDX-License-Identifier: Apache-2.0 */
/* Order: what is made durable, its index rows, one catalog transaction (it in, sources out), views,
 * and at the last reference the sources' rows and files (store/publish.h).  Of several objects from
 * the same sources only the last one says that it replaces them: a rebuild from the store alone
 * that meets the first ones without it keeps the sources, and reads what both hold once. */
#include "merge/round.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/ledger.h"
#include "merge/merge.h"
#include "store/publish.h"
#include "store/view.h"

struct merger {
    struct merger_conf conf;       /* fixed at init */
    struct merge *merge;           /* owned */
    struct segment_writer *writer; /* owned */
    struct leftovers failed;
    uint64_t charged_bytes; /* to LEDGER_SPILL */
    /* Segments that do not verify: they stay as they are, so that the others can go on. */
    struct uuid *damaged; /* owned */
    size_t n_damaged, cap_damaged;
    size_t n_singly; /* rounds of one source still to do, to find the damaged one */
};

/* What one round works on; everything in the arena. */
struct merge_round {
    struct merger *m;
    struct arena arena;
    struct live_segment *const *live; /* the candidates */
    size_t n_live;
    size_t n; /* of live, the first ones: to be merged */
    struct segment_file *files;
    struct segment **segments; /* of files */
    struct merge_tenant *tenants;
    size_t n_tenants;
    struct segment_draft *made;
    struct segment_info *infos; /* of made */
    uint32_t n_made;
};

struct merger *merger_new(const struct merger_conf *conf)
{
    struct merger *m = mem_zalloc(1, sizeof *m);
    m->conf = *conf;
    m->merge = merge_new();
    m->writer = segment_writer_new();
    return m;
}

void merger_free(struct merger *m)
{
    if (!m)
        return;
    leftovers_deinit(&m->failed);
    merge_free(m->merge);
    segment_writer_free(m->writer);
    free(m->damaged);
    free(m);
}

static void charge(struct merger *m, uint64_t bytes)
{
    ledger_adjust(m->conf.publisher->deps.ledger, LEDGER_SPILL, &m->charged_bytes, bytes);
}

/* ---- the sources ---- */

static int open_source(struct merge_round *rd, struct err *err)
{
    const struct segment_info *info = &rd->live[rd->n]->info;
    struct segment_file *f = &rd->files[rd->n];
    const struct stores *stores = &rd->m->conf.publisher->deps.stores;
    int r = segment_file_open(f, stores, info->place, info->key, err);
    if (r < 0)
        return err_context(err, r, "segment '%.*s'", SV_ARG(info->key));
    rd->segments[rd->n++] = f->segment;
    return 0;
}

static uint64_t largest_part_streams(const struct segment *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->n_parts; i++)
        most = s->parts[i].n_streams > most ? s->parts[i].n_streams : most;
    return most;
}

/* Opens one after another as long as one merge can take them. */
static int open_sources(struct merge_round *rd, struct err *err)
{
    struct merge_candidate v[MERGE_MAX_SOURCES];
    size_t most = rd->m->n_singly ? 1 : MERGE_MAX_SOURCES;
    int r = 0;
    rd->files = ARENA_ARRAY(&rd->arena, struct segment_file, most);
    rd->segments = ARENA_ARRAY(&rd->arena, struct segment *, most);
    while (r == 0 && rd->n < rd->n_live && rd->n < most) {
        size_t at = rd->n;
        r = open_source(rd, err);
        if (r < 0)
            break;
        v[at] = (struct merge_candidate){rd->live[at]->info.bytes,
                                         largest_part_streams(rd->segments[at])};
        if (merge_choose(v, rd->n, rd->m->conf.object_bytes) < rd->n) {
            segment_file_close(&rd->files[at]);
            rd->n--;
            break;
        }
    }
    return r;
}

/* ---- one object ---- */

static int64_t oldest_ts(const struct merge_round *rd, uint32_t object)
{
    int64_t oldest_ns = INT64_MAX;
    for (size_t t = 0; t < rd->n_tenants; t++) {
        if (rd->tenants[t].object != object)
            continue;
        for (size_t s = 0; s < rd->n; s++)
            for (uint32_t i = 0; i < rd->segments[s]->n_parts; i++) {
                const struct segment_part *p = &rd->segments[s]->parts[i];
                if (p->min_ts_ns < oldest_ns && sv_eq(p->tenant, rd->tenants[t].name))
                    oldest_ns = p->min_ts_ns;
            }
    }
    return oldest_ns;
}

static int write_tenants(struct merge_round *rd, uint32_t object, struct err *err)
{
    struct merger *m = rd->m;
    int r = 0;
    for (size_t t = 0; t < rd->n_tenants && r == 0; t++) {
        if (rd->tenants[t].object != object)
            continue;
        if (atomic_load(m->conf.stop))
            return err_set(err, ERR_CANCELLED, "the server is stopping");
        bool heavy = publish_heavy_begin(m->conf.publisher);
        r = merge_write_tenant(m->merge, rd->segments, rd->n, rd->tenants[t].name, m->writer, err);
        publish_heavy_end(m->conf.publisher, heavy);
        charge(m, merge_peak_bytes(m->merge) + segment_writer_mem_bytes(m->writer));
    }
    return r;
}

/* The union of what the sources cover; `replaced` for the last object alone. */
static int finish(struct merge_round *rd, bool last, uint64_t *ret_bytes, struct err *err)
{
    size_t n_coverage = 0, n = 0;
    for (size_t s = 0; s < rd->n; s++)
        n_coverage += rd->segments[s]->n_coverage;
    struct segment_coverage *coverage =
        ARENA_ARRAY(&rd->arena, struct segment_coverage, n_coverage);
    uint8_t(*replaced)[SEGMENT_UUID_BYTES] =
        arena_alloc(&rd->arena, rd->n * sizeof(uint8_t[SEGMENT_UUID_BYTES]));
    for (size_t s = 0; s < rd->n; s++) {
        memcpy(replaced[s], rd->segments[s]->header.uuid, SEGMENT_UUID_BYTES);
        for (uint32_t i = 0; i < rd->segments[s]->n_coverage; i++)
            coverage[n++] = rd->segments[s]->coverage[i];
    }
    return segment_writer_finish(rd->m->writer, coverage, n_coverage,
                                 (const uint8_t(*)[SEGMENT_UUID_BYTES])replaced, last ? rd->n : 0,
                                 ret_bytes, err);
}

static int write_one(struct merge_round *rd, uint32_t object, struct err *err)
{
    const struct merger_conf *c = &rd->m->conf;
    struct segment_draft *d = &rd->made[object];
    *d = publish_draft(c->publisher, c->place, c->level, oldest_ts(rd, object), &rd->arena);
    int r = segment_file_create(d, &c->publisher->deps.stores, rd->m->writer, err);
    if (r == 0)
        r = write_tenants(rd, object, err);
    if (r == 0)
        r = finish(rd, object + 1 == rd->n_made, &d->bytes, err);
    if (r == 0)
        return segment_file_commit(d, err);
    segment_file_abort(d);
    return r;
}

/* ---- the round ---- */

static void give_up_made(struct merge_round *rd, uint32_t n, struct err *err)
{
    struct leftovers l = LEFTOVERS_INIT;
    for (uint32_t i = 0; i < n; i++)
        leftovers_add_info(&l, &rd->infos[i]);
    publish_give_up(rd->m->conf.publisher, &l, err);
}

static int write_all(struct merge_round *rd, struct err *err)
{
    struct merger *m = rd->m;
    struct publisher *p = m->conf.publisher;
    rd->n_tenants = merge_list_tenants(&rd->arena, rd->segments, rd->n, &rd->tenants);
    rd->n_made = merge_plan_objects(rd->tenants, rd->n_tenants, m->conf.object_bytes);
    rd->made = ARENA_ARRAY(&rd->arena, struct segment_draft, rd->n_made);
    rd->infos = ARENA_ARRAY(&rd->arena, struct segment_info, rd->n_made);
    for (uint32_t i = 0; i < rd->n_made; i++) {
        int r = write_one(rd, i, err);
        segment_file_trim_writer(&m->writer);
        charge(m, segment_writer_mem_bytes(m->writer));
        bool heavy = publish_heavy_begin(p);
        if (r == 0)
            r = publish_prepare(p, &rd->made[i], &rd->arena, &rd->infos[i], err);
        publish_heavy_end(p, heavy);
        if (r < 0) {
            give_up_made(rd, i, err);
            return r;
        }
    }
    return 0;
}

static int make_live(struct merge_round *rd, struct err *err)
{
    struct uuid *gone = ARENA_ARRAY(&rd->arena, struct uuid, rd->n);
    for (size_t i = 0; i < rd->n; i++)
        gone[i] = rd->live[i]->info.uuid;
    struct publication what = {
        .add = rd->infos, .n_add = rd->n_made, .replaced = gone, .n_replaced = rd->n};
    return publish_commit(rd->m->conf.publisher, &rd->m->failed, &what, err);
}

/* A source that does not verify is found by merging them one by one. */
static void note_damage(struct merge_round *rd, struct merge_result *ret)
{
    struct merger *m = rd->m;
    if (!m->n_singly && rd->n_live > 1) {
        m->n_singly = rd->n_live + 1; /* this round is counted below */
        return;
    }
    ret->damaged = &rd->live[0]->info;
    m->damaged = mem_grow(m->damaged, &m->cap_damaged, m->n_damaged + 1, sizeof *m->damaged);
    m->damaged[m->n_damaged++] = ret->damaged->uuid;
}

static void round_deinit(struct merge_round *rd)
{
    for (size_t i = 0; i < rd->n; i++)
        segment_file_close(&rd->files[i]);
    arena_deinit(&rd->arena);
    charge(rd->m, 0);
}

int merger_round(struct merger *m, struct live_segment *const *sources, size_t n,
                 struct merge_result *ret, struct err *err)
{
    assert(n > 0);
    struct merge_round rd = {.m = m, .live = sources, .n_live = n};
    struct merge_counts before = merge_counts(m->merge);
    *ret = (struct merge_result){0};
    int r = open_sources(&rd, err);
    if (r == 0)
        r = write_all(&rd, err);
    if (r == 0)
        r = make_live(&rd, err);
    if (r == ERR_CORRUPT)
        note_damage(&rd, ret);
    m->n_singly -= m->n_singly > 0;
    struct merge_counts after = merge_counts(m->merge);
    ret->n_sources = rd.n;
    ret->n_made = rd.n_made;
    ret->copied_chunks = after.copied_chunks - before.copied_chunks;
    ret->decoded_chunks = after.decoded_chunks - before.decoded_chunks;
    for (uint32_t i = 0; i < rd.n_made && r == 0; i++)
        ret->bytes += rd.made[i].bytes;
    round_deinit(&rd);
    return r;
}

/* ---- damage ---- */

bool merger_is_damaged(const struct merger *m, struct uuid uuid)
{
    for (size_t i = 0; i < m->n_damaged; i++)
        if (uuid_eq(m->damaged[i], uuid))
            return true;
    return false;
}

size_t merger_n_damaged(const struct merger *m)
{
    return m->n_damaged;
}

bool merger_is_searching(const struct merger *m)
{
    return m->n_singly > 0;
}
