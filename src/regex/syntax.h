/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.h - Go's regular expression syntax (Perl flavour) to a tree.
 * Promise: accepts and refuses what Go's regexp/syntax does, with its error texts; `(?<n>` as
 * since Go 1.22.  Nesting is at most 1000 and the expanded size at most TREE_MAX_SIZE (Go allows
 * six times that), so whoever walks the tree may recurse. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"
#include "regex/charclass.h"

enum { TREE_MAX_HEIGHT = 1000, TREE_MAX_REPEAT = 1000, TREE_MAX_SIZE = 500 * 1000 };

enum node_op {
    NODE_EMPTY,
    NODE_RUNE, /* one rune; with fold, or one that case folding makes equal */
    NODE_SET,
    NODE_BEGIN_LINE, /* (?m)^ */
    NODE_END_LINE,   /* (?m)$ */
    NODE_BEGIN_TEXT, /* ^ \A */
    NODE_END_TEXT,   /* $ \z */
    NODE_WORD_EDGE,  /* \b */
    NODE_NO_WORD_EDGE,
    NODE_CAPTURE, /* one child */
    NODE_REPEAT,  /* one child */
    NODE_CONCAT,  /* two or more children, as is */
    NODE_ALTERNATE,
};

struct node {
    enum node_op op;
    bool fold;    /* RUNE */
    bool lazy;    /* REPEAT */
    int min, max; /* REPEAT; max -1: no limit */
    uint32_t rune;
    uint32_t group;             /* CAPTURE, from 1 */
    const struct rune_set *set; /* SET */
    struct node *first, *last;  /* children */
    struct node *next;          /* sibling */
    uint32_t height;
    uint32_t product; /* of the counts of nested {n,m}, at most a little over the limit */
    uint64_t size;    /* once repeats are written out */
};

struct tree {
    struct node *root;
    struct str_view *names; /* of groups, [0] included; empty for unnamed ones; borrows pattern */
    size_t n_groups;
    struct set_pool sets;
};

enum tree_flags {
    TREE_FOLD = 1,      /* i */
    TREE_MULTILINE = 2, /* m */
    TREE_DOTALL = 4,    /* s */
    TREE_UNGREEDY = 8,  /* U */
};

/* Nodes and sets live in the arena.  On failure nothing is to be freed but the arena. */
int tree_parse(struct tree *ret, struct arena *arena, struct str_view pattern, unsigned flags,
               struct err *err);
void tree_deinit(struct tree *t);
