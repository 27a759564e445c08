/* SPDX-License-Identifier: Apache-2.0 */
/* Answers.  A handler's answer becomes the library's response here, on the handler's thread
 * (compression included); the library's thread only sends it. */
#include <assert.h>

#include "http/request.h"

enum { GZIP_FROM_BYTES = 1400, PULL_BYTES = 64 << 10, MAX_PULLS = 4 };
static const char *const text_type = "text/plain; charset=utf-8";

int http_status_of(int err_code)
{
    switch (err_code) {
    case ERR_INVALID:
    case ERR_OVER_BUDGET:
        return 400;
    case ERR_UNAUTHORISED:
        return 401;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_NO_STREAMS:
        return 422;
    case ERR_RATE_LIMITED:
        return 429;
    case ERR_CANCELLED:
        return 499;
    case ERR_UNAVAILABLE:
    case ERR_DISK_FULL:
        return 503;
    case ERR_TIMEOUT:
        return 504;
    default:
        return 500;
    }
}

static struct MHD_Response *of_bytes(struct request *r, char *take_bytes, size_t len,
                                     const char *content_type)
{
    struct MHD_Response *m =
        MHD_create_response_from_buffer(len, take_bytes, MHD_RESPMEM_MUST_FREE);
    if (!m)
        abort(); /* out of memory, as everywhere */
    if (content_type)
        MHD_add_response_header(m, "Content-Type", content_type);
    if (content_type == text_type)
        MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    atomic_store(&r->sent_bytes, len);
    return m;
}

struct MHD_Response *response_text(struct request *r, struct str_view text,
                                   const char *content_type)
{
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.p, text.len);
    bool is_text = content_type && strcmp(content_type, text_type) == 0;
    return of_bytes(r, copy, text.len, is_text ? text_type : content_type);
}

/* The last touch: from here on a server that stops may be freed. */
static void end_of_handler(struct http_server *s)
{
    MUTEX_GUARD(&s->mu);
    s->n_handlers--;
    if (atomic_load(&s->stopping))
        cond_broadcast(&s->drained);
}

void response_hand_over(struct request *r, int status, struct MHD_Response *response)
{
    struct http_server *s = r->server;
    for (size_t i = 0; i < r->reply_headers.n; i++)
        MHD_add_response_header(response, r->reply_headers.v[i].name.p,
                                r->reply_headers.v[i].value.p);
    mutex_lock(&s->mu);
    bool late = r->abandoned;
    assert(late || !r->replied); /* one answer per request */
    if (!late) {
        r->replied = true;
        r->status = status;
        r->response = response;
        /* Under the lock: request_abandon_all() must not resume it as well.  From here on the
         * library may finish the request at any time; our reference keeps it. */
        MHD_resume_connection(r->mhd);
    }
    mutex_unlock(&s->mu);
    if (late)
        MHD_destroy_response(response);
    request_unref(r);
    end_of_handler(s);
}

void http_reply_header(struct http_request *req, const char *name, struct str_view value)
{
    struct request *r = (struct request *)req;
    headers_add(&r->reply_headers, &r->arena, sv_of(name), value);
}

static bool wants_gzip(struct request *r)
{
    struct str_view accept = http_header(&r->pub, "Accept-Encoding");
    return r->server->compress_responses && accept.p && gzip_accepted(accept);
}

static void say_gzip(struct request *r)
{
    http_reply_header(&r->pub, "Content-Encoding", SV("gzip"));
    http_reply_header(&r->pub, "Vary", SV("Accept-Encoding"));
}

void http_reply(struct http_request *req, int status, const char *content_type,
                struct buf *take_body)
{
    struct request *r = (struct request *)req;
    struct buf body = *take_body;
    *take_body = BUF_INIT;
    if (body.len >= GZIP_FROM_BYTES && body.len <= UINT32_MAX && wants_gzip(r)) {
        struct buf packed = BUF_INIT;
        struct gzip *g = gzip_new();
        gzip_put(g, buf_view(&body), true, &packed);
        gzip_free(g);
        buf_deinit(&body);
        body = packed;
        say_gzip(r);
    }
    char *bytes = body.p ? body.p : mem_alloc(1);
    response_hand_over(r, status, of_bytes(r, bytes, body.len, content_type));
}

