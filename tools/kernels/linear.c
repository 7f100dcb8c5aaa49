// Linear layers: every tier this CPU has against scalar, bit by bit, and scalar against the codecs (quantized weights;
// linear_float.c has the others); hashes of all formats.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "linear_tiles.h"

typedef struct shape { int64_t rows, inputs, outputs; } shape;

/// One problem: matrix, input rows and what is added to the result.
typedef struct problem {
    const apus_format *format;
    shape shape;
    int64_t panel_rows;
    uint8_t *weights, *tiles;
    float *input, *bias, *residual;
} problem;

static const float input_extremes[] = {0, -0.0f, 0x1p-100f, 0x1p-101f, 1e-40f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN};

static problem make_problem(generator *random, const apus_format *format, shape shape, weight_style style) {
    problem it = {.format = format, .shape = shape, .panel_rows = apus_panel_rows(format->activation, shape.rows)};
    it.weights = make_weights(random, format->type, shape.outputs, shape.inputs, style);
    it.tiles = pack_matrix(format, it.weights, shape.outputs, shape.inputs);
    it.input = allocate(shape.rows * shape.inputs * 4);
    it.bias = allocate(shape.outputs * 4);
    it.residual = allocate(shape.rows * shape.outputs * 4);
    for (int64_t i = 0; i < shape.rows * shape.inputs; i++) {
        it.input[i] = next_float(random) * (style == WEIGHTS_EXTREME && i % 96 < 32 ? 0x1p-99f : 1);
        if (style == WEIGHTS_EXTREME && next_random(random) % 128 == 0) {
            it.input[i] = input_extremes[(next_random(random) >> 20) % (sizeof input_extremes / sizeof(float))];
        }
    }
    for (int64_t i = 0; i < shape.outputs; i++) { it.bias[i] = next_float(random); }
    for (int64_t i = 0; i < shape.rows * shape.outputs; i++) { it.residual[i] = next_float(random); }
    return it;
}

static void free_problem(problem it) {
    free(it.weights);
    free(it.tiles);
    free(it.input);
    free(it.bias);
    free(it.residual);
}

static void prepare(const apus_kernels *table, problem it, void *panels) {
    apus_prepare_args args = {it.input, it.shape.inputs, it.shape.rows, it.shape.inputs, panels, it.panel_rows};
    table->linear.prepare[it.format->activation](&args, 0, (it.shape.rows + it.panel_rows - 1) / it.panel_rows, panels);
}

/// Runs the problem on a tier, the tiles in two ranges cut at `cut`; bit 0 of `extras` adds the bias, bit 1 the residual.
static void solve_cut(const apus_kernels *table, problem it, const void *panels, int extras, int64_t cut, float *output) {
    const apus_format *format = &table->linear.formats[it.format - apus_kernels_for_tier(APUS_TIER_SCALAR)->linear.formats];
    void *scratch = allocate(APUS_SCRATCH_BYTES);
    memset(scratch, 0xff, APUS_SCRATCH_BYTES);
    memcpy(output, it.residual, (size_t)(it.shape.rows * it.shape.outputs) * sizeof(float));
    apus_matmul_args args = {
        .weights = it.tiles, .outputs = it.shape.outputs, .inputs = it.shape.inputs, .panels = panels,
        .panel_rows = it.panel_rows, .rows = it.shape.rows, .output = output, .output_stride = it.shape.outputs,
        .bias = extras & 1 ? it.bias : NULL, .accumulates = extras >> 1 & 1,
    };
    int64_t tiles = (it.shape.outputs + format->tile_rows - 1) / format->tile_rows;
    format->matmul(&args, 0, cut, scratch);
    format->matmul(&args, cut, tiles, scratch);
    free(scratch);
}

static void solve(const apus_kernels *table, problem it, const void *panels, int extras, float *output) {
    solve_cut(table, it, panels, extras, (it.shape.outputs + it.format->tile_rows - 1) / it.format->tile_rows / 3, output);
}

static void expect_of(bool condition, const char *what, apus_tier tier, problem it, int style) {
    char text[120];
    snprintf(text, sizeof text, "%s of %s, %lld rows, %lld inputs, %lld outputs, style %d", what,
             type_name(it.format->type), (long long)it.shape.rows, (long long)it.shape.inputs,
             (long long)it.shape.outputs, style);
    expect(condition, text, tier_name(tier));
}

