// What the AVX-512 attention kernels share: a tile's state, softmax of a panel, merging. Included inside the tier
// files' target regions.
//
// A unit's query rows lie in panels of at most six: six rows by four vectors of 16 keys (or 16 dimensions) keep 24
// accumulators in registers.
#pragma once

#include "../attention_blocks.h"
#include "math_avx512.h"

#pragma STDC FP_CONTRACT OFF

#define PANEL_ROWS 6
#define UNROLL _Pragma("clang loop unroll(full)")

/// (M, L, O) of all rows of a unit.
typedef struct tile_state {
    float *max, *sum;  ///< room for 16 past the last row
    float *out;        ///< rows x padded
} tile_state;

/// One panel over one block: weights and what merging needs.
typedef struct panel {
    _Alignas(64) float weights[PANEL_ROWS][APUS_KV_BLOCK];
    _Alignas(64) float max[16], sum[16], alpha[16], beta[16];
    apus_key_range ranges[PANEL_ROWS];
    int32_t rows;
    int32_t uniform;  ///< 1: all rows see keys [ranges[0].begin, ranges[0].end), at least one
} panel;

/// Rows in the panel that starts at `row`: all panels of a unit about equally large.
APUS_INLINE int64_t panel_rows(int64_t row, int64_t rows) {
    int64_t left = rows - row, panels = (left + PANEL_ROWS - 1) / PANEL_ROWS;
    return (left + panels - 1) / panels;
}

/// Sets up a panel of rows at these positions; 0 if no row sees a key of the block.
APUS_INLINE int open_panel(panel *p, const int32_t *positions, int64_t rows, int64_t window, int64_t block) {
    int any = 0, uniform = 1;
    for (int64_t r = 0; r < rows; r++) {
        apus_key_range range = apus_visible_keys(positions[r], window, block);
        p->ranges[r] = range;
        any |= range.end > range.begin;
        uniform &= range.begin == p->ranges[0].begin && range.end == p->ranges[0].end;
    }
    p->rows = (int32_t)rows;
    p->uniform = uniform;
    return any;
}

APUS_INLINE uint64_t range_mask(apus_key_range range) {
    uint64_t below_end = range.end == 64 ? ~UINT64_C(0) : (UINT64_C(1) << range.end) - 1;
    uint64_t from_begin = range.begin == 64 ? 0 : ~UINT64_C(0) << range.begin;
    return below_end & from_begin;
}

APUS_INLINE float largest_lane(__m512 x) {
    __m256 t8 = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 t4 = _mm_max_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    __m128 t2 = _mm_max_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_max_ss(t2, _mm_movehdup_ps(t2)));
}

/// Weights, maximum and sum of row `r` from its 64 scores.
APUS_INLINE void softmax_row(panel *p, int r, const __m512 scores[4]) {
    uint64_t mask = range_mask(p->ranges[r]);
    __m512 s[4], lowest = _mm512_set1_ps(-INFINITY);
    UNROLL for (int t = 0; t < 4; t++) s[t] = _mm512_mask_mov_ps(lowest, (__mmask16)(mask >> 16 * t), scores[t]);
    float max = largest_lane(_mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[3])));
    __m512 lanes = _mm512_setzero_ps();
    UNROLL for (int t = 0; t < 4; t++) {
        __m512 weight = apus_exp_nonpositive_avx512(_mm512_sub_ps(s[t], _mm512_set1_ps(max)));
        weight = _mm512_maskz_mov_ps((__mmask16)(mask >> 16 * t), weight);
        _mm512_store_ps(p->weights[r] + 16 * t, weight);
        lanes = _mm512_add_ps(lanes, weight);
    }
    p->max[r] = max;
    p->sum[r] = apus_tree_avx512(lanes);
}

/// Merges maxima and sums of up to 16 rows into `state` from `row` on; leaves the factors of section 6.
APUS_INLINE void merge_sums(tile_state state, int64_t row, __mmask16 contributing, __m512 max, __m512 sum, float *alpha,
                            float *beta) {
    __m512 old = _mm512_loadu_ps(state.max + row), both = _mm512_max_ps(old, max);
    __m512 a = apus_exp_nonpositive_avx512(_mm512_sub_ps(old, both));
    __m512 b = apus_exp_nonpositive_avx512(_mm512_sub_ps(max, both));
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(state.sum + row), a, _mm512_mul_ps(sum, b));
    _mm512_mask_storeu_ps(state.max + row, contributing, both);
    _mm512_mask_storeu_ps(state.sum + row, contributing, sum);
    _mm512_store_ps(alpha, a);
    _mm512_store_ps(beta, b);
}

