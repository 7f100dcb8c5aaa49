// Attention over q8_0 keys and values with integer dots, and over KIVI's in the same form, for the AVX-512 tiers. The
// including file has defined the dots (attention_integers_avx512.h).
#pragma once

#include "../attention_kivi.h"
#include "attention_avx512.h"

#define MAX_GROUPS (APUS_MAX_HEAD_DIMENSION / 32)
#define Q8_ROWS 8

/// What a panel reads: q8_0 whose next block somebody else prefetches, or the panel does; KIVI's form of it.
typedef enum panel_kind { PANEL_PLAIN, PANEL_AHEAD, PANEL_KIVI } panel_kind;

/// Four codes, in every lane.
APUS_INLINE __m512i four_codes(const void *codes) {
    int32_t four;
    memcpy(&four, codes, 4);
    return _mm512_set1_epi32(four);
}

/// Scores of the panel's rows against tiles `first` and `first + 1` of 16 keys.
APUS_INLINE void score_q8(panel *p, query_codes q, int64_t row, int64_t dimension, const source_q8 *from, int first,
                          int rows, panel_kind kind, ahead *following) {
    int64_t groups = apus_groups(dimension), tile_bytes = 16 * dimension, stride = code_stride(dimension);
    const uint8_t *keys = from->keys + first * tile_bytes;
    __m512 scores[Q8_ROWS][2];
    UNROLL for (int r = 0; r < rows; r++) {
        scores[r][0] = scores[r][1] = kind == PANEL_KIVI ? _mm512_set1_ps(q.biases[row + r]) : _mm512_setzero_ps();
    }
    for (int64_t group = 0; group < groups; group++) {
        int64_t end = 32 * group + 32 < dimension ? 32 * group + 32 : dimension;
        __m512i dots[Q8_ROWS][2];
        UNROLL for (int r = 0; r < rows; r++) {
            int32_t start = kind == PANEL_KIVI ? 0 : -DOT_OFFSET * q.sums[(row + r) * groups + group];
            dots[r][0] = dots[r][1] = _mm512_set1_epi32(start);
        }
        for (int64_t d = 32 * group; d < end; d += 4) {
            __m512i a = _mm512_loadu_si512(keys + 16 * d), b = _mm512_loadu_si512(keys + tile_bytes + 16 * d);
            if (kind == PANEL_AHEAD) prefetch_some(following, 1);
            UNROLL for (int r = 0; r < rows; r++) {
                __m512i codes = four_codes(q.codes + (row + r) * stride + d);
                dots[r][0] = kind == PANEL_KIVI ? dot_small(dots[r][0], a, codes) : dot_offset(dots[r][0], a, codes);
                dots[r][1] = kind == PANEL_KIVI ? dot_small(dots[r][1], b, codes) : dot_offset(dots[r][1], b, codes);
            }
        }
        UNROLL for (int r = 0; r < rows; r++) {
            __m512 scale = _mm512_set1_ps(q.scales[(row + r) * groups + group]), a = scale, b = scale;
            if (kind != PANEL_KIVI) {
                const float *scales = from->key_scales + group * APUS_KV_BLOCK + 16 * first;
                a = _mm512_mul_ps(scale, _mm512_load_ps(scales));
                b = _mm512_mul_ps(scale, _mm512_load_ps(scales + 16));
            }
            scores[r][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r][0]), a, scores[r][0]);
            scores[r][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r][1]), b, scores[r][1]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        _mm512_store_ps(p->weights[r] + 16 * first, scores[r][0]);
        _mm512_store_ps(p->weights[r] + 16 * first + 16, scores[r][1]);
    }
}

/// The panel's weights times the value scales, as codes of each value group.
typedef struct weight_codes {
    _Alignas(64) uint8_t codes[MAX_GROUPS][Q8_ROWS][APUS_KV_BLOCK];
    _Alignas(64) float scales[MAX_GROUPS][8];
    _Alignas(64) float rests[MAX_GROUPS][16];  ///< KIVI: the minima's part
} weight_codes;

/// 64 codes from four vectors of 16, in order.
APUS_INLINE __m512i pack_codes(const __m512i codes[4]) {
    __m512i words_low = _mm512_packs_epi32(codes[0], codes[1]), words_high = _mm512_packs_epi32(codes[2], codes[3]);
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packs_epi16(words_low, words_high));
}

