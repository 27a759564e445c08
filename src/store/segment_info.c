/* SPDX-License-Identifier: Apache-2.0 */
#include "store/segment_info.h"

#include <time.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "chunk/segment.h"

enum { RECORD_VERSION = 2, OLD_VERSION = 1, MAX_RECORD_BYTES = 64 << 20, MAX_KEY_BYTES = 1022 };
enum { PERIOD_BYTES = 16, COVERAGE_BYTES = 32, CRC_BYTES = 4 };

static uint32_t checksum(struct uuid uuid, struct str_view body)
{
    return crc32c_extend(crc32c(sv((const char *)uuid.b, UUID_BYTES)), body);
}

void segment_info_encode(struct buf *out, const struct segment_info *info)
{
    size_t start = out->len;
    buf_put_u8(out, RECORD_VERSION);
    buf_put_u8(out, (uint8_t)info->place);
    buf_put_u8(out, info->level);
    buf_put_u8(out, 0);
    buf_put_le32(out, info->n_parts);
    buf_put_le64(out, info->bytes);
    buf_put_le64(out, info->generation);
    buf_put_le64(out, (uint64_t)info->created_ns);
    buf_put_le64(out, (uint64_t)info->min_ts_ns);
    buf_put_le64(out, (uint64_t)info->max_ts_ns);
    buf_put_le64(out, info->n_rows);
    buf_put_le64(out, info->line_bytes);
    buf_put_str(out, info->key);
    buf_put_varint(out, info->n_periods);
    for (size_t i = 0; i < info->n_periods; i++) {
        buf_put_le64(out, (uint64_t)info->periods[i].start_ns);
        buf_put_le64(out, (uint64_t)info->periods[i].length_ns);
    }
    buf_put_varint(out, info->n_coverage);
    for (size_t i = 0; i < info->n_coverage; i++) {
        buf_put_bytes(out, info->coverage[i].source.b, UUID_BYTES);
        buf_put_le64(out, info->coverage[i].first);
        buf_put_le64(out, info->coverage[i].last);
    }
    buf_put_le32(out, checksum(info->uuid, sv(out->p + start, out->len - start)));
}

static struct uuid rd_uuid(struct reader *in)
{
    struct str_view v = rd_bytes(in, UUID_BYTES);
    return v.len ? uuid_of_bytes((const uint8_t *)v.p) : (struct uuid){{0}};
}

/* A count of records that each take elem_bytes of what is left. */
static size_t rd_count(struct reader *in, size_t elem_bytes)
{
    uint64_t n = rd_varint(in);
    if (n > reader_left(in) / elem_bytes) {
        in->bad = true;
        return 0;
    }
    return (size_t)n;
}

static void rd_periods(struct reader *in, struct arena *arena, struct segment_info *info)
{
    info->n_periods = rd_count(in, PERIOD_BYTES);
    struct period *v = ARENA_ARRAY(arena, struct period, info->n_periods);
    for (size_t i = 0; i < info->n_periods; i++) {
        v[i].start_ns = (int64_t)rd_le64(in);
        v[i].length_ns = (int64_t)rd_le64(in);
        if (v[i].length_ns <= 0 || (i > 0 && v[i].start_ns < v[i - 1].start_ns))
            in->bad = true;
    }
    info->periods = v;
}

static void rd_coverage(struct reader *in, struct arena *arena, struct segment_info *info)
{
    info->n_coverage = rd_count(in, COVERAGE_BYTES);
    struct lsn_range *v = ARENA_ARRAY(arena, struct lsn_range, info->n_coverage);
    for (size_t i = 0; i < info->n_coverage; i++) {
        v[i].source = rd_uuid(in);
        v[i].first = rd_le64(in);
        v[i].last = rd_le64(in);
        if (v[i].first > v[i].last)
            in->bad = true;
    }
    info->coverage = v;
}

/* Version 1 had a checksum over the record alone. */
static int check_record(struct uuid uuid, struct str_view record, struct str_view *ret_body,
                        struct err *err)
{
    if (record.len <= CRC_BYTES || record.len > MAX_RECORD_BYTES)
        return err_set(err, ERR_CORRUPT, "catalog record of %zu bytes", record.len);
    struct str_view body = sv_sub(record, 0, record.len - CRC_BYTES);
    uint8_t version = (uint8_t)body.p[0];
    uint32_t crc = version == OLD_VERSION ? crc32c(body) : checksum(uuid, body);
    if (ld_le32(record.p + body.len) != crc)
        return err_set(err, ERR_CORRUPT, "catalog record with a wrong checksum");
    if (version != RECORD_VERSION && version != OLD_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "catalog record of version %u", version);
    *ret_body = body;
    return 0;
}

