/* SPDX-License-Identifier: Apache-2.0 */
/* What LMDB 0.9 writes on a 64-bit little-endian machine.  Page 0 and 1 are meta pages, the one
 * with the larger transaction counts; every other page is used by one tree, or listed as free,
 * once.
 *
 * Page:   0 u64 its number;  8 u16;  10 u16 flags: one of PAGE_*;
 *         branch and leaf: 12 u16 end of the array below;  14 u16 start of the nodes;
 *                          16 u16 each: where a node begins; in the order of keys
 *         overflow: 12 u32 how many pages;  16 the value, over all of them
 * Meta:   16 u32 magic;  20 u32 version;  24 u64 0;  32 u64 size of the map;  40 tree of free
 * pages; 88 tree of databases;  136 u64 last page;  144 u64 transaction Tree:   0 u32 (of the free
 * pages: page size);  4 u16 flags;  6 u16 depth;  8 u64 branch, leaf and overflow pages, entries;
 * 40 u64 root, or NO_PAGE Node:   0 u32 low part of the child's number, or bytes of the value;  4
 * u16 high part, or one of NODE_*;  6 u16 bytes of the key;  8 key;  value, its first overflow
 * page, or a tree
 *
 * The first key of a branch page is not looked at: it stands for all that is smaller.  The tree of
 * free pages has u64 transactions as keys, compared as numbers, and lists as values: u64 count,
 * then page numbers in descending order.
 *
 * What is checked is what LMDB relies on.  Its statistics (counts of pages and entries) are none of
 * it. */
#include "store/kv_file.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/file.h"

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1, NODE_TREE = 2 };
enum { PAGE_HEADER = 16, NODE_HEADER = 8, TREE_BYTES = 48, META_END = 152, N_METAS = 2 };
enum { MAGIC = 0xBEEFC0DEu, VERSION = 1, FREE_FLAGS = 8 };
enum { MIN_PAGE = 256, MAX_PAGE = 32768, MAX_DEPTH = 32, MAX_KEY = 511, MAX_DBS = 64 };
#define NO_PAGE UINT64_MAX
#define MAX_MAP_BYTES (UINT64_C(1) << 46)

struct kv_tree {
    uint16_t depth;
    uint64_t root;
};

struct kv_file {
    int fd;
    struct str_view bytes; /* where fd < 0 */
    struct kv_file_info info;
    struct kv_tree free_tree, main_tree;
};

/* --- bytes ------------------------------------------------------------------------------ */

static int corrupt(struct err *err, uint64_t page, const char *what)
{
    return err_set(err, ERR_CORRUPT, "page %llu %s", (unsigned long long)page, what);
}

static int read_at(const struct kv_file *f, void *to, size_t len, uint64_t at, struct err *err)
{
    if (at > f->info.file_bytes || len > f->info.file_bytes - at)
        return err_set(err, ERR_CORRUPT, "the file ends at byte %llu, before what is in it",
                       (unsigned long long)f->info.file_bytes);
    if (f->fd >= 0)
        return file_pread_all(f->fd, to, len, at, err);
    memcpy(to, f->bytes.p + at, len);
    return 0;
}

static uint64_t n_pages(const struct kv_file *f)
{
    return f->info.last_page + 1;
}

/* --- meta pages ------------------------------------------------------------------------- */

struct meta {
    uint64_t map_bytes, last_page, txn_id;
    uint32_t page_bytes;
    struct kv_tree free_tree, main_tree;
};

static bool tree_read(const char *p, uint16_t flags, struct kv_tree *ret)
{
    *ret = (struct kv_tree){ld_le16(p + 6), ld_le64(p + 40)};
    return ld_le16(p + 4) == flags && ret->depth <= MAX_DEPTH &&
           (ret->root == NO_PAGE) == (ret->depth == 0);
}

static bool is_page_size(uint32_t n)
{
    return n >= MIN_PAGE && n <= MAX_PAGE && (n & (n - 1)) == 0;
}

