#include "codec.h"

#pragma STDC FP_CONTRACT OFF

/// The code whose place on the grid is nearest: the quotient is rounded, so its neighbours are looked at, too.
static uint8_t nearest_code(float value, float step, float origin, int top) {
    int first = apus_code((value - origin) * apus_inverse(step) + 0.5f, top), best = first;
    float least = __builtin_fabsf(origin + step * (float)first - value);
    for (int code = first > 0 ? first - 1 : 0; code <= first + 1 && code <= top; code++) {
        float distance = __builtin_fabsf(origin + step * (float)code - value);
        if (distance < least) {
            least = distance;
            best = code;
        }
    }
    return (uint8_t)best;
}

void apus_snap(const apus_codec *codec, const float *input, void *blocks, int64_t count) {
    float steps[APUS_SUPER_BLOCK], origins[APUS_SUPER_BLOCK];
    uint8_t codes[APUS_SUPER_BLOCK], one[sizeof(apus_q6_k_block)];
    size_t header = (size_t)codec->row_header_bytes, size = (size_t)codec->block_bytes;
    uint8_t *block = (uint8_t *)blocks + header;
    memcpy(one, blocks, header);  // with a header each block is taken as a row of its own
    for (int64_t at = 0; at < count; at += codec->block_length, block += size) {
        memcpy(one + header, block, size);
        codec->grid(one, steps, origins, codec->block_length);
        for (int i = 0; i < codec->block_length; i++) {
            codes[i] = nearest_code(input[at + i], steps[i], origins[i], codec->top_code);
        }
        codec->put(codes, one);
        memcpy(block, one + header, size);
    }
}
