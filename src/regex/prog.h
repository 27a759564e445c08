/* SPDX-License-Identifier: Apache-2.0 */
/* prog.h - a tree as a program for the matchers.
 * Runes that no part of the regex tells apart form one class; the program only knows classes.
 * That keeps DFA rows short and gives invalid bytes their meaning at one place, where text becomes
 * runes.  ASCII classes have the smallest numbers. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "regex/syntax.h"

enum inst_op {
    INST_CLASS,  /* consumes a rune of class arg, then next */
    INST_SET,    /* consumes a rune whose class is in set arg, then next */
    INST_ALT,    /* next, or arg when next leads nowhere */
    INST_ASSERT, /* if all of the assertions in arg hold, next */
    INST_SAVE,   /* position into slot arg, then next */
    INST_MATCH,
};

enum assertion {
    AT_BEGIN_LINE = 1,
    AT_END_LINE = 2,
    AT_BEGIN_TEXT = 4,
    AT_END_TEXT = 8,
    AT_WORD_EDGE = 16,
    AT_NO_WORD_EDGE = 32,
};
enum {
    AT_BEHIND = AT_BEGIN_LINE | AT_BEGIN_TEXT, /* known from what was read */
    AT_AHEAD = AT_END_LINE | AT_END_TEXT | AT_WORD_EDGE | AT_NO_WORD_EDGE,
};

struct inst {
    uint32_t op : 3;
    uint32_t next : 29;
    uint32_t arg;
};

enum { NO_JOIN = UINT32_MAX, MAX_RUNS = 16, LOOK = 2 };

/* A loop over one set of runes, taken in one go by a backtracking matcher. */
enum run_kind {
    RUN_EXCLUSIVE, /* it can only be left where its set ends: what follows begins with none of it */
    RUN_GREEDY,    /* what follows must begin with a byte of `leads`: other places are not tried */
    RUN_LAZY,      /* the same, from the near end */
};
struct prog_run {
    enum run_kind kind;
    uint32_t alt;       /* the loop's INST_ALT */
    uint32_t body;      /* its INST_CLASS or INST_SET */
    uint32_t exit;      /* where it goes on */
    uint8_t takes[256]; /* by byte: 0, 1, or LOOK for those that are not ASCII */
    uint8_t leads[256]; /* by byte, all from 0x80 on equal; unused when exclusive */
    int only_lead;      /* the one such byte, or -1 */
};

struct class_start {
    uint32_t rune, class; /* runes from here to the next entry */
};

struct prog {
    struct inst *insts;
    size_t n_insts, cap_insts;
    uint32_t *join; /* per instruction: its number among those with several ways in, or NO_JOIN */
    size_t n_joins;
    struct prog_run *runs; /* their ALTs have no join */
    size_t n_runs;
    uint8_t *run_of;         /* per instruction: index in runs + 1, or 0; NULL without runs */
    bool has_first;          /* a match is never empty and begins with a byte of first_byte */
    int only_first;          /* the one such byte, or -1 */
    uint8_t first_byte[256]; /* all bytes from 0x80 on are equal */
    uint32_t start;
    size_t n_groups;
    unsigned assertions; /* all that occur */
    bool anchored_start; /* every match begins at the start of the text */
    uint32_t n_classes;
    uint8_t ascii_class[128];
    uint32_t bad_class;         /* of U+FFFD and invalid bytes */
    uint32_t newline_class;     /* \n alone */
    struct class_start *starts; /* runes from 0x80 on; the first entry is 0x80 */
    size_t n_starts;
    uint64_t *set_bits; /* n_sets rows of set_words: one bit per class */
    size_t n_sets, set_words;
    uint64_t word_classes[2]; /* of ASCII classes: bit set when it holds word characters */
};

/* The whole tree matched anywhere; ERR_INVALID when the program would be too large. */
int prog_compile(struct prog *ret, struct tree *tree, struct err *err);
void prog_deinit(struct prog *p);
/* The program inside a compiled regex. */
struct regex;
const struct prog *regex_prog(const struct regex *re);

uint32_t prog_class_of_rune(const struct prog *p, uint32_t rune);

/* The class of the rune at p, its width into *ret_width; len >= 1. */
static inline uint32_t prog_class_at(const struct prog *pr, const char *p, size_t len,
                                     unsigned *ret_width)
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x80) {
        *ret_width = 1;
        return pr->ascii_class[c];
    }
    uint32_t rune;
    *ret_width = rune_decode(p, len, &rune);
    return prog_class_of_rune(pr, rune);
}

static inline bool prog_set_has(const struct prog *p, uint32_t set, uint32_t class)
{
    return p->set_bits[set * p->set_words + class / 64] >> (class % 64) & 1;
}

static inline bool prog_is_word_class(const struct prog *p, uint32_t class)
{
    return class < 128 && p->word_classes[class / 64] >> (class % 64) & 1;
}

static inline bool prog_takes(const struct prog *p, struct inst in, uint32_t class)
{
    return in.op == INST_CLASS ? in.arg == class : prog_set_has(p, in.arg, class);
}
