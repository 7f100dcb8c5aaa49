// Attention, scalar tier: numbers.md, section 6, one query row and one block at a time.
#include "apus_kernels.h"

#include "../attention_kivi.h"
#include "../tiers.h"
#include "quantize.h"

#pragma STDC FP_CONTRACT OFF

#define MAX_DIMENSION APUS_MAX_HEAD_DIMENSION
#define MAX_GROUPS (MAX_DIMENSION / 32)

// MARK: append

static void narrow(const float *x, int64_t count, uint16_t *halves) {
    for (int64_t i = 0; i < count; i++) halves[i] = apus_half_from_float(x[i]);
}

static void append_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_BLOCK, narrow);
}

static void append_page(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_PAGE, narrow);
}

static void widen(const uint16_t *halves, float *floats, int64_t count) {
    for (int64_t i = 0; i < count; i++) floats[i] = apus_float_from_half(halves[i]);
}

static void seal_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI2, widen);
}

static void seal_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI4, widen);
}

static void append_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_q8(args, begin, end, apus_quantize_group);
}

// MARK: one row and one block

/// A row's state: (M, L, O) of section 6.
typedef struct state {
    float max, sum, out[MAX_DIMENSION];
} state;

static void clear(state *s, int64_t dimension) {
    s->max = -INFINITY;
    s->sum = 0;
    for (int64_t d = 0; d < dimension; d++) s->out[d] = 0;
}

static void merge_into(state *all, float max, float sum, const float *out, int64_t dimension) {
    float both = all->max > max ? all->max : max;
    float alpha = apus_exp(all->max - both), beta = apus_exp(max - both);
    all->max = both;
    all->sum = fmaf(all->sum, alpha, sum * beta);
    for (int64_t d = 0; d < dimension; d++) all->out[d] = fmaf(all->out[d], alpha, out[d] * beta);
}

/// Weights of the visible keys (+0 elsewhere), their maximum and sum.
static void softmax(const float *scores, apus_key_range range, float *weights, float *max, float *sum) {
    float lanes[16] = {0};
    *max = -INFINITY;
    for (int32_t j = range.begin; j < range.end; j++) *max = scores[j] > *max ? scores[j] : *max;
    for (int32_t j = 0; j < APUS_KV_BLOCK; j++) {
        weights[j] = j >= range.begin && j < range.end ? apus_exp(scores[j] - *max) : 0.0f;
        lanes[j % 16] += weights[j];
    }
    *sum = apus_tree(lanes);
}

/// A row of queries, times the scale; for q8_0 its codes and scales.
typedef struct query_row {
    float values[MAX_DIMENSION];
    int8_t codes[MAX_DIMENSION];
    float scales[MAX_GROUPS];
} query_row;

/// An f16 block of `capacity` keys.
static void block_f16(const query_row *q, const void *block, int64_t capacity, int64_t dimension, apus_key_range range,
                      state *result) {
    const uint16_t *keys = block, *values = keys + capacity * dimension;
    float scores[APUS_KV_BLOCK] = {0}, weights[APUS_KV_BLOCK];
    for (int32_t j = range.begin; j < range.end; j++) {
        for (int64_t d = 0; d < dimension; d++) {
            float k = apus_float_from_half(keys[apus_half_key_index(dimension, j, d)]);
            scores[j] = fmaf(q->values[d], k, scores[j]);
        }
    }
    softmax(scores, range, weights, &result->max, &result->sum);
    for (int64_t d = 0; d < dimension; d++) result->out[d] = 0;
    for (int32_t j = range.begin; j < range.end; j++) {
        for (int64_t d = 0; d < dimension; d++) {
            float v = apus_float_from_half(values[j * apus_padded(dimension) + d]);
            result->out[d] = fmaf(weights[j], v, result->out[d]);
        }
    }
}

