// Rates of every format at 1, 8 and 512 rows on one core.

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels.h"

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double dot_peak(apus_tier tier) {
    double best = 0;
    for (int round = 0; round < 20; round++) {
        int32_t sink;
        double start = now();
        double count = (double)apus_probe_dot(tier, 1000000, &sink);
        double rate = count / (now() - start);
        if (rate > best) { best = rate; }
    }
    return best;
}

static double read_peak(const void *buffer, int64_t bytes) {
    volatile uint64_t sum;
    double start = now();
    sum = apus_probe_read(buffer, bytes);
    (void)sum;
    return (double)bytes / (now() - start);
}

/// Input elements prepared a second at 512 rows.
static double prepare_rate(const apus_kernels *table, int64_t inputs, double seconds) {
    generator random = {5};
    float *input = allocate(512 * inputs * 4);
    void *panels = allocate(apus_activation_bytes(APUS_ACTIVATION_Q8, 512, inputs));
    for (int64_t i = 0; i < 512 * inputs; i++) { input[i] = next_float(&random); }
    int64_t panel_rows = apus_panel_rows(APUS_ACTIVATION_Q8);
    apus_prepare_args args = {input, inputs, 512, inputs, panels};
    double best = 0, end = now() + seconds;
    do {
        double start = now();
        table->linear.prepare[APUS_ACTIVATION_Q8](&args, 0, (512 + panel_rows - 1) / panel_rows, panels);
        double rate = 512 * (double)inputs / (now() - start);
        if (rate > best) { best = rate; }
    } while (now() < end);
    free(input);
    free(panels);
    return best;
}

typedef struct bench {
    const apus_kernels *table;
    const apus_format *format;
    uint8_t *tiles;
    int64_t tile_count, inputs;
    void *panels, *scratch;
    float *input, *output;
} bench;

/// Best rate of several passes over all tiles, multiply-adds per second.
static double matmul_rate(bench *it, int64_t rows, int64_t tiles, double seconds) {
    apus_prepare_args prepare = {it->input, it->inputs, rows, it->inputs, it->panels};
    int64_t panel_rows = apus_panel_rows(it->format->activation);
    it->table->linear.prepare[it->format->activation](&prepare, 0, (rows + panel_rows - 1) / panel_rows, it->scratch);
    apus_matmul_args args = {
        .weights = it->tiles, .outputs = tiles * it->format->tile_rows, .inputs = it->inputs, .panels = it->panels,
        .rows = rows, .output = it->output, .output_stride = tiles * it->format->tile_rows,
    };
    double best = 0;
    double work = (double)rows * (double)args.outputs * (double)it->inputs;
    double end = now() + seconds;
    do {
        double start = now();
        it->format->matmul(&args, 0, tiles, it->scratch);
        double rate = work / (now() - start);
        if (rate > best) { best = rate; }
    } while (now() < end);
    return best;
}

