// Test data and small helpers.

#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t next_random(generator *random) {
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1d;
}

float next_float(generator *random) {
    return (float)((int64_t)(next_random(random) >> 40) - (1 << 23)) * 0x1p-23f;
}

int64_t random_below(generator *random, int64_t limit) {
    return (int64_t)((next_random(random) >> 16) % (uint64_t)limit);
}

static const float edges[] = {
    0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1p-149f, 0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f, INFINITY,
    -INFINITY, NAN, 88.72f, 88.73f, -87.33f, -87.34f, 1e30f, -1e30f, 1e-30f, 65504.0f, 65520.0f, 0x1p-24f,
    0x1p-25f, 0x1p-100f,
};

void fill_floats(generator *random, float *values, int64_t count, float_style style) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(next_random(random) >> 32);
        if (style == FLOATS_BITS) {
            memcpy(&values[i], &bits, sizeof bits);
        } else if (style == FLOATS_EDGES && bits % 64 == 0) {
            values[i] = edges[random_below(random, sizeof edges / sizeof *edges)];
        } else {
            values[i] = ldexpf(next_float(random), style == FLOATS_WIDE ? (int)(bits % 60) - 30 : 0);
        }
    }
}

void *allocate(int64_t bytes) {
    void *memory = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64 + 64);
    if (!memory) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    memset(memory, 0, (size_t)(bytes + 63) / 64 * 64 + 64);
    return memory;
}

const char *tier_name(apus_tier tier) {
    static const char *const names[] = {"scalar", "avx2", "avx512", "avx512vnni", "neon"};
    return names[tier];
}

apus_tier tier_named(const char *name) {
    for (int tier = APUS_TIER_SCALAR; tier < TIER_COUNT; tier++) {
        if (strcmp(name, tier_name((apus_tier)tier)) == 0 && apus_kernels_for_tier((apus_tier)tier)) {
            return (apus_tier)tier;
        }
    }
    fprintf(stderr, "kernels-hash: no tier %s on this CPU\n", name);
    exit(2);
}

const char *type_name(int32_t type) {
    static const char *const names[31] = {
        [0] = "F32",   [1] = "F16",   [2] = "Q4_0",  [3] = "Q4_1",  [6] = "Q5_0",    [7] = "Q5_1",    [8] = "Q8_0", [10] = "Q2_K",
        [11] = "Q3_K", [12] = "Q4_K", [13] = "Q5_K", [14] = "Q6_K", [20] = "IQ4_NL", [23] = "IQ4_XS", [30] = "BF16",
    };
    static const char *const own[] = {"Q3_G64", "Q3_G128", "I4_ROW"};
    return type < APUS_TYPE_Q3_G64 ? names[type] : own[type - APUS_TYPE_Q3_G64];
}

int64_t row_bytes(int32_t type, int64_t inputs) {
    const apus_codec *codec = apus_codec_for_type(type);
    return codec->row_header_bytes + inputs / codec->block_length * codec->block_bytes;
}

/// Where a block's 16-bit factors stand; -1 ends the list.
static void factor_offsets(int32_t type, int offsets[2]) {
    offsets[0] = type == APUS_TYPE_Q2_K ? 80 : type == APUS_TYPE_Q3_K ? 108 : type == APUS_TYPE_Q6_K ? 208 : 0;
    bool two = type == APUS_TYPE_Q4_1 || type == APUS_TYPE_Q5_1 || type == APUS_TYPE_Q2_K || type == APUS_TYPE_Q4_K ||
        type == APUS_TYPE_Q5_K || type == APUS_TYPE_Q3_G64 || type == APUS_TYPE_Q3_G128;
    offsets[1] = two ? offsets[0] + 2 : -1;
}

static uint16_t factor(generator *random, weight_style style) {
    uint64_t bits = next_random(random);
    if (style == WEIGHTS_PLAIN || bits % 4 != 0) {  // 2^-10 ... 2^-6, either sign
        return (uint16_t)((bits & 0x83ff) | (5 + (bits >> 20) % 4) << 10);
    }
    static const uint16_t extremes[] = {0, 0x8000, 1, 0x83ff, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfd01};
    return extremes[(bits >> 8) % (sizeof extremes / sizeof extremes[0])];
}

uint8_t *make_weights(generator *random, int32_t type, int64_t rows, int64_t inputs, weight_style style) {
    const apus_codec *codec = apus_codec_for_type(type);
    int64_t bytes = rows * row_bytes(type, inputs);
    uint8_t *data = allocate(bytes);
    if (style == WEIGHTS_ZERO) { return data; }
    for (int64_t i = 0; i < bytes; i++) { data[i] = (uint8_t)(next_random(random) >> 32); }
    if (type == APUS_TYPE_I4_ROW) {
        for (int64_t row = 0; row < rows; row++) {
            float scale;
            fill_floats(random, &scale, 1, style == WEIGHTS_PLAIN ? FLOATS_PLAIN : row % 4 == 0 ? FLOATS_BITS : FLOATS_EDGES);
            memcpy(data + row * row_bytes(type, inputs), &scale, sizeof scale);
        }
        return data;
    }
    int offsets[2];
    factor_offsets(type, offsets);
    for (int64_t block = 0; block < bytes; block += codec->block_bytes) {
        for (int i = 0; i < 2 && offsets[i] >= 0; i++) {
            uint16_t value = factor(random, style);
            memcpy(data + block + offsets[i], &value, 2);
        }
    }
    return data;
}

uint8_t *pack_matrix(const apus_format *format, const uint8_t *rows, int64_t outputs, int64_t inputs) {
    int64_t stride = row_bytes(format->type, inputs);
    int64_t tiles = (outputs + format->tile_rows - 1) / format->tile_rows;
    uint8_t *packed = allocate(tiles * format->tile_bytes(inputs));
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t first = tile * format->tile_rows;
        int64_t count = outputs - first < format->tile_rows ? outputs - first : format->tile_rows;
        format->pack(rows + first * stride, stride, count, inputs, packed + tile * format->tile_bytes(inputs));
    }
    return packed;
}

bool same_floats(const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            printf("    element %lld: %a, expected %a\n", (long long)i, (double)b[i], (double)a[i]);
            return false;
        }
    }
    return true;
}

uint64_t hash_floats(uint64_t hash, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        hash = (hash ^ (isnan(values[i]) ? 0x7fc00000 : bits)) * 0x100000001b3;
    }
    return hash;
}

int failures;

void expect(bool condition, const char *what, const char *where) {
    if (condition) { return; }
    failures++;
    printf("FAILED %s on %s\n", what, where);
}

double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
