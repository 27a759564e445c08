/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - how nodes send each other what a read finds: a row of frames, each of which can be
 * checked and used alone; the last one says that the others were all.
 * Promise: what frame_put_*() wrote, frame_read() and the readers of payloads give back; what they
 * cannot take is ERR_CORRUPT, another version ERR_UNSUPPORTED.  A list takes at most 14 times the
 * bytes that it came in.
 * Ownership: what is read borrows the bytes; lists lie in the arena.  Pure. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "model/entry.h"

enum {
    FRAME_HEADER_BYTES = 12,
    FRAME_GOAL_BYTES = 64 << 10,               /* who has more to send begins another frame */
    FRAME_MAX_BYTES = (64 << 20) + (64 << 10), /* of a payload: a push at its largest, as one row */
    FRAME_HASH_BYTES = 16,
};

enum frame_kind { FRAME_STREAMS = 1, FRAME_ROWS = 2, FRAME_END = 3 };

/* A stream that has rows. */
struct frame_stream {
    uint32_t number; /* by which rows name it; rises from stream to stream */
    uint8_t hash[FRAME_HASH_BYTES];
    struct str_view labels;       /* encoded (model/labels.h) */
    int64_t min_ts_ns, max_ts_ns; /* of its rows, both included */
    uint64_t n_rows;
};
struct frame_streams {
    struct frame_stream *v;
    size_t n;
};

/* Rows of one stream, their times rising; metadata is encoded, in whatever order it came. */
struct frame_rows {
    uint32_t stream;
    struct entry *v;
    size_t n; /* at least 1 */
};

/* How it ended.  Without it, or with other sums, something is missing. */
struct frame_end {
    uint64_t n_streams, n_rows; /* in all frames before */
    int64_t result;             /* 0, or the code of the failure */
    struct str_view text;       /* of the failure */
};

/* Each appends a frame.  n > 0, and the payload stays within FRAME_MAX_BYTES: the caller has cut
 * what it sends. */
void frame_put_streams(struct buf *out, const struct frame_stream *v, size_t n);
void frame_put_rows(struct buf *out, uint32_t stream, const struct entry *v, size_t n);
void frame_put_end(struct buf *out, const struct frame_end *end);

struct frame {
    enum frame_kind kind;
    struct str_view payload;
};
enum frame_outcome {
    FRAME_OK = 0,
    FRAME_E_MORE = 1, /* the bytes end within a frame: come again with more of them */
};
/* The frame at the beginning of *in, which moves behind it. */
int frame_read(struct str_view *in, struct frame *ret, struct err *err);

int frame_read_streams(struct str_view payload, struct arena *a, struct frame_streams *ret,
                       struct err *err);
int frame_read_rows(struct str_view payload, struct arena *a, struct frame_rows *ret,
                    struct err *err);
int frame_read_end(struct str_view payload, struct frame_end *ret, struct err *err);
