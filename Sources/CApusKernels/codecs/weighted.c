#include "codec.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

/// What the squared error of each element counts, for elements brought to magnitudes around 1 by `unit`.
static void weigh(const apus_codec *codec, const float *input, float unit, const float *importance, float *weights) {
    float squares = 0;
    for (int i = 0; i < codec->block_length; i++) { squares += input[i] * unit * (input[i] * unit); }
    float spread = codec->weight_spread * squares / (float)codec->block_length;
    for (int i = 0; i < codec->block_length; i++) {
        float x = input[i] * unit;
        weights[i] = codec->weight_spread > 0 ? importance[i] * __builtin_sqrtf(spread + x * x) : importance[i];
    }
}

static double weighted_error(const apus_codec *codec, const float *input, const float *weights, const void *block) {
    float decoded[APUS_SUPER_BLOCK];
    codec->decode(block, decoded, codec->block_length);
    double error = 0;
    for (int i = 0; i < codec->block_length; i++) {
        double difference = (double)decoded[i] - (double)input[i];
        error += (double)weights[i] * difference * difference;
    }
    return error;
}

void apus_encode_weighted(const apus_codec *codec, const float *input, const float *importance, void *blocks,
                          int64_t count) {
    codec->encode(input, blocks, count);
    if (!codec->fit) { return; }
    uint8_t *block = blocks;
    for (int64_t at = 0; at < count; at += codec->block_length, block += codec->block_bytes) {
        float weights[APUS_SUPER_BLOCK];
        uint8_t fitted[sizeof(apus_q6_k_block)];
        float unit = apus_unit_factor(input + at, codec->block_length);
        if (unit == 0 || !apus_all_finite(input + at, codec->block_length)) { continue; }
        weigh(codec, input + at, unit, importance + at, weights);
        codec->fit(input + at, weights, fitted);
        // A search finds no worse block than the one that ignores the weights: that one is among the candidates.
        if (weighted_error(codec, input + at, weights, fitted) < weighted_error(codec, input + at, weights, block)) {
            memcpy(block, fitted, (size_t)codec->block_bytes);
        }
    }
}
