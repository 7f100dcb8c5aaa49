// Attention with integer dots for the AVX-512 tiers: q8_0 and KIVI. The including file has defined, inside its target
// region, dot_small, dot_offset and DOT_OFFSET.
#pragma once

#include "attention_kivi_avx512.h"

APUS_INLINE void attend_integers(const void *pointer, int64_t begin, int64_t end, void *scratch, apus_kv_type type) {
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    float *scales = (float *)t.rest;
    query_codes q = carve_codes(scales + scale_floats(dimension), dimension);
    kivi_tile k[2] = {carve_kivi(t.rest, dimension), carve_kivi(t.rest + kivi_tile_bytes(dimension), dimension)};
    kivi_queries queries;
    for (int64_t index = begin; index < end; index++) {
        apus_attend_unit unit = apus_attend_unit_at(args, index);
        load_rows(args, &unit, t);
        if (type == APUS_KV_Q8_0) load_codes(t, q, unit.rows, dimension, quantize_group);
        if (apus_is_kivi(type)) lay_out_queries(&queries, k, unit.rows, dimension);
        if (!unit.plan->splits) clear_state(t.all, unit.rows, padded);
        for (int64_t span = unit.first_span; span < unit.end_span; span++) {
            apus_block_range blocks = unit_blocks(args, &unit, t, span);
            clear_state(t.span, unit.rows, padded);
            for (int64_t block = blocks.begin, count; block < blocks.end; block += count) {
                int64_t packed = apus_is_kivi(type) ? packed_blocks(args, &unit, t, block, blocks.end) : 0;
                count = packed > 0 ? packed : 1;
                const char *following[2] = {NULL, NULL};
                for (int64_t i = 0; i < count; i++) {
                    following[i] = following_block(args, &unit, t, type, block, count + i, index, end);
                }
                if (type == APUS_KV_Q8_0) {
                    block_q8(args, &unit, t, q, scales, block, following[0]);
                } else {
                    blocks_kivi(args, &unit, t, k, &queries, type, block, packed, following);
                }
            }
            for (int64_t page = 0; apus_is_kivi(type) && page < kivi_pages(&unit, span); page++) {
                apus_attend_page_avx512(args, &unit, t, page);
            }
            close_span(args, &unit, t, span);
        }
        close_unit(args, &unit, t);
    }
}

/// The kernels of a tier, of the types with integer dots.
#define ATTEND_INTEGERS(tier)                                                                               \
    static void attend_q8_##tier(const void *args, int64_t begin, int64_t end, void *scratch) {             \
        attend_integers(args, begin, end, scratch, APUS_KV_Q8_0);                                           \
    }                                                                                                       \
    static void attend_kivi2_##tier(const void *args, int64_t begin, int64_t end, void *scratch) {          \
        attend_integers(args, begin, end, scratch, APUS_KV_KIVI2);                                          \
    }                                                                                                       \
    static void attend_kivi4_##tier(const void *args, int64_t begin, int64_t end, void *scratch) {          \
        attend_integers(args, begin, end, scratch, APUS_KV_KIVI4);                                          \
    }                                                                                                       \
    static void set_attend_integers(apus_kernels *table) {                                                  \
        table->attention.attend[APUS_KV_Q8_0] = attend_q8_##tier;                                           \
        table->attention.attend[APUS_KV_KIVI2] = attend_kivi2_##tier;                                       \
        table->attention.attend[APUS_KV_KIVI4] = attend_kivi4_##tier;                                       \
    }
