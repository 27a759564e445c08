/* SPDX-License-Identifier: Apache-2.0 */
/* go_quote.h - text as Go's %q prints it, what clients of Loki see in errors and label sets; and
 * the escapes of Go's string literals, which queries, label sets and templates share.  Pure. */
#pragma once
#include "base/bytes.h"
#include "base/str_view.h"

/* With quotes around it, as Go's strconv.Quote. */
void go_quote(struct buf *out, struct str_view text);

/* The escape that `text` begins with, its backslash left out, in a literal that `quote` ends: \n,
 * \x41, \101, \u00e9, \U0001f600, the quote itself.  Returns how long it is in `text`, 0 where it
 * is malformed.  What it stands for is in out[0 .. *ret_n), never more bytes than the escape has;
 * *ret_n is 0 where its number is no byte, or no code point. */
enum { GO_ESCAPE_BYTES = 4 };
size_t go_unescape(struct str_view text, char quote, char out[GO_ESCAPE_BYTES], size_t *ret_n);
