// Peak 8-bit dots of NEON's dot product instructions.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../probes.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define CHAINS 16
#define UNROLL _Pragma("clang loop unroll(full)")

int64_t apus_probe_dot_neon_dotprod(int64_t iterations, int32_t *sink) {
    int8x16_t a = vdupq_n_s8((int8_t)*sink), b = vdupq_n_s8(1);
    int32x4_t sums[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = vdupq_n_s32(0);
    for (int64_t i = 0; i < iterations; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = vdotq_s32(sums[c], a, b);
    }
    UNROLL for (int c = 1; c < CHAINS; c++) sums[0] = vaddq_s32(sums[0], sums[c]);
    *sink = vgetq_lane_s32(sums[0], 0);
    return iterations * CHAINS * 16;
}

#pragma clang attribute pop
#endif
