/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, keys and the small records. */
#include "store/index/table.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

enum { FORMAT_VERSION = 2, PLAIN_TEXT_BYTES = 400, CUT_TEXT_BYTES = 392, TENANT_BYTES = 12 };
_Static_assert(CUT_TEXT_BYTES + 8 + 1 == TABLE_TEXT_KEY_BYTES, "a cut key has a length of its own");
_Static_assert(4 + 4 + 1 + TABLE_TEXT_KEY_BYTES + 2 <= KV_MAX_KEY_BYTES,
               "postings have the longest");

static const char *const db_names[TABLE_N_DBS] = {
    "meta", "tenants", "series", "sids", "names", "postings", "parts", "segments",
};

static int put_format(void *ctx, struct kv_txn *t, struct err *err)
{
    char v[4];
    st_le32(v, FORMAT_VERSION);
    return kv_put(t, TABLE_META, SV("format"), sv(v, sizeof v), err);
}

static int check_format(struct table *t, struct err *err)
{
    struct kv_txn txn;
    int r = kv_read_begin(t->kv, &txn, err);
    if (r < 0)
        return r;
    struct str_view v = SV_EMPTY;
    r = kv_get(&txn, TABLE_META, SV("format"), &v, err);
    if (r >= 0 && v.len != 4)
        r = err_set(err, ERR_CORRUPT, "table without a format version");
    else if (r >= 0 && ld_le32(v.p) != FORMAT_VERSION)
        r = err_set(err, ERR_UNSUPPORTED,
                    "table of format version %u, this build knows %d: run `halogi "
                    "rebuild-index`",
                    ld_le32(v.p), FORMAT_VERSION);
    kv_read_end(&txn);
    return r < 0 ? r : 0;
}

int table_open(struct table *ret, const char *folder, uint64_t map_bytes, struct err *err)
{
    struct kv_conf conf = {
        .dbs = db_names, .n_dbs = TABLE_N_DBS, .map_bytes = map_bytes, .init = put_format};
    struct table t = {0};
    int r = kv_open(&t.kv, folder, &conf, err);
    if (r == 0)
        r = check_format(&t, err);
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
    int r = kv_get(t, TABLE_TENANTS, key_view(&k), &v, err);
    if (r != KV_OK)
        return r;
    if (v.len != TENANT_BYTES)
        return err_set(err, ERR_CORRUPT, "tenant record of %zu bytes", v.len);
    *ret = (struct table_tenant){ld_le32(v.p), ld_le32(v.p + 4), ld_le32(v.p + 8)};
    return KV_OK;
}

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

int table_find_text(struct kv_txn *t, unsigned db, const struct table_key *prefix,
                    struct str_view text, int suffix_or_minus, struct table_key *ret_key,
                    struct str_view *ret, struct err *err)
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
        struct reader in = reader_of(v);
        struct str_view kept = rd_str(&in, v.len);
        if (in.bad)
            return err_set(err, ERR_CORRUPT, "index text record that does not decode");
        if (!cut || sv_eq(kept, text)) {
            *ret = sv_from(v, in.at);
            return KV_OK;
        }
    }
    return err_set(err, ERR_CORRUPT, "more than %d texts of one hash in the index",
                   TABLE_MAX_DISAMB);
}

int table_name_id(struct kv_txn *t, uint32_t tid, struct str_view name, uint32_t *ret,
                  struct err *err)
{
    struct table_key prefix = {.len = 0}, key;
    key_be32(&prefix, tid);
    struct str_view v;
    int r = table_find_text(t, TABLE_NAMES, &prefix, name, -1, &key, &v, err);
    if (r != KV_OK)
        return r;
    if (v.len != 4)
        return err_set(err, ERR_CORRUPT, "label name record of %zu bytes", v.len);
    *ret = ld_le32(v.p);
    return KV_OK;
}
