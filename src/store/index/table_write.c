/* SPDX-License-Identifier: Apache-2.0 */
/* Adding the parts of a segment: series get numbers, postings of new ones are written, then one row
 * per part.  All state lives within one run of the transaction's function, which may run again in a
 * larger map. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "model/labels.h"
#include "store/index/part_row.h"
#include "store/index/table.h"
#include "store/index/table_number.h"
#include "store/index/table_postings.h"

struct adding {
    struct kv_txn *t;
    struct uuid segment;
    struct table_tenant tenant; /* of the part at hand */
    uint64_t n_new;             /* series */
    struct posting_batch postings;
    struct part_row_series *dir; /* of the part at hand, as sids */
    uint32_t *sids;
    size_t cap_dir, cap_sids;
    struct buf value;
};

static void adding_deinit(struct adding *a)
{
    posting_batch_deinit(&a->postings);
    free(a->dir);
    free(a->sids);
    buf_deinit(&a->value);
}

/* ---- parts ---- */

static int new_tenant(struct adding *a, struct err *err)
{
    struct str_view v, key = SV("tenants");
    uint32_t n = 0;
    int r = kv_get(a->t, TABLE_META, key, &v, err);
    if (r == KV_OK)
        r = record_open(key, v, &v, err);
    if (r < 0)
        return r;
    if (r == KV_OK && v.len == 4)
        n = ld_le32(v.p);
    a->tenant = (struct table_tenant){.tid = n};
    buf_clear(&a->value);
    buf_put_le32(&a->value, n + 1);
    record_end(&a->value, key);
    return kv_put(a->t, TABLE_META, key, buf_view(&a->value), err);
}

static int put_tenant(struct adding *a, struct str_view name, struct err *err)
{
    struct table_key key = {.len = 0};
    key_text(&key, name, 0);
    buf_clear(&a->value);
    buf_put_le32(&a->value, a->tenant.tid);
    buf_put_le32(&a->value, a->tenant.n_sids);
    buf_put_le32(&a->value, a->tenant.n_names);
    record_end(&a->value, key_view(&key));
    return kv_put(a->t, TABLE_TENANTS, key_view(&key), buf_view(&a->value), err);
}

static int cmp_dir_sid(const void *a, const void *b)
{
    uint32_t x = ((const struct part_row_series *)a)->sid;
    uint32_t y = ((const struct part_row_series *)b)->sid;
    return (x > y) - (x < y);
}

static void part_key(uint32_t tid, int64_t max_ts_ns, const struct uuid *segment, uint32_t part_no,
                     struct table_key *ret)
{
    ret->len = 0;
    key_be32(ret, tid);
    key_be64(ret, ts_to_key(max_ts_ns));
    key_put(ret, sv((const char *)segment->b, UUID_BYTES));
    key_be32(ret, part_no);
}

static int put_part_row(struct adding *a, const struct index_part *part, size_t n, struct err *err)
{
    for (size_t i = 1; i < n; i++) {
        if (a->dir[i - 1].sid > a->dir[i].sid) { /* new series come in number order already */
            qsort(a->dir, n, sizeof *a->dir, cmp_dir_sid);
            break;
        }
    }
    for (size_t i = 1; i < n; i++)
        if (a->dir[i - 1].sid == a->dir[i].sid)
            return err_set(err, ERR_INVALID, "part %u of the segment lists a series twice",
                           part->part_no);
    struct table_key key;
    part_key(a->tenant.tid, part->max_ts_ns, &a->segment, part->part_no, &key);
    buf_clear(&a->value);
    part_row_encode(&a->value, crc32c(key_view(&key)), part->min_ts_ns, part->max_ts_ns, a->dir, n);
    return kv_put(a->t, TABLE_PARTS, key_view(&key), buf_view(&a->value), err);
}

