// Attention, AVX-512 tier (F, BW, DQ, VL): a lane is a key for scores, a dimension for values.
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), apply_to = function)

#include "attention_avx512.h"

/// Up to this many rows the halves are widened in registers; above it a block is widened once for all rows.
#define WIDEN_ROWS 12

// MARK: append

static void append_f16(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    const apus_kv_append_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    for (int64_t row = begin; row < end; row++) {
        int64_t key = args->positions[row] % APUS_KV_BLOCK;
        for (int64_t head = 0; head < args->kv_heads; head++) {
            const float *k = args->keys + row * args->key_stride + head * dimension;
            const float *v = args->values + row * args->value_stride + head * dimension;
            char *block = (char *)args->blocks[row] + args->block_offset + head * apus_head_bytes(APUS_KV_F16, dimension);
            uint16_t *keys = (uint16_t *)block + apus_half_key_index(dimension, key, 0);
            uint16_t *values = (uint16_t *)block + APUS_KV_BLOCK * dimension + key * padded;
            for (int64_t d = 0; d < dimension; d += 16) {
                _Alignas(32) uint16_t halves[16];
                __mmask16 tail = apus_tail_avx512(dimension - d);
                __m512 x = _mm512_maskz_loadu_ps(tail, k + d);
                _mm256_store_si256((__m256i *)halves, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
                for (int64_t i = 0; i < 16 && d + i < dimension; i++) keys[(d + i) * 16] = halves[i];
                x = _mm512_maskz_loadu_ps(tail, v + d);
                _mm256_storeu_si256((__m256i *)(values + d), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
            }
        }
    }
}

// MARK: f16

/// A block's keys and values of one KV head, as halves or widened to floats, in the layout of attention_blocks.h.
typedef struct source {
    const void *keys, *values;
    const char *next_keys, *next_values;  ///< of the block after this one, to prefetch
} source;

APUS_INLINE __m512 load_lanes(const void *from, int64_t index, int widened) {
    if (widened) return _mm512_load_ps((const float *)from + index);
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)((const uint16_t *)from + index)));
}

/// Scores of `rows` query rows and their softmax.
APUS_INLINE void score_panel(panel *p, const float *query, int64_t dimension, source from, int rows, int widened) {
    __m512 scores[PANEL_ROWS][4];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int t = 0; t < 4; t++) scores[r][t] = _mm512_setzero_ps();
    }
    for (int64_t d = 0; d < dimension; d++) {
        __m512 key[4];
        UNROLL for (int t = 0; t < 4; t++) key[t] = load_lanes(from.keys, (t * dimension + d) * 16, widened);
        if (!widened) {
            _mm_prefetch(from.next_keys + 128 * d, _MM_HINT_T0);
            _mm_prefetch(from.next_keys + 128 * d + 64, _MM_HINT_T0);
        }
        UNROLL for (int r = 0; r < rows; r++) {
            __m512 q = _mm512_set1_ps(query[r * dimension + d]);
            UNROLL for (int t = 0; t < 4; t++) scores[r][t] = _mm512_fmadd_ps(q, key[t], scores[r][t]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) softmax_row(p, r, scores[r]);
}

/// Rows [first, first + rows) of the panel: weights times values of keys in `range`, merged into `out`, for `vectors`
/// vectors of dimensions from `start` on.
APUS_INLINE void weigh(const panel *p, int first, int rows, apus_key_range range, source from, int64_t padded,
                       int64_t start, int vectors, float *out, int widened) {
    __m512 sums[PANEL_ROWS][4];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = _mm512_setzero_ps();
    }
    for (int64_t j = range.begin; j < range.end; j++) {
        __m512 value[4];
        UNROLL for (int v = 0; v < vectors; v++) value[v] = load_lanes(from.values, j * padded + start + 16 * v, widened);
        if (!widened) {
            _mm_prefetch(from.next_values + 2 * (j * padded + start), _MM_HINT_T0);
            if (vectors > 2) _mm_prefetch(from.next_values + 2 * (j * padded + start) + 64, _MM_HINT_T0);
        }
        UNROLL for (int r = 0; r < rows; r++) {
            __m512 weight = _mm512_set1_ps(p->weights[first + r][j]);
            UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = _mm512_fmadd_ps(weight, value[v], sums[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        __m512 alpha = _mm512_set1_ps(p->alpha[first + r]), beta = _mm512_set1_ps(p->beta[first + r]);
        float *row = out + (first + r) * padded + start;
        UNROLL for (int v = 0; v < vectors; v++) {
            __m512 merged = _mm512_fmadd_ps(_mm512_load_ps(row + 16 * v), alpha, _mm512_mul_ps(sums[r][v], beta));
            _mm512_store_ps(row + 16 * v, merged);
        }
    }
}

APUS_INLINE void weigh_rows(const panel *p, int first, int rows, apus_key_range range, source from, int64_t padded,
                            float *out, int widened) {
    int64_t start = 0;
    for (; start + 64 <= padded; start += 64) weigh(p, first, rows, range, from, padded, start, 4, out, widened);
    for (; start + 32 <= padded; start += 32) weigh(p, first, rows, range, from, padded, start, 2, out, widened);
    if (start < padded) weigh(p, first, rows, range, from, padded, start, 1, out, widened);
}

APUS_INLINE void panel_f16(panel *p, tile t, int64_t row, int64_t dimension, source from, int rows, int widened) {
    int64_t padded = apus_padded(dimension);
    float *out = t.span.out + row * padded;
    score_panel(p, t.query + row * dimension, dimension, from, rows, widened);
    merge_panel(p, t.span, row);
    if (p->uniform) {
        weigh_rows(p, 0, rows, p->ranges[0], from, padded, out, widened);
        return;
    }
    for (int r = 0; r < rows; r++) {
        if (p->ranges[r].begin < p->ranges[r].end) weigh_rows(p, r, 1, p->ranges[r], from, padded, out, widened);
    }
}

#define PANEL_F16(name, rows, widened)                                                                        \
    static void name(panel *p, tile t, int64_t row, int64_t dimension, source from) {                         \
        panel_f16(p, t, row, dimension, from, rows, widened);                                                 \
    }
PANEL_F16(panel_halves_1, 1, 0)
PANEL_F16(panel_halves_2, 2, 0)
PANEL_F16(panel_halves_3, 3, 0)
PANEL_F16(panel_halves_4, 4, 0)
PANEL_F16(panel_halves_5, 5, 0)
PANEL_F16(panel_halves_6, 6, 0)
PANEL_F16(panel_floats_1, 1, 1)
PANEL_F16(panel_floats_2, 2, 1)
PANEL_F16(panel_floats_3, 3, 1)
PANEL_F16(panel_floats_4, 4, 1)
PANEL_F16(panel_floats_5, 5, 1)
PANEL_F16(panel_floats_6, 6, 1)

typedef void (*panel_kernel)(panel *p, tile t, int64_t row, int64_t dimension, source from);

static const panel_kernel panel_kernels[2][PANEL_ROWS] = {
    {panel_halves_1, panel_halves_2, panel_halves_3, panel_halves_4, panel_halves_5, panel_halves_6},
    {panel_floats_1, panel_floats_2, panel_floats_3, panel_floats_4, panel_floats_5, panel_floats_6},
};

static void widen(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) _mm512_store_ps(to + i, load_lanes(from, i, 0));
}

/// One block for all rows of a unit.
static void block_f16(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t block, int64_t next) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    int widened = unit->rows > WIDEN_ROWS;
    const uint16_t *data = (const uint16_t *)apus_unit_block(args, unit, APUS_KV_F16, block);
    const char *following = apus_unit_block(args, unit, APUS_KV_F16, next);
    source from = {data, data + APUS_KV_BLOCK * dimension, following, following + 2 * APUS_KV_BLOCK * dimension};
    if (widened) {
        float *keys = (float *)t.rest, *values = keys + APUS_KV_BLOCK * dimension;
        widen(from.keys, keys, APUS_KV_BLOCK * dimension);
        widen(from.values, values, APUS_KV_BLOCK * padded);
        from.keys = keys;
        from.values = values;
    }
    panel p;
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = panel_rows(row, unit->rows);
        if (!open_panel(&p, t.positions + row, rows, args->window, block)) continue;
        panel_kernels[widened][rows - 1](&p, t, row, dimension, from);
    }
}

