#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_q5_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        float dmin = apus_half_to_float(block->dmin);
        uint8_t scales[8], minima[8];
        apus_unpack_k_scales(block->scales, scales, minima);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            int low = (block->low[32 * (i / 64) + i % 32] >> (4 * (i / 32 % 2))) & 15;
            int high = (block->high[i % 32] >> (i / 32)) & 1;
            float scale = d * (float)scales[i / 32];
            float minimum = dmin * (float)minima[i / 32];
            output[at + i] = scale * (float)(low | high << 4) - minimum;
        }
    }
}

static void grid(const void *blocks, float *steps, float *origins, int64_t count) {
    const apus_q5_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        apus_k_grid(block->d, block->dmin, block->scales, steps + at, origins + at);
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_q5_k_block *block = target;
    memset(block->high, 0, sizeof block->high);
    for (int i = 0; i < 128; i++) {
        int pair = i / 32;
        const uint8_t *code = codes + 64 * pair + i % 32;
        block->low[i] = (uint8_t)((code[0] & 15) | (code[32] & 15) << 4);
        block->high[i % 32] |= (uint8_t)((code[0] >> 4) << (2 * pair) | (code[32] >> 4) << (2 * pair + 1));
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_q5_k_block *block = target;
    apus_affine_codes found;
    apus_fit_affine(input, weights, 32, 31, 63, &found);
    block->d = found.d;
    block->dmin = found.dmin;
    apus_pack_k_scales(found.scales, found.minima, block->scales);
    put(found.codes, block);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_q5_k_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_SUPER_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_q5_k_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_q5_k = {
    .type = APUS_TYPE_Q5_K,
    .block_length = APUS_SUPER_BLOCK,
    .block_bytes = sizeof(apus_q5_k_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 2,
    .grid = grid,
    .top_code = 31,
    .put = put,
};
