// How float weights (F32, F16, BF16) and their prepared input rows lie in memory, and what their kernels share.
//
// A tile holds 32 outputs, transposed: the 32 weights of one input stand together, inputs ascending. Not a byte is
// added. BF16 interleaves the two halves (outputs 0, 16, 1, 17, ...), so that one shift and one mask widen a line.
//
// A panel holds up to 24 rows of input, transposed too: the values of one input stand together, [input][row]. Panels
// follow each other without gaps.
//
// Many rows are multiplied in blocks of the inputs: a block of a few tiles is widened to floats once and meets all
// panels, of which each block stays in the first cache level for these tiles, as all panels may be larger than the second;
// the sums wait in memory from block to block. Storing a float is exact, so each output remains one chain of fused
// multiply-adds in ascending order of the inputs (numbers.md, section 4).
#pragma once

#include <stdbool.h>

#include "apus_kernels.h"

#define APUS_FLOAT_TILE 32
#define APUS_FLOAT_PANEL 24
#define APUS_FLOAT_BLOCK 128          ///< inputs that are widened at once
#define APUS_FLOAT_TILES_AT_ONCE 4    ///< tiles that meet a panel while it is in the cache
#define APUS_FLOAT_ROWS_AT_ONCE 1920  ///< a multiple of the panel whose sums fit the scratch
#define APUS_FLOAT_PREFETCH 8192      ///< bytes ahead of a stream of weights: a block of 16-bit ones

/// Into kernels, so that a tier's instructions are used here too.
#define APUS_FLOAT_INLINE static inline __attribute__((always_inline))

typedef enum apus_float_storage { APUS_STORED_F32, APUS_STORED_F16, APUS_STORED_BF16 } apus_float_storage;

/// What a thread's scratch holds while many rows are multiplied.
typedef struct apus_float_scratch {
    float weights[APUS_FLOAT_TILES_AT_ONCE][APUS_FLOAT_BLOCK][APUS_FLOAT_TILE];
    float sums[APUS_FLOAT_TILES_AT_ONCE][APUS_FLOAT_ROWS_AT_ONCE][APUS_FLOAT_TILE];
} apus_float_scratch;

_Static_assert(sizeof(apus_float_scratch) <= APUS_SCRATCH_BYTES, "scratch");

/// Bytes of the 32 weights of one input.
static inline int64_t apus_float_line_bytes(apus_float_storage storage) {
    return APUS_FLOAT_TILE * (storage == APUS_STORED_F32 ? 4 : 2);
}

static inline const uint8_t *_Nonnull apus_float_tile(const apus_matmul_args *_Nonnull args, apus_float_storage storage,
                                                      int64_t tile) {
    return (const uint8_t *)args->weights + tile * args->inputs * apus_float_line_bytes(storage);
}

/// Where output `row` of a tile stands in a line of 16-bit weights.
static inline int64_t apus_float_slot(apus_float_storage storage, int64_t row) {
    return storage == APUS_STORED_BF16 ? row % 16 * 2 + row / 16 : row;
}

/// The panel that starts with row `first`, and how many rows it has.
static inline const float *_Nonnull apus_float_panel(const apus_matmul_args *_Nonnull args, int64_t first,
                                                     int64_t *_Nonnull rows) {
    *rows = args->rows - first < APUS_FLOAT_PANEL ? args->rows - first : APUS_FLOAT_PANEL;
    return (const float *)args->panels + first * args->inputs;
}

/// Hands out the 32 finished sums of a row: bias, then residual.
APUS_FLOAT_INLINE void apus_float_store(const apus_matmul_args *_Nonnull args, int64_t tile, int64_t row,
                                        const float *_Nonnull sums) {
    int64_t first = tile * APUS_FLOAT_TILE;
    int64_t count = args->outputs - first < APUS_FLOAT_TILE ? args->outputs - first : APUS_FLOAT_TILE;
    float *target = args->output + row * args->output_stride + first;
    for (int64_t i = 0; i < count; i++) {
        float y = args->bias ? sums[i] + args->bias[first + i] : sums[i];
        target[i] = args->accumulates ? target[i] + y : y;
    }
}

