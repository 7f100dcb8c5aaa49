// Codecs against the `gguf` Python package (Fixtures/codecs), 16-bit floats against the compiler's own; hashes.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"
#include "kernels.h"

#define MAX_ELEMENTS 4096
#define TYPES 18

static const struct {
    const char *name;
    int32_t type;
    double bound;  ///< of the relative error of encoding normal weights; 0: bits are compared instead
} formats[TYPES] = {
    {"f32", APUS_TYPE_F32, 0},          {"f16", APUS_TYPE_F16, 0},        {"bf16", APUS_TYPE_BF16, 0},
    {"q4_0", APUS_TYPE_Q4_0, 0},        {"q4_1", APUS_TYPE_Q4_1, 0},      {"q5_0", APUS_TYPE_Q5_0, 0},
    {"q5_1", APUS_TYPE_Q5_1, 0},        {"q8_0", APUS_TYPE_Q8_0, 0},      {"q2_k", APUS_TYPE_Q2_K, 0.265},
    {"q3_k", APUS_TYPE_Q3_K, 0.147},    {"q4_k", APUS_TYPE_Q4_K, 0.071},  {"q5_k", APUS_TYPE_Q5_K, 0.0355},
    {"q6_k", APUS_TYPE_Q6_K, 0.0172},   {"iq4_nl", APUS_TYPE_IQ4_NL, 0.075}, {"iq4_xs", APUS_TYPE_IQ4_XS, 0.0755},
    {"q3_g64", APUS_TYPE_Q3_G64, 0},    {"q3_g128", APUS_TYPE_Q3_G128, 0},  {"i4_row", APUS_TYPE_I4_ROW, 0},
};

static float uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((float)(*state >> 40) + 0.5f) * 0x1p-24f;
}

/// How far the nearest place on a grid is from a value.
static float distance_from_grid(float step, float origin, int top, float value) {
    float least = INFINITY;
    for (int code = 0; code <= top; code++) { least = fminf(least, fabsf(origin + step * (float)code - value)); }
    return least;
}

/// Values of blocks lie on their grid and bring their codes back; others get the nearest code.
static void check_grid(const apus_codec *codec, const char *name, uint8_t *blocks, const float *values, int64_t count) {
    static float steps[MAX_ELEMENTS], origins[MAX_ELEMENTS], moved[MAX_ELEMENTS], found[MAX_ELEMENTS];
    codec->grid(blocks, steps, origins, count);
    apus_snap(codec, origins, blocks, count);
    apus_snap(codec, values, blocks, count);
    codec->decode(blocks, found, count);
    uint64_t state = 9;
    for (int64_t i = 0; i < count; i++) {
        // Equal as numbers: where the step is 0, a zero may have another sign.
        expect(found[i] == values[i], "snapped to itself", name);
        float rounding = (fabsf(origins[i]) + fabsf(values[i])) * 0x1p-23f;
        expect(distance_from_grid(steps[i], origins[i], codec->top_code, values[i]) <= rounding, "on the grid", name);
        moved[i] = origins[i] + steps[i] * ((float)codec->top_code * (1.5f * uniform(&state) - 0.25f));
    }
    apus_snap(codec, moved, blocks, count);
    codec->decode(blocks, found, count);
    for (int64_t i = 0; i < count; i++) {
        float least = distance_from_grid(steps[i], origins[i], codec->top_code, moved[i]);
        expect(fabsf(found[i] - moved[i]) <= least + (fabsf(origins[i]) + fabsf(moved[i])) * 0x1p-23f, "nearest", name);
    }
}

static void check_fixture(const char *directory, const char *name, int32_t type) {
    static uint8_t blocks[MAX_ELEMENTS * 4], encoded[MAX_ELEMENTS * 4];
    static float expected[MAX_ELEMENTS], values[MAX_ELEMENTS];
    char path[1024];
    int32_t header[4];
    snprintf(path, sizeof path, "%s/%s.bin", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file || fread(header, sizeof header, 1, file) != 1) { return expect(false, "fixture", name); }
    const apus_codec *codec = apus_codec_for_type(header[0]);
    size_t count = (size_t)header[1], bytes = (size_t)header[2];
    if (!codec || codec->type != type || count > MAX_ELEMENTS || (int64_t)bytes != row_bytes(type, header[1])) {
        return expect(false, "header", name);
    }
    expect(fread(blocks, 1, bytes, file) == bytes && fread(expected, 4, count, file) == count, "short file", name);
    codec->decode(blocks, values, (int64_t)count);
    expect(memcmp(values, expected, count * 4) == 0, "decoded bits", name);
    if (codec->grid) { check_grid(codec, name, blocks, values, (int64_t)count); }
    if (header[3]) {
        expect(fread(values, 4, count, file) == count && fread(blocks, 1, bytes, file) == bytes, "short file", name);
        codec->encode(values, encoded, (int64_t)count);
        expect(memcmp(encoded, blocks, bytes) == 0, "encoded bits", name);
    }
    fclose(file);
}

