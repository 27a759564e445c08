/* SPDX-License-Identifier: Apache-2.0 */
/* Known operations on files, for test_shim.py: one story per argument, in the current folder. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            printf("%s: %s\n", #call, strerror(errno));                                            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int open_new(const char *path, int more)
{
    int fd = open(path, O_RDWR | O_CREAT | more, 0600);
    MUST(fd);
    return fd;
}

static void sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    MUST(fd);
    MUST(fsync(fd));
    MUST(close(fd));
}

/* "one" is durable with its name, "two" is written behind it and not synced. */
static void append(void)
{
    int fd = open_new("a", 0);
    sync_dir(".");
    MUST(write(fd, "one", 3));
    MUST(fdatasync(fd));
    MUST(write(fd, "two", 3));
    MUST(close(fd));
}

/* A file replaced the careful way; then once more, without any sync. */
static void replace(void)
{
    int fd = open_new("a.tmp", 0);
    MUST(pwrite(fd, "old", 3, 0));
    MUST(fsync(fd));
    MUST(close(fd));
    MUST(rename("a.tmp", "a"));
    sync_dir(".");
    fd = open_new("a.tmp", 0);
    MUST(pwrite(fd, "new", 3, 0));
    MUST(close(fd));
    MUST(rename("a.tmp", "a"));
}

/* A write with O_DSYNC beside one without. */
static void dsync(void)
{
    int fd = open_new("a", 0), synced = open_new("a", O_DSYNC);
    sync_dir(".");
    MUST(ftruncate(fd, 1024));
    MUST(fsync(fd));
    MUST(pwrite(fd, "x", 1, 0));
    MUST(pwrite(synced, "y", 1, 512));
    MUST(close(fd));
    MUST(close(synced));
}

/* Three sectors over synced zeros, in pieces. */
static void sectors(void)
{
    static char a[700], b[836];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    int fd = open_new("a", 0);
    sync_dir(".");
    MUST(fallocate(fd, 0, 0, 1536));
    MUST(fsync(fd));
    struct iovec iov[] = {{a, sizeof a}, {b, sizeof b}};
    MUST(pwritev(fd, iov, 2, 0));
    MUST(close(fd));
}

/* Names come and go below a folder that is itself not synced. */
static void names(void)
{
    MUST(mkdir("d", 0700));
    for (int i = 0; i < 3; i++) {
        char path[8];
        snprintf(path, sizeof path, "d/%d", i);
        MUST(close(open_new(path, 0)));
    }
    sync_dir("d");
    MUST(unlink("d/0"));
    MUST(rename("d/1", "d/4"));
    MUST(link("d/2", "d/5"));
}

static void *write_many(void *arg)
{
    int fd = open_new(arg, 0);
    for (int i = 0; i < 100; i++) {
        MUST(pwrite(fd, arg, 1, i));
        MUST(fdatasync(fd));
    }
    MUST(close(fd));
    return NULL;
}

static void threads(void)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        if (pthread_create(&t[i], NULL, write_many, names[i]) != 0)
            exit(1);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } stories[] = {{"append", append},   {"replace", replace}, {"dsync", dsync},
                   {"sectors", sectors}, {"names", names},     {"threads", threads}};
    for (size_t i = 0; argc == 2 && i < sizeof stories / sizeof stories[0]; i++)
        if (strcmp(argv[1], stories[i].name) == 0) {
            stories[i].run();
            return 0;
        }
    return 2;
}
