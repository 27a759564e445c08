/* SPDX-License-Identifier: Apache-2.0 */
/* Adding the parts of a segment: series get numbers, new (name, value) pairs are gathered in memory
 * and written once, sorted; then one row per part.  All state lives within one run of the
 * transaction's function, which may run again in a larger map. */
#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "model/labels.h"
#include "store/part_row.h"
#include "store/table.h"

enum { PART_REF_BYTES = 16, TENANT_RECORD_BYTES = 12 };
#define NO_NODE UINT32_MAX

/* A (name, value) pair with the new series that have it; or what is known of a label name. */
enum { PAIR_NAME = 255 }; /* a kind beside POSTING_*: value is the name, name_id is 0 */
struct pair {
    struct str_view value;
    uint32_t name_id;
    uint32_t first, last; /* nodes, numbers ascending; of a PAIR_NAME: first is the id or NO_NODE */
    uint32_t slot;
    uint8_t kind; /* POSTING_HAS_NAME: value is empty */
};
struct node {
    uint32_t sid, next;
};
struct adding {
    struct kv_txn *t;
    struct uuid segment;
    struct table_tenant tenant; /* of the part at hand */
    struct arena labels;        /* scratch */
    struct pair *pairs;
    size_t n_pairs, cap_pairs;
    uint32_t *slots; /* hash table: 1 + index into pairs */
    size_t n_slots;
    struct node *nodes;
    size_t n_nodes, cap_nodes;
    struct part_row_series *dir; /* of the part at hand */
    size_t cap_dir;
    uint16_t *old_sids, *all_sids; /* POSTING_MAX each */
    struct buf value;
};

static void adding_deinit(struct adding *a)
{
    arena_deinit(&a->labels);
    free(a->pairs);
    free(a->slots);
    free(a->nodes);
    free(a->dir);
    free(a->old_sids);
    free(a->all_sids);
    buf_deinit(&a->value);
}

static void forget_tenant(struct adding *a)
{
    arena_clear(&a->labels);
    for (size_t i = 0; i < a->n_pairs; i++) /* the table may be much larger: of a tenant before */
        a->slots[a->pairs[i].slot] = 0;
    a->n_pairs = a->n_nodes = 0;
}

/* --- pairs ------------------------------------------------------------------------------ */

static uint64_t pair_hash(uint32_t name_id, uint8_t kind, struct str_view value)
{
    return XXH64(value.p, value.len, (uint64_t)name_id << 8 | kind);
}

static void rehash(struct adding *a)
{
    a->n_slots = a->n_slots ? a->n_slots * 2 : 1024;
    free(a->slots);
    a->slots = mem_zalloc(a->n_slots, sizeof *a->slots);
    for (size_t i = 0; i < a->n_pairs; i++) {
        struct pair *p = &a->pairs[i];
        size_t at = pair_hash(p->name_id, p->kind, p->value) & (a->n_slots - 1);
        while (a->slots[at])
            at = (at + 1) & (a->n_slots - 1);
        a->slots[at] = (uint32_t)i + 1;
        p->slot = (uint32_t)at;
    }
}

static struct pair *pair_of(struct adding *a, uint32_t name_id, uint8_t kind, struct str_view value)
{
    if (a->n_pairs * 2 >= a->n_slots)
        rehash(a);
    size_t at = pair_hash(name_id, kind, value) & (a->n_slots - 1);
    for (; a->slots[at]; at = (at + 1) & (a->n_slots - 1)) {
        struct pair *p = &a->pairs[a->slots[at] - 1];
        if (p->name_id == name_id && p->kind == kind && sv_eq(p->value, value))
            return p;
    }
    a->pairs = mem_grow(a->pairs, &a->cap_pairs, a->n_pairs + 1, sizeof *a->pairs);
    a->pairs[a->n_pairs] = (struct pair){value, name_id, NO_NODE, NO_NODE, (uint32_t)at, kind};
    a->slots[at] = (uint32_t)a->n_pairs + 1;
    return &a->pairs[a->n_pairs++];
}

static void pair_add(struct adding *a, struct pair *p, uint32_t sid)
{
    assert(a->n_nodes < NO_NODE);
    a->nodes = mem_grow(a->nodes, &a->cap_nodes, a->n_nodes + 1, sizeof *a->nodes);
    a->nodes[a->n_nodes] = (struct node){sid, NO_NODE};
    if (p->last == NO_NODE)
        p->first = (uint32_t)a->n_nodes;
    else
        a->nodes[p->last].next = (uint32_t)a->n_nodes;
    p->last = (uint32_t)a->n_nodes++;
}

/* --- series ----------------------------------------------------------------------------- */

