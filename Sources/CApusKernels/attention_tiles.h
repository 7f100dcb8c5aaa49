// How a vector tier works through a unit: query rows in panels, a block at a time. Shared by the tiers; no intrinsics.
//
// A panel is as many rows as keep all accumulators of rows x vectors in registers.
#pragma once

#include "attention_blocks.h"

#define PANEL_ROWS 12
#define UNROLL _Pragma("clang loop unroll(full)")

/// (M, L, O) of all rows of a unit.
typedef struct tile_state {
    float *max, *sum;  ///< room for 16 past the last row
    float *out;        ///< rows x padded
} tile_state;

/// One panel over one block: weights and what merging needs.
typedef struct panel {
    _Alignas(64) float weights[PANEL_ROWS][APUS_KV_BLOCK];
    _Alignas(64) float max[16], sum[16], alpha[16], beta[16];
    apus_key_range ranges[PANEL_ROWS];
    int32_t rows;
    int32_t uniform;  ///< 1: all rows see keys [ranges[0].begin, ranges[0].end), at least one
    int32_t full;     ///< 1: all rows see all keys
} panel;

/// Whether rows at ascending positions from `first` to `last` all see all keys of a block.
APUS_INLINE int all_see_all(int64_t first, int64_t last, int64_t window, apus_keys keys) {
    return apus_visible_keys(first, window, keys).end == APUS_KV_BLOCK && apus_visible_keys(last, window, keys).begin == 0;
}

/// Sets up a panel of rows at these ascending positions; 0 if no row sees one of the keys.
APUS_INLINE int open_panel(panel *p, const int32_t *positions, int64_t rows, int64_t window, apus_keys keys) {
    apus_key_range first = apus_visible_keys(positions[0], window, keys);
    apus_key_range last = apus_visible_keys(positions[rows - 1], window, keys);
    p->rows = (int32_t)rows;
    p->uniform = first.begin == last.begin && first.end == last.end;
    p->full = all_see_all(positions[0], positions[rows - 1], window, keys);
    if (p->uniform) {
        for (int64_t r = 0; r < rows; r++) p->ranges[r] = first;
        return first.end > first.begin;
    }
    for (int64_t r = 0; r < rows; r++) p->ranges[r] = apus_visible_keys(positions[r], window, keys);
    return 1;
}

APUS_INLINE uint64_t range_mask(apus_key_range range) {
    uint64_t below_end = range.end == 64 ? ~UINT64_C(0) : (UINT64_C(1) << range.end) - 1;
    uint64_t from_begin = range.begin == 64 ? 0 : ~UINT64_C(0) << range.begin;
    return below_end & from_begin;
}

/// What a unit works with, carved from the thread's scratch.
typedef struct tile {
    tile_state all, span;
    int32_t *positions;
    float *query;  ///< rows x dimension, times the scale
    char *rest;    ///< what is left of the scratch, 64-byte aligned
} tile;

APUS_INLINE tile carve_tile(void *scratch, int64_t padded) {
    float *floats = scratch;
    int64_t rows = APUS_TILE_ROWS + 16, matrix = APUS_TILE_ROWS * padded;
    tile t;
    t.all = (tile_state){floats, floats + rows, floats + 4 * rows};
    t.span = (tile_state){floats + 2 * rows, floats + 3 * rows, t.all.out + matrix};
    t.query = t.span.out + matrix;
    t.positions = (int32_t *)(t.query + matrix);
    t.rest = (char *)(t.positions + rows);
    return t;
}

APUS_INLINE void load_rows(const apus_attention_args *args, const apus_attend_unit *unit, tile t) {
    for (int64_t row = 0; row < unit->rows; row++) {
        const float *input = apus_unit_query(args, unit, row);
        float *query = t.query + row * args->head_dimension;
        for (int64_t d = 0; d < args->head_dimension; d++) query[d] = input[d] * args->scale;
        t.positions[row] = (int32_t)apus_unit_position(unit, row);
    }
}

/// Blocks of `span` that some row of the unit sees.
APUS_INLINE apus_block_range unit_blocks(const apus_attention_args *args, const apus_attend_unit *unit, tile t,
                                         int64_t span) {
    return apus_visible_blocks(unit->slice, t.positions[0], t.positions[unit->rows - 1], args->window, span);
}

/// The block `steps` after `block` for this thread, to prefetch: of the unit, or of the range's next unit.
APUS_INLINE const char *following_block(const apus_attention_args *args, const apus_attend_unit *unit, tile t,
                                        apus_kv_type type, int64_t block, int64_t steps, int64_t index, int64_t end) {
    int64_t past = block + steps - unit_blocks(args, unit, t, unit->end_span - 1).end;
    if (past < 0) return apus_unit_block(args, unit, type, block + steps);
    if (index + 1 < end) {
        apus_attend_unit next = apus_attend_unit_at(args, index + 1);
        int64_t low = apus_unit_position(&next, 0), high = apus_unit_position(&next, next.rows - 1);
        apus_block_range blocks = apus_visible_blocks(next.slice, low, high, args->window, next.first_span);
        if (blocks.begin + past < blocks.end) return apus_unit_block(args, &next, type, blocks.begin + past);
    }
    return apus_unit_block(args, unit, type, block);
}

