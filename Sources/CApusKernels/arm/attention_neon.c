// Attention, NEON tier: a lane is a key for scores, a dimension for values. Rows come in panels of six by four vectors.
#if defined(__aarch64__)
#include "apus_kernels.h"

#include "../attention_kivi.h"
#include "../tiers.h"
#include "math_neon.h"

#pragma STDC FP_CONTRACT OFF

#define F16_ROWS 6
#define Q8_ROWS 2

// MARK: softmax and merging

APUS_INLINE uint32x4_t range_mask_4(apus_key_range range, int32_t first) {
    const int32_t lanes[4] = {first, first + 1, first + 2, first + 3};
    int32x4_t keys = vld1q_s32(lanes);
    return vandq_u32(vcgeq_s32(keys, vdupq_n_s32(range.begin)), vcltq_s32(keys, vdupq_n_s32(range.end)));
}

/// Weights, maximum and sum of row `r` from its 64 scores, which stand where the weights go.
APUS_INLINE void softmax_row(panel *p, int r) {
    float32x4_t lowest = vdupq_n_f32(-INFINITY), max = lowest, lanes[4];
    for (int32_t i = 0; i < APUS_KV_BLOCK; i += 4) {
        max = vmaxq_f32(max, vbslq_f32(range_mask_4(p->ranges[r], i), vld1q_f32(p->weights[r] + i), lowest));
    }
    p->max[r] = vmaxvq_f32(max);
    for (int v = 0; v < 4; v++) lanes[v] = vdupq_n_f32(0);
    for (int32_t i = 0; i < APUS_KV_BLOCK; i += 16) {
        for (int v = 0; v < 4; v++) {
            float *weights = p->weights[r] + i + 4 * v;
            float32x4_t weight = apus_exp_nonpositive_neon(vsubq_f32(vld1q_f32(weights), vdupq_n_f32(p->max[r])));
            uint32x4_t mask = range_mask_4(p->ranges[r], i + 4 * v);
            weight = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(weight), mask));
            vst1q_f32(weights, weight);
            lanes[v] = vaddq_f32(lanes[v], weight);
        }
    }
    p->sum[r] = apus_tree_neon(lanes);
}

/// Merges one row's maximum and sum into `state`; leaves the factors of section 6.
APUS_INLINE void merge_sum(tile_state state, int64_t row, float max, float sum, float *alpha, float *beta) {
    float both = state.max[row] > max ? state.max[row] : max;
    *alpha = apus_exp(state.max[row] - both);
    *beta = apus_exp(max - both);
    state.max[row] = both;
    state.sum[row] = fmaf(state.sum[row], *alpha, sum * *beta);
}

APUS_INLINE void merge_panel(panel *p, tile_state state, int64_t row) {
    for (int32_t r = 0; r < p->rows; r++) {
        if (p->ranges[r].begin == p->ranges[r].end) continue;
        merge_sum(state, row + r, p->max[r], p->sum[r], &p->alpha[r], &p->beta[r]);
    }
}

/// Leaves a finished span as partials, or merges it.
APUS_INLINE void close_span(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    int64_t padded = apus_padded(args->head_dimension);
    if (unit->plan->splits) store_partials(args, unit, t, span);
    for (int64_t row = 0; row < unit->rows && !unit->plan->splits; row++) {
        float alpha, beta;
        if (t.span.sum[row] == 0) continue;
        merge_sum(t.all, row, t.span.max[row], t.span.sum[row], &alpha, &beta);
        merge_out(t.all.out + row * padded, t.span.out + row * padded, padded, alpha, beta);
    }
}

