// Four candidates of a scale search side by side, in the compiler's vector types: plain C on any CPU.
#pragma once

#include "codec.h"

/// Candidates of a search; they go through it in groups of four.
#define CANDIDATES 16
#define LANES 4

/// For functions whose call sites pass constants, so that the branches on those vanish.
#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((ext_vector_type(LANES)));

/// A power of two that brings the largest magnitude of a block into 1 ... 2, so that squares neither overflow nor
/// vanish. 0 for a block so small that no binary16 scale can hold it.
static inline float apus_unit_factor(const float *input, int count) {
    uint32_t exponent = apus_largest_magnitude(input, count) >> 23;
    if (exponent < 64) { return 0; }
    return apus_float_from_bits((exponent < 253 ? 254 - exponent : 1) << 23);
}

/// Nearest integer, ties to even, for magnitudes below 2^22.
static inline lanes lanes_round(lanes value) {
    return (value + 0x1.8p23f) - 0x1.8p23f;
}

static inline lanes lanes_clamp(lanes value, float low, float high) {
    value = value > low ? value : (lanes)low;
    return value < high ? value : (lanes)high;
}

/// The weight of an element; 1 without weights, where the multiplication vanishes and changes no bit.
INLINE float weight_of(const float *weights, int index) {
    return weights ? weights[index] : 1;
}

/// `weights` from an element on.
INLINE const float *weights_from(const float *weights, int index) {
    return weights ? weights + index : NULL;
}

/// a / b, and 0 where b is 0.
static inline lanes lanes_ratio(lanes a, lanes b) {
    return b != 0 ? a / b : (lanes)0;
}
