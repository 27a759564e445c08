/* SPDX-License-Identifier: Apache-2.0 */
/* kv_sum.h - a checksum over the file of an LMDB environment, beside it in "<folder>/sum".
 * LMDB has no checksums of its own.  An environment is sealed by one when nobody writes to it, and
 * the seal is broken, durably, before the next write: so where there is a sum, the file is as it
 * was when it was sealed, or damaged.  Without a sum nothing is known.  Bytes: docs/formats.md.
 * Threads: pure; nobody writes to the environment meanwhile. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

enum kv_sum {
    KV_SUM_GOOD, /* the file is as it was */
    KV_SUM_NONE, /* there is none, or none that can be read: the file may be good */
    KV_SUM_BAD,  /* the file is not what was sealed */
};

/* Reads the whole file.  < 0: it could not be read, or (ERR_CORRUPT) it is no environment. */
int kv_sum_write(const char *folder, struct err *err);
/* Durable when it returns 0; also where there is none. */
int kv_sum_break(const char *folder, struct err *err);
/* *ret: GOOD or NONE with 0.  BAD: ERR_CORRUPT, and the text says so.  Other failures: it could not
 * look, and *ret is NONE. */
int kv_sum_check(const char *folder, enum kv_sum *ret, struct err *err);
