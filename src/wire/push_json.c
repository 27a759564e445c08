/* SPDX-License-Identifier: Apache-2.0 */
/* Both JSON shapes of a push, read in one pass into slices of the body.
 *   v1  {"streams":[{"stream":{"a":"b"},"values":[["<ns>","line",{"k":"v"}]]}]}
 *   v0  {"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"<RFC 3339>","line":"x",
 *        "structuredMetadata":{"k":"v"}}]}]}
 * Unknown keys are stepped over; what follows the first value is not looked at. */
#include "base/rfc3339.h"
#include "wire/json_scan.h"
#include "wire/push_build.h"

struct decoder {
    struct json_scan in;
    const char *start;
    struct push_builder *b;
    bool legacy;
    struct label *labels; /* of the open stream */
    size_t n_labels;
};

static int wrong(struct decoder *d, const char *what)
{
    return err_set(d->b->err, ERR_INVALID, "couldn't decode JSON push: %s at byte %zu", what,
                   (size_t)(d->in.p - d->start));
}

static bool take_null(struct decoder *d)
{
    struct str_view text;
    return json_peek(&d->in) == 'n' && json_skip_value(&d->in, &text);
}

typedef int item_fn(struct decoder *d);
typedef int member_fn(struct decoder *d, struct str_view name);

static int each_item(struct decoder *d, const char *what, item_fn *fn)
{
    bool more = true;
    if (!json_take(&d->in, '['))
        return wrong(d, what);
    if (json_take(&d->in, ']'))
        return 0;
    while (more) {
        int r = fn(d);
        if (r < 0)
            return r;
        if (!json_next(&d->in, ']', &more))
            return wrong(d, "expected ',' or ']'");
    }
    return 0;
}

static int each_member(struct decoder *d, const char *what, member_fn *fn)
{
    bool more = true;
    if (!json_take(&d->in, '{'))
        return wrong(d, what);
    if (json_take(&d->in, '}'))
        return 0;
    while (more) {
        struct str_view name;
        if (!json_name(&d->in, d->b->a, &name))
            return wrong(d, "expected a name and ':'");
        int r = fn(d, name);
        if (r < 0)
            return r;
        if (!json_next(&d->in, '}', &more))
            return wrong(d, "expected ',' or '}'");
    }
    return 0;
}

static int skip_unknown(struct decoder *d)
{
    return json_skip_value(&d->in, NULL) ? 0 : wrong(d, "malformed value");
}

/* ---- labels ---- */

/* Strings as they read, other values as their text. */
static int read_label(struct decoder *d, struct str_view name)
{
    struct str_view value;
    bool ok = json_peek(&d->in) == '"' ? json_text(&d->in, d->b->a, &value)
                                       : json_skip_value(&d->in, &value);
    return ok ? push_add_pair(d->b, name, value) : wrong(d, "malformed label value");
}

/* Names that are none: the set goes through the label text, whose reader names the place. */
static int reread_labels(struct decoder *d)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    labels_print(&text, (struct labels){d->b->pairs, d->b->n_pairs});
    int r = labels_parse(d->b->a, arena_copy(d->b->a, buf_view(&text)), &d->labels, &d->n_labels,
                         d->b->err);
    return r < 0 ? err_context(d->b->err, r, "couldn't parse labels") : 0;
}

/* Sorted; of equal names the last wins; empty values are absent labels. */
static int keep_labels(struct decoder *d)
{
    struct label *v = d->b->pairs;
    size_t n = d->b->n_pairs, kept = 0;
    if (n > LABELS_MAX_PAIRS)
        return wrong(d, "too many labels");
    bool names_ok = true;
    for (size_t i = 0; i < n; i++)
        names_ok &= labels_is_name(v[i].name);
    labels_sort(v, n, NULL);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || !sv_eq(v[i].name, v[i + 1].name))
            v[kept++] = v[i];
    d->b->n_pairs = kept;
    if (!names_ok)
        return reread_labels(d);
    d->labels = arena_alloc(d->b->a, kept * sizeof *d->labels);
    d->n_labels = 0;
    for (size_t i = 0; i < kept; i++)
        if (v[i].value.len > 0)
            d->labels[d->n_labels++] = v[i];
    return 0;
}

static int read_labels(struct decoder *d)
{
    d->b->n_pairs = 0;
    if (take_null(d)) {
        d->n_labels = 0;
        return 0;
    }
    int r = each_member(d, "expected the object of labels", read_label);
    return r < 0 ? r : keep_labels(d);
}

static int read_label_text(struct decoder *d)
{
    struct str_view text;
    if (!json_text(&d->in, d->b->a, &text))
        return wrong(d, "expected the text of labels");
    int r = labels_parse(d->b->a, text, &d->labels, &d->n_labels, d->b->err);
    return r == ERR_INVALID ? err_context(d->b->err, r, "couldn't parse labels") : r;
}

/* ---- structured metadata ---- */

