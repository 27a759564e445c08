/* SPDX-License-Identifier: Apache-2.0 */
/* Times, numbers, uuids and UTF-8: what reads is written to a text that reads the same. */
#include <assert.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/rfc3339.h"
#include "base/utf8.h"
#include "base/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_time(struct str_view text)
{
    int64_t ns, back;
    char written[CLOCK_TEXT_BYTES];
    if (!rfc3339_parse(text, &ns))
        return;
    int n = clock_rfc3339(ns, written);
    bool ok = rfc3339_parse(sv(written, (size_t)n), &back);
    assert(ok && back == ns);
}

static void check_numbers(struct str_view text)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int64_t i, back;
    double v;
    if (sv_to_i64(text, &i)) {
        num_put_i64(&out, i);
        assert(sv_to_i64(buf_view(&out), &back) && back == i);
    }
    if (text.len < sizeof v)
        return;
    memcpy(&v, text.p, sizeof v);
    char digits[NUM_FLOAT_BYTES + 1];
    size_t n = num_float_text(v, digits);
    assert(n <= NUM_FLOAT_BYTES);
    digits[n] = '\0';
    assert(v != v || strtod(digits, NULL) == v);
}

static void check_uuid(struct str_view text)
{
    struct uuid u, back;
    char written[UUID_TEXT_BYTES];
    if (!uuid_parse(text, &u))
        return;
    uuid_print(u, written);
    assert(sv_eq_nocase(sv_of(written), text) && uuid_parse(sv_of(written), &back) &&
           uuid_eq(u, back));
}

static void check_utf8(struct str_view text)
{
    uint32_t c;
    char written[UTF8_MAX_BYTES];
    for (size_t n; text.len > 0; text = sv_from(text, n ? n : 1)) {
        n = utf8_decode(text, &c);
        assert(n <= text.len);
        if (n > 0)
            assert(utf8_encode(c, written) == n && memcmp(written, text.p, n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view text = sv((const char *)data, len);
    check_time(text);
    check_numbers(text);
    check_uuid(text);
    check_utf8(text);
    return 0;
}
