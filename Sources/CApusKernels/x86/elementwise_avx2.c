// Elementwise operations, AVX2 tier (AVX2, FMA, F16C).
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "math_avx2.h"

/// Eight floats of a row with `left` elements left: plain while the vector is full, else masked to +0.
APUS_INLINE __m256 load_tail(const float *x, int64_t left) {
    return left >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, apus_tail_avx2(left));
}

APUS_INLINE void store_tail(float *x, int64_t left, __m256 value) {
    if (left >= 8) {
        _mm256_storeu_ps(x, value);
    } else {
        _mm256_maskstore_ps(x, apus_tail_avx2(left), value);
    }
}

static void rms_norm(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rms_norm_args *args = pointer;
    int64_t length = args->length;
    for (int64_t row = begin; row < end; row++) {
        const float *x = args->input + row * args->input_stride;
        float *y = args->output + row * args->output_stride;
        __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
        for (int64_t i = 0; i < length; i += 16) {
            __m256 a = load_tail(x + i, length - i);
            low = _mm256_fmadd_ps(a, a, low);
            if (length - i <= 8) break;
            __m256 b = load_tail(x + i + 8, length - i - 8);
            high = _mm256_fmadd_ps(b, b, high);
        }
        float mean = apus_tree_avx2(low, high) / (float)length;
        __m256 r = _mm256_set1_ps(1.0f / sqrtf(mean + args->epsilon));
        for (int64_t i = 0; i < length; i += 8) {
            __m256 v = _mm256_mul_ps(load_tail(x + i, length - i), r);
            v = _mm256_mul_ps(v, load_tail(args->weight + i, length - i));
            if (args->accumulates) v = _mm256_add_ps(load_tail(y + i, length - i), v);
            store_tail(y + i, length - i, v);
        }
    }
}

APUS_INLINE void gate(const apus_gate_args *args, int64_t begin, int64_t end, apus_gate kind) {
    for (int64_t row = begin; row < end; row++) {
        const float *g = args->gate + row * args->gate_stride, *u = args->up + row * args->up_stride;
        float *y = args->output + row * args->output_stride;
        for (int64_t i = 0; i < args->length; i += 8) {
            int64_t left = args->length - i;
            __m256 v = load_tail(g + i, left);
            v = kind == APUS_GATE_SILU ? apus_silu_avx2(v) : apus_gelu_avx2(v);
            store_tail(y + i, left, _mm256_mul_ps(v, load_tail(u + i, left)));
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
    __m128 magnitude = _mm_set1_ps(args->magnitude);
    for (int64_t row = begin; row < end; row++) {
        float *cosines = args->cosines + row * args->pairs, *sines = args->sines + row * args->pairs;
        __m256d position = _mm256_set1_pd((double)args->positions[row]);
        for (int64_t i = 0; i < args->pairs; i += 4) {
            double frequencies[4] = {0};
            float cosine_values[4], sine_values[4];
            size_t count = args->pairs - i < 4 ? (size_t)(args->pairs - i) : 4;
            __m256d sine, cosine;
            memcpy(frequencies, args->inverse_frequencies + i, count * sizeof(double));
            apus_sincos_avx2(_mm256_mul_pd(position, _mm256_loadu_pd(frequencies)), &sine, &cosine);
            _mm_storeu_ps(cosine_values, _mm_mul_ps(_mm256_cvtpd_ps(cosine), magnitude));
            _mm_storeu_ps(sine_values, _mm_mul_ps(_mm256_cvtpd_ps(sine), magnitude));
            memcpy(cosines + i, cosine_values, count * sizeof(float));
            memcpy(sines + i, sine_values, count * sizeof(float));
        }
    }
}

/// Pairs (i, i + pairs) of one head.
static void rotate_halves(float *x, const float *cosines, const float *sines, int64_t pairs) {
    for (int64_t i = 0; i < pairs; i += 8) {
        int64_t left = pairs - i;
        __m256 a = load_tail(x + i, left), b = load_tail(x + pairs + i, left);
        __m256 c = load_tail(cosines + i, left), s = load_tail(sines + i, left);
        store_tail(x + i, left, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        store_tail(x + pairs + i, left, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
    }
}

/// Pairs (2i, 2i + 1) of one head, four at a time.
static void rotate_interleaved(float *x, const float *cosines, const float *sines, int64_t pairs) {
    __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    for (int64_t i = 0; i < pairs; i += 4) {
        int64_t left = pairs - i;
        __m128i four = _mm256_castsi256_si128(apus_tail_avx2(left));
        __m256 v = load_tail(x + 2 * i, 2 * left);
        __m256 c = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_maskload_ps(cosines + i, four)), twice);
        __m256 s = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_maskload_ps(sines + i, four)), twice);
        __m256 swapped = _mm256_permute_ps(v, 0xb1);
        store_tail(x + 2 * i, 2 * left, _mm256_fmaddsub_ps(v, c, _mm256_mul_ps(swapped, s)));
    }
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

static void scale(float *x, float factor, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) {
        store_tail(x + i, count - i, _mm256_mul_ps(load_tail(x + i, count - i), _mm256_set1_ps(factor)));
    }
}

static void add(float *x, const float *y, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) {
        store_tail(x + i, count - i, _mm256_add_ps(load_tail(x + i, count - i), load_tail(y + i, count - i)));
    }
}

static void exp_shifted(const float *x, float shift, float *out, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) {
        __m256 v = _mm256_sub_ps(load_tail(x + i, count - i), _mm256_set1_ps(shift));
        store_tail(out + i, count - i, apus_exp_avx2(v));
    }
}

void apus_elementwise_fill_avx2(apus_kernels *table) {
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

#pragma clang attribute pop
#endif
