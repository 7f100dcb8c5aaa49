// Linear layers with float weights, scalar: numbers.md section 4 in plain C, and the packing that all tiers share.

#include "../linear_float.h"

#include <math.h>
#include <string.h>

#include "../codecs/half.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline))

// MARK: Packing

#define PACK_BLOCK 32  ///< inputs transposed at a time: a cache line or two of each row

INLINE void pack(apus_float_storage storage, const void *source, int64_t stride, int64_t rows, int64_t inputs,
                 void *tile) {
    const int64_t line = apus_float_line_bytes(storage), size = line / APUS_FLOAT_TILE;
    if (rows < APUS_FLOAT_TILE) { memset(tile, 0, (size_t)(line * inputs)); }
    for (int64_t first = 0; first < inputs; first += PACK_BLOCK) {
        int64_t count = inputs - first < PACK_BLOCK ? inputs - first : PACK_BLOCK;
        for (int64_t row = 0; row < rows; row++) {
            const uint8_t *from = (const uint8_t *)source + row * stride + first * size;
            uint8_t *to = (uint8_t *)tile + first * line + apus_float_slot(storage, row) * size;
            for (int64_t i = 0; i < count; i++) { memcpy(to + i * line, from + i * size, (size_t)size); }
        }
    }
}

/// The weight of output `row` for one input.
INLINE float weight(apus_float_storage storage, const uint8_t *line, int64_t row) {
    uint16_t half;
    float value;
    if (storage == APUS_STORED_F32) {
        memcpy(&value, line + row * 4, 4);
        return value;
    }
    memcpy(&half, line + apus_float_slot(storage, row) * 2, 2);
    return storage == APUS_STORED_F16 ? apus_half_to_float(half) : apus_bfloat_to_float(half);
}

INLINE void unpack_row(apus_float_storage storage, const void *tile, int64_t row, int64_t inputs, float *output) {
    for (int64_t i = 0; i < inputs; i++) {
        output[i] = weight(storage, (const uint8_t *)tile + i * apus_float_line_bytes(storage), row);
    }
}

/// Input rows to panels: [input][row].
static void prepare_f32(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_prepare_args *args = pointer;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first = panel * APUS_FLOAT_PANEL;
        int64_t rows = args->rows - first < APUS_FLOAT_PANEL ? args->rows - first : APUS_FLOAT_PANEL;
        const float *input = args->input + first * args->input_stride;
        float *target = (float *)args->panels + first * args->inputs;
        for (int64_t block = 0; block < args->inputs; block += PACK_BLOCK) {
            int64_t limit = args->inputs - block < PACK_BLOCK ? args->inputs : block + PACK_BLOCK;
            for (int64_t row = 0; row < rows; row++) {
                const float *x = input + row * args->input_stride;
                for (int64_t i = block; i < limit; i++) { target[i * rows + row] = x[i]; }
            }
        }
    }
}

/// Columns from `first` on, `width` in a line, to lines `spacing` floats apart.
INLINE void copy_columns(const apus_columns_args *args, int64_t first, int64_t width, float *target, int64_t spacing) {
    for (int64_t row = 0; row < args->count; row++) {
        memcpy(target + row * spacing, args->rows + row * args->stride + first, (size_t)width * sizeof(float));
    }
}

void apus_pack_columns(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_columns_args *args = pointer;
    int64_t limit = end * APUS_COLUMN_RUN < args->columns ? end * APUS_COLUMN_RUN : args->columns;
    for (int64_t first = begin * APUS_COLUMN_RUN; first < limit; first += APUS_FLOAT_TILE) {
        int64_t width = limit - first < APUS_FLOAT_TILE ? limit - first : APUS_FLOAT_TILE;
        float *tile = args->tiles + first * args->count;
        if (width < APUS_FLOAT_TILE) { memset(tile, 0, (size_t)(APUS_FLOAT_TILE * args->count) * sizeof(float)); }
        copy_columns(args, first, width, tile, APUS_FLOAT_TILE);
    }
    for (int64_t first = begin * APUS_COLUMN_RUN; first < limit; first += APUS_FLOAT_PANEL) {
        int64_t width = limit - first < APUS_FLOAT_PANEL ? limit - first : APUS_FLOAT_PANEL;
        copy_columns(args, first, width, args->panels + first * args->count, width);
    }
}

_Static_assert(APUS_COLUMN_RUN % APUS_FLOAT_TILE == 0 && APUS_COLUMN_RUN % APUS_FLOAT_PANEL == 0, "columns");

// MARK: Products

/// One input row times one tile.
INLINE void multiply_row(const apus_matmul_args *args, apus_float_storage storage, int64_t tile, int64_t row) {
    int64_t rows, first = row / APUS_FLOAT_PANEL * APUS_FLOAT_PANEL;
    const float *x = apus_float_panel(args, first, &rows) + (row - first);
    const uint8_t *line = apus_float_tile(args, storage, tile);
    float sums[APUS_FLOAT_TILE] = {0};
    for (int64_t i = 0; i < args->inputs; i++, line += apus_float_line_bytes(storage)) {
        for (int j = 0; j < APUS_FLOAT_TILE; j++) { sums[j] = fmaf(weight(storage, line, j), x[i * rows], sums[j]); }
    }
    apus_float_store(args, tile, row, sums);
}

INLINE void multiply(const apus_matmul_args *args, apus_float_storage storage, int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; tile++) {
        for (int64_t row = 0; row < args->rows; row++) { multiply_row(args, storage, tile, row); }
    }
}

// MARK: Formats

#define FORMAT(name, storage)                                                                                \
    static int64_t tile_bytes_##name(int64_t inputs) { return inputs * apus_float_line_bytes(storage); }     \
    static void pack_##name(const void *source, int64_t stride, int64_t rows, int64_t inputs, void *tile) {  \
        pack(storage, source, stride, rows, inputs, tile);                                                   \
    }                                                                                                        \
    static void unpack_row_##name(const void *tile, int64_t row, int64_t inputs, float *output) {            \
        unpack_row(storage, tile, row, inputs, output);                                                      \
    }                                                                                                        \
    static void matmul_##name(const void *args, int64_t begin, int64_t end, void *scratch) {                 \
        (void)scratch;                                                                                       \
        multiply(args, storage, begin, end);                                                                 \
    }                                                                                                        \
    static const apus_format format_##name = {                                                               \
        .tile_rows = APUS_FLOAT_TILE, .activation = APUS_ACTIVATION_F32, .tile_bytes = tile_bytes_##name,    \
        .pack = pack_##name, .unpack_row = unpack_row_##name, .matmul = matmul_##name,                       \
    }

FORMAT(f32, APUS_STORED_F32);
FORMAT(f16, APUS_STORED_F16);
FORMAT(bf16, APUS_STORED_BF16);

static void fill(apus_kernels *table, int32_t type, const apus_format *format) {
    apus_format *entry = &table->linear.formats[apus_format_index(type)];
    *entry = *format;
    entry->type = type;
}

void apus_linear_float_fill_scalar(apus_kernels *table) {
    fill(table, APUS_TYPE_F32, &format_f32);
    fill(table, APUS_TYPE_F16, &format_f16);
    fill(table, APUS_TYPE_BF16, &format_bf16);
    table->linear.prepare[APUS_ACTIVATION_F32] = prepare_f32;
}
