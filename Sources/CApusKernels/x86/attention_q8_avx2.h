// Attention over q8_0 and KIVI keys and values with integer dots, AVX2. Included inside attention_avx2.c's target region,
// after its softmax, merging and `widen`.
#pragma once

APUS_INLINE __m256i magnitude(__m256 x) {
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

APUS_INLINE uint32_t largest_bits(__m256i x) {
    __m128i t4 = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    __m128i t2 = _mm_max_epu32(t4, _mm_shuffle_epi32(t4, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epu32(t2, _mm_shuffle_epi32(t2, 0xb1)));
}

/// Codes of `count` values, a multiple of 8 up to 64, and their scale: a group of section 2.
APUS_INLINE float quantize_group(const float *x, int64_t count, int8_t *codes) {
    __m256i most = _mm256_setzero_si256();
    for (int64_t i = 0; i < count; i += 8) most = _mm256_max_epu32(most, magnitude(_mm256_loadu_ps(x + i)));
    uint32_t largest = largest_bits(most);
    if (largest >= 0x7f800000 || apus_float(largest) < 0x1p-100f) {
        memset(codes, 0, (size_t)count);
        return largest >= 0x7f800000 ? NAN : 0.0f;
    }
    __m256 r = _mm256_set1_ps(127.0f / apus_float(largest));
    for (int64_t i = 0; i < count; i += 8) {
        __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), r));
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(c), _mm256_extracti128_si256(c, 1));
        _mm_storel_epi64((__m128i *)(codes + i), _mm_packs_epi16(words, words));
    }
    return apus_float(largest) / 127.0f;
}

/// Four products per lane of bytes whose magnitudes stay at or below 127: no pair exceeds 16 bits.
APUS_INLINE __m256i dot(__m256i sums, __m256i positive, __m256i codes) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(positive, codes), _mm256_set1_epi16(1)));
}

/// What a panel reads: q8_0, or KIVI's form of it.
typedef enum panel_kind { PANEL_Q8, PANEL_KIVI } panel_kind;

/// Scores of the panel's rows against tile `first` of 16 keys.
APUS_INLINE void score_q8(panel *p, query_codes q, int64_t row, int64_t dimension, const source_q8 *from, int64_t first,
                          int rows, panel_kind kind) {
    int64_t groups = apus_groups(dimension);
    const uint8_t *keys = from->keys + first * 16 * dimension;
    __m256i offset = _mm256_set1_epi8(-128);
    for (int64_t group = 0; group < groups; group++) {
        int64_t end = 32 * group + 32 < dimension ? 32 * group + 32 : dimension;
        __m256i dots[Q8_ROWS][2];
        UNROLL for (int r = 0; r < rows; r++) dots[r][0] = dots[r][1] = _mm256_setzero_si256();
        for (int64_t d = 32 * group; d < end; d += 4) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(keys + 16 * d));
            __m256i b = _mm256_loadu_si256((const __m256i *)(keys + 16 * d + 32));
            if (kind == PANEL_Q8) {
                a = _mm256_xor_si256(a, offset);
                b = _mm256_xor_si256(b, offset);
            }
            UNROLL for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, q.codes + (row + r) * code_stride(dimension) + d, 4);
                __m256i codes = _mm256_set1_epi32(four), positive = _mm256_abs_epi8(codes);
                dots[r][0] = kind == PANEL_KIVI ? dot(dots[r][0], a, codes)
                                                : dot(dots[r][0], positive, _mm256_sign_epi8(a, codes));
                dots[r][1] = kind == PANEL_KIVI ? dot(dots[r][1], b, codes)
                                                : dot(dots[r][1], positive, _mm256_sign_epi8(b, codes));
            }
        }
        UNROLL for (int r = 0; r < rows; r++) {
            __m256 scale = _mm256_set1_ps(q.scales[(row + r) * groups + group]);
            UNROLL for (int v = 0; v < 2; v++) {
                float *scores = p->weights[r] + 16 * first + 8 * v;
                __m256 start = kind == PANEL_KIVI ? _mm256_set1_ps(q.biases[row + r]) : _mm256_setzero_ps();
                __m256 before = group == 0 ? start : _mm256_load_ps(scores);
                __m256 both = scale;
                if (kind != PANEL_KIVI) {
                    const float *key_scales = from->key_scales + group * APUS_KV_BLOCK + 16 * first + 8 * v;
                    both = _mm256_mul_ps(scale, _mm256_load_ps(key_scales));
                }
                _mm256_store_ps(scores, _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[r][v]), both, before));
            }
        }
    }
}

