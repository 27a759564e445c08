/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/push_build.h"

#include "wire/sm_normalise.h"

/* What a decoded push may cost beside its own bytes: an entry of a few wire bytes becomes a struct
 * of 48, so honest senders of short lines stay below the ratio, floods of empty ones do not. */
enum { BUDGET_RATIO = 16, BUDGET_FREE_BYTES = 1 << 20, STREAM_BYTES = 128 };
enum { GRANT_BYTES = 64 << 10 }; /* asked for at a time */

void push_builder_init(struct push_builder *b, struct arena *a, const struct push_policy *policy,
                       uint64_t decoded_bytes, const struct reserve *reserve, struct err *err)
{
    *b = (struct push_builder){.a = a, .policy = policy, .reserve = reserve, .err = err};
    b->budget_bytes = decoded_bytes * BUDGET_RATIO + BUDGET_FREE_BYTES;
}

void push_builder_deinit(struct push_builder *b)
{
    free(b->pairs);
    free(b->entries);
    free(b->streams);
    buf_deinit(&b->bytes);
}

int push_charge(struct push_builder *b, uint64_t n, size_t elem_bytes)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(n, elem_bytes, &bytes) || bytes > b->budget_bytes)
        return err_set(b->err, ERR_TOO_LARGE,
                       "push has too many empty streams or entries for its size");
    b->budget_bytes -= bytes;
    if (bytes > b->granted_bytes) {
        uint64_t more = bytes > GRANT_BYTES ? bytes : GRANT_BYTES;
        if (!reserve_take(b->reserve, more))
            return err_set(b->err, ERR_UNAVAILABLE,
                           "too many in-flight bytes: decoding this push needs %llu more; try "
                           "again, or raise distributor.max_inflight_bytes or the memory ceiling",
                           (unsigned long long)more);
        b->granted_bytes += more;
    }
    b->granted_bytes -= bytes;
    return 0;
}

int push_add_pair(struct push_builder *b, struct str_view name, struct str_view value)
{
    if (b->n_pairs == b->cap_pairs) {
        int r = push_charge(b, b->n_pairs + 1, sizeof *b->pairs);
        if (r < 0)
            return r;
        b->pairs = mem_grow(b->pairs, &b->cap_pairs, b->n_pairs + 1, sizeof *b->pairs);
    }
    b->pairs[b->n_pairs++] = (struct label){name, value};
    return 0;
}

int push_add_entry(struct push_builder *b, struct push_entry **ret)
{
    int r = push_charge(b, 1, sizeof *b->entries);
    if (r < 0)
        return r;
    if (b->n_entries == b->cap_entries)
        b->entries = mem_grow(b->entries, &b->cap_entries, b->n_entries + 1, sizeof *b->entries);
    *ret = &b->entries[b->n_entries++];
    **ret = (struct push_entry){0};
    return 0;
}

struct push_entry *push_keep_entries(struct push_builder *b, size_t *ret_n)
{
    struct push_entry *kept = arena_alloc(b->a, b->n_entries * sizeof *kept);
    if (b->n_entries)
        memcpy(kept, b->entries, b->n_entries * sizeof *kept);
    *ret_n = b->n_entries;
    b->n_entries = 0;
    return kept;
}

/* ---- labels of the stream ---- */

static struct str_view discover_service_name(const struct push_policy *p, struct labels l)
{
    for (size_t i = 0; i < p->discover_service_name.n; i++) {
        struct str_view value = labels_get(l, p->discover_service_name.v[i]);
        if (value.len > 0)
            return value;
    }
    return SV("unknown_service");
}

static bool wants_service_name(const struct push_policy *p, struct labels l)
{
    return p->discover_service_name.n > 0 && !labels_get(l, SV("service_name")).p &&
           !labels_get(l, SV("__aggregated_metric__")).p && !labels_get(l, SV("__pattern__")).p;
}

static int finish_labels(struct push_builder *b, struct push_stream *s, struct label *v, size_t n)
{
    struct str_view duplicate;
    struct labels l = {v, n};
    if (wants_service_name(b->policy, l)) {
        struct label *more = arena_alloc(b->a, (n + 1) * sizeof *more);
        if (n)
            memcpy(more, v, n * sizeof *more);
        more[n++] = (struct label){SV("service_name"), discover_service_name(b->policy, l)};
        v = more;
        s->service_name_added = true;
    }
    labels_sort(v, n, &duplicate);
    s->set = (struct labels){v, n};
    s->has_duplicate_names = duplicate.p != NULL;
    s->labels = SV_EMPTY;
    if (s->has_duplicate_names || n == 0)
        return 0;
    if (n > LABELS_MAX_PAIRS)
        return err_set(b->err, ERR_INVALID, "stream has %zu labels; limit %d", n, LABELS_MAX_PAIRS);
    buf_clear(&b->bytes);
    labels_encode(&b->bytes, s->set);
    if (b->bytes.len > LABELS_MAX_BYTES)
        return err_set(b->err, ERR_TOO_LARGE, "labels of a stream take %zu bytes, limit: %d bytes",
                       b->bytes.len, LABELS_MAX_BYTES);
    s->labels = arena_copy(b->a, buf_view(&b->bytes));
    s->hash = labels_hash_encoded(s->labels);
    return 0;
}

