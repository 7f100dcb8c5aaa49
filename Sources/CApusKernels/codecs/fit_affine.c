#include "fit.h"
#include "lanes.h"

#pragma STDC FP_CONTRACT OFF

// The weights of a sub-block are approximated by scale * code - minimum, with minimum >= 0. Each candidate starts from
// another stretch of the range over the codes and is improved in turns: codes for a given line, then the least-squares
// line for given codes. Afterwards the scales and minima are rounded to integers over the super-block's two factors,
// where the neighbours of the rounded pair compete by their true error, and the factors are fitted once more.

#define ROUNDS 3

typedef struct line {
    float scale, minimum;
} line;

/// Sums that the least-squares line of given codes needs.
typedef struct affine_sums {
    lanes code, square, product;
} affine_sums;

INLINE affine_sums sums_of(const float *x, const float *weights, int count, float top, lanes inverse, lanes minimum) {
    affine_sums sums = {0, 0, 0};
    for (int i = 0; i < count; i++) {
        lanes code = lanes_round(lanes_clamp((x[i] + minimum) * inverse, 0, top));
        lanes weighted = weight_of(weights, i) * code;
        sums.code += weighted;
        sums.square += weighted * code;
        sums.product += weighted * x[i];
    }
    return sums;
}

/// The line of least squares and how much of the squared elements it explains.
INLINE lanes solve(affine_sums s, float count, float total, bool is_signed, lanes *scale, lanes *minimum) {
    lanes determinant = count * s.square - s.code * s.code;
    lanes slope = lanes_ratio(count * s.product - total * s.code, determinant);
    lanes offset = lanes_ratio(s.code * s.product - total * s.square, determinant);
    lanes through_zero = lanes_ratio(s.product, s.square);
    *scale = offset < 0 && !is_signed ? through_zero : slope;
    *minimum = offset < 0 && !is_signed ? (lanes)0 : offset;
    return *scale * s.product - *minimum * total;
}

/// - is_signed: whether the minimum may be negative, all elements being greater than 0.
INLINE line fit_line(const float *x, const float *weights, int count, int top_code, bool is_signed) {
    float least = is_signed ? x[0] : 0, greatest = least, total = 0, total_weight = 0;
    for (int i = 0; i < count; i++) {
        float weight = weight_of(weights, i);
        least = x[i] < least ? x[i] : least;
        greatest = x[i] > greatest ? x[i] : greatest;
        total += weight * x[i];
        total_weight += weight;
    }
    line best = {0, -least};
    if (greatest == least) { return best; }
    float best_gain = -1;
    for (int group = 0; group < CANDIDATES / LANES; group++) {
        lanes stretch = (lanes){0, 1, 2, 3} + (float)(LANES * group);
        lanes inverse = ((float)top_code - 1 + stretch * 0.125f) / (greatest - least);
        lanes scale, minimum = -least, gain;
        for (int round = 0; round < ROUNDS; round++) {
            affine_sums sums = sums_of(x, weights, count, (float)top_code, inverse, minimum);
            gain = solve(sums, total_weight, total, is_signed, &scale, &minimum);
            inverse = lanes_ratio(1, scale);
        }
        for (int c = 0; c < LANES; c++) {
            if (gain[c] > best_gain) {
                best_gain = gain[c];
                best = (line){scale[c], minimum[c]};
            }
        }
    }
    return best;
}

/// The super-block's factors in units of the normalized weights.
typedef struct factors {
    float d, dmin;
} factors;

INLINE lanes squared_error(const float *x, const float *weights, int count, float top, lanes scale, lanes minimum) {
    lanes inverse = lanes_ratio(1, scale);
    lanes error = 0;
    for (int i = 0; i < count; i++) {
        lanes code = lanes_round(lanes_clamp((x[i] + minimum) * inverse, 0, top));
        lanes difference = scale * code - minimum - x[i];
        error += weight_of(weights, i) * difference * difference;
    }
    return error;
}

/// The integers around `scale / d` and `minimum / dmin` with the least error.
INLINE void choose_integers(const float *x, const float *weights, int count, int top_code, int top_scale, line ideal,
                            factors f, uint8_t *scale, uint8_t *minimum) {
    float first_scale = apus_code(ideal.scale * apus_inverse(f.d), top_scale);
    float first_minimum = apus_code(ideal.minimum * apus_inverse(f.dmin), top_scale);
    float least = __builtin_inff();
    *scale = *minimum = 0;
    for (int step = -1; step <= 2; step++) {
        lanes scales = lanes_clamp((lanes){-1, 0, 1, 2} + first_scale, 0, (float)top_scale);
        lanes minima = lanes_clamp((lanes)(first_minimum + (float)step), 0, (float)top_scale);
        lanes error = squared_error(x, weights, count, (float)top_code, scales * f.d, minima * f.dmin);
        for (int c = 0; c < LANES; c++) {
            if (error[c] < least) {
                least = error[c];
                *scale = (uint8_t)scales[c];
                *minimum = (uint8_t)minima[c];
            }
        }
    }
}

