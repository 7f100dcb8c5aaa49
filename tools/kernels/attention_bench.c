// Speed of attention: prefill in multiply-adds of unmasked pairs, decode beside its roofline: the lesser of reading the
// keys and values from memory and multiplying them.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention_bench.h"
#include "kernels_math.h"

#define BENCH_ROUNDS 5
#define BASELINE_ROUNDS 3
#define CHUNK 512
#define MOST_SEQUENCES 8
/// Bytes of keys and values a decode pass reads, in as many layers as that makes: more than caches hold.
#define ARENA_BYTES ((int64_t)512 << 20)

typedef struct bench_shape {
    apus_kv_type type;
    int64_t query_heads, kv_heads, dimension;
} bench_shape;

typedef struct bench_cache {
    char *memory;
    const void **table;
    int64_t layer_bytes;  // of a block
    char *page;           // of the KIVI types: the same numbers for every position
} bench_cache;

/// A step's work: `rows` rows of each sequence, the last at position - 1; a unit of the plan is at most `cut` rows long.
typedef struct bench_step {
    int64_t sequences, rows, positions, cut;
} bench_step;

/// Both halves of a block from one page.
static void fill_page(bench_shape s, bench_cache c, const apus_attention_kernels *kernels, apus_kv_append_args args) {
    static const int64_t halves[] = {0, APUS_KV_PAGE};
    void *targets[APUS_KV_PAGE], *blocks[2] = {c.memory, c.memory};
    const void *pages[2] = {c.page, c.page};
    for (int i = 0; i < APUS_KV_PAGE; i++) targets[i] = c.page;
    args.blocks = targets;
    kernels->append[s.type](&args, 0, APUS_KV_PAGE, bench_scratch());
    apus_kv_seal_args seal = {pages, blocks, halves, s.kv_heads, s.dimension, 0};
    kernels->seal[s.type](&seal, 0, 2 * s.kv_heads, bench_scratch());
}

/// The arena, full of copies of one block.
static bench_cache make_cache(bench_shape s, const apus_attention_kernels *kernels) {
    int64_t width = s.kv_heads * s.dimension;
    bench_cache c = {.layer_bytes = apus_kv_block_bytes(s.type, s.kv_heads, s.dimension)};
    c.memory = allocate(ARENA_BYTES);
    c.table = allocate(ARENA_BYTES / c.layer_bytes * 8);
    c.page = allocate(apus_kv_page_bytes(s.kv_heads, s.dimension));
    float *x = allocate(64 * width * 4);
    generator numbers = {1};
    int32_t positions[64];
    void *targets[64];
    fill_floats(&numbers, x, 64 * width, FLOATS_PLAIN);
    for (int i = 0; i < 64; i++) positions[i] = i, targets[i] = c.memory;
    apus_kv_append_args args = {x, x, width, width, s.kv_heads, s.dimension, positions, targets, 0};
    if (kernels->seal[s.type]) {
        fill_page(s, c, kernels, args);
    } else {
        kernels->append[s.type](&args, 0, 64, bench_scratch());
    }
    for (int64_t at = c.layer_bytes; at + c.layer_bytes <= ARENA_BYTES; at += c.layer_bytes) {
        memcpy(c.memory + at, c.memory, (size_t)c.layer_bytes);
    }
    free(x);
    return c;
}

static int64_t blocks_of(bench_step step) { return step.sequences * ((step.positions - 1) / 64 + 1); }

/// Layers the arena holds, a block's side by side as in the engine; fills the table.
static int64_t lay_out(bench_cache c, bench_step step) {
    int64_t layers = ARENA_BYTES / (blocks_of(step) * c.layer_bytes);
    for (int64_t b = 0; b < blocks_of(step); b++) c.table[b] = c.memory + b * layers * c.layer_bytes;
    return layers;
}

