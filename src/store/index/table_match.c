/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers -> series numbers.  A matcher that the empty value satisfies takes out the series whose
 * value does not match; any other keeps the union of the values that do.  Values known by name are
 * looked up; a regex walks the values of its label, or, where these are many more than the series
 * that are left, the labels of those. */
#include <stdlib.h>

#include "regex/regex.h"
#include "store/index/table.h"

/* Reading the labels of a candidate costs as much as walking so many values of a label. */
enum { VALUES_PER_SERIES = 8 };
/* Outcome of a walk. */
enum { TOO_MANY_VALUES = 1 };

struct matching {
    struct kv_txn *t;
    const struct table_tenant *tenant;
    const struct index_query *q;
    struct regex_scratch *scratch;
    struct sid_set *set;
    uint64_t max_values; /* of one walk */
};

static void posting_prefix(const struct matching *m, uint32_t name_id, uint8_t kind,
                           struct table_key *ret)
{
    ret->len = 0;
    key_be32(ret, m->tenant->tid);
    key_be32(ret, name_id);
    key_put(ret, sv((const char *)&kind, 1));
}

/* All series with this value (or, POSTING_HAS_NAME, with any). */
static int add_value(struct matching *m, uint32_t name_id, uint8_t kind, struct str_view value,
                     struct sid_set *to, struct err *err)
{
    struct table_key prefix, key;
    posting_prefix(m, name_id, kind, &prefix);
    for (uint32_t high = 0; high << 16 < m->tenant->n_sids; high++) {
        struct table_text v;
        int r = table_find_text(m->t, TABLE_POSTINGS, &prefix, value, (int)high, &key, &v, err);
        if (r == KV_OK)
            r = posting_add_to(v.rest, posting_key_crc(key_view(&key), v.text), high, to, err);
        if (r < 0)
            return r;
        if (high == UINT16_MAX)
            break;
    }
    return 0;
}

