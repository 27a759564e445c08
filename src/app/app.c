/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app.h"

#include <assert.h>
#include <time.h>

#include "app/data_folder.h"
#include "app/runtime_config.h"
#include "app/status_api.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/thread.h"
#include "distributor/distributor.h"
#include "distributor/push_api.h"
#include "http/server.h"
#include "ingester/ingester.h"
#include "querier/querier.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/segments.h"
#include "store/view.h"

enum { MAX_ROUTES = 64, PERIOD_HOURS = 24 /* of the index tables */ };

/* In the order in which they are built. */
struct app {
    struct app_conf *conf;
    int lock_fd;
    struct ledger ledger;
    struct pool *pool;
    struct limits_table *limits;
    struct runtime_config *runtime;
    struct stores stores;
    struct catalog *catalog;
    struct index *index;
    struct segments *segments;
    struct views *views;
    struct ingester *ingester;
    struct distributor *distributor;
    struct querier *querier;
    struct status_api status;
    struct http_route routes[MAX_ROUTES];
    size_t n_routes;
    struct http_server *http;
};

static int open_base(struct app *a, struct err *err)
{
    const struct server_conf *c = &a->conf->server;
    ledger_init(&a->ledger,
                c->memory_ceiling_bytes ? c->memory_ceiling_bytes : ledger_default_ceiling());
    ledger_publish(&a->ledger);
    unsigned n_workers = (unsigned)c->worker_threads;
    int r = pool_open(&a->pool, "worker", n_workers ? n_workers : thread_n_cpus() + 2, err);
    if (r < 0)
        return r;
    a->limits = limits_table_new(&a->conf->limits);
    return runtime_config_open(&a->runtime, a->conf->runtime.file, a->conf->runtime.period_ns,
                               a->limits, err);
}

/* It is never guessed at: the command makes it again from the segments. */
static int open_catalog(struct app *a, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    int r = catalog_open(&a->catalog, data_folder_path(a->conf, "catalog", &path), err);
    if (r != ERR_CORRUPT && r != ERR_UNSUPPORTED)
        return r;
    struct err why = *err;
    return err_set(err, r,
                   "%.600s; `halogi rebuild-index` with the same flags makes '%s' and the index "
                   "again from the segments",
                   why.text, path.p);
}

static int open_stores(struct app *a, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT;
    struct index_conf index = {0};
    int r = data_folder_open_stores(a->conf, &a->stores, err);
    if (r == 0)
        r = data_folder_check(a->conf, &a->stores, err);
    if (r == 0)
        r = open_catalog(a, err);
    if (r == 0)
        r = index_open(&a->index, data_folder_path(a->conf, "index", &path), &index, err);
    if (r < 0)
        return r;
    struct segments_conf segments = {.stores = a->stores, .ledger = &a->ledger};
    a->segments = segments_new(&segments);
    a->views = views_new();
    return 0;
}

/* ---- roles ---- */

static void add_routes(struct app *a, const struct http_route *routes, size_t n)
{
    assert(a->n_routes + n <= MAX_ROUTES);
    memcpy(a->routes + a->n_routes, routes, n * sizeof *routes);
    a->n_routes += n;
}

static int open_ingester(struct app *a, struct err *err)
{
    const struct ingester_deps deps = {.data_dir = a->conf->common.path_prefix,
                                       .catalog = a->catalog,
                                       .index = a->index,
                                       .segments = a->segments,
                                       .views = a->views,
                                       .stores = a->stores,
                                       .ledger = &a->ledger,
                                       .period_ns = PERIOD_HOURS * 3600 * NS_PER_S};
    int r = ingester_open(&a->ingester, &a->conf->ingester, &deps, err);
    if (r < 0)
        return r;
    a->status.ingester = ingester_peer(a->ingester);
    return 0;
}

static int open_distributor(struct app *a, struct err *err)
{
    const struct distributor_conf *conf = &a->conf->distributor;
    const struct distributor_deps deps = {
        .peer = ingester_peer(a->ingester),
        .limits = limits_source_of_table(a->limits),
        .ledger = &a->ledger,
        .tenants = app_conf_tenants(a->conf),
    };
    int r = distributor_open(&a->distributor, conf, &deps, err);
    if (r < 0)
        return r;
    struct http_route routes[PUSH_API_N_ROUTES];
    push_api_routes(a->distributor, conf->max_recv_msg_size_bytes, routes);
    add_routes(a, routes, PUSH_API_N_ROUTES);
    return 0;
}

static int open_querier(struct app *a, struct err *err)
{
    const struct querier_deps deps = {
        .source = {ingester_recent(a->ingester), a->index, a->segments},
        .pool = a->pool,
        .ledger = &a->ledger,
        .limits = limits_source_of_table(a->limits),
        .tenants = app_conf_tenants(a->conf),
    };
    int r = querier_open(&a->querier, &a->conf->querier, &deps, err);
    if (r < 0)
        return r;
    size_t n = 0;
    const struct http_route *routes = querier_routes(a->querier, &n);
    add_routes(a, routes, n);
    return 0;
}