static void block_q8(const query_row *q, const char *block, int64_t dimension, apus_key_range range, state *result) {
    const uint8_t *keys = (const uint8_t *)block;
    const int8_t *values = (const int8_t *)block + apus_keys_bytes(APUS_KV_Q8_0, dimension);
    const uint16_t *key_scales = (const uint16_t *)(keys + APUS_KV_BLOCK * dimension);
    const uint16_t *value_scales = (const uint16_t *)(values + APUS_KV_BLOCK * apus_padded(dimension));
    float scores[APUS_KV_BLOCK] = {0}, weights[APUS_KV_BLOCK], scaled[APUS_KV_BLOCK];
    int8_t codes[APUS_KV_BLOCK];
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        int64_t first = 32 * group, end = first + 32 < dimension ? first + 32 : dimension;
        for (int32_t j = range.begin; j < range.end; j++) {
            int32_t dot = 0;
            for (int64_t d = first; d < end; d++) {
                dot += q->codes[d] * ((int32_t)keys[apus_code_key_index(dimension, j, d)] - 128);
            }
            float key_scale = apus_float_from_half(key_scales[group * APUS_KV_BLOCK + j]);
            scores[j] = fmaf((float)dot, q->scales[group] * key_scale, scores[j]);
        }
    }
    softmax(scores, range, weights, &result->max, &result->sum);
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        for (int32_t j = 0; j < APUS_KV_BLOCK; j++) {
            int visible = j >= range.begin && j < range.end;
            scaled[j] = visible ? weights[j] * apus_float_from_half(value_scales[group * APUS_KV_BLOCK + j]) : 0.0f;
        }
        float scale = apus_quantize_group(scaled, APUS_KV_BLOCK, codes);
        for (int64_t d = 32 * group; d < dimension && d < 32 * group + 32; d++) {
            int32_t dot = 0;
            for (int32_t j = range.begin; j < range.end; j++) {
                dot += codes[j] * values[apus_code_value_index(dimension, j, d)];
            }
            result->out[d] = (float)dot * scale;
        }
    }
}

/// The code at `index` of the `count` that half a block holds.
static int32_t kivi_code_at(const char *packed, int64_t count, int64_t bits, int64_t index) {
    int64_t bytes = count * bits / 8;
    return ((const uint8_t *)packed)[index % bytes] >> bits * (index / bytes) & ((1 << bits) - 1);
}

static void block_kivi(const query_row *q, const char *keys, int64_t dimension, apus_kv_type type, int64_t halves,
                       apus_key_range range, state *result) {
    int64_t padded = apus_padded(dimension), groups = apus_groups(dimension), bits = apus_kivi_bits(type);
    int64_t key_bytes = apus_kivi_half_bytes(type, dimension), value_bytes = apus_kivi_half_bytes(type, padded);
    const char *values = keys + apus_keys_bytes(type, dimension);
    const uint16_t *channels = (const uint16_t *)(keys + 2 * key_bytes);
    const uint16_t *value_scales = (const uint16_t *)(values + 2 * value_bytes);
    float scores[APUS_KV_BLOCK] = {0}, weights[APUS_KV_BLOCK], scaled[APUS_KV_BLOCK], minima[APUS_KV_BLOCK];
    int8_t codes[APUS_KV_BLOCK];
    for (int64_t half = 0; half < halves; half++) {
        const uint16_t *scales = channels + half * 2 * dimension;
        float product[MAX_DIMENSION], lanes[16] = {0};
        int8_t query[MAX_DIMENSION];
        for (int64_t d = 0; d < dimension; d++) {
            product[d] = q->values[d] * apus_float_from_half(scales[d]);
            lanes[d % 16] = fmaf(q->values[d], apus_float_from_half(scales[dimension + d]), lanes[d % 16]);
        }
        float bias = apus_tree(lanes);
        for (int64_t j = 32 * half; j < 32 * half + 32; j++) scores[j] = bias;
        for (int64_t first = 0; first < dimension; first += 32) {
            int64_t count = dimension - first < 32 ? dimension - first : 32;
            float scale = apus_quantize_group(product + first, count, query + first);
            for (int64_t j = 32 * half; j < 32 * half + 32; j++) {
                int32_t dot = 0;
                for (int64_t d = first; d < first + count; d++) {
                    int64_t index = apus_code_key_index(dimension, j % 32, d);
                    dot += query[d] * kivi_code_at(keys + half * key_bytes, 32 * dimension, bits, index);
                }
                scores[j] = fmaf((float)dot, scale, scores[j]);
            }
        }
    }
    softmax(scores, range, weights, &result->max, &result->sum);
    for (int64_t group = 0; group < groups; group++) {
        for (int64_t j = 0; j < APUS_KV_BLOCK; j++) {
            int64_t at = group * APUS_KV_BLOCK + j;
            int sealed = j < 32 * halves, visible = j >= range.begin && j < range.end;
            scaled[j] = visible ? weights[j] * apus_float_from_half(value_scales[at]) : 0.0f;
            minima[j] = sealed ? apus_float_from_half(value_scales[groups * APUS_KV_BLOCK + at]) : 0.0f;
        }
        float scale = apus_quantize_group(scaled, APUS_KV_BLOCK, codes);
        float rest = kivi_weighted_minima(weights, minima);
        for (int64_t d = 32 * group; d < dimension && d < 32 * group + 32; d++) {
            int32_t dot = 0;
            for (int32_t j = range.begin; j < range.end; j++) {
                int64_t index = apus_code_value_index(dimension, j % 32, d);
                dot += codes[j] * kivi_code_at(values + j / 32 * value_bytes, 32 * padded, bits, index);
            }
            result->out[d] = fmaf((float)dot, scale, rest);
        }
    }
}

