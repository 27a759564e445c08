/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - the one data file and object format: parts, one per (tenant, period), each with its
 * chunks, filters and directory in one run of bytes that can be copied alone; then a footer that
 * lists the parts, the batches covered and the segments replaced.  Bytes: docs/formats.md.
 * Promise: everything read was checked (CRC-32C, bounds) before it is believed; a damaged file is
 * ERR_CORRUPT, a newer major version ERR_UNSUPPORTED.
 * Threads: a writer belongs to one thread.  An open segment and an open part are immutable and
 * shared, as far as their source's pread may be called by several threads. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "chunk/chunk.h"
#include "model/entry.h"

enum { SEGMENT_UUID_BYTES = 16, SEGMENT_MAX_TENANT_BYTES = 1024 };
enum segment_level { SEGMENT_LOCAL = 0, SEGMENT_OBJECT = 1 };

struct segment_header {
    uint8_t installation[SEGMENT_UUID_BYTES]; /* who wrote it */
    uint8_t uuid[SEGMENT_UUID_BYTES];
    uint64_t generation; /* the writer's, grows with each of its segments */
    int64_t created_ns;
    uint8_t level; /* enum segment_level */
};

/* Batches [first, last] of a source (installation and LSN when alone).  Sorted by (source, first),
 * neither overlapping nor touching within a source. */
struct segment_coverage {
    uint8_t source[SEGMENT_UUID_BYTES];
    uint64_t first, last;
};

/* Rows of one stream in one chunk.  Runs of a stream stand in arrival order: of two entries with
 * equal time the one in the earlier run (then row) came first. */
struct segment_run {
    uint32_t chunk; /* number within the part */
    uint32_t first_row, rows;
    uint64_t line_bytes, sm_bytes;
    int64_t min_ts_ns, max_ts_ns;
};
struct segment_stream {
    struct str_view labels; /* encoded (model/labels.h) */
    uint64_t hash;          /* labels_hash_encoded(labels) */
    uint32_t first_run, n_runs;
};
struct segment_sm_key {
    struct str_view name;
    uint32_t n_chunks; /* that have it */
};

/* A row of the footer's part table. */
struct segment_part {
    struct str_view tenant;
    int64_t period_start_ns, period_len_ns;
    int64_t min_ts_ns, max_ts_ns;
    uint64_t rows, line_bytes, sm_bytes;
    uint32_t n_streams, n_chunks;
    uint64_t offset, bytes; /* in the file */
    uint64_t directory_at;  /* from the start of the part; ends the part */
    uint32_t directory_bytes, directory_crc;
};

/* ---- write ---- */

/* Takes the next bytes of the file. */
struct segment_sink {
    void *ctx;
    int (*write)(void *ctx, struct str_view data, struct err *err);
};
/* A sink that appends to a struct buf. */
struct segment_sink segment_sink_of_buf(struct buf *b);

struct segment_writer;
/* A writer may write one segment after another (open, ..., finish, open). */
struct segment_writer *segment_writer_new(void);
void segment_writer_free(struct segment_writer *w); /* NULL is fine */
/* Of the segment in work and of what is kept for the next. */
uint64_t segment_writer_mem_bytes(const struct segment_writer *w);

/* Starts a segment, dropping one that was not finished.  Any failure below leaves the writer
 * unusable until the next open. */
int segment_writer_open(struct segment_writer *w, const struct segment_header *header,
                        const struct chunk_options *options, struct segment_sink sink,
                        struct err *err);
/* Parts come sorted by (tenant, period start) and do not repeat.  Ends the part before.  A part
 * without rows leaves no trace.  period_len_ns 0: any time; else every entry lies in [start, start
 * + len). */
int segment_writer_part(struct segment_writer *w, struct str_view tenant, int64_t period_start_ns,
                        int64_t period_len_ns, struct err *err);
/* A filter switch of a tenant: from the next chunk of this part on. */
void segment_writer_set_filter(struct segment_writer *w, enum chunk_filter_mode mode);
/* Streams of a part come in label order (sv_cmp of encoded labels will do, any fixed order does)
 * and do not repeat.  A stream without rows leaves no trace. */
