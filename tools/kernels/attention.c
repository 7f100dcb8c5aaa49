// Attention kernels: every tier against scalar by bits, rows together against rows alone, scalar against a reference in
// double; hashes for each kind of keys and head dimension.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention_blocks.h"
#include "kernels.h"

static void *scratch;
static generator numbers;

/// One sequence: its blocks (memory full of garbage where nothing was appended), queries of the last rows.
typedef struct sequence {
    int64_t position, rows;
    float *keys, *values, *query;  // keys and values of all positions
    char *blocks[2];               // two copies, different garbage: [0] for scalar, [1] for the tier
    const void **tables[2];
    char *pages[2];                // of the KIVI types, for all positions
} sequence;

typedef struct problem {
    apus_kv_type type;
    int64_t query_heads, kv_heads, dimension, window, count;
    int64_t residual;  // of the KIVI types: the newest positions, kept exact until there are so many
    sequence sequences[4];
} problem;

static sequence make_sequence(const problem *p, int64_t position, int64_t rows, float_style style) {
    sequence s = {.position = position, .rows = rows};
    int64_t positions = position + rows, block_count = positions / 64 + 1, width = p->kv_heads * p->dimension;
    int64_t block_bytes = apus_kv_block_bytes(p->type, p->kv_heads, p->dimension);
    s.keys = allocate(positions * width * 4);
    s.values = allocate(positions * width * 4);
    s.query = allocate(rows * p->query_heads * p->dimension * 4);
    fill_floats(&numbers, s.keys, positions * width, style);
    fill_floats(&numbers, s.values, positions * width, style);
    fill_floats(&numbers, s.query, rows * p->query_heads * p->dimension, style);
    for (int copy = 0; copy < 2; copy++) {
        s.blocks[copy] = allocate(block_count * block_bytes);
        s.tables[copy] = allocate(block_count * 8);
        fill_floats(&numbers, (float *)s.blocks[copy], block_count * block_bytes / 4, FLOATS_BITS);
        int64_t page_bytes = apus_kv_page_bytes(p->kv_heads, p->dimension), page_count = positions / APUS_KV_PAGE + 1;
        s.pages[copy] = allocate(page_count * page_bytes);
        fill_floats(&numbers, (float *)s.pages[copy], page_count * page_bytes / 4, FLOATS_BITS);
        for (int64_t b = 0; b < block_count; b++) s.tables[copy][b] = s.blocks[copy] + b * block_bytes;
    }
    return s;
}

static void free_sequence(sequence *s) {
    free(s->keys), free(s->values), free(s->query);
    for (int copy = 0; copy < 2; copy++) free(s->blocks[copy]), free(s->tables[copy]), free(s->pages[copy]);
}

/// How many of the first `positions` are in blocks.
static int64_t sealed_positions(const problem *p, int64_t positions) {
    return apus_is_kivi(p->type) ? positions / p->residual * p->residual : positions;
}

static char *page_of(const problem *p, const sequence *s, int copy, int64_t position) {
    return s->pages[copy] + position / APUS_KV_PAGE * apus_kv_page_bytes(p->kv_heads, p->dimension);
}

static void append(const problem *p, const sequence *s, int copy, const apus_attention_kernels *kernels) {
    int64_t positions = s->position + s->rows, width = p->kv_heads * p->dimension;
    int32_t *numbers = allocate(positions * 4);
    void **blocks = allocate(positions * 8);
    for (int64_t i = 0; i < positions; i++) {
        numbers[i] = (int32_t)i;
        blocks[i] = apus_is_kivi(p->type) ? page_of(p, s, copy, i) : (void *)(uintptr_t)s->tables[copy][i / 64];
    }
    apus_kv_append_args args = {s->keys, s->values, width, width, p->kv_heads, p->dimension, numbers, blocks, 0};
    kernels->append[p->type](&args, 0, positions, scratch);
    for (int64_t first = 0; apus_is_kivi(p->type) && first < sealed_positions(p, positions); first += APUS_KV_PAGE) {
        const void *page = page_of(p, s, copy, first);
        void *block = (void *)(uintptr_t)s->tables[copy][first / 64];
        apus_kv_seal_args seal = {&page, &block, &first, p->kv_heads, p->dimension, 0};
        kernels->seal[p->type](&seal, 0, p->kv_heads, scratch);
    }
    free(numbers), free(blocks);
}

