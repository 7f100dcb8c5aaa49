// I4_ROW: symmetric INT4 with one scale for a row, as GLM-130B's weights are rounded (Zeng et al., 2023).

#include "codec.h"

#pragma STDC FP_CONTRACT OFF

#define TOP 7  ///< levels -7 ... 7: never -8

/// Where the blocks from an element on lie.
static size_t block_offset(int64_t element) {
    return sizeof(float) + (size_t)element / APUS_BLOCK * sizeof(apus_i4_row_block);
}

static float scale_of(const void *row) {
    float d;
    memcpy(&d, row, sizeof d);
    return d;
}

static void decode(const void *row, float *output, int64_t count) {
    float d = scale_of(row);
    for (int64_t at = 0; at < count; at += APUS_BLOCK) {
        const uint8_t *low = (const uint8_t *)row + block_offset(at);
        for (int i = 0; i < 16; i++) {
            output[at + i] = d * (float)((low[i] & 15) - 8);
            output[at + 16 + i] = d * (float)((low[i] >> 4) - 8);
        }
    }
}

/// The level nearest to value / d, ties to even.
static uint8_t nearest(float value, float d) {
    float ratio = value / d;
    float bounded = ratio > -TOP ? (ratio < TOP ? ratio : TOP) : -TOP;
    return (uint8_t)((bounded + 0x1.8p23f) - 0x1.8p23f + 8);
}

/// Rows too small for a scale with all its digits become 0, as activations do.
static void encode(const float *input, void *row, int64_t count) {
    float largest = apus_float_from_bits(apus_largest_magnitude(input, (int)count));
    bool is_finite = apus_all_finite(input, (int)count);
    float d = !is_finite ? __builtin_nanf("") : largest < 0x1p-100f ? 0 : largest / TOP;
    memcpy(row, &d, sizeof d);
    for (int64_t at = 0; at < count; at += APUS_BLOCK) {
        uint8_t codes[APUS_BLOCK];
        for (int i = 0; i < APUS_BLOCK; i++) { codes[i] = d > 0 ? nearest(input[at + i], d) : 8; }
        apus_put_halves(codes, (uint8_t *)row + block_offset(at));
    }
}

static void grid(const void *row, float *steps, float *origins, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        steps[i] = scale_of(row);
        origins[i] = -TOP * steps[i];
    }
}

static void put(const uint8_t *codes, void *target) {
    apus_i4_row *row = target;
    uint8_t stored[APUS_BLOCK];
    for (int i = 0; i < APUS_BLOCK; i++) { stored[i] = (uint8_t)(codes[i] + 8 - TOP); }
    apus_put_halves(stored, row->low);
}

const apus_codec apus_codec_i4_row = {
    .type = APUS_TYPE_I4_ROW,
    .block_length = APUS_BLOCK,
    .block_bytes = sizeof(apus_i4_row_block),
    .row_header_bytes = sizeof(float),
    .decode = decode,
    .encode = encode,
    .grid = grid,
    .top_code = 2 * TOP,
    .put = put,
};
