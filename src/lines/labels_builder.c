/* SPDX-License-Identifier: Apache-2.0 */
/* A line has few labels, so a look-up is a scan, over tags first; one that has many is indexed. */
#include "lines/labels_builder.h"

static const char suffix[] = "_extracted";
enum { INDEX_FROM = 64 }; /* labels; also from where sorting beats inserting */
#define ERROR_NAME SV("__error__")
#define DETAILS_NAME SV("__error_details__")

void labels_builder_init(struct labels_builder *b)
{
    *b = (struct labels_builder){0};
}

void labels_builder_deinit(struct labels_builder *b)
{
    if (!b)
        return;
    free(b->base_tags);
    free(b->base_deleted);
    free(b->v);
    labels_index_deinit(&b->index);
    free(b->out);
    arena_deinit(&b->scratch);
    *b = (struct labels_builder){0};
}

size_t labels_builder_mem_bytes(const struct labels_builder *b)
{
    return b->base_tags_cap * sizeof *b->base_tags + b->base_words_cap * sizeof *b->base_deleted +
           b->cap * sizeof *b->v + b->index.cap * sizeof *b->index.slots +
           b->out_cap * sizeof *b->out + b->scratch.used_bytes;
}

/* Length, first, middle and last byte: names that share all of these are rare. */
static inline uint32_t tag_of(struct str_view name)
{
    if (name.len == 0)
        return 0;
    unsigned char first = (unsigned char)name.p[0], last = (unsigned char)name.p[name.len - 1],
                  middle = (unsigned char)name.p[name.len / 2];
    return (uint32_t)name.len << 24 ^ (uint32_t)first << 16 ^ (uint32_t)middle << 8 ^ last;
}

static inline uint32_t tag_bit(uint32_t tag)
{
    return tag * 0x9e3779b1u >> 24;
}

static inline void tag_set_add(struct tag_set *s, uint32_t tag)
{
    s->bits[tag_bit(tag) / 64] |= UINT64_C(1) << tag_bit(tag) % 64;
}

static inline bool tag_set_may_hold(const struct tag_set *s, uint32_t tag)
{
    return s->bits[tag_bit(tag) / 64] >> tag_bit(tag) % 64 & 1;
}

void labels_builder_set_base(struct labels_builder *b, struct labels base)
{
    b->base = base;
    if (base.n > b->base_tags_cap)
        b->base_tags = mem_grow(b->base_tags, &b->base_tags_cap, base.n, sizeof *b->base_tags);
    b->base_names = (struct tag_set){{0}};
    for (size_t i = 0; i < base.n; i++) {
        b->base_tags[i] = tag_of(base.v[i].name);
        tag_set_add(&b->base_names, b->base_tags[i]);
    }
    size_t words = (base.n + 63) / 64;
    if (words > b->base_words_cap)
        b->base_deleted =
            mem_grow(b->base_deleted, &b->base_words_cap, words, sizeof *b->base_deleted);
    b->base_words = words;
    labels_builder_reset(b);
}

void labels_builder_reset(struct labels_builder *b)
{
    for (size_t i = 0; i < b->base_words; i++)
        b->base_deleted[i] = 0;
    b->n = 0;
    b->built_names = (struct tag_set){{0}};
    labels_index_clear(&b->index);
    b->error = b->error_details = (struct str_view){NULL, 0};
    if (b->scratch.used_bytes)
        arena_clear(&b->scratch);
}

static bool base_is_deleted(const struct labels_builder *b, size_t i)
{
    return b->base_deleted[i / 64] >> (i % 64) & 1;
}

static inline size_t find_base_tagged(const struct labels_builder *b, struct str_view name,
                                      uint32_t tag)
{
    if (!tag_set_may_hold(&b->base_names, tag))
        return b->base.n;
    for (size_t i = 0; i < b->base.n; i++)
        if (b->base_tags[i] == tag && sv_eq(b->base.v[i].name, name))
            return i;
    return b->base.n;
}

__attribute__((noinline)) static struct built_label *find_indexed(const struct labels_builder *b,
                                                                  struct str_view name)
{
    uint32_t hash = labels_index_hash(name);
    for (size_t at = hash, i; (i = labels_index_next(&b->index, hash, &at)) < b->n;)
        if (sv_eq(b->v[i].name, name))
            return &b->v[i];
    return NULL;
}

static inline struct built_label *find_built_tagged(const struct labels_builder *b,
                                                    struct str_view name, uint32_t tag)
{
    if (!tag_set_may_hold(&b->built_names, tag))
        return NULL;
    if (b->n > INDEX_FROM)
        return find_indexed(b, name);
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].tag == tag && sv_eq(b->v[i].name, name))
            return &b->v[i];
    return NULL;
}

