/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/distributor.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/metrics.h"
#include "distributor/policies.h"
#include "distributor/rate.h"
#include "distributor/validate.h"
#include "http/server.h"
#include "model/discard.h"
#include "wire/push.h"

COUNTER_BY(bytes_received, "loki_distributor_bytes_received_total",
           "Bytes of lines and metadata received", "tenant", "retention_hours",
           "is_internal_stream", "policy", "format");
COUNTER_BY(metadata_received, "loki_distributor_structured_metadata_bytes_received_total",
           "Bytes of structured metadata received", "tenant", "retention_hours",
           "is_internal_stream", "policy", "format");
COUNTER_BY(lines_received, "loki_distributor_lines_received_total", "Lines received", "tenant",
           "is_internal_stream", "policy", "format");
COUNTER_BY(appends, "loki_distributor_ingester_appends_total", "Batches sent to ingesters",
           "ingester");
static int64_t one_replica(void)
{
    return 1;
}
GAUGE_READ(replication_factor, "loki_distributor_replication_factor", "Copies of each entry",
           one_replica);

#define ROW(field, key, def, help)                                                                 \
    CONF_ROW(struct distributor_conf, field, key, CONF_SIZE, def, help)
#define IGNORED(key, help)                                                                         \
    {                                                                                              \
        key, CONF_YAML, 0, "", help, CONF_IGNORED                                                  \
    }
const struct conf_row distributor_conf_rows[] = {
    ROW(max_recv_msg_size_bytes, "max_recv_msg_size", "104857600", "Largest push body as sent"),
    ROW(max_decompressed_size_bytes, "max_decompressed_size", "5242880000",
        "Largest push body once decompressed; a quarter of the memory ceiling bounds it as well"),
    ROW(max_inflight_bytes, "max_inflight_bytes", "0",
        "Most bytes of pushes at work at a time; 0 leaves it to the memory ceiling"),
    IGNORED("push_worker_count", "The HTTP workers push"),
    IGNORED("ring", "One distributor"),
    IGNORED("ha_tracker", "No such thing here"),
    IGNORED("write_failures_logging", "Failures are counted"),
    IGNORED("rate_store", "Rates are kept where they are judged"),
};
const size_t distributor_conf_n_rows = N_ROWS(distributor_conf_rows);

struct distributor {
    /* fixed at init */
    struct distributor_conf conf;
    struct distributor_deps deps;
    /* their own locks */
    struct policies *policies;
    struct rate_limiter *rates;
    _Atomic uint64_t inflight_bytes;
};

/* One push on its way. */
struct job {
    struct distributor *d;
    struct arena arena;
    struct push_batch batch;
    struct validation validation;
    uint64_t charged_bytes;
    push_reply_fn *reply;
    void *ctx;
};

int distributor_open(struct distributor **ret, const struct distributor_conf *conf,
                     const struct distributor_deps *deps, struct err *err)
{
    struct distributor *d = mem_zalloc(1, sizeof *d);
    d->conf = *conf;
    d->deps = *deps;
    d->policies = policies_new();
    d->rates = rate_limiter_new();
    *ret = d;
    return 0;
}

void distributor_close(struct distributor *d)
{
    if (!d)
        return;
    policies_free(d->policies);
    rate_limiter_free(d->rates);
    free(d);
}

/* ---- memory ---- */

static int charge(struct job *j, uint64_t bytes, struct err *err)
{
    struct distributor *d = j->d;
    uint64_t max = d->conf.max_inflight_bytes;
    uint64_t now = atomic_fetch_add(&d->inflight_bytes, bytes) + bytes;
    bool fits = (max == 0 || now <= max) &&
                (!d->deps.ledger || ledger_try_charge(d->deps.ledger, LEDGER_BODIES, bytes));
    if (!fits) {
        atomic_fetch_sub(&d->inflight_bytes, bytes);
        return err_set(err, ERR_UNAVAILABLE,
                       "too many in-flight bytes: this push needs %llu more; try again, or raise "
                       "distributor.max_inflight_bytes or the memory ceiling",
                       (unsigned long long)bytes);
    }
    j->charged_bytes += bytes;
    return 0;
}

static bool take_memory(void *ctx, uint64_t bytes)
{
    return charge(ctx, bytes, NULL) == 0;
}

static void job_free(struct job *j)
{
    arena_deinit(&j->arena);
    atomic_fetch_sub(&j->d->inflight_bytes, j->charged_bytes);
    if (j->d->deps.ledger)
        ledger_release(j->d->deps.ledger, LEDGER_BODIES, j->charged_bytes);
    free(j);
}

/* A quarter of the ceiling at most, whatever is configured. */
static uint64_t max_decoded_bytes(const struct distributor *d)
{
    uint64_t max = d->conf.max_decompressed_size_bytes;
    const struct ledger *ledger = d->deps.ledger;
    if (ledger && ledger->ceiling_bytes / 4 < max)
        max = ledger->ceiling_bytes / 4;
    return max;
}

/* ---- the answer ---- */

static void finish(struct job *j, int status, struct str_view text)
{
    push_reply_fn *reply = j->reply;
    void *ctx = j->ctx;
    if (text.len > 0)
        LOG_DEBUG("push refused", log_sv("tenant", j->batch.tenant), log_int("status", status),
                  log_sv("why", text));
    reply(ctx, status, text);
    job_free(j);
}

static void finish_err(struct job *j, const struct err *err)
{
    finish(j, http_status_of(err->code), sv_of(err->text));
}

/* What the ingester refused joins what the validation refused. */
struct outcome {
    bool stored_any, asked_to_wait;
};

