// The attention benchmark's threads, and the machine's limits as they reach them.

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "attention_bench.h"

/// A worker pool as plain as can be: the threads spin between operations.
typedef struct bench_pool {
    pthread_t threads[BENCH_THREADS];
    _Atomic int64_t generation, running, next;
    apus_range_kernel kernel;
    const void *args;
    int64_t units, grain;
    void *scratch[BENCH_THREADS];
    char *buffer;  // of the read probe
} bench_pool;

static bench_pool pool;

static void claim_units(int thread) {
    for (int64_t u; (u = atomic_fetch_add(&pool.next, pool.grain)) < pool.units;) {
        int64_t end = u + pool.grain < pool.units ? u + pool.grain : pool.units;
        pool.kernel(pool.args, u, end, pool.scratch[thread]);
    }
}

static void *worker(void *argument) {
    for (int64_t seen = 0;;) {
        while (atomic_load(&pool.generation) == seen) apus_spin_hint();
        seen = atomic_load(&pool.generation);
        claim_units((int)(intptr_t)argument);
        atomic_fetch_sub(&pool.running, 1);
    }
    return NULL;
}

void start_bench_pool(void) {
    pool.buffer = allocate((int64_t)1 << 30);
    for (int64_t i = 0; i < 1 << 30; i += 64) pool.buffer[i] = (char)i;
    for (int i = 0; i < BENCH_THREADS; i++) {
        pool.scratch[i] = allocate(APUS_SCRATCH_BYTES);
        if (i > 0) pthread_create(&pool.threads[i], NULL, worker, (void *)(intptr_t)i);
    }
}

void run_units(apus_range_kernel kernel, const void *args, int64_t units, int64_t grain) {
    if (units == 0) return;
    pool.grain = grain;
    pool.kernel = kernel, pool.args = args, pool.units = units;
    atomic_store(&pool.next, 0);
    atomic_store(&pool.running, BENCH_THREADS - 1);
    atomic_fetch_add(&pool.generation, 1);
    claim_units(0);
    while (atomic_load(&pool.running) > 0) apus_spin_hint();
}

void *bench_scratch(void) { return pool.scratch[0]; }

/// A unit of the read probe: 1 MB.
static void read_unit(const void *args, int64_t begin, int64_t end, void *unit_scratch) {
    int64_t part = (int64_t)1 << 20;
    uint64_t sum = apus_probe_read((const char *)args + begin * part, (end - begin) * part);
    memcpy(unit_scratch, &sum, sizeof sum);
}

static void dot_unit(const void *args, int64_t begin, int64_t end, void *unit_scratch) {
    int32_t sink = 1;
    (void)begin, (void)end;
    apus_probe_dot(*(const int32_t *)args, 400000, &sink);
    memcpy(unit_scratch, &sink, sizeof sink);
}

static void fma_unit(const void *args, int64_t begin, int64_t end, void *unit_scratch) {
    float sink = 1;
    (void)begin, (void)end;
    apus_probe_fma(*(const int32_t *)args, 400000, &sink);
    memcpy(unit_scratch, &sink, sizeof sink);
}

double peak_rate(int32_t tier, int dots) {
    int32_t sink = 1;
    float float_sink = 1;
    int64_t units = 2 * BENCH_THREADS;
    int64_t per_unit = dots ? apus_probe_dot(tier, 400000, &sink) : apus_probe_fma(tier, 400000, &float_sink);
    double start = seconds();
    run_units(dots ? dot_unit : fma_unit, &tier, units, 1);
    return (double)(units * per_unit) / (seconds() - start);
}

double read_rate(int round) {
    double start = seconds();
    run_units(read_unit, pool.buffer + round % 8 * ((int64_t)128 << 20), 128, 1);
    return 128.0 * (1 << 20) / (seconds() - start);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}
