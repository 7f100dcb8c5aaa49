// The probes of each tier, behind apus_probe.h.
#pragma once

#include "apus_probe.h"

/// Products added in 16 bits before they are widened, where a tier has no dot product of four: as many as fit with
/// 4-bit codes, eight sums of two products.
#define APUS_PROBE_STEPS 8

#if defined(__x86_64__)
int64_t apus_probe_dot_avx2(int64_t iterations, int32_t *_Nonnull sink);
int64_t apus_probe_fma_avx2(int64_t iterations, float *_Nonnull sink);
int64_t apus_probe_dot_avx512(int64_t iterations, int32_t *_Nonnull sink);
int64_t apus_probe_fma_avx512(int64_t iterations, float *_Nonnull sink);
int64_t apus_probe_dot_avx512vnni(int64_t iterations, int32_t *_Nonnull sink);
#elif defined(__aarch64__)
int64_t apus_probe_dot_neon(int64_t iterations, int32_t *_Nonnull sink);
int64_t apus_probe_dot_neon_dotprod(int64_t iterations, int32_t *_Nonnull sink);
int64_t apus_probe_fma_neon(int64_t iterations, float *_Nonnull sink);
#endif
