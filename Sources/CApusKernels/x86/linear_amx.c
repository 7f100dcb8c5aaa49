// Quantized linear layers with AMX: a tile product is the exact dot products of 16 rows, 16 outputs and 32 inputs.
//
// Tile registers add integers only, so after each group its products pass through memory into the float accumulators,
// which stay in vector registers for a whole chunk. Those conversions, scalings and additions are the bound here, not the
// dots; the tile products of the next groups run meanwhile.
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../linear_tiles.h"
#include "../tiers.h"
#include "amx.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(                                                                                       \
    __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c,avx2"))),       \
    apply_to = function)

#define APUS_LANES 16
#define APUS_COLUMNS 1
#define APUS_SETS 4
#define APUS_CHUNK_GROUPS 16
#define APUS_SIGNED_CODES 1
/// Products of few rows, and of formats whose half groups would each need a tile product, are faster in the tier below.
#define APUS_MOST_FEW_ROWS(block_length, scaling) \
    ((scaling) == PER_32 || (scaling) == PER_32_WITH_MINIMUM ? APUS_PANEL_ROWS - 1 : INT64_MAX)

#include "../vector.h"

APUS_INLINE vbyte look_up_level(vbyte index) {
    const __m512i levels = _mm512_broadcast_i32x4(
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)apus_iq4_levels), _mm_set1_epi8((char)0x80)));
    return (vbyte)_mm512_shuffle_epi8(levels, (__m512i)index);
}

#include "../linear_drivers.h"

// MARK: Tiles

// Registers by number, as the instructions want them. Storing a product at once would wait for it: four registers take
// turns, and a product is stored when LAG later ones are under way.
#define WEIGHTS_0 0
#define WEIGHTS_1 1
#define CODES_0 2
#define CODES_1 3
#define DOTS_0 4
#define DOTS_1 5
#define DOTS_2 6
#define DOTS_3 7
#define LAG 3
#define GROUPS_KEPT 4

/// Some rows of a panel and how they go through the tiles.
typedef struct row_cut {
    int rows, tile_rows;  ///< of a tile the first are wanted
} row_cut;

/// Slow, so only done when the rows of a tile change; `configured` says how many they are.
APUS_INLINE void configure_tiles(row_cut cut, int *configured) {
    if (*configured == cut.tile_rows) { return; }
    *configured = cut.tile_rows;
    tile_shapes shapes = {.palette = 1};
    for (int i = WEIGHTS_0; i <= DOTS_3; i++) {
        shapes.rows[i] = (uint8_t)(i <= WEIGHTS_1 ? APUS_GROUP / 4 : cut.tile_rows);
        shapes.row_bytes[i] = (uint16_t)(i == CODES_0 || i == CODES_1 ? APUS_GROUP : 64);
    }
    _tile_loadconfig(&shapes);
}

#define PRODUCT(target, a, b)                      \
    do {                                           \
        _tile_loadd(b, weights, sizeof(vbyte));    \
        _tile_loadd(a, codes, APUS_GROUP);         \
        _tile_zero(target);                        \
        _tile_dpbssd(target, a, b);                \
    } while (0)