/// Lines of stored weights to lines of floats.
typedef void (*apus_float_widen)(const uint8_t *_Nonnull lines, int64_t count, float (*_Nonnull block)[APUS_FLOAT_TILE]);
/// Adds the products of `count` lines of floats with `rows` rows of a panel, `stride` floats from input to input.
typedef void (*apus_float_multiply_block)(const float (*_Nonnull block)[APUS_FLOAT_TILE], const float *_Nonnull x,
                                          int64_t stride, int64_t count, int64_t rows,
                                          float (*_Nonnull sums)[APUS_FLOAT_TILE]);

/// Rows [first, last) times up to four tiles, block after block, at most `most` rows at a time.
APUS_FLOAT_INLINE void apus_float_multiply_rows(const apus_matmul_args *_Nonnull args, apus_float_storage storage,
                                                int64_t tile, int64_t tiles, int64_t first, int64_t last, int64_t most,
                                                apus_float_widen _Nullable widen,
                                                apus_float_multiply_block _Nonnull multiply,
                                                apus_float_scratch *_Nonnull scratch) {
    const int64_t line = apus_float_line_bytes(storage);
    for (int64_t t = 0; t < tiles; t++) {
        __builtin_memset(scratch->sums[t], 0, (size_t)(last - first) * sizeof *scratch->sums[t]);
    }
    for (int64_t start = 0; start < args->inputs; start += APUS_FLOAT_BLOCK) {
        int64_t count = args->inputs - start < APUS_FLOAT_BLOCK ? args->inputs - start : APUS_FLOAT_BLOCK;
        const void *blocks[APUS_FLOAT_TILES_AT_ONCE];
        for (int64_t t = 0; t < tiles; t++) {
            blocks[t] = apus_float_tile(args, storage, tile + t) + start * line;
            if (widen) {
                widen(blocks[t], count, scratch->weights[t]);
                blocks[t] = scratch->weights[t];
            }
        }
        for (int64_t panel = first; panel < last; panel += APUS_FLOAT_PANEL) {
            int64_t rows;
            const float *x = apus_float_panel(args, panel, &rows) + start * rows;
            int64_t parts = (rows + most - 1) / most, step = (rows + parts - 1) / parts;
            for (int64_t t = 0; t < tiles; t++) {
                for (int64_t part = 0; part < rows; part += step) {
                    int64_t some = rows - part < step ? rows - part : step;
                    multiply(blocks[t], x + part, rows, count, some, scratch->sums[t] + (panel - first + part));
                }
            }
        }
    }
    for (int64_t row = first; row < last; row++) {
        for (int64_t t = 0; t < tiles; t++) { apus_float_store(args, tile + t, row, scratch->sums[t][row - first]); }
    }
}

/// All rows times tiles [begin, end), as many at a time as the scratch has sums for. Without `widen` the weights are floats.
APUS_FLOAT_INLINE void apus_float_multiply_tiles(const apus_matmul_args *_Nonnull args, apus_float_storage storage,
                                                 int64_t begin, int64_t end, int64_t most,
                                                 apus_float_widen _Nullable widen,
                                                 apus_float_multiply_block _Nonnull multiply,
                                                 apus_float_scratch *_Nonnull scratch) {
    for (int64_t tile = begin; tile < end; tile += APUS_FLOAT_TILES_AT_ONCE) {
        int64_t tiles = end - tile < APUS_FLOAT_TILES_AT_ONCE ? end - tile : APUS_FLOAT_TILES_AT_ONCE;
        for (int64_t first = 0; first < args->rows; first += APUS_FLOAT_ROWS_AT_ONCE) {
            int64_t last = args->rows - first < APUS_FLOAT_ROWS_AT_ONCE ? args->rows : first + APUS_FLOAT_ROWS_AT_ONCE;
            apus_float_multiply_rows(args, storage, tile, tiles, first, last, most, widen, multiply, scratch);
        }
    }
}