APUS_INLINE void merge_panel(panel *p, tile_state state, int64_t row) {
    __mmask16 contributing = 0;
    for (int32_t r = 0; r < p->rows; r++) contributing |= (__mmask16)((p->ranges[r].end > p->ranges[r].begin) << r);
    merge_sums(state, row, contributing, _mm512_load_ps(p->max), _mm512_load_ps(p->sum), p->alpha, p->beta);
}

APUS_INLINE void merge_out(float *out, const float *part, int64_t padded, float alpha, float beta) {
    for (int64_t d = 0; d < padded; d += 16) {
        __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(part + d), _mm512_set1_ps(beta));
        _mm512_storeu_ps(out + d, _mm512_fmadd_ps(_mm512_loadu_ps(out + d), _mm512_set1_ps(alpha), scaled));
    }
}

APUS_INLINE void clear_state(tile_state state, int64_t rows, int64_t padded) {
    for (int64_t row = 0; row < rows; row += 16) {
        _mm512_storeu_ps(state.max + row, _mm512_set1_ps(-INFINITY));
        _mm512_storeu_ps(state.sum + row, _mm512_setzero_ps());
    }
    for (int64_t i = 0; i < rows * padded; i += 16) _mm512_storeu_ps(state.out + i, _mm512_setzero_ps());
}

/// Merges a finished span into the rows' result.
APUS_INLINE void merge_state(tile_state all, tile_state part, int64_t rows, int64_t padded) {
    _Alignas(64) float alpha[16], beta[16];
    for (int64_t first = 0; first < rows; first += 16) {
        __m512 max = _mm512_loadu_ps(part.max + first), sum = _mm512_loadu_ps(part.sum + first);
        __mmask16 seen = _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        merge_sums(all, first, seen, max, sum, alpha, beta);
        for (int64_t r = 0; r < 16 && first + r < rows; r++) {
            int64_t at = (first + r) * padded;
            if (seen >> r & 1) merge_out(all.out + at, part.out + at, padded, alpha[r], beta[r]);
        }
    }
}

/// output = O / L for `dimension` floats.
APUS_INLINE void divide_out(float *output, const float *out, float sum, int64_t dimension) {
    for (int64_t d = 0; d < dimension; d += 16) {
        __m512 quotient = _mm512_div_ps(_mm512_loadu_ps(out + d), _mm512_set1_ps(sum));
        _mm512_mask_storeu_ps(output + d, apus_tail_avx512(dimension - d), quotient);
    }
}

/// What a unit works with, carved from the thread's scratch.
typedef struct tile {
    tile_state all, span;
    int32_t *positions;
    float *query;  ///< rows x dimension, times the scale
    char *rest;    ///< what is left of the scratch, 64-byte aligned
} tile;

APUS_INLINE tile carve_tile(void *scratch, int64_t padded) {
    float *floats = scratch;
    int64_t rows = APUS_TILE_ROWS + 16, matrix = APUS_TILE_ROWS * padded;
    tile t;
    t.all = (tile_state){floats, floats + rows, floats + 4 * rows};
    t.span = (tile_state){floats + 2 * rows, floats + 3 * rows, t.all.out + matrix};
    t.query = t.span.out + matrix;
    t.positions = (int32_t *)(t.query + matrix);
    t.rest = (char *)(t.positions + rows);
    return t;
}

APUS_INLINE void load_rows(const apus_attention_args *args, const apus_attend_unit *unit, tile t) {
    for (int64_t row = 0; row < unit->rows; row++) {
        const float *input = apus_unit_query(args, unit, row);
        float *query = t.query + row * args->head_dimension;
        for (int64_t d = 0; d < args->head_dimension; d++) query[d] = input[d] * args->scale;
        t.positions[row] = (int32_t)apus_unit_position(unit, row);
    }
}

/// Leaves a finished span as partials, or merges it.
APUS_INLINE void close_span(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    int64_t padded = apus_padded(args->head_dimension);
    if (!unit->plan->splits) {
        merge_state(t.all, t.span, unit->rows, padded);
        return;
    }
    for (int64_t row = 0; row < unit->rows; row++) {
        float *slot = apus_unit_slot(args, unit, row, span);
        memcpy(slot, t.span.out + row * padded, (size_t)padded * sizeof(float));
        slot[padded] = t.span.max[row];
        slot[padded + 1] = t.span.sum[row];
    }
}

APUS_INLINE void close_unit(const apus_attention_args *args, const apus_attend_unit *unit, tile t) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    for (int64_t row = 0; row < unit->rows && !unit->plan->splits; row++) {
        divide_out(apus_unit_output(args, unit, row), t.all.out + row * padded, t.all.sum[row], dimension);
    }
}
