/* SPDX-License-Identifier: Apache-2.0 */
#include "query/recent_peer.h"

#include "base/clock.h"
#include "base/thread.h"
#include "query/plan/selection.h"
#include "query/recent_rows.h"
#include "wire/stats.h"

struct pin {
    struct pin *next; /* guarded by the peer's mu */
    uint64_t number;  /* fixed at open, and all below is what open made */
    uint32_t refs;    /* guarded by the peer's mu: the list's, and one for each running call */
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_source source;
    struct query_env env;
    struct selection selection;
};

struct recent_peer {
    struct recent_source source; /* fixed at init */
    struct ledger *ledger;       /* fixed at init */
    struct mutex mu;
    struct pin *pins;     /* guarded by mu */
    uint64_t last_number; /* guarded by mu */
};

struct recent_peer *recent_peer_new(const struct recent_source *source, struct ledger *ledger)
{
    struct recent_peer *p = mem_zalloc(1, sizeof *p);
    p->source = *source;
    p->ledger = ledger;
    mutex_init(&p->mu);
    return p;
}

/* ---- pins ---- */

static void pin_free(struct pin *pin)
{
    selection_close(&pin->selection);
    query_control_deinit(&pin->control);
    arena_deinit(&pin->arena);
    free(pin);
}

void recent_peer_free(struct recent_peer *p)
{
    if (!p)
        return;
    while (p->pins) {
        struct pin *pin = p->pins;
        p->pins = pin->next;
        pin_free(pin);
    }
    mutex_deinit(&p->mu);
    free(p);
}

static struct pin *pin_ref(struct recent_peer *p, uint64_t number, struct err *err)
{
    MUTEX_GUARD(&p->mu);
    for (struct pin *pin = p->pins; pin; pin = pin->next)
        if (pin->number == number) {
            pin->refs++;
            return pin;
        }
    err_set(err, ERR_NOT_FOUND, "the recent data of that read is no longer held: open it again");
    return NULL;
}

static void pin_unref(struct recent_peer *p, struct pin *pin)
{
    mutex_lock(&p->mu);
    bool is_last = --pin->refs == 0;
    mutex_unlock(&p->mu);
    if (is_last)
        pin_free(pin);
}

static void op_close(void *self, uint64_t number)
{
    struct recent_peer *p = self;
    struct pin *found = NULL;
    mutex_lock(&p->mu);
    for (struct pin **at = &p->pins; *at && !found; at = *at ? &(*at)->next : at)
        if ((*at)->number == number) {
            found = *at;
            *at = found->next;
        }
    mutex_unlock(&p->mu);
    if (found)
        pin_unref(p, found);
}

/* ---- open ---- */

static int64_t deadline_of(int64_t timeout_ns)
{
    int64_t deadline;
    if (timeout_ns <= 0 || __builtin_add_overflow(clock_mono_ns(), timeout_ns, &deadline))
        return INT64_MAX;
    return deadline;
}

static struct pin *pin_new(const struct recent_peer *p, const struct peer_open *q)
{
    struct pin *pin = mem_zalloc(1, sizeof *pin);
    pin->refs = 1;
    pin->control = (struct query_control){.deadline_mono_ns = deadline_of(q->timeout_ns),
                                          .timeout_ns = q->timeout_ns,
                                          .max_bytes = q->max_bytes,
                                          .ledger = p->ledger};
    pin->source = (struct query_source){.recent = p->source};
    pin->env = (struct query_env){.source = &pin->source,
                                  .tenant = arena_copy(&pin->arena, q->tenant),
                                  .scope = &READ_SCOPE_ALL,
                                  .deletes = &DELETE_FILTERS_NONE,
                                  .control = &pin->control,
                                  .stats = &pin->stats};
    return pin;
}

/* A pin outlives the message that asked for it. */
static struct selection_query copy_query(struct pin *pin, const struct peer_open *q)
{
    struct matcher *v = ARENA_ARRAY(&pin->arena, struct matcher, q->n_matchers);
    for (size_t i = 0; i < q->n_matchers; i++)
        v[i] = (struct matcher){.name = arena_copy(&pin->arena, q->matchers[i].name),
                                .op = q->matchers[i].op,
                                .value = arena_copy(&pin->arena, q->matchers[i].value)};
    return (struct selection_query){v, q->n_matchers, {q->min_ts_ns, q->max_ts_ns}};
}

static int op_open(void *self, const struct peer_open *q, struct arena *a, struct peer_opened *ret,
                   struct err *err)
{
    struct recent_peer *p = self;
    struct pin *pin = pin_new(p, q);
    struct selection_query query = copy_query(pin, q);
    (void)a; /* there is no other instance: no slices to tell apart */
    int r = query_charge(&pin->control, sizeof *pin + pin->arena.used_bytes, err);
    if (r == 0)
        r = selection_open(&pin->selection, &pin->env, &query, err);
    if (r < 0) {
        pin_free(pin);
        return r;
    }
    mutex_lock(&p->mu);
    pin->number = ++p->last_number;
    pin->next = p->pins;
    p->pins = pin;
    mutex_unlock(&p->mu);
    *ret = (struct peer_opened){.pin = pin->number};
    return 0;
}

/* ---- streams, run ---- */

static int op_streams(void *self, uint64_t number, peer_take_fn *take, void *ctx, struct err *err)
{
    struct pin *pin = pin_ref(self, number, err);
    if (!pin)
        return ERR_NOT_FOUND;
    int r = recent_streams(&pin->selection, take, ctx, err);
    pin_unref(self, pin);
    return r;
}

static int op_run(void *self, const struct peer_rows *q, peer_take_fn *take, void *ctx,
                  struct err *err)
{
    if (q->n_slices)
        return err_set(err, ERR_UNSUPPORTED, "recent data of one process knows no slices");
    struct pin *pin = pin_ref(self, q->pin, err);
    if (!pin)
        return ERR_NOT_FOUND;
    int r = recent_rows(&pin->selection, q, take, ctx, err);
    pin_unref(self, pin);
    return r;
}

struct peer_reads recent_peer_reads(struct recent_peer *p)
{
    static const struct peer_read_ops ops = {op_open, op_streams, op_run, op_close};
    return (struct peer_reads){&ops, p};
}
