/* SPDX-License-Identifier: Apache-2.0 */
#include "query/rows/log_result.h"

void log_result_init(struct log_result *r)
{
    *r = (struct log_result){0};
    series_set_init(&r->streams);
}

void log_result_thin(struct log_result *r, int64_t interval_ns)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        __int128 gap = n ? (__int128)r->rows[i].ts_ns - r->rows[n - 1].ts_ns : 0;
        if (n == 0 || (gap < 0 ? -gap : gap) >= interval_ns)
            r->rows[n++] = r->rows[i];
    }
    r->n_rows = n;
}

void log_result_deinit(struct log_result *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_parts; i++)
        log_result_deinit(&r->parts[i]);
    free(r->parts);
    free(r->rows);
    series_set_deinit(&r->streams);
    arena_deinit(&r->arena);
    *r = (struct log_result){0};
}
