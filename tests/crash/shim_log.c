/* SPDX-License-Identifier: Apache-2.0 */
#include "shim_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_IOV = 1024, MIN_LOG_FD = 700 };

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct shim_control *control; /* fixed after the constructor, as all below */
static int log_fd = -1;
static char root[PATH_MAX];

static void die(const char *what)
{
    char text[256];
    int n = snprintf(text, sizeof text, "crash shim: %s: %s\n", what, strerror(errno));
    syscall(SYS_write, STDERR_FILENO, text, (size_t)n);
    _exit(99);
}

bool shim_on(void)
{
    return control != NULL;
}

const char *shim_root(void)
{
    return root;
}

struct shim_control *shim_control(void)
{
    return control;
}

void shim_lock(void)
{
    pthread_mutex_lock(&mu);
}

void shim_unlock(void)
{
    pthread_mutex_unlock(&mu);
}

/* ---- the end of the process ---- */

/* The lock is held, so no other thread is between an operation and its record. */
static void end_process(void)
{
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

static bool next_dies(enum shim_kill how)
{
    return control->kill_at && control->kill_how == how && control->seq + 1 >= control->kill_at;
}

void shim_before(void)
{
    if (next_dies(SHIM_KILL_BEFORE))
        end_process();
}

bool shim_dies_half(void)
{
    return next_dies(SHIM_KILL_HALF);
}

/* ---- records ---- */

static bool all_zero(const struct iovec *iov, size_t n_bytes)
{
    for (size_t i = 0; n_bytes > 0; i++) {
        const char *p = iov[i].iov_base;
        size_t n = iov[i].iov_len < n_bytes ? iov[i].iov_len : n_bytes;
        if (n && (p[0] != 0 || memcmp(p, p + 1, n - 1) != 0))
            return false;
        n_bytes -= n;
    }
    return true;
}

static void put(struct iovec *out, size_t *n, const void *p, size_t len)
{
    if (len == 0)
        return;
    if (*n == MAX_IOV)
        die("a write of too many pieces");
    memcpy(&out[*n].iov_base, &p, sizeof p); /* only read from */
    out[(*n)++].iov_len = len;
}

static void put_data(struct iovec *out, size_t *n, const struct shim_entry *e, size_t left)
{
    for (size_t i = 0; left > 0; i++) {
        size_t len = e->data[i].iov_len < left ? e->data[i].iov_len : left;
        put(out, n, e->data[i].iov_base, len);
        left -= len;
    }
}

void shim_record(const struct shim_entry *e)
{
    size_t data_bytes = e->data && !all_zero(e->data, e->data_bytes) ? e->data_bytes : 0;
    size_t path_bytes = e->path ? strlen(e->path) : 0,
           path2_bytes = e->path2 ? strlen(e->path2) : 0;
    struct shim_record r = {.op = (uint16_t)e->op,
                            .seq = control->seq + 1,
                            .ino = e->ino,
                            .a = e->a,
                            .b = e->b,
                            .path_bytes = (uint32_t)path_bytes,
                            .path2_bytes = (uint32_t)path2_bytes,
                            .data_bytes = (uint32_t)data_bytes};
    size_t total = sizeof r + path_bytes + path2_bytes + data_bytes, n = 0;
    r.bytes = (uint32_t)total;
    struct iovec out[MAX_IOV];
    put(out, &n, &r, sizeof r);
    put(out, &n, e->path, path_bytes);
    put(out, &n, e->path2, path2_bytes);
    put_data(out, &n, e, data_bytes);
    if (syscall(SYS_writev, log_fd, out, n) != (long)total)
        die("write to the log");
    control->seq = r.seq;
    bool kind = control->kill_op == 0 || control->kill_op == r.op;
    if (control->kill_at && control->kill_how != SHIM_KILL_BEFORE && r.seq >= control->kill_at &&
        kind)
        end_process();
}

/* ---- faults ---- */

bool shim_faulted(enum shim_fault op, const char *path)
{
    if (!(control->fault_ops & (uint32_t)op) || control->fault_count <= 0)
        return false;
    if (control->fault_path[0] && !(path && strstr(path, control->fault_path)))
        return false;
    if (control->fault_skip > 0) {
        control->fault_skip--;
        return false;
    }
    control->fault_count--;
    control->fault_hits++;
    errno = control->fault_errno;
    return true;
}

/* ---- begin ---- */

static int open_high(const char *path, int flags)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        die(path);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, MIN_LOG_FD); /* out of the way of what counts them */
    syscall(SYS_close, fd);
    if (high < 0)
        die(path);
    return high;
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("CRASH_SHIM_FOLDER"), *log = getenv("CRASH_SHIM_LOG"),
               *shared = getenv("CRASH_SHIM_CONTROL");
    if (!folder || !log || !shared)
        return;
    if (!realpath(folder, root))
        die(folder);
    log_fd = open_high(log, O_WRONLY | O_APPEND | O_CREAT);
    int fd = open_high(shared, O_RDWR);
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map == MAP_FAILED)
        die(shared);
    control = map;
    shim_lock();
    shim_record(&(struct shim_entry){.op = SHIM_START, .a = (uint64_t)getpid()});
    shim_unlock();
}
