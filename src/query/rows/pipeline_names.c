/* SPDX-License-Identifier: Apache-2.0 */
/* Which labels a pipeline asks for by name: decides what of the metadata must be read and what
 * parsers must extract. */
#include "query/rows/pipeline_impl.h"

struct collector {
    struct arena *arena;
    struct str_view *v;
    size_t n, cap;
    bool any;
};

static void add(struct collector *c, struct str_view name)
{
    c->v = mem_grow(c->v, &c->cap, c->n + 1, sizeof *c->v);
    c->v[c->n++] = name;
}

static void add_field(void *ctx, struct str_view name)
{
    add(ctx, arena_copy(((struct collector *)ctx)->arena, name));
}

static void add_template(struct collector *c, struct str_view text)
{
    struct template *t;
    if (template_parse(c->arena, text, &t, NULL) < 0 || !template_fields(t, add_field, c))
        c->any = true;
}

/* The tree may be deep: walked with a list, not the stack. */
static void add_filter(struct collector *c, const struct label_filter *root)
{
    const struct label_filter **todo = NULL;
    size_t n = 0, cap = 0;
    todo = mem_grow(todo, &cap, 1, sizeof(void *));
    todo[n++] = root;
    while (n) {
        const struct label_filter *f = todo[--n];
        if (f->kind != LABEL_FILTER_AND && f->kind != LABEL_FILTER_OR) {
            add(c, f->name);
            continue;
        }
        todo = mem_grow(todo, &cap, n + 2, sizeof(void *));
        todo[n++] = f->pair.left;
        todo[n++] = f->pair.right;
    }
    free(todo);
}

static void add_stage(struct collector *c, const struct stage *s)
{
    switch (s->kind) {
    case STAGE_LABEL_FILTER:
        add_filter(c, s->label_filter);
        break;
    case STAGE_LINE_FORMAT:
        add_template(c, s->text);
        break;
    case STAGE_LABEL_FORMAT:
        for (size_t i = 0; i < s->label_format.n; i++) {
            if (s->label_format.v[i].is_template)
                add_template(c, s->label_format.v[i].src);
            else
                add(c, s->label_format.v[i].src);
        }
        break;
    case STAGE_DROP:
    case STAGE_KEEP:
        for (size_t i = 0; i < s->named.n; i++)
            add(c, s->named.v[i].name);
        break;
    default:
        break;
    }
}

void pipeline_names(struct pipeline *p, const struct log_query *log, size_t from,
                    struct name_list *ret, bool *ret_any)
{
    struct collector c = {.arena = &p->arena, .any = p->need.kind != NEED_BY};
    for (size_t i = 0; i < p->need.names.n; i++)
        add(&c, p->need.names.v[i]);
    for (size_t i = from; i < log->n_stages; i++)
        add_stage(&c, &log->stages[i]);
    if (p->unwrap) {
        add(&c, p->unwrap->name);
        for (size_t i = 0; i < p->unwrap->n_post_filters; i++)
            add_filter(&c, p->unwrap->post_filters[i]);
    }
    c.n = names_sort_unique(c.v, c.n); /* a query has room for tens of thousands */
    struct str_view *v = ARENA_ARRAY(&p->arena, struct str_view, c.n);
    if (c.n)
        memcpy(v, c.v, c.n * sizeof *v);
    free(c.v);
    *ret = (struct name_list){v, c.n};
    *ret_any = c.any;
}
