// One number per format and tier over fixed inputs: equal on every CPU.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

/// FNV-1a over the bits, every NaN counting as the same.
static uint64_t hash_floats(uint64_t hash, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        hash = (hash ^ (isnan(values[i]) ? 0x7fc00000 : bits)) * 0x100000001b3;
    }
    return hash;
}

static uint64_t hash_rows(const apus_kernels *table, int index, int64_t rows, uint64_t hash) {
    const int64_t inputs = 768, outputs = 75;
    const apus_format *format = &table->linear.formats[index];
    generator random = {0x1234567 + (uint64_t)(format->type * 1000 + rows)};
    uint8_t *weights = make_weights(&random, format->type, outputs, inputs, WEIGHTS_PLAIN);
    uint8_t *tiles = pack_matrix(format, weights, outputs, inputs);
    float *input = allocate(rows * inputs * 4), *output = allocate(rows * outputs * 4);
    void *panels = allocate(apus_activation_bytes(format->activation, rows, inputs));
    void *scratch = allocate(APUS_SCRATCH_BYTES);
    for (int64_t i = 0; i < rows * inputs; i++) { input[i] = next_float(&random); }
    int64_t panel_rows = apus_panel_rows(format->activation);
    apus_prepare_args prepare = {input, inputs, rows, inputs, panels};
    table->linear.prepare[format->activation](&prepare, 0, (rows + panel_rows - 1) / panel_rows, scratch);
    apus_matmul_args matmul = {
        .weights = tiles, .outputs = outputs, .inputs = inputs, .panels = panels, .rows = rows, .output = output,
        .output_stride = outputs,
    };
    format->matmul(&matmul, 0, (outputs + format->tile_rows - 1) / format->tile_rows, scratch);
    hash = hash_floats(hash, output, rows * outputs);
    free(weights);
    free(tiles);
    free(input);
    free(output);
    free(panels);
    free(scratch);
    return hash;
}

void hash_linear(apus_tier tier) {
    const apus_kernels *table = apus_kernels_for_tier(tier);
    for (int i = 0; i < APUS_FORMAT_COUNT; i++) {
        if (!table->linear.formats[i].matmul) { continue; }
        uint64_t hash = 0xcbf29ce484222325;
        for (int64_t rows = 1; rows <= 37; rows += 3) { hash = hash_rows(table, i, rows, hash); }
        printf("linear %-7s %016llx\n", type_name(table->linear.formats[i].type), (unsigned long long)hash);
    }
}
