/* SPDX-License-Identifier: Apache-2.0 */
/* read_request.h - the way of every read request: tenants and limits, preparation on an HTTP
 * worker, a fair turn, the work, the answer.
 *     handler -> read_request_begin(): prepare() ... turn ... run() -> read_reply_*()
 * Promise: each request is answered exactly once and freed after its answer was sent; a client
 * that has gone, a passed deadline and a full queue end it before it runs.
 * Threads: prepare on an HTTP worker, run on a thread of turns.h, a pull on the library's threads;
 * one at a time.  Only the querier's *_api.c include this. */
#pragma once
#include "querier/params.h"
#include "querier/querier.h"
#include "querier/turns.h"
#include "query/damage.h"
#include "query/env.h"
#include "wire/stats.h"

enum { QUERIER_N_ROUTES = 24 };

struct querier {
    struct querier_conf conf;
    struct querier_deps deps;
    struct turns *queries, *lookups;
    struct http_route routes[QUERIER_N_ROUTES];
    size_t n_routes;
};

enum read_lane {
    READ_QUERY,  /* reads entries */
    READ_LOOKUP, /* reads the index; never waits behind queries */
    READ_NOW,    /* needs no turn: runs where it was prepared */
};

struct read_request;
struct read_endpoint {
    enum read_lane lane;
    bool may_ask_several; /* tenants */
    size_t state_bytes;   /* zeroed, at read_request.state */
    /* Parameters, parsing, limits.  < 0: err is the answer.  May be NULL. */
    int (*prepare)(struct read_request *r, struct err *err);
    /* 0: it has called one of read_reply_*() and the request is no longer ours.  < 0: err is the
     * answer. */
    int (*run)(struct read_request *r, struct err *err);
    /* Frees what the state holds; may be NULL. */
    void (*deinit)(void *state);
    /* Told of each end, before the state goes; may be NULL. */
    void (*done)(struct read_request *r, int status);
};

struct read_request {
    struct turn turn;
    struct querier *q;
    const struct read_endpoint *endpoint;
    struct http_request *http; /* until the answer */
    struct arena arena;        /* lives as long as the answer is being sent */
    struct param_list params;  /* borrow http */
    struct query_env *envs;    /* what a query of each tenant runs with */
    size_t n_tenants;
    int64_t now_ns;                        /* wall clock at arrival */
    int64_t queued_mono_ns, begun_mono_ns; /* turn asked for, turn come */
    struct query_control control;
    struct query_stats stats;
    struct query_damage damage; /* of all tenants */
    void *state;
};

/* What an http_handler of a read endpoint does. */
void read_request_begin(struct querier *q, const struct read_endpoint *e,
                        struct http_request *http);

/* The whole answer. */
void read_reply_body(struct read_request *r, const char *content_type, struct buf *take_body);
/* pull(ctx, out) over what r owns, from now on without the request's deadline.  What fits a piece
 * goes out as a whole. */
void read_reply_pull(struct read_request *r, const char *content_type, http_pull_fn *pull,
                     void *ctx);

/* Calls fn with the limits of each tenant, until one fails. */
typedef int read_limits_fn(struct read_request *r, const struct limits *l, struct err *err);
int read_each_limits(struct read_request *r, read_limits_fn *fn, struct err *err);

/* Text that lives as long as the request: parameters do not outlive its HTTP side. */
struct str_view read_param(struct read_request *r, struct str_view name);
