// Quantized linear layers with AVX-512 VNNI: vpdpbusd multiplies unsigned codes by activation codes, exactly.
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../linear_tiles.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(                                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c,avx2"))), apply_to = function)

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

APUS_INLINE int code_offset(int offset, int bits) {
    (void)bits;
    return offset;
}

#include "../linear_unpack.h"

APUS_INLINE void dot_steps(vint *dots, int columns, int rows, const weight_group *weights, const int8_t *codes,
                           int first, int steps, int bits) {
    (void)bits;
#pragma clang loop unroll(full)
    for (int s = first; s < first + steps; s++) {
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, codes + row * APUS_GROUP + 4 * s, sizeof four);
            for (int column = 0; column < columns; column++) {
                vint *dot = &dots[column * rows + row];
                *dot = (vint)_mm512_dpbusd_epi32((__m512i)*dot, (__m512i)weights[column].w[s], _mm512_set1_epi32(four));
            }
        }
    }
}

#include "../linear_formats.h"

void apus_linear_fill_avx512vnni(apus_kernels *table) {
    fill_vector_formats(table);
}

#pragma clang attribute pop
#endif
