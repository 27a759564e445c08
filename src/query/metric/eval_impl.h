/* SPDX-License-Identifier: Apache-2.0 */
/* eval_impl.h - what the operators of the evaluator share; only eval*.c include it. */
#pragma once
#include "filter/compile.h"
#include "query/metric/eval.h"

struct eval_sample {
    uint32_t series; /* in eval.set */
    double value;
};
struct eval_vec {
    struct eval_sample *v;
    size_t n, cap;
};
static inline void vec_put(struct eval_vec *vec, uint32_t series, double value)
{
    if (vec->n == vec->cap)
        vec->v = mem_grow(vec->v, &vec->cap, vec->n + 1, sizeof *vec->v);
    vec->v[vec->n++] = (struct eval_sample){series, value};
}

enum { NO_SERIES = UINT32_MAX };

/* Series number -> what an operator made of it; NO_SERIES where it was not asked yet. */
struct series_map {
    uint32_t *v;
    size_t cap;
};
void series_map_deinit(struct series_map *m);
/* The cell of that key; grows the map. */
uint32_t *series_map_at(struct series_map *m, uint32_t key);

/* Series number -> slot, forgotten at each step. */
struct step_slots {
    uint32_t *stamp, *slot;
    size_t cap_slot; /* of both */
    uint32_t now;    /* the step, from 1 on: see step_slots_clear */
};
void step_slots_deinit(struct step_slots *s);
void step_slots_clear(struct step_slots *s);
/* NO_SERIES when the key has none in this step. */
uint32_t step_slots_get(const struct step_slots *s, uint32_t key);
void step_slots_set(struct step_slots *s, uint32_t key, uint32_t slot);

struct agg_group;

struct eval_node {
    const struct logql_expr *expr;
    bool is_scalar;
    uint32_t left, right; /* nodes; NO_SERIES for none */
    uint32_t leaf;        /* of RANGE_AGG */
    struct eval_vec out;  /* of this step */
    struct series_map map_left, map_right, map_result, map_pair;
    struct step_slots slots, used;
    struct agg_group *groups;
    size_t n_groups, cap_groups;
    struct eval_vec scratch;
    struct regex *regex; /* of label_replace */
    uint64_t charged_bytes;
};

struct eval {
    struct query_control *control;
    struct eval_options options;
    struct eval_grid grid;
    struct series_set set;
    struct eval_node *nodes; /* post-order, the last is the root */
    size_t n_nodes, cap_nodes;
    struct eval_leaf **leaves;
    size_t n_leaves, cap_leaves;
    struct regex_scratch *regex_scratch;
    struct label *labels; /* scratch of reductions */
    size_t cap_labels;
    struct buf text;
    bool keeps_order;           /* a sort stands somewhere */
    uint64_t charged_bytes;     /* all of it, */
    uint64_t charged_set_bytes; /* and of the set */
    size_t steps;               /* since somebody asked whether to end */
    /* result */
    struct eval_result result;
    struct series_map result_of; /* series -> index in result */
    size_t cap_result;
};

/* series reduced to names (keep) or without them; interned. */
uint32_t eval_reduce(struct eval *e, uint32_t series, struct name_list names, bool keep);
/* Counts the work (of some ten nanoseconds each), charges the label sets made so far, and fails
 * where the query is to end. */
int eval_spend(struct eval *e, size_t steps, struct err *err);
enum { EVAL_STEPS_PER_ASK = 4096 };
static inline int eval_check(struct eval *e, struct err *err)
{
    return e->steps >= EVAL_STEPS_PER_ASK ? eval_spend(e, 0, err) : 0;
}
int vector_agg_step(struct eval *e, struct eval_node *n, struct err *err);
size_t vector_agg_mem_bytes(const struct eval_node *n);
void vector_agg_deinit(struct eval_node *n);
int binary_step(struct eval *e, struct eval_node *n, struct err *err);
int label_replace_init(struct eval *e, struct eval_node *n, struct err *err);
int label_replace_step(struct eval *e, struct eval_node *n, struct err *err);
