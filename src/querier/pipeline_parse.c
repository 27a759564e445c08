/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers of a pipeline: what they find goes to the labels of the line. */
#include "querier/pipeline_impl.h"

/* Receives pairs.  With `limited`, only wanted names are taken, and the parser may stop once it
 * has them all. */
struct extraction_sink {
    struct pipeline_runner *r;
    const struct step *s;
    size_t n_found;
};

static bool is_wanted(const struct step *s, struct str_view name)
{
    for (size_t i = 0; i < s->wanted.n; i++) {
        struct str_view w = s->wanted.v[i];
        if (sv_eq(w, name) || (w.len > name.len && sv_starts_with(w, name) &&
                               sv_eq(sv_from(w, name.len), SV("_extracted"))))
            return true;
    }
    return false;
}

static bool emit(void *ctx, struct str_view name, struct str_view value)
{
    struct extraction_sink *sink = ctx;
    if (sink->s->limited && !is_wanted(sink->s, name))
        return true;
    labels_builder_extract(&sink->r->b, name, value, EXTRACT_FIRST_WINS);
    return true;
}

/* Letters, digits and _; a leading digit gets a _ before it. */
static struct str_view sanitised(struct arena *a, struct str_view name)
{
    bool clean = name.len && !(name.p[0] >= '0' && name.p[0] <= '9');
    for (size_t i = 0; i < name.len && clean; i++) {
        char c = name.p[i];
        clean =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (clean)
        return name;
    char *p = arena_alloc(a, name.len + 1);
    size_t n = 0;
    if (name.len && name.p[0] >= '0' && name.p[0] <= '9')
        p[n++] = '_';
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c >= 0x80 && c < 0xc0)
            continue; /* the rest of a character that has its _ already */
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        p[n++] = ok ? (char)c : '_';
    }
    return sv(p, n);
}

static void parse_regexp(struct pipeline_runner *r, const struct step *s)
{
    size_t n_groups = regex_n_groups(s->regex);
    if (2 * n_groups > r->cap_spans)
        r->spans = mem_grow(r->spans, &r->cap_spans, 2 * n_groups, sizeof *r->spans);
    if (!regex_captures(s->regex, r->scratch, r->line, 0, r->spans, 2 * n_groups))
        return;
    struct extraction_sink sink = {r, s, 0};
    for (size_t g = 1; g < n_groups; g++) {
        struct str_view name = regex_group_name(s->regex, g);
        if (name.len == 0)
            continue;
        struct str_view value = SV_EMPTY;
        if (r->spans[2 * g] != SIZE_MAX)
            value = sv_sub(r->line, r->spans[2 * g], r->spans[2 * g + 1] - r->spans[2 * g]);
        emit(&sink, sanitised(labels_builder_arena(&r->b), name), value);
    }
}

void step_parse(struct pipeline_runner *r, const struct step *s)
{
    if (s->limited && s->wanted.n == 0)
        return;
    struct extraction_sink sink = {r, s, 0};
    switch (s->stage->kind) {
    case STAGE_REGEXP:
        parse_regexp(r, s);
        break;
    case STAGE_PATTERN:
        pattern_extract(&s->pattern, r->line, emit, &sink);
        break;
    default:
        break;
    }
}
