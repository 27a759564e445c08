/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan/top_rows.h"

struct kept_row {
    int64_t ts_ns;
    uint64_t order;
    uint32_t stream;
    uint32_t line_bytes, labels_bytes, sm_bytes, parsed_bytes;
    char bytes[]; /* labels, sm, parsed, line */
};

void top_rows_init(struct top_rows *t, size_t limit, bool backward, struct query_control *control)
{
    *t = (struct top_rows){.control = control, .limit = limit ? limit : 1, .backward = backward};
    mutex_init(&t->mu);
    atomic_init(&t->bound_ns, backward ? INT64_MIN : INT64_MAX);
}

static size_t row_bytes(const struct kept_row *r)
{
    return sizeof *r + (size_t)r->line_bytes + r->labels_bytes + r->sm_bytes + r->parsed_bytes;
}

static void row_free(struct top_rows *t, struct kept_row *r)
{
    query_release(t->control, row_bytes(r));
    free(r);
}

void top_rows_deinit(struct top_rows *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i])
            row_free(t, t->v[i]);
    query_release(t->control, t->cap * sizeof(void *));
    free(t->v);
    mutex_deinit(&t->mu);
    *t = (struct top_rows){0};
}

/* < 0 when a stands before b in the answer. */
static int compare(bool backward, int64_t a_ts, uint32_t a_stream, uint64_t a_order,
                   const struct kept_row *b)
{
    if (a_ts != b->ts_ns)
        return (a_ts < b->ts_ns) != backward ? -1 : 1;
    if (a_stream != b->stream)
        return a_stream < b->stream ? -1 : 1;
    if (a_order != b->order)
        return (a_order < b->order) != backward ? -1 : 1;
    return 0;
}

static int compare_rows(bool backward, const struct kept_row *a, const struct kept_row *b)
{
    return compare(backward, a->ts_ns, a->stream, a->order, b);
}

/* ---- a heap with the last row of the answer on top ---- */

static void sift_up(struct top_rows *t, size_t i)
{
    struct kept_row *row = t->v[i];
    for (; i > 0; i = (i - 1) / 2) {
        struct kept_row *parent = t->v[(i - 1) / 2];
        if (compare_rows(t->backward, row, parent) <= 0)
            break;
        t->v[i] = parent;
    }
    t->v[i] = row;
}

static void sift_down(struct top_rows *t)
{
    struct kept_row *row = t->v[0];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < t->n; i = child) {
        if (child + 1 < t->n && compare_rows(t->backward, t->v[child + 1], t->v[child]) > 0)
            child++;
        if (compare_rows(t->backward, row, t->v[child]) >= 0)
            break;
        t->v[i] = t->v[child];
    }
    t->v[i] = row;
}

static struct kept_row *copy_row(const struct top_row *row)
{
    struct kept_row *r =
        mem_alloc(sizeof *r + row->line.len + row->labels.len + row->sm.len + row->parsed.len);
    *r = (struct kept_row){.ts_ns = row->ts_ns,
                           .order = row->order,
                           .stream = row->stream,
                           .line_bytes = (uint32_t)row->line.len,
                           .labels_bytes = (uint32_t)row->labels.len,
                           .sm_bytes = (uint32_t)row->sm.len,
                           .parsed_bytes = (uint32_t)row->parsed.len};
    char *to = r->bytes;
    const struct str_view parts[] = {row->labels, row->sm, row->parsed, row->line};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].len)
            memcpy(to, parts[i].p, parts[i].len);
        to += parts[i].len;
    }
    return r;
}

int top_rows_offer(struct top_rows *t, const struct top_row *row, struct err *err)
{
    if (!top_rows_may_keep(t, row->ts_ns))
        return 0;
    MUTEX_GUARD(&t->mu);
    bool full = t->n == t->limit;
    if (full && compare(t->backward, row->ts_ns, row->stream, row->order, t->v[0]) >= 0)
        return 0;
    uint64_t bytes =
        sizeof(struct kept_row) + row->line.len + row->labels.len + row->sm.len + row->parsed.len;
    int r = query_charge(t->control, bytes, err);
    if (r >= 0 && !full)
        r = query_grow(t->control, &t->v, &t->cap, t->n + 1, sizeof(void *), err);
    if (r < 0)
        return r;
    struct kept_row *copy = copy_row(row);
    if (full) {
        row_free(t, t->v[0]);
        t->v[0] = copy;
        sift_down(t);
    } else {
        t->v[t->n++] = copy;
        sift_up(t, t->n - 1);
    }
    if (t->n == t->limit)
        atomic_store_explicit(&t->bound_ns, t->v[0]->ts_ns, memory_order_relaxed);
    return 0;
}

/* ---- the answer ---- */

static int by_order(const void *a, const void *b, void *ctx)
{
    return compare_rows(*(const bool *)ctx, *(struct kept_row *const *)a,
                        *(struct kept_row *const *)b);
}

size_t top_rows_sort(struct top_rows *t)
{
    MUTEX_GUARD(&t->mu);
    if (t->n > 1)
        qsort_r(t->v, t->n, sizeof(void *), by_order, &t->backward);
    return t->n;
}

int64_t top_rows_ts_ns(const struct top_rows *t, size_t i)
{
    return t->v[i]->ts_ns;
}

static struct labels take_labels(struct arena *a, struct str_view encoded)
{
    return encoded.len ? labels_unpack(a, arena_copy(a, encoded)) : (struct labels){0};
}

/* The charge of the row's bytes goes over to the result. */
int top_rows_take(struct top_rows *t, size_t i, struct log_result *ret, struct err *err)
{
    int r = query_charge(t->control, sizeof(struct log_row), err);
    if (r < 0)
        return r;
    struct kept_row *from = TAKE(t->v[i]);
    const char *sm = from->bytes + from->labels_bytes, *parsed = sm + from->sm_bytes;
    ret->rows = mem_grow(ret->rows, &ret->cap_rows, ret->n_rows + 1, sizeof *ret->rows);
    ret->rows[ret->n_rows++] = (struct log_row){
        .ts_ns = from->ts_ns,
        .stream = series_set_add_encoded(&ret->streams, sv(from->bytes, from->labels_bytes)),
        .line = arena_copy(&ret->arena, sv(parsed + from->parsed_bytes, from->line_bytes)),
        .sm = take_labels(&ret->arena, sv(sm, from->sm_bytes)),
        .parsed = take_labels(&ret->arena, sv(parsed, from->parsed_bytes)),
    };
    free(from);
    return 0;
}
