/* SPDX-License-Identifier: Apache-2.0 */
/* substr.h - finding a byte string in a big text: the hot scan of line filters.
 * Reads nothing outside the haystack.  Uses AVX2 where the machine has it.
 * Threads: a needle is immutable after substr_init and may be shared. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str_view.h"

enum substr_case {
    SUBSTR_EXACT,
    SUBSTR_FOLD, /* ASCII letters compare without case; other bytes as they are */
};

struct substr_needle {
    const char *p; /* owned; lower case with SUBSTR_FOLD */
    size_t len;
    enum substr_case how;
    size_t at1, at2;  /* offsets of its two rarest bytes, at1 <= at2 */
    uint8_t b1, b2;   /* those bytes */
    uint8_t or1, or2; /* what to OR into text bytes before comparing: 0x20 for folded letters */
};

/* Copies the bytes. */
void substr_init(struct substr_needle *n, struct str_view bytes, enum substr_case how);
void substr_deinit(struct substr_needle *n);
/* Offset of the first occurrence at or after `from`, or SIZE_MAX.  The empty needle is at `from`
 * when from <= len. */
size_t substr_find(const struct substr_needle *n, struct str_view haystack, size_t from);
/* The same without vector instructions: for tests. */
size_t substr_find_portable(const struct substr_needle *n, struct str_view haystack, size_t from);
