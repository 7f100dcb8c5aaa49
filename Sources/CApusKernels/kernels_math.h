// The arithmetic of numbers.md, section 5, one value at a time: what every tier repeats lane by lane.
//
// Only exactly rounded operations appear, so that a vector unit gives the same bits. The polynomials are minimax fits
// (Remez) over the reduced range; their coefficients were fitted for this file.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#define APUS_INLINE static inline __attribute__((always_inline, unused))

// MARK: exp

#define APUS_EXP_HIGH 88.72f   // larger: +inf
#define APUS_EXP_LOW -87.33f   // smaller: +0, so no result is subnormal
#define APUS_LOG2_E 0x1.715476p+0f
#define APUS_LN2_HIGH 0x1.62e4p-1f  // 15 bits: n * LN2_HIGH is exact
#define APUS_LN2_LOW 0x1.7f7d1cp-20f
#define APUS_EXP_2 0x1.fffffcp-2f
#define APUS_EXP_3 0x1.555492p-3f
#define APUS_EXP_4 0x1.5558f2p-5f
#define APUS_EXP_5 0x1.123a2p-7f
#define APUS_EXP_6 0x1.6a23dp-10f

// MARK: sine and cosine, double

#define APUS_TWO_OVER_PI 0x1.45f306dc9c883p-1
#define APUS_HALF_PI_HIGH 0x1.921fb54442d18p+0
#define APUS_HALF_PI_LOW 0x1.1a62633145c07p-54
#define APUS_ROUND_MAGIC 0x1.8p+52  // adding it rounds to an integer, found in the low bits of the sum
#define APUS_SIN_3 -0x1.5555555555549p-3
#define APUS_SIN_5 0x1.111111110f87ap-7
#define APUS_SIN_7 -0x1.a01a019c119b2p-13
#define APUS_SIN_9 0x1.71de3577b7eccp-19
#define APUS_SIN_11 -0x1.ae5e663b75a98p-26
#define APUS_SIN_13 0x1.5d93013733cc7p-33
#define APUS_COS_4 0x1.555555555554cp-5
#define APUS_COS_6 -0x1.6c16c16c1517ep-10
#define APUS_COS_8 0x1.a01a019cb1c93p-16
#define APUS_COS_10 -0x1.27e4f809f801ep-22
#define APUS_COS_12 0x1.1ee9ebedb467fp-29
#define APUS_COS_14 -0x1.8fae9e9bc9e7p-37

// MARK: GELU

#define APUS_GELU_SCALE 0x1.988454p-1f  // sqrt(2 / pi)
#define APUS_GELU_CUBIC 0x1.6e4e26p-5f  // 0.044715

APUS_INLINE uint32_t apus_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

APUS_INLINE float apus_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

APUS_INLINE uint64_t apus_bits64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

APUS_INLINE double apus_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

APUS_INLINE float apus_exp(float x) {
    if (x > APUS_EXP_HIGH) return INFINITY;
    if (x < APUS_EXP_LOW) return 0.0f;
    if (x != x) return x;
    float n = rintf(x * APUS_LOG2_E);
    float r = fmaf(-n, APUS_LN2_HIGH, x);
    r = fmaf(-n, APUS_LN2_LOW, r);
    float p = fmaf(APUS_EXP_6, r, APUS_EXP_5);
    p = fmaf(p, r, APUS_EXP_4);
    p = fmaf(p, r, APUS_EXP_3);
    p = fmaf(p, r, APUS_EXP_2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    // Within the limits the result is a normal number, so adding n to the exponent is exact.
    return apus_float(apus_bits(p) + ((uint32_t)(int32_t)n << 23));
}

APUS_INLINE float apus_silu(float x) { return x / (1.0f + apus_exp(-x)); }

APUS_INLINE float apus_gelu(float x) {
    float u = (APUS_GELU_SCALE * x) * fmaf(APUS_GELU_CUBIC * x, x, 1.0f);
    float tanh = 1.0f - 2.0f / (1.0f + apus_exp(2.0f * u));
    return (0.5f * x) * (1.0f + tanh);
}

APUS_INLINE void apus_sincos(double x, double *sine, double *cosine) {
    double shifted = x * APUS_TWO_OVER_PI + APUS_ROUND_MAGIC;
    uint64_t quadrant = apus_bits64(shifted);
    double n = shifted - APUS_ROUND_MAGIC;
    double r = fma(-n, APUS_HALF_PI_HIGH, x);
    r = fma(-n, APUS_HALF_PI_LOW, r);
    double z = r * r;
    double s = fma(APUS_SIN_13, z, APUS_SIN_11);
    s = fma(s, z, APUS_SIN_9);
    s = fma(s, z, APUS_SIN_7);
    s = fma(s, z, APUS_SIN_5);
    s = fma(s, z, APUS_SIN_3);
    s = fma(s * z, r, r);
    double c = fma(APUS_COS_14, z, APUS_COS_12);
    c = fma(c, z, APUS_COS_10);
    c = fma(c, z, APUS_COS_8);
    c = fma(c, z, APUS_COS_6);
    c = fma(c, z, APUS_COS_4);
    c = fma(c, z, -0.5);
    c = fma(c, z, 1.0);
    double sine_value = quadrant & 1 ? c : s, cosine_value = quadrant & 1 ? s : c;
    *sine = apus_double(apus_bits64(sine_value) ^ ((quadrant & 2) << 62));
    *cosine = apus_double(apus_bits64(cosine_value) ^ (((quadrant + 1) & 2) << 62));
}

// MARK: half precision

APUS_INLINE float apus_float_from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
    if (rest >= 0x7c00) return apus_float(sign | 0x7f800000 | (rest & 0x3ff) << 13 | (rest > 0x7c00 ? 1u << 22 : 0));
    if (rest < 0x400) return apus_float(sign | apus_bits((float)rest * 0x1p-24f));
    return apus_float(sign | ((rest << 13) + (112u << 23)));
}

APUS_INLINE uint16_t apus_half_from_float(float x) {
    uint32_t bits = apus_bits(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);  // 65520 and more round to infinity
    // Below the smallest normal half the unit is 2^-24, the unit of floats from 0.5 to 1: the addition rounds.
    if (rest < 0x38800000) return (uint16_t)(sign | (apus_bits(apus_float(rest) + 0.5f) - 0x3f000000));
    rest += 0xfff + (rest >> 13 & 1);
    return (uint16_t)(sign | ((rest >> 13) - (112u << 10)));
}

// MARK: sums over 16 lanes

/// The tree of section 1 over the lanes of one row.
APUS_INLINE float apus_tree(const float lanes[16]) {
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; i++) t[i] = t[i] + t[i + 4];
    return (t[0] + t[2]) + (t[1] + t[3]);
}
