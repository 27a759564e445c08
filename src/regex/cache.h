/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - regexes that are named line by line (template functions) are compiled once.
 * The process keeps the last 64 patterns.  Threads: any. */
#pragma once
#include "regex/regex.h"

/* As regex_compile; the reference in *ret is the caller's. */
int regex_cached(struct regex **ret, struct str_view pattern, enum regex_mode mode,
                 struct err *err);
