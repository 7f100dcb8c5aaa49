// Linear layers with float weights, AVX-512: a lane is an output, a row is a broadcast. Bits as in numbers.md section 4.

#if defined(__x86_64__)

#include <immintrin.h>

#include "../linear_float.h"
#include "../tiers.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), apply_to = function)
#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

/// Rows that share one reading of the weights: two vectors of outputs each, 24 accumulators.
#define ROWS 12

INLINE void load_line(apus_float_storage storage, const uint8_t *line, __m512 weights[2]) {
    if (storage == APUS_STORED_F32) {
        weights[0] = _mm512_load_ps(line);
        weights[1] = _mm512_load_ps(line + 64);
    } else if (storage == APUS_STORED_F16) {
        weights[0] = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)line));
        weights[1] = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(line + 32)));
    } else {
        __m512i pairs = _mm512_load_si512(line);
        weights[0] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
        weights[1] = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
    }
}

INLINE void prefetch_line(apus_float_storage storage, const uint8_t *line) {
    _mm_prefetch(line + APUS_FLOAT_PREFETCH, _MM_HINT_T0);
    if (storage == APUS_STORED_F32) { _mm_prefetch(line + APUS_FLOAT_PREFETCH + 64, _MM_HINT_T0); }
}

/// sums[row] += weights * x[row] over `count` inputs; `rows` is a constant.
INLINE void multiply_rows(apus_float_storage storage, bool streams, const uint8_t *line, const float *x, int64_t stride,
                          int64_t count, const int rows, float (*sums)[APUS_FLOAT_TILE]) {
    __m512 low[ROWS], high[ROWS];
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        low[row] = _mm512_loadu_ps(sums[row]);
        high[row] = _mm512_loadu_ps(sums[row] + 16);
    }
#pragma clang loop unroll_count(2)
    for (int64_t i = 0; i < count; i++, line += apus_float_line_bytes(storage), x += stride) {
        __m512 weights[2];
        load_line(storage, line, weights);
        if (streams) { prefetch_line(storage, line); }
#pragma clang loop unroll(full)
        for (int row = 0; row < rows; row++) {
            __m512 value = _mm512_set1_ps(x[row]);
            low[row] = _mm512_fmadd_ps(weights[0], value, low[row]);
            high[row] = _mm512_fmadd_ps(weights[1], value, high[row]);
        }
    }
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        _mm512_storeu_ps(sums[row], low[row]);
        _mm512_storeu_ps(sums[row] + 16, high[row]);
    }
}

INLINE void multiply_up_to_12(apus_float_storage storage, bool streams, const uint8_t *line, const float *x,
                              int64_t stride, int64_t count, int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    switch (rows) {
        case 1: return multiply_rows(storage, streams, line, x, stride, count, 1, sums);
        case 2: return multiply_rows(storage, streams, line, x, stride, count, 2, sums);
        case 3: return multiply_rows(storage, streams, line, x, stride, count, 3, sums);
        case 4: return multiply_rows(storage, streams, line, x, stride, count, 4, sums);
        case 5: return multiply_rows(storage, streams, line, x, stride, count, 5, sums);
        case 6: return multiply_rows(storage, streams, line, x, stride, count, 6, sums);
        case 7: return multiply_rows(storage, streams, line, x, stride, count, 7, sums);
        case 8: return multiply_rows(storage, streams, line, x, stride, count, 8, sums);
        case 9: return multiply_rows(storage, streams, line, x, stride, count, 9, sums);
        case 10: return multiply_rows(storage, streams, line, x, stride, count, 10, sums);
        case 11: return multiply_rows(storage, streams, line, x, stride, count, 11, sums);
        default: return multiply_rows(storage, streams, line, x, stride, count, 12, sums);
    }
}

static void multiply_block(const float (*block)[APUS_FLOAT_TILE], const float *x, int64_t stride, int64_t count,
                           int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    multiply_up_to_12(APUS_STORED_F32, false, (const uint8_t *)block, x, stride, count, rows, sums);
}

INLINE void widen(apus_float_storage storage, const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    for (int64_t i = 0; i < count; i++, lines += apus_float_line_bytes(storage)) {
        __m512 weights[2];
        load_line(storage, lines, weights);
        prefetch_line(storage, lines);
        _mm512_store_ps(block[i], weights[0]);
        _mm512_store_ps(block[i] + 16, weights[1]);
    }
}

static void widen_f16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_F16, lines, count, block);
}

static void widen_bf16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_BF16, lines, count, block);
}

INLINE void multiply_few(const apus_matmul_args *args, apus_float_storage storage, int64_t tile) {
    float sums[ROWS][APUS_FLOAT_TILE] = {0};
    multiply_up_to_12(storage, true, apus_float_tile(args, storage, tile), args->panels, args->rows, args->inputs,
                      args->rows, sums);
    for (int64_t row = 0; row < args->rows; row++) { apus_float_store(args, tile, row, sums[row]); }
}

INLINE void multiply(const apus_matmul_args *args, apus_float_storage storage, int64_t begin, int64_t end,
                     apus_float_widen widen, void *scratch) {
    if (args->rows <= ROWS) {
        for (int64_t tile = begin; tile < end; tile++) { multiply_few(args, storage, tile); }
    } else {
        apus_float_multiply_tiles(args, storage, begin, end, ROWS, widen, multiply_block, scratch);
    }
}

static void matmul_f32(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F32, begin, end, NULL, scratch);
}

static void matmul_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F16, begin, end, widen_f16, scratch);
}

static void matmul_bf16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_BF16, begin, end, widen_bf16, scratch);
}

void apus_linear_float_fill_avx512(apus_kernels *table) {
    apus_format *formats = table->linear.formats;
    formats[apus_format_index(APUS_TYPE_F32)].matmul = matmul_f32;
    formats[apus_format_index(APUS_TYPE_F16)].matmul = matmul_f16;
    formats[apus_format_index(APUS_TYPE_BF16)].matmul = matmul_bf16;
}

#pragma clang attribute pop

#endif
