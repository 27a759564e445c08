/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/str_view.h"

static _Atomic(struct ledger *) published;
static const uint64_t min_ceiling_bytes = UINT64_C(256) << 20;

static const char *const account_names[LEDGER_N_ACCOUNTS] = {"heads", "bodies", "queries", "caches",
                                                             "spill"};

static int64_t read_account(enum ledger_account a)
{
    struct ledger *l = atomic_load(&published);
    return l ? (int64_t)ledger_used_by(l, a) : 0;
}

#define ACCOUNT_GAUGE(name, account)                                                               \
    static int64_t read_##name(void)                                                               \
    {                                                                                              \
        return read_account(account);                                                              \
    }                                                                                              \
    GAUGE_READ(name##_gauge, "halogi_ledger_" #name "_bytes",                                      \
               "Memory charged to the account '" #name "'", read_##name)
ACCOUNT_GAUGE(heads, LEDGER_HEADS);
ACCOUNT_GAUGE(bodies, LEDGER_BODIES);
ACCOUNT_GAUGE(queries, LEDGER_QUERIES);
ACCOUNT_GAUGE(caches, LEDGER_CACHES);
ACCOUNT_GAUGE(spill, LEDGER_SPILL);

static int64_t read_ceiling(void)
{
    struct ledger *l = atomic_load(&published);
    return l ? (int64_t)l->ceiling_bytes : 0;
}
GAUGE_READ(ceiling_gauge, "halogi_ledger_ceiling_bytes", "The most the ledger lets be charged",
           read_ceiling);

static int64_t read_refused(void)
{
    struct ledger *l = atomic_load(&published);
    return l ? (int64_t)atomic_load(&l->n_refused) : 0;
}
GAUGE_READ(refused_gauge, "halogi_ledger_refused", "Charges refused over ceiling or cap",
           read_refused);

/* A file with one decimal number; 0 when it is absent or says "max". */
static uint64_t read_number_file(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    char text[32] = "";
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    uint64_t v = 0;
    return sv_to_u64(sv_trim(sv(text, n)), &v) ? v : 0;
}

uint64_t ledger_default_ceiling(void)
{
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t limit = read_number_file(limits[i]);
        if (limit > 0 && limit < total)
            total = limit;
    }
    return total / 4 > min_ceiling_bytes ? total / 4 : min_ceiling_bytes;
}

void ledger_init(struct ledger *l, uint64_t ceiling_bytes)
{
    *l = (struct ledger){.ceiling_bytes = ceiling_bytes};
}

void ledger_set_cap(struct ledger *l, enum ledger_account a, uint64_t cap_bytes)
{
    l->cap_bytes[a] = cap_bytes;
}

/* Adds unless the sum passes `most`. */
static bool add_within(_Atomic uint64_t *sum, uint64_t bytes, uint64_t most)
{
    uint64_t now = atomic_load_explicit(sum, memory_order_relaxed);
    do {
        if (bytes > most || now > most - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(sum, &now, now + bytes));
    return true;
}

bool ledger_try_charge(struct ledger *l, enum ledger_account a, uint64_t bytes)
{
    uint64_t cap = l->cap_bytes[a] ? l->cap_bytes[a] : l->ceiling_bytes;
    if (!add_within(&l->by_account[a], bytes, cap)) {
        atomic_fetch_add(&l->n_refused, 1);
        return false;
    }
    if (add_within(&l->used_bytes, bytes, l->ceiling_bytes))
        return true;
    atomic_fetch_sub(&l->by_account[a], bytes);
    atomic_fetch_add(&l->n_refused, 1);
    return false;
}

void ledger_charge(struct ledger *l, enum ledger_account a, uint64_t bytes)
{
    atomic_fetch_add(&l->by_account[a], bytes);
    atomic_fetch_add(&l->used_bytes, bytes);
}

void ledger_release(struct ledger *l, enum ledger_account a, uint64_t bytes)
{
    uint64_t was = atomic_fetch_sub(&l->by_account[a], bytes);
    assert(was >= bytes);
    atomic_fetch_sub(&l->used_bytes, bytes);
}

void ledger_adjust(struct ledger *l, enum ledger_account a, uint64_t *charged, uint64_t bytes)
{
    if (bytes > *charged)
        ledger_charge(l, a, bytes - *charged);
    else
        ledger_release(l, a, *charged - bytes);
    *charged = bytes;
}

void ledger_move(struct ledger *l, enum ledger_account from, enum ledger_account to, uint64_t bytes)
{
    atomic_fetch_add(&l->by_account[to], bytes);
    uint64_t was = atomic_fetch_sub(&l->by_account[from], bytes);
    assert(was >= bytes);
}

uint64_t ledger_used(const struct ledger *l)
{
    return atomic_load(&l->used_bytes);
}

uint64_t ledger_used_by(const struct ledger *l, enum ledger_account a)
{
    return atomic_load(&l->by_account[a]);
}

const char *ledger_account_name(enum ledger_account a)
{
    return account_names[a];
}

void ledger_publish(struct ledger *l)
{
    atomic_store(&published, l);
}
