// Quantized linear layers with AVX-512 but without VNNI.
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../linear_tiles.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(                                                                    \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c,avx2"))), apply_to = function)

#define APUS_LANES 16
#define APUS_COLUMNS 2
#define APUS_SETS 2
#define APUS_ROWS 6
#define APUS_ROWS_PER_16 4

#include "../vector.h"

APUS_INLINE vint pair_dot(vint a, vint b) {
    return (vint)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}

APUS_INLINE vbyte look_up_level(vbyte index) {
    const __m512i levels = _mm512_broadcast_i32x4(
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)apus_iq4_levels), _mm_set1_epi8((char)0x80)));
    return (vbyte)_mm512_shuffle_epi8(levels, (__m512i)index);
}

APUS_INLINE vshort multiply_bytes(vbyte w, vbyte x) {
    return (vshort)_mm512_maddubs_epi16((__m512i)w, (__m512i)x);
}

/// |w| times x with w's sign.
APUS_INLINE vshort multiply_signed_bytes(vbyte w, vbyte x) {
    __mmask64 negative = _mm512_movepi8_mask((__m512i)w);
    __m512i turned = _mm512_mask_sub_epi8((__m512i)x, negative, _mm512_setzero_si512(), (__m512i)x);
    return (vshort)_mm512_maddubs_epi16(_mm512_abs_epi8((__m512i)w), turned);
}

#include "linear_dots_16bit.h"

#include "../linear_formats.h"

void apus_linear_fill_avx512(apus_kernels *table) {
    fill_vector_formats(table);
}

#pragma clang attribute pop
#endif
