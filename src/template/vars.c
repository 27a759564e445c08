/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of one execution: a stack, searched from its top, so that an inner one hides an outer
 * one of the same name. */
#include "template/exec_impl.h"

void texec_set_var(struct texec *x, struct str_view name, struct tvalue v)
{
    x->vars = mem_grow(x->vars, &x->cap_vars, x->n_vars + 1, sizeof *x->vars);
    x->vars[x->n_vars++] = (struct variable){name, v};
}

struct variable *texec_find_var(struct texec *x, struct str_view name)
{
    for (size_t i = x->n_vars; i-- > 0;)
        if (sv_eq(x->vars[i].name, name))
            return &x->vars[i];
    return NULL;
}

/* The parser lets a variable of one branch be named in the other, where it has no value. */
static int undefined_var(struct texec *x, const struct tpipe *pipe, struct str_view name)
{
    return texec_fail_at(x, pipe, name, "undefined variable: %.*s", SV_ARG(sv_sub(name, 0, 200)));
}

int texec_get_var(struct texec *x, const struct tpipe *pipe, struct str_view name,
                  struct tvalue *ret)
{
    const struct variable *v = texec_find_var(x, name);
    if (!v)
        return undefined_var(x, pipe, name);
    *ret = v->value;
    return 0;
}

int texec_put_var(struct texec *x, const struct tpipe *pipe, size_t i, struct tvalue value)
{
    if (!pipe->assigns) {
        texec_set_var(x, pipe->vars[i], value);
        return 0;
    }
    struct variable *v = texec_find_var(x, pipe->vars[i]);
    if (!v)
        return undefined_var(x, pipe, pipe->vars[i]);
    v->value = value;
    return 0;
}
