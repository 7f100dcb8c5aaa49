// Linear layers with float weights, AVX2: a lane is an output, a row is a broadcast. Bits as in numbers.md section 4.

#if defined(__x86_64__)

#include <immintrin.h>

#include "../linear_float.h"
#include "../tiers.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

/// Rows that share one reading of half a line: two vectors each, 12 accumulators.
#define ROWS 6
/// Rows that share one reading of whole lines: four vectors each.
#define WHOLE_LINE_ROWS 3
/// Rows that share one pass over stored weights, in two parts.
#define STREAMED_ROWS 12
/// Lines that meet all rows in one half, then in the other, while they are in the first cache level.
#define STREAMED_LINES 64

/// The 32 weights of one input. Vector v holds outputs 8 v ... 8 v + 7.
INLINE void load_line(apus_float_storage storage, const uint8_t *line, __m256 weights[4]) {
    if (storage == APUS_STORED_F32) {
        for (int v = 0; v < 4; v++) { weights[v] = _mm256_load_ps((const float *)line + 8 * v); }
    } else if (storage == APUS_STORED_F16) {
        for (int v = 0; v < 4; v++) { weights[v] = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)line + v)); }
    } else {
        for (int v = 0; v < 2; v++) {
            __m256i pairs = _mm256_load_si256((const __m256i *)line + v);
            weights[v] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
            weights[2 + v] = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
        }
    }
}

/// Where the two vectors of half a line begin: 16 floats or binary16 in sequence, bfloat16 as they are interleaved.
INLINE int first_output(apus_float_storage storage, int half) {
    return half * (storage == APUS_STORED_BF16 ? 8 : 16);
}

INLINE int second_output(apus_float_storage storage, int half) {
    return first_output(storage, half) + (storage == APUS_STORED_BF16 ? 16 : 8);
}

INLINE void load_half_line(apus_float_storage storage, const uint8_t *line, int half, __m256 weights[2]) {
    if (storage == APUS_STORED_F32) {
        weights[0] = _mm256_load_ps((const float *)line + 16 * half);
        weights[1] = _mm256_load_ps((const float *)line + 16 * half + 8);
    } else if (storage == APUS_STORED_F16) {
        weights[0] = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)line + 2 * half));
        weights[1] = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)line + 2 * half + 1));
    } else {
        __m256i pairs = _mm256_load_si256((const __m256i *)line + half);
        weights[0] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
        weights[1] = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
    }
}

INLINE void prefetch_line(apus_float_storage storage, const uint8_t *line) {
    _mm_prefetch(line + APUS_FLOAT_PREFETCH, _MM_HINT_T0);
    if (storage == APUS_STORED_F32) { _mm_prefetch(line + APUS_FLOAT_PREFETCH + 64, _MM_HINT_T0); }
}

/// Whole lines of a stream times `rows` rows, a constant.
INLINE void multiply_whole_lines(apus_float_storage storage, const uint8_t *line, const float *x, int64_t count,
                            const int rows, float (*sums)[APUS_FLOAT_TILE]) {
    __m256 acc[WHOLE_LINE_ROWS][4] = {0};
    for (int64_t i = 0; i < count; i++, line += apus_float_line_bytes(storage), x += rows) {
        __m256 weights[4];
        load_line(storage, line, weights);
        prefetch_line(storage, line);
#pragma clang loop unroll(full)
        for (int row = 0; row < rows; row++) {
            __m256 value = _mm256_broadcast_ss(x + row);
            for (int v = 0; v < 4; v++) { acc[row][v] = _mm256_fmadd_ps(weights[v], value, acc[row][v]); }
        }
    }
    for (int row = 0; row < rows; row++) {
        for (int v = 0; v < 4; v++) { _mm256_storeu_ps(sums[row] + 8 * v, acc[row][v]); }
    }
}

