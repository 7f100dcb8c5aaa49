// The two ways through a matrix, shared by all vector tiers (numbers.md, sections 2 and 3).
//
// Few rows: a tile's weights are unpacked in registers and meet up to sixteen rows there, again for the next ones while the
// tile is in the cache (multiply_few). Many rows: 384 inputs of some vectors of outputs are unpacked to bytes in the
// first-level cache and every panel of rows runs over them (multiply_many). Both keep one accumulator per output and add the
// groups of 32 in ascending order: the same bits.
//
// A tier file defines, before including this:
//   APUS_COLUMNS, APUS_ROWS   the block of accumulators that fits its registers
//   APUS_SETS                 as many times APUS_COLUMNS are unpacked at once
//   APUS_ROWS_PER_16          the same for scales per 16, which need more of them
//   pair_dot(a, b)            per lane the dot product of two pairs of int16
//   dot_steps(...)            per lane the dot products of unsigned codes and activation codes
//   code_offset(...)          what the codes of dot_steps still have too much
#pragma once

#include <math.h>
#include <string.h>

#include "linear_unpack.h"

#define APUS_CHUNK_GROUPS 12     ///< groups of 32 inputs unpacked at a time
#define APUS_FEW_ROWS 8          ///< the dot products of so many rows stay in registers
#define APUS_PASS_ROWS 16        ///< so many rows at most meet a tile's weights each time that they are unpacked
#define APUS_ROWS_AT_ONCE 3600   ///< a multiple of APUS_PANEL_ROWS whose accumulators fit the scratch
#define APUS_PREFETCH_BYTES 8192

_Static_assert(APUS_ROWS_AT_ONCE % APUS_PANEL_ROWS == 0, "whole panels");
_Static_assert(APUS_PANEL_ROWS % APUS_FEW_ROWS == 0 && APUS_SMALL_PANEL_ROWS % APUS_FEW_ROWS == 0 &&
               APUS_PASS_ROWS == 2 * APUS_FEW_ROWS, "each half of a pass lies in one panel");
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

// MARK: One group

/// Exact dot products over `steps` steps of four inputs, starting from minus the offset times the activation sums.
APUS_INLINE void exact_dots(vint *dots, int columns, int rows, const weight_group *weights, row_group x, int first,
                            int steps, int32_t start, int bits) {
    for (int row = 0; row < rows; row++) {
        vint initial = start ? pair_dot(splat_int(x.half_sums[row]), splat_int(start)) : splat_int(0);
        for (int column = 0; column < columns; column++) { dots[column * rows + row] = initial; }
    }
    dot_steps(dots, columns, rows, weights, x.codes, first, steps, bits);
}

APUS_INLINE int32_t int16_pair(int low, int high) {
    return (int32_t)((uint32_t)high << 16 | (uint16_t)low);
}

APUS_INLINE void add_per_32(vfloat *sums, int columns, int rows, const weight_group *weights, row_group x,
                            arithmetic how) {
    vint dots[APUS_COLUMNS * APUS_FEW_ROWS];
    int offset = code_offset(how.offset, how.bits);
    exact_dots(dots, columns, rows, weights, x, 0, 8, int16_pair(-offset, -offset), how.bits);
    for (int column = 0; column < columns; column++) {
        for (int row = 0; row < rows; row++) {
            vfloat *sum = &sums[column * rows + row];
            *sum = fused(to_float(dots[column * rows + row]), weights[column].d * x.scales[row], *sum);
            if (how.scaling == PER_32_WITH_MINIMUM) {
                *sum = fused(weights[column].m, splat_float(x.sums[row]), *sum);
            }
        }
    }
}

/// Scales times dot products stay below 2^24, so they are exact in floats, too; starting from +0 keeps a zero positive,
/// as an integer zero is.
APUS_INLINE void add_per_16(vfloat *sums, int columns, int rows, const weight_group *weights, row_group x,
                            arithmetic how) {
    vint dots[APUS_COLUMNS * APUS_FEW_ROWS];
    vfloat scaled[APUS_COLUMNS * APUS_FEW_ROWS];
    int offset = code_offset(how.offset, how.bits);
    exact_dots(dots, columns, rows, weights, x, 0, 4, int16_pair(-offset, 0), how.bits);
    for (int i = 0; i < columns * rows; i++) { scaled[i] = fused(to_float(dots[i]), weights[i / rows].s0, (vfloat){}); }
    exact_dots(dots, columns, rows, weights, x, 4, 4, int16_pair(0, -offset), how.bits);
    for (int i = 0; i < columns * rows; i++) {
        int column = i / rows, row = i % rows;
        scaled[i] = fused(to_float(dots[i]), weights[column].s1, scaled[i]);
        sums[i] = fused(scaled[i], weights[column].d * x.scales[row], sums[i]);
        if (how.scaling == PER_16_WITH_MINIMUM) {
            vint minimum = pair_dot(splat_int(x.half_sums[row]), weights[column].minima);
            sums[i] = fused(to_float(minimum), weights[column].m * x.scales[row], sums[i]);
        }
    }
}