/// Scale and inverse of up to eight groups, as section 2 has them, from the bits of their largest magnitudes; a NaN of
/// either sign is above infinity. A group with one has NaN for a scale, and 0 for an inverse, as a group of zeros has.
typedef struct group_scales {
    __m256 scale, inverse;
} group_scales;

APUS_INLINE group_scales scales_of(__m512 largest_bits) {
    const __m256i least = _mm256_set1_epi32(0x0d800000), infinity = _mm256_set1_epi32(0x7f800000);  // 2^-100
    const __m256 limit = _mm256_set1_ps(127.0f);
    __m256 largest = _mm512_castps512_ps256(largest_bits);
    __mmask8 finite = _mm256_cmplt_epu32_mask(_mm256_castps_si256(largest), infinity);
    __mmask8 usable = finite & _mm256_cmpge_epu32_mask(_mm256_castps_si256(largest), least);
    __m256 scale = _mm256_maskz_div_ps(usable, largest, limit);
    return (group_scales){_mm256_mask_mov_ps(_mm256_set1_ps(NAN), finite, scale),
                          _mm256_maskz_div_ps(usable, limit, largest)};
}

/// The rows' weights times the scales of one group's values as codes, as section 2 quantizes a group of 64; row `r` is of
/// block r / rows. Weights and scales are not negative, so the bits of a product compare as unsigned integers. `full`: all
/// rows see all keys.
APUS_INLINE void quantize_weights(const panel *p, const source_q8 *from, int64_t group, int rows, int blocks, int full,
                                  weight_codes *w) {
    __m512 scaled[Q8_ROWS][4], most[Q8_ROWS];
    _Alignas(32) float factors[8];
    UNROLL for (int r = 0; r < rows * blocks; r++) {
        const float *value_scales = from[r / rows].value_scales + group * APUS_KV_BLOCK;
        uint64_t mask = full ? ~UINT64_C(0) : range_mask(p->ranges[r]);
        UNROLL for (int t = 0; t < 4; t++) {
            scaled[r][t] = _mm512_maskz_mul_ps((__mmask16)(mask >> 16 * t), _mm512_load_ps(p->weights[r] + 16 * t),
                                               _mm512_load_ps(value_scales + 16 * t));
        }
        most[r] = fold(fold(scaled[r][0], scaled[r][1], FOLD_MAX_BITS), fold(scaled[r][2], scaled[r][3], FOLD_MAX_BITS),
                       FOLD_MAX_BITS);
    }
    group_scales scales = scales_of(fold_eight(most, rows * blocks, FOLD_MAX_BITS));
    _mm256_store_ps(factors, scales.inverse);
    _mm256_store_ps(w->scales[group], scales.scale);
    UNROLL for (int r = 0; r < rows * blocks; r++) {
        __m512i codes[4];
        UNROLL for (int t = 0; t < 4; t++) {
            codes[t] = _mm512_cvtps_epi32(_mm512_mul_ps(scaled[r][t], _mm512_set1_ps(factors[r])));
        }
        _mm512_store_si512(w->codes[group][r], pack_codes(codes));
    }
}

/// KIVI: what the minima of a group of values add to each row.
APUS_INLINE void weigh_minima(const panel *p, const source_q8 *from, int64_t group, int rows, int blocks, float *rests) {
    __m512 lanes[Q8_ROWS];
    UNROLL for (int r = 0; r < rows * blocks; r++) lanes[r] = _mm512_setzero_ps();
    UNROLL for (int j = 0; j < APUS_KV_BLOCK; j += 16) {
        UNROLL for (int b = 0; b < blocks; b++) {
            __m512 minimum = _mm512_load_ps(from[b].value_minima + group * APUS_KV_BLOCK + j);
            UNROLL for (int r = b * rows; r < b * rows + rows; r++) {
                lanes[r] = _mm512_fmadd_ps(_mm512_load_ps(p->weights[r] + j), minimum, lanes[r]);
            }
        }
    }
    _mm512_store_ps(rests, fold_rows(lanes, rows * blocks, FOLD_SUM));
}

