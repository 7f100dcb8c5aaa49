// Which tiers this CPU can run, and their tables, each filled once.

#include <pthread.h>
#include <stdbool.h>

#include "tiers.h"

#define TIER_COUNT (APUS_TIER_NEON + 1)

static apus_kernels tables[TIER_COUNT];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

/// The builtin asks the CPU and, through xgetbv, whether the operating system saves the wide registers.
static bool can_run(apus_tier tier) {
    switch (tier) {
    case APUS_TIER_SCALAR:
        return true;
#if defined(__x86_64__)
    case APUS_TIER_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case APUS_TIER_AVX512:
        return can_run(APUS_TIER_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case APUS_TIER_AVX512VNNI:
        return can_run(APUS_TIER_AVX512) && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case APUS_TIER_NEON:
        return true;
#endif
    default:
        return false;
    }
}

static void fill_scalar(apus_kernels *table) {
    apus_linear_fill_scalar(table);
    apus_linear_float_fill_scalar(table);
    apus_elementwise_fill_scalar(table);
    apus_attention_fill_scalar(table);
}

static void fill_tier(apus_kernels *table, apus_tier tier) {
    switch (tier) {
#if defined(__x86_64__)
    case APUS_TIER_AVX2:
        apus_linear_fill_avx2(table);
        apus_linear_float_fill_avx2(table);
        apus_elementwise_fill_avx2(table);
        apus_attention_fill_avx2(table);
        break;
    case APUS_TIER_AVX512:
        apus_linear_fill_avx512(table);
        apus_linear_float_fill_avx512(table);
        apus_elementwise_fill_avx512(table);
        apus_attention_fill_avx512(table);
        break;
    case APUS_TIER_AVX512VNNI:
        apus_linear_fill_avx512vnni(table);
        apus_attention_fill_avx512vnni(table);
        break;
#elif defined(__aarch64__)
    case APUS_TIER_NEON:
        apus_linear_fill_neon(table);
        apus_linear_float_fill_neon(table);
        apus_elementwise_fill_neon(table);
        apus_attention_fill_neon(table);
        break;
#endif
    default:
        break;
    }
}

/// Each table starts as a copy of the tier below it.
static void fill_tables(void) {
    const apus_kernels *below = NULL;
    for (int tier = APUS_TIER_SCALAR; tier < TIER_COUNT; tier++) {
        if (!can_run((apus_tier)tier)) { continue; }
        if (below) {
            tables[tier] = *below;
            fill_tier(&tables[tier], (apus_tier)tier);
        } else {
            fill_scalar(&tables[tier]);
        }
        tables[tier].tier = (apus_tier)tier;
        below = &tables[tier];
    }
}

const apus_kernels *apus_kernels_for_tier(apus_tier tier) {
    pthread_once(&filled, fill_tables);
    return (unsigned)tier < TIER_COUNT && can_run(tier) ? &tables[tier] : NULL;
}

apus_tier apus_best_tier(void) {
    int best = APUS_TIER_SCALAR;
    for (int tier = best; tier < TIER_COUNT; tier++) {
        if (can_run((apus_tier)tier)) { best = tier; }
    }
    return (apus_tier)best;
}
