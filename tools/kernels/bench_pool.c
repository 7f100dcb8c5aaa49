// What the benches share: threads that split units as the engine's WorkerPool does, the machine's limits, and medians.

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels.h"

/// The threads spin between operations; runs, claims and their halves at the end are WorkerPool's.
typedef struct bench_pool {
    pthread_t threads[BENCH_THREADS];
    _Atomic int64_t generation, running, next_claim;
    apus_range_kernel kernel;
    const void *args;
    int64_t units, grain, run_length, full_claims;
    void *scratch[BENCH_THREADS];
} bench_pool;

static bench_pool pool;

void *bench_scratch(void) {
    return pool.scratch[0];
}

static void work(int thread) {
    int64_t length = pool.run_length, first_shared = length * BENCH_THREADS, half = (pool.grain + 1) / 2;
    if (length > 0) { pool.kernel(pool.args, thread * length, (thread + 1) * length, pool.scratch[thread]); }
    for (;;) {
        int64_t claim = atomic_fetch_add(&pool.next_claim, 1);
        int64_t rest = claim > pool.full_claims ? claim - pool.full_claims : 0;
        int64_t begin = first_shared + (claim - rest) * pool.grain + rest * half;
        if (begin >= pool.units) { return; }
        int64_t end = begin + (claim < pool.full_claims ? pool.grain : half);
        pool.kernel(pool.args, begin, end < pool.units ? end : pool.units, pool.scratch[thread]);
    }
}

/// A thread that lost its core needs ours.
static void spin(int64_t *spins) {
    apus_spin_hint();
    if (++*spins % 20000 == 0) { sched_yield(); }
}

static void *worker(void *argument) {
    for (int64_t seen = 0, spins = 0;;) {
        while (atomic_load(&pool.generation) == seen) { spin(&spins); }
        seen = atomic_load(&pool.generation);
        work((int)(intptr_t)argument);
        atomic_fetch_sub(&pool.running, 1);
    }
    return NULL;
}

void run_units(apus_range_kernel kernel, const void *args, int64_t units, int64_t grain) {
    if (units <= (grain == BENCH_RUNS ? 1 : grain)) {
        if (units > 0) { kernel(args, 0, units, pool.scratch[0]); }
        return;
    }
    pool.kernel = kernel, pool.args = args, pool.units = units, pool.grain = grain, pool.run_length = 0;
    if (grain == BENCH_RUNS) {
        pool.run_length = units * 7 / 8 / BENCH_THREADS;
        pool.grain = units / 8 / BENCH_THREADS / 4 > 1 ? units / 8 / BENCH_THREADS / 4 : 1;
    }
    int64_t claims = (units - pool.run_length * BENCH_THREADS) / pool.grain;
    pool.full_claims = claims > BENCH_THREADS ? claims - BENCH_THREADS : 0;
    atomic_store(&pool.next_claim, 0);
    atomic_store(&pool.running, BENCH_THREADS - 1);
    atomic_fetch_add(&pool.generation, 1);
    work(0);
    for (int64_t spins = 0; atomic_load(&pool.running) > 0;) { spin(&spins); }
}

/// Each thread keeps to a core of its own: beside other programs two of them would share one.
static void pin(pthread_t thread, int index) {
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    sched_getaffinity(getpid(), sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || index-- > 0) { continue; }
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(thread, sizeof one, &one);
        return;
    }
}

void start_bench_pool(void) {
    pool.threads[0] = pthread_self();
    for (int i = 0; i < BENCH_THREADS; i++) {
        pool.scratch[i] = allocate(BENCH_SCRATCH_BYTES);
        if (i > 0) { pthread_create(&pool.threads[i], NULL, worker, (void *)(intptr_t)i); }
    }
    for (int i = BENCH_THREADS - 1; i >= 0; i--) { pin(pool.threads[i], i); }  // the caller's set is read until the end
}

#define READ_PART ((int64_t)128 << 10)

static void read_parts(const void *args, int64_t begin, int64_t end, void *scratch) {
    uint64_t sum = apus_probe_read((const char *)args + begin * READ_PART, (end - begin) * READ_PART);
    memcpy(scratch, &sum, sizeof sum);
}

double read_rate(const char *buffer, int64_t bytes) {
    double start = seconds();
    run_units(read_parts, buffer, bytes / READ_PART, BENCH_RUNS);
    return (double)bytes / (seconds() - start);
}

#define PEAK_ITERATIONS 400000

static void dot_unit(const void *args, int64_t begin, int64_t end, void *scratch) {
    int32_t sink = 1;
    (void)begin, (void)end;
    apus_probe_dot(*(const int32_t *)args, PEAK_ITERATIONS, &sink);
    memcpy(scratch, &sink, sizeof sink);
}

static void fma_unit(const void *args, int64_t begin, int64_t end, void *scratch) {
    float sink = 1;
    (void)begin, (void)end;
    apus_probe_fma(*(const int32_t *)args, PEAK_ITERATIONS, &sink);
    memcpy(scratch, &sink, sizeof sink);
}

double peak_rate(int32_t tier, bool of_dots) {
    int32_t sink = 1;
    float float_sink = 1;
    int64_t units = 2 * BENCH_THREADS;
    int64_t per_unit = of_dots ? apus_probe_dot(tier, PEAK_ITERATIONS, &sink) : apus_probe_fma(tier, PEAK_ITERATIONS, &float_sink);
    double start = seconds();
    run_units(of_dots ? dot_unit : fma_unit, &tier, units, 1);
    return (double)(units * per_unit) / (seconds() - start);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[count / 2];
}
