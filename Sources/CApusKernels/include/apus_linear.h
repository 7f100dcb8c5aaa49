// Linear layers: weights packed in tiles, one row of the format table per element type (numbers.md, sections 2 to 4).
#pragma once

#include "apus_base.h"

/// How a format wants its input rows.
typedef enum apus_activation {
    APUS_ACTIVATION_Q8 = 0,   ///< groups of 32 codes, quantized per numbers.md section 2
    APUS_ACTIVATION_F32 = 1,  ///< floats
} apus_activation;

/// Input rows turned into the panels the matmul kernels read. Units are panels.
typedef struct apus_prepare_args {
    const float *_Nonnull input;  ///< rows x inputs
    int64_t input_stride;         ///< floats from row to row
    int64_t rows;
    int64_t inputs;
    void *_Nonnull panels;        ///< apus_activation_bytes(kind, rows, inputs), 64-byte aligned
    int64_t panel_rows;           ///< apus_panel_rows(kind, rows)
} apus_prepare_args;

/// One matrix times prepared rows. Units are tiles of outputs.
typedef struct apus_matmul_args {
    const void *_Nonnull weights;  ///< packed tiles, 64-byte aligned
    int64_t outputs;
    int64_t inputs;
    const void *_Nonnull panels;
    int64_t panel_rows;            ///< as they were prepared
    int64_t rows;
    float *_Nonnull output;        ///< rows x outputs
    int64_t output_stride;         ///< floats from row to row
    const float *_Nullable bias;   ///< one per output, or NULL
    int32_t accumulates;           ///< 1: output = output + result (a residual), 0: output = result
} apus_matmul_args;

/// Columns of floats as both sides of a product: the columns are the outputs of F32 tiles and the rows of panels, the rows
/// their inputs. Units are runs of APUS_COLUMN_RUN columns.
typedef struct apus_columns_args {
    const float *_Nonnull rows;
    int64_t stride;           ///< floats from row to row
    int64_t count;            ///< rows
    int64_t columns;
    float *_Nonnull tiles;    ///< of whole tiles; missing columns become zeros
    float *_Nonnull panels;   ///< apus_activation_bytes(APUS_ACTIVATION_F32, columns, count)
} apus_columns_args;

#define APUS_COLUMN_RUN 96  ///< whole tiles and whole panels

/// How one element type is packed and multiplied.
typedef struct apus_format {
    int32_t type;             ///< GGUF type number
    int32_t tile_rows;        ///< outputs in a tile: a lane is an output
    apus_activation activation;
    /// Bytes of one tile for `inputs` inputs: tile_rows times the file's row bytes, rounded up to 64.
    int64_t (*_Nonnull tile_bytes)(int64_t inputs);
    /// Packs `rows` (1 ... tile_rows) file rows, `stride` bytes apart, into one tile; missing rows become zeros.
    void (*_Nonnull pack)(const void *_Nonnull source, int64_t stride, int64_t rows, int64_t inputs, void *_Nonnull tile);
    /// Decodes row `row` of a packed tile to floats: the embedding lookup. Bits equal the codec's.
    void (*_Nonnull unpack_row)(const void *_Nonnull tile, int64_t row, int64_t inputs, float *_Nonnull output);
    apus_range_kernel _Nonnull matmul;
} apus_format;

/// Up to so many rows the kernels of quantized types unpack a tile in registers, a few rows at a time, and prefetch from tile
/// to tile. So each thread does best with a run of tiles of its own: a short claim begins cold and ends with prefetches of
/// another thread's tiles. Above, unpacking to memory pays.
#define APUS_RUN_ROWS 64

#define APUS_FORMAT_COUNT 18

typedef struct apus_linear_kernels {
    apus_format formats[APUS_FORMAT_COUNT];     ///< in the order of ascending type number
    apus_range_kernel _Nonnull prepare[2];      ///< by apus_activation
} apus_linear_kernels;

/// What quantizing a row leaves of it: x minus scale times code, `count` a multiple of 32. The same on every tier.
void apus_quantization_rest(const float *_Nonnull x, int64_t count, float *_Nonnull rest);

/// Packs columns. The same on every tier.
void apus_pack_columns(const void *_Nonnull args, int64_t begin, int64_t end, void *_Nonnull scratch);

/// Rows in a full panel when `rows` are prepared: few, where they are few, so that threads share them.
int64_t apus_panel_rows(apus_activation activation, int64_t rows);
/// Where the panel begins whose first row is `row`, in bytes.
int64_t apus_panel_offset(apus_activation activation, int64_t row, int64_t inputs);
/// Bytes of the panels for `rows` rows of `inputs` inputs.
int64_t apus_activation_bytes(apus_activation activation, int64_t rows, int64_t inputs);
