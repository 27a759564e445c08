/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of the calls by which LMDB writes: the test's own definitions come before the C
 * library's.  Include in one file of a program.
 * Threads: arm and count from one. */
#pragma once
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The n-th call from now on fails, counted from 0; after it every call for `then_all`. */
static struct lmdb_faults {
    _Atomic bool armed;
    _Atomic int left;
    _Atomic bool then_all;
    _Atomic int n_failed;
    _Atomic int errnum;
} lmdb_faults;

static inline void lmdb_faults_arm(int nth, int errnum, bool then_all)
{
    atomic_store(&lmdb_faults.left, nth);
    atomic_store(&lmdb_faults.errnum, errnum);
    atomic_store(&lmdb_faults.then_all, then_all);
    atomic_store(&lmdb_faults.n_failed, 0);
    atomic_store(&lmdb_faults.armed, true);
}

/* How many failed. */
static inline int lmdb_faults_disarm(void)
{
    atomic_store(&lmdb_faults.armed, false);
    return atomic_load(&lmdb_faults.n_failed);
}

static inline bool lmdb_call_fails(void)
{
    if (!atomic_load(&lmdb_faults.armed))
        return false;
    int left = atomic_fetch_sub(&lmdb_faults.left, 1);
    if (left > 0 || (left < 0 && !atomic_load(&lmdb_faults.then_all)))
        return false;
    atomic_fetch_add(&lmdb_faults.n_failed, 1);
    errno = atomic_load(&lmdb_faults.errnum);
    return true;
}

/* By symbol, not by name: headers may have other ideas of these names. */
ssize_t lmdb_pwrite(int fd, const void *p, size_t n, off_t at) __asm__("pwrite");
ssize_t lmdb_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return lmdb_call_fails() ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t lmdb_writev(int fd, const struct iovec *v, int n) __asm__("writev");
ssize_t lmdb_writev(int fd, const struct iovec *v, int n)
{
    return lmdb_call_fails() ? -1 : syscall(SYS_writev, fd, v, n);
}

int lmdb_fdatasync(int fd) __asm__("fdatasync");
int lmdb_fdatasync(int fd)
{
    return lmdb_call_fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}
