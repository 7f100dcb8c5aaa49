// The machine's limits: reading memory, and the scalar tier's multiply-adds.
#include "apus_kernels.h"

#include <math.h>

#include "../probes.h"

#pragma STDC FP_CONTRACT OFF

#define CHAINS 12

// Sixteen bytes are the baseline's widest load; two chains of sums keep the adds out of the way.
typedef uint64_t lanes __attribute__((vector_size(32), aligned(16)));

uint64_t apus_probe_read(const void *buffer, int64_t bytes) {
    const char *at = buffer;
    lanes sums[2] = {{0}, {0}};
    for (int64_t i = 0; i < bytes; i += 256) {
        // Two pages ahead: the hardware's own prefetchers stop at a page's end.
        for (int line = 0; line < 256; line += 64) __builtin_prefetch(at + i + 8192 + line, 0, 3);
        for (int part = 0; part < 8; part++) sums[part % 2] += ((const lanes *)(at + i))[part];
    }
    const lanes sum = sums[0] + sums[1];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static int64_t dot_scalar(int64_t iterations, int32_t *sink) {
    int32_t sums[CHAINS] = {0}, a = *sink, b = a + 1;
    for (int64_t i = 0; i < iterations; i++) {
        __asm__ volatile("" : "+r"(a), "+r"(b));
        for (int c = 0; c < CHAINS; c++) sums[c] += (int32_t)(int8_t)a * (int8_t)b;
    }
    for (int c = 0; c < CHAINS; c++) *sink += sums[c];
    return iterations * CHAINS;
}

static int64_t fma_scalar(int64_t iterations, float *sink) {
    float sums[CHAINS] = {0}, a = *sink;
    for (int64_t i = 0; i < iterations; i++) {
        for (int c = 0; c < CHAINS; c++) sums[c] = fmaf(a, 0.5f, sums[c]);
    }
    for (int c = 0; c < CHAINS; c++) *sink += sums[c];
    return iterations * CHAINS;
}

int64_t apus_probe_dot(int32_t tier, int64_t iterations, int32_t *sink) {
    switch (tier) {
#if defined(__x86_64__)
    case APUS_TIER_AVX2: return apus_probe_dot_avx2(iterations, sink);
    case APUS_TIER_AVX512: return apus_probe_dot_avx512(iterations, sink);
    case APUS_TIER_AVX512VNNI: return apus_probe_dot_avx512vnni(iterations, sink);
#elif defined(__aarch64__)
    case APUS_TIER_NEON: return apus_probe_dot_neon(iterations, sink);
#endif
    default: return dot_scalar(iterations, sink);
    }
}

int64_t apus_probe_fma(int32_t tier, int64_t iterations, float *sink) {
    switch (tier) {
#if defined(__x86_64__)
    case APUS_TIER_AVX2: return apus_probe_fma_avx2(iterations, sink);
    case APUS_TIER_AVX512:
    case APUS_TIER_AVX512VNNI: return apus_probe_fma_avx512(iterations, sink);
#elif defined(__aarch64__)
    case APUS_TIER_NEON: return apus_probe_fma_neon(iterations, sink);
#endif
    default: return fma_scalar(iterations, sink);
    }
}
