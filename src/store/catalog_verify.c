/* SPDX-License-Identifier: Apache-2.0 */
#include "store/catalog_verify.h"

#include "base/crc32c.h"
#include "store/kv_file.h"

enum { CRC_BYTES = 4 };

const char *const catalog_db_names[CATALOG_N_DBS] = {"meta", "segments"};

/* --- records ---------------------------------------------------------------------------- */

void catalog_record_encode(struct buf *out, struct str_view key, struct str_view value)
{
    buf_put(out, value);
    buf_put_le32(out, crc32c_extend(crc32c(key), value));
}

int catalog_record_decode(struct str_view key, struct str_view record, size_t len,
                          struct str_view *ret, struct err *err)
{
    if (record.len != len && record.len != len + CRC_BYTES)
        return err_set(err, ERR_CORRUPT, "catalog entry '%.*s' has %zu bytes", SV_ARG(key),
                       record.len);
    *ret = sv_sub(record, 0, len);
    if (record.len > len && ld_le32(record.p + len) != crc32c_extend(crc32c(key), *ret))
        return err_set(err, ERR_CORRUPT, "catalog entry '%.*s' has a wrong checksum", SV_ARG(key));
    return 0;
}

int catalog_segment_decode(struct arena *arena, struct str_view key, struct str_view record,
                           struct segment_info *ret, struct err *err)
{
    if (key.len != UUID_BYTES)
        return err_set(err, ERR_CORRUPT, "catalog key of %zu bytes", key.len);
    return segment_info_decode(arena, uuid_of_bytes((const uint8_t *)key.p), record, ret, err);
}

/* --- verify ----------------------------------------------------------------------------- */

struct catalog_verify {
    struct arena arena; /* scratch */
    bool has_installation;
    uint64_t format, generation, max_generation;
};

static int take_meta(struct catalog_verify *v, struct str_view key, struct str_view value,
                     struct err *err)
{
    struct str_view body;
    bool inst = sv_eq(key, SV("installation")), format = sv_eq(key, SV("format"));
    bool generation = sv_eq(key, SV("generation"));
    if (!inst && !format && !generation && !sv_eq(key, SV("covered")))
        return err_set(err, ERR_CORRUPT, "catalog with an unknown entry");
    int r = catalog_record_decode(key, value, inst ? INSTALLATION_BYTES : 8, &body, err);
    if (r < 0)
        return r;
    v->has_installation |= inst;
    if (format)
        v->format = ld_le64(body.p);
    if (generation)
        v->generation = ld_le64(body.p);
    return 0;
}

static int take_entry(void *ctx, unsigned db, struct str_view key, struct str_view value,
                      struct err *err)
{
    struct catalog_verify *v = ctx;
    if (db == CATALOG_META)
        return take_meta(v, key, value, err);
    struct segment_info info;
    int r = catalog_segment_decode(&v->arena, key, value, &info, err);
    if (r == 0 && info.generation > v->max_generation)
        v->max_generation = info.generation;
    arena_clear(&v->arena);
    return r;
}

static int judge(const struct catalog_verify *v, struct err *err)
{
    if (v->format != CATALOG_FORMAT && v->format != CATALOG_OLD_FORMAT)
        return err_set(err, v->format ? ERR_UNSUPPORTED : ERR_CORRUPT,
                       "catalog of format version %llu, this build knows %d",
                       (unsigned long long)v->format, CATALOG_FORMAT);
    if (!v->has_installation)
        return err_set(err, ERR_CORRUPT, "catalog without an installation record");
    if (v->max_generation > v->generation)
        return err_set(err, ERR_CORRUPT, "catalog with a segment of a later generation");
    return 0;
}

int catalog_verify_file(struct kv_file *f, struct err *err)
{
    struct catalog_verify v = {.format = 0};
    int r = kv_file_check(f, catalog_db_names, CATALOG_N_DBS, take_entry, &v, err);
    arena_deinit(&v.arena);
    return r < 0 ? r : judge(&v, err);
}

int catalog_verify(const char *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    struct kv_file *f = NULL;
    buf_printf(&path, "%s/data.mdb", folder);
    buf_put_u8(&path, 0);
    int r = kv_file_open(&f, path.p, err);
    if (r == 0)
        r = catalog_verify_file(f, err);
    kv_file_close(f);
    return r < 0 ? err_context(err, r, "catalog '%s'", folder) : 0;
}
