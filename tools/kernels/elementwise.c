// Elementwise kernels: every tier against scalar by bits, scalar against libm in double; hashes; time per row of 2048.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "kernels_math.h"

static void *scratch;
static generator numbers;

static void check_row_kernels(int64_t length, int mode) {
    int64_t rows = 3, stride = length + 5, count = rows * stride;
    float *x = allocate(count * 4), *w = allocate(count * 4);
    float *expected = allocate(count * 4), *got = allocate(count * 4);
    fill_floats(&numbers, x, count, mode);
    fill_floats(&numbers, w, count, mode == 3 ? 2 : mode);
    for (int t = 1; t < TIER_COUNT; t++) {
        if (!apus_kernels_for_tier((apus_tier)t)) continue;
        const apus_elementwise_kernels *k = &apus_kernels_for_tier((apus_tier)t)->elementwise;
        const apus_elementwise_kernels *s = &apus_kernels_for_tier(APUS_TIER_SCALAR)->elementwise;
        for (int accumulates = 0; accumulates < 2; accumulates++) {
            apus_rms_norm_args norm = {x, stride, w, expected, stride, length, 1e-5f, accumulates};
            memcpy(expected, w, (size_t)count * 4);
            memcpy(got, w, (size_t)count * 4);
            s->rms_norm(&norm, 0, rows, scratch);
            norm.output = got;
            k->rms_norm(&norm, 0, rows, scratch);
            expect(same_floats(expected, got, count), "rms_norm", tier_name((apus_tier)t));
        }
        for (int kind = 0; kind < 2; kind++) {
            apus_gate_args gate = {expected, w, expected, stride, stride, stride, length};
            memcpy(expected, x, (size_t)count * 4);
            memcpy(got, x, (size_t)count * 4);
            s->gate[kind](&gate, 0, rows, scratch);
            gate.gate = gate.output = got;
            k->gate[kind](&gate, 0, rows, scratch);
            expect(same_floats(expected, got, count), kind ? "gelu" : "silu", tier_name((apus_tier)t));
        }
        memcpy(expected, x, (size_t)count * 4);
        memcpy(got, x, (size_t)count * 4);
        s->scale(expected, 0.3f, length);
        k->scale(got, 0.3f, length);
        s->add(expected, w, length);
        k->add(got, w, length);
        expect(same_floats(expected, got, count), "scale, add", tier_name((apus_tier)t));
        s->exp(x, x[0], expected, length);
        k->exp(x, x[0], got, length);
        expect(same_floats(expected, got, count), "exp", tier_name((apus_tier)t));
    }
    free(x), free(w), free(expected), free(got);
}

static void check_rope(int64_t pairs, int64_t extra, apus_rope_style style, int mode) {
    int64_t rows = 4, heads = 3, dimension = 2 * pairs + extra, stride = heads * dimension + 3;
    int32_t positions[4] = {0, 1, (int32_t)random_below(&numbers, 1000000), 2147483647};
    double *frequencies = allocate(pairs * 8);
    float *tables = allocate(4 * rows * pairs * 4), *x = allocate(rows * stride * 4);
    float *expected = allocate(rows * stride * 4), *got = allocate(rows * stride * 4);
    float *cos0 = tables, *sin0 = cos0 + rows * pairs, *cos1 = sin0 + rows * pairs, *sin1 = cos1 + rows * pairs;
    for (int64_t i = 0; i < pairs; i++) frequencies[i] = pow(10000.0, -(double)i / (double)pairs);
    if (mode == 2) frequencies[0] = 1e300, frequencies[pairs - 1] = NAN, frequencies[pairs / 2] = 1e12;
    fill_floats(&numbers, x, rows * stride, mode);
    for (int t = 1; t < TIER_COUNT; t++) {
        if (!apus_kernels_for_tier((apus_tier)t)) continue;
        const apus_elementwise_kernels *k = &apus_kernels_for_tier((apus_tier)t)->elementwise;
        const apus_elementwise_kernels *s = &apus_kernels_for_tier(APUS_TIER_SCALAR)->elementwise;
        apus_rope_table_args table = {positions, frequencies, 1.1f, cos0, sin0, pairs};
        s->rope_table(&table, 0, rows, scratch);
        table.cosines = cos1, table.sines = sin1;
        k->rope_table(&table, 0, rows, scratch);
        expect(same_floats(cos0, cos1, rows * pairs) && same_floats(sin0, sin1, rows * pairs), "rope_table", tier_name((apus_tier)t));
        memcpy(expected, x, (size_t)(rows * stride) * 4);
        memcpy(got, x, (size_t)(rows * stride) * 4);
        apus_rope_args rope = {expected, stride, heads, dimension, pairs, cos0, sin0, style};
        s->rope(&rope, 0, rows, scratch);
        rope.data = got;
        k->rope(&rope, 0, rows, scratch);
        expect(same_floats(expected, got, rows * stride), "rope", tier_name((apus_tier)t));
    }
    free(frequencies), free(tables), free(x), free(expected), free(got);
}