static int read_meta(const struct kv_file *f, uint64_t number, uint64_t at, struct meta *ret,
                     struct err *err)
{
    char p[META_END] = {0}; /* the compiler does not see that a read fills it */
    int r = read_at(f, p, sizeof p, at, err);
    if (r < 0)
        return r;
    if (ld_le64(p) != number || ld_le16(p + 10) != PAGE_META || ld_le32(p + 16) != MAGIC)
        return corrupt(err, number, "is no meta page");
    if (ld_le32(p + 20) != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "LMDB format %u, this build knows %d", ld_le32(p + 20),
                       VERSION);
    *ret = (struct meta){.map_bytes = ld_le64(p + 32),
                         .page_bytes = ld_le32(p + 40),
                         .last_page = ld_le64(p + 136),
                         .txn_id = ld_le64(p + 144)};
    if (!is_page_size(ret->page_bytes) || !tree_read(p + 40, FREE_FLAGS, &ret->free_tree) ||
        !tree_read(p + 88, 0, &ret->main_tree) || ld_le64(p + 24) != 0)
        return corrupt(err, number, "is a meta page that cannot be");
    if (ret->map_bytes > MAX_MAP_BYTES || ret->last_page < N_METAS - 1 ||
        ret->last_page >= ret->map_bytes / ret->page_bytes)
        return corrupt(err, number, "has more pages than its map");
    return 0;
}

/* Commits write one and the other in turn, so the numbers of two that belong together differ by
 * one.  Both are 0 in a new environment. */
static bool metas_agree(const struct meta m[N_METAS])
{
    uint64_t even = m[0].txn_id, odd = m[1].txn_id;
    if (m[0].page_bytes != m[1].page_bytes)
        return false;
    if (even == 0 && odd == 0)
        return true;
    return even % 2 == 0 && odd % 2 == 1 && (odd == even + 1 || even == odd + 1);
}

static int read_metas(struct kv_file *f, struct err *err)
{
    struct meta m[N_METAS];
    int r = read_meta(f, 0, 0, &m[0], err);
    if (r == 0)
        r = read_meta(f, 1, m[0].page_bytes, &m[1], err);
    if (r < 0)
        return r;
    if (!metas_agree(m))
        return err_set(err, ERR_CORRUPT, "the two meta pages do not belong together");
    const struct meta *newest = &m[m[0].txn_id < m[1].txn_id];
    f->info.page_bytes = newest->page_bytes;
    f->info.last_page = newest->last_page;
    f->info.txn_id = newest->txn_id;
    f->free_tree = newest->free_tree;
    f->main_tree = newest->main_tree;
    return 0;
}

static int open_with(struct kv_file **ret, int fd, struct str_view bytes, uint64_t file_bytes,
                     struct err *err)
{
    struct kv_file *f = mem_zalloc(1, sizeof *f);
    f->fd = fd;
    f->bytes = bytes;
    f->info.file_bytes = file_bytes;
    int r = read_metas(f, err);
    if (r < 0)
        free(f);
    else
        *ret = f;
    return r;
}

int kv_file_open(struct kv_file **ret, const char *path, struct err *err)
{
    int fd = file_open(path, FILE_READ, err);
    if (fd < 0)
        return fd;
    uint64_t bytes;
    int r = file_size(fd, &bytes, err);
    if (r == 0)
        r = open_with(ret, fd, SV_EMPTY, bytes, err);
    if (r < 0)
        file_close(fd);
    return r;
}

int kv_file_open_bytes(struct kv_file **ret, struct str_view bytes, struct err *err)
{
    return open_with(ret, -1, bytes, bytes.len, err);
}

void kv_file_close(struct kv_file *f)
{
    if (!f)
        return;
    file_close(f->fd);
    free(f);
}

struct kv_file_info kv_file_info(const struct kv_file *f)
{
    return f->info;
}

/* --- pages ------------------------------------------------------------------------------ */

/* Every page may be met once: by a tree, or in the list of free ones. */
struct file_walk {
    struct kv_file *f;
    uint8_t *met;           /* a bit per page of the file */
    uint64_t n_in_file;     /* whole pages in it */
    char *pages[MAX_DEPTH]; /* one per level, made when needed */
    struct buf value;       /* of overflow pages */
    bool numbers;           /* keys are those of the free pages */
    uint16_t node_kind;     /* NODE_TREE in the tree of databases, else 0 */
    kv_file_entry_fn *fn;
    void *ctx;
    unsigned db;
};

