/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are described in sm_encode.c and docs/formats.md. */
#include "chunk/sm.h"

#include "chunk/bitpack.h"
#include "chunk/zframe.h"

enum { MODE_COLUMNS, MODE_OPAQUE };
enum { KIND_SOME_ROWS = 0x10, KIND_MASK = 0x0f };

const struct sm_key *sm_header_find(const struct sm_header *h, struct str_view name)
{
    for (uint32_t low = 0, high = h->n_keys; low < high;) {
        uint32_t mid = low + (high - low) / 2;
        int c = sv_cmp(name, h->keys[mid].name);
        if (c == 0)
            return &h->keys[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static void read_values(struct arena *a, struct reader *in, struct sm_key *key)
{
    uint64_t n = key->kind == SM_CONST ? 1 : rd_varint(in);
    if (n < 1 || n > SM_MAX_DICT_VALUES || n > reader_left(in)) {
        in->bad = true;
        return;
    }
    struct str_view *values = ARENA_ARRAY(a, struct str_view, n);
    for (uint64_t i = 0; i < n; i++)
        values[i] = rd_str(in, reader_left(in));
    key->values = values;
    key->n_values = (uint32_t)n;
}

static void read_sizes(struct reader *in, uint64_t *left_raw, uint32_t *ret_raw,
                       uint32_t *ret_stored)
{
    uint64_t raw = rd_varint(in), stored = rd_varint(in);
    if (raw > *left_raw || raw > UINT32_MAX || stored > raw) {
        in->bad = true;
        return;
    }
    *left_raw -= raw;
    *ret_raw = (uint32_t)raw;
    *ret_stored = (uint32_t)stored;
}

static void read_key(struct arena *a, struct reader *in, uint32_t rows, uint64_t *left_raw,
                     struct sm_key *key)
{
    key->name = rd_str(in, reader_left(in));
    uint8_t kind = rd_u8(in);
    key->kind = kind & KIND_MASK;
    key->in_all_rows = !(kind & KIND_SOME_ROWS);
    uint64_t present = key->in_all_rows ? rows : rd_varint(in);
    if (present < 1 || present > rows || key->kind > SM_PLAIN || kind & 0xe0)
        in->bad = true;
    key->rows_present = (uint32_t)present;
    if (!in->bad && key->kind != SM_PLAIN)
        read_values(a, in, key);
    read_sizes(in, left_raw, &key->raw_bytes, &key->stored_bytes);
}

static int bad_header(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "metadata header does not decode");
}

int sm_decode_header(struct arena *a, struct str_view section, uint32_t rows,
                     uint64_t limit_raw_bytes, struct sm_header *ret, struct err *err)
{
    *ret = (struct sm_header){0};
    if (section.len == 0)
        return 0;
    struct reader in = reader_of(section);
    uint8_t mode = rd_u8(&in);
    if (mode == MODE_OPAQUE) {
        read_sizes(&in, &limit_raw_bytes, &ret->opaque_raw_bytes, &ret->opaque_stored_bytes);
        ret->opaque = true;
        return reader_done(&in) && !in.bad ? 0 : bad_header(err);
    }
    if (mode != MODE_COLUMNS)
        return err_set(err, ERR_UNSUPPORTED, "metadata mode %u", mode);
    uint64_t n = rd_varint(&in), at = 0;
    if (in.bad || n < 1 || n > SM_MAX_KEYS || n > reader_left(&in))
        return bad_header(err);
    struct sm_key *keys = ARENA_ARRAY(a, struct sm_key, n);
    for (uint64_t i = 0; i < n; i++) {
        read_key(a, &in, rows, &limit_raw_bytes, &keys[i]);
        if (in.bad || (i > 0 && sv_cmp(keys[i - 1].name, keys[i].name) >= 0))
            return bad_header(err);
        keys[i].payload_at = (uint32_t)at;
        at += keys[i].stored_bytes;
        if (at > UINT32_MAX)
            return bad_header(err);
    }
    ret->keys = keys;
    ret->n_keys = (uint32_t)n;
    return reader_done(&in) ? 0 : bad_header(err);
}

static int get_payload(struct arena *a, struct str_view data, uint32_t at, uint32_t stored,
                       uint32_t raw, ZSTD_DCtx *dctx, struct str_view *ret, struct err *err)
{
    if (at > data.len || stored > data.len - at)
        return err_set(err, ERR_CORRUPT, "metadata column lies outside its section");
    *ret = sv(data.p + at, stored);
    if (stored == raw)
        return 0;
    char *to = arena_alloc(a, raw);
    int r = zframe_get(dctx, *ret, to, raw, err);
    if (r < 0)
        return err_context(err, r, "metadata column");
    *ret = sv(to, raw);
    return 0;
}

/* Marks the rows of the bitmap with 1; false unless exactly n_present bits are set. */
static bool read_presence(struct reader *in, uint32_t rows, uint32_t n_present, uint32_t *row_value)
{
    struct str_view bitmap = rd_bytes(in, (rows + 7) / 8);
    if (in->bad)
        return false;
    uint32_t n = 0;
    for (uint32_t row = 0; row < rows; row++) {
        row_value[row] = (uint8_t)bitmap.p[row >> 3] >> (row & 7) & 1;
        n += row_value[row];
    }
    return n == n_present;
}

/* Value numbers of the rows that have the key, in order. */
static bool read_numbers(struct reader *in, const struct sm_key *key, uint32_t *numbers)
{
    uint8_t form = rd_u8(in);
    uint32_t n = key->rows_present;
    if (form == 0) {
        for (uint32_t i = 0; i < n;) {
            uint64_t number = rd_varint(in), run = rd_varint(in);
            if (in->bad || number >= key->n_values || run < 1 || run > n - i)
                return false;
            for (uint64_t end = i + run; i < end; i++)
                numbers[i] = (uint32_t)number;
        }
        return true;
    }
    if (form != 1 && form != 2 && form != 4 && form != 8)
        return false;
    struct str_view packed = rd_bytes(in, bitpack_bytes(n, form));
    if (in->bad)
        return false;
    uint32_t mask = (1u << form) - 1, largest = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t bit = (size_t)i * form;
        numbers[i] = (uint8_t)packed.p[bit >> 3] >> (bit & 7) & mask;
        largest = numbers[i] > largest ? numbers[i] : largest;
    }
    return largest < key->n_values;
}

/* n values as put_plain wrote them; start[n] is the end. */
static bool read_plain(struct arena *a, struct reader *in, uint32_t n, uint32_t **ret_start,
                       struct str_view *ret_bytes)
{
    uint8_t width = rd_u8(in);
    if (in->bad || width < 1 || width > 4)
        return false;
    struct str_view planes = rd_bytes(in, (uint64_t)n * width);
    *ret_bytes = rd_bytes(in, reader_left(in));
    if (in->bad)
        return false;
    uint32_t *start = arena_alloc(a, ((size_t)n + 1) * sizeof *start);
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        start[i] = (uint32_t)at;
        for (unsigned b = 0; b < width; b++)
            at += (uint64_t)(uint8_t)planes.p[(size_t)b * n + i] << (8 * b);
        if (at > ret_bytes->len)
            return false;
    }
    start[n] = (uint32_t)at;
    *ret_start = start;
    return at == ret_bytes->len;
}