int segment_writer_stream(struct segment_writer *w, struct str_view labels, struct err *err);
/* The next row of the stream; rows of a run come in (time, arrival) order. */
int segment_writer_add(struct segment_writer *w, const struct entry *e, struct err *err);
/* Copies a chunk as it is (payload and filter checked by the caller's reader: see
 * segment_read_chunk) into the part; *ret_chunk is its number there.  Ends the chunk in work, so
 * copy before adding where there is a choice. */
int segment_writer_copy_chunk(struct segment_writer *w, const struct chunk_meta *meta,
                              struct str_view payload, struct str_view filter, uint32_t *ret_chunk,
                              struct err *err);
/* Rows of the current stream that stand in a copied chunk.  Calls of _add and _run may alternate:
 * their order is the order of arrival. */
int segment_writer_run(struct segment_writer *w, const struct segment_run *run, struct err *err);
/* Ends the file.  Coverage is sorted and joined here.  *ret_bytes: size of the file. */
int segment_writer_finish(struct segment_writer *w, const struct segment_coverage *coverage,
                          size_t n_coverage, const uint8_t (*replaced)[SEGMENT_UUID_BYTES],
                          size_t n_replaced, uint64_t *ret_bytes, struct err *err);

/* ---- read ---- */

struct segment_source {
    void *ctx;
    uint64_t bytes; /* of the whole file */
    /* Fills all of `to` or fails. */
    int (*pread)(void *ctx, void *to, size_t len, uint64_t at, struct err *err);
};
/* Borrows *v; both must outlive the segment. */
struct segment_source segment_source_of_view(const struct str_view *v);

struct segment {
    struct segment_source source;
    struct segment_header header;
    struct segment_part *parts; /* sorted by (tenant, period start) */
    uint32_t n_parts;
    struct segment_coverage *coverage; /* on the heap, the rest in the arena */
    uint32_t n_coverage;
    uint8_t (*replaced)[SEGMENT_UUID_BYTES];
    uint32_t n_replaced;
    uint64_t mem_bytes;
    struct arena *arena;
};
/* Reads and checks header, trailer and footer.  The source is copied, its ctx is the caller's. */
int segment_open(struct segment **ret, const struct segment_source *source, struct err *err);
void segment_close(struct segment *s); /* NULL is fine; the source is the caller's */
/* NULL when absent. */
const struct segment_part *segment_find_part(const struct segment *s, struct str_view tenant,
                                             int64_t period_start_ns);

/* A part's directory, decoded. */
struct part {
    struct segment_part info; /* tenant is a copy */
    struct segment_stream *streams;
    struct segment_run *runs; /* of stream s: runs[s.first_run ...] */
    struct chunk_meta *chunks;
    struct segment_sm_key *sm_keys;
    uint32_t n_streams, n_runs, n_chunks, n_sm_keys;
    uint64_t filters_at, filters_bytes; /* all filters, from the start of the part */
    uint64_t mem_bytes;
    struct arena *arena;
};
/* Reads and checks it; info is one of s->parts.  The part does not need s afterwards. */
int part_open(struct part **ret, const struct segment *s, const struct segment_part *info,
              struct err *err);
void part_close(struct part *p);

/* Where a chunk_decoder reads the chunks of a part.  Lives as long as whoever made it keeps it;
 * borrows the segment source. */
struct part_source {
    const struct segment_source *source;
    uint64_t offset, bytes; /* of the part */
};
struct part_source part_source_of(const struct segment_source *source, const struct part *p);
struct chunk_source chunk_source_of(const struct part_source *ps); /* borrows ps */

/* Appends the chunk's filter to out, checked; nothing when it has none. */
int segment_read_filter(const struct part_source *ps, const struct chunk_meta *meta,
                        struct buf *out, struct err *err);
/* Appends all filters of the part in one read, checked; part_filter finds them there. */
int segment_read_filters(const struct part_source *ps, const struct part *p, struct buf *out,
                         struct err *err);
static inline struct str_view part_filter(const struct part *p, struct str_view filters,
                                          uint32_t chunk)
{
    const struct chunk_meta *m = &p->chunks[chunk];
    if (m->filter_bits == 0)
        return SV_EMPTY;
    return sv_sub(filters, m->filter_offset - p->filters_at, (m->filter_bits + 7) / 8);
}
/* Appends payload and filter as they are, every section checked: for segment_writer_copy_chunk. */
int segment_read_chunk(const struct part_source *ps, const struct chunk_meta *meta,
                       struct buf *out_payload, struct buf *out_filter, struct err *err);
