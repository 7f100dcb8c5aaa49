// Elementwise operations, AVX-512 tier (F, BW, DQ, VL).
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)

#include "math_avx512.h"

static void rms_norm(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_rms_norm_args *args = pointer;
    int64_t length = args->length;
    for (int64_t row = begin; row < end; row++) {
        const float *x = args->input + row * args->input_stride;
        float *y = args->output + row * args->output_stride;
        __m512 lanes = _mm512_setzero_ps();
        for (int64_t i = 0; i < length; i += 16) {
            __m512 v = _mm512_maskz_loadu_ps(apus_tail_avx512(length - i), x + i);
            lanes = _mm512_fmadd_ps(v, v, lanes);
        }
        float mean = apus_tree_avx512(lanes) / (float)length;
        __m512 r = _mm512_set1_ps(1.0f / sqrtf(mean + args->epsilon));
        for (int64_t i = 0; i < length; i += 16) {
            __mmask16 tail = apus_tail_avx512(length - i);
            __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(tail, x + i), r);
            v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(tail, args->weight + i));
            if (args->accumulates) v = _mm512_add_ps(_mm512_maskz_loadu_ps(tail, y + i), v);
            _mm512_mask_storeu_ps(y + i, tail, v);
        }
    }
}

APUS_INLINE void gate(const apus_gate_args *args, int64_t begin, int64_t end, apus_gate kind) {
    for (int64_t row = begin; row < end; row++) {
        const float *g = args->gate + row * args->gate_stride, *u = args->up + row * args->up_stride;
        float *y = args->output + row * args->output_stride;
        for (int64_t i = 0; i < args->length; i += 16) {
            __mmask16 tail = apus_tail_avx512(args->length - i);
            __m512 v = _mm512_maskz_loadu_ps(tail, g + i);
            v = kind == APUS_GATE_SILU ? apus_silu_avx512(v) : apus_gelu_avx512(v);
            _mm512_mask_storeu_ps(y + i, tail, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(tail, u + i)));
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
    __m256 magnitude = _mm256_set1_ps(args->magnitude);
    for (int64_t row = begin; row < end; row++) {
        float *cosines = args->cosines + row * args->pairs, *sines = args->sines + row * args->pairs;
        __m512d position = _mm512_set1_pd((double)args->positions[row]);
        for (int64_t i = 0; i < args->pairs; i += 8) {
            __mmask8 tail = (__mmask8)apus_tail_avx512(args->pairs - i);
            __m512d sine, cosine;
            apus_sincos_avx512(_mm512_mul_pd(position, _mm512_maskz_loadu_pd(tail, args->inverse_frequencies + i)),
                               &sine, &cosine);
            _mm256_mask_storeu_ps(cosines + i, tail, _mm256_mul_ps(_mm512_cvtpd_ps(cosine), magnitude));
            _mm256_mask_storeu_ps(sines + i, tail, _mm256_mul_ps(_mm512_cvtpd_ps(sine), magnitude));
        }
    }
}

/// Pairs (i, i + pairs) of one head.
static void rotate_halves(float *x, const float *cosines, const float *sines, int64_t pairs) {
    for (int64_t i = 0; i < pairs; i += 16) {
        __mmask16 tail = apus_tail_avx512(pairs - i);
        __m512 a = _mm512_maskz_loadu_ps(tail, x + i), b = _mm512_maskz_loadu_ps(tail, x + pairs + i);
        __m512 c = _mm512_maskz_loadu_ps(tail, cosines + i), s = _mm512_maskz_loadu_ps(tail, sines + i);
        _mm512_mask_storeu_ps(x + i, tail, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        _mm512_mask_storeu_ps(x + pairs + i, tail, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
    }
}

/// Pairs (2i, 2i + 1) of one head, eight at a time.
static void rotate_interleaved(float *x, const float *cosines, const float *sines, int64_t pairs) {
    __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    for (int64_t i = 0; i < pairs; i += 8) {
        __mmask8 tail = (__mmask8)apus_tail_avx512(pairs - i);
        __mmask16 both = apus_tail_avx512(2 * (pairs - i));
        __m512 v = _mm512_maskz_loadu_ps(both, x + 2 * i);
        __m512 c = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_maskz_loadu_ps(tail, cosines + i)));
        __m512 s = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_maskz_loadu_ps(tail, sines + i)));
        __m512 swapped = _mm512_permute_ps(v, 0xb1);
        _mm512_mask_storeu_ps(x + 2 * i, both, _mm512_fmaddsub_ps(v, c, _mm512_mul_ps(swapped, s)));
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
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 tail = apus_tail_avx512(count - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(tail, x + i), _mm512_set1_ps(factor));
        _mm512_mask_storeu_ps(x + i, tail, v);
    }
}

static void add(float *x, const float *y, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 tail = apus_tail_avx512(count - i);
        __m512 v = _mm512_add_ps(_mm512_maskz_loadu_ps(tail, x + i), _mm512_maskz_loadu_ps(tail, y + i));
        _mm512_mask_storeu_ps(x + i, tail, v);
    }
}

static void exp_shifted(const float *x, float shift, float *out, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 tail = apus_tail_avx512(count - i);
        __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(tail, x + i), _mm512_set1_ps(shift));
        _mm512_mask_storeu_ps(out + i, tail, apus_exp_avx512(v));
    }
}

void apus_elementwise_fill_avx512(apus_kernels *table) {
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
