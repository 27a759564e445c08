/* SPDX-License-Identifier: Apache-2.0 */
/* Rows share few distinct label sets, so sets are taken apart once and rows only follow numbers.
 * Header:  u8 mode.
 *   0 columns: varint keys, then per key in name order: str name; u8 kind (0 constant,
 *     1 dictionary, 2 plain) | 0x10 where some row lacks it; then varint rows that have it;
 *     constant: str value; dictionary: varint n, n str values; then varint raw and varint stored
 *     bytes of its payload.  Equal: stored as it is; stored < raw: one zstd frame.
 *   1 opaque: varint raw and varint stored bytes of the one payload.
 * Payload, raw:  where some row lacks the key: a bitmap of the rows, (rows + 7) / 8 bytes, row 0
 *     the lowest bit of the first byte.  Then for each row that has it:
 *   constant: nothing.   dictionary: u8 form; 1, 2, 4, 8: value numbers of so many bits;
 *     0: runs of (varint value number, varint rows).   plain: u8 width, byte planes of the lengths
 *     as in len.c, all values.   opaque: as plain, of every row. */
#include <assert.h>
#include <xxhash.h>

#include "chunk/bitpack.h"
#include "chunk/chunk.h"
#include "chunk/sm.h"
#include "chunk/zframe.h"
#include "model/labels.h"

enum { MODE_COLUMNS, MODE_OPAQUE };
enum { KIND_SOME_ROWS = 0x10 };
enum { VALUE_SLOTS = 1024, KEY_SLOTS = 4096 };

struct sm_pair {
    uint32_t set, key;
    struct str_view value;
};

struct split {
    struct arena *a;
    struct sm_pair *pairs; /* in set order, then grouped by key */
    size_t n_pairs, cap_pairs;
    struct str_view names[SM_MAX_KEYS];
    uint32_t n_of_key[SM_MAX_KEYS];
    uint32_t n_keys;
    uint16_t slots[KEY_SLOTS]; /* key + 1 */
};

