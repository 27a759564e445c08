/* SPDX-License-Identifier: Apache-2.0 */
/* One pass from left to right with an explicit stack of open groups, so that no pattern can
 * exhaust ours.  `items` holds the pieces of the alternative being read, `alts` the finished
 * alternatives; each open group remembers where its own begin. */
#include "regex/syntax.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/bytes.h"
#include "regex/classparse.h"

struct open_group {
    size_t items_from, alts_from;
    unsigned flags_outside; /* in force again after the ) */
    uint32_t group;         /* 0: (?: */
};

struct pattern_parser {
    struct parse_in in;
    struct arena *arena;
    struct tree *tree;
    struct node **items, **alts;
    size_t n_items, cap_items, n_alts, cap_alts;
    struct open_group *open; /* [0] is the whole pattern */
    size_t n_open, cap_open;
    size_t cap_names;
    unsigned flags;
    size_t repeat_at; /* where the repetition just read begins, or SIZE_MAX */
};

static int fail(struct pattern_parser *ps, const char *what, struct str_view where)
{
    return parse_fail(&ps->in, what, where);
}

static int check_limits(struct pattern_parser *ps, const struct node *n)
{
    if (n->height > TREE_MAX_HEIGHT)
        return fail(ps, "expression nests too deeply", ps->in.pattern);
    if (n->size > TREE_MAX_SIZE || ps->tree->sets.work > PARSE_MAX_SET_WORK)
        return fail(ps, "expression too large", ps->in.pattern);
    return 0;
}

static struct node *new_node(struct pattern_parser *ps, enum node_op op)
{
    struct node *n = ARENA_NEW(ps->arena, struct node);
    n->op = op;
    n->height = 1;
    n->size = 1;
    return n;
}

static int push(struct pattern_parser *ps, struct node *n)
{
    ps->items = mem_grow(ps->items, &ps->cap_items, ps->n_items + 1, sizeof(struct node *));
    ps->items[ps->n_items++] = n;
    return check_limits(ps, n);
}

static int push_op(struct pattern_parser *ps, enum node_op op)
{
    return push(ps, new_node(ps, op));
}

static int push_rune(struct pattern_parser *ps, uint32_t rune)
{
    struct node *n = new_node(ps, NODE_RUNE);
    n->rune = rune;
    n->fold = (ps->flags & TREE_FOLD) && unicode_fold_next(rune) != rune;
    return push(ps, n);
}

static int push_set(struct pattern_parser *ps, const struct rune_set *set)
{
    struct node *n = new_node(ps, NODE_SET);
    n->set = set;
    if (set->n == 1 && set->r[0].lo == set->r[0].hi) {
        n->op = NODE_RUNE;
        n->rune = set->r[0].lo;
    }
    return push(ps, n);
}

/* Joins list heads: nested concatenations and alternations become flat. */
static struct node *gather(struct pattern_parser *ps, enum node_op op, struct node **parts,
                           size_t n)
{
    if (n == 1)
        return parts[0];
    struct node *whole = new_node(ps, op);
    whole->size = op == NODE_ALTERNATE ? n - 1 : 0;
    for (size_t i = 0; i < n; i++) {
        struct node *part = parts[i];
        bool flat = part->op == op;
        struct node *first = flat ? part->first : part, *last = flat ? part->last : part;
        if (whole->last)
            whole->last->next = first;
        else
            whole->first = first;
        whole->last = last;
        uint32_t height = flat ? part->height : part->height + 1;
        if (height > whole->height)
            whole->height = height;
        if (part->product > whole->product)
            whole->product = part->product;
        whole->size += part->size;
    }
    return whole;
}

/* Ends the alternative being read. */
static int end_alternative(struct pattern_parser *ps)
{
    size_t from = ps->open[ps->n_open - 1].items_from;
    struct node *n = ps->n_items == from
                         ? new_node(ps, NODE_EMPTY)
                         : gather(ps, NODE_CONCAT, ps->items + from, ps->n_items - from);
    ps->n_items = from;
    ps->alts = mem_grow(ps->alts, &ps->cap_alts, ps->n_alts + 1, sizeof(struct node *));
    ps->alts[ps->n_alts++] = n;
    return check_limits(ps, n);
}

