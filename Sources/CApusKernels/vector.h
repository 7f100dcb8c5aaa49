// Vectors of APUS_LANES 32-bit lanes in the compiler's own notation, so that a kernel is written once and each tier file
// compiles it for its instructions. A tier file defines APUS_LANES and its target before including this.
#pragma once

#include <stdint.h>

#define APUS_INLINE static inline __attribute__((always_inline))

typedef float vfloat __attribute__((vector_size(4 * APUS_LANES)));
typedef int32_t vint __attribute__((vector_size(4 * APUS_LANES)));
typedef int16_t vshort __attribute__((vector_size(4 * APUS_LANES)));
typedef uint32_t vword __attribute__((vector_size(4 * APUS_LANES)));
typedef uint8_t vbyte __attribute__((vector_size(4 * APUS_LANES)));

APUS_INLINE vint splat_int(int32_t value) {
    return (vint){} + value;
}

/// Taking +0 off leaves every float as it is; adding it would not.
APUS_INLINE vfloat splat_float(float value) {
    return value - (vfloat){};
}

APUS_INLINE vword load_word(const void *pointer) {
    typedef vword unaligned __attribute__((aligned(4)));
    return *(const unaligned *)pointer;
}

APUS_INLINE vfloat load_float(const float *pointer) {
    typedef vfloat unaligned __attribute__((aligned(4)));
    return *(const unaligned *)pointer;
}

APUS_INLINE void store_float(float *pointer, vfloat value) {
    typedef vfloat unaligned __attribute__((aligned(4)));
    *(unaligned *)pointer = value;
}

/// binary16, widened exactly.
APUS_INLINE vfloat load_half(const uint16_t *pointer) {
    typedef _Float16 halves __attribute__((vector_size(2 * APUS_LANES), aligned(2)));
    return __builtin_convertvector(*(const halves *)pointer, vfloat);
}

/// uint16, widened.
APUS_INLINE vword load_short(const uint16_t *pointer) {
    typedef uint16_t shorts __attribute__((vector_size(2 * APUS_LANES), aligned(2)));
    return __builtin_convertvector(*(const shorts *)pointer, vword);
}

APUS_INLINE vfloat to_float(vint value) {
    return __builtin_convertvector(value, vfloat);
}

APUS_INLINE vfloat fused(vfloat a, vfloat b, vfloat c) {
    return __builtin_elementwise_fma(a, b, c);
}
