/* SPDX-License-Identifier: Apache-2.0 */
/* tz.h - time zones of the system's zone database (TZif, RFC 8536), read once and kept.
 * Threads: any. */
#pragma once
#include <stdint.h>

#include "base/str_view.h"

struct tz;
/* "Europe/Oslo"; NULL when unknown or when the file is no zone table; at most 1,000 are kept. */
const struct tz *tz_find(struct str_view name);
const struct tz *tz_local(void); /* $TZ or /etc/localtime; NULL is UTC */
/* What holds at that instant; abbreviation is cut to 7 bytes and a NUL. */
void tz_at(const struct tz *tz, int64_t unix_s, int32_t *ret_offset_s, char ret_abbreviation[8]);
