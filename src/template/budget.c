/* SPDX-License-Identifier: Apache-2.0 */
/* What one execution may cost: steps, bytes written, bytes that functions went through, bytes of
 * values kept.  Every node, command and round of a range asks here, so that a template from a query
 * can neither spin nor fill the memory; the query's own end (deadline, hang-up) is asked in the
 * same place. */
#include "regex/regex.h"
#include "template/exec_impl.h"

enum {
    MAX_STEPS = 100000, /* nodes and commands of one execution: a bomb ends here */
    /* In units of the longest text: what all functions together may go through, and keep. */
    MAX_READ_TEXTS = 32,
    MAX_KEPT_TEXTS = 16,
    KEPT_BYTES_MIN = 4 << 20,
    /* What the scratch's stop hook counts. */
    SEARCH_STEPS = 16, /* for one of ours */
    READ_BYTES_PER_SEARCH_STEP = 8,
};

/* The scratch's stop hook ends templates too; its owner tells why. */
static bool must_stop(struct texec *x, size_t steps)
{
    return x->call.scratch && regex_scratch_must_stop(x->call.scratch, steps);
}

int texec_step(struct texec *x)
{
    if (must_stop(x, SEARCH_STEPS))
        return err_set(x->call.err, ERR_CANCELLED, "template: line: stopped");
    if (++x->steps > MAX_STEPS)
        return err_set(x->call.err, ERR_OVER_BUDGET, "template: line: more than %d steps",
                       MAX_STEPS);
    if (x->out->len - x->base > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: the text would exceed %zu bytes", x->call.max_bytes);
    if (x->read_bytes / MAX_READ_TEXTS > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: functions went through more than %d times %zu bytes",
                       MAX_READ_TEXTS, x->call.max_bytes);
    size_t kept = x->call.arena->used_bytes - x->arena_bytes;
    if (kept > KEPT_BYTES_MIN && kept / MAX_KEPT_TEXTS > x->call.max_bytes)
        return err_set(x->call.err, ERR_OVER_BUDGET,
                       "template: line: values take more than %d times %zu bytes", MAX_KEPT_TEXTS,
                       x->call.max_bytes);
    return 0;
}

void texec_read(struct texec *x, size_t n_bytes)
{
    x->read_bytes += n_bytes;
    must_stop(x, n_bytes / READ_BYTES_PER_SEARCH_STEP);
}