static void merge(const void *pointer, int64_t begin, int64_t end, void *scratch) {
    const apus_attention_args *args = pointer;
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    for (int64_t index = begin; index < end; index++) {
        apus_merge_unit unit = apus_merge_unit_at(args, index);
        clear_state(t.all, 1, padded);
        for (int64_t i = 0; i < unit.plan->spans; i++) {
            const float *slot = apus_slot(args, unit.plan, unit.row, unit.head, unit.plan->first_span + i);
            float alpha, beta;
            if (slot[padded + 1] == 0) continue;
            merge_sum(t.all, 0, slot[padded], slot[padded + 1], &alpha, &beta);
            merge_out(t.all.out, slot, padded, alpha, beta);
        }
        divide_out(apus_merge_output(args, &unit), t.all.out, t.all.sum[0], dimension);
    }
}

// MARK: f16

static void narrow(const float *x, int64_t count, uint16_t *halves) {
    for (int64_t i = 0; i < count; i += 4) vst1_u16(halves + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
}

static void append_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_BLOCK, narrow);
}

static void append_page(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_f16(args, begin, end, APUS_KV_PAGE, narrow);
}

/// Halves are widened in registers for few rows, else first into scratch for all rows of a unit.
typedef enum source_kind { SOURCE_HALVES, SOURCE_FLOATS } source_kind;

typedef struct source {
    const void *keys, *values;
} source;

APUS_INLINE float32x4_t load_lanes(const void *from, int64_t index, source_kind kind) {
    if (kind == SOURCE_FLOATS) return vld1q_f32((const float *)from + index);
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)from + index)));
}

/// Scores of the panel's rows against tile `first` of 16 keys.
APUS_INLINE void score(panel *p, const float *query, int64_t dimension, source from, int64_t first, int rows,
                       source_kind kind) {
    float32x4_t scores[F16_ROWS][4];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < 4; v++) scores[r][v] = vdupq_n_f32(0);
    }
    for (int64_t d = 0; d < dimension; d++) {
        float32x4_t key[4];
        UNROLL for (int v = 0; v < 4; v++) key[v] = load_lanes(from.keys, (first * dimension + d) * 16 + 4 * v, kind);
        UNROLL for (int r = 0; r < rows; r++) {
            float q = query[r * dimension + d];
            UNROLL for (int v = 0; v < 4; v++) scores[r][v] = vfmaq_n_f32(scores[r][v], key[v], q);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < 4; v++) vst1q_f32(p->weights[r] + 16 * first + 4 * v, scores[r][v]);
    }
}

/// Rows [first, first + rows) of the panel: weights times values of keys in `range`, merged into `out`, 16 dimensions.
APUS_INLINE void weigh(const panel *p, int first, int rows, apus_key_range range, source from, int64_t padded,
                       int64_t start, float *out, source_kind kind) {
    float32x4_t sums[F16_ROWS][4];
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < 4; v++) sums[r][v] = vdupq_n_f32(0);
    }
    for (int64_t j = range.begin; j < range.end; j++) {
        float32x4_t value[4];
        UNROLL for (int v = 0; v < 4; v++) value[v] = load_lanes(from.values, j * padded + start + 4 * v, kind);
        UNROLL for (int r = 0; r < rows; r++) {
            float weight = p->weights[first + r][j];
            UNROLL for (int v = 0; v < 4; v++) sums[r][v] = vfmaq_n_f32(sums[r][v], value[v], weight);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        float alpha = p->alpha[first + r], beta = p->beta[first + r], *row = out + (first + r) * padded + start;
        UNROLL for (int v = 0; v < 4; v++) {
            vst1q_f32(row + 4 * v, vfmaq_n_f32(vmulq_n_f32(sums[r][v], beta), vld1q_f32(row + 4 * v), alpha));
        }
    }
}