/* First time: only steps over it and remembers where it stands. */
static int find_metadata(struct decoder *d, struct push_entry *e)
{
    if (json_peek(&d->in) != '{')
        return wrong(d, "structured metadata is not an object");
    if (!json_skip_value(&d->in, &e->e.sm))
        return wrong(d, "malformed structured metadata");
    return 0;
}

static int read_pair(struct decoder *d, struct str_view name)
{
    struct str_view value;
    if (json_peek(&d->in) != '"' || !json_text(&d->in, d->b->a, &value))
        return wrong(d, "value of structured metadata is not a string");
    return push_add_pair(d->b, name, value);
}

static int read_metadata(struct push_builder *b, struct str_view raw)
{
    struct decoder d = {.in = json_scan_of(raw), .start = raw.p, .b = b};
    return each_member(&d, "structured metadata is not an object", read_pair);
}

/* ---- entries ---- */

static int read_time_ns(struct decoder *d, int64_t *ret)
{
    struct str_view text;
    if (json_peek(&d->in) != '"' || !json_text(&d->in, d->b->a, &text))
        return wrong(d, "timestamp is not a string");
    if (text.len > 1 && text.p[0] == '+' && text.p[1] != '-')
        text = sv_from(text, 1);
    if (!sv_to_i64(text, ret))
        return wrong(d, "timestamp is not an integer of nanoseconds");
    return 0;
}

static int read_line(struct decoder *d, struct str_view *ret)
{
    if (json_peek(&d->in) != '"' || !json_text(&d->in, d->b->a, ret))
        return wrong(d, "line is not a string");
    return 0;
}

/* Nothing is said of it yet: what comes without a time is as old as can be. */
static int add_entry(struct decoder *d, struct push_entry **ret)
{
    int r = push_add_entry(d->b, ret);
    if (r == 0)
        (*ret)->e = (struct entry){PUSH_TS_TOO_OLD, SV_EMPTY, SV_EMPTY};
    return r;
}

/* ["<ns>", "line", {metadata}, ignored...] */
static int read_value(struct decoder *d)
{
    if (take_null(d))
        return 0;
    struct push_entry *e;
    int r = add_entry(d, &e);
    if (r < 0)
        return r;
    bool more = true;
    if (!json_take(&d->in, '['))
        return wrong(d, "entry is not an array");
    if (json_take(&d->in, ']'))
        return 0;
    for (unsigned i = 0; more; i++) {
        r = i == 0   ? read_time_ns(d, &e->e.ts_ns)
            : i == 1 ? read_line(d, &e->e.line)
            : i == 2 ? find_metadata(d, e)
                     : skip_unknown(d);
        if (r < 0)
            return r;
        if (!json_next(&d->in, ']', &more))
            return wrong(d, "expected ',' or ']'");
    }
    return 0;
}

static int read_old_member(struct decoder *d, struct str_view name)
{
    struct push_entry *e = &d->b->entries[d->b->n_entries - 1];
    if (sv_eq(name, SV("line")))
        return read_line(d, &e->e.line);
    if (sv_eq(name, SV("structuredMetadata")))
        return take_null(d) ? 0 : find_metadata(d, e);
    if (!sv_eq(name, SV("ts")))
        return skip_unknown(d);
    struct str_view text;
    if (json_peek(&d->in) != '"' || !json_text(&d->in, d->b->a, &text) ||
        !rfc3339_parse(text, &e->e.ts_ns))
        return wrong(d, "ts is not a time as 2026-03-01T10:00:00Z");
    return 0;
}

static int read_old_entry(struct decoder *d)
{
    if (take_null(d))
        return 0;
    struct push_entry *e;
    int r = add_entry(d, &e);
    return r < 0 ? r : each_member(d, "entry is not an object", read_old_member);
}

/* ---- streams ---- */

static int read_stream_member(struct decoder *d, struct str_view name)
{
    if (sv_eq(name, d->legacy ? SV("labels") : SV("stream")))
        return d->legacy ? read_label_text(d) : read_labels(d);
    if (!sv_eq(name, d->legacy ? SV("entries") : SV("values")))
        return skip_unknown(d);
    if (take_null(d))
        return 0;
    return each_item(d, "expected the array of entries", d->legacy ? read_old_entry : read_value);
}

static int read_stream(struct decoder *d)
{
    d->n_labels = 0;
    d->b->n_entries = 0;
    int r = each_member(d, "stream is not an object", read_stream_member);
    if (r < 0)
        return r;
    size_t n;
    struct push_entry *entries = push_keep_entries(d->b, &n);
    return push_add_stream(d->b, d->labels, d->n_labels, entries, n);
}

static int read_member(struct decoder *d, struct str_view name)
{
    if (!sv_eq(name, SV("streams")))
        return skip_unknown(d);
    return take_null(d) ? 0 : each_item(d, "streams is not an array", read_stream);
}

int push_decode_json(struct push_builder *b, struct str_view body, bool legacy)
{
    struct decoder d = {.in = json_scan_of(body), .start = body.p, .b = b, .legacy = legacy};
    b->read_sm = read_metadata;
    if (take_null(&d))
        return 0;
    return each_member(&d, "expected an object", read_member);
}
