/* SPDX-License-Identifier: Apache-2.0 */
/* A request from its first line to its end.  The library calls request_on_uri() when it has read
 * the request line, request_on_data() once for the headers, then per piece of the body, then at its
 * end (where we suspend the connection and a worker takes over), and once more after the worker's
 * answer resumed the connection. */
#include "http/request.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/metrics.h"

enum {
    FIRST_BODY_BYTES = 256 << 10, /* reserved at once; more as it comes */
    STRAY_BODY_BYTES = 1 << 20,   /* read and thrown away where no body is wanted */
    DRAIN_FACTOR = 4,             /* over the limit, up to this multiple, the client is heard out */
};

static const double duration_bounds[] = {.005, .01, .025, .05, .1, .25, .5,
                                         1,    2.5, 5,    10,  25, 50,  100};
static const double size_bounds[] = {1048576,  2621440,  5242880,   10485760,
                                     26214400, 52428800, 104857600, 262144000};
HISTOGRAM_BY(request_duration, "loki_request_duration_seconds",
             "Time from the request line to the last byte of the answer", duration_bounds, "method",
             "route", "status_code", "ws");
HISTOGRAM_BY(request_bytes, "loki_request_message_bytes", "Size of request bodies", size_bounds,
             "method", "route");
HISTOGRAM_BY(response_bytes, "loki_response_message_bytes",
             "Size of answers as sent, before the library's framing", size_bounds, "method",
             "route");
GAUGE_BY(inflight, "loki_inflight_requests", "Requests with a handler or on their way out",
         "method", "route");

/* The library would keep a record for each argument and, when its memory for the connection is full
 * of them, never answer.  We cut the arguments from our copy, so its own end before they begin: the
 * text lies in the connection's buffer and is const only on its way to us. */
static void hide_arguments(const char *uri)
{
    const char *question = strchr(uri, '?');
    char *at;
    memcpy(&at, &question, sizeof at);
    if (at && at[1])
        at[1] = '\0';
}

void *request_on_uri(void *server, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *s = server;
    struct request *r = mem_zalloc(1, sizeof *r);
    r->server = s;
    r->mhd = mhd;
    r->n_refs = 1;
    r->raw_uri = (char *)mem_alloc((uri ? strlen(uri) : 0) + 1);
    strcpy(r->raw_uri, uri ? uri : "");
    if (uri)
        hide_arguments(uri);
    r->pub.arena = &r->arena;
    r->pub.arrived_mono_ns = clock_mono_ns();
    r->connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->fd = r->connection->fd;
    mutex_lock(&s->mu);
    s->n_open++;
    mutex_unlock(&s->mu);
    reaper_set_deadline(s, r->connection, s->read_timeout_ns);
    return r;
}

static struct str_view route_name(const struct request *r)
{
    return r->route ? sv_of(r->route->metric_name) : SV("notfound");
}

static struct str_view method_name(const struct request *r)
{
    switch (r->pub.method) {
    case HTTP_GET:
        return SV("GET");
    case HTTP_POST:
        return SV("POST");
    case HTTP_PUT:
        return SV("PUT");
    case HTTP_DELETE:
        return SV("DELETE");
    }
    return SV("other"); /* anything may come: no label per invention of a client */
}

/* 0 for what no route serves. */
static enum http_method method_of(const char *text)
{
    static const struct {
        const char *text;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET},
                 {"HEAD", HTTP_GET},
                 {"POST", HTTP_POST},
                 {"PUT", HTTP_PUT},
                 {"DELETE", HTTP_DELETE}};
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(text, known[i].text) == 0)
            return known[i].method;
    return (enum http_method)0;
}

static enum MHD_Result keep_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                   size_t key_len, const char *value, size_t value_len)
{
    struct request *r = ctx;
    headers_add(&r->headers, &r->arena, sv(key, key_len), sv(value ? value : "", value_len));
    return MHD_YES;
}

struct str_view http_header(const struct http_request *req, const char *name)
{
    const struct request *r = (const struct request *)req;
    return headers_get(&r->headers, sv_of(name));
}

