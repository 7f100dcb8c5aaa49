// How attention cuts its work and where a KV block keeps its numbers: shared by all tiers.
#pragma once

#include "apus_attention.h"
#include "kernels_math.h"

/// Positions of a span: four blocks. Partial results are kept per span (numbers.md, section 6).
#define APUS_KV_SPAN 256
/// Query rows (position, head of the group) a unit carries over the keys.
#define APUS_TILE_ROWS 96

// MARK: a KV block
//
// A block holds, per KV head, keys then values, each region a multiple of 64 bytes; `padded` is the head dimension
// rounded up to 16.
//   f16 keys     [tile of 16 keys: 4][dimension][key in tile: 16]        a lane is a key
//   f16 values   [key: 64][padded]                                       a lane is a dimension
//   q8_0 keys    codes + 128 as bytes [tile: 4][dimension / 4][key: 16][4], then f16 scales [group][key: 64]
//   q8_0 values  signed codes [key / 4: 16][padded][key % 4: 4],           then f16 scales [group][key: 64]
//   kivi keys    codes [half: 2][packed as in q8_0, by planes],             then f16 [half][scales: dimension][minima]
//   kivi values  codes [half: 2][packed as in q8_0, by planes],             then f16 scales, minima [group][key: 64]
// A group is 32 dimensions; the last may be shorter. A half is 32 keys: a page. An exact page is an f16 block of 32 keys.
// Planes: of n codes, byte i holds codes i, i + n/4, i + n/2 and i + 3n/4 (two bits), or i and i + n/2 (four).

APUS_INLINE int64_t apus_padded(int64_t dimension) { return (dimension + 15) & ~(int64_t)15; }
APUS_INLINE int64_t apus_groups(int64_t dimension) { return (dimension + 31) / 32; }
APUS_INLINE int64_t apus_scales_bytes(int64_t dimension) { return apus_groups(dimension) * APUS_KV_BLOCK * 2; }

/// Bits of a code of a KIVI type.
APUS_INLINE int64_t apus_kivi_bits(apus_kv_type type) { return type == APUS_KV_KIVI2 ? 2 : 4; }
APUS_INLINE int apus_is_kivi(apus_kv_type type) { return type == APUS_KV_KIVI2 || type == APUS_KV_KIVI4; }

/// Bytes of the codes of half a block: of 32 keys or values.
APUS_INLINE int64_t apus_kivi_half_bytes(apus_kv_type type, int64_t dimension) {
    return APUS_KV_PAGE * dimension * apus_kivi_bits(type) / 8;
}

APUS_INLINE int64_t apus_keys_bytes(apus_kv_type type, int64_t dimension) {
    int64_t count = APUS_KV_BLOCK * dimension;
    if (apus_is_kivi(type)) return 2 * (apus_kivi_half_bytes(type, dimension) + 4 * dimension);
    return type == APUS_KV_F16 ? 2 * count : count + apus_scales_bytes(dimension);
}

APUS_INLINE int64_t apus_values_bytes(apus_kv_type type, int64_t dimension) {
    int64_t padded = apus_padded(dimension);
    if (!apus_is_kivi(type)) return apus_keys_bytes(type, padded);
    return 2 * (apus_kivi_half_bytes(type, padded) + apus_scales_bytes(dimension));
}

APUS_INLINE int64_t apus_head_bytes(apus_kv_type type, int64_t dimension) {
    return apus_keys_bytes(type, dimension) + apus_values_bytes(type, dimension);
}

APUS_INLINE int64_t apus_page_head_bytes(int64_t dimension) {
    return APUS_KV_PAGE * (dimension + apus_padded(dimension)) * 2;
}

APUS_INLINE int64_t apus_half_key_index(int64_t dimension, int64_t key, int64_t d) {
    return (key / 16 * dimension + d) * 16 + key % 16;
}

APUS_INLINE int64_t apus_code_key_index(int64_t dimension, int64_t key, int64_t d) {
    return (key / 16 * (dimension / 4) + d / 4) * 64 + key % 16 * 4 + d % 4;
}

APUS_INLINE int64_t apus_code_value_index(int64_t dimension, int64_t key, int64_t d) {
    return (key / 4 * apus_padded(dimension) + d) * 4 + key % 4;
}

// MARK: the plan

/// How one slice is cut: units in order of KV head, row tile, spans.
typedef struct apus_slice_plan {
    int64_t first_unit;
    int64_t first_merge_unit;
    int64_t first_partial;  ///< in slots
    int32_t tile_rows, tiles;
    int32_t first_span, spans;  ///< spans any of its rows sees
    int32_t splits;             ///< 1: units leave a partial for each span; 0: a unit is all spans
    int32_t unit_spans, parts;  ///< spans of a unit, and units of a row tile
    int32_t reserved;
} apus_slice_plan;

