/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/label_test.h"

#include "base/values.h"

static bool is_regex(enum match_op op)
{
    return op == MATCH_RE || op == MATCH_NRE;
}

struct emitting {
    const struct label_filter *f;
    int phase;      /* of AND, OR: how many sides are done */
    size_t skip_at; /* of OR: the instruction to be patched */
};

struct emitter {
    struct label_instr *v;
    size_t n, cap;
    struct emitting *todo;
    size_t n_todo, cap_todo;
};

static struct label_instr *emit(struct emitter *e, enum label_instr_kind kind)
{
    e->v = mem_grow(e->v, &e->cap, e->n + 1, sizeof *e->v);
    e->v[e->n] = (struct label_instr){.kind = kind};
    return &e->v[e->n++];
}

static void descend(struct emitter *e, const struct label_filter *f)
{
    e->todo = mem_grow(e->todo, &e->cap_todo, e->n_todo + 1, sizeof *e->todo);
    e->todo[e->n_todo++] = (struct emitting){.f = f};
}

static int emit_test(struct emitter *e, const struct label_filter *f, struct compile *c,
                     struct err *err)
{
    struct label_instr *i = emit(e, LABEL_INSTR_TEST);
    i->filter = f;
    if (f->kind == LABEL_FILTER_STRING && is_regex(f->string.op))
        return compile_regex(c, f->string.value, REGEX_FULL, &i->regex, err);
    return f->kind == LABEL_FILTER_IP ? ip_range_parse(f->ip.text, &i->ip, err) : 0;
}

/* One visit of the newest pending node. */
static int emit_next(struct emitter *e, struct compile *c, struct err *err)
{
    struct emitting *at = &e->todo[e->n_todo - 1];
    const struct label_filter *f = at->f;
    if (f->kind != LABEL_FILTER_AND && f->kind != LABEL_FILTER_OR) {
        e->n_todo--;
        return emit_test(e, f, c, err);
    }
    switch (at->phase++) {
    case 0:
        descend(e, f->pair.left);
        return 0;
    case 1:
        at->skip_at = e->n;
        emit(e, f->kind == LABEL_FILTER_AND ? LABEL_INSTR_PUSH : LABEL_INSTR_SKIP_IF_TRUE);
        descend(e, f->pair.right);
        return 0;
    default:
        if (f->kind == LABEL_FILTER_AND)
            emit(e, LABEL_INSTR_AND);
        else
            e->v[at->skip_at].target = e->n;
        e->n_todo--;
        return 0;
    }
}

int label_test_compile(struct label_test *t, const struct label_filter *f, struct compile *c,
                       struct err *err)
{
    struct emitter e = {0};
    descend(&e, f);
    int r = 0;
    while (e.n_todo && r == 0)
        r = emit_next(&e, c, err);
    *t = (struct label_test){arena_alloc(c->arena, (e.n + 1) * sizeof *t->v), e.n};
    memcpy(t->v, e.v, e.n * sizeof *t->v);
    free(e.v);
    free(e.todo);
    if (r < 0)
        label_test_deinit(t);
    return r;
}

void label_test_deinit(struct label_test *t)
{
    for (size_t i = 0; i < t->n; i++)
        regex_unref(t->v[i].regex);
    t->n = 0;
}

const struct label_instr *label_test_one_string(const struct label_test *t)
{
    return t->n == 1 && t->v[0].filter->kind == LABEL_FILTER_STRING ? &t->v[0] : NULL;
}

static bool string_passes(enum match_op op, struct str_view wanted, const struct regex *re,
                          struct str_view value, struct regex_scratch *scratch)
{
    switch (op) {
    case MATCH_EQ:
        return sv_eq(value, wanted);
    case MATCH_NE:
        return !sv_eq(value, wanted);
    case MATCH_RE:
        return regex_matches(re, scratch, value);
    case MATCH_NRE:
        return !regex_matches(re, scratch, value);
    }
    return false;
}

bool label_instr_string(const struct label_instr *i, struct str_view value,
                        struct regex_scratch *scratch)
{
    return string_passes(i->filter->string.op, i->filter->string.value, i->regex, value, scratch);
}

/* NaN compares false except with !=. */
#define COMPARE(op, a, b)                                                                          \
    ((op) == CMP_EQ   ? (a) == (b)                                                                 \
     : (op) == CMP_NE ? (a) != (b)                                                                 \
     : (op) == CMP_GT ? (a) > (b)                                                                  \
     : (op) == CMP_GE ? (a) >= (b)                                                                 \
     : (op) == CMP_LT ? (a) < (b)                                                                  \
                      : (a) <= (b))