/* Ends the innermost group and puts its node on the items of the one around it. */
static int end_group(struct pattern_parser *ps)
{
    int r = end_alternative(ps);
    if (r < 0)
        return r;
    struct open_group g = ps->open[--ps->n_open];
    struct node *n = gather(ps, NODE_ALTERNATE, ps->alts + g.alts_from, ps->n_alts - g.alts_from);
    ps->n_alts = g.alts_from;
    ps->flags = g.flags_outside;
    if (g.group > 0) {
        struct node *capture = new_node(ps, NODE_CAPTURE);
        capture->group = g.group;
        capture->first = capture->last = n;
        capture->height = n->height + 1;
        capture->product = n->product;
        capture->size = n->size + 2;
        n = capture;
    }
    return push(ps, n);
}

static void open_group(struct pattern_parser *ps, uint32_t group, unsigned flags_inside)
{
    ps->open = mem_grow(ps->open, &ps->cap_open, ps->n_open + 1, sizeof *ps->open);
    ps->open[ps->n_open++] = (struct open_group){ps->n_items, ps->n_alts, ps->flags, group};
    ps->flags = flags_inside;
}

static void open_capture(struct pattern_parser *ps, struct str_view name)
{
    struct tree *t = ps->tree;
    t->names = mem_grow(t->names, &ps->cap_names, t->n_groups + 1, sizeof *t->names);
    t->names[t->n_groups] = name;
    open_group(ps, (uint32_t)t->n_groups, ps->flags);
    t->n_groups++;
}

static uint64_t repeated_size(int min, int max, uint64_t size)
{
    uint64_t lo = (uint64_t)min, hi = (uint64_t)max, n;
    if (max < 0)
        n = min == 0 ? 2 + size : min == 1 ? 1 + size : 1 + lo * size;
    else if (min == 0 && max == 1)
        n = 1 + size;
    else
        n = hi * size + (hi - lo);
    return n ? n : 1;
}

/* {n,m} written with braces multiplies the counts inside it, and Go limits that product. */
static uint32_t repeated_product(const struct node *sub, int min, int max, bool braces)
{
    uint32_t inner = sub->product;
    if (!braces)
        return inner;
    if (max == 0)
        return 0;
    uint32_t count = (uint32_t)(max < 0 ? min : max);
    if (count == 0)
        return inner;
    uint64_t product = (uint64_t)count * (inner ? inner : 1);
    return product > TREE_MAX_REPEAT ? TREE_MAX_REPEAT + 1 : (uint32_t)product;
}

/* The operator stands at [at, in.at); a ? after it makes it lazy. */
static int repeat(struct pattern_parser *ps, size_t at, size_t last_at, int min, int max,
                  bool braces)
{
    struct parse_in *in = &ps->in;
    bool lazy = ps->flags & TREE_UNGREEDY;
    if (parse_peek(in, '?')) {
        in->at++;
        lazy = !lazy;
    }
    struct str_view op = parse_text(in, at, in->at);
    if (last_at != SIZE_MAX)
        return fail(ps, "invalid nested repetition operator", parse_text(in, last_at, in->at));
    if (ps->n_items == ps->open[ps->n_open - 1].items_from)
        return fail(ps, "missing argument to repetition operator", op);
    struct node *sub = ps->items[--ps->n_items];
    struct node *n = new_node(ps, NODE_REPEAT);
    n->min = min;
    n->max = max;
    n->lazy = lazy;
    n->first = n->last = sub;
    n->height = sub->height + 1;
    n->size = repeated_size(min, max, sub->size);
    n->product = repeated_product(sub, min, max, braces);
    if (braces && (min >= 2 || max >= 2) && n->product > TREE_MAX_REPEAT)
        return fail(ps, "invalid repeat count", op);
    ps->repeat_at = at;
    return push(ps, n);
}

/* Digits at in->at: false when there are none or a leading zero; -1 when absurdly many. */
static bool read_count(struct parse_in *in, int *ret)
{
    struct str_view rest = sv_from(in->pattern, in->at);
    size_t n = 0;
    while (n < rest.len && ascii_is_digit(rest.p[n]))
        n++;
    if (n == 0 || (n > 1 && rest.p[0] == '0'))
        return false;
    in->at += n;
    uint64_t v;
    *ret = n <= 9 && sv_to_u64(sv_sub(rest, 0, n), &v) && v < 100000000 ? (int)v : -1;
    return true;
}

