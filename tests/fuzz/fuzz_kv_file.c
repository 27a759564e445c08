/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an LMDB environment, read without LMDB: reading ends, entries come in order and the
 * same ones each time, and a file that is found sound has just the databases that it should. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crc32c.h"
#include "store/kv_file.h"

static const char *const dbs[] = {"a", "b", "empty"};
enum { N_DBS = sizeof dbs / sizeof *dbs };

struct seen {
    uint32_t crc;
    uint64_t n;
    unsigned db;
};

static int see(void *ctx, unsigned db, struct str_view key, struct str_view value, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    assert(db < N_DBS && db >= s->db && key.len > 0);
    s->db = db;
    s->crc = crc32c_extend(crc32c_extend(s->crc, key), value);
    s->n++;
    return 0;
}

static int see_name(void *ctx, struct str_view name, struct err *err)
{
    unsigned *n = ctx;
    (void)err;
    *n += name.len > 0;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kv_file *f;
    if (kv_file_open_bytes(&f, sv((const char *)data, len), NULL) < 0)
        return 0;
    struct seen one = {0}, two = {0};
    unsigned n_names = 0;
    int r = kv_file_check(f, dbs, N_DBS, see, &one, NULL);
    assert(kv_file_check(f, dbs, N_DBS, see, &two, NULL) == r);
    assert(one.n == two.n && one.crc == two.crc);
    int names = kv_file_names(f, see_name, &n_names, NULL);
    assert(r < 0 || (names == 0 && n_names == N_DBS));
    kv_file_close(f);
    return 0;
}
