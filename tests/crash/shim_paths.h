/* SPDX-License-Identifier: Apache-2.0 */
/* shim_paths.h - which descriptors and paths the shim watches: what lies below its root.
 * Threads: any; a descriptor's entry is written by who opens or closes it. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum shim_fd_state { SHIM_FD_UNKNOWN, SHIM_FD_OTHER, SHIM_FD_WATCHED };
struct shim_fd {
    unsigned char state;
    bool dsync, append, is_dir;
    uint64_t ino;
};

/* Just opened, with these flags, below the root. */
struct shim_fd shim_fd_watch(int fd, int flags);
/* Closed, or opened elsewhere. */
void shim_fd_forget(int fd);
/* A descriptor that came some other way (inherited, opened inside libc) is looked up by its path.
 */
bool shim_fd_is_watched(int fd, struct shim_fd *ret);
void shim_fd_path(int fd, char ret[PATH_MAX]);

/* The path below the root ("." for the root), or NULL when it is elsewhere; `room` holds it. */
const char *shim_path(int dir_fd, const char *path, char room[PATH_MAX]);
uint64_t shim_path_ino(int dir_fd, const char *path);
