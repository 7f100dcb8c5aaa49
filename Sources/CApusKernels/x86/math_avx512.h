// kernels_math.h on 16 lanes. Included inside an AVX-512 target region; the bits equal the scalar functions'.
#pragma once

#include <immintrin.h>

#include "../kernels_math.h"

#pragma STDC FP_CONTRACT OFF

/// exp for x <= 0 or NaN.
APUS_INLINE __m512 apus_exp_nonpositive_avx512(__m512 x) {
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(APUS_LOG2_E)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(APUS_LN2_HIGH), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(APUS_LN2_LOW), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(APUS_EXP_6), r, _mm512_set1_ps(APUS_EXP_5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(APUS_EXP_4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(APUS_EXP_3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(APUS_EXP_2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(APUS_EXP_LOW), _CMP_NLT_UQ), p, n);
}

APUS_INLINE __m512 apus_exp_avx512(__m512 x) {
    __mmask16 high = _mm512_cmp_ps_mask(x, _mm512_set1_ps(APUS_EXP_HIGH), _CMP_GT_OQ);
    return _mm512_mask_mov_ps(apus_exp_nonpositive_avx512(x), high, _mm512_set1_ps(INFINITY));
}

APUS_INLINE __m512 apus_negate_avx512(__m512 x) {
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x), _mm512_set1_epi32(INT32_MIN)));
}

APUS_INLINE __m512 apus_silu_avx512(__m512 x) {
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), apus_exp_avx512(apus_negate_avx512(x))));
}

APUS_INLINE __m512 apus_gelu_avx512(__m512 x) {
    __m512 one = _mm512_set1_ps(1.0f), two = _mm512_set1_ps(2.0f);
    __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps(APUS_GELU_CUBIC), x), x, one);
    __m512 u = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(APUS_GELU_SCALE), x), cubic);
    __m512 exponential = apus_exp_avx512(_mm512_mul_ps(two, u));
    __m512 tanh = _mm512_sub_ps(one, _mm512_div_ps(two, _mm512_add_ps(one, exponential)));
    return _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.5f), x), _mm512_add_ps(one, tanh));
}

APUS_INLINE void apus_sincos_avx512(__m512d x, __m512d *sine, __m512d *cosine) {
    __m512d magic = _mm512_set1_pd(APUS_ROUND_MAGIC), one = _mm512_set1_pd(1.0);
    __m512d shifted = _mm512_add_pd(_mm512_mul_pd(x, _mm512_set1_pd(APUS_TWO_OVER_PI)), magic);
    __m512i quadrant = _mm512_castpd_si512(shifted), two = _mm512_set1_epi64(2);
    __m512d n = _mm512_sub_pd(shifted, magic);
    __m512d r = _mm512_fnmadd_pd(n, _mm512_set1_pd(APUS_HALF_PI_HIGH), x);
    r = _mm512_fnmadd_pd(n, _mm512_set1_pd(APUS_HALF_PI_LOW), r);
    __m512d z = _mm512_mul_pd(r, r);
    __m512d s = _mm512_fmadd_pd(_mm512_set1_pd(APUS_SIN_13), z, _mm512_set1_pd(APUS_SIN_11));
    s = _mm512_fmadd_pd(s, z, _mm512_set1_pd(APUS_SIN_9));
    s = _mm512_fmadd_pd(s, z, _mm512_set1_pd(APUS_SIN_7));
    s = _mm512_fmadd_pd(s, z, _mm512_set1_pd(APUS_SIN_5));
    s = _mm512_fmadd_pd(s, z, _mm512_set1_pd(APUS_SIN_3));
    s = _mm512_fmadd_pd(_mm512_mul_pd(s, z), r, r);
    __m512d c = _mm512_fmadd_pd(_mm512_set1_pd(APUS_COS_14), z, _mm512_set1_pd(APUS_COS_12));
    c = _mm512_fmadd_pd(c, z, _mm512_set1_pd(APUS_COS_10));
    c = _mm512_fmadd_pd(c, z, _mm512_set1_pd(APUS_COS_8));
    c = _mm512_fmadd_pd(c, z, _mm512_set1_pd(APUS_COS_6));
    c = _mm512_fmadd_pd(c, z, _mm512_set1_pd(APUS_COS_4));
    c = _mm512_fmadd_pd(c, z, _mm512_set1_pd(-0.5));
    c = _mm512_fmadd_pd(c, z, one);
    __mmask8 odd = _mm512_test_epi64_mask(quadrant, _mm512_set1_epi64(1));
    __m512i sine_sign = _mm512_slli_epi64(_mm512_and_si512(quadrant, two), 62);
    __m512i next = _mm512_add_epi64(quadrant, _mm512_set1_epi64(1));
    __m512i cosine_sign = _mm512_slli_epi64(_mm512_and_si512(next, two), 62);
    *sine = _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(_mm512_mask_mov_pd(s, odd, c)), sine_sign));
    *cosine = _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(_mm512_mask_mov_pd(c, odd, s)), cosine_sign));
}

/// The tree of section 1: i with i + 8, i + 4, i + 2, i + 1.
APUS_INLINE float apus_tree_avx512(__m512 lanes) {
    __m256 t8 = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_movehdup_ps(t2)));
}

/// Lanes below `count`, for the last vector of a row.
APUS_INLINE __mmask16 apus_tail_avx512(int64_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }
