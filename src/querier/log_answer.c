/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/log_answer.h"

enum { PIECE_BYTES = 64 << 10 };

struct named_stream {
    struct str_view text; /* {a="b", c="d"} */
    uint32_t stream;
};

static int by_text(const void *a, const void *b)
{
    return sv_cmp(((const struct named_stream *)a)->text, ((const struct named_stream *)b)->text);
}

/* Sets a->streams from how many rows each has. */
static void order_streams(struct log_answer *a, struct arena *arena, const uint32_t *n_rows)
{
    const struct series_set *set = &a->result->streams;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct named_stream *v = mem_alloc(set->n * sizeof *v);
    size_t *ends = mem_alloc(set->n * sizeof *ends);
    for (uint32_t i = 0; i < set->n; i++) {
        if (n_rows[i] == 0)
            continue;
        labels_print(&text, series_set_labels(set, i));
        ends[a->n_streams] = text.len;
        v[a->n_streams++].stream = i;
    }
    for (size_t i = 0; i < a->n_streams; i++) {
        size_t from = i ? ends[i - 1] : 0;
        v[i].text = sv_sub(buf_view(&text), from, ends[i] - from);
    }
    if (a->n_streams > 1)
        qsort(v, a->n_streams, sizeof *v, by_text);
    a->streams = ARENA_ARRAY(arena, uint32_t, a->n_streams + 1);
    for (size_t i = 0; i < a->n_streams; i++)
        a->streams[i] = v[i].stream;
    free(v);
    free(ends);
}

/* Rows by stream, keeping their order. */
static void order_rows(struct log_answer *a, struct arena *arena, uint32_t *n_rows)
{
    const struct log_result *res = a->result;
    a->rows = ARENA_ARRAY(arena, uint32_t, res->n_rows + 1);
    a->first = ARENA_ARRAY(arena, uint32_t, a->n_streams + 1);
    for (size_t i = 0; i < a->n_streams; i++) {
        a->first[i + 1] = a->first[i] + n_rows[a->streams[i]];
        n_rows[a->streams[i]] = a->first[i]; /* from here on: where the next row goes */
    }
    for (size_t i = 0; i < res->n_rows; i++)
        a->rows[n_rows[res->rows[i].stream]++] = (uint32_t)i;
}

int log_answer_init(struct log_answer *a, struct log_result *result,
                    const struct answer_options *options, const struct query_stats *stats,
                    struct query_control *control, struct err *err)
{
    *a = (struct log_answer){.result = result, .stats = stats, .options = *options};
    uint64_t bytes = (result->n_rows + 3 * result->streams.n + 4) * sizeof(uint32_t);
    int r = query_charge(control, bytes, err);
    if (r < 0)
        return r;
    uint32_t *n_rows = ARENA_ARRAY(&result->arena, uint32_t, result->streams.n + 1);
    for (size_t i = 0; i < result->n_rows; i++)
        n_rows[result->rows[i].stream]++;
    order_streams(a, &result->arena, n_rows);
    order_rows(a, &result->arena, n_rows);
    return 0;
}

static void put_row(struct log_answer *a, struct buf *out)
{
    const struct log_row *row = &a->result->rows[a->rows[a->row++]];
    answer_entry(&a->w, out, row->ts_ns, row->line, row->sm, row->parsed);
}

int log_answer_pull(void *log_answer, struct buf *out)
{
    struct log_answer *a = log_answer;
    if (!a->begun)
        answer_begin(&a->w, out, &a->options);
    a->begun = true;
    while (a->stream < a->n_streams) {
        uint32_t end = a->first[a->stream + 1];
        if (a->row == a->first[a->stream])
            answer_series_begin(&a->w, out,
                                series_set_labels(&a->result->streams, a->streams[a->stream]));
        do
            put_row(a, out);
        while (a->row < end && out->len < PIECE_BYTES);
        if (a->row < end)
            return 1;
        answer_series_end(&a->w, out);
        a->stream++;
        if (out->len >= PIECE_BYTES)
            return 1;
    }
    answer_end(&a->w, out, a->stats);
    return 0;
}