APUS_INLINE void add_group(vfloat *sums, int columns, int rows, const weight_group *weights, row_group x,
                           arithmetic how) {
    if (how.scaling == PER_32 || how.scaling == PER_32_WITH_MINIMUM) {
        add_per_32(sums, columns, rows, weights, x, how);
    } else {
        add_per_16(sums, columns, rows, weights, x, how);
    }
}

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

// MARK: Few rows

/// A format's sizes, constants in each of its kernels.
typedef struct tile_sizes {
    int groups_per_block, group_bytes;  ///< of 32 inputs; bytes of all 16 outputs
    int body_bytes;
    apus_scale_place scales;
} tile_sizes;

/// Up to APUS_FEW_ROWS rows of one panel.
typedef struct panel_part {
    const uint8_t *group;  ///< of the panel's rows, the next of 32 inputs
    int64_t panel_rows, first;
} panel_part;

APUS_INLINE panel_part part_from(const apus_matmul_args *args, int64_t row) {
    int64_t rows, start = apus_panel_start(args, row, &rows);
    const uint8_t *panel = (const uint8_t *)args->panels + start * (args->inputs / APUS_GROUP) * APUS_PANEL_ROW_BYTES;
    return (panel_part){panel, rows, row - start};
}

APUS_INLINE row_group next_group(panel_part *part) {
    row_group group = rows_from(part->group, part->panel_rows, part->first);
    part->group += part->panel_rows * APUS_PANEL_ROW_BYTES;
    return group;
}

/// Rows from `first` on, a multiple of APUS_FEW_ROWS: each so many lie in one panel.
APUS_INLINE void multiply_tile(const apus_matmul_args *args, const uint8_t *tile, int64_t output, int64_t first,
                               int rows, vector_format format, tile_sizes sizes) {
    const uint8_t *ahead = tile + APUS_PREFETCH_BYTES, *goal = ahead;
    int low = rows < APUS_FEW_ROWS ? rows : APUS_FEW_ROWS;
    panel_part lower = part_from(args, first), upper = part_from(args, rows > low ? first + low : first);
    vfloat sums[APUS_PARTS * APUS_PASS_ROWS];
    for (int i = 0; i < APUS_PARTS * rows; i++) { sums[i] = (vfloat){}; }
    int64_t blocks = args->inputs / (sizes.groups_per_block * APUS_GROUP);
    for (int64_t block = 0; block < blocks; block++) {
        const uint8_t *body = tile + apus_body_offset(sizes.scales, sizes.body_bytes, block);
        const uint8_t *front = tile + apus_scale_offset(sizes.scales, sizes.body_bytes, block);
        block_scales scales[APUS_PARTS];
        for (int part = 0; part < APUS_PARTS; part++) {
            format.open(&scales[part], front, body, part);
        }
#pragma clang loop unroll(disable)
        for (int index = 0; index < sizes.groups_per_block; index++) {
            for (goal += sizes.group_bytes; ahead < goal; ahead += 64) { __builtin_prefetch(ahead, 0, 3); }
            row_group of_lower = next_group(&lower), of_upper = rows > low ? next_group(&upper) : of_lower;
            for (int part = 0; part < APUS_PARTS; part++) {
                weight_group weights;
                format.unpack(&weights, &scales[part], body, index, part);
                add_group(sums + part * rows, 1, low, &weights, of_lower, format.arithmetic);
                if (rows > low) {
                    add_group(sums + part * rows + low, 1, rows - low, &weights, of_upper, format.arithmetic);
                }
            }
        }
    }
    for (int part = 0; part < APUS_PARTS; part++) {
        for (int row = 0; row < rows; row++) {
            store_sum(args, first + row, output + part * APUS_LANES, sums[part * rows + row]);
        }
    }
}

APUS_INLINE void multiply_few(const apus_matmul_args *args, int64_t begin, int64_t end, vector_format format,
                              tile_sizes sizes) {
    int64_t tile_bytes = apus_tile_bytes(apus_tile_layout_for_type(format.type), args->inputs);
    for (int64_t index = begin; index < end; index++) {
        const uint8_t *tile = (const uint8_t *)args->weights + index * tile_bytes;
        for (int64_t first = 0, rows; first < args->rows; first += rows) {
            int64_t left = args->rows - first;
            rows = left < APUS_FEW_ROWS ? left : left < 12 ? APUS_FEW_ROWS : left < APUS_PASS_ROWS ? 12 : APUS_PASS_ROWS;
            switch (rows) {
#define CASE(rows)                                                                            \
    case rows:                                                                                \
        multiply_tile(args, tile, index * APUS_TILE_ROWS, first, rows, format, sizes);        \
        break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(12) CASE(16)
#undef CASE
            default:
                break;
            }
        }
    }
}

