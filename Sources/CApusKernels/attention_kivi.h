// Keys and values in two or four bits (Liu et al., "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache",
// 2024, section 3; numbers.md, section 6): how a full page becomes half a block, and how a block is read. Shared by the
// tiers; no intrinsics.
//
// A key is scale * code + minimum by channel. Attention moves the scale into the query, query' = query * scale, whose
// codes meet the keys' codes in integer dots as in q8_0; the minima's part is one number a query and half. A value is
// scale * code + minimum by key and group: the weights take the scale, as in q8_0, and the minima's part is one number a
// row and group.
#pragma once

#include "attention_tiles.h"

#pragma STDC FP_CONTRACT OFF

/// Halves to floats, a multiple of 16; both aligned to 64 bytes.
typedef void (*apus_widen)(const uint16_t *halves, float *floats, int64_t count);

// MARK: sealing

/// What a group's values become codes with; scale and minimum have been rounded to halves.
typedef struct kivi_group {
    float minimum, inverse, levels;
} kivi_group;

/// Fits a group and stores its scale and minimum. `probe` is the sum of its values times zero: NaN if one isn't finite,
/// which makes scale and minimum NaN, and so every result that sees the group.
APUS_INLINE kivi_group kivi_fit(float low, float high, float probe, float levels, uint16_t *scale, uint16_t *minimum) {
    // One NaN: which of several a sum yields differs between the tiers' instructions.
    *scale = probe == 0 ? apus_half_from_float((high - low) / levels) : 0x7e00;
    *minimum = probe == 0 ? apus_half_from_float(low) : 0x7e00;
    float step = apus_float_from_half(*scale);
    return (kivi_group){apus_float_from_half(*minimum), step > 0 ? 1 / step : 0, levels};
}

APUS_INLINE uint8_t kivi_code(kivi_group group, float x) {
    float code = (x - group.minimum) * group.inverse;
    code = code > 0 ? code : 0;
    code = code < group.levels ? code : group.levels;
    return (uint8_t)(int32_t)(code + 0.5f);
}

/// Extremes of up to 16 values in lanes, and the sum of their products with zero.
typedef struct kivi_extremes {
    float low[16], high[16], probe[16];
} kivi_extremes;

APUS_INLINE void kivi_fold(kivi_extremes *e, int64_t count) {
    for (int64_t half = count / 2; half > 0; half /= 2) {
        for (int64_t i = 0; i < half; i++) {
            e->low[i] = e->low[i + half] < e->low[i] ? e->low[i + half] : e->low[i];
            e->high[i] = e->high[i + half] > e->high[i] ? e->high[i + half] : e->high[i];
            e->probe[i] += e->probe[i + half];
        }
    }
}

/// The extremes of two rows of 16 values, into the first lane.
APUS_INLINE kivi_extremes kivi_extremes_of(const float *a, const float *b) {
    kivi_extremes e;
    for (int64_t i = 0; i < 16; i++) {
        e.low[i] = b[i] < a[i] ? b[i] : a[i];
        e.high[i] = b[i] > a[i] ? b[i] : a[i];
        e.probe[i] = a[i] * 0.0f + b[i] * 0.0f;
    }
    kivi_fold(&e, 16);
    return e;
}

/// The extremes of `count` consecutive values, a multiple of 8 up to 32.
APUS_INLINE kivi_extremes kivi_extremes_of_group(const float *x, int64_t count) {
    kivi_extremes e;
    for (int64_t i = 0; i < 8; i++) {
        e.low[i] = e.high[i] = x[i];
        e.probe[i] = x[i] * 0.0f;
    }
    for (int64_t first = 8; first < count; first += 8) {
        for (int64_t i = 0; i < 8; i++) {
            float value = x[first + i];
            e.low[i] = value < e.low[i] ? value : e.low[i];
            e.high[i] = value > e.high[i] ? value : e.high[i];
            e.probe[i] += value * 0.0f;
        }
    }
    kivi_fold(&e, 8);
    return e;
}

