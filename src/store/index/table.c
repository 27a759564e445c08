/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, keys and the small records. */
#include "store/index/table.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

#include "base/crc32c.h"

enum { PLAIN_TEXT_BYTES = 400, CUT_TEXT_BYTES = 392, TENANT_BYTES = 12, CRC_BYTES = 4 };
_Static_assert(CUT_TEXT_BYTES + 8 + 1 == TABLE_TEXT_KEY_BYTES, "a cut key has a length of its own");
_Static_assert(4 + 4 + 1 + TABLE_TEXT_KEY_BYTES + 2 <= KV_MAX_KEY_BYTES,
               "postings have the longest");

const char *const table_db_names[TABLE_N_DBS] = {
    "meta", "tenants", "series", "sids", "names", "postings", "parts", "segments",
};

/* --- small records ---------------------------------------------------------------------- */

void record_end(struct buf *value, struct str_view key)
{
    buf_put_le32(value, crc32c_extend(crc32c(key), buf_view(value)));
}

int record_open(struct str_view key, struct str_view value, struct str_view *ret, struct err *err)
{
    if (value.len < CRC_BYTES)
        return err_set(err, ERR_CORRUPT, "index record of %zu bytes", value.len);
    *ret = sv_sub(value, 0, value.len - CRC_BYTES);
    if (ld_le32(value.p + ret->len) != crc32c_extend(crc32c(key), *ret))
        return err_set(err, ERR_CORRUPT, "index record with a wrong checksum");
    return 0;
}

/* KV_NONE where it is absent. */
static int get_record(struct kv_txn *t, enum table_db db, struct str_view key, size_t bytes,
                      struct str_view *ret, struct err *err)
{
    struct str_view v;
    int r = kv_get(t, db, key, &v, err);
    if (r == KV_OK)
        r = record_open(key, v, ret, err);
    if (r == 0 && ret->len != bytes)
        return err_set(err, ERR_CORRUPT, "index record of %zu bytes", v.len);
    return r;
}

int table_segment_of(struct str_view key, struct str_view value, struct table_segment *ret,
                     struct err *err)
{
    struct str_view body;
    int r = record_open(key, value, &body, err);
    if (r < 0)
        return r;
    if (body.len < 4 || (body.len - 4) % TABLE_REF_BYTES)
        return err_set(err, ERR_CORRUPT, "index row of a segment of %zu bytes", body.len);
    *ret = (struct table_segment){ld_le32(body.p), sv_from(body, 4)};
    return 0;
}

/* --- open ------------------------------------------------------------------------------- */

static int put_meta(struct kv_txn *t, struct str_view key, const void *p, size_t len,
                    struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put_bytes(&b, p, len);
    record_end(&b, key);
    return kv_put(t, TABLE_META, key, buf_view(&b), err);
}

static int put_first_records(void *ctx, struct kv_txn *t, struct err *err)
{
    const struct period *period = ctx;
    char format[4], times[16];
    st_le32(format, TABLE_FORMAT);
    st_le64(times, (uint64_t)period->start_ns);
    st_le64(times + 8, (uint64_t)period->length_ns);
    int r = put_meta(t, SV("format"), format, sizeof format, err);
    return r < 0 ? r : put_meta(t, SV("period"), times, sizeof times, err);
}

/* Formats 1 and 2 had no checksum here. */
static int check_format(struct kv_txn *t, struct err *err)
{
    struct str_view v = SV_EMPTY;
    int r = kv_get(t, TABLE_META, SV("format"), &v, err);
    if (r >= 0 && v.len < 4)
        return err_set(err, ERR_CORRUPT, "table without a format version");
    if (r >= 0 && ld_le32(v.p) != TABLE_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "table of format version %u, this build knows %d",
                       ld_le32(v.p), TABLE_FORMAT);
    return r < 0 ? r : get_record(t, TABLE_META, SV("format"), 4, &v, err);
}

static int check_period(struct kv_txn *t, const struct period *period, struct err *err)
{
    struct str_view v;
    int r = get_record(t, TABLE_META, SV("period"), 16, &v, err);
    if (r < 0)
        return r;
    if (r == KV_NONE || (int64_t)ld_le64(v.p) != period->start_ns ||
        (int64_t)ld_le64(v.p + 8) != period->length_ns)
        return err_set(err, ERR_CORRUPT, "it is the table of another period");
    return 0;
}

static int check_meta(struct table *t, const struct period *period, struct err *err)
{
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    r = check_format(&txn, err);
    if (r == KV_OK)
        r = check_period(&txn, period, err);
    kv_read_end(&txn);
    return r;
}

