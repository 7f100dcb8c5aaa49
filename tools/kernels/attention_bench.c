// Speed of attention: two threads, prefill counted in multiply-adds of unmasked pairs, decode in bytes read.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

typedef struct bench_shape {
    apus_kv_type type;
    int64_t query_heads, kv_heads, dimension, positions, layers;
} bench_shape;

typedef struct bench_cache {
    char *memory;
    const void **table;
    int64_t layer_bytes;
    char *page;  // of the KIVI types: the same numbers for every position
} bench_cache;

/// Both halves of a block from one page.
static void fill_page(bench_shape s, bench_cache c, const apus_attention_kernels *kernels, apus_kv_append_args args,
                      int64_t offset, void *block) {
    static const int64_t halves[] = {0, APUS_KV_PAGE};
    void *targets[APUS_KV_PAGE], *blocks[2] = {block, block};
    const void *pages[2] = {c.page, c.page};
    for (int i = 0; i < APUS_KV_PAGE; i++) targets[i] = c.page;
    args.blocks = targets, args.block_offset = 0;
    kernels->append[s.type](&args, 0, APUS_KV_PAGE, bench_scratch());
    apus_kv_seal_args seal = {pages, blocks, halves, s.kv_heads, s.dimension, offset};
    kernels->seal[s.type](&seal, 0, 2 * s.kv_heads, bench_scratch());
}

/// Blocks of all layers: a block holds its 64 positions of every layer, as in the engine.
static bench_cache make_cache(bench_shape s, const apus_attention_kernels *kernels) {
    int64_t blocks = s.positions / 64 + 1, width = s.kv_heads * s.dimension;
    bench_cache c = {.layer_bytes = apus_kv_block_bytes(s.type, s.kv_heads, s.dimension)};
    c.memory = allocate(blocks * c.layer_bytes * s.layers);
    c.table = allocate(blocks * 8);
    for (int64_t b = 0; b < blocks; b++) c.table[b] = c.memory + b * c.layer_bytes * s.layers;
    c.page = allocate(apus_kv_page_bytes(s.kv_heads, s.dimension));
    float *x = allocate(64 * width * 4);
    int32_t positions[64];
    generator numbers = {1};
    void *targets[64];
    fill_floats(&numbers, x, 64 * width, FLOATS_PLAIN);
    for (int64_t b = 0; b < blocks; b++) {
        for (int64_t l = 0; l < s.layers; l++) {
            for (int i = 0; i < 64; i++) positions[i] = i, targets[i] = (void *)(uintptr_t)c.table[b];
            apus_kv_append_args args = {x, x, width, width, s.kv_heads, s.dimension, positions, targets,
                l * c.layer_bytes};
            if (kernels->seal[s.type]) {
                fill_page(s, c, kernels, args, l * c.layer_bytes, (void *)(uintptr_t)c.table[b]);
                continue;
            }
            kernels->append[s.type](&args, 0, l == 0 || b < 2 ? 64 : 1, bench_scratch());
            if (l > 0) memcpy(c.memory + (b * s.layers + l) * c.layer_bytes, c.table[b], (size_t)c.layer_bytes);
        }
    }
    free(x);
    return c;
}

static void attend_step(bench_shape s, bench_cache c, const apus_attention_kernels *kernels, const float *query,
                        float *output, int64_t rows, int64_t position, int64_t layer, void *partials) {
    int64_t stride = s.query_heads * s.dimension;
    apus_attention_slice slices[512 / APUS_KV_PAGE + 1];
    apus_attention_slice whole = {query, output, rows, position, c.table, layer * c.layer_bytes, 0, NULL};
    int64_t count = cut_slice(s.type, whole, stride, c.page, 0, slices);
    apus_attention_args args = {slices, count, stride, stride, s.query_heads, s.kv_heads, s.dimension,
        1.0f / sqrtf((float)s.dimension), 0, partials};
    int64_t units = apus_attend_units(&args);
    run_units(kernels->attend[s.type], &args, units, rows > 8 ? 1 : BENCH_RUNS);
    run_units(kernels->merge, &args, apus_merge_units(&args), 8);
}

#define BENCH_ROUNDS 9