static int new_name(struct adding *a, const struct table_key *key, struct str_view name,
                    uint32_t *ret, struct err *err)
{
    *ret = a->tenant.n_names++;
    buf_clear(&a->value);
    buf_put_str(&a->value, key_text_is_cut(name) ? name : SV_EMPTY);
    buf_put_le32(&a->value, *ret);
    return kv_put(a->t, TABLE_NAMES, key_view(key), buf_view(&a->value), err);
}

static int look_up_name(struct adding *a, struct str_view name, uint32_t *ret, struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, a->tenant.tid);
    struct str_view v;
    int r = table_find_text(a->t, TABLE_NAMES, &prefix, name, -1, &key, &v, err);
    if (r == KV_NONE)
        return new_name(a, &key, name, ret, err);
    if (r < 0)
        return r;
    if (v.len != 4)
        return err_set(err, ERR_CORRUPT, "label name record of %zu bytes", v.len);
    *ret = ld_le32(v.p);
    return 0;
}

static int name_id_of(struct adding *a, struct str_view name, uint32_t *ret, struct err *err)
{
    struct pair *p = pair_of(a, 0, PAIR_NAME, name);
    if (p->first == NO_NODE) {
        int r = look_up_name(a, name, ret, err);
        if (r < 0)
            return r;
        p->first = *ret;
    }
    *ret = p->first;
    return 0;
}

static int add_postings(struct adding *a, struct str_view encoded, uint32_t sid, struct err *err)
{
    struct labels l;
    int r = labels_decode(&a->labels, encoded, &l, err);
    for (size_t i = 0; r >= 0 && i < l.n; i++) {
        uint32_t id = 0;
        r = name_id_of(a, l.v[i].name, &id, err);
        if (r < 0)
            break;
        pair_add(a, pair_of(a, id, POSTING_HAS_NAME, SV_EMPTY), sid);
        pair_add(a, pair_of(a, id, POSTING_VALUE, l.v[i].value), sid);
    }
    arena_clear(&a->labels); /* pairs look at the caller's bytes, not at the array */
    return r;
}

static int new_series(struct adding *a, const struct table_key *series_key,
                      const struct index_part_series *s, uint32_t *ret, struct err *err)
{
    if (a->tenant.n_sids == UINT32_MAX)
        return err_set(err, ERR_TOO_LARGE, "a table holds at most %u series of a tenant",
                       UINT32_MAX);
    *ret = a->tenant.n_sids++;
    char sid_bytes[4];
    st_le32(sid_bytes, *ret);
    int r = kv_put(a->t, TABLE_SERIES, key_view(series_key), sv(sid_bytes, 4), err);
    if (r < 0)
        return r;
    struct table_key key = {.len = 0};
    key_be32(&key, a->tenant.tid);
    key_be32(&key, *ret);
    buf_clear(&a->value);
    buf_put_le64(&a->value, s->hash);
    buf_put(&a->value, s->labels);
    r = kv_put(a->t, TABLE_SIDS, key_view(&key), buf_view(&a->value), err);
    return r < 0 ? r : add_postings(a, s->labels, *ret, err);
}

static int sid_of(struct adding *a, const struct index_part_series *s, uint32_t *ret,
                  struct err *err)
{
    for (unsigned disamb = 0; disamb <= TABLE_MAX_DISAMB; disamb++) {
        struct table_key key = {.len = 0};
        key_be32(&key, a->tenant.tid);
        key_be64(&key, s->hash);
        key_put(&key, sv((const char[]){(char)disamb}, 1));
        struct str_view v;
        int r = kv_get(a->t, TABLE_SERIES, key_view(&key), &v, err);
        if (r == KV_NONE)
            return new_series(a, &key, s, ret, err);
        if (r < 0)
            return r;
        if (v.len != 4)
            return err_set(err, ERR_CORRUPT, "series record of %zu bytes", v.len);
        *ret = ld_le32(v.p);
        struct index_series known;
        r = table_series(a->t, a->tenant.tid, *ret, &known, err);
        if (r < 0 || sv_eq(known.labels, s->labels))
            return r;
    }
    return err_set(err, ERR_CORRUPT, "more than %d series of one hash in the index",
                   TABLE_MAX_DISAMB);
}

/* --- postings --------------------------------------------------------------------------- */

static int cmp_pair(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    if (a->name_id != b->name_id)
        return a->name_id < b->name_id ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return sv_cmp(a->value, b->value);
}