int table_open(struct table *ret, const char *folder, const struct table_conf *conf,
               struct err *err)
{
    struct period period = conf->period;
    struct kv_conf kv = {.dbs = table_db_names,
                         .n_dbs = TABLE_N_DBS,
                         .map_bytes = conf->map_bytes,
                         .must_exist = conf->must_exist,
                         .init = put_first_records,
                         .ctx = &period,
                         .seen = conf->seen,
                         .check = conf->check,
                         .check_ctx = conf->check_ctx};
    struct table t = {0};
    int r = kv_open(&t.kv, folder, &kv, err);
    if (r == 0)
        r = check_meta(&t, &period, err);
    if (r < 0) {
        kv_close(t.kv);
        return r;
    }
    *ret = t;
    return 0;
}

void table_close(struct table *t)
{
    kv_close(t->kv);
    t->kv = NULL;
}

int table_tenant(struct kv_txn *t, struct str_view name, struct table_tenant *ret, struct err *err)
{
    struct table_key k = {.len = 0};
    key_text(&k, name, 0);
    struct str_view v;
    int r = get_record(t, TABLE_TENANTS, key_view(&k), TENANT_BYTES, &v, err);
    if (r == KV_OK)
        *ret = (struct table_tenant){ld_le32(v.p), ld_le32(v.p + 4), ld_le32(v.p + 8)};
    return r;
}

/* --- keys ------------------------------------------------------------------------------- */

void key_be32(struct table_key *k, uint32_t v)
{
    v = __builtin_bswap32(v);
    key_put(k, sv((const char *)&v, sizeof v));
}

void key_be64(struct table_key *k, uint64_t v)
{
    v = __builtin_bswap64(v);
    key_put(k, sv((const char *)&v, sizeof v));
}

void key_put(struct table_key *k, struct str_view v)
{
    assert(v.len <= sizeof k->b - k->len);
    if (v.len)
        memcpy(k->b + k->len, v.p, v.len);
    k->len += v.len;
}

bool key_text_is_cut(struct str_view text)
{
    return text.len > PLAIN_TEXT_BYTES;
}

void key_text(struct table_key *k, struct str_view text, uint8_t disamb)
{
    if (!key_text_is_cut(text)) {
        key_put(k, text);
        return;
    }
    key_put(k, sv_sub(text, 0, CUT_TEXT_BYTES));
    key_be64(k, XXH64(text.p, text.len, 0));
    key_put(k, sv((const char *)&disamb, 1));
}

uint16_t ld_be16(const char *p)
{
    return __builtin_bswap16(ld_le16(p));
}

uint32_t ld_be32(const char *p)
{
    return __builtin_bswap32(ld_le32(p));
}

uint64_t ld_be64(const char *p)
{
    return __builtin_bswap64(ld_le64(p));
}

/* --- texts ------------------------------------------------------------------------------ */

bool table_text_of(struct str_view value, struct table_text *ret)
{
    struct reader in = reader_of(value);
    ret->value = value;
    ret->text = rd_str(&in, value.len);
    ret->rest = sv_from(value, in.at);
    return !in.bad;
}

int table_find_text(struct kv_txn *t, unsigned db, const struct table_key *prefix,
                    struct str_view text, int suffix_or_minus, struct table_key *ret_key,
                    struct table_text *ret, struct err *err)
{
    bool cut = key_text_is_cut(text);
    for (unsigned disamb = 0; disamb <= TABLE_MAX_DISAMB; disamb++) {
        ret_key->len = 0;
        key_put(ret_key, key_view(prefix));
        key_text(ret_key, text, (uint8_t)disamb);
        if (suffix_or_minus >= 0) {
            uint16_t be = __builtin_bswap16((uint16_t)suffix_or_minus);
            key_put(ret_key, sv((const char *)&be, sizeof be));
        }
        struct str_view v;
        int r = kv_get(t, db, key_view(ret_key), &v, err);
        if (r != KV_OK)
            return r;
        if (!table_text_of(v, ret))
            return err_set(err, ERR_CORRUPT, "index text record that does not decode");
        if (!cut || sv_eq(ret->text, text))
            return KV_OK;
    }
    return err_set(err, ERR_CORRUPT, "more than %d texts of one hash in the index",
                   TABLE_MAX_DISAMB);
}

uint32_t posting_key_crc(struct str_view key, struct str_view cut_text)
{
    return crc32c_extend(crc32c(key), cut_text);
}

int table_name_record(struct str_view key, struct str_view value, uint32_t *ret, struct err *err)
{
    struct str_view body;
    struct table_text t;
    int r = record_open(key, value, &body, err);
    if (r < 0)
        return r;
    if (!table_text_of(body, &t) || t.rest.len != 4)
        return err_set(err, ERR_CORRUPT, "label name record of %zu bytes", value.len);
    *ret = ld_le32(t.rest.p);
    return 0;
}

int table_name_id(struct kv_txn *t, uint32_t tid, struct str_view name, uint32_t *ret,
                  struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, tid);
    struct table_text found;
    int r = table_find_text(t, TABLE_NAMES, &prefix, name, -1, &key, &found, err);
    return r != KV_OK ? r : table_name_record(key_view(&key), found.value, ret, err);
}
