// Attention, AVX-512 tier (F, BW, DQ, VL): a lane is a key for scores, a dimension for values.
#if defined(__x86_64__)
#include <immintrin.h>

#include "apus_kernels.h"

#include "../tiers.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)

#include "../attention_kivi.h"
#include "attention_avx512.h"

// MARK: append

static void narrow(const float *x, int64_t count, uint16_t *halves) {
    for (int64_t i = 0; i < count; i += 8) {
        _mm_storeu_si128((__m128i *)(halves + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    }
}

static void append_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_BLOCK, narrow);
}

static void append_page(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_PAGE, narrow);
}

static void seal_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI2, widen_halves);
}

static void seal_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI4, widen_halves);
}

static void append_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_q8(args, begin, end, quantize_group);
}

// MARK: f16

/// A block's keys and values of one KV head, in the layout of attention_blocks.h: the tile of level one, which all rows
/// of a unit pass over. Each panel, the tile of level two, widens halves in registers on their way to its products: as
/// floats a block would take the whole of L1 and a store and a load of each vector. Memory is prefetched half a block
/// ahead, into L2.
typedef struct source {
    const uint16_t *keys, *values;
    const char *next_keys;  ///< of the following block, to prefetch while the values are worked on
} source;

APUS_INLINE __m512 load_lanes(const uint16_t *from) {
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)from));
}

