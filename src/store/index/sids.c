/* SPDX-License-Identifier: Apache-2.0 */
/* Posting:  0 u8 kind;  1 u8 0, u16 0;  4 u32 CRC-32C of the key, bytes 0 to 3 and the payload;
 *           8 payload:
 *   1 list    u16 each, ascending
 *   2 bitmap  8192 bytes, bit i of byte b is number 8 b + i
 *   3 runs    u16 first, u16 last, both included; ascending, not touching */
#include "store/index/sids.h"

#include <assert.h>

#include "base/crc32c.h"

enum posting_kind { KIND_LIST = 1, KIND_BITMAP = 2, KIND_RUNS = 3 };
enum { HEADER_BYTES = 8, CRC_AT = 4, BITMAP_BYTES = POSTING_MAX / 8, RUN_BYTES = 4 };

static size_t n_words(uint32_t n_sids)
{
    return ((size_t)n_sids + 63) / 64;
}

void sid_set_init(struct sid_set *s, uint32_t n_sids, bool full)
{
    s->n_sids = n_sids;
    s->words = mem_zalloc(n_words(n_sids) + 1, sizeof *s->words);
    if (!full)
        return;
    memset(s->words, 0xff, n_words(n_sids) * sizeof *s->words);
    if (n_sids & 63)
        s->words[n_sids >> 6] = (UINT64_C(1) << (n_sids & 63)) - 1;
}

void sid_set_deinit(struct sid_set *s)
{
    free(s->words);
    *s = (struct sid_set){0};
}

uint32_t sid_set_count(const struct sid_set *s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < n_words(s->n_sids); i++)
        n += (uint32_t)__builtin_popcountll(s->words[i]);
    return n;
}

void sid_set_and(struct sid_set *s, const struct sid_set *other)
{
    assert(s->n_sids == other->n_sids);
    for (size_t i = 0; i < n_words(s->n_sids); i++)
        s->words[i] &= other->words[i];
}

void sid_set_and_not(struct sid_set *s, const struct sid_set *other)
{
    assert(s->n_sids == other->n_sids);
    for (size_t i = 0; i < n_words(s->n_sids); i++)
        s->words[i] &= ~other->words[i];
}

void sid_set_list(const struct sid_set *s, uint32_t *v)
{
    for (size_t i = 0; i < n_words(s->n_sids); i++)
        for (uint64_t w = s->words[i]; w; w &= w - 1)
            *v++ = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(w);
}

static uint32_t count_runs(const uint16_t *v, uint32_t n)
{
    uint32_t runs = 1;
    for (uint32_t i = 1; i < n; i++)
        runs += v[i] != v[i - 1] + 1;
    return runs;
}

static void put_bitmap(struct buf *out, const uint16_t *v, uint32_t n)
{
    char *bits = buf_add(out, BITMAP_BYTES);
    memset(bits, 0, BITMAP_BYTES);
    for (uint32_t i = 0; i < n; i++)
        bits[v[i] >> 3] = (char)(bits[v[i] >> 3] | 1 << (v[i] & 7));
}

static void put_runs(struct buf *out, const uint16_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n;) {
        uint32_t first = i++;
        while (i < n && v[i] == v[i - 1] + 1)
            i++;
        buf_put_le16(out, v[first]);
        buf_put_le16(out, v[i - 1]);
    }
}

static uint32_t checksum(uint32_t key_crc, const char *header, struct str_view payload)
{
    return crc32c_extend(crc32c_extend(key_crc, sv(header, CRC_AT)), payload);
}