int64_t cut_slice(apus_kv_type type, int64_t residual, apus_attention_slice whole, int64_t stride, const char *pages,
                  int64_t page_bytes, apus_attention_slice *slices) {
    int64_t count = 0, end = whole.position + whole.rows;
    whole.sealed = INT64_MAX;
    if (!apus_is_kivi(type)) return slices[0] = whole, 1;
    while (whole.position < end) {
        int64_t sealed = whole.position / residual * residual, next = sealed + residual;
        whole.rows = (next < end ? next : end) - whole.position;
        whole.sealed = sealed;
        whole.pages = pages + sealed / APUS_KV_PAGE * page_bytes;
        slices[count++] = whole;
        whole.query += whole.rows * stride, whole.output += whole.rows * stride, whole.position += whole.rows;
    }
    return count;
}

/// Runs all sequences as slices of one step, or each row as a step of its own.
static void attend(const problem *p, int copy, const apus_attention_kernels *kernels, float *output, int alone) {
    int64_t stride = p->query_heads * p->dimension, rows = 0, longest = 0, count = 0;
    apus_attention_slice slices[32];
    for (int64_t i = 0; i < p->count; i++) {
        const sequence *s = &p->sequences[i];
        apus_attention_slice whole = {s->query, output + rows * stride, s->rows, s->position, s->tables[copy], 0, 0, NULL};
        // A prompt's chunk of which no row is wanted changes nothing for the others.
        slices[count] = whole;
        slices[count].position += whole.rows, slices[count++].rows = 0;
        int64_t page_bytes = apus_kv_page_bytes(p->kv_heads, p->dimension);
        count += cut_slice(p->type, p->residual, whole, stride, s->pages[copy], page_bytes, slices + count);
        rows += s->rows;
        longest = s->position + s->rows > longest ? s->position + s->rows : longest;
    }
    int64_t partial_bytes = apus_attention_partial_bytes(rows + p->count, longest, p->query_heads, p->dimension);
    apus_attention_args args = {slices, count, stride, stride, p->query_heads, p->kv_heads, p->dimension,
        1.0f / sqrtf((float)p->dimension), p->window, allocate(partial_bytes + 64)};
    char *end = (char *)args.partials + partial_bytes;
    memset(end, 0x5a, 64);
    for (int64_t i = 0; i < count && alone; i++) {
        for (int64_t r = 0; r < slices[i].rows; r++) {
            apus_attention_slice one = slices[i];
            one.query += r * stride, one.output += r * stride, one.position += r, one.rows = 1;
            args.slices = &one, args.slice_count = 1;
            kernels->attend[p->type](&args, 0, apus_attend_units(&args), scratch);
            kernels->merge(&args, 0, apus_merge_units(&args), scratch);
        }
    }
    args.slices = slices, args.slice_count = 1;
    expect(apus_attend_units(&args) == 0, "no rows, no units", "any");
    args.slice_count = count;
    if (!alone) {
        for (int64_t u = apus_attend_units(&args) - 1; u >= 0; u--) kernels->attend[p->type](&args, u, u + 1, scratch);
        kernels->merge(&args, 0, apus_merge_units(&args), scratch);
    }
    for (int i = 0; i < 64; i++) expect(end[i] == 0x5a, "partials stay within their bytes", "any");
    free(args.partials);
}

/// Rounded to a half, as appended.
static double halved(float x) { return (double)apus_float_from_half(apus_half_from_float(x)); }

/// A sequence's keys or values as they are stored once their page is full.
static double *stored(const problem *p, const sequence *s, const float *x, int keys) {
    int64_t positions = s->position + s->rows, width = p->kv_heads * p->dimension;
    double *result = allocate(positions * width * 8), levels = p->type == APUS_KV_KIVI2 ? 3 : 15;
    for (int64_t i = 0; i < positions * width; i++) result[i] = halved(x[i]);
    if (!apus_is_kivi(p->type)) return result;
    for (int64_t j = 0; j < positions / APUS_KV_PAGE * APUS_KV_PAGE; j++) {
        for (int64_t c = 0; c < width; c++) {
            int64_t first = c - c % p->dimension % 32, end = c - c % p->dimension + p->dimension;
            int64_t count = keys ? 32 : end - first < 32 ? end - first : 32;
            double low = INFINITY, high = -INFINITY;
            for (int64_t i = 0; i < count; i++) {
                double value = halved(keys ? x[(j - j % 32 + i) * width + c] : x[j * width + first + i]);
                low = fmin(low, value), high = fmax(high, value);
            }
            double scale = halved((float)((high - low) / levels));
            double code = scale > 0 ? fmin(fmax(floor((halved(x[j * width + c]) - low) / scale + 0.5), 0), levels) : 0;
            result[j * width + c] = low + code * scale;
        }
    }
    return result;
}

