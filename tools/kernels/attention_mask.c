// Masks of attention against an explicit one, positions x positions (the tiling mask of Lin et al., "FastAttention", 2024):
// what a block's rows see, and the answers, by bits.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention_tiles.h"
#include "kernels.h"
#include "scalar/quantize.h"

#pragma STDC FP_CONTRACT OFF

#define MOST_POSITIONS 330
#define BLOCK APUS_KV_BLOCK

/// full[p][j]: whether the row at position p sees key j.
static uint8_t full[MOST_POSITIONS][MOST_POSITIONS + BLOCK];
/// M[u][v] = u >= v: a block of keys from `first` on has the mask M(d) with d = position - first, less M(d - window).
static uint8_t small[2 * BLOCK][2 * BLOCK];

static void make_full(int64_t window) {
    for (int64_t p = 0; p < MOST_POSITIONS; p++) {
        for (int64_t j = 0; j < MOST_POSITIONS + BLOCK; j++) full[p][j] = j <= p && (window == 0 || j > p - window);
    }
}

/// Row 0 of the cut-out of M at distance `d`, as far as it goes: beyond it all or none is seen.
static int cut_out(int64_t d, int64_t key) {
    if (d >= BLOCK - 1) return 1;
    return d <= -1 ? 0 : small[d][key];
}

/// What the rows at `positions` see of `keys`, against the full mask: by row, and by the panel's classes.
static void check_panel(const int32_t *positions, int64_t rows, int64_t window, apus_keys keys) {
    panel p;
    int64_t seen = 0, wanted = 0;
    int open = open_panel(&p, positions, rows, window, keys), differs = 0;
    for (int64_t r = 0; r < rows; r++) {
        uint64_t mask = open ? range_mask(p.ranges[r]) : 0;
        for (int64_t key = 0; key < BLOCK; key++) {
            int64_t position = positions[r], j = keys.first + key, d = position - keys.first;
            int expected = j < keys.limit && full[position][j];
            int by_small = j < keys.limit && cut_out(d, key) && !(window > 0 && cut_out(d - window, key));
            differs += (int)(mask >> key & 1) != expected || by_small != expected;
            seen += expected, wanted++;
        }
    }
    expect(!differs, "a block's mask is its part of the full mask", "any");
    expect(open || seen == 0, "a skipped block is a hidden one", "any");
    expect(!open || p.full == (seen == wanted), "a full block has no mask", "any");
}

static void check_masks(int64_t window) {
    static const int64_t limits[] = {INT64_MAX, 32, 160, 192};
    make_full(window);
    for (int64_t first = 0; first < MOST_POSITIONS; first += BLOCK) {
        for (int64_t position = 0; position + PANEL_ROWS <= MOST_POSITIONS; position++) {
            for (int64_t group = 1; group <= 4; group++) {
                int32_t positions[PANEL_ROWS];
                for (int64_t r = 0; r < PANEL_ROWS; r++) positions[r] = (int32_t)(position + r / group);
                for (int l = 0; l < 4; l++) check_panel(positions, PANEL_ROWS, window, (apus_keys){first, limits[l]});
            }
        }
        apus_attention_slice slice = {.sealed = INT64_MAX};
        for (int64_t low = 0; low < MOST_POSITIONS; low++) {
            int64_t high = low + 40 < MOST_POSITIONS ? low + 40 : MOST_POSITIONS - 1, block = first / BLOCK, seen = 0;
            apus_block_range range = apus_visible_blocks(&slice, low, high, window, first / APUS_KV_SPAN);
            for (int64_t p = low; p <= high; p++) {
                for (int64_t j = first; j < first + BLOCK; j++) seen += full[p][j];
            }
            expect((block >= range.begin && block < range.end) == (seen > 0), "blocks nobody sees are skipped", "any");
        }
    }
}

// MARK: answers

/// (M, L, O) of numbers.md, section 6.
typedef struct state {
    float max, sum, out[APUS_MAX_HEAD_DIMENSION];
} state;

static void clear(state *s) { *s = (state){.max = -INFINITY}; }

static void merge(state *all, const state *part, int64_t dimension) {
    float both = all->max > part->max ? all->max : part->max;
    float alpha = apus_exp(all->max - both), beta = apus_exp(part->max - both);
    all->max = both;
    all->sum = fmaf(all->sum, alpha, part->sum * beta);
    for (int64_t d = 0; d < dimension; d++) all->out[d] = fmaf(all->out[d], alpha, part->out[d] * beta);
}