static double ulps(float got, double exact) {
    float rounded = (float)exact;
    int exponent;
    frexpf(rounded == 0 ? 0x1p-126f : rounded, &exponent);
    return fabs((double)got - exact) / ldexp(1.0, exponent < -125 ? -149 : exponent - 24);
}

static void check_accuracy(void) {
    double worst_exp = 0, worst_silu = 0, worst_gelu = 0, worst_sine = 0, worst_double = 0;
    for (uint32_t bits = 0; bits < 0x42b20000; bits += 61) {
        float x = apus_float(bits);
        if (x < 88.7f) worst_exp = fmax(worst_exp, ulps(apus_exp(x), exp((double)x)));
        if (x < 87.3f) worst_exp = fmax(worst_exp, ulps(apus_exp(-x), exp(-(double)x)));
    }
    for (int i = 0; i < 4000000; i++) {
        float x = next_float(&numbers) * 20.0f;
        double u = sqrt(2 / M_PI) * (x + 0.044715 * (double)x * x * x);
        double gelu = 0.5 * x * (1 + tanh(u));
        worst_silu = fmax(worst_silu, ulps(apus_silu(x), x / (1 + exp(-(double)x))));
        // tanh near -1 is a difference from 1, so the error is measured against |x|.
        worst_gelu = fmax(worst_gelu, fabs(apus_gelu(x) - gelu) / fabs((double)x));
    }
    for (int i = 0; i < 4000000; i++) {
        double sine, cosine, x = (double)next_float(&numbers) * (i % 2 ? 4e6 : 2147483648.0);
        apus_sincos(x, &sine, &cosine);
        worst_sine = fmax(worst_sine, fmax(ulps((float)sine, sin(x)), ulps((float)cosine, cos(x))));
        worst_double = fmax(worst_double, fmax(fabs(sine - sin(x)), fabs(cosine - cos(x))));
    }
    printf("exp %.3f ulp, silu %.3f ulp, gelu %.2e of |x|, sin and cos %.3f ulp as float, %.1e as double\n", worst_exp,
           worst_silu, worst_gelu, worst_sine, worst_double);
    expect(worst_exp < 1.5 && worst_silu < 4 && worst_gelu < 3e-7 && worst_sine < 0.501, "accuracy", "scalar");
    int halves = 0;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float x = apus_float_from_half((uint16_t)h);
        uint16_t back = apus_half_from_float(x);
        halves += isnan(x) ? (back & 0x7c00) != 0x7c00 : back != h;
    }
    expect(halves == 0, "half round trip", "scalar");
}

static void print_floats(const char *name, const float *values, int64_t count) {
    print_hash("elementwise", name, hash_floats(HASH_START, values, count));
}

