/* SPDX-License-Identifier: Apache-2.0 */
#include "query/rows/pipeline.h"

#include "base/values.h"
#include "query/rows/pipeline_impl.h"

bool stage_changes_line(enum stage_kind k)
{
    return k == STAGE_LINE_FORMAT || k == STAGE_UNPACK || k == STAGE_DECOLORIZE;
}

bool stage_is_parser(enum stage_kind k)
{
    return k == STAGE_JSON || k == STAGE_LOGFMT || k == STAGE_REGEXP || k == STAGE_PATTERN ||
           k == STAGE_UNPACK;
}

static bool needs_all(const struct pipeline *p)
{
    return p->need.kind != NEED_BY;
}

/* ---- compiling ---- */

/* How many of the first stages only filter: their label tests see unchanged labels. */
static size_t n_leading_filters(const struct log_query *log)
{
    size_t i = 0;
    while (i < log->n_stages &&
           (log->stages[i].kind == STAGE_LINE_FILTER || log->stages[i].kind == STAGE_LABEL_FILTER))
        i++;
    return i;
}

static int compile_stages(struct pipeline *p, const struct log_query *log, struct err *err)
{
    p->line_tests = ARENA_ARRAY(&p->arena, struct line_test, log->n_stages);
    p->steps = ARENA_ARRAY(&p->arena, struct step, log->n_stages);
    p->first_labels = ARENA_ARRAY(&p->arena, struct label_test, log->n_stages);
    size_t leading = n_leading_filters(log);
    bool line_changed = false;
    for (size_t i = 0; i < log->n_stages; i++) {
        const struct stage *stage = &log->stages[i];
        int r;
        if (stage->kind == STAGE_LINE_FILTER && !line_changed) {
            r = line_test_compile(&p->line_tests[p->n_line_tests], &stage->line_filter, &p->compile,
                                  err);
            p->n_line_tests += r == 0;
        } else {
            struct step *s = &p->steps[p->n_steps];
            r = step_compile(p, s, stage, err);
            p->n_steps += r == 0;
            if (r == 0 && i < leading)
                p->first_labels[p->n_first_label_tests++] = s->label; /* borrowed */
            if (r == 0 && stage_is_parser(stage->kind) && p->need.reduced &&
                stage->kind != STAGE_UNPACK) {
                bool any;
                pipeline_names(p, log, i + 1, &s->wanted, &any);
                s->limited = !any;
            }
        }
        if (r < 0)
            return r;
        line_changed |= stage_changes_line(stage->kind);
    }
    return 0;
}

static int compile_unwrap(struct pipeline *p, struct err *err)
{
    const struct unwrap *u = p->unwrap;
    if (!u)
        return 0;
    p->post_filters = ARENA_ARRAY(&p->arena, struct label_test, u->n_post_filters);
    for (; p->n_post_filters < u->n_post_filters; p->n_post_filters++) {
        int r = label_test_compile(&p->post_filters[p->n_post_filters],
                                   u->post_filters[p->n_post_filters], &p->compile, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool converts(const struct label_test *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].kind == LABEL_INSTR_TEST && t->v[i].filter->kind != LABEL_FILTER_STRING &&
            t->v[i].filter->kind != LABEL_FILTER_IP)
            return true;
    return false;
}

static void note_what_is_read(struct pipeline *p)
{
    p->is_static = !p->unwrap;
    p->may_fail = p->unwrap != NULL;
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct stage *stage = p->steps[i].stage;
        bool labels_alone = stage->kind == STAGE_LABEL_FILTER || stage->kind == STAGE_DROP ||
                            stage->kind == STAGE_KEEP;
        p->is_static &= labels_alone;
        p->may_fail |=
            stage->kind == STAGE_LABEL_FILTER ? converts(&p->steps[i].label) : !labels_alone;
        if (!labels_alone)
            p->reads |= PIPELINE_READS_LINE | PIPELINE_READS_TIME;
        if (stage_changes_line(stage->kind))
            p->reads |= PIPELINE_CHANGES_LINE;
    }
    p->error_is_needed = name_list_has(p->names, SV("__error__"));
    if (p->any_name || p->names.n)
        p->reads |= PIPELINE_READS_METADATA;
}

/* A key that the stream has too stands under the suffix, and so does a parsed name that the
 * metadata has: both make the stem matter. */
static void list_metadata(struct pipeline *p)
{
    static const char suffix[] = "_extracted";
    struct str_view *v = ARENA_ARRAY(&p->arena, struct str_view, p->names.n * 2);
    size_t n = 0;
    for (size_t i = 0; i < p->names.n; i++) {
        struct str_view name = p->names.v[i];
        v[n++] = name;
        if (sv_ends_with(name, sv_of(suffix)))
            v[n++] = sv_sub(name, 0, name.len - (sizeof suffix - 1));
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!name_list_has((struct name_list){v, kept}, v[i]))
            v[kept++] = v[i];
    p->metadata = (struct name_list){v, kept};
}

