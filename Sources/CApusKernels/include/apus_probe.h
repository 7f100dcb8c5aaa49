// What the machine can do at most: the limits `apus bench` prints shares of.
#pragma once

#include "apus_base.h"

/// Reads `bytes` bytes (a multiple of 4096) as fast as the core can; returns a checksum so that nothing is elided.
uint64_t apus_probe_read(const void *_Nonnull buffer, int64_t bytes);
/// `iterations` rounds of the tier's 8-bit dots (or FMAs), accumulators in registers; returns multiply-adds done.
int64_t apus_probe_dot(int32_t tier, int64_t iterations, int32_t *_Nonnull sink);
int64_t apus_probe_fma(int32_t tier, int64_t iterations, float *_Nonnull sink);
