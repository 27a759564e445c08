/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers -> series numbers.  A matcher that the empty value satisfies takes out the series whose
 * value does not match; any other keeps the union of the values that do.  Values known by name are
 * looked up; a regex walks the values of its label, or, once few series are left, their labels. */
#include <stdlib.h>

#include "regex/regex.h"
#include "store/table.h"

/* With at most so many candidates left, reading their labels beats walking a label's values. */
enum { FEW_SERIES = 256 };

struct matching {
    struct kv_txn *t;
    const struct table_tenant *tenant;
    const struct index_query *q;
    struct regex_scratch *scratch;
    uint16_t *low; /* POSTING_MAX: scratch of one posting */
    struct sid_set *set;
};

static int add_posting(struct matching *m, struct str_view posting, uint32_t high,
                       struct sid_set *to, struct err *err)
{
    uint32_t n;
    int r = posting_decode(posting, m->low, &n, err);
    if (r < 0)
        return r;
    uint32_t base = high << 16;
    if (base + m->low[n - 1] >= to->n_sids)
        return err_set(err, ERR_CORRUPT, "posting with a series that is not there");
    for (uint32_t i = 0; i < n; i++)
        sid_set_add(to, base + m->low[i]);
    return 0;
}

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
        struct str_view v;
        int r = table_find_text(m->t, TABLE_POSTINGS, &prefix, value, (int)high, &key, &v, err);
        if (r == KV_OK)
            r = add_posting(m, v, high, to, err);
        if (r < 0)
            return r;
        if (high == UINT16_MAX)
            break;
    }
    return 0;
}

/* Series whose value is not empty and gets this verdict. */
static int add_scanned(struct matching *m, uint32_t name_id, const struct matcher *cond,
                       bool verdict, struct sid_set *to, struct err *err)
{
    struct table_key prefix;
    posting_prefix(m, name_id, POSTING_VALUE, &prefix);
    struct kv_cursor cur;
    int r = kv_cursor_open(m->t, TABLE_POSTINGS, &cur, err);
    if (r < 0)
        return r;
    for (r = kv_seek(&cur, key_view(&prefix), err);
         r == KV_OK && sv_starts_with(cur.key, key_view(&prefix)); r = kv_next(&cur, err)) {
        struct reader in = reader_of(cur.value);
        struct str_view text = rd_str(&in, cur.value.len);
        struct str_view rest = sv_from(cur.key, prefix.len);
        if (in.bad || rest.len < 2) {
            r = err_set(err, ERR_CORRUPT, "posting record that does not decode");
            break;
        }
        if (text.len == 0)
            text = sv_sub(rest, 0, rest.len - 2);
        if (matcher_matches(cond, m->scratch, text) != verdict)
            continue;
        uint32_t high = ld_be16(rest.p + rest.len - 2);
        r = add_posting(m, sv_from(cur.value, in.at), high, to, err);
        if (r < 0)
            break;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

/* How the series whose value satisfies the positive form (= or =~) of a matcher are found. */
enum lookup {
    LOOKUP_SCAN, /* by a walk over the values */
    LOOKUP_NONE, /* there are none: the value is empty */
    LOOKUP_ONE,  /* by matcher.value */
    LOOKUP_LITS, /* the regex equals one of its literals */
    LOOKUP_ANY,  /* every value */
};

static enum lookup lookup_of(const struct matcher *cond)
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
                         enum lookup lookup, struct sid_set *to, struct err *err)
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
    enum lookup lookup = lookup_of(cond);
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
    if (r < 0)
        return r;
    if (empty_ok)
        sid_set_and_not(m->set, &telling);
    else
        sid_set_and(m->set, &telling);
    return 0;
}

/* Asks the labels of each candidate. */
static int apply_to_few(struct matching *m, const struct matcher *cond, uint32_t n_few,
                        struct err *err)
{
    uint32_t sids[FEW_SERIES];
    sid_set_list(m->set, sids);
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    for (uint32_t i = 0; i < n_few; i++) {
        struct index_series s;
        struct labels l;
        int r = table_series(m->t, m->tenant->tid, sids[i], &s, err);
        if (r == 0)
            r = labels_decode(&arena, s.labels, &l, err);
        if (r < 0)
            return r;
        struct str_view value = labels_get(l, cond->name);
        if (!matcher_matches(cond, m->scratch, value.p ? value : SV_EMPTY))
            sid_set_drop(m->set, sids[i]);
        arena_clear(&arena);
    }
    return 0;
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
            uint32_t n = walks ? sid_set_count(m->set) : UINT32_MAX;
            int r = n <= FEW_SERIES ? apply_to_few(m, cond, n, err) : apply(m, cond, err);
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
    m.low = mem_alloc(POSTING_MAX * sizeof *m.low);
    int r = apply_all(&m, err);
    free(m.low);
    return r;
}

int table_series(struct kv_txn *t, uint32_t tid, uint32_t sid, struct index_series *ret,
                 struct err *err)
{
    struct table_key key = {.len = 0};
    key_be32(&key, tid);
    key_be32(&key, sid);
    struct str_view v;
    int r = kv_get(t, TABLE_SIDS, key_view(&key), &v, err);
    if (r < 0)
        return r;
    if (r == KV_NONE || v.len < 9)
        return err_set(err, ERR_CORRUPT, "the index has no labels of series %u", sid);
    *ret = (struct index_series){.hash = ld_le64(v.p), .labels = sv_from(v, 8)};
    return 0;
}
