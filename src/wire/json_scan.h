/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.h - a cursor over JSON text: slices, no tree.
 * Every step is bounded by the end of the text; a failure leaves the cursor where the text went
 * wrong.  Strings may hold any bytes (control characters and invalid UTF-8 pass as they are). */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/str_view.h"

enum { JSON_MAX_DEPTH = 256 };

struct json_scan {
    const char *p, *end;
};

static inline struct json_scan json_scan_of(struct str_view text)
{
    return (struct json_scan){text.p, text.p + text.len};
}

static inline void json_skip_blanks(struct json_scan *in)
{
    while (in->p < in->end && (*in->p == ' ' || *in->p == '\n' || *in->p == '\r' || *in->p == '\t'))
        in->p++;
}

/* The next byte after blanks, 0 at the end. */
static inline char json_peek(struct json_scan *in)
{
    json_skip_blanks(in);
    return in->p < in->end ? *in->p : 0;
}

/* Steps over `c` after blanks. */
static inline bool json_take(struct json_scan *in, char c)
{
    if (json_peek(in) != c || in->p == in->end)
        return false;
    in->p++;
    return true;
}

/* What stands between the quotes, escapes and all; *ret_escaped tells whether there are any. */
bool json_string(struct json_scan *in, struct str_view *ret, bool *ret_escaped);
/* The same, unescaped into the arena where needed.  False also for a malformed escape. */
bool json_text(struct json_scan *in, struct arena *a, struct str_view *ret);
/* Steps over one value of any kind; ret (may be NULL) gets its bytes.  Escapes inside its strings
 * are not looked at. */
bool json_skip_value(struct json_scan *in, struct str_view *ret);
/* After an item: true and *ret_more tells whether another one follows, closed by `close`. */
static inline bool json_next(struct json_scan *in, char close, bool *ret_more)
{
    *ret_more = json_take(in, ',');
    return *ret_more || json_take(in, close);
}
/* A member's name and the colon. */
static inline bool json_name(struct json_scan *in, struct arena *a, struct str_view *ret)
{
    return json_text(in, a, ret) && json_take(in, ':');
}
