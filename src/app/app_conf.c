/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app_conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/tenant.h"

static const struct conf_row top_rows[] = {
    CONF_ROW(struct top_conf, target, "target", CONF_STRING, "all",
             "Roles to run, comma-separated; this version runs them all in one process"),
    CONF_ROW(struct top_conf, auth_enabled, "auth_enabled", CONF_BOOL, "true",
             "Ask for a tenant in X-Scope-OrgID; off, everyone is `no_auth_tenant`"),
    CONF_ROW(struct top_conf, no_auth_tenant, "no_auth_tenant", CONF_STRING, "fake",
             "The tenant of all requests when `auth_enabled` is off"),
    CONF_ROW(struct top_conf, shutdown_delay_ns, "shutdown_delay", CONF_DURATION, "0s",
             "How long `/ready` says no before the server stops"),
    CONF_ROW(struct top_conf, tenant_limits_allow_publish, "tenant_limits_allow_publish",
             CONF_STRINGS,
             "discover_log_levels,discover_service_name,log_level_fields,"
             "max_entries_limit_per_query,max_line_size_truncate,max_query_bytes_read,"
             "max_query_length,max_query_lookback,max_query_range,max_query_series,"
             "metric_aggregation_enabled,otlp_config,pattern_persistence_enabled,query_timeout,"
             "retention_period,retention_stream,volume_enabled,volume_max_series",
             "Limits that a tenant may read"),
};

static const struct conf_row server_rows[] = {
    CONF_ROW(struct server_conf, http_listen_address, "http_listen_address", CONF_STRING, "",
             "Address to listen on; empty: all"),
    CONF_ROW(struct server_conf, http_listen_port, "http_listen_port", CONF_UINT, "3100",
             "Port to listen on; 0: any that is free"),
    CONF_ROW(struct server_conf, http_server_read_timeout_ns, "http_server_read_timeout",
             CONF_DURATION, "30s", "A request, body included, must be complete by then"),
    CONF_ROW(
        struct server_conf, http_server_write_timeout_ns, "http_server_write_timeout",
        CONF_DURATION, "30s",
        "A client that takes nothing of its answer for as long loses its connection; 0: never"),
    CONF_ROW(struct server_conf, http_server_idle_timeout_ns, "http_server_idle_timeout",
             CONF_DURATION, "2m0s", "An idle connection is closed after this"),
    CONF_ROW(struct server_conf, graceful_shutdown_timeout_ns, "graceful_shutdown_timeout",
             CONF_DURATION, "30s", "Running requests get this long at a stop"),
    CONF_ROW(struct server_conf, http_path_prefix, "http_path_prefix", CONF_STRING, "",
             "Put before every route"),
    CONF_ROW(struct server_conf, log_level, "log_level", CONF_STRING, "info",
             "debug, info, warn or error"),
    CONF_ROW(struct server_conf, log_format, "log_format", CONF_STRING, "logfmt",
             "logfmt is the only one"),
    CONF_ROW(struct server_conf, max_connections, "max_connections", CONF_UINT, "4096",
             "Most client connections; more wait in the backlog"),
    CONF_ROW(struct server_conf, http_threads, "http_threads", CONF_UINT, "0",
             "Threads that move bytes; 0: one per core"),
    CONF_ROW(struct server_conf, worker_threads, "worker_threads", CONF_UINT, "0",
             "Threads that do the work; 0: two more than cores"),
    CONF_ROW(struct server_conf, memory_ceiling_bytes, "memory_ceiling", CONF_SIZE, "0B",
             "Most anonymous memory for heads, bodies, queries and caches together; 0: a quarter "
             "of RAM or of the cgroup's limit, at least 256MB"),
};

static const struct conf_row common_rows[] = {
    CONF_ROW(struct common_conf, path_prefix, "path_prefix", CONF_STRING, "./data",
             "Folder of all local state"),
    CONF_ROW(struct common_conf, chunks_directory, "storage.filesystem.chunks_directory",
             CONF_STRING, "", "Folder of the object store; empty: `objects` below `path_prefix`"),
};

static const struct conf_row frontend_rows[] = {
    CONF_ROW(struct frontend_conf, compress_responses, "compress_responses", CONF_BOOL, "true",
             "Answer with gzip where the client accepts it"),
};

static const struct conf_row runtime_rows[] = {
    CONF_ROW(struct runtime_file_conf, file, "file", CONF_STRING, "",
             "Per-tenant overrides, re-read while running; several, comma-separated, are merged "
             "left to right"),
    CONF_ROW(struct runtime_file_conf, period_ns, "period", CONF_DURATION, "10s",
             "How often the file is looked at"),
};

