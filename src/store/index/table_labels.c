/* SPDX-License-Identifier: Apache-2.0 */
/* Series, label names and label values with data in a time range.  Which series have data is found
 * by walking parts until each candidate was met, so old parts cost nothing on a full range. */
#include <stdlib.h>

#include "regex/regex.h"
#include "store/index/table.h"

struct meeting {
    const struct index_query *q;
    struct sid_set *met;
    uint32_t *missing; /* candidates not met yet, ascending */
    size_t n_missing;
    bool any; /* the part at hand had some */
};

static void meet(void *ctx, size_t at)
{
    struct meeting *m = ctx;
    sid_set_add(m->met, m->missing[at]);
    m->any = true;
}

static void meet_run(void *ctx, size_t at, const struct segment_run *run)
{
    struct meeting *m = ctx;
    if (run->min_ts_ns <= m->q->max_ts_ns && run->max_ts_ns >= m->q->min_ts_ns)
        meet(ctx, at);
}

enum { ALL_MET = 1 };

static int meet_in_part(void *ctx, size_t segment_order, uint32_t part_no, const struct part_row *d,
                        struct err *err)
{
    struct meeting *m = ctx;
    m->any = false;
    bool whole = d->min_ts_ns >= m->q->min_ts_ns && d->max_ts_ns <= m->q->max_ts_ns;
    int r = whole ? part_row_meet(d, m->missing, m->n_missing, meet, m, err)
                  : part_row_select(d, m->missing, m->n_missing, meet_run, m, err);
    if (r < 0 || !m->any)
        return r;
    size_t n = 0;
    for (size_t i = 0; i < m->n_missing; i++)
        if (!sid_set_has(m->met, m->missing[i]))
            m->missing[n++] = m->missing[i];
    m->n_missing = n;
    return n == 0 ? ALL_MET : 0;
}

int table_keep_live(struct kv_txn *t, const struct table_tenant *tenant,
                    const struct index_query *q, struct sid_set *set, struct err *err)
{
    CLEANUP(sid_set_deinit) struct sid_set met = {0};
    sid_set_init(&met, set->n_sids, false);
    struct meeting m = {.q = q, .met = &met, .n_missing = sid_set_count(set)};
    m.missing = mem_alloc(m.n_missing * sizeof *m.missing);
    sid_set_list(set, m.missing);
    int r = m.n_missing ? table_each_part(t, tenant->tid, q, meet_in_part, &m, err) : 0;
    free(m.missing);
    sid_set_and(set, &met);
    return r;
}

/* KV_NONE where the tenant has nothing in this table; *ret is to be deinited in any case. */
static int live_matches(struct kv_txn *t, const struct index_query *q,
                        struct table_tenant *ret_tenant, struct sid_set *ret, struct err *err)
{
    int r = table_tenant(t, q->tenant, ret_tenant, err);
    if (r != KV_OK)
        return r;
    r = table_match(t, ret_tenant, q, q->scratch, ret, err);
    return r < 0 ? r : table_keep_live(t, ret_tenant, q, ret, err);
}

static int list_in(struct kv_txn *t, const struct index_query *q, struct arena *arena,
                   struct index_series **ret, size_t *ret_n, struct err *err)
{
    CLEANUP(sid_set_deinit) struct sid_set set = {0};
    struct table_tenant tenant;
    int r = live_matches(t, q, &tenant, &set, err);
    if (r != KV_OK)
        return r;
    size_t n = sid_set_count(&set), before = arena->used_bytes;
    uint32_t *sids = mem_alloc(n * sizeof *sids);
    sid_set_list(&set, sids);
    struct index_series *out = ARENA_ARRAY(arena, struct index_series, n);
    struct kv_cursor cur;
    r = kv_cursor_open(t, TABLE_SIDS, &cur, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = table_series_at(&cur, tenant.tid, sids[i], &out[i], err);
        if (r == 0)
            out[i].labels = arena_copy(arena, out[i].labels);
        if (q->max_bytes && arena->used_bytes - before > q->max_bytes)
            r = err_set(err, ERR_OVER_BUDGET,
                        "the request selects too many streams: their labels take more than %llu "
                        "bytes",
                        (unsigned long long)q->max_bytes);
    }
    kv_cursor_close(&cur);
    free(sids);
    *ret = out;
    *ret_n = n;
    return r;
}

int table_list_series(struct table *t, const struct index_query *q, struct arena *arena,
                      struct index_series **ret, size_t *ret_n, struct err *err)
{
    *ret = NULL;
    *ret_n = 0;
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    r = list_in(&txn, q, arena, ret, ret_n, err);
    kv_read_end(&txn);
    return r < 0 ? r : 0;
}

