// What the codec files share: the rows of the codec table and the rounding of the simple formats.
#pragma once

#include <stdbool.h>

#include "../include/apus_codecs.h"
#include "blocks.h"
#include "half.h"

#define APUS_HALF_NAN 0x7e00

extern const apus_codec apus_codec_f32, apus_codec_f16, apus_codec_bf16;
extern const apus_codec apus_codec_q4_0, apus_codec_q4_1, apus_codec_q5_0, apus_codec_q5_1, apus_codec_q8_0;
extern const apus_codec apus_codec_q2_k, apus_codec_q3_k, apus_codec_q4_k, apus_codec_q5_k, apus_codec_q6_k;
extern const apus_codec apus_codec_iq4_nl, apus_codec_iq4_xs;
extern const apus_codec apus_codec_q3_g64, apus_codec_q3_g128, apus_codec_i4_row;

/// The largest magnitude of a block as bits: above 0x7f7fffff some element is not finite.
static inline uint32_t apus_largest_magnitude(const float *input, int count) {
    int32_t largest = 0;
    for (int i = 0; i < count; i++) {
        int32_t magnitude = (int32_t)(apus_float_bits(input[i]) & 0x7fffffff);
        largest = magnitude > largest ? magnitude : largest;
    }
    return (uint32_t)largest;
}

static inline bool apus_all_finite(const float *input, int count) {
    return apus_largest_magnitude(input, count) < 0x7f800000;
}

/// The element of largest magnitude, the first among equals.
static inline float apus_extreme(const float *input, int count) {
    float extreme = input[0];
    for (int i = 1; i < count; i++) {
        if (__builtin_fabsf(input[i]) > __builtin_fabsf(extreme)) { extreme = input[i]; }
    }
    return extreme;
}

/// The least and the greatest element.
static inline void apus_extent(const float *input, int count, float *least, float *greatest) {
    *least = *greatest = input[0];
    for (int i = 1; i < count; i++) {
        *least = input[i] < *least ? input[i] : *least;
        *greatest = input[i] > *greatest ? input[i] : *greatest;
    }
}

/// `value` cut to an integer in 0 ... top; 0 for NaN.
static inline uint8_t apus_code(float value, int top) {
    float bounded = value > 0 ? value : 0;
    return (uint8_t)(bounded < (float)top ? (int)bounded : top);
}

/// Codes of four bits: byte i has element i in its low half, i + 16 in its high half.
static inline void apus_put_halves(const uint8_t codes[32], uint8_t low[16]) {
    for (int i = 0; i < 16; i++) { low[i] = (uint8_t)((codes[i] & 15) | codes[16 + i] << 4); }
}

/// Bit 4 of each code.
static inline uint32_t apus_fifth_bits(const uint8_t codes[32]) {
    uint32_t bits = 0;
    for (int i = 0; i < 32; i++) { bits |= (uint32_t)(codes[i] >> 4) << i; }
    return bits;
}

/// The grid of a Q4_K or Q5_K super-block.
static inline void apus_k_grid(uint16_t d, uint16_t dmin, const uint8_t packed[12], float *steps, float *origins) {
    uint8_t scales[8], minima[8];
    apus_unpack_k_scales(packed, scales, minima);
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
        steps[i] = apus_half_to_float(d) * (float)scales[i / 32];
        origins[i] = -(apus_half_to_float(dmin) * (float)minima[i / 32]);
    }
}

/// 1 / value, or 0 where that would not be a number to multiply with.
static inline float apus_inverse(float value) {
    return value == 0 ? 0 : 1 / value;
}
