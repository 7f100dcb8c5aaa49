// Checks the float-weight kernels: every tier gives the bits of the scalar tier, the scalar tier those of a plain loop
// over the file's rows. With `--time`, prints rates beside the machine's own limits.
//
//   K=Sources/CApusKernels
//   clang -std=gnu11 -O2 -D_GNU_SOURCE -I$K/include tools/kernels/check_float.c $K/codecs/*.c $K/*/linear_float*.c \
//       -lm -lpthread -o check_float
//   ./check_float [--time]
//
// The hash at the end is the same on x86-64 and arm64 (there under qemu-user: clang --target=aarch64-linux-gnu).
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../Sources/CApusKernels/codecs/half.h"
#include "../../Sources/CApusKernels/linear_float.h"
#include "../../Sources/CApusKernels/tiers.h"

#define TIERS 4

static const char *const tier_names[TIERS] = {"scalar", "avx2", "avx512", "neon"};
static const int32_t types[3] = {APUS_TYPE_F32, APUS_TYPE_F16, APUS_TYPE_BF16};
static const char *const type_names[3] = {"f32", "f16", "bf16"};
static apus_kernels tables[TIERS];
static int failures;

static bool fill_tables(int tier) {
    apus_linear_float_fill_scalar(&tables[tier]);
    if (tier == 0) { return true; }
#if defined(__x86_64__)
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (tier == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
        apus_linear_float_fill_avx2(&tables[tier]);
        return true;
    }
    if (tier == 2 && wide) {
        apus_linear_float_fill_avx2(&tables[tier]);
        apus_linear_float_fill_avx512(&tables[tier]);
        return true;
    }
#elif defined(__aarch64__)
    if (tier == 3) {
        apus_linear_float_fill_neon(&tables[tier]);
        return true;
    }
#endif
    return false;
}

static uint64_t state = 1;

static uint32_t random_bits(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/// Mostly around 1; with `wild`, any bits at all.
static float random_float(bool wild) {
    uint32_t bits = random_bits();
    return wild && bits % 16 == 0 ? apus_float_from_bits(random_bits()) : (float)(int32_t)bits * 0x1p-31f;
}

static void *allocate(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 4096, bytes + 4096) != 0) { exit(1); }
    memset(memory, 0, bytes + 4096);
    return memory;
}

static const apus_format *format_of(int tier, int type) {
    return &tables[tier].linear.formats[apus_format_index(types[type])];
}

/// A layer in file order and packed, with input rows and their panels.
typedef struct layer {
    int64_t outputs, inputs, rows, row_bytes, tiles;
    int type;
    void *file, *packed;
    float *input, *panels, *output, *expected, *bias;
} layer;

static void fill_file(layer *l, bool wild) {
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *row = allocate((size_t)l->inputs * 4);
    for (int64_t o = 0; o < l->outputs; o++) {
        for (int64_t i = 0; i < l->inputs; i++) { row[i] = random_float(wild); }
        codec->encode(row, (char *)l->file + o * l->row_bytes, l->inputs);
    }
    free(row);
}

static void pack(layer *l) {
    const apus_format *format = format_of(0, l->type);
    for (int64_t t = 0; t < l->tiles; t++) {
        int64_t first = t * format->tile_rows, rows = l->outputs - first;
        if (rows > format->tile_rows) { rows = format->tile_rows; }
        format->pack((char *)l->file + first * l->row_bytes, l->row_bytes, rows, l->inputs,
                     (char *)l->packed + t * format->tile_bytes(l->inputs));
    }
}

static void prepare(int tier, layer *l) {
    apus_prepare_args args = {l->input, l->inputs, l->rows, l->inputs, l->panels};
    tables[tier].linear.prepare[APUS_ACTIVATION_F32](&args, 0, (l->rows + APUS_FLOAT_PANEL - 1) / APUS_FLOAT_PANEL, l->panels);
}