/// One value group: the panel's weights times its scales as codes, times the values, merged into `out`.
APUS_INLINE void weigh_q8(const panel *p, const source_q8 *from, int64_t padded, int64_t group, int rows, float *out,
                          panel_kind kind) {
    _Alignas(32) int8_t codes[Q8_ROWS][APUS_KV_BLOCK];
    float scales[Q8_ROWS], rests[Q8_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        _Alignas(32) float scaled[APUS_KV_BLOCK];
        for (int32_t j = 0; j < APUS_KV_BLOCK; j += 8) {
            __m256 w = _mm256_mul_ps(_mm256_load_ps(p->weights[r] + j),
                                     _mm256_load_ps(from->value_scales + group * APUS_KV_BLOCK + j));
            _mm256_store_ps(scaled + j, _mm256_and_ps(w, range_mask_8(p->ranges[r], j)));
        }
        scales[r] = quantize_group(scaled, APUS_KV_BLOCK, codes[r]);
        if (kind == PANEL_KIVI) {
            rests[r] = kivi_weighted_minima(p->weights[r], from->value_minima + group * APUS_KV_BLOCK);
        }
    }
    for (int64_t start = 32 * group; start < padded && start < 32 * group + 32; start += 16) {
        __m256i dots[Q8_ROWS][2];
        UNROLL for (int r = 0; r < rows; r++) dots[r][0] = dots[r][1] = _mm256_setzero_si256();
        for (int64_t key = 0; key < APUS_KV_BLOCK; key += 4) {
            const int8_t *values = from->values + key * padded + 4 * start;
            __m256i a = _mm256_loadu_si256((const __m256i *)values);
            __m256i b = _mm256_loadu_si256((const __m256i *)(values + 32));
            UNROLL for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, codes[r] + key, 4);
                __m256i weights = _mm256_set1_epi32(four);
                dots[r][0] = dot(dots[r][0], weights, a);
                dots[r][1] = dot(dots[r][1], weights, b);
            }
        }
        UNROLL for (int r = 0; r < rows; r++) {
            if (p->ranges[r].begin == p->ranges[r].end) continue;
            UNROLL for (int v = 0; v < 2; v++) {
                float *to = out + r * padded + start + 8 * v;
                __m256 sum = _mm256_cvtepi32_ps(dots[r][v]), scale = _mm256_set1_ps(scales[r]);
                __m256 part = kind == PANEL_KIVI ? _mm256_fmadd_ps(sum, scale, _mm256_set1_ps(rests[r]))
                                                 : _mm256_mul_ps(sum, scale);
                part = _mm256_mul_ps(part, _mm256_set1_ps(p->beta[r]));
                _mm256_store_ps(to, _mm256_fmadd_ps(_mm256_load_ps(to), _mm256_set1_ps(p->alpha[r]), part));
            }
        }
    }
}

/// `q` holds the queries of each half of the keys.
APUS_INLINE void panel_q8(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,
                          const source_q8 *from, int rows, panel_kind kind) {
    int64_t padded = apus_padded(dimension);
    for (int64_t first = 0; first < 4; first++) score_q8(p, q[first / 2], row, dimension, from, first, rows, kind);
    for (int r = 0; r < rows; r++) softmax_row(p, r);
    merge_panel(p, t.span, row);
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        weigh_q8(p, from, padded, group, rows, t.span.out + row * padded, kind);
    }
}

#define PANEL_INTEGERS(rows, kind)                                                                              \
    static void panel_##kind##_##rows(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,   \
                                      const source_q8 *from) {                                                  \
        panel_q8(p, t, q, row, dimension, from, rows, kind);                                                    \
    }
PANEL_INTEGERS(1, PANEL_Q8)
PANEL_INTEGERS(2, PANEL_Q8)
PANEL_INTEGERS(3, PANEL_Q8)
PANEL_INTEGERS(4, PANEL_Q8)
PANEL_INTEGERS(1, PANEL_KIVI)
PANEL_INTEGERS(2, PANEL_KIVI)
PANEL_INTEGERS(3, PANEL_KIVI)
PANEL_INTEGERS(4, PANEL_KIVI)

typedef void (*panel_q8_kernel)(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,
                                const source_q8 *from);

/// By panel_kind and rows.
static const panel_q8_kernel panels_q8[2][Q8_ROWS] = {
    {panel_PANEL_Q8_1, panel_PANEL_Q8_2, panel_PANEL_Q8_3, panel_PANEL_Q8_4},
    {panel_PANEL_KIVI_1, panel_PANEL_KIVI_2, panel_PANEL_KIVI_3, panel_PANEL_KIVI_4},
};

/// All rows of a unit over one block in panels.
APUS_INLINE void run_panels(const apus_attention_args *args, const apus_attend_unit *unit, tile t,
                            const query_codes *queries, const source_q8 *from, int64_t block, panel_kind kind) {
    panel p;
    memset(p.max, 0, sizeof p.max);
    memset(p.sum, 0, sizeof p.sum);
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, Q8_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, apus_block_keys(unit->slice, block))) continue;
        panels_q8[kind][rows - 1](&p, t, queries, row, args->head_dimension, from);
    }
}

/// One block for all rows of a unit; `scales` is scratch.
static void block_q8(const apus_attention_args *args, const apus_attend_unit *unit, tile t, query_codes q,
                     float *scales, int64_t block) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension), groups = apus_groups(dimension);
    const char *data = apus_unit_block(args, unit, APUS_KV_Q8_0, block);
    const char *values = data + apus_keys_bytes(APUS_KV_Q8_0, dimension);
    source_q8 from = {(const uint8_t *)data, (const int8_t *)values, scales, scales + groups * APUS_KV_BLOCK, NULL, 0, 0};
    query_codes queries[2] = {q, q};
    widen((const uint16_t *)(data + APUS_KV_BLOCK * dimension), scales, groups * APUS_KV_BLOCK);
    widen((const uint16_t *)(values + APUS_KV_BLOCK * padded), scales + groups * APUS_KV_BLOCK, groups * APUS_KV_BLOCK);
    run_panels(args, unit, t, queries, &from, block, PANEL_Q8);
}

/// The same for a block of a KIVI type; `k` is scratch.
APUS_INLINE void block_kivi(const apus_attention_args *args, const apus_attend_unit *unit, tile t, kivi_tile k,
                            apus_kv_type type, int64_t block) {
    source_q8 from = kivi_open(args, unit, k, type, block, widen);
    kivi_load_queries(t, k, unit->rows, args->head_dimension, quantize_group);
    run_panels(args, unit, t, k.queries, &from, block, PANEL_KIVI);
}