/* Keys and blocks of Loki's that mean nothing here.  A block covers all below it; rows of ours are
 * found first. */
static const char *const ignored[] = {
    "analytics",
    "ballast_bytes",
    "bloom_build",
    "bloom_gateway",
    "chunk_store_config",
    "common.compactor_address",
    "common.compactor_grpc_address",
    "common.instance_*",
    "common.persist_tokens",
    "common.replication_factor",
    "common.ring",
    "common.storage.*",
    "common.storage.filesystem.rules_directory",
    "compactor",
    "compactor_client",
    "compactor_grpc_client",
    "consul",
    "dataobj",
    "distributor.default_policy_stream_mappings",
    "distributor.ingester_writes_enabled",
    "distributor.kafka_*",
    "distributor.otlp_config",
    "distributor.tenant_topic",
    "etcd",
    "frontend.address",
    "frontend.downstream_url",
    "frontend.encoding",
    "frontend.experimental_*",
    "frontend.graceful_shutdown_timeout",
    "frontend.grpc_client_config",
    "frontend.instance_*",
    "frontend.max_body_size",
    "frontend.port",
    "frontend.querier_forget_delay",
    "frontend.query_stats_enabled",
    "frontend.scheduler_*",
    "frontend.support_parquet_encoding",
    "frontend.tail_*",
    "frontend_worker",
    "http_prefix",
    "index_gateway",
    "ingester.autoforget_unhealthy",
    "ingester.chunk_block_size",
    "ingester.chunk_encoding",
    "ingester.chunk_retain_period",
    "ingester.chunk_target_size",
    "ingester.concurrent_flushes",
    "ingester.flush_op_backoff",
    "ingester.flush_op_timeout",
    "ingester.index_shards",
    "ingester.kafka_ingestion",
    "ingester.lifecycler",
    "ingester.max_dropped_streams",
    "ingester.max_transfer_retries",
    "ingester.owned_streams_check_interval",
    "ingester.query_store_max_look_back_period",
    "ingester.shutdown_marker_path",
    "ingester.sync_min_utilization",
    "ingester.sync_period",
    "ingester.tailer",
    "ingester.wal.checkpoint_duration",
    "ingester.wal.replay_memory_ceiling",
    "ingester_client",
    "ingest_limits",
    "ingest_limits_frontend",
    "ingest_limits_frontend_client",
    "internal_server",
    "kafka_config",
    "lbac",
    "limits_config.bloom_*",
    "limits_config.dataobj_*",
    "limits_config.debug_engine_*",
    "limits_config.s3_sse_*",
    "memberlist",
    "memcached",
    "metastore",
    "operational_config",
    "pattern_ingester",
    "profiling",
    "querier.engine",
    "querier.engine_v2",
    "querier.extra_query_delay",
    "querier.per_request_limits_enabled",
    "querier.query_ingester_only",
    "querier.query_ingesters_within",
    "querier.query_partition_ingesters",
    "querier.query_store_only",
    "querier.tail_max_duration",
    "query_range.cache_*",
    "query_range.index_stats_results_cache",
    "query_range.instant_metric_*",
    "query_range.label_results_cache",
    "query_range.max_retries",
    "query_range.parallelise_shardable_queries",
    "query_range.results_cache",
    "query_range.series_results_cache",
    "query_range.shard_aggregations",
    "query_range.split_queries_by_interval",
    "query_range.volume_results_cache",
    "query_scheduler",
    "ruler",
    "ruler_storage",
    "schema_config",
    "server.grpc_*",
    "server.http_listen_conn_limit",
    "server.http_listen_network",
    "server.http_log_closed_connections_without_response_enabled",
    "server.http_server_read_header_timeout",
    "server.http_tls_config",
    "server.log_request_*",
    "server.log_source_ips_*",
    "server.proxy_protocol_enabled",
    "server.register_instrumentation",
    "server.report_grpc_codes_in_instrumentation_label_enabled",
    "server.tls_*",
    "server.trace_*",
    "storage_config",
    "table_manager",
    "tenant_federation",
    "tracing",
    "ui",
    NULL,
};

/* In the order of /config and docs/configuration.md; blocks with a common beginning side by side.
 */
