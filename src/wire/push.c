/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/push.h"

#include "wire/decompress.h"
#include "wire/push_build.h"

static int decompress(const struct push_body *body, uint64_t max_bytes,
                      const struct reserve *reserve, struct arena *a, struct str_view *ret,
                      struct err *err)
{
    int r = 0;
    /* A snappy block may be longer than its text, so the outer layer's bound is the block's: the
     * same body must pass again with the text's length as its limit. */
    uint64_t outer_bytes =
        body->format == PUSH_PROTOBUF ? snappy_max_block_bytes(max_bytes) : max_bytes;
    *ret = body->bytes;
    if (body->coding == PUSH_CODING_GZIP)
        r = decompress_gzip(*ret, outer_bytes, reserve, a, ret, err);
    else if (body->coding == PUSH_CODING_DEFLATE)
        r = decompress_deflate(*ret, outer_bytes, reserve, a, ret, err);
    else if (body->coding != PUSH_CODING_NONE)
        r = err_set(err, ERR_INVALID, "unknown coding %u of a push", body->coding);
    if (r == 0 && body->format == PUSH_PROTOBUF)
        r = decompress_snappy(*ret, max_bytes, reserve, a, ret, err);
    if (r == 0 && ret->len > max_bytes)
        r = err_set(err, ERR_TOO_LARGE, "message size too large than max (%zu vs %llu)", ret->len,
                    (unsigned long long)max_bytes);
    return r;
}

int push_decode(struct push_body *body, const struct push_policy *policy,
                uint64_t max_decoded_bytes, const struct reserve *reserve, struct arena *a,
                struct push_stream **ret, size_t *ret_n, struct err *err)
{
    struct str_view text;
    int r = decompress(body, max_decoded_bytes, reserve, a, &text, err);
    if (r < 0)
        return r;
    body->decoded_bytes = text.len;
    struct push_builder b CLEANUP(push_builder_deinit);
    push_builder_init(&b, a, policy, text.len, reserve, err);
    switch (body->format) {
    case PUSH_PROTOBUF:
        r = push_decode_proto(&b, text);
        break;
    case PUSH_JSON_V1:
    case PUSH_JSON_V0:
        r = push_decode_json(&b, text, body->format == PUSH_JSON_V0);
        break;
    default:
        r = err_set(err, ERR_INVALID, "unknown format %u of a push", body->format);
    }
    if (r == 0 && b.n_streams == 0)
        r = err_set(err, ERR_NO_STREAMS,
                    "error at least one valid stream is required for ingestion");
    if (r < 0)
        return r;
    *ret = arena_alloc(a, b.n_streams * sizeof **ret);
    memcpy(*ret, b.streams, b.n_streams * sizeof **ret);
    *ret_n = b.n_streams;
    return 0;
}
