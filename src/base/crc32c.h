/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - the Castagnoli CRC of everything we store.  Pure; uses SSE4.2 where the CPU has it. */
#pragma once
#include <stdint.h>

#include "base/str_view.h"

uint32_t crc32c(struct str_view data);
/* crc32c_extend(crc32c(a), b) == crc32c(a followed by b); crc32c(empty) == 0. */
uint32_t crc32c_extend(uint32_t crc, struct str_view data);
/* The table walk that other CPUs use; for tests. */
uint32_t crc32c_extend_portable(uint32_t crc, struct str_view data);
