/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/conf.h"

enum { MIN_HEAD_BYTES = 2 << 20 }; /* an empty head holds half of it already */

#define ROW(field, key, type, def, help) CONF_ROW(struct ingester_conf, field, key, type, def, help)
const struct conf_row ingester_conf_rows[] = {
    ROW(chunk_idle_period_ns, "chunk_idle_period", CONF_DURATION, "30m",
        "Streams nobody wrote to for this long leave memory"),
    ROW(max_chunk_age_ns, "max_chunk_age", CONF_DURATION, "2h",
        "Entries older than the stream's newest by more than half of this are refused"),
    ROW(flush_check_period_ns, "flush_check_period", CONF_DURATION, "30s",
        "How often idle streams and ages are looked at"),
    ROW(max_returned_stream_errors, "max_returned_stream_errors", CONF_UINT, "10",
        "Reasons named per stream in the answer to a push; 0: all"),
    ROW(head_max_bytes, "head_max_bytes", CONF_SIZE, "64MB",
        "Memory of recent entries that makes a local segment of them; at least 2MB"),
    ROW(head_max_age_ns, "head_max_age", CONF_DURATION, "30m",
        "Age of the oldest entry in memory that makes a local segment of all"),
    ROW(flush_local_bytes, "flush_local_bytes", CONF_SIZE, "32MB",
        "Size of all local segments together that makes objects of them"),
    ROW(flush_local_age_ns, "flush_local_age", CONF_DURATION, "30m",
        "Age of a local segment that makes objects of all"),
    ROW(flush_object_bytes, "flush_object_bytes", CONF_SIZE, "128MB",
        "Size past which an object takes no further tenant"),
    ROW(push_wait_max_bytes, "push_wait_max_bytes", CONF_SIZE, "64MB",
        "Pushes that may wait while a segment is written, decoded size; more get 503"),
    ROW(wal_enabled, "wal.enabled", CONF_BOOL, "true", "false is taken as wal.sync: none"),
    ROW(wal_dir, "wal.dir", CONF_STRING, "wal", "Folder of the log, below common.path_prefix"),
    ROW(wal_sync, "wal.sync", CONF_STRING, "fdatasync",
        "When a push is answered: fdatasync (on stable storage), interval or none (written)"),
    ROW(wal_sync_interval_ns, "wal.sync_interval", CONF_DURATION, "100ms",
        "Time between syncs with wal.sync: interval"),
    ROW(wal_file_bytes, "wal.file_size", CONF_SIZE, "16MB",
        "Size of the log's files, used in turn; 256KB to 16MB"),
    ROW(flush_on_shutdown, "wal.flush_on_shutdown", CONF_BOOL, "false",
        "Write everything to objects before the process ends"),
    ROW(disk_full_threshold, "wal.disk_full_threshold", CONF_FLOAT, "0.9",
        "Used share of the disk from which pushes are answered with 503; 0: off"),
};
const size_t ingester_conf_n_rows = N_ROWS(ingester_conf_rows);

int ingester_conf_check(const struct ingester_conf *c, struct err *err)
{
    const char *s = c->wal_sync;
    if (strcmp(s, "fdatasync") != 0 && strcmp(s, "interval") != 0 && strcmp(s, "none") != 0)
        return err_set(err, ERR_INVALID,
                       "ingester.wal.sync: '%s' is none of fdatasync, interval, none", s);
    uint64_t file = c->wal_file_bytes;
    if (file != 0 && (file < (256 << 10) || file > (16 << 20)))
        return err_set(err, ERR_INVALID,
                       "ingester.wal.file_size: %llu is not within 256KB and 16MB",
                       (unsigned long long)file);
    if (c->head_max_bytes < MIN_HEAD_BYTES)
        return err_set(err, ERR_INVALID, "ingester.head_max_bytes: %llu is less than 2MB",
                       (unsigned long long)c->head_max_bytes);
    return 0;
}

enum wal_sync ingester_conf_sync(const struct ingester_conf *c)
{
    if (!c->wal_enabled || strcmp(c->wal_sync, "none") == 0)
        return WAL_SYNC_NONE;
    return strcmp(c->wal_sync, "interval") == 0 ? WAL_SYNC_INTERVAL : WAL_SYNC_FDATASYNC;
}
