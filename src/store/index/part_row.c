/* SPDX-License-Identifier: Apache-2.0 */
/* Row:  0 u8 version 1;  1 u8 0;  2 u16 0;  4 u32 series;  8 i64 min_ts;  16 i64 max_ts;
 *       24 u32 CRC-32C of the key, bytes 0..24 and the table;  28 u32 0;
 *       32 table: per group of 64 series (the last may be smaller)
 *            u32 first sid;  u32 start of the group, counted from the end of the table;
 *            u32 CRC-32C of the group
 *       then the groups, each
 *            varint per series but the first: sid - the sid before
 *            per series: varint runs; per run
 *              zigzag varint  chunk - the chunk of the run before in this group (0 at first)
 *              varint first row, rows, line bytes, metadata bytes, min - part min, max - min */
#include "store/index/part_row.h"

#include <assert.h>

#include "base/crc32c.h"

enum { VERSION = 1, HEADER_BYTES = 32, CRC_AT = 24, ENTRY_BYTES = 12, GROUP_SERIES = 64 };

static void put_group(struct buf *out, int64_t min_ts_ns, const struct part_row_series *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        assert(v[i].sid > v[i - 1].sid);
        buf_put_varint(out, v[i].sid - v[i - 1].sid);
    }
    uint32_t chunk = 0;
    for (size_t i = 0; i < n; i++) {
        buf_put_varint(out, v[i].n_runs);
        for (size_t k = 0; k < v[i].n_runs; k++) {
            const struct segment_run *run = &v[i].runs[k];
            assert(run->min_ts_ns >= min_ts_ns && run->max_ts_ns >= run->min_ts_ns);
            buf_put_varint(out, zigzag((int64_t)run->chunk - (int64_t)chunk));
            buf_put_varint(out, run->first_row);
            buf_put_varint(out, run->rows);
            buf_put_varint(out, run->line_bytes);
            buf_put_varint(out, run->sm_bytes);
            buf_put_varint(out, (uint64_t)run->min_ts_ns - (uint64_t)min_ts_ns);
            buf_put_varint(out, (uint64_t)run->max_ts_ns - (uint64_t)run->min_ts_ns);
            chunk = run->chunk;
        }
    }
}

static uint32_t checksum(uint32_t key_crc, const char *header, struct str_view table)
{
    return crc32c_extend(crc32c_extend(key_crc, sv(header, CRC_AT)), table);
}

void part_row_encode(struct buf *out, uint32_t key_crc, int64_t min_ts_ns, int64_t max_ts_ns,
                     const struct part_row_series *v, size_t n)
{
    assert(n <= UINT32_MAX);
    size_t start = out->len, n_groups = (n + GROUP_SERIES - 1) / GROUP_SERIES;
    size_t table_at = start + HEADER_BYTES, groups_at = table_at + n_groups * ENTRY_BYTES;
    memset(buf_add(out, groups_at - start), 0, groups_at - start);
    for (size_t g = 0; g < n_groups; g++) {
        size_t first = g * GROUP_SERIES, at = out->len;
        size_t n_in = n - first < GROUP_SERIES ? n - first : GROUP_SERIES;
        assert(g == 0 || v[first].sid > v[first - 1].sid);
        put_group(out, min_ts_ns, v + first, n_in);
        char *entry = out->p + table_at + g * ENTRY_BYTES;
        st_le32(entry, v[first].sid);
        st_le32(entry + 4, (uint32_t)(at - groups_at));
        st_le32(entry + 8, crc32c(sv(out->p + at, out->len - at)));
    }
    assert(out->len - groups_at <= UINT32_MAX);
    char *header = out->p + start;
    header[0] = VERSION;
    st_le32(header + 4, (uint32_t)n);
    st_le64(header + 8, (uint64_t)min_ts_ns);
    st_le64(header + 16, (uint64_t)max_ts_ns);
    st_le32(header + CRC_AT,
            checksum(key_crc, header, sv(out->p + table_at, groups_at - table_at)));
}

static uint32_t group_sid(const struct part_row *d, uint32_t g)
{
    return ld_le32(d->table.p + (size_t)g * ENTRY_BYTES);
}

static uint32_t group_start(const struct part_row *d, uint32_t g)
{
    return ld_le32(d->table.p + (size_t)g * ENTRY_BYTES + 4);
}

