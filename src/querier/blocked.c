/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/blocked.h"

#include "regex/regex.h"

uint32_t query_text_hash(struct str_view text)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.len; i++)
        h = h * 16777619u ^ (unsigned char)text.p[i];
    return h;
}

const char *query_type(const struct logql_expr *e)
{
    if (logql_is_metric(e))
        return "metric";
    for (size_t i = 0; i < e->log.n_stages; i++)
        if (e->log.stages[i].kind == STAGE_LINE_FILTER ||
            e->log.stages[i].kind == STAGE_LABEL_FILTER)
            return "filter";
    return "limited";
}

static struct str_view text_of(const struct conf_node *rule, const char *key)
{
    const struct conf_node *n = conf_node_get(rule, sv_of(key));
    return n && n->kind == CONF_NODE_SCALAR && !n->is_null ? n->text : SV_EMPTY;
}

/* One of a comma-separated list. */
static bool is_listed(struct str_view list, struct str_view word)
{
    while (list.len > 0) {
        size_t comma = sv_find_byte(list, ',');
        if (sv_eq(sv_trim(sv_sub(list, 0, comma)), word))
            return true;
        list = sv_from(list, comma + 1);
    }
    return false;
}

static bool type_fits(const struct conf_node *rule, const struct asked_query *q)
{
    const struct conf_node *types = conf_node_get(rule, SV("types"));
    struct str_view type = sv_of(query_type(q->expr));
    if (!types || types->is_null)
        return true;
    if (types->kind == CONF_NODE_SCALAR)
        return types->text.len == 0 || is_listed(types->text, type);
    for (size_t i = 0; i < types->n; i++)
        if (types->kind == CONF_NODE_LIST && is_listed(types->items[i]->text, type))
            return true;
    return types->n == 0;
}

static bool hash_fits(const struct conf_node *rule, const struct asked_query *q)
{
    uint64_t hash = 0;
    struct str_view text = text_of(rule, "hash");
    if (text.len == 0 || (sv_to_u64(text, &hash) && hash == 0))
        return true;
    return hash == query_text_hash(q->text);
}

static bool regex_fits(struct str_view pattern, struct str_view text)
{
    struct regex *re;
    if (regex_compile(&re, pattern, REGEX_SEARCH, NULL) < 0)
        return false;
    struct regex_scratch *scratch = regex_scratch_new();
    bool fits = regex_matches(re, scratch, text);
    regex_scratch_free(scratch);
    regex_unref(re);
    return fits;
}

static bool pattern_fits(const struct conf_node *rule, const struct asked_query *q)
{
    struct str_view pattern = text_of(rule, "pattern");
    bool is_regex = false;
    conf_parse_bool(text_of(rule, "regex"), &is_regex, NULL);
    if (pattern.len == 0)
        return true;
    if (is_regex)
        return regex_fits(pattern, q->text);
    return sv_eq(sv_trim(pattern), sv_trim(q->text));
}

static bool tags_fit(const struct conf_node *rule, const struct asked_query *q)
{
    const struct conf_node *tags = conf_node_get(rule, SV("query_tags"));
    if (!tags || tags->kind != CONF_NODE_MAP)
        return true;
    for (size_t i = 0; i < tags->n; i++) {
        struct str_view got = query_tags_get(q->tags, tags->keys[i]);
        if (!got.p || !sv_eq_nocase(got, tags->items[i]->text))
            return false;
    }
    return true;
}

bool query_is_blocked(const struct conf_node *rules, const struct asked_query *q)
{
    if (!rules || rules->kind != CONF_NODE_LIST)
        return false;
    for (size_t i = 0; i < rules->n; i++) {
        const struct conf_node *rule = rules->items[i];
        if (rule->kind == CONF_NODE_MAP && hash_fits(rule, q) && tags_fit(rule, q) &&
            type_fits(rule, q) && pattern_fits(rule, q))
            return true;
    }
    return false;
}