static void attend_step(bench_shape s, bench_cache c, const apus_attention_kernels *kernels, const float *query,
                        float *output, bench_step step, int64_t layer, void *partials) {
    int64_t stride = s.query_heads * s.dimension, count = 0;
    static apus_attention_slice slices[CHUNK];
    for (int64_t i = 0; i < step.sequences; i++) {
        for (int64_t row = 0; row < step.rows; row += step.cut) {
            int64_t at = (i * step.rows + row) * stride, rows = step.rows - row < step.cut ? step.rows - row : step.cut;
            apus_attention_slice whole = {query + at, output + at, rows, step.positions - step.rows + row,
                c.table + i * blocks_of(step) / step.sequences, layer * c.layer_bytes, 0, NULL};
            count += cut_slice(s.type, APUS_KV_PAGE, whole, stride, c.page, 0, slices + count);
        }
    }
    apus_attention_args args = {slices, count, stride, stride, s.query_heads, s.kv_heads, s.dimension,
        1.0f / sqrtf((float)s.dimension), 0, partials};
    int64_t units = apus_attend_units(&args), rows = step.sequences * step.rows;
    // Few rows: long runs, so that the kernel prefetches from unit to unit.
    run_units(kernels->attend[s.type], &args, units, rows > 8 ? 1 : (units + BENCH_THREADS - 1) / BENCH_THREADS);
    run_units(kernels->merge, &args, apus_merge_units(&args), 8);
}

/// Buffers of a shape.
typedef struct bench_buffers {
    float *query, *output;
    void *partials;
} bench_buffers;

static bench_buffers make_buffers(bench_shape s, int64_t rows, int64_t positions) {
    int64_t count = rows * s.query_heads * s.dimension;
    generator numbers = {2};
    bench_buffers b = {allocate(count * 4), allocate(count * 4),
        allocate(apus_attention_partial_bytes(CHUNK, positions, s.query_heads, s.dimension))};
    fill_floats(&numbers, b.query, count, FLOATS_PLAIN);
    return b;
}

static void free_buffers(bench_buffers b) { free(b.query), free(b.output), free(b.partials); }

/// Prefill in chunks of positions from `first` on. Rounds alternate with the peak they are compared with: shares are
/// medians of the rounds' ratios.
static void bench_prefill(bench_shape s, bench_cache c, int32_t tier, bench_buffers b, int64_t first,
                          int64_t positions) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier((apus_tier)tier)->attention;
    double rates[BENCH_ROUNDS], peaks[BENCH_ROUNDS], shares[BENCH_ROUNDS];
    double pairs = (double)(positions - first) * (double)(positions + first + 1) / 2 * (double)s.query_heads;
    lay_out(c, (bench_step){1, CHUNK, positions, CHUNK});
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double before = peak_rate(tier, s.type != APUS_KV_F16), start = seconds();
        for (int64_t at = first; at < positions; at += CHUNK) {
            attend_step(s, c, kernels, b.query, b.output, (bench_step){1, CHUNK, at + CHUNK, CHUNK}, 0, b.partials);
        }
        rates[round] = pairs * (double)s.dimension * 2 / (seconds() - start);
        peaks[round] = (before + peak_rate(tier, s.type != APUS_KV_F16)) / 2;
        shares[round] = rates[round] / peaks[round];
    }
    printf("    prefill %5lld to %5lld: %6.1f GMAC/s, %2.0f %% of the %s peak %.0f\n", (long long)first,
           (long long)positions, median(rates, BENCH_ROUNDS) * 1e-9, 100 * median(shares, BENCH_ROUNDS),
           s.type ? "dot" : "FMA", median(peaks, BENCH_ROUNDS) * 1e-9);
}

/// The read limit, each time over other bytes than the last times'.
static double next_reads(int round) {
    static char *buffer;
    const int64_t part = (int64_t)128 << 20;
    if (!buffer) {
        buffer = allocate(8 * part);
        for (int64_t i = 0; i < 8 * part; i += 64) buffer[i] = (char)i;
    }
    return read_rate(buffer + round % 8 * part, part);
}

