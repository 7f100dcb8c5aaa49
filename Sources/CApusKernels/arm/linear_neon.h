// What both NEON files of the quantized linear layers share.
#pragma once

#define APUS_LANES 4
#define APUS_COLUMNS 2
#define APUS_SETS 4
#define APUS_ROWS 4
#define APUS_ROWS_PER_16 3

#include <arm_neon.h>

#include "../linear_tiles.h"
#include "../vector.h"

APUS_INLINE vint pair_dot(vint a, vint b) {
    int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
    return (vint)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

APUS_INLINE vbyte look_up_level(vbyte index) {
    return (vbyte)vqtbl1q_s8(vld1q_s8(apus_iq4_levels), (uint8x16_t)index) ^ 0x80;
}

/// Both operands of the instructions are signed: codes of 8 bits are made so, shorter ones are already.
APUS_INLINE int code_offset(int offset, int bits) {
    return bits == 8 ? 0 : offset;
}

APUS_INLINE int8x16_t signed_codes(vbyte w, int bits) {
    return (int8x16_t)(bits == 8 ? w ^ 0x80 : w);
}
