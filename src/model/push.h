/* SPDX-License-Identifier: Apache-2.0 */
/* push.h - a decoded push: streams and their entries, and the body they came from.
 * What the decoder (wire/push.h) makes, the distributor judges and the ingester keeps.  Streams and
 * entries keep their place even when they are refused, so that (stream, entry) ordinals mean the
 * same when the body is decoded again.  Views borrow the body or the arena of the decoding. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/entry.h"
#include "model/labels.h"

struct limits; /* model/limits.h */

struct push_entry {
    struct entry e;        /* normalised: line cut, metadata renamed, detected_level added */
    uint32_t sm_raw_bytes; /* names and values as sent, detected_level not counted: for limits */
    uint16_t sm_raw_pairs; /* as sent; saturates */
    bool rejected;         /* set by whoever refuses it: the distributor, then the ingester */
    bool truncated;        /* the line was longer than the policy lets it be */
};

/* An entry whose time does not fit 64 bits of nanoseconds, or that came without one. */
#define PUSH_TS_TOO_OLD INT64_MIN
#define PUSH_TS_TOO_NEW INT64_MAX

struct push_stream {
    struct str_view labels;   /* encoded (model/labels.h); empty when the set is not valid */
    uint64_t hash;            /* labels_hash_encoded(labels) */
    struct labels set;        /* the same, sorted; with repeated names where the sender had them */
    bool has_duplicate_names; /* never a stream: the validation refuses it */
    bool service_name_added;  /* by the decoder: not counted against the limit of names */
    bool rejected;            /* the whole stream: its entries count as rejected */
    struct push_entry *entries;
    size_t n_entries;
    /* Filled by the ingester: 0, 400 or 429, and Loki's text for it (arena of the batch). */
    int status;
    struct str_view text;
};

/* Whether any entry of it is to be kept. */
static inline bool push_stream_has_accepted(const struct push_stream *s)
{
    for (size_t i = 0; i < s->n_entries && !s->rejected; i++)
        if (!s->entries[i].rejected)
            return true;
    return false;
}

/* The request body as it came, with all that decoding it again needs; bytes.p == NULL: none (the
 * canonical record is written). */
struct push_body {
    struct str_view bytes;  /* on the wire, still encoded */
    uint8_t format, coding; /* enum push_format, enum push_coding (wire/push.h) */
    struct str_view policy; /* encoded struct push_policy (wire/push.h) */
    uint64_t decoded_bytes; /* set by push_decode(): over 8 MiB goes canonical and split */
};

/* What one request brings for one tenant. */
struct push_batch {
    struct str_view tenant;
    const struct limits *limits; /* the tenant's, of the moment the request came */
    struct push_stream *streams;
    size_t n_streams;
    struct push_body body;
    int64_t received_ns;
    struct arena *arena; /* for texts; lives until done */
};
