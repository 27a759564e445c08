/* SPDX-License-Identifier: Apache-2.0 */
/* kit.h - an ingester over a temporary folder, pushes as texts, and all that can be read back. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/ledger.h"
#include "base/thread.h"
#include "ingester/ingester.h"
#include "model/limits.h"

struct kit {
    char folder[64];
    struct ingester_conf conf;
    struct limits limits;
    struct arena arena; /* of the limits and of what was pushed */
    struct ledger ledger;
    struct catalog *catalog;
    struct index *index;
    struct stores stores;
    struct segments *segments;
    struct views *views;
    struct ingester *in;
    struct mutex mu; /* of the arena and of what follows: pushes may come from any thread */
    /* Acknowledged, in order, and what was sent in all. */
    struct kit_entry *acked, *sent;
    size_t n_acked, cap_acked, n_sent, cap_sent;
};

/* For setup and teardown: *state is a struct kit that is open. */
int kit_setup(void **state);
int kit_teardown(void **state);
int kit_open(struct kit *k, struct err *err);
/* Fails the test when it does not open, or does not get ready. */
void kit_must_open(struct kit *k);
void kit_close(struct kit *k);
/* As if the process had died, once nothing is written any more (a spill may be at work when the
 * pushes that made it necessary were answered): the folder is copied as it stands then, the old one
 * closed and dropped.  No push may be under way. */
void kit_crash(struct kit *k);

/* sm: JSON object, NULL: none.  Texts must live as long as the kit. */
struct kit_entry {
    const char *tenant, *labels /* {"app":"a"} */, *line, *sm;
    int64_t ts_ns;
};
enum kit_how { KIT_BODY, KIT_CANONICAL };

struct kit_push; /* one that was not answered yet */
struct kit_answer {
    int result;
    struct err err;
    int status; /* of the first stream that has one */
    char text[2048];
};
/* Entries of one tenant; neighbours with equal labels make a stream. */
struct kit_push *kit_push_start(struct kit *k, const struct kit_entry *v, size_t n,
                                enum kit_how how);
bool kit_push_is_done(struct kit_push *p);
/* Waits, frees; accepted entries count as acknowledged when it succeeded. */
struct kit_answer kit_push_end(struct kit *k, struct kit_push *p);
struct kit_answer kit_push(struct kit *k, const struct kit_entry *v, size_t n, enum kit_how how);
/* Must succeed. */
void kit_push_ok(struct kit *k, const struct kit_entry *v, size_t n, enum kit_how how);
int kit_flush(struct kit *k, struct err *err);

/* What a reader finds of the tenant: "labels ts line sm" a line, streams by label text, entries in
 * (time, arrival) order; repeats gone when `collapse`. */
struct kit_found {
    size_t n_head, n_local, n_object; /* entries by place, repeats included */
};
void kit_read(struct kit *k, const char *tenant, bool collapse, struct buf *out,
              struct kit_found *ret);
/* The same of the list. */
void kit_expect(struct kit *k, const struct kit_entry *v, size_t n, const char *tenant,
                struct buf *out);
/* Everything acknowledged is there, once, in order, and nothing else. */
void kit_check(struct kit *k, const char *tenant);
/* For pushes that failed: everything acknowledged is there, and nothing that was never sent. */
void kit_check_between(struct kit *k, const char *tenant);
size_t kit_n_acked(struct kit *k);
size_t kit_n_files(struct kit *k, const char *below, const char *suffix);