static bool ingester_is_ready(void *app, struct buf *why)
{
    return ingester_ready(((struct app *)app)->ingester, why);
}

/* Bottom up: a role stands before those that call it. */
static const struct role {
    const char *name; /* to /ready and /services */
    int (*open)(struct app *a, struct err *err);
    bool (*is_ready)(void *app, struct buf *why); /* NULL: once it is open */
} roles[] = {
    {"ingester", open_ingester, ingester_is_ready},
    {"distributor", open_distributor, NULL},
    {"querier", open_querier, NULL},
};

static int open_roles(struct app *a, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0] && r == 0; i++) {
        r = roles[i].open(a, err);
        if (r == 0)
            status_add_module(&a->status,
                              (struct status_module){roles[i].name, roles[i].is_ready, a});
    }
    return r;
}

/* ---- HTTP ---- */

static void open_status(struct app *a)
{
    a->status.conf = a->conf;
    a->status.limits = limits_source_of_table(a->limits);
    a->status.segments = a->segments;
    status_add_module(&a->status, (struct status_module){"server", NULL, NULL});
    struct http_route routes[STATUS_N_ROUTES];
    status_routes(&a->status, routes);
    add_routes(a, routes, STATUS_N_ROUTES);
}

static int open_http(struct app *a, struct err *err)
{
    const struct server_conf *c = &a->conf->server;
    const struct http_server_conf conf = {
        .listen_address = c->http_listen_address,
        .listen_port = (uint16_t)c->http_listen_port,
        .path_prefix = c->http_path_prefix,
        .read_timeout_ns = c->http_server_read_timeout_ns,
        .write_timeout_ns = c->http_server_write_timeout_ns,
        .idle_timeout_ns = c->http_server_idle_timeout_ns,
        .stop_timeout_ns = c->graceful_shutdown_timeout_ns,
        .n_threads = (unsigned)c->http_threads,
        .max_connections = (unsigned)c->max_connections,
        .compress_responses = a->conf->frontend.compress_responses,
    };
    int r = http_server_open(&a->http, &conf, a->routes, a->n_routes, a->pool, &a->ledger, err);
    if (r < 0)
        return r;
    LOG_INFO("listening", log_str("address", c->http_listen_address),
             log_uint("port", http_server_port(a->http)),
             log_str("data", a->conf->common.path_prefix));
    return 0;
}

/* Who asks for it must not believe that it happens. */
static void warn_of_retention(const struct limits *l)
{
    if (l->retention_period_ns > 0 || l->retention_stream)
        LOG_WARN("limits_config asks for retention: this version deletes nothing");
}

int app_open(struct app **ret, struct app_conf *conf, struct err *err)
{
    struct app *a = mem_zalloc(1, sizeof *a);
    a->conf = conf;
    a->lock_fd = -1;
    warn_of_retention(&conf->limits);
    int r = data_folder_lock(conf, &a->lock_fd, err);
    if (r == 0)
        r = open_base(a, err);
    if (r == 0)
        r = open_stores(a, err);
    if (r == 0) {
        open_status(a);
        r = open_roles(a, err);
    }
    if (r == 0)
        r = open_http(a, err);
    if (r < 0) {
        app_close(a);
        return r;
    }
    *ret = a;
    return 0;
}

int app_wait_ready(struct app *a, int64_t timeout_ns, struct err *err)
{
    return ingester_wait_ready(a->ingester, timeout_ns, err);
}

void app_reload(struct app *a)
{
    runtime_config_reload(a->runtime);
}

static void wait_out(int64_t ns)
{
    struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    nanosleep(&t, NULL);
}

void app_close(struct app *a)
{
    if (!a)
        return;
    atomic_store(&a->status.stopping, true);
    if (a->http && a->conf->top.shutdown_delay_ns > 0)
        wait_out(a->conf->top.shutdown_delay_ns); /* balancers see /ready and go elsewhere */
    http_server_close(a->http);                   /* every request is answered from here on */
    /* But whoever answered may still be tidying up: workers, and the log's thread for pushes, so
     * the ingester goes before the distributor that waits for it. */
    pool_close(a->pool);
    ingester_close(a->ingester);
    querier_close(a->querier);
    distributor_close(a->distributor);
    views_free(a->views);
    segments_free(a->segments);
    index_close(a->index);
    catalog_close(a->catalog);
    stores_free(&a->stores);
    runtime_config_close(a->runtime);
    limits_table_free(a->limits);
    ledger_publish(NULL);
    file_close(a->lock_fd);
    free(a);
}
