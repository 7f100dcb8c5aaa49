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

// Registers by number, as the instructions want them. A product that is stored at once waits for its sums: four registers
// take turns, and a product is stored when three later ones are under way.
#define WEIGHTS_0 0
#define WEIGHTS_1 1
#define CODES_0 2
#define CODES_1 3
#define DOTS_0 4
#define DOTS_1 5
#define DOTS_2 6
#define DOTS_3 7
#define TILES_UNDER_WAY 3

typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/// How the rows of a panel, or some of them, are cut into tile products.
typedef struct cut {
    int rows, pieces;   ///< rows in all, and into how many tiles they go
    int halves;         ///< 2: a product for each half of a group
} cut;

APUS_INLINE int products_per_group(cut cut) {
    return cut.pieces * cut.halves;
}

APUS_INLINE void configure_tiles(cut cut) {
    tile_shapes shapes = {.palette = 1};
    for (int i = WEIGHTS_0; i <= DOTS_3; i++) {
        shapes.rows[i] = (uint8_t)(i <= WEIGHTS_1 ? APUS_GROUP / 4 / cut.halves : cut.rows / cut.pieces);
        shapes.row_bytes[i] = (uint16_t)(i == CODES_0 || i == CODES_1 ? APUS_GROUP / cut.halves : 64);
    }
    _tile_loadconfig(&shapes);
}

#define PRODUCT(target, a, b)                                              \
    do {                                                                   \
        if (piece == 0) { _tile_loadd(b, weights, sizeof(vbyte)); }        \
        _tile_loadd(a, codes, APUS_GROUP);                                 \
        _tile_zero(target);                                                \
        _tile_dpbssd(target, a, b);                                        \
    } while (0)

APUS_INLINE void start_product(int64_t product, const void *weights, const int8_t *codes, int piece, cut cut) {
    switch (product % 4) {
    case 0: PRODUCT(DOTS_0, CODES_0, WEIGHTS_0); break;
    case 1:
        if (cut.pieces == 2) {
            PRODUCT(DOTS_1, CODES_1, WEIGHTS_0);
        } else {
            PRODUCT(DOTS_1, CODES_1, WEIGHTS_1);
        }
        break;
    case 2:
        if (cut.pieces == 2) {
            PRODUCT(DOTS_2, CODES_0, WEIGHTS_1);
        } else {
            PRODUCT(DOTS_2, CODES_0, WEIGHTS_0);
        }
        break;
    default: PRODUCT(DOTS_3, CODES_1, WEIGHTS_1);
    }
}

APUS_INLINE void store_product(int64_t product, vint *target) {
    switch (product % 4) {
    case 0: _tile_stored(DOTS_0, target, sizeof(vint)); break;
    case 1: _tile_stored(DOTS_1, target, sizeof(vint)); break;
    case 2: _tile_stored(DOTS_2, target, sizeof(vint)); break;
    default: _tile_stored(DOTS_3, target, sizeof(vint));
    }
}

/// Dot products of some rows and a vector of outputs: of the halves of a group, or of the whole in the first.
typedef struct group_dots {
    vint dots[2][APUS_PANEL_ROWS];
    vint apart[8];  ///< so that what is read and what is being stored are no multiple of 4096 bytes apart
} group_dots;

#define GROUPS_UNDER_WAY 4

/// A chunk's groups on their way through the tiles, one vector of outputs after the other.
typedef struct group_stream {
    const weight_group *weights;
    const uint8_t *panel;
    int64_t panel_rows, first;
    int64_t groups, panel_groups;  ///< of all vectors of outputs; of one, after which the panel begins again
    int64_t started, panel_group;
    group_dots dots[GROUPS_UNDER_WAY];
} group_stream;

APUS_INLINE row_group stream_rows(const group_stream *stream, int64_t group) {
    return rows_from(stream->panel + group * stream->panel_rows * APUS_PANEL_ROW_BYTES, stream->panel_rows, stream->first);
}

/// Starts the products of the next group, if there is one, and stores those that have had time.
APUS_INLINE void advance(group_stream *stream, cut cut) {
    const int piece_rows = cut.rows / cut.pieces, count = products_per_group(cut);
    const int64_t group = stream->started++;
    const int8_t *codes = stream_rows(stream, stream->panel_group).codes;
#pragma clang loop unroll(full)
    for (int i = 0; i < count; i++) {
        if (group < stream->groups) {
            int half = i / cut.pieces, piece = i % cut.pieces;
            start_product(group * count + i, stream->weights[group].w + 4 * half,
                          codes + half * (APUS_GROUP / 2) + piece * piece_rows * APUS_GROUP, piece, cut);
        }
        int64_t done = group * count + i - TILES_UNDER_WAY;
        if (done >= 0 && done < stream->groups * count) {
            int half = (int)(done % count) / cut.pieces, piece = (int)(done % count) % cut.pieces;
            store_product(done, stream->dots[done / count % GROUPS_UNDER_WAY].dots[half] + piece * piece_rows);
        }
    }
    stream->panel_group = stream->panel_group + 1 == stream->panel_groups ? 0 : stream->panel_group + 1;
}

// MARK: One group

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int row = 0; row < rows; row++)

