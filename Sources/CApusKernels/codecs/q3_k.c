#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q3_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        int8_t scales[16];
        apus_unpack_q3_k_scales(block->scales, scales);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            int low = (block->low[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4))) & 3;
            int high = (block->high[i % 32] >> (i / 32)) & 1;
            output[at + i] = d * (float)scales[i / 16] * (float)((low | high << 2) - 4);
        }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q3_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        int8_t scales[16];
        apus_unpack_q3_k_scales(block->scales, scales);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            steps[at + i] = d * (float)scales[i / 16];
            origins[at + i] = -4 * steps[at + i];
        }
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q3_k_block *block = target;
    memset(block->high, 0, sizeof block->high);
    memset(block->low, 0, sizeof block->low);
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
        block->low[32 * (i / 128) + i % 32] |= (uint8_t)((codes[i] & 3) << (2 * (i / 32 % 4)));
        block->high[i % 32] |= (uint8_t)((codes[i] >> 2) << (i / 32));
    }
}

static void pack_scales(const int8_t scales[16], uint8_t packed[12]) {
    memset(packed, 0, 12);
    for (int j = 0; j < 16; j++) {
        int stored = scales[j] + 32;
        packed[j % 8] |= (uint8_t)((stored & 15) << (4 * (j / 8)));
        packed[8 + j % 4] |= (uint8_t)((stored >> 4) << (2 * (j / 4)));
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_q3_k_block *block = target;
    apus_linear_codes found;
    uint8_t codes[APUS_SUPER_BLOCK];
    apus_fit_q3_k(input, weights, &found);
    block->d = found.d;
    pack_scales(found.scales, block->scales);
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) { codes[i] = (uint8_t)(found.codes[i] + 4); }
    put(codes, block);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q3_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_SUPER_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_q3_k_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q3_k = {
    .type = APUS_TYPE_Q3_K,
    .block_length = APUS_SUPER_BLOCK,
    .block_bytes = sizeof(apus_q3_k_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 2,
    .grid = grid,
    .top_code = 7,
    .put = put,
};