static uint32_t varint_bytes(uint64_t v)
{
    uint32_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

/* The key's number; SM_MAX_KEYS when there are too many. */
static uint32_t key_of(struct split *s, struct str_view name)
{
    size_t at = XXH3_64bits(name.p, name.len) % KEY_SLOTS;
    for (; s->slots[at]; at = (at + 1) % KEY_SLOTS)
        if (sv_eq(s->names[s->slots[at] - 1], name))
            return s->slots[at] - 1u;
    if (s->n_keys == SM_MAX_KEYS)
        return SM_MAX_KEYS;
    s->names[s->n_keys] = name;
    s->slots[at] = (uint16_t)++s->n_keys;
    return s->n_keys - 1;
}

/* False unless the set is exactly what labels_encode would write for it. */
static bool split_set(struct split *s, uint32_t set, struct str_view encoded)
{
    struct reader in = reader_of(encoded);
    uint64_t n = rd_varint(&in);
    size_t canonical_bytes = varint_bytes(n);
    if (in.bad || n == 0 || n > LABELS_MAX_PAIRS)
        return false;
    struct str_view before = SV_EMPTY;
    for (uint64_t i = 0; i < n; i++) {
        struct str_view name = rd_str(&in, encoded.len);
        struct str_view value = rd_str(&in, encoded.len);
        if (in.bad || name.len == 0 || value.len == 0 || (i > 0 && sv_cmp(before, name) >= 0))
            return false;
        uint32_t key = key_of(s, name);
        if (key == SM_MAX_KEYS)
            return false;
        canonical_bytes += varint_bytes(name.len) + name.len;
        canonical_bytes += varint_bytes(value.len) + value.len;
        s->pairs = mem_grow(s->pairs, &s->cap_pairs, s->n_pairs + 1, sizeof *s->pairs);
        s->pairs[s->n_pairs++] = (struct sm_pair){set, key, value};
        s->n_of_key[key]++;
        before = name;
    }
    return canonical_bytes == encoded.len;
}

static int cmp_key_names(const void *a, const void *b, void *ctx)
{
    const struct split *s = ctx;
    return sv_cmp(s->names[*(const uint32_t *)a], s->names[*(const uint32_t *)b]);
}

/* ---- one payload ---- */

struct payload_out {
    ZSTD_CCtx *cctx;
    int zstd_level;
    struct buf raw; /* of the key in work */
    struct buf *header, *data;
};

static void put_payload(struct payload_out *o)
{
    struct str_view raw = buf_view(&o->raw);
    size_t before = o->data->len;
    if (!zframe_put_if_smaller(o->cctx, o->zstd_level, raw, o->data))
        buf_put(o->data, raw);
    buf_put_varint(o->header, raw.len);
    buf_put_varint(o->header, o->data->len - before);
    buf_clear(&o->raw);
}

static void put_plain(struct buf *out, const struct str_view *values, uint32_t n)
{
    size_t longest = 0, total = 0;
    for (uint32_t i = 0; i < n; i++) {
        longest = values[i].len > longest ? values[i].len : longest;
        total += values[i].len;
    }
    unsigned width = longest >> 24 ? 4 : longest >> 16 ? 3 : longest >> 8 ? 2 : 1;
    buf_put_u8(out, (uint8_t)width);
    for (unsigned b = 0; b < width; b++) {
        uint8_t *to = (uint8_t *)buf_add(out, n);
        for (uint32_t i = 0; i < n; i++)
            to[i] = (uint8_t)(values[i].len >> (8 * b));
    }
    buf_reserve(out, total);
    for (uint32_t i = 0; i < n; i++)
        buf_put(out, values[i]);
}

/* ---- one column ---- */

struct column {
    struct str_view *pair_values; /* of this key's pairs, in set order */
    uint32_t *pair_number;        /* dictionary number of each pair's value */
    uint32_t n_pairs;
    struct str_view dict[SM_MAX_DICT_VALUES];
    uint32_t n_dict;
    uint32_t *row_pair; /* of the rows that have the key */
    uint32_t n_present;
};

/* Numbers the distinct values; false when they are too many or too big for a dictionary. */
static bool build_dict(struct column *c)
{
    uint16_t slots[VALUE_SLOTS] = {0};
    size_t dict_bytes = 0;
    c->n_dict = 0;
    for (uint32_t i = 0; i < c->n_pairs; i++) {
        struct str_view v = c->pair_values[i];
        size_t at = XXH3_64bits(v.p, v.len) % VALUE_SLOTS;
        while (slots[at] && !sv_eq(c->dict[slots[at] - 1], v))
            at = (at + 1) % VALUE_SLOTS;
        if (!slots[at]) {
            dict_bytes += v.len + 2;
            if (c->n_dict == SM_MAX_DICT_VALUES || dict_bytes > SM_MAX_DICT_BYTES)
                return false;
            c->dict[c->n_dict] = v;
            slots[at] = (uint16_t)++c->n_dict;
        }
        c->pair_number[i] = slots[at] - 1u;
    }
    /* Values that hardly repeat compress better beside their rows. */
    return c->n_dict <= 16 || c->n_dict <= c->n_present / 4;
}

static void put_runs(struct buf *out, const struct column *c)
{
    for (uint32_t i = 0, end; i < c->n_present; i = end) {
        uint32_t number = c->pair_number[c->row_pair[i]];
        for (end = i + 1; end < c->n_present && c->pair_number[c->row_pair[end]] == number;)
            end++;
        buf_put_varint(out, number);
        buf_put_varint(out, end - i);
    }
}

static void put_numbers(struct buf *out, const struct column *c)
{
    unsigned need = bits_of(c->n_dict - 1), width = need <= 1   ? 1
                                                    : need <= 2 ? 2
                                                    : need <= 4 ? 4
                                                                : 8;
    size_t form_at = out->len;
    buf_put_u8(out, 0);
    put_runs(out, c);
    size_t packed_bytes = bitpack_bytes(c->n_present, width);
    if (out->len - form_at - 1 <= packed_bytes / 4)
        return;
    out->len = form_at;
    buf_put_u8(out, (uint8_t)width);
    uint8_t *to = (uint8_t *)buf_add(out, packed_bytes);
    memset(to, 0, packed_bytes);
    for (uint32_t i = 0; i < c->n_present; i++) {
        size_t bit = (size_t)i * width;
        to[bit >> 3] |= (uint8_t)(c->pair_number[c->row_pair[i]] << (bit & 7));
    }
}

static void put_column(const struct column *c, struct str_view name, uint32_t n_rows,
                       struct arena *a, struct payload_out *o, bool has_dict)
{
    bool all = c->n_present == n_rows;
    enum sm_kind kind = !has_dict ? SM_PLAIN : c->n_dict == 1 ? SM_CONST : SM_DICT;
    buf_put_str(o->header, name);
    buf_put_u8(o->header, (uint8_t)(kind | (all ? 0 : KIND_SOME_ROWS)));
    if (!all)
        buf_put_varint(o->header, c->n_present);
    if (kind == SM_DICT)
        buf_put_varint(o->header, c->n_dict);
    for (uint32_t i = 0; has_dict && i < c->n_dict; i++)
        buf_put_str(o->header, c->dict[i]);
    if (kind == SM_DICT) {
        put_numbers(&o->raw, c);
    } else if (kind == SM_PLAIN) {
        struct str_view *values = ARENA_ARRAY(a, struct str_view, c->n_present);
        for (uint32_t i = 0; i < c->n_present; i++)
            values[i] = c->pair_values[c->row_pair[i]];
        put_plain(&o->raw, values, c->n_present);
    }
    put_payload(o);
}

/* Fills row_pair and appends the presence bitmap where some row lacks the key. */
static void place_rows(struct column *c, const struct sm_rows *rows, const uint32_t *set_pair,
                       struct buf *raw)
{
    size_t bitmap_bytes = (rows->n_rows + 7) / 8;
    uint8_t *bitmap = (uint8_t *)buf_add(raw, bitmap_bytes);
    memset(bitmap, 0, bitmap_bytes);
    c->n_present = 0;
    for (uint32_t row = 0; row < rows->n_rows; row++) {
        uint32_t set = rows->row_set[row];
        uint32_t pair = set == SM_EMPTY_SET ? 0 : set_pair[set];
        if (!pair)
            continue;
        bitmap[row >> 3] |= (uint8_t)(1 << (row & 7));
        c->row_pair[c->n_present++] = pair - 1;
    }
    if (c->n_present == rows->n_rows)
        buf_clear(raw);
}

static uint16_t levels_of(const struct column *c, uint32_t n_rows)
{
    uint16_t mask = c->n_present < n_rows ? 1 << CHUNK_LEVEL_ABSENT : 0;
    for (uint32_t i = 0; i < c->n_pairs; i++)
        mask |= (uint16_t)(1 << chunk_level_of(c->pair_values[i]));
    return mask;
}

/* Groups pairs by key, keeping set order; first[k] is where key k begins. */
static struct sm_pair *group_pairs(struct split *s, uint32_t *first)
{
    struct sm_pair *grouped = arena_alloc(s->a, s->n_pairs * sizeof *grouped);
    uint32_t at = 0;
    for (uint32_t k = 0; k < s->n_keys; k++) {
        first[k] = at;
        at += s->n_of_key[k];
    }
    for (size_t i = 0; i < s->n_pairs; i++)
        grouped[first[s->pairs[i].key]++] = s->pairs[i];
    for (uint32_t k = 0; k < s->n_keys; k++)
        first[k] -= s->n_of_key[k];
    return grouped;
}

static uint16_t put_columns(struct split *s, const struct sm_rows *rows, struct payload_out *o)
{
    uint32_t order[SM_MAX_KEYS], first[SM_MAX_KEYS];
    struct sm_pair *grouped = group_pairs(s, first);
    for (uint32_t k = 0; k < s->n_keys; k++)
        order[k] = k;
    qsort_r(order, s->n_keys, sizeof *order, cmp_key_names, s);
    struct column *c = ARENA_NEW(s->a, struct column);
    c->row_pair = arena_alloc(s->a, rows->n_rows * sizeof *c->row_pair);
    uint32_t *set_pair = ARENA_ARRAY(s->a, uint32_t, rows->n_sets);
    c->pair_values = arena_alloc(s->a, rows->n_sets * sizeof *c->pair_values);
    c->pair_number = arena_alloc(s->a, rows->n_sets * sizeof *c->pair_number);
    uint16_t levels = 1 << CHUNK_LEVEL_ABSENT;
    buf_put_u8(o->header, MODE_COLUMNS);
    buf_put_varint(o->header, s->n_keys);
    for (uint32_t i = 0; i < s->n_keys; i++) {
        uint32_t key = order[i];
        const struct sm_pair *pairs = grouped + first[key];
        c->n_pairs = s->n_of_key[key];
        for (uint32_t p = 0; p < c->n_pairs; p++) {
            c->pair_values[p] = pairs[p].value;
            set_pair[pairs[p].set] = p + 1;
        }
        place_rows(c, rows, set_pair, &o->raw);
        put_column(c, s->names[key], rows->n_rows, s->a, o, build_dict(c));
        if (sv_eq(s->names[key], SV("detected_level")))
            levels = levels_of(c, rows->n_rows);
        for (uint32_t p = 0; p < c->n_pairs; p++)
            set_pair[pairs[p].set] = 0;
    }
    return levels;
}

static void put_opaque(const struct sm_rows *rows, struct arena *a, struct payload_out *o)
{
    struct str_view *values = ARENA_ARRAY(a, struct str_view, rows->n_rows);
    for (uint32_t i = 0; i < rows->n_rows; i++)
        values[i] = rows->row_set[i] == SM_EMPTY_SET ? SV_EMPTY : rows->sets[rows->row_set[i]];
    put_plain(&o->raw, values, rows->n_rows);
    buf_put_u8(o->header, MODE_OPAQUE);
    put_payload(o);
}

void sm_encode(const struct sm_rows *rows, struct ZSTD_CCtx_s *cctx, int zstd_level,
               struct arena *scratch, struct buf *out_header, struct buf *out_data,
               uint16_t *ret_level_mask, bool *ret_opaque)
{
    *ret_opaque = false;
    *ret_level_mask = 1 << CHUNK_LEVEL_ABSENT;
    if (rows->n_sets == 0)
        return;
    struct split *s = ARENA_NEW(scratch, struct split);
    s->a = scratch;
    struct payload_out o = {cctx, zstd_level, BUF_INIT, out_header, out_data};
    for (uint32_t i = 0; i < rows->n_sets && !*ret_opaque; i++)
        *ret_opaque = !split_set(s, i, rows->sets[i]);
    if (*ret_opaque) {
        put_opaque(rows, scratch, &o);
        *ret_level_mask = 0;
    } else {
        *ret_level_mask = put_columns(s, rows, &o);
    }
    buf_deinit(&o.raw);
    free(s->pairs);
}