/// Stands at the start of `partials`; slots follow the plans at a multiple of 64 bytes.
typedef struct apus_attention_plan {
    int64_t units, merge_units;
    apus_slice_plan slices[];
} apus_attention_plan;

/// A slot: `padded` floats of the output sum, then the maximum and the sum of weights; a sum of 0: no key was seen.
APUS_INLINE int64_t apus_slot_floats(int64_t dimension) { return apus_padded(dimension) + 16; }

APUS_INLINE int64_t apus_plan_bytes(int64_t slices) {
    int64_t bytes = (int64_t)sizeof(apus_attention_plan) + slices * (int64_t)sizeof(apus_slice_plan);
    return (bytes + 63) & ~(int64_t)63;
}

APUS_INLINE float *apus_slot(const apus_attention_args *args, const apus_slice_plan *plan, int64_t row, int64_t head,
                             int64_t span) {
    float *slots = (float *)((char *)args->partials + apus_plan_bytes(args->slice_count));
    int64_t index = plan->first_partial + (row * args->query_heads + head) * plan->spans + (span - plan->first_span);
    return slots + index * apus_slot_floats(args->head_dimension);
}

/// One unit of the first pass: query rows [first_row, first_row + rows) of a KV head, a row being
/// position * group + head in group, over spans [first_span, end_span).
typedef struct apus_attend_unit {
    const apus_attention_slice *slice;
    const apus_slice_plan *plan;
    int64_t kv_head, group;
    int64_t first_row, rows;
    int64_t first_span, end_span;
} apus_attend_unit;

apus_attend_unit apus_attend_unit_at(const apus_attention_args *args, int64_t unit);

/// One unit of the second pass: a query head of a row.
typedef struct apus_merge_unit {
    const apus_attention_slice *slice;
    const apus_slice_plan *plan;
    int64_t row, head;
} apus_merge_unit;

apus_merge_unit apus_merge_unit_at(const apus_attention_args *args, int64_t unit);

APUS_INLINE float *apus_merge_output(const apus_attention_args *args, const apus_merge_unit *unit) {
    return unit->slice->output + unit->row * args->output_stride + unit->head * args->head_dimension;
}

APUS_INLINE int64_t apus_unit_position(const apus_attend_unit *unit, int64_t row) {
    return unit->slice->position + (unit->first_row + row) / unit->group;
}

APUS_INLINE int64_t apus_unit_head(const apus_attend_unit *unit, int64_t row) {
    return unit->kv_head * unit->group + (unit->first_row + row) % unit->group;
}

APUS_INLINE const float *apus_unit_query(const apus_attention_args *args, const apus_attend_unit *unit, int64_t row) {
    return unit->slice->query + (unit->first_row + row) / unit->group * args->query_stride
        + apus_unit_head(unit, row) * args->head_dimension;
}

APUS_INLINE float *apus_unit_output(const apus_attention_args *args, const apus_attend_unit *unit, int64_t row) {
    return unit->slice->output + (unit->first_row + row) / unit->group * args->output_stride
        + apus_unit_head(unit, row) * args->head_dimension;
}

APUS_INLINE float *apus_unit_slot(const apus_attention_args *args, const apus_attend_unit *unit, int64_t row,
                                  int64_t span) {
    return apus_slot(args, unit->plan, (unit->first_row + row) / unit->group, apus_unit_head(unit, row), span);
}

/// This KV head's part of block `block`.
APUS_INLINE const char *apus_unit_block(const apus_attention_args *args, const apus_attend_unit *unit,
                                        apus_kv_type type, int64_t block) {
    return (const char *)unit->slice->blocks[block] + unit->slice->block_offset
        + unit->kv_head * apus_head_bytes(type, args->head_dimension);
}

/// Up to 64 consecutive keys: a block, its sealed part, or an exact page.
typedef struct apus_keys {
    int64_t first;  ///< position of the first
    int64_t limit;  ///< those from this position on are not there
} apus_keys;

/// The keys of a block as far as they are in it.
APUS_INLINE apus_keys apus_block_keys(const apus_attention_slice *slice, int64_t block) {
    return (apus_keys){block * APUS_KV_BLOCK, slice->sealed};
}

/// The keys of a slice's exact page `index`.
APUS_INLINE apus_keys apus_page_keys(const apus_attention_slice *slice, int64_t index) {
    int64_t first = slice->sealed + index * APUS_KV_PAGE;
    return (apus_keys){first, first + APUS_KV_PAGE};
}

/// The unmasked keys [begin, end) of `keys` for the row at `position`; empty if begin == end.
typedef struct apus_key_range {
    int32_t begin, end;
} apus_key_range;