static void walk_init(struct file_walk *w, struct kv_file *f)
{
    *w = (struct file_walk){.f = f};
    w->n_in_file = f->info.file_bytes / f->info.page_bytes;
    if (w->n_in_file > n_pages(f))
        w->n_in_file = n_pages(f);
    w->met = mem_zalloc(w->n_in_file / 8 + 1, 1);
}

static void walk_deinit(struct file_walk *w)
{
    free(w->met);
    for (unsigned i = 0; i < MAX_DEPTH; i++)
        free(w->pages[i]);
    buf_deinit(&w->value);
}

static int meet(struct file_walk *w, uint64_t page, struct err *err)
{
    if (page < N_METAS || page >= n_pages(w->f))
        return corrupt(err, page, "is named and cannot be");
    if (page >= w->n_in_file)
        return corrupt(err, page, "is named and lies behind the end of the file");
    if (w->met[page / 8] >> (page % 8) & 1)
        return corrupt(err, page, "is in two places");
    w->met[page / 8] = (uint8_t)(w->met[page / 8] | 1u << (page % 8));
    return 0;
}

static unsigned n_nodes(const char *page)
{
    return (ld_le16(page + 12) - PAGE_HEADER) / 2u;
}

static const char *node_at(const char *page, unsigned i)
{
    return page + ld_le16(page + PAGE_HEADER + 2 * i);
}

static struct str_view node_key(const char *node)
{
    return sv(node + NODE_HEADER, ld_le16(node + 6));
}

/* Header, key and what stands behind it. */
static uint64_t node_bytes(const char *node, bool leaf)
{
    uint64_t n = NODE_HEADER + (uint64_t)ld_le16(node + 6);
    if (!leaf)
        return n;
    return n + (ld_le16(node + 4) & NODE_BIG ? 8 : ld_le32(node));
}

/* Nodes lie between the array's end and the page's, without a common byte. */
static bool nodes_fit(const char *page, uint32_t page_bytes, bool leaf, uint8_t *taken)
{
    uint32_t upper = ld_le16(page + 14);
    memset(taken, 0, page_bytes / 16 + 1);
    for (unsigned i = 0; i < n_nodes(page); i++) {
        uint32_t at = ld_le16(page + PAGE_HEADER + 2 * i);
        if (at < upper || at % 2 || at > page_bytes - NODE_HEADER)
            return false;
        uint64_t bytes = node_bytes(page + at, leaf);
        if (bytes > page_bytes - at)
            return false;
        for (uint32_t k = at / 2; k < (at + bytes + 1) / 2; k++) {
            if (taken[k / 8] >> (k % 8) & 1)
                return false;
            taken[k / 8] = (uint8_t)(taken[k / 8] | 1u << (k % 8));
        }
    }
    return true;
}

/* Reads a page of a tree to its level's memory. */
static int read_page(struct file_walk *w, uint64_t number, unsigned level, uint16_t kind,
                     struct err *err)
{
    uint32_t page_bytes = w->f->info.page_bytes;
    int r = meet(w, number, err);
    if (r < 0)
        return r;
    if (!w->pages[level])
        w->pages[level] = mem_alloc(page_bytes);
    char *p = w->pages[level];
    r = read_at(w->f, p, page_bytes, number * page_bytes, err);
    if (r < 0)
        return r;
    uint32_t lower = ld_le16(p + 12), upper = ld_le16(p + 14);
    uint8_t taken[MAX_PAGE / 16 + 1];
    if (ld_le64(p) != number || ld_le16(p + 10) != kind)
        return corrupt(err, number, "is not what its tree says");
    if (lower < PAGE_HEADER || lower % 2 || lower > upper || upper > page_bytes ||
        !nodes_fit(p, page_bytes, kind == PAGE_LEAF, taken))
        return corrupt(err, number, "has nodes out of place");
    /* LMDB asserts that a branch has two, but of the free pages. */
    if (n_nodes(p) < (kind == PAGE_LEAF || w->numbers ? 1u : 2u))
        return corrupt(err, number, "has too few nodes");
    return 0;
}

/* --- keys ------------------------------------------------------------------------------- */

static int cmp_key(const struct file_walk *w, struct str_view a, struct str_view b)
{
    if (!w->numbers)
        return sv_cmp(a, b);
    uint64_t x = ld_le64(a.p), y = ld_le64(b.p);
    return (x > y) - (x < y);
}