APUS_INLINE void kivi_pack(const uint8_t *codes, int64_t count, int64_t bits, uint8_t *packed) {
    int64_t bytes = count * bits / 8;
    for (int64_t i = 0; i < bytes; i++) {
        packed[i] = bits == 4 ? (uint8_t)(codes[i] | codes[i + bytes] << 4)
                              : (uint8_t)(codes[i] | codes[i + bytes] << 2 | codes[i + 2 * bytes] << 4
                                          | codes[i + 3 * bytes] << 6);
    }
}

/// The keys of one head of a page, `keys` as floats in the page's order, into half `half` of a block.
APUS_INLINE void kivi_seal_keys(const float *keys, char *block, int64_t half, int64_t dimension, apus_kv_type type,
                                uint8_t *codes) {
    int64_t bits = apus_kivi_bits(type), bytes = apus_kivi_half_bytes(type, dimension);
    uint16_t *scales = (uint16_t *)(block + 2 * bytes) + half * 2 * dimension, *minima = scales + dimension;
    for (int64_t d = 0; d < dimension; d++) {
        const float *a = keys + d * 16, *b = keys + (dimension + d) * 16;
        kivi_extremes e = kivi_extremes_of(a, b);
        kivi_group group = kivi_fit(e.low[0], e.high[0], e.probe[0], (float)((1 << bits) - 1), scales + d, minima + d);
        for (int64_t key = 0; key < 16; key++) {
            codes[apus_code_key_index(dimension, key, d)] = kivi_code(group, a[key]);
            codes[apus_code_key_index(dimension, key + 16, d)] = kivi_code(group, b[key]);
        }
    }
    kivi_pack(codes, APUS_KV_PAGE * dimension, bits, (uint8_t *)block + half * bytes);
}

/// The same for values; `block` is where the head's values begin.
APUS_INLINE void kivi_seal_values(const float *values, char *block, int64_t half, int64_t dimension, apus_kv_type type,
                                  uint8_t *codes) {
    int64_t padded = apus_padded(dimension), bits = apus_kivi_bits(type), bytes = apus_kivi_half_bytes(type, padded);
    uint16_t *scales = (uint16_t *)(block + 2 * bytes), *minima = scales + apus_groups(dimension) * APUS_KV_BLOCK;
    memset(codes, 0, (size_t)(APUS_KV_PAGE * padded));
    for (int64_t key = 0; key < APUS_KV_PAGE; key++) {
        for (int64_t first = 0; first < dimension; first += 32) {
            const float *x = values + key * padded + first;
            int64_t count = dimension - first < 32 ? dimension - first : 32;
            int64_t at = first / 32 * APUS_KV_BLOCK + half * APUS_KV_PAGE + key;
            kivi_extremes e = kivi_extremes_of_group(x, count);
            kivi_group group = kivi_fit(e.low[0], e.high[0], e.probe[0], (float)((1 << bits) - 1), scales + at,
                                        minima + at);
            for (int64_t i = 0; i < count; i++) {
                codes[apus_code_value_index(dimension, key, first + i)] = kivi_code(group, x[i]);
            }
        }
    }
    kivi_pack(codes, APUS_KV_PAGE * padded, bits, (uint8_t *)block + half * bytes);
}

APUS_INLINE void apus_seal_kivi(const apus_kv_seal_args *args, int64_t begin, int64_t end, void *scratch,
                                apus_kv_type type, apus_widen widen) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    float *keys = scratch, *values = keys + APUS_KV_PAGE * dimension;
    uint8_t *codes = (uint8_t *)(values + APUS_KV_PAGE * padded);
    for (int64_t index = begin; index < end; index++) {
        int64_t page = index / args->kv_heads, head = index % args->kv_heads;
        const char *from = (const char *)args->pages[page] + head * apus_page_head_bytes(dimension);
        char *block = (char *)args->blocks[page] + args->block_offset + head * apus_head_bytes(type, dimension);
        int64_t half = args->positions[page] / APUS_KV_PAGE % 2;
        widen((const uint16_t *)from, keys, APUS_KV_PAGE * (dimension + padded));
        kivi_seal_keys(keys, block, half, dimension, type, codes);
        kivi_seal_values(values, block + apus_keys_bytes(type, dimension), half, dimension, type, codes);
    }
}

