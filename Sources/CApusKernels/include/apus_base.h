// What every kernel header shares.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define APUS_SCRATCH_BYTES (1 << 20)

/// Units [begin, end) of the operation `args` describes; see apus_kernels.h.
typedef void (*apus_range_kernel)(const void *_Nonnull args, int64_t begin, int64_t end, void *_Nonnull scratch);
