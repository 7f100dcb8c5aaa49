// Attention, AVX-512 VNNI tier: q8_0 and KIVI keys and values with the 8-bit dot instruction.
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

#include "attention_avx512.h"

/// Four products per lane, of bytes below 128 and signed bytes.
APUS_INLINE __m512i dot_small(__m512i sums, __m512i small, __m512i codes) {
    return _mm512_dpbusd_epi32(sums, small, codes);
}

/// Four products per lane, of codes + 128 and signed bytes.
APUS_INLINE __m512i dot_offset(__m512i sums, __m512i shifted, __m512i codes) {
    return _mm512_dpbusd_epi32(sums, shifted, codes);
}

/// What dot_offset adds for each unit of the sum of the signed bytes.
#define DOT_OFFSET 128

#include "attention_integers_avx512.h"

ATTEND_INTEGERS(vnni)

void apus_attention_fill_avx512vnni(apus_kernels *table) { set_attend_integers(table); }

#pragma clang attribute pop
#endif
