// Speed of linear layers over the batch: how long 4-bit weights keep their advantage over 16 bits (docs/results/marlin.md).
//
// A product is the engine's: rows are prepared, then multiplied, two threads, runs for few rows and claims above. It
// is measured beside a loop of one-row products and beside bringing out the whole matrix as floats first. Every round
// runs all of these once, so that ratios are of neighbours in time; weights come from memory.

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "kernels.h"
#include "tiers.h"

#define ROW_COUNTS 8
#define ROUNDS 21
#define ROTATION ((int64_t)1 << 30)  ///< weights read before any is read again, at least
#define READ_BYTES ((int64_t)64 << 20)

static const int64_t row_counts[ROW_COUNTS] = {1, 2, 4, 8, 16, 32, 64, 128};

/// The paper's, of Llama-7B; then SmolLM2-135M's with its output matrix, Qwen2.5-0.5B's and 1.5B's.
static const struct { int64_t inputs, outputs; } shapes[] = {
    {4096, 12288}, {4096, 4096}, {4096, 22016}, {11008, 4096}, {576, 1536},  {1536, 576},
    {576, 49152},  {896, 4864},  {4864, 896},   {1536, 8960},  {8960, 1536},
};

typedef enum way { PRODUCT, ROW_LOOP, WHOLE_FIRST } way;

/// All ratios are to the first.
static const struct { int32_t type; way way; const char *name; } variants[] = {
    {APUS_TYPE_F16, PRODUCT, "F16"},            {APUS_TYPE_BF16, PRODUCT, "BF16"},
    {APUS_TYPE_Q8_0, PRODUCT, "Q8_0"},          {APUS_TYPE_Q4_0, PRODUCT, "Q4_0"},
    {APUS_TYPE_Q4_1, PRODUCT, "Q4_1"},          {APUS_TYPE_Q4_K, PRODUCT, "Q4_K"},
    {APUS_TYPE_Q4_0, ROW_LOOP, "Q4_0 by rows"}, {APUS_TYPE_Q4_0, WHOLE_FIRST, "Q4_0 as F32"},
};
#define VARIANTS ((int)(sizeof variants / sizeof *variants))

typedef struct contender {
    const apus_format *format;  // NULL: rows of this length are no whole blocks
    way way;
    uint8_t *copies;
    int64_t bytes, tiles, cursor;
    double times[ROW_COUNTS][ROUNDS];
} contender;

typedef struct layer_bench {
    const apus_linear_kernels *kernels;
    int64_t inputs, outputs, copy_count, products;
    contender contenders[VARIANTS];
    double read_rates[ROW_COUNTS * ROUNDS];
    float *input, *output;
    uint8_t *panels, *whole;
} layer_bench;

static void prepare(const layer_bench *b, apus_activation kind, const float *input, int64_t rows) {
    int64_t panel_rows = apus_panel_rows(kind, rows), grain = 4096 / (panel_rows * b->inputs);
    apus_prepare_args args = {input, b->inputs, rows, b->inputs, b->panels, panel_rows};
    run_units(b->kernels->prepare[kind], &args, (rows + panel_rows - 1) / panel_rows, grain > 1 ? grain : 1);
}

static void multiply(const layer_bench *b, const apus_format *format, const uint8_t *weights, int64_t rows, float *output) {
    apus_matmul_args args = {
        .weights = weights, .outputs = b->outputs, .inputs = b->inputs, .panels = b->panels,
        .panel_rows = apus_panel_rows(format->activation, rows), .rows = rows,
        .output = output, .output_stride = b->outputs,
    };
    int64_t tiles = (b->outputs + format->tile_rows - 1) / format->tile_rows;
    run_units(format->matmul, &args, tiles, rows <= APUS_RUN_ROWS ? BENCH_RUNS : 4);
}

typedef struct whole_args { const layer_bench *bench; const apus_format *format; const uint8_t *weights; } whole_args;

/// Units are tiles of floats.
static void bring_out(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const whole_args *args = pointer;
    const layer_bench *b = args->bench;
    const apus_format *from = args->format, *to = &b->kernels->formats[apus_format_index(APUS_TYPE_F32)];
    float *rows = scratch;
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t first = tile * to->tile_rows;
        int64_t count = b->outputs - first < to->tile_rows ? b->outputs - first : to->tile_rows;
        for (int64_t row = first; row < first + count; row++) {
            from->unpack_row(args->weights + row / from->tile_rows * from->tile_bytes(b->inputs), row % from->tile_rows,
                             b->inputs, rows + (row - first) * b->inputs);
        }
        to->pack(rows, b->inputs * 4, count, b->inputs, b->whole + tile * to->tile_bytes(b->inputs));
    }
}