APUS_INLINE void panel_f16(panel *p, tile t, int64_t row, int64_t dimension, source from, int rows, source_kind kind) {
    int64_t padded = apus_padded(dimension);
    float *out = t.span.out + row * padded;
    // Positions ascend from row to row: the last row sees the furthest. Scores of keys nobody sees are never read.
    int64_t tiles = (p->ranges[rows - 1].end + 15) / 16;
    for (int64_t tile = 0; tile < tiles; tile++) score(p, t.query + row * dimension, dimension, from, tile, rows, kind);
    for (int r = 0; r < rows; r++) softmax_row(p, r);
    merge_panel(p, t.span, row);
    for (int64_t start = 0; p->uniform && start < padded; start += 16) {
        weigh(p, 0, rows, p->ranges[0], from, padded, start, out, kind);
    }
    for (int r = 0; r < rows && !p->uniform; r++) {
        if (p->ranges[r].begin == p->ranges[r].end) continue;
        for (int64_t start = 0; start < padded; start += 16) {
            weigh(p, r, 1, p->ranges[r], from, padded, start, out, kind);
        }
    }
}

#define PANEL_F16(rows, kind)                                                                            \
    static void panel_##kind##_##rows(panel *p, tile t, int64_t row, int64_t dimension, source from) {   \
        panel_f16(p, t, row, dimension, from, rows, kind);                                               \
    }
PANEL_F16(1, SOURCE_HALVES)
PANEL_F16(2, SOURCE_HALVES)
PANEL_F16(3, SOURCE_HALVES)
PANEL_F16(4, SOURCE_HALVES)
PANEL_F16(5, SOURCE_HALVES)
PANEL_F16(6, SOURCE_HALVES)
PANEL_F16(1, SOURCE_FLOATS)
PANEL_F16(2, SOURCE_FLOATS)
PANEL_F16(3, SOURCE_FLOATS)
PANEL_F16(4, SOURCE_FLOATS)
PANEL_F16(5, SOURCE_FLOATS)
PANEL_F16(6, SOURCE_FLOATS)

typedef void (*panel_f16_kernel)(panel *p, tile t, int64_t row, int64_t dimension, source from);

/// By source_kind and rows.
static const panel_f16_kernel panels_f16[2][F16_ROWS] = {
    {panel_SOURCE_HALVES_1, panel_SOURCE_HALVES_2, panel_SOURCE_HALVES_3, panel_SOURCE_HALVES_4, panel_SOURCE_HALVES_5,
     panel_SOURCE_HALVES_6},
    {panel_SOURCE_FLOATS_1, panel_SOURCE_FLOATS_2, panel_SOURCE_FLOATS_3, panel_SOURCE_FLOATS_4, panel_SOURCE_FLOATS_5,
     panel_SOURCE_FLOATS_6},
};

static void widen(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += 4) vst1q_f32(to + i, load_lanes(from, i, SOURCE_HALVES));
}

/// One block of `capacity` keys for all rows of a unit.
static void block_f16(const apus_attention_args *args, const apus_attend_unit *unit, tile t, const uint16_t *data,
                      int64_t capacity, apus_keys keys) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    source_kind kind = unit->rows > F16_ROWS ? SOURCE_FLOATS : SOURCE_HALVES;
    source from = {data, data + capacity * dimension};
    if (kind == SOURCE_FLOATS) {
        float *floats = (float *)t.rest;
        widen(data, floats, capacity * (dimension + padded));
        from = (source){floats, floats + capacity * dimension};
    }
    panel p;
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, F16_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, keys)) continue;
        panels_f16[kind][rows - 1](&p, t, row, dimension, from);
    }
}

// MARK: q8_0 and KIVI

/// Codes of `count` values, a multiple of 8 up to 64, and their scale: a group of section 2.
APUS_INLINE float quantize_group(const float *x, int64_t count, int8_t *codes) {
    uint32x4_t most = vdupq_n_u32(0), magnitude = vdupq_n_u32(0x7fffffff);
    for (int64_t i = 0; i < count; i += 4) {
        most = vmaxq_u32(most, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), magnitude));
    }
    uint32_t largest = vmaxvq_u32(most);
    if (largest >= 0x7f800000 || apus_float(largest) < 0x1p-100f) {
        memset(codes, 0, (size_t)count);
        return largest >= 0x7f800000 ? NAN : 0.0f;
    }
    float r = 127.0f / apus_float(largest);
    for (int64_t i = 0; i < count; i += 8) {
        int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), r));
        int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), r));
        vst1_s8(codes + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
    }
    return apus_float(largest) / 127.0f;
}

