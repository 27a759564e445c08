/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - HTTP/1.1 in: a request arrives whole, a handler answers it once.
 * Bodies are bounded and charged to the ledger before they are read; slow senders meet a deadline;
 * slow readers one per piece; a response is either one buffer or pulled in pieces, gzipped where
 * the client asked. Threads: handlers run on the worker pool and may answer later, from any thread,
 * through http_reply*(); the library's own threads never run our work.  A request lives until its
 * answer was sent or the client left. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8 }; /* a bit each */

struct http_param {
    struct str_view name, value; /* decoded */
};

struct http_request {
    enum http_method method;
    struct str_view path;            /* decoded, without the prefix, without the query */
    struct str_view path_param;      /* what {name} of the route matched, decoded */
    const struct http_param *params; /* URL query, then a form body; in order, repeats kept */
    size_t n_params;
    struct str_view body; /* as received, not decompressed; lives as long as the request */
    struct arena *arena;  /* dropped with the request */
    int64_t arrived_mono_ns;
};

/* Must lead to exactly one http_reply*() call, now or later. */
typedef void http_handler(void *ctx, struct http_request *req);

enum http_class { HTTP_CLASS_INGEST, HTTP_CLASS_QUERY, HTTP_CLASS_STATUS }; /* pool priority */

struct http_route {
    const char *path; /* "/loki/api/v1/label/{name}/values": at most one {..}, one segment */
    unsigned methods; /* enum http_method, or-ed */
    enum http_class class;
    http_handler *handler;
    void *ctx;
    uint64_t max_body_bytes; /* over it: 413 with the text of http-api 2.1; 0 = no body wanted */
    bool form;               /* merge an application/x-www-form-urlencoded body into params */
};

/* First value of that name, or the empty view with p == NULL when absent. */
struct str_view http_param_get(const struct http_request *req, struct str_view name);
/* Case-insensitive; empty view with p == NULL when absent. */
struct str_view http_header(const struct http_request *req, const char *name);
/* True once the client has hung up: long work polls it and gives up (ERR_CANCELLED). */
bool http_client_gone(const struct http_request *req);

/* Answers with the whole body (ownership of body's memory moves in; body is left empty). */
void http_reply(struct http_request *req, int status, const char *content_type,
                struct buf *take_body);
/* text/plain with nosniff; adds the trailing newline when `newline`. */
void http_reply_text(struct http_request *req, int status, struct str_view text, bool newline);
/* Maps err->code (enum err_code) to a status; the one place that does. */
int http_status_of(int err_code);
void http_reply_err(struct http_request *req, const struct err *err, bool newline);
/* Extra response header, to be set before the reply. */
void http_reply_header(struct http_request *req, const char *name, struct str_view value);

/* Appends the next piece (aim for 64 KiB) to out; returns 1 more to come, 0 the end, < 0 break
 * off.  Called on a library thread, one call at a time: compute only, never block. */
typedef int http_pull_fn(void *ctx, struct buf *out);
/* Streams; `done` frees ctx, exactly once, also when the client leaves early. */
void http_reply_pull(struct http_request *req, int status, const char *content_type,
                     http_pull_fn *pull, void (*done)(void *ctx), void *ctx);

struct http_server;
struct pool;   /* base/thread.h */
struct ledger; /* base/ledger.h */
struct http_server_conf {
    const char *listen_address; /* "" = all */
    uint16_t listen_port;       /* 0 = any, see http_server_port */
    const char *path_prefix;    /* "" or "/x" */
    int64_t read_timeout_ns;    /* headers and body complete by then */
    int64_t write_timeout_ns;   /* a client that takes nothing of its answer for as long; 0: any */
    int64_t idle_timeout_ns;
    int64_t stop_timeout_ns;
    unsigned n_threads; /* 0 = one per core */
    unsigned max_connections;
    bool compress_responses;
};
int http_server_open(struct http_server **ret, const struct http_server_conf *conf,
                     const struct http_route *routes, size_t n_routes, struct pool *pool,
                     struct ledger *ledger, struct err *err);
uint16_t http_server_port(const struct http_server *s);
/* New connections are refused, running requests finish (up to stop_timeout), then everything is
 * freed. */
void http_server_close(struct http_server *s);
