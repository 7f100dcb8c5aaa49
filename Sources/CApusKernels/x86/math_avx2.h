// kernels_math.h on 8 lanes. Included inside an AVX2 target region; the bits equal the scalar functions'.
#pragma once

#include <immintrin.h>

#include "../kernels_math.h"

#pragma STDC FP_CONTRACT OFF

/// exp for x <= 0 or NaN.
APUS_INLINE __m256 apus_exp_nonpositive_avx2(__m256 x) {
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(APUS_LOG2_E)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(APUS_LN2_HIGH), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(APUS_LN2_LOW), r);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(APUS_EXP_6), r, _mm256_set1_ps(APUS_EXP_5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(APUS_EXP_4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(APUS_EXP_3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(APUS_EXP_2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i scaled = _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23));
    __m256 inside = _mm256_cmp_ps(x, _mm256_set1_ps(APUS_EXP_LOW), _CMP_GE_OQ);
    __m256 result = _mm256_and_ps(_mm256_castsi256_ps(scaled), inside);
    return _mm256_blendv_ps(result, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

APUS_INLINE __m256 apus_exp_avx2(__m256 x) {
    __m256 high = _mm256_cmp_ps(x, _mm256_set1_ps(APUS_EXP_HIGH), _CMP_GT_OQ);
    return _mm256_blendv_ps(apus_exp_nonpositive_avx2(x), _mm256_set1_ps(INFINITY), high);
}

APUS_INLINE __m256 apus_silu_avx2(__m256 x) {
    __m256 negated = _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), apus_exp_avx2(negated)));
}

APUS_INLINE __m256 apus_gelu_avx2(__m256 x) {
    __m256 one = _mm256_set1_ps(1.0f), two = _mm256_set1_ps(2.0f);
    __m256 cubic = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_set1_ps(APUS_GELU_CUBIC), x), x, one);
    __m256 u = _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(APUS_GELU_SCALE), x), cubic);
    __m256 exponential = apus_exp_avx2(_mm256_mul_ps(two, u));
    __m256 tanh = _mm256_sub_ps(one, _mm256_div_ps(two, _mm256_add_ps(one, exponential)));
    return _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(0.5f), x), _mm256_add_ps(one, tanh));
}

APUS_INLINE void apus_sincos_avx2(__m256d x, __m256d *sine, __m256d *cosine) {
    __m256d magic = _mm256_set1_pd(APUS_ROUND_MAGIC), one = _mm256_set1_pd(1.0);
    __m256d shifted = _mm256_add_pd(_mm256_mul_pd(x, _mm256_set1_pd(APUS_TWO_OVER_PI)), magic);
    __m256i quadrant = _mm256_castpd_si256(shifted), two = _mm256_set1_epi64x(2);
    __m256d n = _mm256_sub_pd(shifted, magic);
    __m256d r = _mm256_fnmadd_pd(n, _mm256_set1_pd(APUS_HALF_PI_HIGH), x);
    r = _mm256_fnmadd_pd(n, _mm256_set1_pd(APUS_HALF_PI_LOW), r);
    __m256d z = _mm256_mul_pd(r, r);
    __m256d s = _mm256_fmadd_pd(_mm256_set1_pd(APUS_SIN_13), z, _mm256_set1_pd(APUS_SIN_11));
    s = _mm256_fmadd_pd(s, z, _mm256_set1_pd(APUS_SIN_9));
    s = _mm256_fmadd_pd(s, z, _mm256_set1_pd(APUS_SIN_7));
    s = _mm256_fmadd_pd(s, z, _mm256_set1_pd(APUS_SIN_5));
    s = _mm256_fmadd_pd(s, z, _mm256_set1_pd(APUS_SIN_3));
    s = _mm256_fmadd_pd(_mm256_mul_pd(s, z), r, r);
    __m256d c = _mm256_fmadd_pd(_mm256_set1_pd(APUS_COS_14), z, _mm256_set1_pd(APUS_COS_12));
    c = _mm256_fmadd_pd(c, z, _mm256_set1_pd(APUS_COS_10));
    c = _mm256_fmadd_pd(c, z, _mm256_set1_pd(APUS_COS_8));
    c = _mm256_fmadd_pd(c, z, _mm256_set1_pd(APUS_COS_6));
    c = _mm256_fmadd_pd(c, z, _mm256_set1_pd(APUS_COS_4));
    c = _mm256_fmadd_pd(c, z, _mm256_set1_pd(-0.5));
    c = _mm256_fmadd_pd(c, z, one);
    __m256d odd = _mm256_castsi256_pd(_mm256_slli_epi64(quadrant, 63));
    __m256i next = _mm256_add_epi64(quadrant, _mm256_set1_epi64x(1));
    __m256d sine_sign = _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_and_si256(quadrant, two), 62));
    __m256d cosine_sign = _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_and_si256(next, two), 62));
    *sine = _mm256_xor_pd(_mm256_blendv_pd(s, c, odd), sine_sign);
    *cosine = _mm256_xor_pd(_mm256_blendv_pd(c, s, odd), cosine_sign);
}

/// The tree of section 1 over lanes 0 to 7 and 8 to 15.
APUS_INLINE float apus_tree_avx2(__m256 low, __m256 high) {
    __m256 t8 = _mm256_add_ps(low, high);
    __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_movehdup_ps(t2)));
}

/// Lanes below `count`, as a mask for maskload and maskstore.
APUS_INLINE __m256i apus_tail_avx2(int64_t count) {
    int32_t least = count > 8 ? 8 : count < 0 ? 0 : (int32_t)count;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(least), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
