// Attention over KIVI keys and values with integer dots, for the AVX-512 tiers.
//
// A unit of many rows brings a block into the form of q8_0 once and passes over it in panels. A unit of one panel, as
// one row's heads are, would store and load each code for few products: its dots take codes out of their planes
// themselves, where dimensions are a multiple of 64 and every row sees the whole of a sealed block. Up to four rows go
// over two such blocks at a time, so that folds, which take eight rows, have as many. The including file has defined
// dot_small (attention_integers_avx512.h).
#pragma once

#include "attention_q8_avx512.h"

/// Up to so many rows go over two blocks.
#define PAIR_ROWS (Q8_ROWS / 2)

// MARK: prefetching

/// Prefetches a lot of `lines`, a constant, of what comes next: two blocks at most, one after the other. All lines at
/// once would hold up the loads behind them: as many as a core has under way at a time, between other work.
APUS_INLINE void prefetch_lot(ahead *following, int64_t lines) {
    ahead *block = following + (following->lines == 0);
    if (block->lines < lines) {
        prefetch_some(block, block->lines);
        return;
    }
    for (int64_t i = 0; i < lines; i++) _mm_prefetch(block->next + 64 * i, _MM_HINT_T1);  // unrolled
    block->next += 64 * lines;
    block->lines -= lines;
}

// MARK: queries

/// Where a row's group of queries begins, and its scales among those of all sets.
typedef struct kivi_item {
    int32_t query, scales;
} kivi_item;

/// The queries of a unit for each half of the keys of one block or two: sets one after the other, each row by row, group
/// by group. As many items, the last repeated to a multiple of eight.
typedef struct kivi_queries {
    query_codes sets[4];
    const float *channels;  ///< of the first half: scales, then minima
    int64_t rows;
    kivi_item items[2 * APUS_TILE_ROWS * MAX_GROUPS];
} kivi_queries;

/// Lays the queries out in the room of the first tile, which is for two sets of APUS_TILE_ROWS rows.
APUS_INLINE void lay_out_queries(kivi_queries *q, const kivi_tile *k, int64_t rows, int64_t dimension) {
    int64_t items = rows * apus_groups(dimension), most = 2 * APUS_TILE_ROWS * apus_groups(dimension), at = 0;
    int64_t sets = rows > PAIR_ROWS ? 2 : 4;
    query_codes room = k->queries[0];
    q->rows = rows;
    q->channels = k->channels;
    for (int64_t set = 0; set < sets; set++) {
        int64_t channels = k[set / 2].channels - q->channels + set % 2 * 2 * dimension;
        q->sets[set] = (query_codes){(int8_t *)(room.scales + most) + set * 32 * items, room.scales + set * items, NULL,
            room.biases + set * rows};
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t d = 0; d < dimension; d += 32, at++) {
                q->items[at].query = (int32_t)(row * dimension + d);
                q->items[at].scales = (int32_t)(channels + d);
            }
        }
    }
    kivi_item last = q->items[at - 1];  // read once: clang 21 vectorizes a chain of copies (AVX2 and up), wrongly
    for (; at % 8 != 0; at++) q->items[at] = last;
}

/// What the scores of `sets` sets begin with: the rows' queries times the minima; eight share a fold.
APUS_INLINE void load_kivi_biases(tile t, const kivi_queries *q, int64_t sets, int64_t dimension) {
    int64_t items = sets * q->rows, groups = apus_groups(dimension);
    for (int64_t first = 0; first < items; first += 8) {
        int64_t count = items - first < 8 ? items - first : 8;
        const float *queries[8], *minima[8];
        __m512 sums[8];
        UNROLL for (int i = 0; i < 8; i++) {
            int64_t item = (first + (i < count ? i : count - 1)) * groups;
            queries[i] = t.query + q->items[item].query;
            minima[i] = q->channels + q->items[item].scales + dimension;
            sums[i] = _mm512_setzero_ps();
        }
        for (int64_t d = 0; d < dimension; d += 16) {
            __mmask16 lanes = apus_tail_avx512(dimension - d);
            UNROLL for (int i = 0; i < 8; i++) {
                sums[i] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, queries[i] + d),
                                          _mm512_maskz_loadu_ps(lanes, minima[i] + d), sums[i]);
            }
        }
        __m512 folded = fold_eight(sums, 8, FOLD_SUM);
        _mm512_mask_storeu_ps(q->sets[0].biases + first, (__mmask8)((1 << count) - 1), folded);
    }
}

/// A row's group of queries times the scales of a set.
typedef struct scaled_query {
    __m512 low, high;
} scaled_query;

/// `whole`: all groups have 32 dimensions.
APUS_INLINE scaled_query scale_query(tile t, const kivi_queries *q, int64_t item, int64_t dimension, int whole) {
    const float *query = t.query + q->items[item].query, *scales = q->channels + q->items[item].scales;
    int64_t rest = whole ? 32 : dimension - q->items[item].query % dimension;
    __mmask16 low = apus_tail_avx512(rest), high = rest > 16 ? apus_tail_avx512(rest - 16) : 0;
    return (scaled_query){_mm512_mul_ps(_mm512_maskz_loadu_ps(low, query), _mm512_maskz_loadu_ps(low, scales)),
        _mm512_mul_ps(_mm512_maskz_loadu_ps(high, query + 16), _mm512_maskz_loadu_ps(high, scales + 16))};
}

/// Scales of the codes of `sets` sets, and by what to multiply to get codes; eight groups share a fold.
APUS_INLINE void load_kivi_scales(tile t, const kivi_queries *q, int64_t sets, int64_t dimension, int whole,
                                  float *factors, ahead *following, int64_t lines) {
    const __m512 magnitude = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fffffff));
    for (int64_t first = 0; first < sets * q->rows * apus_groups(dimension); first += 8) {
        __m512 most[8];
        prefetch_lot(following, lines);
        UNROLL for (int i = 0; i < 8; i++) {
            scaled_query x = scale_query(t, q, first + i, dimension, whole);
            most[i] = fold(_mm512_and_ps(x.low, magnitude), _mm512_and_ps(x.high, magnitude), FOLD_MAX_BITS);
        }
        group_scales of = scales_of(fold_eight(most, 8, FOLD_MAX_BITS));
        _mm256_store_ps(factors + first, of.inverse);
        _mm256_storeu_ps(q->sets[0].scales + first, of.scale);
    }
}

/// Codes: scaled queries times `factors`. What infinity and NaN become does not matter: their group's scale is NaN.
APUS_INLINE void load_kivi_codes(tile t, const kivi_queries *q, int64_t sets, int64_t dimension, int whole,
                                 const float *factors) {
    for (int64_t first = 0; first < sets * q->rows * apus_groups(dimension); first += 2) {
        __m512i codes[4];
        UNROLL for (int i = 0; i < 2; i++) {
            scaled_query x = scale_query(t, q, first + i, dimension, whole);
            __m512 factor = _mm512_set1_ps(factors[first + i]);
            codes[2 * i] = _mm512_cvtps_epi32(_mm512_mul_ps(x.low, factor));
            codes[2 * i + 1] = _mm512_cvtps_epi32(_mm512_mul_ps(x.high, factor));
        }
        _mm512_storeu_si512(q->sets[0].codes + 32 * first, pack_codes(codes));
    }
}

/// The queries of `sets` sets. No code waits for its group's scale: all scales come first, biases between.
APUS_INLINE void load_kivi_queries(tile t, const kivi_queries *q, int64_t sets, int64_t dimension, int whole,
                                   ahead *following, int64_t lines) {
    _Alignas(64) float factors[2 * APUS_TILE_ROWS * MAX_GROUPS];
    load_kivi_scales(t, q, sets, dimension, whole, factors, following, lines);
    load_kivi_biases(t, q, sets, dimension);
    load_kivi_codes(t, q, sets, dimension, whole, factors);
}

