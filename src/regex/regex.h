/* SPDX-License-Identifier: Apache-2.0 */
/* regex.h - regular expressions with exactly Go's syntax and meaning, in linear time.
 * Promise: verdicts, spans and error texts are those of Go's `regexp` (Perl flavour, leftmost
 * first); text may be any bytes (an invalid UTF-8 byte counts as one U+FFFD).  Matching takes time
 * linear in the text for every pattern; nothing is refused for its cost once it has compiled.
 * Offsets are bytes.
 * Threads: a struct regex is immutable and shared; a scratch belongs to one thread at a time and
 * serves any number of regexes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str_view.h"
#include "regex/literal.h"

struct regex;
struct regex_scratch;

enum regex_mode {
    REGEX_SEARCH,      /* RE anywhere in the text: line filters, `| regexp` */
    REGEX_FULL,        /* ^(?:RE)$, as label_replace; an error shows the wrapped text */
    REGEX_FULL_DOTALL, /* ^(?s:RE)$, for stream matchers; an error shows RE as given */
};

/* ERR_INVALID with Go's text, "error parsing regexp: missing closing ): `(`".  Copies pattern.
 * The regex comes with one reference. */
int regex_compile(struct regex **ret, struct str_view pattern, enum regex_mode mode,
                  struct err *err);
struct regex *regex_ref(struct regex *re);
void regex_unref(struct regex *re); /* NULL is fine */
/* As given to regex_compile; the bytes live as long as the regex. */
struct str_view regex_pattern(const struct regex *re);
/* Group 0 (the whole match) included. */
size_t regex_n_groups(const struct regex *re);
/* Empty for group 0 and unnamed groups. */
struct str_view regex_group_name(const struct regex *re, size_t group);
const struct regex_literals *regex_literals(const struct regex *re);
/* What it holds, for budgets: a short pattern may be a long program. */
size_t regex_mem_bytes(const struct regex *re);

/* Working memory: DFA caches of the regexes used last and NFA thread lists, a few MiB at most. */
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *scratch); /* NULL is fine */
/* Linear time may still be long: a huge regex on a huge text.  `stop` (NULL: never) is asked every
 * few milliseconds of such a search; once it says true, this search and all later ones with the
 * scratch find no match, until regex_scratch_set_stop is called again.  Who sets it asks the same
 * question before trusting an answer. */
typedef bool regex_stop_fn(void *ctx);
void regex_scratch_set_stop(struct regex_scratch *scratch, regex_stop_fn *stop, void *ctx);
/* The same question for work around the searches: `steps` of a few nanoseconds each count with
 * those of the searches.  True once stop said so. */
bool regex_scratch_must_stop(struct regex_scratch *scratch, size_t steps);
/* What it holds by now, for budgets. */
size_t regex_scratch_mem_bytes(const struct regex_scratch *scratch);

bool regex_matches(const struct regex *re, struct regex_scratch *scratch, struct str_view text);

/* The first match that begins at or after `from` (<= text.len); what stands before `from` is seen
 * by ^ and \b.  Group g spans [spans[2g], spans[2g+1]), both SIZE_MAX where it took no part.
 * Fills n_spans entries (even, at least 2; those past the last group are SIZE_MAX). */
bool regex_captures(const struct regex *re, struct regex_scratch *scratch, struct str_view text,
                    size_t from, size_t *spans, size_t n_spans);

/* Lines side by side in one text: line i begins at start[i] and ends before the \n at
 * start[i + 1] - 1; no \n stands inside. */
struct regex_lines {
    const char *p;
    const uint32_t *start; /* n + 1 */
    uint32_t n;
};
/* Sets bit i & 63 of found[i >> 6] for each line i whose bit is set in `wanted` and that matches as
 * a text of its own.  Clears `wanted`.  Several times faster than line by line. */
void regex_match_lines(const struct regex *re, struct regex_scratch *scratch,
                       const struct regex_lines *lines, uint64_t *wanted, uint64_t *found);

/* Appends `tmpl` with $1, $name, ${name} replaced by groups and $$ by $.  $1x names group "1x";
 * an unknown or absent group is empty; a malformed $ stays as it is.  `spans` as regex_captures
 * filled it for all groups. */
void regex_expand(struct buf *out, const struct regex *re, struct str_view tmpl,
                  struct str_view text, const size_t *spans);

enum regex_replace_mode { REGEX_REPLACE_EXPAND, REGEX_REPLACE_LITERAL };
/* Appends text with each match replaced.  Returns false, having appended a part, once `out` would
 * exceed max_len bytes. */
bool regex_replace_all(struct buf *out, const struct regex *re, struct regex_scratch *scratch,
                       struct str_view text, struct str_view tmpl, enum regex_replace_mode mode,
                       size_t max_len);
/* Number of non-overlapping matches. */
size_t regex_count(const struct regex *re, struct regex_scratch *scratch, struct str_view text);
/* Appends text with \ before each of \.+*?()|[]{}^$ . */
void regex_quote_meta(struct buf *out, struct str_view text);
