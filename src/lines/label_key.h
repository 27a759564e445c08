/* SPDX-License-Identifier: Apache-2.0 */
/* label_key.h - keys found in lines, made fit to be label names. */
#pragma once
#include "base/arena.h"
#include "base/str_view.h"

/* Blanks at the ends are cut, each character outside [A-Za-z0-9_] becomes one `_`, and a leading
 * digit gets `_` before it.  A view of the key itself where nothing changes but the cut. */
struct str_view label_key_sanitise(struct arena *a, struct str_view key);
/* The bytes that `key` (already cut) takes when appended to a name, written to out (which has room
 * for key.len + 1); `first` where nothing stands before it. */
size_t label_key_put(char *out, struct str_view key, bool first);
/* Invalid UTF-8 bytes and U+FFFD become one blank each; the text itself where it has neither. */
struct str_view label_value_clean(struct arena *a, struct str_view text);
