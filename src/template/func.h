/* SPDX-License-Identifier: Apache-2.0 */
/* func.h - the functions of templates; private to this folder.
 * Source: the function table of the LogQL facts; argument order as written there. */
#pragma once
#include "template/template.h"
#include "template/value.h"

struct tcall {
    struct arena *arena;
    struct regex_scratch *scratch;
    const struct template_data *data;
    size_t max_bytes; /* of any text made */
    struct err *err;
};

/* 0, or < 0 with c->err set. */
typedef int tfunc_fn(struct tcall *c, const struct tvalue *args, size_t n, struct tvalue *ret);

struct tfunc {
    const char *name;
    /* One letter an argument: s string, i int, f float, t time, a any; the last repeats if `many`.
     */
    const char *types;
    bool many;
    tfunc_fn *fn; /* NULL: and, or - they evaluate their own arguments */
};

const struct tfunc *tfunc_find(struct str_view name);
/* Whether it goes through the whole of its strings. */
bool tfunc_reads_text(const struct tfunc *f);

extern const struct tfunc TFUNC_TEXT[], TFUNC_TRIM[], TFUNC_ENCODE[], TFUNC_MATH[], TFUNC_TIME[],
    TFUNC_CORE[]; /* name NULL ends */

/* A function's end: the text becomes the result, unless it is too long; it is freed either way. */
int tfunc_text_result(struct tcall *c, struct buf *text, struct tvalue *ret);
/* "num" arguments: numbers or numeric text; 0 for anything else. */
int64_t tv_to_int(const struct tvalue *v);
double tv_to_float(const struct tvalue *v);
/* Go's integer literals, with a sign: 42, 010, 0x1f, 0b1, 1_000; false when it is none or too
 * large. */
bool tv_integer_of(struct str_view text, int64_t *ret);
/* %v of any value as a string in the arena. */
struct str_view tv_text(struct arena *a, const struct tvalue *v);