// MARK: packed blocks
//
// Of 64 bytes, planes of codes: of two bits four, the latter two times 16, which the sums of their dots lose again; of
// four bits two. All stay below 128.

#define PLANES(bits) (8 / (bits))
/// Lines to prefetch at a time.
#define LINES(bits) (4 * (bits))

APUS_INLINE void planes_of(const uint8_t *packed, int bits, __m512i *planes) {
    __m512i codes = _mm512_loadu_si512(packed), next = _mm512_srli_epi16(codes, bits);
    __m512i low = _mm512_set1_epi8((char)((1 << bits) - 1)), high = _mm512_set1_epi8(0x30);
    planes[0] = _mm512_and_si512(codes, low);
    planes[1] = _mm512_and_si512(next, low);
    if (bits == 2) {
        planes[2] = _mm512_and_si512(codes, high);
        planes[3] = _mm512_and_si512(next, high);
    }
}

/// Scores of a unit's rows against half of a block's keys, for the panel's rows from `at` on. The dimension is a multiple
/// of 64: of two bits, a vector of codes has two groups of each of the half's two tiles, else one.
APUS_INLINE void score_packed(panel *p, int at, query_codes q, int64_t dimension, const uint8_t *packed, int half,
                              int rows, int bits, ahead *following) {
    int64_t groups = apus_groups(dimension), apart = bits == 2 ? groups / 2 : groups;
    int together = rows > 6 && bits == 2 ? (rows + 1) / 2 : rows;  // as many as have their sums in registers
    __m512i dots[MAX_GROUPS][Q8_ROWS][2];
    for (int64_t group = 0; group < apart; group++) {
        prefetch_lot(following, LINES(bits));
        UNROLL for (int first = 0; first < rows; first += together) {
            int count = rows - first < together ? rows - first : together;
            __m512i sums[Q8_ROWS][4];
            UNROLL for (int r = 0; r < count; r++) {
                UNROLL for (int i = 0; i < PLANES(bits); i++) sums[r][i] = _mm512_setzero_si512();
            }
            for (int64_t d = 32 * group; d < 32 * group + 32; d += 4) {
                __m512i planes[4];
                planes_of(packed + 16 * d, bits, planes);
                UNROLL for (int r = 0; r < count; r++) {
                    const int8_t *codes = q.codes + (first + r) * code_stride(dimension) + d;
                    UNROLL for (int i = 0; i < PLANES(bits); i++) {
                        __m512i four = four_codes(codes + (bits == 2 ? i % 2 * 32 * apart : 0));
                        sums[r][i] = dot_small(sums[r][i], planes[i], four);
                    }
                }
            }
            UNROLL for (int r = 0; r < count; r++) {
                UNROLL for (int i = 0; i < PLANES(bits); i++) {
                    int64_t of = bits == 2 ? group + i % 2 * apart : group;
                    int of_tile = bits == 2 ? i / 2 : i;
                    dots[of][first + r][of_tile] = i < 2 ? sums[r][i] : _mm512_srai_epi32(sums[r][i], 4);
                }
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        __m512 a = _mm512_set1_ps(q.biases[r]), b = a;
        for (int64_t group = 0; group < groups; group++) {
            __m512 scale = _mm512_set1_ps(q.scales[r * groups + group]);
            a = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[group][r][0]), scale, a);
            b = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[group][r][1]), scale, b);
        }
        _mm512_store_ps(p->weights[at + r] + 32 * half, a);
        _mm512_store_ps(p->weights[at + r] + 32 * half + 16, b);
    }
}