/* Whether two readers of this request could disagree about where it ends. */
static bool is_smuggled(const struct request *r)
{
    size_t n_te = headers_count(&r->headers, SV("Transfer-Encoding"));
    size_t n_cl = headers_count(&r->headers, SV("Content-Length"));
    struct str_view te = http_header(&r->pub, "Transfer-Encoding");
    struct str_view cl = http_header(&r->pub, "Content-Length");
    uint64_t unused;
    if (n_te > 1 || n_cl > 1 || (n_te && n_cl))
        return true;
    if (n_te && !sv_eq_nocase(sv_trim(te), SV("chunked")))
        return true;
    return n_cl && !sv_to_u64(sv_trim(cl), &unused);
}

static void cut_uri(struct request *r, struct str_view *ret_path)
{
    struct str_view uri = sv_of(r->raw_uri);
    size_t scheme = sv_find(uri, SV("://"));
    if (scheme != SIZE_MAX && uri.p[0] != '/') { /* absolute form: a proxy's way */
        uri = sv_from(uri, scheme + 3);
        uri = sv_from(uri, sv_find_byte(uri, '/'));
    }
    size_t question = sv_find_byte(uri, '?');
    *ret_path = sv_sub(uri, 0, question);
    r->raw_query = sv_from(uri, question + 1);
}

/* Fixes the answer now and reads what is left of the body; where that is too much, or the client
 * waits for our word (Expect), the answer goes out at once and the connection ends. */
static enum MHD_Result answer_early(struct request *r, int status, struct MHD_Response *response,
                                    uint64_t drain_limit_bytes)
{
    r->status = status;
    r->response = response;
    r->fate = BODY_DRAIN;
    r->drain_limit_bytes = drain_limit_bytes;
    if (!r->expects_continue && r->body_expected <= drain_limit_bytes)
        return MHD_YES;
    MHD_add_response_header(response, "Connection", "close");
    return MHD_queue_response(r->mhd, (unsigned)status, response);
}

static enum MHD_Result refuse(struct request *r, int status, struct str_view text)
{
    return answer_early(r, status, response_text(r, text, "text/plain; charset=utf-8"),
                        STRAY_BODY_BYTES);
}

static uint64_t body_limit(const struct request *r)
{
    return r->route->conf.max_body_bytes;
}

static struct MHD_Response *too_large(struct request *r, uint64_t got)
{
    struct str_view text =
        arena_printf(&r->arena, "message size too large than max (%llu vs %llu)\n",
                     (unsigned long long)got, (unsigned long long)body_limit(r));
    return response_text(r, text, "text/plain; charset=utf-8");
}

static uint64_t drain_limit(const struct request *r)
{
    uint64_t limit = body_limit(r);
    if (limit > UINT64_MAX / DRAIN_FACTOR)
        return limit;
    return limit * DRAIN_FACTOR > STRAY_BODY_BYTES ? limit * DRAIN_FACTOR : STRAY_BODY_BYTES;
}

/* More room for the body, paid for first. */
static bool reserve_body(struct request *r, uint64_t more)
{
    uint64_t need = r->body.len + more;
    if (need <= r->body.cap)
        return true;
    uint64_t cap = 2 * (uint64_t)r->body.cap;
    uint64_t most = r->body_expected ? r->body_expected : body_limit(r);
    if (cap < FIRST_BODY_BYTES)
        cap = FIRST_BODY_BYTES;
    if (cap > most)
        cap = most;
    if (cap < need)
        cap = need;
    if (!ledger_try_charge(r->server->ledger, LEDGER_BODIES, cap - r->body_charged))
        return false;
    r->body_charged = cap;
    r->body.p = mem_realloc(r->body.p, (size_t)cap);
    r->body.cap = (size_t)cap;
    return true;
}

static struct MHD_Response *out_of_memory(struct request *r)
{
    struct MHD_Response *response =
        response_text(r,
                      SV("too many bytes in flight: the server's memory ceiling is reached, "
                         "try again later\n"),
                      "text/plain; charset=utf-8");
    MHD_add_response_header(response, "Retry-After", "1");
    return response;
}

/* Expected bytes from Content-Length; 0 for chunked, which tells its length at its end. */
static void read_framing(struct request *r)
{
    struct str_view length = http_header(&r->pub, "Content-Length");
    if (length.p)
        sv_to_u64(sv_trim(length), &r->body_expected);
    r->expects_continue = http_header(&r->pub, "Expect").p != NULL;
    struct str_view type = http_header(&r->pub, "Content-Type");
    type =
        sv_trim(sv_sub(type.p ? type : SV_EMPTY, 0, sv_find_byte(type.p ? type : SV_EMPTY, ';')));
    r->is_form = sv_eq_nocase(type, SV("application/x-www-form-urlencoded"));
}

