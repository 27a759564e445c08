/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the questions of push_diff.py with src/wire.  A question is a line: format (1, 2 or 3 as
 * in wire/push.h), coding, body in hex.  The answer is a line of JSON: null where the push is
 * refused, else [[labels, [[ts, line, metadata]...]]...].  Text that is not UTF-8 would differ:
 * none is asked. */
#include <stdio.h>

#include "base/num.h"
#include "wire/answer.h"
#include "wire/push.h"

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void put_stream(struct buf *out, const struct push_stream *s)
{
    buf_put_u8(out, '[');
    json_put_labels(out, s->set);
    buf_put(out, SV(",["));
    for (size_t i = 0; i < s->n_entries; i++) {
        const struct entry *e = &s->entries[i].e;
        buf_put(out, i ? SV(",[") : SV("["));
        num_put_i64(out, e->ts_ns);
        buf_put_u8(out, ',');
        json_put_string(out, e->line);
        buf_put_u8(out, ',');
        json_put_labels_encoded(out, e->sm);
        buf_put_u8(out, ']');
    }
    buf_put(out, SV("]]"));
}

static void answer(char *line, ssize_t len, const struct push_policy *policy)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT, out = BUF_INIT;
    struct push_body b = {.format = (uint8_t)(line[0] - '0'), .coding = (uint8_t)(line[1] - '0')};
    for (ssize_t i = 2; i + 1 < len && line[i] > ' '; i += 2)
        buf_put_u8(&body, (uint8_t)(hex_digit(line[i]) << 4 | hex_digit(line[i + 1])));
    b.bytes = buf_view(&body);
    struct push_stream *streams;
    size_t n;
    struct err err = ERR_INIT;
    if (push_decode(&b, policy, 1 << 28, NULL, &a, &streams, &n, &err) < 0) {
        printf("null\n");
        return;
    }
    buf_put_u8(&out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_put_u8(&out, ',');
        put_stream(&out, &streams[i]);
    }
    buf_put(&out, SV("]\n"));
    fwrite(out.p, 1, out.len, stdout);
}

int main(void)
{
    const struct push_policy policy = {.allow_structured_metadata = true};
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 2;)
        answer(line, len, &policy);
    free(line);
    return 0;
}