/// The largest error of `output` against attention in double over what is stored, relative to the largest output.
static double reference_error(const problem *p, const float *output) {
    double worst = 0, largest = 0;
    double *weights = allocate(8 * 100000);
    int64_t group = p->query_heads / p->kv_heads, width = p->kv_heads * p->dimension;
    for (int64_t i = 0, row = 0; i < p->count; i++) {
        const sequence *s = &p->sequences[i];
        double *keys = stored(p, s, s->keys, 1), *values = stored(p, s, s->values, 0);
        for (int64_t r = 0; r < s->rows; r++, row++) {
            for (int64_t head = 0; head < p->query_heads; head++) {
                const float *q = s->query + (r * p->query_heads + head) * p->dimension;
                int64_t last = s->position + r, first = p->window && last >= p->window ? last - p->window + 1 : 0;
                int64_t at = head / group * p->dimension;
                double max = -INFINITY, sum = 0;
                int64_t sealed = apus_is_kivi(p->type) ? sealed_positions(p, last) : 0;
                for (int64_t j = first; j <= last; j++) {
                    double dot = 0;
                    for (int64_t d = 0; d < p->dimension; d++) {
                        int64_t index = j * width + at + d;
                        dot += (double)q[d] * (j < sealed ? keys[index] : halved(s->keys[index]));
                    }
                    weights[j] = dot / sqrt((double)p->dimension);
                    max = fmax(max, weights[j]);
                }
                for (int64_t j = first; j <= last; j++) sum += weights[j] = exp(weights[j] - max);
                for (int64_t d = 0; d < p->dimension; d++) {
                    double value = 0;
                    for (int64_t j = first; j <= last; j++) {
                        int64_t index = j * width + at + d;
                        value += weights[j] * (j < sealed ? values[index] : halved(s->values[index]));
                    }
                    double got = (double)output[(row * p->query_heads + head) * p->dimension + d];
                    worst = fmax(worst, fabs(value / sum - got));
                    largest = fmax(largest, fabs(value / sum));
                }
            }
        }
        free(keys), free(values);
    }
    free(weights);
    return worst / largest;
}

static double worst_error[4];

static void check(problem p, int mode) {
    int64_t rows = 0, stride = p.query_heads * p.dimension;
    for (int64_t i = 0; i < p.count; i++) rows += p.sequences[i].rows;
    float *expected = allocate(rows * stride * 4), *got = allocate(rows * stride * 4);
    char what[160];
    snprintf(what, sizeof what,
             "attention type %d heads %lld/%lld dimension %lld window %lld slices %lld, "
             "first %lld rows at %lld, mode %d",
             p.type, (long long)p.query_heads, (long long)p.kv_heads, (long long)p.dimension, (long long)p.window,
             (long long)p.count, (long long)p.sequences[0].rows, (long long)p.sequences[0].position, mode);
    for (int t = 0; t < TIER_COUNT; t++) {
        if (!apus_kernels_for_tier((apus_tier)t)) continue;
        const apus_attention_kernels *kernels = &apus_kernels_for_tier((apus_tier)t)->attention;
        for (int64_t i = 0; i < p.count; i++) {
            const sequence *s = &p.sequences[i];
            int64_t positions = sealed_positions(&p, s->position + s->rows);
            int64_t bytes = positions / 64 * apus_kv_block_bytes(p.type, p.kv_heads, p.dimension);
            append(&p, s, t > 0, kernels);
            // Full blocks hold no garbage: their bytes must be equal.
            expect(t == 0 || memcmp(s->blocks[0], s->blocks[1], (size_t)bytes) == 0, "append", tier_name((apus_tier)t));
        }
        memset(got, 0xff, (size_t)(rows * stride) * 4);
        attend(&p, t > 0, kernels, t ? got : expected, 0);
        if (t > 0) expect(same_floats(expected, got, rows * stride), what, tier_name((apus_tier)t));
        memset(got, 0xff, (size_t)(rows * stride) * 4);
        attend(&p, t > 0, kernels, got, 1);
        expect(same_floats(expected, got, rows * stride), "rows alone", tier_name((apus_tier)t));
    }
    if (mode == 0) worst_error[p.type] = fmax(worst_error[p.type], reference_error(&p, expected));
    for (int64_t i = 0; i < p.count; i++) free_sequence(&p.sequences[i]);
    free(expected), free(got);
}

static void check_shape(apus_kv_type type, int64_t query_heads, int64_t kv_heads, int64_t dimension, int64_t window,
                        int mode) {
    static const int64_t shapes[][2] = {
        {0, 1}, {0, 70}, {63, 1}, {64, 2}, {255, 3}, {250, 13}, {300, 40}, {511, 1}, {600, 7},
    };
    int64_t count = sizeof shapes / sizeof *shapes;
    problem p = {type, query_heads, kv_heads, dimension, window, 1 + random_below(&numbers, 3),
        APUS_KV_PAGE << random_below(&numbers, 3), {{0}}};
    for (int64_t i = 0; i < p.count; i++) {
        int64_t shape = random_below(&numbers, count);
        p.sequences[i] = make_sequence(&p, shapes[shape][0], shapes[shape][1], (float_style)mode);
    }
    check(p, mode);
}

