/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - the only place that touches files (LMDB's own aside).
 * Every call that can fail on a real disk asks the fault hook first, so tests inject short writes,
 * ENOSPC and failed syncs at each call in turn.  Calls restart on EINTR.  Results: 0 or a value,
 * or -errno with err filled ("open '/data/x': No space left on device").
 * Threads: any; a file descriptor's owner is the caller. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/err.h"

enum file_mode {
    FILE_READ,       /* must exist */
    FILE_WRITE,      /* must exist, read and write */
    FILE_CREATE,     /* read and write, created when missing */
    FILE_CREATE_NEW, /* read and write, must not exist */
    FILE_TRUNCATE,   /* read and write, created or emptied */
    FILE_APPEND,     /* created when missing, writes go to the end */
};
/* The descriptor (>= 0), close-on-exec.  A missing file is -ENOENT. */
int file_open(const char *path, enum file_mode mode, struct err *err);
/* No-op for fd < 0. */
void file_close(int fd);
/* Exactly buf_len bytes; a file that ends earlier is ERR_CORRUPT. */
int file_pread_all(int fd, void *to, size_t len, uint64_t at, struct err *err);
/* Up to len bytes, 0 at the end of the file. */
int64_t file_pread(int fd, void *to, size_t len, uint64_t at, struct err *err);
int file_write_all(int fd, struct str_view data, struct err *err);
int file_pwrite_all(int fd, struct str_view data, uint64_t at, struct err *err);
/* Changes iov while it works. */
int file_pwritev_all(int fd, struct iovec *iov, int n_iov, uint64_t at, struct err *err);
int file_fdatasync(int fd, struct err *err);
int file_fsync(int fd, struct err *err);
/* Makes names created, renamed or removed in that folder durable. */
int file_fsync_dir(const char *path, struct err *err);
int file_truncate(int fd, uint64_t len, struct err *err);
/* Reserves disk space and grows the file to at + len; a file system that cannot is no failure
 * unless the disk is full. */
int file_fallocate(int fd, uint64_t at, uint64_t len, struct err *err);
int file_size(int fd, uint64_t *ret, struct err *err);
int file_rename(const char *from, const char *to, struct err *err);
int file_link(const char *from, const char *to, struct err *err); /* hard link; -EEXIST */
/* A missing file is no failure. */
int file_unlink(const char *path, struct err *err);
int file_rmdir(const char *path, struct err *err); /* must be empty */
int file_remove_tree(const char *path, struct err *err);
/* Parents too, 0750.  The names it makes, and the last one in any case, are durable. */
int file_mkdirs(const char *path, struct err *err);
bool file_exists(const char *path);
struct file_info {
    uint64_t bytes;
    int64_t mtime_ns;
    bool is_dir;
};
int file_stat(const char *path, struct file_info *ret, struct err *err);
/* Exclusive advisory lock, held until the descriptor closes; -EWOULDBLOCK when taken. */
int file_lock(int fd, struct err *err);
/* Appends the whole file to ret; over max_bytes it is ERR_TOO_LARGE. */
int file_read_whole(const char *path, uint64_t max_bytes, struct buf *ret, struct err *err);
/* Write to "<path>.tmp", sync, rename, sync the folder: old or new, never between. */
int file_write_atomic(const char *path, struct str_view data, struct err *err);
/* fn(ctx, name, is_dir) for each entry but . and .., in name order; its first nonzero result ends
 * the walk and is returned. */
typedef int file_list_fn(void *ctx, const char *name, bool is_dir, struct err *err);
int file_list_dir(const char *path, file_list_fn *fn, void *ctx, struct err *err);
struct disk_space {
    uint64_t total_bytes, free_bytes; /* free to us, not to root alone */
};
int file_disk_space(const char *path, struct disk_space *ret, struct err *err);

/* Faults, for tests.  The hook is asked before each call; what it returns is done instead. */
enum file_op {
    FILE_OP_OPEN,
    FILE_OP_READ,
    FILE_OP_WRITE,
    FILE_OP_SYNC,
    FILE_OP_SYNC_DIR,
    FILE_OP_TRUNCATE,
    FILE_OP_ALLOCATE,
    FILE_OP_RENAME,
    FILE_OP_UNLINK,
    FILE_OP_MKDIR,
    FILE_OP_LIST,
    FILE_OP_STAT,
};
struct file_fault {
    int errnum;         /* 0: the call goes on; else it fails with this errno */
    size_t short_bytes; /* writes only, with errnum: so many bytes are written before it fails */
};
typedef struct file_fault file_fault_fn(void *ctx, enum file_op op, const char *path_or_null,
                                        int fd_or_minus);
void file_fault_set(file_fault_fn *fn, void *ctx); /* NULL: none */
/* Sets errno and says true when the hook wants this call to fail. */
bool file_faulted(enum file_op op, const char *path_or_null, int fd_or_minus);
