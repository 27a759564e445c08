/* SPDX-License-Identifier: Apache-2.0 */
/* exec_impl.h - one execution of a template from inside; exec.c, eval.c, call.c,
 * vars.c and budget.c include it.
 *     exec walks the nodes; eval gives the values of their pipelines; call calls functions.
 * Results: 0, or < 0 with x->call.err set; a result leaves through ret on success only.
 * Ownership: the caller's arena holds all values, the execution itself its stack of variables. */
#pragma once
#include "template/ast.h"
#include "template/func.h"

struct variable {
    struct str_view name;
    struct tvalue value;
};

struct texec {
    const struct template *t;
    struct tcall call;
    struct buf *out;
    size_t base; /* out->len at the start */
    size_t steps;
    size_t read_bytes;  /* that functions went through */
    size_t arena_bytes; /* at the start */
    unsigned call_depth;
    struct variable *vars; /* scopes end by cutting */
    size_t n_vars, cap_vars;
    struct tvalue root;
    bool has_root; /* the map of all labels was made */
};

/* "." at the top is not materialised until somebody looks at it whole. */
#define DOT_IS_ROOT NULL

/* Go's text of an error at a place: source is the piece of the pipe that failed. */
int texec_fail_at(struct texec *x, const struct tpipe *pipe, struct str_view source,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Every node, command and round begins with one: fails once the budget is spent or the scratch's
 * owner wants an end. */
int texec_step(struct texec *x);
/* Charges what a function went through; the next step tells whether it was too much. */
void texec_read(struct texec *x, size_t n_bytes);

void texec_set_var(struct texec *x, struct str_view name, struct tvalue v);
/* The innermost, or NULL. */
struct variable *texec_find_var(struct texec *x, struct str_view name);
int texec_get_var(struct texec *x, const struct tpipe *pipe, struct str_view name,
                  struct tvalue *ret);
/* Declares the i-th variable of the pipe, or assigns to it. */
int texec_put_var(struct texec *x, const struct tpipe *pipe, size_t i, struct tvalue value);

/* Converts args in place to what the callee takes. */
int texec_call_func(struct texec *x, const struct tpipe *pipe, const struct targ *callee,
                    struct str_view source, struct tvalue *args, size_t n, struct tvalue *ret);
/* Value of the last command; the pipe's variables are left to the caller. */
int texec_eval_pipe(struct texec *x, const struct tpipe *pipe, const struct tvalue *dot,
                    struct tvalue *ret);
