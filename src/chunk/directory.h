/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h - bytes of a part's directory and of a segment's header, footer and trailer.
 * Inside of segment_write.c and segment_read.c; everybody else uses segment.h.
 * Threads: pure. */
#pragma once
#include <zstd.h>

#include "chunk/segment.h"

enum {
    SEGMENT_HEADER_BYTES = 80,
    SEGMENT_TRAILER_BYTES = 40,
    SEGMENT_MAJOR = 1,
    SEGMENT_MINOR = 0,
    SEGMENT_ALIGNMENT = 8,                   /* of parts, chunks, filters, directories, footer */
    SEGMENT_MAX_LABEL_BYTES = 512 << 20,     /* of all streams of a part, front coding undone */
    SEGMENT_MAX_DIRECTORY_BYTES = 256 << 20, /* stored, of a directory or the footer */
    SEGMENT_MAX_COVERAGE = 1 << 20,          /* ranges */
};
enum directory_section {
    DIRECTORY_CHUNKS = 0x81,
    DIRECTORY_STREAMS = 0x82,
    DIRECTORY_RUNS = 0x83,
    DIRECTORY_SM_KEYS = 0x04,
    DIRECTORY_SLICED_FILTERS = 0x05, /* reserved */
};
enum footer_section {
    FOOTER_PARTS = 0x81,
    FOOTER_COVERAGE = 0x82,
    FOOTER_REPLACED = 0x83,
};

/* A part in work. */
struct directory {
    struct buf streams; /* front-coded labels and run counts */
    uint32_t n_streams;
    uint64_t label_bytes;
    struct segment_run *runs;
    struct chunk_meta *chunks;
    struct segment_sm_key *sm_keys;
    uint32_t *key_slots; /* of a hash table: number in sm_keys + 1 */
    size_t n_key_slots;
    size_t n_runs, n_chunks, n_sm_keys, cap_runs, cap_chunks, cap_sm_keys;
    struct arena names; /* of sm_keys */
    struct buf before;  /* labels of the stream before */
};
void directory_deinit(struct directory *d);
void directory_clear(struct directory *d); /* keeps memory */
uint64_t directory_mem_bytes(const struct directory *d);
/* The next stream, whose runs were put into d->runs. */
void directory_add_stream(struct directory *d, struct str_view labels, uint32_t n_runs);
/* One more chunk has the key. */
void directory_count_sm_key(struct directory *d, struct str_view name);
/* info: its min_ts_ns is the base of the chunks' times.  ERR_INVALID where the part holds more than
 * a reader would take.  Nothing may be added to d afterwards. */
int directory_encode(struct buf *out, struct directory *d, const struct segment_part *info,
                     uint64_t filters_at, ZSTD_CCtx *cctx, int level, struct err *err);
/* Into arena; p->info is set. */
int directory_decode(struct str_view bytes, struct part *p, ZSTD_DCtx *dctx, struct err *err);

/* Decoders: ERR_CORRUPT, or ERR_UNSUPPORTED for a newer major version; *ret only on success. */
void segment_header_encode(struct buf *out, const struct segment_header *h);
int segment_header_decode(struct str_view bytes, struct segment_header *ret, struct err *err);

static inline uint64_t segment_aligned(uint64_t at)
{
    return (at + SEGMENT_ALIGNMENT - 1) & ~(uint64_t)(SEGMENT_ALIGNMENT - 1);
}

struct segment_trailer {
    uint64_t footer_at, file_bytes;
    uint32_t footer_bytes, footer_crc;
};
void segment_trailer_encode(struct buf *out, const struct segment_trailer *t);
int segment_trailer_decode(struct str_view bytes, struct segment_trailer *ret, struct err *err);

/* ERR_INVALID where a reader would not take so much. */
int footer_put_parts(struct buf *out, const struct segment_part *parts, size_t n, ZSTD_CCtx *cctx,
                     int level, struct err *err);
/* Sorted and joined. */
int footer_put_coverage(struct buf *out, const struct segment_coverage *c, size_t n,
                        ZSTD_CCtx *cctx, int level, struct err *err);
void footer_put_replaced(struct buf *out, const uint8_t (*uuids)[SEGMENT_UUID_BYTES], size_t n);
/* Fills s->parts, coverage, replaced; parts must end before footer_at. */
int footer_decode(struct str_view bytes, struct segment *s, uint64_t footer_at, ZSTD_DCtx *dctx,
                  struct err *err);
