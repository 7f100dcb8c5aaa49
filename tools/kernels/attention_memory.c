// Attention's memory does not grow with the context: a thread's scratch never does, a step's partials up to a limit, from
// which on a context stays whole and gives the same bits.

#include <stdlib.h>
#include <string.h>

#include "attention_blocks.h"
#include "kernels.h"

#define MANY_HEADS 64
#define DIMENSION 8
/// With one head split into spans, with many too long for that.
#define POSITIONS 140000
#define MARGIN 64

/// One row of equal heads over a context that is one block again and again.
static void attend(apus_tier tier, apus_kv_type type, int64_t heads, const void **table, const float *query,
                   float *output) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier(tier)->attention;
    int64_t bytes = apus_attention_partial_bytes(1, POSITIONS, heads, DIMENSION);
    char *scratch = allocate(APUS_SCRATCH_BYTES + MARGIN), *partials = allocate(bytes + MARGIN);
    memset(scratch + APUS_SCRATCH_BYTES, 0x5a, MARGIN);
    memset(partials + bytes, 0x5a, MARGIN);
    apus_attention_slice slice = {query, output, 1, POSITIONS - 1, table, 0, INT64_MAX, NULL};
    apus_attention_args args = {&slice, 1, heads * DIMENSION, heads * DIMENSION, heads, 1, DIMENSION, 1, 0, partials};
    kernels->attend[type](&args, 0, apus_attend_units(&args), scratch);
    expect((apus_merge_units(&args) == 0) == (heads == MANY_HEADS), "long contexts of many heads stay whole", "any");
    kernels->merge(&args, 0, apus_merge_units(&args), scratch);
    for (int i = 0; i < MARGIN; i++) {
        expect(scratch[APUS_SCRATCH_BYTES + i] == 0x5a && partials[bytes + i] == 0x5a, "memory of attention",
               tier_name(tier));
    }
    free(scratch), free(partials);
}

static void check_long(apus_tier tier, apus_kv_type type, generator *numbers) {
    const apus_attention_kernels *kernels = &apus_kernels_for_tier(tier)->attention;
    float x[APUS_KV_BLOCK * DIMENSION], query[MANY_HEADS * DIMENSION], whole[MANY_HEADS * DIMENSION], split[DIMENSION];
    char *block = allocate(apus_kv_block_bytes(type, 1, DIMENSION)), *scratch = allocate(APUS_SCRATCH_BYTES);
    static const void *table[POSITIONS / APUS_KV_BLOCK + 1];
    int32_t positions[APUS_KV_BLOCK];
    void *targets[APUS_KV_BLOCK];
    fill_floats(numbers, x, APUS_KV_BLOCK * DIMENSION, FLOATS_PLAIN);
    fill_floats(numbers, query, DIMENSION, FLOATS_PLAIN);
    for (int64_t head = 1; head < MANY_HEADS; head++) memcpy(query + head * DIMENSION, query, sizeof split);
    for (int32_t i = 0; i < APUS_KV_BLOCK; i++) positions[i] = i, targets[i] = block;
    for (int64_t i = 0; i <= POSITIONS / APUS_KV_BLOCK; i++) table[i] = block;
    apus_kv_append_args append = {x, x, DIMENSION, DIMENSION, 1, DIMENSION, positions, targets, 0};
    kernels->append[type](&append, 0, APUS_KV_BLOCK, scratch);
    attend(tier, type, MANY_HEADS, table, query, whole);
    attend(tier, type, 1, table, query, split);
    for (int64_t head = 0; head < MANY_HEADS; head++) {
        expect(same_floats(whole + head * DIMENSION, split, DIMENSION), "whole or split", tier_name(tier));
    }
    free(block), free(scratch);
}

void check_attention_memory(void) {
    generator numbers = {0x9e3779b97f4a7c15};
    int64_t million = apus_attention_partial_bytes(512, 1 << 20, 32, 128);
    expect(million == apus_attention_partial_bytes(512, 1 << 14, 32, 128), "room for partials ends growing", "any");
    for (int t = 0; t < TIER_COUNT; t++) {
        if (!apus_kernels_for_tier((apus_tier)t)) continue;
        check_long((apus_tier)t, APUS_KV_F16, &numbers);
        check_long((apus_tier)t, APUS_KV_Q8_0, &numbers);
    }
}
