// Linear layers of float weights: every tier gives the bits of a plain loop over the file's rows.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/half.h"
#include "kernels.h"
#include "linear_float.h"
#include "tiers.h"

static const int32_t types[3] = {APUS_TYPE_F32, APUS_TYPE_F16, APUS_TYPE_BF16};
static generator numbers;

static const apus_format *format_of(int tier, int type) {
    return &apus_kernels_for_tier((apus_tier)tier)->linear.formats[apus_format_index(types[type])];
}

/// A layer in file order and packed, with input rows and their panels.
typedef struct layer {
    int64_t outputs, inputs, rows, row_bytes, tiles;
    int type;
    void *file, *packed;
    float *input, *panels, *output, *expected, *bias;
} layer;

static void fill_file(layer *l, bool wild) {
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *row = allocate(l->inputs * 4);
    for (int64_t o = 0; o < l->outputs; o++) {
        fill_floats(&numbers, row, l->inputs, wild ? FLOATS_EDGES : FLOATS_PLAIN);
        codec->encode(row, (char *)l->file + o * l->row_bytes, l->inputs);
    }
    free(row);
}

static void pack(layer *l) {
    const apus_format *format = format_of(0, l->type);
    for (int64_t t = 0; t < l->tiles; t++) {
        int64_t first = t * format->tile_rows, rows = l->outputs - first;
        if (rows > format->tile_rows) { rows = format->tile_rows; }
        format->pack((char *)l->file + first * l->row_bytes, l->row_bytes, rows, l->inputs,
                     (char *)l->packed + t * format->tile_bytes(l->inputs));
    }
}

static void prepare(int tier, layer *l) {
    apus_prepare_args args = {l->input, l->inputs, l->rows, l->inputs, l->panels, APUS_FLOAT_PANEL};
    apus_kernels_for_tier((apus_tier)tier)->linear.prepare[APUS_ACTIVATION_F32](&args, 0, (l->rows + APUS_FLOAT_PANEL - 1) / APUS_FLOAT_PANEL, l->panels);
}

static layer make_layer(int type, int64_t outputs, int64_t inputs, int64_t rows, bool wild) {
    layer l = {.outputs = outputs, .inputs = inputs, .rows = rows, .type = type};
    const apus_format *format = format_of(0, type);
    l.row_bytes = inputs * apus_codec_for_type(types[type])->block_bytes;
    l.tiles = (outputs + format->tile_rows - 1) / format->tile_rows;
    l.file = allocate(outputs * l.row_bytes);
    l.packed = allocate(l.tiles * format->tile_bytes(inputs));
    l.input = allocate(rows * inputs * 4);
    l.panels = allocate(rows * inputs * 4);
    l.output = allocate(rows * outputs * 4);
    l.expected = allocate(rows * outputs * 4);
    l.bias = allocate(outputs * 4);
    fill_file(&l, wild);
    fill_floats(&numbers, l.input, rows * inputs, wild ? FLOATS_EDGES : FLOATS_PLAIN);
    fill_floats(&numbers, l.bias, outputs, FLOATS_PLAIN);
    pack(&l);
    prepare(0, &l);
    return l;
}

static void free_layer(layer *l) {
    void *const parts[] = {l->file, l->packed, l->input, l->panels, l->output, l->expected, l->bias};
    for (int i = 0; i < 7; i++) { free(parts[i]); }
}

static void plain(layer *l, bool bias, bool accumulates) {
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *weights = allocate(l->inputs * 4);
    for (int64_t o = 0; o < l->outputs; o++) {
        codec->decode((char *)l->file + o * l->row_bytes, weights, l->inputs);
        for (int64_t r = 0; r < l->rows; r++) {
            float acc = 0;
            for (int64_t i = 0; i < l->inputs; i++) { acc = fmaf(weights[i], l->input[r * l->inputs + i], acc); }
            if (bias) { acc = acc + l->bias[o]; }
            l->expected[r * l->outputs + o] = accumulates ? l->input[r] + acc : acc;
        }
    }
    free(weights);
}

static void check_layer(layer *l, bool bias, bool accumulates, void *scratch) {
    plain(l, bias, accumulates);
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        if (!apus_kernels_for_tier((apus_tier)tier)) { continue; }
        for (int64_t r = 0; r < l->rows; r++) {
            for (int64_t o = 0; o < l->outputs; o++) { l->output[r * l->outputs + o] = l->input[r]; }
        }
        memset(l->panels, 0, (size_t)(l->rows * l->inputs) * 4);
        prepare(tier, l);
        apus_matmul_args args = {l->packed, l->outputs, l->inputs, l->panels, APUS_FLOAT_PANEL, l->rows, l->output, l->outputs,
                                 bias ? l->bias : NULL, accumulates};
        int64_t half = l->tiles / 2;
        format_of(tier, l->type)->matmul(&args, half, l->tiles, scratch);
        format_of(tier, l->type)->matmul(&args, 0, half, scratch);
        char what[120];
        snprintf(what, sizeof what, "matmul of %s: %lld outputs, %lld inputs, %lld rows", type_name(types[l->type]),
                 (long long)l->outputs, (long long)l->inputs, (long long)l->rows);
        expect(same_floats(l->output, l->expected, l->rows * l->outputs), what, tier_name((apus_tier)tier));
    }
}

static void check_unpack(layer *l) {
    const apus_format *format = format_of(0, l->type);
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *rows = allocate(l->inputs * 8);
    for (int64_t o = 0; o < l->tiles * format->tile_rows; o++) {
        format->unpack_row((char *)l->packed + o / format->tile_rows * format->tile_bytes(l->inputs),
                           o % format->tile_rows, l->inputs, rows);
        memset(rows + l->inputs, 0, (size_t)l->inputs * 4);
        if (o < l->outputs) { codec->decode((char *)l->file + o * l->row_bytes, rows + l->inputs, l->inputs); }
        expect(memcmp(rows, rows + l->inputs, (size_t)l->inputs * 4) == 0, "unpack_row", type_name(types[l->type]));
    }
    free(rows);
}

void check_linear_float(void) {
    numbers = (generator){0x9e3779b97f4a7c15};
    static const int64_t inputs[] = {1, 2, 7, 32, 63, 127, 128, 129, 257, 576}, outputs[] = {1, 31, 32, 33, 100};
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 23, 24, 25, 37, 48, 61};
    void *scratch = allocate(APUS_SCRATCH_BYTES);
    int checked = 0;
    for (int type = 0; type < 3; type++) {
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
            for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++) {
                for (size_t r = 0; r < sizeof rows / sizeof *rows; r++, checked++) {
                    layer l = make_layer(type, outputs[o], inputs[i], rows[r], checked % 3 == 0);
                    check_layer(&l, checked % 2, checked % 4 > 1, scratch);
                    if (r == 0) { check_unpack(&l); }
                    free_layer(&l);
                }
            }
        }
        layer l = make_layer(type, 33, 131, APUS_FLOAT_ROWS_AT_ONCE + 30, false);
        check_layer(&l, true, true, scratch);
        free_layer(&l);
    }
    free(scratch);
}
