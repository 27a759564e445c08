/* SPDX-License-Identifier: Apache-2.0 */
/* Series and time -> runs. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/keyed.h"
#include "regex/regex.h"
#include "store/index/table.h"
#include "store/view.h"

enum { PART_KEY_BYTES = 4 + 8 + UUID_BYTES + 4 };

static int visit_part(const struct kv_cursor *cur, const struct index_query *q, table_part_fn *fn,
                      void *ctx, struct err *err)
{
    if (cur->key.len != PART_KEY_BYTES)
        return err_set(err, ERR_CORRUPT, "index part key of %zu bytes", cur->key.len);
    struct uuid uuid = uuid_of_bytes((const uint8_t *)cur->key.p + 12);
    size_t order = view_find_segment(q->view, uuid);
    if (order == SIZE_MAX)
        return 0; /* not committed yet, or replaced */
    struct part_row d;
    int r = part_row_open(&d, crc32c(cur->key), cur->value, err);
    if (r < 0)
        return r;
    if (d.min_ts_ns > q->max_ts_ns)
        return 0;
    return fn(ctx, order, ld_be32(cur->key.p + 12 + UUID_BYTES), &d, err);
}

int table_each_part(struct kv_txn *t, uint32_t tid, const struct index_query *q, table_part_fn *fn,
                    void *ctx, struct err *err)
{
    struct kv_cursor cur;
    int r = kv_cursor_open(t, TABLE_PARTS, &cur, err);
    if (r < 0)
        return r;
    struct table_key tenant = {.len = 0}, from = {.len = 0};
    key_be32(&tenant, tid);
    key_be32(&from, tid);
    key_be64(&from, ts_to_key(q->min_ts_ns)); /* parts that end before it stand before it */
    for (r = kv_seek(&cur, key_view(&from), err);
         r == KV_OK && sv_starts_with(cur.key, key_view(&tenant)); r = kv_next(&cur, err)) {
        r = visit_part(&cur, q, fn, ctx, err);
        if (r != 0)
            break;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

/* ---- select ---- */

enum { UNSEEN = UINT32_MAX };

struct selecting {
    const struct index_query *q;
    struct arena *arena;
    size_t arena_before;
    uint32_t *sids;   /* wanted, ascending */
    uint32_t *series; /* of each wanted one: index among the selected, or UNSEEN */
    size_t n_sids;
    uint32_t n_series;
    struct index_selected_run *runs; /* of the part at hand */
    size_t n_runs, cap_runs;
    struct index_selected_part *parts;
    size_t n_parts, cap_parts;
    uint64_t n_parts_seen;
};

static void take_run(void *ctx, size_t at, const struct segment_run *run)
{
    struct selecting *s = ctx;
    if (run->min_ts_ns > s->q->max_ts_ns || run->max_ts_ns < s->q->min_ts_ns)
        return;
    if (s->series[at] == UNSEEN)
        s->series[at] = s->n_series++;
    s->runs = mem_grow(s->runs, &s->cap_runs, s->n_runs + 1, sizeof *s->runs);
    s->runs[s->n_runs] = (struct index_selected_run){s->series[at], (uint32_t)s->n_runs, *run};
    s->n_runs++;
}

/* Copies the runs by place.  A segment has its series in label order, we in number order: that is
 * the same until later segments bring new series. */
static void copy_runs(const struct selecting *s, struct index_selected_run *to)
{
    struct keyed *v = mem_alloc(s->n_runs * sizeof *v);
    for (size_t i = 0; i < s->n_runs; i++) {
        const struct segment_run *run = &s->runs[i].run;
        v[i] = (struct keyed){(uint64_t)run->chunk << 32 | run->first_row, i};
    }
    keyed_sort(v, s->n_runs);
    for (size_t i = 0; i < s->n_runs; i++)
        to[i] = s->runs[v[i].number];
    free(v);
}

static int check_budget(const struct selecting *s, size_t more_bytes, struct err *err)
{
    uint64_t bytes = s->arena->used_bytes - s->arena_before + more_bytes;
    if (s->q->max_bytes == 0 || bytes <= s->q->max_bytes)
        return 0;
    return err_set(err, ERR_OVER_BUDGET,
                   "the query selects too many streams and chunks: their list takes more than %llu "
                   "bytes",
                   (unsigned long long)s->q->max_bytes);
}

static int select_in_part(void *ctx, size_t segment_order, uint32_t part_no,
                          const struct part_row *d, struct err *err)
{
    struct selecting *s = ctx;
    s->n_runs = 0;
    s->n_parts_seen++;
    int r = part_row_select(d, s->sids, s->n_sids, take_run, s, err);
    if (r < 0 || s->n_runs == 0)
        return r;
    size_t bytes = s->n_runs * sizeof *s->runs;
    r = check_budget(s, bytes + KEYED_SORT_BYTES(s->n_runs), err);
    if (r < 0)
        return r;
    struct index_selected_part part = {.segment = s->q->view->segments[segment_order],
                                       .segment_order = segment_order,
                                       .part_no = part_no,
                                       .min_ts_ns = d->min_ts_ns,
                                       .max_ts_ns = d->max_ts_ns,
                                       .n_runs = s->n_runs};
    part.runs = arena_alloc(s->arena, bytes);
    copy_runs(s, part.runs);
    s->parts = mem_grow(s->parts, &s->cap_parts, s->n_parts + 1, sizeof *s->parts);
    s->parts[s->n_parts++] = part;
    return 0;
}

/* Reads the labels of selected series, in number order: neighbours in the tree. */
static int copy_series_in(struct selecting *s, struct kv_cursor *cur, uint32_t tid,
                          struct index_series *out, struct err *err)
{
    for (size_t i = 0; i < s->n_sids; i++) {
        if (s->series[i] == UNSEEN)
            continue;
        struct index_series found;
        int r = table_series_at(cur, tid, s->sids[i], &found, err);
        if (r == 0)
            r = check_budget(s, found.labels.len, err);
        if (r < 0)
            return r;
        found.labels = arena_copy(s->arena, found.labels);
        out[s->series[i]] = found;
    }
    return 0;
}

/* Reads the labels of selected series, in number order: neighbours in the tree. */
static int copy_series(struct selecting *s, struct kv_txn *t, uint32_t tid,
                       struct index_series *out, struct err *err)
{
    struct kv_cursor cur;
    int r = kv_cursor_open(t, TABLE_SIDS, &cur, err);
    if (r < 0)
        return r;
    r = copy_series_in(s, &cur, tid, out, err);
    kv_cursor_close(&cur);
    return r;
}

static void selecting_deinit(struct selecting *s)
{
    free(s->sids);
    free(s->series);
    free(s->runs);
    free(s->parts);
}

static int cmp_selected_part(const void *x, const void *y)
{
    const struct index_selected_part *a = x, *b = y;
    if (a->segment_order != b->segment_order)
        return a->segment_order < b->segment_order ? -1 : 1;
    return (a->part_no > b->part_no) - (a->part_no < b->part_no);
}

static int select_in(struct selecting *s, struct kv_txn *t, struct index_selection *ret,
                     struct err *err)
{
    struct table_tenant tenant;
    int r = table_tenant(t, s->q->tenant, &tenant, err);
    if (r != KV_OK)
        return r;
    CLEANUP(sid_set_deinit) struct sid_set set = {0};
    r = table_match(t, &tenant, s->q, s->q->scratch, &set, err);
    if (r < 0)
        return r;
    s->n_sids = sid_set_count(&set);
    s->sids = mem_alloc(s->n_sids * sizeof *s->sids);
    sid_set_list(&set, s->sids);
    s->series = mem_alloc(s->n_sids * sizeof *s->series);
    memset(s->series, 0xff, s->n_sids * sizeof *s->series);           /* UNSEEN */
    r = table_each_part(t, tenant.tid, s->q, select_in_part, s, err); /* also to count them */
    if (r < 0)
        return r;
    ret->n_parts_seen = s->n_parts_seen;
    ret->n_series = s->n_series;
    ret->series = ARENA_ARRAY(s->arena, struct index_series, s->n_series);
    ret->n_parts = s->n_parts;
    ret->parts = ARENA_ARRAY(s->arena, struct index_selected_part, s->n_parts);
    if (s->n_parts) {
        qsort(s->parts, s->n_parts, sizeof *s->parts, cmp_selected_part);
        memcpy(ret->parts, s->parts, s->n_parts * sizeof *s->parts);
    }
    return copy_series(s, t, tenant.tid, ret->series, err);
}

int table_select(struct table *t, const struct index_query *q, struct arena *arena,
                 struct index_selection *ret, struct err *err)
{
    *ret = (struct index_selection){0};
    struct selecting s = {.q = q, .arena = arena, .arena_before = arena->used_bytes};
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    r = select_in(&s, &txn, ret, err);
    kv_read_end(&txn);
    selecting_deinit(&s);
    return r < 0 ? r : 0;
}