/// Half lines times `rows` rows, a constant.
INLINE void multiply_half(apus_float_storage storage, bool streams, const uint8_t *line, int half, const float *x,
                          int64_t stride, int64_t count, const int rows, float (*sums)[APUS_FLOAT_TILE]) {
    __m256 low[ROWS], high[ROWS];
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        low[row] = _mm256_loadu_ps(sums[row] + first_output(storage, half));
        high[row] = _mm256_loadu_ps(sums[row] + second_output(storage, half));
    }
#pragma clang loop unroll_count(2)
    for (int64_t i = 0; i < count; i++, line += apus_float_line_bytes(storage), x += stride) {
        __m256 weights[2];
        load_half_line(storage, line, half, weights);
        if (streams) { prefetch_line(storage, line); }
#pragma clang loop unroll(full)
        for (int row = 0; row < rows; row++) {
            __m256 value = _mm256_broadcast_ss(x + row);
            low[row] = _mm256_fmadd_ps(weights[0], value, low[row]);
            high[row] = _mm256_fmadd_ps(weights[1], value, high[row]);
        }
    }
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        _mm256_storeu_ps(sums[row] + first_output(storage, half), low[row]);
        _mm256_storeu_ps(sums[row] + second_output(storage, half), high[row]);
    }
}

/// Whole lines times up to ROWS rows, one half after the other.
INLINE void multiply_lines(apus_float_storage storage, bool streams, const uint8_t *lines, const float *x,
                           int64_t stride, int64_t count, int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    for (int half = 0; half < 2; half++) {
        switch (rows) {
            case 1: multiply_half(storage, streams, lines, half, x, stride, count, 1, sums); break;
            case 2: multiply_half(storage, streams, lines, half, x, stride, count, 2, sums); break;
            case 3: multiply_half(storage, streams, lines, half, x, stride, count, 3, sums); break;
            case 4: multiply_half(storage, streams, lines, half, x, stride, count, 4, sums); break;
            case 5: multiply_half(storage, streams, lines, half, x, stride, count, 5, sums); break;
            default: multiply_half(storage, streams, lines, half, x, stride, count, 6, sums);
        }
    }
}

static void multiply_block(const float (*block)[APUS_FLOAT_TILE], const float *x, int64_t stride, int64_t count,
                           int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    multiply_lines(APUS_STORED_F32, false, (const uint8_t *)block, x, stride, count, rows, sums);
}

INLINE void widen(apus_float_storage storage, const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    for (int64_t i = 0; i < count; i++, lines += apus_float_line_bytes(storage)) {
        __m256 weights[4];
        load_line(storage, lines, weights);
        prefetch_line(storage, lines);
        for (int v = 0; v < 4; v++) { _mm256_store_ps(block[i] + 8 * v, weights[v]); }
    }
}

static void widen_f16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_F16, lines, count, block);
}

static void widen_bf16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_BF16, lines, count, block);
}

/// Rows in two parts at most, times a stream of stored weights.
INLINE void multiply_stream(apus_float_storage storage, const uint8_t *lines, const float *x, int64_t count,
                            int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    int64_t part = rows <= ROWS ? rows : (rows + 1) / 2;
    __builtin_memset(sums, 0, (size_t)rows * sizeof *sums);
    for (int64_t start = 0; start < count; start += STREAMED_LINES) {
        int64_t some = count - start < STREAMED_LINES ? count - start : STREAMED_LINES;
        const uint8_t *from = lines + start * apus_float_line_bytes(storage);
        for (int64_t row = 0; row < rows; row += part) {
            int64_t few = rows - row < part ? rows - row : part;
            multiply_lines(storage, true, from, x + start * rows + row, rows, some, few, sums + row);
        }
    }
}