static bool key_is_good(const struct file_walk *w, struct str_view key)
{
    return w->numbers ? key.len == 8 : key.len > 0 && key.len <= MAX_KEY;
}

/* Keys from `from` on and below `to`; p is NULL where there is no bound. */
struct range {
    struct str_view from, to;
};

static bool keys_ascend(const struct file_walk *w, const char *page, unsigned first,
                        const struct range *within)
{
    for (unsigned i = first; i < n_nodes(page); i++) {
        struct str_view key = node_key(node_at(page, i));
        if (!key_is_good(w, key) || (within->from.p && cmp_key(w, key, within->from) < 0) ||
            (within->to.p && cmp_key(w, key, within->to) >= 0) ||
            (i > first && cmp_key(w, node_key(node_at(page, i - 1)), key) >= 0))
            return false;
    }
    return true;
}

/* --- trees ------------------------------------------------------------------------------ */

/* A value on pages of its own, which follow each other. */
static int read_overflow(struct file_walk *w, uint64_t first, uint32_t bytes, struct str_view *ret,
                         struct err *err)
{
    char header[PAGE_HEADER];
    uint32_t page_bytes = w->f->info.page_bytes;
    uint64_t needed = ((uint64_t)bytes + PAGE_HEADER - 1) / page_bytes + 1;
    int r = meet(w, first, err);
    if (r == 0)
        r = read_at(w->f, header, sizeof header, first * page_bytes, err);
    if (r < 0)
        return r;
    uint32_t n = ld_le32(header + 12);
    if (ld_le64(header) != first || ld_le16(header + 10) != PAGE_OVERFLOW || n < needed)
        return corrupt(err, first, "does not hold the value that it should");
    for (uint64_t i = 1; i < n && r == 0; i++)
        r = meet(w, first + i, err);
    if (r < 0)
        return r;
    buf_clear(&w->value);
    r = read_at(w->f, buf_add(&w->value, bytes), bytes, first * page_bytes + PAGE_HEADER, err);
    *ret = buf_view(&w->value);
    return r;
}

static int visit_leaf(struct file_walk *w, uint64_t number, const char *page, struct err *err)
{
    int r = 0;
    for (unsigned i = 0; i < n_nodes(page) && r == 0; i++) {
        const char *node = node_at(page, i);
        struct str_view key = node_key(node);
        struct str_view value = sv(key.p + key.len, ld_le32(node));
        uint16_t flags = ld_le16(node + 4);
        if ((flags & ~NODE_BIG) != w->node_kind || (w->node_kind && flags & NODE_BIG))
            return corrupt(err, number, "has a node of an unknown kind");
        if (flags & NODE_BIG)
            r = read_overflow(w, ld_le64(value.p), ld_le32(node), &value, err);
        if (r == 0)
            r = w->fn(w->ctx, w->db, key, value, err);
    }
    return r;
}

static uint64_t child_of(const char *node)
{
    return ld_le32(node) | (uint64_t)ld_le16(node + 4) << 32;
}

/* The page and all below it; `depth` levels, itself included. */
static int visit_page(struct file_walk *w, uint64_t number, unsigned level, unsigned depth,
                      const struct range *within, struct err *err)
{
    bool leaf = level + 1 == depth;
    int r = read_page(w, number, level, leaf ? PAGE_LEAF : PAGE_BRANCH, err);
    if (r < 0)
        return r;
    const char *page = w->pages[level];
    if (!keys_ascend(w, page, leaf ? 0 : 1, within))
        return corrupt(err, number, "has keys out of order");
    if (leaf)
        return visit_leaf(w, number, page, err);
    for (unsigned i = 0; i < n_nodes(page) && r == 0; i++) {
        struct range below = *within;
        if (i > 0)
            below.from = node_key(node_at(page, i));
        if (i + 1 < n_nodes(page))
            below.to = node_key(node_at(page, i + 1));
        r = visit_page(w, child_of(node_at(page, i)), level + 1, depth, &below, err);
    }
    return r;
}

