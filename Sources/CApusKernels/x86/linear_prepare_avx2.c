// Activations for integer dot products with AVX2 (numbers.md, section 2), four groups at a time so that horizontal
// maxima, sums and divisions are shared. The tiers above AVX2 use it, too.
#if defined(__x86_64__)

#include <immintrin.h>

#include "../linear_tiles.h"
#include "linear_prepare_avx2.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define GROUPS 4

/// Element g: the largest magnitude, as bits, of the 32 values at x[g].
static inline __m128i largest_magnitudes(const float *const x[GROUPS]) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m128i largest[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        __m256i lanes = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            __m256i bits = _mm256_loadu_si256((const __m256i *)(x[g] + 8 * i));
            lanes = _mm256_max_epi32(lanes, _mm256_and_si256(bits, magnitude));
        }
        largest[g] = _mm_max_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    }
    __m128i first = _mm_max_epi32(_mm_unpacklo_epi32(largest[0], largest[1]),
                                  _mm_unpackhi_epi32(largest[0], largest[1]));
    __m128i second = _mm_max_epi32(_mm_unpacklo_epi32(largest[2], largest[3]),
                                   _mm_unpackhi_epi32(largest[2], largest[3]));
    return _mm_max_epi32(_mm_unpacklo_epi64(first, second), _mm_unpackhi_epi64(first, second));
}

/// The 32 codes of a group; `keep` is all ones, or zero when the group is not finite.
static inline __m256i group_codes(const float *x, __m256 factor, __m256i keep) {
    __m256i codes[4];
    for (int i = 0; i < 4; i++) {
        codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), factor));
    }
    __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(codes[0], codes[1]), _mm256_packs_epi32(codes[2], codes[3]));
    __m256i ordered = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return _mm256_and_si256(ordered, keep);
}

/// Sums of the first halves in the lower four elements, of the second halves in the upper ones.
static inline __m256i half_sums(const __m256i codes[GROUPS]) {
    __m256i fours[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes[g]);
        fours[g] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    return _mm256_hadd_epi32(_mm256_hadd_epi32(fours[0], fours[1]), _mm256_hadd_epi32(fours[2], fours[3]));
}

static inline void quantize_groups(const float *const x[GROUPS], uint8_t *const groups[GROUPS], int64_t row,
                                   int64_t rows) {
    const __m128 top = _mm_set1_ps(127);
    __m128i bits = largest_magnitudes(x);
    __m128 a = _mm_castsi128_ps(bits);
    __m128 tiny = _mm_castsi128_ps(_mm_cmplt_epi32(bits, _mm_castps_si128(_mm_set1_ps(0x1p-100f))));
    __m128i finite = _mm_cmplt_epi32(bits, _mm_set1_epi32(0x7f800000));
    __m128 scales = _mm_andnot_ps(tiny, _mm_div_ps(a, top));
    __m128 factors = _mm_andnot_ps(tiny, _mm_div_ps(top, a));
    scales = _mm_blendv_ps(_mm_castsi128_ps(_mm_set1_epi32(0x7fc00000)), scales, _mm_castsi128_ps(finite));
    __m256i codes[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        __m256i index = _mm256_set1_epi32(g);
        __m256 factor = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(factors), index);
        codes[g] = group_codes(x[g], factor, _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(finite), index));
        _mm256_storeu_si256((__m256i *)apus_panel_codes(groups[g], row), codes[g]);
    }
    __m256i halves = half_sums(codes);
    __m128i first = _mm256_castsi256_si128(halves), second = _mm256_extracti128_si256(halves, 1);
    __m128 sums = _mm_mul_ps(scales, _mm_cvtepi32_ps(_mm_add_epi32(first, second)));
    __m128i pairs = _mm_blend_epi16(first, _mm_slli_epi32(second, 16), 0xaa);
    float scale[GROUPS], sum[GROUPS];
    int32_t pair[GROUPS];
    _mm_storeu_ps(scale, scales);
    _mm_storeu_ps(sum, sums);
    _mm_storeu_si128((__m128i *)pair, pairs);
    for (int g = 0; g < GROUPS; g++) {
        ((float *)apus_panel_scales(groups[g], rows))[row] = scale[g];
        ((float *)apus_panel_sums(groups[g], rows))[row] = sum[g];
        ((int32_t *)apus_panel_half_sums(groups[g], rows))[row] = pair[g];
    }
}

void apus_prepare_q8_avx2(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_prepare_args *args = pointer;
    int64_t count = args->inputs / APUS_GROUP;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first, rows;
        uint8_t *target = apus_prepared_panel(args, panel, &first, &rows);
        for (int64_t start = 0; start < count; start += GROUPS) {
            for (int64_t row = 0; row < rows; row++) {
                const float *x[GROUPS];
                uint8_t *groups[GROUPS];
                for (int g = 0; g < GROUPS; g++) {
                    int64_t group = start + g < count ? start + g : count - 1;  // the last one again, to the same place
                    x[g] = args->input + (first + row) * args->input_stride + group * APUS_GROUP;
                    groups[g] = target + group * rows * APUS_PANEL_ROW_BYTES;
                }
                quantize_groups(x, groups, row, rows);
            }
        }
    }
}

#pragma clang attribute pop
#endif
