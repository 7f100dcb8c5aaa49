// Linear layers with quantized weights, scalar: numbers.md sections 2 and 3 in plain C. The other tiers equal this.

#include <math.h>
#include <string.h>

#include "../codecs/half.h"
#include "../linear_tiles.h"
#include "../tiers.h"
#include "quantize.h"

#pragma STDC FP_CONTRACT OFF

// MARK: Activations

static void quantize_group(const float *x, uint8_t *group, int64_t row, int64_t rows) {
    int8_t *codes = (int8_t *)apus_panel_codes(group, row);
    float scale = apus_quantize_group(x, APUS_GROUP, codes);
    int sums[2] = {0, 0};
    for (int i = 0; i < APUS_GROUP; i++) { sums[i / 16] += codes[i]; }
    ((float *)apus_panel_scales(group, rows))[row] = scale;
    ((float *)apus_panel_sums(group, rows))[row] = scale * (float)(sums[0] + sums[1]);
    ((int32_t *)apus_panel_half_sums(group, rows))[row] = (int32_t)((uint32_t)sums[1] << 16 | (uint16_t)sums[0]);
}

static void prepare_q8(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_prepare_args *args = pointer;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first, rows;
        uint8_t *groups = apus_prepared_panel(args, panel, &first, &rows);
        for (int64_t row = 0; row < rows; row++) {
            const float *x = args->input + (first + row) * args->input_stride;
            for (int64_t group = 0; group < args->inputs / APUS_GROUP; group++) {
                quantize_group(x + group * APUS_GROUP, groups + group * rows * APUS_PANEL_ROW_BYTES, row, rows);
            }
        }
    }
}

// MARK: Weights

/// A file block's signed codes and what they are scaled by, per group of 32.
typedef struct terms {
    int8_t codes[APUS_SUPER_BLOCK];
    float d[8], m[8];                ///< factor of D, factor of the sum
    int scales[16], minima[16];      ///< formats with a scale per 16
} terms;

static void split_nibbles(const uint8_t low[16], int8_t codes[32]) {
    for (int i = 0; i < 16; i++) {
        codes[i] = (int8_t)(low[i] & 15);
        codes[16 + i] = (int8_t)(low[i] >> 4);
    }
}

static void shift_codes(int8_t *codes, int count, int offset) {
    for (int i = 0; i < count; i++) { codes[i] = (int8_t)(codes[i] - offset); }
}

static void add_high_bits(uint32_t high, int8_t codes[32]) {
    for (int i = 0; i < 32; i++) { codes[i] = (int8_t)(codes[i] | ((high >> i) & 1) << 4); }
}

static void terms_q4_0(const void *pointer, terms *out) {
    const apus_q4_0_block *block = pointer;
    split_nibbles(block->low, out->codes);
    shift_codes(out->codes, 32, 8);
    out->d[0] = apus_half_to_float(block->d);
}

static void terms_i4_row(const void *pointer, terms *out) {
    const apus_i4_row *row = pointer;
    split_nibbles(row->low, out->codes);
    shift_codes(out->codes, 32, 8);
    out->d[0] = row->d;
}

static void terms_q4_1(const void *pointer, terms *out) {
    const apus_q4_1_block *block = pointer;
    split_nibbles(block->low, out->codes);
    out->d[0] = apus_half_to_float(block->d);
    out->m[0] = apus_half_to_float(block->m);
}

static void terms_q5_0(const void *pointer, terms *out) {
    const apus_q5_0_block *block = pointer;
    split_nibbles(block->low, out->codes);
    add_high_bits(block->high, out->codes);
    shift_codes(out->codes, 32, 16);
    out->d[0] = apus_half_to_float(block->d);
}

static void terms_q5_1(const void *pointer, terms *out) {
    const apus_q5_1_block *block = pointer;
    split_nibbles(block->low, out->codes);
    add_high_bits(block->high, out->codes);
    out->d[0] = apus_half_to_float(block->d);
    out->m[0] = apus_half_to_float(block->m);
}

static void terms_q8_0(const void *pointer, terms *out) {
    const apus_q8_0_block *block = pointer;
    memcpy(out->codes, block->codes, 32);
    out->d[0] = apus_half_to_float(block->d);
}