static void check_tiers(generator *random, const apus_format *format, shape shape, weight_style style) {
    problem it = make_problem(random, format, shape, style);
    int64_t panel_bytes = apus_activation_bytes(format->activation, shape.rows, shape.inputs);
    int64_t count = shape.rows * shape.outputs;
    void *panels = allocate(panel_bytes), *other_panels = allocate(panel_bytes);
    float *expected = allocate(count * 4), *found = allocate(count * 4);
    prepare(apus_kernels_for_tier(APUS_TIER_SCALAR), it, panels);
    int extras = (int)(next_random(random) >> 60) & 3;
    solve(apus_kernels_for_tier(APUS_TIER_SCALAR), it, panels, extras, expected);
    for (int tier = APUS_TIER_SCALAR + 1; tier < TIER_COUNT; tier++) {
        const apus_kernels *table = apus_kernels_for_tier((apus_tier)tier);
        if (!table) { continue; }
        prepare(table, it, other_panels);
        expect_of(same_floats(panels, other_panels, panel_bytes / 4), "prepare", (apus_tier)tier, it, style);
        solve(table, it, panels, extras, found);
        expect_of(same_floats(expected, found, count), "matmul", (apus_tier)tier, it, style);
    }
    free(panels);
    free(other_panels);
    free(expected);
    free(found);
    free_problem(it);
}

/// The scalar result lies near the product of decoded weights and inputs in double precision.
static void check_meaning(generator *random, const apus_format *format) {
    problem it = make_problem(random, format, (shape){3, 512, 33}, WEIGHTS_PLAIN);
    const apus_codec *codec = apus_codec_for_type(format->type);
    const apus_kernels *scalar = apus_kernels_for_tier(APUS_TIER_SCALAR);
    void *panels = allocate(apus_activation_bytes(format->activation, it.shape.rows, it.shape.inputs));
    float *found = allocate(3 * 33 * 4), *row = allocate(512 * 4), *unpacked = allocate(512 * 4);
    prepare(scalar, it, panels);
    solve(scalar, it, panels, 0, found);
    for (int output = 0; output < 33; output++) {
        codec->decode(it.weights + output * row_bytes(format->type, 512), row, 512);
        format->unpack_row(it.tiles + output / 16 * format->tile_bytes(512), output % 16, 512, unpacked);
        expect_of(same_floats(row, unpacked, 512), "unpack_row", APUS_TIER_SCALAR, it, 0);
        for (int r = 0; r < 3; r++) {
            double sum = 0, size = 0;
            for (int i = 0; i < 512; i++) {
                sum += (double)row[i] * (double)it.input[r * 512 + i];
                size += fabs((double)row[i]);
            }
            bool near = fabs(sum - (double)found[r * 33 + output]) <= size * 1e-3;
            expect_of(near, "meaning", APUS_TIER_SCALAR, it, 0);
        }
    }
    free(panels);
    free(found);
    free(row);
    free(unpacked);
    free_problem(it);
}

/// What the panels hold of each row: scale times code.
static float *quantized_rows(problem it, const uint8_t *panels) {
    float *rows = allocate(it.shape.rows * it.shape.inputs * 4);
    for (int64_t row = 0; row < it.shape.rows; row++) {
        int64_t first = row / it.panel_rows * it.panel_rows, left = it.shape.rows - first;
        int64_t count = left < it.panel_rows ? left : it.panel_rows;
        const uint8_t *group = panels + first * (it.shape.inputs / APUS_GROUP) * APUS_PANEL_ROW_BYTES;
        for (int64_t i = 0; i < it.shape.inputs; i++) {
            const int8_t *codes = (const int8_t *)apus_panel_codes(group, row - first);
            float scale = apus_panel_scales(group, count)[row - first];
            rows[row * it.shape.inputs + i] = scale * (float)codes[i % APUS_GROUP];
            if (i % APUS_GROUP == APUS_GROUP - 1) { group += count * APUS_PANEL_ROW_BYTES; }
        }
    }
    return rows;
}