static layer make_layer(int type, int64_t outputs, int64_t inputs, int64_t rows, bool wild) {
    layer l = {.outputs = outputs, .inputs = inputs, .rows = rows, .type = type};
    const apus_format *format = format_of(0, type);
    l.row_bytes = inputs * apus_codec_for_type(types[type])->block_bytes;
    l.tiles = (outputs + format->tile_rows - 1) / format->tile_rows;
    l.file = allocate((size_t)(outputs * l.row_bytes));
    l.packed = allocate((size_t)(l.tiles * format->tile_bytes(inputs)));
    l.input = allocate((size_t)(rows * inputs) * 4);
    l.panels = allocate((size_t)(rows * inputs) * 4);
    l.output = allocate((size_t)(rows * outputs) * 4);
    l.expected = allocate((size_t)(rows * outputs) * 4);
    l.bias = allocate((size_t)outputs * 4);
    fill_file(&l, wild);
    for (int64_t i = 0; i < rows * inputs; i++) { l.input[i] = random_float(wild); }
    for (int64_t i = 0; i < outputs; i++) { l.bias[i] = random_float(false); }
    pack(&l);
    prepare(0, &l);
    return l;
}

static void free_layer(layer *l) {
    void *const parts[] = {l->file, l->packed, l->input, l->panels, l->output, l->expected, l->bias};
    for (int i = 0; i < 7; i++) { free(parts[i]); }
}

// MARK: Bits

static uint64_t hash = 14695981039346656037u;

/// FNV-1a over the bits, all NaN being one: the line that two machines compare.
static void add_to_hash(const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        hash = (hash ^ (isnan(values[i]) ? 0x7fc00000 : apus_float_bits(values[i]))) * 1099511628211u;
    }
}

static bool same(const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (apus_float_bits(a[i]) != apus_float_bits(b[i]) && !(isnan(a[i]) && isnan(b[i]))) { return false; }
    }
    return true;
}

static void plain(layer *l, bool bias, bool accumulates) {
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *weights = allocate((size_t)l->inputs * 4);
    for (int64_t o = 0; o < l->outputs; o++) {
        codec->decode((char *)l->file + o * l->row_bytes, weights, l->inputs);
        for (int64_t r = 0; r < l->rows; r++) {
            float acc = 0;
            for (int64_t i = 0; i < l->inputs; i++) { acc = fmaf(weights[i], l->input[r * l->inputs + i], acc); }
            if (bias) { acc = acc + l->bias[o]; }
            l->expected[r * l->outputs + o] = accumulates ? l->input[r] + acc : acc;
        }
    }
    free(weights);
}

static void check_layer(layer *l, bool bias, bool accumulates, void *scratch) {
    plain(l, bias, accumulates);
    add_to_hash(l->expected, l->rows * l->outputs);
    for (int tier = 0; tier < TIERS; tier++) {
        if (!tables[tier].linear.prepare[APUS_ACTIVATION_F32]) { continue; }
        for (int64_t r = 0; r < l->rows; r++) {
            for (int64_t o = 0; o < l->outputs; o++) { l->output[r * l->outputs + o] = l->input[r]; }
        }
        memset(l->panels, 0, (size_t)(l->rows * l->inputs) * 4);
        prepare(tier, l);
        apus_matmul_args args = {l->packed, l->outputs, l->inputs, l->panels, l->rows, l->output, l->outputs,
                                 bias ? l->bias : NULL, accumulates};
        int64_t half = l->tiles / 2;
        format_of(tier, l->type)->matmul(&args, half, l->tiles, scratch);
        format_of(tier, l->type)->matmul(&args, 0, half, scratch);
        if (!same(l->output, l->expected, l->rows * l->outputs)) {
            failures++;
            printf("FAILED %s %s: %lld outputs, %lld inputs, %lld rows\n", tier_names[tier], type_names[l->type],
                   (long long)l->outputs, (long long)l->inputs, (long long)l->rows);
        }
    }
}

static void check_unpack(layer *l) {
    const apus_format *format = format_of(0, l->type);
    const apus_codec *codec = apus_codec_for_type(types[l->type]);
    float *rows = allocate((size_t)l->inputs * 8);
    for (int64_t o = 0; o < l->tiles * format->tile_rows; o++) {
        format->unpack_row((char *)l->packed + o / format->tile_rows * format->tile_bytes(l->inputs),
                           o % format->tile_rows, l->inputs, rows);
        memset(rows + l->inputs, 0, (size_t)l->inputs * 4);
        if (o < l->outputs) { codec->decode((char *)l->file + o * l->row_bytes, rows + l->inputs, l->inputs); }
        if (memcmp(rows, rows + l->inputs, (size_t)l->inputs * 4) != 0) {
            failures++;
            printf("FAILED unpack %s row %lld\n", type_names[l->type], (long long)o);
        }
    }
    free(rows);
}

