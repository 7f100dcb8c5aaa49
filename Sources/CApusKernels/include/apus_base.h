// What every kernel header shares.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define APUS_SCRATCH_BYTES (1 << 20)

/// The size of about equal parts of `count`, at most `most` each.
static inline int64_t apus_even_share(int64_t count, int64_t most) {
    int64_t parts = (count + most - 1) / most;
    return (count + parts - 1) / parts;
}

/// Units [begin, end) of the operation `args` describes; see apus_kernels.h.
typedef void (*apus_range_kernel)(const void *_Nonnull args, int64_t begin, int64_t end, void *_Nonnull scratch);
