/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/read_request.h"

#include "base/clock.h"
#include "base/log.h"
#include "querier/query_limits.h"

enum { PIECE_BYTES = 64 << 10 };

static void free_request(struct read_request *r, int status)
{
    if (r->endpoint->done)
        r->endpoint->done(r, status);
    if (r->endpoint->deinit && r->state)
        r->endpoint->deinit(r->state);
    query_control_deinit(&r->control);
    query_damage_deinit(&r->damage);
    arena_deinit(&r->arena);
    free(r);
}

static void reply_err(struct read_request *r, const struct err *err, bool newline)
{
    if (http_status_of(err->code) == 500)
        LOG_ERROR("a read request failed", log_sv("path", r->http->path),
                  log_str("err", err->text));
    http_reply_err(r->http, err, newline);
    free_request(r, http_status_of(err->code));
}

void read_reply_body(struct read_request *r, const char *content_type, struct buf *take_body)
{
    http_reply(r->http, 200, content_type, take_body);
    free_request(r, 200);
}

/* An answer on its way out; the first piece was made before it was known to be the first of
 * several. */
struct outgoing {
    struct read_request *r;
    http_pull_fn *pull;
    void *ctx;
    struct buf first;
};

static int outgoing_pull(void *ctx, struct buf *out)
{
    struct outgoing *o = ctx;
    if (o->first.len == 0)
        return o->pull(o->ctx, out);
    buf_put(out, buf_view(&o->first));
    buf_deinit(&o->first);
    o->first = BUF_INIT;
    return 1;
}

static void outgoing_done(void *ctx)
{
    struct outgoing *o = ctx;
    buf_deinit(&o->first);
    free_request(o->r, 200);
    free(o);
}

void read_reply_pull(struct read_request *r, const char *content_type, http_pull_fn *pull,
                     void *ctx)
{
    struct buf first = BUF_INIT;
    int more = 1;
    while (more > 0 && first.len < PIECE_BYTES)
        more = pull(ctx, &first);
    if (more <= 0) {
        read_reply_body(r, content_type, &first);
        return;
    }
    struct outgoing *o = mem_alloc(sizeof *o);
    *o = (struct outgoing){r, pull, ctx, first};
    http_reply_pull(r->http, 200, content_type, outgoing_pull, outgoing_done, o);
}

struct str_view read_param(struct read_request *r, struct str_view name)
{
    struct str_view v = param_get(r->params, name);
    return v.p ? arena_copy(&r->arena, v) : v;
}

/* ---- the way ---- */

static bool client_gone(void *http)
{
    return http_client_gone(http);
}

static int find_tenants(struct read_request *r, struct err *err)
{
    const struct querier *q = r->q;
    struct str_view header = http_header(r->http, "X-Scope-OrgID"), *names;
    int ret = tenant_many(&q->deps.tenants, header, &r->arena, &names, &r->n_tenants, err);
    if (ret < 0)
        return ret;
    if (r->n_tenants > 1 && (!r->endpoint->may_ask_several || !q->conf.multi_tenant_queries))
        return err_set(err, ERR_INVALID, "multiple org IDs present");
    r->envs = ARENA_ARRAY(&r->arena, struct query_env, r->n_tenants);
    for (size_t i = 0; i < r->n_tenants; i++)
        r->envs[i] = (struct query_env){
            .source = &q->deps.source,
            .pool = q->deps.pool,
            .use_filters = q->conf.use_filters,
            .tenant = arena_copy(&r->arena, names[i]),
            .one_of_several = r->n_tenants > 1,
            .scope = &READ_SCOPE_ALL,
            .deletes = &DELETE_FILTERS_NONE,
            .limits = limits_of(&q->deps.limits, names[i]),
            .control = &r->control,
            .damage = &r->damage,
            .stats = &r->stats,
        };
    return 0;
}

int read_each_limits(struct read_request *r, read_limits_fn *fn, struct err *err)
{
    int ret = 0;
    for (size_t i = 0; i < r->n_tenants && ret == 0; i++)
        ret = fn(r, r->envs[i].limits, err);
    return ret;
}

static int meet_timeout(struct read_request *r, const struct limits *l, struct err *err)
{
    r->control.timeout_ns =
        (int64_t)stricter_limit((uint64_t)r->control.timeout_ns, (uint64_t)l->query_timeout_ns);
    return 0;
}

static int64_t deadline_of(struct read_request *r)
{
    int64_t deadline;
    read_each_limits(r, meet_timeout, NULL);
    if (r->control.timeout_ns <= 0 ||
        __builtin_add_overflow(r->http->arrived_mono_ns, r->control.timeout_ns, &deadline))
        return INT64_MAX;
    return deadline;
}

static void run_turn(struct turn *t)
{
    struct read_request *r = (struct read_request *)t; /* its first member */
    struct err err = ERR_INIT;
    r->begun_mono_ns = clock_mono_ns();
    r->stats.queue_time_s = (double)(r->begun_mono_ns - r->queued_mono_ns) / 1e9;
    int ret = query_check(&r->control, &err);
    if (ret == 0)
        ret = r->endpoint->run(r, &err);
    if (ret < 0)
        reply_err(r, &err, false);
}

static void take_turn(struct read_request *r)
{
    struct querier *q = r->q;
    r->queued_mono_ns = clock_mono_ns();
    if (r->endpoint->lane == READ_NOW) {
        run_turn(&r->turn);
        return;
    }
    struct turns *turns = r->endpoint->lane == READ_QUERY ? q->queries : q->lookups;
    if (turns_push(turns, r->envs[0].tenant, &r->turn))
        return;
    struct err err = ERR_INIT;
    err_set(&err, ERR_RATE_LIMITED, "too many outstanding requests");
    reply_err(r, &err, false);
}

void read_request_begin(struct querier *q, const struct read_endpoint *e, struct http_request *http)
{
    struct read_request *r = mem_zalloc(1, sizeof *r);
    *r = (struct read_request){
        .turn = {.run = run_turn},
        .q = q,
        .endpoint = e,
        .http = http,
        .params = {http->params, http->n_params},
        .now_ns = clock_wall_ns(),
        .control = {.deadline_mono_ns = INT64_MAX,
                    .max_bytes = q->conf.max_query_bytes,
                    .ledger = q->deps.ledger,
                    .client_gone = client_gone,
                    .client = http},
    };
    query_damage_init(&r->damage, q->conf.fail_on_damaged_data);
    struct err err = ERR_INIT;
    if (find_tenants(r, &err) < 0) {
        reply_err(r, &err, true);
        return;
    }
    r->control.deadline_mono_ns = deadline_of(r);
    r->state = e->state_bytes ? arena_zalloc(&r->arena, 1, e->state_bytes) : NULL;
    if (e->prepare && e->prepare(r, &err) < 0) {
        reply_err(r, &err, false);
        return;
    }
    /* Many may wait for their turn, each with its parameters and its tree. */
    if (query_charge(&r->control, r->arena.used_bytes + http->arena->used_bytes, &err) < 0) {
        reply_err(r, &err, false);
        return;
    }
    take_turn(r);
}
