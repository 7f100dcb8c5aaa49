// How quantized weights and prepared activations lie in memory (design: a lane is an output).
//
// A tile holds 16 output rows of the file's bytes, rearranged so that one load of 64 bytes brings the same 4-byte word
// of all 16 rows; not a byte is added. Where a block's header would break the alignment of 64 (a single
// vector of 32 bytes), two blocks share one: the 64 bytes in front of a pair are its two vectors of scales. One stream
// of addresses is what the CPU prefetches best; block scales of a whole tile in front cost a tenth of the decode rate.
#pragma once

#include <stdint.h>

#include "codecs/blocks.h"
#include "include/apus_linear.h"

#define APUS_TILE_ROWS 16
#define APUS_GROUP 32         ///< elements of an activation group and of a weight block
#define APUS_PANEL_ROWS 24    ///< rows of a full activation panel; the last panel holds the rest
#define APUS_SMALL_PANEL_ROWS 8  ///< the same where rows are few
#define APUS_PANEL_ROW_BYTES 44  ///< per row and group: 32 codes, scale, scaled sum, two half sums

/// A panel of n rows is a sequence of groups, each of n * 44 bytes: codes [n][32], scales s [n], t = s times the sum of
/// the codes [n], sums of the two halves of 16 as pairs of int16 [n].
static inline const uint8_t *_Nonnull apus_panel_codes(const uint8_t *_Nonnull group, int64_t row) {
    return group + row * 32;
}
static inline const float *_Nonnull apus_panel_scales(const uint8_t *_Nonnull group, int64_t rows) {
    return (const float *)(group + rows * 32);
}
static inline const float *_Nonnull apus_panel_sums(const uint8_t *_Nonnull group, int64_t rows) {
    return (const float *)(group + rows * 36);
}
static inline const int32_t *_Nonnull apus_panel_half_sums(const uint8_t *_Nonnull group, int64_t rows) {
    return (const int32_t *)(group + rows * 40);
}

/// The panel that holds row `row`: its first row and how many rows it has.
static inline int64_t apus_panel_start(const apus_matmul_args *_Nonnull args, int64_t row, int64_t *_Nonnull rows) {
    // Divisions by constants: this is asked for every tile.
    int64_t start = args->panel_rows == APUS_SMALL_PANEL_ROWS ? row / APUS_SMALL_PANEL_ROWS * APUS_SMALL_PANEL_ROWS
                                                              : row / APUS_PANEL_ROWS * APUS_PANEL_ROWS;
    *rows = args->rows - start < args->panel_rows ? args->rows - start : args->panel_rows;
    return start;
}

/// The panel with number `index`: its groups, its first row and how many rows it has.
static inline uint8_t *_Nonnull apus_prepared_panel(const apus_prepare_args *_Nonnull args, int64_t index,
                                                    int64_t *_Nonnull first, int64_t *_Nonnull rows) {
    *first = index * args->panel_rows;
    *rows = args->rows - *first < args->panel_rows ? args->rows - *first : args->panel_rows;
    return (uint8_t *)args->panels + *first * (args->inputs / APUS_GROUP) * APUS_PANEL_ROW_BYTES;
}

// Bodies of the tile blocks. Words are those of the file's block, [word][row].

