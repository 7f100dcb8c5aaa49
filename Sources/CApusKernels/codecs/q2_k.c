#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q2_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        float dmin = apus_half_to_float(block->dmin);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            int code = (block->low[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4))) & 3;
            float scale = d * (float)(block->scales[i / 16] & 15);
            float minimum = dmin * (float)(block->scales[i / 16] >> 4);
            output[at + i] = scale * (float)code - minimum;
        }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q2_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        float dmin = apus_half_to_float(block->dmin);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            steps[at + i] = d * (float)(block->scales[i / 16] & 15);
            origins[at + i] = -(dmin * (float)(block->scales[i / 16] >> 4));
        }
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q2_k_block *block = target;
    for (int i = 0; i < 64; i++) {
        const uint8_t *code = codes + 128 * (i / 32) + i % 32;
        block->low[i] = (uint8_t)(code[0] | code[32] << 2 | code[64] << 4 | code[96] << 6);
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_q2_k_block *block = target;
    apus_affine_codes found;
    apus_fit_affine(input, weights, 16, 3, 15, &found);
    block->d = found.d;
    block->dmin = found.dmin;
    for (int j = 0; j < 16; j++) { block->scales[j] = (uint8_t)(found.scales[j] | (found.minima[j] << 4)); }
    put(found.codes, block);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q2_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_SUPER_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_q2_k_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q2_k = {
    .type = APUS_TYPE_Q2_K,
    .block_length = APUS_SUPER_BLOCK,
    .block_bytes = sizeof(apus_q2_k_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 1,
    .grid = grid,
    .top_code = 3,
    .put = put,
};
