/* SPDX-License-Identifier: Apache-2.0 */
/* labels.h - a sorted set of name=value pairs: a stream's identity, or an entry's structured
 * metadata.  Views: they borrow.  Invariant of a stream's set: sorted by name bytewise, names
 * unique, values not empty.  Metadata: sorted by name, unique, values not empty.
 * Encoded form (WAL, head, segments, index): varint count, then per pair varint-length name and
 * value; it is canonical, so equal sets have equal bytes. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str_view.h"

struct label {
    struct str_view name, value;
};

struct labels {
    const struct label *v;
    size_t n;
};

enum {
    LABELS_MAX_PAIRS = 4096,      /* of any encoded set: decoders refuse more */
    LABELS_MAX_BYTES = 16u << 20, /* of any encoded set */
};

/* XXH64 (seed 0) of the encoded pairs, without their count: the stream's hash, part of the format.
 * It orders entries of one time in different streams; the recorded answers of Loki agree. */
uint64_t labels_hash_encoded(struct str_view encoded);
int labels_cmp(struct labels a, struct labels b); /* name, value pairwise; shorter first */
/* Empty view with p == NULL when absent. */
struct str_view labels_get(struct labels l, struct str_view name);
/* Sorts in place by name, keeping the order of equal names; ret_duplicate (may be NULL) gets the
 * first repeated name. */
void labels_sort(struct label *v, size_t n, struct str_view *ret_duplicate);

void labels_encode(struct buf *out, struct labels l);
/* Views into `encoded`, array in the arena.  Checks bounds, order and uniqueness. */
int labels_decode(struct arena *a, struct str_view encoded, struct labels *ret, struct err *err);
/* {a="b", c="d"} with Go quoting. */
void labels_print(struct buf *out, struct labels l);

/* [A-Za-z_][A-Za-z0-9_]*: what LogQL can name. */
bool labels_is_name(struct str_view name);

/* Push label text `{a="b", c=`d`}`: sorts, drops empty values; duplicates are kept so that the
 * caller can name them.  Names may be quoted, but must be names.  ERR_INVALID with Loki's text on a
 * syntax error. */
int labels_parse(struct arena *a, struct str_view text, struct label **ret, size_t *ret_n,
                 struct err *err);
