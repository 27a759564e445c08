/* SPDX-License-Identifier: Apache-2.0 */
/* Which segments live must change in one step: a merge puts one object in and takes thirty segments
 * out, and a reader, or a start after power loss, that sees half of it finds entries twice or not
 * at all.  A spill must in the same step say how far the log is covered, or the log is replayed
 * over the segment, or is used again without it.  A list in a file of its own would have to be
 * written anew each time; LMDB gives a transaction that is durable or was not (store/kv.h), and a
 * catalog of ten thousand segments is some megabytes.
 *     database "meta":     "format", "installation", "covered", "generation"
 *     database "segments": uuid -> record (segment_info.h)
 * Bytes: docs/formats.md.
 * What must hold, and who keeps it:
 *   - A segment is in its store, and its rows are in the tables, before it is named (publish.h); a
 *     segment that is named no more is removed after.  So whatever the catalog says can be read.
 *   - `covered` only rises, also where a commit comes late.  Everything below stands in segments.
 *   - After a failed commit nobody knows which of the two states is on the disk until the next one
 *     succeeds: the caller's next commit takes back what the failed one may have added
 *     (publish_commit).
 *   - What the first open shows is on stable storage (`settle`), since the log is used again as far
 *     as it is covered: a commit that a killed process left in the page cache alone must not be
 *     believed before it is synced.
 *   - Generations are handed out before they are committed, and none twice in a process; those of
 *     an earlier one are below `generation`, which is the largest ever committed.
 * The catalog is a list that may be old, not the truth: the segments say of themselves what they
 * are (adopt.h), and all of it is made again from them (rebuild.h). */
#include "store/catalog.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/catalog_verify.h"
#include "store/kv.h"

struct catalog {
    struct kv *kv;
    struct installation inst;         /* fixed at open */
    _Atomic uint64_t covered_lsn;     /* as committed */
    _Atomic uint64_t last_generation; /* handed out */
};

/* ---- the environment ---- */

static int put_meta(struct kv_txn *t, struct str_view key, const void *p, size_t len,
                    struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    catalog_record_encode(&b, key, sv(p, len));
    return kv_put(t, CATALOG_META, key, buf_view(&b), err);
}

static int put_u64(struct kv_txn *t, struct str_view key, uint64_t v, struct err *err)
{
    char bytes[8];
    st_le64(bytes, v);
    return put_meta(t, key, bytes, sizeof bytes, err);
}

/* KV_NONE where it is absent. */
static int get_meta(struct kv_txn *t, struct str_view key, size_t len, struct str_view *ret,
                    struct err *err)
{
    struct str_view v;
    int r = kv_get(t, CATALOG_META, key, &v, err);
    return r != KV_OK ? r : catalog_record_decode(key, v, len, ret, err);
}

/* 0 where it is absent. */
static int get_u64(struct kv_txn *t, struct str_view key, uint64_t *ret, struct err *err)
{
    struct str_view v;
    int r = get_meta(t, key, 8, &v, err);
    *ret = r == KV_OK ? ld_le64(v.p) : 0;
    return r < 0 ? r : 0;
}

static int write_first_records(void *ctx, struct kv_txn *t, struct err *err)
{
    const struct installation *inst = ctx;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put_bytes(&b, inst->uuid.b, UUID_BYTES);
    buf_put_le64(&b, (uint64_t)inst->created_ns);
    int r = put_u64(t, SV("format"), CATALOG_FORMAT, err);
    return r < 0 ? r : put_meta(t, SV("installation"), b.p, b.len, err);
}

