#include "fit.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

// The weights of a sub-block are approximated by scale * level, the levels being a fixed set with zero inside. Each
// candidate first maps the extreme weight near one end of the set; then levels and least-squares scale are improved in
// turns. Scales are rounded to integers over the super-block's factor, where neighbours compete by their true error.

#define ROUNDS 3

/// The levels a format has. Every call site passes a constant, so the branches on it vanish.
typedef struct level_set {
    int bottom, top;
    bool iq4;
    int sub_length;
    int scale_bottom;  ///< integer scales -scale_bottom ... scale_bottom - 1
    float spread;      ///< how far from the end of the set the extreme weight may be mapped
} level_set;

/// Index of the level of IQ4 nearest to v, at floor(2 v + 256) for v in -128 ... 127.
static const uint8_t iq4_nearest[511] = {
    [25 ... 68] = 1,    [69 ... 107] = 2,   [108 ... 141] = 3,  [142 ... 171] = 4,  [172 ... 198] = 5,
    [199 ... 223] = 6,  [224 ... 246] = 7,  [247 ... 269] = 8,  [270 ... 293] = 9,  [294 ... 318] = 10,
    [319 ... 346] = 11, [347 ... 377] = 12, [378 ... 413] = 13, [414 ... 457] = 14, [458 ... 510] = 15,
};

INLINE int iq4_index(float value) {
    return iq4_nearest[(int)(2 * value + 256)];
}

/// The level nearest to `value`.
INLINE lanes nearest_level(lanes value, level_set set) {
    if (!set.iq4) { return lanes_round(lanes_clamp(value, (float)set.bottom, (float)set.top)); }
    value = lanes_clamp(value, -128, 127);
    lanes level;
    for (int c = 0; c < LANES; c++) { level[c] = apus_iq4_levels[iq4_index(value[c])]; }
    return level;
}

/// The code stored for `value`: the level itself, or its index.
INLINE int8_t nearest_code(float value, level_set set) {
    if (set.iq4) { return (int8_t)iq4_index(lanes_clamp((lanes)value, -128, 127)[0]); }
    return (int8_t)nearest_level((lanes)value, set)[0];
}

INLINE float fit_scale(const float *x, const float *weights, level_set set) {
    float extreme = apus_extreme(x, set.sub_length);
    float best = 0, best_gain = 0;
    if (extreme == 0) { return 0; }
    for (int group = 0; group < CANDIDATES / LANES; group++) {
        lanes step = ((lanes){0, 1, 2, 3} + (float)(LANES * (group / 2))) / 3.5f - 1;
        float end = (float)(group % 2 ? set.top : set.bottom);
        lanes inverse = end * (1 + step * set.spread) / extreme;
        lanes scale = 0, gain = 0;
        for (int round = 0; round < ROUNDS; round++) {
            lanes product = 0, square = 0;
            for (int i = 0; i < set.sub_length; i++) {
                lanes level = nearest_level(x[i] * inverse, set);
                lanes weighted = weight_of(weights, i) * level;
                product += weighted * x[i];
                square += weighted * level;
            }
            scale = lanes_ratio(product, square);
            gain = scale * product;
            inverse = lanes_ratio(1, scale);
        }
        for (int c = 0; c < LANES; c++) {
            if (gain[c] > best_gain) {
                best_gain = gain[c];
                best = scale[c];
            }
        }
    }
    return best;
}

/// The integer around `scale / d` with the least error.
INLINE int8_t choose_integer(const float *x, const float *weights, level_set set, float scale, float d) {
    float ratio = scale * apus_inverse(d);
    lanes first = lanes_clamp((lanes)ratio, (float)-set.scale_bottom, (float)(set.scale_bottom - 1));
    lanes candidates = lanes_round(first) + (lanes){0, -1, 1, ratio > first[0] ? 2 : -2};
    candidates = lanes_clamp(candidates, (float)-set.scale_bottom, (float)(set.scale_bottom - 1));
    lanes scales = candidates * d, inverse = lanes_ratio(1, scales), error = 0;
    for (int i = 0; i < set.sub_length; i++) {
        lanes difference = scales * nearest_level(x[i] * inverse, set) - x[i];
        error += weight_of(weights, i) * difference * difference;
    }
    int best = 0;
    for (int c = 1; c < LANES; c++) {
        if (error[c] < error[best]) { best = c; }
    }
    return (int8_t)candidates[best];
}

