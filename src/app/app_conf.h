/* SPDX-License-Identifier: Apache-2.0 */
/* app_conf.h - every setting of the program: one struct per block, one table over all of them.
 * Threads: read-only once loaded. */
#pragma once
#include "base/conf/conf.h"
#include "distributor/distributor.h"
#include "ingester/ingester.h"
#include "model/limits.h"
#include "querier/querier.h"

struct top_conf {
    const char *target; /* roles, comma-separated; "all" */
    bool auth_enabled;
    const char *no_auth_tenant;
    int64_t shutdown_delay_ns;
    struct conf_strings tenant_limits_allow_publish;
};

struct server_conf {
    const char *http_listen_address;
    uint64_t http_listen_port;
    int64_t http_server_read_timeout_ns, http_server_write_timeout_ns, http_server_idle_timeout_ns;
    int64_t graceful_shutdown_timeout_ns;
    const char *http_path_prefix;
    const char *log_level;
    const char *log_format;
    uint64_t max_connections;
    uint64_t http_threads;         /* 0: one per core */
    uint64_t worker_threads;       /* 0: two more than cores */
    uint64_t memory_ceiling_bytes; /* 0: a quarter of RAM or of the cgroup's limit */
};

struct common_conf {
    const char *path_prefix;
    const char *chunks_directory; /* "": objects/ below path_prefix */
};

struct frontend_conf {
    bool compress_responses;
};

struct runtime_file_conf {
    const char *file; /* comma-separated; "": none */
    int64_t period_ns;
};

enum { APP_CONF_SECTIONS = 11 };
struct app_conf {
    struct conf_section sections[APP_CONF_SECTIONS];
    struct conf *table;
    struct top_conf top;
    struct server_conf server;
    struct common_conf common;
    struct distributor_conf distributor;
    struct ingester_conf ingester;
    struct querier_conf querier;
    struct frontend_conf frontend;
    struct runtime_file_conf runtime;
    struct limits limits;
};

/* All defaults. */
struct app_conf *app_conf_new(void);
void app_conf_free(struct app_conf *c);
/* Who a request is for, by its headers. */
struct tenant_policy app_conf_tenants(const struct app_conf *c);
/* What rows cannot check; also finishes the limits. */
int app_conf_check(struct app_conf *c, struct err *err);
/* The configuration of a start without any: config/local.yaml. */
extern const char app_conf_local_yaml[];
