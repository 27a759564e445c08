/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - who holds how many bytes of anonymous memory, under one ceiling for the process.
 * Charge before allocating, release after freeing.  Over the ceiling a charge is refused and the
 * caller sheds load (503 with Retry-After) or stops its query; it never comes to the OOM killer.
 * Each account may have a cap of its own below the ceiling, so that one kind cannot eat all.
 * Threads: any, lock-free. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ledger_account {
    LEDGER_HEADS,   /* entries not yet in a segment */
    LEDGER_BODIES,  /* request bodies, raw and decompressed */
    LEDGER_QUERIES, /* what running queries hold */
    LEDGER_CACHES,  /* what may be dropped */
    LEDGER_SPILL,   /* buffers of spill, merge, flush */
    LEDGER_N_ACCOUNTS,
};

struct ledger {
    uint64_t ceiling_bytes;                /* fixed at init */
    uint64_t cap_bytes[LEDGER_N_ACCOUNTS]; /* fixed at init; 0 = the ceiling alone */
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t by_account[LEDGER_N_ACCOUNTS];
    _Atomic uint64_t n_refused;
};
/* A quarter of RAM or of the cgroup's limit, at least 256 MiB. */
uint64_t ledger_default_ceiling(void);
void ledger_init(struct ledger *l, uint64_t ceiling_bytes);
void ledger_set_cap(struct ledger *l, enum ledger_account a, uint64_t cap_bytes); /* at init */
/* False, and nothing charged, when it would pass the ceiling or the account's cap. */
bool ledger_try_charge(struct ledger *l, enum ledger_account a, uint64_t bytes);
/* For what must go on whatever it costs (replay, a running spill). */
void ledger_charge(struct ledger *l, enum ledger_account a, uint64_t bytes);
void ledger_release(struct ledger *l, enum ledger_account a, uint64_t bytes);
/* For a holder that grows and shrinks: *charged becomes `bytes`, never refused. */
void ledger_adjust(struct ledger *l, enum ledger_account a, uint64_t *charged, uint64_t bytes);
/* Moves a charge from one account to another, never refused. */
void ledger_move(struct ledger *l, enum ledger_account from, enum ledger_account to,
                 uint64_t bytes);
uint64_t ledger_used(const struct ledger *l);
uint64_t ledger_used_by(const struct ledger *l, enum ledger_account a);
const char *ledger_account_name(enum ledger_account a);
/* The ledger whose accounts /metrics shows. */
void ledger_publish(struct ledger *l);