/// The panel's rows from `at` on: weights times the values of a block, for `vectors` vectors of dimensions from `start`
/// on, one group, merged into `out`.
APUS_INLINE void weigh_packed(int at, const weight_codes *w, const uint8_t *packed, int64_t padded,
                              int64_t start, int vectors, int rows, const float *alpha, const float *beta, float *out,
                              int bits) {
    int64_t group = start / 32;
    __m512i dots[Q8_ROWS][2][2];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) dots[r][v][0] = dots[r][v][1] = _mm512_setzero_si512();
    }
    UNROLL for (int half = 0; half < 2; half++) {
        UNROLL for (int first = 0; first < 32 / PLANES(bits); first += 4) {  // keys of the first plane
            UNROLL for (int v = 0; v < vectors; v++) {
                __m512i planes[4];
                planes_of(packed + half * 4 * bits * padded + first * padded + 4 * start + 64 * v, bits, planes);
                UNROLL for (int r = 0; r < rows; r++) {
                    const uint8_t *codes = w->codes[group][at + r] + 32 * half + first;
                    UNROLL for (int i = 0; i < PLANES(bits); i++) {
                        __m512i four = four_codes(codes + i * (32 / PLANES(bits)));
                        dots[r][v][i / 2] = dot_small(dots[r][v][i / 2], planes[i], four);
                    }
                }
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        __m512 scale = _mm512_set1_ps(w->scales[group][at + r]), rest = _mm512_set1_ps(w->rests[group][at + r]);
        UNROLL for (int v = 0; v < vectors; v++) {
            float *to = out + r * padded + start + 16 * v;
            __m512i sum = dots[r][v][0];
            if (bits == 2) sum = _mm512_add_epi32(sum, _mm512_srai_epi32(dots[r][v][1], 4));
            __m512 part = _mm512_mul_ps(_mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, rest), _mm512_set1_ps(beta[r]));
            _mm512_store_ps(to, _mm512_fmadd_ps(_mm512_load_ps(to), _mm512_set1_ps(alpha[r]), part));
        }
    }
}

/// Lane i is lane i + rows of x: the next block's rows come first.
APUS_INLINE __m512 next_rows(__m512 x, int rows) {
    __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(rows)), x);
}

/// A unit's rows, one panel, over one packed block or two, all of whose keys each row sees: the panel has the rows of
/// the first block, then of the second.
APUS_INLINE void panel_packed(panel *p, tile t, const kivi_queries *q, int64_t dimension, const source_q8 *from,
                              int rows, int blocks, int bits, ahead *following) {
    int64_t half_bytes = 4 * bits * dimension;
    _Alignas(64) float alpha[2][16], beta[2][16];
    weight_codes w;
    UNROLL for (int half = 0; half < 2 * blocks; half++) {
        const uint8_t *keys = from[half / 2].keys + half % 2 * half_bytes;
        score_packed(p, half / 2 * rows, q->sets[half], dimension, keys, half % 2, rows, bits, following);
    }
    panel_sums sums = softmax_rows(p, rows * blocks, 1, NULL);
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        prefetch_lot(following, LINES(bits));
        quantize_weights(p, from, group, rows, blocks, 1, &w);
        weigh_minima(p, from, group, rows, blocks, w.rests[group]);
    }
    UNROLL for (int b = 0; b < blocks; b++) {
        merge_sums(t.span, 0, (__mmask16)((1 << rows) - 1), sums.max, sums.sum, alpha[b], beta[b]);
        sums = (panel_sums){next_rows(sums.max, rows), next_rows(sums.sum, rows)};
    }
    int vectors = rows > PAIR_ROWS ? 1 : 2;
    for (int64_t start = 0; start < dimension; start += 16 * vectors) {
        UNROLL for (int b = 0; b < blocks; b++) {
            prefetch_lot(following, LINES(bits));
            const uint8_t *values = (const uint8_t *)from[b].values;
            weigh_packed(b * rows, &w, values, dimension, start, vectors, rows, alpha[b], beta[b], t.span.out, bits);
        }
    }
    prefetch_some(following, following->lines);
    prefetch_some(following + 1, following[1].lines);
}

#define PANEL_PACKED(rows, blocks, bits)                                                                       \
    static void panel_packed_##bits##_##blocks##_##rows(panel *p, tile t, const kivi_queries *q,               \
                                                        int64_t dimension, const source_q8 *from,              \
                                                        ahead *following) {                                    \
        panel_packed(p, t, q, dimension, from, rows, blocks, bits, following);                                 \
    }