// MARK: reading

/// A block of one KV head as bytes in the order of q8_0, and what goes with it, carved from the thread's scratch.
typedef struct kivi_tile {
    query_codes queries[2];  ///< of each half of the keys; biases: query times minima
    float *channels;         ///< [half][scales: dimension][minima]
    float *product;          ///< a row of query times scales
    float *value_scales, *value_minima;
    uint8_t *keys, *values;
} kivi_tile;

/// Bytes of a tile's numbers, a multiple of 64.
APUS_INLINE int64_t kivi_tile_bytes(int64_t dimension) {
    int64_t floats = 2 * apus_groups(dimension) * APUS_KV_BLOCK + 5 * dimension + 2 * APUS_TILE_ROWS;
    int64_t bytes = APUS_KV_BLOCK * (dimension + apus_padded(dimension)) + 4 * floats + 2 * codes_bytes(dimension);
    return (bytes + 63) & ~(int64_t)63;
}

/// The queries of both halves come last, biases before scales and codes, with nothing between: room for twice
/// APUS_TILE_ROWS rows, which lay_out_queries divides otherwise.
APUS_INLINE kivi_tile carve_kivi(char *memory, int64_t dimension) {
    int64_t numbers = apus_groups(dimension) * APUS_KV_BLOCK;
    kivi_tile k;
    k.keys = (uint8_t *)memory;
    k.values = k.keys + APUS_KV_BLOCK * dimension;
    k.value_scales = (float *)(k.values + APUS_KV_BLOCK * apus_padded(dimension));
    k.value_minima = k.value_scales + numbers;
    k.channels = k.value_minima + numbers;
    k.product = k.channels + 4 * dimension;
    for (int half = 0; half < 2; half++) {
        char *codes = (char *)(k.product + dimension + 2 * APUS_TILE_ROWS) + half * codes_bytes(dimension);
        k.queries[half] = carve_codes(codes, dimension);
        k.queries[half].biases = k.product + dimension + half * APUS_TILE_ROWS;
    }
    return k;
}

APUS_INLINE void kivi_unpack(const char *packed, int64_t count, int64_t bits, uint8_t *codes) {
    int64_t bytes = count * bits / 8;
    const uint8_t *restrict from = (const uint8_t *)packed;
    uint8_t *restrict to = codes, mask = (uint8_t)((1 << bits) - 1);
    UNROLL for (int64_t plane = 0; plane < 8 / bits; plane++) {
        for (int64_t i = 0; i < bytes; i++) to[plane * bytes + i] = from[i] >> bits * plane & mask;
    }
}

/// The queries of a unit for each half of the keys.
APUS_INLINE void kivi_load_queries(tile t, kivi_tile k, int64_t rows, int64_t dimension, apus_quantize quantize) {
    for (int64_t index = 0; index < 2 * rows; index++) {
        int64_t half = index / rows, row = index % rows;
        const float *scales = k.channels + half * 2 * dimension, *minima = scales + dimension;
        const float *query = t.query + row * dimension;
        float lanes[16] = {0};
        for (int64_t d = 0; d < dimension; d++) k.product[d] = query[d] * scales[d];
        for (int64_t first = 0; first < dimension; first += 8) {
            float *eight = lanes + first % 16;
            for (int64_t i = 0; i < 8; i++) eight[i] = fmaf(query[first + i], minima[first + i], eight[i]);
        }
        k.queries[half].biases[row] = apus_tree(lanes);
        load_row_codes(k.product, k.queries[half], row, dimension, quantize);
    }
}

/// How many halves of a block are sealed as far as the slice is concerned: 1 or 2.
APUS_INLINE int64_t kivi_halves(const apus_attention_slice *slice, int64_t block) {
    return slice->sealed - block * APUS_KV_BLOCK >= APUS_KV_BLOCK ? 2 : 1;
}