int pipeline_new(struct pipeline **ret, const struct log_query *log, const struct unwrap *unwrap,
                 const struct label_need *need, struct query_control *control, struct err *err)
{
    struct pipeline *p = mem_zalloc(1, sizeof *p);
    p->compile = (struct compile){.arena = &p->arena, .control = control};
    p->unwrap = unwrap && unwrap->present ? unwrap : NULL;
    if (need)
        p->need = *need;
    int r = compile_stages(p, log, err);
    if (r == 0)
        r = compile_unwrap(p, err);
    if (r == 0)
        r = value_needles_init(&p->value_needles, log, &p->arena, err);
    if (r == 0) {
        pipeline_names(p, log, 0, &p->names, &p->any_name);
        list_metadata(p);
        r = compile_charge(&p->compile, p->arena.used_bytes, err);
    }
    if (r < 0) {
        pipeline_free(p);
        return r;
    }
    note_what_is_read(p);
    *ret = p;
    return 0;
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_line_tests; i++)
        line_test_deinit(&p->line_tests[i]);
    for (size_t i = 0; i < p->n_steps; i++)
        step_deinit(&p->steps[i]);
    for (size_t i = 0; i < p->n_post_filters; i++)
        label_test_deinit(&p->post_filters[i]);
    value_needles_deinit(&p->value_needles);
    if (p->compile.control)
        query_release(p->compile.control, p->compile.charged_bytes);
    arena_deinit(&p->arena);
    free(p);
}

const struct line_test *pipeline_line_tests(const struct pipeline *p, size_t *ret_n)
{
    *ret_n = p->n_line_tests;
    return p->line_tests;
}

const struct label_test *pipeline_first_label_tests(const struct pipeline *p, size_t *ret_n)
{
    *ret_n = p->n_first_label_tests;
    return p->first_labels;
}

const struct value_needles *pipeline_value_needles(const struct pipeline *p)
{
    return &p->value_needles;
}

unsigned pipeline_reads(const struct pipeline *p)
{
    return p->reads;
}

bool pipeline_is_static(const struct pipeline *p)
{
    return p->is_static;
}

bool pipeline_may_fail(const struct pipeline *p)
{
    return p->may_fail;
}

const struct name_list *pipeline_metadata(const struct pipeline *p)
{
    return p->any_name ? NULL : &p->metadata;
}

static bool reads_base_alone(const struct label_test *t, struct labels base)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].kind == LABEL_INSTR_TEST && !labels_get(base, t->v[i].filter->name).p)
            return false;
    return true;
}

bool pipeline_may_keep_stream(const struct pipeline *p, struct labels base,
                              struct regex_scratch *scratch)
{
    struct labels_builder b;
    bool keeps = true;
    labels_builder_init(&b);
    labels_builder_set_base(&b, base);
    /* An error of one test lets later ones on ip() pass: so only tests in an unbroken row. */
    for (size_t i = 0; i < p->n_first_label_tests && keeps; i++) {
        if (!reads_base_alone(&p->first_labels[i], base))
            break;
        keeps = label_test_keeps(&p->first_labels[i], &b, scratch);
    }
    labels_builder_deinit(&b);
    return keeps;
}

/* ---- one row ---- */

void pipeline_runner_init(struct pipeline_runner *r, const struct pipeline *p)
{
    *r = (struct pipeline_runner){.p = p};
    labels_builder_init(&r->b);
    r->scratch = query_scratch_new(p->compile.control);
}

void pipeline_runner_deinit(struct pipeline_runner *r)
{
    labels_builder_deinit(&r->b);
    if (r->p && r->p->compile.control)
        query_release(r->p->compile.control, r->charged_bytes);
    regex_scratch_free(r->scratch);
    buf_deinit(&r->text);
    free(r->reduced);
    *r = (struct pipeline_runner){0};
}

void pipeline_runner_stream(struct pipeline_runner *r, struct labels base)
{
    labels_builder_set_base(&r->b, base);
}

int pipeline_runner_check(const struct pipeline_runner *r, struct err *err)
{
    return r->failed ? err_set(err, r->err.code, "%s", r->err.text) : 0;
}

size_t pipeline_runner_mem_bytes(const struct pipeline_runner *r)
{
    return labels_builder_mem_bytes(&r->b) - r->b.scratch.used_bytes +
           regex_scratch_mem_bytes(r->scratch) + r->text.cap + r->cap_reduced * sizeof *r->reduced;
}

enum { FREE_ROW_BYTES = 256 << 10, STAGE_STEPS = 32, LINE_BYTES_PER_STEP = 4 };

