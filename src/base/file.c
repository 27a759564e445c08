/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static _Atomic(file_fault_fn *) fault_fn;
static _Atomic(void *) fault_ctx;

void file_fault_set(file_fault_fn *fn, void *ctx)
{
    atomic_store(&fault_ctx, ctx);
    atomic_store(&fault_fn, fn);
}

static struct file_fault ask(enum file_op op, const char *path, int fd)
{
    file_fault_fn *fn = atomic_load(&fault_fn);
    return fn ? fn(atomic_load(&fault_ctx), op, path, fd) : (struct file_fault){0};
}

bool file_faulted(enum file_op op, const char *path, int fd)
{
    struct file_fault f = ask(op, path, fd);
    if (f.errnum)
        errno = f.errnum;
    return f.errnum != 0;
}

static int fail_path(struct err *err, const char *what, const char *path)
{
    int e = errno;
    return err_set(err, -e, "%s '%s': %s", what, path, strerror(e));
}

/* Errors on a descriptor name the file, which costs a readlink only when something failed. */
static void path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
}

static int fail_fd(struct err *err, const char *what, int fd)
{
    int e = errno;
    char path[PATH_MAX];
    path_of(fd, path);
    return err_set(err, -e, "%s '%s': %s", what, path, strerror(e));
}

int file_open(const char *path, enum file_mode mode, struct err *err)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_WRITE] = O_RDWR,
        [FILE_CREATE] = O_RDWR | O_CREAT,
        [FILE_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_TRUNCATE] = O_RDWR | O_CREAT | O_TRUNC,
        [FILE_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
    };
    if (file_faulted(FILE_OP_OPEN, path, -1))
        return fail_path(err, "open", path);
    int fd;
    do
        fd = open(path, flags[mode] | O_CLOEXEC, 0640);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? fail_path(err, "open", path) : fd;
}

void file_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int64_t file_pread(int fd, void *to, size_t len, uint64_t at, struct err *err)
{
    if (file_faulted(FILE_OP_READ, NULL, fd))
        return fail_fd(err, "read", fd);
    ssize_t r;
    do
        r = pread(fd, to, len, (off_t)at);
    while (r < 0 && errno == EINTR);
    return r < 0 ? fail_fd(err, "read", fd) : r;
}

int file_pread_all(int fd, void *to, size_t len, uint64_t at, struct err *err)
{
    char *p = to;
    while (len > 0) {
        int64_t r = file_pread(fd, p, len, at, err);
        if (r < 0)
            return (int)r;
        if (r == 0) {
            char path[PATH_MAX];
            path_of(fd, path);
            return err_set(err, ERR_CORRUPT, "'%s' ends %zu bytes early, at %llu", path, len,
                           (unsigned long long)at);
        }
        p += r;
        at += (uint64_t)r;
        len -= (size_t)r;
    }
    return 0;
}

/* One write through the hook: as many bytes as went out, or -1 with errno. */
static ssize_t write_some(int fd, const struct iovec *iov, int n_iov, int64_t at)
{
    struct file_fault f = ask(FILE_OP_WRITE, NULL, fd);
    struct iovec cut = iov[0];
    if (f.errnum && f.short_bytes > 0 && f.short_bytes < cut.iov_len) {
        cut.iov_len = f.short_bytes;
        ssize_t unused = at < 0 ? writev(fd, &cut, 1) : pwritev(fd, &cut, 1, (off_t)at);
        (void)unused; /* the fault decides, whatever became of the piece */
    }
    if (f.errnum) {
        errno = f.errnum;
        return -1;
    }
    ssize_t r;
    do
        r = at < 0 ? writev(fd, iov, n_iov) : pwritev(fd, iov, n_iov, (off_t)at);
    while (r < 0 && errno == EINTR);
    return r;
}

static int write_iov(int fd, struct iovec *iov, int n_iov, int64_t at, struct err *err)
{
    while (n_iov > 0) {
        if (iov[0].iov_len == 0) {
            iov++;
            n_iov--;
            continue;
        }
        ssize_t r = write_some(fd, iov, n_iov < IOV_MAX ? n_iov : IOV_MAX, at);
        if (r < 0)
            return fail_fd(err, "write", fd);
        if (at >= 0)
            at += r;
        for (size_t left = (size_t)r; left > 0;) {
            size_t step = left < iov[0].iov_len ? left : iov[0].iov_len;
            iov[0].iov_base = (char *)iov[0].iov_base + step;
            iov[0].iov_len -= step;
            left -= step;
            if (iov[0].iov_len == 0) {
                iov++;
                n_iov--;
            }
        }
    }
    return 0;
}

