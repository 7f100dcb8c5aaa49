// Activations, keys and values as 8-bit codes, scalar: numbers.md, section 2. The other tiers equal this.

#include "quantize.h"

#include "../kernels_math.h"
#include "../linear_tiles.h"

#pragma STDC FP_CONTRACT OFF

float apus_quantize_group(const float *x, int64_t count, int8_t *codes) {
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = apus_bits(x[i]) & 0x7fffffff;
        if (bits > largest) { largest = bits; }
    }
    memset(codes, 0, (size_t)count);
    if (largest >= 0x7f800000) { return NAN; }
    if (apus_float(largest) < 0x1p-100f) { return 0; }
    float r = 127 / apus_float(largest);
    for (int64_t i = 0; i < count; i++) { codes[i] = (int8_t)rintf(x[i] * r); }
    return apus_float(largest) / 127;
}

void apus_quantization_rest(const float *x, int64_t count, float *rest) {
    int8_t codes[APUS_GROUP];
    for (int64_t group = 0; group < count; group += APUS_GROUP) {
        float scale = apus_quantize_group(x + group, APUS_GROUP, codes);
        for (int i = 0; i < APUS_GROUP; i++) { rest[group + i] = fmaf(-scale, codes[i], x[group + i]); }
    }
}
