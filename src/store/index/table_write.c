/* SPDX-License-Identifier: Apache-2.0 */
/* Adding the parts of a segment: series get numbers, postings of new ones are written, then one row
 * per part.  All state lives within one run of the transaction's function, which may run again in a
 * larger map. */
#include <stdlib.h>

#include "store/index/part_row.h"
#include "store/index/table.h"
#include "store/index/table_number.h"
#include "store/index/table_postings.h"

enum { PART_REF_BYTES = 16, TENANT_RECORD_BYTES = 12 };

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
    bool part_is_bad; /* the part at hand is to blame for a failure */
};

static void adding_deinit(struct adding *a)
{
    posting_batch_deinit(&a->postings);
    free(a->dir);
    free(a->sids);
    buf_deinit(&a->value);
}

/* --- parts ------------------------------------------------------------------------------ */

static int new_tenant(struct adding *a, struct err *err)
{
    struct str_view v;
    uint32_t n = 0;
    int r = kv_get(a->t, TABLE_META, SV("tenants"), &v, err);
    if (r < 0)
        return r;
    if (r == KV_OK && v.len == 4)
        n = ld_le32(v.p);
    a->tenant = (struct table_tenant){.tid = n};
    char bytes[4];
    st_le32(bytes, n + 1);
    return kv_put(a->t, TABLE_META, SV("tenants"), sv(bytes, sizeof bytes), err);
}

static int put_tenant(struct adding *a, struct str_view name, struct err *err)
{
    struct table_key key = {.len = 0};
    key_text(&key, name, 0);
    char bytes[TENANT_RECORD_BYTES];
    st_le32(bytes, a->tenant.tid);
    st_le32(bytes + 4, a->tenant.n_sids);
    st_le32(bytes + 8, a->tenant.n_names);
    return kv_put(a->t, TABLE_TENANTS, key_view(&key), sv(bytes, sizeof bytes), err);
}

static int cmp_dir_sid(const void *a, const void *b)
{
    uint32_t x = ((const struct part_row_series *)a)->sid;
    uint32_t y = ((const struct part_row_series *)b)->sid;
    return (x > y) - (x < y);
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
        if (a->dir[i - 1].sid == a->dir[i].sid) {
            a->part_is_bad = true;
            return err_set(err, ERR_CORRUPT, "part %u of the segment lists a series twice",
                           part->part_no);
        }
    struct table_key key = {.len = 0};
    key_be32(&key, a->tenant.tid);
    key_be64(&key, ts_to_key(part->max_ts_ns));
    key_put(&key, sv((const char *)a->segment.b, UUID_BYTES));
    key_be32(&key, part->part_no);
    buf_clear(&a->value);
    part_row_encode(&a->value, part->min_ts_ns, part->max_ts_ns, a->dir, n);
    return kv_put(a->t, TABLE_PARTS, key_view(&key), buf_view(&a->value), err);
}

static int check_part(struct adding *a, const struct index_part *part, struct err *err)
{
    a->part_is_bad = true;
    if (part->tenant.len == 0 || key_text_is_cut(part->tenant))
        return err_set(err, ERR_INVALID, "tenant name of %zu bytes", part->tenant.len);
    for (size_t i = 0; i < part->n_series; i++) {
        const struct index_part_series *s = &part->series[i];
        for (size_t k = 0; k < s->n_runs; k++)
            if (s->runs[k].min_ts_ns < part->min_ts_ns || s->runs[k].max_ts_ns > part->max_ts_ns ||
                s->runs[k].min_ts_ns > s->runs[k].max_ts_ns)
                return err_set(err, ERR_CORRUPT, "part %u of the segment has a run out of its time",
                               part->part_no);
    }
    a->part_is_bad = false;
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
        r = posting_batch_add(&a->postings, a->t, &a->tenant, s->labels, a->sids[i], err);
    }
    return r < 0 ? r : posting_batch_write(&a->postings, a->t, a->tenant.tid, err);
}

static int add_part(struct adding *a, const struct index_part *part, struct err *err)
{
    int r = check_part(a, part, err);
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

/* The reverse way, from a segment to its rows: u32 tenant, i64 max ts, u32 part, each. */
static int put_segment_row(struct adding *a, const struct buf *refs, struct err *err)
{
    struct str_view key = sv((const char *)a->segment.b, UUID_BYTES), old;
    CLEANUP(buf_deinit) struct buf all = BUF_INIT;
    buf_put(&all, buf_view(refs));
    int r = kv_get(a->t, TABLE_SEGMENTS, key, &old, err);
    if (r < 0 || (r == KV_OK && sv_eq(old, buf_view(refs))))
        return r;
    for (size_t at = 0; r == KV_OK && at + PART_REF_BYTES <= old.len; at += PART_REF_BYTES) {
        bool known = false;
        for (size_t i = 0; !known && i < refs->len; i += PART_REF_BYTES)
            known = memcmp(refs->p + i, old.p + at, PART_REF_BYTES) == 0;
        if (!known)
            buf_put_bytes(&all, old.p + at, PART_REF_BYTES);
    }
    return kv_put(a->t, TABLE_SEGMENTS, key, buf_view(&all), err);
}

struct add_call {
    struct uuid segment;
    const struct index_part *parts;
    size_t n_parts;
    uint64_t n_new; /* out, as the next */
    bool part_is_bad;
};

static int add_in(void *ctx, struct kv_txn *t, struct err *err)
{
    struct add_call *call = ctx;
    CLEANUP(adding_deinit) struct adding a = {.t = t, .segment = call->segment};
    posting_batch_init(&a.postings);
    CLEANUP(buf_deinit) struct buf refs = BUF_INIT;
    for (size_t i = 0; i < call->n_parts; i++) {
        int r = add_part(&a, &call->parts[i], err);
        call->part_is_bad = a.part_is_bad;
        if (r < 0)
            return r;
        buf_put_le32(&refs, a.tenant.tid);
        buf_put_le64(&refs, (uint64_t)call->parts[i].max_ts_ns);
        buf_put_le32(&refs, call->parts[i].part_no);
    }
    call->n_new = a.n_new;
    return put_segment_row(&a, &refs, err);
}

int table_add_parts(struct table *t, struct uuid segment, const struct index_part *parts,
                    size_t n_parts, uint64_t *ret_n_new, struct err *err)
{
    struct add_call call = {segment, parts, n_parts, 0, false};
    int r = kv_write(t->kv, add_in, &call, err);
    *ret_n_new = call.n_new;
    return call.part_is_bad ? r : err_blame_index(err, r);
}

/* --- remove ----------------------------------------------------------------------------- */

struct remove_call {
    const struct uuid *segments;
    size_t n;
};

static int remove_segment(struct kv_txn *t, const struct uuid *u, struct err *err)
{
    struct str_view key = sv((const char *)u->b, UUID_BYTES), refs;
    int r = kv_get(t, TABLE_SEGMENTS, key, &refs, err);
    if (r != KV_OK)
        return r;
    CLEANUP(buf_deinit) struct buf copy = BUF_INIT; /* deletes below move what refs looks at */
    buf_put(&copy, refs);
    for (size_t at = 0; r >= 0 && at + PART_REF_BYTES <= copy.len; at += PART_REF_BYTES) {
        struct table_key part = {.len = 0};
        key_be32(&part, ld_le32(copy.p + at));
        key_be64(&part, ts_to_key((int64_t)ld_le64(copy.p + at + 4)));
        key_put(&part, key);
        key_be32(&part, ld_le32(copy.p + at + 12));
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
