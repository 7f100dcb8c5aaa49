// Attention, AVX2 tier (AVX2, FMA, F16C): a lane is a key for scores, a dimension for values; rows x two vectors of
// accumulators.
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "../attention_kivi.h"
#include "math_avx2.h"

#define F16_ROWS 6
#define NARROW_ROWS 12  // units of up to two panels widen halves in registers
#define Q8_ROWS 4

// MARK: softmax and merging

APUS_INLINE __m256 range_mask_8(apus_key_range range, int32_t first) {
    __m256i keys = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
    __m256i from_begin = _mm256_cmpgt_epi32(keys, _mm256_set1_epi32(range.begin - 1));
    __m256i below_end = _mm256_cmpgt_epi32(_mm256_set1_epi32(range.end), keys);
    return _mm256_castsi256_ps(_mm256_and_si256(from_begin, below_end));
}

APUS_INLINE float largest_lane(__m256 x) {
    __m128 t4 = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 t2 = _mm_max_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_max_ss(t2, _mm_movehdup_ps(t2)));
}

/// Weights, maximum and sum of row `r` from its 64 scores, which stand where the weights go.
APUS_INLINE void softmax_row(panel *p, int r) {
    __m256 lowest = _mm256_set1_ps(-INFINITY), max = lowest, low = _mm256_setzero_ps(), high = low;
    for (int32_t i = 0; i < APUS_KV_BLOCK; i += 8) {
        __m256 scores = _mm256_load_ps(p->weights[r] + i);
        max = _mm256_max_ps(max, _mm256_blendv_ps(lowest, scores, range_mask_8(p->ranges[r], i)));
    }
    p->max[r] = largest_lane(max);
    max = _mm256_set1_ps(p->max[r]);
    for (int32_t i = 0; i < APUS_KV_BLOCK; i += 16) {
        __m256 a = apus_exp_nonpositive_avx2(_mm256_sub_ps(_mm256_load_ps(p->weights[r] + i), max));
        __m256 b = apus_exp_nonpositive_avx2(_mm256_sub_ps(_mm256_load_ps(p->weights[r] + i + 8), max));
        a = _mm256_and_ps(a, range_mask_8(p->ranges[r], i));
        b = _mm256_and_ps(b, range_mask_8(p->ranges[r], i + 8));
        _mm256_store_ps(p->weights[r] + i, a);
        _mm256_store_ps(p->weights[r] + i + 8, b);
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
    }
    p->sum[r] = apus_tree_avx2(low, high);
}

/// Merges maxima and sums of up to 8 rows into `state` from `row` on; leaves the factors of section 6.
APUS_INLINE void merge_sums(tile_state state, int64_t row, __m256i contributing, __m256 max, __m256 sum, float *alpha,
                            float *beta) {
    __m256 old = _mm256_loadu_ps(state.max + row), both = _mm256_max_ps(old, max);
    __m256 a = apus_exp_nonpositive_avx2(_mm256_sub_ps(old, both));
    __m256 b = apus_exp_nonpositive_avx2(_mm256_sub_ps(max, both));
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(state.sum + row), a, _mm256_mul_ps(sum, b));
    _mm256_maskstore_ps(state.max + row, contributing, both);
    _mm256_maskstore_ps(state.sum + row, contributing, sum);
    _mm256_store_ps(alpha, a);
    _mm256_store_ps(beta, b);
}

APUS_INLINE void merge_panel(panel *p, tile_state state, int64_t row) {
    _Alignas(32) int32_t contributing[8] = {0};
    for (int32_t r = 0; r < p->rows; r++) contributing[r] = p->ranges[r].end > p->ranges[r].begin ? -1 : 0;
    merge_sums(state, row, _mm256_load_si256((const __m256i *)contributing), _mm256_load_ps(p->max),
               _mm256_load_ps(p->sum), p->alpha, p->beta);
}