/// The last rows of sequences: one a sequence is decoding.
static void bench_decode(bench_shape s, bench_cache c, int32_t tier, bench_buffers b, bench_step step) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier((apus_tier)tier)->attention;
    int64_t all = lay_out(c, step), layers = all > step.rows ? all / step.rows : 1;
    double times[BENCH_ROUNDS], shares[BENCH_ROUNDS], read_times[BENCH_ROUNDS], multiply_times[BENCH_ROUNDS];
    double bytes = (double)(blocks_of(step) * c.layer_bytes);
    double products = (double)(step.sequences * step.rows * step.positions * s.query_heads * s.dimension * 2);
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double reads = next_reads(round), products_rate = peak_rate(tier, s.type != APUS_KV_F16), start = seconds();
        for (int64_t l = 0; l < layers; l++) attend_step(s, c, kernels, b.query, b.output, step, l, b.partials);
        times[round] = (seconds() - start) / (double)layers;
        read_times[round] = 2 * bytes / (reads + next_reads(round + 4));
        multiply_times[round] = 2 * products / (products_rate + peak_rate(tier, s.type != APUS_KV_F16));
        shares[round] = fmax(read_times[round], multiply_times[round]) / times[round];
    }
    printf("    %lld x %2lld rows at %5lld: %7.0f us a layer, %3.0f %% of the roofline (reads %.0f us, products %.0f us)\n",
           (long long)step.sequences, (long long)step.rows, (long long)step.positions, median(times, BENCH_ROUNDS) * 1e6,
           100 * median(shares, BENCH_ROUNDS), median(read_times, BENCH_ROUNDS) * 1e6,
           median(multiply_times, BENCH_ROUNDS) * 1e6);
    fflush(stdout);
}

static void bench_one(bench_shape s, int32_t tier) {
    bench_cache c = make_cache(s, &apus_kernels_for_tier((apus_tier)tier)->attention);
    bench_buffers b = make_buffers(s, CHUNK, 32768);
    printf("  %s, %lld/%lld heads of %lld\n", kv_type_name(s.type), (long long)s.query_heads, (long long)s.kv_heads,
           (long long)s.dimension);
    bench_prefill(s, c, tier, b, 0, 8192);
    bench_prefill(s, c, tier, b, 32768 - 2 * CHUNK, 32768);
    for (int64_t positions = 8192; positions <= 32768; positions *= 4) {
        for (int64_t sequences = 1; sequences <= MOST_SEQUENCES; sequences += sequences == 1 ? 3 : 4) {
            bench_decode(s, c, tier, b, (bench_step){sequences, 1, positions, 1});
        }
        for (int64_t rows = 8; rows <= 64; rows *= 2) bench_decode(s, c, tier, b, (bench_step){1, rows, positions, rows});
    }
    free(c.memory), free(c.table), free(c.page);
    free_buffers(b);
}

// MARK: baselines

/// Keys and values of the cache's first layer as floats; the other arrays of standard attention for `rows` rows.
static standard_attention make_standard(bench_shape s, bench_cache c, bench_buffers b, int64_t rows, int64_t positions) {
    int64_t count = positions * s.dimension, block = APUS_KV_BLOCK * s.dimension;
    float *keys = allocate(s.kv_heads * count * 4), *values = allocate(s.kv_heads * count * 4);
    for (int64_t at = 0; at < s.kv_heads * count; at++) {
        const uint16_t *head = (const uint16_t *)c.memory + at / count * 2 * block;
        keys[at] = apus_float_from_half(head[at % block]);
        values[at] = apus_float_from_half(head[block + at % block]);
    }
    standard_attention a = {s.query_heads, s.kv_heads, s.dimension, rows, positions, b.query, keys, values,
        allocate(rows * positions * 4), allocate(rows * positions * 4),
        allocate(rows * s.query_heads * s.dimension * 4), 0};
    make_standard_mask(&a);
    return a;
}

static void free_standard(standard_attention a) {
    free((void *)(uintptr_t)a.keys), free((void *)(uintptr_t)a.values), free(a.scores), free(a.mask), free(a.output);
}

/// Seconds of all rows up to `positions` from `first` on, in chunks, slices of at most `cut` rows.
static double time_tiles(bench_shape s, bench_cache c, const apus_attention_kernels *kernels, bench_buffers b,
                         int64_t first, int64_t positions, int64_t cut) {
    double start = seconds();
    for (int64_t at = first; at < positions; at += CHUNK) {
        float *query = b.query + at * s.query_heads * s.dimension;
        attend_step(s, c, kernels, query, b.output, (bench_step){1, CHUNK, at + CHUNK, cut}, 0, b.partials);
    }
    return seconds() - start;
}