void http_reply_text(struct http_request *req, int status, struct str_view text, bool newline)
{
    struct buf body = BUF_INIT;
    buf_put(&body, text);
    if (newline)
        buf_put_u8(&body, '\n');
    http_reply(req, status, text_type, &body);
}

void http_reply_err(struct http_request *req, const struct err *err, bool newline)
{
    int status = http_status_of(err->code);
    if (status == 503)
        http_reply_header(req, "Retry-After", SV("1"));
    http_reply_text(req, status, sv_of(err->text), newline);
}

/* A streamed answer: pieces from the handler's pull, perhaps compressed, waiting to be sent. */
struct streamed_answer {
    struct request *request; /* valid while the library reads from us */
    http_pull_fn *pull;
    void (*done)(void *ctx);
    void *ctx;
    struct gzip *gzip; /* NULL: as it is */
    struct buf raw;    /* scratch of one pull */
    struct buf ready;
    size_t sent;        /* of ready */
    bool ended, broken; /* broken: ended before its end */
};

static void stream_free(void *ctx)
{
    struct streamed_answer *st = ctx;
    if (st->done)
        st->done(st->ctx);
    gzip_free(st->gzip);
    buf_deinit(&st->raw);
    buf_deinit(&st->ready);
    free(st);
}

/* One pull into ready; false when the answer must break off. */
static bool stream_refill(struct streamed_answer *st)
{
    buf_clear(&st->ready);
    st->sent = 0;
    struct buf *to = st->gzip ? &st->raw : &st->ready;
    buf_clear(to);
    int r = st->pull(st->ctx, to);
    if (r < 0) {
        buf_clear(&st->ready);
        return false;
    }
    st->ended = r == 0;
    if (st->gzip)
        gzip_put(st->gzip, buf_view(&st->raw), st->ended, &st->ready);
    return true;
}

static size_t take_ready(struct streamed_answer *st, char *to, size_t max)
{
    size_t n = st->ready.len - st->sent;
    if (n > max)
        n = max;
    if (n)
        memcpy(to, st->ready.p + st->sent, n);
    st->sent += n;
    return n;
}

/* What we return is one chunk of the answer: the rest of a piece is not worth one.  The pulls are
 * bounded, since much may become little by compression and other connections wait meanwhile. */
static ssize_t stream_read(void *ctx, uint64_t at, char *to, size_t max)
{
    struct streamed_answer *st = ctx;
    size_t n = take_ready(st, to, max);
    for (unsigned pulls = 0; n < max && !st->ended && (pulls < MAX_PULLS || n == 0); pulls++) {
        st->broken = !stream_refill(st);
        st->ended |= st->broken;
        n += take_ready(st, to + n, max - n);
    }
    if (n == 0)
        return st->broken ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    atomic_fetch_add_explicit(&st->request->sent_bytes, n, memory_order_relaxed);
    reaper_expect_reader(st->request->server, st->request->connection, n);
    return (ssize_t)n;
}

void http_reply_pull(struct http_request *req, int status, const char *content_type,
                     http_pull_fn *pull, void (*done)(void *ctx), void *ctx)
{
    struct request *r = (struct request *)req;
    struct streamed_answer *st = mem_zalloc(1, sizeof *st);
    *st = (struct streamed_answer){.request = r, .pull = pull, .done = done, .ctx = ctx};
    if (wants_gzip(r)) {
        st->gzip = gzip_new();
        say_gzip(r);
    }
    struct MHD_Response *m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PULL_BYTES,
                                                               stream_read, st, stream_free);
    if (!m)
        abort();
    MHD_add_response_header(m, "Content-Type", content_type);
    response_hand_over(r, status, m);
}
