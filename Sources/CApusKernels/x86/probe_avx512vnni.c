// Peak 8-bit dots of the AVX-512 VNNI tier.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../probes.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vnni"))), apply_to = function)

#define CHAINS 24
#define UNROLL _Pragma("clang loop unroll(full)")

int64_t apus_probe_dot_avx512vnni(int64_t iterations, int32_t *sink) {
    __m512i a = _mm512_set1_epi8((char)*sink), b = _mm512_set1_epi8(1), sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm512_setzero_si512();
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm512_dpbusd_epi32(sums[c], a, b);
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = _mm512_add_epi32(sums[0], sums[c]);
    *sink = _mm512_cvtsi512_si32(sums[0]);
    return iterations * CHAINS * 64;
}

#pragma clang attribute pop
#endif
