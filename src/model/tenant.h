/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.h - who asks: the X-Scope-OrgID header to tenant ids.
 * Threads: pure. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"

enum { TENANT_MAX_BYTES = 150, TENANT_MAX_IDS = 256 };

struct tenant_policy {
    bool auth_enabled;
    struct str_view no_auth_tenant; /* who everyone is with auth off: "fake" */
};

/* header.p == NULL when absent.  Missing: ERR_UNAUTHORISED "no org id"; wrong: ERR_INVALID. */
int tenant_one(const struct tenant_policy *p, struct str_view header, struct str_view *ret,
               struct err *err);
/* Ids separated by '|', sorted, each once, in the arena. */
int tenant_many(const struct tenant_policy *p, struct str_view header, struct arena *a,
                struct str_view **ret, size_t *ret_n, struct err *err);
