/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/cache.h"

#include "base/thread.h"

enum { MAX_KEPT = 64 };

struct kept {
    struct regex *re;
    enum regex_mode mode;
    uint64_t used; /* the clock of uses: the smallest one leaves */
};

static struct mutex mu = MUTEX_INIT;
static struct kept cache[MAX_KEPT]; /* guarded by mu */
static uint64_t uses;

static struct kept *find_locked(struct str_view pattern, enum regex_mode mode)
{
    mutex_assert_held(&mu);
    for (size_t i = 0; i < MAX_KEPT; i++)
        if (cache[i].re && cache[i].mode == mode && sv_eq(regex_pattern(cache[i].re), pattern))
            return &cache[i];
    return NULL;
}

static struct regex *take_locked(struct kept *k)
{
    mutex_assert_held(&mu);
    k->used = ++uses;
    return regex_ref(k->re);
}

int regex_cached(struct regex **ret, struct str_view pattern, enum regex_mode mode, struct err *err)
{
    {
        MUTEX_GUARD(&mu);
        struct kept *k = find_locked(pattern, mode);
        if (k) {
            *ret = take_locked(k);
            return 0;
        }
    }
    struct regex *re;
    int r = regex_compile(&re, pattern, mode, err); /* outside the lock: it may take a while */
    if (r < 0)
        return r;
    MUTEX_GUARD(&mu);
    struct kept *oldest = &cache[0];
    for (size_t i = 1; i < MAX_KEPT; i++)
        if (cache[i].used < oldest->used)
            oldest = &cache[i];
    regex_unref(oldest->re);
    *oldest = (struct kept){re, mode, 0};
    *ret = take_locked(oldest);
    return 0;
}