/// Decoded weights times what the panels hold, in double precision: the mean error is below a thousandth of the mean.
static void check_error(problem it, const uint8_t *panels, const float *found) {
    float *rows = quantized_rows(it, panels), *weights = allocate(it.shape.inputs * 4);
    double error = 0, size = 0;
    for (int64_t output = 0; output < it.shape.outputs; output++) {
        apus_codec_for_type(it.format->type)->decode(
            it.weights + output * row_bytes(it.format->type, it.shape.inputs), weights, it.shape.inputs);
        for (int64_t row = 0; row < it.shape.rows; row++) {
            double sum = 0;
            for (int64_t i = 0; i < it.shape.inputs; i++) {
                sum += (double)weights[i] * (double)rows[row * it.shape.inputs + i];
            }
            error += fabs(sum - (double)found[row * it.shape.outputs + output]);
            size += fabs(sum);
        }
    }
    expect_of(error < 1e-3 * size, "mean error", APUS_TIER_SCALAR, it, 0);
    free(rows);
    free(weights);
}

/// Where ranges are cut, as threads do, and how many rows go together changes no bit; nor does packing, of any length.
static void check_independence(generator *random, const apus_format *format, int64_t inputs) {
    problem it = make_problem(random, format, (shape){61, inputs, 49}, WEIGHTS_PLAIN), alone = it, block = it;
    int64_t count = it.shape.rows * it.shape.outputs;
    uint8_t *panels = allocate(apus_activation_bytes(format->activation, it.shape.rows, inputs));
    float *whole = allocate(count * 4), *found = allocate(count * 4), *decoded = allocate(inputs * 8);
    alone.shape.rows = 1;
    block.panel_rows = APUS_PANEL_ROWS;  // as the last block of many rows has them
    for (int64_t output = 0; output < it.shape.outputs; output++) {
        apus_codec_for_type(format->type)->decode(it.weights + output * row_bytes(format->type, inputs), decoded, inputs);
        format->unpack_row(it.tiles + output / 16 * format->tile_bytes(inputs), output % 16, inputs, decoded + inputs);
        expect_of(same_floats(decoded, decoded + inputs, inputs), "unpack_row", APUS_TIER_SCALAR, it, 0);
    }
    for (int tier = APUS_TIER_SCALAR + 1; tier < TIER_COUNT; tier++) {
        const apus_kernels *table = apus_kernels_for_tier((apus_tier)tier);
        if (!table) { continue; }
        prepare(table, it, panels);
        solve_cut(table, it, panels, 0, 0, whole);
        if (tier == (int)apus_best_tier()) { check_error(it, panels, whole); }
        prepare(table, block, panels);
        solve_cut(table, block, panels, 0, 0, found);
        expect_of(same_floats(whole, found, count), "matmul of large panels", (apus_tier)tier, it, 0);
        prepare(table, it, panels);
        for (int64_t cut = 1; cut < 4; cut++) {
            solve_cut(table, it, panels, 0, cut, found);
            expect_of(same_floats(whole, found, count), "matmul in other ranges", (apus_tier)tier, it, 0);
        }
        for (int64_t row = 0; row < it.shape.rows; row++) {
            alone.input = it.input + row * inputs;
            prepare(table, alone, panels);
            solve_cut(table, alone, panels, 0, 2, found);
            expect_of(same_floats(whole + row * it.shape.outputs, found, it.shape.outputs), "a row by itself",
                      (apus_tier)tier, it, 0);
        }
    }
    void *const parts[] = {panels, whole, found, decoded};
    for (int i = 0; i < 4; i++) { free(parts[i]); }
    free_problem(it);
}

