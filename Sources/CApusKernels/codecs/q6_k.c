#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q6_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            int part = i / 32 % 4;
            int low = (block->low[64 * (i / 128) + 32 * (part % 2) + i % 32] >> (4 * (part / 2))) & 15;
            int high = (block->high[32 * (i / 128) + i % 32] >> (2 * part)) & 3;
            output[at + i] = d * (float)block->scales[i / 16] * (float)((low | high << 4) - 32);
        }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q6_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            steps[at + i] = d * (float)block->scales[i / 16];
            origins[at + i] = -32 * steps[at + i];
        }
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q6_k_block *block = target;
    memset(block->low, 0, sizeof block->low);
    memset(block->high, 0, sizeof block->high);
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
        int part = i / 32 % 4;
        block->low[64 * (i / 128) + 32 * (part % 2) + i % 32] |= (uint8_t)((codes[i] & 15) << (4 * (part / 2)));
        block->high[32 * (i / 128) + i % 32] |= (uint8_t)((codes[i] >> 4) << (2 * part));
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_q6_k_block *block = target;
    apus_linear_codes found;
    uint8_t codes[APUS_SUPER_BLOCK];
    apus_fit_q6_k(input, weights, &found);
    block->d = found.d;
    memcpy(block->scales, found.scales, sizeof block->scales);
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) { codes[i] = (uint8_t)(found.codes[i] + 32); }
    put(codes, block);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q6_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_SUPER_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_q6_k_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q6_k = {
    .type = APUS_TYPE_Q6_K,
    .block_length = APUS_SUPER_BLOCK,
    .block_bytes = sizeof(apus_q6_k_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .grid = grid,
    .top_code = 63,
    .put = put,
};