/* {n} {n,} {n,m} at in->at; false (in->at unchanged) when it is not one and { is itself. */
static bool read_braces(struct parse_in *in, int *ret_min, int *ret_max)
{
    size_t start = in->at++;
    bool ok = read_count(in, ret_min);
    *ret_max = *ret_min;
    if (ok && parse_peek(in, ',')) {
        in->at++;
        *ret_max = -1;
        if (!parse_peek(in, '}')) {
            ok = read_count(in, ret_max);
            if (ok && *ret_max < 0)
                *ret_min = -1; /* too big: refused like a big minimum */
        }
    }
    if (ok && parse_peek(in, '}')) {
        in->at++;
        return true;
    }
    in->at = start;
    return false;
}

static int parse_braces(struct pattern_parser *ps, size_t last_at)
{
    struct parse_in *in = &ps->in;
    size_t at = in->at;
    int min = 0, max = 0;
    if (!read_braces(in, &min, &max)) {
        in->at++;
        return push_rune(ps, '{');
    }
    if (min < 0 || min > TREE_MAX_REPEAT || max > TREE_MAX_REPEAT || (max >= 0 && min > max))
        return fail(ps, "invalid repeat count", parse_text(in, at, in->at));
    return repeat(ps, at, last_at, min, max, true);
}

static bool is_group_name(struct str_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_is_word(name.p[i]))
            return false;
    }
    return name.len > 0;
}

/* (?P<name> or (?<name>; `skip` bytes stand before the name. */
static int parse_named(struct pattern_parser *ps, size_t skip)
{
    struct parse_in *in = &ps->in;
    struct str_view rest = sv_from(in->pattern, in->at);
    size_t end = sv_find_byte(rest, '>');
    bool closed = end < rest.len;
    struct str_view name = closed ? sv_sub(rest, skip, end - skip) : rest;
    int r = parse_check_utf8(in, name);
    if (r < 0)
        return r;
    if (!closed || !is_group_name(name))
        return fail(ps, "invalid named capture", closed ? sv_sub(rest, 0, end + 1) : rest);
    in->at += end + 1;
    open_capture(ps, name);
    return 0;
}

/* (?flags) or (?flags: */
static int parse_flags(struct pattern_parser *ps)
{
    struct parse_in *in = &ps->in;
    size_t start = in->at;
    in->at += 2;
    unsigned set = 0, cleared = 0;
    bool minus = false, any_after_minus = false;
    while (in->at < in->pattern.len) {
        uint32_t c;
        int r = parse_rune(in, &c);
        if (r < 0)
            return r;
        unsigned flag = c == 'i'   ? TREE_FOLD
                        : c == 'm' ? TREE_MULTILINE
                        : c == 's' ? TREE_DOTALL
                        : c == 'U' ? TREE_UNGREEDY
                                   : 0;
        if (flag) {
            *(minus ? &cleared : &set) |= flag;
            any_after_minus = minus;
        } else if (c == '-' && !minus) {
            minus = true;
        } else if ((c == ':' || c == ')') && minus == any_after_minus) {
            unsigned flags = (ps->flags | set) & ~cleared;
            if (c == ':')
                open_group(ps, 0, flags);
            else
                ps->flags = flags;
            return 0;
        } else {
            break;
        }
    }
    return fail(ps, "invalid or unsupported Perl syntax", parse_text(in, start, in->at));
}

static int parse_open(struct pattern_parser *ps)
{
    struct parse_in *in = &ps->in;
    struct str_view rest = sv_from(in->pattern, in->at);
    if (!sv_starts_with(rest, SV("(?"))) {
        in->at++;
        open_capture(ps, SV_EMPTY);
        return 0;
    }
    if (rest.len > 4 && sv_starts_with(rest, SV("(?P<")))
        return parse_named(ps, 4);
    if (rest.len > 3 && sv_starts_with(rest, SV("(?<")))
        return parse_named(ps, 3);
    return parse_flags(ps);
}

static int parse_close(struct pattern_parser *ps)
{
    if (ps->n_open == 1)
        return fail(ps, "unexpected )", ps->in.pattern);
    ps->in.at++;
    return end_group(ps);
}

/* \Q...\E: every rune in between is itself. */
static int parse_quoted(struct pattern_parser *ps)
{
    struct parse_in *in = &ps->in;
    in->at += 2;
    size_t len = sv_find(sv_from(in->pattern, in->at), SV("\\E"));
    size_t end = len == SIZE_MAX ? in->pattern.len : in->at + len;
    struct parse_in quoted = *in; /* an error shows only what is quoted */
    quoted.pattern.len = end;
    while (quoted.at < end) {
        uint32_t rune;
        int r = parse_rune(&quoted, &rune);
        if (r == 0)
            r = push_rune(ps, rune);
        if (r < 0)
            return r;
    }
    in->at = len == SIZE_MAX ? end : end + 2;
    return 0;
}

