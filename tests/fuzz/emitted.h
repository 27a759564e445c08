/* SPDX-License-Identifier: Apache-2.0 */
/* emitted.h - what the line parsers may hand over: label names, and values that are UTF-8. */
#pragma once
#include <assert.h>

#include "base/bytes.h"
#include "lines/emit.h"
#include "regex/unicode.h"

enum { MAX_EMITTED = 4096 };

struct emitted {
    struct str_view names[MAX_EMITTED], values[MAX_EMITTED];
    size_t n, stop_after; /* 0: never */
};

static inline bool is_utf8(struct str_view v)
{
    for (size_t i = 0; i < v.len;) {
        uint32_t rune;
        unsigned width = rune_decode(v.p + i, v.len - i, &rune);
        if (rune == RUNE_BAD)
            return false;
        i += width;
    }
    return true;
}

static inline bool collect_emitted(void *ctx, struct str_view name, struct str_view value)
{
    struct emitted *e = ctx;
    assert(e->stop_after == 0 || e->n < e->stop_after);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool digit = c >= '0' && c <= '9', letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        assert(c == '_' || letter || (digit && i > 0));
    }
    bool number = value.len && (value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9'));
    assert(number || is_utf8(value)); /* numbers in JSON stay as written, whatever they hold */
    if (e->n == MAX_EMITTED)
        return false;
    e->names[e->n] = name;
    e->values[e->n] = value;
    return ++e->n != e->stop_after;
}

/* Whether `a` is how `b` begins. */
static inline void assert_prefix(const struct emitted *a, const struct emitted *b)
{
    assert(a->n <= b->n);
    for (size_t i = 0; i < a->n; i++)
        assert(sv_eq(a->names[i], b->names[i]) && sv_eq(a->values[i], b->values[i]));
}