/// Fused, in place: left to the compiler, accumulators wander between registers and the stack.
APUS_INLINE void add_product(vfloat *sum, vfloat a, vfloat b) {
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

/// The same with one float for all lanes, read by the instruction itself.
APUS_INLINE void add_scaled(vfloat *sum, vfloat a, const float *b) {
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(*sum) : "v"(a), "m"(*b));
}

APUS_INLINE void add_per_32(vfloat *sums, int rows, const weight_group *weights, row_group x, const group_dots *dots,
                            int has_minimum) {
    EACH_ROW {
        add_product(&sums[row], to_float(dots->dots[0][row]), weights->d * x.scales[row]);
        if (has_minimum) { add_scaled(&sums[row], weights->m, &x.sums[row]); }
    }
}

APUS_INLINE void add_per_16(vfloat *sums, int rows, const weight_group *weights, row_group x, const group_dots *dots,
                            int has_minimum) {
    EACH_ROW {
        vfloat scaled = fused(to_float(dots->dots[0][row]), weights->s0, (vfloat){});
        scaled = fused(to_float(dots->dots[1][row]), weights->s1, scaled);
        add_product(&sums[row], scaled, weights->d * x.scales[row]);
        if (has_minimum) {
            vint minimum = (vint)_mm512_madd_epi16(_mm512_set1_epi32(x.half_sums[row]), (__m512i)weights->minima);
            add_product(&sums[row], to_float(minimum), weights->m * x.scales[row]);
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

/// Some rows of a panel, and every vector of outputs.
APUS_INLINE void multiply_rows(vfloat *sums, int rows, unpacked_chunk chunk, const uint8_t *panel, int64_t panel_rows,
                               int64_t first, int64_t set_stride, scaling scaling) {
    const cut cut = {rows, rows > 16 ? 2 : 1, scaling == PER_16 || scaling == PER_16_WITH_MINIMUM ? 2 : 1};
    const int lag = (TILES_UNDER_WAY + products_per_group(cut) - 1) / products_per_group(cut);
    group_stream stream = {.weights = chunk.weights, .panel = panel, .panel_rows = panel_rows, .first = first,
                           .groups = chunk.sets * chunk.groups, .panel_groups = chunk.groups};
    configure_tiles(cut);
    for (int group = 0; group < lag; group++) { advance(&stream, cut); }
    int64_t next = 0;
    for (int64_t set = 0; set < chunk.sets; set++, sums += set_stride) {
        vfloat local[APUS_PANEL_ROWS];
        EACH_ROW { local[row] = sums[row]; }
#pragma clang loop unroll(disable)
        for (int64_t group = 0; group < chunk.groups; group++, next++) {
            advance(&stream, cut);
            add_group(local, rows, &chunk.weights[next], stream_rows(&stream, group),
                      &stream.dots[next % GROUPS_UNDER_WAY], scaling);
        }
        EACH_ROW { sums[row] = local[row]; }
    }
}

/// The rows of a panel in as few pieces as tiles and vector registers allow.
APUS_INLINE void multiply_panel(vfloat *sums, unpacked_chunk chunk, const uint8_t *panel, int64_t rows,
                                int64_t set_stride, scaling scaling) {
    int64_t row = 0;
#define ROWS(count) multiply_rows(sums + row, count, chunk, panel, rows, row, set_stride, scaling), row += count
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

APUS_INLINE void multiply_all(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,
                              int64_t last, scaling scaling) {
    int64_t set_stride = last - first;
    for (int64_t start = first; start < last; start += APUS_PANEL_ROWS) {
        int64_t rows = args->rows - start < APUS_PANEL_ROWS ? args->rows - start : APUS_PANEL_ROWS;
        if (chunk.is_last) { prefetch_outputs(chunk, args, APUS_COLUMNS, start, rows); }
        const uint8_t *panel = (const uint8_t *)args->panels +
            (start * (args->inputs / APUS_GROUP) + chunk.first_group * rows) * APUS_PANEL_ROW_BYTES;
        multiply_panel(sums, chunk, panel, rows, set_stride, scaling);
        if (chunk.is_last) { store_panel(sums, APUS_COLUMNS, chunk, args, start, rows, set_stride); }
        sums += rows;
    }
    _tile_release();
}

// Formats differ in their scaling only, once they are unpacked.
#define SCALING_KERNEL(name, scaling)                                                                        \
    static void name(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,        \
                     int64_t last) {                                                                         \
        multiply_all(sums, chunk, args, first, last, scaling);                                               \
    }

SCALING_KERNEL(per_32, PER_32)
SCALING_KERNEL(per_32_with_minimum, PER_32_WITH_MINIMUM)
SCALING_KERNEL(per_16, PER_16)
SCALING_KERNEL(per_16_with_minimum, PER_16_WITH_MINIMUM)

APUS_INLINE void multiply_panels(vfloat *sums, int columns, unpacked_chunk chunk, const apus_matmul_args *args,
                                 int64_t first, int64_t last, arithmetic how) {
    (void)columns;
    static const panel_kernel kernels[] = {per_32, per_32_with_minimum, per_16, per_16_with_minimum};
    kernels[how.scaling](sums, chunk, args, first, last);
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
