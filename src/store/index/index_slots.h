/* SPDX-License-Identifier: Apache-2.0 */
/* index_slots.h - the tables of an index: which there are, which are open, and which are bad.
 * A slot is a period.  Its table is opened when it is first used, and closed when others need the
 * place; it is checked when it is opened (kv.h), away from the lock, while others wait for it. What
 * does not pass, or turns out to be damaged in use, is bad from then on: nobody reads it, and who
 * writes to it writes to a fresh table beside it, which takes its place when it is whole.
 * Inside store/index only.
 * Threads: as index.h; fields say what guards them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "store/index/index.h"
#include "store/index/table.h"

enum slot_health {
    SLOT_GOOD, /* as far as is known */
    SLOT_BAD,
    SLOT_REBUILDING, /* bad, and somebody is at it */
};

struct table_slot {
    struct period period;    /* fixed */
    bool exists;             /* guarded by mu, as all down to `table`: there is a folder of it */
    bool is_open, opening;   /* opening: by a thread that gave mu up for it */
    bool dropped;            /* out of the list; freed by the last who holds it */
    bool bloated;            /* to be closed by its last user */
    bool expected_met;       /* it lists the segments that a view asked for */
    bool unsealed;           /* as of its last use */
    unsigned holders, users; /* of the slot; of its table (holders, too) */
    uint64_t used_at;        /* of the index's clock of uses */
    int64_t written_ns;      /* monotonic; when it was found unsealed at first */
    struct kv_seen seen;     /* its file when it was closed */
    enum slot_health health;
    char *why;              /* text, owned; NULL where it is good */
    size_t n_done, n_total; /* segments, while it is made again */
    struct uuid *unread;    /* segments with parts that could not be read then */
    size_t n_unread;
    struct table table; /* its users' */
    struct table fresh; /* write_mu's, as the next two */
    bool has_fresh, fresh_is_bad;
};

struct index {
    char *folder; /* fixed at init, as all down to write_mu */
    struct index_conf conf;
    struct mutex write_mu; /* one writer; taken before mu, never inside */
    struct mutex mu;
    struct cond changed;       /* a table was opened, or left by a user */
    struct table_slot **slots; /* guarded by mu; ascending by start, then length */
    size_t n_slots, cap_slots;
    uint64_t uses;
    bool names_unsynced; /* a table was made, or half made, and its name may not be durable */
};

/* The folder of a table with a NUL behind it; suffix "": its own. */
void slot_path(const struct index *ix, const struct period *p, const char *suffix, struct buf *ret);
/* Its day, or its first second where it is none: for people. */
void period_print(const struct period *p, struct buf *ret);

/* NULL where there is none. */
struct table_slot *slot_find_locked(struct index *ix, const struct period *p);
/* Found or made; not in use. */
struct table_slot *slot_add_locked(struct index *ix, const struct period *p);
/* Takes it out of the list; whoever holds it goes on. */
void slot_drop_locked(struct index *ix, struct table_slot *s);
/* The slot behind *at in order of time (*at = before_all at first) that overlaps min..max; NULL
 * behind the last. */
struct table_slot *slot_next_locked(struct index *ix, struct period *at, int64_t min_ns,
                                    int64_t max_ns);
extern const struct period slot_before_all;

/* Takes its table into use, opened where it was closed (mu is given up meanwhile).  A bad one, also
 * one that is found to be so now, is ERR_UNAVAILABLE with a text for the client. */
int slot_use_locked(struct index *ix, struct table_slot *s, struct err *err);
void slot_end(struct index *ix, struct table_slot *s);
/* Without the table. */
void slot_hold_locked(struct table_slot *s);
void slot_release_locked(struct index *ix, struct table_slot *s);
/* Nobody uses the table afterwards, and it is closed; mu is given up meanwhile. */
void slot_close_locked(struct index *ix, struct table_slot *s);

/* Codes by which a table in use says that it is damaged.  A write that failed leaves it as it was.
 */
bool slot_code_is_bad(int code);
/* `why`: what was found.  Nothing happens to one that is bad already. */
void slot_mark_bad_locked(struct table_slot *s, const char *why);
/* The text for a client that asks for a bad one; ERR_UNAVAILABLE. */
int slot_refuse_locked(const struct table_slot *s, struct err *err);

/* The fresh table of a bad slot, opened or made.  With write_mu held, as all below. */
int slot_fresh(struct index *ix, struct table_slot *s, struct err *err);
void slot_close_fresh(struct table_slot *s);
/* Rows for it.  ERR_INVALID: the parts cannot be.  Damage of the fresh table itself is
 * ERR_UNAVAILABLE, until the end of a rebuild removes it. */
int slot_add_fresh(struct index *ix, struct table_slot *s, struct table_addition *a,
                   struct err *err);
/* Renames the folder of a table to one with this ending, durably, in place of what has the name. */
int slot_set_aside(struct index *ix, const struct period *p, const char *suffix, struct err *err);
/* Removes the folder with this ending; none is no failure. */
int slot_remove(const struct index *ix, const struct period *p, const char *suffix,
                struct err *err);
