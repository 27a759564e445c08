/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what one tenant may do: every key of limits_config, as configured and overridden.
 * Field names are the keys' names; _ns and _bytes say the unit.  0 switches a limit off unless the
 * key's help says otherwise.
 * Promise: a `const struct limits *` from a source stays valid and unchanged until the process
 * ends; a reload makes a new object only for tenants whose values changed.
 * Threads: read-only once finished; sources answer any thread. */
#pragma once
#include "base/arena.h"
#include "base/conf/conf.h"
#include "base/err.h"
#include "base/str_view.h"

struct limits {
    /* write path */
    const char *ingestion_rate_strategy; /* process-wide */
    double ingestion_rate_mb, ingestion_burst_size_mb;
    int64_t max_label_name_length, max_label_value_length, max_label_names_per_series;
    bool reject_old_samples;
    int64_t reject_old_samples_max_age_ns, creation_grace_period_ns;
    uint64_t max_line_size_bytes;
    bool max_line_size_truncate;
    const char *max_line_size_truncate_identifier;
    bool increment_duplicate_timestamp;
    struct conf_strings discover_service_name;
    bool discover_log_levels;
    struct conf_strings log_level_fields;
    int64_t log_level_from_json_max_depth;
    const struct conf_node *discover_generic_fields; /* map: name -> list of fields */
    int64_t max_streams_per_user, max_global_streams_per_user;
    uint64_t per_stream_rate_limit_bytes, per_stream_rate_limit_burst_bytes;
    bool unordered_writes;
    bool allow_structured_metadata;
    uint64_t max_structured_metadata_size_bytes;
    int64_t max_structured_metadata_entries_count;
    const struct conf_node *otlp_config;
    struct conf_strings enforced_labels;
    const char *block_ingestion_until;
    int64_t block_ingestion_status_code;

    /* query path */
    int64_t max_entries_limit_per_query;
    int64_t max_query_length_ns, max_query_lookback_ns, max_query_range_ns;
    int64_t max_query_series;
    uint64_t max_query_bytes_read, max_querier_bytes_read;
    int64_t max_streams_matchers_per_query, max_chunks_per_query, cardinality_limit;
    struct conf_strings required_labels;
    int64_t minimum_labels_number;
    const struct conf_node *blocked_queries;
    int64_t query_timeout_ns;
    int64_t max_concurrent_tail_requests;
    int64_t max_query_parallelism, tsdb_max_query_parallelism;
    int64_t max_queriers_per_tenant;
    bool volume_enabled;
    int64_t volume_max_series;
    int64_t split_queries_by_interval_ns, split_metadata_queries_by_interval_ns;
    int64_t split_instant_metric_queries_by_interval_ns;
    int64_t max_cache_freshness_per_query_ns, max_metadata_cache_freshness_ns;
    int64_t max_stats_cache_freshness_ns;
    double max_query_capacity;

    /* retention and deletes */
    const char *deletion_mode; /* disabled, filter-only, filter-and-delete */
    int64_t retention_period_ns;
    const struct conf_node *retention_stream;

    /* made by limits_finish() */
    int64_t block_ingestion_until_ns; /* 0: not blocked */
    uint64_t id;                      /* of these values, unique in the process: key of caches */
};

extern const struct conf_row limits_rows[];
extern const size_t limits_n_rows;

/* Loki's defaults, finished; strings in the arena. */
void limits_set_defaults(struct limits *l, struct arena *a);
/* Checks what rows cannot and fills the derived fields; after loading or applying rows. */
int limits_finish(struct limits *l, struct err *err);

/* Who knows every tenant's limits. */
struct limits_source {
    const struct limits *(*get)(void *self, struct str_view tenant);
    void *self;
};

static inline const struct limits *limits_of(const struct limits_source *s, struct str_view tenant)
{
    return s->get(s->self, tenant);
}

/* One set for all tenants. */
struct limits_source limits_source_fixed(const struct limits *l);

/* The global values with per-tenant overrides on top; reloads swap atomically. */
struct limits_table;
/* Copies *global (its strings must live as long as the table). */
struct limits_table *limits_table_new(const struct limits *global);
void limits_table_free(struct limits_table *t);
/* The text of a runtime file: overrides: {tenant: {key: value}}.  On failure the table keeps what
 * it had. */
int limits_table_load(struct limits_table *t, struct str_view yaml, const char *name,
                      struct err *err);
struct limits_source limits_source_of_table(struct limits_table *t);
