// How quantized weights and prepared activations lie in memory (design: a lane is an output).
//
// A tile holds 16 output rows of the file's bytes, rearranged so that one load of 64 bytes brings the same 4-byte word
// of all 16 rows; not a byte is added. Where a block's header would break the alignment of 64 (an odd number of
// 32-byte scale vectors), the scales of the whole tile stand in front, in a plane rounded up to 64 bytes.
#pragma once

#include <stdint.h>

#include "codecs/blocks.h"
#include "include/apus_linear.h"

#define APUS_TILE_ROWS 16
#define APUS_GROUP 32         ///< elements of an activation group and of a weight block
#define APUS_PANEL_ROWS 24    ///< rows of a full activation panel; the last panel holds the rest
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

// Bodies of the tile blocks. Words are those of the file's block, [word][row].

typedef struct apus_q4_0_tile { uint32_t low[4][16]; } apus_q4_0_tile;  // also IQ4_NL; scales in the plane
typedef struct apus_q4_1_tile { uint16_t d[16], m[16]; uint32_t low[4][16]; } apus_q4_1_tile;
/// Bit s of byte e of `high` is bit 4 of element 4 s + e.
typedef struct apus_q5_0_tile { uint32_t high[16], low[4][16]; } apus_q5_0_tile;  // scales in the plane
typedef struct apus_q5_1_tile { uint16_t d[16], m[16]; uint32_t high[16], low[4][16]; } apus_q5_1_tile;
/// Codes with 128 added.
typedef struct apus_q8_0_tile { uint32_t codes[8][16]; } apus_q8_0_tile;  // scales in the plane
typedef struct apus_q2_k_tile { uint16_t d[16], dmin[16]; uint32_t scales[4][16], low[16][16]; } apus_q2_k_tile;
typedef struct apus_q3_k_tile { uint32_t scales[3][16], high[8][16], low[16][16]; } apus_q3_k_tile;  // scales in the plane
typedef struct apus_q4_k_tile { uint16_t d[16], dmin[16]; uint32_t scales[3][16], low[32][16]; } apus_q4_k_tile;
typedef struct apus_q5_k_tile {
    uint16_t d[16], dmin[16];
    uint32_t scales[3][16], high[8][16], low[32][16];
} apus_q5_k_tile;
typedef struct apus_q6_k_tile { uint32_t scales[4][16], high[16][16], low[32][16]; } apus_q6_k_tile;  // scales in the plane
typedef struct apus_iq4_xs_tile {
    uint16_t d[16], scales_high[16];
    uint32_t scales_low[16], low[32][16];
} apus_iq4_xs_tile;

typedef enum apus_tile_coding {
    APUS_CODING_PLAIN = 0,
    APUS_CODING_OFFSET_128 = 1,   ///< the top bit of each byte flipped: int8 becomes uint8 with 128 added
    APUS_CODING_STEP_BITS = 2,    ///< 32 single bits, see apus_q5_0_tile
} apus_tile_coding;

/// `count` units of `width` bytes at `source` in a file block stand at `target` in the tile's block.
typedef struct apus_tile_field {
    uint16_t source, target;
    uint8_t count, width, coding;
} apus_tile_field;

typedef struct apus_tile_layout {
    int32_t type;
    int32_t block_length, block_bytes;  ///< of the file's block
    int32_t body_bytes;                 ///< of the tile's block
    int32_t plane_source;               ///< where the file's block has the scale that goes to the plane; -1: no plane
    int32_t field_count;
    apus_tile_field fields[6];
} apus_tile_layout;

/// The layout of a quantized GGUF type.
const apus_tile_layout *_Nonnull apus_tile_layout_for_type(int32_t type);

/// Bytes of the scale plane in front of a tile's blocks.
static inline int64_t apus_plane_bytes(const apus_tile_layout *_Nonnull layout, int64_t inputs) {
    return layout->plane_source < 0 ? 0 : (inputs / layout->block_length * 32 + 63) / 64 * 64;
}

/// One row's block as it stood in the file.
void apus_tile_gather(const apus_tile_layout *_Nonnull layout, const uint8_t *_Nonnull tile, int64_t inputs,
                      int64_t block, int64_t row, uint8_t *_Nonnull output);

/// The entry of a quantized type without its matmul: sizes, pack and unpack_row are the same on every tier.
void apus_fill_quantized_format(apus_format *_Nonnull format, int32_t type);
