// Attention over keys and values in blocks of 64 positions (numbers.md, section 6).
#pragma once

#include "apus_base.h"

#define APUS_KV_BLOCK 64
#define APUS_MAX_HEAD_DIMENSION 256

/// Shapes the kernels take: head_dimension a multiple of 8 from 8 to APUS_MAX_HEAD_DIMENSION, query_heads a multiple of
/// kv_heads, positions from 0 to 2^31 - 1.

typedef enum apus_kv_type {
    APUS_KV_F16 = 0,
    APUS_KV_Q8_0 = 1,
    APUS_KV_KIVI2 = 2,  ///< two bits, keys by channel, values by token, behind an exact page (Liu et al., "KIVI")
    APUS_KV_KIVI4 = 3,  ///< the same with four bits
} apus_kv_type;

/// Positions of an exact page, the paper's group size G. The KIVI types keep the newest up to R positions, one, two or four
/// pages of them, as half floats until all are full and quantized together.
#define APUS_KV_PAGE 32

/// Bytes of one block of one layer: keys and values of all KV heads at 64 positions. A multiple of 64.
int64_t apus_kv_block_bytes(apus_kv_type type, int64_t kv_heads, int64_t head_dimension);

/// Bytes of one exact page of one layer: keys and values of all KV heads as half floats. A multiple of 64.
int64_t apus_kv_page_bytes(int64_t kv_heads, int64_t head_dimension);

/// New keys and values (after RoPE) stored into their blocks, or, with a KIVI type, into their exact pages. Units are
/// rows.
typedef struct apus_kv_append_args {
    const float *_Nonnull keys;     ///< rows x kv_heads x head_dimension
    const float *_Nonnull values;
    int64_t key_stride, value_stride;
    int64_t kv_heads, head_dimension;
    const int32_t *_Nonnull positions;          ///< per row: position in its sequence
    void *_Nonnull const *_Nonnull blocks;      ///< per row: the block that holds the position, 64-byte aligned
    int64_t block_offset;                       ///< bytes from a block pointer to this layer's part
} apus_kv_append_args;

/// Full pages quantized into their halves of blocks. Units are pages times KV heads.
typedef struct apus_kv_seal_args {
    const void *_Nonnull const *_Nonnull pages;
    void *_Nonnull const *_Nonnull blocks;   ///< per page: the block that holds its positions
    const int64_t *_Nonnull positions;       ///< per page: its first position, a multiple of APUS_KV_PAGE
    int64_t kv_heads, head_dimension;
    int64_t block_offset;                    ///< bytes from a block pointer to this layer's part
} apus_kv_seal_args;

/// Rows of one sequence at consecutive positions.
typedef struct apus_attention_slice {
    const float *_Nonnull query;   ///< rows x query_heads x head_dimension
    float *_Nonnull output;        ///< same shape
    int64_t rows;                  ///< 0: none of its rows is wanted
    int64_t position;              ///< of the first row; row r sees keys 0 ... position + r
    const void *_Nonnull const *_Nonnull blocks;  ///< this sequence's blocks in order of position
    int64_t block_offset;          ///< bytes from a block pointer to this layer's part
    int64_t sealed;                ///< keys from here on are not in `blocks`; INT64_MAX: all are
    const void *_Nullable pages;   ///< the exact pages of keys from `sealed` on, in order; all rows lie in them
} apus_attention_slice;

typedef struct apus_attention_args {
    const apus_attention_slice *_Nonnull slices;
    int64_t slice_count;
    int64_t query_stride, output_stride;
    int64_t query_heads, kv_heads, head_dimension;
    float scale;
    int64_t window;                ///< 0: none; otherwise row at p sees keys above p - window
    void *_Nonnull partials;       ///< apus_attention_partial_bytes(), 64-byte aligned
} apus_attention_args;

/// Two passes, a barrier between them: `attend` over apus_attend_units(), then `merge` over apus_merge_units() (0 when
/// nothing was split). With few rows a thread should take long runs of units: the kernels prefetch from unit to unit.
typedef struct apus_attention_kernels {
    apus_range_kernel _Nonnull append[4];  ///< by apus_kv_type
    apus_range_kernel _Nullable seal[4];   ///< of the KIVI types
    apus_range_kernel _Nonnull attend[4];
    apus_range_kernel _Nonnull merge;
} apus_attention_kernels;

/// Plans the operation into args->partials and returns the units of `attend`. Call it first, on one thread.
int64_t apus_attend_units(const apus_attention_args *_Nonnull args);
/// The units of `merge`, from the plan.
int64_t apus_merge_units(const apus_attention_args *_Nonnull args);
/// Enough for any step of at most `rows` rows, and no more slices, over at most `positions` positions each.
int64_t apus_attention_partial_bytes(int64_t rows, int64_t positions, int64_t query_heads, int64_t head_dimension);
