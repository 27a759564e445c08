/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a segment are made from what was written, read back, so that the index says what the
 * file says. */
#include "store/publish.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/ledger.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/segments.h"
#include "store/view.h"

enum { MANY_STREAMS = 50000, DIRECTORY_BYTES_PER_STREAM = 400 };

void publisher_init(struct publisher *p, const struct publisher_deps *deps)
{
    *p = (struct publisher){.deps = *deps};
    mutex_init(&p->mu);
    mutex_init(&p->heavy);
}

void publisher_deinit(struct publisher *p)
{
    leftovers_deinit(&p->dead);
    mutex_deinit(&p->heavy);
    mutex_deinit(&p->mu);
}

struct segment_draft publish_draft(struct publisher *p, enum segment_place place, uint8_t level,
                                   int64_t min_ts_ns, struct arena *arena)
{
    struct uuid uuid = uuid_new();
    struct segment_draft d = {.place = place, .key = segment_key(arena, uuid, min_ts_ns)};
    struct installation self = catalog_installation(p->deps.catalog);
    d.header.generation = catalog_next_generation(p->deps.catalog);
    d.header.created_ns = clock_wall_ns();
    d.header.level = level;
    memcpy(d.header.installation, self.uuid.b, UUID_BYTES);
    memcpy(d.header.uuid, uuid.b, UUID_BYTES);
    return d;
}

/* ---- rows ---- */

/* What the index holds of a segment while it adds its rows, about. */
static uint64_t directory_bytes(const struct segment *s)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->n_parts; i++)
        n += s->parts[i].n_streams;
    return n * DIRECTORY_BYTES_PER_STREAM;
}

/* What was just written and does not read back is no fault of what it was made from. */
static int blame_new(int r, struct err *err)
{
    return r == ERR_CORRUPT ? err_context(err, -EIO, "what was just written does not check") : r;
}

static int prepare(struct publisher *p, const struct segment_draft *d, struct arena *arena,
                   struct segment_info *ret, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &p->deps.stores, d->place, d->key, err);
    if (r < 0)
        return blame_new(r, err);
    uint64_t charged = 0;
    ledger_adjust(p->deps.ledger, LEDGER_SPILL, &charged, directory_bytes(file.segment));
    r = index_add_segment_file(p->deps.index, file.segment, err);
    ledger_adjust(p->deps.ledger, LEDGER_SPILL, &charged, 0);
    segment_info_of(arena, file.segment, d->place, d->key, ret);
    segment_file_close(&file);
    return blame_new(r, err);
}

int publish_prepare(struct publisher *p, const struct segment_draft *d, struct arena *arena,
                    struct segment_info *ret, struct err *err)
{
    int r = prepare(p, d, arena, ret, err);
    if (r < 0) {
        struct leftovers l = LEFTOVERS_INIT;
        leftovers_add(&l, uuid_of_bytes(d->header.uuid), d->place, d->key);
        publish_give_up(p, &l, err);
    }
    return r;
}

void publish_give_up(struct publisher *p, struct leftovers *l, struct err *err)
{
    struct err why = ERR_INIT;
    if (leftovers_remove(l, p->deps.index, &p->deps.stores, &why) == 0 || !err)
        return;
    struct err failure = *err;
    err_set(err, failure.code, "%.500s; %.500s", failure.text, why.text);
}

/* ---- catalog and view ---- */

/* On whatever thread held the last view, a query's maybe: the removal is somebody else's. */
static void on_gone(void *ctx, const struct segment_info *info, bool doomed)
{
    struct publisher *p = ctx;
    if (p->deps.segments)
        segments_forget(p->deps.segments, info->uuid);
    if (!doomed)
        return;
    MUTEX_GUARD(&p->mu);
    leftovers_add_info(&p->dead, info);
}

struct live_segment *publish_live(struct publisher *p, const struct segment_info *info)
{
    return live_segment_new(info, on_gone, p);
}

static int commit(struct publisher *p, const struct leftovers *failed,
                  const struct publication *what, struct err *err)
{
    struct uuid *remove = mem_alloc((failed->n + what->n_replaced + 1) * sizeof *remove);
    size_t n = 0;
    for (; n < failed->n; n++)
        remove[n] = failed->v[n].uuid;
    for (size_t i = 0; i < what->n_replaced; i++)
        remove[n++] = what->replaced[i];
    struct catalog_change change = {.add = what->add,
                                    .n_add = what->n_add,
                                    .remove = remove,
                                    .n_remove = n,
                                    .covered_lsn = what->covered_lsn};
    int r = catalog_commit(p->deps.catalog, &change, err);
    free(remove);
    return err_blame_index(err, r);
}

static void swap_view(struct publisher *p, const struct publication *what)
{
    struct live_segment **live = mem_alloc((what->n_add + 1) * sizeof(struct live_segment *));
    struct views_change change = {.set_heads = what->heads != NULL,
                                  .n_heads = what->n_heads,
                                  .add = live,
                                  .n_add = what->n_add,
                                  .remove = what->replaced,
                                  .n_remove = what->n_replaced,
                                  .doom_removed = true};
    assert(what->n_heads <= VIEW_MAX_HEADS);
    for (size_t i = 0; i < what->n_heads; i++)
        change.heads[i] = what->heads[i];
    for (size_t i = 0; i < what->n_add; i++)
        live[i] = publish_live(p, &what->add[i]);
    views_apply(p->deps.views, &change);
    /* The view alone holds them from here on. */
    for (size_t i = 0; i < what->n_add; i++)
        live_segment_unref(live[i]);
    free(live);
}

int publish_commit(struct publisher *p, struct leftovers *failed, const struct publication *what,
                   struct err *err)
{
    int r = commit(p, failed, what, err);
    if (r < 0) {
        for (size_t i = 0; i < what->n_add; i++)
            leftovers_add_info(failed, &what->add[i]);
        return r;
    }
    swap_view(p, what);
    MUTEX_GUARD(&p->mu);
    leftovers_move(&p->dead, failed);
    return 0;
}

int publish_remove_dead(struct publisher *p, struct err *err)
{
    struct leftovers dead = LEFTOVERS_INIT;
    mutex_lock(&p->mu);
    leftovers_move(&dead, &p->dead);
    mutex_unlock(&p->mu);
    return leftovers_remove(&dead, p->deps.index, &p->deps.stores, err);
}

/* ---- memory of directories ---- */

void publish_note_streams(struct publisher *p, uint64_t n_streams)
{
    atomic_store(&p->n_streams, n_streams);
}

bool publish_heavy_begin(struct publisher *p)
{
    bool many = atomic_load(&p->n_streams) > MANY_STREAMS;
    if (many)
        mutex_lock(&p->heavy);
    return many;
}

void publish_heavy_end(struct publisher *p, bool begun)
{
    if (begun)
        mutex_unlock(&p->heavy);
}
