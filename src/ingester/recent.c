/* SPDX-License-Identifier: Apache-2.0 */
/* What queries ask: the view of this instant and the streams of its head that match. */
#include "ingester/recent.h"

struct pinning {
    struct views *views;
    struct view *view;
};

static uint64_t pin(void *ctx)
{
    struct pinning *p = ctx;
    p->view = view_pin(p->views);
    return p->view->n_heads ? p->view->heads[0]->number : UINT64_MAX;
}

static int check_ready(struct ingester *in, struct err *err)
{
    MUTEX_GUARD(&in->mu);
    if (in->state == INGESTER_FAILED)
        return err_set(err, ERR_UNAVAILABLE, "%s", in->state_err.text);
    if (in->state == INGESTER_RECOVERING)
        return err_set(err, ERR_UNAVAILABLE, "the ingester is replaying its log");
    return 0;
}

int recent_open(struct ingester *in, struct str_view tenant, const struct matcher *matchers,
                size_t n_matchers, struct arena *arena, struct recent *ret, struct err *err)
{
    int r = check_ready(in, err);
    if (r < 0)
        return r;
    struct pinning p = {in->deps.views, NULL};
    *ret = (struct recent){0};
    r = streams_select(in->streams, tenant, matchers, n_matchers, pin, &p, arena, &ret->streams,
                       &ret->n_streams, err);
    if (r < 0) {
        view_unpin(p.view);
        return r;
    }
    ret->view = p.view;
    return 0;
}
