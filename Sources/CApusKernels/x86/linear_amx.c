// Quantized linear layers with AMX: a tile product is the exact dot products of 16 rows, 16 outputs and 32 inputs.
//
// Tile registers add integers only, so after each group its products pass through memory into the float accumulators,
// which stay in vector registers for a whole chunk. Those conversions, scalings and additions are the bound here, not the
// dots; the next group's tile product runs meanwhile. Few rows are left to the tier below.
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../linear_tiles.h"
#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(                                                                                       \
    __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c,avx2"))),       \
    apply_to = function)

#define APUS_LANES 16
#define APUS_COLUMNS 1
#define APUS_SETS 4
#define APUS_SIGNED_CODES 1
#define APUS_MOST_FEW_ROWS(block_length) 8

#include "../vector.h"

APUS_INLINE vbyte look_up_level(vbyte index) {
    const __m512i levels = _mm512_broadcast_i32x4(
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)apus_iq4_levels), _mm_set1_epi8((char)0x80)));
    return (vbyte)_mm512_shuffle_epi8(levels, (__m512i)index);
}

#include "../linear_drivers.h"

// MARK: Tiles

// The registers by number, as the instructions want them: the weights and, for 16 rows, for 8 and for the less than 8
// that are left at the end, activations and dot products.
#define WEIGHTS 0
#define CODES_16 1
#define DOTS_16 2
#define CODES_8 3
#define DOTS_8 4
#define CODES_REST 5
#define DOTS_REST 6

typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

APUS_INLINE void configure_tiles(int64_t rows, arithmetic how) {
    const int inputs = how.scaling == PER_32 || how.scaling == PER_32_WITH_MINIMUM ? APUS_GROUP : APUS_GROUP / 2;
    const int counts[] = {16, 8, (int)(rows % 8)};
    tile_shapes shapes = {.palette = 1};
    shapes.rows[WEIGHTS] = (uint8_t)(inputs / 4);
    shapes.row_bytes[WEIGHTS] = 64;
    for (int i = 0; i < 3; i++) {
        if (counts[i] == 0) { continue; }
        shapes.rows[CODES_16 + 2 * i] = shapes.rows[DOTS_16 + 2 * i] = (uint8_t)counts[i];
        shapes.row_bytes[CODES_16 + 2 * i] = (uint16_t)inputs;
        shapes.row_bytes[DOTS_16 + 2 * i] = 64;
    }
    _tile_loadconfig(&shapes);
}

/// Dot products of the rows and outputs of a group: of each half, or of the whole in the first.
typedef struct group_dots {
    vint dots[2][APUS_PANEL_ROWS];
} group_dots;

