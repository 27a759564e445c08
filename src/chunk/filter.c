/* SPDX-License-Identifier: Apache-2.0 */
/* Slot of a 5-byte sequence: fold each byte (c | 0x20 where c & 0x40);  h = first four bytes, a
 * little endian number, * 0x9e3779b1 + fifth byte * 0x85ebca77, 32 bits of it;  slot = (h >> 4) *
 * 15 >> 14, which is h * 245760 >> 32 but for its last bits.  In a filter of n bits the sequence
 * stands at bit slot % n.
 * n divides 245760 = 2^14 * 3 * 5, so a filter is the full map folded onto itself; sizes 15, 12,
 * 10 and 8 times a power of two come close to any wanted load.
 * The hash is linear so that eight sequences are hashed at once; on logs it spreads no worse than
 * the best mixers. */
#include "chunk/filter.h"

#include <math.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { MIN_BLOB_BYTES = 2048, SLACK_BYTES = 64 };
static const uint32_t factor_4 = 0x9e3779b1, factor_1 = 0x85ebca77;
static const double max_load = 0.8;

static inline uint64_t fold8(uint64_t v)
{
    return v | (v & UINT64_C(0x4040404040404040)) >> 1;
}

/* The sequence in the five low bytes of v, folded; what stands above them does not matter. */
static inline uint32_t slot_of(uint64_t v)
{
    uint32_t h = (uint32_t)v * factor_4 + (uint8_t)(v >> 32) * factor_1;
    return (h >> 4) * 15 >> 14;
}

static inline uint32_t slot_at(const char *p)
{
    uint64_t v = 0;
    memcpy(&v, p, FILTER_GRAM_BYTES);
    return slot_of(fold8(v));
}

/* ---- search ---- */

enum gram_use { GRAM_SAFE, GRAM_ASCII_ONLY, GRAM_NEVER };

static enum gram_use use_of(const char *p, bool fold)
{
    enum gram_use use = GRAM_SAFE;
    for (int i = 0; fold && i < FILTER_GRAM_BYTES; i++) {
        uint8_t c = (uint8_t)p[i];
        if (c >= 0x80)
            return GRAM_NEVER;
        if ((c | 0x20) == 'k' || (c | 0x20) == 's')
            use = GRAM_ASCII_ONLY;
    }
    return use;
}

void filter_needle_init(struct filter_needle *n, struct str_view needle, bool fold)
{
    *n = (struct filter_needle){0};
    if (needle.len < FILTER_GRAM_BYTES)
        return;
    size_t grams = needle.len - FILTER_GRAM_BYTES + 1;
    n->slots = mem_alloc(grams * sizeof *n->slots);
    for (enum gram_use use = GRAM_SAFE; use <= GRAM_ASCII_ONLY; use++) {
        for (size_t i = 0; i < grams; i++)
            if (use_of(needle.p + i, fold) == use)
                n->slots[n->n_slots++] = slot_at(needle.p + i);
        if (use == GRAM_SAFE)
            n->n_safe_slots = n->n_slots;
    }
}

void filter_needle_deinit(struct filter_needle *n)
{
    free(n->slots);
    *n = (struct filter_needle){0};
}

bool filter_bits_valid(uint32_t n_bits)
{
    return n_bits > 0 && FILTER_MAX_BITS % n_bits == 0;
}

bool filter_may_contain(struct str_view filter, uint32_t n_bits, bool chunk_is_ascii,
                        const struct filter_needle *needle)
{
    if (!filter_bits_valid(n_bits) || filter.len < (n_bits + 7) / 8)
        return true;
    size_t n = chunk_is_ascii ? needle->n_slots : needle->n_safe_slots;
    for (size_t i = 0; i < n; i++) {
        uint32_t bit = needle->slots[i] % n_bits;
        if (!((uint8_t)filter.p[bit >> 3] >> (bit & 7) & 1))
            return false;
    }
    return true;
}

/* ---- build ---- */

void filter_builder_init(struct filter_builder *b)
{
    b->map = mem_alloc(FILTER_MAX_BITS + SLACK_BYTES);
}

void filter_builder_deinit(struct filter_builder *b)
{
    free(b->map);
    b->map = NULL;
}

/* Both mark the sequences that begin in the first bytes of the blob and return how many. */
static size_t mark_blocks_portable(uint8_t *map, const char *p, size_t len)
{
    size_t i = 0;
    for (; i + 16 <= len; i += 8) { /* one load serves the four that begin in its first bytes */
        uint64_t a = fold8(ld_le64(p + i)), b = fold8(ld_le64(p + i + 4));
        for (unsigned k = 0; k < 4; k++) {
            map[slot_of(a >> 8 * k)] = 1;
            map[slot_of(b >> 8 * k)] = 1;
        }
    }
    return i;
}

