/* SPDX-License-Identifier: Apache-2.0 */
/* The databases come one after the other, each in the order of its keys, so most of what must hold
 * is seen in passing.  What must agree between two of them is added up on either side: of each
 * (number, label) of a series a hash goes into one sum where the labels stand and into another one
 * where the posting stands.  Sums of 64-bit hashes that are equal are so because all their parts
 * are; so no side need be held in memory or looked up.
 *
 *   tenants    their numbers are 0, 1, 2, ...            with meta
 *   series     hash -> number                             sum with sids
 *   sids       number -> hash, labels; 0, 1, 2, ...       sum with series, sums with postings
 *   names      their numbers are 0, 1, 2, ...             with postings, by the hash of the name
 *   parts      rows                                       sum with segments
 *   segments   keys of rows */
#include "store/index/table_verify.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/crc32c.h"
#include "model/labels.h"
#include "store/index/table.h"
#include "store/kv_file.h"

/* Keys of texts that were cut count those that still meet, 0, 1, ... */
struct disamb {
    char prefix[KV_MAX_KEY_BYTES]; /* of the key, up to the count */
    size_t len;
    unsigned n;
    uint8_t *before, *now; /* a bit per suffix: of the texts counted n - 1, and n */
};
enum { SUFFIX_BYTES = 65536 / 8 };

struct seen_tenant {
    uint32_t tid, n_sids, n_names;
    uint64_t n_sids_seen;
};
struct seen_name {
    uint32_t tid, id;
    uint64_t hash; /* of tenant and name: where sums of its labels begin */
};

struct verify {
    const struct period *expected; /* may be NULL */
    struct period period;
    bool has_format, has_period;
    uint32_t n_tenants; /* as meta says */
    struct seen_tenant *tenants;
    size_t n_seen_tenants, cap_tenants;
    struct seen_name *names; /* by tenant, then id, once all are there */
    size_t n_names, cap_names;
    uint64_t series_sum, sids_sum;        /* of (tenant, hash, number) */
    uint64_t pairs_sum[2], posted_sum[2]; /* by POSTING_HAS_NAME, POSTING_VALUE */
    uint64_t rows_sum, refs_sum;          /* of keys of rows */
    struct table_key last_series;
    struct disamb names_disamb, postings_disamb;
    struct arena scratch;
    uint16_t *sids;  /* POSTING_MAX */
    unsigned n_done; /* databases that ended */
};

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s", what);
}

/* Spreads a and b over 64 bits. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 29;
}

static uint64_t name_hash(uint32_t tid, struct str_view name)
{
    return XXH64(name.p, name.len, tid);
}

static uint64_t value_hash(uint64_t hash_of_name, struct str_view value)
{
    return XXH64(value.p, value.len, hash_of_name);
}

/* --- keys with texts -------------------------------------------------------------------- */

/* Is `text_key` what stands for the text, which *ret is?  cut_text: of the value, empty for texts
 * that are not cut. */
static bool text_of_key(struct str_view text_key, struct str_view cut_text, struct str_view *ret)
{
    *ret = cut_text.len ? cut_text : text_key;
    if (!cut_text.len)
        return text_key.len > 0 && !key_text_is_cut(text_key);
    struct table_key k = {.len = 0};
    if (!key_text_is_cut(cut_text) || text_key.len != TABLE_TEXT_KEY_BYTES)
        return false;
    key_text(&k, cut_text, (uint8_t)text_key.p[TABLE_TEXT_KEY_BYTES - 1]);
    return sv_eq(key_view(&k), text_key);
}

/* A text that is counted n stands behind one that is counted n - 1, with the same suffix. */
static bool count_text(struct disamb *d, struct str_view prefix, unsigned n, uint16_t suffix)
{
    bool same = sv_eq(sv(d->prefix, d->len), prefix);
    if (!same || n != d->n) {
        if (n != (same ? d->n + 1 : 0))
            return false;
        uint8_t *before = d->before;
        d->before = d->now;
        d->now = before;
        memset(d->now, 0, SUFFIX_BYTES);
        memcpy(d->prefix, prefix.p, prefix.len);
        d->len = prefix.len;
        d->n = n;
    }
    d->now[suffix / 8] = (uint8_t)(d->now[suffix / 8] | 1u << (suffix % 8));
    return n == 0 || d->before[suffix / 8] >> (suffix % 8) & 1;
}