static enum MHD_Result begin(struct http_server *s, struct request *r, const char *method)
{
    r->begun = true;
    r->method_text = method;
    r->pub.method = method_of(method);
    r->pub.body = SV_EMPTY;
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, keep_header, r);
    if (is_smuggled(r)) {
        r->expects_continue = true; /* where its body ends is in doubt: read no further */
        return refuse(r, MHD_HTTP_BAD_REQUEST,
                      SV("the request's length is ambiguous: one Content-Length or "
                         "Transfer-Encoding: chunked\n"));
    }
    read_framing(r);
    struct str_view path;
    cut_uri(r, &path);
    switch (router_match(s, r, path)) {
    case ROUTER_NOT_FOUND:
        return refuse(r, MHD_HTTP_NOT_FOUND, SV("404 page not found\n"));
    case ROUTER_WRONG_METHOD:
        return answer_early(r, MHD_HTTP_METHOD_NOT_ALLOWED, response_text(r, SV_EMPTY, NULL),
                            STRAY_BODY_BYTES);
    case ROUTER_OK:
        break;
    }
    if (body_limit(r) == 0) {
        r->drain_limit_bytes = STRAY_BODY_BYTES;
        return r->body_expected > STRAY_BODY_BYTES
                   ? answer_early(r, MHD_HTTP_CONTENT_TOO_LARGE, too_large(r, r->body_expected), 0)
                   : MHD_YES;
    }
    if (r->body_expected > body_limit(r))
        return answer_early(r, MHD_HTTP_CONTENT_TOO_LARGE, too_large(r, r->body_expected),
                            drain_limit(r));
    return MHD_YES;
}

/* One piece.  MHD_NO closes the connection: all that is possible in the middle of a body. */
static enum MHD_Result take_piece(struct request *r, struct str_view piece)
{
    r->body_seen += piece.len;
    if (r->fate == BODY_KEEP && body_limit(r) == 0)
        return r->body_seen > r->drain_limit_bytes ? MHD_NO : MHD_YES;
    if (r->fate == BODY_KEEP && r->body_seen > body_limit(r)) {
        r->fate = BODY_DRAIN; /* chunked: the answer waits for the true size */
        r->drain_limit_bytes = drain_limit(r);
    }
    if (r->fate == BODY_KEEP && !reserve_body(r, piece.len)) {
        r->fate = BODY_DRAIN;
        r->drain_limit_bytes = drain_limit(r);
        r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->response = out_of_memory(r);
    }
    if (r->fate == BODY_DRAIN)
        return r->body_seen > r->drain_limit_bytes ? MHD_NO : MHD_YES;
    buf_put(&r->body, piece);
    return MHD_YES;
}

/* On a worker. */
static void run_handler(void *ctx)
{
    struct request *r = ctx;
    struct params params = {0};
    const struct http_route *route = &r->route->conf;
    bool fits = true;
    r->pub.body = buf_view(&r->body);
    /* As Go does: what the form says comes before what the URL says. */
    if (route->form && r->is_form)
        fits = params_add(&params, &r->arena, r->pub.body);
    fits = fits && params_add(&params, &r->arena, r->raw_query);
    r->pub.params = params.v;
    r->pub.n_params = params.n;
    if (fits)
        route->handler(route->ctx, &r->pub);
    else
        http_reply_text(&r->pub, MHD_HTTP_BAD_REQUEST, SV("too many parameters, limit 20000"),
                        true);
}

static enum pool_class pool_class_of(enum http_class klass)
{
    switch (klass) {
    case HTTP_CLASS_INGEST:
        return POOL_INGEST;
    case HTTP_CLASS_QUERY:
        return POOL_QUERY;
    case HTTP_CLASS_STATUS:
        break;
    }
    return POOL_STATUS;
}

static struct MHD_Response *stopping_text(struct request *r)
{
    return response_text(r, SV("the server is stopping\n"), "text/plain; charset=utf-8");
}

static enum MHD_Result send_answer(struct request *r)
{
    reaper_expect_reader(r->server, r->connection, atomic_load(&r->sent_bytes));
    if (atomic_load(&r->server->stopping))
        MHD_add_response_header(r->response, "Connection", "close");
    return MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
}