static int push_dot(struct pattern_parser *ps)
{
    CLEANUP(set_builder_deinit) struct set_builder b = {0};
    if (!(ps->flags & TREE_DOTALL))
        set_builder_add(&b, '\n', '\n');
    ps->in.at++;
    return push_set(ps, set_pool_intern(&ps->tree->sets, &b, true));
}

static int parse_backslash(struct pattern_parser *ps)
{
    struct parse_in *in = &ps->in;
    bool fold = ps->flags & TREE_FOLD;
    char c = in->at + 1 < in->pattern.len ? in->pattern.p[in->at + 1] : '\0';
    static const struct {
        char letter;
        enum node_op op;
    } edges[] = {{'A', NODE_BEGIN_TEXT},
                 {'z', NODE_END_TEXT},
                 {'b', NODE_WORD_EDGE},
                 {'B', NODE_NO_WORD_EDGE}};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        if (edges[i].letter == c) {
            in->at += 2;
            return push_op(ps, edges[i].op);
        }
    }
    if (c == 'Q')
        return parse_quoted(ps);
    const struct rune_set *set = NULL;
    int r = parse_class_escape(in, &ps->tree->sets, fold, &set);
    if (r < 0)
        return r;
    if (set)
        return push_set(ps, set);
    uint32_t rune;
    r = parse_escape(in, &rune);
    return r < 0 ? r : push_rune(ps, rune);
}

static int parse_bracket(struct pattern_parser *ps)
{
    const struct rune_set *set;
    int r = parse_class(&ps->in, &ps->tree->sets, ps->flags & TREE_FOLD, &set);
    return r < 0 ? r : push_set(ps, set);
}

static int parse_one(struct pattern_parser *ps)
{
    struct parse_in *in = &ps->in;
    size_t at = in->at, last_at = ps->repeat_at;
    bool multiline = ps->flags & TREE_MULTILINE;
    ps->repeat_at = SIZE_MAX;
    uint32_t rune;
    int r;
    switch (in->pattern.p[at]) {
    case '(':
        return parse_open(ps);
    case ')':
        return parse_close(ps);
    case '|':
        in->at++;
        return end_alternative(ps);
    case '^':
        in->at++;
        return push_op(ps, multiline ? NODE_BEGIN_LINE : NODE_BEGIN_TEXT);
    case '$':
        in->at++;
        return push_op(ps, multiline ? NODE_END_LINE : NODE_END_TEXT);
    case '.':
        return push_dot(ps);
    case '[':
        return parse_bracket(ps);
    case '\\':
        return parse_backslash(ps);
    case '*':
        in->at++;
        return repeat(ps, at, last_at, 0, -1, false);
    case '+':
        in->at++;
        return repeat(ps, at, last_at, 1, -1, false);
    case '?':
        in->at++;
        return repeat(ps, at, last_at, 0, 1, false);
    case '{':
        return parse_braces(ps, last_at);
    default:
        r = parse_rune(in, &rune);
        return r < 0 ? r : push_rune(ps, rune);
    }
}

static int parse_all(struct pattern_parser *ps)
{
    open_capture(ps, SV_EMPTY); /* group 0: the whole */
    ps->open[0].group = 0;
    while (ps->in.at < ps->in.pattern.len) {
        int r = parse_one(ps);
        if (r < 0)
            return r;
    }
    if (ps->n_open > 1)
        return fail(ps, "missing closing )", ps->in.pattern);
    int r = end_group(ps);
    if (r == 0)
        ps->tree->root = ps->items[0];
    return r;
}

int tree_parse(struct tree *ret, struct arena *arena, struct str_view pattern, unsigned flags,
               struct err *err)
{
    struct tree tree = {0};
    set_pool_init(&tree.sets, arena);
    struct pattern_parser ps = {.in = {pattern, 0, err},
                                .arena = arena,
                                .tree = &tree,
                                .flags = flags,
                                .repeat_at = SIZE_MAX};
    int r = parse_all(&ps);
    free(ps.items);
    free(ps.alts);
    free(ps.open);
    if (r < 0)
        tree_deinit(&tree);
    else
        *ret = tree;
    return r;
}

void tree_deinit(struct tree *t)
{
    free(t->names);
    set_pool_deinit(&t->sets);
    *t = (struct tree){0};
}