const char *kv_type_name(int32_t type) {
    static const char *const names[] = {"f16", "q8_0", "kivi2", "kivi4"};
    return names[type];
}

void hash_attention(const apus_attention_kernels *kernels) {
    static const int64_t dimensions[] = {8, 40, 64, 80, 96, 128, 192, 256};
    scratch = allocate(APUS_SCRATCH_BYTES);
    numbers = (generator){0x9e3779b97f4a7c15};
    for (int type = 0; type < 4; type++) {
        for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++) {
            problem p = {(apus_kv_type)type, 6, 2, dimensions[i], i % 2 ? 100 : 0, 2, APUS_KV_PAGE << i % 3, {{0}}};
            p.sequences[0] = make_sequence(&p, 301, 21, FLOATS_PLAIN);
            p.sequences[1] = make_sequence(&p, 600, 1, i % 3 == 2 ? FLOATS_EDGES : FLOATS_WIDE);
            int64_t width = p.query_heads * p.dimension;
            float *output = allocate(22 * width * 4);
            uint64_t sum = HASH_START;
            char name[24];
            for (int64_t s = 0; s < p.count; s++) append(&p, &p.sequences[s], 1, kernels);
            for (int alone = 0; alone < 2; alone++) {
                attend(&p, 1, kernels, output, alone);
                sum = hash_floats(sum, output, 22 * width);
            }
            snprintf(name, sizeof name, "%s %lld", kv_type_name(type), (long long)p.dimension);
            print_hash("attention", name, sum);
            for (int64_t s = 0; s < p.count; s++) free_sequence(&p.sequences[s]);
            free(output);
        }
    }
    free(scratch);
}

/// Every eighth dimension below 32, then every sixteenth and the multiples of 64.
static int64_t step_of(int64_t dimension) {
    return dimension < 32 || dimension % 64 == 0 || dimension % 64 == 56 ? 8 : 16;
}

/// One row's heads over whole KIVI blocks, as many as a panel has and fewer: they have kernels of their own.
static void check_packed_blocks(void) {
    for (int64_t i = 0; i < 2 * 8 * 4; i++) {
        apus_kv_type type = i % 2 ? APUS_KV_KIVI2 : APUS_KV_KIVI4;
        int64_t group = 1 + i / 2 % 8, dimension = 64 * (1 + i / 16), window = random_below(&numbers, 2) ? 150 : 0;
        problem p = {type, group, 1, dimension, window, 1, APUS_KV_PAGE << random_below(&numbers, 3), {{0}}};
        int mode = (int)random_below(&numbers, 4);
        p.sequences[0] = make_sequence(&p, 330 + random_below(&numbers, 64), 1, (float_style)mode);
        check(p, mode);
    }
}

void check_attention(void) {
    static const int64_t heads[][2] = {{1, 1}, {2, 2}, {3, 1}, {6, 2}, {7, 1}, {14, 2}, {10, 1}};
    scratch = allocate(APUS_SCRATCH_BYTES);
    memset(scratch, 0xff, APUS_SCRATCH_BYTES);
    numbers = (generator){0x9e3779b97f4a7c15};
    for (int type = 0; type < 4; type++) {
        for (int64_t dimension = 8; dimension <= 256; dimension += step_of(dimension)) {
            const int64_t *pair = heads[random_below(&numbers, 7)];
            int64_t window = random_below(&numbers, 2) ? 1 + random_below(&numbers, 300) : 0;
            check_shape((apus_kv_type)type, pair[0], pair[1], dimension, window, (int)random_below(&numbers, 4));
            check_shape((apus_kv_type)type, 3, 1, dimension, 0, 0);
        }
    }
    check_packed_blocks();
    // A window of one key, and no rows behind the last position of a span.
    problem narrow = {APUS_KV_F16, 3, 1, 64, 1, 1, APUS_KV_PAGE, {{0}}};
    narrow.sequences[0] = make_sequence(&narrow, 511, 1, FLOATS_PLAIN);
    check(narrow, 0);
    printf("attention: worst error against double, relative to the largest output:");
    for (int type = 0; type < 4; type++) printf(" %s %.1e", kv_type_name(type), worst_error[type]);
    printf("\n");
    expect(worst_error[0] < 1e-5, "accuracy of attention", "scalar");
    for (int type = 1; type < 4; type++) expect(worst_error[type] < 0.03, "accuracy of attention", "scalar");
    free(scratch);
    check_attention_masks();
    check_attention_memory();
}
