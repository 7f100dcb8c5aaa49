// numbers.md, section 2, in plain C.
#pragma once

#include <stdint.h>

/// Writes the codes of a group of `count` values and returns their scale, before any rounding to f16.
float apus_quantize_group(const float *_Nonnull x, int64_t count, int8_t *_Nonnull codes);
