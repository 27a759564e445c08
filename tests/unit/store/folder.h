/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder per test, on the state pointer. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

struct folder {
    char path[64];
};

static inline int folder_setup(void **state)
{
    struct folder *f = mem_zalloc(1, sizeof *f);
    /* Without a disk to wait for, where there is such a place. */
    snprintf(f->path, sizeof f->path, "%s/halogi-store-XXXXXX",
             file_exists("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(f->path))
        return -1;
    *state = f;
    return 0;
}

static inline int folder_teardown(void **state)
{
    struct folder *f = *state;
    file_remove_tree(f->path, NULL);
    free(f);
    return 0;
}

/* A path in the folder; the text lives until four more calls. */
static inline const char *in_folder(const struct folder *f, const char *name)
{
    static char paths[4][160];
    static unsigned at;
    char *p = paths[at++ & 3];
    snprintf(p, sizeof paths[0], "%s/%s", f->path, name);
    return p;
}

#define FOLDER_TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_setup, folder_teardown)

static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}