int part_row_open(struct part_row *ret, uint32_t key_crc, struct str_view row, struct err *err)
{
    if (row.len < HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, "index row of %zu bytes", row.len);
    if (row.p[0] != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "index row of version %u", (uint8_t)row.p[0]);
    struct part_row d = {.n_series = ld_le32(row.p + 4),
                         .min_ts_ns = (int64_t)ld_le64(row.p + 8),
                         .max_ts_ns = (int64_t)ld_le64(row.p + 16)};
    d.n_groups = d.n_series / GROUP_SERIES + (d.n_series % GROUP_SERIES != 0);
    if (d.n_groups > (row.len - HEADER_BYTES) / ENTRY_BYTES)
        return err_set(err, ERR_CORRUPT, "index row that is cut off");
    d.table = sv_sub(row, HEADER_BYTES, (size_t)d.n_groups * ENTRY_BYTES);
    d.groups = sv_from(row, HEADER_BYTES + d.table.len);
    if (ld_le32(row.p + CRC_AT) != checksum(key_crc, row.p, d.table))
        return err_set(err, ERR_CORRUPT, "index row with a wrong checksum");
    *ret = d;
    return 0;
}

struct run_picker {
    const struct part_row *d;
    const uint32_t *wanted;
    size_t at, n_wanted;    /* wanted[at] is the next one */
    part_row_run_fn *fn;    /* or */
    part_row_meet_fn *meet; /* if no runs are wanted */
    void *ctx;
};

static uint32_t group_n_series(const struct part_row *d, uint32_t g)
{
    return g + 1 < d->n_groups ? GROUP_SERIES : d->n_series - g * GROUP_SERIES;
}

static uint32_t rd_u32_varint(struct reader *in)
{
    uint64_t v = rd_varint(in);
    if (v > UINT32_MAX)
        in->bad = true;
    return (uint32_t)v;
}

/* from + varint, within INT64_MAX. */
static int64_t rd_ts(struct reader *in, int64_t from)
{
    uint64_t v = rd_varint(in);
    if (v > (uint64_t)INT64_MAX - (uint64_t)from)
        in->bad = true;
    return (int64_t)((uint64_t)from + v);
}

static void rd_run(struct reader *in, const struct part_row *d, uint32_t *chunk,
                   struct segment_run *ret)
{
    uint64_t next = (uint64_t)*chunk + (uint64_t)unzigzag(rd_varint(in));
    if (next > UINT32_MAX)
        in->bad = true;
    *chunk = ret->chunk = (uint32_t)next;
    ret->first_row = rd_u32_varint(in);
    ret->rows = rd_u32_varint(in);
    ret->line_bytes = rd_varint(in);
    ret->sm_bytes = rd_varint(in);
    ret->min_ts_ns = rd_ts(in, d->min_ts_ns);
    ret->max_ts_ns = rd_ts(in, ret->min_ts_ns);
    if (ret->max_ts_ns > d->max_ts_ns)
        in->bad = true;
}

/* Numbers of a group's series; false when they do not ascend or pass the next group's first. */
static bool rd_sids(struct reader *in, const struct part_row *d, uint32_t g, uint32_t n,
                    uint32_t *sids)
{
    uint64_t sid = sids[0] = group_sid(d, g);
    uint64_t end = g + 1 < d->n_groups ? group_sid(d, g + 1) : UINT64_C(1) << 32;
    for (uint32_t i = 1; i < n; i++) {
        uint64_t step = rd_varint(in);
        if (step == 0 || step > UINT32_MAX)
            return false;
        sid += step;
        sids[i] = (uint32_t)sid;
        if (sid >= end)
            return false;
    }
    return !in->bad && sid < end;
}

static int group_bytes(const struct part_row *d, uint32_t g, struct str_view *ret, struct err *err)
{
    uint64_t from = group_start(d, g);
    uint64_t to = g + 1 < d->n_groups ? group_start(d, g + 1) : d->groups.len;
    if (to < from || to > d->groups.len)
        return err_set(err, ERR_CORRUPT, "index row with groups out of place");
    *ret = sv_sub(d->groups, (size_t)from, (size_t)(to - from));
    if (crc32c(*ret) != ld_le32(d->table.p + (size_t)g * ENTRY_BYTES + 8))
        return err_set(err, ERR_CORRUPT, "index row group with a wrong checksum");
    return 0;
}

