// Many rows through a matrix, shared by all vector tiers (numbers.md, sections 2 and 3): 384 inputs of some vectors of
// outputs are unpacked to bytes in the first-level cache and every panel of rows runs over them. There is one
// accumulator per output and the groups of 32 are added in ascending order: the same bits.
//
// A tier file defines, before including this:
//   APUS_COLUMNS, APUS_SETS   so many vectors of outputs at a time, so many times as many unpacked at once
//   APUS_CHUNK_GROUPS         groups of 32 inputs unpacked at a time
//   APUS_SIGNED_CODES         1: its dot products read signed codes, 0: unsigned ones
#pragma once

#include <math.h>
#include <string.h>

#include "linear_unpack.h"

#define APUS_ROWS_AT_ONCE 3600   ///< a multiple of APUS_PANEL_ROWS whose accumulators fit the scratch

_Static_assert(APUS_ROWS_AT_ONCE % APUS_PANEL_ROWS == 0, "whole panels");
_Static_assert(APUS_SETS * APUS_COLUMNS * (sizeof(weight_group) * APUS_CHUNK_GROUPS +
                                          sizeof(vfloat) * APUS_ROWS_AT_ONCE) <= APUS_SCRATCH_BYTES, "fits the scratch");

typedef enum scaling { PER_32, PER_32_WITH_MINIMUM, PER_16, PER_16_WITH_MINIMUM } scaling;

/// What distinguishes formats once they are unpacked.
typedef struct arithmetic {
    scaling scaling;
    int bits;    ///< of the unsigned codes
    int offset;  ///< code minus offset is q
} arithmetic;

/// A chunk of inputs, unpacked: weights [set][group][column of the set].
typedef struct unpacked_chunk {
    weight_group *weights;
    int64_t sets, first_group, groups;
    int64_t column;  ///< the first of these vectors of outputs
    int is_last;     ///< 1: the sums are results
} unpacked_chunk;

/// Adds a chunk to the sums [set][row][column of the set] of the rows from `first` up to `last`; stores the results of
/// the last.
typedef void (*panel_kernel)(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,
                             int64_t last);

typedef struct vector_format {
    int32_t type;
    arithmetic arithmetic;
    void (*open)(block_scales *scales, const void *front, const void *block, int part);
    void (*unpack)(weight_group *out, const block_scales *scales, const void *block, int index, int part);
    panel_kernel one_column, all_columns;
} vector_format;

/// Where the rows of one group of a panel lie.
typedef struct row_group {
    const int8_t *codes;
    const float *scales, *sums;
    const int32_t *half_sums;
} row_group;

APUS_INLINE row_group rows_from(const uint8_t *group, int64_t rows, int64_t first) {
    return (row_group){(const int8_t *)apus_panel_codes(group, first), apus_panel_scales(group, rows) + first,
                       apus_panel_sums(group, rows) + first, apus_panel_half_sums(group, rows) + first};
}

/// A format's sizes, constants in each of its kernels.
typedef struct tile_sizes {
    int groups_per_block, group_bytes;  ///< of 32 inputs; bytes of all 16 outputs
    int body_bytes;
    apus_scale_place scales;
} tile_sizes;

// MARK: Results

APUS_INLINE vfloat finish(vfloat sum, const float *bias, const float *old) {
    if (bias) { sum = sum + load_float(bias); }
    return old ? load_float(old) + sum : sum;
}

/// Adds bias and residual and stores the lanes that are outputs.
APUS_INLINE void store_sum(const apus_matmul_args *args, int64_t row, int64_t output, vfloat sum) {
    int64_t count = args->outputs - output;
    float *target = args->output + row * args->output_stride + output;
    const float *bias = args->bias ? args->bias + output : NULL;
    if (count >= APUS_LANES) {
        store_float(target, finish(sum, bias, args->accumulates ? target : NULL));
    } else if (count > 0) {
        float biases[APUS_LANES] = {0}, old[APUS_LANES] = {0}, result[APUS_LANES];
        size_t bytes = (size_t)count * sizeof(float);
        if (bias) { memcpy(biases, bias, bytes); }
        if (args->accumulates) { memcpy(old, target, bytes); }
        store_float(result, finish(sum, bias ? biases : NULL, args->accumulates ? old : NULL));
        memcpy(target, result, bytes);
    }
}

// MARK: Many rows

/// Rows of the output lie pages apart: fetched before they are stored to, while there is work to hide it behind.
APUS_INLINE void prefetch_outputs(unpacked_chunk chunk, const apus_matmul_args *args, int columns, int64_t first,
                                  int64_t rows) {
    for (int64_t row = first; row < first + rows; row++) {
        float *output = args->output + row * args->output_stride + chunk.column * APUS_LANES;
        for (int64_t i = 0; i < chunk.sets * columns; i++) { __builtin_prefetch(output + i * APUS_LANES, 1, 3); }
    }
}

