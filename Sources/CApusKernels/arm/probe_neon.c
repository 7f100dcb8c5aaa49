// Peak multiply-adds of the NEON tier: 8-bit products by widening multiply and pairwise accumulation.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../probes.h"

#pragma STDC FP_CONTRACT OFF

#define CHAINS 16
#define UNROLL _Pragma("clang loop unroll(full)")

int64_t apus_probe_dot_neon(int64_t iterations, int32_t *sink) {
    int8x8_t a = vdup_n_s8((int8_t)*sink), b = vdup_n_s8(1);
    int32x4_t sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = vdupq_n_s32(0);
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) {
            __asm__ volatile("" : "+w"(a));
            sums[c] = vpadalq_s16(sums[c], vmull_s8(a, b));
        }
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = vaddq_s32(sums[0], sums[c]);
    *sink = vgetq_lane_s32(sums[0], 0);
    return iterations * CHAINS * 8;
}

int64_t apus_probe_fma_neon(int64_t iterations, float *sink) {
    float32x4_t a = vdupq_n_f32(*sink), b = vdupq_n_f32(0.5f), sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = vdupq_n_f32(0);
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = vfmaq_f32(sums[c], a, b);
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = vaddq_f32(sums[0], sums[c]);
    *sink = vgetq_lane_f32(sums[0], 0);
    return iterations * CHAINS * 4;
}
#endif
