/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a pipeline, row by row; parsers are in pipeline_parse.c. */
#include "query/rows/pipeline_impl.h"

enum { MAX_FORMATTED_BYTES = 4 << 20 };

/* ---- compiling ---- */

static int compile_formats(struct pipeline *p, struct step *s, struct err *err)
{
    s->format.n = s->stage->label_format.n;
    s->format.v = ARENA_ARRAY(&p->arena, struct step_format, s->format.n);
    for (size_t i = 0; i < s->format.n; i++) {
        struct step_format *f = &s->format.v[i];
        f->from = &s->stage->label_format.v[i];
        int r =
            f->from->is_template ? template_parse(&p->arena, f->from->src, &f->template, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int compile_named(struct pipeline *p, struct step *s, struct err *err)
{
    s->named.v = ARENA_ARRAY(&p->arena, struct named_test, s->stage->named.n);
    for (; s->named.n < s->stage->named.n; s->named.n++) {
        int r = named_test_compile(&s->named.v[s->named.n], &s->stage->named.v[s->named.n],
                                   &p->compile, err);
        if (r < 0) {
            step_deinit(s);
            return r;
        }
    }
    return 0;
}

static int compile_json(struct pipeline *p, struct step *s, struct err *err)
{
    const struct parser_stage *from = &s->stage->parser;
    struct json_path *paths = ARENA_ARRAY(&p->arena, struct json_path, from->n_extractions);
    struct str_view *dst = ARENA_ARRAY(&p->arena, struct str_view, from->n_extractions);
    for (size_t i = 0; i < from->n_extractions; i++) {
        dst[i] = from->extractions[i].dst;
        int r = json_path_parse(&p->arena, from->extractions[i].expr, &paths[i], err);
        if (r < 0)
            return r;
    }
    s->json.dst = dst;
    s->json.n = from->n_extractions;
    s->json.paths = json_paths_new(&p->arena, paths, from->n_extractions);
    return 0;
}

static int compile_regexp(struct pipeline *p, struct step *s, struct err *err)
{
    int r = regexp_stage_init(&s->regexp, &p->arena, s->stage->text, err);
    if (r == 0)
        r = compile_charge(&p->compile, regex_mem_bytes(s->regexp.re), err);
    if (r < 0)
        step_deinit(s);
    return r;
}

static int compile_logfmt(struct pipeline *p, struct step *s, struct err *err)
{
    const struct parser_stage *from = &s->stage->parser;
    s->logfmt.n = from->n_extractions;
    s->logfmt.v = ARENA_ARRAY(&p->arena, struct logfmt_wanted, from->n_extractions);
    for (size_t i = 0; i < from->n_extractions; i++) {
        s->logfmt.v[i].dst = from->extractions[i].dst;
        int r = logfmt_key_parse(from->extractions[i].expr, &s->logfmt.v[i].key, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int step_compile(struct pipeline *p, struct step *s, const struct stage *stage, struct err *err)
{
    s->stage = stage;
    switch (stage->kind) {
    case STAGE_LINE_FILTER:
        return line_test_compile(&s->line, &stage->line_filter, &p->compile, err);
    case STAGE_LABEL_FILTER:
        return label_test_compile(&s->label, stage->label_filter, &p->compile, err);
    case STAGE_REGEXP:
        return compile_regexp(p, s, err);
    case STAGE_PATTERN:
        return pattern_parse(&p->arena, stage->text, PATTERN_EXTRACT, &s->pattern, err);
    case STAGE_LINE_FORMAT:
        return template_parse(&p->arena, stage->text, &s->template, err);
    case STAGE_LABEL_FORMAT:
        return compile_formats(p, s, err);
    case STAGE_JSON:
        return compile_json(p, s, err);
    case STAGE_LOGFMT:
        return compile_logfmt(p, s, err);
    case STAGE_DROP:
    case STAGE_KEEP:
        return compile_named(p, s, err);
    case STAGE_UNPACK:
    case STAGE_DECOLORIZE:
        return 0;
    }
    return 0;
}

void step_deinit(struct step *s)
{
    switch (s->stage->kind) {
    case STAGE_LINE_FILTER:
        line_test_deinit(&s->line);
        break;
    case STAGE_LABEL_FILTER:
        label_test_deinit(&s->label);
        break;
    case STAGE_REGEXP:
        regexp_stage_deinit(&s->regexp);
        break;
    case STAGE_DROP:
    case STAGE_KEEP:
        for (size_t i = 0; i < s->named.n; i++)
            named_test_deinit(&s->named.v[i]);
        break;
    default:
        break;
    }
}

/* ---- templates ---- */

static bool snapshot_get(void *ctx, struct str_view name, struct str_view *ret)
{
    *ret = labels_get(*(const struct labels *)ctx, name);
    return ret->p != NULL;
}

static struct labels snapshot_all(void *ctx, struct arena *a)
{
    return *(const struct labels *)ctx;
}

static struct labels snapshot(struct pipeline_runner *r)
{
    struct labels now = labels_builder_result(&r->b);
    struct label *v = arena_alloc(labels_builder_arena(&r->b), (now.n + 1) * sizeof *v);
    if (now.n)
        memcpy(v, now.v, now.n * sizeof *v);
    return (struct labels){v, now.n};
}

/* Appends to out; a failure sets the line's error and leaves out as it was. */
static bool format(struct pipeline_runner *r, const struct template *t, struct labels *labels,
                   struct buf *out)
{
    struct template_data data = {.ctx = labels,
                                 .get = snapshot_get,
                                 .all = snapshot_all,
                                 .line = r->line,
                                 .ts_ns = r->ts_ns};
    struct err err = ERR_INIT;
    size_t before = out->len;
    if (template_exec(t, &data, labels_builder_arena(&r->b), r->scratch, out, MAX_FORMATTED_BYTES,
                      &err) == 0)
        return true;
    out->len = before;
    labels_builder_set_error(&r->b, SV("TemplateFormatErr"),
                             arena_copy(labels_builder_arena(&r->b), sv_of(err.text)));
    return false;
}

static void line_format(struct pipeline_runner *r, const struct step *s)
{
    struct labels labels = snapshot(r);
    buf_clear(&r->text);
    /* Parsers behind it leave labels that point into the line: it lives as long as they do. */
    if (format(r, s->template, &labels, &r->text))
        r->line = arena_copy(labels_builder_arena(&r->b), buf_view(&r->text));
}

static void rename_label(struct pipeline_runner *r, const struct label_format *f)
{
    struct str_view value;
    if (!labels_builder_get(&r->b, f->src, &value))
        return;
    labels_builder_set(&r->b, f->dst, value);
    labels_builder_delete(&r->b, f->src);
}

static void label_format(struct pipeline_runner *r, const struct step *s)
{
    struct labels labels;
    bool taken = false;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    for (size_t i = 0; i < s->format.n; i++) {
        const struct step_format *f = &s->format.v[i];
        if (!f->template) {
            rename_label(r, f->from);
            continue;
        }
        if (!taken)
            labels = snapshot(r);
        taken = true;
        buf_clear(&out);
        if (format(r, f->template, &labels, &out))
            labels_builder_set(&r->b, f->from->dst,
                               arena_copy(labels_builder_arena(&r->b), buf_view(&out)));
        if (!pipeline_runner_spend(r))
            return;
    }
}

/* ---- drop and keep ---- */

enum { STEPS_PER_NAME = 8 };

static void drop(struct pipeline_runner *r, const struct step *s)
{
    if (regex_scratch_must_stop(r->scratch, STEPS_PER_NAME * s->named.n))
        return;
    for (size_t i = 0; i < s->named.n; i++) {
        const struct named_test *t = &s->named.v[i];
        struct labels_builder *b = &r->b;
        if (sv_eq(t->named->name, SV("__error__"))) {
            if (named_test_value(t, b->error.p ? b->error : SV_EMPTY, r->scratch))
                b->error = (struct str_view){NULL, 0};
            continue;
        }
        if (sv_eq(t->named->name, SV("__error_details__"))) {
            if (named_test_value(t, b->error_details.p ? b->error_details : SV_EMPTY, r->scratch))
                b->error_details = (struct str_view){NULL, 0};
            continue;
        }
        struct str_view value;
        labels_builder_get(b, t->named->name, &value);
        if (named_test_value(t, value, r->scratch))
            labels_builder_delete(b, t->named->name);
    }
}

static bool is_kept(const struct pipeline_runner *r, const struct step *s, const struct label *l)
{
    for (size_t i = 0; i < s->named.n; i++)
        if (sv_eq(s->named.v[i].named->name, l->name) &&
            named_test_value(&s->named.v[i], l->value, r->scratch))
            return true;
    return sv_eq(l->name, SV("__error__")) || sv_eq(l->name, SV("__error_details__"));
}

static void keep(struct pipeline_runner *r, const struct step *s)
{
    struct labels labels = snapshot(r);
    for (size_t i = 0; i < labels.n && !regex_scratch_must_stop(r->scratch, s->named.n); i++)
        if (!is_kept(r, s, &labels.v[i]))
            labels_builder_delete(&r->b, labels.v[i].name);
}

bool step_run(struct pipeline_runner *r, const struct step *s)
{
    switch (s->stage->kind) {
    case STAGE_LINE_FILTER:
        return line_test_passes(&s->line, r->scratch, r->line);
    case STAGE_LABEL_FILTER:
        return label_test_keeps(&s->label, &r->b, r->scratch);
    case STAGE_LINE_FORMAT:
        line_format(r, s);
        return true;
    case STAGE_LABEL_FORMAT:
        label_format(r, s);
        return true;
    case STAGE_DROP:
        drop(r, s);
        return true;
    case STAGE_KEEP:
        keep(r, s);
        return true;
    default:
        step_parse(r, s);
        return true;
    }
}