#ifdef __x86_64__
/* Slots of the eight sequences that begin in the first eight of sixteen folded bytes. */
__attribute__((target("avx2"))) static inline __m256i slots8(__m256i text)
{
    const __m256i four = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6,
                                          7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
    const __m256i fifth =
        _mm256_setr_epi8(4, -1, -1, -1, 5, -1, -1, -1, 6, -1, -1, -1, 7, -1, -1, -1, 8, -1, -1, -1,
                         9, -1, -1, -1, 10, -1, -1, -1, 11, -1, -1, -1);
    __m256i a =
        _mm256_mullo_epi32(_mm256_shuffle_epi8(text, four), _mm256_set1_epi32((int)factor_4));
    __m256i b =
        _mm256_mullo_epi32(_mm256_shuffle_epi8(text, fifth), _mm256_set1_epi32((int)factor_1));
    __m256i h = _mm256_srli_epi32(_mm256_add_epi32(a, b), 4);
    return _mm256_srli_epi32(_mm256_sub_epi32(_mm256_slli_epi32(h, 4), h), 14);
}

static inline void mark_two(uint8_t *map, uint64_t slots)
{
    map[(uint32_t)slots] = 1;
    map[slots >> 32] = 1;
}

__attribute__((target("avx2"))) static size_t mark_blocks_avx2(uint8_t *map, const char *p,
                                                               size_t len)
{
    const __m128i high = _mm_set1_epi8(0x40);
    size_t i = 0;
    for (; i + 16 <= len; i += 8) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        text = _mm_or_si128(text, _mm_srli_epi16(_mm_and_si128(text, high), 1));
        __m256i slots = slots8(_mm256_broadcastsi128_si256(text));
        __m128i first = _mm256_castsi256_si128(slots), last = _mm256_extracti128_si256(slots, 1);
        mark_two(map, (uint64_t)_mm_cvtsi128_si64(first));
        mark_two(map, (uint64_t)_mm_extract_epi64(first, 1));
        mark_two(map, (uint64_t)_mm_cvtsi128_si64(last));
        mark_two(map, (uint64_t)_mm_extract_epi64(last, 1));
    }
    return i;
}
#endif

/* Marks the slot of every sequence. */
static void mark_all(uint8_t *map, struct str_view blob, bool may_use_vectors)
{
    size_t i;
#ifdef __x86_64__
    if (may_use_vectors && __builtin_cpu_supports("avx2"))
        i = mark_blocks_avx2(map, blob.p, blob.len);
    else
#endif
        i = mark_blocks_portable(map, blob.p, blob.len);
    for (; i + FILTER_GRAM_BYTES <= blob.len; i++)
        map[slot_at(blob.p + i)] = 1;
}

static uint32_t count_marks(const uint8_t *map, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i += 8)
        sum += (ld_le64(map + i) * UINT64_C(0x0101010101010101)) >> 56;
    return (uint32_t)sum;
}

/* map[i] |= map[i + k * size] for all k. */
static void fold_map(uint8_t *map, uint32_t from_size, uint32_t size)
{
    for (uint32_t at = size; at < from_size; at += size)
        for (uint32_t i = 0; i < size; i++)
            map[i] |= map[at + i];
}

/* One bit per byte, the first in the lowest bit. */
static void put_bits(const uint8_t *map, uint32_t n_bits, struct buf *out)
{
    uint32_t full = n_bits / 8, rest = n_bits % 8;
    uint8_t *to = (uint8_t *)buf_add(out, full + (rest != 0));
    for (uint32_t i = 0; i < full; i++)
        to[i] = (uint8_t)(ld_le64(map + (size_t)i * 8) * UINT64_C(0x0102040810204080) >> 56);
    if (rest) {
        to[full] = 0;
        for (uint32_t i = 0; i < rest; i++)
            to[full] |= (uint8_t)(map[full * 8 + i] << i);
    }
}

/* The smallest size of 64 bits or more that divides the map and is at least `want`. */
static uint32_t size_for(double want)
{
    static const uint32_t odd[] = {1, 3, 5, 15};
    uint32_t best = FILTER_MAX_BITS;
    for (int o = 0; o < 4; o++)
        for (uint32_t size = odd[o] << 14; size >= 64; size /= 2) {
            if (size >= want && size < best)
                best = size;
            if (size % 2)
                break;
        }
    return best;
}

static uint32_t build(struct filter_builder *b, struct str_view blob, struct buf *out,
                      bool may_use_vectors)
{
    if (blob.len < MIN_BLOB_BYTES)
        return 0;
    memset(b->map, 0, FILTER_MAX_BITS);
    mark_all(b->map, blob, may_use_vectors);
    double load = (double)count_marks(b->map, FILTER_MAX_BITS) / FILTER_MAX_BITS;
    if (load > max_load)
        return 0;
    /* load = 1 - e^(-n / size): solved for n distinct sequences, then for the size at full load. */
    double n = -FILTER_MAX_BITS * log1p(-load);
    uint32_t size = size_for(n / -log1p(-max_load));
    fold_map(b->map, FILTER_MAX_BITS, size);
    put_bits(b->map, size, out);
    return size;
}

uint32_t filter_build(struct filter_builder *b, struct str_view blob, struct buf *out)
{
    return build(b, blob, out, true);
}

uint32_t filter_build_portable(struct filter_builder *b, struct str_view blob, struct buf *out)
{
    return build(b, blob, out, false);
}