INLINE void multiply_few(const apus_matmul_args *args, apus_float_storage storage, int64_t tile) {
    const uint8_t *lines = apus_float_tile(args, storage, tile);
    float sums[STREAMED_ROWS][APUS_FLOAT_TILE];
    switch (args->rows) {
        case 1: multiply_whole_lines(storage, lines, args->panels, args->inputs, 1, sums); break;
        case 2: multiply_whole_lines(storage, lines, args->panels, args->inputs, 2, sums); break;
        case 3: multiply_whole_lines(storage, lines, args->panels, args->inputs, 3, sums); break;
        default: multiply_stream(storage, lines, args->panels, args->inputs, args->rows, sums);
    }
    for (int64_t row = 0; row < args->rows; row++) { apus_float_store(args, tile, row, sums[row]); }
}

INLINE void multiply(const apus_matmul_args *args, apus_float_storage storage, int64_t begin, int64_t end,
                     apus_float_widen widen, void *scratch) {
    if (args->rows <= STREAMED_ROWS) {
        for (int64_t tile = begin; tile < end; tile++) { multiply_few(args, storage, tile); }
    } else {
        apus_float_multiply_tiles(args, storage, begin, end, ROWS, widen, multiply_block, scratch);
    }
}

// MARK: Panels

INLINE void transpose_8x8(const float *from, int64_t from_stride, float *to, int64_t to_stride) {
    __m256 a[8], b[8];
    for (int i = 0; i < 4; i++) {  // rows i and i + 4 share a register, so that no step crosses its halves
        a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * from_stride)),
                                    _mm_loadu_ps(from + (i + 4) * from_stride), 1);
        a[4 + i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * from_stride + 4)),
                                        _mm_loadu_ps(from + (i + 4) * from_stride + 4), 1);
    }
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int half = 0; half < 8; half += 4) {
        for (int i = 0; i < 2; i++) {
            __m256 even = _mm256_shuffle_ps(b[half + i], b[half + 2 + i], 0x44);
            __m256 odd = _mm256_shuffle_ps(b[half + i], b[half + 2 + i], 0xee);
            _mm256_storeu_ps(to + (half + 2 * i) * to_stride, even);
            _mm256_storeu_ps(to + (half + 2 * i + 1) * to_stride, odd);
        }
    }
}

INLINE void copy_transposed(const float *from, int64_t from_stride, int64_t rows, int64_t inputs, float *to,
                            int64_t to_stride) {
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < inputs; i++) { to[i * to_stride + row] = from[row * from_stride + i]; }
    }
}

/// Input rows to panels: [input][row].
static void prepare_f32(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_prepare_args *args = pointer;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first = panel * APUS_FLOAT_PANEL;
        int64_t rows = args->rows - first < APUS_FLOAT_PANEL ? args->rows - first : APUS_FLOAT_PANEL;
        int64_t stride = args->input_stride, whole_rows = rows / 8 * 8, whole = args->inputs / 8 * 8;
        const float *input = args->input + first * stride;
        float *target = (float *)args->panels + first * args->inputs;
        for (int64_t i = 0; i < whole; i += 8) {
            for (int64_t row = 0; row < whole_rows; row += 8) {
                transpose_8x8(input + row * stride + i, stride, target + i * rows + row, rows);
            }
        }
        copy_transposed(input + whole, stride, whole_rows, args->inputs - whole, target + whole * rows, rows);
        copy_transposed(input + whole_rows * stride, stride, rows - whole_rows, args->inputs, target + whole_rows, rows);
    }
}

// MARK: Formats

static void matmul_f32(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F32, begin, end, NULL, scratch);
}

static void matmul_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F16, begin, end, widen_f16, scratch);
}

static void matmul_bf16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_BF16, begin, end, widen_bf16, scratch);
}

void apus_linear_float_fill_avx2(apus_kernels *table) {
    apus_format *formats = table->linear.formats;
    formats[apus_format_index(APUS_TYPE_F32)].matmul = matmul_f32;
    formats[apus_format_index(APUS_TYPE_F16)].matmul = matmul_f16;
    formats[apus_format_index(APUS_TYPE_BF16)].matmul = matmul_bf16;
    table->linear.prepare[APUS_ACTIVATION_F32] = prepare_f32;
}

#pragma clang attribute pop

#endif