static int read_meta_in(struct catalog *c, struct kv_txn *t, uint64_t *ret_format, struct err *err)
{
    uint64_t covered, generation;
    int r = get_u64(t, SV("format"), ret_format, err);
    if (r < 0)
        return r;
    if (*ret_format != CATALOG_FORMAT && *ret_format != CATALOG_OLD_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "catalog of format version %llu, this build knows %d",
                       (unsigned long long)*ret_format, CATALOG_FORMAT);
    if ((r = get_u64(t, SV("covered"), &covered, err)) < 0 ||
        (r = get_u64(t, SV("generation"), &generation, err)) < 0)
        return r;
    struct str_view inst = SV_EMPTY;
    r = get_meta(t, SV("installation"), INSTALLATION_BYTES, &inst, err);
    if (r == KV_NONE)
        return err_set(err, ERR_CORRUPT, "catalog without an installation record");
    if (r < 0)
        return r;
    c->inst.uuid = uuid_of_bytes((const uint8_t *)inst.p);
    c->inst.created_ns = (int64_t)ld_le64(inst.p + UUID_BYTES);
    atomic_init(&c->covered_lsn, covered);
    atomic_init(&c->last_generation, generation);
    return 0;
}

static int read_meta(struct catalog *c, uint64_t *ret_format, struct err *err)
{
    struct kv_txn t;
    int r = kv_read_begin(c->kv, &t, err);
    if (r < 0)
        return r;
    r = read_meta_in(c, &t, ret_format, err);
    kv_read_end(&t);
    return r;
}

/* --- segments --------------------------------------------------------------------------- */

static struct str_view uuid_key(const struct uuid *u)
{
    return sv((const char *)u->b, UUID_BYTES);
}

struct loaded {
    struct segment_info *v;
    size_t n, cap;
};

static int load_in(struct kv_txn *t, struct arena *arena, struct loaded *out, struct err *err)
{
    struct kv_cursor cur;
    int r = kv_cursor_open(t, CATALOG_SEGMENTS, &cur, err);
    if (r < 0)
        return r;
    for (r = kv_seek(&cur, SV_EMPTY, err); r == KV_OK; r = kv_next(&cur, err)) {
        struct segment_info info;
        r = catalog_segment_decode(arena, cur.key, cur.value, &info, err);
        if (r < 0)
            break;
        out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
        out->v[out->n++] = info;
    }
    kv_cursor_close(&cur);
    return r < 0 ? r : 0;
}

/* --- open ------------------------------------------------------------------------------- */

/* Every record as this build writes it. */
static int upgrade_in(void *ctx, struct kv_txn *t, struct err *err)
{
    struct catalog *c = ctx;
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct loaded all = {0};
    int r = load_in(t, &arena, &all, err);
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        buf_clear(&b);
        segment_info_encode(&b, &all.v[i]);
        r = kv_put(t, CATALOG_SEGMENTS, uuid_key(&all.v[i].uuid), buf_view(&b), err);
    }
    free(all.v);
    if (r >= 0)
        r = write_first_records(&c->inst, t, err);
    if (r >= 0)
        r = put_u64(t, SV("covered"), atomic_load(&c->covered_lsn), err);
    return r < 0 ? r : put_u64(t, SV("generation"), atomic_load(&c->last_generation), err);
}

static int check_file(void *ctx, const char *folder, struct err *err)
{
    return catalog_verify(folder, err);
}

static int open_with(struct catalog **ret, const char *folder, struct installation inst,
                     struct err *err)
{
    struct catalog *c = mem_zalloc(1, sizeof *c);
    struct kv_conf conf = {.dbs = catalog_db_names,
                           .n_dbs = CATALOG_N_DBS,
                           .settle = true, /* the log is used again as far as it is covered */
                           .init = write_first_records,
                           .ctx = &inst,
                           .check = check_file};
    uint64_t format = 0;
    int r = kv_open(&c->kv, folder, &conf, err);
    if (r == 0)
        r = read_meta(c, &format, err);
    if (r == 0 && format == CATALOG_OLD_FORMAT)
        r = kv_write(c->kv, upgrade_in, c, err);
    if (r < 0) {
        kv_close(c->kv);
        free(c);
        return err_context(err, r, "catalog");
    }
    *ret = c;
    return 0;
}

