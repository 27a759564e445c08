/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern is a program for many threads at once (prog.h): at each byte of the text there is a set
 * of instructions at which a match may stand.  The NFA keeps that set and pays for all of it at
 * each byte.  But the sets repeat: a text of megabytes meets some dozens.  So each set that is met
 * gets a number, a state, and a row in a table that says for each class of bytes which state comes
 * next. Where the table has the answer, a byte costs one look-up.  Made in advance the table may
 * have 2^n rows, which is why it is not; made when first met, it has what the text needs. What is
 * not obvious:
 *   - A column is a class of runes that no instruction tells apart, not a byte.  Bytes from 0x80 on
 *     lead to one column that is never filled (dfa_impl.h): there the rune is decoded and its class
 *     found, so a million runes cost no memory, and the loop over ASCII has a single test.
 *   - ^, $ and \b ask what stands on both sides.  What stands before is part of the state
 * (`behind`) as long as an assertion is pending; what comes after is known one step later.  So a
 * set holds assertions that are open, the next rune closes them, and a match shows one step late,
 * at the latest at the end of the text.
 *   - Only a verdict is wanted, not where: threads have no order, a set is a set, and the first
 *     match ends the search.  Captures are the NFA's.
 *   - The table takes at most 1 MiB.  When it is full all is forgotten, and the set in work becomes
 *     the first.  Where that comes too soon, after fewer than ten bytes of text for each state, the
 *     text keeps meeting new sets and a table gains nothing: it gives up, and the caller takes the
 *     NFA, whose time is linear for every pattern.  That is no failure, and changes no answer.
 * What must hold: a row is only filled with what the program says; forgetting bumps `generation`,
 * so that nobody goes on with the number of a state that is no more. */
#include "regex/dfa_impl.h"

#include <stdlib.h>

#include "base/bytes.h"

enum {
    MAX_TABLE_BYTES = 1 << 20,
    MAX_POOL = MAX_TABLE_BYTES / sizeof(uint32_t),
    MIN_STATES = 8,       /* that must fit, or we give up at once */
    BYTES_PER_STATE = 10, /* fewer text bytes per new state than this is not worth a DFA */
};

/* What a state remembers of the text before it. */
enum { AFTER_START = 1, AFTER_NEWLINE = 2, AFTER_WORD = 4 };

struct state {
    uint32_t insts_at; /* in d->pool */
    uint32_t n_insts;
    uint32_t hash;
    uint16_t behind;  /* kept only while assertions are pending */
    uint16_t pending; /* holds assertions about what comes next */
};

enum { MATCHED_MOST = 16, TENDS_TO_MATCH = 10 };

void dfa_note_match(struct dfa *d, bool matched)
{
    unsigned n = d->matched_lately;
    d->matched_lately = matched ? n + (n < MATCHED_MOST) : n - (n > 2 ? 3 : n);
}

bool dfa_tends_to_match(const struct dfa *d)
{
    return d->matched_lately >= TENDS_TO_MATCH;
}

struct dfa *dfa_new(const struct prog *p)
{
    struct dfa *d = mem_zalloc(1, sizeof *d);
    d->end_column = p->n_classes;
    d->look_column = p->n_classes + 1;
    d->stride = p->n_classes + 2;
    d->max_states = MAX_TABLE_BYTES / (d->stride * sizeof(uint32_t));
    d->useless = d->max_states < MIN_STATES;
    for (unsigned c = 0; c < 256; c++)
        d->column[c] = d->line_column[c] = c < 128 ? p->ascii_class[c] : d->look_column;
    d->line_column['\n'] = d->look_column;
    if (d->useless)
        return d;
    struct inst_set *sets[] = {&d->from, &d->to};
    for (int i = 0; i < 2; i++) {
        sets[i]->dense = mem_alloc(p->n_insts * sizeof(uint32_t));
        sets[i]->sparse = mem_zalloc(p->n_insts, sizeof(uint32_t));
    }
    return d;
}