static void fill_sections(struct app_conf *c, struct conf_section to[APP_CONF_SECTIONS])
{
    const struct conf_section all[APP_CONF_SECTIONS] = {
        {"", top_rows, N_ROWS(top_rows), &c->top},
        {"server", server_rows, N_ROWS(server_rows), &c->server},
        {"common", common_rows, N_ROWS(common_rows), &c->common},
        {"distributor", distributor_conf_rows, distributor_conf_n_rows, &c->distributor},
        {"ingester", ingester_conf_rows, ingester_conf_n_rows, &c->ingester},
        {"querier", querier_conf_rows, querier_conf_n_rows, &c->querier},
        {"query_range", query_range_conf_rows, query_range_conf_n_rows, &c->querier},
        {"frontend", frontend_rows, N_ROWS(frontend_rows), &c->frontend},
        {"frontend", querier_frontend_conf_rows, querier_frontend_conf_n_rows, &c->querier},
        {"limits_config", limits_rows, limits_n_rows, &c->limits},
        {"runtime_config", runtime_rows, N_ROWS(runtime_rows), &c->runtime},
    };
    memcpy(to, all, sizeof all);
}

struct app_conf *app_conf_new(void)
{
    struct app_conf *c = mem_zalloc(1, sizeof *c);
    fill_sections(c, c->sections);
    c->table = conf_new(c->sections, APP_CONF_SECTIONS, ignored);
    return c;
}

void app_conf_free(struct app_conf *c)
{
    if (!c)
        return;
    conf_free(c->table);
    free(c);
}

struct tenant_policy app_conf_tenants(const struct app_conf *c)
{
    return (struct tenant_policy){c->top.auth_enabled, sv_of(c->top.no_auth_tenant)};
}

static int check_target(const char *target, struct err *err)
{
    static const char *const roles[] = {"distributor", "ingester", "querier", "table-manager"};
    enum { N_ROLES = sizeof roles / sizeof roles[0] };
    unsigned seen = 0;
    for (struct str_view rest = sv_of(target); rest.len > 0;) {
        size_t comma = sv_find_byte(rest, ',');
        struct str_view role = sv_trim(sv_sub(rest, 0, comma));
        rest = sv_from(rest, comma + 1);
        unsigned before = seen;
        if (sv_eq(role, SV("all")))
            seen |= (1u << N_ROLES) - 1;
        size_t which = sv_which(role, roles, N_ROLES);
        seen |= which < N_ROLES ? 1u << which : 0;
        if (seen == before)
            return err_set(err, ERR_INVALID,
                           "target: '%.*s' is not one of all, distributor, ingester, querier, "
                           "table-manager, or stands there twice",
                           SV_ARG(role));
    }
    if (seen != (1u << N_ROLES) - 1)
        return err_set(err, ERR_INVALID,
                       "target '%s': this version runs all roles in one process, use -target=all",
                       target);
    return 0;
}

int app_conf_check(struct app_conf *c, struct err *err)
{
    enum log_level level;
    if (!log_level_parse(sv_of(c->server.log_level), &level))
        return err_set(err, ERR_INVALID, "server.log_level '%s' is not debug, info, warn or error",
                       c->server.log_level);
    if (strcmp(c->server.log_format, "logfmt") != 0)
        return err_set(err, ERR_INVALID, "server.log_format '%s': logfmt is the only one",
                       c->server.log_format);
    if (c->server.http_listen_port > UINT16_MAX)
        return err_set(err, ERR_INVALID, "server.http_listen_port %llu is over 65535",
                       (unsigned long long)c->server.http_listen_port);
    if (c->server.max_connections < 1 || c->server.max_connections > 1000000)
        return err_set(err, ERR_INVALID, "server.max_connections %llu is not within 1 to 1000000",
                       (unsigned long long)c->server.max_connections);
    if (c->server.http_threads > 256 || c->server.worker_threads > 256)
        return err_set(err, ERR_INVALID,
                       "server.http_threads and server.worker_threads: at most 256");
    if (c->server.http_server_read_timeout_ns <= 0 || c->server.http_server_idle_timeout_ns <= 0)
        return err_set(err, ERR_INVALID,
                       "server.http_server_read_timeout and http_server_idle_timeout must be "
                       "over 0s");
    struct tenant_policy strict = {.auth_enabled = true};
    struct str_view tenant;
    if (tenant_one(&strict, sv_of(c->top.no_auth_tenant), &tenant, err) < 0 ||
        tenant.len != strlen(c->top.no_auth_tenant))
        return err_set(err, ERR_INVALID, "no_auth_tenant '%s' is not the name of one tenant",
                       c->top.no_auth_tenant);
    if (*c->common.path_prefix == '\0')
        return err_set(err, ERR_INVALID, "common.path_prefix is empty");
    if (*c->runtime.file && c->runtime.period_ns <= 0)
        return err_set(err, ERR_INVALID, "runtime_config.period must be over 0s");
    int r = check_target(c->top.target, err);
    return r < 0 ? r : limits_finish(&c->limits, err);
}
