/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/thread.h"

struct metric_cell {
    struct metric_cell *next;     /* fixed once published */
    const struct metric *metric;  /* fixed at init */
    struct str_view *values;      /* fixed at init */
    uint64_t hash;                /* fixed at init */
    _Atomic int64_t value;        /* counter, gauge; histogram: number of observations */
    _Atomic double sum;           /* histogram */
    _Atomic uint64_t by_bucket[]; /* histogram: n_bounds, not cumulative */
};

/* Chains only grow, newest first, so readers walk them without a lock. */
struct metric_table {
    unsigned n_chains; /* fixed at init, a power of two */
    unsigned n_cells;  /* guarded by registry_mu */
    _Atomic(struct metric_cell *) chains[];
};
enum { LABELLED_CHAINS = 256 };

static struct mutex registry_mu = MUTEX_INIT;
static struct metric *registry; /* guarded by registry_mu; sorted by name */

void metric_register(struct metric *m)
{
    MUTEX_GUARD(&registry_mu);
    struct metric **at = &registry;
    while (*at && strcmp((*at)->name, m->name) < 0)
        at = &(*at)->next;
    m->next = *at;
    *at = m;
}

static unsigned count_labels(const struct metric *m)
{
    unsigned n = 0;
    while (n < METRIC_MAX_LABELS && m->labels[n])
        n++;
    return n;
}

static uint64_t hash_values(const struct str_view *values, unsigned n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0; i < n; i++) {
        for (size_t k = 0; k < values[i].len; k++)
            h = (h ^ (unsigned char)values[i].p[k]) * UINT64_C(0x100000001b3);
        h = (h ^ 0xff) * UINT64_C(0x100000001b3);
    }
    return h ^ h >> 29;
}

static struct metric_cell *find(struct metric_table *t, uint64_t hash,
                                const struct str_view *values, unsigned n)
{
    struct metric_cell *c =
        atomic_load_explicit(&t->chains[hash & (t->n_chains - 1)], memory_order_acquire);
    for (; c; c = c->next) {
        bool same = c->hash == hash;
        for (unsigned i = 0; same && i < n; i++)
            same = sv_eq(c->values[i], values[i]);
        if (same)
            return c;
    }
    return NULL;
}

static struct metric_cell *add_cell_locked(struct metric *m, struct metric_table *t, uint64_t hash,
                                           const struct str_view *values, unsigned n)
{
    mutex_assert_held(&registry_mu);
    struct metric_cell *c = mem_zalloc(1, sizeof *c + m->n_bounds * sizeof c->by_bucket[0]);
    c->metric = m;
    c->hash = hash;
    c->values = mem_zalloc(n ? n : 1, sizeof *c->values);
    for (unsigned i = 0; i < n; i++) {
        char *copy = mem_alloc(values[i].len + 1);
        if (values[i].len)
            memcpy(copy, values[i].p, values[i].len);
        c->values[i] = sv(copy, values[i].len);
    }
    _Atomic(struct metric_cell *) *chain = &t->chains[hash & (t->n_chains - 1)];
    c->next = atomic_load_explicit(chain, memory_order_relaxed);
    atomic_store_explicit(chain, c, memory_order_release);
    t->n_cells++;
    return c;
}

static struct metric_table *table_locked(struct metric *m, unsigned n)
{
    mutex_assert_held(&registry_mu);
    struct metric_table *t = atomic_load(&m->table);
    if (!t) {
        unsigned n_chains = n ? LABELLED_CHAINS : 1;
        t = mem_zalloc(1, sizeof *t + n_chains * sizeof t->chains[0]);
        t->n_chains = n_chains;
        atomic_store_explicit(&m->table, t, memory_order_release);
    }
    return t;
}

struct metric_cell *metric_cell(struct metric *m, const struct str_view *values, unsigned n)
{
    assert(n == count_labels(m));
    uint64_t hash = hash_values(values, n);
    struct metric_table *t = atomic_load_explicit(&m->table, memory_order_acquire);
    struct metric_cell *c = t ? find(t, hash, values, n) : NULL;
    if (c)
        return c;
    MUTEX_GUARD(&registry_mu);
    t = table_locked(m, n);
    c = find(t, hash, values, n); /* another thread may have been first */
    if (c)
        return c;
    struct str_view other[METRIC_MAX_LABELS];
    if (t->n_cells >= METRIC_MAX_CELLS) {
        for (unsigned i = 0; i < n; i++)
            other[i] = SV("other");
        values = other;
        hash = hash_values(values, n);
        c = find(t, hash, values, n);
    }
    return c ? c : add_cell_locked(m, t, hash, values, n);
}