void hash_elementwise(const apus_elementwise_kernels *k) {
    enum { length = 611, rows = 5, pairs = 53, heads = 2 };
    static float x[rows * length], y[rows * length], out[rows * length], cosines[rows * pairs], sines[rows * pairs];
    static const int32_t positions[rows] = {0, 1, 77, 131071, 2147483647};
    double frequencies[pairs];
    scratch = allocate(APUS_SCRATCH_BYTES);
    numbers = (generator){0x9e3779b97f4a7c15};
    for (int i = 0; i < pairs; i++) frequencies[i] = 1.0 / (1.0 + i * 37.25);
    for (int i = 0; i < 3; i++) {
        fill_floats(&numbers, x + i * length, length, i);
        fill_floats(&numbers, y + i * length, length, i);
    }
    apus_rms_norm_args norm = {x, length, y, out, length, length, 1e-5f, 0};
    apus_gate_args gate = {x, y, out, length, length, length, length};
    apus_rope_table_args table = {positions, frequencies, 1.25f, cosines, sines, pairs};
    k->rms_norm(&norm, 0, rows, scratch);
    print_floats("rms_norm", out, rows * length);
    k->gate[APUS_GATE_SILU](&gate, 0, rows, scratch);
    print_floats("silu", out, rows * length);
    k->gate[APUS_GATE_GELU](&gate, 0, rows, scratch);
    print_floats("gelu", out, rows * length);
    k->rope_table(&table, 0, rows, scratch);
    print_floats("cosines", cosines, rows * pairs);
    print_floats("sines", sines, rows * pairs);
    for (int style = 0; style < 2; style++) {
        apus_rope_args rope = {out, length, heads, 2 * pairs + 7, pairs, cosines, sines, (apus_rope_style)style};
        memcpy(out, x, sizeof x);
        k->rope(&rope, 0, rows, scratch);
        print_floats(style ? "halves" : "interleaved", out, rows * length);
    }
    k->exp(x, 0.75f, out, rows * length);
    print_floats("exp", out, rows * length);
    k->scale(out, 0.3f, rows * length);
    print_floats("scale", out, rows * length);
    k->add(out, y, rows * length);
    print_floats("add", out, rows * length);
    free(scratch);
}

void bench_elementwise(void) {
    int64_t length = 2048, rows = 64;
    scratch = allocate(APUS_SCRATCH_BYTES);
    numbers = (generator){0x9e3779b97f4a7c15};
    float *x = allocate(rows * length * 4), *w = allocate(rows * length * 4), *y = allocate(rows * length * 4);
    fill_floats(&numbers, x, rows * length, 0);
    fill_floats(&numbers, w, rows * length, 0);
    for (int t = 0; t < TIER_COUNT; t++) {
        if (!apus_kernels_for_tier((apus_tier)t)) continue;
        const apus_elementwise_kernels *k = &apus_kernels_for_tier((apus_tier)t)->elementwise;
        double best[3] = {1e9, 1e9, 1e9};
        for (int repeat = 0; repeat < 20; repeat++) {
            apus_rms_norm_args norm = {x, length, w, y, length, length, 1e-5f, 0};
            apus_gate_args gate = {x, w, y, length, length, length, length};
            double t0 = seconds();
            k->rms_norm(&norm, 0, rows, scratch);
            double t1 = seconds();
            k->gate[0](&gate, 0, rows, scratch);
            double t2 = seconds();
            k->gate[1](&gate, 0, rows, scratch);
            double t3 = seconds();
            best[0] = fmin(best[0], t1 - t0), best[1] = fmin(best[1], t2 - t1), best[2] = fmin(best[2], t3 - t2);
        }
        printf("%-11s ns per row of 2048: rms_norm %.0f, silu gate %.0f, gelu gate %.0f\n", tier_name((apus_tier)t),
               best[0] / (double)rows * 1e9, best[1] / (double)rows * 1e9, best[2] / (double)rows * 1e9);
    }
    free(x), free(w), free(y), free(scratch);
}

void check_elementwise(void) {
    scratch = allocate(APUS_SCRATCH_BYTES);
    numbers = (generator){0x9e3779b97f4a7c15};
    for (int64_t length = 1; length < 70; length++) {
        for (int mode = 0; mode < 4; mode++) check_row_kernels(length, mode);
    }
    check_row_kernels(576, 0);
    check_row_kernels(100000, 3);
    for (int64_t pairs = 1; pairs < 40; pairs++) {
        for (int mode = 0; mode < 3; mode++) {
            check_rope(pairs, pairs % 3 * 8, APUS_ROPE_HALVES, mode);
            check_rope(pairs, pairs % 3 * 8, APUS_ROPE_INTERLEAVED, mode);
        }
    }
    check_accuracy();
    free(scratch);
}