/* Gives the present rows (marked 1) value numbers + 1: from `numbers`, or counting up. */
static void place_values(uint32_t *row_value, uint32_t rows, const uint32_t *numbers)
{
    for (uint32_t row = 0, i = 0; row < rows; row++)
        if (row_value[row]) {
            row_value[row] = (numbers ? numbers[i] : i) + 1;
            i++;
        }
}

static bool read_column(struct arena *a, struct reader *in, const struct sm_key *key, uint32_t rows,
                        uint32_t *row_value, struct sm_column *ret)
{
    ret->values = key->values;
    ret->n_values = key->n_values;
    if (key->in_all_rows)
        for (uint32_t row = 0; row < rows; row++)
            row_value[row] = 1;
    else if (!read_presence(in, rows, key->rows_present, row_value))
        return false;
    uint32_t n = key->rows_present;
    if (key->kind == SM_DICT) {
        uint32_t *numbers = arena_alloc(a, n * sizeof *numbers);
        if (!read_numbers(in, key, numbers))
            return false;
        place_values(row_value, rows, numbers);
    } else if (key->kind == SM_PLAIN) {
        uint32_t *start;
        struct str_view bytes;
        if (!read_plain(a, in, n, &start, &bytes))
            return false;
        struct str_view *values = arena_alloc(a, n * sizeof *values);
        for (uint32_t i = 0; i < n; i++)
            values[i] = sv(bytes.p + start[i], start[i + 1] - start[i]);
        ret->values = values;
        ret->n_values = n;
        place_values(row_value, rows, NULL);
    }
    return reader_done(in) && !in->bad;
}

int sm_decode_column(struct arena *a, struct str_view data, const struct sm_key *key, uint32_t rows,
                     struct ZSTD_DCtx_s *dctx, struct sm_column *ret, struct err *err)
{
    struct str_view payload;
    int r = get_payload(a, data, key->payload_at, key->stored_bytes, key->raw_bytes, dctx, &payload,
                        err);
    if (r < 0)
        return r;
    struct reader in = reader_of(payload);
    uint32_t *row_value = arena_alloc(a, rows * sizeof *row_value);
    ret->row_value = row_value;
    if (!read_column(a, &in, key, rows, row_value, ret))
        return err_set(err, ERR_CORRUPT, "metadata column '%.*s' does not decode",
                       SV_ARG(sv_sub(key->name, 0, 100)));
    return 0;
}

int sm_decode_opaque(struct arena *a, struct str_view data, const struct sm_header *h,
                     uint32_t rows, struct ZSTD_DCtx_s *dctx, const uint32_t **ret_start,
                     struct str_view *ret_bytes, struct err *err)
{
    struct str_view payload;
    int r =
        get_payload(a, data, 0, h->opaque_stored_bytes, h->opaque_raw_bytes, dctx, &payload, err);
    if (r < 0)
        return r;
    struct reader in = reader_of(payload);
    uint32_t *start;
    if (!read_plain(a, &in, rows, &start, ret_bytes))
        return err_set(err, ERR_CORRUPT, "metadata rows do not decode");
    *ret_start = start;
    return 0;
}