/// Weights times values for `vectors` vectors of dimensions from `start` on, one group, merged into `out`.
APUS_INLINE void weigh_q8(const panel *p, const weight_codes *w, const source_q8 *from, int64_t padded, int64_t start,
                          int vectors, int rows, int64_t first_key, int64_t end_key, float *out, panel_kind kind,
                          ahead *following) {
    int64_t group = start / 32;
    __m512i dots[Q8_ROWS][2];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) dots[r][v] = _mm512_setzero_si512();
    }
    for (int64_t key = first_key & ~(int64_t)3; key < end_key; key += 4) {
        __m512i values[2];
        UNROLL for (int v = 0; v < vectors; v++) {
            values[v] = _mm512_loadu_si512(from->values + key * padded + 4 * start + 64 * v);
        }
        if (kind == PANEL_AHEAD) prefetch_some(following, 1);
        UNROLL for (int r = 0; r < rows; r++) {
            __m512i codes = four_codes(w->codes[group][r] + key);
            UNROLL for (int v = 0; v < vectors; v++) dots[r][v] = dot_small(dots[r][v], codes, values[v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        if (p->ranges[r].begin == p->ranges[r].end) continue;
        __m512 scale = _mm512_set1_ps(w->scales[group][r]);
        __m512 alpha = _mm512_set1_ps(p->alpha[r]), beta = _mm512_set1_ps(p->beta[r]);
        UNROLL for (int v = 0; v < vectors; v++) {
            float *to = out + r * padded + start + 16 * v;
            __m512 sum = _mm512_cvtepi32_ps(dots[r][v]);
            __m512 part = kind == PANEL_KIVI ? _mm512_fmadd_ps(sum, scale, _mm512_set1_ps(w->rests[group][r]))
                                             : _mm512_mul_ps(sum, scale);
            _mm512_store_ps(to, _mm512_fmadd_ps(_mm512_load_ps(to), alpha, _mm512_mul_ps(part, beta)));
        }
    }
}

/// `q` holds the queries of each half of the keys.
APUS_INLINE void panel_q8(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,
                          const source_q8 *from, int rows, panel_kind kind) {
    int64_t padded = apus_padded(dimension), first_key = APUS_KV_BLOCK, end_key = 0;
    float *out = t.span.out + row * padded;
    weight_codes w;
    ahead keys = {from->next_keys, dimension}, values = {from->next_values, padded};
    score_q8(p, q[0], row, dimension, from, 0, rows, kind, &keys);
    score_q8(p, q[1], row, dimension, from, 2, rows, kind, &keys);
    panel_sums sums = softmax_panel(p, rows, kind == PANEL_AHEAD ? &keys : NULL);
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        if (kind == PANEL_AHEAD) prefetch_some(&values, 16);
        quantize_weights(p, from, group, rows, 1, 0, &w);
        if (kind == PANEL_KIVI) weigh_minima(p, from, group, rows, 1, w.rests[group]);
    }
    merge_panel(p, sums, t.span, row);
    for (int r = 0; r < rows; r++) {
        if (p->ranges[r].begin == p->ranges[r].end) continue;
        first_key = p->ranges[r].begin < first_key ? p->ranges[r].begin : first_key;
        end_key = p->ranges[r].end > end_key ? p->ranges[r].end : end_key;
    }
    int64_t start = 0;
    for (; start + 32 <= padded; start += 32) {
        weigh_q8(p, &w, from, padded, start, 2, rows, first_key, end_key, out, kind, &values);
    }
    if (start < padded) weigh_q8(p, &w, from, padded, start, 1, rows, first_key, end_key, out, kind, &values);
}

#define PANEL_Q8(rows, kind)                                                                                    \
    static void panel_##kind##_##rows(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,   \
                                      const source_q8 *from) {                                                  \
        panel_q8(p, t, q, row, dimension, from, rows, kind);                                                    \
    }
