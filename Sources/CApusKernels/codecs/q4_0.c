#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q4_0_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        for (int i = 0; i < 16; i++) {
            output[at + i] = d * (float)((block->low[i] & 15) - 8);
            output[at + 16 + i] = d * (float)((block->low[i] >> 4) - 8);
        }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q4_0_block *block = blocks;
    for (int64_t i = 0; i < count; i++) {
        steps[i] = apus_half_to_float(block[i / APUS_BLOCK].d);
        origins[i] = -8 * steps[i];
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q4_0_block *block = target;
    apus_put_halves(codes, block->low);
}

/// The codes nearest to the input for a given scale.
static void store(const float *input, float d, apus_q4_0_block *block) {
    float inverse = apus_inverse(d);
    uint8_t codes[APUS_BLOCK];
    for (int i = 0; i < APUS_BLOCK; i++) { codes[i] = apus_code(input[i] * inverse + 8.5f, 15); }
    block->d = apus_float_to_half(d);
    put(codes, block);
}

static void encode_block(const float *input, apus_q4_0_block *block) {
    store(input, apus_extreme(input, APUS_BLOCK) / -8, block);
}

static void fit(const float *input, const float *weights, void *block) {
    uint16_t d = apus_float_to_half(apus_fit_q4_0(input, weights));
    store(input, apus_half_to_float(d), block);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q4_0_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_BLOCK)) {
            encode_block(input + at, block);
        } else {
            *block = (apus_q4_0_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q4_0 = {
    .type = APUS_TYPE_Q4_0,
    .block_length = APUS_BLOCK,
    .block_bytes = sizeof(apus_q4_0_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 1,
    .grid = grid,
    .top_code = 15,
    .put = put,
};