/* --- meta and tenants ------------------------------------------------------------------- */

static int take_format(struct verify *v, struct str_view key, struct str_view value,
                       struct err *err)
{
    if (value.len >= 4 && ld_le32(value.p) != TABLE_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "table of format version %u, this build knows %d",
                       ld_le32(value.p), TABLE_FORMAT);
    struct str_view body;
    int r = record_open(key, value, &body, err);
    v->has_format = r == 0 && body.len == 4;
    return r;
}

static int take_period(struct verify *v, struct str_view body, struct err *err)
{
    if (body.len != 16 || (int64_t)ld_le64(body.p + 8) <= 0)
        return bad(err, "no period");
    v->period = (struct period){(int64_t)ld_le64(body.p), (int64_t)ld_le64(body.p + 8)};
    v->has_period = true;
    if (v->expected && (v->expected->start_ns != v->period.start_ns ||
                        v->expected->length_ns != v->period.length_ns))
        return bad(err, "it is the table of another period");
    return 0;
}

static int take_meta(struct verify *v, struct str_view key, struct str_view value, struct err *err)
{
    struct str_view body;
    if (sv_eq(key, SV("format")))
        return take_format(v, key, value, err);
    int r = record_open(key, value, &body, err);
    if (r < 0)
        return r;
    if (sv_eq(key, SV("period")))
        return take_period(v, body, err);
    if (!sv_eq(key, SV("tenants")) || body.len != 4)
        return bad(err, "an unknown record");
    v->n_tenants = ld_le32(body.p);
    return 0;
}

static int end_meta(struct verify *v, struct err *err)
{
    return v->has_format && v->has_period ? 0 : bad(err, "no format or period");
}

static int take_tenant(struct verify *v, struct str_view key, struct str_view value,
                       struct err *err)
{
    struct str_view body;
    int r = record_open(key, value, &body, err);
    if (r < 0)
        return r;
    if (key_text_is_cut(key) || body.len != 12)
        return bad(err, "no tenant");
    v->tenants = mem_grow(v->tenants, &v->cap_tenants, v->n_seen_tenants + 1, sizeof *v->tenants);
    v->tenants[v->n_seen_tenants++] = (struct seen_tenant){
        .tid = ld_le32(body.p), .n_sids = ld_le32(body.p + 4), .n_names = ld_le32(body.p + 8)};
    return 0;
}

static int cmp_tenant(const void *x, const void *y)
{
    uint32_t a = ((const struct seen_tenant *)x)->tid, b = ((const struct seen_tenant *)y)->tid;
    return (a > b) - (a < b);
}

static int end_tenants(struct verify *v, struct err *err)
{
    if (v->n_seen_tenants > 1)
        qsort(v->tenants, v->n_seen_tenants, sizeof *v->tenants, cmp_tenant);
    for (size_t i = 0; i < v->n_seen_tenants; i++)
        if (v->tenants[i].tid != i)
            return bad(err, "numbers of tenants are not 0, 1, 2, ...");
    return v->n_seen_tenants == v->n_tenants ? 0 : bad(err, "too few tenants, or too many");
}

/* NULL where there is no such tenant. */
static struct seen_tenant *tenant_of(struct verify *v, uint32_t tid)
{
    return tid < v->n_seen_tenants ? &v->tenants[tid] : NULL;
}

/* --- series ----------------------------------------------------------------------------- */

enum { SERIES_KEY_BYTES = 4 + 8 + 1, SID_KEY_BYTES = 4 + 4, NAME_KEY_MIN = 4 + 1 };

