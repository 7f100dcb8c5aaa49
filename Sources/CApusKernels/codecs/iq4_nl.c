#include "codec.h"
#include "fit.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const apus_iq4_nl_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        float d = apus_half_to_float(block->d);
        for (int i = 0; i < 16; i++) {
            output[at + i] = d * (float)apus_iq4_levels[block->low[i] & 15];
            output[at + 16 + i] = d * (float)apus_iq4_levels[block->low[i] >> 4];
        }
    }
}

static void fit(const float *input, const float *weights, void *target) {
    apus_iq4_nl_block *block = target;
    uint8_t codes[APUS_BLOCK];
    block->d = apus_fit_iq4_nl(input, weights, codes);
    apus_put_halves(codes, block->low);
}

static void encode(const float *input, void *blocks, int64_t count) {
    apus_iq4_nl_block *block = blocks;
    for (int64_t at = 0; at < count; at += APUS_BLOCK, block++) {
        if (apus_all_finite(input + at, APUS_BLOCK)) {
            fit(input + at, NULL, block);
        } else {
            *block = (apus_iq4_nl_block){.d = APUS_HALF_NAN};
        }
    }
}

const apus_codec apus_codec_iq4_nl = {
    .type = APUS_TYPE_IQ4_NL,
    .block_length = APUS_BLOCK,
    .block_bytes = sizeof(apus_iq4_nl_block),
    .decode = decode,
    .encode = encode,
    .fit = fit,
    .weight_spread = 2,
};
