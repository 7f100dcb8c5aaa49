// Peak multiply-adds of the AVX-512 tiers; without VNNI the limit of dots is vpmaddubsw, as probe_avx2.c explains.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../probes.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw"))), apply_to = function)

#define CHAINS 24
#define DOT_CHAINS 12
#define UNROLL _Pragma("clang loop unroll(full)")

int64_t apus_probe_dot_avx512(int64_t iterations, int32_t *sink) {
    __m512i a = _mm512_set1_epi8((char)*sink), b = _mm512_set1_epi8(1), ones = _mm512_set1_epi16(1);
    __m512i sums[DOT_CHAINS], pairs[DOT_CHAINS];
    UNROLL for (int c = 0; c < DOT_CHAINS; c++) sums[c] = _mm512_setzero_si512();
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < DOT_CHAINS; c++) pairs[c] = _mm512_setzero_si512();
        UNROLL for (int step = 0; step < APUS_PROBE_STEPS; step++) {
            UNROLL for (int c = 0; c < DOT_CHAINS; c++) {
                __asm__ volatile("" : "+v"(a));
                pairs[c] = _mm512_add_epi16(pairs[c], _mm512_maddubs_epi16(a, b));
            }
        }
        UNROLL for (int c = 0; c < DOT_CHAINS; c++) {
            sums[c] = _mm512_add_epi32(sums[c], _mm512_madd_epi16(pairs[c], ones));
        }
    }
    UNROLL for (int c = 1; c < DOT_CHAINS; c++) sums[0] = _mm512_add_epi32(sums[0], sums[c]);
    *sink = _mm512_cvtsi512_si32(sums[0]);
    return iterations * DOT_CHAINS * APUS_PROBE_STEPS * 64;
}

int64_t apus_probe_fma_avx512(int64_t iterations, float *sink) {
    __m512 a = _mm512_set1_ps(*sink), b = _mm512_set1_ps(0.5f), sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm512_setzero_ps();
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm512_fmadd_ps(a, b, sums[c]);
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = _mm512_add_ps(sums[0], sums[c]);
    *sink = _mm512_cvtss_f32(sums[0]);
    return iterations * CHAINS * 16;
}

#pragma clang attribute pop
#endif
