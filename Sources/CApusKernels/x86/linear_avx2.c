// Quantized linear layers with AVX2.
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../linear_tiles.h"
#include "../tiers.h"
#include "linear_prepare_avx2.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define APUS_LANES 8
#define APUS_COLUMNS 2
#define APUS_SETS 2
#define APUS_ROWS 3
#define APUS_ROWS_PER_16 2

#include "../vector.h"

APUS_INLINE vint pair_dot(vint a, vint b) {
    return (vint)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

APUS_INLINE vbyte look_up_level(vbyte index) {
    const __m256i levels = _mm256_broadcastsi128_si256(
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)apus_iq4_levels), _mm_set1_epi8((char)0x80)));
    return (vbyte)_mm256_shuffle_epi8(levels, (__m256i)index);
}

APUS_INLINE vshort multiply_bytes(vbyte w, vbyte x) {
    return (vshort)_mm256_maddubs_epi16((__m256i)w, (__m256i)x);
}

/// |w| times x with w's sign.
APUS_INLINE vshort multiply_signed_bytes(vbyte w, vbyte x) {
    __m256i turned = _mm256_sign_epi8((__m256i)x, (__m256i)w);
    return (vshort)_mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)w), turned);
}

#include "linear_dots_16bit.h"

#include "../linear_formats.h"

void apus_linear_fill_avx2(apus_kernels *table) {
    fill_vector_formats(table);
    table->linear.prepare[APUS_ACTIVATION_Q8] = apus_prepare_q8_avx2;
}

#pragma clang attribute pop
#endif
