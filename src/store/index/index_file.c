/* SPDX-License-Identifier: Apache-2.0 */
/* The index rows of a segment, from what the segment says of itself. */
#include <stdlib.h>

#include "base/bytes.h"
#include "store/index/index.h"
#include "store/index/segment_rows.h"

struct part_order {
    int64_t start_ns, length_ns;
    uint32_t part_no;
};

static int cmp_part_order(const void *x, const void *y)
{
    const struct part_order *a = x, *b = y;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    if (a->length_ns != b->length_ns)
        return a->length_ns < b->length_ns ? -1 : 1;
    return (a->part_no > b->part_no) - (a->part_no < b->part_no);
}

static bool same_period(const struct part_order *a, const struct part_order *b)
{
    return a->start_ns == b->start_ns && a->length_ns == b->length_ns;
}

/* One transaction per period. */
static int add_in_order(struct index *ix, const struct segment *segment,
                        const struct part_order *order, struct segment_rows *rows, struct err *err)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < segment->n_parts;) {
        size_t first = i;
        segment_rows_clear(rows);
        for (; r >= 0 && i < segment->n_parts && same_period(&order[first], &order[i]); i++)
            r = segment_rows_add(rows, segment, order[i].part_no, err);
        segment_rows_end(rows);
        if (r >= 0)
            r = index_add_segment(ix, uuid_of_bytes(segment->header.uuid), rows->v, rows->n, err);
    }
    return r;
}

int index_add_segment_file(struct index *ix, const struct segment *segment, struct err *err)
{
    size_t n = segment->n_parts;
    struct part_order *order = mem_alloc(n * sizeof *order);
    for (uint32_t i = 0; i < n; i++)
        order[i] = (struct part_order){segment->parts[i].period_start_ns,
                                       segment->parts[i].period_len_ns, i};
    if (n > 1)
        qsort(order, n, sizeof *order, cmp_part_order);
    CLEANUP(segment_rows_deinit) struct segment_rows rows = {0};
    int r = add_in_order(ix, segment, order, &rows, err);
    free(order);
    return r == ERR_INVALID ? err_context(err, ERR_CORRUPT, "segment") : r;
}