int segment_info_decode(struct arena *arena, struct uuid uuid, struct str_view record,
                        struct segment_info *ret, struct err *err)
{
    struct str_view body = SV_EMPTY;
    int r = check_record(uuid, record, &body, err);
    if (r < 0)
        return r;
    struct reader in = reader_of(body);
    rd_u8(&in);
    struct segment_info info = {.uuid = uuid, .place = rd_u8(&in), .level = rd_u8(&in)};
    rd_u8(&in);
    info.n_parts = rd_le32(&in);
    info.bytes = rd_le64(&in);
    info.generation = rd_le64(&in);
    info.created_ns = (int64_t)rd_le64(&in);
    info.min_ts_ns = (int64_t)rd_le64(&in);
    info.max_ts_ns = (int64_t)rd_le64(&in);
    info.n_rows = rd_le64(&in);
    info.line_bytes = rd_le64(&in);
    info.key = arena_copy(arena, rd_str(&in, MAX_KEY_BYTES));
    rd_periods(&in, arena, &info);
    rd_coverage(&in, arena, &info);
    if (in.bad || in.at != in.len || info.place > PLACE_OBJECT)
        return err_set(err, ERR_CORRUPT, "catalog record that does not decode");
    *ret = info;
    return 0;
}

void segment_info_copy(struct arena *arena, struct segment_info *to,
                       const struct segment_info *from)
{
    *to = *from;
    to->key = arena_copy(arena, from->key);
    struct period *periods = ARENA_ARRAY(arena, struct period, from->n_periods);
    if (from->n_periods)
        memcpy(periods, from->periods, from->n_periods * sizeof *periods);
    to->periods = periods;
    struct lsn_range *coverage = ARENA_ARRAY(arena, struct lsn_range, from->n_coverage);
    if (from->n_coverage)
        memcpy(coverage, from->coverage, from->n_coverage * sizeof *coverage);
    to->coverage = coverage;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int segment_order(const struct segment_info *a, const struct segment_info *b)
{
    uint64_t first_a = a->n_coverage ? a->coverage[0].first : 0;
    uint64_t first_b = b->n_coverage ? b->coverage[0].first : 0;
    int c = cmp_u64(first_a, first_b);
    if (c == 0)
        c = cmp_u64(a->generation, b->generation);
    return c ? c : uuid_cmp(a->uuid, b->uuid);
}

struct str_view segment_key(struct arena *arena, struct uuid uuid, int64_t min_ts_ns)
{
    time_t s = (time_t)(min_ts_ns / NS_PER_S - (min_ts_ns % NS_PER_S < 0));
    struct tm tm;
    gmtime_r(&s, &tm);
    char text[UUID_TEXT_BYTES];
    uuid_print(uuid, text);
    return arena_printf(arena, "%04d-%02d-%02d/%s.seg", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, text);
}

/* ---- from a segment ---- */

static size_t list_periods(const struct segment *s, struct period *v)
{
    for (uint32_t i = 0; i < s->n_parts; i++)
        v[i] = (struct period){s->parts[i].period_start_ns, s->parts[i].period_len_ns};
    return periods_sort(v, s->n_parts);
}

void segment_info_of(struct arena *arena, const struct segment *s, enum segment_place place,
                     struct str_view key, struct segment_info *ret)
{
    struct period *periods = ARENA_ARRAY(arena, struct period, s->n_parts);
    struct lsn_range *coverage = ARENA_ARRAY(arena, struct lsn_range, s->n_coverage);
    *ret = (struct segment_info){.uuid = uuid_of_bytes(s->header.uuid),
                                 .place = place,
                                 .level = s->header.level,
                                 .key = arena_copy(arena, key),
                                 .bytes = s->source.bytes,
                                 .generation = s->header.generation,
                                 .created_ns = s->header.created_ns,
                                 .min_ts_ns = INT64_MAX,
                                 .max_ts_ns = INT64_MIN,
                                 .n_parts = s->n_parts,
                                 .periods = periods,
                                 .coverage = coverage,
                                 .n_coverage = s->n_coverage};
    for (uint32_t i = 0; i < s->n_parts; i++) {
        const struct segment_part *p = &s->parts[i];
        ret->n_rows += p->rows;
        ret->line_bytes += p->line_bytes;
        ret->min_ts_ns = p->min_ts_ns < ret->min_ts_ns ? p->min_ts_ns : ret->min_ts_ns;
        ret->max_ts_ns = p->max_ts_ns > ret->max_ts_ns ? p->max_ts_ns : ret->max_ts_ns;
    }
    ret->n_periods = list_periods(s, periods);
    for (uint32_t i = 0; i < s->n_coverage; i++)
        coverage[i] = (struct lsn_range){uuid_of_bytes(s->coverage[i].source), s->coverage[i].first,
                                         s->coverage[i].last};
}