INLINE void settle(const float *x, const float *weights, float unit, level_set set, const float *ideal, float d,
                   apus_linear_codes *fit) {
    fit->d = apus_float_to_half(d / unit);
    d = apus_half_to_float(fit->d) * unit;
    for (int j = 0; j < APUS_SUPER_BLOCK / set.sub_length; j++) {
        const float *sub = x + j * set.sub_length;
        fit->scales[j] = choose_integer(sub, weights_from(weights, j * set.sub_length), set, ideal[j], d);
        float inverse = apus_inverse(d * fit->scales[j]);
        for (int i = 0; i < set.sub_length; i++) {
            fit->codes[j * set.sub_length + i] = nearest_code(sub[i] * inverse, set);
        }
    }
}

INLINE void fit_super_block(const float *input, const float *weights, level_set set, apus_linear_codes *fit) {
    float unit = apus_unit_factor(input, APUS_SUPER_BLOCK);
    float x[APUS_SUPER_BLOCK], ideal[16], largest = 0;
    memset(fit, 0, sizeof *fit);
    if (unit == 0) { return; }
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) { x[i] = input[i] * unit; }
    for (int j = 0; j < APUS_SUPER_BLOCK / set.sub_length; j++) {
        ideal[j] = fit_scale(x + j * set.sub_length, weights_from(weights, j * set.sub_length), set);
        if (__builtin_fabsf(ideal[j]) > __builtin_fabsf(largest)) { largest = ideal[j]; }
    }
    settle(x, weights, unit, set, ideal, -largest / (float)set.scale_bottom, fit);
    float product = 0, square = 0;
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
        int code = set.iq4 ? apus_iq4_levels[fit->codes[i]] : fit->codes[i];
        float level = (float)(fit->scales[i / set.sub_length] * code);
        float weighted = weight_of(weights, i) * level;
        product += weighted * x[i];
        square += weighted * level;
    }
    if (square > 0) { settle(x, weights, unit, set, ideal, product / square, fit); }
}

/// With weights known to be there, or known not to be: without them nothing is multiplied by one.
INLINE void fit_either(const float *input, const float *weights, level_set set, apus_linear_codes *fit) {
    if (weights) {
        fit_super_block(input, weights, set, fit);
    } else {
        fit_super_block(input, NULL, set, fit);
    }
}

void apus_fit_q3_k(const float *input, const float *weights, apus_linear_codes *fit) {
    fit_either(input, weights, (level_set){-4, 3, false, 16, 32, 0.4f}, fit);
}

void apus_fit_q6_k(const float *input, const float *weights, apus_linear_codes *fit) {
    fit_either(input, weights, (level_set){-32, 31, false, 16, 128, 0.05f}, fit);
}

void apus_fit_iq4_xs(const float *input, const float *weights, apus_linear_codes *fit) {
    fit_either(input, weights, (level_set){-127, 113, true, 32, 32, 0.1f}, fit);
}

/// The scale of one block of 32, for a unit that is not 0.
INLINE float fit_block(const float *input, const float *weights, float unit, level_set set) {
    float x[APUS_BLOCK];
    for (int i = 0; i < APUS_BLOCK; i++) { x[i] = input[i] * unit; }
    return (weights ? fit_scale(x, weights, set) : fit_scale(x, NULL, set)) / unit;
}

uint16_t apus_fit_iq4_nl(const float *input, const float *weights, uint8_t codes[APUS_BLOCK]) {
    float unit = apus_unit_factor(input, APUS_BLOCK);
    memset(codes, 0, APUS_BLOCK);
    if (unit == 0) { return 0; }
    const level_set set = {-127, 113, true, 32, 1, 0.1f};
    uint16_t d = apus_float_to_half(fit_block(input, weights, unit, set));
    float inverse = apus_inverse(apus_half_to_float(d) * unit);
    for (int i = 0; i < APUS_BLOCK; i++) { codes[i] = (uint8_t)nearest_code(input[i] * unit * inverse, set); }
    return d;
}

/// A block too small for a binary16 scale has the scale 0.
INLINE float fit_block_scale(const float *input, const float *weights, level_set set) {
    float unit = apus_unit_factor(input, APUS_BLOCK);
    return unit == 0 ? 0 : fit_block(input, weights, unit, set);
}

float apus_fit_q4_0(const float *input, const float *weights) {
    return fit_block_scale(input, weights, (level_set){-8, 7, false, 32, 1, 0.2f});
}

float apus_fit_q5_0(const float *input, const float *weights) {
    return fit_block_scale(input, weights, (level_set){-16, 15, false, 32, 1, 0.1f});
}
