/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to routes.  A path is cut at '/' before it is decoded, so %2F never makes a new segment,
 * and a decoded segment is compared whole. */
#include <assert.h>

#include "base/ascii.h"
#include "http/request.h"

/* "/loki/api/v1/label/{name}/values" -> "loki_api_v1_label_name_values" */
static char *metric_name_of(const char *path)
{
    char *name = mem_alloc(strlen(path) + 1);
    size_t n = 0;
    for (; *path; path++) {
        if (ascii_is_alnum(*path))
            name[n++] = (char)ascii_lower(*path);
        else if (n > 0 && name[n - 1] != '_')
            name[n++] = '_';
    }
    while (n > 0 && name[n - 1] == '_')
        n--;
    name[n] = '\0';
    return name;
}

void router_init(struct http_server *s, const struct http_route *routes, size_t n_routes)
{
    s->routes = mem_zalloc(n_routes, sizeof *s->routes);
    s->n_routes = n_routes;
    for (size_t i = 0; i < n_routes; i++) {
        struct str_view path = sv_of(routes[i].path);
        size_t open = sv_find_byte(path, '{'), close = sv_find_byte(path, '}');
        bool has_param = open < path.len;
        assert(!has_param || (open > 0 && path.p[open - 1] == '/' && close > open));
        s->routes[i] = (struct route){
            .conf = routes[i],
            .before = sv_sub(path, 0, open),
            .after = has_param ? sv_from(path, close + 1) : SV_EMPTY,
            .has_param = has_param,
            .metric_name = metric_name_of(routes[i].path),
        };
    }
}

void router_deinit(struct http_server *s)
{
    for (size_t i = 0; i < s->n_routes; i++)
        free(s->routes[i].metric_name);
    free(s->routes);
    s->routes = NULL;
    s->n_routes = 0;
}

/* The template's text against raw segments, one by one. */
static bool same_segments(struct str_view known, struct str_view raw, struct arena *arena)
{
    while (known.len > 0 && raw.len > 0) {
        if (raw.p[0] != '/')
            return false;
        known = sv_from(known, 1);
        raw = sv_from(raw, 1);
        size_t k = sv_find_byte(known, '/'), n = sv_find_byte(raw, '/');
        if (!sv_eq(sv_sub(known, 0, k), params_decode(arena, sv_sub(raw, 0, n), false)))
            return false;
        known = sv_from(known, k);
        raw = sv_from(raw, n);
    }
    return known.len == 0 && raw.len == 0;
}

/* Where the n-th slash is, or the length. */
static size_t nth_slash(struct str_view raw, size_t n)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.p[i] == '/' && n-- == 0)
            return i;
    return raw.len;
}

static size_t count_slashes(struct str_view v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.p[i] == '/';
    return n;
}

static bool matches(const struct route *route, struct str_view raw, struct arena *arena,
                    struct str_view *ret_param)
{
    *ret_param = SV_EMPTY;
    if (!route->has_param)
        return sv_eq(route->before, raw) || same_segments(route->before, raw, arena);
    size_t slashes = count_slashes(route->before);
    size_t start = nth_slash(raw, slashes - 1) + 1;
    if (start > raw.len)
        return false;
    struct str_view rest = sv_from(raw, start);
    size_t end = sv_find_byte(rest, '/');
    struct str_view before = route->before;
    before.len -= 1; /* without the slash before {name} */
    if (end == 0 || !same_segments(before, sv_sub(raw, 0, start - 1), arena) ||
        !same_segments(route->after, sv_from(rest, end), arena))
        return false;
    *ret_param = params_decode(arena, sv_sub(rest, 0, end), false);
    return true;
}

enum router_verdict router_match(struct http_server *s, struct request *r, struct str_view raw_path)
{
    enum router_verdict verdict = ROUTER_NOT_FOUND;
    if (!sv_starts_with(raw_path, s->path_prefix))
        return ROUTER_NOT_FOUND;
    raw_path = sv_from(raw_path, s->path_prefix.len);
    r->pub.path = params_decode(&r->arena, raw_path, false);
    for (size_t i = 0; i < s->n_routes; i++) {
        struct str_view param;
        if (!matches(&s->routes[i], raw_path, &r->arena, &param))
            continue;
        r->route = &s->routes[i];
        if (!(s->routes[i].conf.methods & r->pub.method)) {
            verdict = ROUTER_WRONG_METHOD;
            continue;
        }
        r->pub.path_param = param;
        return ROUTER_OK;
    }
    return verdict;
}