void dfa_free(struct dfa *d)
{
    if (!d)
        return;
    free(d->rows);
    free(d->states);
    free(d->pool);
    free(d->slots);
    free(d->stack);
    free(d->from.dense);
    free(d->from.sparse);
    free(d->to.dense);
    free(d->to.sparse);
    free(d);
}

size_t dfa_used_bytes(const struct dfa *d)
{
    return sizeof *d + d->cap_rows * sizeof *d->rows + d->cap_states * sizeof *d->states +
           d->cap_pool * sizeof *d->pool + d->n_slots * sizeof *d->slots;
}

static void forget_states(struct dfa *d)
{
    d->n_states = 0;
    d->n_pool = 0;
    d->read_bytes = 0;
    d->start = MARK_UNKNOWN;
    d->generation++;
    if (d->n_slots)
        memset(d->slots, 0, d->n_slots * sizeof *d->slots);
}

/* ---- sets of instructions ---- */

static bool set_add(struct inst_set *s, uint32_t pc)
{
    if (s->sparse[pc] < s->n && s->dense[s->sparse[pc]] == pc)
        return false;
    s->sparse[pc] = (uint32_t)s->n;
    s->dense[s->n++] = pc;
    return true;
}

static void push(struct dfa *d, size_t *n, uint32_t pc)
{
    d->stack = mem_grow(d->stack, &d->cap_stack, *n + 1, sizeof *d->stack);
    d->stack[(*n)++] = pc;
}

/* Adds start and what it reaches when exactly `truths` hold; failed assertions stay in the set. */
static void close_over(struct dfa *d, const struct prog *p, struct inst_set *s, uint32_t start,
                       unsigned truths)
{
    size_t n = 0;
    push(d, &n, start);
    while (n > 0) {
        uint32_t pc = d->stack[--n];
        if (!set_add(s, pc))
            continue;
        struct inst in = p->insts[pc];
        if (in.op == INST_ALT) {
            push(d, &n, in.arg);
            push(d, &n, in.next);
        } else if (in.op == INST_SAVE || (in.op == INST_ASSERT && !(in.arg & ~truths))) {
            push(d, &n, in.next);
        }
    }
}

static unsigned truths_behind(unsigned behind)
{
    unsigned t = 0;
    if (behind & AFTER_START)
        t |= AT_BEGIN_TEXT | AT_BEGIN_LINE;
    if (behind & AFTER_NEWLINE)
        t |= AT_BEGIN_LINE;
    return t;
}

/* ---- states ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t hash_insts(const uint32_t *insts, size_t n, unsigned behind)
{
    uint64_t h = behind + 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ insts[i]) * 0xff51afd7ed558ccdu + (h >> 29);
    return (uint32_t)(h >> 16);
}

static void grow_slots(struct dfa *d)
{
    if (d->n_states * 2 < d->n_slots)
        return;
    free(d->slots);
    d->n_slots = d->n_slots ? d->n_slots * 2 : 64;
    d->slots = mem_zalloc(d->n_slots, sizeof *d->slots);
    for (size_t i = 0; i < d->n_states; i++) {
        size_t at = d->states[i].hash & (d->n_slots - 1);
        while (d->slots[at])
            at = (at + 1) & (d->n_slots - 1);
        d->slots[at] = (uint32_t)i + 1;
    }
}

static uint32_t row_of_state(const struct dfa *d, size_t state)
{
    return (uint32_t)(FIRST_ROW + state * d->stride);
}

static size_t state_of_row(const struct dfa *d, uint32_t row)
{
    return (row - FIRST_ROW) / d->stride;
}

static uint32_t new_state(struct dfa *d, const uint32_t *insts, struct state head)
{
    d->states = mem_grow(d->states, &d->cap_states, d->n_states + 1, sizeof *d->states);
    d->pool = mem_grow(d->pool, &d->cap_pool, d->n_pool + head.n_insts, sizeof *d->pool);
    if (head.n_insts)
        memcpy(d->pool + d->n_pool, insts, head.n_insts * sizeof *insts);
    head.insts_at = (uint32_t)d->n_pool;
    d->n_pool += head.n_insts;
    size_t at = d->n_states++;
    d->states[at] = head;
    uint32_t row = row_of_state(d, at);
    d->rows = mem_grow(d->rows, &d->cap_rows, row + d->stride, sizeof *d->rows);
    memset(d->rows + row, 0, d->stride * sizeof *d->rows);
    return row;
}

/* Leaves in d->to what a state must remember, sorted.  True when one of them is a match. */
static bool reduce(struct inst_set *s, const struct prog *p, unsigned behind, bool *ret_pending)
{
    unsigned truths = truths_behind(behind);
    size_t n = 0;
    *ret_pending = false;
    for (size_t i = 0; i < s->n; i++) {
        struct inst in = p->insts[s->dense[i]];
        bool waits = in.op == INST_ASSERT && (in.arg & AT_AHEAD & ~truths);
        if (in.op == INST_MATCH)
            return true;
        if (in.op == INST_CLASS || in.op == INST_SET || waits)
            s->dense[n++] = s->dense[i];
        *ret_pending |= waits;
    }
    s->n = n; /* no longer a set for set_add, which starts at n = 0 anyhow */
    qsort(s->dense, n, sizeof *s->dense, by_number);
    return false;
}