APUS_INLINE apus_key_range apus_visible_keys(int64_t position, int64_t window, apus_keys keys) {
    int64_t begin = window > 0 ? position + 1 - window - keys.first : 0;
    int64_t end = (position < keys.limit ? position + 1 : keys.limit) - keys.first;
    end = end < 0 ? 0 : end > APUS_KV_BLOCK ? APUS_KV_BLOCK : end;
    begin = begin < 0 ? 0 : begin > end ? end : begin;
    return (apus_key_range){(int32_t)begin, (int32_t)end};
}

/// Blocks [begin, end) of a span that rows from `low` to `high` can see; none if begin >= end.
typedef struct apus_block_range {
    int64_t begin, end;
} apus_block_range;

APUS_INLINE apus_block_range apus_visible_blocks(const apus_attention_slice *slice, int64_t low, int64_t high,
                                                 int64_t window, int64_t span) {
    int64_t per_span = APUS_KV_SPAN / APUS_KV_BLOCK;
    int64_t first = window > 0 && low >= window ? (low - window + 1) / APUS_KV_BLOCK : 0;
    int64_t past = high < slice->sealed ? high + 1 : slice->sealed;
    int64_t begin = span * per_span, end = begin + per_span, last = (past + APUS_KV_BLOCK - 1) / APUS_KV_BLOCK;
    return (apus_block_range){begin > first ? begin : first, end < last ? end : last};
}

// MARK: append
//
// The same for every tier but for how numbers are converted.

/// `count` floats (a multiple of 8) to halves.
typedef void (*apus_narrow)(const float *x, int64_t count, uint16_t *halves);

/// Into f16 blocks of `capacity` keys: APUS_KV_BLOCK, or APUS_KV_PAGE.
APUS_INLINE void apus_append_f16(const apus_kv_append_args *args, int64_t begin, int64_t end, int64_t capacity,
                                 apus_narrow narrow) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    for (int64_t row = begin; row < end; row++) {
        int64_t key = args->positions[row] % capacity;
        char *block = (char *)args->blocks[row] + args->block_offset;
        for (int64_t head = 0; head < args->kv_heads; head++) {
            uint16_t *keys = (uint16_t *)block + head * capacity * (dimension + padded);
            uint16_t *values = keys + capacity * dimension + key * padded, halves[APUS_MAX_HEAD_DIMENSION];
            narrow(args->keys + row * args->key_stride + head * dimension, dimension, halves);
            for (int64_t d = 0; d < dimension; d++) keys[apus_half_key_index(dimension, key, d)] = halves[d];
            narrow(args->values + row * args->value_stride + head * dimension, dimension, values);
            for (int64_t d = dimension; d < padded; d++) values[d] = 0;
        }
    }
}

/// Codes of `count` values, a multiple of 8 (a group of section 2), and their scale before any rounding to f16.
typedef float (*apus_quantize)(const float *x, int64_t count, int8_t *codes);

APUS_INLINE void apus_append_q8(const apus_kv_append_args *args, int64_t begin, int64_t end, apus_quantize quantize) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    for (int64_t row = begin; row < end; row++) {
        int64_t key = args->positions[row] % APUS_KV_BLOCK;
        char *block = (char *)args->blocks[row] + args->block_offset;
        for (int64_t head = 0; head < args->kv_heads; head++) {
            const float *k = args->keys + row * args->key_stride + head * dimension;
            const float *v = args->values + row * args->value_stride + head * dimension;
            uint8_t *keys = (uint8_t *)block + head * apus_head_bytes(APUS_KV_Q8_0, dimension);
            int8_t *values = (int8_t *)keys + apus_keys_bytes(APUS_KV_Q8_0, dimension);
            uint16_t *key_scales = (uint16_t *)(keys + APUS_KV_BLOCK * dimension);
            uint16_t *value_scales = (uint16_t *)(values + APUS_KV_BLOCK * padded);
            for (int64_t d = 0; d < dimension; d += 32) {
                int8_t codes[32] = {0};
                int64_t at = d / 32 * APUS_KV_BLOCK + key, count = dimension - d < 32 ? dimension - d : 32;
                key_scales[at] = apus_half_from_float(quantize(k + d, count, codes));
                for (int64_t i = 0; i < count; i += 4) {
                    uint32_t four;
                    memcpy(&four, codes + i, 4);
                    four ^= 0x80808080;  // + 128 in each byte
                    memcpy(keys + apus_code_key_index(dimension, key, d + i), &four, 4);
                }
                memset(codes, 0, sizeof codes);
                value_scales[at] = apus_half_from_float(quantize(v + d, count, codes));
                for (int64_t i = 0; i < 32 && d + i < padded; i++) {
                    values[apus_code_value_index(dimension, key, d + i)] = codes[i];
                }
            }
        }
    }
}