/// A unit's queries as codes.
typedef struct query_codes {
    int8_t *codes;  ///< rows x whole groups
    float *scales;  ///< rows x groups
    int32_t *sums;  ///< rows x groups: of the codes
    float *biases;  ///< rows: what scores begin with; NULL: zero
} query_codes;

/// Bytes of a row's codes.
APUS_INLINE int64_t code_stride(int64_t dimension) { return 32 * apus_groups(dimension); }

/// Bytes of the codes of a unit and what goes with them.
APUS_INLINE int64_t codes_bytes(int64_t dimension) {
    return APUS_TILE_ROWS * (8 * apus_groups(dimension) + code_stride(dimension));
}

APUS_INLINE query_codes carve_codes(void *memory, int64_t dimension) {
    query_codes q;
    q.scales = memory;
    q.sums = (int32_t *)(q.scales + APUS_TILE_ROWS * apus_groups(dimension));
    q.codes = (int8_t *)(q.sums + APUS_TILE_ROWS * apus_groups(dimension));
    q.biases = NULL;
    return q;
}

APUS_INLINE void load_row_codes(const float *query, query_codes q, int64_t row, int64_t dimension,
                                apus_quantize quantize) {
    int64_t groups = apus_groups(dimension);
    for (int64_t group = 0; group < groups; group++) {
        int64_t first = 32 * group, count = dimension - first < 32 ? dimension - first : 32;
        int8_t codes[32];
        int32_t sum = 0;
        q.scales[row * groups + group] = quantize(query + first, count, codes);
        for (int64_t i = 0; i < count; i++) sum += codes[i];
        q.sums[row * groups + group] = sum;
        memcpy(q.codes + row * code_stride(dimension) + first, codes, (size_t)count);
    }
}

APUS_INLINE void load_codes(tile t, query_codes q, int64_t rows, int64_t dimension, apus_quantize quantize) {
    for (int64_t row = 0; row < rows; row++) {
        load_row_codes(t.query + row * dimension, q, row, dimension, quantize);
    }
}

/// A q8_0 block of one KV head, or a KIVI block in its form (kivi_open) or as it is stored (kivi_open_packed).
typedef struct source_q8 {
    const uint8_t *keys;
    const int8_t *values;
    const float *key_scales, *value_scales;  ///< widened, [group][key]; KIVI's key codes are unsigned, without a scale
    const float *value_minima;               ///< the same; NULL: zero
    const char *next_keys, *next_values;     ///< of the following block, to prefetch
} source_q8;

/// Rooms for the widened scales of a block, at the start of the rest of the scratch.
APUS_INLINE int64_t scale_floats(int64_t dimension) { return 2 * apus_groups(dimension) * APUS_KV_BLOCK; }

APUS_INLINE void clear_state(tile_state state, int64_t rows, int64_t padded) {
    for (int64_t row = 0; row < rows; row++) {
        state.max[row] = -INFINITY;
        state.sum[row] = 0;
    }
    memset(state.out, 0, (size_t)(rows * padded) * sizeof(float));
}

/// O of section 6, of one row.
APUS_INLINE void merge_out(float *restrict out, const float *restrict part, int64_t padded, float alpha, float beta) {
    for (int64_t d = 0; d < padded; d++) out[d] = fmaf(out[d], alpha, part[d] * beta);
}

/// output = O / L.
APUS_INLINE void divide_out(float *restrict output, const float *restrict out, float sum, int64_t dimension) {
    for (int64_t d = 0; d < dimension; d++) output[d] = out[d] / sum;
}

/// Leaves a finished span as partials.
APUS_INLINE void store_partials(const apus_attention_args *args, const apus_attend_unit *unit, tile t, int64_t span) {
    int64_t padded = apus_padded(args->head_dimension);
    for (int64_t row = 0; row < unit->rows; row++) {
        float *slot = apus_unit_slot(args, unit, row, span);
        memcpy(slot, t.span.out + row * padded, (size_t)padded * sizeof(float));
        slot[padded] = t.span.max[row];
        slot[padded + 1] = t.span.sum[row];
    }
}

/// Writes the rows' results, unless partials hold them.
APUS_INLINE void close_unit(const apus_attention_args *args, const apus_attend_unit *unit, tile t) {
    int64_t dimension = args->head_dimension, padded = apus_padded(dimension);
    for (int64_t row = 0; row < unit->rows && !unit->plan->splits; row++) {
        divide_out(apus_unit_output(args, unit, row), t.all.out + row * padded, t.all.sum[row], dimension);
    }
}