/// Merges a finished span into the rows' result.
APUS_INLINE void merge_state(tile_state all, tile_state part, int64_t rows, int64_t padded) {
    _Alignas(32) float alpha[8], beta[8];
    for (int64_t first = 0; first < rows; first += 8) {
        __m256 max = _mm256_loadu_ps(part.max + first), sum = _mm256_loadu_ps(part.sum + first);
        __m256 seen = _mm256_cmp_ps(sum, _mm256_setzero_ps(), _CMP_NEQ_UQ);
        merge_sums(all, first, _mm256_castps_si256(seen), max, sum, alpha, beta);
        for (int64_t r = 0; r < 8 && first + r < rows; r++) {
            int64_t at = (first + r) * padded;
            if (part.sum[first + r] != 0) merge_out(all.out + at, part.out + at, padded, alpha[r], beta[r]);
        }
    }
}

APUS_INLINE void close_span(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    if (unit->plan->splits) {
        store_partials(args, unit, t, span);
    } else {
        merge_state(t.all, t.span, unit->rows, apus_padded(args->head_dimension));
    }
}

static void merge(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    __m256i first = _mm256_setr_epi32(-1, 0, 0, 0, 0, 0, 0, 0);
    _Alignas(32) float alpha[8], beta[8];
    for (int64_t index = begin; index < end; index++) {
        apus_merge_unit unit = apus_merge_unit_at(args, index);
        clear_state(t.all, 1, padded);
        for (int64_t i = 0; i < unit.plan->spans; i++) {
            const float *slot = apus_slot(args, unit.plan, unit.row, unit.head, unit.plan->first_span + i);
            if (slot[padded + 1] == 0) continue;
            merge_sums(t.all, 0, first, _mm256_set1_ps(slot[padded]), _mm256_set1_ps(slot[padded + 1]), alpha, beta);
            merge_out(t.all.out, slot, padded, alpha[0], beta[0]);
        }
        divide_out(apus_merge_output(args, &unit), t.all.out, t.all.sum[0], dimension);
    }
}

// MARK: f16

static void narrow(const float *x, int64_t count, uint16_t *halves) {
    for (int64_t i = 0; i < count; i += 8) {
        _mm_storeu_si128((__m128i *)(halves + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    }
}

static void append_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_BLOCK, narrow);
}

static void append_page(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_PAGE, narrow);
}

/// As in the AVX-512 tier: halves are widened in registers for few rows, else first into scratch.
typedef enum source_kind { SOURCE_HALVES, SOURCE_FLOATS } source_kind;

typedef struct source {
    const void *keys, *values;
    const char *next_keys;  ///< of the following block, to prefetch while the values are worked on
} source;

APUS_INLINE __m256 load_lanes(const void *from, int64_t index, source_kind kind) {
    if (kind == SOURCE_FLOATS) return _mm256_load_ps((const float *)from + index);
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)((const uint16_t *)from + index)));
}

