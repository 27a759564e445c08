/* SPDX-License-Identifier: Apache-2.0 */
/* complaints.h - what was wrong with a push: each text once, with how often it came.
 * Bounded: after COMPLAINTS_MAX different texts further ones are only counted, so a push of a
 * million bad entries costs no more than one of a hundred.
 * Threads: one at a time. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"

enum { COMPLAINTS_MAX = 64 };

struct complaints {
    struct arena *arena;
    struct str_view texts[COMPLAINTS_MAX];
    uint64_t counts[COMPLAINTS_MAX];
    size_t n;
    uint64_t n_total, n_untold;
};

/* False when there is no room for another text: do not bother to make one. */
bool complaints_want_text(struct complaints *c);
void complaints_add(struct complaints *c, struct str_view text);
/* Counts one without a text. */
void complaints_add_untold(struct complaints *c);
/* One complaint alone: its text.  More: "2 errors like: a; 1 errors like: b". */
void complaints_print(struct buf *out, const struct complaints *c);