static bool runs_fit(const struct index_part *part)
{
    struct period p = {part->period_start_ns, part->period_length_ns};
    int64_t last_ns = period_last_ns(p);
    for (size_t i = 0; i < part->n_series; i++) {
        const struct index_part_series *s = &part->series[i];
        for (size_t k = 0; k < s->n_runs; k++)
            if (s->runs[k].min_ts_ns < part->min_ts_ns || s->runs[k].max_ts_ns > part->max_ts_ns ||
                s->runs[k].min_ts_ns > s->runs[k].max_ts_ns ||
                part->min_ts_ns < part->period_start_ns || part->max_ts_ns > last_ns)
                return false;
    }
    return true;
}

static int check_part(const struct index_part *part, struct err *err)
{
    if (part->tenant.len == 0 || key_text_is_cut(part->tenant))
        return err_set(err, ERR_INVALID, "tenant name of %zu bytes", part->tenant.len);
    if (!runs_fit(part))
        return err_set(err, ERR_INVALID, "part %u of the segment has a run out of its time",
                       part->part_no);
    return 0;
}

/* Fills a->dir. */
static int add_series(struct adding *a, const struct index_part *part, size_t *ret_n,
                      struct err *err)
{
    uint32_t n_before = a->tenant.n_sids, next = n_before;
    a->dir = mem_grow(a->dir, &a->cap_dir, part->n_series, sizeof *a->dir);
    a->sids = mem_grow(a->sids, &a->cap_sids, part->n_series, sizeof *a->sids);
    int r = table_number_series(a->t, &a->tenant, part->series, part->n_series, a->sids, err);
    a->n_new += a->tenant.n_sids - n_before;
    posting_batch_clear(&a->postings);
    for (size_t i = 0; r == 0 && i < part->n_series; i++) {
        const struct index_part_series *s = &part->series[i];
        if (s->n_runs == 0)
            continue;
        a->dir[(*ret_n)++] = (struct part_row_series){a->sids[i], s->runs, s->n_runs};
        if (a->sids[i] < next)
            continue; /* known, or listed before */
        next = a->sids[i] + 1;
        if (labels_hash_encoded(s->labels) != s->hash)
            return err_set(err, ERR_INVALID, "part %u of the segment has labels of another hash",
                           part->part_no);
        r = posting_batch_add(&a->postings, a->t, &a->tenant, s->labels, a->sids[i], err);
    }
    return r < 0 ? r : posting_batch_write(&a->postings, a->t, a->tenant.tid, err);
}

static int add_part(struct adding *a, const struct index_part *part, struct err *err)
{
    int r = check_part(part, err);
    if (r < 0)
        return r;
    r = table_tenant(a->t, part->tenant, &a->tenant, err);
    if (r == KV_NONE)
        r = new_tenant(a, err);
    size_t n = 0;
    if (r == 0)
        r = add_series(a, part, &n, err);
    if (r == 0)
        r = put_part_row(a, part, n, err);
    return r < 0 ? r : put_tenant(a, part->tenant, err);
}

/* The reverse way, from a segment to its rows.  Those that are there already stay. */
static int put_segment_row(struct adding *a, const struct buf *refs, uint32_t n_unread,
                           struct err *err)
{
    struct str_view key = sv((const char *)a->segment.b, UUID_BYTES), v;
    struct table_segment old = {.refs = SV_EMPTY};
    int r = kv_get(a->t, TABLE_SEGMENTS, key, &v, err);
    if (r == KV_OK)
        r = table_segment_of(key, v, &old, err);
    if (r < 0 || (r == KV_OK && old.n_unread == n_unread && sv_eq(old.refs, buf_view(refs))))
        return r;
    CLEANUP(buf_deinit) struct buf all = BUF_INIT;
    buf_put_le32(&all, n_unread);
    buf_put(&all, buf_view(refs));
    for (size_t at = 0; at < old.refs.len; at += TABLE_REF_BYTES) {
        bool known = false;
        for (size_t i = 0; !known && i < refs->len; i += TABLE_REF_BYTES)
            known = memcmp(refs->p + i, old.refs.p + at, TABLE_REF_BYTES) == 0;
        if (!known)
            buf_put_bytes(&all, old.refs.p + at, TABLE_REF_BYTES);
    }
    record_end(&all, key);
    return kv_put(a->t, TABLE_SEGMENTS, key, buf_view(&all), err);
}

