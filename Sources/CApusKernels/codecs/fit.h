// The search for scales that the K formats and IQ4 need: least squared error over one super-block; and, where elements
// weigh differently, the simple formats too.
//
// `weights` are one per element, not negative, or NULL: then all count the same.
#pragma once

#include "codec.h"

/// w = d * scales * codes - dmin * minima. Scales and minima per sub-block.
typedef struct apus_affine_codes {
    uint16_t d, dmin;
    uint8_t scales[16], minima[16];
    uint8_t codes[APUS_SUPER_BLOCK];
} apus_affine_codes;

/// w = d * scales * level. `codes` holds the signed level; for IQ4 its index.
typedef struct apus_linear_codes {
    uint16_t d;
    int8_t scales[16];
    int8_t codes[APUS_SUPER_BLOCK];
} apus_linear_codes;

/// Codes 0 ... top_code, scales and minima 0 ... top_scale. The input is finite, as in all of these.
void apus_fit_affine(const float *input, const float *weights, int sub_length, int top_code, int top_scale,
                     apus_affine_codes *fit);
/// w = d code + m with codes 0 ... top_code, for one block of up to 256. Both as binary16 holds them.
void apus_fit_line(const float *input, const float *weights, int count, int top_code, float *d, float *m);
/// Q3_K: levels -4 ... 3, scales -32 ... 31 per 16.
void apus_fit_q3_k(const float *input, const float *weights, apus_linear_codes *fit);
/// Q6_K: levels -32 ... 31, scales -128 ... 127 per 16.
void apus_fit_q6_k(const float *input, const float *weights, apus_linear_codes *fit);
/// IQ4_XS: the levels of IQ4, scales -32 ... 31 per 32.
void apus_fit_iq4_xs(const float *input, const float *weights, apus_linear_codes *fit);
/// IQ4_NL: one block of 32, no integer scale. Returns d.
uint16_t apus_fit_iq4_nl(const float *input, const float *weights, uint8_t codes[APUS_BLOCK]);
/// Q4_0: levels -8 ... 7, one block of 32. Returns d.
float apus_fit_q4_0(const float *input, const float *weights);
/// Q5_0: levels -16 ... 15, one block of 32. Returns d.
float apus_fit_q5_0(const float *input, const float *weights);
