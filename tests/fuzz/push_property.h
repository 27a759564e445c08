/* SPDX-License-Identifier: Apache-2.0 */
/* push_property.h - what must hold of every body that a push decoder takes:
 * it decodes to the same again with its own length as the limit; it costs a bounded multiple of its
 * bytes; its content written as JSON decodes to the same content. */
#pragma once
#include <assert.h>

#include "base/num.h"
#include "wire/answer.h"
#include "wire/push.h"

enum { COST_RATIO = 64, COST_FREE_BYTES = 4 << 20, MAX_DECODED_BYTES = 16 << 20 };

/* Everything that a decoding yields, so that two can be compared. */
static inline void put_push(struct buf *out, const struct push_stream *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, v[i].labels);
        buf_put_varint(out, v[i].hash);
        buf_put_u8(out, v[i].has_duplicate_names | v[i].service_name_added << 1);
        for (size_t k = 0; k < v[i].set.n; k++) {
            buf_put_str(out, v[i].set.v[k].name);
            buf_put_str(out, v[i].set.v[k].value);
        }
        buf_put_varint(out, v[i].n_entries);
        for (size_t k = 0; k < v[i].n_entries; k++) {
            const struct push_entry *e = &v[i].entries[k];
            buf_put_le64(out, (uint64_t)e->e.ts_ns);
            buf_put_str(out, e->e.line);
            buf_put_str(out, e->e.sm);
            buf_put_varint(out, e->sm_raw_bytes);
            buf_put_varint(out, e->sm_raw_pairs);
            buf_put_u8(out, e->truncated);
        }
    }
}

/* The content as a v1 body; false when that shape cannot say it. */
static inline bool put_push_json(struct buf *out, const struct push_stream *v, size_t n)
{
    buf_put(out, SV("{\"streams\":["));
    for (size_t i = 0; i < n; i++) {
        if (v[i].has_duplicate_names)
            return false;
        buf_put(out, i ? SV(",{\"stream\":") : SV("{\"stream\":"));
        json_put_labels(out, v[i].set);
        buf_put(out, SV(",\"values\":["));
        for (size_t k = 0; k < v[i].n_entries; k++) {
            const struct entry *e = &v[i].entries[k].e;
            buf_put(out, k ? SV(",[\"") : SV("[\""));
            num_put_i64(out, e->ts_ns);
            buf_put(out, SV("\","));
            json_put_string(out, e->line);
            if (e->sm.len > 0) {
                buf_put_u8(out, ',');
                json_put_labels_encoded(out, e->sm);
            }
            buf_put_u8(out, ']');
        }
        buf_put(out, SV("]}"));
    }
    buf_put(out, SV("]}"));
    return true;
}

/* What the content decodes to once written as JSON. */
static inline bool through_json(const struct push_policy *policy, const struct push_stream *v,
                                size_t n, struct arena *a, struct push_stream **ret)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT;
    if (!put_push_json(&json, v, n))
        return false;
    struct push_body body = {.bytes = arena_copy(a, buf_view(&json)), .format = PUSH_JSON_V1};
    size_t n_ret;
    struct err err = ERR_INIT;
    int r = push_decode(&body, policy, json.len, NULL, a, ret, &n_ret, &err);
    assert(r == 0 && n_ret == n);
    return true;
}

/* Once all text is UTF-8, nothing changes any more; labels, times and metadata never do. */
static inline void check_json_round(const struct push_policy *policy, const struct push_stream *v,
                                    size_t n)
{
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct push_stream *one, *two;
    if (!through_json(policy, v, n, &a, &one))
        return;
    through_json(policy, one, n, &a, &two);
    put_push(&first, one, n);
    put_push(&second, two, n);
    assert(sv_eq(buf_view(&first), buf_view(&second)));
    for (size_t i = 0; i < n; i++) {
        assert(one[i].n_entries == v[i].n_entries && one[i].set.n == v[i].set.n);
        for (size_t k = 0; k < v[i].n_entries; k++)
            assert(one[i].entries[k].e.ts_ns == v[i].entries[k].e.ts_ns &&
                   sv_eq(one[i].entries[k].e.sm, v[i].entries[k].e.sm));
    }
}

static inline void check_push(uint8_t format, uint8_t coding, struct str_view bytes,
                              const struct push_policy *policy)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT, b = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, second = BUF_INIT;
    struct push_body body = {.bytes = bytes, .format = format, .coding = coding};
    struct push_stream *streams, *again;
    size_t n, n_again;
    struct err err = ERR_INIT;
    int r = push_decode(&body, policy, MAX_DECODED_BYTES, NULL, &a, &streams, &n, &err);
    assert(a.used_bytes <= (bytes.len + body.decoded_bytes) * COST_RATIO + COST_FREE_BYTES);
    if (r < 0) {
        assert(err.text[0] && err.code == r);
        return;
    }
    put_push(&first, streams, n);
    uint64_t decoded_bytes = body.decoded_bytes;
    r = push_decode(&body, policy, decoded_bytes, NULL, &b, &again, &n_again, &err);
    assert(r == 0 && body.decoded_bytes == decoded_bytes);
    put_push(&second, again, n_again);
    assert(sv_eq(buf_view(&first), buf_view(&second)));
    if (!policy->discover_log_levels) /* what is added to a line would be added again */
        check_json_round(policy, streams, n);
}

/* Two to choose from: nothing added, and Loki's defaults with everything on. */
static inline void policy_of_byte(uint8_t choice, struct arena *a, struct push_policy *ret)
{
    *ret = (struct push_policy){.allow_structured_metadata = true};
    if (choice & 1) {
        struct limits *l = ARENA_NEW(a, struct limits);
        limits_set_defaults(l, a);
        push_policy_of_limits(l, a, ret);
        ret->increment_duplicate_timestamp = choice & 2;
        ret->truncate_lines = choice & 4;
        ret->max_line_bytes = 20;
        ret->truncate_suffix = choice & 8 ? SV("...") : SV_EMPTY;
    }
}
