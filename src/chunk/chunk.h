/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.h - one compressed columnar run of entries: encode, describe, decode column by column.
 * A chunk holds rows of one or more streams of one part; it does not know which: the part's stream
 * directory says so.  Columns are separate sections with a checksum each, so that a count reads
 * times only and a scan reads lines only.  Bytes: docs/formats.md.
 * Promise: what was added comes back byte for byte; anything damaged is ERR_CORRUPT, never a crash.
 * Other failures are those of the source's pread.
 * Threads: a builder or a decoder belongs to one thread at a time; keep one per thread and reuse.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "chunk/sm.h"
#include "model/entry.h"

/* In file order.  Absent sections (no metadata) have 0 bytes. */
enum chunk_section {
    CHUNK_SMH, /* metadata header: keys, constant and dictionary values, in the clear */
    CHUNK_SMD, /* metadata columns */
    CHUNK_TS,
    CHUNK_LEN,
    CHUNK_LIN,
    CHUNK_N_SECTIONS,
};
enum {
    CHUNK_BIT_SMH = 1 << CHUNK_SMH,
    CHUNK_BIT_SMD = 1 << CHUNK_SMD,
    CHUNK_BIT_TS = 1 << CHUNK_TS,
    CHUNK_BIT_LEN = 1 << CHUNK_LEN,
    CHUNK_BIT_LIN = 1 << CHUNK_LIN,
    CHUNK_BITS_ALL = (1 << CHUNK_N_SECTIONS) - 1,
};

enum chunk_lin_codec {
    CHUNK_LIN_RAW = 0,
    CHUNK_LIN_ZSTD = 1,
    CHUNK_LIN_TEMPLATE = 2,  /* reserved */
    CHUNK_LIN_ZSTD_DICT = 3, /* reserved */
};

enum chunk_flag {
    CHUNK_ASCII = 1 << 0,         /* no line byte >= 0x80 */
    CHUNK_UTF8 = 1 << 1,          /* every line is valid UTF-8 */
    CHUNK_NEWLINE = 1 << 2,       /* some line has a \n inside: no whole-blob line search */
    CHUNK_BACKSLASH = 1 << 3,     /* some line has a '\' */
    CHUNK_ESCAPE = 1 << 4,        /* some line has an 0x1b (colour codes) */
    CHUNK_UNKNOWN_LEVEL = 1 << 5, /* level_mask says nothing (metadata not held in columns) */
};

/* Bits of chunk_meta.level_mask: which values the metadata key detected_level takes. */
enum chunk_level {
    CHUNK_LEVEL_ABSENT, /* some row has no detected_level */
    CHUNK_LEVEL_TRACE,
    CHUNK_LEVEL_DEBUG,
    CHUNK_LEVEL_INFO,
    CHUNK_LEVEL_WARN,
    CHUNK_LEVEL_ERROR,
    CHUNK_LEVEL_CRITICAL,
    CHUNK_LEVEL_FATAL,
    CHUNK_LEVEL_UNKNOWN,
    CHUNK_LEVEL_OTHER = 15, /* any other value */
};
/* The bit number of a value; CHUNK_LEVEL_ABSENT for the empty one. */
enum chunk_level chunk_level_of(struct str_view value);

enum {
    CHUNK_TARGET_RAW_BYTES = 512 << 10,
    CHUNK_MAX_ROWS = 65536,
    CHUNK_MAX_SM_BYTES = 4 << 20,     /* a chunk is cut before its metadata passes this */
    CHUNK_MAX_ENTRY_BYTES = 32 << 20, /* of a line, and of one entry's metadata: the hard bound */
    /* What a decoder accepts: a full chunk plus one huge entry. */
    CHUNK_LIMIT_RAW_BYTES = 33 << 20,
    CHUNK_LIMIT_SM_BYTES = 40 << 20,
};

struct chunk_meta {
    uint64_t offset; /* of its first section, from the start of the part */
    uint32_t section_bytes[CHUNK_N_SECTIONS];
    uint32_t section_crc[CHUNK_N_SECTIONS];
    uint32_t rows;
    uint32_t raw_bytes; /* of the line blob: each line and its \n; line bytes = raw_bytes - rows */
    uint32_t sm_bytes;  /* encoded metadata of all rows together */
    int64_t min_ts_ns, max_ts_ns;
    uint8_t lin_codec; /* enum chunk_lin_codec */
    uint8_t ts_unit;   /* enum ts_unit (chunk/ts.h) */
    uint16_t flags, level_mask;
    uint32_t filter_bits; /* 0: no filter */
    uint32_t filter_crc;
    uint64_t filter_offset; /* from the start of the part; (filter_bits + 7) / 8 bytes */
};
static inline uint64_t chunk_payload_bytes(const struct chunk_meta *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < CHUNK_N_SECTIONS; i++)
        sum += m->section_bytes[i];
    return sum;
}
static inline uint64_t chunk_section_offset(const struct chunk_meta *m, enum chunk_section s)
{
    uint64_t at = m->offset;
    for (int i = 0; i < (int)s; i++)
        at += m->section_bytes[i];
    return at;
}

/* ERR_CORRUPT unless every field is within its limits and all bytes lie below part_bytes. */
int chunk_meta_check(const struct chunk_meta *m, uint64_t part_bytes, struct err *err);

