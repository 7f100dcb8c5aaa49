// Shared by the NEON files.
#pragma once

#include <stdint.h>

/// An apus_range_kernel over apus_prepare_args.
void apus_prepare_q8_neon(const void *_Nonnull args, int64_t begin, int64_t end, void *_Nonnull scratch);
