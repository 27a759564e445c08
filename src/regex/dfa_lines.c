/* SPDX-License-Identifier: Apache-2.0 */
/* A step waits for the row that the step before it loaded, so one line keeps the machine idle four
 * cycles of five: several lines are walked side by side. */
#include "regex/dfa_impl.h"

enum { N_LANES = 4 };

/* One line on its way. */
struct lane {
    const char *at;
    uint32_t row, line;
};

struct lanes {
    struct dfa *d;
    const struct prog *p;
    const struct regex_lines *lines;
    uint64_t *wanted, *found;
    uint32_t next; /* line to look at when a lane gets free */
    struct lane v[N_LANES];
};

static bool is_wanted(const uint64_t *wanted, uint32_t line)
{
    return wanted[line >> 6] >> (line & 63) & 1;
}

static void decide(struct lanes *l, uint32_t line, bool matches)
{
    uint64_t bit = UINT64_C(1) << (line & 63);
    l->wanted[line >> 6] &= ~bit;
    if (matches)
        l->found[line >> 6] |= bit;
}

/* False: no line is left, or the DFA gave up. */
static bool take_line(struct lanes *l, struct lane *lane)
{
    for (; l->next < l->lines->n; l->next++) {
        if (!is_wanted(l->wanted, l->next))
            continue;
        uint32_t row = dfa_start_row(l->d, l->p);
        if (row == MARK_UNKNOWN)
            return false;
        if (row >= FIRST_ROW) {
            *lane = (struct lane){l->lines->p + l->lines->start[l->next], row, l->next};
            l->next++;
            return true;
        }
        decide(l, l->next, row == MARK_MATCH);
    }
    return false;
}

/* Until a lane meets a byte whose row is not known, or a mark. */
static void run_lanes(struct dfa *d, struct lane *v)
{
    const uint32_t *rows = d->rows, *column = d->line_column;
    const char *a = v[0].at, *b = v[1].at, *c = v[2].at, *e = v[3].at, *from = a;
    uint32_t ra = v[0].row, rb = v[1].row, rc = v[2].row, re = v[3].row;
    for (;;) {
        uint32_t na = rows[ra + column[(unsigned char)*a]];
        uint32_t nb = rows[rb + column[(unsigned char)*b]];
        uint32_t nc = rows[rc + column[(unsigned char)*c]];
        uint32_t ne = rows[re + column[(unsigned char)*e]];
        if (na < FIRST_ROW || nb < FIRST_ROW || nc < FIRST_ROW || ne < FIRST_ROW)
            break;
        ra = na, rb = nb, rc = nc, re = ne;
        a++, b++, c++, e++;
    }
    d->read_bytes += N_LANES * (size_t)(a - from);
    v[0].at = a, v[1].at = b, v[2].at = c, v[3].at = e;
    v[0].row = ra, v[1].row = rb, v[2].row = rc, v[3].row = re;
}

/* The rows were thrown away.  The other lanes cannot go on, and to begin their lines again could
 * repeat for ever: those are left undecided.  False as take_line. */
static bool leave_others(struct lanes *l, const struct lane *kept)
{
    for (struct lane *lane = l->v; lane < l->v + N_LANES; lane++)
        if (lane != kept && !take_line(l, lane))
            return false;
    return true;
}

/* The lane's next rune, slowly, and the next line behind its last.  False: no more lines, or given
 * up. */
static bool step_lane(struct lanes *l, struct lane *lane)
{
    const char *end = l->lines->p + l->lines->start[lane->line + 1] - 1;
    size_t generation = l->d->generation;
    bool at_end = lane->at == end;
    unsigned width = 0;
    uint32_t column =
        at_end ? l->d->end_column : prog_class_at(l->p, lane->at, (size_t)(end - lane->at), &width);
    lane->row = dfa_row_after(l->d, l->p, lane->row, column);
    lane->at += width;
    if (lane->row == MARK_UNKNOWN)
        return false;
    bool decided = lane->row < FIRST_ROW;
    if (decided)
        decide(l, lane->line, lane->row == MARK_MATCH);
    return (generation == l->d->generation || leave_others(l, lane)) &&
           (!decided || take_line(l, lane));
}

static bool needs_step(const struct dfa *d, const struct lane *lane)
{
    return d->rows[lane->row + d->line_column[(unsigned char)*lane->at]] < FIRST_ROW;
}

void dfa_match_lines(struct dfa *d, const struct prog *p, const struct regex_lines *lines,
                     uint64_t *wanted, uint64_t *found)
{
    struct lanes l = {d, p, lines, wanted, found, 0, {{NULL, 0, 0}}};
    if (d->useless)
        return;
    for (size_t i = 0; i < N_LANES; i++)
        if (!take_line(&l, &l.v[i]))
            return;
    for (;;) {
        run_lanes(d, l.v);
        for (size_t i = 0; i < N_LANES; i++)
            if (needs_step(d, &l.v[i]) && !step_lane(&l, &l.v[i]))
                return;
    }
}
