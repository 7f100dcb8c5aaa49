#include "codec.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q8_0_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        for (int i = 0; i < APUS_BLOCK; i++) { output[at + i] = d * (float)block->codes[i]; }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q8_0_block *block = blocks;
    for (int64_t i = 0; i < count; i++) {
        steps[i] = apus_half_to_float(block[i / APUS_BLOCK].d);
        origins[i] = -128 * steps[i];
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q8_0_block *block = target;
    for (int i = 0; i < APUS_BLOCK; i++) { block->codes[i] = (int8_t)(codes[i] - 128); }
}

/// Nearest integer in -127 ... 127, ties away from zero; 0 for NaN.
static inline int8_t nearest(float value) {
    float magnitude = __builtin_fabsf(value);
    float bounded = magnitude < 127 ? magnitude : (magnitude >= 127 ? 127 : 0);
    int whole = (int)bounded;
    whole += bounded - (float)whole >= 0.5f;
    return (int8_t)(value < 0 ? -whole : whole);
}

static void encode_block(const float *input, apus_q8_0_block *block) {
    float d = apus_float_from_bits(apus_largest_magnitude(input, APUS_BLOCK)) / 127;
    float inverse = apus_inverse(d);
    block->d = apus_float_to_half(d);
    for (int i = 0; i < APUS_BLOCK; i++) { block->codes[i] = nearest(input[i] * inverse); }
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q8_0_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_BLOCK)) {
            encode_block(input + at, block);
        } else {
            *block = (apus_q8_0_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q8_0 = {
    .type = APUS_TYPE_Q8_0,
    .block_length = APUS_BLOCK,
    .block_bytes = sizeof(apus_q8_0_block),
    .decode = decode,
    .encode = encode,
    .grid = grid,
    .top_code = 255,
    .put = put,
};