static void choose_codes(const float *x, int count, int top_code, float scale, float minimum, uint8_t *codes) {
    float inverse = apus_inverse(scale);
    for (int i = 0; i < count; i++) { codes[i] = apus_code((x[i] + minimum) * inverse + 0.5f, top_code); }
}

/// The factors of least squares for the integers and codes at hand.
INLINE factors refit(const float *x, const float *weights, int sub_length, const apus_affine_codes *fit) {
    float aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) {
        float a = (float)(fit->scales[i / sub_length] * fit->codes[i]);
        float b = -(float)fit->minima[i / sub_length];
        float wa = weight_of(weights, i) * a, wb = weight_of(weights, i) * b;
        aa += wa * a, ab += wa * b, bb += wb * b, ax += wa * x[i], bx += wb * x[i];
    }
    float determinant = aa * bb - ab * ab;
    if (!(determinant > 0)) { return (factors){aa > 0 ? ax / aa : 0, bb > 0 ? bx / bb : 0}; }
    return (factors){(ax * bb - bx * ab) / determinant, (bx * aa - ax * ab) / determinant};
}

/// Rounds the factors to binary16 and the rest to integers.
INLINE void settle(const float *x, const float *weights, float unit, int sub_length, int top_code, int top_scale,
                   const line *ideal, factors f, apus_affine_codes *fit) {
    fit->d = apus_float_to_half(f.d / unit);
    fit->dmin = apus_float_to_half(f.dmin / unit);
    f = (factors){apus_half_to_float(fit->d) * unit, apus_half_to_float(fit->dmin) * unit};
    for (int j = 0; j < APUS_SUPER_BLOCK / sub_length; j++) {
        const float *sub = x + j * sub_length;
        choose_integers(sub, weights_from(weights, j * sub_length), sub_length, top_code, top_scale, ideal[j], f,
                        &fit->scales[j], &fit->minima[j]);
        choose_codes(sub, sub_length, top_code, f.d * fit->scales[j], f.dmin * fit->minima[j],
                     fit->codes + j * sub_length);
    }
}

INLINE void fit_super_block(const float *input, const float *weights, int sub_length, int top_code, int top_scale,
                            apus_affine_codes *fit) {
    float unit = apus_unit_factor(input, APUS_SUPER_BLOCK);
    float x[APUS_SUPER_BLOCK];
    line ideal[16];
    factors f = {0, 0};
    for (int i = 0; i < APUS_SUPER_BLOCK; i++) { x[i] = input[i] * unit; }
    for (int j = 0; j < APUS_SUPER_BLOCK / sub_length; j++) {
        ideal[j] = fit_line(x + j * sub_length, weights_from(weights, j * sub_length), sub_length, top_code, false);
        f.d = ideal[j].scale > f.d ? ideal[j].scale : f.d;
        f.dmin = ideal[j].minimum > f.dmin ? ideal[j].minimum : f.dmin;
    }
    memset(fit, 0, sizeof *fit);
    if (unit == 0) { return; }
    f = (factors){f.d / (float)top_scale, f.dmin / (float)top_scale};
    settle(x, weights, unit, sub_length, top_code, top_scale, ideal, f, fit);
    f = refit(x, weights, sub_length, fit);
    settle(x, weights, unit, sub_length, top_code, top_scale, ideal, f, fit);
}

void apus_fit_affine(const float *input, const float *weights, int sub_length, int top_code, int top_scale,
                     apus_affine_codes *fit) {
    // Two copies: without weights nothing is multiplied by one.
    if (weights) {
        fit_super_block(input, weights, sub_length, top_code, top_scale, fit);
    } else {
        fit_super_block(input, NULL, sub_length, top_code, top_scale, fit);
    }
}

void apus_fit_line(const float *input, const float *weights, int count, int top_code, float *d, float *m) {
    float unit = apus_unit_factor(input, count);
    float x[APUS_SUPER_BLOCK];
    *d = *m = 0;
    if (unit == 0) { return; }
    for (int i = 0; i < count; i++) { x[i] = input[i] * unit; }
    line fit = fit_line(x, weights, count, top_code, true);
    *d = apus_half_to_float(apus_float_to_half(fit.scale / unit));
    *m = apus_half_to_float(apus_float_to_half(-fit.minimum / unit));
}
