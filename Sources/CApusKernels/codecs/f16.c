#include "codec.h"

#pragma STDC FP_CONTRACT OFF

static void decode(const void *blocks, float *output, int64_t count) {
    const char *source = blocks;
    for (int64_t i = 0; i < count; i++) {
        uint16_t stored;
        memcpy(&stored, source + 2 * i, 2);
        output[i] = apus_half_to_float(stored);
    }
}

static void encode(const float *input, void *blocks, int64_t count) {
    char *target = blocks;
    for (int64_t i = 0; i < count; i++) {
        uint16_t stored = apus_float_to_half(input[i]);
        memcpy(target + 2 * i, &stored, 2);
    }
}

const apus_codec apus_codec_f16 = {
    .type = APUS_TYPE_F16, .block_length = 1, .block_bytes = 2, .decode = decode, .encode = encode,
};