static void meet_in_group(struct run_picker *p, const uint32_t *sids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (p->at < p->n_wanted && p->wanted[p->at] < sids[i])
            p->at++;
        if (p->at == p->n_wanted)
            return;
        if (p->wanted[p->at] == sids[i])
            p->meet(p->ctx, p->at);
    }
}

static int pick_from_group(struct run_picker *p, uint32_t g, struct err *err)
{
    struct str_view bytes;
    int r = group_bytes(p->d, g, &bytes, err);
    if (r < 0)
        return r;
    struct reader in = reader_of(bytes);
    uint32_t sids[GROUP_SERIES], chunk = 0, n = group_n_series(p->d, g);
    bool good = rd_sids(&in, p->d, g, n, sids);
    if (good && p->meet) {
        meet_in_group(p, sids, n);
        return 0;
    }
    for (uint32_t i = 0; good && i < n; i++) {
        while (p->at < p->n_wanted && p->wanted[p->at] < sids[i])
            p->at++;
        if (p->at == p->n_wanted)
            return 0;
        bool hit = p->wanted[p->at] == sids[i];
        uint64_t n_runs = rd_varint(&in);
        for (uint64_t k = 0; k < n_runs && !in.bad; k++) {
            struct segment_run run;
            rd_run(&in, p->d, &chunk, &run);
            if (hit && !in.bad)
                p->fn(p->ctx, p->at, &run);
        }
        good = !in.bad;
    }
    return good ? 0 : err_set(err, ERR_CORRUPT, "index row group that does not decode");
}

/* The last group from `g` on whose first sid is not above `sid`: doubling steps, then halving. */
static uint32_t group_of(const struct part_row *d, uint32_t g, uint32_t sid)
{
    uint32_t lo = g, step = 1;
    while (step < d->n_groups - lo && group_sid(d, lo + step) <= sid) {
        lo += step;
        step *= 2;
    }
    uint32_t hi = step < d->n_groups - lo ? lo + step : d->n_groups;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (group_sid(d, mid) <= sid)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int pick(struct run_picker *p, struct err *err)
{
    const struct part_row *d = p->d;
    for (uint32_t g = 0; p->at < p->n_wanted && g < d->n_groups; g++) {
        g = group_of(d, g, p->wanted[p->at]);
        int r = pick_from_group(p, g, err);
        if (r < 0)
            return r;
        /* Numbers between this group's last and the next one's first are not here. */
        while (p->at < p->n_wanted &&
               (g + 1 == d->n_groups || p->wanted[p->at] < group_sid(d, g + 1)))
            p->at++;
    }
    return 0;
}

int part_row_select(const struct part_row *d, const uint32_t *wanted, size_t n_wanted,
                    part_row_run_fn *fn, void *ctx, struct err *err)
{
    struct run_picker p = {.d = d, .wanted = wanted, .n_wanted = n_wanted, .fn = fn, .ctx = ctx};
    return pick(&p, err);
}

int part_row_meet(const struct part_row *d, const uint32_t *wanted, size_t n_wanted,
                  part_row_meet_fn *fn, void *ctx, struct err *err)
{
    struct run_picker p = {.d = d, .wanted = wanted, .n_wanted = n_wanted, .meet = fn, .ctx = ctx};
    return pick(&p, err);
}

/* --- check ------------------------------------------------------------------------------ */

static bool group_is_good(const struct part_row *d, uint32_t g, struct str_view bytes,
                          uint32_t n_sids)
{
    struct reader in = reader_of(bytes);
    uint32_t sids[GROUP_SERIES], chunk = 0, n = group_n_series(d, g);
    if (!rd_sids(&in, d, g, n, sids) || sids[n - 1] >= n_sids)
        return false;
    for (uint32_t i = 0; i < n && !in.bad; i++) {
        uint64_t n_runs = rd_varint(&in);
        if (n_runs == 0)
            return false;
        for (uint64_t k = 0; k < n_runs && !in.bad; k++) {
            struct segment_run run;
            rd_run(&in, d, &chunk, &run);
        }
    }
    return !in.bad && in.at == in.len;
}

int part_row_check(const struct part_row *d, uint32_t n_sids, struct err *err)
{
    for (uint32_t g = 0; g < d->n_groups; g++) {
        struct str_view bytes;
        int r = group_bytes(d, g, &bytes, err);
        if (r < 0)
            return r;
        if (!group_is_good(d, g, bytes, n_sids))
            return err_set(err, ERR_CORRUPT, "index row group that does not decode");
    }
    return 0;
}
