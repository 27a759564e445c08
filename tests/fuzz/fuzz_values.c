/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: a number, a duration that parses prints to a text that parses to the same; a byte
 * size written as a literal is read alike where both notations know it. */
#include <assert.h>
#include <math.h>

#include "base/num.h"
#include "base/values.h"

static void check_number(struct str_view text)
{
    double v, back;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    if (number_parse(text, &v, NULL) < 0 || !isfinite(v))
        return;
    num_put_float(&out, v);
    assert(number_parse(buf_view(&out), &back, NULL) == 0 && back == v);
}

static void check_durations(struct str_view text)
{
    int64_t ns, back;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    if (duration_parse_go(text, &ns, NULL) == 0) {
        buf_put_duration_go(&out, ns);
        assert(duration_parse_go(buf_view(&out), &back, NULL) == 0 && back == ns);
    }
    buf_clear(&out);
    if (duration_parse_prom(text, &ns, NULL) == 0) {
        assert(ns >= 0);
        buf_put_duration_prom(&out, ns);
        assert(duration_parse_prom(buf_view(&out), &back, NULL) == 0 && back == ns);
    }
}

static void check_bytes(struct str_view text)
{
    uint64_t literal, value;
    struct err err = ERR_INIT;
    bool is_literal = bytesize_parse_literal(text, &literal);
    int r = bytesize_parse(text, &value, &err);
    assert(r == 0 || err.text[0]);
    if (is_literal && r == 0)
        assert(literal == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view text = sv((const char *)data, len);
    check_number(text);
    check_durations(text);
    check_bytes(text);
    return 0;
}
