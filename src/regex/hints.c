/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/hints.h"

#include <stdlib.h>

#include "base/bytes.h"

enum { MAX_REACHED = 64 }; /* instructions looked at from one place: more is not worth it */

/* What can be reached from an instruction without reading. */
struct reach {
    uint32_t takers[MAX_REACHED]; /* CLASS and SET */
    size_t n;
    unsigned assertions; /* met on any way */
    bool match, too_much;
};

static void reach_from(struct reach *r, const struct prog *p, uint32_t pc)
{
    uint32_t todo[MAX_REACHED], seen[MAX_REACHED];
    size_t n_todo = 1, n_seen = 0;
    *r = (struct reach){.n = 0};
    todo[0] = pc;
    while (n_todo > 0) {
        pc = todo[--n_todo];
        bool known = false;
        for (size_t i = 0; i < n_seen && !known; i++)
            known = seen[i] == pc;
        if (known)
            continue;
        if (n_seen == MAX_REACHED || n_todo + 2 > MAX_REACHED) {
            r->too_much = true;
            return;
        }
        seen[n_seen++] = pc;
        struct inst in = p->insts[pc];
        switch ((enum inst_op)in.op) {
        case INST_CLASS:
        case INST_SET:
            r->takers[r->n++] = pc;
            break;
        case INST_ALT:
            todo[n_todo++] = in.arg;
            todo[n_todo++] = in.next;
            break;
        case INST_ASSERT:
            r->assertions |= in.arg;
            todo[n_todo++] = in.next;
            break;
        case INST_SAVE:
            todo[n_todo++] = in.next;
            break;
        case INST_MATCH:
            r->match = true;
            break;
        }
    }
}

static bool takes_any(const struct prog *p, const struct reach *r, uint32_t class)
{
    for (size_t i = 0; i < r->n; i++)
        if (prog_takes(p, p->insts[r->takers[i]], class))
            return true;
    return false;
}

/* Fills by_byte with those that a rune taken there may begin with; returns the only one, or -1. */
static int first_bytes(const struct prog *p, const struct reach *r, uint8_t by_byte[256])
{
    bool others = takes_any(p, r, p->bad_class);
    for (size_t i = 0; i < p->n_starts && !others; i++)
        others = takes_any(p, r, p->starts[i].class);
    unsigned n = 0;
    int only = -1;
    for (unsigned c = 0; c < 256; c++) {
        by_byte[c] = c >= 0x80 ? others : takes_any(p, r, p->ascii_class[c]);
        n += by_byte[c];
        if (by_byte[c])
            only = (int)c;
    }
    return n == 1 ? only : -1;
}

/* ---- runs ---- */

/* Whether no rune of the loop's set can be taken right behind it. */
static bool is_apart(const struct prog *p, const struct prog_run *run, const struct reach *r)
{
    for (uint32_t class = 0; class < p->n_classes; class ++)
        if (prog_takes(p, p->insts[run->body], class) && takes_any(p, r, class))
            return false;
    return true;
}

/* False when nothing is gained. */
static bool set_kind(const struct prog *p, struct prog_run *run, bool lazy)
{
    struct reach r;
    reach_from(&r, p, run->exit);
    if (r.too_much)
        return false;
    /* \z and $ hold at the end of the text alone, and there the set has ended too */
    bool may_end_inside = (r.match && lazy) || (r.assertions & ~(unsigned)AT_END_TEXT);
    if (!may_end_inside && is_apart(p, run, &r)) {
        run->kind = RUN_EXCLUSIVE;
        return true;
    }
    if (r.match)
        return false;
    run->kind = lazy ? RUN_LAZY : RUN_GREEDY;
    run->only_lead = first_bytes(p, &r, run->leads);
    return true;
}

static bool run_at(const struct prog *p, uint32_t pc, struct prog_run *ret)
{
    struct inst in = p->insts[pc];
    if (in.op != INST_ALT)
        return false;
    for (int lazy = 0; lazy < 2; lazy++) {
        uint32_t body = lazy ? in.arg : in.next, op = p->insts[body].op;
        if ((op != INST_CLASS && op != INST_SET) || p->insts[body].next != pc)
            continue;
        *ret = (struct prog_run){.alt = pc, .body = body, .exit = lazy ? in.next : in.arg};
        return set_kind(p, ret, lazy);
    }
    return false;
}

void prog_find_runs(struct prog *p)
{
    size_t cap = 0;
    for (uint32_t pc = 0; pc < p->n_insts && p->n_runs < MAX_RUNS; pc++) {
        struct prog_run run;
        if (!run_at(p, pc, &run))
            continue;
        for (unsigned c = 0; c < 256; c++)
            run.takes[c] = c >= 0x80 ? LOOK : prog_takes(p, p->insts[run.body], p->ascii_class[c]);
        p->runs = mem_grow(p->runs, &cap, p->n_runs + 1, sizeof *p->runs);
        p->runs[p->n_runs++] = run;
    }
    if (p->n_runs == 0)
        return;
    p->run_of = mem_zalloc(p->n_insts, sizeof *p->run_of);
    for (size_t i = 0; i < p->n_runs; i++)
        p->run_of[p->runs[i].alt] = (uint8_t)(i + 1);
}

/* ---- the first byte ---- */

void prog_find_first(struct prog *p)
{
    struct reach r;
    p->only_first = -1;
    reach_from(&r, p, p->start);
    if (r.too_much || r.match)
        return;
    p->has_first = true;
    p->only_first = first_bytes(p, &r, p->first_byte);
}
