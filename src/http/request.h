/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - private to this folder: the server's parts, a connection, a request on its way.
 * A request is held twice once a worker has it: by the library until the answer left (or the
 * client did), and by the handler until it replied.  The last one frees it, so a handler that is
 * late at shutdown still finds its request. */
#pragma once
#include <microhttpd.h>
#include <stdatomic.h>

#include "base/ledger.h"
#include "base/thread.h"
#include "http/server.h"

struct route {
    struct http_route conf; /* path points into the caller's table */
    struct str_view before; /* of {name}; the whole path when there is none */
    struct str_view after;  /* of {name}, with its leading slash */
    bool has_param;
    char *metric_name; /* loki_api_v1_push */
};

struct connection {
    struct connection *prev, *next; /* guarded by the server's mu */
    int fd;                         /* fixed at init */
    int64_t deadline_ns;            /* guarded by the server's mu; INT64_MAX: none */
    bool cut;                       /* guarded by the server's mu */
    bool sending;                   /* guarded by the server's mu: the deadline is the reader's */
    int unsent_bytes;               /* guarded by the server's mu: in the socket, looked at last */
    int64_t reader_timeout_ns;      /* guarded by the server's mu: of the piece being sent */
    bool left;                      /* guarded by the server's mu: gone when we looked last */
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct route *routes; /* fixed at init */
    size_t n_routes;
    struct str_view path_prefix;
    char *path_prefix_text;
    int64_t read_timeout_ns, write_timeout_ns, idle_timeout_ns, stop_timeout_ns;
    bool compress_responses;
    uint16_t port;
    struct pool *pool;
    struct ledger *ledger;
    struct thread reaper;

    struct mutex mu;
    struct cond reaper_wake;        /* reaper_stop was set */
    struct cond drained;            /* while stopping: a request or a handler ended */
    struct connection *connections; /* guarded by mu */
    struct request *dispatched;     /* guarded by mu: from dispatch until completed */
    uint64_t n_open;                /* guarded by mu: requests the library holds */
    uint64_t n_handlers;            /* guarded by mu: requests a handler holds */
    bool reaper_stop;               /* guarded by mu */
    bool abandoned;                 /* guarded by mu: no request gets to a handler any more */
    _Atomic bool stopping;          /* answers close their connections */
};

struct header {
    struct str_view name, value;
};

struct header_list {
    struct header *v;
    size_t n, cap;
};

enum body_fate {
    BODY_KEEP,
    BODY_DRAIN, /* read and thrown away; the answer is known already */
};

struct request {
    struct http_request pub; /* first: handlers hold a pointer to it */
    struct http_server *server;
    struct connection *connection;
    struct MHD_Connection *mhd;
    int fd;
    const struct route *route; /* NULL: not found */
    struct arena arena;
    char *raw_uri; /* as received, query included */
    const char *method_text;
    struct str_view raw_query;
    struct header_list headers, reply_headers; /* in the arena */

    struct buf body;
    uint64_t body_charged, body_seen, body_expected;
    enum body_fate fate;
    uint64_t drain_limit_bytes;
    bool begun, dispatched, expects_continue, is_form;

    /* From here on the handler's thread and the library's meet. */
    struct request *prev, *next; /* guarded by the server's mu */
    unsigned n_refs;             /* guarded by the server's mu */
    bool replied, abandoned;     /* guarded by the server's mu */
    _Atomic bool gone;
    struct MHD_Response *response; /* set before the connection is resumed */
    int status;
    _Atomic uint64_t sent_bytes;
};

/* request.c: what the library calls. */
void *request_on_uri(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_on_data(void *server, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *data_len, void **request);
void request_on_completed(void *server, struct MHD_Connection *mhd, void **request,
                          enum MHD_RequestTerminationCode why);
/* Frees at the last reference. */
void request_unref(struct request *r);
/* Answers all dispatched requests with 503; their handlers' own answers are then dropped.  What
 * still comes on open connections is answered with 503 as well. */
void request_abandon_all(struct http_server *s);

/* response.c */
/* An answer made by the server itself; body copied.  NULL content_type: none. */
struct MHD_Response *response_text(struct request *r, struct str_view text,
                                   const char *content_type);
/* What the handler's side of http_reply*() ends in. */
void response_hand_over(struct request *r, int status, struct MHD_Response *response);

/* headers.c: names compare without case.  headers_get: the first one's value, NULL for none. */
void headers_add(struct header_list *l, struct arena *arena, struct str_view name,
                 struct str_view value);
struct str_view headers_get(const struct header_list *l, struct str_view name);
size_t headers_count(const struct header_list *l, struct str_view name);

/* params.c: %XX and + decoding into the arena; false when there are too many. */
struct str_view params_decode(struct arena *arena, struct str_view text, bool plus_is_space);
enum { MAX_PARAMS = 20000 };
struct params {
    struct http_param *v;
    size_t n, cap;
};
bool params_add(struct params *p, struct arena *arena, struct str_view form);

/* router.c */
void router_init(struct http_server *s, const struct http_route *routes, size_t n_routes);
void router_deinit(struct http_server *s);
enum router_verdict { ROUTER_OK, ROUTER_NOT_FOUND, ROUTER_WRONG_METHOD };
/* raw_path as received; sets route, pub.path, pub.path_param. */
enum router_verdict router_match(struct http_server *s, struct request *r,
                                 struct str_view raw_path);

/* reaper.c */
void reaper_on_connection(void *server, struct MHD_Connection *mhd, void **connection,
                          enum MHD_ConnectionNotificationCode code);
/* By when its request must be complete; INT64_MAX while we are at work on it. */
void reaper_set_deadline(struct http_server *s, struct connection *c, int64_t in_ns);
/* The answer is on its way; `bytes` of it must be taken before this is called again. */
void reaper_expect_reader(struct http_server *s, struct connection *c, uint64_t bytes);
int reaper_start(struct http_server *s, struct err *err);
void reaper_end(struct http_server *s);

/* gzip.c */
struct gzip;
bool gzip_accepted(struct str_view accept_encoding);
struct gzip *gzip_new(void);
void gzip_free(struct gzip *g);
/* Compresses in and appends to out; `end` writes the trailer. */
void gzip_put(struct gzip *g, struct str_view in, bool end, struct buf *out);