static void append_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    (void)scratch;
    apus_append_q8(args, begin, end, quantize_group);
}

/// Sums over four lanes' four bytes each, as two halves of pairs to be added pairwise at the end.
typedef struct dot_sums {
    int32x4_t low, high;
} dot_sums;

APUS_INLINE dot_sums dot(dot_sums sums, int8x16_t a, int8x16_t b) {
    sums.low = vpadalq_s16(sums.low, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    sums.high = vpadalq_s16(sums.high, vmull_high_s8(a, b));
    return sums;
}

APUS_INLINE float32x4_t dot_result(dot_sums sums) { return vcvtq_f32_s32(vpaddq_s32(sums.low, sums.high)); }

APUS_INLINE int8x16_t four_codes(const int8_t *codes) {
    int32_t four;
    memcpy(&four, codes, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/// What a panel reads: q8_0, or KIVI's form of it.
typedef enum panel_kind { PANEL_Q8, PANEL_KIVI } panel_kind;

/// Scores of the panel's rows against tile `first` of 16 keys.
APUS_INLINE void score_q8(panel *p, query_codes q, int64_t row, int64_t dimension, const source_q8 *from, int64_t first,
                          int rows, panel_kind kind) {
    int64_t groups = apus_groups(dimension);
    const uint8_t *keys = from->keys + first * 16 * dimension;
    uint8x16_t offset = vdupq_n_u8(128);
    for (int64_t group = 0; group < groups; group++) {
        int64_t end = 32 * group + 32 < dimension ? 32 * group + 32 : dimension;
        dot_sums dots[Q8_ROWS][4];
        UNROLL for (int r = 0; r < rows; r++) {
            UNROLL for (int v = 0; v < 4; v++) dots[r][v] = (dot_sums){vdupq_n_s32(0), vdupq_n_s32(0)};
        }
        for (int64_t d = 32 * group; d < end; d += 4) {
            UNROLL for (int v = 0; v < 4; v++) {
                uint8x16_t bytes = vld1q_u8(keys + 16 * d + 16 * v);
                int8x16_t key = vreinterpretq_s8_u8(kind == PANEL_KIVI ? bytes : veorq_u8(bytes, offset));
                UNROLL for (int r = 0; r < rows; r++) {
                    dots[r][v] = dot(dots[r][v], four_codes(q.codes + (row + r) * code_stride(dimension) + d), key);
                }
            }
        }
        UNROLL for (int r = 0; r < rows; r++) {
            float scale = q.scales[(row + r) * groups + group];
            UNROLL for (int v = 0; v < 4; v++) {
                float *scores = p->weights[r] + 16 * first + 4 * v;
                float32x4_t both = vdupq_n_f32(scale);
                if (kind != PANEL_KIVI) {
                    const float *key_scales = from->key_scales + group * APUS_KV_BLOCK + 16 * first + 4 * v;
                    both = vmulq_n_f32(vld1q_f32(key_scales), scale);
                }
                float32x4_t start = vdupq_n_f32(kind == PANEL_KIVI ? q.biases[row + r] : 0);
                float32x4_t before = group == 0 ? start : vld1q_f32(scores);
                vst1q_f32(scores, vfmaq_f32(before, dot_result(dots[r][v]), both));
            }
        }
    }
}

/// One value group: the panel's weights times its scales as codes, times the values, merged into `out`.
APUS_INLINE void weigh_q8(const panel *p, const source_q8 *from, int64_t padded, int64_t group, int rows, float *out,
                          panel_kind kind) {
    int8_t codes[Q8_ROWS][APUS_KV_BLOCK];
    float scales[Q8_ROWS], rests[Q8_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        float scaled[APUS_KV_BLOCK];
        for (int32_t j = 0; j < APUS_KV_BLOCK; j += 4) {
            float32x4_t w = vmulq_f32(vld1q_f32(p->weights[r] + j),
                                      vld1q_f32(from->value_scales + group * APUS_KV_BLOCK + j));
            vst1q_f32(scaled + j,
                      vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(w), range_mask_4(p->ranges[r], j))));
        }
        scales[r] = quantize_group(scaled, APUS_KV_BLOCK, codes[r]);
        if (kind == PANEL_KIVI) {
            rests[r] = kivi_weighted_minima(p->weights[r], from->value_minima + group * APUS_KV_BLOCK);
        }
    }
    for (int64_t start = 32 * group; start < padded && start < 32 * group + 32; start += 16) {
        dot_sums dots[Q8_ROWS][4];
        UNROLL for (int r = 0; r < rows; r++) {
            UNROLL for (int v = 0; v < 4; v++) dots[r][v] = (dot_sums){vdupq_n_s32(0), vdupq_n_s32(0)};
        }
        for (int64_t key = 0; key < APUS_KV_BLOCK; key += 4) {
            UNROLL for (int v = 0; v < 4; v++) {
                int8x16_t values = vld1q_s8(from->values + key * padded + 4 * start + 16 * v);
                UNROLL for (int r = 0; r < rows; r++) dots[r][v] = dot(dots[r][v], four_codes(codes[r] + key), values);
            }
        }
        UNROLL for (int r = 0; r < rows; r++) {
            if (p->ranges[r].begin == p->ranges[r].end) continue;
            UNROLL for (int v = 0; v < 4; v++) {
                float *to = out + r * padded + start + 4 * v;
                float32x4_t sum = dot_result(dots[r][v]);
                float32x4_t part = kind == PANEL_KIVI ? vfmaq_n_f32(vdupq_n_f32(rests[r]), sum, scales[r])
                                                      : vmulq_n_f32(sum, scales[r]);
                vst1q_f32(to, vfmaq_n_f32(vmulq_n_f32(part, p->beta[r]), vld1q_f32(to), p->alpha[r]));
            }
        }
    }
}

/// `q` holds the queries of each half of the keys.
APUS_INLINE void panel_q8(panel *p, tile t, const query_codes *q, int64_t row, int64_t dimension,
                          const source_q8 *from, int rows, panel_kind kind) {
    int64_t padded = apus_padded(dimension);
    for (int64_t first = 0; first < 4; first++) score_q8(p, q[first / 2], row, dimension, from, first, rows, kind);
    for (int r = 0; r < rows; r++) softmax_row(p, r);
    merge_panel(p, t.span, row);
    for (int64_t group = 0; group < apus_groups(dimension); group++) {
        weigh_q8(p, from, padded, group, rows, t.span.out + row * padded, kind);
    }
}

/// All rows of a unit over one block in panels.
APUS_INLINE void run_panels(const apus_attention_args *args, const apus_attend_unit *unit, tile t,
                            const query_codes *queries, const source_q8 *from, int64_t block, panel_kind kind) {
    panel p;
    for (int64_t row = 0, rows; row < unit->rows; row += rows) {
        rows = apus_even_share(unit->rows - row, Q8_ROWS);
        if (!open_panel(&p, t.positions + row, rows, args->window, apus_block_keys(unit->slice, block))) continue;
        if (rows == 2) {
            panel_q8(&p, t, queries, row, args->head_dimension, from, 2, kind);
        } else {
            panel_q8(&p, t, queries, row, args->head_dimension, from, 1, kind);
        }
    }
}

/// One block for all rows of a unit; `scales` is scratch.
static void block_q8(const apus_attention_args *args, const apus_attend_unit *unit, tile t, query_codes q,
                     float *scales, int64_t block) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension), groups = apus_groups(dimension);
    const char *data = apus_unit_block(args, unit, APUS_KV_Q8_0, block);
    const char *values = data + apus_keys_bytes(APUS_KV_Q8_0, dimension);
    source_q8 from = {(const uint8_t *)data, (const int8_t *)values, scales, scales + groups * APUS_KV_BLOCK, NULL, 0, 0};
    query_codes queries[2] = {q, q};
    widen((const uint16_t *)(data + APUS_KV_BLOCK * dimension), scales, groups * APUS_KV_BLOCK);
    widen((const uint16_t *)(values + APUS_KV_BLOCK * padded), scales + groups * APUS_KV_BLOCK, groups * APUS_KV_BLOCK);
    run_panels(args, unit, t, queries, &from, block, PANEL_Q8);
}

