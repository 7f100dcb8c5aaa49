// File blocks to floats and back, plain C, the same on every tier: the definition of each quant format.
#pragma once

#include "apus_base.h"

typedef struct apus_codec {
    int32_t type;          ///< GGUF type number
    int32_t block_length;  ///< elements
    int32_t block_bytes;
    void (*_Nonnull decode)(const void *_Nonnull blocks, float *_Nonnull output, int64_t count);
    /// Round to nearest. `count` is a multiple of block_length.
    void (*_Nonnull encode)(const float *_Nonnull input, void *_Nonnull blocks, int64_t count);
} apus_codec;

/// The codec of a GGUF type number, or NULL.
const apus_codec *_Nullable apus_codec_for_type(int32_t type);
