/* SPDX-License-Identifier: Apache-2.0 */
/* push.h - request bodies to streams: decompress, decode, normalise.
 * Promise: the result is a function of (body, policy, PUSH_DECODER_VERSION) alone: no clock, no
 * limits outside the policy, so a body in the WAL decodes again to the same ordinals and bytes.
 * Outside bytes: sizes meet max_decoded_bytes and `reserve` before they are allocated, and what is
 * allocated beside the decoded body is bounded by a multiple of it, whatever the limits are.
 * Threads: pure; any thread with its own arena.  A policy is read-only once made. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/reserve.h"
#include "model/limits.h"
#include "model/push.h"

/* Raised when the same body and policy would decode to something else. */
enum { PUSH_DECODER_VERSION = 1 };

/* Values are part of the WAL's format. */
enum push_format {
    PUSH_JSON_V1 = 1,  /* /loki/api/v1/push, application/json */
    PUSH_JSON_V0 = 2,  /* /api/prom/push, application/json */
    PUSH_PROTOBUF = 3, /* snappy block of a PushRequest */
};
enum push_coding { PUSH_CODING_NONE = 0, PUSH_CODING_GZIP = 1, PUSH_CODING_DEFLATE = 2 };

/* What normalisation depends on.  Lists are in order of preference.  Made by one of the two
 * functions below. */
struct push_names {
    const struct str_view *v;
    size_t n;
};
struct push_generic_field {
    struct str_view name;
    struct push_names fields;
    struct level_names *line_names; /* made from fields */
};
struct push_policy {
    struct push_names discover_service_name; /* empty: off */
    bool discover_log_levels;
    bool allow_structured_metadata;
    bool increment_duplicate_timestamp;
    bool truncate_lines;     /* to max_line_bytes, truncate_suffix included */
    uint64_t max_line_bytes; /* 0: none */
    struct str_view truncate_suffix;
    struct push_names log_level_fields;
    uint32_t log_level_json_depth;
    const struct push_generic_field *generic_fields;
    size_t n_generic_fields;
    struct level_names *level_names; /* made from log_level_fields */
};
/* Borrows the limits' strings; arrays in the arena. */
void push_policy_of_limits(const struct limits *l, struct arena *a, struct push_policy *ret);
void push_policy_encode(struct buf *out, const struct push_policy *p);
/* Borrows `encoded`; arrays in the arena. */
int push_policy_decode(struct str_view encoded, struct arena *a, struct push_policy *ret,
                       struct err *err);

/* The encoding matrix: headers as received (p == NULL when absent), legacy for /api/prom/push. */
int push_content_type(struct str_view content_type, struct str_view content_encoding, bool legacy,
                      uint8_t *ret_format, uint8_t *ret_coding, struct err *err);

/* Sets body->decoded_bytes also when it fails after decompression.  Streams borrow body->bytes,
 * policy and arena.  reserve (may be NULL) is asked for memory before it is taken; only small
 * change is not.  Errors: ERR_INVALID (400), ERR_NO_STREAMS (422), ERR_TOO_LARGE (413),
 * ERR_UNAVAILABLE (503, reserve said no). */
int push_decode(struct push_body *body, const struct push_policy *policy,
                uint64_t max_decoded_bytes, const struct reserve *reserve, struct arena *a,
                struct push_stream **ret, size_t *ret_n, struct err *err);