static void terms_iq4_nl(const void *pointer, terms *out) {
    const apus_iq4_nl_block *block = pointer;
    split_nibbles(block->low, out->codes);
    for (int i = 0; i < 32; i++) { out->codes[i] = apus_iq4_levels[out->codes[i]]; }
    out->d[0] = apus_half_to_float(block->d);
}

static void terms_iq4_xs(const void *pointer, terms *out) {
    const apus_iq4_xs_block *block = pointer;
    int8_t scales[8];
    apus_unpack_iq4_xs_scales(block, scales);
    for (int group = 0; group < 8; group++) {
        split_nibbles(block->low + 16 * group, out->codes + 32 * group);
        out->d[group] = apus_half_to_float(block->d) * scales[group];
    }
    for (int i = 0; i < 256; i++) { out->codes[i] = apus_iq4_levels[out->codes[i]]; }
}

/// Scales, minima and low bits of Q4_K and Q5_K.
static void terms_4_bit(uint16_t d, uint16_t dmin, const uint8_t packed[12], const uint8_t low[128], terms *out) {
    uint8_t scales[8], minima[8];
    apus_unpack_k_scales(packed, scales, minima);
    for (int group = 0; group < 8; group++) {
        for (int i = 0; i < 32; i++) {
            out->codes[32 * group + i] = (int8_t)((low[32 * (group / 2) + i] >> (4 * (group % 2))) & 15);
        }
        out->d[group] = apus_half_to_float(d) * scales[group];
        out->m[group] = -(apus_half_to_float(dmin) * minima[group]);
    }
}

static void terms_q4_k(const void *pointer, terms *out) {
    const apus_q4_k_block *block = pointer;
    terms_4_bit(block->d, block->dmin, block->scales, block->low, out);
}

static void terms_q5_k(const void *pointer, terms *out) {
    const apus_q5_k_block *block = pointer;
    terms_4_bit(block->d, block->dmin, block->scales, block->low, out);
    for (int i = 0; i < 256; i++) {
        out->codes[i] = (int8_t)(out->codes[i] | ((block->high[i % 32] >> (i / 32)) & 1) << 4);
    }
}

static void terms_2_bit(const uint8_t low[64], terms *out) {
    for (int i = 0; i < 256; i++) {
        out->codes[i] = (int8_t)((low[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4))) & 3);
    }
}

static void terms_q2_k(const void *pointer, terms *out) {
    const apus_q2_k_block *block = pointer;
    terms_2_bit(block->low, out);
    for (int half = 0; half < 16; half++) {
        out->scales[half] = block->scales[half] & 15;
        out->minima[half] = block->scales[half] >> 4;
        out->d[half / 2] = apus_half_to_float(block->d);
        out->m[half / 2] = -apus_half_to_float(block->dmin);
    }
}

static void terms_q3_k(const void *pointer, terms *out) {
    const apus_q3_k_block *block = pointer;
    int8_t scales[16];
    apus_unpack_q3_k_scales(block->scales, scales);
    terms_2_bit(block->low, out);
    for (int i = 0; i < 256; i++) {
        out->codes[i] = (int8_t)((out->codes[i] | ((block->high[i % 32] >> (i / 32)) & 1) << 2) - 4);
    }
    for (int half = 0; half < 16; half++) {
        out->scales[half] = scales[half];
        out->d[half / 2] = apus_half_to_float(block->d);
    }
}

static void terms_q6_k(const void *pointer, terms *out) {
    const apus_q6_k_block *block = pointer;
    for (int i = 0; i < 256; i++) {
        int h = i / 128, p = i / 32 % 4;
        int low = (block->low[64 * h + 32 * (p % 2) + i % 32] >> (4 * (p / 2))) & 15;
        int high = (block->high[32 * h + i % 32] >> (2 * p)) & 3;
        out->codes[i] = (int8_t)((low | high << 4) - 32);
    }
    for (int half = 0; half < 16; half++) {
        out->scales[half] = block->scales[half];
        out->d[half / 2] = apus_half_to_float(block->d);
    }
}

