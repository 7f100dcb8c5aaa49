// What the parts of the kernel check program share.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "apus_kernels.h"

/// xorshift64*: the same numbers on every machine.
typedef struct generator { uint64_t state; } generator;
uint64_t next_random(generator *random);
/// Uniform in -1 ... 1.
float next_float(generator *random);

/// Zero-filled, 64-byte aligned; ends the program when memory is short.
void *allocate(int64_t bytes);

const char *tier_name(apus_tier tier);
const char *type_name(int32_t type);

/// Quantized file rows of one type.
typedef enum weight_style {
    WEIGHTS_PLAIN,    ///< any codes, scales as models have them
    WEIGHTS_EXTREME,  ///< any bits: scales may be infinite, NaN, subnormal or zero
    WEIGHTS_ZERO,
} weight_style;
uint8_t *make_weights(generator *random, int32_t type, int64_t rows, int64_t inputs, weight_style style);
int64_t row_bytes(int32_t type, int64_t inputs);

/// Packs all rows of a matrix; returns the tiles.
uint8_t *pack_matrix(const apus_format *format, const uint8_t *rows, int64_t outputs, int64_t inputs);

/// Equal bits, any NaN equal to any other.
bool same_floats(const float *a, const float *b, int64_t count);

int check_linear(void);
void hash_linear(apus_tier tier);
void bench_linear(apus_tier tier, double seconds);
