// Q3_G64 and Q3_G128: one scale and one minimum for 64 or 128 elements.

#include "codec.h"
#include "fit.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

/// What blocks of both lengths begin with: a quarter of the length in bytes of low bits, then an eighth of high ones.
typedef struct __attribute__((packed)) q3_block {
    uint16_t d;
    uint16_t m;
    uint8_t bits[];
} q3_block;

INLINE void decode_blocks(const void *blocks, float *output, int64_t count, int length) {
    for (int64_t at = 0; at < count; at += length) {
        const q3_block *block = (const void *)((const uint8_t *)blocks + at / length * (4 + length * 3 / 8));
        const uint8_t *low = block->bits, *high = low + length / 4;
        float d = apus_half_to_float(block->d);
        float m = apus_half_to_float(block->m);
        for (int i = 0; i < length; i++) {
            int code = (low[i % (length / 4)] >> (2 * (i / (length / 4)))) & 3;
            code |= ((high[4 * (i / 32) + i % 4] >> (i % 32 / 4)) & 1) << 2;
            output[at + i] = d * (float)code + m;
        }
    }
}

INLINE void find_grid(const void *blocks, float *steps, float *origins, int64_t count, int length) {
    for (int64_t i = 0; i < count; i++) {
        const q3_block *block = (const void *)((const uint8_t *)blocks + i / length * (4 + length * 3 / 8));
        steps[i] = apus_half_to_float(block->d);
        origins[i] = apus_half_to_float(block->m);
    }
}

INLINE void put_codes(const uint8_t *codes, q3_block *block, int length) {
    uint8_t *low = block->bits, *high = low + length / 4;
    memset(block->bits, 0, (size_t)length * 3 / 8);
    for (int i = 0; i < length; i++) {
        low[i % (length / 4)] |= (uint8_t)((codes[i] & 3) << (2 * (i / (length / 4))));
        high[4 * (i / 32) + i % 4] |= (uint8_t)((codes[i] >> 2) << (i % 32 / 4));
    }
}

/// The line as binary16 holds it, and the codes nearest to the input on that.
INLINE void store(const float *input, uint16_t d, uint16_t m, q3_block *block, int length) {
    uint8_t codes[128];
    float inverse = apus_inverse(apus_half_to_float(d)), least = apus_half_to_float(m);
    for (int i = 0; i < length; i++) { codes[i] = apus_code((input[i] - least) * inverse + 0.5f, 7); }
    block->d = d;
    block->m = m;
    put_codes(codes, block, length);
}

INLINE void encode_blocks(const float *input, void *blocks, int64_t count, int length) {
    for (int64_t at = 0; at < count; at += length) {
        q3_block *block = (void *)((uint8_t *)blocks + at / length * (4 + length * 3 / 8));
        float least = 0, greatest = 0;
        uint16_t d = APUS_HALF_NAN;
        if (apus_all_finite(input + at, length)) {
            apus_extent(input + at, length, &least, &greatest);
            d = apus_float_to_half((greatest - least) / 7);
        }
        store(input + at, d, apus_float_to_half(least), block, length);
    }
}

INLINE void fit_block(const float *input, const float *weights, void *block, int length) {
    float d, m;
    apus_fit_line(input, weights, length, 7, &d, &m);
    store(input, apus_float_to_half(d), apus_float_to_half(m), block, length);
}

#define CODEC(name, number, length)                                                            \
    static void decode_##name(const void *blocks, float *output, int64_t count) {              \
        decode_blocks(blocks, output, count, length);                                          \
    }                                                                                          \
    static void encode_##name(const float *input, void *blocks, int64_t count) {               \
        encode_blocks(input, blocks, count, length);                                           \
    }                                                                                          \
    static void fit_##name(const float *input, const float *weights, void *block) {            \
        fit_block(input, weights, block, length);                                              \
    }                                                                                          \
    static void grid_##name(const void *blocks, float *steps, float *origins, int64_t count) { \
        find_grid(blocks, steps, origins, count, length);                                      \
    }                                                                                          \
    static void put_##name(const uint8_t *codes, void *block) {                                \
        put_codes(codes, block, length);                                                       \
    }                                                                                          \
    const apus_codec apus_codec_##name = {                                                     \
        .type = number,                                                                        \
        .block_length = length,                                                                \
        .block_bytes = sizeof(apus_##name##_block),                                            \
        .decode = decode_##name,                                                               \
        .encode = encode_##name,                                                               \
        .fit = fit_##name,                                                                     \
        .weight_spread = 1,                                                                    \
        .grid = grid_##name,                                                                   \
        .top_code = 7,                                                                         \
        .put = put_##name,                                                                     \
    };

CODEC(q3_g64, APUS_TYPE_Q3_G64, 64)
CODEC(q3_g128, APUS_TYPE_Q3_G128, 128)