/// The same for a block of a KIVI type; `k` is scratch.
APUS_INLINE void block_kivi(const apus_attention_args *args, const apus_attend_unit *unit, tile t, kivi_tile k,
                            apus_kv_type type, int64_t block) {
    source_q8 from = kivi_open(args, unit, k, type, block, widen);
    kivi_load_queries(t, k, unit->rows, args->head_dimension, quantize_group);
    run_panels(args, unit, t, k.queries, &from, block, PANEL_KIVI);
}

static void seal_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI2, widen);
}

static void seal_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    apus_seal_kivi(args, begin, end, scratch, APUS_KV_KIVI4, widen);
}

// MARK: units

APUS_INLINE void attend(const apus_attention_args *args, int64_t begin, int64_t end, void *scratch, apus_kv_type type) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    tile t = carve_tile(scratch, padded);
    float *scales = (float *)t.rest;
    query_codes q = carve_codes(scales + scale_floats(dimension), dimension);
    kivi_tile k = carve_kivi(t.rest, dimension);
    for (int64_t index = begin; index < end; index++) {
        apus_attend_unit unit = apus_attend_unit_at(args, index);
        load_rows(args, &unit, t);
        if (type == APUS_KV_Q8_0) load_codes(t, q, unit.rows, dimension, quantize_group);
        if (!unit.plan->splits) clear_state(t.all, unit.rows, padded);
        for (int64_t span = unit.first_span; span < unit.end_span; span++) {
            apus_block_range blocks = unit_blocks(args, &unit, t, span);
            clear_state(t.span, unit.rows, padded);
            for (int64_t block = blocks.begin; block < blocks.end; block++) {
                if (type == APUS_KV_F16) {
                    const uint16_t *data = (const uint16_t *)apus_unit_block(args, &unit, type, block);
                    block_f16(args, &unit, t, data, APUS_KV_BLOCK, apus_block_keys(unit.slice, block));
                } else if (type == APUS_KV_Q8_0) {
                    block_q8(args, &unit, t, q, scales, block);
                } else {
                    block_kivi(args, &unit, t, k, type, block);
                }
            }
            for (int64_t i = 0; apus_is_kivi(type) && i < kivi_pages(&unit, span); i++) {
                const uint16_t *page = kivi_page(args, &unit, i);
                block_f16(args, &unit, t, page, APUS_KV_PAGE, apus_page_keys(unit.slice, i));
            }
            close_span(args, &unit, t, span);
        }
        close_unit(args, &unit, t);
    }
}

static void attend_f16(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_F16);
}

static void attend_q8(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_Q8_0);
}

static void attend_kivi2(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_KIVI2);
}

static void attend_kivi4(const void *args, int64_t begin, int64_t end, void *scratch) {
    attend(args, begin, end, scratch, APUS_KV_KIVI4);
}

void apus_attention_fill_neon(apus_kernels *table) {
    table->attention = (apus_attention_kernels){
        .append = {append_f16, append_q8, append_page, append_page},
        .seal = {NULL, NULL, seal_kivi2, seal_kivi4},
        .attend = {attend_f16, attend_q8, attend_kivi2, attend_kivi4},
        .merge = merge,
    };
}
#endif