/// Stores the sums of a panel's rows while they are in the first-level cache.
APUS_INLINE void store_panel(const vfloat *sums, int columns, unpacked_chunk chunk, const apus_matmul_args *args,
                             int64_t first, int64_t rows, int64_t set_stride) {
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t set = 0; set < chunk.sets; set++) {
            for (int i = 0; i < columns; i++) {
                store_sum(args, first + row, (chunk.column + set * columns + i) * APUS_LANES,
                          sums[set * set_stride + row * columns + i]);
            }
        }
    }
}

APUS_INLINE void remove_offset(weight_group *weights, int offset) {
    for (int s = 0; s < 8; s++) { weights->w[s] -= (uint8_t)offset; }
}

/// Brings `columns` vectors of outputs out into one set.
APUS_INLINE void unpack_set(weight_group *out, const apus_matmul_args *args, int64_t column, int columns,
                            int64_t first_block, int64_t blocks, int64_t distance, vector_format format,
                            tile_sizes sizes) {
    int64_t tile_bytes = apus_tile_bytes(apus_tile_layout_for_type(format.type), args->inputs);
    for (int i = 0; i < columns; i++) {
        int part = (int)((column + i) % APUS_PARTS);
        const uint8_t *tile = (const uint8_t *)args->weights + (column + i) / APUS_PARTS * tile_bytes;
        for (int64_t block = first_block; block < first_block + blocks; block++) {
            const uint8_t *body = tile + apus_body_offset(sizes.scales, sizes.body_bytes, block);
            const uint8_t *front = tile + apus_scale_offset(sizes.scales, sizes.body_bytes, block);
            block_scales scales;
            format.open(&scales, front, body, part);
            int64_t bytes = sizes.body_bytes + (sizes.scales == APUS_SCALES_BEFORE_PAIR ? 32 : 0);
            for (int64_t line = 0; line < bytes; line += 64) {
                __builtin_prefetch(body + distance + line, 0, 2);
            }
#pragma clang loop unroll(disable)
            for (int index = 0; index < sizes.groups_per_block; index++) {
                weight_group weights;
                format.unpack(&weights, &scales, body, index, part);
                if (APUS_SIGNED_CODES) { remove_offset(&weights, format.arithmetic.offset); }
                out[((block - first_block) * sizes.groups_per_block + index) * columns + i] = weights;
            }
        }
    }
}

/// `sets` times `columns` vectors of outputs from `column`, rows from `first`.
APUS_INLINE void multiply_columns(const apus_matmul_args *args, int64_t column, int columns, int64_t sets,
                                  int64_t first, void *scratch, vector_format format, tile_sizes sizes) {
    weight_group *weights = scratch;
    vfloat *sums = (vfloat *)(weights + APUS_CHUNK_GROUPS * columns * sets);
    int64_t rows = args->rows - first < APUS_ROWS_AT_ONCE ? args->rows - first : APUS_ROWS_AT_ONCE;
    int64_t all_blocks = args->inputs / (sizes.groups_per_block * APUS_GROUP);
    int64_t step = apus_even_share(all_blocks, APUS_CHUNK_GROUPS / sizes.groups_per_block);
    memset(sums, 0, (size_t)(rows * columns * sets) * sizeof(vfloat));
    for (int64_t block = 0; block < all_blocks; block += step) {
        int64_t blocks = all_blocks - block < step ? all_blocks - block : step;
        unpacked_chunk chunk = {weights, sets, block * sizes.groups_per_block, blocks * sizes.groups_per_block,
                                column, block + blocks == all_blocks};
        // To the next chunk, or past the tiles that a second thread is at.
        int64_t distance = apus_body_offset(sizes.scales, sizes.body_bytes, step);
        if (chunk.is_last) {
            int64_t tile_bytes = apus_tile_bytes(apus_tile_layout_for_type(format.type), args->inputs);
            distance = 2 * sets * columns / APUS_PARTS * tile_bytes -
                apus_body_offset(sizes.scales, sizes.body_bytes, block);
        }
        for (int64_t set = 0; set < sets; set++) {
            unpack_set(weights + set * chunk.groups * columns, args, column + set * columns, columns, block, blocks,
                       distance, format, sizes);
        }
        (columns == 1 ? format.one_column : format.all_columns)(sums, chunk, args, first, first + rows);
    }
}

APUS_INLINE void multiply_many(const apus_matmul_args *args, int64_t begin, int64_t end, void *scratch,
                               vector_format format, tile_sizes sizes) {
    for (int64_t first = 0; first < args->rows; first += APUS_ROWS_AT_ONCE) {
        int64_t column = begin * APUS_PARTS, last = end * APUS_PARTS;
        while (last - column >= APUS_COLUMNS) {
            int64_t sets = (last - column) / APUS_COLUMNS < APUS_SETS ? (last - column) / APUS_COLUMNS : APUS_SETS;
            multiply_columns(args, column, APUS_COLUMNS, sets, first, scratch, format, sizes);
            column += sets * APUS_COLUMNS;
        }
        if (column < last) { multiply_columns(args, column, 1, last - column, first, scratch, format, sizes); }
    }
}
