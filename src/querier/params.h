/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - the parameters of read requests: names, forms, defaults and error texts of Loki.
 * Errors are ERR_INVALID and carry the whole text of the answer.  Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"
#include "http/server.h"

struct param_list {
    const struct http_param *v;
    size_t n;
};
/* First value of that name, p == NULL when absent. */
struct str_view param_get(struct param_list l, struct str_view name);

struct query_params {
    struct str_view query;
    int64_t start_ns, end_ns; /* an instant query has both at its time */
    int64_t step_ns;          /* > 0; of an instant query 0 */
    int64_t interval_ns;      /* of log queries; 0 is none */
    int64_t limit;
    bool backward;
};

/* query_range and /api/prom/query. */
int params_range(struct param_list l, int64_t now_ns, struct query_params *ret, struct err *err);
/* query. */
int params_instant(struct param_list l, int64_t now_ns, struct query_params *ret, struct err *err);
/* start, end, since alone: labels, values, series, stats. */
int params_bounds(struct param_list l, int64_t now_ns, int64_t *ret_start_ns, int64_t *ret_end_ns,
                  struct err *err);
/* The same with step: volume_range. */
int params_stepped_bounds(struct param_list l, int64_t now_ns, int64_t *ret_start_ns,
                          int64_t *ret_end_ns, int64_t *ret_step_ns, struct err *err);
/* Start down, end up to multiples of step since 1970. */
void params_align(struct query_params *p);

/* One value: float or whole seconds, nanoseconds, RFC 3339. */
int param_time(struct str_view text, int64_t *ret_ns, struct err *err);
/* Float seconds or a Prometheus duration. */
int param_step(struct str_view text, int64_t *ret_ns, struct err *err);