/* The row of the state that d->to describes, or a mark.  A full table is emptied first: the rows
 * that the caller knows are gone when d->generation has changed.  MARK_UNKNOWN: give up. */
static uint32_t make_state(struct dfa *d, const struct prog *p, unsigned behind)
{
    struct inst_set *s = &d->to;
    bool pending;
    if (reduce(s, p, behind, &pending))
        return MARK_MATCH;
    bool may_begin_later = !p->anchored_start && (p->assertions & AT_BEGIN_LINE);
    if (s->n == 0 && !may_begin_later)
        return MARK_DEAD;
    struct state head = {.n_insts = (uint32_t)s->n, .pending = pending};
    head.behind = (uint16_t)(pending ? behind : 0);
    head.hash = hash_insts(s->dense, s->n, head.behind);
    grow_slots(d);
    size_t at = head.hash & (d->n_slots - 1);
    for (; d->slots[at]; at = (at + 1) & (d->n_slots - 1)) {
        const struct state *st = &d->states[d->slots[at] - 1];
        if (st->hash == head.hash && st->n_insts == s->n && st->behind == head.behind &&
            (s->n == 0 || memcmp(d->pool + st->insts_at, s->dense, s->n * sizeof *s->dense) == 0))
            return row_of_state(d, d->slots[at] - 1);
    }
    if (d->n_states >= d->max_states || d->n_pool + s->n > MAX_POOL) {
        if (d->read_bytes < d->n_states * BYTES_PER_STATE || s->n > MAX_POOL) {
            d->useless = true;
            return MARK_UNKNOWN;
        }
        forget_states(d);
        at = head.hash & (d->n_slots - 1);
    }
    d->slots[at] = (uint32_t)d->n_states + 1;
    return new_state(d, s->dense, head);
}

/* ---- steps ---- */

/* Only what some assertion of the program could ask for. */
static unsigned keep_behind(const struct prog *p, unsigned behind)
{
    if (!(p->assertions & (AT_WORD_EDGE | AT_NO_WORD_EDGE)))
        behind &= ~(unsigned)AFTER_WORD;
    if (!(p->assertions & AT_BEGIN_LINE))
        behind &= ~(unsigned)AFTER_NEWLINE;
    if (!(p->assertions & AT_BEHIND))
        behind &= ~(unsigned)AFTER_START;
    return behind;
}

uint32_t dfa_start_row(struct dfa *d, const struct prog *p)
{
    if (d->start == MARK_UNKNOWN) {
        unsigned behind = keep_behind(p, AFTER_START);
        d->to.n = 0;
        close_over(d, p, &d->to, p->start, truths_behind(behind));
        d->start = make_state(d, p, behind);
    }
    return d->start;
}

