// Linear layers with float weights, NEON: a lane is an output, a row is a broadcast. Bits as in numbers.md section 4.

#if defined(__aarch64__)

#include <arm_neon.h>

#include "../linear_float.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

/// Rows that share one reading of a quarter line of floats: two vectors each, 24 accumulators.
#define ROWS 12
/// Rows that share one pass over stored weights: eight vectors each.
#define STREAMED_ROWS 2

/// The 32 weights of one input. Vector v holds outputs 4 v ... 4 v + 3.
INLINE void load_line(apus_float_storage storage, const uint8_t *line, float32x4_t weights[8]) {
    if (storage == APUS_STORED_F32) {
        for (int v = 0; v < 8; v++) { weights[v] = vld1q_f32((const float *)line + 4 * v); }
    } else if (storage == APUS_STORED_F16) {
        for (int v = 0; v < 8; v++) {
            weights[v] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)line + 4 * v)));
        }
    } else {
        for (int v = 0; v < 4; v++) {
            uint32x4_t pairs = vld1q_u32((const uint32_t *)line + 4 * v);
            weights[v] = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
            weights[4 + v] = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000)));
        }
    }
}

INLINE void prefetch_line(apus_float_storage storage, const uint8_t *line) {
    __builtin_prefetch(line + APUS_FLOAT_PREFETCH);
    if (storage == APUS_STORED_F32) { __builtin_prefetch(line + APUS_FLOAT_PREFETCH + 64); }
}

/// Whole lines of a stream times `rows` rows, a constant.
INLINE void multiply_stream(apus_float_storage storage, const uint8_t *line, const float *x, int64_t count,
                            const int rows, float (*sums)[APUS_FLOAT_TILE]) {
    float32x4_t acc[STREAMED_ROWS][8] = {0};
    for (int64_t i = 0; i < count; i++, line += apus_float_line_bytes(storage), x += rows) {
        float32x4_t weights[8];
        load_line(storage, line, weights);
        prefetch_line(storage, line);
        for (int row = 0; row < rows; row++) {
            for (int v = 0; v < 8; v++) { acc[row][v] = vfmaq_n_f32(acc[row][v], weights[v], x[row]); }
        }
    }
    for (int row = 0; row < rows; row++) {
        for (int v = 0; v < 8; v++) { vst1q_f32(sums[row] + 4 * v, acc[row][v]); }
    }
}

/// Quarter lines of a block times `rows` rows, a constant.
INLINE void multiply_quarter(const float *line, const float *x, int64_t stride, int64_t count, const int rows,
                             float (*sums)[APUS_FLOAT_TILE], int64_t offset) {
    float32x4_t low[ROWS], high[ROWS];
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        low[row] = vld1q_f32(sums[row] + offset);
        high[row] = vld1q_f32(sums[row] + offset + 4);
    }
    for (int64_t i = 0; i < count; i++, line += APUS_FLOAT_TILE, x += stride) {
        float32x4_t first = vld1q_f32(line + offset), second = vld1q_f32(line + offset + 4);
#pragma clang loop unroll(full)
        for (int row = 0; row < rows; row++) {
            low[row] = vfmaq_n_f32(low[row], first, x[row]);
            high[row] = vfmaq_n_f32(high[row], second, x[row]);
        }
    }
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; row++) {
        vst1q_f32(sums[row] + offset, low[row]);
        vst1q_f32(sums[row] + offset + 4, high[row]);
    }
}

static void multiply_block(const float (*block)[APUS_FLOAT_TILE], const float *x, int64_t stride, int64_t count,
                           int64_t rows, float (*sums)[APUS_FLOAT_TILE]) {
    for (int64_t offset = 0; offset < APUS_FLOAT_TILE; offset += 8) {
        switch (rows) {
            case 1: multiply_quarter(*block, x, stride, count, 1, sums, offset); break;
            case 2: multiply_quarter(*block, x, stride, count, 2, sums, offset); break;
            case 3: multiply_quarter(*block, x, stride, count, 3, sums, offset); break;
            case 4: multiply_quarter(*block, x, stride, count, 4, sums, offset); break;
            case 5: multiply_quarter(*block, x, stride, count, 5, sums, offset); break;
            case 6: multiply_quarter(*block, x, stride, count, 6, sums, offset); break;
            case 7: multiply_quarter(*block, x, stride, count, 7, sums, offset); break;
            case 8: multiply_quarter(*block, x, stride, count, 8, sums, offset); break;
            case 9: multiply_quarter(*block, x, stride, count, 9, sums, offset); break;
            case 10: multiply_quarter(*block, x, stride, count, 10, sums, offset); break;
            case 11: multiply_quarter(*block, x, stride, count, 11, sums, offset); break;
            default: multiply_quarter(*block, x, stride, count, 12, sums, offset);
        }
    }
}

INLINE void widen(apus_float_storage storage, const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    for (int64_t i = 0; i < count; i++, lines += apus_float_line_bytes(storage)) {
        float32x4_t weights[8];
        load_line(storage, lines, weights);
        prefetch_line(storage, lines);
        for (int v = 0; v < 8; v++) { vst1q_f32(block[i] + 4 * v, weights[v]); }
    }
}

static void widen_f16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_F16, lines, count, block);
}

static void widen_bf16(const uint8_t *lines, int64_t count, float (*block)[APUS_FLOAT_TILE]) {
    widen(APUS_STORED_BF16, lines, count, block);
}

INLINE void multiply_few(const apus_matmul_args *args, apus_float_storage storage, int64_t tile) {
    const uint8_t *lines = apus_float_tile(args, storage, tile);
    float sums[STREAMED_ROWS][APUS_FLOAT_TILE];
    if (args->rows == 1) {
        multiply_stream(storage, lines, args->panels, args->inputs, 1, sums);
    } else {
        multiply_stream(storage, lines, args->panels, args->inputs, 2, sums);
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

static void matmul_f32(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F32, begin, end, NULL, scratch);
}

static void matmul_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_F16, begin, end, widen_f16, scratch);
}

static void matmul_bf16(const void *args, int64_t begin, int64_t end, void *scratch) {
    multiply(args, APUS_STORED_BF16, begin, end, widen_bf16, scratch);
}

void apus_linear_float_fill_neon(apus_kernels *table) {
    apus_format *formats = table->linear.formats;
    formats[apus_format_index(APUS_TYPE_F32)].matmul = matmul_f32;
    formats[apus_format_index(APUS_TYPE_F16)].matmul = matmul_f16;
    formats[apus_format_index(APUS_TYPE_BF16)].matmul = matmul_bf16;
}

#endif
