/* SPDX-License-Identifier: Apache-2.0 */
#include "model/limits.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/rfc3339.h"
#include "regex/regex.h"

#define DISCOVER_SERVICE_NAME                                                                      \
    "service,app,application,app_name,name,app_kubernetes_io_name,container,container_name,"       \
    "k8s_container_name,component,workload,job,k8s_job_name"
#define LOG_LEVEL_FIELDS                                                                           \
    "level,LEVEL,Level,log.level,severity,SEVERITY,Severity,SeverityText,lvl,LVL,Lvl,"             \
    "severity_text,Severity_Text,SEVERITY_TEXT"

#define ROW(field, type, def, help) CONF_ROW(struct limits, field, #field, type, def, help)
#define ROW_NS(field, type, def, help) CONF_ROW(struct limits, field##_ns, #field, type, def, help)
#define ROW_BYTES(field, def, help)                                                                \
    CONF_ROW(struct limits, field##_bytes, #field, CONF_SIZE, def, help)
#define IGNORED(key, help)                                                                         \
    {                                                                                              \
        key, CONF_YAML, 0, "", help, CONF_IGNORED                                                  \
    }

const struct conf_row limits_rows[] = {
    /* write path */
    CONF_ROW_FLAGS(struct limits, ingestion_rate_strategy, "ingestion_rate_strategy", CONF_STRING,
                   "global", "global or local: the same with one distributor", CONF_GLOBAL_ONLY),
    ROW(ingestion_rate_mb, CONF_FLOAT, "4", "Bytes of lines a tenant may push, MiB per second"),
    ROW(ingestion_burst_size_mb, CONF_FLOAT, "6", "Most bytes in one burst, MiB"),
    ROW(max_label_name_length, CONF_INT, "1024", "Longest label name in bytes; 0 allows none"),
    ROW(max_label_value_length, CONF_INT, "2048", "Longest label value in bytes; 0 allows none"),
    ROW(max_label_names_per_series, CONF_INT, "15", "Most labels of a stream; 0 allows none"),
    ROW(reject_old_samples, CONF_BOOL, "true", "Refuse entries older than the maximum age"),
    ROW_NS(reject_old_samples_max_age, CONF_PROM_DURATION, "1w", "Oldest acceptable entry"),
    ROW_NS(creation_grace_period, CONF_PROM_DURATION, "10m",
           "How far in the future an entry may lie"),
    ROW_BYTES(max_line_size, "256KB", "Longest line; 0 leaves only the fixed bound of 16MB"),
    ROW(max_line_size_truncate, CONF_BOOL, "false", "Cut longer lines instead of refusing them"),
    ROW(max_line_size_truncate_identifier, CONF_STRING, "",
        "What a cut line ends in; counts inside the limit"),
    ROW(increment_duplicate_timestamp, CONF_BOOL, "false",
        "Move an entry 1ns behind the one before it when only their times are equal"),
    ROW(discover_service_name, CONF_STRINGS, DISCOVER_SERVICE_NAME,
        "Labels that may name the service, best first; an empty list turns it off"),
    ROW(discover_log_levels, CONF_BOOL, "true", "Add detected_level to every entry"),
    ROW(log_level_fields, CONF_STRINGS, LOG_LEVEL_FIELDS,
        "Names of fields that may hold the level, best first"),
    ROW(log_level_from_json_max_depth, CONF_INT, "2", "Nesting searched for a level in JSON lines"),
    CONF_ROW(struct limits, discover_generic_fields, "discover_generic_fields.fields", CONF_YAML,
             "", "Structured metadata to add: name to candidate fields"),
    ROW(max_streams_per_user, CONF_INT, "0", "Most active streams of a tenant in one ingester"),
    ROW(max_global_streams_per_user, CONF_INT, "5000", "Most active streams of a tenant"),
    ROW_BYTES(per_stream_rate_limit, "3MB", "Bytes a stream may receive per second"),
    ROW_BYTES(per_stream_rate_limit_burst, "15MB", "Most bytes of a stream in one burst"),
    ROW(unordered_writes, CONF_BOOL, "true",
        "Taken as true: entries out of order are accepted within the window"),
    ROW(allow_structured_metadata, CONF_BOOL, "true", "Accept structured metadata"),
    ROW_BYTES(max_structured_metadata_size, "64KB", "Most bytes of metadata of an entry; 0: any"),
    ROW(max_structured_metadata_entries_count, CONF_INT, "128",
        "Most metadata pairs of an entry; 0: any"),
    ROW(otlp_config, CONF_YAML, "", "Told to clients; there is no OTLP receiver yet"),
    ROW(enforced_labels, CONF_STRINGS, "", "Labels that every stream must have"),
    ROW(block_ingestion_until, CONF_STRING, "", "Refuse pushes until this time (RFC 3339)"),
    ROW(block_ingestion_status_code, CONF_INT, "260",
        "Status for refused pushes; 200 drops them silently"),

    /* query path */
    ROW(max_entries_limit_per_query, CONF_INT, "5000", "Largest limit of a log query"),
    ROW_NS(max_query_length, CONF_PROM_DURATION, "30d1h", "Longest time range of a query"),
    ROW_NS(max_query_lookback, CONF_PROM_DURATION, "0s", "How far back queries may reach"),
    ROW_NS(max_query_range, CONF_PROM_DURATION, "0s", "Longest [range] inside a query"),
    ROW(max_query_series, CONF_INT, "500", "Most series of a metric result"),
    ROW(max_query_bytes_read, CONF_SIZE, "0B", "Most bytes a query may read"),
    ROW(max_querier_bytes_read, CONF_SIZE, "150GB",
        "Not used: max_query_bytes_read bounds a query"),
    ROW(max_streams_matchers_per_query, CONF_INT, "1000", "Most matchers of a selector"),
    ROW(max_chunks_per_query, CONF_INT, "2000000", "Most chunks a query may read; 0: any"),
    ROW(cardinality_limit, CONF_INT, "100000", "Most streams a selector may match; 0: any"),
    ROW(required_labels, CONF_STRINGS, "", "Labels that every selector must match on"),
    ROW(minimum_labels_number, CONF_INT, "0", "Fewest matchers of a selector"),
    ROW(blocked_queries, CONF_YAML, "", "Queries that are refused"),
    ROW_NS(query_timeout, CONF_PROM_DURATION, "1m", "Longest run of a query"),
    ROW(max_concurrent_tail_requests, CONF_INT, "10", "Not used yet: there is no tail"),
    ROW(max_query_parallelism, CONF_INT, "32", "Most parts of a query at a time; 0: no queries"),
    ROW(tsdb_max_query_parallelism, CONF_INT, "128",
        "Most parts of a query at a time; 0: no queries"),
    ROW(max_queriers_per_tenant, CONF_INT, "0", "Not used: one process answers"),
    ROW(volume_enabled, CONF_BOOL, "true", "Serve the volume endpoints"),
    ROW(volume_max_series, CONF_INT, "1000", "Most series of a volume answer"),
    ROW_NS(split_queries_by_interval, CONF_PROM_DURATION, "1h",
           "Over 0 the ends of metric ranges are moved to multiples of the step"),
    ROW_NS(split_metadata_queries_by_interval, CONF_PROM_DURATION, "1d", "Not used yet"),
    ROW_NS(split_instant_metric_queries_by_interval, CONF_PROM_DURATION, "1h", "Not used yet"),
    ROW_NS(max_cache_freshness_per_query, CONF_PROM_DURATION, "10m",
           "Not used yet: no results are cached"),
    ROW_NS(max_metadata_cache_freshness, CONF_PROM_DURATION, "1d", "Not used yet"),
    ROW_NS(max_stats_cache_freshness, CONF_PROM_DURATION, "10m", "Not used yet"),
    ROW(max_query_capacity, CONF_FLOAT, "0", "Not used: one process answers"),

    /* retention and deletes */
    ROW(deletion_mode, CONF_STRING, "filter-and-delete",
        "Not used yet: there are no delete requests"),
    ROW_NS(retention_period, CONF_PROM_DURATION, "0s",
           "Told to clients and in metrics; nothing is deleted yet"),
    ROW(retention_stream, CONF_YAML, "", "Told to clients; nothing is deleted yet"),

    /* of Loki's, without effect here */
    IGNORED("use_owned_stream_count", "All streams count"),
    IGNORED("shard_streams", "Streams need no splitting"),
    IGNORED("policy_stream_mapping", "No policies"),
    IGNORED("policy_enforced_labels", "No policies"),
    IGNORED("block_ingestion_policy_until", "No policies"),
    IGNORED("split_recent_metadata_queries_by_interval", "Metadata queries are not split finer"),
    IGNORED("recent_metadata_query_window", "Metadata queries are not split finer"),
    IGNORED("split_ingester_queries_by_interval", "Ingesters answer whole queries"),
    IGNORED("min_sharding_lookback", "Planned by bytes"),
    IGNORED("tsdb_max_bytes_per_shard", "Planned by chunks"),
    IGNORED("tsdb_sharding_strategy", "Planned by chunks"),
    IGNORED("query_ready_index_num_days", "The index is local"),
    IGNORED("ruler_max_rules_per_rule_group", "No ruler"),
    IGNORED("ruler_max_rule_groups_per_tenant", "No ruler"),
    IGNORED("ruler_tenant_shard_size", "No ruler"),
    IGNORED("ruler_remote_write_disabled", "No ruler"),
    IGNORED("ruler_remote_write_config", "No ruler"),
    IGNORED("ruler_remote_evaluation_timeout", "No ruler"),
    IGNORED("ruler_remote_evaluation_max_response_size", "No ruler"),
    IGNORED("metric_aggregation_enabled", "Counts come from the segments"),
    IGNORED("pattern_persistence_enabled", "No pattern store"),
    IGNORED("pattern_rate_threshold", "No pattern store"),
    IGNORED("index_gateway_shard_size", "No index gateway"),
    IGNORED("index_gateway_max_capacity", "No index gateway"),
    IGNORED("shard_aggregations", "Planned by chunks"),
    IGNORED("bloom_gateway_enable_filtering", "Filters are part of the segments"),
    IGNORED("bloom_creation_enabled", "Filters are part of the segments"),
    IGNORED("bloom_split_series_keyspace_by", "Filters are part of the segments"),
    IGNORED("bloom_build_max_builders", "Filters are part of the segments"),
    IGNORED("bloom_compactor_enable_compaction", "Filters are part of the segments"),
    IGNORED("bloom_block_encoding", "Filters are part of the segments"),
    IGNORED("s3_sse_type", "Set on the bucket"),
    IGNORED("s3_sse_kms_key_id", "Set on the bucket"),
    IGNORED("s3_sse_kms_encryption_context", "Set on the bucket"),
    IGNORED("per_tenant_override_config", "Use runtime_config.file"),
    IGNORED("per_tenant_override_period", "Use runtime_config.period"),
};
const size_t limits_n_rows = N_ROWS(limits_rows);

void limits_set_defaults(struct limits *l, struct arena *a)
{
    *l = (struct limits){0};
    conf_rows_set_defaults(limits_rows, limits_n_rows, l, a);
    limits_finish(l, NULL); /* defaults are valid */
}

static struct str_view scalar_of(const struct conf_node *map, struct str_view key)
{
    const struct conf_node *n = conf_node_get(map, key);
    return n && n->kind == CONF_NODE_SCALAR && !n->is_null ? n->text : SV_EMPTY;
}

/* A rule that nothing meets would be found out by the query that it should have blocked. */
static int check_blocked_rule(const struct conf_node *rule, size_t i, struct err *err)
{
    bool is_regex = false;
    struct regex *re = NULL;
    if (rule->kind != CONF_NODE_MAP)
        return err_set(err, ERR_INVALID,
                       "limits_config.blocked_queries: rule %zu is no map of pattern, regex, "
                       "types, hash, query_tags",
                       i + 1);
    struct str_view pattern = scalar_of(rule, SV("pattern")), regex = scalar_of(rule, SV("regex"));
    int r = regex.len ? conf_parse_bool(regex, &is_regex, err) : 0;
    if (r == 0 && is_regex)
        r = regex_compile(&re, pattern, REGEX_SEARCH, err);
    regex_unref(re);
    return r < 0 ? err_context(err, r, "limits_config.blocked_queries: rule %zu: '%.*s'", i + 1,
                               SV_ARG(sv_sub(is_regex ? pattern : regex, 0, 200)))
                 : 0;
}

static int check_blocked(const struct conf_node *rules, struct err *err)
{
    if (!rules || rules->is_null || (rules->kind == CONF_NODE_SCALAR && rules->text.len == 0))
        return 0;
    if (rules->kind != CONF_NODE_LIST)
        return err_set(err, ERR_INVALID, "limits_config.blocked_queries is no list of rules");
    int r = 0;
    for (size_t i = 0; i < rules->n && r == 0; i++)
        r = check_blocked_rule(rules->items[i], i, err);
    return r;
}

int limits_finish(struct limits *l, struct err *err)
{
    static _Atomic uint64_t next_id = 1;
    static const char *const strategies[] = {"global", "local"};
    static const char *const modes[] = {"disabled", "filter-only", "filter-and-delete"};
    if (sv_which(sv_of(l->ingestion_rate_strategy), strategies, 2) == 2)
        return err_set(err, ERR_INVALID,
                       "limits_config.ingestion_rate_strategy '%s' is not global or local",
                       l->ingestion_rate_strategy);
    if (sv_which(sv_of(l->deletion_mode), modes, 3) == 3)
        return err_set(err, ERR_INVALID,
                       "limits_config.deletion_mode '%s' is not disabled, filter-only or "
                       "filter-and-delete",
                       l->deletion_mode);
    if (!(l->ingestion_rate_mb >= 0) || !(l->ingestion_burst_size_mb >= 0))
        return err_set(err, ERR_INVALID, "limits_config.ingestion_rate_mb is negative");
    if (l->block_ingestion_status_code < 200 || l->block_ingestion_status_code > 599)
        return err_set(err, ERR_INVALID,
                       "limits_config.block_ingestion_status_code %lld is not within 200 to 599",
                       (long long)l->block_ingestion_status_code);
    int r = check_blocked(l->blocked_queries, err);
    if (r < 0)
        return r;
    struct str_view until = sv_of(l->block_ingestion_until);
    l->block_ingestion_until_ns = 0;
    if (until.len > 0 && !sv_eq(until, SV("0")) &&
        !rfc3339_parse(until, &l->block_ingestion_until_ns))
        return err_set(err, ERR_INVALID,
                       "limits_config.block_ingestion_until '%s' is not a time as "
                       "2026-03-01T10:00:00Z",
                       l->block_ingestion_until);
    l->id = atomic_fetch_add(&next_id, 1);
    return 0;
}