static int compare_doubles(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/// Share of the read limit one row reaches: reading and multiplying take turns, the median of the rounds counts, since
/// memory changes its speed with the neighbours.
static double read_share(bench *it, int64_t tile_bytes, double bytes_per_weight) {
    double shares[15];
    int64_t bytes = it->tile_count * tile_bytes / 4096 * 4096;
    for (int round = 0; round < 15; round++) {
        double read = read_peak(it->tiles, bytes);
        shares[round] = matmul_rate(it, 1, it->tile_count, 0) * bytes_per_weight / read;
    }
    qsort(shares, 15, sizeof(double), compare_doubles);
    return shares[7];
}

static double pack_rate(bench *it, double seconds) {
    generator random = {7};
    uint8_t *rows = make_weights(&random, it->format->type, 4096, it->inputs, WEIGHTS_PLAIN);
    int64_t stride = row_bytes(it->format->type, it->inputs);
    double best = 0, end = now() + seconds;
    do {
        double start = now();
        for (int64_t tile = 0; tile < 4096 / it->format->tile_rows; tile++) {
            it->format->pack(rows + tile * it->format->tile_rows * stride, stride, it->format->tile_rows, it->inputs,
                             it->tiles + tile * it->format->tile_bytes(it->inputs));
        }
        double rate = 4096 * (double)stride / (now() - start);
        if (rate > best) { best = rate; }
    } while (now() < end);
    free(rows);
    return best;
}

static void bench_format(const apus_kernels *table, int index, double seconds, double dots) {
    const int64_t inputs = 1536, few_bytes = 200 << 20;
    bench it = {.table = table, .format = &table->linear.formats[index], .inputs = inputs};
    int64_t tile_bytes = it.format->tile_bytes(inputs);
    it.tile_count = few_bytes / tile_bytes;
    it.tiles = allocate(it.tile_count * tile_bytes);
    double packing = pack_rate(&it, seconds / 4);
    int64_t packed = 4096 / it.format->tile_rows;
    for (int64_t tile = packed; tile < it.tile_count; tile += packed) {
        int64_t count = it.tile_count - tile < packed ? it.tile_count - tile : packed;
        memcpy(it.tiles + tile * tile_bytes, it.tiles, (size_t)(count * tile_bytes));
    }
    it.panels = allocate(apus_activation_bytes(it.format->activation, 512, inputs));
    it.scratch = allocate(APUS_SCRATCH_BYTES);
    it.input = allocate(512 * inputs * 4);
    it.output = allocate(8 * it.tile_count * it.format->tile_rows * 4 + 512 * 2048 * 4);
    generator random = {3};
    for (int64_t i = 0; i < 512 * inputs; i++) { it.input[i] = next_float(&random); }
    double bytes_per_weight = (double)tile_bytes / (double)(it.format->tile_rows * inputs);
    double one = matmul_rate(&it, 1, it.tile_count, seconds);
    double share = read_share(&it, tile_bytes, bytes_per_weight);
    double two = matmul_rate(&it, 2, it.tile_count, seconds);
    double four = matmul_rate(&it, 4, it.tile_count, seconds);
    double eight = matmul_rate(&it, 8, it.tile_count, seconds);
    double thirty_two = matmul_rate(&it, 32, 1024 / it.format->tile_rows, seconds);
    double many = matmul_rate(&it, 512, 1024 / it.format->tile_rows, seconds);
    printf("%-10s %-7s %6.1f %6.1f %4.0f%% %6.1f %6.1f %6.1f %6.1f %6.1f %4.0f%% %8.2f\n", tier_name(table->tier),
           type_name(it.format->type), one * 1e-9, one * bytes_per_weight * 1e-9, 100 * share,
           two * 1e-9, four * 1e-9, eight * 1e-9, thirty_two * 1e-9, many * 1e-9, 100 * many / dots, packing * 1e-9);
    fflush(stdout);
    free(it.tiles);
    free(it.panels);
    free(it.scratch);
    free(it.input);
    free(it.output);
}

void bench_linear(apus_tier tier, double seconds) {
    const apus_kernels *table = apus_kernels_for_tier(tier);
    double dots = dot_peak(tier);
    printf("%s: 8-bit dot products at most %.1f GMAC/s on one core; %.2f G inputs/s prepared\n",
           tier_name(tier), dots * 1e-9, prepare_rate(table, 1536, seconds) * 1e-9);
    puts("tier       type      m=1   GB/s read%    m=2    m=4    m=8   m=32  m=512  dot% pack GB/s");
    for (int i = 0; i < APUS_FORMAT_COUNT; i++) {
        const char *only = getenv("APUS_BENCH_TYPE");
        if (!table->linear.formats[i].matmul) { continue; }
        if (only && strcmp(only, type_name(table->linear.formats[i].type)) != 0) { continue; }
        bench_format(table, i, seconds, dots);
    }
}