// MARK: units

APUS_INLINE void attend(const apus_attention_args *args, int64_t begin, int64_t end, apus_kv_type type) {
    int64_t dimension = args->head_dimension;
    for (int64_t index = begin; index < end; index++) {
        apus_attend_unit unit = apus_attend_unit_at(args, index);
        for (int64_t row = 0; row < unit.rows; row++) {
            const float *input = apus_unit_query(args, &unit, row);
            int64_t position = apus_unit_position(&unit, row);
            query_row q;
            state all, span_state, block_state;
            for (int64_t d = 0; d < dimension; d++) q.values[d] = input[d] * args->scale;
            for (int64_t group = 0; type == APUS_KV_Q8_0 && group < apus_groups(dimension); group++) {
                int64_t first = 32 * group, count = dimension - first < 32 ? dimension - first : 32;
                q.scales[group] = apus_quantize_group(q.values + first, count, q.codes + first);
            }
            clear(&all, dimension);
            for (int64_t span = unit.first_span; span < unit.end_span; span++) {
                apus_block_range blocks = apus_visible_blocks(unit.slice, position, position, args->window, span);
                int contributes = blocks.begin < blocks.end;
                clear(&span_state, dimension);
                for (int64_t block = blocks.begin; block < blocks.end; block++) {
                    apus_keys keys = apus_block_keys(unit.slice, block);
                    apus_key_range range = apus_visible_keys(position, args->window, keys);
                    const char *data = apus_unit_block(args, &unit, type, block);
                    if (type == APUS_KV_F16) {
                        block_f16(&q, data, APUS_KV_BLOCK, dimension, range, &block_state);
                    } else if (type == APUS_KV_Q8_0) {
                        block_q8(&q, data, dimension, range, &block_state);
                    } else {
                        block_kivi(&q, data, dimension, type, kivi_halves(unit.slice, block), range, &block_state);
                    }
                    if (range.begin == range.end) continue;
                    merge_into(&span_state, block_state.max, block_state.sum, block_state.out, dimension);
                }
                for (int64_t page = 0; apus_is_kivi(type) && page < kivi_pages(&unit, span); page++) {
                    apus_key_range range = apus_visible_keys(position, args->window, apus_page_keys(unit.slice, page));
                    if (range.begin == range.end) continue;
                    block_f16(&q, kivi_page(args, &unit, page), APUS_KV_PAGE, dimension, range, &block_state);
                    merge_into(&span_state, block_state.max, block_state.sum, block_state.out, dimension);
                    contributes = 1;
                }
                if (unit.plan->splits) {
                    float *slot = apus_unit_slot(args, &unit, row, span);
                    memcpy(slot, span_state.out, (size_t)dimension * sizeof(float));
                    slot[apus_padded(dimension)] = span_state.max;
                    slot[apus_padded(dimension) + 1] = span_state.sum;
                } else if (contributes) {
                    merge_into(&all, span_state.max, span_state.sum, span_state.out, dimension);
                }
            }
            float *output = apus_unit_output(args, &unit, row);
            for (int64_t d = 0; !unit.plan->splits && d < dimension; d++) output[d] = all.out[d] / all.sum;
        }
    }
}

static void attend_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    attend(args, begin, end, APUS_KV_F16);
}

static void attend_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    attend(args, begin, end, APUS_KV_Q8_0);
}

static void attend_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    attend(args, begin, end, APUS_KV_KIVI2);
}

static void attend_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    attend(args, begin, end, APUS_KV_KIVI4);
}

static void merge(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension;
    for (int64_t index = begin; index < end; index++) {
        apus_merge_unit unit = apus_merge_unit_at(args, index);
        state all;
        clear(&all, dimension);
        for (int64_t i = 0; i < unit.plan->spans; i++) {
            const float *slot = apus_slot(args, unit.plan, unit.row, unit.head, unit.plan->first_span + i);
            const float *ends = slot + apus_padded(dimension);
            if (ends[1] != 0) merge_into(&all, ends[0], ends[1], slot, dimension);
        }
        float *output = apus_merge_output(args, &unit);
        for (int64_t d = 0; d < dimension; d++) output[d] = all.out[d] / all.sum;
    }
}

void apus_attention_fill_scalar(apus_kernels *table) {
    table->attention = (apus_attention_kernels){
        .append = {append_f16, append_q8, append_page, append_page},
        .seal = {NULL, NULL, seal_kivi2, seal_kivi4},
        .attend = {attend_f16, attend_q8, attend_kivi2, attend_kivi4},
        .merge = merge,
    };
}