// MARK: Many rows

/// What is brought to the first-level cache while a group is multiplied, a little at a time: a burst of prefetches would
/// take the line fills that loads wait for.
typedef struct rows_ahead {
    const uint8_t *codes;   ///< of the panel's next rows, in the first group; behind its last, scales
    const uint8_t *output;  ///< what the first row will be stored to, and
    int64_t output_stride;  ///< bytes to the next row's
} rows_ahead;

APUS_INLINE void multiply_rows(vfloat *sums, int columns, int rows, const weight_group *weights, int64_t groups,
                               int is_first, const uint8_t *panel, int64_t panel_rows, int64_t first, rows_ahead ahead,
                               arithmetic how) {
    vfloat local[APUS_COLUMNS * APUS_FEW_ROWS];
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            local[column * rows + row] = is_first ? (vfloat){} : sums[row * columns + column];
        }
    }
#pragma clang loop unroll(disable)
    for (int64_t group = 0; group < groups; group++) {
        for (int line = 0; line < rows * APUS_GROUP; line += 64) { __builtin_prefetch(ahead.codes + line, 0, 3); }
        for (int column = 0; column < columns; column++) {
            __builtin_prefetch(ahead.output + column * (int)sizeof(vfloat), 1, 3);
        }
        add_group(local, columns, rows, weights, rows_from(panel, panel_rows, first), how);
        weights += columns;
        panel += panel_rows * APUS_PANEL_ROW_BYTES;
        ahead.codes += panel_rows * APUS_PANEL_ROW_BYTES;
        ahead.output += ahead.output_stride;
    }
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) { sums[row * columns + column] = local[column * rows + row]; }
    }
}

/// `count` rows of a panel and every set of columns. Rows of the output lie pages apart, so they are fetched before they
/// are stored to; while sums are no results yet, the first of them stands for the output.
APUS_INLINE void multiply_sets(vfloat *sums, int columns, int count, unpacked_chunk chunk, const apus_matmul_args *args,
                               int64_t start, const uint8_t *panel, int64_t panel_rows, int64_t row, int64_t set_stride,
                               arithmetic how) {
    const uint8_t *next = panel + (row + count) * APUS_GROUP;
    for (int64_t set = 0; set < chunk.sets; set++) {
        const float *output = args->output + (start + row) * args->output_stride +
            (chunk.column + set * columns) * APUS_LANES;
        rows_ahead ahead = {next, (const uint8_t *)(chunk.is_last ? output : (const float *)sums),
                            chunk.is_last ? args->output_stride * (int64_t)sizeof(float) : 0};
        multiply_rows(sums + set * set_stride, columns, count, chunk.weights + set * chunk.groups * columns,
                      chunk.groups, chunk.first_group == 0, panel, panel_rows, row, ahead, how);
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

APUS_INLINE void multiply_panels(vfloat *sums, int columns, unpacked_chunk chunk, const apus_matmul_args *args,
                                 int64_t first, int64_t last, arithmetic how) {
    int64_t set_stride = (last - first) * columns;
    for (int64_t start = first; start < last; start += APUS_PANEL_ROWS) {
        int64_t rows = args->rows - start < APUS_PANEL_ROWS ? args->rows - start : APUS_PANEL_ROWS;
        const uint8_t *panel = (const uint8_t *)args->panels +
            (start * (args->inputs / APUS_GROUP) + chunk.first_group * rows) * APUS_PANEL_ROW_BYTES;
        int64_t row = 0;
#define ROWS(count)                                                                                              \
    for (; row + count <= rows; row += count) {                                                                  \
        multiply_sets(sums + row * columns, columns, count, chunk, args, start, panel, rows, row, set_stride, how); \
    }
        if (how.scaling == PER_32 || how.scaling == PER_32_WITH_MINIMUM) { ROWS(APUS_ROWS) }
        ROWS(APUS_ROWS_PER_16)
        ROWS(2)
        ROWS(1)
#undef ROWS
        if (chunk.is_last) { store_panel(sums, columns, chunk, args, start, rows, set_stride); }
        sums += rows * columns;
    }
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
                weight_group *target = out + ((block - first_block) * sizes.groups_per_block + index) * columns + i;
                format.unpack(target, &scales, body, index, part);
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