#define TILE_DOTS(size, target, codes)                          \
    do {                                                        \
        _tile_loadd(CODES_##size, codes, APUS_GROUP);           \
        _tile_zero(DOTS_##size);                                \
        _tile_dpbssd(DOTS_##size, CODES_##size, WEIGHTS);       \
        _tile_stored(DOTS_##size, target, sizeof(vint));        \
    } while (0)

APUS_INLINE void tile_dots(group_dots *out, int rows, const weight_group *weights, const int8_t *codes, int halves) {
    for (int half = 0; half < halves; half++) {
        const int8_t *inputs = codes + half * (APUS_GROUP / 2);
        _tile_loadd(WEIGHTS, weights->w + 4 * half, sizeof(vbyte));
        if (rows >= 16) { TILE_DOTS(16, out->dots[half], inputs); }
        if (rows % 16 == 8) { TILE_DOTS(8, out->dots[half] + rows - 8, inputs + (rows - 8) * APUS_GROUP); }
        if (rows < 8) { TILE_DOTS(REST, out->dots[half], inputs); }
    }
}

// MARK: One group

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int row = 0; row < rows; row++)

APUS_INLINE void add_per_32(vfloat *sums, int rows, const weight_group *weights, row_group x, const group_dots *dots,
                            int has_minimum) {
    EACH_ROW {
        sums[row] = fused(to_float(dots->dots[0][row]), weights->d * x.scales[row], sums[row]);
        if (has_minimum) { sums[row] = fused(weights->m, splat_float(x.sums[row]), sums[row]); }
    }
}

APUS_INLINE void add_per_16(vfloat *sums, int rows, const weight_group *weights, row_group x, const group_dots *dots,
                            int has_minimum) {
    EACH_ROW {
        vfloat scaled = fused(to_float(dots->dots[0][row]), weights->s0, (vfloat){});
        scaled = fused(to_float(dots->dots[1][row]), weights->s1, scaled);
        sums[row] = fused(scaled, weights->d * x.scales[row], sums[row]);
        if (has_minimum) {
            vint minimum = (vint)_mm512_madd_epi16(_mm512_set1_epi32(x.half_sums[row]), (__m512i)weights->minima);
            sums[row] = fused(to_float(minimum), weights->m * x.scales[row], sums[row]);
        }
    }
}

APUS_INLINE void add_group(vfloat *sums, int rows, const weight_group *weights, row_group x, const group_dots *dots,
                           scaling scaling) {
    if (scaling == PER_32 || scaling == PER_32_WITH_MINIMUM) {
        add_per_32(sums, rows, weights, x, dots, scaling == PER_32_WITH_MINIMUM);
    } else {
        add_per_16(sums, rows, weights, x, dots, scaling == PER_16_WITH_MINIMUM);
    }
}

// MARK: Many rows

APUS_INLINE void multiply_rows(vfloat *sums, int rows, const weight_group *weights, int64_t groups,
                               const uint8_t *panel, int64_t panel_rows, int64_t first, scaling scaling) {
    const int halves = scaling == PER_32 || scaling == PER_32_WITH_MINIMUM ? 1 : 2;
    group_dots dots[2];
    vfloat local[APUS_PANEL_ROWS];
    EACH_ROW { local[row] = sums[row]; }
    tile_dots(&dots[0], rows, weights, rows_from(panel, panel_rows, first).codes, halves);
#pragma clang loop unroll(disable)
    for (int64_t group = 0; group < groups; group++) {
        const uint8_t *next = panel + panel_rows * APUS_PANEL_ROW_BYTES;
        if (group + 1 < groups) {
            tile_dots(&dots[(group + 1) % 2], rows, weights + 1, rows_from(next, panel_rows, first).codes, halves);
        }
        add_group(local, rows, weights, rows_from(panel, panel_rows, first), &dots[group % 2], scaling);
        weights++;
        panel = next;
    }
    EACH_ROW { sums[row] = local[row]; }
}

APUS_INLINE void multiply_sets(vfloat *sums, int rows, unpacked_chunk chunk, const uint8_t *panel, int64_t panel_rows,
                               int64_t first, int64_t set_stride, scaling scaling) {
    for (int64_t set = 0; set < chunk.sets; set++) {
        multiply_rows(sums + set * set_stride, rows, chunk.weights + set * chunk.groups, chunk.groups, panel, panel_rows,
                      first, scaling);
    }
}

/// The rows of a panel in as few pieces as tiles and vector registers allow.
APUS_INLINE void multiply_panel(vfloat *sums, unpacked_chunk chunk, const uint8_t *panel, int64_t rows,
                                int64_t set_stride, scaling scaling) {
    int64_t row = 0;
#define ROWS(count) multiply_sets(sums + row, count, chunk, panel, rows, row, set_stride, scaling), row += count
    if (rows == 24) {
        ROWS(24);
    } else if (rows >= 16) {
        ROWS(16);
    }
    if (rows - row >= 8) { ROWS(8); }
    switch (rows - row) {
#define CASE(count) case count: ROWS(count); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
    default:
        break;
    }
#undef ROWS
}

APUS_INLINE void multiply_panels(vfloat *sums, int columns, unpacked_chunk chunk, const apus_matmul_args *args,
                                 int64_t first, int64_t last, arithmetic how) {
    int64_t set_stride = last - first;
    configure_tiles(args->rows, how);
    for (int64_t start = first; start < last; start += APUS_PANEL_ROWS) {
        int64_t rows = args->rows - start < APUS_PANEL_ROWS ? args->rows - start : APUS_PANEL_ROWS;
        if (chunk.is_last) { prefetch_outputs(chunk, args, columns, start, rows); }
        const uint8_t *panel = (const uint8_t *)args->panels +
            (start * (args->inputs / APUS_GROUP) + chunk.first_group * rows) * APUS_PANEL_ROW_BYTES;
        multiply_panel(sums, chunk, panel, rows, set_stride, how.scaling);
        if (chunk.is_last) { store_panel(sums, columns, chunk, args, start, rows, set_stride); }
        sums += rows;
    }
    _tile_release();
}

// MARK: Few rows

/// The matmuls of the tier below.
static apus_range_kernel few_rows[APUS_FORMAT_COUNT];

APUS_INLINE void multiply_few(const apus_matmul_args *args, int64_t begin, int64_t end, void *scratch,
                              vector_format format, tile_sizes sizes) {
    (void)sizes;
    few_rows[apus_format_index(format.type)](args, begin, end, scratch);
}

#include "../linear_formats.h"

void apus_linear_fill_amx(apus_kernels *table) {
    for (int i = 0; i < APUS_FORMAT_COUNT; i++) { few_rows[i] = table->linear.formats[i].matmul; }
    fill_vector_formats(table);
}

#pragma clang attribute pop
#endif
