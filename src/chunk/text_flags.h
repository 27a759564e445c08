/* SPDX-License-Identifier: Apache-2.0 */
/* text_flags.h - what is worth knowing of a chunk's line blob, found in one pass.
 * Threads: pure. */
#pragma once
#include <stdint.h>

#include "base/str_view.h"

/* enum chunk_flag bits; `blob` holds `rows` lines, each ended by \n. */
uint16_t text_flags(struct str_view blob, uint32_t rows);