typedef struct apus_q4_0_tile { uint32_t low[4][16]; } apus_q4_0_tile;  // also IQ4_NL; scales before the pair
typedef struct apus_q4_1_tile { uint16_t d[16], m[16]; uint32_t low[4][16]; } apus_q4_1_tile;
/// Bit s of byte e of `high` is bit 4 of element 4 s + e.
typedef struct apus_q5_0_tile { uint32_t high[16], low[4][16]; } apus_q5_0_tile;  // scales before the pair
typedef struct apus_q5_1_tile { uint16_t d[16], m[16]; uint32_t high[16], low[4][16]; } apus_q5_1_tile;
/// Codes with 128 added.
typedef struct apus_q8_0_tile { uint32_t codes[8][16]; } apus_q8_0_tile;  // scales before the pair
typedef struct apus_q2_k_tile { uint16_t d[16], dmin[16]; uint32_t scales[4][16], low[16][16]; } apus_q2_k_tile;
typedef struct apus_q3_k_tile { uint32_t scales[3][16], high[8][16], low[16][16]; } apus_q3_k_tile;  // scales before the pair
typedef struct apus_q4_k_tile { uint16_t d[16], dmin[16]; uint32_t scales[3][16], low[32][16]; } apus_q4_k_tile;
typedef struct apus_q5_k_tile {
    uint16_t d[16], dmin[16];
    uint32_t scales[3][16], high[8][16], low[32][16];
} apus_q5_k_tile;
typedef struct apus_q6_k_tile { uint32_t scales[4][16], high[16][16], low[32][16]; } apus_q6_k_tile;  // scales before the pair
typedef struct apus_iq4_xs_tile {
    uint16_t d[16], scales_high[16];
    uint32_t scales_low[16], low[32][16];
} apus_iq4_xs_tile;

typedef struct apus_q3_g64_tile { uint16_t d[16], m[16]; uint32_t low[4][16], high[2][16]; } apus_q3_g64_tile;
typedef struct apus_q3_g128_tile { uint16_t d[16], m[16]; uint32_t low[8][16], high[4][16]; } apus_q3_g128_tile;

typedef apus_q4_0_tile apus_i4_row_tile;  // scales before the row

typedef enum apus_tile_coding {
    APUS_CODING_PLAIN = 0,
    APUS_CODING_OFFSET_128 = 1,   ///< the top bit of each byte flipped: int8 becomes uint8 with 128 added
    APUS_CODING_STEP_BITS = 2,    ///< 32 single bits, see apus_q5_0_tile
} apus_tile_coding;

/// Where the scales of a tile's blocks stand.
typedef enum apus_scale_place {
    APUS_SCALES_INSIDE,       ///< in the body
    APUS_SCALES_BEFORE_PAIR,  ///< 64 bytes in front of two blocks: binary16, those of the first, then of the second
    APUS_SCALES_BEFORE_ROW,   ///< 64 bytes in front of all blocks: binary32, one for each row
} apus_scale_place;

/// `count` units of `width` bytes at `source` in a file block stand at `target` in the tile's block.
typedef struct apus_tile_field {
    uint16_t source, target;
    uint8_t count, width, coding;
} apus_tile_field;

typedef struct apus_tile_layout {
    int32_t type;
    int32_t block_length, block_bytes;  ///< of the file's block
    int32_t body_bytes;                 ///< of the tile's block
    apus_scale_place scales;
    int32_t scale_source;               ///< where the file's block has the scale that stands in front
    int32_t field_count;
    apus_tile_field fields[6];
} apus_tile_layout;

/// The layout of a quantized GGUF type.
const apus_tile_layout *_Nonnull apus_tile_layout_for_type(int32_t type);

/// Where the body of a block begins.
static inline int64_t apus_body_offset(apus_scale_place scales, int64_t body_bytes, int64_t block) {
    int64_t vectors = scales == APUS_SCALES_BEFORE_PAIR ? block / 2 + 1 : scales == APUS_SCALES_BEFORE_ROW;
    return 64 * vectors + block * body_bytes;
}

/// Where the scales of a block begin that stand in front.
static inline int64_t apus_scale_offset(apus_scale_place scales, int64_t body_bytes, int64_t block) {
    return scales == APUS_SCALES_BEFORE_PAIR ? block / 2 * (64 + 2 * body_bytes) + block % 2 * 32 : 0;
}

int64_t apus_tile_bytes(const apus_tile_layout *_Nonnull layout, int64_t inputs);

/// One row's block as it stood in the file.
void apus_tile_gather(const apus_tile_layout *_Nonnull layout, const uint8_t *_Nonnull tile, int64_t block,
                      int64_t row, uint8_t *_Nonnull output);

/// The entry of a quantized type without its matmul: sizes, pack and unpack_row are the same on every tier.
void apus_fill_quantized_format(apus_format *_Nonnull format, int32_t type);