/// One product over the next copy of the matrix.
static void run_product(layer_bench *b, contender *c, int64_t rows) {
    const uint8_t *weights = c->copies + c->cursor++ % b->copy_count * c->bytes;
    if (c->way == ROW_LOOP) {
        for (int64_t row = 0; row < rows; row++) {
            prepare(b, c->format->activation, b->input + row * b->inputs, 1);
            multiply(b, c->format, weights, 1, b->output + row * b->outputs);
        }
        return;
    }
    const apus_format *format = c->format;
    if (c->way == WHOLE_FIRST) {
        format = &b->kernels->formats[apus_format_index(APUS_TYPE_F32)];
        whole_args args = {b, c->format, weights};
        run_units(bring_out, &args, (b->outputs + format->tile_rows - 1) / format->tile_rows, 1);
        weights = b->whole;
    }
    prepare(b, format->activation, b->input, rows);
    multiply(b, format, weights, rows, b->output);
}

static int rounds_of(const contender *c, int row_count) {
    if (c->way != PRODUCT) { return 5; }
    return row_counts[row_count] < 64 ? ROUNDS : ROUNDS / 2 + 1;
}

static void no_unit(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)args, (void)begin, (void)end, (void)scratch;
}

/// How often a thread had to leave its core so far.
static int64_t cores_lost(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

/// Seconds of a product; without a contender, of reading a stretch. A run in which a thread lost its core is repeated, a
/// few times: other programs' work is not ours. The baselines are slow and far off; theirs are not.
static double time_run(layer_bench *b, contender *c, int64_t rows, const char *stretch) {
    double best = INFINITY;
    int attempts = c && c->way != PRODUCT ? 1 : 6;
    for (int64_t least = INT64_MAX, attempt = 0; attempt < attempts && least > 0; attempt++) {
        run_units(no_unit, NULL, 64, 1);  // all threads are awake
        int64_t before = cores_lost();
        double start = seconds();
        for (int64_t i = 0; c && i < b->products; i++) { run_product(b, c, rows); }
        double time = c ? (seconds() - start) / (double)b->products : (double)READ_BYTES / read_rate(stretch, READ_BYTES);
        int64_t losses = cores_lost() - before;
        if (losses < least) { least = losses, best = time; }
    }
    return best;
}

static void measure(layer_bench *b, const char *buffer) {
    double *read_rate_at = b->read_rates;
    for (int m = 0; m < ROW_COUNTS; m++) {
        for (int round = -1; round < rounds_of(b->contenders, m); round++) {  // the first warms up
            for (int v = 0; v < VARIANTS; v++) {
                contender *c = &b->contenders[v];
                if (!c->format || round >= rounds_of(c, m)) { continue; }
                double time = time_run(b, c, row_counts[m], NULL);
                if (round >= 0) { c->times[m][round] = time; }
            }
            int64_t part = (m + round + 1) % (ROTATION / READ_BYTES);
            double time = time_run(b, NULL, 0, buffer + part * READ_BYTES);
            if (round >= 0) { *read_rate_at++ = (double)READ_BYTES / time; }
        }
    }
}

// MARK: Results

static double median_time(const contender *c, int m) {
    double times[ROUNDS];
    memcpy(times, c->times[m], sizeof times);
    return median(times, rounds_of(c, m));
}

/// How many times as fast as the first contender, round by round.
static double ratio(const layer_bench *b, const contender *c, int m) {
    double ratios[ROUNDS];
    for (int i = 0; i < rounds_of(c, m); i++) { ratios[i] = b->contenders[0].times[m][i] / c->times[m][i]; }
    return median(ratios, rounds_of(c, m));
}

/// Seconds a product takes at least: its bytes at the read limit, or its multiply-adds at the rate of the most rows.
static double floor_time(const contender *c, int m, double read_limit) {
    double computing = median_time(c, ROW_COUNTS - 1) * (double)row_counts[m] / (double)row_counts[ROW_COUNTS - 1];
    return fmax((double)c->bytes / read_limit, computing);
}

/// The rows at which a product takes a quarter longer than one row's, interpolated.
static double knee(const contender *c) {
    double limit = 1.25 * median_time(c, 0);
    for (int m = 1; m < ROW_COUNTS; m++) {
        double before = median_time(c, m - 1), after = median_time(c, m);
        if (after <= limit) { continue; }
        double share = fmax(0, (limit - before) / (after - before));
        return (double)row_counts[m - 1] + share * (double)(row_counts[m] - row_counts[m - 1]);
    }
    return INFINITY;
}

static void print_contender(layer_bench *b, int v, double read_limit) {
    contender *c = &b->contenders[v], *first = &b->contenders[0];
    double weights = (double)(b->inputs * b->outputs);
    for (int m = 0; m < ROW_COUNTS; m++) {
        double time = median_time(c, m), found = ratio(b, c, m);
        printf("  %-12s %4lld %10.1f us %6.1f GB/s %7.1f GMAC/s %6.2fx", variants[v].name, (long long)row_counts[m],
               time * 1e6, (double)c->bytes / time * 1e-9, weights * (double)row_counts[m] / time * 1e-9, found);
        if (c->way != PRODUCT) {
            printf("\n");
            continue;
        }
        double ideal = floor_time(first, m, read_limit) / floor_time(c, m, read_limit);
        printf(" of ideal %5.2fx %4.0f %%; floor / time %4.0f %%\n", ideal, 100 * found / ideal,
               100 * floor_time(c, m, read_limit) / time);
    }
    if (c->way != PRODUCT) { return; }
    double bytes_time = (double)c->bytes / read_limit, row_time = median_time(c, ROW_COUNTS - 1) / 128;
    printf("  %-12s floors cross at %.1f rows, a quarter more than one row's time at %.1f\n", variants[v].name,
           bytes_time / row_time, knee(c));
}

static float next_gaussian(generator *random) {
    double angle = (double)next_float(random) * 3.14159265358979323846;
    double radius = ((double)next_float(random) + 1) / 2;
    return (float)(sqrt(-2 * log(radius + 0x1p-25)) * cos(angle));
}

static void fill_gaussian(generator *random, float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) { values[i] = next_gaussian(random); }
}

