/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers of a pipeline: what they find goes to the labels of the line. */
#include "lines/decolorize.h"
#include "lines/unpack.h"
#include "query/rows/pipeline_impl.h"

/* Receives pairs.  With `limited`, only wanted names are taken, and the parser stops once it has
 * them all: faults further on in the line go unnoticed (logql.md 3.12). */
struct extraction_sink {
    struct labels_builder *b;
    const struct step *s;
    size_t n_found;
    struct regex_scratch *scratch; /* knows when to stop */
};

enum { MANY_NAMES = 64 };

/* Whether it stands in the list, alone or with the suffix of a clash. */
static bool may_be_wanted(const struct name_list *wanted, struct str_view name)
{
    static const size_t suffix_bytes = sizeof "_extracted" - 1;
    for (size_t i = 0; i < wanted->n; i++) {
        struct str_view w = wanted->v[i];
        if (w.len != name.len && w.len != name.len + suffix_bytes)
            continue;
        if (sv_starts_with(w, name) &&
            (w.len == name.len || sv_eq(sv_from(w, name.len), SV("_extracted"))))
            return true;
    }
    return false;
}

static bool emit_all(void *ctx, struct str_view name, struct str_view value)
{
    struct extraction_sink *sink = ctx;
    labels_builder_extract(sink->b, name, value, EXTRACT_FIRST_WINS);
    return true;
}

static bool emit_wanted(void *ctx, struct str_view name, struct str_view value)
{
    struct extraction_sink *sink = ctx;
    size_t n_wanted = sink->s->wanted.n;
    if (n_wanted > MANY_NAMES && regex_scratch_must_stop(sink->scratch, n_wanted))
        return false;
    if (!may_be_wanted(&sink->s->wanted, name))
        return true;
    struct str_view target = labels_builder_target(sink->b, name);
    if (!name_list_has(sink->s->wanted, target) ||
        !labels_builder_extract_as(sink->b, target, value))
        return true;
    return ++sink->n_found < sink->s->wanted.n;
}

static emit_fn *emit_of(const struct step *s)
{
    return s->limited ? emit_wanted : emit_all;
}

static void parse_pairs(struct pipeline_runner *r, const struct step *s)
{
    struct extraction_sink sink = {&r->b, s, 0, r->scratch};
    struct arena *scratch = labels_builder_arena(&r->b);
    struct str_view details = {NULL, 0};
    if (s->stage->kind == STAGE_JSON) {
        if (json_flatten(r->line, scratch, emit_of(s), &sink, &details) == LINE_E_FAULT)
            labels_builder_set_error(&r->b, SV("JSONParserErr"), details);
        return;
    }
    struct logfmt_flags flags = {s->stage->parser.strict, s->stage->parser.keep_empty};
    if (logfmt_parse(r->line, flags, scratch, emit_of(s), &sink, &details) == LINE_E_FAULT)
        labels_builder_set_error(&r->b, SV("LogfmtParserErr"), details);
}

/* ---- with expressions ---- */

static struct str_view *extracted_values(struct pipeline_runner *r, size_t n)
{
    return arena_alloc(labels_builder_arena(&r->b), n * sizeof(struct str_view));
}

/* A path that leads nowhere gives an empty label, unless the name is taken. */
static void json_expressions(struct pipeline_runner *r, const struct step *s)
{
    struct labels_builder *b = &r->b;
    struct str_view *values = extracted_values(r, s->json.n);
    struct str_view details = {NULL, 0}, taken;
    int outcome = json_extract(r->line, &s->json.paths, labels_builder_arena(b), values, &details);
    if (outcome == LINE_E_FAULT)
        labels_builder_set_error(b, SV("JSONParserErr"), details);
    if (r->line.len == 0 || (outcome == LINE_E_FAULT && !details.p))
        return;
    for (size_t i = 0; i < s->json.n; i++)
        if (values[i].p)
            labels_builder_extract(b, s->json.dst[i], values[i], EXTRACT_OVERWRITE);
    for (size_t i = 0; i < s->json.n; i++)
        if (!values[i].p && !labels_builder_get(b, s->json.dst[i], &taken))
            labels_builder_set(b, s->json.dst[i], SV_EMPTY);
}

static void logfmt_expressions(struct pipeline_runner *r, const struct step *s)
{
    struct labels_builder *b = &r->b;
    struct str_view *values = extracted_values(r, s->logfmt.n);
    struct str_view details = {NULL, 0};
    if (logfmt_extract(r->line, s->stage->parser.strict, s->logfmt.v, s->logfmt.n,
                       labels_builder_arena(b), values, &details) == LINE_E_FAULT)
        labels_builder_set_error(b, SV("LogfmtParserErr"), details);
    for (size_t i = 0; i < s->logfmt.n; i++) {
        struct str_view dst = s->logfmt.v[i].dst;
        if (values[i].p)
            labels_builder_extract(b, dst, values[i], EXTRACT_OVERWRITE);
        else if (sv_eq(labels_builder_target(b, dst), dst))
            labels_builder_extract(b, dst, SV_EMPTY, EXTRACT_OVERWRITE);
    }
}

/* ---- the others ---- */

static void unpack(struct pipeline_runner *r, const struct step *s)
{
    struct extraction_sink sink = {&r->b, s, 0, r->scratch};
    struct str_view details = {NULL, 0}, line = r->line;
    if (unpack_line(r->line, labels_builder_arena(&r->b), emit_of(s), &sink, &line, &details) ==
        LINE_E_FAULT)
        labels_builder_set_error(&r->b, SV("JSONParserErr"), details);
    r->line = line;
}

void step_parse(struct pipeline_runner *r, const struct step *s)
{
    if (s->limited && s->wanted.n == 0)
        return;
    struct extraction_sink sink = {&r->b, s, 0, r->scratch};
    switch (s->stage->kind) {
    case STAGE_JSON:
        if (s->json.n)
            json_expressions(r, s);
        else
            parse_pairs(r, s);
        break;
    case STAGE_LOGFMT:
        if (s->logfmt.n)
            logfmt_expressions(r, s);
        else
            parse_pairs(r, s);
        break;
    case STAGE_REGEXP:
        regexp_extract(&s->regexp, r->scratch, r->line, labels_builder_arena(&r->b), emit_of(s),
                       &sink);
        break;
    case STAGE_PATTERN:
        pattern_extract(&s->pattern, r->line, emit_of(s), &sink);
        break;
    case STAGE_UNPACK:
        unpack(r, s);
        break;
    case STAGE_DECOLORIZE:
        r->line = decolorize(r->line, labels_builder_arena(&r->b));
        break;
    default:
        break;
    }
}