static int take_series(struct verify *v, struct str_view key, struct str_view value,
                       struct err *err)
{
    if (key.len != SERIES_KEY_BYTES || value.len != 4)
        return bad(err, "no series");
    struct str_view hash = sv_sub(key, 0, SERIES_KEY_BYTES - 1), last = key_view(&v->last_series);
    bool same = last.len && sv_eq(sv_sub(last, 0, hash.len), hash);
    unsigned n = (uint8_t)key.p[hash.len];
    if (n != (same ? (uint8_t)last.p[hash.len] + 1u : 0u))
        return bad(err, "series of one hash are not counted 0, 1, 2, ...");
    v->last_series.len = 0;
    key_put(&v->last_series, key);
    v->series_sum += mix(mix(ld_be32(key.p), ld_be64(key.p + 4)), ld_le32(value.p));
    return 0;
}

static int take_sid(struct verify *v, struct str_view key, struct str_view value, struct err *err)
{
    struct seen_tenant *t = key.len == SID_KEY_BYTES ? tenant_of(v, ld_be32(key.p)) : NULL;
    if (!t || value.len < 9)
        return bad(err, "no labels of a series");
    uint32_t sid = ld_be32(key.p + 4);
    uint64_t hash = ld_le64(value.p);
    struct str_view encoded = sv_from(value, 8);
    struct labels l;
    if (sid != t->n_sids_seen++)
        return bad(err, "numbers of series are not 0, 1, 2, ...");
    if (hash != labels_hash_encoded(encoded))
        return bad(err, "labels do not have their hash");
    int r = labels_decode(&v->scratch, encoded, &l, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < l.n; i++) {
        uint64_t name = name_hash(t->tid, l.v[i].name);
        v->pairs_sum[POSTING_HAS_NAME] += mix(name, sid);
        v->pairs_sum[POSTING_VALUE] += mix(value_hash(name, l.v[i].value), sid);
    }
    arena_clear(&v->scratch);
    v->sids_sum += mix(mix(t->tid, hash), sid);
    return 0;
}

static int end_sids(struct verify *v, struct err *err)
{
    for (size_t i = 0; i < v->n_seen_tenants; i++)
        if (v->tenants[i].n_sids_seen != v->tenants[i].n_sids)
            return bad(err, "a tenant has too few series, or too many");
    return v->series_sum == v->sids_sum ? 0 : bad(err, "hashes and numbers of series disagree");
}

/* --- names and postings ----------------------------------------------------------------- */

static int take_name(struct verify *v, struct str_view key, struct str_view value, struct err *err)
{
    struct seen_tenant *t = key.len >= NAME_KEY_MIN ? tenant_of(v, ld_be32(key.p)) : NULL;
    struct table_text text;
    struct str_view name;
    uint32_t id;
    if (!t || !table_text_of(value, &text) || !text_of_key(sv_from(key, 4), text.text, &name))
        return bad(err, "no name of a label");
    if (text.text.len &&
        !count_text(&v->names_disamb, sv_sub(key, 0, key.len - 1), (uint8_t)key.p[key.len - 1], 0))
        return bad(err, "names of one hash are not counted 0, 1, 2, ...");
    int r = table_name_record(key, value, &id, err);
    if (r < 0)
        return r;
    v->names = mem_grow(v->names, &v->cap_names, v->n_names + 1, sizeof *v->names);
    v->names[v->n_names++] = (struct seen_name){t->tid, id, name_hash(t->tid, name)};
    return 0;
}