/// How far products of gaussian numbers are from those of the same weights with float rows: the price of 8-bit rows.
static void print_activation_error(const apus_linear_kernels *kernels, int32_t type) {
    static layer_bench b;
    b = (layer_bench){.kernels = kernels, .inputs = 4096, .outputs = 64};
    const apus_format *format = &kernels->formats[apus_format_index(type)];
    int64_t rows = 16, stride = row_bytes(type, b.inputs);
    float *input = allocate(rows * b.inputs * 4), *weights = allocate(b.inputs * 4), output[16 * 64];
    uint8_t *file = allocate(b.outputs * stride);
    double error = 0, size = 0;
    generator random = {5};
    fill_gaussian(&random, input, rows * b.inputs);
    for (int64_t o = 0; o < b.outputs; o++) {
        fill_gaussian(&random, weights, b.inputs);
        apus_codec_for_type(type)->encode(weights, file + o * stride, b.inputs);
    }
    uint8_t *packed = pack_matrix(format, file, b.outputs, b.inputs);
    b.panels = allocate(apus_activation_bytes(format->activation, rows, b.inputs));
    prepare(&b, format->activation, input, rows);
    multiply(&b, format, packed, rows, output);
    for (int64_t o = 0; o < b.outputs; o++) {
        apus_codec_for_type(type)->decode(file + o * stride, weights, b.inputs);
        for (int64_t row = 0; row < rows; row++) {
            double sum = 0;
            for (int64_t i = 0; i < b.inputs; i++) { sum += (double)weights[i] * (double)input[row * b.inputs + i]; }
            error += fabs(sum - (double)output[row * b.outputs + o]);
            size += fabs(sum);
        }
    }
    printf("  %s: mean error by 8-bit rows, gaussian numbers, %lld inputs: %.3f %%\n", type_name(type),
           (long long)b.inputs, 100 * error / size);
    free(input), free(weights), free(file), free(packed), free(b.panels);
}

// MARK: Setting up

static int64_t whole_bytes(const layer_bench *b) {
    const apus_format *format = &b->kernels->formats[apus_format_index(APUS_TYPE_F32)];
    return (b->outputs + format->tile_rows - 1) / format->tile_rows * format->tile_bytes(b->inputs);
}