static void gather(struct job *j, struct outcome *ret)
{
    *ret = (struct outcome){false, false};
    for (size_t i = 0; i < j->batch.n_streams; i++) {
        const struct push_stream *s = &j->batch.streams[i];
        for (size_t k = 0; k < s->n_entries && !s->rejected && !ret->stored_any; k++)
            ret->stored_any = !s->entries[k].rejected;
        if (s->status == 0)
            continue;
        ret->asked_to_wait |= s->status == 429;
        complaints_add(&j->validation.complaints, s->text);
    }
}

/* Everything that will be stored is.  A 429 makes senders send the whole batch again, so it is
 * for those of which nothing was kept. */
static void finish_judged(struct job *j)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    const struct limits *l = j->batch.limits;
    struct outcome o;
    gather(j, &o);
    complaints_print(&text, &j->validation.complaints);
    if (j->validation.complaints.n_total > 0)
        finish(j, o.asked_to_wait && !o.stored_any ? 429 : 400, buf_view(&text));
    else if (j->validation.blocked.p && l->block_ingestion_status_code != 200)
        finish(j, (int)l->block_ingestion_status_code, j->validation.blocked);
    else
        finish(j, j->validation.blocked.p ? 200 : 204, SV_EMPTY);
}

static void on_done(void *ctx, struct push_batch *batch, int result, const struct err *err)
{
    struct job *j = ctx;
    if (result < 0)
        finish_err(j, err);
    else
        finish_judged(j);
}

/* ---- the request ---- */

static void count_received(const struct validation *v)
{
    char text[24];
    struct str_view hours = retention_hours_text(v->limits, text);
    METRIC_ADD(&bytes_received, (int64_t)(v->line_bytes + v->metadata_bytes), v->tenant, hours,
               SV("false"), SV(""), SV("loki"));
    METRIC_ADD(&metadata_received, (int64_t)v->metadata_bytes, v->tenant, hours, SV("false"),
               SV(""), SV("loki"));
    METRIC_ADD(&lines_received, (int64_t)v->n_entries, v->tenant, SV("false"), SV(""), SV("loki"));
}

static int decode(struct job *j, const struct push_request *req, struct err *err)
{
    struct distributor *d = j->d;
    struct push_batch *b = &j->batch;
    int r = tenant_one(&d->deps.tenants, req->tenant_header, &b->tenant, err);
    if (r < 0)
        return r;
    b->tenant = arena_copy(&j->arena, b->tenant);
    b->limits = limits_of(&d->deps.limits, b->tenant);
    if (req->body.len > d->conf.max_recv_msg_size_bytes)
        return err_set(err, ERR_TOO_LARGE, "message size too large than max (%zu vs %llu)",
                       req->body.len, (unsigned long long)d->conf.max_recv_msg_size_bytes);
    r = push_content_type(req->content_type, req->content_encoding, req->legacy, &b->body.format,
                          &b->body.coding, err);
    if (r < 0)
        return r;
    const struct kept_policy *kept = policies_get(d->policies, b->limits);
    b->body.bytes = req->body;
    b->body.policy = kept->encoded;
    struct reserve reserve = {take_memory, j};
    r = push_decode(&b->body, &kept->policy, max_decoded_bytes(d), &reserve, &j->arena, &b->streams,
                    &b->n_streams, err);
    if (r == 0 && j->arena.used_bytes > j->charged_bytes)
        r = charge(j, j->arena.used_bytes - j->charged_bytes, err);
    return r;
}

/* All or nothing, on what passed so far. */
static int take_tokens(struct job *j, struct err *err)
{
    enum { MIB = 1 << 20 };
    const struct validation *v = &j->validation;
    double rate = v->limits->ingestion_rate_mb * MIB;
    double burst = v->limits->ingestion_burst_size_mb * MIB;
    if (rate_limiter_take(j->d->rates, v->tenant, rate, burst, (double)v->accepted_bytes,
                          clock_mono_ns()))
        return 0;
    discard_count(DISCARD_RATE_LIMITED, v->tenant, v->limits, v->n_accepted, v->accepted_bytes);
    return err_set(err, ERR_RATE_LIMITED,
                   "ingestion rate limit exceeded for user %.*s (limit: %" PRId64
                   " bytes/sec) while "
                   "attempting to ingest '%llu' lines totaling '%llu' bytes, reduce log volume or "
                   "contact your Loki administrator to see if the limit can be increased",
                   SV_ARG(v->tenant), (int64_t)rate, (unsigned long long)v->n_accepted,
                   (unsigned long long)v->accepted_bytes);
}

void distributor_push(struct distributor *d, const struct push_request *req, push_reply_fn *reply,
                      void *ctx)
{
    struct err err = ERR_INIT;
    struct job *j = mem_zalloc(1, sizeof *j);
    *j = (struct job){.d = d, .arena = ARENA_INIT, .reply = reply, .ctx = ctx};
    j->batch.arena = &j->arena;
    j->batch.received_ns = clock_wall_ns();
    if (decode(j, req, &err) < 0) {
        finish_err(j, &err);
        return;
    }
    j->validation = (struct validation){
        .tenant = j->batch.tenant, .limits = j->batch.limits, .now_ns = j->batch.received_ns};
    validate_push(&j->validation, &j->arena, j->batch.streams, j->batch.n_streams);
    count_received(&j->validation);
    if (j->validation.n_accepted == 0) {
        finish_judged(j); /* nothing to keep, nothing to wait for */
        return;
    }
    if (take_tokens(j, &err) < 0) {
        finish_err(j, &err);
        return;
    }
    METRIC_ADD(&appends, 1, SV("local"));
    d->deps.peer.ops->push(d->deps.peer.self, &j->batch, on_done, j);
}