/// Q3_G64 and Q3_G128, of `length` elements.
static void terms_q3(uint16_t d, uint16_t m, const uint8_t *low, const uint8_t *high, int length, terms *out) {
    for (int i = 0; i < length; i++) {
        int bits = (low[i % (length / 4)] >> (2 * (i / (length / 4)))) & 3;
        out->codes[i] = (int8_t)(bits | ((high[4 * (i / 32) + i % 4] >> (i % 32 / 4)) & 1) << 2);
    }
    for (int group = 0; group < length / 32; group++) {
        out->d[group] = apus_half_to_float(d);
        out->m[group] = apus_half_to_float(m);
    }
}

static void terms_q3_g64(const void *pointer, terms *out) {
    const apus_q3_g64_block *block = pointer;
    terms_q3(block->d, block->m, block->low, block->high, 64, out);
}

static void terms_q3_g128(const void *pointer, terms *out) {
    const apus_q3_g128_block *block = pointer;
    terms_q3(block->d, block->m, block->low, block->high, 128, out);
}

// MARK: Products

typedef enum kind { PLAIN, WITH_MINIMUM, SCALE_PER_16, SCALE_AND_MINIMUM_PER_16 } kind;

static float add_group(float acc, kind kind, const terms *weights, int index, const uint8_t *group, int64_t row,
                       int64_t rows) {
    const int8_t *codes = (const int8_t *)apus_panel_codes(group, row);
    const int8_t *q = weights->codes + index * APUS_GROUP;
    int dots[2] = {0, 0};
    for (int i = 0; i < 16; i++) { dots[0] += q[i] * codes[i]; }
    for (int i = 16; i < 32; i++) { dots[1] += q[i] * codes[i]; }
    float s = apus_panel_scales(group, rows)[row];
    float scale = weights->d[index] * s;
    if (kind == PLAIN || kind == WITH_MINIMUM) {
        acc = fmaf((float)(dots[0] + dots[1]), scale, acc);
        return kind == PLAIN ? acc : fmaf(weights->m[index], apus_panel_sums(group, rows)[row], acc);
    }
    const int *scales = weights->scales + 2 * index;
    acc = fmaf((float)(scales[0] * dots[0] + scales[1] * dots[1]), scale, acc);
    if (kind == SCALE_PER_16) { return acc; }
    int32_t pair = apus_panel_half_sums(group, rows)[row];
    const int *minima = weights->minima + 2 * index;
    int sum = minima[0] * (int16_t)(pair & 0xffff) + minima[1] * (pair >> 16);
    return fmaf((float)sum, weights->m[index] * s, acc);
}

static void store(const apus_matmul_args *args, int64_t row, int64_t output, float y) {
    float *target = args->output + row * args->output_stride + output;
    if (args->bias) { y = y + args->bias[output]; }
    *target = args->accumulates ? *target + y : y;
}

#define ROWS_AT_ONCE 4096

/// One output of up to ROWS_AT_ONCE rows: each block is decoded once.
static void multiply_output(const apus_matmul_args *args, const apus_tile_layout *layout, kind kind,
                            void (*decode)(const void *, terms *), int64_t output, int64_t first, float *sums) {
    int64_t groups_per_block = layout->block_length / APUS_GROUP;
    const uint8_t *tile =
        (const uint8_t *)args->weights + output / APUS_TILE_ROWS * apus_tile_bytes(layout, args->inputs);
    int64_t last = args->rows - first < ROWS_AT_ONCE ? args->rows : first + ROWS_AT_ONCE;
    memset(sums, 0, (size_t)(last - first) * sizeof(float));
    for (int64_t block = 0; block < args->inputs / layout->block_length; block++) {
        uint8_t file_block[APUS_SUPER_BLOCK];
        terms weights;
        apus_tile_gather(layout, tile, block, output % APUS_TILE_ROWS, file_block);
        decode(file_block, &weights);
        for (int64_t row = first; row < last; row++) {
            int64_t rows, panel = apus_panel_start(args, row, &rows);
            const uint8_t *groups = (const uint8_t *)args->panels +
                (panel * (args->inputs / APUS_GROUP) + block * groups_per_block * rows) * APUS_PANEL_ROW_BYTES;
            for (int index = 0; index < groups_per_block; index++) {
                const uint8_t *group = groups + index * rows * APUS_PANEL_ROW_BYTES;
                sums[row - first] = add_group(sums[row - first], kind, &weights, index, group, row - panel, rows);
            }
        }
    }
    for (int64_t row = first; row < last; row++) { store(args, row, output, sums[row - first]); }
}