static void check_bits(void) {
    static const int64_t inputs[] = {1, 2, 7, 32, 63, 127, 128, 129, 257, 576}, outputs[] = {1, 31, 32, 33, 100};
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 23, 24, 25, 37, 48, 61};
    void *scratch = allocate(APUS_SCRATCH_BYTES);
    int checked = 0;
    for (int type = 0; type < 3; type++) {
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
            for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++) {
                for (size_t r = 0; r < sizeof rows / sizeof *rows; r++, checked++) {
                    layer l = make_layer(type, outputs[o], inputs[i], rows[r], checked % 3 == 0);
                    check_layer(&l, checked % 2, checked % 4 > 1, scratch);
                    if (r == 0) { check_unpack(&l); }
                    free_layer(&l);
                }
            }
        }
        layer l = make_layer(type, 33, 131, APUS_FLOAT_ROWS_AT_ONCE + 30, false);
        check_layer(&l, true, true, scratch);
        free_layer(&l);
    }
    free(scratch);
    printf("%d layers checked, outputs hash to %016llx\n", checked, (unsigned long long)hash);
}

// MARK: Rates

#if defined(__x86_64__)
#include <immintrin.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/// `work` on two threads at once, each with its number; returns the seconds of the slower one.
static double run_on_two(void *(*work)(void *), void *jobs, size_t job_bytes) {
    pthread_t other;
    double start = now();
    pthread_create(&other, NULL, work, (char *)jobs + job_bytes);
    work(jobs);
    pthread_join(other, NULL);
    return now() - start;
}

typedef struct job {
    const apus_format *format;
    const apus_matmul_args *args;
    int64_t begin, end, repeats;
    void *scratch;
} job;

static void *run_job(void *pointer) {
    const job *j = pointer;
    for (int64_t i = 0; i < j->repeats; i++) { j->format->matmul(j->args, j->begin, j->end, j->scratch); }
    return NULL;
}

__attribute__((target("avx512f"))) static void *fma_limit(void *pointer) {
    float *sink = pointer;
    __m512 acc[24], a = _mm512_set1_ps(sink[0]), b = _mm512_set1_ps(sink[1]);
    for (int i = 0; i < 24; i++) { acc[i] = _mm512_set1_ps((float)i); }
    for (int64_t n = 0; n < 4000000; n++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 24; i++) { acc[i] = _mm512_fmadd_ps(acc[i], a, b); }
        __asm__ volatile("" : "+v"(a));
    }
    for (int i = 0; i < 24; i++) { sink[2] += _mm512_reduce_add_ps(acc[i]); }
    return NULL;
}

typedef struct reading {
    const char *from;
    int64_t bytes;
    int64_t sum;
} reading;

__attribute__((target("avx512f"))) static void *read_limit(void *pointer) {
    reading *r = pointer;
    __m512i sum[4] = {0};
    for (int64_t at = 0; at < r->bytes; at += 256) {
        for (int i = 0; i < 4; i++) {
            _mm_prefetch(r->from + at + i * 64 + APUS_FLOAT_PREFETCH, _MM_HINT_T0);
            sum[i] = _mm512_add_epi64(sum[i], _mm512_load_si512(r->from + at + i * 64));
        }
    }
    for (int i = 0; i < 4; i++) { r->sum += _mm512_reduce_add_epi64(sum[i]); }
    return NULL;
}