/// A block as it is stored, its scales and minima as floats.
APUS_INLINE source_q8 kivi_open_packed(const apus_attention_args *args, const apus_attend_unit *unit, kivi_tile k,
                                       apus_kv_type type, int64_t block, apus_widen widen) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension), groups = apus_groups(dimension);
    const char *keys = apus_unit_block(args, unit, type, block), *values = keys + apus_keys_bytes(type, dimension);
    widen((const uint16_t *)(keys + 2 * apus_kivi_half_bytes(type, dimension)), k.channels, 4 * dimension);
    const void *value_scales = values + 2 * apus_kivi_half_bytes(type, padded);
    widen(value_scales, k.value_scales, 2 * groups * APUS_KV_BLOCK);
    return (source_q8){(const uint8_t *)keys, (const int8_t *)values, NULL, k.value_scales, k.value_minima, NULL, NULL};
}

/// Reads a block: its halves as far as they are sealed, zeros in place of the other.
APUS_INLINE source_q8 kivi_open(const apus_attention_args *args, const apus_attend_unit *unit, kivi_tile k,
                                apus_kv_type type, int64_t block, apus_widen widen) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension), groups = apus_groups(dimension);
    int64_t bits = apus_kivi_bits(type), halves = kivi_halves(unit->slice, block);
    int64_t key_bytes = apus_kivi_half_bytes(type, dimension), value_bytes = apus_kivi_half_bytes(type, padded);
    source_q8 packed = kivi_open_packed(args, unit, k, type, block, widen);
    for (int64_t half = 0; half < halves; half++) {
        int64_t at = half * APUS_KV_PAGE;
        const void *keys = packed.keys + half * key_bytes, *values = packed.values + half * value_bytes;
        kivi_unpack(keys, APUS_KV_PAGE * dimension, bits, k.keys + at * dimension);
        kivi_unpack(values, APUS_KV_PAGE * padded, bits, k.values + at * padded);
    }
    if (halves == 1) {
        memset(k.keys + APUS_KV_PAGE * dimension, 0, (size_t)(APUS_KV_PAGE * dimension));
        memset(k.values + APUS_KV_PAGE * padded, 0, (size_t)(APUS_KV_PAGE * padded));
        memset(k.channels + 2 * dimension, 0, (size_t)dimension * 2 * sizeof(float));
        for (int64_t row = 0; row < 2 * groups; row++) {  // of value_scales, then value_minima
            memset(k.value_scales + row * APUS_KV_BLOCK + APUS_KV_PAGE, 0, APUS_KV_PAGE * sizeof(float));
        }
    }
    packed.keys = k.keys;
    packed.values = (const int8_t *)k.values;
    return packed;
}

/// What the minima of a group of values add to a row: the sum of weights times minima.
APUS_INLINE float kivi_weighted_minima(const float *weights, const float *minima) {
    float lanes[16] = {0};
    for (int64_t j = 0; j < APUS_KV_BLOCK; j += 16) {
        for (int64_t i = 0; i < 16; i++) lanes[i] = fmaf(weights[j + i], minima[j + i], lanes[i]);
    }
    return apus_tree(lanes);
}

/// How many of the slice's exact pages the rows of a unit see in this span, in which all of them lie or none.
APUS_INLINE int64_t kivi_pages(const apus_attend_unit *unit, int64_t span) {
    if (unit->slice->sealed / APUS_KV_SPAN != span) return 0;
    return (apus_unit_position(unit, unit->rows - 1) - unit->slice->sealed) / APUS_KV_PAGE + 1;
}

/// This KV head's part of the slice's exact page `index`.
APUS_INLINE const uint16_t *kivi_page(const apus_attention_args *args, const apus_attend_unit *unit, int64_t index) {
    int64_t head_bytes = apus_page_head_bytes(args->head_dimension);
    return (const uint16_t *)((const char *)unit->slice->pages
                              + (index * args->kv_heads + unit->kv_head) * head_bytes);
}
