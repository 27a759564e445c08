/* SPDX-License-Identifier: Apache-2.0 */
#include "shim_paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim_log.h"

/* ---- which descriptors ---- */

enum { MAX_FDS = 1 << 16 };
static struct shim_fd fds[MAX_FDS];

void shim_fd_path(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
}

/* Below the root: the path from there; else NULL. */
static const char *below_root(const char *path)
{
    size_t n = strlen(shim_root());
    if (strncmp(path, shim_root(), n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return path[n] ? path + n + 1 : ".";
}

struct shim_fd shim_fd_watch(int fd, int flags)
{
    struct stat st;
    if (fd >= MAX_FDS || fstat(fd, &st) != 0)
        abort();
    fds[fd] = (struct shim_fd){.state = SHIM_FD_WATCHED,
                               .dsync = (flags & O_DSYNC) != 0,
                               .append = (flags & O_APPEND) != 0,
                               .is_dir = S_ISDIR(st.st_mode),
                               .ino = st.st_ino};
    return fds[fd];
}

bool shim_fd_is_watched(int fd, struct shim_fd *ret)
{
    if (!shim_on() || fd < 0 || fd >= MAX_FDS || fds[fd].state == SHIM_FD_OTHER)
        return false;
    if (fds[fd].state == SHIM_FD_UNKNOWN) {
        char path[PATH_MAX];
        shim_fd_path(fd, path);
        if (!below_root(path)) {
            fds[fd].state = SHIM_FD_OTHER;
            return false;
        }
        shim_fd_watch(fd, fcntl(fd, F_GETFL));
    }
    *ret = fds[fd];
    return true;
}

void shim_fd_forget(int fd)
{
    if (fd >= 0 && fd < MAX_FDS)
        fds[fd] = (struct shim_fd){0};
}

/* ---- which paths ---- */

const char *shim_path(int dir_fd, const char *path, char room[PATH_MAX])
{
    if (!shim_on() || !path || strlen(path) >= PATH_MAX / 2)
        return NULL;
    char full[PATH_MAX], parent[PATH_MAX];
    full[0] = '\0';
    if (path[0] != '/' && dir_fd != AT_FDCWD)
        shim_fd_path(dir_fd, full);
    else if (path[0] != '/' && !getcwd(full, sizeof full))
        return NULL;
    size_t n = strlen(full);
    n += (size_t)snprintf(full + n, sizeof full - n, "/%s", path);
    while (n > 1 && full[n - 1] == '/')
        full[--n] = '\0';
    char *slash = strrchr(full, '/');
    *slash = '\0';
    if (!realpath(slash == full ? "/" : full, parent))
        return NULL;
    if ((size_t)snprintf(room, PATH_MAX, "%s/%s", parent, slash + 1) >= PATH_MAX)
        return NULL;
    return below_root(room);
}

uint64_t shim_path_ino(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}
