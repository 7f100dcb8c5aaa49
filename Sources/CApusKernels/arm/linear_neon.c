// Quantized linear layers with NEON, and the choice of the dot product instructions where the CPU has them.
#if defined(__aarch64__)

#include <math.h>
#include <string.h>

#include "../tiers.h"
#include "features_neon.h"

#pragma STDC FP_CONTRACT OFF

#include "linear_neon.h"
#include "linear_prepare_neon.h"

#include "../linear_unpack.h"

APUS_INLINE void dot_steps(vint *dots, int columns, int rows, const weight_group *weights, const int8_t *codes,
                           int first, int steps, int bits) {
    for (int s = first; s < first + steps; s++) {
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, codes + row * APUS_GROUP + 4 * s, sizeof four);
            int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(four));
            for (int column = 0; column < columns; column++) {
                int8x16_t w = signed_codes(weights[column].w[s], bits);
                int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                int32x4_t high = vpaddlq_s16(vmull_high_s8(w, x));
                dots[column * rows + row] += (vint)vpaddq_s32(low, high);
            }
        }
    }
}

#include "../linear_formats.h"

void apus_linear_fill_neon_dotprod(apus_kernels *table);

void apus_linear_fill_neon(apus_kernels *table) {
    table->linear.prepare[APUS_ACTIVATION_Q8] = apus_prepare_q8_neon;
    if (apus_has_dot_products()) {
        apus_linear_fill_neon_dotprod(table);
    } else {
        fill_vector_formats(table);
    }
}

#endif
