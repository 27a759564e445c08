/* SPDX-License-Identifier: Apache-2.0 */
/* labels_builder.h - the labels of one entry while it walks down a pipeline (logql.md 3.1).
 * Three categories: the stream's labels (the base), structured metadata, and what stages parsed.
 * Rules kept here: name clashes become name_extracted; a base label keeps its claim on its name
 * even after it was dropped; the first extraction of a name wins, also after a drop; a formatted
 * label is parsed whatever it was before.  __error__ and __error_details__ live outside the map.
 * All views are borrowed: names and values must live until the next labels_builder_reset (copy
 * what is computed into labels_builder_arena()).  Nothing is allocated per line once the arrays
 * have grown.
 * Threads: one at a time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "lines/labels_index.h"
#include "model/labels.h"

enum label_category { LABEL_STREAM, LABEL_METADATA, LABEL_PARSED };

struct built_label {
    struct str_view name, value;
    uint32_t tag;                     /* of the name: equal names have equal tags */
    enum label_category category : 8; /* METADATA or PARSED */
    bool deleted;                     /* reads as absent */
    bool claimed;                     /* some stage parsed this name: later extractions lose */
};

/* Most names that are looked for are not there, and this says so at one look; a bit that is set
 * proves nothing. */
struct tag_set {
    uint64_t bits[4];
};

struct labels_builder {
    struct labels base;
    struct tag_set base_names, built_names; /* of the base; of v, deleted ones too */
    uint32_t *base_tags;
    size_t base_tags_cap;
    uint64_t *base_deleted; /* bit per base label */
    size_t base_words, base_words_cap;
    struct built_label *v;
    size_t n, cap;
    struct labels_index index;            /* of v, once it is long */
    struct str_view error, error_details; /* p == NULL: none */
    struct arena scratch;                 /* per line */
    struct label *out;                    /* labels_builder_result's array */
    size_t out_cap;
};

void labels_builder_init(struct labels_builder *b);
void labels_builder_deinit(struct labels_builder *b);
/* What it holds, the scratch arena included: for budgets. */
size_t labels_builder_mem_bytes(const struct labels_builder *b);
/* The stream of the lines to come; borrows base. */
void labels_builder_set_base(struct labels_builder *b, struct labels base);
/* A new line of that stream.  Drops what the last one held, the scratch arena included. */
void labels_builder_reset(struct labels_builder *b);
/* A pair of the line's structured metadata; a clash with the base takes the suffix. */
void labels_builder_add_metadata(struct labels_builder *b, struct str_view name,
                                 struct str_view value);
/* Adds encoded metadata (model/labels.h); false when it does not decode. */
bool labels_builder_add_encoded_metadata(struct labels_builder *b, struct str_view encoded);

/* How a parser's pair is stored. */
enum extract_mode {
    EXTRACT_FIRST_WINS, /* json, logfmt, regexp, pattern, unpack */
    EXTRACT_OVERWRITE,  /* json and logfmt with expressions */
};
/* The name must already be sanitised. */
void labels_builder_extract(struct labels_builder *b, struct str_view name, struct str_view value,
                            enum extract_mode mode);
/* EXTRACT_FIRST_WINS for a caller that has the target already; false when another value stands. */
bool labels_builder_extract_as(struct labels_builder *b, struct str_view target,
                               struct str_view value);
/* The name under which labels_builder_extract() would store: itself, or with the suffix. */
struct str_view labels_builder_target(struct labels_builder *b, struct str_view name);
/* Whether a stream or metadata label of that name exists now (not deleted). */
bool labels_builder_has_base_or_metadata(const struct labels_builder *b, struct str_view name);
/* Whether EXTRACT_FIRST_WINS would be ignored for that name. */
bool labels_builder_is_claimed(struct labels_builder *b, struct str_view name);

/* label_format: sets under exactly this name, category parsed. */
void labels_builder_set(struct labels_builder *b, struct str_view name, struct str_view value);
/* drop, keep, the source of a rename; any category.  Not the error labels. */
void labels_builder_delete(struct labels_builder *b, struct str_view name);
/* False when absent; *ret is then empty.  Not the error labels. */
bool labels_builder_get(const struct labels_builder *b, struct str_view name, struct str_view *ret);
enum label_category labels_builder_category(const struct labels_builder *b, struct str_view name);

/* Errors.  set replaces; set_once keeps an earlier one. */
void labels_builder_set_error(struct labels_builder *b, struct str_view error,
                              struct str_view details);
void labels_builder_set_error_once(struct labels_builder *b, struct str_view error,
                                   struct str_view details);
static inline bool labels_builder_has_error(const struct labels_builder *b)
{
    return b->error.p != NULL;
}

/* Calls fn for each label that is there now, in no order; error labels included when set. */
typedef void label_each_fn(void *ctx, struct str_view name, struct str_view value,
                           enum label_category category);
void labels_builder_each(const struct labels_builder *b, label_each_fn *fn, void *ctx);

/* Sorted, unique.  Valid until the next call on b. */
struct labels labels_builder_result(struct labels_builder *b); /* all, error labels included */
/* Those of one category only; error labels count as parsed. */
struct labels labels_builder_of(struct labels_builder *b, enum label_category category);

static inline struct arena *labels_builder_arena(struct labels_builder *b)
{
    return &b->scratch;
}
