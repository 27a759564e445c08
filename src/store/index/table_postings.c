/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index/table_postings.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "model/labels.h"

#define NO_NODE UINT32_MAX

/* A (name, value) pair with the new series that have it; or what is known of a label name. */
enum { PAIR_NAME = 255 }; /* a kind beside POSTING_*: value is the name, name_id is 0 */
struct posting_pair {
    struct str_view value;
    uint32_t name_id;
    uint32_t first, last; /* nodes, numbers ascending; of a PAIR_NAME: first is the id or NO_NODE */
    uint32_t slot;
    uint8_t kind; /* POSTING_HAS_NAME: value is empty */
};
struct posting_node {
    uint32_t sid, next;
};

void posting_batch_init(struct posting_batch *b)
{
    *b = (struct posting_batch){0};
    b->old_sids = mem_alloc(POSTING_MAX * sizeof *b->old_sids);
    b->all_sids = mem_alloc(POSTING_MAX * sizeof *b->all_sids);
}

void posting_batch_deinit(struct posting_batch *b)
{
    arena_deinit(&b->labels);
    free(b->pairs);
    free(b->slots);
    free(b->nodes);
    free(b->old_sids);
    free(b->all_sids);
    buf_deinit(&b->value);
}

void posting_batch_clear(struct posting_batch *b)
{
    arena_clear(&b->labels);
    for (size_t i = 0; i < b->n_pairs; i++) /* the table may be much larger: of a tenant before */
        b->slots[b->pairs[i].slot] = 0;
    b->n_pairs = b->n_nodes = 0;
}

/* ---- pairs ---- */

static uint64_t pair_hash(uint32_t name_id, uint8_t kind, struct str_view value)
{
    return XXH64(value.p, value.len, (uint64_t)name_id << 8 | kind);
}

static void rehash(struct posting_batch *b)
{
    b->n_slots = b->n_slots ? b->n_slots * 2 : 1024;
    free(b->slots);
    b->slots = mem_zalloc(b->n_slots, sizeof *b->slots);
    for (size_t i = 0; i < b->n_pairs; i++) {
        struct posting_pair *p = &b->pairs[i];
        size_t at = pair_hash(p->name_id, p->kind, p->value) & (b->n_slots - 1);
        while (b->slots[at])
            at = (at + 1) & (b->n_slots - 1);
        b->slots[at] = (uint32_t)i + 1;
        p->slot = (uint32_t)at;
    }
}

static struct posting_pair *pair_of(struct posting_batch *b, uint32_t name_id, uint8_t kind,
                                    struct str_view value)
{
    if (b->n_pairs * 2 >= b->n_slots)
        rehash(b);
    size_t at = pair_hash(name_id, kind, value) & (b->n_slots - 1);
    for (; b->slots[at]; at = (at + 1) & (b->n_slots - 1)) {
        struct posting_pair *p = &b->pairs[b->slots[at] - 1];
        if (p->name_id == name_id && p->kind == kind && sv_eq(p->value, value))
            return p;
    }
    b->pairs = mem_grow(b->pairs, &b->cap_pairs, b->n_pairs + 1, sizeof *b->pairs);
    b->pairs[b->n_pairs] =
        (struct posting_pair){value, name_id, NO_NODE, NO_NODE, (uint32_t)at, kind};
    b->slots[at] = (uint32_t)b->n_pairs + 1;
    return &b->pairs[b->n_pairs++];
}

static void pair_add(struct posting_batch *b, struct posting_pair *p, uint32_t sid)
{
    assert(b->n_nodes < NO_NODE);
    b->nodes = mem_grow(b->nodes, &b->cap_nodes, b->n_nodes + 1, sizeof *b->nodes);
    b->nodes[b->n_nodes] = (struct posting_node){sid, NO_NODE};
    if (p->last == NO_NODE)
        p->first = (uint32_t)b->n_nodes;
    else
        b->nodes[p->last].next = (uint32_t)b->n_nodes;
    p->last = (uint32_t)b->n_nodes++;
}

static int new_name(struct posting_batch *b, struct kv_txn *t, struct table_tenant *tenant,
                    const struct table_key *key, struct str_view name, uint32_t *ret,
                    struct err *err)
{
    *ret = tenant->n_names++;
    buf_clear(&b->value);
    buf_put_str(&b->value, key_text_is_cut(name) ? name : SV_EMPTY);
    buf_put_le32(&b->value, *ret);
    record_end(&b->value, key_view(key));
    return kv_put(t, TABLE_NAMES, key_view(key), buf_view(&b->value), err);
}

