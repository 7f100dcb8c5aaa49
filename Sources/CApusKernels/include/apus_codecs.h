// File blocks to floats and back, plain C, the same on every tier: the definition of each quant format.
#pragma once

#include "apus_base.h"

/// GGUF type numbers of the formats Apus reads. ggml counts from 0; ours stand where it will not come: "AP" in the upper bytes.
enum {
    APUS_TYPE_F32 = 0,
    APUS_TYPE_F16 = 1,
    APUS_TYPE_Q4_0 = 2,
    APUS_TYPE_Q4_1 = 3,
    APUS_TYPE_Q5_0 = 6,
    APUS_TYPE_Q5_1 = 7,
    APUS_TYPE_Q8_0 = 8,
    APUS_TYPE_Q2_K = 10,
    APUS_TYPE_Q3_K = 11,
    APUS_TYPE_Q4_K = 12,
    APUS_TYPE_Q5_K = 13,
    APUS_TYPE_Q6_K = 14,
    APUS_TYPE_IQ4_NL = 20,
    APUS_TYPE_IQ4_XS = 23,
    APUS_TYPE_BF16 = 30,
    APUS_TYPE_Q3_G64 = 0x41500000,
    APUS_TYPE_Q3_G128 = 0x41500001,
    APUS_TYPE_I4_ROW = 0x41500002,
};

/// How rows of one type are stored: a header, if the type has one, and blocks. Without a header a row is as good as its blocks,
/// and functions that take blocks take those of several rows.
typedef struct apus_codec {
    int32_t type;          ///< GGUF type number
    int32_t block_length;  ///< elements
    int32_t block_bytes;
    int32_t row_header_bytes;  ///< in front of a row's blocks; then `blocks` below is one whole row
    /// `count` is a multiple of block_length. `blocks` needs no alignment.
    void (*_Nonnull decode)(const void *_Nonnull blocks, float *_Nonnull output, int64_t count);
    /// Round to nearest. `count` is a multiple of block_length. A quantized block with an input that is not finite gets
    /// a NaN scale: the poison stays visible.
    void (*_Nonnull encode)(const float *_Nonnull input, void *_Nonnull blocks, int64_t count);
    /// One finite block with the least weighted error; NULL where weights change nothing. Weights as in codecs/fit.h.
    void (*_Nullable fit)(const float *_Nonnull input, const float *_Nullable weights, void *_Nonnull block);
    /// An element x weighs importance * sqrt(weight_spread * mean square of the block + x^2); importance where it is 0.
    float weight_spread;
    /// The grids that scales span: element i can be origins[i] + steps[i] * code, code 0 ... top_code. Steps may be negative or
    /// 0. NULL for floats and where levels lie unevenly. `count` is a multiple of block_length.
    void (*_Nullable grid)(const void *_Nonnull blocks, float *_Nonnull steps, float *_Nonnull origins, int64_t count);
    int32_t top_code;
    /// Puts codes of `grid` into one block, whose scales stay; into the one of a row of one block where rows have a header.
    void (*_Nullable put)(const uint8_t *_Nonnull codes, void *_Nonnull block);
} apus_codec;

/// The codec of a GGUF type number, or NULL.
const apus_codec *_Nullable apus_codec_for_type(int32_t type);

/// Puts the nearest codes into blocks whose scales stay: 0 for NaN and where the step is 0. For codecs with a grid; `count` is a
/// multiple of block_length. Values on the grid keep what they decode to.
void apus_snap(const apus_codec *_Nonnull codec, const float *_Nonnull input, void *_Nonnull blocks, int64_t count);

/// Encodes as `encode` does, but for the least squared error weighted by `importance`: one finite number per element,
/// not negative and neither tiny nor huge beside 1. No block is worse than that of `encode` by that measure.
void apus_encode_weighted(const apus_codec *_Nonnull codec, const float *_Nonnull input,
                          const float *_Nonnull importance, void *_Nonnull blocks, int64_t count);