#define PANELS_PACKED(bits)                                                                                    \
    PANEL_PACKED(1, 1, bits)                                                                                   \
    PANEL_PACKED(2, 1, bits)                                                                                   \
    PANEL_PACKED(3, 1, bits)                                                                                   \
    PANEL_PACKED(4, 1, bits)                                                                                   \
    PANEL_PACKED(5, 1, bits)                                                                                   \
    PANEL_PACKED(6, 1, bits)                                                                                   \
    PANEL_PACKED(7, 1, bits)                                                                                   \
    PANEL_PACKED(8, 1, bits)                                                                                   \
    PANEL_PACKED(1, 2, bits)                                                                                   \
    PANEL_PACKED(2, 2, bits)                                                                                   \
    PANEL_PACKED(3, 2, bits)                                                                                   \
    PANEL_PACKED(4, 2, bits)                                                                                   \
    static const panel_packed_kernel panels_packed_##bits[2][Q8_ROWS] = {                                      \
        {panel_packed_##bits##_1_1, panel_packed_##bits##_1_2, panel_packed_##bits##_1_3,                      \
         panel_packed_##bits##_1_4, panel_packed_##bits##_1_5, panel_packed_##bits##_1_6,                      \
         panel_packed_##bits##_1_7, panel_packed_##bits##_1_8},                                                \
        {panel_packed_##bits##_2_1, panel_packed_##bits##_2_2, panel_packed_##bits##_2_3,                      \
         panel_packed_##bits##_2_4},                                                                           \
    };

typedef void (*panel_packed_kernel)(panel *p, tile t, const kivi_queries *q, int64_t dimension, const source_q8 *from,
                                    ahead *following);

/// By blocks and rows, each less one.
PANELS_PACKED(2)
PANELS_PACKED(4)

// MARK: blocks

/// How many blocks from `block` on, at most two, one panel goes over packed; 0: this one is unpacked first.
APUS_INLINE int64_t packed_blocks(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t block,
                                  int64_t end) {
    int64_t most = unit->rows <= PAIR_ROWS ? 2 : 1, low = t.positions[0], high = t.positions[unit->rows - 1], count = 0;
    if (unit->rows > Q8_ROWS || args->head_dimension % 64 != 0) return 0;
    while (count < most && block + count < end
           && all_see_all(low, high, args->window, apus_block_keys(unit->slice, block + count))) count++;
    return count;
}

/// `packed` blocks, or if 0 one to unpack, for all rows of a unit; `k` is scratch.
APUS_INLINE void blocks_kivi(const apus_attention_args *args, const apus_attend_unit *unit, tile t, const kivi_tile *k,
                             const kivi_queries *q, apus_kv_type type, int64_t block, int64_t packed,
                             const char *const *following) {
    int64_t dimension = args->head_dimension, lines = apus_head_bytes(type, dimension) / 64;
    int bits = (int)apus_kivi_bits(type);
    ahead next[2] = {{following[0], lines}, {following[1], packed == 2 ? lines : 0}};
    source_q8 from[2];
    panel p;
    if (packed == 0) {
        from[0] = kivi_open(args, unit, k[0], type, block, widen_halves);
        if (dimension % 32 == 0) {
            load_kivi_queries(t, q, 2, dimension, 1, next, LINES(bits));
        } else {
            load_kivi_queries(t, q, 2, dimension, 0, next, LINES(bits));
        }
        prefetch_some(next, next->lines);
        run_panels(args, unit, t, q->sets, from, block, PANEL_KIVI, PANEL_KIVI);
        return;
    }
    for (int64_t b = 0; b < packed; b++) from[b] = kivi_open_packed(args, unit, k[b], type, block + b, widen_halves);
    load_kivi_queries(t, q, 2 * packed, dimension, 1, next, LINES(bits));
    (bits == 2 ? panels_packed_2 : panels_packed_4)[packed - 1][unit->rows - 1](&p, t, q, dimension, from, next);
}