static int look_up_name(struct posting_batch *b, struct kv_txn *t, struct table_tenant *tenant,
                        struct str_view name, uint32_t *ret, struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, tenant->tid);
    struct table_text found;
    int r = table_find_text(t, TABLE_NAMES, &prefix, name, -1, &key, &found, err);
    if (r == KV_NONE)
        return new_name(b, t, tenant, &key, name, ret, err);
    return r < 0 ? r : table_name_record(key_view(&key), found.value, ret, err);
}

static int name_id_of(struct posting_batch *b, struct kv_txn *t, struct table_tenant *tenant,
                      struct str_view name, uint32_t *ret, struct err *err)
{
    struct posting_pair *p = pair_of(b, 0, PAIR_NAME, name);
    if (p->first == NO_NODE) {
        int r = look_up_name(b, t, tenant, name, ret, err);
        if (r < 0)
            return r;
        p->first = *ret;
    }
    *ret = p->first;
    return 0;
}

int posting_batch_add(struct posting_batch *b, struct kv_txn *t, struct table_tenant *tenant,
                      struct str_view encoded, uint32_t sid, struct err *err)
{
    struct labels l;
    int r = labels_decode(&b->labels, encoded, &l, err);
    if (r < 0)
        return err_context(err, ERR_INVALID, "labels of a series");
    for (size_t i = 0; r >= 0 && i < l.n; i++) {
        uint32_t id = 0;
        r = name_id_of(b, t, tenant, l.v[i].name, &id, err);
        if (r < 0)
            break;
        pair_add(b, pair_of(b, id, POSTING_HAS_NAME, SV_EMPTY), sid);
        pair_add(b, pair_of(b, id, POSTING_VALUE, l.v[i].value), sid);
    }
    arena_clear(&b->labels); /* pairs look at the caller's bytes, not at the array */
    return r;
}

/* ---- postings ---- */

static int cmp_pair(const void *x, const void *y)
{
    const struct posting_pair *a = x, *b = y;
    if (a->name_id != b->name_id)
        return a->name_id < b->name_id ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return sv_cmp(a->value, b->value);
}

/* Both ascending and without a common number: new ones are larger than all old ones. */
static uint32_t append_sids(struct posting_batch *b, uint32_t n_old, uint32_t *node, uint32_t high)
{
    memcpy(b->all_sids, b->old_sids, n_old * sizeof *b->old_sids);
    uint32_t n = n_old;
    for (; *node != NO_NODE && b->nodes[*node].sid >> 16 == high; *node = b->nodes[*node].next) {
        assert(n == 0 || b->all_sids[n - 1] < (uint16_t)b->nodes[*node].sid);
        b->all_sids[n++] = (uint16_t)b->nodes[*node].sid;
    }
    return n;
}

static int write_pair(struct posting_batch *b, struct kv_txn *t, uint32_t tid,
                      const struct posting_pair *p, struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, tid);
    key_be32(&prefix, p->name_id);
    key_put(&prefix, sv((const char *)&p->kind, 1));
    for (uint32_t node = p->first; node != NO_NODE;) {
        uint32_t high = b->nodes[node].sid >> 16, n_old = 0;
        struct table_text v;
        struct str_view cut = key_text_is_cut(p->value) ? p->value : SV_EMPTY;
        int r = table_find_text(t, TABLE_POSTINGS, &prefix, p->value, (int)high, &key, &v, err);
        uint32_t key_crc = posting_key_crc(key_view(&key), cut);
        if (r == KV_OK)
            r = posting_decode(v.rest, key_crc, b->old_sids, &n_old, err);
        if (r >= 0 && n_old > 0 && b->old_sids[n_old - 1] >= (uint16_t)b->nodes[node].sid)
            r = err_set(err, ERR_CORRUPT, "a posting has a series that there is not yet");
        if (r < 0)
            return r;
        uint32_t n = append_sids(b, n_old, &node, high);
        buf_clear(&b->value);
        buf_put_str(&b->value, cut);
        posting_encode(&b->value, key_crc, b->all_sids, n);
        r = kv_put(t, TABLE_POSTINGS, key_view(&key), buf_view(&b->value), err);
        if (r < 0)
            return r;
    }
    return 0;
}

int posting_batch_write(struct posting_batch *b, struct kv_txn *t, uint32_t tid, struct err *err)
{
    if (b->n_pairs > 1)
        qsort(b->pairs, b->n_pairs, sizeof *b->pairs, cmp_pair);
    for (size_t i = 0; i < b->n_pairs; i++) {
        if (b->pairs[i].kind == PAIR_NAME)
            continue;
        int r = write_pair(b, t, tid, &b->pairs[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}