/* ---- entries ---- */

/* What a stream's labels say about the level of all its entries. */
struct stream_level {
    struct str_view text; /* p == NULL: nothing */
    struct str_view sm;   /* {detected_level=text}, encoded */
};

static bool first_of_names(const struct push_names *names, struct labels l, struct str_view *ret)
{
    for (size_t i = 0; i < names->n; i++) {
        *ret = labels_get(l, names->v[i]);
        if (ret->p)
            return true;
    }
    return false;
}

/* Known levels in their one spelling, others as they are. */
static struct str_view normal_level(struct str_view text)
{
    enum level level = level_parse(text);
    return level == LEVEL_NONE ? text : level_text(level);
}

static void find_stream_level(struct push_builder *b, struct labels l, struct stream_level *ret)
{
    *ret = (struct stream_level){{NULL, 0}, SV_EMPTY};
    struct str_view text;
    if (!b->policy->discover_log_levels || !first_of_names(&b->policy->log_level_fields, l, &text))
        return;
    ret->text = normal_level(text);
    struct label pair = {SV("detected_level"), ret->text};
    buf_clear(&b->bytes);
    labels_encode(&b->bytes, (struct labels){&pair, 1});
    ret->sm = arena_copy(b->a, buf_view(&b->bytes));
}

static struct str_view metadata_level(const struct push_policy *p, struct labels sm,
                                      const struct stream_level *of_stream, struct str_view line)
{
    struct str_view text;
    if (of_stream->text.p)
        return of_stream->text;
    if (first_of_names(&p->log_level_fields, sm, &text))
        return normal_level(text);
    text = labels_get(sm, SV("severity_number"));
    if (text.p)
        return level_text(level_of_severity_number(text));
    return level_text(level_of_line(p->level_names, p->log_level_json_depth, line));
}

static int add_level(struct push_builder *b, const struct stream_level *of_stream,
                     struct str_view line)
{
    struct labels sm = {b->pairs, b->n_pairs};
    for (size_t i = 0; i < sm.n; i++) {
        if (sv_eq(sm.v[i].name, SV("detected_level"))) {
            b->pairs[i].value = normal_level(sm.v[i].value);
            return 0;
        }
    }
    struct str_view level = metadata_level(b->policy, sm, of_stream, line);
    return level.len > 0 ? push_add_pair(b, SV("detected_level"), level) : 0;
}

