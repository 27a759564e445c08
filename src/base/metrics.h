/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - counters, gauges and histograms of the process, as Prometheus text.
 * A row at file scope defines and registers one; it shows on /metrics from the start.
 *     COUNTER(wal_bytes_total, "loki_ingester_wal_bytes_total", "Bytes appended to the WAL");
 *     COUNTER_BY(discarded, "loki_discarded_samples_total", "Entries refused", "reason", "tenant");
 *     metric_add(&wal_bytes_total, n);   METRIC_ADD(&discarded, 1, reason, tenant);
 * Label values come as str_views, in the row's order.  A metric keeps at most METRIC_MAX_CELLS
 * label sets; further ones are counted together under the value "other".
 * Threads: any, lock-free once a cell exists; hot paths keep the cell (it lives for ever). */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str_view.h"

enum { METRIC_MAX_LABELS = 6, METRIC_MAX_CELLS = 4096 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_cell;
struct metric_table;
struct metric {
    const char *name, *help;
    enum metric_kind kind;
    const char *labels[METRIC_MAX_LABELS]; /* NULL-ended when shorter */
    const double *bounds;                  /* histogram: upper bounds, rising */
    unsigned n_bounds;
    int64_t (*read)(void);                /* gauge computed when asked, or NULL */
    double scale;                         /* shown = stored * scale; 0 means 1 */
    _Atomic(struct metric_table *) table; /* made at first use */
    struct metric *next;                  /* registry */
};
void metric_register(struct metric *m);

#define METRIC_DEFINE(var, ...)                                                                    \
    static struct metric var = {__VA_ARGS__};                                                      \
    __attribute__((constructor)) static void metric_register_##var(void)                           \
    {                                                                                              \
        metric_register(&var);                                                                     \
    }                                                                                              \
    _Static_assert(1, "")
#define COUNTER(var, name_, help_)                                                                 \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_COUNTER)
#define COUNTER_BY(var, name_, help_, ...)                                                         \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_COUNTER,                       \
                  .labels = {__VA_ARGS__})
/* Adds integers, shows them times scale: nanoseconds kept, seconds shown with 1e-9. */
#define COUNTER_SCALED(var, name_, help_, scale_)                                                  \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_COUNTER, .scale = scale_)
#define GAUGE(var, name_, help_)                                                                   \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_GAUGE)
#define GAUGE_BY(var, name_, help_, ...)                                                           \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_GAUGE, .labels = {__VA_ARGS__})
/* int64_t read_(void) answers each scrape. */
#define GAUGE_READ(var, name_, help_, read_)                                                       \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_GAUGE, .read = read_)
/* bounds_: a static array of double. */
#define HISTOGRAM(var, name_, help_, bounds_)                                                      \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_HISTOGRAM, .bounds = bounds_,  \
                  .n_bounds = sizeof(bounds_) / sizeof(bounds_[0]))
#define HISTOGRAM_BY(var, name_, help_, bounds_, ...)                                              \
    METRIC_DEFINE(var, .name = name_, .help = help_, .kind = METRIC_HISTOGRAM, .bounds = bounds_,  \
                  .n_bounds = sizeof(bounds_) / sizeof(bounds_[0]), .labels = {__VA_ARGS__})

/* The cell of these label values, made when new; n is the number of the row's labels. */
struct metric_cell *metric_cell(struct metric *m, const struct str_view *values, unsigned n);
void metric_cell_add(struct metric_cell *c, int64_t n);
void metric_cell_set(struct metric_cell *c, int64_t v);
int64_t metric_cell_get(const struct metric_cell *c);
void metric_cell_observe(struct metric_cell *c, double v);

/* Metrics without labels. */
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t v);
int64_t metric_get(struct metric *m);
void metric_observe(struct metric *m, double v);

#define METRIC_CELL(m, ...)                                                                        \
    metric_cell((m), (const struct str_view[]){__VA_ARGS__},                                       \
                sizeof((const struct str_view[]){__VA_ARGS__}) / sizeof(struct str_view))
#define METRIC_ADD(m, n, ...) metric_cell_add(METRIC_CELL(m, __VA_ARGS__), (n))
#define METRIC_SET(m, v, ...) metric_cell_set(METRIC_CELL(m, __VA_ARGS__), (v))
#define METRIC_OBSERVE(m, v, ...) metric_cell_observe(METRIC_CELL(m, __VA_ARGS__), (v))

/* All of them, by name, in the text format 0.0.4. */
void metrics_write(struct buf *out);