int catalog_open(struct catalog **ret, const char *folder, struct err *err)
{
    return open_with(ret, folder, (struct installation){uuid_new(), clock_wall_ns()}, err);
}

int catalog_create(struct catalog **ret, const char *folder, const struct installation *inst,
                   struct err *err)
{
    if (kv_exists(folder))
        return err_set(err, -EEXIST, "there is a catalog in '%s' already", folder);
    return open_with(ret, folder, *inst, err);
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    kv_seal(c->kv, check_file, NULL, NULL); /* or the next opener verifies it */
    kv_close(c->kv);
    free(c);
}

struct installation catalog_installation(const struct catalog *c)
{
    return c->inst;
}

uint64_t catalog_covered_lsn(struct catalog *c)
{
    return atomic_load(&c->covered_lsn);
}

uint64_t catalog_next_generation(struct catalog *c)
{
    return atomic_fetch_add(&c->last_generation, 1) + 1;
}

/* ---- commit and load ---- */

struct commit {
    const struct catalog_change *change;
    uint64_t covered_lsn; /* out: as it stands afterwards */
};

static int write_change(void *ctx, struct kv_txn *t, struct err *err)
{
    struct commit *cm = ctx;
    const struct catalog_change *ch = cm->change;
    uint64_t covered, generation;
    int r = get_u64(t, SV("covered"), &covered, err);
    if (r == 0)
        r = get_u64(t, SV("generation"), &generation, err);
    for (size_t i = 0; r >= 0 && i < ch->n_remove; i++)
        r = kv_del(t, CATALOG_SEGMENTS, uuid_key(&ch->remove[i]), err);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    for (size_t i = 0; r >= 0 && i < ch->n_add; i++) {
        buf_clear(&b);
        segment_info_encode(&b, &ch->add[i]);
        r = kv_put(t, CATALOG_SEGMENTS, uuid_key(&ch->add[i].uuid), buf_view(&b), err);
        if (ch->add[i].generation > generation)
            generation = ch->add[i].generation;
    }
    cm->covered_lsn = ch->covered_lsn > covered ? ch->covered_lsn : covered;
    if (r >= 0)
        r = put_u64(t, SV("covered"), cm->covered_lsn, err);
    return r < 0 ? r : put_u64(t, SV("generation"), generation, err);
}

/* Raises *p to at least v; two commits may end in either order. */
static void raise_to(_Atomic uint64_t *p, uint64_t v)
{
    uint64_t seen = atomic_load(p);
    while (seen < v && !atomic_compare_exchange_weak(p, &seen, v))
        ;
}

int catalog_commit(struct catalog *c, const struct catalog_change *change, struct err *err)
{
    struct commit cm = {.change = change};
    int r = kv_write(c->kv, write_change, &cm, err);
    if (r < 0)
        return err_context(err, r, "catalog commit");
    raise_to(&c->covered_lsn, cm.covered_lsn);
    for (size_t i = 0; i < change->n_add; i++)
        raise_to(&c->last_generation, change->add[i].generation);
    return 0;
}

static int cmp_order(const void *a, const void *b)
{
    return segment_order(a, b);
}

int catalog_load(struct catalog *c, struct arena *arena, struct segment_info **ret, size_t *ret_n,
                 struct err *err)
{
    struct loaded out = {0};
    struct kv_txn t;
    int r = kv_read_begin(c->kv, &t, err);
    if (r == 0) {
        r = load_in(&t, arena, &out, err);
        kv_read_end(&t);
    }
    if (r < 0) {
        free(out.v);
        return err_context(err, r, "catalog");
    }
    if (out.n > 1)
        qsort(out.v, out.n, sizeof *out.v, cmp_order);
    *ret = ARENA_ARRAY(arena, struct segment_info, out.n);
    if (out.n)
        memcpy(*ret, out.v, out.n * sizeof *out.v);
    *ret_n = out.n;
    free(out.v);
    return 0;
}