static unsigned truths_ahead(const struct dfa *d, const struct prog *p, unsigned behind,
                             uint32_t column)
{
    bool end = column == d->end_column;
    bool word = !end && prog_is_word_class(p, column);
    unsigned t = word != !!(behind & AFTER_WORD) ? AT_WORD_EDGE : AT_NO_WORD_EDGE;
    if (end)
        t |= AT_END_TEXT;
    if (end || column == p->newline_class)
        t |= AT_END_LINE;
    return t;
}

/* Fills d->from with what the state holds now that its next rune is known; true for a match. */
static bool look_ahead(struct dfa *d, const struct prog *p, const struct state *st, uint32_t column)
{
    d->from.n = 0;
    const uint32_t *insts = d->pool + st->insts_at;
    if (!st->pending) {
        if (st->n_insts)
            memcpy(d->from.dense, insts, st->n_insts * sizeof *insts);
        d->from.n = st->n_insts;
        return false;
    }
    unsigned truths = truths_behind(st->behind) | truths_ahead(d, p, st->behind, column);
    for (uint32_t i = 0; i < st->n_insts; i++)
        close_over(d, p, &d->from, insts[i], truths);
    for (size_t i = 0; i < d->from.n; i++)
        if (p->insts[d->from.dense[i]].op == INST_MATCH)
            return true;
    return false;
}

/* Computes and notes where `row` leads on a class or the end. */
static uint32_t step(struct dfa *d, const struct prog *p, uint32_t row, uint32_t column)
{
    struct state st = d->states[state_of_row(d, row)];
    uint32_t next = MARK_DEAD;
    size_t generation = d->generation;
    if (look_ahead(d, p, &st, column)) {
        next = MARK_MATCH;
    } else if (column != d->end_column) {
        unsigned behind = keep_behind(p, (column == p->newline_class ? AFTER_NEWLINE : 0) |
                                             (prog_is_word_class(p, column) ? AFTER_WORD : 0));
        unsigned truths = truths_behind(behind);
        d->to.n = 0;
        for (size_t i = 0; i < d->from.n; i++) {
            struct inst in = p->insts[d->from.dense[i]];
            if ((in.op == INST_CLASS || in.op == INST_SET) && prog_takes(p, in, column))
                close_over(d, p, &d->to, in.next, truths);
        }
        if (!p->anchored_start)
            close_over(d, p, &d->to, p->start, truths);
        next = make_state(d, p, behind);
    }
    if (generation == d->generation)
        d->rows[row + column] = next;
    return next;
}

uint32_t dfa_row_after(struct dfa *d, const struct prog *p, uint32_t row, uint32_t column)
{
    uint32_t next = d->rows[row + column];
    return next != MARK_UNKNOWN ? next : step(d, p, row, column);
}

/* Runs over bytes whose rows are known; returns where one is not, or a mark is met. */
static inline const char *run(const struct dfa *d, uint32_t *row, const char *at, const char *end)
{
    const uint32_t *rows = d->rows;
    uint32_t here = *row;
    while (at < end) {
        uint32_t next = rows[here + d->column[(unsigned char)*at]];
        if (next < FIRST_ROW)
            break;
        here = next;
        at++;
    }
    *row = here;
    return at;
}

enum dfa_verdict dfa_search(struct dfa *d, const struct prog *p, struct str_view text)
{
    if (d->useless)
        return DFA_GAVE_UP;
    const char *at = text.p, *end = text.p + text.len, *counted = at;
    uint32_t row = dfa_start_row(d, p);
    while (row >= FIRST_ROW) {
        at = run(d, &row, at, end);
        d->read_bytes += (size_t)(at - counted);
        counted = at;
        if (at == end) {
            row = dfa_row_after(d, p, row, d->end_column);
            break;
        }
        unsigned width;
        uint32_t class = prog_class_at(p, at, (size_t)(end - at), &width);
        row = dfa_row_after(d, p, row, class);
        at += width;
    }
    if (row == MARK_UNKNOWN)
        return DFA_GAVE_UP;
    return row == MARK_MATCH ? DFA_YES : DFA_NO;
}