APUS_INLINE void start_product(int64_t product, const vbyte *weights, const int8_t *codes) {
    switch (product % 4) {
    case 0: PRODUCT(DOTS_0, CODES_0, WEIGHTS_0); break;
    case 1: PRODUCT(DOTS_1, CODES_1, WEIGHTS_1); break;
    case 2: PRODUCT(DOTS_2, CODES_0, WEIGHTS_0); break;
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

/// A chunk's groups on their way through the tiles, one vector of outputs after the other.
typedef struct group_stream {
    const weight_group *weights;
    const uint8_t *panel;
    int64_t panel_rows, first;
    int64_t groups;  ///< of all vectors of outputs; after those of one the panel begins again
    /// Dot products of groups in turn, [row]. Without gaps: what is read and what was just stored must not be a multiple
    /// of 4096 bytes apart.
    vint *dots;
} group_stream;

APUS_INLINE vint *group_dots(group_stream stream, int64_t group, row_cut cut) {
    return stream.dots + group % GROUPS_KEPT * cut.tile_rows;
}

APUS_INLINE row_group stream_rows(group_stream stream, int64_t group) {
    return rows_from(stream.panel + group * stream.panel_rows * APUS_PANEL_ROW_BYTES, stream.panel_rows, stream.first);
}

/// Starts the product of a group, if there is one, and stores the one that has had time.
APUS_INLINE void advance(group_stream stream, int64_t group, int64_t panel_group, row_cut cut) {
    int64_t done = group - LAG;
    if (group < stream.groups) {
        start_product(group, stream.weights[group].w, stream_rows(stream, panel_group).codes);
    }
    if (done >= 0 && done < stream.groups) { store_product(done, group_dots(stream, done, cut)); }
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

/// Exact below 2^22. Converting is work for the one float unit that multiplies; adding is not.
APUS_INLINE vfloat small_to_float(vint value) {
    return (vfloat)(value + 0x4b400000) - 0x1.8p23f;
}

APUS_INLINE void add_group(vfloat *sums, int rows, const weight_group *weights, row_group x, const vint *dots,
                           int has_minimum) {
    EACH_ROW {
        add_product(&sums[row], small_to_float(dots[row]), weights->d * x.scales[row]);
        if (has_minimum) { add_scaled(&sums[row], weights->m, &x.sums[row]); }
    }
}

// MARK: Many rows

/// Some rows of a panel, and every vector of outputs.
APUS_INLINE void multiply_rows(vfloat *sums, row_cut cut, unpacked_chunk chunk, const uint8_t *panel, int64_t panel_rows,
                               int64_t first, int64_t set_stride, int has_minimum, int *configured) {
    const int rows = cut.rows;
    vint dots[GROUPS_KEPT * 16];
    const group_stream stream = {chunk.weights, panel, panel_rows, first, chunk.sets * chunk.groups, dots};
    int64_t next = 0, ahead = 0;
    configure_tiles(cut, configured);
    for (int group = 0; group < LAG; group++) {
        advance(stream, group, ahead, cut);
        ahead = ahead + 1 == chunk.groups ? 0 : ahead + 1;
    }
    for (int64_t set = 0; set < chunk.sets; set++, sums += set_stride) {
        vfloat local[16];
        EACH_ROW { local[row] = sums[row]; }
#pragma clang loop unroll(disable)
        for (int64_t group = 0; group < chunk.groups; group++, next++) {
            advance(stream, next + LAG, ahead, cut);
            ahead = ahead + 1 == chunk.groups ? 0 : ahead + 1;
            add_group(local, rows, &chunk.weights[next], stream_rows(stream, group), group_dots(stream, next, cut),
                      has_minimum);
        }
        EACH_ROW { sums[row] = local[row]; }
    }
}

/// The rows of a panel in as few pieces as tiles allow. The second tile of a full panel reads past its codes, but not past
/// the panel: one shape of tile does for all full panels.
APUS_INLINE void multiply_panel(vfloat *sums, unpacked_chunk chunk, const uint8_t *panel, int64_t rows,
                                int64_t set_stride, int has_minimum, int *configured) {
    int64_t row = 0;
#define ROWS(count, of)                                                                                              \
    multiply_rows(sums + row, (row_cut){count, of}, chunk, panel, rows, row, set_stride, has_minimum, configured);   \
    row += count
    if (rows >= 16) { ROWS(16, 16); }
    if (rows == APUS_PANEL_ROWS) {
        ROWS(8, 16);
    } else if (rows - row >= 8) {
        ROWS(8, 8);
    }
    switch (rows - row) {
#define CASE(count) case count: ROWS(count, count); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
    default:
        break;
    }
#undef ROWS
}

APUS_INLINE void multiply_all(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,
                              int64_t last, int has_minimum) {
    int64_t set_stride = last - first;
    int configured = 0;
    for (int64_t start = first; start < last; start += APUS_PANEL_ROWS) {
        int64_t rows = args->rows - start < APUS_PANEL_ROWS ? args->rows - start : APUS_PANEL_ROWS;
        if (chunk.is_last) { prefetch_outputs(chunk, args, APUS_COLUMNS, start, rows); }
        const uint8_t *panel = (const uint8_t *)args->panels +
            (start * (args->inputs / APUS_GROUP) + chunk.first_group * rows) * APUS_PANEL_ROW_BYTES;
        multiply_panel(sums, chunk, panel, rows, set_stride, has_minimum, &configured);
        if (chunk.is_last) { store_panel(sums, APUS_COLUMNS, chunk, args, start, rows, set_stride); }
        sums += rows;
    }
    _tile_release();
}

// Once they are unpacked, formats differ only in whether they have a minimum.
static void multiply_without_minimum(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,
                                     int64_t last) {
    multiply_all(sums, chunk, args, first, last, 0);
}

static void multiply_with_minimum(vfloat *sums, unpacked_chunk chunk, const apus_matmul_args *args, int64_t first,
                                  int64_t last) {
    multiply_all(sums, chunk, args, first, last, 1);
}

APUS_INLINE void multiply_panels(vfloat *sums, int columns, unpacked_chunk chunk, const apus_matmul_args *args,
                                 int64_t first, int64_t last, arithmetic how) {
    (void)columns;
    (how.scaling == PER_32 ? multiply_without_minimum : multiply_with_minimum)(sums, chunk, args, first, last);
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