void metric_cell_add(struct metric_cell *c, int64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

void metric_cell_set(struct metric_cell *c, int64_t v)
{
    atomic_store_explicit(&c->value, v, memory_order_relaxed);
}

int64_t metric_cell_get(const struct metric_cell *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

void metric_cell_observe(struct metric_cell *c, double v)
{
    const struct metric *m = c->metric;
    unsigned b = 0;
    while (b < m->n_bounds && v > m->bounds[b])
        b++;
    if (b < m->n_bounds)
        atomic_fetch_add_explicit(&c->by_bucket[b], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&c->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&c->sum, &sum, sum + v))
        ;
    atomic_fetch_add_explicit(&c->value, 1, memory_order_relaxed);
}

void metric_add(struct metric *m, int64_t n)
{
    metric_cell_add(metric_cell(m, NULL, 0), n);
}

void metric_set(struct metric *m, int64_t v)
{
    metric_cell_set(metric_cell(m, NULL, 0), v);
}

int64_t metric_get(struct metric *m)
{
    return metric_cell_get(metric_cell(m, NULL, 0));
}

void metric_observe(struct metric *m, double v)
{
    metric_cell_observe(metric_cell(m, NULL, 0), v);
}

static void put_escaped(struct buf *out, struct str_view v, bool quotes_too)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '\n')
            buf_put(out, SV("\\n"));
        else if (v.p[i] == '\\' || (quotes_too && v.p[i] == '"'))
            buf_printf(out, "\\%c", v.p[i]);
        else
            buf_put_u8(out, (uint8_t)v.p[i]);
    }
}

static void put_number(struct buf *out, double v)
{
    if (isinf(v))
        buf_put(out, v > 0 ? SV("+Inf") : SV("-Inf"));
    else if (fabs(v) < 1e15 && v == floor(v))
        buf_printf(out, "%.0f", v);
    else
        buf_printf(out, "%.15g", v);
}

static void put_labels(struct buf *out, const struct metric_cell *c, const double *le)
{
    const struct metric *m = c->metric;
    unsigned n = count_labels(m);
    if (n == 0 && !le)
        return;
    buf_put_u8(out, '{');
    for (unsigned i = 0; i < n; i++) {
        buf_printf(out, "%s%s=\"", i ? "," : "", m->labels[i]);
        put_escaped(out, c->values[i], true);
        buf_put_u8(out, '"');
    }
    if (le) {
        buf_printf(out, "%sle=\"", n ? "," : "");
        put_number(out, *le);
        buf_put_u8(out, '"');
    }
    buf_put_u8(out, '}');
}

static void put_histogram(struct buf *out, const struct metric_cell *c)
{
    const struct metric *m = c->metric;
    const double infinity = INFINITY;
    uint64_t below = 0;
    for (unsigned b = 0; b < m->n_bounds; b++) {
        below += atomic_load(&c->by_bucket[b]);
        buf_printf(out, "%s_bucket", m->name);
        put_labels(out, c, &m->bounds[b]);
        buf_printf(out, " %llu\n", (unsigned long long)below);
    }
    double sum = atomic_load(&c->sum);
    uint64_t total = (uint64_t)atomic_load(&c->value);
    if (total < below)
        total = below; /* an observation is between its bucket and the count */
    buf_printf(out, "%s_bucket", m->name);
    put_labels(out, c, &infinity);
    buf_printf(out, " %llu\n", (unsigned long long)total);
    buf_printf(out, "%s_sum", m->name);
    put_labels(out, c, NULL);
    buf_put_u8(out, ' ');
    put_number(out, sum);
    buf_printf(out, "\n%s_count", m->name);
    put_labels(out, c, NULL);
    buf_printf(out, " %llu\n", (unsigned long long)total);
}

static void put_cell(struct buf *out, const struct metric_cell *c)
{
    if (c->metric->kind == METRIC_HISTOGRAM) {
        put_histogram(out, c);
        return;
    }
    buf_printf(out, "%s", c->metric->name);
    put_labels(out, c, NULL);
    buf_put_u8(out, ' ');
    double scale = c->metric->scale != 0 ? c->metric->scale : 1;
    put_number(out, (double)metric_cell_get(c) * scale);
    buf_put_u8(out, '\n');
}

static void put_header(struct buf *out, const struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buf_printf(out, "# HELP %s ", m->name);
    put_escaped(out, sv_of(m->help), false);
    buf_printf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
}

void metrics_write(struct buf *out)
{
    mutex_lock(&registry_mu);
    struct metric *m = registry; /* the list is complete before main() starts */
    mutex_unlock(&registry_mu);
    for (; m; m = m->next) {
        put_header(out, m);
        if (m->read) {
            buf_printf(out, "%s ", m->name);
            put_number(out, (double)m->read() * (m->scale != 0 ? m->scale : 1));
            buf_put_u8(out, '\n');
            continue;
        }
        if (count_labels(m) == 0)
            metric_cell(m, NULL, 0); /* so that it shows before its first use */
        struct metric_table *t = atomic_load_explicit(&m->table, memory_order_acquire);
        for (unsigned i = 0; t && i < t->n_chains; i++)
            for (struct metric_cell *c = atomic_load(&t->chains[i]); c; c = c->next)
                put_cell(out, c);
    }
}
