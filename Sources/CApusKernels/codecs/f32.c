#include "codec.h"

static void decode(const void *blocks, float *output, int64_t count) {
    memcpy(output, blocks, (size_t)count * sizeof(float));
}

static void encode(const float *input, void *blocks, int64_t count) {
    memcpy(blocks, input, (size_t)count * sizeof(float));
}

const apus_codec apus_codec_f32 = {
    .type = APUS_TYPE_F32, .block_length = 1, .block_bytes = 4, .decode = decode, .encode = encode,
};