/* ---- encode ---- */

enum chunk_filter_mode {
    CHUNK_FILTER_AUTO,   /* where it costs at most 12 % of the compressed chunk */
    CHUNK_FILTER_ALWAYS, /* whatever it costs */
    CHUNK_FILTER_NEVER,
};
struct chunk_options {
    uint32_t target_raw_bytes; /* 0: CHUNK_TARGET_RAW_BYTES */
    uint32_t max_rows;         /* 0: CHUNK_MAX_ROWS */
    enum chunk_filter_mode filter;
    int zstd_level; /* 0: 1 */
};
struct chunk_builder;
struct chunk_builder *chunk_builder_new(const struct chunk_options *options); /* copied */
void chunk_builder_free(struct chunk_builder *b);                             /* NULL is fine */
/* From the next chunk_builder_finish() on. */
void chunk_builder_set_filter(struct chunk_builder *b, enum chunk_filter_mode mode);
/* True when the entry does not belong in this chunk any more: finish it first.  An empty builder
 * takes any entry within CHUNK_MAX_ENTRY_BYTES. */
bool chunk_builder_is_full(const struct chunk_builder *b, const struct entry *e);
/* Copies. */
void chunk_builder_add(struct chunk_builder *b, const struct entry *e);
uint32_t chunk_builder_rows(const struct chunk_builder *b);
uint64_t chunk_builder_sm_bytes(const struct chunk_builder *b); /* of the rows added */
uint64_t chunk_builder_mem_bytes(const struct chunk_builder *b);
struct chunk_encoded {
    struct chunk_meta meta;  /* offsets are 0 */
    struct str_view payload; /* the sections in order */
    struct str_view filter;
};
/* Encodes what was added (at least one row) and empties the builder.  The views live until the
 * next add.  Metadata that is no canonical encoding is kept as it is. */
void chunk_builder_finish(struct chunk_builder *b, struct chunk_encoded *ret);

/* ---- decode ---- */

/* All lines of a chunk: line i is p[start[i] .. start[i + 1] - 1), its \n left out. */
struct chunk_lines {
    const char *p;
    size_t len;            /* raw_bytes; 64 readable bytes follow */
    const uint32_t *start; /* rows + 1 */
    uint32_t rows;
};
static inline struct str_view chunk_line(const struct chunk_lines *l, uint32_t row)
{
    return (struct str_view){l->p + l->start[row], l->start[row + 1] - l->start[row] - 1};
}

/* Bytes that passed, for the stats of a query. */
struct chunk_counts {
    uint64_t n_chunks;                        /* chunk_decoder_set calls */
    uint64_t read_bytes[CHUNK_N_SECTIONS];    /* stored bytes read and checked */
    uint64_t decoded_bytes[CHUNK_N_SECTIONS]; /* what they decoded to */
};

/* Where a decoder gets stored bytes: `at` counts from the start of the part.  Fills all of `to`
 * or fails. */
struct chunk_source {
    void *ctx;
    int (*pread)(void *ctx, void *to, size_t len, uint64_t at, struct err *err);
};

struct chunk_decoder;
struct chunk_decoder *chunk_decoder_new(void);
void chunk_decoder_free(struct chunk_decoder *d); /* NULL is fine */
/* Turns to another chunk: everything handed out before is invalid, and what is handed out from now
 * on lives until the next call of this.  Reads nothing yet.  meta is copied and was checked. */
void chunk_decoder_set(struct chunk_decoder *d, const struct chunk_source *source,
                       const struct chunk_meta *meta);
/* Fetches sections ahead in as few reads as there are gaps; the calls below fetch what is
 * missing. */
int chunk_decoder_load(struct chunk_decoder *d, unsigned section_bits, struct err *err);
/* One time for each row, in the order of rows, which is not that of times across streams. */
int chunk_decoder_ts(struct chunk_decoder *d, const int64_t **ret_ts_ns, struct err *err);
/* Row starts alone (LEN): rows + 1 of them; length of row i = start[i + 1] - start[i] - 1. */
int chunk_decoder_starts(struct chunk_decoder *d, const uint32_t **ret, struct err *err);
int chunk_decoder_lines(struct chunk_decoder *d, struct chunk_lines *ret, struct err *err);
/* No metadata: n_keys == 0 and not opaque. */
int chunk_decoder_sm_header(struct chunk_decoder *d, const struct sm_header **ret, struct err *err);
/* One key's column; ret->values == NULL when no row has it.  Opaque metadata is split as well. */
int chunk_decoder_sm_column(struct chunk_decoder *d, struct str_view name, struct sm_column *ret,
                            struct err *err);
/* All metadata, for chunk_decoder_sm_row. */
int chunk_decoder_sm_all(struct chunk_decoder *d, struct err *err);
/* After chunk_decoder_sm_all: appends the row's encoded labels; nothing for a row without. */
void chunk_decoder_sm_row(struct chunk_decoder *d, uint32_t row, struct buf *out);
/* All rows at once, as entries; metadata views live as long as the rest. */
int chunk_decoder_entries(struct chunk_decoder *d, const struct entry **ret, struct err *err);
/* Adds to what it holds; the caller clears. */
struct chunk_counts *chunk_decoder_counts(struct chunk_decoder *d);
uint64_t chunk_decoder_mem_bytes(const struct chunk_decoder *d);