/// Rounds alternate with the limit they are compared with: shares are medians of the rounds' ratios.
static void bench_one(bench_shape s, int32_t tier, const char *buffer) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier((apus_tier)tier)->attention;
    int64_t stride = s.query_heads * s.dimension, chunk = 512;
    bench_cache c = make_cache(s, kernels);
    float *query = allocate(chunk * stride * 4), *output = allocate(chunk * stride * 4);
    void *partials = allocate(apus_attention_partial_bytes(chunk, s.positions, s.query_heads, s.dimension));
    generator numbers = {2};
    fill_floats(&numbers, query, chunk * stride, FLOATS_PLAIN);
    double rates[4][BENCH_ROUNDS], shares[2][BENCH_ROUNDS];
    double pairs = (double)s.positions * (double)(s.positions + 1) / 2 * (double)s.query_heads;
    double bytes = (double)((s.positions - 1) / 64 + 1) * (double)(c.layer_bytes * s.layers);
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double before = peak_rate(tier, s.type != APUS_KV_F16), start = seconds();
        for (int64_t at = 0; at < s.positions; at += chunk) {
            attend_step(s, c, kernels, query, output, chunk, at, 0, partials);
        }
        rates[0][round] = pairs * (double)s.dimension * 2 / (seconds() - start);
        rates[1][round] = (before + peak_rate(tier, s.type != APUS_KV_F16)) / 2;
        shares[0][round] = rates[0][round] / rates[1][round];
        start = seconds();
        for (int64_t l = 0; l < s.layers; l++) {
            attend_step(s, c, kernels, query, output, 1, s.positions - 1, l, partials);
        }
        rates[2][round] = bytes / (seconds() - start);
        rates[3][round] = read_rate(buffer + round % 8 * ((int64_t)128 << 20), (int64_t)128 << 20);
        shares[1][round] = rates[2][round] / rates[3][round];
    }
    printf("  %s %2lld/%lld heads of %3lld: prefill %5.1f GMAC/s, %2.0f %% of %s peak %.0f; "
           "decode %4.1f GB/s, %3.0f %% of read limit %.1f; %.0f us a layer\n", kv_type_name(s.type), (long long)s.query_heads,
           (long long)s.kv_heads, (long long)s.dimension, median(rates[0], BENCH_ROUNDS) * 1e-9,
           100 * median(shares[0], BENCH_ROUNDS), s.type ? "dot" : "FMA", median(rates[1], BENCH_ROUNDS) * 1e-9,
           median(rates[2], BENCH_ROUNDS) * 1e-9, 100 * median(shares[1], BENCH_ROUNDS),
           median(rates[3], BENCH_ROUNDS) * 1e-9, bytes / (double)s.layers / median(rates[2], BENCH_ROUNDS) * 1e6);
    fflush(stdout);
    free(c.memory), free(c.table), free(c.page), free(query), free(output), free(partials);
}

void bench_attention(const char *only, const char *kind) {
    static const bench_shape shapes[] = {
        {APUS_KV_F16, 9, 3, 64, 8192, 16}, {APUS_KV_F16, 14, 2, 64, 8192, 16}, {APUS_KV_F16, 12, 2, 128, 8192, 8},
        {APUS_KV_F16, 4, 1, 256, 8192, 8}, {APUS_KV_Q8_0, 9, 3, 64, 8192, 24}, {APUS_KV_Q8_0, 14, 2, 64, 8192, 24},
        {APUS_KV_Q8_0, 12, 2, 128, 8192, 16}, {APUS_KV_Q8_0, 4, 1, 256, 8192, 16},
        {APUS_KV_KIVI4, 9, 3, 64, 8192, 32}, {APUS_KV_KIVI4, 14, 2, 64, 8192, 32},
        {APUS_KV_KIVI4, 12, 2, 128, 8192, 24}, {APUS_KV_KIVI4, 4, 1, 256, 8192, 24},
        {APUS_KV_KIVI2, 9, 3, 64, 8192, 32}, {APUS_KV_KIVI2, 14, 2, 64, 8192, 32},
        {APUS_KV_KIVI2, 12, 2, 128, 8192, 24}, {APUS_KV_KIVI2, 4, 1, 256, 8192, 24},
    };
    char *buffer = allocate((int64_t)1 << 30);
    for (int64_t i = 0; i < 1 << 30; i += 64) buffer[i] = (char)i;
    start_bench_pool();
    for (int t = TIER_COUNT - 1; t > 0; t--) {
        if (!apus_kernels_for_tier((apus_tier)t) || (*only && strcmp(only, tier_name((apus_tier)t)) != 0)) continue;
        printf("%s, causal prefill of 8192 tokens in chunks of 512, decode at 8192, %d threads\n", tier_name((apus_tier)t),
               BENCH_THREADS);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            if (*kind && strcmp(kind, kv_type_name(shapes[i].type)) != 0) continue;
            bench_one(shapes[i], t, buffer);
        }
    }
    free(buffer);
}