void check_linear(void) {
    generator random = {0x9e3779b97f4a7c15};
    for (int i = 0; i < APUS_FORMAT_COUNT; i++) {
        const apus_format *format = &apus_kernels_for_tier(APUS_TIER_SCALAR)->linear.formats[i];
        if (format->activation != APUS_ACTIVATION_Q8 || !format->matmul) { continue; }
        int64_t unit = apus_codec_for_type(format->type)->block_length;
        check_meaning(&random, format);
        // Inputs of Llama-7B's, SmolLM2's and Qwen2.5's layers.
        static const int64_t lengths[] = {576, 896, 1536, 4096, 4864, 8960, 11008};
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            if (lengths[l] % unit == 0) { check_independence(&random, format, lengths[l]); }
        }
        for (int64_t rows = 1; rows <= 40; rows++) {
            int64_t outputs = 1 + (int64_t)(next_random(&random) >> 40) % 70;
            int64_t inputs = unit * (1 + (int64_t)(next_random(&random) >> 40) % (unit == 32 ? 19 : 3));
            for (int style = WEIGHTS_PLAIN; style <= WEIGHTS_ZERO; style++) {
                check_tiers(&random, format, (shape){rows, inputs, outputs}, (weight_style)style);
            }
        }
        check_tiers(&random, format, (shape){APUS_RUN_ROWS, 768, 80}, WEIGHTS_PLAIN);
        check_tiers(&random, format, (shape){APUS_RUN_ROWS + 1, 768, 80}, WEIGHTS_EXTREME);
        check_tiers(&random, format, (shape){131, 768, 80}, WEIGHTS_PLAIN);
        check_tiers(&random, format, (shape){131, 768, 80}, WEIGHTS_EXTREME);
        check_tiers(&random, format, (shape){4100, 256, 17}, WEIGHTS_PLAIN);
    }
}

// MARK: Hashes

static uint64_t hash_rows(const apus_kernels *table, int index, int64_t rows, weight_style style, uint64_t hash) {
    const int64_t inputs = 768, outputs = 75;
    const apus_format *format = &table->linear.formats[index];
    generator random = {0x1234567 + (uint64_t)format->type * 1000 + (uint64_t)rows};
    uint8_t *weights = make_weights(&random, format->type, outputs, inputs, style);
    uint8_t *tiles = pack_matrix(format, weights, outputs, inputs);
    float *input = allocate(rows * inputs * 4), *output = allocate(rows * outputs * 4);
    void *panels = allocate(apus_activation_bytes(format->activation, rows, inputs));
    void *scratch = allocate(APUS_SCRATCH_BYTES);
    fill_floats(&random, input, rows * inputs, style == WEIGHTS_PLAIN ? FLOATS_PLAIN : FLOATS_EDGES);
    int64_t panel_rows = apus_panel_rows(format->activation, rows);
    apus_prepare_args prepare = {input, inputs, rows, inputs, panels, panel_rows};
    table->linear.prepare[format->activation](&prepare, 0, (rows + panel_rows - 1) / panel_rows, scratch);
    apus_matmul_args matmul = {
        .weights = tiles, .outputs = outputs, .inputs = inputs, .panels = panels, .panel_rows = panel_rows, .rows = rows,
        .output = output, .output_stride = outputs,
    };
    format->matmul(&matmul, 0, (outputs + format->tile_rows - 1) / format->tile_rows, scratch);
    hash = hash_floats(hash, output, rows * outputs);
    void *const parts[] = {weights, tiles, input, output, panels, scratch};
    for (int i = 0; i < 6; i++) { free(parts[i]); }
    return hash;
}

/// What quantizing leaves: the same function on every tier, but another compiler's code on every architecture.
static void hash_rest(void) {
    enum { COUNT = 37 * 32 };
    float x[COUNT], rest[COUNT];
    generator random = {11};
    for (int i = 0; i < COUNT; i++) { x[i] = ldexpf(next_float(&random), (int)(next_random(&random) % 200) - 120); }
    x[40] = INFINITY;
    x[70] = NAN;
    apus_quantization_rest(x, COUNT, rest);
    print_hash("linear", "rest", hash_floats(HASH_START, rest, COUNT));
}

void hash_linear(const apus_kernels *table) {
    hash_rest();
    for (int i = 0; i < APUS_FORMAT_COUNT; i++) {
        uint64_t hash = HASH_START;
        for (int64_t rows = 1; rows <= 37; rows += 3) { hash = hash_rows(table, i, rows, WEIGHTS_PLAIN, hash); }
        for (int64_t rows = 2; rows <= 11; rows += 9) { hash = hash_rows(table, i, rows, WEIGHTS_EXTREME, hash); }
        print_hash("linear", type_name(table->linear.formats[i].type), hash);
    }
}