/// Encodes normally distributed weights and decodes them again.
static void round_trip(const apus_codec *codec, float *weights, uint8_t *blocks, float *values) {
    uint64_t state = 7;
    for (int i = 0; i < MAX_ELEMENTS; i++) {
        float sum = -6;  // twelve uniforms: near enough to normal, and the same on every machine
        for (int n = 0; n < 12; n++) { sum += uniform(&state); }
        weights[i] = 0.02f * sum;
    }
    codec->encode(weights, blocks, MAX_ELEMENTS);
    codec->decode(blocks, values, MAX_ELEMENTS);
}

/// The error of encoding stays within the format's.
static void check_quality(const char *name, int32_t type, double bound) {
    static float weights[MAX_ELEMENTS], values[MAX_ELEMENTS];
    static uint8_t blocks[MAX_ELEMENTS * 4];
    double error = 0, energy = 0;
    round_trip(apus_codec_for_type(type), weights, blocks, values);
    for (int i = 0; i < MAX_ELEMENTS; i++) {
        error += (double)(values[i] - weights[i]) * (values[i] - weights[i]);
        energy += (double)weights[i] * weights[i];
    }
    expect(bound == 0 || sqrt(error / energy) < bound, "quality", name);
}

/// Extreme input ends, and what is not finite poisons its block.
static void check_extremes(const char *name, int32_t type) {
    static const float extremes[] = {NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f, -1e-45f, 1e-38f, 0, -0.0f, 1};
    const int kinds = sizeof extremes / sizeof *extremes;
    float weights[256], values[256], weigh[256];
    uint8_t blocks[1024];
    const apus_codec *codec = apus_codec_for_type(type);
    for (int a = 0; a < kinds; a++) {
        for (int b = 0; b < kinds; b++) {
            for (int i = 0; i < 256; i++) { weights[i] = i % 7 == 0 ? extremes[a] : extremes[b]; }
            codec->encode(weights, blocks, 256);
            codec->decode(blocks, values, 256);
            if (codec->block_length == 1 || (a > 2 && b > 2)) { continue; }
            for (int i = 0; i < 256; i++) { expect(isnan(values[i]), "poison", name); }
            for (int i = 0; i < 256; i++) { weigh[i] = i % 3 ? 1e-6f : 1e4f; }
            apus_encode_weighted(codec, weights, weigh, blocks, 256);
            codec->decode(blocks, values, 256);
            for (int i = 0; i < 256; i++) { expect(isnan(values[i]), "weighted poison", name); }
        }
    }
}

static void check_halves(void) {
    for (uint32_t bits = 0; bits < 65536; bits++) {
        _Float16 half;
        uint16_t stored = (uint16_t)bits;
        memcpy(&half, &stored, 2);
        float value = apus_half_to_float(stored), expected = (float)half;
        bool same = isnan(expected) ? isnan(value) : apus_float_bits(value) == apus_float_bits(expected);
        expect(same, "widening", "f16");
        if (!isnan(value)) { expect(apus_float_to_half(value) == stored, "round trip", "f16"); }
    }
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 509) {
        float value = apus_float_from_bits((uint32_t)bits);
        _Float16 half = (_Float16)value;
        uint16_t expected, stored = apus_float_to_half(value);
        memcpy(&expected, &half, 2);
        expect(isnan(value) ? (stored & 0x7fff) > 0x7c00 : stored == expected, "rounding", "f16");
    }
}

void check_codecs(const char *fixtures) {
    for (int i = 0; i < TYPES; i++) {
        check_fixture(fixtures, formats[i].name, formats[i].type);
        check_quality(formats[i].name, formats[i].type, formats[i].bound);
        check_extremes(formats[i].name, formats[i].type);
    }
    check_halves();
}

static uint64_t hash_blocks(const apus_codec *codec, const uint8_t *blocks) {
    uint64_t hash = HASH_START;
    for (int64_t b = 0; b < row_bytes(codec->type, MAX_ELEMENTS); b++) {
        hash = (hash ^ blocks[b]) * 0x100000001b3;
    }
    return hash;
}

/// Of the encoded bytes and of what they decode to; of what is encoded where elements count differently, and of codes
/// under scales that stay.
void hash_codecs(void) {
    static float weights[MAX_ELEMENTS], values[MAX_ELEMENTS], importance[MAX_ELEMENTS];
    static uint8_t blocks[MAX_ELEMENTS * 4];
    uint64_t state = 8;
    for (int i = 0; i < MAX_ELEMENTS; i++) {
        float root = uniform(&state);
        importance[i] = 5 * root * root * root * root;
    }
    for (int i = 0; i < TYPES; i++) {
        const apus_codec *codec = apus_codec_for_type(formats[i].type);
        round_trip(codec, weights, blocks, values);
        print_hash("codec", type_name(formats[i].type), hash_floats(hash_blocks(codec, blocks), values, MAX_ELEMENTS));
        if (codec->grid) {
            for (int n = 0; n < MAX_ELEMENTS; n++) { values[n] = weights[n] * importance[n]; }
            apus_snap(codec, values, blocks, MAX_ELEMENTS);
            print_hash("snap", type_name(formats[i].type), hash_blocks(codec, blocks));
        }
        if (!codec->fit) { continue; }
        apus_encode_weighted(codec, weights, importance, blocks, MAX_ELEMENTS);
        print_hash("weighted", type_name(formats[i].type), hash_blocks(codec, blocks));
    }
}
