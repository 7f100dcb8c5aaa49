// What the attention benchmark's parts share.
#pragma once

#include "kernels.h"

/// Standard attention over float keys and values: the steps of a framework without a fused kernel, each over whole
/// matrices of rows x positions floats: scores, causal mask added, softmax in three passes, weights times values.
typedef struct standard_attention {
    int64_t query_heads, kv_heads, dimension;
    int64_t rows, positions;     ///< the last `rows` of `positions`
    const float *query;          ///< rows x query_heads x dimension
    const float *keys, *values;  ///< [head][position / 16][dimension][16], [head][position][dimension]
    float *scores, *mask;        ///< rows x positions, of one head after the other
    float *output;
    int64_t head;                ///< at work
} standard_attention;

void make_standard_mask(standard_attention *a);
void run_standard_attention(standard_attention *a);
