/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/recent.h"

#include "ingester/heads.h"
#include "ingester/phase.h"
#include "ingester/streams/streams.h"
#include "store/view.h"

struct pinning {
    struct views *views;
    struct view *view;
};

/* The oldest generation that the view holds; none, none is asked for. */
static uint64_t pin(void *ctx)
{
    struct pinning *p = ctx;
    p->view = view_pin(p->views);
    return p->view->n_heads ? p->view->heads[0]->number : UINT64_MAX;
}

int recent_open(struct heads *h, struct phase *phase, struct str_view tenant,
                const struct matcher *matchers, size_t n_matchers, struct arena *arena,
                struct recent *ret, struct err *err)
{
    int r = phase_check_query(phase, err);
    if (r < 0)
        return r;
    struct pinning p = {h->views, NULL};
    *ret = (struct recent){0};
    r = streams_select(h->streams, tenant, matchers, n_matchers, pin, &p, arena, &ret->streams,
                       &ret->n_streams, err);
    if (r < 0) {
        view_unpin(p.view);
        return r;
    }
    ret->view = p.view;
    return 0;
}