/// One row over a block of f16 keys and values in plain order: every key is looked up in `mask`.
static void masked_block(const float *query, const float *keys, const float *values, const uint8_t *mask,
                         int64_t dimension, state *result) {
    float scores[BLOCK], lanes[16] = {0};
    clear(result);
    for (int64_t j = 0; j < BLOCK; j++) {
        scores[j] = 0;
        for (int64_t d = 0; d < dimension && mask[j]; d++) {
            scores[j] = fmaf(query[d], keys[j * dimension + d], scores[j]);
        }
        if (mask[j] && scores[j] > result->max) result->max = scores[j];
    }
    for (int64_t j = 0; j < BLOCK; j++) {
        float weight = mask[j] ? apus_exp(scores[j] - result->max) : 0;
        lanes[j % 16] += weight;
        for (int64_t d = 0; d < dimension && mask[j]; d++) {
            result->out[d] = fmaf(weight, values[j * dimension + d], result->out[d]);
        }
    }
    result->sum = apus_tree(lanes);
}

/// One row over all blocks, those without a key in the row's mask as well.
static void masked_row(const float *query, const float *keys, const float *values, const uint8_t *mask,
                       int64_t positions, int64_t dimension, float *output) {
    state all, span, block;
    clear(&all);
    for (int64_t first = 0; first < positions; first += APUS_KV_SPAN) {
        int contributes = 0;
        clear(&span);
        for (int64_t at = first; at < positions && at < first + APUS_KV_SPAN; at += BLOCK) {
            masked_block(query, keys + at * dimension, values + at * dimension, mask + at, dimension, &block);
            if (block.sum == 0) continue;  // every key masked
            merge(&span, &block, dimension);
            contributes = 1;
        }
        if (contributes) merge(&all, &span, dimension);
    }
    for (int64_t d = 0; d < dimension; d++) output[d] = all.out[d] / all.sum;
}

/// All rows of a context of `positions` by a tier's kernel, against the explicit mask.
static void check_answers(apus_tier tier, int64_t dimension, int64_t window, generator *numbers) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier(tier)->attention;
    int64_t positions = MOST_POSITIONS, blocks = positions / BLOCK + 1, count = blocks * BLOCK * dimension;
    float *keys = allocate(count * 4), *values = allocate(count * 4), *query = allocate(count * 4);
    float *output = allocate(count * 4), *expected = allocate(count * 4), scale = 1.0f / sqrtf((float)dimension);
    char *memory = allocate(blocks * apus_kv_block_bytes(APUS_KV_F16, 1, dimension)), *scratch = allocate(APUS_SCRATCH_BYTES);
    int32_t rows[MOST_POSITIONS];
    void *targets[MOST_POSITIONS];
    const void *table[MOST_POSITIONS / BLOCK + 1];
    fill_floats(numbers, keys, positions * dimension, FLOATS_PLAIN);
    fill_floats(numbers, values, positions * dimension, FLOATS_PLAIN);
    fill_floats(numbers, query, positions * dimension, FLOATS_PLAIN);
    for (int64_t b = 0; b < blocks; b++) table[b] = memory + b * apus_kv_block_bytes(APUS_KV_F16, 1, dimension);
    for (int64_t i = 0; i < positions; i++) rows[i] = (int32_t)i, targets[i] = (void *)(uintptr_t)table[i / BLOCK];
    apus_kv_append_args append = {keys, values, dimension, dimension, 1, dimension, rows, targets, 0};
    kernels->append[APUS_KV_F16](&append, 0, positions, scratch);
    apus_attention_slice slice = {query, output, positions, 0, table, 0, INT64_MAX, NULL};
    apus_attention_args args = {&slice, 1, dimension, dimension, 1, 1, dimension, scale, window,
        allocate(apus_attention_partial_bytes(positions, positions, 1, dimension))};
    kernels->attend[APUS_KV_F16](&args, 0, apus_attend_units(&args), scratch);
    kernels->merge(&args, 0, apus_merge_units(&args), scratch);
    for (int64_t i = 0; i < count; i++) {
        keys[i] = apus_float_from_half(apus_half_from_float(keys[i]));
        values[i] = apus_float_from_half(apus_half_from_float(values[i]));
        query[i] *= scale;
    }
    for (int64_t p = 0; p < positions; p++) {
        masked_row(query + p * dimension, keys, values, full[p], positions, dimension, expected + p * dimension);
    }
    expect(same_floats(expected, output, positions * dimension), "attention under an explicit mask", tier_name(tier));
    free(keys), free(values), free(query), free(output), free(expected), free(memory), free(scratch), free(args.partials);
}

void check_attention_masks(void) {
    static const int64_t windows[] = {0, 1, 2, 31, 63, 64, 65, 100, 256, 300};
    generator numbers = {0x9e3779b97f4a7c15};
    for (int64_t u = 0; u < 2 * BLOCK; u++) {
        for (int64_t v = 0; v < 2 * BLOCK; v++) small[u][v] = u >= v;
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        check_masks(windows[i]);
        for (int t = 0; t < TIER_COUNT; t++) {
            if (apus_kernels_for_tier((apus_tier)t)) check_answers((apus_tier)t, i % 2 ? 40 : 64, windows[i], &numbers);
        }
    }
}