/* Index in the base, or base.n. */
static size_t find_base(const struct labels_builder *b, struct str_view name)
{
    return find_base_tagged(b, name, tag_of(name));
}

static struct built_label *find_built(const struct labels_builder *b, struct str_view name)
{
    return find_built_tagged(b, name, tag_of(name));
}

__attribute__((noinline)) static void index_built(struct labels_builder *b)
{
    for (size_t i = b->index.n; i < b->n; i++)
        labels_index_put(&b->index, labels_index_hash(b->v[i].name), i);
}

static inline struct built_label *add_built(struct labels_builder *b, struct str_view name,
                                            uint32_t tag)
{
    if (b->n == b->cap)
        b->v = mem_grow(b->v, &b->cap, b->n + 1, sizeof *b->v);
    struct built_label *l = &b->v[b->n++];
    *l = (struct built_label){.name = name, .tag = tag};
    tag_set_add(&b->built_names, tag);
    if (b->n > INDEX_FROM)
        index_built(b);
    return l;
}

static struct built_label *find_or_add(struct labels_builder *b, struct str_view name)
{
    uint32_t tag = tag_of(name);
    struct built_label *l = find_built_tagged(b, name, tag);
    return l ? l : add_built(b, name, tag);
}

static struct str_view with_suffix(struct labels_builder *b, struct str_view name)
{
    size_t len = name.len + sizeof suffix - 1;
    char *p = arena_alloc(&b->scratch, len);
    memcpy(p, name.p, name.len);
    memcpy(p + name.len, suffix, sizeof suffix - 1);
    return sv(p, len);
}

void labels_builder_add_metadata(struct labels_builder *b, struct str_view name,
                                 struct str_view value)
{
    if (find_base(b, name) < b->base.n)
        name = with_suffix(b, name);
    struct built_label *l = find_or_add(b, name);
    l->value = value;
    l->category = LABEL_METADATA;
}

bool labels_builder_add_encoded_metadata(struct labels_builder *b, struct str_view encoded)
{
    if (encoded.len == 0)
        return true;
    struct reader in = reader_of(encoded);
    uint64_t n = rd_varint(&in);
    if (n > LABELS_MAX_PAIRS)
        return false;
    for (uint64_t i = 0; i < n && !in.bad; i++) {
        struct str_view name = rd_str(&in, LABELS_MAX_BYTES);
        struct str_view value = rd_str(&in, LABELS_MAX_BYTES);
        if (!in.bad)
            labels_builder_add_metadata(b, name, value);
    }
    return !in.bad;
}

bool labels_builder_has_base_or_metadata(const struct labels_builder *b, struct str_view name)
{
    size_t i = find_base(b, name);
    if (i < b->base.n && !base_is_deleted(b, i))
        return true;
    const struct built_label *l = find_built(b, name);
    return l && !l->deleted && l->category == LABEL_METADATA;
}

struct str_view labels_builder_target(struct labels_builder *b, struct str_view name)
{
    if (find_base(b, name) < b->base.n)
        return with_suffix(b, name);
    const struct built_label *l = find_built(b, name);
    if (l && !l->deleted && l->category == LABEL_METADATA)
        return with_suffix(b, name);
    return name;
}

bool labels_builder_is_claimed(struct labels_builder *b, struct str_view name)
{
    const struct built_label *l = find_built(b, labels_builder_target(b, name));
    return l && l->claimed;
}

/* Where a parser's pair of that name is stored: made when missing. */
static inline struct built_label *target_label(struct labels_builder *b, struct str_view name)
{
    uint32_t tag = tag_of(name);
    if (find_base_tagged(b, name, tag) < b->base.n)
        return find_or_add(b, with_suffix(b, name));
    struct built_label *l = find_built_tagged(b, name, tag);
    if (!l)
        return add_built(b, name, tag);
    bool is_metadata = !l->deleted && l->category == LABEL_METADATA;
    return is_metadata ? find_or_add(b, with_suffix(b, name)) : l;
}

/* The error labels: no stage may extract them. */
static inline bool is_ours(struct str_view name)
{
    return name.len > 2 && name.p[1] == '_' &&
           (sv_eq(name, ERROR_NAME) || sv_eq(name, DETAILS_NAME));
}

static inline bool store(struct built_label *l, struct str_view value, enum extract_mode mode)
{
    if (l->claimed && mode == EXTRACT_FIRST_WINS)
        return false;
    l->value = value;
    l->category = LABEL_PARSED;
    l->claimed = true;
    l->deleted = false;
    return true;
}

