/* SPDX-License-Identifier: Apache-2.0 */
/* Most series are known.  They are looked up in the order of the tree, first by hash, then by
 * number to compare the labels: neighbours, where one by one would be a walk from the root and a
 * few cache misses each. */
#include "store/index/table_number.h"

#include <stdlib.h>

#include "base/bytes.h"

/* In place of a number. */
#define SID_NEW UINT32_MAX       /* nothing has this hash */
#define SID_ASK (UINT32_MAX - 1) /* the hash alone does not tell */
#define SID_LIMIT (UINT32_MAX - 2)

struct placed {
    uint64_t hash;
    uint32_t at, sid; /* at: in v */
};

struct numbering {
    struct kv_txn *t;
    struct table_tenant *tenant;
    const struct index_part_series *v;
    size_t n;
    uint32_t *sids;
    struct placed *placed; /* those with runs; by hash at first */
    size_t n_placed;
    struct buf value;
};

static int cmp_hash(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int cmp_sid(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    return (a->sid > b->sid) - (a->sid < b->sid);
}

static void hash_key(const struct numbering *nb, uint64_t hash, uint8_t disamb,
                     struct table_key *ret)
{
    ret->len = 0;
    key_be32(ret, nb->tenant->tid);
    key_be64(ret, hash);
    key_put(ret, sv((const char *)&disamb, 1));
}

static int decode_sid(struct str_view v, uint32_t *ret, struct err *err)
{
    if (v.len != 4)
        return err_set(err, ERR_CORRUPT, "series record of %zu bytes", v.len);
    *ret = ld_le32(v.p);
    return 0;
}

/* ---- known ones ---- */

static void place(struct numbering *nb)
{
    for (size_t i = 0; i < nb->n; i++)
        if (nb->v[i].n_runs)
            nb->placed[nb->n_placed++] = (struct placed){nb->v[i].hash, (uint32_t)i, SID_NEW};
    if (nb->n_placed > 1)
        qsort(nb->placed, nb->n_placed, sizeof *nb->placed, cmp_hash);
}

static bool shares_hash(const struct numbering *nb, size_t i)
{
    const struct placed *p = &nb->placed[i];
    return (i > 0 && p[-1].hash == p->hash) || (i + 1 < nb->n_placed && p[1].hash == p->hash);
}

/* The number that stands at the hash, if any: right unless two label sets share it. */
static int find_hashes(struct numbering *nb, struct kv_cursor *cur, struct err *err)
{
    for (size_t i = 0; i < nb->n_placed; i++) {
        struct placed *p = &nb->placed[i];
        if (shares_hash(nb, i)) {
            p->sid = SID_ASK;
            continue;
        }
        struct table_key key;
        hash_key(nb, p->hash, 0, &key);
        int r = kv_seek(cur, key_view(&key), err);
        if (r == KV_OK && sv_eq(cur->key, key_view(&key)))
            r = decode_sid(cur->value, &p->sid, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare_labels(struct numbering *nb, struct kv_cursor *cur, struct err *err)
{
    for (size_t i = 0; i < nb->n_placed; i++) {
        struct placed *p = &nb->placed[i];
        if (p->sid < nb->tenant->n_sids) {
            struct index_series known;
            int r = table_series_at(cur, nb->tenant->tid, p->sid, &known, err);
            if (r < 0)
                return r;
            if (known.hash != p->hash)
                return err_set(err, ERR_CORRUPT, "series %u stands under another one's hash",
                               p->sid);
            if (!sv_eq(known.labels, nb->v[p->at].labels))
                p->sid = SID_ASK;
        } else if (p->sid < SID_ASK) {
            return err_set(err, ERR_CORRUPT, "series %u is in the index, but there are %u", p->sid,
                           nb->tenant->n_sids);
        }
        nb->sids[p->at] = p->sid;
    }
    return 0;
}

typedef int walk_fn(struct numbering *nb, struct kv_cursor *cur, struct err *err);
static int with_cursor(struct numbering *nb, enum table_db db, walk_fn *fn, struct err *err)
{
    struct kv_cursor cur;
    int r = kv_cursor_open(nb->t, db, &cur, err);
    if (r < 0)
        return r;
    r = fn(nb, &cur, err);
    kv_cursor_close(&cur);
    return r;
}

/* ---- new ones ---- */

static int put_hash(struct numbering *nb, const struct table_key *key, uint32_t sid,
                    struct err *err)
{
    char bytes[4];
    st_le32(bytes, sid);
    return kv_put(nb->t, TABLE_SERIES, key_view(key), sv(bytes, sizeof bytes), err);
}

static int put_labels(struct numbering *nb, const struct index_part_series *s, uint32_t *ret_sid,
                      struct err *err)
{
    if (nb->tenant->n_sids >= SID_LIMIT)
        return err_set(err, ERR_TOO_LARGE, "a table holds at most %u series of a tenant",
                       SID_LIMIT);
    *ret_sid = nb->tenant->n_sids++;
    struct table_key key = {.len = 0};
    key_be32(&key, nb->tenant->tid);
    key_be32(&key, *ret_sid);
    buf_clear(&nb->value);
    buf_put_le64(&nb->value, s->hash);
    buf_put(&nb->value, s->labels);
    return kv_put_last(nb->t, TABLE_SIDS, key_view(&key), buf_view(&nb->value), err);
}

/* One by one, among all that share its hash. */
static int ask(struct numbering *nb, const struct index_part_series *s, uint32_t *ret,
               struct err *err)
{
    for (unsigned disamb = 0; disamb <= TABLE_MAX_DISAMB; disamb++) {
        struct table_key key;
        struct str_view v;
        hash_key(nb, s->hash, (uint8_t)disamb, &key);
        int r = kv_get(nb->t, TABLE_SERIES, key_view(&key), &v, err);
        if (r == KV_NONE) {
            r = put_labels(nb, s, ret, err);
            return r < 0 ? r : put_hash(nb, &key, *ret, err);
        }
        struct index_series known;
        if (r == KV_OK)
            r = decode_sid(v, ret, err);
        if (r == 0)
            r = table_series(nb->t, nb->tenant->tid, *ret, &known, err);
        if (r < 0 || sv_eq(known.labels, s->labels))
            return r;
    }
    return err_set(err, ERR_CORRUPT, "more than %d series of one hash in the index",
                   TABLE_MAX_DISAMB);
}

/* Labels go in the order of v, which is that of labels: so numbers of streams that have a label in
 * common lie together. */
static int add_new(struct numbering *nb, struct err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < nb->n; i++) {
        if (nb->v[i].n_runs == 0)
            continue;
        if (nb->sids[i] == SID_ASK)
            r = ask(nb, &nb->v[i], &nb->sids[i], err);
        else if (nb->sids[i] == SID_NEW)
            r = put_labels(nb, &nb->v[i], &nb->sids[i], err);
    }
    return r;
}

static int add_new_hashes(struct numbering *nb, struct err *err)
{
    if (nb->n_placed > 1)
        qsort(nb->placed, nb->n_placed, sizeof *nb->placed, cmp_hash);
    for (size_t i = 0; i < nb->n_placed; i++) {
        const struct placed *p = &nb->placed[i];
        if (p->sid != SID_NEW)
            continue;
        struct table_key key;
        hash_key(nb, p->hash, 0, &key);
        int r = put_hash(nb, &key, nb->sids[p->at], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int number_all(struct numbering *nb, struct err *err)
{
    place(nb);
    int r = with_cursor(nb, TABLE_SERIES, find_hashes, err);
    if (r < 0)
        return r;
    if (nb->n_placed > 1)
        qsort(nb->placed, nb->n_placed, sizeof *nb->placed, cmp_sid);
    r = with_cursor(nb, TABLE_SIDS, compare_labels, err);
    uint32_t n_before = nb->tenant->n_sids;
    if (r == 0)
        r = add_new(nb, err);
    return r < 0 || nb->tenant->n_sids == n_before ? r : add_new_hashes(nb, err);
}

int table_number_series(struct kv_txn *t, struct table_tenant *tenant,
                        const struct index_part_series *v, size_t n, uint32_t *ret_sids,
                        struct err *err)
{
    struct numbering nb = {.t = t, .tenant = tenant, .v = v, .n = n, .sids = ret_sids};
    nb.placed = mem_alloc(n * sizeof *nb.placed);
    int r = number_all(&nb, err);
    free(nb.placed);
    buf_deinit(&nb.value);
    return r;
}