/// Scores of the panel's rows against tile `first` of 16 keys.
APUS_INLINE void score(panel *p, const float *query, int64_t dimension, source from, int64_t first, int rows,
                       source_kind kind) {
    __m256 scores[F16_ROWS][2];
    UNROLL for (int r = 0; r < rows; r++) scores[r][0] = scores[r][1] = _mm256_setzero_ps();
    const char *ahead = (const char *)from.values + first * 32 * dimension;
    for (int64_t d = 0; d < dimension; d++) {
        int64_t index = (first * dimension + d) * 16;
        __m256 a = load_lanes(from.keys, index, kind), b = load_lanes(from.keys, index + 8, kind);
        if (kind == SOURCE_HALVES) _mm_prefetch(ahead + 32 * d, _MM_HINT_T1);
        UNROLL for (int r = 0; r < rows; r++) {
            __m256 q = _mm256_broadcast_ss(query + r * dimension + d);
            scores[r][0] = _mm256_fmadd_ps(q, a, scores[r][0]);
            scores[r][1] = _mm256_fmadd_ps(q, b, scores[r][1]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        _mm256_store_ps(p->weights[r] + 16 * first, scores[r][0]);
        _mm256_store_ps(p->weights[r] + 16 * first + 8, scores[r][1]);
    }
}

/// Rows [first, first + rows) of the panel: weights times values of keys in `range`, merged into `out`, 16 dimensions.
APUS_INLINE void weigh(const panel *p, int first, int rows, apus_key_range range, source from, int64_t padded,
                       int64_t start, float *out, source_kind kind) {
    __m256 sums[F16_ROWS][2];
    UNROLL for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    const char *ahead = from.next_keys + 128 * start;
    for (int64_t j = range.begin; j < range.end; j++) {
        int64_t index = j * padded + start;
        __m256 a = load_lanes(from.values, index, kind), b = load_lanes(from.values, index + 8, kind);
        if (kind == SOURCE_HALVES) _mm_prefetch(ahead + 32 * j, _MM_HINT_T1);
        UNROLL for (int r = 0; r < rows; r++) {
            __m256 weight = _mm256_broadcast_ss(p->weights[first + r] + j);
            sums[r][0] = _mm256_fmadd_ps(weight, a, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(weight, b, sums[r][1]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        __m256 alpha = _mm256_set1_ps(p->alpha[first + r]), beta = _mm256_set1_ps(p->beta[first + r]);
        float *row = out + (first + r) * padded + start;
        UNROLL for (int v = 0; v < 2; v++) {
            __m256 scaled = _mm256_mul_ps(sums[r][v], beta);
            _mm256_store_ps(row + 8 * v, _mm256_fmadd_ps(_mm256_load_ps(row + 8 * v), alpha, scaled));
        }
    }
}

APUS_INLINE void panel_f16(panel *p, tile t, int64_t row, int64_t dimension, source from, int rows, source_kind kind) {
    int64_t padded = apus_padded(dimension);
    float *out = t.span.out + row * padded;
    // Positions ascend from row to row: the last row sees the furthest. Scores of keys nobody sees are never read.
    int64_t tiles = (p->ranges[rows - 1].end + 15) / 16;
    for (int64_t tile = 0; tile < tiles; tile++) score(p, t.query + row * dimension, dimension, from, tile, rows, kind);
    for (int r = 0; r < rows; r++) softmax_row(p, r);
    merge_panel(p, t.span, row);
    for (int64_t start = 0; p->uniform && start < padded; start += 16) {
        weigh(p, 0, rows, p->ranges[0], from, padded, start, out, kind);
    }
    for (int r = 0; r < rows && !p->uniform; r++) {
        if (p->ranges[r].begin == p->ranges[r].end) continue;
        for (int64_t start = 0; start < padded; start += 16) {
            weigh(p, r, 1, p->ranges[r], from, padded, start, out, kind);
        }
    }
}

#define PANEL_F16(rows, kind)                                                                            \
    static void panel_##kind##_##rows(panel *p, tile t, int64_t row, int64_t dimension, source from) {   \
        panel_f16(p, t, row, dimension, from, rows, kind);                                               \
    }
PANEL_F16(1, SOURCE_HALVES)
PANEL_F16(2, SOURCE_HALVES)
PANEL_F16(3, SOURCE_HALVES)
PANEL_F16(4, SOURCE_HALVES)
PANEL_F16(5, SOURCE_HALVES)
PANEL_F16(6, SOURCE_HALVES)
PANEL_F16(1, SOURCE_FLOATS)
PANEL_F16(2, SOURCE_FLOATS)
PANEL_F16(3, SOURCE_FLOATS)
PANEL_F16(4, SOURCE_FLOATS)
PANEL_F16(5, SOURCE_FLOATS)
PANEL_F16(6, SOURCE_FLOATS)

typedef void (*panel_f16_kernel)(panel *p, tile t, int64_t row, int64_t dimension, source from);

/// By source_kind and rows.
static const panel_f16_kernel panels_f16[2][F16_ROWS] = {
    {panel_SOURCE_HALVES_1, panel_SOURCE_HALVES_2, panel_SOURCE_HALVES_3, panel_SOURCE_HALVES_4, panel_SOURCE_HALVES_5,
     panel_SOURCE_HALVES_6},
    {panel_SOURCE_FLOATS_1, panel_SOURCE_FLOATS_2, panel_SOURCE_FLOATS_3, panel_SOURCE_FLOATS_4, panel_SOURCE_FLOATS_5,
     panel_SOURCE_FLOATS_6},
};

static void widen(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) _mm256_store_ps(to + i, load_lanes(from, i, SOURCE_HALVES));
}

/// One block of `capacity` keys for all rows of a unit.
static void block_f16(const apus_attention_args *args, const apus_attend_unit *unit, tile t, const uint16_t *data,
                      int64_t capacity, apus_keys keys, const char *following) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    source_kind kind = unit->rows > NARROW_ROWS ? SOURCE_FLOATS : SOURCE_HALVES;
    source from = {data, data + capacity * dimension, following};
    if (kind == SOURCE_FLOATS) {
        float *floats = (float *)t.rest;
        widen(data, floats, capacity * (dimension + padded));
        from.keys = floats;
        from.values = floats + capacity * dimension;
    }
    panel p;
    memset(p.max, 0, sizeof p.max);
    memset(p.sum, 0, sizeof p.sum);
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, F16_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, keys)) continue;
        panels_f16[kind][rows - 1](&p, t, row, dimension, from);
    }
}