PANEL_Q8(1, PANEL_PLAIN)
PANEL_Q8(2, PANEL_PLAIN)
PANEL_Q8(3, PANEL_PLAIN)
PANEL_Q8(4, PANEL_PLAIN)
PANEL_Q8(5, PANEL_PLAIN)
PANEL_Q8(6, PANEL_PLAIN)
PANEL_Q8(7, PANEL_PLAIN)
PANEL_Q8(8, PANEL_PLAIN)
PANEL_Q8(1, PANEL_AHEAD)
PANEL_Q8(2, PANEL_AHEAD)
PANEL_Q8(3, PANEL_AHEAD)
PANEL_Q8(4, PANEL_AHEAD)
PANEL_Q8(5, PANEL_AHEAD)
PANEL_Q8(6, PANEL_AHEAD)
PANEL_Q8(7, PANEL_AHEAD)
PANEL_Q8(8, PANEL_AHEAD)
PANEL_Q8(1, PANEL_KIVI)
PANEL_Q8(2, PANEL_KIVI)
PANEL_Q8(3, PANEL_KIVI)
PANEL_Q8(4, PANEL_KIVI)
PANEL_Q8(5, PANEL_KIVI)
PANEL_Q8(6, PANEL_KIVI)
PANEL_Q8(7, PANEL_KIVI)
PANEL_Q8(8, PANEL_KIVI)

typedef void (*panel_q8_kernel)(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,
                                const source_q8 *from);

/// By panel_kind and rows.
static const panel_q8_kernel panels_q8[3][Q8_ROWS] = {
    {panel_PANEL_PLAIN_1, panel_PANEL_PLAIN_2, panel_PANEL_PLAIN_3, panel_PANEL_PLAIN_4, panel_PANEL_PLAIN_5,
     panel_PANEL_PLAIN_6, panel_PANEL_PLAIN_7, panel_PANEL_PLAIN_8},
    {panel_PANEL_AHEAD_1, panel_PANEL_AHEAD_2, panel_PANEL_AHEAD_3, panel_PANEL_AHEAD_4, panel_PANEL_AHEAD_5,
     panel_PANEL_AHEAD_6, panel_PANEL_AHEAD_7, panel_PANEL_AHEAD_8},
    {panel_PANEL_KIVI_1, panel_PANEL_KIVI_2, panel_PANEL_KIVI_3, panel_PANEL_KIVI_4, panel_PANEL_KIVI_5,
     panel_PANEL_KIVI_6, panel_PANEL_KIVI_7, panel_PANEL_KIVI_8},
};

/// All rows of a unit over one block in panels: the first of kind `first`, the others of kind `rest`.
APUS_INLINE void run_panels(const apus_attention_args *args, const apus_attend_unit *unit, tile t,
                            const query_codes *queries, const source_q8 *from, int64_t block, panel_kind first,
                            panel_kind rest) {
    panel p;
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, Q8_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, apus_block_keys(unit->slice, block))) continue;
        panels_q8[row == 0 ? first : rest][rows - 1](&p, t, queries, row, args->head_dimension, from);
    }
}

APUS_INLINE void prefetch(const char *from, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += 64) _mm_prefetch(from + i, _MM_HINT_T1);
}

/// One block for all rows of a unit; `scales` is scratch.
APUS_INLINE void block_q8(const apus_attention_args *args, const apus_attend_unit *unit, tile t, query_codes q,
                          float *scales, int64_t block, const char *following) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension), groups = apus_groups(dimension);
    const char *data = apus_unit_block(args, unit, APUS_KV_Q8_0, block);
    int64_t keys_bytes = apus_keys_bytes(APUS_KV_Q8_0, dimension);
    source_q8 from = {(const uint8_t *)data, (const int8_t *)data + keys_bytes, scales, scales + groups * APUS_KV_BLOCK,
        NULL, following, following + keys_bytes};
    query_codes queries[2] = {q, q};
    const void *key_scales = data + APUS_KV_BLOCK * dimension, *value_scales = data + keys_bytes + APUS_KV_BLOCK * padded;
    widen_halves(key_scales, scales, groups * APUS_KV_BLOCK);
    widen_halves(value_scales, scales + groups * APUS_KV_BLOCK, groups * APUS_KV_BLOCK);
    // The panels prefetch the following codes as they go; its scales are few and read all at once.
    prefetch(following + APUS_KV_BLOCK * dimension, apus_scales_bytes(dimension));
    prefetch(following + keys_bytes + APUS_KV_BLOCK * padded, apus_scales_bytes(dimension));
    // The unit's first panel prefetches the next block.
    run_panels(args, unit, t, queries, &from, block, PANEL_AHEAD, PANEL_PLAIN);
}
