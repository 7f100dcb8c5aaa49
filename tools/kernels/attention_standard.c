// Standard attention, the benchmark's baseline: whole matrices of scores and mask, one operation after the other, each
// over all rows before the next begins. Products go by tiles of 6 rows in registers, blocked for L2.

#include <math.h>
#include <string.h>

#include "attention_bench.h"
#include "kernels_math.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#endif

typedef float lanes __attribute__((vector_size(64)));

#define TILE_ROWS 6
#define TILE_VECTORS 4
#define UNIT_ROWS 48  // a unit of work: these rows of a head's matrices
#define KEYS_AT_ONCE 256
#define UNROLL _Pragma("clang loop unroll(full)")

/// C += A B for `rows` rows of A and 64 columns: row i of A from a + i * a_stride on, row k of B's four vectors at
/// b + k * b_stride + v * b_vectors.
APUS_INLINE void multiply_tile(const float *a, int64_t a_stride, const float *b, int64_t b_stride, int64_t b_vectors,
                               int64_t depth, int rows, float *c, int64_t c_stride) {
    lanes sums[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = *(const lanes *)(c + i * c_stride + 16 * v);
    }
    for (int64_t k = 0; k < depth; k++) {
        UNROLL for (int i = 0; i < rows; i++) {
            lanes x = a[i * a_stride + k] - (lanes){0};
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                sums[i][v] += x * *(const lanes *)(b + k * b_stride + v * b_vectors);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) *(lanes *)(c + i * c_stride + 16 * v) = sums[i][v];
    }
}

/// The same for any number of rows.
static void multiply(const float *a, int64_t a_stride, const float *b, int64_t b_stride, int64_t b_vectors,
                     int64_t depth, int64_t rows, float *c, int64_t c_stride) {
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, a += TILE_ROWS * a_stride, c += TILE_ROWS * c_stride) {
        multiply_tile(a, a_stride, b, b_stride, b_vectors, depth, TILE_ROWS, c, c_stride);
    }
    for (; rows > 0; rows--, a += a_stride, c += c_stride) {
        multiply_tile(a, a_stride, b, b_stride, b_vectors, depth, 1, c, c_stride);
    }
}

static int64_t unit_end(const standard_attention *a, int64_t unit) {
    return (unit + 1) * UNIT_ROWS < a->rows ? (unit + 1) * UNIT_ROWS : a->rows;
}

/// scores = query keys^T, of one head.
static void score(const void *pointer, int64_t begin, int64_t end, void *unit_scratch) {
    const standard_attention *a = pointer;
    int64_t first = begin * UNIT_ROWS, rows = unit_end(a, end - 1) - first, stride = a->query_heads * a->dimension;
    const float *keys = a->keys + a->head / (a->query_heads / a->kv_heads) * a->positions * a->dimension;
    (void)unit_scratch;
    memset(a->scores + first * a->positions, 0, (size_t)(rows * a->positions) * 4);
    for (int64_t key = 0; key < a->positions; key += 64) {
        multiply(a->query + first * stride + a->head * a->dimension, stride, keys + key * a->dimension, 16,
                 16 * a->dimension, a->dimension, rows, a->scores + first * a->positions + key, a->positions);
    }
}

/// scores = scores * scale + mask.
static void add_mask(const void *pointer, int64_t begin, int64_t end, void *unit_scratch) {
    const standard_attention *a = pointer;
    float scale = 1 / sqrtf((float)a->dimension), *scores = a->scores;
    const float *mask = a->mask;
    (void)unit_scratch;
    for (int64_t i = begin * UNIT_ROWS * a->positions; i < unit_end(a, end - 1) * a->positions; i++) {
        scores[i] = scores[i] * scale + mask[i];
    }
}

static void softmax(const void *pointer, int64_t begin, int64_t end, void *unit_scratch) {
    const standard_attention *a = pointer;
    (void)unit_scratch;
    for (int64_t row = begin * UNIT_ROWS; row < unit_end(a, end - 1); row++) {
        float *x = a->scores + row * a->positions, most[16], sums[16] = {0}, max = -INFINITY, sum = 0;
        for (int i = 0; i < 16; i++) most[i] = -INFINITY;
        for (int64_t j = 0; j < a->positions; j += 16) {
            for (int i = 0; i < 16; i++) most[i] = x[j + i] > most[i] ? x[j + i] : most[i];
        }
        for (int i = 0; i < 16; i++) max = most[i] > max ? most[i] : max;
        for (int64_t j = 0; j < a->positions; j += 16) {
            for (int i = 0; i < 16; i++) sums[i] += x[j + i] = apus_exp(x[j + i] - max);
        }
        for (int i = 0; i < 16; i++) sum += sums[i];
        for (int64_t j = 0; j < a->positions; j++) x[j] /= sum;
    }
}

/// output = weights values, of one head.
static void weigh(const void *pointer, int64_t begin, int64_t end, void *unit_scratch) {
    const standard_attention *a = pointer;
    int64_t first = begin * UNIT_ROWS, rows = unit_end(a, end - 1) - first, stride = a->query_heads * a->dimension;
    const float *values = a->values + a->head / (a->query_heads / a->kv_heads) * a->positions * a->dimension;
    float *output = a->output + first * stride + a->head * a->dimension;
    (void)unit_scratch;
    for (int64_t row = 0; row < rows; row++) memset(output + row * stride, 0, (size_t)a->dimension * 4);
    for (int64_t key = 0; key < a->positions; key += KEYS_AT_ONCE) {
        for (int64_t d = 0; d < a->dimension; d += 64) {
            multiply(a->scores + first * a->positions + key, a->positions, values + key * a->dimension + d, a->dimension,
                     16, KEYS_AT_ONCE, rows, output + d, stride);
        }
    }
}

void make_standard_mask(standard_attention *a) {
    for (int64_t row = 0; row < a->rows; row++) {
        int64_t position = a->positions - a->rows + row;
        for (int64_t j = 0; j < a->positions; j++) a->mask[row * a->positions + j] = j <= position ? 0 : -INFINITY;
    }
}

void run_standard_attention(standard_attention *a) {
    int64_t units = (a->rows + UNIT_ROWS - 1) / UNIT_ROWS;
    for (a->head = 0; a->head < a->query_heads; a->head++) {
        run_units(score, a, units, 1);
        run_units(add_mask, a, units, 1);
        run_units(softmax, a, units, 1);
        run_units(weigh, a, units, 1);
    }
}

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