void posting_encode(struct buf *out, uint32_t key_crc, const uint16_t *v, uint32_t n)
{
    assert(n >= 1 && n <= POSTING_MAX);
    size_t start = out->len;
    size_t list_bytes = n * sizeof *v, runs_bytes = (size_t)count_runs(v, n) * RUN_BYTES;
    memset(buf_add(out, HEADER_BYTES), 0, HEADER_BYTES);
    enum posting_kind kind;
    if (list_bytes <= runs_bytes && list_bytes <= BITMAP_BYTES) {
        kind = KIND_LIST;
        for (uint32_t i = 0; i < n; i++)
            buf_put_le16(out, v[i]);
    } else if (runs_bytes <= BITMAP_BYTES) {
        kind = KIND_RUNS;
        put_runs(out, v, n);
    } else {
        kind = KIND_BITMAP;
        put_bitmap(out, v, n);
    }
    char *header = out->p + start;
    header[0] = (char)kind;
    st_le32(header + CRC_AT,
            checksum(key_crc, header, sv_from(buf_view(out), start + HEADER_BYTES)));
}

/* Each returns how many numbers it found, 0 for bytes that are no such payload. */
static uint32_t get_list(struct str_view p, uint16_t *v)
{
    size_t n = p.len / 2;
    if (n > POSTING_MAX)
        return 0;
    for (size_t i = 0; i < n; i++) {
        v[i] = ld_le16(p.p + 2 * i);
        if (i > 0 && v[i] <= v[i - 1])
            return 0;
    }
    return (uint32_t)n;
}

static uint32_t get_bitmap(struct str_view p, uint16_t *v)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < BITMAP_BYTES; i += 8)
        for (uint64_t w = ld_le64(p.p + i); w; w &= w - 1)
            v[n++] = (uint16_t)(i * 8 + (uint32_t)__builtin_ctzll(w));
    return n;
}

static uint32_t get_runs(struct str_view p, uint16_t *v)
{
    uint32_t n = 0, next = 0; /* the smallest number that may come */
    for (size_t at = 0; at < p.len; at += RUN_BYTES) {
        uint32_t first = ld_le16(p.p + at), last = ld_le16(p.p + at + 2);
        if (first < next || last < first)
            return 0;
        for (uint32_t i = first; i <= last; i++)
            v[n++] = (uint16_t)i;
        next = last + 2;
    }
    return n;
}

/* Checks what holds for every kind. */
static int open_posting(struct str_view record, uint32_t key_crc, enum posting_kind *ret_kind,
                        struct str_view *ret_payload, struct err *err)
{
    if (record.len <= HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, "posting of %zu bytes", record.len);
    *ret_payload = sv_from(record, HEADER_BYTES);
    if (ld_le32(record.p + CRC_AT) != checksum(key_crc, record.p, *ret_payload))
        return err_set(err, ERR_CORRUPT, "posting with a wrong checksum");
    *ret_kind = (uint8_t)record.p[0];
    if (*ret_kind < KIND_LIST || *ret_kind > KIND_RUNS)
        return err_set(err, ERR_UNSUPPORTED, "posting of kind %u", (uint8_t)record.p[0]);
    size_t unit = *ret_kind == KIND_LIST ? sizeof(uint16_t) : RUN_BYTES;
    if (*ret_kind == KIND_BITMAP ? ret_payload->len != BITMAP_BYTES : ret_payload->len % unit)
        return err_set(err, ERR_CORRUPT, "posting of %zu bytes", record.len);
    return 0;
}

static int bad_posting(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "posting that does not decode");
}

int posting_decode(struct str_view record, uint32_t key_crc, uint16_t *v, uint32_t *ret_n,
                   struct err *err)
{
    enum posting_kind kind;
    struct str_view payload;
    int r = open_posting(record, key_crc, &kind, &payload, err);
    if (r < 0)
        return r;
    uint32_t n = kind == KIND_LIST     ? get_list(payload, v)
                 : kind == KIND_BITMAP ? get_bitmap(payload, v)
                                       : get_runs(payload, v);
    if (n == 0)
        return bad_posting(err);
    *ret_n = n;
    return 0;
}

/* ---- postings and sets, without a list in between ---- */