bool pipeline_runner_spend(struct pipeline_runner *r)
{
    struct query_control *control = r->p->compile.control;
    uint64_t held = r->b.scratch.used_bytes;
    size_t steps = STAGE_STEPS + r->line.len / LINE_BYTES_PER_STEP;
    int failed = 0;
    if (r->failed || !control)
        return !r->failed;
    if (held > FREE_ROW_BYTES && held > r->charged_bytes) {
        failed = query_charge(control, held - r->charged_bytes, &r->err);
        if (failed == 0)
            r->charged_bytes = held;
    }
    if (failed == 0 && regex_scratch_must_stop(r->scratch, steps))
        failed = query_check(control, &r->err);
    r->failed = failed < 0;
    return !r->failed;
}

static int convert(enum unwrap_conv conv, struct str_view text, double *ret, struct err *err)
{
    int64_t ns;
    uint64_t bytes;
    int r;
    switch (conv) {
    case UNWRAP_BYTES:
        if ((r = bytesize_parse(text, &bytes, err)) == 0)
            *ret = (double)bytes;
        return r;
    case UNWRAP_DURATION:
    case UNWRAP_DURATION_SECONDS:
        if ((r = duration_parse_go(text, &ns, err)) == 0)
            *ret = (double)ns / 1e9;
        return r;
    default:
        return number_parse(text, ret, err);
    }
}

/* A line without the label is no sample; one whose value does not convert carries an error. */
static bool unwrap_row(struct pipeline_runner *r)
{
    const struct pipeline *p = r->p;
    struct str_view text;
    labels_builder_get(&r->b, p->unwrap->name, &text);
    if (text.len == 0)
        return false;
    struct err err = ERR_INIT;
    r->value = 0;
    if (convert(p->unwrap->conv, text, &r->value, &err) < 0)
        labels_builder_set_error(&r->b, SV("SampleExtractionErr"),
                                 arena_copy(labels_builder_arena(&r->b), sv_of(err.text)));
    for (size_t i = 0; i < p->n_post_filters; i++)
        if (!label_test_keeps(&p->post_filters[i], &r->b, r->scratch))
            return false;
    return true;
}

bool pipeline_runner_row(struct pipeline_runner *r, int64_t ts_ns, struct str_view line,
                         struct str_view sm)
{
    const struct pipeline *p = r->p;
    labels_builder_reset(&r->b);
    if (sm.len)
        labels_builder_add_encoded_metadata(&r->b, sm);
    r->line = line;
    r->ts_ns = ts_ns;
    for (size_t i = 0; i < p->n_steps; i++)
        if (!step_run(r, &p->steps[i]) || !pipeline_runner_spend(r))
            return false;
    return !r->failed && (!p->unwrap || unwrap_row(r));
}

static struct str_view value_of(const struct labels_builder *b, struct str_view name)
{
    struct str_view value = {NULL, 0};
    if (sv_eq(name, SV("__error__")))
        return b->error;
    if (sv_eq(name, SV("__error_details__")))
        return b->error_details;
    return labels_builder_get(b, name, &value) ? value : (struct str_view){NULL, 0};
}

static struct labels only_named(struct pipeline_runner *r)
{
    const struct name_list *names = &r->p->need.names;
    if (names->n > r->cap_reduced)
        r->reduced = mem_grow(r->reduced, &r->cap_reduced, names->n, sizeof *r->reduced);
    size_t n = 0;
    for (size_t i = 0; i < names->n; i++) {
        struct str_view value = value_of(&r->b, names->v[i]);
        bool again = false;
        for (size_t j = 0; j < n; j++)
            again |= sv_eq(r->reduced[j].name, names->v[i]);
        if (value.p && !again)
            r->reduced[n++] = (struct label){names->v[i], value};
    }
    labels_sort(r->reduced, n, NULL);
    return (struct labels){r->reduced, n};
}

struct labels pipeline_runner_labels(struct pipeline_runner *r)
{
    const struct pipeline *p = r->p;
    if (!needs_all(p))
        return only_named(r);
    struct labels all = labels_builder_result(&r->b);
    if (!p->unwrap && p->need.kind == NEED_ALL)
        return all;
    if (all.n > r->cap_reduced)
        r->reduced = mem_grow(r->reduced, &r->cap_reduced, all.n, sizeof *r->reduced);
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++)
        if (!(p->unwrap && sv_eq(all.v[i].name, p->unwrap->name)) &&
            !name_list_has(p->need.names, all.v[i].name))
            r->reduced[n++] = all.v[i];
    return (struct labels){r->reduced, n};
}

bool pipeline_runner_failed(const struct pipeline_runner *r)
{
    if (!labels_builder_has_error(&r->b))
        return false;
    bool of_parser =
        sv_eq(r->b.error, SV("JSONParserErr")) || sv_eq(r->b.error, SV("LogfmtParserErr"));
    return !(r->p->need.reduced && r->p->error_is_needed && of_parser);
}
