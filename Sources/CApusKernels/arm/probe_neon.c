// Peak multiply-adds of the NEON tier: 8-bit dots by the dot product instructions, or where the CPU lacks them by widening
// multiply-adds, whose sums stay in 16 bits for as long as 4-bit codes allow.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../probes.h"
#include "features_neon.h"

#pragma STDC FP_CONTRACT OFF

#define CHAINS 16
#define UNROLL _Pragma("clang loop unroll(full)")

static int64_t dots_by_products(int64_t iterations, int32_t *sink) {
    int8x16_t a = vdupq_n_s8((int8_t)*sink), b = vdupq_n_s8(1);
    int32x4_t sums[CHAINS / 2];
    int16x8_t pairs[CHAINS / 2];
    UNROLL for (int c = 0; c < CHAINS / 2; c++) sums[c] = vdupq_n_s32(0);
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS / 2; c++) pairs[c] = vdupq_n_s16(0);
        UNROLL for (int step = 0; step < APUS_PROBE_STEPS; step++) {
            UNROLL for (int c = 0; c < CHAINS / 2; c++) {
                __asm__ volatile("" : "+w"(a));
                pairs[c] = vmlal_high_s8(vmlal_s8(pairs[c], vget_low_s8(a), vget_low_s8(b)), a, b);
            }
        }
        UNROLL for (int c = 0; c < CHAINS / 2; c++) sums[c] = vpadalq_s16(sums[c], pairs[c]);
    }
    UNROLL for (int c = 1; c < CHAINS / 2; c++) sums[0] = vaddq_s32(sums[0], sums[c]);
    *sink = vgetq_lane_s32(sums[0], 0);
    return iterations * (CHAINS / 2) * APUS_PROBE_STEPS * 16;
}

int64_t apus_probe_dot_neon(int64_t iterations, int32_t *sink) {
    return apus_has_dot_products() ? apus_probe_dot_neon_dotprod(iterations, sink) : dots_by_products(iterations, sink);
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