// MARK: q8_0 and KIVI

#include "attention_q8_avx2.h"

static void append_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_q8(args, begin, end, quantize_group);
}

static void seal_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI2, widen);
}

static void seal_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI4, widen);
}

// MARK: units

APUS_INLINE void attend(const apus_attention_args *args, int64_t begin, int64_t end, void *scratch, apus_kv_type type) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    float *scales = (float *)t.rest;
    query_codes q = carve_codes(scales + scale_floats(dimension), dimension);
    kivi_tile k = carve_kivi(t.rest, dimension);
    for (int64_t index = begin; index < end; index++) {
        apus_attend_unit unit = apus_attend_unit_at(args, index);
        load_rows(args, &unit, t);
        if (type == APUS_KV_Q8_0) load_codes(t, q, unit.rows, dimension, quantize_group);
        if (!unit.plan->splits) clear_state(t.all, unit.rows, padded);
        for (int64_t span = unit.first_span; span < unit.end_span; span++) {
            apus_block_range blocks = unit_blocks(args, &unit, t, span);
            clear_state(t.span, unit.rows, padded);
            for (int64_t block = blocks.begin; block < blocks.end; block++) {
                if (type == APUS_KV_F16) {
                    const uint16_t *data = (const uint16_t *)apus_unit_block(args, &unit, type, block);
                    const char *following = following_block(args, &unit, t, type, block, 1, index, end);
                    block_f16(args, &unit, t, data, APUS_KV_BLOCK, apus_block_keys(unit.slice, block), following);
                } else if (type == APUS_KV_Q8_0) {
                    block_q8(args, &unit, t, q, scales, block);
                } else {
                    block_kivi(args, &unit, t, k, type, block);
                }
            }
            for (int64_t i = 0; apus_is_kivi(type) && i < kivi_pages(&unit, span); i++) {
                const uint16_t *page = kivi_page(args, &unit, i);
                block_f16(args, &unit, t, page, APUS_KV_PAGE, apus_page_keys(unit.slice, i), (const char *)page);
            }
            close_span(args, &unit, t, span);
        }
        close_unit(args, &unit, t);
    }
}

static void attend_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_F16);
}

static void attend_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_Q8_0);
}

static void attend_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_KIVI2);
}

static void attend_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_KIVI4);
}

void apus_attention_fill_avx2(apus_kernels *table) {
    table->attention = (apus_attention_kernels){
        .append = {append_f16, append_q8, append_page, append_page},
        .seal = {NULL, NULL, seal_kivi2, seal_kivi4},
        .attend = {attend_f16, attend_q8, attend_kivi2, attend_kivi4},
        .merge = merge,
    };
}

#pragma clang attribute pop
#endif