static void attend_f16(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const apus_attention_args *args = pointer;
    int64_t padded = apus_padded(args->head_dimension);
    tile t = carve_tile(scratch, padded);
    for (int64_t index = begin; index < end; index++) {
        apus_attend_unit unit = apus_attend_unit_at(args, index);
        load_rows(args, &unit, t);
        if (!unit.plan->splits) clear_state(t.all, unit.rows, padded);
        for (int64_t span = unit.first_span; span < unit.end_span; span++) {
            apus_block_range blocks = apus_visible_blocks(t.positions[0], t.positions[unit.rows - 1], args->window, span);
            clear_state(t.span, unit.rows, padded);
            for (int64_t block = blocks.begin; block < blocks.end; block++) {
                block_f16(args, &unit, t, block, block + 1 < blocks.end ? block + 1 : block);
            }
            close_span(args, &unit, t, span);
        }
        close_unit(args, &unit, t);
    }
}

static void merge(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    _Alignas(64) float alpha[16], beta[16];
    for (int64_t index = begin; index < end; index++) {
        apus_merge_unit unit = apus_merge_unit_at(args, index);
        clear_state(t.all, 1, padded);
        for (int64_t i = 0; i < unit.plan->spans; i++) {
            const float *slot = apus_slot(args, unit.plan, unit.row, unit.head, unit.plan->first_span + i);
            if (slot[padded + 1] == 0) continue;
            merge_sums(t.all, 0, 1, _mm512_set1_ps(slot[padded]), _mm512_set1_ps(slot[padded + 1]), alpha, beta);
            merge_out(t.all.out, slot, padded, alpha[0], beta[0]);
        }
        divide_out(unit.slice->output + unit.row * args->output_stride + unit.head * dimension, t.all.out, t.all.sum[0], dimension);
    }
}

void apus_attention_fill_avx512(apus_kernels *table) {
    table->attention.append[APUS_KV_F16] = append_f16;
    table->attention.attend[APUS_KV_F16] = attend_f16;
    table->attention.merge = merge;
}

#pragma clang attribute pop
#endif
