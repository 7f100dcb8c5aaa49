#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_iq4_xs_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        int8_t scales[8];
        apus_unpack_iq4_xs_scales(block, scales);
        for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
            int code = (block->low[16 * (i / 32) + i % 16] >> (4 * (i / 16 % 2))) & 15;
            output[at + i] = d * (float)scales[i / 32] * (float)apus_iq4_levels[code];
        }
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_iq4_xs_block *block = target;
    apus_linear_codes found;
    apus_fit_iq4_xs(input, weights, &found);
    block->d = found.d;
    int scales_high = 0;
    memset(block->scales_low, 0, sizeof block->scales_low);
    for (int j = 0; j < 8; j++) {
        int stored = found.scales[j] + 32;
        block->scales_low[j / 2] |= (uint8_t)((stored & 15) << (4 * (j % 2)));
        scales_high |= (stored >> 4) << (2 * j);
    }
    block->scales_high = (uint16_t)scales_high;
    for (int i = 0; i < 128; i++) {
        const int8_t *code = found.codes + 32 * (i / 16) + i % 16;
        block->low[i] = (uint8_t)(code[0] | code[16] << 4);
    }
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_iq4_xs_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_SUPER_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_SUPER_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_iq4_xs_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_iq4_xs = {
    .type = APUS_TYPE_IQ4_XS,
    .block_length = APUS_SUPER_BLOCK,
    .block_bytes = sizeof(apus_iq4_xs_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 2,
};