/// Scores of the panel's rows against tiles `first` and `first + 1` of 16 keys.
APUS_INLINE void score(panel *p, const float *query, int64_t dimension, source from, int first, int rows) {
    __m512 scores[PANEL_ROWS][2];
    UNROLL for (int r = 0; r < rows; r++) scores[r][0] = scores[r][1] = _mm512_setzero_ps();
    const char *ahead = (const char *)from.values + first * 32 * dimension;
    for (int64_t d = 0; d < dimension; d++) {
        __m512 a = load_lanes(from.keys + (first * dimension + d) * 16);
        __m512 b = load_lanes(from.keys + ((first + 1) * dimension + d) * 16);
        _mm_prefetch(ahead + 64 * d, _MM_HINT_T1);
        UNROLL for (int r = 0; r < rows; r++) {
            __m512 q = _mm512_set1_ps(query[r * dimension + d]);
            scores[r][0] = _mm512_fmadd_ps(q, a, scores[r][0]);
            scores[r][1] = _mm512_fmadd_ps(q, b, scores[r][1]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        _mm512_store_ps(p->weights[r] + 16 * first, scores[r][0]);
        _mm512_store_ps(p->weights[r] + 16 * first + 16, scores[r][1]);
    }
}

/// Adds weights times values of one row's keys in [begin, end).
APUS_INLINE void weigh_keys(__m512 *sums, const float *weights, int64_t begin, int64_t end, source from, int64_t padded,
                            int64_t start, int vectors) {
    for (int64_t j = begin; j < end; j++) {
        __m512 weight = _mm512_set1_ps(weights[j]);
        UNROLL for (int v = 0; v < vectors; v++) {
            __m512 value = load_lanes(from.values + j * padded + start + 16 * v);
            sums[v] = _mm512_fmadd_ps(weight, value, sums[v]);
        }
    }
}

/// Rows [first, first + rows) of the panel: weights times values of the keys each sees, merged into `out`, for `vectors`
/// vectors of dimensions from `start` on. Keys that all see are worked on together, those before and after by row.
APUS_INLINE void weigh(const panel *p, int first, int rows, source from, int64_t padded, int64_t start, int vectors,
                       float *out) {
    __m512 sums[PANEL_ROWS][2];
    apus_key_range all = {p->ranges[first + rows - 1].begin, p->ranges[first].end};
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = _mm512_setzero_ps();
        if (rows > 1) {
            weigh_keys(sums[r], p->weights[first + r], p->ranges[first + r].begin, all.begin, from, padded, start,
                       vectors);
        }
    }
    const char *ahead = from.next_keys + 128 * start;
    for (int64_t j = all.begin; j < all.end; j++) {
        __m512 value[2];
        UNROLL for (int v = 0; v < vectors; v++) value[v] = load_lanes(from.values + j * padded + start + 16 * v);
        _mm_prefetch(ahead + 64 * j, _MM_HINT_T1);
        UNROLL for (int r = 0; r < rows; r++) {
            __m512 weight = _mm512_set1_ps(p->weights[first + r][j]);
            UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = _mm512_fmadd_ps(weight, value[v], sums[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        if (rows > 1) {
            weigh_keys(sums[r], p->weights[first + r], all.end, p->ranges[first + r].end, from, padded, start, vectors);
        }
        __m512 alpha = _mm512_set1_ps(p->alpha[first + r]), beta = _mm512_set1_ps(p->beta[first + r]);
        float *row = out + (first + r) * padded + start;
        UNROLL for (int v = 0; v < vectors; v++) {
            __m512 merged = _mm512_fmadd_ps(_mm512_load_ps(row + 16 * v), alpha, _mm512_mul_ps(sums[r][v], beta));
            _mm512_store_ps(row + 16 * v, merged);
        }
    }
}

APUS_INLINE void weigh_rows(const panel *p, int first, int rows, source from, int64_t padded, float *out) {
    int64_t start = 0;
    for (; start + 32 <= padded; start += 32) weigh(p, first, rows, from, padded, start, 2, out);
    if (start < padded) weigh(p, first, rows, from, padded, start, 1, out);
}

APUS_INLINE void panel_f16(panel *p, tile t, int64_t row, int64_t dimension, source from, int rows) {
    int64_t padded = apus_padded(dimension);
    float *out = t.span.out + row * padded;
    // Positions ascend from row to row: the last row sees the furthest. Scores of keys nobody sees are never read.
    int tiles = (p->ranges[rows - 1].end + 15) / 16;
    for (int first = 0; first < tiles; first += 2) score(p, t.query + row * dimension, dimension, from, first, rows);
    merge_panel(p, softmax_panel(p, rows, NULL), t.span, row);
    if (p->ranges[rows - 1].begin < p->ranges[0].end) {
        weigh_rows(p, 0, rows, from, padded, out);
        return;
    }
    for (int r = 0; r < rows; r++) {
        if (p->ranges[r].begin < p->ranges[r].end) weigh_rows(p, r, 1, from, padded, out);
    }
}

#define PANEL(rows)                                                                              \
    static void panel_##rows(panel *p, tile t, int64_t row, int64_t dimension, source from) {    \
        panel_f16(p, t, row, dimension, from, rows);                                             \
    }
PANEL(1)
PANEL(2)
PANEL(3)
PANEL(4)
PANEL(5)
PANEL(6)
PANEL(7)
PANEL(8)
PANEL(9)
PANEL(10)
PANEL(11)
PANEL(12)

typedef void (*panel_kernel)(panel *p, tile t, int64_t row, int64_t dimension, source from);

/// By rows.
static const panel_kernel panels[PANEL_ROWS] = {
    panel_1, panel_2, panel_3, panel_4, panel_5, panel_6, panel_7, panel_8, panel_9, panel_10, panel_11, panel_12,
};

/// One block of `capacity` keys for all rows of a unit.
static void block_f16(const apus_attention_args *args, const apus_attend_unit *unit, tile t, const uint16_t *data,
                      int64_t capacity, apus_keys keys, const char *following) {
    source from = {data, data + capacity * args->head_dimension, following};
    panel p;
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, PANEL_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, keys)) continue;
        panels[rows - 1](&p, t, row, args->head_dimension, from);
    }
}

