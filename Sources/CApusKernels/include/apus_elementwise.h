// Norms, activations, RoPE and small vector operations (numbers.md, section 5).
#pragma once

#include "apus_base.h"

/// output[r] = normalized input[r] times weight. Units are rows. In place is allowed.
typedef struct apus_rms_norm_args {
    const float *_Nonnull input;
    int64_t input_stride;
    const float *_Nonnull weight;
    float *_Nonnull output;
    int64_t output_stride;
    int64_t length;
    float epsilon;
    int32_t accumulates;  ///< 1: output = output + result
} apus_rms_norm_args;

typedef enum apus_gate { APUS_GATE_SILU = 0, APUS_GATE_GELU = 1 } apus_gate;

/// output[r] = act(gate[r]) * up[r]. Units are rows. In place over gate is allowed.
typedef struct apus_gate_args {
    const float *_Nonnull gate;
    const float *_Nonnull up;
    float *_Nonnull output;
    int64_t gate_stride, up_stride, output_stride;
    int64_t length;
} apus_gate_args;

/// Sines and cosines for rows of positions. Units are rows. sines, cosines: rows x pairs.
typedef struct apus_rope_table_args {
    const int32_t *_Nonnull positions;          ///< one per row
    const double *_Nonnull inverse_frequencies; ///< one per pair
    float magnitude;                            ///< YaRN's attention factor; 1 otherwise
    float *_Nonnull cosines;
    float *_Nonnull sines;
    int64_t pairs;
} apus_rope_table_args;

typedef enum apus_rope_style {
    APUS_ROPE_INTERLEAVED = 0,  ///< pairs (2i, 2i + 1)
    APUS_ROPE_HALVES = 1,       ///< pairs (i, i + pairs)
} apus_rope_style;

/// Rotates heads in place; dimensions past 2 * pairs stay. Units are rows.
typedef struct apus_rope_args {
    float *_Nonnull data;      ///< rows x heads x head_dimension
    int64_t stride;            ///< floats from row to row
    int64_t heads, head_dimension, pairs;
    const float *_Nonnull cosines, *_Nonnull sines;
    apus_rope_style style;
} apus_rope_args;

typedef struct apus_elementwise_kernels {
    apus_range_kernel _Nonnull rms_norm;
    apus_range_kernel _Nonnull gate[2];  ///< by apus_gate
    apus_range_kernel _Nonnull rope_table;
    apus_range_kernel _Nonnull rope;
    /// y = fl(x * scale), in place
    void (*_Nonnull scale)(float *_Nonnull x, float scale, int64_t count);
    /// x = fl(x + y)
    void (*_Nonnull add)(float *_Nonnull x, const float *_Nonnull y, int64_t count);
    /// out_i = exp(fl(x_i - shift))
    void (*_Nonnull exp)(const float *_Nonnull x, float shift, float *_Nonnull out, int64_t count);
} apus_elementwise_kernels;