static double fma_rate(void) {
    float sinks[2][16] = {{0.5f, 1}, {0.5f, 1}};
    double best = 0;
    for (int i = 0; i < 4; i++) {
        double rate = 2 * 24.0 * 16 * 4000000 / run_on_two(fma_limit, sinks, sizeof sinks[0]) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

static double read_rate(const void *buffer, int64_t bytes) {
    reading parts[2] = {{buffer, bytes / 2, 0}, {(const char *)buffer + bytes / 2, bytes / 2, 0}};
    return (double)bytes / run_on_two(read_limit, parts, sizeof parts[0]) * 1e-9;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double run_layer(const layer *l, int tier, int64_t repeats, void *const scratch[2]) {
    apus_matmul_args args = {l->packed, l->outputs, l->inputs, l->panels, l->rows, l->output, l->outputs, NULL, 0};
    job jobs[2] = {{format_of(tier, l->type), &args, 0, l->tiles / 2, repeats, scratch[0]},
                   {format_of(tier, l->type), &args, l->tiles / 2, l->tiles, repeats, scratch[1]}};
    return run_on_two(run_job, jobs, sizeof jobs[0]);
}

/// One row over more weights than any cache holds, in turn with plain reading.
static void time_one_row(int tier, int type, const void *buffer, int64_t bytes, void *const scratch[2]) {
    enum { ROUNDS = 9 };
    double shares[ROUNDS], rates[ROUNDS];
    layer l = make_layer(type, 64, 2048, 8, false);
    l.tiles = bytes / format_of(0, type)->tile_bytes(l.inputs);
    l.outputs = l.tiles * APUS_FLOAT_TILE;
    void *const small = l.packed;
    l.packed = (void *)buffer;
    free(l.output);
    l.output = allocate((size_t)l.outputs * 8 * 4);
    for (int64_t rows = 1; rows <= 8; rows *= 2) {
        l.rows = rows;
        for (int i = 0; i < ROUNDS; i++) {
            double limit = read_rate(buffer, bytes);
            rates[i] = (double)bytes / run_layer(&l, tier, 1, scratch) * 1e-9;
            shares[i] = rates[i] / limit;
        }
        qsort(shares, ROUNDS, sizeof *shares, compare);
        qsort(rates, ROUNDS, sizeof *rates, compare);
        printf("  %lld rows %5.1f GB/s (%3.0f %%)", (long long)rows, rates[ROUNDS / 2], 100 * shares[ROUNDS / 2]);
    }
    l.packed = small;
    free_layer(&l);
}

static void time_many_rows(int tier, int type, double limit, void *const scratch[2]) {
    static const int64_t rows[] = {24, 64, 512};
    for (int i = 0; i < 3; i++) {
        layer l = make_layer(type, 1536, 1536, rows[i], false);
        double best = 1e9, work = (double)(l.outputs * l.inputs * l.rows);
        int64_t repeats = (int64_t)(3e9 / work) + 1;
        for (int n = 0; n < 5; n++) {
            double seconds = run_layer(&l, tier, repeats, scratch) / (double)repeats;
            best = seconds < best ? seconds : best;
        }
        printf("  %lld rows %5.1f GMAC/s (%2.0f %%)", (long long)rows[i], work / best * 1e-9, work / best * 1e-7 / limit);
        free_layer(&l);
    }
    printf("\n");
}

static void time_packing(void) {
    for (int type = 0; type < 3; type++) {
        layer l = make_layer(type, 1024, 4096, 512, false);
        double start = now();
        for (int i = 0; i < 10; i++) { pack(&l); }
        double packed = 10.0 * (double)(l.outputs * l.row_bytes) / (now() - start) * 1e-9;
        printf("%-4s packs %.1f GB/s; prepares", type_names[type], packed);
        for (int tier = 0; tier < TIERS; tier++) {
            if (!tables[tier].linear.prepare[APUS_ACTIVATION_F32]) { continue; }
            start = now();
            for (int i = 0; i < 10; i++) { prepare(tier, &l); }
            printf(" %.1f GB/s (%s)", 10.0 * (double)(l.rows * l.inputs * 4) / (now() - start) * 1e-9, tier_names[tier]);
        }
        printf("\n");
        free_layer(&l);
    }
}

static void time_kernels(void) {
    const int64_t bytes = INT64_C(1) << 29;
    void *buffer = allocate((size_t)bytes), *scratch[2] = {allocate(APUS_SCRATCH_BYTES), allocate(APUS_SCRATCH_BYTES)};
    memset(buffer, 0x3c, (size_t)bytes);
    double limit = fma_rate();
    printf("limits: %.1f GMAC/s, %.1f GB/s\n", limit, read_rate(buffer, bytes));
    time_packing();
    for (int tier = 1; tier <= 2; tier++) {
        for (int type = 0; type < 3; type++) {
            printf("%-6s %-4s", tier_names[tier], type_names[type]);
            time_one_row(tier, type, buffer, bytes, scratch);
            time_many_rows(tier, type, limit, scratch);
        }
    }
}
#else
static void time_kernels(void) {
    printf("rates are measured on x86-64 only\n");
}
#endif

int main(int count, char **arguments) {
    for (int tier = 0; tier < TIERS; tier++) {
        if (!fill_tables(tier)) { tables[tier] = (apus_kernels){0}; }
    }
    if (count > 1 && strcmp(arguments[1], "--time") == 0) {
        time_kernels();
        return 0;
    }
    check_bits();
    printf(failures ? "%d checks failed\n" : "all float kernel checks passed\n", failures);
    return failures != 0;
}
