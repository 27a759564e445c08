/* SPDX-License-Identifier: Apache-2.0 */
/* fmt.h - one number or text under one verb, as Go's fmt prints it; private to this
 * folder.
 * Bounded: a width or precision that would carry the text past its limit sets `over` and writes
 * nothing; the caller asks for `over` in the end.
 * Results: false when the verb does not go with the value; nothing is written then. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct fmt_spec {
    bool minus, plus, zero, space, sharp;
    bool plus_v, sharp_v; /* of %+v and %#v: flags of their own, the plain ones are off then */
    bool has_width, has_precision;
    int width, precision;
    uint32_t verb;
};

struct fmt_out {
    struct buf *text;
    size_t limit; /* of text->len */
    bool over;
};

/* Padded to the width. */
void fmt_pad(struct fmt_out *out, const struct fmt_spec *sp, struct str_view text);
/* Whether n more bytes stay within the limit; `over` otherwise. */
bool fmt_fits(struct fmt_out *out, size_t n);

bool fmt_integer(struct fmt_out *out, const struct fmt_spec *sp, int64_t i);
/* Go's uint8: %#v of it is hexadecimal. */
bool fmt_octet(struct fmt_out *out, const struct fmt_spec *sp, uint8_t i);
bool fmt_float(struct fmt_out *out, const struct fmt_spec *sp, double f);
bool fmt_string(struct fmt_out *out, const struct fmt_spec *sp, struct str_view s);
