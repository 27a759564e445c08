/* SPDX-License-Identifier: Apache-2.0 */
/* segment_file.h - a segment as an object of one of two stores: opened to be read, or written once.
 * Promise: a segment appears in its store whole or not at all; once segment_file_commit() returned
 * 0 it survives power loss.  That it exists says nothing of whether it lives: the catalog does.
 * Threads: a draft belongs to one thread; an open file may be read from many. */
#pragma once
#include "base/err.h"
#include "base/str_view.h"
#include "chunk/segment.h"
#include "store/segment_info.h"

struct object_reader; /* store/object/object.h */
struct object_store;
struct object_writer;

/* Borrowed by whoever is given them; the one who opened them frees them. */
struct stores {
    struct object_store *local;   /* PLACE_LOCAL: of this node alone */
    struct object_store *objects; /* PLACE_OBJECT */
};
struct object_store *stores_of(const struct stores *s, enum segment_place place); /* borrowed */
/* Frees both (NULL is fine); no reader or draft may be open. */
void stores_free(struct stores *s);

/* ---- reading ---- */

struct segment_file {
    struct segment *segment; /* reads through `reader`: header, parts and coverage are in memory */
    struct object_reader *reader;
};
/* Reads and checks header and footer.  ERR_NOT_FOUND when there is none, ERR_CORRUPT when it does
 * not check, ERR_UNSUPPORTED when a newer version wrote it.  After a failure nothing is open. */
int segment_file_open(struct segment_file *ret, const struct stores *stores,
                      enum segment_place place, struct str_view key, struct err *err);
/* Reads all of it; ERR_CORRUPT where a checksum does not hold. */
int segment_file_verify(const struct segment_file *f, struct err *err);
void segment_file_close(struct segment_file *f); /* a zeroed or closed one is fine */

/* ---- writing ---- */

/* Lets go of the memory that a large segment left in the writer. */
void segment_file_trim_writer(struct segment_writer **w);

/* A segment on its way into a store.  The caller sets all but the last two. */
struct segment_draft {
    enum segment_place place;
    struct str_view key; /* in that store; lives as long as the draft */
    struct segment_header header;
    uint64_t bytes;            /* of the file: for segment_writer_finish to set */
    struct object_writer *out; /* NULL: not open */
};
/* Begins it in w, which then takes its parts and is finished by the caller. */
int segment_file_create(struct segment_draft *d, const struct stores *stores,
                        struct segment_writer *w, struct err *err);
/* Of a finished one.  After a failure it may exist or not, but never in part. */
int segment_file_commit(struct segment_draft *d, struct err *err);
/* Nothing of it stays; one that was committed or never created is left as it is. */
void segment_file_abort(struct segment_draft *d);
