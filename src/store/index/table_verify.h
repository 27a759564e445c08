/* SPDX-License-Identifier: Apache-2.0 */
/* table_verify.h - is the file of a table what a table's writer wrote?
 * Every page, every record, and all of them against each other: what passes answers every question
 * as the table did before it was damaged, or as it did some commits ago.  Whether it lists the
 * segments that it should is for who knows them (index.h).
 * Reads without LMDB and believes nothing; memory for the names of labels and one value.
 * 45 MB take a quarter of a second.
 * Threads: pure; nobody writes to the table meanwhile. */
#pragma once
#include "base/err.h"
#include "store/segment_info.h"

struct kv_file;

/* ERR_CORRUPT or ERR_UNSUPPORTED (another format): it is not, and why.  Any other failure: it could
 * not look.  `period`: whose table it must be; NULL: of any. */
int table_verify(const char *folder, const struct period *period, struct err *err);
int table_verify_file(struct kv_file *f, const struct period *period, struct err *err);
