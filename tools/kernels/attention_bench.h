// What the attention benchmark's parts share.
#pragma once

#include "kernels.h"

#define BENCH_THREADS 2

/// Starts the threads; they spin between operations until the program ends.
void start_bench_pool(void);
/// Units in claims of `grain`, on all threads.
void run_units(apus_range_kernel kernel, const void *args, int64_t units, int64_t grain);
/// A thread's scratch outside of units.
void *bench_scratch(void);

/// Multiply-adds per second of all threads: 8-bit dots, or float FMAs.
double peak_rate(int32_t tier, int dots);
/// Bytes per second all threads read from memory, at another place with each round.
double read_rate(int round);

double median(double *values, int count);

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
