/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tenant.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/utf8.h"

static bool is_allowed(unsigned char c)
{
    return ascii_is_alnum(c) || (c != 0 && strchr("!-_.*'()", c));
}

static int check_id(struct str_view id, struct err *err)
{
    for (size_t i = 0; i < id.len; i++) {
        if (is_allowed((unsigned char)id.p[i]))
            continue;
        uint32_t c;
        size_t n = utf8_decode(sv_from(id, i), &c);
        struct str_view shown = sv_sub(id, 0, 4 * TENANT_MAX_BYTES);
        return err_set(err, ERR_INVALID, "tenant ID '%.*s' contains unsupported character '%.*s'",
                       SV_ARG(shown), (int)(n ? n : 1), id.p + i);
    }
    if (id.len > TENANT_MAX_BYTES)
        return err_set(err, ERR_INVALID, "tenant ID is too long: max %d characters",
                       TENANT_MAX_BYTES);
    if (sv_eq(id, SV(".")) || sv_eq(id, SV("..")))
        return err_set(err, ERR_INVALID, "tenant ID is '.' or '..'");
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

/* What follows the first ':' is metadata of the caller, not the tenant's name. */
static struct str_view without_suffix(struct str_view header)
{
    return sv_sub(header, 0, sv_find_byte(header, ':'));
}

int tenant_many(const struct tenant_policy *p, struct str_view header, struct arena *a,
                struct str_view **ret, size_t *ret_n, struct err *err)
{
    struct str_view rest = without_suffix(sv_trim(header));
    if (p->auth_enabled && rest.len == 0)
        return err_set(err, ERR_UNAUTHORISED, "no org id");
    struct str_view found[TENANT_MAX_IDS];
    size_t n = 0;
    if (!p->auth_enabled) {
        found[n++] = p->no_auth_tenant;
        rest = SV_EMPTY;
    }
    while (rest.len > 0) {
        struct str_view id = sv_sub(rest, 0, sv_find_byte(rest, '|'));
        rest = sv_from(rest, id.len + 1);
        int r = check_id(id, err);
        if (r < 0)
            return r;
        if (id.len == 0)
            continue;
        if (n == TENANT_MAX_IDS)
            return err_set(err, ERR_INVALID, "more than %d tenant IDs", TENANT_MAX_IDS);
        found[n++] = id;
    }
    if (n == 0)
        return err_set(err, ERR_UNAUTHORISED, "no org id");
    qsort(found, n, sizeof found[0], compare_ids);
    size_t n_unique = 1;
    for (size_t i = 1; i < n; i++)
        if (!sv_eq(found[i], found[n_unique - 1]))
            found[n_unique++] = found[i];
    *ret = arena_alloc(a, n_unique * sizeof **ret);
    memcpy(*ret, found, n_unique * sizeof **ret);
    *ret_n = n_unique;
    return 0;
}

int tenant_one(const struct tenant_policy *p, struct str_view header, struct str_view *ret,
               struct err *err)
{
    struct arena scratch CLEANUP(arena_deinit) = ARENA_INIT;
    struct str_view *ids;
    size_t n;
    int r = tenant_many(p, header, &scratch, &ids, &n, err);
    if (r < 0)
        return r;
    if (n > 1)
        return err_set(err, ERR_INVALID, "multiple org IDs present");
    *ret = ids[0];
    return 0;
}
