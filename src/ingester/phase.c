/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/phase.h"

#include "base/clock.h"

void phase_init(struct phase *p)
{
    *p = (struct phase){.now = PHASE_RECOVERING};
    mutex_init(&p->mu);
    cond_init(&p->changed);
}

void phase_deinit(struct phase *p)
{
    cond_deinit(&p->changed);
    mutex_deinit(&p->mu);
}

static enum ingester_phase phase_now(const struct phase *p)
{
    return (enum ingester_phase)atomic_load(&p->now);
}

enum ingester_phase phase_recovered(struct phase *p, int result, const struct err *err)
{
    MUTEX_GUARD(&p->mu);
    if (phase_now(p) != PHASE_RECOVERING)
        return phase_now(p);
    if (result < 0)
        p->err = *err;
    atomic_store(&p->now, result < 0 ? PHASE_FAILED : PHASE_READY);
    cond_broadcast(&p->changed);
    return phase_now(p);
}

bool phase_stop(struct phase *p)
{
    MUTEX_GUARD(&p->mu);
    bool was_ready = phase_now(p) == PHASE_READY;
    atomic_store(&p->now, PHASE_STOPPING);
    atomic_store(&p->stopping, true);
    cond_broadcast(&p->changed);
    return was_ready;
}

bool phase_is_ready(const struct phase *p)
{
    return phase_now(p) == PHASE_READY;
}

static int refuse_failed(struct phase *p, struct err *err)
{
    MUTEX_GUARD(&p->mu);
    return err_set(err, ERR_UNAVAILABLE, "%s", p->err.text);
}

int phase_check_push(struct phase *p, struct err *err)
{
    switch (phase_now(p)) {
    case PHASE_READY:
        return 0;
    case PHASE_FAILED:
        return refuse_failed(p, err);
    case PHASE_STOPPING:
        return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
    case PHASE_RECOVERING:
        break;
    }
    return err_set(err, ERR_UNAVAILABLE, "the ingester is replaying its log");
}

int phase_check_query(struct phase *p, struct err *err)
{
    return phase_now(p) == PHASE_STOPPING ? 0 : phase_check_push(p, err);
}

/* A full disk or a broken log refuse pushes, but queries are still answered: not here. */
bool phase_describe(struct phase *p, struct buf *why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    MUTEX_GUARD(&p->mu);
    switch (phase_now(p)) {
    case PHASE_READY:
        return true;
    case PHASE_RECOVERING:
        buf_printf(&text, "replaying the WAL: %llu MiB done",
                   (unsigned long long)(atomic_load(&p->replayed_bytes) >> 20));
        break;
    case PHASE_STOPPING:
        buf_put(&text, SV("the server is stopping"));
        break;
    case PHASE_FAILED:
        buf_put(&text, sv_of(p->err.text));
        break;
    }
    if (why)
        buf_put(why, buf_view(&text));
    return false;
}

int phase_wait(struct phase *p, int64_t timeout_ns, struct err *err)
{
    int64_t until_ns = clock_mono_ns() + timeout_ns;
    MUTEX_GUARD(&p->mu);
    while (phase_now(p) == PHASE_RECOVERING) {
        int64_t left_ns = timeout_ns < 0 ? NS_PER_S : until_ns - clock_mono_ns();
        if (left_ns <= 0)
            return 1;
        cond_wait_for(&p->changed, &p->mu, left_ns);
    }
    return phase_now(p) == PHASE_FAILED ? err_set(err, p->err.code, "%s", p->err.text) : 0;
}
