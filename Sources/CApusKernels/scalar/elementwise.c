// Elementwise operations, scalar tier: numbers.md, section 5, as it is written there.
#include "apus_kernels.h"

#include "../kernels_math.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF

static void rms_norm(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rms_norm_args *args = pointer;
    for (int64_t row = begin; row < end; row++) {
        const float *x = args->input + row * args->input_stride;
        float *y = args->output + row * args->output_stride;
        float lanes[16] = {0};
        for (int64_t i = 0; i < args->length; i++) lanes[i % 16] = fmaf(x[i], x[i], lanes[i % 16]);
        float mean = apus_tree(lanes) / (float)args->length;
        float r = 1.0f / sqrtf(mean + args->epsilon);
        for (int64_t i = 0; i < args->length; i++) {
            float value = (x[i] * r) * args->weight[i];
            y[i] = args->accumulates ? y[i] + value : value;
        }
    }
}

APUS_INLINE void gate(const apus_gate_args *args, int64_t begin, int64_t end, apus_gate kind) {
    for (int64_t row = begin; row < end; row++) {
        const float *g = args->gate + row * args->gate_stride, *u = args->up + row * args->up_stride;
        float *y = args->output + row * args->output_stride;
        for (int64_t i = 0; i < args->length; i++) {
            y[i] = (kind == APUS_GATE_SILU ? apus_silu(g[i]) : apus_gelu(g[i])) * u[i];
        }
    }
}

static void gate_silu(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    gate(args, begin, end, APUS_GATE_SILU);
}

static void gate_gelu(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    gate(args, begin, end, APUS_GATE_GELU);
}

static void rope_table(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rope_table_args *args = pointer;
    for (int64_t row = begin; row < end; row++) {
        float *cosines = args->cosines + row * args->pairs, *sines = args->sines + row * args->pairs;
        for (int64_t i = 0; i < args->pairs; i++) {
            double sine, cosine;
            apus_sincos((double)args->positions[row] * args->inverse_frequencies[i], &sine, &cosine);
            cosines[i] = (float)cosine * args->magnitude;
            sines[i] = (float)sine * args->magnitude;
        }
    }
}

static void rope(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rope_args *args = pointer;
    int64_t step = args->style == APUS_ROPE_HALVES ? 1 : 2, other = args->style == APUS_ROPE_HALVES ? args->pairs : 1;
    for (int64_t row = begin; row < end; row++) {
        const float *cosines = args->cosines + row * args->pairs, *sines = args->sines + row * args->pairs;
        for (int64_t head = 0; head < args->heads; head++) {
            float *x = args->data + row * args->stride + head * args->head_dimension;
            for (int64_t i = 0; i < args->pairs; i++) {
                float a = x[step * i], b = x[step * i + other];
                x[step * i] = fmaf(a, cosines[i], -(b * sines[i]));
                x[step * i + other] = fmaf(b, cosines[i], a * sines[i]);
            }
        }
    }
}

static void scale(float *x, float factor, int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] = x[i] * factor;
}

static void add(float *x, const float *y, int64_t count) {
    for (int64_t i = 0; i < count; i++) x[i] = x[i] + y[i];
}

static void exp_shifted(const float *x, float shift, float *out, int64_t count) {
    for (int64_t i = 0; i < count; i++) out[i] = apus_exp(x[i] - shift);
}

void apus_elementwise_fill_scalar(apus_kernels *table) {
    table->elementwise = (apus_elementwise_kernels){
        .rms_norm = rms_norm,
        .gate = {gate_silu, gate_gelu},
        .rope_table = rope_table,
        .rope = rope,
        .scale = scale,
        .add = add,
        .exp = exp_shifted,
    };
}