static int visit_tree(struct file_walk *w, const struct kv_tree *t, struct err *err)
{
    if (t->root == NO_PAGE)
        return 0;
    return visit_page(w, t->root, 0, t->depth, &(struct range){{NULL, 0}, {NULL, 0}}, err);
}

/* --- free pages ------------------------------------------------------------------------- */

static int take_free(void *ctx, unsigned db, struct str_view key, struct str_view value,
                     struct err *err)
{
    struct file_walk *w = ctx;
    uint64_t n = value.len >= 8 ? ld_le64(value.p) : UINT64_MAX;
    if (n > value.len / 8 - 1 || ld_le64(key.p) > w->f->info.txn_id)
        return err_set(err, ERR_CORRUPT, "a list of free pages that does not decode");
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t page = ld_le64(value.p + 8 * i);
        if (i > 1 && page >= ld_le64(value.p + 8 * (i - 1)))
            return err_set(err, ERR_CORRUPT, "a list of free pages out of order");
        if (page >= w->n_in_file && page < n_pages(w->f))
            continue; /* freed before it was ever written */
        int r = meet(w, page, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int visit_free(struct file_walk *w, struct err *err)
{
    w->numbers = true;
    w->node_kind = 0;
    w->fn = take_free;
    w->ctx = w;
    int r = visit_tree(w, &w->f->free_tree, err);
    return r < 0 ? err_context(err, r, "free pages") : r;
}

/* --- databases -------------------------------------------------------------------------- */

struct named_tree {
    const char *name;
    bool found;
    struct kv_tree tree;
};
struct catalogue {
    struct named_tree v[MAX_DBS];
    unsigned n;
    kv_file_name_fn *fn; /* or: each name */
    void *ctx;
};

static int take_name(void *ctx, unsigned db, struct str_view key, struct str_view value,
                     struct err *err)
{
    struct catalogue *c = ctx;
    struct kv_tree t;
    if (value.len != TREE_BYTES || !tree_read(value.p, 0, &t))
        return err_set(err, ERR_CORRUPT, "a record of a database that cannot be");
    if (c->fn)
        return c->fn(c->ctx, key, err);
    for (unsigned i = 0; i < c->n; i++) {
        if (!sv_eq(sv_of(c->v[i].name), key))
            continue;
        c->v[i].found = true;
        c->v[i].tree = t;
        return 0;
    }
    return err_set(err, ERR_CORRUPT, "there is a database that should not be");
}

static int visit_main(struct file_walk *w, struct catalogue *c, struct err *err)
{
    w->node_kind = NODE_TREE;
    w->fn = take_name;
    w->ctx = c;
    return visit_tree(w, &w->f->main_tree, err);
}

static int check_all(struct file_walk *w, const char *const *dbs, unsigned n_dbs,
                     kv_file_entry_fn *fn, void *ctx, struct err *err)
{
    struct catalogue c = {.n = n_dbs};
    for (unsigned i = 0; i < n_dbs; i++)
        c.v[i].name = dbs[i];
    int r = visit_main(w, &c, err);
    w->node_kind = 0;
    w->fn = fn;
    w->ctx = ctx;
    for (unsigned i = 0; i < n_dbs && r == 0; i++) {
        if (!c.v[i].found)
            return err_set(err, ERR_CORRUPT, "there is no database '%s'", dbs[i]);
        w->db = i;
        r = visit_tree(w, &c.v[i].tree, err);
        if (r < 0)
            return err_context(err, r, "database '%s'", dbs[i]);
    }
    return r == 0 ? visit_free(w, err) : r;
}

int kv_file_check(struct kv_file *f, const char *const *dbs, unsigned n_dbs, kv_file_entry_fn *fn,
                  void *ctx, struct err *err)
{
    if (n_dbs > MAX_DBS)
        return err_set(err, ERR_INVALID, "%u databases are too many", n_dbs);
    struct file_walk w;
    walk_init(&w, f);
    int r = check_all(&w, dbs, n_dbs, fn, ctx, err);
    walk_deinit(&w);
    return r;
}

int kv_file_names(struct kv_file *f, kv_file_name_fn *fn, void *ctx, struct err *err)
{
    struct file_walk w;
    struct catalogue c = {.fn = fn, .ctx = ctx};
    walk_init(&w, f);
    int r = visit_main(&w, &c, err);
    walk_deinit(&w);
    return r;
}