/// Standard attention, and one level of tiles (each tile of rows in registers reads and widens keys and values itself:
/// slices of so few rows), over the product's two levels.
static void bench_baselines(bench_shape s, bench_cache c, apus_tier tier, int64_t first, int64_t positions) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier(tier)->attention;
    int64_t stride = s.query_heads * s.dimension, rows = positions - first;
    bench_buffers b = make_buffers(s, positions, positions);
    standard_attention a = make_standard(s, c, b, rows, positions);
    double times[3][BASELINE_ROUNDS], worst = 0;
    lay_out(c, (bench_step){1, CHUNK, positions, CHUNK});
    a.query = b.query + first * stride;
    for (int round = 0; round < BASELINE_ROUNDS; round++) {
        double start = seconds();
        run_standard_attention(&a);
        times[0][round] = seconds() - start;
        int64_t cut = 6 / (s.query_heads / s.kv_heads);
        times[1][round] = time_tiles(s, c, kernels, b, first, positions, cut > 1 ? cut : 1);
        times[2][round] = time_tiles(s, c, kernels, b, first, positions, CHUNK);
    }
    for (int64_t i = 0; i < CHUNK * stride; i++) {
        worst = fmax(worst, fabs((double)(b.output[i] - a.output[(rows - CHUNK) * stride + i])));
    }
    expect(worst < 1e-4, "standard attention is attention", tier_name(tier));
    double standard = median(times[0], BASELINE_ROUNDS), one = median(times[1], BASELINE_ROUNDS);
    double two = median(times[2], BASELINE_ROUNDS);
    printf("    rows %5lld to %5lld: standard %8.2f ms (%6.1f MB), one level %8.2f ms, two levels %8.2f ms: "
           "%.2f and %.2f times as fast\n", (long long)first, (long long)positions, standard * 1e3,
           (double)(2 * rows * positions * 4) * 1e-6, one * 1e3, two * 1e3, standard / two, one / two);
    fflush(stdout);
    free_standard(a);
    free_buffers(b);
}

static void bench_attention_baselines(const char *only) {
    static const bench_shape shapes[] = {{APUS_KV_F16, 9, 3, 64}, {APUS_KV_F16, 4, 4, 128}};
    apus_tier tier = apus_best_tier();
    for (int t = 0; t < TIER_COUNT; t++) if (strcmp(only, tier_name((apus_tier)t)) == 0) tier = (apus_tier)t;
    start_bench_pool();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        bench_cache c = make_cache(shapes[i], &apus_kernels_for_tier(tier)->attention);
        printf("  %lld/%lld heads of %lld\n", (long long)shapes[i].query_heads, (long long)shapes[i].kv_heads,
               (long long)shapes[i].dimension);
        for (int64_t positions = 1024; positions <= 8192; positions *= 2) {
            bench_baselines(shapes[i], c, tier, 0, positions);
        }
        for (int64_t positions = 1024; positions <= 32768; positions *= 2) {
            bench_baselines(shapes[i], c, tier, positions - CHUNK, positions);
        }
        free(c.memory), free(c.table), free(c.page);
    }
}

// MARK: all

void bench_attention(const char *only, const char *kind) {
    if (strcmp(kind, "baselines") == 0) {
        bench_attention_baselines(only);
        return;
    }
    static const int64_t heads[][3] = {{9, 3, 64}, {14, 2, 64}, {12, 2, 128}, {4, 1, 256}};
    static const apus_kv_type types[] = {APUS_KV_F16, APUS_KV_Q8_0, APUS_KV_KIVI4, APUS_KV_KIVI2};
    start_bench_pool();
    for (int t = TIER_COUNT - 1; t > 0; t--) {
        if (!apus_kernels_for_tier((apus_tier)t) || (*only && strcmp(only, tier_name((apus_tier)t)) != 0)) continue;
        printf("%s, attention with %d threads, prefill in chunks of %d\n", tier_name((apus_tier)t), BENCH_THREADS, CHUNK);
        for (int i = 0; i < 16; i++) {
            const int64_t *h = heads[i % 4];
            if (*kind && strcmp(kind, kv_type_name(types[i / 4])) != 0) continue;
            bench_one((bench_shape){types[i / 4], h[0], h[1], h[2]}, t);
        }
    }
}
