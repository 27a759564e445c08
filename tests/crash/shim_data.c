/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes, sizes and syncs of watched files.  Syncs are recorded and not executed: what they promise
 * is replayed from the log, so a test does not wait for this machine's disk. */
#include "shim_real.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shim_log.h"
#include "shim_paths.h"

/* ---- data ---- */

typedef ssize_t pwritev_fn(int fd, const struct iovec *iov, int n, off_t at);

/* As much of the iovec as `bytes` says, written at `at`. */
static ssize_t write_part(int fd, const struct iovec *iov, int n, size_t bytes, off_t at)
{
    static pwritev_fn *real;
    if (!real)
        real = (pwritev_fn *)dlsym(RTLD_NEXT, "pwritev");
    struct iovec cut[IOV_MAX];
    int k = 0;
    for (; k < n && bytes > 0; k++) {
        cut[k] = iov[k];
        cut[k].iov_len = iov[k].iov_len < bytes ? iov[k].iov_len : bytes;
        bytes -= cut[k].iov_len;
    }
    return real(fd, cut, k, at);
}

static void record_write(const struct shim_fd *w, const struct iovec *iov, size_t bytes, off_t at)
{
    shim_record(&(struct shim_entry){.op = SHIM_WRITE,
                                     .ino = w->ino,
                                     .a = (uint64_t)at,
                                     .b = bytes,
                                     .data = iov,
                                     .data_bytes = bytes});
    if (w->dsync && !shim_control()->sync_lies)
        shim_record(
            &(struct shim_entry){.op = SHIM_SYNC, .ino = w->ino, .a = shim_control()->seq, .b = 1});
}

static ssize_t watched_write_at(int fd, const struct shim_fd *w, const struct iovec *iov, int n,
                                off_t at)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    char path[PATH_MAX];
    shim_fd_path(fd, path);
    shim_before();
    bool fails = shim_faulted(SHIM_FAULT_WRITE, path);
    int why = errno;
    if (fails)
        bytes = bytes * shim_control()->fault_short / 100;
    if (shim_dies_half())
        bytes /= 2;
    ssize_t r = bytes ? write_part(fd, iov, n, bytes, at) : 0;
    if (r > 0)
        record_write(w, iov, (size_t)r, at);
    if (fails && r <= 0) {
        errno = why;
        return -1;
    }
    return r; /* short, and the caller's next call fails: as a full disk does it */
}

/* at < 0: at the descriptor's own place, which moves. */
static ssize_t watched_write(int fd, const struct shim_fd *w, const struct iovec *iov, int n,
                             off_t at)
{
    shim_lock();
    bool moves = at < 0;
    if (moves)
        at = lseek(fd, 0, w->append ? SEEK_END : SEEK_CUR);
    ssize_t r = watched_write_at(fd, w, iov, n, at);
    if (moves && r > 0)
        lseek(fd, at + r, SEEK_SET);
    shim_unlock();
    return r;
}

static ssize_t watched_write_one(int fd, const struct shim_fd *w, const void *p, size_t len,
                                 off_t at)
{
    struct iovec iov = {.iov_len = len};
    memcpy(&iov.iov_base, &p, sizeof p);
    return watched_write(fd, w, &iov, 1, at);
}

EXPORT ssize_t write(int fd, const void *p, size_t len)
{
    REAL(write);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_write_one(fd, &w, p, len, -1) : real(fd, p, len);
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t len, off_t at)
{
    REAL(pwrite);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_write_one(fd, &w, p, len, at)
                                      : real(fd, p, len, at);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
    REAL(writev);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_write(fd, &w, iov, n, -1) : real(fd, iov, n);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    REAL(pwritev);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_write(fd, &w, iov, n, at) : real(fd, iov, n, at);
}

/* ---- sizes ---- */

static int resize(int fd, const struct shim_fd *w, enum shim_op op, off_t size,
                  int (*change)(int fd, off_t size))
{
    char path[PATH_MAX];
    shim_fd_path(fd, path);
    shim_lock();
    shim_before();
    int r = shim_faulted(SHIM_FAULT_ALLOCATE, path) ? -1 : change(fd, size);
    if (r == 0)
        shim_record(&(struct shim_entry){.op = op, .ino = w->ino, .a = (uint64_t)size});
    shim_unlock();
    return r;
}

static int real_ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    return real(fd, size);
}

static int real_allocate(int fd, off_t size)
{
    static int (*real)(int, int, off_t, off_t);
    if (!real)
        real = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, "fallocate");
    return real(fd, 0, 0, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? resize(fd, &w, SHIM_TRUNCATE, size, real_ftruncate)
                                      : real_ftruncate(fd, size);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t len)
{
    REAL(fallocate);
    struct shim_fd w;
    if (!shim_fd_is_watched(fd, &w))
        return real(fd, mode, at, len);
    if (mode != 0)
        abort(); /* holes and the like have no record */
    return resize(fd, &w, SHIM_ALLOCATE, at + len, real_allocate);
}

EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    return fallocate(fd, 0, at, len) == 0 ? 0 : errno;
}

/* ---- syncs ---- */

static void wait_as_disks_do(void)
{
    uint32_t us = shim_control()->sync_delay_us;
    struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};
    if (us)
        nanosleep(&t, NULL);
}

static int watched_sync(int fd, const struct shim_fd *w)
{
    char path[PATH_MAX];
    shim_fd_path(fd, path);
    shim_lock();
    shim_before();
    uint64_t covered = shim_control()->seq;
    bool fails = shim_faulted(w->is_dir ? SHIM_FAULT_SYNC_DIR : SHIM_FAULT_SYNC, path);
    int why = errno;
    shim_unlock();
    wait_as_disks_do();
    shim_lock();
    if (!shim_control()->sync_lies)
        shim_record(&(struct shim_entry){
            .op = fails ? SHIM_SYNC_FAILED : SHIM_SYNC, .ino = w->ino, .a = covered});
    shim_unlock();
    errno = why;
    return fails ? -1 : 0;
}

EXPORT int fsync(int fd)
{
    REAL(fsync);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_sync(fd, &w) : real(fd);
}

EXPORT int fdatasync(int fd)
{
    REAL(fdatasync);
    struct shim_fd w;
    return shim_fd_is_watched(fd, &w) ? watched_sync(fd, &w) : real(fd);
}

EXPORT int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
    REAL(sync_file_range);
    return real(fd, at, len, flags); /* it promises nothing after power loss: no record */
}

/* LMDB maps its data to read it; a file that is changed through a map would escape the record.  Its
 * lock file is such a one, but says nothing to whoever starts after a crash. */
EXPORT void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    REAL(mmap);
    struct shim_fd w;
    if (fd >= 0 && (prot & PROT_WRITE) && (flags & MAP_SHARED) && shim_fd_is_watched(fd, &w)) {
        char path[PATH_MAX];
        shim_fd_path(fd, path);
        if (!strstr(path, "/lock.mdb"))
            abort();
    }
    return real(at, len, prot, flags, fd, offset);
}

SAME(pwrite64, pwrite);
SAME(pwritev64, pwritev);
SAME(ftruncate64, ftruncate);
SAME(fallocate64, fallocate);
SAME(posix_fallocate64, posix_fallocate);
SAME(mmap64, mmap);
