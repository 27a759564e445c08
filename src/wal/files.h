/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the files of the WAL's folder: which are in use, which may be used again.
 * Promise: wal_files_take() returns a file of full size whose name is durable.
 * Threads: the caller's lock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "model/lsn_set.h"
#include "wal/format.h"

struct wal_file {
    uint32_t number;  /* its name: "00000012.wal" */
    uint64_t epoch;   /* of its current use; 0: free */
    uint64_t end_lsn; /* of that use, excluded; UINT64_MAX while it is written */
    uint64_t bytes;
    uint64_t prev_end_lsn;    /* of the file before it, as its header told at open; 0: not known */
    struct uuid installation; /* likewise; all zero: not known */
};
struct wal_files {
    const char *folder; /* owned */
    uint64_t file_bytes;
    struct wal_file *v; /* in no order */
    size_t n, cap;
    uint32_t next_number;
};

enum { WAL_MAX_FREE_FILES = 4, WAL_PATH_BYTES = 4096 };

/* Lists the folder, made when missing, with the epoch of each file.  All names are durable.
 * ERR_UNSUPPORTED: a newer version wrote there.  wal_files_deinit() in any case. */
int wal_files_open(struct wal_files *fs, const char *folder, uint64_t file_bytes, struct err *err);
void wal_files_deinit(struct wal_files *fs);
/* A free file, made when there is none; opened for writing. */
int wal_files_take(struct wal_files *fs, uint64_t epoch, uint32_t *ret_number, int *ret_fd,
                   struct err *err);
/* No more is written to it; it grew to `bytes`. */
void wal_files_ended(struct wal_files *fs, uint32_t number, uint64_t bytes);
/* Frees the files of which everything is covered, removing what is too much. */
void wal_files_covered(struct wal_files *fs, const struct lsn_set *covered);
uint64_t wal_files_bytes_in_use(const struct wal_files *fs); /* of files with an epoch */
/* "<folder>/<number>.wal", ended by NUL. */
void wal_file_path(const struct wal_files *fs, uint32_t number, char out[WAL_PATH_BYTES]);