/// Places all copies in `memory`, filled from one packed matrix for each type.
static void place_contenders(layer_bench *b, uint8_t *memory) {
    int64_t sum = 0, smallest = INT64_MAX;
    for (int v = 0; v < VARIANTS; v++) {
        const apus_format *format = &b->kernels->formats[apus_format_index(variants[v].type)];
        if (b->inputs % apus_codec_for_type(format->type)->block_length != 0) { continue; }
        int64_t tiles = (b->outputs + format->tile_rows - 1) / format->tile_rows;
        b->contenders[v] = (contender){format, variants[v].way, NULL, tiles * format->tile_bytes(b->inputs), tiles, 0, {{0}}};
        sum += b->contenders[v].bytes;
        smallest = b->contenders[v].bytes < smallest ? b->contenders[v].bytes : smallest;
    }
    // A run takes long enough for the clock.
    b->products = smallest < 4 << 20 ? (4 << 20) / smallest : 1;
    b->copy_count = (ROTATION + sum - 1) / sum;
    for (int v = 0; v < VARIANTS; v++) {
        contender *c = &b->contenders[v];
        if (!c->format) { continue; }
        generator random = {(uint64_t)c->format->type + 1};
        uint8_t *rows = make_weights(&random, c->format->type, b->outputs, b->inputs, WEIGHTS_PLAIN);
        uint8_t *packed = pack_matrix(c->format, rows, b->outputs, b->inputs);
        c->copies = memory;
        for (int64_t i = 0; i < b->copy_count; i++, memory += c->bytes) { memcpy(memory, packed, (size_t)c->bytes); }
        free(rows), free(packed);
    }
}

static void bench_shape(const apus_linear_kernels *kernels, size_t shape, uint8_t *memory, const char *buffer) {
    static layer_bench b;
    b = (layer_bench){.kernels = kernels, .inputs = shapes[shape].inputs, .outputs = shapes[shape].outputs};
    int64_t most = row_counts[ROW_COUNTS - 1];
    b.input = allocate(most * b.inputs * 4), b.output = allocate(most * b.outputs * 4);
    b.panels = allocate(most * b.inputs * 4 * 2), b.whole = allocate(whole_bytes(&b));
    generator random = {3};
    fill_gaussian(&random, b.input, most * b.inputs);
    place_contenders(&b, memory);
    measure(&b, buffer);
    int readings = 0;
    for (int m = 0; m < ROW_COUNTS; m++) { readings += rounds_of(b.contenders, m); }
    double read_limit = median(b.read_rates, readings);
    printf("%lld x %lld, read limit %.1f GB/s, %lld copies\n", (long long)b.inputs, (long long)b.outputs,
           read_limit * 1e-9, (long long)b.copy_count);
    for (int v = 0; v < VARIANTS; v++) {
        if (b.contenders[v].format) { print_contender(&b, v, read_limit); }
    }
    fflush(stdout);
    free(b.input), free(b.output), free(b.panels), free(b.whole);
}

/// Memory in large pages, as the engine's weights are.
static void *map_pages(int64_t bytes) {
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
    memset(memory, 1, (size_t)bytes);
    return memory;
}

void bench_linear(const char *tier, const char *only) {
    apus_tier chosen = *tier ? tier_named(tier) : apus_best_tier();
    uint8_t *memory = map_pages(2 * ROTATION);
    char *buffer = map_pages(ROTATION);
    start_bench_pool();
    printf("%s, linear layers (inputs x outputs) from memory, %d threads, medians of %d rounds\n", tier_name(chosen),
           BENCH_THREADS, ROUNDS);
    double peaks[2][9];
    for (int i = 0; i < 18; i++) { peaks[i % 2][i / 2] = peak_rate((int32_t)chosen, i % 2 == 1); }
    printf("  peaks of both threads: dots %.0f GMAC/s, FMA %.0f\n", median(peaks[1], 9) * 1e-9, median(peaks[0], 9) * 1e-9);
    for (int v = 2; v < VARIANTS; v++) {
        if (variants[v].way != PRODUCT) { continue; }
        print_activation_error(&apus_kernels_for_tier(chosen)->linear, variants[v].type);
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char name[48];
        snprintf(name, sizeof name, "%lldx%lld", (long long)shapes[i].inputs, (long long)shapes[i].outputs);
        if (!*only || strcmp(only, name) == 0) {
            bench_shape(&apus_kernels_for_tier(chosen)->linear, i, memory, buffer);
        }
    }
    munmap(memory, (size_t)(2 * ROTATION)), munmap(buffer, (size_t)ROTATION);
}
