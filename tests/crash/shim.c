/* SPDX-License-Identifier: Apache-2.0 */
/* The preloaded library: calls that change files below CRASH_SHIM_FOLDER are recorded, may be made
 * to fail, and may end the process (shim_log.h).  All other files and descriptors pass untouched.
 * Here: opening and names; shim_data.c: bytes and syncs. */
#include "shim_real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shim_log.h"
#include "shim_paths.h"

/* ---- opening ---- */

typedef int openat_fn(int dir_fd, const char *path, int flags, ...);

static int watched_open(openat_fn *real, int dir_fd, const char *path, const char *rel, int flags,
                        mode_t mode)
{
    struct stat st = {0};
    bool was_there = fstatat(dir_fd, path, &st, 0) == 0;
    shim_before();
    if (!was_there && (flags & O_CREAT) && shim_faulted(SHIM_FAULT_CREATE, rel))
        return -1;
    int fd = real(dir_fd, path, flags & ~O_SYNC, mode);
    if (fd < 0)
        return fd;
    struct shim_fd w = shim_fd_watch(fd, flags);
    if (!was_there)
        shim_record(&(struct shim_entry){.op = SHIM_CREATE, .path = rel, .ino = w.ino});
    else if ((flags & O_TRUNC) && st.st_size > 0)
        shim_record(&(struct shim_entry){.op = SHIM_TRUNCATE, .ino = w.ino});
    return fd;
}

static int any_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    static openat_fn *real;
    if (!real)
        real = (openat_fn *)dlsym(RTLD_NEXT, "openat");
    char room[PATH_MAX];
    const char *rel = shim_path(dir_fd, path, room);
    if (!rel) {
        int fd = real(dir_fd, path, flags, mode);
        shim_fd_forget(fd);
        return fd;
    }
    if ((flags & O_TMPFILE) == O_TMPFILE)
        abort(); /* no name to record */
    shim_lock();
    int fd = watched_open(real, dir_fd, path, rel, flags, mode);
    shim_unlock();
    return fd;
}

#define MODE_ARGUMENT(flags, mode)                                                                 \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, mode_t);                                                               \
        va_end(args);                                                                              \
    }

EXPORT int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return any_openat(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dir_fd, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return any_openat(dir_fd, path, flags, mode);
}

EXPORT int creat(const char *path, mode_t mode)
{
    return any_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int __open_2(const char *path, int flags); /* what fortified callers call */
EXPORT int __open_2(const char *path, int flags)
{
    return any_openat(AT_FDCWD, path, flags, 0);
}

SAME(open64, open);
SAME(openat64, openat);
SAME(creat64, creat);
int __open64_2(const char *path, int flags);
SAME(__open64_2, __open_2);

EXPORT int close(int fd)
{
    REAL(close);
    shim_fd_forget(fd);
    return real(fd);
}

EXPORT int dup2(int from, int to)
{
    REAL(dup2);
    shim_fd_forget(to);
    return real(from, to);
}

/* ---- names ---- */

EXPORT int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    REAL(mkdirat);
    char room[PATH_MAX];
    const char *rel = shim_path(dir_fd, path, room);
    if (!rel)
        return real(dir_fd, path, mode);
    shim_lock();
    shim_before();
    int r = shim_faulted(SHIM_FAULT_CREATE, rel) ? -1 : real(dir_fd, path, mode);
    if (r == 0)
        shim_record(&(struct shim_entry){
            .op = SHIM_MKDIR, .path = rel, .ino = shim_path_ino(dir_fd, path)});
    shim_unlock();
    return r;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int unlinkat(int dir_fd, const char *path, int flags)
{
    REAL(unlinkat);
    char room[PATH_MAX];
    const char *rel = shim_path(dir_fd, path, room);
    if (!rel)
        return real(dir_fd, path, flags);
    shim_lock();
    shim_before();
    int r = shim_faulted(SHIM_FAULT_UNLINK, rel) ? -1 : real(dir_fd, path, flags);
    if (r == 0)
        shim_record(&(struct shim_entry){.op = flags & AT_REMOVEDIR ? SHIM_RMDIR : SHIM_UNLINK,
                                         .path = rel});
    shim_unlock();
    return r;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    REAL(renameat);
    char from_room[PATH_MAX], to_room[PATH_MAX];
    const char *rel_from = shim_path(from_fd, from, from_room);
    const char *rel_to = shim_path(to_fd, to, to_room);
    if (!rel_from && !rel_to)
        return real(from_fd, from, to_fd, to);
    if (!rel_from || !rel_to)
        abort(); /* half of it would be recorded */
    shim_lock();
    shim_before();
    int r = shim_faulted(SHIM_FAULT_RENAME, rel_to) ? -1 : real(from_fd, from, to_fd, to);
    if (r == 0)
        shim_record(&(struct shim_entry){.op = SHIM_RENAME, .path = rel_from, .path2 = rel_to});
    shim_unlock();
    return r;
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    REAL(linkat);
    char room[PATH_MAX];
    const char *rel = shim_path(to_fd, to, room);
    if (!rel)
        return real(from_fd, from, to_fd, to, flags);
    shim_lock();
    shim_before();
    int r = shim_faulted(SHIM_FAULT_RENAME, rel) ? -1 : real(from_fd, from, to_fd, to, flags);
    if (r == 0)
        shim_record(
            &(struct shim_entry){.op = SHIM_LINK, .path2 = rel, .ino = shim_path_ino(to_fd, to)});
    shim_unlock();
    return r;
}

EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- room ---- */

EXPORT int statvfs(const char *path, struct statvfs *ret)
{
    REAL(statvfs);
    int r = real(path, ret);
    if (r == 0 && shim_on() && shim_control()->disk_used_permille) {
        uint64_t used = shim_control()->disk_used_permille;
        ret->f_bavail = ret->f_blocks / 1000 * (1000 - (used < 1000 ? used : 1000));
    }
    return r;
}

EXPORT int statvfs64(const char *path, struct statvfs64 *ret)
{
    _Static_assert(sizeof(struct statvfs64) == sizeof(struct statvfs), "the same struct");
    return statvfs(path, (struct statvfs *)ret);
}
