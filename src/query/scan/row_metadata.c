/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan/row_metadata.h"

enum { DIRECT_MAX = 1 << 18 }; /* pairs up to which a table without hashing serves */

void row_metadata_init(struct row_metadata *m)
{
    *m = (struct row_metadata){0};
}

void row_metadata_deinit(struct row_metadata *m)
{
    arena_deinit(&m->arena);
    buf_deinit(&m->scratch);
    free(m->pairs);
    *m = (struct row_metadata){0};
}

uint64_t row_metadata_mem_bytes(const struct row_metadata *m)
{
    return m->arena.used_bytes + m->scratch.cap + m->cap_pairs * sizeof *m->pairs;
}

/* ---- columns ---- */

static int add_key(struct row_metadata *m, struct str_view name, struct err *err)
{
    struct metadata_key *k = &m->keys[m->n_keys];
    k->name = name;
    int r = chunk_decoder_sm_column(m->decoder, name, &k->column, err);
    if (r < 0)
        return r;
    if (k->column.values)
        m->n_keys++;
    return 0;
}

static int by_name(const void *x, const void *y)
{
    return sv_cmp(((const struct metadata_key *)x)->name, ((const struct metadata_key *)y)->name);
}

static int open_columns(struct row_metadata *m, const struct sm_header *h,
                        const struct name_list *names, struct err *err)
{
    m->keys = ARENA_ARRAY(&m->arena, struct metadata_key, names ? names->n : h->n_keys);
    int r = names ? 0 : chunk_decoder_sm_all(m->decoder, err);
    for (size_t i = 0; i < (names ? names->n : h->n_keys) && r == 0; i++)
        r = add_key(m, names ? names->v[i] : h->keys[i].name, err);
    if (r == 0 && m->n_keys > 1)
        qsort(m->keys, m->n_keys, sizeof *m->keys, by_name);
    return r;
}

/* ---- sets ---- */

static bool is_constant(const struct sm_column *c, uint32_t rows)
{
    if (c->n_values != 1)
        return false;
    for (uint32_t i = 0; i < rows; i++)
        if (c->row_value[i] != 1)
            return false;
    return true;
}

static void clear_pairs(struct row_metadata *m, size_t n)
{
    m->pairs = mem_grow(m->pairs, &m->cap_pairs, n, sizeof *m->pairs);
    memset(m->pairs, 0, n * sizeof *m->pairs);
}

/* Numbers pairs of (set, value) as they come, by a table of all possible ones. */
static uint32_t number_direct(struct row_metadata *m, uint32_t *set, const struct sm_column *c)
{
    uint32_t width = c->n_values + 1, n = 0;
    clear_pairs(m, (size_t)m->n_sets * width);
    for (uint32_t i = 0; i < m->rows; i++) {
        uint32_t *slot = &m->pairs[(size_t)set[i] * width + c->row_value[i]];
        if (!*slot)
            *slot = ++n;
        set[i] = *slot - 1;
    }
    return n;
}

/* The same by hashing; a slot holds the number of a row that has the pair, plus 1. */
static uint32_t number_hashed(struct row_metadata *m, uint32_t *set, const struct sm_column *c)
{
    uint32_t *old = arena_alloc(&m->arena, m->rows * sizeof *old), n = 0;
    size_t n_slots = 64;
    memcpy(old, set, m->rows * sizeof *old);
    while (n_slots < 2 * (size_t)m->rows)
        n_slots *= 2;
    clear_pairs(m, n_slots);
    for (uint32_t i = 0; i < m->rows; i++) {
        uint64_t pair = (uint64_t)old[i] << 32 | c->row_value[i];
        size_t at = (pair * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (n_slots - 1);
        for (;; at = (at + 1) & (n_slots - 1)) {
            uint32_t row = m->pairs[at];
            if (row == 0) {
                m->pairs[at] = i + 1;
                set[i] = n++;
                break;
            }
            if (old[row - 1] == old[i] && c->row_value[row - 1] == c->row_value[i]) {
                set[i] = set[row - 1];
                break;
            }
        }
    }
    return n;
}

static void number_sets(struct row_metadata *m)
{
    uint32_t *set = NULL;
    for (size_t k = 0; k < m->n_keys; k++) {
        const struct sm_column *c = &m->keys[k].column;
        if (is_constant(c, m->rows))
            continue;
        if (!set)
            set = ARENA_ARRAY(&m->arena, uint32_t, m->rows);
        bool direct = ((uint64_t)c->n_values + 1) * m->n_sets <= DIRECT_MAX;
        m->n_sets = direct ? number_direct(m, set, c) : number_hashed(m, set, c);
    }
    m->set = set;
}

static void find_rows_of_sets(struct row_metadata *m)
{
    m->encoded = ARENA_ARRAY(&m->arena, struct str_view, m->n_sets);
    m->row_of_set = ARENA_ARRAY(&m->arena, uint32_t, m->n_sets);
    for (uint32_t i = m->rows; m->set && i-- > 0;)
        m->row_of_set[m->set[i]] = i;
}

int row_metadata_open(struct row_metadata *m, struct chunk_decoder *d, uint32_t rows,
                      const struct name_list *names, struct err *err)
{
    const struct sm_header *h;
    arena_clear(&m->arena);
    m->decoder = d;
    m->rows = rows;
    m->opaque = false;
    m->n_keys = 0;
    m->set = NULL;
    m->n_sets = 1;
    int r = 0;
    if (!names || names->n) {
        r = chunk_decoder_sm_header(d, &h, err);
        m->opaque = r == 0 && h->opaque && !names;
        if (r == 0)
            r = open_columns(m, h, names, err);
    }
    if (r < 0)
        return r;
    if (m->opaque)
        m->n_sets = rows;
    else
        number_sets(m);
    find_rows_of_sets(m);
    return 0;
}

static void encode_keys(struct row_metadata *m, uint32_t row)
{
    uint32_t n = 0;
    for (size_t k = 0; k < m->n_keys; k++)
        n += m->keys[k].column.row_value[row] != 0;
    if (n == 0)
        return;
    buf_put_varint(&m->scratch, n);
    for (size_t k = 0; k < m->n_keys; k++) {
        uint32_t value = m->keys[k].column.row_value[row];
        if (!value)
            continue;
        buf_put_str(&m->scratch, m->keys[k].name);
        buf_put_str(&m->scratch, m->keys[k].column.values[value - 1]);
    }
}

struct str_view row_metadata_encoded(struct row_metadata *m, uint32_t set)
{
    struct str_view *e = &m->encoded[set];
    if (!e->p) {
        buf_clear(&m->scratch);
        if (m->opaque)
            chunk_decoder_sm_row(m->decoder, set, &m->scratch);
        else
            encode_keys(m, m->row_of_set[set]);
        *e = arena_copy(&m->arena, buf_view(&m->scratch));
    }
    return *e;
}
