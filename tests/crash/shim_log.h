/* SPDX-License-Identifier: Apache-2.0 */
/* shim_log.h - what the shim tells the harness, and what the harness tells the shim.
 * The log is one record per operation that succeeded, in the order in which they took effect: each
 * operation but a sync runs and is recorded under one lock.  A sync records the number of the last
 * operation when it began: that is what it covers.  power_loss.py reads these bytes.
 * Threads: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum shim_op {
    SHIM_START = 1,   /* a process begins; a = its pid */
    SHIM_CREATE,      /* path -> ino: a new, empty file */
    SHIM_MKDIR,       /* path -> ino */
    SHIM_WRITE,       /* ino, a = offset, b = bytes; the data follow unless all of them are zero */
    SHIM_TRUNCATE,    /* ino, a = size */
    SHIM_ALLOCATE,    /* ino, a = size it has at least */
    SHIM_RENAME,      /* path -> path2 */
    SHIM_LINK,        /* path2 is one more name of ino */
    SHIM_UNLINK,      /* path */
    SHIM_RMDIR,       /* path */
    SHIM_SYNC,        /* ino, a = last operation covered, b = 1: that one alone (O_DSYNC) */
    SHIM_SYNC_FAILED, /* ino, a = last operation whose fate is open for ever */
};

/* Little-endian, packed by hand: 56 bytes, then path, path2, data. */
struct shim_record {
    uint32_t bytes; /* of all */
    uint16_t op, flags;
    uint64_t seq, ino, a, b;
    uint32_t path_bytes, path2_bytes, data_bytes, zero;
};
_Static_assert(sizeof(struct shim_record) == 56, "no holes: power_loss.py unpacks it");

/* Which calls a fault hits. */
enum shim_fault {
    SHIM_FAULT_WRITE = 1,
    SHIM_FAULT_SYNC = 2,
    SHIM_FAULT_RENAME = 4,
    SHIM_FAULT_CREATE = 8, /* files and folders */
    SHIM_FAULT_UNLINK = 16,
    SHIM_FAULT_ALLOCATE = 32, /* and truncate */
    SHIM_FAULT_SYNC_DIR = 64,
};
enum shim_kill { SHIM_KILL_AFTER, SHIM_KILL_BEFORE, SHIM_KILL_HALF /* of a write */ };

/* A file that both map; it outlives the process, so numbers go on after a restart. */
struct shim_control {
    _Atomic uint64_t seq;     /* of the newest record */
    _Atomic uint64_t kill_at; /* the process ends by SIGKILL at this operation; 0: never */
    _Atomic uint32_t kill_how;
    _Atomic uint32_t fault_ops; /* 0: none */
    _Atomic int32_t fault_errno;
    _Atomic uint32_t fault_short; /* share of a write in percent that is done before it fails */
    _Atomic int64_t fault_skip;   /* calls to let pass first */
    _Atomic int64_t fault_count;  /* calls to fail, then no more */
    _Atomic uint64_t fault_hits;  /* calls failed so far */
    _Atomic uint32_t sync_delay_us;
    _Atomic uint32_t sync_lies;          /* syncs do nothing and say they did */
    _Atomic uint32_t disk_used_permille; /* what statvfs says; 0: the truth */
    /* With SHIM_KILL_AFTER: at the first one of this kind from kill_at on; 0: of any. */
    _Atomic uint32_t kill_op;
    char fault_path[128]; /* only files whose path contains this */
};

/* False where this process is not watched. */
bool shim_on(void);
const char *shim_root(void);
struct shim_control *shim_control(void);

void shim_lock(void);
void shim_unlock(void);
/* All below: the lock is held. */
struct shim_entry {
    enum shim_op op;
    uint64_t ino, a, b;
    const char *path, *path2;
    const struct iovec *data;
    size_t data_bytes; /* of the iovec's begin; may be fewer than it holds */
};
void shim_record(const struct shim_entry *e);
/* Ends the process when the next operation is the one to die before. */
void shim_before(void);
/* True when the next operation dies with half of its write done. */
bool shim_dies_half(void);
/* True when this call is to fail: errno is set. */
bool shim_faulted(enum shim_fault op, const char *path);