/* ---- names and values ---- */

struct listing {
    const struct sid_set *live;
    table_text_fn *fn;
    void *ctx;
};

/* Postings below a prefix: shows the text of each that has a live series.  `shown`: what to show
 * instead of the posting's own text, and then once only. */
static int list_postings(struct listing *l, struct kv_txn *t, const struct table_key *prefix,
                         const struct str_view *shown, struct err *err)
{
    struct kv_cursor cur;
    int r = kv_cursor_open(t, TABLE_POSTINGS, &cur, err);
    if (r < 0)
        return r;
    for (r = kv_seek(&cur, key_view(prefix), err);
         r == KV_OK && sv_starts_with(cur.key, key_view(prefix)); r = kv_next(&cur, err)) {
        struct table_text v;
        struct str_view rest = sv_from(cur.key, prefix->len);
        if (!table_text_of(cur.value, &v) || rest.len < 2) {
            r = err_set(err, ERR_CORRUPT, "posting record that does not decode");
            break;
        }
        r = posting_meets(v.rest, posting_key_crc(cur.key, v.text), ld_be16(rest.p + rest.len - 2),
                          l->live, err);
        if (r < 0)
            break;
        if (r == 0)
            continue;
        r = l->fn(l->ctx,
                  shown        ? *shown
                  : v.text.len ? v.text
                               : sv_sub(rest, 0, rest.len - 2),
                  err);
        if (shown || r < 0)
            break;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

static int list_name(struct listing *l, struct kv_txn *t, uint32_t tid, const struct kv_cursor *at,
                     struct err *err)
{
    struct table_text v = {0};
    uint32_t name_id;
    int r = table_name_record(at->key, at->value, &name_id, err);
    if (r < 0)
        return r;
    table_text_of(at->value, &v);
    struct str_view text = v.text.len ? v.text : sv_from(at->key, 4);
    struct table_key prefix = {.len = 0};
    key_be32(&prefix, tid);
    key_be32(&prefix, name_id);
    key_put(&prefix, sv((const char[]){POSTING_HAS_NAME}, 1));
    return list_postings(l, t, &prefix, &text, err);
}

static int list_names(struct listing *l, struct kv_txn *t, uint32_t tid, struct err *err)
{
    struct table_key prefix = {.len = 0};
    key_be32(&prefix, tid);
    struct kv_cursor cur;
    int r = kv_cursor_open(t, TABLE_NAMES, &cur, err);
    if (r < 0)
        return r;
    for (r = kv_seek(&cur, key_view(&prefix), err);
         r == KV_OK && sv_starts_with(cur.key, key_view(&prefix)); r = kv_next(&cur, err)) {
        r = list_name(l, t, tid, &cur, err);
        if (r < 0)
            break;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

static int list_values(struct listing *l, struct kv_txn *t, uint32_t tid, struct str_view name,
                       struct err *err)
{
    uint32_t name_id;
    int r = table_name_id(t, tid, name, &name_id, err);
    if (r != KV_OK)
        return r;
    struct table_key prefix = {.len = 0};
    key_be32(&prefix, tid);
    key_be32(&prefix, name_id);
    key_put(&prefix, sv((const char[]){POSTING_VALUE}, 1));
    return list_postings(l, t, &prefix, NULL, err);
}

/* name == NULL: names; else the values of that name. */
static int list_texts(struct table *t, const struct index_query *q, const struct str_view *name,
                      table_text_fn *fn, void *ctx, struct err *err)
{
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    CLEANUP(sid_set_deinit) struct sid_set live = {0};
    struct listing l = {.live = &live, .fn = fn, .ctx = ctx};
    struct table_tenant tenant;
    r = live_matches(&txn, q, &tenant, &live, err);
    if (r == KV_OK && sid_set_count(&live) > 0)
        r = name ? list_values(&l, &txn, tenant.tid, *name, err)
                 : list_names(&l, &txn, tenant.tid, err);
    kv_read_end(&txn);
    return r < 0 ? r : 0;
}

int table_label_names(struct table *t, const struct index_query *q, table_text_fn *fn, void *ctx,
                      struct err *err)
{
    return list_texts(t, q, NULL, fn, ctx, err);
}

int table_label_values(struct table *t, const struct index_query *q, struct str_view name,
                       table_text_fn *fn, void *ctx, struct err *err)
{
    return list_texts(t, q, &name, fn, ctx, err);
}
