// Elementwise operations, NEON tier: vectors of four, the last elements of a row one by one.
#if defined(__aarch64__)
#include "apus_kernels.h"

#include "../tiers.h"
#include "math_neon.h"

#pragma STDC FP_CONTRACT OFF

static void rms_norm(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rms_norm_args *args = pointer;
    int64_t length = args->length;
    for (int64_t row = begin; row < end; row++) {
        const float *x = args->input + row * args->input_stride;
        float *y = args->output + row * args->output_stride;
        float32x4_t lanes[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
        int64_t i = 0;
        for (; i + 16 <= length; i += 16) {
            for (int v = 0; v < 4; v++) {
                float32x4_t four = vld1q_f32(x + i + 4 * v);
                lanes[v] = vfmaq_f32(lanes[v], four, four);
            }
        }
        float last[16] = {0};
        memcpy(last, x + i, (size_t)(length - i) * sizeof(float));
        for (int v = 0; v < 4; v++) lanes[v] = vfmaq_f32(lanes[v], vld1q_f32(last + 4 * v), vld1q_f32(last + 4 * v));
        float mean = apus_tree_neon(lanes) / (float)length;
        float r = 1.0f / sqrtf(mean + args->epsilon);
        for (i = 0; i + 4 <= length; i += 4) {
            float32x4_t value = vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), r), vld1q_f32(args->weight + i));
            vst1q_f32(y + i, args->accumulates ? vaddq_f32(vld1q_f32(y + i), value) : value);
        }
        for (; i < length; i++) {
            float value = (x[i] * r) * args->weight[i];
            y[i] = args->accumulates ? y[i] + value : value;
        }
    }
}

APUS_INLINE void gate(const apus_gate_args *args, int64_t begin, int64_t end, apus_gate kind) {
    for (int64_t row = begin; row < end; row++) {
        const float *g = args->gate + row * args->gate_stride, *u = args->up + row * args->up_stride;
        float *y = args->output + row * args->output_stride;
        int64_t i = 0;
        for (; i + 4 <= args->length; i += 4) {
            float32x4_t x = vld1q_f32(g + i);
            x = kind == APUS_GATE_SILU ? apus_silu_neon(x) : apus_gelu_neon(x);
            vst1q_f32(y + i, vmulq_f32(x, vld1q_f32(u + i)));
        }
        for (; i < args->length; i++) y[i] = (kind == APUS_GATE_SILU ? apus_silu(g[i]) : apus_gelu(g[i])) * u[i];
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
        double position = (double)args->positions[row];
        for (int64_t i = 0; i < args->pairs; i += 2) {
            double frequencies[2] = {args->inverse_frequencies[i], 0};
            if (i + 1 < args->pairs) frequencies[1] = args->inverse_frequencies[i + 1];
            float64x2_t sine, cosine;
            apus_sincos_neon(vmulq_n_f64(vld1q_f64(frequencies), position), &sine, &cosine);
            float32x2_t c = vmul_n_f32(vcvt_f32_f64(cosine), args->magnitude);
            float32x2_t s = vmul_n_f32(vcvt_f32_f64(sine), args->magnitude);
            vst1_lane_f32(cosines + i, c, 0);
            vst1_lane_f32(sines + i, s, 0);
            if (i + 1 == args->pairs) break;
            vst1_lane_f32(cosines + i + 1, c, 1);
            vst1_lane_f32(sines + i + 1, s, 1);
        }
    }
}

APUS_INLINE void rotate_pair(float *a, float *b, float cosine, float sine) {
    float x = *a, y = *b;
    *a = fmaf(x, cosine, -(y * sine));
    *b = fmaf(y, cosine, x * sine);
}

/// Pairs (i, i + pairs) of one head.
static void rotate_halves(float *x, const float *cosines, const float *sines, int64_t pairs) {
    int64_t i = 0;
    for (; i + 4 <= pairs; i += 4) {
        float32x4_t a = vld1q_f32(x + i), b = vld1q_f32(x + pairs + i);
        float32x4_t c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
        vst1q_f32(x + i, vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c));
        vst1q_f32(x + pairs + i, vfmaq_f32(vmulq_f32(a, s), b, c));
    }
    for (; i < pairs; i++) rotate_pair(x + i, x + pairs + i, cosines[i], sines[i]);
}

/// Pairs (2i, 2i + 1) of one head.
static void rotate_interleaved(float *x, const float *cosines, const float *sines, int64_t pairs) {
    int64_t i = 0;
    for (; i + 4 <= pairs; i += 4) {
        float32x4x2_t both = vld2q_f32(x + 2 * i);
        float32x4_t a = both.val[0], b = both.val[1], c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
        both.val[0] = vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c);
        both.val[1] = vfmaq_f32(vmulq_f32(a, s), b, c);
        vst2q_f32(x + 2 * i, both);
    }
    for (; i < pairs; i++) rotate_pair(x + 2 * i, x + 2 * i + 1, cosines[i], sines[i]);
}

static void rope(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rope_args *args = pointer;
    for (int64_t row = begin; row < end; row++) {
        const float *cosines = args->cosines + row * args->pairs, *sines = args->sines + row * args->pairs;
        for (int64_t head = 0; head < args->heads; head++) {
            float *x = args->data + row * args->stride + head * args->head_dimension;
            if (args->style == APUS_ROPE_HALVES) {
                rotate_halves(x, cosines, sines, args->pairs);
            } else {
                rotate_interleaved(x, cosines, sines, args->pairs);
            }
        }
    }
}

static void exp_shifted(const float *x, float shift, float *out, int64_t count) {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(out + i, apus_exp_neon(vsubq_f32(vld1q_f32(x + i), vdupq_n_f32(shift))));
    for (; i < count; i++) out[i] = apus_exp(x[i] - shift);
}

/// `scale` and `add` stay as the scalar tier has them: the compiler vectorizes those for NEON itself.
void apus_elementwise_fill_neon(apus_kernels *table) {
    table->elementwise.rms_norm = rms_norm;
    table->elementwise.gate[APUS_GATE_SILU] = gate_silu;
    table->elementwise.gate[APUS_GATE_GELU] = gate_gelu;
    table->elementwise.rope_table = rope_table;
    table->elementwise.rope = rope;
    table->elementwise.exp = exp_shifted;
}
#endif
