// kernels_math.h on 4 lanes; the bits equal the scalar functions'.
#pragma once

#include <arm_neon.h>

#include "../kernels_math.h"

#pragma STDC FP_CONTRACT OFF

/// exp for x <= 0 or NaN.
APUS_INLINE float32x4_t apus_exp_nonpositive_neon(float32x4_t x) {
    float32x4_t n = vrndnq_f32(vmulq_n_f32(x, APUS_LOG2_E));
    float32x4_t r = vfmsq_f32(x, n, vdupq_n_f32(APUS_LN2_HIGH));
    r = vfmsq_f32(r, n, vdupq_n_f32(APUS_LN2_LOW));
    float32x4_t p = vfmaq_f32(vdupq_n_f32(APUS_EXP_5), vdupq_n_f32(APUS_EXP_6), r);
    p = vfmaq_f32(vdupq_n_f32(APUS_EXP_4), p, r);
    p = vfmaq_f32(vdupq_n_f32(APUS_EXP_3), p, r);
    p = vfmaq_f32(vdupq_n_f32(APUS_EXP_2), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    int32x4_t scaled = vaddq_s32(vreinterpretq_s32_f32(p), vshlq_n_s32(vcvtq_s32_f32(n), 23));
    uint32x4_t inside = vcgeq_f32(x, vdupq_n_f32(APUS_EXP_LOW));
    float32x4_t result = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_s32(scaled), inside));
    return vbslq_f32(vceqq_f32(x, x), result, x);
}

APUS_INLINE float32x4_t apus_exp_neon(float32x4_t x) {
    uint32x4_t high = vcgtq_f32(x, vdupq_n_f32(APUS_EXP_HIGH));
    return vbslq_f32(high, vdupq_n_f32(INFINITY), apus_exp_nonpositive_neon(x));
}

APUS_INLINE float32x4_t apus_silu_neon(float32x4_t x) {
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), apus_exp_neon(vnegq_f32(x))));
}

APUS_INLINE float32x4_t apus_gelu_neon(float32x4_t x) {
    float32x4_t one = vdupq_n_f32(1.0f), two = vdupq_n_f32(2.0f);
    float32x4_t cubic = vfmaq_f32(one, vmulq_n_f32(x, APUS_GELU_CUBIC), x);
    float32x4_t u = vmulq_f32(vmulq_n_f32(x, APUS_GELU_SCALE), cubic);
    float32x4_t exponential = apus_exp_neon(vmulq_f32(two, u));
    float32x4_t tanh = vsubq_f32(one, vdivq_f32(two, vaddq_f32(one, exponential)));
    return vmulq_f32(vmulq_n_f32(x, 0.5f), vaddq_f32(one, tanh));
}

APUS_INLINE void apus_sincos_neon(float64x2_t x, float64x2_t *sine, float64x2_t *cosine) {
    float64x2_t magic = vdupq_n_f64(APUS_ROUND_MAGIC), one = vdupq_n_f64(1.0);
    float64x2_t shifted = vaddq_f64(vmulq_n_f64(x, APUS_TWO_OVER_PI), magic);
    uint64x2_t quadrant = vreinterpretq_u64_f64(shifted), two = vdupq_n_u64(2);
    float64x2_t n = vsubq_f64(shifted, magic);
    float64x2_t r = vfmsq_f64(x, n, vdupq_n_f64(APUS_HALF_PI_HIGH));
    r = vfmsq_f64(r, n, vdupq_n_f64(APUS_HALF_PI_LOW));
    float64x2_t z = vmulq_f64(r, r);
    float64x2_t s = vfmaq_f64(vdupq_n_f64(APUS_SIN_11), vdupq_n_f64(APUS_SIN_13), z);
    s = vfmaq_f64(vdupq_n_f64(APUS_SIN_9), s, z);
    s = vfmaq_f64(vdupq_n_f64(APUS_SIN_7), s, z);
    s = vfmaq_f64(vdupq_n_f64(APUS_SIN_5), s, z);
    s = vfmaq_f64(vdupq_n_f64(APUS_SIN_3), s, z);
    s = vfmaq_f64(r, vmulq_f64(s, z), r);
    float64x2_t c = vfmaq_f64(vdupq_n_f64(APUS_COS_12), vdupq_n_f64(APUS_COS_14), z);
    c = vfmaq_f64(vdupq_n_f64(APUS_COS_10), c, z);
    c = vfmaq_f64(vdupq_n_f64(APUS_COS_8), c, z);
    c = vfmaq_f64(vdupq_n_f64(APUS_COS_6), c, z);
    c = vfmaq_f64(vdupq_n_f64(APUS_COS_4), c, z);
    c = vfmaq_f64(vdupq_n_f64(-0.5), c, z);
    c = vfmaq_f64(one, c, z);
    uint64x2_t odd = vtstq_u64(quadrant, vdupq_n_u64(1));
    uint64x2_t next = vaddq_u64(quadrant, vdupq_n_u64(1));
    uint64x2_t sine_sign = vshlq_n_u64(vandq_u64(quadrant, two), 62);
    uint64x2_t cosine_sign = vshlq_n_u64(vandq_u64(next, two), 62);
    *sine = vreinterpretq_f64_u64(veorq_u64(vreinterpretq_u64_f64(vbslq_f64(odd, c, s)), sine_sign));
    *cosine = vreinterpretq_f64_u64(veorq_u64(vreinterpretq_u64_f64(vbslq_f64(odd, s, c)), cosine_sign));
}

/// The tree of section 1 over four vectors of lanes.
APUS_INLINE float apus_tree_neon(const float32x4_t lanes[4]) {
    float32x4_t t4 = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    float32x2_t t2 = vadd_f32(vget_low_f32(t4), vget_high_f32(t4));
    return vget_lane_f32(t2, 0) + vget_lane_f32(t2, 1);
}
