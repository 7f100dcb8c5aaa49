// Activations for integer dot products with NEON (numbers.md, section 2).
#if defined(__aarch64__)

#include <math.h>
#include <string.h>

#include <arm_neon.h>

#include "../linear_tiles.h"
#include "linear_prepare_neon.h"

#pragma STDC FP_CONTRACT OFF

/// Sixteen codes and their sum.
static inline int32_t quantize_half(const float *x, float factor, int8_t *codes) {
    int16x4_t parts[4];
    for (int i = 0; i < 4; i++) {
        parts[i] = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), factor)));
    }
    int8x16_t packed = vcombine_s8(vmovn_s16(vcombine_s16(parts[0], parts[1])),
                                   vmovn_s16(vcombine_s16(parts[2], parts[3])));
    vst1q_s8(codes, packed);
    return vaddlvq_s8(packed);
}

static inline void quantize_group(const float *x, uint8_t *group, int64_t row, int64_t rows) {
    uint32x4_t largest = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++) {
        uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(x + 4 * i));
        largest = vmaxq_u32(largest, vandq_u32(bits, vdupq_n_u32(0x7fffffff)));
    }
    uint32_t bits = vmaxvq_u32(largest);
    int8_t *codes = (int8_t *)apus_panel_codes(group, row);
    float a, scale = 0;
    int32_t first = 0, second = 0;
    memcpy(&a, &bits, sizeof a);
    if (bits >= 0x7f800000 || a < 0x1p-100f) {
        scale = bits >= 0x7f800000 ? NAN : 0;
        memset(codes, 0, APUS_GROUP);
    } else {
        scale = a / 127;
        first = quantize_half(x, 127 / a, codes);
        second = quantize_half(x + 16, 127 / a, codes + 16);
    }
    ((float *)apus_panel_scales(group, rows))[row] = scale;
    ((float *)apus_panel_sums(group, rows))[row] = scale * (float)(first + second);
    ((int32_t *)apus_panel_half_sums(group, rows))[row] = (int32_t)((uint32_t)second << 16 | (uint16_t)first);
}

void apus_prepare_q8_neon(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_prepare_args *args = pointer;
    int64_t count = args->inputs / APUS_GROUP;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first, rows;
        uint8_t *target = apus_prepared_panel(args, panel, &first, &rows);
        for (int64_t group = 0; group < count; group++) {
            for (int64_t row = 0; row < rows; row++) {
                const float *x = args->input + (first + row) * args->input_stride + group * APUS_GROUP;
                quantize_group(x, target + group * rows * APUS_PANEL_ROW_BYTES, row, rows);
            }
        }
    }
}

#endif
