// What the parts of kernels-hash share.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "apus_kernels.h"

#define TIER_COUNT (APUS_TIER_NEON + 1)

/// xorshift64*: the same numbers on every machine.
typedef struct generator { uint64_t state; } generator;
uint64_t next_random(generator *random);
/// Uniform in -1 ... 1.
float next_float(generator *random);
int64_t random_below(generator *random, int64_t limit);

typedef enum float_style {
    FLOATS_PLAIN,  ///< uniform
    FLOATS_WIDE,   ///< exponents of 60 powers of two
    FLOATS_EDGES,  ///< uniform with edge values among them
    FLOATS_BITS,   ///< any bits
} float_style;
void fill_floats(generator *random, float *values, int64_t count, float_style style);

/// Zero-filled, 64-byte aligned; ends the program when memory is short.
void *allocate(int64_t bytes);

const char *tier_name(apus_tier tier);
/// Ends the program when this CPU has no such tier.
apus_tier tier_named(const char *name);
const char *type_name(int32_t type);
const char *kv_type_name(int32_t type);

/// A slice as the kernels of a type want it: whole, or, with exact pages `page_bytes` apart, a slice for each `residual`
/// positions its rows lie in. Returns how many.
int64_t cut_slice(apus_kv_type type, int64_t residual, apus_attention_slice whole, int64_t stride, const char *pages,
                  int64_t page_bytes, apus_attention_slice *slices);

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

#define HASH_START UINT64_C(0xcbf29ce484222325)
/// FNV-1a over the bits, every NaN counting as the same.
uint64_t hash_floats(uint64_t hash, const float *values, int64_t count);

/// Counts and prints a failure unless the condition holds.
void expect(bool condition, const char *what, const char *where);
extern int failures;

double seconds(void);

// Each kind of kernel: every tier this CPU has against scalar by bits, scalar against something independent.
void check_linear(void);
void check_linear_float(void);
void check_elementwise(void);
void check_attention(void);
void check_attention_masks(void);
void check_attention_memory(void);
void check_codecs(const char *fixtures);

/// Prints `name` and the hash of a kernel's output, and adds it to the total.
void print_hash(const char *kind, const char *name, uint64_t hash);

// Each kind of kernel over fixed inputs: the same lines on every CPU.
void hash_linear(const apus_kernels *table);
void hash_elementwise(const apus_elementwise_kernels *table);
void hash_attention(const apus_attention_kernels *table);
void hash_codecs(void);

// Threads of the benches, who split units as the engine's do.
#define BENCH_THREADS 2
#define BENCH_RUNS 0  ///< a grain: a long run of units for each thread and a small shared rest
#define BENCH_SCRATCH_BYTES ((int64_t)4 << 20)
void start_bench_pool(void);
/// The caller's scratch.
void *bench_scratch(void);
/// Units in claims of `grain`, or in runs.
void run_units(apus_range_kernel kernel, const void *args, int64_t units, int64_t grain);
/// Bytes per second of reading `bytes` once, the limit of products of few rows.
double read_rate(const char *buffer, int64_t bytes);
/// Multiply-adds per second of both threads in one go: of 8-bit dots or of FMAs.
double peak_rate(int32_t tier, bool of_dots);
double median(double *values, int count);

/// Speed of what `apus bench` does not measure by itself: of every tier, or of the one given.
void bench_elementwise(void);
void bench_attention(const char *tier, const char *kv);
/// Linear layers of one tier, of every shape or of the one given as INPUTSxOUTPUTS.
void bench_linear(const char *tier, const char *shape);