static struct iovec iov_of(struct str_view data)
{
    struct iovec iov = {.iov_len = data.len};
    memcpy(&iov.iov_base, &data.p, sizeof data.p); /* the system call does not write there */
    return iov;
}

int file_write_all(int fd, struct str_view data, struct err *err)
{
    struct iovec iov = iov_of(data);
    return write_iov(fd, &iov, 1, -1, err);
}

int file_pwrite_all(int fd, struct str_view data, uint64_t at, struct err *err)
{
    struct iovec iov = iov_of(data);
    return write_iov(fd, &iov, 1, (int64_t)at, err);
}

int file_pwritev_all(int fd, struct iovec *iov, int n_iov, uint64_t at, struct err *err)
{
    return write_iov(fd, iov, n_iov, (int64_t)at, err);
}

int file_fdatasync(int fd, struct err *err)
{
    if (file_faulted(FILE_OP_SYNC, NULL, fd) || fdatasync(fd) != 0)
        return fail_fd(err, "sync", fd);
    return 0;
}

int file_fsync(int fd, struct err *err)
{
    if (file_faulted(FILE_OP_SYNC, NULL, fd) || fsync(fd) != 0)
        return fail_fd(err, "sync", fd);
    return 0;
}

int file_fsync_dir(const char *path, struct err *err)
{
    if (file_faulted(FILE_OP_SYNC_DIR, path, -1))
        return fail_path(err, "sync folder", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_path(err, "open folder", path);
    int r = fsync(fd) == 0 ? 0 : fail_path(err, "sync folder", path);
    close(fd);
    return r;
}

int file_truncate(int fd, uint64_t len, struct err *err)
{
    if (file_faulted(FILE_OP_TRUNCATE, NULL, fd) || ftruncate(fd, (off_t)len) != 0)
        return fail_fd(err, "truncate", fd);
    return 0;
}

int file_fallocate(int fd, uint64_t at, uint64_t len, struct err *err)
{
    if (file_faulted(FILE_OP_ALLOCATE, NULL, fd))
        return fail_fd(err, "allocate", fd);
    int r;
    do
        r = fallocate(fd, 0, (off_t)at, (off_t)len);
    while (r != 0 && errno == EINTR);
    if (r == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return fail_fd(err, "allocate", fd);
    uint64_t size;
    r = file_size(fd, &size, err);
    return r < 0 || size >= at + len ? r : file_truncate(fd, at + len, err);
}

int file_size(int fd, uint64_t *ret, struct err *err)
{
    struct stat st;
    if (file_faulted(FILE_OP_STAT, NULL, fd) || fstat(fd, &st) != 0)
        return fail_fd(err, "stat", fd);
    *ret = (uint64_t)st.st_size;
    return 0;
}

int file_lock(int fd, struct err *err)
{
    int r;
    do
        r = flock(fd, LOCK_EX | LOCK_NB);
    while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : fail_fd(err, "lock", fd);
}

int file_rename(const char *from, const char *to, struct err *err)
{
    if (file_faulted(FILE_OP_RENAME, to, -1) || rename(from, to) != 0) {
        int e = errno;
        return err_set(err, -e, "rename '%s' to '%s': %s", from, to, strerror(e));
    }
    return 0;
}

int file_link(const char *from, const char *to, struct err *err)
{
    if (file_faulted(FILE_OP_RENAME, to, -1) || link(from, to) != 0) {
        int e = errno;
        return err_set(err, -e, "link '%s' to '%s': %s", from, to, strerror(e));
    }
    return 0;
}

int file_unlink(const char *path, struct err *err)
{
    if (file_faulted(FILE_OP_UNLINK, path, -1) || (unlink(path) != 0 && errno != ENOENT))
        return fail_path(err, "unlink", path);
    return 0;
}

int file_rmdir(const char *path, struct err *err)
{
    if (file_faulted(FILE_OP_UNLINK, path, -1) || rmdir(path) != 0)
        return fail_path(err, "remove folder", path);
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_stat(const char *path, struct file_info *ret, struct err *err)
{
    struct stat st;
    if (file_faulted(FILE_OP_STAT, path, -1) || stat(path, &st) != 0)
        return fail_path(err, "stat", path);
    *ret = (struct file_info){
        .bytes = (uint64_t)st.st_size,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .is_dir = S_ISDIR(st.st_mode),
    };
    return 0;
}

int file_disk_space(const char *path, struct disk_space *ret, struct err *err)
{
    struct statvfs st;
    if (file_faulted(FILE_OP_STAT, path, -1) || statvfs(path, &st) != 0)
        return fail_path(err, "measure the disk of", path);
    ret->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    ret->free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}
