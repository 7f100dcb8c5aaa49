// Peak multiply-adds of the AVX2 tier. The operands pass through an empty asm so that no product is hoisted.
//
// The limit of 8-bit dots is vpmaddubsw, the instruction that multiplies most: 32 products, added in pairs to 16 bits.
// Widening every one of its results would measure a slower sequence than kernels use: products of 4-bit codes leave room
// for eight additions in 16 bits, so here, too, eight steps are added before vpmaddwd widens them.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../probes.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define CHAINS 12
#define DOT_CHAINS 6
#define UNROLL _Pragma("clang loop unroll(full)")

int64_t apus_probe_dot_avx2(int64_t iterations, int32_t *sink) {
    __m256i a = _mm256_set1_epi8((char)*sink), b = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
    __m256i sums[DOT_CHAINS], pairs[DOT_CHAINS];
    UNROLL for (int c = 0; c < DOT_CHAINS; c++) sums[c] = _mm256_setzero_si256();
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < DOT_CHAINS; c++) pairs[c] = _mm256_setzero_si256();
        UNROLL for (int step = 0; step < APUS_PROBE_STEPS; step++) {
            UNROLL for (int c = 0; c < DOT_CHAINS; c++) {
                __asm__ volatile("" : "+x"(a));
                pairs[c] = _mm256_add_epi16(pairs[c], _mm256_maddubs_epi16(a, b));
            }
        }
        UNROLL for (int c = 0; c < DOT_CHAINS; c++) {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(pairs[c], ones));
        }
    }
    UNROLL for (int c = 1; c < DOT_CHAINS; c++) sums[0] = _mm256_add_epi32(sums[0], sums[c]);
    *sink = _mm256_extract_epi32(sums[0], 0);
    return iterations * DOT_CHAINS * APUS_PROBE_STEPS * 32;
}

int64_t apus_probe_fma_avx2(int64_t iterations, float *sink) {
    __m256 a = _mm256_set1_ps(*sink), b = _mm256_set1_ps(0.5f), sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm256_setzero_ps();
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = _mm256_fmadd_ps(a, b, sums[c]);
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = _mm256_add_ps(sums[0], sums[c]);
    *sink = _mm256_cvtss_f32(sums[0]);
    return iterations * CHAINS * 8;
}

#pragma clang attribute pop
#endif