static bool keep_with_error(struct labels_builder *b, const struct err *err)
{
    labels_builder_set_error_once(b, SV("LabelFilterErr"),
                                  arena_copy(labels_builder_arena(b), sv_of(err->text)));
    return true;
}

static bool number_keeps(const struct label_filter *f, struct labels_builder *b,
                         struct str_view value)
{
    struct err err = ERR_INIT;
    double v;
    if (number_parse(value, &v, &err) < 0)
        return keep_with_error(b, &err);
    return COMPARE(f->number.op, v, f->number.value);
}

static bool duration_keeps(const struct label_filter *f, struct labels_builder *b,
                           struct str_view value)
{
    struct err err = ERR_INIT;
    int64_t v;
    if (duration_parse_go(value, &v, &err) < 0)
        return keep_with_error(b, &err);
    return COMPARE(f->duration.op, v, f->duration.ns);
}

static bool bytes_keeps(const struct label_filter *f, struct labels_builder *b,
                        struct str_view value)
{
    struct err err = ERR_INIT;
    uint64_t v;
    if (bytesize_parse(value, &v, &err) < 0)
        return keep_with_error(b, &err);
    return COMPARE(f->bytes.op, v, f->bytes.value);
}

static bool string_keeps(const struct label_instr *i, struct labels_builder *b,
                         struct regex_scratch *scratch)
{
    struct str_view value;
    if (sv_eq(i->filter->name, SV("__error__")))
        value = b->error.p ? b->error : SV_EMPTY;
    else
        labels_builder_get(b, i->filter->name, &value);
    return label_instr_string(i, value, scratch);
}

static bool instr_keeps(const struct label_instr *i, struct labels_builder *b,
                        struct regex_scratch *scratch)
{
    const struct label_filter *f = i->filter;
    if (f->kind == LABEL_FILTER_STRING)
        return string_keeps(i, b, scratch);
    if (f->kind == LABEL_FILTER_IP && labels_builder_has_error(b))
        return true;
    struct str_view value;
    if (!labels_builder_get(b, f->name, &value))
        return false;
    switch (f->kind) {
    case LABEL_FILTER_NUMBER:
        return number_keeps(f, b, value);
    case LABEL_FILTER_DURATION:
        return duration_keeps(f, b, value);
    case LABEL_FILTER_BYTES:
        return bytes_keeps(f, b, value);
    default:
        return ip_range_in_text(&i->ip, value) != f->ip.negated;
    }
}

bool label_test_keeps(const struct label_test *t, struct labels_builder *b,
                      struct regex_scratch *scratch)
{
    uint64_t saved[(LABEL_FILTER_MAX_DEPTH + 63) / 64 + 1];
    size_t depth = 0;
    bool verdict = true;
    for (size_t i = 0; i < t->n; i++) {
        const struct label_instr *in = &t->v[i];
        switch (in->kind) {
        case LABEL_INSTR_TEST:
            verdict = instr_keeps(in, b, scratch);
            break;
        case LABEL_INSTR_PUSH: {
            uint64_t bit = UINT64_C(1) << (depth % 64);
            saved[depth / 64] = depth % 64 ? saved[depth / 64] & (bit - 1) : 0;
            saved[depth / 64] |= verdict ? bit : 0;
            depth++;
            break;
        }
        case LABEL_INSTR_AND:
            depth--;
            verdict &= saved[depth / 64] >> (depth % 64) & 1;
            break;
        case LABEL_INSTR_SKIP_IF_TRUE:
            if (verdict)
                i = in->target - 1;
            break;
        }
    }
    return verdict;
}

int named_test_compile(struct named_test *t, const struct named_label *n, struct compile *c,
                       struct err *err)
{
    *t = (struct named_test){.named = n};
    return n->has_matcher && is_regex(n->op)
               ? compile_regex(c, n->value, REGEX_FULL, &t->regex, err)
               : 0;
}

void named_test_deinit(struct named_test *t)
{
    regex_unref(t->regex);
    t->regex = NULL;
}

bool named_test_value(const struct named_test *t, struct str_view value,
                      struct regex_scratch *scratch)
{
    return !t->named->has_matcher ||
           string_passes(t->named->op, t->named->value, t->regex, value, scratch);
}
