/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - a second place that knows how far the log was synced: without it, a log whose newest
 * file is lost, or is an older copy, would look like one that ended earlier (docs/formats.md,
 * "WAL").
 * Promise: what a witness says was synced was synced before.  A write that was cut off leaves the
 * one before it readable.  A missing or damaged witness only knows less: it never makes a loss.
 * Threads: one at a time. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

struct witness {
    int fd;             /* -1: not open */
    unsigned next_slot; /* the one that is not the newest */
    struct uuid installation;
};
#define WITNESS_INIT ((struct witness){.fd = -1})

enum { WITNESS_OK = 0, WITNESS_NONE = 1 /* there is none, or none of its slots checks */ };
/* What the witness of that folder of a log says; one of another installation says nothing. */
int witness_read(const char *folder, struct uuid installation, uint64_t *ret_synced_lsn,
                 struct err *err);

/* Makes the file where there is none; its name is durable. */
int witness_open(struct witness *w, const char *folder, struct uuid installation, struct err *err);
void witness_close(struct witness *w); /* not open: no-op */
enum witness_how {
    WITNESS_SOON,    /* written: it outlives the process, and soon a power loss too */
    WITNESS_DURABLE, /* on stable storage when it returns 0 */
};
int witness_write(struct witness *w, uint64_t synced_lsn, enum witness_how how, struct err *err);