/* False where a number is out of the set's range. */
static bool add_list(struct str_view p, uint32_t base, struct sid_set *to)
{
    for (size_t at = 0; at < p.len; at += 2) {
        uint32_t sid = base + ld_le16(p.p + at);
        if (sid >= to->n_sids)
            return false;
        sid_set_add(to, sid);
    }
    return true;
}

/* Words of the set that lie within a posting of 65536 numbers from base on. */
static size_t words_from(const struct sid_set *s, uint32_t base)
{
    size_t all = n_words(s->n_sids), first = base / 64;
    if (first >= all)
        return 0;
    return all - first < BITMAP_BYTES / 8 ? all - first : BITMAP_BYTES / 8;
}

static bool add_bitmap(struct str_view p, uint32_t base, struct sid_set *to)
{
    size_t n = words_from(to, base);
    uint64_t beyond = 0;
    for (size_t i = 0; i < n; i++)
        to->words[base / 64 + i] |= ld_le64(p.p + 8 * i);
    for (size_t i = n; i < BITMAP_BYTES / 8; i++)
        beyond |= ld_le64(p.p + 8 * i);
    if (n > 0 && base / 64 + n == n_words(to->n_sids) && to->n_sids % 64) {
        uint64_t *last = &to->words[base / 64 + n - 1],
                 mask = (UINT64_C(1) << (to->n_sids % 64)) - 1;
        beyond |= *last & ~mask;
        *last &= mask;
    }
    return beyond == 0;
}

static bool add_runs(struct str_view p, uint32_t base, struct sid_set *to)
{
    for (size_t at = 0; at < p.len; at += RUN_BYTES) {
        uint32_t first = ld_le16(p.p + at), last = ld_le16(p.p + at + 2);
        if (last < first || base + last >= to->n_sids)
            return false;
        for (uint32_t i = first; i <= last; i++)
            sid_set_add(to, base + i);
    }
    return true;
}

int posting_add_to(struct str_view record, uint32_t key_crc, uint32_t high, struct sid_set *to,
                   struct err *err)
{
    enum posting_kind kind;
    struct str_view payload;
    int r = open_posting(record, key_crc, &kind, &payload, err);
    if (r < 0)
        return r;
    uint32_t base = high << 16;
    bool good = kind == KIND_LIST     ? add_list(payload, base, to)
                : kind == KIND_BITMAP ? add_bitmap(payload, base, to)
                                      : add_runs(payload, base, to);
    return good ? 0 : bad_posting(err);
}

static bool list_meets(struct str_view p, uint32_t base, const struct sid_set *s)
{
    for (size_t at = 0; at < p.len; at += 2)
        if (sid_set_has(s, base + ld_le16(p.p + at)))
            return true;
    return false;
}

static bool bitmap_meets(struct str_view p, uint32_t base, const struct sid_set *s)
{
    size_t n = words_from(s, base);
    for (size_t i = 0; i < n; i++)
        if (s->words[base / 64 + i] & ld_le64(p.p + 8 * i))
            return true;
    return false;
}

static bool runs_meet(struct str_view p, uint32_t base, const struct sid_set *s)
{
    for (size_t at = 0; at < p.len; at += RUN_BYTES) {
        uint32_t last = ld_le16(p.p + at + 2);
        for (uint32_t i = ld_le16(p.p + at); i <= last; i++)
            if (sid_set_has(s, base + i))
                return true;
    }
    return false;
}

int posting_meets(struct str_view record, uint32_t key_crc, uint32_t high, const struct sid_set *s,
                  struct err *err)
{
    enum posting_kind kind = KIND_LIST;
    struct str_view payload;
    int r = open_posting(record, key_crc, &kind, &payload, err);
    if (r < 0)
        return r;
    uint32_t base = high << 16;
    return kind == KIND_LIST     ? list_meets(payload, base, s)
           : kind == KIND_BITMAP ? bitmap_meets(payload, base, s)
                                 : runs_meet(payload, base, s);
}