/* Both ascending and without a common number: new ones are larger than all old ones. */
static uint32_t append_sids(struct adding *a, uint32_t n_old, uint32_t *node, uint32_t high)
{
    memcpy(a->all_sids, a->old_sids, n_old * sizeof *a->old_sids);
    uint32_t n = n_old;
    for (; *node != NO_NODE && a->nodes[*node].sid >> 16 == high; *node = a->nodes[*node].next) {
        assert(n == 0 || a->all_sids[n - 1] < (uint16_t)a->nodes[*node].sid);
        a->all_sids[n++] = (uint16_t)a->nodes[*node].sid;
    }
    return n;
}

static int write_pair(struct adding *a, const struct pair *p, struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, a->tenant.tid);
    key_be32(&prefix, p->name_id);
    key_put(&prefix, sv((const char *)&p->kind, 1));
    for (uint32_t node = p->first; node != NO_NODE;) {
        uint32_t high = a->nodes[node].sid >> 16, n_old = 0;
        struct str_view v;
        int r = table_find_text(a->t, TABLE_POSTINGS, &prefix, p->value, (int)high, &key, &v, err);
        if (r == KV_OK)
            r = posting_decode(v, a->old_sids, &n_old, err);
        if (r < 0)
            return r;
        uint32_t n = append_sids(a, n_old, &node, high);
        buf_clear(&a->value);
        buf_put_str(&a->value, key_text_is_cut(p->value) ? p->value : SV_EMPTY);
        posting_encode(&a->value, a->all_sids, n);
        r = kv_put(a->t, TABLE_POSTINGS, key_view(&key), buf_view(&a->value), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_pairs(struct adding *a, struct err *err)
{
    if (a->n_pairs > 1)
        qsort(a->pairs, a->n_pairs, sizeof *a->pairs, cmp_pair);
    for (size_t i = 0; i < a->n_pairs; i++) {
        if (a->pairs[i].kind == PAIR_NAME)
            continue;
        int r = write_pair(a, &a->pairs[i], err);
        if (r < 0)
            return r;
    }
    return 0;
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
        if (a->dir[i - 1].sid == a->dir[i].sid)
            return err_set(err, ERR_CORRUPT, "part %u of the segment lists a series twice",
                           part->part_no);
    struct table_key key = {.len = 0};
    key_be32(&key, a->tenant.tid);
    key_be64(&key, ts_to_key(part->max_ts_ns));
    key_put(&key, sv((const char *)a->segment.b, UUID_BYTES));
    key_be32(&key, part->part_no);
    buf_clear(&a->value);
    part_row_encode(&a->value, part->min_ts_ns, part->max_ts_ns, a->dir, n);
    return kv_put(a->t, TABLE_PARTS, key_view(&key), buf_view(&a->value), err);
}

static int check_part(const struct index_part *part, struct err *err)
{
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
    return 0;
}

static int add_part(struct adding *a, const struct index_part *part, struct err *err)
{
    int r = check_part(part, err);
    if (r < 0)
        return r;
    forget_tenant(a);
    r = table_tenant(a->t, part->tenant, &a->tenant, err);
    if (r == KV_NONE)
        r = new_tenant(a, err);
    size_t n = 0;
    a->dir = mem_grow(a->dir, &a->cap_dir, part->n_series, sizeof *a->dir);
    for (size_t i = 0; r >= 0 && i < part->n_series; i++) {
        const struct index_part_series *s = &part->series[i];
        if (s->n_runs == 0)
            continue;
        uint32_t sid = 0;
        r = sid_of(a, s, &sid, err);
        a->dir[n++] = (struct part_row_series){sid, s->runs, s->n_runs};
    }
    if (r >= 0)
        r = write_pairs(a, err);
    if (r >= 0)
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
};

static int add_in(void *ctx, struct kv_txn *t, struct err *err)
{
    const struct add_call *call = ctx;
    CLEANUP(adding_deinit) struct adding a = {.t = t, .segment = call->segment};
    a.old_sids = mem_alloc(POSTING_MAX * sizeof *a.old_sids);
    a.all_sids = mem_alloc(POSTING_MAX * sizeof *a.all_sids);
    CLEANUP(buf_deinit) struct buf refs = BUF_INIT;
    for (size_t i = 0; i < call->n_parts; i++) {
        int r = add_part(&a, &call->parts[i], err);
        if (r < 0)
            return r;
        buf_put_le32(&refs, a.tenant.tid);
        buf_put_le64(&refs, (uint64_t)call->parts[i].max_ts_ns);
        buf_put_le32(&refs, call->parts[i].part_no);
    }
    return put_segment_row(&a, &refs, err);
}

int table_add_parts(struct table *t, struct uuid segment, const struct index_part *parts,
                    size_t n_parts, struct err *err)
{
    struct add_call call = {segment, parts, n_parts};
    return kv_write(t->kv, add_in, &call, err);
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