/* Series whose value is not empty and gets this verdict.  TOO_MANY_VALUES: *to is not whole. */
static int add_scanned(struct matching *m, uint32_t name_id, const struct matcher *cond,
                       bool verdict, struct sid_set *to, struct err *err)
{
    struct table_key prefix;
    posting_prefix(m, name_id, POSTING_VALUE, &prefix);
    struct kv_cursor cur;
    int r = kv_cursor_open(m->t, TABLE_POSTINGS, &cur, err);
    if (r < 0)
        return r;
    uint64_t n_values = 0;
    for (r = kv_seek(&cur, key_view(&prefix), err);
         r == KV_OK && sv_starts_with(cur.key, key_view(&prefix)); r = kv_next(&cur, err)) {
        if (n_values++ == m->max_values) {
            kv_cursor_close(&cur);
            return TOO_MANY_VALUES;
        }
        struct table_text v;
        struct str_view rest = sv_from(cur.key, prefix.len);
        if (!table_text_of(cur.value, &v) || rest.len < 2) {
            r = err_set(err, ERR_CORRUPT, "posting record that does not decode");
            break;
        }
        struct str_view text = v.text.len ? v.text : sv_sub(rest, 0, rest.len - 2);
        if (matcher_matches(cond, m->scratch, text) != verdict)
            continue;
        uint32_t high = ld_be16(rest.p + rest.len - 2);
        r = posting_add_to(v.rest, posting_key_crc(cur.key, v.text), high, to, err);
        if (r < 0)
            break;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

/* How the series whose value satisfies the positive form (= or =~) of a matcher are found. */
enum table_lookup {
    LOOKUP_SCAN, /* by a walk over the values */
    LOOKUP_NONE, /* there are none: the value is empty */
    LOOKUP_ONE,  /* by matcher.value */
    LOOKUP_LITS, /* the regex equals one of its literals */
    LOOKUP_ANY,  /* every value */
};

static enum table_lookup lookup_of(const struct matcher *cond)
{
    if (cond->op == MATCH_EQ || cond->op == MATCH_NE)
        return cond->value.len ? LOOKUP_ONE : LOOKUP_NONE;
    const struct regex_literals *l = regex_literals(cond->regex);
    if (sv_eq(cond->value, SV(".+")) || l->shape == REGEX_SHAPE_ALWAYS)
        return LOOKUP_ANY;
    if (l->shape != REGEX_SHAPE_EQUALS)
        return LOOKUP_SCAN;
    for (size_t i = 0; i < l->n_lits; i++)
        if (l->lits[i].fold)
            return LOOKUP_SCAN;
    return LOOKUP_LITS;
}

static int add_looked_up(struct matching *m, uint32_t name_id, const struct matcher *cond,
                         enum table_lookup lookup, struct sid_set *to, struct err *err)
{
    if (lookup == LOOKUP_NONE)
        return 0;
    if (lookup == LOOKUP_ANY)
        return add_value(m, name_id, POSTING_HAS_NAME, SV_EMPTY, to, err);
    if (lookup == LOOKUP_ONE)
        return add_value(m, name_id, POSTING_VALUE, cond->value, to, err);
    const struct regex_literals *l = regex_literals(cond->regex);
    for (size_t i = 0; i < l->n_lits; i++) {
        int r = add_value(m, name_id, POSTING_VALUE, l->lits[i].bytes, to, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Of the series that have the name: those that match, or, where the empty value matches too, those
 * that do not.  So *ret is what to keep, or what to take out. */
static int telling_series(struct matching *m, const struct matcher *cond, uint32_t name_id,
                          bool empty_ok, struct sid_set *ret, struct err *err)
{
    enum table_lookup lookup = lookup_of(cond);
    bool positive = cond->op == MATCH_EQ || cond->op == MATCH_RE;
    if (lookup == LOOKUP_SCAN)
        return add_scanned(m, name_id, cond, !empty_ok, ret, err);
    if (positive != empty_ok)
        return add_looked_up(m, name_id, cond, lookup, ret, err);
    CLEANUP(sid_set_deinit) struct sid_set found = {0};
    sid_set_init(&found, ret->n_sids, false);
    int r = add_looked_up(m, name_id, cond, lookup, &found, err);
    if (r == 0)
        r = add_value(m, name_id, POSTING_HAS_NAME, SV_EMPTY, ret, err);
    sid_set_and_not(ret, &found);
    return r;
}

static int apply(struct matching *m, const struct matcher *cond, struct err *err)
{
    bool empty_ok = matcher_matches(cond, m->scratch, SV_EMPTY);
    CLEANUP(sid_set_deinit) struct sid_set telling = {0};
    sid_set_init(&telling, m->set->n_sids, false);
    uint32_t name_id;
    int r = table_name_id(m->t, m->tenant->tid, cond->name, &name_id, err);
    if (r == KV_OK)
        r = telling_series(m, cond, name_id, empty_ok, &telling, err);
    else if (r == KV_NONE)
        r = 0; /* nobody has the name: nobody tells */
    if (r != 0)
        return r;
    if (empty_ok)
        sid_set_and_not(m->set, &telling);
    else
        sid_set_and(m->set, &telling);
    return 0;
}

static int ask_series(struct matching *m, const struct matcher *cond, struct kv_cursor *cur,
                      uint32_t sid, struct arena *scratch, struct err *err)
{
    struct index_series s;
    struct labels l;
    int r = table_series_at(cur, m->tenant->tid, sid, &s, err);
    if (r == 0)
        r = labels_decode(scratch, s.labels, &l, err);
    if (r < 0)
        return r;
    struct str_view value = labels_get(l, cond->name);
    if (!matcher_matches(cond, m->scratch, value.p ? value : SV_EMPTY))
        sid_set_drop(m->set, sid);
    arena_clear(scratch);
    return 0;
}

/* Asks the labels of each candidate. */
static int apply_to_each(struct matching *m, const struct matcher *cond, uint32_t n,
                         struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct kv_cursor cur;
    int r = kv_cursor_open(m->t, TABLE_SIDS, &cur, err);
    if (r < 0)
        return r;
    uint32_t *sids = mem_alloc(n * sizeof *sids);
    sid_set_list(m->set, sids);
    for (uint32_t i = 0; r == 0 && i < n; i++)
        r = ask_series(m, cond, &cur, sids[i], &scratch, err);
    free(sids);
    kv_cursor_close(&cur);
    return r;
}

/* Which is dearer is known once the walk went on for too long. */
static int apply_walk(struct matching *m, const struct matcher *cond, struct err *err)
{
    uint32_t n = sid_set_count(m->set);
    if (n == 0)
        return 0;
    m->max_values = (uint64_t)n * VALUES_PER_SERIES;
    int r = apply(m, cond, err);
    return r == TOO_MANY_VALUES ? apply_to_each(m, cond, n, err) : r;
}

static bool needs_walk(const struct matcher *cond)
{
    return lookup_of(cond) == LOOKUP_SCAN;
}

static int apply_all(struct matching *m, struct err *err)
{
    for (int walks = 0; walks <= 1; walks++) {
        for (size_t i = 0; i < m->q->n_matchers; i++) {
            const struct matcher *cond = &m->q->matchers[i];
            if (needs_walk(cond) != (walks == 1))
                continue;
            int r = walks ? apply_walk(m, cond, err) : apply(m, cond, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int table_match(struct kv_txn *t, const struct table_tenant *tenant, const struct index_query *q,
                struct regex_scratch *scratch, struct sid_set *ret, struct err *err)
{
    sid_set_init(ret, tenant->n_sids, true);
    struct matching m = {.t = t, .tenant = tenant, .q = q, .scratch = scratch, .set = ret};
    return apply_all(&m, err);
}

static void series_key(uint32_t tid, uint32_t sid, struct table_key *ret)
{
    ret->len = 0;
    key_be32(ret, tid);
    key_be32(ret, sid);
}

static int decode_series(int found, struct str_view v, uint32_t sid, struct index_series *ret,
                         struct err *err)
{
    if (found < 0)
        return found;
    if (found == KV_NONE || v.len < 9)
        return err_set(err, ERR_CORRUPT, "the index has no labels of series %u", sid);
    *ret = (struct index_series){.hash = ld_le64(v.p), .labels = sv_from(v, 8)};
    if (labels_hash_encoded(ret->labels) != ret->hash)
        return err_set(err, ERR_CORRUPT, "the labels of series %u do not have their hash", sid);
    return 0;
}

int table_series(struct kv_txn *t, uint32_t tid, uint32_t sid, struct index_series *ret,
                 struct err *err)
{
    struct table_key key;
    series_key(tid, sid, &key);
    struct str_view v = SV_EMPTY;
    int r = kv_get(t, TABLE_SIDS, key_view(&key), &v, err);
    return decode_series(r, v, sid, ret, err);
}

int table_series_at(struct kv_cursor *cur, uint32_t tid, uint32_t sid, struct index_series *ret,
                    struct err *err)
{
    struct table_key key;
    series_key(tid, sid, &key);
    int r = kv_seek(cur, key_view(&key), err);
    if (r == KV_OK && !sv_eq(cur->key, key_view(&key)))
        r = KV_NONE;
    return decode_series(r, r == KV_OK ? cur->value : SV_EMPTY, sid, ret, err);
}