/* Configured extra metadata, from labels, metadata or the line, in that order. */
static int add_generic_fields(struct push_builder *b, struct labels stream, struct str_view line)
{
    for (size_t i = 0; i < b->policy->n_generic_fields; i++) {
        const struct push_generic_field *g = &b->policy->generic_fields[i];
        struct labels sm = {b->pairs, b->n_pairs};
        struct str_view value;
        bool found =
            first_of_names(&g->fields, stream, &value) || first_of_names(&g->fields, sm, &value);
        if (!found)
            found = level_line_field(g->line_names, b->policy->log_level_json_depth, line, &value);
        if (found && value.len > 0 && !labels_get(sm, g->name).p) {
            int r = push_add_pair(b, g->name, value);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static void count_raw_metadata(const struct push_builder *b, struct push_entry *e)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < b->n_pairs; i++)
        if (!sv_eq(b->pairs[i].name, SV("detected_level")))
            bytes += b->pairs[i].name.len + b->pairs[i].value.len;
    e->sm_raw_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    e->sm_raw_pairs = b->n_pairs < UINT16_MAX ? (uint16_t)b->n_pairs : UINT16_MAX;
}

/* No decoder of ours would take it: it counts as more than any limit lets through. */
static void refuse_metadata(struct push_entry *e)
{
    e->sm_raw_bytes = UINT32_MAX;
    e->sm_raw_pairs = e->sm_raw_pairs ? e->sm_raw_pairs : 1;
}

/* The rare entry: it came with metadata, or the policy adds some. */
static int finish_metadata(struct push_builder *b, const struct push_stream *s,
                           const struct stream_level *level, struct push_entry *e)
{
    struct str_view raw = e->e.sm;
    b->n_pairs = 0;
    int r = raw.len ? b->read_sm(b, raw) : 0;
    if (r < 0)
        return r;
    count_raw_metadata(b, e);
    e->e.sm = SV_EMPTY;
    /* What no limit may let through keeps no metadata; the validation refuses the entry. */
    if (!b->policy->allow_structured_metadata || b->n_pairs >= LABELS_MAX_PAIRS / 2 ||
        e->sm_raw_bytes > LABELS_MAX_BYTES / 2)
        return 0;
    r = sm_normalise(b->a, b->pairs, &b->n_pairs, b->err);
    if (r == 0)
        r = add_generic_fields(b, s->set, e->e.line);
    if (r == 0 && b->policy->discover_log_levels)
        r = add_level(b, level, e->e.line);
    if (r < 0)
        return r;
    labels_sort(b->pairs, b->n_pairs, NULL);
    if (b->n_pairs == 0)
        return 0;
    buf_clear(&b->bytes);
    labels_encode(&b->bytes, (struct labels){b->pairs, b->n_pairs});
    if (b->n_pairs > LABELS_MAX_PAIRS || b->bytes.len > LABELS_MAX_BYTES) {
        refuse_metadata(e); /* by what was added, or not counted as sent */
        return 0;
    }
    e->e.sm = arena_copy(b->a, buf_view(&b->bytes));
    return push_charge(b, b->bytes.len, 1);
}

static void truncate_line(struct push_builder *b, struct push_entry *e)
{
    const struct push_policy *p = b->policy;
    if (e->e.line.len <= p->max_line_bytes)
        return;
    e->truncated = true;
    size_t suffix = p->truncate_suffix.len < p->max_line_bytes ? p->truncate_suffix.len : 0;
    size_t kept = (size_t)p->max_line_bytes - suffix;
    if (suffix == 0) {
        e->e.line.len = kept;
        return;
    }
    char *cut = arena_alloc(b->a, (size_t)p->max_line_bytes);
    memcpy(cut, e->e.line.p, kept);
    memcpy(cut + kept, p->truncate_suffix.p, suffix);
    e->e.line = sv(cut, (size_t)p->max_line_bytes);
}

/* Entries of one time but different lines move one nanosecond behind the one before; an equal line
 * stays where it is, to be found as a repeat. */
static void spread_equal_times(struct push_entry *v, size_t n)
{
    if (n == 0)
        return;
    int64_t run_ts_ns = v[0].e.ts_ns; /* as sent */
    for (size_t i = 1; i < n; i++) {
        int64_t sent = v[i].e.ts_ns, before = v[i - 1].e.ts_ns;
        bool same_time = sent == run_ts_ns || sent == before;
        bool is_time = sent != PUSH_TS_TOO_OLD && before < PUSH_TS_TOO_NEW - 1;
        if (same_time && is_time && !sv_eq(v[i].e.line, v[i - 1].e.line))
            v[i].e.ts_ns = before + 1;
        else
            run_ts_ns = sent;
    }
}

static int finish_entries(struct push_builder *b, struct push_stream *s)
{
    const struct push_policy *p = b->policy;
    struct stream_level level;
    find_stream_level(b, s->set, &level);
    bool truncating = p->truncate_lines && p->max_line_bytes > 0;
    bool levels = p->discover_log_levels && p->allow_structured_metadata;
    for (size_t i = 0; i < s->n_entries; i++) {
        struct push_entry *e = &s->entries[i];
        if (truncating)
            truncate_line(b, e);
        if (e->e.sm.len > 0 || p->n_generic_fields > 0) {
            int r = finish_metadata(b, s, &level, e);
            if (r < 0)
                return r;
        } else if (levels) {
            e->e.sm = level.text.p ? level.sm
                                   : level_metadata(level_of_line(
                                         p->level_names, p->log_level_json_depth, e->e.line));
        }
    }
    if (p->increment_duplicate_timestamp)
        spread_equal_times(s->entries, s->n_entries);
    return 0;
}

int push_add_stream(struct push_builder *b, struct label *labels, size_t n_labels,
                    struct push_entry *entries, size_t n_entries)
{
    int r = push_charge(b, 1, sizeof *b->streams + STREAM_BYTES + n_labels * sizeof *labels);
    if (r < 0)
        return r;
    struct push_stream s = {.entries = entries, .n_entries = n_entries};
    r = finish_labels(b, &s, labels, n_labels);
    if (r == 0)
        r = finish_entries(b, &s);
    if (r < 0)
        return r;
    if (b->n_streams == b->cap_streams)
        b->streams = mem_grow(b->streams, &b->cap_streams, b->n_streams + 1, sizeof *b->streams);
    b->streams[b->n_streams++] = s;
    return 0;
}