bool labels_builder_extract_as(struct labels_builder *b, struct str_view target,
                               struct str_view value)
{
    return !is_ours(target) && store(find_or_add(b, target), value, EXTRACT_FIRST_WINS);
}

void labels_builder_extract(struct labels_builder *b, struct str_view name, struct str_view value,
                            enum extract_mode mode)
{
    if (!is_ours(name))
        store(target_label(b, name), value, mode);
}

void labels_builder_set(struct labels_builder *b, struct str_view name, struct str_view value)
{
    struct built_label *l = find_or_add(b, name);
    l->value = value;
    l->category = LABEL_PARSED;
    l->claimed = true;
    l->deleted = false;
}

void labels_builder_delete(struct labels_builder *b, struct str_view name)
{
    struct built_label *l = find_built(b, name);
    if (l)
        l->deleted = true;
    size_t i = find_base(b, name);
    if (i < b->base.n)
        b->base_deleted[i / 64] |= UINT64_C(1) << (i % 64);
}

bool labels_builder_get(const struct labels_builder *b, struct str_view name, struct str_view *ret)
{
    const struct built_label *l = find_built(b, name);
    if (l && !l->deleted) {
        *ret = l->value;
        return true;
    }
    size_t i = find_base(b, name);
    if (i < b->base.n && !base_is_deleted(b, i)) {
        *ret = b->base.v[i].value;
        return true;
    }
    *ret = SV_EMPTY;
    return false;
}

enum label_category labels_builder_category(const struct labels_builder *b, struct str_view name)
{
    const struct built_label *l = find_built(b, name);
    return l && !l->deleted ? l->category : LABEL_STREAM;
}

void labels_builder_set_error(struct labels_builder *b, struct str_view error,
                              struct str_view details)
{
    b->error = error;
    b->error_details = details;
}

void labels_builder_set_error_once(struct labels_builder *b, struct str_view error,
                                   struct str_view details)
{
    if (!labels_builder_has_error(b))
        labels_builder_set_error(b, error, details);
}

void labels_builder_each(const struct labels_builder *b, label_each_fn *fn, void *ctx)
{
    for (size_t i = 0; i < b->base.n; i++) {
        if (base_is_deleted(b, i))
            continue;
        const struct built_label *l = find_built_tagged(b, b->base.v[i].name, b->base_tags[i]);
        if (!l || l->deleted)
            fn(ctx, b->base.v[i].name, b->base.v[i].value, LABEL_STREAM);
    }
    for (size_t i = 0; i < b->n; i++)
        if (!b->v[i].deleted)
            fn(ctx, b->v[i].name, b->v[i].value, b->v[i].category);
    if (b->error.p)
        fn(ctx, ERROR_NAME, b->error, LABEL_PARSED);
    if (b->error_details.p)
        fn(ctx, DETAILS_NAME, b->error_details, LABEL_PARSED);
}

struct collect {
    struct labels_builder *b;
    size_t n;
    bool all;
    enum label_category wanted;
};

/* The first byte nearly always tells. */
static inline bool comes_before(struct str_view a, struct str_view b)
{
    if (a.len && b.len && a.p[0] != b.p[0])
        return (unsigned char)a.p[0] < (unsigned char)b.p[0];
    return sv_cmp(a, b) < 0;
}

static void collect_one(void *ctx, struct str_view name, struct str_view value,
                        enum label_category category)
{
    struct collect *c = ctx;
    if (!c->all && category != c->wanted)
        return;
    struct labels_builder *b = c->b;
    if (c->n == b->out_cap)
        b->out = mem_grow(b->out, &b->out_cap, c->n + 1, sizeof *b->out);
    size_t at = c->n++;
    if (b->n > INDEX_FROM) { /* sorted at the end */
        b->out[at] = (struct label){name, value};
        return;
    }
    /* The base comes sorted, what follows is short: insert. */
    while (at > 0 && comes_before(name, b->out[at - 1].name)) {
        b->out[at] = b->out[at - 1];
        at--;
    }
    b->out[at] = (struct label){name, value};
}

static int by_name(const void *a, const void *b)
{
    return sv_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static struct labels collected(struct collect *c)
{
    struct labels_builder *b = c->b;
    labels_builder_each(b, collect_one, c);
    if (b->n > INDEX_FROM && c->n > 1)
        qsort(b->out, c->n, sizeof *b->out, by_name);
    return (struct labels){b->out, c->n};
}

struct labels labels_builder_result(struct labels_builder *b)
{
    return collected(&(struct collect){.b = b, .all = true});
}

struct labels labels_builder_of(struct labels_builder *b, enum label_category category)
{
    return collected(&(struct collect){.b = b, .wanted = category});
}