static int add_in(void *ctx, struct kv_txn *t, struct err *err)
{
    struct table_addition *call = ctx;
    CLEANUP(adding_deinit) struct adding a = {.t = t, .segment = call->segment};
    posting_batch_init(&a.postings);
    CLEANUP(buf_deinit) struct buf refs = BUF_INIT;
    for (size_t i = 0; i < call->n_parts; i++) {
        int r = add_part(&a, &call->parts[i], err);
        if (r < 0)
            return r;
        buf_put_le32(&refs, a.tenant.tid);
        buf_put_le64(&refs, (uint64_t)call->parts[i].max_ts_ns);
        buf_put_le32(&refs, call->parts[i].part_no);
    }
    call->n_new = a.n_new;
    return put_segment_row(&a, &refs, call->n_unread, err);
}

int table_add_parts(struct table *t, struct table_addition *a, struct err *err)
{
    a->n_new = 0;
    return kv_write(t->kv, add_in, a, err);
}

/* ---- remove ---- */

struct remove_call {
    const struct uuid *segments;
    size_t n;
};

static int remove_segment(struct kv_txn *t, const struct uuid *u, struct err *err)
{
    struct str_view key = sv((const char *)u->b, UUID_BYTES), v;
    struct table_segment s;
    int r = kv_get(t, TABLE_SEGMENTS, key, &v, err);
    if (r != KV_OK)
        return r;
    CLEANUP(buf_deinit) struct buf copy = BUF_INIT; /* deletes below move what v looks at */
    buf_put(&copy, v);
    r = table_segment_of(key, buf_view(&copy), &s, err);
    for (size_t at = 0; r >= 0 && at < s.refs.len; at += TABLE_REF_BYTES) {
        struct table_key part;
        part_key(ld_le32(s.refs.p + at), (int64_t)ld_le64(s.refs.p + at + 4), u,
                 ld_le32(s.refs.p + at + 12), &part);
        r = kv_del(t, TABLE_PARTS, key_view(&part), err);
    }
    return r < 0 ? r : kv_del(t, TABLE_SEGMENTS, key, err);
}

static int remove_in(void *ctx, struct kv_txn *t, struct err *err)
{
    const struct remove_call *call = ctx;
    for (size_t i = 0; i < call->n; i++) {
        int r = remove_segment(t, &call->segments[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Spares a table that has none of them its write transaction. */
static int has_any(struct table *t, const struct uuid *segments, size_t n, struct err *err)
{
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    struct str_view v;
    r = KV_NONE;
    for (size_t i = 0; r == KV_NONE && i < n; i++)
        r = kv_get(&txn, TABLE_SEGMENTS, sv((const char *)segments[i].b, UUID_BYTES), &v, err);
    kv_read_end(&txn);
    return r;
}

int table_remove_segments(struct table *t, const struct uuid *segments, size_t n, struct err *err)
{
    int r = has_any(t, segments, n, err);
    if (r != KV_OK)
        return r < 0 ? r : 0;
    struct remove_call call = {segments, n};
    return kv_write(t->kv, remove_in, &call, err);
}

int table_dead_segments(struct table *t, index_alive_fn *alive, void *ctx, struct buf *ret_uuids,
                        struct err *err)
{
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    struct kv_cursor cur;
    r = kv_cursor_open(&txn, TABLE_SEGMENTS, &cur, err);
    if (r == 0)
        r = kv_seek(&cur, SV_EMPTY, err);
    for (; r == KV_OK; r = kv_next(&cur, err)) {
        if (cur.key.len != UUID_BYTES)
            continue;
        if (!alive(ctx, uuid_of_bytes((const uint8_t *)cur.key.p)))
            buf_put(ret_uuids, cur.key);
    }
    kv_cursor_close(&cur);
    kv_read_end(&txn);
    return r < 0 ? r : 0;
}
