// Quantized linear layers with NEON's dot product instructions.
#if defined(__aarch64__)

#include <math.h>
#include <string.h>

#include <arm_neon.h>

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "linear_neon.h"

#include "../linear_unpack.h"

APUS_INLINE void dot_steps(vint *dots, int columns, int rows, const weight_group *weights, const int8_t *codes,
                           int first, int steps, int bits) {
    for (int four = first; four < first + steps; four += 4) {
        for (int row = 0; row < rows; row++) {
            int8x16_t x = vld1q_s8(codes + row * APUS_GROUP + 4 * four);
            for (int column = 0; column < columns; column++) {
                const vbyte *w = weights[column].w + four;
                int32x4_t dot = (int32x4_t)dots[column * rows + row];
                dot = vdotq_laneq_s32(dot, signed_codes(w[0], bits), x, 0);
                dot = vdotq_laneq_s32(dot, signed_codes(w[1], bits), x, 1);
                dot = vdotq_laneq_s32(dot, signed_codes(w[2], bits), x, 2);
                dot = vdotq_laneq_s32(dot, signed_codes(w[3], bits), x, 3);
                dots[column * rows + row] = (vint)dot;
            }
        }
    }
}

#include "../linear_formats.h"

void apus_linear_fill_neon_dotprod(apus_kernels *table);

void apus_linear_fill_neon_dotprod(apus_kernels *table) {
    fill_vector_formats(table);
}

#pragma clang attribute pop
#endif
