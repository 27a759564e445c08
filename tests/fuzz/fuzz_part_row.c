/* SPDX-License-Identifier: Apache-2.0 */
/* An index row that can be read says the same once it is encoded again; reading keeps to the row's
 * times and to what was wanted.  The input is taken as it is, and with its checksums put right. */
#include <assert.h>

#include "base/crc32c.h"
#include "store/index/part_row.h"

enum {
    KEY = 77,
    N_WANTED = 4096,
    MAX_RUNS = 20000,
    HEADER = 32,
    CRC_AT = 24,
    ENTRY = 12,
    GROUP = 64
};

struct collected {
    const struct part_row *d;
    size_t n, last_at;
    size_t at[MAX_RUNS];
    struct segment_run run[MAX_RUNS];
};

static void collect(void *ctx, size_t at, const struct segment_run *run)
{
    struct collected *c = ctx;
    assert(at < N_WANTED && at >= c->last_at);
    assert(run->min_ts_ns >= c->d->min_ts_ns && run->max_ts_ns <= c->d->max_ts_ns);
    assert(run->min_ts_ns <= run->max_ts_ns);
    c->last_at = at;
    if (c->n == MAX_RUNS)
        return;
    c->at[c->n] = at;
    c->run[c->n++] = *run;
}

struct meeting {
    size_t n;
    bool met[N_WANTED];
};
static void meet(void *ctx, size_t at)
{
    struct meeting *m = ctx;
    assert(at < N_WANTED && !m->met[at]);
    m->met[at] = true;
    m->n++;
}

static uint32_t wanted[N_WANTED];
static struct collected got, again;
static struct part_row_series series[N_WANTED];

/* Of series 0 .. N_WANTED - 1. */
static int read_row(struct str_view row, struct part_row *d, struct collected *c, struct meeting *m)
{
    struct err err = ERR_INIT;
    *m = (struct meeting){0};
    if (part_row_open(d, KEY, row, &err) < 0) {
        assert(err.code < 0 && err.text[0]);
        return -1;
    }
    c->d = d;
    c->n = c->last_at = 0;
    if (part_row_select(d, wanted, N_WANTED, collect, c, &err) < 0) {
        assert(err.code == ERR_CORRUPT);
        return -1;
    }
    int r = part_row_meet(d, wanted, N_WANTED, meet, m, NULL);
    assert(r == 0);                             /* it reads less */
    if (part_row_check(d, N_WANTED, NULL) == 0) /* it reads more */
        assert(m->n == d->n_series);
    for (size_t i = 0; i < c->n; i++)
        assert(m->met[c->at[i]]);
    return 0;
}

static void check(struct str_view row)
{
    struct part_row d, d2;
    static struct meeting m, m2;
    if (read_row(row, &d, &got, &m) < 0 || got.n == MAX_RUNS)
        return;
    size_t n = 0;
    for (size_t i = 0; i < got.n; i++) {
        if (i == 0 || got.at[i] != got.at[i - 1])
            series[n++] = (struct part_row_series){wanted[got.at[i]], &got.run[i], 0};
        series[n - 1].n_runs++;
    }
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    part_row_encode(&b, KEY, d.min_ts_ns, d.max_ts_ns, series, n);
    int r = read_row(buf_view(&b), &d2, &again, &m2);
    assert(r == 0 && d2.n_series == n && again.n == got.n && m2.n == n);
    for (size_t i = 0; i < got.n; i++) {
        const struct segment_run *x = &got.run[i], *y = &again.run[i];
        assert(got.at[i] == again.at[i] && x->chunk == y->chunk && x->first_row == y->first_row &&
               x->rows == y->rows && x->line_bytes == y->line_bytes && x->sm_bytes == y->sm_bytes &&
               x->min_ts_ns == y->min_ts_ns && x->max_ts_ns == y->max_ts_ns);
    }
}

/* Of groups that lie within the row, and of the header. */
static void put_checksums_right(struct buf *b)
{
    if (b->len < HEADER)
        return;
    uint64_t n_groups = ((uint64_t)ld_le32(b->p + 4) + GROUP - 1) / GROUP;
    if (n_groups > (b->len - HEADER) / ENTRY)
        return;
    char *table = b->p + HEADER;
    struct str_view groups = sv_from(buf_view(b), HEADER + n_groups * ENTRY);
    for (uint64_t g = 0; g < n_groups; g++) {
        uint64_t from = ld_le32(table + g * ENTRY + 4);
        uint64_t to = g + 1 < n_groups ? ld_le32(table + (g + 1) * ENTRY + 4) : groups.len;
        if (from <= to && to <= groups.len)
            st_le32(table + g * ENTRY + 8, crc32c(sv_sub(groups, from, to - from)));
    }
    uint32_t crc = crc32c_extend(KEY, sv(b->p, CRC_AT));
    st_le32(b->p + CRC_AT, crc32c_extend(crc, sv(table, n_groups * ENTRY)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (uint32_t i = 0; i < N_WANTED; i++)
        wanted[i] = i;
    struct str_view input = sv((const char *)data, len);
    check(input);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, input);
    put_checksums_right(&b);
    check(buf_view(&b));
    return 0;
}