static void multiply(const apus_matmul_args *args, int64_t begin, int64_t end, void *scratch, int32_t type, kind kind,
                     void (*decode)(const void *, terms *)) {
    const apus_tile_layout *layout = apus_tile_layout_for_type(type);
    int64_t limit = end * APUS_TILE_ROWS < args->outputs ? end * APUS_TILE_ROWS : args->outputs;
    for (int64_t output = begin * APUS_TILE_ROWS; output < limit; output++) {
        for (int64_t first = 0; first < args->rows; first += ROWS_AT_ONCE) {
            multiply_output(args, layout, kind, decode, output, first, scratch);
        }
    }
}

#define MATMUL(name, number, kind)                                                                          \
    static void matmul_##name(const void *args, int64_t begin, int64_t end, void *scratch) {                \
        multiply(args, begin, end, scratch, number, kind, terms_##name);                                    \
    }

MATMUL(q4_0, APUS_TYPE_Q4_0, PLAIN)
MATMUL(q4_1, APUS_TYPE_Q4_1, WITH_MINIMUM)
MATMUL(q5_0, APUS_TYPE_Q5_0, PLAIN)
MATMUL(q5_1, APUS_TYPE_Q5_1, WITH_MINIMUM)
MATMUL(q8_0, APUS_TYPE_Q8_0, PLAIN)
MATMUL(q2_k, APUS_TYPE_Q2_K, SCALE_AND_MINIMUM_PER_16)
MATMUL(q3_k, APUS_TYPE_Q3_K, SCALE_PER_16)
MATMUL(q4_k, APUS_TYPE_Q4_K, WITH_MINIMUM)
MATMUL(q5_k, APUS_TYPE_Q5_K, WITH_MINIMUM)
MATMUL(q6_k, APUS_TYPE_Q6_K, SCALE_PER_16)
MATMUL(iq4_nl, APUS_TYPE_IQ4_NL, PLAIN)
MATMUL(iq4_xs, APUS_TYPE_IQ4_XS, PLAIN)
MATMUL(q3_g64, APUS_TYPE_Q3_G64, WITH_MINIMUM)
MATMUL(q3_g128, APUS_TYPE_Q3_G128, WITH_MINIMUM)
MATMUL(i4_row, APUS_TYPE_I4_ROW, PLAIN)

void apus_linear_fill_scalar(apus_kernels *table) {
    static const struct { int32_t type; apus_range_kernel matmul; } entries[] = {
        {APUS_TYPE_Q4_0, matmul_q4_0}, {APUS_TYPE_Q4_1, matmul_q4_1},     {APUS_TYPE_Q5_0, matmul_q5_0},
        {APUS_TYPE_Q5_1, matmul_q5_1}, {APUS_TYPE_Q8_0, matmul_q8_0},     {APUS_TYPE_Q2_K, matmul_q2_k},
        {APUS_TYPE_Q3_K, matmul_q3_k}, {APUS_TYPE_Q4_K, matmul_q4_k},     {APUS_TYPE_Q5_K, matmul_q5_k},
        {APUS_TYPE_Q6_K, matmul_q6_k}, {APUS_TYPE_IQ4_NL, matmul_iq4_nl}, {APUS_TYPE_IQ4_XS, matmul_iq4_xs},
        {APUS_TYPE_Q3_G64, matmul_q3_g64}, {APUS_TYPE_Q3_G128, matmul_q3_g128}, {APUS_TYPE_I4_ROW, matmul_i4_row},
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        apus_format *format = &table->linear.formats[apus_format_index(entries[i].type)];
        apus_fill_quantized_format(format, entries[i].type);
        format->matmul = entries[i].matmul;
    }
    table->linear.prepare[APUS_ACTIVATION_Q8] = prepare_q8;
}