static int cmp_name(const void *x, const void *y)
{
    const struct seen_name *a = x, *b = y;
    if (a->tid != b->tid)
        return a->tid < b->tid ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static int end_names(struct verify *v, struct err *err)
{
    if (v->n_names > 1)
        qsort(v->names, v->n_names, sizeof *v->names, cmp_name);
    size_t at = 0;
    for (size_t i = 0; i < v->n_seen_tenants; i++) {
        size_t first = at;
        for (; at < v->n_names && v->names[at].tid == i; at++)
            if (v->names[at].id != at - first)
                return bad(err, "numbers of names are not 0, 1, 2, ...");
        if (at - first != v->tenants[i].n_names)
            return bad(err, "a tenant has too few names, or too many");
    }
    return 0;
}

/* A posting's key, taken apart. */
struct posting_key {
    struct seen_tenant *tenant;
    const struct seen_name *name;
    uint8_t kind;
    struct str_view text; /* as the key has it */
    uint16_t high;
};
enum { POSTING_HEAD = 4 + 4 + 1, POSTING_TAIL = 2 };

static bool posting_key_of(struct verify *v, struct str_view key, struct posting_key *ret)
{
    if (key.len < POSTING_HEAD + POSTING_TAIL)
        return false;
    struct seen_name wanted = {ld_be32(key.p), ld_be32(key.p + 4), 0};
    *ret = (struct posting_key){
        .tenant = tenant_of(v, wanted.tid),
        .kind = (uint8_t)key.p[8],
        .text = sv_sub(key, POSTING_HEAD, key.len - POSTING_HEAD - POSTING_TAIL),
        .high = ld_be16(key.p + key.len - POSTING_TAIL)};
    ret->name = v->n_names ? bsearch(&wanted, v->names, v->n_names, sizeof wanted, cmp_name) : NULL;
    return ret->tenant && ret->name && ret->kind <= POSTING_VALUE;
}

/* The hash that its series are summed under. */
static int hash_posting(struct verify *v, struct str_view key, const struct posting_key *k,
                        struct str_view cut_text, uint64_t *ret, struct err *err)
{
    struct str_view value;
    *ret = k->name->hash;
    if (k->kind == POSTING_HAS_NAME)
        return k->text.len == 0 && cut_text.len == 0 ? 0 : bad(err, "no posting of a name");
    if (!text_of_key(k->text, cut_text, &value))
        return bad(err, "no posting of a value");
    size_t count_at = key.len - POSTING_TAIL - 1;
    if (cut_text.len && !count_text(&v->postings_disamb, sv_sub(key, 0, count_at),
                                    (uint8_t)key.p[count_at], k->high))
        return bad(err, "values of one hash are not counted 0, 1, 2, ...");
    *ret = value_hash(*ret, value);
    return 0;
}

static int take_posting(struct verify *v, struct str_view key, struct str_view value,
                        struct err *err)
{
    struct posting_key k;
    struct table_text text;
    uint64_t hash;
    uint32_t n = 0;
    if (!posting_key_of(v, key, &k) || !table_text_of(value, &text))
        return bad(err, "no posting");
    int r = hash_posting(v, key, &k, text.text, &hash, err);
    if (r == 0)
        r = posting_decode(text.rest, posting_key_crc(key, text.text), v->sids, &n, err);
    for (uint32_t i = 0; i < n && r == 0; i++) {
        uint32_t sid = (uint32_t)k.high << 16 | v->sids[i];
        if (sid >= k.tenant->n_sids)
            r = bad(err, "a posting of a series that there is not");
        v->posted_sum[k.kind] += mix(hash, sid);
    }
    return r;
}

static int end_postings(struct verify *v, struct err *err)
{
    if (v->pairs_sum[POSTING_HAS_NAME] != v->posted_sum[POSTING_HAS_NAME] ||
        v->pairs_sum[POSTING_VALUE] != v->posted_sum[POSTING_VALUE])
        return bad(err, "postings and labels disagree");
    return 0;
}

/* --- parts and segments ----------------------------------------------------------------- */

enum { PART_KEY_BYTES = 4 + 8 + UUID_BYTES + 4 };

static int take_part(struct verify *v, struct str_view key, struct str_view value, struct err *err)
{
    struct seen_tenant *t = key.len == PART_KEY_BYTES ? tenant_of(v, ld_be32(key.p)) : NULL;
    struct part_row d;
    if (!t)
        return bad(err, "no part");
    int r = part_row_open(&d, crc32c(key), value, err);
    if (r < 0)
        return r;
    int64_t last_ns = period_last_ns(v->period);
    if (ts_to_key(d.max_ts_ns) != ld_be64(key.p + 4) ||
        (d.n_series > 0 && (d.min_ts_ns < v->period.start_ns || d.max_ts_ns > last_ns)))
        return bad(err, "a part out of its time");
    v->rows_sum += XXH64(key.p, key.len, 0);
    return part_row_check(&d, t->n_sids, err);
}

static int take_segment(struct verify *v, struct str_view key, struct str_view value,
                        struct err *err)
{
    struct table_segment s;
    if (key.len != UUID_BYTES)
        return bad(err, "no segment");
    int r = table_segment_of(key, value, &s, err);
    if (r < 0)
        return r;
    if (s.refs.len == 0 && s.n_unread == 0)
        return bad(err, "a segment without a part");
    for (size_t at = 0; at < s.refs.len; at += TABLE_REF_BYTES) {
        struct table_key row = {.len = 0};
        key_be32(&row, ld_le32(s.refs.p + at));
        key_be64(&row, ts_to_key((int64_t)ld_le64(s.refs.p + at + 4)));
        key_put(&row, key);
        key_be32(&row, ld_le32(s.refs.p + at + 12));
        v->refs_sum += XXH64(row.b, row.len, 0);
    }
    return 0;
}

static int end_segments(struct verify *v, struct err *err)
{
    return v->rows_sum == v->refs_sum ? 0 : bad(err, "segments and rows disagree");
}

/* --- all of it -------------------------------------------------------------------------- */

static const struct {
    int (*take)(struct verify *v, struct str_view key, struct str_view value, struct err *err);
    int (*end)(struct verify *v, struct err *err); /* may be NULL */
} databases[TABLE_N_DBS] = {
    [TABLE_META] = {take_meta, end_meta},   [TABLE_TENANTS] = {take_tenant, end_tenants},
    [TABLE_SERIES] = {take_series, NULL},   [TABLE_SIDS] = {take_sid, end_sids},
    [TABLE_NAMES] = {take_name, end_names}, [TABLE_POSTINGS] = {take_posting, end_postings},
    [TABLE_PARTS] = {take_part, NULL},      [TABLE_SEGMENTS] = {take_segment, end_segments},
};

/* What must hold once the databases before `db` are through. */
static int end_before(struct verify *v, unsigned db, struct err *err)
{
    for (; v->n_done < db; v->n_done++) {
        int r = databases[v->n_done].end ? databases[v->n_done].end(v, err) : 0;
        if (r < 0)
            return err_context(err, r, "database '%s'", table_db_names[v->n_done]);
    }
    return 0;
}

static int take_entry(void *ctx, unsigned db, struct str_view key, struct str_view value,
                      struct err *err)
{
    int r = end_before(ctx, db, err);
    return r < 0 ? r : databases[db].take(ctx, key, value, err);
}

static void disamb_init(struct disamb *d)
{
    d->before = mem_zalloc(SUFFIX_BYTES, 1);
    d->now = mem_zalloc(SUFFIX_BYTES, 1);
}

static void disamb_deinit(struct disamb *d)
{
    free(d->before);
    free(d->now);
}

int table_verify_file(struct kv_file *f, const struct period *period, struct err *err)
{
    struct verify *v = mem_zalloc(1, sizeof *v);
    v->expected = period;
    v->sids = mem_alloc(POSTING_MAX * sizeof *v->sids);
    disamb_init(&v->names_disamb);
    disamb_init(&v->postings_disamb);
    int r = kv_file_check(f, table_db_names, TABLE_N_DBS, take_entry, v, err);
    if (r == 0)
        r = end_before(v, TABLE_N_DBS, err);
    disamb_deinit(&v->names_disamb);
    disamb_deinit(&v->postings_disamb);
    arena_deinit(&v->scratch);
    free(v->sids);
    free(v->tenants);
    free(v->names);
    free(v);
    return r;
}

int table_verify(const char *folder, const struct period *period, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    struct kv_file *f = NULL;
    buf_printf(&path, "%s/data.mdb", folder);
    buf_put_u8(&path, 0);
    int r = kv_file_open(&f, path.p, err);
    if (r == 0)
        r = table_verify_file(f, period, err);
    kv_file_close(f);
    return r < 0 ? err_context(err, r, "table '%s'", folder) : 0;
}