void apus_attend_page_avx512(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t index) {
    const uint16_t *page = kivi_page(args, unit, index);
    block_f16(args, unit, t, page, APUS_KV_PAGE, apus_page_keys(unit->slice, index), (const char *)page);
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
            apus_block_range blocks = unit_blocks(args, &unit, t, span);
            clear_state(t.span, unit.rows, padded);
            for (int64_t block = blocks.begin; block < blocks.end; block++) {
                const char *following = following_block(args, &unit, t, APUS_KV_F16, block, 1, index, end);
                const uint16_t *data = (const uint16_t *)apus_unit_block(args, &unit, APUS_KV_F16, block);
                block_f16(args, &unit, t, data, APUS_KV_BLOCK, apus_block_keys(unit.slice, block), following);
            }
            close_span(args, &unit, t, span);
        }
        close_unit(args, &unit, t);
    }
}

/// Up to 16 of a row's partials merged in order. The maxima before and after each are known ahead, and so all factors
/// are computed together.
APUS_INLINE void merge_partials(tile_state all, const float *const *slots, int count, int64_t padded) {
    _Alignas(64) float own[16] = {0}, before[16] = {0}, after[16] = {0};
    for (int i = 0; i < count; i++) {
        own[i] = slots[i][padded];
        before[i] = all.max[0];
        after[i] = all.max[0] = before[i] > own[i] ? before[i] : own[i];
    }
    __m512 both = _mm512_load_ps(after);
    _mm512_store_ps(before, apus_exp_nonpositive_avx512(_mm512_sub_ps(_mm512_load_ps(before), both)));
    _mm512_store_ps(own, apus_exp_nonpositive_avx512(_mm512_sub_ps(_mm512_load_ps(own), both)));
    for (int i = 0; i < count; i++) {
        all.sum[0] = fmaf(all.sum[0], before[i], slots[i][padded + 1] * own[i]);
        merge_out(all.out, slots[i], padded, before[i], own[i]);
    }
}

static void merge(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    for (int64_t index = begin; index < end; index++) {
        apus_merge_unit unit = apus_merge_unit_at(args, index);
        const float *slots[16];
        int count = 0;
        clear_state(t.all, 1, padded);
        for (int64_t i = 0; i < unit.plan->spans; i++) {
            const float *slot = apus_slot(args, unit.plan, unit.row, unit.head, unit.plan->first_span + i);
            if (slot[padded + 1] != 0) slots[count++] = slot;
            if (count == 16 || i + 1 == unit.plan->spans) {
                merge_partials(t.all, slots, count, padded);
                count = 0;
            }
        }
        divide_out(apus_merge_output(args, &unit), t.all.out, t.all.sum[0], dimension);
    }
}

// MARK: q8_0 and KIVI

/// Four products per lane, of bytes below 128 and any signed bytes: no pair exceeds 16 bits.
APUS_INLINE __m512i dot_small(__m512i sums, __m512i small, __m512i codes) {
    __m512i pairs = _mm512_maddubs_epi16(small, codes);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

/// Four products per lane, of codes + 128 and signed bytes.
APUS_INLINE __m512i dot_offset(__m512i sums, __m512i shifted, __m512i codes) {
    __m512i negative = _mm512_movm_epi8(_mm512_movepi8_mask(codes));
    __m512i keys = _mm512_xor_si512(shifted, _mm512_set1_epi8(-128));
    keys = _mm512_sub_epi8(_mm512_xor_si512(keys, negative), negative);
    return dot_small(sums, _mm512_abs_epi8(codes), keys);
}

/// What dot_offset adds for each unit of the sum of the signed bytes.
#define DOT_OFFSET 0

#include "attention_integers_avx512.h"

ATTEND_INTEGERS(avx512)

void apus_attention_fill_avx512(apus_kernels *table) {
    table->attention.append[APUS_KV_F16] = append_f16;
    table->attention.append[APUS_KV_Q8_0] = append_q8;
    table->attention.append[APUS_KV_KIVI2] = table->attention.append[APUS_KV_KIVI4] = append_page;
    table->attention.seal[APUS_KV_KIVI2] = seal_kivi2;
    table->attention.seal[APUS_KV_KIVI4] = seal_kivi4;
    table->attention.attend[APUS_KV_F16] = attend_f16;
    set_attend_integers(table);
    table->attention.merge = merge;
}

#pragma clang attribute pop
#endif
