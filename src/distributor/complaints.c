/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/complaints.h"

bool complaints_want_text(struct complaints *c)
{
    return c->n < COMPLAINTS_MAX;
}

void complaints_add_untold(struct complaints *c)
{
    c->n_total++;
    c->n_untold++;
}

void complaints_add(struct complaints *c, struct str_view text)
{
    for (size_t i = 0; i < c->n; i++) {
        if (sv_eq(c->texts[i], text)) {
            c->counts[i]++;
            c->n_total++;
            return;
        }
    }
    if (c->n == COMPLAINTS_MAX) {
        complaints_add_untold(c);
        return;
    }
    c->texts[c->n] = arena_copy(c->arena, text);
    c->counts[c->n++] = 1;
    c->n_total++;
}

void complaints_print(struct buf *out, const struct complaints *c)
{
    if (c->n_total == 1 && c->n == 1) {
        buf_put(out, c->texts[0]);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        buf_printf(out, "%s%llu errors like: ", i ? "; " : "", (unsigned long long)c->counts[i]);
        buf_put(out, c->texts[i]);
    }
    if (c->n_untold > 0)
        buf_printf(out, "; and %llu more", (unsigned long long)c->n_untold);
}