static enum MHD_Result dispatch(struct http_server *s, struct request *r)
{
    reaper_set_deadline(s, r->connection, INT64_MAX);
    mutex_lock(&s->mu);
    if (s->abandoned) {
        mutex_unlock(&s->mu);
        r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->response = stopping_text(r);
        return send_answer(r);
    }
    r->dispatched = true;
    METRIC_ADD(&inflight, 1, method_name(r), route_name(r));
    MHD_suspend_connection(r->mhd); /* before the worker can answer and resume it */
    r->n_refs++;
    s->n_handlers++;
    r->next = s->dispatched;
    if (r->next)
        r->next->prev = r;
    s->dispatched = r;
    mutex_unlock(&s->mu);
    pool_submit(s->pool, pool_class_of(r->route->conf.class), run_handler, r);
    return MHD_YES;
}

static enum MHD_Result end_of_body(struct http_server *s, struct request *r)
{
    if (r->fate == BODY_KEEP)
        return dispatch(s, r);
    if (!r->response) {
        r->status = MHD_HTTP_CONTENT_TOO_LARGE;
        r->response = too_large(r, r->body_seen);
    }
    return send_answer(r);
}

enum MHD_Result request_on_data(void *server, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *data_len, void **request)
{
    struct http_server *s = server;
    struct request *r = *request;
    if (!r->begun)
        return begin(s, r, method);
    if (*data_len > 0) {
        enum MHD_Result result = take_piece(r, sv(data, *data_len));
        *data_len = 0;
        return result;
    }
    return r->dispatched ? send_answer(r) : end_of_body(s, r);
}

static void free_request(struct request *r)
{
    ledger_release(r->server->ledger, LEDGER_BODIES, r->body_charged);
    if (r->response)
        MHD_destroy_response(r->response);
    buf_deinit(&r->body);
    free(r->raw_uri);
    arena_deinit(&r->arena);
    free(r);
}

void request_unref(struct request *r)
{
    struct http_server *s = r->server;
    mutex_lock(&s->mu);
    bool last = --r->n_refs == 0;
    mutex_unlock(&s->mu);
    if (last)
        free_request(r);
}

static void count_request(const struct request *r)
{
    char status[8];
    snprintf(status, sizeof status, "%d", r->status);
    double seconds = (double)(clock_mono_ns() - r->pub.arrived_mono_ns) / 1e9;
    METRIC_OBSERVE(&request_duration, seconds, method_name(r), route_name(r), sv_of(status),
                   SV("false"));
    METRIC_OBSERVE(&request_bytes, (double)r->body_seen, method_name(r), route_name(r));
    METRIC_OBSERVE(&response_bytes, (double)atomic_load(&r->sent_bytes), method_name(r),
                   route_name(r));
    if (r->dispatched)
        METRIC_ADD(&inflight, -1, method_name(r), route_name(r));
}

void request_on_completed(void *server, struct MHD_Connection *mhd, void **request,
                          enum MHD_RequestTerminationCode why)
{
    struct http_server *s = server;
    struct request *r = *request;
    if (!r)
        return;
    *request = NULL;
    if (r->status)
        count_request(r);
    atomic_store(&r->gone, true);
    reaper_set_deadline(s, r->connection, s->idle_timeout_ns + s->read_timeout_ns);
    mutex_lock(&s->mu);
    if (r->dispatched) {
        if (r->prev)
            r->prev->next = r->next;
        else
            s->dispatched = r->next;
        if (r->next)
            r->next->prev = r->prev;
    }
    s->n_open--;
    if (atomic_load(&s->stopping))
        cond_broadcast(&s->drained);
    mutex_unlock(&s->mu);
    request_unref(r);
}

bool http_client_gone(const struct http_request *req)
{
    const struct request *r = (const struct request *)req;
    if (atomic_load(&r->gone))
        return true;
    /* Suspended, so the library does not close the descriptor under us. */
    struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};
    int n = poll(&p, 1, 0);
    return n > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

void request_abandon_all(struct http_server *s)
{
    mutex_lock(&s->mu);
    s->abandoned = true;
    for (struct request *r = s->dispatched; r; r = r->next) {
        if (r->replied)
            continue;
        r->replied = r->abandoned = true;
        atomic_store(&r->gone, true);
        r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        r->response = stopping_text(r);
        MHD_resume_connection(r->mhd);
    }
    mutex_unlock(&s->mu);
}
