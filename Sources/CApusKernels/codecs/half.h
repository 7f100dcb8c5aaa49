// 16-bit floats in integer arithmetic: exact on any CPU, no conversion instruction needed.
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint32_t apus_float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float apus_float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/// Exact. A signalling NaN becomes quiet, as in hardware.
static inline float apus_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    uint32_t bits;
    if (magnitude >= 0x0f800000) {  // infinity or NaN
        bits = magnitude + (224u << 23) + (magnitude > 0x0f800000 ? (~magnitude & 0x00400000) : 0);
    } else if (magnitude >= 0x00800000) {
        bits = magnitude + (112u << 23);
    } else {  // subnormal: read as 2^-14 + value, then 2^-14 is taken off exactly
        bits = apus_float_bits(apus_float_from_bits(magnitude + (113u << 23)) - 0x1p-14f);
    }
    return apus_float_from_bits(bits | sign);
}

/// Nearest, ties to even. NaN stays NaN, made quiet.
static inline uint16_t apus_float_to_half(float value) {
    uint32_t bits = apus_float_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    uint32_t half;
    if (magnitude > 0x7f800000) {
        half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    } else if (magnitude >= 0x477ff000) {  // 65520 and above
        half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
        half = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    } else {  // next to 0.5 the unit in the last place is 2^-24, the subnormal step of binary16
        half = apus_float_bits(apus_float_from_bits(magnitude) + 0.5f) - apus_float_bits(0.5f);
    }
    return (uint16_t)(half | sign);
}

/// Exact.
static inline float apus_bfloat_to_float(uint16_t bfloat) {
    return apus_float_from_bits((uint32_t)bfloat << 16);
}

/// Nearest, ties to even. NaN stays NaN, made quiet.
static inline uint16_t apus_float_to_bfloat(float value) {
    uint32_t bits = apus_float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) { return (uint16_t)((bits >> 16) | 0x40); }
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
