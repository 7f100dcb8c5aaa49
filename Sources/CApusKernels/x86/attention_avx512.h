// What the AVX-512 attention kernels share: softmax of a panel, merging. Included inside the files' target regions.
#pragma once

#include "../attention_tiles.h"
#include "math_avx512.h"

#pragma STDC FP_CONTRACT OFF

/// The keys of a slice's exact page, merged into the span of all rows of a unit: floats, so one function for all tiers.
void apus_attend_page_avx512(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t index);

APUS_INLINE void widen_halves(const uint16_t *halves, float *floats, int64_t count) {
    _Pragma("clang loop unroll_count(4)") for (int64_t i = 0; i < count; i += 16) {
        _mm512_store_ps(floats + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(halves + i))));
    }
}

typedef enum fold_kind { FOLD_SUM, FOLD_MAX, FOLD_MAX_BITS } fold_kind;

APUS_INLINE __m512 fold(__m512 a, __m512 b, fold_kind kind) {
    if (kind == FOLD_SUM) return _mm512_add_ps(a, b);
    if (kind == FOLD_MAX) return _mm512_max_ps(a, b);
    return _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

/// Each of up to 8 rows' lanes folded into one, as the tree of section 1 does: row `r` into lane `r`. Two rows share a
/// vector from the first step on, so that eight cost three times what one does.
APUS_INLINE __m512 fold_eight(const __m512 *x, int rows, fold_kind kind) {
    __m512 quarters[4], eighths[2];
    UNROLL for (int i = 0; i < 4; i++) {
        __m512 a = x[i < rows ? i : 0], b = x[i + 4 < rows ? i + 4 : 0];
        quarters[i] = fold(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee), kind);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        eighths[i] = fold(_mm512_shuffle_f32x4(quarters[i], quarters[i + 2], 0x88),
                          _mm512_shuffle_f32x4(quarters[i], quarters[i + 2], 0xdd), kind);
    }
    __m512d a = _mm512_castps_pd(eighths[0]), b = _mm512_castps_pd(eighths[1]);
    __m512 pairs = fold(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)), kind);
    __m512 ends = fold(pairs, _mm512_permute_ps(pairs, 0xb1), kind);
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 2, 8, 10, 4, 6, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0), ends);
}

/// The same for up to 16.
APUS_INLINE __m512 fold_rows(const __m512 *x, int rows, fold_kind kind) {
    __m512 low = fold_eight(x, rows < 8 ? rows : 8, kind);
    return rows > 8 ? _mm512_shuffle_f32x4(low, fold_eight(x + 8, rows - 8, kind), 0x44) : low;
}

/// What is left to prefetch of the following block, into L2: some lines at a time between other work, for all at once
/// would hold up the loads behind them.
typedef struct ahead {
    const char *next;
    int64_t lines;
} ahead;

APUS_INLINE void prefetch_some(ahead *a, int64_t lines) {
    lines = lines < a->lines ? lines : a->lines;
    a->lines -= lines;
    for (; lines > 0; lines--, a->next += 64) _mm_prefetch(a->next, _MM_HINT_T1);
}

/// Maxima and sums of a panel, by row.
typedef struct panel_sums {
    __m512 max, sum;
} panel_sums;

/// Weights, maxima and sums of all rows of a panel from their scores, which stand where the weights go.
APUS_INLINE panel_sums softmax_rows(panel *p, int rows, int full, ahead *following) {
    int64_t lines = following ? (following->lines + 4 * rows - 1) / (4 * rows) : 0;
    panel_sums sums;
    __m512 lanes[PANEL_ROWS], lowest = _mm512_set1_ps(-INFINITY);
    _Alignas(64) float max[16];
    UNROLL for (int r = 0; r < rows; r++) {
        uint64_t mask = full ? 0 : range_mask(p->ranges[r]);
        __m512 s[4];
        UNROLL for (int t = 0; t < 4; t++) {
            const float *scores = p->weights[r] + 16 * t;
            s[t] = full ? _mm512_load_ps(scores) : _mm512_mask_load_ps(lowest, (__mmask16)(mask >> 16 * t), scores);
        }
        lanes[r] = _mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[3]));
    }
    sums.max = fold_rows(lanes, rows, FOLD_MAX);
    _mm512_store_ps(max, sums.max);
    UNROLL for (int r = 0; r < rows; r++) {
        uint64_t mask = full ? 0 : range_mask(p->ranges[r]);
        UNROLL for (int t = 0; t < 4; t++) {
            __m512 score = _mm512_load_ps(p->weights[r] + 16 * t);
            __m512 weight = apus_exp_nonpositive_avx512(_mm512_sub_ps(score, _mm512_set1_ps(max[r])));
            if (!full) weight = _mm512_maskz_mov_ps((__mmask16)(mask >> 16 * t), weight);
            _mm512_store_ps(p->weights[r] + 16 * t, weight);
            if (following) prefetch_some(following, lines);
            lanes[r] = t == 0 ? weight : _mm512_add_ps(lanes[r], weight);
        }
    }
    sums.sum = fold_rows(lanes, rows, FOLD_SUM);
    return sums;
}

/// Prefetches meanwhile what is left of `following`, if it isn't NULL.
APUS_INLINE panel_sums softmax_panel(panel *p, int rows, ahead *following) {
    return p->full ? softmax_rows(p, rows, 1, following) : softmax_rows(p, rows, 0, following);
}

/// Codes of 32 values and their scale: a group of section 2.
APUS_INLINE float quantize_lanes(__m512 low, __m512 high, int8_t *codes) {
    __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    uint32_t largest = _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                                                _mm512_and_si512(_mm512_castps_si512(high),
                                                                                 magnitude)));
    int usable = largest < 0x7f800000 && apus_float(largest) >= 0x1p-100f;
    __m512 r = _mm512_set1_ps(127.0f / apus_float(largest));
    __mmask16 kept = usable ? 0xffff : 0;
    __m512i a = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(low, r));
    __m512i b = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(high, r));
    _mm_storeu_si128((__m128i *)codes, _mm512_cvtepi32_epi8(a));
    _mm_storeu_si128((__m128i *)(codes + 16), _mm512_cvtepi32_epi8(b));
    return usable ? apus_float(largest) / 127.0f : largest >= 0x7f800000 ? NAN : 0.0f;
}

/// Codes of up to 32 values (0 past `count`) and their scale.
static float quantize_group(const float *x, int64_t count, int8_t *codes) {
    __m512 low = _mm512_maskz_loadu_ps(apus_tail_avx512(count), x);
    __m512 high = _mm512_maskz_loadu_ps(count > 16 ? apus_tail_avx512(count - 16) : 0, x + 16);
    return quantize_lanes(low, high, codes);
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

APUS_INLINE void merge_panel(panel *p, panel_sums sums, tile_state state, int64_t row) {
    __mmask16 contributing = (__mmask16)((1 << p->rows) - 1);
    for (int32_t r = 0; r < p->rows && !p->uniform; r++) {
        contributing &= (__mmask16)~((p->ranges[r].end == p->ranges[r].begin) << r);
    }
    merge_sums(state, row, contributing, sums.max, sums.sum, p->alpha, p->beta);
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

/// Leaves a finished span as partials, or merges it.
APUS_INLINE void close_span(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    int64_t padded = apus_padded(args->head_dimension);
    if (unit->plan->splits) {
        store_partials(args, unit, t, span);
    } else {
        merge_state(t.all, t.span, unit->rows, padded);
    }
}
