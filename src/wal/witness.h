/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - a second place, in a folder of its own, that knows what the log alone must not be
 * trusted with (docs/formats.md, "WAL"):
 *     newest    how far it was synced: else a log whose newest file is lost, or is an older copy,
 *               would look like one that ended earlier;
 *     policies  by which bodies are decoded: else one damaged record would cost all that follow it.
 * Promise: what a witness says was synced was synced before.  A write that was cut off leaves the
 * one before it readable.  A missing or damaged witness only knows less: it never makes a loss.
 * Threads: one at a time. */
#pragma once
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/uuid.h"

struct witness {
    int fd;             /* -1: not open */
    unsigned next_slot; /* the one that is not the newest */
    struct uuid installation;
    const char *folder;  /* borrowed */
    struct buf policies; /* as the file holds them */
};
#define WITNESS_INIT ((struct witness){.fd = -1})

enum { WITNESS_OK = 0, WITNESS_NONE = 1 /* there is none, or none of its slots checks */ };
/* What the witness in that folder says; one of another installation says nothing. */
int witness_read(const char *folder, struct uuid installation, uint64_t *ret_synced_lsn,
                 struct err *err);

/* Makes folder and file where there are none; their names are durable. */
int witness_open(struct witness *w, const char *folder, struct uuid installation, struct err *err);
void witness_close(struct witness *w); /* not open: no-op */
enum witness_how {
    WITNESS_SOON,    /* written: it outlives the process, and soon a power loss too */
    WITNESS_DURABLE, /* on stable storage when it returns 0 */
};
int witness_write(struct witness *w, uint64_t synced_lsn, enum witness_how how, struct err *err);

enum { WITNESS_MAX_POLICIES_BYTES = 256 << 10 /* of the file; the oldest go */ };
/* Durable when it returns 0; at once where the file has it already.  A policy that is larger than
 * the file may be is left out. */
int witness_add_policy(struct witness *w, struct str_view encoded, struct err *err);
typedef int witness_policy_fn(void *ctx, struct str_view encoded, struct err *err);
/* All that check; fn's first nonzero result ends it. */
int witness_read_policies(const char *folder, witness_policy_fn *fn, void *ctx, struct err *err);
/* The same over the bytes of the file. */
int witness_each_policy(struct str_view file, witness_policy_fn *fn, void *ctx, struct err *err);
