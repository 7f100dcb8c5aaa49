// What the kernel check programs share: tiers of this machine, random and edge-biased inputs, bit comparison, a clock.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apus_kernels.h"
#include "tiers.h"

typedef struct check_tier {
    const char *name;
    int available;
    apus_kernels table;
} check_tier;

#define CHECK_TIERS 4

static check_tier tiers[CHECK_TIERS] = {
    {.name = "scalar"}, {.name = "avx2"}, {.name = "avx512"}, {.name = "avx512vnni"},
};
static int failures;

static void fill_tiers(void) {
    for (int t = 0; t < CHECK_TIERS; t++) {
        apus_kernels *table = &tiers[t].table;
        apus_elementwise_fill_scalar(table);
        apus_attention_fill_scalar(table);
        tiers[t].available = t == 0;
#if defined(__x86_64__)
        int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        int avx512 = avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl");
        if (t >= 1) {
            tiers[t].available = avx2;
            apus_elementwise_fill_avx2(table);
            apus_attention_fill_avx2(table);
        }
        if (t >= 2) {
            tiers[t].available = avx512;
            apus_elementwise_fill_avx512(table);
            apus_attention_fill_avx512(table);
        }
        if (t >= 3) {
            tiers[t].available = avx512 && __builtin_cpu_supports("avx512vnni");
            apus_attention_fill_avx512vnni(table);
        }
#elif defined(__aarch64__)
        if (t == 1) {
            tiers[t].name = "neon";
            tiers[t].available = 1;
            apus_elementwise_fill_neon(table);
            apus_attention_fill_neon(table);
        }
#endif
    }
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1du;
}

/// Uniform in [-1, 1).
static float random_float(void) { return (float)(int32_t)(random_bits() >> 32) * 0x1p-31f; }

static int64_t random_below(int64_t limit) { return (int64_t)((random_bits() >> 16) % (uint64_t)limit); }

static float edge_float(void) {
    static const float edges[] = {
        0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1p-149f, 0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f, INFINITY,
        -INFINITY, NAN, 88.72f, 88.73f, -87.33f, -87.34f, 1e30f, -1e30f, 1e-30f, 65504.0f, 65520.0f, 0x1p-24f,
        0x1p-25f, 0x1p-100f,
    };
    return edges[random_below(sizeof edges / sizeof *edges)];
}

/// mode 0: uniform; 1: wide exponents; 2: uniform with edge values among them; 3: any bits.
static void fill_random(float *x, int64_t count, int mode) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(random_bits() >> 32);
        if (mode == 3) {
            memcpy(&x[i], &bits, 4);
        } else if (mode == 1) {
            x[i] = ldexpf(random_float(), (int)random_below(60) - 30);
        } else {
            x[i] = mode == 2 && random_below(64) == 0 ? edge_float() : random_float();
        }
    }
}

/// Bits equal, all NaNs being one value.
static int same(const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (memcmp(&a[i], &b[i], 4) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            printf("    element %lld: %a, expected %a\n", (long long)i, (double)b[i], (double)a[i]);
            return 0;
        }
    }
    return 1;
}

/// FNV-1a over the bits, every NaN counting as the same.
static uint64_t hash_floats(uint64_t hash, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = (hash ^ (isnan(x[i]) ? 0x7fc00000 : bits)) * 0x100000001b3;
    }
    return hash;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

/// The tier of this name if the machine has it; the best one when there is no name.
static const check_tier *find_tier(const char *name) {
    for (int t = CHECK_TIERS - 1; t >= 0; t--) {
        if (tiers[t].available && (!name || strcmp(name, tiers[t].name) == 0)) return &tiers[t];
    }
    fprintf(stderr, "no tier %s on this CPU\n", name);
    exit(2);
}

static void expect(int condition, const char *what, const char *tier) {
    if (!condition) {
        failures++;
        printf("FAILED %s on %s\n", what, tier);
    }
}

static void *allocate(int64_t bytes) {
    void *memory = aligned_alloc(4096, (size_t)((bytes + 4095) & ~(int64_t)4095));
    if (!memory) exit(2);
    memset(memory, 0, (size_t)bytes);
    return memory;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
