// Every quantized format joined to the drivers; a tier file calls fill_vector_formats.
#pragma once

#include "linear_drivers.h"
#include "tiers.h"

// The arithmetics that occur; formats that share one share its panel kernels.
static const arithmetic signed_4_bit = {PER_32, 4, 8};
static const arithmetic signed_5_bit = {PER_32, 5, 16};
static const arithmetic signed_8_bit = {PER_32, 8, 128};
static const arithmetic minimum_3_bit = {PER_32_WITH_MINIMUM, 3, 0};
static const arithmetic minimum_4_bit = {PER_32_WITH_MINIMUM, 4, 0};
static const arithmetic minimum_5_bit = {PER_32_WITH_MINIMUM, 5, 0};
static const arithmetic halves_6_bit = {PER_16, 6, 32};
static const arithmetic halves_3_bit = {PER_16, 3, 4};
static const arithmetic halves_minimum_2_bit = {PER_16_WITH_MINIMUM, 2, 0};

#define PANEL_KERNEL(name, columns, how)                                                                     \
    static void name(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,        \
                     int64_t last) {                                                                         \
        multiply_panels(sums, columns, chunk, args, first, last, how);                                       \
    }
#define PANEL_KERNELS(how)                 \
    PANEL_KERNEL(how##_one_column, 1, how) \
    PANEL_KERNEL(how##_all_columns, APUS_COLUMNS, how)

PANEL_KERNELS(signed_4_bit)
PANEL_KERNELS(signed_5_bit)
PANEL_KERNELS(signed_8_bit)
PANEL_KERNELS(minimum_3_bit)
PANEL_KERNELS(minimum_4_bit)
PANEL_KERNELS(minimum_5_bit)
PANEL_KERNELS(halves_6_bit)
PANEL_KERNELS(halves_3_bit)
PANEL_KERNELS(halves_minimum_2_bit)

#define MATMUL(name, number, opener, place, length, how)                                                           \
    static void matmul_##name(const void *pointer, int64_t begin, int64_t end, void *scratch) {                    \
        const apus_matmul_args *args = pointer;                                                                    \
        const vector_format format = {number, how, opener, unpack_##name, how##_one_column, how##_all_columns};    \
        const tile_sizes sizes = {                                                                                 \
            length / APUS_GROUP, sizeof(apus_##name##_block) * APUS_TILE_ROWS * APUS_GROUP / length,               \
            sizeof(apus_##name##_tile), APUS_SCALES_##place};                                                      \
        if (args->rows <= APUS_RUN_ROWS) {                                                                         \
            multiply_few(args, begin, end, format, sizes);                                                         \
        } else {                                                                                                   \
            multiply_many(args, begin, end, scratch, format, sizes);                                               \
        }                                                                                                          \
    }

typedef apus_q4_0_tile apus_iq4_nl_tile;

MATMUL(q4_0, APUS_TYPE_Q4_0, open_q4_0, BEFORE_PAIR, 32, signed_4_bit)
MATMUL(q4_1, APUS_TYPE_Q4_1, open_q4_1, INSIDE, 32, minimum_4_bit)
MATMUL(q5_0, APUS_TYPE_Q5_0, open_q4_0, BEFORE_PAIR, 32, signed_5_bit)
MATMUL(q5_1, APUS_TYPE_Q5_1, open_q5_1, INSIDE, 32, minimum_5_bit)
MATMUL(q8_0, APUS_TYPE_Q8_0, open_q4_0, BEFORE_PAIR, 32, signed_8_bit)
MATMUL(q2_k, APUS_TYPE_Q2_K, open_q2_k, INSIDE, 256, halves_minimum_2_bit)
MATMUL(q3_k, APUS_TYPE_Q3_K, open_q3_k, BEFORE_PAIR, 256, halves_3_bit)
MATMUL(q4_k, APUS_TYPE_Q4_K, open_q4_k, INSIDE, 256, minimum_4_bit)
MATMUL(q5_k, APUS_TYPE_Q5_K, open_q5_k, INSIDE, 256, minimum_5_bit)
MATMUL(q6_k, APUS_TYPE_Q6_K, open_q6_k, BEFORE_PAIR, 256, halves_6_bit)
MATMUL(iq4_nl, APUS_TYPE_IQ4_NL, open_q4_0, BEFORE_PAIR, 32, signed_8_bit)
MATMUL(iq4_xs, APUS_TYPE_IQ4_XS, open_iq4_xs, INSIDE, 256, signed_8_bit)
MATMUL(q3_g64, APUS_TYPE_Q3_G64, open_q3_g64, INSIDE, 64, minimum_3_bit)
MATMUL(q3_g128, APUS_TYPE_Q3_G128, open_q3_g128, INSIDE, 128, minimum_3_bit)
MATMUL(i4_row, APUS_TYPE_I4_ROW, open_i4_row, BEFORE_ROW, 32, signed_4_bit)

static void fill_vector_formats(apus_kernels *table) {
    static const struct { int32_t type; apus_range_kernel matmul; } entries[] = {
        {APUS_TYPE_Q4_0, matmul_q4_0}, {APUS_TYPE_Q4_1, matmul_q4_1},     {APUS_TYPE_Q5_0, matmul_q5_0},
        {APUS_TYPE_Q5_1, matmul_q5_1}, {APUS_TYPE_Q8_0, matmul_q8_0},     {APUS_TYPE_Q2_K, matmul_q2_k},
        {APUS_TYPE_Q3_K, matmul_q3_k}, {APUS_TYPE_Q4_K, matmul_q4_k},     {APUS_TYPE_Q5_K, matmul_q5_k},
        {APUS_TYPE_Q6_K, matmul_q6_k}, {APUS_TYPE_IQ4_NL, matmul_iq4_nl}, {APUS_TYPE_IQ4_XS, matmul_iq4_xs},
        {APUS_TYPE_Q3_G64, matmul_q3_g64}, {APUS_TYPE_Q3_G128, matmul_q3_g128}, {APUS_TYPE_I4_ROW, matmul_i4_row},
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        table->linear.formats[apus_format_index(entries[i].type)].matmul = entries[i].matmul;
    }
}
